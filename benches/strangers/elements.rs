// SPDX-License-Identifier: MPL-2.0
//! The elements at either end.

use std::thread;

use gst::prelude::*;

use crate::{
    child::fail,
    clock,
    log::{Log, PERIOD, payload},
    pipeline::fail_on_error,
};

/// Sends as a camera does.
pub fn send(sink: &str, prepare: impl FnOnce(&gst::Element)) -> gst::Element {
    let pipeline = parse(&format!(
        "appsrc name=camera is-live=true do-timestamp=true format=time ! videosocketsink name=end {sink}"
    ));
    let end = by_name(&pipeline, "end");
    prepare(&end);
    let camera = by_name(&pipeline, "camera");
    let camera = camera.downcast::<gst_app::AppSrc>().expect("an appsrc");
    camera.set_caps(Some(&gst::Caps::new_empty_simple("application/x-frames")));
    play(pipeline);
    thread::spawn(move || {
        let mut next = clock::now();
        for number in 0.. {
            clock::sleep_until(next);
            next += PERIOD;
            match camera.push_buffer(gst::Buffer::from_mut_slice(payload(number))) {
                Ok(_) => (),
                // The sink has been stopped.
                Err(gst::FlowError::Flushing) => return,
                Err(error) => fail(format!("camera: {error}")),
            }
        }
    });
    end
}

/// Receives into a log. Calls back for each frame, and says whether it is the first of a connection.
pub fn receive(
    source: &str,
    log: Log,
    heard: impl Fn(bool) + Send + 'static,
    prepare: impl FnOnce(&gst::Element),
) -> gst::Element {
    let pipeline = parse(&format!(
        "videosocketsrc name=end {source} ! appsink name=view sync=false"
    ));
    let end = by_name(&pipeline, "end");
    prepare(&end);
    let view = by_name(&pipeline, "view");
    let view = view.downcast::<gst_app::AppSink>().expect("an appsink");
    let mut last = None;
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |view| {
        let sample = view.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let buffer = sample.buffer().ok_or(gst::FlowError::Error)?;
        let begins = buffer.flags().contains(gst::BufferFlags::DISCONT);
        if begins {
            last = None;
        }
        let bytes = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
        log.take(&bytes, &mut last);
        heard(begins);
        Ok(gst::FlowSuccess::Ok)
    });
    view.set_callbacks(callbacks.build());
    play(pipeline);
    end
}

fn parse(description: &str) -> gst::Pipeline {
    let parsed = gst::parse::launch(description).unwrap_or_else(|error| fail(error));
    let pipeline = parsed.downcast::<gst::Pipeline>().expect("a pipeline");
    fail_on_error(&pipeline);
    pipeline
}

fn by_name(pipeline: &gst::Pipeline, name: &str) -> gst::Element {
    pipeline.by_name(name).expect("an element of that name")
}

/// Until the process ends.
fn play(pipeline: gst::Pipeline) {
    if let Err(error) = pipeline.set_state(gst::State::Playing) {
        fail(error);
    }
    std::mem::forget(pipeline);
}
