//! When to try again: exponential backoff with full jitter, so that phones which lost the same server do not come back
//! together (Brooker, "Exponential Backoff And Jitter", 2015). Never sooner than the server asked for.

use serde::{Deserialize, Serialize};

/// Now, as whoever carries the phone tells it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Moment {
    /// Milliseconds by a clock that never goes back.
    pub now_ms: u64,
    /// A number from 0 (inclusive) to 1 (exclusive), another one each time.
    pub chance: f64,
}

impl Moment {
    /// A moment without luck: waits are as long as they may be.
    pub fn at(now_ms: u64) -> Self {
        Self { now_ms, chance: 1.0 }
    }
}

/// The longest first wait, in milliseconds.
const FIRST_MS: u64 = 1_000;
/// The longest wait, in milliseconds.
const LONGEST_MS: u64 = 15 * 60 * 1_000;

/// How often nothing came of it, and until when to wait.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Backoff {
    failures: u32,
    until_ms: u64,
}

impl Backoff {
    /// One more failure; the server asked for `retry_after_s`, if it asked for anything.
    pub fn failed(&mut self, moment: Moment, retry_after_s: Option<u64>) {
        let most = FIRST_MS.saturating_mul(1 << self.failures.min(20)).min(LONGEST_MS);
        self.failures += 1;
        let asked = retry_after_s.unwrap_or(0).saturating_mul(1_000);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a bounded wait")]
        let drawn = (most as f64 * moment.chance) as u64;
        self.until_ms = moment.now_ms + asked + drawn;
    }

    /// It worked.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// How long still to wait, in milliseconds; none: no longer. A clock that was set back does not prolong it.
    pub fn wait_ms(&self, moment: Moment) -> Option<u64> {
        let left = self.until_ms.saturating_sub(moment.now_ms).min(2 * LONGEST_MS);
        (left > 0).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound_and_end_with_a_success() {
        let mut backoff = Backoff::default();
        let mut waits = Vec::new();
        for _ in 0..12 {
            backoff.failed(Moment::at(0), None);
            waits.push(backoff.wait_ms(Moment::at(0)).unwrap());
        }
        assert_eq!(waits[..4], [1_000, 2_000, 4_000, 8_000]);
        assert_eq!(waits[11], LONGEST_MS);
        backoff.succeeded();
        assert_eq!(backoff.wait_ms(Moment::at(0)), None);
    }

    #[test]
    fn what_the_server_asks_for_is_kept_and_luck_shortens_only_the_rest() {
        let mut backoff = Backoff::default();
        backoff.failed(Moment { now_ms: 500, chance: 0.0 }, Some(5));
        assert_eq!(backoff.wait_ms(Moment::at(500)), Some(5_000));
        assert_eq!(backoff.wait_ms(Moment::at(5_500)), None);
    }
}
