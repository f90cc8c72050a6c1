// SPDX-License-Identifier: MPL-2.0
//! What the user can ask for.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use common::arguments::{Size, parse_seconds};
use common::connection::Tls;

/// Serves a camera, a film or a test picture to any number of viewers.
///
/// Each viewer gets the pictures as fast as it can take them: one that falls behind loses pictures, and the others
/// do not notice. Once a second a table shows how each of them fares. Ctrl-C ends it.
#[derive(Debug, Parser)]
#[command(name = "camera_server")]
pub struct Cli {
    /// Serve a camera: this one (such as /dev/video2), or the first one found [default: a test picture with a clock]
    #[arg(long, value_name = "DEVICE", num_args = 0..=1, conflicts_with = "film")]
    pub camera: Option<Option<PathBuf>>,
    /// Serve a film; it begins when the first viewer comes, and the server ends with it
    #[arg(long, value_name = "FILE")]
    pub film: Option<PathBuf>,
    /// Begin the film again when it ends
    #[arg(long = "loop", requires = "film")]
    pub repeat: bool,

    /// What to send: a JPEG file a picture, or H.264, which needs a tenth of the bandwidth
    #[arg(long, default_value = "jpeg")]
    pub codec: Codec,
    /// Encode with this instead of jpegenc or x264enc, in the words of gst-launch, such as
    /// "x264enc tune=zerolatency bitrate=8000" or "vah264enc"
    #[arg(long, value_name = "ELEMENT")]
    pub encoder: Option<String>,
    /// H.264: the longest time between two keyframes. A viewer that joins gets one at once, by asking for it;
    /// behind a relay it can't ask, and 2 is a better choice
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    #[arg(conflicts_with = "encoder")]
    pub keyframes: Duration,
    /// Picture size to send [default: 640x480, a film's own]
    #[arg(long, value_name = "WxH")]
    pub size: Option<Size>,
    /// Pictures per second to send [default: 30 of the test picture, otherwise as they come]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub fps: Option<u16>,

    /// Address to serve at; * is every interface
    #[arg(long, default_value = "*")]
    pub host: String,
    /// Port to serve at; 0 takes a free one
    #[arg(long, default_value = "4953")]
    pub port: u16,
    /// The same in one, and more: videosockets://*:4953 encrypts
    #[arg(conflicts_with_all = ["host", "port"])]
    pub uri: Option<String>,
    #[command(flatten)]
    pub tls: Tls,

    /// Serve a page for browsers as well, at this port; 0 takes a free one
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "8080")]
    pub web: Option<u16>,
    /// Address to serve the page at; * is every interface
    #[arg(
        long,
        value_name = "HOST",
        default_value = "localhost",
        requires = "web"
    )]
    pub web_host: String,

    /// Turn away more viewers than this [default: no limit]
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "0",
        hide_default_value = true
    )]
    pub max_clients: u32,
    /// A viewer that falls further behind than this loses pictures
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = parse_seconds)]
    pub max_delay: Duration,
    /// A viewer for which more than this would wait loses pictures [default: no limit but --max-delay]
    #[arg(
        long,
        value_name = "KILOBYTES",
        default_value = "0",
        hide_default_value = true
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(..=4_000_000))]
    pub max_queue: u32,
    /// Give up a viewer that takes nothing for this long
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Codec {
    Jpeg,
    H264,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(words: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(["camera_server"].into_iter().chain(words.split(' ')))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_camera_may_be_named() {
        let camera = |words| parse(words).unwrap().camera;
        assert_eq!(camera("--camera"), Some(None));
        assert_eq!(
            camera("--camera /dev/video2"),
            Some(Some("/dev/video2".into()))
        );
        assert_eq!(camera("--port 0"), None);
    }

    #[test]
    fn the_page_is_for_this_machine_unless_told_otherwise() {
        let page = |words| parse(words).map(|cli| (cli.web, cli.web_host)).unwrap();
        assert_eq!(page("--port 0"), (None, "localhost".into()));
        assert_eq!(page("--web"), (Some(8080), "localhost".into()));
        assert_eq!(page("--web 0 --web-host *"), (Some(0), "*".into()));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for words in [
            "--port 1 videosocket://*:2",
            "--certificate a.pem",
            "--client-ca a.pem",
            "--camera --film a.mp4",
            "--loop",
            "--fps 0",
            "--max-delay 0",
            "--keyframes 1 --encoder x264enc",
            "--web-host localhost",
        ] {
            assert!(parse(words).is_err(), "{words}");
        }
    }
}
