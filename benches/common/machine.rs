// SPDX-License-Identifier: MPL-2.0
//! Where it was measured.

use std::{fs, thread};

pub fn line() -> String {
    let cores = thread::available_parallelism().map_or(0, |cores| cores.get());
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let system = |name| {
        let text = fs::read_to_string(format!("/proc/sys/{name}")).unwrap_or_default();
        text.trim().to_string()
    };
    let kernel = system("kernel/osrelease");
    let congestion_control = system("net/ipv4/tcp_congestion_control");
    let gstreamer = gst::version_string();
    format!("{cores} cores of {model}, Linux {kernel} with {congestion_control}, {gstreamer}")
}
