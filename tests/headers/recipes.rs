// SPDX-License-Identifier: MPL-2.0
//! The pipelines of the section on headers, as the page has them but for the ports and the window.

use super::support::*;
use std::fs;

const JPEG_START: [u8; 3] = [0xff, 0xd8, 0xff];

/// The pipeline under this heading in which the word stands.
fn pipeline(heading: &str, word: &str) -> String {
    let page = include_str!("../../docs/PROTOCOL.md");
    let (_, section) = page
        .split_once(&format!("\n### {heading}\n"))
        .expect("the section");
    let (section, _) = section.split_once("\n## ").expect("the next section");
    let text = section.replace("\\\n", "");
    let mut commands = text
        .lines()
        .filter_map(|line| line.strip_prefix("    gst-launch-1.0 "));
    let command = commands.find(|command| command.contains(word));
    command.expect("a pipeline with the word").to_owned()
}

/// As a camera would have taken it.
fn picture() -> Vec<u8> {
    let camera = Pipeline::launch(
        "videotestsrc name=source num-buffers=1 ! jpegenc ! appsink name=output sync=false",
    );
    let camera = Receiver::of(camera);
    camera.play();
    camera.frame()
}

#[test]
fn a_greeting_comes_before_the_first_picture() {
    let listener = Listener::new();
    let camera = pipeline("Greetings and acknowledgements", "capssetter")
        .replace("videotestsrc", "videotestsrc num-buffers=3")
        .replace(
            "videosocketsink",
            &format!(
                "videosocketsink sync=false host=127.0.0.1 port={}",
                listener.port()
            ),
        );
    let camera = Pipeline::launch(&camera);
    camera.play();
    let frames = listener.accept().receive_until_end();
    assert_eq!(frames.len(), 4);
    assert_eq!(frames[0], b"SEND");
    for picture in &frames[1..] {
        assert!(picture.starts_with(&JPEG_START));
    }
    camera.expect_eos();
}

#[test]
fn each_picture_is_acknowledged_once() {
    let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/acknowledgements");
    fs::create_dir_all(folder).expect("a folder");
    let file = format!("{folder}/ack.txt");
    fs::write(&file, "OK").expect("a file");
    let viewer = pipeline("Greetings and acknowledgements", "multifilesrc")
        .replace("ack.txt", &file)
        .replace("mode=listen", "mode=listen host=127.0.0.1 port=0")
        .replace("videosocketsrc", "videosocketsrc name=source")
        .replace("autovideosink", "fakevideosink sync=false");
    let viewer = Pipeline::launch(&viewer);
    viewer.play();
    let port = number(&viewer.element("source"), "current-port");
    let peer = Peer::connect(port.try_into().expect("a port"));
    let picture = picture();
    for _ in 0..10 {
        peer.send_frame(&picture);
        assert_eq!(peer.receive_frame(), b"OK");
    }
    peer.send_frame(&picture);
    peer.send_frame(&picture);
    assert_eq!(peer.receive_frames(2), [b"OK", b"OK"]);
    viewer.stop();
    peer.expect_end();
}

/// The elements in the table about what is around the frames: those that stand in the row with the word, with what
/// their shell puts in.
fn properties(word: &str, element: &str) -> String {
    let page = include_str!("../../docs/PROTOCOL.md");
    let (_, section) = page
        .split_once("\n### Before the first frame, and behind the last\n")
        .expect("the section");
    let row = section.lines().find(|line| line.contains(word));
    let row = row.expect("a row with the word");
    let (_, properties) = row
        .split_once(&format!("| `{element} "))
        .expect("the element");
    let properties = properties.split('`').next().expect("its properties");
    match properties.split_once("$(printf %0") {
        Some((before, format)) => {
            let (digits, after) = format.split_once("d 0)").expect("a number of zeros");
            let digits = digits.parse().expect("a number");
            format!("{before}{}{after}", "0".repeat(digits))
        }
        None => properties.to_owned(),
    }
}

