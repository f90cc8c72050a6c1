// SPDX-License-Identifier: MPL-2.0
//! Whether the machine had what TCP needs.

use std::fs;

/// Milliseconds in which the kernel had too little memory for TCP, since the machine started. Then it drops
/// what has arrived, and every connection stalls, whoever took the memory.
pub fn tcp_memory_pressure() -> u64 {
    let counters = fs::read_to_string("/proc/net/netstat").unwrap_or_default();
    let mut lines = counters.lines().filter(|line| line.starts_with("TcpExt:"));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
        return 0;
    };
    let mut pairs = names.split(' ').zip(values.split(' '));
    let found = pairs.find(|(name, _)| *name == "TCPMemoryPressuresChrono");
    found.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}
