// SPDX-License-Identifier: MPL-2.0
//! Frames are received into the memory that downstream asks for, where they lie in it as they come.

use crate::support::*;
use gst::{glib, prelude::*, subclass::prelude::*};
use gst_base::prelude::BaseSrcExt;
use gst_video::prelude::*;
use gst_video::{VideoAlignment, VideoBufferPool, VideoFormat, VideoMeta};
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock, mpsc};

const CAPS: &str = "video/x-raw,format=I420,width=320,height=240,framerate=30/1";
const SIZE: u32 = 320 * 240 * 3 / 2;

fn frames(seeds: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    seeds.map(|seed| payload(seed, SIZE as usize)).collect()
}

/// A source whose downstream answers the allocation query.
fn receiver(
    properties: &str,
    answer: impl Fn(&mut gst::query::Allocation) + Send + Sync + 'static,
) -> Receiver {
    let receiver = idle_receiver(properties, answer);
    receiver.play();
    receiver
}

fn idle_receiver(
    properties: &str,
    answer: impl Fn(&mut gst::query::Allocation) + Send + Sync + 'static,
) -> Receiver {
    let source =
        format!("videosocketsrc name=source mode=listen host=127.0.0.1 port=0 {properties}");
    // In between lies what lets buffer lists pass to a pad with a probe.
    let output = "queue ! appsink name=output sync=false";
    let receiver = Receiver::of(Pipeline::launch(&format!("{source} ! {output}")));
    let pad = receiver.output.static_pad("sink").expect("a pad");
    pad.add_probe(
        gst::PadProbeType::QUERY_DOWNSTREAM,
        move |_, info| match info.query_mut().map(gst::QueryRef::view_mut) {
            Some(gst::QueryViewMut::Allocation(query)) => {
                answer(query);
                gst::PadProbeReturn::Handled
            }
            _ => gst::PadProbeReturn::Ok,
        },
    );
    receiver.play();
    receiver
}

/// A source of raw video whose downstream proposes `pool`, for `size` bytes and at most `max` buffers.
fn receiver_with(pool: &gst::BufferPool, size: u32, max: u32) -> Receiver {
    let pool = pool.clone();
    receiver(&format!("caps={CAPS}"), move |query| {
        query.add_allocation_pool(Some(&pool), size, 0, max);
    })
}

fn video_pool() -> gst::BufferPool {
    init();
    VideoBufferPool::new().upcast()
}

fn send_all(peer: &Peer, frames: &[Vec<u8>]) {
    for frame in frames {
        peer.send_frame(frame);
    }
}

fn buffers(receiver: &Receiver, count: usize) -> Vec<gst::Buffer> {
    (0..count).map(|_| receiver.buffer()).collect()
}

fn content(buffers: &[gst::Buffer]) -> Vec<Vec<u8>> {
    let maps = buffers.iter().map(|buffer| buffer.map_readable());
    maps.map(|map| map.expect("memory").to_vec()).collect()
}

/// An appsink keeps the last buffer that it has given away.
fn make_forget(receiver: &Receiver, peer: &Peer) {
    let other = [0; SIZE as usize + 1];
    peer.send_frame(&other);
    assert_eq!(receiver.frame(), other);
}

#[allow(unsafe_code, reason = "the bindings do not tell a buffer's pool")]
fn is_from(buffer: &gst::Buffer, pool: &gst::BufferPool) -> bool {
    // SAFETY: the buffer is alive, and the pointer in it is looked at only as a number.
    unsafe { (*buffer.as_ptr()).pool == pool.as_ptr() }
}

#[track_caller]
fn assert_not_used(pool: &gst::BufferPool, receiver: &Receiver) {
    let frames = frames(0..4);
    send_all(&Peer::connect(receiver.port()), &frames);
    let buffers = buffers(receiver, 4);
    assert_frames(&content(&buffers), &frames);
    assert!(!buffers.iter().any(|buffer| is_from(buffer, pool)));
}

