// SPDX-License-Identifier: MPL-2.0
//! What the source makes of records.

use std::{mem, time::Instant};

use gst::{prelude::*, subclass::prelude::*};
use gst_base::prelude::*;
use gst_video::{VideoInfo, VideoMeta};

use super::{
    CAT, allocation,
    described::{Effect, Here},
    imp::{Frame, FrameReceived, FrameReceiver, Run, VideoSocketSrc},
    layout::{self, Reads},
    premature,
    receiving::STREAM_OVER,
    settings::{Timestamps, ZeroLength},
};
use crate::{
    lock::lock,
    metadata::RestoreError,
    transport::Received,
    wire::record::{Buffer, Record},
};

/// More events before the first frame are left out.
const MAX_HELD_EVENTS: usize = 64;

impl VideoSocketSrc {
    /// Does what a record says.
    pub(super) fn take_record(
        &self,
        receiver: &mut FrameReceiver,
    ) -> Result<Option<Frame>, gst::FlowError> {
        let Some((record, came)) = receiver.record() else {
            return Ok(None);
        };
        gst::log!(CAT, imp = self, "Received {record:?}");
        if matches!(record, Record::Gap(_)) {
            // In a pause nobody knows yet when it will be.
            self.obj().wait_playing()?;
        }
        let here = self.here();
        let mut described = lock(&self.described);
        let effect = described.take(&record, came, here.as_ref());
        let is_hello = matches!(record, Record::Hello(_));
        let is_caps = matches!(record, Record::Caps(_));
        drop(described);
        if is_hello {
            let premature = lock(&self.run).as_mut().map(|run| {
                run.awaits_description = false;
                run.premature.forget()
            });
            if premature.is_some_and(|premature| premature.waits()) {
                lock(&self.described).lacks_keyframe();
            }
        }
        match effect {
            Ok(Effect::None) => (),
            Ok(Effect::Caps(caps)) => {
                self.take_caps(&caps)?;
                self.release_events();
            }
            Ok(Effect::Event(event)) => self.push_event(event),
            Ok(Effect::Segment(segment)) => {
                // Refused only where it is none.
                let _ = self.obj().new_segment(segment.upcast_ref());
            }
            // It may be others who have brought so many. But without its caps nobody knows what a frame is.
            Err(error @ RestoreError::TooManyNames { .. }) if !is_caps => {
                gst::warning!(CAT, imp = self, "A record is left out: {error}");
            }
            Err(error) => return self.refuse(error, receiver),
        }
        Ok(None)
    }

    /// The frames are of this type from now on.
    fn take_caps(&self, caps: &gst::Caps) -> Result<(), gst::FlowError> {
        let obj = self.obj();
        let pad = obj.src_pad();
        let mut wanted = None;
        if let Some(run) = &mut *lock(&self.run) {
            run.is_untyped = false;
            run.frame_size = allocation::raw_frame_size(caps);
            run.has_told_caps = true;
            run.is_warned_of_size = false;
            wanted = run.caps.clone();
        }
        if let Some(wanted) = wanted.filter(|wanted| !caps.is_subset(wanted)) {
            gst::element_imp_error!(
                self,
                gst::CoreError::Negotiation,
                (
                    "The peer sends {}, and the caps property allows {wanted} only",
                    short(caps)
                )
            );
            return Err(STREAM_OVER);
        }
        if pad.current_caps().as_ref() == Some(caps) {
            return Ok(());
        }
        gst::info!(CAT, imp = self, "The frames are {caps}");
        if obj.set_caps(caps).is_err() && !pad.pad_flags().contains(gst::PadFlags::FLUSHING) {
            let name = caps.structure(0).map(|caps| caps.name().to_string());
            gst::element_imp_error!(
                self,
                gst::StreamError::WrongType,
                (
                    "The frames are {}, which downstream does not take: put a decoder or a converter in between, for \
                     example decodebin3 or videoconvert",
                    name.unwrap_or_default()
                ),
                ["{}", short(caps)]
            );
            return Err(STREAM_OVER);
        }
        pad.mark_reconfigure();
        Ok(())
    }

    /// Sends an event downstream, or keeps it until that may be.
    fn push_event(&self, event: gst::Event) {
        if event.type_() == gst::EventType::StreamStart {
            self.obj().src_pad().push_event(event);
        } else if let Some(event) = self.hold_event(event) {
            self.push_behind_segment(event);
        }
    }

    /// Caps may not come behind a segment, which the event would bring along. Gives back one that need not wait.
    fn hold_event(&self, event: gst::Event) -> Option<gst::Event> {
        let has_caps = self.obj().src_pad().has_current_caps();
        let mut run = lock(&self.run);
        let waits = |run: &&mut Run| !has_caps && run.is_before_frames;
        let Some(run) = run.as_mut().filter(waits) else {
            return Some(event);
        };
        if run.held_events.len() < MAX_HELD_EVENTS {
            run.held_events.push(event);
        } else {
            gst::debug!(CAT, imp = self, "Too many before the caps: {event:?}");
        }
        None
    }

