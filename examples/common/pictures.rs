//! Where pictures come from.

use std::error::Error;
use std::path::Path;

use gst::glib;
use gst::prelude::*;

/// What is live has its own pace; what comes late makes room for what is new.
pub const NEWEST: &str =
    "queue leaky=downstream max-size-buffers=2 max-size-bytes=0 max-size-time=0";

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

pub fn film_uri(file: &Path) -> Result<glib::GString, Box<dyn Error>> {
    let path = file
        .canonicalize()
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(glib::filename_to_uri(path, None)?)
}
