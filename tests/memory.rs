//! Memory is taken as the bytes come, not as the header promises them.
//!
//! A single test with a process of its own: it measures this process's memory.

#[allow(
    dead_code,
    unused_imports,
    reason = "the helpers serve the other tests too"
)]
mod support;

use support::*;

#[test]
fn a_promise_takes_no_memory() {
    const PROMISE: u32 = 4_000_000_000;
    let source =
        Receiver::playing("mode=listen port=0 length-format=u32be max-frame-size=5000000000");
    let peer = Peer::connect(source.port());
    peer.send(b"\0\0\0\x05whole");
    assert_eq!(source.frame(), b"whole");

    let before = peak_memory();
    peer.send(&PROMISE.to_be_bytes());
    peer.send(&[0; 1_000]);
    drop(peer);
    assert!(source.rest().is_empty());
    source
        .expect_error()
        .is(gst::ResourceError::Read)
        .counts(1_000, PROMISE as usize);
    let taken = peak_memory().saturating_sub(before);
    assert!(taken < u64::from(PROMISE) / 4, "{taken} bytes");
}
