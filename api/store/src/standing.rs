//! How records stand, without opening them: no value is read and no key, so it is cheap for many. What they say is in
//! `records.rs`.

use crate::among::among;
use crate::columns::Id;
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::schema::{data_keys, records};
use crate::seal::Owner;
use crate::transaction::Reading;
use diesel::prelude::*;
use muong_domain::id::{RecordId, Seq, UnitId};
use std::collections::HashSet;
use uuid::Uuid;

/// How a record stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Its id.
    pub id: RecordId,
    /// Its form.
    pub form: String,
    /// Its unit.
    pub unit: UnitId,
    /// The entry that changed it last.
    pub version: Seq,
    /// Whether it is there: neither withdrawn, nor of somebody who has been erased.
    pub is_there: bool,
}

/// How these records stand, in no order.
pub fn standing(read: &mut impl Reading, ids: &[RecordId]) -> Result<Vec<Standing>, StoreError> {
    type Row = (Id, String, Id, Option<Id>, i64, String);
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let rows: Vec<Row> = on_backend!(read.conn(), c => records::table
            .filter(among(records::id, chunk.iter().copied().map(Id::from)))
            .select((
                records::id,
                records::form,
                records::unit_id,
                records::subject,
                records::version,
                records::state,
            ))
            .load(c))?;
        let erased = erased(read, rows.iter().filter_map(|row| row.3).collect())?;
        found.extend(rows.into_iter().map(|(id, form, unit, subject, version, state)| Standing {
            id: RecordId::new(id.0),
            form,
            unit: UnitId::new(unit.0),
            version: Seq(version),
            is_there: state == "live" && subject.is_none_or(|person| !erased.contains(&person)),
        }));
    }
    Ok(found)
}

/// Which of these people have been erased: whose key has been destroyed.
fn erased(read: &mut impl Reading, people: HashSet<Id>) -> Result<HashSet<Id>, StoreError> {
    if people.is_empty() {
        return Ok(HashSet::new());
    }
    let erased: Vec<Id> = on_backend!(read.conn(), c => data_keys::table
        .filter(data_keys::kind.eq(Owner::Person(RecordId::new(Uuid::nil())).kind()))
        .filter(among(data_keys::owner, people))
        .filter(data_keys::wrapped.is_null())
        .select(data_keys::owner)
        .load(c))?;
    Ok(erased.into_iter().collect())
}
