// SPDX-License-Identifier: MPL-2.0
//! Records of text: tags, metas, events, requests.

use std::str::FromStr;

use super::{
    RecordError, RecordKind,
    bytes::{Fields, Put},
};
use crate::wire::StructureText;

/// Title, language and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tags<'a> {
    /// What they are about.
    pub scope: Scope,
    /// The tags as GStreamer writes them, from `taglist` on.
    pub text: StructureText<'a>,
}

/// What tags are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This stream.
    Stream,
    /// All that belongs together.
    Global,
}

impl<'a> Tags<'a> {
    /// Without it GStreamer complains.
    const NAME: &'static str = "taglist";

    pub(super) fn put(&self, out: &mut impl Put) {
        out.put(match self.scope {
            Scope::Stream => b"s ",
            Scope::Global => b"g ",
        });
        out.put(self.text.as_bytes());
    }

    pub(super) fn parse(fields: Fields<'a>) -> Result<Self, RecordError> {
        let (word, text) = fields.split_word().ok_or(RecordError::Scope)?;
        let scope = match word {
            b"s" => Scope::Stream,
            b"g" => Scope::Global,
            _ => return Err(RecordError::Scope),
        };
        match text.structure()? {
            text if text.starts_with(Self::NAME) => Ok(Self { scope, text }),
            _ => Err(RecordError::NoTagList),
        }
    }
}

/// More that belongs to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta<'a> {
    /// What it is: letters, digits, dashes, underscores, and a colon in `custom:NAME`.
    pub name: &'a str,
    /// Its bytes, in a form of its own.
    pub data: &'a [u8],
}

impl<'a> Meta<'a> {
    pub(super) fn put(&self, out: &mut impl Put) {
        out.put(self.name.as_bytes());
        out.put(b"\0");
        out.put(self.data);
    }

    pub(super) fn parse(fields: Fields<'a>) -> Result<Self, RecordError> {
        let payload = fields.rest();
        let end = payload.iter().position(|&byte| byte == 0);
        let (name, data) = payload.split_at(end.ok_or(RecordError::NoMetaName)?);
        let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_:".contains(byte);
        if let Some(at) = name.iter().position(|byte| !is_of_name(byte)) {
            return Err(RecordError::MetaName { at });
        }
        match str::from_utf8(name) {
            Ok(name) if !name.is_empty() => Ok(Self {
                name,
                data: &data[1..],
            }),
            _ => Err(RecordError::NoMetaName),
        }
    }
}

/// An event without a record of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// It holds for all that follows, also for who joins later.
    pub is_sticky: bool,
    /// The event's structure as GStreamer writes it.
    pub text: StructureText<'a>,
}

impl<'a> Event<'a> {
    pub(super) fn put(&self, out: &mut impl Put) {
        out.put(if self.is_sticky {
            b"sticky "
        } else {
            b"downstream "
        });
        out.put(self.text.as_bytes());
    }

    pub(super) fn parse(fields: Fields<'a>) -> Result<Self, RecordError> {
        let (word, text) = fields.split_word().ok_or(RecordError::EventKind)?;
        let is_sticky = match word {
            b"sticky" => true,
            b"downstream" => false,
            _ => return Err(RecordError::EventKind),
        };
        let text = text.structure()?;
        Ok(Self { is_sticky, text })
    }
}

/// What the receiver asks of the sender.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Upstream<'a> {
    /// A frame that can be decoded alone.
    Keyframe {
        /// The stream's headers as well.
        all_headers: bool,
        /// The sender's running time from which on it is wanted, in nanoseconds; at once, if none.
        running_time: Option<u64>,
    },
    /// How well the receiver keeps up.
    Qos(Qos),
    /// A key or the mouse, as the structure of GStreamer's event.
    Navigation(StructureText<'a>),
    /// Something that this side does not know, and passes over.
    Other,
}

/// How well the receiver keeps up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Qos {
    /// Why this is told.
    pub kind: QosKind,
    /// The rate at which it can go on, relative to the one at which frames come.
    pub proportion: f64,
    /// By how many nanoseconds the last frame was late; negative if it was early.
    pub difference: i64,
    /// The running time of that frame.
    pub time: u64,
}

/// Why a message of quality of service is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QosKind {
    /// Frames come too fast.
    Overflow,
    /// Frames come too slowly.
    Underflow,
    /// Fewer frames are wanted.
    Throttle,
}

