//! From a request to the fields that are sent.

use std::collections::BTreeMap;

use aurax_core::{
    CacheTtl, Effort, Error, ErrorKind, OutputFormat, Phase, Request, Result, ShowThinking,
    Truncation, Warning,
};

use super::NAME;
use super::body::{Body, CacheOptions, Format, Reasoning, Text};
use super::input::Encoder;
use super::quirks::Quirks;
use super::tool;
use crate::check;
use crate::extra;
use crate::omissions::Omissions;
use crate::openai::reasoning::{level_for, taken, word};
use crate::openai::setting;
use crate::refusals::unsupported;
use crate::rules::Setting;
use crate::wire::Target;

/// Fields [`Request::extra`] may not replace: the engine answers for them.
const RESERVED: [&str; 3] = ["model", "input", "stream"];

pub(super) const ENCRYPTED: &str = "reasoning.encrypted_content";
pub(super) const LOGPROBS: &str = "message.output_text.logprobs";

/// Encodes a request, and says what was changed or left out.
pub(super) fn encode(
    request: &Request,
    target: &Target,
    quirks: &Quirks,
) -> Result<(Vec<u8>, Vec<Warning>)> {
    let mut omissions = Omissions::new(request.on_unsupported);
    let target = setting::informed(target);
    let body = Settings {
        request,
        target: &target,
        quirks,
        omissions: &mut omissions,
        thinks: setting::thinks(request, &target),
    }
    .body()?;
    let bytes = extra::text(&body, &request.extra, NAME, &RESERVED, &mut omissions)?;
    Ok((bytes, omissions.into_warnings()))
}

struct Settings<'a, 'o> {
    request: &'a Request,
    target: &'a Target,
    quirks: &'a Quirks,
    omissions: &'o mut Omissions,
    thinks: bool,
}

