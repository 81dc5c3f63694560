//! What an installation may choose, with its defaults. Where it is read from, and what cannot be used, is in `load.rs`.
//! Never prints a secret.

#[cfg(test)]
mod example_tests;
mod limits;
mod list;
mod load;
mod secret;
mod serving;

pub use limits::{Limits, Throttle};
pub use load::ConfigError;
pub use secret::Secret;
pub use serving::{ForwardedHeader, Http, Network, Tls};

use muong_domain::access::Role;
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Everything that an installation may choose.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where HTTP is served: `host:port`. Default `127.0.0.1:8080`; a reverse proxy ends TLS in front of it, unless
    /// `tls` is set.
    pub listen: String,
    /// Where `/metrics` is served, in the clear and to everybody who can reach it: an address of this machine or of a
    /// network of its own. Default: nowhere.
    pub metrics_listen: Option<String>,
    /// The proxies whose word about their client's address is believed. Default: none.
    #[serde(deserialize_with = "list::read")]
    pub trusted_proxies: Vec<Network>,
    /// In which header they say it. Default `x-forwarded-for`.
    pub forwarded_header: ForwardedHeader,
    /// The other origins (`https://host[:port]`) whose pages may call the API from a browser. Default: none.
    #[serde(deserialize_with = "list::read")]
    pub cors_origins: Vec<String>,
    /// The database: `sqlite://path` or `postgres://user:password@host/name`. Default `sqlite://muong.db`.
    pub database_url: Secret,
    /// A file that holds the database URL instead, as container secrets do. Not together with `database_url`.
    pub database_url_file: Option<PathBuf>,
    /// A streaming standby of PostgreSQL, from which pulls are answered while it keeps up. Default: none.
    pub database_read_url: Option<Secret>,
    /// A file that holds the standby's URL instead. Not together with `database_read_url`.
    pub database_read_url_file: Option<PathBuf>,
    /// Where muong keeps what it makes for itself, such as the signing key. Default: the working directory.
    pub data_dir: PathBuf,
    /// The private keys (PKCS#8 PEM, Ed25519) that sign access tokens: the first signs, all verify.
    /// Without it one is generated in `data_dir`; several replicas must share one.
    pub signing_key_file: Option<PathBuf>,
    /// The master keys, which personal data is sealed under in the end: 32 bytes in base64, one a line, the newest first.
    /// Without them one is generated in `data_dir`; several replicas must share one. Whoever loses them loses the data.
    pub master_key_file: Option<PathBuf>,
    /// The same keys themselves, from the environment alone (`MUONG_MASTER_KEY`), instead of the file.
    pub master_key: Option<Secret>,
    /// Where every erasure is written down, outside the database and its backups, so that whoever restores one erases again.
    /// Several replicas share one. Default: `erasures.ledger` in `data_dir`.
    pub erasure_ledger: Option<PathBuf>,
    /// How long the feed tells that something is gone; who stays away longer downloads afresh. Default 400 days.
    pub tombstone_days: u32,
    /// `iss` of the access tokens. Default `muong`.
    pub issuer: String,
    /// `aud` of the access tokens. Default `muong`.
    pub audience: String,
    /// How long an access token is good for. Default 900 (15 minutes).
    pub access_token_seconds: u32,
    /// How long a device may stay away before its user signs in again. Default 90.
    pub refresh_token_days: u32,
    /// Roles whose holders must have a second factor: until they have enrolled one they can do nothing else.
    /// Default: none.
    #[serde(deserialize_with = "list::read")]
    pub totp_required_roles: Vec<Role>,
    /// How the log is written.
    pub log: Log,
    /// HTTP worker threads. Default: one a core.
    pub workers: NonZeroUsize,
    /// Connections of the read pool. Default: two a core, at least 4.
    pub readers: NonZeroUsize,
    /// How many writes may wait for the writer before new ones are answered 503. Default 1024.
    pub write_queue: NonZeroUsize,
    /// Password hashing.
    pub argon2: Argon2,
    /// What one request may carry.
    pub limits: Limits,
    /// TLS, ended by this process itself.
    pub tls: Tls,
    /// Patience with clients, and how much of them at once.
    pub http: Http,
    /// How often things may be tried.
    pub throttle: Throttle,
    /// How long a stop waits for the requests that were accepted. Default 30.
    pub shutdown_seconds: u32,
}

/// How the log is written.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `pretty` for people (default) or `json` for collectors.
    pub format: LogFormat,
    /// A level or `tracing` filter directives, such as `info,muong_server=debug`. Default `info`.
    pub level: String,
}

/// The two shapes of a log line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Password hashing.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Argon2 {
    /// How many hashes may run at once; each takes 19 MiB and a core. Default: one a core.
    pub max_concurrent: NonZeroUsize,
    /// How many may wait for each that runs; more are answered 503. Default 16: at about 60 hashes a second and core,
    /// the last one waits a quarter of a second.
    pub max_waiting: usize,
}

/// One a core.
fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            metrics_listen: None,
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::XForwardedFor,
            cors_origins: Vec::new(),
            database_url: Secret::new("sqlite://muong.db".to_owned()),
            database_url_file: None,
            database_read_url: None,
            database_read_url_file: None,
            data_dir: PathBuf::from("."),
            signing_key_file: None,
            master_key_file: None,
            master_key: None,
            erasure_ledger: None,
            tombstone_days: 400,
            issuer: "muong".to_owned(),
            audience: "muong".to_owned(),
            access_token_seconds: 15 * 60,
            refresh_token_days: 90,
            totp_required_roles: Vec::new(),
            log: Log::default(),
            workers: cores(),
            readers: cores().saturating_mul(TWO).max(FOUR),
            write_queue: WRITE_QUEUE,
            argon2: Argon2::default(),
            limits: Limits::default(),
            tls: Tls::default(),
            http: Http::default(),
            throttle: Throttle::default(),
            shutdown_seconds: 30,
        }
    }
}

const TWO: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);
const FOUR: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);
const WRITE_QUEUE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Pretty, level: "info".to_owned() }
    }
}

impl Default for Argon2 {
    fn default() -> Self {
        Self { max_concurrent: cores(), max_waiting: 16 }
    }
}
