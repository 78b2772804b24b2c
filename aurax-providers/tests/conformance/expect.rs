//! Compares a folded response with what the SDK read.

use aurax_core::{Choice, Embedding, Part, Response};
use serde_json::{Map, Value, json};

use super::case::Case;
use super::cost::Prices;
use super::frames;
use super::partial_json;
use super::tally::Findings;
use super::usage;

/// Fields of `expected` that say how the values came about, or that repeat another field.
const NOT_COMPARED: [&str; 11] = [
    "cost_null_reason",
    "event_types",
    "n_chunks",
    "n_events",
    "oracle",
    "reasoning_field",
    "sdk_exception",
    "sdk_message",
    "stream_notes",
    "usage_raw",
    // The same amount as `cost.usd`.
    "cost_usd",
];

/// Compares everything the SDK read of an answer.
pub(crate) fn compare(
    case: &Case,
    prices: &Prices,
    expected: &Map<String, Value>,
    got: &Response,
    findings: &mut Findings,
) {
    let answer = Answer {
        case,
        prices,
        expected,
        got,
    };
    for (field, value) in expected {
        answer.field(field, value, findings);
    }
    answer.absent(findings);
}

struct Answer<'a> {
    case: &'a Case,
    prices: &'a Prices,
    expected: &'a Map<String, Value>,
    got: &'a Response,
}

impl Answer<'_> {
    fn field(&self, field: &str, value: &Value, findings: &mut Findings) {
        let got = match field {
            "choices" => return self.choices(value, findings),
            "usage" => return usage::compare(self.case, self.expected, self.got, findings),
            "embeddings" => return vectors(value, &self.got.embeddings, findings),
            "cost" => return self.prices.compare(value, self.got, findings),
            known if NOT_COMPARED.contains(&known) => return,
            "n_choices" => json!(self.got.choices.len()),
            "model" => json!(self.got.model),
            "response_id" => return self.id(value, findings),
            "service_tier" => json!(self.got.service_tier),
            "provider_cost_usd" => json!(reported_cost(self.got)),
            "text"
            | "tool_calls"
            | "finish_reason"
            | "stop_sequence"
            | "refusal"
            | "native_finish_reason"
            | "incomplete_reason"
            | "reasoning_text"
            | "reasoning_parts"
            | "reasoning_signatures"
            | "redacted_thinking_blocks"
            | "blocks"
            | "done"
            | "thought_signatures" => match self.got.choices.first() {
                Some(choice) => return self.of_choice(choice, field, value, findings),
                None => Value::Null,
            },
            _ => {
                let detail = "expected to be unknown to this harness, got a field";
                return findings.differ(field, &detail, value);
            }
        };
        findings.equal(field, value, &got);
    }

    /// The SDK takes the id of the first chunk even where that is empty; no id, or the one of a
    /// later chunk, is the same or better. Of responses whose id changes on the way it takes the
    /// last; here the first one stands.
    fn id(&self, expected: &Value, findings: &mut Findings) {
        let in_body = |id: &String| self.case.response.body.contains(&format!("\"{id}\""));
        if self.case.is_responses() && expected != &json!(self.got.id) {
            let first = frames::first_response_id(&self.case.response.body);
            return findings.equal("response_id (first)", &first, &self.got.id);
        }
        if expected != "" || !self.got.id.as_ref().is_none_or(in_body) {
            findings.equal("response_id", expected, &json!(self.got.id));
        }
    }

    /// What the SDK did not report must not have been read either.
    fn absent(&self, findings: &mut Findings) {
        let Some(choice) = self.got.choices.first() else {
            return;
        };
        for (field, nothing) in [
            ("refusal", Value::Null),
            ("reasoning_text", json!("")),
            ("redacted_thinking_blocks", json!(0)),
            ("stop_sequence", Value::Null),
            ("incomplete_reason", Value::Null),
        ] {
            if !self.expected.contains_key(field) {
                self.of_choice(choice, field, &nothing, findings);
            }
        }
        if !self.expected.contains_key("provider_cost_usd") {
            findings.equal("provider_cost_usd", &None, &reported_cost(self.got));
        }
    }

    fn choices(&self, expected: &Value, findings: &mut Findings) {
        for (expected, choice) in list(expected).iter().zip(&self.got.choices) {
            for (field, value) in expected.as_object().into_iter().flatten() {
                if field != "index" {
                    self.of_choice(choice, field, value, findings);
                }
            }
        }
    }

    fn of_choice(&self, choice: &Choice, field: &str, expected: &Value, findings: &mut Findings) {
        let message = &choice.message;
        let finish = choice.finish.as_ref();
        let got = match field {
            "text" => json!(self.text(choice)),
            "finish_reason" => json!(finish.and_then(|finish| finish.raw.as_ref())),
            "stop_sequence" => json!(finish.and_then(|finish| finish.stop_sequence.as_ref())),
            "native_finish_reason" => json!(finish.and_then(|finish| finish.extra.get(field))),
            "done" => json!(finish.is_some()),
            "incomplete_reason" => {
                let details = finish.and_then(|finish| finish.extra.get("incomplete_details"));
                json!(details.and_then(|details| details.get("reason")))
            }
            "refusal" => json!(message.refusal()),
            "reasoning_text" => json!(message.thinking()),
            "reasoning_parts" => json!(thoughts(&message.parts)),
            "blocks" if self.case.is_responses() => json!(items(&message.parts)),
            "reasoning_signatures" => json!(signatures(&message.parts)),
            "redacted_thinking_blocks" => json!(redacted(&message.parts)),
            "blocks" => json!(self.blocks(&message.parts)),
            "tool_calls" => return tool_calls(expected, &message.parts, findings),
            "thought_signatures" => json!(proofs(&message.parts)),
            _ => json!("a field this harness does not know"),
        };
        findings.equal(field, expected, &got);
    }

    /// The kinds of the parts. Gemini's words with a signature are a part of their own, which its SDK
    /// joins with the words before.
    fn blocks(&self, parts: &[Part]) -> Vec<String> {
        let family = self.case.family();
        let mut blocks: Vec<String> = Vec::new();
        for part in parts {
            let block = block(family, part);
            let joins = family == "gemini" && part.as_text().is_some();
            if !joins || blocks.last().is_none_or(|last| last != block) {
                blocks.push(block.to_owned());
            }
        }
        blocks
    }

    /// OpenAI's SDK tells no text from empty text; Anthropic's has a list of blocks instead, and
    /// Ollama always sends a text.
    fn text(&self, choice: &Choice) -> Option<String> {
        let is_text = |part: &Part| part.as_text().is_some();
        let has_text = matches!(self.case.family(), "anthropic" | "ollama" | "responses")
            || choice.message.parts.iter().any(is_text);
        has_text.then(|| choice.message.text())
    }
}

