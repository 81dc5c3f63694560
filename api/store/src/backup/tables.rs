//! Which tables a backup carries, with their columns. A test fails when one is neither here nor left out on purpose.

use super::cell::Cell;
use super::malformed;
use crate::columns::{Id, Instant, Json, sql};
use crate::connection::Connection;
use crate::error::StoreError;
use chrono::NaiveDate;
use diesel::connection::DefaultLoadingMode;
use diesel::pg::PgRowByRowLoadingMode;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Date, Integer, Nullable, Text};
use serde_json::Value;

/// A row.
pub(super) type Cells = Vec<Value>;
/// What is done with each row.
pub(super) type Each<'e> = &'e mut dyn FnMut(Cells) -> Result<(), StoreError>;

/// One table, as it is carried over.
pub(super) struct Table {
    pub name: &'static str,
    pub columns: &'static [&'static str],
    pub write: fn(&mut Connection, Each<'_>) -> Result<(), StoreError>,
    pub insert: fn(&mut Connection, Vec<Cells>) -> Result<(), StoreError>,
    pub clear: fn(&mut Connection) -> Result<(), StoreError>,
}

/// Declares the tables that are carried over, in an order in which whatever a row refers to comes before it.
macro_rules! carried {
    ($($table:ident $name:literal { $($column:ident: $rust:ty, $sql:ty, $pg:literal $(as $as:literal)?;)+ })+) => {
        $(pub(super) mod $table {
            use super::*;
            use crate::schema::$table as of;
            use diesel::Table as _;

            #[derive(diesel::Queryable)]
            pub struct Row { $(pub $column: $rust,)+ }

            insert_rows!(Row => $name { $($column: $rust, $sql, $pg $(as $as)?;)+ } "");

            pub const COLUMNS: &[&str] = &[$(stringify!($column)),+];

            /// In the order of the primary key, a row at a time.
            pub fn write(conn: &mut Connection, each: Each<'_>) -> Result<(), StoreError> {
                let rows = of::table.order(of::table.primary_key()).select(($(of::$column,)+));
                match conn {
                    Connection::Sqlite(c) => {
                        for row in rows.load_iter::<Row, DefaultLoadingMode>(c)? {
                            each(cells(row?))?;
                        }
                    }
                    Connection::Postgres(c) => {
                        for row in rows.load_iter::<Row, PgRowByRowLoadingMode>(c)? {
                            each(cells(row?))?;
                        }
                    }
                }
                Ok(())
            }

            fn cells(row: Row) -> Cells {
                vec![$(row.$column.to_cell()),+]
            }

            pub fn read(cells: Cells) -> Option<Row> {
                let mut cells = cells.into_iter();
                let row = Row { $($column: Cell::of(cells.next()?)?,)+ };
                cells.next().is_none().then_some(row)
            }

            pub fn insert(conn: &mut Connection, rows: Vec<Cells>) -> Result<(), StoreError> {
                let rows: Option<Vec<Row>> = rows.into_iter().map(read).collect();
                let rows = rows.ok_or_else(|| malformed(concat!("a row of ", $name)))?;
                Ok(insert_rows(conn, &rows)?)
            }

            pub fn clear(conn: &mut Connection) -> Result<(), StoreError> {
                on_backend!(conn, c => diesel::delete(of::table).execute(c))?;
                Ok(())
            }
        })+

        /// In the order in which they are carried over.
        pub(super) const TABLES: &[Table] = &[$(Table {
            name: $name,
            columns: $table::COLUMNS,
            write: $table::write,
            insert: $table::insert,
            clear: $table::clear,
        }),+];
    };
}

