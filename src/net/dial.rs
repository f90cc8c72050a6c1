// SPDX-License-Identifier: MPL-2.0
//! Making a connection: look up, try every address, pause, try again.

use std::{
    collections::VecDeque,
    fmt,
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    os::fd::AsRawFd,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{Interest, Registry, Token, Waker, unix::SourceFd};

use super::{
    attempt::{Attempt, Connector},
    backoff::Backoff,
    connection::Established,
    error::{Error, Reason},
    resolve::{Answer, Lookup, SYSTEM},
};

/// While one address is silent the next is tried beside it (RFC 8305).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// After the last try. Kernels repeat a lost SYN at ever longer intervals; a fresh round finds a host that came up sooner.
const ROUND_LIMIT: Duration = Duration::from_secs(4);

/// Until then most connections are there, and the others are not worth a word.
const FIRST_REPORT: Duration = Duration::from_secs(1);

/// While nothing changes.
const NEXT_REPORT: Duration = Duration::from_secs(10);

/// Tries to reach `host` until there is a connection or `limit` has passed.
pub struct Dial {
    host: String,
    port: u16,
    limit: Option<Duration>,
    connector: Connector,
    token: Token,
    waker: Arc<Waker>,
    started: Instant,
    phase: Phase,
    last_failure: Option<Failure>,
    reports: Reports,
}

/// A connection is not there yet.
#[derive(Clone, Debug)]
pub struct Waiting {
    host: String,
    port: u16,
    /// What the last try failed with.
    reason: String,
}

/// When to tell of the wait.
struct Reports {
    next: Instant,
    told: Option<String>,
}

enum Phase {
    Resolving(Lookup),
    Trying(Round),
    Pausing { until: Instant },
}

enum Failure {
    Unresolved(io::Error),
    Unreachable(Vec<SocketAddr>, io::Error),
}

/// One try of every address.
struct Round {
    addresses: Vec<SocketAddr>,
    untried: VecDeque<SocketAddr>,
    attempts: Vec<Attempt>,
    next_at: Instant,
    ends_at: Instant,
    last_error: io::Error,
}

impl Dial {
    /// Begins. `token` is for the sockets under way, `waker` for the answer of a lookup: upon either,
    /// and at the [`deadline`](Self::deadline), [`step`](Self::step) is to be called.
    ///
    /// `backoff` is that of all connections in turn: where one has ended before, it begins with a pause.
    pub fn start(
        host: &str,
        port: u16,
        limit: Option<Duration>,
        connector: &Connector,
        backoff: &mut Backoff,
        token: Token,
        waker: &Arc<Waker>,
    ) -> Self {
        let now = Instant::now();
        let pause = backoff.first_pause().map(jittered);
        let phase = match pause {
            Some(pause) => Phase::Pausing { until: now + pause },
            None => Phase::Resolving(SYSTEM.start(host, Some(waker))),
        };
        Self {
            host: host.into(),
            port,
            limit,
            connector: connector.clone(),
            token,
            waker: waker.clone(),
            // To pause is not to try.
            started: now + pause.unwrap_or_default(),
            phase,
            last_failure: None,
            reports: Reports::from(now),
        }
    }

    /// Goes on as far as possible without waiting.
    pub fn step(
        &mut self,
        registry: &Registry,
        backoff: &mut Backoff,
        now: Instant,
    ) -> Option<Result<Established, Error>> {
        loop {
            let next = match &mut self.phase {
                Phase::Resolving(lookup) => lookup
                    .answer()
                    .map(|answer| self.resolved(answer, backoff, now)),
                Phase::Trying(round) => {
                    match round.step(&self.connector, registry, self.token, now) {
                        None => None,
                        Some(Ok(established)) => return Some(Ok(established)),
                        Some(Err(error)) => {
                            let addresses = std::mem::take(&mut round.addresses);
                            Some(self.failed(Failure::Unreachable(addresses, error), backoff, now))
                        }
                    }
                }
                Phase::Pausing { until } if *until <= now => Some(Phase::Resolving(
                    SYSTEM.start(&self.host, Some(&self.waker)),
                )),
                Phase::Pausing { .. } => None,
            };
            if self.gives_up_at().is_some_and(|end| end <= now) {
                return Some(Err(self.give_up(now)));
            }
            self.phase = next?;
        }
    }

    /// What is to be told of the wait now, if anything.
    pub fn report(&mut self, now: Instant) -> Option<Waiting> {
        let reason = match &self.last_failure {
            None => "no answer yet".into(),
            Some(Failure::Unreachable(_, error)) => Reason(error).to_string(),
            Some(Failure::Unresolved(error)) => {
                format!("the name has no known address, {}", Reason(error))
            }
        };
        self.reports.are_due(&reason, now).then(|| Waiting {
            host: self.host.clone(),
            port: self.port,
            reason,
        })
    }

    /// When to call [`step`](Self::step) and [`report`](Self::report) at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let next = match &self.phase {
            Phase::Resolving(_) => None,
            Phase::Trying(round) => Some(round.deadline()),
            Phase::Pausing { until } => Some(*until),
        };
        let next = next.into_iter().chain(self.gives_up_at());
        next.chain([self.reports.next]).min()
    }

    fn gives_up_at(&self) -> Option<Instant> {
        self.limit.and_then(|limit| self.started.checked_add(limit))
    }

    fn resolved(&mut self, answer: Answer, backoff: &mut Backoff, now: Instant) -> Phase {
        match answer {
            Ok(addresses) => Phase::Trying(Round::new(at_port(addresses, self.port), now)),
            Err((kind, reason)) => self.failed(
                Failure::Unresolved(io::Error::new(kind, reason)),
                backoff,
                now,
            ),
        }
    }

    fn failed(&mut self, failure: Failure, backoff: &mut Backoff, now: Instant) -> Phase {
        self.last_failure = Some(failure);
        Phase::Pausing {
            until: now + jittered(backoff.next_pause()),
        }
    }

    fn give_up(&mut self, now: Instant) -> Error {
        let host = self.host.clone();
        let after = now.saturating_duration_since(self.started);
        let timed_out = || io::ErrorKind::TimedOut.into();
        match (self.last_failure.take(), &mut self.phase) {
            (Some(Failure::Unreachable(tried, source)), _) => Error::Unreachable {
                host,
                port: self.port,
                tried,
                after,
                source,
            },
            (None, Phase::Trying(round)) => Error::Unreachable {
                host,
                port: self.port,
                tried: std::mem::take(&mut round.addresses),
                after,
                source: timed_out(),
            },
            (failure, _) => Error::Unresolved {
                host,
                after,
                source: match failure {
                    Some(Failure::Unresolved(source)) => source,
                    _ => timed_out(),
                },
            },
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, reason } = self;
        write!(f, "Waiting for {host} port {port}: {reason}")
    }
}

