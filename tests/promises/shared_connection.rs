// SPDX-License-Identifier: MPL-2.0
//! One connection, both ways: a sink and a source with the same `connection-id`, and the turn-taking of the original
//! chat program.

use crate::support::*;
use gst::prelude::*;
use std::time::{Duration, Instant};

/// The element's end of a connection that both elements use.
struct Pair {
    sink: Sender,
    source: Receiver,
}

impl Pair {
    fn new(settings: &str, of_sink: &str) -> Self {
        Self {
            sink: Sender::new(&format!("{settings} {of_sink}")),
            source: Receiver::new(settings),
        }
    }

    fn start(&self) {
        self.source.play();
        self.sink.start();
    }

    fn stop(&self, sink_first: bool) {
        if sink_first {
            self.sink.stop();
            self.source.stop();
        } else {
            self.source.stop();
            self.sink.stop();
        }
    }
}

/// A pair, named after the test as ids hold for the whole process, and the program that it talks to.
fn connected(id: &str, mode: &str, of_sink: &str) -> (Pair, Peer) {
    let listener = Listener::new();
    let port = if mode == "connect" {
        listener.port()
    } else {
        0
    };
    let settings = format!("connection-id={id}-{mode} mode={mode} port={port}");
    let pair = Pair::new(&settings, of_sink);
    pair.start();
    let peer = match mode {
        "connect" => listener.accept(),
        _ => Peer::connect(pair.source.port()),
    };
    (pair, peer)
}

#[track_caller]
fn talk(pair: &Pair, peer: &Peer) {
    for turn in 0..10 {
        let (there, back) = (payload(turn, 1_000), payload(turn, 2_000));
        pair.sink.push(&there);
        assert_eq!(peer.receive_frame(), there);
        peer.send_frame(&back);
        assert_eq!(pair.source.frame(), back);
    }
}

#[test]
fn both_ways_over_one_connection() {
    for mode in ["connect", "listen"] {
        let (pair, peer) = connected("both-ways", mode, "");
        talk(&pair, &peer);
    }
}

#[test]
fn whichever_starts_first_opens_it() {
    for sink_first in [true, false] {
        let listener = Listener::new();
        let settings = format!("connection-id=first-{sink_first} port={}", listener.port());
        let pair = Pair::new(&settings, "");
        if sink_first {
            pair.sink.start();
            pair.source.play();
        } else {
            pair.source.play();
            pair.sink.start();
        }
        let peer = listener.accept();
        talk(&pair, &peer);
        listener.expect_nobody();
    }
}

#[test]
fn the_second_may_join_late() {
    let listener = Listener::new();
    let pair = Pair::new(&format!("connection-id=late port={}", listener.port()), "");
    pair.source.play();
    let peer = listener.accept();
    peer.send_frame(b"before");
    assert_eq!(pair.source.frame(), b"before");
    pair.sink.start();
    talk(&pair, &peer);
    listener.expect_nobody();
}

#[test]
fn both_may_be_in_one_pipeline() {
    let listener = Listener::new();
    let settings = format!("connection-id=echo host=127.0.0.1 port={}", listener.port());
    let pipeline = Pipeline::launch(&format!(
        "videosocketsrc {settings} ! queue ! videosocketsink sync=false {settings}"
    ));
    pipeline.play();
    let peer = listener.accept();
    for frame in payloads(20, 1_000) {
        peer.send_frame(&frame);
        assert_eq!(peer.receive_frame(), frame);
    }
    peer.end_sending();
    peer.expect_end();
    pipeline.expect_eos();
}

#[test]
fn settings_that_contradict_each_other_are_named() {
    let (port, other) = (ReservedPort::new(), ReservedPort::new());
    for (source, sink, named) in [
        ("", &*format!("port={}", other.number()), "port"),
        ("host=127.0.0.1", "host=127.0.0.2", "host"),
        ("mode=listen", "mode=connect", "mode"),
        (
            "metadata=request",
            "lockstep=true",
            "lockstep=true here excludes metadata=request there",
        ),
    ] {
        let common = format!(
            "connection-id=quarrel port={} connect-timeout=0",
            port.number()
        );
        let source = Receiver::playing(&format!("{common} {source}"));
        let sink = Sender::new(&format!("{common} {sink}"));
        sink.try_play();
        sink.expect_error().from(&sink.sink).shows(&[named]);
        assert!(source.unread_errors(&source.source).is_empty());
    }
}

