// SPDX-License-Identifier: MPL-2.0

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use gst::{MappedBuffer, buffer::Writable, glib, prelude::*, subclass::prelude::*};
use gst_base::{
    prelude::*,
    subclass::{base_src::CreateSuccess, prelude::*},
};
use once_cell::sync::Lazy;

use super::{
    CAT, allocation, caps,
    described::{Announced, Described, Request},
    layout::Reads,
    premature::Premature,
    raw,
    reporter::Reporter,
    settings::{Metadata, PROPERTIES, SrcSettings, Timestamps, ZeroLength},
    unlocking::Unlocking,
};
use crate::{
    fault::{self, Direction, here},
    frames::{Allocation, ReceivedBuffers, SentBuffer},
    lock::lock,
    messages,
    metadata::describe,
    net::Totals,
    settings::{self, uri},
    shared::{self, OpenError, Opened},
    transport::{Endpoint, Interrupt, Received, Receiver, Role},
    wire::record::Back,
};

#[derive(Default)]
pub struct VideoSocketSrc {
    pub(super) settings: Mutex<SrcSettings>,
    pub(super) run: Mutex<Option<Run>>,
    /// Taken by the streaming thread while it receives.
    receiver: Mutex<Option<FrameReceiver>>,
    unlocking: Unlocking,
    /// What `create` has returned or is to return, until the base class has taken it.
    pub(super) undelivered: Mutex<Option<Result<Frame, gst::FlowError>>>,
    /// What the peer has said of its stream.
    pub(super) described: Mutex<Described>,
    /// What downstream has asked for since the receiver was last told.
    allocation: Mutex<Option<Allocation>>,
    /// From start to stop.
    endpoint: Mutex<Option<Arc<Endpoint<SentBuffer>>>>,
    /// What was counted since the last start.
    totals: Mutex<Arc<Totals>>,
}

pub(super) type FrameReceiver = Receiver<SentBuffer, ReceivedBuffers>;

/// What it receives.
pub(super) type FrameReceived = Received<MappedBuffer<Writable>>;

/// What was received.
#[derive(Clone)]
pub(super) struct Frame {
    pub(super) buffer: gst::Buffer,
    /// What was said of it, until it has its times.
    pub(super) announced: Option<Announced>,
}

impl Frame {
    /// One of which nothing was said.
    pub(super) fn plain(buffer: gst::Buffer) -> Self {
        Self {
            buffer,
            announced: None,
        }
    }
}

/// What is there from start to stop.
pub(super) struct Run {
    pub(super) reporter: Arc<Reporter>,
    interrupt: Arc<Interrupt>,
    connection_id: Option<String>,
    /// 0 where it does not listen.
    port: u32,
    /// The next buffer is the first of a connection that replaces another.
    pub(super) is_discontinuous: bool,
    /// No buffer of the connection has been asked yet what it is.
    pub(super) is_untyped: bool,
    /// The type of the frames, where downstream does not take it.
    pub(super) untaken_type: Option<String>,
    /// No frame has been handed on.
    pub(super) is_before_frames: bool,
    /// The base class, which marks its first frame as a discontinuity, has taken none yet.
    pub(super) is_before_base: bool,
    /// Events that wait for the caps, or for a frame without.
    pub(super) held_events: Vec<gst::Event>,
    /// How long the frames are by their caps, if they are raw video.
    pub(super) frame_size: Option<usize>,
    /// The peer has told them, so that longer frames are no mistake of the user's.
    pub(super) has_told_caps: bool,
    /// One was of another size, which the user knows.
    pub(super) is_warned_of_size: bool,
    /// What is still to be said by a peer that is asked.
    pub(super) awaits_description: bool,
    /// What came before that.
    pub(super) premature: Premature<gst::Buffer, FrameReceived>,
    /// What the user allows.
    pub(super) caps: Option<gst::Caps>,
    pub(super) metadata: Metadata,
    pub(super) timestamps: Timestamps,
    /// The user has asked for the sender's times, and nobody has said that there are none.
    pub(super) wants_times: bool,
    /// Whether the user wants arrival times where there are no others.
    pub(super) does_timestamp: bool,
    /// Frames are given the sender's times, and none by the base class.
    pub(super) stamps: bool,
}

pub(super) fn register_types() {
    let flags = gst::PluginAPIFlags::empty();
    ZeroLength::static_type().mark_as_plugin_api(flags);
    Metadata::static_type().mark_as_plugin_api(flags);
    Timestamps::static_type().mark_as_plugin_api(flags);
}

