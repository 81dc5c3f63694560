//! How long a guesser waits: some attempts are free, then each failure doubles the pause up to a low cap. Whoever waits
//! gets another try, so nobody is locked out for good; a refused try does not prolong anything.
//! Told the time and what has failed; keeps nothing, and knows neither users nor devices.

use chrono::{DateTime, TimeDelta, Utc};
use muong_store::attempts::Failures;

/// How failed attempts are answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// How many may fail before the first pause.
    pub free: u32,
    /// The longest pause.
    pub longest: TimeDelta,
}

/// After so long without an attempt, what failed is forgotten.
pub const MEMORY: TimeDelta = TimeDelta::hours(1);
/// The first pause; the next one is twice as long.
const FIRST: TimeDelta = TimeDelta::seconds(1);

impl Backoff {
    /// How long to wait before the next attempt; none: it may be made now.
    pub fn wait(&self, failures: Option<&Failures>, now: DateTime<Utc>) -> Option<TimeDelta> {
        let failures = failures.filter(|failures| failures.count >= self.free)?;
        let pause = self.pause(failures.count - self.free);
        // A clock that was set back must not make the pause longer than it is.
        let wait = (failures.last_at + pause - now).min(pause);
        (wait > TimeDelta::zero()).then_some(wait)
    }

    fn pause(&self, doublings: u32) -> TimeDelta {
        let seconds = 1_i64.checked_shl(doublings.min(32)).unwrap_or(i64::MAX);
        TimeDelta::seconds(seconds.saturating_mul(FIRST.num_seconds())).min(self.longest)
    }

    /// With one more attempt, which counts as failed until it has succeeded: so that of many at once no more are let
    /// through than one after the other.
    pub fn counted(&self, before: Option<Failures>, now: DateTime<Utc>) -> Failures {
        let count = before.filter(|before| now - before.last_at < MEMORY).map_or(0, |before| before.count);
        Failures { count: count.saturating_add(1), last_at: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BACKOFF: Backoff = Backoff { free: 3, longest: TimeDelta::seconds(60) };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_600_000 + seconds, 0).unwrap()
    }

    fn after(count: u32) -> Option<Failures> {
        Some(Failures { count, last_at: at(0) })
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses: Vec<_> = (0..12)
            .map(|count| BACKOFF.wait(after(count).as_ref(), at(0)).map_or(0, |wait| wait.num_seconds()))
            .collect();
        assert_eq!(pauses, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(BACKOFF.wait(after(u32::MAX).as_ref(), at(0)), Some(TimeDelta::seconds(60)));
        assert_eq!(BACKOFF.wait(None, at(0)), None);
    }

    #[test]
    fn after_the_pause_there_is_one_try_and_after_an_hour_all_is_forgotten() {
        assert_eq!(BACKOFF.wait(after(9).as_ref(), at(59)), Some(TimeDelta::seconds(1)));
        assert_eq!(BACKOFF.wait(after(9).as_ref(), at(60)), None);
        assert_eq!(BACKOFF.counted(after(9), at(60)).count, 10);
        assert_eq!(BACKOFF.counted(after(9), at(3600)).count, 1);
    }

    #[test]
    fn a_clock_that_was_set_back_prolongs_nothing() {
        assert_eq!(BACKOFF.wait(after(4).as_ref(), at(-7200)), Some(TimeDelta::seconds(2)));
    }

    proptest! {
        /// However hard somebody tries, the one who waits for the longest pause gets a try.
        #[test]
        fn nobody_waits_longer_than_the_longest_pause(tries in proptest::collection::vec(0_i64..90, 0..200)) {
            let (mut failures, mut now) = (None, 0);
            for pause in tries {
                now += pause;
                if BACKOFF.wait(failures.as_ref(), at(now)).is_none() {
                    failures = Some(BACKOFF.counted(failures, at(now)));
                }
                prop_assert_eq!(BACKOFF.wait(failures.as_ref(), at(now + 60)), None);
            }
        }

        /// In the long run a guesser gets the free tries, those of the short pauses, and one a longest pause.
        #[test]
        fn a_guesser_gets_few_tries(step in 1_i64..30) {
            let (mut failures, mut let_through) = (None, 0);
            for now in (0..3600).step_by(usize::try_from(step).unwrap()) {
                if BACKOFF.wait(failures.as_ref(), at(now)).is_none() {
                    failures = Some(BACKOFF.counted(failures, at(now)));
                    let_through += 1;
                }
            }
            prop_assert!(let_through <= 3 + 6 + 60, "{let_through}");
        }
    }
}
