//! Compacts the feed in short steps, each a change of the writer like any other, until nothing is old enough.

use chrono::TimeDelta;
use muong_domain::access::Authority;
use muong_store::{Outcome, Writer, WriterError, compaction};
use std::convert::Infallible;

/// Why it stopped.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// The writer.
    #[error("the database: {0}")]
    Writer(#[from] WriterError),
}

/// Removes what has told for longer than so many days that something is gone. Answers how many rows.
pub fn compact(writer: &Writer, days: u32) -> Result<usize, CompactError> {
    let retention = TimeDelta::days(i64::from(days));
    let mut removed = 0;
    loop {
        let step = writer.write::<_, Infallible>(1, move |tx| {
            let before = tx.received_at() - retention;
            compaction::step(tx, &Authority::operator_of_the_server(), before).map(Outcome::Commit)
        })?;
        match step {
            Outcome::Commit(0) => return Ok(removed),
            Outcome::Commit(some) => removed += some,
            Outcome::Refuse(never) => match never {},
        }
    }
}
