// SPDX-License-Identifier: MPL-2.0
//! A process of those who are not: they connect, and send nothing, or too little. None of them reads.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    os::fd::AsRawFd,
    sync::mpsc::Receiver,
    thread,
    time::Duration,
};

use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use socket2::{Domain, Socket, Type};

use crate::{
    child::{fail, say},
    clock,
    job::{Crowd, Job, Said, Window},
};

const SECOND: u64 = 1_000_000_000;

/// What they leave to their own kernel is not the server's.
const RECEIVE_BUFFER: usize = 4_096;

/// As many connect at once.
const AT_ONCE: usize = 20;

/// A first message of TLS 1.2 that a server can answer.
const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\x00\x4f\x01\x00\x00\x4b\x03\x03\
    abcdefghijklmnopqrstuvwxyz012345\x00\
    \x00\x04\xc0\x2b\xc0\x2f\x01\x00\
    \x00\x1e\x00\x0a\x00\x06\x00\x04\x00\x1d\x00\x17\x00\x0b\x00\x02\x01\x00\
    \x00\x0d\x00\x0a\x00\x08\x04\x03\x08\x04\x04\x01\x05\x03";

/// Of who asks for records, and is listened to as long as it takes.
const HELLO: &[u8] = b"H0000014videosocket 1\n";

struct Stranger {
    /// What it says, all at once or a byte a second.
    words: &'static [u8],
    dribbles: bool,
    said: usize,
    socket: Option<Socket>,
    is_connected: bool,
    /// When it does something next.
    next: u64,
}

pub fn run(job: &Job, port: u16, host: u8, crowd: Crowd, orders: &Receiver<Window>) {
    let dribbled = match (job.case.is_encrypted(), job.case.is_sink()) {
        (true, _) => CLIENT_HELLO,
        (false, true) => HELLO,
        (false, false) => b"99999999",
    };
    // What is no TLS would be turned away at once.
    let announced: &[u8] = if job.case.is_encrypted() {
        b""
    } else {
        b"99999999"
    };
    let kinds = [
        (crowd.announce, announced, false),
        (crowd.dribble, dribbled, true),
        (crowd.handshakes, CLIENT_HELLO, false),
    ];
    let mut strangers = Vec::new();
    for (count, words, dribbles) in kinds {
        strangers.extend((0..count).map(|_| Stranger::new(words, dribbles)));
    }
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0));
    if let Err(error) = pester(&mut strangers, from, to, orders) {
        fail(format!("strangers: {error}"));
    }
}

fn pester(
    strangers: &mut [Stranger],
    from: SocketAddr,
    to: SocketAddr,
    orders: &Receiver<Window>,
) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1_024);
    loop {
        if let Ok(Window::Report) = orders.try_recv() {
            let connected = strangers.iter().filter(|stranger| stranger.is_connected);
            say(Said::Connected(connected.count()));
        }
        let mut begun = 0;
        for (key, stranger) in strangers.iter_mut().enumerate() {
            let now = clock::now();
            if stranger.next > now {
                continue;
            }
            if stranger.socket.is_some() {
                stranger.dribble(now);
            } else if begun < AT_ONCE {
                begun += 1;
                stranger.connect(&poll, key, from, to)?;
            }
        }
        poll.poll(&mut events, Some(Duration::from_millis(10)))?;
        for event in &events {
            let stranger = &mut strangers[event.token().0];
            if event.is_error() || event.is_read_closed() {
                stranger.leave();
            } else if event.is_writable() && !stranger.is_connected {
                stranger.is_connected = true;
                stranger.begin();
            }
        }
        thread::sleep(Duration::from_millis(10));
    }
}

impl Stranger {
    fn new(words: &'static [u8], dribbles: bool) -> Self {
        Self {
            words,
            dribbles,
            said: 0,
            socket: None,
            is_connected: false,
            next: 0,
        }
    }

    fn connect(
        &mut self,
        poll: &Poll,
        key: usize,
        from: SocketAddr,
        to: SocketAddr,
    ) -> io::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        // Those that were closed leave no port behind.
        socket.set_linger(Some(Duration::ZERO))?;
        socket.bind(&from.into())?;
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        let interest = Interest::READABLE | Interest::WRITABLE;
        let fd = socket.as_raw_fd();
        poll.registry()
            .register(&mut SourceFd(&fd), Token(key), interest)?;
        self.socket = Some(socket);
        self.next = u64::MAX;
        Ok(())
    }

    fn begin(&mut self) {
        if self.dribbles {
            self.next = clock::now();
        } else if let Some(socket) = &self.socket {
            // Its end tells that it was turned away.
            let _ = socket.send(self.words);
        }
    }

    fn dribble(&mut self, now: u64) {
        if let Some(socket) = &self.socket {
            let at = self.said % self.words.len();
            let _ = socket.send(&self.words[at..=at]);
            self.said += 1;
            self.next = now + SECOND;
        }
    }

    /// It was turned away, and comes again.
    fn leave(&mut self) {
        self.socket = None;
        self.is_connected = false;
        self.said = 0;
        self.next = clock::now() + SECOND;
    }
}
