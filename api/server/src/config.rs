//! What an installation may choose, with its defaults: defaults ← a TOML file ← the environment (`MUONG_…`, nested by `__`).
//! Refuses keys that it does not know, so that a misspelt one is not silently a default.
//! Never prints a secret, and takes none from the command line, where every process could read it.

#[cfg(test)]
mod example_tests;
mod serving;

pub use serving::{ForwardedHeader, Http, Network, Tls};

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use muong_domain::access::Role;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// The file that is read when none is named and it is there.
const DEFAULT_FILE: &str = "muong.toml";
/// Variables of the same prefix that belong to the command line, not to the configuration.
const NOT_CONFIGURATION: [&str; 4] = ["config", "password", "postgres_home", "test_postgres_url"];

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` out of logs and debug output.
    pub const fn new(text: String) -> Self {
        Self(text)
    }
    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Where the effective values are shown, as in `muong check`.
impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[redacted]")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

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
    pub trusted_proxies: Vec<Network>,
    /// In which header they say it. Default `x-forwarded-for`.
    pub forwarded_header: ForwardedHeader,
    /// The other origins (`https://host[:port]`) whose pages may call the API from a browser. Default: none.
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

/// What one request may carry; advertised at `GET /v1/sync/limits`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Submissions in one push. Default 500.
    pub submissions: usize,
    /// Bytes as they come over the wire. Default 1 MiB.
    pub wire_bytes: usize,
    /// Bytes after inflation. Default 8 MiB.
    pub inflated_bytes: usize,
    /// Bytes of one submission. Default 256 KiB.
    pub submission_bytes: usize,
}

/// How often things may be tried: so many at once, so many a minute in the long run (0: no limit). Budgets of addresses
/// and devices are kept by each process for itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Throttle {
    /// Attempts to sign in to one account that may fail before it takes pauses. Default 10.
    pub sign_in_free: u32,
    /// The longest pause between two such attempts. Low, because it also keeps out whoever the account belongs to, on
    /// a device that it does not know. Default 60.
    pub sign_in_longest_wait_seconds: u32,
    /// Failed attempts to sign in from one address. High, because half a province may share one. Default 100.
    pub address_burst: u32,
    /// The same a minute. Default 60.
    pub address_per_minute: u32,
    /// Sessions that one user opens with the right password: each costs a hash, and a row or two that stay. Default 120.
    pub session_burst: u32,
    /// The same a minute. Default 6.
    pub session_per_minute: u32,
    /// Refreshes of one session. A phone makes one in the life of an access token, which is half a minute at least; each
    /// leaves a token that must be known, should it come again, for as long as the session lives. Default 60.
    pub refresh_burst: u32,
    /// The same a minute. Default 4.
    pub refresh_per_minute: u32,
    /// Pushes of one device. Default 1000.
    pub push_requests_burst: u32,
    /// The same a minute. Default 1200.
    pub push_requests_per_minute: u32,
    /// Pulls of one device: a phone that begins anew takes one for each page. Default 3000.
    pub pull_requests_burst: u32,
    /// The same a minute. Default 1200.
    pub pull_requests_per_minute: u32,
    /// Submissions of one device; one of more than 4 KiB counts as several. Default 50000: years of reports, in case a phone
    /// has to send all again.
    pub push_submissions_burst: u32,
    /// The same a minute. Default 30000.
    pub push_submissions_per_minute: u32,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            sign_in_free: 10,
            sign_in_longest_wait_seconds: 60,
            address_burst: 100,
            address_per_minute: 60,
            session_burst: 120,
            session_per_minute: 6,
            refresh_burst: 60,
            refresh_per_minute: 4,
            push_requests_burst: 1_000,
            push_requests_per_minute: 1_200,
            pull_requests_burst: 3_000,
            pull_requests_per_minute: 1_200,
            push_submissions_burst: 50_000,
            push_submissions_per_minute: 30_000,
        }
    }
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

impl Default for Limits {
    fn default() -> Self {
        Self { submissions: 500, wire_bytes: 1 << 20, inflated_bytes: 8 << 20, submission_bytes: 256 << 10 }
    }
}

