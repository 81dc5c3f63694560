//! The index of the current state by scope and seq, from which phones pull.

use crate::among::among;
use crate::columns::{Id, sql};
use crate::connection::Connection;
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::schema::{feed, unit_closure};
use crate::transaction::{Reading, Tx};
use diesel::dsl;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use muong_domain::id::{Seq, UnitId};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The scope of what everybody sees.
pub const EVERYBODY: UnitId = UnitId::new(Uuid::nil());
/// Another id of a record.
pub const ALIAS: &str = "alias";
/// A unit, in its own scope.
pub const UNIT: &str = "unit";
/// A version of a form, in everybody's scope.
pub const FORM: &str = "form";
/// A grant, in the scope of the user who holds it.
pub const GRANT: &str = "grant";
/// A quarantined submission that waits no more, in the scope of its author.
pub const QUARANTINE: &str = "quarantine";
/// A decided conflict, in the scope of each user who had said something of its record.
pub const CONFLICT: &str = "conflict";

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

#[derive(Queryable, Selectable)]
#[diesel(table_name = feed)]
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

impl From<Row> for FeedRow {
    fn from(row: Row) -> Self {
        let Row { id, scope, kind, seq, present } = row;
        Self { id: id.0, scope: scope.0.into(), kind, seq: Seq(seq), present }
    }
}

fn told(rows: Vec<Row>) -> Vec<FeedRow> {
    rows.into_iter().map(FeedRow::from).collect()
}

/// A place in the order of entries: nothing of an entry, or what it stamped up to a thing in a scope.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The entry.
    pub seq: Seq,
    /// The thing.
    pub id: Uuid,
    /// The scope.
    pub scope: Uuid,
}

impl Place {
    /// After all of an entry.
    pub const fn after(seq: Seq) -> Self {
        Self { seq, id: Uuid::max(), scope: Uuid::max() }
    }

    /// After one row.
    pub fn of(row: &FeedRow) -> Self {
        Self { seq: row.seq, id: row.id, scope: row.scope.uuid() }
    }
}

/// What has changed after a place, in order, in a few scopes. Costs what has changed there, however much changed elsewhere.
pub fn changed_in(
    read: &mut impl Reading,
    scopes: &[UnitId],
    after: Place,
    limit: i64,
) -> Result<Vec<FeedRow>, StoreError> {
    let scopes = scopes.iter().copied().map(Id::from);
    // Not `seq` itself: PostgreSQL would walk the index that stands in that order, past everybody else's changes.
    Ok(told(on_backend!(read.conn(), c => feed::table
        .filter(among(feed::scope, scopes))
        .filter(feed::seq.ge(after.seq.0))
        .filter(is_after(after))
        .order((feed::seq + 0_i64, feed::id, feed::scope))
        .limit(limit)
        .select(Row::as_select())
        .load(c))?))
}

/// What has changed after a place, in order, wherever: for whoever sees nearly everything.
pub fn changed(read: &mut impl Reading, after: Place, limit: i64) -> Result<Vec<FeedRow>, StoreError> {
    Ok(told(on_backend!(read.conn(), c => feed::table
        .filter(feed::seq.ge(after.seq.0))
        .filter(is_after(after))
        .order((feed::seq, feed::id, feed::scope))
        .limit(limit)
        .select(Row::as_select())
        .load(c))?))
}

type IsAfter = dsl::Or<
    dsl::Gt<feed::seq, i64>,
    dsl::Or<dsl::Gt<feed::id, Id>, dsl::And<dsl::Eq<feed::id, Id>, dsl::Gt<feed::scope, Id>>>,
>;

/// Beside `seq >= …`: past the place within its entry.
fn is_after(place: Place) -> IsAfter {
    let later = feed::id.eq(Id(place.id)).and(feed::scope.gt(Id(place.scope)));
    feed::seq.gt(place.seq.0).or(feed::id.gt(Id(place.id)).or(later))
}

/// What is there in some scopes as of an entry, by scope and place.
pub fn present_in(
    read: &mut impl Reading,
    scopes: &[UnitId],
    up_to: Seq,
    limit: i64,
) -> Result<Vec<FeedRow>, StoreError> {
    let scopes = scopes.iter().copied().map(Id::from);
    Ok(told(on_backend!(read.conn(), c => feed::table
        .filter(among(feed::scope, scopes))
        .filter(feed::seq.le(up_to.0))
        .filter(feed::present)
        .order((feed::scope, feed::seq, feed::id))
        .limit(limit)
        .select(Row::as_select())
        .load(c))?))
}

/// The rest of what is there in one scope as of an entry, after a place.
pub fn rest_in(
    read: &mut impl Reading,
    scope: UnitId,
    after: Place,
    up_to: Seq,
    limit: i64,
) -> Result<Vec<FeedRow>, StoreError> {
    Ok(told(on_backend!(read.conn(), c => feed::table
        .filter(feed::scope.eq(Id::from(scope)))
        .filter(feed::seq.ge(after.seq.0))
        .filter(is_after(after))
        .filter(feed::seq.le(up_to.0))
        .filter(feed::present)
        .order((feed::seq + 0_i64, feed::id))
        .limit(limit)
        .select(Row::as_select())
        .load(c))?))
}

/// The units themselves, without what lies in them, as of an entry.
pub fn units_among(read: &mut impl Reading, units: &[UnitId], up_to: Seq) -> Result<Vec<FeedRow>, StoreError> {
    let units: Vec<Id> = units.iter().copied().map(Id::from).collect();
    // Not `scope = id`: SQLite would conclude that the scopes are among these as well, and walk all that lies in them.
    Ok(told(on_backend!(read.conn(), c => feed::table
        .filter(among(feed::id, units.iter().copied()))
        .filter(dsl::sql::<Bool>("coalesce(feed.scope, feed.id) = feed.id"))
        .filter(feed::kind.eq(UNIT))
        .filter(feed::seq.le(up_to.0))
        .order(feed::id)
        .select(Row::as_select())
        .load(c))?))
}

/// The scopes of what was stamped after one entry, up to another, and the units above them; none when there are more than
/// `limit` scopes.
pub(crate) fn touched(
    conn: &mut Connection,
    after: Seq,
    up_to: Seq,
    limit: i64,
) -> Result<Option<Vec<Uuid>>, StoreError> {
    let stamped: Vec<Id> = on_backend!(&mut *conn, c => feed::table
        .filter(feed::seq.gt(after.0))
        .filter(feed::seq.le(up_to.0))
        .select(feed::scope)
        .distinct()
        .limit(limit + 1)
        .load(c))?;
    if i64::try_from(stamped.len()).unwrap_or(i64::MAX) > limit {
        return Ok(None);
    }
    let scopes: BTreeSet<Id> = stamped.into_iter().collect();
    let mut found: BTreeSet<Id> = scopes.clone();
    for chunk in scopes.into_iter().collect::<Vec<_>>().chunks(BIND_CHUNK) {
        found.extend(on_backend!(&mut *conn, c => unit_closure::table
            .filter(among(unit_closure::descendant_id, chunk.iter().copied()))
            .select(unit_closure::ancestor_id)
            .load::<Id>(c))?);
    }
    Ok(Some(found.into_iter().map(|id| id.0).collect()))
}
