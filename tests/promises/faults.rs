// SPDX-License-Identifier: MPL-2.0
//! One error per fault, in a sentence for a person.

use crate::support::*;

#[test]
fn nobody_answers() {
    let port = ReservedPort::new();
    let settings = format!(
        "host=localhost port={} connect-timeout=300000000",
        port.number()
    );
    let says = ["localhost", &port.number().to_string(), "refused"];

    let source = Receiver::playing(&settings);
    let error = source.expect_error().from(&source.source);
    error
        .is(gst::ResourceError::OpenRead)
        .says(&says)
        .shows(&["127.0.0.1"]);

    let sink = Sender::playing(&settings);
    let pushing = sink.in_background(|feed| while feed.try_push(buffer(b"unsent")).is_ok() {});
    let error = sink.expect_error().from(&sink.sink);
    error
        .is(gst::ResourceError::OpenWrite)
        .says(&says)
        .shows(&["127.0.0.1"]);
    pushing.join().expect("the sink refuses further frames");
}

#[test]
fn no_such_host() {
    let settings = format!("host={UNKNOWN_NAME} connect-timeout=300000000");
    let source = Receiver::playing(&settings);
    source
        .expect_error()
        .is(gst::ResourceError::OpenRead)
        .says(&[UNKNOWN_NAME]);
}

#[test]
fn no_answer_at_all() {
    let hole = BlackHole::new();
    let source = Receiver::playing(&format!("port={} connect-timeout=300000000", hole.port()));
    let error = source.expect_error().is(gst::ResourceError::OpenRead);
    error.says(&["127.0.0.1", &hole.port().to_string()]);
}

#[test]
fn a_port_in_use() {
    let taken = Listener::new();
    let settings = format!("mode=listen port={}", taken.port());
    let port = taken.port().to_string();

    let source = Receiver::new(&settings);
    let error = source.expect_refusal().from(&source.source);
    error
        .is(gst::ResourceError::OpenRead)
        .says(&[&port, "in use"]);

    let sink = Sender::new(&settings);
    let error = sink.expect_refusal().from(&sink.sink);
    error
        .is(gst::ResourceError::OpenWrite)
        .says(&[&port, "in use"]);
}

#[test]
fn nowhere_to_connect_to() {
    for (settings, says) in [
        ("port=0", ["port", "mode=listen"]),
        ("host=*", ["host \"*\"", "mode=listen"]),
        ("host=\"\"", ["host \"\"", "mode=listen"]),
        ("uri=videosocket://*:4953", ["host \"*\"", "mode=listen"]),
        ("host=a/b", ["host was refused", "'/'"]),
        (
            "host=camera.local:4999",
            ["host was refused", "host=camera.local port=4999"],
        ),
        (
            "host=127.0.0.1:4999",
            ["host was refused", "host=127.0.0.1 port=4999"],
        ),
    ] {
        let source = Receiver::new(settings);
        let error = source.expect_refusal().from(&source.source);
        error.is(gst::ResourceError::Settings).says(&says);
        let sink = Sender::new(settings);
        let error = sink.expect_refusal().from(&sink.sink);
        error.is(gst::ResourceError::Settings).says(&says);
    }
}

#[test]
fn an_address_that_is_not_ours() {
    for host in ["192.0.2.1", UNKNOWN_NAME] {
        let source = Receiver::new(&format!("mode=listen port=0 host={host}"));
        source
            .expect_refusal()
            .is(gst::ResourceError::OpenRead)
            .says(&[host]);
        let sink = Sender::new(&format!("mode=listen port=0 host={host}"));
        sink.expect_refusal()
            .is(gst::ResourceError::OpenWrite)
            .says(&[host]);
    }
}

#[test]
fn a_frame_too_long_for_the_header_or_the_limit_leaves_the_connection_usable() {
    let cases: [(&str, usize, &str, &[u8]); 4] = [
        ("max-frame-size=1000", 1_001, "1000", b"00000004good"),
        ("length-digits=3", 1_000, "999", b"004good"),
        ("length-format=u16be", 65_536, "65535", b"\0\x04good"),
        ("length-format=u16le", 65_536, "65535", b"\x04\0good"),
    ];
    for (settings, len, limit, good) in cases {
        let listener = Listener::new();
        let sink = Sender::playing(&format!("port={} {settings}", listener.port()));
        sink.push(b"good");
        let peer = listener.accept();
        assert_eq!(peer.receive(good.len()), good);

        let refused = sink.push_buffer(buffer(&payload(1, len)));
        assert_eq!(refused, Err(gst::FlowError::Error));
        let error = sink.expect_error().from(&sink.sink);
        error.says(&[&len.to_string(), limit]);

        sink.push(b"good");
        assert_eq!(peer.receive(good.len()), good);
    }
}

/// A buffer with memory that nobody can read.
struct Unreadable(gst::Buffer);

impl Unreadable {
    #[allow(
        unsafe_code,
        reason = "no library makes memory that cannot be read, or locks it"
    )]
    fn new(memory: gst::Memory) -> Self {
        let mut unreadable = buffer(b"readable");
        let content = unreadable.get_mut().expect("the only owner");
        content.append_memory(memory);
        let memory = content.peek_memory(1).as_mut_ptr();
        // SAFETY: the memory lives as long as the buffer. Who holds this lock may write to it, and does not; it is given
        // back before the buffer is.
        let is_locked =
            unsafe { gst::ffi::gst_mini_object_lock(memory.cast(), gst::ffi::GST_LOCK_FLAG_WRITE) };
        assert_ne!(is_locked, 0);
        Self(unreadable)
    }
}

