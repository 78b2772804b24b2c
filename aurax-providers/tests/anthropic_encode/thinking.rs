//! How each generation of models is told to think.

use super::*;

/// What is sent for each level on each generation of models: the thinking, the effort, and whether
/// something was changed, which is an error where the request wants nothing changed.
#[test]
fn each_generation_thinks_as_it_can() {
    let adaptive = || json!({"type": "adaptive"});
    let enabled = |tokens: u32| json!({"type": "enabled", "budget_tokens": tokens});
    let disabled = || json!({"type": "disabled"});
    let between = || json!({"type": "between_tools"});
    let nothing = || Value::Null;
    type Row<'a> = (&'a str, Reasoning, Value, Option<&'a str>, bool);
    let rows: Vec<Row<'_>> = vec![
        (
            "claude-3-5-haiku-latest",
            Reasoning::new(Effort::Off),
            nothing(),
            None,
            false,
        ),
        (
            "claude-3-5-haiku-latest",
            Reasoning::new(Effort::High),
            nothing(),
            None,
            true,
        ),
        (
            "claude-sonnet-4-20250514",
            Reasoning::new(Effort::Off),
            nothing(),
            None,
            false,
        ),
        (
            "claude-sonnet-4-20250514",
            Reasoning::new(Effort::Minimal),
            enabled(1024),
            None,
            false,
        ),
        (
            "claude-haiku-4-5",
            Reasoning::new(Effort::Medium),
            enabled(8000),
            None,
            false,
        ),
        (
            "claude-haiku-4-5",
            Reasoning::new(Effort::Max),
            enabled(24000),
            None,
            false,
        ),
        (
            "claude-haiku-4-5",
            Reasoning::budget(2000),
            enabled(2000),
            None,
            false,
        ),
        (
            "claude-haiku-4-5",
            Reasoning::budget(10),
            enabled(1024),
            None,
            true,
        ),
        (
            "claude-opus-4-5-20251101",
            Reasoning::new(Effort::Medium),
            enabled(8000),
            Some("medium"),
            false,
        ),
        (
            "claude-opus-4-5-20251101",
            Reasoning::new(Effort::Max),
            enabled(24000),
            Some("high"),
            false,
        ),
        (
            "claude-sonnet-4-6",
            Reasoning::new(Effort::Off),
            nothing(),
            None,
            false,
        ),
        (
            "claude-sonnet-4-6",
            Reasoning::new(Effort::Max),
            adaptive(),
            Some("max"),
            false,
        ),
        (
            "claude-sonnet-4-6",
            Reasoning::new(Effort::XHigh),
            adaptive(),
            Some("high"),
            false,
        ),
        (
            "claude-sonnet-4-6",
            Reasoning::budget(5000),
            enabled(5000),
            None,
            false,
        ),
        (OPUS, Reasoning::new(Effort::Off), nothing(), None, false),
        (
            OPUS,
            Reasoning::new(Effort::XHigh),
            adaptive(),
            Some("xhigh"),
            false,
        ),
        (
            OPUS,
            Reasoning::new(Effort::Minimal),
            adaptive(),
            Some("low"),
            false,
        ),
        (
            OPUS,
            Reasoning::budget(5000),
            adaptive(),
            Some("medium"),
            true,
        ),
        (
            "claude-sonnet-5",
            Reasoning::new(Effort::Off),
            disabled(),
            None,
            false,
        ),
        (
            "claude-opus-5",
            Reasoning::new(Effort::Off),
            disabled(),
            None,
            false,
        ),
        (
            "claude-opus-5",
            Reasoning::default(),
            nothing(),
            None,
            false,
        ),
        (
            "claude-haiku-5-5",
            Reasoning::new(Effort::Off),
            disabled(),
            None,
            false,
        ),
        (
            "claude-haiku-5-5",
            Reasoning::budget(20_000),
            adaptive(),
            Some("high"),
            true,
        ),
        (
            "claude-sonnet-5-5",
            Reasoning::new(Effort::Off),
            between(),
            None,
            true,
        ),
        (
            "claude-sonnet-5-5",
            Reasoning::new(Effort::High),
            adaptive(),
            Some("high"),
            false,
        ),
        (
            "claude-opus-5-5",
            Reasoning::new(Effort::Off),
            nothing(),
            Some("low"),
            true,
        ),
        (
            "claude-fable-5-1",
            Reasoning::new(Effort::Off),
            nothing(),
            Some("low"),
            true,
        ),
        (
            "claude-fable-5-1",
            Reasoning::budget(100),
            adaptive(),
            Some("low"),
            true,
        ),
        (
            "claude-mythos-5-2",
            Reasoning::new(Effort::Max),
            adaptive(),
            Some("max"),
            false,
        ),
        (
            "claude-opus-9",
            Reasoning::budget(9000),
            adaptive(),
            Some("high"),
            true,
        ),
        (
            "not-a-claude",
            Reasoning::budget(9000),
            enabled(9000),
            None,
            false,
        ),
    ];
    for (model, reasoning, thinking, effort, changed) in rows {
        let row = format!("{model} {reasoning:?}");
        let request = hi().with_reasoning(reasoning);
        let encoded = encode(model, request.clone()).unwrap();
        let body = body(&encoded);
        assert_eq!(body["thinking"], thinking, "{row}");
        assert_eq!(body["output_config"]["effort"].as_str(), effort, "{row}");
        assert_eq!(
            !encoded.warnings.is_empty(),
            changed,
            "{row}: {:?}",
            encoded.warnings
        );
        let strict = encode(model, request.with_on_unsupported(OnUnsupported::Refuse));
        assert_eq!(
            strict.err().map(|e| e.kind()),
            changed.then_some(ErrorKind::Unsupported),
            "{row}"
        );
    }
}

