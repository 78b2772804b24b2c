//! Settings, tools and marks of what to cache.

use super::*;

#[test]
fn tools_and_whether_they_must_be_used() {
    let untyped = schema(r#"{"properties":{"a":{}}}"#);
    let search = r#"{"type":"web_search_20250305","name":"web_search","max_uses":3}"#;
    let tools = [
        Tool::from(weather().with_strict(true)),
        Function::new("now").into(),
        Function::new("untyped")
            .with_parameters(untyped)
            .with_cache(CacheHint::new())
            .into(),
        Native::new(None, "web_search_20250305", search).into(),
    ];
    check(
        "tools",
        OPUS,
        hi().with_tools(tools).with_parallel_tool_calls(false),
    );
    let choose = |choice| two_tools().with_tool_choice(choice);
    let allowed = |names: &[&str]| ToolChoice::Allowed {
        required: true,
        tools: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    check("choice_required", OPUS, choose(ToolChoice::Required));
    check(
        "choice_named",
        OPUS,
        choose(ToolChoice::Tool("now".into())).with_parallel_tool_calls(true),
    );
    let none = choose(ToolChoice::None).with_parallel_tool_calls(false);
    check("choice_none", OPUS, none);
    check("choice_allowed", OPUS, choose(allowed(&["now", "here"])));
    check("choice_allowed_one", OPUS, choose(allowed(&["here"])));
    check(
        "choice_not_forced",
        "claude-opus-5-5",
        choose(ToolChoice::Required),
    );
}

#[test]
fn output_of_a_schema() {
    let schema = schema(
        r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}"#,
    );
    let output = OutputFormat::JsonSchema {
        name: "place".into(),
        schema,
        strict: Some(true),
    };
    check("structured_output", OPUS, hi().with_output(output));
    let output = OutputFormat::JsonSchema {
        name: "anything".into(),
        schema: Json::parse(r#"{"type":"object"}"#).unwrap(),
        strict: None,
    };
    let reasoning = Reasoning::new(Effort::High).with_show(ShowThinking::Omitted);
    check(
        "effort_and_schema",
        "claude-sonnet-4-6",
        hi().with_output(output).with_reasoning(reasoning),
    );
}

#[test]
fn sampling_where_the_model_takes_it() {
    let mut sampling = Sampling::default();
    sampling.temperature = Some(0.2);
    sampling.top_k = Some(40);
    let request = hi()
        .with_sampling(sampling.clone())
        .with_stop(["END", "\n"])
        .with_max_output_tokens(100);
    check("sampling", "claude-haiku-4-5", request);

    sampling.top_p = Some(0.9);
    sampling.frequency_penalty = Some(0.5);
    sampling.presence_penalty = Some(0.5);
    sampling.seed = Some(7);
    let request = hi()
        .with_sampling(sampling)
        .with_logprobs(3)
        .with_metadata("team", "red");
    check("sampling_refused", OPUS, request);
}

#[test]
fn marks_of_cacheable_prefixes() {
    let hinted = Text::new("Hi").with_cache(short());
    check(
        "cache_whole",
        OPUS,
        Request::from(Message::user(hinted)).with_cache(long()),
    );

    let half_hour = CacheHint::new().with_ttl(CacheTtl::HalfHour);
    let text = |text: &str, hint| Text::new(text).with_cache(hint);
    let request = Request::new([
        Message::system(text("Be brief.", short())),
        Message::user(text("1", short())),
        Message::assistant(text("2", short())),
        Message::user(text("3", half_hour)),
        Message::assistant("4"),
        Message::user(text("5", CacheHint::new())),
    ]);
    check(
        "cache_marks",
        OPUS,
        request.with_tools([Function::new("now").with_cache(long())]),
    );
}

#[test]
fn labels() {
    check(
        "labels",
        OPUS,
        hi().with_user("u-1").with_service_tier("standard_only"),
    );
}

#[test]
fn fields_of_the_callers_own() {
    let request = hi()
        .with_effort(Effort::Low)
        .with_extra("speed", "fast")
        .with_extra(
            "output_config",
            json!({"task_budget": {"type": "tokens", "total": 64000}}),
        )
        .with_extra("betas", json!(["task-budgets-2026-03-13"]));
    check("extra", OPUS, request);
    let mut request = hi().with_extra("reasoning_effort", "low");
    request.extra = Extra::new(Some("openai.chat".into()), request.extra.fields);
    check("extra_elsewhere", OPUS, request);
    let encoded = encode(OPUS, hi().with_extra("stream", true)).unwrap();
    assert_eq!(subjects(&encoded), ["extra.stream"]);
    assert_eq!(body(&encoded)["stream"], Value::Null);
    // A temperature of the caller's own needs the version that has it.
    let own = encode(OPUS, hi().with_extra("temperature", 1.0)).unwrap();
    assert_eq!(header(&own, "anthropic-version"), Some("2023-06-01"));
}

#[test]
fn a_count_of_tokens_has_no_limits_and_no_sampling() {
    let target = target("claude-opus-5-5");
    let request = hi()
        .with_system("S")
        .with_tools([Function::new("now")])
        .with_effort(Effort::Low)
        .with_max_output_tokens(10)
        .with_stop(["END"])
        .with_user("u-1")
        .with_stream(true);
    let encoded = Anthropic::new().count_tokens(&call(&target, request), &target);
    let encoded = encoded.unwrap().unwrap();
    assert_eq!(encoded.path, "/v1/messages/count_tokens");
    compare("count_tokens", &encoded);
}

#[test]
fn the_limit_on_output_leaves_room_to_think() {
    let limit = |model: &str, request: Request| {
        let encoded = encode(model, request).unwrap();
        (
            body(&encoded)["max_tokens"].as_u64().unwrap(),
            encoded.warnings.len(),
        )
    };
    let haiku = "claude-haiku-4-5";
    let medium = || hi().with_effort(Effort::Medium);
    assert_eq!(limit(haiku, hi()), (4096, 0));
    assert_eq!(limit(haiku, medium()), (12_096, 0));
    assert_eq!(
        limit(haiku, medium().with_max_output_tokens(20_000)),
        (20_000, 0)
    );
    assert_eq!(
        limit(haiku, medium().with_max_output_tokens(1000)),
        (9000, 1)
    );
    assert_eq!(limit("claude-3-haiku-20240307", hi()), (4096, 0));
    assert_eq!(limit("claude-opus-5-5", hi()), (16_384, 0));
    // More to think with than the model can say at all.
    let encoded = encode(haiku, hi().with_reasoning(Reasoning::budget(100_000))).unwrap();
    assert_eq!(body(&encoded)["max_tokens"], 64_000);
    assert_eq!(body(&encoded)["thinking"]["budget_tokens"], 62_976);
}

#[test]
fn speed_is_a_beta_feature() {
    let mut request = hi();
    request.speed = Some("fast".into());
    let encoded = encode(OPUS, request).unwrap();
    assert_eq!(body(&encoded)["speed"], "fast");
    assert_eq!(
        header(&encoded, "anthropic-beta"),
        Some("fast-mode-2026-02-01")
    );
    assert!(encoded.warnings.is_empty());
}

/// Sets one setting.
type Set = fn(&mut Request);

#[test]
fn settings_the_api_has_not_are_left_out_with_warnings() {
    let set: [(&str, Set); 6] = [
        ("sampling.min_p", |request| {
            request.sampling.min_p = Some(0.1)
        }),
        ("store", |request| request.store = Some(true)),
        ("truncation", |request| {
            request.truncation = Some(aurax_core::Truncation::Auto);
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
        let encoded = encode(OPUS, request).unwrap();
        assert_eq!(subjects(&encoded), [subject]);
    }
    // What the API does anyway is not worth a warning.
    let mut request = hi().with_store(false);
    request.truncation = Some(aurax_core::Truncation::Disabled);
    assert!(encode(OPUS, request).unwrap().warnings.is_empty());
}

#[test]
fn times_the_api_has_not_become_the_next_shorter_one() {
    for (ttl, sent) in [
        (CacheTtl::HalfHour, "5m"),
        (CacheTtl::HalfDay, "1h"),
        (CacheTtl::Day, "1h"),
    ] {
        let encoded = encode(OPUS, hi().with_cache(CacheHint::new().with_ttl(ttl))).unwrap();
        assert_eq!(body(&encoded)["cache_control"]["ttl"], sent);
        assert_eq!(subjects(&encoded), ["cache.ttl"]);
    }
}
