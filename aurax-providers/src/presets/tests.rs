use std::collections::HashSet;

use super::*;
use crate::rules::RuleBook;

#[test]
fn every_vendor_of_the_design_has_a_preset() {
    for name in [
        "openai",
        "anthropic",
        "claude",
        "gemini",
        "google",
        "ollama",
        "mistral",
        "groq",
        "deepseek",
        "xai",
        "openrouter",
        "together",
        "fireworks",
        "perplexity",
        "cerebras",
        "azure-openai",
        "lm-studio",
        "llama.cpp",
        "vllm",
    ] {
        assert!(find(name).is_some(), "{name}");
    }
}

#[test]
fn no_two_vendors_share_a_name_and_every_entry_can_be_used() {
    let mut seen = HashSet::new();
    for preset in all() {
        for name in names(preset) {
            assert!(seen.insert(name), "{name} is taken twice");
        }
        assert!(!preset.base_url.ends_with('/'), "{}", preset.name);
        assert!(!preset.base_url_vars.is_empty(), "{}", preset.name);
        assert!(!preset.key_vars.is_empty(), "{}", preset.name);
        if let Some(rules) = preset.rules {
            RuleBook::parse(rules).unwrap();
        }
    }
}

#[test]
fn a_second_way_to_a_vendors_models_takes_no_bare_names() {
    let mut ways = HashSet::new();
    for preset in all().iter().filter(|preset| preset.takes_bare_names) {
        if let Some(prices) = preset.prices {
            assert!(ways.insert(prices), "two ways to the models of {prices}");
        }
    }
    for (name, first) in [("openai-responses", "openai"), ("xai-responses", "xai")] {
        let (preset, first) = (find(name).unwrap(), find(first).unwrap());
        assert!(!preset.takes_bare_names && first.takes_bare_names);
        assert_eq!(preset.prices, first.prices);
        assert_eq!(preset.key_vars, first.key_vars);
        assert_eq!(preset.base_url, first.base_url);
        assert!(preset.default_model.is_none());
    }
}

#[test]
fn every_default_model_has_a_price() {
    let book = aurax_core::PriceBook::builtin();
    for preset in all() {
        if let (Some(prices), Some(model)) = (preset.prices, preset.default_model) {
            assert!(book.knows(prices, model), "{}: {model}", preset.name);
        }
        assert!(
            preset
                .prices
                .is_none_or(|prices| book.providers().any(|known| known == prices)),
            "{}",
            preset.name
        );
    }
}

#[test]
fn an_unknown_name_has_near_ones() {
    assert_eq!(near("opneai").first(), Some(&"openai"));
    assert_eq!(near("mistrall").first(), Some(&"mistral"));
    assert!(near("azure-open").contains(&"azure-openai"));
    assert!(near("q").is_empty());
    assert!(find("opneai").is_none());
}
