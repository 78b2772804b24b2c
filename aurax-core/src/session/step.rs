//! One call's place in a session.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Turn, TurnStatus};
use crate::chat::{Message, Response};
use crate::ctx::Principal;

/// What one call adds to a session.
///
/// The turns in `added` are committed with the call's first intent, its answer with the
/// settlement. While a run goes on, no other takes the session.
///
/// A store takes the session for a run with one comparison: nobody has it, and it has as many
/// turns as [`Step::after`] says. A run that read the session before another one changed it is so
/// refused (`SessionBusy`) instead of answering what is no longer there. A session that the run
/// has already stays as it is, but for turns that are missing: an intent may be committed again.
///
/// An answer is never taken from the response cache, which knows no intent.
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

    /// Where the branch in use ends once the step's intent is committed; `None` where it stays,
    /// because an answer is generated again.
    pub fn leaf(&self) -> Option<Uuid> {
        self.added.last().map(|turn| turn.id)
    }

    /// How many turns the session had when the step was made.
    pub fn after(&self) -> u64 {
        let added = u64::try_from(self.added.len()).unwrap_or(u64::MAX);
        self.answer_seq.saturating_sub(1).saturating_sub(added)
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

    /// A whole answer as a turn, as it was settled; `None` where nothing was answered.
    pub(crate) fn answered(&self, response: &Response, at: OffsetDateTime) -> Option<Turn> {
        let receipt = response.receipt.as_ref();
        let message = response.message()?.clone();
        let mut turn = self.answer(message, receipt.map_or(at, |receipt| receipt.ended_at));
        turn.provider = Some(response.provider.to_string());
        turn.model = Some(response.model.clone());
        turn.usage = receipt.and_then(|receipt| receipt.usage.as_deref().cloned());
        turn.cost = receipt.map(|receipt| receipt.cost);
        Some(turn)
    }

    /// Whether the session stays with the run after `answer`: one that calls tools, and is whole.
    pub fn goes_on(&self, answer: Option<&Turn>) -> bool {
        let calls = |turn: &Turn| turn.message.tool_calls().next().is_some();
        self.keeps && answer.is_some_and(|turn| turn.status == TurnStatus::Complete && calls(turn))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ToolCall;

    fn turn(seq: u64) -> Turn {
        let (id, session) = (Uuid::from_u128(u128::from(seq)), Uuid::from_u128(99));
        let message = Message::user("Hi");
        Turn::new(id, session, seq, message, OffsetDateTime::UNIX_EPOCH)
    }

    fn step(added: Vec<Turn>, answer_seq: u64) -> Step {
        let parent = Some(Uuid::from_u128(1));
        Step::new(
            Uuid::from_u128(99),
            Uuid::from_u128(7),
            added,
            parent,
            Uuid::from_u128(8),
            answer_seq,
        )
    }

    #[test]
    fn a_step_says_what_the_session_was_and_where_it_ends() {
        let added = step(vec![turn(5), turn(6)], 7);
        assert_eq!((added.after(), added.begins), (4, true));
        assert_eq!(added.leaf(), Some(turn(6).id));
        assert_eq!(added.parent_id, Some(turn(6).id));
        let again = step(Vec::new(), 5);
        assert_eq!((again.after(), again.leaf()), (4, None));
        assert_eq!(again.parent_id, Some(Uuid::from_u128(1)));
        assert_eq!(step(Vec::new(), 0).after(), 0);
    }

    #[test]
    fn a_run_goes_on_after_a_whole_answer_that_calls_tools() {
        let call = Message::assistant(ToolCall::new("c", "tool", "{}"));
        let keeps = step(Vec::new(), 1).keeping();
        let asks = keeps.answer(call, OffsetDateTime::UNIX_EPOCH);
        assert!(keeps.goes_on(Some(&asks)));
        assert!(!step(Vec::new(), 1).goes_on(Some(&asks)));
        let cut = Turn {
            status: TurnStatus::Partial,
            ..asks
        };
        assert!(!keeps.goes_on(Some(&cut)), "nobody goes on from there");
        assert!(!keeps.goes_on(Some(&turn(1))));
        assert!(!keeps.goes_on(None));
    }
}
