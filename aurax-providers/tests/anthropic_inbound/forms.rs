//! Every form a conversation comes in.

use aurax_core::{CacheHint, CacheTtl, ErrorKind, Part, Role, Source, Tool, ToolChoice};
use aurax_providers::anthropic::{Anthropic, CountTokensInbound};
use aurax_providers::inbound::Inbound;
use aurax_providers::wire::{Target, Wire};
use aurax_providers::{ModelRules, Seal};
use serde_json::{Value, json};

use super::{chat, hello, parts, read, refused, request};

#[test]
fn instructions_are_a_text_or_blocks_and_stand_anywhere() {
    let body = json!({"model": "m", "max_tokens": 9, "system": "S", "messages": [
        {"role": "user", "content": "U"},
        {"role": "system", "content": [{"type": "text", "text": "T"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "A"}]},
        {"role": "user", "content": [{"type": "text", "text": "V"}]},
    ]});
    let messages = chat(&read(&body)).messages;
    let said: Vec<(Role, String)> = messages
        .iter()
        .map(|message| (message.role, message.text()))
        .collect();
    let one = |role, text: &str| (role, text.to_owned());
    assert_eq!(
        said,
        [
            one(Role::System, "S"),
            one(Role::User, "U"),
            one(Role::System, "T"),
            one(Role::Assistant, "A"),
            one(Role::User, "V"),
        ]
    );
    let blocks = json!([{"type": "text", "text": "S",
        "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    let request = request(&json!({"system": blocks}));
    let Part::Text(text) = &request.messages[0].parts[0] else {
        panic!()
    };
    assert_eq!(
        text.cache,
        Some(CacheHint::new().with_ttl(CacheTtl::OneHour))
    );
}

#[test]
fn results_of_tools_keep_their_forms() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "U"},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"z": 1, "a": 2}},
            {"type": "tool_use", "id": "t2", "name": "g", "input": {},
                "caller": {"type": "code_execution_20260120", "tool_id": "s1"}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "one", "is_error": true},
            {"type": "tool_result", "tool_use_id": "t2", "cache_control": {"type": "ephemeral"},
                "content": [{"type": "text", "text": "two"},
                    {"type": "image", "source": {"type": "url", "url": "https://a.example/b"}}]}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1"}, {"type": "text", "text": "and"}]},
    ]});
    let messages = chat(&read(&body)).messages;
    let calls: Vec<_> = messages[1].tool_calls().collect();
    assert_eq!(calls[0].arguments, r#"{"z":1,"a":2}"#);
    let proof = calls[1].signature.as_ref().unwrap();
    assert_eq!(proof.wire.as_deref(), Some("anthropic.messages"));
    assert!(proof.data.contains("code_execution_20260120"));
    assert_eq!(messages[2].role, Role::Tool);
    let Part::ToolResult(first) = &messages[2].parts[0] else {
        panic!()
    };
    assert_eq!(
        (first.text().as_str(), first.is_error, first.name.as_deref()),
        ("one", Some(true), Some("f"))
    );
    let Part::ToolResult(second) = &messages[2].parts[1] else {
        panic!()
    };
    assert_eq!(
        (second.content.len(), second.cache),
        (2, Some(CacheHint::new()))
    );
    assert_eq!(messages[3].role, Role::User);
    let Part::ToolResult(empty) = &messages[3].parts[0] else {
        panic!()
    };
    assert!(empty.content.is_empty());
}

#[test]
fn media_are_read() {
    let content = json!([
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"type": "image", "source": {"type": "file", "file_id": "f1"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "T"},
            "title": "t", "context": "c", "citations": {"enabled": true}},
        {"type": "document", "source": {"type": "content", "content": "x"}},
        {"type": "search_result", "source": "s", "title": "t", "content": []},
    ]);
    let parts = parts("user", &content);
    let kinds: Vec<&str> = parts.iter().map(Part::kind).collect();
    assert_eq!(kinds, ["image", "image", "document", "native", "native"]);
    let Part::Image(image) = &parts[1] else {
        panic!()
    };
    assert_eq!(image.source, Source::file("f1"));
    let Part::Document(document) = &parts[2] else {
        panic!()
    };
    assert_eq!(document.source, Source::Text("T".into()));
    assert_eq!(document.title.as_deref(), Some("t"));
    assert_eq!(document.context.as_deref(), Some("c"));
    assert_eq!(document.citations, Some(true));
    let Part::Native(native) = &parts[4] else {
        panic!()
    };
    assert_eq!(native.json, content[4].to_string());
}

#[test]
fn blocks_of_server_tools_go_back_as_they_came() {
    let block = json!({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}});
    let parts = parts("assistant", &json!([block]));
    let Part::Native(native) = &parts[0] else {
        panic!()
    };
    assert_eq!(native.kind, "server_tool_use");
    assert_eq!(native.json, block.to_string());
    assert_eq!(native.wire.as_deref(), Some("anthropic.messages"));
}

