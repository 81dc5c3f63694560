//! Open and closed questions. Their candidates stand in the record.

use crate::among::among;
use crate::columns::Id;
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::feed::{self, FeedRow};
use crate::schema::{conflicts, unit_closure};
use crate::scope::Scope;
use crate::transaction::{Reading, Tx};
use crate::{names, submissions};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::upsert::excluded;
use muong_domain::id::{ConflictId, RecordId, Seq, UnitId, UserId};
use muong_domain::record::Path;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A question about one path of one record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredConflict {
    /// UUIDv5 of record, path and round.
    pub id: ConflictId,
    /// The record.
    pub record: RecordId,
    /// Its form.
    pub form: String,
    /// Its unit.
    pub unit: UnitId,
    /// The path.
    pub path: Path,
    /// The round.
    pub round: u32,
    /// Why it was asked.
    pub code: String,
    /// The names that differ.
    pub fields: Vec<String>,
    /// When it was opened.
    pub opened: Seq,
    /// When it was closed.
    pub closed: Option<Seq>,
    /// The decision that closed it; none when the candidates came to agree.
    pub decision: Option<Uuid>,
    /// The person it concerns.
    pub subject: Option<RecordId>,
}

/// A question as it stands in its row.
#[derive(Clone, Debug, Insertable, Queryable, Selectable, Serialize, Deserialize)]
#[diesel(table_name = conflicts, treat_none_as_default_value = false)]
pub(crate) struct Row {
    pub id: Id,
    pub record_id: Id,
    form: String,
    unit_id: Id,
    path: String,
    round: i32,
    code: String,
    fields: String,
    opened_seq: i64,
    closed_seq: Option<i64>,
    decision: Option<Id>,
    subject: Option<Id>,
}

impl TryFrom<Row> for StoredConflict {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: ConflictId::new(row.id.0),
            record: RecordId::new(row.record_id.0),
            form: row.form,
            unit: UnitId::new(row.unit_id.0),
            path: Path::field(&row.path),
            round: u32::try_from(row.round).map_err(|error| StoreError::corrupt("a conflict's round", error))?,
            code: row.code,
            fields: serde_json::from_str(&row.fields).map_err(|e| StoreError::corrupt("a conflict's fields", e))?,
            opened: Seq(row.opened_seq),
            closed: row.closed_seq.map(Seq),
            decision: row.decision.map(|id| id.0),
            subject: row.subject.map(|id| RecordId::new(id.0)),
        })
    }
}

impl From<&StoredConflict> for Row {
    fn from(conflict: &StoredConflict) -> Self {
        Self {
            id: conflict.id.into(),
            record_id: conflict.record.into(),
            form: conflict.form.clone(),
            unit_id: conflict.unit.into(),
            path: conflict.path.as_str().to_owned(),
            round: i32::try_from(conflict.round).unwrap_or(i32::MAX),
            code: conflict.code.clone(),
            fields: serde_json::to_string(&conflict.fields).expect("names serialise"),
            opened_seq: conflict.opened.0,
            closed_seq: conflict.closed.map(|seq| seq.0),
            decision: conflict.decision.map(Id),
            subject: conflict.subject.map(Id::from),
        }
    }
}

/// Writes questions as they now stand.
pub fn save(tx: &mut Tx<'_>, changed: &[StoredConflict]) -> Result<(), StoreError> {
    put_back(tx, &changed.iter().map(Row::from).collect::<Vec<_>>())
}

