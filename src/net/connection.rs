// SPDX-License-Identifier: MPL-2.0
//! One connected socket.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{Shutdown, SocketAddr},
    os::fd::{AsRawFd, RawFd},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, TcpKeepalive};

use super::{
    carrier::Carrier, certificate::Certificate, counters::Traffic, peer::Peer, sent::Sent,
    stream::Stream, sys,
};

/// Keepalive finds a peer that is gone after 8 + 3 * 3 = 17 s of silence.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(8);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
const KEEPALIVE_RETRIES: u32 = 3;

/// Where there is reason to doubt that the peer is there: it has 1 + 5 s to say so.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
const PROBE_RETRIES: u32 = 5;

/// A peer that has acknowledged nothing for this long, with data under way, is gone. Keepalive is silent
/// then, and TCP_USER_TIMEOUT would also end connections to a peer that is alive and does not read.
const VANISHED_AFTER: Duration = Duration::from_millis(17_500);

/// So that a peer that does not read answers often enough to tell it from one that is gone.
const MAX_RETRANSMISSION_PAUSE: Duration = Duration::from_secs(4);

/// What the kernel holds unsent when frames are to wait where they can still be dropped: less than a frame,
/// so that the newest is never behind others.
const UNSENT_LIMIT: u32 = 16 * 1024;

/// For this long a round-trip time is not asked for anew: where there are many clients that takes a while, and each
/// is looked at once a second in any case.
const RTT_LASTS: Duration = Duration::from_millis(1_500);

/// What has come until the end is more than that only where the peer floods.
const READS_IN_LEAVING: usize = 256;

/// A connection that both directions may use at the same time, from any thread, without blocking.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    peer: Peer,
    /// Its address as text, which is read more often than it is made.
    address: Arc<str>,
    certificate: Option<Arc<Certificate>>,
    opened: Instant,
    /// An error that one direction took from the socket; to the other it would look like a clean end.
    failure: AtomicI32,
    is_abandoned: AtomicBool,
    /// A header has come.
    is_heard: AtomicBool,
    gives_way: AtomicBool,
    is_unsent_limited: AtomicBool,
    /// The kernel has had no room once.
    was_full: AtomicBool,
    rtt: LastRtt,
    pub received: Traffic,
}

impl Connection {
    /// Takes a connected socket. It may have been reset already, with frames still to be read.
    pub fn new(established: Established, qos_dscp: Option<u8>) -> io::Result<Self> {
        let Established {
            stream,
            address,
            failure,
            certificate,
        } = established;
        if let Some(socket) = stream.carrier().socket() {
            prepare(socket, address, qos_dscp)?;
        }
        let peer = Peer::from(address);
        let text = peer.address().map(|address| address.to_string());
        Ok(Self {
            stream,
            peer,
            address: text.unwrap_or_default().into(),
            certificate,
            opened: Instant::now(),
            failure: AtomicI32::new(failure),
            is_abandoned: AtomicBool::new(false),
            is_heard: AtomicBool::new(false),
            gives_way: AtomicBool::new(false),
            is_unsent_limited: AtomicBool::new(false),
            was_full: AtomicBool::new(false),
            rtt: LastRtt::default(),
            received: Traffic::default(),
        })
    }

    /// One that does as a test says.
    #[cfg(test)]
    pub(crate) fn scripted(script: impl Into<Arc<super::script::Script>>) -> Self {
        let connection = Self::new(Established::scripted(script), None);
        connection.unwrap_or_else(|error| panic!("{error}"))
    }

    /// What the test has written down, and what has come of it.
    #[cfg(test)]
    pub(crate) fn script(&self) -> &super::script::Script {
        match self.stream.carrier() {
            Carrier::Script(script) => script,
            Carrier::Socket(_) => panic!("a socket"),
        }
    }

    fn socket(&self) -> Option<&Socket> {
        self.stream.carrier().socket()
    }

    /// Who is at the other end.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Its address; nothing where a socket that was handed over has none.
    pub fn address(&self) -> &Arc<str> {
        &self.address
    }