#[test]
fn frames_are_received_into_the_pool_of_downstream() {
    for (format, width, height, size) in [
        ("GRAY8", 16, 16, 256),
        ("I420", 320, 240, 115_200),
        ("I420", 640, 480, 460_800),
    ] {
        let caps = format!("video/x-raw,format={format},width={width},height={height}");
        let pool = video_pool();
        let mut config = pool.config();
        config.add_option(gst_video::BUFFER_POOL_OPTION_VIDEO_META.as_ref());
        pool.set_config(config).expect_err("no caps yet");
        let proposed = pool.clone();
        let receiver = receiver(&format!("caps={caps},framerate=30/1"), move |query| {
            query.add_allocation_pool(Some(&proposed), size, 0, 0);
        });
        let frames = payloads(10, size as usize);
        send_all(&Peer::connect(receiver.port()), &frames);
        let buffers = buffers(&receiver, 10);
        assert_frames(&content(&buffers), &frames);
        for buffer in &buffers {
            assert!(is_from(buffer, &pool));
            assert!(buffer.meta::<VideoMeta>().is_some(), "its metas are gone");
            assert!(buffer.pts().is_some());
        }
    }
}

#[test]
fn a_pool_that_has_no_more_holds_up_nothing() {
    let pool = video_pool();
    let receiver = receiver_with(&pool, SIZE, 2);
    let peer = Peer::connect(receiver.port());
    send_all(&peer, &frames(0..5));
    let held = buffers(&receiver, 5);
    let from_pool: Vec<_> = held.iter().map(|buffer| is_from(buffer, &pool)).collect();
    assert_eq!(from_pool, [true, true, false, false, false]);
    assert_frames(&content(&held), &frames(0..5));

    drop(held);
    send_all(&peer, &frames(5..6));
    let held = receiver.buffer();
    assert!(is_from(&held, &pool));
    send_all(&peer, &frames(6..9));
    assert_frames(&receiver.frames(3), &frames(6..9));
    assert_frames(&content(&[held]), &frames(5..6));
}

#[test]
fn memory_that_is_held_without_its_buffer_is_not_written_to() {
    let pool = video_pool();
    let receiver = receiver_with(&pool, SIZE, 1);
    let peer = Peer::connect(receiver.port());
    send_all(&peer, &frames(0..1));
    let buffer = receiver.buffer();
    assert!(is_from(&buffer, &pool));
    let held = buffer.memory(0).expect("a memory");
    drop(buffer);
    make_forget(&receiver, &peer);
    send_all(&peer, &frames(1..4));
    assert_frames(&receiver.frames(3), &frames(1..4));
    let held = held.into_mapped_memory_readable().expect("memory");
    assert_frames(&[held.to_vec()], &frames(0..1));
}

#[test]
fn a_pool_with_padding_is_not_used() {
    let caps: gst::Caps = CAPS.parse().expect("caps");
    let padded_size = |pool: &gst::BufferPool| pool.config().params().expect("params").1;
    for tells in [true, false] {
        let pool = video_pool();
        let mut config = pool.config();
        config.set_params(Some(&caps), SIZE, 0, 0);
        config.add_option(gst_video::BUFFER_POOL_OPTION_VIDEO_META.as_ref());
        config.add_option(gst_video::BUFFER_POOL_OPTION_VIDEO_ALIGNMENT.as_ref());
        config.set_video_alignment(&VideoAlignment::new(2, 2, 16, 16, &[0; 4]));
        pool.set_config(config).expect("a configuration");
        assert!(padded_size(&pool) > SIZE);
        let size = if tells { padded_size(&pool) } else { SIZE };
        let receiver = receiver_with(&pool, size, 0);
        assert_not_used(&pool, &receiver);
        assert!(!pool.is_active());
    }
}

