//! The real server, in this process, on a port of its own, over a database of its own, with a clock that the test sets.
//! Owns starting and stopping it. Asks nothing of it: that is `client`.

use crate::builders;
use crate::client::{Client, Reporter};
use crate::database::{Backend, TestDatabase};
use crate::province;
use chrono::{DateTime, TimeDelta, Utc};
use muong_domain::access::Role;
use muong_domain::id::UserId;
use muong_server::cli::{BackupArgs, KeysCommand, RestoreArgs, RotateSigningArgs, UserCommand};
use muong_server::clock::{Clock, Entropy};
use muong_server::commands::restore::{RestoreError, Restored};
use muong_server::commands::{backup, keys, restore, serve, user};
use muong_server::config::{Config, Secret};
use muong_server::security::token;
use muong_server::state::App;
use muong_store::grants::{self, NewGrant};
use serde_json::json;
use std::fs::Permissions;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use tempfile::TempDir;
use tokio::sync::oneshot;
use uuid::Uuid;

/// Makes two tests of each sentence, `sqlite::…` and `postgres::…`. A sentence is a function of a running server; one
/// that is not listed is dead code, and the compiler says so.
#[macro_export]
macro_rules! on_both {
    ($($sentence:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $sentence() {
                super::$sentence(&$crate::TestApp::start($crate::Backend::Sqlite));
            })+
        }
        mod postgres {
            $(#[test]
            fn $sentence() {
                super::$sentence(&$crate::TestApp::start($crate::Backend::Postgres));
            })+
        }
    };
}

/// The same for sentences that start a server of their own, since it is configured in a way of its own: functions of a
/// backend.
#[macro_export]
macro_rules! on_each {
    ($($sentence:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $sentence() {
                super::$sentence($crate::Backend::Sqlite);
            })+
        }
        mod postgres {
            $(#[test]
            fn $sentence() {
                super::$sentence($crate::Backend::Postgres);
            })+
        }
    };
}

/// What every test's clock shows at first: the morning on which the report of scenario S1 is pushed.
pub const MORNING: &str = "2026-03-09T02:11:00Z";

/// A running server.
pub struct TestApp {
    backend: Backend,
    address: String,
    clock: &'static AtomicI64,
    app: Option<App>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    // Dropped last, in this order: the server has let go of both by then.
    database: TestDatabase,
    _folder: TempDir,
}

impl TestApp {
    /// Serves a copy of the province.
    pub fn start(backend: Backend) -> Self {
        Self::start_with(backend, |_config| {})
    }

    /// Serves a copy of the province with another configuration.
    pub fn start_with(backend: Backend, configure: impl FnOnce(&mut Config)) -> Self {
        Self::serve(backend, TestDatabase::fresh(backend, province::found), configure)
    }

    /// Serves a database.
    pub fn serve(backend: Backend, database: TestDatabase, configure: impl FnOnce(&mut Config)) -> Self {
        builders::begin_numbering();
        let clock: &'static AtomicI64 = Box::leak(Box::new(AtomicI64::new(micros(MORNING))));
        Self::serve_by(clock, backend, database, configure)
    }

    /// A further process beside this one: the same database, the same signing keys, the same clock. To be stopped
    /// first. For PostgreSQL: SQLite has one server process.
    pub fn beside(&self) -> Self {
        self.beside_by(self.clock)
    }

    /// The same by a clock of its own, which is ahead of this one's by so much, or behind it.
    pub fn beside_ahead_by(&self, time: TimeDelta) -> Self {
        let clock: &'static AtomicI64 = Box::leak(Box::new(AtomicI64::new((self.now() + time).timestamp_micros())));
        self.beside_by(clock)
    }

    fn beside_by(&self, clock: &'static AtomicI64) -> Self {
        let first = self.app().config.clone();
        Self::serve_by(clock, self.backend, self.database.shared(), |config| *config = first)
    }

