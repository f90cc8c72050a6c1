// SPDX-License-Identifier: MPL-2.0
//! The way back: what a receiver asks of the sender.

use std::str::FromStr;

use gst::event;
use gst_video::UpstreamForceKeyUnitEvent;

use super::{
    FORCE_KEY_UNIT, NAVIGATION, RestoreError,
    describe::{put, with_text},
    names,
};
use crate::wire::{
    StructureText,
    record::{Qos, QosKind, Record, RecordKind, Upstream},
};

/// Appends what an upstream event asks of the sender, and tells whether it asks for anything. Times are
/// mapped to the sender's running times.
pub fn describe(
    event: &gst::EventRef,
    to_sender: impl FnOnce(gst::ClockTime) -> Option<gst::ClockTime>,
    out: &mut Vec<u8>,
) -> bool {
    match event.view() {
        gst::EventView::Qos(qos) => match describe_qos(qos, to_sender) {
            Some(qos) => put(Record::Upstream(Upstream::Qos(qos)), out),
            None => false,
        },
        gst::EventView::Navigation(_) => {
            let structure = event.structure().filter(|it| it.name() == NAVIGATION);
            structure.is_some_and(|structure| {
                let text = structure.serialize(gst::SerializeFlags::NONE);
                with_text(RecordKind::Upstream, &text, |text| {
                    put(Record::Upstream(Upstream::Navigation(text)), out)
                })
            })
        }
        gst::EventView::CustomUpstream(_) if event.has_name(FORCE_KEY_UNIT) => {
            let request = UpstreamForceKeyUnitEvent::parse(event).ok();
            let time = request.as_ref().and_then(|request| request.running_time);
            let request = Upstream::Keyframe {
                all_headers: request.is_some_and(|request| request.all_headers),
                running_time: time.and_then(to_sender).map(gst::ClockTime::nseconds),
            };
            put(Record::Upstream(request), out)
        }
        _ => false,
    }
}

fn describe_qos(
    qos: &event::Qos,
    to_sender: impl FnOnce(gst::ClockTime) -> Option<gst::ClockTime>,
) -> Option<Qos> {
    let (kind, proportion, difference, time) = qos.get();
    let kind = match kind {
        gst::QOSType::Overflow => QosKind::Overflow,
        gst::QOSType::Underflow => QosKind::Underflow,
        gst::QOSType::Throttle => QosKind::Throttle,
        _ => return None,
    };
    Some(Qos {
        kind,
        proportion,
        difference,
        time: to_sender(time?)?.nseconds(),
    })
}

/// The event that asks upstream for what a peer asks for; none where this side does not know it.
pub fn restore(request: &Upstream<'_>) -> Result<Option<gst::Event>, RestoreError> {
    Ok(match *request {
        Upstream::Keyframe {
            all_headers,
            running_time,
        } => {
            let time = running_time.map(gst::ClockTime::from_nseconds);
            let event = UpstreamForceKeyUnitEvent::builder().all_headers(all_headers);
            Some(event.running_time(time).build())
        }
        Upstream::Qos(qos) => Some(restore_qos(qos)),
        Upstream::Navigation(text) => restore_navigation(text)?,
        Upstream::Other => None,
    })
}

fn restore_qos(qos: Qos) -> gst::Event {
    let kind = match qos.kind {
        QosKind::Overflow => gst::QOSType::Overflow,
        QosKind::Underflow => gst::QOSType::Underflow,
        QosKind::Throttle => gst::QOSType::Throttle,
    };
    let time = gst::ClockTime::from_nseconds(qos.time);
    event::Qos::new(kind, qos.proportion, qos.difference, time)
}

fn restore_navigation(text: StructureText<'_>) -> Result<Option<gst::Event>, RestoreError> {
    names::admit_all(text)?;
    let structure = gst::Structure::from_str(&text).map_err(|_| RestoreError::NoStructure)?;
    let is_navigation = structure.name() == NAVIGATION && has_place(&structure);
    Ok(is_navigation.then(|| event::Navigation::new(structure)))
}

/// Elements look for where a mouse is, or a finger, and complain where they do not find it.
fn has_place(structure: &gst::StructureRef) -> bool {
    let kind = structure.get::<&str>("event").unwrap_or_default();
    let has = |field| structure.get::<f64>(field).is_ok();
    let is_placed = kind.starts_with("mouse-") || kind.starts_with("touch-");
    let is_whole = matches!(kind, "touch-frame" | "touch-cancel");
    let is_scroll = kind == "mouse-scroll";
    (!is_placed || is_whole || has("pointer_x") && has("pointer_y"))
        && (!is_scroll || has("delta_pointer_x") && has("delta_pointer_y"))
}
