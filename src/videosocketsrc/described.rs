// SPDX-License-Identifier: MPL-2.0
//! What the peer has said of its stream, and what is asked of the peer.

use std::time::{Duration, Instant};

use gst_video::{UpstreamForceKeyUnitEvent, VideoInfo};
use once_cell::sync::Lazy;

use super::{
    CAT,
    layout::Reads,
    timing::{self, ReadAt, Timing, TimingStats},
};
use crate::{
    asked::{Asked, AskedFrom},
    metadata::{RestoreError, clock, comes_in_pieces, describe, raw_video, restore},
    transport::Arrival,
    wire::record::{
        Back, Buffer, BufferFlags, Clock, Meta, Record, RecordKind, Scope, StreamStart, Upstream,
    },
};

/// Requests of the same kind closer than this are one.
const KEYFRAME_INTERVAL: Duration = Duration::from_secs(1);
const QOS_INTERVAL: Duration = Duration::from_millis(100);
const NAVIGATION_INTERVAL: Duration = Duration::from_millis(16);

/// A peer that is asked what its frames are has this long to begin to say so. What comes before that is not of the
/// stream that it describes.
const PATIENCE: Duration = Duration::from_secs(2);

/// So many different things are remembered.
const MAX_SAID: usize = 64;

static UNIX_TIME: Lazy<gst::Caps> = Lazy::new(|| {
    let mut caps = gst::Caps::new_empty_simple("timestamp/x-unix");
    caps.make_mut().mark_may_be_leaked();
    caps
});

/// The stream of one element, over all connections.
#[derive(Default)]
pub struct Described {
    timing: Timing,
    /// What the peer takes, once it has greeted.
    back: Option<Back>,
    /// Each peer is greeted as it comes.
    greets_at_once: bool,
    /// This one has been, as it has to be before it is asked for anything.
    has_greeted: bool,
    /// Since when the peer is asked, and has not.
    asked: Option<Instant>,
    /// Frames were left out: what follows them cannot be decoded without a keyframe.
    lacks_keyframe: bool,
    /// The clock as it was told, and when, until this side has one to compare it with.
    told_clock: Option<(Clock<'static>, Arrival)>,
    /// What that is called.
    told_id: String,
    own_clock: Option<(gst::Clock, Option<String>)>,
    /// What the frames of this connection are.
    caps: Option<gst::Caps>,
    video: Option<VideoInfo>,
    /// What they are by the caps that the user allows, until the peer says more.
    allowed_video: Option<VideoInfo>,
    /// Each is a piece of a picture.
    are_pieces: bool,
    /// How downstream reads such frames, once it has been asked.
    reads: Option<Reads>,
    /// Those of the next frame.
    metas: Vec<(String, Vec<u8>)>,
    stream_id: Option<String>,
    /// The first one, which downstream has.
    told_stream_id: Option<String>,
    /// What was said last of what is said again to each who comes, each with its letter and its beginning.
    said: Vec<(RecordKind, String, String)>,
    keyframe: Asked,
    /// Those from a time on, by the sender's.
    later_keyframes: AskedFrom<u64>,
    qos: Asked,
    navigation: Asked,
}

/// What was said of a frame.
#[derive(Clone)]
pub struct Announced {
    pub record: Buffer,
    /// When that came.
    pub came: Arrival,
    /// The frame itself has not come before.
    pub waited_until: Instant,
}

/// What is to be done because of a record.
pub enum Effect {
    /// Nothing for now.
    None,
    /// The frames are of this type.
    Caps(gst::Caps),
    /// Send this downstream.
    Event(gst::Event),
    /// The frames are of another segment.
    Segment(gst::FormattedSegment<gst::ClockTime>),
}

/// What comes of an upstream event.
pub enum Request {
    /// It goes to the peer as this record.
    Record(Vec<u8>),
    /// It came too soon after another: a later one goes in its place, or for a keyframe itself, later.
    Postponed,
    /// It is none that the peer takes now.
    Refused,
}

/// The pipeline's time, now.
pub struct Here {
    clock: gst::Clock,
    base_time: gst::ClockTime,
    now: gst::ClockTime,
    at: Instant,
}

impl Described {
    pub fn new(
        latency: gst::ClockTime,
        greets_at_once: bool,
        allowed: Option<&gst::CapsRef>,
    ) -> Self {
        let allowed_video = allowed.and_then(raw_video);
        Self {
            video: allowed_video.clone(),
            allowed_video,
            timing: Timing::new(latency.nseconds()),
            greets_at_once,
            has_greeted: greets_at_once,
            ..Self::default()
        }
    }

