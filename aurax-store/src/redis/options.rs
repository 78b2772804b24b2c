//! What can be set, and to what.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aurax_core::{Error, ErrorKind, Result, Secret};

/// How long a login may be remembered: a minute at most, so that a revoked one is soon refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginTtl(Duration);

impl LoginTtl {
    /// The longest: 60 s.
    pub const MOST: Self = Self(Duration::from_secs(60));

    /// Checks a time to live. Zero remembers nothing.
    ///
    /// # Errors
    /// `Config` for more than [`LoginTtl::MOST`].
    pub fn new(ttl: Duration) -> Result<Self> {
        if ttl > Self::MOST.0 {
            let message = format!("logins are remembered for 60 s at most, not for {ttl:?}");
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(Self(ttl))
    }

    /// The time to live.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl Default for LoginTtl {
    fn default() -> Self {
        Self::MOST
    }
}

/// How Redis is used.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RedisOptions {
    /// What every key begins with, one for each installation; `aurax:`.
    pub prefix: String,
    /// With what keys are hashed, so that who can read Redis cannot find out by trying what they
    /// stand for; empty. All processes of an installation share it.
    pub secret: Arc<Secret>,
    /// A file of certificates (PEM) to trust instead of the system's; for `rediss://` alone.
    pub ca_file: Option<PathBuf>,
    /// How long a command may take, connecting included, until it counts as failed; 50 ms.
    pub timeout: Duration,
    /// How long connecting may take. It goes on while commands give up; 1 s.
    pub connect_timeout: Duration,
    /// How many commands may wait at a time; 1,024. One more fails at once.
    pub max_waiting: usize,
    /// After how many failures in a row Redis is left alone; 5.
    pub max_failures: NonZeroU32,
    /// For how long it is left alone, until one command tries again; 1 s.
    pub pause: Duration,
    /// Among how many processes a rate limit is shared out while Redis is away; 1.
    pub replicas: NonZeroU32,
    /// The longest that an answer is kept, whatever its own time to live; 24 h.
    pub answer_ttl: Duration,
    /// How long a login is remembered; 60 s.
    pub login_ttl: LoginTtl,
    /// How long a list of models is kept; 1 h.
    pub model_ttl: Duration,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            prefix: "aurax:".to_owned(),
            secret: Arc::new(Secret::new("")),
            ca_file: None,
            timeout: Duration::from_millis(50),
            connect_timeout: Duration::from_secs(1),
            max_waiting: 1_024,
            max_failures: NonZeroU32::MIN.saturating_add(4),
            pause: Duration::from_secs(1),
            replicas: NonZeroU32::MIN,
            answer_ttl: Duration::from_secs(24 * 60 * 60),
            login_ttl: LoginTtl::default(),
            model_ttl: Duration::from_secs(60 * 60),
        }
    }
}

impl RedisOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says what every key begins with.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Says with what keys are hashed.
    #[must_use]
    pub fn with_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.secret = Arc::new(secret.into());
        self
    }

    /// Trusts the certificates of a file instead of the system's.
    #[must_use]
    pub fn with_ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(file.into());
        self
    }

    /// Says how long a command may take.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Says how long connecting may take.
    #[must_use]
    pub const fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Says how many commands may wait at a time.
    #[must_use]
    pub const fn with_max_waiting(mut self, commands: usize) -> Self {
        self.max_waiting = commands;
        self
    }

    /// Says after how many failures in a row Redis is left alone.
    #[must_use]
    pub const fn with_max_failures(mut self, failures: NonZeroU32) -> Self {
        self.max_failures = failures;
        self
    }

    /// Says for how long Redis is left alone.
    #[must_use]
    pub const fn with_pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Says among how many processes limits are shared out.
    #[must_use]
    pub const fn with_replicas(mut self, replicas: NonZeroU32) -> Self {
        self.replicas = replicas;
        self
    }

    /// Says how long an answer is kept at most.
    #[must_use]
    pub const fn with_answer_ttl(mut self, ttl: Duration) -> Self {
        self.answer_ttl = ttl;
        self
    }

    /// Says how long a login is remembered.
    #[must_use]
    pub const fn with_login_ttl(mut self, ttl: LoginTtl) -> Self {
        self.login_ttl = ttl;
        self
    }

    /// Says how long a list of models is kept.
    #[must_use]
    pub const fn with_model_ttl(mut self, ttl: Duration) -> Self {
        self.model_ttl = ttl;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_remembered_for_a_minute_at_most() {
        let minute = Duration::from_secs(60);
        assert_eq!(LoginTtl::new(minute).unwrap(), LoginTtl::MOST);
        assert_eq!(LoginTtl::default().get(), minute);
        let error = LoginTtl::new(minute + Duration::from_nanos(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}
