//! Every form a conversation comes in.

use aurax_core::{CacheTtl, Part, Role, Source, Tool, ToolChoice};
use aurax_providers::ModelRules;
use aurax_providers::anthropic::Anthropic;
use aurax_providers::inbound::Incoming;
use aurax_providers::openai::OpenAi;
use aurax_providers::wire::{Target, Wire};
use serde_json::{Value, json};

use super::{chat, parts, read, refused, request};

#[test]
fn content_is_a_text_a_list_or_null() {
    let text = parts(&json!({"role": "user", "content": "Hi"}));
    let list = parts(&json!({"role": "user", "content": [{"type": "text", "text": "Hi"}]}));
    assert_eq!(text, list);
    assert_eq!(text[0].as_text(), Some("Hi"));
    let silent = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    assert_eq!(parts(&silent)[0].kind(), "tool_call");
}

#[test]
fn every_role_is_read_and_results_of_one_turn_are_one_message() {
    let body = json!({"model": "m", "messages": [
        {"role": "system", "content": "S"},
        {"role": "developer", "content": "D"},
        {"role": "user", "content": "U", "name": "ann"},
        {"role": "assistant", "content": "A", "refusal": "no", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}},
            {"id": "c2", "type": "function", "function": {"name": "g", "arguments": {"y": 2}}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "two"}]},
    ]});
    let messages = chat(&read(&body)).messages;
    let roles: Vec<Role> = messages.iter().map(|message| message.role).collect();
    assert_eq!(
        roles,
        [
            Role::System,
            Role::Developer,
            Role::User,
            Role::Assistant,
            Role::Tool
        ]
    );
    assert_eq!(messages[2].name.as_deref(), Some("ann"));
    let calls: Vec<&str> = messages[3]
        .tool_calls()
        .map(|call| call.arguments.as_str())
        .collect();
    assert_eq!(calls, ["{\"x\": 1}", "{\"y\":2}"]);
    assert_eq!(messages[3].refusal().as_deref(), Some("no"));
    let results: Vec<(String, Option<String>, String)> = messages[4]
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolResult(result) => {
                (result.call_id.clone(), result.name.clone(), result.text())
            }
            _ => panic!("not a result"),
        })
        .collect();
    assert_eq!(
        results,
        [
            ("c1".into(), Some("f".into()), "one".into()),
            ("c2".into(), Some("g".into()), "two".into())
        ]
    );
}

#[test]
fn the_form_before_tools_becomes_tools() {
    let body = json!({"model": "m", "functions": [{"name": "f", "parameters": {"type": "object"}}],
        "function_call": {"name": "f"}, "messages": [
        {"role": "user", "content": "U"},
        {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "R"},
    ]});
    let request = chat(&read(&body));
    assert_eq!(request.tools[0].as_function().unwrap().name, "f");
    assert_eq!(request.tool_choice, Some(ToolChoice::Tool("f".into())));
    assert_eq!(request.parallel_tool_calls, Some(false));
    let call = request.messages[1].tool_calls().next().unwrap().clone();
    let Part::ToolResult(result) = &request.messages[2].parts[0] else {
        panic!("not a result");
    };
    assert_eq!(result.call_id, call.id);
    assert!(call.id.starts_with("call_"));
}

#[test]
fn media_are_read() {
    let content = json!([
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
        {"type": "image_url", "image_url": "data:image/png;base64,AAAA"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "file", "file": {"file_data": "JVBERi0="}},
        {"type": "input_audio", "input_audio": {"data": "CCCC", "format": "mp3"}},
        {"type": "video_url", "video_url": {"url": "https://a.example/v"}},
    ]);
    let parts = parts(&json!({"role": "user", "content": content}));
    let Part::Image(image) = &parts[0] else {
        panic!()
    };
    assert_eq!(image.source, Source::url("https://a.example/b.png"));
    assert_eq!(image.detail.as_deref(), Some("low"));
    let inline = |media_type: &str, data: &str| Source::Inline {
        media_type: media_type.into(),
        data: data.into(),
    };
    let Part::Image(image) = &parts[1] else {
        panic!()
    };
    assert_eq!(image.source, inline("image/png", "AAAA"));
    let documents: Vec<&Source> = parts[2..5]
        .iter()
        .map(|part| match part {
            Part::Document(document) => &document.source,
            _ => panic!("not a document"),
        })
        .collect();
    assert_eq!(
        documents,
        [
            &inline("application/pdf", "BBBB"),
            &Source::file("file-1"),
            &inline("application/pdf", "JVBERi0=")
        ]
    );
    let Part::Audio(audio) = &parts[5] else {
        panic!()
    };
    assert_eq!(audio.source, inline("audio/mpeg", "CCCC"));
    let Part::Native(native) = &parts[6] else {
        panic!()
    };
    assert_eq!(
        (native.kind.as_str(), native.wire.as_deref()),
        ("video_url", Some("openai.chat"))
    );
}

