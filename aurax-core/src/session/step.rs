//! One call's place in a session.

use time::OffsetDateTime;
use uuid::Uuid;

use super::Turn;
use crate::chat::Message;
use crate::ctx::Principal;

/// What one call adds to a session.
///
/// The turns in `added` are committed with the call's first intent, its answer with the
/// settlement. While a run goes on, no other takes the session.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The session.
    pub session_id: Uuid,
    /// The run the step belongs to: one question and everything until its answer.
    pub run: Uuid,
    /// Whether it is the run's first step, which takes the session.
    pub begins: bool,
    /// Whether the run goes on after an answer that calls tools.
    pub keeps: bool,
    /// The person's words or the tools' results, in order; none where an answer is generated
    /// again.
    pub added: Vec<Turn>,
    /// The turn the answer follows.
    pub parent_id: Option<Uuid>,
    /// The answer's id, a UUIDv7.
    pub answer_id: Uuid,
    /// The answer's place in the order of creation.
    pub answer_seq: u64,
}

impl Step {
    /// The first step of a run: `added` follow one another, and the answer follows them.
    ///
    /// `parent_id` is the turn they follow and `seq` the place of the first of them.
    pub fn new(
        session_id: Uuid,
        run: Uuid,
        added: Vec<Turn>,
        parent_id: Option<Uuid>,
        answer_id: Uuid,
        answer_seq: u64,
    ) -> Self {
        Self {
            session_id,
            run,
            begins: true,
            keeps: false,
            parent_id: added.last().map(|turn| turn.id).or(parent_id),
            added,
            answer_id,
            answer_seq,
        }
    }

    /// A later step of a run that holds the session already.
    #[must_use]
    pub const fn continuing(mut self) -> Self {
        self.begins = false;
        self
    }

    /// Holds the session beyond an answer that calls tools.
    #[must_use]
    pub const fn keeping(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// Where the session ends once the step's intent is committed.
    pub fn leaf(&self) -> Option<Uuid> {
        self.parent_id
    }

    /// The answer as a turn.
    pub(crate) fn answer(&self, message: Message, at: OffsetDateTime) -> Turn {
        let mut turn = Turn::new(
            self.answer_id,
            self.session_id,
            self.answer_seq,
            message,
            at,
        );
        turn.parent_id = self.parent_id;
        turn
    }

    /// Whether the session stays with the run after `answer`.
    pub fn goes_on(&self, answer: Option<&Turn>) -> bool {
        self.keeps && answer.is_some_and(|turn| turn.message.tool_calls().next().is_some())
    }
}

/// A run's hold of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// Whose session.
    pub principal: Principal,
    /// The session.
    pub session_id: Uuid,
    /// The run.
    pub run: Uuid,
}

impl Lease {
    /// A run's hold of a session.
    pub const fn new(principal: Principal, session_id: Uuid, run: Uuid) -> Self {
        Self {
            principal,
            session_id,
            run,
        }
    }
}
