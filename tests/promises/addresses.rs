//! Names and addresses, of both families.

use crate::support::*;
use gst::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn loopbacks() -> Vec<IpAddr> {
    let mut loopbacks = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
    // Machines without IPv6 still have the other half to check.
    if has_ipv6() {
        loopbacks.push(Ipv6Addr::LOCALHOST.into());
    }
    loopbacks
}

#[test]
fn a_name_is_bound_on_all_of_its_addresses() {
    for host in ["localhost", "*", "\"\""] {
        let source = Receiver::playing(&format!("mode=listen host={host} port=0 reconnect=true"));
        let sink = Sender::playing(&format!("mode=listen host={host} port=0 reconnect=true"));
        for address in loopbacks() {
            Peer::connect_to((address, source.port())).send_frame(b"hello");
            assert_eq!(source.frame(), b"hello", "{host} on {address}");

            let peer = Peer::connect_to((address, sink.port()));
            await_number(&sink.sink, "num-clients", 1);
            sink.push(b"hello");
            assert_eq!(peer.receive_frame(), b"hello", "{host} on {address}");
            peer.reset();
            await_number(&sink.sink, "num-clients", 0);
        }
    }
}

#[test]
fn an_address_is_bound_alone() {
    for address in loopbacks() {
        let source =
            Receiver::playing(&format!("mode=listen host={address} port=0 reconnect=true"));
        Peer::connect_to((address, source.port())).send_frame(b"hello");
        assert_eq!(source.frame(), b"hello");
        for other in loopbacks().into_iter().filter(|other| *other != address) {
            let refused = std::net::TcpStream::connect((other, source.port()));
            assert!(refused.is_err(), "{address} answers on {other}");
        }
    }
}

#[test]
fn all_addresses_of_a_name_are_tried() {
    for address in loopbacks() {
        let listener = Listener::on(address);
        let settings = format!("host=localhost port={}", listener.port());
        let source = Receiver::playing(&settings);
        listener.accept().send_frame(b"hello");
        assert_eq!(source.frame(), b"hello", "from {address}");

        let sink = Sender::playing(&settings);
        sink.push(b"hello");
        assert_eq!(listener.accept().receive_frame(), b"hello", "at {address}");
    }
}

#[test]
fn a_given_socket_is_used_instead_of_a_new_one() {
    let (socket, _, peer) = wrapped_socket();
    let sink = Sender::new("");
    sink.sink.set_property("socket", &socket);
    sink.start();
    sink.push(b"hello");
    assert_eq!(peer.receive_frame(), b"hello");

    let (socket, _, peer) = wrapped_socket();
    // Nor does it need an address that makes sense.
    let source = Receiver::new("host=* port=0");
    source.source.set_property("socket", &socket);
    source.play();
    peer.send_frame(b"hello");
    assert_eq!(source.frame(), b"hello");
}

#[test]
fn a_given_socket_cannot_be_opened_again() {
    let (socket, _, peer) = wrapped_socket();
    let source = Receiver::new("reconnect=true");
    source.source.set_property("socket", &socket);
    source.play();
    peer.send(b"00000005hello00000005tor");
    drop(peer);
    assert_eq!(source.rest(), [b"hello"]);
    source.expect_error().is(gst::ResourceError::Read);

    let (socket, _, peer) = wrapped_socket();
    let sink = Sender::new("reconnect=true");
    sink.sink.set_property("socket", &socket);
    sink.start();
    sink.push(b"hello");
    assert_eq!(peer.receive_frame(), b"hello");
    peer.reset();
    sink.expect_error().is(gst::ResourceError::Write);
}

#[test]
fn sockets_are_set_up_for_video() {
    let (socket, handle, peer) = wrapped_socket();
    let sink = Sender::new("qos-dscp=46");
    sink.sink.set_property("socket", &socket);
    sink.start();
    sink.push(b"hello");
    assert_eq!(peer.receive_frame(), b"hello");
    assert!(handle.tcp_nodelay().unwrap());
    assert!(handle.keepalive().unwrap());
    assert_eq!(handle.tos_v4().unwrap(), 46 << 2);
}
