// SPDX-License-Identifier: MPL-2.0
//! Where connections come from.

use std::{
    io, mem,
    net::SocketAddr,
    os::fd::AsRawFd,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{Interest, Registry, Token, Waker, unix::SourceFd};
use socket2::Socket;

use super::{
    attempt::Connector,
    backoff::Backoff,
    connection::Established,
    dial::{Dial, Waiting},
    error::Error,
    handshakes::Handshakes,
    later::Later,
    listen::Listener,
    tls::Tls,
    waiting::Waiting as Queue,
};

/// A system without a free descriptor may have one again after this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Handshakes that are begun before others have their turn.
const BEGUN_AT_ONCE: usize = 16;

/// Of the tokens, from where on they are those of handshakes: more than there are sockets that listen.
const HANDSHAKES: usize = 1 << 10;

/// The same for those who wait: more than there are handshakes.
const WAITING: usize = 1 << 14;

/// Makes connections, or takes those that come.
pub struct Arrivals {
    source: Source,
    /// Those who come while another has its turn.
    waiting: Queue,
    /// The first of the tokens that are for sockets of this.
    token: Token,
    /// Where connections are encrypted.
    handshakes: Option<Handshakes>,
    /// Where one comes to nothing, another is made.
    persists: bool,
}

enum Source {
    Given(Option<Established>),
    Calls(Box<Calls>),
    Doors(Doors),
}

struct Calls {
    host: String,
    port: u16,
    limit: Option<Duration>,
    connector: Connector,
    waker: Arc<Waker>,
    dial: Option<Dial>,
    backoff: Backoff,
}

struct Doors {
    doors: Vec<Door>,
    /// Whose turn is next.
    next: usize,
    /// Accepting failed; it is tried again then.
    again: Option<Instant>,
    /// That has been told.
    has_failed: bool,
}

struct Door {
    listener: Listener,
    /// Someone may be waiting.
    is_ready: bool,
}

/// What comes of waiting for a connection.
#[derive(Debug)]
pub enum Arrival {
    /// It is there.
    Established(Established),
    /// It takes long.
    Waiting(Waiting),
    /// One cannot be had, another may be.
    Warning(Error),
    /// None will come.
    Failed(Error),
}

impl Arrivals {
    /// A socket that is connected already.
    pub fn given(socket: Socket) -> Self {
        let address = socket.peer_addr().ok().and_then(|peer| peer.as_socket());
        Self {
            source: Source::Given(Some(Established::plain(socket, address, 0))),
            waiting: queue(Token(0)),
            token: Token(0),
            handshakes: None,
            persists: false,
        }
    }

    /// Encrypts the connections. `token` is the first that is for sockets of this. A call that comes to nothing is
    /// made again where this `persists`.
    pub fn with_tls(mut self, tls: Tls, token: Token, persists: bool) -> Self {
        self.token = token;
        let first = Token(token.0 + HANDSHAKES);
        self.handshakes = Some(Handshakes::new(tls, first));
        self.persists = persists;
        self
    }

    /// Connections made to a host, one after the other. `token` is for the sockets under way, `waker` for the answer
    /// of a look-up: upon either [`next`](Self::next) is to be called.
    pub fn calls(
        host: &str,
        port: u16,
        limit: Option<Duration>,
        token: Token,
        waker: &Arc<Waker>,
    ) -> Self {
        let calls = Calls {
            host: host.into(),
            port,
            limit,
            connector: Connector::default(),
            waker: waker.clone(),
            dial: None,
            backoff: Backoff::default(),
        };
        Self {
            source: Source::Calls(Box::new(calls)),
            waiting: queue(token),
            token,
            handshakes: None,
            persists: false,
        }
    }

    /// They are made to whom a test has written down.
    #[cfg(test)]
    pub(crate) fn to(mut self, callers: Arc<super::script::Callers>) -> Self {
        if let Source::Calls(calls) = &mut self.source {
            calls.connector = Connector::Script(callers);
        }
        self
    }

    /// Connections that come to listening sockets, for which there are as many tokens from `token` on.
    pub fn doors(
        listeners: Vec<Listener>,
        token: Token,
        registry: &Registry,
    ) -> Result<Self, Error> {
        for (i, listener) in listeners.iter().enumerate() {
            registry
                .register(
                    &mut SourceFd(&listener.as_raw_fd()),
                    Token(token.0 + i),
                    Interest::READABLE,
                )
                .map_err(Error::Exhausted)?;
        }
        let doors = listeners.into_iter().map(|listener| Door {
            listener,
            is_ready: true,
        });
        Ok(Self {
            source: Source::Doors(Doors {
                doors: doors.collect(),
                next: 0,
                again: None,
                has_failed: false,
            }),
            waiting: queue(token),
            token,
            handshakes: None,
            persists: false,
        })
    }

    /// A socket is ready. Says whether it is one of these.
    pub fn is_ready(&mut self, token: Token) -> bool {
        if let Some(handshakes) = &mut self.handshakes
            && handshakes.is_ready(token)
        {
            return true;
        }
        if self.waiting.is_ready(token) {
            return true;
        }
        let Some(i) = token.0.checked_sub(self.token.0) else {
            return false;
        };
        match &mut self.source {
            Source::Given(_) => false,
            // It is looked at in every round.
            Source::Calls(_) => i == 0,
            Source::Doors(doors) => doors
                .doors
                .get_mut(i)
                .map(|door| door.is_ready = true)
                .is_some(),
        }
    }

    /// Goes on with handshakes, whoever else has a turn.
    pub fn advance(&mut self, registry: &Registry) {
        if let Some(handshakes) = &mut self.handshakes {
            handshakes.advance(registry, Instant::now);
        }
    }

    /// The next connection, or what there is to tell of it; or when to ask again.
    pub fn next(&mut self, registry: &Registry, now: Instant) -> Result<Arrival, Later> {
        if let Some(established) = self.waiting.take_next(registry) {
            return Ok(Arrival::Established(established));
        }
        let Some(handshakes) = &mut self.handshakes else {
            return self.source.next(registry, self.token, now);
        };
        for _ in 0..BEGUN_AT_ONCE {
            match handshakes.next_finished() {
                Some(Ok(established)) => return Ok(Arrival::Established(established)),
                Some(Err(error)) if !self.source.goes_on(self.persists) => {
                    return Ok(Arrival::Failed(error));
                }
                Some(Err(error)) => {
                    if handshakes.is_news(&error, now) {
                        return Ok(Arrival::Warning(error));
                    }
                    continue;
                }
                None => (),
            }
            // At any other place there is one connection after the other.
            let is_alone = !matches!(self.source, Source::Doors(_));
            if is_alone && handshakes.len() > 0 {
                return Err(Later(None));
            }
            handshakes.room(now)?;
            match self.source.next(registry, self.token, now)? {
                Arrival::Established(established) => {
                    handshakes.begin(registry, established, now);
                }
                other => return Ok(other),
            }
        }
        // Others first.
        Err(Later(Some(now)))
    }

    /// Looks who comes while another has its turn, and shows their addresses. Returns a fault that is to be told before
    /// looking on, or when to look again.
    pub fn look_who_waits(
        &mut self,
        registry: &Registry,
        now: Instant,
        mut show: impl FnMut(Option<SocketAddr>),
    ) -> Result<Error, Later> {
        let Source::Doors(doors) = &mut self.source else {
            return Err(Later(None));
        };
        loop {
            self.waiting.room(now)?;
            if let Some(handshakes) = &mut self.handshakes {
                match handshakes.next_finished() {
                    Some(Ok(established)) => {
                        self.waiting.add(registry, established, now);
                        continue;
                    }
                    Some(Err(fault)) if handshakes.is_news(&fault, now) => return Ok(fault),
                    Some(Err(_)) => continue,
                    None => handshakes.room(now)?,
                }
            }
            match doors.accept(now)? {
                Arrival::Established(established) => {
                    show(established.address);
                    match &mut self.handshakes {
                        Some(handshakes) => handshakes.begin(registry, established, now),
                        None => self.waiting.add(registry, established, now),
                    }
                }
                Arrival::Warning(error) | Arrival::Failed(error) => return Ok(error),
                Arrival::Waiting(_) => (),
            }
        }
    }

    /// Whether somebody waits who has sent something.
    pub fn has_spoken(&self) -> bool {
        self.waiting.has_spoken()
    }

    /// A connection has ended. The next one is made soon only where this one `was_of_use`.
    pub fn ended(&mut self, was_of_use: bool) {
        if let Source::Calls(calls) = &mut self.source {
            calls.backoff.ended(was_of_use);
        }
    }

    /// When to [`advance`](Self::advance) at the latest.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        self.handshakes.as_ref()?.deadline(now)
    }
}

