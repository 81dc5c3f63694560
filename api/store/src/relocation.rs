//! Records go from one unit to another, and what stands beside them goes with them: their questions, the ids by which they are
//! known there already, and a note of what they have left. The feed is the caller's: it knows how each stood there.

use crate::among::among;
use crate::columns::Id;
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::names::{self, MoveRow};
use crate::schema::{conflicts, record_aliases, records};
use crate::transaction::{Reading, Tx};
use diesel::prelude::*;
use muong_domain::access::Grant;
use muong_domain::id::{RecordId, Seq, UnitId};

/// Which records go from where to where, by whose right.
#[derive(Clone, Debug)]
pub struct Relocation {
    /// The right to, where they go.
    pub grant: Grant,
    /// Which.
    pub records: Vec<RecordId>,
    /// The unit that they leave.
    pub from: UnitId,
    /// Where they are from now on.
    pub to: UnitId,
}

/// Writes it, as of an entry. Answers the other ids by which they are known there, since they have been there before: whoever
/// sees them there is to be told of those again.
pub fn relocate(tx: &mut Tx<'_>, relocation: &Relocation, seq: Seq) -> Result<Vec<RecordId>, StoreError> {
    let ids: Vec<Id> = relocation.records.iter().copied().map(Id::from).collect();
    let to = Id::from(relocation.to);
    let mut known = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        // Not by the upsert of what is saved: on SQLite that would cost each edit the indexes that the unit is in.
        on_backend!(tx.conn(), c => diesel::update(records::table)
            .filter(among(records::id, chunk.iter().copied()))
            .set(records::unit_id.eq(to))
            .execute(c))?;
        on_backend!(tx.conn(), c => diesel::update(conflicts::table)
            .filter(among(conflicts::record_id, chunk.iter().copied()))
            .set(conflicts::unit_id.eq(to))
            .execute(c))?;
        let others = on_backend!(tx.conn(), c => record_aliases::table
            .filter(among(record_aliases::record_id, chunk.iter().copied()))
            .filter(record_aliases::unit_id.eq(to))
            .order(record_aliases::alias)
            .select(record_aliases::alias)
            .load::<Id>(c))?;
        known.extend(others.into_iter().map(|id| RecordId::new(id.0)));
        on_backend!(tx.conn(), c => diesel::update(record_aliases::table)
            .filter(among(record_aliases::record_id, chunk.iter().copied()))
            .filter(record_aliases::unit_id.eq(to))
            .set(record_aliases::seq.eq(seq.0))
            .execute(c))?;
    }
    let left = |id: Id| MoveRow { record_id: id, unit_id: relocation.from.into(), seq: seq.0 };
    names::put_back_moves(tx, &ids.into_iter().map(left).collect::<Vec<_>>())?;
    Ok(known)
}
