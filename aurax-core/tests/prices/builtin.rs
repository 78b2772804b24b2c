//! What the built-in book says, at times whose prices are history.

use aurax_core::{Bucket, PriceBook, PriceError};

use crate::support::{at, used};

/// What a million tokens in and as many out cost.
fn million(provider: &str, model: &str, time: &str) -> Result<String, PriceError> {
    let usage = used(&[(Bucket::Input, 1_000_000), (Bucket::Output, 1_000_000)]);
    let bill = PriceBook::builtin().bill(provider, model, &usage, at(time))?;
    Ok(bill.total.to_string())
}

#[test]
fn a_dated_name_has_its_own_price() {
    let time = "2026-11-18T12:00:00Z";
    for (provider, model, usd) in [
        ("openai", "gpt-4o", "12.5"),
        ("openai", "gpt-4o-2024-05-13", "20"),
        ("openai", "openai/gpt-4o-20240806", "12.5"),
        ("azure", "gpt-4o-2024-05-13", "20"),
        ("claude", "claude-opus-4-20250514", "90"),
        (
            "bedrock",
            "us.anthropic.claude-3-haiku-20240307-v1:0",
            "1.5",
        ),
        ("mistral", "mistral-large-latest", "2"),
    ] {
        assert_eq!(
            million(provider, model, time).as_deref(),
            Ok(usd),
            "{provider} {model}"
        );
    }
}

#[test]
fn a_price_is_that_of_its_hour() {
    for (time, usd) in [
        // Before there were hours with prices of their own.
        ("2026-08-01T02:00:00Z", "0.42"),
        // The change was at 16:00 in UTC.
        ("2026-08-16T15:59:59Z", "0.42"),
        ("2026-08-16T16:00:00Z", "0.88"),
        ("2026-09-17T03:59:59Z", "1.5"),
        ("2026-09-17T04:00:00Z", "0.75"),
        // A Saturday.
        ("2026-09-19T02:00:00Z", "0.75"),
        // A holiday where the provider is.
        ("2026-10-01T02:00:00Z", "0.75"),
    ] {
        assert_eq!(
            million("deepseek", "deepseek-v4-flash", time).as_deref(),
            Ok(usd),
            "{time}"
        );
    }
}

#[test]
fn no_prefix_and_no_family_stands_in_for_a_name() {
    for (provider, model) in [
        ("openai", "gpt-5.9"),
        ("openai", "gpt-4o-nonsense"),
        ("openai", "gpt-4o-2024-99-99"),
        ("openai", "ft:gpt-4.1-2025-04-14:acme::x"),
        ("openai", ""),
        ("anthropic", "claude-opus-4-80"),
        ("anthropic", "claude-3-5-sonnet-turbo"),
        ("google", "gemini-3.8-flash-cyber"),
        ("groq", "gpt-oss-120b"),
        ("openrouter", "openai/gpt-4o:online"),
        ("azure", "my-deployment"),
    ] {
        let error = million(provider, model, "2026-11-18T12:00:00Z").unwrap_err();
        assert!(
            matches!(error, PriceError::UnknownModel { .. }),
            "{provider} {model}"
        );
    }
}

#[test]
fn an_unknown_price_is_not_zero() {
    for (provider, model) in [
        ("cerebras", "qwen-3-coder-480b"),
        ("ollama", "gpt-oss:120b-cloud"),
    ] {
        let error = million(provider, model, "2026-11-18T12:00:00Z").unwrap_err();
        assert!(
            matches!(error, PriceError::Unpriced { .. }),
            "{provider} {model}"
        );
    }
    let free = million("ollama", "llama3.2:1b", "2026-11-18T12:00:00Z");
    assert_eq!(free.as_deref(), Ok("0"));
}
