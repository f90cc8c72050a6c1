// SPDX-License-Identifier: MPL-2.0
//! Words of a command line that become values.

use std::str::FromStr;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    pub width: u16,
    pub height: u16,
}

impl Size {
    /// As it stands in caps, behind other fields.
    pub fn caps(self) -> String {
        format!(",width={},height={}", self.width, self.height)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
        text.split_once('x')
            .and_then(|(width, height)| {
                Some(Self {
                    width: number(width)?,
                    height: number(height)?,
                })
            })
            .ok_or_else(|| format!("{text:?} is no size such as 640x480"))
    }
}

pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| !time.is_zero())
        .ok_or_else(|| format!("{text:?} is no time in seconds above 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_two_sides() {
        assert_eq!(
            "640x480".parse(),
            Ok(Size {
                width: 640,
                height: 480
            })
        );
        for text in ["640", "640x", "0x480", "640x480x3", "-1x2"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_above_zero() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "nan", "inf", "1e300", "soon"] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }
}
