//! What models take and refuse, as data.
//!
//! Rules say what a provider answers with an error, not what a model is good at; features such as
//! tools and vision are in the price book. A model without a rule takes everything its wire has.

use std::sync::Arc;

use aurax_core::{Effort, Error, ErrorKind, ModelId, ModelInfo, Result};
use serde::Deserialize;

/// A setting some models refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Setting {
    /// `sampling.temperature`.
    Temperature,
    /// `sampling.top_p`.
    TopP,
    /// `sampling.top_k`.
    TopK,
    /// `temperature` together with `top_p`.
    TemperatureWithTopP,
    /// `sampling.frequency_penalty` and `sampling.presence_penalty`.
    Penalties,
    /// `stop`.
    Stop,
    /// `logprobs`.
    Logprobs,
    /// `parallel_tool_calls`.
    ParallelToolCalls,
    /// A tool choice that forces the use of a tool.
    ForcedToolChoice,
    /// A budget of thinking tokens.
    ThinkingBudget,
    /// Levels of effort.
    Effort,
    /// Thinking turned off.
    ThinkingOff,
    /// Thinking of which the model decides how much.
    AdaptiveThinking,
    /// Thinking of any kind.
    Thinking,
    /// A conversation that ends with the model's own turn.
    Prefill,
    /// A prompt cache that is kept for minutes only.
    ShortCache,
}

/// The settings providers' own lists of models tell of, by their names in
/// [`ModelInfo::settings`].
const LISTED: [(&str, Setting); 5] = [
    ("effort", Setting::Effort),
    ("thinking", Setting::Thinking),
    ("thinking_budget", Setting::ThinkingBudget),
    ("thinking_off", Setting::ThinkingOff),
    ("adaptive_thinking", Setting::AdaptiveThinking),
];

/// The same for levels of effort.
const LISTED_EFFORTS: [(&str, Effort); 5] = [
    ("effort_low", Effort::Low),
    ("effort_medium", Effort::Medium),
    ("effort_high", Effort::High),
    ("effort_xhigh", Effort::XHigh),
    ("effort_max", Effort::Max),
];

/// What one model takes and refuses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ModelRules {
    /// Settings the provider answers with an error.
    pub refuses: Vec<Setting>,
    /// Settings it takes after all when thinking is off.
    pub takes_without_thinking: Vec<Setting>,
    /// The levels of effort it takes; empty: not known, so all are sent.
    pub efforts: Vec<Effort>,
    /// The model thinks unless told not to.
    pub thinks_by_default: bool,
    /// The model can be told to think between the uses of tools and not before them.
    pub thinks_between_tools: bool,
    /// The highest level of effort it takes with thinking off; `None`: all of them.
    pub max_effort_without_thinking: Option<Effort>,
    /// Instructions go under the role `developer`.
    pub developer_role: bool,
    /// Parts of the prompt may carry marks of the wire's own for what to cache.
    pub cache_breakpoints: bool,
    /// The first tool call of a step must come back with the proof it had; a call of another
    /// model's needs a stand-in.
    pub signs_calls: bool,
    /// Each search of the web is billed, not the call that searched.
    pub bills_each_search: bool,
    /// The output limit is called `max_completion_tokens`.
    pub max_completion_tokens: Option<bool>,
    /// The most output tokens, where the provider insists on a limit.
    pub max_output_tokens: Option<u32>,
}

impl ModelRules {
    /// True when the provider answers `setting` with an error; `thinking` says whether the model
    /// is to think.
    pub fn refuses(&self, setting: Setting, thinking: bool) -> bool {
        self.refuses.contains(&setting)
            && (thinking || !self.takes_without_thinking.contains(&setting))
    }

    /// These rules with what the provider's own list says of the model in their place: the list is
    /// newer than any table.
    #[must_use]
    pub fn informed_by(mut self, info: &ModelInfo) -> Self {
        for (name, level) in LISTED_EFFORTS {
            match info.settings.get(name) {
                Some(true) if !self.efforts.contains(&level) => self.efforts.push(level),
                Some(false) => self.efforts.retain(|known| *known != level),
                _ => {}
            }
        }
        for (name, setting) in LISTED {
            match info.settings.get(name) {
                Some(true) => self.refuses.retain(|refused| *refused != setting),
                Some(false) if !self.refuses.contains(&setting) => self.refuses.push(setting),
                _ => {}
            }
        }
        if let Some(takes) = info.settings.get("thinking_between_tools") {
            self.thinks_between_tools = *takes;
        }
        if let Some(most) = info.max_output_tokens.and_then(|n| u32::try_from(n).ok()) {
            self.max_output_tokens = Some(most);
        }
        self
    }

    /// The nearest level of effort the model takes: the highest that is not above `effort`, else
    /// its lowest; thinking is turned off only where `effort` asks for it.
    pub fn nearest_effort(&self, effort: Effort) -> Effort {
        let (Some(wanted), false) = (rank(effort), self.efforts.is_empty()) else {
            return effort;
        };
        let mut levels: Vec<(u8, Effort)> = self
            .efforts
            .iter()
            .filter_map(|level| Some((rank(*level)?, *level)))
            .collect();
        levels.sort_by_key(|(rank, _)| *rank);
        if wanted > 0 && levels.iter().any(|(rank, _)| *rank > 0) {
            levels.retain(|(rank, _)| *rank > 0);
        }
        levels
            .iter()
            .rev()
            .find(|(rank, _)| *rank <= wanted)
            .or_else(|| levels.first())
            .map_or(effort, |(_, level)| *level)
    }
}

const fn rank(effort: Effort) -> Option<u8> {
    Some(match effort {
        Effort::Off => 0,
        Effort::Minimal => 1,
        Effort::Low => 2,
        Effort::Medium => 3,
        Effort::High => 4,
        Effort::XHigh => 5,
        Effort::Max => 6,
        _ => return None,
    })
}

/// Rules for the models of one provider: a JSON list, the first match wins.
#[derive(Debug, Clone, Default)]
pub struct RuleBook(Arc<[Rule]>);

#[derive(Debug, Deserialize)]
struct Rule {
    #[serde(rename = "match")]
    patterns: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    #[serde(rename = "source")]
    _source: String,
    rules: ModelRules,
}

impl RuleBook {
    /// Reads rules from JSON.
    ///
    /// # Errors
    /// `Config` when the JSON is not a list of rules.
    pub fn parse(json: &str) -> Result<Self> {
        let rules: Vec<Rule> = serde_json::from_str(json).map_err(|e| {
            Error::new(ErrorKind::Config, "model rules cannot be read").with_source(e)
        })?;
        Ok(Self(rules.into()))
    }

    /// The rules for a model; a model without any takes everything.
    pub fn of(&self, model: &ModelId) -> ModelRules {
        let name = model.as_str().to_ascii_lowercase();
        let fits = |patterns: &[String]| patterns.iter().any(|pattern| glob(pattern, &name));
        self.0
            .iter()
            .find(|rule| fits(&rule.patterns) && !fits(&rule.except))
            .map(|rule| rule.rules.clone())
            .unwrap_or_default()
    }
}

/// `*` stands for any text.
fn glob(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.find(piece) {
            Some(at) => {
                rest = rest
                    .get(at.saturating_add(piece.len())..)
                    .unwrap_or_default()
            }
            None => return false,
        }
    }
    true
}