#[test]
fn a_pool_of_another_layout_is_not_used() {
    for make_odd in [swap_planes, split, forbid_writing] {
        let pool = OddPool::new(make_odd);
        assert_not_used(&pool, &receiver_with(&pool, SIZE, 0));
    }
}

#[test]
fn a_pool_of_another_size_is_not_used() {
    for size in [SIZE - 1, SIZE + 1, 2 * SIZE] {
        let pool = gst_pool();
        let receiver = receiver_with(&pool, size, 0);
        assert_not_used(&pool, &receiver);
        assert!(!pool.is_active());
    }
}

#[test]
fn a_pool_for_frames_of_any_size_is_not_used() {
    for caps in [
        "image/jpeg",
        "audio/x-raw,format=S16LE,channels=1,rate=8000",
    ] {
        let pool = gst_pool();
        let proposed = pool.clone();
        let caps = format!("caps={caps},layout=interleaved");
        let receiver = receiver(&caps, move |query| {
            query.add_allocation_pool(Some(&proposed), SIZE, 0, 0);
        });
        assert_not_used(&pool, &receiver);
        assert!(!pool.is_active());
    }
}

#[test]
fn a_pool_that_cannot_be_used_does_not_end_the_stream() {
    // Without memory for as many buffers it does not start.
    let pool = OddPool::new(|_| ());
    let proposed = pool.clone();
    let receiver = receiver(&format!("caps={CAPS}"), move |query| {
        query.add_allocation_pool(Some(&proposed), SIZE, OddPool::MAX + 1, 0);
    });
    assert_not_used(&pool, &receiver);
}

#[test]
fn buffers_are_not_made_beforehand_for_an_entry_without_a_pool() {
    init();
    let receiver = receiver(&format!("caps={CAPS}"), |query| {
        query.add_allocation_pool(gst::BufferPool::NONE, SIZE, 1_000, 0);
    });
    send_all(&Peer::connect(receiver.port()), &frames(0..4));
    assert_frames(&receiver.frames(4), &frames(0..4));
    let source = receiver.source.downcast_ref::<gst_base::BaseSrc>();
    assert_eq!(source.expect("a source").buffer_pool(), None);
}

#[test]
fn the_first_pool_that_fits_is_used() {
    let (small, padded, fitting, other) = (gst_pool(), video_pool(), video_pool(), video_pool());
    let proposals = [
        (None, SIZE),
        (Some(small.clone()), SIZE - 1),
        (Some(padded.clone()), 2 * SIZE),
        (Some(fitting.clone()), SIZE),
        (Some(other.clone()), SIZE),
    ];
    let receiver = receiver(&format!("caps={CAPS}"), move |query| {
        for (pool, size) in &proposals {
            query.add_allocation_pool(pool.as_ref(), *size, 0, 0);
        }
    });
    send_all(&Peer::connect(receiver.port()), &frames(0..1));
    assert!(is_from(&receiver.buffer(), &fitting));
    let active = [small, padded, fitting, other].map(|pool| pool.is_active());
    assert_eq!(active, [false, false, true, false]);
}

#[test]
fn frames_of_other_sizes_come_in_other_memory() {
    let pool = video_pool();
    let receiver = receiver_with(&pool, SIZE, 0);
    let frame = SIZE as usize;
    let sizes = [frame, frame + 7, frame + 1, frame, 3 * frame, frame];
    let payloads = sizes.map(|size| payload(size as u64, size));
    send_all(&Peer::connect(receiver.port()), &payloads);
    let buffers = buffers(&receiver, sizes.len());
    assert_frames(&content(&buffers), &payloads);
    for (buffer, size) in buffers.iter().zip(sizes) {
        assert_eq!(is_from(buffer, &pool), size == frame, "{size} bytes");
    }
}

