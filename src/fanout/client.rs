//! One receiver of the frames that are sent: what waits for it, and where it stands in the stream.

use std::time::{Duration, Instant};

use super::{
    backlog::{Backlog, Progress},
    flow::{Flow, Frame, JoinAt, Limits, Overflow, Payload, Sent},
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
pub struct StreamHeaders<P> {
    /// One frame each.
    pub frames: Vec<Frame<P>>,
    /// Grows when they change.
    pub version: u64,
}

/// One receiver, with a peer or without.
pub struct Client<P> {
    life: Life,
    /// It outlives a peer, and awaits the next one with what it has.
    stays: bool,
    backlog: Backlog<P>,
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
    /// What this peer has been sent.
    sent: Progress,
    dropped: u64,
    /// The peer has sent something, and what it sends is thrown away.
    peer_talks: bool,
    /// The peer has ended its sending side, and stays.
    peer_ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// Without a peer.
    Unmet,
    /// The peer is sent what comes.
    Open,
    /// The peer has been told that no more follows, and takes the rest.
    Draining {
        /// What it has not acknowledged, and since when it is no less.
        unacknowledged: usize,
        since: Instant,
    },
    /// The peer is to go.
    Leaving,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Has got nothing yet.
    Joining,
    /// Has lost frames; what follows cannot be decoded without a keyframe.
    AwaitingKeyframe,
    Following,
}

/// What a client is counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// What its peer has been sent.
    pub sent: Progress,
    /// Frames that it lost.
    pub dropped: u64,
    /// Bytes that wait for it.
    pub queued: usize,
    /// Since when the oldest frame waits.
    pub oldest: Option<Instant>,
}

impl<P: Payload> Client<P> {
    /// One that awaits its peer, and after that the next.
    pub fn awaiting(now: Instant) -> Self {
        Self {
            life: Life::Unmet,
            stays: true,
            backlog: Backlog::new(),
            place: Place::Joining,
            headers: 0,
            held: None,
            turns: 0,
            writable: true,
            progress: now,
            sent: Progress::default(),
            dropped: 0,
            peer_talks: false,
            peer_ended: false,
        }
    }

    /// One that has come, and goes with its peer. It begins with the frames of `group`, if any.
    pub fn joining(group: &[Frame<P>], headers: &StreamHeaders<P>, now: Instant) -> Self {
        let mut client = Self {
            life: Life::Open,
            stays: false,
            ..Self::awaiting(now)
        };
        if !group.is_empty() {
            client.start(headers, now);
            let frames = group.iter().filter(|frame| !frame.repeats_header);
            client.backlog.push_group(frames, now);
        }
        client
    }

    /// Takes over a peer in place of the one that it had. Returns how many frames are lost.
    pub fn connect(
        &mut self,
        turns: u64,
        flow: &Flow,
        headers: &StreamHeaders<P>,
        now: Instant,
    ) -> u64 {
        self.life = Life::Open;
        self.writable = true;
        self.progress = now;
        self.turns = turns;
        (self.peer_talks, self.peer_ended) = (false, false);
        self.sent = Progress::default();
        // With lockstep a frame needs a turn of this peer; a newer one is held for it.
        let lost = if flow.lockstep {
            self.backlog.clear()
        } else {
            self.backlog.start_over()
        };
        if self.place != Place::Joining {
            if !self.backlog.has_keyframe_waiting() {
                self.place = Place::AwaitingKeyframe;
            }
            self.backlog.push_headers_first(&headers.frames, now);
            self.headers = headers.version;
        }
        self.take_turn(now);
        self.count_dropped(lost)
    }

    /// The peer has gone.
    pub fn disconnect(&mut self) {
        self.life = Life::Unmet;
    }

    /// The peer is to go.
    pub fn leave(&mut self) {
        self.life = Life::Leaving;
    }

    /// Whether it has neither a peer nor anything for it.
    pub fn is_unmet(&self) -> bool {
        self.place == Place::Joining && self.life == Life::Unmet
    }

    /// Whether there is a peer for the frames to come.
    pub fn has_peer(&self) -> bool {
        self.life == Life::Open
    }

