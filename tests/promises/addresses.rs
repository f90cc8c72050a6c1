// SPDX-License-Identifier: MPL-2.0
//! Names and addresses, of both families.

use crate::support::*;
use gio::prelude::*;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6};

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
fn a_link_local_address_keeps_its_interface() {
    let Some((address, number, name)) = link_local() else {
        // Past the harness, which keeps the words of a test that passes to itself.
        let _ = writeln!(io::stderr(), "SKIPPED: no link-local address here");
        return;
    };
    for interface in [name, number.to_string()] {
        let host = format!("{address}%{interface}");
        let source = Receiver::playing(&format!("mode=listen host={host} port=0"));
        let listening = source.expect_message("videosocket-listening");
        assert_eq!(listening.get("address"), Ok(format!("{address}%{number}")));
        let sink = Sender::playing(&format!("host={host} port={}", source.port()));
        sink.push(b"hello");
        assert_eq!(source.frame(), b"hello", "{host}");
        let connected = sink.expect_message("videosocket-connected");
        let peer = format!("[{address}%{number}]:{}", source.port());
        assert_eq!(connected.get("peer"), Ok(peer));
    }
}

#[test]
fn clients_have_their_interface() {
    let Some((address, number, name)) = link_local() else {
        let _ = writeln!(io::stderr(), "SKIPPED: no link-local address here");
        return;
    };
    let sink = Sender::new(&format!("mode=listen host={address}%{name} port=0"));
    let added = listen_to(&sink.sink, "client-added", |args| {
        args[2]
            .get::<gio::InetSocketAddress>()
            .expect("an address")
            .scope_id()
    });
    sink.start();
    let _peer = Peer::connect_to(SocketAddrV6::new(address, sink.port(), 0, number));
    assert_eq!(added.recv_timeout(PATIENCE), Ok(number));
    let stats = sink.sink.property::<gst::Structure>("stats");
    let clients = stats.get::<gst::Array>("clients").expect("an array");
    let client = clients[0].get::<gst::Structure>().expect("a structure");
    let address: String = client.get("address").expect("an address");
    assert!(address.contains(&format!("%{number}]")), "{address}");
}

#[test]
fn an_interface_that_does_not_exist_is_named() {
    let source = Receiver::new("mode=listen host=fe80::1%nowhere0 port=0");
    let fault = source.expect_refusal().from(&source.source);
    fault
        .is(gst::ResourceError::OpenRead)
        .says(&["no interface", "nowhere0"]);
    let sink = Sender::playing("host=fe80::1%nowhere0 connect-timeout=100000000");
    let fault = sink.expect_error().from(&sink.sink);
    fault
        .is(gst::ResourceError::OpenWrite)
        .says(&["no interface", "nowhere0"]);
    // It would be anybody's.
    let source = Receiver::new("mode=listen host=fe80::1 port=0");
    source.expect_refusal().says(&["interface", "fe80::1%eth0"]);
}

/// One of this machine's, with the number and the name of its interface.
fn link_local() -> Option<(Ipv6Addr, u32, String)> {
    let all = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    all.lines().find_map(|line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let [address, number, _, scope, _, name] = columns[..] else {
            return None;
        };
        let address = u128::from_str_radix(address, 16).ok()?.into();
        let number = u32::from_str_radix(number, 16).ok()?;
        (scope == "20").then(|| (address, number, name.into()))
    })
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
