//! A price file of the user's own.

use aurax_core::{Bucket, Error, ErrorKind, Lifecycle, PriceBook, Usage};

use crate::support::{at, book, used};

fn refused(overlay: &str) -> Error {
    let error = PriceBook::builtin().with_overlay(overlay).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    error
}

fn model(row: &str) -> String {
    format!(r#"{{"providers": {{"acme": {{"models": [{row}]}}}}}}"#)
}

#[test]
fn a_price_replaces_the_price_and_keeps_the_rest() {
    let overlay = r#"{"providers": {"openai": {"models": [
        {"id": "gpt-4o", "prices": [{"usd": {"input": "1", "output": "2"}}]}]}}}"#;
    let book = book(overlay);
    let mut usage = used(&[(Bucket::Input, 1_000_000)]);
    let total = |usage: &Usage| {
        let bill = book.bill(
            "openai",
            "gpt-4o-2024-08-06",
            usage,
            at("2026-11-18T12:00:00Z"),
        );
        bill.unwrap().total.to_string()
    };
    assert_eq!(total(&usage), "1");
    usage
        .price_context
        .insert("processing".to_owned(), "batch".to_owned());
    assert_eq!(total(&usage), "1", "variants of the old price are gone");
    let info = book.model_info("openai", "gpt-4o").unwrap();
    assert_eq!(info.context_window, Some(128_000));
}

#[test]
fn fields_without_a_price_are_laid_over_one_by_one() {
    let overlay = r#"{"providers": {"openai": {"models": [
        {"id": "gpt-4o", "context": 7, "status": "retired"}]}}}"#;
    let book = book(overlay);
    let info = book.model_info("openai", "gpt-4o").unwrap();
    assert_eq!(
        (info.context_window, info.lifecycle),
        (Some(7), Lifecycle::Retired)
    );
    let usage = used(&[(Bucket::Input, 1_000_000)]);
    let bill = book.bill("openai", "gpt-4o", &usage, at("2026-11-18T12:00:00Z"));
    assert_eq!(bill.unwrap().total.to_string(), "2.5");
}

#[test]
fn a_claimed_name_belongs_to_the_overlay() {
    let overlay = r#"{"providers": {"openai": {"models": [
        {"id": "mine", "match": ["GPT-4o", "my-deployment"], "free": true}]}}}"#;
    let book = book(overlay);
    for name in ["gpt-4o", "my-deployment", "mine"] {
        assert_eq!(book.resolve("openai", name).unwrap().model, "mine");
    }
}

#[test]
fn overlays_lie_over_each_other() {
    let first = book(&model(
        r#"{"id": "a", "free": true}, {"id": "b", "context": 1, "free": true}"#,
    ));
    let second = first
        .with_overlay(&model(r#"{"id": "b", "context": 2}"#))
        .unwrap();
    assert!(second.resolve("acme", "a").is_ok());
    assert_eq!(
        second.model_info("acme", "b").unwrap().context_window,
        Some(2)
    );
    assert_eq!(
        first.model_info("acme", "b").unwrap().context_window,
        Some(1)
    );
}

#[test]
fn the_version_tells_books_apart() {
    let builtin = PriceBook::builtin();
    let (date, hash) = builtin.version().split_once('+').unwrap();
    assert_eq!((date.len(), hash.len()), (10, 12));
    let row = model(r#"{"id": "a", "free": true}"#);
    assert_eq!(book(&row).version(), book(&row).version());
    assert_ne!(book(&row).version(), builtin.version());
    assert_ne!(book(&row).version(), book(&format!("{row} ")).version());
}

#[test]
fn an_error_names_the_model_the_field_and_what_is_wrong() {
    for (row, field, reason) in [
        (
            r#"{"id": "m", "prices": [{"usd": {"input": "-1"}}]}"#,
            "prices[0].usd.input",
            "\"-1\" is not a decimal of at least 0",
        ),
        (
            r#"{"id": "m", "prices": [{"usd": {"input": "1e3"}}]}"#,
            "prices[0].usd.input",
            "\"1e3\" is not a decimal",
        ),
        (
            r#"{"id": "m", "prices": [{"usd": {"input": 2.5}}]}"#,
            "prices[0].usd.input",
            "floating point",
        ),
        (
            r#"{"id": "m", "prices": [{"usd": {"inputs": "1"}}]}"#,
            "prices[0].usd.inputs",
            "there is no unit \"inputs\"; the units are input, cache_read",
        ),
        (
            r#"{"id": "m", "prices": [{"usd": {"cache_read_video": "1"}}]}"#,
            "prices[0].usd.cache_read_video",
            "counted per",
        ),
        (
            r#"{"id": "m", "prices": [{"usd": {"input": "1"}, "not_holiday": "moon"}]}"#,
            "prices[0].not_holiday",
            "there is cn",
        ),
        (
            r#"{"id": "m", "prices": [{"usd": {"input": "1"}, "above": [{"tokens": 1, "usd": {"output": "1"}}]}]}"#,
            "prices[0].above[0].usd.output",
            "below it",
        ),
        (
            r#"{"id": "m", "prices": [{"usd": {"input": "1"}, "above": [
                {"tokens": 2, "usd": {}}, {"tokens": 2, "usd": {}}]}]}"#,
            "prices[0].above[1].tokens",
            "ascend",
        ),
        (
            r#"{"id": "m", "free": true, "variants": [{"usd": {}}], "prices": []}"#,
            "prices",
            "either",
        ),
        (
            r#"{"id": "m", "prices": [{"usd": {}}], "variants": [{"usd": {}}]}"#,
            "variants[0].when",
            "says when",
        ),
        (r#"{"id": "m"}"#, "prices", "either"),
        (
            r#"{"id": "m", "match": ["a*b"], "free": true}"#,
            "match[0]",
            "`*` stands",
        ),
        (
            r#"{"id": "m", "price": []}"#,
            "price",
            "unknown field `price`",
        ),
    ] {
        let error = refused(&model(row));
        let message = error.to_string();
        assert_eq!(error.context("provider"), Some("acme"), "{message}");
        assert_eq!(error.context("model"), Some("m"), "{message}");
        assert_eq!(error.context("field"), Some(field), "{message}");
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn what_is_no_price_file_is_refused() {
    for (overlay, field) in [
        ("", "."),
        ("{} x", "."),
        (r#"{"schema": 2}"#, "schema"),
        (r#"{"currency": "EUR"}"#, "currency"),
        (r#"{"prices": {}}"#, "prices"),
        (
            r#"{"providers": {"acme": {"fallback": ["nobody"], "models": []}}}"#,
            "fallback",
        ),
        (
            r#"{"providers": {"acme": {"models": [{"free": true}]}}}"#,
            "models[0].id",
        ),
        (
            r#"{"providers": {"acme": {"billed_at": "noon"}}}"#,
            "providers.acme.billed_at",
        ),
    ] {
        let error = refused(overlay);
        assert_eq!(error.context("field"), Some(field), "{error}");
    }
}