/// Why a configuration cannot be used; tells the person who wrote it what to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key is unknown or a value has the wrong type.
    #[error("the configuration cannot be used: {0}")]
    Invalid(Box<figment::Error>),
    /// The file that was asked for is not there.
    #[error("the configuration file {} does not exist", .0.display())]
    NoFile(PathBuf),
    /// A secret's file cannot be read.
    #[error("{key} names {}, which cannot be read: {source}", .path.display())]
    Unreadable {
        /// The key that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A secret stands in the configuration file, which is copied and shown around.
    #[error(
        "{0} is a secret: it comes from the environment or from a file of its own, not from the configuration file"
    )]
    SecretInFile(&'static str),
    /// Two keys say the same thing.
    #[error("master_key and master_key_file are both set: keep one of them")]
    TwoMasterKeys,
    /// Two keys say the same thing.
    #[error("database_read_url and database_read_url_file are both set: keep one of them")]
    TwoStandbys,
    /// Two places for one thing.
    #[error("database_url and database_url_file are both set: keep one of them")]
    TwoDatabases,
    /// A value is of the right type but cannot work.
    #[error("{key}: {reason}")]
    Unusable {
        /// The key.
        key: &'static str,
        /// What is wrong with its value.
        reason: &'static str,
    },
}

impl Config {
    /// Reads the configuration; `file` is the one that was asked for, if any.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::from_figment(&Self::figment(file)?)
    }

    /// Every layer that was found, the later ones over the earlier.
    pub(crate) fn figment(file: Option<&Path>) -> Result<Figment, ConfigError> {
        if let Some(path) = file
            && !path.is_file()
        {
            return Err(ConfigError::NoFile(path.to_owned()));
        }
        let file = file.unwrap_or(Path::new(DEFAULT_FILE));
        let mut figment = Figment::new();
        if file.is_file() {
            figment = figment.merge(Toml::file_exact(file));
        }
        Ok(figment.merge(Env::prefixed("MUONG_").ignore(&NOT_CONFIGURATION).split("__")))
    }

    pub(crate) fn from_figment(figment: &Figment) -> Result<Self, ConfigError> {
        let mut config: Self = figment.extract().map_err(|error| ConfigError::Invalid(Box::new(error)))?;
        if let Some(path) = config.database_url_file.clone() {
            if figment.contains("database_url") {
                return Err(ConfigError::TwoDatabases);
            }
            config.database_url = secret("database_url_file", path)?;
        }
        if let Some(path) = config.database_read_url_file.clone() {
            if config.database_read_url.is_some() {
                return Err(ConfigError::TwoStandbys);
            }
            config.database_read_url = Some(secret("database_read_url_file", path)?);
        }
        if config.master_key.is_some() && config.master_key_file.is_some() {
            return Err(ConfigError::TwoMasterKeys);
        }
        if let Some(metadata) = figment.find_metadata("master_key")
            && metadata.source.is_some()
        {
            return Err(ConfigError::SecretInFile("master_key"));
        }
        config.check()?;
        Ok(config)
    }

    /// The values that types alone cannot rule out.
    fn check(&self) -> Result<(), ConfigError> {
        let unusable = |key, reason| Err(ConfigError::Unusable { key, reason });
        let url = self.database_url.expose();
        if !url.starts_with("sqlite://") && !is_postgres(url) {
            return unusable("database_url", "must start with sqlite:// or postgres://");
        }
        if let Some(standby) = &self.database_read_url
            && !(is_postgres(standby.expose()) && is_postgres(url))
        {
            return unusable("database_read_url", "must be a standby of the PostgreSQL server that database_url names");
        }
        if !(30..=86_400).contains(&self.access_token_seconds) {
            return unusable("access_token_seconds", "must lie between 30 and 86400");
        }
        if !(1..=3_650).contains(&self.refresh_token_days) {
            return unusable("refresh_token_days", "must lie between 1 and 3650");
        }
        if !(1..=36_500).contains(&self.tombstone_days) {
            return unusable("tombstone_days", "must lie between 1 and 36500");
        }
        let Limits { submissions, wire_bytes, inflated_bytes, submission_bytes } = self.limits;
        if submissions == 0 || wire_bytes == 0 || submission_bytes == 0 {
            return unusable("limits", "must be greater than 0");
        }
        if inflated_bytes < wire_bytes || inflated_bytes < submission_bytes {
            return unusable("limits.inflated_bytes", "must not be below wire_bytes or submission_bytes");
        }
        if self.throttle.sign_in_longest_wait_seconds > 3_600 {
            return unusable("throttle.sign_in_longest_wait_seconds", "must not be above 3600: nobody is locked out");
        }
        if let Some(key) = self.unreadable_listen() {
            return unusable(key, "must be host:port");
        }
        if !self.cors_origins.iter().all(|origin| serving::is_origin(origin)) {
            return unusable("cors_origins", "must be origins such as https://muong.example: no path, no wildcard");
        }
        self.tls.check()?;
        self.http.check(wire_bytes.saturating_add(inflated_bytes))
    }

    /// The key of an address without a port.
    fn unreadable_listen(&self) -> Option<&'static str> {
        let has_port = |text: &str| text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let metrics = self.metrics_listen.as_deref().is_none_or(has_port);
        if has_port(&self.listen) { (!metrics).then_some("metrics_listen") } else { Some("listen") }
    }
}

