//! One receiver of the frames that an endpoint sends.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{backlog::Backlog, reason::Reason, stats::ClientStats};
use crate::{
    fanout::{Flow, Frame, JoinAt, Limits, Overflow, Payload, Sent},
    net::{Connection, Error, Totals},
};

/// At the end of the stream a peer has this long to take more of the rest of it. What is left then, the
/// kernel delivers.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// The same where the kernel would not: what a peer sends to a closed socket is answered by a reset.
const TALKATIVE_DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// Of frames that do not say when they are due this much may wait where time is the limit: enough for a call
/// that is worth its while.
const MAX_UNTIMED_BYTES: usize = 64 * 1024;

/// The stream's headers, and which ones they are.
pub(super) struct StreamHeaders<P> {
    pub frames: Vec<Frame<P>>,
    pub version: u64,
}

pub(super) struct Client<P> {
    pub id: u64,
    pub connection: Option<Arc<Connection>>,
    /// It outlives a connection, and awaits the next one with what it has.
    stays: bool,
    pub backlog: Backlog<P>,
    place: Place,
    /// The version of the stream's headers that it was given.
    headers: u64,
    /// With lockstep: the newest frame, which waits for its turn.
    held: Option<Frame<P>>,
    /// With lockstep: frames that it may be sent.
    turns: u64,
    /// The kernel may take more.
    writable: bool,
    /// When the kernel last took something, or there began to be something to take.
    progress: Instant,
    sent_frames: u64,
    sent_bytes: u64,
    dropped: u64,
    /// It has sent something, and what it sends is thrown away.
    pub peer_talks: bool,
    /// It has ended its sending side, and stays.
    pub peer_ended: bool,
    pub drain: Option<Drain>,
    /// It is to be removed as soon as the I/O thread comes to it.
    pub leaving: Option<(Reason, Option<Error>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Has got nothing yet.
    Joining,
    /// Has lost frames; what follows cannot be decoded without a keyframe.
    AwaitingKeyframe,
    Following,
}

/// The sending side is ended, and the peer is taking the rest.
pub(super) struct Drain {
    /// What the peer has not acknowledged, and since when it is no less.
    unacknowledged: usize,
    since: Instant,
}

impl<P: Payload> Client<P> {
    pub fn new(id: u64, connection: Option<Arc<Connection>>) -> Self {
        Self {
            id,
            stays: connection.is_none(),
            connection,
            backlog: Backlog::new(),
            place: Place::Joining,
            headers: 0,
            held: None,
            turns: 0,
            writable: true,
            progress: Instant::now(),
            sent_frames: 0,
            sent_bytes: 0,
            dropped: 0,
            peer_talks: false,
            peer_ended: false,
            drain: None,
            leaving: None,
        }
    }

    /// Takes over a connection in place of the one that it had. Returns how many frames are lost.
    pub fn connect(
        &mut self,
        id: u64,
        connection: Arc<Connection>,
        turns: u64,
        flow: &Flow,
        headers: &StreamHeaders<P>,
    ) -> u64 {
        self.id = id;
        self.connection = Some(connection);
        self.writable = true;
        self.progress = Instant::now();
        self.turns = turns;
        (self.peer_talks, self.peer_ended) = (false, false);
        self.drain = None;
        (self.sent_frames, self.sent_bytes) = (0, 0);
        // With lockstep a frame needs a turn of this connection; a newer one is held for it.
        let lost = if flow.lockstep {
            self.backlog.clear()
        } else {
            self.backlog.start_over()
        };
        if self.place != Place::Joining {
            if !self.backlog.has_keyframe_waiting() {
                self.place = Place::AwaitingKeyframe;
            }
            self.backlog.push_headers_first(&headers.frames);
            self.headers = headers.version;
        }
        self.take_turn();
        self.apply(flow);
        self.count_dropped(lost)
    }

    /// Frames that may be dropped are to wait here, not in the kernel.
    pub fn apply(&self, flow: &Flow) {
        if let Some(connection) = &self.connection {
            connection.limit_unsent(flow.overflow != Overflow::Block);
        }
    }

    /// Whether it has neither a peer nor anything for it.
    pub fn is_unmet(&self) -> bool {
        self.place == Place::Joining && self.connection.is_none()
    }

    /// Whether it is a client no more, though the I/O thread has not come to it yet, or it takes the rest.
    fn is_gone(&self) -> bool {
        !self.stays && (self.leaving.is_some() || self.drain.is_some())
    }

