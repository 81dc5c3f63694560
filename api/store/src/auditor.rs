//! Writes the audit of one run of a server process: a chain of its own, groups of waiting notes in one transaction, and
//! anchors in the log. Whoever notes something waits until it is committed; what cannot be written is told as a failure,
//! so that nothing is answered unaudited. Knows nothing of what is noted.
//!
//! The feed's lock is not taken: PostgreSQL gets a connection of its own. SQLite has one write lock for everything, so
//! there the rows go into the writer's next group, before whatever waits, and share its flush.

use crate::audit::{Links, Note, Tail, anchor, chain_before, last_anchor, tail};
use crate::connection::{Connection, DatabaseUrl};
use crate::dialect;
use crate::error::StoreError;
use crate::transaction::Outcome;
use crate::writer::{Answer, Now, Writer, WriterError};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use uuid::Uuid;

/// How many earlier runs are looked at when one starts: those that ended without an anchor are vouched for from now on.
const EARLIER: usize = 16;
/// How long until an anchor that could not be written is tried again, and how often one under way is looked after.
const AGAIN: Duration = Duration::from_secs(1);

/// How much the auditor takes on.
#[derive(Clone, Copy, Debug)]
pub struct AuditorOptions {
    /// How many notes may wait; more are refused as busy.
    pub queue: usize,
    /// How many share one transaction.
    pub group: usize,
    /// How long a row may stand before the log vouches for it.
    pub anchor_every: Duration,
}

impl Default for AuditorOptions {
    fn default() -> Self {
        Self { queue: 512, group: 128, anchor_every: Duration::from_secs(60) }
    }
}

/// Why something was not noted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuditError {
    /// Too much waits already.
    #[error("too many notes wait")]
    Busy,
    /// The auditor has stopped.
    #[error("the auditor has stopped")]
    Stopped,
    /// It could not be written; why is in the program's log.
    #[error("the audit could not be written")]
    Failed,
}

type Noted = Result<(), AuditError>;

struct Waiting {
    note: Note,
    reply: oneshot::Sender<Noted>,
}

/// A handle on the auditor; clones share it. It writes what waits, anchors and stops when the last handle is gone.
#[derive(Clone)]
pub struct Auditor {
    queue: SyncSender<Waiting>,
}

impl Auditor {
    /// Begins a chain, announces it in the log, and starts its thread. `chains` makes the ids of chains, which sort by
    /// time.
    pub fn start(
        url: DatabaseUrl,
        writer: Writer,
        options: AuditorOptions,
        now: Now,
        mut chains: impl FnMut() -> Uuid + Send + 'static,
    ) -> Result<(Self, JoinHandle<()>), WriterError> {
        let mut conn = url.open()?;
        let begun = Tail::of_new(chains());
        let mut tails = unanchored(&mut conn, begun.chain)?;
        tails.push(begun.clone());
        announce(&writer, tails)?;
        let (queue, waiting) = sync_channel(options.queue);
        let chains = Box::new(chains);
        let anchored = Anchored { position: 0, due: None, under_way: None };
        let worker = Worker { url, conn, writer, options, now, chains, tail: begun, attempted: None, anchored };
        let thread = std::thread::Builder::new()
            .name("auditor".to_owned())
            .spawn(move || worker.serve(&waiting))
            .map_err(|error| StoreError::Address(error.to_string()))?;
        Ok((Self { queue }, thread))
    }

    /// Queues a note; its answer comes when it is committed.
    pub fn submit(&self, note: Note) -> Result<oneshot::Receiver<Noted>, AuditError> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Waiting { note, reply }).map_err(|error| match error {
            TrySendError::Full(_) => AuditError::Busy,
            TrySendError::Disconnected(_) => AuditError::Stopped,
        })?;
        Ok(answer)
    }

    /// Notes something and waits until it is committed; for threads that may block.
    pub fn note(&self, note: Note) -> Noted {
        self.submit(note)?.blocking_recv().unwrap_or(Err(AuditError::Stopped))
    }
}

/// The ends of earlier runs that no anchor reaches: of those that were killed.
fn unanchored(conn: &mut Connection, chain: Uuid) -> Result<Vec<Tail>, StoreError> {
    let (mut found, mut before) = (Vec::new(), chain);
    for _ in 0..EARLIER {
        let Some(earlier) = chain_before(conn, before)? else { break };
        let end = tail(conn, earlier)?;
        if last_anchor(conn, earlier)?.is_none_or(|anchor| anchor.position < end.position) {
            found.push(end);
        }
        before = earlier;
    }
    Ok(found)
}

fn announce(writer: &Writer, tails: Vec<Tail>) -> Result<(), WriterError> {
    writer.write(tails.len(), move |tx| {
        for tail in &tails {
            anchor(tx, tail);
        }
        Ok(Outcome::<(), ()>::Commit(()))
    })?;
    Ok(())
}

/// How far the log vouches for the chain.
struct Anchored {
    position: i64,
    /// When the next anchor is due; none while there is nothing new.
    due: Option<Instant>,
    /// The one that the writer has not answered yet.
    under_way: Option<(i64, oneshot::Receiver<Answer<(), ()>>)>,
}

