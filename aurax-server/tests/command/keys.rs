//! `aurax keys`: a key is stored, used, moved to another master key and forgotten, and never seen.

use super::home::{Ended, Home};
use super::provider::{KEY, Provider};

fn unseen(home: &Home, ended: &Ended) {
    assert!(
        !ended.out.contains(KEY) && !ended.err.contains(KEY),
        "{ended:?}"
    );
    assert!(!home.holds(KEY));
}

#[test]
fn a_stored_key_is_used_and_never_shown() {
    let provider = Provider::new();
    let home = Home::new().with("OPENAI_BASE_URL", provider.base_url());
    let added = home.run_with(&["keys", "add", "openai"], &format!("{KEY}\n"));
    added.ends_with(0).says("…ghij");
    unseen(&home, &added);
    // It decides which model is asked, too.
    let asked = home.ok(&["chat", "Hi"]);
    asked.says("1 messages");
    unseen(&home, &asked);
    assert_eq!(provider.last().key.as_deref(), Some(KEY));
    let listed = home.json(&["keys", "list", "--json"]);
    assert_eq!(
        (&listed[0]["provider"], &listed[0]["masked_key"]),
        (&"openai".into(), &"…ghij".into())
    );
    unseen(&home, &home.ok(&["keys", "list"]));
    let again = home.run_with(&["keys", "add", "openai"], "sk-other");
    again.ends_with(1).warns("--replace");
    home.run_with(&["keys", "add", "openai", "--replace"], "sk-wrong")
        .ends_with(0);
    home.run(&["chat", "Hi"])
        .ends_with(3)
        .warns("error: ")
        .warns("hint: ");
    home.ok(&["keys", "rm", "openai"]);
    home.run(&["keys", "rm", "openai"]).ends_with(4);
    home.ok(&["chat", "Hi"]).says("[demo]");
}

#[test]
fn a_key_is_no_argument() {
    let home = Home::new();
    home.run(&["keys", "add", "openai", KEY]).ends_with(2);
    home.run_with(&["keys", "add", "openai"], "")
        .ends_with(2)
        .warns("there is no key");
    home.run_with(&["keys", "add", "opneai"], KEY)
        .ends_with(4)
        .warns("did you mean openai");
    home.run(&["keys", "add", "openai", "--file", "gone"])
        .ends_with(2)
        .warns("gone");
}

#[test]
fn keys_move_to_another_master_key() {
    let provider = Provider::new();
    let home = Home::new().with("OPENAI_BASE_URL", provider.base_url());
    home.run_with(&["keys", "add", "openai"], KEY).ends_with(0);
    let file = home.path("aurax-data/master.keys");
    let before = std::fs::read_to_string(&file).unwrap();
    home.ok(&["keys", "rotate"])
        .says("added master key")
        .says("1 keys were sealed");
    home.ok(&["keys", "rotate", "--only-seal"])
        .says("0 keys were sealed");
    home.ok(&["chat", "Hi"]).says("1 messages");
    // With the earlier key alone nothing opens any more.
    let after = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &before).unwrap();
    home.run(&["chat", "Hi"]).ends_with(2).warns("master key");
    std::fs::write(&file, &after).unwrap();
    std::fs::create_dir(home.path("none")).unwrap();
    home.ok(&["keys", "rotate", "--drop-unused", "--backups", "none"])
        .says("dropped 1 master keys");
    home.ok(&["chat", "Hi"]).says("1 messages");
    // Nobody makes new keys in the place of lost ones.
    std::fs::remove_file(&file).unwrap();
    home.run(&["chat", "Hi"]).ends_with(2).warns("put it back");
    assert!(!file.exists());
}

/// Servers that share a file of signing keys can change the key without logging anybody out.
#[test]
fn a_leaked_signing_key_is_forgotten() {
    let home = Home::new();
    home.ok(&["users", "invite", "ada@example.com"]);
    let file = home.path("aurax-data/signing.keys");
    let rotated = home.ok(&["keys", "rotate-signing", "--file", file.to_str().unwrap()]);
    let new = rotated.out.split("key ").nth(1).unwrap();
    let new = new.split(' ').next().unwrap().to_owned();
    home.run(&["keys", "forget-signing", &new])
        .ends_with(2)
        .warns("still have it");
    // It signs an invitation, and servers learn of it.
    home.ok(&["users", "invite", "eve@example.com"]);
    std::fs::remove_file(&file).unwrap();
    home.ok(&["keys", "forget-signing", &new])
        .says("forgot key");
    home.run(&["keys", "forget-signing", &new])
        .ends_with(4)
        .warns("nobody shares a signing key");
}

#[test]
fn signing_keys_are_rotated_in_one_step_or_two() {
    let home = Home::new();
    let id = |said: &str| {
        said.split("key ")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .trim()
            .to_owned()
    };
    let first = id(&home.ok(&["keys", "rotate-signing"]).says("made ").out);
    let second = home.ok(&["keys", "rotate-signing"]);
    second.says("holds 2 keys").warns("restart every server");
    let second = id(&second.out);
    assert_ne!(first, second);
    let added = home.ok(&["keys", "rotate-signing", "--only-add"]);
    assert_eq!(id(&added.out), second, "it signs later");
    let used = home.ok(&["keys", "rotate-signing", "--only-use"]);
    used.says("holds 3 keys");
    let third = id(&used.out);
    assert!(third != first && third != second);

    // The file may be anywhere, and others may not read it.
    let file = home.path("shared.keys");
    let place = file.to_str().unwrap();
    home.ok(&["keys", "rotate-signing", "--file", place])
        .says("made ");
    let mode = std::fs::metadata(&file).unwrap().permissions();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777,
        0o600
    );
    let home = home.with("AURAX_AUTH_SIGNING_KEY_FILE", place);
    home.run(&["keys", "rotate-signing"])
        .ends_with(2)
        .warns("name their file with --file");
    home.ok(&["keys", "rotate-signing", "--file", place])
        .says("holds 2 keys");
    let text = std::fs::read_to_string(&file).unwrap();
    let secret = text.lines().nth(1).unwrap();
    for _ in 0..8 {
        let ended = home.run(&["keys", "rotate-signing", "--file", place]);
        assert!(!ended.out.contains(secret) && !ended.err.contains(secret));
    }
    home.run(&["keys", "rotate-signing", "--file", place])
        .ends_with(1)
        .warns("holds 8 keys");
}
