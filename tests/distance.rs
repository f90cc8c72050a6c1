// SPDX-License-Identifier: MPL-2.0
//! What holds within a host also holds over a distance, where every answer takes its time.

#![cfg(target_os = "linux")]

#[allow(
    dead_code,
    unused_imports,
    reason = "the helpers serve the other tests too"
)]
mod support;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use support::*;

const DELAY: Duration = Duration::from_millis(10);

/// Of all sizes, one of which takes many round trips.
fn mixed_frames() -> Vec<Vec<u8>> {
    let sizes = [0, 1, 1_440, 65_536, 3_000_000, 7, 200_000, 0, 8];
    (0..).zip(sizes).map(|(n, len)| payload(n, len)).collect()
}

/// Frames go from this place to the other while others come back, over a connection of their own.
#[track_caller]
fn both_ways(link: &Link, near: &str, far: &str) {
    let ways = [(&link.near, &link.far, far), (&link.far, &link.near, near)];
    let frames = mixed_frames();
    let pipelines = ways.map(|(here, there, host)| {
        let source = there.run(|| Receiver::playing(&format!("mode=listen host={host} port=0")));
        let settings = format!("host={host} port={}", source.port());
        let sink = here.run(|| Sender::playing(&settings));
        (sink, source)
    });
    let pushing = pipelines.each_ref().map(|(sink, _)| {
        let frames = frames.clone();
        sink.in_background(move |feed| {
            feed.push_all(&frames);
            feed.end();
        })
    });
    for (sink, source) in &pipelines {
        assert_frames(&source.rest(), &frames);
        source.expect_eos();
        sink.expect_eos();
    }
    for pushing in pushing {
        pushing.join().expect("the frames and the end were taken");
    }
}

#[test]
fn frames_arrive_as_they_were_sent() {
    over_link(DELAY, |link| {
        for (&near, &far) in link.near.addresses().iter().zip(link.far.addresses()) {
            both_ways(&link, &near.to_string(), &far.to_string());
        }
    });
}

#[test]
fn a_link_local_address_is_reached_over_its_interface() {
    over_link(Duration::ZERO, |link| {
        if let (Some(near), Some(far)) = (link.near.link_local(), link.far.link_local()) {
            both_ways(&link, &near, &far);
        }
    });
}

#[test]
fn a_link_that_fails_for_a_moment_costs_no_byte() {
    over_link(DELAY, |link| {
        let (sink, peer) = sink_and_peer(&link, "");
        let frames = payloads(8, 500_000);
        let to_send = frames.clone();
        let pushing = sink.in_background(move |feed| {
            feed.push_all(&to_send);
            feed.end();
        });
        let first = peer.receive_frame();
        link.cut();
        eventually("packets are lost", || link.lost() > 0);
        link.mend();
        let received = [vec![first], peer.receive_until_end()].concat();
        assert_frames(&received, &frames);
        pushing.join().expect("the frames and the end were taken");
    });
}

/// The sink waits for two round trips whether the peer asks for records.
#[test]
fn a_peer_that_has_accepted_gets_the_next_frame_of_a_camera() {
    // The sink has the connection that long before the peer.
    const DELAY: Duration = Duration::from_millis(100);
    over_link(DELAY, |link| {
        let host = link.far.address();
        let listener = link.far.run(|| Listener::on(host));
        let settings = format!("host={host} port={}", listener.port());
        let sink = link.near.run(|| Sender::live(&settings));
        let peer = listener.accept();
        sink.push(b"first");
        assert_eq!(peer.receive_frame(), b"first");
    });
}

/// A connecting sink here, and whom it talks to there.
fn sink_and_peer(link: &Link, settings: &str) -> (Sender, Peer) {
    let host = link.far.address();
    let listener = link.far.run(|| Listener::on(host));
    let settings = format!("host={host} port={} {settings}", listener.port());
    let sink = link.near.run(|| Sender::playing(&settings));
    (sink, listener.accept())
}

/// Groups of pictures as a camera's encoder makes them.
mod group {
    use super::*;

    pub const LEN: usize = 60;
    const KEYFRAME: usize = 60_000;
    const DELTA: usize = 8_000;

    pub fn payloads(count: usize) -> Vec<Vec<u8>> {
        let len = |n| if n % LEN == 0 { KEYFRAME } else { DELTA };
        (0..count).map(|n| payload(n as u64, len(n))).collect()
    }

    pub fn time(n: usize) -> Duration {
        Duration::from_millis(33) * n as u32
    }

    #[track_caller]
    pub fn push_from(sink: &Sender, first: usize, payloads: &[Vec<u8>]) {
        for (n, payload) in payloads.iter().enumerate().skip(first) {
            push(sink, n, payload);
        }
    }

    #[track_caller]
    pub fn push(sink: &Sender, n: usize, payload: &[u8]) {
        let mut frame = match n % LEN {
            0 => buffer(payload),
            _ => delta(payload),
        };
        let pts = gst::ClockTime::try_from(time(n)).expect("a short stream");
        frame.get_mut().expect("the only owner").set_pts(pts);
        sink.push_buffer(frame).expect("the sink takes the frame");
    }
}

