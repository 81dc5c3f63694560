//! What phones said, whole and for ever, and how it was answered.

use crate::among::among;
use crate::columns::{Id, Instant, sql};
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::schema::{quarantine, submissions};
use crate::seal::{self, Keyring, Owner, owner_of};
use crate::transaction::{Reading, Tx};
use crate::vault::Place;
use chrono::{DateTime, Utc};
use diesel::dsl;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text};
use diesel::sqlite::Sqlite;
use muong_domain::id::{DeviceId, RecordId, Seq, SubmissionId, UnitId, UserId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A received submission.
#[derive(Clone, Debug)]
pub struct StoredSubmission {
    /// Its id.
    pub id: SubmissionId,
    /// The entry that recorded it.
    pub seq: Seq,
    /// The device that pushed it.
    pub device: DeviceId,
    /// Its number there, when it could be read.
    pub n: Option<i64>,
    /// Who said it.
    pub author: UserId,
    /// The unit that it names, when that could be read and exists.
    pub unit: Option<UnitId>,
    /// The canonical record.
    pub record: Option<RecordId>,
    /// create, edit or delete.
    pub kind: Option<String>,
    /// The form.
    pub form: Option<String>,
    /// When it was said, by the phone's clock.
    pub captured_at: Option<DateTime<Utc>>,
    /// JSON: who pushed, for whom, which client, clock offset.
    pub origin: String,
    /// The hash of what it says, under the key of its owner.
    pub content_hash: Vec<u8>,
    /// How it was answered.
    pub status: String,
    /// The person it is about.
    pub subject: Option<RecordId>,
    /// Under whose key it is kept.
    pub owner: Owner,
    /// What was said and answered; none when whom it was about has been erased.
    pub told: Option<Told>,
}

/// A received submission without what it says, which may be long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    /// Its id.
    pub id: SubmissionId,
    /// The entry that recorded it.
    pub seq: Seq,
    /// The device that pushed it.
    pub device: DeviceId,
    /// Who said it.
    pub author: UserId,
    /// The unit that it names, when that could be read and exists.
    pub unit: Option<UnitId>,
    /// The canonical record.
    pub record: Option<RecordId>,
    /// When it was said, by the phone's clock.
    pub captured_at: Option<DateTime<Utc>>,
    /// The person it is about.
    pub subject: Option<RecordId>,
}

/// What was said, and what was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// The bytes as they came.
    pub body: Arc<[u8]>,
    /// The answer, as JSON.
    pub result: Vec<u8>,
}

#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = submissions)]
struct Row {
    id: Id,
    seq: i64,
    device_id: Id,
    n: Option<i64>,
    author: Id,
    unit_id: Option<Id>,
    record_id: Option<Id>,
    kind: Option<String>,
    form: Option<String>,
    captured_at: Option<Instant>,
    origin: String,
    content_hash: Vec<u8>,
    status: String,
    subject: Option<Id>,
    body: Vec<u8>,
    result: Vec<u8>,
}

insert_rows!(Row => "submissions" {
    id: Id, sql::Id, "uuid";
    seq: i64, BigInt, "bigint";
    device_id: Id, sql::Id, "uuid";
    n: Option<i64>, Nullable<BigInt>, "bigint";
    author: Id, sql::Id, "uuid";
    unit_id: Option<Id>, Nullable<sql::Id>, "uuid";
    record_id: Option<Id>, Nullable<sql::Id>, "uuid";
    kind: Option<String>, Nullable<Text>, "text";
    form: Option<String>, Nullable<Text>, "text";
    captured_at: Option<Instant>, Nullable<sql::Instant>, "timestamptz";
    origin: String, Text, "text";
    content_hash: Vec<u8>, Binary, "bytea";
    status: String, Text, "text";
    subject: Option<Id>, Nullable<sql::Id>, "uuid";
    body: Vec<u8>, Binary, "bytea";
    result: Vec<u8>, Binary, "bytea";
} "");

impl Row {
    fn body_place(id: Id, seq: i64) -> Place {
        Place { column: "submissions/body", row: id.0, version: seq }
    }

    fn result_place(id: Id, seq: i64) -> Place {
        Place { column: "submissions/result", row: id.0, version: seq }
    }

    fn owner(&self) -> Result<Owner, StoreError> {
        owner_of(&self.body, self.subject.map(|id| id.0), Some(self.id.0))
    }

