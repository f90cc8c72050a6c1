// SPDX-License-Identifier: MPL-2.0
//! Frames on their way in.

use std::{mem, sync::Arc};

use gst::{prelude::*, subclass::prelude::*};
use gst_base::prelude::*;
use gst_video::VideoMeta;

use super::{
    CAT, allocation, batch, caps,
    described::Announced,
    imp::{Frame, FrameReceived, FrameReceiver, VideoSocketSrc},
    premature,
    settings::{Metadata, ZeroLength},
};
use crate::{fault::here, lock::lock, net::Error, transport::Received};

/// After an error of our own. The base class would post a second one, without a cause, for an error; like
/// that, this ends the stream downstream.
pub(super) const STREAM_OVER: gst::FlowError = gst::FlowError::Eos;

/// Room for as many frames in a list; where there are more it grows.
const BATCH: usize = 64;

impl VideoSocketSrc {
    /// The next buffer, or the end of the stream.
    pub(super) fn next(&self, receiver: &mut FrameReceiver) -> Result<gst::Buffer, gst::FlowError> {
        loop {
            let undelivered = lock(&self.undelivered).take();
            let next = undelivered.unwrap_or_else(|| self.receive(receiver));
            let first = next.inspect_err(|end| {
                if *end != gst::FlowError::Flushing {
                    self.keep(Err(*end));
                }
            })?;
            if let Err(flushing) = self.obj().wait_playing() {
                self.keep(Ok(first));
                return Err(flushing);
            }
            let mut last = self.push_read_ahead(first, receiver)?;
            if self.stamp(&mut last, &mut None) && self.is_untimed(&last.buffer) {
                self.push_untimed(last.buffer)?;
                continue;
            }
            self.keep(Ok(last.clone()));
            return Ok(last.buffer);
        }
    }

    fn keep(&self, undelivered: Result<Frame, gst::FlowError>) {
        *lock(&self.undelivered) = Some(undelivered);
    }

    fn receive(&self, receiver: &mut FrameReceiver) -> Result<Frame, gst::FlowError> {
        loop {
            let received = match self.next_premature() {
                Ok(premature::Next::Frame(buffer)) => match self.finish_buffer(buffer) {
                    Some(buffer) => return Ok(Frame::plain(buffer)),
                    None => continue,
                },
                Ok(premature::Next::End(end)) => end,
                Err(patience) => match receiver.next_until(patience) {
                    Some(received) => received,
                    None => {
                        self.release_premature();
                        continue;
                    }
                },
            };
            if let Some(received) = self.behind_premature(received)
                && let Some(frame) = self.take(received, receiver)?
            {
                return Ok(frame);
            }
        }
    }

    /// The frame that comes of what was received, if one does.
    pub(super) fn take(
        &self,
        received: FrameReceived,
        receiver: &mut FrameReceiver,
    ) -> Result<Option<Frame>, gst::FlowError> {
        match received {
            Received::Frame(frame) => {
                if frame.is_empty() {
                    let zero_length = lock(&self.settings).zero_length;
                    match zero_length {
                        ZeroLength::Frame => (),
                        ZeroLength::Skip => {
                            if let Some((record, _)) = receiver.announced() {
                                lock(&self.described).pass_over(&record);
                            }
                            return Ok(None);
                        }
                        ZeroLength::Eos => return Err(gst::FlowError::Eos),
                    }
                }
                let announced = receiver.announced();
                let mut buffer = frame.into_buffer();
                if announced.is_none() {
                    match self.keep_premature(buffer) {
                        Some(kept_back) => buffer = kept_back,
                        None => return Ok(None),
                    }
                }
                self.ask_again();
                match announced {
                    None => Ok(self.finish_buffer(buffer).map(Frame::plain)),
                    Some((record, came)) => {
                        let announced = Some(Announced {
                            record,
                            came,
                            waited_until: receiver.waited_until().unwrap_or(came.at),
                        });
                        match self.finish_described(buffer, &record, receiver) {
                            Ok(buffer) => Ok(buffer.map(|buffer| Frame { buffer, announced })),
                            Err(error) => self.refuse(error, receiver),
                        }
                    }
                }
            }
            Received::Record => self.take_record(receiver),
            Received::Ended { fault, goes_on } => {
                self.connection_ended(fault, goes_on)?;
                Ok(None)
            }
            Received::Failed(error) => {
                if let Some(reporter) = self.reporter() {
                    reporter.fail(&error, here!());
                }
                Err(STREAM_OVER)
            }
            Received::Interrupted => Err(gst::FlowError::Flushing),
        }
    }