    pub fn set_latency(&mut self, latency: gst::ClockTime) {
        self.timing.set_latency(latency.nseconds());
    }

    /// What comes next comes on another connection.
    pub fn connected(&mut self) {
        self.timing.connected();
        self.back = None;
        self.has_greeted = self.greets_at_once;
        self.asked = None;
        self.lacks_keyframe = false;
        // By the clock of another sender.
        self.later_keyframes.forget();
        self.told_clock = None;
        self.caps = None;
        self.video = self.allowed_video.clone();
        self.set_pieces(false);
        self.metas.clear();
    }

    fn set_pieces(&mut self, are_pieces: bool) {
        self.are_pieces = are_pieces;
        self.timing.set_pieces(are_pieces);
    }

    /// Nothing comes any more. What was measured can still be asked for.
    pub fn stop(&mut self) {
        let timing = std::mem::take(&mut self.timing);
        *self = Self {
            timing,
            ..Self::default()
        };
    }

    /// What the frames are, if the peer has said so.
    pub fn caps(&self) -> Option<gst::Caps> {
        self.caps.clone()
    }

    /// Whether a peer that is asked what its frames are may still say so. It is waited for no longer once that is false.
    pub fn is_premature(&mut self, now: Instant) -> bool {
        let asked = *self.asked.get_or_insert(now);
        self.back.is_none() && now.saturating_duration_since(asked) < PATIENCE
    }

    /// When that is no more so.
    pub fn patience(&self) -> Option<Instant> {
        self.asked.map(|asked| asked + PATIENCE)
    }

    /// Frames were left out: what follows them cannot be decoded without a keyframe.
    pub fn lacks_keyframe(&mut self) {
        self.lacks_keyframe = true;
        self.keyframe.is_due = true;
    }

    /// Whether a frame cannot be decoded, since what it needs was left out.
    pub fn is_undecodable(&mut self, record: &Buffer) -> bool {
        // Of a keyframe in pieces its parameter sets come before the piece by which it is known.
        let is_alone = record.pts.or(record.dts).is_none() || self.are_pieces;
        if record.flags.contains(BufferFlags::HEADER) && is_alone {
            return false;
        }
        self.lacks_keyframe &= record.flags.contains(BufferFlags::DELTA_UNIT);
        self.lacks_keyframe
    }

    /// A frame is handed on to nobody.
    pub fn pass_over(&mut self, record: &Buffer) {
        self.metas.clear();
        self.timing.follows_gap(record);
    }

    /// A frame is handed on without the sender's times. Says whether something is missing before it.
    pub fn follows_gap(&mut self, record: &Buffer) -> bool {
        self.timing.follows_gap(record)
    }

