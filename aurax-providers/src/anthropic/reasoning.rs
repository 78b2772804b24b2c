//! How much to think: levels, budgets and off, as each model takes them.
//!
//! Facts: <https://platform.claude.com/docs/en/build-with-claude/thinking> and
//! <https://platform.claude.com/docs/en/build-with-claude/effort>; which model takes what is in
//! `models/anthropic.json`.

use aurax_core::{Effort, Reasoning, Result, ShowThinking};
use serde::Serialize;

use crate::omissions::Omissions;
use crate::rules::{ModelRules, Setting};

/// The smallest budget the API takes.
pub(super) const LEAST_BUDGET: u32 = 1024;

/// The mode of a client that asks for an effort and says nothing of thinking: effort counts for
/// everything a model writes, and thinking stays as the model has it.
pub(super) const EFFORT_ALONE: &str = "effort_alone";

/// The [`Reasoning::mode`] of a model that thinks between the uses of tools and not before them.
pub(super) const BETWEEN_TOOLS: &str = "between_tools";

/// How to think, on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking {
    Adaptive {
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<Display>,
    },
    Enabled {
        budget_tokens: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<Display>,
    },
    BetweenTools,
    Disabled,
}

/// How much of it to show, on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Display {
    Summarized,
    Omitted,
}

/// What is sent about thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Plan {
    pub(super) thinking: Option<Thinking>,
    pub(super) effort: Option<&'static str>,
    /// Whether the model will think.
    pub(super) thinks: bool,
}

impl Plan {
    /// The budget of tokens, where there is one.
    pub(super) const fn budget(&self) -> Option<u32> {
        match self.thinking {
            Some(Thinking::Enabled { budget_tokens, .. }) => Some(budget_tokens),
            _ => None,
        }
    }

    /// Replaces the budget, where there is one.
    pub(super) const fn set_budget(&mut self, tokens: u32) {
        if let Some(Thinking::Enabled { budget_tokens, .. }) = &mut self.thinking {
            *budget_tokens = tokens;
        }
    }
}

/// Says how the model is to think.
///
/// * Levels go to `effort`, the nearest the model has, with adaptive thinking; models without that
///   get a budget of 1,024 (minimal, low), 8,000 (medium) or 24,000 (high and above).
/// * A budget the model refuses becomes the level it stands for.
/// * The mode `between_tools` goes to models that have it, and to those nothing is known about.
/// * Off is sent only where the model would think otherwise; where it cannot be turned off, the
///   least the model has.
///
/// # Errors
/// `Unsupported` where the request wants nothing changed.
pub(super) fn plan(
    asked: &Reasoning,
    rules: &ModelRules,
    omissions: &mut Omissions,
) -> Result<Plan> {
    let refuses = |setting| rules.refuses(setting, true);
    if let Some(mode) = &asked.mode {
        let unknown = *rules == ModelRules::default();
        if mode == EFFORT_ALONE {
            let effort = asked.effort.filter(|_| !refuses(Setting::Effort));
            return Ok(Plan {
                thinking: None,
                effort: effort.map(|level| fitted(level, None, rules)),
                thinks: rules.thinks_by_default,
            });
        }
        if mode == BETWEEN_TOOLS && (rules.thinks_between_tools || unknown) {
            return Ok(between_tools(asked.effort, rules));
        }
        omissions.note(
            "reasoning.mode",
            format!("{mode} left out: the model has no such mode"),
        )?;
    }
    let off = asked.effort == Some(Effort::Off) || (asked.budget_tokens == Some(0));
    let level = asked.effort.filter(|effort| *effort != Effort::Off);
    let budget = asked.budget_tokens.filter(|tokens| *tokens > 0 && !off);
    if off {
        return turned_off(level, rules, omissions);
    }
    if level.is_none() && budget.is_none() {
        // Models that think by themselves show nothing of it unless asked.
        let show = asked
            .show
            .filter(|_| rules.thinks_by_default && !refuses(Setting::AdaptiveThinking));
        return Ok(Plan {
            thinking: show.map(|show| Thinking::Adaptive {
                display: Some(display(show)),
            }),
            effort: None,
            thinks: rules.thinks_by_default,
        });
    }
    if refuses(Setting::Thinking) {
        omissions.note("reasoning", "left out: the model does not think")?;
        return Ok(Plan::default());
    }

    let adaptive = || Thinking::Adaptive {
        display: asked.show.map(display),
    };
    // Models with budgets show their thoughts unless told not to.
    let enabled = |tokens: u32| Thinking::Enabled {
        budget_tokens: tokens.max(LEAST_BUDGET),
        display: asked.show.map(display).filter(|d| *d == Display::Omitted),
    };
    let (thinking, level) = match (budget, level) {
        (Some(tokens), level) if !refuses(Setting::ThinkingBudget) => {
            if tokens < LEAST_BUDGET {
                omissions.note(
                    "reasoning.budget_tokens",
                    format!("raised to {LEAST_BUDGET}, the least the API takes"),
                )?;
            }
            (Some(enabled(tokens)), level)
        }
        (Some(tokens), level) => {
            let level = level.unwrap_or_else(|| level_of(tokens));
            omissions.note(
                "reasoning.budget_tokens",
                format!(
                    "became an effort of {}: the model takes no budget",
                    fitted(level, None, rules)
                ),
            )?;
            let thinking = (!refuses(Setting::AdaptiveThinking)).then(adaptive);
            (thinking, Some(level))
        }
        (None, Some(level)) if refuses(Setting::AdaptiveThinking) => {
            let takes = !refuses(Setting::ThinkingBudget);
            (takes.then(|| enabled(budget_of(level))), Some(level))
        }
        (None, level) => (Some(adaptive()), level),
    };
    let effort = level
        .filter(|level| *level != Effort::Auto && !refuses(Setting::Effort))
        .map(|level| fitted(level, None, rules));
    Ok(Plan {
        thinking,
        effort,
        thinks: thinking.is_some() || rules.thinks_by_default,
    })
}

