//! Tools, as far as the API lets their use be steered.
//!
//! Facts: <https://github.com/ollama/ollama/blob/main/docs/api.md#chat-request-with-tools>.

use aurax_core::{Function, Json, Request, Result, Tool, ToolChoice};
use serde::Serialize;

use crate::omissions::Omissions;

/// A tool, on the wire.
#[derive(Debug, Serialize)]
pub(super) struct Definition<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Declaration<'a>,
}

#[derive(Debug, Serialize)]
struct Declaration<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Json,
}

/// The tools of a request that the model may use.
///
/// # Errors
/// `Unsupported` where the request wants nothing changed.
pub(super) fn tools<'a>(
    request: &'a Request,
    omissions: &mut Omissions,
) -> Result<Vec<Definition<'a>>> {
    if request.tools.is_empty() {
        return Ok(Vec::new());
    }
    if request.parallel_tool_calls == Some(false) {
        omissions.note(
            "parallel_tool_calls",
            "left out: the API has no such choice; the model may use several tools at once",
        )?;
    }
    let allowed: Option<&[String]> = match &request.tool_choice {
        Some(ToolChoice::None) => return Ok(Vec::new()),
        Some(ToolChoice::Tool(name)) => Some(std::slice::from_ref(name)),
        Some(ToolChoice::Allowed { tools, .. }) => Some(tools),
        _ => None,
    };
    if matches!(
        request.tool_choice,
        Some(
            ToolChoice::Required | ToolChoice::Tool(_) | ToolChoice::Allowed { required: true, .. }
        )
    ) {
        omissions.note(
            "tool_choice",
            "became auto: the API cannot make the model use a tool",
        )?;
    }
    let mut definitions = Vec::with_capacity(request.tools.len());
    for (at, tool) in request.tools.iter().enumerate() {
        let subject = format!("tools[{at}]");
        match tool {
            Tool::Function(function) => {
                let is_allowed = allowed.is_none_or(|names| names.contains(&function.name));
                if is_allowed {
                    definitions.push(definition(&subject, function, omissions)?);
                }
            }
            Tool::Native(_) => {
                omissions.note(&subject, "left out: it is another provider's own tool")?;
            }
            _ => omissions.note(&subject, "left out: the API has no such tools")?,
        }
    }
    Ok(definitions)
}

fn definition<'a>(
    subject: &str,
    function: &'a Function,
    omissions: &mut Omissions,
) -> Result<Definition<'a>> {
    if function.strict == Some(true) {
        let subject = format!("{subject}.strict");
        omissions.note(&subject, "left out: the API has no such choice for a tool")?;
    }
    let parameters = match &function.parameters {
        Some(schema) => schema.clone(),
        None => Json::parse(r#"{"type":"object","properties":{}}"#)?,
    };
    Ok(Definition {
        kind: "function",
        function: Declaration {
            name: &function.name,
            description: function.description.as_deref(),
            parameters,
        },
    })
}
