// SPDX-License-Identifier: MPL-2.0
//! Values of properties as text, without what GLib and GStreamer let pass: numbers are taken modulo 2^32 there, no text
//! at all is 0, and bits without a name are none.

use std::ops::RangeInclusive;

use gst::{
    glib::{self, EnumClass, FlagsClass, ParamSpec, ParamSpecInt, ParamSpecUInt, ParamSpecUInt64},
    prelude::*,
};

/// Between the flags of a set.
const AND: char = '+';

/// The value that a text stands for, if the property can have it.
pub fn parse(spec: &ParamSpec, text: &str) -> Option<glib::Value> {
    let value_type = spec.value_type();
    if value_type == glib::Type::STRING {
        return Some(text.to_value());
    }
    if text.is_empty() {
        return None;
    }
    if let Some(range) = range(spec) {
        return number(value_type, number_in(text, range)?);
    }
    if let Some(class) = EnumClass::with_type(value_type) {
        let by_nick = class.to_value_by_nick(text);
        return by_nick.or_else(|| class.to_value(text.parse().ok()?));
    }
    if let Some(class) = FlagsClass::with_type(value_type) {
        if let Ok(bits) = text.parse::<u32>() {
            let known = class.values().iter().map(|flag| flag.value());
            let known = known.fold(0, |all, flag| all | flag);
            return class.to_value(bits).filter(|_| bits & !known == 0);
        }
        let nicks = text.split(AND).map(str::trim);
        return nicks
            .fold(class.builder(), |set, nick| set.set_by_nick(nick))
            .build();
    }
    glib::Value::deserialize_with_pspec(text, spec).ok()
}

/// The text that stands for a value; nothing where there is no value.
pub fn text(value: &glib::Value) -> Option<String> {
    if let Ok(text) = value.get::<Option<String>>() {
        return text;
    }
    if let Some((class, flags)) = glib::FlagsValue::from_value(value) {
        let is_set = flags.iter().filter(|flag| flag.value() != 0);
        let nicks: Vec<_> = is_set.map(|flag| flag.nick()).collect();
        if nicks.is_empty() {
            return class.value(0).map(|none| none.nick().into());
        }
        return Some(nicks.join(&AND.to_string()));
    }
    value.serialize().ok().map(Into::into)
}

/// What a property may be, in words.
pub fn possible(spec: &ParamSpec) -> Option<String> {
    if let Some(range) = range(spec) {
        return Some(format!("{} to {}", range.start(), range.end()));
    }
    let any_of = |nicks: &[&str]| format!("one of {}", nicks.join(", "));
    if let Some(class) = EnumClass::with_type(spec.value_type()) {
        let nicks: Vec<_> = class.values().iter().map(|value| value.nick()).collect();
        return Some(any_of(&nicks));
    }
    let class = FlagsClass::with_type(spec.value_type())?;
    let nicks: Vec<_> = class.values().iter().map(|value| value.nick()).collect();
    Some(format!(
        "{}, or several with {AND} between them",
        any_of(&nicks)
    ))
}

fn range(spec: &ParamSpec) -> Option<RangeInclusive<i128>> {
    fn wide(minimum: impl Into<i128>, maximum: impl Into<i128>) -> Option<RangeInclusive<i128>> {
        Some(minimum.into()..=maximum.into())
    }
    if let Some(spec) = spec.downcast_ref::<ParamSpecUInt>() {
        return wide(spec.minimum(), spec.maximum());
    }
    if let Some(spec) = spec.downcast_ref::<ParamSpecInt>() {
        return wide(spec.minimum(), spec.maximum());
    }
    let spec = spec.downcast_ref::<ParamSpecUInt64>()?;
    wide(spec.minimum(), spec.maximum())
}

fn number_in(text: &str, range: RangeInclusive<i128>) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
    let (digits, base) = hexadecimal.map_or((digits, 10), |digits| (digits, 16));
    let begins_with_digit = digits.chars().next()?.is_digit(base);
    let number = i128::from_str_radix(digits, base).ok()? * sign;
    (begins_with_digit && range.contains(&number)).then_some(number)
}

/// A number within the range of its type.
fn number(value_type: glib::Type, number: i128) -> Option<glib::Value> {
    match value_type {
        glib::Type::U32 => u32::try_from(number).ok().map(|number| number.to_value()),
        glib::Type::I32 => i32::try_from(number).ok().map(|number| number.to_value()),
        _ => u64::try_from(number).ok().map(|number| number.to_value()),
    }
}
