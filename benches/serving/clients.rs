// SPDX-License-Identifier: MPL-2.0
//! The process of the clients.

use std::{
    io::{self, Read},
    mem::MaybeUninit,
    net::{Ipv4Addr, SocketAddr, TcpStream},
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
    frames::{self, Parser, RATE, SLOW_SIZE},
    job::{Drained, Job, Rushed, Said, Task, Watched, Window},
    server::{HEALTHY, SIZE, percentile},
    tls_client,
};

pub fn run(job: &Job, port: u16, orders: &Receiver<Window>) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let done = match job.task {
        Task::Crowd { clients, frames } | Task::Stats { clients, frames } => {
            crowd(address, clients, frames, job.row.is_encrypted())
        }
        Task::Stalled { clients, pause, .. } => stalled(address, clients, pause, orders),
        Task::Slow { frames, .. } => slow(address, frames),
        Task::Rush { clients, seconds } => rush(address, clients, seconds),
    };
    if let Err(error) = done {
        fail(format!("clients: {error}"));
    }
}

/// Connected, or about to be.
fn connect(poll: &Poll, address: SocketAddr, token: usize) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
        _ => {}
    }
    let interest = Interest::READABLE | Interest::WRITABLE;
    let fd = socket.as_raw_fd();
    poll.registry()
        .register(&mut SourceFd(&fd), Token(token), interest)?;
    Ok(socket)
}

/// Throws away what has come without copying it. `None` at the end.
fn discard(socket: &Socket) -> Option<u64> {
    let mut scratch = [MaybeUninit::uninit(); 1 << 18];
    let mut total = 0;
    loop {
        match socket.recv_with_flags(&mut scratch, libc::MSG_TRUNC) {
            Ok(0) => return None,
            Ok(len) => total += len as u64,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(total),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return Some(total),
            Err(_) => return None,
        }
    }
}

/// One that has shaken hands. What comes is thrown away as it is.
fn connect_encrypted(poll: &Poll, address: SocketAddr, token: usize) -> io::Result<Socket> {
    let mut stream = tls_client::client(TcpStream::connect(address)?);
    stream.conn.complete_io(&mut stream.sock)?;
    let socket = Socket::from(stream.sock);
    socket.set_nonblocking(true)?;
    let fd = socket.as_raw_fd();
    let interest = Interest::READABLE;
    poll.registry()
        .register(&mut SourceFd(&fd), Token(token), interest)?;
    Ok(socket)
}

fn crowd(address: SocketAddr, clients: usize, frames: u64, is_encrypted: bool) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let connect = |token| {
        // tcpserversink has room for few that come at once.
        thread::sleep(Duration::from_millis(2));
        if is_encrypted {
            connect_encrypted(&poll, address, token)
        } else {
            connect(&poll, address, token)
        }
    };
    let sockets: Vec<_> = (0..clients).map(connect).collect::<Result<_, _>>()?;
    let due = frames * frames::wire_len(SIZE);
    let mut got = vec![0; clients];
    let mut events = Events::with_capacity(1024);
    while got.iter().any(|&got| got < due) {
        let patience = if got.contains(&0) { 60 } else { 5 };
        poll.poll(&mut events, Some(Duration::from_secs(patience)))?;
        if events.is_empty() {
            break;
        }
        for event in &events {
            let Token(token) = event.token();
            got[token] += discard(&sockets[token]).unwrap_or(0);
        }
    }
    say(Said::Drained(Drained {
        total: got.iter().sum(),
        least: got.iter().copied().min().unwrap_or(0),
    }));
    Ok(())
}

fn stalled(
    address: SocketAddr,
    clients: usize,
    pause: u64,
    orders: &Receiver<Window>,
) -> io::Result<()> {
    let mut reading = TcpStream::connect(address)?;
    thread::spawn(move || io::copy(&mut reading, &mut io::sink()));
    orders.recv().expect("an order");
    let mut stalled = Vec::new();
    for _ in 0..clients {
        thread::sleep(Duration::from_millis(pause.max(2)));
        stalled.push(TcpStream::connect(address)?);
    }
    loop {
        thread::park();
    }
}

fn slow(address: SocketAddr, frames: u64) -> io::Result<()> {
    let half = SLOW_SIZE as u64 * RATE / 2;
    for rate in [Some(half)].into_iter().chain([None; HEALTHY]) {
        let stream = TcpStream::connect(address)?;
        thread::spawn(move || {
            if let Err(error) = watch(stream, rate, frames - RATE) {
                fail(format!("client: {error}"));
            }
        });
    }
    Ok(())
}

/// `rate` is in bytes per second. At the end of the stream nothing pushes what still waits out of the way.
fn watch(mut stream: TcpStream, rate: Option<u64>, frames: u64) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut bytes = vec![0; 16_384];
    let mut parser = Parser::default();
    let mut log = Log::default();
    let mut next = clock::now();
    loop {
        let len = match stream.read(&mut bytes) {
            Ok(0) => break,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && log.last.is_none() => 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            len => len?,
        };
        parser.feed(&bytes[..len], |stamp, now| {
            if stamp.number < frames {
                log.arrived(stamp, now);
            }
        });
        if let Some(rate) = rate {
            next = next.max(clock::now()) + len as u64 * 1_000_000_000 / rate;
            clock::sleep_until(next);
        }
    }
    log.ages.sort_unstable();
    say(Said::Watched(Watched {
        is_slow: rate.is_some(),
        frames: log.ages.len() as u64,
        lost: log.lost,
        undecodable: log.undecodable,
        age_p50: percentile(&log.ages, 0.5),
        age_p99: percentile(&log.ages, 0.99),
        age_most: percentile(&log.ages, 1.0),
    }));
    Ok(())
}

#[derive(Default)]
struct Log {
    last: Option<u64>,
    ages: Vec<u64>,
    lost: u64,
    undecodable: u64,
}

impl Log {
    fn arrived(&mut self, stamp: frames::Stamp, now: u64) {
        let due = self.last.map_or(stamp.number, |last| last + 1);
        let starts = self.last.is_none();
        self.lost += stamp.number.saturating_sub(due);
        if (starts || stamp.number != due) && !stamp.keyframe || stamp.number < due {
            self.undecodable += 1;
        }
        self.last = Some(stamp.number);
        self.ages.push(now.saturating_sub(stamp.pushed));
    }
}

fn rush(address: SocketAddr, clients: usize, seconds: u64) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let began = clock::now();
    let connect = |token| connect(&poll, address, token);
    let sockets: Vec<_> = (0..clients).map(connect).collect::<Result<_, _>>()?;
    let (mut connected, mut served) = (vec![0; clients], vec![0; clients]);
    let mut events = Events::with_capacity(1024);
    while served.contains(&0) && clock::now() < began + seconds * 1_000_000_000 {
        poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            let Token(token) = event.token();
            if event.is_writable() && connected[token] == 0 {
                connected[token] = clock::now();
            }
            if discard(&sockets[token]).is_some_and(|len| len > 0) && served[token] == 0 {
                served[token] = clock::now();
            }
        }
    }
    if served.contains(&0) {
        let left_out = served.iter().filter(|&&at| at == 0).count();
        fail(format!(
            "{left_out} of {clients} clients got nothing in {seconds} s"
        ));
    }
    say(Said::Rushed(Rushed {
        began,
        last_connected: connected.into_iter().max().unwrap_or(0),
        last_served: served.into_iter().max().unwrap_or(0),
    }));
    // They stay while the server counts them.
    loop {
        thread::park();
    }
}