impl<'a> Upstream<'a> {
    const ALL_HEADERS: &'static str = "all-headers=1";
    const RUNNING_TIME: &'static str = "running-time=";

    pub(super) fn put(&self, out: &mut impl Put) {
        match self {
            Self::Keyframe {
                all_headers,
                running_time,
            } => {
                out.put(b"keyframe");
                if *all_headers {
                    out.put(b" ");
                    out.put(Self::ALL_HEADERS.as_bytes());
                }
                if let Some(time) = running_time {
                    out.put(format!(" {}{time}", Self::RUNNING_TIME).as_bytes());
                }
            }
            Self::Qos(qos) => out.put(qos.to_text().as_bytes()),
            Self::Navigation(text) => {
                out.put(b"navigation ");
                out.put(text.as_bytes());
            }
            Self::Other => (),
        }
    }

    pub(super) fn parse(fields: Fields<'a>) -> Result<Self, RecordError> {
        let empty = Fields::new(RecordKind::Upstream, &[]);
        let (word, rest) = match fields.split_word() {
            Some(split) => split,
            None => (fields.rest(), empty),
        };
        Ok(match word {
            b"" => return Err(RecordError::NoRequest),
            b"keyframe" => Self::keyframe(rest.line()?),
            b"qos" => Self::Qos(Qos::from_text(rest.line()?).ok_or(RecordError::Qos)?),
            b"navigation" => Self::Navigation(rest.structure()?),
            _ => Self::Other,
        })
    }
}

impl Upstream<'_> {
    /// Other words are passed over.
    fn keyframe(line: &str) -> Self {
        let mut words = line.split(' ');
        let time = words
            .clone()
            .find_map(|word| word.strip_prefix(Self::RUNNING_TIME));
        Self::Keyframe {
            all_headers: words.any(|word| word == Self::ALL_HEADERS),
            running_time: number(time).filter(|time| *time != u64::MAX),
        }
    }
}

impl Qos {
    fn to_text(self) -> String {
        let kind = match self.kind {
            QosKind::Overflow => "overflow",
            QosKind::Underflow => "underflow",
            QosKind::Throttle => "throttle",
        };
        let Self {
            proportion,
            difference,
            time,
            ..
        } = self;
        format!("qos {kind} {proportion} {difference} {time}")
    }

    /// GStreamer takes no frame that was to be shown before running time 0.
    fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let qos = Self {
            kind: match words.next()? {
                "overflow" => QosKind::Overflow,
                "underflow" => QosKind::Underflow,
                "throttle" => QosKind::Throttle,
                _ => return None,
            },
            proportion: number(words.next())?,
            difference: number(words.next())?,
            time: number(words.next())?,
        };
        let is_possible = qos.proportion.is_finite()
            && qos.proportion >= 0.0
            && qos.time != u64::MAX
            && qos.difference != i64::MIN
            && qos.time.checked_add_signed(qos.difference).is_some();
        is_possible.then_some(qos)
    }
}

