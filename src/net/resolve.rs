//! Name lookup that never holds up its caller.
//!
//! The system's resolver blocks for as long as it likes and cannot be interrupted, so it runs on threads
//! of its own. They are few, shared by the process, and an abandoned lookup is joined by the next one for
//! the same name: however often an element starts and stops, a name server that does not answer costs
//! one thread.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    sync::{Arc, Condvar, Mutex, PoisonError, Weak},
    thread,
    time::Duration,
};

use mio::Waker;
use once_cell::sync::Lazy;

use crate::lock::lock;

/// Lookups at the same time; further ones wait in line.
const MAX_THREADS: usize = 8;

/// The addresses that a host has, or why none is known.
pub type Answer = Result<Vec<IpAddr>, (io::ErrorKind, String)>;

/// A lookup under way.
pub struct Lookup(Arc<Pending>);

#[derive(Default)]
struct Pending {
    state: Mutex<PendingState>,
    done: Condvar,
}

#[derive(Default)]
struct PendingState {
    answer: Option<Answer>,
    wakers: Vec<Weak<Waker>>,
}

#[derive(Default)]
struct Resolver {
    threads: usize,
    queue: VecDeque<String>,
    lookups: HashMap<String, Arc<Pending>>,
}

static RESOLVER: Lazy<Mutex<Resolver>> = Lazy::new(Mutex::default);

impl Lookup {
    /// Looks up `host`, and wakes `waker` when there is an answer.
    pub fn start(host: &str, waker: Option<&Arc<Waker>>) -> Self {
        if let Some(addresses) = known(host) {
            return Self(Arc::new(Pending {
                state: Mutex::new(PendingState {
                    answer: Some(Ok(addresses)),
                    wakers: Vec::new(),
                }),
                done: Condvar::new(),
            }));
        }
        let mut resolver = lock(&RESOLVER);
        let pending = match resolver.lookups.get(host) {
            Some(pending) => pending.clone(),
            None => resolver.begin(host),
        };
        drop(resolver);
        if let Some(waker) = waker {
            let mut state = lock(&pending.state);
            if state.answer.is_some() {
                wake(waker);
            } else {
                state.wakers.retain(|waker| waker.strong_count() > 0);
                state.wakers.push(Arc::downgrade(waker));
            }
        }
        Self(pending)
    }

    /// The answer, when it is there.
    pub fn answer(&self) -> Option<Answer> {
        lock(&self.0.state).answer.clone()
    }

    /// The answer, if it comes within `limit`.
    pub fn wait(&self, limit: Duration) -> Option<Answer> {
        let state = lock(&self.0.state);
        let (state, _) = self
            .0
            .done
            .wait_timeout_while(state, limit, |state| state.answer.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        state.answer.clone()
    }
}

impl Resolver {
    fn begin(&mut self, host: &str) -> Arc<Pending> {
        let pending = Arc::<Pending>::default();
        self.lookups.insert(host.into(), pending.clone());
        self.queue.push_back(host.into());
        if self.threads < MAX_THREADS {
            let spawned = thread::Builder::new()
                .name("videosocket-dns".into())
                .spawn(serve);
            match spawned {
                Ok(_) => self.threads += 1,
                Err(error) if self.threads == 0 => {
                    self.queue.pop_back();
                    self.lookups.remove(host);
                    pending.complete(Err((error.kind(), error.to_string())));
                }
                // One of the running threads will come to it.
                Err(_) => (),
            }
        }
        pending
    }
}

impl Pending {
    fn complete(&self, answer: Answer) {
        let mut state = lock(&self.state);
        state.answer = Some(answer);
        for waker in state.wakers.drain(..).filter_map(|waker| waker.upgrade()) {
            wake(&waker);
        }
        self.done.notify_all();
    }
}

/// A resolver thread: works while there is something to look up.
fn serve() {
    loop {
        let host = {
            let mut resolver = lock(&RESOLVER);
            let Some(host) = resolver.queue.pop_front() else {
                resolver.threads -= 1;
                return;
            };
            host
        };
        let answer = look_up(&host);
        // Off the list first, so that nobody joins a lookup that is over.
        let pending = lock(&RESOLVER).lookups.remove(&host);
        if let Some(pending) = pending {
            pending.complete(answer);
        }
    }
}

fn look_up(host: &str) -> Answer {
    let addresses: Vec<_> = (host, 0)
        .to_socket_addrs()
        .map_err(|error| (error.kind(), error.to_string()))?
        .map(|address: SocketAddr| address.ip())
        .collect();
    if addresses.is_empty() {
        return Err((io::ErrorKind::NotFound, "it has no address".into()));
    }
    Ok(addresses)
}

/// What needs no lookup: an address, and the name that RFC 6761 gives one in each family.
fn known(host: &str) -> Option<Vec<IpAddr>> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
    }
    host.parse().ok().map(|address| vec![address])
}

fn wake(waker: &Waker) {
    // Fails only where nobody polls any more.
    let _ = waker.wake();
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    #[test]
    fn addresses_and_localhost_are_known_at_once() {
        let both: Vec<IpAddr> = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        assert_eq!(Lookup::start("localhost", None).answer(), Some(Ok(both)));
        let address: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(
            Lookup::start("2001:db8::1", None).answer(),
            Some(Ok(vec![address]))
        );
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        // A label of more than 63 letters, for which no name server is asked.
        let answer = Lookup::start(&"a".repeat(64), None).wait(SOON);
        assert!(matches!(answer, Some(Err(_))), "{answer:?}");
    }
}
