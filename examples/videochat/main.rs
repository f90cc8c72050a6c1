// SPDX-License-Identifier: MPL-2.0
//! A two-way video chat over one TCP connection, with a sink and a source that share it.
//!
//! ```text
//! videochat listen                     on one machine
//! videochat connect its-name           on the other
//! ```

mod chat;
mod cli;
mod delay;
mod status;

use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use gst::prelude::*;

use chat::Chat;
use cli::{Cli, Options};
use status::{Counters, Screen};

/// The application message that asks for the end of the chat.
const HANG_UP: &str = "hang-up";
/// How long a peer that was told goodbye may take to say it too.
const FAREWELL: Duration = Duration::from_secs(2);
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(200);

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("videochat: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Box<dyn Error>> {
    gst::init()?;
    gstvideosocket::plugin_register_static()?;
    let chat = Chat::new(&cli.call, &cli.options)?;
    hang_up_on_ctrl_c(chat.bus())?;

    let mut talk = Talk::new(&chat, &cli.options);
    let outcome = talk.run();
    chat.stop();
    talk.sum_up()?;
    outcome
}

fn hang_up_on_ctrl_c(bus: gst::Bus) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        let _ = bus.post(gst::message::Application::new(gst::Structure::new_empty(
            HANG_UP,
        )));
    })
}

/// One chat, from the call to the goodbye.
struct Talk<'a> {
    chat: &'a Chat,
    options: &'a Options,
    screen: Screen,
    places: Vec<String>,
    /// What has been said of it.
    waits: Option<String>,
    meeting: Option<Meeting>,
    parting: Option<Instant>,
    over: bool,
}

struct Meeting {
    peer: String,
    began: Instant,
    /// What was dropped while nobody was there to receive it.
    dropped_before: u64,
}

impl<'a> Talk<'a> {
    fn new(chat: &'a Chat, options: &'a Options) -> Self {
        Self {
            chat,
            options,
            screen: Screen::new(),
            places: Vec::new(),
            waits: None,
            meeting: None,
            parting: None,
            over: false,
        }
    }

    fn run(&mut self) -> Result<(), Box<dyn Error>> {
        if let Some(folder) = self.chat.snapshots() {
            self.screen.say(&format!(
                "A snapshot of the peer every {:?} in {}",
                self.options.every,
                folder.display()
            ));
        }
        let bus = self.chat.bus();
        if self.chat.start().is_err() {
            return Err(first_fault(&bus).into());
        }
        while !self.over {
            if let Some(message) = bus.timed_pop(TICK) {
                self.handle(&message)?;
            }
            self.tick();
        }
        Ok(())
    }

    fn handle(&mut self, message: &gst::Message) -> Result<(), Box<dyn Error>> {
        use gst::{MessageView, ProgressType};

        match message.view() {
            MessageView::Error(error) if is_closed_window(error) => self.hang_up(),
            // Whether the peer hears the goodbye is its own affair.
            MessageView::Error(_) if self.parting.is_some() => self.over = true,
            MessageView::Error(error) => return Err(error.error().message().into()),
            MessageView::Warning(warning) => {
                self.screen.say(&format!("Warning: {}", warning.error()));
            }
            MessageView::Progress(progress) => {
                // Of an end that came to nothing the error tells.
                if let (ProgressType::Start | ProgressType::Continue, _, text) = progress.get() {
                    self.wait(text);
                }
            }
            MessageView::Eos(_) => self.over = true,
            MessageView::Application(request) => {
                match request.structure().map(|request| request.name().as_str()) {
                    Some(HANG_UP) => self.hang_up(),
                    Some(chat::FILM_OVER) => self.chat.roll_film()?,
                    Some(chat::POINTED) => {
                        let words = request.structure().map(|what| text(what, "words"));
                        self.screen
                            .say(&format!("The peer {}", words.unwrap_or_default()));
                    }
                    _ => (),
                }
            }
            MessageView::Element(news) => {
                if let Some(structure) = news.structure() {
                    self.notice(structure, is_of_sound(message))?;
                }
            }
            _ => (),
        }
        Ok(())
    }

    /// Both elements tell it, again and again.
    fn wait(&mut self, text: &str) {
        if self.waits.as_deref() != Some(text) {
            self.screen.say(text);
            self.waits = Some(text.into());
        }
    }

