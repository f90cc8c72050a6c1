// SPDX-License-Identifier: MPL-2.0
//! The smallest receiver: each frame as bytes in the program's hands.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use common::connection::Tls;
use gst::prelude::*;

/// Receive frames; say how large each is, or save each in a file of its own
#[derive(Parser)]
struct Cli {
    /// Where to wait for a sender; without mode=listen, whom to receive from (videosocket://camera.local:4953);
    /// videosockets:// encrypts
    #[arg(default_value = "videosocket://*:4953?mode=listen")]
    uri: String,
    /// Save each frame, unchanged, as a .jpg file in this folder
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    #[command(flatten)]
    tls: Tls,
}

fn main() -> Result<(), Box<dyn Error>> {
    let cli = Cli::parse();
    if let Some(folder) = &cli.save {
        fs::create_dir_all(folder)?;
    }
    gst::init()?;
    // Makes the elements known to this program; needless where the plugin is installed.
    gstvideosocket::plugin_register_static()?;

    let pipeline = gst::Pipeline::new();
    let source = gst::Element::make_from_uri(gst::URIType::Src, &cli.uri, None)?;
    cli.tls.secure(&source)?;
    let frames = gst_app::AppSink::builder().sync(false).build();
    pipeline.add_many([&source, frames.upcast_ref()])?;
    source.link(&frames)?;

    // Why it does not start stands on the bus.
    if pipeline.set_state(gst::State::Playing).is_ok() {
        receive(&frames, &cli)?;
    }
    let error = pipeline
        .bus()
        .and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
    pipeline.set_state(gst::State::Null)?;
    match error.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => Err(error.error().message().into()),
        _ => Ok(()),
    }
}

/// Takes frame after frame until the stream ends, well or badly.
fn receive(frames: &gst_app::AppSink, cli: &Cli) -> Result<(), Box<dyn Error>> {
    let mut number = 0;
    while let Ok(sample) = frames.pull_sample() {
        let frame = sample
            .buffer()
            .ok_or("a sample without a buffer")?
            .map_readable()?;
        number += 1;
        match &cli.save {
            Some(folder) => fs::write(folder.join(format!("frame-{number:06}.jpg")), &frame)?,
            None => println!("frame {number}: {} bytes", frame.len()),
        }
    }
    Ok(())
}