    /// Pushes a frame and those that were read along with it, as small ones are, but for the last.
    ///
    /// The base class is not to push a list: one that a flush meets there loses a reference too many.
    fn push_read_ahead(
        &self,
        first: Frame,
        receiver: &mut FrameReceiver,
    ) -> Result<Frame, gst::FlowError> {
        if receiver.frame_ahead().is_none() || self.is_beginning() || !self.pushes_lists() {
            return Ok(first);
        }
        let (list, mut last) = self.read_ahead(first, receiver);
        if list.is_empty() {
            return Ok(last);
        }
        let count = list.len();
        gst::trace!(CAT, imp = self, "Received {count} frames along");
        match self.obj().src_pad().push_list(list) {
            Ok(_) => Ok(last),
            // Of the last one the base class knows what to do.
            Err(gst::FlowError::NotNegotiated) => {
                gst::warning!(
                    CAT,
                    imp = self,
                    "Downstream has taken none of {count} frames"
                );
                let buffer = last.buffer.make_mut();
                buffer.set_flags(gst::BufferFlags::DISCONT);
                Ok(last)
            }
            Err(error) => Err(error),
        }
    }

    /// So far there were only empty frames, or headers, or others follow that came before.
    fn is_beginning(&self) -> bool {
        let run = lock(&self.run);
        run.as_ref().is_some_and(|run| {
            run.is_untyped || run.is_before_base || run.premature.is_to_be_handed_on()
        })
    }

    /// The base class counts buffers, and sends the events that come before the first.
    fn pushes_lists(&self) -> bool {
        let obj = self.obj();
        let pad = obj.src_pad();
        let (sent, due) = (pad.sticky_event::<gst::event::Segment>(0), obj.segment());
        let is_sent = |sent: &gst::Segment| {
            sent.applied_rate() == due.applied_rate() && sent.time() == due.time()
        };
        obj.num_buffers() < 0
            && sent.is_some_and(|event| is_sent(event.segment()))
            && batch::is_seen(pad)
    }

    fn read_ahead(&self, first: Frame, receiver: &mut FrameReceiver) -> (gst::BufferList, Frame) {
        // As the base class does for a buffer.
        let run = lock(&self.run);
        let does_timestamp = run.as_ref().is_some_and(|run| run.does_timestamp);
        drop(run);
        let mut time = self.running_time().filter(|_| does_timestamp);
        let mut list = gst::BufferList::new_sized(BATCH);
        let buffers = list.make_mut();
        let mut last = first;
        let mut here = None;
        // What an empty frame means is for the next call to say.
        while receiver.frame_ahead().is_some_and(|len| len > 0) {
            // An end is told of here, and met with by the next call as well.
            let received = receiver.next();
            let Ok(Some(next)) = self.take(received, receiver) else {
                break;
            };
            let mut before = mem::replace(&mut last, next);
            if !self.stamp(&mut before, &mut here)
                && let Some(before) = before.buffer.get_mut()
            {
                before.set_pts(time);
                before.set_dts(time);
            }
            buffers.add(before.buffer);
            // Parsers take a time that they had before for none, and make up a later one.
            time = time.map(|time| time + gst::ClockTime::NSECOND);
        }
        (list, last)
    }