fn queue(token: Token) -> Queue {
    Queue::new(Token(token.0 + WAITING))
}

impl Source {
    fn next(&mut self, registry: &Registry, token: Token, now: Instant) -> Result<Arrival, Later> {
        match self {
            Self::Given(established) => {
                let established = established.take();
                established.map(Arrival::Established).ok_or(Later(None))
            }
            Self::Calls(calls) => calls.next(registry, token, now),
            Self::Doors(doors) => doors.accept(now),
        }
    }

    /// A connection has come to nothing. Says whether another may follow.
    fn goes_on(&mut self, persists: bool) -> bool {
        match self {
            Self::Given(_) => false,
            Self::Calls(calls) => {
                calls.backoff.ended(false);
                persists
            }
            Self::Doors(_) => true,
        }
    }
}

impl Calls {
    fn next(&mut self, registry: &Registry, token: Token, now: Instant) -> Result<Arrival, Later> {
        let dial = self.dial.get_or_insert_with(|| {
            Dial::start(
                &self.host,
                self.port,
                self.limit,
                &self.connector,
                &mut self.backoff,
                token,
                &self.waker,
            )
        });
        let Some(result) = dial.step(registry, &mut self.backoff, now) else {
            let report = dial.report(now).map(Arrival::Waiting);
            return report.ok_or_else(|| Later(dial.deadline()));
        };
        self.dial = None;
        Ok(match result {
            Ok(established) => Arrival::Established(established),
            Err(error) => Arrival::Failed(error),
        })
    }
}

