// SPDX-License-Identifier: MPL-2.0
//! A `videosocketsink` whose upstream is the test.

use super::{Background, Pipeline, init};
use gst::prelude::*;
use parking_lot::Mutex;
use std::ops::Deref;
use std::sync::mpsc;

pub struct Sender {
    pipeline: Pipeline,
    pub sink: gst::Element,
    feed: Feed,
    upstream: Mutex<mpsc::Receiver<gst::Event>>,
}

/// The pad that feeds the sink: what it pushed, the sink has taken when the call returns.
#[derive(Clone)]
pub struct Feed(gst::Pad);

pub fn buffer(payload: &[u8]) -> gst::Buffer {
    gst::Buffer::from_mut_slice(payload.to_vec())
}

/// A frame that cannot be decoded without those before it.
pub fn delta(payload: &[u8]) -> gst::Buffer {
    let mut buffer = buffer(payload);
    buffer
        .get_mut()
        .expect("the only owner")
        .set_flags(gst::BufferFlags::DELTA_UNIT);
    buffer
}

impl Sender {
    pub fn playing(properties: &str) -> Self {
        let sender = Self::new(properties);
        sender.start();
        sender
    }

    pub fn new(properties: &str) -> Self {
        Self::with_upstream(properties, false)
    }

    /// Upstream says that it is live, like a camera.
    pub fn live(properties: &str) -> Self {
        let sender = Self::with_upstream(properties, true);
        sender.start();
        sender
    }

    fn with_upstream(properties: &str, live: bool) -> Self {
        init();
        let description = format!("videosocketsink sync=false host=127.0.0.1 {properties}");
        let sink = gst::parse::launch(&description).expect("a sink with these properties");
        let pipeline = gst::Pipeline::new();
        pipeline.add(&sink).expect("a new sink");
        let (sent, upstream) = mpsc::channel();
        let feed = gst::Pad::builder(gst::PadDirection::Src)
            .event_function(move |_, _, event| sent.send(event).is_ok())
            .query_function(move |pad, parent, query| match query.view_mut() {
                gst::QueryViewMut::Latency(latency) => {
                    latency.set(live, gst::ClockTime::ZERO, gst::ClockTime::NONE);
                    true
                }
                _ => gst::Pad::query_default(pad, parent, query),
            })
            .build();
        feed.link(&sink.static_pad("sink").expect("a sink pad"))
            .expect("a link");
        Self {
            pipeline: Pipeline::of(pipeline),
            sink,
            feed: Feed(feed),
            upstream: Mutex::new(upstream),
        }
    }

    #[track_caller]
    pub fn start(&self) {
        self.pipeline.play();
        self.feed.start(None);
    }

    /// In PAUSED, in which a sink waits with the first frame it gets.
    #[track_caller]
    pub fn start_paused(&self) {
        self.pipeline.pause();
        self.feed.start(None);
    }

    #[track_caller]
    pub fn start_with_caps(&self, caps: &gst::Caps) {
        self.pipeline.play();
        self.feed.start(Some(caps));
    }

    /// The stream goes on with these.
    #[track_caller]
    pub fn change_caps(&self, caps: &gst::Caps) {
        let event = gst::event::Caps::new(caps);
        let changing = self.in_background(move |feed| feed.0.push_event(event));
        assert_eq!(changing.join(), Ok(true), "the sink takes the caps");
    }

    #[track_caller]
    pub fn port(&self) -> u16 {
        super::number(&self.sink, "current-port")
            .try_into()
            .expect("a port")
    }