#[test]
fn thoughts_come_under_any_name() {
    let details = json!([{"type": "reasoning.encrypted", "data": "gA"}]);
    for name in ["reasoning_content", "reasoning"] {
        let turn = json!({"role": "assistant", "content": "A", name: "hm",
            "reasoning_details": details});
        let parts = parts(&turn);
        let Part::Thinking(thinking) = &parts[0] else {
            panic!()
        };
        assert_eq!(thinking.text, "hm");
        let Part::Native(native) = &parts[1] else {
            panic!()
        };
        assert_eq!(native.kind, "reasoning_details");
        assert_eq!(native.json, details.to_string());
    }
    let list = json!({"role": "assistant", "content": [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "A"}]});
    assert_eq!(parts(&list)[0].kind(), "thinking");
}

#[test]
fn marks_of_what_to_cache_are_read() {
    let content = json!([
        {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "c"},
    ]);
    let marks: Vec<Option<Option<CacheTtl>>> = parts(&json!({"role": "user", "content": content}))
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.cache.map(|hint| hint.ttl),
            _ => panic!("not a text"),
        })
        .collect();
    assert_eq!(marks, [Some(None), Some(Some(CacheTtl::OneHour)), None]);
}

#[test]
fn tools_and_choices_are_read_in_every_form() {
    let tools = json!([
        {"type": "function", "function": {"name": "f", "description": "d", "strict": true,
            "parameters": {"type":"object","properties":{"z":{},"a":{}}}}},
        {"type": "web_search"},
    ]);
    let request = super::request(&json!({"tools": tools}));
    let function = request.tools[0].as_function().unwrap();
    assert_eq!(function.strict, Some(true));
    assert_eq!(
        function.parameters.as_ref().unwrap().as_str(),
        r#"{"type":"object","properties":{"z":{},"a":{}}}"#
    );
    assert!(matches!(&request.tools[1], Tool::Native(native) if native.kind == "web_search"));
    let named = json!({"type": "function", "function": {"name": "f"}});
    let allowed = json!({"type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [named]}});
    for (choice, expected) in [
        (json!("auto"), ToolChoice::Auto),
        (json!("none"), ToolChoice::None),
        (json!("required"), ToolChoice::Required),
        (json!("any"), ToolChoice::Required),
        (named.clone(), ToolChoice::Tool("f".into())),
        (
            allowed,
            ToolChoice::Allowed {
                required: true,
                tools: vec!["f".into()],
            },
        ),
    ] {
        let read = self::request(&json!({"tool_choice": choice}));
        assert_eq!(read.tool_choice, Some(expected));
    }
}

#[test]
fn what_is_wrong_is_named() {
    let hi = json!([{"role": "user", "content": "Hi"}]);
    for (body, param) in [
        (json!({"messages": hi}), "model"),
        (json!({"model": 7, "messages": hi}), "model"),
        (json!({"model": "m"}), "messages"),
        (json!({"model": "m", "messages": []}), "messages"),
        (
            json!({"model": "m", "messages": [{"content": "Hi"}]}),
            "messages[0].role",
        ),
        (
            json!({"model": "m", "messages": [{"role": "king"}]}),
            "messages[0].role",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": 7}]}),
            "messages[0].content",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": [{"text": "x"}]}]}),
            "messages[0].content[0].type",
        ),
        (
            json!({"model": "m", "messages": [{"role": "tool", "content": "x"}]}),
            "messages[0].tool_call_id",
        ),
        (
            json!({"model": "m", "messages": hi, "temperature": "hot"}),
            "temperature",
        ),
        (
            json!({"model": "m", "messages": hi, "max_tokens": -1}),
            "max_tokens",
        ),
        (json!({"model": "m", "messages": hi, "n": 0}), "n"),
        (
            json!({"model": "m", "messages": hi, "stream": "yes"}),
            "stream",
        ),
        (
            json!({"model": "m", "messages": hi, "tool_choice": "all"}),
            "tool_choice",
        ),
        (
            json!({"model": "m", "messages": hi, "tools": [{"type": "custom", "custom": {"name": "x"}}]}),
            "tools[0].type",
        ),
        (
            json!({"model": "m", "messages": hi, "response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}),
            "response_format.json_schema.schema",
        ),
        (
            json!({"model": "m", "messages": hi, "reasoning_effort": "huge"}),
            "reasoning_effort",
        ),
        (
            json!({"model": "m", "messages": hi, "metadata": {"a": 1}}),
            "metadata",
        ),
        (
            json!({"model": "m", "messages": hi, "logprobs": true, "top_logprobs": 21}),
            "top_logprobs",
        ),
    ] {
        let error = refused(&body);
        assert_eq!(
            error.kind(),
            aurax_core::ErrorKind::InvalidRequest,
            "{body}"
        );
        assert_eq!(error.context("param"), Some(param), "{body}");
    }
}

#[test]
fn fields_of_a_vendor_s_own_stay_where_they_were() {
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "Hi", "weight": 1},
        {"role": "assistant", "content": "A", "prefix": true, "annotations": [], "audio": null}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"},
            "defer_loading": true}}]});
    let call = read(&body).call;
    let target = Target {
        provider: "p".into(),
        model: call.model.clone(),
        rules: ModelRules::default(),
        info: None,
    };
    let encoded = OpenAi::default().encode(&call, &target).unwrap();
    let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(sent["messages"][0], body["messages"][0]);
    // What clients got with the model's turn they send back; it is no field of a request.
    assert_eq!(
        sent["messages"][1],
        json!({"role": "assistant", "content": "A", "prefix": true})
    );
    assert_eq!(sent["tools"], body["tools"]);
    assert!(encoded.warnings.is_empty());
    let other = Anthropic::new().encode(&call, &target).unwrap();
    let subjects: Vec<&str> = other
        .warnings
        .iter()
        .map(|warning| warning.subject.as_str())
        .collect();
    assert_eq!(
        subjects,
        [
            "messages[0].native",
            "messages[1].native",
            "tools[0].native"
        ]
    );
    assert!(!String::from_utf8_lossy(&other.body).contains("defer_loading"));
}

