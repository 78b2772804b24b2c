//! Finds out where in the tree a run begins.

use uuid::Uuid;

use super::fit::MOST_TURNS;
use super::lease::no_turn;
use super::run::Branch;
use super::{Session, SessionStore, Turn, TurnStatus};
use crate::chat::{Message, Part, Role};
use crate::ctx::Principal;
use crate::error::{Error, ErrorKind, Phase, Result};

/// What is to be answered.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    /// Something said after the last turn.
    Say(Message),
    /// What a turn answers, or the turn itself, once more.
    Again(Uuid),
    /// Something said in place of a turn.
    Edit(Uuid, Message),
}

/// A session, as its owner reads it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) store: &'a dyn SessionStore,
    pub(super) principal: &'a Principal,
    pub(super) id: Uuid,
}

impl Reader<'_> {
    /// One turn of the session.
    pub(super) async fn turn(&self, id: Uuid) -> Result<Turn> {
        let turns = self
            .store
            .branch(self.principal, self.id, id, 1.into())
            .await?;
        turns.into_iter().next().ok_or_else(|| no_turn(id))
    }

    pub(super) async fn branch(&self, session: &Session, wish: Wish) -> Result<Branch> {
        let (parent, said) = match wish {
            Wish::Say(message) => (session.leaf, Some(message)),
            Wish::Again(id) => (Some(question(&self.turn(id).await?)?), None),
            Wish::Edit(id, message) => (replaced(&self.turn(id).await?)?, Some(message)),
        };
        let mut history = match parent {
            Some(leaf) => {
                self.store
                    .branch(self.principal, self.id, leaf, MOST_TURNS.into())
                    .await?
            }
            None => Vec::new(),
        };
        let is_cut = history.first().is_some_and(|turn| turn.parent_id.is_some());
        if is_cut {
            // A conversation begins with the person.
            let begin = history
                .iter()
                .position(|turn| turn.message.role == Role::User);
            history.drain(..begin.unwrap_or_default());
        }
        if let Some(message) = &said {
            may_follow(message, history.last())?;
        }
        Ok(Branch {
            history,
            is_cut,
            parent,
            said,
            turns: session.turns,
        })
    }
}

/// The turn that an answer follows.
fn question(turn: &Turn) -> Result<Uuid> {
    if turn.message.role != Role::Assistant {
        return Ok(turn.id);
    }
    turn.parent_id
        .ok_or_else(|| refuse("the turn answers nothing, so it cannot be answered again"))
}

/// What a turn that is said in another way follows.
fn replaced(turn: &Turn) -> Result<Option<Uuid>> {
    if turn.message.role == Role::User {
        return Ok(turn.parent_id);
    }
    Err(refuse("only what the person said can be edited"))
}

/// Whether a message can be said after `last`.
fn may_follow(message: &Message, last: Option<&Turn>) -> Result<()> {
    if message.parts.is_empty() {
        return Err(refuse("the message is empty"));
    }
    match message.role {
        Role::User => Ok(()),
        Role::Tool => results_follow(message, last),
        _ => Err(refuse(
            "only the person and tools say something in a session: instructions are a setting, \
             and answers are the model's",
        )),
    }
}

fn results_follow(message: &Message, last: Option<&Turn>) -> Result<()> {
    let last = last.filter(|turn| turn.status == TurnStatus::Complete);
    let mut calls: Vec<&str> = last
        .into_iter()
        .flat_map(|turn| turn.message.tool_calls())
        .map(|call| call.id.as_str())
        .collect();
    for part in &message.parts {
        let Part::ToolResult(result) = part else {
            return Err(refuse("the tools' message has something else than results"));
        };
        let asked = calls.iter().position(|id| *id == result.call_id);
        let Some(at) = asked else {
            let words = format!("the last answer has no open call `{}`", result.call_id);
            return Err(refuse(words));
        };
        calls.remove(at);
    }
    match calls.as_slice() {
        [] => Ok(()),
        open => Err(refuse(format!(
            "these calls have no result: {}",
            open.join(", ")
        ))),
    }
}

pub(super) fn refuse(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message).with_phase(Phase::Encode)
}
