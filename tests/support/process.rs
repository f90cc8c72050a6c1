//! What this process holds, as the kernel counts it.

use std::fs;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub threads: usize,
    pub descriptors: usize,
}

impl Usage {
    pub fn now() -> Self {
        let count = |folder| fs::read_dir(folder).expect("a folder of /proc").count();
        Self {
            threads: count("/proc/self/task"),
            descriptors: count("/proc/self/fd"),
        }
    }

    pub fn within(self, limit: Self) -> bool {
        self.threads <= limit.threads && self.descriptors <= limit.descriptors
    }
}

/// The most memory that this process ever had in use, in bytes.
pub fn peak_memory() -> u64 {
    memory("VmHWM:")
}

/// Bytes that were allocated in this process, by whatever language, and not freed.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "the allocator has no safe interface")]
pub fn memory_in_use() -> u64 {
    // SAFETY: it only reads the allocator's own counters, with its locks.
    let counters = unsafe { libc::mallinfo2() };
    (counters.uordblks + counters.hblkhd) as u64
}

/// What stands for it where the allocator does not tell.
#[cfg(not(target_env = "gnu"))]
pub fn memory_in_use() -> u64 {
    memory("VmRSS:")
}

fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let kilobytes = status
        .lines()
        .find_map(|found| found.strip_prefix(line))
        .expect(line);
    let kilobytes: u64 = kilobytes
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number");
    kilobytes * 1024
}
