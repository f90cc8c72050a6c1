//! Where it was measured.

use std::{fs, thread};

pub fn line() -> String {
    let cores = thread::available_parallelism().map_or(0, |cores| cores.get());
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.trim();
    let gstreamer = gst::version_string();
    format!("{cores} cores of {model}, Linux {kernel}, {gstreamer}")
}

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
