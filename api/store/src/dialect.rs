//! The ONLY place, with `columns.rs`, where the two databases differ.

use crate::connection::Connection;
use crate::error::StoreError;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};

/// Expands one body of diesel code for each backend. No trait, no boxed queries: the compiler checks both.
macro_rules! on_backend {
    ($conn:expr, $c:ident => $body:expr) => {
        match $conn {
            $crate::connection::Connection::Sqlite($c) => $body,
            $crate::connection::Connection::Postgres($c) => $body,
        }
    };
}

/// How many values one `eq_any` or insert may bind: SQLite stops at 32,766, PostgreSQL at 65,535.
pub const BIND_CHUNK: usize = 1_000;

/// Begins a transaction that may write. SQLite takes its lock now: a deferred upgrade answers BUSY whatever the timeout.
pub fn begin_write(conn: &mut Connection) -> Result<(), StoreError> {
    match conn {
        Connection::Sqlite(c) => c.batch_execute("BEGIN IMMEDIATE")?,
        Connection::Postgres(c) => c.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED")?,
    }
    Ok(())
}

/// Begins a transaction that only reads, all of it in one snapshot.
pub fn begin_read(conn: &mut Connection) -> Result<(), StoreError> {
    match conn {
        Connection::Sqlite(c) => c.batch_execute("BEGIN DEFERRED")?,
        Connection::Postgres(c) => c.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?,
    }
    Ok(())
}

/// Commits.
pub fn commit(conn: &mut Connection) -> Result<(), StoreError> {
    Ok(on_backend!(conn, c => c.batch_execute("COMMIT"))?)
}

/// Rolls back; an error here means that the connection is gone, and with it the transaction.
pub fn rollback(conn: &mut Connection) {
    let result = on_backend!(conn, c => c.batch_execute("ROLLBACK"));
    if let Err(error) = result {
        tracing::warn!(%error, "rollback failed; the connection is given up");
    }
}

/// The settings of a new SQLite connection. FULL, since in WAL mode NORMAL can lose an acknowledged commit. A commit brings
/// the log into the file itself only where the checkpointer falls behind: at 64 MiB (see `checkpoint.rs`).
pub const SQLITE_PRAGMAS: &str = "PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000; \
     PRAGMA wal_autocheckpoint = 16000; PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF;";

/// The settings of a new PostgreSQL connection. Every query has its index, and none is better off without it: but a statement
/// that was prepared while its table was almost empty walks the table, and goes on so as it grows, until somebody has
/// gathered statistics (a rush on a new database took three times as long). Where there is no other way than a walk it is
/// taken all the same, at a price for which PostgreSQL would compile it (`jit`).
pub const POSTGRES_SETTINGS: &str = "SET enable_seqscan = off; SET jit = off;";

/// The one writer touches scattered pages of every index: it may keep 32 MiB of them, once a process. (64 made nothing
/// faster, and SQLite walks them all at each commit that has split a page.) What it takes out of a page that it writes anyway
/// it overwrites with zeros (`FAST`): otherwise the halves of pages that were split keep copies of wrapped keys, which would
/// outlive the erasure of their person.
pub const SQLITE_WRITER_PRAGMAS: &str = "PRAGMA cache_size = -32768; PRAGMA secure_delete = FAST;";

/// From here to the end of the transaction, also pages that are given up are overwritten with zeros.
pub fn overwrite_what_is_deleted(conn: &mut Connection) -> Result<(), StoreError> {
    if let Connection::Sqlite(c) = conn {
        c.batch_execute("PRAGMA secure_delete = ON")?;
    }
    Ok(())
}

#[derive(QueryableByName)]
struct Checkpoint {
    #[diesel(sql_type = Integer)]
    busy: i32,
}

/// How much of SQLite's write-ahead log has been brought into the file.
#[derive(QueryableByName, Clone, Copy, Debug)]
pub struct LogPages {
    /// All pages in it.
    #[diesel(sql_type = BigInt)]
    log: i64,
    /// Those that stand in the file as well.
    #[diesel(sql_type = BigInt)]
    checkpointed: i64,
}

impl LogPages {
    /// What is yet to be brought in.
    pub fn left(&self) -> i64 {
        self.log - self.checkpointed
    }
}

/// How SQLite's write-ahead log stands; on PostgreSQL that is nobody's business.
pub fn log_pages(conn: &mut Connection) -> Result<LogPages, StoreError> {
    checkpoint(conn, "PRAGMA wal_checkpoint(NOOP)")
}

