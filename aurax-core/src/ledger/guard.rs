//! One request's memory: every attempt it made, settled once however it ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::exposure::Hold;
use super::hit::{HitRecorder, PendingHit};
use super::opening::Opening;
use super::pending::{Failure, Pending, PendingAttempt, Report};
use super::record::{CacheHit, Opened, Outcome};
use super::{Ack, Ledger, Permit};
use crate::call::Call;
use crate::chat::{Event, Fold, Response};
use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::id::new_id;
use crate::pricing::Pricer;
use crate::provider::ProviderInfo;
use crate::reply::Head;
use crate::session::Leased;

/// How long an attempt waits for the ledger to take it.
const OPEN_LIMIT: Duration = Duration::from_secs(30);

fn slow() -> Error {
    Error::new(
        ErrorKind::Ledger,
        "the ledger did not take the call in time; nothing was sent",
    )
    .with_phase(Phase::Encode)
}

fn gave_up() -> Error {
    Error::new(ErrorKind::Cancelled, "the caller cancelled the call").with_phase(Phase::Encode)
}

/// What the layers of one request share: the permit to settle it, and its attempts so far.
///
/// It does no I/O before the first attempt opens.
#[derive(Debug)]
pub(crate) struct RequestGuard {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Kept until the request is settled.
    _lease: Option<Arc<Leased>>,
}

#[derive(Debug)]
struct State {
    permit: Option<Box<dyn Permit>>,
    pending: Pending,
    /// Whether an intent was committed.
    began: bool,
    settled: bool,
    /// Whether a provider may have had any attempt, once the attempts have gone to the ledger.
    sent: bool,
}

impl State {
    const fn is_first(&self) -> bool {
        !self.began
    }
}

/// What the call's own limit leaves room for; `None` without one.
fn affordable(opening: &Opening) -> Result<Option<Hold>> {
    let Some(max_cost) = opening.max_cost() else {
        return Ok(None);
    };
    let left = max_cost.checked_sub(opening.spent())?;
    let hold = opening.exposure()?.within(left).map_err(|needed| {
        Error::new(
            ErrorKind::Budget,
            format!(
                "the call may cost {needed} dollars and its own limit leaves {left}: raise it, or \
                 lower max_output_tokens"
            ),
        )
        .with_phase(Phase::Encode)
    })?;
    Ok(Some(hold))
}

/// What holds of two: the smaller output limit.
fn narrower(own: Option<Hold>, mut opened: Opened) -> Opened {
    let Some(own) = own else {
        return opened;
    };
    opened.held = Some(opened.held.unwrap_or(own.amount));
    opened.output_limit = match (own.output_limit, opened.output_limit) {
        (Some(own), Some(other)) => Some(own.min(other)),
        (own, other) => own.or(other),
    };
    opened
}

