// SPDX-License-Identifier: MPL-2.0
//! Raw video whose lines lie elsewhere than its caps say, for who reads it by those alone.

use gst::{BufferCopyFlags, prelude::*};
use gst_video::{VideoCropMeta, VideoInfo, VideoMeta};

use crate::{frames::ReceivedBuffers, metadata::restore, transport::FrameMemory};

/// How downstream reads pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Their lines, where the metas say.
    lines: bool,
    /// Of a larger picture, the part that a crop says. Others take it for one as large as the caps say, and write
    /// all of it into one of those.
    parts: bool,
}

impl Reads {
    /// As an answer says.
    pub fn of(answer: &gst::query::Allocation) -> Self {
        Self {
            lines: answer.find_allocation_meta::<VideoMeta>().is_some(),
            parts: answer.find_allocation_meta::<VideoCropMeta>().is_some(),
        }
    }

    /// As who is behind the pad says.
    pub fn ask(pad: &gst::Pad, caps: &gst::Caps) -> Self {
        let mut query = gst::query::Allocation::new(Some(caps), false);
        match pad.peer_query(&mut query) {
            true => Self::of(&query),
            false => Self::default(),
        }
    }

    /// Whether a frame can be given to who reads so.
    pub fn suits(self, frame: &gst::BufferRef, usual: &VideoInfo) -> bool {
        let Some(meta) = frame.meta::<VideoMeta>() else {
            return true;
        };
        let is_larger = (meta.width(), meta.height()) != (usual.width(), usual.height());
        self.lines && (self.parts || !is_larger)
    }
}

/// The picture as its caps say; none where it cannot be read, or no memory is had.
pub fn usual(
    buffer: &gst::BufferRef,
    usual: &VideoInfo,
    memory: &mut ReceivedBuffers,
) -> Option<gst::Buffer> {
    let mut copy = memory.allocate(usual.size())?.into_buffer();
    let new = copy.get_mut()?;
    // Behind the lines it would have what was in the memory before.
    new.memset(.., 0).ok()?;
    restore::picture(buffer, usual, &mut new.map_writable().ok()?)?;
    let flags = BufferCopyFlags::FLAGS | BufferCopyFlags::TIMESTAMPS | BufferCopyFlags::META;
    buffer.copy_into(new, flags, ..).ok()?;
    restore::forget_layout(new, buffer, usual);
    Some(copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gst_video::{VideoFormat, VideoFrameFlags};

    /// Each byte its place in the buffer.
    fn picture(format: VideoFormat, offsets: &[usize], strides: &[i32]) -> gst::Buffer {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::from_mut_slice((0..200).collect::<Vec<u8>>());
        let meta = buffer.get_mut().unwrap();
        let flags = VideoFrameFlags::empty();
        VideoMeta::add_full(meta, flags, format, 8, 6, offsets, strides).unwrap();
        VideoCropMeta::add(meta, (2, 4, 4, 2));
        buffer
    }

    #[test]
    fn of_a_larger_picture_what_is_to_be_seen_is_shown() {
        let caps_say = |format| VideoInfo::builder(format, 4, 2).build().unwrap();
        let mut memory = ReceivedBuffers::default();
        let nv12 = picture(VideoFormat::Nv12, &[1, 100], &[10, 9]);
        let shown = usual(&nv12, &caps_say(VideoFormat::Nv12), &mut memory).unwrap();
        let bytes = shown.map_readable().unwrap();
        assert_eq!(bytes[..8], [43, 44, 45, 46, 53, 54, 55, 56]);
        assert_eq!(bytes[8..12], [120, 121, 122, 123]);
        drop(bytes);
        assert!(shown.meta::<VideoMeta>().is_none() && shown.meta::<VideoCropMeta>().is_none());
    }

    /// Whatever part of whatever picture is to be seen, in a frame that has no byte more than the picture.
    #[test]
    fn nothing_is_shown_but_what_is_in_the_frame() {
        gst::init().unwrap();
        let mut memory = ReceivedBuffers::default();
        let mut shown = 0;
        for format in [
            VideoFormat::Gray8,
            VideoFormat::I420,
            VideoFormat::Nv12,
            VideoFormat::Rgb,
            VideoFormat::V210,
        ] {
            let info = VideoInfo::builder(format, 3, 3).build().unwrap();
            for number in 0..6u32.pow(4) {
                let [left, top, more_width, more_height] =
                    [1, 6, 36, 216].map(|place| number / place % 6);
                let larger = VideoInfo::builder(format, 3 + more_width, 3 + more_height);
                let larger = larger.build().unwrap();
                let frame = frame_amid_others(&larger, (left, top, 1, 1));
                let fits = left <= more_width && top <= more_height;
                if let Some(picture) = usual(&frame, &info, &mut memory) {
                    assert!(fits || larger.width() == 3 && larger.height() == 3);
                    assert!(
                        picture
                            .map_readable()
                            .unwrap()
                            .iter()
                            .all(|&byte| byte != 255)
                    );
                    shown += 1;
                }
            }
        }
        assert!(shown > 1_500, "{shown}");
    }

    /// A picture of zeros, and behind it what it is not to show.
    fn frame_amid_others(info: &VideoInfo, crop: (u32, u32, u32, u32)) -> gst::Buffer {
        let bytes = [vec![0; info.size()], vec![255; 1_000]].concat();
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        let frame = buffer.get_mut().unwrap();
        frame.set_size(info.size());
        let (flags, format) = (VideoFrameFlags::empty(), info.format());
        let (offsets, strides) = (info.offset(), info.stride());
        VideoMeta::add_full(
            frame,
            flags,
            format,
            info.width(),
            info.height(),
            offsets,
            strides,
        )
        .unwrap();
        VideoCropMeta::add(frame, crop);
        buffer
    }
}
