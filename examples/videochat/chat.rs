//! The pipeline: a picture, encoded, to the peer; the peer's picture, decoded, to the eye.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;

use super::arguments::Size;
use super::cli::{Call, Options, TestPicture};
use super::delay::{self, Delays};
use super::pictures::{self, NEWEST};
use super::status::{Counters, Traffic};

/// The application message of a film that ended and is to begin again.
pub const FILM_OVER: &str = "film-over";

const DEFAULT_SIZE: Size = Size {
    width: 640,
    height: 480,
};
const DEFAULT_SNAPSHOTS: &str = "videochat-snapshots";
/// Of a film every frame is wanted, each at its time.
const EACH_IN_TIME: &str = "queue max-size-buffers=2 ! clocksync";

pub struct Chat {
    pipeline: gst::Pipeline,
    sink: gst::Element,
    source: gst::Element,
    film: Option<gst::Element>,
    snapshots: Option<PathBuf>,
    delays: Delays,
}

impl Chat {
    pub fn new(call: &Call, options: &Options) -> Result<Self, Box<dyn Error>> {
        let picture = Picture::choose(options)?;
        let snapshots = snapshot_folder(options);
        let pipeline = gst::parse::launch(&description(&picture, options, snapshots.is_some()))?
            .downcast::<gst::Pipeline>()
            .expect("several elements make a pipeline");
        // Tells the end of one direction too, not only that of both.
        pipeline.set_property("message-forward", true);

        let element = |name| pipeline.by_name(name).expect("it is in the description");
        let (sink, source) = (element("sink"), element("source"));
        share_connection(call, &[&sink, &source]);
        sink.set_property("lockstep", options.lockstep);
        if let Some(folder) = &snapshots {
            save_snapshots(
                folder,
                options.every,
                &element("snapshots"),
                &element("files"),
            )?;
        }
        if options.time_stamps {
            delay::stamp_frames(&pad(&sink, "sink"));
        }
        let delays = delay::measure_frames(&pad(&source, "src"));
        let film = picture.install(&pipeline, &element("picture"), options)?;
        Ok(Self {
            pipeline,
            sink,
            source,
            film,
            snapshots,
            delays,
        })
    }

    pub fn bus(&self) -> gst::Bus {
        self.pipeline.bus().expect("a pipeline has a bus")
    }

    pub fn start(&self) -> Result<(), gst::StateChangeError> {
        self.pipeline.set_state(gst::State::Playing).map(drop)
    }

    /// Where the snapshots go, if any are made.
    pub fn snapshots(&self) -> Option<&Path> {
        self.snapshots.as_deref()
    }

    /// If a film is sent, begins it now.
    pub fn roll_film(&self) -> Result<(), Box<dyn Error>> {
        let Some(film) = &self.film else {
            return Ok(());
        };
        film.set_state(gst::State::Null)?;
        film.set_locked_state(false);
        film.sync_state_with_parent()?;
        Ok(())
    }

    /// Ends what we send, behind the frames on their way; what the peer sends goes on.
    pub fn end_sending(&self) {
        // The event waits until the frame in work is sent; the caller does not.
        self.sink.call_async(|sink| {
            pad(sink, "sink").send_event(gst::event::Eos::new());
        });
    }

    /// Frees everything at once, whatever the network does.
    pub fn stop(&self) {
        self.pipeline
            .set_state(gst::State::Null)
            .expect("going to NULL never fails");
    }

