//! Settings, and what models refuse.

use aurax_core::{
    CacheHint, CacheTtl, Effort, ErrorKind, Extra, Function, Json, Message, OnUnsupported,
    OutputFormat, PromptCacheMode, Reasoning, Request, Sampling, ShowThinking, Tool, ToolChoice,
    Truncation,
};
use serde_json::{Value, json};

use super::{check, encode, field, hi, native};

fn answer() -> OutputFormat {
    OutputFormat::JsonSchema {
        name: "answer".into(),
        schema: Json::parse(r#"{"type":"object","properties":{}}"#).unwrap(),
        strict: Some(true),
    }
}

fn sampled() -> Request {
    let mut sampling = Sampling::default();
    sampling.temperature = Some(0.5);
    sampling.top_p = Some(0.9);
    sampling.frequency_penalty = Some(0.25);
    sampling.presence_penalty = Some(-0.5);
    sampling.seed = Some(7);
    hi().with_sampling(sampling)
        .with_stop(["END"])
        .with_n(2)
        .with_logprobs(3)
        .with_max_output_tokens(64)
}

#[test]
fn sampling_goes_to_models_that_take_it() {
    check("sampling", "openai/gpt-4o", sampled());
    check("sampling_elsewhere", "together/any", sampled());
}

#[test]
fn what_a_reasoning_model_refuses_is_left_out_with_warnings() {
    check("sampling_refused", "openai/gpt-5", sampled());
    check(
        "sampling_while_thinking",
        "openai/gpt-5.2",
        sampled().with_effort(Effort::Low),
    );
    check(
        "sampling_without_thinking",
        "openai/gpt-5.2",
        sampled().with_effort(Effort::Off),
    );
    check(
        "sampling_never",
        "openai/gpt-6-sol",
        sampled().with_effort(Effort::Off),
    );
}

#[test]
fn a_strict_request_is_refused_instead() {
    for (name, request) in [
        ("openai/gpt-5", hi().with_temperature(0.5)),
        ("openai/gpt-4o", hi().with_effort(Effort::High)),
        ("openai/gpt-4o", hi().with_metadata("team", "a")),
        ("deepseek/deepseek-flash", hi().with_output(answer())),
        ("openai/o3", hi().with_reasoning(Reasoning::budget(4000))),
        (
            "groq/openai/gpt-oss-20b",
            Message::user("Hi").with_name("ada").into(),
        ),
    ] {
        let strict = request.clone().with_on_unsupported(OnUnsupported::Refuse);
        let error = encode(name, strict).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}: {error}");
        assert!(error.context("part").is_some(), "{name}: {error}");
        assert_eq!(encode(name, request).unwrap().warnings.len(), 1, "{name}");
    }
}

#[test]
fn the_limit_has_the_name_the_provider_knows() {
    let request = || hi().with_max_output_tokens(9);
    for (name, expected) in [
        ("openai/gpt-4o", "max_completion_tokens"),
        ("openai/o3", "max_completion_tokens"),
        ("azure-openai/my-deployment", "max_completion_tokens"),
        ("mistral/mistral-large-4", "max_tokens"),
        ("groq/openai/gpt-oss-20b", "max_tokens"),
        ("openai-compatible/any", "max_tokens"),
    ] {
        assert_eq!(field(name, request(), expected), (json!(9), 0), "{name}");
    }
}

#[test]
fn effort_is_clamped_to_the_levels_of_the_model() {
    for (name, effort, sent) in [
        ("openai/gpt-5", Effort::Off, json!("minimal")),
        ("openai/gpt-5", Effort::XHigh, json!("high")),
        ("openai/gpt-5-pro", Effort::Low, json!("high")),
        ("openai/gpt-5.1", Effort::Off, json!("none")),
        ("openai/gpt-5.1", Effort::Minimal, json!("low")),
        ("openai/gpt-5.2", Effort::Max, json!("xhigh")),
        ("openai/gpt-5.6-luna", Effort::Max, json!("max")),
        ("openai/gpt-6-astra", Effort::Off, json!("low")),
        ("openai/o4-mini", Effort::Max, json!("high")),
        ("openai/gpt-4o", Effort::Off, Value::Null),
        ("xai/grok-4.3", Effort::Off, json!("none")),
        ("xai/grok-4.5", Effort::Off, json!("low")),
        ("mistral/mistral-small-latest", Effort::Low, json!("high")),
        ("mistral/mistral-small-latest", Effort::Off, json!("none")),
        (
            "perplexity/sonar-deep-research",
            Effort::Medium,
            json!("medium"),
        ),
    ] {
        let got = field(name, hi().with_effort(effort), "reasoning_effort");
        assert_eq!(got, (sent, 0), "{name} {effort:?}");
    }
}

