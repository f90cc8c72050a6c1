// SPDX-License-Identifier: MPL-2.0
//! Receiving frames on the caller's thread.

use std::{
    io,
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, Waker, unix::SourceFd};

use super::{
    ear::{Allowance, RequestLimits},
    endpoint::{Endpoint, Offer},
    event::{Observer, Request},
    reason::Reason,
};
use crate::{
    fanout::Payload,
    net::{Connection, Error, tells_of_tls},
    wire::{
        Decoder, HeaderError, HeaderFormat, Step, Truncated,
        record::{Buffer, Record},
    },
};

const WAKE: Token = Token(0);
const SOCKET: Token = Token(1);

#[cfg(any(target_os = "linux", target_os = "android"))]
const INTEREST: Interest = Interest::READABLE.add(Interest::PRIORITY);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const INTEREST: Interest = Interest::READABLE;

const TELLS_OF_URGENT_DATA: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Small frames are read this many bytes at a time.
const READ_AHEAD: usize = 256 * 1024;

/// Of a large frame this much is waited for at a time: the kernel wakes a reader for each segment else.
const STEP: usize = 256 * 1024;

/// Less is not worth the system call that asks for it.
const SMALLEST_STEP: usize = 64 * 1024;

/// A wait that is shorter is none: what it ends with was there before.
const SHORTEST_WAIT: Duration = Duration::from_micros(100);

/// When something came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When it was read.
    pub at: Instant,
    /// It was waited for. Else it may have come earlier.
    pub is_awaited: bool,
}

/// Where frames are received into.
pub trait FrameMemory {
    /// The memory of one frame.
    type Frame;

    /// Memory for a frame of `len` bytes, or none where there is no more.
    ///
    /// What a header announces need not come. So memory for it may be reserved here, and is to be taken
    /// as it is written to.
    fn allocate(&mut self, len: usize) -> Option<Self::Frame>;

    /// The bytes of a frame, exactly as many as were asked for.
    fn bytes(frame: &mut Self::Frame) -> &mut [u8];

    /// The connection has ended: memory that was kept because of its frames is of no use to others.
    fn forget(&mut self);
}

/// What came.
#[derive(Debug)]
pub enum Received<F> {
    /// A whole frame.
    Frame(F),
    /// A record, which [`record`](Receiver::record) has.
    Record,
    /// The connection has ended, in good order or because of a fault.
    Ended {
        /// The fault.
        fault: Option<Arc<Error>>,
        /// The receiver waits for the next one when it is called again.
        goes_on: bool,
    },
    /// The endpoint has failed, as an event may tell as well.
    Failed(Arc<Error>),
    /// [`Interrupt::raise`] was called.
    Interrupted,
}

/// Makes a [`Receiver`] return rather than wait.
#[derive(Debug)]
pub struct Interrupt {
    raised: AtomicBool,
    waker: Arc<Waker>,
}

impl Interrupt {
    /// From now on the receiver does not wait.
    pub fn raise(&self) {
        self.raised.store(true, SeqCst);
        // Fails only where nobody polls any more.
        let _ = self.waker.wake();
    }

    /// The receiver may wait again.
    pub fn clear(&self) {
        self.raised.store(false, SeqCst);
    }
}

/// Takes the connections that an endpoint opens, one after the other, and receives frames from them.
pub struct Receiver<P: Payload, M: FrameMemory> {
    endpoint: Arc<Endpoint<P>>,
    memory: M,
    poll: Poll,
    events: Events,
    interrupt: Arc<Interrupt>,
    format: HeaderFormat,
    preamble: usize,
    understands_records: bool,
    max_frame_size: u64,
    timeout: Option<Duration>,
    current: Option<Current<M::Frame>>,
}

/// The connection that is being read.
struct Current<F> {
    connection: Arc<Connection>,
    decoder: Decoder,
    /// The frame of which the header has come.
    frame: Option<F>,
    /// The last read has taken all there was. The poll, which is edge-triggered, tells when there is more.
    is_drained: bool,
    /// After a short read there may be more: the end, of which the poll does not tell again, or what is
    /// behind urgent data, at which a read stops.
    reads_on: bool,
    /// As many bytes end a wait.
    expected: usize,
    /// The last header came without any of its payload.
    header_came_alone: bool,
    /// When the last bytes came.
    came: Arrival,
    /// The last wait was one.
    has_waited: bool,
    /// When the last one ended that was.
    waited_until: Instant,
    /// What is said of the next frame, and when.
    announcement: Option<(Buffer, Arrival)>,
    /// The same of the last one.
    announced: Option<(Buffer, Arrival)>,
    requests: RequestLimits,
}

