//! `aurax prices`.

use super::home::Home;

const ACME: &str = r#"{"providers": {
    "acme": {"models": [{"id": "large", "prices": [{"usd": {"input": "3", "output": "12"}}]}]},
    "openai": {"models": [{"id": "gpt-4o-mini", "prices": [{"usd": {"input": "9", "output": "1"}}]}]}}}"#;

#[test]
fn prices_are_looked_up() {
    let home = Home::new();
    home.ok(&["prices", "show", "openai/gpt-4o-mini"])
        .says("$0.15 per million tokens");
    let shown = home.json(&["prices", "show", "claude/claude-haiku-4-5", "--json"]);
    assert_eq!(
        (&shown[0]["provider"], &shown[0]["rates_usd"]["output"]),
        (&"anthropic".into(), &"5".into())
    );
    home.run(&["prices", "show", "openai/gpt-99"])
        .ends_with(4)
        .warns("hint: ");
    home.ok(&["prices", "check"]).says("built in: in order");
}

#[test]
fn a_good_file_is_installed_and_used() {
    let home = Home::new();
    home.write("prices.json", ACME);
    home.ok(&["prices", "check", "prices.json"])
        .says("in order");
    let installed = home.ok(&["prices", "refresh", "--from", "prices.json"]);
    installed
        .says("acme/large input: no price → $3")
        .says("openai/gpt-4o-mini input: $0.15 → $9");
    home.ok(&["prices", "show", "acme/large"])
        .says("$12 per million tokens");
    // The engine takes them, too.
    let price = || {
        let models = home.json(&["models", "openai", "--json"]);
        let found = models
            .iter()
            .find(|model| model["id"] == "openai/gpt-4o-mini");
        found.unwrap()["input_per_million_usd"].clone()
    };
    assert_eq!(price(), "9");
    home.ok(&["prices", "refresh", "--from", "prices.json"])
        .says("0 rates changed");
    home.ok(&["prices", "refresh", "--remove"]).says("removed");
    assert_eq!(price(), "0.15");
}

#[test]
fn a_bad_file_changes_nothing() {
    let home = Home::new();
    home.write("good.json", ACME);
    home.ok(&["prices", "refresh", "--from", "good.json"]);
    let before = std::fs::read(home.path("aurax-data/prices.json")).unwrap();
    for bad in [
        "",
        "[]",
        r#"{"providers": {"acme": {"models": [{"id": "large", "prices": [{"usd": {"input": "three"}}]}]}}}"#,
        r#"{"providers": {"acme": {"models": [{"id": "large", "prices": [{"usd": {"input": "-1"}}]}]}}}"#,
    ] {
        home.write("bad.json", bad);
        home.run(&["prices", "refresh", "--from", "bad.json"])
            .ends_with(2)
            .warns("bad.json");
        home.run(&["prices", "check", "bad.json"]).ends_with(2);
    }
    home.run(&["prices", "refresh", "--from", "gone.json"])
        .ends_with(4);
    home.run(&[
        "prices",
        "refresh",
        "--from",
        "http://127.0.0.1:1/prices.json",
    ])
    .ends_with(2)
    .warns("https");
    home.run(&[
        "prices",
        "refresh",
        "--from",
        "https://127.0.0.1:1/prices.json",
    ])
    .ends_with(3);
    assert_eq!(
        std::fs::read(home.path("aurax-data/prices.json")).unwrap(),
        before
    );
    home.write("aurax-data/prices.json", "{");
    home.run(&["chat", "Hi"])
        .ends_with(2)
        .warns("aurax-data/prices.json");
}
