//! Requests and tokens a minute: taken when a call begins, corrected when it has ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::quota::shared::SharedTaken;
use super::quota::{QuotaLeft, QuotaOf, QuotaState};
use super::window::Window;
use crate::chat::Event;
use crate::clock::Clock;
use crate::error::{Error, Phase};
use crate::reply::{Batch, Watch};
use crate::usage::Usage;

/// How much may be used within any minute; `None` is without limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Limits {
    pub(super) requests: Option<u64>,
    pub(super) tokens: Option<u64>,
}

impl Limits {
    pub(super) const fn is_none(self) -> bool {
        self.requests.is_none() && self.tokens.is_none()
    }
}

/// Why something does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    /// Which limit is in the way.
    pub(super) limit: &'static str,
    /// When it is not any more; `None` where the call alone is larger than the limit.
    pub(super) until: Option<Instant>,
}

/// What was used within the last minute.
#[derive(Debug)]
pub(super) struct Allowance {
    requests: Window,
    tokens: Window,
}

pub(super) type SharedAllowance = Arc<Mutex<Allowance>>;

pub(super) fn lock(allowance: &Mutex<Allowance>) -> MutexGuard<'_, Allowance> {
    allowance.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Allowance {
    const MINUTE: Duration = Duration::from_secs(60);

    pub(super) fn shared() -> SharedAllowance {
        Arc::new(Mutex::new(Self {
            requests: Window::new(Self::MINUTE),
            tokens: Window::new(Self::MINUTE),
        }))
    }

    /// Whether one request of `tokens` fits now.
    pub(super) fn check(&mut self, now: Instant, limits: Limits, tokens: u64) -> Result<(), Full> {
        let fits = [
            (
                "requests_per_minute",
                &mut self.requests,
                1,
                limits.requests,
            ),
            ("tokens_per_minute", &mut self.tokens, tokens, limits.tokens),
        ];
        for (name, window, amount, limit) in fits {
            let Some(limit) = limit else { continue };
            let until = window.fits_at(now, amount, limit);
            if until != Some(now) {
                return Err(Full { limit: name, until });
            }
        }
        Ok(())
    }

    /// Takes one request of `tokens`, or nothing.
    pub(super) fn take(&mut self, now: Instant, limits: Limits, tokens: u64) -> Result<(), Full> {
        self.check(now, limits, tokens)?;
        self.requests.add(now, 1);
        if limits.tokens.is_some() {
            self.tokens.add(now, tokens);
        }
        Ok(())
    }

    /// What is left now of what somebody may use.
    pub(super) fn left(&mut self, now: Instant, limits: Limits, of: QuotaOf) -> QuotaState {
        let left = |window: &mut Window, limit: Option<u64>| {
            let limit = limit?;
            let remaining = limit.saturating_sub(window.sum(now));
            let reset_in = window.empty_at(now).saturating_duration_since(now);
            Some(QuotaLeft::new(limit, remaining, reset_in, of))
        };
        QuotaState {
            requests: left(&mut self.requests, limits.requests),
            tokens: left(&mut self.tokens, limits.tokens),
        }
    }

    /// Takes back a request and its tokens of `at`, which came to nothing.
    fn give_back(&mut self, at: Instant, limits: Limits, tokens: u64) {
        self.requests.give_back(at, 1);
        if limits.tokens.is_some() {
            self.tokens.give_back(at, tokens);
        }
    }

    /// Puts the tokens that were used in place of those that were taken at `at`. More than that is
    /// counted as of `now`, when it became known.
    fn correct(&mut self, at: Instant, taken: u64, used: u64, now: Instant) {
        if used > taken {
            self.tokens.add(now, used.saturating_sub(taken));
        } else {
            self.tokens.give_back(at, taken.saturating_sub(used));
        }
    }
}

/// What tokens were taken from.
#[derive(Debug)]
pub(super) enum Account {
    /// What this process counts, at a moment.
    Own {
        allowance: SharedAllowance,
        clock: Arc<dyn Clock>,
        at: Instant,
    },
    /// What processes count together.
    Shared(SharedTaken),
}

impl Account {
    fn correct(&mut self, taken: u64, used: u64) {
        match self {
            Self::Own {
                allowance,
                clock,
                at,
            } => lock(allowance).correct(*at, taken, used, clock.monotonic()),
            Self::Shared(shared) => shared.correct(used),
        }
    }

    /// Takes back a request of `tokens` that came to nothing.
    pub(super) fn give_back(&mut self, limits: Limits, tokens: u64) {
        match self {
            Self::Own { allowance, at, .. } => lock(allowance).give_back(*at, limits, tokens),
            Self::Shared(shared) => shared.give_back(),
        }
    }
}

/// Follows one call that took tokens, and corrects them when it has ended, in whatever way.
#[derive(Debug)]
pub(super) struct Spending {
    accounts: [Option<Account>; 2],
    taken: u64,
    used: Used,
    /// A frame with words is one token at least.
    deltas: u64,
    bytes: u64,
}

#[derive(Debug, Clone, Copy)]
enum Used {
    /// Nobody said; so far the provider counted this many.
    Unknown(u64),
    Known(u64),
}

impl Spending {
    pub(super) const fn new(accounts: [Option<Account>; 2], taken: u64) -> Self {
        Self {
            accounts,
            taken,
            used: Used::Unknown(0),
            deltas: 0,
            bytes: 0,
        }
    }

    /// The call cost no tokens.
    pub(super) const fn nothing(&mut self) {
        self.used = Used::Known(0);
    }

    fn used(&self) -> u64 {
        /// Of generated text; what common vocabularies yield for prose.
        const BYTES_PER_TOKEN: u64 = 4;
        match self.used {
            Used::Known(tokens) => tokens,
            Used::Unknown(so_far) => {
                let seen = self.deltas.max(self.bytes / BYTES_PER_TOKEN);
                self.taken.saturating_add(seen).max(so_far)
            }
        }
    }
}

fn tokens(usage: &Usage) -> u64 {
    let buckets = &usage.buckets;
    buckets
        .input_tokens()
        .saturating_add(buckets.output_tokens())
}

impl Watch for Spending {
    fn batch(&mut self, batch: &Batch) {
        for event in &batch.events {
            match event {
                Event::Delta { delta, .. } => {
                    let text = delta.generated_text().unwrap_or_default();
                    let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
                    self.deltas = self.deltas.saturating_add(u64::from(bytes > 0));
                    self.bytes = self.bytes.saturating_add(bytes);
                }
                Event::Usage(usage) => {
                    if let Used::Unknown(so_far) = &mut self.used {
                        *so_far = tokens(usage);
                    }
                }
                Event::End(end) => {
                    if let (Used::Unknown(_), Some(usage)) = (self.used, &end.usage) {
                        self.used = Used::Known(tokens(usage));
                    }
                }
                _ => {}
            }
        }
    }

    fn failed(&mut self, error: &Error) {
        let nothing_seen = self.deltas == 0 && matches!(self.used, Used::Unknown(0));
        let refused = error.upstream().is_some();
        let unsent = matches!(error.phase(), Some(Phase::Encode | Phase::Connect));
        if nothing_seen && (refused || unsent) {
            self.nothing();
        }
    }
}

impl Drop for Spending {
    fn drop(&mut self) {
        let used = self.used();
        for account in self.accounts.iter_mut().flatten() {
            account.correct(self.taken, used);
        }
    }
}
