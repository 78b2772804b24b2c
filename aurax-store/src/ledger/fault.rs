//! Faults that tests put in: rules the writer breaks, and points at which the process dies. Without
//! the feature `testkit` there are none, and nothing is left of them.

#[cfg(feature = "testkit")]
use aurax_core::new_id;
use aurax_core::{Outcome, Settlement};
use serde::{Deserialize, Serialize};

use crate::db::Fields;

/// A rule of the ledger that its writer breaks, so that a test sees the auditor notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(
    not(feature = "testkit"),
    allow(dead_code, reason = "nobody breaks anything")
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[cfg_attr(
    not(feature = "testkit"),
    expect(unreachable_pub, reason = "the test kit shows it")
)]
pub enum Sabotage {
    /// An attempt is sent without its intent being written.
    SkipIntent,
    /// The caller sees the end before its settlement is written.
    SettleAfterAck,
    /// What a caller left unread is not settled.
    ForgetDropped,
    /// An attempt is settled a second time.
    SettleTwice,
    /// A request is charged a second time.
    ChargeTwice,
    /// Somebody is charged for a request that nobody made.
    ChargeNobody,
    /// A settlement says one output token more than the provider.
    WrongTokens,
    /// A settlement leaves out what was delivered of an answer that broke off.
    LoseTokens,
    /// A settlement costs a little more than its tokens.
    WrongCost,
    /// What was held for a request stays held.
    NeverRelease,
    /// What was held for a request is given back twice.
    ReleaseTwice,
    /// A charge does not count against budgets.
    NeverSpend,
    /// The settlement of an attempt whose id ends in 0 says a word that no database keeps.
    Unkeepable,
    /// The answer is not added to its session.
    LoseMessage,
    /// The session stays taken after its answer.
    StayBusy,
    /// Usage that is too old is dropped, and what it adds up to is not kept.
    DropWithoutRollUp,
    /// Usage that is too old is dropped in one transaction, and added up in another.
    RollUpApart,
    /// A provider key is said to be sealed by the current master key, and is not.
    ClaimRotated,
    /// A master key that seals something is said to seal nothing.
    RetireKeyEarly,
}

/// A point at which a process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(
    not(feature = "testkit"),
    allow(dead_code, reason = "nobody breaks anything")
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[cfg_attr(
    not(feature = "testkit"),
    expect(unreachable_pub, reason = "the test kit shows it")
)]
pub enum CrashPoint {
    /// An intent is durable, and the caller does not know it yet.
    AfterIntent,
    /// A settlement is on its way and not durable.
    BeforeSettle,
    /// A settlement is durable, and the caller does not know it yet.
    AfterSettle,
    /// Tables are made, and not noted as made.
    MidMigration,
    /// A request is about to be sent.
    BeforeSend,
    /// A request was sent, and its answer begins.
    AfterSend,
    /// A part of an answer arrived.
    MidStream,
    /// The client has noted the end.
    AfterAcknowledgement,
    /// Old rows are dropped and added up, and none of it is durable yet.
    MidRetention,
    /// Some old rows are gone for good, and others are there yet.
    AfterRetention,
    /// A key is sealed anew, and that is not durable yet.
    MidRotation,
    /// Some keys are sealed anew for good, and others are not yet.
    AfterRotation,
}

/// What is wrong with a writer: nothing, but in tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Faults {
    #[cfg(feature = "testkit")]
    sabotage: Option<Sabotage>,
}

#[cfg(feature = "testkit")]
impl Faults {
    pub(crate) const fn of(sabotage: Sabotage) -> Self {
        Self {
            sabotage: Some(sabotage),
        }
    }

    pub(crate) fn does(self, sabotage: Sabotage) -> bool {
        self.sabotage == Some(sabotage)
    }

    /// Changes the rows of `settlements` on their way.
    pub(super) fn spoil_settlements(self, rows: &mut Vec<Fields>) {
        match self.sabotage {
            Some(Sabotage::SettleTwice) => {
                let again = rows.iter().cloned().map(|mut row| {
                    super::rows::set(&mut row, "id", new_id());
                    super::rows::set(&mut row, "kind", "adjust");
                    row
                });
                let again: Vec<_> = again.collect();
                rows.extend(again);
            }
            Some(Sabotage::WrongCost) => {
                let one = aurax_core::Money::new(aurax_core::Decimal::new(1, 18));
                for row in rows {
                    let cost = row.iter().find(|(name, _)| *name == "cost");
                    if let Some((_, crate::db::Value::Money(Some(cost)))) = cost
                        && let Ok(more) = cost.checked_add(one)
                    {
                        super::rows::set(row, "cost", more);
                    }
                }
            }
            Some(Sabotage::Unkeepable) => {
                let is_meant = |row: &Fields| {
                    let id = super::rows::id(row);
                    id.is_some_and(|id| id.as_u128().is_multiple_of(16))
                };
                for row in rows.iter_mut().filter(|row| is_meant(row)) {
                    super::rows::set(row, "outcome", "nonsense");
                }
            }
            _ => {}
        }
    }

