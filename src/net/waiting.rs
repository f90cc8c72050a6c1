// SPDX-License-Identifier: MPL-2.0
//! Peers that wait while another has its turn, and whose turn is next.

use std::{
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use mio::{Interest, Registry, Token, unix::SourceFd};
use slab::Slab;

use super::{connection::Established, later::Later};

/// How many wait here. Others do with the kernel.
const MOST: usize = 512;

/// Where there are as many, one that has said nothing for so long gives way to the next. Who has something to say mostly
/// has said it before it is let in here.
const SILENCE: Duration = Duration::from_millis(250);

/// Those who wait.
pub(super) struct Waiting {
    /// The first of the tokens that are for sockets of this.
    token: Token,
    peers: Slab<Peer>,
    most: usize,
    /// How many have ever come.
    count: u64,
}

struct Peer {
    established: Established,
    /// In which order they came.
    number: u64,
    since: Instant,
    /// It has sent something, and goes before those who have not.
    has_spoken: bool,
}

impl Waiting {
    pub fn new(token: Token) -> Self {
        Self {
            token,
            peers: Slab::new(),
            most: MOST,
            count: 0,
        }
    }

    /// Whether one more may wait, if need be in the place of another; or when.
    pub fn room(&self, now: Instant) -> Result<(), Later> {
        if !self.is_full() {
            return Ok(());
        }
        let at = self.oldest_silent().map(|(_, peer)| peer.since + SILENCE);
        Later::unless_past(at, now)
    }

    /// Takes one for whom there is [`room`](Self::room).
    pub fn add(&mut self, registry: &Registry, established: Established, now: Instant) {
        if self.is_full()
            && let Some((key, _)) = self.oldest_silent()
        {
            self.peers.remove(key);
        }
        let entry = self.peers.vacant_entry();
        if let Some(socket) = established.socket() {
            let token = Token(self.token.0 + entry.key());
            // Where it is refused, the peer has its turn after those of whom it is known that they speak.
            let _ = socket.set_nonblocking(true).and_then(|()| {
                registry.register(
                    &mut SourceFd(&socket.as_raw_fd()),
                    token,
                    Interest::READABLE,
                )
            });
        }
        self.count += 1;
        entry.insert(Peer {
            has_spoken: established.has_spoken(),
            established,
            number: self.count,
            since: now,
        });
    }

    /// A socket is ready. Says whether it is one of these.
    pub fn is_ready(&mut self, token: Token) -> bool {
        let key = token.0.checked_sub(self.token.0);
        let Some(peer) = key.and_then(|key| self.peers.get_mut(key)) else {
            return false;
        };
        peer.has_spoken |= peer.established.has_spoken();
        true
    }

    /// Whether somebody waits who has sent something.
    pub fn has_spoken(&self) -> bool {
        self.peers.iter().any(|(_, peer)| peer.has_spoken)
    }

    /// The first of those who have sent something, or the first of all.
    pub fn take_next(&mut self, registry: &Registry) -> Option<Established> {
        let peers = self.peers.iter();
        let next = peers.min_by_key(|(_, peer)| (!peer.has_spoken, peer.number));
        let established = self.peers.remove(next?.0).established;
        if let Some(socket) = established.socket() {
            // It is registered anew by whoever uses it.
            let _ = registry.deregister(&mut SourceFd(&socket.as_raw_fd()));
        }
        Some(established)
    }

    fn is_full(&self) -> bool {
        self.peers.len() >= self.most
    }

    fn oldest_silent(&self) -> Option<(usize, &Peer)> {
        let silent = self.peers.iter().filter(|(_, peer)| !peer.has_spoken);
        silent.min_by_key(|(_, peer)| peer.number)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::{SocketAddr, TcpListener, TcpStream},
    };

    use mio::{Events, Poll};

    use super::*;

    struct Stage {
        poll: Poll,
        waiting: Waiting,
        listener: TcpListener,
        peers: Vec<TcpStream>,
        start: Instant,
    }

    impl Stage {
        fn new() -> Self {
            Self {
                poll: Poll::new().unwrap(),
                waiting: Waiting::new(Token(7)),
                listener: TcpListener::bind("127.0.0.1:0").unwrap(),
                peers: Vec::new(),
                start: Instant::now(),
            }
        }

        fn add(&mut self, after: Duration) -> SocketAddr {
            let peer = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
            let address = peer.local_addr().unwrap();
            self.peers.push(peer);
            let accepted = self.listener.accept().unwrap().0;
            let established = Established::plain(accepted.into(), Some(address), 0);
            let now = self.start + after;
            self.waiting.add(self.poll.registry(), established, now);
            address
        }

        fn speak(&mut self, peer: usize) {
            self.peers[peer].write_all(b"0").unwrap();
            let mut events = Events::with_capacity(8);
            while !self.waiting.has_spoken() {
                self.poll.poll(&mut events, None).unwrap();
                for event in &events {
                    assert!(self.waiting.is_ready(event.token()));
                }
            }
        }

        fn next(&mut self) -> Option<SocketAddr> {
            let next = self.waiting.take_next(self.poll.registry());
            next.and_then(|next| next.address)
        }
    }

    #[test]
    fn whoever_speaks_goes_before_those_who_came_earlier() {
        let mut stage = Stage::new();
        let addresses = [(); 3].map(|()| stage.add(Duration::ZERO));
        stage.speak(2);
        let order = [(); 4].map(|()| stage.next());
        let expected = [2, 0, 1].map(|index| Some(addresses[index]));
        assert_eq!(order[..3], expected);
        assert_eq!(order[3], None);
    }

    #[test]
    fn an_end_is_no_word() {
        let mut stage = Stage::new();
        stage.add(Duration::ZERO);
        stage.peers.clear();
        let mut events = Events::with_capacity(8);
        stage.poll.poll(&mut events, None).unwrap();
        assert!(stage.waiting.is_ready(Token(7)));
        assert!(!stage.waiting.has_spoken());
    }

    #[test]
    fn the_silent_give_way_where_there_are_many() {
        let mut stage = Stage::new();
        stage.waiting.most = 8;
        let mut addresses = Vec::new();
        for _ in 0..8 {
            assert_eq!(stage.waiting.room(stage.start), Ok(()));
            addresses.push(Some(stage.add(Duration::ZERO)));
        }
        stage.speak(0);
        let soon = stage.start + SILENCE;
        let just_before = soon - Duration::from_millis(1);
        assert_eq!(stage.waiting.room(just_before), Err(Later(Some(soon))));
        assert_eq!(stage.waiting.room(soon), Ok(()));
        // Nobody gives way before another is there.
        assert_eq!(stage.waiting.peers.len(), 8);
        let last = stage.add(SILENCE);
        assert_eq!(stage.next(), addresses[0]);
        let rest: Vec<_> = std::iter::from_fn(|| stage.next()).collect();
        assert_eq!(rest.len(), 7);
        assert_eq!((Some(rest[0]), rest[6]), (addresses[2], last));
    }

    #[test]
    fn those_who_have_spoken_do_not_give_way() {
        let mut stage = Stage::new();
        stage.waiting.most = 1;
        stage.add(Duration::ZERO);
        stage.speak(0);
        let late = stage.start + 2 * SILENCE;
        assert_eq!(stage.waiting.room(late), Err(Later(None)));
    }
}
