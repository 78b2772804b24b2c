//! Laws of what is held.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use super::*;
use crate::bucket::Buckets;
use crate::chat::Message;
use crate::pricing::{PriceBook, Sale, UnknownModel};
use crate::usage::{Usage, UsageSource};

const PRICES: &str = r#"{"providers": {"acme": {"models": [
    {"id": "plain", "context": 100000, "max_output": 20000,
     "prices": [{"usd": {"input": "0.37", "output": "1.13"}}]},
    {"id": "dear", "context": 100000, "max_output": 3000,
     "prices": [{"usd": {"input": "15", "cache_write": "18.75", "output": "75"}}]},
    {"id": "odd", "context": 100000, "max_output": 777,
     "prices": [{"usd": {"input": "0.0016", "output": "0.003625"}}]},
    {"id": "gift", "context": 100000, "max_output": 50000, "free": true},
    {"id": "boundless", "prices": [{"usd": {"input": "1", "output": "2"}}]}]}}}"#;

static PRICER: LazyLock<Pricer> = LazyLock::new(|| {
    let book = PriceBook::builtin().with_overlay(PRICES).unwrap();
    Pricer::new(Arc::new(book))
        .with_unknown_model(UnknownModel::default())
        .unwrap()
});

fn at() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap()
}

fn exposure(model: &str, request: Request) -> Result<Exposure> {
    let model = ModelId::parse(model).unwrap();
    let op = Op::Chat(Arc::new(request));
    Exposure::of(&PRICER, Some("acme"), &model, &op, at())
}

fn money(nanos: u64) -> Money {
    Money::new(rust_decimal::Decimal::from_i128_with_scale(
        i128::from(nanos),
        9,
    ))
}

/// What the provider bills for so many tokens.
fn billed(model: &str, input: u64, output: u64) -> Money {
    let buckets = Buckets::new()
        .with(Bucket::Input, input)
        .with(Bucket::Output, output);
    let sale = Sale {
        provider: Some("acme"),
        asked: model,
        answered_by: None,
        usage: &Usage::measured(buckets, UsageSource::Provider),
        started_at: at(),
        ended_at: at(),
    };
    PRICER.price(&sale).cost.amount().unwrap()
}

fn request(words: &str, limit: Option<u32>, n: u32) -> Request {
    let mut request = Request::new([Message::user(words)]);
    request.max_output_tokens = limit;
    request.n = Some(n);
    request
}

fn priced() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["plain", "dear", "odd", "gift"])
}

