// SPDX-License-Identifier: MPL-2.0
//! What an application and a user at the terminal are told.

use crate::support::*;
use gst::prelude::*;

#[test]
fn listening_tells_the_address_and_the_port() {
    let source = Receiver::playing("mode=listen port=0");
    let listening = source.expect_message("videosocket-listening");
    assert_eq!(number_in(&listening, "port"), u64::from(source.port()));
    assert!(
        text(&listening, "address").contains("127.0.0.1"),
        "{listening}"
    );
}

#[test]
fn the_port_is_notified_at_the_start_and_at_the_stop() {
    let (sink, source) = (
        Sender::new("mode=listen port=0"),
        Receiver::new("mode=listen port=0"),
    );
    let both: [(&Pipeline, _); 2] = [(&sink, &sink.sink), (&source, &source.source)];
    for (pipeline, element) in both {
        let ports = notified_ports(element);
        assert_eq!(number(element, "current-port"), 0);
        pipeline.pause();
        let port = number(element, "current-port");
        assert_ne!(port, 0);
        pipeline.stop();
        assert_eq!(ports.try_iter().collect::<Vec<_>>(), [port, 0]);
    }
}

#[test]
fn who_connects_has_no_port_to_notify() {
    let listener = Listener::new();
    let source = Receiver::new(&format!("port={}", listener.port()));
    let ports = notified_ports(&source.source);
    source.play();
    source.stop();
    assert_eq!(ports.try_iter().collect::<Vec<_>>(), [0; 0]);
}

/// `current-port` as a handler reads it, whenever it is notified.
fn notified_ports(element: &gst::Element) -> std::sync::mpsc::Receiver<u64> {
    let (notified, ports) = std::sync::mpsc::channel();
    element.connect_notify(Some("current-port"), move |element, _| {
        let _ = notified.send(number(element, "current-port"));
    });
    ports
}

#[test]
fn a_source_tells_of_its_connection() {
    let source = Receiver::playing("mode=listen port=0");
    let peer = Peer::connect(source.port());
    let address = peer.address().to_string();
    let connected = source.expect_message("videosocket-connected");
    assert!(text(&connected, "peer").contains(&address), "{connected}");

    peer.send_frame(b"one");
    peer.send_frame(b"three");
    drop(peer);
    source.rest();
    let disconnected = source.expect_message("videosocket-disconnected");
    assert!(
        text(&disconnected, "peer").contains(&address),
        "{disconnected}"
    );
    assert!(disconnected.has_field("reason"), "{disconnected}");
    assert_eq!(number_in(&disconnected, "frames"), 2);
    assert_eq!(number_in(&disconnected, "bytes"), 8);
}

#[test]
fn a_sink_tells_of_its_connection() {
    let listener = Listener::new();
    let sink = Sender::playing(&format!("port={}", listener.port()));
    sink.push(b"one");
    sink.push(b"three");
    sink.end();
    listener.accept().receive_until_end();
    sink.expect_eos();
    sink.stop();
    let address = format!("127.0.0.1:{}", listener.port());
    let connected = sink.expect_message("videosocket-connected");
    assert!(text(&connected, "peer").contains(&address), "{connected}");
    let disconnected = sink.expect_message("videosocket-disconnected");
    assert!(
        text(&disconnected, "peer").contains(&address),
        "{disconnected}"
    );
    assert!(disconnected.has_field("reason"), "{disconnected}");
    assert_eq!(number_in(&disconnected, "frames"), 2);
    assert_eq!(number_in(&disconnected, "bytes"), 8);
}

