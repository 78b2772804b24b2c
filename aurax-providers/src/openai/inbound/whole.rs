//! Writes whole replies.

use std::borrow::Cow;

use aurax_core::{Choice, FinishReason, Part, Response, TokenLogprob};
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::super::details;
use super::chunk::{
    Annotation, ChoiceEnd, Extra, FunctionPiece, Logprobs, Picture, Voice, annotation, picture,
    reason, sound,
};
use super::proofs::Sealed;
use super::usage;
use super::writer::About;
use crate::raw::RawObject;

#[derive(Serialize)]
struct Reply<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: Vec<Answer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<RawObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    system_fingerprint: Option<&'a str>,
    #[serde(flatten)]
    extra: Option<Extra<'a>>,
}

#[derive(Serialize)]
struct Answer<'a> {
    index: u32,
    message: Message<'a>,
    logprobs: Option<Logprobs<'a>>,
    finish_reason: Option<&'a str>,
    #[serde(flatten)]
    end: Option<ChoiceEnd<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<Cow<'a, str>>,
    refusal: Option<String>,
    annotations: Vec<Annotation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Picture>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<Voice<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionPiece<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Call<'a> {
    Function {
        id: &'a str,
        r#type: &'static str,
        function: FunctionPiece<'a>,
    },
    Custom(Map<String, Value>),
}

pub(super) fn write(about: &About, response: &Response) -> Bytes {
    let thoughts: Vec<String> = response
        .choices
        .iter()
        .map(|choice| choice.message.thinking())
        .collect();
    let answers = (0..).zip(&response.choices).zip(&thoughts);
    let extra = about.is_own.then_some(Extra(&response.extra));
    let reply = Reply {
        id: &about.id,
        object: "chat.completion",
        created: about.created,
        model: &about.model,
        choices: answers
            .map(|((index, choice), thoughts)| answer(about, index, choice, thoughts))
            .collect(),
        usage: response
            .usage
            .as_ref()
            .map(|usage| usage::write(usage, about.is_own)),
        service_tier: response.service_tier.as_deref(),
        system_fingerprint: extra.and_then(Extra::fingerprint),
        extra,
    };
    serde_json::to_vec(&reply).unwrap_or_default().into()
}

fn answer<'a>(about: &About, index: u32, choice: &'a Choice, thoughts: &'a str) -> Answer<'a> {
    let message = message(about, choice, thoughts);
    let tokens = Some(choice.logprobs.as_slice()).filter(|tokens| !tokens.is_empty());
    let declines = message.refusal.is_some() && message.content.is_none();
    let finish = choice.finish.as_ref();
    Answer {
        index,
        logprobs: tokens.map(|tokens| logprobs(tokens, declines)),
        finish_reason: finish.map(|finish| reason(finish, about.is_own, about.one_call)),
        end: finish.map(|finish| ChoiceEnd {
            stop_reason: finish.stop_sequence.as_deref(),
            extra: about.is_own.then_some(&finish.extra),
        }),
        message,
    }
}

const fn logprobs(tokens: &[TokenLogprob], declines: bool) -> Logprobs<'_> {
    let (content, refusal) = match declines {
        true => (None, Some(tokens)),
        false => (Some(tokens), None),
    };
    Logprobs { content, refusal }
}

fn message<'a>(about: &About, choice: &'a Choice, thoughts: &'a str) -> Message<'a> {
    let parts = &choice.message.parts;
    let finish = choice.finish.as_ref();
    let is_complete = finish.is_some_and(|finish| finish.reason == FinishReason::ToolCalls);
    let shown = Some(thoughts).filter(|thoughts| !thoughts.is_empty());
    let (reasoning_content, reasoning) =
        shown.map_or((None, None), |thoughts| about.thoughts.named(thoughts));
    let mut message = Message {
        role: "assistant",
        content: content(parts),
        refusal: choice.message.refusal(),
        annotations: Vec::new(),
        reasoning_content,
        reasoning,
        reasoning_details: sealed(about, parts).map(Cow::Owned),
        images: Vec::new(),
        audio: None,
        tool_calls: Vec::new(),
        function_call: None,
    };
    for part in parts {
        match part {
            Part::Text(text) => {
                let sources = text.citations.iter();
                let sources = sources.filter_map(|source| annotation(source, about.is_own));
                message.annotations.extend(sources);
            }
            Part::ToolCall(call) => {
                let function = FunctionPiece {
                    name: Some(&call.name),
                    // What a limit cut off is not complete: its arguments are none, not empty.
                    arguments: if is_complete {
                        call.arguments_json()
                    } else {
                        &call.arguments
                    },
                };
                if about.one_call {
                    message.function_call.get_or_insert(function);
                } else {
                    message.tool_calls.push(Call::Function {
                        id: &call.id,
                        r#type: "function",
                        function,
                    });
                }
            }
            Part::Image(image) => message.images.extend(picture(image)),
            Part::Audio(audio) => {
                let voice = message.audio.get_or_insert_default();
                voice.data = sound(&audio.source);
                voice.transcript = audio.transcript.as_deref();
            }
            Part::Native(native) if about.is_own => match native.kind.as_str() {
                details::KIND if reasoning_content.or(reasoning).is_some() || shown.is_none() => {
                    let list: Option<&RawValue> = serde_json::from_str(&native.json).ok();
                    message.reasoning_details = list.map(Cow::Borrowed);
                }
                "audio" => {
                    message.audio.get_or_insert_default().id = voice_id(&native.json);
                }
                "custom_tool_call" => {
                    let call = serde_json::from_str(&native.json).ok();
                    message.tool_calls.extend(call.map(Call::Custom));
                }
                _ => {}
            },
            _ => {}
        }
    }
    message
}

/// The proofs of another wire's provider.
fn sealed(about: &About, parts: &[Part]) -> Option<Box<RawValue>> {
    let mut sealed = Sealed::default();
    for (number, part) in (0..).zip(parts.iter().filter(|_| !about.is_own)) {
        sealed.part(number, part, (&about.seal, about.thoughts));
    }
    sealed.take()
}

/// All words; null where none was said.
fn content(parts: &[Part]) -> Option<Cow<'_, str>> {
    let mut words = parts.iter().filter_map(Part::as_text);
    let first = words.next()?;
    Some(match words.next() {
        None => first.into(),
        Some(second) => [first, second].into_iter().chain(words).collect(),
    })
}

/// The id of a spoken answer.
pub(super) fn voice_id(json: &str) -> Option<String> {
    RawObject::parse(json)?.text("id")
}
