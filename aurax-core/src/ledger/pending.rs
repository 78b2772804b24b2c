//! A request on its way to the ledger: raw facts, turned into a settlement on the ledger's side.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::hit::PendingHit;
pub(super) use super::record::Failure;
use super::record::{Attempt, Opened, Outcome, Settlement};
use crate::bucket::{Bucket, Buckets};
use crate::call::{Call, Op};
use crate::chat::{Fold, Response};
use crate::ctx::{Ctx, Principal, RequestId};
use crate::embed::EmbedInput;
use crate::id::new_id;
use crate::model::ModelId;
use crate::money::Money;
use crate::pricing::{Cost, Pricer, Sale};
use crate::provider::ProviderInfo;
use crate::session::Step;
use crate::tokens::{estimate_parts, estimate_request, estimate_text};
use crate::usage::{Usage, UsageSource};

/// Everything a request did, not yet counted and priced.
///
/// Making it is cheap, so it can be handed over from `Drop`; [`Pending::finish`] does the work.
#[derive(Debug)]
pub struct Pending {
    pricer: Arc<Pricer>,
    id: Uuid,
    request_id: RequestId,
    principal: Principal,
    access_key: Option<Uuid>,
    step: Option<Arc<Step>>,
    tags: Arc<BTreeMap<String, String>>,
    requested_model: ModelId,
    op: Op,
    pub(super) attempts: Vec<PendingAttempt>,
    pub(super) hit: Option<PendingHit>,
}

impl Pending {
    pub(super) fn new(pricer: Arc<Pricer>, ctx: &Ctx, call: &Call) -> Self {
        Self {
            pricer,
            id: new_id(),
            request_id: ctx.request_id(),
            principal: ctx.principal().clone(),
            access_key: ctx.access_key(),
            step: ctx.step().cloned(),
            tags: ctx.shared_tags(),
            requested_model: call.model.clone(),
            op: call.op.clone(),
            // Nearly all requests make one.
            attempts: Vec::with_capacity(1),
            hit: None,
        }
    }

    /// Moves the facts out; what stays behind is empty.
    pub(super) fn take(&mut self) -> Self {
        Self {
            pricer: self.pricer.clone(),
            id: self.id,
            request_id: self.request_id,
            principal: self.principal.clone(),
            access_key: self.access_key,
            step: self.step.take(),
            tags: self.tags.clone(),
            requested_model: self.requested_model.clone(),
            op: self.op.clone(),
            attempts: std::mem::take(&mut self.attempts),
            hit: self.hit.take(),
        }
    }

    /// The charge's id.
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// The request.
    pub const fn request_id(&self) -> RequestId {
        self.request_id
    }

    pub(super) const fn pricer(&self) -> &Arc<Pricer> {
        &self.pricer
    }

    /// The most that the attempts so far may cost, as far as that was held; those that certainly
    /// cost nothing left out.
    pub(super) fn may_cost(&self) -> Money {
        let held = self
            .attempts
            .iter()
            .filter(|attempt| !matches!(attempt.outcome(), Outcome::NotSent | Outcome::Rejected))
            .filter_map(|attempt| attempt.opened.held);
        held.fold(Money::ZERO, |sum, held| {
            sum.checked_add(held).unwrap_or(Money::MAX)
        })
    }

    /// Whether a provider has, or may have, had any of the attempts.
    pub(super) fn was_sent(&self) -> bool {
        let mut attempts = self.attempts.iter();
        attempts.any(|attempt| attempt.outcome() != Outcome::NotSent)
    }

    pub(super) fn price_version(&self) -> Arc<str> {
        self.pricer.version().clone()
    }

