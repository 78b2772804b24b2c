//! Checks every wire makes before it sends: requests no model can answer, and what a model is
//! known not to do.

use std::collections::HashSet;
use std::fmt;

use aurax_core::{
    Document, Features, OutputFormat, Part, Request, Result, Role, Source, Tool, ToolChoice,
};

use crate::omissions::Omissions;
use crate::refusals::{Place, invalid, unsupported};
use crate::wire::Target;

/// Names of tools that are longer are not repeated with every result of theirs, which could make a
/// request many times its size; no provider takes them.
pub(crate) const LONGEST_NAME: usize = 256;

/// Refuses a request that cannot succeed at `target`, whatever the wire.
///
/// # Errors
/// `InvalidRequest` for a request no model can answer; `Unsupported`, naming the part and the
/// model, for what the model is known not to do. What is not known is left to the provider.
pub(crate) fn features(request: &Request, target: &Target) -> Result<()> {
    limits(request)?;
    tools(request)?;
    conversation(request)?;
    match &target.info {
        Some(info) => known(request, target, &info.features),
        None => Ok(()),
    }
}

/// Refuses names of tools that are not 1 to `longest` letters, digits, `_` and `-`.
///
/// # Errors
/// `InvalidRequest` naming the tool.
#[cfg(any(feature = "openai", feature = "anthropic"))]
pub(crate) fn tool_names(request: &Request, longest: usize) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    for (at, tool) in request.tools.iter().enumerate() {
        let Tool::Function(function) = tool else {
            continue;
        };
        let name = &function.name;
        if name.is_empty() || name.len() > longest || !name.chars().all(fits) {
            return Err(invalid(
                &format!("tools[{at}]"),
                format!("a tool's name has 1 to {longest} letters, digits, _ and -, not {name:?}"),
            ));
        }
    }
    Ok(())
}

/// Notes what belongs to another protocol inside parts that every protocol has: fields of a tool's
/// definition or of a message that only their own provider understands.
///
/// # Errors
/// `Unsupported` where the request wants nothing changed.
#[cfg(any(feature = "openai", feature = "gemini", feature = "ollama"))]
pub(crate) fn native_fields(request: &Request, omissions: &mut Omissions) -> Result<()> {
    const WHY: &str = "left out: only its own provider understands it";
    for (at, tool) in request.tools.iter().enumerate() {
        if tool.as_function().is_some_and(|f| f.native.is_some()) {
            omissions.note(&format!("tools[{at}].native"), WHY)?;
        }
    }
    for (at, message) in request.messages.iter().enumerate() {
        if message.native.is_some() {
            omissions.note(&format!("messages[{at}].native"), WHY)?;
        }
    }
    Ok(())
}

/// Notes proofs on words and tool calls, which this wire has no place for.
///
/// # Errors
/// `Unsupported` where the request wants nothing changed.
#[cfg(any(feature = "openai", feature = "ollama", feature = "anthropic"))]
pub(crate) fn proofs(
    request: &Request,
    omissions: &mut Omissions,
    has_place: impl Fn(&Part) -> bool,
) -> Result<()> {
    let proved = parts(request).filter(|(_, part)| match part {
        Part::Text(text) => text.signature.is_some() && !has_place(part),
        Part::ToolCall(call) => call.signature.is_some() && !has_place(part),
        _ => false,
    });
    match proved.count() {
        0 => Ok(()),
        count => omissions.note(
            "messages",
            format!(
                "{count} signatures of words and tool calls left out: only their maker reads them"
            ),
        ),
    }
}

/// Notes that a tool's failure has no mark of its own on the wire: its words have to say it.
///
/// # Errors
/// `Unsupported` where the request wants nothing changed.
#[cfg(feature = "openai")]
pub(crate) fn failures(request: &Request, omissions: &mut Omissions) -> Result<()> {
    for (subject, part) in parts(request) {
        if let Part::ToolResult(result) = part
            && result.is_error == Some(true)
        {
            let why = "left out: the wire has no such mark, the result's words have to say it";
            omissions.note(&format!("{subject}.is_error"), why)?;
        }
    }
    Ok(())
}

fn limits(request: &Request) -> Result<()> {
    for (is_zero, name) in [
        (request.n == Some(0), "n"),
        (request.max_output_tokens == Some(0), "max_output_tokens"),
    ] {
        if is_zero {
            return Err(invalid(name, "ask for at least 1"));
        }
    }
    Ok(())
}

