// SPDX-License-Identifier: MPL-2.0
//! A picture that comes in several frames, a NAL or an OBU each, is whole for who joins.

use super::Viewer;
use super::formats::comes_out_as_it_went_in;
use crate::support::*;
use gst::prelude::*;

struct Codec {
    /// From pictures to pieces, with a keyframe after five.
    encoder: &'static str,
    caps: &'static str,
    /// From pieces to pictures.
    decoder: &'static str,
}

const H264: Codec = Codec {
    encoder: "x264enc key-int-max=5 tune=zerolatency threads=2 ! h264parse",
    caps: "video/x-h264,stream-format=byte-stream,alignment=nal",
    decoder: "h264parse ! avdec_h264",
};

const H265: Codec = Codec {
    encoder: "x265enc key-int-max=5 ! h265parse",
    caps: "video/x-h265,stream-format=byte-stream,alignment=nal",
    decoder: "h265parse ! avdec_h265",
};

const AV1: Codec = Codec {
    // The first parser finds out the caps: the second would change them amid the first picture.
    encoder: "av1enc keyframe-max-dist=5 usage-profile=realtime cpu-used=8 ! av1parse ! video/x-av1,alignment=tu ! \
              av1parse",
    caps: "video/x-av1,alignment=obu",
    decoder: "av1parse ! av1dec",
};

#[test]
fn pieces_come_out_as_they_went_in() {
    for Codec { encoder, caps, .. } in [H264, H265, AV1] {
        comes_out_as_it_went_in(&format!(
            "videotestsrc num-buffers=10 timestamp-offset=1000000000 ! video/x-raw,width=160,height=120 ! \
             {encoder} ! {caps}"
        ));
    }
}

/// Five pictures, and five more from a keyframe on, each of several pieces, with their caps.
fn pictures(codec: &Codec) -> (gst::Caps, Vec<gst::Buffer>) {
    let Codec { encoder, caps, .. } = codec;
    let encoder = Pipeline::launch(&format!(
        "videotestsrc num-buffers=10 ! video/x-raw,format=I420,width=160,height=120 ! \
         {encoder} ! {caps} ! appsink name=output sync=false"
    ));
    let output = encoder.element("output").downcast::<gst_app::AppSink>();
    let output = output.unwrap();
    encoder.play();
    let samples: Vec<_> = std::iter::from_fn(|| output.pull_sample().ok()).collect();
    let caps = samples[0].caps_owned().unwrap();
    let pieces = samples.iter().map(|sample| sample.buffer_owned().unwrap());
    (caps, pieces.collect())
}

/// The number of the first piece of the picture that is the second keyframe.
fn second_keyframe(pieces: &[gst::Buffer]) -> usize {
    // Some versions of av1parse mark what shows nothing as well.
    let ends = |piece: &gst::Buffer| {
        let flags = piece.flags();
        flags.contains(gst::BufferFlags::MARKER) && !flags.contains(gst::BufferFlags::DECODE_ONLY)
    };
    let pictures = pieces.split_inclusive(ends);
    pictures.take(5).map(<[_]>::len).sum()
}

#[test]
fn who_joins_amid_pictures_decodes_the_first_keyframe_and_all_that_follow() {
    for codec in [H264, AV1] {
        decodes_from_a_keyframe_on(&codec);
    }
}

#[track_caller]
fn decodes_from_a_keyframe_on(codec: &Codec) {
    let (caps, pieces) = pictures(codec);
    let second = second_keyframe(&pieces);
    let is_delta = pieces[second]
        .flags()
        .contains(gst::BufferFlags::DELTA_UNIT);
    assert!(
        is_delta,
        "a keyframe begins with what does not look like one"
    );
    let by_hand = format!("caps={}", codec.caps);
    for given in ["metadata=request", &by_hand] {
        let sink = Sender::new("mode=listen port=0");
        sink.start_with_caps(&caps);
        let early = Viewer::new(&format!("port={} metadata=request", sink.port()));
        early.pipeline.play();
        early.record.await_caps();
        for piece in &pieces[..second - 1] {
            sink.push_buffer(piece.clone()).unwrap();
        }
        let late = Pipeline::launch(&format!(
            "videosocketsrc name=source host=127.0.0.1 port={} {given} ! {} ! \
             video/x-raw ! fakesink name=pictures sync=false",
            sink.port(),
            codec.decoder
        ));
        let came = super::Record::of(&late.element("source").static_pad("src").unwrap());
        let decoded = super::Record::of(&late.element("pictures").static_pad("sink").unwrap());
        late.play();
        await_number(&sink.sink, "num-clients", 2);
        // Whoever asks is to be heard first, however busy the machine is.
        came.await_caps();
        for piece in &pieces[second - 1..] {
            sink.push_buffer(piece.clone()).unwrap();
        }
        sink.end();
        early.pipeline.expect_eos();
        late.expect_eos();
        let lens =
            |pieces: &[gst::Buffer]| pieces.iter().map(|piece| piece.size()).collect::<Vec<_>>();
        let came: Vec<_> = came.frames().iter().map(|frame| frame.len).collect();
        assert_eq!(came, lens(&pieces[second..]), "{given}");
        assert_eq!(decoded.frames().len(), 5, "{given}");
        assert_eq!(early.record.frames().len(), pieces.len());
    }
}
