//! The answers that are made for one socket.

use std::time::Duration;

use aurax::{CancellationToken, RequestId};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use http::StatusCode;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::incoming::{Cancel, ChatMessage};
use crate::auth::Caller;
use crate::chat::{Broken, Exchange, Frame, Live, Moment};
use crate::edge::Seen;
use crate::error::{Code, Failure};
use crate::limits;
use crate::room::Stay;
use crate::routes::sessions::say;
use crate::state::State;
use crate::trace;

/// How many answers one socket may wait for.
const MOST: usize = 8;
/// Silence means nothing here: the socket has pings of its own.
const SILENCE: Duration = Duration::from_secs(3_600);

/// What an answer has come to.
pub(super) enum Step {
    /// It was asked for, or it cannot be.
    Begun(u64, Result<Box<Live>, Failure>, Option<CancellationToken>),
    /// It goes on; `None` at its end.
    Next(u64, Box<Live>, Option<Moment>),
}

/// The answers that are made for one socket. Dropping them stops them all.
#[derive(Default)]
pub(super) struct Answers {
    running: Vec<Running>,
    steps: FuturesUnordered<BoxFuture<'static, Step>>,
    next: u64,
}

/// One answer.
struct Running {
    key: u64,
    session_id: Uuid,
    seen: Seen,
    client_id: Option<String>,
    message_id: Option<Uuid>,
    /// Stops the call, once there is one.
    call: Option<CancellationToken>,
    is_cancelled: bool,
    /// The room it takes.
    _stay: Stay,
    /// What is logged of it.
    span: Span,
}

impl Answers {
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Begins to answer a message that came in so many bytes.
    pub(super) fn begin(
        &mut self,
        state: &State,
        caller: &Caller,
        seen: &Seen,
        message: ChatMessage,
        bytes: usize,
    ) -> Result<(), Failure> {
        if self.running.len() >= MOST {
            let said = format!("{MOST} answers are being made for this socket: wait for one");
            let failure = Failure::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, said);
            return Err(failure
                .with_detail("limit", MOST)
                .with_retry_after(Duration::from_secs(1)));
        }
        let session_id = message.session_id;
        if self.running.iter().any(|own| own.session_id == session_id) {
            let said = "the session is answering something else; send again when that has ended";
            let failure = Failure::new(StatusCode::CONFLICT, Code::SessionBusy, said);
            return Err(failure.with_retry_after(Duration::from_secs(1)));
        }
        let stay = state.room().enter()?;
        stay.cover(bytes)?;
        let key = self.next;
        self.next = key.wrapping_add(1);
        let request_id = RequestId::new();
        let seen = Seen {
            request_id,
            shown_id: request_id.to_string(),
            ip: seen.ip,
            cut: seen.cut.clone(),
        };
        let span = trace::answer(request_id);
        self.running.push(Running {
            key,
            session_id,
            seen: seen.clone(),
            client_id: message.client_id.clone(),
            message_id: None,
            call: None,
            is_cancelled: false,
            _stay: stay,
            span: span.clone(),
        });
        let begun = ask(state.clone(), caller.clone(), seen, message);
        let step = begun.map(move |begun| match begun {
            Ok((live, cancel)) => Step::Begun(key, Ok(live), Some(cancel)),
            Err(failure) => Step::Begun(key, Err(failure), None),
        });
        self.steps.push(step.instrument(span).boxed());
        Ok(())
    }

    /// Stops an answer; it ends with an error of its own once it is settled.
    pub(super) fn cancel(&mut self, wanted: &Cancel) -> Result<(), Failure> {
        let mut found = false;
        for own in &mut self.running {
            let is_it = match (wanted.message_id, &wanted.client_id) {
                (Some(id), _) => own.message_id == Some(id),
                (None, Some(id)) => own.client_id.as_ref() == Some(id),
                (None, None) => false,
            };
            if is_it {
                found = true;
                own.is_cancelled = true;
                if let Some(call) = &own.call {
                    call.cancel();
                }
            }
        }
        if found {
            return Ok(());
        }
        Err(Failure::not_found("message that is being answered here"))
    }

    /// The next step of any of them; pending while there is none.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn step(&mut self) -> Step {
        use futures::StreamExt as _;
        if self.steps.is_empty() {
            return futures::future::pending().await;
        }
        match self.steps.next().await {
            Some(step) => step,
            None => futures::future::pending().await,
        }
    }

    /// Takes a step: the frames to be sent now.
    pub(super) fn take(&mut self, state: &State, step: Step) -> Vec<Frame> {
        match step {
            Step::Begun(key, Ok(live), call) => {
                let own = self.running.iter_mut().find(|own| own.key == key);
                if let (Some(own), Some(call)) = (own, call) {
                    if own.is_cancelled {
                        call.cancel();
                    }
                    own.call = Some(call);
                }
                self.go_on(key, live);
                Vec::new()
            }
            Step::Begun(key, Err(failure), _) => {
                let own = self.remove(key);
                let frame = own.map(|own| {
                    let now = state.clock().now();
                    Frame::Error(Broken {
                        error: failure.body(&own.seen.shown_id, now).error,
                        message_id: None,
                        client_id: own.client_id,
                    })
                });
                frame.into_iter().collect()
            }
            Step::Next(key, live, Some(Moment::Frames(frames))) => {
                if frames.iter().any(Frame::is_last) {
                    self.remove(key);
                    return frames;
                }
                if let Some(own) = self.running.iter_mut().find(|own| own.key == key) {
                    own.message_id = live.message_id();
                }
                self.go_on(key, live);
                frames
            }
            Step::Next(key, live, Some(Moment::Silence)) => {
                self.go_on(key, live);
                Vec::new()
            }
            Step::Next(key, _, None) => {
                self.remove(key);
                Vec::new()
            }
        }
    }

    fn go_on(&self, key: u64, mut live: Box<Live>) {
        let step = async move {
            let moment = live.next(SILENCE).await;
            Step::Next(key, live, moment)
        };
        let own = self.running.iter().find(|own| own.key == key);
        let span = own.map_or_else(Span::none, |own| own.span.clone());
        self.steps.push(step.instrument(span).boxed());
    }

    fn remove(&mut self, key: u64) -> Option<Running> {
        let at = self.running.iter().position(|own| own.key == key)?;
        Some(self.running.swap_remove(at))
    }
}

/// Everything before the call. A message counts as a request of its user's.
async fn ask(
    state: State,
    caller: Caller,
    seen: Seen,
    message: ChatMessage,
) -> Result<(Box<Live>, CancellationToken), Failure> {
    limits::of_user(&state, &caller).await?;
    let (session_id, client_id) = (message.session_id, message.client_id.clone());
    let new = message.into_new();
    let exchange: Exchange = say(&state, &caller, &seen, session_id, new).await?;
    let cancel = exchange.cancel.clone();
    let live = Live::new(state, caller, seen, exchange, client_id);
    Ok((Box::new(live), cancel))
}