#[test]
fn of_two_sockets_neither_is_taken_for_the_other() {
    let sockets = [(); 2].map(|()| wrapped_socket());
    for (id, [of_sink, of_source]) in [
        ("two sockets", [Some(&sockets[0].0), Some(&sockets[1].0)]),
        ("a late socket", [Some(&sockets[1].0), None]),
    ] {
        let pair = Pair::new(&format!("connection-id=\"{id}\""), "");
        pair.sink.sink.set_property("socket", of_sink);
        pair.source.source.set_property("socket", of_source);
        pair.source.play();
        let refusal = pair.sink.expect_refusal().from(&pair.sink.sink);
        refusal
            .is(gst::ResourceError::Settings)
            .says(&["socket is not the one"]);
    }
    for of_both in [true, false] {
        let pair = Pair::new(&format!("connection-id=socket-{of_both}"), "");
        let (socket, _, peer) = wrapped_socket();
        pair.source.source.set_property("socket", &socket);
        if of_both {
            pair.sink.sink.set_property("socket", &socket);
        }
        pair.start();
        talk(&pair, &peer);
    }
}

#[test]
fn a_second_element_for_the_same_direction_is_refused() {
    let (pair, peer) = connected("taken", "listen", "");
    let settings = "connection-id=taken-listen mode=listen port=0";
    let second = Pair::new(settings, "");
    let taken = |fault: Fault, first: &gst::Element| {
        let fault = fault.is(gst::ResourceError::Settings);
        fault.says(&["connection-id \"taken-listen\"", &first.name()])
    };
    taken(second.sink.expect_refusal(), &pair.sink.sink).from(&second.sink.sink);
    taken(second.source.expect_refusal(), &pair.source.source).from(&second.source.source);
    talk(&pair, &peer);
    pair.sink.stop();
    second.sink.try_play();
    assert!(second.sink.unread_errors(&second.sink.sink).is_empty());
}

#[test]
fn the_sink_ends_only_its_own_direction() {
    for mode in ["connect", "listen"] {
        let (pair, peer) = connected("sink-ends", mode, "");
        pair.sink.push(b"last");
        pair.sink.end();
        pair.sink.expect_eos();
        pair.sink.stop();
        assert_eq!(peer.receive_until_end(), [b"last"]);
        for frame in payloads(10, 1_000) {
            peer.send_frame(&frame);
            assert_eq!(pair.source.frame(), frame);
        }
        drop(peer);
        assert!(pair.source.rest().is_empty());
        pair.source.expect_eos();
    }
}

#[test]
fn the_source_ends_only_its_own_direction() {
    for mode in ["connect", "listen"] {
        let (pair, peer) = connected("source-ends", mode, "");
        peer.send_frame(b"last");
        assert_eq!(pair.source.frame(), b"last");
        pair.source.stop();
        for frame in payloads(10, 1_000) {
            pair.sink.push(&frame);
            assert_eq!(peer.receive_frame(), frame);
        }
        pair.sink.stop();
        peer.expect_end();
    }
}

#[test]
fn the_peer_that_stops_sending_still_receives() {
    for mode in ["connect", "listen"] {
        let (pair, peer) = connected("peer-ends", mode, "");
        peer.send_frame(b"last");
        peer.end_sending();
        assert_eq!(pair.source.rest(), [b"last"]);
        pair.source.expect_eos();
        for frame in payloads(10, 1_000) {
            pair.sink.push(&frame);
            assert_eq!(peer.receive_frame(), frame);
        }
    }
}

const TURNS: u64 = 2_000;

#[test]
fn lockstep_with_the_original_server() {
    let (pair, peer) = connected("chat", "connect", "lockstep=true");
    for turn in 0..TURNS {
        let (there, back) = (payload(turn, 100), payload(turn, 200));
        pair.sink.push(&there);
        assert_eq!(peer.receive_frame(), there);
        peer.send_frame(&back);
        assert_eq!(pair.source.frame(), back);
    }
}