    /// Takes note of a record that came then.
    pub fn take(
        &mut self,
        record: &Record<'_>,
        came: Arrival,
        here: Option<&Here>,
    ) -> Result<Effect, RestoreError> {
        match record {
            Record::Hello(hello) => {
                // Of two, the one of a sender says what it takes.
                let back = self.back.get_or_insert(hello.back);
                back.keyframe |= hello.back.keyframe;
                back.qos |= hello.back.qos;
                back.navigation |= hello.back.navigation;
            }
            Record::Clock(clock) => {
                self.told_clock = Some((clock.with_id(""), came));
                self.told_id = clock.id.into();
                if let Some(here) = here {
                    self.settle_clock(here);
                }
            }
            Record::StreamStart(start) => {
                if self.stream_id.as_deref() != Some(start.id) {
                    self.said.clear();
                    self.stream_id = Some(start.id.into());
                    // Another that comes without a collection of streams ends a program with decodebin3 of
                    // GStreamer 1.26 and later.
                    let id = self.told_stream_id.get_or_insert_with(|| start.id.into());
                    let start = StreamStart { id, ..*start };
                    return Ok(Effect::Event(restore::stream_start(&start)));
                }
            }
            Record::Caps(text) => {
                let caps = restore::caps(*text)?;
                self.video = raw_video(&caps);
                self.set_pieces(comes_in_pieces(&caps));
                self.reads = None;
                self.caps = Some(caps.clone());
                return Ok(Effect::Caps(caps));
            }
            Record::Tags(tags) => {
                let scope = match tags.scope {
                    Scope::Stream => "stream",
                    Scope::Global => "global",
                };
                if self.was_said(RecordKind::Tags, scope, &tags.text) {
                    return Ok(Effect::None);
                }
                let list = restore::tags(tags)?;
                if list.n_tags() > 0 {
                    return Ok(Effect::Event(gst::event::Tag::new(list)));
                }
            }
            Record::Segment(segment) => {
                if !self.was_said(RecordKind::Segment, "", &format!("{segment:?}")) {
                    return Ok(Effect::Segment(restore::segment(segment)?));
                }
            }
            Record::Gap(gap) => {
                if let Some(here) = here {
                    let time =
                        self.timing
                            .gap(gap.time, here.now.nseconds(), here.base_time.nseconds());
                    let time = time.map(gst::ClockTime::from_nseconds);
                    let duration =
                        timing::duration(gap.duration).map(gst::ClockTime::from_nseconds);
                    let event =
                        time.map(|time| gst::event::Gap::builder(time).duration(duration).build());
                    return Ok(event.map_or(Effect::None, Effect::Event));
                }
            }
            Record::Event(event) => {
                let name = event.text.split(',').next().unwrap_or_default();
                if event.is_sticky && self.was_said(RecordKind::Event, name, &event.text) {
                    return Ok(Effect::None);
                }
                return Ok(restore::event(event)?.map_or(Effect::None, Effect::Event));
            }
            Record::Meta(meta) => self.metas.push((meta.name.into(), meta.data.to_vec())),
            Record::Buffer(_) | Record::End | Record::Upstream(_) | Record::Probe(_) => (),
        }
        Ok(Effect::None)
    }

    /// Whether this was said last of that. More than some is not remembered.
    fn was_said(&mut self, kind: RecordKind, of: &str, text: &str) -> bool {
        let mut said = self.said.iter();
        let before = said.position(|(other, name, _)| *other == kind && name == of);
        let Some(at) = before else {
            if self.said.len() < MAX_SAID {
                self.said.push((kind, of.into(), text.into()));
            }
            return false;
        };
        let last = std::mem::replace(&mut self.said[at].2, text.into());
        last == text
    }

    /// Whether another segment than the usual one was said, which no longer holds.
    pub fn forget_segment(&mut self) -> bool {
        let mut said = self.said.iter();
        let at = said.position(|(kind, ..)| *kind == RecordKind::Segment);
        at.map(|at| self.said.remove(at)).is_some()
    }

    /// Gives a frame what was said of it, but for its times.
    pub fn restore(
        &mut self,
        buffer: &mut gst::BufferRef,
        record: &Buffer,
    ) -> Result<(), RestoreError> {
        restore::buffer(buffer, record);
        let duration = timing::duration(record.duration);
        buffer.set_duration(duration.map(gst::ClockTime::from_nseconds));
        for (name, data) in self.metas.drain(..) {
            let (name, data) = (name.as_str(), data.as_slice());
            match restore::meta(buffer, &Meta { name, data }, self.video.as_ref()) {
                // It may be others who have brought so many.
                Err(error @ RestoreError::TooManyNames { .. }) => {
                    gst::warning!(CAT, "A meta is left out: {error}");
                }
                restored => drop(restored?),
            }
        }
        Ok(())
    }