/// The name of a tool is told with each result of its calls; one that no provider takes is not.
#[test]
fn a_long_name_is_not_repeated_with_every_result() {
    let request = |name: String| {
        let call = json!({"id": "c", "type": "function", "function": {"name": name}});
        let mut messages = vec![json!({"role": "assistant", "tool_calls": [call]})];
        messages.extend(vec![json!({"role": "tool", "tool_call_id": "c"}); 100]);
        read(&json!({"model": "m", "messages": messages}))
    };
    let results = |incoming: &Incoming| {
        let request = chat(incoming);
        let results = request.messages[1].parts.iter();
        let named = results.filter(|part| match part {
            Part::ToolResult(result) => result.name.is_some(),
            _ => false,
        });
        named.count()
    };
    assert_eq!(results(&request("n".repeat(256))), 100);
    assert_eq!(results(&request("n".repeat(257))), 0);
}

/// Each field a client makes up costs the same, however many there are: this takes minutes where
/// they are looked for among each other.
#[test]
fn many_fields_nobody_knows_are_sent_on() {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    for number in 0..100_000 {
        body[format!("field_{number}")] = json!(number);
    }
    let call = read(&body).call;
    let target = Target {
        provider: "openai".into(),
        model: call.model.clone(),
        rules: ModelRules::default(),
        info: None,
    };
    let encoded = OpenAi::default().encode(&call, &target).unwrap();
    let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(sent["field_99999"], json!(99_999));
    assert_eq!(sent.as_object().unwrap().len(), 100_002);
}
