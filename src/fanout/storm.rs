// SPDX-License-Identifier: MPL-2.0
//! Whatever is asked of a fan-out, in whatever order: each peer is sent a preamble, whole frames in their order, each
//! behind the headers that it was pushed under, records between them, and an end; and each payload is spent once.

use std::io::{self, IoSliceMut, Read};

use super::*;
use crate::wire::{
    Decoder, HeaderFormat, Step,
    record::{FramePrefix, RecordHead, RecordKind},
};

/// What may be asked of a fan-out.
#[derive(Clone, Copy, Debug)]
pub enum Command {
    /// A frame, if there is room for it.
    Push(Kind),
    PushAhead(Kind),
    Note,
    Describe,
    Headers(u8),
    /// What connections to come begin and end with.
    Edges {
        preamble: u8,
        has_eos_frame: bool,
    },
    Join(u8),
    Leave(u8),
    Understand(u8),
    Tell(u8),
    /// The kernel takes so many bytes, and then has room or not.
    Take {
        client: u8,
        bytes: u8,
        is_short: bool,
    },
    Writable(u8),
    Flow {
        overflow: Overflow,
        join: JoinAt,
        limits: Limits,
    },
    /// The stream jumps.
    Jump,
    /// The stream ends.
    Finish,
    /// Those who have all are told of the end, and let go once they have no more than so many bytes to take.
    Drain(u8),
    Inspect(u8),
    GrantTurn,
    ForgetHeld(u8),
    AwaitPeer,
    AwaitNobody,
    /// So many milliseconds pass.
    Pass(u16),
}

/// Each command has its bytes, and all bytes are a command.
impl From<[u8; 4]> for Command {
    fn from([name, a, b, c]: [u8; 4]) -> Self {
        match name % 32 {
            0..=4 => Self::Push(kind(a)),
            5 => Self::PushAhead(kind(a)),
            6 => Self::Note,
            7 => Self::Describe,
            8 => Self::Headers(a),
            9 => Self::Edges {
                preamble: a,
                has_eos_frame: b & 1 == 1,
            },
            10..=12 => Self::Join(a),
            13 => Self::Leave(a),
            14 => Self::Understand(a),
            15 => Self::Tell(a),
            16..=20 => Self::Take {
                client: a,
                bytes: b,
                is_short: c & 1 == 1,
            },
            21 => Self::Writable(a),
            22 => Self::Flow {
                overflow: overflow(a),
                join: join_at(b),
                limits: limits(c),
            },
            23 => Self::Jump,
            24 => Self::Finish,
            25 => Self::Drain(a),
            26 => Self::Inspect(a),
            27 => Self::GrantTurn,
            28 => Self::ForgetHeld(a),
            29 => Self::AwaitPeer,
            30 => Self::AwaitNobody,
            _ => Self::Pass(u16::from_le_bytes([a, b])),
        }
    }
}

/// One for each number.
pub fn audience(number: u8) -> Audience {
    match number % 3 {
        0 => Audience::Clients,
        1 => Audience::Caller,
        _ => Audience::Callee,
    }
}

/// One for each of these.
pub fn flow([a, b, c, d]: [u8; 4]) -> Flow {
    Flow {
        overflow: overflow(a),
        join: join_at(b),
        limits: limits(c),
        hold_without_client: d & 1 == 1,
        keep_for_callee: d & 64 == 64,
        timeout: (d & 2 == 2).then_some(Duration::from_secs(1)),
        lockstep: d & 12 == 12,
        max_clients: None,
        metadata: match d >> 4 & 3 {
            0 => Metadata::Off,
            1 => Metadata::On,
            _ => Metadata::OnRequest,
        },
    }
}

fn kind(number: u8) -> Kind {
    match number % 4 {
        0 => Kind::Keyframe,
        1 => Kind::Repeated,
        _ => Kind::Delta,
    }
}

fn overflow(number: u8) -> Overflow {
    match number % 3 {
        0 => Overflow::Block,
        1 => Overflow::Drop,
        _ => Overflow::Disconnect,
    }
}

fn join_at(number: u8) -> JoinAt {
    match number % 3 {
        0 => JoinAt::Latest,
        1 => JoinAt::NextKeyframe,
        _ => JoinAt::LatestKeyframe,
    }
}

fn limits(number: u8) -> Limits {
    let number = usize::from(number);
    Limits {
        frames: Some(number & 7).filter(|&frames| frames > 0),
        bytes: Some(32 * (number >> 3 & 3)).filter(|&bytes| bytes > 0),
        time: (number & 0x80 > 0).then_some(Duration::from_millis(50)),
    }
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Delta,
    Keyframe,
    /// All of the stream's headers, which are repeated.
    Repeated,
}

