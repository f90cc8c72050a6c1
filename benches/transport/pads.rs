// SPDX-License-Identifier: MPL-2.0
//! Pipelines whose ends are bare pads: a source or sink element would cost as much as what is measured.

use std::{
    mem,
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
};

use gst::prelude::*;

use crate::{
    child::fail,
    clock,
    job::Case,
    meter::{Meter, STAMP_LEN},
    outlet::Outlet,
    pipeline::{fail_on_error, listening_port},
    rows::Row,
    tls,
};

pub struct PadSender {
    _pipeline: gst::Pipeline,
    pad: gst::Pad,
    batch: usize,
    timed: bool,
    /// What every frame holds.
    payload: gst::Memory,
    /// For frames that begin with the time, which must not change while one is on its way.
    lend: Sender<Vec<u8>>,
    returned: Receiver<Vec<u8>>,
    frames: u64,
}

impl PadSender {
    pub fn connect(case: Case, port: u16) -> Result<Self, String> {
        let elements = elements(case.row.sending(), port)?;
        if case.row.is_encrypted() {
            tls::believe(&elements[0]);
        }
        if case.row.is_described() {
            elements[0].set_property_from_str("metadata", "on");
        }
        set_header(&elements[0], case.row);
        let pipeline = pipeline(&elements)?;
        let head = &elements[0];
        let entry = head
            .static_pad("sink")
            .or_else(|| head.request_pad_simple("video_%u"))
            .ok_or("no pad to push to")?;
        let pad = gst::Pad::builder(gst::PadDirection::Src).build();
        pad.link(&entry).map_err(|error| error.to_string())?;
        pad.set_active(true).map_err(|error| error.to_string())?;
        play(&pipeline)?;
        let caps: gst::Caps = case.row.caps().parse().expect("caps");
        pad.push_event(gst::event::StreamStart::new("transport"));
        pad.push_event(gst::event::Caps::new(&caps));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        pad.push_event(gst::event::Segment::new(&segment));
        let (lend, returned) = mpsc::channel();
        Ok(Self {
            _pipeline: pipeline,
            pad,
            batch: case.row.batch(),
            timed: case.timed,
            payload: gst::Memory::from_slice(vec![7; case.size]),
            lend,
            returned,
            frames: 0,
        })
    }

    fn buffer(&mut self, payload: gst::Memory) -> gst::Buffer {
        let mut buffer = gst::Buffer::new();
        let frame = buffer.get_mut().expect("a new buffer");
        frame.append_memory(payload);
        if self.timed {
            frame.set_pts(FRAME_DURATION * self.frames);
        }
        self.frames += 1;
        buffer
    }

    fn push(&mut self, payload: gst::Memory) -> Result<(), String> {
        let buffer = self.buffer(payload);
        checked(self.pad.push(buffer))
    }
}

impl Outlet for PadSender {
    fn send(&mut self) -> Result<(), String> {
        if self.batch == 1 {
            return self.push(self.payload.clone());
        }
        let mut list = gst::BufferList::new_sized(self.batch);
        let frames = list.get_mut().expect("a new list");
        for _ in 0..self.batch {
            frames.add(self.buffer(self.payload.clone()));
        }
        checked(self.pad.push_list(list))
    }

    fn send_stamped(&mut self) -> Result<(), String> {
        let mut bytes = match self.returned.try_recv() {
            Ok(bytes) => bytes,
            Err(_) => vec![7; self.payload.size()],
        };
        bytes[..STAMP_LEN].copy_from_slice(&clock::now().to_ne_bytes());
        self.push(gst::Memory::from_slice(Lent {
            bytes,
            back: self.lend.clone(),
        }))
    }
}

fn set_header(element: &gst::Element, row: Row) {
    for (name, value) in row.header() {
        element.set_property_from_str(name, value);
    }
}

