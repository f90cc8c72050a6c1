// SPDX-License-Identifier: MPL-2.0
//! What is said of the stream to peers that understand records.

use std::time::Instant;

use gst::prelude::*;
use gst_base::prelude::*;
use gst_video::VideoInfo;

use super::VideoSocketSink;
use crate::{
    fanout::{Description, Lead},
    metadata::{
        clock,
        describe::{self, USUAL_SEGMENT},
        raw_video,
    },
    wire::{
        HeaderFormat,
        record::{Buffer, BufferFlags, Clock, Record, Scope},
    },
};

/// How often those who have come are told what the clock shows.
const CLOCK_INTERVAL: gst::ClockTime = gst::ClockTime::SECOND;

/// What holds until it is said otherwise, each as a record.
#[derive(Default)]
pub struct Describing {
    start: Vec<u8>,
    caps: Vec<u8>,
    segment: Vec<u8>,
    tags: Vec<u8>,
    global_tags: Vec<u8>,
    /// Sticky events, the newest of each name.
    sticky: Vec<(String, Vec<u8>)>,
    video: Option<VideoInfo>,
    sequence: u16,
    clock: Option<SentClock>,
    /// What the clock showed when it was last looked at.
    now: Option<gst::ClockTime>,
    /// The clock's record, which the next frame takes along.
    due: Option<Vec<u8>>,
    /// For the metas of a frame, kept for its memory.
    scratch: Vec<u8>,
}

/// More sticky events of other names than this are not kept for those who come later.
const MAX_STICKY: usize = 64;

/// The clock as it was told last.
struct SentClock {
    clock: gst::Clock,
    base_time: gst::ClockTime,
    latency: gst::ClockTime,
    is_paced: bool,
    id: String,
    /// When it was told, by itself.
    at: gst::ClockTime,
}

impl Describing {
    /// A serialized event came. Says whether it changes what holds.
    pub fn event(&mut self, event: &gst::Event) -> bool {
        let (kept, record) = match event.view() {
            gst::EventView::StreamStart(start) => {
                let mut record = Vec::new();
                describe::stream_start(start, &mut record);
                // Those of another stream say nothing of this one.
                self.sticky.clear();
                self.tags.clear();
                (&mut self.start, record)
            }
            gst::EventView::Tag(tag) => {
                let list = tag.tag();
                let mut record = Vec::new();
                let (kept, scope) = match list.scope() {
                    gst::TagScope::Global => (&mut self.global_tags, Scope::Global),
                    _ => (&mut self.tags, Scope::Stream),
                };
                describe::tags(list, scope, &mut record);
                (kept, record)
            }
            gst::EventView::Segment(segment) => {
                let described = segment.segment().downcast_ref().map(describe::segment);
                let described = described
                    .filter(|segment| *segment != USUAL_SEGMENT || !self.segment.is_empty());
                let mut record = Vec::new();
                if let Some(described) = described {
                    // Only one that can be told is worth it.
                    let _ = Record::Segment(described).encode(&mut record);
                }
                (&mut self.segment, record)
            }
            gst::EventView::CustomDownstreamSticky(_) => return self.sticky_event(event),
            _ => return false,
        };
        let is_other = *kept != record;
        *kept = record;
        is_other
    }

    /// The caps are these from now on. Says whether that changes what holds.
    pub fn caps(&mut self, caps: &gst::CapsRef) -> bool {
        let mut record = Vec::new();
        describe::caps(caps, &mut record);
        self.video = raw_video(caps);
        let is_other = self.caps != record;
        self.caps = record;
        is_other
    }

    fn sticky_event(&mut self, event: &gst::Event) -> bool {
        let mut record = Vec::new();
        let Some(name) = event
            .structure()
            .map(|structure| structure.name().to_string())
        else {
            return false;
        };
        if !describe::event(event, &mut record) {
            return false;
        }
        let is_same = |(other, _): &(String, Vec<u8>)| *other == name;
        match self.sticky.iter().position(is_same) {
            Some(at) => self.sticky[at].1 = record,
            None if self.sticky.len() < MAX_STICKY => self.sticky.push((name, record)),
            None => return false,
        }
        true
    }

    /// All that holds now.
    pub fn description(&self) -> Description {
        let sticky = self.sticky.iter().map(|(_, record)| record);
        let parts = [
            &self.start,
            &self.caps,
            &self.segment,
            &self.tags,
            &self.global_tags,
        ];
        let records = parts.into_iter().chain(sticky).flatten().copied().collect();
        let clock = self.clock.as_ref();
        let clock = clock.and_then(|sent| Some((sent, clock::time(&sent.clock)?)));
        // Behind the reading: what passes between must not put the clock ahead.
        let now = Instant::now();
        let clock = clock.and_then(|(sent, time)| sent.record(time));
        Description::new(clock, records, now)
    }

