//! Users come in from a table (CSV), all of them or none. Every line is checked before anything is done, and each fault
//! is told by its line and column; a dry run does only that. Passwords are made here and told once.
//!
//! Columns, in any order, named by the first line: `username`, `display_name`; and for a grant `role`, `unit`
//! (`scheme:code` or an id), `valid_from`, `valid_to` (local days, `YYYY-MM-DD`; the last is the day after the last).

use super::administration::{Administrator, change, look};
use super::authenticate::Authenticated;
use super::create_user::{Adding, Ids, MadePassword, add, new_password};
use super::failure::Failure;
use super::give_grant::{Giving, may_give};
use crate::state::App;
use chrono::NaiveDate;
use muong_domain::access::Role;
use muong_domain::account::{Label, Username};
use muong_domain::id::UnitId;
use muong_domain::refusal::Finding;
use muong_domain::time::first_instant;
use muong_store::users;
use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use uuid::Uuid;

/// So many lines at once: each costs a password hash, one after the other, so that others sign in beside it.
pub const MAX_ROWS: usize = 200;
/// What the first line may name.
pub const COLUMNS: [&str; 6] = ["username", "display_name", "role", "unit", "valid_from", "valid_to"];
/// What it must name.
const REQUIRED: usize = 2;

/// One line that became, or would become, a user.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The line of the table, as a spreadsheet counts: the first after the names of the columns is 2.
    pub line: u64,
    /// The name to sign in with.
    pub username: String,
    /// The user, unless it was a dry run.
    pub user: Option<Uuid>,
    /// Their password, unless it was a dry run.
    pub password: Option<MadePassword>,
}

/// Imports a table, or only checks it.
pub async fn import_users(
    app: &App,
    who: &Authenticated,
    table: Vec<u8>,
    dry_run: bool,
) -> Result<Vec<Imported>, Failure> {
    // Who may not do this must not make the server work.
    look(app, who, |_, _| Ok(())).await?;
    let rows = super::failure::work(app, move || read_table(&table)).await??;
    let checked = look(app, who, move |snapshot, administrator| {
        let names: Vec<Username> = rows.iter().filter_map(|row| Username::parse(row.of("username")).ok()).collect();
        let taken = users::taken(snapshot, &names)?.into_iter().collect();
        Checking { administrator, codes: codes(administrator), taken, met: HashSet::new(), faults: Vec::new() }
            .check(&rows)
    })
    .await?;
    if dry_run {
        let would = |(line, adding): (u64, Adding)| Imported {
            line,
            username: adding.username.as_str().to_owned(),
            user: None,
            password: None,
        };
        return Ok(checked.into_iter().map(would).collect());
    }
    add_all(app, who, checked).await
}

async fn add_all(app: &App, who: &Authenticated, checked: Vec<(u64, Adding)>) -> Result<Vec<Imported>, Failure> {
    let (mut added, mut imported) = (Vec::with_capacity(checked.len()), Vec::with_capacity(checked.len()));
    for (line, adding) in checked {
        let (hash, password) = new_password(app, None).await?;
        let ids = Ids::new(app, adding.grants.len());
        let username = adding.username.as_str().to_owned();
        imported.push(Imported { line, username, user: Some(ids.user), password });
        added.push((line, adding, hash, ids));
    }
    change(app, who, move |tx, administrator| {
        for (line, adding, hash, ids) in &added {
            // What has changed since it was checked is told by its line.
            add(tx, administrator, adding, hash, ids).map_err(|failure| at_line(failure, *line))?;
        }
        Ok(())
    })
    .await?;
    Ok(imported)
}

fn at_line(failure: Failure, line: u64) -> Failure {
    match failure {
        Failure::Refused { code, mut findings } => {
            if findings.is_empty() {
                findings.push(Finding::new(code, ""));
            }
            findings.iter_mut().for_each(|finding| finding.pointer = format!("/{line}"));
            Failure::Refused { code: "import.faulty", findings }
        }
        other => other,
    }
}

// --- the table ----------------------------------------------------------------------------------------------------

/// A line, by the names of its columns.
#[derive(Debug)]
struct Row {
    line: u64,
    cells: HashMap<&'static str, String>,
}

impl Row {
    fn of(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }
}

fn fault(code: &'static str, line: u64, column: &str) -> Finding {
    let shown: String = column.chars().filter(|c| !c.is_control()).take(40).collect();
    let pointer = format!("/{line}/{}", shown.replace('~', "~0").replace('/', "~1"));
    Finding::new(code, pointer).with("line", line).with("column", shown)
}

