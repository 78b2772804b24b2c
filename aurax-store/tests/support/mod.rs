//! A provider that answers as a test asks it to, at the prices of a real one.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aurax_core::{
    Batch, Call, Capability, Ctx, Delivery, Delta, End, Engine, Error, ErrorKind, Event, Finish,
    FinishReason, Head, Ledger, Message, ModelId, Op, Phase, Provider, ProviderInfo, Reply,
    Request, Result, Start, Totals, Upstream, Usage, async_trait,
};
use futures::stream::{self, StreamExt as _};

/// The model whose prices are used: 0.15 and 0.60 dollars a million tokens.
pub const MODEL: &str = "gpt-4o-mini";

/// Answers each call with as many words as the request's last word says, one token each; `fail`
/// fails, `hang` stops after a word, and `cut` ends without an end.
#[derive(Debug)]
pub struct Counter {
    info: ProviderInfo,
    pub calls: Arc<AtomicU64>,
}

impl Counter {
    pub fn new() -> Self {
        let mut info = ProviderInfo::new("counter", "script");
        info.prices = Some("openai".into());
        Self {
            info,
            calls: Arc::default(),
        }
    }
}

fn event(words: &str) -> Event {
    Event::Delta {
        choice: 0,
        part: 0,
        delta: Delta::Text(words.to_owned()),
    }
}

/// What the counter bills for an answer of so many words.
pub fn usage(words: u64) -> Usage {
    let mut totals = Totals::default();
    totals.input = Some(100);
    totals.output = Some(words);
    Usage::from_totals(totals)
}

fn end(words: u64) -> Event {
    let finish = Finish::new(FinishReason::Stop, Some("stop".to_owned()));
    Event::End(Box::new(End::new(vec![finish], Some(usage(words)))))
}

#[async_trait]
impl Provider for Counter {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn capability(&self) -> Capability {
        Capability::default()
    }

    async fn call(&self, _: &Ctx, call: &Call) -> Result<Reply> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let Op::Chat(request) = &call.op else {
            unreachable!("the counter chats")
        };
        let said = request.messages.last().unwrap().text();
        let wish = said.rsplit(' ').next().unwrap().to_owned();
        if wish == "fail" {
            return Err(Error::new(ErrorKind::Server, "the provider said no")
                .with_upstream(Upstream::new(Some(500), "no"))
                .with_phase(Phase::Headers));
        }
        let words: u64 = wish.parse().unwrap_or(1);
        let delivery = if request.stream {
            Delivery::Streamed
        } else {
            Delivery::Whole
        };
        let head = Head::new(
            "script",
            self.info.name.clone(),
            call.model.clone(),
            delivery,
        );
        let start = Event::Start(Start::new(Some("id".to_owned()), Some(MODEL.to_owned())));
        let mut batches = vec![Batch::new(vec![start])];
        batches.extend((0..words).map(|_| Batch::new(vec![event("word ")])));
        match wish.as_str() {
            "nul" => batches.push(Batch::new(vec![event("a\0b"), end(1)])),
            "hang" => {
                let batches = stream::iter(batches.into_iter().map(Ok));
                return Ok(Reply::new(head, batches.chain(stream::pending())));
            }
            "cut" => {}
            _ => batches.push(Batch::new(vec![end(words)])),
        }
        if delivery == Delivery::Whole {
            let events = batches.into_iter().flat_map(|batch| batch.events).collect();
            batches = vec![Batch::new(events)];
        }
        Ok(Reply::new(head, stream::iter(batches.into_iter().map(Ok))))
    }
}

/// An engine over the counter.
pub fn engine(ledger: impl Ledger) -> (Engine, Arc<AtomicU64>) {
    let counter = Counter::new();
    let calls = counter.calls.clone();
    let engine = Engine::builder()
        .provider(counter)
        .ledger(ledger)
        .retry(aurax_core::RetryPolicy::never())
        .build()
        .unwrap();
    (engine, calls)
}

/// A question whose answer has so many words.
pub fn ask(words: &str) -> Request {
    Request::new(vec![Message::user(
        format!("Say {words}").as_str().to_owned(),
    )])
}

pub fn call(words: &str) -> Call {
    Call::chat(ModelId::parse("counter/gpt-4o-mini").unwrap(), ask(words))
}
