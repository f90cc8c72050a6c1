// SPDX-License-Identifier: MPL-2.0
//! `videosocket://HOST:PORT?PROPERTY=VALUE&...`, and the same with `videosockets`, encrypted.

use std::{borrow::Cow, sync::Mutex};

use gst::glib::{self, Uri, UriFlags};

use super::{
    common::{Common, Settings, change, find},
    property::Property,
    text,
};

/// The scheme of the URIs.
const SCHEME: &str = "videosocket";

/// The scheme of those of encrypted connections.
const TLS_SCHEME: &str = "videosockets";

/// Either.
pub const SCHEMES: [&str; 2] = [SCHEME, TLS_SCHEME];

/// Properties that are no part of a URI's query: the URI itself, what stands before the query, and what
/// has no text.
const NOT_IN_QUERY: [&str; 5] = ["uri", "tls", "host", "port", "socket"];

/// Sets what the URI says; whatever else is not changed. On an error nothing is.
pub fn apply<S: Settings>(uri: &str, settings: &mut S) -> Result<(), String> {
    let explained = |reason| format!("{uri:?} {reason}");
    let changes = changes::<S>(uri).map_err(explained)?;
    // What a property refuses is found before anything is changed.
    let mut tried = S::default();
    for settings in [&mut tried, settings] {
        for (property, value) in &changes {
            property
                .set(settings, value)
                .map_err(|reason| explained(format!("cannot be used: {reason}")))?;
        }
    }
    let is_set = |name: &str| {
        let mut set = changes.iter().map(|(property, _)| property.spec.name());
        name == "uri" || set.any(|other| other == name)
    };
    settings
        .common_mut()
        .refused
        .retain(|(name, _)| !is_set(name));
    Ok(())
}

/// The properties that the URI sets, the host first; or what is wrong with it.
fn changes<S: Settings>(uri: &str) -> Result<Vec<(&'static Property<S>, glib::Value)>, String> {
    let parsed = Uri::parse(&with_escaped_interface(uri), UriFlags::ENCODED_QUERY)
        .map_err(|error| format!("is no URI: {}", error.message()))?;
    let scheme = parsed.scheme();
    if !SCHEMES.contains(&scheme.as_str()) {
        return Err(format!(
            "does not begin with {SCHEME}:// or {TLS_SCHEME}://"
        ));
    }
    let is_encrypted = scheme == TLS_SCHEME;
    if !matches!(parsed.path().as_str(), "" | "/") {
        return Err(format!("has a path, {:?}", parsed.path()));
    }
    if parsed.userinfo().is_some() || parsed.fragment().is_some() {
        return Err("has a user or a fragment".into());
    }
    let mut changes = vec![(
        "host".to_string(),
        parsed.host().unwrap_or_default().to_string(),
    )];
    let port = u32::try_from(parsed.port()).unwrap_or(S::default().common().port);
    changes.push(("port".into(), port.to_string()));
    changes.push(("tls".into(), is_encrypted.to_string()));
    let query = parsed.query().unwrap_or_default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, "true"));
        let key = unescaped(key)?;
        if key == "tls" {
            return Err(format!(
                "has the key \"tls\", which its scheme says: {TLS_SCHEME}:// is tls=true, {SCHEME}:// is tls=false"
            ));
        }
        if NOT_IN_QUERY.contains(&key.as_str()) {
            return Err(unknown(&key));
        }
        changes.push((key, unescaped(value)?));
    }
    changes
        .iter()
        .map(|(key, value)| parse(key, value))
        .collect()
}

/// RFC 6874 has the interface of an address behind `%25`, where many write `%` alone.
fn with_escaped_interface(uri: &str) -> Cow<'_, str> {
    const BEFORE: &str = "://[";
    let percent = || {
        let (scheme, rest) = uri.split_once(BEFORE)?;
        let (host, _) = rest.split_once(']')?;
        Some(scheme.len() + BEFORE.len() + host.find('%')?)
    };
    match percent().map(|at| uri.split_at(at)) {
        Some((before, after)) if !after.starts_with("%25") => {
            format!("{before}%25{}", &after[1..]).into()
        }
        _ => uri.into(),
    }
}

/// `set_uri` of the interface: refused while the element runs.
pub fn set<S: Settings + Clone>(
    settings: &Mutex<S>,
    uri: &str,
    is_running: bool,
) -> Result<(), glib::Error> {
    if is_running {
        return Err(glib::Error::new(
            gst::URIError::BadState,
            "The URI cannot be changed while the element is PAUSED or PLAYING",
        ));
    }
    change(settings, |settings| apply(uri, settings))
        .map_err(|reason| glib::Error::new(gst::URIError::BadUri, &reason))
}

/// The URI that says where, and nothing else.
pub fn without_query(common: &Common) -> String {
    let host = match common.host.as_str() {
        "" => "*".to_string(),
        ipv6 if ipv6.contains(':') => match ipv6.split_once('%') {
            Some((address, interface)) => format!("[{address}%25{}]", escaped(interface, "")),
            None => format!("[{ipv6}]"),
        },
        host => escaped(host, "*"),
    };
    let scheme = if common.tls.is_on { TLS_SCHEME } else { SCHEME };
    format!("{scheme}://{host}:{}", common.port)
}

/// The URI that says what differs from the defaults.
pub fn to_string<S: Settings>(settings: &S) -> String {
    let mut uri = without_query(settings.common());
    let defaults = S::default();
    let mut separator = '?';
    for property in S::properties() {
        let name = property.spec.name();
        if NOT_IN_QUERY.contains(&name) {
            continue;
        }
        let [value, default] =
            [settings, &defaults].map(|settings| text::text(&property.get(settings)));
        if value == default {
            continue;
        }
        let value = escaped(&value.unwrap_or_default(), ",:/@*");
        uri.push_str(&format!("{separator}{name}={value}"));
        separator = '&';
    }
    uri
}

/// A property's value from text, within the property's range.
fn parse<S: Settings>(
    name: &str,
    text: &str,
) -> Result<(&'static Property<S>, glib::Value), String> {
    let property = find::<S>(name).ok_or_else(|| unknown(name))?;
    let value = text::parse(&property.spec, text).ok_or_else(|| {
        let possible = text::possible(&property.spec).map(|possible| format!(": it is {possible}"));
        let possible = possible.unwrap_or_default();
        format!("gives {name} the value {text:?}, which it cannot have{possible}")
    })?;
    Ok((property, value))
}

fn unknown(key: &str) -> String {
    format!("has an unknown key, {key:?}")
}

fn escaped(text: &str, allowed: &str) -> String {
    Uri::escape_string(text, Some(allowed), false).into()
}

fn unescaped(text: &str) -> Result<String, String> {
    // GLib decodes a text to what may be none.
    let bytes = Uri::unescape_bytes(text, None).ok();
    let unescaped = bytes.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    unescaped
        .filter(|unescaped| !unescaped.contains('\0'))
        .ok_or_else(|| format!("has {text:?}, which is not percent-encoded UTF-8 without NUL"))
}