    /// None where it is shorter than raw video of its caps: encoders read behind it.
    pub(super) fn finish_buffer(&self, mut buffer: gst::Buffer) -> Option<gst::Buffer> {
        let mut run = lock(&self.run);
        let size = run.as_ref().and_then(|run| run.frame_size);
        if let Some(size) = size.filter(|size| *size != buffer.size()) {
            drop(run);
            if !self.is_long_enough(&buffer, size) {
                gst::log!(CAT, imp = self, "Too short to be passed on: {buffer:?}");
                return None;
            }
            run = lock(&self.run);
        }
        let (mut is_discontinuous, mut is_untyped, mut is_first) = (false, false, false);
        if let Some(run) = &mut *run {
            is_discontinuous = mem::take(&mut run.is_discontinuous);
            is_untyped = run.is_untyped && buffer.size() > 0;
            run.is_untyped &= !is_untyped;
            is_first = mem::take(&mut run.is_before_frames);
        }
        drop(run);
        if is_untyped {
            let untaken_type = caps::find(&self.obj(), &buffer);
            if let Some(run) = &mut *lock(&self.run) {
                run.untaken_type = untaken_type;
            }
        }
        if is_first {
            self.release_events();
        }
        if is_discontinuous && let Some(buffer) = buffer.get_mut() {
            buffer.set_flags(gst::BufferFlags::DISCONT);
        }
        gst::trace!(CAT, imp = self, "Received {buffer:?}");
        Some(buffer)
    }

    /// Whether raw video that by its caps has so many bytes has them. Of the first frame that has others the user is
    /// told.
    fn is_long_enough(&self, buffer: &gst::BufferRef, size: usize) -> bool {
        let mut guard = lock(&self.run);
        let Some(run) = guard
            .as_mut()
            .filter(|_| buffer.meta::<VideoMeta>().is_none())
        else {
            return true;
        };
        let is_long_enough = buffer.size() > size;
        run.is_discontinuous |= !is_long_enough;
        // Who tells the caps may send what is longer.
        let is_odd = !is_long_enough || !run.has_told_caps;
        let warns = is_odd && !mem::replace(&mut run.is_warned_of_size, true);
        drop(guard);
        if warns {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Format,
                (
                    "By the caps a frame has {size} bytes, but one of {} has come: \
                     its width, height or format is another. Shorter ones are left out",
                    buffer.size()
                )
            );
        }
        is_long_enough
    }

    fn connection_ended(
        &self,
        fault: Option<Arc<Error>>,
        goes_on: bool,
    ) -> Result<(), gst::FlowError> {
        match fault {
            fault if goes_on => self.go_on(fault),
            Some(fault) => {
                if let Some(reporter) = self.reporter() {
                    reporter.fail(&fault, here!());
                }
                return Err(STREAM_OVER);
            }
            None => return Err(gst::FlowError::Eos),
        }
        let mut described = lock(&self.described);
        described.connected();
        let had_segment = described.forget_segment();
        drop(described);
        if had_segment {
            let usual = gst::FormattedSegment::<gst::ClockTime>::new();
            // Refused only where it is none.
            let _ = self.obj().new_segment(usual.upcast_ref());
        }
        if let Some(run) = &mut *lock(&self.run) {
            run.is_discontinuous = true;
            run.is_untyped = run.caps.is_none();
            run.awaits_description = run.metadata == Metadata::Request;
            run.frame_size = run.caps.as_deref().and_then(allocation::raw_frame_size);
            run.has_told_caps = false;
            run.is_warned_of_size = false;
        }
        Ok(())
    }

    fn go_on(&self, fault: Option<Arc<Error>>) {
        let received = self
            .endpoint()
            .map_or(0, |endpoint| endpoint.totals().received.frames.get());
        if let Some(reporter) = self.reporter() {
            reporter.go_on(fault, received, here!());
        }
    }
}
