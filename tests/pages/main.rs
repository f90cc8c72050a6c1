// SPDX-License-Identifier: MPL-2.0
//! What the pages show is taken from them and done as their readers do it: pipelines and programs run, whichever
//! side starts first; pictures arrive, and nobody warns of anything.

mod crates;
mod document;
mod opencv;
mod program;
mod properties;
mod quotes;
mod sentences;
mod stage;
#[allow(
    dead_code,
    unused_imports,
    reason = "the helpers serve the other tests too"
)]
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use document::{Block, ROOT, blocks};
use stage::*;

const README: &str = "README.md";
const SECURITY: &str = "SECURITY.md";
const CONTRIBUTING: &str = "CONTRIBUTING.md";
const GUIDE: &str = "docs/GUIDE.md";
const PROTOCOL: &str = "docs/PROTOCOL.md";
const PYTHON: &str = "examples/python/README.md";

/// Of which page, how it begins, and what runs it.
const RUN_BY: &[(&str, &str, &str)] = &[
    (README, "apt-get update", ".github/workflows/ci.yml"),
    (README, "make demo", ".ci/run"),
    (CONTRIBUTING, "cargo test --lib fanout", ".ci/run"),
    (
        GUIDE,
        "cargo run --release --example videochat -- listen",
        "examples/tests/chat.rs",
    ),
    (
        GUIDE,
        "cargo run --release --example videochat -- connect",
        "examples/tests/chat.rs",
    ),
    (
        GUIDE,
        "$ cargo run --release --example camera_server",
        "examples/camera_server/tests/viewers.rs",
    ),
    (
        GUIDE,
        "cargo run --release --example camera_server -- --web",
        "tests/browser",
    ),
    (GUIDE, "cargo cinstall", "scripts/test-cinstall.sh"),
    (
        PROTOCOL,
        "gst-launch-1.0 videotestsrc ! jpegenc ! \\",
        "tests/headers/recipes.rs",
    ),
    (
        PROTOCOL,
        "gst-launch-1.0 videosocketsrc mode=listen connection-id=a",
        "tests/headers/recipes.rs",
    ),
    (PYTHON, "pip install", "examples/python/test_package.py"),
];

/// The same, and what it wants that a test has not, or shows that is no command.
const NOT_RUN: &[(&str, &str, &str)] = &[
    (README, "00000005hello", "shows what goes over the wire"),
    (GUIDE, "! rtspclientsink", "wants an RTSP server"),
    (GUIDE, "[rtmp]", "wants xiu"),
    (GUIDE, "! flvmux", "wants an RTMP server"),
    (GUIDE, "! whipclientsink", "wants a WHIP server"),
    (GUIDE, "! rtph264pay", "wants a WHIP server"),
    ("docs/ARCHITECTURE.md", "flowchart TB", "shows the drawing"),
    (PROTOCOL, "frame   = header payload", "shows the form"),
    (PROTOCOL, "|          header", "shows bytes"),
    (PROTOCOL, "who connects  ", "shows turns"),
    (PROTOCOL, "| length-offset |", "shows the form"),
    (
        PROTOCOL,
        "record  = letter length payload",
        "shows the form",
    ),
    (PROTOCOL, "42 30303030303336  0007", "shows bytes"),
    (PROTOCOL, "3030303030303035  68656c6c6f", "shows bytes"),
    (
        PROTOCOL,
        "48 30303030303134 766964656f736f636b65742031 0a",
        "shows bytes",
    ),
    (PROTOCOL, "H  K I C S T X", "shows the order"),
    (PROTOCOL, "base time + pts + latency", "shows a sum"),
    (
        PROTOCOL,
        "base time + pts + (time since 1970",
        "shows a sum",
    ),
    (
        PROTOCOL,
        "55 30303030303038 6b65796672616d65",
        "shows bytes",
    ),
    (PROTOCOL, "H0000014videosocket 1", "shows bytes"),
    (PROTOCOL, "#include <WiFi.h>", "wants a microcontroller"),
];

