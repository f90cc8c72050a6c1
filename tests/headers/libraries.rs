// SPDX-License-Identifier: MPL-2.0
//! Libraries with a framing of their own, as themselves. One that is not installed is passed over; the table's
//! test has what it does in a few lines of Python.

use super::program::{LENGTHS, Program, pattern};
use super::support::*;
use std::process::{Command, Stdio};
use tokio_util::bytes::{Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder, LengthDelimitedCodec};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/headers");

/// Frames in both directions, with these properties.
#[track_caller]
fn meet(program: &Program, properties: &str, longest: usize) {
    let lengths = LENGTHS.into_iter().filter(|&len| len <= longest);
    let lengths: Vec<_> = lengths.collect();
    let frames: Vec<_> = lengths.iter().map(|&len| pattern(len)).collect();

    let source = Receiver::playing(&format!("mode=listen port=0 {properties}"));
    let sending = program.send(source.port(), &lengths);
    assert_frames(&source.rest(), &frames);
    source.expect_eos();
    sending.ends();

    let sink = Sender::playing(&format!("mode=listen port=0 {properties}"));
    let receiving = program.receive(sink.port());
    sink.push_all(&frames);
    sink.end();
    assert_eq!(receiving.received(), lengths);
}

fn file(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// Says so where a command fails that stands for what a test needs.
fn is_there(command: &str) -> bool {
    let mut shell = Command::new("sh");
    let status = shell.args(["-c", command]).stdout(Stdio::null()).status();
    let is_there = status.is_ok_and(|status| status.success());
    if !is_there {
        println!("skipped: not here: {command}");
    }
    is_there
}

#[test]
fn multiprocessing_connections() {
    let program = Program::new("python3", &[&file("peers.py"), "multiprocessing"]);
    meet(&program, "length-format=u32be", usize::MAX);
}

/// One that has the module. Debian's modules are Debian's Python's.
fn python_with(module: &str) -> Option<&'static str> {
    let mut pythons = ["python3", "/usr/bin/python3"].into_iter();
    pythons.find(|python| is_there(&format!("{python} -c 'import {module}' 2>&1")))
}

#[test]
fn qt_data_streams() {
    if let Some(python) = python_with("PyQt5.QtNetwork") {
        let program = Program::new(python, &[&file("peers.py"), "qt"]);
        meet(&program, "length-format=u32be", usize::MAX);
    }
}

#[test]
fn twisted_receivers() {
    let Some(python) = python_with("twisted") else {
        return;
    };
    for (receiver, format, longest) in [
        ("Int8StringReceiver", "u8", 255),
        ("Int16StringReceiver", "u16be", 65_535),
        ("Int32StringReceiver", "u32be", usize::MAX),
    ] {
        let program = Program::new(python, &[&file("peers.py"), receiver]);
        meet(&program, &format!("length-format={format}"), longest);
    }
}

#[test]
fn erlang_packets() {
    if !is_there("command -v escript") {
        return;
    }
    for (bytes, format, longest) in [
        ("1", "u8", 255),
        ("2", "u16be", 65_535),
        ("4", "u32be", usize::MAX),
    ] {
        let program = Program::new("escript", &[&file("peer.erl"), bytes]);
        meet(&program, &format!("length-format={format}"), longest);
    }
}

/// Netty, as Debian has it.
const JARS: &str = "/usr/share/java/netty-buffer.jar:/usr/share/java/netty-codec.jar:\
    /usr/share/java/netty-common.jar:/usr/share/java/netty-resolver.jar:/usr/share/java/netty-transport.jar";

/// Where the class is, compiled, and what it needs.
fn compiled(class: &str) -> String {
    let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/headers");
    let source = file(&format!("{class}.java"));
    let mut compiler = Command::new("javac");
    compiler.args(["-cp", JARS, "-d", folder, &source]);
    assert!(compiler.status().expect("javac").success());
    format!("{folder}:{JARS}")
}

#[test]
fn java_data_streams() {
    if is_there("command -v javac") {
        let program = Program::new("java", &["-cp", &compiled("Peer"), "Peer"]);
        meet(&program, "length-format=u32be", usize::MAX);
    }
}

#[test]
fn netty_codecs() {
    if !is_there("command -v javac && test -e /usr/share/java/netty-codec.jar") {
        return;
    }
    let class_path = compiled("NettyPeer");
    for (header, properties) in [
        ("plain", "length-format=u32be"),
        ("inclusive", "length-format=u32be length-adjustment=-4"),
        ("varint", "length-format=varint"),
    ] {
        let program = Program::new("java", &["-cp", &class_path, "NettyPeer", header]);
        meet(&program, properties, usize::MAX);
    }
}

#[test]
fn node_buffers() {
    if is_there("command -v node") {
        for (order, format) in [("BE", "u32be"), ("LE", "u32le")] {
            let program = Program::new("node", &[&file("peer.js"), order]);
            meet(&program, &format!("length-format={format}"), usize::MAX);
        }
    }
}

#[test]
fn tokio_codecs() {
    let codec = LengthDelimitedCodec::builder;
    for (codec, properties, longest) in [
        (
            LengthDelimitedCodec::new(),
            "length-format=u32be",
            usize::MAX,
        ),
        (
            codec().length_field_length(3).new_codec(),
            "length-format=u24be",
            usize::MAX,
        ),
        (
            codec()
                .little_endian()
                .length_field_offset(2)
                .length_field_length(2)
                .new_codec(),
            "length-format=u16le length-offset=2",
            65_535,
        ),
        (
            codec()
                .length_field_length(2)
                .length_adjustment(-2)
                .new_codec(),
            "length-format=u16be length-adjustment=-2",
            65_533,
        ),
    ] {
        meet_tokio(codec, properties, longest);
    }
}

#[track_caller]
fn meet_tokio(mut codec: LengthDelimitedCodec, properties: &str, longest: usize) {
    let lengths = LENGTHS.into_iter().filter(|&len| len <= longest);
    let frames: Vec<_> = lengths.map(pattern).collect();

    let sink = Sender::playing(&format!("mode=listen port=0 {properties}"));
    let peer = Peer::connect(sink.port());
    sink.push_all(&frames);
    sink.end();
    let mut received = BytesMut::new();
    let mut decoded = Vec::new();
    loop {
        while let Some(frame) = codec.decode(&mut received).expect("frames") {
            decoded.push(frame.to_vec());
        }
        match peer.receive_some() {
            end if end.is_empty() => break,
            bytes => received.extend_from_slice(&bytes),
        }
    }
    assert_frames(&decoded, &frames);
    assert!(received.is_empty());

    // A header with an offset its encoder writes without one.
    if properties.contains("length-offset") {
        return;
    }
    let source = Receiver::playing(&format!("mode=listen port=0 {properties}"));
    let peer = Peer::connect(source.port());
    for frame in &frames {
        let mut encoded = BytesMut::new();
        codec
            .encode(Bytes::from(frame.clone()), &mut encoded)
            .expect("a frame");
        peer.send(&encoded);
    }
    drop(peer);
    assert_frames(&source.rest(), &frames);
    source.expect_eos();
}
