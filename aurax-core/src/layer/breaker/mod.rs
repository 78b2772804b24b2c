//! Leaves a provider alone while it fails.

mod circuit;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use self::circuit::{Circuit, Ticket, Verdict};
use super::lane::Lanes;
use super::{Layer, forward_to_inner};
use crate::call::Call;
use crate::chat::Event;
use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::provider::Provider;
use crate::reply::{Batch, Reply, Watch};

/// When a provider that fails is left alone, and for how long.
///
/// Failures are counted for each key at each address of a provider by itself. What counts are
/// failed connections, limits on time, streams that stop before their first content, and the
/// provider's word that it failed or has no capacity; never what a caller did: a refused key, a
/// used-up balance, a rate limit, a wrong request, a call that was given up, a deadline, or a
/// timeout that the call brought itself.
///
/// While the provider is left alone, calls fail at once with an error of kind `Overloaded` that
/// was not sent anywhere ([`Phase::Encode`]), so that a fallback is asked without delay. After
/// that a single call finds out whether it answers again, and another one each time as long has
/// passed without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerPolicy {
    /// How long a failure counts; 30 s.
    pub window: Duration,
    /// How many attempts within the window it takes to tell; 10.
    pub min_samples: u32,
    /// How many of a hundred must fail; above 100 the provider is never left alone; 50.
    pub failure_percent: u8,
    /// How long the provider is left alone; 10 s.
    pub open_for: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            min_samples: 10,
            failure_percent: 50,
            open_for: Duration::from_secs(10),
        }
    }
}

impl BreakerPolicy {
    /// Never leaves a provider alone.
    pub fn never() -> Self {
        Self::default().with_failure_percent(101)
    }

    /// Says how long a failure counts.
    #[must_use]
    pub const fn with_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Says how many attempts it takes to tell.
    #[must_use]
    pub const fn with_min_samples(mut self, samples: u32) -> Self {
        self.min_samples = samples;
        self
    }

    /// Says how many of a hundred must fail.
    #[must_use]
    pub const fn with_failure_percent(mut self, percent: u8) -> Self {
        self.failure_percent = percent;
        self
    }

    /// Says how long the provider is left alone.
    #[must_use]
    pub const fn with_open_for(mut self, time: Duration) -> Self {
        self.open_for = time;
        self
    }
}

/// Refuses attempts at one provider while it keeps failing.
#[derive(Debug, Clone)]
pub(crate) struct BreakerLayer {
    policy: BreakerPolicy,
    clock: Arc<dyn Clock>,
    lanes: Arc<Lanes<Breaker>>,
}

impl BreakerLayer {
    pub(crate) fn new(policy: BreakerPolicy, clock: Arc<dyn Clock>) -> Self {
        Self {
            policy,
            clock,
            lanes: Arc::new(Lanes::new(Breaker::new(policy))),
        }
    }

    fn admit(&self, ctx: &Ctx, provider: &dyn Provider) -> Result<Trial> {
        let info = provider.info();
        let make = || Breaker::new(self.policy);
        let breaker = self.lanes.get(info, ctx, &*self.clock, make)?;
        let ticket = breaker.circuit().admit(self.clock.monotonic());
        let ticket = ticket.map_err(|wait| left_alone(&info.name, wait))?;
        Ok(Trial {
            breaker,
            clock: self.clock.clone(),
            provider: info.name.clone(),
            ticket: Some(ticket),
            own_timeouts: ctx.timeouts().is_some(),
        })
    }
}

fn left_alone(provider: &str, wait: Duration) -> Error {
    let message = format!("{provider} keeps failing and is not asked for now; try again later");
    Error::new(ErrorKind::Overloaded, message)
        .with_context("limit", "breaker")
        .with_retry_after(Some(wait))
        .with_phase(Phase::Encode)
}

#[derive(Debug)]
struct Breaker(Mutex<Circuit>);

impl Breaker {
    fn new(policy: BreakerPolicy) -> Self {
        Self(Mutex::new(Circuit::new(policy)))
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One attempt, which gives one verdict; dropped without, it gives none.
#[derive(Debug)]
struct Trial {
    breaker: Arc<Breaker>,
    clock: Arc<dyn Clock>,
    provider: Arc<str>,
    ticket: Option<Ticket>,
    own_timeouts: bool,
}

impl Trial {
    fn give(&mut self, verdict: Verdict) {
        let Some(ticket) = self.ticket.take() else {
            return;
        };
        let now = self.clock.monotonic();
        let opens = self.breaker.circuit().judge(ticket, verdict, now);
        if opens {
            tracing::warn!(provider = %self.provider, "keeps failing; left alone for a while");
        }
    }

    fn verdict(&self, error: &Error) -> Verdict {
        match error.kind() {
            // Not asked at all: a layer below refused, or the request cannot be encoded.
            _ if error.phase() == Some(Phase::Encode) => Verdict::Nothing,
            ErrorKind::Timeout if error.upstream().is_none() && self.is_callers(error) => {
                Verdict::Nothing
            }
            ErrorKind::Server
            | ErrorKind::Overloaded
            | ErrorKind::Timeout
            | ErrorKind::Network
            | ErrorKind::Truncated => Verdict::Failing,
            _ if error.upstream().is_some() => Verdict::Refusing,
            _ => Verdict::Nothing,
        }
    }

    /// Whether the caller chose the limit that was passed.
    fn is_callers(&self, error: &Error) -> bool {
        self.own_timeouts || error.context("limit") == Some("deadline")
    }
}

impl Watch for Trial {
    fn batch(&mut self, batch: &Batch) {
        // What has begun to answer is up; how the rest goes is another question.
        let answers = |event: &Event| event.is_content() || matches!(event, Event::End(_));
        if batch.events.iter().any(answers) {
            self.give(Verdict::Healthy);
        }
    }

    fn failed(&mut self, error: &Error) {
        self.give(self.verdict(error));
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.give(Verdict::Nothing);
    }
}

impl Layer for BreakerLayer {
    fn layer(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Broken {
            inner,
            layer: self.clone(),
        })
    }
}

#[derive(Debug)]
struct Broken {
    inner: Arc<dyn Provider>,
    layer: BreakerLayer,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Provider for Broken {
    forward_to_inner!();

    async fn call(&self, ctx: &Ctx, call: &Call) -> Result<Reply> {
        let mut trial = self.layer.admit(ctx, &*self.inner)?;
        match self.inner.call(ctx, call).await {
            Ok(reply) => Ok(reply.watched(trial)),
            Err(error) => {
                trial.failed(&error);
                Err(error)
            }
        }
    }
}
