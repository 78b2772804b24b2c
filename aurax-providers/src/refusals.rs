//! What an encoder refuses: errors that name the part that is wrong, before anything is sent.

use std::fmt;

use aurax_core::{Call, Error, ErrorKind, Op, Part, Phase, Request, Result};

/// An error for what cannot be left out without changing what was asked.
pub(crate) fn unsupported(subject: &(impl fmt::Display + ?Sized), why: impl Into<String>) -> Error {
    refused(ErrorKind::Unsupported, subject, why)
}

/// A request that no provider can answer.
pub(crate) fn invalid(subject: &(impl fmt::Display + ?Sized), message: impl Into<String>) -> Error {
    refused(ErrorKind::InvalidRequest, subject, message)
}

/// A part that stands where no conversation has one.
pub(crate) fn misplaced(subject: &(impl fmt::Display + ?Sized), kind: &str, why: &str) -> Error {
    invalid(subject, format!("{kind} out of place: {why}"))
}

/// A part in a `place` that has no form for it. Other wires have one for what is not words.
pub(crate) fn no_place(subject: &(impl fmt::Display + ?Sized), part: &Part, place: &str) -> Error {
    let kind = part.kind();
    match part {
        Part::Image(_) | Part::Document(_) | Part::Audio(_) | Part::Native(_) => {
            unsupported(subject, format!("this wire takes no {kind} in {place}"))
        }
        _ => invalid(
            subject,
            format!("a part of kind {kind} has no place in {place}"),
        ),
    }
}

/// A part of a message. It is named only where there is something to say of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) message: usize,
    pub(crate) part: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, part } = self;
        write!(f, "messages[{message}].parts[{part}]")
    }
}

/// The name of a part of a message, for errors and warnings.
pub(crate) fn subject(message: usize, part: usize) -> String {
    Place { message, part }.to_string()
}

/// The request of a chat, which is all that some requests are for.
pub(crate) fn chat(call: &Call) -> Result<&Request> {
    match &call.op {
        Op::Chat(request) => Ok(request),
        op => {
            let message = format!("this is for chats, not for {}", op.as_str());
            Err(unsupported(op.as_str(), message))
        }
    }
}

/// A request that cannot be written down.
pub(crate) fn no_json() -> Error {
    Error::new(ErrorKind::InvalidRequest, "the request has no JSON form").with_phase(Phase::Encode)
}

fn refused(
    kind: ErrorKind,
    subject: &(impl fmt::Display + ?Sized),
    message: impl Into<String>,
) -> Error {
    Error::new(kind, message)
        .with_context("part", subject.to_string())
        .with_phase(Phase::Encode)
}