    /// Whether its peer has been told that no more follows.
    pub fn is_draining(&self) -> bool {
        matches!(self.life, Life::Draining { .. })
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
            self.take_turn(now);
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
    pub fn grant_turn(&mut self, now: Instant) {
        self.turns += 1;
        self.take_turn(now);
    }

    /// What the kernel may take now: frames in their order, and how many bytes of the first it has.
    pub fn unsent(&self) -> Option<(impl Iterator<Item = &Frame<P>> + Clone, usize)> {
        let has_any = self.has_peer() && self.writable && !self.backlog.is_empty();
        has_any.then(|| self.backlog.unsent())
    }

    /// The kernel has taken so many bytes of that, and has no room for more where that `is_short`.
    pub fn sent(&mut self, bytes: usize, is_short: bool, now: Instant) -> Progress {
        self.writable = !is_short;
        let progress = self.backlog.advance(bytes);
        self.sent.frames += progress.frames;
        self.sent.payload_bytes += progress.payload_bytes;
        self.take_turn(now);
        if !self.backlog.is_empty() {
            self.progress = now;
        }
        progress
    }

    /// Whether the kernel has room.
    pub fn set_writable(&mut self, writable: bool) {
        self.writable = writable;
    }

    /// The peer has sent something that nobody wants.
    pub fn peer_talks(&mut self) {
        self.peer_talks = true;
    }

    /// The peer has ended its sending side.
    pub fn peer_ended(&mut self) {
        self.peer_ended = true;
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

    /// Whether it is done with the stream: drained, or without a peer and anything for it.
    pub fn is_finished(&self) -> bool {
        self.life == Life::Unmet && self.is_idle()
    }

    /// Whether all it was given is with the kernel.
    pub fn is_idle(&self) -> bool {
        self.backlog.is_empty() && self.held.is_none()
    }

    /// Whether the kernel has all that was to be sent to it.
    pub fn has_nothing_waiting(&self) -> bool {
        self.backlog.is_empty()
    }

    /// The peer has been told that no more follows. The rest is up to it.
    pub fn begin_drain(&mut self, now: Instant) {
        self.life = Life::Draining {
            unacknowledged: usize::MAX,
            since: now,
        };
    }

    /// Whether the connection can be closed without a loss, the peer having left so many bytes unacknowledged.
    /// A close while its bytes keep coming is a reset, which would destroy what it has not taken yet.
    pub fn is_drained(&mut self, left: usize, now: Instant) -> bool {
        let Life::Draining {
            unacknowledged,
            since,
        } = &mut self.life
        else {
            return self.life == Life::Unmet;
        };
        if left < *unacknowledged {
            (*unacknowledged, *since) = (left, now);
        }
        let limit = if self.peer_talks && left > 0 {
            TALKATIVE_DRAIN_LIMIT
        } else {
            DRAIN_LIMIT
        };
        (left == 0 && (self.peer_ended || !self.peer_talks))
            || now.saturating_duration_since(*since) >= limit
    }

    /// For how long it has taken nothing of what waits.
    pub fn stalled_for(&self, now: Instant) -> Option<Duration> {
        let waits = self.has_peer() && !self.backlog.is_empty();
        waits.then(|| now.saturating_duration_since(self.progress))
    }

    /// Nothing more follows: it has some time from now on to take what waits.
    pub fn restart_progress(&mut self, now: Instant) {
        self.progress = now;
    }

    /// Whether it takes nothing of what waits, not even when nothing more follows.
    pub fn is_stuck(&self, now: Instant) -> bool {
        self.stalled_for(now)
            .is_some_and(|stalled_for| stalled_for >= DRAIN_LIMIT)
    }

    /// What it has been sent, has lost, and what waits.
    pub fn counts(&self) -> Counts {
        Counts {
            sent: self.sent,
            dropped: self.dropped,
            queued: self.backlog.bytes(),
            oldest: self.backlog.oldest(),
        }
    }

    /// Deals with what waits for it beyond the limits. Says whether it is too slow to stay.
    pub fn keep_within(&mut self, flow: &Flow, now: Instant) -> (Sent, bool) {
        let mut sent = Sent::default();
        if flow.lockstep || self.is_keeping_up() || self.is_gone() {
            return (sent, false);
        }
        let mut is_too_slow = false;
        match flow.overflow {
            Overflow::Block => (),
            // Those for the next peer are dropped.
            Overflow::Disconnect if self.has_peer() => {
                is_too_slow = self.backlog.is_over(&flow.limits, now);
            }
            Overflow::Disconnect if self.life == Life::Leaving => (),
            Overflow::Disconnect | Overflow::Drop => sent.dropped = self.thin(&flow.limits, now),
        }
        sent.wants_keyframe = self.place == Place::AwaitingKeyframe;
        (sent, is_too_slow)
    }

    /// Whether it is a client no more: its peer takes the rest, or is to go.
    fn is_gone(&self) -> bool {
        !self.stays && !self.has_peer()
    }

    /// It takes what it is given: nothing waits for it but what waits for more to come.
    fn is_keeping_up(&self) -> bool {
        self.has_peer() && self.writable
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

    fn take_turn(&mut self, now: Instant) {
        if self.turns > 0
            && self.backlog.is_empty()
            && let Some(frame) = self.held.take()
        {
            self.turns -= 1;
            self.progress = now;
            self.backlog.push(frame, now);
        }
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
    use std::io;

    use super::*;
    use crate::wire::HeaderFormat;

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
    fn joined(now: Instant) -> Client<Nothing> {
        let group: Vec<_> = (0..GROUP).map(frame).collect();
        let mut client = Client::joining(&group, &NO_HEADERS, now);
        client.set_writable(false);
        client
    }

    fn follow(
        client: &mut Client<Nothing>,
        number: u32,
        flow: &Flow,
        now: Instant,
    ) -> (Sent, bool) {
        let mut sent = client.offer(&frame(number), flow, &NO_HEADERS, now);
        let (more, is_too_slow) = client.keep_within(flow, now);
        sent += more;
        (sent, is_too_slow)
    }

    #[test]
    fn joining_in_mid_group_is_not_falling_behind() {
        for overflow in [Overflow::Block, Overflow::Drop, Overflow::Disconnect] {
            let (begin, flow) = (Instant::now(), flow(overflow));
            let mut client = joined(begin);
            for number in GROUP..GROUP + FOLLOWING {
                let now = begin + (number - GROUP) * PERIOD;
                assert!(!client.has_no_room(&frame(number), &flow, now));
                let kept = follow(&mut client, number, &flow, now);
                assert_eq!(kept, (Sent::default(), false), "{overflow:?}");
            }
        }
    }

    /// Nothing is taken from the join on, by this time and with this frame.
    fn after(overflow: Overflow, number: u32, now: Duration) -> (bool, (Sent, bool)) {
        let (begin, flow) = (Instant::now(), flow(overflow));
        let mut client = joined(begin);
        let now = begin + now;
        let has_no_room = client.has_no_room(&frame(number), &flow, now);
        (has_no_room, follow(&mut client, number, &flow, now))
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
            assert_eq!(after(Overflow::Drop, number, now).1, (all_lost, false));
            let kept = after(Overflow::Disconnect, number, now).1;
            assert_eq!(kept, (Sent::default(), true));
        }
    }
}
