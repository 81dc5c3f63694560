//! How much this process takes on at the same time, and what it does with the rest: it refuses at once, so that an
//! overload is answered 503 and never becomes a pile of memory. Counts; knows nothing of what it counts.

use crate::config::Config;
use crate::security::throttle::Network;
use muong_domain::id::DeviceId;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// There is no room: to be tried again later.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no room")]
pub struct Full;

/// Lets so many in at a time and so many more wait, in the order in which they came; the rest is refused.
pub struct Gate {
    inside: Arc<Semaphore>,
    waiting: AtomicUsize,
    most_waiting: usize,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("most_waiting", &self.most_waiting).finish_non_exhaustive()
    }
}

impl Gate {
    /// `at_once` inside, `most_waiting` before it.
    pub fn new(at_once: NonZeroUsize, most_waiting: usize) -> Self {
        let at_once = at_once.get().min(Semaphore::MAX_PERMITS);
        Self { inside: Arc::new(Semaphore::new(at_once)), waiting: AtomicUsize::new(0), most_waiting }
    }

    /// Waits for a place. It is given back when what is answered is dropped: let it go with the work, so that a client
    /// who leaves makes no room while the work still runs.
    pub async fn enter(&self) -> Result<OwnedSemaphorePermit, Full> {
        if let Ok(place) = Arc::clone(&self.inside).try_acquire_owned() {
            return Ok(place);
        }
        let _waits = Waits::begin(&self.waiting, self.most_waiting)?;
        Arc::clone(&self.inside).acquire_owned().await.map_err(|_closed| Full)
    }

    /// How many wait now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// One who waits; no longer when dropped, also by a client who leaves.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicUsize, most: usize) -> Result<Self, Full> {
        let more = |now: usize| (now < most).then_some(now + 1);
        waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).map(|_before| Self(waiting)).map_err(|_| Full)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// An amount of something that is shared out and never lent beyond what there is; nobody waits for it.
#[derive(Clone, Debug)]
pub struct Budget {
    whole: usize,
    taken: Arc<AtomicUsize>,
}

impl Budget {
    /// `whole` to share out.
    pub fn new(whole: usize) -> Self {
        Self { whole, taken: Arc::new(AtomicUsize::new(0)) }
    }

    /// A share of `amount`, unless too little is left.
    pub fn take(&self, amount: usize) -> Result<Share, Full> {
        let mut share = Share { budget: self.clone(), amount: 0 };
        share.grow(amount).map(|()| share)
    }

    /// How much is taken now.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// A part of a [`Budget`]; given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    amount: usize,
}

impl Share {
    /// Takes `more` as well, or leaves everything as it was.
    pub fn grow(&mut self, more: usize) -> Result<(), Full> {
        let Budget { whole, taken } = &self.budget;
        let grown = |now: usize| now.checked_add(more).filter(|sum| sum <= whole);
        taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, grown).map_err(|_| Full)?;
        self.amount += more;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.amount, Ordering::AcqRel);
    }
}

/// So many for each of something (a network, a device); nobody waits.
#[derive(Debug)]
pub struct Each<K> {
    most: usize,
    counts: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K> Clone for Each<K> {
    fn clone(&self) -> Self {
        Self { most: self.most, counts: Arc::clone(&self.counts) }
    }
}

impl<K: Copy + Eq + Hash> Each<K> {
    /// At most `most` for each.
    pub fn new(most: usize) -> Self {
        Self { most, counts: Arc::new(Mutex::new(HashMap::new())) }
    }

    /// One more of this one.
    pub fn take(&self, key: K) -> Result<Place<K>, Full> {
        let mut counts = self.lock();
        // Nothing is remembered of whom nothing is given to.
        if counts.get(&key).copied().unwrap_or_default() >= self.most {
            return Err(Full);
        }
        *counts.entry(key).or_default() += 1;
        Ok(Place { of: self.clone(), key })
    }

    /// How many there are, of all.
    pub fn taken(&self) -> usize {
        self.lock().values().sum()
    }

    /// A panic elsewhere leaves whole counts behind.
    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them; given back when dropped.
#[derive(Debug)]
pub struct Place<K: Copy + Eq + Hash> {
    of: Each<K>,
    key: K,
}

impl<K: Copy + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut counts = self.of.lock();
        match counts.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.key)),
        }
    }
}

