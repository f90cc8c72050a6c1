// SPDX-License-Identifier: MPL-2.0
//! The stream as the streaming thread sees it: buffers become frames.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{describing::Describing, liveness::Liveness, pieces::Pieces};
use crate::{
    asked::{Asked, AskedFrom},
    fanout::{self, Description, Frame, Lead, Piece},
    frames::{SentBuffer, Unreadable},
    metadata::describe,
    transport::Endpoint,
    wire::{HeaderFormat, LengthError},
};

/// Keyframes cost bandwidth; clients that come one by one share one.
pub const KEYFRAME_INTERVAL: Duration = Duration::from_secs(1);

/// More than the headers of a container.
const MAX_LATEST_HEADERS: usize = 64 * 1024;

/// What the streaming thread knows of the stream.
#[derive(Default)]
pub struct Stream {
    pub endpoint: Option<Arc<Endpoint<SentBuffer>>>,
    pub format: HeaderFormat,
    pub max_frame_size: u64,
    /// Somebody is, or may be, sent frames alone.
    pub has_plain_client: bool,
    /// To whom it is described.
    pub metadata: fanout::Metadata,
    pub segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    pub liveness: Liveness,
    pub headers: Vec<gst::Buffer>,
    /// The bytes of the frames that came last, as long as they are headers by their flags. Caps may say so later.
    pub latest_headers: Vec<u8>,
    /// How frames make up pictures.
    pub pieces: Pieces,
    /// What is said of it to those who understand.
    pub describing: Describing,
    /// The buffer that was sent before it was due.
    pub sent_ahead: Option<gst::Buffer>,
    /// Due for as long as none has come.
    pub keyframe: Asked,
    /// Those from a time on.
    pub later_keyframes: AskedFrom<gst::ClockTime>,
    /// The running time of the newest frame that has one.
    pub newest: Option<Duration>,
    pub keyframes_requested: u32,
    /// Kept for its memory.
    pub frames: VecDeque<Frame<SentBuffer>>,
}

impl Stream {
    /// The frame that a buffer becomes, with its records where they are needed; an error where no frame can carry it.
    pub fn described_frame(
        &mut self,
        buffer: gst::Buffer,
        needs_records: bool,
    ) -> Result<Frame<SentBuffer>, gst::ErrorMessage> {
        let piece = self.pieces.next(buffer.flags(), buffer.pts());
        self.note_header(&buffer);
        let lead = if needs_records {
            self.describing.lead(&buffer, self.segment.as_ref())
        } else {
            None
        };
        let frame = self.frame(buffer, lead)?;
        self.keyframe.is_due &= !frame.keyframe;
        self.newest = frame.time.or(self.newest);
        Ok(Frame { piece, ..frame })
    }

    /// The keyframe to ask for of those from a time on, if it is time to.
    pub fn later_keyframe(&mut self, now: Instant) -> Option<gst::ClockTime> {
        let present = self.newest.and_then(|time| time.try_into().ok());
        self.later_keyframes.next(KEYFRAME_INTERVAL, now, present)
    }

    /// The keyframe that was asked for too early, from which time on, if it is time to ask.
    pub fn due_keyframe(&mut self) -> Option<Option<gst::ClockTime>> {
        // Most often there is none, and the time need not be known.
        if !self.keyframe.is_due && !self.later_keyframes.is_due() {
            return None;
        }
        let now = Instant::now();
        let later = self.later_keyframe(now).map(Some);
        later.or_else(|| {
            let asks = self.keyframe.ask_if_due(KEYFRAME_INTERVAL, now);
            asks.then_some(None)
        })
    }

    /// Whether anybody may be told what the frames are.
    pub fn is_described(&self) -> bool {
        self.metadata != fanout::Metadata::Off
    }

    /// What the stream's headers become.
    pub fn header_frames(&self, headers: &[gst::Buffer]) -> Vec<Frame<SentBuffer>> {
        let frame = |buffer: &gst::Buffer| {
            let lead = self.describing.lead_of_header(buffer.size());
            self.frame(buffer.clone(), lead).ok()
        };
        let frames = headers.iter().filter_map(frame);
        let frames = frames.map(|frame| Frame {
            repeats_header: false,
            ..frame
        });
        frames.collect()
    }

    fn note_header(&mut self, buffer: &gst::BufferRef) {
        let flags = gst::BufferFlags::HEADER | gst::BufferFlags::DELTA_UNIT;
        let len = self.latest_headers.len() + buffer.size();
        if !buffer.flags().contains(flags) || len > MAX_LATEST_HEADERS {
            self.latest_headers.clear();
        } else if let Ok(bytes) = buffer.map_readable() {
            self.latest_headers.extend_from_slice(&bytes);
        }
    }

