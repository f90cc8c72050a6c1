// SPDX-License-Identifier: MPL-2.0
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

mod ear;
mod endpoint;
mod event;
mod io;
mod link;
mod locked;
mod reason;
mod receive;
mod state;
mod stats;
mod target;
mod teller;
#[cfg(all(test, feature = "tls"))]
mod torture;
mod user;
mod write;

use std::{sync::Arc, thread};

use mio::{Poll, Waker};
use socket2::Socket;

use self::{
    endpoint::Threads,
    io::{ARRIVALS, Io, WAKE},
    teller::Teller,
};
use crate::{
    fanout::Payload,
    net::{Arrivals, Error, Listener, Side, Tls},
};

pub use self::{
    endpoint::{Endpoint, SendError},
    event::{Event, Observer, Request},
    reason::Reason,
    receive::{Arrival, FrameMemory, Interrupt, Received, Receiver},
    stats::ClientStats,
    target::{Mode, Role, Target, Users},
};

/// Opens a target: listens at once, connects later.
pub fn open<P: Payload>(mut target: Target, users: Users) -> Result<Arc<Endpoint<P>>, Error> {
    let tls = load_tls(&target)?;
    let poll = Poll::new().map_err(Error::Exhausted)?;
    let waker = Waker::new(poll.registry(), WAKE).map_err(Error::Exhausted)?;
    let waker = Arc::new(waker);
    let given = target.socket.take().map(Socket::from);
    let was_given = given.is_some();
    let mut listening = Vec::new();
    let arrivals = match (given, target.mode) {
        (Some(socket), _) => Arrivals::given(socket),
        (None, Mode::Connect) => Arrivals::calls(
            &target.host,
            target.port,
            target.connect_timeout,
            ARRIVALS,
            &waker,
        ),
        (None, Mode::Listen) => {
            let listeners = Listener::bind_all(&target.host, target.port)?;
            listening = listeners.iter().map(Listener::address).collect();
            Arrivals::doors(listeners, ARRIVALS, poll.registry())?
        }
    };
    let arrivals = match tls {
        Some(tls) => arrivals.with_tls(tls, ARRIVALS, target.reconnect),
        None => arrivals,
    };
    let endpoint = Endpoint::new(target, users, was_given, listening, waker);
    let endpoint = Arc::new(endpoint);
    let (teller, telling) = Teller::spawn().map_err(Error::Exhausted)?;
    let worker = Io::new(endpoint.clone(), poll, arrivals, teller);
    let io = thread::Builder::new()
        .name("videosocket-io".into())
        .spawn(move || worker.run())
        .map_err(Error::Exhausted)?;
    endpoint.serve_by(Threads { io, telling });
    Ok(endpoint)
}

/// Reads the files that encryption takes.
fn load_tls(target: &Target) -> Result<Option<Tls>, Error> {
    let side = match target.mode {
        Mode::Connect => Side::Client(target.host.clone()),
        Mode::Listen => Side::Server,
    };
    let credentials = target.tls.as_ref();
    let tls = credentials.map(|credentials| Tls::load(credentials, side));
    Ok(tls.transpose()?)
}
