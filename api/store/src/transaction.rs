//! The only place that begins, takes the feed head, stamps, chains, commits and rolls back.
//!
//! Every write transaction first takes the one row of `feed_head`, and gives it back with the commit: so whoever sees
//! seq n sees everything up to n, and nothing at or below n can appear later.

use crate::columns::{Id, Instant, sql};
use crate::connection::{Connection, Database};
use crate::dialect::{self, TIMELINE};
use crate::error::StoreError;
use crate::schema::feed_head;
use crate::seal::{self, Keyring};
use crate::vault::Vault;
use chrono::{DateTime, Utc};
use diesel::dsl;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use muong_domain::id::{DeviceId, GrantId, Seq, UserId};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use uuid::Uuid;

/// The head of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which history this is.
    pub epoch: Uuid,
    /// The seq at which it began.
    pub epoch_began: Seq,
    /// What the epoch was derived with.
    pub lineage: String,
    /// The last entry.
    pub seq: Seq,
    /// Below it, tombstones are gone.
    pub floor: Seq,
    /// The hash of the last entry.
    pub chain: Vec<u8>,
    /// The last change of units or forms.
    pub reference_seq: Seq,
    /// The last change of users or grants.
    pub access_seq: Seq,
    /// Up to where the last finished backup reaches.
    pub durable: Seq,
    /// When that was finished.
    pub durable_at: Option<DateTime<Utc>>,
}

impl Head {
    /// The epoch, and the last change of units or forms in it.
    pub fn reference_as_of(&self) -> (Uuid, Seq) {
        (self.epoch, self.reference_seq)
    }

    /// The epoch, and the last change of users, devices, sessions or grants in it.
    pub fn access_as_of(&self) -> (Uuid, Seq) {
        (self.epoch, self.access_seq)
    }
}

/// What is written into the log about one change.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Who; none for the system itself.
    pub actor: Option<UserId>,
    /// From which device.
    pub device: Option<DeviceId>,
    /// By which grant it was allowed.
    pub grant: Option<GrantId>,
    /// What kind of change (`submission`, `resolve`, `unit` …).
    pub kind: &'static str,
    /// Which one.
    pub reference: Uuid,
    /// How it ended.
    pub outcome: String,
    /// SHA-256 of what was said.
    pub content_hash: [u8; 32],
    /// The change itself, when no other table keeps it; never a personal value.
    pub command: Option<String>,
}

impl LogEntry {
    /// An entry about reference data (a user, a grant, a unit, a form), whose command says everything that happened.
    pub fn of_reference(kind: &'static str, reference: Uuid, outcome: &str, command: &serde_json::Value) -> Self {
        let command = muong_domain::json::canonical(command);
        Self {
            actor: None,
            device: None,
            grant: None,
            kind,
            reference,
            outcome: outcome.to_owned(),
            content_hash: Sha256::digest(&command).into(),
            command: Some(String::from_utf8(command).expect("JSON is UTF-8")),
        }
    }

    /// Names who did it, and by which grant.
    #[must_use]
    pub fn by(mut self, authority: &muong_domain::access::Authority) -> Self {
        self.actor = authority.user();
        self.grant = authority.grant().map(|grant| grant.id());
        self
    }
}

/// An entry as it stands in the log.
#[derive(Clone, Debug, Queryable)]
pub(crate) struct LogRow {
    pub seq: i64,
    pub received_at: Instant,
    pub actor: Option<Id>,
    pub device_id: Option<Id>,
    pub grant_id: Option<Id>,
    pub kind: String,
    pub reference: Id,
    pub outcome: String,
    pub content_hash: Vec<u8>,
    pub command: Option<String>,
    pub hash: Vec<u8>,
}

insert_rows!(LogRow => "log" {
    seq: i64, BigInt, "bigint";
    received_at: Instant, sql::Instant, "timestamptz";
    actor: Option<Id>, Nullable<sql::Id>, "uuid";
    device_id: Option<Id>, Nullable<sql::Id>, "uuid";
    grant_id: Option<Id>, Nullable<sql::Id>, "uuid";
    kind: String, Text, "text";
    reference: Id, sql::Id, "uuid" as "ref";
    outcome: String, Text, "text";
    content_hash: Vec<u8>, Binary, "bytea";
    command: Option<String>, Nullable<Text>, "text";
    hash: Vec<u8>, Binary, "bytea";
} "");

fn hash_optional(hash: &mut Sha256, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else { return hash.update([0]) };
    hash.update([1]);
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

impl LogRow {
    /// The hash that this row must have when `previous` is the hash of the row before it: SHA-256 over that and the
    /// columns in their order. What may be missing or long says so first (0 or 1, and the length), so no two rows give the
    /// same bytes; numbers stand in eight bytes, the first the greatest.
    pub fn expected_hash(&self, previous: &[u8]) -> Vec<u8> {
        let mut hash = Sha256::new().chain_update(previous);
        hash.update(self.seq.to_be_bytes());
        hash.update(self.received_at.0.timestamp_micros().to_be_bytes());
        for id in [self.actor, self.device_id, self.grant_id] {
            hash_optional(&mut hash, id.as_ref().map(|id| id.0.as_bytes().as_slice()));
        }
        hash_optional(&mut hash, Some(self.kind.as_bytes()));
        hash_optional(&mut hash, Some(self.reference.0.as_bytes()));
        hash_optional(&mut hash, Some(self.outcome.as_bytes()));
        hash_optional(&mut hash, Some(&self.content_hash));
        hash_optional(&mut hash, self.command.as_deref().map(str::as_bytes));
        hash.finalize().to_vec()
    }
}

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
        insert_rows(self.conn, &entries)?;
        write_head(self.conn, &self.head)
    }
}

