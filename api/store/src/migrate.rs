//! The migrations, embedded in the binary: applied, and asked whether they are.

use crate::connection::Connection;
use crate::dialect;
use crate::error::StoreError;
use diesel::migration::MigrationSource;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// How the database stands to the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationStatus {
    /// Everything that this binary knows is applied.
    Current,
    /// Some are missing: `muong migrate`.
    Pending(usize),
}

/// Applies what is missing; returns the names of what it applied.
pub fn migrate(conn: &mut Connection) -> Result<Vec<String>, StoreError> {
    dialect::lock_for_migration(conn)?;
    let applied = match conn {
        // Under the write lock from the beginning: of two processes on a new file, one migrates and the other waits.
        Connection::Sqlite(c) => {
            c.immediate_transaction(|c| c.run_pending_migrations(SQLITE).map(names).map_err(failed))
        }
        Connection::Postgres(c) => c.run_pending_migrations(POSTGRES).map(names).map_err(failed),
    };
    dialect::unlock_for_migration(conn)?;
    applied
}

/// The name of the last migration that this binary knows: the same on both databases.
pub(crate) fn newest() -> Result<String, StoreError> {
    let all = MigrationSource::<diesel::sqlite::Sqlite>::migrations(&SQLITE).map_err(failed)?;
    let names = all.iter().map(|migration| migration.name().version().to_string());
    names.max().ok_or_else(|| failed("there is none"))
}

fn failed(error: impl ToString) -> StoreError {
    StoreError::Migration(error.to_string())
}

fn names(versions: Vec<diesel::migration::MigrationVersion<'_>>) -> Vec<String> {
    versions.iter().map(ToString::to_string).collect()
}

/// Asks, without changing anything.
pub fn migration_status(conn: &mut Connection) -> Result<MigrationStatus, StoreError> {
    let pending = match conn {
        Connection::Sqlite(c) => c.pending_migrations(SQLITE).map(|p| p.len()),
        Connection::Postgres(c) => c.pending_migrations(POSTGRES).map(|p| p.len()),
    }
    // A broken connection must be known as such, so that it is replaced.
    .map_err(|error| match error.downcast() {
        Ok(of_query) => StoreError::Query(*of_query),
        Err(other) => failed(other),
    })?;
    Ok(if pending == 0 { MigrationStatus::Current } else { MigrationStatus::Pending(pending) })
}