fn tools(request: &Request) -> Result<()> {
    let mut names = HashSet::new();
    for (at, function) in request.tools.iter().map(Tool::as_function).enumerate() {
        if let Some(function) = function
            && !names.insert(function.name.as_str())
        {
            let subject = format!("tools[{at}]");
            return Err(invalid(
                &subject,
                format!("a second tool named {:?}", function.name),
            ));
        }
    }
    // A provider's own tool has its name inside its own JSON.
    let all_known = request.tools.len() == names.len();
    let wanted: &[String] = match &request.tool_choice {
        Some(ToolChoice::Required) if request.tools.is_empty() => {
            return Err(invalid(
                "tool_choice",
                "a tool must be used, but there is none",
            ));
        }
        Some(ToolChoice::Tool(name)) => std::slice::from_ref(name),
        Some(ToolChoice::Allowed { tools, .. }) => tools,
        _ => &[],
    };
    match wanted
        .iter()
        .find(|name| all_known && !names.contains(name.as_str()))
    {
        Some(name) => Err(invalid(
            "tool_choice",
            format!("no tool is named {name:?}; there are: {}", listed(request)),
        )),
        None => Ok(()),
    }
}

fn listed(request: &Request) -> String {
    let names: Vec<&str> = request
        .tools
        .iter()
        .filter_map(Tool::as_function)
        .map(|function| function.name.as_str())
        .collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn conversation(request: &Request) -> Result<()> {
    if request
        .messages
        .iter()
        .all(|message| message.role.is_instruction())
    {
        return Err(invalid("messages", "nothing is said; add a user's message"));
    }
    let mut calls = HashSet::new();
    for (subject, part) in parts(request) {
        match part {
            Part::ToolCall(call) => {
                calls.insert(call.id.as_str());
            }
            Part::ToolResult(result) if !calls.contains(result.call_id.as_str()) => {
                return Err(invalid(
                    &subject,
                    format!(
                        "a tool result for {:?}, which nobody called before it",
                        result.call_id
                    ),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn known(request: &Request, target: &Target, features: &Features) -> Result<()> {
    let refuse = |subject: &dyn fmt::Display, what: &str, takes: &str| {
        Err(unsupported(
            subject,
            format!("{what}; model {} takes no {takes}", target.model),
        ))
    };
    if features.tools == Some(false) && !request.tools.is_empty() {
        return refuse(&"tools", "tools", "tools");
    }
    if features.json_schema == Some(false)
        && matches!(request.output, OutputFormat::JsonSchema { .. })
    {
        return refuse(&"output", "a JSON schema", "schema for its output");
    }
    for (subject, part) in parts(request) {
        let inner = match part {
            Part::ToolResult(result) => result.content.as_slice(),
            _ => std::slice::from_ref(part),
        };
        for (at, medium) in inner.iter().enumerate() {
            let refuse = |what, takes| match part {
                Part::ToolResult(_) => {
                    refuse(&format_args!("{subject}.content[{at}]"), what, takes)
                }
                _ => refuse(&subject, what, takes),
            };
            match medium {
                Part::Image(_) if features.vision == Some(false) => {
                    return refuse("image", "images");
                }
                Part::Document(document) if features.pdf == Some(false) && is_pdf(document) => {
                    return refuse("document", "PDF documents");
                }
                Part::Audio(_) if features.audio_input == Some(false) => {
                    return refuse("audio", "audio");
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn is_pdf(document: &Document) -> bool {
    match &document.source {
        Source::Inline { media_type, .. } => media_type == "application/pdf",
        Source::Url { media_type, .. } | Source::File { media_type, .. } => media_type
            .as_deref()
            .is_none_or(|media_type| media_type == "application/pdf"),
        _ => false,
    }
}

/// Every part with its place in the request, instructions aside.
fn parts(request: &Request) -> impl Iterator<Item = (Place, &Part)> {
    request
        .messages
        .iter()
        .enumerate()
        .filter(|(_, message)| !matches!(message.role, Role::System | Role::Developer))
        .flat_map(|(at, message)| {
            message.parts.iter().enumerate().map(move |(number, part)| {
                let place = Place {
                    message: at,
                    part: number,
                };
                (place, part)
            })
        })
}

#[cfg(test)]
mod tests;