fn faulty(faults: Vec<Finding>) -> Failure {
    Failure::Refused { code: "import.faulty", findings: faults }
}

/// Reads a table. A spreadsheet may put a byte order mark before it, and semicolons into it.
fn read_table(bytes: &[u8]) -> Result<Vec<Row>, Failure> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let delimiter = if first.contains(&b';') && !first.contains(&b',') { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(csv::Trim::All).from_reader(bytes);
    let columns = match reader.headers() {
        Ok(names) => columns(names)?,
        Err(_not_utf8) => return Err(faulty(vec![fault("import.unreadable", 1, "")])),
    };
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    // Rows as a spreadsheet counts them: the reader's own lines are one short where they end with CR and LF.
    for (record, line) in reader.records().zip(2..) {
        if rows.len() + faults.len() >= MAX_ROWS {
            let finding = Finding::new("import.too_many_rows", "").with("max", MAX_ROWS);
            return Err(Failure::invalid(finding, "import.too_many_rows"));
        }
        match record {
            Ok(record) => {
                if record.len() == columns.len() {
                    let cells = columns.iter().zip(&record).map(|(name, cell)| (*name, cell.to_owned())).collect();
                    rows.push(Row { line, cells });
                } else {
                    faults.push(fault("import.wrong_number_of_cells", line, "").with("columns", columns.len()));
                }
            }
            Err(_not_utf8) => faults.push(fault("import.unreadable", line, "")),
        }
    }
    if !faults.is_empty() {
        return Err(faulty(faults));
    }
    if rows.is_empty() { Err(Failure::refused("import.empty")) } else { Ok(rows) }
}

fn columns(names: &csv::StringRecord) -> Result<Vec<&'static str>, Failure> {
    let (mut found, mut faults) = (Vec::with_capacity(names.len()), Vec::new());
    for name in names {
        match COLUMNS.into_iter().find(|known| *known == name) {
            Some(known) if !found.contains(&known) => found.push(known),
            _ => faults.push(fault("import.column_unknown", 1, name)),
        }
    }
    let missing = COLUMNS[..REQUIRED].iter().filter(|name| !found.contains(name));
    faults.extend(missing.map(|name| fault("import.column_missing", 1, name)));
    if faults.is_empty() { Ok(found) } else { Err(faulty(faults)) }
}

// --- its lines ----------------------------------------------------------------------------------------------------

/// The units that the administrator administers, by the codes that they have today.
fn codes(administrator: &Administrator) -> HashMap<String, UnitId> {
    let today = administrator.today();
    let mut found = HashMap::new();
    for unit in administrator.reference().units.iter().filter(|unit| administrator.covers(unit.id)) {
        let now = |held: &&muong_domain::unit::UnitCode| {
            held.valid_from <= today && held.valid_to.is_none_or(|end| today < end)
        };
        found.extend(unit.codes.iter().filter(now).map(|held| (format!("{}:{}", held.scheme, held.code), unit.id)));
    }
    found
}

/// Everything that a line is held against.
struct Checking<'a> {
    administrator: &'a Administrator,
    codes: HashMap<String, UnitId>,
    taken: HashSet<String>,
    met: HashSet<String>,
    faults: Vec<Finding>,
}

