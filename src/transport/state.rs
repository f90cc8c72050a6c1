// SPDX-License-Identifier: MPL-2.0
//! What the lock of an endpoint protects.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    time::Instant,
};

use mio::Waker;
use slab::Slab;

use super::{
    event::{Event, Observer, Request},
    link::{Link, Reading, Writing},
    reason::Reason,
    user::User,
};
use crate::{
    fanout::{Audience, Burst, Counts, Fanout, Payload},
    net::{Connection, Error, Nature, Totals},
};

pub(super) struct State<P> {
    pub fanout: Fanout<P>,
    pub burst: Burst,
    pub links: Slab<Link>,
    /// Those that greet, or did.
    greeting: Vec<usize>,
    /// Those that are to end. With many, none is looked for.
    ending: Vec<usize>,
    pub future: Future,
    pub reader: User,
    pub writer: User,
    pub reader_waker: Option<Arc<Waker>>,
    /// What each peer is told first on the reader's behalf.
    pub reader_hello: Vec<u8>,
    /// What those who have just come are to be told before anything else.
    pub untold: Vec<(Event, Arc<dyn Observer>)>,
    /// To be let go of when all that is to be told so far is told.
    pub marks: Vec<mpsc::Sender<Infallible>>,
    /// When a connection has ended, the next one is made or awaited.
    pub reconnects: bool,
    /// It uses a socket that was handed over, and there is no other.
    pub was_given: bool,
    pub totals: Arc<Totals>,
    pub last_id: Arc<AtomicU64>,
    pub interrupted: bool,
    /// Whoever sends is to return, rather than to wait, and to come again.
    pub yields: bool,
    /// How often [`Endpoint::finish`](super::Endpoint::finish) was to return.
    pub interruptions: u64,
    /// A client has left; whoever waits is still to learn it.
    pub has_left: bool,
    pub stopping: bool,
    pub waiters: usize,
}

