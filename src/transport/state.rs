//! What the lock of an endpoint protects.

use std::{sync::Arc, time::Instant};

use mio::Waker;
use slab::Slab;

use super::{
    event::{Event, Observer},
    member::Member,
    reason::Reason,
};
use crate::{
    fanout::{Burst, Client, Flow, Frame, JoinAt, Payload, Sent, StreamHeaders},
    net::{Connection, Error},
};

/// A group of pictures that is longer is no longer kept for clients that join: they wait for the next.
const MAX_GROUP_BYTES: usize = 64 << 20;

pub(super) struct State<P> {
    pub link: Link,
    pub reader: Side,
    pub writer: Side,
    pub reader_waker: Option<Arc<Waker>>,
    /// What those who have just come are to be told before anything else.
    pub untold: Vec<(Event, Arc<dyn Observer>)>,
    pub flow: Flow,
    pub headers: StreamHeaders<P>,
    /// The frames since the last keyframe, for [`JoinAt::LatestKeyframe`].
    pub group: Vec<Frame<P>>,
    pub clients: Slab<Member<P>>,
    pub burst: Burst,
    /// Keys of clients that the I/O thread is to remove.
    pub leaving: Vec<usize>,
    pub last_id: u64,
    pub interrupted: bool,
    /// How often [`Endpoint::finish`] was to return.
    pub interruptions: u64,
    pub finishing: bool,
    /// Some clients have been told that no more follows, and are taking the rest.
    pub draining: bool,
    pub stopping: bool,
    pub waiters: usize,
}

/// The one connection of an endpoint that has no more at a time.
pub(super) enum Link {
    Opening,
    Open(OpenLink),
    /// No further one follows; the fault that sending met with, where a reader had the connection as well.
    Over(Option<Arc<Error>>),
    /// Nor does one after this.
    Failed(Arc<Error>),
}

pub(super) struct OpenLink {
    pub id: u64,
    pub connection: Arc<Connection>,
    /// The reader has not taken it yet.
    pub is_offered: bool,
    /// What the peer sends is thrown away.
    pub is_discarded: bool,
    pub read_done: bool,
    pub write_done: bool,
    pub ending: Option<(Reason, Option<Error>)>,
}

/// One of the two users of an endpoint.
#[derive(Default)]
pub(super) enum Side {
    #[default]
    Awaited,
    /// Is about to attach.
    Admitted,
    Active(Arc<dyn Observer>),
    Gone,
}

impl Side {
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Active(_))
    }

    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::Active(_) | Self::Admitted)
    }
}

impl<P: Payload> State<P> {
    pub fn new() -> Self {
        Self {
            link: Link::Opening,
            reader: Side::Awaited,
            writer: Side::Awaited,
            reader_waker: None,
            untold: Vec::new(),
            flow: Flow::default(),
            headers: StreamHeaders {
                frames: Vec::new(),
                version: 0,
            },
            group: Vec::new(),
            clients: Slab::new(),
            burst: Burst::default(),
            leaving: Vec::new(),
            last_id: 0,
            interrupted: false,
            interruptions: 0,
            finishing: false,
            draining: false,
            stopping: false,
            waiters: 0,
        }
    }

    pub fn num_clients(&self) -> usize {
        // One alone may be that of a link that is not open; of many, each is connected.
        match self.clients.len() {
            1 => {
                let mut clients = self.clients.iter();
                clients
                    .any(|(_, member)| member.connection.is_some())
                    .into()
            }
            many => many,
        }
    }

    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A client that joins an endpoint with any number of them.
    pub fn add_client(&mut self, connection: Arc<Connection>) -> usize {
        let id = self.next_id();
        let client = Client::joining(&self.group, &self.headers, Instant::now());
        let member = Member::joining(id, client, connection, &self.flow);
        self.clients.insert(member)
    }

    pub fn observers(&self) -> Vec<Arc<dyn Observer>> {
        let sides = [&self.reader, &self.writer].into_iter();
        sides
            .filter_map(|side| match side {
                Side::Active(observer) => Some(observer.clone()),
                Side::Awaited | Side::Admitted | Side::Gone => None,
            })
            .collect()
    }

    fn keep_for_joining(&mut self, frame: &Frame<P>) {
        let is_keyframe = frame.keyframe && !frame.repeats_header;
        let bytes: usize = self.group.iter().map(|frame| frame.len).sum();
        if is_keyframe || bytes + frame.len > MAX_GROUP_BYTES {
            self.group.clear();
        }
        if is_keyframe || !self.group.is_empty() {
            self.group.push(frame.clone());
        }
    }

    /// A connection over which another has sent is not sent over again. Where that one has left half a
    /// frame behind, nothing can be made of the connection any more.
    pub fn end_former_writing(&mut self) {
        let State { clients, link, .. } = self;
        let Link::Open(link) = link else { return };
        for (_, member) in clients.iter_mut() {
            if member.connection.is_none() || member.client.is_draining() {
                continue;
            }
            if member.client.has_nothing_waiting() {
                // Fails where there is no connection any more.
                let _ = member.begin_drain(Instant::now());
            } else {
                // The reader has it too, and is to let go of it.
                link.connection.abort(libc::ECONNABORTED);
                link.ending.get_or_insert((Reason::Stopped, None));
            }
        }
    }

    /// Lets go of the buffers that were kept for clients to come.
    pub fn forget_stream(&mut self) {
        self.headers.frames.clear();
        self.group.clear();
    }

    pub fn wake_reader(&self) {
        if let Some(waker) = &self.reader_waker {
            // Fails only where nobody polls any more.
            let _ = waker.wake();
        }
    }

    /// Remembers to tell one who comes later than it happened.
    pub fn welcome(&mut self, observer: &Arc<dyn Observer>) {
        let event = match &self.link {
            Link::Open(link) => Event::Connected {
                id: link.id,
                peer: link.connection.peer(),
            },
            Link::Failed(error) => Event::Failed(error.clone()),
            Link::Opening | Link::Over(_) => return,
        };
        self.untold.push((event, observer.clone()));
    }

    /// A peer that is still to come gets no frame that the stream has left behind.
    pub fn forget_unmet(&mut self) {
        let now = Instant::now();
        for (_, member) in &mut self.clients {
            if member.connection.is_none() {
                *member = Member::awaiting(now);
            }
        }
    }

    /// `keeps` says whether it is kept for a peer that is still to come.
    pub fn offer(&mut self, frame: &Frame<P>, keeps: bool, now: Instant) -> Sent {
        let mut sum = Sent::default();
        for (_, Member { client, .. }) in &mut self.clients {
            if keeps || !client.is_unmet() {
                sum += client.offer(frame, &self.flow, &self.headers, now);
            }
        }
        if self.flow.join == JoinAt::LatestKeyframe {
            self.keep_for_joining(frame);
        }
        sum
    }
}
