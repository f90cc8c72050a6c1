// SPDX-License-Identifier: MPL-2.0
//! Frames on their way out, and the end of the stream.

use std::{
    collections::VecDeque,
    sync::{Arc, MutexGuard, atomic::Ordering::Relaxed},
};

use gst::{prelude::*, subclass::prelude::*};
use gst_base::prelude::*;

use super::{
    imp::VideoSocketSink,
    preroll::{preroll, wait_until_playing, without_lock, yield_lock},
    stream::{News, Stream, tell},
};
use crate::{
    fanout::{Description, Frame, Sent},
    fault::{Place, here},
    frames::SentBuffer,
    lock::lock,
    messages,
    net::Error,
    transport::{Endpoint, SendError},
};

impl VideoSocketSink {
    pub(super) fn send_ahead(&self, buffer: &gst::Buffer) {
        let mut stream = lock(&self.stream);
        let was_sent = stream
            .sent_ahead
            .as_ref()
            .is_some_and(|sent| sent.as_ptr() == buffer.as_ptr());
        if was_sent {
            return;
        }
        let endpoint = stream.endpoint.clone();
        let needs_records = endpoint
            .as_ref()
            .is_some_and(|endpoint| endpoint.needs_records());
        let news = self.describe_time(needs_records, &mut stream);
        let frame = stream.described_frame(buffer.clone(), needs_records);
        drop(stream);
        if let Some(endpoint) = &endpoint {
            tell(endpoint, news);
        }
        // A buffer that cannot be sent is reported when it is due.
        if let (Some(endpoint), Ok(frame)) = (endpoint, frame)
            && endpoint.try_send(frame)
        {
            let former = lock(&self.stream).sent_ahead.replace(buffer.clone());
            drop(former);
        }
    }

    /// What is known of the stream, and where it goes.
    pub(super) fn stream(
        &self,
    ) -> Result<(Arc<Endpoint<SentBuffer>>, MutexGuard<'_, Stream>), gst::FlowError> {
        let mut stream = lock(&self.stream);
        let endpoint = stream.endpoint.clone().ok_or(gst::FlowError::Flushing)?;
        if stream.liveness.is_due() {
            drop(stream);
            // Out of the lock: who answers may set a property.
            let is_live = self.upstream_is_live();
            lock(&self.stream).liveness.answer(is_live);
            self.update_flow();
            stream = lock(&self.stream);
        }
        Ok((endpoint, stream))
    }

    /// A buffer that no frame can carry.
    pub(super) fn refuse(&self, error: gst::ErrorMessage) -> gst::FlowError {
        self.post_error_message(error);
        gst::FlowError::Error
    }

    /// Frames that were not sent are lost; what they were kept in is not. A keyframe that is due is asked for.
    pub(super) fn after_buffers(&self, mut frames: VecDeque<Frame<SentBuffer>>) {
        frames.clear();
        let mut stream = lock(&self.stream);
        stream.frames = frames;
        let due = stream.due_keyframe();
        drop(stream);
        if let Some(time) = due {
            self.push_keyframe_request(time);
        }
    }

    /// What holds from now on, for those who understand it.
    pub(super) fn describe(&self, stream: &mut Stream) -> Description {
        let is_paced = stream.liveness.is_live();
        let describing = &mut stream.describing;
        describing.update_clock(&self.obj(), is_paced, true);
        describing.description()
    }

    /// What is to be known of the clock before the next frame, where somebody is told of frames.
    pub(super) fn describe_time(&self, needs_records: bool, stream: &mut Stream) -> News {
        if !needs_records {
            return News::None;
        }
        let may_be_other = self.clock_may_be_other.swap(false, Relaxed);
        let is_paced = stream.liveness.is_live();
        let describing = &mut stream.describing;
        if describing.update_clock(&self.obj(), is_paced, may_be_other) {
            return News::Description(describing.description());
        }
        describing.due_clock().map_or(News::None, News::Clock)
    }

    pub(super) fn send(
        &self,
        endpoint: &Endpoint<SentBuffer>,
        frames: &mut VecDeque<Frame<SentBuffer>>,
        newest: &gst::BufferRef,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        loop {
            match endpoint.send(frames) {
                Ok(sent) => {
                    self.after_sending(endpoint, newest, sent);
                    return Ok(gst::FlowSuccess::Ok);
                }
                Err(SendError::Interrupted) => wait_until_playing(&*self.obj()).map(|_| ())?,
                Err(SendError::Yield) => yield_lock(&*self.obj()).map(|_| ())?,
                Err(SendError::HungUp) => return Err(gst::FlowError::Eos),
                Err(SendError::Failed(error)) => {
                    self.fail(&error, here!());
                    return Err(gst::FlowError::Error);
                }
            }
        }
    }

    fn after_sending(&self, endpoint: &Endpoint<SentBuffer>, newest: &gst::BufferRef, sent: Sent) {
        if sent.dropped > 0 {
            let stream = lock(&self.stream);
            let segment = stream.segment.clone().unwrap_or_default();
            let is_live = stream.liveness.is_live();
            drop(stream);
            messages::post_dropped(&*self.obj(), newest, &segment, is_live, endpoint.totals());
        }
        if sent.wants_keyframe && lock(&self.settings).request_keyframes {
            self.request_keyframe();
        }
    }

    /// Sees the stream to its end. `false` when it was flushed meanwhile.
    pub(super) fn finish(&self, event: &gst::Event) -> bool {
        let Some(endpoint) = self.running_endpoint() else {
            return false;
        };
        let obj = self.obj();
        loop {
            let interruptions = endpoint.interruptions();
            // A sink that is not to play yet, or no more, does not wait for the network.
            if preroll(&*obj, event).is_err() {
                return false;
            }
            match without_lock(&*obj, || endpoint.finish(interruptions)) {
                Ok(()) | Err(SendError::HungUp) => return true,
                Err(SendError::Interrupted | SendError::Yield) => (),
                Err(SendError::Failed(error)) => {
                    self.fail(&error, here!());
                    return true;
                }
            }
        }
    }

    fn fail(&self, error: &Arc<Error>, place: Place) {
        let reporter = lock(&self.run).as_ref().map(|run| run.reporter.clone());
        if let Some(reporter) = reporter {
            reporter.fail(error, place);
        }
    }

    /// None where nobody answers, as before upstream is negotiated.
    fn upstream_is_live(&self) -> Option<bool> {
        let mut query = gst::query::Latency::new();
        let is_answered = self.obj().sink_pad().peer_query(&mut query);
        is_answered.then(|| query.result().0)
    }
}