    /// The certificate that it has shown.
    pub fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.certificate.as_ref()
    }

    /// Frames received over it.
    pub fn received(&self) -> &Traffic {
        &self.received
    }

    /// When it was opened.
    pub fn opened(&self) -> Instant {
        self.opened
    }

    /// For how long it has been open.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.opened)
    }

    /// Reads what is there. 0 is the end of the peer's stream.
    pub fn receive(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.received_bytes(retry(|| self.stream.receive(slices)))
    }

    /// Whether there is something to receive although nothing more comes.
    pub fn holds_more(&self) -> bool {
        self.stream.holds_more()
    }

    /// The error that the connection has ended with, as far as one of the directions has met with it.
    pub fn failure(&self) -> Option<io::Error> {
        let error = self.failure.load(Relaxed);
        (error != 0).then(|| io::Error::from_raw_os_error(error))
    }

    /// Acknowledges what has come. A peer with Nagle's algorithm on sends the rest only after that, and the
    /// kernel would take its time.
    pub fn acknowledge(&self) {
        // Without it everything works as well, but slower.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(socket) = self.socket() {
            let _ = socket.set_tcp_quickack(true);
        }
    }

    /// Waiting for something to read is to end with this many bytes, no fewer, unless no more can come.
    pub fn expect(&self, bytes: usize) -> io::Result<()> {
        let bytes = bytes.saturating_sub(self.stream.overhead()).max(1);
        let socket = self.socket();
        socket.map_or(Ok(()), |socket| sys::set_receive_low_water(socket, bytes))
    }

    /// Writes what the kernel takes.
    pub fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<Sent> {
        let sent = retry(|| self.stream.send(slices));
        if sent.as_ref().map_or(true, |sent| sent.is_full) {
            self.was_full.store(true, Relaxed);
        }
        match self.noted(sent) {
            Ok(Sent { bytes: 0, .. }) if slices.iter().any(|slice| !slice.is_empty()) => {
                Err(io::ErrorKind::WriteZero.into())
            }
            // What was met with before is why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(self.failure().unwrap_or(error))
            }
            sent => sent,
        }
    }

    /// Writes what was taken and is not with the kernel yet. Says whether all of it is.
    pub fn flush(&self) -> io::Result<bool> {
        self.noted(self.stream.flush())
    }

    /// How much may be given to the kernel at a time, where little is to wait there; to the end of a frame.
    pub fn unsent_limit(&self) -> Option<usize> {
        self.is_unsent_limited
            .load(Relaxed)
            .then_some(UNSENT_LIMIT as usize)
    }

    /// Whether the kernel takes something. Where little is to wait there it looks at that limit only as it begins a
    /// segment, of which there may be 64 kB. Where there was always room it is not asked.
    pub fn has_room(&self) -> bool {
        let is_in_doubt = self.was_full.load(Relaxed) && self.unsent_limit().is_some();
        let socket = self.socket().filter(|_| is_in_doubt);
        socket.is_none_or(sys::is_writable)
    }

    /// Lets the kernel take little more than it can send, or as much as it has room for.
    pub fn limit_unsent(&self, limited: bool) {
        self.is_unsent_limited.store(limited, Relaxed);
        // Without it everything works as well, but a slow peer gets older frames.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(socket) = self.socket() {
            let _ = socket.set_tcp_notsent_lowat(if limited { UNSENT_LIMIT } else { 0 });
        }
    }

    /// The error that the connection has ended with, for whoever does not learn it by sending or receiving.
    pub fn take_error(&self) -> Option<io::Error> {
        let error = self.socket()?.take_error().ok().flatten()?;
        self.noted::<()>(Err(error)).err()
    }

    /// Ends the sending side: the peer reads to the end of what was sent, then an end of stream.
    pub fn end_sending(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Throws away what the peer sends, some of it at a time. 0 is the end of its stream.
    pub fn discard(&self) -> io::Result<usize> {
        self.received_bytes(retry(|| self.stream.discard()))
    }

    /// Reads some of what the peer sends that is sent a stream. 0 is the end of what it sends.
    pub fn overhear(&self, bytes: &mut [u8]) -> io::Result<usize> {
        self.received_bytes(retry(|| self.stream.overhear(bytes)))
    }

    /// Wakes and ends both directions: this side gives it up, and has said why.
    pub fn abandon(&self) {
        self.is_abandoned.store(true, Relaxed);
        // Fails when the connection has ended already, which is as good.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Whether this side has given it up.
    pub fn is_abandoned(&self) -> bool {
        self.is_abandoned.load(Relaxed)
    }

    /// The peer has sent a header.
    pub fn hear(&self) {
        self.is_heard.store(true, Relaxed);
    }

    /// Whether the peer has sent a header.
    pub fn is_heard(&self) -> bool {
        self.is_heard.load(Relaxed)
    }

    /// Whether the peer has sent something that nobody has read yet.
    pub fn has_unread(&self) -> bool {
        self.stream.has_more()
    }

    /// This side gives it up, for another.
    pub fn give_way(&self) {
        self.gives_way.store(true, Relaxed);
        self.abandon();
    }

    /// Whether it is given up for another.
    pub fn gives_way(&self) -> bool {
        self.gives_way.load(Relaxed)
    }

    /// Is about to be closed: the peer is to see the end of the stream, rather than a reset for what nobody has
    /// read of its own.
    pub fn take_leave(&self) {
        take_leave(&self.stream);
    }

    /// Wakes and ends both directions with this error.
    pub fn abort(&self, error: i32) {
        self.failure.store(error, Relaxed);
        // Fails when the connection has ended already, which is as good.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// How much the peer has not acknowledged, the end of the stream included. 0 where nobody knows.
    pub fn unacknowledged(&self) -> usize {
        let by_kernel = self.socket().map(sys::unacknowledged);
        let by_kernel = by_kernel.and_then(Result::ok).unwrap_or(0);
        self.stream.unacknowledged(by_kernel)
    }

    /// Whether data is under way to a peer that has given no sign of life for too long.
    pub fn has_vanished(&self) -> bool {
        self.tcp_info().is_some_and(|info| {
            // A peer that does not read leaves nothing unacknowledged and answers each probe.
            (info.unacked > 0 || info.probes > 1) && info.since_ack > VANISHED_AFTER
        })
    }

    /// Asks a silent peer at once whether it is there. One that has lost the connection answers by a reset.
    pub fn probe(&self) {
        let keepalive = TcpKeepalive::new()
            .with_time(PROBE_INTERVAL)
            .with_interval(PROBE_INTERVAL)
            .with_retries(PROBE_RETRIES);
        // Without it the peer is asked a little later.
        if let Some(socket) = self.socket() {
            let _ = socket.set_tcp_keepalive(&keepalive);
        }
    }

    /// Smoothed round-trip time, as it was a moment ago.
    pub fn rtt(&self, now: Instant) -> Option<Duration> {
        let last = self.rtt.get(self.age(now));
        last.or_else(|| self.tcp_info().map(|info| info.rtt))
    }

    fn tcp_info(&self) -> Option<sys::TcpInfo> {
        let info = sys::tcp_info(self.socket()?).ok()?;
        self.rtt.set(info.rtt, self.age(Instant::now()));
        Some(info)
    }

    /// Behind an error that was met with before, the end is not the peer's.
    fn received_bytes(&self, result: io::Result<usize>) -> io::Result<usize> {
        match (result, self.failure()) {
            (Ok(0), Some(error)) => Err(error),
            // With TLS an end that is no good one.
            (Err(end), Some(error)) if end.kind() == io::ErrorKind::UnexpectedEof => Err(error),
            (result, _) => self.noted(result),
        }
    }

    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            match error.raw_os_error() {
                // A broken pipe follows an end of stream that the reader still has to see as such.
                Some(libc::EAGAIN | libc::EPIPE) | None => (),
                Some(error) => self.failure.store(error, Relaxed),
            }
        }
        result
    }
}

