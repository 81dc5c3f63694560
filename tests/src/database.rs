//! A database for each test, copied from a template that is migrated and filled once: a file of its own for SQLite, a
//! database of its own in a private cluster for PostgreSQL. Gone when its test ends, however it ends.
//! Knows nothing of what the template is filled with.

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use muong_store::{Connection, DatabaseUrl};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use tempfile::TempDir;

/// The address of a PostgreSQL server on which databases may be made and dropped.
pub const POSTGRES_URL: &str = "MUONG_TEST_POSTGRES_URL";
/// Held while a template is made, so that two test processes do not make it together.
const TEMPLATE_LOCK: i64 = 7_883_252;
/// What the name of every template begins with.
const TEMPLATE: &str = "muong_template_";

/// Which of the two databases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    /// Embedded, a file.
    Sqlite,
    /// A server.
    Postgres,
}

/// Fills a migrated, empty database, given its address.
pub type Fill = fn(&DatabaseUrl);

/// A database that only one test knows.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    /// The folder of the file; deleted when dropped.
    File { _folder: TempDir },
    /// The name of the database.
    Named(String),
    /// Another one keeps it.
    Elsewhere,
}

impl TestDatabase {
    /// A copy of the template.
    pub fn fresh(backend: Backend, fill: Fill) -> Self {
        match backend {
            Backend::Sqlite => sqlite(Some(fill)),
            Backend::Postgres => postgres(Some(fill)),
        }
    }

    /// A database in which there is nothing yet, not even a table.
    pub fn empty(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => sqlite(None),
            Backend::Postgres => postgres(None),
        }
    }

    /// One that somebody else keeps.
    pub fn at(url: &str) -> Self {
        Self { url: url.to_owned(), kept: Kept::Elsewhere }
    }

    /// The same one for a further process; to be let go of before it.
    pub fn shared(&self) -> Self {
        Self { url: self.url.clone(), kept: Kept::Elsewhere }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A connection to it, for questions that HTTP does not answer.
    pub fn connect(&self) -> Connection {
        parse(&self.url).open().expect("the test's database opens")
    }
}

// --- what befalls a server ------------------------------------------------------------------------------

impl TestDatabase {
    /// Ends every connection to it, as a restart of its server does; waits until they are gone.
    pub fn break_connections(&self) {
        if let Kept::Named(name) = &self.kept {
            on_server(&format!(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'"
            ));
        }
    }

    /// Whether it takes new connections.
    pub fn let_in(&self, allowed: bool) {
        if let Kept::Named(name) = &self.kept {
            on_server(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}"));
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Kept::Named(name) = &self.kept {
            // FORCE: a test that failed may have left a server with open connections.
            if let Err(error) = try_on_server(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")) {
                eprintln!("the database {name} could not be dropped: {error}");
            }
        }
    }
}

pub(crate) fn parse(url: &str) -> DatabaseUrl {
    DatabaseUrl::parse(url).expect("a database address")
}

// --- SQLite ---------------------------------------------------------------------------------------------

/// The template is kept as bytes, so that no file outlives the process.
static SQLITE_TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();

fn sqlite(fill: Option<Fill>) -> TestDatabase {
    let folder = TempDir::with_prefix("muong-test-").expect("a temporary folder");
    let path = folder.path().join("muong.db");
    if let Some(fill) = fill {
        let template = SQLITE_TEMPLATE.get_or_init(|| sqlite_template(fill));
        std::fs::write(&path, template).expect("the template is copied");
    }
    TestDatabase { url: sqlite_url(&path), kept: Kept::File { _folder: folder } }
}

fn sqlite_url(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

fn sqlite_template(fill: Fill) -> Vec<u8> {
    let folder = TempDir::with_prefix("muong-template-").expect("a temporary folder");
    let path = folder.path().join("muong.db");
    let url = parse(&sqlite_url(&path));
    fill(&url);
    let Connection::Sqlite(mut conn) = url.open().expect("the template opens") else { unreachable!("it is SQLite") };
    conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").expect("everything is in the one file");
    std::fs::read(&path).expect("the template is read")
}

// --- PostgreSQL -----------------------------------------------------------------------------------------

static NUMBER: AtomicU32 = AtomicU32::new(1);
static POSTGRES_TEMPLATE: OnceLock<String> = OnceLock::new();

fn postgres(fill: Option<Fill>) -> TestDatabase {
    let name = format!("muong_test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    match fill {
        Some(fill) => {
            let template = POSTGRES_TEMPLATE.get_or_init(|| postgres_template(fill));
            on_server(&format!("CREATE DATABASE {name} TEMPLATE {template}"));
        }
        None => on_server(&format!("CREATE DATABASE {name} TEMPLATE template0")),
    }
    TestDatabase { url: named(server_url(), &name), kept: Kept::Named(name) }
}

/// Made once for each build of the tests: a template of an older build may hold another schema or another province.
fn postgres_template(fill: Fill) -> String {
    let name = format!("{TEMPLATE}{}", build_key());
    let mut server = open_server();
    sql_query(format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).execute(&mut server).expect("the lock is taken");
    let databases = |condition: &str| -> Vec<Named> {
        let text = format!("SELECT datname::text AS name FROM pg_database WHERE {condition}");
        sql_query(text).load(&mut open_server()).expect("databases are listed")
    };
    if databases(&format!("datname = '{name}'")).is_empty() {
        for old in databases(&format!("datname LIKE '{TEMPLATE}%'")) {
            on_server(&format!("DROP DATABASE IF EXISTS {}", old.name));
        }
        // Under another name first: a template that was not finished must not be taken for one.
        let draft = format!("{name}_draft");
        on_server(&format!("CREATE DATABASE {draft} TEMPLATE template0"));
        fill(&parse(&named(server_url(), &draft)));
        on_server(&format!("ALTER DATABASE {draft} RENAME TO {name}"));
    }
    sql_query(format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})"))
        .execute(&mut server)
        .expect("the lock is given back");
    name
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = Text)]
    name: String,
}