/// Tables and programs by the language of their fence, and what reads or runs them.
const READ: &[(&str, &str, &str)] = &[
    (PROTOCOL, "metas", "src/metadata/tests/page.rs"),
    (PROTOCOL, "texts", "tests/text.rs"),
    (PROTOCOL, "records", "tests/wire.rs"),
    (PROTOCOL, "streams", "tests/wire.rs"),
    (PROTOCOL, "capture", "tests/wire.rs"),
    (PROTOCOL, "vectors", "tests/wire.rs"),
    (PROTOCOL, "python", "examples/python/test_protocol.py"),
    (PROTOCOL, "c", "examples/python/test_protocol.py"),
];

macro_rules! shown {
    ($($test:ident, $page:ident, $title:literal => $run:expr;)*) => {
        /// On which page and under which words there is something that a test runs.
        const RUN: &[(&str, &str)] = &[$(($page, $title)),*];

        $(#[test]
        fn $test() {
            ($run)(commands($page, $title));
        })*
    };
}

shown! {
    a_camera_as_jpeg, README, "A camera as JPEG" => |[viewer, camera, picture]: [String; 3]| {
        both_orders(&viewer, &camera);
        both_orders(&viewer, &picture);
    };
    a_video_chat, README, "Video chat" => |[ada, bob]: [String; 2]| both_orders(&ada, &bob);
    h264_to_viewers, README, "H.264 to any number of viewers" => |[camera, viewer]: [String; 2]| {
        both_orders(&camera, &viewer);
        survives_the_camera(&camera, &viewer);
    };
    raw_video, README, "Raw video" => |[viewer, camera]: [String; 2]| both_orders(&viewer, &camera);
    a_python_program, README, "A Python program on the other end" => |[camera, viewer]: [String; 2]| {
        let stage = Stage::new();
        let camera = stage.start(&camera);
        camera.has_started();
        let viewer = stage.start(&viewer);
        viewer.shows(PICTURES);
        camera.press_ctrl_c();
        camera.ends();
        viewer.ends();
    };
    opencv_by_gstreamer, README, "OpenCV" => |[reader]: [String; 1]| {
        let [writer] = commands(GUIDE, "OpenCV");
        if opencv::is_there() {
            opencv::read_and_write(&reader, &writer);
        }
    };
    opencv_writes, GUIDE, "OpenCV" => |[_]: [String; 1]| ();
    the_original_chat, GUIDE, "Programs that take turns" => |[pipeline, program]: [String; 2]| {
        take_turns(&pipeline, &program);
    };
    relays, GUIDE, "A relay" => |[jpeg, h264]: [String; 2]| {
        let [camera, viewer] = commands(README, "A Python program on the other end");
        relay(&camera, &jpeg, &viewer);
        let [camera, viewer] = commands(README, "H.264 to any number of viewers");
        relay(&camera, &h264, &viewer);
    };
    hls, GUIDE, "Media servers" => |[list]: [String; 1]| {
        let [camera, _] = commands(README, "H.264 to any number of viewers");
        make_list(&camera, &list);
    };
    audio, GUIDE, "Audio and video" => |[microphone, speaker, camera, viewer]: [String; 4]| {
        both_orders(&microphone, &speaker);
        both_orders(&camera, &viewer);
    };
    audio_and_video, GUIDE, "Both at once" => |[camera, viewer]: [String; 2]| both_orders(&camera, &viewer);
    encrypted, GUIDE, "TLS" => |[certificates, camera, viewer]: [String; 3]| {
        std::thread::scope(|scope| {
            scope.spawn(|| meet_with_files(&[&certificates], &camera, &viewer));
            scope.spawn(|| meet_with_files(&[&certificates], &viewer, &camera));
        });
    };
    for_strangers, SECURITY, "A listener that strangers can reach" => |[camera]: [String; 1]| {
        let [certificates, _, viewer] = commands(GUIDE, "TLS");
        let names = "cd certificates && cp server.pem ../chain.pem && cp server-key.pem ../key.pem \
                     && cp authority.pem ../viewers.pem";
        meet_with_files(&[&certificates, names], &camera, &viewer);
    };
    read_by_openssl, PROTOCOL, "Encrypted connections" => |[program]: [String; 1]| {
        let [certificates, camera, _] = commands::<3>(GUIDE, "TLS");
        let (camera, _) = camera.split_once("tls-client-ca-file=").expect("the last property");
        let stage = Stage::new();
        stage.run(&certificates);
        let camera = stage.start(camera.trim_end_matches([' ', '\\', '\n']));
        camera.has_started();
        stage.reads_a_picture(&program);
        camera.kill();
    };
    turns, PROTOCOL, "Both directions, and taking turns" => |[pipeline]: [String; 1]| {
        let [_, program] = commands(GUIDE, "Programs that take turns");
        take_turns(&pipeline, &program);
    };
    python_asks_what_frames_are, PYTHON, "videosocket for Python" => |[talk, receive, send]: [String; 3]| {
        python_sends_and_receives(&talk);
        let [camera] = pipelines(PYTHON, "videosocketsink");
        meet(&camera, &receive);
        let [viewer] = pipelines(PYTHON, "videosocketsrc");
        let stage = Stage::new();
        let viewer = stage.start(&viewer);
        viewer.has_started();
        let program = stage.start(&send);
        program.ends();
        viewer.shows(PICTURES);
        viewer.ends();
    };
    counterparts, PROTOCOL, "Programs" => |[camera, viewer]: [String; 2]| {
        let stage = Stage::new();
        let viewer = stage.start(&viewer);
        let camera = stage.start(&camera);
        camera.ends();
        viewer.shows(PICTURES);
        viewer.ends();
    };
}

