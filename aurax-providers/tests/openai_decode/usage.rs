//! What was used, and what it cost.

use aurax_core::{Anomaly, Bucket, Event, Money, Totals};
use serde_json::{Value, json};

use super::{asked, chunk, last, reply, used};

fn with(usage: Value) -> Value {
    let mut reply = reply(json!({"role": "assistant", "content": "x"}), "stop");
    reply["usage"] = usage;
    reply
}

fn totals(provider: &str, usage: Value) -> Totals {
    let response = asked(provider).whole(&with(usage)).unwrap();
    used(&response).reported.clone()
}

fn money(text: &str) -> Option<Money> {
    Some(text.parse().unwrap())
}

#[test]
fn every_number_has_its_place() {
    let totals = totals(
        "openai",
        json!({
            "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 20, "audio_tokens": 10},
            "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 5,
                "accepted_prediction_tokens": 2, "rejected_prediction_tokens": 3},
        }),
    );
    assert_eq!(
        (totals.input, totals.output, totals.total),
        (Some(100), Some(50), Some(150))
    );
    assert_eq!(
        (totals.cache_read, totals.cache_write),
        (Some(40), Some(20))
    );
    assert_eq!(
        (totals.input_audio, totals.output_audio),
        (Some(10), Some(5))
    );
    assert_eq!(totals.reasoning, Some(30));
    assert_eq!(
        (totals.accepted_prediction, totals.rejected_prediction),
        (Some(2), Some(3))
    );
    assert_eq!(totals.web_searches, None);
}

#[test]
fn what_was_not_said_is_not_zero() {
    let response = asked("openai")
        .whole(&with(json!({"prompt_tokens": 0})))
        .unwrap();
    assert_eq!(used(&response).reported.input, Some(0));
    assert_eq!(used(&response).reported.cache_read, None);
    for nothing in [json!(null), json!({}), json!({"note": 1}), json!([])] {
        let response = asked("openai").whole(&with(nothing)).unwrap();
        assert_eq!(response.usage, None);
    }
}

