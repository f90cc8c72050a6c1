// SPDX-License-Identifier: MPL-2.0
//! Peers that wait while another has its turn, and whose turn is next.

use std::{
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use mio::{Interest, Registry, Token, unix::SourceFd};
use slab::Slab;

use super::connection::Established;

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

    /// Whether one more may wait.
    pub fn has_room(&mut self, now: Instant) -> bool {
        if self.peers.len() < self.most {
            return true;
        }
        let Some((key, peer)) = self.oldest_silent() else {
            return false;
        };
        let has_room = now.saturating_duration_since(peer.since) >= SILENCE;
        if has_room {
            self.peers.remove(key);
        }
        has_room
    }

    /// When there is room again, where there is none.
    pub fn deadline(&self) -> Option<Instant> {
        let silent = self
            .oldest_silent()
            .filter(|_| self.peers.len() >= self.most);
        silent.map(|(_, peer)| peer.since + SILENCE)
    }

    pub fn add(&mut self, registry: &Registry, established: Established, now: Instant) {
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
        for _ in 0..8 {
            assert_eq!(stage.waiting.deadline(), None);
            assert!(stage.waiting.has_room(stage.start));
            stage.add(Duration::ZERO);
        }
        let soon = stage.start + SILENCE;
        assert_eq!(stage.waiting.deadline(), Some(soon));
        stage.speak(0);
        assert!(!stage.waiting.has_room(soon - Duration::from_millis(1)));
        assert!(stage.waiting.has_room(soon));
        let first = stage.peers[0].local_addr().unwrap();
        assert_eq!(stage.next(), Some(first));
    }
}
