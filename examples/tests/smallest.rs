// SPDX-License-Identifier: MPL-2.0
//! `send` and `receive`, with plain sockets at the other end.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use super::support::{Program, Scratch};

#[test]
fn send_sends_frames_that_are_jpeg() {
    let (listener, uri) = listen();
    let mut program = Program::start("send", &[&uri, "--frames", "10"]);
    let mut bytes = Vec::new();
    listener
        .accept()
        .unwrap()
        .0
        .read_to_end(&mut bytes)
        .unwrap();
    assert!(program.end().success());
    let mut rest = &bytes[..];
    for _ in 0..10 {
        let (header, stream) = rest.split_at(8);
        let length: usize = std::str::from_utf8(header).unwrap().parse().unwrap();
        assert!(stream.starts_with(b"\xff\xd8"));
        rest = &stream[length..];
    }
    assert!(rest.is_empty());
}

#[test]
fn receive_saves_each_frame_as_it_came() {
    let folder = Scratch::new("receive");
    let (listener, uri) = listen();
    let mut program = Program::start("receive", &[&uri, "--save", &folder.path("frames")]);
    listener
        .accept()
        .unwrap()
        .0
        .write_all(b"00000005hello0000000000000003you")
        .unwrap();
    assert!(program.end().success());
    for (name, frame) in [("000001", "hello"), ("000002", ""), ("000003", "you")] {
        let saved = fs::read_to_string(folder.path(&format!("frames/frame-{name}.jpg")));
        assert_eq!(saved.unwrap(), frame);
    }
}

#[test]
fn receive_tells_what_is_wrong_and_fails() {
    let (listener, uri) = listen();
    let mut program = Program::start("receive", &[&uri]);
    listener
        .accept()
        .unwrap()
        .0
        .write_all(b"00000005hell")
        .unwrap();
    assert_eq!(program.end().code(), Some(1));
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("videosocket://{}", listener.local_addr().unwrap());
    (listener, uri)
}
