// SPDX-License-Identifier: MPL-2.0
//! Memory is taken as the bytes come, not as the header promises them.
//!
//! One test at a time, in a process of their own: they measure its memory.

#[allow(
    dead_code,
    unused_imports,
    reason = "the helpers serve the other tests too"
)]
mod support;

use support::*;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_promise_takes_no_memory() {
    const PROMISE: u32 = 4_000_000_000;
    /// What is read ahead, and two huge pages.
    const OWN: u64 = 5_000_000;
    let _alone = alone();
    for come in [1_000, 50_000_000] {
        let source =
            Receiver::playing("mode=listen port=0 length-format=u32be max-frame-size=5000000000");
        let peer = Peer::connect(source.port());
        peer.send(b"\0\0\0\x05whole");
        assert_eq!(source.frame(), b"whole");

        let bytes = vec![0; come];
        let before = peak_memory();
        peer.send(&PROMISE.to_be_bytes());
        peer.send(&bytes);
        drop(peer);
        assert!(source.rest().is_empty());
        source
            .expect_error()
            .is(gst::ResourceError::Read)
            .counts(come, PROMISE as usize);
        let taken = peak_memory().saturating_sub(before);
        assert!(taken < come as u64 + OWN, "{taken} bytes for {come}");
    }
}

#[test]
fn what_waits_for_stalled_clients_is_not_copied() {
    /// More than the kernel takes for one of them.
    const BIG: usize = 16_000_000;
    const CLIENTS: u64 = 10;
    /// What each client takes for itself, and the references.
    const OWN: u64 = 1_000_000;
    let _alone = alone();
    let sink = Sender::playing("mode=listen port=0 overflow=drop max-size-buffers=5");
    let join = |count| {
        let client = Peer::connect(sink.port());
        await_number(&sink.sink, "num-clients", count);
        client
    };
    let _clients: Vec<_> = (1..=CLIENTS).map(join).collect();
    let content = Arc::new(vec![0; BIG]);
    let before = peak_memory();
    let in_use = memory_in_use();
    for _ in 0..10 {
        let frame = gst::Buffer::from_slice(Shared(content.clone()));
        sink.push_buffer(frame).expect("the stream goes on");
    }
    assert!(stat(&sink.sink, "bytes-queued") > CLIENTS * 5 * BIG as u64);
    let taken = memory_in_use().saturating_sub(in_use);
    let peak = peak_memory().saturating_sub(before);
    assert!(taken.max(peak) < OWN, "{taken} bytes, {peak} for a while");
}

struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
