//! The example at the repository's root.

use super::*;

const EXAMPLE: &str = include_str!("../../../../aurax.example.toml");

/// Settings that have no value of their own; the example shows one.
const NOT_SET: &[&str] = &[
    "public_url",
    "model",
    "prices",
    "registration",
    "master_key",
    "plans",
    "database.owner_url",
    "database.read_url",
    "database.backup_url",
    "redis.url",
    "redis.ca_file",
    "tls.certificate",
    "tls.key",
    "auth.signing_key",
    "shared_keys.plans",
    "backup.folder",
    "backup.every",
    "backup.keep",
];

/// The settings of the example: place, and the line.
fn lines() -> Vec<(String, String)> {
    let mut section = String::new();
    let mut lines = Vec::new();
    for line in EXAMPLE.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
        }
        let setting = line
            .strip_prefix('#')
            .filter(|rest| !rest.is_empty() && !rest.starts_with(' '));
        if let Some((name, value)) = setting.and_then(|setting| setting.split_once(" = ")) {
            lines.push((format!("{section}{name}"), value.to_owned()));
        }
    }
    lines
}

fn value(path: &str) -> String {
    let lines = lines();
    let found = lines
        .iter()
        .find(|(known, _)| *known == path || *known == format!("{path}_file"));
    found
        .unwrap_or_else(|| panic!("the example lacks {path}"))
        .1
        .clone()
}

fn drafted(settings: &str) -> Draft {
    let mut draft = Draft::default();
    super::super::file::parse(&mut draft, settings, "aurax.toml").unwrap();
    draft
}

#[test]
fn it_has_every_setting_and_no_other() {
    for setting in SETTINGS {
        value(setting.path);
    }
    for (path, _) in lines() {
        let known = SETTINGS
            .iter()
            .any(|setting| path == setting.path || path == format!("{}_file", setting.path));
        assert!(known || path.starts_with("providers.openai."), "{path}");
    }
    for path in NOT_SET {
        assert!(
            SETTINGS.iter().any(|setting| setting.path == *path),
            "{path}"
        );
    }
    read(EXAMPLE, &[]).unwrap();
}

#[test]
fn its_defaults_are_the_defaults() {
    let defaults = format!("{:?}", Config::default());
    for setting in SETTINGS
        .iter()
        .filter(|setting| !NOT_SET.contains(&setting.path))
    {
        let toml = format!("{} = {}", setting.path, value(setting.path));
        let (config, _) = drafted(&toml).finish().unwrap();
        assert_eq!(format!("{config:?}"), defaults, "{toml}");
    }
}

#[test]
fn its_other_values_are_taken_and_change_something() {
    let defaults = format!("{:?}", Draft::default());
    let are_texts = ["master_key", "auth.signing_key"];
    for path in NOT_SET.iter().filter(|path| !are_texts.contains(path)) {
        let toml = format!("{path} = {}", value(path));
        assert_ne!(format!("{:?}", drafted(&toml)), defaults, "{toml}");
    }
}

#[test]
fn its_backups_and_connections_are_the_defaults() {
    let usual = BackupSettings::new("/var/backups/aurax");
    let of = |name: &str| format!("{name} = {}\n", value(&format!("backup.{name}")));
    let toml = format!("[backup]\n{}{}{}", of("folder"), of("every"), of("keep"));
    assert_eq!(read(&toml, &[]).unwrap().backup, Some(usual));
    let toml = format!(
        "[database]\nurl = \"postgres://localhost/x\"\nconnections = {}",
        value("database.connections")
    );
    let usual = PostgresSettings::new("").connections;
    assert_eq!(postgres(&read(&toml, &[]).unwrap()).connections, usual);
}

/// With every line in force it still starts, but for the keys that are not there.
#[test]
fn all_of_it_can_be_read_together() {
    let mut toml = String::new();
    for line in EXAMPLE.lines() {
        let setting = line
            .strip_prefix('#')
            .filter(|rest| !rest.is_empty() && !rest.starts_with(' '));
        let line = setting.unwrap_or(line);
        if !line.starts_with("master_key_file") && !line.starts_with("signing_key_file") {
            toml.push_str(line);
            toml.push('\n');
        }
    }
    let toml = toml.replace("sqlite:aurax-data/aurax.db", "postgres://localhost/aurax");
    let config = read(&toml, &[]).unwrap();
    assert_eq!(config.plans[0].requests_per_minute, Some(600));
    assert!(config.tls.is_some() && config.backup.is_some() && config.redis.is_some());
}
