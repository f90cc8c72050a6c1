// SPDX-License-Identifier: MPL-2.0
//! The processes that receive, each of which looks into every frame.

use std::{
    io::{self, Read},
    mem,
    net::{Ipv4Addr, TcpStream},
    thread,
    time::Duration,
};

use gst::prelude::*;

use crate::{
    child::{fail, say},
    clock,
    elements::{by_name, parse, play, serve},
    frames::Seen,
    job::{Kind, Said, Viewed},
};

const SECOND: u64 = 1_000_000_000;

pub fn view(kind: Kind, port: u16) {
    let settings = match kind {
        Kind::Plain => {
            thread::spawn(move || receive_plain(port));
            return;
        }
        Kind::Records => "metadata=request",
        Kind::Tls => "tls=true tls-verify=false",
    };
    let pipeline = parse(&format!(
        "videosocketsrc host=127.0.0.1 port={port} reconnect=true connect-timeout=0 {settings} ! \
         appsink name=view sync=false"
    ));
    let view = by_name(&pipeline, "view");
    let view = view.downcast::<gst_app::AppSink>().expect("an appsink");
    let mut log = Log::new();
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |view| {
        let sample = view.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let buffer = sample.buffer().ok_or(gst::FlowError::Error)?;
        let bytes = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
        log.take(&bytes);
        Ok(gst::FlowSuccess::Ok)
    });
    view.set_callbacks(callbacks.build());
    play(&pipeline);
    serve(pipeline);
}

/// A program that connects again when the connection has ended, wherever it did.
fn receive_plain(port: u16) {
    let mut log = Log::new();
    loop {
        if let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            // It ends by an error: so it does where the link is cut.
            let _ = receive_frames(&stream, &mut log);
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn receive_frames(mut stream: &TcpStream, log: &mut Log) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let mut header = [0; 8];
        stream.read_exact(&mut header)?;
        let digits = std::str::from_utf8(&header).ok();
        let Some(len) = digits.and_then(|digits| digits.parse().ok()) else {
            fail(format!("a header of {header:?}"));
        };
        bytes.resize(len, 0);
        stream.read_exact(&mut bytes)?;
        log.take(&bytes);
    }
}

struct Log {
    seen: Seen,
    is_first: bool,
    viewed: Viewed,
    said: u64,
}

impl Log {
    fn new() -> Self {
        Self {
            seen: Seen::default(),
            is_first: true,
            viewed: Viewed::default(),
            said: clock::now(),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let (age, missing) = self.seen.frame(bytes).unwrap_or_else(|fault| fail(fault));
        if !self
            .seen
            .can_be_shown(missing, mem::take(&mut self.is_first))
        {
            fail("what follows a loss is no keyframe");
        }
        self.viewed.ages.push((age / 1_000) as u32);
        self.viewed.missing += missing;
        if clock::now() - self.said >= SECOND {
            self.said = clock::now();
            say(Said::Viewed(mem::take(&mut self.viewed)));
        }
    }
}
