//! Under which ids a record is known, and where: its own, in the unit that it is in and in those that it has left; and others, by
//! which phones know it, each in the unit that it was used in.

use crate::among::among;
use crate::columns::Id;
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::records::{self, Outline};
use crate::schema::{record_aliases, record_moves};
use crate::transaction::{Reading, Tx};
use diesel::prelude::*;
use diesel::upsert::excluded;
use muong_domain::id::{RecordId, Seq, UnitId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An id, in the unit in which it stands for something.
pub type Name = (RecordId, UnitId);

/// The names of these records, with the record that each stands for.
pub fn of(read: &mut impl Reading, outlines: &[Outline]) -> Result<BTreeMap<Name, RecordId>, StoreError> {
    let ids: Vec<RecordId> = outlines.iter().map(|outline| outline.id).collect();
    let own = outlines.iter().map(|outline| (outline.id, outline.unit));
    let left = move_rows(read, ids.iter().copied())?.into_iter().map(|row| row.name());
    let mut names: BTreeMap<Name, RecordId> = own.chain(left).map(|name| (name, name.0)).collect();
    let others = alias_rows(read, ids.iter().copied())?;
    names.extend(others.iter().map(AliasRow::ids).map(|(alias, unit, record)| ((alias, unit), record)));
    Ok(names)
}

/// The names of one record, by unit: as what it was spoken of there.
pub fn by_unit(read: &mut impl Reading, record: RecordId) -> Result<BTreeMap<UnitId, BTreeSet<RecordId>>, StoreError> {
    let outlines = records::outlines(read, &[record])?;
    let mut names: BTreeMap<UnitId, BTreeSet<RecordId>> = BTreeMap::new();
    for (id, unit) in of(read, &outlines)?.into_keys() {
        names.entry(unit).or_default().insert(id);
    }
    Ok(names)
}

// --- other ids ----------------------------------------------------------------------------------------------------

/// What these ids stand for, each in the unit that it was used in.
pub fn aliases(read: &mut impl Reading, ids: &[RecordId]) -> Result<Vec<(RecordId, UnitId, RecordId)>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        let rows: Vec<(Id, Id, Id)> = on_backend!(read.conn(), c => record_aliases::table
            .filter(among(record_aliases::alias, ids))
            .select((record_aliases::alias, record_aliases::unit_id, record_aliases::record_id))
            .load(c))?;
        found.extend(rows.into_iter().map(|(a, u, r)| (RecordId::new(a.0), UnitId::new(u.0), RecordId::new(r.0))));
    }
    Ok(found)
}

/// Another id of a record, as it stands in its row.
#[derive(Clone, Copy, Debug, Insertable, Queryable, Selectable, Serialize, Deserialize)]
#[diesel(table_name = record_aliases, treat_none_as_default_value = false)]
pub(crate) struct AliasRow {
    pub alias: Id,
    pub unit_id: Id,
    pub record_id: Id,
    pub seq: i64,
}

impl AliasRow {
    /// The alias, the unit that it was used in, and the record.
    pub fn ids(&self) -> (RecordId, UnitId, RecordId) {
        (RecordId::new(self.alias.0), UnitId::new(self.unit_id.0), RecordId::new(self.record_id.0))
    }
}

/// The rows of the other ids of these records.
pub(crate) fn alias_rows(
    read: &mut impl Reading,
    records: impl IntoIterator<Item = RecordId>,
) -> Result<Vec<AliasRow>, StoreError> {
    let ids: Vec<Id> = records.into_iter().map(Id::from).collect();
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        found.extend(on_backend!(read.conn(), c => record_aliases::table
            .filter(among(record_aliases::record_id, chunk.iter().copied()))
            .order((record_aliases::record_id, record_aliases::alias, record_aliases::unit_id))
            .select(AliasRow::as_select())
            .load::<AliasRow>(c))?);
    }
    Ok(found)
}

/// Writes rows of other ids as they now stand.
pub(crate) fn put_back_aliases(tx: &mut Tx<'_>, rows: &[AliasRow]) -> Result<(), StoreError> {
    for row in rows {
        on_backend!(tx.conn(), c => diesel::insert_into(record_aliases::table)
            .values(row)
            .on_conflict((record_aliases::alias, record_aliases::unit_id))
            .do_update()
            .set(record_aliases::seq.eq(excluded(record_aliases::seq)))
            .execute(c))?;
    }
    Ok(())
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

/// The other ids of these records, as (record, alias), each with the unit that it was used in.
pub fn aliases_of(
    read: &mut impl Reading,
    records: &[RecordId],
) -> Result<Vec<(RecordId, RecordId, UnitId)>, StoreError> {
    let rows = alias_rows(read, records.iter().copied())?;
    Ok(rows.iter().map(AliasRow::ids).map(|(alias, unit, record)| (record, alias, unit)).collect())
}

// --- units that were left -----------------------------------------------------------------------------------------

/// A unit that a record has left, as it stands in its row.
#[derive(Clone, Copy, Debug, Insertable, Queryable, Selectable, Serialize, Deserialize)]
#[diesel(table_name = record_moves, treat_none_as_default_value = false)]
pub(crate) struct MoveRow {
    pub record_id: Id,
    pub unit_id: Id,
    pub seq: i64,
}

impl MoveRow {
    /// By which name it was known there.
    pub fn name(&self) -> Name {
        (RecordId::new(self.record_id.0), UnitId::new(self.unit_id.0))
    }
}

/// The rows of the units that these records have left.
pub(crate) fn move_rows(
    read: &mut impl Reading,
    records: impl IntoIterator<Item = RecordId>,
) -> Result<Vec<MoveRow>, StoreError> {
    let ids: Vec<Id> = records.into_iter().map(Id::from).collect();
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        found.extend(on_backend!(read.conn(), c => record_moves::table
            .filter(among(record_moves::record_id, chunk.iter().copied()))
            .order((record_moves::record_id, record_moves::unit_id))
            .select(MoveRow::as_select())
            .load::<MoveRow>(c))?);
    }
    Ok(found)
}

/// Which of these records have been in which other units than their own.
pub fn left(read: &mut impl Reading, records: &[RecordId]) -> Result<Vec<Name>, StoreError> {
    Ok(move_rows(read, records.iter().copied())?.iter().map(MoveRow::name).collect())
}

/// Notes that records have left units, or are spoken of there as if they had, each as of an entry.
pub fn leave(tx: &mut Tx<'_>, left: &[(Name, Seq)]) -> Result<(), StoreError> {
    let row = |((record, unit), seq): &(Name, Seq)| MoveRow {
        record_id: (*record).into(),
        unit_id: (*unit).into(),
        seq: seq.0,
    };
    put_back_moves(tx, &left.iter().map(row).collect::<Vec<_>>())
}

/// Writes rows as they now stand.
pub(crate) fn put_back_moves(tx: &mut Tx<'_>, rows: &[MoveRow]) -> Result<(), StoreError> {
    for row in rows {
        on_backend!(tx.conn(), c => diesel::insert_into(record_moves::table)
            .values(row)
            .on_conflict((record_moves::record_id, record_moves::unit_id))
            .do_update()
            .set(record_moves::seq.eq(excluded(record_moves::seq)))
            .execute(c))?;
    }
    Ok(())
}
