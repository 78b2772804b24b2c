//! How a command ends.

use std::io::{ErrorKind as IoKind, Write as _};

use aurax::{Error, ErrorKind};

/// It is done.
pub(super) const DONE: u8 = 0;
/// It failed.
pub(super) const FAILED: u8 = 1;
/// The command line, the configuration or the request makes no sense.
pub(super) const USAGE: u8 = 2;
/// The provider or the network.
const PROVIDER: u8 = 3;
/// There is no such thing.
const NOT_FOUND: u8 = 4;
/// A budget or a quota has no room for it.
const REFUSED: u8 = 5;
/// Somebody interrupted it.
const INTERRUPTED: u8 = 130;

/// What a command ends with.
pub(super) type Done<T = ()> = Result<T, Failure>;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// With what to say, and what may help.
    Error(Error, Option<String>),
    /// Nobody reads what is printed any more, which is no fault.
    Closed,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let hint = hint(&error);
        Self::Error(error, hint)
    }
}

impl From<std::io::Error> for Failure {
    /// Of writing to the standard streams.
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            IoKind::BrokenPipe => Self::Closed,
            _ => Error::new(ErrorKind::Internal, format!("cannot print: {error}")).into(),
        }
    }
}

impl Failure {
    /// The command line makes no sense.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::Error(Error::new(ErrorKind::InvalidRequest, message), None)
    }

    /// Something that the operator has to put right.
    pub(super) fn config(message: impl Into<String>) -> Self {
        Self::Error(Error::new(ErrorKind::Config, message), None)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::Error(Error::new(ErrorKind::NotFound, message), None)
    }

    pub(super) fn interrupted() -> Self {
        Self::Error(Error::new(ErrorKind::Cancelled, "interrupted"), None)
    }

    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Error(error, _) => Self::Error(error, Some(hint.into())),
            other => other,
        }
    }

    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Error(error, _) => code(error),
            Self::Closed => DONE,
        }
    }
}

/// Says on standard error what went wrong, and gives the exit code.
pub(super) fn report(failure: &Failure) -> u8 {
    if let Failure::Error(error, hint) = failure {
        let mut text = format!("error: {error}\n");
        if let Some(hint) = hint {
            text.push_str(&format!("hint: {hint}\n"));
        }
        // Where standard error is gone there is nobody to tell.
        drop(std::io::stderr().write_all(text.as_bytes()));
    }
    failure.code()
}

fn code(error: &Error) -> u8 {
    let was_sent = error.upstream().is_some() || error.phase().is_some_and(is_network);
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ModelNotFound => NOT_FOUND,
        ErrorKind::Cancelled => INTERRUPTED,
        ErrorKind::Budget | ErrorKind::Quota => REFUSED,
        ErrorKind::Auth
        | ErrorKind::Permission
        | ErrorKind::RateLimited
        | ErrorKind::Overloaded
        | ErrorKind::Server
        | ErrorKind::Network
        | ErrorKind::Timeout
        | ErrorKind::ContentFilter => PROVIDER,
        _ if was_sent => PROVIDER,
        ErrorKind::Config
        | ErrorKind::InvalidRequest
        | ErrorKind::Unsupported
        | ErrorKind::ContextLength
        | ErrorKind::TooLarge
        | ErrorKind::Unpriced => USAGE,
        _ => FAILED,
    }
}

fn is_network(phase: aurax::Phase) -> bool {
    phase > aurax::Phase::Encode
}

fn hint(error: &Error) -> Option<String> {
    let hint = match error.kind() {
        ErrorKind::ModelNotFound => "`aurax models PROVIDER` lists a provider's models",
        ErrorKind::Auth => {
            "set the provider's key in its usual variable, or store one: aurax keys add PROVIDER"
        }
        ErrorKind::Config if error.message().starts_with("no API key") => {
            let provider = error.context("provider").unwrap_or("PROVIDER");
            return Some(format!("or store one: aurax keys add {provider}"));
        }
        ErrorKind::Config if error.message().starts_with("no model is named") => {
            "name one with -m, set AURAX_MODEL, or give a provider's key"
        }
        ErrorKind::Budget => "`aurax usage` shows what was spent",
        ErrorKind::SessionBusy => "another command or client is answering in it: try again",
        ErrorKind::RateLimited | ErrorKind::Overloaded => {
            return error.retry_after().map(|after| {
                let seconds = after.as_secs().max(1);
                format!("the provider asks to wait {seconds} s")
            });
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use aurax::{Phase, Upstream};

    use super::*;

    #[test]
    fn a_failure_has_its_code() {
        let of = |kind| Failure::from(Error::new(kind, "x")).code();
        assert_eq!(of(ErrorKind::Config), 2);
        assert_eq!(of(ErrorKind::InvalidRequest), 2);
        assert_eq!(of(ErrorKind::Network), 3);
        assert_eq!(of(ErrorKind::ModelNotFound), 4);
        assert_eq!(of(ErrorKind::Budget), 5);
        assert_eq!(of(ErrorKind::Store), 1);
        assert_eq!(of(ErrorKind::Cancelled), 130);
        assert_eq!(of(ErrorKind::Decode), 1);
        let said =
            Error::new(ErrorKind::InvalidRequest, "x").with_upstream(Upstream::new(Some(400), "y"));
        assert_eq!(Failure::from(said).code(), 3);
        let cut = Error::new(ErrorKind::Truncated, "x").with_phase(Phase::Body);
        assert_eq!(Failure::from(cut).code(), 3);
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let left = std::io::Error::from(IoKind::BrokenPipe);
        assert_eq!(Failure::from(left).code(), 0);
    }
}
