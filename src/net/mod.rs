// SPDX-License-Identifier: MPL-2.0
//! Sockets: making connections, and moving bytes over them, without blocking and from any thread.
//!
//! Knows the operating system, and nothing of who is sent what. It does not log either: what happens comes out
//! as a return value.

mod arrivals;
mod attempt;
mod backoff;
mod carrier;
mod certificate;
mod connection;
mod counters;
mod credentials;
mod dial;
mod error;
#[cfg_attr(
    not(feature = "rustls-core"),
    allow(dead_code, reason = "nothing goes wrong with what cannot be had")
)]
mod handshake_fault;
#[cfg_attr(
    not(feature = "rustls-core"),
    allow(unreachable_code, unused_variables, reason = "none can be begun")
)]
mod handshakes;
mod later;
mod listen;
mod peer;
mod resolve;
#[cfg(test)]
mod script;
mod sent;
#[cfg(feature = "rustls-core")]
mod shown;
mod stream;
mod sys;
#[cfg(feature = "rustls-core")]
mod tls;
#[cfg(not(feature = "rustls-core"))]
#[path = "without_tls.rs"]
mod tls;
mod waiting;

pub use arrivals::{Arrival, Arrivals};
pub use backoff::was_of_use;
pub use certificate::Certificate;
pub use connection::{Connection, Established};
pub use counters::Totals;
pub use credentials::{Credentials, Side};
pub use dial::Waiting;
pub use error::{Error, Host, Nature};
#[cfg(test)]
pub(crate) use handshake_fault::TlsFault;
pub use later::Later;
pub use listen::Listener;
pub use peer::Peer;
#[cfg(test)]
pub(crate) use script::{Answer, Call, Callers, Fault, Faults, Script};
pub use sent::Sent;
pub use stream::tells_of_tls;
pub use tls::Tls;
#[cfg(all(test, feature = "tls"))]
pub(crate) use tls::tests::{Sides, encrypted_pair};