/// Vectors, by their number, length and first numbers.
fn vectors(expected: &Value, got: &[Embedding], findings: &mut Findings) {
    let field = |name| expected.get(name).cloned().unwrap_or_default();
    let indices: Vec<u32> = got.iter().map(|vector| vector.index).collect();
    let mut lengths: Vec<usize> = got.iter().map(|vector| vector.vector.len()).collect();
    lengths.dedup();
    findings.equal("embeddings.count", &field("count"), &json!(got.len()));
    // Where the SDK shows no numbers, the vectors come in the order of their texts.
    let in_order: Vec<usize> = (0..got.len()).collect();
    let numbers = expected.get("indices").cloned();
    let numbers = numbers.unwrap_or_else(|| json!(in_order));
    findings.equal("embeddings.indices", &numbers, &json!(indices));
    findings.equal("embeddings.dims", &field("dims"), &json!(lengths));
    let expected: Vec<Vec<f32>> = serde_json::from_value(field("first4")).unwrap_or_default();
    let first: Vec<Vec<f32>> = got
        .iter()
        .map(|vector| vector.vector.iter().take(4).copied().collect())
        .collect();
    findings.equal("embeddings.first4", &expected, &first);
}

/// Signatures on parts of any kind.
fn proofs(parts: &[Part]) -> usize {
    let signed = parts.iter().filter(|part| match part {
        Part::Text(text) => text.signature.is_some(),
        Part::Thinking(thinking) => thinking.signature.is_some(),
        Part::ToolCall(call) => call.signature.is_some(),
        Part::Native(native) => native.json.contains("thoughtSignature"),
        _ => false,
    });
    signed.count()
}

