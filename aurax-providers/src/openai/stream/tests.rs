//! Both ways to read a reply make the same of it.

use std::fs;

use aurax_core::{ErrorKind, ModelId, Request};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::preset::Protocol;
use crate::presets;
use crate::rules::ModelRules;

const ORDINARY: &str = r#"{"id":"c1","object":"chat.completion","created":7,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi \"there\"","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5},"service_tier":"default","system_fingerprint":"fp"}"#;

const CALLING: &str = r#"{"id":"c2","object":"chat.completion","created":7,"model":"m","provider":"p","choices":[{"index":0,"native_finish_reason":"length","message":{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"t","type":"function","function":{"name":"now","arguments":"{}"}}]},"finish_reason":"tool_calls"},{"index":1,"message":{"content":"","refusal":"No","images":[{"image_url":{"url":"https://a.example/b"}}]},"stop_reason":"END","finish_reason":"stop"}],"x_groq":{"id":"r","usage":{"prompt_tokens":1}},"citations":["https://a.example"]}"#;

const PIECE: &str = r#"{"id":"c3","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi","tool_calls":[{"index":0,"id":"t","function":{"name":"now","arguments":"{"}}]},"finish_reason":null}],"usage":null,"obfuscation":"xyz"}"#;

fn decoder(provider: &str) -> Decoder {
    let protocol = presets::find(provider).map(|preset| preset.protocol.clone());
    let quirks = match protocol {
        Some(Protocol::OpenAi(quirks)) => quirks,
        _ => Quirks::default(),
    };
    let model = ModelId::parse("m").unwrap();
    let target = Target {
        provider: provider.into(),
        model: model.clone(),
        rules: ModelRules::default(),
        info: None,
    };
    Decoder::new(&Call::chat(model, Request::from("Hi")), &target, &quirks)
}

type Heard = (Vec<Event>, Option<(ErrorKind, String)>);

fn heard(events: Vec<Event>, result: Result<()>) -> Heard {
    let error = result.err().map(|error| (error.kind(), error.to_string()));
    (events, error)
}

fn whole(mut decoder: Decoder, body: &str) -> Heard {
    let mut events = Vec::new();
    let result = decoder.whole(body.as_bytes(), &mut events);
    heard(events, result)
}

fn streamed<'a>(mut decoder: Decoder, frames: impl IntoIterator<Item = &'a str>) -> Heard {
    let mut events = Vec::new();
    for frame in frames {
        if let Err(error) = decoder.frame(Frame::data(frame), &mut events) {
            return heard(events, Err(error));
        }
    }
    let result = decoder.finish(&mut events);
    heard(events, result)
}

/// Reads field by field from the start.
fn careful(provider: &str) -> Decoder {
    let mut decoder = decoder(provider);
    decoder.is_plain = false;
    decoder
}

fn assert_same(provider: &str, body: &str) {
    assert_eq!(
        whole(decoder(provider), body),
        whole(careful(provider), body),
        "{body}"
    );
    // Twice, as the second chunk of a stream is read in another state.
    let frames = [body, body];
    assert_eq!(
        streamed(decoder(provider), frames),
        streamed(careful(provider), frames),
        "{body}"
    );
}