#[test]
fn memory_is_aligned_as_downstream_asks() {
    for (asked, given) in [(63, 63), (4095, 4095), ((1 << 40) - 1, 4095), (40, 0)] {
        let receiver = receiver("", move |query| {
            let mut params = gst::AllocationParams::default();
            params.set_align(asked);
            query.add_allocation_param(gst::Allocator::NONE, params);
        });
        let sizes = (0..20).flat_map(|n| [10 + n, 3_000 + n, 300_000 + n]);
        let payloads: Vec<_> = sizes.map(|size| payload(size as u64, size)).collect();
        send_all(&Peer::connect(receiver.port()), &payloads);
        let buffers = buffers(&receiver, payloads.len());
        assert_frames(&content(&buffers), &payloads);
        for buffer in &buffers {
            let address = buffer.map_readable().expect("memory").as_ptr() as usize;
            assert_eq!(address & given, 0, "{} bytes at {address:x}", buffer.size());
        }
    }
}

#[test]
fn downstream_is_asked_again_once_it_is_known_what_the_frames_are() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    let receiver = receiver("", move |query| {
        let (caps, _) = query.get_owned();
        log.lock().push(caps.map(|caps| caps.to_string()));
    });
    let peer = Peer::connect(receiver.port());
    let png = [b"\x89PNG\r\n\x1a\n".to_vec(), vec![0; 100]].concat();
    for _ in 0..2 {
        peer.send_frame(&png);
        assert_eq!(receiver.frame(), png);
    }
    let asked = asked.lock();
    assert_eq!(*asked, [None, Some("image/png".to_string())]);
}

#[test]
fn a_pool_outlasts_a_connection() {
    let pool = video_pool();
    let proposed = pool.clone();
    let receiver = receiver(&format!("reconnect=true caps={CAPS}"), move |query| {
        query.add_allocation_pool(Some(&proposed), SIZE, 0, 0);
    });
    for _ in 0..3 {
        send_all(&Peer::connect(receiver.port()), &frames(0..2));
        let buffers = buffers(&receiver, 2);
        assert!(buffers.iter().all(|buffer| is_from(buffer, &pool)));
    }
}

#[test]
fn a_new_pool_replaces_the_old_one() {
    let (old, new) = (video_pool(), video_pool());
    let queue = Mutex::new(vec![new.clone(), old.clone()]);
    let receiver = receiver(&format!("caps={CAPS}"), move |query| {
        let pool = queue.lock().pop();
        query.add_allocation_pool(pool.as_ref(), SIZE, 0, 0);
    });
    let peer = Peer::connect(receiver.port());
    send_all(&peer, &frames(0..1));
    let held = receiver.buffer();
    assert!(is_from(&held, &old));

    let pad = receiver.output.static_pad("sink").expect("a pad");
    assert!(pad.push_event(gst::event::Reconfigure::new()));
    // This one may be under way already.
    send_all(&peer, &frames(1..2));
    assert_frames(&receiver.frames(1), &frames(1..2));
    send_all(&peer, &frames(2..3));
    let next = receiver.buffer();
    assert!(is_from(&next, &new));
    assert!(!old.is_active());
    assert_frames(
        &content(&[held, next]),
        &[frames(0..1), frames(2..3)].concat(),
    );

    // And now there is none.
    assert!(pad.push_event(gst::event::Reconfigure::new()));
    send_all(&peer, &frames(3..4));
    assert_frames(&receiver.frames(1), &frames(3..4));
    send_all(&peer, &frames(4..5));
    let last = receiver.buffer();
    assert!(!is_from(&last, &new));
    assert_frames(&content(&[last]), &frames(4..5));
}

#[test]
fn a_pool_that_is_flushing_is_passed_over() {
    let pool = video_pool();
    let receiver = receiver_with(&pool, SIZE, 0);
    let peer = Peer::connect(receiver.port());
    for (frame, flushing) in frames(0..3).into_iter().zip([false, true, false]) {
        pool.set_flushing(flushing);
        peer.send_frame(&frame);
        let buffer = receiver.buffer();
        assert_eq!(is_from(&buffer, &pool), !flushing);
        assert_frames(&content(&[buffer]), &[frame]);
    }
}