fn build_key() -> String {
    let program = std::env::current_exe().expect("the path of the test program");
    let file = std::fs::metadata(&program).expect("the test program is a file");
    let text = format!("{} {:?} {}", program.display(), file.modified().ok(), file.len());
    Sha256::digest(text)[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same server, another database.
fn named(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, ""), |(address, query)| (address, query));
    let server = address.rfind('/').map_or(address, |slash| &address[..slash]);
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    format!("{server}/{name}{query}")
}

fn open_server() -> diesel::PgConnection {
    match parse(server_url()).open() {
        Ok(Connection::Postgres(conn)) => conn,
        Ok(Connection::Sqlite(_)) => panic!("{POSTGRES_URL} must be the address of a PostgreSQL server"),
        Err(error) => panic!("the PostgreSQL server of the tests does not answer: {error}"),
    }
}

/// Statements about whole databases go through one connection, one after the other: PostgreSQL makes two that use the
/// same template wait for each other anyway.
static SERVER: Mutex<Option<diesel::PgConnection>> = Mutex::new(None);

fn try_on_server(statement: &str) -> diesel::QueryResult<()> {
    let mut server = SERVER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    server.get_or_insert_with(open_server).batch_execute(statement)
}

fn on_server(statement: &str) {
    if let Err(error) = try_on_server(statement) {
        panic!("{statement}: {error}");
    }
}

fn server_url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| std::env::var(POSTGRES_URL).unwrap_or_else(|_| start_cluster()))
}

/// Without a server named, the tests start the private cluster themselves. It is left running for the next run.
fn start_cluster() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/private-postgres");
    eprintln!(
        "{POSTGRES_URL} is not set: starting a private PostgreSQL cluster; 'make postgres-stop NAME=tests' ends it"
    );
    let output = Command::new(script)
        .args(["start", "--fast", "tests"])
        .stderr(Stdio::inherit())
        .output()
        .expect("ops/private-postgres can be run");
    assert!(output.status.success(), "ops/private-postgres could not start a cluster");
    String::from_utf8(output.stdout).expect("an address is text").trim().to_owned()
}

// --- questions that HTTP does not answer ------------------------------------------------------------------

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// A number out of the database: `select` must name it `n`.
pub fn number(conn: &mut Connection, select: &str) -> i64 {
    let row: Counted = match conn {
        Connection::Sqlite(c) => sql_query(select).get_result(c),
        Connection::Postgres(c) => sql_query(select).get_result(c),
    }
    .unwrap_or_else(|error| panic!("{select}: {error}"));
    row.n
}

/// How many rows of the feed are not as they should be: a thing stands once in a scope, and a record that is there at its
/// version, where the next change looks for it.
pub fn astray_in_feed(conn: &mut Connection) -> i64 {
    let twice = "SELECT count(*) AS n FROM (SELECT 1 FROM feed GROUP BY id, scope HAVING count(*) > 1) AS found";
    let missing = "SELECT count(*) AS n FROM records r WHERE r.state = 'live' AND NOT EXISTS (SELECT 1 FROM feed f \
                   WHERE f.scope = r.unit_id AND f.seq = r.version AND f.id = r.id AND f.kind = r.form AND f.present)";
    let stale = "SELECT count(*) AS n FROM feed f JOIN records r ON r.id = f.id AND r.unit_id = f.scope \
                 WHERE f.kind = r.form AND (f.seq <> r.version OR f.present <> (r.state = 'live'))";
    [twice, missing, stale].iter().map(|select| number(conn, select)).sum()
}

/// Texts out of the database: `select` must name them `name`.
pub fn texts(conn: &mut Connection, select: &str) -> Vec<String> {
    let rows: Vec<Named> = match conn {
        Connection::Sqlite(c) => sql_query(select).load(c),
        Connection::Postgres(c) => sql_query(select).load(c),
    }
    .unwrap_or_else(|error| panic!("{select}: {error}"));
    rows.into_iter().map(|row| row.name).collect()
}

impl TestDatabase {
    /// Everything that somebody finds who has stolen it: the files of SQLite as they lie on the disk, its write-ahead log
    /// among them; of PostgreSQL every row of every table as text, in which bytes are hexadecimal.
    pub fn stolen(&self) -> Vec<u8> {
        match (&self.kept, self.connect()) {
            (Kept::File { _folder: folder }, _) => {
                let files =
                    std::fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("a file").path());
                files.flat_map(|path| std::fs::read(path).expect("a readable file")).collect()
            }
            (Kept::Elsewhere, _) => panic!("ask the one that keeps it"),
            (Kept::Named(_), mut conn) => {
                let tables =
                    texts(&mut conn, "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public'");
                let rows = |table: &String| texts(&mut conn, &format!("SELECT t::text AS name FROM \"{table}\" t"));
                tables.iter().flat_map(rows).collect::<Vec<_>>().join("\n").into_bytes()
            }
        }
    }
}

/// Does something to the database that no program does.
pub fn execute(conn: &mut Connection, statement: &str) {
    match conn {
        Connection::Sqlite(c) => c.batch_execute(statement),
        Connection::Postgres(c) => c.batch_execute(statement),
    }
    .unwrap_or_else(|error| panic!("{statement}: {error}"));
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn only_the_name_of_the_database_changes() {
        assert_eq!(named("postgres:///postgres?host=%2Frun", "a"), "postgres:///a?host=%2Frun");
        assert_eq!(named("postgres://u@h:1/x", "a"), "postgres://u@h:1/a");
    }
}