/// Its number and its kind. It is a few bytes longer the higher the number is.
#[derive(Debug)]
pub struct Numbered(Vec<u8>);

impl Payload for Numbered {
    type Chunk<'a> = &'a [u8];

    fn chunks(&self) -> impl Iterator<Item = io::Result<&[u8]>> {
        self.0.chunks(5).map(Ok)
    }
}

const DELTA: u8 = 0;
const KEYFRAME: u8 = 1;
const HEADER: u8 = 2;

/// More clients would do nothing else.
const MAX_CLIENTS: usize = 4;

/// Runs these commands on a stream that begins with `flow`, for peers that may `reconnect`.
pub fn run(
    audience: Audience,
    flow: Flow,
    reconnects: bool,
    commands: impl IntoIterator<Item = Command>,
    now: Instant,
) {
    let mut storm = Storm::new(audience, flow, reconnects, now);
    for command in commands {
        storm.run(command);
        storm.remove_the_slow();
    }
    storm.end();
}

struct Storm {
    fanout: Fanout<Numbered>,
    peers: Vec<(usize, Peer)>,
    reconnects: bool,
    now: Instant,
    preamble: usize,
    stream: Stream,
    /// How many payloads there ever were, and how many are no longer needed.
    numbers: u32,
    spent: u32,
}

impl Storm {
    fn new(audience: Audience, flow: Flow, reconnects: bool, now: Instant) -> Self {
        let mut fanout = Fanout::new(audience);
        fanout.begin(flow);
        fanout.set_hello(record(RecordKind::Hello, b"videosocket 1\n"));
        Self {
            fanout,
            peers: Vec::new(),
            reconnects,
            now,
            preamble: 0,
            stream: Stream {
                frames: Vec::new(),
                header_sets: vec![Vec::new()],
                has_headers: false,
                can_begin_anywhere: flow.join == JoinAt::Latest,
                has_turns: flow.lockstep,
            },
            numbers: 0,
            spent: 0,
        }
    }

    fn run(&mut self, command: Command) {
        let now = self.now;
        match command {
            Command::Push(kind) => self.push(kind),
            Command::PushAhead(kind) => {
                if !self.fanout.is_finishing() && kind != Kind::Repeated {
                    let frame = self.frame(kind);
                    if self.fanout.push_ahead(frame, now) {
                        self.stream.add(self.numbers);
                    }
                }
            }
            Command::Note => {
                let payload = self.payload(HEADER);
                let note = record(RecordKind::Tags, b"s taglist;").into();
                self.fanout.note(Frame::note(note, payload), now);
            }
            Command::Describe => {
                let records = record(RecordKind::Caps, b"video/x-raw");
                self.fanout.describe(Description::new(None, records, now));
            }
            Command::Headers(number) => {
                let headers: Vec<_> = (0..number % 4).map(|_| self.frame_of(HEADER)).collect();
                let payloads = headers.iter().map(|frame| frame.payload.0.clone());
                self.stream.set_headers(payloads.collect());
                self.fanout.set_headers(headers);
            }
            Command::Edges {
                preamble,
                has_eos_frame,
            } => self.set_edges(preamble.into(), has_eos_frame),
            Command::Join(turns) => self.join(turns.into()),
            Command::Leave(peer) => self.with(peer, Self::leave),
            Command::Understand(peer) => self.with(peer, Self::understand),
            Command::Tell(peer) => self.with(peer, |storm, key| {
                let is_told = storm.fanout.is_described(key) && !storm.fanout.is_draining(key);
                if is_told {
                    storm
                        .fanout
                        .tell(key, &record(RecordKind::Tags, b"s taglist;"));
                }
            }),
            Command::Take {
                client,
                bytes,
                is_short,
            } => self.with(client, |storm, key| storm.take(key, bytes.into(), is_short)),
            Command::Writable(peer) => {
                self.with(peer, |storm, key| storm.fanout.set_writable(key, true));
            }
            Command::Flow {
                overflow,
                join,
                limits,
            } => {
                let flow = *self.fanout.flow();
                self.stream.can_begin_anywhere |= join == JoinAt::Latest;
                self.fanout.set_flow(Flow {
                    overflow,
                    join,
                    limits,
                    ..flow
                });
            }
            Command::Jump => {
                self.fanout.resume();
                self.fanout.forget_waiting();
            }
            Command::Finish => _ = self.fanout.finish(now),
            Command::Drain(unacknowledged) => self.drain(unacknowledged.into()),
            Command::Inspect(unacknowledged) => {
                for (key, _) in &self.peers {
                    self.fanout.inspect(*key, unacknowledged.into(), now);
                }
            }
            Command::GrantTurn => self.fanout.grant_turn(),
            Command::ForgetHeld(peer) if self.stream.has_turns => self.with(peer, |storm, key| {
                storm.fanout.forget_held(key);
            }),
            // That is known once nobody is there any more.
            Command::AwaitPeer if self.peers.is_empty() => self.fanout.await_peer(),
            Command::AwaitNobody if self.peers.is_empty() => _ = self.fanout.await_nobody(),
            Command::ForgetHeld(_) | Command::AwaitPeer | Command::AwaitNobody => (),
            Command::Pass(millis) => self.now += Duration::from_millis(millis.into()),
        }
        self.spent += self.fanout.spent().drain(..).count() as u32;
    }