#[test]
fn every_block_is_run_or_named() {
    let blocks = blocks();
    for block in &blocks {
        let is_shown = RUN.contains(&(&block.page, &block.title)) && !block.text.starts_with("! ");
        let names = named()
            .filter(|(page, start, _)| begins(block, page, start))
            .count();
        let reads = READ
            .iter()
            .filter(|(page, language, _)| is_read(block, page, language))
            .count();
        let ways = usize::from(is_shown && names + reads == 0) + names + reads;
        assert_eq!(ways, 1, "{block:#?}");
    }
    for (page, start, _) in named() {
        assert!(
            blocks.iter().any(|block| begins(block, page, start)),
            "{page}: {start}"
        );
    }
    for (page, language, _) in READ {
        assert!(
            blocks.iter().any(|block| is_read(block, page, language)),
            "{page}: {language}"
        );
    }
}

#[test]
fn what_runs_the_others_is_there() {
    for (_, _, file) in RUN_BY.iter().chain(READ) {
        assert!(Path::new(ROOT).join(file).exists(), "{file}");
    }
}

/// What is shown under these words of a page and run here, which is to be as many commands as the caller knows.
#[track_caller]
fn commands<const COUNT: usize>(page: &str, title: &str) -> [String; COUNT] {
    let blocks = blocks();
    let is_named = |block: &Block| named().any(|(page, start, _)| begins(block, page, start));
    let found = blocks
        .iter()
        .filter(|block| block.page == page && block.title == title && !is_named(block));
    let commands: Vec<_> = found.flat_map(Block::commands).collect();
    commands.try_into().unwrap_or_else(|commands| {
        panic!("{COUNT} commands under {title} of {page}, not {commands:#?}")
    })
}

/// Those that stand in a sentence of the page, with this element.
fn pipelines<const COUNT: usize>(page: &str, element: &str) -> [String; COUNT] {
    let page = document::page(page);
    let code = page.inline_code().into_iter();
    let found = code.filter(|code| code.starts_with("gst-launch-1.0 ") && code.contains(element));
    let found: Vec<_> = found.map(str::to_owned).collect();
    found
        .try_into()
        .expect("as many pipelines as the caller knows")
}

fn named() -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str)> {
    RUN_BY.iter().chain(NOT_RUN)
}

fn begins(block: &Block, page: &str, start: &str) -> bool {
    block.page == page && block.text.starts_with(start)
}

fn is_read(block: &Block, page: &str, language: &str) -> bool {
    block.page == page && block.language == language
}