    /// Downstream was asked how it reads raw video.
    pub fn set_reads(&mut self, reads: Reads) {
        self.reads = Some(reads);
    }

    pub fn reads(&self) -> Option<Reads> {
        self.reads
    }

    /// The layout of raw video by its caps.
    pub fn video(&self) -> Option<VideoInfo> {
        self.video.clone()
    }

    /// Gives a frame its times, which is handed on now. Says whether the sender tells such times.
    pub fn stamp(
        &mut self,
        buffer: &mut gst::BufferRef,
        announced: &Announced,
        here: &Here,
    ) -> bool {
        self.settle_clock(here);
        let (now, base_time) = (here.now.nseconds(), here.base_time.nseconds());
        let Announced {
            record,
            came,
            waited_until,
        } = announced;
        let (read_at, waited_until) = (here.then(*came), here.time_at(*waited_until));
        let timed = self
            .timing
            .frame(record, read_at, waited_until, now, base_time);
        buffer.set_pts(timed.pts.map(gst::ClockTime::from_nseconds));
        buffer.set_dts(timed.dts.map(gst::ClockTime::from_nseconds));
        if timed.is_discontinuous {
            buffer.set_flags(gst::BufferFlags::DISCONT);
        }
        if let Some(time) = self.timing.unix_time(record)
            && !has_unix_time(buffer)
        {
            let time = gst::ClockTime::from_nseconds(time);
            gst::ReferenceTimestampMeta::add(buffer, &UNIX_TIME, time, gst::ClockTime::NONE);
        }
        !timed.lacks_times
    }

    /// Compares the sender's clock, as it was told last, with this side's.
    fn settle_clock(&mut self, here: &Here) {
        let own = self.own_clock.as_ref();
        if own.is_none_or(|(own, _)| *own != here.clock) {
            if self.own_clock.is_some() {
                self.timing.clock_changed();
            }
            self.own_clock = Some((here.clock.clone(), clock::id(&here.clock)));
        }
        if let Some((told, came)) = self.told_clock.take() {
            if let Some((own, id @ None)) = &mut self.own_clock {
                // It may have found its master since.
                *id = clock::id(own);
            }
            let id = self.own_clock.as_ref().and_then(|(_, id)| id.as_deref());
            let were_apart = self.timing.are_clocks_apart();
            let told = told.with_id(&self.told_id);
            self.timing.clock(&told, here.then(came), id);
            if self.timing.are_clocks_apart() && !were_apart {
                gst::warning!(
                    CAT,
                    "The sender's clock is said to be this side's, {id:?}, and shows another time: it is followed"
                );
            }
        }
    }

    pub fn stats(&self) -> TimingStats {
        self.timing.stats()
    }

    /// What of an upstream event goes to the peer.
    pub fn request(
        &mut self,
        event: &gst::EventRef,
        base_time: Option<gst::ClockTime>,
        now: Instant,
    ) -> Request {
        let Some(back) = self.back else {
            return Request::Refused;
        };
        let later = later_keyframe(event)
            .zip(base_time)
            .and_then(|(time, base_time)| self.timing.to_sender(time, base_time.nseconds()));
        if let (Some(time), true) = (later, back.keyframe) {
            self.later_keyframes.add(time);
            let record = self.later_keyframe_record(now, None);
            return record.map_or(Request::Postponed, Request::Record);
        }
        let (is_taken, asked, interval) = match event.type_() {
            gst::EventType::Qos => (back.qos, &mut self.qos, QOS_INTERVAL),
            gst::EventType::Navigation => {
                (back.navigation, &mut self.navigation, NAVIGATION_INTERVAL)
            }
            _ => (back.keyframe, &mut self.keyframe, KEYFRAME_INTERVAL),
        };
        let timing = &self.timing;
        let to_sender = |time: gst::ClockTime| {
            let time = timing.to_sender(time.nseconds(), base_time?.nseconds())?;
            Some(gst::ClockTime::from_nseconds(time))
        };
        let mut record = Vec::new();
        if !is_taken || !describe::upstream(event, to_sender, &mut record) {
            return Request::Refused;
        }
        // A button that is pressed, or let go of, is no later one's to replace.
        let is_single = event.type_() == gst::EventType::Navigation && !is_mouse_move(event);
        match is_single || asked.ask(interval, now) {
            true => Request::Record(self.behind_hello(record)),
            false => Request::Postponed,
        }
    }

