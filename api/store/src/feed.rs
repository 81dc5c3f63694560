//! The index of the current state by scope and seq, from which phones pull.

use crate::columns::{Id, sql};
use crate::error::StoreError;
use crate::transaction::{Reading, Tx};
use diesel::sql_types::{BigInt, Bool, Text};
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

struct Row {
    id: Id,
    scope: Id,
    kind: String,
    seq: i64,
    present: bool,
}

insert_rows!(Row => "feed" {
    id: Id, sql::Id, "uuid";
    scope: Id, sql::Id, "uuid";
    kind: String, Text, "text";
    seq: i64, BigInt, "bigint";
    present: bool, Bool, "boolean";
} "ON CONFLICT (id, scope) DO UPDATE SET seq = excluded.seq, present = excluded.present");

/// Stamps what has changed. No thing may stand twice in one call.
pub fn stamp(tx: &mut Tx<'_>, changed: Vec<FeedRow>) -> Result<(), StoreError> {
    let row = |row: FeedRow| Row {
        id: Id(row.id),
        scope: row.scope.into(),
        kind: row.kind,
        seq: row.seq.0,
        present: row.present,
    };
    let rows: Vec<Row> = changed.into_iter().map(row).collect();
    Ok(insert_rows(tx.conn(), &rows)?)
}
