// SPDX-License-Identifier: MPL-2.0
//! What is not as it should be is told by the side that knows, in a sentence that says what to do.

use super::authority::{Authority, Identity};
use crate::support::*;
use gst::ResourceError::{self, NotAuthorized, OpenRead, OpenWrite, Read, Settings, Write};
use gst::prelude::*;

/// A source that listens as `identity`, and a sink that connects with these properties.
fn pair(identity: &Identity, listening: &str, connecting: &str) -> (Receiver, Sender) {
    let own = identity.properties();
    let receiver = Receiver::playing(&format!("mode=listen port=0 tls=true {own} {listening}"));
    let port = receiver.port();
    let sender = Sender::new(&format!("port={port} tls=true {connecting}"));
    sender.start();
    (receiver, sender)
}

fn trusts(authority: &Authority) -> String {
    format!("tls-ca-file={}", authority.file)
}

/// The connecting side does not accept the certificate, and the listening side learns why as far as TLS tells it.
#[track_caller]
fn refused(identity: &Identity, connecting: &str, says: &[&str], other_says: &[&str]) {
    let (receiver, sender) = pair(identity, "", connecting);
    let error = sender.expect_error().from(&sender.sink);
    error.is(NotAuthorized).says(says);
    let warning = receiver.expect_warning().from(&receiver.source);
    warning.says(&["127.0.0.1"]).says(other_says);
}

#[test]
fn a_certificate_for_another_name() {
    let authority = Authority::new();
    let identity = authority.issue("other", &["camera.example", "192.0.2.7"]);
    refused(
        &identity,
        &trusts(&authority),
        &["camera.example, 192.0.2.7", "not for 127.0.0.1", "host"],
        &["refuses the certificate of this side"],
    );
}

#[test]
fn a_certificate_of_an_unknown_authority() {
    let (authority, other) = (Authority::new(), Authority::named("Another"));
    refused(
        &authority.server(),
        &trusts(&other),
        &["unknown authority", "CN=Test authority", "tls-ca-file"],
        &["does not know the authority"],
    );
}

/// Nor one of the system's, which on a small machine has none.
#[test]
fn a_certificate_of_none_of_the_systems_authorities() {
    let authority = Authority::new();
    let own = authority.server().properties();
    let receiver = Receiver::playing(&format!("mode=listen port=0 tls=true {own}"));
    let sender = Sender::new(&format!("port={} tls=true", receiver.port()));
    sender.try_play();
    let error = sender.expect_error().from(&sender.sink);
    error.says(&["authorit", "tls-ca-file"]);
}

#[test]
fn a_certificate_of_its_own_making() {
    let authority = Authority::new();
    for is_authority in [false, true] {
        refused(
            &authority.self_signed("camera", is_authority),
            &trusts(&authority),
            &["self-signed", "CN=camera", "tls-ca-file"],
            &["refuses the certificate of this side"],
        );
    }
}

#[test]
fn a_certificate_of_an_authority_that_was_made_anew() {
    let (authority, former) = (Authority::new(), Authority::new());
    refused(
        &authority.server(),
        &trusts(&former),
        &[
            "same name",
            "CN=Test authority",
            "another key",
            "tls-ca-file",
        ],
        &["refuses the certificate of this side"],
    );
}

/// An element does not start with such a one, but other programs do.
#[test]
fn a_certificate_of_the_past_or_of_the_future() {
    let authority = Authority::new();
    for (identity, words) in [
        (authority.expired("old"), ["has expired", "2004"]),
        (authority.not_yet_valid("new"), ["not yet valid", "2999"]),
    ] {
        let server = super::peer::Server::new(&identity, &[]);
        let port = server.port();
        let _accepting = Background::run(move || server.accept());
        let sender = Sender::playing(&format!("port={port} tls=true {}", trusts(&authority)));
        let error = sender.expect_error().from(&sender.sink);
        error.is(NotAuthorized).says(&words);
    }
}

#[test]
fn no_client_certificate() {
    let authority = Authority::new();
    let wants = format!("tls-client-ca-file={}", authority.file);
    let (receiver, sender) = pair(&authority.server(), &wants, &trusts(&authority));
    let warning = receiver.expect_warning().from(&receiver.source);
    warning
        .is(NotAuthorized)
        .says(&["shows no client certificate", "127.0.0.1"]);
    let error = sender.expect_error().from(&sender.sink);
    let wants = format!(
        "127.0.0.1:{} wants a certificate of this side",
        receiver.port()
    );
    error
        .is(NotAuthorized)
        .says(&[&wants, "tls-certificate-file"]);
}