#[test]
fn a_budget_becomes_a_level_where_there_are_only_levels() {
    for (tokens, sent) in [
        (0, "minimal"),
        (1024, "low"),
        (8000, "medium"),
        (24_000, "high"),
    ] {
        let request = hi().with_reasoning(Reasoning::budget(tokens));
        let got = field("openai/gpt-5", request, "reasoning_effort");
        assert_eq!(got, (json!(sent), 1), "{tokens}");
    }
}

#[test]
fn thinking_is_asked_for_in_each_vendors_form() {
    let hidden = |effort| Reasoning::new(effort).with_show(ShowThinking::Omitted);
    for (name, reasoning, expected) in [
        (
            "openrouter/anthropic/claude-haiku-4.5",
            Reasoning::budget(2000),
            json!({"reasoning": {"max_tokens": 2000}}),
        ),
        (
            "openrouter/openai/gpt-5.2",
            hidden(Effort::High),
            json!({"reasoning": {"effort": "high", "exclude": true}}),
        ),
        (
            "openrouter/openai/gpt-5.2",
            Reasoning::new(Effort::Off),
            json!({"reasoning": {"effort": "none"}}),
        ),
        (
            "deepseek/deepseek-v4-pro",
            Reasoning::new(Effort::Max),
            json!({"thinking": {"type": "enabled"}, "reasoning_effort": "max"}),
        ),
        (
            "deepseek/deepseek-v4-pro",
            Reasoning::new(Effort::Off),
            json!({"thinking": {"type": "disabled"}}),
        ),
        (
            "groq/openai/gpt-oss-120b",
            hidden(Effort::Low),
            json!({"reasoning_effort": "low", "include_reasoning": false}),
        ),
        (
            "vllm/Qwen/Qwen3-4B",
            Reasoning::new(Effort::Off),
            json!({"chat_template_kwargs": {"enable_thinking": false}}),
        ),
        (
            "vllm/openai/gpt-oss-20b",
            Reasoning::new(Effort::High),
            json!({"reasoning_effort": "high"}),
        ),
        ("openai/gpt-5", Reasoning::default(), json!({})),
    ] {
        let encoded = encode(name, hi().with_reasoning(reasoning.clone())).unwrap();
        let mut sent = super::body(&encoded);
        let fields = sent.as_object_mut().unwrap();
        fields.remove("model");
        fields.remove("messages");
        assert_eq!(sent, expected, "{name} {reasoning:?}");
        assert!(encoded.warnings.is_empty(), "{name}");
    }
}

#[test]
fn a_forced_tool_becomes_a_free_choice_while_deepseek_thinks() {
    let request = || {
        hi().with_tools([Function::new("f")])
            .with_tool_choice(ToolChoice::Tool("f".into()))
    };
    let name = "deepseek/deepseek-v4-pro";
    assert_eq!(field(name, request(), "tool_choice"), (json!("auto"), 1));
    let got = field(name, request().with_effort(Effort::Off), "tool_choice");
    let named = json!({"type": "function", "function": {"name": "f"}});
    assert_eq!(got, (named, 0));
}

fn two_tools() -> Request {
    let strict = Function::new("a")
        .with_strict(true)
        .with_description("first");
    hi().with_tools([strict, Function::new("b")])
        .with_parallel_tool_calls(false)
}

