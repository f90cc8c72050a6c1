// SPDX-License-Identifier: MPL-2.0
//! Peers that connect to a sink that listens.

use crate::random::Random;
use crate::stream::{self, Parser};
use crate::support::*;
use crate::viewer::Viewer;
use gst::prelude::*;
use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

/// Clients that read all the time, each in a thread of its own, and may lose nothing.
const STEADY: usize = 2;
/// The stream is ahead of them by no more than this, so that they are never too slow.
const AHEAD: usize = 4;
const LIMIT: usize = AHEAD;
const MOST: usize = 16;
/// What waits is shared; only the frame that has been begun is another for each client.
const MOST_HELD: usize = AHEAD + LIMIT + MOST + stream::GROUP as usize + 2;

#[derive(Clone, Copy, Debug)]
enum Action {
    Join,
    Leave,
    Reset,
    TearAndReset,
    HalfClose,
    Stall,
    Resume,
    Talk,
    Dismiss,
}

/// As often as they are listed.
const ACTIONS: &[Action] = &[
    Action::Join,
    Action::Join,
    Action::Join,
    Action::Join,
    Action::Join,
    Action::Leave,
    Action::Reset,
    Action::TearAndReset,
    Action::HalfClose,
    Action::Stall,
    Action::Stall,
    Action::Resume,
    Action::Talk,
    Action::Dismiss,
];

struct Soak {
    sink: Sender,
    address: SocketAddr,
    random: Random,
    /// The next frame's.
    number: u64,
    steady: Vec<Steady>,
    viewers: VecDeque<Viewer>,
    joined: u64,
    added: mpsc::Receiver<(u64, SocketAddr)>,
    removed: mpsc::Receiver<u64>,
    ids: HashMap<SocketAddr, u64>,
}

struct Steady {
    thread: JoinHandle<()>,
    numbers: mpsc::Receiver<u64>,
    last: Option<u64>,
}

pub fn soak(seed: u64, sync_method: &str, events: usize) {
    let mut soak = Soak::start(seed, sync_method);
    for _ in 0..events {
        let &action = soak.random.pick(ACTIONS);
        soak.act(action);
        for _ in 0..soak.random.below(5) {
            soak.push();
        }
        soak.read();
    }
    soak.end();
    eventually("nobody holds a frame", || stream::held() == 0);
}

