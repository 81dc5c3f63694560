//! Where the configuration is read from: defaults ← a TOML file ← the environment (`MUONG_…`, nested by `__`).
//! Refuses keys that it does not know, so that a misspelt one is not silently a default, and what cannot work.
//! Takes no secret from the command line, where every process could read it.

use super::secret::{Secret, secret};
use super::{Config, Limits, serving};
use figment::Figment;
use figment::providers::{Env, Format, Toml};
use muong_store::{DatabaseUrl, StoreError};
use std::path::{Path, PathBuf};

/// The file that is read when none is named and it is there.
const DEFAULT_FILE: &str = "muong.toml";
/// Variables of the same prefix that belong to the command line, not to the configuration.
pub(super) const NOT_CONFIGURATION: [&str; 4] = ["config", "password", "postgres_home", "test_postgres_url"];

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
    /// The store can make nothing of an address.
    #[error("{key}: {source}")]
    Address {
        /// The key.
        key: &'static str,
        /// What the store says of it.
        source: StoreError,
    },
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
        // The key that whoever wrote it knows it by.
        let key = |file: &Option<PathBuf>, in_file, here| if file.is_some() { in_file } else { here };
        let primary = key(&self.database_url_file, "database_url_file", "database_url");
        let database = address(primary, &self.database_url)?;
        let reading = key(&self.database_read_url_file, "database_read_url_file", "database_read_url");
        let standby = self.database_read_url.as_ref().map(|url| address(reading, url)).transpose()?;
        if standby.is_some_and(|standby| !(is_postgres(&standby) && is_postgres(&database))) {
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

/// What the store makes of an address: it alone decides what is one.
fn address(key: &'static str, url: &Secret) -> Result<DatabaseUrl, ConfigError> {
    DatabaseUrl::parse(url.expose()).map_err(|source| ConfigError::Address { key, source })
}

fn is_postgres(url: &DatabaseUrl) -> bool {
    matches!(url, DatabaseUrl::Postgres(_))
}

#[cfg(test)]
mod tests {
    use super::super::LogFormat;
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
    fn the_address_of_a_database_is_what_the_store_takes_for_one() {
        let of = |url: &str| parse(&format!("database_url = '{url}'"));
        for good in ["sqlite://muong.db", "sqlite:muong.db", "postgres://db/muong", "postgresql:///muong"] {
            assert_eq!(of(good).unwrap().database_url.expose(), good);
        }
        for bad in ["muong.db", "sqlite:", "sqlite://", "sqlite::memory:", "mysql://muong:hunter2@db/muong", ""] {
            let error = of(bad).unwrap_err().to_string();
            let as_told = error.starts_with("database_url: ") && error.contains("use sqlite://<file> or postgres://");
            assert!(as_told && !error.contains("hunter2"), "{bad}: {error}");
        }
        let standby = parse("database_url = 'postgres://db/muong'\ndatabase_read_url = 'standby'").unwrap_err();
        assert!(standby.to_string().starts_with("database_read_url: "), "{standby}");
    }

    #[test]
    fn every_line_of_the_example_file_is_a_key_and_its_default() {
        let example = include_str!("../../../../muong.example.toml");
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
        std::fs::write(&path, "db/muong").unwrap();
        let error = parse(&named).unwrap_err().to_string();
        assert!(error.starts_with("database_url_file: "), "{error}");
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
