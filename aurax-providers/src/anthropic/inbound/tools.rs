//! Tools, and whether they must be used.

use aurax_core::{Function, Native, Request, Result, Tool, ToolChoice};

use super::super::NAME;
use super::settings::cache_mark;
use crate::inbound::fields::{Field, Fields};

/// Tools the provider runs itself, or knows how to describe: their types are these words and a
/// date (<https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview>).
const SERVER: [&str; 11] = [
    "advisor",
    "bash",
    "code_execution",
    "computer",
    "memory",
    "mcp_toolset",
    "str_replace_based_edit_tool",
    "text_editor",
    "tool_search_tool",
    "web_fetch",
    "web_search",
];

pub(super) fn read(fields: &mut Fields<'_>, request: &mut Request) -> Result<()> {
    for tool in fields.list("tools")? {
        request.tools.push(self::tool(&tool)?);
    }
    let Some(field) = fields.take("tool_choice") else {
        return Ok(());
    };
    let mut choice = field.object()?;
    let kind = choice.require("type")?;
    request.tool_choice = Some(match kind.string()?.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Tool(choice.require("name")?.string()?),
        _ => return Err(kind.invalid("expected auto, any, tool or none")),
    });
    let disabled = choice.flag("disable_parallel_tool_use")?;
    request.parallel_tool_calls = disabled.map(|disabled| !disabled);
    if !choice.is_spent() {
        fields.put_back("tool_choice", &field);
    }
    Ok(())
}

fn tool(field: &Field<'_>) -> Result<Tool> {
    let mut tool = field.object()?;
    let kind = tool.take("type");
    let word = kind.as_ref().map_or(Ok("custom".into()), Field::string)?;
    if word != "custom" {
        return match kind {
            Some(kind) if !is_server(&word) => {
                Err(kind.invalid(format!("there are no tools of type {word}")))
            }
            _ => Ok(Native::of_client(NAME, word, field.text()).into()),
        };
    }
    let mut function = Function::new(tool.require("name")?.string()?);
    function.description = tool.string("description")?;
    let schema = tool.require("input_schema")?;
    if !schema.is_object() {
        return Err(schema.invalid("expected a JSON Schema"));
    }
    function.parameters = Some(schema.json());
    function.strict = tool.flag("strict")?;
    function.cache = cache_mark(&mut tool)?;
    function.native = tool.rest_of(NAME, "tool")?;
    Ok(function.into())
}

/// One of the words, alone or before a date or a variant.
fn is_server(word: &str) -> bool {
    SERVER.iter().any(|known| {
        word.strip_prefix(known)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    })
}
