//! Every setting there is: its place in the file, its variable, and how it is read.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aurax::store::{Durability, Plan};
use aurax::{ModelId, Secret};
use serde_json::json;
use toml::Table;
use uuid::Uuid;

use super::draft::Draft;
use super::given::{Given, Wrong, origin};
use super::{Environment, ExternalIssuer, Registration, address};
use crate::auth::SigningKeys;

/// One setting.
pub(super) struct Setting {
    /// Its place in the file, such as `limits.body`.
    pub(super) path: &'static str,
    /// Another name of its variable, which others use as well.
    pub(super) alias: Option<&'static str>,
    pub(super) set: Set,
}

/// How a setting is put in.
pub(super) enum Set {
    Value(fn(&mut Draft, Given<'_>) -> Result<(), Wrong>),
    /// A secret, which may also be in a file.
    Secret(fn(&mut Draft, Arc<Secret>) -> Result<(), Wrong>),
}

impl Setting {
    /// Its variable: `AURAX_LIMITS_BODY`.
    pub(super) fn variable(&self) -> String {
        format!("AURAX_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }

    pub(super) const fn is_secret(&self) -> bool {
        matches!(self.set, Set::Secret(_))
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const MILLI: Duration = Duration::from_millis(1);
const HOUR: Duration = seconds(60 * 60);
const DAY: Duration = seconds(24 * 60 * 60);
/// The largest body that is ever taken.
const LARGEST_BODY: u64 = 1 << 30;
/// The most that all bodies may ever take.
const MOST_BODIES: u64 = 1 << 40;

macro_rules! value {
    ($path:literal, |$draft:ident, $given:ident| $body:expr) => {
        Setting {
            path: $path,
            alias: None,
            set: Set::Value(|$draft, $given| {
                $body;
                Ok(())
            }),
        }
    };
}

macro_rules! secret {
    ($path:literal, $alias:expr, |$draft:ident, $url:ident| $body:expr) => {
        Setting {
            path: $path,
            alias: $alias,
            set: Set::Secret(|$draft, $url| {
                $body;
                Ok(())
            }),
        }
    };
}

/// A time of `config.timeouts`.
macro_rules! timeout {
    ($path:literal, $field:ident, $range:expr) => {
        value!($path, |draft, given| draft.config.timeouts.$field =
            given.time($range)?)
    };
}

/// A limit of `config.limits` that may be left out.
macro_rules! limit {
    ($path:literal, $field:ident) => {
        value!($path, |draft, given| draft.config.limits.$field =
            given.limit()?)
    };
}

/// A size of `config.limits`.
macro_rules! count {
    ($path:literal, $field:ident, $most:expr) => {
        value!($path, |draft, given| draft.config.limits.$field =
            given.count(1..=$most)?)
    };
}

/// Every setting but those of providers, in the order of the example.
pub(super) static SETTINGS: &[Setting] = &[
    value!("environment", |draft, given| {
        draft.config.environment = given.one_of(&[
            ("development", Environment::Development),
            ("staging", Environment::Staging),
            ("production", Environment::Production),
        ])?;
    }),
    value!("listen", |draft, given| {
        let form = "is no address and port such as 127.0.0.1:8000";
        draft.config.listen = given.text()?.parse().map_err(|_| form.to_owned())?;
    }),
    value!("public_url", |draft, given| {
        let url = given.text()?;
        origin(&url)?;
        draft.config.public_url = Some(url);
    }),
    value!("data", |draft, given| draft.data = Some(given.path()?)),
    value!("model", |draft, given| {
        let model = given.text()?;
        ModelId::parse(&model).map_err(|_| "is no model's name".to_owned())?;
        draft.config.model = Some(model);
    }),
    value!("prices", |draft, given| draft.config.prices =
        Some(given.path()?)),
    value!("registration", |draft, given| {
        draft.config.registration = Some(given.one_of(&[
            ("open", Registration::Open),
            ("invite", Registration::Invite),
            ("closed", Registration::Closed),
        ])?);
    }),
    value!("trusted_proxies", |draft, given| {
        let form = "is no address or network such as 10.0.0.0/8, or one of IPv4 addresses that is \
                    written as IPv6 with a prefix under 96";
        draft.config.trusted_proxies =
            given.list(|text| text.parse().map_err(|_| form.to_owned()))?;
    }),
    value!("cors_origins", |draft, given| draft.config.cors_origins =
        given.list(origin)?),
    value!("base_urls", |draft, given| draft.config.base_urls =
        given.list(origin)?),
    secret!("master_key", None, |draft, key| {
        aurax::store::KeyRing::parse(&key, "master_key")
            .map_err(|_| "is no master key: copy the lines of a key file".to_owned())?;
        draft.config.master_keys = Some(key);
    }),
    secret!("database.url", Some("DATABASE_URL"), |draft, url| {
        address::location(&url)?;
        draft.database.url = Some(url);
    }),
    secret!("database.owner_url", None, |draft, url| {
        address::postgres(&url)?;
        draft.database.owner_url = Some(url);
    }),
    secret!("database.read_url", None, |draft, url| {
        address::postgres(&url)?;
        draft.database.read_url = Some(url);
    }),
    secret!("database.backup_url", None, |draft, url| {
        address::postgres(&url)?;
        draft.database.backup_url = Some(url);
    }),
    value!("database.connections", |draft, given| {
        draft.database.connections = Some(given.positive(1_000)?.get());
    }),
    value!("database.durability", |draft, given| {
        draft.config.durability = given.one_of(&[
            ("strict", Durability::Strict),
            ("relaxed", Durability::Relaxed),
        ])?;
    }),
    secret!("redis.url", Some("REDIS_URL"), |draft, url| {
        address::redis(&url)?;
        draft.config.redis = Some(url);
    }),
    value!("redis.prefix", |draft, given| draft
        .config
        .redis_settings
        .prefix = given.text()?),
    value!("redis.ca_file", |draft, given| {
        draft.config.redis_settings.ca_file = Some(given.path()?);
    }),
    value!("redis.replicas", |draft, given| {
        draft.config.redis_settings.replicas = given.positive(10_000)?;
    }),
    value!("tls.certificate", |draft, given| draft.tls_certificate =
        Some(given.path()?)),
    value!("tls.key", |draft, given| {
        let path = given.path()?;
        draft
            .secret_files
            .push(("tls.key".to_owned(), path.clone()));
        draft.tls_key = Some(path);
    }),
    value!("auth.access_token_ttl", |draft, given| {
        draft.config.auth.access_token_ttl = given.time(seconds(1)..=seconds(15 * 60))?;
    }),
    value!("auth.shortest_password", |draft, given| {
        draft.config.auth.shortest_password = given.count(8..=128)?;
    }),
    secret!("auth.signing_key", None, |draft, keys| {
        SigningKeys::parse_secret(&keys, "auth.signing_key").map_err(|_| {
            "is no signing key: copy the lines of a file of signing keys".to_owned()
        })?;
        draft.config.auth.signing_keys = Some(keys);
    }),
    value!("auth.issuers", |draft, given| {
        draft.config.auth.issuers = given
            .tables()?
            .iter()
            .map(issuer)
            .collect::<Result<_, _>>()?;
    }),
    value!("shared_keys.plans", |draft, given| {
        draft.config.shared_keys.plans = Some(given.list(|text| Ok(text.to_owned()))?);
    }),
    value!("shared_keys.access_keys", |draft, given| {
        let form = "is no id of an access key";
        draft.config.shared_keys.access_keys =
            given.list(|text| Uuid::parse_str(text).map_err(|_| form.to_owned()))?;
    }),
    limit!("limits.ip_requests_per_minute", ip_requests_per_minute),
    limit!("limits.ip_logins_per_minute", ip_logins_per_minute),
    limit!(
        "limits.account_logins_per_minute",
        account_logins_per_minute
    ),
    limit!("limits.user_requests_per_minute", user_requests_per_minute),
    value!("limits.user_in_flight", |draft, given| {
        draft.config.limits.user_in_flight = given.whole(1..=1_000_000)?;
    }),
    count!("limits.in_flight", in_flight, 1_000_000),
    count!("limits.connections", connections, 1_000_000),
    count!("limits.connections_per_ip", connections_per_ip, 1_000_000),
    value!("limits.paid_body", |draft, given| {
        draft.config.limits.paid_body = given.size(1_024..=LARGEST_BODY)?;
    }),
    value!("limits.body", |draft, given| {
        draft.config.limits.body = given.size(1_024..=LARGEST_BODY)?;
    }),
    value!("limits.bodies", |draft, given| {
        draft.config.limits.bodies = given.size(1_024..=MOST_BODIES)?;
    }),
    count!("limits.sockets_per_user", sockets_per_user, 10_000),
    timeout!("timeouts.header", header, MILLI..=HOUR),
    timeout!("timeouts.body", body, MILLI..=HOUR),
    timeout!("timeouts.write_stall", write_stall, MILLI..=HOUR),
    timeout!("timeouts.keep_alive", keep_alive, MILLI..=HOUR),
    timeout!("timeouts.ping", ping, MILLI..=HOUR),
    timeout!("timeouts.pong", pong, MILLI..=HOUR),
    timeout!("timeouts.socket_auth", socket_auth, MILLI..=HOUR),
    timeout!("timeouts.header_commit", header_commit, MILLI..=HOUR),
    timeout!("timeouts.heartbeat", heartbeat, MILLI..=HOUR),
    timeout!("timeouts.drain_notice", drain_notice, Duration::ZERO..=HOUR),
    timeout!("timeouts.drain", drain, Duration::ZERO..=HOUR),
    timeout!(
        "timeouts.login_cache",
        login_cache,
        Duration::ZERO..=seconds(40)
    ),
    value!("plans", |draft, given| {
        let plans: Vec<Plan> = given.tables()?.iter().map(plan).collect::<Result<_, _>>()?;
        let mut names = HashSet::new();
        if let Some(twice) = plans
            .iter()
            .position(|plan| !names.insert(plan.name.clone()))
        {
            return Err(format!(
                "has two plans of one name: see entry {}",
                twice + 1
            ));
        }
        draft.config.plans = plans;
    }),
    value!("backup.folder", |draft, given| draft.backup_folder =
        Some(given.path()?)),
    value!("backup.every", |draft, given| {
        draft.backup_every = Some(given.time(seconds(60)..=366 * DAY)?);
    }),
    value!("backup.keep", |draft, given| draft.backup_keep =
        Some(given.count(1..=10_000)?)),
];

/// A table's texts and numbers, by names it may have.
fn fields(table: &Table, known: &[&str]) -> Result<(), Wrong> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        Some(_) => Err(format!(
            "has an entry with another field than {}",
            known.join(", ")
        )),
        None => Ok(()),
    }
}

fn text(table: &Table, name: &str) -> Result<String, Wrong> {
    let value = table
        .get(name)
        .ok_or_else(|| format!("has an entry without `{name}`"))?;
    let text = Given::Toml(value).text();
    text.map_err(|wrong| format!("has an entry whose `{name}` {wrong}"))
}

fn issuer(table: &Table) -> Result<ExternalIssuer, Wrong> {
    fields(table, &["issuer", "audience", "jwks_url"])?;
    let jwks_url = text(table, "jwks_url")?;
    if !jwks_url.starts_with("https://") {
        return Err("has an entry whose `jwks_url` is no https address".to_owned());
    }
    let (issuer, audience) = (text(table, "issuer")?, text(table, "audience")?);
    Ok(ExternalIssuer::new(issuer, audience, jwks_url))
}

fn plan(table: &Table) -> Result<Plan, Wrong> {
    const NUMBERS: [&str; 3] = ["message_days", "requests_per_minute", "tokens_per_minute"];
    fields(table, &["name", NUMBERS[0], NUMBERS[1], NUMBERS[2]])?;
    let mut plan = serde_json::Map::new();
    plan.insert("name".to_owned(), json!(text(table, "name")?));
    for name in NUMBERS {
        if let Some(value) = table.get(name) {
            let number = Given::Toml(value).whole(1..=u64::from(u32::MAX));
            let number = number.map_err(|wrong| format!("has an entry whose `{name}` {wrong}"))?;
            plan.insert(name.to_owned(), json!(number));
        }
    }
    serde_json::from_value(plan.into()).map_err(|_| "has an entry that is no plan".to_owned())
}
