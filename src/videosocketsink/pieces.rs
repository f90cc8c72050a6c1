// SPDX-License-Identifier: MPL-2.0
//! Which frames are pieces of one picture, where the caps say that each is a NAL or an OBU.

use gst::BufferFlags;

use crate::{fanout::Piece, metadata::comes_in_pieces};

/// A stream of which frames are pieces, or not.
#[derive(Debug, Default)]
pub struct Pieces {
    are_pieces: bool,
    /// The picture that is not over, with its time if its first piece has one.
    open: Option<Option<gst::ClockTime>>,
    /// The last piece of a picture has a marker.
    has_markers: bool,
}

impl Pieces {
    /// Those of a stream with these caps.
    pub fn of(caps: &gst::CapsRef) -> Self {
        Self {
            are_pieces: comes_in_pieces(caps),
            ..Self::default()
        }
    }

    /// What the next frame is. Parsers say the time of a picture with each piece, or with the first one.
    pub fn next(&mut self, flags: BufferFlags, time: Option<gst::ClockTime>) -> Piece {
        if !self.are_pieces {
            return Piece::Whole;
        }
        // What shows nothing ends no picture, whatever av1parse marks.
        let ends = flags.contains(BufferFlags::MARKER) && !flags.contains(BufferFlags::DECODE_ONLY);
        self.has_markers |= ends;
        let goes_on = self.open.take().filter(|&of| time.is_none() || time == of);
        // By neither marker nor time nobody could tell when it is over.
        let is_told = time.is_some() || self.has_markers;
        match goes_on {
            Some(_) if ends => Piece::Last,
            Some(_) => {
                self.open = goes_on;
                Piece::Middle
            }
            None if ends || !is_told => Piece::Whole,
            None => {
                self.open = Some(time);
                Piece::First
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Piece::{First, Last, Middle, Whole};

    fn caps(alignment: &str) -> gst::Caps {
        gst::init().unwrap();
        let caps = gst::Caps::builder("video/x-h264");
        caps.field("alignment", alignment).build()
    }

    /// A digit is the time of a piece, `.` one without, `|` stands behind one that has a marker, and `!` behind one that has
    /// it although it shows nothing.
    fn pieces(alignment: &str, stream: &str) -> Vec<Piece> {
        let mut pieces = Pieces::of(&caps(alignment));
        let mut letters = stream.chars().peekable();
        let mut found = Vec::new();
        while let Some(letter) = letters.next() {
            let flags = match letters.next_if(|mark| "|!".contains(*mark)) {
                Some('|') => BufferFlags::MARKER,
                Some(_) => BufferFlags::MARKER | BufferFlags::DECODE_ONLY,
                None => BufferFlags::empty(),
            };
            let time = letter
                .to_digit(10)
                .map(|time| u64::from(time) * gst::ClockTime::SECOND);
            found.push(pieces.next(flags, time));
        }
        found
    }

    #[test]
    fn pictures_end_with_a_marker_or_before_another_time() {
        let three = [First, Middle, Last, First, Last, Whole];
        assert_eq!(pieces("nal", "1..|2.|3|"), three);
        assert_eq!(pieces("obu", "111|22|3|"), three);
        assert_eq!(pieces("obu", "1!1!1|2!2|3|"), three);
        let open = [First, Middle, Middle, First, Middle, First];
        assert_eq!(pieces("nal", "1..2.3"), open);
        assert_eq!(pieces("nal", "111223"), open);
        // Parameter sets without a time, once it is known how pictures end.
        assert_eq!(pieces("nal", "1.|..|"), [First, Last, First, Last]);
    }

    #[test]
    fn where_nobody_says_when_pictures_end_each_frame_is_one() {
        assert_eq!(pieces("nal", "..."), [Whole; 3]);
        assert_eq!(pieces("au", "1..2|"), [Whole; 4]);
        assert_eq!(
            Pieces::of(&gst::Caps::new_any()).next(BufferFlags::MARKER, None),
            Whole
        );
    }
}
