//! Settings, tools, and the models' own rules.

use std::collections::BTreeMap;

use aurax_core::{
    Call, Effort, ErrorKind, Extra, Function, Message, Native, OnUnsupported, Origin, OutputFormat,
    Reasoning, Request, Sampling, ShowThinking, Tool, ToolChoice, Truncation,
};
use aurax_providers::gemini::Gemini;
use aurax_providers::wire::Wire;
use serde_json::{Value, json};

use super::{FLASH_2_5, FLASH_3, body, check, encode, fixture, subjects, target};

#[test]
fn settings_have_their_places_and_the_rest_is_told() {
    let mut sampling = Sampling::default();
    sampling.temperature = Some(0.5);
    sampling.top_p = Some(0.9);
    sampling.top_k = Some(4);
    sampling.min_p = Some(0.1);
    sampling.seed = Some(7);
    sampling.frequency_penalty = Some(0.1);
    sampling.presence_penalty = Some(0.2);
    let mut request = Request::from("Hi")
        .with_sampling(sampling)
        .with_max_output_tokens(9)
        .with_stop(["END"])
        .with_n(2)
        .with_logprobs(3)
        .with_service_tier("flex")
        .with_store(true)
        .with_user("u")
        .with_metadata("k", "v");
    request.speed = Some("fast".into());
    request.truncation = Some(Truncation::Auto);
    request.context_window = Some(1000);
    request.reasoning.mode = Some("pro".into());
    check("settings", FLASH_2_5, request.clone());
    let strict = request.with_on_unsupported(OnUnsupported::Refuse);
    let error = encode(FLASH_2_5, strict).unwrap_err();
    assert_eq!(error.context("part"), Some("sampling.min_p"));
}

/// What asks for nothing but what the API does anyway needs no warning.
#[test]
fn what_the_api_does_anyway_is_not_told() {
    let mut request = Request::from("Hi").with_store(false);
    request.truncation = Some(Truncation::Disabled);
    let encoded = encode(FLASH_2_5, request).unwrap();
    assert_eq!(subjects(&encoded), json!([]));
    assert_eq!(body(&encoded).as_object().unwrap().len(), 1);
}

#[test]
fn a_schema_for_the_output_goes_as_it_is() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}},
        "required": ["city"]});
    let output = OutputFormat::JsonSchema {
        name: "city".into(),
        schema: schema.into(),
        strict: Some(true),
    };
    check(
        "structured_output",
        FLASH_2_5,
        Request::from("Hi").with_output(output),
    );
    let request = Request::from("Hi").with_output(OutputFormat::JsonObject);
    let config = &body(&encode(FLASH_2_5, request).unwrap())["generationConfig"];
    assert_eq!(*config, json!({"responseMimeType": "application/json"}));
}

fn tools() -> Request {
    let nothing = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let schema = json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/X"}},
        "$defs": {"X": {"const": 1}}});
    let of = |provider| {
        Native::new(
            Some(Origin::new(provider, "m")),
            "search",
            r#"{"googleSearch":{}}"#,
        )
    };
    Request::from("Hi").with_tools([
        Tool::from(Function::new("a.b:c").with_parameters(nothing)),
        Function::new("g")
            .with_parameters(schema)
            .with_strict(true)
            .into(),
        of("gemini").into(),
        of("openai").into(),
    ])
}

#[test]
fn functions_are_declared_together_beside_the_providers_own_tools() {
    let request = tools()
        .with_tool_choice(ToolChoice::Tool("a.b:c".into()))
        .with_parallel_tool_calls(false);
    check("tools", FLASH_2_5, request);
}

#[test]
fn every_choice_of_tools_has_its_mode() {
    let names = || vec!["g".to_owned()];
    for (choice, expected) in [
        (ToolChoice::Auto, json!({"mode": "AUTO"})),
        (ToolChoice::None, json!({"mode": "NONE"})),
        (ToolChoice::Required, json!({"mode": "ANY"})),
        (
            ToolChoice::Allowed {
                required: true,
                tools: names(),
            },
            json!({"mode": "ANY", "allowedFunctionNames": ["g"]}),
        ),
        (
            ToolChoice::Allowed {
                required: false,
                tools: names(),
            },
            json!({"mode": "VALIDATED", "allowedFunctionNames": ["g"]}),
        ),
    ] {
        let sent = body(&encode(FLASH_2_5, tools().with_tool_choice(choice)).unwrap());
        assert_eq!(sent["toolConfig"]["functionCallingConfig"], expected);
    }
}

