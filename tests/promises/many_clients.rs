// SPDX-License-Identifier: MPL-2.0
//! A listening sink serves any number of clients, each from where it starts.

use crate::support::*;
use gst::prelude::*;
use parking_lot::Mutex;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Connects clients one by one, so that each is served before the next.
#[track_caller]
fn join(sink: &Sender, count: u64) -> Vec<Peer> {
    let already = number(&sink.sink, "num-clients");
    let join = |n| {
        let peer = Peer::connect(sink.port());
        await_number(&sink.sink, "num-clients", already + n);
        peer
    };
    (1..=count).map(join).collect()
}

fn address(value: &gst::glib::Value) -> std::net::SocketAddr {
    let address = value.get::<gio::SocketAddress>().expect("a GSocketAddress");
    address
        .downcast::<gio::InetSocketAddress>()
        .expect("an Internet address")
        .into()
}

#[test]
fn each_client_gets_each_frame() {
    let sink = Sender::playing("mode=listen port=0");
    let peers = join(&sink, 5);
    let frames = payloads(50, 1_000);
    sink.push_all(&frames);
    sink.end();
    for peer in peers {
        assert_frames(&peer.receive_until_end(), &frames);
    }
}

#[test]
fn each_client_gets_every_frame_from_where_it_starts() {
    let sink = Sender::playing("mode=listen port=0");
    let mut peers = Vec::new();
    for n in 0..4 {
        peers.extend(join(&sink, 1));
        sink.push(&[n]);
    }
    sink.end();
    for (n, peer) in (0..).zip(peers) {
        let from_there: Vec<_> = (n..4).map(|n| vec![n]).collect();
        assert_eq!(peer.receive_until_end(), from_there);
    }
}

#[test]
fn the_stream_is_held_for_the_first_client() {
    let sink = Sender::playing("mode=listen port=0");
    let pushing = sink.in_background(|feed| {
        feed.push(b"first");
        feed.end();
    });
    assert_eq!(Peer::connect(sink.port()).receive_until_end(), [b"first"]);
    pushing.join().expect("both were taken");
}

#[test]
fn without_waiting_frames_pass_by_unsent() {
    let sink = Sender::playing("mode=listen port=0 wait-for-connection=false");
    sink.push_all(&payloads(100, 1_000));
    let peers = join(&sink, 1);
    sink.push(b"now");
    sink.end();
    assert_eq!(peers[0].receive_until_end(), [b"now"]);
    sink.expect_eos();
}

#[test]
fn clients_that_leave_do_not_disturb_those_that_stay() {
    let sink = Sender::playing("mode=listen port=0");
    let mut peers = join(&sink, 4);
    let stays = peers.pop().expect("a client");
    let mut leaves = peers.into_iter();
    for (turn, frame) in payloads(300, 10_000).into_iter().enumerate() {
        match turn {
            50 => leaves.next().expect("a client").reset(),
            100 => drop(leaves.next()),
            150 => {
                // Leaves in the middle of a frame.
                let peer = leaves.next().expect("a client");
                peer.receive(5_000);
                peer.reset();
            }
            _ => {}
        }
        sink.push(&frame);
        assert_eq!(stays.receive_frame(), frame);
    }
    await_number(&sink.sink, "num-clients", 1);
    sink.end();
    stays.expect_end();
    sink.expect_eos();
}

#[test]
fn what_a_client_sends_does_not_disturb() {
    let sink = Sender::playing("mode=listen port=0");
    let peers = join(&sink, 2);
    peers[0].send(b"GET / HTTP/1.1\r\n\r\n");
    for frame in payloads(20, 1_000) {
        sink.push(&frame);
        assert!(peers.iter().all(|peer| peer.receive_frame() == frame));
    }
}

#[test]
fn no_more_clients_than_allowed() {
    let sink = Sender::playing("mode=listen port=0 max-clients=2");
    let peers = join(&sink, 2);
    Peer::connect(sink.port()).expect_turned_away();
    sink.push(b"hello");
    assert!(peers.iter().all(|peer| peer.receive_frame() == b"hello"));
    assert_eq!(number(&sink.sink, "num-clients"), 2);
}

