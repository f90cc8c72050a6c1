// SPDX-License-Identifier: MPL-2.0
//! How the viewers fare, as the sink's `stats` tell.

use std::fmt;
use std::time::Duration;

pub const HEAD: [&str; 8] = [
    "viewer",
    "connected",
    "frames",
    "dropped",
    "queued kB",
    "queued ms",
    "rtt ms",
    "delay ms",
];

/// One connected viewer.
#[derive(Default)]
pub struct Viewer {
    address: String,
    connected: Duration,
    frames: u64,
    dropped: u64,
    bytes_queued: u64,
    /// The age of the oldest frame that waits.
    age_queued: Duration,
    /// Of a browser not known: what is measured ends within this machine.
    rtt: Option<Duration>,
    /// As the viewer reports it, which pages do: from when the server had a picture for it to the word that it is drawn.
    delay: Option<Duration>,
}

impl Viewer {
    pub fn all(stats: &gst::StructureRef) -> Vec<Self> {
        let clients = stats.get::<gst::ArrayRef<'_>>("clients");
        clients
            .iter()
            .flat_map(|clients| clients.iter())
            .filter_map(|client| client.get().ok())
            .map(|client: gst::Structure| Self::new(&client))
            .collect()
    }

    fn new(client: &gst::StructureRef) -> Self {
        let time = |name| Duration::from_nanos(count(client, name));
        Self {
            address: client.get("address").unwrap_or_default(),
            connected: time("time-connected"),
            frames: count(client, "frames-sent"),
            dropped: count(client, "frames-dropped"),
            bytes_queued: count(client, "bytes-queued"),
            age_queued: time("oldest-queued"),
            rtt: Some(time("rtt")),
            delay: None,
        }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn is_browser(&mut self, name: String, delay: Option<Duration>) {
        self.address = name;
        self.rtt = None;
        self.delay = delay;
    }

    /// What stands in the table, below `HEAD`.
    pub fn cells(&self) -> [String; 8] {
        [
            self.address.clone(),
            clock(self.connected),
            self.frames.to_string(),
            self.dropped.to_string(),
            format!("{:.0}", self.kilobytes_queued()),
            format!("{:.0}", milliseconds(self.age_queued)),
            known(self.rtt),
            known(self.delay),
        ]
    }

    fn kilobytes_queued(&self) -> f64 {
        self.bytes_queued as f64 / 1e3
    }
}

/// The same in a line, where there is no table.
impl fmt::Display for Viewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} connected {}, {} frames, {} dropped, {:.0} kB queued for {:.0} ms, rtt {} ms, delay {} ms",
            self.address,
            clock(self.connected),
            self.frames,
            self.dropped,
            self.kilobytes_queued(),
            milliseconds(self.age_queued),
            known(self.rtt),
            known(self.delay)
        )
    }
}

/// What has gone out so far, to whomever.
pub struct Totals {
    viewers: u64,
    frames: u64,
    bytes: u64,
    dropped: u64,
}

impl Totals {
    pub fn new(stats: &gst::StructureRef) -> Self {
        Self {
            viewers: count(stats, "connections"),
            frames: count(stats, "frames-sent"),
            bytes: count(stats, "bytes-sent"),
            dropped: count(stats, "frames-dropped"),
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Viewers: {}, frames sent: {} ({:.1} MB), dropped: {}",
            self.viewers,
            self.frames,
            self.bytes as f64 / 1e6,
            self.dropped
        )
    }
}

/// In milliseconds.
fn known(time: Option<Duration>) -> String {
    time.map_or("-".into(), |time| format!("{:.1}", milliseconds(time)))
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours}:{minutes:02}:{:02}", seconds % 60)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn count(stats: &gst::StructureRef, name: &str) -> u64 {
    stats.get(name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_is_what_the_stats_say() {
        gst::init().unwrap();
        let client = gst::Structure::builder("application/x-videosocket-client")
            .field("address", "[::1]:50312")
            .field("frames-sent", 360u64)
            .field("frames-dropped", 7u64)
            .field("bytes-queued", 34_600u64)
            .field("time-connected", 3_725_000_000_000u64)
            .field("oldest-queued", 40_000_000u64)
            .field("rtt", 250_000u64)
            .build();
        let stats = gst::Structure::builder("application/x-videosocket-stats")
            .field("clients", gst::Array::new([client]))
            .build();
        let lines: Vec<_> = Viewer::all(&stats).iter().map(Viewer::to_string).collect();
        assert_eq!(
            lines,
            [
                "[::1]:50312 connected 1:02:05, 360 frames, 7 dropped, 35 kB queued for 40 ms, rtt 0.2 ms, delay - ms"
            ]
        );
    }
}