#[test]
fn lockstep_with_the_original_client() {
    let (pair, peer) = connected("chat", "listen", "lockstep=true");
    for turn in 0..TURNS {
        let (there, back) = (payload(turn, 200), payload(turn, 100));
        pair.sink.push(&back);
        peer.send_frame(&there);
        assert_eq!(pair.source.frame(), there);
        assert_eq!(peer.receive_frame(), back);
    }
}

#[test]
fn between_turns_only_the_newest_frame_is_kept() {
    let (pair, peer) = connected("newest", "connect", "lockstep=true");
    pair.sink.push(b"at once");
    assert_eq!(peer.receive_frame(), b"at once");
    for turn in 0..10 {
        for stale in payloads(5, 100) {
            pair.sink.push(&stale);
        }
        let newest = payload(100 + turn, 100);
        pair.sink.push(&newest);
        peer.send_frame(b"your turn");
        assert_eq!(pair.source.frame(), b"your turn");
        assert_eq!(peer.receive_frame(), newest);
    }
}

#[test]
fn a_listening_end_waits_for_the_first_frame() {
    let (pair, peer) = connected("waits", "listen", "lockstep=true");
    pair.sink.push(b"stale");
    pair.sink.push(b"newest");
    peer.send_frame(b"your turn");
    assert_eq!(pair.source.frame(), b"your turn");
    assert_eq!(peer.receive_frame(), b"newest");
}

#[test]
fn two_pipelines_chat_with_each_other() {
    let port = ReservedPort::new();
    let end = |mode| {
        let settings = format!(
            "connection-id=pipes-{mode} mode={mode} port={}",
            port.number()
        );
        Pair::new(&settings, "lockstep=true")
    };
    let (server, client) = (end("listen"), end("connect"));
    server.start();
    client.start();
    for turn in 0..100 {
        let (there, back) = (payload(turn, 100), payload(turn, 200));
        client.sink.push(&there);
        assert_eq!(server.source.frame(), there);
        server.sink.push(&back);
        assert_eq!(client.source.frame(), back);
    }
}

#[test]
fn lockstep_needs_a_connection_to_share() {
    let listener = Listener::new();
    let sink = Sender::new(&format!("lockstep=true port={}", listener.port()));
    sink.try_play();
    sink.expect_error()
        .from(&sink.sink)
        .shows(&["lockstep", "connection-id"]);
}

#[test]
fn the_end_of_a_lockstep_stream_waits_no_longer_for_a_turn_than_for_the_rest() {
    let ends = ["connect", "listen"].map(|mode| {
        Background::run(move || {
            let (pair, peer) = connected("no-answer", mode, "lockstep=true");
            if mode == "connect" {
                talk_to(&pair, &peer);
            }
            pair.sink.push(b"waits");
            let begin = Instant::now();
            pair.sink.end();
            let took = begin.elapsed();
            // It has 2 s to answer, which is looked at every second.
            assert!(took < Duration::from_millis(3_500), "{took:?}");
            pair.sink.expect_eos();
            assert_eq!(stat(&pair.sink.sink, "frames-dropped"), 1);
            peer.expect_end();
            peer.send_frame(b"back");
            assert_eq!(pair.source.frame(), b"back");
        })
    });
    for end in ends {
        end.join().expect("it ends in time");
    }
}

#[test]
fn the_end_of_a_lockstep_stream_waits_for_a_peer_that_answers() {
    let (pair, peer) = connected("answers", "listen", "lockstep=true");
    pair.sink.push(b"last");
    let ending = pair.sink.in_background(|feed| feed.end());
    peer.send_frame(b"your turn");
    assert_eq!(pair.source.frame(), b"your turn");
    assert_eq!(peer.receive_until_end(), [b"last"]);
    ending.join().expect("the end was taken");
}

/// More than the kernel holds for an element that does not read.
const LARGE: usize = 20_000_000;

