//! Intents and settlements as rows.

use aurax_core::{
    Attempt, Bucket, Buckets, ErrorKind, Intent, Money, Outcome, Settlement, Usage, UsageSource,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::hold::Holds;
use crate::db::{Fields, Value as Column, args, split, to_micros};
use crate::store::user_id;

/// A moment in microseconds since 1970.
pub(super) fn micros(at: OffsetDateTime) -> Value {
    to_micros(at).into()
}

/// Writes an amount as a decimal string and as the two integers of SQLite.
pub(super) fn amount(row: &mut Map<String, Value>, name: &str, amount: Money) {
    let amount = amount.rounded();
    let parts = split(amount);
    row.insert(name.to_owned(), amount.to_string().into());
    row.insert(format!("{name}_nano"), parts.map(|(nano, _)| nano).into());
    row.insert(format!("{name}_atto"), parts.map(|(_, atto)| atto).into());
}

/// Rows on their way into a statement that takes them as JSON.
pub(super) fn batch(rows: Vec<Value>) -> String {
    Value::Array(rows).to_string()
}

fn json_text(value: &impl Serialize) -> Option<String> {
    serde_json::to_string(value).ok()
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn count(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

const fn source(source: UsageSource) -> &'static str {
    match source {
        UsageSource::Provider => "provider",
        UsageSource::Counted => "counted",
        UsageSource::Estimated => "estimated",
    }
}

/// The id of a row that is written with its id first.
pub(super) fn id(row: &Fields) -> Option<Uuid> {
    match row.first() {
        Some(("id", Column::Uuid(id))) => *id,
        _ => None,
    }
}

/// Replaces a column.
pub(super) fn set(row: &mut Fields, name: &str, value: impl Into<Column>) {
    if let Some((_, column)) = row.iter_mut().find(|(known, _)| *known == name) {
        *column = value.into();
    }
}

/// The row of `attempts`.
pub(super) fn attempt(intent: &Intent, owner: Uuid, holds: &Holds) -> Fields {
    let holds: Vec<Value> = holds
        .0
        .iter()
        .map(|(budget, held)| json!({"budget": budget.to_string(), "usd": held.to_string()}))
        .collect();
    Vec::from(args! {
        id: intent.attempt_id,
        charge_id: intent.charge_id,
        request_id: intent.request_id.as_uuid(),
        user_id: user_id(&intent.principal),
        owner,
        access_key_id: intent.access_key,
        session_id: intent.step.as_ref().map(|step| step.session_id),
        provider: intent.provider.clone(),
        model: &*intent.model,
        request_type: intent.operation.as_str(),
        is_stream: intent.is_stream,
        tags: json_text(&*intent.tags),
        holds: json_text(&holds),
        input_tokens: count(intent.input_tokens),
        input_cost: intent.input_cost.amount(),
        input_cost_source: intent.input_cost.source(),
        price_version: intent.price_version.clone(),
        opened_at: intent.opened_at,
    })
}

/// The row of `settlements`.
pub(super) fn settlement(of: &Settlement, attempt: &Attempt, at: OffsetDateTime) -> Fields {
    let usage = attempt.usage.as_deref();
    let failure = attempt.failure.as_ref();
    Vec::from(args! {
        id: attempt.id,
        kind: "settle",
        attempt_id: attempt.id,
        charge_id: of.id,
        request_id: of.request_id.as_uuid(),
        user_id: user_id(&of.principal),
        provider: attempt.provider.clone(),
        model: &*attempt.model,
        answered_by: attempt.answered_by.as_deref(),
        outcome: attempt.outcome.as_str(),
        usage: usage.and_then(json_text),
        usage_source: usage.map(|usage| source(usage.source)),
        cost: attempt.cost.amount(),
        cost_source: attempt.cost.source(),
        computed_cost: attempt.computed_cost.amount(),
        computed_cost_source: attempt.computed_cost.source(),
        price_version: attempt.price_version.clone(),
        error_kind: failure.map(|failure| failure.kind.as_str()),
        error_message: failure.map(|failure| failure.message.as_str()),
        upstream_request_id: failure.and_then(|failure| failure.request_id.as_deref()),
        duration_ms: millis(attempt.duration),
        ttft_ms: attempt.first_content.map(millis),
        started_at: attempt.started_at,
        ended_at: attempt.ended_at,
        reason: None::<&str>,
        created_at: at,
    })
}

/// A correction of an attempt that was settled in its writer's absence: the same facts, at the
/// difference to what was estimated then.
pub(super) fn correction(
    mut settlement: Fields,
    id: Uuid,
    estimated: Option<Money>,
    cost: Option<Money>,
) -> Fields {
    set(&mut settlement, "id", id);
    set(&mut settlement, "kind", "adjust");
    set(&mut settlement, "reason", "late");
    set(&mut settlement, "cost", difference(cost, estimated));
    settlement
}

/// What a sweep has charged a request for.
pub(super) struct Estimated {
    /// Input tokens.
    pub(super) tokens: u64,
    /// Their cost.
    pub(super) cost: Option<Money>,
}

/// A correction of a charge that was made in its writer's absence: the difference to it. Tokens
/// that were estimated and not used stay, because none are counted below zero.
pub(super) fn late_usage(
    mut usage: Fields,
    id: Uuid,
    of: &Settlement,
    estimated: &Estimated,
) -> Fields {
    let mut used = Sum::of(of);
    used.leave_out(estimated.tokens);
    let cost = difference(of.charge.amount(), estimated.cost);
    set(&mut usage, "id", id);
    set(&mut usage, "request_type", ADJUST);
    set(&mut usage, "request_tokens", count(used.input));
    set(&mut usage, "total_tokens", count(used.total()));
    set(&mut usage, "buckets", json_text(&used.buckets));
    set(&mut usage, "cost_usd", cost);
    usage
}

/// The type of usage rows that correct others: they are no requests.
pub(crate) const ADJUST: &str = "adjust";

/// What an unknown amount changes is not known either.
pub(super) fn difference(cost: Option<Money>, estimated: Option<Money>) -> Option<Money> {
    cost?.checked_sub(estimated.unwrap_or(Money::ZERO)).ok()
}

/// Which word the API has for an outcome.
pub(super) fn status(of: &Settlement) -> &'static str {
    let failure = of.decisive().and_then(|attempt| attempt.failure.as_ref());
    match (of.outcome, failure.map(|failure| failure.kind)) {
        (Outcome::Complete, _) => "success",
        (_, Some(ErrorKind::Cancelled)) => "cancelled",
        // A caller that went away leaves no error behind.
        (Outcome::Partial | Outcome::Unknown, None) => "cancelled",
        _ => "error",
    }
}

/// The row of `usage_logs`: the request's one charge.
///
/// It is dated when the call ended, not when it is written: an outage must not move usage to
/// another day.
pub(super) fn usage(of: &Settlement, message: Option<Uuid>, at: OffsetDateTime) -> Fields {
    let decisive = of.decisive();
    let ended_at = match (&of.cached, decisive) {
        (Some(hit), _) => hit.found_at,
        (None, Some(attempt)) => attempt.ended_at,
        (None, None) => at,
    };
    let failure = decisive.and_then(|attempt| attempt.failure.as_ref());
    let totals = Sum::of(of);
    let (provider, model, price_version) = match (&of.cached, decisive) {
        (Some(hit), _) => (&*hit.provider, hit.model.as_str(), &*hit.price_version),
        (None, Some(attempt)) => (
            &*attempt.provider,
            attempt
                .answered_by
                .as_ref()
                .unwrap_or(&attempt.model)
                .as_str(),
            &*attempt.price_version,
        ),
        (None, None) => ("", of.requested_model.as_str(), ""),
    };
    Vec::from(args! {
        id: of.id,
        user_id: user_id(&of.principal),
        request_id: of.request_id.as_uuid(),
        session_id: of.step.as_ref().map(|step| step.session_id),
        message_id: message,
        access_key_id: of.access_key,
        provider: provider,
        model: model,
        request_type: of.operation.as_str(),
        request_tokens: count(totals.input),
        response_tokens: count(totals.output),
        total_tokens: count(totals.total()),
        buckets: json_text(&totals.buckets),
        usage_source: totals.source.map(source),
        cost_usd: of.charge.amount(),
        cost_source: of.charge.source(),
        price_version: price_version,
        response_time_ms: decisive.map_or(0, |attempt| millis(attempt.duration)),
        ttft_ms: decisive.and_then(|attempt| attempt.first_content).map(millis),
        outcome: of.outcome.as_str(),
        status: status(of),
        error_kind: failure.map(|failure| failure.kind.as_str()),
        error_message: failure.map(|failure| failure.message.as_str()),
        attempts: i64::try_from(of.attempts.len()).unwrap_or(i64::MAX),
        is_cached: of.cached.is_some(),
        tags: json_text(&*of.tags),
        created_at: ended_at,
    })
}

/// What all attempts of a request used.
struct Sum {
    input: u64,
    output: u64,
    buckets: Buckets,
    source: Option<UsageSource>,
}

impl Sum {
    fn of(settlement: &Settlement) -> Self {
        let mut sum = Self {
            input: 0,
            output: 0,
            buckets: Buckets::new(),
            source: None,
        };
        let usages = settlement.attempts.iter();
        for usage in usages.filter_map(|attempt| attempt.usage.as_deref()) {
            sum.add(usage);
        }
        sum
    }

    const fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// Leaves out input that is counted elsewhere, first what was read at the full rate.
    fn leave_out(&mut self, mut tokens: u64) {
        let is_input = |bucket: &&Bucket| Buckets::new().with(**bucket, 1).input_tokens() > 0;
        for bucket in Bucket::ALL.iter().filter(is_input) {
            let count = self.buckets.get(*bucket);
            let less = count.min(tokens);
            self.buckets.set(*bucket, count.saturating_sub(less));
            tokens = tokens.saturating_sub(less);
        }
        self.input = self.buckets.input_tokens();
    }

    fn add(&mut self, usage: &Usage) {
        self.input = self.input.saturating_add(usage.buckets.input_tokens());
        self.output = self.output.saturating_add(usage.buckets.output_tokens());
        for bucket in Bucket::ALL {
            let sum = self.buckets.get(*bucket);
            let sum = sum.saturating_add(usage.buckets.get(*bucket));
            self.buckets.set(*bucket, sum);
        }
        self.source = match (self.source, usage.source) {
            (None, source) => Some(source),
            (Some(UsageSource::Provider), source) => Some(source),
            (source, UsageSource::Provider) => source,
            _ => Some(UsageSource::Estimated),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_that_is_left_out_is_left_out_once() {
        let buckets = Buckets::new()
            .with(Bucket::Input, 20)
            .with(Bucket::CacheRead, 70)
            .with(Bucket::InputImage, 10)
            .with(Bucket::Output, 5);
        for (estimate, input) in [(0, 100), (15, 85), (60, 40), (100, 0), (1_000, 0)] {
            let mut sum = Sum {
                input: 100,
                output: 5,
                buckets: buckets.clone(),
                source: None,
            };
            sum.leave_out(estimate);
            assert_eq!((sum.input, sum.output), (input, 5), "{estimate}");
            assert_eq!(sum.buckets.input_tokens(), input, "{estimate}");
            assert_eq!(sum.buckets.get(Bucket::Output), 5, "{estimate}");
        }
    }
}
