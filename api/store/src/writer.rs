//! The one writer of a process, with group commit: changes that wait share a transaction, and so a disk flush.

use crate::checkpoint::Checkpointer;
use crate::connection::{Connection, DatabaseUrl};
use crate::dialect;
use crate::error::StoreError;
use crate::head_watch::HeadWatch;
use crate::transaction::{Outcome, Tx};
use crate::vault::Vault;
use chrono::{DateTime, Utc};
use metrics::Histogram;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The source of receipt times.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// What the writer tells of its work.
#[derive(Clone, Debug)]
pub struct WriterMetrics {
    /// Changes that shared a transaction.
    pub group_changes: Histogram,
    /// From asking for the head to having it.
    pub lock_wait: Histogram,
    /// A whole group, from asking for the head to the end of its commit.
    pub group: Histogram,
    /// Writing what a group collected, and its commit.
    pub commit: Histogram,
}

/// Tells nobody.
impl Default for WriterMetrics {
    fn default() -> Self {
        let none = Histogram::noop;
        Self { group_changes: none(), lock_wait: none(), group: none(), commit: none() }
    }
}

/// How much the writer takes on.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// How many changes may wait; more are refused as busy.
    pub queue: usize,
    /// How many share one transaction.
    pub group_changes: usize,
    /// How heavy a group may be (a push weighs its submissions).
    pub group_weight: usize,
    /// Whom it tells of its work.
    pub metrics: WriterMetrics,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { queue: 1024, group_changes: 128, group_weight: 2_000, metrics: WriterMetrics::default() }
    }
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// Too many wait already.
    #[error("too many changes wait")]
    Busy,
    /// The writer has stopped.
    #[error("the writer has stopped")]
    Stopped,
    /// The database failed, also when the change was tried alone.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a waiting change answers.
pub type Answer<T, R> = Result<Outcome<T, R>, WriterError>;

/// A change that waits: run perhaps twice (in a group, then alone), answered once.
trait Change: Send {
    fn weight(&self) -> usize;
    /// Runs; answers whether it was refused.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<bool, StoreError>;
    fn committed(self: Box<Self>);
    fn failed(self: Box<Self>, error: WriterError);
}

struct Waiting<F, T, R> {
    weight: usize,
    change: F,
    result: Option<Outcome<T, R>>,
    reply: oneshot::Sender<Answer<T, R>>,
}

