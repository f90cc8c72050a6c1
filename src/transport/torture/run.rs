// SPDX-License-Identifier: MPL-2.0
//! One run of a scenario.

use std::{
    collections::VecDeque,
    fmt, io,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use mio::{Events, Poll, Waker};

use super::{
    Scenario,
    peer::Peer,
    sent::{CAPS, FRAMES, HELLO, prefix},
};
use crate::{
    fanout::{Description, Flow, Frame, JoinAt, Lead, Limits, Payload, Piece},
    net::{Arrivals, Call, Callers, Error, Fault, Faults, Listener, Script, Sides},
    transport::{
        Endpoint, Event, FrameMemory, Mode, Observer, Reason, Received, Receiver, SendError,
        Target,
        io::{ARRIVALS, Io, WAKE},
        teller::{Teller, Telling},
    },
    wire::HeaderFormat,
};

/// What a kernel holds, and what it does where handshakes are to go through.
const ROOM: usize = 64;
const TLS_ROOM: usize = 400;

/// So many rounds without a change show that nothing is under way.
const QUIET: usize = 3;

/// A run that has not come to its end by then does not.
const MAX_ROUNDS: usize = 500;

/// Longer than anybody waits before trying again.
const PAUSE: Duration = Duration::from_millis(2_500);

/// How long a thread takes to end.
const LIMIT: Duration = Duration::from_secs(5);

/// What has come of a run.
pub struct Outcome {
    /// There was a call for the fault.
    pub has_happened: bool,
    pub calls: Vec<Call>,
    pub heard: Vec<Heard>,
    pub received: Vec<String>,
    /// The faults that were told, and those that are survived.
    pub faults: Vec<Arc<Error>>,
    pub warnings: Vec<Arc<Error>>,
    /// Connections that have begun, and why they ended.
    pub connected: Vec<u64>,
    pub disconnected: Vec<(u64, Reason)>,
    /// Whether the stream was sent to its end.
    pub has_sent: Option<bool>,
    pub has_received_end: bool,
}

/// What has come of a connection.
pub struct Heard {
    pub is_hit: bool,
    /// What the peer took.
    pub bytes: Vec<u8>,
    /// What was sent, whether the peer took it or not.
    pub sent: Vec<u8>,
    pub has_end: bool,
    /// It was let go of with something unread, which a kernel answers by a reset.
    pub is_reset: bool,
}

/// Counts those of it that are alive.
#[derive(Debug)]
struct Pieces(&'static [&'static [u8]], #[expect(dead_code)] Arc<()>);

impl Payload for Pieces {
    type Chunk<'a> = &'a [u8];

    fn chunks(&self) -> impl Iterator<Item = io::Result<&[u8]>> {
        self.0.iter().copied().map(Ok)
    }
}

struct OnHeap;

impl FrameMemory for OnHeap {
    type Frame = Vec<u8>;

    fn allocate(&mut self, len: usize) -> Option<Vec<u8>> {
        Some(vec![0; len])
    }

    fn bytes(frame: &mut Vec<u8>) -> &mut [u8] {
        frame
    }

    fn forget(&mut self) {}
}

#[derive(Default)]
struct Log(Mutex<Vec<Event>>);

impl Observer for Log {
    fn notice(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// Runs a scenario, with one of its calls going wrong.
pub fn run(scenario: &Scenario, fault: Option<(Fault, usize)>) -> Outcome {
    let faults = fault.map_or_else(Faults::default, |(fault, at)| Faults::new(fault, at));
    let mut stage = Stage::new(scenario, Arc::new(faults));
    let mut quiet = 0;
    let mut has_paused = false;
    for _ in 0..MAX_ROUNDS {
        if stage.round() {
            (quiet, has_paused) = (0, false);
            continue;
        }
        quiet += 1;
        if quiet < QUIET {
            continue;
        }
        quiet = 0;
        if !has_paused {
            stage.ahead += PAUSE;
            has_paused = true;
        } else if stage.begins() {
            has_paused = false;
        } else {
            return stage.end();
        }
    }
    panic!(
        "{}, {fault:?}: more than {MAX_ROUNDS} rounds",
        scenario.name
    );
}

struct Stage {
    endpoint: Arc<Endpoint<Pieces>>,
    io: Io<Pieces>,
    telling: Telling,
    events: Events,
    /// How far the time is ahead of the clock: nobody waits here.
    ahead: Duration,
    log: Arc<Log>,
    receiver: Option<Receiver<Pieces, OnHeap>>,
    frames: VecDeque<Frame<Pieces>>,
    payloads: Arc<()>,
    begins: bool,
    sends: bool,
    peers: Vec<Peer>,
    callers: Arc<Callers>,
    faults: Arc<Faults>,
    received: Vec<String>,
    reported: Vec<Arc<Error>>,
    has_sent: Option<bool>,
    has_received_end: bool,
}

impl Stage {
    fn new(scenario: &Scenario, faults: Arc<Faults>) -> Self {
        let connects = scenario.mode == Mode::Connect;
        let peers: Vec<_> = scenario
            .peers
            .iter()
            .map(|&manner| {
                let room = if scenario.tls { TLS_ROOM } else { ROOM };
                let script = Arc::new(Script::watched(room, &faults));
                let tls = scenario.tls.then(|| Sides::get().far(connects));
                Peer::new(script, manner, tls)
            })
            .collect();
        let callers = Callers::new(peers.iter().map(|peer| peer.script.clone()), &faults);
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).unwrap());
        let mut arrivals = if connects {
            Arrivals::calls("127.0.0.1", 1, None, ARRIVALS, &waker).to(callers.clone())
        } else {
            let listener = Listener::scripted(callers.clone());
            Arrivals::doors(vec![listener], ARRIVALS, poll.registry()).unwrap()
        };
        if scenario.tls {
            let tls = Sides::get().near(connects);
            arrivals = arrivals.with_tls(tls, ARRIVALS, scenario.reconnect);
        }
        let endpoint = Endpoint::new(target(scenario), scenario.users, false, Vec::new(), waker);
        let endpoint = Arc::new(endpoint);
        let (teller, telling) = Teller::spawn().unwrap();
        let payloads = Arc::new(());
        let mut stage = Self {
            io: Io::new(endpoint.clone(), poll, arrivals, teller),
            endpoint,
            telling,
            events: Events::with_capacity(16),
            ahead: Duration::ZERO,
            log: Arc::default(),
            receiver: None,
            frames: VecDeque::new(),
            payloads,
            begins: false,
            sends: false,
            peers,
            callers,
            faults,
            received: Vec::new(),
            reported: Vec::new(),
            has_sent: None,
            has_received_end: false,
        };
        if scenario.writes() {
            stage.attach_writer(scenario);
        }
        if scenario.reads() {
            stage.attach_reader();
        }
        stage
    }

    fn attach_writer(&mut self, scenario: &Scenario) {
        let flow = Flow {
            limits: Limits {
                frames: Some(2),
                ..Limits::default()
            },
            join: JoinAt::Latest,
            hold_without_client: true,
            metadata: scenario.metadata,
            ..Flow::default()
        };
        self.endpoint
            .attach_writer(self.log.clone(), flow, HELLO.to_vec());
        let description = Description::new(None, CAPS.to_vec(), Instant::now());
        self.endpoint.describe(description);
        // It is asked again rather than waits.
        self.endpoint.interrupt(true);
        self.frames = FRAMES
            .iter()
            .map(|pieces| frame(Pieces(pieces, self.payloads.clone())))
            .collect();
        self.begins = true;
    }

    fn attach_reader(&mut self) {
        let format = HeaderFormat::default();
        let receiver = Receiver::new(self.endpoint.clone(), OnHeap, format, 1_000, None);
        let receiver = receiver.unwrap().with_records();
        receiver.attach(self.log.clone(), Vec::new());
        self.receiver = Some(receiver);
    }

    /// The stream begins, where it has not. Says whether that is so.
    fn begins(&mut self) -> bool {
        self.sends |= self.begins;
        std::mem::take(&mut self.begins)
    }

    /// Everybody does what there is to do. Says whether there was anything.
    fn round(&mut self) -> bool {
        let before = self.faults.count();
        self.endpoint.wake();
        let now = Instant::now() + self.ahead;
        assert!(self.io.round(&mut self.events, now).unwrap());
        let mut is_busy = self.send();
        is_busy |= self.receive();
        for peer in &mut self.peers {
            is_busy |= peer.go_on();
        }
        is_busy |= self.callers.settle();
        is_busy || self.faults.count() > before
    }

    fn send(&mut self) -> bool {
        if !self.sends || self.has_sent.is_some() {
            return false;
        }
        let left = self.frames.len();
        let mut result = Ok(());
        if left > 0 {
            result = self.endpoint.send(&mut self.frames).map(drop);
        }
        if self.frames.is_empty() && result.is_ok() {
            result = self.endpoint.finish(u64::MAX);
        }
        match result {
            Ok(()) => self.has_sent = self.frames.is_empty().then_some(true),
            Err(SendError::Interrupted) => (),
            Err(SendError::Failed(error)) => {
                self.reported.push(error);
                self.has_sent = Some(false);
            }
            Err(SendError::HungUp | SendError::Yield) => self.has_sent = Some(false),
        }
        self.has_sent.is_some() || self.frames.len() < left
    }

    fn receive(&mut self) -> bool {
        let Some(receiver) = &mut self.receiver else {
            return false;
        };
        let mut is_busy = false;
        while let Some(received) = receiver.poll_next().filter(|_| !self.has_received_end) {
            is_busy = true;
            match received {
                Received::Frame(frame) => self.received.push(String::from_utf8(frame).unwrap()),
                Received::Record => (),
                Received::Ended { fault, goes_on } => {
                    self.reported.extend(fault);
                    self.has_received_end |= !goes_on;
                }
                Received::Failed(error) => {
                    self.reported.push(error);
                    self.has_received_end = true;
                }
                Received::Interrupted => unreachable!("nobody interrupts"),
            }
        }
        is_busy
    }

    /// Takes everything down, and looks whether anything is left.
    fn end(mut self) -> Outcome {
        if self.receiver.take().is_some() {
            self.has_received_end |= self.peers.len() > 1;
        }
        if self.sends || self.begins {
            self.endpoint.detach_writer();
        }
        self.frames.clear();
        self.io.run();
        assert!(self.telling.ends_within(LIMIT), "a thread is left");
        assert_eq!(Arc::strong_count(&self.endpoint), 1);
        drop(self.endpoint);
        drop(self.callers);
        for peer in &self.peers {
            assert_eq!(Arc::strong_count(&peer.script), 1, "a connection is left");
        }
        assert_eq!(Arc::strong_count(&self.payloads), 1, "payloads are left");
        let calls = self.faults.calls();
        let mut outcome = Outcome {
            has_happened: self.faults.has_happened(),
            calls,
            heard: Vec::new(),
            received: self.received,
            faults: self.reported,
            warnings: Vec::new(),
            connected: Vec::new(),
            disconnected: Vec::new(),
            has_sent: self.has_sent,
            has_received_end: self.has_received_end,
        };
        outcome.heard = self.peers.into_iter().map(heard).collect();
        let log = Arc::into_inner(self.log).expect("nobody else is told");
        for event in log.0.into_inner().unwrap() {
            outcome.note(event);
        }
        // The two users are told of the same.
        outcome.faults = distinct(outcome.faults);
        outcome.warnings = distinct(outcome.warnings);
        outcome.connected.sort_unstable();
        outcome.disconnected.sort_unstable_by_key(|&(id, _)| id);
        outcome
    }
}

impl Outcome {
    fn note(&mut self, event: Event) {
        match event {
            Event::Connected { id, .. } => self.connected.push(id),
            Event::Disconnected {
                id, reason, cause, ..
            } => {
                self.disconnected.push((id, reason));
                self.faults.extend(cause);
            }
            Event::Warning(error) => self.warnings.push(error),
            Event::Failed(error) => self.faults.push(error),
            Event::Request(_) | Event::Waiting(_) | Event::PassedOver(_) => (),
        }
    }
}

fn heard(mut peer: Peer) -> Heard {
    // What was sent last.
    peer.go_on();
    let script = &peer.script;
    Heard {
        is_hit: script.is_hit.load(Relaxed),
        sent: script.sent.lock().unwrap().clone(),
        has_end: peer.has_heard_end,
        is_reset: script.is_reset.load(Relaxed),
        bytes: peer.heard,
    }
}

fn distinct(errors: Vec<Arc<Error>>) -> Vec<Arc<Error>> {
    let mut distinct: Vec<Arc<Error>> = Vec::new();
    for error in errors {
        if !distinct.iter().any(|other| Arc::ptr_eq(other, &error)) {
            distinct.push(error);
        }
    }
    distinct
}

fn target(scenario: &Scenario) -> Target {
    Target {
        mode: scenario.mode,
        host: String::new(),
        port: 0,
        connect_timeout: None,
        reconnect: scenario.reconnect,
        qos_dscp: None,
        socket: None,
        tls: None,
        last_id: Arc::default(),
    }
}

fn frame(payload: Pieces) -> Frame<Pieces> {
    let len = payload.0.iter().map(|piece| piece.len()).sum();
    Frame {
        header: HeaderFormat::default().encode(len as u64).unwrap(),
        lead: Some(Lead::Short(prefix(len))),
        payload,
        len,
        keyframe: true,
        repeats_header: false,
        is_note: false,
        piece: Piece::Whole,
        time: None,
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "calls {:?}", self.calls)?;
        writeln!(f, "received {:?}, faults {:?}", self.received, self.faults)?;
        writeln!(
            f,
            "warnings {:?}, ended {:?}",
            self.warnings, self.disconnected
        )?;
        write!(f, "connections {:#?}", self.heard)
    }
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sent, heard) = (self.sent.len(), self.bytes.escape_ascii());
        let Self {
            is_hit,
            has_end,
            is_reset,
            ..
        } = self;
        write!(
            f,
            "hit {is_hit}, end {has_end}, reset {is_reset}, sent {sent}, heard {heard}"
        )
    }
}
