// SPDX-License-Identifier: MPL-2.0
//! A client that has ended its own sending stays, until it is gone altogether: also of a sink that has nothing to
//! send, which learns it in no other way.

use crate::support::*;
use gst::prelude::*;

#[test]
fn a_reset_after_the_end_of_a_clients_stream_ends_it() {
    let sink = Sender::playing("mode=listen port=0");
    let peer = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    sink.push(b"frame");
    assert_eq!(peer.receive_frame(), b"frame");
    peer.end_sending();
    // It stays, and gets what follows.
    sink.push(b"more");
    assert_eq!(peer.receive_frame(), b"more");
    peer.reset();
    await_number(&sink.sink, "num-clients", 0);
}

#[test]
fn the_same_where_the_sink_connects() {
    let listener = Listener::new();
    let sink = Sender::playing(&format!("port={} reconnect=true", listener.port()));
    let peer = listener.accept();
    await_number(&sink.sink, "num-clients", 1);
    sink.push(b"frame");
    assert_eq!(peer.receive_frame(), b"frame");
    peer.end_sending();
    sink.push(b"more");
    assert_eq!(peer.receive_frame(), b"more");
    peer.reset();
    let next = listener.accept();
    sink.push(b"again");
    assert_eq!(next.receive_frame(), b"again");
}

#[test]
fn the_same_where_a_source_has_read_to_the_end() {
    let listener = Listener::new();
    let sides = format!("host=127.0.0.1 port={} connection-id=gone", listener.port());
    let pipeline = Pipeline::launch(&format!(
        "videosocketsink name=sink sync=false async=false {sides} \
         videosocketsrc {sides} ! fakesink async=false"
    ));
    pipeline.play();
    let peer = listener.accept();
    let sink = pipeline.element("sink");
    await_number(&sink, "num-clients", 1);
    peer.end_sending();
    peer.reset();
    await_number(&sink, "num-clients", 0);
}

#[test]
fn visitors_of_an_idle_sink_leave_no_descriptors_behind() {
    const VISITS: usize = 300;
    let sink = Sender::playing("mode=listen port=0 max-clients=1000");
    let before = Usage::now().descriptors;
    for _ in 0..VISITS {
        let visitor = Peer::connect(sink.port());
        visitor.end_sending();
        visitor.reset();
    }
    eventually("no descriptor is left", || {
        stat(&sink.sink, "connections") >= VISITS as u64 && Usage::now().descriptors <= before
    });
    assert_eq!(sink.sink.property::<u32>("num-clients"), 0);
}
