//! How often something may happen: a budget that refills with time, one for each key, in bounded memory.
//! Told the time, never asks for it. Knows neither addresses nor devices nor HTTP.

use super::recent::Recent;
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt;
use std::hash::Hash;

/// How much of something is allowed: so much at once, and so much a minute in the long run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    /// µs until one more is allowed; 0: there is no limit.
    interval: i64,
    /// µs until a budget that was used up is whole again.
    whole: i64,
}

/// What a budget looks like: the instant, in µs since 1970, at which it will be whole again. One number is all there is
/// to keep (the generic cell rate algorithm: a token bucket that is counted in time).
pub type WholeAt = i64;

const MINUTE: i64 = 60_000_000;

impl Quota {
    /// `burst` at once and `per_minute` in the long run. Either 0: no limit.
    pub const fn new(burst: u32, per_minute: u32) -> Self {
        if burst == 0 || per_minute == 0 {
            return Self { interval: 0, whole: 0 };
        }
        // At least 1 µs, so that a very fast quota is not taken for none.
        let interval = if per_minute as i64 > MINUTE { 1 } else { MINUTE / per_minute as i64 };
        Self { interval, whole: interval.saturating_mul(burst as i64) }
    }

    /// Takes `cost` from a budget, or tells how long to wait for it. More than fits at once counts as all that fits, so
    /// that nothing waits for ever.
    pub fn take(&self, budget: Option<WholeAt>, cost: u32, now: DateTime<Utc>) -> Result<WholeAt, TimeDelta> {
        let (now, begins) = (now.timestamp_micros(), self.at_least_now(budget, now));
        let price = self.interval.saturating_mul(i64::from(cost)).min(self.whole);
        let ends = begins.saturating_add(price);
        let over = ends.saturating_sub(now).saturating_sub(self.whole);
        if over > 0 { Err(TimeDelta::microseconds(over)) } else { Ok(ends) }
    }

    /// Gives back what was taken for something that is not to count.
    pub fn give_back(&self, budget: Option<WholeAt>, cost: u32, now: DateTime<Utc>) -> WholeAt {
        let price = self.interval.saturating_mul(i64::from(cost)).min(self.whole);
        let ends = self.at_least_now(budget, now).saturating_sub(price);
        ends.max(now.timestamp_micros())
    }

    /// A budget is never more than whole, and never further from it than the whole of it: also after a clock was set back.
    fn at_least_now(&self, budget: Option<WholeAt>, now: DateTime<Utc>) -> WholeAt {
        let now = now.timestamp_micros();
        budget.unwrap_or(now).clamp(now, now.saturating_add(self.whole))
    }
}

/// A budget for each key. Remembers at least the last `capacity` keys that were used and at most twice as many; one
/// that is forgotten begins anew.
pub struct Limiter<K> {
    quota: Quota,
    budgets: Recent<K, WholeAt>,
}

impl<K: Eq + Hash> Limiter<K> {
    /// Budgets of this quota.
    pub fn new(quota: Quota, capacity: usize) -> Self {
        Self { quota, budgets: Recent::new(capacity) }
    }

    /// Takes `cost` from the budget of `key`, or tells how long to wait for it; then nothing was taken.
    pub fn take(&self, key: K, cost: u32, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        self.budgets.update(key, |budget| match self.quota.take(budget, cost, now) {
            Ok(whole_at) => (Some(whole_at), Ok(())),
            Err(wait) => (budget, Err(wait)),
        })
    }

    /// Gives back what was taken for something that is not to count.
    pub fn give_back(&self, key: K, cost: u32, now: DateTime<Utc>) {
        self.budgets.update(key, |budget| (Some(self.quota.give_back(budget, cost, now)), ()));
    }
}

impl<K> fmt::Debug for Limiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("quota", &self.quota).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(micros: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(1_772_600_000_000_000 + micros).unwrap()
    }

    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_budget_is_used_up_and_comes_back_with_time() {
        let limiter = Limiter::new(Quota::new(3, 60), 10);
        assert!((0..3).all(|_| limiter.take("a", 1, at(0)).is_ok()));
        assert_eq!(limiter.take("a", 1, at(0)), Err(TimeDelta::seconds(1)));
        assert_eq!(limiter.take("b", 1, at(0)), Ok(()), "another's budget is another");
        assert_eq!(limiter.take("a", 1, at(SECOND - 1)), Err(TimeDelta::microseconds(1)));
        assert_eq!(limiter.take("a", 1, at(SECOND)), Ok(()));
        assert_eq!(limiter.take("a", 3, at(2 * SECOND)), Err(TimeDelta::seconds(2)));
        assert_eq!(limiter.take("a", 3, at(4 * SECOND)), Ok(()));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_is_never_more_than_the_whole() {
        let limiter = Limiter::new(Quota::new(2, 60), 10);
        limiter.take("a", 2, at(0)).unwrap();
        limiter.give_back("a", 1, at(0));
        assert_eq!(limiter.take("a", 1, at(0)), Ok(()));
        (0..9).for_each(|_| limiter.give_back("a", 1, at(0)));
        assert_eq!((0..9).filter(|_| limiter.take("a", 1, at(0)).is_ok()).count(), 2);
    }

    #[test]
    fn more_than_the_whole_costs_the_whole_and_zero_means_no_limit() {
        let quota = Quota::new(5, 60);
        assert!(quota.take(None, 500, at(0)).is_ok());
        assert_eq!(quota.take(quota.take(None, 500, at(0)).ok(), 1, at(0)), Err(TimeDelta::seconds(1)));
        let unlimited = Limiter::new(Quota::new(0, 60), 10);
        assert!((0..1000).all(|_| unlimited.take("a", 500, at(0)).is_ok()));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nobody_wait_longer_than_for_the_whole() {
        let quota = Quota::new(2, 60);
        let budget = quota.take(None, 2, at(0)).ok();
        assert_eq!(quota.take(budget, 1, at(-3600 * SECOND)), Err(TimeDelta::seconds(1)));
    }

    proptest! {
        /// Whatever is asked and when: never more than the burst and what has refilled since, and whoever waits as long
        /// as they are told is let through.
        #[test]
        fn no_more_than_burst_and_rate_allow_and_the_wait_is_true(
            burst in 1_u32..20,
            per_minute in 1_u32..600,
            asked in proptest::collection::vec((0_i64..5_000_000, 1_u32..5), 1..60),
        ) {
            let quota = Quota::new(burst, per_minute);
            let (mut budget, mut now, mut taken) = (None, 0_i64, 0_u64);
            for (pause, cost) in asked {
                now += pause;
                match quota.take(budget, cost, at(now)) {
                    Ok(whole_at) => {
                        budget = Some(whole_at);
                        taken += u64::from(cost.min(burst));
                    }
                    Err(wait) => {
                        let later = at(now) + wait;
                        prop_assert!(quota.take(budget, cost, later - TimeDelta::microseconds(1)).is_err());
                        prop_assert!(quota.take(budget, cost, later).is_ok());
                    }
                }
                let refilled = now as f64 * f64::from(per_minute) / 60e6;
                // The interval is cut to whole µs: at most 1 in 100,000 at these rates.
                prop_assert!(taken as f64 <= f64::from(burst) + refilled * 1.0001 + 1e-6, "{taken} by {now}");
            }
        }
    }
}