struct Worker {
    url: DatabaseUrl,
    conn: Connection,
    writer: Writer,
    options: AuditorOptions,
    now: Now,
    chains: Box<dyn FnMut() -> Uuid + Send>,
    tail: Tail,
    /// The end that a failed write may have reached: whether it did is asked before the next one.
    attempted: Option<Tail>,
    anchored: Anchored,
}

impl Worker {
    fn serve(mut self, waiting: &Receiver<Waiting>) {
        loop {
            match waiting.recv_timeout(self.patience()) {
                Ok(first) => {
                    let rest = waiting.try_iter().take(self.options.group.saturating_sub(1));
                    let group = std::iter::once(first).chain(rest).collect();
                    self.write(group);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.keep_anchored();
        }
        self.anchor_finally();
    }

    fn patience(&self) -> Duration {
        match (&self.anchored.under_way, self.anchored.due) {
            (Some(_), _) => AGAIN,
            (None, Some(due)) => due.saturating_duration_since(Instant::now()),
            (None, None) => self.options.anchor_every,
        }
    }

    fn write(&mut self, group: Vec<Waiting>) {
        let done = self.settle().and_then(|()| self.chain(&group));
        if let Err(error) = &done {
            tracing::error!(error = ?error, notes = group.len(), "the audit could not be written; what waits is refused");
        }
        for waiting in group {
            // When the client has gone, the row stands all the same.
            let _nobody_listens = waiting.reply.send(done.as_ref().map_or(Err(AuditError::Failed), |()| Ok(())));
        }
    }

    fn chain(&mut self, group: &[Waiting]) -> Result<(), WriterError> {
        let (links, tail) = Links::after(&self.tail, group.iter().map(|waiting| &waiting.note), (self.now)());
        self.attempted = Some(tail.clone());
        self.put(links)?;
        self.attempted = None;
        self.reached(tail);
        Ok(())
    }

    fn reached(&mut self, tail: Tail) {
        self.tail = tail;
        self.anchored.due.get_or_insert_with(|| Instant::now() + self.options.anchor_every);
    }

    fn put(&mut self, links: Links) -> Result<(), WriterError> {
        if dialect::has_one_write_lock(&self.conn) {
            let written = self.writer.submit_first(links.weight(), move |tx| {
                links.insert(crate::transaction::Reading::conn(tx))?;
                Ok(Outcome::<(), ()>::Commit(()))
            })?;
            return written.blocking_recv().unwrap_or(Err(WriterError::Stopped)).map(drop);
        }
        dialect::begin_write(&mut self.conn)?;
        let written = links.insert(&mut self.conn).and_then(|()| dialect::commit(&mut self.conn));
        if written.is_err() {
            dialect::rollback(&mut self.conn);
        }
        Ok(written?)
    }

    /// After a failure: finds out how far the chain has come. When it ends where it never did, somebody else has written
    /// into it, or it was cut off; then it is left as evidence, and another chain begins.
    fn settle(&mut self) -> Result<(), WriterError> {
        let Some(attempted) = self.attempted.clone() else { return Ok(()) };
        self.conn = self.url.open()?;
        let there = tail(&mut self.conn, self.tail.chain)?;
        if there == attempted {
            self.reached(attempted);
        } else if there != self.tail {
            tracing::error!(chain = %self.tail.chain, "the audit chain is not as this process wrote it: run 'muong audit verify'");
            let begun = Tail::of_new((self.chains)());
            announce(&self.writer, vec![begun.clone()])?;
            self.tail = begun;
            self.anchored = Anchored { position: 0, due: None, under_way: None };
        }
        self.attempted = None;
        Ok(())
    }

    /// Anchors when it is time to, without waiting for the writer: notes must not wait for the feed's lock.
    fn keep_anchored(&mut self) {
        let Anchored { position, due, under_way } = &mut self.anchored;
        if let Some((reached, answer)) = under_way {
            match answer.try_recv() {
                Ok(Ok(_)) => *position = *reached,
                Err(oneshot::error::TryRecvError::Empty) => return,
                Ok(Err(_)) | Err(oneshot::error::TryRecvError::Closed) => {
                    tracing::warn!("the audit could not be anchored in the log; tried again");
                    *due = Some(Instant::now() + AGAIN);
                }
            }
            *under_way = None;
        }
        if due.is_none_or(|due| due > Instant::now()) {
            return;
        }
        if self.tail.position <= *position {
            *due = None;
            return;
        }
        let end = self.tail.clone();
        let reached = end.position;
        let submitted = self.writer.submit(1, move |tx| {
            anchor(tx, &end);
            Ok(Outcome::<(), ()>::Commit(()))
        });
        match submitted {
            Ok(answer) => (*under_way, *due) = (Some((reached, answer)), None),
            Err(_busy) => *due = Some(Instant::now() + AGAIN),
        }
    }

    /// The process stops: the last rows are vouched for as well.
    fn anchor_finally(&mut self) {
        if let Some((reached, answer)) = self.anchored.under_way.take()
            && matches!(answer.blocking_recv(), Ok(Ok(_)))
        {
            self.anchored.position = reached;
        }
        let settled = self.settle();
        if self.tail.position > self.anchored.position {
            let done = settled.and_then(|()| announce(&self.writer, vec![self.tail.clone()]));
            if let Err(error) = done {
                tracing::error!(error = ?error, "the end of the audit could not be anchored; the next start will");
            }
        }
    }
}
