//! Requests: a call becomes a body, its headers and the version of the API it goes to.
//!
//! Facts: <https://platform.claude.com/docs/en/api/messages>; versions:
//! <https://platform.claude.com/docs/en/api/versioning>.

use aurax_core::{Call, Delivery, Json, OutputFormat, Request, Result, Truncation};
use http::{HeaderName, HeaderValue};
use serde::{Serialize, Serializer};

use super::block::{Block, CacheControl, Turn};
use super::cache;
use super::extra::{self, Betas};
use super::messages::{Conversation, conversation};
use super::reasoning::{self, LEAST_BUDGET, Plan, Thinking};
use super::sampling::{Sampling, sampling, stop};
use super::tools::{self, Choice, Definition};
use crate::check;
use crate::omissions::Omissions;
use crate::raw::RawObject;
use crate::refusals::{chat, unsupported};
use crate::rules::{ModelRules, Setting};
use crate::wire::{Encoded, Target, delivery};

/// The limit on output when the request names none and the model does not think.
const DEFAULT_OUTPUT: u32 = 4096;

/// The same when the model thinks as much as it likes: thoughts count towards the limit.
const DEFAULT_THINKING_OUTPUT: u32 = 16_384;

const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// The first version of the API, the only one with sampling parameters, documents in the
/// assistant's turns and citations in the user's words.
const FIRST: HeaderValue = HeaderValue::from_static("2023-06-01");

/// The version the official SDKs send since October 2026.
pub(super) const CURRENT: HeaderValue = HeaderValue::from_static("2026-10-21");

/// Fields a count of tokens does not take.
const NOT_COUNTED: [&str; 11] = [
    "max_tokens",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "stream",
    "metadata",
    "service_tier",
    "speed",
    "container",
    "inference_geo",
];

/// A body; the fields that grow with the conversation come last, so that a longer conversation
/// begins with the bytes of the shorter one.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(flatten)]
    sampling: Sampling,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Definition<'a>>,
    #[serde(skip_serializing_if = "System::is_empty")]
    system: System<'a>,
    messages: Vec<Turn<'a>>,
}

#[derive(Serialize)]
struct OutputConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format {
    JsonSchema { schema: Json },
}

#[derive(Serialize)]
struct Metadata<'a> {
    user_id: &'a str,
}

/// Instructions: words where nothing is marked, which every server takes, else blocks.
struct System<'a>(Vec<Block<'a>>);

impl Serialize for System<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [
                Block::Text {
                    text,
                    cache_control: None,
                    ..
                },
            ] => serializer.serialize_str(text),
            blocks => serializer.collect_seq(blocks),
        }
    }
}

impl System<'_> {
    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Encodes a chat.
///
/// # Errors
/// As for [`Wire::encode`](crate::wire::Wire::encode).
pub(super) fn encode(call: &Call, target: &Target) -> Result<Encoded> {
    let request = chat(call)?;
    finish(request, target, "/v1/messages", delivery(request), |_| {})
}

/// Encodes a count of a chat's input tokens.
///
/// # Errors
/// As for [`Wire::encode`](crate::wire::Wire::encode).
pub(super) fn count(call: &Call, target: &Target) -> Result<Encoded> {
    let request = chat(call)?;
    let path = "/v1/messages/count_tokens";
    finish(request, target, path, Delivery::Whole, |body| {
        for name in NOT_COUNTED {
            body.remove(name);
        }
    })
}

fn finish(
    request: &Request,
    target: &Target,
    path: &str,
    delivery: Delivery,
    adapt: impl FnOnce(&mut RawObject),
) -> Result<Encoded> {
    check::features(request, target)?;
    check::tool_names(request, 128)?;
    let rules = match &target.info {
        Some(info) => target.rules.clone().informed_by(info),
        None => target.rules.clone(),
    };
    let mut omissions = Omissions::new(request.on_unsupported);
    let origin = target.origin();
    check::proofs(request, &mut omissions, |part| {
        let proof = part.as_tool_call().and_then(|call| call.signature.as_ref());
        proof.is_some_and(|proof| proof.is_for_wire(&origin, super::NAME))
    })?;
    let plan = reasoning::plan(&request.reasoning, &rules, &mut omissions)?;
    let takes_prefill = !plan.thinks && !rules.refuses(Setting::Prefill, false);
    let conversation = conversation(request, target, takes_prefill, &mut omissions)?;
    let (first_version, files) = (conversation.first_version, conversation.files);
    let body = body(request, target, &rules, plan, conversation, &mut omissions)?;
    let mut body = RawObject::of(&body)?;
    let mut betas = Betas::default();
    if files {
        betas.add("files-api-2025-04-14");
    }
    if let Some(fields) = extra::fields(request, &mut omissions, &mut betas)? {
        body.merge(&fields);
    }
    adapt(&mut body);
    betas.of(&body);
    let sampled = ["temperature", "top_p", "top_k"]
        .iter()
        .any(|name| body.get(name).is_some());

    let mut encoded = Encoded::post(path, body.bytes()?, delivery);
    let version = if sampled || first_version {
        FIRST
    } else {
        CURRENT
    };
    encoded.headers.push((VERSION, version));
    if let Some(list) = betas.header()? {
        encoded.headers.push((BETA, list));
    }
    encoded.warnings = omissions.into_warnings();
    Ok(encoded)
}

