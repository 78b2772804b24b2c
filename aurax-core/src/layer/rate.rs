//! Keeps to the pace a provider allows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::allowance::{Account, Allowance, Full, Limits, SharedAllowance, Spending, lock};
use super::lane::Lanes;
use super::queue::{Line, Patience};
use super::{Layer, forward_to_inner};
use crate::call::Call;
use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Phase, Result, Retry};
use crate::ledger::estimate_input;
use crate::provider::Provider;
use crate::reply::{Batch, RateLimit, Reply, Watch};

/// How fast to ask one provider with one key.
///
/// Besides limits set here, what the provider itself says is obeyed: after a `RateLimited` error
/// with a wait, and while one of its limits has nothing left, all calls with the same key wait.
/// Calls wait in line, first come first served, before they are announced to the ledger; one that
/// cannot have its turn in time fails at once, with an error of kind `RateLimited` that says how
/// long the wait would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RatePolicy {
    /// Requests within any minute; `None`, the default, is without limit.
    pub requests_per_minute: Option<u64>,
    /// Tokens within any minute, input and output, counted as [`QuotaPolicy`](crate::QuotaPolicy)
    /// does; `None`, the default, is without limit.
    pub tokens_per_minute: Option<u64>,
    /// How long a call may wait for its turn, within its deadline; 30 s.
    pub max_wait: Duration,
    /// How many calls may wait; one more is an error of kind `Overloaded`; 1,024.
    pub max_waiting: usize,
    /// The longest wait that is obeyed when a provider refuses a call; then it is asked again;
    /// 60 s. A limit that has merely run out is waited for up to `max_wait`.
    pub max_pause: Duration,
}

impl Default for RatePolicy {
    fn default() -> Self {
        Self {
            requests_per_minute: None,
            tokens_per_minute: None,
            max_wait: Duration::from_secs(30),
            max_waiting: 1_024,
            max_pause: Duration::from_secs(60),
        }
    }
}

impl RatePolicy {
    /// Limits the requests within any minute.
    #[must_use]
    pub const fn with_requests_per_minute(mut self, requests: u64) -> Self {
        self.requests_per_minute = Some(requests);
        self
    }

    /// Limits the tokens within any minute.
    #[must_use]
    pub const fn with_tokens_per_minute(mut self, tokens: u64) -> Self {
        self.tokens_per_minute = Some(tokens);
        self
    }

    /// Says how long a call may wait for its turn.
    #[must_use]
    pub const fn with_max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = wait;
        self
    }

    /// Says how many calls may wait.
    #[must_use]
    pub const fn with_max_waiting(mut self, waiting: usize) -> Self {
        self.max_waiting = waiting;
        self
    }

    /// Says how long a wait the provider asks for is obeyed.
    #[must_use]
    pub const fn with_max_pause(mut self, pause: Duration) -> Self {
        self.max_pause = pause;
        self
    }

    const fn limits(self) -> Limits {
        Limits {
            requests: self.requests_per_minute,
            tokens: self.tokens_per_minute,
        }
    }
}

/// Keeps attempts waiting until the provider is ready for them.
#[derive(Debug, Clone)]
pub(crate) struct RateLayer {
    policy: RatePolicy,
    clock: Arc<dyn Clock>,
    lanes: Arc<Lanes<Pace>>,
}

impl RateLayer {
    pub(crate) fn new(policy: RatePolicy, clock: Arc<dyn Clock>) -> Self {
        Self {
            policy,
            clock,
            lanes: Arc::new(Lanes::new(Pace::new())),
        }
    }

    /// Waits for the call's turn and takes it.
    async fn turn(
        &self,
        ctx: &Ctx,
        call: &Call,
        provider: &str,
        pace: &Pace,
    ) -> Result<Option<Spending>> {
        let limits = self.policy.limits();
        let tokens = limits.tokens.map_or(0, |_| estimate_input(&call.op));
        // Where nothing can run out there is no turn to wait for, but for a pause.
        if limits.is_none() && pace.take(&*self.clock, limits, tokens).is_ok() {
            return Ok(None);
        }
        // Nobody is in line, or this one is the first.
        if let Ok(_first) = pace.turn.try_acquire()
            && let Ok(at) = pace.take(&*self.clock, limits, tokens)
        {
            return Ok(self.spending(pace, at, tokens));
        }
        // Boxed: a call that need not wait should not carry the room for it.
        Box::pin(self.wait(ctx, tokens, provider, pace)).await
    }

    /// Waits in line.
    async fn wait(
        &self,
        ctx: &Ctx,
        tokens: u64,
        provider: &str,
        pace: &Pace,
    ) -> Result<Option<Spending>> {
        let limits = self.policy.limits();
        let Some(place) = pace.line.join(self.policy.max_waiting) else {
            let message = format!("too many calls wait for their turn at {provider}");
            return Err(refused(ErrorKind::Overloaded, message));
        };
        let patience = Patience::new(&*self.clock, ctx, self.policy.max_wait);
        let turn = async {
            // The semaphore is fair and never closed.
            let _first = pace.turn.acquire().await;
            loop {
                let full = match pace.take(&*self.clock, limits, tokens) {
                    Ok(at) => return Ok(at),
                    Err(full) => full,
                };
                match full.until {
                    Some(until) if until <= patience.until => tokio::time::sleep_until(until).await,
                    _ => return Err(full),
                }
            }
        };
        // Those behind a wait that is too long for them need not wait for their turn to hear it.
        let turn = match pace.not_before(&*self.clock, limits, tokens) {
            Err(full) if full.until.is_none_or(|until| until > patience.until) => Some(Err(full)),
            _ => patience.wait(ctx, turn).await?,
        };
        drop(place);
        match turn {
            Some(Ok(at)) => Ok(self.spending(pace, at, tokens)),
            Some(Err(full)) => Err(self.too_long(provider, full)),
            None => {
                let late = pace.not_before(&*self.clock, limits, tokens).err();
                let late = late.unwrap_or(Full {
                    limit: "rate",
                    until: Some(self.clock.monotonic()),
                });
                Err(self.too_long(provider, late))
            }
        }
    }

