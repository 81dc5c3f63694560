//! Everything that is worth keeping, as lines of text, from one snapshot of either database and into an empty one of
//! either. Knows rows and their order, and whether they are whole; files, compression and manifests are the server's.
//!
//! What is sealed stays sealed: no key is needed to write or to check a backup, and none is in it. Left out is what must
//! not come back: refresh tokens, which have been exchanged since, and the counts of failed attempts.

use crate::columns::{Id, Instant, Json, sql};
use crate::connection::{Connection, Database, DatabaseUrl};
use crate::dialect;
use crate::error::StoreError;
use crate::migrate;
use crate::schema::{attempts, feed_head, log as log_table, refresh_tokens};
use crate::transaction::{Head, LogEntry, LogRow, Reading, Snapshot, Tx, look_at_head};
use crate::vault::Vault;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::connection::DefaultLoadingMode;
use diesel::pg::PgRowByRowLoadingMode;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Date, Integer, Nullable, Text};
use muong_domain::id::Seq;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::sync::Arc;
use uuid::Uuid;

/// How the lines are written.
const FORMAT: u32 = 1;
/// How many rows are written into a database at once, and how many bytes of lines they may have come from.
const BATCH_ROWS: usize = 500;
const BATCH_BYTES: usize = 4 << 20;

/// The head that a backup was taken at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// Which history.
    pub epoch: Uuid,
    /// The last entry of the log.
    pub seq: i64,
    /// Its hash, hexadecimal.
    pub chain: String,
    /// Where the epoch began.
    epoch_began: i64,
    lineage: String,
    floor: i64,
    reference_seq: i64,
    access_seq: i64,
}

impl Mark {
    fn of(head: &Head) -> Self {
        Self {
            epoch: head.epoch,
            seq: head.seq.0,
            chain: hex(&head.chain),
            epoch_began: head.epoch_began.0,
            lineage: head.lineage.clone(),
            floor: head.floor.0,
            reference_seq: head.reference_seq.0,
            access_seq: head.access_seq.0,
        }
    }
}

/// What a backup holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Contents {
    /// The head.
    pub head: Mark,
    /// The last migration of the tables.
    pub schema: String,
    /// How many rows of each table.
    pub rows: BTreeMap<String, u64>,
}

/// A value of a row as it stands in a line.
trait Cell: Sized {
    fn to_cell(self) -> Value;
    fn of(cell: Value) -> Option<Self>;
}

impl Cell for String {
    fn to_cell(self) -> Value {
        Value::String(self)
    }
    fn of(cell: Value) -> Option<Self> {
        if let Value::String(text) = cell { Some(text) } else { None }
    }
}

impl Cell for i64 {
    fn to_cell(self) -> Value {
        self.into()
    }
    fn of(cell: Value) -> Option<Self> {
        cell.as_i64()
    }
}

impl Cell for i32 {
    fn to_cell(self) -> Value {
        self.into()
    }
    fn of(cell: Value) -> Option<Self> {
        cell.as_i64()?.try_into().ok()
    }
}

impl Cell for bool {
    fn to_cell(self) -> Value {
        self.into()
    }
    fn of(cell: Value) -> Option<Self> {
        cell.as_bool()
    }
}

impl Cell for Id {
    fn to_cell(self) -> Value {
        self.0.to_string().into()
    }
    fn of(cell: Value) -> Option<Self> {
        cell.as_str()?.parse().ok().map(Self)
    }
}

impl Cell for Instant {
    fn to_cell(self) -> Value {
        self.0.timestamp_micros().into()
    }
    fn of(cell: Value) -> Option<Self> {
        DateTime::from_timestamp_micros(cell.as_i64()?).map(Self)
    }
}

impl Cell for NaiveDate {
    fn to_cell(self) -> Value {
        self.to_string().into()
    }
    fn of(cell: Value) -> Option<Self> {
        cell.as_str()?.parse().ok()
    }
}

impl Cell for Json {
    fn to_cell(self) -> Value {
        self.0.into()
    }
    fn of(cell: Value) -> Option<Self> {
        String::of(cell).map(Self)
    }
}

impl Cell for Vec<u8> {
    fn to_cell(self) -> Value {
        hex(&self).into()
    }
    fn of(cell: Value) -> Option<Self> {
        let digits = cell.as_str()?.as_bytes();
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (pairs, rest) = digits.as_chunks::<2>();
        rest.is_empty().then_some(())?;
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
    }
}

