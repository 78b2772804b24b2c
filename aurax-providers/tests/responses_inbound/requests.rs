//! Every form a request may have.

use aurax_core::{
    CacheTtl, Effort, ErrorKind, Image, Message, OutputFormat, Part, Role, ShowThinking, Source,
    Tool, ToolChoice, Truncation,
};
use aurax_providers::inbound::Inbound as _;
use serde_json::{Value, json};

use super::{inbound, read, request};

fn messages(input: Value) -> Vec<Message> {
    request(&json!({"model": "m", "input": input}))
        .messages
        .clone()
}

#[test]
fn input_is_a_text_or_a_list() {
    assert_eq!(messages(json!("Hi")), [Message::user("Hi")]);
    for item in [
        json!({"role": "user", "content": "Hi"}),
        json!({"type": "message", "role": "user", "content": "Hi"}),
        json!({"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}),
    ] {
        assert_eq!(messages(json!([item])), [Message::user("Hi")]);
    }
}

#[test]
fn instructions_come_first() {
    let body = json!({"model": "m", "instructions": "S", "input": [
        {"role": "developer", "content": "D"}, {"role": "user", "content": "Hi"}]});
    let request = request(&body);
    let roles: Vec<Role> = request
        .messages
        .iter()
        .map(|message| message.role)
        .collect();
    assert_eq!(roles, [Role::System, Role::Developer, Role::User]);
}

#[test]
fn items_of_a_turn_become_one_message() {
    let messages = messages(json!([
        {"role": "user", "content": "Hi"},
        {"type": "reasoning", "id": "rs_1", "encrypted_content": "gA", "status": null,
         "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
         "content": [{"type": "reasoning_text", "text": "raw"}], "format": "f"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
         "phase": "commentary", "content": [{"type": "output_text", "text": "x", "annotations": [
             {"type": "url_citation", "url": "https://e.org", "title": "E", "start_index": 0,
              "end_index": 1}]}, {"type": "refusal", "refusal": "no"}]},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f",
         "arguments": "{}", "status": "completed"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "function_call_output", "call_id": "call_1", "output": "done"},
        {"type": "function_call_output", "call_id": "call_1",
         "output": [{"type": "input_text", "text": "see"},
                    {"type": "input_image", "image_url": "https://e.org/a.png"}]},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "x"},
    ]));
    let roles: Vec<Role> = messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool, Role::User]);
    let kinds: Vec<&str> = messages[1].parts.iter().map(Part::kind).collect();
    assert_eq!(
        kinds,
        [
            "thinking",
            "thinking",
            "thinking",
            "text",
            "refusal",
            "tool_call",
            "native"
        ]
    );
    let Part::Thinking(last) = &messages[1].parts[2] else {
        panic!("thoughts come first");
    };
    let item = last.item.as_ref().unwrap();
    assert_eq!(item.id.as_deref(), Some("rs_1"));
    assert_eq!(item.kind.as_deref(), Some("reasoning_text"));
    assert_eq!(item.extra.as_ref().unwrap().as_str(), r#"{"format":"f"}"#);
    assert_eq!(last.signature.as_ref().unwrap().data, "gA");
    let Part::Text(text) = &messages[1].parts[3] else {
        panic!("then words");
    };
    let item = text.item.as_ref().unwrap();
    assert_eq!(item.phase.as_deref(), Some("commentary"));
    assert_eq!(text.citations[0].url.as_deref(), Some("https://e.org"));
    assert_eq!(messages[2].parts.len(), 2);
    assert_eq!(messages[3].parts[0].kind(), "native");
}

#[test]
fn two_easy_messages_of_the_assistant_stay_two() {
    let easy = |text: &str| json!({"role": "assistant", "content": text});
    let messages = messages(json!([{"role": "user", "content": "Hi"}, easy("a"), easy("b")]));
    assert_eq!(messages.len(), 3);
}

