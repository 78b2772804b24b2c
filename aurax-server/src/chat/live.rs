//! An answer while it is made.

use std::collections::VecDeque;
use std::time::Duration;

use aurax::{Delta, Event, QuotaState, Receipt, Role, SessionEvent, SessionReply, Turn};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use tokio::time::Instant;
use uuid::Uuid;

use super::frame::{Answered, Broken, Chunk, Frame};
use super::watch::Watch;
use super::{Exchange, failed, said_nothing, sent};
use crate::auth::Caller;
use crate::edge::Seen;
use crate::error::{Failure, KeyOwner};
use crate::state::State;
use crate::view::{Priced, Tokens};

/// What happens next.
#[derive(Debug)]
pub(crate) enum Moment {
    /// Frames, all that are ready.
    Frames(Vec<Frame>),
    /// Nothing has happened for a while.
    Silence,
}

/// An answer while it is made. Dropping it stops the call, which is settled with what had arrived.
///
/// It ends after a [`Frame::ChatResponse`] or a [`Frame::Error`], and never without one.
pub(crate) struct Live {
    watch: Watch,
    seen: Seen,
    session_id: Uuid,
    owner: KeyOwner,
    client_id: Option<String>,
    phase: Phase,
    ready: VecDeque<Frame>,
    message_id: Option<Uuid>,
    receipt: Option<Receipt>,
    quota: Option<QuotaState>,
    started: Instant,
}

enum Phase {
    /// Nobody has answered yet.
    Asking(BoxFuture<'static, aurax::Result<SessionReply>>),
    Reading(SessionReply),
    Over,
}

/// What woke the answer.
enum Woken {
    Asked(aurax::Result<SessionReply>),
    Read(Option<aurax::Result<SessionEvent>>),
}

impl Live {
    /// Says it. Nothing happens before the first [`Live::begin`] or [`Live::next`].
    pub(crate) fn new(
        state: State,
        caller: Caller,
        seen: Seen,
        exchange: Exchange,
        client_id: Option<String>,
    ) -> Self {
        let started = state.clock().monotonic();
        Self {
            phase: Phase::Asking(Box::pin(exchange.send.stream())),
            session_id: exchange.session_id,
            owner: exchange.owner,
            watch: Watch::new(state, caller, seen.cut.clone()),
            seen,
            client_id,
            ready: VecDeque::new(),
            message_id: None,
            receipt: None,
            quota: None,
            started,
        }
    }

    /// Waits for the first content, for so long at most: a failure until then has a status of its
    /// own.
    pub(crate) async fn begin(&mut self, at_most: Duration) -> Result<(), Failure> {
        let Phase::Asking(asking) = &mut self.phase else {
            return Ok(());
        };
        match tokio::time::timeout(at_most, asking).await {
            Err(_) => Ok(()),
            Ok(Ok(mut reply)) => {
                // Who answers is known by now, and what is left of the caller's quotas.
                while self.message_id.is_none() {
                    match reply.next().await {
                        Some(Ok(event)) => self.take(event),
                        Some(Err(error)) => {
                            return Err(failed(self.watch.state(), &error, self.owner));
                        }
                        None => break,
                    }
                }
                self.read(reply);
                Ok(())
            }
            Ok(Err(error)) => {
                self.end();
                Err(failed(self.watch.state(), &error, self.owner))
            }
        }
    }

    /// What happens next, within so long; `None` after the last frame.
    pub(crate) async fn next(&mut self, at_most: Duration) -> Option<Moment> {
        let silent_at = self.watch.silent_at(at_most);
        loop {
            if !self.ready.is_empty() {
                return Some(Moment::Frames(self.ready.drain(..).collect()));
            }
            let watch = &mut self.watch;
            let woken = match &mut self.phase {
                Phase::Over => return None,
                Phase::Asking(asking) => {
                    let asked = watch.wait(asking, silent_at).await;
                    asked.map(|asked| asked.map(Woken::Asked))
                }
                Phase::Reading(reply) => {
                    let read = watch.wait(reply.next(), silent_at).await;
                    read.map(|read| read.map(Woken::Read))
                }
            };
            match woken {
                Err(failure) => self.fail(&failure),
                Ok(None) => return Some(Moment::Silence),
                Ok(Some(Woken::Asked(Ok(reply)))) => self.read(reply),
                Ok(Some(Woken::Asked(Err(error)) | Woken::Read(Some(Err(error))))) => {
                    let failure = failed(self.watch.state(), &error, self.owner);
                    self.fail(&failure);
                }
                Ok(Some(Woken::Read(Some(Ok(event))))) => self.take(event),
                Ok(Some(Woken::Read(None))) => self.broken_off(),
            }
        }
    }