    /// Pushes from a thread of its own, for when the sink is expected to hold the stream.
    pub fn in_background<T: Send + 'static>(
        &self,
        push: impl FnOnce(Feed) -> T + Send + 'static,
    ) -> Background<T> {
        let feed = self.feed.clone();
        Background::run(move || push(feed))
    }

    #[track_caller]
    pub fn push(&self, payload: &[u8]) {
        self.push_buffer(buffer(payload))
            .expect("the sink takes the frame");
    }

    #[track_caller]
    pub fn push_all(&self, payloads: &[Vec<u8>]) {
        for payload in payloads {
            self.push(payload);
        }
    }

    #[track_caller]
    pub fn push_buffer(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let pushing = self.in_background(|feed| feed.try_push(buffer));
        pushing.join().expect("the sink decides on the frame")
    }

    #[track_caller]
    pub fn push_list(&self, list: gst::BufferList) {
        let pushing = self.in_background(|feed| feed.push_list(list));
        pushing.join().expect("the sink takes the list");
    }

    #[track_caller]
    pub fn push_event(&self, event: gst::Event) {
        let pushing = self.in_background(move |feed| feed.0.push_event(event));
        assert_eq!(pushing.join(), Ok(true), "the sink takes the event");
    }

    #[track_caller]
    pub fn end(&self) {
        let ending = self.in_background(|feed| feed.end());
        ending.join().expect("the sink takes the end");
    }

    /// Lets go whatever the sink holds, and begins anew.
    #[track_caller]
    pub fn flush(&self) {
        let flushing = self.in_background(|feed| feed.flush());
        flushing.join().expect("the sink flushes");
    }

    /// By the action signal.
    #[track_caller]
    pub fn disconnect_client(&self, id: u64) {
        assert!(self.sink.emit_by_name::<bool>("disconnect-client", &[&id]));
    }

    /// Waits for a request for a keyframe.
    #[track_caller]
    pub fn expect_keyframe_request(&self) {
        let upstream = self.upstream.lock();
        while !is_keyframe_request(&upstream.recv_timeout(super::PATIENCE).expect("a request")) {}
    }

    /// The next such event that goes upstream.
    #[track_caller]
    pub fn expect_upstream(&self, is_meant: impl Fn(&gst::Event) -> bool) -> gst::Event {
        let upstream = self.upstream.lock();
        let next = || upstream.recv_timeout(super::PATIENCE).expect("an event");
        std::iter::repeat_with(next).find(is_meant).expect("no end")
    }

    /// What goes upstream before the next such event.
    #[track_caller]
    pub fn upstream_until(&self, is_meant: impl Fn(&gst::Event) -> bool) -> Vec<gst::Event> {
        let upstream = self.upstream.lock();
        let next = || upstream.recv_timeout(super::PATIENCE).expect("an event");
        let before = std::iter::repeat_with(next).take_while(|event| !is_meant(event));
        before
            .filter(|event| event.type_() != gst::EventType::Latency)
            .collect()
    }

    #[track_caller]
    pub fn expect_no_keyframe_request(&self) {
        let upstream = self.upstream.lock();
        assert!(!upstream.try_iter().any(|event| is_keyframe_request(&event)));
    }
}

impl Deref for Sender {
    type Target = Pipeline;

    fn deref(&self) -> &Pipeline {
        &self.pipeline
    }
}

impl Feed {
    fn start(&self, caps: Option<&gst::Caps>) {
        self.0.set_active(true).expect("an active pad");
        self.0.push_event(gst::event::StreamStart::new("test"));
        if let Some(caps) = caps {
            self.0.push_event(gst::event::Caps::new(caps));
        }
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        self.0.push_event(gst::event::Segment::new(&segment));
    }

    #[track_caller]
    pub fn push(&self, payload: &[u8]) {
        self.try_push(buffer(payload))
            .expect("the sink takes the frame");
    }

    #[track_caller]
    pub fn push_all(&self, payloads: &[Vec<u8>]) {
        for payload in payloads {
            self.push(payload);
        }
    }

    pub fn try_push(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.0.push(buffer)
    }

    #[track_caller]
    pub fn push_list(&self, list: gst::BufferList) {
        self.0.push_list(list).expect("the sink takes the frames");
    }

    pub fn end(&self) {
        self.0.push_event(gst::event::Eos::new());
    }

    fn flush(&self) {
        self.0.push_event(gst::event::FlushStart::new());
        self.0.push_event(gst::event::FlushStop::new(true));
        self.start(None);
    }
}

fn is_keyframe_request(event: &gst::Event) -> bool {
    event
        .structure()
        .is_some_and(|structure| structure.name() == "GstForceKeyUnit")
}