#[test]
fn media_are_read() {
    let messages = messages(json!([{"role": "user", "content": [
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
        {"type": "input_image", "file_id": "file_1"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERg==", "filename": "a"},
        {"type": "input_file", "file_data": "JVBERg=="},
        {"type": "input_file", "file_url": "https://e.org/a.pdf"},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        {"type": "input_video", "video_url": "https://e.org/a.mp4"},
    ]}]));
    let parts = &messages[0].parts;
    let image = Image::from_url("data:image/png;base64,AAAA").with_detail("low");
    assert_eq!(parts[0], Part::Image(image));
    let kinds: Vec<&str> = parts.iter().map(Part::kind).collect();
    assert_eq!(
        kinds,
        [
            "image", "image", "document", "document", "document", "audio", "native"
        ]
    );
    let pdf = Source::bytes("application/pdf", b"%PDF");
    for part in &parts[2..4] {
        let Part::Document(document) = part else {
            panic!("{part:?}");
        };
        assert_eq!(document.source, pdf);
    }
}

#[test]
fn settings_land_in_the_domain() {
    let request = request(&json!({
        "model": "m", "input": "Hi", "stream": true, "store": false,
        "max_output_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_logprobs": 2,
        "parallel_tool_calls": false, "service_tier": "flex", "prompt_cache_key": "k",
        "metadata": {"a": "b"}, "user": "old", "safety_identifier": "u", "truncation": "auto",
        "reasoning": {"effort": "xhigh", "summary": "detailed", "mode": "pro", "context": "all"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type":"object"},
                            "strict": true}},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "tools": [{"type": "function", "name": "f", "parameters": {"b": 1, "a": 2}, "strict": true},
                  {"type": "web_search"}],
        "tool_choice": {"type": "allowed_tools", "mode": "required",
                        "tools": [{"type": "function", "name": "f"}]},
        "previous_response_id": null, "background": false, "conversation": null,
    }));
    assert!(request.stream);
    assert_eq!(
        (request.store, request.max_output_tokens),
        (Some(false), Some(9))
    );
    assert_eq!(
        (request.sampling.temperature, request.sampling.top_p),
        (Some(0.5), Some(0.9))
    );
    assert_eq!(
        (request.logprobs, request.parallel_tool_calls),
        (Some(2), Some(false))
    );
    assert_eq!(request.service_tier.as_deref(), Some("flex"));
    assert_eq!(request.cache_key.as_deref(), Some("k"));
    assert_eq!(request.metadata["a"], "b");
    assert_eq!(request.user.as_deref(), Some("u"));
    assert_eq!(request.truncation, Some(Truncation::Auto));
    assert_eq!(request.reasoning.effort, Some(Effort::XHigh));
    assert_eq!(request.reasoning.show, Some(ShowThinking::Detailed));
    assert_eq!(request.reasoning.mode.as_deref(), Some("pro"));
    let OutputFormat::JsonSchema { schema, .. } = &request.output else {
        panic!("{:?}", request.output);
    };
    assert_eq!(schema.as_str(), r#"{"type":"object"}"#);
    let Tool::Function(function) = &request.tools[0] else {
        panic!("a function");
    };
    assert_eq!(
        function.parameters.as_ref().unwrap().as_str(),
        r#"{"b":1,"a":2}"#
    );
    assert!(matches!(&request.tools[1], Tool::Native(native) if native.kind == "web_search"));
    let allowed = ToolChoice::Allowed {
        required: true,
        tools: vec!["f".into()],
    };
    assert_eq!(request.tool_choice, Some(allowed));
    assert!(request.extra.fields.is_empty(), "{:?}", request.extra);
}

#[test]
fn what_has_no_place_travels_with_the_name_of_the_wire() {
    let body = json!({
        "model": "m", "input": "Hi", "text": {"verbosity": "low"},
        "reasoning": {"effort": "low", "generate_summary": "auto"},
        "tool_choice": {"type": "web_search"}, "include": ["file_search_call.results"],
        "tools": [{"type": "function", "name": "f", "defer_loading": true}],
        "prompt_cache_options": {"ttl": "12h", "mode": "implicit"}, "max_tool_calls": 3,
    });
    let request = request(&body);
    assert_eq!(request.extra.wire.as_deref(), Some("openai.responses"));
    let fields = &request.extra.fields;
    for name in ["text", "reasoning", "tool_choice", "max_tool_calls"] {
        assert_eq!(fields[name], body[name], "{name}");
    }
    // What a function has of its own stays with it.
    let function = request.tools[0].as_function().unwrap();
    let native = function.native.as_ref().unwrap();
    assert_eq!(native.wire.as_deref(), Some("openai.responses"));
    assert_eq!(native.json, r#"{"defer_loading":true}"#);
    let include = json!(["file_search_call.results", "reasoning.encrypted_content"]);
    assert_eq!(fields["include"], include);
    assert_eq!(request.reasoning.effort, Some(Effort::Low));
    let newer = json!({"model": "m", "input": "Hi", "reasoning": {"effort": "ultra"}});
    let fields = &super::request(&newer).extra.fields;
    assert_eq!(fields["reasoning"], newer["reasoning"]);
    assert_eq!(request.cache.unwrap().ttl, Some(CacheTtl::HalfDay));
}

#[test]
fn mistakes_name_their_field() {
    for (body, param) in [
        (json!({"input": "Hi"}), "model"),
        (json!({"model": "m"}), "input"),
        (json!({"model": "m", "input": 7}), "input"),
        (json!({"model": "m", "input": [7]}), "input[0]"),
        (
            json!({"model": "m", "input": [{"role": "x", "content": ""}]}),
            "input[0].role",
        ),
        (
            json!({"model": "m", "input": [{"role": "user"}]}),
            "input[0].content",
        ),
        (
            json!({"model": "m", "input": [{"role": "user", "content": [{"type": "input_image"}]}]}),
            "input[0].content[0]",
        ),
        (
            json!({"model": "m", "input": [{"type": "item_reference", "id": "x"}]}),
            "input[0]",
        ),
        (
            json!({"model": "m", "input": [{"type": "function_call", "name": "f"}]}),
            "input[0].call_id",
        ),
        (
            json!({"model": "m", "input": "Hi", "temperature": "hot"}),
            "temperature",
        ),
        (
            json!({"model": "m", "input": "Hi", "max_output_tokens": -1}),
            "max_output_tokens",
        ),
        (json!({"model": "m", "input": "Hi", "tools": {}}), "tools"),
        (
            json!({"model": "m", "input": "Hi", "tools": [{"type": "function"}]}),
            "tools[0].name",
        ),
        (
            json!({"model": "m", "input": "Hi", "truncation": "some"}),
            "truncation",
        ),
        (
            json!({"model": "m", "input": "Hi", "metadata": {"a": 1}}),
            "metadata",
        ),
        (
            json!({"model": "m", "input": "Hi", "text": {"format": {"type": "json_schema"}}}),
            "text.format.schema",
        ),
    ] {
        let error = read(&body).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{body}");
        assert_eq!(error.context("param"), Some(param), "{body}");
    }
    for body in [&b"[]"[..], b"{", b"\xff", b""] {
        let error = inbound().read(body).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
}

#[test]
fn a_body_nested_too_deep_is_refused() {
    let body = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"model": "m", "input": "Hi", "a": {open}{close}}}"#)
    };
    assert!(inbound().read(body(63).as_bytes()).is_ok());
    let error = inbound().read(body(64).as_bytes()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(error.context("param"), Some("body"));
}

/// Each part of an item has its id, so a long one and many parts are many times the request.
#[test]
fn a_long_id_and_many_parts_are_refused() {
    let read = |id: usize, parts: usize| {
        let part = json!({"type": "output_text", "text": "a"});
        let thought = json!({"type": "summary_text", "text": "a"});
        let message = json!({"role": "assistant", "id": "i".repeat(id),
                             "content": vec![part; parts]});
        let reasoning = json!({"type": "reasoning", "id": "i".repeat(id),
                               "summary": vec![thought; parts]});
        [message, reasoning].map(|item| read(&json!({"model": "m", "input": [item]})))
    };
    assert!(read(4096, 200).iter().all(Result::is_ok));
    for (refused, param) in read(4096, 300)
        .into_iter()
        .zip(["input[0].content", "input[0]"])
    {
        assert_eq!(refused.unwrap_err().context("param"), Some(param));
    }
}

#[test]
fn a_server_without_a_store_refuses_what_needs_one() {
    for (name, value) in [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!("conv_1")),
        ("background", json!(true)),
        ("prompt", json!({"id": "pmpt_1"})),
        ("store", json!(true)),
    ] {
        let mut body = json!({"model": "m", "input": "Hi"});
        body[name] = value;
        let error = inbound()
            .refuse_stateful(&read(&body).unwrap())
            .unwrap_err();
        assert_eq!(error.context("param"), Some(name));
        let reply = inbound().error(&error, "req_1");
        assert_eq!(reply.status, 400);
        let said: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(said["error"]["code"], "unsupported_parameter");
        assert_eq!(said["error"]["param"], name);
    }
    let plain = json!({"model": "m", "input": "Hi", "store": false, "background": false});
    inbound().refuse_stateful(&read(&plain).unwrap()).unwrap();
}

#[test]
fn of_a_field_that_is_there_twice_the_last_one_counts_and_none_travels_on() {
    let body = r#"{"model": "m", "input": "Hi", "store": true, "max_output_tokens": 100000,
        "store": false, "max_output_tokens": 16}"#;
    let incoming = aurax_providers::responses::ResponsesInbound::new();
    let incoming = incoming.read(body.as_bytes()).unwrap();
    let aurax_core::Op::Chat(request) = &incoming.call.op else {
        panic!("a chat");
    };
    assert_eq!(
        (request.store, request.max_output_tokens),
        (Some(false), Some(16))
    );
    assert!(request.extra.fields.is_empty(), "{:?}", request.extra);
}