/// What was read.
enum Read<F> {
    Frame(F),
    Record,
    /// Not all of either.
    Part,
}

/// Why a connection is not read any further.
enum Ending {
    EndOfStream,
    /// Before the stream was over, of which it would have told.
    Cut,
    Truncated(Truncated),
    /// The peer's is no such stream, but says that it is TLS.
    IsTls,
    Header(HeaderError),
    Lost(io::Error),
    /// This side gave it up, and has said why.
    Abandoned,
    Silent(Duration),
    Flood,
    /// What a record says is of no use, and why.
    Refused(String),
    OutOfMemory(usize),
}

impl<P: Payload, M: FrameMemory> Receiver<P, M> {
    /// A receiver of what comes to `endpoint`.
    pub fn new(
        endpoint: Arc<Endpoint<P>>,
        memory: M,
        format: HeaderFormat,
        max_frame_size: u64,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        let poll = Poll::new().map_err(Error::Exhausted)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).map_err(Error::Exhausted)?);
        Ok(Self {
            endpoint,
            memory,
            poll,
            events: Events::with_capacity(8),
            interrupt: Arc::new(Interrupt {
                raised: AtomicBool::new(false),
                waker,
            }),
            format,
            preamble: 0,
            understands_records: false,
            max_frame_size,
            timeout,
            current: None,
        })
    }

    /// Skips as many bytes at the start of each connection.
    pub fn skip_preamble(&mut self, len: usize) {
        self.preamble = len;
    }

    /// Hands out the records between the frames, which are bad headers otherwise. The header is to be one of 8 decimal
    /// digits.
    pub fn with_records(mut self) -> Self {
        self.understands_records = true;
        self
    }

    /// Tells the endpoint that somebody receives. Each peer is told `hello` first.
    pub fn attach(&self, observer: Arc<dyn Observer>, hello: Vec<u8>) {
        let waker = self.interrupt.waker.clone();
        self.endpoint.attach_reader(observer, waker, hello);
    }

    /// The record that has come last, and when.
    pub fn record(&self) -> Option<(Record<'_>, Arrival)> {
        let current = self.current.as_ref()?;
        let record = current.decoder.record()?.ok()?;
        Some((record, current.came))
    }

    /// What was said of the last frame, and when.
    pub fn announced(&self) -> Option<(Buffer, Arrival)> {
        self.current.as_ref()?.announced
    }

    /// Until when it was last waited for something: the last frame has not come before.
    pub fn waited_until(&self) -> Option<Instant> {
        Some(self.current.as_ref()?.waited_until)
    }

    /// Ends the connection because of what it has brought.
    pub fn refuse(&mut self, reason: String) -> Received<M::Frame> {
        match self.current {
            Some(_) => self.end(Ending::Refused(reason)),
            None => Received::Interrupted,
        }
    }

    /// What interrupts it.
    pub fn interrupt(&self) -> Arc<Interrupt> {
        self.interrupt.clone()
    }

    /// Where the next frames are received into.
    pub fn memory(&mut self) -> &mut M {
        &mut self.memory
    }

    /// Waits for the next frame.
    pub fn next(&mut self) -> Received<M::Frame> {
        loop {
            if let Some(received) = self.next_until(None) {
                return received;
            }
        }
    }

    /// The same, but no longer than until then.
    pub fn next_until(&mut self, deadline: Option<Instant>) -> Option<Received<M::Frame>> {
        loop {
            if let Some(received) = self.try_next() {
                return Some(received);
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return None;
            }
            if let Err(received) = self.wait_for_more(deadline) {
                return Some(received);
            }
        }
    }

    /// The next frame, where it need not be waited for.
    fn try_next(&mut self) -> Option<Received<M::Frame>> {
        loop {
            if self.is_interrupted() {
                return Some(Received::Interrupted);
            }
            let Some(current) = &mut self.current else {
                match self.take_offer() {
                    Ok(true) => continue,
                    Ok(false) => return None,
                    Err(received) => return Some(received),
                }
            };
            match current.read(&mut self.memory, &self.interrupt.raised) {
                Ok(Read::Frame(frame)) => return Some(Received::Frame(self.counted(frame))),
                Ok(Read::Record) => match self.attend() {
                    Ok(false) => (),
                    Ok(true) => return Some(Received::Record),
                    Err(ending) => return Some(self.end(ending)),
                },
                Ok(Read::Part) => return None,
                Err(ending) => return Some(self.end(ending)),
            }
        }
    }

    /// The same, having looked what the system tells.
    #[cfg(test)]
    pub(super) fn poll_next(&mut self) -> Option<Received<M::Frame>> {
        self.wait(Some(Duration::ZERO)).unwrap();
        self.try_next()
    }

    /// The length of the next frame, where it was read along with the last one.
    pub fn frame_ahead(&self) -> Option<usize> {
        self.current.as_ref()?.decoder.frame_ahead()
    }

    /// Deals with a record. Says whether it is one for the caller.
    fn attend(&mut self) -> Result<bool, Ending> {
        let Some(current) = &mut self.current else {
            return Ok(false);
        };
        match current.decoder.record() {
            None => Ok(false),
            Some(Err(error)) => Err(Ending::Header(error.into())),
            Some(Ok(Record::Buffer(buffer))) => {
                current.announcement = Some((buffer, current.came));
                Ok(false)
            }
            Some(Ok(Record::Upstream(upstream))) => {
                match (
                    current.requests.allow(current.came.at),
                    Request::new(upstream),
                ) {
                    (Allowance::Flood, _) => return Err(Ending::Flood),
                    (Allowance::Yes, Some(request)) => self.endpoint.pass_request(request),
                    _ => (),
                }
                Ok(false)
            }
            Some(Ok(Record::Hello(_))) => {
                self.endpoint.peer_understands(&current.connection);
                Ok(true)
            }
            Some(Ok(_)) => Ok(true),
        }
    }

    fn counted(&self, mut frame: M::Frame) -> M::Frame {
        let len = M::bytes(&mut frame).len();
        if let Some(current) = &self.current {
            current.connection.received.add(len);
        }
        self.endpoint.totals().received.add(len);
        self.endpoint.frame_received();
        frame
    }

    /// Takes a connection, where there is one. Says whether.
    fn take_offer(&mut self) -> Result<bool, Received<M::Frame>> {
        let connection = match self.endpoint.offer() {
            Offer::Connection(connection) => connection,
            Offer::Pending => return Ok(false),
            Offer::Over => {
                return Err(Received::Ended {
                    fault: None,
                    goes_on: false,
                });
            }
            Offer::Failed(error) => return Err(Received::Failed(error)),
        };
        let fd = connection.as_raw_fd();
        let registry = self.poll.registry();
        let registered = registry.register(&mut SourceFd(&fd), SOCKET, INTEREST);
        let decoder = Decoder::new(self.format, self.max_frame_size, READ_AHEAD);
        let mut decoder = decoder.with_preamble(self.preamble);
        if self.understands_records {
            decoder = decoder.with_records();
        }
        self.current = Some(Current::new(connection, decoder));
        match registered {
            Ok(()) => Ok(true),
            Err(error) => Err(self.end(Ending::Lost(error))),
        }
    }

    /// Waits for a connection, or for bytes of the one that there is.
    fn wait_for_more(&mut self, deadline: Option<Instant>) -> Result<(), Received<M::Frame>> {
        if self.current.is_some() {
            let waited = self.wait_for_bytes(deadline);
            return waited.map_err(|ending| self.end(ending));
        }
        match self.wait(deadline.map(left_until)) {
            Ok(_) => Ok(()),
            Err(error) => Err(Received::Failed(Arc::new(Error::Exhausted(error)))),
        }
    }

    /// Waits until there is something to read, it is interrupted, or the deadline has come.
    fn wait_for_bytes(&mut self, deadline: Option<Instant>) -> Result<(), Ending> {
        if let Some(current) = &mut self.current {
            current.acknowledge_header();
            // With a timeout every byte is a sign of life.
            current.expect(if self.timeout.is_none() { STEP } else { 1 });
        }
        let silence = self
            .timeout
            .and_then(|timeout| Some((Instant::now().checked_add(timeout)?, timeout)));
        loop {
            let left = match silence {
                Some((end, timeout)) => Some(
                    end.checked_duration_since(Instant::now())
                        .ok_or(Ending::Silent(timeout))?,
                ),
                None => None,
            };
            let limits = left.into_iter().chain(deadline.map(left_until));
            let begin = Instant::now();
            let is_readable = self.wait(limits.min()).map_err(Ending::Lost)?;
            if self.is_interrupted()
                || (!is_readable && deadline.is_some_and(|at| at <= Instant::now()))
            {
                return Ok(());
            }
            if is_readable {
                if let Some(current) = &mut self.current {
                    let end = Instant::now();
                    current.has_waited = end - begin > SHORTEST_WAIT;
                    if current.has_waited {
                        current.waited_until = end;
                    }
                }
                return Ok(());
            }
        }
    }

    /// Waits for the endpoint, the interrupt, or the socket; says whether it was the socket.
    fn wait(&mut self, limit: Option<Duration>) -> io::Result<bool> {
        // The flag outlasts a wake-up that came before this poll.
        if self.is_interrupted() {
            return Ok(false);
        }
        match self.poll.poll(&mut self.events, limit) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error),
            Ok(()) => {
                let mut events = self.events.iter();
                let event = events.find(|event| event.token() == SOCKET);
                if let (Some(event), Some(current)) = (event, &mut self.current) {
                    current.is_drained = false;
                    current.reads_on |=
                        event.is_read_closed() || event.is_error() || event.is_priority();
                }
                Ok(event.is_some())
            }
        }
    }

    /// The one who sends takes from the socket the error without which the end looks like a good one.
    fn with_hindsight(&self, ending: Ending, connection: &Connection) -> Ending {
        if !matches!(
            ending,
            Ending::EndOfStream | Ending::Cut | Ending::Truncated(_)
        ) {
            return ending;
        }
        self.endpoint.await_sender();
        connection.failure().map_or(ending, Ending::Lost)
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.raised.load(SeqCst)
    }

    /// Lets go of the connection and says why.
    fn end(&mut self, ending: Ending) -> Received<M::Frame> {
        let Some(mut current) = self.current.take() else {
            unreachable!("only the current connection ends")
        };
        let fd = current.connection.as_raw_fd();
        // The sender of the same endpoint may keep it open.
        let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
        current.expect_anything();
        self.memory.forget();
        let totals = self.endpoint.totals();
        match ending {
            Ending::Header(_) | Ending::Flood | Ending::Refused(_) | Ending::IsTls => {
                totals.protocol_errors.add(1);
            }
            _ => match current.decoder.finish() {
                // No frame has begun.
                Ok(()) | Err(Truncated::Preamble { .. }) => (),
                Err(_) => totals.truncated.add(1),
            },
        }
        let ending = self.with_hindsight(ending, &current.connection);
        let (reason, fault) = ending.explain(&current.connection, &current.decoder);
        self.endpoint.release(&current.connection, reason);
        Received::Ended {
            fault: fault.map(Arc::new),
            goes_on: self.endpoint.target().reconnect || current.connection.gives_way(),
        }
    }
}