#[test]
fn tools_and_choices_are_read_in_every_form() {
    let tools = json!([
        {"name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": true,
            "cache_control": {"type": "ephemeral"}, "defer_loading": true},
        {"type": "custom", "name": "g", "input_schema": {"type": "object"}},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
    ]);
    let read = request(&json!({"tools": tools}));
    let function = read.tools[0].as_function().unwrap();
    assert_eq!(
        (function.strict, function.cache),
        (Some(true), Some(CacheHint::new()))
    );
    assert_eq!(read.tools[1].as_function().unwrap().name, "g");
    let own = function.native.as_ref().unwrap();
    assert_eq!(own.json, r#"{"defer_loading":true}"#);
    assert_eq!(own.wire.as_deref(), Some("anthropic.messages"));
    assert!(matches!(&read.tools[2], Tool::Native(tool) if tool.json.contains("max_uses")));
    for (choice, expected, parallel) in [
        (json!({"type": "auto"}), ToolChoice::Auto, None),
        (json!({"type": "any"}), ToolChoice::Required, None),
        (json!({"type": "none"}), ToolChoice::None, None),
        (
            json!({"type": "tool", "name": "f", "disable_parallel_tool_use": true}),
            ToolChoice::Tool("f".into()),
            Some(false),
        ),
    ] {
        let read = request(&json!({"tool_choice": choice}));
        assert_eq!(read.tool_choice, Some(expected));
        assert_eq!(read.parallel_tool_calls, parallel);
    }
}

#[test]
fn sources_the_model_named_are_kept() {
    let source = json!({"type": "char_location", "cited_text": "q", "document_title": "t",
        "document_index": 0, "start_char_index": 0, "end_char_index": 1});
    let block = json!([{"type": "text", "text": "A", "citations": [source]}]);
    let parts = parts("assistant", &block);
    let Part::Text(text) = &parts[0] else {
        panic!()
    };
    let citation = &text.citations[0];
    assert_eq!(citation.quote.as_deref(), Some("q"));
    assert_eq!(citation.title.as_deref(), Some("t"));
    assert_eq!(citation.native.as_ref().unwrap().json, source.to_string());
}

#[test]
fn a_count_needs_no_limit() {
    let mut body = hello();
    body.as_object_mut().unwrap().remove("max_tokens");
    let codec = CountTokensInbound::new(Seal::default());
    let incoming = codec.read(body.to_string().as_bytes()).unwrap();
    assert_eq!(chat(&incoming).max_output_tokens, None);
    let error = refused(&body);
    assert_eq!(error.context("param"), Some("max_tokens"));
    assert_eq!(error.message(), "Field required");
}

#[test]
fn what_is_wrong_is_named() {
    let hi = json!([{"role": "user", "content": "Hi"}]);
    let with = |fields: Value| {
        let mut body = hello();
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    for (body, param) in [
        (json!({"max_tokens": 9, "messages": hi}), "model"),
        (json!({"model": "m", "max_tokens": 9}), "messages"),
        (with(json!({"messages": []})), "messages"),
        (
            with(json!({"messages": [{"role": "tool", "content": "x"}]})),
            "messages.0.role",
        ),
        (
            with(json!({"messages": [{"role": "user"}]})),
            "messages.0.content",
        ),
        (
            with(json!({"messages": [{"role": "user", "content": [{"text": "x"}]}]})),
            "messages.0.content.0.type",
        ),
        (
            with(json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]})),
            "messages.0.content.0.text",
        ),
        (
            with(json!({"messages": [{"role": "assistant", "content": [
                {"type": "tool_use", "id": "t", "name": "f", "input": "x"}]}]})),
            "messages.0.content.0.input",
        ),
        (
            with(json!({"tools": [{"type": "teleport_20260101", "name": "x"}]})),
            "tools.0.type",
        ),
        (
            with(json!({"tools": [{"name": "x"}]})),
            "tools.0.input_schema",
        ),
        (
            with(json!({"tool_choice": {"type": "all"}})),
            "tool_choice.type",
        ),
        (with(json!({"thinking": {"type": "deep"}})), "thinking.type"),
        (
            with(json!({"thinking": {"type": "enabled"}})),
            "thinking.budget_tokens",
        ),
        (
            with(json!({"output_config": {"effort": "huge"}})),
            "output_config.effort",
        ),
        (with(json!({"temperature": "hot"})), "temperature"),
        (
            with(json!({"system": [{"type": "image"}]})),
            "system.0.type",
        ),
    ] {
        let error = refused(&body);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{body}");
        assert_eq!(error.context("param"), Some(param), "{body}");
    }
}

#[test]
fn fields_of_a_tool_s_own_go_back_to_this_wire() {
    let mut body = hello();
    body["tools"] = json!([{"name": "f", "input_schema": {"type": "object"},
        "defer_loading": true}]);
    let call = read(&body).call;
    let target = Target {
        provider: "p".into(),
        model: call.model.clone(),
        rules: ModelRules::default(),
        info: None,
    };
    let encoded = Anthropic::new().encode(&call, &target).unwrap();
    let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(sent["tools"], body["tools"]);
}

/// The name of a tool is told with each result of its calls; one that no provider takes is not.
#[test]
fn a_long_name_is_not_repeated_with_every_result() {
    let results = |name: String| {
        let call = json!({"type": "tool_use", "id": "t", "name": name, "input": {}});
        let result = json!({"type": "tool_result", "tool_use_id": "t"});
        let messages = json!([{"role": "assistant", "content": [call]},
            {"role": "user", "content": vec![result; 100]}]);
        let request = request(&json!({"messages": messages}));
        let results = request.messages[1].parts.iter();
        let named = results.filter(|part| match part {
            Part::ToolResult(result) => result.name.is_some(),
            _ => false,
        });
        named.count()
    };
    assert_eq!(results("n".repeat(256)), 100);
    assert_eq!(results("n".repeat(257)), 0);
}
