//! Many clients at once, each of which notes what it saw after it saw it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aurax_core::{
    Batch, Buckets, Call, Conversation, Ctx, Delta, Engine, ErrorKind, Event, Message, ModelId,
    Money, Principal, Provider as _, Receipt, Request, RequestId, Result, SendRequest,
    SessionEvent, SessionSettings,
};
use fastrand::Rng;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::CrashPoint;
use super::journal::Journal;
use super::plan::{Ending, Plan, Prompt};

/// What a client notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Seen {
    /// It is about to ask.
    Asking {
        /// The request.
        request: Uuid,
    },
    /// So many tokens arrived, all together.
    Forwarded {
        /// Of which request.
        request: Uuid,
        /// How many.
        tokens: u64,
    },
    /// The end arrived: from here on the answer is paid for and may not be forgotten.
    Acknowledged {
        /// Of which request.
        request: Uuid,
        /// Input tokens, as the receipt says.
        input: u64,
        /// Output tokens.
        output: u64,
        /// What it cost.
        cost: Option<Money>,
    },
    /// There was an error instead.
    Failed {
        /// Of which request.
        request: Uuid,
        /// Which kind.
        kind: ErrorKind,
    },
    /// The client left before the end.
    Left {
        /// Which request.
        request: Uuid,
    },
}

impl Seen {
    /// Somebody is about to ask.
    pub fn asking(request: RequestId) -> Self {
        Self::Asking {
            request: request.as_uuid(),
        }
    }
}

/// What clients do, in hundredths where it is a share. The rest is answered in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mix {
    /// The longest answer, in tokens.
    pub tokens: u64,
    /// The longest pause between two tokens, in microseconds.
    pub pace_us: u64,
    /// Requests of which the first attempt fails and the second answers.
    pub failing: u8,
    /// Answers that break off.
    pub cut: u8,
    /// Answers that their client does not read to the end.
    pub dropped: u8,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            tokens: 20,
            pace_us: 1_000,
            failing: 2,
            cut: 3,
            dropped: 5,
        }
    }
}

/// How answers are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Manner {
    /// Every second client streams.
    #[default]
    Both,
    /// All of them stream.
    Streamed,
    /// None of them does.
    Whole,
}

/// When a client leaves that does not want to see the end.
#[derive(Debug, Clone, Copy)]
enum Patience {
    /// After so many tokens.
    Tokens(u64),
    /// After some time, whatever has happened by then.
    Time(Duration),
}

impl Patience {
    /// Any moment from before the request is sent until a while after it is answered.
    fn any(rng: &mut Rng, tokens: u64, streams: bool) -> Self {
        // Nothing of a whole answer arrives that never ends.
        if streams && rng.bool() {
            Self::Tokens(rng.u64(0..=tokens))
        } else {
            Self::Time(Duration::from_micros(rng.u64(0..=100_000)))
        }
    }
}

/// A load on an engine.
#[derive(Debug)]
pub struct Load {
    engine: Engine,
    model: ModelId,
    journal: Arc<Journal>,
    clients: usize,
    manner: Manner,
    sessions: usize,
    mix: Mix,
    seed: u64,
    principal: Principal,
    output_limit: Option<u32>,
}

/// What came of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tally {
    /// Requests with an end.
    pub acknowledged: u64,
    /// Requests that a budget refused.
    pub over_budget: u64,
    /// Requests with another error.
    pub failed: u64,
    /// Requests whose client left.
    pub left: u64,
}

impl Tally {
    fn count(&mut self, seen: &Seen) {
        let count = match seen {
            Seen::Acknowledged { .. } => &mut self.acknowledged,
            Seen::Failed {
                kind: ErrorKind::Budget,
                ..
            } => &mut self.over_budget,
            Seen::Failed { .. } => &mut self.failed,
            Seen::Left { .. } => &mut self.left,
            Seen::Asking { .. } | Seen::Forwarded { .. } => return,
        };
        *count += 1;
    }

    fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.over_budget += other.over_budget;
        self.failed += other.failed;
        self.left += other.left;
    }
}