#[test]
fn a_restarted_source_ends_and_the_sink_goes_on() {
    for mode in ["connect", "listen"] {
        let (pair, peer) = connected("restarted", mode, "");
        peer.send_frame(b"heard");
        assert_eq!(pair.source.frame(), b"heard");
        pair.source.stop();
        peer.send_frame(b"unheard");
        pair.source.play();
        assert!(pair.source.rest().is_empty());
        pair.source.expect_eos();
        pair.sink.push(b"there");
        assert_eq!(peer.receive_frame(), b"there");
    }
}

/// A pair that goes on when a connection has ended, and how its peers come one after the other.
fn renewed(id: &str, mode: &'static str) -> (Pair, impl Fn() -> Peer) {
    let listener = Listener::new();
    let port = if mode == "connect" {
        listener.port()
    } else {
        0
    };
    let settings = format!("connection-id={id}-{mode} mode={mode} port={port} reconnect=true");
    let pair = Pair::new(&settings, "");
    pair.start();
    let port = pair.source.port();
    let meet = move || match mode {
        "connect" => listener.accept(),
        _ => Peer::connect(port),
    };
    (pair, meet)
}

#[test]
fn with_reconnect_a_restarted_source_gets_the_next_connection() {
    for mode in ["connect", "listen"] {
        let (pair, meet) = renewed("source-again", mode);
        let mut peer = meet();
        talk(&pair, &peer);
        for _ in 0..3 {
            pair.source.stop();
            peer.send_frame(b"unheard");
            talk_to(&pair, &peer);
            pair.source.play();
            peer.expect_end();
            peer = meet();
            talk(&pair, &peer);
        }
    }
}

#[test]
fn with_reconnect_a_restarted_sink_gets_the_next_connection() {
    for mode in ["connect", "listen"] {
        let (pair, meet) = renewed("sink-again", mode);
        let mut peer = meet();
        talk(&pair, &peer);
        for _ in 0..3 {
            pair.sink.stop();
            peer.expect_end();
            peer.send_frame(b"heard");
            assert_eq!(pair.source.frame(), b"heard");
            pair.sink.start();
            peer = meet();
            talk(&pair, &peer);
        }
    }
}

const WHY_IT_ENDS: [&str; 2] = ["stop both", "reconnect=true"];

#[test]
fn without_reconnect_a_restarted_source_is_told_why_it_ends() {
    for mode in ["connect", "listen"] {
        let (pair, peer) = connected("source-told", mode, "");
        talk_briefly(&pair, &peer);
        pair.source.stop();
        pair.source.play();
        let warning = pair.source.expect_warning().from(&pair.source.source);
        warning.is(gst::ResourceError::Busy).says(&WHY_IT_ENDS);
        assert!(pair.source.rest().is_empty());
        pair.source.expect_eos();
        talk_to(&pair, &peer);
        pair.sink.expect_no_warning();
    }
}

#[test]
fn without_reconnect_a_restarted_sink_is_told_why_it_ends() {
    for mode in ["connect", "listen"] {
        let (pair, peer) = connected("sink-told", mode, "");
        talk_briefly(&pair, &peer);
        pair.sink.stop();
        peer.expect_end();
        pair.sink.start();
        let warning = pair.sink.expect_warning().from(&pair.sink.sink);
        warning.is(gst::ResourceError::Busy).says(&WHY_IT_ENDS);
        let refused = pair.sink.push_buffer(buffer(b"unsent"));
        assert_eq!(refused, Err(gst::FlowError::Eos));
        pair.sink.end();
        pair.sink.expect_eos();
        peer.send_frame(b"back");
        assert_eq!(pair.source.frame(), b"back");
        pair.source.expect_no_warning();
    }
}

#[test]
fn what_came_before_the_sink_has_ended_is_for_a_source_that_starts_later() {
    for mode in ["connect", "listen"] {
        let (pair, peer) = sink_alone("ended-first", mode, "");
        payloads(5, 50_000)
            .iter()
            .for_each(|frame| peer.send_frame(frame));
        pair.sink.push(b"last");
        pair.sink.end();
        pair.sink.expect_eos();
        assert_eq!(peer.receive_until_end(), [b"last"]);
        pair.source.play();
        assert_frames(&pair.source.frames(5), &payloads(5, 50_000));
        peer.send_frame(b"more");
        assert_eq!(pair.source.frame(), b"more");
        drop(peer);
        pair.source.expect_eos();
    }
}

