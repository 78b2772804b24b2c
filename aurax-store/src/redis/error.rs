//! What Redis or the way to it says, as the engine's error.
//!
//! Redis's own words stay out of it: they may repeat what a command said.

use std::time::Duration;

use ::redis::{ErrorKind as RedisKind, RedisError, ServerErrorKind};
use aurax_core::{Error, ErrorKind};

/// What a failed command says about Redis itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// It answered, with a refusal.
    Answering,
    /// It cannot be reached, or does not let us in.
    Failing,
}

pub(super) fn read(error: &RedisError) -> (Error, Health) {
    match error.kind() {
        RedisKind::AuthenticationFailed => (refused(), Health::Failing),
        RedisKind::InvalidClientConfig => {
            let message = "redis cannot be used the way it is configured";
            (Error::new(ErrorKind::Config, message), Health::Failing)
        }
        RedisKind::Io => (network(error), Health::Failing),
        RedisKind::Server(ServerErrorKind::NoPerm) => {
            let message = "redis does not allow its user what is needed: reading, writing, scripts";
            (Error::new(ErrorKind::Config, message), Health::Answering)
        }
        RedisKind::Server(_) | RedisKind::Extension => match error.code().unwrap_or("ERR") {
            "NOAUTH" | "WRONGPASS" => (refused(), Health::Failing),
            code @ ("LOADING" | "MASTERDOWN" | "CLUSTERDOWN") => (said(code), Health::Failing),
            code => (said(code), Health::Answering),
        },
        _ => (unreadable(), Health::Answering),
    }
}

fn refused() -> Error {
    let message = "redis does not accept the user or password; set both in its URL";
    Error::new(ErrorKind::Config, message)
}

fn said(code: &str) -> Error {
    Error::new(ErrorKind::Server, "redis refused a command").with_context("code", code)
}

pub(super) fn unreadable() -> Error {
    Error::new(ErrorKind::Decode, "redis's reply cannot be read")
}

fn network(error: &RedisError) -> Error {
    let reason = error.to_string();
    if reason.contains("invalid peer certificate") {
        let message = "redis's certificate is not trusted; name its authority's file";
        return Error::new(ErrorKind::Config, message).with_context("reason", reason);
    }
    Error::new(ErrorKind::Network, "redis cannot be reached").with_context("reason", reason)
}

pub(super) fn slow(limit: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!("redis did not answer within {limit:?}"),
    )
}

pub(super) fn busy(most: usize) -> Error {
    Error::new(
        ErrorKind::Overloaded,
        format!("{most} commands wait for redis already"),
    )
}

/// While Redis is left alone, after failures of which `reason` was the last.
pub(super) fn left_alone(wait: Duration, reason: &str) -> Error {
    Error::new(
        ErrorKind::Network,
        "redis failed and is left alone for a while",
    )
    .with_retry_after(Some(wait))
    .with_context("reason", reason)
}

pub(super) fn no_runtime() -> Error {
    Error::new(
        ErrorKind::Config,
        "redis is asked from within a tokio runtime with I/O and time",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_reduced_to_its_code() {
        let server = ::redis::make_extension_error(
            "WEIRD".to_owned(),
            Some("unknown command, args beginning with: 'hush'".to_owned()),
        );
        let (error, health) = read(&server);
        assert_eq!(health, Health::Answering);
        assert_eq!(error.context("code"), Some("WEIRD"));
        assert!(!format!("{error} {error:?}").contains("hush"));
    }
}
