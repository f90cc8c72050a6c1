// SPDX-License-Identifier: MPL-2.0
//! One encrypted connection.
//!
//! Two threads use it at once, one that reads and any that writes. Both need the same state of TLS: one that reads for as
//! long as it takes to decrypt a chunk, and one that writes until the kernel takes no more. To let go of it in between is
//! no gain: each would wait for the other at every chunk.

use std::{
    fmt,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    mem,
    net::Shutdown,
    sync::{
        Mutex, MutexGuard, OnceLock, TryLockError,
        atomic::{AtomicI32, Ordering::Relaxed},
    },
};

use rustls::Connection;
use smallvec::SmallVec;

use super::{explain, verify::Evidence};
use crate::{
    lock::lock,
    net::{
        carrier::Carrier,
        certificate::Certificate,
        handshake_fault::{SHOWN, TlsFault},
        sent::Sent,
    },
};

/// What is read at once.
const INPUT: usize = 64 * 1024;

/// The same in a handshake, of which there may be many that come to nothing.
const HANDSHAKE_INPUT: usize = 4 * 1024;

/// What is encrypted before it is sent. Of a frame of which this has taken something the rest has to follow, so it is
/// little where frames may be dropped.
const CHUNK: usize = 64 * 1024;

/// More than a handshake takes, with a long chain of certificates.
const HANDSHAKE_LIMIT: usize = 64 * 1024;

/// So much may come in a row in which there is nothing to receive: tickets and new keys are small.
const BARREN_LIMIT: usize = 48 * 1024;

/// The first bytes of all that TLS sends: kinds of records.
const KINDS: std::ops::RangeInclusive<u8> = 20..=23;

/// What carries it, and the state of TLS over that.
pub struct Session {
    line: Line,
    input: Mutex<Input>,
    state: Mutex<State>,
    /// What TLS has ended with, for whichever direction meets with it second.
    fault: OnceLock<TlsFault>,
    /// The host that was connected to, by the side that did.
    host: Option<String>,
    evidence: Evidence,
}

/// What carries it. Of an error the system tells one direction, and once; to the other, and to later calls, it would
/// look like an end.
struct Line {
    carrier: Carrier,
    failure: AtomicI32,
}

/// What has been read and not been decrypted.
struct Input {
    bytes: Vec<u8>,
    from: usize,
    to: usize,
    /// In all.
    received: usize,
    /// Since there was something to receive in it.
    barren: usize,
    /// The kernel may have more, without telling of it again.
    may_follow: bool,
    is_ended: bool,
}

struct State {
    connection: Connection,
    /// Bytes that were given to send.
    taken: u64,
    /// What has become of them, with the kernel.
    written: u64,
    ending: Ending,
}

/// How far the end of the sending side has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Open,
    /// It follows what is encrypted.
    Announced,
    /// The socket's has ended as well.
    Over,
}

impl Session {
    pub fn new(
        carrier: Carrier,
        mut connection: Connection,
        host: Option<String>,
        evidence: Evidence,
    ) -> Self {
        connection.set_buffer_limit(Some(CHUNK));
        Self {
            line: Line {
                carrier,
                failure: AtomicI32::new(0),
            },
            input: Mutex::new(Input {
                bytes: vec![0; HANDSHAKE_INPUT],
                from: 0,
                to: 0,
                received: 0,
                barren: 0,
                may_follow: false,
                is_ended: false,
            }),
            state: Mutex::new(State {
                connection,
                taken: 0,
                written: 0,
                ending: Ending::Open,
            }),
            fault: OnceLock::new(),
            host,
            evidence,
        }
    }

    /// Goes on with the handshake as far as possible without waiting. Says whether it is complete.
    pub fn handshake(&self) -> Result<bool, TlsFault> {
        let mut input = lock(&self.input);
        loop {
            let mut state = lock(&self.state);
            let is_sent = state.flush(&self.line);
            let is_sent = is_sent.map_err(|error| input.ended(Some(error.kind())))?;
            if !state.connection.is_handshaking() {
                input.bytes.resize(INPUT, 0);
                input.barren = 0;
                return Ok(is_sent);
            }
            if !input.is_empty() {
                self.decrypt(&mut state, &mut input)?;
                continue;
            }
            drop(state);
            if input.received >= HANDSHAKE_LIMIT {
                return Err(TlsFault::TooLong(input.received));
            }
            match input.read(&self.line) {
                Ok(0) => return Err(input.ended(None)),
                Ok(_) => input.check_kind()?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(input.ended(Some(error.kind()))),
            }
        }
    }

