// SPDX-License-Identifier: MPL-2.0
//! The pipeline: a picture, encoded once, to everybody who is connected.

use std::error::Error;
use std::time::Duration;

use common::arguments::Size;
use common::connection::set_uri;
use common::pictures::{self, FILM, NEWEST};
use gst::glib;
use gst::prelude::*;

use super::cli::{Cli, Codec};
use super::viewers::{Totals, Viewer};

const DEFAULT_SIZE: Size = Size {
    width: 640,
    height: 480,
};
const USUAL_FPS: u16 = 30;
/// Of a film every picture is wanted.
const EACH: &str = "queue max-size-buffers=2";

pub struct Server {
    pipeline: gst::Pipeline,
    sink: gst::Element,
    is_film: bool,
}

impl Server {
    pub fn new(cli: &Cli) -> Result<Self, Box<dyn Error>> {
        let picture = Picture::choose(cli)?;
        let pipeline = gst::parse::launch(&description(&picture, cli))?
            .downcast::<gst::Pipeline>()
            .expect("several elements make a pipeline");
        let sink = element(&pipeline, "sink");
        serve(&sink, cli)?;
        let is_film = matches!(picture, Picture::Film(_));
        // The others go out as they come.
        sink.set_property("sync", is_film);
        picture.install(&pipeline)?;
        Ok(Self {
            pipeline,
            sink,
            is_film,
        })
    }

    pub fn bus(&self) -> gst::Bus {
        self.pipeline.bus().expect("a pipeline has a bus")
    }

    /// Opens the doors. A film does not begin yet.
    pub fn open(&self) -> Result<(), gst::StateChangeError> {
        let state = if self.is_film {
            gst::State::Paused
        } else {
            gst::State::Playing
        };
        self.pipeline.set_state(state).map(drop)
    }

    pub fn play(&self) -> Result<(), gst::StateChangeError> {
        self.pipeline.set_state(gst::State::Playing).map(drop)
    }

    /// From here on the end of the film is a message, after which it can be rewound.
    pub fn make_endless(&self) -> Result<(), glib::BoolError> {
        self.seek_to_start(gst::SeekFlags::FLUSH)
    }

    pub fn rewind(&self) -> Result<(), glib::BoolError> {
        self.seek_to_start(gst::SeekFlags::empty())
    }

    fn seek_to_start(&self, flags: gst::SeekFlags) -> Result<(), glib::BoolError> {
        let flags = flags | gst::SeekFlags::SEGMENT;
        self.pipeline.seek_simple(flags, gst::ClockTime::ZERO)
    }

    /// Ends the stream, behind the pictures on their way.
    pub fn end(&self) {
        // The event waits until the picture in work is through; the caller does not.
        element(&self.pipeline, "entry").call_async(|entry| {
            let pad = entry.static_pad("sink").expect("a converter has one");
            pad.send_event(gst::event::Eos::new());
        });
    }

    /// Frees everything at once, whatever the network does.
    pub fn stop(&self) {
        self.pipeline
            .set_state(gst::State::Null)
            .expect("going to NULL never fails");
    }

    pub fn host(&self) -> String {
        self.sink.property("host")
    }

    pub fn is_encrypted(&self) -> bool {
        self.sink.property("tls")
    }

    pub fn port(&self) -> u16 {
        let port: u32 = self.sink.property("current-port");
        port as u16
    }

    pub fn viewers(&self) -> Vec<Viewer> {
        Viewer::all(&self.stats())
    }

    pub fn totals(&self) -> Totals {
        Totals::new(&self.stats())
    }

