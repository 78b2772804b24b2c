//! `aurax usage`, `quote` and `models`.

use super::home::Home;
use super::provider::{KEY, Provider};

fn used() -> (Provider, Home) {
    let provider = Provider::new();
    let home = Home::new()
        .with("OPENAI_API_KEY", KEY)
        .with("OPENAI_BASE_URL", provider.base_url());
    for model in ["openai/gpt-4o-mini", "openai/gpt-4o-mini", "demo/echo"] {
        home.ok(&["chat", "-m", model, "Hi"]);
    }
    (provider, home)
}

#[test]
fn it_adds_up_to_the_last_digit() {
    let (_provider, home) = used();
    let shown = home.ok(&["usage"]);
    shown
        .says("openai/gpt-4o-mini")
        .says("$0.0000396")
        .says("demo/echo");
    let groups = home.json(&["usage", "--by", "provider", "--json"]);
    let openai = groups
        .iter()
        .find(|group| group["key"] == "openai")
        .unwrap();
    assert_eq!(
        (&openai["requests"], &openai["total_tokens"]),
        (&2.into(), &84.into())
    );
    assert_eq!(openai["cost_decimal"], "0.0000396");
    home.ok(&["usage", "--by", "day", "--csv"])
        .says("day,requests")
        .says("0.0000396");
    let rows = home.json(&["usage", "--rows", "--json", "--provider", "openai"]);
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["cost_decimal"], &rows[0]["cost_source"]),
        (&"0.0000198".into(), &"exact".into())
    );
    assert!(rows[0].get("cost").is_none(), "{rows:?}");
    let csv = home.ok(&["usage", "--rows", "--csv"]);
    assert_eq!(csv.out.lines().count(), 4);
    home.ok(&["usage", "--from", "2099-01-01"])
        .says("nothing was used");
    home.run(&["usage", "--from", "tomorrow"])
        .ends_with(2)
        .warns("2026-11-22");
}

/// What one account used is nobody else's.
#[test]
fn it_is_one_accounts_own() {
    let (_provider, home) = used();
    home.ok(&["users", "create", "ada@example.com"]);
    home.ok(&["usage", "--user", "ada@example.com"])
        .says("nothing was used");
    home.ok(&[
        "chat",
        "--user",
        "Ada@Example.com",
        "-m",
        "openai/gpt-4o-mini",
        "Hi",
    ]);
    let groups = home.json(&["usage", "--user", "ada@example.com", "--json"]);
    assert_eq!((groups.len(), &groups[0]["requests"]), (1, &1.into()));
    home.run(&["usage", "--user", "eve@example.com"])
        .ends_with(4)
        .warns("eve@example.com");
}

#[test]
fn a_quote_says_the_most() {
    let (provider, home) = used();
    let asked = provider.asked().len();
    let quote = |model| ["quote", "-m", model, "--max-tokens", "100", "Hi"];
    home.ok(&quote("anthropic/claude-haiku-4-5"))
        .says("costs at most   $0.00")
        .says("fits            yes");
    let json = home.json(&[&quote("openai/gpt-4o-mini")[..], &["--json"]].concat());
    let most: f64 = json[0]["worst_case"].as_str().unwrap().parse().unwrap();
    assert!(most > 0.00006 && most < 0.001, "{most}");
    assert_eq!(provider.asked().len(), asked);
}

#[test]
fn models_have_windows_and_prices() {
    let (_provider, home) = used();
    let listed = home.json(&["models", "openai", "--json"]);
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"], "openai/gpt-4o-mini");
    assert_eq!(listed[0]["context_window"], 128_000);
    assert_eq!(listed[0]["input_per_million_usd"], "0.15");
    // Without a key the price book answers.
    let known = home.json(&["models", "anthropic", "--json"]);
    assert!(
        known
            .iter()
            .any(|model| model["id"] == "anthropic/claude-haiku-4-5")
    );
    home.ok(&["models"])
        .says("openai/gpt-4o-mini")
        .warns("without a key: ")
        .warns("anthropic");
    home.run(&["models", "opneai"]).ends_with(4);
}