#[test]
fn an_application_may_refuse_a_client() {
    let sink = Sender::new("mode=listen port=0");
    let (asked, questions) = mpsc::channel();
    sink.sink
        .connect("client-connecting", false, move |arguments| {
            let _ = asked.send(address(&arguments[1]));
            Some(false.to_value())
        });
    sink.start();
    let peer = Peer::connect(sink.port());
    peer.expect_turned_away();
    assert_eq!(questions.recv_timeout(PATIENCE), Ok(peer.address()));
    assert_eq!(number(&sink.sink, "num-clients"), 0);
}

/// More than one segment, and no more than the kernel takes at once.
static SPEECH: [u8; 100_000] = [b'!'; 100_000];

#[test]
fn a_client_too_many_sees_a_clean_end_though_nobody_reads_what_it_sent() {
    let sink = Sender::playing("mode=listen port=0 max-clients=1");
    let _peers = join(&sink, 1);
    for _ in 0..20 {
        let refused = Peer::connect(sink.port());
        refused.send(&SPEECH);
        refused.expect_end();
    }
}

#[test]
fn a_refused_client_sees_a_clean_end_though_nobody_reads_what_it_sent() {
    let sink = Sender::new("mode=listen port=0");
    let (speak, spoken) = mpsc::channel();
    let spoken = Mutex::new(spoken);
    sink.sink.connect("client-connecting", false, move |_| {
        let heard: Result<(), _> = spoken.lock().recv_timeout(PATIENCE);
        Some(heard.is_err().to_value())
    });
    sink.start();
    for _ in 0..20 {
        let refused = Peer::connect(sink.port());
        refused.send(&SPEECH);
        speak.send(()).expect("a handler");
        refused.expect_end();
    }
}

#[test]
fn an_application_may_let_a_client_in() {
    let sink = Sender::new("mode=listen port=0");
    sink.sink
        .connect("client-connecting", false, |_| Some(true.to_value()));
    sink.start();
    let peers = join(&sink, 1);
    sink.push(b"hello");
    assert_eq!(peers[0].receive_frame(), b"hello");
}

#[test]
fn signals_tell_who_comes_and_goes() {
    let sink = Sender::new("mode=listen port=0");
    let id = |arguments: &[gst::glib::Value]| arguments[1].get::<u64>().expect("an id");
    let added = listen_to(&sink.sink, "client-added", move |arguments| {
        (id(arguments), address(&arguments[2]))
    });
    let removed = listen_to(&sink.sink, "client-removed", move |arguments| {
        assert!(arguments[2].type_().is_a(gst::glib::Type::ENUM), "a reason");
        (
            id(arguments),
            arguments[3].get::<gst::Structure>().expect("stats"),
        )
    });
    sink.start();

    let mut peers = join(&sink, 2);
    let (first, its_address) = added.recv_timeout(PATIENCE).expect("a client");
    assert_eq!(its_address, peers[0].address());
    let (second, its_address) = added.recv_timeout(PATIENCE).expect("a client");
    assert_eq!(its_address, peers[1].address());
    assert_ne!(first, second);

    sink.push(b"hello");
    assert_eq!(peers[1].receive_frame(), b"hello");
    peers.remove(1).reset();
    let (gone, stats) = removed.recv_timeout(PATIENCE).expect("a client");
    assert_eq!(gone, second);
    assert_eq!(number_in(&stats, "frames-sent"), 1);
    await_number(&sink.sink, "num-clients", 1);

    sink.stop();
    let (gone, _) = removed.recv_timeout(PATIENCE).expect("a client");
    assert_eq!(gone, first);
    assert_eq!(number(&sink.sink, "num-clients"), 0);
}

#[test]
fn a_handler_may_call_back() {
    let sink = Sender::new("mode=listen port=0");
    let ask = |arguments: &[gst::glib::Value]| {
        let sink = arguments[0].get::<gst::Element>().expect("the sink");
        (
            number(&sink, "num-clients"),
            number(&sink, "current-port"),
            stat(&sink, "frames-sent"),
        )
    };
    let added = listen_to(&sink.sink, "client-added", ask);
    let removed = listen_to(&sink.sink, "client-removed", ask);
    sink.start();
    let peer = Peer::connect(sink.port());
    let port = u64::from(sink.port());
    assert_eq!(added.recv_timeout(PATIENCE), Ok((1, port, 0)));
    sink.push(b"hello");
    assert_eq!(peer.receive_frame(), b"hello");
    peer.reset();
    assert_eq!(removed.recv_timeout(PATIENCE), Ok((0, port, 1)));
}

