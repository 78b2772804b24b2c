use aurax_core::{
    Audio, ErrorKind, Function, Image, Json, Message, ModelId, ModelInfo, Native, Phase, ToolCall,
    ToolResult,
};

use super::*;
use crate::rules::ModelRules;

fn target(features: Features) -> Target {
    let mut info = ModelInfo::new("small");
    info.features = features;
    Target {
        provider: "demo".into(),
        model: ModelId::parse("small").unwrap(),
        rules: ModelRules::default(),
        info: Some(info.into()),
    }
}

fn refused(request: &Request, features: Features) -> Option<(ErrorKind, String)> {
    let error = super::features(request, &target(features)).err()?;
    assert_eq!(error.phase(), Some(Phase::Encode));
    let part = error.context("part").unwrap_or_default().to_owned();
    Some((error.kind(), part))
}

fn hi() -> Request {
    Request::from("Hi")
}

fn now() -> Function {
    Function::new("now")
}

fn image() -> Image {
    Image::from_url("https://example.com/a.png")
}

fn pdf() -> Document {
    Document::new(Source::bytes("application/pdf", b"%PDF"))
}

#[test]
fn requests_no_model_can_answer_are_refused() {
    let call = ToolCall::new("a", "now", "{}");
    let result = Message::tool([ToolResult::new(&call, "noon")]);
    let early = Request::new([
        Message::user("Hi"),
        result.clone(),
        Message::assistant(call.clone()),
    ]);
    let rows = [
        (Request::default(), "messages"),
        (Request::from(Message::system("Be brief.")), "messages"),
        (hi().with_n(0), "n"),
        (hi().with_max_output_tokens(0), "max_output_tokens"),
        (hi().with_tools([now(), now()]), "tools[1]"),
        (hi().with_message(result), "messages[1].parts[0]"),
        (early, "messages[1].parts[0]"),
        (hi().with_tool_choice(ToolChoice::Required), "tool_choice"),
        (
            hi().with_tools([now()])
                .with_tool_choice(ToolChoice::Tool("then".into())),
            "tool_choice",
        ),
    ];
    for (request, part) in rows {
        assert_eq!(
            refused(&request, Features::default()),
            Some((ErrorKind::InvalidRequest, part.to_owned())),
            "{part}"
        );
    }
    let answered = Request::new([
        Message::user("Hi"),
        Message::assistant(call.clone()),
        Message::tool([ToolResult::new(&call, "noon")]),
    ]);
    assert_eq!(refused(&answered, Features::default()), None);
}

#[test]
fn an_unknown_tool_is_answered_with_the_known_ones() {
    let request = hi()
        .with_tools([now(), Function::new("here")])
        .with_tool_choice(ToolChoice::Tool("then".into()));
    let error = super::features(&request, &target(Features::default())).unwrap_err();
    assert!(error.message().contains("now, here"), "{error}");
    // The name of a provider's own tool is inside its own JSON.
    let own = Native::new(None, "search", r#"{"name":"search"}"#);
    let request = hi()
        .with_tools([own])
        .with_tool_choice(ToolChoice::Tool("search".into()));
    assert_eq!(refused(&request, Features::default()), None);
}

#[test]
fn names_of_tools_have_a_length_and_an_alphabet() {
    for (name, longest, fits) in [
        ("get_weather-2", 64, true),
        ("", 64, false),
        ("get weather", 64, false),
        ("größe", 64, false),
        ("abcde", 5, true),
        ("abcdef", 5, false),
    ] {
        let request = hi().with_tools([Function::new(name)]);
        assert_eq!(tool_names(&request, longest).is_ok(), fits, "{name:?}");
    }
}

#[test]
fn what_a_model_is_known_not_to_do_is_refused_by_name() {
    let call = ToolCall::new("a", "now", "{}");
    let shown = Request::new([
        Message::user("Hi"),
        Message::assistant(call.clone()),
        Message::tool([ToolResult::new(&call, "noon").with(image())]),
    ]);
    let schema = OutputFormat::JsonSchema {
        name: "x".into(),
        schema: Json::parse("{}").unwrap(),
        strict: None,
    };
    let audio = Audio::new(Source::bytes("audio/wav", b"x"));
    type Without = fn(&mut Features) -> &mut Option<bool>;
    let rows: [(Request, Without, &str); 6] = [
        (hi().with_tools([now()]), |f| &mut f.tools, "tools"),
        (hi().with_output(schema), |f| &mut f.json_schema, "output"),
        (
            Message::user("See:").with(image()).into(),
            |f| &mut f.vision,
            "messages[0].parts[1]",
        ),
        (shown, |f| &mut f.vision, "messages[2].parts[0].content[1]"),
        (
            Message::user(pdf()).into(),
            |f| &mut f.pdf,
            "messages[0].parts[0]",
        ),
        (
            Message::user(audio).into(),
            |f| &mut f.audio_input,
            "messages[0].parts[0]",
        ),
    ];
    for (request, without, part) in rows {
        let mut features = Features::default();
        assert_eq!(refused(&request, features), None, "{part}: not known");
        *without(&mut features) = Some(true);
        assert_eq!(refused(&request, features), None, "{part}: known to do it");
        *without(&mut features) = Some(false);
        assert_eq!(
            refused(&request, features),
            Some((ErrorKind::Unsupported, part.to_owned()))
        );
    }
}

#[test]
fn a_refusal_says_which_model_takes_no_what() {
    let mut features = Features::default();
    features.vision = Some(false);
    let request = Request::from(Message::user(image()));
    let error = super::features(&request, &target(features)).unwrap_err();
    assert_eq!(error.message(), "image; model small takes no images");
}

#[test]
fn text_documents_need_no_reader_of_pdf() {
    let mut features = Features::default();
    features.pdf = Some(false);
    let text = Document::new(Source::Text("Hi".into()));
    assert_eq!(refused(&Message::user(text).into(), features), None);
}

#[test]
fn without_facts_about_the_model_the_provider_decides() {
    let mut target = target(Features::default());
    target.info = None;
    assert!(super::features(&Message::user(image()).into(), &target).is_ok());
}
