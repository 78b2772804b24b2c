//! What vendors want otherwise.

use aurax_core::{
    Audio, Document, Function, Message, Request, Role, Sampling, Source, ToolCall, ToolChoice,
    ToolResult,
};
use aurax_providers::wire::Wire;
use serde_json::json;

use super::{body, check, encode, field, hi, target};

#[test]
fn mistral_has_words_of_its_own() {
    let call = ToolCall::new("a1B2c3D4e", "f", "{}");
    let mut sampling = Sampling::default();
    sampling.seed = Some(7);
    let request = Request::new([
        Message::user("Read.")
            .with(Document::new(Source::url("https://example.com/a.pdf")))
            .with(Audio::new(Source::url("https://example.com/a.mp3"))),
        Message::new(Role::Assistant, vec![call.clone().into()]),
        Message::tool([ToolResult::new(&call, "done")]),
    ])
    .with_tools([Function::new("f")])
    .with_tool_choice(ToolChoice::Required)
    .with_sampling(sampling)
    .with_user("u-1")
    .with_stream(true);
    check("mistral", "mistral/mistral-large-4", request);
}

#[test]
fn ids_of_tool_calls_are_mapped_alike_for_call_and_result() {
    for (name, id, fits) in [
        ("mistral/m", "a1B2c3D4e", true),
        ("mistral/m", "call_1", false),
        ("openai/gpt-4o", "call_1", true),
        (
            "openai/gpt-4o",
            "toolu_0123456789012345678901234567890123456789",
            false,
        ),
    ] {
        let call = ToolCall::new(id, "f", "{}");
        let request = Request::new([
            Message::user("go"),
            Message::new(Role::Assistant, vec![call.clone().into()]),
            Message::tool([ToolResult::new(&call, "done")]),
        ])
        .with_tools([Function::new("f")]);
        let first = body(&encode(name, request.clone()).unwrap());
        let again = body(&encode(name, request).unwrap());
        let sent = first["messages"][1]["tool_calls"][0]["id"]
            .as_str()
            .unwrap();
        assert_eq!(first["messages"][2]["tool_call_id"], json!(sent));
        assert_eq!(first, again);
        assert_eq!(sent == id, fits, "{name} {sent}");
        if name.starts_with("mistral") {
            assert_eq!(sent.len(), 9);
            assert!(
                sent.bytes().all(|byte| byte.is_ascii_alphanumeric()),
                "{sent}"
            );
        } else {
            assert!(sent.len() <= 40);
        }
    }
}

#[test]
fn usage_of_streams_is_asked_for_where_the_provider_takes_that() {
    let stream = || hi().with_stream(true);
    let asked = json!({"include_usage": true});
    assert_eq!(
        field("openai/gpt-4o", stream(), "stream_options"),
        (asked, 0)
    );
    assert_eq!(
        field("mistral/m", stream(), "stream_options"),
        (json!(null), 0)
    );
    assert_eq!(field("openai/gpt-4o", hi(), "stream"), (json!(null), 0));
}

#[test]
fn top_k_goes_to_servers_of_open_models() {
    let mut sampling = Sampling::default();
    sampling.top_k = Some(40);
    let request = || hi().with_sampling(sampling.clone());
    for name in [
        "openrouter/any",
        "together/any",
        "vllm/any",
        "llama.cpp/any",
        "perplexity/sonar",
    ] {
        assert_eq!(field(name, request(), "top_k"), (json!(40), 0), "{name}");
    }
    assert_eq!(field("openai/gpt-4o", request(), "top_k"), (json!(null), 1));
}

#[test]
fn openrouter_takes_files_by_address() {
    let message = Message::user("Read.")
        .with(Document::new(Source::url("https://example.com/a.pdf")).with_filename("a.pdf"))
        .with(Audio::new(Source::bytes("audio/flac", b"abc")));
    check("openrouter_files", "openrouter/any", message);
}

#[test]
fn lists_and_checks_of_keys_are_where_the_vendor_has_them() {
    for (provider, models, key) in [
        ("openai", Some("/models"), Some("/models")),
        ("openrouter", Some("/models"), Some("/key")),
        ("llama.cpp", Some("/models"), None),
        ("vllm", Some("/models"), Some("/models")),
        ("perplexity", None, None),
    ] {
        let (wire, _) = target(provider, "any");
        let list = wire.list_models(None).map(|encoded| encoded.path);
        assert_eq!(list.as_deref(), models, "{provider}");
        let check = wire.verify_key().map(|encoded| encoded.path);
        assert_eq!(check.as_deref(), key, "{provider}");
        assert_eq!(
            wire.capability().list_models,
            models.is_some(),
            "{provider}"
        );
        assert_eq!(wire.capability().verify_key, key.is_some(), "{provider}");
    }
}