    /// The caps are there, or there will be none.
    pub(super) fn release_events(&self) {
        let mut run = lock(&self.run);
        let held = run.as_mut().map(|run| mem::take(&mut run.held_events));
        drop(run);
        for event in held.into_iter().flatten() {
            self.push_behind_segment(event);
        }
    }

    /// Most events need the segment before them, which the base class sends with the first buffer.
    fn push_behind_segment(&self, event: gst::Event) {
        self.ensure_segment();
        self.obj().src_pad().push_event(event);
    }

    fn ensure_segment(&self) {
        let obj = self.obj();
        let pad = obj.src_pad();
        if pad.sticky_event::<gst::event::Segment>(0).is_none() {
            pad.push_event(gst::event::Segment::new(&obj.segment()));
        }
    }

    /// The peer has sent what GStreamer cannot be given.
    pub(super) fn refuse(
        &self,
        error: RestoreError,
        receiver: &mut FrameReceiver,
    ) -> Result<Option<Frame>, gst::FlowError> {
        let received = receiver.refuse(error.to_string());
        self.take(received, receiver)
    }

    /// Keeps a frame that came before the peer had said what its frames are, which it is asked, or that follows such
    /// frames. Gives back any other.
    pub(super) fn keep_premature(&self, mut buffer: gst::Buffer) -> Option<gst::Buffer> {
        let does_timestamp = match &*lock(&self.run) {
            Some(run) if run.awaits_description || run.premature.is_to_be_handed_on() => {
                run.does_timestamp
            }
            _ => return Some(buffer),
        };
        // In a pause nobody knows yet when it will be.
        let is_playing = does_timestamp && self.obj().current_state() == gst::State::Playing;
        if let Some(time) = self.running_time().filter(|_| is_playing) {
            // As the base class does, but when it comes.
            let buffer = buffer.make_mut();
            buffer.set_pts(time);
            buffer.set_dts(time);
        }
        let is_over = !lock(&self.described).is_premature(Instant::now());
        let bytes = buffer.size();
        let has_room = lock(&self.run)
            .as_mut()
            .is_some_and(|run| run.premature.keep(buffer, bytes));
        if is_over || !has_room {
            self.release_premature();
        }
        None
    }

    /// What ends the stream, or the connection, goes behind the frames that were kept. Gives back anything else.
    pub(super) fn behind_premature(&self, received: FrameReceived) -> Option<FrameReceived> {
        let is_end = match &received {
            Received::Ended { .. } | Received::Failed(_) => true,
            Received::Frame(frame) => {
                frame.is_empty() && lock(&self.settings).zero_length == ZeroLength::Eos
            }
            Received::Record | Received::Interrupted => false,
        };
        if !is_end || !self.release_premature() {
            return Some(received);
        }
        if let Some(run) = &mut *lock(&self.run) {
            run.premature.end(received);
        }
        None
    }

    /// The peer does not say what its frames are. Says whether some were kept.
    pub(super) fn release_premature(&self) -> bool {
        let mut guard = lock(&self.run);
        let waits = |run: &&mut Run| run.awaits_description && run.premature.waits();
        let Some(run) = guard.as_mut().filter(waits) else {
            return false;
        };
        run.awaits_description = false;
        run.premature.release();
        drop(guard);
        gst::element_imp_warning!(
            self,
            gst::StreamError::Format,
            ("The peer does not say what its frames are, although metadata=request asks it to: it is no \
                 videosocketsink, or has metadata=off, lockstep=true or another header")
        );
        true
    }

    /// What was kept and is to be handed on, or until when a peer that is asked is waited for.
    pub(super) fn next_premature(
        &self,
    ) -> Result<premature::Next<gst::Buffer, FrameReceived>, Option<Instant>> {
        let mut guard = lock(&self.run);
        let Some(run) = guard.as_mut() else {
            return Err(None);
        };
        if let Some(next) = run.premature.next() {
            return Ok(next);
        }
        let waits = run.awaits_description && run.premature.waits();
        drop(guard);
        Err(waits.then(|| lock(&self.described).patience()).flatten())
    }

    /// Asks the peer for a keyframe that was asked for too early.
    pub(super) fn ask_again(&self) {
        if !lock(&self.described).is_keyframe_due() {
            return;
        }
        let here = self.here();
        let request = lock(&self.described).due_keyframe(Instant::now(), here.as_ref());
        if let Some((request, endpoint)) = request.zip(self.endpoint()) {
            endpoint.request(&request);
        }
    }

