//! Connections: opening them, keeping them, moving frames over them.
//!
//! Knows the framing and the operating system, and nothing of GStreamer. It does not log either: what
//! happens comes out as an [`Event`] or as a return value, and the element reports it.
//!
//! A [`Hub`] owns what one endpoint opens, a listening socket or a connection, and an I/O thread that
//! connects, accepts, and sends what a socket did not take at once. A second thread tells the application,
//! which may take its time. Frames to send enter it through
//! [`Hub::send`], on the caller's thread. Frames to receive do not pass it: a [`Receiver`] takes the
//! connection from the hub and reads it on the caller's thread. A sink and a source that share one
//! connection share one hub.

mod backlog;
mod burst;
mod client;
mod connection;
mod dial;
mod error;
mod guard;
mod hub;
mod listen;
mod receive;
mod resolve;
mod stats;
mod sys;
mod teller;
mod worker;

pub use backlog::{Frame, Limits, Payload};
pub use client::Reason;
pub use connection::Peer;
pub use error::Error;
pub use hub::{
    Endpoint, Event, Flow, Hub, JoinAt, Mode, Observer, Overflow, Roles, SendError, Sent,
};
pub use receive::{FrameMemory, Interrupt, Received, Receiver};
pub use stats::{ClientStats, Totals};
