// SPDX-License-Identifier: MPL-2.0
//! A pipeline, and what it says on its bus.

use super::{Background, PATIENCE, init};
use gst::prelude::*;
use parking_lot::{Condvar, Mutex};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

/// Keeps every message until a test asks for it, and is stopped when the test ends, however it ends.
pub struct Pipeline {
    pipeline: gst::Pipeline,
    messages: Arc<Messages>,
    hangs: Cell<bool>,
}

#[derive(Default)]
struct Messages {
    /// A handler that GStreamer calls is not to panic because a test has.
    unread: Mutex<Vec<gst::Message>>,
    came: Condvar,
}

impl Pipeline {
    #[track_caller]
    pub fn launch(description: &str) -> Self {
        init();
        let parsed = gst::parse::launch(description).expect("a pipeline that parses");
        Self::of(parsed.downcast().expect("a pipeline of several elements"))
    }

    pub fn of(pipeline: gst::Pipeline) -> Self {
        let messages = Arc::new(Messages::default());
        let log = Arc::clone(&messages);
        pipeline
            .bus()
            .expect("a bus")
            .set_sync_handler(move |_, message| {
                log.unread.lock().push(message.clone());
                log.came.notify_all();
                gst::BusSyncReply::Drop
            });
        Self {
            pipeline,
            messages,
            hangs: Cell::new(false),
        }
    }

    #[track_caller]
    pub fn element(&self, name: &str) -> gst::Element {
        self.pipeline
            .by_name(name)
            .expect("an element of this name")
    }

    pub fn elements(&self) -> Vec<gst::Element> {
        self.pipeline.children()
    }

    pub fn use_clock(&self, clock: &impl IsA<gst::Clock>) {
        self.pipeline.use_clock(Some(clock));
    }

    #[track_caller]
    pub fn play(&self) {
        self.change_state(gst::State::Playing);
    }

    #[track_caller]
    pub fn pause(&self) {
        self.change_state(gst::State::Paused);
    }

    /// Waits until it plays again after a flush. GStreamer hands an event to the source with the state
    /// locked, and so may wait for a streaming thread that itself waits for PLAYING.
    #[track_caller]
    pub fn await_playing(&self) {
        let patience = gst::ClockTime::try_from(PATIENCE).expect("a short time");
        let (_, state, _) = self.pipeline.state(patience);
        assert_eq!(state, gst::State::Playing, "{}", self.summary());
    }

    /// Waits until the sinks have what they need to be PAUSED.
    #[track_caller]
    pub fn await_preroll(&self) {
        let patience = gst::ClockTime::try_from(PATIENCE).expect("a short time");
        let (changed, state, _) = self.pipeline.state(patience);
        assert_eq!(
            (changed, state),
            (Ok(gst::StateChangeSuccess::Success), gst::State::Paused),
            "{}",
            self.summary()
        );
    }

    #[track_caller]
    pub fn stop(&self) {
        self.change_state(gst::State::Null);
    }

    #[track_caller]
    fn change_state(&self, state: gst::State) {
        if self.try_state(state).is_err() {
            panic!("no change to {state:?}: {}", self.summary());
        }
    }

    #[track_caller]
    fn try_state(
        &self,
        state: gst::State,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        let pipeline = self.pipeline.clone();
        let changing = Background::run(move || pipeline.set_state(state));
        changing.join().unwrap_or_else(|_| {
            self.hangs.set(true);
            panic!("the change to {state:?} hangs: {}", self.summary());
        })
    }

    /// For when it is open whether the change fails or an error follows it.
    pub fn try_play(&self) {
        let _ = self.try_state(gst::State::Playing);
    }

    /// The change to PAUSED fails right there; why?
    #[track_caller]
    pub fn expect_refusal(&self) -> Fault {
        let refused = self.try_state(gst::State::Paused);
        assert!(
            refused.is_err(),
            "the change to PAUSED went through: {refused:?}"
        );
        self.expect_error()
    }

    /// Ends the stream at its sources.
    pub fn end(&self) {
        self.pipeline.send_event(gst::event::Eos::new());
    }

    pub fn seek_to_start(&self) {
        self.pipeline
            .seek_simple(gst::SeekFlags::FLUSH, gst::ClockTime::ZERO)
            .expect("a seek");
    }

    /// Plays from the start to there, and ends.
    pub fn seek_to_start_until(&self, end: gst::ClockTime) {
        let (set, flags) = (gst::SeekType::Set, gst::SeekFlags::FLUSH);
        self.pipeline
            .seek(1.0, flags, set, gst::ClockTime::ZERO, set, end)
            .expect("a seek");
    }

    /// The pipeline ends by itself and without an error.
    #[track_caller]
    pub fn expect_eos(&self) {
        let error = self.wait("end of stream", |message| match message.view() {
            gst::MessageView::Eos(_) => Some(None),
            _ => Fault::error(message).map(Some),
        });
        assert!(error.is_none(), "end of stream, not {error:?}");
    }

    #[track_caller]
    pub fn expect_error(&self) -> Fault {
        self.wait("error", Fault::error)
    }

    #[track_caller]
    pub fn expect_warning(&self) -> Fault {
        self.wait("warning", |message| match message.view() {
            gst::MessageView::Warning(warning) => {
                Some(Fault::new(message, warning.error(), warning.debug()))
            }
            _ => None,
        })
    }

    /// None that no test has asked for yet.
    #[track_caller]
    pub fn expect_no_warning(&self) {
        let unread = self.messages.unread.lock();
        let mut types = unread.iter().map(|message| message.type_());
        let is_warned = types.any(|kind| kind == gst::MessageType::Warning);
        // The handler of the bus needs it while the test ends.
        drop(unread);
        assert!(!is_warned, "{}", self.summary());
    }