#[test]
fn a_stopped_source_keeps_nothing_of_the_pool() {
    let pool = video_pool();
    let receiver = receiver_with(&pool, SIZE, 0);
    for _ in 0..2 {
        receiver.play();
        let peer = Peer::connect(receiver.port());
        send_all(&peer, &frames(0..1));
        assert!(is_from(&receiver.buffer(), &pool));
        make_forget(&receiver, &peer);
        peer.send(&frame(&frames(1..2)[0])[..1_000]);
        receiver.stop();
        assert!(!pool.is_active());
        // The test's own, and that of its answer to the query.
        assert_eq!(pool.ref_count(), 2);
    }
}

#[test]
fn a_source_that_has_received_nothing_keeps_nothing_of_the_pool() {
    let pool = video_pool();
    let proposed = pool.clone();
    let (asked, is_asked) = mpsc::channel();
    let receiver = idle_receiver(&format!("caps={CAPS}"), move |query| {
        query.add_allocation_pool(Some(&proposed), SIZE, 0, 0);
        asked.send(()).expect("the test waits");
    });
    receiver.pause();
    is_asked.recv_timeout(PATIENCE).expect("a query");
    receiver.stop();
    assert!(!pool.is_active());
    assert_eq!(pool.ref_count(), 2);
}

fn gst_pool() -> gst::BufferPool {
    init();
    gst::BufferPool::new()
}

/// V before U.
fn swap_planes(buffer: &mut gst::BufferRef) {
    let (luma, chroma) = (320 * 240, 160 * 120);
    let offsets = [0, luma + chroma, luma];
    let strides = [320, 160, 160];
    let flags = gst_video::VideoFrameFlags::empty();
    VideoMeta::add_full(
        buffer,
        flags,
        VideoFormat::I420,
        320,
        240,
        &offsets,
        &strides,
    )
    .expect("a meta");
}

fn split(buffer: &mut gst::BufferRef) {
    let half = buffer.size() / 2;
    buffer.remove_all_memory();
    for _ in 0..2 {
        buffer.append_memory(gst::Memory::with_size(half));
    }
}

fn forbid_writing(buffer: &mut gst::BufferRef) {
    let size = buffer.size();
    buffer.replace_all_memory(gst::Memory::from_slice(vec![0; size]));
}

glib::wrapper! {
    /// A pool of buffers that are not what is to be expected, and few of them.
    pub struct OddPool(ObjectSubclass<odd::OddPool>) @extends gst::BufferPool, gst::Object;
}

impl OddPool {
    const MAX: u32 = 10;

    #[allow(clippy::new_ret_no_self)]
    fn new(make_odd: fn(&mut gst::BufferRef)) -> gst::BufferPool {
        init();
        let pool: Self = glib::Object::new();
        pool.imp().make_odd.set(make_odd).expect("a new pool");
        pool.upcast()
    }
}

mod odd {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    #[derive(Default)]
    pub struct OddPool {
        pub make_odd: OnceLock<fn(&mut gst::BufferRef)>,
        made: AtomicU32,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for OddPool {
        const NAME: &'static str = "TestOddPool";
        type Type = super::OddPool;
        type ParentType = gst::BufferPool;
    }

    impl ObjectImpl for OddPool {}

    impl GstObjectImpl for OddPool {}

    impl BufferPoolImpl for OddPool {
        fn alloc_buffer(
            &self,
            params: Option<&gst::BufferPoolAcquireParams>,
        ) -> Result<gst::Buffer, gst::FlowError> {
            if self.made.fetch_add(1, SeqCst) >= super::OddPool::MAX {
                return Err(gst::FlowError::Error);
            }
            let mut buffer = self.parent_alloc_buffer(params)?;
            let make_odd = self.make_odd.get().expect("a new pool");
            make_odd(buffer.get_mut().expect("a new buffer"));
            Ok(buffer)
        }
    }
}
