//! The index of the current state by scope and seq, from which phones pull.

use crate::columns::Id;
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::schema::feed;
use crate::transaction::{Reading, Tx};
use diesel::prelude::*;
use diesel::upsert::excluded;
use muong_domain::id::{Seq, UnitId};
use uuid::Uuid;

/// One thing in one scope, as of its last change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeedRow {
    /// The thing.
    pub id: Uuid,
    /// The unit (or user) in whose scope it is.
    pub scope: UnitId,
    /// What it is: a form's code, `alias`, `unit`, `form` …
    pub kind: String,
    /// Its last change.
    pub seq: Seq,
    /// Whether it is there (or was).
    pub present: bool,
}

#[derive(Insertable)]
#[diesel(table_name = feed, treat_none_as_default_value = false)]
struct Row<'a> {
    id: Id,
    scope: Id,
    kind: &'a str,
    seq: i64,
    present: bool,
}

/// Stamps what has changed. No thing may stand twice in one call.
pub fn stamp(tx: &mut Tx<'_>, changed: &[FeedRow]) -> Result<(), StoreError> {
    let rows: Vec<Row<'_>> = (changed.iter())
        .map(|row| Row {
            id: Id(row.id),
            scope: row.scope.into(),
            kind: &row.kind,
            seq: row.seq.0,
            present: row.present,
        })
        .collect();
    macro_rules! upsert {
        ($values:expr, $c:expr) => {
            diesel::insert_into(feed::table)
                .values($values)
                .on_conflict((feed::id, feed::scope))
                .do_update()
                .set((feed::seq.eq(excluded(feed::seq)), feed::present.eq(excluded(feed::present))))
                .execute($c)
        };
    }
    for chunk in rows.chunks(BIND_CHUNK) {
        match tx.conn() {
            crate::Connection::Sqlite(c) => {
                for row in chunk {
                    upsert!(row, &mut *c)?;
                }
            }
            crate::Connection::Postgres(c) => {
                upsert!(chunk, c)?;
            }
        }
    }
    Ok(())
}