#[glib::object_subclass]
impl ObjectSubclass for VideoSocketSrc {
    const NAME: &'static str = "GstVideoSocketSrc";
    type Type = super::VideoSocketSrc;
    type ParentType = gst_base::PushSrc;
    type Interfaces = (gst::URIHandler,);
}

impl ObjectImpl for VideoSocketSrc {
    fn properties() -> &'static [glib::ParamSpec] {
        static SPECS: Lazy<Vec<glib::ParamSpec>> = Lazy::new(|| {
            let specs = PROPERTIES.iter().map(|property| property.spec.clone());
            specs
                .chain(settings::read_only_properties(settings::TIMING_BLURB))
                .collect()
        });
        &SPECS
    }

    fn set_property(&self, id: usize, value: &glib::Value, spec: &glib::ParamSpec) {
        // Ids count from 1, in the order of the rows.
        let (result, latency) = settings::change(&self.settings, |settings| {
            let former = settings.latency;
            let result = settings::set(&PROPERTIES[id - 1], settings, value);
            (
                result,
                Some(settings.latency).filter(|latency| *latency != former),
            )
        });
        if let Err(reason) = result {
            gst::error!(CAT, imp = self, "{} is not changed: {reason}", spec.name());
        }
        if let Some(latency) = latency {
            self.change_latency(latency);
        }
    }

    fn property(&self, id: usize, spec: &glib::ParamSpec) -> glib::Value {
        match PROPERTIES.get(id - 1) {
            Some(property) => property.get(&lock(&self.settings)),
            None => match spec.name() {
                "current-port" => {
                    let run = lock(&self.run);
                    run.as_ref().map_or(0, |run| run.port).to_value()
                }
                "stats" => self.stats().into(),
                name => unreachable!("{name} is not listed"),
            },
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        let obj = self.obj();
        obj.set_live(true);
        obj.set_format(gst::Format::Time);
        obj.set_do_timestamp(true);
    }
}

impl GstObjectImpl for VideoSocketSrc {}

