// SPDX-License-Identifier: MPL-2.0
//! The pipeline: a picture, encoded, to the peer; the peer's picture, decoded, to the eye.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use common::arguments::Size;
use common::connection::set_uri;
use common::pictures::{self, NEWEST};
use gst::glib;
use gst::prelude::*;

use super::cli::{Call, Options, Place, TestPicture};
use super::delay::{self, Samples};
use super::status::{Counters, SoundCounters, Traffic};

/// The application message of a film that ended and is to begin again.
pub const FILM_OVER: &str = "film-over";

const DEFAULT_SIZE: Size = Size {
    width: 640,
    height: 480,
};
const DEFAULT_SNAPSHOTS: &str = "videochat-snapshots";
/// With sound, pictures wait this long to be shown with what is heard. Sound is captured in pieces of a fifth of that.
const LATENCY: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// Room for what waits.
const WAITING: &str =
    "queue leaky=downstream max-size-buffers=100 max-size-bytes=0 max-size-time=0";
const SOUND: &str = "audio/x-raw,format=S16LE,rate=48000,channels=2";
/// The application message of what the peer clicks and types.
pub const POINTED: &str = "pointed";
/// Of a film every frame is wanted, each at its time.
const EACH_IN_TIME: &str = "queue max-size-buffers=2 ! clocksync";

pub struct Chat {
    pipeline: gst::Pipeline,
    sink: gst::Element,
    source: gst::Element,
    film: Option<gst::Element>,
    snapshots: Option<PathBuf>,
    delays: Samples,
    sound: Option<Sound>,
}

/// The second connection.
struct Sound {
    sink: gst::Element,
    source: gst::Element,
    /// How far it is from the picture, as both are shown.
    distances: Samples,
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
        share_connection(call, options, &[&sink, &source])?;
        sink.set_property("lockstep", options.lockstep);
        if options.pointer {
            sink.set_property_from_str("accept-events", "keyframe+navigation");
            tell_what_is_pointed_at(&sink);
        }
        if let Some(folder) = &snapshots {
            save_snapshots(
                folder,
                options.every,
                &element("snapshots"),
                &element("files"),
            )?;
        }
        let delays = delay::ages(&pad(&source, "src"));
        let sound = options.sound.map(|port| {
            let sound = Sound::new(&element);
            share_sound(port, &[&sound.sink, &sound.source], &sink);
            source.set_property("latency", LATENCY.nseconds());
            sound
        });
        let film = picture.install(&pipeline, &element, options)?;
        Ok(Self {
            pipeline,
            sink,
            source,
            film,
            snapshots,
            delays,
            sound,
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
        let sound = self.sound.as_ref().map(|sound| &sound.sink);
        for sink in [&self.sink].into_iter().chain(sound) {
            sink.call_async(|sink| {
                pad(sink, "sink").send_event(gst::event::Eos::new());
            });
        }
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
            sound: self.sound.as_ref().map(Sound::counters),
        }
    }
}

