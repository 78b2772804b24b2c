//! How each invariant is looked at.

use std::collections::{HashMap, HashSet};

use aurax_core::{Bucket, Cost, Money, Usage};
use serde::Deserialize;
use uuid::Uuid;

use super::{Invariant, Joined, Moment, Story, Verdict};
use crate::testkit::books::{BudgetRow, ChargeRow, SettlementRow};
use crate::testkit::load::Seen;
use crate::testkit::upstream::{Fact, How};

#[derive(Deserialize)]
struct Held {
    budget: Uuid,
    usd: Money,
}

/// The sum, where every amount is known.
fn sum(amounts: impl IntoIterator<Item = Option<Money>>) -> Option<Money> {
    let mut amounts = amounts.into_iter();
    amounts.try_fold(Money::ZERO, |sum, amount| sum.checked_add(amount?).ok())
}

fn usage(row: &SettlementRow) -> Option<Usage> {
    serde_json::from_str(row.usage.as_deref()?).ok()
}

/// Whether a writer says what became of an attempt that a sweep had settled.
fn is_late(row: &SettlementRow) -> bool {
    row.reason.as_deref() == Some("late")
}

/// Whether it says what other prices change, and nothing of how the attempt went.
fn is_repriced(row: &SettlementRow) -> bool {
    row.reason.as_deref() == Some("reprice")
}

fn is_correction(charge: &ChargeRow) -> bool {
    charge.request_type == "adjust"
}

