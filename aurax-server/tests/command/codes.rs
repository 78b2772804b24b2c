//! Exit codes, and what is said when something makes no sense.

use super::home::Home;
use super::provider::Provider;

#[test]
fn help_teaches() {
    let home = Home::new();
    home.ok(&["--help"]).says("Exit codes").says("aurax chat");
    for command in [
        "serve", "chat", "models", "prices", "quote", "usage", "keys", "users", "backup",
        "restore", "openapi",
    ] {
        home.ok(&[command, "--help"]).says("xample");
    }
    home.ok(&["--version"]).says("aurax 0.");
    home.run(&[]).ends_with(2);
    home.run(&["chta"]).ends_with(2).warns("chat");
}

#[test]
fn a_bad_configuration_names_its_field_and_never_the_value() {
    for (name, value) in [
        ("AURAX_LISTEN", "canary7f3a"),
        ("DATABASE_URL", "mysql://u:canary7f3a@db"),
        ("AURAX_LISTNE", "canary7f3a"),
    ] {
        let home = Home::new().with(name, value);
        for command in [
            &["chat", "Hi"][..],
            &["usage"],
            &["serve"],
            &["users", "list"],
        ] {
            let ended = home.run(command);
            ended.ends_with(2).warns(name);
            assert!(!format!("{ended:?}").contains("canary7f3a"), "{ended:?}");
        }
    }
    let home = Home::new();
    home.write("aurax.toml", "[limits]\nbdoy = 3");
    home.run(&["usage"])
        .ends_with(2)
        .warns("did you mean limits.body?");
    home.write("other.toml", "");
    home.ok(&["--config", "other.toml", "usage"]);
    home.run(&["usage", "--config", "gone.toml"])
        .ends_with(2)
        .warns("gone.toml");
}

#[test]
fn a_failure_has_its_code_and_a_hint() {
    let provider = Provider::new();
    let home = Home::new()
        .with("OPENAI_API_KEY", "sk-refused")
        .with("OPENAI_BASE_URL", provider.base_url());
    let refused = home.run(&["chat", "-m", "openai/gpt-4o-mini", "Hi"]);
    refused.ends_with(3).warns("error: ").warns("hint: ");
    assert!(!refused.err.contains("sk-refused"), "{refused:?}");
    let json = home.run(&["chat", "--json", "-m", "openai/gpt-4o-mini", "Hi"]);
    json.ends_with(3);
    assert_eq!(json.lines().last().unwrap()["error"]["code"], "auth");
    let away = Home::new()
        .with("OPENAI_API_KEY", "k")
        .with("OPENAI_BASE_URL", "http://127.0.0.1:1/v1");
    away.run(&["chat", "-m", "openai/gpt-4o-mini", "Hi"])
        .ends_with(3);
    let home = Home::new();
    home.run(&["chat", "-m", "nowhere-model-9", "Hi"])
        .ends_with(4)
        .warns("hint: ");
    home.run(&["chat", "-m", "openai/gpt-4o-mini", "Hi"])
        .ends_with(2)
        .warns("OPENAI_API_KEY")
        .warns("hint: or store one: aurax keys add openai");
    home.run(&["chat", "-s", "last", "Hi"]).ends_with(4);
    home.run(&["chat", "-s", "first", "Hi"]).ends_with(2);
}

#[test]
fn production_has_no_demo() {
    let home = Home::new()
        .with("AURAX_ENVIRONMENT", "production")
        .with("AURAX_TRUSTED_PROXIES", "127.0.0.1")
        .with("AURAX_PUBLIC_URL", "https://llm.example.com");
    home.run(&["chat", "Hi"])
        .ends_with(2)
        .warns("no default model");
    home.run(&["chat", "-m", "demo/echo", "Hi"]).ends_with(4);
}

#[test]
fn the_document_is_openapi() {
    let printed = Home::new().ok(&["openapi"]);
    let document: serde_json::Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/auth/login"].is_object());
}