impl Load {
    /// 64 clients, half of them streaming, that ask `model` of `engine` and note what they see.
    pub fn new(engine: Engine, model: ModelId, journal: Arc<Journal>) -> Self {
        Self {
            engine,
            model,
            journal,
            clients: 64,
            manner: Manner::default(),
            sessions: 0,
            mix: Mix::default(),
            seed: 0,
            principal: Principal::new("load"),
            output_limit: None,
        }
    }

    /// So many clients at once.
    #[must_use]
    pub const fn with_clients(mut self, clients: usize) -> Self {
        self.clients = clients;
        self
    }

    /// How they ask.
    #[must_use]
    pub const fn with_manner(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }

    /// So many of them, the first ones, ask in sessions of their own, which the engine must keep.
    #[must_use]
    pub const fn with_sessions(mut self, clients: usize) -> Self {
        self.sessions = clients;
        self
    }

    /// What they do.
    #[must_use]
    pub const fn with_mix(mut self, mix: Mix) -> Self {
        self.mix = mix;
        self
    }

    /// What chance begins with.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// For whom they ask.
    #[must_use]
    pub fn with_principal(mut self, principal: Principal) -> Self {
        self.principal = principal;
        self
    }

    /// How much they let the model answer; as much as it likes unless set.
    #[must_use]
    pub const fn with_output_limit(mut self, tokens: u32) -> Self {
        self.output_limit = Some(tokens);
        self
    }

    /// Asks so many times, all clients together.
    pub async fn run(&self, requests: usize) -> Tally {
        let begun = AtomicUsize::new(0);
        let clients = (0..self.clients).map(|number| {
            let begun = &begun;
            async move {
                let mut tally = Tally::default();
                let seed = u64::try_from(number).unwrap_or_default();
                let streams = match self.manner {
                    Manner::Both => number.is_multiple_of(2),
                    Manner::Streamed => true,
                    Manner::Whole => false,
                };
                let mut rng = Rng::with_seed(self.seed.wrapping_mul(1_000_003).wrapping_add(seed));
                let mut session = None;
                while begun.fetch_add(1, Ordering::Relaxed) < requests {
                    if number < self.sessions && (session.is_none() || rng.u8(0..8) == 0) {
                        session = self.begin().await;
                    }
                    let seen = self.ask(&mut rng, streams, session.as_ref()).await;
                    // One that somebody left may still be giving its session up.
                    if !matches!(seen, Seen::Acknowledged { .. }) {
                        session = None;
                    }
                    tally.count(&seen);
                }
                tally
            }
        });
        let tallies = futures::future::join_all(clients).await;
        tallies.into_iter().fold(Tally::default(), |mut sum, one| {
            sum.add(one);
            sum
        })
    }

    /// Begins a session; `None` where the database is away.
    async fn begin(&self) -> Option<Conversation> {
        let sessions = self.engine.sessions(self.principal.clone()).ok()?;
        sessions.create(SessionSettings::default()).await.ok()
    }

    /// Asks once, and says how it ended.
    async fn ask(&self, rng: &mut Rng, streams: bool, session: Option<&Conversation>) -> Seen {
        let request = RequestId::new();
        let tokens = rng.u64(1..=self.mix.tokens);
        let pace = Duration::from_micros(rng.u64(0..=self.mix.pace_us));
        let plan = Plan::answer(tokens).with_pace(pace);
        let chance = rng.u8(0..100);
        let fails = self.mix.failing;
        let cuts = fails.saturating_add(self.mix.cut);
        let leaves = cuts.saturating_add(self.mix.dropped);
        let mut patience = None;
        let plans = if chance < fails {
            vec![Plan::fail(500), plan]
        } else if chance < cuts {
            vec![plan.with_ending(Ending::Cut)]
        } else if chance < leaves {
            patience = Some(Patience::any(rng, tokens, streams));
            vec![plan.with_ending(Ending::Hang)]
        } else {
            vec![plan]
        };
        let prompt = Prompt::new(request, plans);
        let send = |tokens| self.send(request, &prompt, streams, session, tokens);
        let seen = match patience {
            None => send(None).await,
            Some(Patience::Tokens(most)) => send(Some(most)).await,
            Some(Patience::Time(limit)) => {
                let asked = send(None);
                let asked = tokio::time::timeout(limit, asked).await;
                let request = request.as_uuid();
                asked.unwrap_or(Seen::Left { request })
            }
        };
        self.journal.note(&seen);
        if matches!(seen, Seen::Acknowledged { .. }) {
            super::reached(CrashPoint::AfterAcknowledgement);
        }
        seen
    }