    /// Counts what nobody reported, prices every attempt and adds up the charge.
    ///
    /// It may take as long as reading all the text, so it belongs on the ledger's side.
    pub fn finish(self) -> Settlement {
        let pricer = self.pricer;
        let op = self.op;
        let mut response = None;
        let mut outcome = Outcome::NotSent;
        let attempts: Vec<Attempt> = self
            .attempts
            .into_iter()
            .map(|attempt| {
                outcome = attempt.outcome();
                let (attempt, answer) = attempt.settle(&pricer, &op);
                response = answer;
                attempt
            })
            .collect();
        let mut cached = None;
        if let Some(hit) = self.hit {
            (cached, outcome, response) = (Some(hit.hit), hit.outcome, hit.response);
        }
        Settlement {
            id: self.id,
            request_id: self.request_id,
            principal: self.principal,
            access_key: self.access_key,
            step: self.step,
            tags: self.tags,
            operation: op.as_str().to_owned(),
            requested_model: self.requested_model.as_str().to_owned(),
            outcome,
            charge: sum(attempts.iter().map(|attempt| attempt.cost)),
            attempts,
            cached,
            response,
        }
    }
}

/// One attempt's facts.
#[derive(Debug)]
pub(super) struct PendingAttempt {
    pub(super) id: Uuid,
    provider: Arc<str>,
    prices: Option<Arc<str>>,
    model: ModelId,
    started_at: OffsetDateTime,
    opened: Opened,
    sent: bool,
    report: Option<Report>,
}

/// How an attempt went, as its recorder saw it.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) outcome: Outcome,
    pub(super) failure: Option<Failure>,
    /// What arrived; `None` where there was no reply.
    pub(super) fold: Option<Fold>,
    pub(super) deltas: u64,
    pub(super) first_content: Option<Duration>,
    pub(super) duration: Duration,
    pub(super) ended_at: OffsetDateTime,
}

impl PendingAttempt {
    pub(super) fn new(
        id: Uuid,
        provider: &ProviderInfo,
        model: &ModelId,
        started_at: OffsetDateTime,
    ) -> Self {
        Self {
            id,
            provider: provider.name.clone(),
            prices: provider.prices.clone(),
            model: model.clone(),
            started_at,
            opened: Opened::default(),
            sent: false,
            report: None,
        }
    }

    /// The ledger took it: from here on the provider may have the request.
    pub(super) const fn sent(&mut self, opened: Opened) {
        self.opened = opened;
        self.sent = true;
    }

    pub(super) fn close(&mut self, report: Report) {
        self.report = Some(report);
    }

    /// What has arrived of the answer.
    fn response(&self) -> Option<&Response> {
        let fold = self.report.as_ref()?.fold.as_ref()?;
        Some(fold.partial())
    }

    fn outcome(&self) -> Outcome {
        match &self.report {
            Some(report) => report.outcome,
            None if self.sent => Outcome::Unknown,
            None => Outcome::NotSent,
        }
    }

    fn settle(self, pricer: &Pricer, op: &Op) -> (Attempt, Option<Response>) {
        let outcome = self.outcome();
        let usage = self.usage(outcome, op);
        let ended_at = self
            .report
            .as_ref()
            .map_or(self.started_at, |report| report.ended_at);
        let answered_by = self
            .response()
            .filter(|response| response.model != self.model.as_str())
            .map(|response| response.model.clone());
        let (cost, computed_cost) = usage.as_ref().map_or((Cost::Free, Cost::Free), |usage| {
            let priced = pricer.price(&Sale {
                provider: self.prices.as_deref(),
                asked: self.model.as_str(),
                answered_by: answered_by.as_deref(),
                usage,
                started_at: self.started_at,
                ended_at,
            });
            (priced.cost, priced.computed)
        });
        let report = self.report;
        let attempt = Attempt {
            id: self.id,
            provider: self.provider,
            model: self.model.as_str().to_owned(),
            answered_by,
            outcome,
            usage,
            cost,
            computed_cost,
            price_version: pricer.version().clone(),
            output_limit: self.opened.output_limit,
            started_at: self.started_at,
            ended_at,
            duration: report
                .as_ref()
                .map_or(Duration::ZERO, |report| report.duration),
            first_content: report.as_ref().and_then(|report| report.first_content),
            failure: report.as_ref().and_then(|report| report.failure.clone()),
        };
        let delivered = matches!(outcome, Outcome::Complete | Outcome::Partial);
        let fold = report.and_then(|report| report.fold);
        (attempt, fold.filter(|_| delivered).map(Fold::finish))
    }

