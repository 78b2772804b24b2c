//! One transaction of the writer: settlements, then opens, in a constant number of statements.

use std::collections::{HashMap, HashSet};

use aurax_core::{Error, ErrorKind, Money, Receipt, Result, Settlement};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::charges::{Attempt, Charges};
use super::fault::{Faults, Sabotage};
use super::hold::{Caller, Demand, Holds, Line, reserve};
use super::queue::{Limited, Open, Work};
use super::rows;
use crate::catalogue::ledger as sql;
use crate::db::{Fields, Tx, args, is_about_data};
use crate::store::user_id;
use crate::turn;

/// What a transaction wrote, to be told once it is durable.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Of each open, in order: what to remember and answer.
    pub(super) opens: Vec<Result<Attempt>>,
    /// Of each settlement, in order.
    pub(super) receipts: Vec<Result<Receipt>>,
}

/// Why a transaction was not written.
#[derive(Debug)]
pub(super) enum Refused {
    /// The database does not take what it was given.
    Data(Error),
    /// The database is away, or has troubles of its own.
    Away(Error),
    /// Some of its rows were there already: it is to be tried again, carefully.
    Known,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        if is_about_data(&error) {
            Self::Data(error)
        } else {
            Self::Away(error)
        }
    }
}

/// A transaction on its way.
pub(super) struct Batch<'a> {
    pub(super) tx: &'a mut Tx,
    pub(super) charges: &'a mut Charges,
    pub(super) owner: Uuid,
    pub(super) now: OffsetDateTime,
    pub(super) limited: &'a Limited,
    pub(super) faults: Faults,
    /// Asks which rows of settlements and charges are new. Else all are taken to be, as they are
    /// unless a commit seemed to fail or a sweep was faster.
    pub(super) is_careful: bool,
}