#[test]
fn what_came_before_the_sink_has_met_with_a_fault_is_for_a_source_that_starts_later() {
    let (pair, peer) = sink_alone("failed-first", "connect", "");
    peer.send_frame(b"before");
    peer.reset();
    let refused = |_: &()| pair.sink.push_buffer(buffer(b"lost")).is_err();
    std::iter::repeat(()).find(refused);
    pair.sink
        .expect_error()
        .from(&pair.sink.sink)
        .says(&["lost"]);
    pair.source.play();
    assert_eq!(pair.source.frame(), b"before");
}

#[test]
fn a_client_removed_before_the_source_has_started_gets_what_the_kernel_has() {
    for mode in ["connect", "listen"] {
        let (pair, peer) = sink_alone("deaf", mode, "reconnect=true");
        peer.send_frame(b"unread");
        let frame = payload(1, 1_000_000);
        pair.sink.push(&frame);
        eventually("it is with the kernel", || {
            stat(&pair.sink.sink, "frames-sent") == 1
        });
        pair.sink.disconnect_client(1);
        await_number(&pair.sink.sink, "num-clients", 0);
        assert_frames(&peer.receive_until_end(), &[frame]);
    }
}

/// A pair of which the source has not started, and its peer.
fn sink_alone(id: &str, mode: &str, settings: &str) -> (Pair, Peer) {
    let listener = Listener::new();
    let port = if mode == "connect" {
        listener.port()
    } else {
        0
    };
    let settings = format!("connection-id={id}-{mode} mode={mode} port={port} {settings}");
    let pair = Pair::new(&settings, "");
    pair.sink.start();
    let peer = match mode {
        "connect" => listener.accept(),
        _ => Peer::connect(pair.sink.port()),
    };
    await_number(&pair.sink.sink, "num-clients", 1);
    (pair, peer)
}

/// In frames too short to be asked what they are.
#[track_caller]
fn talk_briefly(pair: &Pair, peer: &Peer) {
    talk_to(pair, peer);
    peer.send_frame(b"back");
    assert_eq!(pair.source.frame(), b"back");
}

#[test]
fn a_source_stopped_before_it_took_a_frame_ends_when_it_is_restarted() {
    let listener = Listener::new();
    let settings = format!("connection-id=never-took port={}", listener.port());
    let pair = Pair::new(&settings, "");
    pair.sink.start();
    pair.source.pause();
    let peer = listener.accept();
    talk_to(&pair, &peer);
    peer.send(b"00000010half");
    pair.source.stop();
    pair.source.play();
    peer.send(b"other.");
    peer.send_frame(b"more");
    assert!(pair.source.rest().is_empty());
    pair.source.expect_eos();
    talk_to(&pair, &peer);
}

#[track_caller]
fn talk_to(pair: &Pair, peer: &Peer) {
    pair.sink.push(b"there");
    assert_eq!(peer.receive_frame(), b"there");
}

#[test]
fn without_waiting_a_stream_passes_by_and_ends() {
    let sink = Sender::playing(
        "connection-id=nobody mode=listen port=0 wait-for-connection=false max-size-buffers=2",
    );
    sink.push_all(&payloads(100, 1_000));
    sink.end();
    sink.expect_eos();
}

#[test]
fn a_fault_of_the_sink_alone_is_no_end_of_its_stream() {
    let listener = Listener::new();
    let settings = format!("connection-id=sinks-fault port={}", listener.port());
    let pair = Pair::new(
        &settings,
        "timeout=50000000 overflow=block max-size-buffers=1",
    );
    // Whoever tells what happens comes too late.
    let held = Held::at_each_client(&pair.sink);
    pair.start();
    let _silent = listener.accept();
    held.await_client();
    let pushing = pair.sink.in_background(|feed| {
        let frame = payload(1, 16_000_000);
        std::iter::repeat_with(|| feed.try_push(buffer(&frame))).find(Result::is_err)
    });
    let refused = pushing.join().expect("it gives up").expect("a refusal");
    assert_eq!(refused, Err(gst::FlowError::Error));
    pair.sink
        .expect_error()
        .from(&pair.sink.sink)
        .is(gst::ResourceError::Write);
    held.let_go();
}

