//! Messages, events and the one fold.

use std::sync::Arc;

use aurax_core::{
    CacheHint, CacheTtl, Delta, End, Error, Event, Finish, FinishReason, Fold, Function, Image,
    Item, Json, Message, Native, Origin, OutputFormat, Part, Reasoning, Request, Response,
    Signature, Source, Text, Thinking, ToolCall, ToolCallStart, ToolResult,
};
use proptest::prelude::*;
use serde_json::json;

fn delta(choice: u32, part: u32, delta: Delta) -> Event {
    Event::Delta {
        choice,
        part,
        delta,
    }
}

fn fold(events: &[Event]) -> Response {
    let mut fold = Fold::new("p", "m");
    for event in events {
        fold.push(event);
    }
    fold.finish()
}

fn call(id: &str, name: &str) -> Delta {
    Delta::ToolCall(ToolCallStart::new(id, name))
}

#[test]
fn a_refusal_is_listed_like_a_text() {
    let item = Item::new("msg_1").with_origin(Some(Origin::new("p", "m")));
    let response = fold(&[
        delta(0, 0, Delta::Refusal(String::new())),
        delta(0, 0, Delta::Item(item.clone())),
        delta(0, 0, Delta::Refusal("no".into())),
    ]);
    let [Part::Refusal(refusal)] = response.choices[0].message.parts.as_slice() else {
        panic!("one part, not {response:?}");
    };
    assert_eq!(
        (refusal.text.as_str(), &refusal.item),
        ("no", &Some(item.clone()))
    );
    assert!(item.is_of("p") && !item.is_of("other") && Item::new("x").is_of("other"));
}

#[test]
fn interleaved_tool_calls_are_kept_apart_and_in_order() {
    let response = fold(&[
        delta(0, 2, call("b", "two")),
        delta(0, 2, Delta::Arguments("{\"n\":".into())),
        delta(0, 1, call("a", "one")),
        delta(0, 1, Delta::Arguments("{}".into())),
        delta(0, 2, Delta::Arguments("2}".into())),
        delta(0, 0, Delta::Text("Both.".into())),
    ]);
    let calls: Vec<_> = response
        .tool_calls()
        .map(|c| (c.id.as_str(), c.arguments.as_str()))
        .collect();
    assert_eq!(calls, [("a", "{}"), ("b", "{\"n\":2}")]);
    assert_eq!(
        response.message().unwrap().parts[0].as_text(),
        Some("Both.")
    );
}

#[test]
fn an_empty_text_is_a_part_and_no_text_is_none() {
    assert_eq!(
        fold(&[delta(0, 0, Delta::Text(String::new()))])
            .message()
            .unwrap()
            .parts
            .len(),
        1
    );
    assert!(fold(&[]).message().is_none());
}

#[test]
fn signatures_stay_with_their_part() {
    let origin = Some(Origin::new("p", "m"));
    let response = fold(&[
        delta(0, 0, Delta::Thinking(String::new())),
        delta(
            0,
            0,
            Delta::Signature(Signature::new("sig", origin.clone())),
        ),
        delta(0, 1, call("a", "one")),
        delta(0, 1, Delta::Signature(Signature::new("sig2", origin))),
    ]);
    let parts = &response.message().unwrap().parts;
    let Part::Thinking(thinking) = &parts[0] else {
        panic!("{parts:?}")
    };
    assert_eq!(thinking.signature.as_ref().unwrap().data, "sig");
    assert_eq!(
        parts[1]
            .as_tool_call()
            .unwrap()
            .signature
            .as_ref()
            .unwrap()
            .data,
        "sig2"
    );
}

#[test]
fn what_does_not_fit_a_part_becomes_one_of_its_own() {
    let response = fold(&[
        delta(0, 0, Delta::Text("words".into())),
        delta(0, 0, Delta::Arguments("{}".into())),
        delta(0, 0, Delta::Arguments("{}".into())),
    ]);
    let parts = &response.message().unwrap().parts;
    assert_eq!(parts.len(), 2, "{parts:?}");
}

