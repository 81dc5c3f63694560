//! Takes out of the feed what only tells that something is not there any more, once every phone that still counts has
//! been told: a few rows at a time, so that nobody waits. The floor of the feed rises with it; whoever has not been told
//! by then starts afresh. Knows rows and entries of the log; how long is long enough is the configuration's to say.

use crate::columns::Instant;
use crate::entry::LogEntry;
use crate::error::StoreError;
use crate::schema::{feed, log};
use crate::transaction::{Reading, Tx};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use muong_domain::access::Authority;
use muong_domain::id::Seq;
use serde_json::json;
use std::collections::HashMap;

/// How many rows one step looks at: a few milliseconds of the writer's time.
const STEP: i64 = 500;

/// The kind of the log's entry. Its command names the floor, by which a replay removes the same rows again.
pub const KIND: &str = "compaction";

/// One step: removes the oldest rows that are not present and whose entry was received before an instant. Answers how many;
/// there may be more as long as it is not 0.
pub fn step(tx: &mut Tx<'_>, authority: &Authority, received_before: DateTime<Utc>) -> Result<usize, StoreError> {
    let rows: Vec<i64> = on_backend!(tx.conn(), c => feed::table
        .filter(diesel::dsl::not(feed::present))
        .order(feed::seq)
        .limit(STEP)
        .select(feed::seq)
        .load(c))?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(0) };
    let entries: Vec<(i64, Instant)> = on_backend!(tx.conn(), c => log::table
        .filter(log::seq.between(*first, *last))
        .filter(log::seq.eq_any(&rows))
        .select((log::seq, log::received_at))
        .load(c))?;
    let received: HashMap<i64, Instant> = entries.into_iter().collect();
    // Up to the first that is too young: whatever is at or below the floor is gone, without exception.
    let is_old = |seq: &&i64| received.get(*seq).is_some_and(|at| at.0 < received_before);
    let Some(floor) = rows.iter().take_while(is_old).last().copied().map(Seq) else { return Ok(0) };
    let removed = remove(tx, floor)?;
    let command = json!({"floor": floor, "rows": removed});
    tx.append(LogEntry::of_reference(KIND, tx.head().epoch, "removed", &command).by(authority));
    Ok(removed)
}

/// Removes what is not present, up to an entry, and raises the floor to it.
pub fn remove(tx: &mut Tx<'_>, floor: Seq) -> Result<usize, StoreError> {
    let removed = on_backend!(tx.conn(), c => diesel::delete(feed::table)
        .filter(diesel::dsl::not(feed::present))
        .filter(feed::seq.le(floor.0))
        .execute(c))?;
    tx.raise_floor(floor);
    Ok(removed)
}
