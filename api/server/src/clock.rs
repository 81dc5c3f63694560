//! The two things that a program cannot compute: the time and chance. `main` makes one of each and hands them down;
//! nothing else asks the system, so that a test (or the demo, by its seed) can say what both are.
//! Knows nothing of what either is used for.

use chrono::{DateTime, SubsecRound, Utc};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use uuid::Uuid;

/// Where "now" comes from.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// An instant that does not move.
    Fixed(DateTime<Utc>),
    /// An instant that somebody else moves, in µs since 1970: for tests and simulations that say when things happen.
    Set(&'static AtomicI64),
}

impl Clock {
    /// The present instant, cut to microseconds: what both databases store and give back unchanged.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is passed")]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => Utc::now().trunc_subsecs(6),
            Self::Fixed(instant) => *instant,
            Self::Set(micros) => DateTime::from_timestamp_micros(micros.load(Ordering::Acquire)).unwrap_or_default(),
        }
    }
}

/// Where chance comes from.
#[derive(Debug)]
pub enum Entropy {
    /// The operating system's generator: the only one that is fit for keys and tokens.
    System,
    /// A repeatable stream, for the demo's data and for tests: SHA-256 over seed and counter.
    Seeded {
        /// What the stream starts from.
        seed: u64,
        /// How many blocks were taken.
        taken: AtomicU64,
    },
}

impl Entropy {
    /// A repeatable stream.
    pub const fn seeded(seed: u64) -> Self {
        Self::Seeded { seed, taken: AtomicU64::new(0) }
    }

    /// Another source of the same nature: of a seed, a stream that repeats as well.
    #[must_use]
    pub fn fork(&self) -> Self {
        match self {
            Self::System => Self::System,
            Self::Seeded { seed, .. } => Self::seeded(!seed),
        }
    }

    /// Fills `bytes`.
    ///
    /// # Panics
    /// When the operating system has no randomness to give: nothing secret can be made then.
    #[expect(clippy::disallowed_methods, reason = "this is the source that everything else is passed")]
    pub fn fill(&self, bytes: &mut [u8]) {
        match self {
            Self::System => getrandom::fill(bytes).expect("the operating system gives random bytes"),
            Self::Seeded { seed, taken } => {
                for chunk in bytes.chunks_mut(32) {
                    let block = taken.fetch_add(1, Ordering::Relaxed);
                    let mut hash = Sha256::new();
                    hash.update(seed.to_be_bytes());
                    hash.update(block.to_be_bytes());
                    chunk.copy_from_slice(&hash.finalize()[..chunk.len()]);
                }
            }
        }
    }

    /// `N` bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A new identifier that sorts by time (UUIDv7, RFC 9562 §5.7).
    pub fn uuid(&self, now: DateTime<Utc>) -> Uuid {
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_stream_and_another_does_not() {
        let first: [u8; 70] = Entropy::seeded(7).bytes();
        assert_eq!(first, Entropy::seeded(7).bytes::<70>());
        assert_ne!(first, Entropy::seeded(8).bytes::<70>());
    }

    #[test]
    fn identifiers_sort_by_time() {
        let entropy = Entropy::System;
        let now = Clock::System.now();
        let id = entropy.uuid(now);
        assert_eq!(id.get_version_num(), 7);
        assert!(id < entropy.uuid(now + chrono::TimeDelta::seconds(1)));
    }
}
