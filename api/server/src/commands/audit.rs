//! `muong audit verify`: says whether the log and the audit chains are as they were written, and what cannot be known.
//! Changes nothing: it may run beside a serving process, or on a copy.

use crate::config::Config;
use muong_store::{Broken, Checked, Database, DatabaseUrl, Flaw, MigrationStatus, StoreError, check_audit};
use std::io::Write;

/// Why it is not well, or could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Something is not as it was written. What, has been told.
    #[error("the audit trail is broken: keep this database as it is, and compare it with a backup")]
    Broken,
    /// The schema is older than this program.
    #[error("the database lacks migrations of this version: run 'muong migrate' first")]
    NotMigrated,
    /// The database.
    #[error("the database: {0}")]
    Store(#[from] StoreError),
    /// Standard output.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Verifies, and tells on `out` what it found.
pub fn verify(config: &Config, out: impl Write) -> Result<(), VerifyError> {
    let database = Database::open(DatabaseUrl::parse(config.database_url.expose())?, None, 1)?;
    if database.status()? != MigrationStatus::Current {
        return Err(VerifyError::NotMigrated);
    }
    let checked = database.read(check_audit)?;
    tell(&checked, out)?;
    if checked.is_whole() { Ok(()) } else { Err(VerifyError::Broken) }
}

fn tell(checked: &Checked, mut out: impl Write) -> std::io::Result<()> {
    let Checked { head, log, broken, chains, rows, unanchored } = checked;
    let hash: String = head.chain.iter().map(|byte| format!("{byte:02x}")).collect();
    match log {
        None => writeln!(out, "The log is whole: {} entries, each following from the one before.", head.seq)?,
        Some(seq) => {
            writeln!(
                out,
                "THE LOG IS BROKEN at entry {seq}: it is missing, or it does not follow from entry {}.",
                seq.0 - 1
            )?;
            writeln!(
                out,
                "  It was changed, removed or put in, or entry {} was changed together with its hash.",
                seq.0 - 1
            )?;
            writeln!(out, "  What later entries vouch for proves nothing any more.")?;
        }
    }
    if broken.is_empty() {
        writeln!(out, "The audit is whole, as the log vouches for it: rows {rows}, chains {chains}.")?;
    }
    for broken in broken {
        writeln!(out, "THE AUDIT IS BROKEN: {}", explained(broken))?;
    }
    if *unanchored > 0 {
        writeln!(
            out,
            "Cannot be known yet: {unanchored} rows come after the last anchor of their chain. They follow from each other, \
             but nothing vouches for them, nor for there having been no more. A running server anchors its rows every minute."
        )?;
    }
    writeln!(
        out,
        "Cannot be known from the database alone: whether somebody wrote the whole of it anew, up to the head. Compare with \
         what was noted elsewhere: epoch {}, entry {}, hash {hash}",
        head.epoch, head.seq
    )
}

fn explained(broken: &Broken) -> String {
    let Broken { chain, position, flaw } = broken;
    let before = position - 1;
    match flaw {
        Flaw::Unannounced => format!("chain {chain} was put in: no entry of the log announces it."),
        Flaw::Row if *position == 1 => {
            format!("chain {chain}, row 1: it was changed or removed, or one was put in before it.")
        }
        Flaw::Row => format!(
            "chain {chain}, row {position}: it is missing, or it does not follow from row {before}. It was changed, removed or \
             put in, or row {before} was changed together with its hash."
        ),
        Flaw::Subject => {
            format!(
                "chain {chain}, row {position}: what it concerns is there, but the row is not: it was removed or put in."
            )
        }
        Flaw::Rewritten { agreed, anchor } => format!(
            "chain {chain}, row {position}: entry {anchor} of the log vouches for another row. The first row that was changed \
             lies between {} and {position}; all from there on were hashed anew.",
            agreed + 1
        ),
        Flaw::Removed { anchor } => {
            format!(
                "chain {chain}, row {position}: it was removed, for entry {anchor} of the log vouches for it or one after it."
            )
        }
    }
}
