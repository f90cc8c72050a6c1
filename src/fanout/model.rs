// SPDX-License-Identifier: MPL-2.0
//! The fan-out beside a naive one, in which each client has a list of its own, of frames each of which knows its
//! header: whatever happens, each is sent the same, loses as much, and nothing is kept that nobody needs.

use std::io;

use super::*;
use crate::wire::HeaderFormat;

/// A payload of one letter.
#[derive(Debug)]
pub struct Letter(pub u8);

impl Payload for Letter {
    type Chunk<'a> = [u8; 1];

    fn chunks(&self) -> impl Iterator<Item = io::Result<[u8; 1]>> {
        std::iter::once(Ok([self.0]))
    }
}

/// What happens to a stream.
#[derive(Clone, Debug)]
pub enum Happening {
    Push {
        letter: u8,
        len: usize,
        keyframe: bool,
        repeats: bool,
    },
    Join,
    Leave(usize),
    /// The kernel takes so many bytes, and then has room or not.
    Take {
        client: usize,
        bytes: usize,
        is_short: bool,
    },
    Fill(usize),
    Headers(u8),
    Jump,
    JoinAt(JoinAt),
}

/// A frame of the naive fan-out.
#[derive(Clone, Debug, PartialEq)]
struct Item {
    letter: u8,
    wire_len: usize,
    keyframe: bool,
    repeats: bool,
    /// The header that it comes behind.
    header: Option<Header>,
}

/// A header of the stream, and how many others there were before.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Header {
    letter: u8,
    version: usize,
}

#[derive(Default)]
struct NaiveClient {
    follows: bool,
    has_begun: bool,
    frames: Vec<Item>,
    /// The frame or header begun, and how much of it has been taken.
    begun: Option<(Item, usize)>,
    /// The header that came last, if that is known.
    has: Option<Option<Header>>,
    given: (usize, usize),
    followed: (usize, usize),
    dropped: u64,
    is_full: bool,
}

#[derive(Default)]
struct Naive {
    header: Option<Header>,
    group: Vec<Item>,
    clients: Vec<(usize, NaiveClient)>,
}

impl Item {
    fn counts(&self) -> bool {
        !self.repeats
    }

    fn header(header: Header) -> Self {
        item(header.letter, 1, true, true, Some(header))
    }
}

fn size<'a>(items: impl IntoIterator<Item = &'a Item>) -> (usize, usize) {
    let counted = items.into_iter().filter(|item| item.counts());
    counted.fold((0, 0), |(n, bytes), item| (n + 1, bytes + item.wire_len))
}

impl NaiveClient {
    fn offer(&mut self, item: &Item, join: JoinAt) {
        let (n, bytes) = size([item]);
        self.followed = (self.followed.0 + n, self.followed.1 + bytes);
        if !self.follows {
            let any = !self.has_begun && join == JoinAt::Latest;
            if !any && (!item.keyframe || item.repeats) {
                self.dropped += u64::from(self.has_begun && !item.repeats);
                return;
            }
            (self.has_begun, self.follows) = (true, true);
        }
        self.frames.push(item.clone());
    }

    fn is_over(&self, limits: &Limits) -> bool {
        let (n, bytes) = size(&self.frames);
        let excess = |given, followed| if followed < given { given } else { 0 };
        let frames_over = |max: usize| n > max + excess(self.given.0, self.followed.0);
        let bytes_over = |max: usize| bytes > max + excess(self.given.1, self.followed.1);
        n > 1 && (limits.frames.is_some_and(frames_over) || limits.bytes.is_some_and(bytes_over))
    }

    fn drop_first(&mut self, n: usize) {
        let dropped = size(self.frames.drain(..n).collect::<Vec<_>>().iter()).0;
        self.dropped += dropped as u64;
        if dropped > 0 {
            self.given = (0, 0);
        }
    }

    fn thin(&mut self, limits: &Limits) {
        if !self.is_over(limits) {
            return;
        }
        let mut counted = self.frames.iter().filter(|item| item.counts());
        if counted.all(|item| item.keyframe) {
            while self.is_over(limits) {
                self.drop_first(1);
            }
        } else {
            let oldest = self.frames.iter().position(Item::counts);
            let newest = self
                .frames
                .iter()
                .rposition(|item| item.keyframe && item.counts());
            match newest.filter(|_| newest != oldest) {
                Some(newest) => self.drop_first(newest),
                None => {
                    self.drop_first(self.frames.len());
                    self.follows = false;
                }
            }
        }
    }