    /// Its key must have been learnt.
    fn open(self, keyring: &Keyring) -> Result<StoredSubmission, StoreError> {
        let owner = self.owner()?;
        let body = keyring.open(owner, Self::body_place(self.id, self.seq), &self.body)?;
        let result = keyring.open(owner, Self::result_place(self.id, self.seq), &self.result)?;
        Ok(StoredSubmission {
            id: SubmissionId::new(self.id.0),
            seq: Seq(self.seq),
            device: DeviceId::new(self.device_id.0),
            n: self.n,
            author: UserId::new(self.author.0),
            unit: self.unit_id.map(|id| UnitId::new(id.0)),
            record: self.record_id.map(|id| RecordId::new(id.0)),
            kind: self.kind,
            form: self.form,
            captured_at: self.captured_at.map(|at| at.0),
            origin: self.origin,
            content_hash: self.content_hash,
            status: self.status,
            subject: self.subject.map(|id| RecordId::new(id.0)),
            owner,
            told: body.zip(result).map(|(body, result)| Told { body: body.into(), result }),
        })
    }

    fn seal(tx: &mut Tx<'_>, s: StoredSubmission) -> Result<Self, StoreError> {
        let told = s.told.ok_or(StoreError::Sealed("what was erased cannot be received"))?;
        let (id, seq) = (Id::from(s.id), s.seq.0);
        Ok(Self {
            id,
            seq,
            device_id: s.device.into(),
            n: s.n,
            author: s.author.into(),
            unit_id: s.unit.map(Id::from),
            record_id: s.record.map(Id::from),
            kind: s.kind,
            form: s.form,
            captured_at: s.captured_at.map(Instant),
            origin: s.origin,
            content_hash: s.content_hash,
            status: s.status,
            subject: s.subject.map(Id::from),
            body: seal::seal(tx, s.owner, Self::body_place(id, seq), &told.body)?,
            result: seal::seal(tx, s.owner, Self::result_place(id, seq), &told.result)?,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = submissions)]
struct ReceivedRow {
    id: Id,
    seq: i64,
    device_id: Id,
    author: Id,
    unit_id: Option<Id>,
    record_id: Option<Id>,
    captured_at: Option<Instant>,
    subject: Option<Id>,
}

impl From<ReceivedRow> for Received {
    fn from(row: ReceivedRow) -> Self {
        Self {
            id: SubmissionId::new(row.id.0),
            seq: Seq(row.seq),
            device: DeviceId::new(row.device_id.0),
            author: UserId::new(row.author.0),
            unit: row.unit_id.map(|id| UnitId::new(id.0)),
            record: row.record_id.map(|id| RecordId::new(id.0)),
            captured_at: row.captured_at.map(|at| at.0),
            subject: row.subject.map(|id| RecordId::new(id.0)),
        }
    }
}

fn open(read: &mut impl Reading, rows: Vec<Row>) -> Result<Vec<StoredSubmission>, StoreError> {
    let owners = rows.iter().map(Row::owner).collect::<Result<Vec<_>, _>>()?;
    seal::learn(read, owners)?;
    let (_, keyring) = read.parts();
    rows.into_iter().map(|row| row.open(keyring)).collect()
}

/// Those of these ids that have been received.
pub fn by_ids(read: &mut impl Reading, ids: &[SubmissionId]) -> Result<Vec<StoredSubmission>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        let rows: Vec<Row> = on_backend!(read.conn(), c => submissions::table
            .filter(among(submissions::id, ids))
            .select(Row::as_select())
            .load(c))?;
        found.extend(open(read, rows)?);
    }
    Ok(found)
}

/// A received submission with its sealed bytes, to be taken over as it stands into a store that is rebuilt from the log:
/// nobody can open it any more.
#[derive(Clone, Debug)]
pub struct SubmissionCopy(Row);

impl SubmissionCopy {
    /// The entry that recorded it.
    pub fn seq(&self) -> Seq {
        Seq(self.0.seq)
    }
}

/// These submissions as they stand.
pub fn copies(read: &mut impl Reading, ids: &[SubmissionId]) -> Result<Vec<SubmissionCopy>, StoreError> {
    let mut found: Vec<Row> = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        found.extend(on_backend!(read.conn(), c => submissions::table
            .filter(among(submissions::id, chunk.iter().copied().map(Id::from)))
            .select(Row::as_select())
            .load::<Row>(c))?);
    }
    Ok(found.into_iter().map(SubmissionCopy).collect())
}

/// Takes one over.
pub fn take_over(tx: &mut Tx<'_>, copy: &SubmissionCopy) -> Result<(), StoreError> {
    Ok(insert_rows(tx.conn(), std::slice::from_ref(&copy.0))?)
}

/// Those of these ids that have been received, without what they say.
pub fn received(read: &mut impl Reading, ids: &[SubmissionId]) -> Result<Vec<Received>, StoreError> {
    let mut found: Vec<ReceivedRow> = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        found.extend(on_backend!(read.conn(), c => submissions::table
            .filter(among(submissions::id, chunk.iter().copied().map(Id::from)))
            .select(ReceivedRow::as_select())
            .load::<ReceivedRow>(c))?);
    }
    Ok(found.into_iter().map(Received::from).collect())
}

