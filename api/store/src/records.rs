//! The merged current state: records, their other ids, and values that must be unique among people.

use crate::columns::{Id, Json};
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::schema::{personal_keys, record_aliases, records, unit_closure};
use crate::scope::Scope;
use crate::transaction::{Reading, Tx};
use chrono::NaiveDate;
use diesel::dsl::{exists, not, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::upsert::excluded;
use muong_domain::access::Grant;
use muong_domain::id::{RecordId, Seq, UnitId};
use muong_domain::record::Record;

/// A record with the columns that are derived from it.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredRecord {
    /// The merged state.
    pub record: Record,
    /// The person it is about.
    pub subject: Option<RecordId>,
    /// Whether it stands (or has been withdrawn).
    pub live: bool,
    /// The day it is about.
    pub occurred_on: Option<NaiveDate>,
    /// Its natural key.
    pub natural_key: Option<String>,
}

/// A record to be written, with the grant that allows it and its state as two texts.
#[derive(Clone, Debug)]
pub struct RecordChange {
    /// Who may.
    pub grant: Grant,
    /// What.
    pub stored: StoredRecord,
    /// The open part of the state.
    pub open: String,
    /// The personal part.
    pub personal: Option<String>,
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = records, treat_none_as_default_value = false)]
struct Row {
    id: Id,
    form: String,
    unit_id: Id,
    subject: Option<Id>,
    version: i64,
    created_seq: i64,
    state: String,
    disputed: bool,
    occurred_on: Option<NaiveDate>,
    natural_key: Option<String>,
    cells: Json,
    personal: Option<Vec<u8>>,
}

impl TryFrom<Row> for StoredRecord {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let mut record =
            Record::new(RecordId::new(row.id.0), &row.form, UnitId::new(row.unit_id.0), Seq(row.created_seq));
        record.version = Seq(row.version);
        let personal = row.personal.map(String::from_utf8).transpose();
        let personal = personal.map_err(|error| StoreError::corrupt("a record's personal part", error))?;
        (record.restore(&row.cells.0, personal.as_deref()))
            .map_err(|error| StoreError::corrupt("a record's state", error))?;
        Ok(Self {
            record,
            subject: row.subject.map(|id| RecordId::new(id.0)),
            live: row.state == "live",
            occurred_on: row.occurred_on,
            natural_key: row.natural_key,
        })
    }
}

impl From<RecordChange> for Row {
    fn from(change: RecordChange) -> Self {
        let StoredRecord { record, subject, live, occurred_on, natural_key } = change.stored;
        Self {
            id: record.id.into(),
            unit_id: record.unit.into(),
            subject: subject.map(Id::from),
            version: record.version.0,
            created_seq: record.created.0,
            state: if live { "live" } else { "deleted" }.to_owned(),
            disputed: !record.open_conflicts().is_empty(),
            form: record.form,
            occurred_on,
            natural_key,
            cells: Json(change.open),
            personal: change.personal.map(String::into_bytes),
        }
    }
}

fn domain(rows: Vec<Row>) -> Result<Vec<StoredRecord>, StoreError> {
    rows.into_iter().map(StoredRecord::try_from).collect()
}

/// Records by id.
pub fn by_ids(read: &mut impl Reading, ids: &[RecordId]) -> Result<Vec<StoredRecord>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        let rows: Vec<Row> = on_backend!(read.conn(), c => records::table
            .filter(records::id.eq_any(ids))
            .select(Row::as_select())
            .load(c))?;
        found.extend(domain(rows)?);
    }
    Ok(found)
}

/// Records of a form by natural key.
pub fn by_keys(read: &mut impl Reading, form: &str, keys: &[String]) -> Result<Vec<StoredRecord>, StoreError> {
    let mut found = Vec::new();
    for chunk in keys.chunks(BIND_CHUNK) {
        let rows: Vec<Row> = on_backend!(read.conn(), c => records::table
            .filter(records::form.eq(form))
            .filter(records::natural_key.eq_any(chunk.iter().map(|key| Some(key.as_str()))))
            .select(Row::as_select())
            .load(c))?;
        found.extend(domain(rows)?);
    }
    Ok(found)
}

/// All records of a form about these people, in order of id.
pub fn about(read: &mut impl Reading, form: &str, people: &[RecordId]) -> Result<Vec<StoredRecord>, StoreError> {
    let mut found = Vec::new();
    for chunk in people.chunks(BIND_CHUNK) {
        let ids: Vec<Option<Id>> = chunk.iter().map(|id| Some(Id::from(*id))).collect();
        let rows: Vec<Row> = on_backend!(read.conn(), c => records::table
            .filter(records::subject.eq_any(ids))
            .filter(records::form.eq(form))
            .select(Row::as_select())
            .load(c))?;
        found.extend(domain(rows)?);
    }
    // Not by the database: asked for an order by id, SQLite would read all records of the form, in that order.
    found.sort_unstable_by_key(|stored| stored.record.id);
    Ok(found)
}