impl AsRawFd for Connection {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.carrier().as_raw_fd()
    }
}

/// A round-trip time, and how old the connection was then.
#[derive(Debug, Default)]
struct LastRtt {
    nanos: AtomicU64,
    /// 0 where it has not been asked for.
    age: AtomicU64,
}

impl LastRtt {
    fn set(&self, rtt: Duration, age: Duration) {
        self.nanos.store(rtt.as_nanos() as u64, Relaxed);
        self.age.store(age.as_nanos().max(1) as u64, Relaxed);
    }

    fn get(&self, age: Duration) -> Option<Duration> {
        let asked = self.age.load(Relaxed);
        let lasts = asked > 0 && age.saturating_sub(Duration::from_nanos(asked)) < RTT_LASTS;
        lasts.then(|| Duration::from_nanos(self.nanos.load(Relaxed)))
    }
}

/// A connection that has just been made.
#[derive(Debug)]
pub struct Established {
    pub(super) stream: Stream,
    /// The peer's address, asked before a reset could take it away.
    pub address: Option<SocketAddr>,
    /// The error that the connection has already ended with, taken from the socket; 0 for none.
    pub failure: i32,
    /// Who the peer has shown to be.
    pub certificate: Option<Arc<Certificate>>,
}

impl Established {
    /// Over a socket, nobody having shown anything.
    pub fn plain(socket: Socket, address: Option<SocketAddr>, failure: i32) -> Self {
        Self {
            stream: Stream::Plain(Carrier::Socket(socket)),
            address,
            failure,
            certificate: None,
        }
    }