#[test]
fn deepseek_says_cached_tokens_twice() {
    let totals = totals(
        "deepseek",
        json!({"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10,
            "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 5}),
    );
    assert_eq!(totals.cache_read, Some(4));
}

#[test]
fn thoughts_beside_the_output_are_added_to_it() {
    // xAI, from the golden prices: 1000 + 50 + 700 = 1750.
    let xai = totals(
        "xai",
        json!({"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1750,
            "completion_tokens_details": {"reasoning_tokens": 700}}),
    );
    assert_eq!((xai.output, xai.reasoning), (Some(750), Some(700)));
    let perplexity = totals(
        "perplexity",
        json!({"prompt_tokens": 33, "completion_tokens": 7163, "total_tokens": 7196,
            "citation_tokens": 20016, "num_search_queries": 21, "reasoning_tokens": 49512}),
    );
    assert_eq!(perplexity.output, Some(76_691));
    assert_eq!(
        (perplexity.reasoning, perplexity.citation),
        (Some(49_512), Some(20_016))
    );
    assert_eq!(perplexity.web_searches, Some(21));
}

#[test]
fn contradictions_are_kept_and_flagged() {
    let response = asked("openai-compatible")
        .whole(&with(json!({"prompt_tokens": 5, "completion_tokens": 10,
            "completion_tokens_details": {"reasoning_tokens": 14}})))
        .unwrap();
    let usage = used(&response);
    assert_eq!(
        (usage.reported.output, usage.reported.reasoning),
        (Some(10), Some(14))
    );
    assert_eq!(usage.buckets.output_tokens(), 10);
    let anomaly = Anomaly {
        part: Bucket::Reasoning,
        reported: 14,
        available: 10,
    };
    assert_eq!(usage.anomalies, [anomaly]);
}

#[test]
fn mistral_counts_audio_beside_the_input_and_bills_its_seconds() {
    let response = asked("mistral")
        .whole(&with(
            json!({"prompt_tokens": 11, "completion_tokens": 15, "total_tokens": 401,
            "prompt_audio_seconds": 5,
            "prompt_tokens_details": {"audio_tokens": 375, "cached_tokens": 9}}),
        ))
        .unwrap();
    let usage = used(&response);
    assert_eq!(
        (usage.reported.input, usage.reported.input_audio),
        (Some(386), Some(375))
    );
    assert_eq!(usage.buckets.get(Bucket::Input), 2);
    assert_eq!(usage.buckets.get(Bucket::CacheRead), 9);
    assert_eq!(usage.buckets.get(Bucket::InputAudio), 0);
    assert_eq!(usage.buckets.get(Bucket::InputAudioMillis), 5000);
    assert!(usage.anomalies.is_empty());
}

#[test]
fn the_providers_own_bytes_are_kept() {
    let body = r#"{"id":"x","choices":[{"message":{"content":"a"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens": 1,  "cost": 1.80e-7}}"#;
    let asked = asked("openrouter");
    let response = asked.fold(asked.whole_events(body)).unwrap();
    let raw = used(&response).raw.as_ref().unwrap();
    assert_eq!(raw.as_str(), r#"{"prompt_tokens": 1,  "cost": 1.80e-7}"#);
    assert_eq!(used(&response).reported_cost, money("0.00000018"));
}

#[test]
fn what_the_provider_says_it_cost_is_read_from_its_digits() {
    for (provider, cost, expected) in [
        ("openrouter", json!({"cost": 0.00014}), money("0.00014")),
        ("openrouter", json!({"cost": 0}), money("0")),
        (
            "openrouter",
            json!({"cost": 0.001, "is_byok": false,
                "cost_details": {"upstream_inference_cost": 0.001}}),
            money("0.001"),
        ),
        (
            "openrouter",
            json!({"cost": 0.00005, "is_byok": true,
                "cost_details": {"upstream_inference_cost": 0.001}}),
            money("0.00105"),
        ),
        (
            "perplexity",
            json!({"cost": {"input_tokens_cost": 0.00002, "total_cost": 0.00508}}),
            money("0.00508"),
        ),
        (
            "xai",
            json!({"cost_in_usd_ticks": 37_756_000}),
            money("0.0037756"),
        ),
        ("openai", json!({}), None),
        ("openrouter", json!({"cost": "free"}), None),
        ("openrouter", json!({"cost": -1}), None),
    ] {
        let mut usage = json!({"prompt_tokens": 1});
        usage
            .as_object_mut()
            .unwrap()
            .extend(cost.as_object().unwrap().clone());
        let response = asked(provider).whole(&with(usage)).unwrap();
        assert_eq!(used(&response).reported_cost, expected, "{provider} {cost}");
    }
}

#[test]
fn facts_that_select_a_price_are_noted() {
    let context = |provider: &str, tier: Value, usage: Value| {
        let mut reply = with(json!({"prompt_tokens": 1}));
        reply["usage"]
            .as_object_mut()
            .unwrap()
            .extend(usage.as_object().unwrap().clone());
        reply["service_tier"] = tier;
        let response = asked(provider).whole(&reply).unwrap();
        serde_json::to_value(&used(&response).price_context).unwrap()
    };
    for base in ["default", "standard", "auto", "on_demand", "Default"] {
        assert_eq!(
            context("openai", json!(base), json!({})),
            json!({}),
            "{base}"
        );
    }
    assert_eq!(
        context("openai", json!("Flex"), json!({})),
        json!({"service_tier": "flex"})
    );
    assert_eq!(
        context("mistral", json!(null), json!({"service_tier": "standard"})),
        json!({})
    );
    assert_eq!(
        context(
            "perplexity",
            json!(null),
            json!({"search_context_size": "low"})
        ),
        json!({"search_context_size": "low"})
    );
}

#[test]
fn the_last_report_of_a_stream_stands_and_nothing_is_added() {
    let with = |mut chunk: Value, tokens: u64| {
        chunk["usage"] = json!({"prompt_tokens": 4, "completion_tokens": tokens});
        chunk
    };
    let mut end = last("stop");
    end["usage"] = json!({"prompt_tokens": 4, "completion_tokens": 3});
    let chunks = [
        with(chunk(json!({"content": "a"})), 1),
        with(chunk(json!({"content": "b"})), 2),
        end.clone(),
        end,
    ];
    let frames: Vec<String> = chunks.iter().map(Value::to_string).collect();
    let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
    let asked = asked("perplexity");
    let (events, result) = asked.stream_events(&frames);
    result.unwrap();
    let outputs: Vec<Option<u64>> = events
        .iter()
        .filter_map(|event| match event {
            Event::Usage(usage) => Some(usage.reported.output),
            _ => None,
        })
        .collect();
    assert_eq!(outputs, [Some(1), Some(2), Some(3)]);
    let response = asked.fold((events, Ok(()))).unwrap();
    assert_eq!(used(&response).reported.output, Some(3));
}

#[test]
fn groq_says_it_in_a_field_of_its_own() {
    let mut end = last("stop");
    end["x_groq"] = json!({"id": "req_1", "usage": {"prompt_tokens": 4, "completion_tokens": 3}});
    let response = asked("groq")
        .stream(&[chunk(json!({"content": "a"})), end])
        .unwrap();
    assert_eq!(used(&response).reported.output, Some(3));
    assert_eq!(response.extra["x_groq"]["id"], "req_1");
}