    /// Whether a keyframe was asked for too early.
    pub fn is_keyframe_due(&self) -> bool {
        self.keyframe.is_due || self.later_keyframes.is_due()
    }

    /// A keyframe that was asked for too early, as a record, if it is time to ask.
    pub fn due_keyframe(&mut self, now: Instant, here: Option<&Here>) -> Option<Vec<u8>> {
        if !self.back.is_some_and(|back| back.keyframe) {
            return None;
        }
        let present = here.and_then(|here| {
            let running_time = here.running_time()?.nseconds();
            self.timing
                .to_sender(running_time, here.base_time.nseconds())
        });
        if let Some(request) = self.later_keyframe_record(now, present) {
            return Some(request);
        }
        if !self.keyframe.ask_if_due(KEYFRAME_INTERVAL, now) {
            return None;
        }
        self.keyframe_record(None)
    }

    fn later_keyframe_record(&mut self, now: Instant, present: Option<u64>) -> Option<Vec<u8>> {
        let time = self.later_keyframes.next(KEYFRAME_INTERVAL, now, present)?;
        self.keyframe_record(Some(time))
    }

    fn keyframe_record(&mut self, running_time: Option<u64>) -> Option<Vec<u8>> {
        let request = Upstream::Keyframe {
            all_headers: true,
            running_time,
        };
        let mut record = Vec::new();
        Record::Upstream(request).encode(&mut record).ok()?;
        Some(self.behind_hello(record))
    }

    /// The first request of a connection stands behind a hello, unless that was said at once.
    fn behind_hello(&mut self, request: Vec<u8>) -> Vec<u8> {
        if std::mem::replace(&mut self.has_greeted, true) {
            return request;
        }
        [describe::hello(Back::default()), request].concat()
    }
}

/// A relay passes on when the frame was made, which it knows less well by its own clock.
fn has_unix_time(buffer: &gst::BufferRef) -> bool {
    let mut metas = buffer.iter_meta::<gst::ReferenceTimestampMeta>();
    metas.any(|meta| meta.reference().is_strictly_equal(&UNIX_TIME))
}

/// From which running time on a keyframe is wanted, where the event says.
fn later_keyframe(event: &gst::EventRef) -> Option<u64> {
    let request = UpstreamForceKeyUnitEvent::parse(event).ok()?;
    request.running_time.map(gst::ClockTime::nseconds)
}

fn is_mouse_move(event: &gst::EventRef) -> bool {
    let structure = event.structure();
    let kind = structure.and_then(|structure| structure.get::<&str>("event").ok());
    kind == Some("mouse-move")
}

impl Here {
    /// None where the clock shows no time yet.
    pub fn read(clock: gst::Clock, base_time: gst::ClockTime) -> Option<Self> {
        // What passes between the two readings makes what came seem later, as a slow network does, and the sender's
        // clock never ahead.
        let at = Instant::now();
        let now = clock::time(&clock)?;
        Some(Self {
            clock,
            base_time,
            now,
            at,
        })
    }

    /// As GStreamer reckons: of a clock that has begun anew the base time is one of before that.
    pub fn running_time(&self) -> Option<gst::ClockTime> {
        let time = self.now.nseconds().wrapping_sub(self.base_time.nseconds());
        let is_begun = i64::try_from(time).is_ok();
        is_begun.then(|| gst::ClockTime::from_nseconds(time))
    }