impl<T: Cell> Cell for Option<T> {
    fn to_cell(self) -> Value {
        self.map_or(Value::Null, T::to_cell)
    }
    fn of(cell: Value) -> Option<Self> {
        if cell.is_null() { Some(None) } else { T::of(cell).map(Some) }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

type Cells = Vec<Value>;
type Each<'e> = &'e mut dyn FnMut(Cells) -> Result<(), StoreError>;

/// One table, as it is carried over.
struct Table {
    name: &'static str,
    columns: &'static [&'static str],
    write: fn(&mut Connection, Each<'_>) -> Result<(), StoreError>,
    insert: fn(&mut Connection, Vec<Cells>) -> Result<(), StoreError>,
    clear: fn(&mut Connection) -> Result<(), StoreError>,
}

/// Declares the tables that are carried over, in an order in which whatever a row refers to comes before it.
macro_rules! carried {
    ($($table:ident $name:literal { $($column:ident: $rust:ty, $sql:ty, $pg:literal $(as $as:literal)?;)+ })+) => {
        $(mod $table {
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

        const TABLES: &[Table] = &[$(Table {
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
        cells: Json, sql::Json, "jsonb";
        personal: Option<Vec<u8>>, Nullable<Binary>, "bytea";
    }
    record_aliases "record_aliases" {
        alias: Id, sql::Id, "uuid";
        unit_id: Id, sql::Id, "uuid";
        record_id: Id, sql::Id, "uuid";
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

fn malformed(what: &str) -> StoreError {
    StoreError::Backup(format!("{what} cannot be read"))
}

// --- writing ----------------------------------------------------------------------------------------------

#[derive(Serialize, Deserialize)]
struct Beginning {
    format: u32,
    schema: String,
    head: Mark,
}

#[derive(Serialize, Deserialize)]
struct TableLine {
    table: String,
    columns: Vec<String>,
}

/// Writes everything that a snapshot shows.
pub fn write(snapshot: &mut Snapshot<'_>, out: &mut impl Write) -> Result<Contents, StoreError> {
    let (head, schema) = (Mark::of(&snapshot.head()?), migrate::newest()?);
    let beginning = Beginning { format: FORMAT, schema: schema.clone(), head: head.clone() };
    line(out, &beginning)?;
    let mut rows = BTreeMap::new();
    for table in TABLES {
        let columns = table.columns.iter().map(|&name| name.to_owned()).collect();
        line(out, &TableLine { table: table.name.to_owned(), columns })?;
        let mut count = 0;
        (table.write)(snapshot.conn(), &mut |cells| {
            count += 1;
            line(out, &cells)
        })?;
        rows.insert(table.name.to_owned(), count);
    }
    line(out, &json!({"end": rows}))?;
    Ok(Contents { head, schema, rows })
}

fn line(out: &mut impl Write, value: &impl Serialize) -> Result<(), StoreError> {
    serde_json::to_writer(&mut *out, value).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

// --- reading ----------------------------------------------------------------------------------------------

/// What is read of a backup, in its order.
struct Reader<R> {
    lines: R,
    buffer: Vec<u8>,
    contents: Contents,
    table: Option<&'static Table>,
    next: usize,
    /// The last entry of the log that was read, and its hash.
    last: (i64, Vec<u8>),
}

/// A row, of which table, and how long its line was.
type Found = (&'static Table, Cells, usize);

impl<R: BufRead> Reader<R> {
    fn open(mut lines: R) -> Result<Self, StoreError> {
        let mut buffer = Vec::new();
        lines.read_until(b'\n', &mut buffer)?;
        let beginning: Beginning = serde_json::from_slice(&buffer).map_err(|_| malformed("its beginning"))?;
        if beginning.format != FORMAT {
            return Err(StoreError::Backup(format!("its format is {}, and {FORMAT} is known", beginning.format)));
        }
        let contents = Contents { head: beginning.head, schema: beginning.schema, rows: BTreeMap::new() };
        Ok(Self { lines, buffer, contents, table: None, next: 0, last: (0, vec![0; 32]) })
    }

    /// The next row; none after the last one of the last table, when everything was there.
    fn row(&mut self) -> Result<Option<Found>, StoreError> {
        loop {
            self.buffer.clear();
            let length = self.lines.read_until(b'\n', &mut self.buffer)?;
            if !self.buffer.ends_with(b"\n") {
                return Err(StoreError::Backup("it breaks off".to_owned()));
            }
            if self.buffer.starts_with(b"{") {
                match self.begin_table()? {
                    true => continue,
                    false => return Ok(None),
                }
            }
            let table = self.table.ok_or_else(|| malformed("a row before any table"))?;
            let cells: Cells = serde_json::from_slice(&self.buffer).map_err(|_| malformed("a row"))?;
            *self.contents.rows.entry(table.name.to_owned()).or_default() += 1;
            if table.name == "log" {
                self.link(cells.clone())?;
            }
            return Ok(Some((table, cells, length)));
        }
    }

    /// Begins the next table; false at the end.
    fn begin_table(&mut self) -> Result<bool, StoreError> {
        let Some(table) = TABLES.get(self.next) else {
            self.end()?;
            return Ok(false);
        };
        let said: TableLine = serde_json::from_slice(&self.buffer).map_err(|_| malformed("the name of a table"))?;
        if said.table != table.name || said.columns != table.columns {
            return Err(StoreError::Backup(format!(
                "it was written for other tables ({}); restore it with the version of muong that wrote it",
                self.contents.schema
            )));
        }
        self.contents.rows.insert(said.table, 0);
        self.table = Some(table);
        self.next += 1;
        Ok(true)
    }

    /// Each entry of the log follows from the one before.
    fn link(&mut self, cells: Cells) -> Result<(), StoreError> {
        let row = log::read(cells).map(LogRow::from).ok_or_else(|| malformed("an entry of the log"))?;
        let (seq, hash) = &self.last;
        if row.seq != seq + 1 || row.hash != row.expected_hash(hash) {
            return Err(StoreError::Backup(format!("entry {} of its log is missing or was changed", seq + 1)));
        }
        self.last = (row.seq, row.hash);
        Ok(())
    }

    fn end(&mut self) -> Result<(), StoreError> {
        #[derive(Deserialize)]
        struct End {
            end: BTreeMap<String, u64>,
        }
        let End { end } = serde_json::from_slice(&self.buffer).map_err(|_| malformed("its end"))?;
        let (seq, hash) = &self.last;
        if end != self.contents.rows {
            return Err(StoreError::Backup("rows are missing".to_owned()));
        }
        if (*seq, hex(hash)) != (self.contents.head.seq, self.contents.head.chain.clone()) {
            return Err(StoreError::Backup("its log does not end where its head says".to_owned()));
        }
        Ok(())
    }
}

impl From<log::Row> for LogRow {
    fn from(row: log::Row) -> Self {
        Self {
            seq: row.seq,
            received_at: row.received_at,
            actor: row.actor,
            device_id: row.device_id,
            grant_id: row.grant_id,
            kind: row.kind,
            reference: row.reference,
            outcome: row.outcome,
            content_hash: row.content_hash,
            command: row.command,
            hash: row.hash,
        }
    }
}

/// Reads a whole backup and says what is in it: every row, the log dense and each entry following from the one before.
pub fn check(lines: impl BufRead) -> Result<Contents, StoreError> {
    let mut reader = Reader::open(lines)?;
    while reader.row()?.is_some() {}
    Ok(reader.contents)
}

// --- restoring --------------------------------------------------------------------------------------------

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

// --- what is durable --------------------------------------------------------------------------------------

/// Notes in the database that a backup of it is finished and has been found whole. False when the database has begun another
/// epoch meanwhile: then it is a backup of a past that is not this one's.
pub fn note_finished(
    database: &Database,
    contents: &Contents,
    sha256: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let conn = &mut database.url().open_for_writing()?;
    // Promoted, and no server has noticed yet: without a key this is not the one to begin an epoch.
    if look_at_head(conn)?.1 {
        return Ok(false);
    }
    let mut tx = Tx::begin(conn, None, || now)?;
    if tx.head().epoch != contents.head.epoch {
        tx.rollback();
        return Ok(false);
    }
    let command = json!({"epoch": contents.head.epoch, "seq": contents.head.seq, "sha256": sha256});
    let id = muong_domain::id::derived("backup", &[contents.head.chain.as_bytes(), sha256.as_bytes()]);
    tx.append(LogEntry::of_reference("backup", id, "finished", &command));
    let at = tx.received_at();
    tx.note_durable(Seq(contents.head.seq), at);
    tx.commit()?;
    Ok(true)
}
