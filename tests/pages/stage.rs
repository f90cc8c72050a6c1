// SPDX-License-Identifier: MPL-2.0
//! Programs of the pages together, each on ports and in a folder of their own.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::document::ROOT;
use super::program::Program;
use super::support::{ReservedPort, eventually};

/// Pictures that are to arrive in each run.
pub const PICTURES: usize = 10;
/// Cameras, one after the other, where the others go on without one.
const LIVES: usize = 2;
const JPEG_START: [u8; 2] = [0xff, 0xd8];
/// A busy machine may be late, but not by a second.
const SCREEN: &str = "fakevideosink max-lateness=1000000000";
const CHAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/python/chat.py");

/// Ports and a folder that nobody else uses.
pub struct Stage {
    port: ReservedPort,
    /// Of a second connection.
    other_port: ReservedPort,
    /// Of the camera that a relay connects to.
    camera_port: ReservedPort,
    pub folder: PathBuf,
}

impl Stage {
    pub fn new() -> Self {
        let port = ReservedPort::new();
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pages-{}", port.number()));
        fs::create_dir_all(&folder).expect("a folder");
        Self {
            port,
            other_port: ReservedPort::new(),
            camera_port: ReservedPort::new(),
            folder,
        }
    }

    pub fn start(&self, command: &str) -> Program {
        let port = self.port.number();
        self.start_with_ports(command, port, port)
    }

    /// The camera in front of a relay.
    fn start_camera(&self, command: &str) -> Program {
        self.start_with_ports(command, 0, self.camera_port.number())
    }

    fn start_relay(&self, command: &str) -> Program {
        self.start_with_ports(command, self.camera_port.number(), self.port.number())
    }

    /// What is over when it has done its work.
    pub fn run(&self, command: &str) {
        let command = command.replace("scripts/", &format!("{ROOT}/scripts/"));
        let status = Command::new("sh")
            .args(["-c", &command])
            .current_dir(&self.folder)
            .status();
        assert!(status.expect("a shell").success(), "{command}");
    }

    /// Whose output is the bytes that come over the connection.
    pub fn reads_a_picture(&self, command: &str) {
        let command = format!(
            "exec {}",
            command.replace("4953", &self.port.number().to_string())
        );
        let mut child = Command::new("sh")
            .args(["-c", &command])
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut start = [0; 10];
        let output = child.stdout.as_mut().expect("its stdout");
        let read = output.read_exact(&mut start);
        child.kill().expect("a process of ours");
        child.wait().expect("it is dead");
        read.expect("a header, and what is behind it");
        assert!(start[..8].iter().all(u8::is_ascii_digit), "{start:?}");
        assert_eq!(start[8..], JPEG_START);
    }

    /// For a program that sends some.
    pub fn take_pictures(&self) {
        let folder = self.folder.join("PICTURES");
        fs::create_dir(&folder).expect("a folder");
        let status = Command::new("gst-launch-1.0")
            .args(
                "-q videotestsrc num-buffers=3 ! jpegenc ! multifilesink location=%d.jpg"
                    .split(' '),
            )
            .current_dir(folder)
            .status();
        assert!(status.expect("gst-launch-1.0").success());
    }

    pub fn await_file_in_list(&self, file: &str) {
        let list = self.folder.join("camera.m3u8");
        eventually(file, || {
            fs::read_to_string(&list).is_ok_and(|list| list.contains(file))
        });
    }

