//! What is said of the stream to peers that understand records.

use std::time::{Duration, Instant};

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
const CLOCK_INTERVAL: Duration = Duration::from_secs(1);

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
    at: Instant,
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
        let clock = self.clock.as_ref().map(|sent| (sent, sent.clock.time()));
        // Behind the reading: what passes between must not put the clock ahead.
        let now = Instant::now();
        let clock = clock.and_then(|(sent, time)| sent.record(time));
        Description::new(clock, records, now)
    }

    /// Notes which clock the element has, and says whether that is another than was told.
    pub fn update_clock(&mut self, sink: &VideoSocketSink, is_paced: bool, now: Instant) -> bool {
        let clock = sink.clock();
        let base_time = sink.base_time().unwrap_or_default();
        // Without synchronisation a frame is handed over as it comes.
        let latency = if sink.is_sync() {
            sink.latency()
        } else {
            gst::ClockTime::ZERO
        };
        let is_same = match (&self.clock, &clock) {
            (Some(sent), Some(clock)) => {
                sent.clock == *clock
                    && sent.base_time == base_time
                    && sent.latency == latency
                    && sent.is_paced == is_paced
            }
            (None, None) => true,
            _ => false,
        };
        if !is_same {
            self.clock = clock.map(|clock| SentClock {
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

    /// The clock's record, where it is time to tell it again.
    pub fn due_clock(&mut self, now: Instant) -> Option<Vec<u8>> {
        let sent = self.clock.as_mut()?;
        if now.saturating_duration_since(sent.at) < CLOCK_INTERVAL {
            return None;
        }
        sent.at = now;
        sent.record(sent.clock.time())
    }

    /// What stands before a buffer in place of its header alone, and behind `first`.
    pub fn lead(
        &mut self,
        buffer: &gst::BufferRef,
        segment: Option<&gst::FormattedSegment<gst::ClockTime>>,
        first: Option<&[u8]>,
    ) -> Option<Lead> {
        let clock = self.clock.as_ref().map(|sent| sent.clock.time());
        let record = describe::buffer(buffer, segment, self.sequence, clock);
        self.sequence = self.sequence.wrapping_add(1);
        self.scratch.clear();
        let has_metas = describe::metas(buffer, self.video.as_ref(), &mut self.scratch);
        let len = buffer.size() as u64;
        if first.is_none() && !has_metas {
            return record.prefix(len).ok().map(Lead::Short);
        }
        let mut bytes = first.unwrap_or_default().to_vec();
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
        slow_clock::{self, SlowClock},
        wire::record::{RecordHead, RecordKind},
    };

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
                at: Instant::now(),
            }),
            ..Describing::default()
        };
        let description = describing.description();
        let mut record = Vec::new();
        description.append_to(&mut record, Instant::now());
        let shows = slow_clock::shows();
        let parsed = Record::parse(RecordKind::Clock, &record[RecordHead::LEN..]);
        let Ok(Record::Clock(clock)) = parsed else {
            panic!("{parsed:?}")
        };
        assert!(clock.now <= shows, "{} {shows}", clock.now);
    }
}