fn reported_cost(response: &Response) -> Option<String> {
    let usage = response.usage.as_ref()?;
    Some(usage.reported_cost?.to_string())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn signatures(parts: &[Part]) -> Vec<&str> {
    parts
        .iter()
        .filter_map(|part| match part {
            Part::Thinking(thinking) => Some(thinking.signature.as_ref()?.data.as_str()),
            _ => None,
        })
        .collect()
}

/// Thoughts that say something, one entry a part.
fn thoughts(parts: &[Part]) -> Vec<&str> {
    parts
        .iter()
        .filter_map(|part| match part {
            Part::Thinking(thinking) => Some(thinking.text.as_str()),
            _ => None,
        })
        .filter(|text| !text.is_empty())
        .collect()
}

/// The items of an answer of the responses API: neighbours of one id are one item.
fn items(parts: &[Part]) -> Vec<&str> {
    let id = |part: &Part| {
        let item = match part {
            Part::Text(text) => text.item.as_ref(),
            Part::Refusal(refusal) => refusal.item.as_ref(),
            Part::Thinking(thinking) => thinking.item.as_ref(),
            _ => None,
        };
        item.and_then(|item| item.id.clone())
    };
    let mut items: Vec<(Option<String>, &str)> = Vec::new();
    for part in parts {
        let kind = match part {
            Part::Text(_) | Part::Refusal(_) => "message",
            Part::Thinking(_) => "reasoning",
            Part::ToolCall(_) => "function_call",
            Part::Native(native) => &native.kind,
            other => other.kind(),
        };
        let now = (id(part), kind);
        if now.0.is_none() || items.last() != Some(&now) {
            items.push(now);
        }
    }
    items.into_iter().map(|(_, kind)| kind).collect()
}

fn redacted(parts: &[Part]) -> usize {
    parts
        .iter()
        .filter(|part| matches!(part, Part::RedactedThinking(_)))
        .count()
}

/// A part in the word of the wire's family for its block.
fn block<'a>(family: &str, part: &'a Part) -> &'a str {
    match (family, part) {
        ("gemini", Part::ToolCall(_)) => "function_call",
        ("gemini", Part::Thinking(_)) => "thought",
        ("gemini", Part::Native(native)) => match native.kind.as_str() {
            "executableCode" => "executable_code",
            "codeExecutionResult" => "code_execution_result",
            other => other,
        },
        (_, Part::ToolCall(_)) => "tool_use",
        (_, Part::Native(native)) => &native.kind,
        (_, other) => other.kind(),
    }
}

/// A tool call as one of the SDKs would show it.
struct Called {
    id: String,
    name: String,
    arguments: Arguments,
}

enum Arguments {
    Text(String),
    /// Of a tool the provider runs itself.
    Server(Value),
}

fn called(part: &Part) -> Option<Called> {
    match part {
        Part::ToolCall(call) => Some(Called {
            id: call.id.clone(),
            name: call.name.clone(),
            arguments: Arguments::Text(call.arguments.clone()),
        }),
        Part::Native(native) if native.kind.ends_with("tool_use") => {
            let block: Value = serde_json::from_str(&native.json).ok()?;
            let text = |field| Some(block.get(field)?.as_str()?.to_owned());
            Some(Called {
                id: text("id")?,
                name: text("name")?,
                arguments: Arguments::Server(block.get("input").cloned().unwrap_or_default()),
            })
        }
        _ => None,
    }
}

/// An id nobody gave: `call_` and letters and digits.
fn made_up(id: &str, findings: &mut Findings) {
    let rest = id.strip_prefix("call_").unwrap_or_default();
    if rest.is_empty() || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        findings.differ("tool_calls.id", &"call_ and letters and digits", &id);
    }
}

fn tool_calls(expected: &Value, parts: &[Part], findings: &mut Findings) {
    let got: Vec<Called> = parts.iter().filter_map(called).collect();
    findings.equal("tool_calls (count)", &list(expected).len(), &got.len());
    for (expected, got) in list(expected).iter().zip(got) {
        let text = |field| expected.get(field).and_then(Value::as_str);
        let is_server = matches!(got.arguments, Arguments::Server(_));
        let server = expected.get("server").and_then(Value::as_bool);
        // Null: none on the wire, so the id was made up; absent: the SDK does not read it.
        match expected.get("id") {
            Some(Value::Null) => made_up(&got.id, findings),
            Some(_) => findings.equal("tool_calls.id", &text("id").unwrap_or_default(), &got.id),
            None => {}
        }
        findings.equal(
            "tool_calls.name",
            &text("name").unwrap_or_default(),
            &got.name,
        );
        findings.equal("tool_calls.server", &server.unwrap_or(false), &is_server);
        let value = expected.get("arguments").unwrap_or(&Value::Null);
        match (text("arguments_raw"), got.arguments) {
            (_, Arguments::Server(got)) => findings.equal("tool_calls.arguments", value, &got),
            (Some(raw), Arguments::Text(got)) => {
                let parsed = serde_json::from_str::<Value>(&got);
                let valid = expected.get("arguments_valid").and_then(Value::as_bool);
                findings.equal("tool_calls.arguments_raw", &raw, &got);
                findings.equal("tool_calls.arguments_valid", &valid, &Some(parsed.is_ok()));
                findings.equal("tool_calls.arguments", value, &parsed.unwrap_or_default());
            }
            (None, Arguments::Text(got)) => {
                let got = match got.trim() {
                    "" => Some(json!({})),
                    text => partial_json::complete(text),
                };
                findings.equal("tool_calls.arguments", &Some(value), &got.as_ref());
            }
        }
    }
}