    /// Whether there is a peer for the frames to come.
    pub fn has_peer(&self) -> bool {
        self.connection.is_some() && self.drain.is_none() && !self.is_gone()
    }

    /// Its connection has ended, or is for somebody else.
    pub fn disconnect(&mut self) {
        self.connection = None;
        self.drain = None;
        self.leaving = None;
    }

    /// Whether it has to take something before `next` can be added.
    pub fn has_no_room(&self, next: &Frame<P>, flow: &Flow, now: Instant) -> bool {
        if flow.lockstep || self.is_keeping_up() || self.is_gone() {
            return false;
        }
        let untimed = flow.limits.time.is_some()
            && self.backlog.is_untimed()
            && self.backlog.exceeds(MAX_UNTIMED_BYTES);
        untimed || self.backlog.has_no_room(next, &flow.limits, now)
    }

    /// Gives it the frames that joining begins with.
    pub fn join_with(&mut self, group: &[Frame<P>], headers: &StreamHeaders<P>, now: Instant) {
        if !group.is_empty() {
            self.start(headers, now);
            let frames = group.iter().filter(|frame| !frame.repeats_header);
            self.backlog.push_group(frames, now);
        }
    }

    /// Gives it the next frame of the stream.
    pub fn offer(
        &mut self,
        frame: &Frame<P>,
        flow: &Flow,
        headers: &StreamHeaders<P>,
        now: Instant,
    ) -> Sent {
        if self.is_gone() {
            return Sent::default();
        }
        if self.place != Place::Following && !self.starts_with(frame, flow) {
            let lost = u64::from(self.place == Place::AwaitingKeyframe);
            return Sent {
                dropped: self.count_dropped(lost),
                wants_keyframe: true,
            };
        }
        if self.place == Place::Joining {
            self.start(headers, now);
        }
        self.place = Place::Following;
        if frame.repeats_header && self.headers == headers.version {
            return Sent::default();
        }
        if flow.lockstep {
            let replaced = self.held.replace(frame.clone()).is_some();
            self.take_turn();
            return Sent {
                dropped: self.count_dropped(replaced.into()),
                wants_keyframe: false,
            };
        }
        if self.backlog.is_empty() {
            self.progress = now;
        }
        self.backlog.push(frame.clone(), now);
        Sent::default()
    }

    /// With lockstep: it may be sent one more frame.
    pub fn grant_turn(&mut self) {
        self.turns += 1;
        self.take_turn();
    }