#[test]
fn tools_and_the_choice_among_them() {
    check(
        "tools",
        "openai/gpt-4o",
        two_tools().with_tool_choice(ToolChoice::Required),
    );
    let one = || ToolChoice::Allowed {
        required: true,
        tools: vec!["b".into()],
    };
    check(
        "choice_allowed",
        "openai/gpt-4o",
        two_tools().with_tool_choice(one()),
    );
    check(
        "choice_allowed_elsewhere",
        "groq/any",
        two_tools().with_tool_choice(one()),
    );
    for (choice, expected) in [
        (ToolChoice::Auto, json!("auto")),
        (ToolChoice::None, json!("none")),
        (
            ToolChoice::Tool("a".into()),
            json!({"type": "function", "function": {"name": "a"}}),
        ),
    ] {
        let got = field(
            "openai/gpt-4o",
            two_tools().with_tool_choice(choice),
            "tool_choice",
        );
        assert_eq!(got, (expected, 0));
    }
    // Without tools a choice would be an error.
    let alone = hi()
        .with_tool_choice(ToolChoice::None)
        .with_parallel_tool_calls(true);
    check("text", "openai/gpt-4o", alone);
}

#[test]
fn o_series_models_refuse_to_be_told_about_parallel_calls() {
    let (value, warnings) = field("openai/o3", two_tools(), "parallel_tool_calls");
    assert_eq!((value, warnings), (Value::Null, 1));
}

#[test]
fn a_providers_own_tools_go_to_it_alone() {
    let mut request = two_tools();
    let search = r#"{"type":"web_search"}"#;
    request
        .tools
        .push(Tool::Native(native("mistral", "any", "web_search", search)));
    check("native_tool", "mistral/mistral-large-4", request.clone());
    let (tools, warnings) = field("openai/gpt-4o", request, "tools");
    assert_eq!(tools.as_array().unwrap().len(), 2);
    assert_eq!(warnings, 1);
}

#[test]
fn output_has_the_form_that_was_asked_for() {
    check(
        "structured_output",
        "openai/gpt-4o",
        hi().with_output(answer()),
    );
    check(
        "structured_output_left_out",
        "deepseek/deepseek-flash",
        hi().with_output(answer()),
    );
    let object = || hi().with_output(OutputFormat::JsonObject);
    check("json_object", "openai/gpt-4o", object());
    check("json_object_as_schema", "lm-studio/any", object());
}

#[test]
fn cache_key_tier_user_and_labels() {
    let request = || {
        hi().with_cache_key("chat-7")
            .with_service_tier("flex")
            .with_user("u-1")
            .with_metadata("team", "a")
    };
    check("labels", "openai/gpt-4o", request().with_store(true));
    check("labels_not_stored", "openai/gpt-4o", request());
    check("labels_elsewhere", "together/any", request());
    check("labels_mistral", "mistral/mistral-large-4", request());
}

#[test]
fn extra_fields_are_merged_last() {
    let request = hi()
        .with_temperature(0.5)
        .with_extra("temperature", 1)
        .with_extra("modalities", json!(["text", "audio"]))
        .with_extra("model", "gpt-3")
        .with_extra("stream", true);
    check("extra", "openai/gpt-4o", request);
}

#[test]
fn extra_fields_of_another_wire_are_left_out() {
    let mut request = hi().with_temperature(0.5);
    let fields = json!({"top_k": 5}).as_object().unwrap().clone();
    request.extra = Extra::new(Some("anthropic.messages".into()), fields.clone());
    check("extra_elsewhere", "openai/gpt-4o", request.clone());
    request.extra = Extra::new(Some("openai.chat".into()), fields);
    assert_eq!(field("openai/gpt-4o", request, "top_k"), (json!(5), 0));
}

