//! Requests: a call becomes an address and a body.
//!
//! Facts: <https://ai.google.dev/api/generate-content> and, for counts,
//! <https://ai.google.dev/api/tokens>.

use aurax_core::{Call, Delivery, ModelId, Request, Result};
use serde::Serialize;

use super::NAME;
use super::config::{self, Config};
use super::contents::conversation;
use super::part::Content;
use super::tools::{self, ToolConfig, ToolSet};
use crate::check;
use crate::extra;
use crate::omissions::Omissions;
use crate::percent::encoded;
use crate::raw::RawObject;
use crate::refusals::chat;
use crate::wire::{Encoded, Target};

/// Fields the caller does not set in the engine's place.
const RESERVED: [&str; 2] = ["contents", "model"];

/// A body; the fields that grow with the conversation come last, so that a longer conversation
/// begins with the bytes of the shorter one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_config: Option<Config<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolSet<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'a>>,
    contents: Vec<Content<'a>>,
}

/// A count of the tokens a body has; inside it the model is named again.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Count {
    generate_content_request: RawObject,
}

/// Encodes a chat.
///
/// # Errors
/// As for [`Wire::encode`](crate::wire::Wire::encode).
pub(super) fn encode(call: &Call, target: &Target) -> Result<Encoded> {
    let request = chat(call)?;
    let (verb, delivery) = if request.stream {
        ("streamGenerateContent?alt=sse", Delivery::Streamed)
    } else {
        ("generateContent", Delivery::Whole)
    };
    let (body, omissions) = body(request, target)?;
    let mut encoded = Encoded::post(path(&target.model, verb), body.bytes()?, delivery);
    encoded.warnings = omissions.into_warnings();
    Ok(encoded)
}

/// Encodes a count of a chat's input tokens.
///
/// # Errors
/// As for [`Wire::encode`](crate::wire::Wire::encode).
pub(super) fn count(call: &Call, target: &Target) -> Result<Encoded> {
    let (mut body, omissions) = body(chat(call)?, target)?;
    body.set(
        "model",
        serde_json::Value::from(resource(&target.model)).into(),
    );
    let body = Count {
        generate_content_request: body,
    };
    let path = path(&target.model, "countTokens");
    let body = RawObject::of(&body)?.bytes()?;
    let mut encoded = Encoded::post(path, body, Delivery::Whole);
    encoded.warnings = omissions.into_warnings();
    Ok(encoded)
}

/// A model's name as the API has it: the name of a resource.
pub(super) fn resource(model: &ModelId) -> String {
    let (kind, name) = split(model);
    format!("{kind}/{name}")
}

/// The address of a verb of a model. What a caller calls a model cannot leave its place in it.
pub(super) fn path(model: &ModelId, verb: &str) -> String {
    let (kind, name) = split(model);
    format!("/v1beta/{kind}/{}:{verb}", encoded(name))
}

fn split(model: &ModelId) -> (&'static str, &str) {
    let name = model.as_str();
    match name.strip_prefix("tunedModels/") {
        Some(name) => ("tunedModels", name),
        None => ("models", name.strip_prefix("models/").unwrap_or(name)),
    }
}

fn body(request: &Request, target: &Target) -> Result<(RawObject, Omissions)> {
    check::features(request, target)?;
    let mut omissions = Omissions::new(request.on_unsupported);
    check::native_fields(request, &mut omissions)?;
    extra::of_parts(request, &mut omissions)?;
    let rules = match &target.info {
        Some(info) => target.rules.clone().informed_by(info),
        None => target.rules.clone(),
    };
    let conversation = conversation(request, target, &rules, &mut omissions)?;
    let body = Body {
        generation_config: config::config(request, &rules, &mut omissions)?,
        service_tier: request.service_tier.as_deref(),
        tool_config: tools::config(request, &mut omissions)?,
        tools: tools::tools(request, target, &mut omissions)?,
        system_instruction: conversation.system,
        contents: conversation.contents,
    };
    let body = extra::merged(&body, &request.extra, NAME, &RESERVED, &mut omissions)?;
    Ok((body, omissions))
}
