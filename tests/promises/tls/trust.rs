// SPDX-License-Identifier: MPL-2.0
//! Who is at the other end is known to the application.

use super::authority::Authority;
use super::peer::{Peer, Server};
use crate::support::*;
use gst::ResourceError;
use gst::prelude::*;

/// Of the DER of a certificate, by the openssl that the elements do not use.
fn fingerprint(certificate: &str) -> String {
    let arguments = [
        "x509",
        "-noout",
        "-fingerprint",
        "-sha256",
        "-in",
        certificate,
    ];
    let output = std::process::Command::new("openssl")
        .args(arguments)
        .output()
        .expect("openssl");
    let text = String::from_utf8(output.stdout).expect("text");
    let (_, digits) = text.trim().split_once('=').expect("a fingerprint");
    digits.replace(':', "").to_lowercase()
}

#[test]
fn the_certificates_are_told() {
    let authority = Authority::new();
    let (server, client) = (authority.server(), authority.client());
    let receiver = Receiver::playing(&format!(
        "mode=listen port=0 tls=true {} tls-client-ca-file={}",
        server.properties(),
        authority.file
    ));
    let port = receiver.port();
    let sender = Sender::playing(&format!(
        "port={port} tls=true {} tls-ca-file={}",
        client.properties(),
        authority.file
    ));
    for (connected, identity, name) in [
        (
            receiver.expect_message("videosocket-connected"),
            &client,
            "client",
        ),
        (
            sender.expect_message("videosocket-connected"),
            &server,
            "server",
        ),
    ] {
        let text = |field: &str| connected.get::<String>(field).expect(field);
        assert_eq!(text("certificate-subject"), format!("CN={name}"));
        assert_eq!(
            text("certificate-sha256"),
            fingerprint(&identity.certificate)
        );
    }
}

#[test]
fn a_handler_lets_in_who_it_knows() {
    let authority = Authority::new();
    let (known, stranger) = (authority.client(), authority.issue("stranger", &[]));
    let sender = Sender::new(&format!(
        "mode=listen port=0 tls=true {} tls-client-ca-file={}",
        authority.server().properties(),
        authority.file
    ));
    let wanted = fingerprint(&known.certificate);
    sender
        .sink
        .connect("client-connecting", false, move |arguments| {
            let sink = arguments[0].get::<gst::Element>().expect("the sink");
            let shown = sink.property::<Option<gst::Structure>>("connecting-certificate");
            let sha256 = shown.and_then(|shown| shown.get::<String>("sha256").ok());
            Some((sha256.as_deref() == Some(wanted.as_str())).to_value())
        });
    sender.start();
    let refused = Peer::connect(sender.port(), &authority, Some(&stranger), &[]);
    refused.expect_end();
    let admitted = Peer::connect(sender.port(), &authority, Some(&known), &[]);
    sender.push(b"hello");
    assert_eq!(admitted.receive_frame(), b"hello");
    let shown = sender
        .sink
        .property::<Option<gst::Structure>>("connecting-certificate");
    assert_eq!(shown, None, "nobody is connecting");
}

#[test]
fn whoever_is_believed_without_a_look_is_warned_of() {
    let authority = Authority::new();
    let server = Server::new(&authority.self_signed("anybody", true), &[]);
    let port = server.port();
    let accepting = Background::run(move || server.accept());
    let receiver = Receiver::playing(&format!("port={port} tls=true tls-verify=false"));
    let warning = receiver.expect_warning().from(&receiver.source);
    warning
        .is(ResourceError::Settings)
        .says(&["tls-verify=false", "tls-ca-file"]);
    let peer = accepting.join().expect("a handshake");
    peer.send_frame(b"hello");
    assert_eq!(receiver.frame(), b"hello");
}

/// Also one that says to be an authority, as that of `openssl req -x509` does.
#[test]
fn a_certificate_may_be_given_itself() {
    let authority = Authority::new();
    for is_authority in [false, true] {
        let server = authority.self_signed("camera", is_authority);
        let client = authority.self_signed("viewer", is_authority);
        let sender = Sender::playing(&format!(
            "mode=listen port=0 tls=true {} tls-client-ca-file={}",
            server.properties(),
            client.certificate
        ));
        let port = sender.port();
        let receiver = Receiver::playing(&format!(
            "port={port} tls=true {} tls-ca-file={}",
            client.properties(),
            server.certificate
        ));
        receiver.expect_message("videosocket-connected");
        sender.push(b"hello");
        assert_eq!(receiver.frame(), b"hello");
    }
}

/// Who is slow to say anything, or says nothing at all, is not waited for.
#[test]
fn silent_clients_hold_up_nobody() {
    let authority = Authority::new();
    let own = authority.server().properties();
    let sender = Sender::playing(&format!("mode=listen port=0 tls=true {own}"));
    let _silent: Vec<_> = (0..20)
        .map(|_| crate::support::Peer::connect(sender.port()))
        .collect();
    let peer = Peer::connect(sender.port(), &authority, None, &[]);
    sender.push(b"hello");
    assert_eq!(peer.receive_frame(), b"hello");
    assert_eq!(number(&sender.sink, "num-clients"), 1);
}
