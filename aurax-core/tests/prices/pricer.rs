//! Costs of attempts, and the policy for models without a price.

use std::sync::{Arc, LazyLock};

use aurax_core::{
    Bucket, Cost, ErrorKind, Money, PriceBook, Pricer, Sale, UnknownModel, Usage, UsageSource,
};

use crate::support::{at, book, used};

fn acme() -> Pricer {
    static BOOK: LazyLock<Arc<PriceBook>> = LazyLock::new(|| {
        Arc::new(book(
            r#"{"providers": {
        "acme": {"models": [
            {"id": "cheap", "prices": [{"usd": {"input": "1"}}]},
            {"id": "dear", "prices": [{"usd": {"input": "5"}}]},
            {"id": "gift", "free": true},
            {"id": "riddle", "unpriced": true},
            {"id": "rising", "prices": [{"from": "2026-09-02", "usd": {"input": "7"}}, {"usd": {"input": "1"}}]}]},
        "late": {"billed_at": "completion", "models": [
            {"id": "rising", "prices": [{"from": "2026-09-02", "usd": {"input": "7"}}, {"usd": {"input": "1"}}]}]}}}"#,
        ))
    });
    Pricer::new(BOOK.clone())
}

fn sale<'a>(asked: &'a str, usage: &'a Usage) -> Sale<'a> {
    Sale {
        provider: Some("acme"),
        asked,
        answered_by: None,
        usage,
        started_at: at("2026-09-01T23:59:00Z"),
        ended_at: at("2026-09-02T00:01:00Z"),
    }
}

fn million() -> Usage {
    used(&[(Bucket::Input, 1_000_000)])
}

fn usd(text: &str) -> Money {
    text.parse().unwrap()
}

fn cost(pricer: &Pricer, sale: &Sale<'_>) -> Cost {
    let priced = pricer.price(sale);
    assert_eq!(priced.cost, priced.computed);
    priced.cost
}

#[test]
fn a_known_model_and_reported_usage_cost_exactly() {
    let usage = million();
    assert_eq!(cost(&acme(), &sale("cheap", &usage)), Cost::Exact(usd("1")));
    assert_eq!(cost(&acme(), &sale("gift", &usage)), Cost::Free);
}

#[test]
fn counted_and_estimated_usage_is_an_estimate() {
    for source in [UsageSource::Counted, UsageSource::Estimated] {
        let mut usage = million();
        usage.source = source;
        assert_eq!(
            cost(&acme(), &sale("cheap", &usage)),
            Cost::Estimated(usd("1"))
        );
        assert_eq!(cost(&acme(), &sale("gift", &usage)), Cost::Free);
    }
}

#[test]
fn an_assumed_rate_is_an_estimate_and_a_missing_one_is_partial() {
    let mut usage = million();
    usage
        .price_context
        .insert("service_tier".to_owned(), "turbo".to_owned());
    assert_eq!(
        cost(&acme(), &sale("cheap", &usage)),
        Cost::Estimated(usd("1"))
    );
    usage.buckets.set(Bucket::Output, 1);
    assert_eq!(
        cost(&acme(), &sale("cheap", &usage)),
        Cost::Partial(usd("1"))
    );
}

#[test]
fn what_is_not_known_is_unpriced_and_never_zero() {
    let usage = million();
    let pricer = acme();
    assert_eq!(cost(&pricer, &sale("nobody", &usage)), Cost::Unpriced);
    assert_eq!(cost(&pricer, &sale("riddle", &usage)), Cost::Unpriced);
    for provider in [None, Some("nobody")] {
        let sale = Sale {
            provider,
            ..sale("cheap", &usage)
        };
        assert_eq!(cost(&pricer, &sale), Cost::Unpriced);
    }
    let huge = used(&[(Bucket::Input, u64::MAX), (Bucket::CacheRead, u64::MAX)]);
    assert_eq!(cost(&pricer, &sale("cheap", &huge)), Cost::Unpriced);
}

