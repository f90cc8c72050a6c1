// SPDX-License-Identifier: MPL-2.0
//! What peers ask for.

use std::time::{Duration, Instant};

use gst::{prelude::*, subclass::prelude::*};
use gst_base::prelude::*;

use super::{CAT, imp::VideoSocketSink, settings::AcceptEvents};
use crate::{lock::lock, metadata::restore, transport::Request};

/// Keyframes cost bandwidth; clients that come one by one share one.
const KEYFRAME_REQUEST_INTERVAL: Duration = Duration::from_secs(1);

impl VideoSocketSink {
    /// Passes on upstream what a peer asks for, as far as that is wanted.
    pub(super) fn take_request(&self, request: &Request) {
        let accepted = lock(&self.settings).accept_events;
        let num_clients = || {
            self.running_endpoint()
                .map_or(0, |endpoint| endpoint.num_clients())
        };
        match request {
            Request::Keyframe { .. } if accepted.contains(AcceptEvents::KEYFRAME) => {
                self.request_keyframe();
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

    pub(super) fn request_keyframe(&self) {
        let mut stream = lock(&self.stream);
        let is_recent = stream
            .keyframe_requested
            .is_some_and(|at| at.elapsed() < KEYFRAME_REQUEST_INTERVAL);
        if is_recent {
            return;
        }
        stream.keyframe_requested = Some(Instant::now());
        stream.keyframes_requested += 1;
        let count = stream.keyframes_requested;
        drop(stream);
        gst::debug!(
            CAT,
            imp = self,
            "A client waits for a keyframe: asking upstream"
        );
        let structure = gst::Structure::builder("GstForceKeyUnit")
            .field("running-time", gst::ClockTime::NONE)
            .field("all-headers", true)
            .field("count", count)
            .build();
        let event = gst::event::CustomUpstream::new(structure);
        // Sources without an encoder have nobody to take it.
        let _ = self.obj().sink_pad().push_event(event);
    }
}