    fn take(&mut self, mut bytes: usize, current: Option<Header>) {
        while bytes > 0 {
            let Some(first) = self.items(current).into_iter().next() else {
                break;
            };
            let begun = self.begun.take();
            if begun.is_none() {
                self.begin(&first);
            }
            let offset = begun.map_or(0, |(_, offset)| offset);
            let taken = bytes.min(first.wire_len - offset);
            bytes -= taken;
            if offset + taken < first.wire_len {
                self.begun = Some((first, offset + taken));
            }
        }
        if self.items(current).is_empty() {
            self.given = (0, 0);
        }
    }

    fn begin(&mut self, item: &Item) {
        self.has = Some(item.header);
        if item.counts() {
            let at = self.frames.iter().position(Item::counts);
            self.frames.drain(..=at.expect("it is one of them"));
        }
    }

    /// All that it is sent in the end, whatever is to come.
    fn items(&self, current: Option<Header>) -> Vec<Item> {
        let mut items: Vec<_> = self.begun.iter().map(|(item, _)| item.clone()).collect();
        let mut has = self.has;
        for item in self.frames.iter().filter(|item| item.counts()) {
            if has != Some(item.header) {
                items.extend(item.header.map(Item::header));
            }
            has = Some(item.header);
            items.push(item.clone());
        }
        if has.is_none() && self.has_begun {
            items.extend(current.map(Item::header));
        }
        items
    }

    fn offset(&self) -> usize {
        self.begun.as_ref().map_or(0, |(_, offset)| *offset)
    }
}

impl Naive {
    fn push(&mut self, item: Item, flow: &Flow) {
        for (_, client) in &mut self.clients {
            client.offer(&item, flow.join);
        }
        if flow.join == JoinAt::LatestKeyframe {
            if item.keyframe && !item.repeats {
                self.group.clear();
            } else if self.group.is_empty() {
                return;
            }
            self.group.push(item);
        }
    }

    fn join(&mut self, key: usize) {
        let mut client = NaiveClient::default();
        if !self.group.is_empty() {
            (client.has_begun, client.follows) = (true, true);
            client.frames.clone_from(&self.group);
            client.given = size(&client.frames);
        }
        self.clients.push((key, client));
    }
}

fn frame(letter: u8, len: usize, keyframe: bool, repeats_header: bool) -> Frame<Letter> {
    Frame {
        header: HeaderFormat::default().encode(len as u64).unwrap(),
        lead: None,
        payload: Letter(letter),
        len,
        keyframe,
        repeats_header,
        is_note: false,
        piece: Piece::Whole,
        time: None,
    }
}

fn item(letter: u8, len: usize, keyframe: bool, repeats: bool, header: Option<Header>) -> Item {
    Item {
        letter,
        wire_len: len + 8,
        keyframe,
        repeats,
        header,
    }
}

/// Both of them, side by side.
struct Pair {
    fanout: Fanout<Letter>,
    naive: Naive,
    flow: Flow,
    now: Instant,
    pushed: usize,
    spent: usize,
}

impl Pair {
    fn new(flow: Flow, now: Instant) -> Self {
        let mut fanout = Fanout::new(Audience::Clients);
        fanout.begin(flow);
        Self {
            fanout,
            naive: Naive::default(),
            flow,
            now,
            pushed: 0,
            spent: 0,
        }
    }