    fn spending(&self, pace: &Pace, at: Instant, tokens: u64) -> Option<Spending> {
        self.policy.tokens_per_minute?;
        let account = Account::Own {
            allowance: pace.allowance.clone(),
            clock: self.clock.clone(),
            at,
        };
        Some(Spending::new([Some(account), None], tokens))
    }

    fn too_long(&self, provider: &str, full: Full) -> Error {
        let Some(until) = full.until else {
            let message =
                format!("the request alone is larger than what {provider} may be asked a minute");
            return refused(ErrorKind::RateLimited, message)
                .with_context("of", full.limit)
                .with_retry(Retry::Never);
        };
        let wait = until.saturating_duration_since(self.clock.monotonic());
        let message = format!("the wait for a turn at {provider} is too long; try again later");
        refused(ErrorKind::RateLimited, message)
            .with_context("of", full.limit)
            .with_retry_after(Some(wait))
    }

    /// Learns from an answer's head.
    fn obey(&self, pace: &Pace, limits: &[RateLimit]) {
        let spent = limits.iter().filter(|limit| limit.remaining == Some(0));
        if let Some(reset) = spent.filter_map(|limit| limit.reset).max() {
            pace.pause(&*self.clock, reset.min(self.policy.max_wait));
        }
    }

    /// Learns from a refusal by the provider.
    fn obey_refusal(&self, pace: &Pace, error: &Error) {
        if error.kind() == ErrorKind::RateLimited
            && error.upstream().is_some()
            && let Some(wait) = error.retry_after()
        {
            pace.pause(&*self.clock, wait.min(self.policy.max_pause));
        }
    }
}

fn refused(kind: ErrorKind, message: String) -> Error {
    Error::new(kind, message)
        .with_context("limit", "rate")
        .with_phase(Phase::Encode)
}

/// What is known of one key's pace.
#[derive(Debug)]
struct Pace {
    allowance: SharedAllowance,
    paused: Mutex<Option<Instant>>,
    /// One at a time waits for the clock, the others for it.
    turn: Semaphore,
    line: Line,
}

impl Pace {
    fn new() -> Self {
        Self {
            allowance: Allowance::shared(),
            paused: Mutex::default(),
            turn: Semaphore::new(1),
            line: Line::default(),
        }
    }

    fn paused(&self) -> MutexGuard<'_, Option<Instant>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps everyone waiting; a longer wait that was asked for before stands.
    fn pause(&self, clock: &dyn Clock, wait: Duration) {
        let until = clock.monotonic().checked_add(wait);
        let mut paused = self.paused();
        *paused = until.max(*paused);
    }

    fn check_pause(&self, now: Instant) -> Result<(), Full> {
        match *self.paused() {
            Some(until) if until > now => Err(Full {
                limit: "the provider's own",
                until: Some(until),
            }),
            _ => Ok(()),
        }
    }

    fn take(&self, clock: &dyn Clock, limits: Limits, tokens: u64) -> Result<Instant, Full> {
        let mut allowance = lock(&self.allowance);
        let now = clock.monotonic();
        self.check_pause(now)?;
        if !limits.is_none() {
            allowance.take(now, limits, tokens)?;
        }
        Ok(now)
    }

    /// The earliest that a call can have its turn, whoever else waits; an error when not now.
    fn not_before(&self, clock: &dyn Clock, limits: Limits, tokens: u64) -> Result<(), Full> {
        let mut allowance = lock(&self.allowance);
        let now = clock.monotonic();
        self.check_pause(now)?;
        allowance.check(now, limits, tokens)
    }
}

/// Follows the answer: its tokens, and whether it turns into a refusal before its first word.
#[derive(Debug)]
struct Paced {
    spending: Option<Spending>,
    layer: RateLayer,
    pace: Arc<Pace>,
}

impl Watch for Paced {
    fn batch(&mut self, batch: &Batch) {
        if let Some(spending) = &mut self.spending {
            spending.batch(batch);
        }
    }

    fn failed(&mut self, error: &Error) {
        self.layer.obey_refusal(&self.pace, error);
        if let Some(spending) = &mut self.spending {
            spending.failed(error);
        }
    }
}

impl Layer for RateLayer {
    fn layer(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Rated {
            inner,
            layer: self.clone(),
        })
    }
}

#[derive(Debug)]
struct Rated {
    inner: Arc<dyn Provider>,
    layer: RateLayer,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Rated {
    forward_to_inner!();

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        let layer = &self.layer;
        let info = self.inner.info();
        let pace = layer.lanes.get(info, ctx, &*layer.clock, Pace::new)?;
        let spending = layer.turn(ctx, call, &info.name, &pace).await?;
        let mut paced = Paced {
            spending,
            layer: layer.clone(),
            pace,
        };
        match self.inner.call(ctx, call).await {
            Ok(reply) => {
                layer.obey(&paced.pace, &reply.head().rate_limits);
                Ok(reply.watched(paced))
            }
            Err(error) => {
                paced.failed(&error);
                Err(error)
            }
        }
    }
}