/// Brings SQLite's write-ahead log into the file, as far as that can be done without keeping anybody waiting.
pub fn bring_in(conn: &mut Connection) -> Result<LogPages, StoreError> {
    checkpoint(conn, "PRAGMA wal_checkpoint(PASSIVE)")
}

/// Where a SQLite database is kept; nowhere, when that is memory or PostgreSQL.
pub fn file(conn: &mut Connection) -> Result<Option<String>, StoreError> {
    let Connection::Sqlite(c) = conn else { return Ok(None) };
    let listed = diesel::sql_query("SELECT file FROM pragma_database_list WHERE name = 'main'");
    Ok(Some(listed.get_result::<Listed>(c)?.file).filter(|file| !file.is_empty()))
}

#[derive(QueryableByName)]
struct Listed {
    #[diesel(sql_type = Text)]
    file: String,
}

fn checkpoint(conn: &mut Connection, pragma: &'static str) -> Result<LogPages, StoreError> {
    match conn {
        Connection::Sqlite(c) => Ok(diesel::sql_query(pragma).get_result(c)?),
        Connection::Postgres(_) => Ok(LogPages { log: 0, checkpointed: 0 }),
    }
}

/// Brings everything from SQLite's write-ahead log into the file and leaves the log empty, for it holds pages as they were
/// before. Answers whether it could: a reader may hold it for a moment. Of PostgreSQL, see [`crate::seal::destroy`].
pub fn empty_write_ahead_log(conn: &mut Connection) -> Result<bool, StoreError> {
    let Connection::Sqlite(c) = conn else { return Ok(true) };
    // Others wait for the writer meanwhile: rather a little now and again later than ten seconds at once.
    c.batch_execute("PRAGMA busy_timeout = 500")?;
    let done = diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result::<Checkpoint>(c);
    c.batch_execute("PRAGMA busy_timeout = 10000")?;
    let emptied = done?.busy == 0;
    if emptied {
        c.batch_execute("PRAGMA secure_delete = FAST")?;
    }
    Ok(emptied)
}

/// Whether whoever writes anything keeps everybody else from writing: then all that is written goes through one writer.
/// (With a connection of its own, a second writer on SQLite would poll for the lock, and flush the disk once more.)
pub fn has_one_write_lock(conn: &Connection) -> bool {
    matches!(conn, Connection::Sqlite(_))
}

/// PostgreSQL's timeline; none of a standby. By what is being written, since `pg_control_checkpoint` tells a promotion only
/// when its first checkpoint is done, a while after the first commit.
pub const TIMELINE: &str = "CASE WHEN pg_is_in_recovery() THEN NULL ELSE \
     ('x' || lpad(left(pg_walfile_name(pg_current_wal_lsn()), 8), 16, '0'))::bit(64)::bigint END";

#[derive(QueryableByName)]
struct Lineage {
    #[diesel(sql_type = Text)]
    lineage: String,
}

/// What tells this database's history from a copy of it: on PostgreSQL the system identifier and the timeline,
/// which a promotion or a point-in-time recovery changes. SQLite has neither; there a restore says so itself.
pub fn lineage(conn: &mut Connection) -> Result<String, StoreError> {
    match conn {
        Connection::Sqlite(_) => Ok("sqlite".to_owned()),
        Connection::Postgres(c) => {
            let row: Lineage = diesel::sql_query(format!(
                "SELECT s.system_identifier::text || '/' || coalesce({TIMELINE}, c.timeline_id)::text AS lineage \
                 FROM pg_control_system() s, pg_control_checkpoint() c"
            ))
            .get_result(c)?;
            Ok(row.lineage)
        }
    }
}

/// Two replicas that start together migrate one after the other. SQLite needs none: its migrations are transactions.
pub fn lock_for_migration(conn: &mut Connection) -> Result<(), StoreError> {
    if let Connection::Postgres(c) = conn {
        diesel::sql_query("SELECT pg_advisory_lock(7883251)").execute(c)?;
    }
    Ok(())
}

/// Gives the lock back.
pub fn unlock_for_migration(conn: &mut Connection) -> Result<(), StoreError> {
    if let Connection::Postgres(c) = conn {
        diesel::sql_query("SELECT pg_advisory_unlock(7883251)").execute(c)?;
    }
    Ok(())
}