/// Writes rows as they now stand.
pub(crate) fn put_back(tx: &mut Tx<'_>, rows: &[Row]) -> Result<(), StoreError> {
    for row in rows {
        on_backend!(tx.conn(), c => diesel::insert_into(conflicts::table)
            .values(row)
            .on_conflict(conflicts::id)
            .do_update()
            .set((
                conflicts::unit_id.eq(excluded(conflicts::unit_id)),
                conflicts::fields.eq(excluded(conflicts::fields)),
                conflicts::code.eq(excluded(conflicts::code)),
                conflicts::closed_seq.eq(excluded(conflicts::closed_seq)),
                conflicts::decision.eq(excluded(conflicts::decision)),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// Tells everybody who has said something of a record that a question about it was decided, by entry `v`.
pub fn tell_decided(tx: &mut Tx<'_>, conflict: ConflictId, record: RecordId, v: Seq) -> Result<(), StoreError> {
    let names = names::by_unit(tx, record)?;
    let authors = submissions::authors_of(tx, &names, v)?;
    let told = |author: UserId| FeedRow {
        id: conflict.uuid(),
        scope: UnitId::new(author.uuid()),
        kind: feed::CONFLICT.to_owned(),
        seq: v,
        present: true,
    };
    feed::stamp(tx, authors.into_iter().map(told).collect())
}

/// Questions by id.
pub fn by_ids(read: &mut impl Reading, ids: &[ConflictId]) -> Result<Vec<StoredConflict>, StoreError> {
    let mut found: Vec<Row> = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids = chunk.iter().copied().map(Id::from);
        found.extend(on_backend!(read.conn(), c => conflicts::table
            .filter(among(conflicts::id, ids))
            .select(Row::as_select())
            .load::<Row>(c))?);
    }
    found.into_iter().map(StoredConflict::try_from).collect()
}

/// One question.
pub fn find(read: &mut impl Reading, id: ConflictId) -> Result<Option<StoredConflict>, StoreError> {
    let row: Option<Row> = on_backend!(read.conn(), c => conflicts::table
        .filter(conflicts::id.eq(Id::from(id)))
        .select(Row::as_select())
        .first(c)
        .optional())?;
    row.map(StoredConflict::try_from).transpose()
}

/// The questions of these records, by path and round.
pub fn of_records(read: &mut impl Reading, ids: &[RecordId]) -> Result<Vec<StoredConflict>, StoreError> {
    rows(read, ids)?.into_iter().map(StoredConflict::try_from).collect()
}

/// The rows of the questions of these records, by path and round.
pub(crate) fn rows(read: &mut impl Reading, ids: &[RecordId]) -> Result<Vec<Row>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        found.extend(on_backend!(read.conn(), c => conflicts::table
            .filter(conflicts::record_id.eq_any(ids))
            .order((conflicts::record_id, conflicts::path, conflicts::round))
            .select(Row::as_select())
            .load::<Row>(c))?);
    }
    Ok(found)
}

/// What a list of questions is to hold.
#[derive(Clone, Debug, Default)]
pub struct ConflictFilter {
    /// Where it may look.
    pub scope: Scope,
    /// The forms that the reader may review there.
    pub forms: Vec<String>,
    /// Only of this record.
    pub record: Option<RecordId>,
    /// Open ones, or closed ones.
    pub open: bool,
    /// After this id.
    pub after: Option<ConflictId>,
}

/// A page of questions in order of id.
pub fn list(read: &mut impl Reading, filter: &ConflictFilter, limit: i64) -> Result<Vec<StoredConflict>, StoreError> {
    let tops: Vec<Id> = filter.scope.tops.iter().copied().map(Id::from).collect();
    let rows: Vec<Row> = on_backend!(read.conn(), c => {
        let mut query = conflicts::table.filter(conflicts::form.eq_any(&filter.forms)).into_boxed();
        query = if filter.scope.narrow {
            query.filter(conflicts::unit_id.eq_any(unit_closure::table
                .filter(unit_closure::ancestor_id.eq_any(tops))
                .select(unit_closure::descendant_id)))
        } else {
            query.filter(exists(unit_closure::table
                .filter(unit_closure::descendant_id.eq(conflicts::unit_id))
                .filter(unit_closure::ancestor_id.eq_any(tops))))
        };
        query = if filter.open {
            query.filter(conflicts::closed_seq.is_null())
        } else {
            query.filter(conflicts::closed_seq.is_not_null())
        };
        if let Some(record) = filter.record {
            query = query.filter(conflicts::record_id.eq(Id::from(record)));
        }
        if let Some(after) = filter.after {
            query = query.filter(conflicts::id.gt(Id::from(after)));
        }
        query.order(conflicts::id).limit(limit).select(Row::as_select()).load(c)
    })?;
    rows.into_iter().map(StoredConflict::try_from).collect()
}
