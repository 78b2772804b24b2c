//! One socket, from its first frame to its last.

use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;

use super::answers::{Answers, Step};
use super::incoming::{self, Said, Token};
use super::outgoing::{Told, write};
use super::pace::Pace;
use super::sockets::{News, Seat};
use super::upgrade::entered;
use super::wire::{Gone, Incoming, Wire};
use crate::auth::{Caller, Scope};
use crate::chat::{Broken, Frame, recheck};
use crate::edge::Seen;
use crate::error::{Code, Failure};
use crate::state::State;

/// How long answers that were cut off have to say so.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Codes of a closed socket (RFC 6455, 7.4; those from 4000 are the server's own).
const GOING_AWAY: u16 = 1001;
const POLICY: u16 = 1008;
const INTERNAL: u16 = 1011;
const TRY_LATER: u16 = 1013;
const UNAUTHORIZED: u16 = 4401;
const FORBIDDEN: u16 = 4403;

/// Whoever is at a socket, and their place.
pub(super) struct There {
    pub(super) caller: Caller,
    pub(super) seat: Seat,
}

/// How a socket ends.
enum Farewell {
    /// Nobody is there to hear it.
    Silent,
    /// With a code.
    Close(u16, &'static str),
}

type Flow = ControlFlow<Farewell>;

/// What woke the socket.
enum Woken {
    Came(Incoming),
    Stepped(Step),
    Asked(Asked),
    News(News),
    Announced,
    Over,
    Tick,
}

/// What was found out about whoever is there.
enum Asked {
    /// They showed another token.
    Renewed(Result<Caller, Failure>),
    /// They may stay, or may not; asked for whom it was then.
    Rechecked(u64, Result<Caller, Failure>),
}

/// One socket.
pub(super) struct Socket {
    state: State,
    seen: Seen,
    there: Option<There>,
    answers: Answers,
    /// A question about whoever is there, while it is asked.
    asking: Option<BoxFuture<'static, Asked>>,
    /// How often somebody has shown who they are.
    shown: u64,
    pace: Pace,
    /// When the first frame has to be there.
    auth_by: Instant,
    ping_at: Instant,
    heard_at: Instant,
    recheck_at: Instant,
    /// Since the server said that it goes down: when an idle socket closes.
    quiet_at: Option<Instant>,
    /// Since everything was cut off: when the socket closes in any case.
    leave_at: Option<Instant>,
}

impl Socket {
    pub(super) fn new(state: State, seen: Seen, there: Option<There>) -> Self {
        let now = state.clock().monotonic();
        let timeouts = &state.config().timeouts;
        Self {
            auth_by: now + timeouts.socket_auth,
            ping_at: now + timeouts.ping,
            heard_at: now,
            recheck_at: now + recheck(&state),
            pace: Pace::new(now),
            state,
            seen,
            there,
            answers: Answers::default(),
            asking: None,
            shown: 0,
            quiet_at: None,
            leave_at: None,
        }
    }

    /// Talks until one side has enough. Answers that are still made then are stopped.
    pub(super) async fn run(mut self, mut wire: Wire) {
        let farewell = loop {
            let woken = self.wake(&mut wire).await;
            if let ControlFlow::Break(farewell) = self.take(&mut wire, woken).await {
                break farewell;
            }
        };
        drop(self);
        match farewell {
            Farewell::Silent => wire.end().await,
            Farewell::Close(code, reason) => wire.close(code, reason).await,
        }
    }

