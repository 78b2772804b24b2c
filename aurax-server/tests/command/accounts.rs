//! `aurax users`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::home::Home;

#[test]
fn an_account_is_made_changed_and_closed() {
    let home = Home::new();
    home.ok(&["users", "list"]).says("there are no accounts");
    let made = home.ok(&["users", "create", "Ada@Example.com", "--admin"]);
    made.says("ada@example.com (admin, plan free)")
        .says("password: ");
    let password = made
        .out
        .rsplit("password: ")
        .next()
        .unwrap()
        .trim()
        .to_owned();
    assert!(password.len() > 20 && !home.holds(&password), "{password}");
    let users = home.json(&["users", "list", "--json"]);
    assert_eq!(
        (&users[0]["email"], &users[0]["role"]),
        (&"ada@example.com".into(), &"admin".into())
    );
    assert!(users[0].get("hashed_password").is_none());
    home.run(&["users", "create", "ada@example.com"])
        .ends_with(1)
        .warns("already");
    home.run(&["users", "create", "nobody"]).ends_with(2);
    home.run(&["users", "role", "ada@example.com", "user"])
        .ends_with(1)
        .warns("another account an admin first");
    home.ok(&["users", "create", "bob@example.com", "--admin"]);
    home.ok(&["users", "role", "ada@example.com", "user"])
        .says("is user");
    home.run(&["users", "plan", "ada@example.com", "gold"])
        .ends_with(4)
        .warns("free");
    home.ok(&["users", "disable", "ada@example.com"])
        .says("closed");
    assert_eq!(
        home.json(&["users", "list", "--json"])[1]["is_active"],
        false
    );
    home.ok(&["users", "enable", "ada@example.com"])
        .says("open");
    let reset = home.json(&["users", "reset-password", "ada@example.com", "--json"]);
    assert_ne!(reset[0]["password"], password.as_str());
    home.run(&["users", "disable", "eve@example.com"])
        .ends_with(4)
        .warns("aurax users list");
}

#[test]
fn a_password_comes_from_standard_input() {
    let home = Home::new();
    let create = ["users", "create", "ada@example.com", "--password-stdin"];
    home.run_with(&create, "short\n")
        .ends_with(2)
        .warns("at least 8");
    // What follows the first line is somebody else's.
    let made = home.run_with(&create, "canary long password\nanother line\n");
    made.ends_with(0);
    assert!(
        !made.out.contains("canary") && !made.out.contains("password:"),
        "{made:?}"
    );
    assert!(!home.holds("canary long password"));
    assert!(home.holds("$argon2id$v=19$m=19456,t=2,p=1$"));
}

#[test]
fn somebody_is_invited() {
    let home = Home::new().with("AURAX_REGISTRATION", "invite");
    let invited = home.ok(&["users", "invite", "eve@example.com"]);
    assert_eq!(invited.out.trim().split('.').count(), 3, "{invited:?}");
    invited.warns("good for 7 days, for eve@example.com at http://127.0.0.1:8000");
    assert!(!invited.err.contains("note:"), "{invited:?}");
    home.ok(&["users", "list"]).says("there are no accounts");
    home.ok(&["users", "create", "eve@example.com"]);
    home.run(&["users", "invite", "Eve@example.com"])
        .ends_with(1)
        .warns("already");
    let closed = home.with("AURAX_REGISTRATION", "closed");
    closed
        .ok(&["users", "invite", "bob@example.com"])
        .warns("registration = \"invite\"");
}

/// An invitation is signed with what the servers sign with.
#[test]
fn an_invitation_is_signed_with_the_configured_key() {
    let home = Home::new();
    let file = home.path("shared.keys");
    let place = file.to_str().unwrap();
    let made = home.ok(&["keys", "rotate-signing", "--file", place]);
    let id = made.out.trim().rsplit(' ').next().unwrap().to_owned();
    let home = home.with("AURAX_AUTH_SIGNING_KEY_FILE", place);
    let invited = home.ok(&["users", "invite", "eve@example.com"]);
    let header = invited.out.split('.').next().unwrap();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header["kid"], id);
    assert!(!home.path("aurax-data/signing.keys").exists());
}