/// What was said about these people, in whatever unit and form.
pub fn about(read: &mut impl Reading, people: &[RecordId]) -> Result<Vec<Received>, StoreError> {
    let mut found: Vec<ReceivedRow> = Vec::new();
    for chunk in people.chunks(BIND_CHUNK) {
        let ids: Vec<Option<Id>> = chunk.iter().map(|id| Some(Id::from(*id))).collect();
        found.extend(on_backend!(read.conn(), c => submissions::table
            .filter(among(submissions::subject, ids))
            .select(ReceivedRow::as_select())
            .load::<ReceivedRow>(c))?);
    }
    Ok(found.into_iter().map(Received::from).collect())
}

/// What named these ids as its record, in whatever unit.
pub fn naming(read: &mut impl Reading, records: &[RecordId]) -> Result<Vec<Received>, StoreError> {
    let mut found: Vec<ReceivedRow> = Vec::new();
    for chunk in records.chunks(BIND_CHUNK) {
        let ids: Vec<Option<Id>> = chunk.iter().map(|id| Some(Id::from(*id))).collect();
        found.extend(on_backend!(read.conn(), c => submissions::table
            .filter(among(submissions::record_id, ids))
            .select(ReceivedRow::as_select())
            .load::<ReceivedRow>(c))?);
    }
    Ok(found.into_iter().map(Received::from).collect())
}

/// All submissions after an entry, in order of receipt; for whoever walks the whole store.
pub(crate) fn page(read: &mut impl Reading, after: Seq, limit: i64) -> Result<Vec<StoredSubmission>, StoreError> {
    let rows: Vec<Row> = on_backend!(read.conn(), c => submissions::table
        .filter(submissions::seq.gt(after.0))
        .order(submissions::seq)
        .limit(limit)
        .select(Row::as_select())
        .load(c))?;
    open(read, rows)
}

/// Asks for numbers of devices.
struct Numbers {
    devices: Vec<Id>,
    numbers: Vec<i64>,
}

impl QueryId for Numbers {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Numbers {
    type SqlType = (sql::Id, BigInt, sql::Id);
}

/// Filled up to a power of two, as [`among`] does. A cross join, which SQLite does from left to right: of a list of pairs
/// (`IN (VALUES …)`) it looks up one, and for several reads the whole table.
impl QueryFragment<Sqlite> for Numbers {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("WITH t(device, n) AS (VALUES ");
        let last = self.numbers.len().saturating_sub(1);
        for index in 0..self.numbers.len().next_power_of_two() {
            out.push_sql(if index > 0 { ",(" } else { "(" });
            out.push_bind_param::<sql::Id, Id>(&self.devices[index.min(last)])?;
            out.push_sql(",");
            out.push_bind_param::<BigInt, i64>(&self.numbers[index.min(last)])?;
            out.push_sql(")");
        }
        out.push_sql(
            ") SELECT s.device_id, s.n, s.id FROM t CROSS JOIN submissions s ON s.device_id = t.device AND s.n = t.n",
        );
        Ok(())
    }
}

impl QueryFragment<Pg> for Numbers {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT s.device_id, s.n, s.id FROM unnest(");
        out.push_bind_param::<Array<sql::Id>, Vec<Id>>(&self.devices)?;
        out.push_sql("::uuid[], ");
        out.push_bind_param::<Array<BigInt>, Vec<i64>>(&self.numbers)?;
        out.push_sql("::bigint[]) AS t(device, n) JOIN submissions s ON s.device_id = t.device AND s.n = t.n");
        Ok(())
    }
}

impl RunQueryDsl<SqliteConnection> for Numbers {}
impl RunQueryDsl<PgConnection> for Numbers {}

/// A device, and its number of a submission.
pub type Number = (DeviceId, i64);

/// Which of these numbers of devices are taken, and by which submissions.
pub fn by_numbers(read: &mut impl Reading, numbers: &[Number]) -> Result<Vec<(Number, SubmissionId)>, StoreError> {
    let mut found = Vec::new();
    for chunk in numbers.chunks(BIND_CHUNK) {
        let (devices, numbers) = chunk.iter().map(|(device, n)| (Id::from(*device), *n)).unzip();
        let asked = Numbers { devices, numbers };
        let rows: Vec<(Id, i64, Id)> = on_backend!(read.conn(), c => asked.load(c))?;
        found.extend(rows.into_iter().map(|(device, n, id)| ((DeviceId::new(device.0), n), SubmissionId::new(id.0))));
    }
    Ok(found)
}

/// Records what was received.
pub fn insert(tx: &mut Tx<'_>, received: Vec<StoredSubmission>) -> Result<(), StoreError> {
    let rows = received.into_iter().map(|s| Row::seal(tx, s)).collect::<Result<Vec<_>, _>>()?;
    Ok(insert_rows(tx.conn(), &rows)?)
}

