//! What a source tells of its connections, on the bus.

use gst::{glib, prelude::*};

use super::{CAT, VideoSocketSrc};
use crate::{
    fault::{self, Direction, LastError, Place, here},
    messages,
    net::Error,
    progress::Progress,
    transport::{Event, Observer},
};

/// Passes on what the endpoint tells.
pub struct Reporter {
    source: glib::WeakRef<VideoSocketSrc>,
    last_error: LastError,
    progress: Progress,
}

impl Reporter {
    pub fn new(source: &VideoSocketSrc) -> Self {
        Self {
            source: source.downgrade(),
            last_error: LastError::none(Direction::Receiving),
            progress: Progress::default(),
        }
    }

    /// The element has stopped.
    pub fn close(&self) {
        self.last_error.close();
        if let Some(source) = self.source.upgrade() {
            self.progress.stop(&source);
        }
    }

    /// The stream cannot go on.
    pub fn fail(&self, error: &Error, place: Place) {
        if let Some(source) = self.source.upgrade() {
            self.progress.fail(&source, error);
            self.last_error.post(&source, error, place);
        }
    }
}

impl Observer for Reporter {
    fn notice(&self, event: &Event) {
        let Some(obj) = self.source.upgrade() else {
            return;
        };
        match event {
            Event::Connected { peer, .. } => {
                gst::info!(CAT, obj = obj, "Connected to {peer}");
                self.progress.complete(&obj, peer);
                messages::post_connected(&obj, *peer);
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
            Event::Warning(error) => {
                fault::post_warning(&obj, error, Direction::Receiving, here!())
            }
            Event::Waiting(waiting) => self.progress.wait(&obj, waiting),
            Event::Failed(error) => {
                self.progress.fail(&obj, error);
                self.last_error.post(&obj, error, here!());
            }
        }
    }
}