impl Reports {
    fn from(started: Instant) -> Self {
        Self {
            next: started + FIRST_REPORT,
            told: None,
        }
    }

    fn are_due(&mut self, reason: &str, now: Instant) -> bool {
        let has_changed = self.told.as_deref().is_some_and(|told| told != reason);
        let are_due = has_changed || self.next <= now;
        if are_due {
            self.next = now + NEXT_REPORT;
            self.told = Some(reason.into());
        }
        are_due
    }
}

impl Round {
    fn new(addresses: Vec<SocketAddr>, now: Instant) -> Self {
        Self {
            untried: addresses.iter().copied().collect(),
            addresses,
            attempts: Vec::new(),
            next_at: now,
            ends_at: now + ROUND_LIMIT,
            last_error: io::ErrorKind::TimedOut.into(),
        }
    }

    fn step(
        &mut self,
        connector: &Connector,
        registry: &Registry,
        token: Token,
        now: Instant,
    ) -> Option<io::Result<Established>> {
        if let Some(established) = self.finished_attempt(registry) {
            return Some(Ok(established));
        }
        while self.next_at <= now || self.attempts.is_empty() {
            let Some(address) = self.untried.pop_front() else {
                break;
            };
            match begin(connector, address, registry, token) {
                Ok(attempt) => {
                    self.attempts.push(attempt);
                    self.next_at = now + NEXT_ADDRESS_AFTER;
                    self.ends_at = now + ROUND_LIMIT;
                    // Over loopback it may have succeeded or failed already.
                    if let Some(established) = self.finished_attempt(registry) {
                        return Some(Ok(established));
                    }
                }
                Err(error) => self.last_error = error,
            }
        }
        let is_over = self.attempts.is_empty() && self.untried.is_empty();
        (is_over || self.ends_at <= now).then(|| {
            Err(std::mem::replace(
                &mut self.last_error,
                io::ErrorKind::TimedOut.into(),
            ))
        })
    }