#[test]
fn names_the_api_refuses_are_named() {
    for name in ["1a", "a b", "", &"x".repeat(129)] {
        let request = Request::from("Hi").with_tools([Function::new(name)]);
        let error = encode(FLASH_2_5, request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{name:?}");
        assert_eq!(error.context("part"), Some("tools[0]"), "{name:?}");
    }
}

#[test]
fn each_family_thinks_as_it_is_told_in_its_own_way() {
    let level = |level| Reasoning::new(level);
    let table = [
        (
            FLASH_3,
            level(Effort::Minimal),
            json!({"thinkingLevel": "MINIMAL"}),
            0,
        ),
        (
            FLASH_3,
            level(Effort::Max),
            json!({"thinkingLevel": "HIGH"}),
            0,
        ),
        (
            FLASH_3,
            level(Effort::Off),
            json!({"thinkingLevel": "MINIMAL"}),
            1,
        ),
        (FLASH_3, level(Effort::Auto), Value::Null, 0),
        (
            FLASH_3,
            Reasoning::budget(2000),
            json!({"thinkingLevel": "MEDIUM"}),
            1,
        ),
        (
            "gemini-3-pro-preview",
            level(Effort::Medium),
            json!({"thinkingLevel": "LOW"}),
            0,
        ),
        (
            "gemini-3.8-flash",
            level(Effort::Minimal),
            json!({"thinkingLevel": "LOW"}),
            0,
        ),
        (
            "gemini-4-argon",
            level(Effort::XHigh),
            json!({"thinkingLevel": "XHIGH"}),
            0,
        ),
        (
            FLASH_2_5,
            level(Effort::Off),
            json!({"thinkingBudget": 0}),
            0,
        ),
        (
            FLASH_2_5,
            level(Effort::Auto),
            json!({"thinkingBudget": -1}),
            0,
        ),
        (
            FLASH_2_5,
            level(Effort::Low),
            json!({"thinkingBudget": 1024}),
            0,
        ),
        (
            FLASH_2_5,
            level(Effort::Medium),
            json!({"thinkingBudget": 8192}),
            0,
        ),
        (
            FLASH_2_5,
            level(Effort::High),
            json!({"thinkingBudget": 24576}),
            0,
        ),
        (
            FLASH_2_5,
            Reasoning::budget(700),
            json!({"thinkingBudget": 700}),
            0,
        ),
        (
            "gemini-2.5-pro",
            level(Effort::Off),
            json!({"thinkingBudget": 128}),
            1,
        ),
        (
            "models/gemini-2.5-pro",
            Reasoning::budget(0),
            json!({"thinkingBudget": 128}),
            1,
        ),
        ("gemini-2.0-flash", level(Effort::High), Value::Null, 1),
        ("gemini-2.0-flash", level(Effort::Off), Value::Null, 0),
        (
            FLASH_2_5,
            Reasoning::default().with_show(ShowThinking::Omitted),
            json!({"includeThoughts": false}),
            0,
        ),
    ];
    for (model, reasoning, expected, warnings) in table {
        let request = Request::from("Hi").with_reasoning(reasoning.clone());
        let encoded = encode(model, request).unwrap();
        let sent = body(&encoded);
        let config = sent.pointer("/generationConfig/thinkingConfig");
        let config = config.cloned().unwrap_or_default();
        assert_eq!(config, expected, "{model} {reasoning:?}");
        assert_eq!(encoded.warnings.len(), warnings, "{model} {reasoning:?}");
    }
}

#[test]
fn extra_fields_are_merged_into_what_is_sent() {
    let request = Request::from("Hi")
        .with_max_output_tokens(9)
        .with_extra("generationConfig", json!({"mediaResolution": "LOW"}))
        .with_extra("contents", json!([]))
        .with_extra("cachedContent", "cachedContents/1");
    check("extra", FLASH_2_5, request);
    let mut request = Request::from("Hi");
    let fields = json!({"tools": []}).as_object().cloned().unwrap();
    request.extra = Extra::new(Some("openai.chat".into()), fields);
    let encoded = encode(FLASH_2_5, request).unwrap();
    assert_eq!(subjects(&encoded), json!(["extra"]));
    assert_eq!(body(&encoded).get("tools"), None);
}

#[test]
fn a_models_name_cannot_leave_its_place_in_the_address() {
    for (model, path) in [
        ("models/gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash"),
        ("tunedModels/mine", "/v1beta/tunedModels/mine"),
        (
            "../files?key=1#a",
            "/v1beta/models/..%2Ffiles%3Fkey%3D1%23a",
        ),
        ("a:countTokens", "/v1beta/models/a%3AcountTokens"),
    ] {
        let encoded = encode(model, "Hi").unwrap();
        assert_eq!(encoded.path, format!("{path}:generateContent"));
    }
}

#[test]
fn a_count_asks_for_what_would_be_sent() {
    let target = target(FLASH_2_5);
    let request = Request::new([Message::system("S"), Message::user("Hi")]);
    let call = Call::chat(target.model.clone(), request);
    let encoded = Gemini::new().count_tokens(&call, &target).unwrap().unwrap();
    assert_eq!(encoded.path, "/v1beta/models/gemini-2.5-flash:countTokens");
    assert_eq!(body(&encoded), fixture("count_tokens")["body"]);
    let count = Gemini::new().read_count(br#"{"totalTokens": 12}"#).unwrap();
    assert_eq!(count, 12);
    assert!(Gemini::new().read_count(b"{}").is_err());
}

#[test]
fn what_the_list_says_of_a_model_wins() {
    let mut target = target("gemini-2.5-flash");
    let list = json!({"models": [
        {"name": "models/gemini-2.5-flash", "displayName": "Flash", "inputTokenLimit": 100,
            "outputTokenLimit": 20, "thinking": false, "supportedGenerationMethods": ["generateContent"]},
        {"name": "models/imagen", "supportedGenerationMethods": ["predict"]},
        {"name": "models/gemini-embedding-001", "supportedGenerationMethods": ["embedContent"]},
    ], "nextPageToken": "a/b"});
    let (models, next) = Gemini::new()
        .read_models(list.to_string().as_bytes())
        .unwrap();
    let ids: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(ids, ["gemini-2.5-flash", "gemini-embedding-001"]);
    assert_eq!(models[0].context_window, Some(100));
    assert_eq!(models[0].max_output_tokens, Some(20));
    let page = Gemini::new().list_models(next.as_deref()).unwrap().path;
    assert_eq!(page, "/v1beta/models?pageSize=1000&pageToken=a%2Fb");
    assert_eq!(
        models[0].settings,
        BTreeMap::from([("thinking".to_owned(), false)])
    );
    target.info = Some(models[0].clone().into());
    let call = Call::chat(
        target.model.clone(),
        Request::from("Hi").with_effort(Effort::High),
    );
    let encoded = Gemini::new().encode(&call, &target).unwrap();
    assert_eq!(subjects(&encoded), json!(["reasoning"]));
    assert!(Gemini::new().read_models(b"[]").is_err());
}
