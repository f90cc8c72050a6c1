// SPDX-License-Identifier: MPL-2.0
//! What the user can ask for.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use common::arguments::{Size, parse_seconds};
use common::connection::Tls;

const DEFAULT_PORT: &str = "4953";

/// A two-way video chat over one TCP connection.
///
/// Sends a camera, a film or a test picture as JPEG frames, and shows the peer's in a window, or, where there is no
/// display, saves a snapshot of it every few seconds. The chat ends when either side hangs up (Ctrl-C).
#[derive(Debug, Parser)]
#[command(name = "videochat")]
pub struct Cli {
    #[command(subcommand)]
    pub call: Call,
    #[command(flatten)]
    pub options: Options,
}

#[derive(Debug, Subcommand)]
pub enum Call {
    /// Wait for a call
    Listen {
        /// Port to wait at, on every interface or only at ADDRESS; port 0 takes a free one. Or a URI such as
        /// videosockets://*:4953, which encrypts
        #[arg(value_name = "[ADDRESS:]PORT", default_value = DEFAULT_PORT, value_parser = parse_listen)]
        at: Place,
    },
    /// Call somebody
    Connect {
        /// Who to call; an IPv6 address with a port stands in brackets. Or a URI such as
        /// videosockets://camera.local:4953, which encrypts
        #[arg(value_name = "HOST[:PORT]")]
        to: Place,
    },
}

#[derive(Debug, Args)]
pub struct Options {
    /// Send this camera (such as /dev/video2) instead of the first one found
    #[arg(long, value_name = "DEVICE", global = true, conflicts_with_all = ["file", "test_picture"])]
    pub camera: Option<PathBuf>,
    /// Send a film, from the moment the peer is there; the chat ends with the film
    #[arg(
        long,
        value_name = "FILM",
        global = true,
        conflicts_with = "test_picture"
    )]
    pub file: Option<PathBuf>,
    /// Begin the film again when it ends
    #[arg(long = "loop", global = true, requires = "file")]
    pub repeat: bool,
    /// Send a test picture with a clock even if there is a camera
    #[arg(long, value_name = "PICTURE", global = true)]
    pub test_picture: Option<TestPicture>,
    /// Name to write into the test picture
    #[arg(long, default_value = "", hide_default_value = true, global = true)]
    pub name: String,
    /// Picture size to send [default: 640x480, a film's own]
    #[arg(long, value_name = "WxH", global = true)]
    pub size: Option<Size>,
    /// Take turns, as the original chat programs do: one frame out for each frame in
    #[arg(long, global = true)]
    pub lockstep: bool,
    /// Save snapshots of the peer in this folder, also if there is a display
    /// [default without a display: videochat-snapshots]
    #[arg(long, value_name = "DIR", global = true)]
    pub snapshots: Option<PathBuf>,
    /// Time between two snapshots
    #[arg(long, value_name = "SECONDS", default_value = "3", global = true, value_parser = parse_seconds)]
    pub every: Duration,
    /// Hang up after this time together
    #[arg(long, value_name = "SECONDS", global = true, value_parser = parse_seconds)]
    pub duration: Option<Duration>,
    /// Send sound as well, a film's or a tick each second, and play the peer's, over a connection of its own at this
    /// port [default: the next one]; the peer has to do the same
    #[arg(long, value_name = "PORT", num_args = 0..=1, global = true, conflicts_with_all = ["lockstep", "plain"])]
    pub sound: Option<Option<u16>>,
    /// Let the peer's mouse point into our picture, and say what it clicks and types
    #[arg(long, global = true, conflicts_with_all = ["lockstep", "plain"])]
    pub pointer: bool,
    /// Send frames and nothing else, to a program that knows nothing else; --lockstep does as well
    #[arg(long, global = true)]
    pub plain: bool,
    #[command(flatten)]
    pub tls: Tls,
    /// Write the figures of the chat to this file when it ends, one KEY=VALUE a line
    #[arg(long, value_name = "FILE", global = true)]
    pub report: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum TestPicture {
    #[default]
    Bars,
    Ball,
}

/// Where the peer is, or where to wait for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// As in `camera.local:4953` or `[::1]:4953`.
    Address {
        host: String,
        port: u16,
    },
    Uri(String),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            return Ok(Self::Uri(text.into()));
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest
                    .split_once(']')
                    .ok_or("the bracket [ is never closed")?;
                match rest {
                    "" => (host, None),
                    rest => (
                        host,
                        Some(rest.strip_prefix(':').ok_or("what follows ] is no :PORT")?),
                    ),
                }
            }
            None if text.matches(':').count() > 1 => (text, None),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err("the host is missing".into());
        }
        Ok(Self::Address {
            host: host.into(),
            port: parse_port(port.unwrap_or(DEFAULT_PORT))?,
        })
    }
}

fn parse_listen(text: &str) -> Result<Place, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Place::Address {
            host: "*".into(),
            port: parse_port(text)?,
        });
    }
    text.parse()
}

fn parse_port(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is no port: 0 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, port: u16) -> Place {
        let host = host.into();
        Place::Address { host, port }
    }

    #[test]
    fn a_host_with_and_without_port() {
        for (text, host, port) in [
            ("localhost", "localhost", 4953),
            ("camera.local:80", "camera.local", 80),
            ("::1", "::1", 4953),
            ("[::1]", "::1", 4953),
            ("[fe80::1%eth0]:5000", "fe80::1%eth0", 5000),
        ] {
            assert_eq!(text.parse(), Ok(address(host, port)), "{text}");
        }
        for text in [
            "",
            ":80",
            "[]:80",
            "[::1",
            "[::1]80",
            "host:",
            "host:65536",
            "host:+1x",
        ] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_listener_may_name_only_its_port() {
        assert_eq!(parse_listen("0"), Ok(address("*", 0)));
        assert_eq!(parse_listen("[::1]:7"), Ok(address("::1", 7)));
        assert!(parse_listen("70000").is_err());
    }

    #[test]
    fn a_uri_is_taken_as_it_is() {
        let uri = "videosockets://[::1]:7?tls-ca-file=a.pem";
        assert_eq!(uri.parse(), Ok(Place::Uri(uri.into())));
        assert_eq!(parse_listen(uri), Ok(Place::Uri(uri.into())));
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