/// What these ids stand for, each in the unit that it was used in.
pub fn aliases(read: &mut impl Reading, ids: &[RecordId]) -> Result<Vec<(RecordId, UnitId, RecordId)>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        let rows: Vec<(Id, Id, Id)> = on_backend!(read.conn(), c => record_aliases::table
            .filter(record_aliases::alias.eq_any(ids))
            .select((record_aliases::alias, record_aliases::unit_id, record_aliases::record_id))
            .load(c))?;
        found.extend(rows.into_iter().map(|(a, u, r)| (RecordId::new(a.0), UnitId::new(u.0), RecordId::new(r.0))));
    }
    Ok(found)
}

/// The other ids of a record.
pub fn aliases_of(read: &mut impl Reading, record: RecordId) -> Result<Vec<RecordId>, StoreError> {
    let rows: Vec<Id> = on_backend!(read.conn(), c => record_aliases::table
        .filter(record_aliases::record_id.eq(Id::from(record)))
        .order(record_aliases::alias)
        .select(record_aliases::alias)
        .load(c))?;
    Ok(rows.into_iter().map(|id| RecordId::new(id.0)).collect())
}

#[derive(Insertable)]
#[diesel(table_name = record_aliases, treat_none_as_default_value = false)]
struct AliasRow {
    alias: Id,
    unit_id: Id,
    record_id: Id,
    seq: i64,
}

/// Notes other ids of records.
pub fn insert_aliases(tx: &mut Tx<'_>, aliases: &[(RecordId, UnitId, RecordId, Seq)]) -> Result<(), StoreError> {
    let rows: Vec<AliasRow> = (aliases.iter())
        .map(|(alias, unit, record, seq)| AliasRow {
            alias: (*alias).into(),
            unit_id: (*unit).into(),
            record_id: (*record).into(),
            seq: seq.0,
        })
        .collect();
    for chunk in rows.chunks(BIND_CHUNK) {
        on_backend!(tx.conn(), c => diesel::insert_into(record_aliases::table).values(chunk).execute(c))?;
    }
    Ok(())
}

/// Writes records, new and changed. All of those in `rekeyed`, which are among them, let go of their natural key before any
/// takes one: in one batch a key may go from one record to another.
pub fn save(tx: &mut Tx<'_>, rekeyed: &[RecordId], changes: Vec<RecordChange>) -> Result<(), StoreError> {
    for chunk in rekeyed.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        on_backend!(tx.conn(), c => diesel::update(records::table.filter(records::id.eq_any(ids)))
            .set(records::natural_key.eq(None::<String>))
            .execute(c))?;
    }
    let rows: Vec<Row> = changes.into_iter().map(Row::from).collect();
    for chunk in rows.chunks(BIND_CHUNK) {
        save_chunk(tx, chunk)?;
    }
    Ok(())
}

/// One text for both databases; SQLite takes it row by row (its driver has no prepared multi-row upsert).
fn save_chunk(tx: &mut Tx<'_>, rows: &[Row]) -> Result<(), StoreError> {
    macro_rules! upsert {
        ($values:expr, $c:expr) => {
            diesel::insert_into(records::table)
                .values($values)
                .on_conflict(records::id)
                .do_update()
                .set((
                    records::subject.eq(excluded(records::subject)),
                    records::version.eq(excluded(records::version)),
                    records::state.eq(excluded(records::state)),
                    records::disputed.eq(excluded(records::disputed)),
                    records::occurred_on.eq(excluded(records::occurred_on)),
                    records::natural_key.eq(excluded(records::natural_key)),
                    records::cells.eq(excluded(records::cells)),
                    records::personal.eq(excluded(records::personal)),
                ))
                .execute($c)
        };
    }
    match tx.conn() {
        crate::Connection::Sqlite(c) => {
            for row in rows {
                upsert!(row, &mut *c)?;
            }
        }
        crate::Connection::Postgres(c) => {
            upsert!(rows, c)?;
        }
    }
    Ok(())
}

/// Who holds these values.
pub fn holders(
    read: &mut impl Reading,
    kind: &str,
    digests: &[Vec<u8>],
) -> Result<Vec<(Vec<u8>, RecordId)>, StoreError> {
    let mut found = Vec::new();
    for chunk in digests.chunks(BIND_CHUNK) {
        let rows: Vec<(Vec<u8>, Id)> = on_backend!(read.conn(), c => personal_keys::table
            .filter(personal_keys::kind.eq(kind))
            .filter(personal_keys::digest.eq_any(chunk))
            .select((personal_keys::digest, personal_keys::record_id))
            .load(c))?;
        found.extend(rows.into_iter().map(|(digest, id)| (digest, RecordId::new(id.0))));
    }
    Ok(found)
}

