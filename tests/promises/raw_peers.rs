// SPDX-License-Identifier: MPL-2.0
//! A plain TCP program on the other end, in each of the four places, with good manners and bad.

use crate::support::*;
use std::sync::mpsc;

#[track_caller]
fn sink_serves(sink: &Sender, meet: impl FnOnce() -> Peer) {
    let frames = payloads(5, 1_000);
    let sent = frames.clone();
    let pushing = sink.in_background(move |feed| {
        feed.push_all(&sent);
        feed.end();
    });
    assert_frames(&meet().receive_until_end(), &frames);
    pushing.join().expect("every frame was taken");
    sink.expect_eos();
}

#[track_caller]
fn source_serves(source: &Receiver, peer: Peer) {
    let frames = payloads(5, 1_000);
    for frame in &frames {
        peer.send_frame(frame);
    }
    drop(peer);
    assert_frames(&source.rest(), &frames);
    source.expect_eos();
}

#[test]
fn sink_connects() {
    let listener = Listener::new();
    let sink = Sender::playing(&format!("port={}", listener.port()));
    sink_serves(&sink, || listener.accept());
}

#[test]
fn sink_listens() {
    let sink = Sender::playing("mode=listen port=0");
    sink_serves(&sink, || Peer::connect(sink.port()));
}

#[test]
fn source_connects() {
    let listener = Listener::new();
    let source = Receiver::playing(&format!("port={}", listener.port()));
    source_serves(&source, listener.accept());
}

#[test]
fn source_listens() {
    let source = Receiver::playing("mode=listen port=0");
    source_serves(&source, Peer::connect(source.port()));
}

#[test]
fn header_is_eight_zero_padded_digits() {
    let listener = Listener::new();
    let sink = Sender::playing(&format!("port={}", listener.port()));
    sink.push(b"hello");
    sink.push(b"");
    assert_eq!(listener.accept().receive(21), b"00000005hello00000000");
}

#[test]
fn spaces_may_pad_the_length() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    peer.send(b"5       left.       5right   6    middle");
    assert_eq!(source.frames(3), [&b"left."[..], b"right", b"middle"]);
}

#[test]
fn one_byte_at_a_time() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    for frame in [&frame(b"hello")[..], &frame(b""), &frame(b"world")] {
        frame.iter().for_each(|&byte| peer.send(&[byte]));
    }
    drop(peer);
    assert_eq!(source.rest(), [&b"hello"[..], b"", b"world"]);
    source.expect_eos();
}

#[test]
fn two_hundred_frames_in_one_write() {
    let frames: Vec<_> = (0..200).map(|n| payload(n, n as usize)).collect();
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    peer.send(
        &frames
            .iter()
            .flat_map(|payload| frame(payload))
            .collect::<Vec<_>>(),
    );
    drop(peer);
    assert_frames(&source.rest(), &frames);
    source.expect_eos();
}

#[test]
fn a_stream_may_end_between_frames_and_nowhere_else() {
    let frames = [&b"abc"[..], b"", b"hello"];
    // For each place in the stream: the frames that are whole before it, and how much there is of what follows.
    let mut cuts = Vec::new();
    for (whole, payload) in frames.iter().enumerate() {
        cuts.push((whole, None));
        cuts.extend((1..8).map(|part| (whole, Some((part, 8)))));
        cuts.extend((0..payload.len()).map(|part| (whole, Some((part, payload.len())))));
    }
    cuts.push((frames.len(), None));
    let stream = frames.map(frame).concat();
    assert_eq!(cuts.len(), stream.len() + 1);

    for (cut, (whole, torn)) in cuts.into_iter().enumerate() {
        let source = Receiver::playing("mode=listen port=0");
        let peer = Peer::connect(source.port());
        peer.send(&stream[..cut]);
        drop(peer);
        assert_eq!(
            source.rest(),
            frames[..whole],
            "the stream cut at byte {cut}"
        );
        match torn {
            None => source.expect_eos(),
            Some((part, of)) => {
                source
                    .expect_error()
                    .is(gst::ResourceError::Read)
                    .counts(part, of);
            }
        }
    }
}