impl<F, T, R> Change for Waiting<F, T, R>
where
    F: FnMut(&mut Tx<'_>) -> Result<Outcome<T, R>, StoreError> + Send,
    T: Send,
    R: Send,
{
    fn weight(&self) -> usize {
        self.weight
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let result = catch_unwind(AssertUnwindSafe(|| (self.change)(tx))).unwrap_or(Err(StoreError::Panicked))?;
        let refused = matches!(result, Outcome::Refuse(_));
        self.result = Some(result);
        Ok(refused)
    }

    fn committed(self: Box<Self>) {
        let answer = self.result.ok_or(WriterError::Stopped);
        // Nobody listens when the client has gone: the change stands all the same.
        drop(self.reply.send(answer));
    }

    fn failed(self: Box<Self>, error: WriterError) {
        drop(self.reply.send(Err(error)));
    }
}

/// A handle on the writer; clones share it. It stops, after finishing what waits, when the last handle is gone.
#[derive(Clone)]
pub struct Writer {
    queue: SyncSender<Job>,
    first: SyncSender<Box<dyn Change>>,
    waiting: Arc<AtomicUsize>,
}

/// What the queue holds.
enum Job {
    Change(Box<dyn Change>),
    /// Something stands in the other queue, which goes first.
    Look,
}

/// How many changes may wait that go first: only the auditor sends them, one at a time.
const FIRST: usize = 8;

impl Writer {
    /// Starts the writer's thread on a connection of its own. What it commits, `watch` knows at once.
    pub fn start(
        url: DatabaseUrl,
        vault: Arc<Vault>,
        watch: Arc<HeadWatch>,
        options: WriterOptions,
        now: Now,
    ) -> Result<(Self, JoinHandle<()>), StoreError> {
        let (queue, queued) = sync_channel(options.queue);
        let (first, preferred) = sync_channel(FIRST);
        let conn = url.open_for_writing()?;
        let waiting = Arc::new(AtomicUsize::new(0));
        let (waits, traces) = (Arc::clone(&waiting), false);
        let checkpointer = Checkpointer::start(&url)?;
        let worker = Worker { url, vault, watch, conn, checkpointer, options, now, preferred, waiting: waits, traces };
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || worker.serve(&queued))
            .map_err(|error| StoreError::Address(error.to_string()))?;
        Ok((Self { queue, first, waiting }, thread))
    }

    /// Queues a change. It must be ready to run twice, and write nothing when it refuses.
    pub fn submit<T, R>(
        &self,
        weight: usize,
        change: impl FnMut(&mut Tx<'_>) -> Result<Outcome<T, R>, StoreError> + Send + 'static,
    ) -> Result<oneshot::Receiver<Answer<T, R>>, WriterError>
    where
        T: Send + 'static,
        R: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let change = Box::new(Waiting { weight, change, result: None, reply });
        // Before it can be taken out: the count never falls below what is there.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let queued = self.queue.try_send(Job::Change(change)).map_err(refused);
        if queued.is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        queued.map(|()| answer)
    }

    /// How many changes wait to be taken up.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The same, into the next group, however many wait. For what answers depend on that change nothing themselves.
    pub(crate) fn submit_first<T, R>(
        &self,
        weight: usize,
        change: impl FnMut(&mut Tx<'_>) -> Result<Outcome<T, R>, StoreError> + Send + 'static,
    ) -> Result<oneshot::Receiver<Answer<T, R>>, WriterError>
    where
        T: Send + 'static,
        R: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.first.try_send(Box::new(Waiting { weight, change, result: None, reply })).map_err(refused)?;
        match self.queue.try_send(Job::Look) {
            // When the queue is full, there is a next group without being told.
            Ok(()) | Err(TrySendError::Full(_)) => Ok(answer),
            Err(TrySendError::Disconnected(_)) => Err(WriterError::Stopped),
        }
    }

    /// Queues a change and waits for it; for threads that may block.
    pub fn write<T, R>(
        &self,
        weight: usize,
        change: impl FnMut(&mut Tx<'_>) -> Result<Outcome<T, R>, StoreError> + Send + 'static,
    ) -> Answer<T, R>
    where
        T: Send + 'static,
        R: Send + 'static,
    {
        self.submit(weight, change)?.blocking_recv().unwrap_or(Err(WriterError::Stopped))
    }
}

fn refused<T>(error: TrySendError<T>) -> WriterError {
    match error {
        TrySendError::Full(_) => WriterError::Busy,
        TrySendError::Disconnected(_) => WriterError::Stopped,
    }
}

struct Worker {
    url: DatabaseUrl,
    vault: Arc<Vault>,
    watch: Arc<HeadWatch>,
    conn: Connection,
    checkpointer: Checkpointer,
    options: WriterOptions,
    now: Now,
    preferred: Receiver<Box<dyn Change>>,
    waiting: Arc<AtomicUsize>,
    /// Whether the write-ahead log still holds keys that have been destroyed.
    traces: bool,
}

/// How long the writer waits for work before it tries again to remove the traces of what was destroyed.
const TRACES_PAUSE: Duration = Duration::from_secs(1);

impl Worker {
    fn next(&mut self, waiting: &Receiver<Job>) -> Option<Job> {
        loop {
            if !self.traces {
                return waiting.recv().ok();
            }
            match waiting.recv_timeout(TRACES_PAUSE) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Timeout) => self.remove_traces(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// The keys are gone either way: what is left is in no row, and goes with the next checkpoint at the latest.
    fn remove_traces(&mut self) {
        match dialect::empty_write_ahead_log(&mut self.conn) {
            Ok(emptied) => self.traces = !emptied,
            Err(error) => tracing::warn!(%error, "the write-ahead log could not be emptied; it is tried again"),
        }
    }

    fn serve(mut self, waiting: &Receiver<Job>) {
        while let Some(job) = self.next(waiting) {
            let mut group = Vec::new();
            let mut weight = self.take(job, &mut group);
            while group.len() < self.options.group_changes && weight < self.options.group_weight {
                let Ok(next) = waiting.try_recv() else { break };
                weight += self.take(next, &mut group);
            }
            if !group.is_empty() {
                self.options.metrics.group_changes.record(group.len() as f64);
                self.run_group(group);
            }
        }
    }

    /// Adds to a group what goes first, whoever's turn it is, and then what has its turn. Answers how heavy that is.
    fn take(&self, job: Job, group: &mut Vec<Box<dyn Change>>) -> usize {
        let before = group.len();
        group.extend(self.preferred.try_iter());
        if let Job::Change(change) = job {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            group.push(change);
        }
        group[before..].iter().map(|change| change.weight()).sum()
    }

    fn run_group(&mut self, mut group: Vec<Box<dyn Change>>) {
        match self.attempt(&mut group) {
            Ok(()) => group.into_iter().for_each(Change::committed),
            Err(error) if error.is_broken_connection() && !self.reconnect() => {
                group.into_iter().for_each(|change| change.failed(WriterError::Store(StoreError::Gone)));
            }
            Err(error) => {
                tracing::warn!(error = ?error, changes = group.len(), "a group failed; redone one by one");
                group.into_iter().for_each(|change| self.run_alone(change));
            }
        }
    }

    /// One transaction for all. A refusal that has written something fails the group, so that alone it is rolled back.
    fn attempt(&mut self, group: &mut [Box<dyn Change>]) -> Result<(), StoreError> {
        let (alone, metrics) = (group.len() == 1, &self.options.metrics);
        let asked = Instant::now();
        let mut tx = Tx::begin(&mut self.conn, Some(Arc::clone(&self.vault)), &*self.now)?;
        metrics.lock_wait.record(asked.elapsed());
        for change in group.iter_mut() {
            let before = tx.head().seq;
            match change.run(&mut tx) {
                Ok(false) => {}
                Ok(true) if alone => {
                    tx.rollback();
                    return Ok(());
                }
                Ok(true) if tx.head().seq == before => {}
                Ok(true) => {
                    tx.rollback();
                    return Err(StoreError::RefusedLate);
                }
                Err(error) => {
                    tx.rollback();
                    return Err(error);
                }
            }
        }
        let (done, destroys) = (Instant::now(), tx.destroys_keys());
        let committed = tx.commit();
        metrics.commit.record(done.elapsed());
        metrics.group.record(asked.elapsed());
        self.watch.committed(committed?, done);
        self.traces |= destroys;
        if self.traces {
            self.remove_traces();
        }
        self.checkpointer.committed(&mut self.conn);
        Ok(())
    }

    fn run_alone(&mut self, change: Box<dyn Change>) {
        let mut alone = [change];
        let result = self.attempt(&mut alone);
        let [change] = alone;
        match result {
            Ok(()) => change.committed(),
            Err(error) => {
                if error.is_broken_connection() {
                    self.reconnect();
                }
                change.failed(WriterError::Store(error));
            }
        }
    }

    fn reconnect(&mut self) -> bool {
        match self.url.open_for_writing() {
            Ok(conn) => {
                self.conn = conn;
                true
            }
            Err(error) => {
                tracing::error!(%error, "the writer cannot reconnect");
                false
            }
        }
    }
}
