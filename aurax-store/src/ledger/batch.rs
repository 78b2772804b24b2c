//! One transaction of the writer: settlements, then opens, in a constant number of statements.

use std::collections::{HashMap, HashSet};

use aurax_core::{Error, ErrorKind, Money, Phase, Receipt, Result, Settlement, Turn};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::charges::{Attempt, Charges};
use super::fault::{Faults, Sabotage};
use super::hold::{Caller, Demand, Holds, Line, reserve, undo};
use super::queue::{Facts, Limited, Open, Work};
use super::rows;
use crate::catalogue::ledger as sql;
use crate::db::{Fields, Tx, args};
use crate::store::{not_found, user_id};
use crate::turn;

/// What a transaction wrote, to be told once it is durable.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Of each open, in order: what to remember and answer.
    pub(super) opens: Vec<Result<Attempt>>,
    /// Of each settlement, in order.
    pub(super) receipts: Vec<Result<Receipt>>,
}

/// A transaction on its way.
pub(super) struct Batch<'a> {
    pub(super) tx: &'a mut Tx,
    pub(super) charges: &'a mut Charges,
    pub(super) owner: Uuid,
    pub(super) now: OffsetDateTime,
    pub(super) limited: &'a Limited,
    pub(super) faults: Faults,
}

/// A session that moves: whose, under which run, where to, and whether the run goes on.
struct Move {
    session: Uuid,
    user: Uuid,
    run: Uuid,
    leaf: Option<Uuid>,
    /// How many turns it has then.
    turns: u64,
    /// How many the run knows of.
    known: u64,
    keeps: bool,
}

