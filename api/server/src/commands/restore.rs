//! `muong restore`: a backup into an empty database of either kind. A new epoch begins, whoever has been erased since is
//! erased again, every session ends; all of it or nothing.

use crate::archive::{Archive, ArchiveError};
use crate::cli::RestoreArgs;
use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::ledger::{Digest, Ledger, LedgerError};
use crate::reference::ReferenceCache;
use crate::security::master_key::{self, MasterKeyError};
use crate::sole_server::{SoleServer, SoleServerError};
use crate::state::{StartError, ledger_path};
use crate::usecases::keep_erasures;
use muong_domain::access::Authority;
use muong_domain::account::SessionEnd;
use muong_store::backup::{self, Target};
use muong_store::{DatabaseUrl, StoreError, Tx, Vault, migrate, seal, sessions};
use std::io::Write;
use std::sync::Arc;

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A server runs.
    #[error(transparent)]
    Served(#[from] SoleServerError),
    /// The database.
    #[error("the database: {}", crate::telemetry::with_causes(.0))]
    Store(StoreError),
    /// There is something in it.
    #[error(
        "the database is not empty: name another one in database_url, or, to remove everything that is in it, \
         say --replace-everything"
    )]
    NotEmpty,
    /// The master key.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// Without it nothing of it could be read.
    #[error(
        "there is no master key, and none is in a backup: put the copy of it that you keep in its place \
         (master_key_file, or master_key.txt in data_dir)"
    )]
    NoMasterKey,
    /// Without it the erased would come back.
    #[error(
        "there is no ledger of erasures at {0}, so whoever was erased after the backup would be back. Put it there, or name \
         it by --ledger; if there has never been one, say --without-ledger"
    )]
    NoLedger(String),
    /// It cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It is not known where the ledger is.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Standard output.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<StoreError> for RestoreError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotEmpty => Self::NotEmpty,
            other => Self::Store(other),
        }
    }
}

/// What a restore came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restored {
    /// People who were erased again.
    pub erased: usize,
    /// Sessions that were ended.
    pub sessions: usize,
}

/// Restores, and tells on `out` what was, and what is lost.
pub fn run(
    args: &RestoreArgs,
    config: &Config,
    clock: Clock,
    entropy: &Entropy,
    mut out: impl Write,
) -> Result<Restored, RestoreError> {
    let archive = Archive::open(&args.backup)?;
    let url = DatabaseUrl::parse(config.database_url.expose())?;
    let _alone = SoleServer::of(&url)?;
    let vault = Arc::new(vault(config, &url, entropy)?);
    let ledgers = ledgers(args, config, &vault)?;
    migrate(&mut url.open()?)?;
    let target = Target { url: &url, vault: Arc::clone(&vault), replace: args.replace_everything, now: clock.now() };
    let restored = backup::restore(&target, archive.rows()?, |tx| finish(tx, &ledgers))?;
    tell(&archive, restored, &mut out)?;
    Ok(restored)
}

/// What belongs to a restore, in its transaction.
fn finish(tx: &mut Tx<'_>, ledgers: &[Ledger]) -> Result<Restored, StoreError> {
    seal::establish(tx)?;
    let ledger = Ledger::read_all(ledgers).map_err(|error| StoreError::Backup(error.to_string()))?;
    let sessions = sessions::end_every(tx, &Authority::operator_of_the_server(), SessionEnd::Restored)?;
    let erased = keep_erasures::erase_all_again(tx, &ReferenceCache::of_one_writer(), &ledger)?;
    Ok(Restored { erased, sessions })
}

/// Never a new one: it would open nothing.
fn vault(config: &Config, url: &DatabaseUrl, entropy: &Entropy) -> Result<Vault, RestoreError> {
    let own = config.data_dir.join(master_key::FILE);
    let own = (url.kind() == "sqlite" && own.exists()).then_some(own);
    master_key::vault(config, own.as_deref(), entropy)?.ok_or(RestoreError::NoMasterKey)
}

fn ledgers(args: &RestoreArgs, config: &Config, vault: &Arc<Vault>) -> Result<Vec<Ledger>, RestoreError> {
    if args.without_ledger {
        return Ok(Vec::new());
    }
    let paths = if args.ledger.is_empty() { vec![ledger_path(config)] } else { args.ledger.clone() };
    let vault = Arc::clone(vault);
    let digest: Digest = Arc::new(move |value| vault.digest(value));
    let ledgers: Vec<Ledger> = paths.into_iter().map(|path| Ledger::new(path, Arc::clone(&digest))).collect();
    match ledgers.iter().find(|ledger| !ledger.exists()) {
        Some(missing) => Err(RestoreError::NoLedger(missing.path().display().to_string())),
        None => Ok(ledgers),
    }
}

fn tell(archive: &Archive, restored: Restored, out: &mut impl Write) -> std::io::Result<()> {
    let (manifest, Restored { erased, sessions }) = (&archive.manifest, restored);
    writeln!(
        out,
        "Restored {}: everything up to entry {}, as of {}. A new epoch begins.",
        archive.path.display(),
        manifest.contents.head.seq,
        manifest.taken_at
    )?;
    writeln!(out, "Sessions ended: {sessions}; everybody signs in again, on the device that they have.")?;
    writeln!(out, "People erased again, by the ledger: {erased}.")?;
    writeln!(
        out,
        "What phones sent since then they send again by themselves. Lost is what only the server knew: decisions of \
         reviewers, users, passwords, grants, units and forms since then, revoked devices, and the audit of it. Disable \
         lost devices and users who have left once more."
    )
}
