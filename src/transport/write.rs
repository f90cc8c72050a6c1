// SPDX-License-Identifier: MPL-2.0
//! From what waits for a client to system calls.

use std::{
    io::{self, IoSlice},
    time::Instant,
};

use smallvec::SmallVec;

use crate::{
    fanout::{BATCH_CHUNKS, Fanout, Part, Payload},
    net::{Connection, Sent, Totals},
};

/// More than a kernel takes at once, so that no more needs to be prepared for one call.
const BATCH_BYTES: usize = 8 << 20;

/// Sends what waits for a client, as much as the kernel takes. Returns whether it took anything.
pub(super) fn write_waiting<P: Payload>(
    fanout: &mut Fanout<P>,
    client: usize,
    connection: &Connection,
    totals: &Totals,
) -> io::Result<bool> {
    let mut any = false;
    // Of what was sent before, some may still be here.
    if fanout.is_writable(client) && !connection.flush()? {
        fanout.set_writable(client, false);
    }
    loop {
        let edge = fanout.unsent_edge(client);
        let is_edge = edge.is_some();
        let written = match edge {
            Some(bytes) => connection.send(&[IoSlice::new(bytes)]),
            None => {
                if fanout.is_undescribed(client) {
                    fanout.describe_to(client, Instant::now());
                }
                match fanout.unsent(client) {
                    Some(_) if !connection.has_room() => Err(io::ErrorKind::WouldBlock.into()),
                    Some((parts, before)) => write(connection, parts, before),
                    None => return Ok(any),
                }
            }
        };
        match written {
            Ok(Sent { bytes, is_full }) => {
                any = true;
                let now = Instant::now();
                let progress = if is_edge {
                    fanout.sent_edge(client, bytes, is_full, now)
                } else {
                    fanout.sent(client, bytes, is_full, now)
                };
                totals.sent.frames.add(progress.frames);
                totals.sent.bytes.add(progress.payload_bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                fanout.set_writable(client, false);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Writes as much of these as fits one call, but for the bytes of the first that were written before.
/// `WouldBlock` when the kernel takes nothing.
fn write<'a, P: Payload>(
    connection: &Connection,
    parts: impl Iterator<Item = Part<'a, P>>,
    before: usize,
) -> io::Result<Sent> {
    let mut chunks = SmallVec::<[P::Chunk<'_>; BATCH_CHUNKS + 16]>::new();
    let mut headers = SmallVec::<[(&[u8], usize); BATCH_CHUNKS]>::new();
    let mut bytes = 0;
    let most = connection.unsent_limit().unwrap_or(BATCH_BYTES);
    for part in parts {
        let others = chunks.len();
        for chunk in part
            .frame
            .into_iter()
            .flat_map(|frame| frame.payload.chunks())
        {
            chunks.push(chunk?);
        }
        headers.push((part.head, chunks.len() - others));
        bytes += part.wire_len;
        if headers.len() == BATCH_CHUNKS || chunks.len() >= BATCH_CHUNKS || bytes >= most {
            break;
        }
    }
    let mut slices = SmallVec::<[IoSlice<'_>; 2 * BATCH_CHUNKS + 16]>::new();
    let mut rest = &chunks[..];
    for &(header, count) in &headers {
        let (own, others) = rest.split_at(count);
        slices.push(IoSlice::new(header));
        slices.extend(own.iter().map(|chunk| IoSlice::new(chunk.as_ref())));
        rest = others;
    }
    let mut slices = &mut slices[..];
    IoSlice::advance_slices(&mut slices, before);
    connection.send(slices)
}

#[cfg(test)]
mod tests {
    use libc::{EAGAIN, ECONNRESET, EINTR, ENOBUFS, EPIPE, ETIMEDOUT};

    use super::*;
    use crate::{
        fanout::{Audience, Flow, Frame, Piece},
        net::{Answer, Script},
        wire::HeaderFormat,
    };

    #[derive(Debug)]
    struct Pieces(Vec<&'static [u8]>);

    impl Payload for Pieces {
        type Chunk<'a> = &'a [u8];

        fn chunks(&self) -> impl Iterator<Item = io::Result<&[u8]>> {
            self.0.iter().copied().map(Ok)
        }
    }

    const STREAM: &[u8] = b"00000005hello0000000000000011over there.";

    fn stream() -> (Fanout<Pieces>, usize) {
        let mut fanout = Fanout::new(Audience::Clients);
        fanout.begin(Flow::default());
        let client = push_all(&mut fanout);
        (fanout, client)
    }

    /// For a client that joins before.
    fn push_all(fanout: &mut Fanout<Pieces>) -> usize {
        let (client, _) = fanout.join(0, Instant::now());
        for pieces in [&[&b"hello"[..]][..], &[], &[b"over", b"", b" there."]] {
            let len = pieces.iter().map(|piece| piece.len()).sum();
            let frame = Frame {
                header: HeaderFormat::default().encode(len as u64).unwrap(),
                lead: None,
                payload: Pieces(pieces.to_vec()),
                len,
                keyframe: true,
                repeats_header: false,
                is_note: false,
                piece: Piece::Whole,
                time: None,
            };
            fanout.push(frame, Instant::now());
        }
        client
    }

    /// Sends all of it, the kernel having room again after each call; says what has been sent, and the error.
    fn sent(answers: &[Answer]) -> (Vec<u8>, Option<i32>) {
        sent_of(stream(), answers, 3)
    }

    /// The same of any stream with so many frames.
    fn sent_of(
        (mut fanout, client): (Fanout<Pieces>, usize),
        answers: &[Answer],
        frames: u64,
    ) -> (Vec<u8>, Option<i32>) {
        let script = Script::default();
        script.sends.lock().unwrap().extend(answers);
        let connection = Connection::scripted(script);
        let totals = Totals::default();
        let mut error = None;
        for _ in 0..=answers.len() {
            fanout.set_writable(client, true);
            match write_waiting(&mut fanout, client, &connection, &totals) {
                Ok(_) => (),
                Err(met) => {
                    error = met.raw_os_error();
                    break;
                }
            }
        }
        if error.is_none() {
            assert!(fanout.is_idle(client));
            let sent = &totals.sent;
            assert_eq!((sent.frames.get(), sent.bytes.get()), (frames, 16));
        }
        let sent = connection.script().sent.lock().unwrap().clone();
        (sent, error)
    }

    #[test]
    fn a_short_write_is_gone_on_with_wherever_it_ends() {
        for first in 1..STREAM.len() {
            for second in [1, 7, STREAM.len()] {
                let answers = [first, second].map(Answer::Moves);
                assert_eq!(sent(&answers), (STREAM.to_vec(), None), "{answers:?}");
            }
        }
    }

    #[test]
    fn the_edges_are_around_the_stream_however_it_is_cut() {
        let expected = [b"hello, ", STREAM, b"00000000"].concat();
        for first in 1..expected.len() {
            for second in [1, 7, expected.len()] {
                let mut fanout = Fanout::new(Audience::Clients);
                fanout.begin(Flow::default());
                fanout.set_edges(b"hello, ", b"00000000");
                let client = push_all(&mut fanout);
                fanout.finish(Instant::now());
                let answers = [first, second].map(Answer::Moves);
                let sent = sent_of((fanout, client), &answers, 4);
                assert_eq!(sent, (expected.clone(), None), "{answers:?}");
            }
        }
    }

    #[test]
    fn what_is_none_of_the_peers_doing_passes_at_every_call() {
        for error in [EINTR, EAGAIN] {
            for before in 0..STREAM.len() {
                let mut answers = vec![Answer::Moves(1); before];
                answers.push(Answer::Fails(error));
                assert_eq!(sent(&answers), (STREAM.to_vec(), None), "{before} {error}");
            }
        }
    }

    #[test]
    fn what_the_connection_ends_with_is_told_and_no_byte_follows() {
        for error in [ECONNRESET, EPIPE, ETIMEDOUT, ENOBUFS] {
            for before in 0..STREAM.len() {
                let mut answers = vec![Answer::Moves(1); before];
                answers.push(Answer::Fails(error));
                let sent = sent(&answers);
                assert_eq!(sent, (STREAM[..before].to_vec(), Some(error)));
            }
        }
    }

    #[test]
    fn where_little_is_to_wait_in_the_kernel_little_is_given_to_it_at_once() {
        const PAYLOAD: &[u8] = &[7; 4_000];
        let frame = || Frame {
            header: HeaderFormat::default().encode(4_000).unwrap(),
            len: PAYLOAD.len(),
            ..Frame::note(Vec::new().into(), Pieces(vec![PAYLOAD]))
        };
        for (limited, frames) in [(false, 10), (true, 5)] {
            let mut fanout = Fanout::new(Audience::Clients);
            fanout.begin(Flow::default());
            let (client, _) = fanout.join(0, Instant::now());
            for _ in 0..10 {
                let frame = Frame {
                    is_note: false,
                    keyframe: true,
                    ..frame()
                };
                fanout.push(frame, Instant::now());
            }
            let script = Script::default();
            let answers = [Answer::Moves(usize::MAX), Answer::Fails(EAGAIN)];
            script.sends.lock().unwrap().extend(answers);
            let connection = Connection::scripted(script);
            connection.limit_unsent(limited);
            write_waiting(&mut fanout, client, &connection, &Totals::default()).unwrap();
            let sent = connection.script().sent.lock().unwrap().len();
            assert_eq!(sent, frames * 4_008, "{limited}");
        }
    }

    #[test]
    fn a_write_of_nothing_is_an_error() {
        let script = Script::default();
        script.sends.lock().unwrap().push_back(Answer::Moves(0));
        let connection = Connection::scripted(script);
        let (mut fanout, client) = stream();
        let result = write_waiting(&mut fanout, client, &connection, &Totals::default());
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::WriteZero);
    }

    /// What TLS has taken and the kernel has not is sent when there is room, although no frame waits any more.
    #[cfg(feature = "tls")]
    #[test]
    fn what_is_encrypted_already_is_not_left_behind() {
        let (near, far) = crate::net::encrypted_pair();
        let (mut fanout, client) = (Fanout::new(Audience::Clients), 0);
        fanout.begin(Flow::default());
        assert_eq!(fanout.join(0, Instant::now()).0, client);
        let totals = Totals::default();
        let mut sent = 0;
        // Each is less than TLS takes at once, and soon more than there is room for.
        while fanout.is_writable(client) {
            const PAYLOAD: &[u8] = &[7; 50_000];
            let frame = Frame {
                lead: None,
                header: HeaderFormat::default()
                    .encode(PAYLOAD.len() as u64)
                    .unwrap(),
                payload: Pieces(vec![PAYLOAD]),
                len: PAYLOAD.len(),
                keyframe: true,
                repeats_header: false,
                is_note: false,
                piece: Piece::Whole,
                time: None,
            };
            sent += frame.wire_len(false);
            fanout.push(frame, Instant::now());
            write_waiting(&mut fanout, client, &near, &totals).unwrap();
        }
        assert!(fanout.is_idle(client), "TLS has all of it");
        assert!(near.unacknowledged() > 0);
        let mut received = 0;
        let deadline = Instant::now() + std::time::Duration::from_secs(5);
        while received < sent {
            assert!(Instant::now() < deadline, "{received} of {sent} came");
            match far.receive(&mut [io::IoSliceMut::new(&mut [0; 10_000])]) {
                Ok(bytes) => received += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // As the poll tells.
                    fanout.set_writable(client, true);
                    write_waiting(&mut fanout, client, &near, &totals).unwrap();
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(fanout.is_writable(client));
        near.end_sending().unwrap();
        loop {
            match far.receive(&mut [io::IoSliceMut::new(&mut [0; 10])]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                end => break assert_eq!(end.unwrap(), 0),
            }
        }
    }
}
