//! A provider that does what a test says, attempt by attempt.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aurax::{
    Batch, Call, Capability, Ctx, Delivery, Delta, End, Error, ErrorKind, Event, Finish,
    FinishReason, Head, Phase, Provider, ProviderInfo, Reply, Result, RetryPolicy, Start, Totals,
    Upstream, Usage, async_trait,
};
use futures::{StreamExt as _, stream};
use tokio::sync::Semaphore;

use crate::support::{Setup, moment};

/// What one attempt does.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Answers with these words.
    Says(Vec<String>),
    /// Answers once the test lets it.
    Waits(Arc<Semaphore>),
    /// The provider has no capacity, and says so.
    Overloaded,
    /// There is no connection.
    Unreachable,
    /// The request cannot be written.
    Unencodable,
    /// The program fails.
    Panics,
    /// The program fails after a word.
    PanicsLater,
    /// A word, and then nothing.
    Hangs,
}

impl Act {
    pub(crate) fn says(words: &str) -> Self {
        Self::Says(vec![words.to_owned()])
    }
}

/// The provider, which is called `script`. It answers when it has nothing more to do.
#[derive(Debug, Clone)]
pub(crate) struct Scripted {
    info: ProviderInfo,
    acts: Arc<Mutex<VecDeque<Act>>>,
    calls: Arc<Mutex<usize>>,
}

impl Scripted {
    pub(crate) fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        Self {
            info: ProviderInfo::new("script", "script"),
            acts: Arc::new(Mutex::new(acts.into_iter().collect())),
            calls: Arc::default(),
        }
    }

    /// A server's setup with it, and with retries that do not wait.
    pub(crate) fn setup(&self) -> Setup {
        let mut setup = Setup::new();
        let mut retry = RetryPolicy::default();
        retry.base = std::time::Duration::ZERO;
        setup.engine = setup.engine.provider(self.clone()).retry(retry);
        setup
    }

    /// How often it was asked.
    pub(crate) fn calls(&self) -> usize {
        *self.calls.lock().unwrap()
    }

    /// Waits until it was asked so often.
    pub(crate) async fn asked(&self, calls: usize) {
        while self.calls() < calls {
            moment().await;
        }
    }

    fn reply(&self, call: &Call, events: Vec<Event>, more: Act) -> Reply {
        let delivery = match call.op.is_stream() {
            true => Delivery::Streamed,
            false => Delivery::Whole,
        };
        let head = Head::new(
            "script",
            self.info.name.clone(),
            call.model.clone(),
            delivery,
        );
        let last = stream::once(async move {
            // What came before is sent by itself.
            tokio::task::yield_now().await;
            match more {
                Act::PanicsLater => panic!("as the script says"),
                Act::Hangs => std::future::pending().await,
                _ => Ok(Batch::new(vec![end()])),
            }
        });
        let events = stream::iter(events).map(|event| Ok(Batch::new(vec![event])));
        Reply::new(head, events.chain(last))
    }
}

fn text(words: &str) -> Event {
    Event::Delta {
        choice: 0,
        part: 0,
        delta: Delta::Text(words.to_owned()),
    }
}

fn end() -> Event {
    let finish = Finish::new(FinishReason::Stop, None);
    let mut totals = Totals::default();
    (totals.input, totals.output) = (Some(10), Some(4));
    let usage = Usage::from_totals(totals);
    Event::End(Box::new(End::new(vec![finish], Some(usage))))
}

#[async_trait]
impl Provider for Scripted {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn capability(&self) -> Capability {
        Capability::default()
    }

    async fn call(&self, _: &Ctx, call: &Call) -> Result<Reply> {
        *self.calls.lock().unwrap() += 1;
        let act = self.acts.lock().unwrap().pop_front();
        let start = || Event::Start(Start::new(None, None));
        let words = match act.clone().unwrap_or(Act::says("as ever")) {
            Act::Says(words) => words,
            Act::Waits(gate) => {
                gate.acquire().await.unwrap().forget();
                vec!["at last".to_owned()]
            }
            Act::Overloaded => {
                let error = Error::new(ErrorKind::Overloaded, "the provider is busy");
                let upstream = Upstream::new(Some(503), "busy");
                return Err(error.with_upstream(upstream).with_phase(Phase::Headers));
            }
            Act::Unreachable => {
                let error = Error::new(ErrorKind::Network, "connection refused");
                return Err(error.with_phase(Phase::Connect));
            }
            Act::Unencodable => {
                let error = Error::new(ErrorKind::Unsupported, "the model has no such thing");
                return Err(error.with_phase(Phase::Encode));
            }
            Act::Panics => panic!("as the script says"),
            Act::PanicsLater | Act::Hangs => vec!["a word".to_owned()],
        };
        let words = words.iter().map(|words| text(words));
        let events = std::iter::once(start()).chain(words).collect();
        let more = act.unwrap_or(Act::says(""));
        Ok(self.reply(call, events, more))
    }
}