fn number<T: FromStr>(word: Option<&str>) -> Option<T> {
    word?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Record, tests::come_back},
        *,
    };
    use crate::wire::TextError;

    fn text(text: &str) -> StructureText<'_> {
        StructureText::new(text.as_bytes(), 1000).unwrap()
    }

    fn parse(kind: RecordKind, payload: &[u8]) -> Result<Record<'_>, RecordError> {
        Record::parse(kind, payload)
    }

    #[test]
    fn they_come_back() {
        come_back(Record::Caps(text("video/x-raw, width=(int)5")));
        for scope in [Scope::Stream, Scope::Global] {
            let text = text("taglist, title=(string)\"a\\ b\";");
            come_back(Record::Tags(Tags { scope, text }));
        }
        for is_sticky in [true, false] {
            let text = text("a, b=(int)5;");
            come_back(Record::Event(Event { is_sticky, text }));
        }
        for (name, data) in [
            ("timestamp", &[0, 255, 0][..]),
            ("custom:My-Meta_1", b""),
            ("x", b"\0"),
        ] {
            come_back(Record::Meta(Meta { name, data }));
        }
        for all_headers in [true, false] {
            for running_time in [None, Some(0), Some(u64::MAX - 1)] {
                come_back(Record::Upstream(Upstream::Keyframe {
                    all_headers,
                    running_time,
                }));
            }
        }
        for kind in [QosKind::Overflow, QosKind::Underflow, QosKind::Throttle] {
            come_back(Record::Upstream(Upstream::Qos(Qos {
                kind,
                proportion: 0.1 + 0.2,
                difference: -5,
                time: 5,
            })));
        }
        come_back(Record::Upstream(Upstream::Navigation(text("a, b=(int)5;"))));
        come_back(Record::End);
    }

    #[test]
    fn tags_have_a_scope() {
        for payload in [&b"x taglist"[..], b"staglist", b"  taglist", b"S taglist"] {
            assert_eq!(parse(RecordKind::Tags, payload), Err(RecordError::Scope));
        }
    }

    #[test]
    fn tags_are_a_tag_list() {
        assert_eq!(
            parse(RecordKind::Tags, b"s title, a=1"),
            Err(RecordError::NoTagList)
        );
    }

    #[test]
    fn an_event_is_of_a_kind() {
        for payload in [&b"a, b=1"[..], b"downstream", b"upstream a", b" a"] {
            assert_eq!(
                parse(RecordKind::Event, payload),
                Err(RecordError::EventKind)
            );
        }
    }

    #[test]
    fn a_meta_has_a_name() {
        for payload in [&b"name"[..], b"\0data"] {
            assert_eq!(
                parse(RecordKind::Meta, payload),
                Err(RecordError::NoMetaName)
            );
        }
        for payload in [&b"a b\0"[..], b"a\xff\0", b"a\n\0"] {
            assert_eq!(
                parse(RecordKind::Meta, payload),
                Err(RecordError::MetaName { at: 1 })
            );
        }
    }

    #[test]
    fn all_text_for_gstreamer_is_checked() {
        for (kind, before) in [
            (RecordKind::Caps, ""),
            (RecordKind::Tags, "g "),
            (RecordKind::Event, "sticky "),
            (RecordKind::Upstream, "navigation "),
        ] {
            let payload = format!("{before}a, b=[5,1]");
            let source = TextError::Range { at: 5 };
            assert_eq!(
                parse(kind, payload.as_bytes()),
                Err(RecordError::Text { kind, source })
            );
        }
    }

    #[test]
    fn a_request_has_a_name() {
        assert_eq!(
            parse(RecordKind::Upstream, b" keyframe"),
            Err(RecordError::NoRequest)
        );
        for payload in [&b"keyframes"[..], b"seek 5", b"\xff"] {
            assert_eq!(
                parse(RecordKind::Upstream, payload),
                Ok(Record::Upstream(Upstream::Other))
            );
        }
    }

    #[test]
    fn words_behind_a_request_may_be_unknown() {
        for (payload, all_headers, running_time) in [
            ("keyframe", false, None),
            ("keyframe ", false, None),
            ("keyframe all-headers=0", false, None),
            ("keyframe count=7 all-headers=1 soon", true, None),
            ("keyframe all-headers=1\nmore", true, None),
            ("keyframe running-time=7", false, Some(7)),
            ("keyframe running-time=7 all-headers=1", true, Some(7)),
            ("keyframe running-time=", false, None),
            ("keyframe running-time=-7", false, None),
            ("keyframe running-time=18446744073709551615", false, None),
            ("keyframe running-time=18446744073709551616", false, None),
        ] {
            assert_eq!(
                parse(RecordKind::Upstream, payload.as_bytes()),
                Ok(Record::Upstream(Upstream::Keyframe {
                    all_headers,
                    running_time
                })),
                "{payload}"
            );
        }
    }

    #[test]
    fn qos_has_its_four_values() {
        for payload in [
            "qos",
            "qos late 1 0 0",
            "qos overflow 1 0",
            "qos overflow x 0 0",
            "qos overflow NaN 0 0",
            "qos overflow inf 0 0",
            "qos overflow -1 0 0",
            "qos overflow 1 0.5 0",
            "qos overflow 1 0 -1",
            "qos overflow 1 -6 5",
            "qos overflow 1 0 18446744073709551615",
            "qos overflow 1 -9223372036854775808 9223372036854775808",
            "qos overflow 1 9223372036854775807 18446744073709551614",
        ] {
            assert_eq!(
                parse(RecordKind::Upstream, payload.as_bytes()),
                Err(RecordError::Qos),
                "{payload}"
            );
        }
    }

    #[test]
    fn what_is_not_known_is_not_sent() {
        assert_eq!(
            Record::Upstream(Upstream::Other).encode(&mut Vec::new()),
            Err(RecordError::TooShort {
                kind: RecordKind::Upstream,
                len: 0
            })
        );
    }
}
