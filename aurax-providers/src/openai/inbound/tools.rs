//! Tools and the choice among them, in the current form and the one before it.

use aurax_core::{Function, Native, Request, Result, Tool, ToolChoice};
use serde_json::Value;

use super::super::NAME;
use super::super::tool::TOOL;
use super::parts::cache_mark;
use crate::inbound::Wishes;
use crate::inbound::fields::{Field, Fields};

pub(super) fn read(
    fields: &mut Fields<'_>,
    request: &mut Request,
    wishes: &mut Wishes,
) -> Result<()> {
    for tool in fields.list("tools")? {
        request.tools.push(self::tool(&tool)?);
    }
    if let Some(field) = fields.take("tool_choice") {
        let mut is_known = true;
        request.tool_choice = Some(self::choice(&field, &mut is_known)?);
        if !is_known {
            fields.put_back("tool_choice", &field);
        }
    }
    request.parallel_tool_calls = fields.flag("parallel_tool_calls")?;
    for old in fields.list("functions")? {
        wishes.one_call = true;
        request.tools.push(function(old.object()?)?.into());
    }
    if let Some(old) = fields.take("function_call") {
        let choice = if old.is_text() {
            word(&old)?
        } else {
            ToolChoice::Tool(old.object()?.require("name")?.string()?)
        };
        request.tool_choice.get_or_insert(choice);
    }
    if wishes.one_call {
        request.parallel_tool_calls.get_or_insert(false);
    }
    Ok(())
}

fn tool(field: &Field<'_>) -> Result<Tool> {
    let mut object = field.object()?;
    let kind = object.take("type");
    let word = kind.as_ref().map_or(Ok("function".into()), Field::string)?;
    match (word.as_str(), kind) {
        ("function", _) => {
            let mark = cache_mark(&mut object)?;
            let inner = object.require("function")?;
            let mut function = self::function(inner.object()?)?;
            function.cache = function.cache.or(mark);
            // Fields beside the function: those inside of it stand in an object of its name.
            if !object.is_spent() {
                let inside = function.native.take();
                let mut around = object.rest()?;
                if let Some(inside) = inside.and_then(|own| serde_json::from_str(&own.json).ok()) {
                    around.insert("function".to_owned(), Value::Object(inside));
                }
                let json = Value::Object(around).to_string();
                function.native = Some(Native::of_client(NAME, TOOL, json));
            }
            Ok(function.into())
        }
        ("custom", Some(kind)) => {
            Err(kind.invalid("custom tools are not supported; describe a function"))
        }
        (word, _) => Ok(Native::of_client(NAME, word, field.text()).into()),
    }
}

fn function(mut fields: Fields<'_>) -> Result<Function> {
    let mut function = Function::new(fields.require("name")?.string()?);
    function.description = fields.string("description")?;
    if let Some(schema) = fields.take("parameters") {
        if !schema.is_object() {
            return Err(schema.invalid("expected a JSON Schema"));
        }
        function.parameters = Some(schema.json());
    }
    function.strict = fields.flag("strict")?;
    function.cache = cache_mark(&mut fields)?;
    function.native = fields.rest_of(NAME, "function")?;
    Ok(function)
}

/// A choice; `is_known` turns false where something of it has no place.
fn choice(field: &Field<'_>, is_known: &mut bool) -> Result<ToolChoice> {
    if field.is_text() {
        return word(field);
    }
    let mut choice = field.object()?;
    let kind = choice.take("type");
    let word = kind.as_ref().map_or(Ok("function".into()), Field::string)?;
    match word.as_str() {
        "function" => Ok(ToolChoice::Tool(named(choice, is_known)?)),
        "allowed_tools" => {
            // The other protocol of OpenAI's has the list without the object around it.
            let mut allowed = match choice.object("allowed_tools")? {
                Some(allowed) => {
                    *is_known &= choice.is_spent();
                    allowed
                }
                None => choice,
            };
            let mode = allowed.take("mode");
            let required = match mode.as_ref().map(Field::string).transpose()?.as_deref() {
                None | Some("auto") => false,
                Some("required" | "any") => true,
                Some(_) => return Err(allowed.invalid("mode", "expected auto or required")),
            };
            let mut tools = Vec::new();
            for tool in allowed.list("tools")? {
                let mut tool = tool.object()?;
                tool.take("type");
                tools.push(named(tool, is_known)?);
            }
            *is_known &= allowed.is_spent();
            Ok(ToolChoice::Allowed { required, tools })
        }
        _ => Err(field.invalid("expected a function or allowed_tools")),
    }
}

/// The name of a function, inside an object of its own or beside the type.
fn named(mut fields: Fields<'_>, is_known: &mut bool) -> Result<String> {
    let name = match fields.object("function")? {
        Some(mut function) => {
            let name = function.require("name")?.string()?;
            *is_known &= function.is_spent();
            name
        }
        None => fields.require("name")?.string()?,
    };
    *is_known &= fields.is_spent();
    Ok(name)
}

fn word(field: &Field<'_>) -> Result<ToolChoice> {
    Ok(match field.string()?.as_str() {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        // Mistral's word is `any`.
        "required" | "any" => ToolChoice::Required,
        _ => return Err(field.invalid("expected auto, none, required or a function")),
    })
}