    /// Sends a prompt, reads the answer until so many tokens have arrived, and says how it ended.
    async fn send(
        &self,
        request: RequestId,
        prompt: &Prompt,
        streams: bool,
        session: Option<&Conversation>,
        patience: Option<u64>,
    ) -> Seen {
        let ctx = Ctx::new(self.principal.clone()).with_request_id(request);
        self.journal.note(&Seen::asking(request));
        let mut reading = Reading::new(&self.journal, request, patience);
        let read = match session {
            None => self.call(&ctx, prompt, streams, &mut reading).await,
            Some(session) => {
                let mut send = session.send(prompt.text()).ctx(ctx);
                send = send.model(self.model.as_str());
                if let Some(limit) = self.output_limit {
                    send = send.max_output_tokens(limit);
                }
                converse(send, streams, &mut reading).await
            }
        };
        reading.outcome(read)
    }

    async fn call(
        &self,
        ctx: &Ctx,
        prompt: &Prompt,
        streams: bool,
        reading: &mut Reading<'_>,
    ) -> Result<()> {
        let mut body = Request::new(vec![Message::user(prompt.text())]);
        body.stream = streams;
        body.max_output_tokens = self.output_limit;
        let call = Call::chat(self.model.clone(), body);
        let mut reply = self.engine.call(ctx, &call).await?;
        while reading.goes_on() {
            let Some(batch) = reply.next().await else {
                break;
            };
            reading.take(&batch?);
        }
        Ok(())
    }
}

/// Sends a message of a session.
async fn converse(send: SendRequest, streams: bool, reading: &mut Reading<'_>) -> Result<()> {
    if !streams {
        let answer = send.await?;
        if let Some(receipt) = &answer.response.receipt {
            reading.end(receipt);
        }
        return Ok(());
    }
    let mut reply = send.stream().await?;
    // After the end come the turns it adds, for those who wait for them.
    while reading.goes_on() || reading.end.is_some() {
        match reply.next().await {
            None => break,
            Some(Ok(SessionEvent::Batch(batch))) => reading.take(&batch),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error),
        }
    }
    Ok(())
}

/// What a client sees of one answer.
struct Reading<'a> {
    journal: &'a Journal,
    request: Uuid,
    /// After how many tokens it leaves.
    patience: Option<u64>,
    tokens: u64,
    end: Option<Seen>,
}

impl<'a> Reading<'a> {
    const fn new(journal: &'a Journal, request: RequestId, patience: Option<u64>) -> Self {
        Self {
            journal,
            request: request.as_uuid(),
            patience,
            tokens: 0,
            end: None,
        }
    }

    fn goes_on(&self) -> bool {
        self.end.is_none() && self.patience.is_none_or(|most| self.tokens < most)
    }

    fn take(&mut self, batch: &Batch) {
        let before = self.tokens;
        for event in &batch.events {
            match event {
                Event::Delta {
                    delta: Delta::Text(text),
                    ..
                } => {
                    let words = text.split_whitespace().count();
                    self.tokens += u64::try_from(words).unwrap_or_default();
                }
                Event::End(end) => {
                    if let Some(receipt) = &end.receipt {
                        self.end(receipt);
                    }
                }
                _ => {}
            }
        }
        if self.tokens > before {
            self.journal.note(&Seen::Forwarded {
                request: self.request,
                tokens: self.tokens,
            });
        }
    }

    fn end(&mut self, receipt: &Receipt) {
        let buckets = receipt.usage.as_ref().map(|usage| &usage.buckets);
        self.end = Some(Seen::Acknowledged {
            request: self.request,
            input: buckets.map_or(0, Buckets::input_tokens),
            output: buckets.map_or(0, Buckets::output_tokens),
            cost: receipt.cost.amount(),
        });
    }

    fn outcome(self, read: Result<()>) -> Seen {
        let request = self.request;
        match (self.end, read) {
            (Some(end), _) => end,
            (None, Err(error)) => Seen::Failed {
                request,
                kind: error.kind(),
            },
            (None, Ok(())) => Seen::Left { request },
        }
    }
}
