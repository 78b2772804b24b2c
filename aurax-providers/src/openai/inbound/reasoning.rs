//! How much to think, in every form vendors of this wire give it.

use aurax_core::{Effort, Reasoning, Result, ShowThinking};

use crate::inbound::fields::{Field, Fields};

/// Reads `reasoning_effort`; OpenRouter's `reasoning`; DeepSeek's `thinking`; Groq's
/// `include_reasoning`; and the one use of `chat_template_kwargs` that is about thinking.
pub(super) fn read(fields: &mut Fields<'_>, reasoning: &mut Reasoning) -> Result<()> {
    if let Some(field) = fields.take("thinking") {
        let mut thinking = field.object()?;
        let kind = thinking.require("type")?;
        reasoning.budget_tokens = thinking.count("budget_tokens")?;
        reasoning.effort = match kind.string()?.as_str() {
            "disabled" => Some(Effort::Off),
            "enabled" if reasoning.budget_tokens.is_some() => None,
            "enabled" | "auto" | "adaptive" => Some(Effort::Auto),
            _ => return Err(kind.invalid("expected enabled or disabled")),
        };
        if !thinking.is_spent() {
            fields.put_back("thinking", &field);
        }
    }
    if let Some(object) = fields.take("reasoning")
        && !self::object(&object, reasoning)?
    {
        fields.put_back("reasoning", &object);
    }
    if let Some(effort) = fields.take("reasoning_effort") {
        let level = level(&effort)?;
        // Thinking that is switched off stays off.
        if reasoning.effort != Some(Effort::Off) {
            reasoning.effort = Some(level);
        }
    }
    if let Some(shown) = fields.flag("include_reasoning")? {
        reasoning.show = Some(show(shown));
    }
    if let Some(arguments) = fields.take("chat_template_kwargs") {
        let off: Option<Switch> = serde_json::from_str(arguments.text()).ok();
        match off {
            Some(Switch {
                enable_thinking: false,
            }) => reasoning.effort = Some(Effort::Off),
            _ => fields.put_back("chat_template_kwargs", &arguments),
        }
    }
    Ok(())
}

/// Template arguments that say nothing else.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    enable_thinking: bool,
}

/// <https://openrouter.ai/docs/use-cases/reasoning-tokens>
///
/// False where something of it has no place.
fn object(field: &Field<'_>, reasoning: &mut Reasoning) -> Result<bool> {
    let mut object = field.object()?;
    if let Some(effort) = object.take("effort") {
        reasoning.effort = Some(level(&effort)?);
    }
    if let Some(tokens) = object.count("max_tokens")? {
        reasoning.budget_tokens = Some(tokens);
    }
    match object.flag("enabled")? {
        Some(false) => reasoning.effort = Some(Effort::Off),
        Some(true) if reasoning.effort.is_none() && reasoning.budget_tokens.is_none() => {
            reasoning.effort = Some(Effort::Auto);
        }
        _ => {}
    }
    if let Some(hidden) = object.flag("exclude")? {
        reasoning.show = Some(show(!hidden));
    }
    if let Some(summary) = object.take("summary") {
        reasoning.show = Some(match summary.string()?.as_str() {
            "concise" => ShowThinking::Concise,
            "detailed" => ShowThinking::Detailed,
            _ => ShowThinking::Auto,
        });
    }
    Ok(object.is_spent())
}

const fn show(shown: bool) -> ShowThinking {
    if shown {
        ShowThinking::Auto
    } else {
        ShowThinking::Omitted
    }
}

fn level(field: &Field<'_>) -> Result<Effort> {
    Ok(match field.string()?.as_str() {
        "none" | "off" => Effort::Off,
        // Groq: what the model does unless told otherwise.
        "default" | "auto" => Effort::Auto,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => {
            return Err(field.invalid("expected none, minimal, low, medium, high, xhigh or max"));
        }
    })
}
