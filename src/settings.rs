//! What the user sets. Each property is declared once, in a row that knows its type, its documentation
//! and its place; `gst-inspect-1.0`, `get_property`, `set_property` and the URI all read the row.

use std::time::Duration;

use gst::{glib, prelude::*};

use crate::{
    given_socket::GivenSocket,
    transport::{Mode as TransportMode, Reason, Target},
    uri,
    wire::HeaderFormat,
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
    /// 16 bits, big-endian.
    #[enum_value(name = "16 bits, most significant byte first", nick = "u16be")]
    U16Be,
    /// 16 bits, little-endian.
    #[enum_value(name = "16 bits, least significant byte first", nick = "u16le")]
    U16Le,
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

/// Why a connection ended, or a client is none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstVideoSocketRemoveReason")]
pub enum RemoveReason {
    /// The peer ended it.
    #[enum_value(name = "The peer closed the connection", nick = "closed")]
    Closed,
    /// It broke.
    #[enum_value(
        name = "The connection broke, or did not speak the framing",
        nick = "failed"
    )]
    Failed,
    /// It was slower than the stream.
    #[enum_value(name = "The client was slower than the stream", nick = "too-slow")]
    TooSlow,
    /// Nothing moved for as long as `timeout` allows.
    #[enum_value(
        name = "Nothing was sent or taken within the timeout",
        nick = "timeout"
    )]
    Timeout,
    /// Everything is sent.
    #[enum_value(name = "The stream has ended", nick = "eos")]
    Eos,
    /// The user removed it.
    #[enum_value(name = "The application removed the client", nick = "removed")]
    Removed,
    /// The element was stopped.
    #[enum_value(name = "The element was stopped", nick = "stopped")]
    Stopped,
}

impl From<Reason> for RemoveReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::ClosedByPeer => Self::Closed,
            Reason::Failed => Self::Failed,
            Reason::TooSlow => Self::TooSlow,
            Reason::TimedOut => Self::Timeout,
            Reason::EndOfStream => Self::Eos,
            Reason::Removed => Self::Removed,
            Reason::Stopped => Self::Stopped,
        }
    }
}

/// Makes the types known that appear in properties of both elements.
pub fn register_types() {
    let flags = gst::PluginAPIFlags::empty();
    Mode::static_type().mark_as_plugin_api(flags);
    LengthFormat::static_type().mark_as_plugin_api(flags);
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
    pub max_frame_size: u64,
    pub connect_timeout: gst::ClockTime,
    pub timeout: gst::ClockTime,
    pub reconnect: bool,
    pub qos_dscp: i32,
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
            max_frame_size: 99_999_999,
            connect_timeout: gst::ClockTime::from_seconds(10),
            timeout: gst::ClockTime::ZERO,
            reconnect: false,
            qos_dscp: -1,
            refused: Vec::new(),
        }
    }
}

impl Common {
    /// The form of the headers.
    pub fn header_format(&self) -> HeaderFormat {
        match self.length_format {
            // The property's range is a header's.
            LengthFormat::Decimal => HeaderFormat::Decimal(self.length_digits as u8),
            LengthFormat::U16Be => HeaderFormat::U16Be,
            LengthFormat::U16Le => HeaderFormat::U16Le,
            LengthFormat::U32Be => HeaderFormat::U32Be,
            LengthFormat::U32Le => HeaderFormat::U32Le,
            LengthFormat::U64Be => HeaderFormat::U64Be,
            LengthFormat::U64Le => HeaderFormat::U64Le,
            LengthFormat::Varint => HeaderFormat::Varint,
        }
    }

