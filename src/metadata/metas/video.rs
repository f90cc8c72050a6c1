// SPDX-License-Identifier: MPL-2.0
//! `video`: where the lines of a picture are, if they are elsewhere than the caps say.

use gst_video::{
    VideoBufferFlags, VideoFormatInfo, VideoFrameFlags, VideoInfo, VideoInterlaceMode, VideoMeta,
    prelude::*,
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
    while let Some(meta) = buffer.meta_mut::<VideoMeta>() {
        if meta.remove().is_err() {
            break;
        }
    }
    let flags = flags(buffer.video_flags());
    let Layout { width, height, .. } = layout;
    let added = VideoMeta::add_full(
        buffer,
        flags,
        info.format(),
        width,
        height,
        &layout.offsets,
        &layout.strides,
    );
    added.map(drop).map_err(|_| RestoreError::NoLayout)
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
