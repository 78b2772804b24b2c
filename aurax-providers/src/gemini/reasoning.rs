//! How much to think: levels for Gemini 3 and later, budgets for 2.5.
//!
//! Facts: <https://ai.google.dev/gemini-api/docs/thinking>; which model takes what is in
//! `models/gemini.json`.

use aurax_core::{Effort, Reasoning, Result, ShowThinking};
use serde::Serialize;

use crate::omissions::Omissions;
use crate::rules::{ModelRules, Setting};

/// A budget of which the model decides how much of it to use.
const AS_IT_LIKES: i64 = -1;

/// The least budget of a model that cannot be told not to think: Gemini 2.5 Pro's.
const LEAST_BUDGET: i64 = 128;

/// How to think, on the wire; never both a level and a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ThinkingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<i64>,
}

/// Says how the model is to think.
///
/// * A level becomes the nearest the model has; a model without levels gets a budget of 512
///   (minimal), 1,024 (low), 8,192 (medium) or 24,576 (high and above).
/// * A budget the model refuses becomes the level it stands for.
/// * As much as it likes is a budget of −1, and nothing at all for a model with levels.
/// * Off is a budget of 0; where thinking cannot be turned off, the least the model has.
///
/// # Errors
/// `Unsupported` where the request wants nothing changed.
pub(super) fn thinking(
    asked: &Reasoning,
    rules: &ModelRules,
    omissions: &mut Omissions,
) -> Result<Option<ThinkingConfig>> {
    for (is_set, name) in [
        (asked.mode.is_some(), "reasoning.mode"),
        (asked.context.is_some(), "reasoning.context"),
    ] {
        if is_set {
            omissions.note(name, "left out: the API has no such setting")?;
        }
    }
    let is_off = asked.effort == Some(Effort::Off) || asked.budget_tokens == Some(0);
    let is_asked = asked.effort.is_some() || asked.budget_tokens.is_some() || asked.show.is_some();
    if !is_asked {
        return Ok(None);
    }
    if rules.refuses(Setting::Thinking, true) {
        if !is_off && (asked.effort.is_some() || asked.budget_tokens.is_some()) {
            omissions.note("reasoning", "left out: the model does not think")?;
        }
        return Ok(None);
    }
    let mut config = ThinkingConfig {
        include_thoughts: asked.show.map(|show| show != ShowThinking::Omitted),
        ..ThinkingConfig::default()
    };
    if is_off {
        off(&mut config, rules, omissions)?;
    } else {
        on(&mut config, asked, rules, omissions)?;
    }
    Ok((config != ThinkingConfig::default()).then_some(config))
}

fn off(config: &mut ThinkingConfig, rules: &ModelRules, omissions: &mut Omissions) -> Result<()> {
    if !rules.refuses(Setting::ThinkingOff, true) {
        config.thinking_budget = Some(0);
        return Ok(());
    }
    let least = if rules.refuses(Setting::Effort, true) {
        config.thinking_budget = Some(LEAST_BUDGET);
        format!("a budget of {LEAST_BUDGET}")
    } else {
        let level = word(rules.nearest_effort(Effort::Minimal));
        config.thinking_level = Some(level);
        format!("a level of {level}")
    };
    omissions.note(
        "reasoning.effort",
        format!("off became {least}: the model always thinks"),
    )
}

fn on(
    config: &mut ThinkingConfig,
    asked: &Reasoning,
    rules: &ModelRules,
    omissions: &mut Omissions,
) -> Result<()> {
    let takes_budget = !rules.refuses(Setting::ThinkingBudget, true);
    let takes_level = !rules.refuses(Setting::Effort, true);
    match (asked.effort, asked.budget_tokens) {
        // A budget says more than a level, and only one of the two is taken.
        (_, Some(tokens)) if takes_budget => config.thinking_budget = Some(i64::from(tokens)),
        (Some(Effort::Auto), None) => {
            config.thinking_budget = (!takes_level).then_some(AS_IT_LIKES);
        }
        (Some(level), None) if takes_level => {
            config.thinking_level = Some(word(rules.nearest_effort(level)));
        }
        (Some(level), None) if takes_budget => {
            config.thinking_budget = Some(budget_of(level));
        }
        (level, Some(tokens)) if takes_level => {
            let level = level.filter(|level| *level != Effort::Auto);
            let level = word(rules.nearest_effort(level.unwrap_or_else(|| level_of(tokens))));
            config.thinking_level = Some(level);
            omissions.note(
                "reasoning.budget_tokens",
                format!("became a level of {level}: the model takes no budget"),
            )?;
        }
        _ => {}
    }
    Ok(())
}

/// A level, as the API names it; it has none above `XHIGH`.
const fn word(level: Effort) -> &'static str {
    match level {
        Effort::Low => "LOW",
        Effort::Medium => "MEDIUM",
        Effort::High => "HIGH",
        Effort::XHigh | Effort::Max => "XHIGH",
        _ => "MINIMAL",
    }
}

const fn budget_of(level: Effort) -> i64 {
    match level {
        Effort::Minimal => 512,
        Effort::Medium => 8192,
        Effort::High | Effort::XHigh | Effort::Max => 24_576,
        _ => 1024,
    }
}

const fn level_of(budget: u32) -> Effort {
    match budget {
        0..=1024 => Effort::Low,
        1025..=8192 => Effort::Medium,
        _ => Effort::High,
    }
}
