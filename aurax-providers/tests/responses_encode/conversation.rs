//! Messages, items and what goes back to whom.

use aurax_core::{
    Audio, CacheHint, Document, Effort, ErrorKind, Function, Image, Item, Json, Message, Native,
    Origin, Part, Reasoning, RedactedThinking, Refusal, Request, Role, ShowThinking, Signature,
    Source, Text, Thinking, ToolCall, ToolChoice, ToolResult,
};
use serde_json::{Value, json};

use super::{body, encode, warned};

const MODEL: &str = "openai-responses/gpt-5";

fn own() -> Origin {
    Origin::new("openai-responses", "gpt-5")
}

fn listed(id: &str) -> Option<Item> {
    Some(Item::new(id).with_origin(Some(own())))
}

fn thought(text: &str, id: &str, signature: Option<Signature>) -> Part {
    let mut thinking = Thinking::new(text);
    thinking.item = listed(id);
    thinking.signature = signature;
    Part::Thinking(thinking)
}

fn said(text: &str, id: &str) -> Part {
    let mut text = Text::new(text);
    text.item = listed(id);
    Part::Text(text)
}

fn call() -> ToolCall {
    let mut call = ToolCall::new("call_1", "get_weather", "{\"city\":\"Paris\"}");
    call.item = listed("fc_1");
    call
}

fn input(messages: Vec<Message>) -> Vec<Value> {
    body(MODEL, messages)["input"].as_array().unwrap().clone()
}

#[test]
fn the_second_turn_of_a_tool_loop_is_the_golden_one() {
    let signed = Signature::new("gAAA", Some(own()));
    let turn = Message::new(
        Role::Assistant,
        vec![thought("", "rs_1", Some(signed)), call().into()],
    );
    let schema = r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#;
    let request = Request::new([
        Message::system("S"),
        Message::user("Weather in Paris?"),
        turn,
        Message::tool([ToolResult::new(&call(), "sunny")]),
    ])
    .with_tools([Function::new("get_weather")
        .with_description("w")
        .with_parameters(Json::parse(schema).unwrap())])
    .with_tool_choice(ToolChoice::Auto)
    .with_max_output_tokens(512)
    .with_reasoning(Reasoning::new(Effort::Medium).with_show(ShowThinking::Auto))
    .with_stream(true);
    assert_eq!(
        body(MODEL, request.clone()),
        json!({
            "model": "gpt-5", "stream": true, "store": false,
            "include": ["reasoning.encrypted_content"], "instructions": "S",
            "max_output_tokens": 512, "reasoning": {"effort": "medium", "summary": "auto"},
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Weather in Paris?"}]},
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
                {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "get_weather",
                 "arguments": "{\"city\":\"Paris\"}", "status": "completed"},
                {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
            ],
            "tools": [{"type": "function", "name": "get_weather", "description": "w",
                "strict": false, "parameters": {"type": "object",
                    "properties": {"city": {"type": "string"}}, "required": ["city"]}}],
            "tool_choice": "auto",
        })
    );
    let encoded = encode(MODEL, request).unwrap();
    let text = String::from_utf8(encoded.body.to_vec()).unwrap();
    assert!(text.contains(schema), "the schema keeps its bytes");
}

#[test]
fn neighbours_of_one_item_go_back_as_one_item() {
    let mut text = Thinking::new("raw");
    let kind = Some("reasoning_text".to_owned());
    text.item = listed("rs_1").map(|item| item.with_kind(kind));
    text.signature = Some(Signature::new("enc", Some(own())));
    let mut phased = Text::new("one");
    phased.item = listed("msg_1").map(|item| item.with_phase(Some("commentary".into())));
    let mut refusal = Refusal::new("no");
    refusal.item = phased.item.clone();
    let turn = Message::new(
        Role::Assistant,
        vec![
            thought("a", "rs_1", None),
            thought("b", "rs_1", None),
            Part::Thinking(text),
            Part::Text(phased),
            Part::Refusal(refusal),
            said("two", "msg_2"),
        ],
    );
    assert_eq!(
        Value::from(input(vec![Message::user("Hi"), turn])[1..].to_vec()),
        json!([
            {"type": "reasoning", "id": "rs_1",
             "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
             "content": [{"type": "reasoning_text", "text": "raw"}], "encrypted_content": "enc"},
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
             "phase": "commentary", "content": [{"type": "output_text", "text": "one"},
                {"type": "refusal", "refusal": "no"}]},
            {"type": "message", "id": "msg_2", "role": "assistant", "status": "completed",
             "content": [{"type": "output_text", "text": "two"}]},
        ])
    );
}

#[test]
fn unknown_fields_of_an_item_go_back_to_its_provider() {
    let mut item = listed("rs_1").unwrap();
    item.extra = Some(json!({"format": "google-gemini-v1"}).into());
    let mut thinking = Thinking::new("");
    thinking.item = Some(item);
    let turn = Message::assistant(thinking);
    assert_eq!(
        input(vec![Message::user("Hi"), turn])[1],
        json!({"type": "reasoning", "id": "rs_1", "summary": [], "format": "google-gemini-v1"})
    );
}

