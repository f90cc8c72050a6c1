// SPDX-License-Identifier: MPL-2.0
//! The smallest sender: a moving test picture as JPEG frames.

use std::error::Error;

use clap::Parser;
use common::connection::Tls;
use gst::prelude::*;

/// Send a moving test picture as JPEG frames
#[derive(Parser)]
struct Cli {
    /// Whom to send to; with mode=listen, where to wait for receivers (videosocket://*:4953?mode=listen);
    /// videosockets:// encrypts
    #[arg(default_value = "videosocket://localhost:4953")]
    uri: String,
    /// End after this many frames instead of at Ctrl-C
    #[arg(long)]
    frames: Option<i32>,
    #[command(flatten)]
    tls: Tls,
}

fn main() -> Result<(), Box<dyn Error>> {
    let cli = Cli::parse();
    gst::init()?;
    // Makes the elements known to this program; needless where the plugin is installed.
    gstvideosocket::plugin_register_static()?;

    let pipeline = gst::Pipeline::new();
    let picture = gst::ElementFactory::make("videotestsrc")
        .property("is-live", true)
        .property("num-buffers", cli.frames.unwrap_or(-1))
        .build()?;
    let encoder = gst::ElementFactory::make("jpegenc").build()?;
    let sink = gst::Element::make_from_uri(gst::URIType::Sink, &cli.uri, None)?;
    cli.tls.secure(&sink)?;
    pipeline.add_many([&picture, &encoder, &sink])?;
    gst::Element::link_many([&picture, &encoder, &sink])?;

    let playing = pipeline.downgrade();
    ctrlc::set_handler(move || {
        if let Some(pipeline) = playing.upgrade() {
            pipeline.send_event(gst::event::Eos::new());
        }
    })?;

    let outcome = play(&pipeline);
    pipeline.set_state(gst::State::Null)?;
    outcome
}

fn play(pipeline: &gst::Pipeline) -> Result<(), Box<dyn Error>> {
    let bus = pipeline.bus().ok_or("a pipeline without a bus")?;
    // Why it does not start stands on the bus.
    let _ = pipeline.set_state(gst::State::Playing);
    for message in bus.iter_timed(gst::ClockTime::NONE) {
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(error) => return Err(error.error().message().into()),
            _ => (),
        }
    }
    Ok(())
}