#[test]
fn several_choices_end_each_in_its_own_way() {
    let finish = |reason| Finish::new(reason, None);
    let response = fold(&[
        delta(1, 0, Delta::Text("b".into())),
        delta(0, 0, Delta::Text("a".into())),
        Event::End(Box::new(End::new(
            vec![finish(FinishReason::Stop), finish(FinishReason::Length)],
            None,
        ))),
    ]);
    assert_eq!(response.text(), "a");
    let reasons: Vec<_> = response
        .choices
        .iter()
        .map(|c| c.finish.as_ref().unwrap().reason)
        .collect();
    assert_eq!(reasons, [FinishReason::Stop, FinishReason::Length]);
}

#[test]
fn a_choice_number_out_of_reason_is_passed_over() {
    assert!(
        fold(&[delta(u32::MAX, 0, Delta::Text("x".into()))])
            .choices
            .is_empty()
    );
}

#[test]
fn an_end_without_usage_does_not_erase_what_was_known() {
    let known = aurax_core::Usage::from_totals(aurax_core::Totals::default());
    let response = fold(&[
        Event::Usage(Arc::new(known.clone())),
        Event::End(Box::new(End::new(vec![], None))),
    ]);
    assert_eq!(response.usage, Some(Arc::new(known)));
}

#[test]
fn a_request_survives_storage() {
    let thinking =
        Thinking::new("hm").with_signature(Signature::new("s", Some(Origin::new("p", "m"))));
    let call = ToolCall::new("c1", "look", r#"{"q": 1}"#);
    let request = Request::new([
        Message::system(
            Text::new("Be brief.").with_cache(CacheHint::new().with_ttl(CacheTtl::OneHour)),
        ),
        Message::user("What is this?").with(Image::new(Source::bytes("image/png", b"png"))),
        Message::assistant(thinking).with(call.clone()),
        Message::tool([ToolResult::new(&call, "a cat").with_error()]),
    ])
    .with_tools([Function::new("look").with_parameters(json!({"type": "object"}))])
    .with_output(OutputFormat::JsonSchema {
        name: "cat".into(),
        schema: Json::parse(r#"{ "type" : "object" }"#).unwrap(),
        strict: Some(true),
    })
    .with_reasoning(Reasoning::budget(2_000))
    .with_temperature(0.2)
    .with_metadata("team", "a");
    let stored = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&stored).unwrap(), request);
    assert!(
        stored.contains(r#"{ "type" : "object" }"#),
        "the schema's bytes are kept"
    );
}

#[test]
fn instructions_stay_in_the_order_they_were_added() {
    let request = Request::from("Hi").with_system("one").with_system("two");
    let words: Vec<_> = request.messages.iter().map(Message::text).collect();
    assert_eq!(words, ["one", "two", "Hi"]);
}

#[test]
fn arguments_cut_short_are_an_error_that_names_the_tool() -> Result<(), Error> {
    assert_eq!(
        ToolCall::new("", "t", "").parse::<serde_json::Value>()?,
        json!({})
    );
    assert_eq!(
        ToolCall::new("", "t", "null").parse::<serde_json::Value>()?,
        json!({})
    );
    let error = ToolCall::new("", "weather", "{\"ci")
        .parse::<serde_json::Value>()
        .unwrap_err();
    assert_eq!(error.context("tool"), Some("weather"));
    Ok(())
}

#[test]
fn a_signature_is_only_for_its_origin() {
    let here = Origin::new("p", "m");
    assert!(Signature::new("s", None).is_for(&here));
    assert!(Signature::new("s", Some(here.clone())).is_for(&here));
    assert!(!Signature::new("s", Some(Origin::new("p", "other"))).is_for(&here));
}

#[test]
fn data_urls_are_read_and_others_are_addresses() {
    let inline = Source::Inline {
        media_type: "image/png".into(),
        data: "AAAA".into(),
    };
    assert_eq!(Source::from_url("data:image/png;base64,AAAA"), inline);
    assert_eq!(
        Source::from_url("https://example.com/a"),
        Source::url("https://example.com/a")
    );
}

proptest! {
    /// However text is cut into deltas, the answer is the same.
    #[test]
    fn cutting_text_changes_nothing(text in "\\PC{0,40}", cuts in prop::collection::vec(0_usize..40, 0..6)) {
        let whole = fold(&[delta(0, 0, Delta::Text(text.clone()))]);
        let chars: Vec<char> = text.chars().collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(chars.len())).collect();
        cuts.extend([0, chars.len()]);
        cuts.sort_unstable();
        let events: Vec<Event> = cuts
            .windows(2)
            .map(|pair| delta(0, 0, Delta::Text(chars[pair[0]..pair[1]].iter().collect())))
            .collect();
        prop_assert_eq!(fold(&events), whole);
    }
}

