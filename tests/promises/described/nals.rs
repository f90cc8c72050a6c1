// SPDX-License-Identifier: MPL-2.0
//! A picture that comes in several frames, a NAL each, is whole for who joins.

use super::Viewer;
use super::formats::comes_out_as_it_went_in;
use crate::support::*;
use gst::prelude::*;

#[test]
fn nals_come_out_as_they_went_in() {
    for codec in ["h264", "h265"] {
        comes_out_as_it_went_in(&format!(
            "videotestsrc num-buffers=10 timestamp-offset=1000000000 ! video/x-raw,width=160,height=120 ! \
             x{}enc key-int-max=5 ! {codec}parse ! video/x-{codec},stream-format=byte-stream,alignment=nal",
            &codec[1..]
        ));
    }
}

/// Five pictures, and five more from a keyframe on, each of several NALs, with their caps.
fn pictures() -> (gst::Caps, Vec<gst::Buffer>) {
    let encoder = Pipeline::launch(
        "videotestsrc num-buffers=10 ! video/x-raw,format=I420,width=160,height=120 ! \
         x264enc key-int-max=5 tune=zerolatency threads=2 ! h264parse ! \
         video/x-h264,stream-format=byte-stream,alignment=nal ! appsink name=output sync=false",
    );
    let output = encoder.element("output").downcast::<gst_app::AppSink>();
    let output = output.unwrap();
    encoder.play();
    let samples: Vec<_> = std::iter::from_fn(|| output.pull_sample().ok()).collect();
    let caps = samples[0].caps_owned().unwrap();
    let nals = samples.iter().map(|sample| sample.buffer_owned().unwrap());
    (caps, nals.collect())
}

/// The number of the first one of the picture that is the second keyframe.
fn second_keyframe(nals: &[gst::Buffer]) -> usize {
    let ends = |nal: &gst::Buffer| nal.flags().contains(gst::BufferFlags::MARKER);
    let pictures = nals.split_inclusive(ends);
    pictures.take(5).map(<[_]>::len).sum()
}

#[test]
fn who_joins_amid_pictures_decodes_the_first_keyframe_and_all_that_follow() {
    let (caps, nals) = pictures();
    let second = second_keyframe(&nals);
    let is_delta = nals[second].flags().contains(gst::BufferFlags::DELTA_UNIT);
    assert!(
        is_delta,
        "a keyframe begins with what does not look like one"
    );
    for given in [
        "metadata=request",
        "caps=video/x-h264,stream-format=byte-stream,alignment=nal",
    ] {
        let sink = Sender::new("mode=listen port=0");
        sink.start_with_caps(&caps);
        let early = Viewer::new(&format!("port={} metadata=request", sink.port()));
        early.pipeline.play();
        early.record.await_caps();
        for nal in &nals[..second - 1] {
            sink.push_buffer(nal.clone()).unwrap();
        }
        let late = Pipeline::launch(&format!(
            "videosocketsrc name=source host=127.0.0.1 port={} {given} ! h264parse ! avdec_h264 ! \
             video/x-raw ! fakesink name=pictures sync=false",
            sink.port()
        ));
        let came = super::Record::of(&late.element("source").static_pad("src").unwrap());
        let decoded = super::Record::of(&late.element("pictures").static_pad("sink").unwrap());
        late.play();
        await_number(&sink.sink, "num-clients", 2);
        // Whoever asks is to be heard first, however busy the machine is.
        came.await_caps();
        for nal in &nals[second - 1..] {
            sink.push_buffer(nal.clone()).unwrap();
        }
        sink.end();
        early.pipeline.expect_eos();
        late.expect_eos();
        let lens = |nals: &[gst::Buffer]| nals.iter().map(|nal| nal.size()).collect::<Vec<_>>();
        let came: Vec<_> = came.frames().iter().map(|frame| frame.len).collect();
        assert_eq!(came, lens(&nals[second..]), "{given}");
        assert_eq!(decoded.frames().len(), 5, "{given}");
        assert_eq!(early.record.frames().len(), nals.len());
    }
}
