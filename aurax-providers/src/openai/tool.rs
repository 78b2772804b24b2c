//! Tools, the choice among them, and the ids of their calls.

use std::borrow::Cow;
use std::fmt;

use aurax_core::{Function, Json, Native, Request, Result, Tool, ToolChoice};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::NAME;
use super::quirks::{Quirks, ToolIds};
use crate::digest::{base62, hash};
use crate::omissions::Omissions;
use crate::raw::Extended;
use crate::refusals::unsupported;
use crate::rules::Setting;
use crate::wire::Target;

/// The kind of a function's own fields that stand around it and not in it.
pub(super) const TOOL: &str = "tool";

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ToolDef<'a> {
    Function {
        r#type: &'static str,
        function: FunctionDef<'a>,
    },
    /// A function with fields of the provider's own beside it.
    Extended(Extended<Box<Self>>),
    /// A tool the provider runs itself, in its own words.
    Native(&'a RawValue),
}

#[derive(Debug, Serialize)]
pub(super) struct FunctionDef<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Cow<'a, Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    /// Fields of a vendor's own.
    #[serde(flatten)]
    own: Option<Map<String, Value>>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Choice<'a> {
    Word(&'static str),
    Named(Named<'a>),
    Allowed {
        r#type: &'static str,
        allowed_tools: Allowed<'a>,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Named<'a> {
    r#type: &'static str,
    function: Name<'a>,
}

#[derive(Debug, Serialize)]
struct Name<'a> {
    name: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct Allowed<'a> {
    mode: &'static str,
    tools: Vec<Named<'a>>,
}

fn named(name: &str) -> Named<'_> {
    Named {
        r#type: "function",
        function: Name { name },
    }
}

/// The tools, and the choice among them.
pub(super) fn encode<'a>(
    request: &'a Request,
    target: &Target,
    quirks: &Quirks,
    thinks: bool,
    omissions: &mut Omissions,
) -> Result<(Vec<ToolDef<'a>>, Option<Choice<'a>>)> {
    let mut choice = request.tool_choice.as_ref();
    let forces = matches!(
        choice,
        Some(
            ToolChoice::Required | ToolChoice::Tool(_) | ToolChoice::Allowed { required: true, .. }
        )
    );
    if request.tools.is_empty() {
        // Without tools the provider answers any choice with an error, and the choice says nothing.
        return Ok((Vec::new(), None));
    }
    let refused = forces && target.rules.refuses(Setting::ForcedToolChoice, thinks);
    if refused {
        let why = format!("became a free choice: {} cannot be forced", target.model);
        omissions.note("tool_choice", why)?;
    }
    // A provider without lists of allowed tools is offered those tools alone.
    let offered = match choice {
        Some(ToolChoice::Allowed { tools, .. }) if !quirks.takes.allowed_tools => Some(tools),
        _ => None,
    };
    if refused && !matches!(choice, Some(ToolChoice::Allowed { .. })) {
        choice = Some(&ToolChoice::Auto);
    }
    let mut tools = Vec::with_capacity(request.tools.len());
    for (at, tool) in request.tools.iter().enumerate() {
        let is_offered = |name: &String| offered.is_none_or(|offered| offered.contains(name));
        match tool {
            Tool::Function(function) if is_offered(&function.name) => {
                let own = own(
                    function.native.as_ref(),
                    target,
                    &format_args!("tools[{at}]"),
                    omissions,
                )?;
                let is_around = function.native.as_ref().is_some_and(|own| own.kind == TOOL);
                tools.push(match own {
                    Some(own) if is_around => ToolDef::Extended(Extended {
                        value: Box::new(define(function, None)),
                        own,
                    }),
                    own => define(function, own),
                });
            }
            Tool::Function(_) => {}
            Tool::Native(native) if offered.is_none() => {
                if let Some(why) = foreign(native, target) {
                    omissions.note(&format_args!("tools[{at}]"), why)?;
                    continue;
                }
                tools.push(ToolDef::Native(raw(
                    &native.json,
                    &format_args!("tools[{at}]"),
                )?));
            }
            _ => {}
        }
    }
    let required = if refused {
        "auto"
    } else {
        quirks.names.required
    };
    let choice = choice.and_then(|choice| {
        Some(match choice {
            ToolChoice::Auto => Choice::Word("auto"),
            ToolChoice::None => Choice::Word("none"),
            ToolChoice::Required => Choice::Word(required),
            ToolChoice::Tool(name) => Choice::Named(named(name)),
            ToolChoice::Allowed {
                required: wanted,
                tools,
            } => {
                let mode = if *wanted { required } else { "auto" };
                if offered.is_some() {
                    Choice::Word(mode)
                } else {
                    Choice::Allowed {
                        r#type: "allowed_tools",
                        allowed_tools: Allowed {
                            mode,
                            tools: tools.iter().map(|name| named(name)).collect(),
                        },
                    }
                }
            }
            _ => return None,
        })
    });
    Ok((tools, choice))
}

/// A function without parameters is sent with an empty object of them: some servers insist on it.
fn define(function: &Function, own: Option<Map<String, Value>>) -> ToolDef<'_> {
    let nothing = || {
        Cow::Owned(Json::from(
            serde_json::json!({"type": "object", "properties": {}}),
        ))
    };
    ToolDef::Function {
        r#type: "function",
        function: FunctionDef {
            name: &function.name,
            description: function.description.as_deref(),
            parameters: function
                .parameters
                .as_ref()
                .map_or_else(nothing, Cow::Borrowed),
            strict: function.strict,
            own,
        },
    }
}

/// Why a provider's own block is left out; `None` where the target understands it.
pub(super) fn foreign(native: &Native, target: &Target) -> Option<String> {
    if native.is_for(&target.provider, NAME) {
        return None;
    }
    let maker = native.origin.as_ref().map(|origin| &*origin.provider);
    let maker = maker
        .or(native.wire.as_deref())
        .unwrap_or("its own provider");
    Some(format!("left out: only {maker} understands it"))
}

/// Fields of the vendor's own; another's are left out.
pub(super) fn own(
    native: Option<&Native>,
    target: &Target,
    subject: &(impl fmt::Display + ?Sized),
    omissions: &mut Omissions,
) -> Result<Option<Map<String, Value>>> {
    let Some(native) = native else {
        return Ok(None);
    };
    if let Some(why) = foreign(native, target) {
        omissions.note(&format_args!("{subject}.native"), why)?;
        return Ok(None);
    }
    serde_json::from_str(&native.json)
        .map(Some)
        .map_err(|e| unsupported(subject, "the native fields are no JSON object").with_source(e))
}

/// JSON text of the caller's, as it is.
pub(crate) fn raw<'a>(
    json: &'a str,
    subject: &(impl fmt::Display + ?Sized),
) -> Result<&'a RawValue> {
    serde_json::from_str(json)
        .map_err(|e| unsupported(subject, "the native block is not JSON").with_source(e))
}

/// The id of a tool call as the provider takes it: the same for the call and for its result.
pub(super) fn id(id: &str, ids: ToolIds) -> Cow<'_, str> {
    let fits = match ids {
        ToolIds::UpTo40 => id.len() <= 40,
        ToolIds::NineAlphanumeric => {
            id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
        }
    };
    if fits {
        return Cow::Borrowed(id);
    }
    let short = base62(hash(&[id]));
    Cow::Owned(match ids {
        ToolIds::UpTo40 => format!("call_{short}"),
        ToolIds::NineAlphanumeric => short,
    })
}
