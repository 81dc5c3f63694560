//! When entries of the log were received. The log itself is written by `transaction.rs`.

use crate::columns::Instant;
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::schema::log;
use crate::transaction::Reading;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use muong_domain::id::Seq;
use std::collections::BTreeMap;

/// The receipt times of these entries.
pub fn of(
    read: &mut impl Reading,
    seqs: impl IntoIterator<Item = Seq>,
) -> Result<BTreeMap<Seq, DateTime<Utc>>, StoreError> {
    let mut wanted: Vec<i64> = seqs.into_iter().map(|seq| seq.0).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut found = BTreeMap::new();
    for chunk in wanted.chunks(BIND_CHUNK) {
        let rows: Vec<(i64, Instant)> = on_backend!(read.conn(), c => log::table
            .filter(log::seq.eq_any(chunk))
            .select((log::seq, log::received_at))
            .load(c))?;
        found.extend(rows.into_iter().map(|(seq, at)| (Seq(seq), at.0)));
    }
    Ok(found)
}
