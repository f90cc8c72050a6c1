// SPDX-License-Identifier: MPL-2.0
//! A handler of the application's takes the time it takes: it delays what is told, and nothing else.

use crate::support::*;
use gst::prelude::*;
use parking_lot::Mutex;
use std::sync::mpsc;
use std::time::{Duration, Instant};

fn await_clients(sink: &Sender, count: u64) {
    eventually("so many clients", || {
        number(&sink.sink, "num-clients") == count
    });
}

#[test]
fn a_port_is_free_again_while_a_handler_runs() {
    let port = ReservedPort::new();
    let sink = Sender::new(&format!("mode=listen port={}", port.number()));
    let held = Held::at_each_client(&sink);
    for _ in 0..3 {
        sink.start();
        let peer = Peer::connect(port.number());
        held.await_client();
        let stopping = Instant::now();
        sink.stop();
        let took = stopping.elapsed();
        assert!(took < Duration::from_millis(500), "{took:?}");
        peer.expect_end();
    }
    (0..3).for_each(|_| held.let_go());
}

#[test]
fn clients_are_sent_to_and_accepted_while_a_handler_runs() {
    let sink = Sender::new("mode=listen port=0 overflow=block max-size-time=0");
    let held = Held::at_each_client(&sink);
    sink.start();
    let first = Peer::connect(sink.port());
    held.await_client();
    let second = Peer::connect(sink.port());
    // Its notify waits with the handler.
    await_clients(&sink, 2);
    // More than the kernel takes at once.
    let frame = payload(1, 16_000_000);
    let next = frame.clone();
    let pushing = sink.in_background(move |feed| feed.push_all(&[next.clone(), next]));
    let receiving = Background::run(move || first.receive_frames(2));
    assert_frames(&second.receive_frames(2), &[frame.clone(), frame.clone()]);
    assert_frames(&receiving.join().expect("frames"), &[frame.clone(), frame]);
    pushing.join().expect("the frames were taken");
    (0..2).for_each(|_| held.let_go());
}

#[test]
fn clients_are_removed_while_a_handler_runs() {
    let sink = Sender::new("mode=listen port=0 overflow=drop timeout=50000000");
    let removed = listen_to(&sink.sink, "client-removed", |_| ());
    let held = Held::at_each_client(&sink);
    sink.start();
    let first = Peer::connect(sink.port());
    held.await_client();
    let _silent = Peer::connect(sink.port());
    await_clients(&sink, 2);
    sink.disconnect_client(1);
    // Its socket is closed, whoever has yet to be told.
    first.expect_end();
    sink.push(&payload(1, 16_000_000));
    await_clients(&sink, 0);
    assert_eq!(removed.try_recv(), Err(mpsc::TryRecvError::Empty));
    (0..2).for_each(|_| held.let_go());
    for _ in 0..2 {
        assert_eq!(removed.recv_timeout(PATIENCE), Ok(()));
    }
}

#[test]
fn what_happened_is_told_after_a_stop_that_did_not_wait() {
    let sink = Sender::new("mode=listen port=0");
    let removed = listen_to(&sink.sink, "client-removed", |_| ());
    let held = Held::at_each_client(&sink);
    sink.start();
    let _peer = Peer::connect(sink.port());
    held.await_client();
    sink.stop();
    assert_eq!(removed.try_recv(), Err(mpsc::TryRecvError::Empty));
    held.let_go();
    assert_eq!(removed.recv_timeout(PATIENCE), Ok(()));
}

#[test]
fn a_client_waits_for_leave_while_others_are_served() {
    let sink = Sender::new("mode=listen port=0");
    let ((asked, questions), (answer, answers)) = (mpsc::channel(), mpsc::channel());
    let answers = Mutex::new(answers);
    sink.sink.connect("client-connecting", false, move |_| {
        let _ = asked.send(());
        let answer: Result<bool, _> = answers.lock().recv();
        Some(answer.unwrap_or(false).to_value())
    });
    sink.start();
    answer.send(true).expect("a handler");
    let first = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    let refused = Peer::connect(sink.port());
    let admitted = Peer::connect(sink.port());
    for _ in 0..2 {
        questions.recv_timeout(PATIENCE).expect("a question");
    }
    sink.push(b"one");
    assert_eq!(first.receive_frame(), b"one");
    answer.send(false).expect("a handler");
    refused.expect_turned_away();
    answer.send(true).expect("a handler");
    await_number(&sink.sink, "num-clients", 2);
    sink.push(b"two");
    assert_eq!(first.receive_frame(), b"two");
    assert_eq!(admitted.receive_frame(), b"two");
}

