//! A snapshot as lines.

use super::tables::TABLES;
use super::{Beginning, Contents, FORMAT, Mark, TableLine};
use crate::error::StoreError;
use crate::migrate;
use crate::transaction::{Reading, Snapshot};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;

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
