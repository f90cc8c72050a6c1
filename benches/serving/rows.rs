// SPDX-License-Identifier: MPL-2.0
//! What is compared.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
pub enum Row {
    /// A loop of `send`, one socket after the other
    Loop,
    /// videosocketsink as it is
    Videosocket,
    /// The same with max-size-buffers=1
    VideosocketOne,
    /// The same, encrypted
    VideosocketTls,
    /// tcpserversink as it is
    Tcp,
    /// The same with what it has to keep the delay short
    TcpLimited,
}

impl Row {
    pub fn name(self) -> &'static str {
        match self {
            Self::Loop => "send loop",
            Self::Videosocket => "videosocketsink",
            Self::VideosocketOne => "videosocketsink max-size-buffers=1",
            Self::VideosocketTls => "videosocketsink TLS",
            Self::Tcp => "tcpserversink",
            Self::TcpLimited => "tcpserversink with limits",
        }
    }

    /// As for `gst-launch-1.0`.
    pub fn element(self) -> Option<String> {
        let settings = match self {
            Self::Loop => return None,
            Self::Videosocket | Self::VideosocketTls => {
                "videosocketsink mode=listen wait-for-connection=false"
            }
            Self::VideosocketOne => {
                "videosocketsink mode=listen wait-for-connection=false max-size-buffers=1"
            }
            Self::Tcp => "tcpserversink sync-method=next-keyframe",
            Self::TcpLimited => {
                "tcpserversink sync-method=next-keyframe recover-policy=keyframe unit-format=time \
                 units-soft-max=500000000"
            }
        };
        Some(format!("{settings} host=127.0.0.1 port=0 sync=false"))
    }

    /// Whether it puts headers before frames.
    pub fn frames(self) -> bool {
        matches!(
            self,
            Self::Videosocket | Self::VideosocketOne | Self::VideosocketTls
        )
    }

    /// As the element is told.
    pub fn is_encrypted(self) -> bool {
        self == Self::VideosocketTls
    }
}
