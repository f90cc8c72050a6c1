// SPDX-License-Identifier: MPL-2.0
//! What happens to an endpoint, and who is told.

use std::{net::SocketAddr, sync::Arc};

use super::{reason::Reason, stats::ClientStats};
use crate::{
    net::{Certificate, Error, Peer, Waiting},
    wire::{
        StructureText,
        record::{Qos, Upstream},
    },
};

/// Something that happened to an endpoint.
#[derive(Clone, Debug)]
pub enum Event {
    /// A connection is made or accepted.
    Connected {
        /// Its number, counted from 1.
        id: u64,
        /// The other end.
        peer: Peer,
        /// It is told what the frames are.
        is_described: bool,
        /// Who it has shown to be.
        certificate: Option<Arc<Certificate>>,
    },
    /// A peer that is sent the stream asks for something.
    Request(Request),
    /// A connection has ended.
    Disconnected {
        /// Its number.
        id: u64,
        /// The other end.
        peer: Peer,
        /// Why.
        reason: Reason,
        /// What was sent and received over it.
        stats: ClientStats,
        /// The fault that sending met with.
        cause: Option<Arc<Error>>,
        /// It was more than a connection to a peer that accepts and closes.
        was_of_use: bool,
        /// The endpoint opens, or awaits, the next one.
        goes_on: bool,
    },
    /// A connection takes long to come about.
    Waiting(Waiting),
    /// Something went wrong, and the endpoint goes on.
    Warning(Arc<Error>),
    /// So many events are not told: those before take long to be, and there have been too many since.
    PassedOver(u64),
    /// Something went wrong, and the endpoint does not go on.
    Failed(Arc<Error>),
}

/// What a peer asks for that is sent a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// A frame that can be decoded alone.
    Keyframe {
        /// The stream's headers as well.
        all_headers: bool,
        /// From when on, if not at once.
        running_time: Option<u64>,
    },
    /// Another rate.
    Qos(Qos),
    /// What a key or the mouse does: text that has been checked.
    Navigation(String),
}

impl Request {
    pub(super) fn new(upstream: Upstream<'_>) -> Option<Self> {
        Some(match upstream {
            Upstream::Keyframe {
                all_headers,
                running_time,
            } => Self::Keyframe {
                all_headers,
                running_time,
            },
            Upstream::Qos(qos) => Self::Qos(qos),
            Upstream::Navigation(text) => Self::Navigation(text.as_str().into()),
            Upstream::Other => return None,
        })
    }

    /// As a record has it.
    pub fn record(&self) -> Option<Upstream<'_>> {
        Some(match self {
            Self::Keyframe {
                all_headers,
                running_time,
            } => Upstream::Keyframe {
                all_headers: *all_headers,
                running_time: *running_time,
            },
            Self::Qos(qos) => Upstream::Qos(*qos),
            Self::Navigation(text) => {
                Upstream::Navigation(StructureText::new(text.as_bytes(), text.len()).ok()?)
            }
        })
    }
}

/// Who is told. Called from a thread of its own, which nothing else waits for.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn notice(&self, event: &Event);

    /// Whether a client may join that has shown this certificate.
    fn admits(&self, _address: Option<SocketAddr>, _certificate: Option<&Certificate>) -> bool {
        true
    }

    /// Whether [`admits`](Self::admits) has to be asked. If not, everyone may join.
    fn is_choosy(&self) -> bool {
        false
    }
}
