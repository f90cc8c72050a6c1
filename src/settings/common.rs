// SPDX-License-Identifier: MPL-2.0
//! What the sink and the source have in common.

use std::{
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use gst::glib;

use super::{
    given_socket::{GivenSocket, Unusable},
    preamble::Preamble,
    property::Property,
    tls::Tls,
};
use crate::{
    lock::lock,
    transport::{Mode as TransportMode, Target},
    wire::{FormatError, HeaderFormat, LengthField},
};

/// Who makes the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstVideoSocketMode")]
pub enum Mode {
    /// This element makes the connection.
    #[default]
    #[enum_value(name = "Connect to host and port", nick = "connect")]
    Connect,
    /// The element waits for connections.
    #[enum_value(name = "Listen on host and port for connections", nick = "listen")]
    Listen,
}

/// How a header writes the length of its payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstVideoSocketLengthFormat")]
pub enum LengthFormat {
    /// ASCII decimal digits.
    #[default]
    #[enum_value(
        name = "ASCII decimal digits, length-digits of them, zero-padded",
        nick = "decimal"
    )]
    Decimal,
    /// 8 bits.
    #[enum_value(name = "8 bits", nick = "u8")]
    U8,
    /// 16 bits, big-endian.
    #[enum_value(name = "16 bits, most significant byte first", nick = "u16be")]
    U16Be,
    /// 16 bits, little-endian.
    #[enum_value(name = "16 bits, least significant byte first", nick = "u16le")]
    U16Le,
    /// 24 bits, big-endian.
    #[enum_value(name = "24 bits, most significant byte first", nick = "u24be")]
    U24Be,
    /// 24 bits, little-endian.
    #[enum_value(name = "24 bits, least significant byte first", nick = "u24le")]
    U24Le,
    /// 32 bits, big-endian.
    #[enum_value(name = "32 bits, most significant byte first", nick = "u32be")]
    U32Be,
    /// 32 bits, little-endian.
    #[enum_value(name = "32 bits, least significant byte first", nick = "u32le")]
    U32Le,
    /// 64 bits, big-endian.
    #[enum_value(name = "64 bits, most significant byte first", nick = "u64be")]
    U64Be,
    /// 64 bits, little-endian.
    #[enum_value(name = "64 bits, least significant byte first", nick = "u64le")]
    U64Le,
    /// LEB128.
    #[enum_value(
        name = "Varint (LEB128 as in protobuf), 1 to 10 bytes",
        nick = "varint"
    )]
    Varint,
}

/// What the sink and the source have in common.
#[derive(Clone, Debug)]
pub struct Common {
    pub mode: Mode,
    pub host: String,
    pub port: u32,
    pub connection_id: Option<String>,
    pub socket: Option<GivenSocket>,
    pub length_format: LengthFormat,
    pub length_digits: u32,
    pub length_offset: u32,
    pub length_trailer: u32,
    pub length_adjustment: i32,
    pub preamble: Preamble,
    pub max_frame_size: u64,
    pub connect_timeout: gst::ClockTime,
    pub timeout: gst::ClockTime,
    pub reconnect: bool,
    pub qos_dscp: i32,
    pub tls: Tls,
    /// Of all runs of the element.
    pub last_id: Arc<AtomicU64>,
    /// Properties that were last set to what they cannot be, and why they cannot.
    pub refused: Vec<(&'static str, String)>,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            mode: Mode::Connect,
            host: "localhost".into(),
            port: 4953,
            connection_id: None,
            socket: None,
            length_format: LengthFormat::Decimal,
            length_digits: 8,
            length_offset: 0,
            length_trailer: 0,
            length_adjustment: 0,
            preamble: Preamble::default(),
            max_frame_size: 99_999_999,
            connect_timeout: gst::ClockTime::from_seconds(10),
            timeout: gst::ClockTime::ZERO,
            reconnect: false,
            qos_dscp: -1,
            last_id: Arc::default(),
            tls: Tls::default(),
            refused: Vec::new(),
        }
    }
}

impl Common {
    /// The form of the headers; else a sentence that says why they can have none.
    pub fn header_format(&self) -> Result<HeaderFormat, String> {
        // The properties' ranges are a header's.
        HeaderFormat::new(self.length_field())
            .and_then(|format| format.with_offset(self.length_offset as u8))
            .and_then(|format| format.with_trailer(self.length_trailer as u8))
            .and_then(|format| format.with_adjustment(self.length_adjustment as i8))
            .map_err(|error| match error {
                FormatError::Negative { max, adjustment } => format!(
                    "With length-adjustment={adjustment} no frame has a length: \
                     the number in a header of length-digits={} is {max} at most",
                    self.length_digits
                ),
                error => format!("The header cannot be read: {error}"),
            })
    }