fn left_until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

impl<P: Payload, M: FrameMemory> Drop for Receiver<P, M> {
    fn drop(&mut self) {
        if let Some(current) = &mut self.current {
            current.expect_anything();
        }
        self.endpoint.detach_reader();
    }
}

impl<F> Current<F> {
    fn new(connection: Arc<Connection>, decoder: Decoder) -> Self {
        Self {
            connection,
            decoder,
            frame: None,
            is_drained: false,
            reads_on: !TELLS_OF_URGENT_DATA,
            expected: 1,
            header_came_alone: false,
            came: Arrival {
                at: Instant::now(),
                is_awaited: false,
            },
            has_waited: false,
            waited_until: Instant::now(),
            announcement: None,
            announced: None,
            requests: RequestLimits::default(),
        }
    }

    /// Reads to the end of the next frame or record, or until it is interrupted: a peer may send for ever.
    fn read<M: FrameMemory<Frame = F>>(
        &mut self,
        memory: &mut M,
        is_interrupted: &AtomicBool,
    ) -> Result<Read<F>, Ending> {
        loop {
            let payload = self.frame.as_mut().map_or(&mut [][..], M::bytes);
            match self.decoder.next(payload).map_err(Ending::Header)? {
                Step::Head(len) => {
                    // Of a frame that nothing is said of, what was said of the one before does not hold.
                    self.announced = self.announcement.take();
                    self.connection.hear();
                    let frame = memory.allocate(len).ok_or(Ending::OutOfMemory(len))?;
                    self.frame = Some(frame);
                    self.header_came_alone = false;
                }
                Step::Frame => match self.frame.take() {
                    Some(frame) => return Ok(Read::Frame(frame)),
                    None => unreachable!("its memory is there until it is complete"),
                },
                Step::Record(_) => {
                    self.connection.hear();
                    return Ok(Read::Record);
                }
                Step::More if self.is_drained && !self.reads_on => return Ok(Read::Part),
                Step::More if is_interrupted.load(SeqCst) => return Ok(Read::Part),
                Step::More => {
                    let mut slices = self.decoder.read_slices(payload);
                    let room: usize = slices.iter().map(|slice| slice.len()).sum();
                    match self.connection.receive(&mut slices) {
                        Ok(0) | Err(_) if self.connection.is_abandoned() => {
                            return Err(Ending::Abandoned);
                        }
                        Ok(0) => return Err(self.end_of_stream()),
                        Ok(n) => {
                            self.came = Arrival {
                                at: Instant::now(),
                                is_awaited: std::mem::take(&mut self.has_waited),
                            };
                            self.decoder.advance(n);
                            self.is_drained = n < room && !self.connection.holds_more();
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            return Ok(Read::Part);
                        }
                        Err(error) => return Err(Ending::Lost(error)),
                    }
                }
            }
        }
    }
}

