//! The log, read back: page by page, for replay and for the check of its chain.

use crate::columns::Id;
use crate::connection::Connection;
use crate::entry::LogRow;
use crate::error::StoreError;
use crate::schema::log;
use crate::trail::IS_NO_SUBMISSION;
use crate::transaction::{Reading, Tx};
use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use muong_domain::id::{DeviceId, GrantId, Seq, UserId};
use uuid::Uuid;

/// An entry as it stands in the log.
#[derive(Clone, Debug)]
pub struct StoredEntry(LogRow);

impl StoredEntry {
    /// Its position.
    pub fn seq(&self) -> Seq {
        Seq(self.0.seq)
    }
    /// When it was received.
    pub fn received_at(&self) -> DateTime<Utc> {
        self.0.received_at.0
    }
    /// Who; none for the system or the operator.
    pub fn actor(&self) -> Option<UserId> {
        self.0.actor.map(|id| UserId::new(id.0))
    }
    /// From which device.
    pub fn device(&self) -> Option<DeviceId> {
        self.0.device_id.map(|id| DeviceId::new(id.0))
    }
    /// By which grant.
    pub fn grant(&self) -> Option<GrantId> {
        self.0.grant_id.map(|id| GrantId::new(id.0))
    }
    /// What kind of change.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }
    /// Which one.
    pub fn reference(&self) -> Uuid {
        self.0.reference.0
    }
    /// How it ended.
    pub fn outcome(&self) -> &str {
        &self.0.outcome
    }
    /// The change itself, when no other table keeps it.
    pub fn command(&self) -> Option<&str> {
        self.0.command.as_deref()
    }
}

/// The entries after `after`, at most `limit`.
pub fn page(read: &mut impl Reading, after: Seq, limit: i64) -> Result<Vec<StoredEntry>, StoreError> {
    let rows: Vec<LogRow> = on_backend!(read.conn(), c => log::table
        .filter(log::seq.gt(after.0))
        .order(log::seq)
        .limit(limit)
        .load(c))?;
    Ok(rows.into_iter().map(StoredEntry).collect())
}

/// All entries of one kind, in order; only for a kind of which there are few.
pub fn of_kind(read: &mut impl Reading, kind: &str) -> Result<Vec<StoredEntry>, StoreError> {
    let mut rows: Vec<LogRow> = on_backend!(read.conn(), c => log::table
        .filter(sql::<Bool>(IS_NO_SUBMISSION))
        .filter(log::kind.eq(kind))
        .load(c))?;
    rows.sort_unstable_by_key(|row| row.seq);
    Ok(rows.into_iter().map(StoredEntry).collect())
}

/// The epochs that have ended, each with the last entry of it that this history shares.
pub fn ended_epochs(read: &mut impl Reading) -> Result<Vec<(Uuid, Seq)>, StoreError> {
    of_kind(read, "epoch")?.iter().map(|entry| ended_by(&entry.0)).collect()
}

/// Which epoch ended with an entry that begins one, and the last entry of it.
pub(crate) fn ended_by(row: &LogRow) -> Result<(Uuid, Seq), StoreError> {
    #[derive(serde::Deserialize)]
    struct Turn {
        previous: Uuid,
    }
    let turn: Turn = serde_json::from_str(row.command.as_deref().unwrap_or_default())
        .map_err(|error| StoreError::corrupt("the beginning of an epoch", error))?;
    Ok((turn.previous, Seq(row.seq - 1)))
}

/// What the entries after one, up to another, are about that are no submissions; none when there are more than `limit`.
pub(crate) fn touched(
    conn: &mut Connection,
    after: Seq,
    up_to: Seq,
    limit: i64,
) -> Result<Option<Vec<Uuid>>, StoreError> {
    let about: Vec<Id> = on_backend!(conn, c => log::table
        .filter(log::seq.gt(after.0))
        .filter(log::seq.le(up_to.0))
        .filter(log::kind.ne("submission"))
        .limit(limit + 1)
        .select(log::reference)
        .load(c))?;
    let few = i64::try_from(about.len()).is_ok_and(|found| found <= limit);
    Ok(few.then(|| about.into_iter().map(|id| id.0).collect()))
}

/// Walks the whole chain. Answers the first seq that is missing, out of order or does not hash to what stands there;
/// none when the log is dense and whole up to the head.
pub fn first_break(read: &mut impl Reading) -> Result<Option<Seq>, StoreError> {
    let head = crate::head::read_head(read.conn())?;
    let (mut seq, mut chain) = (Seq::ZERO, vec![0_u8; 32]);
    loop {
        let entries = page(read, seq, 1_000)?;
        if entries.is_empty() {
            // The last one has another hash than the head says, or later ones are gone.
            let first = if seq == head.seq { seq } else { seq.next() };
            return Ok((seq != head.seq || chain != head.chain).then_some(first));
        }
        for StoredEntry(row) in entries {
            let is_past_head = row.seq > head.seq.0;
            if is_past_head || row.seq != seq.next().0 || row.hash != row.expected_hash(&chain) {
                return Ok(Some(seq.next()));
            }
            seq = Seq(row.seq);
            chain = row.hash;
        }
    }
}

/// Appends an entry of another store's log as it was; a replay does so with what has no effect of its own.
pub fn append_copy(tx: &mut Tx<'_>, entry: &StoredEntry) -> Seq {
    tx.set_received_at(entry.received_at());
    let StoredEntry(row) = entry.clone();
    tx.append_row(row)
}
