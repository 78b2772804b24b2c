//! What a reply says was used.

use super::*;

#[test]
fn counts_near_the_end_replace_those_of_the_start() {
    let mut frames = framed(&[], "end_turn");
    frames[0]["message"]["usage"] = json!({
        "input_tokens": 3, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20,
        "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 5},
        "output_tokens": 1, "service_tier": "standard", "inference_geo": "us",
    });
    frames[2]["usage"] = json!({
        "input_tokens": 4, "cache_read_input_tokens": null, "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 30},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
    });
    let heard = stream(&frames);
    let first = heard.events.iter().find_map(|event| match event {
        Event::Usage(usage) => Some(usage.clone()),
        _ => None,
    });
    assert_eq!(first.unwrap().reported.output, Some(1));
    let response = heard.complete();
    let usage = response.usage.unwrap();
    let totals = &usage.reported;
    assert_eq!(totals.input, Some(124));
    assert_eq!(totals.output, Some(50));
    assert_eq!(totals.reasoning, Some(30));
    assert_eq!(
        (totals.cache_read, totals.cache_write),
        (Some(100), Some(20))
    );
    assert_eq!(
        (totals.cache_write_5m, totals.cache_write_1h),
        (Some(15), Some(5))
    );
    for (bucket, count) in [
        (Bucket::Input, 4),
        (Bucket::CacheRead, 100),
        (Bucket::CacheWrite, 15),
        (Bucket::CacheWrite1h, 5),
        (Bucket::Output, 20),
        (Bucket::Reasoning, 30),
        (Bucket::WebSearches, 2),
        (Bucket::Requests, 1),
    ] {
        assert_eq!(usage.buckets.get(bucket), count, "{bucket:?}");
    }
    assert_eq!(response.service_tier.as_deref(), Some("standard"));
    assert_eq!(
        usage.price_context.clone().into_iter().collect::<Vec<_>>(),
        [("inference_geo".to_owned(), "us".to_owned())]
    );
}

#[test]
fn counts_that_are_not_reported_are_not_zero() {
    let usage = json!({"input_tokens": 7, "output_tokens": 2});
    let usage = whole(&message(&json!([]), "end_turn", &usage))
        .complete()
        .usage
        .unwrap();
    assert_eq!(usage.reported.cache_read, None);
    assert_eq!(usage.reported.reasoning, None);
    assert_eq!(
        usage.raw.as_ref().unwrap().as_str(),
        r#"{"input_tokens":7,"output_tokens":2}"#
    );
    let none = whole(&message(&json!([]), "end_turn", &Value::Null))
        .complete()
        .usage;
    assert_eq!(none, None);
}

#[test]
fn facts_that_change_the_price_are_named() {
    for (field, value, expected) in [
        (
            "service_tier",
            "Priority",
            Some(("service_tier", "priority")),
        ),
        ("service_tier", "batch", Some(("processing", "batch"))),
        ("speed", "fast", Some(("speed", "fast"))),
        ("inference_geo", "US", Some(("inference_geo", "us"))),
        ("service_tier", "standard", None),
        ("speed", "standard", None),
        ("inference_geo", "global", None),
        ("inference_geo", "not_available", None),
    ] {
        let mut usage = usage();
        usage[field] = json!(value);
        let usage = whole(&message(&json!([]), "end_turn", &usage))
            .complete()
            .usage
            .unwrap();
        let context = usage.price_context.iter().next();
        let context = context.map(|(key, value)| (key.as_str(), value.as_str()));
        assert_eq!(context, expected, "{field}: {value}");
    }
}

/// Kind, model, input and output tokens.
type Run = (String, Option<String>, u64, u64);

fn billed(iterations: &Value) -> (Vec<Run>, Option<String>) {
    let usage = json!({"input_tokens": 9, "output_tokens": 2, "iterations": iterations,
        "server_tool_use": {"web_search_requests": 1}});
    let usage = whole(&message(&json!([]), "end_turn", &usage))
        .complete()
        .usage
        .unwrap();
    assert_eq!(usage.buckets.get(Bucket::WebSearches), 1);
    let runs = usage.iterations.iter().map(|run| {
        let (input, output) = (run.buckets.input_tokens(), run.buckets.output_tokens());
        (run.kind.clone(), run.model.clone(), input, output)
    });
    (
        runs.collect(),
        usage.price_context.get("iteration").cloned(),
    )
}

#[test]
fn runs_inside_a_call_are_billed_apart() {
    let run = |kind: &str, model: Option<&str>, input: u64| {
        json!({"type": kind, "model": model, "input_tokens": input, "output_tokens": 1,
            "cache_read_input_tokens": 1, "cache_creation_input_tokens": 0})
    };
    let line = |kind: &str, model: Option<&str>, input: u64| {
        (kind.to_owned(), model.map(str::to_owned), input + 1, 1)
    };
    // The call's own run says nothing the totals do not say.
    assert_eq!(billed(&json!([run("message", None, 9)])), (vec![], None));
    let advisor = Some("claude-fable-5");
    assert_eq!(
        billed(&json!([
            run("compaction", None, 500),
            run("message", None, 5),
            run("advisor_message", advisor, 70),
            run("message", None, 4),
        ])),
        (
            vec![
                line("compaction", None, 500),
                line("message", None, 5),
                line("advisor_message", advisor, 70),
                line("message", None, 4),
            ],
            None
        )
    );
    // Attempts that were declined before a fallback served the turn are not billed.
    let (asked, fallback) = (Some("claude-fable-5"), Some("claude-opus-4-8"));
    assert_eq!(
        billed(&json!([
            run("message", asked, 50),
            run("message", fallback, 60),
            run("fallback_message", fallback, 80),
        ])),
        (
            vec![
                line("message", fallback, 60),
                line("fallback_message", fallback, 80)
            ],
            None
        )
    );
    // A run of a type this version does not know is billed, and named where prices are looked up.
    assert_eq!(
        billed(&json!([run("message", None, 5), run("Judge", advisor, 6)])),
        (
            vec![line("message", None, 5), line("Judge", advisor, 6)],
            Some("judge".to_owned())
        )
    );
}

#[test]
fn a_gateways_cost_is_read_from_its_digits() {
    let text = message(&json!([]), "end_turn", &usage())
        .to_string()
        .replace(r#""output_tokens":5"#, r#""output_tokens":5,"cost":1.8e-7"#);
    let mut events = Vec::new();
    let mut decoder = Anthropic::new().decoder(&call(), &target());
    decoder.whole(text.as_bytes(), &mut events).unwrap();
    let heard = Heard {
        events,
        result: Ok(()),
    };
    let cost = heard.complete().usage.unwrap().reported_cost.unwrap();
    assert_eq!(cost.to_string(), "0.00000018");
}
