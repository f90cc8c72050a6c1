// SPDX-License-Identifier: MPL-2.0
//! A `videosocketsrc` whose downstream is the test.

use super::{PATIENCE, Pipeline};
use gst::prelude::*;
use std::ops::Deref;

pub struct Receiver {
    pipeline: Pipeline,
    pub source: gst::Element,
    pub output: gst_app::AppSink,
}

impl Receiver {
    pub fn playing(properties: &str) -> Self {
        let receiver = Self::new(properties);
        receiver.play();
        receiver
    }

    pub fn new(properties: &str) -> Self {
        let source = format!("videosocketsrc name=source host=127.0.0.1 {properties}");
        Self::of(Pipeline::launch(&format!(
            "{source} ! appsink name=output sync=false"
        )))
    }

    /// Any pipeline from an element `source` to an appsink `output`.
    pub fn of(pipeline: Pipeline) -> Self {
        let source = pipeline.element("source");
        let output = pipeline.element("output").downcast().expect("an appsink");
        Self {
            pipeline,
            source,
            output,
        }
    }

    #[track_caller]
    pub fn port(&self) -> u16 {
        super::number(&self.source, "current-port")
            .try_into()
            .expect("a port")
    }

    #[track_caller]
    pub fn await_caps(&self) {
        super::await_caps(&self.source);
    }

    #[track_caller]
    pub fn sample(&self) -> gst::Sample {
        self.next().expect("a frame, not the end of the stream")
    }

    #[track_caller]
    pub fn buffer(&self) -> gst::Buffer {
        self.sample()
            .buffer_owned()
            .expect("a sample of one buffer")
    }

    #[track_caller]
    pub fn frame(&self) -> Vec<u8> {
        bytes(&self.sample())
    }

    #[track_caller]
    pub fn frames(&self, count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.frame()).collect()
    }

    /// All frames until the stream ends, by an error or without.
    #[track_caller]
    pub fn rest(&self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.next())
            .map(|sample| bytes(&sample))
            .collect()
    }

    #[track_caller]
    fn next(&self) -> Option<gst::Sample> {
        let patience = gst::ClockTime::try_from(PATIENCE).expect("a short time");
        let sample = self.output.try_pull_sample(patience);
        let hung = sample.is_none() && !self.output.is_eos();
        assert!(!hung, "neither a frame nor the end: {}", self.summary());
        sample
    }
}

impl Deref for Receiver {
    type Target = Pipeline;

    fn deref(&self) -> &Pipeline {
        &self.pipeline
    }
}

fn bytes(sample: &gst::Sample) -> Vec<u8> {
    let buffer = sample.buffer().expect("a sample of one buffer");
    buffer.map_readable().expect("readable memory").to_vec()
}
