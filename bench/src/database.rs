//! A database for each measure, of its own and gone afterwards: a file in the bench's folder, or a database of the
//! PostgreSQL server that was named.

use crate::Fallible;
use crate::process;
use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use muong_store::{Connection, DatabaseUrl};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Where the databases of a measure are made.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// In a folder.
    Sqlite(&'a Path),
    /// On a server: the address of any database there, as somebody who may make others.
    Postgres(&'a str),
}

/// A database of its own.
pub struct Scratch {
    url: String,
    /// The server and the name, where it must be dropped.
    dropped: Option<(String, String)>,
    /// The process whose family does its work, when that is not the server under test.
    postmaster: Option<u32>,
}

static NUMBER: AtomicU32 = AtomicU32::new(1);

impl Place<'_> {
    /// As the tables name it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// As addresses name it.
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Makes an empty one.
    pub fn make(&self) -> Fallible<Scratch> {
        let name = format!("muong_bench_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        match self {
            Self::Sqlite(folder) => {
                let url = format!("sqlite://{}", folder.join(format!("{name}.db")).display());
                Ok(Scratch { url, dropped: None, postmaster: None })
            }
            Self::Postgres(server) => {
                on_server(server, &format!("CREATE DATABASE {name} TEMPLATE template0"))?;
                let postmaster = postmaster(server)?;
                let url = named(server, &name);
                Ok(Scratch { url, dropped: Some(((*server).to_owned(), name)), postmaster })
            }
        }
    }

    /// The folder in which its data lies.
    pub fn folder(&self) -> Fallible<PathBuf> {
        match self {
            Self::Sqlite(folder) => Ok(folder.to_path_buf()),
            Self::Postgres(server) => {
                Ok(PathBuf::from(ask(server, "SELECT current_setting('data_directory') AS said")?))
            }
        }
    }

    /// The settings that decide what a commit costs, as the server tells them.
    pub fn settings(&self) -> Fallible<String> {
        match self {
            Self::Sqlite(_) => Ok("WAL, synchronous=FULL".to_owned()),
            Self::Postgres(server) => ask(
                server,
                "SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1) \
                 || ', fsync=' || current_setting('fsync') \
                 || ', synchronous_commit=' || current_setting('synchronous_commit') \
                 || ', shared_buffers=' || current_setting('shared_buffers') AS said",
            ),
        }
    }
}

#[derive(QueryableByName)]
struct Said {
    #[diesel(sql_type = Text)]
    said: String,
}

/// A text that a PostgreSQL server knows: `select` must name it `said`.
fn ask(url: &str, select: &str) -> Fallible<String> {
    let Connection::Postgres(mut conn) = DatabaseUrl::parse(url)?.open()? else {
        return Err("not the address of a PostgreSQL server".into());
    };
    let row: Said = sql_query(select).get_result(&mut conn)?;
    Ok(row.said)
}

impl Scratch {
    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The processes of a database server of its own.
    pub fn processes(&self) -> Vec<u32> {
        self.postmaster.map(process::children).unwrap_or_default()
    }

    /// How many bytes it takes on the disk.
    pub fn bytes(&self) -> Fallible<u64> {
        let Some(path) = self.url.strip_prefix("sqlite://") else {
            return Ok(ask(&self.url, "SELECT pg_database_size(current_database())::text AS said")?.parse()?);
        };
        let sizes =
            ["", "-wal"].map(|suffix| std::fs::metadata(format!("{path}{suffix}")).map_or(0, |file| file.len()));
        Ok(sizes.iter().sum())
    }

    /// Processor time that a database server of its own has used; none where it is embedded.
    pub fn cpu(&self) -> Duration {
        self.postmaster.map_or(Duration::ZERO, process::cpu_of_family)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.dropped
            && let Err(error) = on_server(server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        {
            eprintln!("the database {name} could not be dropped: {error}");
        }
        if let Some(path) = self.url.strip_prefix("sqlite://") {
            for suffix in ["", "-wal", "-shm"] {
                // Some are not there.
                let _gone = std::fs::remove_file(format!("{path}{suffix}"));
            }
        }
    }
}

fn on_server(server: &str, statement: &str) -> Fallible<()> {
    match DatabaseUrl::parse(server)?.open()? {
        Connection::Postgres(mut conn) => Ok(conn.batch_execute(statement)?),
        Connection::Sqlite(_) => Err("not the address of a PostgreSQL server".into()),
    }
}

/// The head of the server's processes, when it runs on this machine.
fn postmaster(server: &str) -> Fallible<Option<u32>> {
    let backend = ask(server, "SELECT pg_backend_pid()::text AS said")?;
    Ok(process::parent_named(backend.parse()?, "postgres"))
}

/// The same server, another database.
fn named(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, String::new()), |(a, q)| (a, format!("?{q}")));
    let server = address.rfind('/').map_or(address, |slash| &address[..slash]);
    format!("{server}/{name}{query}")
}
