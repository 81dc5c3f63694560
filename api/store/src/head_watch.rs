//! The head of the log as this process knows it without asking: its own commits at once, those of others by looking a few
//! times a second. Whoever may not act on anything older reads the head in its own transaction.

use crate::connection::{Connection, DatabaseUrl};
use crate::transaction::{Head, look_at_head};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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
    stop: Mutex<Option<Sender<()>>>,
}

impl HeadWatch {
    /// Starts looking for others' commits, on a thread and a connection of its own, until [`Self::stop`]. `turned` is told
    /// when the database has been promoted since the head was written: each time, until somebody has begun the new epoch.
    pub fn start(
        self: &Arc<Self>,
        url: DatabaseUrl,
        turned: impl Fn() + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        let (stop, stopped) = channel();
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop);
        let watch = Arc::clone(self);
        std::thread::Builder::new().name("head".to_owned()).spawn(move || {
            let mut conn = None;
            loop {
                watch.look(&url, &mut conn, &turned);
                if stopped.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
        })
    }

    /// Ends the thread.
    pub fn stop(&self) {
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn look(&self, url: &DatabaseUrl, kept: &mut Option<Connection>, turned: &impl Fn()) {
        let at = Instant::now();
        let conn = match kept.take() {
            Some(conn) => Ok(conn),
            None => url.open(),
        };
        let read = conn.and_then(|mut conn| Ok((look_at_head(&mut conn)?, conn)));
        match read {
            Ok(((head, has_turned), conn)) => {
                self.see(head, at);
                if has_turned {
                    turned();
                }
                *kept = Some(conn);
            }
            Err(error) => tracing::debug!(%error, "the head could not be read"),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use muong_domain::id::Seq;
    use uuid::Uuid;

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
