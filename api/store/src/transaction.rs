//! The only place that begins, takes the feed head, stamps, chains, commits and rolls back.
//!
//! Every write transaction first takes the one row of `feed_head`, and gives it back with the commit: so whoever sees
//! seq n sees everything up to n, and nothing at or below n can appear later.

use crate::columns::{Id, Instant};
use crate::connection::{Connection, Database};
use crate::dialect;
use crate::entry::{self, LogEntry, LogRow};
use crate::error::StoreError;
use crate::head::{Head, Locked, lock_head, look_at_head, read_head, write_head};
use crate::seal::{self, Keyring};
use crate::vault::Vault;
use chrono::{DateTime, Utc};
use muong_domain::id::Seq;
use std::sync::Arc;
use uuid::Uuid;

/// How a change ended that the writer ran.
#[derive(Debug)]
pub enum Outcome<T, R> {
    /// To be committed.
    Commit(T),
    /// Refused: nothing of it may stay.
    Refuse(R),
}

impl<T, R> From<Result<T, R>> for Outcome<T, R> {
    fn from(result: Result<T, R>) -> Self {
        match result {
            Ok(done) => Self::Commit(done),
            Err(refusal) => Self::Refuse(refusal),
        }
    }
}

/// A write transaction that holds the feed head.
pub struct Tx<'c> {
    conn: &'c mut Connection,
    head: Head,
    began: Head,
    at: DateTime<Utc>,
    entries: Vec<LogRow>,
    keyring: Keyring,
}

impl<'c> Tx<'c> {
    /// Begins and takes the head. `now` is asked once the head is held, and becomes the receipt time of everything that is
    /// written: so that it runs with the seq, however long others held the head.
    pub(crate) fn begin(
        conn: &'c mut Connection,
        vault: Option<Arc<Vault>>,
        now: impl FnOnce() -> DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        dialect::begin_write(conn)?;
        match lock_head(conn) {
            Ok(locked) => Ok(Self::holding(conn, locked, vault, now())),
            Err(error) => {
                dialect::rollback(conn);
                Err(error)
            }
        }
    }

    /// Goes on with a transaction that has been begun already, once there is a head in it: a restore.
    pub(crate) fn resume(conn: &'c mut Connection, vault: Arc<Vault>, now: DateTime<Utc>) -> Result<Self, StoreError> {
        let (head, _) = lock_head(conn)?;
        Ok(Self::holding(conn, (head, None), Some(vault), now))
    }

    /// Whoever holds the head of a database that has been promoted meanwhile is in another history, even on a connection
    /// that a pooler kept: its epoch begins before anything is written.
    fn holding(conn: &'c mut Connection, locked: Locked, vault: Option<Arc<Vault>>, now: DateTime<Utc>) -> Self {
        let (head, lineage) = locked;
        // Microseconds are what both databases keep; rules and hashes must see the same instant as a reader.
        let at = DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now);
        let turned = lineage.zip(vault.as_ref()).map(|(lineage, vault)| (vault.fresh_id(), lineage));
        let keyring = Keyring::new(vault);
        let mut tx = Self { conn, began: head.clone(), head, at, entries: Vec::new(), keyring };
        if let Some((epoch, lineage)) = turned {
            tx.turn_over(epoch, lineage);
        }
        tx
    }

    /// The receipt time: the only "now" that rules see.
    pub fn received_at(&self) -> DateTime<Utc> {
        self.at
    }

    /// For a replay: the receipt time of the entry that is being replayed.
    pub fn set_received_at(&mut self, at: DateTime<Utc>) {
        self.at = at;
    }

    /// The head as this transaction has moved it.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Appends an entry and gives it the next seq.
    pub fn append(&mut self, entry: LogEntry) -> Seq {
        self.append_row(LogRow {
            seq: 0,
            received_at: Instant(self.at),
            actor: entry.actor.map(Id::from),
            device_id: entry.device.map(Id::from),
            grant_id: entry.grant.map(Id::from),
            kind: entry.kind.to_owned(),
            reference: Id(entry.reference),
            outcome: entry.outcome,
            content_hash: entry.content_hash.to_vec(),
            command: entry.command,
            hash: Vec::new(),
        })
    }

    /// Stamps and chains a row.
    pub(crate) fn append_row(&mut self, mut row: LogRow) -> Seq {
        let seq = self.head.seq.next();
        row.seq = seq.0;
        row.received_at = Instant(self.at);
        row.hash = row.expected_hash(&self.head.chain);
        self.head.chain.clone_from(&row.hash);
        self.head.seq = seq;
        self.entries.push(row);
        seq
    }

    /// As [`ended_epochs`](crate::log::ended_epochs), with those that ended in this transaction.
    pub fn ended_epochs(&mut self) -> Result<Vec<(Uuid, Seq)>, StoreError> {
        let mut ended = crate::log::ended_epochs(self)?;
        for row in self.entries.iter().filter(|row| row.kind == "epoch") {
            ended.push(crate::log::ended_by(row)?);
        }
        Ok(ended)
    }

    /// Notes that units or forms have changed: every process drops what it cached of them.
    pub fn touch_reference(&mut self) {
        self.head.reference_seq = self.head.seq;
    }

    /// Notes that users or grants have changed.
    pub fn touch_access(&mut self) {
        self.head.access_seq = self.head.seq;
    }

    /// Begins a new epoch, with an entry that says so.
    pub fn turn_over(&mut self, epoch: Uuid, lineage: String) {
        let command = serde_json::json!({"epoch": epoch, "previous": self.head.epoch, "lineage": lineage});
        self.begin_epoch(epoch, lineage);
        self.append(LogEntry::of_reference("epoch", epoch, "begun", &command));
    }

    /// Notes that a backup which holds everything up to an entry of this history is finished.
    pub fn note_durable(&mut self, seq: Seq, at: DateTime<Utc>) {
        self.head.durable = self.head.durable.max(seq);
        self.head.durable_at = Some(at);
    }

    /// Notes that tombstones up to an entry are gone.
    pub(crate) fn raise_floor(&mut self, seq: Seq) {
        self.head.floor = self.head.floor.max(seq);
    }

    /// Begins a new epoch at the present head: what comes now, the entry that says so included, is of another history.
    pub fn begin_epoch(&mut self, epoch: Uuid, lineage: String) {
        self.head.epoch = epoch;
        self.head.epoch_began = self.head.seq;
        self.head.lineage = lineage;
    }

    /// Whether anything was appended or moved.
    pub(crate) fn is_dirty(&self) -> bool {
        self.head != self.began
    }

    /// Whether keys are destroyed with the commit.
    pub(crate) fn destroys_keys(&self) -> bool {
        self.keyring.has_destroyed()
    }

    /// Writes the entries and the head, and commits.
    pub(crate) fn commit(mut self) -> Result<Head, StoreError> {
        let flushed = self.flush().and_then(|()| dialect::commit(self.conn));
        if flushed.is_err() {
            dialect::rollback(self.conn);
        }
        flushed.map(|()| self.head)
    }

    /// Undoes everything.
    pub(crate) fn rollback(self) {
        dialect::rollback(self.conn);
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        seal::flush(self.conn, &mut self.keyring)?;
        if !self.is_dirty() {
            return Ok(());
        }
        let entries = std::mem::take(&mut self.entries);
        entry::write(self.conn, &entries)?;
        write_head(self.conn, &self.head)
    }
}