/// Comes back when nothing uses it any more.
struct Lent {
    bytes: Vec<u8>,
    back: Sender<Vec<u8>>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Not needed any more where nobody takes it.
        let _ = self.back.send(mem::take(&mut self.bytes));
    }
}

/// Waits for the sender at the port that it returns.
pub fn receive(row: Row, meter: Arc<Meter>) -> Result<u16, String> {
    let elements = elements(row.receiving(), 0)?;
    let identity = row.is_encrypted().then(tls::Identity::new);
    if let Some(identity) = &identity {
        identity.show(&elements[0]);
    }
    set_header(&elements[0], row);
    let pipeline = pipeline(&elements)?;
    let pad = counting_pad(row, meter);
    pad.set_active(true).map_err(|error| error.to_string())?;
    let tail = elements.last().expect("an element");
    if let Some(exit) = tail.static_pad("src") {
        exit.link(&pad).map_err(|error| error.to_string())?;
    }
    let end = pad.clone();
    tail.connect_pad_added(move |_, exit| {
        if let Err(error) = exit.link(&end) {
            fail(format!("receiver: {error}"));
        }
    });
    play(&pipeline)?;
    // They work until the process ends.
    mem::forget((pipeline, pad));
    listening_port(&elements[0])
}

fn counting_pad(row: Row, meter: Arc<Meter>) -> gst::Pad {
    let take = move |buffer: &gst::BufferRef| {
        let len = buffer.size();
        if row.keeps_frames() && len != meter.size {
            fail(format!("receiver: {len} bytes for {}", meter.size));
        }
        meter.arrived(len, |place, part| {
            buffer.copy_to_slice(place, part).expect("so many bytes");
        });
    };
    let take_list = take.clone();
    gst::Pad::builder(gst::PadDirection::Sink)
        .chain_function(move |_, _, buffer| {
            take(&buffer);
            Ok(gst::FlowSuccess::Ok)
        })
        .chain_list_function(move |_, _, list| {
            list.iter().for_each(&take_list);
            Ok(gst::FlowSuccess::Ok)
        })
        .event_function(|_, _, _| true)
        .build()
}

fn elements(names: &[&str], port: u16) -> Result<Vec<gst::Element>, String> {
    let make = |name: &&str| {
        let element = gst::ElementFactory::make(name)
            .build()
            .map_err(|error| error.to_string())?;
        for (property, value) in settings(name) {
            element.set_property_from_str(property, value);
        }
        if element.has_property("port") {
            element.set_property_from_str("port", &port.to_string());
        }
        Ok(element)
    };
    names.iter().map(make).collect()
}

/// The defaults, but for what makes an address and what would wait for a time to show a frame.
fn settings(element: &str) -> &'static [(&'static str, &'static str)] {
    match element {
        "videosocketsink" | "tcpclientsink" => &[("host", "127.0.0.1"), ("sync", "false")],
        "videosocketsrc" => &[
            ("host", "127.0.0.1"),
            ("mode", "listen"),
            ("caps", "application/octet-stream"),
        ],
        "tcpserversrc" => &[("host", "127.0.0.1")],
        "matroskamux" => &[("streamable", "true")],
        _ => &[],
    }
}

fn pipeline(elements: &[gst::Element]) -> Result<gst::Pipeline, String> {
    let pipeline = gst::Pipeline::new();
    pipeline.add_many(elements).map_err(|e| e.to_string())?;
    gst::Element::link_many(elements).map_err(|e| e.to_string())?;
    fail_on_error(&pipeline);
    Ok(pipeline)
}

fn play(pipeline: &gst::Pipeline) -> Result<(), String> {
    pipeline
        .set_state(gst::State::Playing)
        .map(drop)
        .map_err(|error| error.to_string())
}

fn checked(pushed: Result<gst::FlowSuccess, gst::FlowError>) -> Result<(), String> {
    pushed.map(drop).map_err(|error| error.to_string())
}

const FRAME_DURATION: gst::ClockTime = gst::ClockTime::from_mseconds(2);
