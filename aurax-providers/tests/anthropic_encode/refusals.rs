//! What models, and the API, refuse.

use super::*;

/// Settings that newer generations refuse: left out with a warning, or an error.
#[test]
fn each_generation_refuses_what_it_refuses() {
    let temperature = || hi().with_temperature(0.5);
    let both = || temperature().with_top_p(0.9);
    let forced = || two_tools().with_tool_choice(ToolChoice::Required);
    let rows: Vec<(&str, Request, &[&str])> = vec![
        ("claude-3-haiku-20240307", both(), &[]),
        ("claude-haiku-4-5", both(), &["sampling.top_p"]),
        ("claude-sonnet-4-6", temperature(), &[]),
        ("claude-opus-4-7", temperature(), &["sampling.temperature"]),
        ("claude-sonnet-5", temperature(), &["sampling.temperature"]),
        (
            "claude-haiku-5-5-20261001",
            temperature(),
            &["sampling.temperature"],
        ),
        (
            "anthropic/claude-opus-5.5",
            temperature(),
            &["sampling.temperature"],
        ),
        (
            "claude-haiku-4-5",
            hi().with_temperature(1.5),
            &["sampling.temperature"],
        ),
        (
            "claude-haiku-4-5",
            temperature().with_effort(Effort::Low),
            &["sampling.temperature"],
        ),
        (
            "claude-haiku-4-5",
            forced().with_effort(Effort::Low),
            &["tool_choice"],
        ),
        ("claude-sonnet-4-6", forced().with_effort(Effort::Low), &[]),
        ("claude-haiku-5-5", forced(), &[]),
        ("claude-fable-5", forced(), &[]),
        ("claude-fable-5-1", forced(), &["tool_choice"]),
        ("claude-sonnet-5-5", forced(), &["tool_choice"]),
        (
            OPUS,
            hi().with_output(OutputFormat::JsonObject),
            &["output"],
        ),
        (
            OPUS,
            hi().with_max_output_tokens(500_000),
            &["max_output_tokens"],
        ),
    ];
    for (model, request, expected) in rows {
        let encoded = encode(model, request.clone()).unwrap();
        assert_eq!(
            subjects(&encoded),
            expected,
            "{model} {:?}",
            request.sampling
        );
        let strict = encode(model, request.with_on_unsupported(OnUnsupported::Refuse));
        let part = strict.as_ref().err().and_then(|e| e.context("part"));
        assert_eq!(part, expected.first().copied(), "{model}");
    }
}

#[test]
fn only_some_models_continue_the_assistants_words() {
    let prefill = Request::new([
        Message::user("Pick."),
        Message::assistant("The answer is ( \n"),
    ]);
    let encoded = encode("claude-haiku-4-5", prefill.clone()).unwrap();
    assert_eq!(
        body(&encoded)["messages"][1]["content"][0]["text"],
        "The answer is ("
    );
    for model in ["claude-opus-4-6", "claude-opus-4-8", "claude-sonnet-5-5"] {
        let error = encode(model, prefill.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{model}");
    }
    let thinking = prefill.with_effort(Effort::Low);
    let error = encode("claude-haiku-4-5", thinking).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn the_providers_own_list_beats_the_table() {
    let mut target = target("claude-sonnet-4-6");
    let mut info = ModelInfo::new("claude-sonnet-4-6");
    info.settings.insert("thinking_budget".into(), false);
    info.settings.insert("effort_max".into(), false);
    info.max_output_tokens = Some(2000);
    target.info = Some(info.into());
    let ask = |reasoning| {
        let call = call(&target, hi().with_reasoning(reasoning));
        body(&Anthropic::new().encode(&call, &target).unwrap())
    };
    assert_eq!(
        ask(Reasoning::budget(5000))["thinking"],
        json!({"type": "adaptive"})
    );
    let max = ask(Reasoning::new(Effort::Max));
    assert_eq!(max["output_config"]["effort"], "high");
    assert_eq!(max["max_tokens"], 2000);
}

#[test]
fn a_part_that_would_be_lost_is_an_error_that_names_it() {
    let image = |media_type: &str| Image::new(Source::bytes(media_type, b"x"));
    let audio = aurax_core::Audio::new(Source::bytes("audio/wav", b"x"));
    let cut = ToolCall::new("toolu_1", "get_weather", r#"{"city":"Par"#);
    let list = ToolCall::new("toolu_1", "get_weather", "[1]");
    let user = |part: Part| Request::from(Message::user("See:").with(part));
    let said = |part: Part| Request::new([Message::user("Hi"), Message::assistant(part)]);
    let wrong_schema = weather().with_parameters(schema(r#"{"type":"string"}"#));
    let rows = [
        (
            user(audio.into()),
            ErrorKind::Unsupported,
            "messages[0].parts[1]",
            "",
        ),
        (
            user(image("image/bmp").into()),
            ErrorKind::Unsupported,
            "messages[0].parts[1]",
            "",
        ),
        (
            user(Document::new(Source::bytes("application/msword", b"x")).into()),
            ErrorKind::Unsupported,
            "messages[0].parts[1]",
            "",
        ),
        (
            said(image("image/png").into()),
            ErrorKind::InvalidRequest,
            "messages[1].parts[0]",
            "",
        ),
        (
            said(cut.into()),
            ErrorKind::InvalidRequest,
            "messages[1].parts[0]",
            "get_weather",
        ),
        (
            said(list.into()),
            ErrorKind::InvalidRequest,
            "messages[1].parts[0]",
            "get_weather",
        ),
        (
            Request::new([Message::system(image("image/png")), Message::user("Hi")]),
            ErrorKind::InvalidRequest,
            "messages[0].parts[0]",
            "",
        ),
        (
            hi().with_tools([wrong_schema]),
            ErrorKind::InvalidRequest,
            "tools[0]",
            "get_weather",
        ),
        (hi().with_n(2), ErrorKind::Unsupported, "n", ""),
        (
            hi().with_extra("betas", 1),
            ErrorKind::InvalidRequest,
            "extra.betas",
            "",
        ),
        (
            Message::user(" ").into(),
            ErrorKind::InvalidRequest,
            "messages",
            "",
        ),
        (
            hi().with_tools([Function::new("a".repeat(129))]),
            ErrorKind::InvalidRequest,
            "tools[0]",
            "",
        ),
    ];
    for (request, kind, part, tool) in rows {
        let error = encode(OPUS, request).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.context("part"), Some(part), "{error}");
        assert_eq!(error.context("tool").unwrap_or_default(), tool, "{error}");
    }
}

#[test]
fn embeddings_are_elsewhere() {
    let target = target(OPUS);
    let request = aurax_core::EmbedRequest::new(["a"]);
    let call = Call::embed(target.model.clone(), request);
    let error = Anthropic::new().encode(&call, &target).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
