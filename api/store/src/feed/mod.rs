//! The index of the current state by scope and seq, from which phones pull: how it is read. How it is written is in
//! `stamp.rs`.

mod count;
mod stamp;

use crate::among::among;
use crate::columns::{Id, sql};
use crate::connection::Connection;
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::schema::{feed, unit_closure};
use crate::transaction::Reading;
use diesel::dsl;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool};
use muong_domain::id::{Seq, UnitId};
use std::collections::BTreeSet;
use uuid::Uuid;

pub use count::{COUNTED, counted_in};
pub use stamp::{Before, stamp, stamp_records};

/// Which rows the index `feed_by_id` has, in its own words: whatever is not a record that is there. Those are nearly all,
/// and are found by their scope and their version.
const FOUND_BY_ID: &str = "(NOT present OR kind IN ('alias', 'conflict', 'form', 'grant', 'quarantine', 'unit'))";

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

#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = feed)]
struct Row {
    id: Id,
    scope: Id,
    kind: String,
    seq: i64,
    present: bool,
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

/// For PostgreSQL, of each scope the rows after a place, in order. A row is compared with a row, and never `scope = …`:
/// where the scope is known the planner may also take the index by seq alone, past everybody else's changes, and does so
/// as long as its statistics are of an almost empty table. And nothing beside it that an index could serve, such as `id > $3`:
/// of that the planner made a bitmap of half the index, for each scope (110 ms instead of 0.1, when nothing is new).
pub const OF_ONE_SCOPE: &str = "SELECT id, scope, kind, seq, present FROM feed \
     WHERE (scope, seq, id) >= ($1, $2, $3) AND scope <= $1 AND (seq <> $2 OR id <> $3 OR scope > $4) \
     AND seq <= $5 AND present ORDER BY scope, seq, id LIMIT $6";
/// See [`OF_ONE_SCOPE`].
pub const OF_EACH_SCOPE: &str = "SELECT f.id, f.scope, f.kind, f.seq, f.present FROM unnest($1::uuid[]) AS s(scope) \
     CROSS JOIN LATERAL (SELECT * FROM feed \
     WHERE (feed.scope, feed.seq, feed.id) >= (s.scope, $2, $3) AND feed.scope <= s.scope \
     AND (feed.seq <> $2 OR feed.id <> $3 OR feed.scope > $4) \
     ORDER BY feed.scope, feed.seq, feed.id LIMIT $5) AS f ORDER BY f.seq, f.id, f.scope LIMIT $5";

/// What has changed after a place, in order, in a few scopes. Costs no more than `limit` rows of each, however much changed
/// elsewhere and later.
pub fn changed_in(
    read: &mut impl Reading,
    scopes: &[UnitId],
    after: Place,
    limit: i64,
) -> Result<Vec<FeedRow>, StoreError> {
    let rows = match read.conn() {
        Connection::Postgres(c) => diesel::sql_query(OF_EACH_SCOPE)
            .bind::<Array<sql::Id>, _>(scopes.iter().copied().map(Id::from).collect::<Vec<_>>())
            .bind::<BigInt, _>(after.seq.0)
            .bind::<sql::Id, _>(Id(after.id))
            .bind::<sql::Id, _>(Id(after.scope))
            .bind::<BigInt, _>(limit)
            .load::<Row>(c)?,
        Connection::Sqlite(c) => one_by_one(c, scopes, after, limit)?,
    };
    Ok(told(rows))
}

/// For SQLite, which has no `LATERAL` but no way to the server either.
fn one_by_one(
    conn: &mut SqliteConnection,
    scopes: &[UnitId],
    after: Place,
    limit: i64,
) -> Result<Vec<Row>, StoreError> {
    let (mut found, most) = (Vec::<Row>::new(), usize::try_from(limit).unwrap_or(usize::MAX));
    for scope in scopes {
        // What comes after the last of as many as are wanted is not wanted.
        let up_to = if found.len() < most { i64::MAX } else { found.last().map_or(i64::MAX, |row| row.seq) };
        let more = in_scope(conn, *scope, (after, up_to), true, limit)?;
        if !more.is_empty() {
            found.extend(more);
            found.sort_unstable_by_key(|row| (row.seq, row.id, row.scope));
            found.truncate(most);
        }
    }
    Ok(found)
}

/// For SQLite: what is (or also what was) in a scope, after a place and up to an entry, in order.
fn in_scope(
    conn: &mut SqliteConnection,
    scope: UnitId,
    (after, up_to): (Place, i64),
    also_gone: bool,
    limit: i64,
) -> Result<Vec<Row>, StoreError> {
    Ok(feed::table
        .filter(feed::scope.eq(Id::from(scope)))
        .filter(feed::seq.ge(after.seq.0))
        .filter(is_after(after))
        .filter(feed::seq.le(up_to))
        .filter(feed::present.or(also_gone.into_sql::<Bool>()))
        .order((feed::scope, feed::seq, feed::id))
        .limit(limit)
        .select(Row::as_select())
        .load(conn)?)
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
    let rows = match read.conn() {
        Connection::Postgres(c) => diesel::sql_query(OF_ONE_SCOPE)
            .bind::<sql::Id, _>(Id::from(scope))
            .bind::<BigInt, _>(after.seq.0)
            .bind::<sql::Id, _>(Id(after.id))
            .bind::<sql::Id, _>(Id(after.scope))
            .bind::<BigInt, _>(up_to.0)
            .bind::<BigInt, _>(limit)
            .load::<Row>(c)?,
        Connection::Sqlite(c) => in_scope(c, scope, (after, up_to.0), false, limit)?,
    };
    Ok(told(rows))
}

/// The units themselves, without what lies in them, as of an entry.
pub fn units_among(read: &mut impl Reading, units: &[UnitId], up_to: Seq) -> Result<Vec<FeedRow>, StoreError> {
    let units: Vec<Id> = units.iter().copied().map(Id::from).collect();
    // Not `scope = id`: SQLite would conclude that the scopes are among these as well, and walk all that lies in them.
    Ok(told(on_backend!(read.conn(), c => feed::table
        .filter(among(feed::id, units.iter().copied()))
        .filter(dsl::sql::<Bool>("coalesce(feed.scope, feed.id) = feed.id"))
        .filter(dsl::sql::<Bool>(FOUND_BY_ID))
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
