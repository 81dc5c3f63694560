//! What waits for reviewers, and where the log stands: for whoever watches over the server. Approximate above a bound, so
//! that asking costs the same however full the store is.

use crate::error::StoreError;
use crate::head::read_head;
use crate::transaction::Reading;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use muong_domain::id::Seq;
use uuid::Uuid;

/// Nobody counts further than this.
pub const COUNTED: i64 = 100_000;

/// What there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stock {
    /// Conflicts that wait, at most [`COUNTED`].
    pub open_conflicts: i64,
    /// Submissions in quarantine that wait, among [`COUNTED`] entries.
    pub open_quarantine: i64,
    /// Which history this is.
    pub epoch: Uuid,
    /// The last entry of the log.
    pub seq: Seq,
    /// Up to which entry the last finished backup reaches.
    pub durable: Seq,
    /// When it was finished.
    pub durable_at: Option<DateTime<Utc>>,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// The order by id makes both databases walk the index of open conflicts; that order costs nothing there.
const CONFLICTS: &str = "SELECT count(*) AS n FROM \
    (SELECT id FROM conflicts WHERE closed_seq IS NULL ORDER BY id LIMIT 100000) AS open";
/// There is no index of what is open in quarantine; so many entries are looked at and no more.
const QUARANTINE: &str = "SELECT count(*) AS n FROM \
    (SELECT closed_seq FROM quarantine LIMIT 100000) AS entry WHERE closed_seq IS NULL";

/// Counts.
pub fn count(read: &mut impl Reading) -> Result<Stock, StoreError> {
    let mut number = |query: &str| -> Result<i64, StoreError> {
        let row: Counted = on_backend!(read.conn(), c => diesel::sql_query(query).get_result(c))?;
        Ok(row.n)
    };
    let (open_conflicts, open_quarantine) = (number(CONFLICTS)?, number(QUARANTINE)?);
    let head = read_head(read.conn())?;
    Ok(Stock {
        open_conflicts,
        open_quarantine,
        epoch: head.epoch,
        seq: head.seq,
        durable: head.durable,
        durable_at: head.durable_at,
    })
}