/// Lets a record hold one value of this kind, or none.
pub fn hold(
    tx: &mut Tx<'_>,
    _grant: &Grant,
    kind: &str,
    record: RecordId,
    digest: Option<&[u8]>,
) -> Result<(), StoreError> {
    let id = Id::from(record);
    on_backend!(tx.conn(), c => diesel::delete(personal_keys::table)
        .filter(personal_keys::record_id.eq(id))
        .filter(personal_keys::kind.eq(kind))
        .execute(c))?;
    if let Some(digest) = digest {
        on_backend!(tx.conn(), c => diesel::insert_into(personal_keys::table)
            .values((personal_keys::kind.eq(kind), personal_keys::digest.eq(digest), personal_keys::record_id.eq(id)))
            .execute(c))?;
    }
    Ok(())
}

/// The other ids of these records, as (record, alias).
pub fn aliases_of_all(read: &mut impl Reading, records: &[RecordId]) -> Result<Vec<(RecordId, RecordId)>, StoreError> {
    let mut found = Vec::new();
    for chunk in records.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        let rows: Vec<(Id, Id)> = on_backend!(read.conn(), c => record_aliases::table
            .filter(record_aliases::record_id.eq_any(ids))
            .order((record_aliases::record_id, record_aliases::alias))
            .select((record_aliases::record_id, record_aliases::alias))
            .load(c))?;
        found.extend(rows.into_iter().map(|(record, alias)| (RecordId::new(record.0), RecordId::new(alias.0))));
    }
    Ok(found)
}

/// What a list of records of one form is to hold.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// Where it may look.
    pub scope: Scope,
    /// The form.
    pub form: String,
    /// Only about this person.
    pub subject: Option<RecordId>,
    /// Only live ones, or only withdrawn ones.
    pub live: Option<bool>,
    /// Only those with open conflicts, or without.
    pub disputed: Option<bool>,
    /// On or after this day.
    pub from: Option<NaiveDate>,
    /// On or before this day.
    pub to: Option<NaiveDate>,
    /// After this id.
    pub after: Option<RecordId>,
}

/// Appended to a column, it keeps a database from the indexes that begin with it. SQLite, which keeps no statistics, takes
/// every equality for as good as any other and would walk all records of a form to find the few of one unit (37 ms of
/// 30,691 meetings; from the unit it is 0.03 ms); PostgreSQL falls into the same after many changes without a vacuum.
const NOT_BY_INDEX: &str = "";

/// The first `limit` ids in order of id.
pub fn list(read: &mut impl Reading, filter: &RecordFilter, limit: i64) -> Result<Vec<RecordId>, StoreError> {
    let tops: Vec<Id> = filter.scope.tops.iter().copied().map(Id::from).collect();
    let ids: Vec<Id> = on_backend!(read.conn(), c => {
        let mut query = records::table.into_boxed();
        query = if filter.scope.narrow {
            query.filter(records::form.concat(NOT_BY_INDEX).eq(&filter.form))
                .filter(records::unit_id.eq_any(unit_closure::table
                    .filter(unit_closure::ancestor_id.eq_any(tops))
                    .select(unit_closure::descendant_id)))
        } else {
            query.filter(records::form.eq(&filter.form))
                .filter(exists(unit_closure::table
                    .filter(unit_closure::descendant_id.eq(records::unit_id))
                    .filter(unit_closure::ancestor_id.eq_any(tops))))
        };
        if let Some(subject) = filter.subject {
            query = query.filter(records::subject.eq(Some(Id::from(subject))));
        }
        // Written out, not bound: only so do the partial indexes of what is withdrawn and of what is disputed serve.
        match filter.live {
            Some(true) => query = query.filter(records::state.eq("live")),
            Some(false) => query = query.filter(sql::<Bool>("records.state = 'deleted'")),
            None => {}
        }
        match filter.disputed {
            Some(true) => query = query.filter(records::disputed),
            Some(false) => query = query.filter(not(records::disputed)),
            None => {}
        }
        if let Some(from) = filter.from {
            query = query.filter(records::occurred_on.ge(Some(from)));
        }
        if let Some(to) = filter.to {
            query = query.filter(records::occurred_on.le(Some(to)));
        }
        if let Some(after) = filter.after {
            query = query.filter(records::id.gt(Id::from(after)));
        }
        query.order(records::id).limit(limit).select(records::id).load(c)
    })?;
    Ok(ids.into_iter().map(|id| RecordId::new(id.0)).collect())
}

/// All records of a form below one unit. Only for a form of which the unit has few: the people of a branch.
pub fn below(read: &mut impl Reading, form: &str, unit: UnitId) -> Result<Vec<StoredRecord>, StoreError> {
    let rows: Vec<Row> = on_backend!(read.conn(), c => records::table
        .filter(records::unit_id.eq_any(unit_closure::table
            .filter(unit_closure::ancestor_id.eq(Id::from(unit)))
            .select(unit_closure::descendant_id)))
        .filter(records::form.concat(NOT_BY_INDEX).eq(form))
        .order(records::id)
        .select(Row::as_select())
        .load(c))?;
    domain(rows)
}
