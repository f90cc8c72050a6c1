// SPDX-License-Identifier: MPL-2.0
//! Other people's TLS: that of Python, and the openssl command.

use super::authority::{Authority, Identity};
use crate::support::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

const LENGTHS: [usize; 6] = [0, 1, 60_000, 3_000_000, 0, 5];

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

fn patterns() -> Vec<Vec<u8>> {
    LENGTHS.map(pattern).to_vec()
}

fn stream() -> Vec<u8> {
    patterns()
        .iter()
        .flat_map(|payload| frame(payload))
        .collect()
}

/// By the openssl that the elements do not use.
fn sha256(payload: &[u8]) -> String {
    let mut child = Program::start("openssl", &["dgst", "-sha256", "-r"]);
    child.give(payload.to_vec());
    let digest = child.output();
    let digest = String::from_utf8(digest).expect("text");
    digest.split(' ').next().expect("digits").into()
}

struct Program(Child);

impl Program {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.unwrap_or_else(|error| panic!("{name}: {error}")))
    }

    /// In the background, and no more after it.
    fn give(&mut self, input: Vec<u8>) {
        let mut stdin = self.0.stdin.take().expect("a pipe");
        let _ = Background::run(move || stdin.write_all(&input));
    }

    #[track_caller]
    fn line(&mut self) -> String {
        let mut output = self.0.stdout.take().expect("a pipe");
        let reading = Background::run(move || {
            // No more than the line is there yet.
            let mut line = String::new();
            let read = BufReader::with_capacity(1, &mut output).read_line(&mut line);
            (read.map(|_| line), output)
        });
        let (line, output) = reading.join().expect("a line");
        self.0.stdout = Some(output);
        line.expect("text").trim().into()
    }

    /// All that it says up to its end, which is a good one.
    #[track_caller]
    fn output(mut self) -> Vec<u8> {
        let mut stdout = self.0.stdout.take().expect("a pipe");
        let reading = Background::run(move || {
            let mut output = Vec::new();
            stdout.read_to_end(&mut output).map(|_| output)
        });
        let output = reading
            .join()
            .expect("the program ends")
            .expect("its output");
        let status = self.0.wait().expect("a program");
        let mut errors = String::new();
        let _ = self
            .0
            .stderr
            .take()
            .expect("a pipe")
            .read_to_string(&mut errors);
        assert!(status.success(), "{status}: {errors}");
        output
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As a role, doing something, with this port.
fn python(authority: &Authority, own: &Identity, role: &str, what: &str, port: u16) -> Program {
    const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/promises/tls/peer.py");
    let (port, lengths) = (port.to_string(), LENGTHS.map(|len| len.to_string()));
    let mut arguments = vec![
        SCRIPT,
        role,
        what,
        &authority.file,
        &own.certificate,
        &own.key,
        &port,
    ];
    if what == "send" {
        arguments.extend(lengths.iter().map(String::as_str));
    }
    Program::start("python3", &arguments)
}

#[track_caller]
fn assert_digests(program: Program) {
    let output = String::from_utf8(program.output()).expect("text");
    let digests: Vec<_> = output.lines().collect();
    let expected: Vec<_> = patterns().iter().map(|payload| sha256(payload)).collect();
    assert_eq!(digests, expected);
}

#[test]
fn python_sends() {
    let authority = Authority::new();
    let own = authority.server();
    let receiver = Receiver::playing(&format!("mode=listen port=0 tls=true {}", own.properties()));
    let program = python(&authority, &own, "connect", "send", receiver.port());
    assert_frames(&receiver.frames(LENGTHS.len()), &patterns());
    receiver.expect_eos();
    program.output();

    let mut program = python(&authority, &own, "listen", "send", 0);
    let port = program.line();
    let trust = &authority.file;
    let receiver = Receiver::playing(&format!("port={port} tls=true tls-ca-file={trust}"));
    assert_frames(&receiver.frames(LENGTHS.len()), &patterns());
    receiver.expect_eos();
    program.output();
}

#[test]
fn python_receives() {
    let authority = Authority::new();
    let own = authority.server();
    let properties = format!(
        "mode=listen port=0 tls=true overflow=block {}",
        own.properties()
    );
    let sender = Sender::playing(&properties);
    let program = python(&authority, &own, "connect", "receive", sender.port());
    let sending = send_patterns(&sender);
    assert_digests(program);
    sending.join().expect("the sink takes it all");
    sender.expect_eos();

    let mut program = python(&authority, &own, "listen", "receive", 0);
    let port = program.line();
    let trust = &authority.file;
    let sender = Sender::playing(&format!("port={port} tls=true tls-ca-file={trust}"));
    let sending = send_patterns(&sender);
    assert_digests(program);
    sending.join().expect("the sink takes it all");
    sender.expect_eos();
}

/// While somebody takes them.
fn send_patterns(sender: &Sender) -> Background<()> {
    sender.in_background(|feed| {
        feed.push_all(&patterns());
        feed.end();
    })
}

fn client_arguments<'a>(authority: &'a Authority, address: &'a str) -> Vec<&'a str> {
    let trust = ["-CAfile", &authority.file, "-verify_return_error"];
    let mut arguments = vec!["s_client", "-connect", address, "-quiet"];
    arguments.extend(trust);
    arguments
}

#[test]
fn openssl_connects() {
    let authority = Authority::new();
    let own = authority.server().properties();
    let receiver = Receiver::playing(&format!("mode=listen port=0 tls=true {own}"));
    let address = format!("127.0.0.1:{}", receiver.port());
    let mut arguments = client_arguments(&authority, &address);
    arguments.extend(["-no_ign_eof", "-nocommands"]);
    let mut program = Program::start("openssl", &arguments);
    program.give(stream());
    assert_frames(&receiver.frames(LENGTHS.len()), &patterns());
    receiver.expect_eos();
    program.output();

    let sender = Sender::playing(&format!("mode=listen port=0 tls=true overflow=block {own}"));
    let address = format!("127.0.0.1:{}", sender.port());
    let program = Program::start("openssl", &client_arguments(&authority, &address));
    sender.expect_message("videosocket-connected");
    let sending = send_patterns(&sender);
    assert!(program.output() == stream(), "openssl gets the bytes");
    sending.join().expect("the sink takes it all");
    sender.expect_eos();
}

/// It knows no signature such as the certificate's.
#[test]
fn openssl_with_nothing_in_common() {
    let authority = Authority::new();
    let own = authority.server().properties();
    let receiver = Receiver::playing(&format!("mode=listen port=0 tls=true {own}"));
    let address = format!("127.0.0.1:{}", receiver.port());
    let mut arguments = client_arguments(&authority, &address);
    arguments.extend(["-tls1_2", "-sigalgs", "ECDSA+SHA384"]);
    let _program = Program::start("openssl", &arguments);
    let warning = receiver.expect_warning().from(&receiver.source);
    warning.says(&["no version, cipher or signature of TLS in common"]);
}

/// With TLS 1.2 it says no more than that the handshake has failed.
#[test]
fn openssl_wants_a_certificate() {
    let authority = Authority::new();
    let own = authority.server();
    for version in ["-tls1_2", "-tls1_3"] {
        let port = ReservedPort::new();
        let address = format!("127.0.0.1:{}", port.number());
        let arguments = ["s_server", "-accept", &address, "-quiet", "-Verify", "1"];
        let files = ["-cert", &own.certificate, "-key", &own.key];
        let program = [&arguments[..], &files, &[version, "-verify_return_error"]].concat();
        let _program = Program::start("openssl", &program);
        let settings = format!("{address} tls=true tls-ca-file={}", authority.file);
        let settings = settings.replace("127.0.0.1:", "host=127.0.0.1 port=");
        let receiver = Receiver::playing(&settings);
        let error = receiver.expect_error().from(&receiver.source);
        let wants = format!("{address} wants a certificate of this side");
        error.is(gst::ResourceError::NotAuthorized).says(&[&wants]);
    }
}

#[test]
fn openssl_listens() {
    let authority = Authority::new();
    let own = authority.server();
    let port = ReservedPort::new();
    let address = format!("127.0.0.1:{}", port.number());
    let arguments = ["s_server", "-accept", &address, "-quiet", "-naccept", "1"];
    let files = ["-cert", &own.certificate, "-key", &own.key];
    let program = Program::start("openssl", &[&arguments[..], &files].concat());
    let (number, trust) = (port.number(), &authority.file);
    let sender = Sender::playing(&format!("port={number} tls=true tls-ca-file={trust}"));
    let sending = send_patterns(&sender);
    assert!(program.output() == stream(), "openssl gets the bytes");
    sending.join().expect("the sink takes it all");
    sender.expect_eos();
}