#[test]
fn what_is_found_in_a_connection_that_has_ended_does_not_end_the_next() {
    let settings = "connection-id=found-late mode=listen port=0 reconnect=true";
    let pair = Pair::new(settings, "");
    pair.source.output.set_max_buffers(1);
    let id = |arguments: &[gst::glib::Value]| arguments[1].get::<u64>().expect("an id");
    let added = listen_to(&pair.sink.sink, "client-added", id);
    let removed = listen_to(&pair.sink.sink, "client-removed", id);
    pair.start();
    let first = Peer::connect(pair.source.port());
    first.send(b"00000003one00000003twogarbage!");
    let ended = added.recv_timeout(PATIENCE).expect("a client");
    // One frame fills the output and the other waits before it, so that nothing else is read.
    eventually("two frames are received", || {
        stat(&pair.source.source, "frames-received") == 2
    });
    let second = Peer::connect(pair.source.port());
    pair.sink
        .sink
        .emit_by_name::<bool>("disconnect-client", &[&ended]);
    added.recv_timeout(PATIENCE).expect("the next client");
    assert_eq!(pair.source.frames(2), [b"one", b"two"]);
    second.send_frame(b"next");
    assert_eq!(pair.source.frame(), b"next");
    talk_to(&pair, &second);
    assert_eq!(removed.try_iter().collect::<Vec<_>>(), [ended]);
}

#[test]
fn a_frame_received_before_the_sink_started_grants_its_turn() {
    let settings = "connection-id=granted mode=listen port=0";
    let pair = Pair::new(settings, "lockstep=true");
    pair.source.play();
    let peer = Peer::connect(pair.source.port());
    peer.send_frame(b"your turn");
    assert_eq!(pair.source.frame(), b"your turn");
    pair.sink.start();
    pair.sink.push(b"answer");
    assert_eq!(peer.receive_frame(), b"answer");
}

#[test]
fn a_turn_ends_with_its_connection() {
    let settings = "connection-id=turn-ends mode=listen port=0 reconnect=true";
    let pair = Pair::new(settings, "lockstep=true");
    pair.start();
    let lost = Peer::connect(pair.source.port());
    lost.send_frame(b"your turn");
    assert_eq!(pair.source.frame(), b"your turn");
    pair.sink.push(&payload(0, LARGE));
    lost.await_bytes();
    lost.send_frame(b"impatient");
    assert_eq!(pair.source.frame(), b"impatient");
    pair.sink.push(b"waits");
    lost.reset();
    await_number(&pair.sink.sink, "num-clients", 0);
    pair.sink.push(b"stale");
    let peer = Peer::connect(pair.source.port());
    await_number(&pair.sink.sink, "num-clients", 1);
    pair.sink.push(b"newest");
    peer.send_frame(b"your turn");
    assert_eq!(pair.source.frame(), b"your turn");
    assert_eq!(peer.receive_frame(), b"newest");
}

#[test]
fn lockstep_set_while_playing_changes_nothing() {
    let (pair, peer) = connected("set-late", "listen", "");
    talk_to(&pair, &peer);
    pair.sink.sink.set_property("lockstep", true);
    pair.sink
        .sink
        .set_property_from_str("max-size-buffers", "5");
    (0..10).for_each(|_| talk_to(&pair, &peer));
}

#[test]
fn the_first_of_a_list_goes_out_before_playing_and_once() {
    let listener = Listener::new();
    let sink = Sender::new(&format!("port={} connection-id=list", listener.port()));
    sink.start_paused();
    let list = [b"one", b"two"].iter().map(|frame| buffer(&frame[..]));
    let list = list.collect::<gst::BufferList>();
    let pushing = sink.in_background(|feed| feed.push_list(list));
    let peer = listener.accept();
    assert_eq!(peer.receive_frame(), b"one");
    sink.play();
    pushing.join().expect("the sink takes the list");
    sink.end();
    assert_eq!(peer.receive_until_end(), [b"two"]);
}

