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