impl Batch<'_> {
    pub(super) async fn write(mut self, work: &mut Work) -> Result<Written, Refused> {
        for settle in &mut work.settlements {
            settle.facts.finish();
            settle.facts.spoil(self.faults);
        }
        // Budgets first: a commit that seemed to fail may still be on its way, and holds them
        // until it is through.
        let mut lines = self.lines(work).await?;
        self.clear_doubts(work).await?;
        let receipts = self.settle(work, &mut lines).await?;
        self.release(work).await?;
        let opens = self.open(&work.opens, &mut lines).await?;
        keep(self.tx, &lines, self.now).await?;
        Ok(Written { opens, receipts })
    }

    /// Finds out what became of intents whose commit failed.
    async fn clear_doubts(&mut self, work: &Work) -> Result<()> {
        let settled = work.settlements.iter().map(|settle| settle.charge_id());
        let opened = work.opens.iter().map(|open| open.intent.charge_id);
        let doubtful = self.charges.doubtful(settled.chain(opened));
        if doubtful.is_empty() {
            return Ok(());
        }
        let args = args! { ids: doubtful.clone() };
        let there = self.ids(&sql::ATTEMPTS, &args).await?;
        self.charges.decide(&doubtful, &there);
        Ok(())
    }

    pub(super) async fn ids(
        &mut self,
        statement: &crate::db::Statement,
        args: &[crate::db::Arg],
    ) -> Result<Vec<Uuid>> {
        let rows = self.tx.rows(statement, args).await?;
        rows.iter().map(|row| row.uuid("id")).collect()
    }

    /// Inserts rows, and returns the ids of those that were not there.
    async fn insert(
        &mut self,
        batch: &crate::db::BulkInsert,
        rows: &[Fields],
    ) -> Result<HashSet<Uuid>, Refused> {
        if self.is_careful {
            return Ok(self.tx.insert_new(batch, rows).await?);
        }
        let new = self.tx.insert(batch, rows).await?;
        if usize::try_from(new).ok() != Some(rows.len()) {
            return Err(Refused::Known);
        }
        Ok(rows.iter().filter_map(rows::id).collect())
    }

    /// The budgets that may change, locked.
    async fn lines(&mut self, work: &Work) -> Result<Vec<Line>> {
        let opening = work
            .opens
            .iter()
            .map(|open| user_id(&open.intent.principal));
        let settling = work
            .settlements
            .iter()
            .filter_map(|settle| self.charges.get(settle.charge_id()))
            .filter(|charge| charge.attempts.iter().any(|one| !one.raises.0.is_empty()))
            .map(|charge| charge.user);
        let users: HashSet<Uuid> = opening.chain(settling).collect();
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let users: Vec<Uuid> = users.into_iter().collect();
        let rows = self.tx.rows(&sql::BUDGETS, &args! { users }).await?;
        let lines = rows.iter().map(Line::read).collect::<Result<Vec<_>>>()?;
        for line in lines.iter().filter(|line| line.is_hard()) {
            self.limited.add(line.user);
        }
        Ok(lines)
    }

    async fn settle(
        &mut self,
        work: &Work,
        lines: &mut [Line],
    ) -> Result<Vec<Result<Receipt>>, Refused> {
        let settlements: Vec<&Settlement> = work
            .settlements
            .iter()
            .filter_map(|settle| settle.facts.finished())
            .collect();
        let receipts = settlements.iter().map(|of| receipt(of)).collect();
        // An intent whose commit seemed to fail may have failed indeed: what was never opened was
        // never sent, and is charged to nobody.
        let settlements: Vec<&Settlement> = settlements
            .into_iter()
            .filter(|of| of.cached.is_some() || self.charges.has_attempts(of.id))
            .collect();
        if settlements.is_empty() {
            return Ok(receipts);
        }
        let written = self.add_settlements(&settlements).await?;
        let charged = self.add_charges(&settlements, &written).await?;
        for settlement in &settlements {
            self.spend(settlement, &written, &charged, lines)?;
        }
        self.add_answers(&settlements).await?;
        Ok(receipts)
    }

    /// Writes what became of every attempt, and of those that a sweep had settled, what that
    /// changes.
    async fn add_settlements(&mut self, settlements: &[&Settlement]) -> Result<Attempts, Refused> {
        let mut rows = HashMap::new();
        for settlement in settlements {
            for attempt in &settlement.attempts {
                let known = self.charges.get(settlement.id);
                if known.is_some_and(|charge| charge.attempt(attempt.id).is_some()) {
                    let row = rows::settlement(settlement, attempt, self.now);
                    rows.insert(attempt.id, row);
                }
            }
        }
        if rows.is_empty() {
            return Ok(Attempts::default());
        }
        let mut all: Vec<Fields> = rows.values().cloned().collect();
        self.faults.spoil_settlements(&mut all);
        let new = self.insert(&sql::ADD_SETTLEMENTS, &all).await?;
        let old: Vec<Uuid> = rows
            .keys()
            .filter(|id| !new.contains(id))
            .copied()
            .collect();
        let late = if old.is_empty() {
            HashSet::new()
        } else {
            self.swept(old).await?
        };
        let written = Attempts { late };
        self.correct(settlements, &written, &rows).await?;
        Ok(written)
    }

    /// Which of these attempts a sweep settled; the others were settled by this writer, in a
    /// commit that seemed to fail.
    async fn swept(&mut self, ids: Vec<Uuid>) -> Result<HashSet<Uuid>> {
        let found = self.tx.rows(&sql::SETTLED, &args! { ids }).await?;
        let mut swept = HashSet::new();
        for row in &found {
            if row.text_or_null("reason")?.as_deref() == Some(ORPHAN) {
                swept.insert(row.uuid("id")?);
            }
        }
        Ok(swept)
    }

    async fn correct(
        &mut self,
        settlements: &[&Settlement],
        written: &Attempts,
        rows: &HashMap<Uuid, Fields>,
    ) -> Result<()> {
        let mut corrections = Vec::new();
        for settlement in settlements {
            for attempt in &settlement.attempts {
                let Some(row) = rows.get(&attempt.id) else {
                    continue;
                };
                if written.late.contains(&attempt.id) {
                    let known = self.charges.get(settlement.id);
                    let estimated = known
                        .and_then(|charge| charge.attempt(attempt.id))
                        .and_then(|attempt| attempt.input_cost);
                    let id = derived(attempt.id);
                    let cost = attempt.cost.amount();
                    corrections.push(rows::correction(row.clone(), id, estimated, cost));
                }
            }
        }
        self.tx
            .insert(&sql::ADD_SETTLEMENTS, &corrections)
            .await
            .map(drop)
    }

    /// Writes the one charge of every request; returns those that are new.
    async fn add_charges(
        &mut self,
        settlements: &[&Settlement],
        written: &Attempts,
    ) -> Result<HashSet<Uuid>, Refused> {
        let mut rows: Vec<Fields> = settlements
            .iter()
            .map(|settlement| {
                let message = settlement.answer().map(|turn| turn.id);
                let row = rows::usage(settlement, message, self.now);
                if written.is_late(settlement) {
                    let estimated = rows::Estimated {
                        tokens: self.estimated_tokens(settlement, written),
                        cost: self.estimated(settlement, written),
                    };
                    rows::late_usage(row, derived(settlement.id), settlement, &estimated)
                } else {
                    row
                }
            })
            .collect();
        self.faults.spoil_charges(&mut rows);
        self.insert(&sql::ADD_USAGE, &rows).await
    }

    /// For how many input tokens a sweep has charged a request.
    fn estimated_tokens(&self, settlement: &Settlement, written: &Attempts) -> u64 {
        let known = self.charges.get(settlement.id).into_iter();
        known
            .flat_map(|charge| &charge.attempts)
            .filter(|attempt| written.late.contains(&attempt.id))
            .fold(0, |sum, attempt| sum.saturating_add(attempt.input_tokens))
    }

    /// What a sweep has charged for a request: for its attempts that it settled.
    fn estimated(&self, settlement: &Settlement, written: &Attempts) -> Option<Money> {
        let charge = self.charges.get(settlement.id)?;
        let swept = charge.attempts.iter();
        let swept = swept.filter(|attempt| written.late.contains(&attempt.id));
        let costs = swept.filter_map(|attempt| attempt.input_cost);
        let mut costs = costs.map(Ok);
        costs
            .try_fold(Money::ZERO, |sum, cost: Result<Money>| {
                sum.checked_add(cost?)
            })
            .ok()
    }

    /// Gives back what was held and counts the charge, the one time it is written.
    fn spend(
        &self,
        settlement: &Settlement,
        written: &Attempts,
        charged: &HashSet<Uuid>,
        lines: &mut [Line],
    ) -> Result<()> {
        let Some(charge) = self.charges.get(settlement.id) else {
            return Ok(());
        };
        let is_late = written.is_late(settlement);
        let id = if is_late {
            derived(settlement.id)
        } else {
            settlement.id
        };
        if !charged.contains(&id) {
            return Ok(());
        }
        let mut cost = settlement.charge.amount();
        if is_late {
            cost = rows::difference(cost, self.estimated(settlement, written));
        }
        let (mut all, mut held) = (Holds::default(), Holds::default());
        for attempt in &charge.attempts {
            all.add(&attempt.raises)?;
            // The sweep gave back what was held for those it settled.
            if !written.late.contains(&attempt.id) {
                held.add(&attempt.raises)?;
            }
        }
        for (budget, most) in &all.0 {
            let Some(line) = lines.iter_mut().find(|line| line.id == *budget) else {
                continue;
            };
            if !self.faults.does(Sabotage::NeverRelease) {
                line.release(held.of(*budget))?;
            }
            if self.faults.does(Sabotage::ReleaseTwice) {
                line.release(held.of(*budget))?;
            }
            if !self.faults.does(Sabotage::NeverSpend) {
                line.spend(cost, self.now)?;
            }
            if let Some(cost) = settlement.charge.amount()
                && cost > *most
                && line.is_hard()
            {
                tracing::warn!(
                    target: "aurax::budget", budget_id = %line.id, charge_id = %settlement.id,
                    %cost, held = %most, "a call cost more than was held for it"
                );
            }
        }
        Ok(())
    }

    /// Decides about every open, and writes those that are taken.
    async fn open(&mut self, opens: &[Open], lines: &mut [Line]) -> Result<Vec<Result<Attempt>>> {
        let mut verdicts = Vec::with_capacity(opens.len());
        // What this batch adds to requests' holds, before anything is remembered.
        let mut fresh: HashMap<Uuid, Holds> = HashMap::new();
        for open in opens {
            let verdict = self.admit(open, &mut fresh, lines);
            verdicts.push(verdict);
        }
        self.take_sessions(opens, &mut verdicts, lines).await?;
        let mut attempts = Vec::new();
        let mut messages = Vec::new();
        for (open, verdict) in opens.iter().zip(&verdicts) {
            let Ok(attempt) = verdict else { continue };
            if attempt.is_certain {
                continue;
            }
            attempts.push(rows::attempt(&open.intent, self.owner, &attempt.raises));
            if let Some(step) = &open.intent.step {
                let user = user_id(&open.intent.principal);
                let request = open.intent.request_id.as_uuid();
                let added = step.added.iter();
                for turn in added {
                    messages.push(turn::fields(turn, user, Some(request))?);
                }
            }
        }
        if !self.faults.does(Sabotage::SkipIntent) {
            self.tx.insert(&sql::ADD_ATTEMPTS, &attempts).await?;
        }
        self.tx.insert(&sql::ADD_MESSAGES, &messages).await?;
        Ok(verdicts)
    }

    /// Whether budgets have room for an attempt.
    fn admit(
        &self,
        open: &Open,
        fresh: &mut HashMap<Uuid, Holds>,
        lines: &mut [Line],
    ) -> Result<Attempt> {
        let intent = &open.intent;
        let charge = self.charges.get(intent.charge_id);
        if let Some(known) = charge.and_then(|charge| charge.attempt(intent.attempt_id)) {
            // Written by a commit that seemed to fail.
            return Ok(known.clone());
        }
        let mut held = charge
            .map(|charge| charge.holds())
            .transpose()?
            .unwrap_or_default();
        if let Some(more) = fresh.get(&intent.charge_id) {
            held.add(more)?;
        }
        let input_cost = intent.input_cost.amount();
        let demand = Demand {
            caller: Caller {
                user: user_id(&intent.principal),
                access_key: intent.access_key,
                tags: &intent.tags,
            },
            spent: open.opening.spent(),
            held: &held,
            estimate: input_cost.unwrap_or(Money::ZERO),
        };
        let (opened, raises) = reserve(lines, &demand, || open.exposure(), self.now)?;
        fresh.entry(intent.charge_id).or_default().add(&raises)?;
        Ok(Attempt {
            id: intent.attempt_id,
            raises,
            opened,
            input_tokens: intent.input_tokens,
            input_cost,
            is_certain: false,
        })
    }
}