#[test]
fn a_client_certificate_that_is_refused() {
    let (authority, other) = (Authority::new(), Authority::named("Another"));
    let wants = format!("tls-client-ca-file={}", authority.file);
    for (client, listener_says, sender_says) in [
        (
            other.client(),
            "unknown authority",
            "does not know the authority",
        ),
        (other.self_signed("me", true), "self-signed", "this side"),
    ] {
        let connecting = format!("{} {}", trusts(&authority), client.properties());
        let (receiver, sender) = pair(&authority.server(), &wants, &connecting);
        let warning = receiver.expect_warning().from(&receiver.source);
        warning
            .is(NotAuthorized)
            .says(&[listener_says, "tls-client-ca-file"]);
        let error = sender.expect_error().from(&sender.sink);
        let refuses = format!("127.0.0.1:{} refuses the certificate", receiver.port());
        error.is(NotAuthorized).says(&[&refuses, sender_says]);
    }
}

/// The one that connects sends first, or waits for what is sent.
#[test]
fn plain_to_a_tls_port() {
    let authority = Authority::new();
    let own = authority.server().properties();
    let receiver = Receiver::playing(&format!("mode=listen port=0 tls=true {own}"));
    let sender = Sender::playing(&format!("port={}", receiver.port()));
    sender.push(b"hello");
    let warning = receiver.expect_warning().from(&receiver.source);
    warning
        .is(OpenRead)
        .says(&["does not speak TLS", "00000005hello", "tls=true"]);
    let error = sender.expect_error().from(&sender.sink);
    error.is(Write).says(&["speaks TLS", "tls=true"]);
}

#[test]
fn plain_from_a_tls_port() {
    let authority = Authority::new();
    let own = authority.server().properties();
    let sender = Sender::playing(&format!("mode=listen port=0 tls=true {own}"));
    let port = sender.port();
    let receiver = Receiver::playing(&format!("port={port} metadata=request"));
    let error = receiver.expect_error().from(&receiver.source);
    error
        .is(gst::StreamError::Decode)
        .says(&["speaks TLS", "tls=true"]);
}

#[test]
fn tls_to_a_plain_port() {
    let authority = Authority::new();
    let receiver = Receiver::playing("mode=listen port=0");
    let sender = Sender::playing(&format!(
        "port={} tls=true {}",
        receiver.port(),
        trusts(&authority)
    ));
    let error = sender.expect_error().from(&sender.sink);
    error.is(OpenWrite).says(&["does not speak TLS"]);
    let error = receiver.expect_error().from(&receiver.source);
    error
        .is(gst::StreamError::Decode)
        .says(&["speaks TLS", "tls=true"]);

    let sender = Sender::playing("mode=listen port=0 wait-for-connection=false sync-method=latest");
    let port = sender.port();
    let receiver = Receiver::playing(&format!("port={port} tls=true {}", trusts(&authority)));
    sender.expect_message("videosocket-connected");
    sender.push(b"hello");
    let error = receiver.expect_error().from(&receiver.source);
    error
        .is(OpenRead)
        .says(&["does not speak TLS", "00000005hello", "tls=false"]);
}

/// FIN without the end that TLS has may be anybody's doing.
#[test]
fn a_cut_stream() {
    let authority = Authority::new();
    let own = authority.server().properties();
    for (sent, words) in [
        (
            frame(b"whole"),
            &["is lost", "without the end that TLS has"][..],
        ),
        (
            b"00000009cut".to_vec(),
            &[
                "is lost",
                "without the end that TLS has",
                "3 of a frame's 9",
            ],
        ),
    ] {
        let receiver = Receiver::playing(&format!("mode=listen port=0 tls=true {own}"));
        let peer = super::peer::Peer::connect(receiver.port(), &authority, None, &[]);
        peer.send(&sent);
        peer.cut();
        let error = receiver.expect_error().from(&receiver.source);
        error.is(Read).says(words);
    }
}

