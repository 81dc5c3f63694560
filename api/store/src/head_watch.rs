//! The head of the log as this process knows it without asking: its own commits at once, those of others by looking a few
//! times a second. Whoever may not act on anything older reads the head in its own transaction.
//!
//! Whoever waits for a change ([`Waiting`]) is woken from here: what was committed is looked up once for all of them, and
//! only as long as somebody waits.

use crate::connection::{Connection, DatabaseUrl};
use crate::error::StoreError;
use crate::head::{Head, look_at_head};
use crate::waiting::{ANYTHING, Changed, Waiting};
use crate::{feed, log};
use muong_domain::id::Seq;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How often others' commits are looked for.
const LOOK: Duration = Duration::from_millis(200);
/// What is older than this is not known any more: the database may be gone, and others may have revoked what it says.
const GOOD_FOR: Duration = Duration::from_millis(900);

/// A head, and when it was seen.
#[derive(Clone, Debug)]
struct Seen {
    head: Arc<Head>,
    at: Instant,
}

/// The last head, and from when on one must have been read to be believed.
#[derive(Debug, Default)]
struct Known {
    seen: Option<Seen>,
    not_before: Option<Instant>,
}

/// What this process knows of the head.
#[derive(Debug, Default)]
pub struct HeadWatch {
    known: RwLock<Known>,
    look: Mutex<Option<SyncSender<()>>>,
    waiting: Arc<Waiting>,
}

/// What the thread that looks has, from one look to the next.
#[derive(Default)]
struct Looked {
    conn: Option<Connection>,
    /// The head up to which those who wait have been told what changed.
    told: Option<Head>,
}

/// Whether the log is still the one that it was at the last look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum History {
    /// It is.
    Same,
    /// The database has been promoted since the head was written, and nobody has begun the new epoch yet.
    Ended,
    /// Somebody has begun another epoch.
    Other,
}

impl HeadWatch {
    /// Starts looking for others' commits, on a thread and a connection of its own, until [`Self::stop`]. `follow` is told
    /// at each look how the history stands, and in which epoch the head was written; it must not wait.
    pub fn start(
        self: &Arc<Self>,
        url: DatabaseUrl,
        mut follow: impl FnMut(History, Uuid) + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        let (look, asked) = sync_channel(1);
        *self.look.lock().unwrap_or_else(PoisonError::into_inner) = Some(look);
        let watch = Arc::clone(self);
        std::thread::Builder::new().name("head".to_owned()).spawn(move || {
            let mut looked = Looked::default();
            loop {
                watch.look(&url, &mut looked, &mut follow);
                if asked.recv_timeout(LOOK) == Err(RecvTimeoutError::Disconnected) {
                    break;
                }
            }
        })
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.waiting.close();
        drop(self.look.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Those who wait for a change.
    pub fn waiting(&self) -> &Arc<Waiting> {
        &self.waiting
    }

    /// Has the thread look now. It is behind by one look at most, so one request at a time is enough.
    fn look_now(&self) {
        if let Some(look) = &*self.look.lock().unwrap_or_else(PoisonError::into_inner) {
            let _it_is_about_to = look.try_send(());
        }
    }

    fn look(&self, url: &DatabaseUrl, looked: &mut Looked, follow: &mut impl FnMut(History, Uuid)) {
        let at = Instant::now();
        let conn = match looked.conn.take() {
            Some(conn) => Ok(conn),
            None => url.open(),
        };
        let read = conn.and_then(|mut conn| {
            let (head, has_turned) = look_at_head(&mut conn)?;
            let is_other = looked.told.as_ref().is_some_and(|told| told.epoch != head.epoch);
            self.tell(&mut conn, &head, &mut looked.told)?;
            let history = match (has_turned, is_other) {
                (true, _) => History::Ended,
                (false, true) => History::Other,
                (false, false) => History::Same,
            };
            Ok((head, history, conn))
        });
        match read {
            Ok((head, history, conn)) => {
                let epoch = head.epoch;
                self.see(head, at);
                follow(history, epoch);
                looked.conn = Some(conn);
            }
            Err(error) => tracing::debug!(%error, "the head could not be read"),
        }
    }

    /// Wakes those whom it concerns what came after the last head that they were told of.
    fn tell(&self, conn: &mut Connection, head: &Head, told: &mut Option<Head>) -> Result<(), StoreError> {
        // Read before it is asked whether anybody waits: who begins to wait now will see this head.
        if told.as_ref().is_some_and(|before| (before.epoch, before.seq) == (head.epoch, head.seq)) {
            return Ok(());
        }
        if self.waiting.count() > 0 {
            let changed = match told {
                Some(before) if (before.epoch, before.reference_seq) == (head.epoch, head.reference_seq) => {
                    changed_between(conn, before.seq, head.seq)?
                }
                // Another history, or other units and forms.
                _ => Changed::Anything,
            };
            self.waiting.wake(&changed);
        }
        *told = Some(head.clone());
        Ok(())
    }

    /// Takes note of a head that was read, or committed, at an instant.
    pub(crate) fn see(&self, head: Head, at: Instant) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // What was read before our own commit may be told after it.
        let is_older = |seen: &Seen| seen.head.epoch == head.epoch && seen.head.seq > head.seq;
        if known.seen.as_ref().is_some_and(is_older) || known.not_before.is_some_and(|instant| at < instant) {
            return;
        }
        known.seen = Some(Seen { head: Arc::new(head), at });
    }

    /// Takes note of a head that this process has committed, and tells those who wait.
    pub(crate) fn committed(&self, head: Head, at: Instant) {
        self.see(head, at);
        if self.waiting.count() > 0 {
            self.look_now();
        }
    }

    /// The head, unless what is known of it is too old to act upon.
    pub fn recent(&self) -> Option<Arc<Head>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.seen.as_ref().filter(|seen| seen.at.elapsed() < GOOD_FOR).map(|seen| Arc::clone(&seen.head))
    }