    /// Looks at the clock of the element, and says whether that is another than was told. Unless it `may_be_other`,
    /// it is asked for all only now and then.
    pub fn update_clock(
        &mut self,
        sink: &VideoSocketSink,
        is_paced: bool,
        may_be_other: bool,
    ) -> bool {
        let told = self.clock.as_ref();
        self.now = told.and_then(|sent| clock::time(&sent.clock));
        let is_same = |sent: &SentClock| sent.is_paced == is_paced && !sent.is_due(self.now);
        if !may_be_other && self.clock.as_ref().is_some_and(is_same) {
            return false;
        }
        let base_time = sink.base_time().unwrap_or_default();
        // One that waits for its master is as good as none.
        let clock = sink.clock();
        let clock = clock.and_then(|clock| Some((clock::time(&clock)?, clock)));
        // Without synchronisation a frame is handed over as it comes.
        let latency = if sink.is_sync() {
            sink.latency()
        } else {
            gst::ClockTime::ZERO
        };
        let is_same = match (&self.clock, &clock) {
            (Some(sent), Some((_, clock))) => {
                sent.clock == *clock
                    && sent.base_time == base_time
                    && sent.latency == latency
                    && sent.is_paced == is_paced
            }
            (None, None) => true,
            _ => false,
        };
        if !is_same {
            self.now = clock.as_ref().map(|(now, _)| *now);
            self.clock = clock.map(|(now, clock)| SentClock {
                id: clock::id(&clock).unwrap_or_default(),
                clock,
                base_time,
                latency,
                is_paced,
                at: now,
            });
        }
        !is_same
    }

    /// The clock's record, where it is time to tell it again. The next frame takes it along.
    pub fn due_clock(&mut self) -> Option<Vec<u8>> {
        let now = self.now?;
        let sent = self.clock.as_mut().filter(|sent| sent.is_due(Some(now)))?;
        sent.at = now;
        if sent.id.is_empty() {
            // It may have found its master since.
            sent.id = clock::id(&sent.clock).unwrap_or_default();
        }
        self.due = sent.record(now);
        self.due.clone()
    }

    /// What stands before a buffer in place of its header alone.
    pub fn lead(
        &mut self,
        buffer: &gst::BufferRef,
        segment: Option<&gst::FormattedSegment<gst::ClockTime>>,
    ) -> Option<Lead> {
        let record = describe::buffer(buffer, segment, self.sequence, self.now);
        self.sequence = self.sequence.wrapping_add(1);
        self.scratch.clear();
        let has_metas = describe::metas(buffer, self.video.as_ref(), &mut self.scratch);
        let len = buffer.size() as u64;
        if self.due.is_none() && !has_metas {
            return record.prefix(len).ok().map(Lead::Short);
        }
        let mut bytes = self.due.take().unwrap_or_default();
        Record::Buffer(record).encode(&mut bytes).ok()?;
        bytes.extend_from_slice(&self.scratch);
        bytes.extend_from_slice(&HeaderFormat::default().encode(len).ok()?);
        Some(Lead::Long(bytes.into()))
    }

    /// What stands before one of the stream's headers.
    pub fn lead_of_header(&self, len: usize) -> Option<Lead> {
        let record = Buffer {
            flags: BufferFlags::HEADER,
            ..Buffer::default()
        };
        record.prefix(len as u64).ok().map(Lead::Short)
    }
}

impl SentClock {
    /// Whether it is time to tell it again, or the clock has gone back.
    fn is_due(&self, now: Option<gst::ClockTime>) -> bool {
        let since = now.map(|now| now.checked_sub(self.at));
        since.is_some_and(|since| since.is_none_or(|since| since >= CLOCK_INTERVAL))
    }

    fn record(&self, now: gst::ClockTime) -> Option<Vec<u8>> {
        let mut record = Vec::new();
        let clock = Clock {
            now: now.nseconds(),
            base_time: self.base_time.nseconds(),
            unix_offset: clock::unix_offset(&self.clock),
            latency: self.latency.nseconds(),
            is_paced: self.is_paced,
            is_unix_synchronised: clock::is_unix_synchronised(),
            id: &self.id,
        };
        Record::Clock(clock).encode(&mut record).ok()?;
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        test_clocks::{self, SilentClock, SlowClock},
        wire::record::{RecordHead, RecordKind},
    };

    #[test]
    fn a_clock_is_told_once_it_shows_a_time() {
        gst::init().unwrap();
        let sink = gst::glib::Object::new::<VideoSocketSink>();
        let mut describing = Describing::default();
        let silent = gst::glib::Object::new::<SilentClock>();
        sink.set_clock(Some(&silent)).unwrap();
        assert!(!describing.update_clock(&sink, true, true));
        assert!(describing.due_clock().is_none());
        sink.set_clock(Some(&gst::SystemClock::obtain())).unwrap();
        assert!(describing.update_clock(&sink, true, false));
        sink.set_clock(Some(&silent)).unwrap();
        assert!(describing.update_clock(&sink, true, true), "it is no more");
        assert!(describing.clock.is_none());
    }

    #[test]
    fn a_clock_that_is_slow_to_read_is_not_told_to_be_ahead() {
        gst::init().unwrap();
        let describing = Describing {
            clock: Some(SentClock {
                clock: gst::glib::Object::new::<SlowClock>().upcast(),
                base_time: gst::ClockTime::ZERO,
                latency: gst::ClockTime::ZERO,
                is_paced: true,
                id: String::new(),
                at: gst::ClockTime::ZERO,
            }),
            ..Describing::default()
        };
        let description = describing.description();
        let mut record = Vec::new();
        description.append_to(&mut record, Instant::now());
        let shows = test_clocks::shows();
        let parsed = Record::parse(RecordKind::Clock, &record[RecordHead::LEN..]);
        let Ok(Record::Clock(clock)) = parsed else {
            panic!("{parsed:?}")
        };
        assert!(clock.now <= shows, "{} {shows}", clock.now);
    }
}
