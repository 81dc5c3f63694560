//! What is remembered of attempts to prove who one is: how many have failed, and when the last one was. Shared by all
//! processes, because a guesser may ask each of them. How long to wait is the server's to say (`security/backoff`).
//!
//! Keys are digests of what was tried. Nothing here is in the log, and nothing here needs a grant: an attempt is not a
//! change of anything that somebody holds.

use crate::columns::Instant;
use crate::error::StoreError;
use crate::schema::attempts;
use crate::transaction::{Reading, Tx};
use chrono::{DateTime, Utc};
use diesel::prelude::*;

/// What was tried, as a digest.
pub type AttemptKey = [u8; 32];

/// Attempts that have failed, or are under way, one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failures {
    /// How many.
    pub count: u32,
    /// When the last one was.
    pub last_at: DateTime<Utc>,
}

/// How many forgotten rows each new one clears away: more than one, so that what a flood has left goes.
const CLEARED: i64 = 50;

/// What is remembered of this key.
pub fn find(r: &mut impl Reading, key: &AttemptKey) -> Result<Option<Failures>, StoreError> {
    let row: Option<(i32, Instant)> = on_backend!(r.conn(), c => attempts::table
        .find(key.as_slice())
        .select((attempts::failures, attempts::last_at))
        .first(c)
        .optional())?;
    Ok(row.map(|(count, at)| Failures { count: u32::try_from(count).unwrap_or(0), last_at: at.0 }))
}

/// Remembers it.
pub fn put(tx: &mut Tx<'_>, key: &AttemptKey, failures: &Failures) -> Result<(), StoreError> {
    let (count, at) = (i32::try_from(failures.count).unwrap_or(i32::MAX), Instant(failures.last_at));
    on_backend!(tx.conn(), c => diesel::insert_into(attempts::table)
        .values((attempts::key.eq(key.as_slice()), attempts::failures.eq(count), attempts::last_at.eq(at)))
        .on_conflict(attempts::key)
        .do_update()
        .set((attempts::failures.eq(count), attempts::last_at.eq(at)))
        .execute(c))?;
    Ok(())
}

/// Forgets it: the attempt has succeeded.
pub fn forget(tx: &mut Tx<'_>, key: &AttemptKey) -> Result<(), StoreError> {
    on_backend!(tx.conn(), c => diesel::delete(attempts::table.find(key.as_slice())).execute(c))?;
    Ok(())
}

/// Clears away some of what happened before `before`.
pub fn clear(tx: &mut Tx<'_>, before: DateTime<Utc>) -> Result<(), StoreError> {
    let old: Vec<Vec<u8>> = on_backend!(tx.conn(), c => attempts::table
        .filter(attempts::last_at.lt(Instant(before)))
        .order(attempts::last_at)
        .limit(CLEARED)
        .select(attempts::key)
        .load(c))?;
    if !old.is_empty() {
        on_backend!(tx.conn(), c => diesel::delete(attempts::table.filter(attempts::key.eq_any(&old))).execute(c))?;
    }
    Ok(())
}