    /// Forgets what is known, so that the next who asks reads it: for whoever knows that another process has just
    /// committed.
    pub fn forget(&self) {
        let forgotten = Known { seen: None, not_before: Some(Instant::now()) };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = forgotten;
    }
}

/// More scopes, or other things, that have changed at once than this are not told one by one.
const LOOKED_AT: i64 = 10_000;

/// Whom it concerns what came after one entry, up to another: the scopes of what was stamped and the units above them; and
/// what the entries are about that are no submissions (a session that ended, a device, a user).
fn changed_between(conn: &mut Connection, after: Seq, up_to: Seq) -> Result<Changed, StoreError> {
    let (Some(mut keys), Some(others)) =
        (feed::touched(conn, after, up_to, LOOKED_AT)?, log::touched(conn, after, up_to, LOOKED_AT)?)
    else {
        return Ok(Changed::Anything);
    };
    keys.extend(others);
    keys.push(ANYTHING);
    Ok(Changed::Keys(keys))
}

#[cfg(test)]
mod tests {
    use super::*;
    use muong_domain::id::Seq;

    fn head(seq: i64) -> Head {
        Head {
            epoch: Uuid::nil(),
            epoch_began: Seq::ZERO,
            lineage: String::new(),
            seq: Seq(seq),
            floor: Seq::ZERO,
            chain: Vec::new(),
            reference_seq: Seq::ZERO,
            access_seq: Seq::ZERO,
            durable: Seq::ZERO,
            durable_at: None,
        }
    }

    #[test]
    fn it_never_goes_back_within_an_epoch_and_forgets_what_is_old() {
        let watch = HeadWatch::default();
        assert!(watch.recent().is_none());
        let now = Instant::now();
        watch.see(head(5), now);
        watch.see(head(4), now);
        assert_eq!(watch.recent().map(|head| head.seq), Some(Seq(5)));
        let restored = Head { epoch: Uuid::from_u128(1), ..head(2) };
        watch.see(restored, now);
        assert_eq!(watch.recent().map(|head| head.seq), Some(Seq(2)));
        let old = now.checked_sub(GOOD_FOR).expect("an earlier instant");
        watch.see(Head { epoch: Uuid::from_u128(2), ..head(9) }, old);
        assert!(watch.recent().is_none());
    }
}
