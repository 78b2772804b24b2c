//! What a call would use and cost, before it is made.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::sync::LazyLock;

use aurax_core::{
    Bucket, Buckets, CacheHint, CacheTtl, Cost, CountSource, Ctx, Document, Engine, ErrorKind,
    Fits, Function, Image, Lifecycle, Message, Native, PriceBook, Quote, Request, Source, Tool,
    UnknownModel, Usage, UsageSource, Warning,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use support::{Scripted, engine};

fn quote(model: &str, request: &Request) -> Quote {
    ENGINE.with(|engine| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(engine.quote(model, request)).unwrap()
    })
}

thread_local! {
    static ENGINE: Engine = {
        let providers = PriceBook::builtin();
        let providers = providers.providers().map(|name| Scripted::new(name, []));
        engine(providers.collect::<Vec<_>>()).0
    };
}

#[test]
fn a_quote_says_all_there_is_to_know() {
    let request = Request::from("How many tokens is this?").with_max_output_tokens(100);
    let quote = quote("openai/gpt-4o-mini", &request);
    assert_eq!(
        (quote.provider.as_str(), quote.model.as_str()),
        ("openai", "gpt-4o-mini")
    );
    assert_eq!(quote.max_output_tokens, Some(100));
    assert_eq!(quote.context_window, Some(128_000));
    assert_eq!(quote.fits, Fits::Yes);
    assert!(quote.input_bound.unwrap() >= quote.input.tokens);
    assert!(quote.worst_case.unwrap() > quote.input_cost.amount().unwrap());
    assert!(
        matches!(quote.input_cost, Cost::Estimated(_)),
        "nobody has reported it"
    );
    assert!(quote.warnings.is_empty(), "{:?}", quote.warnings);
    #[cfg(feature = "tiktoken")]
    assert_eq!(
        (quote.input.tokens, quote.input.source),
        (13, CountSource::Exact)
    );
    #[cfg(not(feature = "tiktoken"))]
    assert_eq!(quote.input.source, CountSource::Estimate);
}

#[test]
fn a_request_that_is_too_long_says_by_how_much() {
    let request = Request::from("word ".repeat(130_000)).with_max_output_tokens(1_000);
    let quote = quote("openai/gpt-4o-mini", &request);
    let over_by = quote.input.tokens + 1_000 - 128_000;
    assert_eq!(quote.fits, Fits::No { over_by });
}

#[test]
fn an_unknown_price_is_not_zero_and_an_unknown_window_is_unknown() {
    let request = Request::from("Hi").with_max_output_tokens(10);
    let quote = quote("openai/no-such-model", &request);
    assert_eq!(quote.worst_case, None);
    assert_eq!(quote.input_cost, Cost::Unpriced);
    assert_eq!((quote.fits, quote.context_window), (Fits::Unknown, None));
    let free = self::quote("ollama/any-model", &request);
    assert_eq!(free.input_cost.amount(), free.worst_case);
}

#[test]
fn without_a_limit_the_models_own_bounds_the_cost() {
    let unlimited = quote("openai/gpt-4o-mini", &Request::from("Hi"));
    assert_eq!(unlimited.max_output_tokens, Some(16_384));
    let limited = quote(
        "openai/gpt-4o-mini",
        &Request::from("Hi").with_max_output_tokens(16),
    );
    assert!(unlimited.worst_case > limited.worst_case);
    let unknown = quote("openai/no-such-model", &Request::from("Hi"));
    assert_eq!(unknown.max_output_tokens, None);
    assert!(
        unknown
            .warnings
            .iter()
            .any(|warning| warning.subject == "max_output_tokens")
    );
}

#[test]
fn what_has_no_bound_has_no_worst_case() {
    let hi = || Request::from("Hi").with_max_output_tokens(10);
    let document = Document::new(Source::bytes("application/pdf", b"%PDF"));
    for request in [
        hi().with_extra("web_search_options", serde_json::json!({})),
        hi().with_tools([Tool::Native(Native::new(None, "web_search", "{}"))]),
        hi().with_message(Message::user("Read this.").with(document)),
    ] {
        let quote = quote("openai/gpt-4o-mini", &request);
        assert_eq!(
            (quote.input_bound, quote.worst_case),
            (None, None),
            "{request:?}"
        );
        assert!(
            quote
                .warnings
                .iter()
                .any(|warning| warning.subject == "input_bound")
        );
    }
    let picture = Message::user("What?").with(Image::from_url("https://example.com/a.png"));
    let seen = quote("openai/gpt-4o", &hi().with_message(picture.clone()));
    assert!(seen.input_bound.unwrap() > 1_445 && seen.worst_case.is_some());
    let elsewhere = quote("mistral/mistral-large-latest", &hi().with_message(picture));
    assert_eq!(elsewhere.input_bound, None);
    let searches = quote("perplexity/sonar-deep-research", &hi());
    assert_eq!(
        searches.worst_case, None,
        "it searches by itself, for a fee each"
    );
}

#[test]
fn a_retired_model_is_quoted_with_a_warning() {
    let book = PriceBook::builtin();
    let retired = book.models("openai").into_iter();
    let mut retired = retired.filter(|model| model.lifecycle == Lifecycle::Retired);
    let model = retired.next_back().unwrap().id;
    let quote = quote(&format!("openai/{model}"), &Request::from("Hi"));
    let warns = |warning: &Warning| warning.subject == "model" && warning.message.contains(&model);
    assert!(quote.warnings.iter().any(warns), "{:?}", quote.warnings);
}