#[test]
fn a_frame_that_went_out_before_playing_may_come_again_after_a_flush() {
    let listener = Listener::new();
    let sink = Sender::new(&format!("port={} connection-id=again", listener.port()));
    sink.start_paused();
    let frame = buffer(b"frame");
    let push = |frame: &gst::Buffer| {
        let frame = frame.clone();
        sink.in_background(|feed| feed.try_push(frame))
    };
    let flushed = push(&frame);
    let peer = listener.accept();
    assert_eq!(peer.receive_frame(), b"frame");
    sink.flush();
    let refused = flushed.join().expect("it returns");
    assert_eq!(refused, Err(gst::FlowError::Flushing));
    let pushed = push(&frame);
    assert_eq!(peer.receive_frame(), b"frame");
    sink.play();
    assert_eq!(pushed.join(), Ok(Ok(gst::FlowSuccess::Ok)));
    sink.end();
    assert!(peer.receive_until_end().is_empty());
}

/// The source takes two frames of what the peer sends, and the rest stays with the kernel.
fn hard_of_hearing(id: &str, mode: &str) -> (Pair, Peer) {
    let (pair, peer) = connected(id, mode, "");
    pair.source.output.set_max_buffers(1);
    talk_briefly(&pair, &peer);
    payloads(10, 50_000)
        .iter()
        .for_each(|frame| peer.send_frame(frame));
    eventually("two frames are received", || {
        stat(&pair.source.source, "frames-received") == 3
    });
    (pair, peer)
}

#[test]
fn a_pair_that_stops_ends_cleanly_for_a_peer_whose_words_are_unread() {
    for mode in ["connect", "listen"] {
        for round in 0..10 {
            let (pair, peer) = hard_of_hearing("unread", mode);
            pair.sink.push(b"last");
            pair.stop(round % 2 == 0);
            assert_eq!(peer.receive_until_end(), [b"last"]);
        }
    }
}

#[test]
fn one_end_of_a_chat_stops_and_the_other_gets_the_end_of_the_stream() {
    for round in 0..20 {
        let port = ReservedPort::new();
        let end = |mode| {
            let port = port.number();
            let settings = format!("connection-id=stops-{round}-{mode} mode={mode} port={port}");
            Pair::new(&settings, "")
        };
        let (stops, stays) = (end("listen"), end("connect"));
        stops.source.output.set_max_buffers(1);
        stops.start();
        stays.start();
        // In full flow, and more than the one end takes.
        let pushing = stays.sink.in_background(|feed| {
            let frame = payload(1, 50_000);
            std::iter::repeat_with(|| feed.try_push(buffer(&frame))).find(Result::is_err)
        });
        stops.sink.push(b"last");
        assert_eq!(stays.source.frame(), b"last");
        eventually("there is something to leave unread", || {
            stat(&stops.source.source, "frames-received") == 2
        });
        stops.stop(round % 2 == 0);
        assert!(stays.source.rest().is_empty());
        stays.source.expect_eos();
        let refused = pushing.join().expect("it gives up").expect("a refusal");
        assert_eq!(refused, Err(gst::FlowError::Eos));
        assert!(stays.sink.unread_errors(&stays.sink.sink).is_empty());
    }
}

