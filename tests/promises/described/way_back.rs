// SPDX-License-Identifier: MPL-2.0
//! What a viewer's pipeline asks for reaches what is upstream of the sink, as far as it is wanted there.

use super::{asking, described};
use crate::support::*;
use gst::prelude::*;

/// A sink that takes these from viewers, one of which has got a frame of this running time.
fn watched(accepted: &str) -> (Sender, Receiver, gst::ClockTime) {
    let sink = described(&format!("request-keyframes=false accept-events={accepted}"));
    let viewer = asking(sink.port());
    let time = gst::ClockTime::from_seconds(1);
    push_at(&sink, time);
    viewer.buffer();
    (sink, viewer, time)
}

fn push_at(sink: &Sender, time: gst::ClockTime) {
    let mut frame = buffer(b"frame");
    frame.get_mut().unwrap().set_pts(time);
    frame
        .get_mut()
        .unwrap()
        .set_duration(gst::ClockTime::MSECOND);
    sink.push_buffer(frame).unwrap();
}

/// Asks as whatever is downstream does.
fn ask(viewer: &Receiver, event: gst::Event) {
    let pad = viewer.output.static_pad("sink").unwrap();
    assert!(pad.push_event(event), "the source takes it");
}

fn click(kind: &str) -> gst::Structure {
    gst::Structure::builder("application/x-gst-navigation")
        .field("event", format!("mouse-button-{kind}"))
        .field("button", 1)
        .field("pointer_x", 12.5)
        .field("pointer_y", 7.0)
        .build()
}

/// The types of what comes upstream until somebody clicks.
fn upstream_until_click(sink: &Sender) -> Vec<gst::EventType> {
    let is_click = |event: &gst::Event| event.type_() == gst::EventType::Navigation;
    let events = sink.upstream_until(is_click).into_iter();
    events.map(|event| event.type_()).collect()
}

#[test]
fn a_pipeline_that_comes_too_late_tells_how_late() {
    let sink = described("request-keyframes=false accept-events=qos");
    // Each frame is late there.
    let viewer = Pipeline::launch(&format!(
        "videosocketsrc name=source host=127.0.0.1 port={} metadata=request ! \
         fakesink sync=true qos=true ts-offset=-1000000000",
        sink.port()
    ));
    viewer.play();
    await_caps(&viewer.element("source"));
    let times = (1..20).map(gst::ClockTime::from_mseconds);
    for time in times.clone() {
        push_at(&sink, time);
    }
    let is_qos = |event: &gst::Event| event.type_() == gst::EventType::Qos;
    let event = sink.expect_upstream(is_qos);
    let gst::EventView::Qos(qos) = event.view() else {
        panic!("{event:?}")
    };
    let (_, _, _, time) = qos.get();
    assert!(
        times.clone().any(|pts| Some(pts) == time),
        "{time:?} in the sender's time"
    );
}

#[test]
fn quality_of_service_is_for_one_viewer_to_ask_for() {
    let (sink, first, time) = watched("qos+navigation");
    let ask_for_less = |viewer: &Receiver| {
        let now = viewer.source.current_running_time();
        ask(
            viewer,
            gst::event::Qos::new(gst::QOSType::Overflow, 0.5, 7, now),
        );
        ask(viewer, gst::event::Navigation::new(click("press")));
    };
    ask_for_less(&first);
    assert_eq!(upstream_until_click(&sink), [gst::EventType::Qos]);

    let second = asking(sink.port());
    push_at(&sink, time * 2);
    for viewer in [&second, &first] {
        viewer.buffer();
        ask_for_less(viewer);
        assert_eq!(upstream_until_click(&sink), []);
    }
}

#[test]
fn a_click_goes_where_it_is_wanted() {
    let (sink, viewer, _) = watched("keyframe+navigation");
    let moved = gst::Structure::builder("application/x-gst-navigation")
        .field("event", "mouse-move")
        .build();
    // However fast they come.
    for structure in [
        moved.clone(),
        moved.clone(),
        click("press"),
        moved,
        click("release"),
    ] {
        // A move that comes too soon is for nobody.
        let pad = viewer.output.static_pad("sink").unwrap();
        pad.push_event(gst::event::Navigation::new(structure));
    }
    for kind in ["press", "release"] {
        let is_button = |event: &gst::Event| {
            event
                .structure()
                .is_some_and(|structure| structure.has_field("button"))
        };
        sink.upstream_until(|event| {
            is_button(event) && event.structure() == Some(click(kind).as_ref())
        });
    }

    let (sink, viewer, _) = watched("keyframe");
    // Nobody takes it.
    let pad = viewer.output.static_pad("sink").unwrap();
    pad.push_event(gst::event::Navigation::new(click("press")));
    ask(
        &viewer,
        gst_video::UpstreamForceKeyUnitEvent::builder().build(),
    );
    let is_request = |event: &gst::Event| event.has_name("GstForceKeyUnit");
    let before = sink.upstream_until(is_request);
    assert!(
        before
            .iter()
            .all(|event| event.type_() != gst::EventType::Navigation)
    );
}