impl Joined<'_> {
    pub(super) fn judge(&self, invariant: Invariant) -> Verdict {
        let mut verdict = Verdict::new(invariant);
        match invariant {
            Invariant::SettledOnce => self.settled_once(&mut verdict),
            Invariant::TotalsAddUp => self.totals_add_up(&mut verdict),
            Invariant::HeldInFlight => self.held_in_flight(&mut verdict),
            Invariant::WithinLimit => self.within_limit(&mut verdict),
            Invariant::AnswerIsMessage => self.answer_is_message(&mut verdict),
            Invariant::SessionsFree => {
                for session in &self.books.busy_sessions {
                    let is_running = self.moment == Moment::Running;
                    verdict.check(is_running, || format!("session {session} is taken"));
                }
            }
            _ => {
                for (request, story) in &self.stories {
                    self.tell(*request, story, &mut verdict);
                }
            }
        }
        verdict
    }

    fn tell(&self, request: Uuid, story: &Story<'_>, verdict: &mut Verdict) {
        match verdict.invariant {
            Invariant::AttemptBeforeSend => attempt_before_send(request, story, verdict),
            Invariant::ChargedOnce => {
                let charges = story.charges.iter().filter(|charge| !is_correction(charge));
                let charges = charges.count();
                verdict.check(charges <= 1, || format!("{request} has {charges} charges"));
            }
            Invariant::AcknowledgedIsWritten => acknowledged_is_written(request, story, verdict),
            Invariant::ChargeHasRequest => {
                for charge in &story.charges {
                    let has = story.asking && !story.attempts.is_empty();
                    let (asked, attempts) = (story.asking, story.attempts.len());
                    verdict.check(has, || {
                        let id = charge.id;
                        format!("charge {id} of {request}: asked {asked}, {attempts} attempts")
                    });
                }
            }
            Invariant::Repriced => self.repriced(story, verdict),
            Invariant::CountsAgree => counts_agree(request, story, verdict),
            Invariant::ForwardedIsCounted => forwarded_is_counted(request, story, verdict),
            _ => {}
        }
    }

    fn settled_once(&self, verdict: &mut Verdict) {
        let mut rows: HashMap<Uuid, Vec<&SettlementRow>> = HashMap::new();
        for row in &self.books.settlements {
            rows.entry(row.attempt_id).or_default().push(row);
        }
        let attempts = self.books.attempts.iter().map(|attempt| attempt.id);
        let known: HashSet<Uuid> = attempts.collect();
        for attempt in &known {
            let rows = rows.get(attempt).map_or(&[][..], Vec::as_slice);
            let settled = rows.iter().filter(|row| row.kind == "settle").count();
            let swept = rows
                .iter()
                .filter(|row| row.reason.as_deref() == Some("orphan"));
            let other = rows.iter().filter(|row| row.kind != "settle");
            let corrected = other.filter(|row| !is_repriced(row)).count();
            let is_enough = settled == 1 || settled == 0 && self.moment == Moment::Running;
            let is_right = is_enough && corrected <= swept.count();
            verdict.check(is_right, || {
                format!("attempt {attempt} has {settled} settlements and {corrected} corrections")
            });
        }
        for attempt in rows.keys().filter(|id| !known.contains(id)) {
            verdict.check(false, || {
                format!("attempt {attempt} is settled and was never opened")
            });
        }
    }

    /// Σ attempts = charge for each request, Σ charges = spent for each budget.
    fn totals_add_up(&self, verdict: &mut Verdict) {
        for (request, story) in &self.stories {
            let Some(attempts) = sum(story.settlements.iter().map(|row| row.cost)) else {
                continue;
            };
            let charged = sum(story.charges.iter().map(|row| row.cost));
            verdict.check(charged == Some(attempts), || {
                format!("{request}: attempts cost {attempts}, charged {charged:?}")
            });
        }
        for budget in &self.books.budgets {
            let Some(charged) = self.charged(budget) else {
                continue;
            };
            verdict.check(charged == budget.spent, || {
                let (id, spent) = (budget.id, budget.spent);
                format!("budget {id} spent {spent}, charged {charged}")
            });
        }
    }

    /// What was charged for all that a budget is for; `None` where it is for a part of something.
    fn charged(&self, budget: &BudgetRow) -> Option<Money> {
        if budget.scope != "user" || budget.period != "total" {
            return None;
        }
        let own = |charge: &&ChargeRow| charge.user_id == budget.user_id;
        let charges = self.books.charges.iter().filter(own);
        // What is not known does not count against anything.
        sum(charges.map(|row| row.cost.or(Some(Money::ZERO))))
    }

    fn repriced(&self, story: &Story<'_>, verdict: &mut Verdict) {
        for row in story.settlements.iter().filter(|row| row.kind == "settle") {
            let of_attempt = || {
                let rows = story.settlements.iter();
                rows.filter(|other| other.attempt_id == row.attempt_id)
            };
            // What its writer says late is the usage that stands; other corrections have none.
            let standing = of_attempt().find(|row| is_late(row)).unwrap_or(row);
            let Some(cost) = sum(of_attempt().map(|row| row.cost)) else {
                continue;
            };
            if standing.cost_source == "reported" {
                continue;
            }
            let model = format!("{}/{}", row.provider, row.model);
            let priced = match usage(standing) {
                Some(usage) => self.engine.cost(&model, &usage).unwrap_or(Cost::Unpriced),
                None => Cost::Free,
            };
            let attempt = row.attempt_id;
            verdict.check(priced.amount() == Some(cost), || {
                format!("attempt {attempt} cost {cost}, and its tokens {priced:?}")
            });
        }
    }

    fn held_in_flight(&self, verdict: &mut Verdict) {
        let settlements = self.books.settlements.iter();
        let settled: HashSet<Uuid> = settlements.map(|row| row.attempt_id).collect();
        let mut held: HashMap<Uuid, Money> = HashMap::new();
        let attempts = self.books.attempts.iter();
        for attempt in attempts.filter(|attempt| !settled.contains(&attempt.id)) {
            let holds: Vec<Held> = serde_json::from_str(&attempt.holds).unwrap_or_default();
            for hold in holds {
                let sum = held.entry(hold.budget).or_insert(Money::ZERO);
                *sum = sum.checked_add(hold.usd).unwrap_or(Money::MAX);
            }
        }
        for budget in &self.books.budgets {
            let in_flight = held.get(&budget.id).copied().unwrap_or(Money::ZERO);
            let is_rest = self.moment == Moment::Running || budget.reserved == Money::ZERO;
            verdict.check(is_rest && budget.reserved == in_flight, || {
                let (id, reserved) = (budget.id, budget.reserved);
                format!("budget {id} holds {reserved}, and what is in flight {in_flight}")
            });
        }
    }

    fn within_limit(&self, verdict: &mut Verdict) {
        for budget in self.books.budgets.iter().filter(|budget| budget.is_hard) {
            let used = budget.spent.checked_add(budget.reserved);
            let is_within = used.is_ok_and(|used| used <= budget.limit);
            let charged = self.charged(budget);
            let is_paid = charged.is_none_or(|charged| charged <= budget.limit);
            verdict.check(is_within && is_paid, || {
                format!(
                    "budget {}: {} spent, {} held and {charged:?} charged of {}",
                    budget.id, budget.spent, budget.reserved, budget.limit
                )
            });
        }
    }

    fn answer_is_message(&self, verdict: &mut Verdict) {
        let messages = self.books.messages.iter();
        let answers: HashSet<Uuid> = messages
            .filter(|message| message.role == "assistant")
            .map(|message| message.id)
            .collect();
        for (request, story) in &self.stories {
            if story.acknowledged.is_none() {
                continue;
            }
            for charge in story.charges.iter().filter(|row| row.session_id.is_some()) {
                let is_there = charge.message_id.is_some_and(|id| answers.contains(&id));
                verdict.check(is_there, || {
                    format!("{request} was answered, and its message is not there")
                });
            }
        }
    }
}