proptest! {
    /// Whatever comes back within the limits costs no more than was held.
    #[test]
    fn what_is_held_covers_every_answer(
        model in priced(),
        words in ".{0,200}",
        limit in prop::option::of(1_u32..40_000),
        n in 1_u32..4,
        available in 0_u64..3_000_000_000,
        share in 0_u64..=100,
    ) {
        let available = money(available);
        let exposure = exposure(model, request(&words, limit, n)).unwrap();
        let Ok(hold) = exposure.within(available) else { return Ok(()) };
        prop_assert!(hold.amount <= available);
        prop_assert_eq!(hold.output_limit.is_some(), limit.is_none());
        let most = u64::from(hold.output_limit.or(limit).unwrap()) * u64::from(n);
        // No token is less than a byte.
        let cost = billed(model, words.len() as u64, most * share / 100);
        prop_assert!(cost <= hold.amount, "{} of {}", cost, hold.amount);
    }

    /// More money never buys less.
    #[test]
    fn more_is_never_worth_less(
        model in priced(),
        limit in prop::option::of(1_u32..40_000),
        some in 0_u64..3_000_000_000,
        more in 0_u64..1_000_000_000,
    ) {
        let exposure = exposure(model, request("Hi", limit, 1)).unwrap();
        if let Ok(less) = exposure.within(money(some)) {
            let hold = exposure.within(money(some + more)).unwrap();
            prop_assert!(hold.amount >= less.amount);
            prop_assert!(hold.output_limit >= less.output_limit);
        }
    }

    /// The limit is as high as what is left allows: one token more would be too much.
    #[test]
    fn the_limit_is_the_highest_there_is(
        model in prop::sample::select(vec!["plain", "dear", "odd"]),
        some in 0_u64..300_000_000,
        n in 1_u32..4,
    ) {
        let exposure = exposure(model, request("Hi", None, n)).unwrap();
        let Ok(hold) = exposure.within(money(some)) else { return Ok(()) };
        let limit = u64::from(hold.output_limit.unwrap());
        let most = match exposure.limit {
            Limit::Open(most) | Limit::Set(most) => most,
        };
        prop_assert!(limit <= most && most <= DEFAULT_LIMIT);
        let next = exposure.at_most(limit + 1).unwrap();
        prop_assert!(limit == most || next > money(some), "{} would do", limit + 1);
    }

    /// What a refusal says is needed is enough, and nothing less is.
    #[test]
    fn a_refusal_says_the_least_that_is_needed(
        model in priced(),
        limit in prop::option::of(1_u32..40_000),
        some in 0_u64..3_000_000,
    ) {
        let exposure = exposure(model, request("Hi", limit, 1)).unwrap();
        if let Err(needed) = exposure.within(money(some)) {
            prop_assert!(needed > money(some));
            let hold = exposure.within(needed).unwrap();
            prop_assert_eq!(hold.amount, needed);
            let atom = Money::new(rust_decimal::Decimal::new(1, Money::SCALE));
            prop_assert!(exposure.within(needed.checked_sub(atom).unwrap()).is_err());
        }
    }
}

#[test]
fn what_is_free_needs_nothing() {
    let open = exposure("gift", request("Hi", None, 1)).unwrap();
    let hold = open.within(Money::ZERO).unwrap();
    assert_eq!(
        (hold.amount, hold.output_limit),
        (Money::ZERO, Some(16_384))
    );
    let set = exposure("gift", request("Hi", Some(u32::MAX), 4)).unwrap();
    let hold = set.within(Money::ZERO).unwrap();
    assert_eq!((hold.amount, hold.output_limit), (Money::ZERO, None));
}

#[test]
fn what_has_no_bound_is_refused_with_what_to_do() {
    let kinds = [
        (
            "nobody-knows-it",
            request("Hi", Some(5), 1),
            ErrorKind::Unpriced,
        ),
        (
            "boundless",
            request("Hi", None, 1),
            ErrorKind::InvalidRequest,
        ),
    ];
    for (model, request, kind) in kinds {
        let error = exposure(model, request).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (kind, Some(Phase::Encode)));
    }
    let error = exposure("boundless", request("Hi", None, 1)).unwrap_err();
    assert!(error.to_string().contains("max_output_tokens"), "{error}");
    assert!(exposure("boundless", request("Hi", Some(5), 1)).is_ok());
    let mut thinks = request("Hi", Some(5), 1);
    thinks.reasoning = Reasoning::budget(1_000);
    let error = exposure("boundless", thinks.clone()).unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::InvalidRequest,
        "thoughts come on top of the limit"
    );
    let known = exposure("dear", thinks).unwrap();
    assert_eq!(
        known.limit,
        Limit::Set(3_000),
        "the model's own limit holds them"
    );
}

#[test]
fn amounts_beyond_all_money_are_refused_and_do_not_overflow() {
    let exposure = Exposure {
        base: Money::ZERO,
        per_million: Money::MAX,
        choices: u64::MAX,
        limit: Limit::Set(u64::MAX),
    };
    assert_eq!(exposure.within(Money::MAX), Err(Money::MAX));
    let open = Exposure {
        limit: Limit::Open(u64::MAX),
        ..exposure
    };
    assert_eq!(open.within(Money::MAX), Err(Money::MAX));
    let negative = Money::ZERO.checked_sub(Money::MAX).unwrap();
    assert!(open.within(negative).is_err());
}
