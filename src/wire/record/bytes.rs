// SPDX-License-Identifier: MPL-2.0
//! Numbers and lines in the payload of a record.

use std::str;

use super::{super::text::StructureText, RecordError, RecordKind};

/// What has not been read of a payload.
pub(super) struct Fields<'a> {
    kind: RecordKind,
    payload: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub fn new(kind: RecordKind, payload: &'a [u8]) -> Self {
        Self {
            kind,
            payload,
            rest: payload,
        }
    }

    pub fn len(&self) -> usize {
        self.rest.len()
    }

    pub fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub fn u16(&mut self) -> Result<u16, RecordError> {
        self.take().map(u16::from_be_bytes)
    }

    pub fn i64(&mut self) -> Result<i64, RecordError> {
        self.take().map(i64::from_be_bytes)
    }

    pub fn f64(&mut self) -> Result<f64, RecordError> {
        self.take().map(f64::from_be_bytes)
    }

    /// The smallest number means none.
    pub fn signed(&mut self) -> Result<Option<i64>, RecordError> {
        let number = self.i64()?;
        Ok(Some(number).filter(|&number| number != i64::MIN))
    }

    /// The largest number means none.
    pub fn unsigned(&mut self) -> Result<Option<u64>, RecordError> {
        let number = self.take().map(u64::from_be_bytes)?;
        Ok(Some(number).filter(|&number| number != u64::MAX))
    }

    /// The rest as lines of text.
    pub fn lines(self) -> Result<str::Lines<'a>, RecordError> {
        let (kind, start) = (self.kind, self.payload.len() - self.rest.len());
        let text = str::from_utf8(self.rest).map_err(|error| RecordError::NotUtf8 {
            kind,
            at: start + error.valid_up_to(),
        })?;
        let control = text.find(|char: char| char.is_control() && char != '\n');
        match control {
            Some(at) => Err(RecordError::Control {
                kind,
                at: start + at,
            }),
            None => Ok(text.lines()),
        }
    }

    /// The rest as one line of text.
    pub fn line(self) -> Result<&'a str, RecordError> {
        Ok(self.lines()?.next().unwrap_or(""))
    }

    /// The bytes up to the first space, and the rest behind it.
    pub fn split_word(&self) -> Option<(&'a [u8], Self)> {
        let space = self.rest.iter().position(|&byte| byte == b' ')?;
        let rest = Self {
            rest: &self.rest[space + 1..],
            ..*self
        };
        Some((&self.rest[..space], rest))
    }

    /// The rest as text for GStreamer.
    pub fn structure(self) -> Result<StructureText<'a>, RecordError> {
        let kind = self.kind;
        StructureText::new(self.rest, *kind.lengths().end())
            .map_err(|source| RecordError::Text { kind, source })
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (first, rest) = self.rest.split_first_chunk().ok_or(RecordError::TooShort {
            kind: self.kind,
            len: self.payload.len(),
        })?;
        self.rest = rest;
        Ok(*first)
    }
}

/// Where a record is written to.
pub(super) trait Put {
    fn put(&mut self, bytes: &[u8]);

    fn put_u16(&mut self, number: u16) {
        self.put(&number.to_be_bytes());
    }

    fn put_f64(&mut self, number: f64) {
        self.put(&number.to_be_bytes());
    }

    fn put_signed(&mut self, number: Option<i64>) {
        self.put(&number.unwrap_or(i64::MIN).to_be_bytes());
    }

    fn put_unsigned(&mut self, number: Option<u64>) {
        self.put(&number.unwrap_or(u64::MAX).to_be_bytes());
    }

    fn put_line(&mut self, parts: &[&str]) {
        for part in parts {
            self.put(part.as_bytes());
        }
        self.put(b"\n");
    }

    /// A line of those words that are true, unless none is.
    fn put_words(&mut self, key: &str, words: &[(&str, bool)]) {
        if words.iter().all(|(_, is_true)| !is_true) {
            return;
        }
        self.put(key.as_bytes());
        for (word, _) in words.iter().filter(|(_, is_true)| *is_true) {
            self.put(b" ");
            self.put(word.as_bytes());
        }
        self.put(b"\n");
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