    /// The next element message of this name.
    #[track_caller]
    pub fn expect_message(&self, name: &str) -> gst::Structure {
        self.wait(name, |message| match message.view() {
            gst::MessageView::Element(_) => message
                .structure()
                .filter(|s| s.name() == name)
                .map(|s| s.to_owned()),
            _ => None,
        })
    }

    /// An element has another latency.
    #[track_caller]
    pub fn expect_latency_message(&self) {
        self.wait("latency", |message| match message.view() {
            gst::MessageView::Latency(_) => Some(()),
            _ => None,
        });
    }

    /// How many frames are lost by the next QoS message.
    #[track_caller]
    pub fn expect_drops(&self) -> u64 {
        self.wait("QoS message", |message| match message.view() {
            gst::MessageView::Qos(qos) => u64::try_from(qos.stats().1.value()).ok(),
            _ => None,
        })
    }

    /// The next progress message of this element: its kind and its text.
    #[track_caller]
    pub fn expect_progress(&self, element: &gst::Element) -> (gst::ProgressType, String) {
        self.wait("progress", |message| match message.view() {
            gst::MessageView::Progress(progress) if message.src() == Some(element.upcast_ref()) => {
                let (kind, _, text) = progress.get();
                Some((kind, text.to_string()))
            }
            _ => None,
        })
    }

    /// None that no test has asked for yet.
    #[track_caller]
    pub fn expect_no_progress(&self) {
        let unread = self.messages.unread.lock();
        let mut types = unread.iter().map(|message| message.type_());
        let is_told = types.any(|kind| kind == gst::MessageType::Progress);
        // The handler of the bus needs it while the test ends.
        drop(unread);
        assert!(!is_told, "{}", self.summary());
    }

    /// Errors of this element that no test has asked for yet.
    pub fn unread_errors(&self, element: &gst::Element) -> Vec<Fault> {
        let unread = self.messages.unread.lock();
        let from_it = |message: &&gst::Message| message.src() == Some(element.upcast_ref());
        unread
            .iter()
            .filter(from_it)
            .filter_map(Fault::error)
            .collect()
    }

    #[track_caller]
    fn wait<T>(&self, what: &str, pick: impl Fn(&gst::Message) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut unread = self.messages.unread.lock();
        loop {
            let found = unread
                .iter()
                .enumerate()
                .find_map(|(i, m)| Some((i, pick(m)?)));
            if let Some((index, found)) = found {
                unread.remove(index);
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(unread);
                panic!("no {what}: {}", self.summary());
            }
            self.messages.came.wait_for(&mut unread, left);
        }
    }

    pub fn summary(&self) -> String {
        let unread = self.messages.unread.lock();
        let told = unread
            .iter()
            .filter(|m| m.type_() != gst::MessageType::StateChanged);
        let lines = told.map(|message| match Fault::error(message) {
            Some(fault) => format!("{fault:?}"),
            None => format!("{:?} {:?}", message.type_(), message.structure()),
        });
        format!("the bus has {:#?}", lines.collect::<Vec<_>>())
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        if self.hangs.get() {
            return;
        }
        let pipeline = self.pipeline.clone();
        let _ = Background::run(move || pipeline.set_state(gst::State::Null)).join();
        // The messages hold the elements that hold the bus that holds the messages.
        self.pipeline.bus().expect("a bus").unset_sync_handler();
        self.messages.unread.lock().clear();
    }
}

/// An error or a warning.
#[derive(Debug)]
pub struct Fault {
    error: gst::glib::Error,
    debug: String,
    source: Option<gst::Object>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.error.message(), self.debug)
    }
}

impl Fault {
    fn new(
        message: &gst::Message,
        error: gst::glib::Error,
        debug: Option<gst::glib::GString>,
    ) -> Self {
        let debug = debug.map(String::from).unwrap_or_default();
        Self {
            error,
            debug,
            source: message.src().cloned(),
        }
    }

    fn error(message: &gst::Message) -> Option<Self> {
        match message.view() {
            gst::MessageView::Error(error) => {
                Some(Self::new(message, error.error(), error.debug()))
            }
            _ => None,
        }
    }

    #[track_caller]
    pub fn from(self, element: &gst::Element) -> Self {
        assert_eq!(
            self.source.as_ref(),
            Some(element.upcast_ref()),
            "the origin of {self:?}"
        );
        self
    }

    #[track_caller]
    pub fn is(self, code: impl ErrorDomain + std::fmt::Debug) -> Self {
        assert!(self.error.matches(code), "{code:?}, not {self:?}");
        self
    }

    /// The sentence for a person has each of these in it.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.error.message().contains(word),
                "{word:?} is said by {self:?}"
            );
        }
        self
    }

    /// The sentence or the details have each of these in them.
    #[track_caller]
    pub fn shows(self, words: &[&str]) -> Self {
        let text = self.to_string();
        for word in words {
            assert!(text.contains(word), "{word:?} is shown by {self:?}");
        }
        self
    }

    /// The file and the line in which it was met with.
    #[track_caller]
    pub fn place(&self) -> &str {
        let place = self.debug.split_once("): ").map(|(place, _)| place);
        place.unwrap_or_else(|| panic!("{self:?} tells its place"))
    }

    /// The sentence tells that of `whole` bytes `part` had come.
    #[track_caller]
    pub fn counts(self, part: usize, whole: usize) -> Self {
        let text = self.error.message();
        let words = text.split(|c: char| !c.is_ascii_digit());
        let numbers: Vec<usize> = words.filter_map(|word| word.parse().ok()).collect();
        let found = numbers.windows(2).any(|pair| pair == [part, whole]);
        assert!(found, "{part} of {whole} is said by {self:?}");
        self
    }
}
