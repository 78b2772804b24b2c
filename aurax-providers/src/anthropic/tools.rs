//! Tools, and whether they must be used.
//!
//! Facts: <https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools>.

use aurax_core::{
    Error, ErrorKind, Function, Json, Native, Phase, Request, Result, Tool, ToolChoice,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::NAME;
use super::block::CacheControl;
use crate::omissions::Omissions;
use crate::raw::{Extended, RawObject};
use crate::rules::{ModelRules, Setting};
use crate::wire::Target;

/// A tool, on the wire.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Definition<'a> {
    Function(Described<'a>),
    /// A function with fields of the provider's own.
    Extended(Extended<Described<'a>>),
    Native(Json),
}

/// A function, described.
#[derive(Debug, Serialize)]
pub(super) struct Described<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    input_schema: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

impl Definition<'_> {
    /// The tool's mark of a cacheable prefix, where it can have one.
    pub(super) const fn cache_control(&mut self) -> Option<&mut Option<CacheControl>> {
        match self {
            Self::Function(function) => Some(&mut function.cache_control),
            Self::Extended(extended) => Some(&mut extended.value.cache_control),
            Self::Native(_) => None,
        }
    }
}

/// Whether a tool must be used, on the wire.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Choice<'a> {
    Auto {
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    Any {
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    Tool {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    None,
}

/// The tools of a request.
///
/// # Errors
/// `InvalidRequest` for a schema that is not one of an object.
pub(super) fn definitions<'a>(
    request: &'a Request,
    target: &Target,
    omissions: &mut Omissions,
) -> Result<Vec<Definition<'a>>> {
    let mut out = Vec::with_capacity(request.tools.len());
    for (at, tool) in request.tools.iter().enumerate() {
        let subject = format!("tools[{at}]");
        match tool {
            Tool::Function(function) => {
                let own = own(&subject, function.native.as_ref(), target, omissions)?;
                out.push(definition(&subject, function, own)?);
            }
            Tool::Native(tool) if is_for(tool, target) => {
                out.push(Definition::Native(Json::parse(tool.json.clone())?));
            }
            _ => omissions.note(&subject, "left out: it is another provider's own tool")?,
        }
    }
    Ok(out)
}

/// True where `target` knows the block.
pub(super) fn is_for(native: &Native, target: &Target) -> bool {
    native.is_for(&target.provider, NAME)
}

fn definition<'a>(
    subject: &str,
    function: &'a Function,
    own: Option<Map<String, Value>>,
) -> Result<Definition<'a>> {
    let value = Described {
        name: &function.name,
        description: function.description.as_deref(),
        input_schema: schema(subject, function)?,
        strict: function.strict,
        cache_control: function.cache.map(CacheControl::new),
    };
    Ok(match own {
        None => Definition::Function(value),
        Some(own) => Definition::Extended(Extended { value, own }),
    })
}

/// Fields of the provider's own; another's are left out.
pub(super) fn own(
    subject: &str,
    native: Option<&Native>,
    target: &Target,
    omissions: &mut Omissions,
) -> Result<Option<Map<String, Value>>> {
    let Some(native) = native else {
        return Ok(None);
    };
    if !is_for(native, target) {
        let why = "left out: only another provider understands the fields";
        omissions.note(&format!("{subject}.native"), why)?;
        return Ok(None);
    }
    serde_json::from_str(&native.json).map(Some).map_err(|e| {
        let message = "the native fields are no JSON object";
        Error::new(ErrorKind::InvalidRequest, message)
            .with_context("part", subject)
            .with_phase(Phase::Encode)
            .with_source(e)
    })
}

/// The schema as it was written; the API insists on the type the arguments have anyway.
fn schema(subject: &str, function: &Function) -> Result<Json> {
    let Some(schema) = &function.parameters else {
        return Json::parse(r#"{"type":"object","properties":{}}"#);
    };
    let invalid = || {
        Error::new(
            ErrorKind::InvalidRequest,
            "the schema of a tool's arguments must be a JSON Schema of type object",
        )
        .with_context("part", subject)
        .with_context("tool", &function.name)
        .with_phase(Phase::Encode)
    };
    let fields = RawObject::parse(schema.as_str()).ok_or_else(invalid)?;
    match fields.get("type").map(Json::as_str) {
        Some(r#""object""#) => Ok(schema.clone()),
        Some(_) => Err(invalid()),
        None => {
            let mut typed = RawObject::parse(r#"{"type":"object"}"#).unwrap_or_default();
            typed.overlay(&fields);
            Json::from_value(&typed)
        }
    }
}

/// Whether a tool must be used, as far as the model takes it.
///
/// * There is no list of allowed tools: one that must be used is named, several are all of them.
/// * A model that cannot be forced decides by itself, as does one that thinks within a budget.
///
/// # Errors
/// `Unsupported` where the request wants nothing changed.
pub(super) fn choice<'a>(
    request: &'a Request,
    rules: &ModelRules,
    budget: Option<u32>,
    omissions: &mut Omissions,
) -> Result<Option<Choice<'a>>> {
    if request.tools.is_empty() {
        return Ok(None);
    }
    let disable_parallel_tool_use = request.parallel_tool_calls.map(|parallel| !parallel);
    let auto = Choice::Auto {
        disable_parallel_tool_use,
    };
    let any = Choice::Any {
        disable_parallel_tool_use,
    };
    let choice = match &request.tool_choice {
        None if disable_parallel_tool_use.is_none() => return Ok(None),
        None | Some(ToolChoice::Auto) => auto,
        Some(ToolChoice::None) => Choice::None,
        Some(ToolChoice::Required) => any,
        Some(ToolChoice::Tool(name)) => Choice::Tool {
            name,
            disable_parallel_tool_use,
        },
        Some(ToolChoice::Allowed { required, tools }) => match (required, tools.as_slice()) {
            (true, [name]) => Choice::Tool {
                name,
                disable_parallel_tool_use,
            },
            (required, _) => {
                omissions.note(
                    "tool_choice",
                    "all tools are allowed: the API takes no list",
                )?;
                if *required { any } else { auto }
            }
        },
        Some(_) => {
            omissions.note("tool_choice", "left out: the API has no such choice")?;
            auto
        }
    };
    let forced = matches!(choice, Choice::Any { .. } | Choice::Tool { .. });
    let why = if rules.refuses(Setting::ForcedToolChoice, true) {
        "became auto: the model cannot be made to use a tool"
    } else {
        "became auto: a model that thinks within a budget cannot be made to use a tool"
    };
    if forced && (budget.is_some() || rules.refuses(Setting::ForcedToolChoice, true)) {
        omissions.note("tool_choice", why)?;
        return Ok(Some(Choice::Auto {
            disable_parallel_tool_use,
        }));
    }
    Ok(Some(choice))
}
