// SPDX-License-Identifier: MPL-2.0
//! What the user sets. Each property is declared once, in a row that knows its type, its documentation
//! and its place; `gst-inspect-1.0`, `get_property`, `set_property` and the URI all read the row.

use gst::{glib, prelude::*};

mod common;
mod given_socket;
mod preamble;
mod property;
mod read_only;
mod text;
mod tls;
pub mod uri;

use crate::wire::{MAX_ADJUSTMENT, MAX_DIGITS, MAX_SKIPPED};

pub use self::{
    common::{Common, LengthFormat, Mode, Settings, change, find, non_zero, set},
    given_socket::{GivenSocket, Unusable},
    preamble::Preamble,
    property::{Changeable, Property, wrong_type},
    read_only::{CLIENTS_BLURB, TIMING_BLURB, read_only_properties},
};

/// Makes the types known that appear in properties of both elements.
pub fn register_types() {
    let flags = gst::PluginAPIFlags::empty();
    Mode::static_type().mark_as_plugin_api(flags);
    LengthFormat::static_type().mark_as_plugin_api(flags);
}

/// The properties that both elements have.
pub fn common_properties<S: Settings>() -> Vec<Property<S>> {
    use Changeable::InReady;
    let mut properties = opening_properties();
    properties.extend(borrowing_properties());
    properties.extend(header_properties());
    properties.push(preamble_property());
    properties.extend(tls::properties());
    properties.extend([
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
             a warning (of a peer that ends each connection at once the first one only, and the pauses grow to 2 s); \
             false = a clean end is the end of the stream, and a fault an error. A sink that listens, without a \
             connection-id, serves the next client either way. Without effect on a given socket",
            InReady,
            |s: &S| s.common().reconnect,
            |s, reconnect| s.common_mut().reconnect = reconnect,
        ),
        Property::int(
            "qos-dscp",
            "DSCP mark of the packets sent (-1 = the system's default)",
            InReady,
            -1..=63,
            |s: &S| s.common().qos_dscp,
            |s, dscp| s.common_mut().qos_dscp = dscp,
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
             addresses, * or nothing for every interface, IPv6 and IPv4. A link-local IPv6 address needs its \
             network interface: fe80::1%eth0",
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
                    "The settings in one: videosocket://HOST:PORT?PROPERTY=VALUE&..., or videosockets:// for \
                     tls=true; it sets tls, host, port (4953 where it has none) and the properties it names, and leaves the others as they \
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
             the source reads and the sink writes. mode, host, port, connect-timeout, reconnect, qos-dscp and \
             tls of both must be the same, and the socket if the second is given one (empty or none = a connection of its own)",
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

/// What a header looks like.
fn header_properties<S: Settings>() -> [Property<S>; 5] {
    use Changeable::InReady;
    [
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
             frame: 8 digits to 99999999 bytes. Zeros are sent in front; spaces on either side are received as well",
            InReady,
            1..=MAX_DIGITS.into(),
            |s: &S| s.common().length_digits,
            |s, digits| s.common_mut().length_digits = digits,
        ),
        Property::uint(
            "length-offset",
            "How many bytes a header has in front of the length, such as a type or a time; skipped on receipt, \
             sent as zeros (0 = none)",
            InReady,
            0..=MAX_SKIPPED.into(),
            |s: &S| s.common().length_offset,
            |s, bytes| s.common_mut().length_offset = bytes,
        ),
        Property::uint(
            "length-trailer",
            "How many bytes a header has between the length and the payload, and the length does not count; \
             skipped on receipt, sent as zeros (0 = none)",
            InReady,
            0..=MAX_SKIPPED.into(),
            |s: &S| s.common().length_trailer,
            |s, bytes| s.common_mut().length_trailer = bytes,
        ),
        Property::int(
            "length-adjustment",
            "How many bytes are added to the number in a header to have the payload's length: -4 for a length \
             that counts its own 4 bytes (0 = the number is the length)",
            InReady,
            -i32::from(MAX_ADJUSTMENT)..=MAX_ADJUSTMENT.into(),
            |s: &S| s.common().length_adjustment,
            |s, bytes| s.common_mut().length_adjustment = bytes,
        ),
    ]
}

/// What comes before the first header.
fn preamble_property<S: Settings>() -> Property<S> {
    text(
        "preamble",
        "Bytes at the start of each connection, before the first frame, in hex, two digits each, 1024 bytes at most: \
         a sink sends them, a source reads as many and throws them away, whatever they are (empty or none = no \
         preamble)",
        |s: &S| {
            let preamble = &s.common().preamble;
            (!preamble.bytes().is_empty()).then(|| preamble.to_string())
        },
        |s, hex| {
            s.common_mut().preamble = Preamble::from_hex(&hex.unwrap_or_default())?;
            Ok(())
        },
    )
}

fn text<S: Settings>(
    name: &'static str,
    blurb: &'static str,
    get: impl Fn(&S) -> Option<String> + Send + Sync + 'static,
    set: impl Fn(&mut S, Option<String>) -> Result<(), String> + Send + Sync + 'static,
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

/// A host as it is used: an IPv6 address loses the brackets that it has in a URI.
fn checked_host(host: &str) -> Result<String, String> {
    let host = host.trim();
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    if let Some((name, port)) = with_port(host) {
        return Err(format!(
            "the port of {host:?} is a property of its own: host={name} port={port}"
        ));
    }
    match host.find(|c: char| c.is_whitespace() || c.is_control() || "/?#[]@".contains(c)) {
        Some(at) => Err(format!(
            "a host has no {:?}, but this one does: {host:?}",
            host[at..].chars().next().unwrap_or_default()
        )),
        None => Ok(host.into()),
    }
}

/// What looks like `name:4999`. An IPv6 address has more than one colon.
fn with_port(host: &str) -> Option<(&str, &str)> {
    let (name, port) = host.split_once(':')?;
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    is_port.then_some((name, port))
}
