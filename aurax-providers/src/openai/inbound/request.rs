//! The settings of a client's request.

use aurax_core::{
    CacheHint, CacheTtl, Call, Extra, Json, ModelId, OutputFormat, PromptCacheMode, Request, Result,
};
use serde_json::Value;

use super::super::NAME;
use super::{messages, reasoning, tools};
use crate::Seal;
use crate::inbound::fields::{self, Field, Fields, Places};
use crate::inbound::{Incoming, Wishes};

pub(super) fn read(body: &[u8], seal: &Seal) -> Result<Incoming> {
    let mut fields = fields::body(body, Places::Brackets)?;
    let model = model(&mut fields)?;
    let mut wishes = Wishes::default();
    let mut request = Request::new(messages::read(&fields.require("messages")?, seal)?);
    tools::read(&mut fields, &mut request, &mut wishes)?;
    reasoning::read(&mut fields, &mut request.reasoning)?;
    sampling(&mut fields, &mut request)?;
    output(&mut fields, &mut request)?;
    cache(&mut fields, &mut request)?;
    account(&mut fields, &mut request)?;
    delivery(&mut fields, &mut request, &mut wishes)?;
    let mut rest = fields.rest()?;
    // They stand in the place of the engine's own, which asks for the usage.
    if let Some(Value::Object(options)) = rest.get_mut("stream_options") {
        options.insert("include_usage".to_owned(), true.into());
    }
    request.extra = Extra::new(Some(NAME.to_owned()), rest);
    let mut incoming = Incoming::new(Call::chat(model, request));
    incoming.wishes = wishes;
    Ok(incoming)
}

pub(super) fn model(fields: &mut Fields<'_>) -> Result<ModelId> {
    let name = fields.require("model")?;
    ModelId::parse(&name.string()?).map_err(|e| name.invalid(e.message()))
}

fn sampling(fields: &mut Fields<'_>, request: &mut Request) -> Result<()> {
    let limit = fields.count("max_tokens")?;
    request.max_output_tokens = fields.count("max_completion_tokens")?.or(limit);
    let sampling = &mut request.sampling;
    sampling.temperature = fields.number("temperature")?;
    sampling.top_p = fields.number("top_p")?;
    sampling.top_k = fields.count("top_k")?;
    sampling.min_p = fields.number("min_p")?;
    sampling.frequency_penalty = fields.number("frequency_penalty")?;
    sampling.presence_penalty = fields.number("presence_penalty")?;
    // Mistral's name.
    let seed = fields.read("random_seed", "an integer")?;
    sampling.seed = fields.read("seed", "an integer")?.or(seed);
    if let Some(stop) = fields.take("stop") {
        request.stop = stop.texts()?;
    }
    request.n = fields.count("n")?;
    if request.n == Some(0) {
        return Err(fields.invalid("n", "expected an integer from 1"));
    }
    let alternatives = fields.read("top_logprobs", "an integer from 0 to 20")?;
    request.logprobs = match fields.take("logprobs") {
        // Together: the number of alternatives.
        Some(count) if count.text().starts_with(|c: char| c.is_ascii_digit()) => {
            Some(count.read("true or false")?)
        }
        Some(wanted) => wanted
            .read::<bool>("true or false")?
            .then(|| alternatives.unwrap_or_default()),
        None => None,
    };
    if request.logprobs > Some(20) {
        return Err(fields.invalid("top_logprobs", "expected an integer from 0 to 20"));
    }
    Ok(())
}

