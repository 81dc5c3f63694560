//! What phones said, whole and for ever, and how it was answered.

use crate::columns::{Id, Instant};
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::schema::{quarantine, submissions};
use crate::seal::{self, Keyring, Owner, owner_of};
use crate::transaction::{Reading, Tx};
use crate::vault::Place;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use muong_domain::id::{DeviceId, RecordId, Seq, SubmissionId, UnitId, UserId};

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

/// What was said, and what was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// The bytes as they came.
    pub body: Vec<u8>,
    /// The answer, as JSON.
    pub result: Vec<u8>,
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = submissions, treat_none_as_default_value = false)]
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
            told: body.zip(result).map(|(body, result)| Told { body, result }),
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
            .filter(submissions::id.eq_any(ids))
            .select(Row::as_select())
            .load(c))?;
        found.extend(open(read, rows)?);
    }
    Ok(found)
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

/// Which submissions of a device have one of these numbers.
pub fn by_numbers(
    read: &mut impl Reading,
    device: DeviceId,
    ns: &[i64],
) -> Result<Vec<(i64, SubmissionId)>, StoreError> {
    let mut found = Vec::new();
    for chunk in ns.chunks(BIND_CHUNK) {
        let rows: Vec<(Option<i64>, Id)> = on_backend!(read.conn(), c => submissions::table
            .filter(submissions::device_id.eq(Id::from(device)))
            .filter(submissions::n.eq_any(chunk.iter().copied().map(Some)))
            .select((submissions::n, submissions::id))
            .load(c))?;
        found.extend(rows.into_iter().filter_map(|(n, id)| Some((n?, SubmissionId::new(id.0)))));
    }
    Ok(found)
}

/// Records what was received.
pub fn insert(tx: &mut Tx<'_>, received: Vec<StoredSubmission>) -> Result<(), StoreError> {
    let rows = received.into_iter().map(|s| Row::seal(tx, s)).collect::<Result<Vec<_>, _>>()?;
    for chunk in rows.chunks(BIND_CHUNK) {
        on_backend!(tx.conn(), c => diesel::insert_into(submissions::table).values(chunk).execute(c))?;
    }
    Ok(())
}

/// How these submissions were answered, as JSON; left out are those about whom has been erased.
pub fn results(read: &mut impl Reading, ids: &[SubmissionId]) -> Result<Vec<(SubmissionId, Vec<u8>)>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        let rows: Vec<(Id, i64, Option<Id>, Vec<u8>)> = on_backend!(read.conn(), c => submissions::table
            .filter(submissions::id.eq_any(ids))
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

/// The submissions that have become part of a record, in order of receipt after `after`; `ids` are the record's own and
/// its aliases. What waits in quarantine is no part of it, whatever record it names; what was released from there is.
pub fn of_record(
    read: &mut impl Reading,
    ids: &[RecordId],
    unit: UnitId,
    after: Seq,
    limit: i64,
) -> Result<Vec<StoredSubmission>, StoreError> {
    let ids: Vec<Option<Id>> = ids.iter().map(|id| Some(Id::from(*id))).collect();
    let rows: Vec<Row> = on_backend!(read.conn(), c => submissions::table
        .left_join(quarantine::table.on(quarantine::submission_id.eq(submissions::id)))
        .filter(submissions::record_id.eq_any(ids))
        .filter(submissions::unit_id.eq(Some(Id::from(unit))))
        .filter(quarantine::id.nullable().is_null().or(quarantine::closing.eq(Some("released"))))
        .filter(submissions::seq.gt(after.0))
        .order(submissions::seq)
        .limit(limit)
        .select(Row::as_select())
        .load(c))?;
    open(read, rows)
}
