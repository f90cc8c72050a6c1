//! What happens to an endpoint, and who is told.

use std::{net::SocketAddr, sync::Arc};

use super::{reason::Reason, stats::ClientStats};
use crate::net::{Error, Peer, Waiting};

/// Something that happened to an endpoint.
#[derive(Clone, Debug)]
pub enum Event {
    /// A connection is made or accepted.
    Connected {
        /// Its number, counted from 1.
        id: u64,
        /// The other end.
        peer: Peer,
    },
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
    /// Something went wrong, and the endpoint does not go on.
    Failed(Arc<Error>),
}

/// Who is told. Called from a thread of its own, which nothing else waits for.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn notice(&self, event: &Event);

    /// Whether a client may join.
    fn admits(&self, _address: Option<SocketAddr>) -> bool {
        true
    }

    /// Whether [`admits`](Self::admits) has to be asked. If not, everyone may join.
    fn is_choosy(&self) -> bool {
        false
    }
}