/// Writes the budgets that changed.
pub(super) async fn keep(tx: &mut Tx, lines: &[Line], now: OffsetDateTime) -> Result<()> {
    let changed = lines.iter().filter(|line| line.is_changed);
    let rows: Vec<Value> = changed.map(|line| line.row(now)).collect();
    if !rows.is_empty() {
        let args = args! { rows: rows::batch(rows) };
        tx.run(&sql::SET_BUDGETS, &args).await?;
    }
    Ok(())
}

/// Why a sweep settled an attempt.
pub(crate) const ORPHAN: &str = "orphan";

/// What the database said of the attempts of a batch.
#[derive(Debug, Default)]
struct Attempts {
    /// Settled by a sweep before.
    late: HashSet<Uuid>,
}

impl Attempts {
    fn is_late(&self, settlement: &Settlement) -> bool {
        let mut attempts = settlement.attempts.iter();
        attempts.any(|attempt| self.late.contains(&attempt.id))
    }
}

/// An id that follows from another, so that a correction is the same however often it is tried.
/// It keeps the other's time, and so its partition.
fn derived(id: Uuid) -> Uuid {
    correction_id(id, "late")
}

/// The id of the correction of `id` that `why` names.
pub(crate) fn correction_id(id: Uuid, why: &str) -> Uuid {
    let mut named = id.as_bytes().to_vec();
    named.extend_from_slice(why.as_bytes());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &named);
    let mut bytes = *id.as_bytes();
    let tail = bytes.iter_mut().zip(digest.as_ref()).skip(6);
    tail.for_each(|(to, from)| *to = *from);
    uuid::Builder::from_bytes(bytes)
        .with_version(uuid::Version::SortRand)
        .with_variant(uuid::Variant::RFC4122)
        .into_uuid()
}

pub(super) fn receipt(settlement: &Settlement) -> Result<Receipt> {
    Receipt::of(settlement).ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "a request was settled without an attempt",
        )
    })
}
