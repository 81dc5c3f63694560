//! Everything that is worth keeping, as lines of text, from one snapshot of either database and into an empty one of
//! either. Knows rows and their order, and whether they are whole; files, compression and manifests are the server's.
//!
//! What is sealed stays sealed: no key is needed to write or to check a backup, and none is in it. Left out is what must
//! not come back: refresh tokens, which have been exchanged since, and the counts of failed attempts.
//!
//! `tables` says what is carried over, `cell` how a value is written, `write` and `read` are the lines, `restore` puts
//! them into a database.

mod cell;
mod read;
mod restore;
mod tables;
mod write;

use crate::connection::Database;
use crate::entry::LogEntry;
use crate::error::StoreError;
use crate::head::{Head, look_at_head};
use crate::transaction::Tx;
use chrono::{DateTime, Utc};
use muong_domain::id::Seq;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

pub use read::check;
pub use restore::{Target, restore};
pub use tables::{LEFT_OUT, carried};
pub use write::write;

/// How the lines are written.
const FORMAT: u32 = 1;

/// The head that a backup was taken at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// Which history.
    pub epoch: Uuid,
    /// The last entry of the log.
    pub seq: i64,
    /// Its hash, hexadecimal.
    pub chain: String,
    /// Where the epoch began.
    epoch_began: i64,
    lineage: String,
    floor: i64,
    reference_seq: i64,
    access_seq: i64,
}

impl Mark {
    fn of(head: &Head) -> Self {
        Self {
            epoch: head.epoch,
            seq: head.seq.0,
            chain: cell::hex(&head.chain),
            epoch_began: head.epoch_began.0,
            lineage: head.lineage.clone(),
            floor: head.floor.0,
            reference_seq: head.reference_seq.0,
            access_seq: head.access_seq.0,
        }
    }
}

/// What a backup holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Contents {
    /// The head.
    pub head: Mark,
    /// The last migration of the tables.
    pub schema: String,
    /// How many rows of each table.
    pub rows: BTreeMap<String, u64>,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Beginning {
    format: u32,
    schema: String,
    head: Mark,
}

/// The line before the rows of a table.
#[derive(Serialize, Deserialize)]
struct TableLine {
    table: String,
    columns: Vec<String>,
}

fn malformed(what: &str) -> StoreError {
    StoreError::Backup(format!("{what} cannot be read"))
}

/// Notes in the database that a backup of it is finished and has been found whole. False when the database has begun another
/// epoch meanwhile: then it is a backup of a past that is not this one's.
pub fn note_finished(
    database: &Database,
    contents: &Contents,
    sha256: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let conn = &mut database.url().open_for_writing()?;
    // Promoted, and no server has noticed yet: without a key this is not the one to begin an epoch.
    if look_at_head(conn)?.1 {
        return Ok(false);
    }
    let mut tx = Tx::begin(conn, None, || now)?;
    if tx.head().epoch != contents.head.epoch {
        tx.rollback();
        return Ok(false);
    }
    let command = json!({"epoch": contents.head.epoch, "seq": contents.head.seq, "sha256": sha256});
    let id = muong_domain::id::derived("backup", &[contents.head.chain.as_bytes(), sha256.as_bytes()]);
    tx.append(LogEntry::of_reference("backup", id, "finished", &command));
    let at = tx.received_at();
    tx.note_durable(Seq(contents.head.seq), at);
    tx.commit()?;
    Ok(true)
}