impl<F> Current<F> {
    fn end_of_stream(&self) -> Ending {
        match self.decoder.finish() {
            // What TLS says to who speaks something else is shorter than a header.
            Err(Truncated::Header { .. }) if tells_of_tls(self.decoder.ahead()) => Ending::IsTls,
            Err(cut) => Ending::Truncated(cut),
            Ok(()) if self.decoder.lacks_end() => Ending::Cut,
            Ok(()) => Ending::EndOfStream,
        }
    }

    /// A peer that writes header and payload apart may hold back each until the one before is acknowledged.
    fn acknowledge_header(&mut self) {
        let is_at_start = self.decoder.is_outside_payload() && self.decoder.missing() > 0;
        self.header_came_alone |= is_at_start;
        if self.header_came_alone && self.decoder.is_outside_payload() {
            self.connection.acknowledge();
        }
    }

    /// Lets a wait go on until `step` bytes of the frame have come, or all of it.
    fn expect(&mut self, step: usize) {
        let missing = self.decoder.missing().min(step);
        let bytes = if missing < SMALLEST_STEP { 1 } else { missing };
        // Where the system refuses, the wait ends earlier.
        if bytes != self.expected && self.connection.expect(bytes).is_ok() {
            self.expected = bytes;
        }
    }

    /// Whoever reads next may expect less.
    fn expect_anything(&mut self) {
        self.expect(1);
    }
}

