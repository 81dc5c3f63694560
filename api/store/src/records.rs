//! The merged current state: records, and values that must be unique among people.

use crate::among::among;
use crate::columns::{Id, Json, hex, sql};
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::feed::Before;
use crate::schema::{personal_keys, records, unit_closure};
use crate::scope::Scope;
use crate::seal::{self, Keyring, Owner};
use crate::transaction::{Reading, Tx};
use crate::vault::Place;
use chrono::NaiveDate;
use diesel::dsl::{self, exists, not};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Date, Nullable, Text};
use muong_domain::access::Grant;
use muong_domain::id::{RecordId, Seq, UnitId};
use muong_domain::record::Record;
use serde::{Deserialize, Serialize};

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

impl StoredRecord {
    /// How it stands in the feed, as it was read.
    pub fn fed(&self) -> Before {
        if self.live { Before::Present(self.record.version) } else { Before::Absent }
    }
}

/// A record without what it says: as much as decides who may see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outline {
    /// Its id.
    pub id: RecordId,
    /// Its form.
    pub form: String,
    /// Its unit.
    pub unit: UnitId,
    /// The person it is about.
    pub subject: Option<RecordId>,
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

/// A record as it stands in its row.
#[derive(Clone, Debug, Queryable, Selectable, Serialize, Deserialize)]
#[diesel(table_name = records)]
pub(crate) struct Row {
    pub id: Id,
    pub form: String,
    pub unit_id: Id,
    pub subject: Option<Id>,
    pub version: i64,
    pub created_seq: i64,
    pub state: String,
    disputed: bool,
    occurred_on: Option<NaiveDate>,
    pub natural_key: Option<String>,
    cells: Json,
    #[serde(with = "hex")]
    personal: Option<Vec<u8>>,
}

insert_rows!(Row => "records" {
    id: Id, sql::Id, "uuid";
    form: String, Text, "text";
    unit_id: Id, sql::Id, "uuid";
    subject: Option<Id>, Nullable<sql::Id>, "uuid";
    version: i64, BigInt, "bigint";
    created_seq: i64, BigInt, "bigint";
    state: String, Text, "text";
    disputed: bool, Bool, "boolean";
    occurred_on: Option<NaiveDate>, Nullable<Date>, "date";
    natural_key: Option<String>, Nullable<Text>, "text";
    cells: Json, Text, "text";
    personal: Option<Vec<u8>>, Nullable<Binary>, "bytea";
} "ON CONFLICT (id) DO UPDATE SET subject = excluded.subject, version = excluded.version, state = excluded.state, \
   disputed = excluded.disputed, occurred_on = excluded.occurred_on, natural_key = excluded.natural_key, \
   cells = excluded.cells, personal = excluded.personal");

impl Row {
    fn place(&self) -> Place {
        Place { column: "records/personal", row: self.id.0, version: self.version }
    }

    /// Whose the personal part is: the person it is about; of a record about nobody, its own.
    fn owner(&self) -> Owner {
        Owner::Person(RecordId::new(self.subject.unwrap_or(self.id).0))
    }

    /// The key must have been learnt.
    fn open(self, keyring: &Keyring) -> Result<StoredRecord, StoreError> {
        let personal = match &self.personal {
            Some(sealed) => keyring.open(self.owner(), self.place(), sealed)?,
            None => None,
        };
        let mut record =
            Record::new(RecordId::new(self.id.0), &self.form, UnitId::new(self.unit_id.0), Seq(self.created_seq));
        record.version = Seq(self.version);
        let personal = personal.map(String::from_utf8).transpose();
        let personal = personal.map_err(|error| StoreError::corrupt("a record's personal part", error))?;
        (record.restore(&self.cells.0, personal.as_deref()))
            .map_err(|error| StoreError::corrupt("a record's state", error))?;
        Ok(StoredRecord {
            record,
            subject: self.subject.map(|id| RecordId::new(id.0)),
            live: self.state == "live",
            occurred_on: self.occurred_on,
            natural_key: self.natural_key,
        })
    }

    fn seal(tx: &mut Tx<'_>, change: RecordChange) -> Result<Self, StoreError> {
        let StoredRecord { record, subject, live, occurred_on, natural_key } = change.stored;
        let mut row = Self {
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
            personal: None,
        };
        if let Some(personal) = change.personal {
            row.personal = Some(seal::seal(tx, row.owner(), row.place(), personal.as_bytes())?);
        }
        Ok(row)
    }
}

fn domain(read: &mut impl Reading, rows: Vec<Row>) -> Result<Vec<StoredRecord>, StoreError> {
    seal::learn(read, rows.iter().filter(|row| row.personal.is_some()).map(Row::owner))?;
    let (_, keyring) = read.parts();
    rows.into_iter().map(|row| row.open(keyring)).collect()
}

