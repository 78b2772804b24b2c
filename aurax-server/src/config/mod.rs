//! What an operator chose: typed, complete and checked.
//!
//! A [`Config`] comes from `aurax.toml`, then `AURAX_*`, `DATABASE_URL` and `REDIS_URL`; nothing
//! else in the server reads a file or variable of settings.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aurax::Secret;
use aurax::store::{Durability, Origin, Plan};
use uuid::Uuid;

mod address;
mod draft;
mod file;
mod given;
mod names;
mod network;
mod production;
mod providers;
mod read;
mod settings;
#[cfg(test)]
mod tests;

pub(crate) use address::{Location, location};
pub(crate) use given::{shown, time};
pub use network::Network;
pub(crate) use production::is_demo;
pub use providers::ProviderSettings;

/// Where the server runs, which decides what it refuses to start with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Environment {
    /// A developer's machine.
    #[default]
    Development,
    /// Like production, with `demo` allowed.
    Staging,
    /// Refuses plain HTTP without a declared proxy, weak secrets, unencrypted remote databases
    /// and `demo`.
    Production,
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Registration {
    /// Everybody.
    Open,
    /// Who was invited by an operator.
    Invite,
    /// Nobody: operators make accounts.
    Closed,
}

/// Where everything is kept.
#[derive(Clone)]
pub enum Database {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// PostgreSQL 15 or newer.
    Postgres(PostgresSettings),
}

/// How PostgreSQL is reached; addresses hold passwords.
#[derive(Clone)]
#[non_exhaustive]
pub struct PostgresSettings {
    /// The address of traffic.
    pub url: Arc<Secret>,
    /// The address that migrates; `url` unless set.
    pub owner_url: Option<Arc<Secret>>,
    /// A read replica for analyses; `url` unless set.
    pub read_url: Option<Arc<Secret>>,
    /// The address that backs up; `owner_url` unless set.
    pub backup_url: Option<Arc<Secret>>,
    /// The most connections; 10.
    pub connections: u32,
}

impl PostgresSettings {
    /// One address for everything.
    pub fn new(url: impl Into<Secret>) -> Self {
        Self {
            url: Arc::new(url.into()),
            owner_url: None,
            read_url: None,
            backup_url: None,
            connections: 10,
        }
    }
}

/// Addresses stay out of logs.
impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(…)"),
        }
    }
}

/// A certificate chain and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Who else signs access tokens that are accepted here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExternalIssuer {
    /// The `iss` of its tokens, compared byte by byte.
    pub issuer: String,
    /// The `aud` its tokens must have.
    pub audience: String,
    /// Where its public keys are, an https address.
    pub jwks_url: String,
}

impl ExternalIssuer {
    /// An issuer by its `iss`, the `aud` that is asked for, and the address of its keys.
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        jwks_url: impl Into<String>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            jwks_url: jwks_url.into(),
        }
    }
}

/// How people log in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AuthSettings {
    /// How long an access token is good for; 15 min, and no longer.
    pub access_token_ttl: Duration,
    /// Other issuers of access tokens; none.
    pub issuers: Vec<ExternalIssuer>,
    /// The fewest characters of a password; 8.
    pub shortest_password: usize,
    /// The keys that sign access tokens, as a file of signing keys holds them; `signing.keys` in
    /// the data folder unless set. Servers that share a database need the same.
    pub signing_keys: Option<Arc<Secret>>,
}

/// Who may use the operator's own provider keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SharedKeys {
    /// Users on these plans; all of them where this is `None`.
    pub plans: Option<Vec<String>>,
    /// Calls with these access keys, whatever the plan.
    pub access_keys: Vec<Uuid>,
}

