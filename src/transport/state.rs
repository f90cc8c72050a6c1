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
            yields: false,
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

    /// Whether nothing can be sent any more, nor will there be another connection to send over.
    pub fn has_hung_up(&self) -> bool {
        let is_last = self.is_exclusive() && !self.begins_anew();
        is_last && self.link().is_some_and(Link::has_written_all)
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

    /// A link for which nobody has a use any more.
    pub fn find_over(&self) -> Option<usize> {
        let mut links = self.links.iter();
        links
            .find(|(_, link)| self.is_over(link))
            .map(|(key, _)| key)
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
            // A flush takes back the end.
            Reason::EndOfStream => {
                let has_more = !self.fanout.is_finishing() || self.fanout.has_any_for_awaited();
                has_more && self.begins_anew()
            }
            _ => self.reconnects,
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{
        fanout::{Flow, Frame},
        net::{Connection, Script},
        transport::link::Reading,
        wire::HeaderFormat,
    };

    struct Deaf;

    impl Observer for Deaf {
        fn notice(&self, _: &Event) {}
    }

    fn active() -> User {
        User::Active(Arc::new(Deaf))
    }

    fn frame() -> Frame<()> {
        Frame {
            header: HeaderFormat::default().encode(0).unwrap(),
            payload: (),
            len: 0,
            keyframe: true,
            repeats_header: false,
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
        state.links.insert(link)
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
        state.fanout.resume();
        assert!(state.goes_on_after(Reason::EndOfStream));
    }

    #[test]
    fn a_stream_is_not_finished_while_a_link_has_a_fault_to_tell() {
        let mut state = sending(Audience::Callee, false);
        let key = connect(&mut state);
        state.end_writing(key, Reason::Failed, None);
        assert!(state.fanout.is_finished() && !state.is_finished());
        state.links.remove(key);
        assert!(state.is_finished());
    }
}