    /// What comes first. What a client says is heard before its answers go on, or it could not
    /// stop a flood.
    async fn wake(&mut self, wire: &mut Wire) -> Woken {
        let drain = self.state.drain().clone();
        let tick = tokio::time::sleep_until(self.next_tick());
        let (is_told, is_over) = (self.quiet_at.is_some(), self.leave_at.is_some());
        let news = async {
            match &mut self.there {
                Some(there) => there.seat.news.recv().await,
                None => None,
            }
        };
        let asking = async {
            match &mut self.asking {
                Some(asking) => asking.await,
                None => futures::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = drain.over().cancelled(), if !is_over => Woken::Over,
            came = wire.read() => Woken::Came(came),
            () = drain.announced().cancelled(), if !is_told => Woken::Announced,
            asked = asking => Woken::Asked(asked),
            () = tick => Woken::Tick,
            Some(news) = news => Woken::News(news),
            step = self.answers.step() => Woken::Stepped(step),
        }
    }

    async fn take(&mut self, wire: &mut Wire, woken: Woken) -> Flow {
        match woken {
            Woken::Came(came) => self.came(wire, came).await,
            Woken::Stepped(step) => {
                let frames = self.answers.take(&self.state, step);
                sent(wire.send(frames.iter().filter_map(write)).await)?;
                self.rest()
            }
            Woken::Asked(asked) => {
                self.asking = None;
                self.asked(wire, asked).await
            }
            Woken::News(news) => {
                let may = self.there.as_ref().is_some_and(|there| {
                    let caller = &there.caller;
                    if news.for_admins {
                        caller.is_admin() && caller.may(Scope::Admin)
                    } else {
                        caller.may(Scope::Usage)
                    }
                });
                if !may {
                    return Flow::Continue(());
                }
                sent(wire.send([news.text]).await)
            }
            Woken::Announced => {
                let notice = self.state.config().timeouts.drain_notice;
                self.quiet_at = Some(self.now() + notice);
                self.tell(wire, &Told::GoingAway).await
            }
            Woken::Over => {
                self.leave_at = Some(self.now() + LAST_WORDS);
                self.rest()
            }
            Woken::Tick => self.tick(wire).await,
        }
    }

    fn now(&self) -> Instant {
        self.state.clock().monotonic()
    }

    fn next_tick(&self) -> Instant {
        let pong = self.state.config().timeouts.pong;
        let mut next = self.ping_at.min(self.heard_at + pong);
        next = match &self.there {
            None => next.min(self.auth_by),
            Some(there) => next
                .min(self.recheck_at)
                .min(self.expiry(&there.caller).unwrap_or(next)),
        };
        let drained = self.quiet_at.filter(|_| self.answers.is_empty());
        let ends = [drained, self.leave_at].into_iter().flatten();
        ends.fold(next, Instant::min)
    }

    /// When what somebody came with is good no more.
    fn expiry(&self, caller: &Caller) -> Option<Instant> {
        let left = caller.expires_at()? - self.state.clock().now();
        let left = Duration::try_from(left).unwrap_or_default();
        self.now().checked_add(left)
    }

    fn is_expired(&self, caller: &Caller) -> bool {
        let end = caller.expires_at();
        end.is_some_and(|end| end <= self.state.clock().now())
    }

    /// Whatever is due.
    async fn tick(&mut self, wire: &mut Wire) -> Flow {
        let now = self.now();
        let timeouts = self.state.config().timeouts.clone();
        if now >= self.heard_at + timeouts.pong {
            return Flow::Break(Farewell::Close(POLICY, "no sign of life"));
        }
        match &self.there {
            None if now >= self.auth_by => {
                let failure = Failure::unauthorized("no frame of type `auth` came in time");
                return self.refuse(wire, &failure).await;
            }
            Some(there) if self.is_expired(&there.caller) => {
                let failure = Failure::unauthorized("the token is over: log in again");
                return self.refuse(wire, &failure).await;
            }
            _ => {}
        }
        if now >= self.ping_at {
            self.ping_at = now + timeouts.ping;
            sent(wire.ping().await)?;
        }
        if now >= self.recheck_at {
            self.recheck_at = now + recheck(&self.state);
            self.recheck();
        }
        self.rest()
    }

    /// Asks whether whoever is there may stay, unless something is being asked already.
    fn recheck(&mut self) {
        let (Some(there), None) = (&self.there, &self.asking) else {
            return;
        };
        let (state, caller, shown) = (self.state.clone(), there.caller.clone(), self.shown);
        let asked = async move { Asked::Rechecked(shown, state.auth().again(&caller).await) };
        self.asking = Some(asked.boxed());
    }

    /// A socket of a server that goes down closes when it has nothing left to say.
    fn rest(&self) -> Flow {
        let now = self.now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let is_quiet = self.answers.is_empty();
        let is_over = self.leave_at.is_some();
        if is_due(self.leave_at) || (is_quiet && (is_over || is_due(self.quiet_at))) {
            return Flow::Break(Farewell::Close(GOING_AWAY, "the server is going down"));
        }
        Flow::Continue(())
    }

    async fn came(&mut self, wire: &mut Wire, came: Incoming) -> Flow {
        let now = self.now();
        self.heard_at = now;
        let admitted = self.pace.admits(now);
        match came {
            Incoming::Gone => Flow::Break(Farewell::Silent),
            Incoming::Wrong(code, reason) => Flow::Break(Farewell::Close(code, reason)),
            _ if !admitted => self.wrong(wire, &too_fast()).await,
            Incoming::Sign => Flow::Continue(()),
            Incoming::Binary => {
                let failure = Failure::invalid("frame", "send text frames: they hold JSON");
                self.wrong(wire, &failure).await
            }
            Incoming::Text(text) => self.text(wire, &text).await,
        }
    }

    async fn text(&mut self, wire: &mut Wire, text: &Utf8Bytes) -> Flow {
        let said = match incoming::read(text.as_str()) {
            Ok(said) => said,
            Err(failure) => return self.wrong(wire, &failure).await,
        };
        let Some(there) = &self.there else {
            return match said {
                Said::Auth(token) => self.enter(wire, &token).await,
                _ => {
                    let message = "the first frame is {\"type\":\"auth\",\"token\":…}";
                    self.refuse(wire, &Failure::unauthorized(message)).await
                }
            };
        };
        match said {
            Said::Auth(token) => {
                self.renew(token);
                self.pace.right();
                Flow::Continue(())
            }
            Said::Ping => {
                self.pace.right();
                self.tell(wire, &Told::Pong).await
            }
            Said::Cancel(cancel) => match self.answers.cancel(&cancel) {
                Ok(()) => {
                    self.pace.right();
                    Flow::Continue(())
                }
                Err(failure) => self.wrong(wire, &failure).await,
            },
            Said::Message(message) => {
                let client_id = message.client_id.clone();
                let begun = check_may(&there.caller)
                    .and_then(|()| self.check_stays())
                    .and_then(|()| {
                        let caller = there.caller.clone();
                        let answers = &mut self.answers;
                        answers.begin(&self.state, &caller, &self.seen, *message, text.len())
                    });
                match begun {
                    Ok(()) => {
                        self.pace.right();
                        Flow::Continue(())
                    }
                    Err(failure) => self.wrong_as(wire, &failure, client_id).await,
                }
            }
        }
    }

    /// A server that goes down takes nothing more.
    fn check_stays(&self) -> Result<(), Failure> {
        let now = self.now();
        let is_leaving = self.quiet_at.is_some_and(|at| at <= now) || self.leave_at.is_some();
        if is_leaving {
            return Err(Failure::shutting_down());
        }
        Ok(())
    }

    /// Who is there: the first frame says it.
    async fn enter(&mut self, wire: &mut Wire, token: &Token) -> Flow {
        let state = self.state.clone();
        let entered = tokio::time::timeout_at(self.auth_by, entered(&state, token.as_str())).await;
        match entered {
            Ok(Ok(there)) => {
                let expires_at = there.caller.expires_at();
                self.there = Some(there);
                self.tell(wire, &Told::AuthOk { expires_at }).await
            }
            Ok(Err(failure)) => self.refuse(wire, &failure).await,
            Err(_) => self.refuse(wire, &Failure::internal()).await,
        }
    }

    /// Looks at another token, while everything goes on.
    fn renew(&mut self, token: Token) {
        self.shown = self.shown.wrapping_add(1);
        let state = self.state.clone();
        let asked = async move {
            let caller = state.auth().caller(token.as_str()).await;
            Asked::Renewed(caller.and_then(|caller| check_may(&caller).map(|()| caller)))
        };
        self.asking = Some(asked.boxed());
    }

    async fn asked(&mut self, wire: &mut Wire, asked: Asked) -> Flow {
        let Some(there) = &mut self.there else {
            return Flow::Continue(());
        };
        match asked {
            Asked::Rechecked(shown, _) if shown != self.shown => Flow::Continue(()),
            Asked::Rechecked(_, Ok(caller)) => {
                there.caller = caller;
                Flow::Continue(())
            }
            // While the store is away nobody knows.
            Asked::Rechecked(_, Err(failure)) => match failure.code() {
                Code::Unauthorized => self.refuse(wire, &failure).await,
                _ => Flow::Continue(()),
            },
            Asked::Renewed(Ok(caller)) if caller.user().id != there.caller.user().id => {
                let message = "the socket is somebody else's: open another one";
                self.wrong(wire, &Failure::forbidden(message)).await
            }
            Asked::Renewed(Ok(caller)) => {
                let expires_at = caller.expires_at();
                there.caller = caller;
                self.tell(wire, &Told::AuthOk { expires_at }).await
            }
            Asked::Renewed(Err(failure)) => self.wrong(wire, &failure).await,
        }
    }

    async fn tell(&mut self, wire: &mut Wire, told: &Told) -> Flow {
        sent(wire.send(write(told)).await)
    }

    /// Says what is wrong with a frame; too many of them end the socket.
    async fn wrong(&mut self, wire: &mut Wire, failure: &Failure) -> Flow {
        self.wrong_as(wire, failure, None).await
    }

    async fn wrong_as(
        &mut self,
        wire: &mut Wire,
        failure: &Failure,
        client_id: Option<String>,
    ) -> Flow {
        sent(wire.send(self.error(failure, client_id)).await)?;
        if self.pace.wrong() {
            return Flow::Break(Farewell::Close(
                POLICY,
                "too many frames that cannot be taken",
            ));
        }
        Flow::Continue(())
    }

    /// Says why the socket closes, and closes it.
    async fn refuse(&mut self, wire: &mut Wire, failure: &Failure) -> Flow {
        sent(wire.send(self.error(failure, None)).await)?;
        Flow::Break(match failure.status().as_u16() {
            401 => Farewell::Close(UNAUTHORIZED, "log in again"),
            403 => Farewell::Close(FORBIDDEN, "the key may not do this"),
            429 => Farewell::Close(POLICY, "too many sockets"),
            503 => Farewell::Close(TRY_LATER, "try again later"),
            _ => Farewell::Close(INTERNAL, "the server failed"),
        })
    }

    fn error(&self, failure: &Failure, client_id: Option<String>) -> Option<Bytes> {
        let now = self.state.clock().now();
        write(&Frame::Error(Broken {
            error: failure.body(&self.seen.shown_id, now).error,
            message_id: None,
            client_id,
        }))
    }
}

/// Whether somebody may chat.
pub(super) fn check_may(caller: &Caller) -> Result<(), Failure> {
    if caller.may(Scope::Chat) {
        return Ok(());
    }
    let scope = Scope::Chat.as_str();
    let message = format!("the access key lacks the scope `{scope}`");
    Err(Failure::forbidden(message).with_detail("scope", scope))
}

fn too_fast() -> Failure {
    let message = "frames come too fast: ten a second are taken, after a first sixty";
    Failure::new(
        http::StatusCode::TOO_MANY_REQUESTS,
        Code::RateLimited,
        message,
    )
    .with_retry_after(Duration::from_secs(1))
}

fn sent(sent: Result<(), Gone>) -> Flow {
    match sent {
        Ok(()) => Flow::Continue(()),
        Err(Gone) => Flow::Break(Farewell::Silent),
    }
}