    /// Takes note of what the elements tell about the connection.
    fn notice(
        &mut self,
        news: &gst::StructureRef,
        is_of_sound: bool,
    ) -> Result<(), Box<dyn Error>> {
        match news.name().as_str() {
            "videosocket-listening" => {
                let place = format!("{} port {}", text(news, "address"), text(news, "port"));
                // Both elements tell it.
                if !self.places.contains(&place) {
                    let what = if is_of_sound { "Sound" } else { "Listening" };
                    self.screen.say(&format!("{what} at {place}"));
                    self.places.push(place);
                }
            }
            "videosocket-connected" if self.meeting.is_none() && !is_of_sound => {
                self.meet(text(news, "peer"))?;
            }
            // One direction has ended: with the peer's goodbye, or with our film.
            "GstBinForwarded"
                if news
                    .get::<gst::Message>("message")
                    .is_ok_and(|it| it.type_() == gst::MessageType::Eos) =>
            {
                self.part();
            }
            _ => (),
        }
        Ok(())
    }

    fn meet(&mut self, peer: String) -> Result<(), Box<dyn Error>> {
        self.screen.say(&format!("Connected to {peer}"));
        self.meeting = Some(Meeting {
            peer,
            began: Instant::now(),
            dropped_before: self.chat.counters().dropped,
        });
        self.screen.restart(self.counters());
        self.chat.roll_film()
    }

    /// Asked once, says goodbye; asked again, or with nobody there to say it to, just goes.
    fn hang_up(&mut self) {
        self.over = self.meeting.is_none() || self.parting.is_some();
        self.part();
    }

    fn part(&mut self) {
        if self.parting.is_none() {
            self.parting = Some(Instant::now());
            self.chat.end_sending();
        }
    }

    fn tick(&mut self) {
        if let Some(parting) = self.parting {
            self.over |= parting.elapsed() > FAREWELL;
        } else if let Some(meeting) = &self.meeting {
            if self.screen.is_due() {
                let counters = self.counters();
                self.screen.update(&meeting.peer, counters);
            }
            let limit = self.options.duration.unwrap_or(Duration::MAX);
            if meeting.began.elapsed() > limit {
                self.part();
            }
        }
    }

    fn sum_up(&self) -> Result<(), Box<dyn Error>> {
        let Some(meeting) = &self.meeting else {
            return Ok(());
        };
        let end = self.parting.unwrap_or_else(Instant::now);
        let (counters, time) = (self.counters(), end.duration_since(meeting.began));
        self.screen.say(&status::summary(&counters, time));
        if let Some(file) = &self.options.report {
            fs::write(file, status::report(&counters, time))
                .map_err(|error| format!("{}: {error}", file.display()))?;
        }
        Ok(())
    }

    fn counters(&self) -> Counters {
        let mut counters = self.chat.counters();
        let before = self
            .meeting
            .as_ref()
            .map_or(0, |meeting| meeting.dropped_before);
        counters.dropped = counters.dropped.saturating_sub(before);
        counters
    }
}

/// Whether one of the elements of the second connection says it.
fn is_of_sound(message: &gst::Message) -> bool {
    let name = message.src().map(|source| source.name());
    name.is_some_and(|name| name.starts_with("sound-"))
}

fn first_fault(bus: &gst::Bus) -> String {
    let message = bus.pop_filtered(&[gst::MessageType::Error]);
    match message.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => error.error().message().into(),
        _ => "the pipeline does not start".into(),
    }
}

/// That is what the sinks that have a window say when the user closes it.
fn is_closed_window(error: &gst::message::Error) -> bool {
    let element = error
        .src()
        .and_then(|source| source.downcast_ref::<gst::Element>());
    let factory = element.and_then(|element| element.factory());
    error.error().matches(gst::ResourceError::NotFound)
        && factory.is_some_and(|factory| factory.klass().contains("Sink/Video"))
}

fn text(news: &gst::StructureRef, field: &str) -> String {
    let value = news.value(field).ok();
    value
        .and_then(|value| value.transform::<String>().ok()?.get().ok())
        .unwrap_or_else(|| "?".into())
}
