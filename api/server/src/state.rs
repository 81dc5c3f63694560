//! What a running process holds: the store, the keys, the clock and chance, made once and shared by all workers.
//! Owns the order of starting and stopping. Decides nothing and knows no route.

use crate::capacity::Capacity;
use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::ledger::{self, Ledger};
use crate::metrics::Metrics;
use crate::reference::ReferenceCache;
use crate::security::certificate::{CertificateError, Certificates};
use crate::security::keyring::{Believed, Keyring};
use crate::security::master_key::{self, MasterKeyError};
use crate::security::password::{PasswordError, Passwords};
use crate::security::recent::Recent;
use crate::security::throttle::Throttle;
use crate::security::token::{self, KeyError};
use crate::shared_look::SharedLook;
use crate::sole_server::{SoleServer, SoleServerError};
use crate::standby::Standby;
use crate::usecases::after_promotion::AfterPromotion;
use crate::usecases::authenticate::Standing;
use crate::usecases::compact::compact;
use crate::usecases::keep_erasures::{self, CatchUpError, InStep};
use crate::usecases::publish_form::publish_built_in;
use crate::usecases::push::together::WaitingPushes;
use metrics::Histogram;
use muong_domain::id::SessionId;
use muong_store::{
    Auditor, AuditorOptions, Database, DatabaseUrl, HeadWatch, Outcome, StoreError, Writer, WriterMetrics,
    WriterOptions, establish_epoch, migrate, seal,
};
use std::convert::Infallible;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How many access tokens, and how many sessions, are remembered: a phone that is in use now needs one of each.
const REMEMBERED: usize = 20_000;
/// The signing key that an installation of one process makes for itself.
pub const SIGNING_KEY: &str = "signing_key.pem";