#[test]
fn stats_count_what_went_through_and_outlive_the_stop() {
    let source = Receiver::playing("mode=listen port=0");
    let sink = Sender::playing(&format!("port={}", source.port()));
    for frame in [&b"one"[..], b"", b"three"] {
        sink.push(frame);
    }
    sink.end();
    assert_eq!(source.rest().len(), 3);
    sink.expect_eos();
    sink.stop();
    source.stop();

    for (element, direction) in [(&sink.sink, "sent"), (&source.source, "received")] {
        let stats = element.property::<gst::Structure>("stats");
        assert_eq!(stats.name(), "application/x-videosocket-stats");
        assert_eq!(number_in(&stats, &format!("frames-{direction}")), 3);
        assert_eq!(number_in(&stats, &format!("bytes-{direction}")), 8);
        assert_eq!(number_in(&stats, "connections"), 1);
        for field in [
            "frames-dropped",
            "frames-truncated",
            "protocol-errors",
            "bytes-queued",
        ] {
            assert_eq!(number_in(&stats, field), 0, "{field}");
        }
        assert!(stats.has_field("rtt"), "{stats}");
    }
}

#[test]
fn stats_are_there_before_the_first_connection() {
    for element in elements() {
        assert_eq!(stat(&element, "connections"), 0);
        assert_eq!(stat(&element, "bytes-queued"), 0);
    }
}

#[test]
fn stats_never_wait() {
    let listener = Listener::new();
    let sink = Sender::playing(&format!("port={}", listener.port()));
    let pushing = sink.in_background(|feed| feed.try_push(buffer(&vec![0; 16_000_000])));
    let peer = listener.accept();
    peer.await_bytes();
    // The sink is held in the middle of the frame by a peer that does not read.
    assert_eq!(stat(&sink.sink, "frames-sent"), 0);
    assert!(stat(&sink.sink, "rtt") > 0);
    assert_eq!(peer.receive_frame().len(), 16_000_000);
    assert_eq!(pushing.join().unwrap(), Ok(gst::FlowSuccess::Ok));
    assert_eq!(stat(&sink.sink, "frames-sent"), 1);
}

#[test]
fn frames_without_payload_are_what_the_user_says() {
    for (zero_length, wanted) in [
        ("frame", &[&b"one"[..], b"", b"two"][..]),
        ("skip", &[b"one", b"two"]),
        ("eos", &[b"one"]),
    ] {
        let source = Receiver::playing(&format!("mode=listen port=0 zero-length={zero_length}"));
        let peer = Peer::connect(source.port());
        for frame in [&b"one"[..], b"", b"two"] {
            peer.send_frame(frame);
        }
        if zero_length != "eos" {
            drop(peer);
        }
        assert_eq!(source.rest(), wanted, "{zero_length}");
        source.expect_eos();
    }
}

#[test]
fn bins_are_there_until_they_have_handed_on_what_an_element_tells() {
    for element in elements() {
        let (inner, outer) = (gst::Bin::new(), gst::Bin::new());
        inner.add(&element).expect("a bin that takes it");
        outer.add(&inner).expect("a bin that takes it");
        let weak = [inner.downgrade(), outer.downgrade()];
        let bins = move || weak.iter().filter_map(|bin| bin.upgrade()).count();
        let (seen, counts) = std::sync::mpsc::channel();
        let bus = element.bus().expect("the bus of the bin");
        // In the place of the bin's handler, in which the application lets go of the bins.
        bus.unset_sync_handler();
        let (count, last) = (bins.clone(), std::sync::Mutex::new(Some((inner, outer))));
        bus.set_sync_handler(move |_, _| {
            drop(last.lock().expect("a lock").take());
            let _ = seen.send(count());
            gst::BusSyncReply::Drop
        });
        let told = gst::message::Element::new(gst::Structure::new_empty("told"));
        let _ = element.post_message(told);
        assert_eq!(counts.try_recv(), Ok(2), "{}", element.name());
        assert_eq!(bins(), 0, "{}", element.name());
    }
}

fn text(structure: &gst::Structure, field: &str) -> String {
    let value = structure
        .value(field)
        .unwrap_or_else(|_| panic!("{structure} has {field}"));
    value.serialize().expect("a value that prints").to_string()
}