    pub fn counters(&self) -> Counters {
        let (sent, received) = (stats(&self.sink), stats(&self.source));
        Counters {
            sent: Traffic {
                frames: count(&sent, "frames-sent"),
                bytes: count(&sent, "bytes-sent"),
            },
            received: Traffic {
                frames: count(&received, "frames-received"),
                bytes: count(&received, "bytes-received"),
            },
            dropped: count(&sent, "frames-dropped"),
            delay: self.delays.quantiles(),
        }
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What is sent.
enum Picture {
    Camera(gst::Element),
    Film(glib::GString),
    Test(TestPicture),
}

impl Picture {
    fn choose(options: &Options) -> Result<Self, Box<dyn Error>> {
        if let Some(file) = &options.file {
            return Ok(Self::Film(pictures::film_uri(file)?));
        }
        if let Some(device) = &options.camera {
            return Ok(Self::Camera(pictures::camera_at(device)?));
        }
        if let Some(picture) = options.test_picture {
            return Ok(Self::Test(picture));
        }
        Ok(pictures::first_camera().map_or(Self::Test(TestPicture::default()), Self::Camera))
    }

    /// Puts the source in front of `entry`. A film is returned: it stays locked until it is rolled.
    fn install(
        self,
        pipeline: &gst::Pipeline,
        entry: &gst::Element,
        options: &Options,
    ) -> Result<Option<gst::Element>, Box<dyn Error>> {
        match self {
            Self::Camera(camera) => {
                pipeline.add(&camera)?;
                camera.link(entry)?;
                Ok(None)
            }
            Self::Film(uri) => {
                let film = film(&uri, pad(entry, "sink"), options.repeat)?;
                pipeline.add(&film)?;
                Ok(Some(film))
            }
            Self::Test(_) => {
                entry.set_property("text", &options.name);
                Ok(None)
            }
        }
    }
}

/// The pipeline but for what only the user's own words can say.
fn description(picture: &Picture, options: &Options, snapshots: bool) -> String {
    let size = options.size.unwrap_or(DEFAULT_SIZE).caps();
    let (entry, size, pace) = match picture {
        Picture::Camera(_) => (pictures::camera_entry(&size), size, NEWEST),
        Picture::Test(test) => (test_picture(*test), size, NEWEST),
        Picture::Film(_) => (
            "videoconvert name=picture".into(),
            film_size(options),
            EACH_IN_TIME,
        ),
    };
    // async=false: the other sinks wait for the peer's first frame, which may come only after ours.
    let mut text = format!(
        "{entry} ! videoconvert ! videoscale ! video/x-raw,pixel-aspect-ratio=1/1{size} ! {pace} \
         ! jpegenc ! videosocketsink name=sink sync=false async=false wait-for-connection=false \
         videosocketsrc name=source caps=image/jpeg ! tee name=peer allow-not-linked=true "
    );
    if has_display() {
        text += &format!("peer. ! {NEWEST} ! jpegdec ! videoconvert ! autovideosink sync=false ");
    }
    if snapshots {
        text += &format!(
            "peer. ! {NEWEST} name=snapshots ! jpegdec ! videoconvert ! pngenc ! multifilesink name=files "
        );
    }
    text
}

fn film_size(options: &Options) -> String {
    options.size.map(Size::caps).unwrap_or_default()
}

fn test_picture(picture: TestPicture) -> String {
    let pattern = match picture {
        TestPicture::Bars => "pattern=smpte horizontal-speed=2",
        TestPicture::Ball => "pattern=ball foreground-color=0xffffc040 background-color=0xff204060",
    };
    format!(
        "videotestsrc is-live=true {pattern} \
         ! clockoverlay name=picture font-desc=\"Sans Bold 30\" shaded-background=true \
         ! timeoverlay font-desc=\"Sans 24\" halignment=right valignment=bottom shaded-background=true"
    )
}

/// A source that feeds `entry` from its start to its end each time it is started.
fn film(uri: &str, entry: gst::Pad, repeat: bool) -> Result<gst::Element, Box<dyn Error>> {
    let film = gst::ElementFactory::make("uridecodebin")
        .property("uri", uri)
        .property(
            "caps",
            gst::Caps::builder("video/x-raw").any_features().build(),
        )
        .property("expose-all-streams", false)
        .build()?;
    film.set_locked_state(true);
    if repeat {
        report_end(&film, &entry);
    }
    film.connect_pad_added(move |film, pad| {
        if entry.is_linked() {
            return;
        }
        // The film's time zero is now, not the start of the pipeline.
        let now = film
            .current_running_time()
            .map_or(0, gst::ClockTime::nseconds);
        entry.set_offset(now.try_into().unwrap_or(0));
        if let Err(error) = pad.link(&entry) {
            gst::element_error!(
                film,
                gst::CoreError::Pad,
                ["The film's picture is of no use: {error}"]
            );
        }
    });
    Ok(film)
}

/// Turns the end of the stream into a message.
fn report_end(film: &gst::Element, entry: &gst::Pad) {
    let film = film.downgrade();
    entry.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if !matches!(
            info.event().map(|event| event.type_()),
            Some(gst::EventType::Eos)
        ) {
            return gst::PadProbeReturn::Ok;
        }
        if let Some(film) = film.upgrade() {
            let over = gst::Structure::new_empty(FILM_OVER);
            let _ = film.post_message(gst::message::Application::builder(over).src(&film).build());
        }
        gst::PadProbeReturn::Handled
    });
}

/// Makes the sink and the source the two ways of one connection.
fn share_connection(call: &Call, ends: &[&gst::Element]) {
    let (mode, endpoint) = match call {
        Call::Listen { at } => ("listen", at),
        Call::Connect { to } => ("connect", to),
    };
    for end in ends {
        end.set_property("connection-id", "videochat");
        end.set_property_from_str("mode", mode);
        end.set_property("host", &endpoint.host);
        end.set_property("port", u32::from(endpoint.port));
    }
}

fn has_display() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos")) || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

fn snapshot_folder(options: &Options) -> Option<PathBuf> {
    options
        .snapshots
        .clone()
        .or_else(|| (!has_display()).then(|| DEFAULT_SNAPSHOTS.into()))
}

fn save_snapshots(
    folder: &Path,
    every: Duration,
    queue: &gst::Element,
    files: &gst::Element,
) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let folder = folder
        .to_str()
        .ok_or("the name of the folder for snapshots is not UTF-8")?;
    files.set_property(
        "location",
        format!("{}/peer-%05d.png", folder.replace('%', "%%")),
    );
    thin_out(&pad(queue, "sink"), every);
    Ok(())
}

/// Lets one frame pass, then none until `interval` is over.
fn thin_out(pad: &gst::Pad, interval: Duration) {
    let next = Mutex::new(Instant::now());
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let now = Instant::now();
        let mut next = next.lock().expect("nothing panics while it is locked");
        if now < *next {
            return gst::PadProbeReturn::Handled;
        }
        *next = now + interval;
        gst::PadProbeReturn::Ok
    });
}

fn pad(element: &gst::Element, name: &str) -> gst::Pad {
    element
        .static_pad(name)
        .expect("the element has always had this pad")
}

fn stats(element: &gst::Element) -> gst::Structure {
    element.property("stats")
}

fn count(stats: &gst::Structure, name: &str) -> u64 {
    stats.get(name).unwrap_or_default()
}