    /// What a page has that is not on every machine gives way to what is.
    fn start_with_ports(&self, command: &str, source: u16, sink: u16) -> Program {
        let command = command
            .replace("videosocketsrc", &format!("videosocketsrc port={source}"))
            .replace("videosocketsink", &format!("videosocketsink port={sink}"))
            .replace("4953", &source.to_string())
            .replace("4954", &self.other_port.number().to_string())
            .replace("v4l2src", "videotestsrc is-live=true")
            .replace("OTHER-MACHINE", "localhost")
            .replace("CAMERA", "localhost")
            .replace(
                "examples/python/chat.py",
                &format!("{CHAT} --port {source}"),
            )
            .replace("autovideosrc", "videotestsrc is-live=true")
            .replace(
                "autovideosink",
                &format!("identity silent=false ! {SCREEN}"),
            )
            .replace("autoaudiosink", "identity silent=false ! fakeaudiosink");
        Program::start(&command, &self.folder)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub fn both_orders(one: &str, other: &str) {
    std::thread::scope(|scope| {
        scope.spawn(|| meet(one, other));
        scope.spawn(|| meet(other, one));
    });
}

/// The commands that make the files come first.
pub fn meet_with_files(commands: &[&str], first: &str, second: &str) {
    let stage = Stage::new();
    for command in commands {
        stage.run(command);
    }
    meet_on(&stage, first, second);
}

pub fn meet(first: &str, second: &str) {
    meet_on(&Stage::new(), first, second);
}

pub fn meet_on(stage: &Stage, first: &str, second: &str) {
    let first = stage.start(first);
    first.has_started();
    let second = stage.start(second);
    for program in [&first, &second] {
        if program.is_viewer() {
            program.shows(PICTURES);
        }
    }
    let (sender, viewer) = if first.is_viewer() {
        (second, first)
    } else {
        (first, second)
    };
    if viewer.goes_on() {
        // It comes back at once, perhaps to a sender that is about to close.
        viewer.may_tell_of_loss();
    }
    sender.press_ctrl_c();
    sender.ends();
    viewer.end_now_or_by_itself();
}

pub fn take_turns(pipeline: &str, program: &str) {
    std::thread::scope(|scope| {
        scope.spawn(|| take_turns_in_order(pipeline, program, true));
        scope.spawn(|| take_turns_in_order(pipeline, program, false));
    });
}

pub fn take_turns_in_order(pipeline: &str, program: &str, pipeline_first: bool) {
    let stage = Stage::new();
    stage.take_pictures();
    let count = |folder| fs::read_dir(stage.folder.join(folder)).map_or(0, Iterator::count);
    let (pipeline, program) = if pipeline_first {
        let pipeline = stage.start(pipeline);
        pipeline.has_started();
        (pipeline, stage.start(program))
    } else {
        let program = stage.start(program);
        // It makes the folder before it connects.
        eventually("the program starts", || {
            stage.folder.join("received").exists()
        });
        (stage.start(pipeline), program)
    };
    pipeline.shows(PICTURES);
    eventually("the program saves pictures", || {
        count("received") >= PICTURES
    });
    pipeline.press_ctrl_c();
    pipeline.ends();
    program.ends();
}

/// The viewer stays, and shows what the next camera sends.
pub fn survives_the_camera(camera: &str, viewer: &str) {
    let stage = Stage::new();
    let viewer = stage.start(viewer);
    for _ in 0..LIVES {
        let before = viewer.pictures();
        let camera = stage.start(camera);
        viewer.shows(before + PICTURES);
        viewer.loses(camera);
    }
    viewer.press_ctrl_c();
    viewer.ends();
}

pub fn relay(camera: &str, relay: &str, viewer: &str) {
    std::thread::scope(|scope| {
        scope.spawn(|| relay_from_the_camera_on(camera, relay, viewer));
        scope.spawn(|| relay_to_who_waits(camera, relay, viewer));
    });
}

/// A viewer that goes on shows what the next relay sends.
pub fn relay_from_the_camera_on(camera: &str, relay: &str, viewer: &str) {
    let stage = Stage::new();
    let camera = stage.start_camera(camera);
    camera.has_started();
    let mut relay_process = stage.start_relay(relay);
    relay_process.has_started();
    let viewer = stage.start(viewer);
    viewer.shows(PICTURES);
    if viewer.goes_on() {
        viewer.loses(relay_process);
        let before = viewer.pictures();
        relay_process = stage.start_relay(relay);
        viewer.shows(before + PICTURES);
    }
    // It comes back at once, perhaps to a camera that is about to close.
    relay_process.may_tell_of_loss();
    camera.press_ctrl_c();
    camera.ends();
    relay_process.press_ctrl_c();
    relay_process.ends();
    viewer.end_now_or_by_itself();
}

/// The viewer stays with the relay while the camera is away.
pub fn relay_to_who_waits(camera: &str, relay: &str, viewer: &str) {
    let stage = Stage::new();
    let relay = stage.start_relay(relay);
    relay.has_started();
    let viewer = stage.start(viewer);
    for _ in 0..LIVES {
        let before = viewer.pictures();
        let camera = stage.start_camera(camera);
        viewer.shows(before + PICTURES);
        relay.loses(camera);
    }
    // Nobody asks for an end of the stream, which the camera has not said.
    viewer.may_tell_of_loss();
    relay.press_ctrl_c();
    relay.ends();
    viewer.end_now_or_by_itself();
}

pub fn make_list(camera: &str, list: &str) {
    std::thread::scope(|scope| {
        scope.spawn(|| make_list_from_a_camera_that_is_on(camera, list));
        scope.spawn(|| make_list_of_two_cameras(camera, list));
    });
}

pub fn make_list_from_a_camera_that_is_on(camera: &str, list: &str) {
    let stage = Stage::new();
    let camera = stage.start(camera);
    camera.has_started();
    let list = stage.start(list);
    stage.await_file_in_list("camera00000.ts");
    camera.press_ctrl_c();
    camera.ends();
    list.press_ctrl_c();
    list.ends();
}

/// It goes on when the camera is back.
pub fn make_list_of_two_cameras(camera: &str, list: &str) {
    let stage = Stage::new();
    let list = stage.start(list);
    list.has_started();
    for file in ["camera00000.ts", "camera00001.ts"] {
        let camera = stage.start(camera);
        stage.await_file_in_list(file);
        list.loses(camera);
    }
    list.press_ctrl_c();
    list.ends();
}

/// With a peer that takes one frame and sends it back.
pub fn python_sends_and_receives(program: &str) {
    let stage = Stage::new();
    let listener = TcpListener::bind(("127.0.0.1", stage.port.number())).expect("a free port");
    let program = stage.start(program);
    let (mut peer, _) = listener.accept().expect("a connection");
    let mut frame = [0; 15];
    peer.read_exact(&mut frame).expect("a frame");
    assert_eq!(&frame, b"00000007a frame");
    peer.write_all(&frame).expect("it is sent");
    program.says("b'a frame'", 1);
    program.ends();
}
