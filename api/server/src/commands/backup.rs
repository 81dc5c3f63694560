//! `muong backup`: a backup of the database as it is now, while servers serve; found whole before it counts. Needs no key.

use crate::archive::{self, Archive, ArchiveError};
use crate::cli::BackupArgs;
use crate::clock::Clock;
use crate::config::Config;
use muong_store::{Database, DatabaseUrl, MigrationStatus, StoreError, backup};
use std::io::Write;

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The files.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The database.
    #[error("the database: {0}")]
    Store(#[from] StoreError),
    /// The schema is older than this program.
    #[error("the database lacks migrations of this version: run 'muong migrate' first")]
    NotMigrated,
    /// The database has been restored or promoted meanwhile.
    #[error(
        "the database has begun another history while the backup was taken: it is whole, but of the past; take another"
    )]
    Overtaken,
    /// Standard output.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Takes one, and tells on `out` what it holds.
pub fn run(args: &BackupArgs, config: &Config, clock: Clock, mut out: impl Write) -> Result<Archive, BackupError> {
    let database = Database::open(DatabaseUrl::parse(config.database_url.expose())?, None, 1)?;
    if database.status()? != MigrationStatus::Current {
        return Err(BackupError::NotMigrated);
    }
    let archive = archive::take(&database, &args.folder, clock.now())?;
    let manifest = &archive.manifest;
    if !backup::note_finished(&database, &manifest.contents, &manifest.sha256, clock.now())? {
        return Err(BackupError::Overtaken);
    }
    let rows: u64 = manifest.contents.rows.values().sum();
    writeln!(
        out,
        "{}\n  up to entry {}, {rows} rows, {} bytes; read back and found whole.",
        archive.path.display(),
        manifest.contents.head.seq,
        manifest.bytes
    )?;
    writeln!(
        out,
        "  Not in it, to be kept elsewhere: the master key, the signing key, the ledger of erasures, the configuration."
    )?;
    if let Some(keep) = args.keep {
        for old in archive::prune(&args.folder, keep.get(), &archive.path)? {
            writeln!(out, "  Removed {}", old.display())?;
        }
    }
    Ok(archive)
}
