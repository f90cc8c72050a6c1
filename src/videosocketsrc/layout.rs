// SPDX-License-Identifier: MPL-2.0
//! Raw video whose lines lie elsewhere than its caps say, for who reads it by those alone.

use gst::{BufferCopyFlags, prelude::*};
use gst_video::{VideoCropMeta, VideoFrameRef, VideoInfo, VideoMeta};
use smallvec::SmallVec;

use crate::{frames::ReceivedBuffers, transport::FrameMemory};

type PerPlane<T> = SmallVec<[T; gst_video::VIDEO_MAX_PLANES]>;

/// Whether who is behind the pad reads pictures as their metas say.
pub fn is_read_by_metas(pad: &gst::Pad, caps: &gst::Caps) -> bool {
    let mut query = gst::query::Allocation::new(Some(caps), false);
    pad.peer_query(&mut query) && query.find_allocation_meta::<VideoMeta>().is_some()
}

/// The picture as its caps say; none where it cannot be read, or no memory is had.
pub fn usual(
    mut buffer: gst::Buffer,
    usual: &VideoInfo,
    memory: &mut ReceivedBuffers,
) -> Option<gst::Buffer> {
    show(buffer.make_mut(), usual)?;
    let mut copy = memory.allocate(usual.size())?.into_buffer();
    let new = copy.get_mut()?;
    let from = VideoFrameRef::from_buffer_ref_readable(&buffer, usual).ok()?;
    let mut to = VideoFrameRef::from_buffer_ref_writable(new, usual).ok()?;
    from.copy(&mut to).ok()?;
    drop((from, to));
    let flags = BufferCopyFlags::FLAGS | BufferCopyFlags::TIMESTAMPS | BufferCopyFlags::META;
    buffer.copy_into(new, flags, ..).ok()?;
    remove_layout(new);
    Some(copy)
}

/// What is to be seen of a larger picture becomes all of it.
fn show(buffer: &mut gst::BufferRef, usual: &VideoInfo) -> Option<()> {
    let meta = buffer.meta::<VideoMeta>()?;
    let (width, height) = (usual.width(), usual.height());
    if (meta.width(), meta.height()) == (width, height) {
        return Some(());
    }
    let flags = meta.video_frame_flags();
    let strides = PerPlane::<i32>::from_slice(meta.stride());
    let mut offsets = PerPlane::<usize>::from_slice(meta.offset());
    if let Some(crop) = buffer.meta_mut::<VideoCropMeta>() {
        let (left, top, ..) = crop.rect();
        crop.remove().ok()?;
        for (plane, offset) in offsets.iter_mut().enumerate() {
            *offset += position(usual, plane, *strides.get(plane)?, (left, top))?;
        }
    }
    remove_layout(buffer);
    let format = usual.format();
    VideoMeta::add_full(buffer, flags, format, width, height, &offsets, &strides).ok()?;
    Some(())
}

/// So many bytes behind its beginning a plane has a pixel; none where pixels are no bytes.
fn position(usual: &VideoInfo, plane: usize, stride: i32, (x, y): (u32, u32)) -> Option<usize> {
    let format = usual.format_info();
    let mut planes = format.plane().iter();
    let component = planes.position(|&its| its as usize == plane)?;
    let pixel = usize::try_from(format.pixel_stride()[component]).ok()?;
    let (component, stride) = (component as u8, usize::try_from(stride).ok()?);
    let (x, y) = (
        format.scale_width(component, x),
        format.scale_height(component, y),
    );
    (pixel > 0).then(|| y as usize * stride + x as usize * pixel)
}

fn remove_layout(buffer: &mut gst::BufferRef) {
    while let Some(meta) = buffer.meta_mut::<VideoMeta>() {
        if meta.remove().is_err() {
            break;
        }
    }
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
        let shown = usual(nv12, &caps_say(VideoFormat::Nv12), &mut memory).unwrap();
        let bytes = shown.map_readable().unwrap();
        assert_eq!(bytes[..8], [43, 44, 45, 46, 53, 54, 55, 56]);
        assert_eq!(bytes[8..12], [120, 121, 122, 123]);
        drop(bytes);
        assert!(shown.meta::<VideoMeta>().is_none() && shown.meta::<VideoCropMeta>().is_none());
    }
}