#[test]
fn most_replies_are_read_in_one_pass_and_odd_ones_field_by_field() {
    for body in [ORDINARY, CALLING, PIECE] {
        assert!(plain::read(body).is_some(), "{body}");
        assert_same("openai", body);
    }
    let odd = [
        ORDINARY.replace("\"c1\"", "7"),
        ORDINARY.replace("\"stop\"", "[1]"),
        ORDINARY.replace("\"Hi \\\"there\\\"\"", r#"[{"type":"text","text":"Hi"}]"#),
        ORDINARY.replace("\"Hi \\\"there\\\"\"", r#""\ud800""#),
        ORDINARY.replace("\"chat.completion\"", "\"error\""),
        ORDINARY.replace("\"created\"", "\"error\":{\"message\":\"no\"},\"created\""),
        ORDINARY.replace("\"created\"", "\"error\":\"\",\"created\""),
        ORDINARY.replace("\"choices\"", "\"detail\""),
        PIECE.replace("\"delta\"", "\"message\":{\"content\":\"all\"},\"delta\""),
        PIECE.replace("\"finish_reason\"", "\"message\":{},\"finish_reason\""),
        ORDINARY.replace("}]", &format!("}}{}]", ",{}".repeat(MAX_CHOICES))),
        ORDINARY.replace("}]", "},7]"),
        "[]".to_owned(),
        "{\"choices\":".to_owned(),
    ];
    for body in &odd {
        assert!(plain::read(body).is_none(), "{body}");
        assert_same("openai", body);
    }
}

/// Adds a field to the object that begins or ends at one of the braces of `body`.
fn with_field(body: &str, brace: usize, name: &str, value: &str) -> String {
    let braces: Vec<(usize, char)> = body
        .char_indices()
        .filter(|(_, c)| matches!(c, '{' | '}'))
        .collect();
    let Some((at, brace)) = braces.get(brace % braces.len().max(1)) else {
        return body.to_owned();
    };
    match brace {
        '{' => {
            let (before, after) = body.split_at(at + 1);
            format!("{before}\"{name}\":{value},{after}")
        }
        _ => {
            let (before, after) = body.split_at(*at);
            format!("{before},\"{name}\":{value}{after}")
        }
    }
}

const NAMES: [&str; 28] = [
    "id",
    "model",
    "created",
    "service_tier",
    "usage",
    "choices",
    "object",
    "error",
    "detail",
    "message",
    "x_groq",
    "citations",
    "index",
    "delta",
    "logprobs",
    "finish_reason",
    "stop_reason",
    "role",
    "content",
    "refusal",
    "tool_calls",
    "reasoning",
    "annotations",
    "images",
    "audio",
    "p",
    "unkn\\u006fwn",
    "i\\u0064",
];

const VALUES: [&str; 20] = [
    "null",
    "0",
    "1",
    "-1",
    "1.5",
    "4294967296",
    "1e400",
    "true",
    "\"\"",
    "\"stop\"",
    "\"error\"",
    r#""a\u00e9\n""#,
    r#""\ud800""#,
    "[]",
    "{}",
    "[{}]",
    r#"{"content":"b","refusal":"r"}"#,
    r#"[{"index":1,"message":{"content":"c"}}]"#,
    r#"{"prompt_tokens":9}"#,
    r#"[{"text":"d"}]"#,
];

proptest! {
    #[test]
    fn whatever_a_reply_has_both_ways_make_the_same_of_it(
        body in select(vec![ORDINARY, CALLING, PIECE]),
        fields in vec((0_usize..40, select(&NAMES[..]), select(&VALUES[..])), 0..4),
        cut in proptest::option::weighted(0.1, 0_usize..400),
    ) {
        let mut body = body.to_owned();
        for (brace, name, value) in fields {
            body = with_field(&body, brace, name, value);
        }
        if let Some(cut) = cut {
            body.truncate(cut);
        }
        assert_same("openai", &body);
    }
}

/// Every recorded reply, where there are some.
#[test]
fn both_ways_make_the_same_of_what_was_recorded() {
    #[expect(clippy::disallowed_methods, reason = "a test has no configuration")]
    let Ok(folder) = std::env::var("AURAX_CONFORMANCE_DIR") else {
        println!("0 passed, 1 skipped: AURAX_CONFORMANCE_DIR names no recordings");
        return;
    };
    let (mut wholes, mut streams, mut in_one_pass) = (0, 0, 0);
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "jsonl")
        {
            continue;
        }
        for line in fs::read_to_string(path).unwrap().lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let provider = case["provider"].as_str().unwrap();
            if case["api"] != "openai.chat" || case["response"]["status"] != 200 {
                continue;
            }
            let body = case["response"]["body"].as_str().unwrap();
            if body.contains("data:") && !body.trim_start().starts_with('{') {
                streams += 1;
                let frames = || body.lines().filter_map(|line| line.strip_prefix("data:"));
                let quick = streamed(decoder(provider), frames());
                assert_eq!(quick, streamed(careful(provider), frames()), "{body}");
            } else {
                wholes += 1;
                in_one_pass += usize::from(plain::read(body).is_some());
                assert_same(provider, body);
            }
        }
    }
    println!("{wholes} whole replies, {in_one_pass} of them in one pass; {streams} streams");
    assert!(in_one_pass > 0 && streams > 0);
}
