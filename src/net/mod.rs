//! Sockets: making connections, and moving bytes over them, without blocking and from any thread.
//!
//! Knows the operating system, and nothing of who is sent what. It does not log either: what happens comes out
//! as a return value.

mod arrivals;
mod backoff;
mod connection;
mod counters;
mod dial;
mod error;
mod listen;
mod resolve;
#[cfg(test)]
mod script;
mod stream;
mod sys;

pub use arrivals::{Arrival, Arrivals};
pub use backoff::was_of_use;
pub use connection::{Connection, Established, Peer};
pub use counters::Totals;
pub use dial::Waiting;
pub use error::{Error, Host, Nature};
pub use listen::Listener;
#[cfg(test)]
pub(crate) use script::{Answer, Script};
