// SPDX-License-Identifier: MPL-2.0
//! What a peer asks for that is sent a stream.

use std::{
    io::IoSliceMut,
    time::{Duration, Instant},
};

use super::event::Request;
use crate::wire::{Decoder, HeaderError, HeaderFormat, Step, record::Record};

/// Requests are short, and read as many at a time as fit this.
const READ_AHEAD: usize = 4 * 1024;

/// A peer may ask so often in a second, and in a burst. What is more is passed over.
const REQUESTS: Rate = Rate {
    a_second: 100,
    at_once: 200,
};

/// A peer that asks so often means harm.
const FLOOD: Rate = Rate {
    a_second: 1_000,
    at_once: 2_000,
};

/// Listens to one peer.
pub(super) struct Ear {
    decoder: Decoder,
    limits: RequestLimits,
}

/// What has been heard.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// Nothing more for now.
    Nothing,
    /// The peer understands records, and wants them.
    Hello,
    /// It asks for something.
    Request(Request),
    /// It sends what nobody listens to.
    Noise,
    /// It does not keep to the form.
    Bad(HeaderError),
    /// It asks far too often.
    Flood,
}

impl Ear {
    pub fn new() -> Self {
        let format = HeaderFormat::default();
        Self {
            decoder: Decoder::new(format, format.max_payload_len(), READ_AHEAD).with_records(),
            limits: RequestLimits::default(),
        }
    }

    /// Where the next bytes belong.
    pub fn read_slice(&mut self) -> IoSliceMut<'_> {
        let [_, ahead] = self.decoder.read_slices(&mut []);
        ahead
    }

    /// So many bytes have come.
    pub fn advance(&mut self, bytes: usize) {
        self.decoder.advance(bytes);
    }

    /// The next thing in what has come.
    pub fn next(&mut self, now: Instant) -> Heard {
        loop {
            match self.decoder.next(&mut []) {
                Ok(Step::More) => return Heard::Nothing,
                Ok(Step::Head(_) | Step::Frame) => return Heard::Noise,
                Err(error @ HeaderError::Record(_)) if self.decoder.has_greeted() => {
                    return Heard::Bad(error);
                }
                Err(_) => return Heard::Noise,
                Ok(Step::Record(_)) => (),
            }
            match self.decoder.record() {
                // More than one says nothing, and who says many means harm.
                Some(Ok(Record::Hello(_) | Record::Probe(_))) if !self.limits.count(now) => {
                    return Heard::Flood;
                }
                Some(Ok(Record::Hello(_))) => return Heard::Hello,
                Some(Ok(Record::Upstream(upstream))) => {
                    match (self.limits.allow(now), Request::new(upstream)) {
                        (Allowance::Flood, _) => return Heard::Flood,
                        (Allowance::Yes, Some(request)) => return Heard::Request(request),
                        _ => (),
                    }
                }
                Some(Err(error)) => return Heard::Bad(error.into()),
                Some(Ok(_)) | None => (),
            }
        }
    }
}

/// How often a peer may ask.
#[derive(Default)]
pub(super) struct RequestLimits {
    requests: Bucket,
    flood: Bucket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowance {
    Yes,
    No,
    Flood,
}

impl RequestLimits {
    /// Counts what is no request. Says whether there may be so much.
    fn count(&mut self, now: Instant) -> bool {
        self.flood.take(FLOOD, now)
    }

    /// Whether a peer may ask now.
    pub fn allow(&mut self, now: Instant) -> Allowance {
        if !self.flood.take(FLOOD, now) {
            Allowance::Flood
        } else if self.requests.take(REQUESTS, now) {
            Allowance::Yes
        } else {
            Allowance::No
        }
    }
}

struct Rate {
    a_second: u32,
    at_once: u32,
}

/// How much of a rate has been used.
#[derive(Default)]
struct Bucket {
    used: u32,
    /// Until then, what was used has been given back.
    until: Option<Instant>,
}

impl Bucket {
    fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let until = self.until.get_or_insert(now);
        let step = Duration::from_secs(1) / rate.a_second;
        let passed = now.saturating_duration_since(*until).as_nanos() / step.as_nanos();
        let back = u32::try_from(passed).unwrap_or(u32::MAX).min(self.used);
        self.used -= back;
        *until = if self.used == 0 {
            now
        } else {
            *until + step * back
        };
        let has_room = self.used < rate.at_once;
        self.used += u32::from(has_room);
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[u8] = b"H0000014videosocket 1\n";

    fn hear(ear: &mut Ear, bytes: &[u8], now: Instant) -> Heard {
        let mut slice = ear.read_slice();
        slice[..bytes.len()].copy_from_slice(bytes);
        ear.advance(bytes.len());
        ear.next(now)
    }

    #[test]
    fn a_hello_is_heard_however_it_comes() {
        let now = Instant::now();
        for cut in 1..HELLO.len() {
            let mut ear = Ear::new();
            let (first, second) = HELLO.split_at(cut);
            assert_eq!(hear(&mut ear, first, now), Heard::Nothing);
            assert_eq!(hear(&mut ear, second, now), Heard::Hello);
        }
    }

    #[test]
    fn so_many_hellos_mean_harm() {
        let now = Instant::now();
        let mut ear = Ear::new();
        let heard = (0..3_000).map(|_| hear(&mut ear, HELLO, now));
        let greetings = heard.take_while(|heard| *heard == Heard::Hello).count();
        assert_eq!(greetings, FLOOD.at_once as usize);
    }

    #[test]
    fn a_request_is_heard_after_it() {
        let now = Instant::now();
        let mut ear = Ear::new();
        hear(&mut ear, HELLO, now);
        let all_headers = Heard::Request(Request::Keyframe {
            all_headers: true,
            running_time: None,
        });
        assert_eq!(
            hear(&mut ear, b"U0000022keyframe all-headers=1", now),
            all_headers
        );
        assert_eq!(hear(&mut ear, b"U0000005other", now), Heard::Nothing);
        assert_eq!(ear.next(now), Heard::Nothing);
    }

    #[test]
    fn a_plain_peer_makes_noise() {
        let now = Instant::now();
        for noise in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"00000005hello",
            b"U0000008keyframe",
            b"ack\nack\n",
        ] {
            assert_eq!(hear(&mut Ear::new(), noise, now), Heard::Noise);
        }
    }

    #[test]
    fn what_follows_a_hello_is_to_have_the_form() {
        let now = Instant::now();
        let mut ear = Ear::new();
        hear(&mut ear, HELLO, now);
        assert!(matches!(hear(&mut ear, b"U0000003qos", now), Heard::Bad(_)));
        let mut ear = Ear::new();
        hear(&mut ear, HELLO, now);
        assert!(matches!(hear(&mut ear, b"U0009999", now), Heard::Bad(_)));
    }

    #[test]
    fn who_asks_too_often_is_passed_over_and_who_floods_is_not_heard_any_more() {
        let now = Instant::now();
        let mut limits = RequestLimits::default();
        let mut allowed = |n: usize, now| {
            (0..n)
                .filter(|_| limits.allow(now) == Allowance::Yes)
                .count()
        };
        assert_eq!(allowed(300, now), 200);
        assert_eq!(allowed(300, now + Duration::from_millis(500)), 50);
        assert_eq!(allowed(300, now + Duration::from_secs(100)), 200);
        let now = now + Duration::from_secs(200);
        let floods = (0..3_000).filter(|_| limits.allow(now) == Allowance::Flood);
        assert_eq!(floods.count(), 1_000);
    }
}