    fn happen(&mut self, happening: &Happening) {
        let Self { fanout, naive, .. } = self;
        let nth = |naive: &Naive, n: usize| {
            let len = naive.clients.len();
            (len > 0).then(|| n % len)
        };
        match *happening {
            Happening::Push {
                letter,
                len,
                keyframe,
                repeats,
            } => {
                naive.push(
                    item(letter, len, keyframe, repeats, naive.header),
                    &self.flow,
                );
                fanout.push(frame(letter, len, keyframe, repeats), self.now);
                self.pushed += 1;
                fanout.keep_within(self.now);
                for (_, client) in &mut naive.clients {
                    if self.flow.overflow == Overflow::Drop && client.is_full {
                        client.thin(&self.flow.limits);
                    }
                }
            }
            Happening::Join if naive.clients.len() < 6 => {
                let (key, _) = fanout.join(0, self.now);
                naive.join(key);
            }
            Happening::Join => (),
            Happening::Leave(n) => {
                if let Some(n) = nth(naive, n) {
                    let (key, client) = naive.clients.remove(n);
                    let (_, lost) = fanout.leave(key, false);
                    let begun = client.begun.iter().filter(|(item, _)| item.counts());
                    let waiting = size(&client.frames).0 + begun.count();
                    assert_eq!(lost, waiting as u64);
                }
            }
            Happening::Take {
                client,
                bytes,
                is_short,
            } => {
                if let Some(n) = nth(naive, client) {
                    let (key, client) = &mut naive.clients[n];
                    client.take(bytes, naive.header);
                    client.is_full = is_short;
                    fanout.sent(*key, bytes, is_short, self.now);
                }
            }
            Happening::Fill(n) => {
                if let Some(n) = nth(naive, n) {
                    let (key, client) = &mut naive.clients[n];
                    client.is_full = true;
                    fanout.set_writable(*key, false);
                }
            }
            Happening::Headers(letter) => {
                fanout.set_headers(vec![frame(letter, 1, true, false)]);
                self.pushed += 1;
                if naive.header.is_none_or(|header| header.letter != letter) {
                    let version = naive.header.map_or(0, |header| header.version + 1);
                    naive.header = Some(Header { letter, version });
                }
                naive.group.clear();
            }
            Happening::Jump => {
                fanout.forget_waiting();
                naive.group.clear();
                for (_, client) in &mut naive.clients {
                    if size(&client.frames).0 > 0 {
                        client.frames.clear();
                        client.given = (0, 0);
                        client.follows = false;
                    }
                }
            }
            Happening::JoinAt(join) => {
                self.flow.join = join;
                fanout.set_flow(self.flow);
                if join != JoinAt::LatestKeyframe {
                    naive.group.clear();
                }
            }
        }
        self.spent += self.fanout.spent().drain(..).count();
    }

    fn compare(&mut self) {
        for (key, client) in &self.naive.clients {
            self.fanout.set_writable(*key, true);
            let unsent = self.fanout.unsent(*key);
            let (letters, offset) = unsent.map_or((Vec::new(), 0), |(frames, offset)| {
                let frames = frames.filter_map(|part| part.frame);
                (frames.map(|frame| frame.payload.0).collect(), offset)
            });
            let expected = client.items(self.naive.header);
            let expected = expected.iter().map(|item| item.letter).collect();
            assert_eq!((letters, offset), (expected, client.offset()));
            assert_eq!(self.fanout.counts(*key).dropped, client.dropped);
            self.fanout.set_writable(*key, !client.is_full);
        }
    }

    /// What is kept is what somebody needs.
    fn compare_kept(&mut self) {
        for (key, _) in std::mem::take(&mut self.naive.clients) {
            self.fanout.leave(key, false);
        }
        let group = self.naive.group.len();
        assert_eq!(self.fanout.queue.len(), group);
        self.fanout.end();
        self.spent += self.fanout.spent().drain(..).count();
        assert_eq!(self.spent, self.pushed);
    }
}

/// Clients of both of them, which are sent the same, and lose as much.
pub fn beside_lists_of_their_own(flow: Flow, happenings: &[Happening], now: Instant) {
    let mut pair = Pair::new(flow, now);
    for happening in happenings {
        pair.happen(happening);
        pair.compare();
    }
    pair.compare_kept();
}

