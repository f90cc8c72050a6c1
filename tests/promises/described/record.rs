// SPDX-License-Identifier: MPL-2.0
//! What a stream is at one place.

use crate::support::eventually;
use gst::prelude::*;
use parking_lot::Mutex;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;
use std::sync::Arc;

/// What passes a pad, in its order.
#[derive(Clone, Default)]
pub struct Record(Arc<Mutex<Vec<Item>>>);

#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Start(String),
    Caps(gst::Caps),
    Tags(String),
    Gap(gst::ClockTime, Option<gst::ClockTime>),
    Event(String),
    Frame(Frame),
    End,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub len: usize,
    pub checksum: u64,
    pub pts: Option<gst::ClockTime>,
    pub dts: Option<gst::ClockTime>,
    pub duration: Option<gst::ClockTime>,
    pub flags: gst::BufferFlags,
    pub offsets: (u64, u64),
    pub strides: Vec<i32>,
}

impl Frame {
    fn of(buffer: &gst::BufferRef) -> Self {
        // What memory it is in, and whether a connection began with it, is the receiver's own business.
        let own = gst::BufferFlags::TAG_MEMORY | gst::BufferFlags::DISCONT;
        let meta = buffer.meta::<gst_video::VideoMeta>();
        let mut checksum = DefaultHasher::new();
        buffer.map_readable().unwrap().hash(&mut checksum);
        Self {
            len: buffer.size(),
            checksum: checksum.finish(),
            pts: buffer.pts(),
            dts: buffer.dts(),
            duration: buffer.duration(),
            flags: buffer.flags() & !own,
            offsets: (buffer.offset(), buffer.offset_end()),
            strides: meta.map_or(Vec::new(), |meta| meta.stride().to_vec()),
        }
    }

    /// Its times from another zero.
    fn since(&self, zero: gst::ClockTime) -> Self {
        Self {
            pts: self.pts.map(|pts| pts - zero),
            dts: self.dts.map(|dts| dts - zero),
            ..self.clone()
        }
    }

    fn time(&self) -> Option<gst::ClockTime> {
        [self.pts, self.dts].into_iter().flatten().min()
    }
}

impl Record {
    pub fn of(pad: &gst::Pad) -> Self {
        let record = Self::default();
        let kept = record.clone();
        let mask = gst::PadProbeType::BUFFER
            | gst::PadProbeType::BUFFER_LIST
            | gst::PadProbeType::EVENT_DOWNSTREAM;
        pad.add_probe(mask, move |_, info| {
            kept.0.lock().extend(items(info));
            gst::PadProbeReturn::Ok
        });
        record
    }

    /// Waits until it is known what the frames will be. A peer that asks late on a busy machine has lost some.
    #[track_caller]
    pub fn await_caps(&self) {
        eventually("caps", || {
            let items = self.0.lock();
            items.iter().any(|item| matches!(item, Item::Caps(_)))
        });
    }

    pub fn frames(&self) -> Vec<Frame> {
        let items = self.0.lock();
        let frames = items.iter().filter_map(|item| match item {
            Item::Frame(frame) => Some(frame.clone()),
            _ => None,
        });
        frames.collect()
    }

    /// All of it, with the times of frames and gaps since the first frame, and frames without what only raw video has.
    pub fn items(&self) -> Vec<Item> {
        let first = self.frames().iter().find_map(Frame::time);
        let zero = first.unwrap_or_default();
        let items = self.0.lock();
        let items = items.iter().map(|item| match item {
            Item::Frame(frame) => Item::Frame(frame.since(zero)),
            Item::Gap(time, duration) => Item::Gap(*time - zero, *duration),
            item => item.clone(),
        });
        // Of caps and tags the newest hold, in whichever order they came before a frame.
        let mut kept = Vec::<Item>::new();
        for item in items {
            let is_frame = |item: &Item| matches!(item, Item::Frame(_));
            let since = kept.iter().rposition(is_frame).map_or(0, |last| last + 1);
            let is_of_kind = |other: &Item| discriminant(other) == discriminant(&item);
            match kept[since..].iter().position(is_of_kind) {
                Some(at) if matches!(item, Item::Caps(_) | Item::Tags(_)) => {
                    kept[since + at] = item;
                }
                _ => kept.push(item),
            }
        }
        kept
    }
}

fn items(info: &gst::PadProbeInfo<'_>) -> Vec<Item> {
    match &info.data {
        Some(gst::PadProbeData::Buffer(buffer)) => vec![Item::Frame(Frame::of(buffer))],
        Some(gst::PadProbeData::BufferList(list)) => list
            .iter()
            .map(|buffer| Item::Frame(Frame::of(buffer)))
            .collect(),
        Some(gst::PadProbeData::Event(event)) => item(event).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn item(event: &gst::Event) -> Option<Item> {
    Some(match event.view() {
        gst::EventView::StreamStart(start) => Item::Start(start.stream_id().into()),
        gst::EventView::Caps(caps) => Item::Caps(caps.caps_owned()),
        gst::EventView::Tag(tag) => Item::Tags(tag.tag().to_string()),
        gst::EventView::Gap(gap) => {
            let (time, duration) = gap.get();
            Item::Gap(time, duration)
        }
        gst::EventView::CustomDownstream(_) | gst::EventView::CustomDownstreamSticky(_) => {
            Item::Event(event.structure()?.to_string())
        }
        gst::EventView::Eos(_) => Item::End,
        _ => return None,
    })
}
