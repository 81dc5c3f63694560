//! `muong migrate`: brings the schema up to date, or only says what is missing. Starts nothing.

use crate::clock::{Clock, Entropy};
use crate::config::Config;
use muong_store::{DatabaseUrl, MigrationStatus, StoreError, establish_epoch, migrate, migration_status};
use std::io::Write;

/// Why it did not.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database.
    #[error("the database: {0}")]
    Store(#[from] StoreError),
    /// Standard output.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Migrates, and says what it did on `out`.
pub fn run(
    config: &Config,
    clock: Clock,
    entropy: &Entropy,
    dry_run: bool,
    mut out: impl Write,
) -> Result<(), MigrateError> {
    let mut conn = DatabaseUrl::parse(config.database_url.expose())?.open()?;
    if dry_run {
        match migration_status(&mut conn)? {
            MigrationStatus::Current => writeln!(out, "The database is up to date.")?,
            MigrationStatus::Pending(missing) => writeln!(out, "Missing migrations: {missing}. Run: muong migrate")?,
        }
        return Ok(());
    }
    let applied = migrate(&mut conn)?;
    let now = clock.now();
    establish_epoch(&mut conn, entropy.uuid(now), now)?;
    match applied.as_slice() {
        [] => writeln!(out, "The database was up to date already.")?,
        names => writeln!(out, "Applied: {}", names.join(", "))?,
    }
    Ok(())
}