/// One peer after the other, with and without turns: what is pushed is spent.
pub fn one_after_the_other(
    audience: Audience,
    flow: Flow,
    happenings: &[(Happening, bool)],
    mut now: Instant,
) {
    let mut fanout = Fanout::new(audience);
    fanout.begin(flow);
    let mut client = None;
    let (mut pushed, mut spent) = (0, 0);
    for (happening, flag) in happenings {
        match (happening, client) {
            (
                Happening::Push {
                    letter,
                    len,
                    keyframe,
                    repeats,
                },
                _,
            ) => {
                fanout.push(frame(*letter, *len, *keyframe, *repeats), now);
                fanout.keep_within(now);
                pushed += 1;
            }
            (Happening::Join, None) => {
                client = Some(fanout.join(u64::from(*flag), now).0);
            }
            (Happening::Leave(_), Some(key)) => {
                fanout.leave(key, *flag);
                fanout.await_peer();
                client = None;
            }
            (
                Happening::Take {
                    bytes, is_short, ..
                },
                Some(key),
            ) => {
                let unsent = fanout.unsent(key);
                let room: usize = unsent.map_or(0, |(frames, before)| {
                    frames.map(|part| part.wire_len).sum::<usize>() - before
                });
                fanout.sent(key, room.min(*bytes), *is_short, now);
            }
            (Happening::Fill(_), Some(key)) => fanout.set_writable(key, *flag),
            (Happening::Headers(letter), _) => {
                fanout.set_headers(vec![frame(*letter, 1, true, false)]);
                pushed += 1;
            }
            (Happening::Jump, _) => fanout.forget_waiting(),
            (Happening::JoinAt(join), _) => {
                fanout.set_flow(Flow {
                    join: *join,
                    ..flow
                });
            }
            (_, Some(key)) if *flag => {
                fanout.begin_drain(key, now);
                now += Duration::from_millis(300);
            }
            _ => fanout.grant_turn(),
        }
        while fanout.poll_verdict().is_some() {}
        spent += fanout.spent().drain(..).count();
    }
    fanout.end();
    assert_eq!(pushed, spent + fanout.spent().drain(..).count());
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{super::tests::some_time, *};

    /// An interpreter takes a thousand times as long.
    const CASES: u32 = if cfg!(miri) { 4 } else { 128 };
    const MOST: usize = if cfg!(miri) { 15 } else { 120 };

    /// As many cases as take a moment. What fails is shown, and not kept in a file.
    fn config() -> ProptestConfig {
        ProptestConfig {
            cases: CASES,
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    fn happening() -> impl Strategy<Value = Happening> {
        let client = 0usize..6;
        prop_oneof![
            12 => (any::<u8>(), 0usize..5, any::<bool>(), prop::bool::weighted(0.1)).prop_map(
                |(letter, len, keyframe, repeats)| Happening::Push { letter, len, keyframe, repeats }
            ),
            2 => Just(Happening::Join),
            1 => client.clone().prop_map(Happening::Leave),
            8 => (client.clone(), 0usize..60, any::<bool>())
                .prop_map(|(client, bytes, is_short)| Happening::Take { client, bytes, is_short }),
            3 => client.prop_map(Happening::Fill),
            1 => any::<u8>().prop_map(Happening::Headers),
            1 => Just(Happening::Jump),
            1 => join_at().prop_map(Happening::JoinAt),
        ]
    }

    fn join_at() -> impl Strategy<Value = JoinAt> {
        prop_oneof![
            Just(JoinAt::Latest),
            Just(JoinAt::NextKeyframe),
            Just(JoinAt::LatestKeyframe)
        ]
    }

    fn flow() -> impl Strategy<Value = Flow> {
        let overflow = prop_oneof![Just(Overflow::Block), Just(Overflow::Drop)];
        let limits = (prop::option::of(1usize..6), prop::option::of(10usize..60));
        (overflow, limits, join_at()).prop_map(|(overflow, (frames, bytes), join)| Flow {
            overflow,
            limits: Limits {
                frames,
                bytes,
                time: None,
            },
            join,
            ..Flow::default()
        })
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn each_client_gets_what_a_list_of_its_own_would_give_it(
            flow in flow(),
            happenings in vec(happening(), 1..MOST),
        ) {
            beside_lists_of_their_own(flow, &happenings, some_time());
        }

        #[test]
        fn nothing_is_kept_for_peers_that_come_one_after_the_other(
            flow in flow(),
            lockstep in prop::bool::weighted(0.3),
            comes in any::<bool>(),
            happenings in vec((happening(), any::<bool>()), 1..MOST),
        ) {
            let audience = if comes { Audience::Caller } else { Audience::Callee };
            one_after_the_other(audience, Flow { lockstep, ..flow }, &happenings, some_time());
        }
    }
}