impl<'a> Settings<'a, '_> {
    fn body(mut self) -> Result<Body<'a>> {
        let request = self.request;
        self.check()?;
        self.absent()?;
        let (instructions, input) =
            Encoder::new(self.target, self.omissions).encode(&request.messages)?;
        let (tools, tool_choice) = tool::encode(request, self.target, self.thinks, self.omissions)?;
        let parallel = request.parallel_tool_calls.filter(|_| !tools.is_empty());
        let logprobs = self.takes(request.logprobs, Setting::Logprobs, "logprobs")?;
        let user = |is_named: bool| request.user.as_deref().filter(|_| is_named);
        Ok(Body {
            model: self.target.model.as_str(),
            instructions,
            input,
            tools,
            tool_choice,
            parallel_tool_calls: self.takes(
                parallel,
                Setting::ParallelToolCalls,
                "parallel_tool_calls",
            )?,
            text: self.format(),
            max_output_tokens: self.limit()?,
            temperature: self.takes(
                request.sampling.temperature,
                Setting::Temperature,
                "sampling.temperature",
            )?,
            top_p: self.takes(request.sampling.top_p, Setting::TopP, "sampling.top_p")?,
            logprobs: logprobs.filter(|_| self.quirks.logprobs_flag).map(|_| true),
            top_logprobs: logprobs.filter(|alternatives| *alternatives > 0),
            reasoning: self.reasoning()?,
            truncation: self.truncation()?,
            prompt_cache_key: request
                .cache_key
                .as_deref()
                .filter(|_| self.quirks.cache_key),
            prompt_cache_options: self.cache_options(),
            service_tier: request.service_tier.as_deref(),
            safety_identifier: user(self.quirks.safety_identifier),
            user: user(!self.quirks.safety_identifier),
            metadata: self.metadata()?,
            store: self.store(),
            include: self.include(logprobs.is_some()),
            stream: request.stream.then_some(true),
        })
    }

    /// What no model can answer, what this one is known not to do, and what the wire cannot say.
    fn check(&mut self) -> Result<()> {
        let request = self.request;
        check::features(request, self.target)?;
        check::tool_names(request, 128)?;
        check::failures(request, self.omissions)?;
        check::proofs(request, self.omissions, |_| false)?;
        check::native_fields(request, self.omissions)?;
        if request.n.is_some_and(|n| n > 1) {
            return Err(unsupported("n", "this wire gives one answer a call"));
        }
        if request.logprobs.is_some_and(|n| n > 20) {
            let message = "a token has 20 alternatives at most";
            return Err(Error::new(ErrorKind::InvalidRequest, message)
                .with_context("part", "logprobs")
                .with_phase(Phase::Encode));
        }
        Ok(())
    }

    /// Settings the wire has no field for.
    fn absent(&mut self) -> Result<()> {
        let sampling = &self.request.sampling;
        for (is_set, subject) in [
            (!self.request.stop.is_empty(), "stop"),
            (sampling.top_k.is_some(), "sampling.top_k"),
            (sampling.min_p.is_some(), "sampling.min_p"),
            (sampling.seed.is_some(), "sampling.seed"),
            (
                sampling.frequency_penalty.is_some(),
                "sampling.frequency_penalty",
            ),
            (
                sampling.presence_penalty.is_some(),
                "sampling.presence_penalty",
            ),
        ] {
            if is_set {
                self.omissions
                    .note(subject, "left out: this wire has no such setting")?;
            }
        }
        Ok(())
    }

    /// A setting, unless the model refuses it.
    fn takes<T>(&mut self, value: Option<T>, setting: Setting, subject: &str) -> Result<Option<T>> {
        setting::takes(
            value,
            setting,
            subject,
            self.target,
            self.thinks,
            self.omissions,
        )
    }

    fn format(&self) -> Option<Text<'a>> {
        let format = match &self.request.output {
            OutputFormat::JsonObject => Format::Object {
                r#type: "json_object",
            },
            OutputFormat::JsonSchema {
                name,
                schema,
                strict,
            } => Format::Schema {
                r#type: "json_schema",
                name,
                schema,
                strict: *strict,
            },
            _ => return None,
        };
        Some(Text { format })
    }

    fn limit(&mut self) -> Result<Option<u32>> {
        let limit = self.request.max_output_tokens;
        if limit.is_some() && !self.quirks.output_limit {
            let why = "left out: the provider takes no limit on output";
            self.omissions.note("max_output_tokens", why)?;
            return Ok(None);
        }
        Ok(limit)
    }

    fn reasoning(&mut self) -> Result<Option<Reasoning<'a>>> {
        let wanted = &self.request.reasoning;
        let effort = match (wanted.effort, wanted.budget_tokens) {
            (Some(effort), budget) => {
                if budget.is_some() {
                    let why = "left out: the provider takes a level and no budget";
                    self.omissions.note("reasoning.budget_tokens", why)?;
                }
                Some(effort)
            }
            (None, Some(tokens)) => {
                let effort = level_for(tokens);
                let word = word(effort);
                let why = format!("became the level `{word}`: the provider takes no budget");
                self.omissions.note("reasoning.budget_tokens", why)?;
                Some(effort)
            }
            (None, None) => None,
        };
        // The model decides unless it is told a level.
        let effort = match effort.filter(|effort| *effort != Effort::Auto) {
            Some(effort) => taken(effort, self.target, self.omissions)?,
            None => None,
        };
        let reasoning = Reasoning {
            effort: effort.map(word),
            summary: match wanted.show {
                Some(ShowThinking::Auto) => Some("auto"),
                Some(ShowThinking::Concise) => Some("concise"),
                Some(ShowThinking::Detailed) => Some("detailed"),
                _ => None,
            },
            mode: wanted.mode.as_deref(),
            context: wanted.context.as_deref(),
        };
        Ok(Some(reasoning).filter(|reasoning| *reasoning != Reasoning::default()))
    }

    fn truncation(&mut self) -> Result<Option<&'static str>> {
        let word = match self.request.truncation {
            Some(Truncation::Auto) => "auto",
            Some(Truncation::Disabled) => "disabled",
            _ => return Ok(None),
        };
        if !self.quirks.truncation {
            let why = "left out: the provider has no such setting";
            self.omissions.note("truncation", why)?;
            return Ok(None);
        }
        Ok(Some(word))
    }

    /// Half an hour and half a day are the times GPT-5.6 and later take; everywhere else, and for
    /// other times, caches keep what they keep.
    fn cache_options(&self) -> Option<CacheOptions> {
        let ttl = self.request.cache?.ttl?;
        let is_taken = matches!(ttl, CacheTtl::HalfHour | CacheTtl::HalfDay);
        (self.target.rules.cache_breakpoints && is_taken)
            .then_some(CacheOptions { ttl: ttl.as_str() })
    }

    fn metadata(&mut self) -> Result<Option<&'a BTreeMap<String, String>>> {
        let metadata = &self.request.metadata;
        if metadata.is_empty() {
            return Ok(None);
        }
        if !self.quirks.metadata {
            let why = "left out: the provider keeps no labels";
            self.omissions.note("metadata", why)?;
            return Ok(None);
        }
        Ok(Some(metadata))
    }

    /// The provider keeps answers unless it is told not to.
    fn store(&self) -> Option<bool> {
        let unless_told = self.quirks.encrypted_reasoning.then_some(false);
        self.request.store.or(unless_told)
    }

    /// Thoughts can go back only if they are handed out: what is stored may be gone by then, and
    /// another provider of the wire never had it.
    fn include(&self, logprobs: bool) -> Vec<&'static str> {
        let encrypted = self.quirks.encrypted_reasoning;
        let logprobs = logprobs && !self.quirks.logprobs_flag;
        [(encrypted, ENCRYPTED), (logprobs, LOGPROBS)]
            .into_iter()
            .filter_map(|(wanted, name)| wanted.then_some(name))
            .collect()
    }
}
