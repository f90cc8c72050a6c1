// SPDX-License-Identifier: MPL-2.0
//! Peers that take nothing.

use super::*;

const TIMEOUT: Duration = Duration::from_secs(4);

fn with_timeout() -> (Stream, usize) {
    let mut stream = Stream::for_clients(Flow {
        timeout: Some(TIMEOUT),
        ..Flow::default()
    });
    let client = stream.join();
    (stream, client)
}

/// Looks every quarter of the time limit, and says after how long the client is to go.
fn stalls_after(
    stream: &mut Stream,
    client: usize,
    mut unacknowledged: impl FnMut(u32) -> usize,
) -> Option<Duration> {
    let step = TIMEOUT / 4;
    (0..40).find_map(|i| {
        stream.fanout.inspect(client, unacknowledged(i), stream.now);
        let verdict = stream.fanout.poll_verdict();
        assert!(verdict.is_none_or(|verdict| verdict == (client, Verdict::Stalled(TIMEOUT))));
        stream.pass(step);
        verdict.map(|_| i * step)
    })
}

#[test]
fn who_takes_nothing_for_too_long_is_to_go() {
    // Frames wait here.
    let (mut stream, client) = with_timeout();
    stream.fanout.set_writable(client, false);
    stream.push("A");
    assert_eq!(stalls_after(&mut stream, client, |_| 0), Some(TIMEOUT));
    // They wait with the kernel, which the peer acknowledges its questions but takes no byte from.
    let (mut stream, client) = with_timeout();
    stream.push("A");
    stream.fanout.sent(client, WIRE_LEN, false, stream.now);
    assert_eq!(
        stalls_after(&mut stream, client, |_| WIRE_LEN),
        Some(TIMEOUT)
    );
    // It goes on for a while.
    let (mut stream, client) = with_timeout();
    stream.push("A");
    stream.fanout.sent(client, WIRE_LEN, false, stream.now);
    let left = |i| WIRE_LEN - (i as usize).min(5);
    assert_eq!(
        stalls_after(&mut stream, client, left),
        Some(TIMEOUT * 5 / 4 + TIMEOUT)
    );
}

#[test]
fn who_has_all_or_takes_a_little_may_stay() {
    let (mut stream, client) = with_timeout();
    assert_eq!(stalls_after(&mut stream, client, |_| 0), None);
    stream.push("A");
    stream.fanout.sent(client, WIRE_LEN, false, stream.now);
    assert_eq!(
        stalls_after(&mut stream, client, |i| WIRE_LEN.saturating_sub(i as usize)),
        None
    );
    // The kernel has no room, and the peer takes one byte after the other.
    let (mut stream, client) = with_timeout();
    stream.push("ABCDEFGH");
    stream.take(client, 6 * WIRE_LEN);
    let left = |i| 6 * WIRE_LEN - i as usize;
    assert_eq!(stalls_after(&mut stream, client, left), None);
}

#[test]
fn the_clock_starts_with_what_waits() {
    let (mut stream, client) = with_timeout();
    stream.fanout.inspect(client, 0, stream.now);
    stream.pass(TIMEOUT - MILLI);
    stream.push("A");
    stream.fanout.sent(client, WIRE_LEN, false, stream.now);
    stream.pass(MILLI);
    stream.fanout.inspect(client, WIRE_LEN, stream.now);
    assert_eq!(stream.fanout.poll_verdict(), None);
}

#[test]
fn a_verdict_is_not_for_the_next_client_with_that_key() {
    let (mut stream, client) = with_timeout();
    stream.push("A");
    stream.take(client, 3);
    stream.pass(TIMEOUT);
    stream.fanout.inspect(client, 3, stream.now);
    stream.fanout.leave(client, false);
    assert_eq!(stream.join(), client);
    assert_eq!(stream.fanout.poll_verdict(), None);
}
