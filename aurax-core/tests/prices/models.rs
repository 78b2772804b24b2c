//! What the book knows of models besides prices.

use aurax_core::{Lifecycle, PriceBook};

use crate::support::book;

#[test]
fn what_is_listed_is_known_and_what_is_not_is_unknown() {
    let book = book(
        r#"{"providers": {"acme": {"models": [
            {"id": "able", "caps": ["tools", "vision", "audio_in", "streaming"], "free": true},
            {"id": "plain", "caps": ["json_schema", "streaming"], "free": true},
            {"id": "new", "free": true}]},
        "maker": {"complete_caps": ["tools", "vision"], "models": [
            {"id": "plain", "caps": ["json_schema", "streaming"], "free": true},
            {"id": "hardly-listed", "caps": ["reasoning", "streaming"], "free": true}]}}}"#,
    );
    let features = |provider, model| book.model_info(provider, model).unwrap().features;
    let able = features("acme", "able");
    assert_eq!(
        (able.tools, able.vision, able.audio_input),
        (Some(true), Some(true), Some(true))
    );
    assert_eq!((able.audio_output, able.pdf), (None, None));
    let plain = features("acme", "plain");
    assert_eq!((plain.tools, plain.json_schema), (None, Some(true)));
    let plain = features("maker", "plain");
    assert_eq!(
        (plain.tools, plain.vision, plain.pdf),
        (Some(false), Some(false), None)
    );
    assert_eq!(features("maker", "hardly-listed").tools, None);
    assert_eq!(features("acme", "new").streaming, None);
}

#[test]
fn limits_and_life_come_with_the_model() {
    let book = book(
        r#"{"providers": {"acme": {"models": [
            {"id": "m", "context": 100, "max_input": 80, "max_output": 20, "free": true},
            {"id": "ending", "retires": "2027-01-01", "free": true},
            {"id": "gone", "status": "retired", "retires": "2026-01-01", "free": true}]}}}"#,
    );
    let info = |model| book.model_info("acme", model).unwrap();
    let m = info("m");
    assert_eq!(
        (
            m.context_window,
            m.max_input_tokens,
            m.max_output_tokens,
            m.lifecycle
        ),
        (Some(100), Some(80), Some(20), Lifecycle::Active)
    );
    assert_eq!(info("ending").lifecycle, Lifecycle::Deprecated);
    assert_eq!(info("gone").lifecycle, Lifecycle::Retired);
    assert_eq!(info("gone").retires.as_deref(), Some("2026-01-01"));
    assert!(book.model_info("acme", "nobody").is_none());
    assert!(book.model_info("nobody", "m").is_none());
}

#[test]
fn a_label_is_never_offered_as_a_name() {
    let book = PriceBook::builtin();
    assert_eq!(
        book.model_info("ollama", "qwen3:8b").unwrap().id,
        "qwen3:8b"
    );
    assert!(book.models("ollama").is_empty());
    assert!(book.models("nobody").is_empty());
}

#[test]
fn every_listed_model_is_found_by_its_id() {
    let book = PriceBook::builtin();
    let mut count = 0;
    for provider in book.providers() {
        for model in book.models(provider) {
            let found = book.resolve(provider, &model.id).unwrap();
            assert_eq!((found.priced_by, found.model), (provider, &*model.id));
            assert_eq!(book.model_info(provider, &model.id), Some(model));
            count += 1;
        }
    }
    assert!(count > 1000, "{count} models");
}

#[test]
fn successors_are_newer_and_of_the_same_family() {
    let book = book(
        r#"{"providers": {"acme": {"models": [
            {"id": "nova-2-large-20240101", "status": "retired", "free": true},
            {"id": "nova-1-large", "free": true},
            {"id": "nova-3-large", "free": true},
            {"id": "nova-large-4-1-latest", "free": true},
            {"id": "nova-4.5-large", "status": "deprecated", "free": true},
            {"id": "nova-5-large", "mode": "embedding", "free": true},
            {"id": "nova-9-small", "mode": "chat", "free": true},
            {"id": "nova-3-small", "mode": "chat", "free": true},
            {"id": "nova-10-small", "mode": "embedding", "free": true},
            {"id": "open-1-8b", "free": true},
            {"id": "open-2-8B", "free": true},
            {"id": "open-3-70b", "free": true},
            {"id": "other-9-large", "free": true}]}}}"#,
    );
    let large = book.successors("acme", "nova-2-large-20240101");
    assert_eq!(
        large,
        ["nova-5-large", "nova-large-4-1-latest", "nova-3-large"]
    );
    assert_eq!(book.successors("acme", "nova-3-small"), ["nova-9-small"]);
    assert_eq!(book.successors("acme", "open-1-8b"), ["open-2-8B"]);
    assert_eq!(book.successors("acme", "other-9-large"), [""; 0]);
    assert_eq!(book.successors("acme", "nobody"), [""; 0]);
}

#[test]
fn retired_models_of_the_built_in_book_name_successors() {
    let book = PriceBook::builtin();
    let successors = book.successors("anthropic", "claude-3-opus-20240229");
    assert!(
        successors.iter().all(|name| name.contains("opus")),
        "{successors:?}"
    );
    assert!(!successors.is_empty());
}
