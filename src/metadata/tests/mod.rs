// SPDX-License-Identifier: MPL-2.0
//! What is described comes back, and what is hostile is refused, without a complaint of GStreamer.

#[path = "../../../tests/support/complaints.rs"]
mod complaints;
mod frame;
mod hostile;
mod metas;
mod page;
mod requests;
mod stream;

use gst::glib;

use crate::wire::{
    StructureText,
    record::{Record, RecordHead, RecordKind},
};

/// Fails a test on whose thread GLib or GStreamer has complained.
#[must_use]
struct Quiet;

fn init() -> Quiet {
    gst::init().unwrap();
    complaints::count();
    complaints::take();
    Quiet
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(complaints::take(), 0, "complaints");
        }
    }
}

#[test]
#[should_panic = "complaints"]
fn a_complaint_fails_a_test() {
    let _quiet = init();
    // What is worse may end the process at once.
    glib::g_warning!("videosocket-test", "as a test wants it");
}

/// The records in these bytes.
fn records(mut bytes: &[u8]) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk() {
        let head = RecordHead::decode(head).unwrap();
        let (payload, rest) = rest.split_at(head.len);
        let kind = RecordKind::from_letter(head.letter).unwrap();
        records.push(Record::parse(kind, payload).unwrap());
        bytes = rest;
    }
    records
}

/// The one record that is written behind what is there.
fn record(describe: impl FnOnce(&mut Vec<u8>) -> bool) -> Option<Vec<u8>> {
    let mut bytes = b"before".to_vec();
    let is_written = describe(&mut bytes);
    let bytes = bytes.strip_prefix(b"before").unwrap();
    assert_eq!(records(bytes).len(), usize::from(is_written));
    is_written.then(|| bytes.to_vec())
}

fn text(text: &str) -> StructureText<'_> {
    StructureText::new(text.as_bytes(), 1 << 20).unwrap()
}

fn buffer(size: usize) -> gst::Buffer {
    gst::init().unwrap();
    gst::Buffer::from_mut_slice(vec![0; size])
}
