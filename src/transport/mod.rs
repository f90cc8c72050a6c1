//! Connections: opening them, keeping them, moving frames over them.
//!
//! Knows the framing and the operating system, and nothing of GStreamer. It does not log either: what
//! happens comes out as an [`Event`] or as a return value, and the element reports it.
//!
//! An [`Endpoint`] owns what is open, a listening socket or a connection, and an I/O thread that
//! connects, accepts, and sends what a socket did not take at once. A second thread tells the application,
//! which may take its time. Frames to send enter it through
//! [`Endpoint::send`], on the caller's thread. Frames to receive do not pass it: a [`Receiver`] takes the
//! connection from the endpoint and reads it on the caller's thread. A sink and a source that share one
//! connection share one endpoint.

mod endpoint;
mod event;
mod guard;
mod member;
mod reason;
mod receive;
mod state;
mod stats;
mod target;
mod teller;
mod worker;
mod write;

use std::{sync::Arc, thread};

use mio::{Poll, Waker};
use socket2::Socket;

use self::{
    endpoint::Threads,
    teller::Teller,
    worker::{WAKE, Worker},
};
use crate::{
    fanout::Payload,
    net::{Error, Listener},
};

pub use self::{
    endpoint::{Endpoint, SendError},
    event::{Event, Observer},
    reason::Reason,
    receive::{FrameMemory, Interrupt, Received, Receiver},
    stats::ClientStats,
    target::{Mode, Roles, Target},
};

/// Opens a target: listens at once, connects later.
pub fn open<P: Payload>(mut target: Target, roles: Roles) -> Result<Arc<Endpoint<P>>, Error> {
    let poll = Poll::new().map_err(Error::Exhausted)?;
    let waker = Waker::new(poll.registry(), WAKE).map_err(Error::Exhausted)?;
    let given = target.socket.take().map(Socket::from);
    let listeners = match target.mode {
        Mode::Listen if given.is_none() => Listener::bind_all(&target.host, target.port)?,
        _ => Vec::new(),
    };
    let listening = listeners.iter().map(Listener::address).collect();
    let endpoint = Endpoint::new(target, roles, given.is_some(), listening, waker);
    let endpoint = Arc::new(endpoint);
    let (teller, telling) = Teller::spawn().map_err(Error::Exhausted)?;
    let worker = Worker::new(endpoint.clone(), poll, listeners, given, teller)?;
    let io = thread::Builder::new()
        .name("videosocket-io".into())
        .spawn(move || worker.run())
        .map_err(Error::Exhausted)?;
    endpoint.serve_by(Threads { io, telling });
    Ok(endpoint)
}
