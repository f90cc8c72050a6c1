// SPDX-License-Identifier: MPL-2.0
//! What a sink tells of its clients: signals, and messages on the bus.

use std::{
    net::SocketAddr,
    ops::ControlFlow,
    sync::{Arc, Mutex},
};

use gio::prelude::*;
use gst::{
    glib::{
        self,
        signal::signal_has_handler_pending,
        subclass::{Signal, SignalId},
    },
    subclass::prelude::*,
};

use super::{CAT, VideoSocketSink};
use crate::{
    fault::{Direction, Faults, Place, here},
    lock::lock,
    messages::{self, RemoveReason},
    net::{Certificate, Error},
    progress::Progress,
    recurring::Recurring,
    settings::{Common, Mode},
    told::Told,
    transport::{Event, Observer, Reason},
};

const CLIENT_CONNECTING: &str = "client-connecting";

/// So many letters of a sentence are told.
const MAX_SENTENCE: usize = 300;

/// Passes on what the endpoint tells.
pub struct Reporter {
    sink: glib::WeakRef<VideoSocketSink>,
    faults: Faults,
    progress: Progress,
    recurring: Mutex<Recurring>,
    /// What the client has shown of whom the application is being asked.
    connecting: Mutex<Option<Certificate>>,
    /// The source of the same connection tells of clean ends.
    is_shared: bool,
    /// There are any number of peers, of which each comes and goes.
    has_clients: bool,
}

impl Reporter {
    pub fn new(sink: &VideoSocketSink, common: &Common, told: Arc<Told>) -> Self {
        Self {
            sink: sink.downgrade(),
            faults: Faults::new(Direction::Sending, told),
            progress: Progress::default(),
            recurring: Mutex::new(Recurring::new(common)),
            connecting: Mutex::new(None),
            is_shared: common.connection_id.is_some(),
            has_clients: common.mode == Mode::Listen && common.connection_id.is_none(),
        }
    }

    /// What the client has shown of whom the application is being asked.
    pub fn connecting_certificate(&self) -> Option<gst::Structure> {
        lock(&self.connecting).as_ref().map(messages::certificate)
    }

    /// The element has stopped.
    pub fn close(&self) {
        self.faults.close();
        if let Some(sink) = self.sink.upgrade() {
            self.progress.stop(&sink);
        }
    }

    /// The stream cannot go on.
    pub fn fail(&self, error: &Arc<Error>, place: Place) {
        if let Some(sink) = self.sink.upgrade() {
            self.progress.fail(&sink, error);
            self.faults.post_error(&sink, error, place);
        }
    }

    /// A connection has ended, and the stream goes on with the next.
    fn go_on(
        &self,
        sink: &VideoSocketSink,
        cause: Option<Arc<Error>>,
        reason: Reason,
        was_of_use: bool,
    ) {
        if cause.is_none() && (reason != Reason::ClosedByPeer || self.is_shared) {
            return;
        }
        let news = lock(&self.recurring).ended(cause, was_of_use);
        if let Some(fault) = news {
            self.faults.post_warning(sink, &fault, here!());
        }
    }
}

/// A sentence in which some words may be the peer's: without what a terminal would obey, and not too long.
fn for_a_person(error: &Error) -> String {
    let letters = error.to_string();
    let plain = letters.chars().flat_map(|letter| {
        let escaped = letter.is_control().then(|| letter.escape_default());
        let plain = escaped.is_none().then_some(letter);
        escaped.into_iter().flatten().chain(plain)
    });
    plain.take(MAX_SENTENCE).collect()
}

/// A certificate that is to be seen until this is gone.
struct Shown<'a>(&'a Mutex<Option<Certificate>>);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        *lock(self.0) = None;
    }
}

