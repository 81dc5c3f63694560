//! Lines as rows, each checked for its place: nothing is missing, and each entry of the log follows from the one before.

use super::cell::hex;
use super::tables::{Cells, TABLES, Table, log};
use super::{Beginning, Contents, FORMAT, TableLine, malformed};
use crate::entry::LogRow;
use crate::error::StoreError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::BufRead;

/// What is read of a backup, in its order.
pub(super) struct Reader<R> {
    lines: R,
    buffer: Vec<u8>,
    /// What it holds, as far as it was read.
    pub contents: Contents,
    table: Option<&'static Table>,
    next: usize,
    /// The last entry of the log that was read, and its hash.
    last: (i64, Vec<u8>),
}

/// A row, of which table, and how long its line was.
pub(super) type Found = (&'static Table, Cells, usize);

impl<R: BufRead> Reader<R> {
    /// Reads the beginning.
    pub fn open(mut lines: R) -> Result<Self, StoreError> {
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
    pub fn row(&mut self) -> Result<Option<Found>, StoreError> {
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
