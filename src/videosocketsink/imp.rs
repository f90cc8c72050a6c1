// SPDX-License-Identifier: MPL-2.0

use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use gst::{glib, prelude::*, subclass::prelude::*};
use gst_base::{prelude::*, subclass::prelude::*};
use once_cell::sync::Lazy;

use super::{
    CAT, decoder_settings,
    pieces::Pieces,
    reporter::{Reporter, signals},
    settings::{AcceptEvents, Metadata, Overflow, PROPERTIES, SinkSettings, SyncMethod},
    stream::{Stream, stream_headers, tell},
};
use crate::{
    fanout::{self, Flow},
    fault::{self, Direction, here},
    frames::SentBuffer,
    lock::lock,
    messages::{self, RemoveReason},
    metadata::describe,
    net::Totals,
    settings::{self, Changeable, uri},
    shared::{self, OpenError, Opened},
    transport::{Endpoint, Role},
    wire::record::Back,
};

#[derive(Default)]
pub struct VideoSocketSink {
    pub(super) settings: Mutex<SinkSettings>,
    pub(super) run: Mutex<Option<Run>>,
    pub(super) stream: Mutex<Stream>,
    /// The connection is shared, for which the first frame does not wait for PLAYING.
    sends_ahead: AtomicBool,
    /// The element has been given a clock or a latency since they were last looked at.
    pub(super) clock_may_be_other: AtomicBool,
    /// What was counted since the last start.
    totals: Mutex<Arc<Totals>>,
}

/// What is there from READY to PAUSED and back.
pub(super) struct Run {
    endpoint: Arc<Endpoint<SentBuffer>>,
    pub(super) reporter: Arc<Reporter>,
    /// As they were at the start; what may be changed since is read anew.
    pub(super) settings: SinkSettings,
}

pub(super) fn register_types() {
    let flags = gst::PluginAPIFlags::empty();
    Overflow::static_type().mark_as_plugin_api(flags);
    SyncMethod::static_type().mark_as_plugin_api(flags);
    Metadata::static_type().mark_as_plugin_api(flags);
    AcceptEvents::static_type().mark_as_plugin_api(flags);
    RemoveReason::static_type().mark_as_plugin_api(flags);
}

#[glib::object_subclass]
impl ObjectSubclass for VideoSocketSink {
    const NAME: &'static str = "GstVideoSocketSink";
    type Type = super::VideoSocketSink;
    type ParentType = gst_base::BaseSink;
    type Interfaces = (gst::URIHandler,);
}

impl ObjectImpl for VideoSocketSink {
    fn properties() -> &'static [glib::ParamSpec] {
        static SPECS: Lazy<Vec<glib::ParamSpec>> = Lazy::new(|| {
            let specs = PROPERTIES.iter().map(|property| property.spec.clone());
            let num_clients = glib::ParamSpecUInt::builder("num-clients")
                .blurb("How many clients are connected")
                .read_only()
                .build();
            let connecting_certificate =
                glib::ParamSpecBoxed::builder::<gst::Structure>("connecting-certificate")
                    .blurb(
                        "With TLS, while client-connecting asks: the certificate that the client has shown, with \
                         subject and sha256 (hexadecimal digits). None where it has shown none, and at any other time",
                    )
                    .read_only()
                    .build();
            specs
                .chain(settings::read_only_properties(settings::CLIENTS_BLURB))
                .chain([num_clients, connecting_certificate])
                .collect()
        });
        &SPECS
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: Lazy<Vec<glib::subclass::Signal>> = Lazy::new(signals);
        &SIGNALS
    }

    fn set_property(&self, id: usize, value: &glib::Value, spec: &glib::ParamSpec) {
        // Ids count from 1, in the order of the rows.
        let property = &PROPERTIES[id - 1];
        let set = |settings: &mut SinkSettings| settings::set(property, settings, value);
        if let Err(reason) = settings::change(&self.settings, set) {
            gst::error!(CAT, imp = self, "{} is not changed: {reason}", spec.name());
        }
        if property.changeable == Changeable::Always || spec.name() == "uri" {
            self.update_flow();
        }
    }

    fn property(&self, id: usize, spec: &glib::ParamSpec) -> glib::Value {
        match PROPERTIES.get(id - 1) {
            Some(property) => property.get(&lock(&self.settings)),
            None => match spec.name() {
                "current-port" => {
                    let endpoint = self.running_endpoint();
                    endpoint
                        .map_or(0, |endpoint| messages::port(endpoint.listening()))
                        .to_value()
                }
                "stats" => self.stats().into(),
                "num-clients" => {
                    let endpoint = self.running_endpoint();
                    endpoint
                        .map_or(0, |endpoint| endpoint.num_clients() as u32)
                        .to_value()
                }
                "connecting-certificate" => {
                    let run = lock(&self.run);
                    let reporter = run.as_ref().map(|run| run.reporter.clone());
                    drop(run);
                    let shown = reporter.and_then(|reporter| reporter.connecting_certificate());
                    shown.to_value()
                }
                name => unreachable!("{name} is not listed"),
            },
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        // What a frame takes to be sent is no reason to hold back a live stream.
        self.obj().set_processing_deadline(gst::ClockTime::ZERO);
    }
}

