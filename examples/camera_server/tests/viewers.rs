// SPDX-License-Identifier: MPL-2.0
//! Viewers that are plain TCP programs.

use std::fs;
use std::thread;

use super::support::{Program, Scratch};
use super::viewer::Viewer;

#[test]
fn a_viewer_that_stalls_loses_pictures_and_the_other_none() {
    let words = "--host localhost --port 0 --size 1280x720 --max-delay 1 --timeout 60";
    let mut server = Program::start("camera_server", &words.split(' ').collect::<Vec<_>>());
    let port = server.port();
    let stalled = Viewer::connect(port, Some(4096));
    let steady = Viewer::connect(port, None);
    let (stalled_row, steady_row) = (stalled.row(), steady.row());
    let pictures = thread::spawn(move || steady.receive_until_end());

    let loses_none = |line: &str| line.contains(" 0 dropped");
    server.line_that("the viewer that stalls loses pictures", |line| {
        line.starts_with(&stalled_row) && !loses_none(line)
    });
    let line = server.line(&steady_row);
    assert!(loses_none(&line), "{line}");
    server.press_ctrl_c();
    assert!(server.end().success());
    let pictures = pictures.join().unwrap();
    assert!(pictures.len() >= 10, "{} pictures", pictures.len());
    for picture in pictures {
        assert!(picture.starts_with(b"\xff\xd8"));
    }
}

#[test]
fn viewers_are_served_by_tls() {
    let folder = Scratch::new("tls");
    let certificates = folder.certificates();
    let file = |name: &str| format!("{certificates}/{name}.pem");
    let (certificate, key, authority) = (file("server"), file("server-key"), file("authority"));
    let files = ["--certificate", &certificate, "--key", &key];
    let words = [&["videosockets://localhost:0"][..], &files].concat();
    let mut server = Program::start("camera_server", &words);
    let uri = format!("videosockets://localhost:{}", server.port());
    let pictures = folder.path("pictures");
    let mut receiver = Program::start("receive", &[&uri, "--ca", &authority, "--save", &pictures]);
    server.line_that("a viewer has had pictures", |line| {
        line.contains(" connected ") && !line.contains(" 0 frames")
    });
    server.press_ctrl_c();
    assert!(server.end().success());
    assert!(receiver.end().success());
    let first = fs::read(folder.path("pictures/frame-000001.jpg")).expect("a picture");
    assert!(first.starts_with(b"\xff\xd8"));
}

#[test]
fn a_page_that_would_show_what_is_encrypted_is_refused() {
    let said = Program::fail("camera_server", &["--tls", "--web", "0", "--port", "0"]);
    assert!(said.contains("--web goes without TLS"), "{said}");
}