    /// What the clock showed then.
    fn then(&self, came: Arrival) -> ReadAt {
        ReadAt {
            time: self.time_at(came.at),
            is_awaited: came.is_awaited,
        }
    }

    fn time_at(&self, then: Instant) -> u64 {
        let since = self.at.saturating_duration_since(then).as_nanos();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        self.now.nseconds().saturating_sub(since)
    }
}

#[cfg(test)]
mod tests {
    use gst::prelude::*;

    use super::*;
    use crate::{
        test_clocks::{self, SilentClock, SlowClock},
        wire::record::Hello,
    };

    #[test]
    fn of_a_clock_that_has_begun_anew_the_running_time_goes_on() {
        gst::init().unwrap();
        let at = |now, base_time: i64| Here {
            clock: gst::SystemClock::obtain(),
            base_time: gst::ClockTime::from_nseconds(base_time.cast_unsigned()),
            now: gst::ClockTime::from_nseconds(now),
            at: Instant::now(),
        };
        let time = gst::ClockTime::from_nseconds;
        assert_eq!(at(5, -7).running_time(), Some(time(12)));
        assert_eq!(at(5, 5).running_time(), Some(time(0)));
        assert_eq!(at(5, 6).running_time(), None);
    }

    #[test]
    fn without_a_time_it_is_nowhere() {
        gst::init().unwrap();
        let clock = gst::glib::Object::new::<SilentClock>();
        assert!(Here::read(clock.upcast(), gst::ClockTime::ZERO).is_none());
    }

    #[test]
    fn a_clock_that_is_slow_to_read_showed_no_earlier_time() {
        gst::init().unwrap();
        let clock = gst::glib::Object::new::<SlowClock>();
        let shown = test_clocks::shows();
        let came = Arrival {
            at: Instant::now(),
            is_awaited: true,
        };
        let here = Here::read(clock.upcast(), gst::ClockTime::ZERO).unwrap();
        let (at, now) = (here.then(came).time, here.now.nseconds());
        assert!(at >= shown, "{at} {shown}");
        assert!(at <= now && now <= test_clocks::shows());
    }

    #[test]
    fn a_keyframe_from_a_time_on_that_is_asked_for_too_early_is_asked_for_later() {
        gst::init().unwrap();
        let start = Instant::now();
        let here = Here {
            clock: gst::SystemClock::obtain(),
            base_time: gst::ClockTime::ZERO,
            now: gst::ClockTime::from_seconds(100),
            at: start,
        };
        let came = Arrival {
            at: start,
            is_awaited: true,
        };
        let mut described = Described::default();
        let back = Back {
            keyframe: true,
            ..Back::default()
        };
        let hello = Record::Hello(Hello {
            back,
            ..Hello::default()
        });
        let clock = Record::Clock(Clock {
            now: 0,
            base_time: 0,
            unix_offset: None,
            latency: 0,
            is_paced: true,
            is_unix_synchronised: false,
            id: "",
        });
        for record in [hello, clock] {
            described.take(&record, came, Some(&here)).unwrap();
        }
        let ask = |described: &mut Described, seconds, now| {
            let event = UpstreamForceKeyUnitEvent::builder()
                .running_time(gst::ClockTime::from_seconds(seconds))
                .build();
            described.request(&event, Some(gst::ClockTime::ZERO), now)
        };
        let after = |millis| start + Duration::from_millis(millis);
        assert!(matches!(
            ask(&mut described, 110, start),
            Request::Record(_)
        ));
        for (seconds, millis) in [(130, 900), (120, 990)] {
            let early = ask(&mut described, seconds, after(millis));
            assert!(matches!(early, Request::Postponed));
        }
        let mut due = |millis| {
            let request = described.due_keyframe(after(millis), Some(&here))?;
            String::from_utf8(request).ok()
        };
        assert_eq!(due(999), None);
        assert!(due(1_000).is_some_and(|request| request.ends_with("=20000000000")));
        assert!(due(2_000).is_some_and(|request| request.ends_with("=30000000000")));
        assert_eq!(due(9_000), None);
    }
}