impl Doors {
    fn accept(&mut self, now: Instant) -> Result<Arrival, Later> {
        if let Some(again) = self.again.filter(|again| *again > now) {
            return Err(Later(Some(again)));
        }
        self.again = None;
        // One to which many come is not to be always first.
        let count = self.doors.len();
        for number in self.next..self.next + count {
            let door = &mut self.doors[number % count];
            match door.accept() {
                Ok(Some(established)) => {
                    self.has_failed = false;
                    self.next = (number + 1) % count;
                    return Ok(Arrival::Established(established));
                }
                Ok(None) => (),
                Err(error) => {
                    self.again = Some(now + ACCEPT_PAUSE);
                    if mem::replace(&mut self.has_failed, true) {
                        return Err(Later(self.again));
                    }
                    return Ok(Arrival::Warning(Error::Accept(error)));
                }
            }
        }
        Err(Later(None))
    }
}

impl Door {
    /// Who waits there, if anybody does.
    fn accept(&mut self) -> io::Result<Option<Established>> {
        while self.is_ready {
            match self.listener.accept() {
                Ok(established) => return Ok(Some(established)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_ready = false,
                // It left while it waited, or the system had something else to do.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use mio::{Events, Poll};

    use super::*;

    const PEERS: usize = 40;

    #[test]
    fn those_who_come_to_one_address_take_no_turn_from_those_who_come_to_another() {
        let mut poll = Poll::new().unwrap();
        let bind = || Listener::bind_all("127.0.0.1", 0).unwrap();
        let listeners: Vec<_> = [bind(), bind()].into_iter().flatten().collect();
        let addresses = [0, 1].map(|i| listeners[i].address());
        let mut arrivals = Arrivals::doors(listeners, Token(0), poll.registry()).unwrap();
        let many = [(); PEERS].map(|()| TcpStream::connect(addresses[0]).unwrap());
        let one = TcpStream::connect(addresses[1]).unwrap();
        let mut events = Events::with_capacity(8);
        let mut are_there = [false; 2];
        while are_there != [true; 2] {
            poll.poll(&mut events, None).unwrap();
            for event in &events {
                are_there[event.token().0] = true;
            }
        }
        let now = Instant::now();
        let order = [(); 2].map(|()| match arrivals.next(poll.registry(), now) {
            Ok(Arrival::Established(established)) => established.address,
            other => panic!("{other:?}"),
        });
        let expected = [&many[0], &one].map(|peer| peer.local_addr().ok());
        assert_eq!(order, expected);
    }

    /// As many handshakes under way, all of them of one host.
    #[cfg(feature = "tls")]
    fn many() -> (Poll, Arrivals, Vec<TcpStream>) {
        let poll = Poll::new().unwrap();
        let listeners = Listener::bind_all("127.0.0.1", 0).unwrap();
        let address = listeners[0].address();
        let peers: Vec<_> = (0..PEERS)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        let plain = Arrivals::doors(listeners, Token(0), poll.registry()).unwrap();
        let mut arrivals = plain.with_tls(crate::net::Sides::get().near(false), Token(0), true);
        while under_way(&arrivals) < PEERS {
            arrivals.is_ready(Token(0));
            let next = arrivals.next(poll.registry(), Instant::now());
            next.expect_err("all are silent");
        }
        (poll, arrivals, peers)
    }

    #[cfg(feature = "tls")]
    fn under_way(arrivals: &Arrivals) -> usize {
        arrivals.handshakes.as_ref().map_or(0, Handshakes::len)
    }

    #[cfg(feature = "tls")]
    #[test]
    fn faults_that_are_known_hold_up_nobody() {
        use std::io::Write;

        let (poll, mut arrivals, mut peers) = many();
        let now = Instant::now();
        for peer in &mut peers {
            peer.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        }
        while arrivals.deadline(now).is_some() {
            for key in 0..PEERS {
                arrivals.is_ready(Token(HANDSHAKES + key));
            }
            arrivals.advance(poll.registry());
        }
        let first = arrivals.next(poll.registry(), now);
        assert!(matches!(first, Ok(Arrival::Warning(_))), "{first:?}");
        let others = [(); 3].map(|()| arrivals.next(poll.registry(), now).unwrap_err().0);
        assert_eq!(others, [Some(now), Some(now), None]);
        assert_eq!(under_way(&arrivals), 0);
    }
}