    /// Whether the frames that came last were these headers, in whatever parts.
    pub fn have_come(&self, headers: &[gst::Buffer]) -> bool {
        let maps = headers.iter().map(|header| header.map_readable().ok());
        let maps = maps.collect::<Option<Vec<_>>>().unwrap_or_default();
        let bytes = maps.iter().flat_map(|map| map.as_slice());
        !maps.is_empty() && bytes.eq(&self.latest_headers)
    }

    /// What an event is that passes, for those who understand records.
    pub fn note(&self, event: &gst::Event) -> Option<Frame<SentBuffer>> {
        let mut record = Vec::new();
        let has_form = match event.view() {
            gst::EventView::Gap(gap) => describe::gap(gap, self.segment.as_ref(), &mut record),
            gst::EventView::CustomDownstream(_) => describe::event(event, &mut record),
            _ => false,
        };
        let nothing = SentBuffer::try_from(gst::Buffer::new())
            .ok()
            .filter(|_| has_form)?;
        Some(Frame::note(record.into(), nothing))
    }

    /// The frame that a buffer becomes.
    fn frame(
        &self,
        buffer: gst::Buffer,
        lead: Option<Lead>,
    ) -> Result<Frame<SentBuffer>, gst::ErrorMessage> {
        let len = buffer.size();
        let too_long = || {
            let max = self.max_frame_size.min(self.format.max_payload_len());
            gst::error_msg!(
                gst::ResourceError::Write,
                ("A buffer of {len} bytes is longer than a frame may be, {max} bytes"),
                [
                    "max-frame-size is {}, a header says {} at most",
                    self.max_frame_size,
                    self.format.max_payload_len()
                ]
            )
        };
        if len as u64 > self.max_frame_size {
            return Err(too_long());
        }
        let encoded = self.format.encode(len as u64);
        let header = encoded.map_err(|error| match error {
            LengthError::TooLong { .. } => too_long(),
            LengthError::TooShort { min, .. } => gst::error_msg!(
                gst::ResourceError::Write,
                ("A buffer of {len} bytes is shorter than a frame can be, {min} bytes"),
                ["the number in its header, to which length-adjustment is added, would be negative"]
            ),
        })?;
        let flags = buffer.flags();
        let time = buffer.dts_or_pts().and_then(|time| {
            let segment = self.segment.as_ref()?;
            segment.to_running_time(time)
        });
        let repeats_header = flags.contains(gst::BufferFlags::HEADER)
            && self
                .headers
                .iter()
                .any(|header| has_same_bytes(header, &buffer));
        let payload = SentBuffer::try_from(buffer).map_err(|unreadable| {
            let reason = match unreadable {
                Unreadable::Foreign => {
                    "its memory cannot be mapped for reading; an element that copies it into system memory is \
                     missing before this one"
                }
                Unreadable::Written => {
                    "its memory is still mapped for writing by whoever filled it"
                }
            };
            gst::error_msg!(
                gst::ResourceError::Read,
                ("A buffer of {len} bytes cannot be sent: {reason}")
            )
        })?;
        Ok(Frame {
            header,
            lead,
            len,
            keyframe: !flags.contains(gst::BufferFlags::DELTA_UNIT),
            repeats_header,
            is_note: false,
            piece: Piece::Whole,
            time: time.map(Into::into),
            payload,
        })
    }
}

/// The buffers that a client needs before the first frame of the stream.
pub fn stream_headers(caps: &gst::Caps) -> Vec<gst::Buffer> {
    let structure = caps.structure(0);
    let headers =
        structure.and_then(|structure| structure.get::<gst::ArrayRef<'_>>("streamheader").ok());
    headers
        .iter()
        .flat_map(|headers| headers.iter())
        .filter_map(|value| value.get().ok())
        .collect()
}

/// What those who understand records are to know from now on.
pub enum News {
    /// Nothing else.
    None,
    /// What the clock shows, for who comes later.
    Clock(Vec<u8>),
    /// All that holds.
    Description(Description),
}

impl From<Option<Description>> for News {
    fn from(description: Option<Description>) -> Self {
        description.map_or(Self::None, Self::Description)
    }
}

/// Out of the element's locks: what has been sent is let go of, and may be memory of the application's.
pub fn tell(endpoint: &Endpoint<SentBuffer>, news: News) {
    match news {
        News::None => (),
        News::Clock(clock) => endpoint.set_clock(clock),
        News::Description(description) => endpoint.describe(description),
    }
}

fn has_same_bytes(a: &gst::Buffer, b: &gst::Buffer) -> bool {
    a.size() == b.size()
        && a.map_readable()
            .is_ok_and(|a| b.map_readable().is_ok_and(|b| a.as_slice() == b.as_slice()))
}