#[test]
fn a_cut_client_is_lost() {
    let authority = Authority::new();
    let own = authority.server().properties();
    let sender = Sender::playing(&format!("mode=listen port=0 tls=true {own}"));
    let removed = listen_to(&sender.sink, "client-removed", |arguments| {
        arguments[2].serialize().expect("a reason").to_string()
    });
    for (ends, reason) in [(true, "failed"), (false, "removed")] {
        let peer = super::peer::Peer::connect(sender.port(), &authority, None, &[]);
        sender.push(b"hello");
        assert_eq!(peer.receive_frame(), b"hello");
        if ends {
            peer.cut();
        } else {
            // An end as it should be is that of the peer's own stream alone.
            peer.end_sending();
            sender.push(b"more");
            assert_eq!(peer.receive_frame(), b"more");
            sender.disconnect_client(2);
        }
        assert_eq!(removed.recv_timeout(PATIENCE).as_deref(), Ok(reason));
    }
}

#[track_caller]
fn not_started(properties: &str, code: ResourceError, says: &[&str]) {
    let sender = Sender::new(&format!("port=0 mode=listen tls=true {properties}"));
    sender.expect_refusal().is(code).says(says);
    let receiver = Receiver::new(&format!("port=0 mode=listen tls=true {properties}"));
    receiver.expect_refusal().is(code).says(says);
}

#[test]
fn files_that_cannot_be_used() {
    let authority = Authority::new();
    let (server, other) = (authority.server(), authority.client());
    let text = authority.file("text", "no certificate");
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let locked = authority.file("locked", locked);
    let own = |certificate: &str, key: &str| {
        format!("tls-certificate-file={certificate} tls-private-key-file={key}")
    };
    let usual = server.properties();
    for (properties, says) in [
        (
            own("/nowhere.pem", &server.key),
            &["tls-certificate-file=/nowhere.pem", "cannot be read"][..],
        ),
        (
            own(&server.certificate, "/nowhere.pem"),
            &["tls-private-key-file=/nowhere.pem", "cannot be read"],
        ),
        (
            own(&text, &server.key),
            &[&text, "no certificate in PEM form"],
        ),
        (
            own(&server.certificate, &text),
            &[&text, "no private key in PEM form"],
        ),
        (
            own(&server.certificate, &locked),
            &[&locked, "encrypted", "openssl pkey"],
        ),
        (
            own(&server.certificate, &other.key),
            &["is not the key of the certificate", &server.certificate],
        ),
        (
            authority.expired("old").properties(),
            &["has expired", "2004"],
        ),
        (
            authority.not_yet_valid("new").properties(),
            &["not yet valid", "2999"],
        ),
        (
            format!("{usual} tls-client-ca-file={text}"),
            &["tls-client-ca-file=", "no certificate"],
        ),
        (
            format!(
                "{usual} tls-client-ca-file={}",
                authority.expired("ca").certificate
            ),
            &["tls-client-ca-file=", "has expired"],
        ),
    ] {
        not_started(&properties, Settings, says);
    }
}

#[test]
fn settings_that_contradict_each_other() {
    let authority = Authority::new();
    let (own, ca) = (authority.server().properties(), &authority.file);
    let certificate = authority.server().certificate;
    for (properties, says) in [
        (
            "mode=listen port=0 tls=true".to_string(),
            &["tls-certificate-file", "tls-private-key-file", "openssl"][..],
        ),
        (
            format!("mode=listen port=0 tls=true tls-certificate-file={certificate}"),
            &["tls-private-key-file is not"],
        ),
        (
            format!("tls=true tls-private-key-file={certificate}"),
            &["tls-certificate-file is not"],
        ),
        (
            format!("tls-ca-file={ca}"),
            &["tls-ca-file is set", "tls=false"],
        ),
        (
            format!("mode=listen port=0 {own}"),
            &["tls-certificate-file is set", "tls=false"],
        ),
        (
            format!("mode=listen port=0 tls=true {own} tls-ca-file={ca}"),
            &["tls-ca-file", "tls-client-ca-file"],
        ),
        (
            format!("tls=true tls-client-ca-file={ca}"),
            &["tls-client-ca-file", "mode=listen"],
        ),
        (
            format!("tls=true tls-ca-file={ca} tls-verify=false"),
            &["tls-ca-file", "tls-verify=false"],
        ),
        (
            format!("mode=listen port=0 tls=true {own} tls-client-ca-file={ca} tls-verify=false"),
            &["tls-client-ca-file", "tls-verify=false"],
        ),
    ] {
        Sender::new(&properties)
            .expect_refusal()
            .is(Settings)
            .says(says);
        Receiver::new(&properties)
            .expect_refusal()
            .is(Settings)
            .says(says);
    }
}
