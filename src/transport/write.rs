//! From what waits for a client to one system call.

use std::io::{self, IoSlice};

use smallvec::SmallVec;

use crate::{
    fanout::{BATCH_CHUNKS, Frame, Payload},
    net::Connection,
};

/// More than a kernel takes at once, so that no more needs to be prepared for one call.
const BATCH_BYTES: usize = 8 << 20;

/// What one call came to.
pub(super) struct Written {
    /// Bytes that the kernel has taken.
    pub bytes: usize,
    /// It took less than it was given: it has no room for more.
    pub is_short: bool,
}

/// Writes as much of these frames as fits one call, but for the bytes of the first that were written before.
/// `WouldBlock` when the kernel takes nothing.
pub(super) fn write<'a, P: Payload>(
    connection: &Connection,
    frames: impl Iterator<Item = &'a Frame<P>> + Clone,
    before: usize,
) -> io::Result<Written> {
    let mut chunks = SmallVec::<[P::Chunk<'_>; BATCH_CHUNKS + 16]>::new();
    let mut chunk_counts = SmallVec::<[usize; BATCH_CHUNKS]>::new();
    let mut bytes = 0;
    for frame in frames.clone() {
        if chunk_counts.len() == BATCH_CHUNKS
            || chunks.len() >= BATCH_CHUNKS
            || bytes >= BATCH_BYTES
        {
            break;
        }
        let others = chunks.len();
        for chunk in frame.payload.chunks() {
            chunks.push(chunk?);
        }
        chunk_counts.push(chunks.len() - others);
        bytes += frame.wire_len();
    }
    let mut slices = SmallVec::<[IoSlice<'_>; 2 * BATCH_CHUNKS + 16]>::new();
    let mut rest = &chunks[..];
    for (frame, &count) in frames.zip(&chunk_counts) {
        let (own, others) = rest.split_at(count);
        slices.push(IoSlice::new(&frame.header));
        slices.extend(own.iter().map(|chunk| IoSlice::new(chunk.as_ref())));
        rest = others;
    }
    let mut slices = &mut slices[..];
    IoSlice::advance_slices(&mut slices, before);
    let sent = connection.send(slices)?;
    Ok(Written {
        bytes: sent,
        is_short: sent < bytes - before,
    })
}
