use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use gst::{
    glib::{self, translate::IntoGlib},
    prelude::*,
    subclass::prelude::*,
};
use gst_base::{
    prelude::*,
    subclass::{base_src::CreateSuccess, prelude::*},
};
use once_cell::sync::Lazy;

use super::{allocation, batch, unlocking::Unlocking};
use crate::{
    fault::{self, Direction},
    frames::{Allocation, ReceivedBuffers, SentBuffer},
    lock::lock,
    messages,
    net::Error,
    settings::{self, Changeable, Common, Property, Settings, common_properties, uri},
    shared::{self, Role},
    transport::{Endpoint, Event, Interrupt, Observer, Received, Receiver},
};

static CAT: Lazy<gst::DebugCategory> = Lazy::new(|| {
    gst::DebugCategory::new(
        "videosocketsrc",
        gst::DebugColorFlags::empty(),
        Some("Receives length-prefixed frames over TCP"),
    )
});

/// After an error of our own. The base class would post a second one, without a cause, for an error; like
/// that, this ends the stream downstream.
const STREAM_OVER: gst::FlowError = gst::FlowError::Eos;

/// Room for as many frames in a list; where there are more it grows.
const BATCH: usize = 64;

/// What a frame without a payload means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstVideoSocketZeroLength")]
enum ZeroLength {
    #[default]
    #[enum_value(name = "Push an empty buffer", nick = "frame")]
    Frame,
    #[enum_value(name = "Pass over it", nick = "skip")]
    Skip,
    #[enum_value(name = "End the stream", nick = "eos")]
    Eos,
}

/// Loads them: to do so with the first frame would make a live stream fall behind.
static TYPEFINDERS: Lazy<()> = Lazy::new(|| {
    for factory in &gst::TypeFindFactory::factories() {
        if let Err(error) = factory.load() {
            gst::debug!(CAT, obj = factory, "Not loaded: {error}");
        }
    }
});

#[derive(Clone, Debug, Default)]
struct SrcSettings {
    common: Common,
    caps: Option<gst::Caps>,
    zero_length: ZeroLength,
}

static PROPERTIES: Lazy<Vec<Property<SrcSettings>>> = Lazy::new(|| {
    let mut properties = common_properties();
    properties.extend([
        Property::time(
            "timeout",
            "Give up a connection on which no byte has come for this long, in nanoseconds (0 = never)",
            Changeable::InReady,
            |s: &SrcSettings| s.common.timeout,
            |s, timeout| s.common.timeout = timeout,
        ),
        Property::custom(
            glib::ParamSpecBoxed::builder::<gst::Caps>("caps")
                .blurb(
                    "Caps of the frames; raw video and audio need them, for example \
                     video/x-raw,format=I420,width=640,height=480,framerate=30/1 (none = the first frame of \
                     a connection tells, as JPEG does)",
                )
                .flags(Changeable::InReady.flags())
                .build(),
            |s: &SrcSettings| s.caps.to_value(),
            |s, value| {
                s.caps = value.get().map_err(|_| "the value is no caps".to_string())?;
                Ok(())
            },
        ),
        Property::choice(
            "zero-length",
            "What to do with a frame of length 0, a header without a payload",
            Changeable::Always,
            |s: &SrcSettings| s.zero_length,
            |s, zero_length| s.zero_length = zero_length,
        ),
    ]);
    properties
});

impl Settings for SrcSettings {
    fn common(&self) -> &Common {
        &self.common
    }

    fn common_mut(&mut self) -> &mut Common {
        &mut self.common
    }

    fn properties() -> &'static [Property<Self>] {
        &PROPERTIES
    }
}

#[derive(Default)]
pub struct VideoSocketSrc {
    settings: Mutex<SrcSettings>,
    run: Mutex<Option<Run>>,
    /// Taken by the streaming thread while it receives.
    receiver: Mutex<Option<FrameReceiver>>,
    unlocking: Unlocking,
    /// What `create` has returned or is to return, until the base class has taken it.
    undelivered: Mutex<Option<Result<gst::Buffer, gst::FlowError>>>,
    /// What downstream has asked for since the receiver was last told.
    allocation: Mutex<Option<Allocation>>,
    /// The last endpoint, whose counters outlive it.
    endpoint: Mutex<Option<Arc<Endpoint<SentBuffer>>>>,
}

