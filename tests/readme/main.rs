//! The pipelines of the README, taken from the README and run as its readers run them, whichever side starts
//! first: pictures arrive, and nobody warns of anything.

mod document;
mod opencv;
mod program;
#[allow(
    dead_code,
    unused_imports,
    reason = "the helpers serve the other tests too"
)]
#[path = "../support/mod.rs"]
mod support;

use document::{Block, blocks, commands};
use program::Program;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{ReservedPort, eventually};

/// Pictures that are to arrive in each run.
const PICTURES: usize = 10;
/// Cameras, one after the other, where the others go on without one.
const LIVES: usize = 2;
/// A busy machine may be late, but not by a second.
const SCREEN: &str = "fakevideosink max-lateness=1000000000";
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/");
const CHAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/python/chat.py");

/// Blocks without a pipeline, and pipelines that want what a test has not.
const NOT_RUN: &[(&str, &str)] = &[
    ("00000005hello", "it is what goes over the wire"),
    ("make demo", "nothing but what this and the other tests do"),
    (
        "$ cargo run --release --example camera_server",
        "run by tests/examples.rs",
    ),
    (
        "cargo run --release --example camera_server -- --web",
        "run by tests/examples.rs and tests/browser",
    ),
    ("! rtspclientsink", "wants an RTSP server"),
    ("! flvmux", "wants an RTMP server"),
    ("! whipclientsink", "wants a WHIP server"),
    ("! rtph264pay", "wants a WHIP server"),
];

macro_rules! shown {
    ($($test:ident, $title:literal => $run:expr;)*) => {
        /// Under which words of the README there is something that a test runs.
        const RUN: &[&str] = &[$($title),*];

        $(#[test]
        fn $test() {
            ($run)(commands($title));
        })*
    };
}

shown! {
    a_camera_as_jpeg, "A camera as JPEG" => |[viewer, camera, picture]: [String; 3]| {
        both_orders(&viewer, &camera);
        both_orders(&viewer, &picture);
    };
    a_video_chat, "Video chat" => |[ada, bob]: [String; 2]| both_orders(&ada, &bob);
    the_original_chat, "The original chat programs" => |[pipeline, program]: [String; 2]| {
        take_turns(&pipeline, &program);
    };
    h264_to_viewers, "H.264 to any number of viewers" => |[camera, viewer]: [String; 2]| {
        both_orders(&camera, &viewer);
        survives_the_camera(&camera, &viewer);
    };
    raw_video, "Raw video" => |[viewer, camera]: [String; 2]| both_orders(&viewer, &camera);
    h264_between_pipelines, "H.264 between two pipelines" => |[camera, viewer]: [String; 2]| {
        both_orders(&camera, &viewer);
    };
    audio, "Audio" => |[listener, microphone]: [String; 2]| both_orders(&listener, &microphone);
    encrypted, "Encrypted" => |[certificates, camera, viewer]: [String; 3]| {
        std::thread::scope(|scope| {
            scope.spawn(|| meet_with_certificates(&certificates, &camera, &viewer));
            scope.spawn(|| meet_with_certificates(&certificates, &viewer, &camera));
        });
    };
    a_python_program, "A Python program on the other end" => |[camera, viewer]: [String; 2]| {
        let stage = Stage::new();
        let camera = stage.start(&camera);
        camera.has_started();
        let viewer = stage.start(&viewer);
        viewer.shows(PICTURES);
        camera.press_ctrl_c();
        camera.ends();
        viewer.ends();
    };
    opencv_by_gstreamer, "OpenCV" => |[reader, writer]: [String; 2]| {
        if opencv::is_there() {
            opencv::read_and_write(&reader, &writer);
        }
    };
    relays, "A relay" => |[jpeg, h264]: [String; 2]| {
        let [camera, viewer] = commands("A Python program on the other end");
        relay(&camera, &jpeg, &viewer);
        let [camera, viewer] = commands("H.264 to any number of viewers");
        relay(&camera, &h264, &viewer);
    };
    hls, "Browsers, and more viewers than TCP serves well" => |[list]: [String; 1]| {
        let [camera, _] = commands("H.264 to any number of viewers");
        make_list(&camera, &list);
    };
}

