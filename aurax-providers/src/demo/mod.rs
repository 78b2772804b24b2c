//! A provider without a model: deterministic, streamed, free, and labelled as what it is.

mod answer;
mod vector;

use std::sync::Arc;
use std::time::Duration;

use aurax_core::{
    Batch, Call, Capability, Ctx, Delivery, Delta, EmbedInput, EmbedRequest, End, Error, ErrorKind,
    Event, Finish, FinishReason, Head, Message, Op, Phase, Provider, ProviderInfo, Reply, Request,
    Result, Start, ToolCallStart, Totals, Usage, UsageSource, async_trait, estimate_request,
    estimate_text,
};
use futures::StreamExt as _;
use futures::stream;

use answer::Answer;

/// Answers every chat by itself, so that programs can be tried without a key.
///
/// The same request always gets the same answer. It says that no model was asked, and what it was
/// given; it asks for the first tool that is offered, reports what the tool said, and fills a
/// given schema with placeholders. Its vectors are near where texts have words in common. Tokens
/// are counted by estimate and cost nothing.
///
/// ```
/// use aurax_core::{Engine, Error};
/// use aurax_providers::Demo;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let engine = Engine::builder().provider(Demo::new()).build()?;
/// let response = engine.chat("demo/echo", "Hi").await?;
/// assert!(response.text().starts_with("[demo]"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Demo {
    info: ProviderInfo,
    pace: Duration,
}

impl Demo {
    /// A demo that answers at once.
    pub fn new() -> Self {
        let mut info = ProviderInfo::new("demo", "demo");
        info.has_credential = false;
        Self {
            info,
            pace: Duration::ZERO,
        }
    }

    /// Waits this long before every word of a stream, so that people see it stream.
    #[must_use]
    pub const fn with_pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }
}

impl Demo {
    fn embed(&self, call: &Call, request: &EmbedRequest) -> Result<Reply> {
        let name = self.info.name.clone();
        let head = Head::new("demo", name, call.model.clone(), Delivery::Whole);
        let start = Start::new(None, Some(call.model.as_str().to_owned()));
        let mut events = vec![Event::Start(start)];
        events.extend(vector::vectors(request)?.into_iter().map(Event::Embedding));
        let mut totals = Totals::default();
        totals.input = Some(request.input.iter().map(count).sum());
        let mut usage = Usage::from_totals(totals);
        usage.source = UsageSource::Estimated;
        events.push(Event::End(Box::new(End::new(Vec::new(), Some(usage)))));
        let whole = stream::once(async move { Ok(Batch::new(events)) });
        Ok(Reply::new(head, whole))
    }
}

fn count(input: &EmbedInput) -> u64 {
    match input {
        EmbedInput::Text(text) => estimate_text(text),
        EmbedInput::Tokens(tokens) => u64::try_from(tokens.len()).unwrap_or(u64::MAX),
        _ => 0,
    }
}

impl Default for Demo {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Provider for Demo {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn capability(&self) -> Capability {
        let mut capability = Capability::default();
        capability.chat = true;
        capability.streaming = true;
        capability.embed = true;
        capability.tools = true;
        capability.json_schema = true;
        capability.vision = true;
        capability.pdf = true;
        capability.audio_input = true;
        capability
    }

    async fn call(&self, _: &Ctx, call: &Call) -> Result<Reply> {
        let request = match &call.op {
            Op::Chat(request) => request.clone(),
            Op::Embed(request) => return self.embed(call, request),
            _ => return Err(refuse("the demo provider chats and embeds")),
        };
        if request.n.is_some_and(|n| n != 1) {
            return Err(refuse("the demo provider gives one answer; leave `n` out"));
        }
        let delivery = if request.stream {
            Delivery::Streamed
        } else {
            Delivery::Whole
        };
        let head = Head::new("demo", self.info.name.clone(), call.model.clone(), delivery);
        let events = events(&request, call.model.as_str());
        if delivery == Delivery::Whole {
            let whole = stream::once(async move { Ok(Batch::new(events)) });
            return Ok(Reply::new(head, whole));
        }
        let pace = self.pace;
        let batches = stream::iter(events).then(move |event| async move {
            if !pace.is_zero() && event.is_content() {
                tokio::time::sleep(pace).await;
            }
            Ok(Batch::new(vec![event]))
        });
        Ok(Reply::new(head, batches))
    }
}

fn refuse(why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, why).with_phase(Phase::Encode)
}

fn events(request: &Arc<Request>, model: &str) -> Vec<Event> {
    let delta = |part, delta| Event::Delta {
        choice: 0,
        part,
        delta,
    };
    let start = Start::new(Some("demo-answer".to_owned()), Some(model.to_owned()));
    let mut events = vec![Event::Start(start)];
    let reason = match Answer::to(request) {
        Answer::Text(text) => {
            let words = text.split_inclusive(' ');
            events.extend(words.map(|word| delta(0, Delta::Text(word.to_owned()))));
            FinishReason::Stop
        }
        Answer::ToolCall(call) => {
            let start = ToolCallStart::new(call.id, call.name);
            events.push(delta(0, Delta::ToolCall(start)));
            events.push(delta(0, Delta::Arguments(call.arguments)));
            FinishReason::ToolCalls
        }
    };
    let output: u64 = events
        .iter()
        .filter_map(|event| match event {
            Event::Delta { delta, .. } => delta.generated_text(),
            _ => None,
        })
        .map(estimate_text)
        .sum();
    let mut totals = Totals::default();
    totals.input = Some(estimate_request(request));
    totals.output = Some(output);
    let raw = match reason {
        FinishReason::ToolCalls => "tool_calls",
        _ => "stop",
    };
    let finish = Finish::new(reason, Some(raw.to_owned()));
    let mut usage = Usage::from_totals(totals);
    usage.source = UsageSource::Estimated;
    let end = End::new(vec![finish], Some(usage));
    events.push(Event::End(Box::new(end)));
    events
}

/// The person's last words.
fn last_words(messages: &[Message]) -> String {
    messages
        .iter()
        .rev()
        .find(|message| message.role == aurax_core::Role::User)
        .map(Message::text)
        .unwrap_or_default()
}
