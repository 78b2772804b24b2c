//! What the demo says to a request.

use aurax_core::{Message, OutputFormat, Part, Request, Role, Tool, ToolCall, ToolChoice};
use serde_json::{Map, Value};

use super::last_words;

/// How much of the person's words is repeated, in characters.
const QUOTED: usize = 400;
/// How many values a schema is filled with; what is beyond becomes null.
const VALUES: u32 = 500;

pub(super) enum Answer {
    Text(String),
    ToolCall(Box<ToolCall>),
}

impl Answer {
    pub(super) fn to(request: &Request) -> Self {
        if let Some(results) = tool_results(request.messages.last()) {
            return Self::Text(format!("[demo] The tool said: {results}"));
        }
        if let Some(call) = tool_call(request) {
            return Self::ToolCall(Box::new(call));
        }
        match &request.output {
            OutputFormat::JsonSchema { schema, .. } => {
                let schema = schema.to::<Value>().unwrap_or_default();
                Self::Text(fill(&schema, &schema, &mut VALUES.clone()).to_string())
            }
            OutputFormat::JsonObject => Self::Text(r#"{"demo":true}"#.to_owned()),
            _ => Self::Text(words(request)),
        }
    }
}

fn words(request: &Request) -> String {
    let said: String = last_words(&request.messages).chars().take(QUOTED).collect();
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let media: Vec<&str> = parts
        .filter(|part| matches!(part, Part::Image(_) | Part::Document(_) | Part::Audio(_)))
        .map(Part::kind)
        .collect();
    let with = if media.is_empty() {
        String::new()
    } else {
        format!(" (with {})", media.join(", "))
    };
    format!(
        "[demo] No model was asked. You said{with}: {said}\n\
         Set a provider's key, such as OPENAI_API_KEY, to talk to a real model."
    )
}

fn tool_results(last: Option<&Message>) -> Option<String> {
    let message = last.filter(|message| message.role == Role::Tool)?;
    let results: Vec<String> = message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolResult(result) => Some(result.text()),
            _ => None,
        })
        .collect();
    Some(results.join("; "))
}

fn tool_call(request: &Request) -> Option<ToolCall> {
    let mut functions = request.tools.iter().filter_map(Tool::as_function);
    let function = match &request.tool_choice {
        Some(ToolChoice::None) => None,
        Some(ToolChoice::Tool(name)) => functions.find(|function| function.name == *name),
        _ => functions.next(),
    }?;
    let schema = function.parameters.as_ref();
    let schema = schema.and_then(|schema| schema.to::<Value>().ok());
    let arguments = schema.map_or_else(
        || Value::Object(Map::new()),
        |schema| fill(&schema, &schema, &mut VALUES.clone()),
    );
    let turn = request.messages.len();
    Some(ToolCall::new(
        format!("demo_call_{turn}"),
        function.name.clone(),
        arguments.to_string(),
    ))
}

/// A placeholder that fits `schema`: the first of what it allows, the least of what it demands.
fn fill(schema: &Value, root: &Value, left: &mut u32) -> Value {
    let Some(fewer) = left.checked_sub(1) else {
        return Value::Null;
    };
    *left = fewer;
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let pointer = target.trim_start_matches('#');
        return root
            .pointer(pointer)
            .map_or(Value::Null, |target| fill(target, root, left));
    }
    for key in ["const", "default"] {
        if let Some(value) = schema.get(key) {
            return value.clone();
        }
    }
    if let Some(first) = first_of(schema, &["enum", "examples"]) {
        return first.clone();
    }
    if let Some(first) = first_of(schema, &["anyOf", "oneOf", "allOf"]) {
        return fill(first, root, left);
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        Some(kind) => kind.as_str(),
        None => schema.get("properties").map(|_| "object"),
    };
    match kind {
        Some("object") => object(schema, root, left),
        Some("array") => array(schema, root, left),
        Some("string") => Value::from("demo"),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(Value::from(1)),
        Some("boolean") => Value::Bool(true),
        _ => Value::Null,
    }
}

fn first_of<'a>(schema: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    keys.iter()
        .find_map(|key| schema.get(key)?.as_array()?.first())
}

fn object(schema: &Value, root: &Value, left: &mut u32) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let demanded = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
    let filled = properties
        .into_iter()
        .flatten()
        .filter(|(name, _)| demanded(name))
        .map(|(name, schema)| (name.clone(), fill(schema, root, left)));
    Value::Object(filled.collect())
}

fn array(schema: &Value, root: &Value, left: &mut u32) -> Value {
    let item = schema.get("items").map(|items| fill(items, root, left));
    Value::Array(item.into_iter().collect())
}