#[test]
fn effort_without_thinking_stays_below_the_models_bound() {
    let mut reasoning = Reasoning::budget(0);
    reasoning.effort = Some(Effort::Max);
    let asked = |model| {
        let body = body(&encode(model, hi().with_reasoning(reasoning.clone())).unwrap());
        (
            body["thinking"].clone(),
            body["output_config"]["effort"].clone(),
        )
    };
    assert_eq!(
        asked("claude-haiku-5-5"),
        (json!({"type": "disabled"}), json!("high"))
    );
    assert_eq!(
        asked("claude-sonnet-5-5"),
        (json!({"type": "between_tools"}), json!("high"))
    );
    assert_eq!(
        asked("claude-sonnet-5"),
        (json!({"type": "disabled"}), json!("max"))
    );
    assert_eq!(asked(OPUS), (Value::Null, json!("max")));
}

#[test]
fn thinking_between_tools_goes_to_models_that_have_it() {
    let asked = |model: &str| {
        let mut request = hi();
        request.reasoning.mode = Some("between_tools".into());
        let encoded = encode(model, request).unwrap();
        (body(&encoded)["thinking"].clone(), subjects(&encoded).len())
    };
    let wanted = json!({"type": "between_tools"});
    assert_eq!(asked("claude-sonnet-5-5"), (wanted.clone(), 0));
    assert_eq!(asked("a-model-nobody-knows"), (wanted, 0));
    assert_eq!(asked(OPUS), (Value::Null, 1));
}

#[test]
fn thoughts_a_client_brought_from_another_wire_stay_behind() {
    let asked = |signature: Signature| {
        let thought = Thinking::new("hm").with_signature(signature);
        let request = Request::new([
            Message::user("Hi"),
            Message::assistant(thought).with("Hello"),
            Message::user("Bye"),
        ]);
        encode("claude-opus-4-5", request).unwrap()
    };
    let own = asked(Signature::of_client("gAAA", "anthropic.messages"));
    assert!(body(&own).to_string().contains("gAAA"));
    let foreign = asked(Signature::of_client("gAAA", "openai.responses"));
    assert!(!body(&foreign).to_string().contains("gAAA"));
    assert_eq!(subjects(&foreign).len(), 1);
}

#[test]
fn an_effort_alone_turns_no_thinking_on() {
    let mut reasoning = Reasoning::new(Effort::High);
    reasoning.mode = Some("effort_alone".into());
    let request = hi().with_reasoning(reasoning).with_max_output_tokens(4096);
    let body = body(&encode("claude-opus-4-5", request).unwrap());
    assert_eq!(body["output_config"]["effort"], "high");
    assert!(body.get("thinking").is_none());
    assert_eq!(body["max_tokens"], 4096);
}
