//! A bounded memory of what was found out lately. Forgets, never grows; knows nothing of what it keeps.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps at least the last `capacity` entries that were used, and at most twice as many.
///
/// Two generations instead of a list in order of use: a look-up moves an entry into the young one, and when that is
/// full it becomes the old one, whose entries are forgotten. So every operation is one or two hash look-ups.
pub struct Recent<K, V> {
    capacity: usize,
    generations: Mutex<Generations<K, V>>,
}

struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    hits: u64,
    misses: u64,
}

/// How a memory is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usage {
    /// How much is remembered now.
    pub entries: usize,
    /// How often something was remembered that was asked for.
    pub hits: u64,
    /// How often it was not.
    pub misses: u64,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    /// An empty memory.
    pub fn new(capacity: usize) -> Self {
        let generations = Generations { young: HashMap::new(), old: HashMap::new(), hits: 0, misses: 0 };
        Self { capacity: capacity.max(1), generations: Mutex::new(generations) }
    }

    /// What is remembered of `key`.
    pub fn get(&self, key: &K) -> Option<V> {
        let mut generations = self.lock();
        if let Some(value) = generations.young.get(key).cloned() {
            generations.hits += 1;
            return Some(value);
        }
        let Some((key, value)) = generations.old.remove_entry(key) else {
            generations.misses += 1;
            return None;
        };
        generations.hits += 1;
        generations.put(key, value.clone(), self.capacity);
        Some(value)
    }

    /// How it is used.
    pub fn usage(&self) -> Usage {
        let generations = self.lock();
        let entries = generations.young.len() + generations.old.len();
        Usage { entries, hits: generations.hits, misses: generations.misses }
    }

    /// Remembers `value`.
    pub fn put(&self, key: K, value: V) {
        self.lock().put(key, value, self.capacity);
    }

    /// Changes what is remembered of `key`, without anybody in between. Remembers nothing when told none.
    pub fn update<R>(&self, key: K, change: impl FnOnce(Option<V>) -> (Option<V>, R)) -> R {
        let mut generations = self.lock();
        let before = generations.young.get(&key).or_else(|| generations.old.get(&key)).cloned();
        let (after, answer) = change(before);
        generations.old.remove(&key);
        match after {
            Some(value) => generations.put(key, value, self.capacity),
            None => drop(generations.young.remove(&key)),
        }
        answer
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let mut generations = self.lock();
        generations.young.clear();
        generations.old.clear();
    }

    /// Forgets `key`.
    pub fn forget(&self, key: &K) {
        let mut generations = self.lock();
        generations.young.remove(key);
        generations.old.remove(key);
    }

    /// A panic elsewhere leaves two whole maps behind: nothing in them is half done.
    fn lock(&self) -> MutexGuard<'_, Generations<K, V>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, V> Generations<K, V> {
    fn put(&mut self, key: K, value: V, capacity: usize) {
        if self.young.len() >= capacity && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

/// Only how much fits: what is kept may be a secret.
impl<K, V> fmt::Debug for Recent<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entries_stay_and_no_more_than_twice_as_many_are_held() {
        let recent = Recent::new(3);
        (0..100).for_each(|n| recent.put(n, n * 2));
        assert!((97..100).all(|n| recent.get(&n) == Some(n * 2)));
        let generations = recent.lock();
        let held = generations.young.len() + generations.old.len();
        drop(generations);
        assert!(held <= 6, "{held}");
        assert_eq!(recent.get(&0), None);
    }

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let recent = Recent::new(2);
        recent.put("used", 1);
        for n in 0..10 {
            recent.put(["a", "b", "c", "d"][n % 4], 0);
            assert_eq!(recent.get(&"used"), Some(1), "after {n} others");
        }
    }

    #[test]
    fn what_is_changed_is_young_again_wherever_it_was() {
        let recent = Recent::new(1);
        recent.put("a", 1);
        recent.put("b", 1);
        let add = |held: Option<i32>| (held.map(|n| n + 1), held);
        assert_eq!((recent.update("a", add), recent.update("c", add)), (Some(1), None));
        assert_eq!((recent.get(&"a"), recent.get(&"c")), (Some(2), None));
        recent.update("a", |_| (None, ()));
        assert_eq!(recent.get(&"a"), None);
    }

    #[test]
    fn what_is_forgotten_is_gone_from_both_generations() {
        let recent = Recent::new(1);
        recent.put(1, 1);
        recent.put(2, 2);
        recent.forget(&1);
        recent.forget(&2);
        assert_eq!((recent.get(&1), recent.get(&2)), (None, None));
    }
}