/// A sink here with some of a stream behind it, and a viewer there who has just joined.
fn joined_late(link: &Link, settings: &str, seen: &[Vec<u8>]) -> (Sender, Peer) {
    let host = link.near.address();
    let settings = format!(
        "mode=listen host={host} port=0 wait-for-connection=false sync-method=latest-keyframe {settings}"
    );
    let sink = link.near.run(|| Sender::live(&settings));
    group::push_from(&sink, 0, seen);
    let port = sink.port();
    let viewer = link.far.run(|| Peer::connect_to((host, port)));
    await_number(&sink.sink, "num-clients", 1);
    (sink, viewer)
}

/// Where the stream is when the viewer joins: by more than `max-size-time` past the keyframe.
const JOIN: usize = 45;

/// How far it goes on within that time.
const WITHIN_LIMIT: usize = 57;

/// The stream goes on while the viewer gets nothing, of which the kernel holds a fraction.
#[track_caller]
fn joins_in_mid_group(link: &Link, overflow: &str) {
    let frames = group::payloads(WITHIN_LIMIT);
    let (sink, viewer) = joined_late(link, &format!("overflow={overflow}"), &frames[..JOIN]);
    link.cut();
    group::push_from(&sink, JOIN, &frames);
    link.mend();
    let ending = sink.in_background(|feed| feed.end());
    assert_frames(&viewer.receive_until_end(), &frames);
    ending.join().expect("the end was taken");
}

#[test]
fn overflow_block_holds_no_stream_up_for_a_viewer_who_joins_in_mid_group() {
    over_link(DELAY, |link| joins_in_mid_group(&link, "block"));
}

#[test]
fn overflow_drop_thins_no_group_that_a_viewer_joins() {
    over_link(DELAY, |link| joins_in_mid_group(&link, "drop"));
}

#[test]
fn overflow_disconnect_removes_no_viewer_who_joins_in_mid_group() {
    over_link(DELAY, |link| joins_in_mid_group(&link, "disconnect"));
}

#[test]
fn a_viewer_of_a_camera_gets_every_frame_from_the_last_keyframe_on() {
    over_link(DELAY, |link| {
        let frames = group::payloads(75);
        // A busy machine can be late, though not as late as the group is old.
        let (sink, viewer) = joined_late(&link, "max-size-time=1000000000", &frames[..JOIN]);
        let viewing = Background::run(move || viewer.receive_until_end());
        let begin = Instant::now();
        for (n, payload) in frames.iter().enumerate().skip(JOIN) {
            let due = begin + group::time(n - JOIN);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            group::push(&sink, n, payload);
        }
        let ending = sink.in_background(|feed| feed.end());
        let received = viewing.join().expect("whole frames and a clean end");
        assert_frames(&received, &frames);
        ending.join().expect("the end was taken");
    });
}

/// Further than the limit allows.
const BEYOND_LIMIT: usize = 65;

#[test]
fn a_viewer_who_is_late_with_the_group_goes_on_with_the_next() {
    over_link(DELAY, |link| {
        let frames = group::payloads(BEYOND_LIMIT);
        let (sink, viewer) = joined_late(&link, "overflow=drop", &frames[..JOIN]);
        group::push_from(&sink, JOIN, &frames);
        let ending = sink.in_background(|feed| feed.end());
        let received = viewer.receive_until_end();
        let with_the_kernel = received.len() - (BEYOND_LIMIT - group::LEN);
        assert!(with_the_kernel < JOIN, "{with_the_kernel} of the group");
        let wanted = [&frames[..with_the_kernel], &frames[group::LEN..]].concat();
        assert_frames(&received, &wanted);
        ending.join().expect("the end was taken");
    });
}

#[test]
fn a_viewer_who_is_late_with_the_group_is_removed_where_that_is_said() {
    over_link(DELAY, |link| {
        let frames = group::payloads(BEYOND_LIMIT);
        let (sink, _viewer) = joined_late(&link, "overflow=disconnect", &frames[..JOIN]);
        group::push_from(&sink, JOIN, &frames);
        await_number(&sink.sink, "num-clients", 0);
    });
}

#[test]
fn a_turn_takes_one_round_trip() {
    const TURNS: u64 = 11;
    // Long beside what a busy machine takes.
    const DELAY: Duration = Duration::from_millis(25);
    const ROUND_TRIP: Duration = Duration::from_millis(50);
    over_link(DELAY, |link| {
        let host = link.far.address();
        let listener = link.far.run(|| Listener::on(host));
        let settings = format!("connection-id=turns host={host} port={}", listener.port());
        let (sink, source) = link.near.run(|| {
            let source = Receiver::playing(&settings);
            (
                Sender::playing(&format!("{settings} lockstep=true")),
                source,
            )
        });
        let peer = listener.accept();
        let frames = payloads(TURNS + 1, 10_000);
        let (first, answers) = frames.split_first().expect("a frame");
        sink.push(first);
        assert_eq!(&peer.receive_frame(), first);
        let mut took: Vec<_> = answers
            .iter()
            .map(|answer| {
                sink.push(answer);
                let begin = Instant::now();
                peer.send_frame(b"your turn");
                assert_eq!(&peer.receive_frame(), answer);
                assert_eq!(source.frame(), b"your turn");
                begin.elapsed()
            })
            .collect();
        took.sort();
        assert!(took[0] >= ROUND_TRIP, "faster than the link: {took:?}");
        // Not all, as the machine may be busy.
        let most = took[took.len() / 4];
        assert!(most < ROUND_TRIP * 3 / 2, "of all turns {took:?}");
    });
}

