//! The items of a reply, as they are written.

use aurax_core::TokenLogprob;
use serde_json::{Map, Value, json};

/// A part of a message's content.
#[derive(Debug)]
pub(super) enum Content {
    Text {
        text: String,
        annotations: Vec<Value>,
        logprobs: Vec<TokenLogprob>,
        /// Log probabilities no piece was written with.
        unsent: Vec<TokenLogprob>,
    },
    Refusal(String),
}

impl Content {
    pub(super) const fn text() -> Self {
        Self::Text {
            text: String::new(),
            annotations: Vec::new(),
            logprobs: Vec::new(),
            unsent: Vec::new(),
        }
    }

    pub(super) fn json(&self) -> Value {
        match self {
            Self::Text {
                text,
                annotations,
                logprobs,
                ..
            } => json!({
                "type": "output_text",
                "text": text,
                "annotations": annotations,
                "logprobs": logprobs,
            }),
            Self::Refusal(refusal) => json!({"type": "refusal", "refusal": refusal}),
        }
    }
}

/// What an item is.
#[derive(Debug)]
pub(super) enum Body {
    Message {
        phase: Option<String>,
        content: Vec<Content>,
    },
    Reasoning {
        summary: Vec<String>,
        thoughts: Vec<String>,
        encrypted: Option<String>,
    },
    Call {
        call_id: String,
        name: String,
        arguments: String,
    },
    /// An item in its provider's own words.
    Native(Value),
}

/// How far an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    Completed,
    Incomplete,
}

impl Status {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
        }
    }
}

/// What a part of an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Refusal,
    Summary,
    Thoughts,
    Call,
}

/// One item.
#[derive(Debug)]
pub(super) struct OutputItem {
    pub(super) id: String,
    pub(super) body: Body,
    pub(super) status: Status,
    /// The part of it that has begun and has not ended.
    pub(super) part: Option<(Kind, usize)>,
    /// Fields that have no place of their own.
    pub(super) extra: Map<String, Value>,
}

impl OutputItem {
    pub(super) fn is_open(&self) -> bool {
        self.status == Status::InProgress
    }

    /// Whether nothing can be missing of it: a call whose arguments are complete, and anything that
    /// is no call.
    pub(super) fn may_close(&self) -> bool {
        match &self.body {
            Body::Call { arguments, .. } => {
                serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok()
            }
            _ => true,
        }
    }

    /// The item in JSON.
    pub(super) fn json(&self) -> Value {
        let id = &self.id;
        let status = self.status.as_str();
        let mut item = match &self.body {
            Body::Message { phase, content } => {
                let content: Vec<Value> = content.iter().map(Content::json).collect();
                let mut item = json!({
                    "id": id, "type": "message", "status": status, "role": "assistant",
                    "content": content,
                });
                if let Some(phase) = phase {
                    set(&mut item, "phase", phase.as_str());
                }
                item
            }
            Body::Reasoning {
                summary,
                thoughts,
                encrypted,
            } => {
                let texts = |texts: &[String], kind: &str| -> Vec<Value> {
                    let text = |text| json!({"type": kind, "text": text});
                    texts.iter().map(text).collect()
                };
                let mut item = json!({
                    "id": id, "type": "reasoning", "summary": texts(summary, "summary_text"),
                });
                if !thoughts.is_empty() {
                    set(&mut item, "content", texts(thoughts, "reasoning_text"));
                }
                if let Some(encrypted) = encrypted {
                    set(&mut item, "encrypted_content", encrypted.as_str());
                }
                item
            }
            Body::Call {
                call_id,
                name,
                arguments,
            } => {
                // Every client parses the arguments, though a model may have written none.
                let is_empty = arguments.is_empty() && self.status == Status::Completed;
                let arguments = if is_empty { "{}" } else { arguments };
                json!({
                    "id": id, "type": "function_call", "status": status, "call_id": call_id,
                    "name": name, "arguments": arguments,
                })
            }
            Body::Native(item) => item.clone(),
        };
        for (name, value) in &self.extra {
            set(&mut item, name, value.clone());
        }
        item
    }

    /// The item as it is announced, before anything of it.
    pub(super) fn announced(&self) -> Value {
        let mut item = self.json();
        let nothing = Value::Array(Vec::new());
        match &self.body {
            Body::Message { .. } => set(&mut item, "content", nothing),
            Body::Reasoning { .. } => {
                set(&mut item, "summary", nothing);
                // It changes with the thoughts, which are yet to come.
                if let Value::Object(fields) = &mut item {
                    fields.shift_remove("encrypted_content");
                }
            }
            Body::Call { .. } => set(&mut item, "arguments", ""),
            Body::Native(_) => {}
        }
        item
    }
}

fn set(item: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(fields) = item {
        fields.insert(name.to_owned(), value.into());
    }
}
