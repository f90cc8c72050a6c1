//! What the lock of an endpoint protects.

use std::sync::Arc;

use mio::Waker;
use slab::Slab;

use super::{
    event::{Event, Observer},
    link::{Link, Writing},
    reason::Reason,
    user::User,
};
use crate::{
    fanout::{Audience, Burst, Counts, Fanout, Payload},
    net::{Error, Totals},
};

pub(super) struct State<P> {
    pub fanout: Fanout<P>,
    pub burst: Burst,
    pub links: Slab<Link>,
    pub future: Future,
    pub reader: User,
    pub writer: User,
    pub reader_waker: Option<Arc<Waker>>,
    /// What those who have just come are to be told before anything else.
    pub untold: Vec<(Event, Arc<dyn Observer>)>,
    /// When a connection has ended, the next one is made or awaited.
    pub reconnects: bool,
    /// It uses a socket that was handed over, and there is no other.
    pub was_given: bool,
    pub totals: Arc<Totals>,
    pub last_id: u64,
    pub interrupted: bool,
    /// How often [`Endpoint::finish`](super::Endpoint::finish) was to return.
    pub interruptions: u64,
    /// A client has left; whoever waits is still to learn it.
    pub has_left: bool,
    pub stopping: bool,
    pub waiters: usize,
}

/// What follows the links that there are.
#[derive(Clone)]
pub(super) enum Future {
    /// Others, where there is one at a time; or they come at any time.
    Open,
    /// Nothing; with the fault that the last one ended with.
    Over(Option<Arc<Error>>),
    /// Nothing: the endpoint has failed.
    Failed(Arc<Error>),
}

impl<P: Payload> State<P> {
    pub fn new(
        fanout: Fanout<P>,
        (reader, writer): (User, User),
        reconnect: bool,
        was_given: bool,
        totals: Arc<Totals>,
    ) -> Self {
        Self {
            reconnects: reconnect && !was_given,
            was_given,
            totals,
            fanout,
            burst: Burst::default(),
            links: Slab::new(),
            future: Future::Open,
            reader,
            writer,
            reader_waker: None,
            untold: Vec::new(),
            last_id: 0,
            interrupted: false,
            interruptions: 0,
            has_left: false,
            stopping: false,
            waiters: 0,
        }
    }

    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The link, where there is one at a time.
    pub fn link(&self) -> Option<&Link> {
        self.links.iter().next().map(|(_, link)| link)
    }

    pub fn link_mut(&mut self) -> Option<&mut Link> {
        self.links.iter_mut().next().map(|(_, link)| link)
    }

    /// Whether a link is awaited, where there is one at a time.
    pub fn is_opening(&self) -> bool {
        matches!(self.future, Future::Open) && self.links.is_empty() && !self.stopping
    }

    pub fn observers(&self) -> Vec<Arc<dyn Observer>> {
        let users = [&self.reader, &self.writer].into_iter();
        users.filter_map(User::observer).cloned().collect()
    }

    pub fn wake_reader(&self) {
        if let Some(waker) = &self.reader_waker {
            // Fails only where nobody polls any more.
            let _ = waker.wake();
        }
    }

    /// Remembers to tell the user who has just come that it cannot use the link, for another has.
    pub fn warn_of_spent(&mut self, observer: &Arc<dyn Observer>) {
        if let Some(link) = self.link() {
            let peer = link.connection.peer();
            let warning = Event::Warning(Arc::new(Error::Spent { peer }));
            self.untold.push((warning, observer.clone()));
        }
    }

    /// Remembers to tell one who comes later than it happened.
    pub fn welcome(&mut self, observer: &Arc<dyn Observer>) {
        let event = match (&self.future, self.link()) {
            (Future::Failed(error), _) => Event::Failed(error.clone()),
            (_, Some(link)) => Event::Connected {
                id: link.id,
                peer: link.connection.peer(),
            },
            _ => return,
        };
        self.untold.push((event, observer.clone()));
    }

    /// Whether a stream that is taken up again after its end gets another connection. Of a shared one the
    /// reader has come to the end as well.
    pub fn begins_anew(&self) -> bool {
        !self.was_given && (self.reconnects || self.reader.is_absent())
    }

    /// Whether there is one connection at a time.
    pub fn is_exclusive(&self) -> bool {
        self.fanout.audience() != Audience::Clients
    }

    /// Whether the stream has come to its end, and whatever its last connections met with is known.
    pub fn is_finished(&self) -> bool {
        let mut links = self.links.iter();
        self.fanout.is_finished() && !links.any(|(_, link)| link.is_ending())
    }

    /// Sending over a link comes to its end, and with it the link, unless its reader is to see to that.
    pub fn end_writing(&mut self, key: usize, reason: Reason, cause: Option<Error>) {
        let is_shared = !self.reader.is_absent();
        let has_reader = self.reader.is_active();
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        let is_peers_doing = matches!(
            reason,
            Reason::ClosedByPeer | Reason::Failed | Reason::EndOfStream
        );
        // The reader learns by itself what became of the connection, and reports it.
        if !(is_shared && has_reader && is_peers_doing) {
            if is_shared {
                link.connection.abandon();
            }
            link.end(reason, cause);
        }
        self.leave(key);
    }

    /// A link ends whatever its users do.
    pub fn abandon(&mut self, key: usize, reason: Reason) {
        if let Some(link) = self.links.get_mut(key) {
            link.connection.abandon();
            link.end(reason, None);
            self.leave(key);
        }
    }

    /// The client of a link is none any more.
    pub fn leave(&mut self, key: usize) {
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        if let Writing::Claimed(client) = link.writing {
            let (counts, lost) = self.fanout.leave(client, self.reconnects);
            link.writing = Writing::Done(counts);
            self.totals.dropped.add(lost);
            self.has_left = true;
        }
    }

    /// What was sent over a link.
    pub fn counts(&self, link: &Link) -> Counts {
        match link.writing {
            Writing::Unclaimed => Counts::default(),
            Writing::Claimed(client) => self.fanout.counts(client),
            Writing::Done(counts) => counts,
        }
    }
}
