//! What is read, what is refused, and that the example says the truth.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::draft::Draft;
use super::settings::SETTINGS;
use super::*;

mod example;
mod refused;

/// A folder that is removed with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("aurax-config-{}", Uuid::now_v7()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn read(toml: &str, pairs: &[(&str, &str)]) -> aurax::Result<Config> {
    let folder = Folder::new();
    let path = folder.write("aurax.toml", toml, 0o600);
    Config::read(Some(&path), &variables(pairs))
}

#[expect(clippy::disallowed_methods, reason = "the test looks at what was read")]
fn exposed(secret: &Secret) -> &str {
    secret.expose()
}

fn postgres(config: &Config) -> &PostgresSettings {
    match &config.database {
        Database::Postgres(settings) => settings,
        Database::Sqlite(_) => panic!("it is SQLite"),
    }
}

#[test]
fn nothing_is_needed() {
    let config = Config::read(Some(Path::new("/dev/null")), &variables(&[])).unwrap();
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
}

#[test]
fn the_environment_wins_over_the_file() {
    let toml = "listen = \"127.0.0.1:1\"\n[limits]\nbody = \"2MiB\"\nin_flight = 7\n\
                [redis]\nurl = \"redis://one\"\n";
    let config = read(
        toml,
        &[
            ("AURAX_LISTEN", " 127.0.0.1:2 "),
            ("AURAX_LIMITS_BODY", "3MiB"),
            ("REDIS_URL", "redis://two"),
            ("AURAX_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
            ("AURAX_PLANS", "[{name = \"team\", message_days = 3}]"),
            ("AURAX_LIMITS_IP_LOGINS_PER_MINUTE", "none"),
        ],
    )
    .unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!((config.limits.body, config.limits.in_flight), (3 << 20, 7));
    assert_eq!(exposed(&config.redis.unwrap()), "redis://two");
    assert_eq!(config.trusted_proxies.len(), 2);
    assert_eq!(config.plans[0].name, "team");
    assert_eq!(config.plans[0].message_days, Some(3));
    assert_eq!(config.plans[0].tokens_per_minute, None);
    assert_eq!(config.limits.ip_logins_per_minute, None);
}

#[test]
fn a_secret_may_be_in_a_file() {
    let folder = Folder::new();
    let file = folder.write("url", "postgres://u:p@localhost/one\n", 0o644);
    let toml = format!("[database]\nurl_file = {:?}\n", file.to_str().unwrap());
    let config = read(&toml, &[]).unwrap();
    assert_eq!(
        exposed(&postgres(&config).url),
        "postgres://u:p@localhost/one"
    );
    let other = [("AURAX_DATABASE_URL", "postgres://localhost/two")];
    assert_eq!(
        exposed(&postgres(&read(&toml, &other).unwrap()).url),
        other[0].1
    );
    let both = [("DATABASE_URL", "postgres://localhost/three"), other[0]];
    assert_eq!(
        exposed(&postgres(&read(&toml, &both).unwrap()).url),
        other[0].1
    );
    let file = [("DATABASE_URL_FILE", file.to_str().unwrap())];
    assert_eq!(
        exposed(&postgres(&read("", &file).unwrap()).url),
        "postgres://u:p@localhost/one"
    );
}

#[test]
fn the_file_is_named_or_usual() {
    let folder = Folder::new();
    let path = folder.write("other.toml", "listen = \"127.0.0.1:9\"", 0o600);
    let named = [("AURAX_CONFIG", path.to_str().unwrap())];
    assert_eq!(
        Config::read(None, &variables(&named))
            .unwrap()
            .listen
            .port(),
        9
    );
    let missing = [("AURAX_CONFIG", "/nowhere/aurax.toml")];
    let error = Config::read(None, &variables(&missing)).unwrap_err();
    assert!(error.message().contains("/nowhere/aurax.toml"), "{error}");
}

#[test]
fn the_database_file_is_in_the_data_folder() {
    let config = read("data = \"/var/lib/aurax\"", &[]).unwrap();
    assert!(
        matches!(&config.database, Database::Sqlite(path) if path == Path::new("/var/lib/aurax/aurax.db"))
    );
    let config = read("[database]\nurl = \"sqlite:other.db\"", &[]).unwrap();
    assert!(matches!(&config.database, Database::Sqlite(path) if path == Path::new("other.db")));
}

#[test]
fn providers_have_addresses_and_keys() {
    let toml = "[providers.openai]\nbase_url = \"https://llm.example/v1\"\n\
                api_key_file = \"/run/secrets/openai\"\n[providers.ollama]\nbase_url = \"gpu:11434\"";
    let config = read(toml, &[]).unwrap();
    assert_eq!(
        config.providers["openai"].base_url.as_deref(),
        Some("https://llm.example/v1")
    );
    let file = config.providers["openai"].api_key_file.as_deref();
    assert_eq!(file, Some(Path::new("/run/secrets/openai")));
    assert_eq!(
        config.providers["ollama"].base_url.as_deref(),
        Some("gpu:11434")
    );
}

/// Where others can reach the server, nobody becomes an operator by being the first.
#[test]
fn the_first_account_is_an_operators_on_loopback_alone() {
    let first = |toml: &str| {
        let config = read(toml, &[]).unwrap();
        (config.registration(), config.first_account_is_admin())
    };
    assert_eq!(first(""), (Registration::Open, true));
    assert_eq!(
        first("listen = \"0.0.0.0:1\""),
        (Registration::Closed, false)
    );
    let open = "listen = \"0.0.0.0:1\"\nregistration = \"open\"";
    assert_eq!(first(open), (Registration::Open, false));
    let proxied = "trusted_proxies = [\"127.0.0.1\"]";
    assert_eq!(first(proxied), (Registration::Closed, false));
}

#[test]
fn production_starts_when_it_is_safe() {
    let folder = Folder::new();
    let key = folder.write("key", "sk-secret", 0o400);
    let toml = format!(
        "environment = \"production\"\nlisten = \"0.0.0.0:8000\"\n\
         trusted_proxies = [\"10.0.0.0/8\"]\npublic_url = \"https://llm.example.com\"\n\
         [database]\nurl = \"postgres://u:quite-long-enough@db.example/x?sslmode=verify-full\"\n\
         [redis]\nurl = \"rediss://:quite-long-enough@redis.example\"\n\
         [providers.openai]\napi_key_file = {:?}\n",
        key.to_str().unwrap()
    );
    let config = read(&toml, &[]).unwrap();
    assert_eq!(config.environment, Environment::Production);
    assert_eq!(config.registration(), Registration::Closed);
    let local = "environment = \"production\"\ntrusted_proxies = [\"127.0.0.1\"]\n\
                 public_url = \"https://llm.example.com\"\n[database]\n\
                 url = \"postgres://u@localhost/x\"\n[redis]\nurl = \"redis://127.0.0.1\"\n";
    read(local, &[]).unwrap();
}
