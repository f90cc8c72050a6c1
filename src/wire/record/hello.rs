// SPDX-License-Identifier: MPL-2.0
//! Records of lines: who is there, and which stream begins.

use super::{
    RecordError, RecordKind,
    bytes::{Fields, Put},
};

/// The version of the records. What an old program can pass over does not change it.
pub const VERSION: u32 = 1;

/// Who is there, and what it understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hello<'a> {
    /// The name of the program.
    pub agent: Option<&'a str>,
    /// Letters without which the stream makes no sense. All of them are known.
    pub needs: &'a str,
    /// What the sender of frames takes from their receiver.
    pub back: Back,
}

/// Which requests a sender of frames takes from their receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Back {
    /// Requests of a keyframe.
    pub keyframe: bool,
    /// Quality of service.
    pub qos: bool,
    /// Navigation.
    pub navigation: bool,
}

impl Back {
    fn words(self) -> [(&'static str, bool); 3] {
        [
            ("keyframe", self.keyframe),
            ("qos", self.qos),
            ("navigation", self.navigation),
        ]
    }

    /// Words that are not known are passed over.
    fn parse(text: &str) -> Self {
        Self {
            keyframe: has_word(text, "keyframe"),
            qos: has_word(text, "qos"),
            navigation: has_word(text, "navigation"),
        }
    }
}

impl<'a> Hello<'a> {
    pub(super) fn put(&self, out: &mut impl Put) {
        out.put_line(&["videosocket ", &VERSION.to_string()]);
        if let Some(agent) = self.agent {
            out.put_line(&["agent ", agent]);
        }
        if !self.needs.is_empty() {
            out.put_line(&["needs ", self.needs]);
        }
        out.put_words("back", &self.back.words());
    }

    pub(super) fn parse(fields: Fields<'a>) -> Result<Self, RecordError> {
        let mut lines = fields.lines()?;
        let version = lines
            .next()
            .and_then(|line| line.strip_prefix("videosocket "));
        check_version(version.ok_or(RecordError::NoVersion)?)?;
        let mut hello = Self::default();
        for (key, value) in lines.filter_map(|line| line.split_once(' ')) {
            match key {
                "agent" => hello.agent = Some(value),
                "needs" => hello.needs = known_letters(value)?,
                "back" => hello.back = Back::parse(value),
                _ => (),
            }
        }
        Ok(hello)
    }
}

/// Behind a dot a version may say what it likes.
fn check_version(text: &str) -> Result<(), RecordError> {
    let major = text.split('.').next().unwrap_or(text);
    let is_number = major.bytes().all(|byte| byte.is_ascii_digit());
    match major.parse() {
        Ok(VERSION) if is_number => Ok(()),
        Ok(version) if is_number && version > VERSION => Err(RecordError::Version { version }),
        _ => Err(RecordError::NoVersion),
    }
}

fn known_letters(letters: &str) -> Result<&str, RecordError> {
    let is_unknown = |letter: &char| {
        u8::try_from(*letter)
            .ok()
            .and_then(RecordKind::from_letter)
            .is_none()
    };
    match letters.chars().find(is_unknown) {
        Some(letter) => Err(RecordError::Needs { letter }),
        None => Ok(letters),
    }
}

/// A stream begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStart<'a> {
    /// What it is called.
    pub id: &'a str,
    /// What kind of stream it is.
    pub flags: StreamFlags,
    /// Streams of the same number belong together.
    pub group: Option<u32>,
}

/// What kind of stream it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamFlags {
    /// There are gaps between its frames.
    pub sparse: bool,
    /// It is to be chosen from several.
    pub select: bool,
    /// It is not to be chosen.
    pub unselect: bool,
}

impl<'a> StreamStart<'a> {
    pub(super) fn put(&self, out: &mut impl Put) {
        out.put_line(&[self.id]);
        out.put_words("flags", &self.flags.words());
        if let Some(group) = self.group {
            out.put_line(&["group ", &group.to_string()]);
        }
    }

    pub(super) fn parse(fields: Fields<'a>) -> Result<Self, RecordError> {
        let mut lines = fields.lines()?;
        let id = lines.next().filter(|id| !id.is_empty());
        let mut start = Self {
            id: id.ok_or(RecordError::NoStreamId)?,
            ..Self::default()
        };
        for (key, value) in lines.filter_map(|line| line.split_once(' ')) {
            match key {
                "flags" => start.flags = StreamFlags::parse(value),
                "group" => start.group = Some(value.parse().map_err(|_| RecordError::Group)?),
                _ => (),
            }
        }
        Ok(start)
    }
}

