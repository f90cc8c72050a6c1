// SPDX-License-Identifier: MPL-2.0
//! Name lookup that never holds up its caller.
//!
//! The system's resolver blocks for as long as it likes and cannot be interrupted, so each name is looked up
//! on a thread of its own, and waits for no other. Whoever asks for a name that is being looked up shares the
//! answer: however often an element starts and stops, a name server that does not answer costs one thread.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs},
    sync::{Arc, Condvar, Mutex, PoisonError, Weak},
    thread,
    time::Duration,
};

use mio::Waker;
use once_cell::sync::Lazy;

use super::sys;
use crate::lock::lock;

/// Names looked up at the same time, of those that somebody waits for.
const MAX_AWAITED: usize = 256;

/// The addresses that a host has, each with its interface where it needs one and without a port; or why none is
/// known.
pub type Answer = Result<Vec<SocketAddr>, (io::ErrorKind, String)>;

/// Looks up names.
pub struct Resolver {
    look_up: Box<dyn Fn(&str) -> Answer + Send + Sync>,
    max_awaited: usize,
    under_way: Mutex<HashMap<String, Arc<Pending>>>,
}

/// A lookup, perhaps under way.
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

/// The system's.
pub static SYSTEM: Lazy<Arc<Resolver>> = Lazy::new(|| Resolver::new(MAX_AWAITED, look_up));

impl Resolver {
    fn new(
        max_awaited: usize,
        look_up: impl Fn(&str) -> Answer + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            look_up: Box::new(look_up),
            max_awaited,
            under_way: Mutex::default(),
        })
    }

    /// Looks up `host`, and wakes `waker` when there is an answer.
    pub fn start(self: &Arc<Self>, host: &str, waker: Option<&Arc<Waker>>) -> Lookup {
        let pending = match known(host) {
            Some(answer) => Pending::answered(answer),
            None => self.join(host),
        };
        if let Some(waker) = waker {
            pending.wake_when_done(waker);
        }
        Lookup(pending)
    }

    /// The lookup of this name that is under way, or a further one.
    fn join(self: &Arc<Self>, host: &str) -> Arc<Pending> {
        let mut under_way = lock(&self.under_way);
        if let Some(pending) = under_way.get(host) {
            return pending.clone();
        }
        let awaited = under_way.values().filter(|pending| pending.is_awaited());
        if awaited.count() >= self.max_awaited {
            let reason = "too many other names are being looked up".into();
            return Pending::answered(Err((io::ErrorKind::ResourceBusy, reason)));
        }
        match self.spawn(host) {
            Ok(pending) => {
                under_way.insert(host.into(), pending.clone());
                pending
            }
            Err(error) => Pending::answered(Err((error.kind(), error.to_string()))),
        }
    }

    fn spawn(self: &Arc<Self>, host: &str) -> io::Result<Arc<Pending>> {
        let pending = Arc::<Pending>::default();
        let (resolver, host, lookup) = (self.clone(), host.to_string(), pending.clone());
        thread::Builder::new()
            .name("videosocket-dns".into())
            .spawn(move || {
                let answer = (resolver.look_up)(&host);
                // Off the list first, so that nobody joins a lookup that is over.
                lock(&resolver.under_way).remove(&host);
                lookup.complete(answer);
            })?;
        Ok(pending)
    }
}

impl Lookup {
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

impl Pending {
    fn answered(answer: Answer) -> Arc<Self> {
        let pending = Self::default();
        pending.complete(answer);
        Arc::new(pending)
    }

    /// Whether any [`Lookup`] is left of one under way, which the list and its thread have as well.
    fn is_awaited(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 2
    }

    fn wake_when_done(&self, waker: &Arc<Waker>) {
        let mut state = lock(&self.state);
        if state.answer.is_some() {
            return wake(waker);
        }
        state.wakers.retain(|waker| waker.strong_count() > 0);
        state.wakers.push(Arc::downgrade(waker));
    }

