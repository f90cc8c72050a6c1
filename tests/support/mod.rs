// SPDX-License-Identifier: MPL-2.0
//! What every test needs: the elements registered, a sink to push into, a source to read from, a plain TCP
//! program on the other end, and waits that end.

mod background;
mod held;
mod leaks;
#[cfg(target_os = "linux")]
mod link;
mod peer;
mod pipeline;
mod process;
mod receiver;
mod sender;

pub use background::Background;
pub use held::Held;
#[cfg(target_os = "linux")]
pub use link::{Link, Place, over_link};
pub use peer::{
    BlackHole, Listener, Peer, ReservedPort, UNKNOWN_NAME, frame, has_ipv6, wrapped_socket,
};
pub use pipeline::{Fault, Pipeline};
pub use process::{Usage, memory_in_use, peak_memory};
pub use receiver::Receiver;
pub use sender::{Feed, Sender, buffer, delta};

use gst::glib;
use gst::prelude::*;
use std::sync::{Once, mpsc};
use std::time::{Duration, Instant};

/// How long anything may take before a test calls it hung. Nothing waits this long in a run that passes.
pub const PATIENCE: Duration = Duration::from_secs(20);

#[allow(unsafe_code, reason = "signals have no safe interface")]
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Rust programs start with SIGPIPE ignored; the C programs that host the elements do not.
        // SAFETY: no handler is installed, only the default put back, before any other thread sends anything.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        end_at_criticals();
        gst::init().expect("GStreamer starts");
        leaks::tell_at_exit();
        gstvideosocket::plugin_register_static().expect("the elements register");
    });
}

/// One of each.
pub fn elements() -> [gst::Element; 2] {
    init();
    ["videosocketsink", "videosocketsrc"].map(|name| {
        gst::ElementFactory::make(name)
            .build()
            .expect("a registered element")
    })
}

/// As `G_DEBUG=fatal-criticals`, which is read before a test begins.
fn end_at_criticals() {
    let fatal = glib::LogLevels::LEVEL_ERROR | glib::LogLevels::LEVEL_CRITICAL;
    glib::log_set_always_fatal(fatal);
}

/// `len` bytes, different for each `seed` and the same in every run.
pub fn payload(seed: u64, len: usize) -> Vec<u8> {
    let mut state = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// `count` payloads of `len` bytes each.
pub fn payloads(count: u64, len: usize) -> Vec<Vec<u8>> {
    (0..count).map(|seed| payload(seed, len)).collect()
}

/// Equality that does not print megabytes when it fails.
#[track_caller]
pub fn assert_frames(got: &[Vec<u8>], want: &[Vec<u8>]) {
    let lengths = |frames: &[Vec<u8>]| frames.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lengths(got), lengths(want), "the lengths of the frames");
    for (index, (got, want)) in got.iter().zip(want).enumerate() {
        let differs = got.iter().zip(want).position(|(a, b)| a != b);
        assert_eq!(differs, None, "frame {index} differs from this byte on");
    }
}

/// A number property, whatever its integer type.
#[track_caller]
pub fn number(element: &gst::Element, property: &str) -> u64 {
    let value = element.property_value(property);
    value
        .transform::<u64>()
        .expect("a number")
        .get()
        .expect("a number")
}

/// A number in the element's `stats`.
#[track_caller]
pub fn stat(element: &gst::Element, field: &str) -> u64 {
    number_in(&element.property::<gst::Structure>("stats"), field)
}

#[track_caller]
pub fn number_in(structure: &gst::StructureRef, field: &str) -> u64 {
    let value = structure
        .value(field)
        .unwrap_or_else(|_| panic!("{structure} has {field}"));
    value
        .transform::<u64>()
        .expect("a number")
        .get()
        .expect("a number")
}

/// Waits for the notify that says `property` has become `wanted`.
#[track_caller]
pub fn await_number(element: &gst::Element, property: &str, wanted: u64) {
    let (changed, changes) = mpsc::channel();
    let handler = element.connect_notify(Some(property), move |_, _| {
        let _ = changed.send(());
    });
    let deadline = Instant::now() + PATIENCE;
    while number(element, property) != wanted {
        let left = deadline.saturating_duration_since(Instant::now());
        if changes.recv_timeout(left).is_err() {
            panic!(
                "{property} stayed {} and never became {wanted}",
                number(element, property)
            );
        }
    }
    element.disconnect(handler);
}

/// Waits until a source knows what its frames will be. A peer that asks late on a busy machine has lost some.
#[track_caller]
pub fn await_caps(source: &gst::Element) {
    let pad = source.static_pad("src").expect("a pad");
    eventually("caps", || pad.current_caps().is_some());
}

/// For what changes without telling: asks again until it holds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Calls back with the arguments of each emission of a signal.
pub fn listen_to<T: Send + 'static>(
    element: &gst::Element,
    signal: &str,
    answer: impl Fn(&[glib::Value]) -> T + Send + Sync + 'static,
) -> mpsc::Receiver<T> {
    let (heard, emissions) = mpsc::channel();
    element.connect(signal, false, move |arguments| {
        let _ = heard.send(answer(arguments));
        None
    });
    emissions
}

/// Caps that announce one stream header.
pub fn caps_with_header(header: &[u8]) -> gst::Caps {
    gst::Caps::builder("video/x-test")
        .field("streamheader", gst::Array::new([buffer(header)]))
        .build()
}
