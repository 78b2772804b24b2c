//! Tools, the choice among them, and the ids of their calls.

use std::borrow::Cow;

use aurax_core::{Function, Json, Native, Request, Result, Tool, ToolChoice};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::NAME;
use crate::digest::{base62, hash};
use crate::omissions::Omissions;
use crate::openai::tool::raw;
use crate::raw::Extended;
use crate::refusals::unsupported;
use crate::rules::Setting;
use crate::wire::Target;

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ToolDef<'a> {
    Function(FunctionDef<'a>),
    /// A function with fields of the provider's own.
    Extended(Extended<FunctionDef<'a>>),
    /// A tool the provider runs itself, in its own words.
    Native(&'a RawValue),
}

#[derive(Debug, Serialize)]
pub(super) struct FunctionDef<'a> {
    r#type: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Cow<'a, Json>,
    /// Where it is absent the provider enforces the schema, and changes it for that.
    strict: bool,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Choice<'a> {
    Word(&'static str),
    Named(Named<'a>),
    Allowed {
        r#type: &'static str,
        mode: &'static str,
        tools: Vec<Named<'a>>,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Named<'a> {
    r#type: &'static str,
    name: &'a str,
}

fn named(name: &str) -> Named<'_> {
    Named {
        r#type: "function",
        name,
    }
}

/// The tools, and the choice among them.
pub(super) fn encode<'a>(
    request: &'a Request,
    target: &Target,
    thinks: bool,
    omissions: &mut Omissions,
) -> Result<(Vec<ToolDef<'a>>, Option<Choice<'a>>)> {
    let mut tools = Vec::with_capacity(request.tools.len());
    for (at, tool) in request.tools.iter().enumerate() {
        let subject = || format!("tools[{at}]");
        match tool {
            Tool::Function(function) => {
                let own = own(function.native.as_ref(), target, &subject(), omissions)?;
                let value = define(function);
                tools.push(match own {
                    Some(own) => ToolDef::Extended(Extended { value, own }),
                    None => ToolDef::Function(value),
                });
            }
            Tool::Native(native) if native.is_for(&target.provider, NAME) => {
                tools.push(ToolDef::Native(raw(&native.json, &subject())?));
            }
            Tool::Native(_) => {
                omissions.note(&subject(), "left out: it is another provider's own tool")?;
            }
            _ => {}
        }
    }
    if tools.is_empty() {
        // Without tools the provider answers any choice with an error, and the choice says nothing.
        return Ok((tools, None));
    }
    let choice = choose(request.tool_choice.as_ref(), target, thinks, omissions)?;
    Ok((tools, choice))
}

fn choose<'a>(
    choice: Option<&'a ToolChoice>,
    target: &Target,
    thinks: bool,
    omissions: &mut Omissions,
) -> Result<Option<Choice<'a>>> {
    let forces = matches!(
        choice,
        Some(
            ToolChoice::Required | ToolChoice::Tool(_) | ToolChoice::Allowed { required: true, .. }
        )
    );
    let refused = forces && target.rules.refuses(Setting::ForcedToolChoice, thinks);
    if refused {
        let why = format!("became a free choice: {} cannot be forced", target.model);
        omissions.note("tool_choice", why)?;
    }
    let required = if refused { "auto" } else { "required" };
    Ok(Some(match choice {
        Some(ToolChoice::Auto) => Choice::Word("auto"),
        Some(ToolChoice::None) => Choice::Word("none"),
        Some(ToolChoice::Required) => Choice::Word(required),
        Some(ToolChoice::Tool(_)) if refused => Choice::Word("auto"),
        Some(ToolChoice::Tool(name)) => Choice::Named(named(name)),
        Some(ToolChoice::Allowed {
            required: wanted,
            tools,
        }) => Choice::Allowed {
            r#type: "allowed_tools",
            mode: if *wanted { required } else { "auto" },
            tools: tools.iter().map(|name| named(name)).collect(),
        },
        _ => return Ok(None),
    }))
}

/// A function without parameters is sent with an empty object of them: some servers insist on it.
fn define(function: &Function) -> FunctionDef<'_> {
    let nothing = || {
        Cow::Owned(Json::from(
            serde_json::json!({"type": "object", "properties": {}}),
        ))
    };
    FunctionDef {
        r#type: "function",
        name: &function.name,
        description: function.description.as_deref(),
        parameters: function
            .parameters
            .as_ref()
            .map_or_else(nothing, Cow::Borrowed),
        strict: function.strict.unwrap_or(false),
    }
}

/// Fields of the provider's own; another's are left out.
pub(super) fn own(
    native: Option<&Native>,
    target: &Target,
    subject: &str,
    omissions: &mut Omissions,
) -> Result<Option<Map<String, Value>>> {
    let Some(native) = native else {
        return Ok(None);
    };
    if !native.is_for(&target.provider, NAME) {
        let why = "left out: only its own provider understands it";
        omissions.note(&format!("{subject}.native"), why)?;
        return Ok(None);
    }
    serde_json::from_str(&native.json)
        .map(Some)
        .map_err(|e| unsupported(subject, "the native fields are no JSON object").with_source(e))
}

/// The id of a tool call as the provider takes it: up to 64 characters, the same for the call and
/// for its result.
pub(super) fn id(id: &str) -> Cow<'_, str> {
    if id.len() <= 64 {
        Cow::Borrowed(id)
    } else {
        format!("call_{}", base62(hash(&[id]))).into()
    }
}
