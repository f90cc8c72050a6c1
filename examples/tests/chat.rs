// SPDX-License-Identifier: MPL-2.0
//! Two video chats, or one and nobody.

use std::fs;
use std::net::TcpListener;
use std::thread;
use std::time::Instant;

use gst::prelude::*;

use super::support::{PATIENCE, Program, Scratch};

#[test]
fn two_video_chats_see_each_other_until_one_hangs_up() {
    let folder = Scratch::new("chat");
    let side = |name: &str, call: &[&str]| {
        let mut arguments = call.to_vec();
        let (pictures, report) = (folder.path(name), folder.path(&format!("{name}.report")));
        arguments.extend(["--test-picture", "ball"]);
        arguments.extend(["--snapshots", &pictures, "--report", &report]);
        Program::start("videochat", &arguments)
    };
    let mut ada = side("ada", &["listen", "localhost:0", "--sound"]);
    let [port, sound] = ada.ports_of(["Listening at ", "Sound at "]);
    let sound = sound.to_string();
    let mut bob = side(
        "bob",
        &["connect", &format!("localhost:{port}"), "--sound", &sound],
    );
    for side in [&ada, &bob] {
        side.line_that("how far sound is from the picture", |line| {
            line.contains(" delay ") && line.ends_with(" apart")
        });
    }
    ada.press_ctrl_c();
    assert!(ada.end().success());
    assert!(bob.end().success());
    for name in ["ada", "bob"] {
        let report = fs::read_to_string(folder.path(&format!("{name}.report"))).unwrap();
        let figure = |key: &str| {
            report
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        };
        let frames: u64 = figure("frames_received").unwrap().parse().unwrap();
        assert!(frames >= 10, "{name}: {report}");
        for key in ["delay_median_ms", "sound_apart_median_ms"] {
            assert!(figure(key).is_some(), "{name}: {report}");
        }
        assert!(
            fs::exists(folder.path(&format!("{name}/peer-00000.png"))).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn video_chats_take_turns() {
    let folder = Scratch::new("turns");
    let side = |call: &[&str]| {
        let pictures = folder.path("pictures");
        Program::start(
            "videochat",
            &[
                call,
                &[
                    "--test-picture",
                    "bars",
                    "--lockstep",
                    "--snapshots",
                    &pictures,
                ],
            ]
            .concat(),
        )
    };
    let mut ada = side(&["listen", "localhost:0"]);
    let mut bob = side(&[
        "connect",
        &format!("localhost:{}", ada.port()),
        "--duration",
        "1",
    ]);
    bob.line("1.");
    assert!(bob.end().success());
    assert!(ada.end().success());
}

#[test]
fn ctrl_c_ends_both_sides_of_a_chat() {
    let folder = Scratch::new("ctrl-c");
    let pictures = folder.path("pictures");
    let side = |call: &[&str]| {
        Program::start(
            "videochat",
            &[call, &["--test-picture", "ball", "--snapshots", &pictures]].concat(),
        )
    };
    let mut ada = side(&["listen", "localhost:0"]);
    let mut bob = side(&["connect", &format!("localhost:{}", ada.port())]);
    ada.line("Connected to ");
    bob.line("Connected to ");
    bob.press_ctrl_c();
    assert!(bob.end().success());
    assert!(ada.end().success());
}

#[test]
fn ctrl_c_ends_the_wait_for_a_call() {
    let folder = Scratch::new("wait");
    let mut ada = Program::start(
        "videochat",
        &[
            "listen",
            "localhost:0",
            "--snapshots",
            &folder.path("pictures"),
        ],
    );
    ada.port();
    ada.press_ctrl_c();
    assert!(ada.end().success());
}

#[test]
fn a_port_in_use_is_an_error_at_once() {
    let folder = Scratch::new("in-use");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut ada = Program::start(
        "videochat",
        &["listen", &address, "--snapshots", &folder.path("pictures")],
    );
    assert_eq!(ada.end().code(), Some(1));
}

#[test]
fn a_wrong_film_or_camera_is_an_error_before_anybody_calls() {
    let folder = Scratch::new("wrong");
    let pictures = folder.path("pictures");
    let no_film = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for (picture, words) in [
        (["--file", "nowhere.mp4"], "nowhere.mp4: No such file"),
        (["--file", no_film], "Cargo.toml cannot be shown: "),
        (["--camera", "/dev/nowhere"], "/dev/nowhere"),
    ] {
        let mut arguments = vec!["listen", "localhost:0", "--snapshots", &pictures];
        arguments.extend(picture);
        let said = Program::fail("videochat", &arguments);
        assert!(said.starts_with("videochat: "), "{said}");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_chat_is_encrypted_and_takes_only_who_may_come() {
    let folder = Scratch::new("tls");
    let certificates = folder.certificates();
    let pictures = folder.path("pictures");
    let file = |name: &str| format!("{certificates}/{name}.pem");
    let side = |words: &str, name: &str, others: &[&str]| {
        let (certificate, key) = (file(name), file(&format!("{name}-key")));
        let mut arguments: Vec<_> = words.split(' ').collect();
        arguments.extend(["--test-picture", "ball", "--snapshots", &pictures]);
        arguments.extend(["--certificate", &certificate, "--key", &key]);
        Program::start("videochat", &[&arguments, others].concat())
    };
    let authority = file("authority");
    let listen = "listen videosockets://localhost:0 --duration 1";
    let mut ada = side(listen, "server", &["--client-ca", &authority]);
    let connect = format!("connect videosockets://localhost:{}", ada.port());
    let mut bob = side(&connect, "client", &["--ca", &authority]);
    bob.line("Connected to ");
    assert!(bob.end().success());
    assert!(ada.end().success());
}

#[test]
fn what_the_peer_types_and_clicks_is_said() {
    let folder = Scratch::new("pointer");
    let pictures = folder.path("pictures");
    let ada = Program::start(
        "videochat",
        &[
            "listen",
            "localhost:0",
            "--pointer",
            "--test-picture",
            "bars",
            "--snapshots",
            &pictures,
        ],
    );
    let viewer = Viewer::connect(ada.port());
    viewer.points(
        gst::Structure::builder("application/x-gst-navigation")
            .field("event", "key-press")
            .field("key", "Left")
            .build(),
    );
    ada.line("The peer types Left");
    viewer.points(
        gst::Structure::builder("application/x-gst-navigation")
            .field("event", "mouse-button-press")
            .field("button", 1)
            .field("pointer_x", 120.0)
            .field("pointer_y", 45.0)
            .build(),
    );
    ada.line("The peer clicks at 120,45");
}

/// A pipeline at the other end, which has had a picture.
struct Viewer(gst::Pipeline);

impl Viewer {
    fn connect(port: u16) -> Self {
        gst::init().expect("GStreamer starts");
        gstvideosocket::plugin_register_static().expect("the elements register");
        let words = format!(
            "videosocketsrc name=source port={port} metadata=request ! appsink name=pictures sync=false"
        );
        let pipeline = gst::parse::launch(&words).expect("a pipeline");
        let viewer = Self(
            pipeline
                .downcast()
                .expect("several elements make a pipeline"),
        );
        viewer.0.set_state(gst::State::Playing).expect("it starts");
        let pictures = viewer.0.by_name("pictures").expect("an appsink");
        let pictures = pictures.downcast::<gst_app::AppSink>().expect("an appsink");
        pictures.pull_sample().expect("a picture");
        viewer
    }

    fn points(&self, what: gst::Structure) {
        let source = self.0.by_name("source").expect("a source");
        let event = gst::event::Navigation::new(what);
        let pad = source.static_pad("src").expect("its pad");
        let deadline = Instant::now() + PATIENCE;
        // Of what comes at once the source passes on the first.
        while !pad.send_event(event.clone()) {
            assert!(Instant::now() < deadline, "the source does not take it");
            thread::yield_now();
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}