/// What follows the links that there are.
pub(super) enum Future {
    /// Others, where there is one at a time; or they come at any time.
    Open,
    /// Nothing, unless more of the stream follows: its end has been taken back.
    Resting,
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
            greeting: Vec::new(),
            ending: Vec::new(),
            future: Future::Open,
            reader,
            writer,
            reader_waker: None,
            reader_hello: Vec::new(),
            untold: Vec::new(),
            marks: Vec::new(),
            last_id: Arc::default(),
            interrupted: false,
            yields: false,
            interruptions: 0,
            has_left: false,
            stopping: false,
            waiters: 0,
        }
    }

    pub fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Relaxed) + 1
    }

    /// The link, where there is one at a time.
    pub fn link(&self) -> Option<&Link> {
        self.links.iter().next().map(|(_, link)| link)
    }

    pub fn link_mut(&mut self) -> Option<&mut Link> {
        self.links.iter_mut().next().map(|(_, link)| link)
    }

    pub fn key_of(&self, connection: &Arc<Connection>) -> Option<usize> {
        let mut links = self.links.iter();
        let found = links.find(|(_, link)| Arc::ptr_eq(&link.connection, connection));
        found.map(|(key, _)| key)
    }

    /// Begins to use a connection.
    pub fn insert(&mut self, link: Link) -> usize {
        let is_greeting = matches!(link.writing, Writing::Greeting(_));
        let key = self.links.insert(link);
        if is_greeting {
            self.greeting.push(key);
            self.fanout.set_callee_is_here(true);
        }
        key
    }

    /// Links whose peers may ask for records before they are sent anything, and until when.
    pub fn greetings(&self) -> impl Iterator<Item = (usize, Instant)> {
        let links = self.greeting.iter();
        links.filter_map(|&key| match self.links.get(key)?.writing {
            Writing::Greeting(until) => Some((key, until)),
            _ => None,
        })
    }

    /// A link's peer has asked, or has had its time.
    pub fn forget_greeting(&mut self, key: usize) {
        self.greeting.retain(|&other| other != key);
        self.fanout.set_callee_is_here(!self.greeting.is_empty());
    }

    /// Counts a link, and remembers to tell everybody that it is there.
    pub fn tell_of_link(&mut self, key: usize) {
        if let Some(event) = self.links.get(key).map(|link| self.connected(link)) {
            self.totals.connections.add(1);
            let observers = self.observers().into_iter();
            self.untold
                .extend(observers.map(|observer| (event.clone(), observer)));
        }
    }

    /// Remembers to pass on what a peer asks for.
    pub fn ask_writer(&mut self, request: Request) {
        if let Some(observer) = self.writer.observer().cloned() {
            self.untold.push((Event::Request(request), observer));
        }
    }

    fn connected(&self, link: &Link) -> Event {
        let client = link.client();
        Event::Connected {
            id: link.id,
            peer: link.connection.peer(),
            is_described: client.is_some_and(|client| self.fanout.is_described(client)),
            certificate: link.connection.certificate().cloned(),
        }
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
            // Of the others all are told at once.
            (_, Some(link)) if !matches!(link.writing, Writing::Greeting(_)) => {
                self.connected(link)
            }
            _ => return,
        };
        self.untold.push((event, observer.clone()));
    }

    /// Whether a stream that is taken up again after its end gets another connection. Of a shared one the
    /// reader has come to the end as well.
    pub fn begins_anew(&self) -> bool {
        !self.was_given && (self.reconnects || self.reader.is_absent())
    }

    /// Whether that is about to be: a flush has taken back the end.
    pub fn may_begin_anew(&self) -> bool {
        self.begins_anew() && !self.fanout.is_finishing()
    }

    /// The stream jumps, perhaps from its end. Nobody knows whether more of it follows.
    pub fn take_back_end(&mut self) {
        self.fanout.resume();
        self.fanout.forget_waiting();
        if matches!(self.future, Future::Over(_)) && self.may_begin_anew() {
            self.future = Future::Resting;
        }
    }

    /// More follows after the end was taken back. Says whether it is the first of it.
    pub fn begin_anew(&mut self) -> bool {
        let is_first = matches!(self.future, Future::Resting);
        if is_first {
            self.future = Future::Open;
            self.fanout.await_peer();
        }
        is_first
    }

    /// Whether nothing can be sent any more, nor will there be another connection to send over.
    pub fn has_hung_up(&self) -> bool {
        let is_last = self.is_exclusive() && !self.begins_anew();
        is_last && self.link().is_some_and(Link::has_written_all)
    }

    /// What sending has ended with, where the reader that is to report it may never come.
    pub fn unheard_fault(&self) -> Option<Arc<Error>> {
        let link = self.link().filter(|_| !self.reader.is_in_use());
        link.and_then(|link| link.fault.clone())
    }

    /// Whether there is one connection at a time.
    pub fn is_exclusive(&self) -> bool {
        self.fanout.audience() != Audience::Clients
    }

    /// Whether the stream has come to its end, and whatever its last connections met with is known.
    pub fn is_finished(&self) -> bool {
        let mut links = self.links.iter();
        self.fanout.is_finished()
            && !links.any(|(_, link)| link.is_ending())
            && self.greetings().next().is_none()
    }

    /// Sending over a link comes to its end, and with it the link, unless its reader is to see to that.
    pub fn end_writing(&mut self, key: usize, reason: Reason, cause: Option<Error>) {
        let Some(link) = self.links.get(key) else {
            return;
        };
        let is_peers_doing = matches!(
            reason,
            Reason::ClosedByPeer | Reason::Failed | Reason::EndOfStream
        );
        // Behind the clean end of the peer's stream a reset is how it closes.
        let is_lost = |cause: &Error| cause.nature() != Nature::EndedByPeer;
        let is_unseen = link.has_read_all() && cause.as_ref().is_some_and(is_lost);
        // The reader learns by itself what became of the connection, and reports it.
        let is_readers = is_peers_doing && self.has_reader(link) && !is_unseen;
        let is_shared = !self.reader.is_absent();
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        if is_readers {
            link.fault = cause.map(Arc::new);
        } else {
            if is_shared {
                link.wake_reader();
            }
            link.end(reason, cause);
            self.ending.push(key);
        }
        self.leave(key);
    }

    /// Whether somebody reads a link to its end.
    fn has_reader(&self, link: &Link) -> bool {
        let is_unclaimed = link.reading == Reading::Unclaimed;
        match self.reader {
            User::Active(_) => true,
            User::Admitted => is_unclaimed,
            // Another link, if there is to be one, does not wait for a reader that may never come.
            User::Awaited => is_unclaimed && !self.reconnects,
            User::Absent | User::Gone => false,
        }
    }

    /// The link of a source of which the peer has not sent a header, and until when it has time for that.
    pub fn unheard(&self) -> Option<(usize, Instant)> {
        let serves_senders = self.fanout.audience() == Audience::Caller && self.writer.is_absent();
        let (key, link) = self.links.iter().next()?;
        let is_unheard = serves_senders
            && !self.was_given
            && matches!(link.reading, Reading::Unclaimed | Reading::Claimed)
            && !link.is_ending()
            && !link.connection.is_heard();
        is_unheard.then_some((key, link.turn))
    }

    /// The link of which the peer has not sent a header in its time ends in favour of another.
    pub fn displace_unheard(&mut self, now: Instant) {
        let Some((key, _)) = self.unheard() else {
            return;
        };
        if let Some(link) = self.links.get_mut(key)
            && link.is_turn_over(now)
        {
            link.connection.give_way();
            link.end(Reason::TimedOut, None);
            self.leave(key);
        }
    }

    /// A link ends whatever its users do.
    pub fn abandon(&mut self, key: usize, reason: Reason) {
        if let Some(link) = self.links.get_mut(key) {
            link.wake_reader();
            link.end(reason, None);
            self.ending.push(key);
            self.leave(key);
        }
    }

    /// With lockstep no turn follows the peer's last frame, or the last that is received, and the connection ends with
    /// the frame begun. Says whether it is to be seen to that the peer takes that.
    pub fn end_turns(&mut self, now: Instant) -> bool {
        let mut links = self.links.iter();
        let read_over = links.find(|(_, link)| link.has_read_all());
        let Some((key, link, client)) =
            read_over.and_then(|(key, link)| Some((key, link, link.client()?)))
        else {
            return false;
        };
        if self.fanout.is_draining(client) {
            return false;
        }
        let lost = self.fanout.forget_held(client);
        self.totals.dropped.add(lost);
        if !self.fanout.is_idle(client) || link.has_unsent() {
            return false;
        }
        // A peer that may go on sending would meet with a reset.
        if link.reading == Reading::Discarded && link.connection.end_sending().is_ok() {
            self.fanout.begin_drain(client, now);
            return true;
        }
        self.leave(key);
        false
    }

    /// With lockstep, each frame received is a turn for whoever answers it.
    pub fn grant_turns(&mut self) {
        let answered = self.link_mut().filter(|link| link.client().is_some());
        for _ in 0..answered.map_or(0, Link::take_turns) {
            self.fanout.grant_turn();
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

    /// A link for which nobody has a use any more.
    pub fn find_over(&self) -> Option<usize> {
        let is_over = |&key: &usize| self.links.get(key).is_some_and(|link| self.is_over(link));
        if self.is_exclusive() {
            let links = self.links.iter();
            return links.map(|(key, _)| key).find(is_over);
        }
        self.ending.iter().copied().find(is_over)
    }

    /// Lets go of a link.
    pub fn remove(&mut self, key: usize) -> Link {
        self.ending.retain(|&other| other != key);
        self.links.remove(key)
    }

    fn is_over(&self, link: &Link) -> bool {
        if link.is_ending() || !self.is_exclusive() {
            return link.is_ending();
        }
        let writer = &self.writer;
        let awaits_writer = writer.is_to_come() && !self.reconnects;
        let read_over = self.reader.is_absent() || link.has_read_all();
        let write_over =
            writer.is_absent() || link.has_written_all() || !(writer.is_active() || awaits_writer);
        read_over && write_over
    }

    /// Whether another link follows, where there is one at a time and this one has ended.
    pub fn goes_on_after(&self, reason: Reason) -> bool {
        match reason {
            Reason::EndOfStream => self.fanout.has_any_for_awaited() && self.begins_anew(),
            _ => self.reconnects,
        }
    }

    /// What was sent over a link.
    pub fn counts(&self, link: &Link) -> Counts {
        match link.writing {
            Writing::Unclaimed | Writing::Greeting(_) => Counts::default(),
            Writing::Claimed(client) => self.fanout.counts(client),
            Writing::Done(counts) => counts,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io, time::Duration};

    use super::*;
    use crate::{
        fanout::{Flow, Frame, Overflow, Piece},
        net::{Peer, Script},
        wire::HeaderFormat,
    };

    struct Deaf;

    impl Observer for Deaf {
        fn notice(&self, _: &Event) {}
    }

    fn active() -> User {
        User::Active(Arc::new(Deaf))
    }

    fn lost(error: i32) -> Error {
        let source = io::Error::from_raw_os_error(error);
        let peer = Peer::default();
        Error::Send { peer, source }
    }

    fn frame() -> Frame<()> {
        Frame {
            header: HeaderFormat::default().encode(0).unwrap(),
            lead: None,
            payload: (),
            len: 0,
            keyframe: true,
            repeats_header: false,
            is_note: false,
            piece: Piece::Whole,
            time: None,
        }
    }

    fn state(audience: Audience, users: (User, User), reconnect: bool) -> State<()> {
        let mut fanout = Fanout::new(audience);
        fanout.begin(Flow::default());
        State::new(fanout, users, reconnect, false, Arc::default())
    }

    fn sending(audience: Audience, reconnect: bool) -> State<()> {
        state(audience, (User::Absent, active()), reconnect)
    }

    fn shared(reconnect: bool) -> State<()> {
        state(Audience::Callee, (active(), active()), reconnect)
    }

    /// A link over which the stream is sent, and which is read where somebody reads.
    fn connect(state: &mut State<()>) -> usize {
        let connection = Arc::new(Connection::scripted(Script::default()));
        let reading = if state.reader.is_absent() {
            Reading::Discarded
        } else {
            Reading::Claimed
        };
        let (client, _) = state.fanout.join(0, Instant::now());
        let id = state.next_id();
        let link = Link::new(id, connection, reading, Writing::Claimed(client));
        state.insert(link)
    }

    #[test]
    fn what_comes_while_the_peer_is_greeted_is_for_it() {
        let mut state = sending(Audience::Callee, false);
        let now = Instant::now();
        state.fanout.set_flow(Flow {
            overflow: Overflow::Drop,
            ..Flow::default()
        });
        let dropped = |state: &mut State<()>| state.fanout.push(frame(), now).dropped;
        assert_eq!(dropped(&mut state), 1, "nobody is there");
        let connection = Arc::new(Connection::scripted(Script::default()));
        let greeting = Writing::Greeting(now);
        let key = state.insert(Link::new(1, connection, Reading::Discarded, greeting));
        assert_eq!(dropped(&mut state), 0);
        state.fanout.join(0, now);
        state.forget_greeting(key);
        assert_eq!(state.fanout.queued(), 8);
    }

    #[test]
    fn a_link_that_is_sent_over_ends_with_that() {
        for audience in [Audience::Clients, Audience::Callee] {
            let mut state = sending(audience, false);
            let key = connect(&mut state);
            assert_eq!(state.find_over(), None);
            state.end_writing(key, Reason::Failed, None);
            assert_eq!(state.find_over(), Some(key));
            assert_eq!(state.links[key].take_end().reason, Reason::Failed);
            assert!(state.has_left);
        }
    }

    #[test]
    fn a_sender_has_a_second_to_begin() {
        for (users, is_awaited) in [
            ((active(), User::Absent), true),
            // Its peer may be one that only receives.
            ((active(), active()), false),
        ] {
            let mut state = state(Audience::Caller, users, false);
            let key = connect(&mut state);
            let connection = state.links[key].connection.clone();
            let until = connection.opened() + Duration::from_secs(1);
            assert_eq!(state.unheard(), is_awaited.then_some((key, until)));
            connection.hear();
            assert_eq!(state.unheard(), None);
        }
    }

    #[test]
    fn who_gives_way_is_followed_by_another() {
        let mut state = state(Audience::Caller, (active(), User::Absent), false);
        let key = connect(&mut state);
        let until = state.links[key].turn;
        state.displace_unheard(until - Duration::from_millis(1));
        assert_eq!(state.find_over(), None);
        state.displace_unheard(until);
        assert_eq!(state.find_over(), Some(key));
        assert!(state.links[key].connection.gives_way());
        assert_eq!(state.links[key].take_end().reason, Reason::TimedOut);
    }

    #[test]
    fn the_first_reason_counts() {
        let mut state = sending(Audience::Clients, false);
        let key = connect(&mut state);
        state.end_writing(key, Reason::TooSlow, None);
        state.end_writing(key, Reason::Failed, None);
        assert_eq!(state.links[key].take_end().reason, Reason::TooSlow);
    }

    #[test]
    fn a_reader_sees_to_the_end_that_the_peer_has_made() {
        for (reason, ends_both) in [
            (Reason::ClosedByPeer, false),
            (Reason::Failed, false),
            (Reason::EndOfStream, false),
            (Reason::TimedOut, true),
            (Reason::TooSlow, true),
            (Reason::Removed, true),
        ] {
            let mut state = shared(false);
            let key = connect(&mut state);
            state.end_writing(key, reason, None);
            assert_eq!(state.find_over().is_some(), ends_both, "{reason:?}");
            assert_eq!(state.links[key].connection.is_abandoned(), ends_both);
            state.links[key].reading = Reading::Done;
            assert_eq!(state.find_over(), Some(key));
        }
    }

    #[test]
    fn what_a_reader_to_come_has_not_read_is_left_for_it() {
        for (reader, reconnect, is_left) in [
            (User::Awaited, false, true),
            (User::Admitted, false, true),
            (User::Admitted, true, true),
            // The next link is not to wait for one that may never come.
            (User::Awaited, true, false),
            (User::Gone, false, false),
        ] {
            for reason in [Reason::ClosedByPeer, Reason::Failed, Reason::EndOfStream] {
                let reader = reader.clone();
                let mut state = state(Audience::Callee, (reader, active()), reconnect);
                let key = connect(&mut state);
                state.links[key].reading = if state.reader.is_to_come() {
                    Reading::Unclaimed
                } else {
                    Reading::Discarded
                };
                state.end_writing(key, reason, None);
                assert_eq!(state.find_over().is_none(), is_left, "{reason:?}");
                let is_kept = state.reader.is_to_come();
                assert_eq!(!state.links[key].connection.is_abandoned(), is_kept);
            }
        }
    }

    #[test]
    fn a_sink_whose_reader_may_never_come_tells_of_a_fault_itself() {
        for (reader, tells) in [
            (User::Awaited, true),
            (User::Admitted, false),
            (active(), false),
        ] {
            let mut state = state(Audience::Callee, (reader, active()), false);
            let key = connect(&mut state);
            state.links[key].reading = Reading::Unclaimed;
            state.end_writing(key, Reason::Failed, Some(lost(libc::ECONNRESET)));
            assert!(state.has_hung_up());
            assert_eq!(state.unheard_fault().is_some(), tells);
        }
    }

    #[test]
    fn of_a_peer_that_is_lost_after_its_clean_end_the_sink_tells() {
        for (error, tells) in [(libc::ETIMEDOUT, true), (libc::ECONNRESET, false)] {
            let mut state = shared(false);
            let key = connect(&mut state);
            state.links[key].reading = Reading::Done;
            state.end_writing(key, Reason::Failed, Some(lost(error)));
            assert_eq!(state.find_over(), Some(key));
            let end = state.links[key].take_end();
            assert_eq!(end.cause.is_some(), tells, "{error}");
            let reason = if tells {
                Reason::Failed
            } else {
                Reason::ClosedByPeer
            };
            assert_eq!(end.reason, reason);
        }
    }

    #[test]
    fn the_last_turn_is_followed_by_a_clean_end() {
        let now = Instant::now();
        for (reading, is_drained) in [(Reading::Discarded, true), (Reading::Done, false)] {
            let mut state = shared(false);
            let key = connect(&mut state);
            state.fanout.set_flow(Flow {
                lockstep: true,
                ..Flow::default()
            });
            assert!(!state.end_turns(now), "turns may come");
            state.links[key].reading = reading;
            assert_eq!(state.end_turns(now), is_drained);
            let client = state.links[key].client();
            assert_eq!(client.is_some(), is_drained, "{reading:?}");
            if let Some(client) = client {
                assert!(state.fanout.is_draining(client));
                // Which is somebody else's to see to.
                assert!(!state.end_turns(now));
                assert_eq!(state.links[key].client(), Some(client));
            }
        }
    }

    #[test]
    fn a_stream_that_is_to_end_is_not_cut_short_by_the_end_of_turns() {
        let now = Instant::now();
        let mut state = shared(false);
        let key = connect(&mut state);
        let client = state.links[key].client().expect("a client");
        state.fanout.finish(now);
        state.fanout.begin_drain(client, now);
        state.links[key].reading = Reading::Done;
        state.end_turns(now);
        assert_eq!(state.links[key].client(), Some(client));
    }

    #[test]
    fn a_shared_link_stays_until_both_have_ended() {
        let mut state = shared(false);
        let key = connect(&mut state);
        state.links[key].reading = Reading::Done;
        assert_eq!(state.find_over(), None);
        state.writer = User::Gone;
        assert_eq!(state.find_over(), Some(key));
    }

    #[test]
    fn a_link_waits_for_a_writer_to_come_where_there_is_no_other() {
        for (reconnect, waits) in [(false, true), (true, false)] {
            let mut state = state(Audience::Callee, (active(), User::Awaited), reconnect);
            let key = connect(&mut state);
            state.links[key].writing = Writing::Unclaimed;
            state.links[key].reading = Reading::Done;
            assert_eq!(state.find_over().is_none(), waits);
        }
    }

    #[test]
    fn what_waits_is_lost_where_nobody_follows() {
        for (reconnect, dropped) in [(false, 1), (true, 0)] {
            let mut state = sending(Audience::Callee, reconnect);
            let key = connect(&mut state);
            state.fanout.push(frame(), Instant::now());
            state.end_writing(key, Reason::Failed, None);
            assert_eq!(state.totals.dropped.get(), dropped);
            assert_eq!(state.fanout.has_any_for_awaited(), reconnect);
        }
    }

    #[test]
    fn another_link_follows_where_it_is_to() {
        for (reconnect, reason, goes_on) in [
            (true, Reason::Failed, true),
            (false, Reason::Failed, false),
            (true, Reason::ClosedByPeer, true),
        ] {
            let mut state = sending(Audience::Callee, reconnect);
            let key = connect(&mut state);
            state.end_writing(key, reason, None);
            assert_eq!(state.goes_on_after(reason), goes_on);
        }
    }

    #[test]
    fn the_end_of_a_stream_is_the_last_unless_more_follows() {
        let now = Instant::now();
        let mut state = sending(Audience::Callee, false);
        let key = connect(&mut state);
        let Some(client) = state.links[key].client() else {
            panic!("a client")
        };
        state.fanout.finish(now);
        state.fanout.begin_drain(client, now);
        assert!(!state.goes_on_after(Reason::EndOfStream));
        state.fanout.push(frame(), now);
        assert!(state.goes_on_after(Reason::EndOfStream));
        state.fanout.forget_waiting();
        assert!(!state.goes_on_after(Reason::EndOfStream));
        assert!(!state.may_begin_anew());
        // A flush, after which nothing need follow.
        state.fanout.resume();
        assert!(!state.goes_on_after(Reason::EndOfStream));
        assert!(state.may_begin_anew());
    }

    #[test]
    fn after_a_flush_a_link_is_opened_when_more_follows() {
        let mut state = sending(Audience::Callee, false);
        state.fanout.finish(Instant::now());
        state.future = Future::Over(None);
        assert!(!state.begin_anew(), "nothing follows");
        state.take_back_end();
        assert!(!state.is_opening(), "nothing need follow");
        assert!(state.begin_anew() && state.is_opening());
        assert!(!state.begin_anew(), "it has begun");
    }

    #[test]
    fn a_stream_is_not_finished_while_a_link_has_a_fault_to_tell() {
        let mut state = sending(Audience::Callee, false);
        let key = connect(&mut state);
        state.end_writing(key, Reason::Failed, None);
        assert!(state.fanout.is_finished() && !state.is_finished());
        state.remove(key);
        assert!(state.is_finished());
    }

    #[test]
    fn each_of_many_links_ends_once() {
        let mut state = sending(Audience::Clients, false);
        let keys: Vec<_> = (0..4).map(|_| connect(&mut state)).collect();
        state.end_writing(keys[2], Reason::Failed, None);
        state.abandon(keys[0], Reason::Removed);
        state.abandon(keys[2], Reason::Stopped);
        let mut over = Vec::new();
        while let Some(key) = state.find_over() {
            over.push((key, state.remove(key).take_end().reason));
        }
        let expected = [(keys[2], Reason::Failed), (keys[0], Reason::Removed)];
        assert_eq!(over, expected);
        // The place of one that is gone is another's, which goes on.
        connect(&mut state);
        assert_eq!(state.find_over(), None);
    }
}