impl Ending {
    /// In the endpoint's terms: why the connection is over, unless only the peer's stream is; and the fault.
    fn explain(
        self,
        connection: &Connection,
        decoder: &Decoder,
    ) -> (Option<Reason>, Option<Error>) {
        let peer = connection.peer();
        let (reason, fault) = match self {
            Self::Abandoned if connection.gives_way() => {
                return (None, Some(Error::GivesWay { peer }));
            }
            Self::EndOfStream | Self::Abandoned => return (None, None),
            Self::Truncated(cut) => (Reason::Failed, Error::Truncated { peer, cut }),
            Self::IsTls => (Reason::Failed, Error::IsTls { peer }),
            Self::Cut => (Reason::Failed, Error::Cut { peer }),
            Self::Flood => (Reason::Failed, Error::Flood { peer }),
            Self::Refused(reason) => (Reason::Failed, Error::Record { peer, reason }),
            Self::Header(source) => (Reason::Failed, Error::Header { peer, source }),
            Self::Lost(source) => {
                let cut = decoder.finish().err();
                (Reason::Failed, Error::Receive { peer, cut, source })
            }
            Self::Silent(after) => (Reason::TimedOut, Error::Silent { peer, after }),
            Self::OutOfMemory(len) => (Reason::Failed, Error::OutOfMemory { peer, len }),
        };
        (Some(reason), Some(fault))
    }
}

#[cfg(test)]
mod tests {
    use libc::{EAGAIN, ECONNRESET, EINTR, ENOBUFS, ETIMEDOUT};

    use super::*;
    use crate::net::{Answer, Script};

    #[derive(Debug)]
    struct OnHeap;

    impl FrameMemory for OnHeap {
        type Frame = Vec<u8>;

        fn allocate(&mut self, len: usize) -> Option<Vec<u8>> {
            Some(vec![0; len])
        }

