//! From a request to the fields that are sent.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aurax_core::{
    CacheTtl, Error, ErrorKind, Json, OutputFormat, Phase, Request, Result, Truncation, Warning,
};

use super::body::{Body, CacheOptions, ResponseFormat, Schema, StreamOptions};
use super::message::Encoder;
use super::quirks::{JsonOutput, Limit, Metadata, Quirks, Seed, User};
use super::reasoning;
use super::setting;
use super::tool;
use crate::check;
use crate::extra;
use crate::omissions::Omissions;
use crate::rules::Setting;
use crate::wire::Target;

/// Fields [`Request::extra`] may not replace: the engine answers for them.
const RESERVED: [&str; 3] = ["model", "messages", "stream"];

/// Encodes a request, and says what was changed or left out.
pub(super) fn encode(
    request: &Request,
    target: &Target,
    quirks: &Quirks,
    wire: &str,
) -> Result<(Vec<u8>, Vec<Warning>)> {
    let mut omissions = Omissions::new(request.on_unsupported);
    let target = setting::informed(target);
    let body = Settings {
        request,
        target: &target,
        quirks,
        omissions: &mut omissions,
    }
    .body()?;
    let bytes = extra::text(&body, &request.extra, wire, &RESERVED, &mut omissions)?;
    Ok((bytes, omissions.into_warnings()))
}

struct Settings<'a, 'o> {
    request: &'a Request,
    target: &'a Target,
    quirks: &'a Quirks,
    omissions: &'o mut Omissions,
}