#[test]
fn how_long_caches_are_kept_goes_to_models_that_take_it() {
    let kept = |ttl| hi().with_cache(CacheHint::new().with_ttl(ttl));
    let retention = |model, ttl| field(model, kept(ttl), "prompt_cache_retention");
    assert_eq!(retention("openai/gpt-4o", CacheTtl::Day), (json!("24h"), 0));
    let minutes = CacheTtl::FiveMinutes;
    assert_eq!(retention("openai/gpt-4o", minutes), (json!("in_memory"), 0));
    // Newer models take a day alone, and other vendors nothing of it.
    assert_eq!(retention("openai/gpt-5.5", minutes), (Value::Null, 0));
    assert_eq!(retention("openai/gpt-5.6-sol", minutes), (Value::Null, 0));
    assert_eq!(
        retention("openai/gpt-5.5", CacheTtl::Day),
        (json!("24h"), 0)
    );
    assert_eq!(retention("groq/any", CacheTtl::Day), (Value::Null, 0));

    let mut explicit = kept(CacheTtl::HalfHour);
    explicit.cache_mode = Some(PromptCacheMode::Explicit);
    let options = |model| field(model, explicit.clone(), "prompt_cache_options");
    let wanted = json!({"mode": "explicit", "ttl": "30m"});
    assert_eq!(options("openai/gpt-5.6-sol"), (wanted, 0));
    assert_eq!(options("openai/gpt-4o"), (Value::Null, 0));
}

#[test]
fn min_p_goes_to_servers_of_open_models() {
    let request = || {
        let mut sampling = Sampling::default();
        sampling.min_p = Some(0.1);
        hi().with_sampling(sampling)
    };
    assert_eq!(field("llama.cpp/any", request(), "min_p"), (json!(0.1), 0));
    assert_eq!(field("openai/gpt-4o", request(), "min_p"), (Value::Null, 1));
}

/// Sets one setting.
type Set = fn(&mut Request);

#[test]
fn settings_this_wire_has_not_are_left_out_with_warnings() {
    let set: [(&str, Set); 5] = [
        ("speed", |request| request.speed = Some("fast".into())),
        ("truncation", |request| {
            request.truncation = Some(Truncation::Auto)
        }),
        ("context_window", |request| {
            request.context_window = Some(8192)
        }),
        ("reasoning.mode", |request| {
            request.reasoning.mode = Some("x".into())
        }),
        ("reasoning.context", |request| {
            request.reasoning.context = Some("x".into())
        }),
    ];
    for (subject, set) in set {
        let mut request = hi();
        set(&mut request);
        let encoded = encode("openai/gpt-4o", request.clone()).unwrap();
        assert_eq!(encoded.warnings.len(), 1, "{subject}");
        assert_eq!(encoded.warnings[0].subject, subject);
        let refused = encode(
            "openai/gpt-4o",
            request.with_on_unsupported(OnUnsupported::Refuse),
        );
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unsupported);
    }
    let mut request = hi();
    request.truncation = Some(Truncation::Disabled);
    assert!(
        encode("openai/gpt-4o", request)
            .unwrap()
            .warnings
            .is_empty()
    );
}

#[test]
fn blocks_a_client_supplied_over_another_wire_are_left_out() {
    let block = aurax_core::Native::of_client("anthropic.messages", "web_search_20250305", "{}");
    let request = hi().with_tools([Tool::Native(block.clone())]);
    assert_eq!(field("openai/gpt-4o", request, "tools"), (Value::Null, 1));
    let request = Request::new([Message::user("Hi").with(block)]);
    assert_eq!(encode("openai/gpt-4o", request).unwrap().warnings.len(), 1);
    let own = aurax_core::Native::of_client("openai.chat", "web_search", r#"{"type":"x"}"#);
    let request = hi().with_tools([Tool::Native(own)]);
    assert_eq!(
        field("openai/gpt-4o", request, "tools"),
        (json!([{"type": "x"}]), 0)
    );
}

#[test]
fn shown_thoughts_are_asked_for_where_that_can_be_said() {
    let shown = || hi().with_reasoning(Reasoning::default().with_show(ShowThinking::Auto));
    let (said, _) = field("groq/openai/gpt-oss-20b", shown(), "include_reasoning");
    assert_eq!(said, json!(true));
    let (said, _) = field("openrouter/any", shown(), "reasoning");
    assert_eq!(said, json!({"exclude": false}));
}