    fn stats(&self) -> gst::Structure {
        self.sink.property("stats")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What is served.
enum Picture {
    Camera(gst::Element),
    Film(glib::GString),
    Test,
}

impl Picture {
    fn choose(cli: &Cli) -> Result<Self, Box<dyn Error>> {
        Ok(match (&cli.camera, &cli.film) {
            (Some(Some(device)), _) => Self::Camera(pictures::camera_at(device)?),
            (Some(None), _) => Self::Camera(pictures::first_camera().ok_or("there is no camera")?),
            (None, Some(film)) => Self::Film(pictures::film_uri(film)?),
            (None, None) => Self::Test,
        })
    }

    /// Adds what the description can't say.
    fn install(self, pipeline: &gst::Pipeline) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Camera(camera) => {
                pipeline.add(&camera)?;
                camera.link(&element(pipeline, "picture"))?;
            }
            Self::Film(uri) => element(pipeline, "film").set_property("uri", uri),
            Self::Test => (),
        }
        Ok(())
    }
}

/// The pipeline in the words of gst-launch.
fn description(picture: &Picture, cli: &Cli) -> String {
    let own_size = matches!(picture, Picture::Film(_)) && cli.size.is_none();
    let mut shape = if own_size {
        String::new()
    } else {
        cli.size.unwrap_or(DEFAULT_SIZE).caps()
    };
    let mut rate = "";
    if let Some(fps) = cli.fps {
        shape += &format!(",framerate={fps}/1");
        rate = "videorate ! ";
    }
    let (source, pace) = match picture {
        Picture::Camera(_) => (pictures::camera_entry(&shape), NEWEST),
        Picture::Film(_) => (FILM.into(), EACH),
        Picture::Test => (test_picture(&shape), NEWEST),
    };
    // With more colour than these two formats have, H.264 becomes a kind that many players do not know.
    format!(
        "{source} ! videoconvert name=entry ! videoscale ! {rate}\
         video/x-raw,format={{I420,NV12}},pixel-aspect-ratio=1/1{shape} ! {pace} ! {} ! videosocketsink name=sink",
        encoder(cli)
    )
}

fn test_picture(shape: &str) -> String {
    format!(
        "videotestsrc is-live=true pattern=smpte horizontal-speed=2 ! video/x-raw{shape} \
         ! clockoverlay font-desc=\"Sans Bold 30\" shaded-background=true \
         ! timeoverlay font-desc=\"Sans 24\" halignment=right valignment=bottom shaded-background=true"
    )
}

fn encoder(cli: &Cli) -> String {
    let fps = cli.fps.unwrap_or(USUAL_FPS);
    let distance = (cli.keyframes.as_secs_f64() * f64::from(fps)).ceil() as i32;
    let usual = match cli.codec {
        Codec::Jpeg => "jpegenc".into(),
        Codec::H264 => {
            format!("x264enc tune=zerolatency speed-preset=veryfast key-int-max={distance}")
        }
    };
    let encoder = cli.encoder.as_ref().unwrap_or(&usual);
    match cli.codec {
        Codec::Jpeg => format!("{encoder} ! image/jpeg"),
        Codec::H264 => format!("{encoder} ! h264parse config-interval=-1 ! {H264}"),
    }
}

/// One access unit a frame, which a viewer can decode without anything beside it.
pub const H264: &str = "video/x-h264,stream-format=byte-stream,alignment=au";

fn serve(sink: &gst::Element, cli: &Cli) -> Result<(), Box<dyn Error>> {
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    if let Some(uri) = &cli.uri {
        set_uri(sink, uri)?;
    } else {
        sink.set_property("host", &cli.host);
        sink.set_property("port", u32::from(cli.port));
    }
    sink.set_property_from_str("mode", "listen");
    cli.tls.secure(sink)?;
    if cli.web.is_some() && sink.property("tls") {
        return Err("the page for browsers is not encrypted: --web goes without TLS".into());
    }
    // Nobody holds up the others, nor a film that goes on.
    sink.set_property_from_str("overflow", "drop");
    sink.set_property("wait-for-connection", false);
    sink.set_property("max-clients", cli.max_clients);
    sink.set_property("max-size-time", nanoseconds(cli.max_delay));
    sink.set_property("max-size-bytes", cli.max_queue * 1000);
    sink.set_property("timeout", nanoseconds(cli.timeout));
    Ok(())
}

fn element(pipeline: &gst::Pipeline, name: &str) -> gst::Element {
    pipeline.by_name(name).expect("it is in the description")
}
