// SPDX-License-Identifier: MPL-2.0
//! What is compared.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
pub enum Row {
    /// A loop of plain system calls with the framing of this crate: the limit
    Raw,
    /// The same loop through rustls: the limit of what is encrypted
    RawTls,
    /// videosocketsink, videosocketsrc
    Videosocket,
    /// The same, given lists of buffers
    VideosocketLists,
    /// The same without lists, with what each frame is
    VideosocketMetadata,
    /// The same without that, encrypted
    VideosocketTls,
    /// videosocketsink, the loop that receives: what the sink takes
    VideosocketSink,
    /// The loop that sends, videosocketsrc: what the source takes
    VideosocketSrc,
    /// Both, behind a header that says the length in 4 bytes
    VideosocketU32,
    /// Behind one that says it in as few bytes as it takes
    VideosocketVarint,
    /// Behind one of 64 digits, with 64 other bytes before and behind them
    VideosocketLongHeader,
    /// tcpclientsink, tcpserversrc: bytes without frames
    Tcp,
    /// The same, with gdppay and gdpdepay
    Gdp,
    /// The same, with matroskamux and matroskademux
    Matroska,
}

/// Without those of half a row and of other headers, which say where a difference comes from.
pub const ALL: [Row; 9] = [
    Row::Raw,
    Row::RawTls,
    Row::Videosocket,
    Row::VideosocketLists,
    Row::VideosocketMetadata,
    Row::VideosocketTls,
    Row::Tcp,
    Row::Gdp,
    Row::Matroska,
];

/// From a voice packet to raw 4K video.
pub const SIZES: [usize; 6] = [1_000, 10_000, 60_000, 1_000_000, 3_110_400, 12_441_600];

/// Where the delay is measured: compressed pictures, and a raw one.
pub const PACED_SIZES: [usize; 3] = [10_000, 50_000, 1_000_000];

impl Row {
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::RawTls => "raw TLS",
            Self::Videosocket => "videosocket",
            Self::VideosocketLists => "videosocket lists",
            Self::VideosocketMetadata => "videosocket metadata",
            Self::VideosocketTls => "videosocket TLS",
            Self::VideosocketSink => "videosocketsink alone",
            Self::VideosocketSrc => "videosocketsrc alone",
            Self::VideosocketU32 => "videosocket u32be",
            Self::VideosocketVarint => "videosocket varint",
            Self::VideosocketLongHeader => "videosocket long header",
            Self::Tcp => "tcp",
            Self::Gdp => "gdp",
            Self::Matroska => "matroska",
        }
    }

    /// From what pushes frames to the network.
    pub fn sending(self) -> &'static [&'static str] {
        match self {
            Self::Raw | Self::RawTls | Self::VideosocketSrc => &[],
            Self::Videosocket
            | Self::VideosocketLists
            | Self::VideosocketMetadata
            | Self::VideosocketTls
            | Self::VideosocketU32
            | Self::VideosocketVarint
            | Self::VideosocketLongHeader
            | Self::VideosocketSink => &["videosocketsink"],
            Self::Tcp => &["tcpclientsink"],
            Self::Gdp => &["gdppay", "tcpclientsink"],
            Self::Matroska => &["matroskamux", "tcpclientsink"],
        }
    }

    /// From the network to what takes frames.
    pub fn receiving(self) -> &'static [&'static str] {
        match self {
            Self::Raw | Self::RawTls | Self::VideosocketSink => &[],
            Self::Videosocket
            | Self::VideosocketLists
            | Self::VideosocketMetadata
            | Self::VideosocketTls
            | Self::VideosocketU32
            | Self::VideosocketVarint
            | Self::VideosocketLongHeader
            | Self::VideosocketSrc => &["videosocketsrc"],
            Self::Tcp => &["tcpserversrc"],
            Self::Gdp => &["tcpserversrc", "gdpdepay"],
            Self::Matroska => &["tcpserversrc", "matroskademux"],
        }
    }

    pub fn elements(self) -> impl Iterator<Item = &'static str> {
        self.sending().iter().chain(self.receiving()).copied()
    }

    /// Frames that are pushed at once.
    pub fn batch(self) -> usize {
        match self {
            Self::VideosocketLists => 64,
            _ => 1,
        }
    }

    /// As the last element, or the first, is told.
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::RawTls | Self::VideosocketTls)
    }

    /// As the last element of the sender is told.
    pub fn is_described(self) -> bool {
        self == Self::VideosocketMetadata
    }

    /// What both elements are told of it, where it is not the usual one.
    pub fn header(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::VideosocketU32 => &[("length-format", "u32be")],
            Self::VideosocketVarint => &[("length-format", "varint")],
            Self::VideosocketLongHeader => &[
                ("length-digits", "64"),
                ("length-offset", "64"),
                ("length-trailer", "64"),
            ],
            _ => &[],
        }
    }

    /// Lists are for what is small.
    pub fn takes(self, size: usize) -> bool {
        self.batch() == 1 || size <= 10_000
    }

    /// Whether what arrives is frames again.
    pub fn keeps_frames(self) -> bool {
        self != Self::Tcp
    }

    /// Matroska has no frames without a time to be shown at.
    pub fn needs_times(self) -> bool {
        self == Self::Matroska
    }

    /// Matroska takes no unknown bytes, but looks into no JPEG.
    pub fn caps(self) -> &'static str {
        match self {
            Self::Matroska => "image/jpeg,width=1920,height=1080,framerate=30/1",
            _ => "application/octet-stream",
        }
    }
}

pub fn size_name(size: usize) -> String {
    let (number, unit) = match size {
        1_000_000.. => (size as f64 / 1e6, "MB"),
        _ => (size as f64 / 1e3, "kB"),
    };
    let text = format!("{number:.1}");
    format!("{} {unit}", text.trim_end_matches(".0"))
}
