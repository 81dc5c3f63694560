//! What a database says of itself: settings, rights and its clock, for `muong check`. Changes nothing, and judges nothing:
//! what is wrong with an answer is for whoever asked.

use crate::columns::Instant;
use crate::connection::{Connection, Database};
use crate::dialect;
use crate::error::StoreError;
use crate::schema::log;
use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Text, Timestamptz};

/// What it says.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Its version, as it names it.
    pub version: String,
    /// When the last entry of the log was received.
    pub last_entry: Option<DateTime<Utc>>,
    /// What only a server can say.
    pub server: Option<ServerFacts>,
}

/// What a PostgreSQL server says.
#[derive(Clone, Debug, QueryableByName)]
pub struct ServerFacts {
    /// Its version as a number: 150004 is 15.4.
    #[diesel(sql_type = Integer)]
    pub version_number: i32,
    /// Its clock.
    #[diesel(sql_type = Timestamptz)]
    pub now: DateTime<Utc>,
    /// The zone of its sessions.
    #[diesel(sql_type = Text)]
    pub time_zone: String,
    /// The encoding of this database.
    #[diesel(sql_type = Text)]
    pub encoding: String,
    /// What a commit waits for (`synchronous_commit`).
    #[diesel(sql_type = Text)]
    pub synchronous_commit: String,
    /// Whether it flushes at all (`fsync`).
    #[diesel(sql_type = Text)]
    pub fsync: String,
    /// Whether it survives a torn page (`full_page_writes`).
    #[diesel(sql_type = Text)]
    pub full_page_writes: String,
    /// The isolation of a transaction that does not say so itself.
    #[diesel(sql_type = Text)]
    pub default_isolation: String,
    /// Whether transactions only read, unless they say so themselves.
    #[diesel(sql_type = Text)]
    pub default_read_only: String,
    /// Whether it is a standby.
    #[diesel(sql_type = Bool)]
    pub in_recovery: bool,
    /// Connections that anybody may have: without those that are kept for superusers.
    #[diesel(sql_type = BigInt)]
    pub connections: i64,
    /// Connections that are open now, this one included.
    #[diesel(sql_type = BigInt)]
    pub connected: i64,
    /// Whether this role may make tables here, as a migration does.
    #[diesel(sql_type = Bool)]
    pub may_create: bool,
    /// Whether this role may ask which history this is (`pg_control_system`).
    #[diesel(sql_type = Bool)]
    pub may_ask_lineage: bool,
    /// Tables here that this role may not read and change.
    #[diesel(sql_type = BigInt)]
    pub forbidden_tables: i64,
}

const FACTS: &str = "SELECT current_setting('server_version_num')::int AS version_number, \
    clock_timestamp() AS now, current_setting('TimeZone') AS time_zone, \
    pg_encoding_to_char((SELECT encoding FROM pg_database WHERE datname = current_database()))::text AS encoding, \
    current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') AS fsync, \
    current_setting('full_page_writes') AS full_page_writes, \
    current_setting('default_transaction_isolation') AS default_isolation, \
    current_setting('default_transaction_read_only') AS default_read_only, pg_is_in_recovery() AS in_recovery, \
    (current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint) \
        AS connections, \
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connected, \
    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create, \
    has_function_privilege('pg_control_system()', 'EXECUTE') \
        AND has_function_privilege('pg_control_checkpoint()', 'EXECUTE') AS may_ask_lineage, \
    (SELECT count(*) FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' \
        AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT') \
            AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))) AS forbidden_tables";

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

impl Database {
    /// Asks. Before the first migration there is no log to ask for.
    pub fn inspect(&self, migrated: bool) -> Result<Inspection, StoreError> {
        let conn = &mut *self.reader()?;
        let last_entry = if migrated { last_entry(conn)? } else { None };
        match conn {
            Connection::Sqlite(c) => {
                let row: Version =
                    diesel::sql_query("SELECT 'SQLite ' || sqlite_version() AS version").get_result(c)?;
                Ok(Inspection { version: row.version, last_entry, server: None })
            }
            Connection::Postgres(c) => {
                let name = "SELECT 'PostgreSQL ' || current_setting('server_version') AS version";
                let row: Version = diesel::sql_query(name).get_result(c)?;
                let facts = diesel::sql_query(FACTS).get_result(c)?;
                Ok(Inspection { version: row.version, last_entry, server: Some(facts) })
            }
        }
    }

    /// Takes the lock that every change takes, writes what stands there already, and gives both back.
    pub fn try_to_write(&self) -> Result<(), StoreError> {
        let conn = &mut *self.reader()?;
        dialect::begin_write(conn)?;
        if let Connection::Postgres(c) = conn {
            // SQLite's connections wait ten seconds by themselves; here nobody would end the waiting.
            c.batch_execute("SET LOCAL lock_timeout = '10s'")?;
        }
        let written = on_backend!(&mut *conn, c => c.batch_execute("UPDATE feed_head SET seq = seq"));
        dialect::rollback(conn);
        Ok(written?)
    }
}

fn last_entry(conn: &mut Connection) -> Result<Option<DateTime<Utc>>, StoreError> {
    let last: Option<Instant> = on_backend!(conn, c => log::table
        .select(log::received_at)
        .order(log::seq.desc())
        .first(c)
        .optional())?;
    Ok(last.map(|at| at.0))
}
