//! `videosocket://HOST:PORT?PROPERTY=VALUE&...`

use std::sync::{Mutex, PoisonError};

use gst::{
    glib::{self, Uri, UriFlags},
    prelude::*,
};

use crate::settings::{Common, Property, Settings, find};

/// The scheme of the URIs.
pub const SCHEME: &str = "videosocket";

/// Properties that are no part of a URI's query: the URI itself, what stands before the query, and what
/// has no text.
const NOT_IN_QUERY: [&str; 4] = ["uri", "host", "port", "socket"];

/// Sets what the URI says; whatever else is not changed. On an error nothing is.
pub fn apply<S: Settings>(uri: &str, settings: &mut S) -> Result<(), String> {
    let parsed = Uri::parse(uri, UriFlags::ENCODED_QUERY)
        .map_err(|error| format!("{uri:?} is no URI: {}", error.message()))?;
    if parsed.scheme() != SCHEME {
        return Err(format!("the scheme of {uri:?} is not {SCHEME}"));
    }
    if !matches!(parsed.path().as_str(), "" | "/") {
        return Err(format!("{uri:?} has a path, {:?}", parsed.path()));
    }
    if parsed.userinfo().is_some() || parsed.fragment().is_some() {
        return Err(format!("{uri:?} has a user or a fragment"));
    }
    let mut changes = vec![(
        "host".to_string(),
        parsed.host().unwrap_or_default().to_string(),
    )];
    let port = u32::try_from(parsed.port()).unwrap_or(S::default().common().port);
    changes.push(("port".into(), port.to_string()));
    let query = parsed.query().unwrap_or_default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, "true"));
        let key = unescaped(key)?;
        if NOT_IN_QUERY.contains(&key.as_str()) || find::<S>(&key).is_none() {
            return Err(format!("{uri:?} has an unknown key, {key:?}"));
        }
        changes.push((key, unescaped(value)?));
    }
    let parsed = changes
        .iter()
        .map(|(key, value)| parse(key, value).map_err(|reason| format!("{uri:?}: {reason}")))
        .collect::<Result<Vec<_>, _>>()?;
    // A host can still be refused, but it comes first.
    for (property, value) in parsed {
        property.set(settings, &value)?;
    }
    Ok(())
}

/// `set_uri` of the interface: refused while the element runs.
pub fn set<S: Settings>(
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
    let mut settings = settings.lock().unwrap_or_else(PoisonError::into_inner);
    apply(uri, &mut *settings).map_err(|reason| glib::Error::new(gst::URIError::BadUri, &reason))
}

/// The URI that says where, and nothing else.
pub fn without_query(common: &Common) -> String {
    let host = match common.host.as_str() {
        "" => "*".to_string(),
        ipv6 if ipv6.contains(':') => format!("[{ipv6}]"),
        host => escaped(host, "*"),
    };
    format!("{SCHEME}://{host}:{}", common.port)
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
        let (value, default) = (text(property, settings), text(property, &defaults));
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
    let property = find::<S>(name).ok_or_else(|| format!("unknown key {name:?}"))?;
    let bad = || format!("{text:?} is no value for {name}");
    let spec = &property.spec;
    let value = if spec.value_type() == glib::Type::STRING {
        text.to_value()
    } else {
        glib::Value::deserialize_with_pspec(text, spec).map_err(|_| bad())?
    };
    if is_in_range(spec, &value) {
        Ok((property, value))
    } else {
        Err(bad())
    }
}

fn is_in_range(spec: &glib::ParamSpec, value: &glib::Value) -> bool {
    if let (Some(spec), Ok(value)) = (spec.downcast_ref::<glib::ParamSpecUInt>(), value.get()) {
        return (spec.minimum()..=spec.maximum()).contains::<u32>(&value);
    }
    if let (Some(spec), Ok(value)) = (spec.downcast_ref::<glib::ParamSpecInt>(), value.get()) {
        return (spec.minimum()..=spec.maximum()).contains::<i32>(&value);
    }
    if let (Some(spec), Ok(value)) = (spec.downcast_ref::<glib::ParamSpecUInt64>(), value.get()) {
        return (spec.minimum()..=spec.maximum()).contains::<u64>(&value);
    }
    true
}

fn text<S: Settings>(property: &Property<S>, settings: &S) -> Option<String> {
    let value = property.get(settings);
    if let Ok(text) = value.get::<Option<String>>() {
        return text;
    }
    value.serialize().ok().map(Into::into)
}

fn escaped(text: &str, allowed: &str) -> String {
    Uri::escape_string(text, Some(allowed), false).into()
}

fn unescaped(text: &str) -> Result<String, String> {
    Uri::unescape_string(text, None)
        .map(Into::into)
        .ok_or_else(|| format!("{text:?} is not percent-encoded UTF-8"))
}
