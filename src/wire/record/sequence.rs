// SPDX-License-Identifier: MPL-2.0
//! In which order records may come.

use super::{MAX_META_BYTES, MAX_METAS, RecordError, RecordHead, RecordKind, check_len};

/// Where a stream has got to.
#[derive(Clone, Debug, Default)]
pub(in crate::wire) struct Sequence {
    has_greeted: bool,
    is_described: bool,
    place: Place,
    metas: usize,
    meta_bytes: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before anything but a meta.
    #[default]
    Between,
    /// Before a frame that has been announced.
    BeforeFrame,
    /// Behind everything.
    End,
}

impl Sequence {
    /// A record begins. `None` is one to pass over.
    pub fn record(&mut self, head: RecordHead) -> Result<Option<RecordKind>, RecordError> {
        let kind = RecordKind::from_letter(head.letter);
        if !self.has_greeted && kind != Some(RecordKind::Hello) {
            let letter = head.letter.into();
            return Err(RecordError::NoHello { letter });
        }
        let Some(kind) = kind else {
            return Ok(None);
        };
        check_len(kind, head.len)?;
        self.has_greeted = true;
        self.is_described |= matches!(
            kind,
            RecordKind::Clock | RecordKind::StreamStart | RecordKind::Caps | RecordKind::Buffer
        );
        self.place = match (self.place, kind) {
            (Place::BeforeFrame, RecordKind::Meta) => self.meta(head.len)?,
            (Place::BeforeFrame, _) => return Err(RecordError::BeforeFrame { kind }),
            (_, RecordKind::Meta) => return Err(RecordError::MetaAlone),
            (_, RecordKind::Buffer) => Place::BeforeFrame,
            (_, RecordKind::End) => Place::End,
            (place, _) => place,
        };
        Ok(Some(kind))
    }

    /// A frame begins.
    pub fn frame(&mut self) {
        self.place = Place::Between;
        self.metas = 0;
        self.meta_bytes = 0;
    }

    /// Whether it has begun with a hello.
    pub fn has_greeted(&self) -> bool {
        self.has_greeted
    }

    /// It has said what it is, so it says when it is over.
    pub fn is_described(&self) -> bool {
        self.is_described
    }

    /// Nothing may follow.
    pub fn is_over(&self) -> bool {
        self.place == Place::End
    }

    /// A frame must follow.
    pub fn expects_frame(&self) -> bool {
        self.place == Place::BeforeFrame
    }

    fn meta(&mut self, len: usize) -> Result<Place, RecordError> {
        self.metas += 1;
        self.meta_bytes += len;
        match (self.metas, self.meta_bytes) {
            (metas, _) if metas > MAX_METAS => Err(RecordError::TooManyMetas),
            (_, bytes) if bytes > MAX_META_BYTES => Err(RecordError::MetasTooLong),
            _ => Ok(Place::BeforeFrame),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters as records of the least length, `f` as a frame.
    fn take(sequence: &mut Sequence, order: &str) -> Result<(), RecordError> {
        for letter in order.bytes() {
            let kind = RecordKind::from_letter(letter);
            match letter {
                b'f' => sequence.frame(),
                _ => drop(sequence.record(RecordHead {
                    letter,
                    len: kind.map_or(9_999_999, |kind| *kind.lengths().start()),
                })?),
            }
        }
        Ok(())
    }

    fn order(order: &str) -> Result<(), RecordError> {
        take(&mut Sequence::default(), order)
    }

    #[test]
    fn the_order_of_a_stream() {
        for letters in [
            "",
            "ff",
            "HKICSTXBfBMMfGBfKCBfE",
            "ffHfBf",
            "HQBQMQf",
            "HUUPE",
        ] {
            assert_eq!(order(letters), Ok(()), "{letters}");
        }
    }

    #[test]
    fn a_hello_is_first() {
        for letter in ['K', 'B', 'M', 'E', 'U', 'Q'] {
            assert_eq!(
                order(&letter.to_string()),
                Err(RecordError::NoHello { letter })
            );
            assert_eq!(
                order(&format!("f{letter}")),
                Err(RecordError::NoHello { letter })
            );
        }
    }

    #[test]
    fn nothing_but_metas_stands_between_a_buffer_and_its_frame() {
        for kind in RecordKind::ALL {
            let expected = match kind {
                RecordKind::Meta => Ok(()),
                kind => Err(RecordError::BeforeFrame { kind }),
            };
            assert_eq!(order(&format!("HBM{}", kind.letter())), expected);
        }
    }

    #[test]
    fn a_meta_follows_a_buffer() {
        for letters in ["HM", "HBfM", "HKM"] {
            assert_eq!(order(letters), Err(RecordError::MetaAlone), "{letters}");
        }
    }

    #[test]
    fn the_metas_of_a_frame_are_counted() {
        let most = "M".repeat(MAX_METAS);
        assert_eq!(order(&format!("HB{most}fB{most}f")), Ok(()));
        assert_eq!(order(&format!("HB{most}M")), Err(RecordError::TooManyMetas));
        let mut sequence = Sequence::default();
        take(&mut sequence, "HB").unwrap();
        let long = RecordHead {
            letter: b'M',
            len: 64 * 1024,
        };
        for _ in 0..MAX_META_BYTES / long.len {
            assert_eq!(sequence.record(long), Ok(Some(RecordKind::Meta)));
        }
        assert_eq!(take(&mut sequence, "M"), Err(RecordError::MetasTooLong));
    }

    #[test]
    fn lengths_are_checked_before_anything_comes() {
        for kind in RecordKind::ALL {
            let record = |len| {
                let mut sequence = Sequence::default();
                let before = if kind == RecordKind::Meta { "HB" } else { "H" };
                take(&mut sequence, before).unwrap();
                let letter = kind as u8;
                sequence.record(RecordHead { letter, len })
            };
            let (least, most) = kind.lengths().into_inner();
            assert_eq!(record(least), Ok(Some(kind)));
            assert_eq!(record(most), Ok(Some(kind)));
            let len = most + 1;
            assert_eq!(record(len), Err(RecordError::TooLong { kind, len }));
            if let Some(len) = least.checked_sub(1) {
                assert_eq!(record(len), Err(RecordError::TooShort { kind, len }));
            }
        }
    }

    #[test]
    fn it_knows_what_must_follow() {
        let mut sequence = Sequence::default();
        for (letters, expects_frame, is_over) in [
            ("", false, false),
            ("HB", true, false),
            ("M", true, false),
            ("f", false, false),
            ("E", false, true),
        ] {
            take(&mut sequence, letters).unwrap();
            assert_eq!(sequence.expects_frame(), expects_frame);
            assert_eq!(sequence.is_over(), is_over);
        }
    }
}
