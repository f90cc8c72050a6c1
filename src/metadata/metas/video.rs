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
    let flags = flags(buffer.video_flags());
    layout.add(buffer, flags, info)
}

/// What is to be seen of a larger picture becomes all of it, as `info` says how large that is. None where that is not
/// in the frame, or pixels are no bytes.
pub fn crop(buffer: &mut gst::BufferRef, info: &VideoInfo) -> Option<()> {
    let size = buffer.size();
    let meta = buffer.meta::<VideoMeta>()?;
    let (flags, mut layout) = (meta.video_frame_flags(), Layout::of(&meta));
    if (layout.width, layout.height) == (info.width(), info.height()) {
        return Some(());
    }
    if let Some(crop) = buffer.meta_mut::<VideoCropMeta>() {
        let (left, top, ..) = crop.rect();
        crop.remove().ok()?;
        layout.move_to(left, top, info, size)?;
    }
    (layout.width, layout.height) = (info.width(), info.height());
    remove_layout(buffer);
    layout.add(buffer, flags, info).ok()
}

pub fn remove_layout(buffer: &mut gst::BufferRef) {
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

    fn add(
        &self,
        buffer: &mut gst::BufferRef,
        flags: VideoFrameFlags,
        info: &VideoInfo,
    ) -> Result<(), RestoreError> {
        let (width, height) = (self.width, self.height);
        let (offsets, strides) = (&self.offsets, &self.strides);
        let added = VideoMeta::add_full(
            buffer,
            flags,
            info.format(),
            width,
            height,
            offsets,
            strides,
        );
        added.map(drop).map_err(|_| RestoreError::NoLayout)
    }

    /// The planes begin where a picture as large as `info` says does, if all of that is in a frame of this size.
    fn move_to(&mut self, left: u32, top: u32, info: &VideoInfo, size: usize) -> Option<()> {
        let reaches = |from: u32, len: u32, end| from.checked_add(len).is_some_and(|to| to <= end);
        let is_within =
            reaches(left, info.width(), self.width) && reaches(top, info.height(), self.height);
        if !is_within {
            return None;
        }
        let format = info.format_info();
        for (plane, (offset, &stride)) in self.offsets.iter_mut().zip(&self.strides).enumerate() {
            let component = component(format, plane)?;
            let stride = usize::try_from(stride).ok()?;
            let place = |line, pixels| {
                let pixels = usize::try_from(line_len(format, component, pixels)?).ok()?;
                (line as usize).checked_mul(stride)?.checked_add(pixels)
            };
            let line = format.scale_height(component, top);
            *offset = offset.checked_add(place(line, left)?)?;
            // Colours that pixels share may begin in the midst of some, and so end behind the picture.
            let last_line = format
                .scale_height(component, info.height())
                .checked_sub(1)?;
            let end = offset.checked_add(place(last_line, info.width())?)?;
            if end > size {
                return None;
            }
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
            let component = component(format, plane).ok_or(RestoreError::NoLayout)?;
            let least = line_len(format, component, width).unwrap_or(usual.stride()[plane]);
            if stride < least.max(1) {
                return Err(RestoreError::Stride { plane, stride });
            }
            let rows = format.scale_height(component, height) as usize;
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
    let planes = &format.plane()[..format.n_components() as usize];
    let at = planes.iter().position(|&its| its as usize == plane);
    at.map(|at| at as u8)
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
