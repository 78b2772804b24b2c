//! A whole answer, and the one way events become it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::{Delta, End, Event, Finish, FinishReason, TokenLogprob, Warning};
use super::message::{Message, Role};
use super::part::{Part, RedactedThinking, Refusal, Text, Thinking};
use super::tool::ToolCall;
use crate::embed::Embedding;
use crate::ledger::Receipt;
use crate::reply::{Head, RateLimit};
use crate::usage::Usage;

/// One of the answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Choice {
    /// What the model says.
    pub message: Message,
    /// How it ended; `None` in a partial response.
    pub finish: Option<Finish>,
    /// Log probabilities, one entry a token, where they were asked for.
    pub logprobs: Vec<TokenLogprob>,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Response {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The configured provider that answered.
    pub provider: Arc<str>,
    /// The model the provider names, else the one that was asked.
    pub model: String,
    /// The answers; one unless several were asked for.
    pub choices: Vec<Choice>,
    /// The vectors of an embedding call, by the number of their text.
    pub embeddings: Vec<Embedding>,
    /// What the call used; `None` when nobody said.
    pub usage: Option<Arc<Usage>>,
    /// The service tier that served the call, in the provider's word.
    pub service_tier: Option<String>,
    /// When the provider made the answer, in Unix seconds.
    pub created: Option<i64>,
    /// The provider's id of the request, for its support.
    pub request_id: Option<String>,
    /// What the provider says about its limits.
    pub rate_limits: Vec<RateLimit>,
    /// What the call cost and how it was recorded.
    pub receipt: Option<Receipt>,
    /// What was changed or left out on the way.
    pub warnings: Vec<Warning>,
    /// Top-level fields of the reply that have no place of their own.
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl Response {
    /// The first answer's message.
    pub fn message(&self) -> Option<&Message> {
        self.choices.first().map(|choice| &choice.message)
    }

    /// The first answer's message, to be sent back with the next request.
    pub fn into_message(self) -> Message {
        self.choices.into_iter().next().map_or_else(
            || Message::new(Role::Assistant, Vec::new()),
            |choice| choice.message,
        )
    }

    /// The first answer's words.
    pub fn text(&self) -> String {
        self.message().map(Message::text).unwrap_or_default()
    }

    /// The first answer's thoughts.
    pub fn thinking(&self) -> String {
        self.message().map(Message::thinking).unwrap_or_default()
    }

    /// The tools the first answer asks for.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.message().into_iter().flat_map(Message::tool_calls)
    }

    /// Why the first answer ended; `None` in a partial response.
    pub fn finish_reason(&self) -> Option<FinishReason> {
        self.choices.first()?.finish.as_ref().map(|end| end.reason)
    }
}

/// Collects events into a [`Response`]; there is no other way to make one.
///
/// ```
/// use aurax_core::{Delta, Event, Fold};
///
/// let mut fold = Fold::new("demo", "echo");
/// let delta = Delta::Text("Hi".into());
/// fold.push(&Event::Delta { choice: 0, part: 0, delta });
/// assert_eq!(fold.finish().text(), "Hi");
/// ```
#[derive(Debug, Clone)]
pub struct Fold {
    // Boxed: it is large, and who folds moves about.
    response: Box<Response>,
    /// For each choice, the number of each of its parts.
    numbers: Vec<Vec<u32>>,
}

impl Fold {
    /// Starts an answer of `provider` for the model that was asked.
    pub fn new(provider: impl Into<Arc<str>>, model: impl Into<String>) -> Self {
        Self {
            response: Box::new(Response {
                id: None,
                provider: provider.into(),
                model: model.into(),
                choices: Vec::new(),
                embeddings: Vec::new(),
                usage: None,
                service_tier: None,
                created: None,
                request_id: None,
                rate_limits: Vec::new(),
                receipt: None,
                warnings: Vec::new(),
                extra: serde_json::Map::new(),
            }),
            numbers: Vec::new(),
        }
    }

    /// Starts the answer a reply's head announces.
    pub fn from_head(head: &Head) -> Self {
        let mut fold = Self::new(head.provider.clone(), head.model.as_str());
        fold.response.request_id.clone_from(&head.request_id);
        fold.response.rate_limits.clone_from(&head.rate_limits);
        fold.response.warnings.clone_from(&head.warnings);
        fold
    }

    /// Adds one event.
    pub fn push(&mut self, event: &Event) {
        match event {
            Event::Start(start) => {
                self.response.id.clone_from(&start.id);
                if let Some(model) = &start.model {
                    self.response.model.clone_from(model);
                }
                self.response.created = start.created;
            }
            Event::Delta {
                choice,
                part,
                delta,
            } => self.delta(*choice, *part, delta),
            Event::Logprobs { choice, tokens } => {
                if let Some((choice, _)) = self.choice(*choice) {
                    choice.logprobs.extend_from_slice(tokens);
                }
            }
            Event::Embedding(embedding) => self.response.embeddings.push(embedding.clone()),
            Event::Usage(usage) => self.response.usage = Some(usage.clone()),
            Event::End(end) => self.end((**end).clone()),
        }
    }

    /// As [`Fold::push`], of an event that nobody else needs.
    pub(crate) fn take(&mut self, event: Event) {
        match event {
            Event::Usage(usage) => self.response.usage = Some(usage),
            Event::End(end) => self.end(*end),
            event => self.push(&event),
        }
    }

    fn end(&mut self, end: End) {
        for (number, finish) in (0..).zip(end.finish) {
            if let Some((choice, _)) = self.choice(number) {
                choice.finish = Some(finish);
            }
        }
        if end.usage.is_some() {
            self.response.usage = end.usage;
        }
        self.response.service_tier = end.service_tier;
        self.response.receipt = end.receipt;
        self.response.extra = end.extra;
    }