impl ElementImpl for VideoSocketSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: Lazy<gst::subclass::ElementMetadata> = Lazy::new(|| {
            gst::subclass::ElementMetadata::new(
                "Video socket source",
                "Source/Network",
                "Receives length-prefixed frames over TCP and pushes each as one buffer",
                env!("CARGO_PKG_AUTHORS"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: Lazy<Vec<gst::PadTemplate>> = Lazy::new(|| {
            gst::PadTemplate::new(
                "src",
                gst::PadDirection::Src,
                gst::PadPresence::Always,
                &gst::Caps::new_any(),
            )
            .into_iter()
            .collect()
        });
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        let change = || self.parent_change_state(transition);
        match transition {
            gst::StateChange::PlayingToPaused => self.unlocking.pause(change),
            _ => change(),
        }
    }

    fn post_message(&self, message: gst::Message) -> bool {
        let _ancestors = messages::ancestors(&*self.obj());
        match message.view() {
            // Of the streaming thread, and posted by it.
            gst::MessageView::StreamStatus(status) => {
                // Not by way of `get`, whose owner would take the reference of an application that has not sunk its own.
                let structure = status.structure();
                match structure.and_then(|structure| structure.get("type").ok()) {
                    Some(gst::StreamStatusType::Enter) => self.unlocking.enter(),
                    Some(gst::StreamStatusType::Leave) => self.unlocking.leave(),
                    _ => (),
                }
                self.parent_post_message(message)
            }
            // To the error of a start that fails the base class adds one without a cause.
            gst::MessageView::Error(error)
                if error.error().matches(gst::CoreError::StateChange) =>
            {
                false
            }
            // Only a frame that downstream refuses shows that it does not do without caps.
            gst::MessageView::Error(error) if caps::are_missing(&self.obj(), error) => {
                let run = lock(&self.run);
                let untaken_type = run.as_ref().and_then(|run| run.untaken_type.clone());
                drop(run);
                self.parent_post_message(caps::missing(&self.obj(), error, untaken_type))
            }
            _ => self.parent_post_message(message),
        }
    }
}

impl BaseSrcImpl for VideoSocketSrc {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = lock(&self.settings).clone();
        let obj = self.obj();
        match &settings.caps {
            Some(caps) => raw::check(caps)?,
            None => caps::load_typefinders(),
        }
        let needs_plain = settings.common.needs_plain();
        if let (Metadata::Request, Some(reason)) = (settings.metadata, needs_plain) {
            return Err(fault::metadata_refused("request", reason));
        }
        let refused = |error: OpenError| error.message(Direction::Receiving, here!());
        let format = settings.common.header_format();
        let format = format.map_err(OpenError::Settings).map_err(refused)?;
        let Opened { endpoint, told } =
            shared::open(&*obj, &settings, Role::Reader).map_err(refused)?;
        let mut receiver = Receiver::new(
            endpoint.clone(),
            ReceivedBuffers::default(),
            format,
            settings.common.max_frame_size,
            settings.common.idle_timeout(),
        )
        .map_err(|error| {
            let id = settings.common.connection_id.as_deref();
            shared::leave(id, Role::Reader, || endpoint.detach_reader());
            fault::message(&error, Direction::Receiving, here!())
        })?;
        receiver.skip_preamble(settings.common.preamble.bytes().len());
        if let Some(warning) = settings.common.tls.warning() {
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{warning}"));
        }
        let reporter = Arc::new(Reporter::new(&obj, &settings.common, told));
        *lock(&self.run) = Some(Run {
            reporter: reporter.clone(),
            interrupt: receiver.interrupt(),
            connection_id: settings.common.connection_id,
            port: messages::port(endpoint.listening()),
            is_discontinuous: false,
            is_untyped: settings.caps.is_none(),
            untaken_type: None,
            is_before_frames: true,
            is_before_base: true,
            held_events: Vec::new(),
            frame_size: settings
                .caps
                .as_deref()
                .and_then(allocation::raw_frame_size),
            has_told_caps: false,
            is_warned_of_size: false,
            awaits_description: settings.metadata == Metadata::Request,
            premature: Premature::default(),
            caps: settings.caps.clone(),
            metadata: settings.metadata,
            timestamps: settings.timestamps,
            wants_times: settings.timestamps == Timestamps::Sender,
            does_timestamp: obj.does_timestamp(),
            stamps: false,
        });
        *lock(&self.described) = Described::new(
            settings.latency,
            settings.metadata == Metadata::Request,
            settings.caps.as_deref(),
        );
        *lock(&self.totals) = endpoint.totals().clone();
        *lock(&self.endpoint) = Some(endpoint.clone());
        messages::announce_listening(&*obj, endpoint.listening());
        if settings.metadata != Metadata::Off && needs_plain.is_none() {
            receiver = receiver.with_records();
        }
        receiver.attach(reporter, hello(settings.metadata));
        *lock(&self.receiver) = Some(receiver);
        gst::info!(CAT, imp = self, "Started");
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        let run = lock(&self.run).take();
        let had_port = run.as_ref().is_some_and(|run| run.port != 0);
        let receiver = lock(&self.receiver).take();
        let id = run.as_ref().and_then(|run| run.connection_id.as_deref());
        shared::leave(id, Role::Reader, || drop(receiver));
        let endpoint = lock(&self.endpoint).take();
        drop(endpoint);
        if let Some(run) = run {
            run.reporter.close();
            self.obj().set_do_timestamp(run.does_timestamp);
        }
        let undelivered = lock(&self.undelivered).take();
        drop(undelivered);
        lock(&self.described).stop();
        *lock(&self.allocation) = None;
        if had_port {
            self.obj().notify("current-port");
        }
        gst::info!(CAT, imp = self, "Stopped");
        Ok(())
    }

    fn is_seekable(&self) -> bool {
        false
    }

    fn caps(&self, filter: Option<&gst::Caps>) -> Option<gst::Caps> {
        let run = lock(&self.run);
        let wanted = run.as_ref().map(|run| run.caps.clone());
        drop(run);
        let wanted = wanted.unwrap_or_else(|| lock(&self.settings).caps.clone());
        // Of what the user allows the peer has said which it is: the base class is not to go back to less.
        let caps = wanted.map(|wanted| lock(&self.described).caps().unwrap_or(wanted));
        let caps = caps.unwrap_or_else(gst::Caps::new_any);
        Some(match filter {
            Some(filter) => filter.intersect_with_mode(&caps, gst::CapsIntersectMode::First),
            None => caps,
        })
    }

    fn query(&self, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            // Whatever is not taken yet waits with the kernel and the sender, for however long.
            gst::QueryViewMut::Latency(latency) => {
                let least = lock(&self.settings).latency;
                latency.set(true, least, gst::ClockTime::NONE);
                true
            }
            _ => BaseSrcImplExt::parent_query(self, query),
        }
    }

    /// What downstream asks for the peer is asked, if it wants to be.
    fn event(&self, event: &gst::Event) -> bool {
        let base_time = self.obj().base_time();
        let request = lock(&self.described).request(event, base_time, Instant::now());
        match (request, self.endpoint()) {
            (Request::Record(record), Some(endpoint)) => {
                gst::debug!(CAT, imp = self, "Asking the peer: {event:?}");
                endpoint.request(&record);
                true
            }
            (Request::Postponed, Some(_)) => true,
            _ => self.parent_event(event),
        }
    }

    fn decide_allocation(
        &self,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        // For an entry without a pool the base class would make one, and fill it.
        let proposals = allocation::take_pools(query);
        self.parent_decide_allocation(query)?;
        if query.caps().is_some() {
            let reads = Reads::of(query);
            lock(&self.described).set_reads(reads);
        }
        let allocation = allocation::decide(query, proposals);
        let pool = allocation.pool.as_ref().map(|pool| &pool.pool);
        let align = allocation.align;
        gst::debug!(
            CAT,
            imp = self,
            "Downstream's pool: {pool:?}, alignment: {align:#x}"
        );
        // Not to the receiver at once: the streaming thread may have taken it.
        *lock(&self.allocation) = Some(allocation);
        Ok(())
    }

    fn unlock(&self) -> Result<(), gst::ErrorMessage> {
        self.of_wait(Interrupt::raise);
        Ok(())
    }

    fn unlock_stop(&self) -> Result<(), gst::ErrorMessage> {
        self.of_wait(Interrupt::clear);
        Ok(())
    }

    /// Asked of a buffer that the base class has taken. What `create` returns in a pause it throws away.
    fn times(&self, _buffer: &gst::BufferRef) -> (Option<gst::ClockTime>, Option<gst::ClockTime>) {
        let delivered = lock(&self.undelivered).take();
        drop(delivered);
        if let Some(run) = &mut *lock(&self.run) {
            run.is_before_base = false;
        }
        (None, None)
    }
}