#[test]
fn what_a_client_supplied_is_for_its_own_wire() {
    let target = Origin::new("p", "m");
    let client = Signature::of_client("x", "a.wire");
    assert!(!client.is_for(&target));
    assert!(client.is_for_wire(&target, "a.wire"));
    assert!(!client.is_for_wire(&target, "b.wire"));
    let own = Signature::new("x", Some(target.clone()));
    assert!(own.is_for_wire(&target, "b.wire"));
    assert!(!own.is_for_wire(&Origin::new("q", "m"), "a.wire"));

    let block = Native::of_client("a.wire", "kind", "{}");
    assert!(block.is_for("p", "a.wire") && !block.is_for("p", "b.wire"));
    let made = Native::new(Some(target), "kind", "{}");
    assert!(made.is_for("p", "b.wire") && !made.is_for("q", "b.wire"));
}

/// JSON inside a part is text: every byte of it comes back, however deep the part is.
#[test]
fn what_a_part_keeps_of_its_provider_comes_back_byte_for_byte() {
    let json = r#"{"b": 1.50,  "a":[ ], "n": 12345678901234567890123}"#;
    let mut item = Item::new("msg_1");
    item.extra = Some(Json::parse(json).unwrap());
    let mut text = Text::new("Hi");
    text.item = Some(item);
    let result = ToolResult::for_id("c1", Part::Text(text.clone()));
    let message = Message::user(text).with(result);
    let stored = serde_json::to_string(&message).unwrap();
    assert_eq!(serde_json::from_str::<Message>(&stored).unwrap(), message);
    let value: serde_json::Value = serde_json::from_str(&stored).unwrap();
    let again: Message = serde_json::from_value(value).unwrap();
    assert_eq!(
        again.parts.len(),
        2,
        "from a tree too, which has its own spelling"
    );
}

#[test]
fn a_part_of_no_known_kind_is_an_error_that_names_it() {
    for (part, named) in [
        (json!({"type": "video", "text": "x"}), "video"),
        (json!({"text": "x"}), "type"),
        (json!("text"), "object"),
        (json!({"type": "text"}), "text"),
    ] {
        let error = serde_json::from_value::<Part>(part.clone()).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains(named) || error.contains("struct"),
            "{part}: {error}"
        );
    }
}

/// Each part is read anew, so its depth is checked here.
#[test]
fn parts_within_parts_have_an_end() {
    let nested = |depth: usize| {
        let open = r#"{"type":"tool_result","call_id":"c","content":["#.repeat(depth);
        let inner = r#"{"type":"text","text":"[[[[\"{{{{"}"#;
        format!("{open}{inner}{}", "]}".repeat(depth))
    };
    assert!(serde_json::from_str::<Part>(&nested(10)).is_ok());
    let error = serde_json::from_str::<Part>(&nested(100_000)).unwrap_err();
    assert!(error.to_string().contains("128 deep"), "{error}");
}