    /// Over what a test has written down.
    #[cfg(test)]
    pub(crate) fn scripted(script: impl Into<Arc<super::script::Script>>) -> Self {
        Self {
            stream: Stream::Plain(Carrier::Script(script.into().into())),
            address: None,
            failure: 0,
            certificate: None,
        }
    }

    /// The socket, if it is one.
    pub(super) fn socket(&self) -> Option<&Socket> {
        self.stream.carrier().socket()
    }

    /// Whether the peer has sent something.
    pub(super) fn has_spoken(&self) -> bool {
        self.stream.has_more()
    }

    /// Closes it in good order.
    pub fn refuse(self) {
        // An error leaves it to the system.
        let _ = self.stream.carrier().set_nonblocking();
        take_leave(&self.stream);
    }
}

/// Ends a connection that is about to be closed, without waiting.
pub(super) fn take_leave(stream: &Stream) {
    // Fails where there is nobody to tell any more.
    if stream.shutdown(Shutdown::Write).is_ok() {
        // What is encrypted and has no room is lost.
        let _ = stream.carrier().shutdown(Shutdown::Write);
        let mut reads = 0..READS_IN_LEAVING;
        while reads.next().is_some() && retry(|| stream.discard()).is_ok_and(|n| n > 0) {}
    }
}

fn prepare(socket: &Socket, address: Option<SocketAddr>, qos_dscp: Option<u8>) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    if address.is_some() {
        // A socket already reset takes no option on some systems, and needs none.
        let _ = set_options(socket, qos_dscp);
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Ok(local) = socket.local_addr()
            && stays_on_host(local.as_socket(), address)
        {
            let _ = avoid_bbr(socket);
        }
    }
    Ok(())
}

