// SPDX-License-Identifier: MPL-2.0
//! What a source tells of its connections, on the bus.

use std::sync::{Arc, Mutex};

use gst::{glib, prelude::*};

use super::{CAT, VideoSocketSrc};
use crate::{
    fault::{Direction, Faults, Place, here},
    lock::lock,
    messages,
    net::Error,
    progress::Progress,
    recurring::Recurring,
    settings::Common,
    told::Told,
    transport::{Event, Observer},
};

/// Passes on what the endpoint tells.
pub struct Reporter {
    source: glib::WeakRef<VideoSocketSrc>,
    faults: Faults,
    progress: Progress,
    ends: Mutex<Ends>,
}

/// How connections ended that others follow.
struct Ends {
    recurring: Recurring,
    /// Frames received until the last of them.
    received: u64,
}

impl Reporter {
    pub fn new(source: &VideoSocketSrc, common: &Common, told: Arc<Told>) -> Self {
        Self {
            source: source.downgrade(),
            faults: Faults::new(Direction::Receiving, told),
            progress: Progress::default(),
            ends: Mutex::new(Ends {
                recurring: Recurring::new(common),
                received: 0,
            }),
        }
    }

    /// The element has stopped.
    pub fn close(&self) {
        self.faults.close();
        if let Some(source) = self.source.upgrade() {
            self.progress.stop(&source);
        }
    }

    /// A connection has ended after so many frames in all, and the stream goes on with the next.
    pub fn go_on(&self, fault: Option<Arc<Error>>, received: u64, place: Place) {
        let mut ends = lock(&self.ends);
        let before = std::mem::replace(&mut ends.received, received);
        let news = ends.recurring.ended(fault, received != before);
        drop(ends);
        if let Some((source, fault)) = self.source.upgrade().zip(news) {
            self.faults.post_warning(&source, &fault, place);
        }
    }

    /// The stream cannot go on.
    pub fn fail(&self, error: &Arc<Error>, place: Place) {
        if let Some(source) = self.source.upgrade() {
            self.progress.fail(&source, error);
            self.faults.post_error(&source, error, place);
        }
    }
}

impl Observer for Reporter {
    fn notice(&self, event: &Event) {
        let Some(obj) = self.source.upgrade() else {
            return;
        };
        match event {
            Event::Connected {
                peer, certificate, ..
            } => {
                gst::info!(CAT, obj = obj, "Connected to {peer}");
                self.progress.complete(&obj, peer);
                messages::post_connected(&obj, *peer, certificate.as_deref());
            }
            Event::Disconnected {
                peer,
                reason,
                stats,
                ..
            } => {
                gst::info!(CAT, obj = obj, "Disconnected from {peer}: {reason:?}");
                let received = (stats.frames_received, stats.bytes_received);
                messages::post_disconnected(&obj, *peer, (*reason).into(), received);
            }
            // The sender's.
            Event::Request(_) => (),
            Event::Warning(error) => self.faults.post_warning(&obj, error, here!()),
            Event::PassedOver(count) => gst::warning!(
                CAT,
                obj = obj,
                "{count} events are not told of: the application takes long over those before"
            ),
            Event::Waiting(waiting) => self.progress.wait(&obj, waiting),
            Event::Failed(error) => {
                self.progress.fail(&obj, error);
                self.faults.post_error(&obj, error, here!());
            }
        }
    }
}