    fn complete(&self, answer: Answer) {
        let mut state = lock(&self.state);
        state.answer = Some(answer);
        for waker in state.wakers.drain(..).filter_map(|waker| waker.upgrade()) {
            wake(&waker);
        }
        self.done.notify_all();
    }
}

fn look_up(host: &str) -> Answer {
    let addresses: Vec<_> = (host, 0)
        .to_socket_addrs()
        .map_err(|error| (error.kind(), error.to_string()))?
        .collect();
    if addresses.is_empty() {
        return Err((io::ErrorKind::NotFound, "it has no address".into()));
    }
    Ok(addresses)
}

/// What needs no lookup: an address, and the name that RFC 6761 gives one in each family.
fn known(host: &str) -> Option<Answer> {
    let at = |ip: IpAddr| SocketAddr::new(ip, 0);
    if host.eq_ignore_ascii_case("localhost") {
        let [ipv6, ipv4] = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        return Some(Ok(vec![at(ipv6), at(ipv4)]));
    }
    if let Some((address, interface)) = host.split_once('%') {
        let address = address.parse().ok()?;
        return Some(scoped(address, interface).map(|address| vec![address]));
    }
    let address = host.parse().ok()?;
    Some(match address {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => {
            let reason = format!("its interface is missing, as in {ip}%eth0");
            Err((io::ErrorKind::InvalidInput, reason))
        }
        address => Ok(vec![at(address)]),
    })
}

/// Each link has its own link-local addresses (RFC 4007).
fn scoped(address: Ipv6Addr, interface: &str) -> Result<SocketAddr, (io::ErrorKind, String)> {
    let number = sys::interface(interface).ok_or_else(|| {
        let reason = format!("there is no interface {interface:?}");
        (io::ErrorKind::NotFound, reason)
    })?;
    // To others it says nothing.
    let needed = address.is_unicast_link_local();
    Ok(SocketAddrV6::new(address, 0, 0, if needed { number } else { 0 }).into())
}

fn wake(waker: &Waker) {
    // Fails only where nobody polls any more.
    let _ = waker.wake();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const SOON: Duration = Duration::from_secs(10);

    const LINK_LOCAL: SocketAddrV6 =
        SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), 0, 0, 7);

    /// Finds no answer for a name with "silent" in it until the sender is dropped, and one at once for others.
    fn partly_silent(max_awaited: usize) -> (Arc<Resolver>, mpsc::Sender<()>) {
        let (end, silence) = mpsc::channel();
        let silence = Mutex::new(silence);
        let resolver = Resolver::new(max_awaited, move |host| {
            if host.contains("silent") {
                let _ = lock(&silence).recv();
            }
            Ok(vec![LINK_LOCAL.into()])
        });
        (resolver, end)
    }

    #[test]
    fn addresses_and_localhost_are_known_at_once() {
        let resolver = Resolver::new(MAX_AWAITED, |host| panic!("{host} is looked up"));
        for (host, addresses) in [
            ("localhost", vec!["[::1]:0", "127.0.0.1:0"]),
            ("192.0.2.1", vec!["192.0.2.1:0"]),
            ("2001:db8::1", vec!["[2001:db8::1]:0"]),
        ] {
            let addresses = addresses.iter().map(|text| text.parse().unwrap());
            let answer = resolver.start(host, None).answer();
            assert_eq!(answer, Some(Ok(addresses.collect())));
        }
    }

    #[test]
    fn an_address_keeps_its_interface() {
        let resolver = Resolver::new(MAX_AWAITED, |host| panic!("{host} is looked up"));
        let loopback = if cfg!(any(target_os = "linux", target_os = "android")) {
            "lo"
        } else {
            "lo0"
        };
        // Its number is 1 everywhere.
        for interface in [loopback, "1"] {
            let answer = resolver
                .start(&format!("fe80::1%{interface}"), None)
                .answer();
            let expected = SocketAddrV6::new(*LINK_LOCAL.ip(), 0, 0, 1);
            assert_eq!(answer, Some(Ok(vec![expected.into()])), "{interface}");
        }
    }

    #[test]
    fn an_interface_is_to_be_there() {
        for interface in ["nowhere0", "4294967295", "4294967296", "-1", "0", ""] {
            let answer = SYSTEM.start(&format!("fe80::1%{interface}"), None).answer();
            let Some(Err((_, reason))) = answer else {
                panic!("{answer:?}")
            };
            assert_eq!(reason, format!("there is no interface {interface:?}"));
        }
        let answer = SYSTEM.start("fe80::1", None).answer();
        let Some(Err((_, reason))) = answer else {
            panic!("{answer:?}")
        };
        assert!(reason.contains("fe80::1%eth0"), "{reason}");
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        // A label of more than 63 letters, for which no name server is asked.
        let answer = SYSTEM.start(&"a".repeat(64), None).wait(SOON);
        assert!(matches!(answer, Some(Err(_))), "{answer:?}");
    }

    #[test]
    fn silent_names_hold_up_no_other() {
        let (resolver, _end) = partly_silent(MAX_AWAITED);
        let silent: Vec<_> = (0..40)
            .map(|i| resolver.start(&format!("silent{i}"), None))
            .collect();
        let answer = resolver.start("prompt", None).wait(SOON);
        assert_eq!(answer, Some(Ok(vec![LINK_LOCAL.into()])));
        assert!(silent.iter().all(|lookup| lookup.answer().is_none()));
    }

    #[test]
    fn a_name_is_looked_up_once_for_all_who_ask_meanwhile() {
        let (resolver, end) = partly_silent(MAX_AWAITED);
        let [first, second] = [(); 2].map(|()| resolver.start("silent", None));
        assert!(Arc::ptr_eq(&first.0, &second.0));
        let abandoned = Arc::downgrade(&first.0);
        drop((first, second));
        let third = resolver.start("silent", None);
        assert!(abandoned.ptr_eq(&Arc::downgrade(&third.0)));
        drop(end);
        let answer = third.wait(SOON);
        assert!(matches!(answer, Some(Ok(_))), "{answer:?}");
        // It is none for those who ask later.
        let later = resolver.start("silent", None);
        assert!(!Arc::ptr_eq(&later.0, &third.0));
        assert_eq!(later.wait(SOON), answer);
    }

    #[test]
    fn only_those_count_that_somebody_waits_for() {
        let (resolver, _end) = partly_silent(2);
        let mut silent = ["silent1", "silent2"].map(|host| Some(resolver.start(host, None)));
        let too_many = resolver.start("prompt", None).answer();
        assert!(
            matches!(too_many, Some(Err((io::ErrorKind::ResourceBusy, _)))),
            "{too_many:?}"
        );
        // It has a thread already.
        assert_eq!(resolver.start("silent1", None).answer(), None);
        silent[0] = None;
        let answer = resolver.start("prompt", None).wait(SOON);
        assert!(matches!(answer, Some(Ok(_))), "{answer:?}");
    }

    #[test]
    fn the_answer_wakes() {
        let mut poll = mio::Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), mio::Token(0)).unwrap());
        let (resolver, end) = partly_silent(MAX_AWAITED);
        let lookup = resolver.start("silent", Some(&waker));
        let mut events = mio::Events::with_capacity(1);
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty());
        drop(end);
        poll.poll(&mut events, Some(SOON)).unwrap();
        assert!(!events.is_empty());
        assert!(lookup.answer().is_some());
    }
}