#[test]
fn a_reset_takes_no_whole_frame_with_it() {
    let frames = payloads(20, 1_000);
    let source = Receiver::new("mode=listen port=0");
    // Most frames still wait in the kernel when the reset comes.
    source.output.set_max_buffers(1);
    source.play();
    let peer = Peer::connect(source.port());
    for frame in &frames {
        peer.send_frame(frame);
    }
    peer.reset();
    assert_frames(&source.rest(), &frames);
    source
        .expect_error()
        .from(&source.source)
        .is(gst::ResourceError::Read);
}

#[test]
fn a_client_that_has_nothing_to_say_stays() {
    let sink = Sender::playing("mode=listen port=0");
    let peer = Peer::connect(sink.port());
    peer.end_sending();
    for frame in payloads(20, 1_000) {
        sink.push(&frame);
        assert_eq!(peer.receive_frame(), frame);
    }
    assert_eq!(number(&sink.sink, "num-clients"), 1);
}

#[test]
fn a_peer_that_vanishes_is_an_error_and_no_more() {
    let listener = Listener::new();
    let sink = Sender::playing(&format!("port={}", listener.port()));
    let pushing =
        sink.in_background(|feed| while feed.try_push(buffer(&[0; 1_000_000])).is_ok() {});
    let peer = listener.accept();
    peer.receive(1_500_000);
    peer.reset();
    sink.expect_error()
        .from(&sink.sink)
        .is(gst::ResourceError::Write);
    pushing.join().expect("the sink refuses further frames");
}

/// Frames go one way while the peer sends too and reads late: a careless close would reset away what is under way.
#[track_caller]
fn end_after(mode: &str, count: u64, before_reading: impl FnOnce(&Sender, &Peer)) {
    let listener = Listener::new();
    let sink = match mode {
        "connect" => Sender::playing(&format!("port={}", listener.port())),
        _ => Sender::playing("mode=listen port=0"),
    };
    let frames = payloads(count, 10_000);
    let stream = frames.clone();
    // Of a peer that has said nothing before the end nobody knows that it will.
    let (talks, has_talked) = mpsc::channel();
    let pushing = sink.in_background(move |feed| {
        has_talked.recv().expect("a peer that talks");
        feed.push_all(&stream);
        feed.end();
    });
    let peer = if mode == "connect" {
        listener.accept()
    } else {
        Peer::connect(sink.port())
    };
    for frame in payloads(50, 1_000) {
        peer.send_frame(&frame);
    }
    talks.send(()).expect("a stream that waits");
    before_reading(&sink, &peer);
    assert_frames(&peer.receive_until_end(), &frames);
    pushing.join().expect("every frame was taken");
}

#[test]
fn the_end_comes_after_the_last_of_a_megabyte() {
    for mode in ["connect", "listen"] {
        end_after(mode, 100, |_, _| ());
    }
}

#[test]
fn the_last_byte_arrives_after_the_sink_is_gone() {
    for mode in ["connect", "listen"] {
        end_after(mode, 5, |sink, _| {
            sink.expect_eos();
            sink.stop();
        });
    }
}

#[test]
fn the_last_byte_waits_for_a_peer_that_goes_on_sending() {
    end_after("connect", 60, |_, peer| {
        // Time is the matter here: a camera that looks at nothing but its own pictures for three seconds.
        for frame in payloads(60, 1_000) {
            peer.send_frame(&frame);
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    });
}

#[test]
fn urgent_data_in_the_middle_of_a_frame_holds_up_nothing() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    peer.send_frame(b"before");
    assert_eq!(source.frame(), b"before");
    source.pause();
    peer.send(b"00000005he");
    peer.send_urgent(b"!");
    peer.send(b"llo");
    source.play();
    assert_eq!(source.frame(), b"hello");
}

#[test]
fn a_source_that_stops_ends_cleanly_for_a_sender_whose_frames_are_unread() {
    for _ in 0..20 {
        let source = Receiver::new("mode=listen port=0");
        source.output.set_max_buffers(1);
        source.play();
        let peer = Peer::connect(source.port());
        for frame in payloads(10, 50_000) {
            peer.send_frame(&frame);
        }
        eventually("two frames are received", || {
            stat(&source.source, "frames-received") == 2
        });
        source.stop();
        peer.expect_end();
    }
}
