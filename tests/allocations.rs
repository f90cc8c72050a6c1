// SPDX-License-Identifier: MPL-2.0
//! Moving frames takes no memory from the heap once it runs: what is needed is used again and again.

#[allow(dead_code, unused_imports, reason = "most helpers serve other tests")]
mod support;

use gst::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use support::*;

/// Counts what Rust code takes from the heap. What GStreamer takes for its buffers is its own.
struct Counting;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: everything is left to the system's allocator.
#[allow(unsafe_code, reason = "an allocator is unsafe by its trait")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.fetch_add(1, Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above; the memory came from there.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Frames that are looked at together.
const FRAMES: usize = 400;

/// Rounds of them that take nothing, one after the other.
const QUIET: usize = 3;

/// Before those, what is kept grows: the frames that wait, those held back until a lock is free, and those of
/// the pool. None of them ever has as many as this, and each growth doubles the room for them.
const MOST_KEPT: usize = 1 << 10;
const MOST_GROWTHS: usize = 3 * MOST_KEPT.ilog2() as usize;

/// The end of a pipeline, which takes nothing from the heap itself.
#[derive(Default)]
struct Counter {
    frames: Mutex<usize>,
    more: Condvar,
}

impl Counter {
    fn add(&self, frames: usize) -> Result<gst::FlowSuccess, gst::FlowError> {
        *self.frames.lock().unwrap() += frames;
        self.more.notify_all();
        Ok(gst::FlowSuccess::Ok)
    }

    fn pad(self: &Arc<Self>) -> gst::Pad {
        let (single, list) = (self.clone(), self.clone());
        gst::Pad::builder(gst::PadDirection::Sink)
            .chain_function(move |_, _, _| single.add(1))
            .chain_list_function(move |_, _, buffers| list.add(buffers.len()))
            .event_function(|_, _, _| true)
            .build()
    }

    #[track_caller]
    fn expect(&self, frames: usize) {
        let count = self.frames.lock().unwrap();
        let waited = self
            .more
            .wait_timeout_while(count, PATIENCE, |count| *count < frames);
        assert_eq!(*waited.unwrap().0, frames);
    }
}

fn buffers(len: usize) -> Vec<gst::Buffer> {
    let one = gst::Buffer::with_size(len).expect("memory");
    (0..FRAMES).map(|_| one.copy()).collect()
}

/// What the heap gave in each round while frames of this size went from a sink with these properties to a source.
fn taken(len: usize, properties: &str) -> Vec<usize> {
    init();
    let element = gst::parse::launch("videosocketsrc host=127.0.0.1 mode=listen port=0")
        .expect("a source with these properties");
    let pipeline = gst::Pipeline::new();
    pipeline.add(&element).expect("a new source");
    let source = Pipeline::of(pipeline);
    let counter = Arc::new(Counter::default());
    let output = counter.pad();
    output.set_active(true).expect("a pad");
    let pad = element.static_pad("src").expect("a source pad");
    pad.link(&output).expect("a link");
    source.play();
    let port = number(&element, "current-port");
    let sink = Sender::playing(&format!("port={port} {properties}"));
    // From one thread, as a thread keeps memory of its own.
    let pushing = sink.in_background(move |feed| {
        let mut rounds = Vec::new();
        while !is_quiet(&rounds) && rounds.len() < QUIET * (MOST_GROWTHS + 1) {
            let frames = buffers(len);
            let before = TAKEN.load(Relaxed);
            for frame in frames {
                feed.try_push(frame).expect("the frame is taken");
            }
            counter.expect((rounds.len() + 1) * FRAMES);
            rounds.push(TAKEN.load(Relaxed) - before);
        }
        rounds
    });
    pushing.join().expect("every frame was taken")
}

fn is_quiet(rounds: &[usize]) -> bool {
    rounds.ends_with(&[0; QUIET])
}

/// One test, since the heap is everybody's.
#[test]
fn no_frame_takes_memory_from_the_heap() {
    // Larger ones take so long that the clock, which is told once a second, comes in between.
    let sizes = [100, 1000, 20_000, 100_000, 3_000_000];
    for (properties, sizes) in [("", &sizes[..]), ("metadata=on", &sizes[..4])] {
        for &len in sizes {
            let rounds = taken(len, properties);
            assert!(
                is_quiet(&rounds),
                "{rounds:?} for frames of {len} bytes, {properties}"
            );
        }
    }
}