#[test]
fn who_waits_for_leave_is_no_more_than_a_few() {
    let sink = Sender::new("mode=listen port=0 max-clients=1");
    let ((asked, questions), (answer, answers)) = (mpsc::channel(), mpsc::channel::<()>());
    let answers = Mutex::new(answers);
    sink.sink.connect("client-connecting", false, move |_| {
        let _ = asked.send(());
        Some(answers.lock().recv().is_ok().to_value())
    });
    sink.start();
    let before = Usage::now().descriptors;
    let visitors: Vec<_> = (0..100).map(|_| Peer::connect(sink.port())).collect();
    questions.recv_timeout(PATIENCE).expect("a question");
    let of_visitors = visitors.len();
    let now = Usage::now().descriptors;
    assert!(
        now <= before + of_visitors + 40,
        "{before} before, {now} now"
    );
    drop(visitors);
    drop(answer);
}

#[test]
fn a_source_does_not_wait_for_the_leave_of_a_sink_that_has_stopped() {
    let settings = "connection-id=stopped-sink mode=listen port=0";
    let (sink, source) = (Sender::new(settings), Receiver::new(settings));
    let ((asked, questions), (_answer, answers)) = (mpsc::channel(), mpsc::channel::<()>());
    let answers = Mutex::new(answers);
    sink.sink.connect("client-connecting", false, move |_| {
        let _ = asked.send(());
        Some(answers.lock().recv().is_ok().to_value())
    });
    source.play();
    sink.start();
    let peer = Peer::connect(source.port());
    questions.recv_timeout(PATIENCE).expect("a question");
    sink.stop();
    peer.send_frame(b"frame");
    assert_eq!(source.frame(), b"frame");
}

#[test]
fn a_handler_does_not_hold_up_who_joins_an_open_connection() {
    let listener = Listener::new();
    let settings = format!("connection-id=late-sink port={}", listener.port());
    let (sink, source) = (Sender::new(&settings), Receiver::new(&settings));
    source.play();
    let peer = listener.accept();
    peer.send_frame(b"frame");
    assert_eq!(source.frame(), b"frame");
    let held = Held::at_each_client(&sink);
    // The state change would hang in the handler.
    sink.start();
    held.await_client();
    held.let_go();
}

#[test]
fn the_error_of_a_former_run_is_none_of_the_next() {
    let (first, second) = (Listener::new(), Listener::new());
    let sink = Sender::new(&format!("port={}", first.port()));
    let held = Held::at_each_client(&sink);
    let removed = listen_to(&sink.sink, "client-removed", |_| ());
    sink.start();
    let peer = first.accept();
    held.await_client();
    peer.reset();
    await_clients(&sink, 0);
    sink.stop();
    sink.sink.set_property("port", u32::from(second.port()));
    sink.start();
    let _peer = second.accept();
    held.await_client();
    (0..2).for_each(|_| held.let_go());
    assert_eq!(removed.recv_timeout(PATIENCE), Ok(()));
    assert_eq!(
        sink.unread_errors(&sink.sink).len(),
        0,
        "{}",
        sink.summary()
    );
}

#[test]
fn a_handler_may_stop_the_pipeline() {
    let sink = Sender::new("mode=listen port=0");
    let pipeline = sink.sink.downgrade();
    let stopped = listen_to(&sink.sink, "client-added", move |_| {
        let sink = pipeline.upgrade().expect("a sink");
        sink.parent()
            .and_downcast::<gst::Pipeline>()
            .expect("a pipeline")
            .set_state(gst::State::Null)
            .is_ok()
    });
    sink.start();
    let peer = Peer::connect(sink.port());
    assert_eq!(stopped.recv_timeout(PATIENCE), Ok(true));
    peer.expect_end();
}

/// What is told late of a former run is not to be taken for one of the next.
#[test]
fn the_ids_of_clients_go_on_with_the_next_run() {
    let sink = Sender::new("mode=listen port=0");
    let (tell, told) = mpsc::channel();
    sink.sink.connect("client-added", false, move |values| {
        let _ = tell.send(values[1].get::<u64>());
        None
    });
    for id in 1..=2 {
        sink.start();
        let _peer = Peer::connect(sink.port());
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Ok(id)));
        sink.stop();
    }
}