fn set_options(socket: &Socket, qos_dscp: Option<u8>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    // Kernels before 6.15 do without.
    let _ = sys::set_max_retransmission_pause(socket, MAX_RETRANSMISSION_PAUSE);
    #[cfg(target_vendor = "apple")]
    socket.set_nosigpipe(true)?;
    if let Some(dscp) = qos_dscp {
        let traffic_class = u32::from(dscp) << 2;
        if socket.domain()? == Domain::IPV6 {
            socket.set_tclass_v6(traffic_class)?;
        }
        // On an IPv6 socket this marks the packets of a mapped IPv4 connection.
        let _ = socket.set_tos_v4(traffic_class);
    }
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn stays_on_host(local: Option<SocketAddr>, peer: Option<SocketAddr>) -> bool {
    local.zip(peer).is_some_and(|(local, peer)| {
        let (local, peer) = (local.ip().to_canonical(), peer.ip().to_canonical());
        local == peer || peer.is_loopback()
    })
}

/// BBR takes a third of the throughput between processes of one host, by timers for a network that is not
/// there.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn avoid_bbr(socket: &Socket) -> io::Result<()> {
    if socket.tcp_congestion()?.starts_with(b"bbr") {
        socket.set_tcp_congestion(b"reno")?;
    }
    Ok(())
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            result => return result,
        }
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;
    use socket2::Type;
    use std::io::Write;

    #[test]
    fn only_the_hosts_own_addresses_are_within_it() {
        for (local, peer, is_within) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.2", "127.0.0.1", true),
            ("::1", "::1", true),
            ("::ffff:127.0.0.1", "127.0.0.1", true),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("fe80::1", "fe80::2", false),
        ] {
            let [local, peer] =
                [local, peer].map(|ip| Some(SocketAddr::new(ip.parse().unwrap(), 1)));
            assert_eq!(stays_on_host(local, peer), is_within, "{local:?}, {peer:?}");
        }
        assert!(!stays_on_host(None, None));
    }

    #[test]
    fn a_round_trip_time_is_asked_for_anew_after_a_while() {
        let last = LastRtt::default();
        assert_eq!(last.get(Duration::ZERO), None);
        let (age, rtt) = (Duration::ZERO, Duration::from_micros(30));
        last.set(rtt, age);
        assert_eq!(last.get(age), Some(rtt));
        assert_eq!(last.get(age + RTT_LASTS), Some(rtt));
        assert_eq!(last.get(age + RTT_LASTS + Duration::from_nanos(1)), None);
        last.set(2 * rtt, age + RTT_LASTS);
        assert_eq!(last.get(age + 2 * RTT_LASTS), None);
        assert_eq!(last.get(age + RTT_LASTS), Some(2 * rtt));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn there_is_no_room_for_more_than_little_that_waits() {
        const PIECE: &[u8] = &[7; 1_000];
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let near: Socket = std::net::TcpStream::connect(address).unwrap().into();
        let (mut far, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        let near = Connection::new(Established::plain(near, Some(address), 0), None).unwrap();
        near.limit_unsent(true);
        let deadline = Instant::now() + Duration::from_secs(5);
        // The first time it finds that there is none, and then it asks.
        for asks in [false, true] {
            let mut sent = 0;
            while near.has_room() {
                match near.send(&[IoSlice::new(PIECE)]) {
                    Ok(Sent { bytes, .. }) => sent += bytes,
                    Err(error) => {
                        assert!(!asks && error.kind() == io::ErrorKind::WouldBlock);
                    }
                }
            }
            let waits = near.unacknowledged();
            assert!(
                !asks || waits < 2 * UNSENT_LIMIT as usize,
                "{waits} of {sent}"
            );
            let mut bytes = vec![0; sent];
            io::Read::read_exact(&mut far, &mut bytes).unwrap();
            while !near.has_room() {
                assert!(Instant::now() < deadline, "all has been taken");
            }
        }
    }

    #[test]
    fn bbr_gives_way_within_a_host() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let local: SocketAddr = local.parse().unwrap();
            let listener = Socket::new(Domain::for_address(local), Type::STREAM, None).unwrap();
            // Not every system has IPv6, or BBR.
            let ready = listener.bind(&local.into());
            if let Err(error) = ready.and_then(|()| listener.set_tcp_congestion(b"bbr")) {
                // Past the test runner, which shows nothing of a test that passes.
                let _ = writeln!(io::stderr(), "SKIPPED: BBR on {local}: {error}");
                continue;
            }
            listener.listen(1).unwrap();
            let peer = Socket::new(Domain::for_address(local), Type::STREAM, None).unwrap();
            peer.connect(&listener.local_addr().unwrap()).unwrap();
            let (socket, address) = listener.accept().unwrap();
            assert!(socket.tcp_congestion().unwrap().starts_with(b"bbr"));
            let established = Established::plain(socket, address.as_socket(), 0);
            let connection = Connection::new(established, None).unwrap();
            let congestion_control = connection.socket().unwrap().tcp_congestion().unwrap();
            assert!(congestion_control.starts_with(b"reno"));
        }
    }
}