impl<'a> Settings<'a, '_> {
    fn body(mut self) -> Result<Body<'a>> {
        let request = self.request;
        self.check()?;
        self.unknown_here()?;
        let messages =
            Encoder::new(self.target, self.quirks, self.omissions).messages(&request.messages)?;
        let thinks = setting::thinks(request, self.target);
        let thinking =
            reasoning::encode(&request.reasoning, self.target, self.quirks, self.omissions)?;
        let (tools, tool_choice) =
            tool::encode(request, self.target, self.quirks, thinks, self.omissions)?;
        let parallel_tool_calls = self.takes(
            request.parallel_tool_calls.filter(|_| !tools.is_empty()),
            Setting::ParallelToolCalls,
            "parallel_tool_calls",
            thinks,
        )?;
        let sampling = &request.sampling;
        let limit = self.limit();
        let logprobs = self.takes(request.logprobs, Setting::Logprobs, "logprobs", thinks)?;
        let stop = self.takes(
            Some(request.stop.as_slice()).filter(|stop| !stop.is_empty()),
            Setting::Stop,
            "stop",
            thinks,
        )?;
        let seed = |name| sampling.seed.filter(|_| self.quirks.names.seed == name);
        let user = |name| {
            let user = request.user.as_deref();
            user.filter(|_| self.quirks.names.user == name)
        };
        let max_tokens = |name| request.max_output_tokens.filter(|_| limit == name);
        Ok(Body {
            model: self.target.model.as_str(),
            messages,
            tools,
            tool_choice,
            parallel_tool_calls,
            max_completion_tokens: max_tokens(Limit::MaxCompletionTokens),
            max_tokens: max_tokens(Limit::MaxTokens),
            seed: seed(Seed::Seed),
            random_seed: seed(Seed::RandomSeed),
            safety_identifier: user(User::SafetyIdentifier),
            user: user(User::User),
            response_format: self.response_format()?,
            temperature: self.takes(
                sampling.temperature,
                Setting::Temperature,
                "sampling.temperature",
                thinks,
            )?,
            top_p: self.takes(sampling.top_p, Setting::TopP, "sampling.top_p", thinks)?,
            top_k: self.top_k()?,
            min_p: self.min_p()?,
            frequency_penalty: self.takes(
                sampling.frequency_penalty,
                Setting::Penalties,
                "sampling.frequency_penalty",
                thinks,
            )?,
            presence_penalty: self.takes(
                sampling.presence_penalty,
                Setting::Penalties,
                "sampling.presence_penalty",
                thinks,
            )?,
            stop: stop.unwrap_or_default(),
            n: request.n,
            logprobs: logprobs.map(|_| true),
            top_logprobs: logprobs.filter(|alternatives| *alternatives > 0),
            thinking,
            prompt_cache_key: request
                .cache_key
                .as_deref()
                .filter(|_| self.quirks.takes.cache_key),
            prompt_cache_options: self.cache_options(),
            prompt_cache_retention: self.cache_retention(),
            service_tier: request.service_tier.as_deref(),
            store: request.store,
            metadata: self.metadata()?,
            stream: request.stream.then_some(true),
            stream_options: (request.stream && self.quirks.takes.stream_usage).then_some(
                StreamOptions {
                    include_usage: true,
                },
            ),
        })
    }

    /// What no model can answer, what this one is known not to do, and what the wire cannot say.
    fn check(&mut self) -> Result<()> {
        let request = self.request;
        check::features(request, self.target)?;
        check::tool_names(request, 128)?;
        check::failures(request, self.omissions)?;
        check::proofs(request, self.omissions, |_| false)?;
        let wrong = |field, message: String| {
            Err(Error::new(ErrorKind::InvalidRequest, message)
                .with_context("part", field)
                .with_phase(Phase::Encode))
        };
        if request.logprobs.is_some_and(|n| n > 20) {
            return wrong("logprobs", "a token has 20 alternatives at most".into());
        }
        match self.quirks.takes.stops {
            Some(most) if request.stop.len() > usize::from(most) => wrong(
                "stop",
                format!("{} takes {most} stop texts at most", self.target.provider),
            ),
            _ => Ok(()),
        }
    }

    /// A setting, unless the model refuses it.
    fn takes<T>(
        &mut self,
        value: Option<T>,
        setting: Setting,
        subject: &str,
        thinks: bool,
    ) -> Result<Option<T>> {
        setting::takes(value, setting, subject, self.target, thinks, self.omissions)
    }

    fn limit(&self) -> Limit {
        match self.target.rules.max_completion_tokens {
            Some(true) => Limit::MaxCompletionTokens,
            Some(false) => Limit::MaxTokens,
            None => self.quirks.names.limit,
        }
    }

    fn top_k(&mut self) -> Result<Option<u32>> {
        let top_k = self.request.sampling.top_k;
        if top_k.is_some() && !self.quirks.takes.top_k {
            let why = format!("left out: {} has no such setting", self.target.provider);
            self.omissions.note("sampling.top_k", why)?;
            return Ok(None);
        }
        self.takes(top_k, Setting::TopK, "sampling.top_k", false)
    }

    fn min_p(&mut self) -> Result<Option<f64>> {
        let min_p = self.request.sampling.min_p;
        if min_p.is_some() && !self.quirks.takes.min_p {
            let why = format!("left out: {} has no such setting", self.target.provider);
            self.omissions.note("sampling.min_p", why)?;
            return Ok(None);
        }
        Ok(min_p)
    }

    /// Settings this wire does not know at all.
    fn unknown_here(&mut self) -> Result<()> {
        let request = self.request;
        for (is_set, name) in [
            (request.speed.is_some(), "speed"),
            (request.truncation == Some(Truncation::Auto), "truncation"),
            (request.context_window.is_some(), "context_window"),
            (request.reasoning.mode.is_some(), "reasoning.mode"),
            (request.reasoning.context.is_some(), "reasoning.context"),
        ] {
            if is_set {
                let why = "left out: chat completions have no such setting";
                self.omissions.note(name, why)?;
            }
        }
        Ok(())
    }

    fn response_format(&mut self) -> Result<Option<ResponseFormat<'a>>> {
        let object = ResponseFormat::Object {
            r#type: "json_object",
        };
        let schema = |name, schema, strict| ResponseFormat::Schema {
            r#type: "json_schema",
            json_schema: Schema {
                name,
                schema,
                strict,
            },
        };
        Ok(match (&self.request.output, self.quirks.json) {
            (OutputFormat::JsonObject, JsonOutput::Schema) => {
                let any = Json::from(serde_json::json!({"type": "object"}));
                Some(schema("object", Cow::Owned(any), None))
            }
            (OutputFormat::JsonObject, _) => Some(object),
            (OutputFormat::JsonSchema { .. }, JsonOutput::Object) => {
                let why = format!(
                    "the schema was left out: {} has JSON mode only",
                    self.target.provider
                );
                self.omissions.note("output", why)?;
                Some(object)
            }
            (
                OutputFormat::JsonSchema {
                    name,
                    schema: wanted,
                    strict,
                },
                _,
            ) => Some(schema(name, Cow::Borrowed(wanted), *strict)),
            _ => None,
        })
    }

    /// Half an hour is the one time GPT-5.6 and later take.
    fn cache_options(&self) -> Option<CacheOptions> {
        if !self.target.rules.cache_breakpoints {
            return None;
        }
        let ttl = self.request.cache.and_then(|hint| hint.ttl);
        let options = CacheOptions {
            mode: self.request.cache_mode,
            ttl: ttl
                .filter(|ttl| *ttl == CacheTtl::HalfHour)
                .map(CacheTtl::as_str),
        };
        (options.mode.is_some() || options.ttl.is_some()).then_some(options)
    }

    /// A day, or only in memory, which newer models refuse; caches keep other times as they see
    /// fit.
    fn cache_retention(&self) -> Option<&'static str> {
        if !self.quirks.takes.cache_retention {
            return None;
        }
        match self.request.cache?.ttl? {
            CacheTtl::Day => Some("24h"),
            CacheTtl::FiveMinutes if !self.target.rules.refuses(Setting::ShortCache, false) => {
                Some("in_memory")
            }
            _ => None,
        }
    }

    fn metadata(&mut self) -> Result<Option<&'a BTreeMap<String, String>>> {
        let metadata = &self.request.metadata;
        if metadata.is_empty() {
            return Ok(None);
        }
        let stored = self.request.store == Some(true);
        let why = match self.quirks.takes.metadata {
            Metadata::Always => return Ok(Some(metadata)),
            Metadata::WithStore if stored => return Ok(Some(metadata)),
            Metadata::WithStore => {
                "left out: labels are kept only with stored completions; to store this one, set \
                 `store`"
            }
            Metadata::Never => "left out: the provider keeps no labels",
        };
        self.omissions.note("metadata", why)?;
        Ok(None)
    }
}
