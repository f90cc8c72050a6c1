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
