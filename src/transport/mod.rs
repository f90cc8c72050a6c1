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
mod client;
mod event;
mod guard;
mod hub;
mod reason;
mod receive;
mod state;
mod stats;
mod target;
mod teller;
mod worker;

use std::{sync::Arc, thread};

use mio::{Poll, Waker};
use socket2::Socket;

use self::{
    hub::Threads,
    teller::Teller,
    worker::{WAKE, Worker},
};
use crate::{
    fanout::Payload,
    net::{Error, Listener},
};

pub use self::{
    event::{Event, Observer},
    hub::{Hub, SendError},
    reason::Reason,
    receive::{FrameMemory, Interrupt, Received, Receiver},
    stats::ClientStats,
    target::{Endpoint, Mode, Roles},
};

/// Opens an endpoint: listens at once, connects later.
pub fn open<P: Payload>(mut endpoint: Endpoint, roles: Roles) -> Result<Arc<Hub<P>>, Error> {
    let poll = Poll::new().map_err(Error::Exhausted)?;
    let waker = Waker::new(poll.registry(), WAKE).map_err(Error::Exhausted)?;
    let given = endpoint.socket.take().map(Socket::from);
    let listeners = match endpoint.mode {
        Mode::Listen if given.is_none() => Listener::bind_all(&endpoint.host, endpoint.port)?,
        _ => Vec::new(),
    };
    let listening = listeners.iter().map(Listener::address).collect();
    let hub = Hub::new(endpoint, roles, given.is_some(), listening, waker);
    let hub = Arc::new(hub);
    let (teller, telling) = Teller::spawn().map_err(Error::Exhausted)?;
    let worker = Worker::new(hub.clone(), poll, listeners, given, teller)?;
    let io = thread::Builder::new()
        .name("videosocket-io".into())
        .spawn(move || worker.run())
        .map_err(Error::Exhausted)?;
    hub.serve_by(Threads { io, telling });
    Ok(hub)
}
