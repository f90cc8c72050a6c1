// SPDX-License-Identifier: MPL-2.0
//! Decoder settings in the caps stay behind: whoever streams without them is told how to take them along.

use crate::support::*;

fn caps(text: &str) -> gst::Caps {
    init();
    text.parse().expect("caps")
}

fn sink(caps: &gst::Caps) -> Sender {
    let sink = Sender::new("mode=listen port=0 metadata=off");
    sink.start_with_caps(caps);
    sink
}

#[test]
fn decoder_settings_in_the_caps_are_warned_of_with_a_cure() {
    for (form, cure) in [
        (
            "video/x-h264,stream-format=avc,alignment=au",
            "h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au",
        ),
        (
            "video/x-h264,stream-format=avc3,alignment=au",
            "stream-format=byte-stream",
        ),
        (
            "video/x-h265,stream-format=hvc1,alignment=au",
            "h265parse config-interval=-1 ! video/x-h265,stream-format=byte-stream,alignment=au",
        ),
        (
            "video/x-h265,stream-format=hev1,alignment=au",
            "stream-format=byte-stream",
        ),
        (
            "audio/mpeg,mpegversion=4,stream-format=raw",
            "aacparse ! audio/mpeg,stream-format=adts",
        ),
        ("video/x-av1", "av1parse ! video/x-av1"),
        ("video/x-codec", "from elsewhere"),
    ] {
        let sink = sink(&caps(&format!("{form},codec_data=(buffer)0142c01e")));
        let warning = sink.expect_warning().from(&sink.sink);
        warning
            .is(gst::StreamError::Format)
            .says(&["codec_data", cure]);
        sink.expect_no_warning();
    }
}

#[test]
fn each_change_of_the_caps_is_warned_of_once() {
    let [first, second] = [320, 640].map(|width| {
        caps(&format!(
            "video/x-h264,stream-format=avc,width={width},codec_data=(buffer)0142c01e"
        ))
    });
    let sink = sink(&first);
    sink.expect_warning();
    sink.change_caps(&first);
    sink.expect_no_warning();
    sink.change_caps(&second);
    sink.expect_warning();
    sink.expect_no_warning();
}

#[test]
fn what_decodes_as_it_is_is_not_warned_of() {
    for form in [
        "image/jpeg",
        "video/x-h264,stream-format=byte-stream,alignment=au",
        "video/x-av1,stream-format=obu-stream,alignment=tu,codec_data=(buffer)81000c00",
    ] {
        sink(&caps(form)).expect_no_warning();
    }
}

#[test]
fn the_cures_cure() {
    for (encoder, cure) in [
        (
            "videotestsrc num-buffers=2 ! x264enc ! h264parse ! video/x-h264,stream-format=avc",
            "h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au",
        ),
        (
            "audiotestsrc num-buffers=9 ! audioconvert ! avenc_aac ! audio/mpeg,stream-format=raw",
            "aacparse ! audio/mpeg,stream-format=adts",
        ),
    ] {
        let sink =
            "videosocketsink name=sink mode=listen port=0 wait-for-connection=false metadata=off";
        let stream = Pipeline::launch(&format!("{encoder} ! {sink}"));
        stream.play();
        stream.expect_warning().says(&[cure]);
        let stream = Pipeline::launch(&format!("{encoder} ! {cure} ! {sink}"));
        stream.play();
        stream.expect_eos();
        stream.expect_no_warning();
    }
}

#[test]
fn only_a_client_that_is_not_told_of_them_lacks_them() {
    let caps = caps("video/x-h264,stream-format=avc,alignment=au,codec_data=(buffer)0142c01e");
    let sink = Sender::new("mode=listen port=0");
    sink.start_with_caps(&caps);
    let told = Receiver::playing(&format!("port={} metadata=request", sink.port()));
    told.await_caps();
    sink.expect_no_warning();
    let _plain = Peer::connect(sink.port());
    sink.expect_warning()
        .says(&["codec_data", "metadata=request"]);
}
