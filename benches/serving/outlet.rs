// SPDX-License-Identifier: MPL-2.0
//! How frames reach clients.

use std::{
    io::Write,
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    thread,
};

use gst::prelude::*;
use socket2::{Domain, Socket, Type};

use crate::{
    child::fail,
    frames::RATE,
    pipeline::{fail_on_error, listening_port},
    rows::Row,
    tls,
};

pub trait Outlet: Send {
    fn port(&self) -> u16;

    fn push(&mut self, frame: Vec<u8>, keyframe: bool);

    /// `None` where no element sends.
    fn element(&self) -> Option<&gst::Element> {
        None
    }
}

/// Tells how many clients there are.
pub type Count = Box<dyn Fn() -> usize + Send>;

pub fn open(row: Row) -> (Box<dyn Outlet>, Count) {
    match row.element() {
        None => {
            let outlet = Loop::listen().unwrap_or_else(|error| fail(error));
            let streams = outlet.streams.clone();
            let count = move || streams.lock().expect("the streams").len();
            (Box::new(outlet), Box::new(count))
        }
        Some(description) => {
            let outlet = PadOutlet::play(&description, row.is_encrypted())
                .unwrap_or_else(|reason| fail(reason));
            let sink = outlet.sink.clone();
            let property = if row.frames() {
                "num-clients"
            } else {
                "num-handles"
            };
            let count = move || sink.property::<u32>(property) as usize;
            (Box::new(outlet), Box::new(count))
        }
    }
}

/// What a plain C program would do.
struct Loop {
    port: u16,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Loop {
    fn listen() -> std::io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.listen(4096)?;
        let listener = TcpListener::from(socket);
        let port = listener.local_addr()?.port();
        let streams = Arc::<Mutex<Vec<_>>>::default();
        let accepted = streams.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = stream.set_nodelay(true);
                accepted.lock().expect("the streams").push(stream);
            }
        });
        Ok(Self { port, streams })
    }
}

impl Outlet for Loop {
    fn port(&self) -> u16 {
        self.port
    }

    /// One `send` for each client, and more of them only after a short one.
    fn push(&mut self, frame: Vec<u8>, _keyframe: bool) {
        for stream in &*self.streams.lock().expect("the streams") {
            if let Err(error) = (&*stream).write_all(&frame) {
                fail(format!("send loop: {error}"));
            }
        }
    }
}

/// An element behind a bare pad, which says that it is live.
struct PadOutlet {
    _pipeline: gst::Pipeline,
    sink: gst::Element,
    pad: gst::Pad,
    port: u16,
    frames: u64,
}

impl PadOutlet {
    fn play(description: &str, is_encrypted: bool) -> Result<Self, String> {
        let sink = gst::parse::launch(description).map_err(|error| error.to_string())?;
        let identity = is_encrypted.then(tls::Identity::new);
        if let Some(identity) = &identity {
            identity.show(&sink);
        }
        let pipeline = gst::Pipeline::new();
        pipeline.add(&sink).map_err(|error| error.to_string())?;
        fail_on_error(&pipeline);
        let pad = live_pad();
        pad.link(&sink.static_pad("sink").expect("a sink pad"))
            .map_err(|error| error.to_string())?;
        pipeline
            .set_state(gst::State::Playing)
            .map_err(|error| error.to_string())?;
        start(&pad)?;
        let port = listening_port(&sink)?;
        Ok(Self {
            _pipeline: pipeline,
            sink,
            pad,
            port,
            frames: 0,
        })
    }
}

impl Outlet for PadOutlet {
    fn port(&self) -> u16 {
        self.port
    }

    fn element(&self) -> Option<&gst::Element> {
        Some(&self.sink)
    }

    fn push(&mut self, frame: Vec<u8>, keyframe: bool) {
        let mut buffer = gst::Buffer::from_slice(Counted::new(frame));
        let contents = buffer.get_mut().expect("a new buffer");
        contents.set_pts(gst::ClockTime::SECOND * self.frames / RATE);
        if !keyframe {
            contents.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        self.frames += 1;
        if let Err(error) = self.pad.push(buffer) {
            fail(format!("server: {error}"));
        }
    }
}

/// Bytes of frames that somebody holds.
static HELD: AtomicI64 = AtomicI64::new(0);

pub fn held() -> i64 {
    HELD.load(Relaxed)
}

struct Counted(Vec<u8>);

impl Counted {
    fn new(frame: Vec<u8>) -> Self {
        HELD.fetch_add(frame.len() as i64, Relaxed);
        Self(frame)
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0.len() as i64, Relaxed);
    }
}

fn live_pad() -> gst::Pad {
    gst::Pad::builder(gst::PadDirection::Src)
        .query_function(|pad, parent, query| match query.view_mut() {
            gst::QueryViewMut::Latency(latency) => {
                latency.set(true, gst::ClockTime::ZERO, gst::ClockTime::NONE);
                true
            }
            _ => gst::Pad::query_default(pad, parent, query),
        })
        .build()
}

fn start(pad: &gst::Pad) -> Result<(), String> {
    pad.set_active(true).map_err(|error| error.to_string())?;
    let caps = gst::Caps::new_empty_simple("application/octet-stream");
    pad.push_event(gst::event::StreamStart::new("serving"));
    pad.push_event(gst::event::Caps::new(&caps));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    pad.push_event(gst::event::Segment::new(&segment));
    Ok(())
}