#[test]
fn the_end_comes_after_every_byte() {
    over_link(DELAY, |link| {
        let (sink, peer) = sink_and_peer(&link, "");
        ends_clean(&sink, &peer);
    });
}

#[test]
fn the_end_comes_after_every_byte_also_to_a_peer_that_sends() {
    over_link(DELAY, |link| {
        let (sink, peer) = sink_and_peer(&link, "");
        let peer = Arc::new(peer);
        let talker = Arc::clone(&peer);
        let talking = Background::run(move || talker.send_until_refused(&[b'x'; 1_000]));
        ends_clean(&sink, &peer);
        talking.join().expect("the connection is over");
    });
}

/// The peer ends its side when it has seen the other's end, and no sooner.
#[track_caller]
fn ends_clean(sink: &Sender, peer: &Peer) {
    let frames = mixed_frames();
    let to_send = frames.clone();
    let pushing = sink.in_background(move |feed| {
        feed.push_all(&to_send);
        feed.end();
    });
    assert_frames(&peer.receive_until_end(), &frames);
    peer.end_sending();
    pushing.join().expect("the frames and the end were taken");
    sink.expect_eos();
}

/// More than the kernel takes.
const BIG: usize = 16_000_000;

const AT_ONCE: Duration = Duration::from_millis(300);

/// What waits for the network does so every time, and a busy machine now and then.
#[track_caller]
fn is_at_once(mut stop: impl FnMut() -> Duration) {
    const TRIES: usize = 4;
    let mut took = Vec::new();
    while took.last().is_none_or(|&took| took > AT_ONCE) {
        assert!(took.len() < TRIES, "{took:?}");
        took.push(stop());
    }
}

/// Data is under way from here, and as much waits as there is room for.
fn sink_on_a_cut_link(link: &Link, settings: &str) -> (Sender, Peer, Background<()>) {
    let (sink, peer) = sink_and_peer(link, settings);
    let pushing = sink.in_background(|feed| while feed.try_push(buffer(&vec![0; BIG])).is_ok() {});
    peer.receive(1_000_000);
    link.cut();
    eventually("packets are lost", || link.lost() > 0);
    (sink, peer, pushing)
}

#[test]
fn a_cut_link_holds_up_no_stop_of_a_sink() {
    over_link(DELAY, |link| {
        is_at_once(|| {
            link.mend();
            let (sink, _peer, pushing) = sink_on_a_cut_link(&link, "");
            let begin = Instant::now();
            sink.stop();
            pushing.join().expect("the push ends");
            begin.elapsed()
        });
    });
}

#[test]
fn a_cut_link_holds_up_no_stop_of_a_source() {
    over_link(DELAY, |link| {
        is_at_once(|| {
            link.mend();
            let (source, _peer) = source_on_a_cut_link(&link, "");
            let begin = Instant::now();
            source.stop();
            begin.elapsed()
        });
    });
}

/// Of a frame on its way to this source the rest is lost.
fn source_on_a_cut_link(link: &Link, settings: &str) -> (Receiver, Peer) {
    let host = link.far.address();
    let listener = link.far.run(|| Listener::on(host));
    let settings = format!("host={host} port={} {settings}", listener.port());
    let source = link.near.run(|| Receiver::playing(&settings));
    let peer = listener.accept();
    peer.send_frame(b"whole");
    assert_eq!(source.frame(), b"whole");
    peer.send(b"00000008half");
    link.cut();
    peer.send(b"rest");
    eventually("packets are lost", || link.lost() > 0);
    (source, peer)
}

const TIMEOUT: Duration = Duration::from_secs(1);

/// Far less than it takes to find out without one.
const SOON: Duration = Duration::from_secs(3);

#[test]
fn a_source_gives_up_a_cut_link_after_the_timeout() {
    over_link(DELAY, |link| {
        let (source, _peer) = source_on_a_cut_link(&link, &timeout());
        let begin = Instant::now();
        source.expect_error().from(&source.source);
        let took = begin.elapsed();
        assert!(took < SOON, "{took:?}");
    });
}

#[test]
fn a_sink_gives_up_a_cut_link_after_the_timeout() {
    over_link(DELAY, |link| {
        let (sink, _peer, pushing) = sink_on_a_cut_link(&link, &timeout());
        let begin = Instant::now();
        sink.expect_error().from(&sink.sink);
        let took = begin.elapsed();
        assert!(took < SOON, "{took:?}");
        pushing.join().expect("the push ends");
    });
}

fn timeout() -> String {
    format!("timeout={}", TIMEOUT.as_nanos())
}
