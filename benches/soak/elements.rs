// SPDX-License-Identifier: MPL-2.0
//! The processes that send, and those that pass on.

use std::thread;

use gst::prelude::*;

use crate::{
    child::{fail, say},
    clock,
    frames::{self, PERIOD},
    job::Said,
    pipeline::{fail_on_error, listening_port},
    tls,
};

const SINK: &str = "videosocketsink mode=listen host=127.0.0.1 port=0 wait-for-connection=false";

/// Frames come of a thread, as those of a camera do.
pub fn send() {
    let description = format!(
        "appsrc name=camera is-live=true do-timestamp=true format=time ! {SINK} name=plain"
    );
    let pipeline = parse(&description);
    let camera = by_name(&pipeline, "camera");
    let camera = camera.downcast::<gst_app::AppSrc>().expect("an appsrc");
    camera.set_caps(Some(&gst::Caps::new_empty_simple("application/x-soak")));
    play(&pipeline);
    let plain = port(&pipeline, "plain");
    say(Said::Ports { plain, tls: 0 });
    thread::spawn(move || {
        let mut number = frames::first_number();
        let mut next = clock::now();
        loop {
            clock::sleep_until(next);
            next += PERIOD;
            let mut buffer = gst::Buffer::from_mut_slice(frames::bytes(number));
            if !frames::is_keyframe(number) {
                let contents = buffer.get_mut().expect("a new buffer");
                contents.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
            if let Err(error) = camera.push_buffer(buffer) {
                fail(format!("sender: {error}"));
            }
            number += 1;
        }
    });
    serve(pipeline);
}

/// From one sender to many viewers.
pub fn relay(from: u16) {
    let pipeline = parse(&format!(
        "videosocketsrc host=127.0.0.1 port={from} reconnect=true connect-timeout=0 metadata=request ! tee name=all \
         all. ! queue ! {SINK} name=plain all. ! queue ! {SINK} name=tls"
    ));
    let identity = tls::Identity::new();
    identity.show(&by_name(&pipeline, "tls"));
    play(&pipeline);
    let (plain, tls) = (port(&pipeline, "plain"), port(&pipeline, "tls"));
    say(Said::Ports { plain, tls });
    drop(identity);
    serve(pipeline);
}

pub fn parse(description: &str) -> gst::Pipeline {
    let parsed = gst::parse::launch(description).unwrap_or_else(|error| fail(error));
    let pipeline = parsed.downcast::<gst::Pipeline>().expect("a pipeline");
    fail_on_error(&pipeline);
    pipeline
}

pub fn by_name(pipeline: &gst::Pipeline, name: &str) -> gst::Element {
    pipeline.by_name(name).expect("an element of that name")
}

pub fn play(pipeline: &gst::Pipeline) {
    if let Err(error) = pipeline.set_state(gst::State::Playing) {
        fail(error);
    }
}

/// Until the process ends.
pub fn serve(pipeline: gst::Pipeline) {
    std::mem::forget(pipeline);
}

fn port(pipeline: &gst::Pipeline, name: &str) -> u16 {
    listening_port(&by_name(pipeline, name)).unwrap_or_else(|reason| fail(reason))
}