/// Why a process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be used.
    #[error("the database: {0}")]
    Store(#[from] StoreError),
    /// The signing key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Several processes may share a PostgreSQL database, so no process makes a key for itself alone.
    #[error(
        "signing_key_file is not set, and on PostgreSQL every replica must sign with the same key: make one with \
         'openssl genpkey -algorithm ed25519 -out signing_key.pem' and name it in signing_key_file \
         (or MUONG_SIGNING_KEY_FILE)"
    )]
    NoSharedKey,
    /// The master key cannot be used.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// Several processes may share a PostgreSQL database, so no process makes a master key for itself alone.
    #[error(
        "neither master_key_file nor MUONG_MASTER_KEY is set, and on PostgreSQL every replica must have the same: make one \
         with 'openssl rand -base64 32 > master_key.txt' and name it in master_key_file (or MUONG_MASTER_KEY_FILE). Keep a \
         copy in a safe place: without it no personal data can be read"
    )]
    NoSharedMasterKey,
    /// A thread could not be started.
    #[error("a thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
    /// The writer failed.
    #[error("the database: {0}")]
    Writer(#[from] muong_store::WriterError),
    /// Another process serves.
    #[error(transparent)]
    NotAlone(#[from] SoleServerError),
    /// A built-in form cannot stand beside what has been published.
    #[error("the built-in forms: {0}")]
    Forms(String),
    /// The certificate cannot be shown.
    #[error("TLS: {0}")]
    Certificate(#[from] CertificateError),
    /// Erasures and their ledger cannot be brought into step.
    #[error(transparent)]
    Erasures(#[from] CatchUpError),
    /// Password hashing does not work on this machine.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// The store of a process: readers, and the one writer with its thread.
pub struct Storage {
    /// For reading.
    pub database: Database,
    /// For pulls, when one is configured.
    pub standby: Option<Standby>,
    /// For every change.
    pub writer: Writer,
    /// What is known of the head; of others' commits only once it has been started.
    pub head: Arc<HeadWatch>,
    thread: JoinHandle<()>,
}

impl Storage {
    /// Opens the configured database, brings its schema up to date, notices a restored copy, and starts the writer.
    pub fn open(config: &Config, clock: Clock, entropy: &Entropy) -> Result<Self, StartError> {
        Self::open_counting(config, clock, entropy, WriterMetrics::default(), Histogram::noop())
    }

    /// The same, telling how the writer works and what reads wait for their connections.
    fn open_counting(
        config: &Config,
        clock: Clock,
        entropy: &Entropy,
        metrics: WriterMetrics,
        wait: Histogram,
    ) -> Result<Self, StartError> {
        let url = DatabaseUrl::parse(config.database_url.expose())?;
        let mut conn = url.open()?;
        for migration in migrate(&mut conn)? {
            tracing::info!(migration, "applied a migration");
        }
        let now = clock.now();
        if establish_epoch(&mut conn, entropy.uuid(now), now)? {
            tracing::info!("a new epoch of the log begins");
        }
        drop(conn);
        let own = (url.kind() == "sqlite").then(|| config.data_dir.join(master_key::FILE));
        let vault = master_key::vault(config, own.as_deref(), entropy)?.ok_or(StartError::NoSharedMasterKey)?;
        let vault = Arc::new(vault);
        let readers = u32::try_from(config.readers.get()).unwrap_or(u32::MAX);
        let database = Database::open(url.clone(), Some(Arc::clone(&vault)), readers)?.noting_waits(wait);
        let standby = Standby::of(config, &vault)?;
        let options = WriterOptions { queue: config.write_queue.get(), metrics, ..WriterOptions::default() };
        let head = Arc::new(HeadWatch::default());
        let (writer, thread) = Writer::start(url, vault, Arc::clone(&head), options, Arc::new(move || clock.now()))?;
        writer.write::<(), Infallible>(1, |tx| seal::establish(tx).map(Outcome::Commit))?;
        Ok(Self { database, standby, writer, head, thread })
    }

    /// Stops the writer after it has finished what it accepted.
    pub fn close(self) {
        drop(self.writer);
        join(self.thread);
    }
}

/// A panic of the writer's thread has been logged where it happened; stopping goes on.
fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the store ended by a panic");
    }
}

/// The whole state of a serving process; clones share it.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What [`App`] shares.
pub struct Parts {
    /// What the installation chose.
    pub config: Config,
    /// The only source of "now".
    pub clock: Clock,
    /// The only source of chance.
    pub entropy: Entropy,
    /// How much it takes on at the same time.
    pub capacity: Capacity,
    /// What it tells of itself in numbers.
    pub metrics: Metrics,
    /// What it shows of itself over TLS; none when it speaks in the clear.
    pub certificates: Option<Certificates>,
    /// For reading.
    pub database: Database,
    /// For pulls, while it keeps up.
    pub standby: Option<Standby>,
    /// For every change.
    pub writer: Writer,
    /// The head, as far as it is known without asking.
    pub head: Arc<HeadWatch>,
    /// Pushes that wait for the writer.
    pub waiting_pushes: WaitingPushes,
    /// Where erasures are written down outside the store.
    pub ledger: Ledger,
    /// Whether all of them have been made in the store as it is.
    pub in_step: Arc<InStep>,
    /// For what is no change but must be accounted for.
    pub auditor: Auditor,
    /// Units and forms, as last read.
    pub reference: Arc<ReferenceCache>,
    /// What signs and verifies access tokens.
    pub keys: Keyring,
    /// What hashes and checks passwords.
    pub passwords: Passwords,
    /// Access tokens whose signature was checked, by their SHA-256.
    pub tokens: Recent<[u8; 32], Believed>,
    /// What addresses, accounts and devices may try.
    pub throttle: Throttle,
    /// Whether the database could be served from when somebody asked last.
    pub readiness: SharedLook<Result<(), &'static str>>,
    /// Sessions as they stood when they were last looked up.
    pub standings: Recent<SessionId, Arc<Standing>>,
    compacting: Mutex<Option<Sender<()>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    _alone: SoleServer,
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Opens everything that serving needs: the store (migrated), the keys, the writer.
    pub fn open(config: Config, clock: Clock, entropy: Entropy) -> Result<Self, StartError> {
        let alone = SoleServer::of(&DatabaseUrl::parse(config.database_url.expose())?)?;
        let keys = keys(&config, &entropy)?;
        let waiting = config.write_queue.get();
        let throttle = Throttle::new(&config.throttle);
        let certificates = config.tls.files().map(|(chain, key)| Certificates::load(chain, key)).transpose()?;
        let passwords = Passwords::new(config.argon2.max_concurrent, config.argon2.max_waiting, &entropy);
        let metrics = Metrics::new(config.metrics_listen.is_some());
        let (of_writer, of_reads) = (metrics.writer.clone(), metrics.read_wait.clone());
        let Storage { database, standby, writer, head, thread } =
            Storage::open_counting(&config, clock, &entropy, of_writer, of_reads)?;
        let reference = Arc::new(ReferenceCache::default());
        let ledger = ledger(&config, &database);
        let in_step = Arc::new(InStep::default());
        let mut after_promotion = AfterPromotion::new(&writer, &ledger, &reference, &in_step);
        let follow = move |history, epoch| after_promotion.follow(history, epoch);
        let watching = head.start(database.url().clone(), follow)?;
        publish_forms(&writer, &reference)?;
        let (auditor, audit_thread) = auditor(&database, &writer, clock)?;
        let (stop_compacting, compacting) = compacting(&writer, config.tombstone_days)?;
        let app = Self(Arc::new(Parts {
            capacity: Capacity::new(&config),
            metrics,
            certificates,
            config,
            clock,
            entropy,
            database,
            standby,
            writer,
            head,
            waiting_pushes: WaitingPushes::new(waiting),
            ledger,
            in_step,
            auditor,
            reference,
            keys,
            passwords,
            throttle,
            readiness: SharedLook::default(),
            tokens: Recent::new(REMEMBERED),
            standings: Recent::new(REMEMBERED),
            compacting: Mutex::new(Some(stop_compacting)),
            // In the order in which they end: the auditor's last words go through the writer.
            threads: Mutex::new(vec![compacting, audit_thread, watching, thread]),
            _alone: alone,
        }));
        match keep_erasures::catch_up(&app) {
            Ok(()) => Ok(app),
            Err(error) => {
                app.close();
                Err(error.into())
            }
        }
    }

    /// Stops the auditor and the writer after they have finished what they accepted. Waits for whoever still holds a
    /// clone; so the listener is stopped first.
    pub fn close(self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        self.head.stop();
        drop(self.compacting.lock().unwrap_or_else(PoisonError::into_inner).take());
        drop(self);
        threads.into_iter().for_each(join);
    }
}

/// Where erasures are written down.
pub fn ledger_path(config: &Config) -> PathBuf {
    config.erasure_ledger.clone().unwrap_or_else(|| config.data_dir.join(ledger::FILE))
}

fn ledger(config: &Config, database: &Database) -> Ledger {
    let database = database.clone();
    Ledger::new(ledger_path(config), Arc::new(move |value| database.digest(value)))
}

/// How long after the start the feed is first compacted, and how often from then on.
const FIRST_COMPACTION: Duration = Duration::from_secs(60);
const COMPACTION: Duration = Duration::from_secs(3_600);

/// Compacts from time to time, until the sender is dropped.
fn compacting(writer: &Writer, days: u32) -> std::io::Result<(Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = channel();
    let writer = writer.clone();
    let thread = std::thread::Builder::new().name("compaction".to_owned()).spawn(move || {
        let mut pause = FIRST_COMPACTION;
        while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            pause = COMPACTION;
            match compact(&writer, days) {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "compacted the feed"),
                Err(error) => tracing::warn!(%error, "the feed could not be compacted; it is tried again"),
            }
        }
    })?;
    Ok((stop, thread))
}