fn output(fields: &mut Fields<'_>, request: &mut Request) -> Result<()> {
    // What every model speaks is not worth saying; sound is asked for in fields of its own.
    if let Some(modalities) = fields.take("modalities") {
        let wanted: Vec<String> = modalities.read("an array of strings")?;
        if wanted.iter().any(|modality| modality != "text") {
            fields.put_back("modalities", &modalities);
        }
    }
    let Some(field) = fields.take("response_format") else {
        return Ok(());
    };
    let mut format = field.object()?;
    let mut is_known = true;
    let kind = format.require("type")?.string()?;
    request.output = match kind.as_str() {
        "text" => OutputFormat::Text,
        // llama.cpp and Together take a schema here too.
        "json_object" => match format.take("schema") {
            Some(schema) => schema_of("response", &schema, None, None)?,
            None => OutputFormat::JsonObject,
        },
        "json_schema" => {
            let mut inside = match format.object("json_schema")? {
                Some(inside) => {
                    is_known = format.is_spent();
                    inside
                }
                None => format,
            };
            let name = inside.string("name")?;
            let strict = inside.flag("strict")?;
            let description = inside.string("description")?;
            let schema = inside.require("schema")?;
            is_known &= inside.is_spent();
            let name = name.as_deref().unwrap_or("response");
            schema_of(name, &schema, strict, description)?
        }
        // A grammar, say: its own provider knows it.
        _ => {
            fields.put_back("response_format", &field);
            return Ok(());
        }
    };
    if !is_known {
        fields.put_back("response_format", &field);
    }
    Ok(())
}

/// A description beside the schema is one of the schema.
fn schema_of(
    name: &str,
    field: &Field<'_>,
    strict: Option<bool>,
    description: Option<String>,
) -> Result<OutputFormat> {
    let mut schema = field.json();
    if let Some(description) = description {
        let mut object: serde_json::Map<String, Value> = field.read("a JSON Schema")?;
        object
            .entry("description")
            .or_insert(Value::String(description));
        schema = Json::from(Value::Object(object));
    } else if !field.is_object() {
        return Err(field.invalid("expected a JSON Schema"));
    }
    Ok(OutputFormat::JsonSchema {
        name: name.to_owned(),
        schema,
        strict,
    })
}

/// The deprecated `prompt_cache_retention` is a longest time and `prompt_cache_options.ttl` a
/// shortest one; together the newer one counts.
fn cache(fields: &mut Fields<'_>, request: &mut Request) -> Result<()> {
    request.cache_key = fields.string("prompt_cache_key")?;
    if let Some(retention) = fields.take("prompt_cache_retention") {
        let ttl = match retention.string()?.as_str() {
            "24h" => CacheTtl::Day,
            "in_memory" | "in-memory" => CacheTtl::FiveMinutes,
            _ => return Err(retention.invalid("expected 24h or in_memory")),
        };
        request.cache = Some(CacheHint::new().with_ttl(ttl));
    }
    if let Some(field) = fields.take("prompt_cache_options") {
        let mut options = field.object()?;
        if let Some(mode) = options.take("mode") {
            request.cache_mode = Some(match mode.string()?.as_str() {
                "implicit" => PromptCacheMode::Implicit,
                "explicit" => PromptCacheMode::Explicit,
                _ => return Err(mode.invalid("expected implicit or explicit")),
            });
        }
        if let Some(time) = options.take("ttl") {
            let ttl: CacheTtl = time.read("5m, 30m, 1h, 12h or 24h")?;
            request.cache = Some(CacheHint::new().with_ttl(ttl));
        }
        if !options.is_spent() {
            fields.put_back("prompt_cache_options", &field);
        }
    }
    Ok(())
}

fn account(fields: &mut Fields<'_>, request: &mut Request) -> Result<()> {
    let user = fields.string("user")?;
    request.user = fields.string("safety_identifier")?.or(user);
    request.metadata = fields.labels("metadata")?;
    request.store = fields.flag("store")?;
    request.service_tier = fields.string("service_tier")?;
    Ok(())
}

fn delivery(fields: &mut Fields<'_>, request: &mut Request, wishes: &mut Wishes) -> Result<()> {
    request.stream = fields.flag("stream")?.unwrap_or_default();
    if let Some(mut options) = fields.object("stream_options")? {
        wishes.usage = request.stream && options.flag("include_usage")?.unwrap_or_default();
        // How frames are padded is between the provider and this server.
        options.take("include_obfuscation");
        if request.stream {
            fields.keep("stream_options", options)?;
        }
    }
    Ok(())
}
