// SPDX-License-Identifier: MPL-2.0
//! Handshakes under way: each goes on as its peer does, and gives way when it takes too long.

use std::{
    collections::VecDeque,
    io, mem,
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use mio::{Interest, Registry, Token, unix::SourceFd};
use slab::Slab;

use super::{
    connection::{Established, take_leave},
    error::Error,
    handshake_fault::TlsFault,
    later::Later,
    peer::Peer,
    stream::Stream,
    tls::{Session, Tls},
};

/// How long a peer has.
const LIMIT: Duration = Duration::from_secs(10);

/// Peers that have their time at once: more than strangers hold for long, at some 20 kB each.
const MAX_UNDER_WAY: usize = 1_024;

/// Where there are as many, one that has said nothing for so long gives way to the next: the one who connects speaks at
/// once. ...
const SILENCE: Duration = Duration::from_millis(250);

/// ... or else one that has taken so long. An honest peer that is far away needs less.
const HASTE: Duration = Duration::from_secs(2);

/// Others have their turn after as much work.
const ROUND: Duration = Duration::from_millis(4);

/// The same fault of the same host is told again after so long.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

/// In that time, so many: thousands of strangers are not to fill the bus.
const MAX_TOLD: usize = 64;

/// Makes encrypted connections of plain ones.
pub(super) struct Handshakes {
    tls: Tls,
    /// The first of the tokens that are for sockets of this.
    token: Token,
    under_way: Slab<Handshake>,
    /// Of those, whose turn is next.
    next: usize,
    /// How many have their time at once.
    most: usize,
    finished: VecDeque<Result<Established, Error>>,
    /// What was told last.
    told: Vec<(IpAddr, TlsFault, Instant)>,
}

struct Handshake {
    session: Session,
    address: Option<SocketAddr>,
    begun: Instant,
    is_ready: bool,
}

impl Handshakes {
    pub fn new(tls: Tls, token: Token) -> Self {
        Self {
            tls,
            token,
            under_way: Slab::new(),
            next: 0,
            most: MAX_UNDER_WAY,
            finished: VecDeque::new(),
            told: Vec::new(),
        }
    }

    /// How many have begun and were not handed out.
    pub fn len(&self) -> usize {
        self.under_way.len() + self.finished.len()
    }

    /// Whether one more may begin, if need be in the place of another; or when.
    pub fn room(&self, now: Instant) -> Result<(), Later> {
        if !self.is_full() {
            return Ok(());
        }
        let at = self.next_to_give_way().map(|(at, _)| at);
        Later::unless_past(at, now)
    }

    fn is_full(&self) -> bool {
        self.len() >= self.most
    }

    fn next_to_give_way(&self) -> Option<(Instant, usize)> {
        let at = self.under_way.iter().map(|(key, handshake)| {
            let is_silent = handshake.session.is_silent();
            let time = if is_silent { SILENCE } else { HASTE };
            (handshake.begun + time, key)
        });
        at.min()
    }

    /// Begins one for which there is [`room`](Self::room); [`advance`](Self::advance) goes on with it.
    pub fn begin(&mut self, registry: &Registry, established: Established, now: Instant) {
        if established.failure != 0 {
            let reason = io::Error::from_raw_os_error(established.failure).kind();
            let fault = TlsFault::Unanswered(Some(reason));
            let failed = failed(established.address, fault);
            self.finished.push_back(Err(failed));
            return;
        }
        if self.is_full()
            && let Some((_, key)) = self.next_to_give_way()
        {
            // Nobody has waited for it.
            drop(self.under_way.remove(key));
        }
        let Established {
            stream, address, ..
        } = established;
        let Stream::Plain(carrier) = stream else {
            return;
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        let entry = self.under_way.vacant_entry();
        let token = Token(self.token.0 + entry.key());
        let begun = carrier
            .set_nonblocking()
            .and_then(|()| registry.register(&mut SourceFd(&carrier.as_raw_fd()), token, interest));
        let begun = begun.map_err(Error::Exhausted);
        let session = begun.and_then(|()| {
            let begun = self.tls.begin(carrier);
            begun.map_err(|fault| failed(address, fault))
        });
        match session {
            Ok(session) => {
                entry.insert(Handshake {
                    session,
                    address,
                    begun: now,
                    is_ready: true,
                });
            }
            Err(error) => self.finished.push_back(Err(error)),
        }
    }

    /// A socket is ready. Says whether it is one of these.
    pub fn is_ready(&mut self, token: Token) -> bool {
        let key = token.0.checked_sub(self.token.0);
        let handshake = key.and_then(|key| self.under_way.get_mut(key));
        handshake
            .map(|handshake| handshake.is_ready = true)
            .is_some()
    }

    /// Goes on with those that can, some at a time.
    pub fn advance(&mut self, registry: &Registry, mut clock: impl FnMut() -> Instant) {
        let begun = clock();
        // Who comes later may have any key, and is not to be always first.
        let from = mem::take(&mut self.next);
        let mut without_time = None;
        for key in (from..self.under_way.capacity()).chain(0..from) {
            let now = clock();
            let has_time = now.saturating_duration_since(begun) < ROUND;
            if !has_time {
                self.next = *without_time.get_or_insert(key);
            }
            let Some(handshake) = self.under_way.get_mut(key) else {
                continue;
            };
            let outcome = handshake.step(has_time, now);
            let Some(outcome) = outcome else { continue };
            let handshake = self.under_way.remove(key);
            // It is registered anew by whoever uses it.
            let fd = handshake.session.carrier().as_raw_fd();
            let _ = registry.deregister(&mut SourceFd(&fd));
            self.finished.push_back(handshake.finish(outcome));
        }
    }

    /// The next that is complete, or has failed.
    pub fn next_finished(&mut self) -> Option<Result<Established, Error>> {
        self.finished.pop_front()
    }

    /// Whether a fault is worth a word: one peer may try again and again.
    pub fn is_news(&mut self, error: &Error, now: Instant) -> bool {
        let Error::Handshake { peer, fault } = error else {
            return true;
        };
        let Some(address) = peer.address() else {
            return true;
        };
        let is_recent = |at: Instant| now.saturating_duration_since(at) < TOLD_AGAIN;
        self.told.retain(|(_, _, at)| is_recent(*at));
        let mut told = self.told.iter();
        let is_known = told.any(|(host, told, _)| *host == address.ip() && told.is_like(fault));
        let is_news = !is_known && self.told.len() < MAX_TOLD;
        if is_news {
            self.told.push((address.ip(), fault.clone(), now));
        }
        is_news
    }

    /// When to call [`advance`](Self::advance) at the latest.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let handshakes = self.under_way.iter().map(|(_, handshake)| handshake);
        let at = handshakes.map(|handshake| {
            if handshake.is_ready {
                now
            } else {
                handshake.begun + LIMIT
            }
        });
        at.min()
    }
}

impl Handshake {
    /// Goes on if there is something to go on with. Says what has come of it, if it is over.
    fn step(&mut self, has_time: bool, now: Instant) -> Option<Result<(), TlsFault>> {
        if self.is_ready && has_time {
            self.is_ready = false;
            match self.session.handshake() {
                Ok(true) => return Some(Ok(())),
                Ok(false) => (),
                Err(fault) => return Some(Err(fault)),
            }
        }
        (now.saturating_duration_since(self.begun) >= LIMIT).then(|| {
            Err(TlsFault::TimedOut {
                after: LIMIT,
                silent: self.session.is_silent(),
            })
        })
    }

    fn finish(self, outcome: Result<(), TlsFault>) -> Result<Established, Error> {
        let Self {
            session, address, ..
        } = self;
        match outcome {
            Ok(()) => Ok(Established {
                certificate: session.certificate().map(Into::into),
                stream: Stream::Tls(Box::new(session)),
                address,
                failure: 0,
            }),
            Err(fault) => {
                // Who waits for something else is to learn that this is TLS.
                take_leave(&Stream::Tls(Box::new(session)));
                Err(failed(address, fault))
            }
        }
    }
}

fn failed(address: Option<SocketAddr>, fault: TlsFault) -> Error {
    let peer = Peer::from(address);
    Error::Handshake { peer, fault }
}

#[cfg(all(test, feature = "rustls-core"))]
mod tests {
    use super::*;
    use crate::net::credentials::{Credentials, Side};
    use mio::Poll;
    use std::{
        io::Write,
        net::{TcpListener, TcpStream},
    };

    struct Stage {
        poll: Poll,
        handshakes: Handshakes,
        /// Silent, all of them.
        listener: TcpListener,
        peers: Vec<TcpStream>,
        start: Instant,
    }

    impl Stage {
        fn new() -> Self {
            let credentials = Credentials {
                believes_anybody: true,
                ..Credentials::default()
            };
            let tls = Tls::load(&credentials, Side::Client("localhost".into())).unwrap();
            Self {
                poll: Poll::new().unwrap(),
                handshakes: Handshakes::new(tls, Token(100)),
                listener: TcpListener::bind("127.0.0.1:0").unwrap(),
                peers: Vec::new(),
                start: Instant::now(),
            }
        }

        fn begin(&mut self, after: Duration) {
            let socket = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
            let address = socket.peer_addr().ok();
            self.peers.push(self.listener.accept().unwrap().0);
            let established = Established::plain(socket.into(), address, 0);
            let (registry, now) = (self.poll.registry(), self.start + after);
            self.handshakes.begin(registry, established, now);
        }

        /// The time, being this at first, passes so much with each look at the clock.
        fn advance(&mut self, after: Duration, step: Duration) {
            let mut now = self.start + after;
            self.handshakes.advance(self.poll.registry(), || {
                now += step;
                now - step
            });
        }

        fn deadline(&self, after: Duration) -> Option<Duration> {
            let at = self.handshakes.deadline(self.start + after);
            at.map(|at| at - self.start)
        }

        /// Whether there is room after so long, or when.
        fn room(&self, after: Duration) -> Result<(), Option<Duration>> {
            let room = self.handshakes.room(self.start + after);
            room.map_err(|Later(at)| at.map(|at| at - self.start))
        }

        fn begun_at(&self, after: Duration) -> usize {
            let under_way = self.handshakes.under_way.iter();
            under_way
                .filter(|(_, handshake)| handshake.begun == self.start + after)
                .count()
        }

        fn ready(&self) -> usize {
            let under_way = self.handshakes.under_way.iter();
            under_way
                .filter(|(_, handshake)| handshake.is_ready)
                .count()
        }
    }

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn one_that_takes_too_long_gives_way() {
        let mut stage = Stage::new();
        stage.begin(Duration::ZERO);
        assert_eq!(stage.deadline(Duration::ZERO), Some(Duration::ZERO));
        stage.advance(LIMIT - MILLISECOND, Duration::ZERO);
        assert!(stage.handshakes.next_finished().is_none());
        assert_eq!(stage.deadline(LIMIT - MILLISECOND), Some(LIMIT));
        stage.advance(LIMIT, Duration::ZERO);
        let error = stage.handshakes.next_finished().unwrap().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("has not answered the TLS handshake within 10 s"),
            "{error}"
        );
        assert_eq!(stage.handshakes.len(), 0);
        assert_eq!(stage.deadline(LIMIT), None);
    }

    #[test]
    fn others_have_their_turn_after_some_milliseconds() {
        let mut stage = Stage::new();
        for _ in 0..10 {
            stage.begin(Duration::ZERO);
        }
        stage.advance(Duration::ZERO, MILLISECOND);
        assert_eq!(stage.ready(), 7);
        stage.advance(Duration::ZERO, Duration::ZERO);
        assert_eq!(stage.ready(), 0);
    }

    #[test]
    fn whoever_comes_takes_no_turn_from_those_who_came_before() {
        let mut stage = Stage::new();
        for _ in 0..10 {
            stage.begin(Duration::ZERO);
        }
        // Of each three that have their turn nothing comes, and others have their keys.
        for _ in 0..6 {
            stage.advance(Duration::ZERO, MILLISECOND);
            let under_way = stage.handshakes.under_way.iter();
            let had_turn = under_way.filter(|(_, handshake)| !handshake.is_ready);
            let over: Vec<_> = had_turn.map(|(key, _)| key).collect();
            for key in over {
                drop(stage.handshakes.under_way.remove(key));
                stage.begin(MILLISECOND);
            }
        }
        assert_eq!(stage.begun_at(Duration::ZERO), 0);
    }

    #[test]
    fn there_is_room_for_some_and_the_silent_give_way_to_more() {
        let mut stage = Stage::new();
        stage.handshakes.most = 8;
        for _ in 0..8 {
            assert_eq!(stage.room(Duration::ZERO), Ok(()));
            stage.begin(Duration::ZERO);
        }
        assert_eq!(stage.room(SILENCE - MILLISECOND), Err(Some(SILENCE)));
        assert_eq!(stage.room(SILENCE), Ok(()));
        // Nobody gives way before another is there.
        assert_eq!(stage.handshakes.len(), 8);
        stage.begin(SILENCE);
        assert_eq!(stage.handshakes.len(), 8);
        assert_eq!(stage.begun_at(Duration::ZERO), 7);
    }

    #[test]
    fn those_who_have_said_something_give_way_later() {
        let mut stage = Stage::new();
        stage.handshakes.most = 1;
        stage.begin(Duration::ZERO);
        // The first bytes of what a server says.
        stage.peers[0].write_all(b"\x16\x03\x03").unwrap();
        let (_, handshake) = stage.handshakes.under_way.iter_mut().next().unwrap();
        while handshake.session.is_silent() {
            assert_eq!(handshake.session.handshake(), Ok(false));
        }
        assert_eq!(stage.room(HASTE - MILLISECOND), Err(Some(HASTE)));
        assert_eq!(stage.room(HASTE), Ok(()));
    }

    #[test]
    fn of_many_hosts_some_are_told_of() {
        let mut stage = Stage::new();
        let mut told_of = |after: u64, hosts: std::ops::Range<u16>| {
            let now = stage.start + Duration::from_secs(after);
            let addresses = hosts.map(|host| {
                let [high, low] = host.to_be_bytes();
                SocketAddr::from(([192, 0, high, low], 1))
            });
            let mut faults = addresses.map(|address| failed(Some(address), TlsFault::Cut));
            let is_news = |fault: &Error| stage.handshakes.is_news(fault, now);
            faults.by_ref().filter(is_news).count()
        };
        assert_eq!(told_of(0, 0..1_000), MAX_TOLD);
        assert_eq!(told_of(59, 1_000..2_000), 0);
        assert_eq!(told_of(60, 1_000..2_000), MAX_TOLD);
    }

    #[test]
    fn a_fault_that_comes_again_is_told_once() {
        let mut stage = Stage::new();
        let fault = |host: [u8; 4], fault: &TlsFault| failed(Some((host, 1).into()), fault.clone());
        let (cut, other) = (TlsFault::Cut, TlsFault::NoClientCertificate);
        let (one, two) = ([192, 0, 2, 1], [192, 0, 2, 2]);
        for (after, host, kind, is_news) in [
            (0, one, &cut, true),
            (1, one, &cut, false),
            (2, two, &cut, true),
            (3, one, &cut, false),
            (3, two, &other, true),
            (62, two, &other, false),
            (63, two, &other, true),
        ] {
            let now = stage.start + Duration::from_secs(after);
            let error = fault(host, kind);
            assert_eq!(stage.handshakes.is_news(&error, now), is_news, "{after} s");
        }
    }
}