    /// A frame that was described, but for its times; none where it cannot be decoded.
    pub(super) fn finish_described(
        &self,
        mut buffer: gst::Buffer,
        record: &Buffer,
        receiver: &mut FrameReceiver,
    ) -> Result<Option<gst::Buffer>, RestoreError> {
        let mut described = lock(&self.described);
        if described.is_undecodable(record) {
            described.pass_over(record);
            return Ok(None);
        }
        described.restore(buffer.make_mut(), record)?;
        drop(described);
        if buffer.meta::<VideoMeta>().is_some() {
            buffer = self.readable(buffer, receiver);
        }
        Ok(self.finish_buffer(buffer))
    }

    /// The frame as downstream can read it.
    fn readable(&self, buffer: gst::Buffer, receiver: &mut FrameReceiver) -> gst::Buffer {
        let described = lock(&self.described);
        let (reads, usual) = (described.reads(), described.video());
        drop(described);
        let reads = reads.unwrap_or_else(|| self.ask_how_it_reads());
        match usual.filter(|usual| !reads.suits(&buffer, usual)) {
            Some(usual) => self.in_usual_layout(buffer, &usual, receiver),
            None => buffer,
        }
    }

    fn ask_how_it_reads(&self) -> Reads {
        let pad = self.obj().src_pad().clone();
        let caps = pad.current_caps();
        let reads = caps.map_or(Reads::default(), |caps| Reads::ask(pad.upcast_ref(), &caps));
        lock(&self.described).set_reads(reads);
        reads
    }

    fn in_usual_layout(
        &self,
        buffer: gst::Buffer,
        usual: &VideoInfo,
        receiver: &mut FrameReceiver,
    ) -> gst::Buffer {
        let copy = layout::usual(&buffer, usual, receiver.memory());
        gst::trace!(gst::CAT_PERFORMANCE, imp = self, "Lines are moved");
        copy.unwrap_or_else(|| {
            gst::warning!(
                CAT,
                imp = self,
                "Downstream may misread {buffer:?}: it cannot be copied"
            );
            buffer
        })
    }

    /// The pipeline's time, if it has a clock.
    pub(super) fn here(&self) -> Option<Here> {
        let obj = self.obj();
        let (clock, base_time) = (obj.clock()?, obj.base_time()?);
        Here::read(clock, base_time)
    }

    pub(super) fn running_time(&self) -> Option<gst::ClockTime> {
        self.here()?.running_time()
    }

    /// Gives a frame its times, if they are the sender's. The base class gives it others. The time is read once for
    /// frames that are handed on together.
    pub(super) fn stamp(&self, frame: &mut Frame, here: &mut Option<Here>) -> bool {
        let announced = frame.announced.take();
        let (stamps, is_plain) = match &mut *lock(&self.run) {
            Some(run) => {
                let stamps = announced.is_some() && run.timestamps != Timestamps::Arrival;
                if mem::replace(&mut run.stamps, stamps) != stamps {
                    let does_timestamp = run.does_timestamp && !stamps;
                    self.obj().set_do_timestamp(does_timestamp);
                }
                (stamps, announced.is_none() && run.wants_times)
            }
            None => return false,
        };
        if is_plain {
            self.warn_of_arrival_times();
        }
        let Some(announced) = announced else {
            return false;
        };
        if !stamps {
            if lock(&self.described).follows_gap(&announced.record) {
                frame.buffer.make_mut().set_flags(gst::BufferFlags::DISCONT);
            }
            return false;
        }
        if here.is_none() {
            *here = self.here();
        }
        let Some(here) = here else {
            return false;
        };
        let buffer = frame.buffer.make_mut();
        let has_times = lock(&self.described).stamp(buffer, &announced, here);
        if !has_times {
            self.warn_of_arrival_times();
        }
        true
    }

    /// Once, where the user has asked for others.
    fn warn_of_arrival_times(&self) {
        let mut run = lock(&self.run);
        let is_asked = run.as_mut().map(|run| mem::take(&mut run.wants_times));
        drop(run);
        if is_asked != Some(true) {
            return;
        }
        gst::element_imp_warning!(
            self,
            gst::StreamError::Format,
            ("The frames come without the sender's times, which timestamps=sender asks for: they have those of \
                 their arrival. The sender is to be a videosocketsink that is asked by metadata=request, and its \
                 buffers are to have times")
        );
    }

    /// Whether the base class would give a frame times that it is not to have: a header of the stream has none, and
    /// of the pieces of a picture only the first has a PTS. Where it counts frames it is to see those.
    pub(super) fn is_untimed(&self, buffer: &gst::BufferRef) -> bool {
        buffer.pts().is_none() && (buffer.dts().is_none() || self.obj().num_buffers() < 0)
    }

    /// Pushes a frame past the base class.
    pub(super) fn push_untimed(&self, buffer: gst::Buffer) -> Result<(), gst::FlowError> {
        self.ensure_segment();
        self.obj().src_pad().push(buffer).map(drop)
    }
}

/// As much of a peer's caps as a person reads.
fn short(caps: &gst::Caps) -> String {
    const LEN: usize = 200;
    let text = caps.to_string();
    match text.char_indices().nth(LEN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
