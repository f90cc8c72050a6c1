// SPDX-License-Identifier: MPL-2.0
//! Raw video whose lines lie elsewhere than the caps say comes so to who can read it, and in the usual layout to others.

use super::{Frame, Record};
use crate::support::*;
use gst::prelude::*;
use gst_video::{VideoAlignment, VideoFrameRef, VideoInfo, VideoMeta};

/// Whoever is behind the pad reads pictures as their metas say.
pub fn accept(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
        let Some(query) = info.query_mut() else {
            return gst::PadProbeReturn::Ok;
        };
        match query.view_mut() {
            gst::QueryViewMut::Allocation(allocation) => {
                allocation.add_allocation_meta::<VideoMeta>(None);
                gst::PadProbeReturn::Handled
            }
            _ => gst::PadProbeReturn::Ok,
        }
    });
}

/// Pictures that pass the pad have so many pixels more to the right of each line, with other bytes.
pub fn lines_apart(pad: &gst::Pad, more: u32) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let caps = pad.current_caps().expect("caps");
        let usual = VideoInfo::from_caps(&caps).expect("raw video");
        if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
            *buffer = with_lines_apart(buffer, &usual, more);
        }
        gst::PadProbeReturn::Ok
    });
}

fn with_lines_apart(buffer: &gst::Buffer, usual: &VideoInfo, more: u32) -> gst::Buffer {
    let mut wide = usual.clone();
    wide.align(&mut VideoAlignment::new(0, 0, 0, more, &[0; 4]))
        .expect("a layout");
    assert_ne!(wide.stride(), usual.stride());
    let mut other = gst::Buffer::from_mut_slice(vec![0xa5; wide.size()]);
    let changed = other.get_mut().unwrap();
    let flags = gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS;
    buffer.copy_into(changed, flags, ..).expect("times");
    VideoMeta::add_full(
        changed,
        gst_video::VideoFrameFlags::empty(),
        usual.format(),
        usual.width(),
        usual.height(),
        wide.offset(),
        wide.stride(),
    )
    .expect("a meta");
    let from = VideoFrameRef::from_buffer_ref_readable(buffer, usual).expect("a picture");
    let mut to = VideoFrameRef::from_buffer_ref_writable(changed, usual).expect("a picture");
    from.copy(&mut to).expect("a copy");
    drop(to);
    other
}

const STREAM: &str = "videotestsrc num-buffers=5 ! video/x-raw,format=NV12,width=320,height=240,framerate=25/1 ! identity name=here";

/// Is about to send pictures with their lines apart. Returns them as they were before, and a port.
fn sending() -> (Pipeline, Record, u16) {
    let sender = Pipeline::launch(&format!(
        "{STREAM} ! videosocketsink name=sink host=127.0.0.1 mode=listen port=0 sync=false"
    ));
    let here = sender.element("here");
    let before = Record::of(&here.static_pad("sink").unwrap());
    lines_apart(&here.static_pad("src").unwrap(), 7);
    sender.pause();
    let port = number(&sender.element("sink"), "current-port");
    (sender, before, port.try_into().unwrap())
}

fn pictures(frames: &[Frame]) -> Vec<(usize, u64, usize)> {
    let frames = frames.iter();
    frames
        .map(|frame| (frame.len, frame.checksum, frame.strides.len()))
        .collect()
}

#[test]
fn who_knows_no_metas_gets_pictures_as_the_caps_say() {
    for downstream in [
        "appsink wait-on-eos=false sync=false",
        "identity ! fakesink sync=false",
        "queue ! filesink location=/dev/null",
    ] {
        let (sender, before, port) = sending();
        let viewer = Pipeline::launch(&format!(
            "videosocketsrc name=source host=127.0.0.1 port={port} metadata=request ! {downstream}"
        ));
        let after = Record::of(&viewer.element("source").static_pad("src").unwrap());
        viewer.play();
        after.await_caps();
        sender.play();
        viewer.expect_eos();
        sender.expect_eos();
        assert_eq!(
            pictures(&after.frames()),
            pictures(&before.frames()),
            "{downstream}"
        );
    }
}