/// How much one address, or everybody together, may ask for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Requests a minute from one IP address; 600. `None` is without limit.
    pub ip_requests_per_minute: Option<u64>,
    /// Attempts to log in, register or refresh a minute from one IP address; 20.
    pub ip_logins_per_minute: Option<u64>,
    /// Attempts to log in a minute to one account; 10.
    pub account_logins_per_minute: Option<u64>,
    /// Requests a minute of one user whose plan says nothing; 600.
    pub user_requests_per_minute: Option<u64>,
    /// Paid calls at a time of one user; 64.
    pub user_in_flight: u64,
    /// Requests that are being answered at a time, of everybody together; more are refused with
    /// 503. 10,000.
    pub in_flight: usize,
    /// Connections; 16,384.
    pub connections: usize,
    /// Connections from one IP address; 1,024.
    pub connections_per_ip: usize,
    /// The largest body of a paid route, in bytes; 32 MiB.
    pub paid_body: usize,
    /// The largest body of any other route, in bytes; 1 MiB.
    pub body: usize,
    /// The bytes of all bodies that are held at a time; more are refused with 503. 256 MiB.
    pub bodies: usize,
    /// WebSockets of one user; 32.
    pub sockets_per_user: usize,
}

/// How long a client may take.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientTimeouts {
    /// To send the headers of a request; 10 s.
    pub header: Duration,
    /// To send the body; 30 s.
    pub body: Duration,
    /// To take what was written, before the connection is closed; 30 s.
    pub write_stall: Duration,
    /// Without a request on a connection that is kept alive; 75 s.
    pub keep_alive: Duration,
    /// Between two pings of a WebSocket; 20 s.
    pub ping: Duration,
    /// Without a sign of life from a WebSocket; 40 s.
    pub pong: Duration,
    /// To log in on a WebSocket by its first frame; 5 s.
    pub socket_auth: Duration,
    /// Until a stream's status is sent although there is no content yet; 10 s.
    pub header_commit: Duration,
    /// Between two signs of life of a stream; 15 s.
    pub heartbeat: Duration,
    /// Between saying that the server is not ready any more and refusing connections; 5 s.
    pub drain_notice: Duration,
    /// Between refusing connections and cutting off what goes on; 30 s.
    pub drain: Duration,
    /// How long what is known of a login is believed, here; 30 s, at most 40.
    pub login_cache: Duration,
}

/// When and where backups are made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupSettings {
    /// The folder they are kept in.
    pub folder: PathBuf,
    /// How often; 24 h.
    pub every: Duration,
    /// How many are kept; 7.
    pub keep: usize,
}

impl BackupSettings {
    /// Every 24 hours, keeping seven.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            every: Duration::from_secs(24 * 60 * 60),
            keep: 7,
        }
    }
}

/// How Redis is used, where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisSettings {
    /// What every key begins with, one for each installation; `aurax:`.
    pub prefix: String,
    /// A file of certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Among how many processes a rate limit is shared out while Redis is away; 1.
    pub replicas: NonZeroU32,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            prefix: "aurax:".to_owned(),
            ca_file: None,
            replicas: NonZeroU32::MIN,
        }
    }
}

