// SPDX-License-Identifier: MPL-2.0
//! A connection that takes long to come about, as progress on the bus: from its first message to its last.

use std::sync::Mutex;

use gst::{ProgressType, prelude::*};

use crate::{lock::lock, net::Waiting};

/// What the messages are about.
const CODE: &str = "connect";

#[derive(Default)]
pub struct Progress(Mutex<Stage>);

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Quiet,
    Waiting,
    Stopped,
}

impl Progress {
    /// It is not there yet.
    pub fn wait(&self, element: &impl IsA<gst::Element>, waiting: &Waiting) {
        let mut stage = lock(&self.0);
        let kind = match *stage {
            Stage::Quiet => ProgressType::Start,
            Stage::Waiting => ProgressType::Continue,
            Stage::Stopped => return,
        };
        *stage = Stage::Waiting;
        drop(stage);
        post(element, kind, &waiting.to_string());
    }

    /// It is there.
    pub fn complete(&self, element: &impl IsA<gst::Element>, peer: impl ToString) {
        let text = format!("Connected to {}", peer.to_string());
        self.end(element, ProgressType::Complete, &text, Stage::Quiet);
    }

    /// An error follows.
    pub fn fail(&self, element: &impl IsA<gst::Element>, error: impl ToString) {
        let text = error.to_string();
        self.end(element, ProgressType::Error, &text, Stage::Quiet);
    }

    /// Nobody waits any more.
    pub fn stop(&self, element: &impl IsA<gst::Element>) {
        self.end(element, ProgressType::Canceled, "Stopped", Stage::Stopped);
    }

    fn end(&self, element: &impl IsA<gst::Element>, kind: ProgressType, text: &str, next: Stage) {
        let mut stage = lock(&self.0);
        let was_waiting = *stage == Stage::Waiting;
        if *stage != Stage::Stopped {
            *stage = next;
        }
        drop(stage);
        if was_waiting {
            post(element, kind, text);
        }
    }
}

fn post(element: &impl IsA<gst::Element>, kind: ProgressType, text: &str) {
    let message = gst::message::Progress::builder(kind, CODE, text)
        .src(element.upcast_ref::<gst::Element>())
        .build();
    // Refused only while the element is being disposed of.
    let _ = element.post_message(message);
}
