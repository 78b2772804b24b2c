//! How much to think, in each vendor's form.

use aurax_core::{Effort, Reasoning, Result, ShowThinking};
use serde::Serialize;

use super::quirks::{Quirks, ReasoningControl};
use crate::omissions::Omissions;
use crate::rules::{ModelRules, Setting};
use crate::wire::Target;

/// The fields of a body that concern thinking.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Thinking {
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include_reasoning: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Switch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<ReasoningObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_template_kwargs: Option<TemplateArguments>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Switch {
    r#type: &'static str,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct ReasoningObject {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exclude: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
}

#[derive(Debug, PartialEq, Serialize)]
struct TemplateArguments {
    enable_thinking: bool,
}

pub(super) fn encode(
    reasoning: &Reasoning,
    target: &Target,
    quirks: &Quirks,
    omissions: &mut Omissions,
) -> Result<Thinking> {
    let control = quirks.reasoning;
    let hide = reasoning.show.map(|show| show == ShowThinking::Omitted);
    if control == ReasoningControl::Object {
        return object(reasoning, target, hide, omissions);
    }
    let effort = match (reasoning.effort, reasoning.budget_tokens) {
        (Some(effort), _) => Some(effort),
        (None, Some(tokens)) => {
            let effort = level_for(tokens);
            let word = word(effort);
            let why = format!("became the level `{word}`: the provider takes no budget");
            omissions.note("reasoning.budget_tokens", why)?;
            Some(effort)
        }
        (None, None) => None,
    };
    if effort.is_some() && reasoning.budget_tokens.is_some() && reasoning.effort.is_some() {
        let why = "left out: the provider takes a level and no budget";
        omissions.note("reasoning.budget_tokens", why)?;
    }
    let effort = match effort {
        Some(effort) => taken(effort, target, omissions)?,
        None => None,
    };
    let mut fields = Thinking::default();
    match (control, effort) {
        (_, None) => {}
        (ReasoningControl::Thinking, Some(Effort::Auto)) => {
            fields.thinking = Some(Switch { r#type: "enabled" });
        }
        // The model decides unless it is told a level.
        (_, Some(Effort::Auto)) => {}
        (ReasoningControl::Thinking, Some(Effort::Off)) => {
            fields.thinking = Some(Switch { r#type: "disabled" });
        }
        (ReasoningControl::Thinking, Some(level)) => {
            fields.thinking = Some(Switch { r#type: "enabled" });
            fields.reasoning_effort = Some(word(level));
        }
        (ReasoningControl::Template, Some(Effort::Off)) => {
            fields.chat_template_kwargs = Some(TemplateArguments {
                enable_thinking: false,
            });
        }
        (_, Some(level)) => fields.reasoning_effort = Some(word(level)),
    }
    if control == ReasoningControl::EffortOrHidden {
        fields.include_reasoning = hide.map(|hide| !hide);
    }
    Ok(fields)
}

/// OpenRouter takes a level or a budget, not both.
fn object(
    reasoning: &Reasoning,
    target: &Target,
    hide: Option<bool>,
    omissions: &mut Omissions,
) -> Result<Thinking> {
    let mut object = ReasoningObject {
        exclude: hide,
        ..ReasoningObject::default()
    };
    match (reasoning.budget_tokens, reasoning.effort) {
        (Some(tokens), effort) if tokens > 0 && effort != Some(Effort::Off) => {
            object.max_tokens = Some(tokens);
        }
        (_, Some(Effort::Auto)) => object.enabled = Some(true),
        (_, Some(effort)) => object.effort = taken(effort, target, omissions)?.map(word),
        (Some(_), None) => object.effort = Some(word(Effort::Off)),
        (None, None) => {}
    }
    let asked = object != ReasoningObject::default();
    Ok(Thinking {
        reasoning: asked.then_some(object),
        ..Thinking::default()
    })
}

/// The level to ask for; `None` where the model has no such setting.
pub(crate) fn taken(
    effort: Effort,
    target: &Target,
    omissions: &mut Omissions,
) -> Result<Option<Effort>> {
    let rules: &ModelRules = &target.rules;
    if effort == Effort::Off && !rules.refuses(Setting::ThinkingOff, true) {
        return Ok(Some(Effort::Off));
    }
    if !rules.refuses(Setting::Effort, true) {
        return Ok(Some(rules.nearest_effort(effort)));
    }
    if effort != Effort::Off {
        let why = format!("left out: {} has no levels of effort", target.model);
        omissions.note("reasoning.effort", why)?;
    }
    Ok(None)
}

/// The level that stands in for a budget; the bounds are those by which budgets stand in for levels
/// elsewhere.
pub(crate) const fn level_for(tokens: u32) -> Effort {
    match tokens {
        0 => Effort::Off,
        1..=1024 => Effort::Low,
        1025..=8192 => Effort::Medium,
        _ => Effort::High,
    }
}

/// A level in OpenAI's word (<https://platform.openai.com/docs/guides/reasoning>).
pub(crate) const fn word(effort: Effort) -> &'static str {
    match effort {
        Effort::Off => "none",
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::High => "high",
        Effort::XHigh => "xhigh",
        Effort::Max => "max",
        _ => "medium",
    }
}