    fn push(&mut self, kind: Kind) {
        if self.fanout.is_finishing() {
            return;
        }
        if kind == Kind::Repeated {
            return self.repeat_headers();
        }
        let frame = self.frame(kind);
        if self.fanout.must_wait(&frame, self.now) {
            self.spent += 1;
        } else {
            self.stream.add(self.numbers);
            self.fanout.push(frame, self.now);
            self.fanout.keep_within(self.now);
        }
    }

    fn repeat_headers(&mut self) {
        for payload in self.stream.headers().to_vec() {
            self.numbers += 1;
            let frame = Frame {
                keyframe: true,
                repeats_header: true,
                ..self.frame_with(Numbered(payload))
            };
            self.stream.has_headers = true;
            self.fanout.push(frame, self.now);
            self.fanout.keep_within(self.now);
        }
    }

    fn set_edges(&mut self, preamble: usize, has_eos_frame: bool) {
        self.preamble = preamble % 12;
        let eos_frame: &[u8] = if has_eos_frame { b"00000000" } else { b"" };
        self.fanout.set_edges(&vec![b'p'; self.preamble], eos_frame);
    }

    fn join(&mut self, turns: u64) {
        let max = match self.fanout.audience() {
            Audience::Clients => MAX_CLIENTS,
            _ => 1,
        };
        if self.fanout.num_clients() < max {
            let (key, _) = self.fanout.join(turns % 3, self.now);
            let peer = Peer::new(self.preamble);
            self.peers.push((key, peer));
        }
    }

    fn leave(&mut self, key: usize) {
        self.fanout.leave(key, self.reconnects);
        self.peers.retain(|(other, _)| *other != key);
    }

    fn understand(&mut self, key: usize) {
        let is_heard = self.fanout.flow().metadata != Metadata::Off;
        if is_heard && !self.fanout.is_draining(key) {
            self.fanout.understand(key);
        }
    }

    /// In the order of [`write_waiting`](crate::transport).
    fn take(&mut self, key: usize, max: usize, is_short: bool) {
        if !self.fanout.is_writable(key) {
            return;
        }
        let edge = self.fanout.unsent_edge(key).map(<[u8]>::to_vec);
        let is_edge = edge.is_some();
        let mut bytes = edge.unwrap_or_else(|| self.unsent(key));
        bytes.truncate(max);
        if bytes.is_empty() {
            return;
        }
        let progress = if is_edge {
            self.fanout.sent_edge(key, bytes.len(), is_short, self.now)
        } else {
            self.fanout.sent(key, bytes.len(), is_short, self.now)
        };
        let is_idle = self.fanout.is_idle(key);
        let peer = self.peers.iter_mut().find(|(other, _)| *other == key);
        let (_, peer) = peer.expect("each client has its peer");
        assert_eq!(peer.receive(&bytes, &self.stream), progress.frames);
        assert!(!is_idle || peer.decoder.finish().is_ok());
    }

    fn unsent(&mut self, key: usize) -> Vec<u8> {
        if self.fanout.is_undescribed(key) {
            self.fanout.describe_to(key, self.now);
        }
        let mut bytes = Vec::new();
        if let Some((parts, before)) = self.fanout.unsent(key) {
            for part in parts {
                let start = bytes.len();
                bytes.extend_from_slice(part.head);
                if let Some(frame) = part.frame.filter(|frame| !frame.is_note) {
                    bytes.extend_from_slice(&frame.payload.0);
                }
                assert_eq!(bytes.len() - start, part.wire_len);
            }
            bytes.drain(..before);
            assert!(!bytes.is_empty(), "something is to be sent");
        }
        bytes
    }