fn between_tools(level: Option<Effort>, rules: &ModelRules) -> Plan {
    let level = level.filter(|level| !matches!(level, Effort::Auto | Effort::Off));
    Plan {
        thinking: Some(Thinking::BetweenTools),
        effort: level
            .filter(|_| !rules.refuses(Setting::Effort, true))
            .map(|level| fitted(level, rules.max_effort_without_thinking, rules)),
        thinks: true,
    }
}

fn turned_off(
    level: Option<Effort>,
    rules: &ModelRules,
    omissions: &mut Omissions,
) -> Result<Plan> {
    let refuses = |setting| rules.refuses(setting, true);
    let takes_effort = !refuses(Setting::Effort);
    let thinks_anyway = rules.thinks_by_default && !refuses(Setting::Thinking);
    let (thinking, level) = if !thinks_anyway {
        (None, level)
    } else if !refuses(Setting::ThinkingOff) {
        (Some(Thinking::Disabled), level)
    } else if rules.thinks_between_tools {
        omissions.note(
            "reasoning.effort",
            "off became thinking between tools, the least the model takes",
        )?;
        (Some(Thinking::BetweenTools), level)
    } else {
        omissions.note(
            "reasoning.effort",
            "off became the lowest effort: the model always thinks",
        )?;
        (None, Some(level.unwrap_or(Effort::Low)))
    };
    let limit = rules
        .max_effort_without_thinking
        .filter(|_| thinking.is_some());
    let effort = level
        .filter(|_| takes_effort)
        .map(|level| fitted(level, limit, rules));
    Ok(Plan {
        thinking,
        effort,
        thinks: thinks_anyway && thinking != Some(Thinking::Disabled),
    })
}

/// The word for the nearest level the model takes, at most `limit`.
fn fitted(level: Effort, limit: Option<Effort>, rules: &ModelRules) -> &'static str {
    let nearest = rules.nearest_effort(level);
    let limit = limit.filter(|limit| rank(*limit) < rank(nearest));
    word(limit.unwrap_or(nearest))
}

const fn rank(level: Effort) -> u8 {
    match level {
        Effort::Medium => 2,
        Effort::High => 3,
        Effort::XHigh => 4,
        Effort::Max => 5,
        _ => 1,
    }
}

const fn word(level: Effort) -> &'static str {
    match level {
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::XHigh => "xhigh",
        Effort::Max => "max",
        _ => "low",
    }
}

const fn budget_of(level: Effort) -> u32 {
    match level {
        Effort::Medium => 8000,
        Effort::High | Effort::XHigh | Effort::Max => 24_000,
        _ => LEAST_BUDGET,
    }
}

const fn level_of(budget: u32) -> Effort {
    match budget {
        0..=1024 => Effort::Low,
        1025..=8192 => Effort::Medium,
        _ => Effort::High,
    }
}

const fn display(show: ShowThinking) -> Display {
    match show {
        ShowThinking::Omitted => Display::Omitted,
        _ => Display::Summarized,
    }
}