    /// Changes the rows of `usage_logs` on their way.
    pub(super) fn spoil_charges(self, rows: &mut Vec<Fields>) {
        let (Some(Sabotage::ChargeTwice | Sabotage::ChargeNobody), Some(first)) =
            (self.sabotage, rows.first())
        else {
            return;
        };
        let mut more = first.clone();
        super::rows::set(&mut more, "id", new_id());
        if self.does(Sabotage::ChargeNobody) {
            super::rows::set(&mut more, "request_id", new_id());
        }
        rows.push(more);
    }
}

#[cfg(not(feature = "testkit"))]
#[expect(clippy::unused_self, reason = "there is nothing wrong with it")]
impl Faults {
    pub(crate) const fn does(self, _: Sabotage) -> bool {
        false
    }

    pub(super) const fn spoil_settlements(self, _: &mut Vec<Fields>) {}

    pub(super) const fn spoil_charges(self, _: &mut Vec<Fields>) {}
}

impl Faults {
    /// Whether a settlement is to be lost.
    pub(super) fn forgets(self, settlement: &Settlement) -> bool {
        self.does(Sabotage::ForgetDropped)
            && settlement.outcome == Outcome::Partial
            && settlement
                .decisive()
                .is_some_and(|attempt| attempt.failure.is_none())
    }

    /// Changes a settlement before it is written.
    pub(super) fn spoil(self, settlement: &mut Settlement) {
        use aurax_core::Bucket;

        if !self.does(Sabotage::WrongTokens) && !self.does(Sabotage::LoseTokens) {
            return;
        }
        for attempt in &mut settlement.attempts {
            let Some(usage) = &mut attempt.usage else {
                continue;
            };
            let usage = std::sync::Arc::make_mut(usage);
            if self.does(Sabotage::WrongTokens) {
                let output = usage.buckets.get(Bucket::Output);
                usage.buckets.set(Bucket::Output, output.saturating_add(1));
            }
            if self.does(Sabotage::LoseTokens) && attempt.outcome == Outcome::Partial {
                usage.buckets.set(Bucket::Output, 0);
            }
        }
    }
}

/// The rule that this process's jobs break, by its number from 1.
#[cfg(feature = "testkit")]
static JOBS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

#[cfg(feature = "testkit")]
const fn rule(sabotage: Sabotage) -> u32 {
    (sabotage as u32) + 1
}

/// Lets the jobs of this process break a rule.
#[cfg(feature = "testkit")]
pub(crate) fn break_in_jobs(sabotage: Sabotage) {
    JOBS.store(rule(sabotage), std::sync::atomic::Ordering::SeqCst);
}

/// Whether a test wants jobs to break this rule.
#[cfg(feature = "testkit")]
pub(crate) fn jobs_do(sabotage: Sabotage) -> bool {
    JOBS.load(std::sync::atomic::Ordering::SeqCst) == rule(sabotage)
}

/// Whether a test wants jobs to break this rule.
#[cfg(not(feature = "testkit"))]
pub(crate) const fn jobs_do(_: Sabotage) -> bool {
    false
}

/// Where and when this process dies: the point's number from 1 in the upper half, how often it may
/// still pass it in the lower one.
#[cfg(feature = "testkit")]
static ARMED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

#[cfg(feature = "testkit")]
const PASSES: u64 = u32::MAX as u64;

#[cfg(feature = "testkit")]
const fn number(point: CrashPoint) -> u64 {
    ((point as u64) + 1) << 32
}

/// Lets this process die when it comes to `point` after having passed it so often.
#[cfg(feature = "testkit")]
pub(crate) fn arm(point: CrashPoint, passes: u32) {
    let armed = number(point) | u64::from(passes);
    ARMED.store(armed, std::sync::atomic::Ordering::SeqCst);
}

/// Dies here, if this is where a test wants it.
#[cfg(feature = "testkit")]
pub(crate) fn reached(point: CrashPoint) {
    use std::sync::atomic::Ordering::SeqCst;

    let pass = |armed: u64| {
        let is_here = armed & !PASSES == number(point) && armed & PASSES > 0;
        is_here.then(|| armed.saturating_sub(1))
    };
    if ARMED.fetch_update(SeqCst, SeqCst, pass) == Err(number(point)) {
        die();
    }
}

#[cfg(feature = "testkit")]
#[expect(
    clippy::disallowed_methods,
    reason = "a test wants to see what a crash leaves behind"
)]
fn die() -> ! {
    std::process::abort()
}

/// Dies here, if this is where a test wants it.
#[cfg(not(feature = "testkit"))]
pub(crate) const fn reached(_: CrashPoint) {}