impl Checking<'_> {
    fn check(mut self, rows: &[Row]) -> Result<Vec<(u64, Adding)>, Failure> {
        let checked: Vec<_> = rows.iter().filter_map(|row| Some((row.line, self.line(row)?))).collect();
        if self.faults.is_empty() { Ok(checked) } else { Err(faulty(self.faults)) }
    }

    /// What a line says, unless something is wrong with it; all that is.
    fn line(&mut self, row: &Row) -> Option<Adding> {
        let (username, display_name, grants) = (self.username(row), self.display_name(row), self.grants(row));
        Some(Adding { username: username?, display_name: display_name?, grants: grants? })
    }

    fn wrong<T>(&mut self, code: &'static str, row: &Row, column: &str) -> Option<T> {
        self.faults.push(fault(code, row.line, column));
        None
    }

    fn username(&mut self, row: &Row) -> Option<Username> {
        let Ok(name) = Username::parse(row.of("username")) else {
            return self.wrong("user.name_invalid", row, "username");
        };
        if self.taken.contains(name.as_str()) {
            return self.wrong("user.name_taken", row, "username");
        }
        if !self.met.insert(name.as_str().to_owned()) {
            return self.wrong("import.username_repeated", row, "username");
        }
        Some(name)
    }

    fn display_name(&mut self, row: &Row) -> Option<Label> {
        let text = row.of("display_name");
        // A spreadsheet would run it, when the list is opened there again.
        if text.starts_with(['=', '+', '-', '@']) {
            return self.wrong("import.formula", row, "display_name");
        }
        match Label::parse(text) {
            Ok(label) => Some(label),
            Err(_not_one_line) => {
                self.faults.push(fault("user.label_invalid", row.line, "display_name").with("max", Label::MAX_CHARS));
                None
            }
        }
    }

    fn grants(&mut self, row: &Row) -> Option<Vec<Giving>> {
        let named = COLUMNS[REQUIRED..].iter().any(|column| !row.of(column).is_empty());
        if !named && self.administrator.is_of_a_whole_tree() {
            return Some(Vec::new());
        }
        let (role, unit) = (self.role(row), self.unit(row));
        let (from, to) = (self.day(row, "valid_from"), self.day(row, "valid_to"));
        let (role, unit, from, to) = (role?, unit?, from?, to?);
        let from = from.filter(|day| *day != self.administrator.today()).map(first_instant);
        let giving = Giving { role, unit, from, to: to.map(first_instant) };
        match may_give(self.administrator, &giving) {
            Ok(_) => Some(vec![giving]),
            Err((Failure::Refused { code, .. }, part)) => self.wrong(code, row, part.trim_start_matches('/')),
            Err(_) => self.wrong("unit.unknown", row, "unit"),
        }
    }

    fn role(&mut self, row: &Row) -> Option<Role> {
        let role = Role::parse(row.of("role"));
        if role.is_none() {
            let roles = Role::ALL.map(Role::as_str).join(", ");
            self.faults.push(fault("grant.role_unknown", row.line, "role").with("roles", roles));
        }
        role
    }

    fn unit(&mut self, row: &Row) -> Option<UnitId> {
        let text = row.of("unit");
        let found = self.codes.get(text).copied().or_else(|| Uuid::try_parse(text).ok().map(UnitId::new));
        found.or_else(|| self.wrong("unit.unknown", row, "unit"))
    }

    /// A local day; none where the cell is empty.
    fn day(&mut self, row: &Row, column: &str) -> Option<Option<NaiveDate>> {
        let text = row.of(column);
        if text.is_empty() {
            return Some(None);
        }
        match NaiveDate::from_str(text).ok().filter(|_| text.len() == 10) {
            Some(day) => Some(Some(day)),
            None => self.wrong("import.date", row, column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(table: &str) -> Vec<String> {
        match read_table(table.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(Failure::Refused { code, findings }) if findings.is_empty() => vec![code.to_owned()],
            Err(Failure::Refused { findings, .. }) => {
                findings.iter().map(|finding| format!("{} {}", finding.pointer, finding.code)).collect()
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_table_is_read_however_a_spreadsheet_writes_it() {
        for table in [
            "username,display_name\na.b,Sùng A Páo\n",
            "\u{feff}display_name;username\r\n\"Sùng A Páo\"; a.b \r\n\r\n",
            "display_name,username\n\"Sùng A Páo\",a.b",
        ] {
            let rows = read_table(table.as_bytes()).unwrap();
            let said: Vec<_> = rows.iter().map(|row| (row.line, row.of("username"), row.of("display_name"))).collect();
            assert_eq!(said, [(2, "a.b", "Sùng A Páo")], "{table:?}");
        }
    }

    #[test]
    fn what_is_no_table_is_told_by_its_line_and_column() {
        assert_eq!(faults(""), ["/1/username import.column_missing", "/1/display_name import.column_missing"]);
        assert_eq!(faults("username,display_name\n"), ["import.empty"]);
        assert_eq!(
            faults("username,password,username\na,b,c\n"),
            [
                "/1/password import.column_unknown",
                "/1/username import.column_unknown",
                "/1/display_name import.column_missing"
            ]
        );
        assert_eq!(
            faults("username,display_name\na,b\nc\nd,e,f\n"),
            ["/3/ import.wrong_number_of_cells", "/4/ import.wrong_number_of_cells"]
        );
        let many = "username,display_name\n".to_owned() + &"a,b\n".repeat(MAX_ROWS + 1);
        assert_eq!(faults(&many), [" import.too_many_rows"]);
        assert_eq!(read_table(b"username,display_name\na,\xff\n").map(|rows| rows.len()).ok(), None);
    }
}
