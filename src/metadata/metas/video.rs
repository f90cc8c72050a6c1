// SPDX-License-Identifier: MPL-2.0
//! `video`: where the lines of a picture are, if they are elsewhere than the caps say; and `crop`, what of it is seen.

use gst_video::{
    VideoBufferFlags, VideoCropMeta, VideoFormatInfo, VideoFrameFlags, VideoInfo,
    VideoInterlaceMode, VideoMeta, prelude::*,
};
use smallvec::SmallVec;

use super::{
    VIDEO,
    bytes::{Bytes, Put},
};
use crate::metadata::{CAT, RestoreError};

const FLAGS: [(VideoBufferFlags, VideoFrameFlags); 4] = [
    (VideoBufferFlags::INTERLACED, VideoFrameFlags::INTERLACED),
    (VideoBufferFlags::TFF, VideoFrameFlags::TFF),
    (VideoBufferFlags::RFF, VideoFrameFlags::RFF),
    (VideoBufferFlags::ONEFIELD, VideoFrameFlags::ONEFIELD),
];

type PerPlane<T> = SmallVec<[T; gst_video::VIDEO_MAX_PLANES]>;

pub fn describe(meta: &VideoMeta, info: &VideoInfo, frame_size: usize, data: &mut Vec<u8>) -> bool {
    let layout = Layout::of(meta);
    if layout.is_that_of(info) {
        return false;
    }
    let result = if meta.format() == info.format() {
        layout.check(info, frame_size)
    } else {
        Err(RestoreError::NoLayout)
    };
    if let Err(error) = &result {
        gst::debug!(CAT, "a meta video is left out: {error}");
        return false;
    }
    layout.put(data)
}

pub fn restore(
    buffer: &mut gst::BufferRef,
    data: &[u8],
    info: Option<&VideoInfo>,
) -> Result<(), RestoreError> {
    let info = info.ok_or(RestoreError::NoLayout)?;
    let layout = Layout::parse(data, info)?;
    layout.check(info, buffer.size())?;
    remove_layout(buffer);
    // With caps that know no fields GStreamer would look for lines that are not there.
    let flags = match info.is_interlaced() {
        true => flags(buffer.video_flags()),
        false => VideoFrameFlags::empty(),
    };
    let Layout { width, height, .. } = layout;
    let (offsets, strides) = (&layout.offsets, &layout.strides);
    let format = info.format();
    let added = VideoMeta::add_full(buffer, flags, format, width, height, offsets, strides);
    added.map(drop).map_err(|_| RestoreError::NoLayout)
}

/// Copies a picture whose lines lie as its metas say into a frame in which they lie as `info` says; of a larger picture
/// what is to be seen. None where that is not in the frame, or pixels are no bytes.
///
/// GStreamer copies lines with what is behind them, which may be more than the frame has.
pub fn copy(frame: &gst::BufferRef, info: &VideoInfo, to: &mut [u8]) -> Option<()> {
    let mut layout = Layout::of(&*frame.meta::<VideoMeta>()?);
    if let Some(crop) = crop(frame, &layout, info) {
        let (left, top, ..) = crop.rect();
        layout.move_to(left, top, info)?;
    }
    let from = frame.map_readable().ok()?;
    let format = info.format_info();
    for (plane, (&offset, &stride)) in layout.offsets.iter().zip(&layout.strides).enumerate() {
        let component = component(format, plane)?;
        let usual = *info.stride().get(plane)?;
        let line = line_len(format, component, info.width()).unwrap_or(usual.min(stride));
        let [line, stride, usual] = [line, stride, usual].map(usize::try_from);
        let (line, stride, usual) = (line.ok()?, stride.ok()?, usual.ok()?);
        let rows = format.scale_height(component, info.height()) as usize;
        for row in 0..rows {
            let from = from.get(offset + row * stride..)?.get(..line)?;
            let to = to.get_mut(info.offset()[plane] + row * usual..)?;
            to.get_mut(..line)?.copy_from_slice(from);
        }
    }
    Some(())
}

/// What is to be seen of a larger picture, if that is said.
fn crop<'a>(
    frame: &'a gst::BufferRef,
    layout: &Layout,
    info: &VideoInfo,
) -> Option<gst::MetaRef<'a, VideoCropMeta>> {
    let is_larger = (layout.width, layout.height) != (info.width(), info.height());
    frame.meta::<VideoCropMeta>().filter(|_| is_larger)
}

/// The same frame has been copied so: its lines lie as its caps say, and all of it is to be seen.
pub fn forget_layout(copy: &mut gst::BufferRef, frame: &gst::BufferRef, info: &VideoInfo) {
    let layout = frame.meta::<VideoMeta>().map(|meta| Layout::of(&meta));
    let is_part = layout.is_some_and(|layout| crop(frame, &layout, info).is_some());
    if is_part && let Some(crop) = copy.meta_mut::<VideoCropMeta>() {
        let _ = crop.remove();
    }
    remove_layout(copy);
}

fn remove_layout(buffer: &mut gst::BufferRef) {
    while let Some(meta) = buffer.meta_mut::<VideoMeta>() {
        if meta.remove().is_err() {
            break;
        }
    }
}

fn flags(buffer: VideoBufferFlags) -> VideoFrameFlags {
    let set = FLAGS.iter().filter(|(flag, _)| buffer.contains(*flag));
    set.fold(VideoFrameFlags::empty(), |all, (_, flag)| all | *flag)
}

struct Layout {
    width: u32,
    height: u32,
    offsets: PerPlane<usize>,
    strides: PerPlane<i32>,
}

