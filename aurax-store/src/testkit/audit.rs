//! The audit: what the upstream noted, what the clients noted and what the books say, joined.

mod rules;

use std::collections::HashMap;
use std::fmt;

use aurax_core::Engine;
use uuid::Uuid;

use super::books::{AttemptRow, Books, ChargeRow, SettlementRow};
use super::load::Seen;
use super::upstream::Fact;

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Invariant {
    /// Every request the upstream got has an attempt, which does not say that it was not sent.
    AttemptBeforeSend,
    /// An attempt is settled once, at rest, and at most once before; what is corrected was
    /// settled by a sweep.
    SettledOnce,
    /// A request is charged once at most.
    ChargedOnce,
    /// Every acknowledged reply is in the books as its client saw it.
    AcknowledgedIsWritten,
    /// Every acknowledged reply of a session is one of its messages.
    AnswerIsMessage,
    /// Every charge is for a request that somebody made and that has an attempt.
    ChargeHasRequest,
    /// The costs of attempts add up to charges, and charges to what budgets say was spent.
    TotalsAddUp,
    /// Every cost is what the price book makes of the tokens.
    Repriced,
    /// Complete answers have the tokens that the upstream counted.
    CountsAgree,
    /// No fewer tokens are recorded than their caller got.
    ForwardedIsCounted,
    /// Budgets hold what attempts in flight hold: nothing, at rest.
    HeldInFlight,
    /// No hard budget is overspent.
    WithinLimit,
    /// At rest no session is taken.
    SessionsFree,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::AttemptBeforeSend,
        Self::SettledOnce,
        Self::ChargedOnce,
        Self::AcknowledgedIsWritten,
        Self::AnswerIsMessage,
        Self::ChargeHasRequest,
        Self::TotalsAddUp,
        Self::Repriced,
        Self::CountsAgree,
        Self::ForwardedIsCounted,
        Self::HeldInFlight,
        Self::WithinLimit,
        Self::SessionsFree,
    ];

    /// What it says, in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AttemptBeforeSend => "every upstream request has an attempt",
            Self::SettledOnce => "every attempt is settled once",
            Self::ChargedOnce => "every request is charged once at most",
            Self::AcknowledgedIsWritten => "every acknowledged reply is settled and charged",
            Self::AnswerIsMessage => "every acknowledged reply of a session is its message",
            Self::ChargeHasRequest => "every charge has a request",
            Self::TotalsAddUp => "totals add up to the digit",
            Self::Repriced => "costs recompute from tokens to the digit",
            Self::CountsAgree => "complete settlements equal the upstream's counts",
            Self::ForwardedIsCounted => "tokens recorded are no fewer than forwarded",
            Self::HeldInFlight => "budgets hold what is in flight",
            Self::WithinLimit => "no hard budget is overspent",
            Self::SessionsFree => "no session is taken",
        }
    }
}

/// Whether calls may be in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Calls may be in flight.
    Running,
    /// Every call has ended, and what dead processes left open was swept.
    AtRest,
}

/// What was found of one invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// Which.
    pub invariant: Invariant,
    /// How many things were looked at.
    pub checked: usize,
    /// What broke it, one line each.
    pub violations: Vec<String>,
}

impl Verdict {
    const fn new(invariant: Invariant) -> Self {
        Self {
            invariant,
            checked: 0,
            violations: Vec::new(),
        }
    }

    /// Looks at one thing.
    fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        self.checked += 1;
        if !holds {
            self.violations.push(what());
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.violations.is_empty() {
            "ok      "
        } else {
            "VIOLATED"
        };
        let (invariant, count) = (self.invariant.as_str(), self.violations.len());
        write!(
            f,
            "{word} {invariant}: {count} of {} violate it",
            self.checked
        )?;
        for example in self.violations.iter().take(3) {
            write!(f, "\n    {example}")?;
        }
        Ok(())
    }
}

/// One verdict an invariant, in the order of [`Invariant::ALL`]. It prints a line for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit(Vec<Verdict>);

impl Audit {
    /// Joins what the upstream and the clients noted with the books. `engine` prices.
    pub fn of(
        books: &Books,
        facts: &[Fact],
        seen: &[Seen],
        engine: &Engine,
        moment: Moment,
    ) -> Self {
        let joined = Joined::new(books, facts, seen, engine, moment);
        Self(
            Invariant::ALL
                .iter()
                .map(|invariant| joined.judge(*invariant))
                .collect(),
        )
    }

    /// The verdicts.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.0
    }

    /// What is violated.
    pub fn violated(&self) -> Vec<Invariant> {
        let violated = self.0.iter().filter(|one| !one.violations.is_empty());
        violated.map(|one| one.invariant).collect()
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for verdict in &self.0 {
            writeln!(f, "{verdict}")?;
        }
        Ok(())
    }
}

/// Everything about one request.
#[derive(Debug, Default)]
struct Story<'a> {
    asking: bool,
    attempts: Vec<&'a AttemptRow>,
    settlements: Vec<&'a SettlementRow>,
    charges: Vec<&'a ChargeRow>,
    facts: Vec<&'a Fact>,
    forwarded: u64,
    acknowledged: Option<&'a Seen>,
}

impl Story<'_> {
    /// Whether a sweep settled something of it that nobody corrected.
    fn is_orphan(&self) -> bool {
        let swept = |row: &&&SettlementRow| row.reason.as_deref() == Some("orphan");
        let late = |row: &&&SettlementRow| row.reason.as_deref() == Some("late");
        self.settlements.iter().filter(swept).count() > self.settlements.iter().filter(late).count()
    }
}

struct Joined<'a> {
    books: &'a Books,
    engine: &'a Engine,
    moment: Moment,
    stories: HashMap<Uuid, Story<'a>>,
}

impl<'a> Joined<'a> {
    fn new(
        books: &'a Books,
        facts: &'a [Fact],
        seen: &'a [Seen],
        engine: &'a Engine,
        moment: Moment,
    ) -> Self {
        let mut stories: HashMap<Uuid, Story<'a>> = HashMap::new();
        for row in &books.attempts {
            let story = stories.entry(row.request_id).or_default();
            story.attempts.push(row);
        }
        for row in &books.settlements {
            let story = stories.entry(row.request_id).or_default();
            story.settlements.push(row);
        }
        for row in &books.charges {
            let story = stories.entry(row.request_id).or_default();
            story.charges.push(row);
        }
        for fact in facts {
            let (Fact::Asked { request, .. } | Fact::Ended { request, .. }) = fact;
            stories.entry(*request).or_default().facts.push(fact);
        }
        for one in seen {
            match one {
                Seen::Asking { request } => stories.entry(*request).or_default().asking = true,
                Seen::Forwarded { request, tokens } => {
                    let story = stories.entry(*request).or_default();
                    story.forwarded = story.forwarded.max(*tokens);
                }
                Seen::Acknowledged { request, .. } => {
                    stories.entry(*request).or_default().acknowledged = Some(one);
                }
                Seen::Failed { .. } | Seen::Left { .. } => {}
            }
        }
        Self {
            books,
            engine,
            moment,
            stories,
        }
    }
}
