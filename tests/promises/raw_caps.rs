// SPDX-License-Identifier: MPL-2.0
//! Raw frames need caps, and all of them.

use crate::support::*;

#[test]
fn raw_caps_that_leave_something_open_are_refused_at_start() {
    for (caps, says) in [
        ("video/x-raw", "format, width, height"),
        ("video/x-raw,format=I420", "width, height"),
        ("video/x-raw,format=I420,width=640,framerate=30/1", "height"),
        (
            "video/x-raw,format=I420,width=640,height=[1,480]",
            "several values of height",
        ),
        (
            "video/x-raw,format=I240,width=640,height=480",
            "no video/x-raw has",
        ),
        (
            "video/x-raw,format=I420,width=640,height=480;image/jpeg",
            "they are several",
        ),
        ("audio/x-raw", "format, layout, rate, channels"),
        ("audio/x-raw,format=S16LE,rate=48000", "layout, channels"),
        (
            "audio/x-raw,format=S16,layout=interleaved,rate=48000,channels=1",
            "no audio/x-raw has",
        ),
    ] {
        let example = format!("caps={}/x-raw,format=", &caps[..5]);
        let source = Receiver::new(&format!("mode=listen port=0 caps=\"{caps}\""));
        let error = source.expect_refusal().from(&source.source);
        error.is(gst::ResourceError::Settings).says(&[
            caps.split([',', ';']).next().unwrap_or(caps),
            says,
            &example,
        ]);
        source.stop();
        assert!(source.unread_errors(&source.source).is_empty());
    }
}

#[test]
fn caps_that_leave_nothing_open_are_those_of_the_frames() {
    for caps in [
        "video/x-raw,format=I420,width=640,height=480",
        "video/x-raw(memory:SystemMemory),format=GRAY8,width=8,height=1,framerate=30/1",
        "audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=1",
        "image/jpeg",
    ] {
        let source = Receiver::playing(&format!("mode=listen port=0 caps=\"{caps}\""));
        Peer::connect(source.port()).send_frame(&[0; 640 * 480 * 3 / 2]);
        let found = source.sample().caps_owned().expect("caps");
        let caps: gst::Caps = caps.parse().expect("caps");
        assert!(found.is_subset(&caps), "{found} are {caps}");
    }
}
