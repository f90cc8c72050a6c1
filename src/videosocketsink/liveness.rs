// SPDX-License-Identifier: MPL-2.0
//! Whether upstream is live, as a camera is.

/// What upstream has said of it. It is asked before a buffer, since elements know it once they are negotiated.
#[derive(Debug, Default)]
pub struct Liveness {
    is_live: bool,
    has_answered: bool,
    /// Since it was to be asked.
    buffers: u32,
}

impl Liveness {
    /// By the last answer; not, where there was none.
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    /// Another stream begins. The last answer holds until there is another.
    pub fn ask_again(&mut self) {
        self.has_answered = false;
        self.buffers = 0;
    }

    /// A buffer comes. Says whether to ask: without an answer ever more seldom, as there may never be one.
    pub fn is_due(&mut self) -> bool {
        if self.has_answered {
            return false;
        }
        self.buffers = self.buffers.saturating_add(1);
        self.buffers.is_power_of_two()
    }

    /// What upstream has answered, if it has.
    pub fn answer(&mut self, is_live: Option<bool>) {
        self.has_answered = is_live.is_some();
        self.is_live = is_live.unwrap_or(self.is_live);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_until_there_is_an_answer_and_ever_more_seldom() {
        let mut liveness = Liveness::default();
        let asked = (1..=1_000).filter(|_| {
            let is_due = liveness.is_due();
            liveness.answer(None);
            is_due
        });
        assert_eq!(
            asked.collect::<Vec<_>>(),
            [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
        );
        liveness.answer(Some(true));
        assert!(!(0..100).any(|_| liveness.is_due()));
        assert!(liveness.is_live());
    }

    #[test]
    fn with_another_stream_it_is_asked_anew_and_the_last_answer_holds() {
        let mut liveness = Liveness::default();
        liveness.answer(Some(true));
        liveness.ask_again();
        assert!(liveness.is_live() && liveness.is_due());
        liveness.answer(None);
        assert!(liveness.is_live());
        liveness.answer(Some(false));
        assert!(!liveness.is_live());
    }
}
