// SPDX-License-Identifier: MPL-2.0
//! What peers ask for.

use std::time::Instant;

use gst::{prelude::*, subclass::prelude::*};
use gst_base::prelude::*;

use super::{CAT, imp::VideoSocketSink, settings::AcceptEvents, stream::KEYFRAME_INTERVAL};
use crate::{lock::lock, messages, metadata::restore, transport::Request};

impl VideoSocketSink {
    /// Passes on upstream what a peer asks for, as far as that is wanted.
    pub(super) fn take_request(&self, request: &Request) {
        // Upstream may post something because of it.
        let _ancestors = messages::ancestors(&*self.obj());
        let run = lock(&self.run);
        let accepted = run.as_ref().map(|run| run.settings.accept_events);
        drop(run);
        let accepted = accepted.unwrap_or(AcceptEvents::empty());
        let num_clients = || {
            self.running_endpoint()
                .map_or(0, |endpoint| endpoint.num_clients())
        };
        match request {
            Request::Keyframe { running_time, .. } if accepted.contains(AcceptEvents::KEYFRAME) => {
                let time = running_time.map(gst::ClockTime::from_nseconds);
                self.request_keyframe_at(time);
            }
            // It is about the whole stream, so that it is for one alone to say.
            Request::Qos(_) if accepted.contains(AcceptEvents::QOS) && num_clients() == 1 => {
                self.pass_on(request);
            }
            Request::Navigation(_) if accepted.contains(AcceptEvents::NAVIGATION) => {
                self.pass_on(request);
            }
            _ => gst::debug!(CAT, imp = self, "Passed over: {request:?}"),
        }
    }

    fn pass_on(&self, request: &Request) {
        let record = request.record();
        match record.map(|record| restore::request(&record)) {
            Some(Ok(Some(event))) => {
                let _ = self.obj().sink_pad().push_event(event);
            }
            refused => gst::debug!(CAT, imp = self, "Passed over: {refused:?}"),
        }
    }

    /// From a time on, which upstream may have to wait for. Of those too, one a second.
    fn request_keyframe_at(&self, time: Option<gst::ClockTime>) {
        let Some(time) = time else {
            return self.request_keyframe();
        };
        let mut stream = lock(&self.stream);
        stream.later_keyframes.add(time);
        let first = stream.later_keyframe(Instant::now());
        drop(stream);
        if first.is_some() {
            self.push_keyframe_request(first);
        }
    }

    /// At once, or with a later frame where one was asked for a moment ago.
    pub(super) fn request_keyframe(&self) {
        let mut stream = lock(&self.stream);
        let asks = stream.keyframe.ask(KEYFRAME_INTERVAL, Instant::now());
        drop(stream);
        if asks {
            self.push_keyframe_request(None);
        }
    }

    pub(super) fn push_keyframe_request(&self, time: Option<gst::ClockTime>) {
        let mut stream = lock(&self.stream);
        stream.keyframes_requested += 1;
        let count = stream.keyframes_requested;
        drop(stream);
        gst::debug!(
            CAT,
            imp = self,
            "A client waits for a keyframe: asking upstream"
        );
        let structure = gst::Structure::builder("GstForceKeyUnit")
            .field("running-time", time)
            .field("all-headers", true)
            .field("count", count)
            .build();
        let event = gst::event::CustomUpstream::new(structure);
        // Sources without an encoder have nobody to take it.
        let _ = self.obj().sink_pad().push_event(event);
    }
}