    fn deadline(&self) -> Instant {
        if self.untried.is_empty() {
            self.ends_at
        } else {
            self.next_at.min(self.ends_at)
        }
    }

    /// The first that is connected; those that failed are given up.
    fn finished_attempt(&mut self, registry: &Registry) -> Option<Established> {
        let mut i = 0;
        while let Some(attempt) = self.attempts.get(i) {
            match attempt.outcome() {
                Some(Ok(failure)) => {
                    let attempt = self.attempts.swap_remove(i);
                    // It is registered anew by whoever uses it.
                    let _ = registry.deregister(&mut SourceFd(&attempt.as_raw_fd()));
                    return Some(attempt.established(failure));
                }
                Some(Err(error)) => {
                    self.last_error = error;
                    self.attempts.swap_remove(i);
                }
                None => i += 1,
            }
        }
        None
    }
}

fn at_port(mut addresses: Vec<SocketAddr>, port: u16) -> Vec<SocketAddr> {
    for address in &mut addresses {
        address.set_port(port);
    }
    addresses
}

fn begin(
    connector: &Connector,
    address: SocketAddr,
    registry: &Registry,
    token: Token,
) -> io::Result<Attempt> {
    let attempt = connector.begin(address)?;
    registry.register(
        &mut SourceFd(&attempt.as_raw_fd()),
        token,
        Interest::WRITABLE,
    )?;
    Ok(attempt)
}

/// Up to a fifth shorter or longer, so that many clients of a restarted server do not come at once.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0u8) as f64 / u64::MAX as f64;
    pause.mul_f64(0.8 + 0.4 * random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Callers, Script};
    use mio::Poll;
    use std::net::{Ipv6Addr, SocketAddrV6, TcpListener};

    #[test]
    fn the_pause_after_a_connection_is_no_part_of_the_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let (limit, connector) = (Duration::from_millis(1), Connector::default());
        let mut backoff = Backoff::default();
        backoff.ended(true);
        let token = Token(1);
        let mut dial = Dial::start(
            "127.0.0.1",
            port,
            Some(limit),
            &connector,
            &mut backoff,
            token,
            &waker,
        );
        let Phase::Pausing { until } = dial.phase else {
            panic!("no pause")
        };
        let mut step = |now| dial.step(poll.registry(), &mut backoff, now);
        assert!(step(until - limit).is_none());
        let mut results = std::iter::repeat_with(|| step(until));
        assert!(matches!(results.find_map(|result| result), Some(Ok(_))));
    }

    #[test]
    fn however_many_are_silent_each_address_is_tried() {
        let silent = (0..50).map(|_| Arc::new(Script::silent()));
        let callers = silent.chain([Arc::default()]);
        let connector = Connector::Script(Callers::new(callers, &Arc::default()));
        let poll = Poll::new().unwrap();
        let start = Instant::now();
        let addresses = (0..51).map(|host| SocketAddr::from(([192, 0, 2, host], 4953)));
        let mut round = Round::new(addresses.collect(), start);
        let mut now = start;
        let result = loop {
            if let Some(result) = round.step(&connector, poll.registry(), Token(1), now) {
                break result;
            }
            now = round.deadline();
        };
        assert!(result.is_ok(), "{result:?} after {:?}", now - start);
    }

    #[test]
    fn addresses_keep_their_interface() {
        let looked_up = vec![SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 7).into()];
        let expected = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 4953, 0, 7);
        assert_eq!(at_port(looked_up, 4953), [expected.into()]);
    }

    #[test]
    fn a_wait_is_told_of_after_a_second_and_then_when_it_changes_or_goes_on() {
        let started = Instant::now();
        let mut reports = Reports::from(started);
        for (milliseconds, reason, are_due) in [
            (0, "silent", false),
            (999, "silent", false),
            (1_000, "silent", true),
            (1_001, "silent", false),
            (2_000, "refused", true),
            (11_999, "refused", false),
            (12_000, "refused", true),
            (12_001, "refused", false),
        ] {
            let now = started + Duration::from_millis(milliseconds);
            assert_eq!(reports.are_due(reason, now), are_due, "{milliseconds} ms");
        }
    }
}