/// The rows of these records as they stand, in order of id.
pub(crate) fn rows(read: &mut impl Reading, ids: impl IntoIterator<Item = RecordId>) -> Result<Vec<Row>, StoreError> {
    let ids: Vec<Id> = ids.into_iter().map(Id::from).collect();
    let mut found: Vec<Row> = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        found.extend(on_backend!(read.conn(), c => records::table
            .filter(among(records::id, chunk.iter().copied()))
            .select(Row::as_select())
            .load::<Row>(c))?);
    }
    found.sort_unstable_by_key(|row| row.id);
    Ok(found)
}

/// Which records are about these people, of whatever form.
pub fn ids_about(read: &mut impl Reading, people: &[RecordId]) -> Result<Vec<RecordId>, StoreError> {
    let mut found: Vec<Id> = Vec::new();
    for chunk in people.chunks(BIND_CHUNK) {
        let ids: Vec<Option<Id>> = chunk.iter().map(|id| Some(Id::from(*id))).collect();
        found.extend(on_backend!(read.conn(), c => records::table
            .filter(among(records::subject, ids))
            .select(records::id)
            .load::<Id>(c))?);
    }
    Ok(found.into_iter().map(|id| RecordId::new(id.0)).collect())
}

/// Puts rows back as they stood, also in which unit: what is saved otherwise stays where it is.
pub(crate) fn put_back(tx: &mut Tx<'_>, rows: &[Row]) -> Result<(), StoreError> {
    insert_rows(tx.conn(), rows)?;
    for row in rows {
        on_backend!(tx.conn(), c => diesel::update(records::table.find(row.id))
            .set(records::unit_id.eq(row.unit_id))
            .execute(c))?;
    }
    Ok(())
}

/// Records by id.
pub fn by_ids(read: &mut impl Reading, ids: &[RecordId]) -> Result<Vec<StoredRecord>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        let rows: Vec<Row> = on_backend!(read.conn(), c => records::table
            .filter(among(records::id, ids))
            .select(Row::as_select())
            .load(c))?;
        found.extend(domain(read, rows)?);
    }
    Ok(found)
}

/// Records by id, of which nothing is opened.
pub fn outlines(read: &mut impl Reading, ids: &[RecordId]) -> Result<Vec<Outline>, StoreError> {
    let mut found: Vec<(Id, String, Id, Option<Id>)> = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        found.extend(on_backend!(read.conn(), c => records::table
            .filter(among(records::id, chunk.iter().copied().map(Id::from)))
            .select((records::id, records::form, records::unit_id, records::subject))
            .load::<(Id, String, Id, Option<Id>)>(c))?);
    }
    let outline = |(id, form, unit, subject): (Id, String, Id, Option<Id>)| Outline {
        id: RecordId::new(id.0),
        form,
        unit: UnitId::new(unit.0),
        subject: subject.map(|id| RecordId::new(id.0)),
    };
    Ok(found.into_iter().map(outline).collect())
}

/// All that is kept of a record's state, in bytes. Neither database reads it to tell.
const BYTES: &str = "CAST(octet_length(records.cells) + coalesce(octet_length(records.personal), 0) AS BIGINT)";

fn sized(rows: Vec<(Id, i64)>) -> impl Iterator<Item = (RecordId, usize)> {
    rows.into_iter().map(|(id, bytes)| (RecordId::new(id.0), usize::try_from(bytes).unwrap_or(usize::MAX)))
}

/// How many bytes there are of these records, in order of id.
pub fn sizes(read: &mut impl Reading, ids: &[RecordId]) -> Result<Vec<(RecordId, usize)>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let rows: Vec<(Id, i64)> = on_backend!(read.conn(), c => records::table
            .filter(among(records::id, chunk.iter().copied().map(Id::from)))
            .select((records::id, dsl::sql::<BigInt>(BYTES)))
            .load(c))?;
        found.extend(sized(rows));
    }
    found.sort_unstable();
    Ok(found)
}

/// All records after an id, in order of id; for whoever walks the whole store.
pub(crate) fn page(read: &mut impl Reading, after: RecordId, limit: i64) -> Result<Vec<StoredRecord>, StoreError> {
    let rows: Vec<Row> = on_backend!(read.conn(), c => records::table
        .filter(records::id.gt(Id::from(after)))
        .order(records::id)
        .limit(limit)
        .select(Row::as_select())
        .load(c))?;
    domain(read, rows)
}

/// Records by natural key, which says the form as well.
pub fn by_keys(read: &mut impl Reading, keys: &[String]) -> Result<Vec<StoredRecord>, StoreError> {
    let mut found = Vec::new();
    for chunk in keys.chunks(BIND_CHUNK) {
        let rows: Vec<Row> = on_backend!(read.conn(), c => records::table
            .filter(among(records::natural_key, chunk.iter().map(|key| Some(key.as_str()))))
            .select(Row::as_select())
            .load(c))?;
        found.extend(domain(read, rows)?);
    }
    Ok(found)
}