    /// Sends what the kernel takes. Returns whether it took anything.
    pub fn send_waiting(&mut self, totals: &Totals) -> io::Result<bool> {
        if self.drain.is_some() {
            return Ok(false);
        }
        let Some(connection) = self.connection.clone() else {
            return Ok(false);
        };
        let mut any = false;
        while self.writable && !self.backlog.is_empty() {
            match self.backlog.send(&connection) {
                Ok(progress) => {
                    any = true;
                    self.writable = !progress.is_short;
                    self.sent_frames += progress.frames;
                    self.sent_bytes += progress.payload_bytes;
                    totals.sent.frames.add(progress.frames);
                    totals.sent.bytes.add(progress.payload_bytes);
                    self.take_turn();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                Err(error) => return Err(error),
            }
        }
        if any && !self.backlog.is_empty() {
            self.progress = Instant::now();
        }
        Ok(any)
    }

    /// The kernel has room again.
    pub fn set_writable(&mut self) {
        self.writable = true;
    }

    /// Forgets what has not been begun: the stream is about to jump.
    pub fn forget_waiting(&mut self) {
        let lost = self.backlog.drop_all_waiting() + u64::from(self.held.take().is_some());
        if lost > 0 && self.place == Place::Following {
            self.place = Place::AwaitingKeyframe;
        }
    }

    /// It goes away with what waits for it. Returns how many frames are lost.
    pub fn give_up(&mut self) -> u64 {
        let lost = self.backlog.clear() + u64::from(self.held.take().is_some());
        self.count_dropped(lost)
    }

    /// With lockstep, no turn will come any more for the frame that waits for one.
    pub fn forget_held(&mut self) {
        self.held = None;
    }

    /// Whether it is done with the stream, after [`begin_drain`](Self::begin_drain) or without a peer.
    pub fn is_finished(&self) -> bool {
        self.connection.is_none() && self.is_idle()
    }

    /// Whether all it was given is with the kernel.
    pub fn is_idle(&self) -> bool {
        self.backlog.is_empty() && self.held.is_none()
    }

    /// Ends the sending side. The rest is up to the peer.
    pub fn begin_drain(&mut self) -> io::Result<()> {
        self.drain = Some(Drain {
            unacknowledged: usize::MAX,
            since: Instant::now(),
        });
        self.connection
            .as_ref()
            .map_or(Ok(()), |connection| connection.end_sending())
    }

    /// Whether the connection can be closed without a loss. A close while the peer's bytes keep coming
    /// is a reset, which would destroy what the peer has not taken yet.
    pub fn is_drained(&mut self) -> bool {
        let (Some(drain), Some(connection)) = (&mut self.drain, &self.connection) else {
            return self.connection.is_none();
        };
        let unacknowledged = connection.unacknowledged();
        if unacknowledged < drain.unacknowledged {
            drain.unacknowledged = unacknowledged;
            drain.since = Instant::now();
        }
        let limit = if self.peer_talks && unacknowledged > 0 {
            TALKATIVE_DRAIN_LIMIT
        } else {
            DRAIN_LIMIT
        };
        (unacknowledged == 0 && (self.peer_ended || !self.peer_talks))
            || drain.since.elapsed() >= limit
    }

    /// For how long it has taken nothing of what waits.
    pub fn stalled_for(&self) -> Option<Duration> {
        (self.has_peer() && !self.backlog.is_empty()).then(|| self.progress.elapsed())
    }

    /// Nothing more follows: it has some time from now on to take what waits.
    pub fn restart_progress(&mut self) {
        self.progress = Instant::now();
    }

    /// Whether it takes nothing of what waits, not even when nothing more follows.
    pub fn is_stuck(&self) -> bool {
        self.stalled_for()
            .is_some_and(|stalled_for| stalled_for >= DRAIN_LIMIT)
    }

    /// Its counters, where it is connected.
    pub fn stats(&self) -> Option<ClientStats> {
        let connection = self.connection.as_ref()?;
        Some(self.stats_of(connection))
    }

    /// Its counters, where it was connected by this connection.
    pub fn stats_of(&self, connection: &Connection) -> ClientStats {
        ClientStats {
            frames_sent: self.sent_frames,
            bytes_sent: self.sent_bytes,
            frames_dropped: self.dropped,
            bytes_queued: self.backlog.bytes() as u64,
            oldest: self.backlog.oldest().map(|since| since.elapsed()),
            ..ClientStats::of(self.id, connection)
        }
    }

    fn starts_with(&self, frame: &Frame<P>, flow: &Flow) -> bool {
        let any = self.place == Place::Joining && flow.join == JoinAt::Latest;
        // A repeated header is no place to start: it may be left out.
        any || (frame.keyframe && !frame.repeats_header)
    }

    fn start(&mut self, headers: &StreamHeaders<P>, now: Instant) {
        for frame in &headers.frames {
            self.backlog.push_header(frame.clone(), now);
        }
        self.headers = headers.version;
        self.place = Place::Following;
    }

    fn take_turn(&mut self) {
        if self.turns > 0
            && self.backlog.is_empty()
            && let Some(frame) = self.held.take()
        {
            self.turns -= 1;
            self.progress = Instant::now();
            self.backlog.push(frame, Instant::now());
        }
    }

    /// Deals with what waits for it beyond the limits.
    pub fn keep_within(&mut self, flow: &Flow, now: Instant) -> Sent {
        let mut sent = Sent::default();
        if flow.lockstep || self.is_keeping_up() || self.is_gone() {
            return sent;
        }
        match flow.overflow {
            Overflow::Block => (),
            Overflow::Drop => sent.dropped = self.thin(&flow.limits, now),
            Overflow::Disconnect => match &self.connection {
                Some(connection) if self.drain.is_none() => {
                    if self.leaving.is_none() && self.backlog.is_over(&flow.limits, now) {
                        let peer = connection.peer();
                        self.leaving = Some((Reason::TooSlow, Some(Error::TooSlow { peer })));
                    }
                }
                _ => sent.dropped = self.thin(&flow.limits, now),
            },
        }
        sent.wants_keyframe = self.place == Place::AwaitingKeyframe;
        sent
    }

    /// It takes what it is given: nothing waits for it but what waits for more to come.
    fn is_keeping_up(&self) -> bool {
        self.has_peer() && self.writable && self.leaving.is_none()
    }

    fn thin(&mut self, limits: &Limits, now: Instant) -> u64 {
        let dropped = self.backlog.thin(limits, now);
        if dropped > 0 && !self.backlog.has_keyframe_waiting() {
            self.place = Place::AwaitingKeyframe;
        }
        self.count_dropped(dropped)
    }

    fn count_dropped(&mut self, frames: u64) -> u64 {
        self.dropped += frames;
        frames
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::{net::Established, wire::HeaderFormat};

    #[derive(Clone, Debug)]
    struct Nothing;

    impl Payload for Nothing {
        type Chunk<'a> = [u8; 0];

        fn chunks(&self) -> impl Iterator<Item = io::Result<[u8; 0]>> {
            std::iter::empty()
        }
    }

    const LIMIT: Duration = Duration::from_millis(500);
    const PERIOD: Duration = Duration::from_millis(33);

    /// The frames of a group from the keyframe to the join, longer than the limit.
    const GROUP: u32 = 45;

    /// Frames that follow within the limit.
    const FOLLOWING: u32 = 15;

    fn frame(number: u32) -> Frame<Nothing> {
        Frame {
            header: HeaderFormat::default().encode(0).unwrap(),
            payload: Nothing,
            len: 0,
            keyframe: number == 0,
            repeats_header: false,
            time: Some(number * PERIOD),
        }
    }

    fn flow(overflow: Overflow) -> Flow {
        Flow {
            overflow,
            limits: Limits {
                time: Some(LIMIT),
                ..Limits::default()
            },
            join: JoinAt::LatestKeyframe,
            ..Flow::default()
        }
    }

    const NO_HEADERS: StreamHeaders<Nothing> = StreamHeaders {
        frames: Vec::new(),
        version: 0,
    };

    /// Joins in mid-group, and has a kernel that is full.
    fn joined(now: Instant) -> (Client<Nothing>, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        let established = Established {
            socket: near.into(),
            address: None,
            failure: 0,
        };
        let connection = Connection::new(established, None).unwrap();
        let mut client = Client::new(1, Some(Arc::new(connection)));
        let group: Vec<_> = (0..GROUP).map(frame).collect();
        client.join_with(&group, &NO_HEADERS, now);
        client.writable = false;
        (client, far)
    }

    fn follow(client: &mut Client<Nothing>, number: u32, flow: &Flow, now: Instant) -> Sent {
        let mut sent = client.offer(&frame(number), flow, &NO_HEADERS, now);
        sent += client.keep_within(flow, now);
        sent
    }

    #[test]
    fn joining_in_mid_group_is_not_falling_behind() {
        for overflow in [Overflow::Block, Overflow::Drop, Overflow::Disconnect] {
            let (begin, flow) = (Instant::now(), flow(overflow));
            let (mut client, _peer) = joined(begin);
            for number in GROUP..GROUP + FOLLOWING {
                let now = begin + (number - GROUP) * PERIOD;
                assert!(!client.has_no_room(&frame(number), &flow, now));
                let sent = follow(&mut client, number, &flow, now);
                assert_eq!(sent, Sent::default(), "{overflow:?}");
                assert!(client.leaving.is_none(), "{overflow:?}");
            }
        }
    }

    /// Nothing is taken from the join on, by this time and with this frame.
    fn after(overflow: Overflow, number: u32, now: Duration) -> (bool, Sent, Option<Reason>) {
        let (begin, flow) = (Instant::now(), flow(overflow));
        let (mut client, _peer) = joined(begin);
        let now = begin + now;
        let has_no_room = client.has_no_room(&frame(number), &flow, now);
        let sent = follow(&mut client, number, &flow, now);
        (
            has_no_room,
            sent,
            client.leaving.take().map(|(reason, _)| reason),
        )
    }

    #[test]
    fn who_takes_nothing_of_the_group_falls_behind_from_the_join_on() {
        let all_lost = Sent {
            dropped: u64::from(GROUP) + 1,
            wants_keyframe: true,
        };
        // Either the clock says so or the stream's own time does.
        for (number, now) in [
            (GROUP, LIMIT + PERIOD),
            (GROUP + FOLLOWING + 1, Duration::ZERO),
        ] {
            assert!(after(Overflow::Block, number, now).0);
            let (_, sent, leaves) = after(Overflow::Drop, number, now);
            assert_eq!((sent, leaves), (all_lost, None));
            let (_, sent, leaves) = after(Overflow::Disconnect, number, now);
            assert_eq!((sent, leaves), (Sent::default(), Some(Reason::TooSlow)));
        }
    }
}