/// A head, and where the database's history is another one, its lineage.
type Locked = (Head, Option<String>);

type HeadRow = (Id, i64, String, i64, i64, Vec<u8>, i64, i64, i64, Option<Instant>);

fn head_columns() -> (
    feed_head::epoch,
    feed_head::epoch_began,
    feed_head::lineage,
    feed_head::seq,
    feed_head::floor,
    feed_head::chain_head,
    feed_head::reference_seq,
    feed_head::access_seq,
    feed_head::durable,
    feed_head::durable_at,
) {
    (
        feed_head::epoch,
        feed_head::epoch_began,
        feed_head::lineage,
        feed_head::seq,
        feed_head::floor,
        feed_head::chain_head,
        feed_head::reference_seq,
        feed_head::access_seq,
        feed_head::durable,
        feed_head::durable_at,
    )
}

fn head_of(row: HeadRow) -> Head {
    let (epoch, epoch_began, lineage, seq, floor, chain, reference_seq, access_seq, durable, durable_at) = row;
    Head {
        epoch: epoch.0,
        epoch_began: Seq(epoch_began),
        lineage,
        seq: Seq(seq),
        floor: Seq(floor),
        chain,
        reference_seq: Seq(reference_seq),
        access_seq: Seq(access_seq),
        durable: Seq(durable),
        durable_at: durable_at.map(|at| at.0),
    }
}

/// `BEGIN IMMEDIATE` has taken SQLite's one write lock already; PostgreSQL waits on the row.
fn lock_head(conn: &mut Connection) -> Result<Locked, StoreError> {
    let (row, timeline): (HeadRow, Option<i64>) = match conn {
        Connection::Sqlite(c) => (feed_head::table.select(head_columns()).first(c)?, None),
        Connection::Postgres(c) => {
            feed_head::table.select((head_columns(), dsl::sql::<Nullable<BigInt>>(TIMELINE))).for_update().first(c)?
        }
    };
    Ok(beside_timeline(head_of(row), timeline))
}

/// The lineage, when the timeline is another one than that of the head.
fn beside_timeline(head: Head, timeline: Option<i64>) -> Locked {
    let system = head.lineage.split_once('/').map(|(system, _)| system.to_owned());
    let lineage = system.zip(timeline).map(|(system, timeline)| format!("{system}/{timeline}"));
    let other = lineage.filter(|lineage| *lineage != head.lineage);
    (head, other)
}

/// The head, and whether the database's history is another one by now; without a lock.
pub(crate) fn look_at_head(conn: &mut Connection) -> Result<(Head, bool), StoreError> {
    let (row, timeline): (HeadRow, Option<i64>) = match conn {
        Connection::Sqlite(c) => (feed_head::table.select(head_columns()).first(c)?, None),
        Connection::Postgres(c) => {
            feed_head::table.select((head_columns(), dsl::sql::<Nullable<BigInt>>(TIMELINE))).first(c)?
        }
    };
    let (head, other) = beside_timeline(head_of(row), timeline);
    Ok((head, other.is_some()))
}

fn write_head(conn: &mut Connection, head: &Head) -> Result<(), StoreError> {
    on_backend!(conn, c => diesel::update(feed_head::table)
        .set((
            feed_head::epoch.eq(Id(head.epoch)),
            feed_head::epoch_began.eq(head.epoch_began.0),
            feed_head::lineage.eq(&head.lineage),
            feed_head::seq.eq(head.seq.0),
            feed_head::floor.eq(head.floor.0),
            feed_head::chain_head.eq(&head.chain),
            feed_head::reference_seq.eq(head.reference_seq.0),
            feed_head::access_seq.eq(head.access_seq.0),
            feed_head::durable.eq(head.durable.0),
            feed_head::durable_at.eq(head.durable_at.map(Instant)),
        ))
        .execute(c))?;
    Ok(())
}

/// Makes the first head of an empty store, or a new epoch when the database's lineage is another one than the
/// stored (a promoted standby, a recovered backup). Answers whether it did.
pub fn establish_epoch(conn: &mut Connection, fresh: Uuid, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let lineage = dialect::lineage(conn)?;
    let empty: i64 = on_backend!(conn, c => feed_head::table.count().get_result(c))?;
    if empty == 0 {
        on_backend!(conn, c => diesel::insert_into(feed_head::table)
            .values((
                feed_head::id.eq(1),
                feed_head::epoch.eq(Id(fresh)),
                feed_head::epoch_began.eq(0_i64),
                feed_head::lineage.eq(&lineage),
                feed_head::seq.eq(0_i64),
                feed_head::floor.eq(0_i64),
                feed_head::chain_head.eq(vec![0_u8; 32]),
                feed_head::reference_seq.eq(0_i64),
                feed_head::access_seq.eq(0_i64),
            ))
            .on_conflict_do_nothing()
            .execute(c))?;
        return Ok(true);
    }
    let mut tx = Tx::begin(conn, None, || now)?;
    let changed = tx.head.lineage != lineage;
    if changed {
        tx.turn_over(fresh, lineage);
    }
    tx.commit()?;
    Ok(changed)
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

pub(crate) fn read_head(conn: &mut Connection) -> Result<Head, StoreError> {
    let row: HeadRow = on_backend!(conn, c => feed_head::table.select(head_columns()).first(c))?;
    Ok(head_of(row))
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