    fn serve_by(
        clock: &'static AtomicI64,
        backend: Backend,
        database: TestDatabase,
        configure: impl FnOnce(&mut Config),
    ) -> Self {
        let folder = TempDir::with_prefix("muong-test-").expect("a temporary folder");
        let mut config = config(&database, &folder);
        configure(&mut config);
        let app = App::open(config, Clock::Set(clock), Entropy::System).expect("the server starts");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopped) = oneshot::channel();
        let served = app.clone();
        let thread = std::thread::spawn(move || {
            let stopped = async move {
                // A sender that is dropped says the same.
                drop(stopped.await);
                Ok(())
            };
            serve::on_until(stopped, listener, &served).expect("the server serves");
        });
        Self {
            backend,
            address,
            clock,
            app: Some(app),
            stop: Some(stop),
            thread: Some(thread),
            database,
            _folder: folder,
        }
    }

    /// Takes a backup, as `muong backup` does beside the server; where it is.
    pub fn back_up(&self, folder: &Path) -> PathBuf {
        let args = BackupArgs { folder: folder.to_owned(), keep: None };
        let clock = Clock::Set(self.clock);
        let archive = backup::run(&args, &self.app().config, clock, std::io::sink()).expect("a backup");
        self.looks();
        archive.path
    }

    /// Restores a backup into a new, empty database of either kind, as `muong restore` does with the keys and the ledger of
    /// this server; what came of it.
    pub fn restore(&self, backup: &Path, database: &TestDatabase, ledger: bool) -> Result<Restored, RestoreError> {
        let config = Config { database_url: Secret::new(database.url().to_owned()), ..self.app().config.clone() };
        let (ledger, without_ledger) = (Vec::new(), !ledger);
        let args = RestoreArgs { backup: backup.to_owned(), replace_everything: false, ledger, without_ledger };
        restore::run(&args, &config, Clock::Set(self.clock), &Entropy::System, std::io::sink())
    }

    /// The server that takes the place of this one, with what a backup holds, the same keys and the same ledger.
    pub fn restored(&self, backup: &Path) -> Self {
        self.restored_on(self.backend, backup)
    }

    /// The same, on either kind of database.
    pub fn restored_on(&self, backend: Backend, backup: &Path) -> Self {
        let database = TestDatabase::empty(backend);
        self.restore(backup, &database, true).expect("it is restored");
        let kept = self.app().config.clone();
        let url = Secret::new(database.url().to_owned());
        Self::serve_by(self.clock, backend, database, |config| *config = Config { database_url: url, ..kept })
    }

    /// Somebody signed in again on a device that they have; on a new one, where the server does not know it any more.
    pub fn sign_in_again(&self, login: &str, device: Uuid) -> Reporter {
        let body =
            json!({"username": login, "password": province::PASSWORD, "device": {"id": device, "name": "Máy cũ"}});
        let client = self.anonymous();
        let answer = client.post("/v1/auth/sign-in", &body);
        match answer.status {
            200 => Reporter::of(client, &answer.expect(200), self.clock),
            _ => self.sign_in(login),
        }
    }

    /// Which database it serves.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its database, for what HTTP does not tell.
    pub fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// Somebody who has not signed in.
    pub fn anonymous(&self) -> Client {
        Client::new(&self.address)
    }

    /// Somebody of the province, signed in on a new device.
    pub fn sign_in(&self, login: &str) -> Reporter {
        Reporter::sign_in(self.anonymous(), login, province::PASSWORD, self.clock)
    }

    // --- time -----------------------------------------------------------------------------------------

    /// What its clock shows.
    pub fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.clock.load(Ordering::Acquire)).expect("an instant")
    }

    /// Sets its clock, to an instant as RFC 3339 writes it.
    pub fn set_clock(&self, instant: &str) {
        self.clock.store(micros(instant), Ordering::Release);
    }

    /// Moves its clock.
    pub fn pass(&self, time: TimeDelta) {
        self.clock.fetch_add(time.num_microseconds().expect("not for ever"), Ordering::AcqRel);
    }

    // --- what the command line does ---------------------------------------------------------------------

    /// `muong user grant`, from now on.
    pub fn grant(&self, login: &str, role: Role, unit: Uuid) {
        self.give(province::grant(login, role, unit, self.now()));
    }

    /// A grant that begins and ends by its dates, as an administrator gives it.
    pub fn grant_between(&self, login: &str, role: Role, unit: Uuid, (from, to): (DateTime<Utc>, DateTime<Utc>)) {
        self.give(NewGrant { valid_to: Some(to), ..province::grant(login, role, unit, from) });
    }

    fn give(&self, grant: NewGrant) {
        province::commit(&self.app().writer, move |tx| Ok(grants::add(tx, &province::OPERATOR, &grant)?.into()));
    }

    /// `muong user revoke`, from now on.
    pub fn revoke(&self, login: &str, role: Role, unit: Uuid) {
        let user = UserId::new(province::user_id(login));
        province::commit(&self.app().writer, move |tx| {
            Ok(grants::revoke(tx, &province::OPERATOR, user, role, unit.into())?.into())
        });
    }

    /// `muong user …`, in a process beside it; what it prints.
    pub fn user_command(&self, command: UserCommand) -> String {
        let mut said = Vec::new();
        let done = user::run(command, &self.app().config, Clock::Set(self.clock), &Entropy::System, &mut said);
        done.expect("the command does it");
        self.looks();
        String::from_utf8(said).expect("it speaks UTF-8")
    }

    /// As if a moment had passed, in which a server looks for what others have committed.
    pub fn looks(&self) {
        self.app().head.forget();
    }

    /// `muong keys rotate-signing`, in a process beside it; what it prints.
    pub fn rotate_signing(&self, retire_old: bool) -> String {
        let mut said = Vec::new();
        let command = KeysCommand::RotateSigning(RotateSigningArgs { retire_old });
        keys::run(&command, &self.app().config, Clock::Set(self.clock), &Entropy::System, &mut said)
            .expect("the keys are changed");
        String::from_utf8(said).expect("it speaks UTF-8")
    }

    /// The state that its handlers share.
    pub fn app(&self) -> &App {
        self.app.as_ref().expect("it runs until it is stopped")
    }

    // --- the end --------------------------------------------------------------------------------------

    /// Asks it to stop, as a supervisor does; [`Self::wait`] waits until it has.
    pub fn ask_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _already_stopped = stop.send(());
        }
    }

    /// Stops it and gives its database back, in which everything is that it has accepted.
    pub fn wait(&mut self) {
        self.ask_to_stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
        }
        if let Some(app) = self.app.take() {
            app.close();
        }
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.wait();
    }
}

fn micros(instant: &str) -> i64 {
    DateTime::parse_from_rfc3339(instant).expect("an instant").timestamp_micros()
}

/// Small: a test has two cores and neighbours.
fn config(database: &TestDatabase, folder: &TempDir) -> Config {
    let key = folder.path().join("signing_key.pem");
    token::generate_key_file(&key, &Entropy::System).expect("a signing key");
    let master_key = folder.path().join("master_key.txt");
    std::fs::write(&master_key, province::MASTER_KEY).expect("a master key");
    // Whatever the umask of whoever runs the tests: only its owner reads a secret.
    std::fs::set_permissions(&master_key, Permissions::from_mode(0o600)).expect("a mode");
    let two = NonZeroUsize::MIN.saturating_add(1);
    let mut config = Config {
        database_url: Secret::new(database.url().to_owned()),
        data_dir: folder.path().to_owned(),
        signing_key_file: Some(key),
        master_key_file: Some(master_key),
        workers: NonZeroUsize::MIN,
        readers: two,
        shutdown_seconds: 5,
        ..Config::default()
    };
    config.argon2.max_concurrent = two;
    config
}