impl Observer for Reporter {
    fn notice(&self, event: &Event) {
        let Some(obj) = self.sink.upgrade() else {
            return;
        };
        match event {
            Event::Connected {
                id,
                peer,
                is_described,
                certificate,
            } => {
                if !is_described {
                    obj.imp().has_plain_client();
                }
                gst::info!(CAT, obj = obj, "Client {id} connected: {peer}");
                self.progress.complete(&obj, peer);
                messages::post_connected(&obj, *peer, certificate.as_deref());
                let address = gio_address(peer.address());
                obj.emit_by_name::<()>("client-added", &[id, &address]);
                obj.notify("num-clients");
            }
            Event::Disconnected {
                id,
                peer,
                reason,
                stats,
                cause,
                was_of_use,
                goes_on,
            } => {
                let sentence = cause.as_ref().map(|cause| for_a_person(cause));
                gst::info!(
                    CAT,
                    obj = obj,
                    "Client {id} disconnected, {peer}: {reason:?}. {}",
                    sentence.as_deref().unwrap_or_default()
                );
                match cause {
                    cause if *goes_on => {
                        let cause = cause.clone().filter(|_| !self.has_clients);
                        self.go_on(&obj, cause, *reason, *was_of_use);
                    }
                    Some(cause) => self.faults.post_error(&obj, cause, here!()),
                    None => (),
                }
                let sent = (stats.frames_sent, stats.bytes_sent);
                let reason = RemoveReason::from(*reason);
                messages::post_disconnected(&obj, *peer, reason, sent);
                let mut stats = messages::client_stats(stats);
                if let Some(sentence) = sentence {
                    stats.set("cause", sentence);
                }
                obj.emit_by_name::<()>("client-removed", &[id, &reason, &stats]);
                obj.notify("num-clients");
            }
            Event::Request(request) => obj.imp().take_request(request),
            Event::Warning(error) => self.faults.post_warning(&obj, error, here!()),
            Event::PassedOver(count) => gst::warning!(
                CAT,
                obj = obj,
                "{count} events are not told of: the application takes long over those before"
            ),
            Event::Waiting(waiting) => self.progress.wait(&obj, waiting),
            Event::Failed(error) => {
                self.progress.fail(&obj, error);
                self.faults.post_error(&obj, error, here!());
            }
        }
    }

    fn admits(&self, address: Option<SocketAddr>, certificate: Option<&Certificate>) -> bool {
        let Some(obj) = self.sink.upgrade() else {
            return false;
        };
        *lock(&self.connecting) = certificate.cloned();
        // Also where a handler panics.
        let _shown = Shown(&self.connecting);
        obj.emit_by_name(CLIENT_CONNECTING, &[&gio_address(address)])
    }

    fn is_choosy(&self) -> bool {
        let signal = SignalId::lookup(CLIENT_CONNECTING, VideoSocketSink::static_type());
        let sink = self.sink.upgrade().zip(signal);
        sink.is_some_and(|(sink, signal)| signal_has_handler_pending(&sink, signal, None, false))
    }
}

pub fn signals() -> Vec<Signal> {
    vec![
        Signal::builder("client-added")
            .param_types([u64::static_type(), gio::SocketAddress::static_type()])
            .build(),
        Signal::builder("client-removed")
            .param_types([
                u64::static_type(),
                RemoveReason::static_type(),
                gst::Structure::static_type(),
            ])
            .build(),
        Signal::builder(CLIENT_CONNECTING)
            .param_types([gio::SocketAddress::static_type()])
            .return_type::<bool>()
            .run_last()
            .class_handler(|_| Some(true.to_value()))
            // One handler that refuses is enough.
            .accumulator(|_, _, value| match value.get() {
                Ok(false) => ControlFlow::Break(value.clone()),
                _ => ControlFlow::Continue(value.clone()),
            })
            .build(),
        Signal::builder("disconnect-client")
            .param_types([u64::static_type()])
            .return_type::<bool>()
            .action()
            .class_handler(|values| {
                let sink = values[0].get::<VideoSocketSink>().ok()?;
                let id = values[1].get().ok()?;
                let endpoint = sink.imp().running_endpoint();
                Some(
                    endpoint
                        .is_some_and(|endpoint| endpoint.disconnect_client(id))
                        .to_value(),
                )
            })
            .build(),
    ]
}

fn gio_address(address: Option<SocketAddr>) -> Option<gio::SocketAddress> {
    let address = address?;
    let ip = gio::InetAddress::from(address.ip());
    let SocketAddr::V6(ipv6) = address else {
        return Some(gio::InetSocketAddress::new(&ip, address.port()).upcast());
    };
    let address = glib::Object::builder::<gio::InetSocketAddress>()
        .property("address", ip)
        .property("port", u32::from(ipv6.port()))
        .property("scope-id", ipv6.scope_id());
    Some(address.build().upcast())
}