    /// Whether nothing has come at all.
    pub fn is_silent(&self) -> bool {
        lock(&self.input).received == 0
    }

    /// The peer's.
    pub fn certificate(&self) -> Option<Certificate> {
        let state = lock(&self.state);
        let own = state.connection.peer_certificates()?.first()?;
        Some(explain::certificate(own))
    }

    /// Encrypts and sends, until the kernel takes no more.
    pub fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<Sent> {
        if let Some(fault) = self.fault.get() {
            return Err(fault.clone().into());
        }
        let mut slices = SmallVec::<[IoSlice<'_>; 64]>::from_slice(slices);
        let mut rest = &mut slices[..];
        let mut state = lock(&self.state);
        let before = state.taken;
        loop {
            let is_flushed = self.flush_locked(&mut state);
            let bytes = (state.taken - before) as usize;
            match is_flushed {
                Err(error) => {
                    drop(state);
                    return Err(self.explained(error));
                }
                Ok(false) if bytes == 0 => return Err(io::ErrorKind::WouldBlock.into()),
                Ok(is_flushed) if !is_flushed || rest.is_empty() => {
                    let is_full = !is_flushed;
                    return Ok(Sent { bytes, is_full });
                }
                Ok(_) => (),
            }
            let taken = state.connection.writer().write_vectored(rest)?;
            if taken == 0 && rest.iter().any(|slice| !slice.is_empty()) {
                // It refuses, as after the last record that a key is good for.
                return Err(io::ErrorKind::WriteZero.into());
            }
            state.taken += taken as u64;
            IoSlice::advance_slices(&mut rest, taken);
        }
    }

    /// Sends what is encrypted already. Says whether all of it is with the kernel.
    pub fn flush(&self) -> io::Result<bool> {
        let result = self.flush_locked(&mut lock(&self.state));
        result.map_err(|error| self.explained(error))
    }

    /// Reads and decrypts until the slices are full or the kernel has no more, or much more was read than came of it. 0 is
    /// the end of the peer's stream.
    pub fn receive(&self, slices: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut slices: SmallVec<[IoSliceMut<'_>; 4]> = slices
            .iter_mut()
            .map(|slice| IoSliceMut::new(slice))
            .collect();
        let mut rest = &mut slices[..];
        let mut input = lock(&self.input);
        let (mut received, mut read) = (0, 0);
        let result = loop {
            let taken = self.take(&mut input, &mut rest);
            match taken {
                Ok(Taken { bytes, is_over }) => {
                    received += bytes;
                    if bytes > 0 {
                        input.barren = 0;
                    }
                    let is_full = rest.iter().all(|slice| slice.is_empty());
                    if is_over || is_full {
                        break Ok(());
                    }
                    if received > 0 && read > 2 * received + INPUT {
                        input.may_follow = true;
                        break Ok(());
                    }
                }
                Err(fault) => break Err(fault.into()),
            }
            if input.barren > BARREN_LIMIT {
                break Err(self.ended_with(TlsFault::Barren(input.barren)).into());
            }
            match input.read(&self.line) {
                Ok(0) => break Err(TlsFault::Cut.into()),
                Ok(bytes) => read += bytes,
                Err(error) => break Err(error),
            }
        };
        match result {
            // The next call meets with it again.
            Err(_) if received > 0 => Ok(received),
            Err(error) => Err(error),
            Ok(()) => Ok(received),
        }
    }

    /// Throws away some of what is there. Behind the end of the sending side nobody is interested in what it is.
    pub fn discard(&self, scratch: &mut [u8]) -> io::Result<usize> {
        if lock(&self.state).ending == Ending::Open {
            return self.receive(&mut [IoSliceMut::new(scratch)]);
        }
        let mut input = lock(&self.input);
        let bytes = input.read(&self.line)?;
        input.from = input.to;
        Ok(bytes)
    }

    /// Whether there is something to receive of which the kernel does not tell any more.
    pub fn holds_more(&self) -> bool {
        let input = lock(&self.input);
        let mut state = lock(&self.state);
        self.fault.get().is_some()
            || input.is_ended
            || input.may_follow
            || self.line.failure().is_some()
            || !input.is_empty()
            || has_plaintext_or_end(&mut state.connection)
    }

    /// Ends the sending side: of TLS first, and behind all that is sent, of the socket.
    pub fn end_sending(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        if state.ending == Ending::Open {
            state.connection.send_close_notify();
            state.ending = Ending::Announced;
        }
        self.flush_locked(&mut state).map(drop)
    }

    /// Of the bytes sent those that the peer has not acknowledged, it having left so many to the kernel.
    pub fn unacknowledged(&self, by_kernel: usize) -> usize {
        let state = lock(&self.state);
        let unsent = usize::from(state.connection.wants_write());
        if by_kernel == 0 && unsent == 0 {
            return 0;
        }
        // What is encrypted is more than that.
        let of_written = (by_kernel as u128 * u128::from(state.taken))
            .div_ceil(u128::from(state.written.max(1)));
        (of_written as usize + unsent).max(1)
    }

    pub fn carrier(&self) -> &Carrier {
        &self.line.carrier
    }

    fn flush_locked(&self, state: &mut MutexGuard<'_, State>) -> io::Result<bool> {
        let is_flushed = state.flush(&self.line)?;
        if is_flushed && state.ending == Ending::Announced {
            state.ending = Ending::Over;
            // Fails where there is nobody to tell any more: all of it has been sent.
            let _ = self.line.carrier.shutdown(Shutdown::Write);
        }
        Ok(is_flushed)
    }

    /// Decrypts what was read, into the slices.
    fn take(
        &self,
        input: &mut Input,
        slices: &mut &mut [IoSliceMut<'_>],
    ) -> Result<Taken, TlsFault> {
        let mut bytes = 0;
        let mut state = lock(&self.state);
        loop {
            let (more, is_over) = read_plaintext(&mut state.connection, slices);
            bytes += more;
            let is_full = slices.iter().all(|slice| slice.is_empty());
            match self.fault.get() {
                _ if is_over || is_full => return Ok(Taken { bytes, is_over }),
                // What came before it is whole, and was taken.
                Some(fault) if bytes == 0 => return Err(fault.clone()),
                Some(_) => {
                    let is_over = true;
                    return Ok(Taken { bytes, is_over });
                }
                None if input.is_empty() => return Ok(Taken { bytes, is_over }),
                // A fault is behind what was decrypted.
                None => drop(self.decrypt(&mut state, input)),
            }
        }
    }

    /// Hands some of what was read to TLS, which must hold nothing that is decrypted.
    fn decrypt(&self, state: &mut State, input: &mut Input) -> Result<(), TlsFault> {
        let mut bytes = &input.bytes[input.from..input.to];
        // It takes less than there is, and nothing of a message that is too long.
        let taken = match state.connection.read_tls(&mut bytes) {
            Ok(taken) => taken,
            Err(error) => {
                input.from = input.to;
                return Err(self.ended_with(TlsFault::Broken(error.to_string())));
            }
        };
        input.from += taken;
        let result = state.connection.process_new_packets();
        // An answer to the peer's new keys, which goes before what is sent next.
        let _ = state.connection.writer().write(&[]);
        if state.connection.wants_write() {
            // Whoever sends meets with the same error.
            let _ = state.flush(&self.line);
        }
        match result {
            Ok(_) if taken == 0 => {
                // It has seen its end, behind which nothing counts.
                input.from = input.to;
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => {
                let found = self.evidence.take();
                let fault = explain::explain(&error, self.host.as_deref(), &found);
                input.from = input.to;
                Err(self.ended_with(fault))
            }
        }
    }

    /// The first fault is that of both directions.
    fn ended_with(&self, fault: TlsFault) -> TlsFault {
        self.fault.get_or_init(|| fault).clone()
    }

    /// A peer that has ended the connection may have said why before.
    fn explained(&self, error: io::Error) -> io::Error {
        // Where somebody reads, that one learns it.
        let mut input = match self.input.try_lock() {
            Ok(input) => input,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return error,
        };
        loop {
            let mut state = lock(&self.state);
            if has_plaintext_or_end(&mut state.connection) {
                return error;
            }
            if input.is_empty() && !matches!(input.read(&self.line), Ok(1..)) {
                return error;
            }
            if let Err(fault) = self.decrypt(&mut state, &mut input) {
                return fault.into();
            }
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("carrier", &self.line.carrier)
            .finish_non_exhaustive()
    }
}

impl Line {
    fn receive(&self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.carrier.receive(&mut [IoSliceMut::new(bytes)]) {
                Ok(0) => return self.failure().map_or(Ok(0), Err),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                result => return self.noted(result),
            }
        }
    }

    fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.carrier.send(slices) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(self.failure().unwrap_or(error))
            }
            result => self.noted(result),
        }
    }

    fn failure(&self) -> Option<io::Error> {
        let error = self.failure.load(Relaxed);
        (error != 0).then(|| io::Error::from_raw_os_error(error))
    }

    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && let Some(number) = error.raw_os_error()
            && !matches!(number, libc::EAGAIN | libc::EINTR)
        {
            self.failure.store(number, Relaxed);
        }
        result
    }
}