/// Everything an operator chose.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where it runs.
    pub environment: Environment,
    /// The address to listen on; 127.0.0.1:8000.
    pub listen: SocketAddr,
    /// The address clients know the server by: the issuer of its tokens. `http://<listen>` unless
    /// set.
    pub public_url: Option<String>,
    /// The folder of the database file and the keys; `aurax-data`.
    pub data: PathBuf,
    /// Where everything is kept; `aurax.db` in the data folder.
    pub database: Database,
    /// What the ledger waits for.
    pub durability: Durability,
    /// The master keys that seal provider keys, as a key file holds them; `master.keys` in the data
    /// folder unless set.
    pub master_keys: Option<Arc<Secret>>,
    /// Redis, for what replicas share.
    pub redis: Option<Arc<Secret>>,
    /// How Redis is used.
    pub redis_settings: RedisSettings,
    /// The model that is asked where none is named; the first provider with a key decides unless
    /// set.
    pub model: Option<String>,
    /// A file of the operator's own prices; what `aurax prices refresh` installed unless set.
    pub prices: Option<PathBuf>,
    /// Addresses and key files of providers, by the presets' names.
    pub providers: BTreeMap<String, ProviderSettings>,
    /// HTTPS by the server itself.
    pub tls: Option<TlsFiles>,
    /// Peers whose forwarding headers are believed. One of them terminates TLS where
    /// [`Config::tls`] is not set.
    pub trusted_proxies: Vec<Network>,
    /// Who may make an account; `None` is open on loopback and closed elsewhere.
    pub registration: Option<Registration>,
    /// Web origins that may read answers; none.
    pub cors_origins: Vec<Origin>,
    /// Origins that users' provider keys may be bound to, besides the providers' own.
    pub base_urls: Vec<Origin>,
    /// Who may use the operator's provider keys; everybody.
    pub shared_keys: SharedKeys,
    /// How people log in.
    pub auth: AuthSettings,
    /// How much may be asked for.
    pub limits: Limits,
    /// How long clients may take.
    pub timeouts: ClientTimeouts,
    /// Plans to be made or changed when the server starts.
    pub plans: Vec<Plan>,
    /// Backups made by the server itself; none.
    pub backup: Option<BackupSettings>,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            access_token_ttl: Duration::from_secs(15 * 60),
            issuers: Vec::new(),
            shortest_password: 8,
            signing_keys: None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ip_requests_per_minute: Some(600),
            ip_logins_per_minute: Some(20),
            account_logins_per_minute: Some(10),
            user_requests_per_minute: Some(600),
            user_in_flight: 64,
            in_flight: 10_000,
            connections: 16_384,
            connections_per_ip: 1_024,
            paid_body: 32 << 20,
            body: 1 << 20,
            bodies: 256 << 20,
            sockets_per_user: 32,
        }
    }
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            header: seconds(10),
            body: seconds(30),
            write_stall: seconds(30),
            keep_alive: seconds(75),
            ping: seconds(20),
            pong: seconds(40),
            socket_auth: seconds(5),
            header_commit: seconds(10),
            heartbeat: seconds(15),
            drain_notice: seconds(5),
            drain: seconds(30),
            login_cache: seconds(30),
        }
    }
}

impl Default for Config {
    /// A developer's machine: SQLite in `aurax-data`, on loopback.
    fn default() -> Self {
        let data = PathBuf::from("aurax-data");
        Self {
            environment: Environment::Development,
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000),
            public_url: None,
            database: Database::Sqlite(data.join("aurax.db")),
            data,
            durability: Durability::Strict,
            master_keys: None,
            redis: None,
            redis_settings: RedisSettings::default(),
            model: None,
            prices: None,
            providers: BTreeMap::new(),
            tls: None,
            trusted_proxies: Vec::new(),
            registration: None,
            cors_origins: Vec::new(),
            base_urls: Vec::new(),
            shared_keys: SharedKeys::default(),
            auth: AuthSettings::default(),
            limits: Limits::default(),
            timeouts: ClientTimeouts::default(),
            plans: Vec::new(),
            backup: None,
        }
    }
}

impl Config {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Who may make an account.
    pub fn registration(&self) -> Registration {
        self.registration.unwrap_or(if self.is_loopback() {
            Registration::Open
        } else {
            Registration::Closed
        })
    }

    /// Whether only this machine can reach the server. A proxy on this machine brings everybody.
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().is_loopback() && self.trusted_proxies.is_empty()
    }

    /// Whether the first account may be made an operator's: only where nobody else can be first.
    pub fn first_account_is_admin(&self) -> bool {
        self.is_loopback() && self.environment != Environment::Production
    }

    /// The address clients know the server by, without a slash at its end.
    pub fn public_url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.public_url.as_ref().map_or_else(
            || format!("{scheme}://{}", self.listen),
            |url| url.trim_end_matches('/').to_owned(),
        )
    }

    /// Whether clients reach the server over TLS.
    pub fn is_https(&self) -> bool {
        self.public_url().starts_with("https://")
    }
}
