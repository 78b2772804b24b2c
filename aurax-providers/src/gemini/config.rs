//! How the answer is made: limits, sampling, its form, thinking.
//!
//! Facts: <https://ai.google.dev/api/generate-content#generationconfig>.

use aurax_core::{Error, ErrorKind, Json, OutputFormat, Phase, Request, Result, Truncation};
use serde::Serialize;

use super::reasoning::{self, ThinkingConfig};
use crate::omissions::Omissions;
use crate::rules::{ModelRules, Setting};

/// `generationConfig`, on the wire.
#[derive(Debug, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig>,
}

/// How the answer is to be made; `None` where nothing is asked.
///
/// # Errors
/// `InvalidRequest` for a number no model takes; `Unsupported` where the request wants nothing
/// changed.
pub(super) fn config<'a>(
    request: &'a Request,
    rules: &ModelRules,
    omissions: &mut Omissions,
) -> Result<Option<Config<'a>>> {
    unknown_here(request, omissions)?;
    if request.logprobs.is_some_and(|n| n > 20) {
        let message = "a token has 20 alternatives at most";
        return Err(Error::new(ErrorKind::InvalidRequest, message)
            .with_context("part", "logprobs")
            .with_phase(Phase::Encode));
    }
    let mut takes = |is_set: bool, setting: Setting, name: &str| -> Result<bool> {
        let refused = is_set && rules.refuses(setting, true);
        if refused {
            omissions.note(name, "left out: the model refuses it")?;
        }
        Ok(is_set && !refused)
    };
    let sampling = &request.sampling;
    let logprobs = takes(request.logprobs.is_some(), Setting::Logprobs, "logprobs")?;
    let frequency = takes(
        sampling.frequency_penalty.is_some(),
        Setting::Penalties,
        "sampling.frequency_penalty",
    )?;
    let presence = takes(
        sampling.presence_penalty.is_some(),
        Setting::Penalties,
        "sampling.presence_penalty",
    )?;
    let (mime_type, schema) = match &request.output {
        OutputFormat::JsonObject => (Some("application/json"), None),
        OutputFormat::JsonSchema { schema, .. } => (Some("application/json"), Some(schema)),
        _ => (None, None),
    };
    let config = Config {
        max_output_tokens: request.max_output_tokens,
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        seed: sampling.seed,
        frequency_penalty: sampling.frequency_penalty.filter(|_| frequency),
        presence_penalty: sampling.presence_penalty.filter(|_| presence),
        stop_sequences: &request.stop,
        candidate_count: request.n,
        response_logprobs: logprobs.then_some(true),
        logprobs: request.logprobs.filter(|n| logprobs && *n > 0),
        response_mime_type: mime_type,
        response_json_schema: schema,
        thinking_config: reasoning::thinking(&request.reasoning, rules, omissions)?,
    };
    Ok((config != Config::default()).then_some(config))
}

/// Settings this API does not know at all.
fn unknown_here(request: &Request, omissions: &mut Omissions) -> Result<()> {
    for (is_set, name) in [
        (request.sampling.min_p.is_some(), "sampling.min_p"),
        (request.speed.is_some(), "speed"),
        (request.store == Some(true), "store"),
        (request.truncation == Some(Truncation::Auto), "truncation"),
        (request.context_window.is_some(), "context_window"),
        (request.user.is_some(), "user"),
        (!request.metadata.is_empty(), "metadata"),
    ] {
        if is_set {
            omissions.note(name, "left out: the API has no such setting")?;
        }
    }
    Ok(())
}
