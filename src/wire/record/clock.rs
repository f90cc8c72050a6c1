// SPDX-License-Identifier: MPL-2.0
//! Records of times: the sender's clock, the segment, gaps, probes.

use std::time::Duration;

use super::{
    RecordError, RecordHead,
    bytes::{Fields, Put},
};

/// The sender's clock. Times are in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock<'a> {
    /// What the clock shows while this is sent.
    pub now: u64,
    /// What it showed at running time 0.
    pub base_time: u64,
    /// The time since 1970 minus that of the clock, where the sender knows it.
    pub unix_offset: Option<i64>,
    /// How much later than at their running times the sender hands over frames.
    pub latency: u64,
    /// The frames come as they are made: how they arrive tells of the network.
    pub is_paced: bool,
    /// The sender's time since 1970 is that of the world.
    pub is_unix_synchronised: bool,
    /// Names a clock that others may have as well; empty for one of the sender's own.
    pub id: &'a str,
}

impl<'a> Clock<'a> {
    /// Where the time is that the clock shows, in a whole record.
    const NOW: std::ops::Range<usize> = RecordHead::LEN..RecordHead::LEN + 8;

    const PACED: u16 = 1 << 0;
    const UNIX_SYNCHRONISED: u16 = 1 << 1;

    /// The same under another name, which may be kept elsewhere.
    pub fn with_id<'b>(&self, id: &'b str) -> Clock<'b> {
        let Self {
            now,
            base_time,
            unix_offset,
            latency,
            is_paced,
            is_unix_synchronised,
            ..
        } = *self;
        Clock {
            now,
            base_time,
            unix_offset,
            latency,
            is_paced,
            is_unix_synchronised,
            id,
        }
    }

    /// Makes a whole record, as [`encode`](super::Record::encode) writes it, one of so much later.
    pub fn advance(record: &mut [u8], by: Duration) {
        if let Some(now) = record.get_mut(Self::NOW)
            && let Ok(bytes) = <[u8; 8]>::try_from(&*now)
        {
            let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
            let later = u64::from_be_bytes(bytes)
                .saturating_add(by)
                .min(u64::MAX - 1);
            now.copy_from_slice(&later.to_be_bytes());
        }
    }

    pub(super) fn put(&self, out: &mut impl Put) {
        out.put_unsigned(Some(self.now));
        out.put_unsigned(Some(self.base_time));
        out.put_signed(self.unix_offset);
        out.put_unsigned(Some(self.latency));
        let paced = u16::from(self.is_paced) * Self::PACED;
        let synchronised = u16::from(self.is_unix_synchronised) * Self::UNIX_SYNCHRONISED;
        out.put_u16(paced | synchronised);
        out.put_u16(0);
        out.put(self.id.as_bytes());
    }

    pub(super) fn parse(mut fields: Fields<'a>) -> Result<Self, RecordError> {
        let missing = |field| RecordError::NoClock { field };
        let now = fields.unsigned()?.ok_or(missing("time"))?;
        let base_time = fields.unsigned()?.ok_or(missing("base time"))?;
        let unix_offset = fields.signed()?;
        let latency = fields.unsigned()?.ok_or(missing("latency"))?;
        let flags = fields.u16()?;
        fields.u16()?;
        Ok(Self {
            now,
            base_time,
            unix_offset,
            latency,
            is_paced: flags & Self::PACED != 0,
            is_unix_synchronised: flags & Self::UNIX_SYNCHRONISED != 0,
            id: fields.lines()?.next().unwrap_or(""),
        })
    }
}

/// How fast the stream is played, where that is not as usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// Frames are to be shown as many times as fast.
    pub rate: f64,
    /// They were made as many times as fast already.
    pub applied_rate: f64,
    /// The position in the stream at running time 0.
    pub stream_time: Option<i64>,
}

impl Segment {
    pub(super) fn put(&self, out: &mut impl Put) {
        out.put_f64(self.rate);
        out.put_f64(self.applied_rate);
        out.put_signed(self.stream_time);
    }

    pub(super) fn parse(mut fields: Fields<'_>) -> Result<Self, RecordError> {
        let mut rate = |field| match fields.f64()? {
            rate if rate.is_finite() && rate != 0.0 => Ok(rate),
            _ => Err(RecordError::Rate { field }),
        };
        Ok(Self {
            rate: rate("rate")?,
            applied_rate: rate("applied rate")?,
            stream_time: fields.signed()?,
        })
    }
}

/// No frame comes for a while, and none is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Its begin, as running time.
    pub time: i64,
    /// How long it is.
    pub duration: Option<u64>,
}

impl Gap {
    pub(super) fn put(&self, out: &mut impl Put) {
        out.put_signed(Some(self.time));
        out.put_unsigned(self.duration);
    }

    pub(super) fn parse(mut fields: Fields<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            time: fields.signed()?.ok_or(RecordError::NoGapTime)?,
            duration: fields.unsigned()?,
        })
    }
}

/// Times for a comparison of clocks. Nothing sends them yet, and whoever gets one may ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A question.
    Request {
        /// When it was asked, on the asker's clock.
        asked: i64,
    },
    /// Its answer.
    Answer {
        /// When it was asked, on the asker's clock.
        asked: i64,
        /// When the question came, on the answerer's clock.
        received: i64,
        /// When the answer was sent, on the same.
        answered: i64,
    },
}