    fn length_field(&self) -> LengthField {
        match self.length_format {
            LengthFormat::Decimal => LengthField::Decimal(self.length_digits as u8),
            LengthFormat::U8 => LengthField::U8,
            LengthFormat::U16Be => LengthField::U16Be,
            LengthFormat::U16Le => LengthField::U16Le,
            LengthFormat::U24Be => LengthField::U24Be,
            LengthFormat::U24Le => LengthField::U24Le,
            LengthFormat::U32Be => LengthField::U32Be,
            LengthFormat::U32Le => LengthField::U32Le,
            LengthFormat::U64Be => LengthField::U64Be,
            LengthFormat::U64Le => LengthField::U64Le,
            LengthFormat::Varint => LengthField::Varint,
        }
    }

    /// Why no records can stand between the frames, if so.
    pub fn needs_plain(&self) -> Option<&'static str> {
        if self.header_format() != Ok(HeaderFormat::default()) {
            Some("a header other than 8 decimal digits")
        } else if !self.preamble.bytes().is_empty() {
            Some("a preamble")
        } else {
            None
        }
    }

    /// Whether they make sense together; else a sentence that says what does.
    pub fn check(&self) -> Result<(), String> {
        if let Some((name, reason)) = self.refused.first() {
            return Err(format!("The {name} was refused: {reason}"));
        }
        self.tls.check(self.mode)?;
        if self.mode == Mode::Listen || self.socket.is_some() {
            return Ok(());
        }
        if matches!(self.host.as_str(), "" | "*") {
            return Err(format!(
                "The host {:?} is every interface, which can only be listened on: \
                 set host to the peer's name or address, or mode=listen",
                self.host
            ));
        }
        if self.port == 0 {
            return Err(
                "The port 0 is any free one, which can only be listened on: \
                 set port to the one that the peer listens on, or mode=listen"
                    .into(),
            );
        }
        Ok(())
    }

    /// What to open.
    pub fn target(&self) -> Result<Target, Unusable> {
        let socket = self.socket.as_ref();
        Ok(Target {
            mode: match self.mode {
                Mode::Connect => TransportMode::Connect,
                Mode::Listen => TransportMode::Listen,
            },
            host: self.host.clone(),
            // The property's range is a port's.
            port: self.port as u16,
            connect_timeout: non_zero(self.connect_timeout),
            // Nobody can open a socket again that was handed over.
            reconnect: self.reconnect && socket.is_none(),
            qos_dscp: u8::try_from(self.qos_dscp).ok(),
            socket: socket.map(GivenSocket::duplicate).transpose()?,
            tls: self.tls.credentials(),
            last_id: self.last_id.clone(),
        })
    }

    /// The `timeout` property.
    pub fn idle_timeout(&self) -> Option<Duration> {
        non_zero(self.timeout)
    }
}

/// Times are nanoseconds, and 0 is none.
pub fn non_zero(time: gst::ClockTime) -> Option<Duration> {
    (time != gst::ClockTime::ZERO).then(|| time.into())
}

/// Settings of an element, which contain those that both elements have.
pub trait Settings: Default + Send + 'static {
    /// What both have.
    fn common(&self) -> &Common;
    /// What both have, to be changed.
    fn common_mut(&mut self) -> &mut Common;
    /// All properties that the user sets.
    fn properties() -> &'static [Property<Self>];
}

/// Changes settings under their lock. What they referred to goes out of it: its owner may ask for a property.
pub fn change<S: Clone, R>(settings: &Mutex<S>, change: impl FnOnce(&mut S) -> R) -> R {
    let mut locked = lock(settings);
    let former = locked.clone();
    let result = change(&mut locked);
    drop(locked);
    drop(former);
    result
}

/// Sets a property. Whoever sets one is not told that it is refused, so the next start tells.
pub fn set<S: Settings>(
    property: &Property<S>,
    settings: &mut S,
    value: &glib::Value,
) -> Result<(), String> {
    let name = property.spec.name();
    let result = property.set(settings, value);
    let refused = &mut settings.common_mut().refused;
    refused.retain(|(other, _)| *other != name);
    if let Err(reason) = &result {
        refused.push((name, reason.clone()));
    }
    result
}

/// The property `name`.
pub fn find<S: Settings>(name: &str) -> Option<&'static Property<S>> {
    S::properties()
        .iter()
        .find(|property| property.spec.name() == name)
}
