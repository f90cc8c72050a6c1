//! How long a frame is under way: its time of sending travels in it, as a JPEG comment.
//!
//! Every JPEG decoder passes over comments, so other programs get the same picture. The figures hold where the clocks
//! of both ends agree.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gst::prelude::*;

const NOTE: &[u8] = b"videochat sent ";
/// Enough for some minutes, little enough to sort once a second.
const SAMPLES: usize = 5000;

const START_OF_IMAGE: u8 = 0xd8;
const START_OF_SCAN: u8 = 0xda;
const COMMENT: u8 = 0xfe;
/// JFIF and Exif want their segment to be the first.
const APPLICATION: std::ops::RangeInclusive<u8> = 0xe0..=0xef;

/// The delays of the last frames.
#[derive(Clone, Default)]
pub struct Delays(Arc<Mutex<VecDeque<Duration>>>);

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantiles {
    pub median: Duration,
    pub percent_99: Duration,
}

impl Delays {
    pub fn quantiles(&self) -> Option<Quantiles> {
        let mut sorted: Vec<_> = self.lock().iter().copied().collect();
        sorted.sort_unstable();
        let at = |percent: usize| sorted.get(sorted.len() * percent / 100).copied();
        Some(Quantiles {
            median: at(50)?,
            percent_99: at(99)?,
        })
    }

    fn push(&self, delay: Duration) {
        let mut samples = self.lock();
        samples.truncate(SAMPLES - 1);
        samples.push_front(delay);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Duration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes the time in every frame that passes the pad.
pub fn stamp_frames(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
        if let Some(buffer) = info.buffer_mut()
            && let Some(stamped) = stamped(buffer, now())
        {
            *buffer = stamped;
        }
        gst::PadProbeReturn::Ok
    });
}

/// Measures the delay of every stamped frame that passes the pad.
pub fn measure_frames(pad: &gst::Pad) -> Delays {
    let delays = Delays::default();
    let samples = delays.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(map) = info.buffer().and_then(|buffer| buffer.map_readable().ok())
            && let Some(sent) = time_of_sending(&map)
        {
            samples.push(now().saturating_sub(sent));
        }
        gst::PadProbeReturn::Ok
    });
    delays
}

/// The frame with a comment in front of its tables; the picture's memory is shared, not copied.
fn stamped(frame: &gst::Buffer, now: Duration) -> Option<gst::Buffer> {
    let at = place_for_comment(&frame.map_readable().ok()?)?;
    let mut note = NOTE.to_vec();
    note.extend(now.as_nanos().to_string().bytes());
    let mut stamped = frame.copy_region(gst::BufferCopyFlags::all(), 0..at).ok()?;
    let rest = frame.copy_region(gst::BufferCopyFlags::MEMORY, at..).ok()?;
    let head = stamped.make_mut();
    head.append_memory(gst::Memory::from_slice(segment(COMMENT, &note)));
    for memory in rest.iter_memories_owned() {
        head.append_memory(memory);
    }
    Some(stamped)
}

fn place_for_comment(jpeg: &[u8]) -> Option<usize> {
    let first = Segments::new(jpeg)?;
    let after_start = first.at;
    let after_application = first
        .take_while(|segment| APPLICATION.contains(&segment.marker))
        .last();
    Some(after_application.map_or(after_start, |segment| segment.end))
}

fn time_of_sending(jpeg: &[u8]) -> Option<Duration> {
    let note = Segments::new(jpeg)?
        .filter(|segment| segment.marker == COMMENT)
        .find_map(|segment| segment.content.strip_prefix(NOTE))?;
    std::str::from_utf8(note)
        .ok()?
        .parse()
        .ok()
        .map(Duration::from_nanos)
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker], &length[..], content].concat()
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// The segments of a JPEG between its start and its entropy-coded data.
struct Segments<'a> {
    jpeg: &'a [u8],
    at: usize,
}

struct Segment<'a> {
    marker: u8,
    content: &'a [u8],
    end: usize,
}

impl<'a> Segments<'a> {
    fn new(jpeg: &'a [u8]) -> Option<Self> {
        jpeg.starts_with(&[0xff, START_OF_IMAGE])
            .then_some(Self { jpeg, at: 2 })
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        let (head, rest) = self.jpeg.get(self.at..)?.split_first_chunk()?;
        let &[0xff, marker, high, low] = head else {
            return None;
        };
        if marker == START_OF_SCAN {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([high, low])).checked_sub(2)?;
        let content = rest.get(..length)?;
        self.at += head.len() + length;
        Some(Segment {
            marker,
            content,
            end: self.at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Duration = Duration::from_nanos(1_700_000_000_123_456_789);

    fn jpeg() -> Vec<u8> {
        let scan = segment(START_OF_SCAN, b"\x01\x02");
        [
            &[0xff, START_OF_IMAGE][..],
            &segment(0xe0, b"JFIF\0"),
            &segment(0xdb, b"table"),
            &scan,
            b"data\xff\xd9",
        ]
        .concat()
    }

    #[test]
    fn a_stamp_is_read_back_and_changes_nothing_else() {
        gst::init().unwrap();
        let original = jpeg();
        let frame = stamped(&gst::Buffer::from_slice(original.clone()), SENT).unwrap();
        let bytes = frame.map_readable().unwrap();
        assert_eq!(time_of_sending(&bytes), Some(SENT));
        let added = bytes.len() - original.len();
        let at = place_for_comment(&original).unwrap();
        assert_eq!([&bytes[..at], &bytes[at + added..]].concat(), original);
        assert!(bytes[2..].starts_with(&segment(0xe0, b"JFIF\0")));
    }

    #[test]
    fn what_is_no_jpeg_stays_as_it_is() {
        gst::init().unwrap();
        for bytes in [&b""[..], b"\xff", b"hello", b"\xff\xd9"] {
            assert!(stamped(&gst::Buffer::from_slice(bytes), SENT).is_none());
        }
    }

    #[test]
    fn a_frame_cut_anywhere_has_no_time_or_the_right_one() {
        gst::init().unwrap();
        let frame = stamped(&gst::Buffer::from_slice(jpeg()), SENT).unwrap();
        let bytes = frame.map_readable().unwrap();
        for cut in 0..bytes.len() {
            assert!(
                time_of_sending(&bytes[..cut]).is_none_or(|time| time == SENT),
                "{cut}"
            );
        }
        assert_eq!(time_of_sending(&jpeg()), None);
    }

    #[test]
    fn quantiles_of_the_last_frames() {
        let delays = Delays::default();
        assert_eq!(delays.quantiles(), None);
        for milliseconds in (1..=100).chain([0; SAMPLES - 100]).chain(1..=100) {
            delays.push(Duration::from_millis(milliseconds));
        }
        let Quantiles { median, percent_99 } = delays.quantiles().unwrap();
        assert_eq!(
            (median, percent_99),
            (Duration::ZERO, Duration::from_millis(51))
        );
    }
}
