//! The writer's part of sessions: an intent takes one, a settlement answers in it and gives it up.

use std::collections::HashSet;

use aurax_core::{Error, ErrorKind, Phase, Result, Settlement, Turn};
use serde_json::{Value, json};
use uuid::Uuid;

use super::batch::Batch;
use super::charges::Attempt;
use super::fault::Sabotage;
use super::hold::{Line, undo};
use super::queue::{Open, Work};
use super::rows;
use crate::catalogue::ledger as sql;
use crate::db::{Fields, args};
use crate::store::{not_found, user_id};
use crate::turn;

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
    /// Adds the answers to their sessions, and moves those that wait for them.
    pub(super) async fn add_answers(&mut self, settlements: &[&Settlement]) -> Result<()> {
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

    pub(super) async fn release(&mut self, work: &Work) -> Result<()> {
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

    /// Takes the sessions of those that are admitted; who finds one taken is refused, and what
    /// was held for it is given back.
    pub(super) async fn take_sessions(
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