/// What came of decrypting.
struct Taken {
    bytes: usize,
    /// No more follows.
    is_over: bool,
}

impl Input {
    fn is_empty(&self) -> bool {
        self.from == self.to
    }

    fn read(&mut self, line: &Line) -> io::Result<usize> {
        if self.is_ended {
            return Ok(0);
        }
        self.may_follow = false;
        let bytes = line.receive(&mut self.bytes)?;
        (self.from, self.to) = (0, bytes);
        self.received = self.received.saturating_add(bytes);
        self.barren = self.barren.saturating_add(bytes);
        self.is_ended = bytes == 0;
        Ok(bytes)
    }

    /// Whether the first bytes of all may be TLS.
    fn check_kind(&self) -> Result<(), TlsFault> {
        let bytes = &self.bytes[..self.to];
        let is_first = self.received == bytes.len();
        match bytes.first() {
            Some(kind) if is_first && !KINDS.contains(kind) => {
                let shown = bytes.len().min(SHOWN);
                Err(TlsFault::NotTls(bytes[..shown].into()))
            }
            _ => Ok(()),
        }
    }

    /// The connection has ended in the handshake.
    fn ended(&self, error: Option<io::ErrorKind>) -> TlsFault {
        if self.received == 0 {
            TlsFault::Unanswered(error)
        } else {
            TlsFault::Ended(error)
        }
    }
}

impl State {
    /// Says whether the kernel has taken all that is encrypted.
    fn flush(&mut self, line: &Line) -> io::Result<bool> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Outlet(line)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => self.written += bytes as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

struct Outlet<'a>(&'a Line);

impl Write for Outlet<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.send(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Fills slices with what is decrypted; says how much, and whether that was the end.
fn read_plaintext(
    connection: &mut Connection,
    slices: &mut &mut [IoSliceMut<'_>],
) -> (usize, bool) {
    let mut bytes = 0;
    let mut reader = connection.reader();
    while let Some(slice) = slices.first_mut() {
        if slice.is_empty() {
            *slices = &mut mem::take(slices)[1..];
            continue;
        }
        match reader.read(slice) {
            Ok(0) => return (bytes, true),
            Ok(more) => {
                bytes += more;
                IoSliceMut::advance_slices(slices, more);
            }
            // No more yet.
            Err(_) => break,
        }
    }
    (bytes, false)
}

fn has_plaintext_or_end(connection: &mut Connection) -> bool {
    connection.reader().into_first_chunk().is_ok()
}