    /// In the order of `drain` in `transport`.
    fn drain(&mut self, unacknowledged: usize) {
        let keys: Vec<_> = self.peers.iter().map(|(key, _)| *key).collect();
        for key in keys {
            if !self.fanout.is_draining(key) {
                if !self.fanout.is_finishing() {
                    continue;
                }
                self.fanout.inspect_end(key, self.now);
                if !self.fanout.is_idle(key) {
                    continue;
                }
                self.fanout.begin_drain(key, self.now);
            }
            self.fanout.is_to_end(key);
            if self.fanout.is_drained(key, unacknowledged, self.now) {
                self.leave(key);
            }
        }
    }

    fn remove_the_slow(&mut self) {
        while let Some((key, _)) = self.fanout.poll_verdict() {
            self.leave(key);
        }
    }

    fn end(mut self) {
        self.fanout.end();
        self.spent += self.fanout.spent().drain(..).count() as u32;
        assert_eq!((self.spent, self.fanout.queued()), (self.numbers, 0));
    }

    fn with(&mut self, peer: u8, act: impl FnOnce(&mut Self, usize)) {
        if let Some(last) = self.peers.len().checked_sub(1) {
            let (key, _) = self.peers[usize::from(peer).min(last)];
            act(self, key);
        }
    }

    fn frame(&mut self, kind: Kind) -> Frame<Numbered> {
        let keyframe = kind == Kind::Keyframe;
        Frame {
            keyframe,
            ..self.frame_of(if keyframe { KEYFRAME } else { DELTA })
        }
    }

    fn frame_of(&mut self, kind: u8) -> Frame<Numbered> {
        let payload = self.payload(kind);
        self.frame_with(payload)
    }

    fn frame_with(&self, payload: Numbered) -> Frame<Numbered> {
        let len = payload.0.len();
        let header = HeaderFormat::default().encode(len as u64);
        let header = header.expect("8 digits say more");
        let lead = [&record(RecordKind::Buffer, &[0; 36]), &header[..]].concat();
        // Every other one does not say when it is due.
        let time = self.numbers.is_multiple_of(2).then_some(self.numbers);
        Frame {
            header,
            lead: Some(Lead::Long(lead.into())),
            payload,
            len,
            keyframe: false,
            repeats_header: false,
            is_note: false,
            piece: Piece::Whole,
            time: time.map(|number| Duration::from_millis(10 * u64::from(number))),
        }
    }

    fn payload(&mut self, kind: u8) -> Numbered {
        self.numbers += 1;
        let mut bytes = self.numbers.to_le_bytes().to_vec();
        bytes.push(kind);
        bytes.resize(bytes.len() + self.numbers as usize % 7, 0);
        Numbered(bytes)
    }
}

/// What was pushed.
struct Stream {
    /// All frames but repeated headers.
    frames: Vec<Pushed>,
    /// All sets of headers that there ever were, each of payloads. The last one holds.
    header_sets: Vec<Vec<Vec<u8>>>,
    /// They have been repeated among the frames.
    has_headers: bool,
    /// Those who join need no keyframe, or did not.
    can_begin_anywhere: bool,
    /// Peers get a frame when they have a turn, and none of those in between.
    has_turns: bool,
}

struct Pushed {
    number: u32,
    /// Which headers it needs.
    header_set: usize,
    /// The stream had those among its frames.
    has_headers: bool,
}

impl Stream {
    fn add(&mut self, number: u32) {
        self.frames.push(Pushed {
            number,
            header_set: self.header_sets.len() - 1,
            has_headers: self.has_headers,
        });
    }

    fn set_headers(&mut self, headers: Vec<Vec<u8>>) {
        self.header_sets.push(headers);
        self.has_headers = false;
    }

    fn headers(&self) -> &[Vec<u8>] {
        self.header_sets.last().map_or(&[], Vec::as_slice)
    }

    /// Where among all there ever were a header is: the set, and the place in it.
    fn find_header(&self, payload: &[u8]) -> (usize, usize) {
        let mut sets = self.header_sets.iter().enumerate().rev();
        let found = sets.find_map(|(set, headers)| {
            let at = headers.iter().position(|header| header == payload)?;
            Some((set, at))
        });
        found.expect("it is one")
    }

    fn find(&self, number: u32) -> usize {
        let found = self
            .frames
            .binary_search_by_key(&number, |pushed| pushed.number);
        found.expect("what is received was pushed")
    }

    /// Whether a frame that is no keyframe can be decoded by who had `last` before.
    fn can_follow(&self, last: Option<u32>, number: u32) -> bool {
        let before = self.find(number).checked_sub(1);
        match last {
            _ if self.has_turns => true,
            None => self.can_begin_anywhere,
            last => before.map(|before| self.frames[before].number) == last,
        }
    }
}

