// SPDX-License-Identifier: MPL-2.0
//! OpenCV's programs, where there is one with GStreamer in it: those of the pages, and the example scripts.

use super::program::plugin;
use super::stage::{PICTURES, Stage};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/python");

/// Debian's modules are Debian's Python's.
const PYTHONS: [&str; 2] = ["/usr/bin/python3", "python3"];

/// Ends well where a pipeline can be opened.
const CHECK: &str =
    "import cv2; assert 'GStreamer: YES' in ' '.join(cv2.getBuildInformation().split())";

fn python() -> Option<&'static str> {
    PYTHONS.into_iter().find(|python| {
        let mut check = Command::new(python);
        check.args(["-c", CHECK]).stderr(Stdio::null());
        check.status().is_ok_and(|status| status.success())
    })
}

/// Says so where it is not.
pub fn is_there() -> bool {
    let is_there = python().is_some();
    if !is_there {
        // Not captured, as what is printed is.
        let _ = writeln!(io::stderr(), "SKIPPED: no OpenCV with GStreamer here");
    }
    is_there
}

/// The one that has what the program imports.
pub fn python_for(program: &str) -> &'static str {
    if program.contains("cv2") {
        return python().expect("a Python with OpenCV");
    }
    "python3"
}

/// Only what a pipeline of OpenCV's needs to find the elements: gst-launch-1.0 is told by an option.
pub fn environment(program: &str) -> Vec<(&'static str, PathBuf)> {
    if program.starts_with("gst-launch-1.0") {
        return Vec::new();
    }
    // Beside it there are others that are no plugins.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("opencv-plugins");
    fs::create_dir_all(&folder).expect("a folder");
    let link = folder.join(plugin().file_name().expect("a name"));
    // It is there already where another test was first.
    let _ = std::os::unix::fs::symlink(plugin(), link);
    let registry = folder.with_extension("registry");
    let environment = vec![("GST_PLUGIN_PATH", folder), ("GST_REGISTRY", registry)];
    look_for_plugins(&environment);
    environment
}

/// The first to do so may complain of others than ours.
fn look_for_plugins(environment: &[(&str, PathBuf)]) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut inspect = Command::new("gst-inspect-1.0");
        let inspect = inspect
            .arg("videosocketsink")
            .envs(environment.iter().cloned());
        let found = inspect.output().expect("gst-inspect-1.0");
        assert!(found.status.success(), "{found:?}");
    });
}

/// In both orders; the reader ends with the writer, and the writer goes on without a reader.
pub fn read_and_write(reader: &str, writer: &str) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let stage = Stage::new();
            let writer = stage.start(writer);
            writer.shows(PICTURES);
            for _ in 0..2 {
                let reader = stage.start(reader);
                reader.shows(PICTURES);
                reader.kill();
                writer.shows(writer.pictures() + PICTURES);
            }
        });
        scope.spawn(|| {
            let stage = Stage::new();
            let reader = stage.start(reader);
            let writer = stage.start(writer);
            reader.shows(PICTURES);
            writer.kill();
            reader.ends();
        });
    });
}

/// A script with options for this stage.
fn script(name: &str, options: &str) -> String {
    let python = python().expect("a Python with OpenCV");
    format!("{python} -u {SCRIPTS}/{name} --host 127.0.0.1 --port 4953 {options}")
}

#[test]
fn scripts_meet_pipelines_in_either_order() {
    if !is_there() {
        return;
    }
    let viewer = "gst-launch-1.0 videosocketsrc host=127.0.0.1 mode=listen ! jpegdec ! videoconvert ! autovideosink";
    let camera =
        "gst-launch-1.0 videotestsrc is-live=true ! jpegenc ! videosocketsink host=127.0.0.1";
    let both = ["", "--gstreamer"];
    let senders = both.map(|by| script("opencv_send.py", by));
    let receivers = both.map(|by| script("opencv_receive.py", &format!("--listen {by}")));
    std::thread::scope(|scope| {
        for is_sender_first in [true, false] {
            for sender in &senders {
                scope.spawn(move || send_until_interrupted(sender, viewer, is_sender_first));
            }
            for receiver in &receivers {
                scope.spawn(move || receive_until_killed(camera, receiver, is_sender_first));
            }
        }
    });
}

/// The viewer ends with the script, whose connection is over.
fn send_until_interrupted(sender: &str, viewer: &str, is_sender_first: bool) {
    let stage = Stage::new();
    let start_viewer = || {
        let viewer = stage.start(viewer);
        viewer.has_started();
        viewer
    };
    let (sender, viewer) = if is_sender_first {
        (stage.start(sender), start_viewer())
    } else {
        let viewer = start_viewer();
        (stage.start(sender), viewer)
    };
    viewer.shows(PICTURES);
    sender.press_ctrl_c();
    sender.ends();
    viewer.ends();
}

/// The script ends with the camera, whose connection is over.
fn receive_until_killed(camera: &str, receiver: &str, is_camera_first: bool) {
    let stage = Stage::new();
    let (camera, receiver) = if is_camera_first {
        let camera = stage.start(camera);
        camera.has_started();
        (camera, stage.start(receiver))
    } else {
        let receiver = stage.start(receiver);
        (stage.start(camera), receiver)
    };
    receiver.says("The first picture is 320x240", 1);
    camera.kill();
    receiver.says("pictures, the last one of brightness", 1);
    receiver.ends();
}

#[test]
fn scripts_meet_each_other_and_survive_each_other() {
    if !is_there() {
        return;
    }
    let writer = script("opencv_send.py", "--gstreamer --listen");
    let readers = ["", "--gstreamer"].map(|by| script("opencv_receive.py", by));
    std::thread::scope(|scope| {
        for reader in &readers {
            scope.spawn(|| outlive_each_other(&writer, reader));
        }
    });
}

fn outlive_each_other(writer: &str, reader: &str) {
    let stage = Stage::new();
    let writer = stage.start(writer);
    for _ in 0..2 {
        let reader = stage.start(reader);
        reader.says("The first picture is 640x480", 1);
        reader.kill();
    }
    let reader = stage.start(reader);
    reader.says("The first picture is 640x480", 1);
    writer.press_ctrl_c();
    writer.ends();
    reader.says("pictures, the last one of brightness", 1);
    reader.ends();
}