impl StreamFlags {
    fn words(self) -> [(&'static str, bool); 3] {
        [
            ("sparse", self.sparse),
            ("select", self.select),
            ("unselect", self.unselect),
        ]
    }

    /// Words that are not known are passed over.
    fn parse(text: &str) -> Self {
        Self {
            sparse: has_word(text, "sparse"),
            select: has_word(text, "select"),
            unselect: has_word(text, "unselect"),
        }
    }
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(' ').any(|other| other == word)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Record, tests::come_back},
        *,
    };

    fn hello(text: &str) -> Result<Record<'_>, RecordError> {
        Record::parse(RecordKind::Hello, text.as_bytes())
    }

    fn stream_start(text: &[u8]) -> Result<Record<'_>, RecordError> {
        Record::parse(RecordKind::StreamStart, text)
    }

    #[test]
    fn they_come_back() {
        come_back(Record::Hello(Hello::default()));
        come_back(Record::Hello(Hello {
            agent: Some("gst-plugin-videosocket 0.1.0"),
            needs: "BC",
            back: Back {
                keyframe: true,
                qos: false,
                navigation: true,
            },
        }));
        let start = StreamStart {
            id: "a stream/1",
            ..StreamStart::default()
        };
        come_back(Record::StreamStart(start));
        come_back(Record::StreamStart(StreamStart {
            flags: StreamFlags {
                sparse: true,
                select: true,
                unselect: false,
            },
            group: Some(u32::MAX),
            ..start
        }));
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        assert_eq!(
            hello("videosocket 1.7 beta\ncolour green\nnonsense\nback smell keyframe\n"),
            Ok(Record::Hello(Hello {
                back: Back {
                    keyframe: true,
                    ..Back::default()
                },
                ..Hello::default()
            }))
        );
        assert_eq!(
            stream_start(b"id\nflags round\nmood 7"),
            Ok(Record::StreamStart(StreamStart {
                id: "id",
                ..StreamStart::default()
            }))
        );
    }

    #[test]
    fn a_hello_begins_with_a_version() {
        for text in [
            "videosocket x",
            "videosocket  1",
            "videosocket +1",
            "videosocket 0",
            "videosocket 4294967296",
            "videosocket\n1\n",
            "agent me\nvideosocket 1",
            "GET / HTTP/1.1",
        ] {
            assert_eq!(hello(text), Err(RecordError::NoVersion), "{text}");
        }
    }

    #[test]
    fn a_higher_version_is_refused_by_its_name() {
        let error = hello("videosocket 12\n").unwrap_err();
        assert_eq!(error, RecordError::Version { version: 12 });
        assert_eq!(
            error.to_string(),
            "the peer speaks version 12 of the records; this side understands 1"
        );
    }

    #[test]
    fn needs_that_are_not_known_are_refused_by_their_letter() {
        for (needs, letter) in [("Q", 'Q'), ("BCZ", 'Z'), ("B C", ' '), ("Bé", 'é')] {
            let text = format!("videosocket 1\nneeds {needs}\n");
            assert_eq!(hello(&text), Err(RecordError::Needs { letter }));
        }
    }

    #[test]
    fn an_agent_is_one_line() {
        let encode = |agent| {
            let hello = Hello {
                agent: Some(agent),
                ..Hello::default()
            };
            Record::Hello(hello).encode(&mut Vec::new())
        };
        let kind = RecordKind::Hello;
        assert_eq!(encode("a\nb"), Err(RecordError::NoForm { kind }));
        assert_eq!(
            encode("a\x1b[2J"),
            Err(RecordError::Control { kind, at: 21 })
        );
    }

    #[test]
    fn lines_are_utf8() {
        let kind = RecordKind::StreamStart;
        assert_eq!(
            stream_start(b"ab\xffc"),
            Err(RecordError::NotUtf8 { kind, at: 2 })
        );
        assert_eq!(
            stream_start(b"ab\r\n"),
            Err(RecordError::Control { kind, at: 2 })
        );
    }

    #[test]
    fn a_stream_has_an_id() {
        for text in [&b""[..], b"\n", b"\ngroup 1"] {
            assert_eq!(stream_start(text), Err(RecordError::NoStreamId));
        }
    }

    #[test]
    fn a_group_is_a_number() {
        for group in ["x", "-1", "4294967296", ""] {
            let text = format!("id\ngroup {group}");
            assert_eq!(
                stream_start(text.as_bytes()),
                Err(RecordError::Group),
                "{group}"
            );
        }
    }
}