impl RequestGuard {
    pub(crate) fn new(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        pricer: Arc<Pricer>,
        ctx: &Ctx,
        call: &Call,
    ) -> Arc<Self> {
        Arc::new(Self {
            ledger,
            clock,
            state: Mutex::new(State {
                permit: None,
                pending: Pending::new(pricer, ctx, call),
                began: false,
                settled: false,
                sent: false,
            }),
            _lease: ctx.lease(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces an attempt. Once this returns, its intent is durable and it may be sent.
    pub(crate) async fn open(
        self: &Arc<Self>,
        ctx: &Ctx,
        provider: &ProviderInfo,
        call: &Call,
    ) -> Result<AttemptRecorder> {
        if self.state().settled {
            return Err(Error::new(
                ErrorKind::Internal,
                "an attempt was begun after its request was settled",
            ));
        }
        let opened = self.announce(ctx, provider, call);
        let (id, opened) = self.in_time(ctx, opened).await?;
        self.attempt(id, |attempt| attempt.sent(opened));
        Ok(AttemptRecorder {
            guard: self.clone(),
            id,
            output_limit: opened.output_limit,
            started: self.clock.monotonic(),
            fold: None,
            outcome: Outcome::Unknown,
            failure: None,
            deltas: 0,
            first_content: None,
        })
    }

    /// Waits for the ledger, within bounds.
    async fn in_time<T: Send>(
        &self,
        ctx: &Ctx,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        if ctx.is_cancelled() {
            return Err(gave_up());
        }
        // Boxed, both of them: a call should not carry the room for this while it is answered.
        let mut work = Box::pin(work);
        match futures::poll!(&mut work) {
            Poll::Ready(done) => done,
            Poll::Pending => Box::pin(self.patiently(ctx, work)).await,
        }
    }

    async fn patiently<T: Send>(
        &self,
        ctx: &Ctx,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let limit = self.clock.monotonic().checked_add(OPEN_LIMIT);
        let limit = [limit, ctx.deadline()].into_iter().flatten().min();
        let work = async {
            match limit {
                Some(limit) => tokio::time::timeout_at(limit, work).await,
                None => Ok(work.await),
            }
        };
        ctx.unless_cancelled(work)
            .await
            .ok_or_else(gave_up)?
            .map_err(|_| slow())?
    }

    async fn take_permit(&self) -> Result<()> {
        if self.state().permit.is_none() {
            let permit = self.ledger.permit().await?;
            self.state().permit = Some(permit);
        }
        Ok(())
    }

    /// Says that the request is answered from the cache, by what `head` names.
    pub(crate) async fn hit(self: &Arc<Self>, ctx: &Ctx, head: &Head) -> Result<HitRecorder> {
        self.in_time(ctx, self.take_permit()).await?;
        let mut state = self.state();
        let hit = CacheHit {
            provider: head.provider.clone(),
            model: head.model.as_str().to_owned(),
            price_version: state.pending.price_version(),
            found_at: self.clock.now(),
        };
        state.pending.hit = Some(PendingHit {
            hit,
            outcome: Outcome::Partial,
            response: None,
        });
        drop(state);
        Ok(HitRecorder::new(self.clone(), head))
    }

    /// How a cached answer ended, and what was delivered of it.
    pub(super) fn hit_ended(&self, outcome: Outcome, delivered: Response) {
        if let Some(hit) = &mut self.state().pending.hit {
            hit.outcome = outcome;
            hit.response = Some(delivered);
        }
    }

    /// Takes the permit, the first time, and commits the attempt's intent.
    async fn announce(
        &self,
        ctx: &Ctx,
        provider: &ProviderInfo,
        call: &Call,
    ) -> Result<(Uuid, Opened)> {
        self.take_permit().await?;
        let id = new_id();
        let started_at = self.clock.now();
        let opening = {
            let mut state = self.state();
            let pending = &mut state.pending;
            let pricer = pending.pricer().clone();
            let opening = Opening::new(pricer, ctx, pending.id(), id, provider, call, started_at)
                .with_spent(pending.may_cost())
                .with_step(state.is_first().then(|| ctx.step().cloned()).flatten());
            // Known to the guard before the ledger hears of it: a future dropped while the intent
            // commits is settled as not sent.
            let attempt = PendingAttempt::new(id, provider, &call.model, started_at);
            state.pending.attempts.push(attempt);
            opening
        };
        let own = affordable(&opening)?;
        // Whatever keeps it from being taken, nothing was sent, and no other try is made for it.
        let opened = self.ledger.open(opening).await;
        let opened = opened.map_err(|error| error.with_phase(Phase::Encode))?;
        self.state().began = true;
        Ok((id, narrower(own, opened)))
    }

    fn attempt(&self, id: Uuid, change: impl FnOnce(&mut PendingAttempt)) {
        let mut state = self.state();
        let attempts = &mut state.pending.attempts;
        if let Some(attempt) = attempts.iter_mut().rfind(|attempt| attempt.id == id) {
            change(attempt);
        }
    }

    /// Adds to what the request fails with whether any of its attempts was sent.
    fn told(&self, error: Error) -> Error {
        let state = self.state();
        if state.sent || state.pending.was_sent() {
            error.with_sent()
        } else {
            error
        }
    }

    /// Settles the request, unless that was done. There is nothing to wait for where nothing was
    /// ever opened.
    fn settle(&self) -> Option<Ack> {
        let mut state = self.state();
        if state.settled {
            return None;
        }
        let permit = state.permit.take()?;
        state.settled = true;
        // Where nothing was opened there is nothing to record, and nothing to wait for: the
        // ledger may be away, which is why.
        let is_recorded = state.began || state.pending.hit.is_some();
        state.sent = state.pending.was_sent();
        let pending = state.pending.take();
        drop(state);
        let ack = permit.settle(pending);
        is_recorded.then_some(ack)
    }
}

/// The one owner of a request's settlement: dropping it settles what was not settled.
#[derive(Debug)]
pub(crate) struct GuardOwner(Arc<RequestGuard>);

impl GuardOwner {
    pub(crate) const fn new(guard: Arc<RequestGuard>) -> Self {
        Self(guard)
    }

    /// Adds to what the request fails with whether any of its attempts was sent: the error itself
    /// knows of the last one alone.
    pub(crate) fn told(&self, error: Error) -> Error {
        self.0.told(error)
    }

    /// Settles the request; the acknowledgement tells when that is durable.
    pub(crate) fn settle(&self) -> Option<Ack> {
        self.0.settle()
    }
}

impl Drop for GuardOwner {
    fn drop(&mut self) {
        // Nobody is left to wait: the ledger records the settlement on its own side.
        drop(self.0.settle());
    }
}

/// Follows one attempt and hands what it saw to the guard when it ends, in whatever way.
#[derive(Debug)]
pub(crate) struct AttemptRecorder {
    guard: Arc<RequestGuard>,
    id: Uuid,
    output_limit: Option<u32>,
    started: Instant,
    /// `None` until there is a reply.
    fold: Option<Fold>,
    outcome: Outcome,
    failure: Option<Failure>,
    deltas: u64,
    first_content: Option<Duration>,
}

impl AttemptRecorder {
    /// The output limit the attempt must be sent with, where one was set for it.
    pub(crate) const fn output_limit(&self) -> Option<u32> {
        self.output_limit
    }

    pub(crate) fn head(&mut self, head: &Head) {
        self.fold = Some(Fold::from_head(head));
    }

    pub(crate) fn event(&mut self, event: &Event) {
        if let Some(fold) = &mut self.fold {
            fold.push(event);
        }
        if event.is_content() && self.first_content.is_none() {
            self.first_content = Some(self.elapsed());
        }
        match event {
            Event::End(_) => self.outcome = Outcome::Complete,
            _ => {
                if let Event::Delta { delta, .. } = event
                    && delta.generated_text().is_some_and(|text| !text.is_empty())
                {
                    self.deltas = self.deltas.saturating_add(1);
                }
                if self.outcome == Outcome::Unknown {
                    self.outcome = Outcome::Partial;
                }
            }
        }
    }

    fn elapsed(&self) -> Duration {
        self.guard.clock.monotonic().duration_since(self.started)
    }

    pub(crate) fn fail(&mut self, error: &Error) {
        self.failure = Some(Failure {
            kind: error.kind(),
            message: error.to_string(),
            request_id: error.request_id().map(str::to_owned),
        });
        if self.outcome == Outcome::Unknown {
            self.outcome = outcome_of(error);
        }
    }
}

/// What an error says of an attempt that delivered nothing.
fn outcome_of(error: &Error) -> Outcome {
    /// A gateway's word that it stopped waiting: the provider behind it may go on, and bill.
    const GAVE_UP: [u16; 4] = [408, 499, 504, 524];
    if let Some(upstream) = error.upstream() {
        return match upstream.status {
            Some(status) if GAVE_UP.contains(&status) => Outcome::Unknown,
            _ => Outcome::Rejected,
        };
    }
    let never_sent = matches!(
        error.kind(),
        ErrorKind::Config | ErrorKind::Unsupported | ErrorKind::InvalidRequest
    );
    match error.phase() {
        Some(Phase::Encode | Phase::Connect) => Outcome::NotSent,
        None if never_sent => Outcome::NotSent,
        _ => Outcome::Unknown,
    }
}

impl Drop for AttemptRecorder {
    fn drop(&mut self) {
        let report = Report {
            outcome: self.outcome,
            failure: self.failure.take(),
            fold: self.fold.take(),
            deltas: self.deltas,
            first_content: self.first_content,
            duration: self.elapsed(),
            ended_at: self.guard.clock.now(),
        };
        self.guard.attempt(self.id, |attempt| attempt.close(report));
    }
}
