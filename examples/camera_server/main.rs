// SPDX-License-Identifier: MPL-2.0
//! Serves a camera, a film or a test picture to any number of viewers, and shows how each of them fares.
//!
//! ```text
//! camera_server --camera                     the first camera found, as JPEG
//! camera_server --film film.mp4 --codec h264
//! camera_server --web                        a test picture, also for browsers at http://localhost:8080
//! ```

mod board;
mod cli;
mod server;
mod viewers;
mod web;

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use gst::glib;

use board::Board;
use cli::{Cli, Codec};
use server::Server;
use viewers::Viewer;
use web::{Named, Web};

/// The application message that asks for the end.
const CLOSE: &str = "close";
/// How long viewers may take for the last pictures.
const FAREWELL: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("camera_server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Box<dyn Error>> {
    gst::init()?;
    gstvideosocket::plugin_register_static()?;
    let server = Server::new(cli)?;
    close_on_ctrl_c(server.bus())?;

    if server.open().is_err() {
        return Err(first_fault(&server.bus()).into());
    }
    let web = cli
        .web
        .map(|port| Web::open(cli, port, &server))
        .transpose()?;
    let mut show = Show::new(&server, web, cli);
    let outcome = show.run();
    let totals = server.totals();
    server.stop();
    show.board.sum_up(&totals.to_string());
    outcome
}

fn close_on_ctrl_c(bus: gst::Bus) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        let close = gst::Structure::new_empty(CLOSE);
        let _ = bus.post(gst::message::Application::new(close));
    })
}

/// From the opening of the doors to their closing.
struct Show<'a> {
    server: &'a Server,
    web: Option<Web>,
    cli: &'a Cli,
    board: Board,
    stage: Stage,
    closing: Option<Instant>,
    over: bool,
}

#[derive(PartialEq)]
enum Stage {
    /// A film takes its time until its first picture is there.
    Preparing,
    /// A film waits for its first viewer.
    Ready,
    Playing,
}

impl<'a> Show<'a> {
    fn new(server: &'a Server, web: Option<Web>, cli: &'a Cli) -> Self {
        Self {
            server,
            web,
            cli,
            board: Board::new(),
            stage: Stage::Preparing,
            closing: None,
            over: false,
        }
    }

    fn run(&mut self) -> Result<(), Box<dyn Error>> {
        let bus = self.server.bus();
        self.invite();
        while !self.over {
            let patience = TICK.min(self.board.time_left()).as_nanos() as u64;
            if let Some(message) = bus.timed_pop(gst::ClockTime::from_nseconds(patience)) {
                self.handle(&message)?;
            }
            self.tick()?;
        }
        Ok(())
    }

    /// Says where to find us.
    fn invite(&mut self) {
        let (host, port) = (self.server.host(), self.server.port());
        self.board.say(&format!("Listening at {host} port {port}"));
        let host = reachable(&host);
        let tls = if self.server.is_encrypted() {
            " tls=true"
        } else {
            ""
        };
        let show = match self.cli.codec {
            Codec::Jpeg => " ! jpegdec".into(),
            Codec::H264 => format!(" caps={} ! h264parse ! avdec_h264", server::H264),
        };
        self.board.say(&format!(
            "To watch: gst-launch-1.0 videosocketsrc host={host} port={port}{tls} reconnect=true{show} \
             ! videoconvert ! autovideosink"
        ));
        if let Some(web) = &self.web {
            self.board.say(&format!("In a browser: {}", web.address()));
        }
    }

    fn handle(&mut self, message: &gst::Message) -> Result<(), Box<dyn Error>> {
        use gst::MessageView;

        match message.view() {
            // Whether everybody gets the last pictures no longer matters.
            MessageView::Error(_) if self.closing.is_some() => self.over = true,
            MessageView::Error(error) => return Err(error.error().message().into()),
            MessageView::Warning(warning) => {
                let text = format!("Warning: {}", warning.error().message());
                self.board.say(&text);
            }
            MessageView::Eos(_) => self.over = true,
            MessageView::AsyncDone(_) => self.be_ready()?,
            MessageView::SegmentDone(_) => self.server.rewind()?,
            MessageView::Application(_) => self.close(),
            MessageView::Element(news) => {
                if let Some(news) = news.structure() {
                    self.notice(news);
                }
            }
            _ => (),
        }
        Ok(())
    }

    fn notice(&mut self, news: &gst::StructureRef) {
        let text = |field| news.get::<String>(field).unwrap_or_default();
        let peer = text("peer");
        let peer = self.browser(&peer).map_or(peer, |browser| browser.name);
        match news.name().as_str() {
            "videosocket-connected" => {
                self.board.say(&format!("{peer} has come"));
                self.show_browsers(&self.viewers());
            }
            "videosocket-disconnected" => {
                let frames: u64 = news.get("frames").unwrap_or_default();
                let reason = text("reason");
                self.board
                    .say(&format!("{peer} is gone after {frames} frames ({reason})"));
                self.show_browsers(&self.viewers());
            }
            _ => (),
        }
    }

    fn be_ready(&mut self) -> Result<(), Box<dyn Error>> {
        if self.stage == Stage::Preparing {
            self.stage = Stage::Ready;
            if self.cli.repeat {
                self.server
                    .make_endless()
                    .map_err(|_| "This film can't be shown again and again: it can't be rewound")?;
            }
        }
        Ok(())
    }

    /// Asked once, lets everybody have the last pictures; asked again, just goes.
    fn close(&mut self) {
        self.over = self.closing.is_some() || self.server.viewers().is_empty();
        if self.closing.is_none() {
            self.closing = Some(Instant::now());
            self.server.end();
        }
    }

    fn tick(&mut self) -> Result<(), Box<dyn Error>> {
        if let Some(since) = self.closing {
            self.over |= since.elapsed() > FAREWELL;
        } else if self.board.time_left().is_zero() {
            let viewers = self.viewers();
            self.board.show(&viewers);
            self.show_browsers(&viewers);
        }
        if self.stage == Stage::Ready && !self.server.viewers().is_empty() {
            self.stage = Stage::Playing;
            self.server.play()?;
        }
        Ok(())
    }

    fn viewers(&self) -> Vec<Viewer> {
        let mut viewers = self.server.viewers();
        for viewer in &mut viewers {
            if let Some(browser) = self.browser(viewer.address()) {
                viewer.is_browser(browser.name, browser.delay);
            }
        }
        viewers
    }

    fn browser(&self, address: &str) -> Option<Named> {
        self.web.as_ref()?.browser(address)
    }

    fn show_browsers(&self, viewers: &[Viewer]) {
        if let Some(web) = &self.web {
            web.show(viewers);
        }
    }
}

/// What to call this machine, to reach what listens there.
fn reachable(host: &str) -> String {
    match host {
        "" | "*" | "0.0.0.0" | "::" => glib::host_name().to_string(),
        host => host.into(),
    }
}

fn first_fault(bus: &gst::Bus) -> String {
    let message = bus.pop_filtered(&[gst::MessageType::Error]);
    match message.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => error.error().message().into(),
        _ => "the pipeline does not start".into(),
    }
}
