//! The settings of a request.

use aurax_core::{CacheHint, Effort, OutputFormat, Reasoning, Request, Result, ShowThinking};

use serde_json::{Map, Value};

use super::super::reasoning::{BETWEEN_TOOLS, EFFORT_ALONE};
use crate::inbound::fields::{Field, Fields};

/// Reads the settings; what is inside of them and has no place is returned under their names.
pub(super) fn read(fields: &mut Fields<'_>, request: &mut Request) -> Result<Map<String, Value>> {
    let mut rest = Map::new();
    let sampling = &mut request.sampling;
    sampling.temperature = fields.number("temperature")?;
    sampling.top_p = fields.number("top_p")?;
    sampling.top_k = fields.count("top_k")?;
    if let Some(stop) = fields.take("stop_sequences") {
        request.stop = stop.read("an array of strings")?;
    }
    request.stream = fields.flag("stream")?.unwrap_or_default();
    request.service_tier = fields.string("service_tier")?;
    request.speed = fields.string("speed")?;
    request.cache = cache_mark(fields)?;
    if let Some(mut metadata) = fields.object("metadata")? {
        request.user = metadata.string("user_id")?;
        keep(&mut rest, "metadata", metadata)?;
    }
    if let Some(thinking) = fields.take("thinking")
        && !self::thinking(&thinking, &mut request.reasoning)?
    {
        fields.put_back("thinking", &thinking);
    }
    if let Some(format) = fields.take("output_format") {
        request.output = self::format(&format)?.0;
    }
    if let Some(mut config) = fields.object("output_config")? {
        output(&mut config, request)?;
        keep(&mut rest, "output_config", config)?;
    }
    Ok(rest)
}

fn keep(rest: &mut Map<String, Value>, name: &str, fields: Fields<'_>) -> Result<()> {
    let fields = fields.rest()?;
    if !fields.is_empty() {
        rest.insert(name.to_owned(), Value::Object(fields));
    }
    Ok(())
}

/// The mark of a cacheable prefix an object carries.
pub(super) fn cache_mark(fields: &mut Fields<'_>) -> Result<Option<CacheHint>> {
    let Some(mut mark) = fields.object("cache_control")? else {
        return Ok(None);
    };
    let mut hint = CacheHint::new();
    hint.ttl = mark.read("ttl", "5m or 1h")?;
    mark.take("type");
    fields.keep("cache_control", mark)?;
    Ok(Some(hint))
}

/// * `enabled`: a budget.
/// * `adaptive`: as much as the model sees fit, unless an effort says more.
/// * `between_tools`: a mode of the model's.
/// * `disabled`: off; beside an effort, which counts without thinking too, a budget of nothing.
///
/// False where something of it has no place.
fn thinking(field: &Field<'_>, reasoning: &mut Reasoning) -> Result<bool> {
    let mut thinking = field.object()?;
    let kind = thinking.require("type")?;
    match kind.string()?.as_str() {
        "enabled" => {
            let budget = thinking.require("budget_tokens")?;
            reasoning.budget_tokens = Some(budget.read("an integer")?);
        }
        "adaptive" => reasoning.effort = Some(Effort::Auto),
        "disabled" => reasoning.effort = Some(Effort::Off),
        BETWEEN_TOOLS => reasoning.mode = Some(BETWEEN_TOOLS.to_owned()),
        _ => {
            return Err(kind.invalid("expected enabled, adaptive, between_tools or disabled"));
        }
    }
    reasoning.show = match thinking.string("display")?.as_deref() {
        Some("omitted") => Some(ShowThinking::Omitted),
        Some(_) => Some(ShowThinking::Auto),
        None => None,
    };
    Ok(thinking.is_spent())
}

/// `output_config`; the older `output_format` is its `format`.
fn output(config: &mut Fields<'_>, request: &mut Request) -> Result<()> {
    if let Some(format) = config.take("format") {
        let (output, is_known) = self::format(&format)?;
        request.output = output;
        if !is_known {
            config.put_back("format", &format);
        }
    }
    if let Some(effort) = config.take("effort") {
        let level = level(&effort)?;
        let reasoning = &mut request.reasoning;
        if reasoning.effort == Some(Effort::Off) {
            reasoning.budget_tokens = Some(0);
        } else if *reasoning == Reasoning::default() {
            reasoning.mode = Some(EFFORT_ALONE.to_owned());
        }
        reasoning.effort = Some(level);
    }
    Ok(())
}

fn level(field: &Field<'_>) -> Result<Effort> {
    Ok(match field.string()?.as_str() {
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => return Err(field.invalid("expected low, medium, high, xhigh or max")),
    })
}

/// A format, and whether all of it has a place.
fn format(field: &Field<'_>) -> Result<(OutputFormat, bool)> {
    let mut format = field.object()?;
    let kind = format.require("type")?;
    if kind.string()? != "json_schema" {
        return Err(kind.invalid("expected json_schema"));
    }
    let schema = format.require("schema")?;
    if !schema.is_object() {
        return Err(schema.invalid("expected a JSON Schema"));
    }
    let output = OutputFormat::JsonSchema {
        name: "response".to_owned(),
        schema: schema.json(),
        strict: None,
    };
    Ok((output, format.is_spent()))
}
