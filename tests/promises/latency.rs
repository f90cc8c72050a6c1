// SPDX-License-Identifier: MPL-2.0
//! What the source answers to whoever asks for its latency.

use crate::support::*;
use gst::prelude::*;

/// Live, the least and the most.
type Latency = (bool, gst::ClockTime, Option<gst::ClockTime>);

const UNLIMITED: Latency = (true, gst::ClockTime::ZERO, None);

#[track_caller]
fn latency(source: &gst::Element) -> Latency {
    let mut query = gst::query::Latency::new();
    assert!(source.query(&mut query), "an answer");
    query.result()
}

#[test]
fn the_source_is_live_and_may_be_held_back_without_limit() {
    let source = Receiver::new("mode=listen port=0");
    for state in [gst::State::Ready, gst::State::Paused, gst::State::Playing] {
        source.source.set_state(state).expect("a change of state");
        assert_eq!(latency(&source.source), UNLIMITED, "in {state:?}");
    }
    source.play();
    Peer::connect(source.port()).send_frame(b"frame");
    assert_eq!(source.frame(), b"frame");
    assert_eq!(latency(&source.source), UNLIMITED, "after a frame");
}

#[test]
fn a_viewer_with_a_synchronised_sink_has_its_deadline_and_no_warning() {
    for sink in ["fakesink", "fakevideosink"] {
        let viewer = Pipeline::launch(&format!(
            "videosocketsrc name=source mode=listen host=127.0.0.1 port=0 \
             caps=video/x-raw,format=GRAY8,width=8,height=1,framerate=30/1 ! \
             {sink} sync=true processing-deadline=20000000"
        ));
        viewer.play();
        let source = viewer.element("source");
        let port = number(&source, "current-port").try_into().expect("a port");
        let peer = Peer::connect(port);
        peer.send_frame(b"8 pixels");
        peer.end_sending();
        // By then the pipeline has asked for its latency, and told its sinks.
        viewer.expect_eos();
        viewer.expect_no_warning();
    }
}

#[test]
fn what_the_user_grants_is_in_the_answer_and_a_change_of_it_is_told() {
    let source = Receiver::playing("mode=listen port=0 latency=40000000");
    let granted = |milliseconds| (true, gst::ClockTime::from_mseconds(milliseconds), None);
    assert_eq!(latency(&source.source), granted(40));
    source.source.set_property("latency", 70_000_000u64);
    source.expect_latency_message();
    assert_eq!(latency(&source.source), granted(70));
}
