//! `muong check`: looks for what would keep the server from serving well, and says of each fault what to do about it.
//! Changes nothing. A further check is one function and one line in [`CHECKS`].

mod backups;
mod database;
mod files;
mod keys;
mod knowledge;
mod network;
mod report;

use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use figment::Figment;
use muong_store::{Database, DatabaseUrl, MigrationStatus};
use report::Report;
use std::io::{self, Write};
use std::path::Path;

/// A check: says what it found.
type Check = fn(&Subject, &mut Report);

/// All of them, in the order in which they are made.
const CHECKS: &[(&str, Check)] = &[
    ("configuration", configuration),
    ("secrets", files::secrets),
    ("signing keys", keys::signing),
    ("master keys", keys::master),
    ("certificate", keys::certificate),
    ("data directory", files::data_dir),
    ("database file", files::database_file),
    ("database", database::reachable),
    ("migrations", database::migrations),
    ("database writes", database::writes),
    ("database settings", database::settings),
    ("connections", database::connections),
    ("backups", backups::last),
    ("ledger of erasures", backups::ledger),
    ("clock", database::clock),
    ("calendar and rules", knowledge::built_in),
    ("forms", knowledge::forms),
    ("addresses", network::addresses),
    ("proxies", network::proxies),
    ("open files", network::open_files),
];

/// What is looked at.
struct Subject {
    config: Config,
    figment: Figment,
    clock: Clock,
    database: Result<Database, Unreached>,
    migrated: Option<MigrationStatus>,
}

/// Why there is no database to ask.
enum Unreached {
    /// There is none yet, and looking for it would make one.
    Missing,
    /// It does not answer, or not as a database would.
    Failed(String),
}

impl Subject {
    fn new(config: Config, figment: Figment, clock: Clock) -> Self {
        let database = reach(&config);
        let migrated = database.as_ref().ok().and_then(|database| database.status().ok());
        Self { config, figment, clock, database, migrated }
    }

    /// The database, if it can be asked.
    fn database(&self) -> Option<&Database> {
        self.database.as_ref().ok()
    }

    /// The same, when it has this program's tables.
    fn migrated(&self) -> Option<&Database> {
        self.database().filter(|_| self.migrated == Some(MigrationStatus::Current))
    }
}

/// Opens the database, unless that would make one.
fn reach(config: &Config) -> Result<Database, Unreached> {
    let failed = |error: &dyn std::error::Error| {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            text = format!("{text}: {next}");
            cause = next.source();
        }
        Unreached::Failed(text)
    };
    let url = DatabaseUrl::parse(config.database_url.expose()).map_err(|error| failed(&error))?;
    if let DatabaseUrl::Sqlite(path) = &url
        && !Path::new(path).exists()
    {
        return Err(Unreached::Missing);
    }
    Database::open(url, None, 1).map_err(|error| failed(&error))
}

/// Why it ends with 1.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// There is something to be mended.
    #[error("{0} to be mended")]
    Faults(String),
    /// Standard output.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Makes all checks and writes what they found to `out`.
pub fn run(file: Option<&Path>, json: bool, clock: Clock, mut out: impl Write) -> Result<(), CheckError> {
    let loaded = Config::figment(file).and_then(|figment| Ok((Config::from_figment(&figment)?, figment)));
    let report = match loaded {
        Ok((config, figment)) => examine(config, figment, clock),
        Err(error) => unreadable(&error),
    };
    if json {
        report.write_json(&mut out)?
    } else {
        report.write_text(&mut out)?
    }
    match report.faults() {
        0 => Ok(()),
        1 => Err(CheckError::Faults("1 fault is".to_owned())),
        faults => Err(CheckError::Faults(format!("{faults} faults are"))),
    }
}

/// The same for a configuration that has been made elsewhere; for whoever checks inside a process of their own.
pub fn run_with(config: Config, clock: Clock, mut out: impl Write) -> Result<(), CheckError> {
    let report = examine(config, Figment::new(), clock);
    report.write_json(&mut out)?;
    match report.faults() {
        0 => Ok(()),
        faults => Err(CheckError::Faults(faults.to_string())),
    }
}

fn examine(config: Config, figment: Figment, clock: Clock) -> Report {
    let subject = Subject::new(config, figment, clock);
    let mut report = Report::default();
    for (name, check) in CHECKS {
        report.begin(name);
        check(&subject, &mut report);
    }
    report
}

/// Without a configuration there is nothing else to look at.
fn unreadable(error: &ConfigError) -> Report {
    let mut report = Report::default();
    report.begin("configuration");
    report.fault(error.to_string(), "correct the key that is named; muong.example.toml lists all of them");
    report
}

/// Every value that counts, and where it comes from.
fn configuration(subject: &Subject, report: &mut Report) {
    let values = serde_json::to_value(&subject.config).unwrap_or_default();
    report.values(&values, &|key| {
        let metadata = subject.figment.find_metadata(key)?;
        let file = metadata.source.as_ref().and_then(|source| source.file_path());
        Some(file.map_or_else(|| metadata.name.to_string(), |path| path.display().to_string()))
    });
    report.ok("every key is known and every value can be used");
}
