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
    let status = fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("VmHWM");
    let kilobytes: u64 = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number");
    kilobytes * 1024
}
