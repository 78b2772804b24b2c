//! The response object.

use aurax_core::{Finish, FinishReason, Totals, Usage};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::digest::{base62, hash};
use crate::object::Pairs;

/// What every response object of one reply has in common.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) model: String,
    /// The request's fields that the reply repeats.
    pub(super) echo: Map<String, Value>,
}

/// How a reply ended, or that it has not.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) status: String,
    pub(super) incomplete: Value,
    pub(super) error: Value,
    pub(super) service_tier: Option<String>,
    pub(super) usage: Option<Box<RawValue>>,
    /// Fields of the provider's own reply, which stand in place of those made here.
    pub(super) extra: Map<String, Value>,
}

impl Ending {
    pub(super) fn new(status: impl Into<String>) -> Self {
        Self {
            status: status.into(),
            incomplete: Value::Null,
            error: Value::Null,
            service_tier: None,
            usage: None,
            extra: Map::new(),
        }
    }
}

impl Frame {
    /// The response object with every field clients insist on.
    pub(super) fn json(&self, ending: &Ending, output: &[Value]) -> Box<RawValue> {
        let mut fields = object(json!({
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": ending.status,
            "background": false,
            "error": ending.error,
            "incomplete_details": ending.incomplete,
            "instructions": null,
            "max_output_tokens": null,
            "max_tool_calls": null,
            "metadata": {},
            "model": self.model,
            "output": output,
            "parallel_tool_calls": true,
            "previous_response_id": null,
            "prompt_cache_key": null,
            "reasoning": {"effort": null, "summary": null},
            "safety_identifier": null,
            "service_tier": ending.service_tier,
            "store": false,
            "temperature": null,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_logprobs": 0,
            "top_p": null,
            "truncation": "disabled",
            "usage": null,
            "user": null,
        }));
        for (name, value) in self.echo.iter().chain(&ending.extra) {
            merge(&mut fields, name, value);
        }
        let text = Value::Object(fields).to_string();
        // The provider's own usage keeps its digits.
        let mut pairs: Pairs = serde_json::from_str(&text).unwrap_or_default();
        if let Some(usage) = &ending.usage {
            pairs.merge(vec![("usage".to_owned(), usage.clone())]);
        }
        serde_json::value::to_raw_value(&pairs).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}

/// Objects keep the fields that the newer one does not have.
fn merge(fields: &mut Map<String, Value>, name: &str, value: &Value) {
    match (fields.get_mut(name), value) {
        (Some(Value::Object(known)), Value::Object(more)) => {
            for (name, value) in more {
                known.insert(name.clone(), value.clone());
            }
        }
        _ => {
            fields.insert(name.to_owned(), value.clone());
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Why a reply ended: its status, and what it is incomplete for. `own` says that the words are this
/// wire's.
pub(super) fn ending(finish: Option<&Finish>, own: bool) -> Ending {
    let Some(finish) = finish else {
        return Ending::new("completed");
    };
    let raw = finish.raw.as_deref().filter(|_| own);
    let incomplete = |reason: &str| {
        let mut ending = Ending::new("incomplete");
        ending.incomplete = json!({"reason": reason});
        ending
    };
    match (raw, finish.reason) {
        (Some(status), _) => {
            let mut ending = Ending::new(status);
            let details = finish.extra.get("incomplete_details");
            ending.incomplete = details.cloned().unwrap_or_default();
            ending
        }
        (_, FinishReason::Length | FinishReason::ContextWindow) => incomplete("max_output_tokens"),
        (_, FinishReason::ContentFilter) => incomplete("content_filter"),
        (_, FinishReason::Error) => {
            let mut ending = Ending::new("failed");
            ending.error = json!({
                "type": "server_error",
                "code": "server_error",
                "message": "the provider failed while answering",
            });
            ending
        }
        _ => Ending::new("completed"),
    }
}

/// What was used: in the provider's own words where they are this wire's.
pub(super) fn usage(usage: &Usage, own: bool) -> Box<RawValue> {
    let raw = usage.raw.as_ref().filter(|_| own);
    if let Some(raw) = raw.and_then(|raw| serde_json::from_str(raw.as_str()).ok()) {
        return raw;
    }
    let Totals {
        input,
        output,
        total,
        cache_read,
        cache_write,
        reasoning,
        ..
    } = usage.reported;
    // What nobody reported was counted or estimated here.
    let input = input.unwrap_or_else(|| usage.buckets.input_tokens());
    let output = output.unwrap_or_else(|| usage.buckets.output_tokens());
    let fields = json!({
        "input_tokens": input,
        "input_tokens_details": {
            "cached_tokens": cache_read.unwrap_or(0),
            "cache_write_tokens": cache_write.unwrap_or(0),
        },
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reasoning.unwrap_or(0)},
        "total_tokens": total.unwrap_or_else(|| input.saturating_add(output)),
    });
    serde_json::value::to_raw_value(&fields).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// An id of this kind, its own for each request and number.
pub(super) fn id(kind: &str, request: &str, number: usize) -> String {
    let number = number.to_string();
    let first = base62(hash(&[request, kind, &number]));
    let second = base62(hash(&[kind, request, "again", &number]));
    format!("{kind}_{first}{second}")
}