impl Probe {
    const TIMES_OF_ANSWER: usize = 16;

    pub(super) fn put(&self, out: &mut impl Put) {
        match *self {
            Self::Request { asked } => out.put_signed(Some(asked)),
            Self::Answer {
                asked,
                received,
                answered,
            } => [asked, received, answered]
                .into_iter()
                .for_each(|time| out.put_signed(Some(time))),
        }
    }

    pub(super) fn parse(mut fields: Fields<'_>) -> Result<Self, RecordError> {
        let asked = fields.i64()?;
        Ok(if fields.len() < Self::TIMES_OF_ANSWER {
            Self::Request { asked }
        } else {
            Self::Answer {
                asked,
                received: fields.i64()?,
                answered: fields.i64()?,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Record, RecordKind, tests::come_back},
        *,
    };

    const CLOCK: Clock<'_> = Clock {
        now: 1,
        base_time: 2,
        unix_offset: Some(-3),
        latency: 4,
        is_paced: true,
        is_unix_synchronised: false,
        id: "GstSystemClock",
    };

    #[test]
    fn they_come_back() {
        come_back(Record::Clock(CLOCK));
        come_back(Record::Clock(Clock {
            unix_offset: None,
            is_paced: false,
            is_unix_synchronised: true,
            id: "",
            ..CLOCK
        }));
        let segment = Segment {
            rate: -2.0,
            applied_rate: 0.5,
            stream_time: None,
        };
        come_back(Record::Segment(segment));
        come_back(Record::Segment(Segment {
            stream_time: Some(-1),
            ..segment
        }));
        let gap = Gap {
            time: -5,
            duration: None,
        };
        come_back(Record::Gap(gap));
        come_back(Record::Gap(Gap {
            duration: Some(0),
            ..gap
        }));
        come_back(Record::Probe(Probe::Request { asked: -1 }));
        come_back(Record::Probe(Probe::Answer {
            asked: 1,
            received: 2,
            answered: 3,
        }));
    }

    #[test]
    fn reserved_bits_and_what_is_behind_are_ignored() {
        let mut bytes = Vec::new();
        Record::Clock(CLOCK).encode(&mut bytes).unwrap();
        let mut payload = bytes.split_off(8);
        payload[32] = 0xff;
        payload[33] |= 0xfc;
        payload[34..36].fill(0xff);
        payload.extend_from_slice(b"\nmore");
        assert_eq!(
            Record::parse(RecordKind::Clock, &payload),
            Ok(Record::Clock(CLOCK))
        );
        let mut gap = [0; 20];
        gap[7] = 5;
        assert_eq!(
            Record::parse(RecordKind::Gap, &gap),
            Ok(Record::Gap(Gap {
                time: 5,
                duration: Some(0)
            }))
        );
        // Between the lengths of a question and an answer.
        assert_eq!(
            Record::parse(RecordKind::Probe, &[0; 23]),
            Ok(Record::Probe(Probe::Request { asked: 0 }))
        );
    }

    #[test]
    fn a_clock_shows_times() {
        for (at, field) in [(0, "time"), (8, "base time"), (24, "latency")] {
            let mut payload = [0; 36];
            payload[at..at + 8].fill(0xff);
            assert_eq!(
                Record::parse(RecordKind::Clock, &payload),
                Err(RecordError::NoClock { field })
            );
        }
        let clock = Record::Clock(Clock {
            now: u64::MAX,
            ..CLOCK
        });
        assert_eq!(
            clock.encode(&mut Vec::new()),
            Err(RecordError::NoClock { field: "time" })
        );
    }

    #[test]
    fn the_id_of_a_clock_is_a_line() {
        let parse = |id: &[u8]| {
            let payload = [&[0; 36], id].concat();
            Record::parse(RecordKind::Clock, &payload).map(|_| ())
        };
        let kind = RecordKind::Clock;
        assert_eq!(parse(b"ab\xff"), Err(RecordError::NotUtf8 { kind, at: 38 }));
        assert_eq!(parse(b"ab\0"), Err(RecordError::Control { kind, at: 38 }));
        let clock = Record::Clock(Clock {
            id: "a\nb",
            ..CLOCK
        });
        assert_eq!(
            clock.encode(&mut Vec::new()),
            Err(RecordError::NoForm { kind })
        );
    }

    #[test]
    fn rates_are_numbers_and_not_0() {
        for bad in [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for (rate, applied_rate, field) in [(bad, 1.0, "rate"), (1.0, bad, "applied rate")] {
                let segment = Segment {
                    rate,
                    applied_rate,
                    stream_time: None,
                };
                assert_eq!(
                    Record::Segment(segment).encode(&mut Vec::new()),
                    Err(RecordError::Rate { field })
                );
            }
        }
    }

    #[test]
    fn a_gap_begins_at_a_time() {
        let mut payload = [0; 16];
        payload[0] = 0x80;
        assert_eq!(
            Record::parse(RecordKind::Gap, &payload),
            Err(RecordError::NoGapTime)
        );
    }
}