/// The audit of this run: a chain of its own, whose id sorts by the time at which it began.
fn auditor(database: &Database, writer: &Writer, clock: Clock) -> Result<(Auditor, JoinHandle<()>), StartError> {
    let (url, now) = (database.url().clone(), Arc::new(move || clock.now()));
    // Never the demo's repeatable stream: two runs must not continue one chain.
    let chains = move || Entropy::System.uuid(clock.now());
    Ok(Auditor::start(url, writer.clone(), AuditorOptions::default(), now, chains)?)
}

/// The forms that come with the program, where the store does not have them yet.
fn publish_forms(writer: &Writer, reference: &Arc<ReferenceCache>) -> Result<(), StartError> {
    let cache = Arc::clone(reference);
    match writer.write(1, move |tx| publish_built_in(tx, &cache))? {
        Outcome::Commit(0) => {}
        Outcome::Commit(published) => tracing::info!(published, "published the built-in forms"),
        Outcome::Refuse(refusal) => return Err(StartError::Forms(format!("{refusal:?}"))),
    }
    Ok(())
}

/// The configured keys; without any, on SQLite, where there is one serving process, the one in `data_dir`.
fn keys(config: &Config, entropy: &Entropy) -> Result<Keyring, StartError> {
    let path = signing_key_path(config)?;
    if config.signing_key_file.is_none() && token::generate_key_file(&path, entropy)? {
        tracing::info!(path = %path.display(), "made a signing key");
    }
    Ok(Keyring::open(&path, &config.issuer, &config.audience)?)
}

/// Where the signing keys stand.
pub fn signing_key_path(config: &Config) -> Result<PathBuf, StartError> {
    if let Some(path) = &config.signing_key_file {
        return Ok(path.clone());
    }
    if DatabaseUrl::parse(config.database_url.expose())?.kind() != "sqlite" {
        return Err(StartError::NoSharedKey);
    }
    Ok(config.data_dir.join(SIGNING_KEY))
}
