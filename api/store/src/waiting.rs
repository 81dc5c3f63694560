//! Who waits in this process for something to change, and for what: keys are the ids of units, users, sessions, devices.
//! Wakes those whom a change concerns, and nobody else; holds no connection and asks nothing.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use uuid::Uuid;

/// The key of whoever waits for the log to go on, whatever the change.
pub const ANYTHING: Uuid = Uuid::max();

/// Too many wait already.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("too many wait already")]
pub struct TooMany;

#[derive(Debug, Default)]
struct Waiters {
    next: u64,
    all: HashMap<u64, Arc<Notify>>,
    by_key: HashMap<Uuid, HashSet<u64>>,
}

/// Those who wait.
#[derive(Debug, Default)]
pub struct Waiting {
    waiters: Mutex<Waiters>,
    closed: AtomicBool,
}

/// What has changed.
#[derive(Clone, Debug)]
pub enum Changed {
    /// What these keys name.
    Keys(Vec<Uuid>),
    /// So much, or so deep, that it may be anything.
    Anything,
}

impl Waiters {
    fn name(&mut self, id: u64, keys: &[Uuid]) {
        for key in keys {
            self.by_key.entry(*key).or_default().insert(id);
        }
    }

    fn forget(&mut self, id: u64, keys: &[Uuid]) {
        for key in keys {
            if let Some(ids) = self.by_key.get_mut(key) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.by_key.remove(key);
                }
            }
        }
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to wait for what these keys name, unless `most` wait. What changes from now on is not missed.
    pub fn enter(self: &Arc<Self>, keys: Vec<Uuid>, most: usize) -> Result<Waiter, TooMany> {
        let mut waiters = self.lock();
        if waiters.all.len() >= most {
            return Err(TooMany);
        }
        waiters.next += 1;
        let (id, woken) = (waiters.next, Arc::new(Notify::new()));
        waiters.all.insert(id, Arc::clone(&woken));
        waiters.name(id, &keys);
        Ok(Waiter { of: Arc::clone(self), id, keys, woken })
    }

    /// How many wait.
    pub fn count(&self) -> usize {
        self.lock().all.len()
    }

    /// Wakes those whom it concerns.
    pub fn wake(&self, changed: &Changed) {
        let waiters = self.lock();
        match changed {
            Changed::Anything => waiters.all.values().for_each(|waiter| waiter.notify_one()),
            Changed::Keys(keys) => {
                let concerned = keys.iter().filter_map(|key| waiters.by_key.get(key)).flatten();
                concerned.filter_map(|id| waiters.all.get(id)).for_each(|waiter| waiter.notify_one());
            }
        }
    }

    /// The process stops: nobody waits any more, and nobody begins to.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake(&Changed::Anything);
    }

    /// Whether the process stops.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// One who waits; no longer when dropped, also by a client who leaves.
#[derive(Debug)]
pub struct Waiter {
    of: Arc<Waiting>,
    id: u64,
    keys: Vec<Uuid>,
    woken: Arc<Notify>,
}

impl Waiter {
    /// Waits for what other keys name from now on. It keeps its place: nobody who comes meanwhile takes it.
    pub fn now_for(&mut self, keys: Vec<Uuid>) {
        let mut waiters = self.of.lock();
        waiters.forget(self.id, &self.keys);
        waiters.name(self.id, &keys);
        drop(waiters);
        self.keys = keys;
    }

    /// Returns when something has changed since this was asked last, or since the beginning.
    pub async fn changed(&self) {
        if !self.of.is_closed() {
            self.woken.notified().await;
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiters = self.of.lock();
        waiters.all.remove(&self.id);
        waiters.forget(self.id, &self.keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    fn key(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn is_woken(changed: Pin<&mut impl Future<Output = ()>>) -> bool {
        changed.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn a_change_wakes_those_whom_it_concerns_also_when_it_comes_before_they_ask_and_nobody_else() {
        let waiting = Arc::new(Waiting::default());
        let one = waiting.enter(vec![key(1), key(2)], 2).unwrap();
        let other = waiting.enter(vec![key(3)], 2).unwrap();
        waiting.wake(&Changed::Keys(vec![key(2), key(9)]));
        assert!(is_woken(pin!(one.changed())));
        assert!(!is_woken(pin!(one.changed())), "once");
        assert!(!is_woken(pin!(other.changed())));
        waiting.wake(&Changed::Anything);
        assert!(is_woken(pin!(one.changed())) && is_woken(pin!(other.changed())));
    }

    #[test]
    fn so_many_wait_and_no_more_and_who_leaves_makes_room_and_leaves_nothing() {
        let waiting = Arc::new(Waiting::default());
        let one = waiting.enter(vec![key(1)], 1).unwrap();
        assert_eq!(waiting.enter(vec![key(1)], 1).unwrap_err(), TooMany);
        drop(one);
        assert_eq!((waiting.count(), waiting.lock().by_key.len()), (0, 0));
        assert!(waiting.enter(vec![key(1)], 1).is_ok());
    }

    #[test]
    fn who_waits_for_something_else_keeps_the_place_and_is_woken_by_that_alone() {
        let waiting = Arc::new(Waiting::default());
        let mut one = waiting.enter(vec![key(1), key(2)], 1).unwrap();
        one.now_for(vec![key(2), key(3)]);
        assert_eq!((waiting.count(), waiting.enter(vec![key(1)], 1).unwrap_err()), (1, TooMany));
        waiting.wake(&Changed::Keys(vec![key(1)]));
        assert!(!is_woken(pin!(one.changed())));
        for of in [2, 3] {
            waiting.wake(&Changed::Keys(vec![key(of)]));
            assert!(is_woken(pin!(one.changed())), "{of}");
        }
        drop(one);
        assert_eq!((waiting.count(), waiting.lock().by_key.len()), (0, 0));
    }

    #[test]
    fn nobody_waits_in_a_process_that_stops() {
        let waiting = Arc::new(Waiting::default());
        let early = waiting.enter(vec![key(1)], 9).unwrap();
        waiting.close();
        let late = waiting.enter(vec![key(1)], 9).unwrap();
        assert!(is_woken(pin!(early.changed())) && is_woken(pin!(late.changed())));
    }
}