/// A read transaction: everything that is read through it is of one moment.
pub struct Snapshot<'c> {
    conn: &'c mut Connection,
    keyring: Keyring,
}

impl Snapshot<'_> {
    /// The head as of this moment.
    pub fn head(&mut self) -> Result<Head, StoreError> {
        read_head(self.conn)
    }

    /// The same, and whether the database has been promoted since it was written, so that it is of another history by now.
    pub fn look(&mut self) -> Result<(Head, bool), StoreError> {
        look_at_head(self.conn)
    }
}

/// What reads may go through: a snapshot, or the write transaction that is under way.
pub trait Reading {
    /// The connection, and the keys that have been read through it, for the store's own functions.
    fn parts(&mut self) -> (&mut Connection, &mut Keyring);

    /// The connection alone.
    fn conn(&mut self) -> &mut Connection {
        self.parts().0
    }

    /// Whether somebody has been erased: whether their key has been destroyed. It must have been learnt.
    fn is_erased(&mut self, owner: seal::Owner) -> bool {
        self.parts().1.is_destroyed(owner)
    }

    /// The epoch, and the last change of units or forms, as seen from here.
    fn reference_as_of(&mut self) -> Result<(Uuid, Seq), StoreError> {
        Ok(read_head(self.conn())?.reference_as_of())
    }

    /// Whether the reference data that is read here is everybody's: not a change of this transaction's own, which may yet
    /// be undone.
    fn is_settled(&self) -> bool {
        true
    }
}

impl Reading for Snapshot<'_> {
    fn parts(&mut self) -> (&mut Connection, &mut Keyring) {
        (self.conn, &mut self.keyring)
    }
}

impl Reading for Tx<'_> {
    fn parts(&mut self) -> (&mut Connection, &mut Keyring) {
        (self.conn, &mut self.keyring)
    }

    fn reference_as_of(&mut self) -> Result<(Uuid, Seq), StoreError> {
        Ok(self.head.reference_as_of())
    }

    fn is_settled(&self) -> bool {
        self.head.reference_seq == self.began.reference_seq
    }
}

impl Database {
    /// Reads in one snapshot; on another connection if the first is broken, since reading again is harmless.
    pub fn read<T>(&self, mut f: impl FnMut(&mut Snapshot<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let vault = self.vault();
        self.on_reader(|conn| read_once(conn, vault.clone(), &mut f))
    }
}

fn read_once<T>(
    conn: &mut Connection,
    vault: Option<Arc<Vault>>,
    f: &mut impl FnMut(&mut Snapshot<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    dialect::begin_read(conn)?;
    let result = f(&mut Snapshot { conn, keyring: Keyring::new(vault) });
    match &result {
        Ok(_) => dialect::commit(conn)?,
        Err(_) => dialect::rollback(conn),
    }
    result
}