type FrameReceiver = Receiver<SentBuffer, ReceivedBuffers>;

/// What is there from start to stop.
struct Run {
    reporter: Arc<Reporter>,
    interrupt: Arc<Interrupt>,
    connection_id: Option<String>,
    /// 0 where it does not listen.
    port: u32,
    /// The next buffer is the first of a connection that replaces another.
    is_discontinuous: bool,
    /// No buffer of the connection has been asked yet what it is.
    is_untyped: bool,
    /// The type of the frames, where downstream does not take it.
    untaken_type: Option<String>,
    /// How long the frames are by the caps that the user has set, until one is not.
    frame_size: Option<usize>,
}

/// Passes on what the endpoint tells.
struct Reporter {
    source: glib::WeakRef<super::VideoSocketSrc>,
    /// The error that ends the stream has been posted.
    has_failed: AtomicBool,
}

pub(super) fn register_types() {
    ZeroLength::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
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
            specs.chain(settings::read_only_properties("")).collect()
        });
        &SPECS
    }

    fn set_property(&self, id: usize, value: &glib::Value, spec: &glib::ParamSpec) {
        // Ids count from 1, in the order of the rows.
        let mut settings = lock(&self.settings);
        if let Err(reason) = settings::set(&PROPERTIES[id - 1], &mut *settings, value) {
            gst::error!(CAT, imp = self, "{} is not changed: {reason}", spec.name());
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
                "stats" => messages::stats(self.endpoint().as_deref()).to_value(),
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
        match message.view() {
            // Of the streaming thread, and posted by it.
            gst::MessageView::StreamStatus(status) => {
                match status.get().0 {
                    gst::StreamStatusType::Enter => self.unlocking.enter(),
                    gst::StreamStatusType::Leave => self.unlocking.leave(),
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
            gst::MessageView::Error(error)
                if is_not_negotiated(error) && !self.obj().src_pad().has_current_caps() =>
            {
                self.parent_post_message(self.caps_are_missing(error))
            }
            _ => self.parent_post_message(message),
        }
    }
}

impl BaseSrcImpl for VideoSocketSrc {
    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = lock(&self.settings).clone();
        let obj = self.obj();
        if settings.caps.is_none() {
            Lazy::force(&TYPEFINDERS);
        }
        let endpoint = shared::open(&*obj, &settings, Role::Source)
            .map_err(|error| error.message(Direction::Receiving))?;
        let receiver = Receiver::new(
            endpoint.clone(),
            ReceivedBuffers::default(),
            settings.common.header_format(),
            settings.common.max_frame_size,
            settings.common.idle_timeout(),
        )
        .map_err(|error| {
            endpoint.detach_reader();
            if let Some(id) = &settings.common.connection_id {
                shared::leave(id, Role::Source);
            }
            fault::message(&error, Direction::Receiving)
        })?;
        let reporter = Arc::new(Reporter {
            source: obj.downgrade(),
            has_failed: AtomicBool::new(false),
        });
        *lock(&self.run) = Some(Run {
            reporter: reporter.clone(),
            interrupt: receiver.interrupt(),
            connection_id: settings.common.connection_id,
            port: messages::port(endpoint.listening()),
            is_discontinuous: false,
            is_untyped: settings.caps.is_none(),
            untaken_type: None,
            frame_size: settings
                .caps
                .as_deref()
                .and_then(allocation::raw_frame_size),
        });
        *lock(&self.endpoint) = Some(endpoint.clone());
        messages::announce_listening(&*obj, endpoint.listening());
        if let Some(event) = receiver.attach(reporter.clone()) {
            reporter.notice(&event);
        }
        *lock(&self.receiver) = Some(receiver);
        gst::info!(CAT, imp = self, "Started");
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        let run = lock(&self.run).take();
        if let Some(id) = run.and_then(|run| run.connection_id) {
            shared::leave(&id, Role::Source);
        }
        // Out of the lock: it tells observers, who may ask for properties.
        let receiver = lock(&self.receiver).take();
        drop(receiver);
        let undelivered = lock(&self.undelivered).take();
        drop(undelivered);
        *lock(&self.allocation) = None;
        gst::info!(CAT, imp = self, "Stopped");
        Ok(())
    }

    fn is_seekable(&self) -> bool {
        false
    }

    fn caps(&self, filter: Option<&gst::Caps>) -> Option<gst::Caps> {
        let caps = lock(&self.settings).caps.clone();
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
                latency.set(true, gst::ClockTime::ZERO, gst::ClockTime::NONE);
                true
            }
            _ => BaseSrcImplExt::parent_query(self, query),
        }
    }

    fn decide_allocation(
        &self,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        // For an entry without a pool the base class would make one, and fill it.
        let proposals = allocation::take_pools(query);
        self.parent_decide_allocation(query)?;
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

    /// The next buffer, or the end of the stream.
    fn next(&self, receiver: &mut FrameReceiver) -> Result<gst::Buffer, gst::FlowError> {
        let undelivered = lock(&self.undelivered).take();
        let next = undelivered.unwrap_or_else(|| self.receive(receiver));
        let first = next.inspect_err(|end| {
            if *end != gst::FlowError::Flushing {
                self.keep(Err(*end));
            }
        })?;
        if let Err(flushing) = self.obj().wait_playing() {
            self.keep(Ok(first));
            return Err(flushing);
        }
        let last = self.push_read_ahead(first, receiver)?;
        self.keep(Ok(last.clone()));
        Ok(last)
    }

    fn keep(&self, undelivered: Result<gst::Buffer, gst::FlowError>) {
        *lock(&self.undelivered) = Some(undelivered);
    }

    fn receive(&self, receiver: &mut FrameReceiver) -> Result<gst::Buffer, gst::FlowError> {
        loop {
            match receiver.next() {
                Received::Frame(frame) => {
                    if frame.is_empty() {
                        match lock(&self.settings).zero_length {
                            ZeroLength::Frame => (),
                            ZeroLength::Skip => continue,
                            ZeroLength::Eos => return Err(gst::FlowError::Eos),
                        }
                    }
                    return Ok(self.finish_buffer(frame.into_buffer()));
                }
                Received::Ended { fault, goes_on } => self.connection_ended(fault, goes_on)?,
                Received::Failed(error) => {
                    let reporter = lock(&self.run).as_ref().map(|run| run.reporter.clone());
                    if let Some(reporter) = reporter {
                        reporter.fail(&error);
                    }
                    return Err(STREAM_OVER);
                }
                Received::Interrupted => return Err(gst::FlowError::Flushing),
            }
        }
    }

    /// Pushes a frame and those that were read along with it, as small ones are, but for the last.
    ///
    /// The base class is not to push a list: one that a flush meets there loses a reference too many.
    fn push_read_ahead(
        &self,
        first: gst::Buffer,
        receiver: &mut FrameReceiver,
    ) -> Result<gst::Buffer, gst::FlowError> {
        if receiver.frame_ahead().is_none() || !self.pushes_lists() {
            return Ok(first);
        }
        let (list, last) = self.read_ahead(first, receiver);
        if list.is_empty() {
            return Ok(last);
        }
        gst::trace!(CAT, imp = self, "Received {} frames along", list.len());
        match self.obj().src_pad().push_list(list) {
            // Of the last one the base class knows what to do.
            Ok(_) | Err(gst::FlowError::NotNegotiated) => Ok(last),
            Err(error) => Err(error),
        }
    }

    /// The base class counts buffers, and sends the events that come before the first.
    fn pushes_lists(&self) -> bool {
        let obj = self.obj();
        let pad = obj.src_pad();
        obj.num_buffers() < 0
            && pad.sticky_event::<gst::event::Segment>(0).is_some()
            && batch::is_seen(pad)
    }

    fn read_ahead(
        &self,
        first: gst::Buffer,
        receiver: &mut FrameReceiver,
    ) -> (gst::BufferList, gst::Buffer) {
        let obj = self.obj();
        // As the base class does for a buffer.
        let mut time = obj.current_running_time().filter(|_| obj.does_timestamp());
        let mut list = gst::BufferList::new_sized(BATCH);
        let buffers = list.make_mut();
        let mut last = first;
        // What an empty frame means is for the next call to say.
        while receiver.frame_ahead().is_some_and(|len| len > 0) {
            match receiver.next() {
                Received::Frame(frame) => {
                    let mut before = std::mem::replace(&mut last, frame.into_buffer());
                    if let Some(before) = before.get_mut() {
                        before.set_pts(time);
                        before.set_dts(time);
                    }
                    buffers.add(before);
                    // Parsers take a time that they had before for none, and make up a later one.
                    time = time.map(|time| time + gst::ClockTime::NSECOND);
                }
                // The next call meets with it as well, once it is told of.
                Received::Ended { fault, goes_on } => {
                    let _ = self.connection_ended(fault, goes_on);
                    break;
                }
                Received::Failed(_) | Received::Interrupted => break,
            }
        }
        (list, last)
    }

    fn finish_buffer(&self, mut buffer: gst::Buffer) -> gst::Buffer {
        let (mut is_discontinuous, mut is_untyped, mut other_size) = (false, false, None);
        if let Some(run) = &mut *lock(&self.run) {
            is_discontinuous = std::mem::take(&mut run.is_discontinuous);
            is_untyped = run.is_untyped && buffer.size() > 0;
            run.is_untyped &= !is_untyped;
            other_size = run.frame_size.take_if(|size| *size != buffer.size());
        }
        if let Some(size) = other_size {
            gst::element_imp_warning!(
                self,
                gst::StreamError::Format,
                (
                    "By the caps a frame has {size} bytes, but one of {} has come: \
                  its width, height or format is another",
                    buffer.size()
                )
            );
        }
        if is_untyped {
            self.find_type(&buffer);
        }
        if is_discontinuous && let Some(buffer) = buffer.get_mut() {
            buffer.set_flags(gst::BufferFlags::DISCONT);
        }
        gst::trace!(CAT, imp = self, "Received {buffer:?}");
        buffer
    }

    /// Without caps from the user, those of the first frame, where they are beyond doubt and downstream
    /// takes them: not everything downstream has a typefinder.
    fn find_type(&self, buffer: &gst::Buffer) {
        let obj = self.obj();
        let pad = obj.src_pad();
        let found = gst_base::functions::type_find_helper_for_buffer(Some(&*obj), buffer);
        let mut untaken_type = None;
        match found {
            Ok((caps, probability)) if probability >= gst::TypeFindProbability::Likely => {
                gst::info!(CAT, imp = self, "The frames are {caps}");
                if !pad.peer_query_accept_caps(&caps) {
                    untaken_type = caps.structure(0).map(|caps| caps.name().to_string());
                } else if let Err(error) = obj.set_caps(&caps) {
                    gst::warning!(CAT, imp = self, "Downstream refuses {caps}: {error}");
                } else {
                    // Downstream has been asked what memory it wants, but not for these caps.
                    pad.mark_reconfigure();
                }
            }
            found => gst::debug!(CAT, imp = self, "The frames have no known type: {found:?}"),
        }
        if let Some(run) = &mut *lock(&self.run) {
            run.untaken_type = untaken_type;
        }
    }

    /// In place of the base class's error, which says "not-negotiated".
    fn caps_are_missing(&self, error: &gst::message::Error) -> gst::Message {
        let obj = self.obj();
        let run = lock(&self.run);
        let untaken_type = run.as_ref().and_then(|run| run.untaken_type.clone());
        drop(run);
        let (code, text) = match untaken_type {
            Some(name) => (
                gst::StreamError::WrongType,
                format!(
                    "The frames are {name}, which downstream does not take: put a decoder in between, \
                     for example decodebin3, or set caps if they are something else"
                ),
            ),
            None => (
                gst::StreamError::TypeNotFound,
                format!(
                    "The frames have no type that can be found out, and downstream needs caps: set caps, \
                     for example caps={}",
                    example_caps(&obj.src_pad().peer_query_caps(None))
                ),
            ),
        };
        gst::message::Error::builder(code, &text)
            .debug_if_some(error.debug().as_deref())
            .details_if_some(error.details().map(ToOwned::to_owned))
            .src(&*obj)
            .build()
    }

    fn connection_ended(
        &self,
        fault: Option<Arc<Error>>,
        goes_on: bool,
    ) -> Result<(), gst::FlowError> {
        let obj = self.obj();
        match fault {
            Some(fault) if goes_on => {
                fault::post_warning(&*obj, &fault, Direction::Receiving);
            }
            Some(fault) => {
                fault::post_error(&*obj, &fault, Direction::Receiving);
                return Err(STREAM_OVER);
            }
            None if goes_on => (),
            None => return Err(gst::FlowError::Eos),
        }
        let caps = lock(&self.settings).caps.clone();
        if let Some(run) = &mut *lock(&self.run) {
            run.is_discontinuous = true;
            run.is_untyped = caps.is_none();
            run.frame_size = caps.as_deref().and_then(allocation::raw_frame_size);
        }
        Ok(())
    }

    fn endpoint(&self) -> Option<Arc<Endpoint<SentBuffer>>> {
        lock(&self.endpoint).clone()
    }
}

