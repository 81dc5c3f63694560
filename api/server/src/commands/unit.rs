//! `muong unit …`: units, for whoever holds the shell of the server: the province and its communes from public data that
//! comes with the program, and everything below them from a file. What is there already is left as it is.

use crate::cli::{UnitCommand, UnitImportArgs};
use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::demo::units::{COMMITTEE_SCHEME, COMMUNE_SCHEME};
use crate::messages::{self, Args, Lang};
use crate::reference::ReferenceCache;
use crate::state::{StartError, Storage};
use crate::usecases::import_units::{Code, Fault, Imported, Listed, import_units};
use chrono::NaiveDate;
use muong_domain::access::Authority;
use muong_domain::id::UnitId;
use muong_store::{Outcome, WriterError};
use serde::Deserialize;
use std::io::{self, Write};

/// Why nothing was founded.
#[derive(Debug, thiserror::Error)]
pub enum UnitError {
    /// The store could not be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The writer failed.
    #[error("the database: {0}")]
    Writer(#[from] WriterError),
    /// The file is no table of units.
    #[error("{0}")]
    Table(#[from] csv::Error),
    /// Lines of it are wrong; told one by one.
    #[error("nothing has been founded:\n{0}")]
    Refused(String),
    /// The terminal or a file.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The right by which everything here is done.
const OPERATOR: Authority = Authority::operator_of_the_server();
/// The 45 communes and wards of the province, with the codes of the statistics office.
const COMMUNES: &str = include_str!("../../../../data/dien-bien/communes.csv");
/// The statistics office's code of the province, on its party committee as the codes of communes are on theirs.
const PROVINCE: &str = "11";
/// The scheme of the same code on the province itself.
const PROVINCE_SCHEME: &str = "gso_province";

/// Does what the command says; tells it on `out`.
pub fn run(
    command: &UnitCommand,
    config: &Config,
    clock: Clock,
    entropy: &Entropy,
    mut out: impl Write,
) -> Result<(), UnitError> {
    let new_id = || entropy.uuid(clock.now()).into();
    // Before the store is opened: a file that cannot be read changes nothing.
    let list = match command {
        UnitCommand::Found => province(new_id)?,
        UnitCommand::Import(args) => table(args, new_id)?,
    };
    let storage = Storage::open(config, clock, entropy)?;
    let cache = ReferenceCache::default();
    let imported = storage.writer.write(1, move |tx| import_units(tx, &cache, &OPERATOR, &list));
    storage.close();
    match imported? {
        Outcome::Commit(Imported { founded, known }) => {
            Ok(writeln!(out, "Founded {founded} units; {known} were there already.")?)
        }
        Outcome::Refuse(faults) => Err(UnitError::Refused(faults.iter().map(told).collect::<Vec<_>>().join("\n"))),
    }
}

fn told(fault: &Fault) -> String {
    let Fault { line, code, about } = fault;
    format!("line {line}, {about}: {}", messages::localised(Lang::En, code, &Args::new()))
}

/// A line of the list of communes.
#[derive(Deserialize)]
struct Commune {
    code: String,
    full_name: String,
}

/// The tops of both trees, and each commune in both of them.
fn province(new_id: impl Fn() -> UnitId) -> Result<Vec<Listed>, UnitError> {
    let unit = |(scheme, code): (&str, &str), kind: &str, name: String, parent, since: Option<NaiveDate>| Listed {
        id: new_id(),
        line: 0,
        code: Code::new(scheme, code),
        kind: kind.to_owned(),
        name,
        parent,
        valid_from: since,
        founded_on: None,
        covers: Vec::new(),
    };
    let (committee, area) = (Code::new(COMMITTEE_SCHEME, PROVINCE), Code::new(PROVINCE_SCHEME, PROVINCE));
    let (began, reform) = (NaiveDate::from_ymd_opt(2004, 1, 1), NaiveDate::from_ymd_opt(2025, 7, 1));
    let mut list = vec![
        unit((COMMITTEE_SCHEME, PROVINCE), "provincial_committee", "Tỉnh ủy Điện Biên".to_owned(), None, began),
        unit((PROVINCE_SCHEME, PROVINCE), "province", "Tỉnh Điện Biên".to_owned(), None, began),
    ];
    for line in csv::Reader::from_reader(COMMUNES.as_bytes()).deserialize() {
        let Commune { code, full_name } = line?;
        let mut letters = full_name.chars();
        let lower: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
        let of_committee = format!("Đảng ủy {lower}");
        list.push(unit((COMMITTEE_SCHEME, &code), "commune_committee", of_committee, Some(committee.clone()), reform));
        list.push(unit((COMMUNE_SCHEME, &code), "commune", full_name.clone(), Some(area.clone()), reform));
    }
    Ok(list)
}

/// A line of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    code: String,
    kind: String,
    name: String,
    #[serde(default)]
    parent: String,
    #[serde(default)]
    founded_on: Option<NaiveDate>,
    #[serde(default)]
    covers: String,
}

/// The units of a file: `code,kind,name,parent,founded_on,covers`, with commas or, as spreadsheets here write it,
/// semicolons in between.
fn table(args: &UnitImportArgs, new_id: impl Fn() -> UnitId) -> Result<Vec<Listed>, UnitError> {
    let bytes = std::fs::read(&args.file)?;
    let head = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let delimiter = if head.contains(&b';') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(&bytes[..]);
    let (mut list, mut wrong) = (Vec::new(), Vec::new());
    let head = reader.headers()?.clone();
    // Rows as a spreadsheet counts them: the reader's own lines are one short where they end with CR and LF.
    for (record, number) in reader.records().zip(2..) {
        let record = record?;
        match listed(number, record.deserialize(Some(&head))?, new_id()) {
            Ok(listed) => list.push(listed),
            Err(about) => wrong.push(Fault { line: number, code: "unit.code_invalid", about }),
        }
    }
    match wrong.is_empty() {
        true => Ok(list),
        false => Err(UnitError::Refused(wrong.iter().map(told).collect::<Vec<_>>().join("\n"))),
    }
}

/// A line with its codes read, or the first that is none.
fn listed(line: u64, written: Line, id: UnitId) -> Result<Listed, String> {
    let Line { code, kind, name, parent, founded_on, covers } = written;
    let read = |text: &str| Code::parse(text).ok_or_else(|| text.to_owned());
    Ok(Listed {
        id,
        line,
        code: read(&code)?,
        kind,
        name,
        parent: if parent.is_empty() { None } else { Some(read(&parent)?) },
        valid_from: None,
        founded_on,
        covers: covers.split_whitespace().map(read).collect::<Result<_, _>>()?,
    })
}