fn body<'a>(
    request: &'a Request,
    target: &'a Target,
    rules: &ModelRules,
    mut plan: Plan,
    mut conversation: Conversation<'a>,
    omissions: &mut Omissions,
) -> Result<Body<'a>> {
    unknown_here(request, omissions)?;
    let max_tokens = max_tokens(request, rules, &mut plan, omissions)?;
    let mut tools = tools::definitions(request, target, omissions)?;
    let mut cache_control = request.cache.map(CacheControl::new);
    mark(&mut tools, &mut conversation, &mut cache_control, omissions)?;
    let format = format(request, omissions)?;
    let effort = plan.effort;
    Ok(Body {
        model: target.model.as_str(),
        max_tokens,
        stop_sequences: stop(request, omissions)?,
        sampling: sampling(request, rules, plan, omissions)?,
        stream: request.stream.then_some(true),
        thinking: plan.thinking,
        output_config: (effort.is_some() || format.is_some())
            .then_some(OutputConfig { effort, format }),
        metadata: request.user.as_deref().map(|user_id| Metadata { user_id }),
        service_tier: request.service_tier.as_deref(),
        speed: request.speed.as_deref(),
        cache_control,
        tool_choice: tools::choice(request, rules, plan.budget(), omissions)?,
        tools,
        system: System(conversation.system),
        messages: conversation.turns,
    })
}

/// Settings this API does not know at all.
fn unknown_here(request: &Request, omissions: &mut Omissions) -> Result<()> {
    if request.n.is_some_and(|n| n > 1) {
        return Err(unsupported(
            "n",
            "the API gives one answer; ask several times",
        ));
    }
    let sampling = &request.sampling;
    for (is_set, name) in [
        (
            sampling.frequency_penalty.is_some(),
            "sampling.frequency_penalty",
        ),
        (
            sampling.presence_penalty.is_some(),
            "sampling.presence_penalty",
        ),
        (sampling.seed.is_some(), "sampling.seed"),
        (sampling.min_p.is_some(), "sampling.min_p"),
        (request.logprobs.is_some(), "logprobs"),
        (!request.metadata.is_empty(), "metadata"),
        (request.store == Some(true), "store"),
        (request.truncation == Some(Truncation::Auto), "truncation"),
        (request.context_window.is_some(), "context_window"),
        (request.reasoning.context.is_some(), "reasoning.context"),
    ] {
        if is_set {
            omissions.note(name, "left out: the API has no such setting")?;
        }
    }
    Ok(())
}

/// The limit on output, which the API insists on.
///
/// * None asked: 4,096 and the budget to think with, or 16,384 for a model that thinks without a
///   budget, within what the model can.
/// * A budget must be below the limit: one that is not raises it.
fn max_tokens(
    request: &Request,
    rules: &ModelRules,
    plan: &mut Plan,
    omissions: &mut Omissions,
) -> Result<u32> {
    let budget = plan.budget();
    let mut limit = match (request.max_output_tokens, budget) {
        (Some(asked), Some(budget)) if asked <= budget => {
            omissions.note(
                "max_output_tokens",
                "raised by the budget to think with, which must be below it",
            )?;
            asked.saturating_add(budget)
        }
        (Some(asked), _) => asked,
        (None, Some(budget)) => budget.saturating_add(DEFAULT_OUTPUT),
        (None, None) if plan.thinks => DEFAULT_THINKING_OUTPUT,
        (None, None) => DEFAULT_OUTPUT,
    };
    if let Some(most) = rules.max_output_tokens.filter(|most| limit > *most) {
        if request.max_output_tokens.is_some() {
            omissions.note(
                "max_output_tokens",
                format!("lowered to {most}, the model's most"),
            )?;
        }
        limit = most;
    }
    if budget.is_some_and(|budget| budget >= limit) {
        let room = limit.saturating_sub(LEAST_BUDGET).max(LEAST_BUDGET);
        omissions.note(
            "reasoning.budget_tokens",
            format!("lowered to {room}: it must be below the model's limit on output"),
        )?;
        plan.set_budget(room);
    }
    Ok(limit)
}

fn format(request: &Request, omissions: &mut Omissions) -> Result<Option<Format>> {
    match &request.output {
        OutputFormat::Text => Ok(None),
        OutputFormat::JsonSchema { schema, .. } => Ok(Some(Format::JsonSchema {
            schema: schema.clone(),
        })),
        _ => {
            omissions.note(
                "output",
                "left out: the API has no JSON mode without a schema; give one, or ask in words",
            )?;
            Ok(None)
        }
    }
}

fn mark(
    tools: &mut [Definition<'_>],
    conversation: &mut Conversation<'_>,
    whole: &mut Option<CacheControl>,
    omissions: &mut Omissions,
) -> Result<()> {
    use cache::Section;
    let tools = tools
        .iter_mut()
        .filter_map(|tool| Some((Section::Tools, tool.cache_control()?)));
    let system = conversation
        .system
        .iter_mut()
        .filter_map(|block| Some((Section::System, block.cache_control()?)));
    let messages = conversation
        .turns
        .iter_mut()
        .flat_map(|turn| &mut turn.content)
        .filter_map(|block| Some((Section::Messages, block.cache_control()?)));
    let mut marks: Vec<_> = tools.chain(system).chain(messages).collect();
    cache::fit(&mut marks, whole, omissions)
}
