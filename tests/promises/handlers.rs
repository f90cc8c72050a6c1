//! A handler of the application's takes the time it takes: it delays what is told, and nothing else.

use crate::support::*;
use gst::prelude::*;
use std::sync::{Mutex, mpsc};
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
        let answer: Result<bool, _> = answers.lock().unwrap().recv();
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
