// SPDX-License-Identifier: MPL-2.0
//! The way back.

use gst::{ClockTime, event};
use gst_video::UpstreamForceKeyUnitEvent;

use super::{init, record, records, text};
use crate::{
    metadata::{describe, restore},
    wire::record::{Record, Upstream},
};

const SECOND: ClockTime = ClockTime::SECOND;

fn request_again(event: &gst::Event) -> Option<gst::Event> {
    let earlier = |time: ClockTime| time.checked_sub(SECOND);
    let bytes = record(|out| describe::upstream(event, earlier, out))?;
    match &records(&bytes)[..] {
        [Record::Upstream(request)] => restore::request(request).unwrap(),
        _ => panic!("{bytes:?}"),
    }
}

#[test]
fn requests_come_back() {
    let _quiet = init();
    for all_headers in [true, false] {
        let event = UpstreamForceKeyUnitEvent::builder()
            .running_time(SECOND)
            .all_headers(all_headers)
            .count(5)
            .build();
        let again = request_again(&event).unwrap();
        let again = UpstreamForceKeyUnitEvent::parse(&again).unwrap();
        assert_eq!(
            (again.running_time, again.all_headers, again.count),
            (Some(ClockTime::ZERO), all_headers, 0)
        );
    }
    for kind in [
        gst::QOSType::Overflow,
        gst::QOSType::Underflow,
        gst::QOSType::Throttle,
    ] {
        let again = request_again(&event::Qos::new(kind, 0.5, -5, 3 * SECOND)).unwrap();
        let gst::EventView::Qos(again) = again.view() else {
            panic!("{again:?}")
        };
        assert_eq!(again.get(), (kind, 0.5, -5, Some(2 * SECOND)));
    }
    let structure = gst::Structure::builder("application/x-gst-navigation")
        .field("event", "mouse-move")
        .field("pointer_x", 0.5)
        .field("pointer_y", 0.5)
        .build();
    let again = request_again(&event::Navigation::new(structure.clone())).unwrap();
    assert_eq!(again.type_(), gst::EventType::Navigation);
    assert_eq!(again.structure(), Some(&*structure));
}

#[test]
fn a_mouse_is_somewhere() {
    let _quiet = init();
    for (event, is_whole) in [
        ("event=(string)key-press, key=(string)a", true),
        ("event=(string)mouse-move, pointer_x=(double)1", false),
        (
            "event=(string)touch-down, pointer_x=(double)1, pointer_y=(string)a",
            false,
        ),
        ("event=(string)touch-frame", true),
        (
            "event=(string)mouse-scroll, pointer_x=(double)1, pointer_y=(double)1",
            false,
        ),
    ] {
        let payload = format!("application/x-gst-navigation, {event}");
        let request = Upstream::Navigation(text(&payload));
        let restored = restore::request(&request).unwrap();
        assert_eq!(restored.is_some(), is_whole, "{event}");
    }
}

#[test]
fn other_requests_are_left_out() {
    let _quiet = init();
    for event in [
        event::Reconfigure::new(),
        event::CustomUpstream::new(gst::Structure::new_empty("application/x")),
        event::Navigation::new(gst::Structure::new_empty("x-other")),
        event::Qos::new(gst::QOSType::Overflow, 0.5, 0, None),
        event::Qos::new(gst::QOSType::Overflow, 0.5, 0, SECOND / 2),
        event::Qos::new(gst::QOSType::Overflow, -0.5, 0, SECOND),
    ] {
        assert!(request_again(&event).is_none(), "{event:?}");
    }
    let text = text("x-other, a=(int)1");
    assert!(
        restore::request(&Upstream::Navigation(text))
            .unwrap()
            .is_none()
    );
    assert!(restore::request(&Upstream::Other).unwrap().is_none());
}
