//! How the feed is written. A thing stands once in a scope, at its last change: what it had there before is taken out. Where
//! that stood is not looked for by an index of ids, which every report would pay for with a page of its own: of a record that
//! is there the caller knows the version, and everything else is found by id among the few that are not.

use super::{FOUND_BY_ID, FeedRow, Row};
use crate::columns::{Id, sql};
use crate::connection::Connection;
use crate::error::StoreError;
use crate::schema::feed;
use crate::transaction::{Reading, Tx};
use diesel::dsl;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Text};
use muong_domain::id::Seq;

insert_rows!(Row => "feed" {
    id: Id, sql::Id, "uuid";
    scope: Id, sql::Id, "uuid";
    kind: String, Text, "text";
    seq: i64, BigInt, "bigint";
    present: bool, Bool, "boolean";
} "");

/// How a record stood in its scope before it is stamped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Before {
    /// Not at all: it is new there.
    Nothing,
    /// It was there, as of an entry.
    Present(Seq),
    /// It was there and is gone; that may have been compacted.
    Absent,
    /// The caller does not know. Costs a walk through the scope.
    Unknown,
}

/// Where a row stands: in which scope, as of which entry, which thing.
type Key = (Id, i64, Id);

/// Stamps what has changed and is no record. No thing may stand twice in one call.
pub fn stamp(tx: &mut Tx<'_>, changed: Vec<FeedRow>) -> Result<(), StoreError> {
    let keys: Vec<Key> = changed.iter().map(|row| key(row, row.seq)).collect();
    take_out_by_id(tx.conn(), &keys)?;
    insert(tx, changed)
}

/// Stamps records that have changed, each with how it stood before. No record may stand twice in one scope in
/// one call.
pub fn stamp_records(tx: &mut Tx<'_>, changed: Vec<(FeedRow, Before)>) -> Result<(), StoreError> {
    let (mut there, mut absent, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (row, before) in &changed {
        match before {
            Before::Nothing => {}
            Before::Present(seq) => there.push(key(row, *seq)),
            Before::Absent => absent.push(key(row, row.seq)),
            Before::Unknown => unknown.push(key(row, row.seq)),
        }
    }
    // A version that the feed does not know costs a walk, and nothing else.
    unknown.extend(take_out(tx.conn(), &there)?);
    take_out_by_id(tx.conn(), &absent)?;
    take_out_of_scopes(tx.conn(), &unknown)?;
    insert(tx, changed.into_iter().map(|(row, _)| row).collect())
}

fn key(row: &FeedRow, seq: Seq) -> Key {
    (row.scope.into(), seq.0, Id(row.id))
}

fn insert(tx: &mut Tx<'_>, rows: Vec<FeedRow>) -> Result<(), StoreError> {
    let row = |row: FeedRow| Row {
        id: Id(row.id),
        scope: row.scope.into(),
        kind: row.kind,
        seq: row.seq.0,
        present: row.present,
    };
    let rows: Vec<Row> = rows.into_iter().map(row).collect();
    Ok(insert_rows(tx.conn(), &rows)?)
}

/// Takes out the rows at these keys; answers the keys of those that may not have been there.
fn take_out(conn: &mut Connection, keys: &[Key]) -> Result<Vec<Key>, StoreError> {
    let mut missed = Vec::new();
    match conn {
        Connection::Sqlite(c) => {
            for key in keys {
                let of = feed::table.find(*key);
                if diesel::delete(of).execute(c)? == 0 {
                    missed.push(*key);
                }
            }
        }
        Connection::Postgres(_) if keys.is_empty() => {}
        Connection::Postgres(c) => {
            let deleted = diesel::sql_query(
                "DELETE FROM feed USING unnest($1, $2, $3) AS old(scope, seq, id) \
                 WHERE feed.scope = old.scope AND feed.seq = old.seq AND feed.id = old.id",
            )
            .bind::<Array<sql::Id>, _>(keys.iter().map(|key| key.0).collect::<Vec<_>>())
            .bind::<Array<BigInt>, _>(keys.iter().map(|key| key.1).collect::<Vec<_>>())
            .bind::<Array<sql::Id>, _>(keys.iter().map(|key| key.2).collect::<Vec<_>>())
            .execute(c)?;
            if deleted < keys.len() {
                missed.extend_from_slice(keys);
            }
        }
    }
    Ok(missed)
}

/// Takes out things that are no records, and records that are gone, wherever in their scope they stand.
fn take_out_by_id(conn: &mut Connection, keys: &[Key]) -> Result<(), StoreError> {
    match conn {
        Connection::Sqlite(c) => {
            for (scope, _, id) in keys {
                let of = feed::table.filter(feed::id.eq(id)).filter(feed::scope.eq(scope));
                diesel::delete(of.filter(dsl::sql::<Bool>(FOUND_BY_ID))).execute(c)?;
            }
            Ok(())
        }
        Connection::Postgres(c) => take_out_all(c, keys, FOUND_BY_ID),
    }
}

/// Takes out whatever these things have in their scopes, wherever it stands.
fn take_out_of_scopes(conn: &mut Connection, keys: &[Key]) -> Result<(), StoreError> {
    match conn {
        Connection::Sqlite(c) => {
            for (scope, _, id) in keys {
                diesel::delete(feed::table.filter(feed::scope.eq(scope)).filter(feed::id.eq(id))).execute(c)?;
            }
            Ok(())
        }
        Connection::Postgres(c) => take_out_all(c, keys, "true"),
    }
}

fn take_out_all(conn: &mut PgConnection, keys: &[Key], condition: &str) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let delete = "DELETE FROM feed USING unnest($1, $2) AS old(scope, key) \
                  WHERE feed.scope = old.scope AND feed.id = old.key AND";
    diesel::sql_query(format!("{delete} {condition}"))
        .bind::<Array<sql::Id>, _>(keys.iter().map(|key| key.0).collect::<Vec<_>>())
        .bind::<Array<sql::Id>, _>(keys.iter().map(|key| key.2).collect::<Vec<_>>())
        .execute(conn)?;
    Ok(())
}
