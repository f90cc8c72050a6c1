// SPDX-License-Identifier: MPL-2.0
//! What goes over the connections, in either direction.

use crate::wire::record::{Buffer, FramePrefix};

/// What is sent, in the pieces of which each frame is.
pub const FRAMES: [&[&[u8]]; 5] = [
    &[b"hello"],
    &[],
    &[b"over", b"", b" there."],
    &[&[b'x'; 90]],
    &[b"the last"],
];

pub const HELLO: &[u8] = b"H0000014videosocket 1\n";
pub const CAPS: &[u8] = b"C0000010image/jpeg";
const END: &[u8] = b"E0000000";

/// Frames as a plain peer sees them.
pub fn wire(frames: &[&[&[u8]]]) -> Vec<u8> {
    let frame = |frame: &&[&[u8]]| {
        let payload = frame.concat();
        [format!("{:08}", payload.len()).as_bytes(), &payload].concat()
    };
    frames.iter().flat_map(frame).collect()
}

/// The same, as one that understands records sees them.
pub fn described(frames: &[&[&[u8]]]) -> Vec<u8> {
    let frame = |frame: &&[&[u8]]| {
        let payload = frame.concat();
        [&*prefix(payload.len()), &payload].concat()
    };
    let frames: Vec<u8> = frames.iter().flat_map(frame).collect();
    [HELLO, CAPS, &frames, END].concat()
}

pub fn prefix(len: usize) -> FramePrefix {
    Buffer::default().prefix(len as u64).unwrap()
}