#[test]
fn what_another_provider_listed_or_signed_stays_behind() {
    let foreign = Origin::new("anthropic", "claude-opus-4-8");
    let mut text = Text::new("Hello");
    text.item = Some(Item::new("other").with_origin(Some(foreign.clone())));
    let signed = Signature::new("Eq", Some(foreign.clone()));
    let native = Native::new(Some(foreign.clone()), "server_tool_use", "{}");
    let turn = Message::new(
        Role::Assistant,
        vec![
            Thinking::new("hm").with_signature(signed.clone()).into(),
            Part::RedactedThinking(RedactedThinking::new(signed)),
            text.into(),
            native.into(),
        ],
    );
    let (body, warnings) = warned(MODEL, vec![Message::user("Hi"), turn]);
    assert_eq!(
        body["input"][1],
        json!({"role": "assistant", "content": "Hello"})
    );
    assert_eq!(body["input"].as_array().unwrap().len(), 2);
    assert_eq!(warnings, ["messages[1].parts[3]", "messages.thinking"]);
}

#[test]
fn items_that_followed_thoughts_of_another_model_go_without_their_ids() {
    let older = Origin::new("openai-responses", "gpt-5-mini");
    let signed = Signature::new("enc", Some(older));
    let turn = Message::new(
        Role::Assistant,
        vec![thought("a", "rs_1", Some(signed)), call().into()],
    );
    let answer = Message::tool([ToolResult::new(&call(), "sunny")]);
    let (body, warnings) = warned(MODEL, vec![Message::user("Hi"), turn, answer]);
    assert_eq!(
        body["input"][1],
        json!({"type": "function_call", "call_id": "call_1", "name": "get_weather",
               "arguments": "{\"city\":\"Paris\"}"})
    );
    assert_eq!(warnings, ["messages.thinking"]);
}

#[test]
fn native_items_go_back_as_they_came() {
    let item = r#"{"type":"web_search_call","id":"ws_1","status":"completed"}"#;
    let native = Native::new(Some(own()), "web_search_call", item);
    let turn = Message::assistant(native).with("It rains.");
    assert_eq!(
        input(vec![Message::user("Hi"), turn])[1..].to_vec(),
        [
            serde_json::from_str::<Value>(item).unwrap(),
            json!({"role": "assistant", "content": "It rains."})
        ]
    );
}

#[test]
fn media_take_the_forms_of_the_wire() {
    let mut named = Document::new(Source::bytes("application/pdf", b"%PDF"));
    named.filename = Some("a.pdf".into());
    let message = Message::user("See")
        .with(Image::from_url("https://e.org/a.png").with_detail("low"))
        .with(Image::from_url("data:image/png;base64,AAAA"))
        .with(Image::new(Source::file("file_1")))
        .with(Document::new(Source::url("https://e.org/a.pdf")))
        .with(named)
        .with(Document::new(Source::file("file_2")))
        .with(Document::new(Source::Text("plain".into())))
        .with(Audio::new(Source::bytes("audio/wav", b"RIFF")));
    assert_eq!(
        input(vec![message])[0]["content"],
        json!([
            {"type": "input_text", "text": "See"},
            {"type": "input_image", "image_url": "https://e.org/a.png", "detail": "low"},
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
            {"type": "input_image", "file_id": "file_1"},
            {"type": "input_file", "file_url": "https://e.org/a.pdf"},
            {"type": "input_file", "filename": "a.pdf",
             "file_data": "data:application/pdf;base64,JVBERg=="},
            {"type": "input_file", "file_id": "file_2"},
            {"type": "input_text", "text": "plain"},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        ])
    );
    let ogg = Message::user("Hear").with(Audio::new(Source::bytes("audio/ogg", b"Ogg")));
    let error = encode(MODEL, vec![ogg]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.context("part"), Some("messages[0].parts[1]"));
}

#[test]
fn a_tools_answer_may_have_pictures() {
    let answer = ToolResult::new(&call(), "see").with(Image::from_url("https://e.org/a.png"));
    let messages = vec![
        Message::user("Hi"),
        Message::assistant(call()),
        Message::tool([answer]),
    ];
    assert_eq!(
        input(messages)[2]["output"],
        json!([{"type": "input_text", "text": "see"},
               {"type": "input_image", "image_url": "https://e.org/a.png"}])
    );
}

#[test]
fn instructions_beyond_the_first_are_items() {
    let messages = vec![
        Message::system("first"),
        Message::new(Role::Developer, vec!["second".into()]),
        Message::user("Hi"),
    ];
    let body = body(MODEL, messages);
    assert_eq!(body["instructions"], "first");
    assert_eq!(
        body["input"][0],
        json!({"role": "developer", "content": [{"type": "input_text", "text": "second"}]})
    );
}

#[test]
fn marks_are_kept_where_the_model_takes_them() {
    let marked = || Text::new("long").with_cache(CacheHint::new());
    let messages = || vec![Message::system(marked()), Message::user(marked())];
    let newer = body("openai-responses/gpt-5.6", messages());
    let mark = json!({"type": "input_text", "text": "long",
                      "prompt_cache_breakpoint": {"mode": "explicit"}});
    assert_eq!(newer["input"][0]["content"][0], mark);
    assert_eq!(newer["input"][1]["content"][0], mark);
    assert!(newer.get("instructions").is_none());
    let older = body("openai-responses/gpt-4o", messages());
    assert_eq!(older["instructions"], "long");
    assert!(!older.to_string().contains("breakpoint"));
}

#[test]
fn a_longer_conversation_begins_with_the_bytes_of_the_shorter() {
    let first = vec![Message::system("S"), Message::user("Hi")];
    let mut second = first.clone();
    second.extend([Message::assistant("Hello"), Message::user("Bye")]);
    let bytes = |messages: Vec<Message>| encode(MODEL, messages).unwrap().body;
    let short = bytes(first);
    let end = short.windows(2).position(|two| two == b"}]").unwrap();
    assert_eq!(bytes(second)[..end], short[..end]);
}