/// What a peer has received.
struct Peer {
    decoder: Decoder,
    payload: Vec<u8>,
    /// The number of the last frame of the stream.
    last: Option<u32>,
    /// Which headers came last, and how many of them.
    headers: Option<(usize, usize)>,
    /// Records of the frame that is under way have come.
    is_described: bool,
}

impl Peer {
    fn new(preamble: usize) -> Self {
        let decoder = Decoder::new(HeaderFormat::default(), 100, FramePrefix::MAX_LEN);
        Self {
            decoder: decoder.with_records().with_preamble(preamble),
            payload: Vec::new(),
            last: None,
            headers: None,
            is_described: false,
        }
    }

    /// Says how many frames these bytes complete.
    fn receive(&mut self, mut bytes: &[u8], stream: &Stream) -> u64 {
        let mut frames = 0;
        loop {
            match self.decoder.next(&mut self.payload) {
                Ok(Step::Head(len)) => self.payload = vec![0; len],
                Ok(Step::Frame) => {
                    frames += 1;
                    self.look(stream);
                }
                Ok(Step::Record(kind)) => {
                    self.is_described |= kind == RecordKind::Buffer;
                    _ = self.decoder.record().expect("one").expect("a good one");
                }
                Ok(Step::More) if bytes.is_empty() => return frames,
                Ok(Step::More) => {
                    let mut slices = self.decoder.read_slices(&mut self.payload);
                    let n = read(&mut bytes, &mut slices);
                    self.decoder.advance(n);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn look(&mut self, stream: &Stream) {
        let payload = std::mem::take(&mut self.payload);
        let is_described = std::mem::take(&mut self.is_described);
        // The frame at the end has none.
        let Some((number, rest)) = payload.split_first_chunk() else {
            return;
        };
        let (number, kind) = (u32::from_le_bytes(*number), rest[0]);
        assert_eq!(rest.len() - 1, number as usize % 7);
        if kind == HEADER {
            return self.look_at_header(stream.find_header(&payload), is_described);
        }
        self.look_at_need(&stream.frames[stream.find(number)], stream, is_described);
        assert!(Some(number) > self.last, "{number} behind {:?}", self.last);
        assert!(kind == KEYFRAME || stream.can_follow(self.last, number));
        self.last = Some(number);
    }
}

impl Peer {
    /// Headers come in their order, and no more often than they have to. To who is sent records they come as the
    /// stream has them.
    fn look_at_header(&mut self, (set, at): (usize, usize), is_described: bool) {
        let last = self.headers.replace((set, at + 1));
        let is_next = last == Some((set, at));
        let begins = at == 0 && (is_described || last.is_none_or(|(last, _)| last < set));
        assert!(is_next || begins, "header {at} of {set} behind {last:?}");
    }

    /// A frame comes behind all of its headers. Where the stream has not had them, those who are sent records have
    /// them in a description.
    fn look_at_need(&self, pushed: &Pushed, stream: &Stream, is_described: bool) {
        let count = stream.header_sets[pushed.header_set].len();
        let needs_them = count > 0 && (pushed.has_headers || !is_described);
        assert!(
            !needs_them || self.headers == Some((pushed.header_set, count)),
            "{} needs {:?}, behind {:?}",
            pushed.number,
            (pushed.header_set, count),
            self.headers
        );
    }
}

fn read(bytes: &mut &[u8], slices: &mut [IoSliceMut<'_>]) -> usize {
    bytes.read_vectored(slices).expect("a slice is read")
}

fn record(kind: RecordKind, payload: &[u8]) -> Vec<u8> {
    let head = RecordHead {
        letter: kind.letter() as u8,
        len: payload.len(),
    };
    [&head.encode(), payload].concat()
}

#[cfg(test)]
mod tests {
    use proptest::{array::uniform4, collection::vec, prelude::*};

    use super::{super::tests::some_time, *};

    /// An interpreter takes a thousand times as long.
    const CASES: u32 = if cfg!(miri) { 4 } else { 128 };
    const MOST: usize = if cfg!(miri) { 15 } else { 200 };

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

        #[test]
        fn each_peer_is_sent_whole_frames_in_their_order(
            number in any::<u8>(),
            flow in uniform4(any::<u8>()),
            reconnects in any::<bool>(),
            commands in vec(uniform4(any::<u8>()), 1..MOST),
        ) {
            let commands = commands.into_iter().map(Command::from);
            run(audience(number), super::flow(flow), reconnects, commands, some_time());
        }
    }
}