#[test]
fn stats_have_a_line_for_each_client() {
    let sink = Sender::playing("mode=listen port=0");
    let peers = join(&sink, 3);
    sink.push(b"hello");
    let stats = sink.sink.property::<gst::Structure>("stats");
    let clients = stats.get::<gst::Array>("clients").expect("an array");
    assert_eq!(clients.len(), 3);
    for ((id, peer), client) in (1u64..).zip(&peers).zip(clients.iter()) {
        let client = client.get::<gst::Structure>().expect("a structure");
        assert_eq!(client.get("id"), Ok(id));
        assert_eq!(client.get("address"), Ok(peer.address().to_string()));
        assert_eq!(number_in(&client, "frames-sent"), 1, "{client}");
        assert_eq!(number_in(&client, "bytes-sent"), 5, "{client}");
    }
    assert_eq!(number_in(&stats, "connections"), 3);
}

#[test]
fn stream_headers_come_first() {
    let header = |payload: &[u8]| {
        let mut buffer = buffer(payload);
        buffer
            .get_mut()
            .expect("the only owner")
            .set_flags(gst::BufferFlags::HEADER);
        buffer
    };
    let headers = gst::Array::new([header(b"head one"), header(b"head two")]);
    let caps = gst::Caps::builder("video/x-test")
        .field("streamheader", headers)
        .build();
    let sink = Sender::new("mode=listen port=0");
    sink.start_with_caps(&caps);

    let early = join(&sink, 1);
    for repeated in [&b"head one"[..], b"head two"] {
        sink.push_buffer(header(repeated)).expect("taken");
    }
    sink.push(b"first");
    let late = join(&sink, 1);
    sink.push(b"second");
    sink.end();
    assert_eq!(
        early[0].receive_until_end(),
        [&b"head one"[..], b"head two", b"first", b"second"]
    );
    assert_eq!(
        late[0].receive_until_end(),
        [&b"head one"[..], b"head two", b"second"]
    );
}

#[test]
fn a_client_starts_at_a_keyframe_and_asks_for_one() {
    let sink = Sender::playing("mode=listen port=0");
    let early = join(&sink, 1);
    sink.push(b"key 1");
    sink.push_buffer(delta(b"delta 1")).expect("taken");
    let late = join(&sink, 1);
    sink.push_buffer(delta(b"delta 2")).expect("taken");
    sink.expect_keyframe_request();
    sink.push(b"key 2");
    sink.push_buffer(delta(b"delta 3")).expect("taken");
    sink.end();
    assert_eq!(
        early[0].receive_until_end(),
        [&b"key 1"[..], b"delta 1", b"delta 2", b"key 2", b"delta 3"]
    );
    assert_eq!(late[0].receive_until_end(), [&b"key 2"[..], b"delta 3"]);
}

#[test]
fn an_application_may_do_without_requests_for_keyframes() {
    let sink = Sender::playing("mode=listen port=0 request-keyframes=false");
    let _early = join(&sink, 1);
    sink.push(b"key 1");
    let late = join(&sink, 1);
    sink.push_buffer(delta(b"delta 1")).expect("taken");
    sink.push(b"key 2");
    assert_eq!(late[0].receive_frame(), b"key 2");
    sink.expect_no_keyframe_request();
}

#[test]
fn where_a_client_starts_can_be_chosen() {
    for (method, first) in [
        ("latest", &[&b"delta 2"[..]][..]),
        ("latest-keyframe", &[b"key", b"delta 1", b"delta 2"]),
    ] {
        let sink = Sender::playing(&format!("mode=listen port=0 sync-method={method}"));
        let _early = join(&sink, 1);
        sink.push(b"key");
        sink.push_buffer(delta(b"delta 1")).expect("taken");
        let late = join(&sink, 1);
        sink.push_buffer(delta(b"delta 2")).expect("taken");
        assert_eq!(late[0].receive_frames(first.len()), first, "{method}");
    }
}

