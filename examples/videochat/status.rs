// SPDX-License-Identifier: MPL-2.0
//! The figures of a chat, and the line that shows them.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::delay::Quantiles;

const REFRESH: Duration = Duration::from_secs(1);
const LINE_INTERVAL: Duration = Duration::from_secs(5);

const CLEAR_LINE: &str = "\r\x1b[K";
/// A line longer than the terminal is cut instead of wrapped: a wrapped one could not be updated in place.
const WRAP_OFF: &str = "\x1b[?7l";
const WRAP_ON: &str = "\x1b[?7h";

/// What has gone over the connection so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    pub sent: Traffic,
    pub received: Traffic,
    pub dropped: u64,
    /// From when the peer's pictures were made to when they arrived.
    pub delay: Option<Quantiles>,
    pub sound: Option<SoundCounters>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct SoundCounters {
    pub received: u64,
    /// From the picture.
    pub distance: Option<Quantiles>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    pub frames: u64,
    pub bytes: u64,
}

impl Traffic {
    fn rate(self, earlier: Self, time: Duration) -> Rate {
        let per_second = |count: u64| {
            if time.is_zero() {
                0.0
            } else {
                count as f64 / time.as_secs_f64()
            }
        };
        Rate {
            frames: per_second(self.frames.saturating_sub(earlier.frames)),
            kilobytes: per_second(self.bytes.saturating_sub(earlier.bytes)) / 1000.0,
        }
    }
}

/// Frames and kilobytes per second.
struct Rate {
    frames: f64,
    kilobytes: f64,
}

/// Shows how the chat goes: in one line that stays in its place on a terminal, in a line now and then elsewhere.
pub struct Screen {
    in_place: bool,
    shown: Instant,
    last: Counters,
}

impl Screen {
    pub fn new() -> Self {
        Self {
            in_place: io::stdout().is_terminal(),
            shown: Instant::now(),
            last: Counters::default(),
        }
    }

    /// Says something that stays to be read.
    pub fn say(&self, text: &str) {
        let clear = if self.in_place { CLEAR_LINE } else { "" };
        print(&format!("{clear}{text}\n"));
    }

    /// Whether it is time to update the status line.
    pub fn is_due(&self) -> bool {
        self.shown.elapsed()
            >= if self.in_place {
                REFRESH
            } else {
                LINE_INTERVAL
            }
    }

    /// Shows the status line, with the rates since the last one.
    pub fn update(&mut self, peer: &str, counters: Counters) {
        let line = status_line(peer, &counters, &self.last, self.shown.elapsed());
        if self.in_place {
            print(&format!("{CLEAR_LINE}{WRAP_OFF}{line}{WRAP_ON}"));
        } else {
            print(&format!("{line}\n"));
        }
        self.restart(counters);
    }

    /// Counts the rates from here on.
    pub fn restart(&mut self, counters: Counters) {
        self.shown = Instant::now();
        self.last = counters;
    }
}

fn status_line(peer: &str, now: &Counters, earlier: &Counters, time: Duration) -> String {
    let sent = now.sent.rate(earlier.sent, time);
    let received = now.received.rate(earlier.received, time);
    let mut line = format!(
        "{peer} | out {:.1} fps {:.0} kB/s | in {:.1} fps {:.0} kB/s | {} dropped",
        sent.frames, sent.kilobytes, received.frames, received.kilobytes, now.dropped
    );
    if let Some(delay) = now.delay {
        write!(line, " | delay {:.1} ms", milliseconds(delay.median))
            .expect("a String takes everything");
    }
    if let Some(distance) = now.sound.and_then(|sound| sound.distance) {
        let distance = milliseconds(distance.median);
        write!(line, " | sound {distance:.1} ms apart").expect("a String takes everything");
    }
    line
}

/// The whole chat in figures for people.
pub fn summary(counters: &Counters, time: Duration) -> String {
    let way = |name: &str, traffic: Traffic| {
        let rate = traffic.rate(Traffic::default(), time);
        format!(
            "{} frames {name} ({:.1} fps, {:.0} kB/s)",
            traffic.frames, rate.frames, rate.kilobytes
        )
    };
    format!(
        "{:.1} s together: {}, {}, {} dropped",
        time.as_secs_f64(),
        way("sent", counters.sent),
        way("received", counters.received),
        counters.dropped
    )
}

/// The whole chat in figures for programs.
pub fn report(counters: &Counters, time: Duration) -> String {
    let mut text = format!(
        "seconds={:.3}\nframes_dropped={}\n",
        time.as_secs_f64(),
        counters.dropped
    );
    for (name, traffic) in [("sent", counters.sent), ("received", counters.received)] {
        let rate = traffic.rate(Traffic::default(), time);
        text += &format!(
            "frames_{name}={}\nbytes_{name}={}\n",
            traffic.frames, traffic.bytes
        );
        text += &format!(
            "fps_{name}={:.1}\nkilobytes_per_second_{name}={:.0}\n",
            rate.frames, rate.kilobytes
        );
    }
    if let Some(sound) = counters.sound {
        text += &format!("sound_frames_received={}\n", sound.received);
        text += &quantiles("sound_apart", sound.distance);
    }
    text + &quantiles("delay", counters.delay)
}

fn quantiles(name: &str, of: Option<Quantiles>) -> String {
    of.map_or_else(String::new, |of| {
        let (median, percent_99) = (milliseconds(of.median), milliseconds(of.percent_99));
        format!("{name}_median_ms={median:.2}\n{name}_99_percent_ms={percent_99:.2}\n")
    })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A reader of the output that went away is no reason to end the chat.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAFFIC: Traffic = Traffic {
        frames: 60,
        bytes: 1_200_000,
    };

    fn counters() -> Counters {
        let delay = Quantiles {
            median: Duration::from_micros(420),
            percent_99: Duration::from_micros(1300),
        };
        Counters {
            sent: TRAFFIC,
            received: TRAFFIC,
            dropped: 3,
            delay: Some(delay),
            sound: Some(SoundCounters {
                received: 90,
                distance: Some(delay),
            }),
        }
    }

    #[test]
    fn the_status_line_shows_the_rates_since_the_last() {
        let earlier = Counters {
            sent: Traffic {
                frames: 30,
                bytes: 600_000,
            },
            ..Default::default()
        };
        assert_eq!(
            status_line("[::1]:4953", &counters(), &earlier, Duration::from_secs(1)),
            "[::1]:4953 | out 30.0 fps 600 kB/s | in 60.0 fps 1200 kB/s | 3 dropped | delay 0.4 ms | sound 0.4 ms apart"
        );
    }

    #[test]
    fn a_chat_that_never_was_has_figures_too() {
        assert_eq!(
            summary(&Counters::default(), Duration::ZERO),
            "0.0 s together: 0 frames sent (0.0 fps, 0 kB/s), 0 frames received (0.0 fps, 0 kB/s), 0 dropped"
        );
    }

    #[test]
    fn the_report_has_a_figure_a_line() {
        let report = report(&counters(), Duration::from_secs(2));
        for line in [
            "frames_received=60",
            "fps_sent=30.0",
            "frames_dropped=3",
            "delay_median_ms=0.42",
            "sound_frames_received=90",
            "sound_apart_99_percent_ms=1.30",
        ] {
            assert!(
                report.lines().any(|other| other == line),
                "{line} in {report}"
            );
        }
    }
}
