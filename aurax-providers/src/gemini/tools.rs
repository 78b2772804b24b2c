//! Tools, and whether they must be used.
//!
//! Facts: <https://ai.google.dev/api/caching#Tool> and <https://ai.google.dev/api/caching#ToolConfig>.

use aurax_core::{Error, ErrorKind, Function, Json, Phase, Request, Result, Tool, ToolChoice};
use serde::Serialize;

use super::NAME;
use crate::omissions::Omissions;
use crate::raw::RawObject;
use crate::wire::Target;

/// Tools of one kind, on the wire.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ToolSet<'a> {
    #[serde(rename_all = "camelCase")]
    Functions {
        function_declarations: Vec<Declaration<'a>>,
    },
    Native(Json),
}

/// A function, on the wire.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Declaration<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    /// JSON Schema as it is; the older field `parameters` takes a part of it only.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a Json>,
}

/// Whether a tool must be used, on the wire.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig<'a> {
    function_calling_config: FunctionCalling<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionCalling<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    allowed_function_names: &'a [String],
}

/// The tools of a request: its functions together, then the provider's own.
///
/// # Errors
/// `InvalidRequest` for a name the API does not take.
pub(super) fn tools<'a>(
    request: &'a Request,
    target: &Target,
    omissions: &mut Omissions,
) -> Result<Vec<ToolSet<'a>>> {
    let mut functions = Vec::new();
    let mut native = Vec::new();
    for (at, tool) in request.tools.iter().enumerate() {
        let subject = format!("tools[{at}]");
        match tool {
            Tool::Function(function) => {
                if function.strict == Some(true) {
                    let subject = format!("{subject}.strict");
                    omissions.note(&subject, "left out: the API has no such choice for a tool")?;
                }
                functions.push(declaration(&subject, function)?);
            }
            Tool::Native(tool) if tool.is_for(&target.provider, NAME) => {
                native.push(ToolSet::Native(Json::parse(tool.json.clone())?));
            }
            _ => omissions.note(&subject, "left out: it is another provider's own tool")?,
        }
    }
    let functions = (!functions.is_empty()).then_some(ToolSet::Functions {
        function_declarations: functions,
    });
    Ok(functions.into_iter().chain(native).collect())
}

fn declaration<'a>(subject: &str, function: &'a Function) -> Result<Declaration<'a>> {
    let invalid = |message: String| {
        Error::new(ErrorKind::InvalidRequest, message)
            .with_context("part", subject)
            .with_phase(Phase::Encode)
    };
    let name = function.name.as_str();
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    if !begins || name.len() > 128 || !name.chars().all(fits) {
        return Err(invalid(format!(
            "a tool's name has 1 to 128 letters, digits, _ . : and -, of which a letter or _ is \
             the first, not {name:?}"
        )));
    }
    let schema = match &function.parameters {
        None => None,
        Some(schema) => {
            let fields = RawObject::parse(schema.as_str()).ok_or_else(|| {
                invalid("the schema of a tool's arguments must be a JSON object".to_owned())
            })?;
            takes_arguments(&fields).then_some(schema)
        }
    };
    Ok(Declaration {
        name,
        description: function.description.as_deref(),
        parameters_json_schema: schema,
    })
}

/// A schema of an object that says nothing of its fields is left out: the API refuses an object
/// without any.
fn takes_arguments(schema: &RawObject) -> bool {
    schema.fields().any(|(name, value)| match name {
        "type" | "$schema" | "title" | "description" | "additionalProperties" => false,
        "properties" => RawObject::parse(value.as_str())
            .is_none_or(|properties| properties.fields().next().is_some()),
        "required" => value.as_str() != "[]",
        _ => true,
    })
}

/// Whether a tool must be used. That several are not to be used at once cannot be said.
///
/// # Errors
/// `Unsupported` where the request wants nothing changed.
pub(super) fn config<'a>(
    request: &'a Request,
    omissions: &mut Omissions,
) -> Result<Option<ToolConfig<'a>>> {
    if request.tools.is_empty() {
        return Ok(None);
    }
    if request.parallel_tool_calls == Some(false) {
        omissions.note(
            "parallel_tool_calls",
            "left out: the API has no such choice; the model may use several tools at once",
        )?;
    }
    let nothing: &[String] = &[];
    let (mode, allowed_function_names) = match &request.tool_choice {
        None => return Ok(None),
        Some(ToolChoice::Auto) => ("AUTO", nothing),
        Some(ToolChoice::None) => ("NONE", nothing),
        Some(ToolChoice::Required) => ("ANY", nothing),
        Some(ToolChoice::Tool(name)) => ("ANY", std::slice::from_ref(name)),
        Some(ToolChoice::Allowed {
            required: true,
            tools,
        }) => ("ANY", tools.as_slice()),
        Some(ToolChoice::Allowed { tools, .. }) => ("VALIDATED", tools.as_slice()),
        Some(_) => {
            omissions.note("tool_choice", "left out: the API has no such choice")?;
            return Ok(None);
        }
    };
    Ok(Some(ToolConfig {
        function_calling_config: FunctionCalling {
            mode,
            allowed_function_names,
        },
    }))
}