    fn read(&mut self, reply: SessionReply) {
        self.watch.answered();
        self.phase = Phase::Reading(reply);
    }

    fn end(&mut self) {
        self.phase = Phase::Over;
        self.watch.over();
    }

    /// Ends with a failure of the client's or the server's own.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        self.end();
        let body = failure.body(&self.seen.shown_id, self.watch.state().clock().now());
        self.ready.push_back(Frame::Error(Broken {
            error: body.error,
            message_id: self.message_id,
            client_id: self.client_id.clone(),
        }));
    }

    /// What is left of the caller's quotas, once somebody answers.
    pub(crate) const fn quota(&self) -> Option<QuotaState> {
        self.quota
    }

    /// The answer's id, once somebody answers.
    pub(crate) const fn message_id(&self) -> Option<Uuid> {
        self.message_id
    }

    /// The stream ended without an answer.
    fn broken_off(&mut self) {
        if self.receipt.is_some() {
            let failure = failed(self.watch.state(), &said_nothing(), self.owner);
            return self.fail(&failure);
        }
        tracing::error!(request_id = %self.seen.request_id, "an answer ended without an end");
        self.fail(&Failure::internal());
    }

    fn take(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Head { answer_id, head } => {
                self.message_id = Some(answer_id);
                self.quota = head.quota;
            }
            SessionEvent::Batch(batch) => {
                for event in batch.events {
                    self.event(event);
                }
            }
            SessionEvent::Turn(turn) if turn.message.role == Role::Assistant => {
                self.answered(*turn)
            }
            _ => {}
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Delta {
                choice: 0, delta, ..
            } => {
                let id = self.message_id.unwrap_or_default();
                self.ready.extend(chunk(id, delta).map(Frame::ChatChunk));
            }
            Event::End(end) => self.receipt = end.receipt,
            _ => {}
        }
    }

    /// The answer is whole and settled.
    fn answered(&mut self, turn: Turn) {
        self.end();
        if let Some(receipt) = self.receipt.take() {
            let now = self.watch.state().clock().monotonic();
            let took = now.saturating_duration_since(self.started);
            sent(self.watch.caller(), Some(self.session_id), &receipt, took);
        }
        let priced = Priced(turn.cost);
        let usage = turn.usage.as_ref().map(Tokens::of);
        self.ready.push_back(Frame::ChatResponse(Box::new(Answered {
            message_id: turn.id,
            session_id: turn.session_id,
            content: turn.message.text(),
            provider: turn.provider,
            model: turn.model,
            tokens: usage.map(|usage| usage.total),
            cost: priced.amount(),
            cost_decimal: priced.text(),
            cost_source: priced.source(),
            usage,
            client_id: self.client_id.clone(),
        })));
    }
}

/// A piece of an answer as clients see it; `None` for what means something to its provider alone.
fn chunk(id: Uuid, delta: Delta) -> Option<Chunk> {
    let none = || Chunk::words(id, "");
    Some(match delta {
        Delta::Text(text) | Delta::Refusal(text) => Chunk::words(id, text),
        Delta::Thinking(text) => Chunk {
            thinking: Some(text),
            ..none()
        },
        Delta::ToolCall(call) => Chunk {
            tool_call: Some(Box::new(call)),
            ..none()
        },
        Delta::Arguments(arguments) => Chunk {
            arguments: Some(arguments),
            ..none()
        },
        Delta::Citation(citation) => Chunk {
            citation: Some(Box::new(citation)),
            ..none()
        },
        Delta::Image(image) => Chunk {
            image: Some(Box::new(image)),
            ..none()
        },
        Delta::Audio(audio) => Chunk {
            audio: Some(Box::new(audio)),
            ..none()
        },
        _ => return None,
    })
}
