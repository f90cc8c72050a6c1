// SPDX-License-Identifier: MPL-2.0
//! A property: a row that knows its type, its documentation and its place.

use gst::{glib, prelude::*};

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

    /// A number of 32 bits that may be negative.
    pub fn int(
        name: &'static str,
        blurb: &'static str,
        changeable: Changeable,
        range: std::ops::RangeInclusive<i32>,
        get: fn(&S) -> i32,
        set: fn(&mut S, i32),
    ) -> Self {
        let spec = glib::ParamSpecInt::builder(name)
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

/// A value that is none of a property's type.
pub fn wrong_type(error: impl std::fmt::Display) -> String {
    error.to_string()
}