/// How these submissions were answered, as JSON; left out are those about whom has been erased.
pub fn results(read: &mut impl Reading, ids: &[SubmissionId]) -> Result<Vec<(SubmissionId, Vec<u8>)>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        let rows: Vec<(Id, i64, Option<Id>, Vec<u8>)> = on_backend!(read.conn(), c => submissions::table
            .filter(among(submissions::id, ids))
            .select((submissions::id, submissions::seq, submissions::subject, submissions::result))
            .load(c))?;
        let owner = |(id, _, subject, result): &(Id, i64, Option<Id>, Vec<u8>)| {
            owner_of(result, subject.map(|id| id.0), Some(id.0))
        };
        let owners = rows.iter().map(owner).collect::<Result<Vec<_>, _>>()?;
        seal::learn(read, owners.iter().copied())?;
        let (_, keyring) = read.parts();
        for ((id, seq, _, result), owner) in rows.into_iter().zip(owners) {
            let opened = keyring.open(owner, Row::result_place(id, seq), &result)?;
            found.extend(opened.map(|result| (SubmissionId::new(id.0), result)));
        }
    }
    Ok(found)
}

/// What is kept of a submission that may be long, in bytes. Neither database reads it to tell.
const BYTES: &str = "CAST(octet_length(submissions.body) + octet_length(submissions.result) \
     + coalesce(octet_length(quarantine.outcome), 0) AS BIGINT)";

/// The entries of the submissions that have become part of a record, in order of receipt after `after`, with how many bytes
/// there are of each; `names` are the ids by which it is and was known, by unit. What waits in quarantine is no part of it,
/// whatever record it names; what was released from there is.
pub fn of_record(
    read: &mut impl Reading,
    names: &BTreeMap<UnitId, BTreeSet<RecordId>>,
    after: Seq,
    limit: i64,
) -> Result<Vec<(Seq, usize)>, StoreError> {
    let mut found: Vec<(i64, i64)> = Vec::new();
    // Nearly always one unit: a record rarely moves.
    for (unit, ids) in names {
        found.extend(on_backend!(read.conn(), c => submissions::table
            .left_join(quarantine::table.on(quarantine::submission_id.eq(submissions::id)))
            .filter(submissions::record_id.eq_any(ids.iter().map(|id| Some(Id::from(*id)))))
            .filter(submissions::unit_id.eq(Some(Id::from(*unit))))
            .filter(quarantine::id.nullable().is_null().or(quarantine::closing.eq(Some("released"))))
            .filter(submissions::seq.gt(after.0))
            .order(submissions::seq)
            .limit(limit)
            .select((submissions::seq, dsl::sql::<BigInt>(BYTES)))
            .load::<(i64, i64)>(c))?);
    }
    found.sort_unstable();
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found.into_iter().map(|(seq, bytes)| (Seq(seq), usize::try_from(bytes).unwrap_or(usize::MAX))).collect())
}

/// The submissions that these entries recorded, in order.
pub fn at(read: &mut impl Reading, entries: &[Seq]) -> Result<Vec<StoredSubmission>, StoreError> {
    let mut found = Vec::new();
    for chunk in entries.chunks(BIND_CHUNK) {
        let rows: Vec<Row> = on_backend!(read.conn(), c => submissions::table
            .filter(among(submissions::seq, chunk.iter().map(|seq| seq.0)))
            .select(Row::as_select())
            .load(c))?;
        found.extend(open(read, rows)?);
    }
    found.sort_unstable_by_key(|submission: &StoredSubmission| submission.seq);
    Ok(found)
}

/// Who had said, before an entry, what has become part of a record; in order. `names` are as for [`of_record`], and what counts
/// is the same.
pub(crate) fn authors_of(
    read: &mut impl Reading,
    names: &BTreeMap<UnitId, BTreeSet<RecordId>>,
    before: Seq,
) -> Result<BTreeSet<UserId>, StoreError> {
    let mut found = BTreeSet::new();
    for (unit, ids) in names {
        let authors: Vec<Id> = on_backend!(read.conn(), c => submissions::table
            .left_join(quarantine::table.on(quarantine::submission_id.eq(submissions::id)))
            .filter(submissions::record_id.eq_any(ids.iter().map(|id| Some(Id::from(*id)))))
            .filter(submissions::unit_id.eq(Some(Id::from(*unit))))
            .filter(quarantine::id.nullable().is_null().or(quarantine::closing.eq(Some("released"))))
            .filter(submissions::seq.lt(before.0))
            .select(submissions::author)
            .distinct()
            .load(c))?;
        found.extend(authors.into_iter().map(|id| UserId::new(id.0)));
    }
    Ok(found)
}
