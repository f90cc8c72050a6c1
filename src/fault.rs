// SPDX-License-Identifier: MPL-2.0
//! A transport's error as GStreamer's: domain, code, sentence, details.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use gst::prelude::*;

use crate::{net::Error, shared::OpenError, told::Told};

/// Which element met with the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The source.
    Receiving,
    /// The sink.
    Sending,
}

/// Where in the code an error was met with, as GStreamer's own elements tell it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub file: &'static str,
    pub function: &'static str,
    pub line: u32,
}

/// The place in which it stands.
macro_rules! here {
    () => {
        $crate::fault::Place {
            file: file!(),
            function: gst::glib::function_name!(),
            line: line!(),
        }
    };
}
pub(crate) use here;

/// The faults of an element's stream, as they are posted. The streaming thread may meet with the one that ends it as well
/// as the one that tells what happens, and the first of them posts it: one without a cause would else come before.
pub struct Faults {
    direction: Direction,
    told: Arc<Told>,
    is_over: AtomicBool,
}

impl Faults {
    /// None yet.
    pub fn new(direction: Direction, told: Arc<Told>) -> Self {
        Self {
            direction,
            told,
            is_over: AtomicBool::new(false),
        }
    }

    /// The stream is over. What is yet to be told of it is no error of the next.
    pub fn close(&self) {
        self.is_over.store(true, Relaxed);
    }

    /// Posts the error that ends the stream, unless that has been.
    pub fn post_error(&self, element: &impl IsA<gst::Element>, error: &Arc<Error>, place: Place) {
        if !self.is_over.swap(true, Relaxed) && self.told.is_news(error, element.upcast_ref()) {
            post_error(element, error, self.direction, place);
        }
    }

    /// Posts what the stream survives, unless that has been.
    pub fn post_warning(&self, element: &impl IsA<gst::Element>, error: &Arc<Error>, place: Place) {
        if self.told.is_news(error, element.upcast_ref()) {
            post_warning(element, error, self.direction, place);
        }
    }
}

fn post_error(element: &impl IsA<gst::Element>, error: &Error, direction: Direction, place: Place) {
    element.post_error_message(message(error, direction, place));
}

fn post_warning(
    element: &impl IsA<gst::Element>,
    error: &Error,
    direction: Direction,
    place: Place,
) {
    match code(error, direction) {
        Code::Resource(code) => post_warning_as(code, element, error, place),
        Code::Stream(code) => post_warning_as(code, element, error, place),
    }
}

fn post_warning_as(
    code: impl MessageErrorDomain,
    element: &impl IsA<gst::Element>,
    error: &Error,
    Place {
        file,
        function,
        line,
    }: Place,
) {
    let (text, details) = (error.to_string(), details(error));
    let kind = gst::ElementMessageType::Warning;
    element.message_full(
        kind,
        code,
        Some(&text),
        Some(&details),
        file,
        function,
        line,
    );
}

/// The error of a state change that fails.
pub fn message(error: &Error, direction: Direction, place: Place) -> gst::ErrorMessage {
    let (text, details) = (error.to_string(), details(error));
    match code(error, direction) {
        Code::Resource(code) => place.message(code, &text, Some(&details)),
        Code::Stream(code) => place.message(code, &text, Some(&details)),
    }
}

impl Place {
    fn message(
        self,
        code: impl MessageErrorDomain,
        text: &str,
        details: Option<&str>,
    ) -> gst::ErrorMessage {
        let Self {
            file,
            function,
            line,
        } = self;
        gst::ErrorMessage::new(&code, Some(text), details, file, function, line)
    }
}

impl OpenError {
    /// The error of a state change that fails because of it.
    pub fn message(&self, direction: Direction, place: Place) -> gst::ErrorMessage {
        match self {
            Self::Transport(error) => message(error, direction, place),
            Self::Contradiction { .. }
            | Self::Taken { .. }
            | Self::Settings(_)
            | Self::Socket(_) => {
                place.message(gst::ResourceError::Settings, &self.to_string(), None)
            }
        }
    }
}

enum Code {
    Resource(gst::ResourceError),
    Stream(gst::StreamError),
}

fn code(error: &Error, direction: Direction) -> Code {
    use gst::ResourceError::*;
    let sends = direction == Direction::Sending;
    Code::Resource(match error {
        error if error.is_about_trust() => NotAuthorized,
        Error::Credentials(_) => Settings,
        Error::Header { .. } | Error::Record { .. } | Error::IsTls { .. } | Error::Flood { .. } => {
            return Code::Stream(gst::StreamError::Decode);
        }
        Error::Unreachable { .. }
        | Error::Unresolved { .. }
        | Error::Bind { .. }
        | Error::Socket(_)
        | Error::Accept(_)
        | Error::Handshake { .. } => {
            if sends {
                OpenWrite
            } else {
                OpenRead
            }
        }
        Error::Send { .. }
        | Error::Receive { .. }
        | Error::Truncated { .. }
        | Error::Cut { .. }
        | Error::Silent { .. }
        | Error::GivesWay { .. }
        | Error::Stalled { .. }
        | Error::TooSlow { .. }
        | Error::Futile { .. } => {
            if sends {
                Write
            } else {
                Read
            }
        }
        Error::Exhausted(_) | Error::OutOfMemory { .. } => NoSpaceLeft,
        Error::Spent { .. } => Busy,
        Error::Internal(_) => Failed,
    })
}

/// The error with the system's own codes, and what is behind it.
fn details(error: &Error) -> String {
    format!("{error:?}")
}

/// The error of records that are to go along with frames of another form.
pub fn metadata_refused(wanted: &str, reason: impl fmt::Display) -> gst::ErrorMessage {
    gst::error_msg!(
        gst::ResourceError::Settings,
        ("metadata={wanted} goes with frames behind 8 plain digits, and not with {reason}")
    )
}
