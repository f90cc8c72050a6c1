// SPDX-License-Identifier: MPL-2.0
//! The stream's headers: which of them a frame needs, and which a peer has.

use std::{io, ops::Range, sync::Arc};

use super::flow::{Frame, Payload};

/// The headers that a frame is pushed under.
pub(super) struct Headers<P> {
    /// One frame each.
    pub frames: Arc<Vec<Frame<P>>>,
    pub in_band: InBand,
}

/// Whether the stream has had some of its headers among its frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum InBand {
    #[default]
    No,
    /// This frame is the first of them.
    Begins,
    Yes,
}

/// The headers that a peer was given last.
pub(super) struct Given<P> {
    frames: Option<Arc<Vec<Frame<P>>>>,
    /// So many of them are with the kernel.
    sent: usize,
    /// Bytes of the next one that are.
    offset: usize,
    /// It gets them as the stream has them.
    are_in_band: bool,
}

/// The same, as it is behind some frame to come.
pub(super) struct Having<'a, P> {
    frames: Option<&'a Arc<Vec<Frame<P>>>>,
    sent: usize,
    are_in_band: bool,
}

impl<P> Headers<P> {
    pub fn none() -> Self {
        Self {
            frames: Arc::default(),
            in_band: InBand::No,
        }
    }

    /// Those of the next frame.
    pub fn next(&mut self, frame: &Frame<P>) -> Self {
        let is_first = frame.repeats_header && self.in_band == InBand::No;
        if is_first {
            self.in_band = InBand::Yes;
        }
        Self {
            frames: self.frames.clone(),
            in_band: if is_first {
                InBand::Begins
            } else {
                self.in_band
            },
        }
    }
}

impl<P: Payload> Headers<P> {
    /// Whether these are no others.
    pub fn have_same_bytes(&self, others: &[Frame<P>]) -> bool {
        self.frames.len() == others.len()
            && self.frames.iter().zip(others).all(|(one, other)| {
                let is_same = |one: Vec<u8>| bytes(other).is_ok_and(|other| one == other);
                one.len == other.len
                    && *one.header == *other.header
                    && bytes(one).is_ok_and(is_same)
            })
    }
}

fn bytes<P: Payload>(frame: &Frame<P>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(frame.len);
    for chunk in frame.payload.chunks() {
        bytes.extend_from_slice(chunk?.as_ref());
    }
    Ok(bytes)
}

impl<P> Given<P> {
    pub fn nothing() -> Self {
        Self {
            frames: None,
            sent: 0,
            offset: 0,
            are_in_band: false,
        }
    }

    /// What it has once the header that is under way has been sent.
    pub fn having(&self) -> Having<'_, P> {
        Having {
            frames: self.frames.as_ref(),
            sent: self.sent + usize::from(self.offset > 0),
            are_in_band: self.are_in_band,
        }
    }

    /// Whether it stays the same behind a frame with those.
    pub fn stays_behind(&self, headers: &Headers<P>, is_described: bool) -> bool {
        let having = self.having();
        let has_all = self.offset == 0 && having.is_of(headers) && having.is_whole();
        has_all || (is_described && headers.in_band == InBand::No)
    }

    /// The header that is under way, and how many bytes of it are.
    pub fn part(&self) -> Option<(&Frame<P>, usize)> {
        let frames = self.frames.as_ref().filter(|_| self.offset > 0)?;
        Some((&frames[self.sent], self.offset))
    }

    /// So many more bytes of that.
    pub fn advance_part(&mut self, bytes: usize) {
        self.offset += bytes;
    }

    /// It has been sent to its end.
    pub fn end_part(&mut self) {
        (self.sent, self.offset) = (self.sent + 1, 0);
    }

    /// Frames are left out, and with them headers that the stream may have had there. Returns what is not kept any more.
    #[must_use]
    pub fn jump(&mut self) -> Option<Arc<Vec<Frame<P>>>> {
        if self.are_in_band {
            self.forget()
        } else {
            None
        }
    }

    /// The next connection has none of them. Returns what is not kept any more.
    #[must_use]
    pub fn forget(&mut self) -> Option<Arc<Vec<Frame<P>>>> {
        std::mem::replace(self, Self::nothing()).frames
    }
}

impl<P> Clone for Having<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Having<'_, P> {}

impl<'a, P> Having<'a, P> {
    /// What a peer was given then, but for the rest of the last header where `offset` bytes of it are sent; none if
    /// that is what it had before.
    pub fn other_than(self, former: &Given<P>, offset: usize) -> Option<Given<P>> {
        let sent = self.sent - usize::from(offset > 0);
        let is_same = match (self.frames, &former.frames) {
            (Some(frames), Some(former)) => Arc::ptr_eq(frames, former),
            (frames, former) => frames.is_none() && former.is_none(),
        };
        let is_former = is_same
            && (sent, offset, self.are_in_band) == (former.sent, former.offset, former.are_in_band);
        (!is_former).then(|| Given {
            frames: self.frames.cloned(),
            sent,
            offset,
            are_in_band: self.are_in_band,
        })
    }

    /// Whether it is all of those that hold, or held.
    pub fn is_whole(self) -> bool {
        self.frames.is_some_and(|frames| self.sent == frames.len())
    }

    /// Whether a frame is not for the peer: a note that it does not understand, or a header that it is given.
    pub fn skips(self, frame: &Frame<P>, headers: &Headers<P>, is_described: bool) -> bool {
        if frame.is_note {
            return !is_described;
        }
        frame.repeats_header && !(is_described && self.gets_in_band(headers))
    }

    /// Goes on to this frame, which is for the peer. Says which of its headers come before it.
    pub fn go_on_to(
        &mut self,
        frame: &Frame<P>,
        headers: &'a Headers<P>,
        is_described: bool,
    ) -> Range<usize> {
        if frame.is_note {
            return 0..0;
        }
        let before = self.go_on(headers, is_described);
        if !frame.repeats_header {
            return before;
        }
        self.are_in_band = true;
        0..0
    }

    /// Goes on to what has these headers. Says which of them come before it: those that the peer has not got.
    pub fn go_on(&mut self, headers: &'a Headers<P>, is_described: bool) -> Range<usize> {
        let len = headers.frames.len();
        if is_described && headers.in_band == InBand::No {
            // Its description says the same.
            return len..len;
        }
        let is_same = self.is_of(headers);
        let sent = if is_same { self.sent } else { 0 };
        *self = Self {
            frames: Some(&headers.frames),
            sent: len,
            are_in_band: is_same && self.are_in_band,
        };
        sent..len
    }

    /// The same with no more than so many of them.
    pub fn at(self, sent: usize) -> Self {
        Self { sent, ..self }
    }

    /// Whether a peer that understands records is sent headers as the stream has them. Who comes later is given them.
    fn gets_in_band(self, headers: &Headers<P>) -> bool {
        if self.is_of(headers) {
            self.are_in_band
        } else {
            headers.in_band == InBand::Begins
        }
    }

    fn is_of(self, headers: &Headers<P>) -> bool {
        self.frames
            .is_some_and(|frames| Arc::ptr_eq(frames, &headers.frames))
    }
}