#[tokio::test]
async fn a_provider_is_asked_only_when_it_is_meant_to_be() {
    let (engine, _) = engine([Scripted::new("openai", [])]);
    let request = Request::from("Hi");
    engine
        .count_tokens("openai/gpt-4o", &request)
        .await
        .unwrap();
    let ctx = Ctx::local();
    let asked = engine.count_tokens_by_provider(&ctx, "openai/gpt-4o", request);
    assert_eq!(asked.await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn an_assumed_price_bounds_an_unknown_model() {
    let assume = UnknownModel::Assume {
        provider: "openai".into(),
        model: "gpt-4o".into(),
    };
    let engine = Engine::builder()
        .provider(Scripted::new("openai", []))
        .unknown_model(assume)
        .build()
        .unwrap();
    let request = Request::from("Hi").with_max_output_tokens(10);
    let worst = |model| {
        let quote = engine.quote(model, &request);
        async { quote.await.unwrap().worst_case }
    };
    assert!(worst("openai/mystery").await.is_some());
    assert_eq!(worst("openai/mystery").await, worst("openai/gpt-4o").await);
}

/// Models whose cost has a bound.
static MODELS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let book = PriceBook::builtin();
    let names = book.providers().flat_map(|provider| {
        let models = book.models(provider).into_iter();
        models.map(move |model| format!("{provider}/{}", model.id))
    });
    let request = Request::from("Hi").with_max_output_tokens(1);
    names
        .filter(|name| quote(name, &request).worst_case.is_some())
        .collect()
});

#[test]
fn most_models_of_the_book_have_a_bound() {
    assert!(MODELS.len() > 500, "{}", MODELS.len());
}

/// Those of them that are dearer by the token for long prompts.
static TIERED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let cost = |name: &str, tokens: u64| {
        let buckets = Buckets::new().with(Bucket::Input, tokens);
        let usage = Usage::measured(buckets, UsageSource::Provider);
        let cost = ENGINE.with(|engine| engine.cost(name, &usage)).unwrap();
        cost.amount().unwrap().usd()
    };
    let is_tiered = |name: &&String| {
        let short = cost(name, 1_000).checked_mul(290.into()).unwrap();
        cost(name, 290_000) > short
    };
    MODELS.iter().filter(is_tiered).cloned().collect()
});

fn any_model() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<Index>().prop_map(|i| i.get(&MODELS).clone()),
        any::<Index>().prop_map(|i| i.get(&TIERED).clone()),
    ]
}

/// How a whole is split: into one part, or into several.
fn any_weights() -> impl Strategy<Value = [u16; 6]> {
    let one = (0..6_usize).prop_map(|at| std::array::from_fn(|i| u16::from(i == at)));
    prop_oneof![one, proptest::array::uniform6(0..100_u16)]
}

fn any_share() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1_000), 0..=1_000_u64]
}

/// Splits a whole into parts.
fn split(whole: u64, weights: &[u16]) -> Vec<u64> {
    let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    weights
        .iter()
        .map(|weight| (whole * u64::from(*weight)).checked_div(sum).unwrap_or(0))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever the provider says it used within the bounds, of whatever kind: caches that are
    /// dearer to write than input, thinking, every tier.
    #[test]
    fn no_usage_within_the_bounds_costs_more_than_the_worst_case(
        model in any_model(),
        words in select(&[1_usize, 40, 5_000, 150_000][..]),
        limit in 1..200_000_u32,
        choices in 1..4_u32,
        hour in any::<bool>(),
        tier in select(&[None, Some("priority"), Some("flex"), Some("fast"), Some("auto")][..]),
        used in (any_share(), any_share()),
        input in any_weights(),
        output in any_weights(),
    ) {
        let model = model.as_str();
        let mut request = Request::from(Message::user("w ".repeat(words)))
            .with_tools([Function::new("ping")])
            .with_max_output_tokens(limit)
            .with_n(choices);
        request.service_tier = tier.map(str::to_owned);
        request.cache = hour.then(|| CacheHint::new().with_ttl(CacheTtl::OneHour));
        let quote = quote(model, &request);
        let worst = quote.worst_case.unwrap();
        let within = |bound: u64, share: u64| bound * share / 1_000;
        let input_tokens = within(quote.input_bound.unwrap(), used.0);
        let output_tokens = within(u64::from(limit) * u64::from(choices), used.1);
        let read = [Bucket::Input, Bucket::CacheRead, Bucket::CacheWrite, Bucket::Input,
            if hour { Bucket::CacheWrite1h } else { Bucket::Input }, Bucket::CacheRead];
        let written = [Bucket::Output, Bucket::Reasoning, Bucket::Citation, Bucket::OutputAudio,
            Bucket::OutputImage, Bucket::OutputVideo];
        let mut buckets = Buckets::new();
        for (bucket, count) in read.iter().zip(split(input_tokens, &input))
            .chain(written.iter().zip(split(output_tokens, &output)))
        {
            buckets.set(*bucket, buckets.get(*bucket) + count);
        }
        let mut usage = Usage::measured(buckets, UsageSource::Provider);
        for (key, value) in [("service_tier", tier), ("region", Some("eu")),
            ("inference_geo", Some("us"))]
        {
            if let Some(value) = value {
                let value = if value == "auto" { "priority" } else { value };
                usage.price_context.insert(key.to_owned(), value.to_owned());
            }
        }
        let cost = ENGINE.with(|engine| engine.cost(model, &usage)).unwrap();
        let amount = cost.amount().unwrap();
        prop_assert!(amount <= worst, "{model}: {amount} is more than {worst}; {usage:?}");
    }
}