    /// Whether they make sense together; else a sentence that says what does.
    pub fn check(&self) -> Result<(), String> {
        if let Some((name, reason)) = self.refused.first() {
            return Err(format!("The {name} was refused: {reason}"));
        }
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
    pub fn target(&self) -> std::io::Result<Target> {
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

/// When a property may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changeable {
    /// In NULL and READY.
    InReady,
    /// At any time, with effect from the next frame on.
    Always,
}

impl Changeable {
    /// As GObject and GStreamer say it.
    pub fn flags(self) -> glib::ParamFlags {
        glib::ParamFlags::READWRITE
            | match self {
                Self::InReady => gst::PARAM_FLAG_MUTABLE_READY,
                Self::Always => gst::PARAM_FLAG_MUTABLE_PLAYING,
            }
    }
}

type Get<S> = Box<dyn Fn(&S) -> glib::Value + Send + Sync>;
type Set<S> = Box<dyn Fn(&mut S, &glib::Value) -> Result<(), String> + Send + Sync>;

/// One property of an element with the settings `S`.
pub struct Property<S> {
    /// What GObject shows of it.
    pub spec: glib::ParamSpec,
    /// When it may be changed.
    pub changeable: Changeable,
    get: Get<S>,
    set: Set<S>,
}

impl<S> Property<S> {
    /// The value in `settings`.
    pub fn get(&self, settings: &S) -> glib::Value {
        (self.get)(settings)
    }

    /// Puts a value into `settings`, or says why it cannot be.
    pub fn set(&self, settings: &mut S, value: &glib::Value) -> Result<(), String> {
        (self.set)(settings, value)
    }

    /// Of any type.
    pub fn custom(
        spec: glib::ParamSpec,
        get: impl Fn(&S) -> glib::Value + Send + Sync + 'static,
        set: impl Fn(&mut S, &glib::Value) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let is_always = spec.flags().contains(gst::PARAM_FLAG_MUTABLE_PLAYING);
        Self {
            changeable: if is_always {
                Changeable::Always
            } else {
                Changeable::InReady
            },
            spec,
            get: Box::new(get),
            set: Box::new(set),
        }
    }
}

impl<S: Default + 'static> Property<S> {
    /// A yes or no.
    pub fn boolean(
        name: &'static str,
        blurb: &'static str,
        changeable: Changeable,
        get: fn(&S) -> bool,
        set: fn(&mut S, bool),
    ) -> Self {
        let spec = glib::ParamSpecBoolean::builder(name)
            .blurb(blurb)
            .default_value(get(&S::default()))
            .flags(changeable.flags())
            .build();
        Self::plain(spec, get, set)
    }

    /// A number of 32 bits.
    pub fn uint(
        name: &'static str,
        blurb: &'static str,
        changeable: Changeable,
        range: std::ops::RangeInclusive<u32>,
        get: fn(&S) -> u32,
        set: fn(&mut S, u32),
    ) -> Self {
        let spec = glib::ParamSpecUInt::builder(name)
            .blurb(blurb)
            .minimum(*range.start())
            .maximum(*range.end())
            .default_value(get(&S::default()))
            .flags(changeable.flags())
            .build();
        Self::plain(spec, get, set)
    }

    /// A number of 64 bits.
    pub fn uint64(
        name: &'static str,
        blurb: &'static str,
        changeable: Changeable,
        get: fn(&S) -> u64,
        set: fn(&mut S, u64),
    ) -> Self {
        let spec = glib::ParamSpecUInt64::builder(name)
            .blurb(blurb)
            .default_value(get(&S::default()))
            .flags(changeable.flags())
            .build();
        Self::plain(spec, get, set)
    }

    /// A time in nanoseconds.
    pub fn time(
        name: &'static str,
        blurb: &'static str,
        changeable: Changeable,
        get: fn(&S) -> gst::ClockTime,
        set: fn(&mut S, gst::ClockTime),
    ) -> Self {
        let spec = glib::ParamSpecUInt64::builder(name)
            .blurb(blurb)
            // The largest stands for no time at all.
            .maximum(u64::MAX - 1)
            .default_value(get(&S::default()).nseconds())
            .flags(changeable.flags())
            .build();
        Self::custom(
            spec,
            move |settings| get(settings).nseconds().to_value(),
            move |settings, value| {
                let time = value.get::<u64>().map_err(wrong_type)?;
                set(settings, gst::ClockTime::from_nseconds(time));
                Ok(())
            },
        )
    }

    /// One of a list.
    pub fn choice<T>(
        name: &'static str,
        blurb: &'static str,
        changeable: Changeable,
        get: fn(&S) -> T,
        set: fn(&mut S, T),
    ) -> Self
    where
        T: ToValue + HasParamSpec + StaticType + glib::translate::FromGlib<i32> + 'static,
        T: for<'a> glib::value::FromValue<'a> + glib::translate::IntoGlib<GlibType = i32>,
    {
        let spec = glib::ParamSpecEnum::builder_with_default(name, get(&S::default()))
            .blurb(blurb)
            .flags(changeable.flags())
            .build();
        Self::plain(spec, get, set)
    }

    fn plain<T>(spec: glib::ParamSpec, get: fn(&S) -> T, set: fn(&mut S, T)) -> Self
    where
        T: ToValue + for<'a> glib::value::FromValue<'a> + 'static,
    {
        Self::custom(
            spec,
            move |settings| get(settings).to_value(),
            move |settings, value| {
                set(settings, value.get().map_err(wrong_type)?);
                Ok(())
            },
        )
    }
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

/// The properties that both elements have.
pub fn common_properties<S: Settings>() -> Vec<Property<S>> {
    use Changeable::InReady;
    let mut properties = opening_properties();
    properties.extend(borrowing_properties());
    properties.extend([
        Property::choice(
            "length-format",
            "How a header writes the length of its payload; both ends must agree",
            InReady,
            |s: &S| s.common().length_format,
            |s, format| s.common_mut().length_format = format,
        ),
        Property::uint(
            "length-digits",
            "How many digits a header has with length-format=decimal; both ends must agree. They limit a \
             frame: 8 digits to 99999999 bytes",
            InReady,
            1..=20,
            |s: &S| s.common().length_digits,
            |s, digits| s.common_mut().length_digits = digits,
        ),
        Property::uint64(
            "max-frame-size",
            "Longest payload in bytes; a longer frame is an error, before memory is taken for it \
             (0 = only empty frames)",
            InReady,
            |s: &S| s.common().max_frame_size,
            |s, max| s.common_mut().max_frame_size = max,
        ),
        Property::time(
            "connect-timeout",
            "How long to go on trying to connect, in nanoseconds; refused, unreachable and unresolved \
             alike are tried again after 100 ms to 2 s (0 = for ever)",
            InReady,
            |s: &S| s.common().connect_timeout,
            |s, timeout| s.common_mut().connect_timeout = timeout,
        ),
        Property::boolean(
            "reconnect",
            "true = when a connection has ended, connect again, for connect-timeout, or wait again, and a fault is \
             a warning; \
             false = a clean end is the end of the stream, and a fault an error. A sink that listens, without a \
             connection-id, serves the next client either way. Without effect on a given socket",
            InReady,
            |s: &S| s.common().reconnect,
            |s, reconnect| s.common_mut().reconnect = reconnect,
        ),
        Property::custom(
            glib::ParamSpecInt::builder("qos-dscp")
                .blurb("DSCP mark of the packets sent (-1 = the system's default)")
                .minimum(-1)
                .maximum(63)
                .default_value(S::default().common().qos_dscp)
                .flags(InReady.flags())
                .build(),
            |s: &S| s.common().qos_dscp.to_value(),
            |s, value| {
                s.common_mut().qos_dscp = value.get().map_err(wrong_type)?;
                Ok(())
            },
        ),
    ]);
    properties
}

/// What decides where to connect or listen.
fn opening_properties<S: Settings>() -> Vec<Property<S>> {
    use Changeable::InReady;
    vec![
        Property::choice(
            "mode",
            "Who makes the connection: this element, or the peer, for which this element then waits. A sink \
             that listens serves any number of clients, a source one sender at a time, while the next waits",
            InReady,
            |s: &S| s.common().mode,
            |s, mode| s.common_mut().mode = mode,
        ),
        text(
            "host",
            "mode=connect: name or address of the peer; all addresses of a name are tried, IPv6 and IPv4. \
             mode=listen: name or address of this machine to listen on; a name stands for all of its \
             addresses, * or nothing for every interface, IPv6 and IPv4",
            |s: &S| Some(s.common().host.clone()),
            |s, host| {
                s.common_mut().host = checked_host(&host.unwrap_or_default())?;
                Ok(())
            },
        ),
        Property::uint(
            "port",
            "TCP port: mode=connect: the peer's, from 1 on; mode=listen: the one to listen on (0 = any free \
             one, which current-port then tells)",
            InReady,
            0..=65535,
            |s: &S| s.common().port,
            |s, port| s.common_mut().port = port,
        ),
        Property::custom(
            glib::ParamSpecString::builder("uri")
                .blurb(
                    "The settings in one: videosocket://HOST:PORT?PROPERTY=VALUE&...; it sets host, port \
                     (4953 where it has none) and the properties it names, and leaves the others as they \
                     are. With a mistake in it the element does not start",
                )
                .default_value(Some(uri::without_query(S::default().common()).as_str()))
                .flags(InReady.flags())
                .build(),
            |s: &S| uri::to_string(s).to_value(),
            |s, value| uri::apply(value.get().map_err(wrong_type)?, s),
        ),
    ]
}

/// What stands in for a connection of the element's own.
fn borrowing_properties<S: Settings>() -> [Property<S>; 2] {
    [
        text(
            "connection-id",
            "Any text: a sink and a source of one process with the same one share one TCP connection, which \
             the source reads and the sink writes. mode, host, port, connect-timeout, reconnect and qos-dscp \
             of both must be the same (empty or none = a connection of its own)",
            |s: &S| s.common().connection_id.clone(),
            |s, id| {
                s.common_mut().connection_id = id.filter(|id| !id.is_empty());
                Ok(())
            },
        ),
        Property::custom(
            glib::ParamSpecObject::builder::<gio::Socket>("socket")
                .blurb(
                    "A connected socket to use instead of opening one (none = open one); mode, host, port, \
                     connect-timeout and reconnect are then unused: its end is the end of the stream, or an \
                     error",
                )
                .flags(Changeable::InReady.flags())
                .build(),
            |s: &S| {
                let socket = s.common().socket.as_ref();
                socket.map(GivenSocket::get).to_value()
            },
            |s, value| {
                let socket: Option<gio::Socket> = value.get().map_err(wrong_type)?;
                s.common_mut().socket = socket.map(GivenSocket::new);
                Ok(())
            },
        ),
    ]
}

fn text<S: Settings>(
    name: &'static str,
    blurb: &'static str,
    get: fn(&S) -> Option<String>,
    set: fn(&mut S, Option<String>) -> Result<(), String>,
) -> Property<S> {
    Property::custom(
        glib::ParamSpecString::builder(name)
            .blurb(blurb)
            .default_value(get(&S::default()).as_deref())
            .flags(Changeable::InReady.flags())
            .build(),
        move |s| get(s).to_value(),
        move |s, value| set(s, value.get().map_err(wrong_type)?),
    )
}

fn wrong_type(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A host as it is used: an IPv6 address loses the brackets that it has in a URI.
fn checked_host(host: &str) -> Result<String, String> {
    let host = host.trim();
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    match host.find(|c: char| c.is_whitespace() || c.is_control() || "/?#[]@".contains(c)) {
        Some(at) => Err(format!(
            "a host has no {:?}, but this one does: {host:?}",
            host[at..].chars().next().unwrap_or_default()
        )),
        None => Ok(host.into()),
    }
}
