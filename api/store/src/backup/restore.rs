//! A backup into a database, in one transaction, as the beginning of a new epoch.

use super::cell::Cell;
use super::read::Reader;
use super::tables::{Cells, TABLES, Table};
use super::{Mark, malformed};
use crate::columns::Id;
use crate::connection::{Connection, DatabaseUrl};
use crate::dialect;
use crate::error::StoreError;
use crate::migrate;
use crate::schema::{attempts, feed_head, log as log_table, refresh_tokens};
use crate::transaction::Tx;
use crate::vault::Vault;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use muong_domain::id::Seq;
use serde_json::Value;
use std::io::BufRead;
use std::sync::Arc;

/// How many rows are written into a database at once, and how many bytes of lines they may have come from.
const BATCH_ROWS: usize = 500;
const BATCH_BYTES: usize = 4 << 20;

/// Where a backup goes.
pub struct Target<'a> {
    /// The database: migrated by this program.
    pub url: &'a DatabaseUrl,
    /// The keys that its data is sealed under.
    pub vault: Arc<Vault>,
    /// Whether what is there already is removed first.
    pub replace: bool,
    /// The time.
    pub now: DateTime<Utc>,
}

/// Restores a backup, and lets `finish` do what belongs to it, in one transaction: all of it is there afterwards, or nothing.
pub fn restore<T>(
    target: &Target<'_>,
    lines: impl BufRead,
    finish: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let conn = &mut target.url.open_for_writing()?;
    let lineage = dialect::lineage(conn)?;
    dialect::begin_write(conn)?;
    let restored = fill(conn, target, lines).and_then(|mark| {
        let mut tx = Tx::resume(conn, Arc::clone(&target.vault), target.now)?;
        tx.turn_over(target.vault.fresh_id(), lineage);
        // This backup is there; whether any later one is, nobody can say.
        tx.note_durable(Seq(mark.seq), target.now);
        match finish(&mut tx) {
            Ok(done) => tx.commit().map(|_head| done),
            Err(error) => Err(error),
        }
    });
    if restored.is_err() {
        dialect::rollback(conn);
    }
    restored
}

fn fill(conn: &mut Connection, target: &Target<'_>, lines: impl BufRead) -> Result<Mark, StoreError> {
    let mut reader = Reader::open(lines)?;
    if reader.contents.schema != migrate::newest()? {
        return Err(StoreError::Backup(format!(
            "its tables are those of {}; restore it with the version of muong that wrote it",
            reader.contents.schema
        )));
    }
    let entries: i64 = on_backend!(&mut *conn, c => log_table::table.count().get_result(c))?;
    if entries > 0 && !target.replace {
        return Err(StoreError::NotEmpty);
    }
    clear(conn)?;
    let (mut table, mut batch, mut bytes): (Option<&'static Table>, Vec<Cells>, usize) = (None, Vec::new(), 0);
    while let Some((of, cells, length)) = reader.row()? {
        let is_full = batch.len() >= BATCH_ROWS || bytes >= BATCH_BYTES;
        if let Some(table) = table.filter(|table| table.name != of.name || is_full) {
            (table.insert)(conn, std::mem::take(&mut batch))?;
            bytes = 0;
        }
        table = Some(of);
        batch.push(cells);
        bytes += length;
    }
    if let Some(table) = table {
        (table.insert)(conn, batch)?;
    }
    let mark = reader.contents.head;
    write_head(conn, &mark)?;
    Ok(mark)
}

/// Also what the first start of a server has made by itself.
fn clear(conn: &mut Connection) -> Result<(), StoreError> {
    on_backend!(&mut *conn, c => {
        diesel::delete(attempts::table).execute(c)?;
        diesel::delete(refresh_tokens::table).execute(c)?;
        diesel::delete(feed_head::table).execute(c)?;
    });
    TABLES.iter().rev().try_for_each(|table| (table.clear)(conn))
}

fn write_head(conn: &mut Connection, mark: &Mark) -> Result<(), StoreError> {
    let chain = Vec::<u8>::of(Value::String(mark.chain.clone())).ok_or_else(|| malformed("the head's hash"))?;
    on_backend!(conn, c => diesel::insert_into(feed_head::table)
        .values((
            feed_head::id.eq(1),
            feed_head::epoch.eq(Id(mark.epoch)),
            feed_head::epoch_began.eq(mark.epoch_began),
            feed_head::lineage.eq(&mark.lineage),
            feed_head::seq.eq(mark.seq),
            feed_head::floor.eq(mark.floor),
            feed_head::chain_head.eq(chain),
            feed_head::reference_seq.eq(mark.reference_seq),
            feed_head::access_seq.eq(mark.access_seq),
            feed_head::durable.eq(mark.seq),
        ))
        .execute(c))?;
    Ok(())
}