impl GstObjectImpl for VideoSocketSink {}

impl ElementImpl for VideoSocketSink {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: Lazy<gst::subclass::ElementMetadata> = Lazy::new(|| {
            gst::subclass::ElementMetadata::new(
                "Video socket sink",
                "Sink/Network",
                "Sends every buffer as one length-prefixed frame over TCP",
                env!("CARGO_PKG_AUTHORS"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: Lazy<Vec<gst::PadTemplate>> = Lazy::new(|| {
            gst::PadTemplate::new(
                "sink",
                gst::PadDirection::Sink,
                gst::PadPresence::Always,
                &gst::Caps::new_any(),
            )
            .into_iter()
            .collect()
        });
        &TEMPLATES
    }

    fn set_clock(&self, clock: Option<&gst::Clock>) -> bool {
        let is_taken = self.parent_set_clock(clock);
        self.clock_may_be_other.store(true, Relaxed);
        is_taken
    }

    fn send_event(&self, event: gst::Event) -> bool {
        let is_latency = event.type_() == gst::EventType::Latency;
        let is_taken = self.parent_send_event(event);
        self.clock_may_be_other.fetch_or(is_latency, Relaxed);
        is_taken
    }

    fn post_message(&self, message: gst::Message) -> bool {
        let _ancestors = messages::ancestors(&*self.obj());
        self.parent_post_message(message)
    }

    /// The base class starts a sink on the way to READY, where the settings may still be changed.
    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::ReadyToPaused
            && let Err(error) = self.open()
        {
            self.post_error_message(error);
            return Err(gst::StateChangeError);
        }
        // The base time comes with it, in which the element has that of its pipeline by now.
        self.clock_may_be_other.store(true, Relaxed);
        // Without a preroll nothing else keeps the first frame from being rendered before the base class is here.
        let yields = |yields| {
            if transition == gst::StateChange::PausedToPlaying
                && let Some(endpoint) = self.running_endpoint()
            {
                endpoint.yield_to_others(yields);
            }
        };
        yields(true);
        let result = self.parent_change_state(transition);
        yields(false);
        if transition == gst::StateChange::PausedToPlaying
            && result == Ok(gst::StateChangeSuccess::Async)
            && let Some(endpoint) = self.running_endpoint()
        {
            // It came too soon after a pause, and waits for something to preroll: the end that is waited for.
            endpoint.interrupt_end();
        }
        let has_stopped = transition == gst::StateChange::PausedToReady
            || (transition == gst::StateChange::ReadyToPaused && result.is_err());
        if has_stopped {
            self.close();
        }
        result
    }
}

impl BaseSinkImpl for VideoSocketSink {
    /// On a shared connection the first frame goes out before PLAYING. The display of what the peer sends
    /// is most often part of the same pipeline, which does not play until it has a picture to show; two
    /// such pipelines would wait for each other.
    fn prepare(&self, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        if self.sends_ahead.load(Relaxed) && self.obj().current_state() < gst::State::Playing {
            self.send_ahead(buffer);
        }
        Ok(gst::FlowSuccess::Ok)
    }

    fn render(&self, buffer: &gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let (endpoint, mut stream) = self.stream()?;
        let sent_ahead = stream.sent_ahead.take();
        if is_same(sent_ahead.as_ref(), Some(buffer)) {
            return Ok(gst::FlowSuccess::Ok);
        }
        let mut frames = mem::take(&mut stream.frames);
        let needs_records = endpoint.needs_records();
        let news = self.describe_time(needs_records, &mut stream);
        let frame = stream.described_frame(buffer.clone(), needs_records);
        drop(stream);
        drop(sent_ahead);
        tell(&endpoint, news);
        let result = match frame {
            Ok(frame) => {
                frames.push_back(frame);
                self.send(&endpoint, &mut frames, buffer)
            }
            Err(error) => Err(self.refuse(error)),
        };
        self.after_buffers(frames);
        result
    }

    fn prepare_list(&self, list: &gst::BufferList) -> Result<gst::FlowSuccess, gst::FlowError> {
        match list.iter_owned().next() {
            Some(first) => self.prepare(&first),
            None => Ok(gst::FlowSuccess::Ok),
        }
    }

    fn render_list(&self, list: &gst::BufferList) -> Result<gst::FlowSuccess, gst::FlowError> {
        let (endpoint, mut stream) = self.stream()?;
        let sent_ahead = stream.sent_ahead.take();
        let done = usize::from(is_same(sent_ahead.as_ref(), list.get(0)));
        let mut frames = mem::take(&mut stream.frames);
        let mut refused = None;
        let needs_records = endpoint.needs_records();
        let news = self.describe_time(needs_records, &mut stream);
        for buffer in list.iter_owned().skip(done) {
            match stream.described_frame(buffer, needs_records) {
                Ok(frame) => frames.push_back(frame),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        drop(stream);
        drop(sent_ahead);
        tell(&endpoint, news);
        let last = frames.len().checked_sub(1).map(|last| last + done);
        let sent = match last.and_then(|last| list.get(last)) {
            Some(newest) => self.send(&endpoint, &mut frames, newest),
            None => Ok(gst::FlowSuccess::Ok),
        };
        self.after_buffers(frames);
        match refused {
            Some(error) if sent.is_ok() => Err(self.refuse(error)),
            _ => sent,
        }
    }

    fn set_caps(&self, caps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let is_other = self.obj().sink_pad().current_caps().as_ref() != Some(caps);
        let headers = stream_headers(caps);
        gst::debug!(
            CAT,
            imp = self,
            "{} stream headers in {caps}",
            headers.len()
        );
        let mut stream = lock(&self.stream);
        stream.pieces = Pieces::of(caps);
        let frames = stream.header_frames(&headers);
        let were_in_band = stream.have_come(&headers);
        let former = mem::replace(&mut stream.headers, headers);
        let endpoint = stream.endpoint.clone();
        let is_described = stream.is_described() && stream.describing.caps(caps);
        let description = is_described.then(|| self.describe(&mut stream));
        let warns = is_other && stream.has_plain_client;
        drop(stream);
        drop(former);
        if let Some(endpoint) = endpoint {
            tell(&endpoint, description.into());
            endpoint.set_stream_headers(frames, were_in_band);
        }
        if warns {
            decoder_settings::warn_of_loss(&self.obj(), caps);
        }
        self.parent_set_caps(caps)
    }

    fn event(&self, event: gst::Event) -> bool {
        self.describe_event(&event);
        match event.view() {
            gst::EventView::Segment(segment) => {
                let segment = segment.segment();
                lock(&self.stream).segment = segment.downcast_ref().cloned();
            }
            gst::EventView::StreamStart(_) => lock(&self.stream).liveness.ask_again(),
            gst::EventView::Eos(_) if !self.finish(&event) => return false,
            gst::EventView::FlushStop(_) => {
                let sent_ahead = lock(&self.stream).sent_ahead.take();
                drop(sent_ahead);
                if let Some(endpoint) = self.running_endpoint() {
                    endpoint.forget_waiting();
                }
            }
            _ => (),
        }
        self.parent_event(event)
    }

    fn unlock(&self) -> Result<(), gst::ErrorMessage> {
        if let Some(endpoint) = self.running_endpoint() {
            endpoint.interrupt(true);
        }
        Ok(())
    }

    fn unlock_stop(&self) -> Result<(), gst::ErrorMessage> {
        if let Some(endpoint) = self.running_endpoint() {
            endpoint.interrupt(false);
        }
        Ok(())
    }
}

impl VideoSocketSink {
    fn open(&self) -> Result<(), gst::ErrorMessage> {
        let settings = lock(&self.settings).clone();
        let obj = self.obj();
        if settings.lockstep && settings.common.connection_id.is_none() {
            return Err(gst::error_msg!(
                gst::ResourceError::Settings,
                ("lockstep needs a connection-id, and a videosocketsrc with the same one: it sends a \
                     frame for each that the source receives")
            ));
        }
        if let (Metadata::On, Some(reason)) = (settings.metadata, settings.needs_plain()) {
            return Err(fault::metadata_refused("on", reason));
        }
        let refused = |error: OpenError| error.message(Direction::Sending, here!());
        let format = settings.common.header_format();
        let format = format.map_err(OpenError::Settings).map_err(refused)?;
        let eos_frame = settings.eos_frame(format);
        let eos_frame = eos_frame.map_err(OpenError::Settings).map_err(refused)?;
        let Opened { endpoint, told } =
            shared::open(&*obj, &settings, Role::Writer).map_err(refused)?;
        if let Some(warning) = settings.common.tls.warning() {
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{warning}"));
        }
        let is_shared = settings.common.connection_id.is_some();
        self.sends_ahead.store(is_shared, Relaxed);
        *lock(&self.stream) = Stream {
            endpoint: Some(endpoint.clone()),
            format,
            max_frame_size: settings.common.max_frame_size,
            has_plain_client: settings.flow(false).metadata == fanout::Metadata::Off,
            metadata: settings.flow(false).metadata,
            ..Stream::default()
        };
        let reporter = Arc::new(Reporter::new(&obj, &settings.common, told));
        *lock(&self.run) = Some(Run {
            endpoint: endpoint.clone(),
            reporter: reporter.clone(),
            settings: settings.clone(),
        });
        *lock(&self.totals) = endpoint.totals().clone();
        messages::announce_listening(&*obj, endpoint.listening());
        endpoint.set_edges(settings.common.preamble.bytes(), &eos_frame);
        endpoint.attach_writer(
            reporter,
            settings.flow(false),
            describe::hello(back(settings.accept_events)),
        );
        Ok(())
    }

    fn close(&self) {
        let Some(run) = lock(&self.run).take() else {
            return;
        };
        // Out of all locks: with buffers goes memory of the application's.
        let stream = mem::take(&mut *lock(&self.stream));
        drop(stream);
        let id = run.settings.common.connection_id.as_deref();
        shared::leave(id, Role::Writer, || run.endpoint.detach_writer());
        run.reporter.close();
        if messages::port(run.endpoint.listening()) != 0 {
            self.obj().notify("current-port");
        }
    }

    /// Tells those who understand what an event changes, or that it came.
    fn describe_event(&self, event: &gst::Event) {
        let mut stream = lock(&self.stream);
        let Some(endpoint) = stream.endpoint.clone().filter(|_| stream.is_described()) else {
            return;
        };
        let is_other = stream.describing.event(event);
        let description = is_other.then(|| self.describe(&mut stream));
        let note = endpoint.needs_records().then(|| stream.note(event));
        drop(stream);
        tell(&endpoint, description.into());
        if let Some(note) = note.flatten() {
            endpoint.note(note);
        }
    }

    /// There is somebody who is not told what the frames are.
    pub fn has_plain_client(&self) {
        let was_there = mem::replace(&mut lock(&self.stream).has_plain_client, true);
        if !was_there && let Some(caps) = self.obj().sink_pad().current_caps() {
            decoder_settings::warn_of_loss(&self.obj(), &caps);
        }
    }

    /// Puts into force what is set. No lock is held meanwhile: frames that go with it may call the application.
    pub(super) fn update_flow(&self) {
        let mut in_force = None;
        // Another thread may have set something meanwhile: whoever is last finds that it is in force.
        while let Some((endpoint, flow)) = self.wanted_flow()
            && in_force != Some(flow)
        {
            endpoint.set_flow(flow);
            in_force = Some(flow);
        }
    }

    fn wanted_flow(&self) -> Option<(Arc<Endpoint<SentBuffer>>, Flow)> {
        let is_live = lock(&self.stream).liveness.is_live();
        let flow = lock(&self.settings).flow(is_live);
        let run = lock(&self.run);
        let run = run.as_ref()?;
        let at_start = run.settings.flow(is_live);
        let flow = Flow {
            lockstep: at_start.lockstep,
            timeout: at_start.timeout,
            metadata: at_start.metadata,
            ..flow
        };
        Some((run.endpoint.clone(), flow))
    }

    pub fn running_endpoint(&self) -> Option<Arc<Endpoint<SentBuffer>>> {
        lock(&self.run).as_ref().map(|run| run.endpoint.clone())
    }

    fn stats(&self) -> gst::Structure {
        let (endpoint, totals) = (self.running_endpoint(), lock(&self.totals).clone());
        let (mut stats, clients) = messages::stats(endpoint.as_deref(), &totals);
        let clients = messages::all_client_stats(&clients);
        stats.set("clients", gst::Array::new(clients));
        stats
    }
}

fn is_same(one: Option<&gst::Buffer>, other: Option<&gst::BufferRef>) -> bool {
    one.is_some_and(|one| other.is_some_and(|other| one.as_ptr() == other.as_ptr()))
}

/// What is taken from peers.
fn back(accepted: AcceptEvents) -> Back {
    Back {
        keyframe: accepted.contains(AcceptEvents::KEYFRAME),
        qos: accepted.contains(AcceptEvents::QOS),
        navigation: accepted.contains(AcceptEvents::NAVIGATION),
    }
}

impl URIHandlerImpl for VideoSocketSink {
    const URI_TYPE: gst::URIType = gst::URIType::Sink;

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

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use super::*;

    #[test]
    fn what_another_thread_sets_meanwhile_is_not_put_back() {
        gst::init().unwrap();
        let sink: super::super::VideoSocketSink = glib::Object::builder().build();
        sink.set_property_from_str("mode", "listen");
        sink.set_property("port", 0_u32);
        sink.set_state(gst::State::Paused).unwrap();
        let endpoint = sink.imp().running_endpoint().unwrap();
        let run = lock(&sink.imp().run);
        let (set, is_set) = mpsc::channel();
        let other = sink.clone();
        thread::spawn(move || {
            other.set_property("max-clients", 1_u32);
            set.send(())
        });
        // It waits for whoever is about to change how frames are sent.
        assert!(is_set.recv_timeout(Duration::from_millis(20)).is_err());
        lock(&sink.imp().settings).max_size_buffers = 2;
        drop(run);
        is_set.recv_timeout(Duration::from_secs(5)).unwrap();
        let flow = endpoint.flow();
        assert_eq!((flow.max_clients, flow.limits.frames), (Some(1), Some(2)));
        sink.set_state(gst::State::Null).unwrap();
    }
}
