//! A provider that does what a test says, attempt by attempt.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aurax_core::{
    Batch, Call, Capability, Ctx, Delivery, Delta, End, Engine, Error, ErrorKind, Event, Finish,
    FinishReason, Head, MemoryLedger, ModelId, Phase, Provider, ProviderInfo, Reply, Request,
    Result, Start, Totals, Upstream, Usage, async_trait,
};
use futures::stream::{self, StreamExt};

/// What one attempt does.
#[derive(Debug)]
pub enum Script {
    /// Fails instead of answering.
    Fail(Error),
    /// Never answers.
    Silence,
    /// Answers with these steps, then stops.
    Answer(Vec<Step>),
}

/// One step of an answer.
#[derive(Debug)]
pub enum Step {
    Events(Vec<Event>),
    Fail(Error),
    Wait(Duration),
    Hang,
}

pub fn text(words: &str) -> Step {
    Step::Events(vec![Event::Delta {
        choice: 0,
        part: 0,
        delta: Delta::Text(words.to_owned()),
    }])
}

pub fn start() -> Step {
    let start = Start::new(Some("id-1".to_owned()), Some("model-1".to_owned()));
    Step::Events(vec![Event::Start(start)])
}

pub fn totals(input: u64, output: u64) -> Totals {
    let mut totals = Totals::default();
    totals.input = Some(input);
    totals.output = Some(output);
    totals
}

pub fn end() -> Step {
    let usage = Usage::from_totals(totals(10, 4));
    let finish = Finish::new(FinishReason::Stop, Some("stop".to_owned()));
    Step::Events(vec![Event::End(Box::new(End::new(
        vec![finish],
        Some(usage),
    )))])
}

/// Four words, one token each, and the end.
pub fn whole_answer() -> Script {
    Script::Answer(vec![
        start(),
        text("one "),
        text("two "),
        text("three "),
        text("four"),
        end(),
    ])
}

/// The provider answered with an HTTP error.
pub fn status(status: u16, kind: ErrorKind) -> Error {
    Error::new(kind, "the provider said no")
        .with_upstream(Upstream::new(Some(status), "no"))
        .with_phase(Phase::Headers)
}

pub fn connect_error() -> Error {
    Error::new(ErrorKind::Network, "connection refused").with_phase(Phase::Connect)
}

#[derive(Debug)]
pub struct Scripted {
    info: ProviderInfo,
    scripts: Mutex<VecDeque<Script>>,
    pub calls: Arc<Mutex<Vec<ModelId>>>,
}

impl Scripted {
    pub fn new(name: &str, scripts: impl IntoIterator<Item = Script>) -> Self {
        Self {
            info: ProviderInfo::new(name, "script"),
            scripts: Mutex::new(scripts.into_iter().collect()),
            calls: Arc::default(),
        }
    }

    pub fn with_prices(mut self, key: Option<&str>) -> Self {
        self.info.prices = key.map(Into::into);
        self
    }

    pub fn by_its_name_alone(mut self) -> Self {
        self.info.takes_bare_names = false;
        self
    }
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
        self.calls.lock().unwrap().push(call.model.clone());
        let script = self.scripts.lock().unwrap().pop_front();
        let script = script.expect("the script has an attempt left");
        play(&self.info, call, script).await
    }
}

/// Does what the script says.
pub async fn play(info: &ProviderInfo, call: &Call, script: Script) -> Result<Reply> {
    let steps = match script {
        Script::Fail(error) => return Err(error),
        Script::Silence => std::future::pending().await,
        Script::Answer(steps) => steps,
    };
    let delivery = if call.op.is_stream() {
        Delivery::Streamed
    } else {
        Delivery::Whole
    };
    let head = Head::new("script", info.name.clone(), call.model.clone(), delivery);
    // A whole answer arrives in one batch, as far as it arrives.
    let steps = if delivery == Delivery::Whole {
        merge(steps)
    } else {
        steps
    };
    let batches = stream::iter(steps).filter_map(|step| async {
        match step {
            Step::Events(events) => Some(Ok(Batch::new(events))),
            Step::Fail(error) => Some(Err(error)),
            Step::Wait(time) => {
                tokio::time::sleep(time).await;
                None
            }
            Step::Hang => std::future::pending().await,
        }
    });
    Ok(Reply::new(head, batches))
}

/// Joins neighbouring events.
fn merge(steps: Vec<Step>) -> Vec<Step> {
    let mut merged: Vec<Step> = Vec::new();
    for step in steps {
        match (merged.last_mut(), step) {
            (Some(Step::Events(so_far)), Step::Events(more)) => so_far.extend(more),
            (_, step) => merged.push(step),
        }
    }
    merged
}

pub fn model(name: &str) -> ModelId {
    ModelId::parse(name).unwrap()
}

pub fn ask(name: &str, delivery: Delivery) -> Call {
    let request = Request::from("Count to four.").with_stream(delivery == Delivery::Streamed);
    Call::chat(model(name), request)
}

/// An engine over the providers, and its ledger.
pub fn engine(providers: impl IntoIterator<Item = Scripted>) -> (Engine, MemoryLedger) {
    let ledger = MemoryLedger::new();
    let mut builder = Engine::builder().ledger(ledger.clone());
    for provider in providers {
        builder = builder.provider(provider);
    }
    (builder.build().unwrap(), ledger)
}
