//! Requests: a call becomes a body.
//!
//! Facts: <https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion> and,
//! for the options, <https://github.com/ollama/ollama/blob/main/docs/modelfile.mdx>.

use aurax_core::{Call, Effort, Json, OutputFormat, Request, Result, ShowThinking, Truncation};
use serde::Serialize;

use super::NAME;
use super::messages::{Turn, messages};
use super::tools::{Definition, tools};
use crate::check;
use crate::extra;
use crate::omissions::Omissions;
use crate::refusals::{chat, unsupported};
use crate::rules::{ModelRules, Setting};
use crate::wire::{Encoded, Target, delivery};

/// Fields the caller does not set in the engine's place.
const RESERVED: [&str; 3] = ["model", "messages", "stream"];

/// A body; the fields that grow with the conversation come last, so that a longer conversation
/// begins with the bytes of the shorter one.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    /// Always there: without it the server streams.
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Think>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Json>,
    #[serde(skip_serializing_if = "Options::is_empty")]
    options: Options<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_alive: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shift: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Definition<'a>>,
    messages: Vec<Turn<'a>>,
}

/// Whether to think; a few models take how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Think {
    Whether(bool),
    Level(&'static str),
}

#[derive(Debug, PartialEq, Default, Serialize)]
struct Options<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    num_ctx: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_predict: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
}

impl Options<'_> {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Encodes a chat.
///
/// # Errors
/// As for [`Wire::encode`](crate::wire::Wire::encode).
pub(super) fn encode(call: &Call, target: &Target) -> Result<Encoded> {
    let request = chat(call)?;
    check::features(request, target)?;
    let mut omissions = Omissions::new(request.on_unsupported);
    check::native_fields(request, &mut omissions)?;
    extra::of_parts(request, &mut omissions)?;
    check::proofs(request, &mut omissions, |_| false)?;
    let body = body(request, target, &mut omissions)?;
    let body = extra::merged(&body, &request.extra, NAME, &RESERVED, &mut omissions)?;
    let mut encoded = Encoded::post("/api/chat", body.bytes()?, delivery(request));
    encoded.warnings = omissions.into_warnings();
    Ok(encoded)
}

fn body<'a>(
    request: &'a Request,
    target: &'a Target,
    omissions: &mut Omissions,
) -> Result<Body<'a>> {
    unknown_here(request, omissions)?;
    let sampling = &request.sampling;
    let is_whole = request.truncation == Some(Truncation::Disabled);
    Ok(Body {
        model: target.model.as_str(),
        stream: request.stream,
        think: think(request, &target.rules, omissions)?,
        format: match &request.output {
            OutputFormat::JsonObject => Some(serde_json::Value::from("json").into()),
            OutputFormat::JsonSchema { schema, .. } => Some(schema.clone()),
            _ => None,
        },
        options: Options {
            num_ctx: request.context_window,
            num_predict: request.max_output_tokens,
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            top_k: sampling.top_k,
            min_p: sampling.min_p,
            seed: sampling.seed,
            frequency_penalty: sampling.frequency_penalty,
            presence_penalty: sampling.presence_penalty,
            stop: &request.stop,
        },
        keep_alive: request.cache.and_then(|hint| Some(hint.ttl?.as_str())),
        truncate: is_whole.then_some(false),
        shift: is_whole.then_some(false),
        logprobs: request.logprobs.map(|_| true),
        top_logprobs: request.logprobs.filter(|count| *count > 0),
        tools: tools(request, omissions)?,
        messages: messages(request, target, omissions)?,
    })
}

/// Whether to think. Only what was asked is sent: a model that does not think refuses even a no.
///
/// # Errors
/// `Unsupported` where the request wants nothing changed.
fn think(
    request: &Request,
    rules: &ModelRules,
    omissions: &mut Omissions,
) -> Result<Option<Think>> {
    let asked = &request.reasoning;
    let is_off = asked.effort == Some(Effort::Off) || asked.budget_tokens == Some(0);
    if asked.show == Some(ShowThinking::Omitted) {
        let why = "left out: the API shows all thoughts; turn thinking off instead";
        omissions.note("reasoning.show", why)?;
    }
    for (is_set, name) in [
        (asked.mode.is_some(), "reasoning.mode"),
        (asked.context.is_some(), "reasoning.context"),
        (
            asked.budget_tokens.is_some() && !is_off,
            "reasoning.budget_tokens",
        ),
    ] {
        if is_set {
            omissions.note(name, "left out: the API has no such setting")?;
        }
    }
    let takes_levels = !rules.efforts.is_empty();
    if is_off {
        if !rules.refuses(Setting::ThinkingOff, true) {
            return Ok(Some(Think::Whether(false)));
        }
        let level = word(rules.nearest_effort(Effort::Minimal));
        let why = format!("off became a level of {level}: the model always thinks");
        omissions.note("reasoning.effort", why)?;
        return Ok(Some(Think::Level(level)));
    }
    Ok(match asked.effort {
        Some(level) if takes_levels && level != Effort::Auto => {
            Some(Think::Level(word(rules.nearest_effort(level))))
        }
        // A model with levels takes no plain yes.
        Some(_) | None if takes_levels => None,
        Some(_) => Some(Think::Whether(true)),
        None => asked.budget_tokens.map(|_| Think::Whether(true)),
    })
}

const fn word(level: Effort) -> &'static str {
    match level {
        Effort::Medium => "medium",
        Effort::High | Effort::XHigh => "high",
        Effort::Max => "max",
        _ => "low",
    }
}

/// Settings this API does not know at all.
fn unknown_here(request: &Request, omissions: &mut Omissions) -> Result<()> {
    if request.n.is_some_and(|n| n > 1) {
        return Err(unsupported(
            "n",
            "the API gives one answer; ask several times",
        ));
    }
    for (is_set, name) in [
        (request.service_tier.is_some(), "service_tier"),
        (request.speed.is_some(), "speed"),
        (request.store == Some(true), "store"),
        (request.user.is_some(), "user"),
        (!request.metadata.is_empty(), "metadata"),
    ] {
        if is_set {
            omissions.note(name, "left out: the API has no such setting")?;
        }
    }
    Ok(())
}
