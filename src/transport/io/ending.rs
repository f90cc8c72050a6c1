// SPDX-License-Identifier: MPL-2.0
//! Ends of links.

use std::{
    io::{self, IoSlice},
    mem,
    os::fd::AsRawFd,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::unix::SourceFd;

use super::Io;
use crate::{
    fanout::{Overflow, Payload},
    net::{Connection, Error},
    transport::{
        endpoint::Endpoint,
        link::Reading,
        locked::Locked,
        reason::{Reason, sending_ended},
        state::{Future, State},
    },
};

/// How often clients are looked at that give no sign.
const INSPECTION: Duration = Duration::from_secs(1);

impl<P: Payload> Io<P> {
    /// Closes what nobody has a use for any more.
    pub(super) fn end_links(&mut self, state: &mut State<P>) {
        while let Some(key) = state.find_over() {
            self.end_link(state, key);
        }
        if mem::take(&mut state.has_left) {
            self.endpoint.notify(state);
            self.endpoint.note_needs(state);
        }
    }

    /// Closes a link with which both directions are done.
    fn end_link(&mut self, state: &mut State<P>, key: usize) {
        let endpoint = self.endpoint.clone();
        endpoint.end_greeting(state, key);
        state.leave(key);
        let mut link = state.remove(key);
        if link.watched.is_some() {
            // The reader may keep it, and its end is not to be taken for that of the next.
            let fd = link.connection.as_raw_fd();
            let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
        }
        let end = link.take_end();
        let counts = state.counts(&link);
        let was_of_use = link.was_of_use(counts);
        if link.reading != Reading::Claimed {
            self.leaving.push(link.connection.clone());
        }
        let cause = end.cause.map(Arc::new);
        if !state.is_exclusive() {
            let event = link.disconnected(counts, end.reason, cause, was_of_use, true);
            return self.tell(state, event);
        }
        let goes_on = link.connection.gives_way() || state.goes_on_after(end.reason);
        let is_in_order = end.reason == Reason::EndOfStream;
        self.arrivals.ended(is_in_order || was_of_use);
        let event = link.disconnected(counts, end.reason, cause.clone(), was_of_use, goes_on);
        self.tell(state, event);
        if goes_on {
            state.fanout.await_peer();
        } else {
            endpoint.totals.dropped.add(state.fanout.await_nobody());
            state.future = match cause {
                None if is_in_order && state.may_begin_anew() => Future::Resting,
                Some(cause) if state.reader.is_absent() => Future::Failed(cause),
                cause => Future::Over(cause),
            };
        }
        state.wake_reader();
        endpoint.notify(state);
        endpoint.note_needs(state);
        // Opening is the beginning of the next round.
        endpoint.wake();
    }

    /// Nothing can be sent any more. Where the peer's stream has ended before, reading does not tell.
    pub(super) fn hang_up(&mut self, key: usize) {
        let mut state = self.endpoint.lock();
        let Some(link) = state.links.get(key) else {
            return;
        };
        let Some(client) = link.client() else { return };
        let error = match link.connection.take_error() {
            // The peer takes the rest, and then has.
            None if state.fanout.is_draining(client) => return,
            None => io::ErrorKind::BrokenPipe.into(),
            Some(error) => error,
        };
        let (reason, cause) = sending_ended(link.connection.peer(), error);
        state.end_writing(key, reason, cause);
    }

    /// The end of the thread: what is still open is closed.
    pub(super) fn close(mut self) {
        let endpoint = self.endpoint.clone();
        let mut state = endpoint.lock();
        endpoint.end_greetings(&mut state, |_| true);
        self.tell_newcomers(&mut state);
        let observers = state.observers();
        for (_, link) in mem::take(&mut state.links) {
            let last_word = link.client().map(|client| state.fanout.last_word(client));
            if let Some(last_word) = last_word.filter(|last_word| !last_word.is_empty()) {
                // The peer may be gone, or take nothing: then it is a cut stream to it.
                let _ = link.connection.send(&[IoSlice::new(last_word)]);
            }
            let counts = state.counts(&link);
            let was_of_use = link.was_of_use(counts);
            let event = link.disconnected(counts, Reason::Stopped, None, was_of_use, false);
            self.teller.tell(event, observers.clone());
            self.leaving.push(link.connection);
        }
        state.fanout.end();
        state.future = match mem::replace(&mut state.future, Future::Over(None)) {
            Future::Open | Future::Resting => Future::Over(None),
            future => future,
        };
        state.wake_reader();
        self.endpoint.notify(&state);
        drop(state);
        self.take_leave();
    }

    /// Of peers that may still be speaking. With one that floods it takes a while, for which nobody else waits.
    pub(super) fn take_leave(&mut self) {
        for connection in self.leaving.drain(..) {
            connection.take_leave();
        }
    }
}

/// Tells each client that has got everything that no more follows, and lets go those that know. Says whether some
/// still take the rest.
pub(super) fn drain<P: Payload>(
    endpoint: &Endpoint<P>,
    state: &mut State<P>,
    now: Instant,
) -> bool {
    let mut drains = false;
    let links = state.links.iter();
    let clients: Vec<_> = links
        .filter_map(|(key, link)| Some((key, link.client()?, link.connection.clone())))
        .collect();
    for (key, client, connection) in clients {
        let fanout = &mut state.fanout;
        // A flush takes back the end of the stream, not the word given to a client.
        if !fanout.is_draining(client) {
            if !fanout.is_finishing() {
                continue;
            }
            state.totals.dropped.add(fanout.inspect_end(client, now));
            // What was in the way of the last word may be gone.
            endpoint.send_over(state, key);
            let fanout = &state.fanout;
            if !fanout.is_draining(client) && !fanout.is_idle(client) {
                continue;
            }
        }
        // Of what is encrypted some may be here, and of the end itself.
        let is_flushed = match connection.flush() {
            Ok(is_flushed) => is_flushed,
            Err(error) => {
                let (reason, cause) = sending_ended(connection.peer(), error);
                state.end_writing(key, reason, cause);
                continue;
            }
        };
        let fanout = &mut state.fanout;
        if !fanout.is_draining(client) {
            if !is_flushed && fanout.flow().overflow == Overflow::Block {
                // It is waited for as for a frame.
                fanout.set_writable(client, false);
                continue;
            }
            fanout.begin_drain(client, now);
        }
        if state.fanout.is_to_end(client) && connection.end_sending().is_err() {
            // There is nobody to tell any more.
            state.end_writing(key, Reason::EndOfStream, None);
            continue;
        }
        if state
            .fanout
            .is_drained(client, connection.unacknowledged(), now)
        {
            state.end_writing(key, Reason::EndOfStream, None);
        } else {
            drains = true;
        }
    }
    drains
}

/// Finds clients that take nothing, or are gone without a word. The system is asked client by client, and others have
/// the lock in between.
pub(super) fn inspect<P: Payload>(state: &mut Locked<'_, P>, now: Instant) {
    let mut key = 0;
    while key < state.links.capacity() {
        if let Some((link, client)) = state.links.get(key).and_then(|l| Some((l, l.client()?))) {
            let connection = link.connection.clone();
            inspect_client(state, (key, client), &connection, now);
            state.give_way();
        }
        key += 1;
    }
}

fn inspect_client<P: Payload>(
    state: &mut State<P>,
    (key, client): (usize, usize),
    connection: &Connection,
    now: Instant,
) {
    if state.fanout.flow().timeout.is_some() {
        state
            .fanout
            .inspect(client, connection.unacknowledged(), now);
    }
    if connection.has_vanished() {
        let peer = connection.peer();
        let source = io::Error::from_raw_os_error(libc::ETIMEDOUT);
        // A reader of the same connection is to learn it as well.
        connection.abort(libc::ETIMEDOUT);
        state.end_writing(key, Reason::Failed, Some(Error::Send { peer, source }));
    }
}

/// How often clients are looked at.
pub(super) fn inspection<P: Payload>(state: &State<P>) -> Duration {
    let timeout = state.fanout.flow().timeout;
    timeout.map_or(INSPECTION, |timeout| {
        (timeout / 4).clamp(Duration::from_millis(5), INSPECTION)
    })
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use mio::Poll;

    use super::*;
    use crate::{
        net::{Arrivals, Script},
        transport::{
            io::{ARRIVALS, tests::endpoint},
            link::{Link, Writing},
            teller::Teller,
        },
    };

    #[test]
    fn nobody_waits_while_leave_is_taken_of_a_peer() {
        let poll = Poll::new().unwrap();
        let endpoint = endpoint(&poll, true);
        let arrivals = Arrivals::doors(Vec::new(), ARRIVALS, poll.registry()).unwrap();
        let (teller, _telling) = Teller::spawn().unwrap();
        let mut io = Io::new(endpoint.clone(), poll, arrivals, teller);
        let connection = Arc::new(Connection::scripted(Script::default()));
        let writing = Writing::Done(Default::default());
        let link = Link::new(1, connection.clone(), Reading::Done, writing);
        endpoint.lock().insert(link);
        // It is read until there is nothing more, and that is not known before this is let go of.
        let input = connection.script().input.lock().unwrap();
        let tending = thread::spawn(move || io.tend());
        let (ended, has_ended) = mpsc::channel();
        thread::spawn(move || {
            while !endpoint.lock().links.is_empty() {
                thread::yield_now();
            }
            ended.send(())
        });
        let result = has_ended.recv_timeout(Duration::from_secs(5));
        drop(input);
        result.expect("the state is free");
        tending.join().unwrap();
    }
}
