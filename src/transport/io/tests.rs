// SPDX-License-Identifier: MPL-2.0
//! Who is let in, and when to look again.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use mio::{Poll, Waker};

use super::*;
use crate::{
    net::{Callers, Fault, Faults, Listener, Script},
    transport::{Mode, Observer, Role, Target, Users, link::Writing, teller::Telling},
};

/// One that a source listens with.
pub(super) fn endpoint(poll: &Poll, reconnect: bool) -> Arc<Endpoint<()>> {
    let target = Target {
        mode: Mode::Listen,
        host: String::new(),
        port: 0,
        connect_timeout: None,
        reconnect,
        qos_dscp: None,
        socket: None,
        tls: None,
        last_id: Arc::default(),
    };
    let waker = Arc::new(Waker::new(poll.registry(), WAKE).unwrap());
    let users = Users::One(Role::Reader);
    Arc::new(Endpoint::new(target, users, false, Vec::new(), waker))
}

struct Told(mpsc::Sender<Event>);

impl Observer for Told {
    fn notice(&self, event: &Event) {
        let _ = self.0.send(event.clone());
    }
}

/// A source to which some come.
struct Stage {
    endpoint: Arc<Endpoint<()>>,
    io: Io<()>,
    _telling: Telling,
    told: mpsc::Receiver<Event>,
    start: Instant,
}

impl Stage {
    fn new(
        reconnect: bool,
        callers: impl IntoIterator<Item = Arc<Script>>,
        faults: Faults,
        encrypt: impl FnOnce(Arrivals) -> Arrivals,
    ) -> Self {
        let poll = Poll::new().unwrap();
        let endpoint = endpoint(&poll, reconnect);
        let callers = Callers::new(callers, &Arc::new(faults));
        let listeners = vec![Listener::scripted(callers)];
        let arrivals = Arrivals::doors(listeners, ARRIVALS, poll.registry()).unwrap();
        let (teller, telling) = Teller::spawn().unwrap();
        let (tell, told) = mpsc::channel();
        let waker = endpoint.waker.clone();
        endpoint.attach_reader(Arc::new(Told(tell)), waker, Vec::new());
        Self {
            io: Io::new(endpoint.clone(), poll, encrypt(arrivals), teller),
            endpoint,
            _telling: telling,
            told,
            start: Instant::now(),
        }
    }

    /// Lets in who is there after so long. Says after how long it is to be looked again.
    fn open(&mut self, after: Duration) -> Option<Duration> {
        let again = self.io.open(self.start + after);
        again.map(|at| at - self.start)
    }

    /// The peer that has its turn sends a header.
    fn hear(&self) {
        let state = self.endpoint.lock();
        state.link().expect("a link").connection.hear();
    }
}

/// Those who say nothing.
fn silent(count: usize) -> impl Iterator<Item = Arc<Script>> {
    (0..count).map(|_| Arc::default())
}

const LATER: Duration = Duration::from_secs(1);

#[test]
fn room_is_waited_for_no_longer_than_somebody_is_to_have_it() {
    let mut stage = Stage::new(false, silent(600), Faults::default(), |plain| plain);
    let room = stage.open(Duration::ZERO).expect("no room for all");
    assert!(room > Duration::ZERO);
    // Those give way who have been there for so long.
    assert_eq!(stage.open(room), None);
    stage.hear();
    assert_eq!(stage.open(LATER), None);
}

#[test]
fn behind_a_sender_that_has_begun_there_is_no_wait_for_room() {
    let mut stage = Stage::new(false, silent(600), Faults::default(), |plain| plain);
    assert!(stage.open(Duration::ZERO).is_some(), "no room for all");
    stage.hear();
    assert_eq!(stage.open(LATER), None);
}

#[test]
fn nor_is_there_one_for_a_descriptor() {
    let faults = Faults::new(Fault::Fails(libc::EMFILE), 1);
    let mut stage = Stage::new(false, silent(2), faults, |plain| plain);
    assert_eq!(stage.open(Duration::ZERO), Some(Duration::from_millis(100)));
    stage.hear();
    assert_eq!(stage.open(LATER), None);
}

#[test]
fn who_talks_without_end_has_one_turn_at_a_time() {
    let mut stage = Stage::new(true, silent(0), Faults::default(), |plain| plain);
    let script = Script::watched(1_000, &Arc::default());
    script.give(&[b'0'; 10_000_000]);
    let connection = Arc::new(Connection::scripted(script));
    let link = Link::new(1, connection, Reading::Discarded, Writing::Unclaimed);
    let key = stage.endpoint.lock().insert(link);
    // What was left over, and what the system tells of.
    stage.io.discard(key);
    stage.io.discard(key);
    assert_eq!(stage.io.talkative.len(), 1);
}

/// Whoever stops one of a pair waits for that.
#[test]
fn a_mark_is_let_go_of_behind_what_was_to_be_told() {
    struct Held(std::sync::Mutex<mpsc::Receiver<()>>);

    impl Observer for Held {
        fn notice(&self, _: &Event) {
            let _ = self.0.lock().unwrap().recv();
        }
    }

    let stage = Stage::new(true, silent(0), Faults::default(), |plain| plain);
    let (go, held) = mpsc::channel();
    let (mark, are_told) = mpsc::channel();
    let mut state = stage.endpoint.lock();
    let observer = Arc::new(Held(std::sync::Mutex::new(held)));
    state.untold.push((Event::PassedOver(1), observer));
    state.marks.push(mark);
    stage.io.tell_newcomers(&mut state);
    assert_eq!(are_told.try_recv(), Err(mpsc::TryRecvError::Empty));
    go.send(()).unwrap();
    assert_eq!(are_told.recv(), Err(mpsc::RecvError));
}

/// Nothing else would tell that there are more.
#[cfg(feature = "tls")]
#[test]
fn of_all_faults_of_those_who_wait_is_told_at_once() {
    use crate::net::Sides;

    let faults = Arc::default();
    let callers = [(); 3].map(|()| {
        let script = Script::watched(1_000, &faults);
        script.give(b"GET / HTTP/1.1\r\n");
        Arc::new(script)
    });
    let encrypt = |plain: Arrivals| plain.with_tls(Sides::get().near(false), ARRIVALS, true);
    let mut stage = Stage::new(true, callers, Faults::default(), encrypt);
    let connection = Arc::new(Connection::scripted(Script::default()));
    let link = Link::new(1, connection, Reading::Claimed, Writing::Unclaimed);
    stage.endpoint.lock().insert(link);
    assert_eq!(stage.open(Duration::ZERO), Some(Duration::ZERO));
    assert_eq!(stage.open(Duration::ZERO), None);
    for _ in 0..3 {
        let event = stage.told.recv_timeout(Duration::from_secs(5));
        assert!(matches!(event, Ok(Event::Warning(_))), "{event:?}");
    }
}
