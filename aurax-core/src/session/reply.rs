//! The answer of a session, whole or as it comes.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _};
use uuid::Uuid;

use super::Turn;
use super::run::Run;
use crate::chat::{Event, Fold, Response};
use crate::error::{Error, Result};
use crate::reply::{Batch, Head, truncated};

/// What happens while a session answers.
///
/// First comes the person's turn, where one was added. Each call of a model begins with a
/// [`SessionEvent::Head`], ends with an [`Event::End`] that carries its receipt, and is followed by
/// the answer's turn. Where the engine runs tools, the turn with their results comes next, and then
/// another call.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// A turn was added. The person's and the model's are durable by then; the tools' results are
    /// with the call that follows.
    Turn(Box<Turn>),
    /// A model begins to answer.
    Head {
        /// The id of the answer's turn.
        answer_id: Uuid,
        /// Who answers; what was left out of the conversation is among the warnings.
        head: Box<Head>,
    },
    /// More of the answer.
    Batch(Batch),
}

/// A whole answer, and the turns the session gained with it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// The answer of the last call.
    pub response: Response,
    /// What was known of it before it was read.
    pub head: Box<Head>,
    /// Everything that was said, in order: the person's turn where one was added, and the model's,
    /// with the tools' results in between. Each answer bears what it cost.
    pub turns: Vec<Turn>,
}

impl Answer {
    /// The words of the answer.
    pub fn text(&self) -> String {
        self.response.text()
    }

    /// The turn of the answer.
    pub fn turn(&self) -> Option<&Turn> {
        self.turns.last()
    }
}

/// A session's answer as it comes.
///
/// It ends after the turn of the last answer, or with an error; what was said until then is kept.
///
/// # Cancel safety
/// Dropping it, at any point, stops the call that is open, which is settled and kept with what had
/// arrived; tools that run are dropped; the session is free again.
pub struct SessionReply(BoxStream<'static, Result<SessionEvent>>);

impl SessionReply {
    pub(super) fn new(run: Run) -> Self {
        let events = stream::unfold(run, |mut run| async move {
            let item = run.next().await?;
            Some((item, run))
        });
        Self(events.boxed())
    }

    /// Reads the whole answer.
    ///
    /// # Errors
    /// The stream's own error, with what had arrived of the last answer in [`Error::partial`].
    ///
    /// # Cancel safety
    /// As of dropping the reply.
    pub async fn collect(mut self) -> Result<Answer> {
        let mut turns = Vec::new();
        let mut last: Option<(Box<Head>, Fold)> = None;
        while let Some(event) = self.0.next().await {
            match event? {
                SessionEvent::Turn(turn) => turns.push(*turn),
                SessionEvent::Head { head, .. } => {
                    let fold = Fold::from_head(&head);
                    last = Some((head, fold));
                }
                SessionEvent::Batch(batch) => {
                    if let Some((_, fold)) = &mut last {
                        push(fold, batch);
                    }
                }
            }
        }
        let (head, fold) = last.ok_or_else(truncated)?;
        Ok(Answer {
            response: fold.finish(),
            head,
            turns,
        })
    }
}

fn push(fold: &mut Fold, batch: Batch) {
    batch
        .events
        .into_iter()
        .for_each(|event: Event| fold.take(event));
}

impl Stream for SessionReply {
    type Item = Result<SessionEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl fmt::Debug for SessionReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionReply").finish_non_exhaustive()
    }
}