#[test]
fn the_model_in_the_answer_decides_where_the_book_knows_it() {
    let usage = million();
    let answered = |asked, answered_by| {
        let sale = Sale {
            answered_by: Some(answered_by),
            ..sale(asked, &usage)
        };
        cost(&acme(), &sale)
    };
    assert_eq!(answered("cheap", "dear"), Cost::Exact(usd("5")));
    assert_eq!(answered("my-deployment", "dear"), Cost::Exact(usd("5")));
    assert_eq!(
        answered("cheap", "cheap-snapshot-7"),
        Cost::Estimated(usd("1"))
    );
    assert_eq!(answered("cheap", "riddle"), Cost::Unpriced);
    assert_eq!(answered("cheap", "gift"), Cost::Free);
}

#[test]
fn a_reported_cost_stands_beside_the_computed_one() {
    let mut usage = million();
    usage.reported_cost = Some(usd("0.9000000000000000005"));
    let priced = acme().price(&sale("cheap", &usage));
    assert_eq!(priced.cost, Cost::Reported(usd("0.9")));
    assert_eq!(priced.computed, Cost::Exact(usd("1")));
    let nowhere = Sale {
        provider: None,
        ..sale("cheap", &usage)
    };
    assert_eq!(acme().price(&nowhere).cost, Cost::Reported(usd("0.9")));
    for nonsense in ["-1", "1000000.01", "100000000000"] {
        usage.reported_cost = Some(usd(nonsense));
        assert_eq!(cost(&acme(), &sale("cheap", &usage)), Cost::Exact(usd("1")));
    }
    usage.reported_cost = None;
    usage.buckets.set(Bucket::Input, 1_000_000_000_000_000);
    assert_eq!(cost(&acme(), &sale("cheap", &usage)), Cost::Unpriced);
}

#[test]
fn the_provider_decides_which_time_counts() {
    let usage = million();
    assert_eq!(
        cost(&acme(), &sale("rising", &usage)),
        Cost::Exact(usd("1"))
    );
    let late = Sale {
        provider: Some("late"),
        ..sale("rising", &usage)
    };
    assert_eq!(cost(&acme(), &late), Cost::Exact(usd("7")));
    let crosses_into_peak_hours = Sale {
        provider: Some("deepseek"),
        started_at: at("2026-09-17T00:59:00Z"),
        ended_at: at("2026-09-17T01:01:00Z"),
        ..sale("deepseek-v4-flash", &usage)
    };
    let builtin = Pricer::new(PriceBook::builtin());
    assert_eq!(
        cost(&builtin, &crosses_into_peak_hours),
        Cost::Exact(usd("0.3"))
    );
}

#[test]
fn an_assumed_model_gives_an_estimate_for_unknown_ones_only() {
    let assume = UnknownModel::Assume {
        provider: "acme".to_owned(),
        model: "dear".to_owned(),
    };
    let pricer = acme().with_unknown_model(assume).unwrap();
    let usage = million();
    assert_eq!(
        cost(&pricer, &sale("nobody", &usage)),
        Cost::Estimated(usd("5"))
    );
    assert_eq!(cost(&pricer, &sale("cheap", &usage)), Cost::Exact(usd("1")));
    assert_eq!(cost(&pricer, &sale("riddle", &usage)), Cost::Unpriced);
    pricer.check(Some("acme"), "nobody").unwrap();
    let nobody = UnknownModel::Assume {
        provider: "acme".to_owned(),
        model: "nobody".to_owned(),
    };
    let error = acme().with_unknown_model(nobody).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ModelNotFound);
}

#[test]
fn rejecting_is_asked_before_the_call_and_says_what_to_do() {
    let allow = acme();
    allow.check(None, "nobody").unwrap();
    let reject = acme().with_unknown_model(UnknownModel::Reject).unwrap();
    reject.check(Some("acme"), "cheap").unwrap();
    reject.check(Some("acme"), "gift").unwrap();
    for (provider, model) in [
        (Some("acme"), "chaep"),
        (Some("acme"), "riddle"),
        (Some("nobody"), "cheap"),
        (None, "cheap"),
    ] {
        let error = reject.check(provider, model).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unpriced);
        assert_eq!(error.context("model"), Some(model));
        assert!(
            error.message().contains("price file of your own"),
            "{error}"
        );
    }
    let error = reject.check(Some("acme"), "chaep").unwrap_err();
    assert!(error.message().contains("similar: cheap"), "{error}");
}

#[test]
fn a_pricer_has_the_version_of_its_book() {
    let pricer = Pricer::new(PriceBook::builtin());
    assert_eq!(pricer.version(), PriceBook::builtin().version());
}
