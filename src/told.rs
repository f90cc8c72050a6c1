// SPDX-License-Identifier: MPL-2.0
//! One fault of a connection that two elements share, told once.

use std::sync::{Arc, Mutex};

use gst::{glib::WeakRef, prelude::*};

use crate::{lock::lock, net::Error};

/// What was last told of the faults of a connection. The two elements that share one meet with the same, of which an
/// application is to hear once.
#[derive(Default)]
pub struct Told(Mutex<Option<Last>>);

struct Last {
    error: Arc<Error>,
    element: WeakRef<gst::Element>,
    pipeline: WeakRef<gst::Object>,
}

impl Told {
    /// Whether the other element has not told of this error in the same pipeline.
    pub fn is_news(&self, error: &Arc<Error>, element: &gst::Element) -> bool {
        let pipeline = pipeline_of(element);
        let is_same = |last: &Last| {
            Arc::ptr_eq(&last.error, error) && last.element != *element && last.pipeline == pipeline
        };
        let mut last = lock(&self.0);
        let is_news = !last.as_ref().is_some_and(is_same);
        *last = Some(Last {
            error: error.clone(),
            element: element.downgrade(),
            pipeline: pipeline.downgrade(),
        });
        is_news
    }
}

/// What hears what the element posts, as far as that is known here.
fn pipeline_of(element: &gst::Element) -> gst::Object {
    let mut top = element.clone().upcast::<gst::Object>();
    while let Some(parent) = top.parent() {
        top = parent;
    }
    top
}
