// SPDX-License-Identifier: MPL-2.0
//! Where pictures come from.

use std::error::Error;
use std::path::Path;

use gst::glib;
use gst::prelude::*;

/// What is live has its own pace; what comes late makes room for what is new.
pub const NEWEST: &str =
    "queue leaky=downstream max-size-buffers=2 max-size-bytes=0 max-size-time=0";

/// What shows a film's picture, in the words of gst-launch.
pub const FILM: &str = "uridecodebin name=film caps=video/x-raw(ANY) expose-all-streams=false";
/// A disk that takes longer may have a film all the same.
const LONGEST_LOOK: gst::ClockTime = gst::ClockTime::from_seconds(5);

/// The camera at a device file such as /dev/video2.
pub fn camera_at(device: &Path) -> Result<gst::Element, Box<dyn Error>> {
    let device = device
        .to_str()
        .ok_or("the name of the camera is not UTF-8")?;
    let camera = gst::ElementFactory::make("v4l2src").property("device", device);
    Ok(camera.build()?)
}

pub fn first_camera() -> Option<gst::Element> {
    let monitor = gst::DeviceMonitor::new();
    monitor.add_filter(Some("Video/Source"), None)?;
    monitor
        .devices()
        .iter()
        .find_map(|camera| camera.create_element(None).ok())
}

/// What follows a camera, in the words of gst-launch. The first formats are what a camera with a choice takes.
pub fn camera_entry(size: &str) -> String {
    format!(
        "capsfilter name=picture caps=\"video/x-raw{size};image/jpeg{size};video/x-raw;image/jpeg\" ! decodebin"
    )
}

/// A film that can be shown: who waits for it hears of it now, not when it is to begin.
pub fn film_uri(file: &Path) -> Result<glib::GString, Box<dyn Error>> {
    let name = file.display();
    let path = file
        .canonicalize()
        .map_err(|error| format!("{name}: {error}"))?;
    let uri = glib::filename_to_uri(path, None)?;
    look_into(&uri).map_err(|error| format!("{name} cannot be shown: {error}"))?;
    Ok(uri)
}

/// Waits for its first picture.
fn look_into(uri: &str) -> Result<(), Box<dyn Error>> {
    let pipeline = gst::parse::launch(&format!("{FILM} ! fakesink"))?
        .downcast::<gst::Pipeline>()
        .expect("several elements make a pipeline");
    let film = pipeline.by_name("film").expect("it is in the description");
    film.set_property("uri", uri);
    let bus = pipeline.bus().expect("a pipeline has a bus");
    // Why it does not start stands on the bus.
    let _ = pipeline.set_state(gst::State::Paused);
    let end = [gst::MessageType::AsyncDone, gst::MessageType::Error];
    let outcome = bus.timed_pop_filtered(LONGEST_LOOK, &end);
    pipeline.set_state(gst::State::Null)?;
    match outcome.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => Err(error.error().message().into()),
        _ => Ok(()),
    }
}