impl Sound {
    fn new(element: &impl Fn(&'static str) -> gst::Element) -> Self {
        let (sink, source) = (element("sound-sink"), element("sound-source"));
        source.set_property("latency", LATENCY.nseconds());
        let shown = |clock| pad(&element(clock), "src");
        let distances = delay::distances(&shown("picture-clock"), &shown("sound-clock"));
        Self {
            sink,
            source,
            distances,
        }
    }

    fn counters(&self) -> SoundCounters {
        SoundCounters {
            received: count(&stats(&self.source), "frames-received"),
            distance: self.distances.quantiles(),
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

    /// Puts the source in front of its entry. A film is returned: it stays locked until it is rolled.
    fn install(
        self,
        pipeline: &gst::Pipeline,
        element: &impl Fn(&'static str) -> gst::Element,
        options: &Options,
    ) -> Result<Option<gst::Element>, Box<dyn Error>> {
        let entry = element("picture");
        match self {
            Self::Camera(camera) => {
                pipeline.add(&camera)?;
                camera.link(&entry)?;
                Ok(None)
            }
            Self::Film(uri) => {
                let sound = options.sound.map(|_| pad(&element("sound"), "sink"));
                let film = film(&uri, pad(&entry, "sink"), sound, options.repeat)?;
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
    let (pointer, metadata) = (pointer(options), metadata(options));
    // async=false: the other sinks wait for the peer's first frame, which may come only after ours.
    let mut text = format!(
        "{entry} ! videoconvert ! videoscale ! video/x-raw,pixel-aspect-ratio=1/1{size} ! {pointer}{pace} \
         ! jpegenc ! videosocketsink name=sink sync=false async=false wait-for-connection=false {metadata} \
         videosocketsrc name=source caps=image/jpeg ! tee name=peer allow-not-linked=true "
    );
    let has_sound = options.sound.is_some();
    if has_display() {
        let queue = if has_sound { WAITING } else { NEWEST };
        text +=
            &format!("peer. ! {queue} ! jpegdec ! videoconvert ! autovideosink sync={has_sound} ");
    }
    if snapshots {
        text += &format!(
            "peer. ! {NEWEST} name=snapshots ! jpegdec ! videoconvert ! pngenc ! multifilesink name=files "
        );
    }
    if has_sound {
        text += &sound(picture);
    }
    text
}

/// The peer's mouse is drawn where that can be.
fn pointer(options: &Options) -> &'static str {
    if options.pointer && gst::ElementFactory::find("navigationtest").is_some() {
        return "videoconvert ! navigationtest ! videoconvert ! ";
    }
    ""
}

fn metadata(options: &Options) -> &'static str {
    if options.plain || options.lockstep {
        return "";
    }
    "metadata=on"
}

/// Ours to the peer, and the peer's to the ear; what is measured passes at the time at which it is shown.
fn sound(picture: &Picture) -> String {
    let entry = match picture {
        Picture::Camera(_) => "autoaudiosrc ! audioconvert",
        Picture::Test(_) => "audiotestsrc is-live=true wave=ticks ! audioconvert",
        Picture::Film(_) => "audioconvert name=sound",
    };
    let pace = match picture {
        Picture::Film(_) => EACH_IN_TIME,
        _ => "queue",
    };
    let ear = if has_display() {
        "autoaudiosink"
    } else {
        "fakesink sync=false async=false"
    };
    format!(
        "{entry} ! audioresample ! {SOUND} ! {pace} \
         ! videosocketsink name=sound-sink sync=false async=false wait-for-connection=false metadata=on \
         videosocketsrc name=sound-source ! queue ! clocksync name=sound-clock ! audioconvert ! audioresample ! {ear} \
         peer. ! {WAITING} ! clocksync name=picture-clock ! fakesink sync=false async=false "
    )
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

/// A source that feeds the entries from its start to its end each time it is started.
fn film(
    uri: &str,
    picture: gst::Pad,
    sound: Option<gst::Pad>,
    repeat: bool,
) -> Result<gst::Element, Box<dyn Error>> {
    let mut caps = gst::Caps::builder("video/x-raw").any_features().build();
    if sound.is_some() {
        caps.merge(gst::Caps::new_empty_simple("audio/x-raw"));
    }
    let film = gst::ElementFactory::make("uridecodebin")
        .property("uri", uri)
        .property("caps", caps)
        .property("expose-all-streams", false)
        .build()?;
    film.set_locked_state(true);
    if repeat {
        // One message is enough.
        report_end(&film, &picture, Some(FILM_OVER));
        sound
            .iter()
            .for_each(|sound| report_end(&film, sound, None));
    }
    film.connect_pad_added(move |film, pad| {
        let is_sound = is_sound(pad);
        let entry = if is_sound {
            sound.as_ref()
        } else {
            Some(&picture)
        };
        if let Some(entry) = entry.filter(|entry| !entry.is_linked()) {
            feed(film, pad, entry);
        }
    });
    Ok(film)
}

fn is_sound(pad: &gst::Pad) -> bool {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let mut structures = caps.iter();
    structures.any(|structure| structure.name().starts_with("audio/"))
}

fn feed(film: &gst::Element, pad: &gst::Pad, entry: &gst::Pad) {
    // The film's time zero is now, not the start of the pipeline.
    let now = film
        .current_running_time()
        .map_or(0, gst::ClockTime::nseconds);
    entry.set_offset(now.try_into().unwrap_or(0));
    if let Err(error) = pad.link(entry) {
        gst::element_error!(
            film,
            gst::CoreError::Pad,
            ["The film is of no use: {error}"]
        );
    }
}

/// Keeps the end of the stream, and sends a message in its place, if any.
fn report_end(film: &gst::Element, entry: &gst::Pad, message: Option<&'static str>) {
    let film = film.downgrade();
    entry.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if !matches!(
            info.event().map(|event| event.type_()),
            Some(gst::EventType::Eos)
        ) {
            return gst::PadProbeReturn::Ok;
        }
        if let (Some(film), Some(name)) = (film.upgrade(), message) {
            let over = gst::Structure::new_empty(name);
            let _ = film.post_message(gst::message::Application::builder(over).src(&film).build());
        }
        gst::PadProbeReturn::Handled
    });
}

/// Makes the sink and the source the two ways of one connection.
fn share_connection(
    call: &Call,
    options: &Options,
    ends: &[&gst::Element],
) -> Result<(), Box<dyn Error>> {
    let (mode, place) = match call {
        Call::Listen { at } => ("listen", at),
        Call::Connect { to } => ("connect", to),
    };
    for end in ends {
        match place {
            Place::Address { host, port } => {
                end.set_property("host", host);
                end.set_property("port", u32::from(*port));
            }
            Place::Uri(uri) => set_uri(end, uri)?,
        }
        end.set_property_from_str("mode", mode);
        end.set_property("connection-id", "videochat");
        options.tls.secure(end)?;
    }
    Ok(())
}

/// A second connection, like the first but for the port.
fn share_sound(port: Option<u16>, ends: &[&gst::Element], picture: &gst::Element) {
    let first: u32 = picture.property("port");
    // Behind the last, and where any will do, any does.
    let next = if first == 0 { 0 } else { (first + 1) % 65536 };
    for end in ends {
        for property in SHARED {
            end.set_property_from_value(property, &picture.property_value(property));
        }
        end.set_property("port", port.map_or(next, u32::from));
        end.set_property("connection-id", "videochat-sound");
    }
}

const SHARED: [&str; 9] = [
    "mode",
    "host",
    "connect-timeout",
    "tls",
    "tls-verify",
    "tls-certificate-file",
    "tls-private-key-file",
    "tls-ca-file",
    "tls-client-ca-file",
];

/// As messages, but for where the mouse just moves.
fn tell_what_is_pointed_at(sink: &gst::Element) {
    let element = sink.downgrade();
    pad(sink, "sink").add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        let words = info.event().and_then(|event| pointed(event));
        if let (Some(sink), Some(words)) = (element.upgrade(), words) {
            let pointed = gst::Structure::builder(POINTED).field("words", words);
            let message = gst::message::Application::builder(pointed.build()).src(&sink);
            let _ = sink.post_message(message.build());
        }
        gst::PadProbeReturn::Ok
    });
}

/// What the peer has done, in words.
fn pointed(event: &gst::EventRef) -> Option<String> {
    let gst::EventView::Navigation(event) = event.view() else {
        return None;
    };
    let what = event.structure()?;
    let place = |name| what.get::<f64>(name).unwrap_or_default();
    match what.get::<&str>("event").ok()? {
        "mouse-button-press" => Some(format!(
            "clicks at {:.0},{:.0}",
            place("pointer_x"),
            place("pointer_y")
        )),
        "key-press" => Some(format!("types {}", what.get::<&str>("key").ok()?)),
        _ => None,
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