/// All records of a form about these people, in order of id.
pub fn about(read: &mut impl Reading, form: &str, people: &[RecordId]) -> Result<Vec<StoredRecord>, StoreError> {
    let mut found = Vec::new();
    for chunk in people.chunks(BIND_CHUNK) {
        let ids: Vec<Option<Id>> = chunk.iter().map(|id| Some(Id::from(*id))).collect();
        let rows: Vec<Row> = on_backend!(read.conn(), c => records::table
            .filter(among(records::subject, ids))
            .filter(records::form.concat(NOT_BY_INDEX).eq(form))
            .select(Row::as_select())
            .load(c))?;
        found.extend(domain(read, rows)?);
    }
    // Not by the database: asked for an order by id, SQLite would read all records of the form, in that order.
    found.sort_unstable_by_key(|stored| stored.record.id);
    Ok(found)
}

/// Writes records, new and changed. All of those in `rekeyed`, which are among them, let go of their natural key before any
/// takes one: in one batch a key may go from one record to another.
pub fn save(tx: &mut Tx<'_>, rekeyed: &[RecordId], changes: Vec<RecordChange>) -> Result<(), StoreError> {
    for chunk in rekeyed.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        on_backend!(tx.conn(), c => diesel::update(records::table.filter(among(records::id, ids)))
            .set(records::natural_key.eq(None::<String>))
            .execute(c))?;
    }
    let rows = changes.into_iter().map(|change| Row::seal(tx, change)).collect::<Result<Vec<_>, _>>()?;
    Ok(insert_rows(tx.conn(), &rows)?)
}

/// What a value that must be unique is kept as: without the key nobody can test a guess.
fn index_digest(keyring: &Keyring, kind: &str, value: &str) -> Result<Vec<u8>, StoreError> {
    Ok(keyring.index()?.digest(format!("{kind}\0{value}").as_bytes()).to_vec())
}

/// Who holds these values, as (value, record).
pub fn holders(read: &mut impl Reading, kind: &str, values: &[String]) -> Result<Vec<(String, RecordId)>, StoreError> {
    let (conn, keyring) = read.parts();
    let mut found = Vec::new();
    for chunk in values.chunks(BIND_CHUNK) {
        let digests = chunk.iter().map(|value| index_digest(keyring, kind, value)).collect::<Result<Vec<_>, _>>()?;
        let rows: Vec<(Vec<u8>, Id)> = on_backend!(&mut *conn, c => personal_keys::table
            .filter(personal_keys::kind.eq(kind))
            .filter(personal_keys::digest.eq_any(&digests))
            .select((personal_keys::digest, personal_keys::record_id))
            .load(c))?;
        for (digest, id) in rows {
            let value = digests.iter().position(|known| *known == digest).and_then(|index| chunk.get(index));
            found.extend(value.map(|value| (value.clone(), RecordId::new(id.0))));
        }
    }
    Ok(found)
}

/// Lets records hold one value of this kind each, or none. All let go of what they held before any takes: in one batch a
/// value may go from one record to another.
pub fn hold(tx: &mut Tx<'_>, kind: &str, held: &[(Grant, RecordId, Option<String>)]) -> Result<(), StoreError> {
    let (conn, keyring) = tx.parts();
    for chunk in held.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().map(|(_, record, _)| Id::from(*record)).collect();
        on_backend!(&mut *conn, c => diesel::delete(personal_keys::table)
            .filter(personal_keys::record_id.eq_any(ids))
            .filter(personal_keys::kind.eq(kind))
            .execute(c))?;
    }
    let taken = held.iter().filter_map(|(_, record, value)| Some((record, value.as_ref()?)));
    let rows = taken
        .map(|(record, value)| {
            let digest = index_digest(keyring, kind, value)?;
            Ok((
                personal_keys::kind.eq(kind),
                personal_keys::digest.eq(digest),
                personal_keys::record_id.eq(Id::from(*record)),
            ))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    for chunk in rows.chunks(BIND_CHUNK) {
        on_backend!(&mut *conn, c => diesel::insert_into(personal_keys::table).values(chunk).execute(c))?;
    }
    Ok(())
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
            Some(false) => query = query.filter(dsl::sql::<Bool>("records.state = 'deleted'")),
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

/// All records of a form below one unit, with how many bytes there are of each. Only for a form of which the unit has few: the
/// people of a branch.
pub fn below(read: &mut impl Reading, form: &str, unit: UnitId) -> Result<Vec<(RecordId, usize)>, StoreError> {
    let rows: Vec<(Id, i64)> = on_backend!(read.conn(), c => records::table
        .filter(records::unit_id.eq_any(unit_closure::table
            .filter(unit_closure::ancestor_id.eq(Id::from(unit)))
            .select(unit_closure::descendant_id)))
        .filter(records::form.concat(NOT_BY_INDEX).eq(form))
        .order(records::id)
        .select((records::id, dsl::sql::<BigInt>(BYTES)))
        .load(c))?;
    Ok(sized(rows).collect())
}