fn attempt_before_send(request: Uuid, story: &Story<'_>, verdict: &mut Verdict) {
    let asked = story
        .facts
        .iter()
        .filter(|fact| matches!(fact, Fact::Asked { .. }))
        .count();
    if asked == 0 {
        return;
    }
    let unsent = story
        .settlements
        .iter()
        .filter(|row| row.outcome == "not_sent")
        .count();
    let sent = story.attempts.len().saturating_sub(unsent);
    verdict.check(asked <= sent, || {
        format!("{request} reached the upstream {asked} times with {sent} attempts")
    });
}

fn acknowledged_is_written(request: Uuid, story: &Story<'_>, verdict: &mut Verdict) {
    let Some(Seen::Acknowledged {
        input,
        output,
        cost,
        ..
    }) = story.acknowledged
    else {
        return;
    };
    let complete = story
        .settlements
        .iter()
        .filter(|row| row.outcome == "complete" && !is_repriced(row));
    let charges = || story.charges.iter();
    let paid = sum(charges().map(|charge| charge.cost));
    // A failed attempt before it may have used something, too. What was estimated first and
    // corrected later is counted in parts.
    let counted =
        |of: fn(&ChargeRow) -> u64| charges().map(|row| of(row)).fold(0, u64::saturating_add);
    let is_told = charges().any(|charge| charge.outcome == "complete")
        && counted(|charge| charge.request_tokens) >= *input
        && counted(|charge| charge.response_tokens) >= *output;
    let is_written = complete.count() == 1 && is_told && (paid == *cost || cost.is_none());
    verdict.check(is_written, || {
        let (settled, charged) = (story.settlements.len(), story.charges.len());
        format!(
            "{request} was acknowledged at {cost:?}: {settled} settlements, {charged} charges, {paid:?}"
        )
    });
}

fn counts_agree(request: Uuid, story: &Story<'_>, verdict: &mut Verdict) {
    let complete = story.settlements.iter();
    for row in complete.filter(|row| row.outcome == "complete" && !is_repriced(row)) {
        let usage = usage(row);
        let recorded = usage.map(|usage| {
            let output = usage.buckets.get(Bucket::Output);
            (usage.buckets.input_tokens(), output)
        });
        let billed = story.facts.iter().find_map(|fact| match fact {
            Fact::Ended {
                how: How::Complete,
                input,
                output,
                ..
            } => Some((*input, *output)),
            _ => None,
        });
        verdict.check(recorded.is_some() && recorded == billed, || {
            format!("{request}: {recorded:?} recorded, {billed:?} billed")
        });
    }
}

fn forwarded_is_counted(request: Uuid, story: &Story<'_>, verdict: &mut Verdict) {
    // What a process forwarded before it died, nobody else can know.
    if story.forwarded == 0 || story.is_orphan() {
        return;
    }
    let recorded = story.charges.iter().map(|charge| charge.response_tokens);
    let recorded = recorded.max().unwrap_or(0);
    let forwarded = story.forwarded;
    verdict.check(recorded >= forwarded, || {
        format!("{request}: {forwarded} forwarded, {recorded} recorded")
    });
}