#[test]
fn a_sync_method_changed_there_and_back_leaves_no_hole() {
    let sink = Sender::playing("mode=listen port=0 sync-method=latest-keyframe");
    let early = join(&sink, 1);
    let push_deltas = |numbers: std::ops::Range<u8>| {
        for number in numbers {
            sink.push_buffer(delta(&[number])).expect("taken");
            assert_eq!(early[0].receive_frame(), [number]);
        }
    };
    sink.push(&[0]);
    assert_eq!(early[0].receive_frame(), [0]);
    push_deltas(1..5);
    sink.sink
        .set_property_from_str("sync-method", "next-keyframe");
    push_deltas(5..15);
    sink.sink
        .set_property_from_str("sync-method", "latest-keyframe");
    push_deltas(15..20);
    let late = join(&sink, 1);
    push_deltas(20..22);
    sink.push(&[22]);
    assert_eq!(early[0].receive_frame(), [22]);
    push_deltas(23..25);
    let latest = join(&sink, 1);
    sink.end();
    assert_eq!(late[0].receive_until_end(), [[22], [23], [24]]);
    assert_eq!(latest[0].receive_until_end(), [[22], [23], [24]]);
}

#[test]
fn no_client_starts_with_a_frame_that_needs_an_earlier_one() {
    for method in ["next-keyframe", "latest-keyframe"] {
        let sink = Sender::playing(&format!(
            "mode=listen port=0 wait-for-connection=false sync-method={method}"
        ));
        sink.push_buffer(delta(b"delta 1")).expect("taken");
        let peers = join(&sink, 1);
        sink.push_buffer(delta(b"delta 2")).expect("taken");
        sink.push(b"key");
        assert_eq!(peers[0].receive_frame(), b"key", "{method}");
    }
}

#[test]
fn a_handler_may_stop_the_sink_while_it_stops() {
    let sink = Sender::new("mode=listen port=0");
    let removed = listen_to(&sink.sink, "client-removed", |arguments| {
        let sink = arguments[0].get::<gst::Element>().expect("the sink");
        let _ = sink.set_state(gst::State::Null);
    });
    sink.start();
    let _peers = join(&sink, 1);
    sink.stop();
    removed.recv_timeout(PATIENCE).expect("the handler returns");
    eventually("the sink has stopped", || {
        sink.sink.current_state() == gst::State::Null
    });
}

#[test]
fn a_flood_of_clients_before_a_slow_handler_holds_nobody_up() {
    let sink = Sender::new("mode=listen port=0");
    let (asked, questions) = mpsc::channel();
    let first = AtomicBool::new(true);
    sink.sink.connect("client-connecting", false, move |_| {
        let welcome = first.swap(false, Ordering::Relaxed);
        if !welcome {
            thread::sleep(Duration::from_millis(1));
        }
        let _ = asked.send(());
        Some(welcome.to_value())
    });
    let added = listen_to(&sink.sink, "client-added", |arguments| {
        arguments[1].get::<u64>().expect("an id")
    });
    sink.start();
    let peers = join(&sink, 1);
    let id = added.recv_timeout(PATIENCE).expect("a client");
    let address = (Ipv4Addr::LOCALHOST, sink.port());
    let floods =
        [(); 2].map(|()| Background::run(move || while TcpStream::connect(address).is_ok() {}));
    for _ in 0..100 {
        questions.recv_timeout(PATIENCE).expect("a flood");
    }
    let found: bool = sink.sink.emit_by_name("disconnect-client", &[&id]);
    assert!(found);
    await_number(&sink.sink, "num-clients", 0);
    peers[0].expect_end();
    sink.stop();
    for flood in floods {
        flood.join().expect("nobody listens any more");
    }
}

#[test]
fn a_stop_that_does_not_wait_for_a_handler_is_told_all_the_same() {
    let sink = Sender::new("mode=listen port=0");
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let added = listen_to(&sink.sink, "client-added", |_| ());
    sink.sink.connect("client-added", false, move |_| {
        let _ = released.lock().recv();
        None
    });
    let removed = listen_to(&sink.sink, "client-removed", |_| ());
    sink.start();
    let _peer = Peer::connect(sink.port());
    added.recv_timeout(PATIENCE).expect("a client");
    sink.stop();
    release.send(()).expect("the handler waits");
    removed.recv_timeout(PATIENCE).expect("the client is gone");
}