    /// What has arrived so far.
    pub const fn partial(&self) -> &Response {
        &self.response
    }

    /// The answer.
    pub fn finish(self) -> Response {
        *self.response
    }

    /// Choices above this number are passed over: no provider offers as many.
    const MAX_CHOICES: usize = 128;

    fn choice(&mut self, number: u32) -> Option<(&mut Choice, &mut Vec<u32>)> {
        let number = usize::try_from(number).ok()?;
        if number >= Self::MAX_CHOICES {
            return None;
        }
        if self.response.choices.is_empty() {
            // Nearly all answers have one, and room for more would be kept with each.
            self.response
                .choices
                .reserve_exact(number.saturating_add(1));
        }
        while self.response.choices.len() <= number {
            self.response.choices.push(Choice {
                message: Message::new(Role::Assistant, Vec::new()),
                finish: None,
                logprobs: Vec::new(),
            });
            self.numbers.push(Vec::new());
        }
        let choice = self.response.choices.get_mut(number)?;
        Some((choice, self.numbers.get_mut(number)?))
    }

    fn delta(&mut self, choice: u32, number: u32, delta: &Delta) {
        let Some((choice, numbers)) = self.choice(choice) else {
            return;
        };
        let parts = &mut choice.message.parts;
        // Parts stand in the order of their numbers, whichever began to arrive first.
        let after = numbers.partition_point(|known| *known <= number);
        let last = after
            .checked_sub(1)
            .filter(|at| numbers.get(*at) == Some(&number));
        if let Some(part) = last.and_then(|at| parts.get_mut(at))
            && append(part, delta)
        {
            return;
        }
        if parts.is_empty() {
            parts.reserve_exact(1);
        }
        numbers.insert(after, number);
        parts.insert(after, begin(delta));
    }
}

fn begin(delta: &Delta) -> Part {
    let mut part = match delta {
        Delta::Text(_) | Delta::Citation(_) => Part::Text(Text::default()),
        Delta::Thinking(_) | Delta::Item(_) | Delta::Signature(_) => {
            Part::Thinking(Thinking::default())
        }
        Delta::Refusal(_) => Part::Refusal(Refusal::new("")),
        Delta::ToolCall(_) | Delta::Arguments(_) => Part::ToolCall(ToolCall::new("", "", "")),
        Delta::RedactedThinking(data) => {
            return Part::RedactedThinking(RedactedThinking::new(data.clone()));
        }
        Delta::Image(image) => return Part::Image(image.clone()),
        Delta::Audio(audio) => return Part::Audio(audio.clone()),
        Delta::Native(native) => return Part::Native(native.clone()),
    };
    append(&mut part, delta);
    part
}

/// Adds to a part; false when the two do not go together, which makes the delta a part of its own.
fn append(part: &mut Part, delta: &Delta) -> bool {
    match (part, delta) {
        (Part::Text(part), Delta::Text(text)) => part.text.push_str(text),
        (Part::Text(part), Delta::Citation(citation)) => part.citations.push(citation.clone()),
        (Part::Text(part), Delta::Signature(signature)) => part.signature = Some(signature.clone()),
        (Part::Text(part), Delta::Item(item)) => part.item = Some(item.clone()),
        (Part::Thinking(part), Delta::Thinking(text)) => part.text.push_str(text),
        (Part::Thinking(part), Delta::Item(item)) => part.item = Some(item.clone()),
        (Part::Thinking(part), Delta::Signature(signature)) => {
            part.signature = Some(signature.clone());
        }
        (Part::Refusal(part), Delta::Refusal(text)) => part.text.push_str(text),
        (Part::Refusal(part), Delta::Item(item)) => part.item = Some(item.clone()),
        (Part::ToolCall(part), Delta::ToolCall(start)) => {
            part.id.clone_from(&start.id);
            part.name.clone_from(&start.name);
        }
        (Part::ToolCall(part), Delta::Arguments(text)) => part.arguments.push_str(text),
        (Part::ToolCall(part), Delta::Item(item)) => part.item = Some(item.clone()),
        (Part::ToolCall(part), Delta::Signature(signature)) => {
            part.signature = Some(signature.clone());
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::{Bucket, Buckets};
    use crate::usage::UsageSource;

    #[test]
    fn taking_an_event_is_pushing_it() {
        let usage = |count| {
            let buckets = Buckets::new().with(Bucket::Input, count);
            Usage::measured(buckets, UsageSource::Provider)
        };
        let finish = Finish::new(FinishReason::Stop, None);
        let mut end = End::new(vec![finish], Some(usage(2)));
        end.service_tier = Some("default".to_owned());
        end.extra.insert("field".to_owned(), "kept".into());
        let delta = Delta::Text("Hi".to_owned());
        let events = [
            Event::Delta {
                choice: 0,
                part: 0,
                delta,
            },
            Event::Usage(std::sync::Arc::new(usage(1))),
            Event::End(Box::new(end)),
        ];
        let mut pushed = Fold::new("demo", "echo");
        let mut taken = pushed.clone();
        for event in events {
            pushed.push(&event);
            taken.take(event);
            assert_eq!(pushed.partial(), taken.partial());
        }
        let answer = taken.finish();
        assert_eq!(answer.usage, Some(std::sync::Arc::new(usage(2))));
        assert_eq!(answer.finish_reason(), Some(FinishReason::Stop));
        assert_eq!(answer.extra.len(), 1);
    }
}
