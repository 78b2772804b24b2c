//! A client's request.

use std::collections::BTreeMap;

use aurax_core::{
    CacheHint, CacheTtl, Call, Effort, Error, ErrorKind, Extra, Function, Json, Message, ModelId,
    Native, Op, OutputFormat, Part, Request, Result, Role, ShowThinking, Text, Tool, ToolChoice,
    Truncation,
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::items;
use super::parts::{invalid, own};
use crate::inbound::{Incoming, fields};
use crate::object::Object;
use crate::responses::NAME;
use crate::responses::request::{ENCRYPTED, LOGPROBS};
use crate::seal::Seal;

/// Fields of the request that the reply repeats.
const ECHOED: [&str; 18] = [
    "background",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// Fields that need answers to be stored, and what stands for their absence.
const STATEFUL: [&str; 4] = [
    "previous_response_id",
    "conversation",
    "background",
    "prompt",
];

pub(super) fn read(body: &[u8], seal: &Seal) -> Result<Incoming> {
    let text = fields::text(body).map_err(|error| error.with_context("param", "body"))?;
    let object = |text| {
        Object::parse(text)
            .map_err(|e| invalid("body", "the body is not a JSON object").with_source(e))
    };
    let mut echo = Map::new();
    let mut repeated = object(text)?;
    for name in ECHOED {
        if let Some(value) = repeated.read::<Value>(name) {
            echo.insert(name.to_owned(), value);
        }
    }
    let mut reader = Reader {
        fields: object(text)?,
        request: Request::default(),
        extra: Map::new(),
    };
    let model: String = reader
        .typed("model", "a text")?
        .ok_or_else(|| invalid("model", "you must provide a model"))?;
    let model = ModelId::parse(&model).map_err(|error| error.with_context("param", "model"))?;
    reader.conversation(seal)?;
    reader.settings()?;
    reader.tools()?;
    let mut incoming = Incoming::new(Call::chat(model, reader.finish()));
    incoming.wishes.echo = echo;
    Ok(incoming)
}

pub(super) fn refuse_stateful(incoming: &Incoming) -> Result<()> {
    let Op::Chat(request) = &incoming.call.op else {
        return Ok(());
    };
    let field = STATEFUL
        .into_iter()
        .find(|name| request.extra.fields.contains_key(*name))
        .or_else(|| (request.store == Some(true)).then_some("store"));
    match field {
        Some(field) => {
            let message = format!("`{field}` needs stored responses, which this server has not");
            let error = Error::new(ErrorKind::Unsupported, message);
            Err(error.with_context("param", field))
        }
        None => Ok(()),
    }
}

struct Reader<'a> {
    fields: Object<'a>,
    request: Request,
    extra: Map<String, Value>,
}

impl<'a> Reader<'a> {
    fn typed<T: DeserializeOwned>(&mut self, name: &str, what: &str) -> Result<Option<T>> {
        let Some(value) = self.fields.take(name) else {
            return Ok(None);
        };
        serde_json::from_str(value.get())
            .map(Some)
            .map_err(|e| invalid(name, format!("`{name}` is {what}")).with_source(e))
    }

    /// Keeps a field for a provider of this wire as it came.
    fn keep(&mut self, name: &str, value: &RawValue) {
        if let Ok(value) = serde_json::from_str(value.get()) {
            self.extra.insert(name.to_owned(), value);
        }
    }

    fn conversation(&mut self, seal: &Seal) -> Result<()> {
        match self.typed::<String>("instructions", "a text")? {
            Some(words) if !words.is_empty() => {
                let parts = vec![Part::Text(Text::new(words))];
                let message = Message::new(Role::System, parts);
                self.request.messages.push(message);
            }
            _ => {}
        }
        match self.fields.take("input") {
            Some(input) => items::read(input, seal, &mut self.request.messages),
            None => Err(invalid("input", "you must provide an input")),
        }
    }

    fn settings(&mut self) -> Result<()> {
        self.request.stream = self.typed("stream", "true or false")?.unwrap_or(false);
        self.request.store = self.typed("store", "true or false")?;
        self.request.parallel_tool_calls = self.typed("parallel_tool_calls", "true or false")?;
        self.request.max_output_tokens = self.typed("max_output_tokens", "a number of tokens")?;
        self.request.sampling.temperature = self.typed("temperature", "a number")?;
        self.request.sampling.top_p = self.typed("top_p", "a number")?;
        self.request.logprobs = self.typed("top_logprobs", "a number from 0 to 20")?;
        self.request.service_tier = self.typed("service_tier", "a text")?;
        self.request.cache_key = self.typed("prompt_cache_key", "a text")?;
        self.request.metadata = self
            .typed::<BTreeMap<String, String>>("metadata", "an object of texts")?
            .unwrap_or_default();
        let user = self.typed("user", "a text")?;
        let named = self.typed("safety_identifier", "a text")?;
        self.request.user = named.or(user);
        self.request.truncation = match self.typed::<String>("truncation", "a text")?.as_deref() {
            Some("auto") => Some(Truncation::Auto),
            Some("disabled") => Some(Truncation::Disabled),
            Some(_) => return Err(invalid("truncation", "`truncation` is auto or disabled")),
            None => None,
        };
        self.reasoning()?;
        self.format()?;
        self.cache();
        self.include()
    }

    fn reasoning(&mut self) -> Result<()> {
        let Some(value) = self.fields.take("reasoning") else {
            return Ok(());
        };
        let Some(mut fields) = Object::of(value) else {
            return Err(invalid("reasoning", "`reasoning` is an object"));
        };
        let reasoning = &mut self.request.reasoning;
        let effort = fields.text("effort");
        let summary = fields.text("summary");
        reasoning.effort = effort.as_deref().and_then(self::effort);
        reasoning.show = summary.as_deref().and_then(show);
        reasoning.mode = fields.text("mode");
        reasoning.context = fields.text("context");
        let is_known = reasoning.effort.is_some() == effort.is_some()
            && reasoning.show.is_some() == summary.is_some();
        if !is_known || has_more(fields) {
            self.keep("reasoning", value);
        }
        Ok(())
    }

    fn format(&mut self) -> Result<()> {
        let Some(value) = self.fields.take("text") else {
            return Ok(());
        };
        let Some(mut fields) = Object::of(value) else {
            return Err(invalid("text", "`text` is an object"));
        };
        let mut format = fields.object("format");
        let mut is_known = !has_more(fields);
        match format.text("type").as_deref() {
            Some("json_object") => self.request.output = OutputFormat::JsonObject,
            Some("json_schema") => {
                let Some(schema) = format.take("schema") else {
                    return Err(invalid("text.format.schema", "a schema is missing"));
                };
                self.request.output = OutputFormat::JsonSchema {
                    name: format.text("name").unwrap_or_else(|| "answer".to_owned()),
                    schema: Json::from(schema),
                    strict: format.read("strict"),
                };
            }
            Some("text") | None => {}
            Some(_) => is_known = false,
        }
        if !is_known || has_more(format) {
            self.keep("text", value);
        }
        Ok(())
    }

    fn cache(&mut self) {
        let Some(value) = self.fields.take("prompt_cache_options") else {
            return;
        };
        let ttl = Object::of(value).and_then(|mut fields| fields.read::<CacheTtl>("ttl"));
        if let Some(ttl) = ttl {
            self.request.cache = Some(CacheHint::new().with_ttl(ttl));
        }
        self.keep("prompt_cache_options", value);
    }

    /// What the wire asks for by itself needs no list; a list that asks for more is kept.
    fn include(&mut self) -> Result<()> {
        let listed: Vec<String> = self
            .typed("include", "a list of texts")?
            .unwrap_or_default();
        let lists = |name: &str| listed.iter().any(|listed| listed == name);
        if lists(LOGPROBS) {
            self.request.logprobs.get_or_insert(0);
        }
        let by_itself = |name: &String| [ENCRYPTED, LOGPROBS].contains(&name.as_str());
        if listed.iter().all(by_itself) {
            return Ok(());
        }
        let mut names = listed.clone();
        if !lists(ENCRYPTED) {
            names.push(ENCRYPTED.to_owned());
        }
        self.extra.insert("include".to_owned(), names.into());
        Ok(())
    }

    fn tools(&mut self) -> Result<()> {
        if let Some(value) = self.fields.take("tools") {
            if !value.get().starts_with('[') {
                return Err(invalid("tools", "`tools` is a list"));
            }
            for (at, tool) in crate::object::items(value).into_iter().enumerate() {
                let tool = self::tool(tool, &format!("tools[{at}]"))?;
                self.request.tools.push(tool);
            }
        }
        if let Some(value) = self.fields.take("tool_choice") {
            let mut is_known = true;
            self.request.tool_choice = choice(value, &mut is_known);
            if self.request.tool_choice.is_none() || !is_known {
                self.keep("tool_choice", value);
            }
        }
        Ok(())
    }

    /// The request, with what has no place in it beside it.
    fn finish(mut self) -> Request {
        if self.fields.read::<bool>("background") == Some(true) {
            self.extra.insert("background".to_owned(), true.into());
        }
        self.fields.rest_into(&mut self.extra);
        if !self.extra.is_empty() {
            self.request.extra = Extra::new(Some(NAME.to_owned()), self.extra);
        }
        self.request
    }
}

/// Whether an object has fields that were not taken.
fn has_more(fields: Object<'_>) -> bool {
    let mut rest = Map::new();
    fields.rest_into(&mut rest);
    !rest.is_empty()
}

fn effort(word: &str) -> Option<Effort> {
    Some(match word {
        "none" => Effort::Off,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => return None,
    })
}

fn show(word: &str) -> Option<ShowThinking> {
    Some(match word {
        "auto" => ShowThinking::Auto,
        "concise" => ShowThinking::Concise,
        "detailed" => ShowThinking::Detailed,
        _ => return None,
    })
}

fn tool(tool: &RawValue, param: &str) -> Result<Tool> {
    let Some(mut fields) = Object::of(tool) else {
        return Err(invalid(param, "a tool is an object"));
    };
    let kind = fields.text("type").unwrap_or_default();
    if kind != "function" {
        let native = Native::of_client(NAME, kind, tool.get());
        return Ok(Tool::Native(native));
    }
    let Some(name) = fields.text("name") else {
        return Err(invalid(&format!("{param}.name"), "a function has a name"));
    };
    let mut function = Function::new(name);
    function.description = fields.read("description");
    function.parameters = fields.take("parameters").map(Json::from);
    function.strict = fields.read("strict");
    function.native = own(fields, None);
    Ok(Tool::Function(function))
}

/// A choice among functions; `None` for choices the domain has no word for. `is_known` turns false
/// where something of it has no place.
fn choice(value: &RawValue, is_known: &mut bool) -> Option<ToolChoice> {
    if let Ok(word) = serde_json::from_str::<String>(value.get()) {
        return match word.as_str() {
            "auto" => Some(ToolChoice::Auto),
            "none" => Some(ToolChoice::None),
            "required" => Some(ToolChoice::Required),
            _ => None,
        };
    }
    let mut fields = Object::of(value)?;
    match fields.text("type")?.as_str() {
        "function" => {
            let name = fields.text("name").map(ToolChoice::Tool);
            *is_known &= !has_more(fields);
            name
        }
        "allowed_tools" => {
            let required = fields.text("mode").as_deref() == Some("required");
            let mut name = |tool: &RawValue| {
                let mut tool = Object::of(tool)?;
                let name = (tool.text("type")? == "function").then(|| tool.text("name"))?;
                *is_known &= !has_more(tool);
                name
            };
            let tools = fields.list("tools").into_iter().map(&mut name);
            let tools = tools.collect::<Option<Vec<_>>>()?;
            *is_known &= !has_more(fields);
            Some(ToolChoice::Allowed { required, tools })
        }
        _ => None,
    }
}
