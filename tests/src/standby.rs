//! Two private PostgreSQL clusters, one of which streams to the other, for tests in which the primary is lost. Gone when
//! their test ends, however it ends.

use crate::database::{Fill, TestDatabase, execute, parse};
use crate::socket::eventually;
use diesel::sql_types::Bool;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use muong_store::Connection;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A primary and its standby.
pub struct Pair {
    primary: String,
    standby: String,
    /// As the primary alone is reached.
    first: String,
    /// As the standby alone is reached.
    second: String,
    url: String,
}

#[derive(QueryableByName)]
struct Answered {
    #[diesel(sql_type = Bool)]
    holds: bool,
}

/// Asks a server a question whose answer is called `holds`.
fn holds(url: &str, question: &str) -> bool {
    let mut conn = parse(url).open().expect("it answers");
    let Connection::Postgres(conn) = &mut conn else { unreachable!("a PostgreSQL server") };
    sql_query(question).get_result::<Answered>(conn).expect("an answer").holds
}

fn run(arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/private-postgres");
    let output = Command::new(script).args(arguments).stderr(Stdio::inherit()).output().expect("the script can be run");
    assert!(output.status.success(), "ops/private-postgres {arguments:?}");
    String::from_utf8(output.stdout).expect("an address is text").trim().to_owned()
}

/// The part of an address that says where the socket is.
fn host(url: &str) -> &str {
    let (_, rest) = url.split_once("host=").expect("a socket");
    rest.split('&').next().expect("a socket")
}

impl Pair {
    /// Starts both, with one filled database.
    pub fn start(fill: Fill) -> Self {
        static PAIRS: AtomicUsize = AtomicUsize::new(0);
        let (process, pair) = (std::process::id(), PAIRS.fetch_add(1, Ordering::Relaxed));
        let (primary, standby) = (format!("a{process}-{pair}"), format!("b{process}-{pair}"));
        let first = run(&["start", "--fast", &primary]);
        let mut pair = Self { primary, standby, first: first.clone(), second: String::new(), url: String::new() };
        execute(&mut parse(&first).open().expect("the primary answers"), "CREATE DATABASE muong TEMPLATE template0");
        fill(&parse(&first.replace("/postgres?", "/muong?")));
        let second = run(&["standby", "--fast", "--of", &pair.primary, &pair.standby]);
        // libpq takes whichever of the two can be written to, as a virtual address or a proxy would.
        pair.url = format!(
            "postgres:///muong?host={},{}&port=5432,5432&user=postgres&target_session_attrs=read-write",
            host(&first),
            host(&second)
        );
        pair.second = second;
        pair
    }

    /// Their database as the standby alone shows it.
    pub fn standby_url(&self) -> String {
        self.second.replace("/postgres?", "/muong?")
    }

    /// The standby hears what comes from now on, and lets nobody see it, until [`Self::resume`].
    pub fn pause(&self) {
        self.at_standby("SELECT pg_wal_replay_pause()");
        eventually("the replay is paused", || {
            holds(&self.second, "SELECT pg_get_wal_replay_pause_state() = 'paused' AS holds")
        });
    }

    /// It goes on.
    pub fn resume(&self) {
        self.at_standby("SELECT pg_wal_replay_resume()");
    }

    fn at_standby(&self, statement: &str) {
        execute(&mut parse(&self.second).open().expect("the standby answers"), statement);
    }

    /// Their database, wherever it can be written to.
    pub fn database(&self) -> TestDatabase {
        TestDatabase::at(&self.url)
    }

    /// The primary is lost; the standby takes its place. What was committed has been streamed.
    pub fn fail_over(&self) {
        self.lose_primary();
        self.promote();
    }

    /// The primary is lost; there is nothing to write to until [`Self::promote`].
    pub fn lose_primary(&self) {
        run(&["stop", &self.primary]);
    }

    /// The standby takes its place.
    pub fn promote(&self) {
        run(&["promote", &self.standby]);
    }

    /// The standby hears nothing of what comes from now on, and has all that came before.
    pub fn cut_off(&self) {
        let streamed =
            "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()) AS holds";
        eventually("all is streamed", || holds(&self.first, streamed));
        run(&["stop", &self.standby]);
    }

    /// The primary is lost with what the standby has not heard of; that takes its place.
    pub fn fail_over_with_a_loss(&self) {
        run(&["kill", &self.primary]);
        run(&["start", "--fast", &self.standby]);
        run(&["promote", &self.standby]);
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for name in [&self.standby, &self.primary] {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/private-postgres");
            if let Err(error) = Command::new(script).args(["stop", "--remove", name]).status() {
                eprintln!("the cluster {name} could not be removed: {error}");
            }
        }
    }
}