/// Both in one pipeline, the sink in full flow, until both have come to their end by a fault. Returns the errors of the
/// two.
#[track_caller]
fn faults_of(
    id: &str,
    settings: &str,
    of_sink: &str,
    of_source: &str,
    cause: impl FnOnce(&Pipeline),
) -> Vec<Fault> {
    let settings = format!("host=127.0.0.1 connection-id={id} {settings}");
    let pipeline = Pipeline::launch(&format!(
        "fakesrc name=speaks sizetype=fixed sizemax=1000 format=time ! \
         videosocketsink name=sink sync=false {settings} {of_sink} \
         videosocketsrc name=source {settings} {of_source} ! fakesink name=hears async=false sync=false"
    ));
    pipeline.play();
    pipeline.await_playing();
    cause(&pipeline);
    let pad = |name, pad| pipeline.element(name).static_pad(pad).expect("a pad");
    let (speaks, hears) = (pad("speaks", "src"), pad("hears", "sink"));
    eventually("both have come to their end", || {
        speaks.last_flow_result().is_err() && hears.pad_flags().contains(gst::PadFlags::EOS)
    });
    pipeline.stop();
    let elements = ["sink", "source"].map(|name| pipeline.element(name));
    let errors = elements
        .iter()
        .flat_map(|element| pipeline.unread_errors(element));
    errors.collect()
}

#[test]
fn a_pair_that_nobody_answers_is_one_error() {
    let nobody = ReservedPort::new();
    let settings = format!("port={} connect-timeout=300000000", nobody.number());
    let errors = faults_of("unanswered", &settings, "", "", |_| ());
    assert_eq!(errors.len(), 1, "{errors:#?}");
}

/// What a peer may do amiss. Returns one that stays.
type Misdeed = fn(Peer) -> Option<Peer>;

const MISDEEDS: [(&str, Misdeed); 4] = [
    ("reset", |peer| {
        peer.reset();
        None
    }),
    ("torn frame", |peer| {
        peer.send(b"00000005he");
        None
    }),
    ("bad header", |peer| {
        peer.send(b"nonsense");
        Some(peer)
    }),
    ("silence", Some),
];

#[test]
fn one_fault_of_a_pair_is_one_error() {
    for mode in ["connect", "listen"] {
        for (name, misdeed) in MISDEEDS {
            for (of_sink, of_source) in [("timeout=200000000", ""), ("", "timeout=200000000")] {
                let listener = Listener::new();
                let port = if mode == "connect" {
                    listener.port()
                } else {
                    0
                };
                let settings = format!("mode={mode} port={port}");
                let mut stays = None;
                let errors = faults_of("one-error", &settings, of_sink, of_source, |pipeline| {
                    let port = number(&pipeline.element("source"), "current-port");
                    let peer = match mode {
                        "connect" => listener.accept(),
                        _ => Peer::connect(port.try_into().expect("a port")),
                    };
                    peer.await_bytes();
                    stays = misdeed(peer);
                });
                let case = format!("{name}, mode={mode} {of_sink}{of_source}");
                assert_eq!(errors.len(), 1, "{case}: {errors:#?}");
            }
        }
    }
}

#[test]
fn a_fault_of_a_pair_in_two_pipelines_is_told_in_both() {
    let nobody = ReservedPort::new();
    let settings = format!(
        "connection-id=two-pipelines port={} connect-timeout=300000000",
        nobody.number()
    );
    let pair = Pair::new(&settings, "");
    pair.start();
    let (sink, source) = (&pair.sink.sink, &pair.source.source);
    let error = pair.sink.expect_error().from(sink);
    error.is(gst::ResourceError::OpenWrite).says(&["refused"]);
    let error = pair.source.expect_error().from(source);
    error.is(gst::ResourceError::OpenRead).says(&["refused"]);
    pair.stop(true);
    assert!(pair.sink.unread_errors(sink).is_empty());
    assert!(pair.source.unread_errors(source).is_empty());
}

#[test]
fn a_reset_is_an_error_of_the_source_although_the_sink_may_meet_it_first() {
    for _ in 0..100 {
        let (pair, peer) = connected("met-first", "connect", "");
        let pushing = pair.sink.in_background(|feed| {
            std::iter::repeat_with(|| feed.try_push(buffer(b"small"))).find(Result::is_err)
        });
        peer.await_bytes();
        peer.reset();
        let refused = pushing.join().expect("it gives up").expect("a refusal");
        assert_eq!(refused, Err(gst::FlowError::Eos));
        assert!(pair.source.rest().is_empty());
        let error = pair.source.expect_error().from(&pair.source.source);
        error.is(gst::ResourceError::Read).says(&["reset"]);
    }
}
