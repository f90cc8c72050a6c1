// SPDX-License-Identifier: MPL-2.0
//! The memory of a frame goes as soon as nobody needs it, and its owner may ask the sink whatever it likes.

use crate::support::*;
use gst::glib;
use gst::prelude::*;
use std::sync::mpsc;

const FRAME: usize = 1_000_000;
/// More than the kernel holds for a client that does not read.
const FRAMES: usize = 40;

/// Memory of an application that looks at the sink's counters, and turns a knob, when it comes back.
struct Lent {
    bytes: Vec<u8>,
    sink: glib::WeakRef<gst::Element>,
    back: mpsc::Sender<()>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(sink) = self.sink.upgrade() {
            sink.property::<gst::Structure>("stats");
            number(&sink, "num-clients");
            sink.set_property("request-keyframes", true);
        }
        let _ = self.back.send(());
    }
}

/// What has been lent and is to come back.
struct Loans {
    sink: glib::WeakRef<gst::Element>,
    lend: mpsc::Sender<()>,
    returned: mpsc::Receiver<()>,
}

impl Loans {
    fn to(sender: &Sender) -> Self {
        let (lend, returned) = mpsc::channel();
        Self {
            sink: sender.sink.downgrade(),
            lend,
            returned,
        }
    }

    fn buffer(&self, len: usize) -> gst::Buffer {
        gst::Buffer::from_slice(Lent {
            bytes: payload(1, len),
            sink: self.sink.clone(),
            back: self.lend.clone(),
        })
    }

    #[track_caller]
    fn expect(&self, count: usize) {
        for i in 0..count {
            let returned = self.returned.recv_timeout(PATIENCE);
            assert_eq!(returned, Ok(()), "{i} of {count} came back");
        }
    }
}

/// A sink with a client that does not read, and as many frames lent to it as there are drops for.
fn stalled() -> (Sender, Peer, Loans) {
    let sink = Sender::playing(
        "mode=listen port=0 overflow=drop max-size-buffers=2 enable-last-sample=false",
    );
    let peer = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    let loans = Loans::to(&sink);
    for _ in 0..FRAMES {
        sink.push_buffer(loans.buffer(FRAME))
            .expect("a frame taken");
    }
    (sink, peer, loans)
}

#[test]
fn that_of_a_frame_sent() {
    let sink = Sender::playing("mode=listen port=0 enable-last-sample=false");
    let peer = Peer::connect(sink.port());
    let loans = Loans::to(&sink);
    for len in [0, 1, FRAME] {
        let frame = loans.buffer(len);
        let pushing = sink.in_background(move |feed| feed.try_push(frame));
        assert_frames(&[peer.receive_frame()], &[payload(1, len)]);
        pushing.join().expect("it returns").expect("a frame taken");
        loans.expect(1);
    }
}

#[test]
fn that_of_frames_sent_while_a_push_waits() {
    let sink = Sender::playing(
        "mode=listen port=0 overflow=block max-size-buffers=1 enable-last-sample=false",
    );
    let peer = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    let loans = Loans::to(&sink);
    let frames: Vec<_> = (0..FRAMES).map(|_| loans.buffer(FRAME)).collect();
    let pushing = sink.in_background(|feed| {
        frames
            .into_iter()
            .try_for_each(|frame| feed.try_push(frame).map(drop))
    });
    for _ in 0..FRAMES {
        assert_frames(&[peer.receive_frame()], &[payload(1, FRAME)]);
    }
    pushing.join().expect("it returns").expect("all taken");
    loans.expect(FRAMES);
}

#[test]
fn that_of_a_frame_dropped() {
    let (sink, _peer, loans) = stalled();
    let dropped = stat(&sink.sink, "frames-dropped");
    assert!(dropped > 0);
    loans.expect(dropped as usize);
}

#[test]
fn that_of_frames_for_a_client_that_goes() {
    let (sink, peer, loans) = stalled();
    drop(peer);
    loans.expect(FRAMES);
    await_number(&sink.sink, "num-clients", 0);
    let [sent, dropped] = ["frames-sent", "frames-dropped"].map(|field| stat(&sink.sink, field));
    assert_eq!(sent + dropped, FRAMES as u64, "{sent} sent");
}

#[test]
fn that_of_frames_before_a_flush() {
    let (sink, _peer, loans) = stalled();
    sink.flush();
    // The one that has been begun stays.
    loans.expect(FRAMES - 1);
}

#[test]
fn that_of_all_frames_before_a_stop() {
    let (sink, _peer, loans) = stalled();
    sink.stop();
    loans.expect(FRAMES);
}

#[test]
fn that_of_a_picture_that_newcomers_do_not_begin_with_any_more() {
    let settings = "mode=listen port=0 sync-method=latest-keyframe enable-last-sample=false";
    let sink = Sender::playing(settings);
    let peer = Peer::connect(sink.port());
    await_number(&sink.sink, "num-clients", 1);
    let loans = Loans::to(&sink);
    sink.push_buffer(loans.buffer(5)).expect("a frame taken");
    assert_frames(&[peer.receive_frame()], &[payload(1, 5)]);
    let element = sink.sink.clone();
    let setting = Background::run(move || {
        element.set_property_from_str("sync-method", "next-keyframe");
    });
    setting.join().expect("it returns");
    loans.expect(1);
}

#[test]
fn that_of_a_frame_sent_ahead_of_playing_before_a_stop() {
    let listener = Listener::new();
    let sink = Sender::new(&format!(
        "port={} connection-id=released enable-last-sample=false",
        listener.port()
    ));
    sink.start_paused();
    let loans = Loans::to(&sink);
    let frame = loans.buffer(5);
    let pushing = sink.in_background(move |feed| feed.try_push(frame));
    assert_frames(&[listener.accept().receive_frame()], &[payload(1, 5)]);
    let pipeline = sink.sink.clone();
    let stopping = Background::run(move || pipeline.set_state(gst::State::Null));
    stopping.join().expect("it stops").expect("it stops");
    let pushed = pushing.join().expect("it returns");
    assert_eq!(pushed, Err(gst::FlowError::Flushing));
    loans.expect(1);
}
