//! Tools as their provider shows them to the model: TypeScript.
//!
//! The form is not documented. It was found by others from billed tokens (the source is in
//! `tokens/encodings.json`) and agrees with recorded usage for most tools; what is counted of it is
//! an estimate.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::chat::Function;

/// How deep schemas are followed.
const DEPTH: usize = 16;

/// The parts of a JSON Schema that are shown.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Schema {
    title: Option<Value>,
    properties: Map<String, Value>,
    required: Vec<Value>,
}

/// Writes functions down as the model sees them.
pub(super) fn typescript<'a>(functions: impl Iterator<Item = &'a Function>) -> String {
    let mut out = "namespace functions {\n\n".to_owned();
    for function in functions {
        if let Some(description) = &function.description {
            comment(&mut out, description);
        }
        out.push_str("type ");
        out.push_str(&function.name);
        out.push_str(" = (");
        let parameters = function.parameters.as_ref();
        // A schema of another shape says nothing that could be shown as a type.
        let schema: Schema = parameters
            .and_then(|schema| schema.to().ok())
            .unwrap_or_default();
        if !schema.properties.is_empty() {
            out.push_str("_: ");
            if let Some(title) = schema.title.as_ref().and_then(Value::as_str) {
                comment(&mut out, title);
            }
            object(&mut out, &schema.properties, &schema.required, DEPTH);
        }
        out.push_str(") => any;\n\n");
    }
    out.push_str("} // namespace functions");
    out
}

fn comment(out: &mut String, text: &str) {
    out.push_str("// ");
    out.push_str(text);
    out.push('\n');
}

/// Properties that are described stand on lines of their own.
fn object(out: &mut String, properties: &Map<String, Value>, required: &[Value], depth: usize) {
    let is_described = properties
        .values()
        .any(|property| property.get("description").is_some());
    let (open, between, close) = if is_described {
        ("{\n", ",\n", "\n}")
    } else {
        ("{ ", ", ", " }")
    };
    out.push_str(open);
    let required: HashSet<&str> = required.iter().filter_map(Value::as_str).collect();
    for (i, (name, property)) in properties.iter().enumerate() {
        if i > 0 {
            out.push_str(between);
        }
        if let Some(description) = property.get("description").and_then(Value::as_str) {
            comment(out, description);
        }
        out.push_str(name);
        let is_required = required.contains(name.as_str());
        out.push_str(if is_required { ": " } else { "?: " });
        of_type(out, property, depth - 1);
    }
    out.push_str(close);
}

fn of_type(out: &mut String, schema: &Value, depth: usize) {
    if depth == 0 {
        out.push_str("any");
        return;
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        union(out, values.iter(), |out, value| {
            out.push_str(&value.to_string());
        });
        return;
    }
    let choices = ["anyOf", "oneOf"]
        .iter()
        .find_map(|key| schema.get(*key).and_then(Value::as_array));
    if let Some(choices) = choices {
        union(out, choices.iter(), |out, choice| {
            of_type(out, choice, depth - 1);
        });
        return;
    }
    match schema.get("type") {
        Some(Value::Array(types)) => union(out, types.iter(), |out, name| {
            named(out, name.as_str().unwrap_or("any"), schema, depth);
        }),
        Some(Value::String(name)) => named(out, name, schema, depth),
        _ => out.push_str("any"),
    }
}

fn union<'a>(
    out: &mut String,
    values: impl Iterator<Item = &'a Value>,
    mut write: impl FnMut(&mut String, &Value),
) {
    for (i, value) in values.enumerate() {
        if i > 0 {
            out.push_str(" | ");
        }
        write(out, value);
    }
}

fn named(out: &mut String, name: &str, schema: &Value, depth: usize) {
    match name {
        "integer" => out.push_str("number"),
        "array" => {
            match schema.get("items") {
                Some(items) => of_type(out, items, depth - 1),
                None => out.push_str("any"),
            }
            out.push_str("[]");
        }
        "object" => match schema.get("properties").and_then(Value::as_object) {
            Some(properties) if !properties.is_empty() => {
                let required = schema.get("required").and_then(Value::as_array);
                object(out, properties, required.map_or(&[], Vec::as_slice), depth);
            }
            _ => out.push_str("object"),
        },
        name => out.push_str(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    #[test]
    fn tools_become_types() {
        let add = Function::new("add")
            .with_description("Add x and y")
            .with_parameters(Json::from(serde_json::json!({
                "type": "object",
                "properties": {
                    "x": {"type": "number", "description": "The first"},
                    "y": {"type": ["integer", "null"]}
                },
                "required": ["x"]
            })));
        let pick = Function::new("pick").with_parameters(Json::from(serde_json::json!({
            "title": "Pick", "type": "object",
            "properties": {
                "of": {"type": "array", "items": {"type": "object", "properties": {"a": {"enum": ["b", "c"]}}}}
            }
        })));
        let ping = Function::new("ping");
        assert_eq!(
            typescript([&add, &pick, &ping].into_iter()),
            "namespace functions {\n\n// Add x and y\ntype add = (_: {\n// The first\nx: number,\n\
             y?: number | null\n}) => any;\n\ntype pick = (_: // Pick\n{ of?: { a?: \"b\" | \"c\" }[] }) \
             => any;\n\ntype ping = () => any;\n\n} // namespace functions"
        );
    }

    fn shown(properties: &serde_json::Value) -> String {
        let schema = serde_json::json!({"type": "object", "properties": properties});
        let function = Function::new("f").with_parameters(Json::from(schema));
        let text = typescript(std::iter::once(&function));
        let start = text.find("_: ").unwrap() + 3;
        text[start..text.find(") => any").unwrap()].to_owned()
    }

    #[test]
    fn choices_are_unions() {
        for word in ["anyOf", "oneOf"] {
            let choice = serde_json::json!({word: [{"type": "string"}, {"type": "boolean"}]});
            assert_eq!(
                shown(&serde_json::json!({"a": choice})),
                "{ a?: string | boolean }"
            );
        }
    }

    #[test]
    fn what_a_schema_leaves_open_is_shown_as_open() {
        let open = serde_json::json!({"a": {"type": "array"}, "b": {"type": "object"}, "c": {}});
        assert_eq!(shown(&open), "{ a?: any[], b?: object, c?: any }");
    }

    #[test]
    fn an_object_inside_says_what_it_requires() {
        let inner = serde_json::json!({"type": "object", "required": ["x"],
            "properties": {"x": {"type": "string"}, "y": {"type": "string"}}});
        assert_eq!(
            shown(&serde_json::json!({"a": inner})),
            "{ a?: { x: string, y?: string } }"
        );
    }

    #[test]
    fn schemas_of_any_depth_and_shape_end() {
        let mut schema = serde_json::json!({"type": "string"});
        for _ in 0..100 {
            schema = serde_json::json!({"type": "object", "properties": {"x": schema, "y": {"anyOf": [schema]}}});
            if schema.to_string().len() > 100_000 {
                break;
            }
        }
        let deep = Function::new("deep").with_parameters(Json::from(schema));
        assert!(typescript(std::iter::once(&deep)).len() < 1_000_000);
        for odd in [
            "1",
            "[]",
            r#"{"properties": 7}"#,
            r#"{"properties": {"a": null, "b": {"type": 3}}}"#,
        ] {
            let odd = Function::new("odd").with_parameters(Json::parse(odd).unwrap());
            assert!(typescript(std::iter::once(&odd)).contains("type odd = ("));
        }
    }
}