        fn bytes(frame: &mut Vec<u8>) -> &mut [u8] {
            frame
        }

        fn forget(&mut self) {}
    }

    const STREAM: &[u8] = b"00000005hello0000000000000011over there.";

    fn frames() -> [Vec<u8>; 3] {
        [b"hello".to_vec(), Vec::new(), b"over there.".to_vec()]
    }

    /// From a stream of these bytes, its calls being answered so.
    fn current(stream: &[u8], answers: &[Answer]) -> Current<Vec<u8>> {
        let script = Script::default();
        script.end();
        script.input.lock().unwrap().extend(stream);
        script.receives.lock().unwrap().extend(answers);
        let decoder = Decoder::new(HeaderFormat::default(), 100, 16);
        Current::new(Arc::new(Connection::scripted(script)), decoder)
    }

    /// What comes of a stream of these bytes, its calls being answered so, and how it ends. What cannot be read now
    /// can be read later.
    fn received(
        stream: &[u8],
        answers: &[Answer],
    ) -> (Vec<Vec<u8>>, Option<Reason>, Option<Error>) {
        let mut current = current(stream, answers);
        let mut frames = Vec::new();
        loop {
            match current.read(&mut OnHeap, &AtomicBool::new(false)) {
                Ok(Read::Frame(frame)) => frames.push(frame),
                Ok(Read::Part | Read::Record) => current.is_drained = false,
                Err(ending) => {
                    let (reason, fault) = ending.explain(&current.connection, &current.decoder);
                    return (frames, reason, fault);
                }
            }
        }
    }

    #[test]
    fn however_the_bytes_come_the_frames_are_the_same() {
        for step in 1..STREAM.len() {
            let answers = vec![Answer::Moves(step); STREAM.len() / step];
            let (received, reason, fault) = received(STREAM, &answers);
            assert_eq!(received, frames(), "{step}");
            assert!(reason.is_none() && fault.is_none(), "{step}: {fault:?}");
        }
    }

    #[test]
    fn a_peer_that_goes_on_sending_does_not_keep_it_from_being_interrupted() {
        let mut current = current(STREAM, &[]);
        let interrupted = current.read(&mut OnHeap, &AtomicBool::new(true));
        assert!(matches!(interrupted, Ok(Read::Part)));
        let resumed = current.read(&mut OnHeap, &AtomicBool::new(false));
        assert!(matches!(resumed, Ok(Read::Frame(frame)) if frame == frames()[0]));
    }

    #[test]
    fn what_is_none_of_the_peers_doing_passes_at_every_call() {
        for error in [EINTR, EAGAIN] {
            for before in 0..STREAM.len() {
                let mut answers = vec![Answer::Moves(1); before];
                answers.push(Answer::Fails(error));
                let (received, _, fault) = received(STREAM, &answers);
                assert_eq!(received, frames(), "{before} {error}");
                assert!(fault.is_none(), "{before} {error}: {fault:?}");
            }
        }
    }

    #[test]
    fn a_connection_that_breaks_has_given_all_whole_frames() {
        for error in [ECONNRESET, ETIMEDOUT, ENOBUFS] {
            for before in 0..=STREAM.len() {
                let mut answers = vec![Answer::Moves(1); before];
                answers.push(Answer::Fails(error));
                let (received, reason, fault) = received(STREAM, &answers);
                let whole = [13, 21, 40].iter().filter(|&&end| end <= before).count();
                assert_eq!(received, frames()[..whole], "{before}");
                assert_eq!(reason, Some(Reason::Failed));
                let Some(Error::Receive { cut, source, .. }) = fault else {
                    panic!("{fault:?} after {before} bytes");
                };
                assert_eq!(source.raw_os_error(), Some(error));
                assert_eq!(cut.is_none(), [0, 13, 21, 40].contains(&before), "{before}");
            }
        }
    }

    #[test]
    fn a_stream_may_end_between_frames_and_nowhere_else() {
        for end in 0..=STREAM.len() {
            let (_, reason, fault) = received(&STREAM[..end], &[]);
            if [0, 13, 21, 40].contains(&end) {
                assert!(reason.is_none() && fault.is_none(), "{end}: {fault:?}");
            } else {
                assert_eq!(reason, Some(Reason::Failed), "{end}");
                assert!(
                    matches!(fault, Some(Error::Truncated { .. })),
                    "{end}: {fault:?}"
                );
            }
        }
    }
}
