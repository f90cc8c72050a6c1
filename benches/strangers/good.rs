// SPDX-License-Identifier: MPL-2.0
//! The process of those who are welcome.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    sync::mpsc::{self, Receiver},
    thread,
};

use crate::{
    child::{fail, say},
    clock,
    elements::{receive, send},
    job::{Case, Said, Window},
    log::{HEADER_LEN, Log, PERIOD, SIZE, payload},
    tls::believe,
};

pub fn run(case: Case, port: u16, count: usize, orders: &Receiver<Window>) {
    let log = Log::default();
    let mut sender = None;
    if case.is_sink() {
        for _ in 0..count {
            view(case, port, log.clone(), || ());
        }
    } else {
        sender = Some(Sender::start(case, port));
    }
    for order in orders {
        match order {
            Window::Report if case.is_sink() => say(Said::Flow(log.flow())),
            Window::Report => (),
            Window::Join if case.is_sink() => join(case, port),
            // The server sees when its first frame comes.
            Window::Join => {
                if let Some(sender) = &mut sender {
                    sender.come_again(case, port);
                }
            }
        }
    }
}

fn join(case: Case, port: u16) {
    let (tell, told) = mpsc::channel();
    let began = clock::now();
    view(case, port, Log::default(), move || {
        let _ = tell.send(clock::now());
    });
    thread::spawn(move || {
        if let Ok(at) = told.recv() {
            say(Said::Joined((at - began) as f64 / 1e6));
        }
    });
}

/// One client, which calls back for each frame.
fn view(case: Case, port: u16, log: Log, heard: impl Fn() + Send + 'static) {
    if case.is_encrypted() {
        let settings = format!("host=127.0.0.1 port={port} connect-timeout=0");
        receive(&settings, log, move |_| heard(), believe);
        return;
    }
    thread::spawn(move || {
        let watched = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .and_then(|stream| watch(stream, &log, heard));
        if let Err(error) = watched {
            fail(format!("a good client: {error}"));
        }
    });
}

fn watch(mut stream: TcpStream, log: &Log, heard: impl Fn()) -> io::Result<()> {
    let mut frame = vec![0; HEADER_LEN + SIZE];
    let mut last = None;
    loop {
        stream.read_exact(&mut frame)?;
        log.take(&frame[HEADER_LEN..], &mut last);
        heard();
    }
}

/// Who sends to a source that serves one at a time.
enum Sender {
    Plain(TcpStream),
    Element(gst::Element),
}

impl Sender {
    fn start(case: Case, port: u16) -> Self {
        if case.is_encrypted() {
            let settings = format!("host=127.0.0.1 port={port} connect-timeout=0 reconnect=true");
            return Self::Element(send(&settings, believe));
        }
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap_or_else(|e| fail(e));
        let sending = stream.try_clone().expect("a second handle");
        // It ends where another takes its place.
        thread::spawn(move || feed(sending));
        Self::Plain(stream)
    }

    /// Leaves, and comes again behind all the others.
    fn come_again(&mut self, case: Case, port: u16) {
        match self {
            Self::Plain(stream) => {
                let _ = stream.shutdown(std::net::Shutdown::Both);
                *self = Self::start(case, port);
            }
            Self::Element(element) => {
                use gst::prelude::*;
                // As of a program that ends; its pipeline stays behind.
                element.set_locked_state(true);
                let _ = element.set_state(gst::State::Null);
                *self = Self::start(case, port);
            }
        }
    }
}

fn feed(mut stream: TcpStream) -> io::Result<()> {
    let mut next = clock::now();
    for number in 0.. {
        clock::sleep_until(next);
        next += PERIOD;
        let mut frame = format!("{SIZE:08}").into_bytes();
        frame.extend(payload(number));
        stream.write_all(&frame)?;
    }
    Ok(())
}