impl Batch<'_> {
    pub(super) async fn write(mut self, work: &mut Work) -> Result<Written> {
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

    async fn ids(
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
    ) -> Result<HashSet<Uuid>> {
        let new = self.tx.insert(batch, rows).await?;
        new.iter().map(|row| row.uuid("id")).collect()
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

    async fn settle(&mut self, work: &Work, lines: &mut [Line]) -> Result<Vec<Result<Receipt>>> {
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
    async fn add_settlements(&mut self, settlements: &[&Settlement]) -> Result<Attempts> {
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
    ) -> Result<HashSet<Uuid>> {
        let mut rows: Vec<Fields> = settlements
            .iter()
            .map(|settlement| {
                let message = settlement.answer().map(|turn| turn.id);
                let row = rows::usage(settlement, message, self.now);
                if written.is_late(settlement) {
                    let estimated = self.estimated(settlement, written);
                    rows::late_usage(row, derived(settlement.id), settlement, estimated)
                } else {
                    row
                }
            })
            .collect();
        self.faults.spoil_charges(&mut rows);
        self.insert(&sql::ADD_USAGE, &rows).await
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

    /// Adds the answers to their sessions, and moves those that wait for them.
    async fn add_answers(&mut self, settlements: &[&Settlement]) -> Result<()> {
        let mut moves = Vec::new();
        let mut answers: Vec<(Turn, Uuid, Uuid)> = Vec::new();
        for settlement in settlements {
            let Some(step) = &settlement.step else {
                continue;
            };
            let user = user_id(&settlement.principal);
            let answer = settlement.answer();
            moves.push(Move {
                session: step.session_id,
                user,
                run: step.run,
                leaf: answer.as_ref().map(|turn| turn.id),
                turns: match answer {
                    Some(_) => step.answer_seq,
                    None => step.answer_seq.saturating_sub(1),
                },
                known: step.after(),
                keeps: step.goes_on(answer.as_ref()) || self.faults.does(Sabotage::StayBusy),
            });
            if let Some(answer) = answer
                && !self.faults.does(Sabotage::LoseMessage)
            {
                answers.push((answer, user, settlement.request_id.as_uuid()));
            }
        }
        if moves.is_empty() {
            return Ok(());
        }
        let moved = self.move_sessions(&moves).await?;
        let mut there: HashSet<Uuid> = moved.into_iter().collect();
        // A session that its run does not hold any more still gets the answer, if it exists.
        let others: Vec<Value> = answers
            .iter()
            .filter(|(turn, ..)| !there.contains(&turn.session_id))
            .map(|(turn, user, _)| {
                json!({
                    "id": turn.session_id.to_string(),
                    "user_id": user.to_string(),
                    "turns": turn.seq,
                })
            })
            .collect();
        if !others.is_empty() {
            let args = args! { rows: rows::batch(others) };
            there.extend(self.ids(&sql::COUNT_TURNS, &args).await?);
        }
        let rows: Vec<Fields> = answers
            .iter()
            .filter(|(turn, ..)| there.contains(&turn.session_id))
            .map(|(turn, user, request)| turn::fields(turn, *user, Some(*request)))
            .collect::<Result<_>>()?;
        self.tx.insert(&sql::ADD_MESSAGES, &rows).await.map(drop)
    }

    async fn move_sessions(&mut self, moves: &[Move]) -> Result<Vec<Uuid>> {
        let rows: Vec<Value> = moves.iter().map(|to| self.session_row(to)).collect();
        let args = args! { rows: rows::batch(rows) };
        self.ids(&sql::MOVE_SESSIONS, &args).await
    }

    fn session_row(&self, to: &Move) -> Value {
        json!({
            "id": to.session.to_string(),
            "user_id": to.user.to_string(),
            "run": to.run.to_string(),
            "owner": self.owner.to_string(),
            "leaf": to.leaf.map(|leaf| leaf.to_string()),
            "at": rows::micros(self.now),
            "turns": to.turns,
            "known": to.known,
            "keeps": to.keeps,
        })
    }

    async fn release(&mut self, work: &Work) -> Result<()> {
        if work.releases.is_empty() {
            return Ok(());
        }
        let rows: Vec<Value> = work
            .releases
            .iter()
            .map(|lease| {
                json!({
                    "id": lease.session_id.to_string(),
                    "user_id": user_id(&lease.principal).to_string(),
                    "run": lease.run.to_string(),
                })
            })
            .collect();
        let args = args! { rows: rows::batch(rows) };
        self.tx.run(&sql::FREE_SESSIONS, &args).await.map(drop)
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
            input_cost,
            is_certain: false,
        })
    }

    /// Takes the sessions of those that are admitted; who finds one taken is refused, and what
    /// was held for it is given back.
    async fn take_sessions(
        &mut self,
        opens: &[Open],
        verdicts: &mut [Result<Attempt>],
        lines: &mut [Line],
    ) -> Result<()> {
        let mut asked = HashSet::new();
        let (mut taking, mut moving) = (Vec::new(), Vec::new());
        for (open, verdict) in opens.iter().zip(verdicts.iter()) {
            let Ok(attempt) = verdict else { continue };
            let Some(step) = &open.intent.step else {
                continue;
            };
            if attempt.is_certain || !asked.insert(step.session_id) {
                continue;
            }
            let to = Move {
                session: step.session_id,
                user: user_id(&open.intent.principal),
                run: step.run,
                leaf: step.leaf(),
                turns: step.answer_seq.saturating_sub(1),
                known: step.after(),
                keeps: true,
            };
            if step.begins {
                &mut taking
            } else {
                &mut moving
            }
            .push((to, open.intent.attempt_id));
        }
        if taking.is_empty() && moving.is_empty() {
            return Ok(());
        }
        let mut granted = HashSet::new();
        if !taking.is_empty() {
            let rows: Vec<Value> = taking.iter().map(|(to, _)| self.session_row(to)).collect();
            let args = args! { rows: rows::batch(rows) };
            granted.extend(self.ids(&sql::TAKE_SESSIONS, &args).await?);
        }
        if !moving.is_empty() {
            let (moves, ids): (Vec<Move>, Vec<Uuid>) = moving.into_iter().unzip();
            let moved = self.move_sessions(&moves).await?;
            granted.extend(moved);
            taking.extend(moves.into_iter().zip(ids));
        }
        let winners: HashSet<Uuid> = taking
            .iter()
            .filter(|(to, _)| granted.contains(&to.session))
            .map(|(_, attempt)| *attempt)
            .collect();
        let lost: Vec<Uuid> = opens
            .iter()
            .zip(verdicts.iter())
            .filter(|(open, verdict)| loses(open, verdict, &winners))
            .filter_map(|(open, _)| open.intent.step.as_ref())
            .map(|step| step.session_id)
            .collect();
        if lost.is_empty() {
            return Ok(());
        }
        let found = self.tx.rows(&sql::SESSIONS, &args! { ids: lost }).await?;
        let mut there = HashSet::new();
        for row in &found {
            there.insert((row.uuid("id")?, row.uuid("user_id")?));
        }
        for (open, verdict) in opens.iter().zip(verdicts) {
            if !loses(open, verdict, &winners) {
                continue;
            }
            if let Ok(attempt) = &*verdict {
                undo(lines, &attempt.raises)?;
            }
            let session = open.intent.step.as_ref().map(|step| step.session_id);
            let user = user_id(&open.intent.principal);
            let is_there = session.is_some_and(|session| there.contains(&(session, user)));
            *verdict = Err(if is_there {
                session_busy()
            } else {
                no_session()
            });
        }
        Ok(())
    }
}

/// Whether an attempt that budgets admit does not get its session.
fn loses(open: &Open, verdict: &Result<Attempt>, winners: &HashSet<Uuid>) -> bool {
    let in_session = open.intent.step.is_some();
    verdict
        .as_ref()
        .is_ok_and(|one| in_session && !one.is_certain && !winners.contains(&one.id))
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

fn no_session() -> Error {
    not_found("session").with_phase(Phase::Encode)
}

fn session_busy() -> Error {
    Error::new(
        ErrorKind::SessionBusy,
        "the session is answering something else: wait for it, or use another session",
    )
    .with_phase(Phase::Encode)
}

impl Facts {
    /// Counts and prices.
    pub(super) fn finish(&mut self) {
        if let Self::Pending(_) = self
            && let Self::Pending(pending) = std::mem::replace(self, Self::Taken)
        {
            *self = Self::Finished(Box::new(pending.finish()));
        }
    }

    /// Does what a test wants to be done wrong.
    pub(super) fn spoil(&mut self, faults: Faults) {
        if let Self::Finished(settlement) = self {
            faults.spoil(settlement);
        }
    }

    pub(super) fn finished(&self) -> Option<&Settlement> {
        match self {
            Self::Finished(settlement) => Some(settlement),
            _ => None,
        }
    }
}
