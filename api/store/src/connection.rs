//! Addresses, connections and pools of either database.

use crate::dialect::{POSTGRES_SETTINGS, SQLITE_PRAGMAS, SQLITE_WRITER_PRAGMAS};
use crate::error::StoreError;
use crate::vault::Vault;
use diesel::connection::SimpleConnection;
use diesel::r2d2::{ManageConnection, Pool, PooledConnection};
use diesel::{Connection as _, PgConnection, SqliteConnection};
use metrics::Histogram;
use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One connection to one of the two databases.
pub enum Connection {
    /// Embedded.
    Sqlite(SqliteConnection),
    /// A server.
    Postgres(PgConnection),
}

/// Where the data is: `sqlite://path`, `sqlite:path` (not `sqlite::memory:`: a pool would see several), `postgres://…`.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(String),
    /// A libpq address.
    Postgres(String),
}

impl DatabaseUrl {
    /// Picks the database by the scheme. Nothing else decides what is an address: the configuration asks here as well.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        match url.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest)) {
            Some(path) if !path.is_empty() && !path.contains(":memory:") => Ok(Self::Sqlite(path.to_owned())),
            _ => Err(StoreError::Address("use sqlite://<file> or postgres://<user>@<host>/<database>".to_owned())),
        }
    }

    /// `sqlite` or `postgres`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Opens a connection of its own.
    pub fn open(&self) -> Result<Connection, StoreError> {
        match self {
            Self::Sqlite(path) => {
                make_for_the_owner_alone(path);
                let mut conn = SqliteConnection::establish(path)?;
                conn.batch_execute(SQLITE_PRAGMAS)?;
                enter_wal(&mut conn)?;
                Ok(Connection::Sqlite(conn))
            }
            Self::Postgres(url) => {
                let mut conn = PgConnection::establish(url)?;
                conn.batch_execute(POSTGRES_SETTINGS)?;
                Ok(Connection::Postgres(conn))
            }
        }
    }
}

/// A new file is for its owner, and SQLite gives its log and its index the same mode; by itself it lets everybody read.
/// What goes wrong here is met again, and told, when the file is opened.
fn make_for_the_owner_alone(path: &str) {
    if !path.starts_with("file:") {
        let _there_already = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    }
}

/// How often, and how long apart, a connection tries to switch a file to WAL: for ten seconds in all.
const WAL_ATTEMPTS: u32 = 200;
const WAL_PAUSE: Duration = Duration::from_millis(50);

/// Switching a new file to WAL does not wait for another process that does the same (`busy_timeout` does not count
/// for it), so we do. A file that is in WAL already stays so and answers at once.
fn enter_wal(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut attempt = 1;
    loop {
        match conn.batch_execute("PRAGMA journal_mode = WAL") {
            Err(_locked) if attempt < WAL_ATTEMPTS => std::thread::sleep(WAL_PAUSE),
            ended => return Ok(ended?),
        }
        attempt += 1;
    }
}

impl DatabaseUrl {
    /// Opens the connection that all changes go through.
    pub(crate) fn open_for_writing(&self) -> Result<Connection, StoreError> {
        let mut conn = self.open()?;
        if let Connection::Sqlite(c) = &mut conn {
            c.batch_execute(SQLITE_WRITER_PRAGMAS)?;
        }
        Ok(conn)
    }
}

/// Never the address itself: it may hold a password.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.kind())
    }
}

#[derive(Debug)]
pub(crate) struct Manager(DatabaseUrl);

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = StoreError;

    fn connect(&self) -> Result<Connection, StoreError> {
        self.0.open()
    }

    /// No ping at check-out: it costs a round trip each time; a broken connection is met by [`Database::on_reader`].
    fn is_valid(&self, _: &mut Connection) -> Result<(), StoreError> {
        Ok(())
    }

    fn has_broken(&self, conn: &mut Connection) -> bool {
        use diesel::connection::TransactionManager;
        // Who panicked with a transaction open must not hand it on.
        std::thread::panicking()
            || match conn {
                Connection::Sqlite(_) => false,
                Connection::Postgres(c) => diesel::connection::AnsiTransactionManager::is_broken_transaction_manager(c),
            }
    }
}

/// A pool of connections for reading; writes go through the one [`crate::Writer`].
#[derive(Clone)]
pub struct Database {
    url: DatabaseUrl,
    vault: Option<Arc<Vault>>,
    readers: Pool<Manager>,
    wait: Histogram,
}

/// How the pool of readers stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolState {
    /// Connections on loan.
    pub in_use: u32,
    /// Open connections that wait to be used.
    pub idle: u32,
}

impl Database {
    /// Opens a pool of at most `readers` connections; the first is made at once, so that a wrong address fails here.
    pub fn open(url: DatabaseUrl, vault: Option<Arc<Vault>>, readers: u32) -> Result<Self, StoreError> {
        drop(url.open()?);
        let pool = Pool::builder()
            .max_size(readers)
            .min_idle(Some(1))
            .test_on_check_out(false)
            .connection_timeout(Duration::from_secs(5))
            .build_unchecked(Manager(url.clone()));
        Ok(Self { url, vault, readers: pool, wait: Histogram::noop() })
    }

    /// The same of a standby, which may be away now and come later: nothing is opened before it is asked.
    pub fn open_lazily(url: DatabaseUrl, vault: Option<Arc<Vault>>, readers: u32) -> Self {
        let pool = Pool::builder()
            .max_size(readers)
            .min_idle(Some(0))
            .test_on_check_out(false)
            .connection_timeout(Duration::from_secs(1))
            .build_unchecked(Manager(url.clone()));
        Self { url, vault, readers: pool, wait: Histogram::noop() }
    }

    /// Whether the database answers, and whether it is up to date with this binary.
    pub fn status(&self) -> Result<crate::MigrationStatus, StoreError> {
        self.on_reader(crate::migration_status)
    }

    /// The address.
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// The keys that its personal values are sealed under; none for whoever reads none.
    pub(crate) fn vault(&self) -> Option<Arc<Vault>> {
        self.vault.clone()
    }

    /// A digest under the store's own key, as of whoever has its master key.
    pub fn digest(&self, value: &[u8]) -> Result<[u8; 32], StoreError> {
        self.vault.as_ref().ok_or(StoreError::Sealed("this was opened without a master key"))?.digest(value)
    }

    /// A connection for reading.
    pub(crate) fn reader(&self) -> Result<PooledReader, StoreError> {
        let asked = Instant::now();
        let reader = self.readers.get();
        self.wait.record(asked.elapsed());
        Ok(reader?)
    }

    /// Notes what each read waits for its connection.
    #[must_use]
    pub fn noting_waits(self, wait: Histogram) -> Self {
        Self { wait, ..self }
    }

    /// How the pool stands.
    pub fn pool(&self) -> PoolState {
        let state = self.readers.state();
        PoolState { in_use: state.connections - state.idle_connections, idle: state.idle_connections }
    }

    /// Does something on a connection of the pool. One that turns out to be broken is replaced where it is, by a new one,
    /// once: a restart of the database breaks all of the pool, and another one of it would be no better.
    pub(crate) fn on_reader<T>(
        &self,
        mut f: impl FnMut(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut reader = self.reader()?;
        match f(&mut reader) {
            Err(error) if error.is_broken_connection() => {
                *reader = self.url.open()?;
                f(&mut reader)
            }
            other => other,
        }
    }

    /// How many connections for reading there may be.
    pub fn readers(&self) -> u32 {
        self.readers.max_size()
    }
}

/// A reader on loan from the pool.
pub(crate) type PooledReader = PooledConnection<Manager>;
