//! A provider that says what a test wrote down for it, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aurax_core::{
    Batch, Call, Capability, Ctx, Delivery, Delta, End, Error, ErrorKind, Event, Finish,
    FinishReason, Head, Op, Phase, Provider, ProviderInfo, Reply, Request, Result, Start,
    ToolCallStart, Totals, Upstream, Usage, async_trait,
};
use futures::stream::{self, StreamExt as _};
use tokio::sync::Semaphore;

/// What the model does with one call.
#[derive(Debug, Clone)]
pub(crate) enum Line {
    /// Says these words, one by one.
    Says(&'static str),
    /// Says a word and asks for tools: id, name, arguments.
    Asks(&'static [(&'static str, &'static str, &'static str)]),
    /// Answers with an error instead.
    Fails,
    /// The connection is lost before an answer: the provider may have begun.
    Vanishes,
    /// Says these words, and never ends.
    Hangs(&'static str),
    /// Says these words, and breaks off.
    Breaks(&'static str),
    /// Says these words once somebody adds a permit.
    Waits(Arc<Semaphore>, &'static str),
}

/// The provider; clones share what is written down and remembered.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    info: ProviderInfo,
    lines: Arc<Mutex<VecDeque<Line>>>,
    asked: Arc<Mutex<Vec<(String, Request)>>>,
}

impl Model {
    pub(crate) fn new(name: &str, lines: impl IntoIterator<Item = Line>) -> Self {
        Self {
            info: ProviderInfo::new(name, "script"),
            lines: Arc::new(Mutex::new(lines.into_iter().collect())),
            asked: Arc::default(),
        }
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|(_, request)| request.clone()).collect()
    }

    /// The models it was asked for.
    pub(crate) fn models(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|(model, _)| model.clone()).collect()
    }

    /// The last thing it was asked, as `role: words` of each message.
    pub(crate) fn last(&self) -> Vec<String> {
        let asked = self.asked();
        let messages = asked.last().unwrap().messages.iter();
        messages
            .map(|message| format!("{}: {}", message.role.as_str(), message.text()))
            .collect()
    }

    pub(crate) fn add(&self, lines: impl IntoIterator<Item = Line>) {
        self.lines.lock().unwrap().extend(lines);
    }
}

fn word(text: &str) -> Event {
    delta(0, Delta::Text(text.to_owned()))
}

fn delta(part: u32, delta: Delta) -> Event {
    Event::Delta {
        choice: 0,
        part,
        delta,
    }
}

fn start() -> Event {
    Event::Start(Start::new(Some("id".to_owned()), None))
}

/// 10 tokens in, 4 out.
fn end(reason: FinishReason) -> Event {
    let mut totals = Totals::default();
    (totals.input, totals.output) = (Some(10), Some(4));
    let finish = Finish::new(reason, None);
    Event::End(Box::new(End::new(
        vec![finish],
        Some(Usage::from_totals(totals)),
    )))
}

fn words(text: &str) -> impl Iterator<Item = Event> {
    std::iter::once(start()).chain(text.split_inclusive(' ').map(word))
}

enum Step {
    Event(Box<Event>),
    Break,
    Hang,
    Wait(Arc<Semaphore>),
}

fn event(event: Event) -> Step {
    Step::Event(Box::new(event))
}

fn steps(line: Line) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    match line {
        Line::Fails | Line::Vanishes => {}
        Line::Waits(gate, text) => {
            // Content first: a call returns with the first of it.
            steps.extend([start(), word("well: ")].map(event));
            steps.push(Step::Wait(gate));
            steps.extend(words(text).skip(1).map(event));
            steps.push(event(end(FinishReason::Stop)));
        }
        Line::Says(text) => {
            steps.extend(words(text).map(event));
            steps.push(event(end(FinishReason::Stop)));
        }
        Line::Hangs(text) => {
            steps.extend(words(text).map(event));
            steps.push(Step::Hang);
        }
        Line::Breaks(text) => {
            steps.extend(words(text).map(event));
            steps.push(Step::Break);
        }
        Line::Asks(calls) => {
            steps.extend([start(), word("asking")].map(event));
            for (part, (id, name, arguments)) in (1..).zip(calls) {
                let begin = ToolCallStart::new(*id, *name);
                steps.push(event(delta(part, Delta::ToolCall(begin))));
                let arguments = Delta::Arguments((*arguments).to_owned());
                steps.push(event(delta(part, arguments)));
            }
            steps.push(event(end(FinishReason::ToolCalls)));
        }
    }
    steps
}

#[async_trait]
impl Provider for Model {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn capability(&self) -> Capability {
        Capability::default()
    }

    async fn call(&self, _: &Ctx, call: &Call) -> Result<Reply> {
        let Op::Chat(request) = &call.op else {
            panic!("only chats are asked for");
        };
        let asked = (call.model.as_str().to_owned(), (**request).clone());
        self.asked.lock().unwrap().push(asked);
        let line = self.lines.lock().unwrap().pop_front();
        let line = line.expect("a line for this call is written down");
        if matches!(line, Line::Fails) {
            let said = Upstream::new(Some(400), "no");
            return Err(
                Error::new(ErrorKind::InvalidRequest, "the provider said no")
                    .with_upstream(said)
                    .with_phase(Phase::Headers),
            );
        }
        if matches!(line, Line::Vanishes) {
            return Err(
                Error::new(ErrorKind::Network, "connection reset").with_phase(Phase::Headers)
            );
        }
        let delivery = if call.op.is_stream() {
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
        let batches = stream::iter(steps(line)).filter_map(|step| async {
            match step {
                Step::Event(event) => Some(Ok(Batch::new(vec![*event]))),
                Step::Break => Some(Err(
                    Error::new(ErrorKind::Network, "connection reset").with_phase(Phase::Body)
                )),
                Step::Hang => std::future::pending().await,
                Step::Wait(gate) => {
                    gate.acquire().await.unwrap().forget();
                    None
                }
            }
        });
        Ok(Reply::new(head, batches))
    }
}
