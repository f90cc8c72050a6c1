// SPDX-License-Identifier: MPL-2.0
//! Names that peers bring are counted over a whole process, which therefore is this test's own.

#[allow(
    dead_code,
    unused_imports,
    reason = "the helpers serve the other tests too"
)]
mod support;

use gst_video::VideoRegionOfInterestMeta;
use gstvideosocket::wire::{
    StructureText,
    record::{Buffer, Meta, Record},
};
use support::*;

const HELLO: &[u8] = b"H0000014videosocket 1\n";

/// What peers may bring together, as docs/PROTOCOL.md has it.
const MAX_NEW_NAMES: u16 = 1_024;

/// A frame with a region of a type that nobody knows.
fn region(sequence: u16) -> Vec<u8> {
    let name = format!("person-{sequence}");
    // Id, parent, x, y, width and height, and the length of the name.
    let mut data = [0_u32, 0, 1, 1, 1, 1].map(u32::to_be_bytes).concat();
    data.push(name.len() as u8);
    data.extend_from_slice(name.as_bytes());
    let mut bytes = Vec::new();
    let buffer = Buffer {
        sequence,
        ..Buffer::default()
    };
    Record::Buffer(buffer).encode(&mut bytes).unwrap();
    let meta = Meta {
        name: "roi",
        data: &data,
    };
    Record::Meta(meta).encode(&mut bytes).unwrap();
    bytes.extend(frame(b"frame"));
    bytes
}

fn has_region(buffer: &gst::BufferRef) -> bool {
    buffer.meta::<VideoRegionOfInterestMeta>().is_some()
}

#[test]
fn when_there_are_too_many_metas_are_left_out_and_caps_are_an_error() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    peer.send(HELLO);
    let count = MAX_NEW_NAMES + 100;
    (0..count).for_each(|sequence| peer.send(&region(sequence)));
    let regions = (0..count).filter(|_| has_region(&source.buffer())).count();
    assert!(regions.abs_diff(MAX_NEW_NAMES.into()) < 10, "{regions}");
    // Without them a frame would be taken for what it is not.
    let text = StructureText::new(b"video/x-of-nobody, unheard-of=(int)1", 64).unwrap();
    let mut caps = Vec::new();
    Record::Caps(text).encode(&mut caps).unwrap();
    peer.send(&caps);
    peer.send_frame(b"frame");
    assert!(source.rest().is_empty());
    let fault = source.expect_error().is(gst::StreamError::Decode);
    fault.says(&["sent a bad record", "names already"]);
}