impl Layout {
    fn of(meta: &VideoMeta) -> Self {
        Self {
            width: meta.width(),
            height: meta.height(),
            offsets: PerPlane::from_slice(meta.offset()),
            strides: PerPlane::from_slice(meta.stride()),
        }
    }

    fn is_that_of(&self, info: &VideoInfo) -> bool {
        (self.width, self.height) == (info.width(), info.height())
            && self.offsets[..] == *info.offset()
            && self.strides[..] == *info.stride()
    }

    /// `false` where an offset does not fit.
    fn put(&self, data: &mut Vec<u8>) -> bool {
        data.put_u32(self.width);
        data.put_u32(self.height);
        data.put_u32(self.offsets.len() as u32);
        self.offsets
            .iter()
            .zip(&self.strides)
            .all(|(&offset, &stride)| match u32::try_from(offset) {
                Ok(offset) => {
                    data.put_u32(offset);
                    data.put_i32(stride);
                    true
                }
                Err(_) => false,
            })
    }

    fn parse(data: &[u8], info: &VideoInfo) -> Result<Self, RestoreError> {
        let mut bytes = Bytes::new(VIDEO, data);
        let mut layout = Self {
            width: bytes.u32()?,
            height: bytes.u32()?,
            offsets: PerPlane::new(),
            strides: PerPlane::new(),
        };
        let (planes, expected) = (bytes.u32()?, info.n_planes());
        if planes != expected {
            return Err(RestoreError::Planes { planes, expected });
        }
        for _ in 0..planes {
            layout.offsets.push(bytes.u32()? as usize);
            layout.strides.push(bytes.i32()?);
        }
        Ok(layout)
    }

    /// The planes begin where the part of this place does that is as large as `info` says.
    fn move_to(&mut self, left: u32, top: u32, info: &VideoInfo) -> Option<()> {
        let reaches = |from: u32, len: u32, end| from.checked_add(len).is_some_and(|to| to <= end);
        if !reaches(left, info.width(), self.width) || !reaches(top, info.height(), self.height) {
            return None;
        }
        let format = info.format_info();
        for (plane, (offset, &stride)) in self.offsets.iter_mut().zip(&self.strides).enumerate() {
            let component = component(format, plane)?;
            let line = format.scale_height(component, top) as usize;
            let before = line.checked_mul(usize::try_from(stride).ok()?)?;
            let pixels = usize::try_from(line_len(format, component, left)?).ok()?;
            *offset = offset.checked_add(before)?.checked_add(pixels)?;
        }
        Some(())
    }

    /// GStreamer believes all of this.
    fn check(&self, info: &VideoInfo, size: usize) -> Result<(), RestoreError> {
        let (width, height) = (self.width, self.height);
        let format = info.format_info();
        if !has_lines(format) || info.interlace_mode() == VideoInterlaceMode::Alternate {
            return Err(RestoreError::NoLayout);
        }
        if width < info.width() || height < info.height() {
            return Err(RestoreError::SmallPicture { width, height });
        }
        // Where pixels share bytes only the library knows how many a line has.
        let usual = VideoInfo::builder(info.format(), width, height).build();
        let usual = usual.map_err(|_| RestoreError::NoLayout)?;
        if self.offsets.len() != usual.stride().len() {
            return Err(RestoreError::Planes {
                planes: self.offsets.len() as u32,
                expected: usual.n_planes(),
            });
        }
        for (plane, (&offset, &stride)) in self.offsets.iter().zip(&self.strides).enumerate() {
            let first = component(format, plane).ok_or(RestoreError::NoLayout)?;
            // Those that share a plane need not be equally many.
            let mut lines =
                components(format, plane).map(|component| line_len(format, component, width));
            let least = lines.try_fold(0, |least, len| Some(least.max(len?)));
            if stride < least.unwrap_or(usual.stride()[plane]).max(1) {
                return Err(RestoreError::Stride { plane, stride });
            }
            let rows = rows(info, first, height) as usize;
            let len = rows.checked_mul(stride as usize);
            let end = len.and_then(|len| len.checked_add(offset));
            if end.is_none_or(|end| end > size) {
                return Err(RestoreError::PlaneOutside { plane, size });
            }
        }
        Ok(())
    }
}

/// Tiles and palettes have none, and a stride means something else.
fn has_lines(format: VideoFormatInfo) -> bool {
    !format.is_tiled() && !format.has_palette()
}

/// The first component in a plane.
fn component(format: VideoFormatInfo, plane: usize) -> Option<u8> {
    components(format, plane).next()
}

fn components(format: VideoFormatInfo, plane: usize) -> impl Iterator<Item = u8> {
    (0..format.n_components() as u8)
        .filter(move |&component| format.plane()[usize::from(component)] as usize == plane)
}

/// Where colours have fewer lines than the picture, each of two fields has its own.
fn rows(info: &VideoInfo, component: u8, height: u32) -> u32 {
    let rows = info.format_info().scale_height(component, height);
    match info.is_interlaced() && rows < height {
        true => rows.next_multiple_of(2),
        false => rows,
    }
}

/// The bytes of a line, if pixels are whole bytes.
fn line_len(format: VideoFormatInfo, component: u8, width: u32) -> Option<i32> {
    let pixel = format.pixel_stride()[usize::from(component)];
    if pixel == 0 || format.is_complex() {
        return None;
    }
    let pixels = i32::try_from(format.scale_width(component, width)).ok()?;
    pixels.checked_mul(pixel)
}
