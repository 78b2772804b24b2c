//! `aurax backup`, `restore` and `migrate`.

use super::home::Home;
use super::provider::KEY;

#[test]
fn what_is_backed_up_comes_back() {
    let home = Home::new();
    home.ok(&["chat", "-s", "new", "canary in a conversation"]);
    home.run_with(&["keys", "add", "openai"], KEY).ends_with(0);
    let made = home.json(&["backup", "--to", "shelf", "--json"]);
    let archive = made[0]["path"].as_str().unwrap().to_owned();
    assert!(made[0]["bytes"].as_u64().unwrap() > 0);
    home.ok(&["restore", &archive, "--check"])
        .says("it is whole: a sqlite store");
    let restored = home.ok(&["restore", &archive, "--to", "restored.db"]);
    restored.says("into restored.db").warns("restoring");
    let usage = home.json(&["usage", "--rows", "--json"]);
    home.run(&["restore", &archive, "--to", "restored.db"])
        .ends_with(1)
        .warns("restored.db");
    let home = home.with("DATABASE_URL", "sqlite:restored.db");
    assert_eq!(home.json(&["usage", "--rows", "--json"]), usage);
    assert_eq!(
        home.json(&["keys", "list", "--json"])[0]["masked_key"],
        "…ghij"
    );
    home.ok(&["chat", "-s", "last", "and on"]).says("and on");
}

#[test]
fn a_backup_is_sealed_and_damage_is_seen() {
    let home = Home::new();
    home.ok(&["chat", "-s", "new", "canary in a conversation"]);
    let made = home.json(&["backup", "--to", "shelf", "--json", "-q"]);
    let archive = made[0]["path"].as_str().unwrap().to_owned();
    let mut bytes = std::fs::read(home.path(&archive)).unwrap();
    assert!(!bytes.windows(6).any(|part| part == b"canary"));
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(home.path("damaged"), &bytes).unwrap();
    home.run(&["restore", "damaged", "--to", "new.db"])
        .ends_with(1);
    assert!(!home.path("new.db").exists());
    home.run(&["restore", "gone", "--to", "new.db"])
        .ends_with(2)
        .warns("gone");
    // Another installation's keys open nothing.
    let other = Home::new();
    other.run_with(&["keys", "add", "openai"], KEY).ends_with(0);
    let foreign = other.path("aurax-data/master.keys");
    home.run(&[
        "restore",
        &archive,
        "--check",
        "--keys",
        foreign.to_str().unwrap(),
    ])
    .ends_with(2)
    .warns("master key");
}

#[test]
fn older_backups_go() {
    let home = Home::new();
    for _ in 0..3 {
        home.ok(&["backup", "--keep", "2"]);
    }
    let shelf = std::fs::read_dir(home.path("aurax-data/backups")).unwrap();
    let names: Vec<_> = shelf
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let backups = names
        .iter()
        .filter(|name| name.ends_with(".backup"))
        .count();
    assert_eq!(backups, 2, "{names:?}");
}

#[test]
fn a_migration_says_what_it_did() {
    let home = Home::new();
    let done = home.json(&["migrate", "--json"]);
    assert!(
        !done[0]["migrations"].as_array().unwrap().is_empty(),
        "{done:?}"
    );
    let again = home.json(&["migrate", "--json"]);
    assert_eq!(again[0]["migrations"].as_array().unwrap().len(), 0);
    home.ok(&["migrate"]).says("is up to date");
    let folder = std::fs::metadata(home.path("aurax-data")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&folder.permissions()) & 0o777;
    assert_eq!(mode, 0o700);
}