impl Drop for Unreadable {
    #[allow(unsafe_code, reason = "as above")]
    fn drop(&mut self) {
        let memory = self.0.peek_memory(1).as_mut_ptr();
        // SAFETY: the lock that was taken above.
        unsafe { gst::ffi::gst_mini_object_unlock(memory.cast(), gst::ffi::GST_LOCK_FLAG_WRITE) };
    }
}

#[test]
fn a_buffer_that_cannot_be_read_is_one_error_and_harms_no_connection() {
    let foreign = || gst::Memory::from_mut_slice(*b"unread");
    refuses(foreign, "cannot be mapped for reading");
    let system = || gst::Memory::with_size(6);
    refuses(system, "still mapped for writing");
}

#[track_caller]
fn refuses(memory: fn() -> gst::Memory, reason: &str) {
    for mode in ["connect", "listen"] {
        let listener = Listener::new();
        let port = if mode == "connect" {
            listener.port()
        } else {
            0
        };
        let sink = Sender::playing(&format!("mode={mode} port={port}"));
        let peer = match mode {
            "connect" => listener.accept(),
            _ => Peer::connect(sink.port()),
        };
        await_number(&sink.sink, "num-clients", 1);
        sink.push(b"good");
        let unreadable = Unreadable::new(memory());
        let refused = sink.push_buffer(unreadable.0.clone());
        assert_eq!(refused, Err(gst::FlowError::Error));
        let error = sink.expect_error().from(&sink.sink);
        error
            .is(gst::ResourceError::Read)
            .says(&["14 bytes", reason]);
        sink.push(b"good");
        assert_eq!(peer.receive_frames(2), [b"good", b"good"]);
        assert_eq!(number(&sink.sink, "num-clients"), 1);
        sink.stop();
        peer.expect_end();
        let others = sink.unread_errors(&sink.sink);
        assert!(others.is_empty(), "{others:?}");
    }
}

#[test]
fn a_frame_of_just_the_limit_passes() {
    let listener = Listener::new();
    let sink = Sender::playing(&format!("port={} max-frame-size=1000", listener.port()));
    sink.push(&payload(1, 1_000));
    assert_eq!(listener.accept().receive_frame(), payload(1, 1_000));
}

#[test]
fn an_error_is_reported_once() {
    let port = ReservedPort::new();
    let source = Receiver::playing(&format!("port={} connect-timeout=100000000", port.number()));
    source.rest();
    once(&source, &source.source);

    for torn in [&b"0000"[..], b"00000005he", b"nonsense"] {
        let source = Receiver::playing("mode=listen port=0");
        Peer::connect(source.port()).send(torn);
        source.rest();
        once(&source, &source.source);
    }

    let taken = Listener::new();
    let source = Receiver::new(&format!("mode=listen port={}", taken.port()));
    source.try_play();
    once(&source, &source.source);

    let sink = Sender::playing("mode=listen port=0 max-frame-size=10");
    let _peer = Peer::connect(sink.port());
    let _ = sink.push_buffer(buffer(b"longer than ten"));
    once(&sink, &sink.sink);
}

#[track_caller]
fn once(pipeline: &Pipeline, element: &gst::Element) {
    pipeline.stop();
    let errors = pipeline.unread_errors(element);
    assert_eq!(errors.len(), 1, "{errors:#?}");
}

#[test]
fn the_details_tell_where_in_the_code_the_fault_was_met_with() {
    let nobody = ReservedPort::new();
    let refused = Receiver::new("port=0");
    let unanswered = Receiver::playing(&format!(
        "port={} connect-timeout=100000000",
        nobody.number()
    ));
    let torn = Receiver::playing("mode=listen port=0");
    Peer::connect(torn.port()).send(b"00000005he");
    let survived = Receiver::playing("mode=listen port=0 reconnect=true");
    Peer::connect(survived.port()).send(b"00000005he");
    differ(
        "src/videosocketsrc/",
        &[
            refused.expect_refusal(),
            unanswered.expect_error(),
            torn.expect_error(),
            survived.expect_warning(),
        ],
    );

    let refused = Sender::new("port=0");
    let unanswered = Sender::playing(&format!(
        "port={} connect-timeout=100000000",
        nobody.number()
    ));
    let longer = Sender::playing("mode=listen port=0 max-frame-size=1");
    let _peer = Peer::connect(longer.port());
    let _ = longer.push_buffer(buffer(b"two"));
    differ(
        "src/videosocketsink/",
        &[
            refused.expect_refusal(),
            unanswered.expect_error(),
            longer.expect_error(),
        ],
    );
}

#[track_caller]
fn differ(folder: &str, faults: &[Fault]) {
    for (i, fault) in faults.iter().enumerate() {
        assert!(fault.place().contains(folder), "{fault}");
        let is_told_before = faults[..i].iter().any(|f| f.place() == fault.place());
        assert!(!is_told_before, "{faults:#?}");
    }
}