    /// What the provider bills: its own word when the answer is complete, else its word so far
    /// raised to what was seen; nothing when it never had the request or refused it.
    fn usage(&self, outcome: Outcome, op: &Op) -> Option<Arc<Usage>> {
        let reported = self.response().and_then(|response| response.usage.as_ref());
        match (outcome, reported) {
            (Outcome::NotSent | Outcome::Rejected, _) => None,
            (Outcome::Complete, Some(usage)) if is_whole(usage, op) => Some(usage.clone()),
            (_, reported) => Some(Arc::new(self.estimate(op, reported.map(|usage| &**usage)))),
        }
    }

    fn estimate(&self, op: &Op, reported: Option<&Usage>) -> Usage {
        let mut usage = reported
            .cloned()
            .unwrap_or_else(|| Usage::measured(Buckets::new(), UsageSource::Estimated));
        usage.source = UsageSource::Estimated;
        // What the provider had said before the end is not what it bills at the end.
        usage.reported_cost = None;
        usage.iterations.clear();
        if usage.buckets.input_tokens() == 0 {
            usage.buckets.set(Bucket::Input, estimate_input(op));
        }
        let missing = self.seen(op).saturating_sub(usage.buckets.output_tokens());
        let output = usage.buckets.get(Bucket::Output).saturating_add(missing);
        usage.buckets.set(Bucket::Output, output);
        usage
    }

    /// The output tokens that were seen to arrive.
    fn seen(&self, op: &Op) -> u64 {
        let (Op::Chat(_), Some(report)) = (op, &self.report) else {
            return 0;
        };
        let choices = self
            .response()
            .map_or(&[][..], |response| &response.choices);
        let estimated = choices
            .iter()
            .map(|choice| estimate_parts(&choice.message.parts))
            .fold(0, u64::saturating_add);
        // Providers send at least one token a frame.
        estimated.max(report.deltas)
    }
}

/// Whether a provider's report covers both sides of what it bills.
fn is_whole(usage: &Usage, op: &Op) -> bool {
    let said = &usage.reported;
    let output = said.output.is_some() || matches!(op, Op::Embed(_));
    let both = said.input.is_some() && output;
    // Some calls are billed by time, page or character, not by the token.
    let other = said
        .audio_millis
        .or(said.input_audio_millis)
        .or(said.pages)
        .is_some()
        || said.input_characters.is_some();
    both || other || said.total.is_some() && (said.input.is_some() || output)
}

/// Estimates the input tokens of a call.
pub(crate) fn estimate_input(op: &Op) -> u64 {
    match op {
        Op::Chat(request) => estimate_request(request),
        Op::Embed(request) => request
            .input
            .iter()
            .map(|input| match input {
                EmbedInput::Text(text) => estimate_text(text),
                EmbedInput::Tokens(tokens) => u64::try_from(tokens.len()).unwrap_or(u64::MAX),
            })
            .fold(0, u64::saturating_add),
    }
}

/// Adds costs up. Attempts that cost nothing say nothing about how sure the sum is.
fn sum(costs: impl Iterator<Item = Cost>) -> Cost {
    let mut total: Option<Cost> = None;
    for cost in costs.filter(|cost| *cost != Cost::Free) {
        total = Some(match total {
            None => cost,
            Some(total) => add(total, cost),
        });
    }
    total.unwrap_or(Cost::Free)
}

fn add(a: Cost, b: Cost) -> Cost {
    let amount = match (a.amount(), b.amount()) {
        (Some(a), Some(b)) => a.checked_add(b).ok(),
        (Some(known), None) | (None, Some(known)) => return Cost::Partial(known),
        (None, None) => None,
    };
    let Some(amount) = amount.map(Money::rounded) else {
        return Cost::Unpriced;
    };
    match (a, b) {
        (Cost::Partial(_), _) | (_, Cost::Partial(_)) => Cost::Partial(amount),
        (Cost::Estimated(_), _) | (_, Cost::Estimated(_)) => Cost::Estimated(amount),
        (Cost::Reported(_), Cost::Reported(_)) => Cost::Reported(amount),
        _ => Cost::Exact(amount),
    }
}
