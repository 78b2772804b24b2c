//! The blocks of a reply, and what an answer is in this wire's words.

use std::borrow::Cow;

use aurax_core::{Citation, Finish, FinishReason, Json, Signature, ToolCall};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Seal;
use crate::inbound::carry::{Purpose, pack, pack_nothing};
use crate::raw::RawObject;

/// Blocks whose input is streamed.
const WITH_INPUT: [&str; 2] = ["server_tool_use", "mcp_tool_use"];

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Text {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        citations: Vec<Json>,
    },
    Thinking {
        thinking: &'a str,
        signature: Cow<'a, str>,
    },
    RedactedThinking {
        data: Cow<'a, str>,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Json,
        #[serde(flatten)]
        beside: Map<String, Value>,
    },
    /// A block as its provider wrote it.
    #[serde(untagged)]
    Native(Json),
}

/// Whose words a reply has, and how to sign for them.
#[derive(Debug)]
pub(super) struct Maker {
    pub(super) seal: Seal,
    /// The provider speaks this wire too.
    pub(super) is_own: bool,
}

impl Maker {
    /// What stands for a signature: itself, or sealed where another wire's provider made it.
    pub(super) fn proof<'a>(&self, signature: &'a Signature) -> Cow<'a, str> {
        if self.is_own {
            Cow::Borrowed(&signature.data)
        } else {
            Cow::Owned(pack(&self.seal, signature, &Purpose::Thinking))
        }
    }

    /// What stands for thoughts that are encrypted whole.
    pub(super) fn redacted<'a>(&self, data: &'a Signature) -> Cow<'a, str> {
        if self.is_own {
            Cow::Borrowed(&data.data)
        } else {
            Cow::Owned(pack(&self.seal, data, &Purpose::Redacted))
        }
    }

    /// A block that carries the proof of words or of a call of another wire's provider: there is
    /// no other that SDKs send back and do not read.
    pub(super) fn carrier(&self, signature: &Signature, purpose: &Purpose) -> Block<'static> {
        Block::RedactedThinking {
            data: pack(&self.seal, signature, purpose).into(),
        }
    }

    /// What stands for the signature of thoughts nobody signed: SDKs insist on one.
    pub(super) fn no_proof(&self) -> String {
        if self.is_own {
            return String::new();
        }
        pack_nothing(&self.seal)
    }

    /// A source; `None` where it has no address and is not this wire's.
    pub(super) fn citation(&self, citation: &Citation) -> Option<Json> {
        let native = citation.native.as_ref().filter(|_| self.is_own);
        if let Some(json) = native.and_then(|native| Json::parse(native.json.clone()).ok()) {
            return Some(json);
        }
        let url = citation.url.as_deref()?;
        Some(Json::from(json!({
            "type": "web_search_result_location",
            "cited_text": citation.quote.as_deref().unwrap_or_default(),
            "url": url,
            "title": citation.title,
            "encrypted_index": "",
        })))
    }

    /// What a provider of this wire wants back beside a call's input.
    pub(super) fn beside(&self, signature: Option<&Signature>) -> Map<String, Value> {
        let signature = signature.filter(|_| self.is_own);
        signature
            .and_then(|signature| serde_json::from_str(&signature.data).ok())
            .unwrap_or_default()
    }

    /// A whole call. Arguments that were cut off are no input.
    pub(super) fn call<'a>(&self, call: &'a ToolCall) -> Block<'a> {
        let arguments = call.arguments_json();
        let input = RawObject::parse(arguments)
            .and_then(|_| Json::parse(arguments).ok())
            .unwrap_or_else(no_input);
        Block::ToolUse {
            id: &call.id,
            name: &call.name,
            input,
            beside: self.beside(call.signature.as_ref()),
        }
    }

    /// Why the answer ended, in this wire's word.
    pub(super) fn reason<'a>(&self, finish: &'a Finish) -> &'a str {
        let raw = finish.raw.as_deref().filter(|_| self.is_own);
        match (finish.reason, raw) {
            (FinishReason::ToolCalls, _) => "tool_use",
            (_, Some(raw)) => raw,
            (FinishReason::StopSequence, _) => "stop_sequence",
            (FinishReason::Length, _) => "max_tokens",
            (FinishReason::ContextWindow, _) => "model_context_window_exceeded",
            (FinishReason::Refusal | FinishReason::ContentFilter, _) => "refusal",
            (FinishReason::Pause, _) => "pause_turn",
            _ => "end_turn",
        }
    }
}

/// A block of the provider's own, as a stream begins it, and the input that follows.
pub(super) fn begun(json: &str) -> Option<(Json, Option<Json>)> {
    let mut block = RawObject::parse(json)?;
    let kind = block.text("type").unwrap_or_default();
    let input = match block.get("input").cloned() {
        Some(input) if WITH_INPUT.contains(&kind.as_str()) => input,
        _ => return Some((Json::parse(json).ok()?, None)),
    };
    block.set("input", no_input());
    Some((Json::from_value(&block).ok()?, Some(input)))
}

pub(super) fn no_input() -> Json {
    Json::from(Value::Object(Map::new()))
}
