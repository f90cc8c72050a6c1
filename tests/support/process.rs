// SPDX-License-Identifier: MPL-2.0
//! What this process holds, as the kernel counts it.

use std::fs;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Their names, sorted.
    pub threads: Vec<String>,
    pub descriptors: usize,
}

/// GLib starts one of each when it is first needed, and keeps it.
const GLIBS_OWN: [&str; 3] = ["pool-spawner", "gmain", "gdbus"];

impl Usage {
    pub fn now() -> Self {
        Self {
            threads: threads(),
            descriptors: entries("/proc/self/fd").count(),
        }
    }

    pub fn within(&self, limit: &Self) -> bool {
        self.threads.len() <= limit.threads.len() && self.descriptors <= limit.descriptors
    }
}

fn entries(folder: &str) -> impl Iterator<Item = fs::DirEntry> {
    let entries = fs::read_dir(folder).expect("a folder of /proc");
    // A thread or file may have gone meanwhile.
    entries.filter_map(Result::ok)
}

fn threads() -> Vec<String> {
    let names = entries("/proc/self/task")
        .filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
    let mut names: Vec<_> = names
        .map(|name| name.trim_end().to_owned())
        .filter(|name| !GLIBS_OWN.contains(&name.as_str()))
        .collect();
    names.sort();
    names
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
