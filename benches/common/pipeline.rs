// SPDX-License-Identifier: MPL-2.0
//! Elements in a pipeline.

use std::{
    thread,
    time::{Duration, Instant},
};

use gst::prelude::*;

use super::child::fail;

/// A fault of its elements ends this process.
pub fn fail_on_error(pipeline: &gst::Pipeline) {
    let bus = pipeline.bus().expect("a bus");
    bus.set_sync_handler(|_, message| {
        if let gst::MessageView::Error(error) = message.view() {
            let from = error.src().map(|source| source.name()).unwrap_or_default();
            fail(format!("{from}: {}", error.error()));
        }
        gst::BusSyncReply::Drop
    });
}

pub fn listening_port(element: &gst::Element) -> Result<u16, String> {
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        // Not every element has it as the same kind of number.
        let port = element.property_value("current-port");
        let port = port.transform::<u32>().expect("a number");
        match u16::try_from(port.get::<u32>().expect("a number")) {
            Ok(port) if port != 0 => return Ok(port),
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
    Err(format!("{} listens nowhere", element.name()))
}
