// SPDX-License-Identifier: MPL-2.0
//! A sender that pauses, that seeks, or that is another: its frames come out as far apart as they went in, and when
//! they are due.

use super::{Frame, Record, Viewer};
use crate::support::*;
use gst::prelude::*;

/// Between the running times of a pipeline and of a viewer, which have the same clock.
pub fn shift(sender: &Pipeline, viewer: &Viewer) -> gst::ClockTime {
    let base_time = |element: gst::Element| element.base_time().expect("a base time");
    base_time(sender.element("sink")) - base_time(viewer.pipeline.element("source"))
}

/// As they come out.
pub fn shifted(frames: &[Frame], shift: gst::ClockTime) -> Vec<Frame> {
    frames
        .iter()
        .map(|frame| Frame {
            pts: frame.pts.map(|pts| pts + shift),
            dts: frame.dts.map(|dts| dts + shift),
            ..frame.clone()
        })
        .collect()
}

/// A film that listens, with what goes into its sink, and a viewer of it. Ends 4 ms times `frames` after its start.
fn film(frames: &str) -> (Pipeline, Record, Viewer) {
    let sender = Pipeline::launch(&format!(
        "videotestsrc name=test {frames} ! video/x-raw,format=GRAY8,width=16,height=16,framerate=250/1 ! \
         videosocketsink name=sink host=127.0.0.1 mode=listen port=0"
    ));
    let sent = Record::of(&sender.element("sink").static_pad("sink").unwrap());
    sender.pause();
    let port = number(&sender.element("sink"), "current-port");
    let viewer = Viewer::new(&format!("port={port} metadata=request"));
    viewer.pipeline.play();
    viewer.record.await_caps();
    (sender, sent, viewer)
}

#[test]
fn a_sender_that_pauses_goes_on_so_much_later() {
    let (sender, sent, viewer) = film("num-buffers=100");
    sender.play();
    sender.await_playing();
    let before = shift(&sender, &viewer);
    eventually("some frames", || viewer.record.frames().len() > 10);
    sender.pause();
    sender.await_preroll();
    let paused = viewer.pipeline.element("source").current_running_time();
    eventually("some time", || {
        let now = viewer.pipeline.element("source").current_running_time();
        now > paused.map(|paused| paused + gst::ClockTime::from_mseconds(50))
    });
    sender.play();
    sender.await_playing();
    let after = shift(&sender, &viewer);
    sender.expect_eos();
    viewer.pipeline.expect_eos();
    assert!(after >= before + gst::ClockTime::from_mseconds(50));
    let (sent, received) = (sent.frames(), viewer.record.frames());
    let is_before =
        |(sent, received): &(&Frame, &Frame)| received.pts == sent.pts.map(|pts| pts + before);
    let parted = sent.iter().zip(&received).take_while(is_before).count();
    assert!(parted > 10 && parted < 100, "{parted}");
    let expected = [
        shifted(&sent[..parted], before),
        shifted(&sent[parted..], after),
    ];
    assert_eq!(received, expected.concat());
}

#[test]
fn a_sender_that_seeks_begins_anew() {
    let (sender, sent, viewer) = film("");
    sender.play();
    sender.await_playing();
    let before = shift(&sender, &viewer);
    eventually("some frames", || viewer.record.frames().len() > 10);
    sender.seek_to_start_until(gst::ClockTime::from_mseconds(100));
    sender.await_playing();
    let after = shift(&sender, &viewer);
    sender.expect_eos();
    viewer.pipeline.expect_eos();
    let (sent, received) = (sent.frames(), viewer.record.frames());
    // Of those before the seek the last may be lost to it.
    let parted = received.len() - 25;
    assert_eq!(received[..parted], shifted(&sent[..parted], before));
    assert_eq!(received[parted..], shifted(&sent[sent.len() - 25..], after));
}

#[test]
fn a_sender_that_is_started_again_begins_anew() {
    let port = ReservedPort::new();
    let viewer = Viewer::new(&format!(
        "mode=listen reconnect=true port={}",
        port.number()
    ));
    viewer.pipeline.play();
    let mut expected = Vec::new();
    for _ in 0..2 {
        let sender = Pipeline::launch(&format!(
            "videotestsrc num-buffers=20 ! video/x-raw,format=I420,width=16,height=16,framerate=250/1 ! \
             vp8enc deadline=1 ! \
             videosocketsink name=sink host=127.0.0.1 port={} metadata=on",
            port.number()
        ));
        let sent = Record::of(&sender.element("sink").static_pad("sink").unwrap());
        sender.play();
        sender.expect_eos();
        expected.extend(shifted(&sent.frames(), shift(&sender, &viewer)));
        eventually("all frames", || {
            viewer.record.frames().len() == expected.len()
        });
    }
    assert_eq!(viewer.record.frames(), expected);
}
