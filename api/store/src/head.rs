//! The head of the log, one row of `feed_head`: read by everybody, taken and given back by whoever writes.

use crate::columns::{Id, Instant};
use crate::connection::Connection;
use crate::dialect::{self, TIMELINE};
use crate::error::StoreError;
use crate::schema::feed_head;
use crate::transaction::Tx;
use chrono::{DateTime, Utc};
use diesel::dsl;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};
use muong_domain::id::Seq;
use uuid::Uuid;

/// The head of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which history this is.
    pub epoch: Uuid,
    /// The seq at which it began.
    pub epoch_began: Seq,
    /// What the epoch was derived with.
    pub lineage: String,
    /// The last entry.
    pub seq: Seq,
    /// Below it, tombstones are gone.
    pub floor: Seq,
    /// The hash of the last entry.
    pub chain: Vec<u8>,
    /// The last change of units or forms.
    pub reference_seq: Seq,
    /// The last change of users or grants.
    pub access_seq: Seq,
    /// Up to where the last finished backup reaches.
    pub durable: Seq,
    /// When that was finished.
    pub durable_at: Option<DateTime<Utc>>,
}

impl Head {
    /// The epoch, and the last change of units or forms in it.
    pub fn reference_as_of(&self) -> (Uuid, Seq) {
        (self.epoch, self.reference_seq)
    }

    /// The epoch, and the last change of users, devices, sessions or grants in it.
    pub fn access_as_of(&self) -> (Uuid, Seq) {
        (self.epoch, self.access_seq)
    }
}

/// A head, and where the database's history is another one, its lineage.
pub(crate) type Locked = (Head, Option<String>);

type HeadRow = (Id, i64, String, i64, i64, Vec<u8>, i64, i64, i64, Option<Instant>);

fn head_columns() -> (
    feed_head::epoch,
    feed_head::epoch_began,
    feed_head::lineage,
    feed_head::seq,
    feed_head::floor,
    feed_head::chain_head,
    feed_head::reference_seq,
    feed_head::access_seq,
    feed_head::durable,
    feed_head::durable_at,
) {
    (
        feed_head::epoch,
        feed_head::epoch_began,
        feed_head::lineage,
        feed_head::seq,
        feed_head::floor,
        feed_head::chain_head,
        feed_head::reference_seq,
        feed_head::access_seq,
        feed_head::durable,
        feed_head::durable_at,
    )
}

fn head_of(row: HeadRow) -> Head {
    let (epoch, epoch_began, lineage, seq, floor, chain, reference_seq, access_seq, durable, durable_at) = row;
    Head {
        epoch: epoch.0,
        epoch_began: Seq(epoch_began),
        lineage,
        seq: Seq(seq),
        floor: Seq(floor),
        chain,
        reference_seq: Seq(reference_seq),
        access_seq: Seq(access_seq),
        durable: Seq(durable),
        durable_at: durable_at.map(|at| at.0),
    }
}

/// `BEGIN IMMEDIATE` has taken SQLite's one write lock already; PostgreSQL waits on the row.
pub(crate) fn lock_head(conn: &mut Connection) -> Result<Locked, StoreError> {
    let (row, timeline): (HeadRow, Option<i64>) = match conn {
        Connection::Sqlite(c) => (feed_head::table.select(head_columns()).first(c)?, None),
        Connection::Postgres(c) => {
            feed_head::table.select((head_columns(), dsl::sql::<Nullable<BigInt>>(TIMELINE))).for_update().first(c)?
        }
    };
    Ok(beside_timeline(head_of(row), timeline))
}

/// The lineage, when the timeline is another one than that of the head.
fn beside_timeline(head: Head, timeline: Option<i64>) -> Locked {
    let system = head.lineage.split_once('/').map(|(system, _)| system.to_owned());
    let lineage = system.zip(timeline).map(|(system, timeline)| format!("{system}/{timeline}"));
    let other = lineage.filter(|lineage| *lineage != head.lineage);
    (head, other)
}

/// The head, and whether the database's history is another one by now; without a lock.
pub(crate) fn look_at_head(conn: &mut Connection) -> Result<(Head, bool), StoreError> {
    let (row, timeline): (HeadRow, Option<i64>) = match conn {
        Connection::Sqlite(c) => (feed_head::table.select(head_columns()).first(c)?, None),
        Connection::Postgres(c) => {
            feed_head::table.select((head_columns(), dsl::sql::<Nullable<BigInt>>(TIMELINE))).first(c)?
        }
    };
    let (head, other) = beside_timeline(head_of(row), timeline);
    Ok((head, other.is_some()))
}

pub(crate) fn write_head(conn: &mut Connection, head: &Head) -> Result<(), StoreError> {
    on_backend!(conn, c => diesel::update(feed_head::table)
        .set((
            feed_head::epoch.eq(Id(head.epoch)),
            feed_head::epoch_began.eq(head.epoch_began.0),
            feed_head::lineage.eq(&head.lineage),
            feed_head::seq.eq(head.seq.0),
            feed_head::floor.eq(head.floor.0),
            feed_head::chain_head.eq(&head.chain),
            feed_head::reference_seq.eq(head.reference_seq.0),
            feed_head::access_seq.eq(head.access_seq.0),
            feed_head::durable.eq(head.durable.0),
            feed_head::durable_at.eq(head.durable_at.map(Instant)),
        ))
        .execute(c))?;
    Ok(())
}

/// Makes the first head of an empty store, or a new epoch when the database's lineage is another one than the
/// stored (a promoted standby, a recovered backup). Answers whether it did.
pub fn establish_epoch(conn: &mut Connection, fresh: Uuid, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let lineage = dialect::lineage(conn)?;
    let empty: i64 = on_backend!(conn, c => feed_head::table.count().get_result(c))?;
    if empty == 0 {
        on_backend!(conn, c => diesel::insert_into(feed_head::table)
            .values((
                feed_head::id.eq(1),
                feed_head::epoch.eq(Id(fresh)),
                feed_head::epoch_began.eq(0_i64),
                feed_head::lineage.eq(&lineage),
                feed_head::seq.eq(0_i64),
                feed_head::floor.eq(0_i64),
                feed_head::chain_head.eq(vec![0_u8; 32]),
                feed_head::reference_seq.eq(0_i64),
                feed_head::access_seq.eq(0_i64),
            ))
            .on_conflict_do_nothing()
            .execute(c))?;
        return Ok(true);
    }
    let mut tx = Tx::begin(conn, None, || now)?;
    let changed = tx.head().lineage != lineage;
    if changed {
        tx.turn_over(fresh, lineage);
    }
    tx.commit()?;
    Ok(changed)
}

/// The head, without a lock.
pub(crate) fn read_head(conn: &mut Connection) -> Result<Head, StoreError> {
    let row: HeadRow = on_backend!(conn, c => feed_head::table.select(head_columns()).first(c))?;
    Ok(head_of(row))
}