#[test]
fn what_android_screens_send_before_the_first_picture() {
    let name = [&b"phone"[..], &[0; 59]].concat();
    let codec = b"h264\0\0\x04\x38\0\0\x09\x60";
    let banner = [&[1, 24, 7, 0, 0, 0][..], &[9; 16], &[0, 1]].concat();
    for (program, preamble, header) in [
        ("minicap", banner, &b"\x07\0\0\0"[..]),
        (
            "scrcpy",
            [b"\0", &name[..], codec].concat(),
            b"\xc0\0\0\0\0\0\0\x05\0\0\0\x07",
        ),
    ] {
        let listener = Listener::new();
        let port = listener.port();
        let source = properties(program, "videosocketsrc");
        let source = Receiver::playing(&format!("port={port} {source}"));
        let peer = listener.accept();
        peer.send(&[&preamble, header, b"picture", header, b"another"].concat());
        drop(peer);
        assert_eq!(source.rest(), [b"picture", b"another"], "{program}");
        source.expect_eos();
    }
}

#[test]
fn a_receiver_waits_for_a_line() {
    let sink = properties("READY", "videosocketsink");
    let sink = Sender::playing(&format!("mode=listen port=0 {sink}"));
    let peer = Peer::connect(sink.port());
    assert_eq!(peer.receive(6), b"READY\n");
    sink.push(b"picture");
    assert_eq!(peer.receive_frame(), b"picture");
}

#[test]
fn camera_scripts_and_their_receivers_end_with_a_length_of_0() {
    let sink = properties("its receiver", "videosocketsink");
    let sink = Sender::playing(&format!("mode=listen port=0 {sink}"));
    let source = properties("a camera script", "videosocketsrc");
    let source = Receiver::playing(&format!("mode=listen port=0 {source}"));
    let (camera, receiver) = (Peer::connect(source.port()), Peer::connect(sink.port()));
    let stream = b"\x07\0\0\0picture\0\0\0\0";
    camera.send(stream);
    assert_eq!(source.rest(), [b"picture"]);
    source.expect_eos();
    sink.push(b"picture");
    sink.end();
    assert_eq!(receiver.receive(stream.len()), stream);
    receiver.expect_end();
}

/// RTP over TCP, with GStreamer's own elements for it.
#[test]
fn rtp_streams() {
    const RTP: &str =
        "application/x-rtp,media=video,clock-rate=90000,encoding-name=JPEG,payload=26";
    const PICTURES: &str = "videotestsrc num-buffers=5 ! jpegenc ! rtpjpegpay";
    let port = ReservedPort::new();
    let viewer = Receiver::of(Pipeline::launch(&format!(
        "videosocketsrc name=source mode=listen host=127.0.0.1 port=0 length-format=u16be caps={RTP} \
         ! rtpjpegdepay ! appsink name=output sync=false"
    )));
    viewer.play();
    let camera = Pipeline::launch(&format!(
        "{PICTURES} ! rtpstreampay ! tcpclientsink sync=false host=127.0.0.1 port={}",
        viewer.port()
    ));
    camera.play();
    assert_pictures(&viewer);

    let camera = Pipeline::launch(&format!(
        "{PICTURES} ! videosocketsink sync=false mode=listen host=127.0.0.1 port={} length-format=u16be",
        port.number()
    ));
    camera.play();
    let viewer = Receiver::of(Pipeline::launch(&format!(
        "tcpclientsrc name=source host=127.0.0.1 port={} ! application/x-rtp-stream,{} ! rtpstreamdepay \
         ! rtpjpegdepay ! appsink name=output sync=false",
        port.number(),
        RTP.trim_start_matches("application/x-rtp,"),
    )));
    viewer.play();
    assert_pictures(&viewer);
}

#[track_caller]
fn assert_pictures(viewer: &Receiver) {
    for picture in viewer.frames(5) {
        assert!(picture.starts_with(&JPEG_START));
    }
}