impl Soak {
    fn start(seed: u64, sync_method: &str) -> Self {
        let settings = format!(
            "mode=listen port=0 wait-for-connection=false sync-method={sync_method} \
             overflow=drop max-size-time=0 max-size-buffers={LIMIT}"
        );
        let sink = Sender::new(&settings);
        let id = |arguments: &[gst::glib::Value]| arguments[1].get::<u64>().expect("an id");
        let added = listen_to(&sink.sink, "client-added", move |arguments| {
            (id(arguments), address(&arguments[2]))
        });
        let removed = listen_to(&sink.sink, "client-removed", id);
        sink.start();
        let mut soak = Self {
            address: (Ipv4Addr::LOCALHOST, sink.port()).into(),
            sink,
            random: Random::new(seed),
            number: 0,
            steady: Vec::new(),
            viewers: VecDeque::new(),
            joined: 0,
            added,
            removed,
            ids: HashMap::new(),
        };
        for _ in 0..STEADY {
            soak.steady.push(Steady::start(soak.address.port()));
            soak.joined += 1;
        }
        await_number(&soak.sink.sink, "num-clients", STEADY as u64);
        soak
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Join if self.viewers.len() < MOST => {
                let viewer = Viewer::connect(self.address, &mut self.random);
                self.viewers.push_back(viewer);
                self.joined += 1;
            }
            _ => {
                let Some(viewer) = self.any_viewer() else {
                    return;
                };
                if let Some(viewer) = self.act_on(action, viewer) {
                    self.viewers.push_back(viewer);
                }
            }
        }
    }

    fn any_viewer(&mut self) -> Option<Viewer> {
        let count = self.viewers.len();
        let index = (count > 0).then(|| self.random.below(count))?;
        self.viewers.swap_remove_back(index)
    }

    /// Returns the viewer if it stays.
    fn act_on(&mut self, action: Action, mut viewer: Viewer) -> Option<Viewer> {
        match action {
            Action::Join | Action::Leave => return None,
            Action::Reset => {
                viewer.reset();
                return None;
            }
            Action::TearAndReset => {
                viewer.read(self.random.below(stream::LONGEST));
                viewer.reset();
                return None;
            }
            Action::HalfClose => viewer.end_sending(),
            Action::Stall => viewer.reads = false,
            Action::Resume => viewer.reads = true,
            Action::Talk => viewer.talk(&vec![b'?'; self.random.below(5_000)]),
            Action::Dismiss => self.dismiss(&mut viewer),
        }
        Some(viewer)
    }

    fn dismiss(&mut self, viewer: &mut Viewer) {
        self.ids
            .extend(self.added.try_iter().map(|(id, address)| (address, id)));
        // It may not have been let in yet.
        if let Some(id) = self.ids.get(&viewer.address()) {
            viewer.is_dismissed = true;
            let _: bool = self.sink.sink.emit_by_name("disconnect-client", &[id]);
        }
    }

    fn push(&mut self) {
        let buffer = stream::buffer(self.number);
        let pushed = self.sink.push_buffer(buffer);
        assert_eq!(pushed, Ok(gst::FlowSuccess::Ok));
        self.number += 1;
        if let Some(due) = self.number.checked_sub(AHEAD as u64) {
            for steady in &mut self.steady {
                steady.await_frame(due);
            }
        }
        let held = stream::held();
        assert!(held <= MOST_HELD, "{held} frames are held");
    }

    fn read(&mut self) {
        for viewer in self.viewers.iter_mut().filter(|viewer| viewer.reads) {
            viewer.read(usize::MAX);
        }
        self.viewers.retain(|viewer| !viewer.has_ended);
    }

    /// Whoever is left gets the rest, and a clean end.
    fn end(mut self) {
        await_stat(&self.sink, "connections", self.joined);
        while !stream::is_keyframe(self.number) {
            self.push();
        }
        let last = self.number;
        self.push();
        let ending = self.sink.in_background(|feed| feed.end());
        eventually("every client has the end of the stream", || {
            for viewer in &mut self.viewers {
                viewer.read(usize::MAX);
            }
            self.viewers.iter().all(|viewer| viewer.has_ended)
        });
        for viewer in self.viewers.iter().filter(|viewer| !viewer.is_dismissed) {
            assert_eq!(viewer.last(), Some(last));
        }
        for mut steady in self.steady {
            steady.await_frame(last);
            steady.thread.join().expect("every frame, and a clean end");
        }
        ending.join().expect("the end was taken");
        self.sink.expect_eos();
        self.sink.stop();
        assert_eq!(self.removed.try_iter().count() as u64, self.joined);
        assert!(self.sink.unread_errors(&self.sink.sink).is_empty());
    }
}

impl Steady {
    fn start(port: u16) -> Self {
        let peer = Peer::connect(port);
        let (tell, numbers) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut parser = Parser::default();
            loop {
                let bytes = peer.receive_some();
                if bytes.is_empty() {
                    return assert!(parser.is_between_frames(), "a clean end");
                }
                let before = parser.last;
                parser.feed(&bytes);
                if let Some(last) = parser.last.filter(|_| parser.last != before) {
                    // Nobody asks any more where the test has failed.
                    let _ = tell.send(last);
                }
            }
        });
        Self {
            thread,
            numbers,
            last: None,
        }
    }

    #[track_caller]
    fn await_frame(&mut self, number: u64) {
        while self.last < Some(number) {
            let next = self.numbers.recv_timeout(PATIENCE);
            self.last = Some(next.expect("a steady client gets every frame"));
        }
    }
}

fn address(value: &gst::glib::Value) -> SocketAddr {
    let address = value.get::<gio::SocketAddress>().expect("a GSocketAddress");
    let address = address.downcast::<gio::InetSocketAddress>();
    address.expect("an Internet address").into()
}

fn await_stat(sink: &Sender, field: &str, wanted: u64) {
    eventually(field, || stat(&sink.sink, field) == wanted);
}
