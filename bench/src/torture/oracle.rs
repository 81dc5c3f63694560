//! What must be true in the end, asked of the database itself, past the program: every submission that was acknowledged is
//! there once, none twice, none that nobody said; the log is whole; each phone holds what its scope holds.

use super::crew::Journal;
use crate::Fallible;
use crate::database::Scratch;
use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use muong_store::{Connection, Database, DatabaseUrl, log};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// What was found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verdict {
    /// Submissions that phones said.
    pub said: usize,
    /// Of them, those that some answer acknowledged.
    pub acknowledged: usize,
    /// Submissions in the store.
    pub stored: usize,
    /// Acknowledged, and not there.
    pub lost: usize,
    /// More than one entry of the log.
    pub doubled: usize,
    /// There, and said by nobody.
    pub made_up: usize,
    /// Whether the log has a gap or a false link.
    pub gaps: usize,
    /// Phones that hold something else than their scope does.
    pub unlike: usize,
}

impl Verdict {
    /// Whether everything is as it must be, and anything was tried at all.
    pub fn is_good(&self) -> bool {
        let Self { lost, doubled, made_up, gaps, unlike, .. } = *self;
        self.acknowledged > 0 && [lost, doubled, made_up, gaps, unlike].iter().all(|count| *count == 0)
    }
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Rows of an id and a number; `hex` on SQLite and a text on PostgreSQL are read alike.
fn counted(conn: &mut Connection, sqlite: &str, postgres: &str) -> Fallible<Vec<(Uuid, i64)>> {
    let rows: Vec<Counted> = match conn {
        Connection::Sqlite(conn) => sql_query(sqlite).load(conn)?,
        Connection::Postgres(conn) => sql_query(postgres).load(conn)?,
    };
    rows.into_iter().map(|row| Ok((row.id.parse()?, row.n))).collect()
}

/// Judges.
pub fn judge(database: &Scratch, journals: &[Journal]) -> Fallible<Verdict> {
    let url = DatabaseUrl::parse(database.url())?;
    let mut conn = url.open()?;
    let entries = counted(
        &mut conn,
        "SELECT lower(hex(ref)) AS id, count(*) AS n FROM log WHERE kind = 'submission' GROUP BY ref",
        "SELECT ref::text AS id, count(*) AS n FROM log WHERE kind = 'submission' GROUP BY ref",
    )?;
    let stored: HashSet<Uuid> = counted(
        &mut conn,
        "SELECT lower(hex(id)) AS id, seq AS n FROM submissions",
        "SELECT id::text AS id, seq AS n FROM submissions",
    )?
    .into_iter()
    .map(|(id, _)| id)
    .collect();
    let said: HashMap<Uuid, bool> =
        journals.iter().flat_map(|journal| journal.said.clone()).fold(HashMap::new(), |mut all, (id, acknowledged)| {
            *all.entry(id).or_default() |= acknowledged;
            all
        });
    let broken = Database::open(url, None, 1)?.read(|snapshot| log::first_break(snapshot))?;
    Ok(Verdict {
        said: said.len(),
        acknowledged: said.values().filter(|acknowledged| **acknowledged).count(),
        stored: stored.len(),
        lost: said.iter().filter(|(id, acknowledged)| **acknowledged && !stored.contains(id)).count(),
        doubled: entries.iter().filter(|(_, times)| *times > 1).count(),
        made_up: stored.iter().filter(|id| !said.contains_key(id)).count(),
        gaps: usize::from(broken.is_some()),
        unlike: unlike(&mut conn, journals)?,
    })
}

/// Phones that hold something else than the live records of their scope.
fn unlike(conn: &mut Connection, journals: &[Journal]) -> Fallible<usize> {
    let mut scopes: BTreeMap<Uuid, BTreeSet<(Uuid, i64)>> = BTreeMap::new();
    let mut unlike = 0;
    for Journal { scope, holds, .. } in journals {
        if !scopes.contains_key(scope) {
            let (hex, text) = (scope.simple(), scope.hyphenated());
            let live = "FROM records r JOIN unit_closure c ON c.descendant_id = r.unit_id WHERE r.state = 'live'";
            let rows = counted(
                conn,
                &format!("SELECT lower(hex(r.id)) AS id, r.version AS n {live} AND c.ancestor_id = x'{hex}'"),
                &format!("SELECT r.id::text AS id, r.version AS n {live} AND c.ancestor_id = '{text}'"),
            )?;
            scopes.insert(*scope, rows.into_iter().collect());
        }
        let expected = &scopes[scope];
        if holds != expected {
            let (more, less) = (holds.difference(expected).count(), expected.difference(holds).count());
            eprintln!("a phone of {scope} holds {more} things that its scope does not, and lacks {less}");
            unlike += 1;
        }
    }
    Ok(unlike)
}