impl URIHandlerImpl for VideoSocketSrc {
    const URI_TYPE: gst::URIType = gst::URIType::Src;

    fn protocols() -> &'static [&'static str] {
        &[uri::SCHEME]
    }

    fn uri(&self) -> Option<String> {
        Some(uri::to_string(&*lock(&self.settings)))
    }

    fn set_uri(&self, uri: &str) -> Result<(), glib::Error> {
        uri::set(&self.settings, uri, lock(&self.run).is_some())
    }
}

impl Observer for Reporter {
    fn notice(&self, event: &Event) {
        let Some(obj) = self.source.upgrade() else {
            return;
        };
        match event {
            Event::Connected { peer, .. } => {
                gst::info!(CAT, obj = obj, "Connected to {peer}");
                messages::post_connected(&obj, *peer);
            }
            Event::Disconnected {
                peer,
                reason,
                stats,
                ..
            } => {
                gst::info!(CAT, obj = obj, "Disconnected from {peer}: {reason:?}");
                let received = (stats.frames_received, stats.bytes_received);
                messages::post_disconnected(&obj, *peer, (*reason).into(), received);
            }
            Event::Warning(error) => fault::post_warning(&obj, error, Direction::Receiving),
            Event::Failed(error) => self.fail(error),
        }
    }
}

impl Reporter {
    /// Both the streaming thread and the teller may meet with it; an error without a cause is not to come first.
    fn fail(&self, error: &Error) {
        if let Some(obj) = self.source.upgrade()
            && !self.has_failed.swap(true, Relaxed)
        {
            fault::post_error(&obj, error, Direction::Receiving);
        }
    }
}

fn is_not_negotiated(error: &gst::message::Error) -> bool {
    let details = error.details();
    let flow = details.and_then(|details| details.get::<i32>("flow-return").ok());
    flow == Some(gst::FlowError::NotNegotiated.into_glib())
}

/// Caps of the kind that downstream takes, to be adapted by the user.
fn example_caps(downstream: &gst::Caps) -> &'static str {
    match downstream.structure(0).map(|caps| caps.name().as_str()) {
        Some("audio/x-raw") => "audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=1",
        _ => "video/x-raw,format=I420,width=640,height=480,framerate=30/1",
    }
}
