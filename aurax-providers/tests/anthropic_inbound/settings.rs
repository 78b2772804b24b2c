//! Every setting.

use aurax_core::{CacheHint, CacheTtl, Effort, OutputFormat, Reasoning, ShowThinking};
use aurax_providers::inbound::Inbound;
use serde_json::{Value, json};

use super::{chat, codec, hello, request};

#[test]
fn what_every_wire_has_is_understood() {
    let read = request(&json!({
        "temperature": 0.5, "top_p": 0.9, "top_k": 3, "stop_sequences": ["x"], "stream": true,
        "metadata": {"user_id": "u"}, "service_tier": "auto", "speed": "fast",
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }));
    assert!(read.extra.fields.is_empty(), "{:?}", read.extra.fields);
    assert_eq!(read.max_output_tokens, Some(9));
    assert_eq!(
        (
            read.sampling.temperature,
            read.sampling.top_p,
            read.sampling.top_k
        ),
        (Some(0.5), Some(0.9), Some(3))
    );
    assert_eq!(read.stop, ["x"]);
    assert!(read.stream);
    assert_eq!(read.user.as_deref(), Some("u"));
    assert_eq!(read.service_tier.as_deref(), Some("auto"));
    assert_eq!(read.speed.as_deref(), Some("fast"));
    assert_eq!(
        read.cache,
        Some(CacheHint::new().with_ttl(CacheTtl::OneHour))
    );
}

#[test]
fn unknown_fields_travel_to_this_wire_alone() {
    let fields = json!({"container": "c1", "metadata": {"user_id": "u", "team": "t"},
        "output_config": {"effort": "low", "task_budget": {"total": 9}}});
    let read = request(&fields);
    assert_eq!(read.extra.wire.as_deref(), Some("anthropic.messages"));
    assert_eq!(
        Value::Object(read.extra.fields),
        json!({"container": "c1", "metadata": {"team": "t"},
            "output_config": {"task_budget": {"total": 9}}})
    );
}

#[test]
fn beta_features_come_from_the_header_and_the_body() {
    let mut body = hello();
    body["betas"] = json!(["a"]);
    let codec = codec().with_betas("b, c,");
    let incoming = codec.read(body.to_string().as_bytes()).unwrap();
    assert_eq!(
        chat(&incoming).extra.fields["betas"],
        json!(["a", "b", "c"])
    );
}

#[test]
fn thinking_of_every_type_is_read() {
    let effort = |effort| Reasoning::new(effort);
    let mut both = Reasoning::budget(2048);
    both.effort = Some(Effort::High);
    let mut off = Reasoning::new(Effort::Low);
    off.budget_tokens = Some(0);
    let mut alone = Reasoning::new(Effort::Max);
    alone.mode = Some("effort_alone".into());
    let mut between = Reasoning::default();
    between.mode = Some("between_tools".into());
    for (fields, expected) in [
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 2048}}),
            Reasoning::budget(2048),
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 2048},
                "output_config": {"effort": "high"}}),
            both,
        ),
        (
            json!({"thinking": {"type": "adaptive"}}),
            effort(Effort::Auto),
        ),
        (
            json!({"thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": "xhigh"}}),
            effort(Effort::XHigh).with_show(ShowThinking::Auto),
        ),
        (
            json!({"thinking": {"type": "adaptive", "display": "omitted"}}),
            effort(Effort::Auto).with_show(ShowThinking::Omitted),
        ),
        (
            json!({"thinking": {"type": "disabled"}}),
            effort(Effort::Off),
        ),
        (
            json!({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}),
            off,
        ),
        (json!({"thinking": {"type": "between_tools"}}), between),
        (json!({"output_config": {"effort": "max"}}), alone),
    ] {
        assert_eq!(request(&fields).reasoning, expected, "{fields}");
    }
}

#[test]
fn what_the_answer_must_look_like_is_read() {
    let format = json!({"type": "json_schema", "schema": {"type": "object"}});
    for fields in [
        json!({"output_config": {"format": format}}),
        json!({"output_format": format}),
    ] {
        let OutputFormat::JsonSchema { schema, .. } = request(&fields).output else {
            panic!("no schema");
        };
        assert_eq!(schema.as_str(), r#"{"type":"object"}"#);
    }
}