#[test]
fn every_block_of_the_readme_is_run_or_named() {
    let starts = |block: &Block, start: &str| block.text.starts_with(start);
    let is_run = |block: &Block| RUN.contains(&block.title.as_str()) && !starts(block, "! ");
    for block in blocks() {
        let reasons = NOT_RUN.iter().filter(|(start, _)| starts(&block, start));
        let is_named = reasons.count() == 1;
        assert!(
            is_run(&block) != is_named,
            "{}: {}",
            block.title,
            block.text
        );
    }
    for (start, _) in NOT_RUN {
        assert!(blocks().iter().any(|block| starts(block, start)), "{start}");
    }
}

/// Ports and a folder that nobody else uses.
struct Stage {
    port: ReservedPort,
    /// Of the camera that a relay connects to.
    camera_port: ReservedPort,
    folder: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let (port, camera_port) = (ReservedPort::new(), ReservedPort::new());
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("readme-{}", port.number()));
        fs::create_dir_all(&folder).expect("a folder");
        Self {
            port,
            camera_port,
            folder,
        }
    }

    fn start(&self, command: &str) -> Program {
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

    /// For a program that sends some.
    fn take_pictures(&self) {
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

    fn await_file_in_list(&self, file: &str) {
        let list = self.folder.join("camera.m3u8");
        eventually(file, || {
            fs::read_to_string(&list).is_ok_and(|list| list.contains(file))
        });
    }

    /// What the README has that is not on every machine gives way to what is.
    fn start_with_ports(&self, command: &str, source: u16, sink: u16) -> Program {
        let command = command
            .replace("videosocketsrc", &format!("videosocketsrc port={source}"))
            .replace("videosocketsink", &format!("videosocketsink port={sink}"))
            .replace("4953", &source.to_string())
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

fn both_orders(one: &str, other: &str) {
    std::thread::scope(|scope| {
        scope.spawn(|| meet(one, other));
        scope.spawn(|| meet(other, one));
    });
}

fn meet_with_certificates(certificates: &str, first: &str, second: &str) {
    let stage = Stage::new();
    let made = Command::new("sh")
        .args(["-c", &certificates.replace("scripts/", SCRIPTS)])
        .current_dir(&stage.folder)
        .status();
    assert!(made.expect("a shell").success());
    meet_on(&stage, first, second);
}

fn meet(first: &str, second: &str) {
    meet_on(&Stage::new(), first, second);
}

fn meet_on(stage: &Stage, first: &str, second: &str) {
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

fn take_turns(pipeline: &str, program: &str) {
    std::thread::scope(|scope| {
        scope.spawn(|| take_turns_in_order(pipeline, program, true));
        scope.spawn(|| take_turns_in_order(pipeline, program, false));
    });
}

fn take_turns_in_order(pipeline: &str, program: &str, pipeline_first: bool) {
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
fn survives_the_camera(camera: &str, viewer: &str) {
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

fn relay(camera: &str, relay: &str, viewer: &str) {
    std::thread::scope(|scope| {
        scope.spawn(|| relay_from_the_camera_on(camera, relay, viewer));
        scope.spawn(|| relay_to_who_waits(camera, relay, viewer));
    });
}

/// A viewer that goes on shows what the next relay sends.
fn relay_from_the_camera_on(camera: &str, relay: &str, viewer: &str) {
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
fn relay_to_who_waits(camera: &str, relay: &str, viewer: &str) {
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

fn make_list(camera: &str, list: &str) {
    std::thread::scope(|scope| {
        scope.spawn(|| make_list_from_a_camera_that_is_on(camera, list));
        scope.spawn(|| make_list_of_two_cameras(camera, list));
    });
}

fn make_list_from_a_camera_that_is_on(camera: &str, list: &str) {
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
fn make_list_of_two_cameras(camera: &str, list: &str) {
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