carried! {
    log "log" {
        seq: i64, BigInt, "bigint";
        received_at: Instant, sql::Instant, "timestamptz";
        actor: Option<Id>, Nullable<sql::Id>, "uuid";
        device_id: Option<Id>, Nullable<sql::Id>, "uuid";
        grant_id: Option<Id>, Nullable<sql::Id>, "uuid";
        kind: String, Text, "text";
        reference: Id, sql::Id, "uuid" as "ref";
        outcome: String, Text, "text";
        content_hash: Vec<u8>, Binary, "bytea";
        command: Option<String>, Nullable<Text>, "text";
        hash: Vec<u8>, Binary, "bytea";
    }
    users "users" {
        id: Id, sql::Id, "uuid";
        username: String, Text, "text";
        display_name: String, Text, "text";
        password_hash: String, Text, "text";
        created_at: Instant, sql::Instant, "timestamptz";
        disabled_at: Option<Instant>, Nullable<sql::Instant>, "timestamptz";
    }
    devices "devices" {
        id: Id, sql::Id, "uuid";
        user_id: Id, sql::Id, "uuid";
        name: String, Text, "text";
        registered_at: Instant, sql::Instant, "timestamptz";
        revoked_at: Option<Instant>, Nullable<sql::Instant>, "timestamptz";
        secret_hash: Option<Vec<u8>>, Nullable<Binary>, "bytea";
    }
    sessions "sessions" {
        id: Id, sql::Id, "uuid";
        user_id: Id, sql::Id, "uuid";
        device_id: Id, sql::Id, "uuid";
        started_at: Instant, sql::Instant, "timestamptz";
        ended_at: Option<Instant>, Nullable<sql::Instant>, "timestamptz";
        end_reason: Option<String>, Nullable<Text>, "text";
    }
    totp "totp" {
        user_id: Id, sql::Id, "uuid";
        secret: Vec<u8>, Binary, "bytea";
        begun_at: Instant, sql::Instant, "timestamptz";
        confirmed_at: Option<Instant>, Nullable<sql::Instant>, "timestamptz";
        last_step: i64, BigInt, "bigint";
    }
    recovery_codes "recovery_codes" {
        user_id: Id, sql::Id, "uuid";
        code_hash: Vec<u8>, Binary, "bytea";
        used_at: Option<Instant>, Nullable<sql::Instant>, "timestamptz";
    }
    units "units" {
        id: Id, sql::Id, "uuid";
        tree: String, Text, "text";
        founded_on: Option<NaiveDate>, Nullable<Date>, "date";
        seq: i64, BigInt, "bigint";
    }
    unit_versions "unit_versions" {
        unit_id: Id, sql::Id, "uuid";
        valid_from: NaiveDate, Date, "date";
        valid_to: Option<NaiveDate>, Nullable<Date>, "date";
        kind: String, Text, "text";
        name: String, Text, "text";
        parent_id: Option<Id>, Nullable<sql::Id>, "uuid";
        seq: i64, BigInt, "bigint";
    }
    unit_codes "unit_codes" {
        scheme: String, Text, "text";
        code: String, Text, "text";
        valid_from: NaiveDate, Date, "date";
        unit_id: Id, sql::Id, "uuid";
        valid_to: Option<NaiveDate>, Nullable<Date>, "date";
    }
    unit_coverage "unit_coverage" {
        branch_id: Id, sql::Id, "uuid";
        village_id: Id, sql::Id, "uuid";
        valid_from: NaiveDate, Date, "date";
        valid_to: Option<NaiveDate>, Nullable<Date>, "date";
    }
    unit_closure "unit_closure" {
        ancestor_id: Id, sql::Id, "uuid";
        descendant_id: Id, sql::Id, "uuid";
        depth: i32, Integer, "integer";
    }
    grants "grants" {
        id: Id, sql::Id, "uuid";
        user_id: Id, sql::Id, "uuid";
        role: String, Text, "text";
        unit_id: Id, sql::Id, "uuid";
        valid_from: Instant, sql::Instant, "timestamptz";
        valid_to: Option<Instant>, Nullable<sql::Instant>, "timestamptz";
        seq: i64, BigInt, "bigint";
        given_seq: i64, BigInt, "bigint";
        ended: bool, Bool, "boolean";
        earlier_ends: Option<String>, Nullable<Text>, "text";
    }
    forms "forms" {
        code: String, Text, "text";
        version: i32, Integer, "integer";
        valid_from: NaiveDate, Date, "date";
        definition: String, Text, "text";
        seq: i64, BigInt, "bigint";
    }
    data_keys "data_keys" {
        kind: String, Text, "text";
        owner: Id, sql::Id, "uuid";
        master: String, Text, "text";
        wrapped: Option<Vec<u8>>, Nullable<Binary>, "bytea";
    }
    submissions "submissions" {
        id: Id, sql::Id, "uuid";
        seq: i64, BigInt, "bigint";
        device_id: Id, sql::Id, "uuid";
        n: Option<i64>, Nullable<BigInt>, "bigint";
        author: Id, sql::Id, "uuid";
        unit_id: Option<Id>, Nullable<sql::Id>, "uuid";
        record_id: Option<Id>, Nullable<sql::Id>, "uuid";
        kind: Option<String>, Nullable<Text>, "text";
        form: Option<String>, Nullable<Text>, "text";
        captured_at: Option<Instant>, Nullable<sql::Instant>, "timestamptz";
        origin: String, Text, "text";
        content_hash: Vec<u8>, Binary, "bytea";
        status: String, Text, "text";
        subject: Option<Id>, Nullable<sql::Id>, "uuid";
        body: Vec<u8>, Binary, "bytea";
        result: Vec<u8>, Binary, "bytea";
    }
    records "records" {
        id: Id, sql::Id, "uuid";
        form: String, Text, "text";
        unit_id: Id, sql::Id, "uuid";
        subject: Option<Id>, Nullable<sql::Id>, "uuid";
        version: i64, BigInt, "bigint";
        created_seq: i64, BigInt, "bigint";
        state: String, Text, "text";
        disputed: bool, Bool, "boolean";
        occurred_on: Option<NaiveDate>, Nullable<Date>, "date";
        natural_key: Option<String>, Nullable<Text>, "text";
        cells: Json, Text, "text";
        personal: Option<Vec<u8>>, Nullable<Binary>, "bytea";
    }
    record_aliases "record_aliases" {
        alias: Id, sql::Id, "uuid";
        unit_id: Id, sql::Id, "uuid";
        record_id: Id, sql::Id, "uuid";
        seq: i64, BigInt, "bigint";
    }
    record_moves "record_moves" {
        record_id: Id, sql::Id, "uuid";
        unit_id: Id, sql::Id, "uuid";
        seq: i64, BigInt, "bigint";
    }
    personal_keys "personal_keys" {
        kind: String, Text, "text";
        digest: Vec<u8>, Binary, "bytea";
        record_id: Id, sql::Id, "uuid";
    }
    conflicts "conflicts" {
        id: Id, sql::Id, "uuid";
        record_id: Id, sql::Id, "uuid";
        form: String, Text, "text";
        unit_id: Id, sql::Id, "uuid";
        path: String, Text, "text";
        round: i32, Integer, "integer";
        code: String, Text, "text";
        fields: String, Text, "text";
        opened_seq: i64, BigInt, "bigint";
        closed_seq: Option<i64>, Nullable<BigInt>, "bigint";
        decision: Option<Id>, Nullable<sql::Id>, "uuid";
        subject: Option<Id>, Nullable<sql::Id>, "uuid";
    }
    quarantine "quarantine" {
        id: Id, sql::Id, "uuid";
        submission_id: Id, sql::Id, "uuid";
        unit_id: Option<Id>, Nullable<sql::Id>, "uuid";
        author: Id, sql::Id, "uuid";
        form: Option<String>, Nullable<Text>, "text";
        code: String, Text, "text";
        waits_on: Option<Id>, Nullable<sql::Id>, "uuid";
        opened_seq: i64, BigInt, "bigint";
        closed_seq: Option<i64>, Nullable<BigInt>, "bigint";
        closing: Option<String>, Nullable<Text>, "text";
        subject: Option<Id>, Nullable<sql::Id>, "uuid";
        outcome: Option<Vec<u8>>, Nullable<Binary>, "bytea";
    }
    decisions "decisions" {
        id: Id, sql::Id, "uuid";
        seq: i64, BigInt, "bigint";
        kind: String, Text, "text";
        actor: Id, sql::Id, "uuid";
        target: Id, sql::Id, "uuid";
        subject: Option<Id>, Nullable<sql::Id>, "uuid";
        body: Vec<u8>, Binary, "bytea";
    }
    feed "feed" {
        id: Id, sql::Id, "uuid";
        scope: Id, sql::Id, "uuid";
        kind: String, Text, "text";
        seq: i64, BigInt, "bigint";
        present: bool, Bool, "boolean";
    }
    erased_submissions "erased_submissions" {
        id: Id, sql::Id, "uuid";
        author: Id, sql::Id, "uuid";
        seq: i64, BigInt, "bigint";
    }
    erased_records "erased_records" {
        id: Id, sql::Id, "uuid";
        unit_id: Id, sql::Id, "uuid";
        seq: i64, BigInt, "bigint";
    }
    audit "audit" {
        chain: Id, sql::Id, "uuid";
        position: i64, BigInt, "bigint";
        at: Instant, sql::Instant, "timestamptz";
        kind: String, Text, "text";
        user_id: Option<Id>, Nullable<sql::Id>, "uuid";
        device_id: Option<Id>, Nullable<sql::Id>, "uuid";
        what: String, Text, "text";
        outcome: String, Text, "text";
        reason: Option<String>, Nullable<Text>, "text";
        request_id: Option<Id>, Nullable<sql::Id>, "uuid";
        address: Option<String>, Nullable<Text>, "text";
        hash: Vec<u8>, Binary, "bytea";
    }
    audit_subjects "audit_subjects" {
        chain: Id, sql::Id, "uuid";
        position: i64, BigInt, "bigint";
        subject: Id, sql::Id, "uuid";
        unit_id: Option<Id>, Nullable<sql::Id>, "uuid";
        at: Instant, sql::Instant, "timestamptz";
    }
}

/// Tables whose rows are not carried over.
pub const LEFT_OUT: [&str; 3] = ["attempts", "feed_head", "refresh_tokens"];

/// The tables that are carried over, each with its columns as a backup names them.
pub fn carried() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    TABLES.iter().map(|table| (table.name, table.columns))
}