/// How many requests of people who have not said yet who they are may have bodies on their way at once: a quarter of all
/// places, so that those who are signed in find room whatever strangers do.
const STRANGERS: usize = 4;
/// And how many of those one network may have.
const STRANGERS_OF_A_NETWORK: usize = 4;

/// Everything that is bounded in a serving process, but for the writer's queue and the hashing of passwords, which keep
/// their own bounds.
#[derive(Debug)]
pub struct Capacity {
    /// Open connections by where they come from, but those of trusted proxies.
    pub connections: Each<Network>,
    /// Requests that are being answered, until the last byte of the answer is on its way.
    pub requests: Budget,
    /// Of these, those without a token whose body is on its way.
    pub strangers: Budget,
    /// The same by where they come from.
    pub strangers_of: Each<Network>,
    /// Pulls that wait, by device.
    pub waiting_of: Each<DeviceId>,
    /// Bytes of bodies in memory, as they came and as they were inflated.
    pub bodies: Budget,
    /// Reads of the database: as many as there are connections, and so many more that wait.
    pub reads: Gate,
    /// Pulls that have waited and look again: half of the connections, so that others read beside them.
    pub woken: Gate,
    /// Work for the processor (inflating, parsing, assessing) off the threads that serve connections.
    pub work: Gate,
}

impl Capacity {
    /// As the installation chose.
    pub fn new(config: &Config) -> Self {
        let http = &config.http;
        let strangers = http.requests.get().div_ceil(STRANGERS);
        Self {
            connections: Each::new(http.connections_per_address.get()),
            requests: Budget::new(http.requests.get()),
            strangers: Budget::new(strangers),
            strangers_of: Each::new(strangers.div_ceil(STRANGERS_OF_A_NETWORK)),
            waiting_of: Each::new(http.waiting_pulls_per_device.get()),
            bodies: Budget::new(http.body_bytes),
            reads: Gate::new(config.readers, http.waiting),
            woken: Gate::new(half(config.readers), http.waiting_pulls),
            work: Gate::new(config.workers, http.waiting),
        }
    }
}

fn half(number: NonZeroUsize) -> NonZeroUsize {
    NonZeroUsize::new(number.get() / 2).unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::{Pin, pin};
    use std::task::Poll;

    /// Asks once.
    async fn still_waits(mut entering: Pin<&mut impl Future>) -> bool {
        poll_fn(|context| Poll::Ready(entering.as_mut().poll(context).is_pending())).await
    }

    #[actix_web::test]
    async fn a_gate_lets_some_in_and_some_wait_and_refuses_the_rest() {
        let gate = Gate::new(NonZeroUsize::MIN, 1);
        let first = gate.enter().await.unwrap();
        let mut second = pin!(gate.enter());
        assert!(still_waits(second.as_mut()).await);
        assert_eq!(gate.waiting(), 1);
        assert_eq!(gate.enter().await.unwrap_err(), Full);
        drop(first);
        let _second = second.await.unwrap();
        assert_eq!(gate.waiting(), 0);
    }

    #[actix_web::test]
    async fn who_stops_waiting_makes_room_for_another() {
        let gate = Gate::new(NonZeroUsize::MIN, 1);
        let _first = gate.enter().await.unwrap();
        {
            let mut left = pin!(gate.enter());
            assert!(still_waits(left.as_mut()).await);
            assert_eq!(gate.waiting(), 1);
        }
        assert_eq!(gate.waiting(), 0);
    }

    #[test]
    fn each_has_its_own_places_and_none_is_remembered_that_has_none() {
        let (places, one, other) = (Each::new(1), "one", "other");
        let first = places.take(one).unwrap();
        assert_eq!(places.take(one).unwrap_err(), Full);
        let _second = places.take(other).unwrap();
        assert_eq!(places.taken(), 2);
        drop(first);
        assert!(places.take(one).is_ok());
        assert_eq!(places.lock().len(), 1);
    }

    #[test]
    fn a_budget_is_never_lent_twice_and_comes_back() {
        let budget = Budget::new(10);
        let mut share = budget.take(4).unwrap();
        assert_eq!(share.grow(6), Ok(()));
        assert_eq!(share.grow(1), Err(Full));
        assert_eq!(budget.take(1).unwrap_err(), Full);
        assert_eq!(share.grow(usize::MAX), Err(Full));
        drop(share);
        assert_eq!(budget.taken(), 0);
        assert!(budget.take(10).is_ok() && budget.take(11).is_err());
    }
}