fn is_postgres(url: &str) -> bool {
    ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme))
}

/// What a file holds that is named in place of a secret.
fn secret(key: &'static str, path: PathBuf) -> Result<Secret, ConfigError> {
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Secret::new(text.trim().to_owned())),
        Err(source) => Err(ConfigError::Unreadable { key, path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(toml: &str) -> Result<Config, ConfigError> {
        Config::from_figment(&Figment::new().merge(Toml::string(toml)))
    }

    #[test]
    fn an_empty_configuration_is_the_defaults() {
        let config = parse("").unwrap();
        assert_eq!(config.listen, "127.0.0.1:8080");
        assert_eq!(config.limits.submissions, 500);
        assert_eq!(config.write_queue.get(), 1024);
    }

    #[test]
    fn a_standby_is_one_of_postgres_and_stands_in_one_place() {
        let primary = "database_url = 'postgres://db/muong'\ndatabase_read_url = 'postgres://standby/muong'";
        assert!(parse(primary).unwrap().database_read_url.is_some());
        for wrong in [
            "database_read_url = 'postgres://standby/muong'".to_owned(),
            "database_url = 'postgres://db/muong'\ndatabase_read_url = 'sqlite://x.db'".to_owned(),
            format!("{primary}\ndatabase_read_url_file = 'x'"),
        ] {
            assert!(parse(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_line_of_the_example_file_is_a_key_and_its_default() {
        let example = include_str!("../../../muong.example.toml");
        let keys =
            example.lines().map(|line| line.strip_prefix("# ").filter(|line| line.contains(" = ")).unwrap_or(line));
        // Either database may be named, in one way at a time.
        // What is off without a value, or follows from another, has no default to show.
        let follows = ["metrics_listen", "erasure_ledger"];
        let shows = |line: &str| !line.contains("_file =") && !follows.iter().any(|key| line.starts_with(key));
        let lines: Vec<_> = keys.filter(|line| !line.starts_with("database_url = \"postgres") && shows(line)).collect();
        let config = parse(&lines.join("\n")).unwrap();
        let default = Config {
            workers: config.workers,
            readers: config.readers,
            argon2: config.argon2.clone(),
            ..Config::default()
        };
        assert_eq!(format!("{config:?}"), format!("{default:?}"));
        assert_eq!(config.database_url, default.database_url);
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = parse("[limits]\nsubmisions = 3").unwrap_err().to_string();
        assert!(error.contains("submisions") && error.contains("submissions"), "{error}");
    }

    #[test]
    fn a_secret_is_not_printed() {
        let config = parse("database_url = 'postgres://muong:hunter2@db/muong'").unwrap();
        assert_eq!(config.database_url.expose(), "postgres://muong:hunter2@db/muong");
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn a_database_url_may_stand_in_a_file_but_not_in_two_places() {
        let path = std::env::temp_dir().join(format!("muong-config-{}", std::process::id()));
        std::fs::write(&path, "postgres://db/muong\n").unwrap();
        let named = format!("database_url_file = '{}'", path.display());
        assert_eq!(parse(&named).unwrap().database_url.expose(), "postgres://db/muong");
        let both = parse(&format!("{named}\ndatabase_url = 'sqlite://x.db'"));
        assert!(matches!(both, Err(ConfigError::TwoDatabases)));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    #[expect(clippy::result_large_err, reason = "figment's own type of error, which its test jail asks for")]
    fn the_environment_reaches_nested_keys() {
        figment::Jail::expect_with(|jail| {
            jail.create_file(DEFAULT_FILE, "listen = '127.0.0.1:1'\n[log]\nlevel = 'warn'")?;
            jail.set_env("MUONG_LOG__FORMAT", "json");
            jail.set_env("MUONG_LISTEN", "127.0.0.1:2");
            jail.set_env("MUONG_PASSWORD", "not a configuration key");
            let config = Config::load(None).map_err(|error| error.to_string())?;
            assert_eq!((config.log.format, config.log.level.as_str()), (LogFormat::Json, "warn"));
            assert_eq!(config.listen, "127.0.0.1:2");
            jail.set_env("MUONG_LISTN", "x");
            assert!(Config::load(None).is_err_and(|error| error.to_string().contains("listn")));
            Ok(())
        });
    }
}
