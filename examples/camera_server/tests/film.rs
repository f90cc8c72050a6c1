// SPDX-License-Identifier: MPL-2.0
//! Films.

use std::process::Command;

use super::page::{Page, WebSocket};
use super::support::{END_AT_CRITICALS, Program, Scratch};
use super::viewer::Viewer;

const FILM_LENGTH: usize = 10;

#[test]
fn a_film_begins_with_the_first_viewer_and_ends_the_server() {
    let folder = Scratch::new("film");
    let mut server = serve_film(&folder, &["--codec", "h264"]);
    let pictures = Viewer::connect(server.port(), None).receive_until_end();
    assert_eq!(pictures.len(), FILM_LENGTH);
    let sequence_parameters = [0, 0, 0, 1, 0x67];
    let mut beginning = pictures[0].windows(sequence_parameters.len());
    assert!(beginning.any(|bytes| bytes == sequence_parameters));
    assert!(server.end().success());
}

#[test]
fn a_film_begins_with_the_first_browser_too() {
    let folder = Scratch::new("film-browser");
    let mut server = serve_film(&folder, &["--web", "0"]);
    let socket = Page::of(&server).open_stream(None);
    let messages = std::iter::from_fn(|| Some(socket.receive()));
    let kinds: Vec<_> = messages
        .map(|(kind, _)| kind)
        .take_while(|kind| *kind != WebSocket::CLOSE)
        .filter(|kind| *kind == WebSocket::BINARY)
        .collect();
    assert_eq!(kinds.len(), FILM_LENGTH);
    assert!(server.end().success());
}

#[test]
fn a_film_can_begin_again_and_again() {
    let folder = Scratch::new("loop");
    let mut server = serve_film(&folder, &["--loop"]);
    let viewer = Viewer::connect(server.port(), None);
    for _ in 0..3 * FILM_LENGTH {
        assert!(viewer.receive().is_some());
    }
    server.press_ctrl_c();
    viewer.receive_until_end();
    assert!(server.end().success());
}

#[test]
fn a_wrong_film_or_camera_is_an_error_at_once() {
    let no_film = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for (picture, words) in [
        (["--film", "nowhere.mp4"], "nowhere.mp4: No such file"),
        (["--film", no_film], "Cargo.toml cannot be shown: "),
        (["--camera", "/dev/nowhere"], "/dev/nowhere"),
    ] {
        let said = Program::fail("camera_server", &[&["--port", "0"][..], &picture].concat());
        assert!(said.starts_with("camera_server: "), "{said}");
        assert!(said.contains(words), "{said}");
    }
}

fn serve_film(folder: &Scratch, options: &[&str]) -> Program {
    let film = folder.path("film.avi");
    let status = Command::new("gst-launch-1.0")
        .args(["-q", "videotestsrc", &format!("num-buffers={FILM_LENGTH}")])
        .args("! jpegenc ! avimux ! filesink".split(' '))
        .arg(format!("location={film}"))
        .envs(END_AT_CRITICALS)
        .status();
    assert!(status.unwrap().success());
    let arguments = ["--host", "localhost", "--port", "0", "--film", &film];
    Program::start("camera_server", &[&arguments, options].concat())
}
