// SPDX-License-Identifier: MPL-2.0
//! Frames that came before a peer that is asked has said what its frames are.

use std::{collections::VecDeque, mem};

/// Where more is kept, it is waited for no longer.
const MAX_BYTES: usize = 64 << 20;

/// What a frame takes that has no bytes.
const LEAST_BYTES: usize = 1 << 10;

/// Keeps frames until it is known whether the peer describes its stream: then they are none of that, as most often, or
/// else all there is. `End` is what comes behind them.
pub struct Premature<Frame, End> {
    frames: VecDeque<Frame>,
    bytes: usize,
    end: Option<End>,
    is_released: bool,
}

/// What is to be handed on before anything else.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<Frame, End> {
    Frame(Frame),
    End(End),
}

impl<Frame, End> Default for Premature<Frame, End> {
    fn default() -> Self {
        Self {
            frames: VecDeque::new(),
            bytes: 0,
            end: None,
            is_released: false,
        }
    }
}

impl<Frame, End> Premature<Frame, End> {
    /// Whether there are frames of which nothing is known.
    pub fn waits(&self) -> bool {
        !self.frames.is_empty() && !self.is_released
    }

    /// Whether what comes now is to follow others.
    pub fn is_to_be_handed_on(&self) -> bool {
        self.is_released
    }

    /// Keeps a frame of so many bytes. Says whether there is room for more.
    pub fn keep(&mut self, frame: Frame, bytes: usize) -> bool {
        self.frames.push_back(frame);
        self.bytes += bytes.max(LEAST_BYTES);
        self.bytes < MAX_BYTES
    }

    /// Keeps what comes behind them.
    pub fn end(&mut self, end: End) {
        self.end = Some(end);
    }

    /// The peer does not describe its stream.
    pub fn release(&mut self) {
        self.is_released = !self.frames.is_empty();
    }

    /// The peer describes its stream. Returns what is none of that, to be dropped out of all locks.
    #[must_use]
    pub fn forget(&mut self) -> Self {
        mem::take(self)
    }

    /// What is to be handed on.
    pub fn next(&mut self) -> Option<Next<Frame, End>> {
        if !self.is_released {
            return None;
        }
        if let Some(frame) = self.frames.pop_front() {
            return Some(Next::Frame(frame));
        }
        mem::take(self).end.map(Next::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeping(letters: &str) -> Premature<char, ()> {
        let mut premature = Premature::default();
        for letter in letters.chars() {
            assert!(premature.keep(letter, 1));
        }
        premature
    }

    fn handed_on(premature: &mut Premature<char, ()>) -> String {
        let next = std::iter::from_fn(|| premature.next());
        let letters = next.map(|next| match next {
            Next::Frame(letter) => letter,
            Next::End(()) => '.',
        });
        letters.collect()
    }

    #[test]
    fn nothing_is_handed_on_before_it_is_known() {
        let mut premature = keeping("ab");
        assert!(premature.waits());
        assert_eq!(handed_on(&mut premature), "");
        let former = premature.forget();
        assert_eq!(former.frames, ['a', 'b']);
        premature.release();
        assert_eq!(handed_on(&mut premature), "");
        assert!(!premature.is_to_be_handed_on());
    }

    #[test]
    fn all_is_handed_on_in_its_order() {
        let mut premature = keeping("ab");
        premature.release();
        assert!(!premature.waits());
        assert!(premature.is_to_be_handed_on());
        premature.keep('c', 1);
        premature.end(());
        assert_eq!(handed_on(&mut premature), "abc.");
        assert!(!premature.is_to_be_handed_on());
    }

    #[test]
    fn no_more_is_kept_than_may_be() {
        let mut premature = Premature::<_, ()>::default();
        assert!(premature.keep('a', MAX_BYTES - 1));
        assert!(!premature.keep('b', 1));
        let mut premature = Premature::<_, ()>::default();
        let kept = (0..MAX_BYTES).take_while(|_| premature.keep('c', 0));
        assert!(kept.count() < MAX_BYTES / 1_000);
    }
}