impl PushSrcImpl for VideoSocketSrc {
    fn create(
        &self,
        _buffer: Option<&mut gst::BufferRef>,
    ) -> Result<CreateSuccess, gst::FlowError> {
        // Nobody else takes it while the streaming thread runs.
        let mut receiver = lock(&self.receiver)
            .take()
            .ok_or(gst::FlowError::Flushing)?;
        if let Some(allocation) = lock(&self.allocation).take() {
            receiver.memory().follow(allocation);
        }
        let result = self.next(&mut receiver);
        *lock(&self.receiver) = Some(receiver);
        result.map(CreateSuccess::NewBuffer)
    }
}

impl VideoSocketSrc {
    fn of_wait(&self, act: impl FnOnce(&Interrupt)) {
        if self.unlocking.is_for_wait()
            && let Some(run) = &*lock(&self.run)
        {
            act(&run.interrupt);
        }
    }

    pub(super) fn reporter(&self) -> Option<Arc<Reporter>> {
        lock(&self.run).as_ref().map(|run| run.reporter.clone())
    }

    fn change_latency(&self, latency: gst::ClockTime) {
        lock(&self.described).set_latency(latency);
        let obj = self.obj();
        let message = gst::message::Latency::builder().src(&*obj).build();
        // Refused only while the element is being disposed of.
        let _ = obj.post_message(message);
    }

    fn stats(&self) -> gst::Structure {
        let totals = lock(&self.totals).clone();
        let (mut stats, _) = messages::stats(self.endpoint().as_deref(), &totals);
        let timing = lock(&self.described).stats();
        stats.set("clock-offset", timing.offset);
        stats.set("clock-drift", timing.drift);
        stats.set("frames-late", timing.late);
        stats.set("jitter", timing.jitter);
        stats
    }

    pub(super) fn endpoint(&self) -> Option<Arc<Endpoint<SentBuffer>>> {
        lock(&self.endpoint).clone()
    }
}

/// What peers are told first: nothing, unless they are asked something.
fn hello(metadata: Metadata) -> Vec<u8> {
    match metadata {
        Metadata::Request => describe::hello(Back::default()),
        Metadata::Off | Metadata::Auto => Vec::new(),
    }
}

impl URIHandlerImpl for VideoSocketSrc {
    const URI_TYPE: gst::URIType = gst::URIType::Src;

    fn protocols() -> &'static [&'static str] {
        &uri::SCHEMES
    }

    fn uri(&self) -> Option<String> {
        Some(uri::to_string(&*lock(&self.settings)))
    }

    fn set_uri(&self, uri: &str) -> Result<(), glib::Error> {
        let is_running = lock(&self.run).is_some();
        uri::set(&self.settings, uri, is_running)
    }
}
