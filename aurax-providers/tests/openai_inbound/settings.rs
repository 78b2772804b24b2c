//! Every setting, under each of its names.

use aurax_core::{
    CacheHint, CacheTtl, Effort, OutputFormat, PromptCacheMode, Reasoning, ShowThinking,
};
use serde_json::{Value, json};

use super::request;

#[test]
fn what_every_wire_has_is_understood() {
    let read = request(&json!({
        "max_tokens": 5, "max_completion_tokens": 6, "temperature": 0.5, "top_p": 0.9, "top_k": 3,
        "min_p": 0.1, "frequency_penalty": 0.2, "presence_penalty": 0.3, "seed": 7, "stop": "x",
        "n": 2, "logprobs": true, "top_logprobs": 4, "parallel_tool_calls": false,
        "user": "old", "safety_identifier": "new", "metadata": {"k": "v"}, "store": true,
        "service_tier": "flex", "prompt_cache_key": "key", "stream": true,
        "stream_options": {"include_usage": true, "include_obfuscation": false},
        "modalities": ["text"],
    }));
    assert!(read.extra.fields.is_empty(), "{:?}", read.extra.fields);
    assert_eq!(read.max_output_tokens, Some(6));
    let sampling = &read.sampling;
    assert_eq!(
        (
            sampling.temperature,
            sampling.top_p,
            sampling.top_k,
            sampling.min_p
        ),
        (Some(0.5), Some(0.9), Some(3), Some(0.1))
    );
    assert_eq!(
        (
            sampling.frequency_penalty,
            sampling.presence_penalty,
            sampling.seed
        ),
        (Some(0.2), Some(0.3), Some(7))
    );
    assert_eq!(read.stop, ["x"]);
    assert_eq!((read.n, read.logprobs), (Some(2), Some(4)));
    assert_eq!(read.parallel_tool_calls, Some(false));
    assert_eq!(read.user.as_deref(), Some("new"));
    assert_eq!(read.metadata["k"], "v");
    assert_eq!(read.store, Some(true));
    assert_eq!(read.service_tier.as_deref(), Some("flex"));
    assert_eq!(read.cache_key.as_deref(), Some("key"));
    assert!(read.stream);
}

#[test]
fn unknown_fields_travel_to_this_wire_alone() {
    let read = request(
        &json!({"verbosity": "low", "provider": {"order": ["a"]}, "x": null,
        "modalities": ["text", "audio"]}),
    );
    assert_eq!(read.extra.wire.as_deref(), Some("openai.chat"));
    assert_eq!(
        Value::Object(read.extra.fields),
        json!({"verbosity": "low", "provider": {"order": ["a"]}, "modalities": ["text", "audio"]})
    );
}

#[test]
fn how_much_to_think_is_read_in_every_form() {
    let effort = |effort| Reasoning::new(effort);
    let shown = |show| Reasoning::default().with_show(show);
    for (fields, expected) in [
        (json!({"reasoning_effort": "none"}), effort(Effort::Off)),
        (
            json!({"reasoning_effort": "minimal"}),
            effort(Effort::Minimal),
        ),
        (json!({"reasoning_effort": "xhigh"}), effort(Effort::XHigh)),
        (
            json!({"reasoning": {"effort": "high"}}),
            effort(Effort::High),
        ),
        (
            json!({"reasoning": {"max_tokens": 9}}),
            Reasoning::budget(9),
        ),
        (
            json!({"reasoning": {"enabled": true}}),
            effort(Effort::Auto),
        ),
        (
            json!({"reasoning": {"enabled": false}}),
            effort(Effort::Off),
        ),
        (
            json!({"reasoning": {"exclude": true}}),
            shown(ShowThinking::Omitted),
        ),
        (
            json!({"thinking": {"type": "enabled"}}),
            effort(Effort::Auto),
        ),
        (
            json!({"thinking": {"type": "disabled"}}),
            effort(Effort::Off),
        ),
        (
            json!({"thinking": {"type": "enabled"}, "reasoning_effort": "low"}),
            effort(Effort::Low),
        ),
        (
            json!({"thinking": {"type": "disabled"}, "reasoning_effort": "low"}),
            effort(Effort::Off),
        ),
        (
            json!({"include_reasoning": false}),
            shown(ShowThinking::Omitted),
        ),
        (
            json!({"chat_template_kwargs": {"enable_thinking": false}}),
            effort(Effort::Off),
        ),
    ] {
        let read = request(&fields);
        assert_eq!(read.reasoning, expected, "{fields}");
        assert!(read.extra.fields.is_empty(), "{fields}");
    }
    let kept = json!({"chat_template_kwargs": {"enable_thinking": false, "other": 1}});
    assert_eq!(Value::Object(request(&kept).extra.fields), kept);
}

#[test]
fn what_the_answer_must_look_like_is_read() {
    let schema = json!({"type": "object", "$schema": "x"});
    let format = |format: Value| request(&json!({"response_format": format})).output;
    assert_eq!(format(json!({"type": "text"})), OutputFormat::Text);
    assert_eq!(
        format(json!({"type": "json_object"})),
        OutputFormat::JsonObject
    );
    let wanted = json!({"type": "json_schema",
        "json_schema": {"name": "a", "schema": schema, "strict": true}});
    assert_eq!(
        format(wanted),
        OutputFormat::JsonSchema {
            name: "a".into(),
            schema: schema.clone().into(),
            strict: Some(true)
        }
    );
    let beside = json!({"type": "json_schema",
        "json_schema": {"name": "a", "schema": {"type": "object"}, "description": "d"}});
    let OutputFormat::JsonSchema {
        schema: described, ..
    } = format(beside)
    else {
        panic!("no schema");
    };
    assert_eq!(described.as_str(), r#"{"type":"object","description":"d"}"#);
    let llama = json!({"type": "json_object", "schema": schema});
    assert!(matches!(format(llama), OutputFormat::JsonSchema { .. }));
    let grammar = json!({"response_format": {"type": "grammar", "grammar": "g"}});
    assert_eq!(Value::Object(request(&grammar).extra.fields), grammar);
}

#[test]
fn caching_is_read() {
    let read = request(&json!({"prompt_cache_retention": "24h"}));
    assert_eq!(read.cache, Some(CacheHint::new().with_ttl(CacheTtl::Day)));
    let read = request(&json!({"prompt_cache_options": {"mode": "explicit", "ttl": "30m"}}));
    assert_eq!(
        read.cache,
        Some(CacheHint::new().with_ttl(CacheTtl::HalfHour))
    );
    assert_eq!(read.cache_mode, Some(PromptCacheMode::Explicit));
}

#[test]
fn logprobs_and_stop_have_two_forms() {
    assert_eq!(request(&json!({"logprobs": false})).logprobs, None);
    assert_eq!(request(&json!({"logprobs": true})).logprobs, Some(0));
    assert_eq!(request(&json!({"logprobs": 3})).logprobs, Some(3));
    assert_eq!(request(&json!({"stop": ["a", "b"]})).stop, ["a", "b"]);
    assert_eq!(request(&json!({"random_seed": 4})).sampling.seed, Some(4));
}
