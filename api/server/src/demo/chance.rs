//! Chance that repeats itself: a small generator (SplitMix64) seeded by labels, and the identifiers made of it.
//! Whatever is drawn depends on the seed and the labels alone, never on what else was drawn before.

use uuid::{Builder, Uuid};

/// A stream of numbers that look random and are the same each time.
#[derive(Clone, Debug)]
pub struct Chance(u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every bit of the input reaches every bit of the output.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Chance {
    /// The stream of one thing: what it is, and which one.
    pub fn of(seed: u64, what: &str, which: &[u64]) -> Self {
        let absorb = |state: u64, part: u64| mix(state.wrapping_add(GOLDEN) ^ mix(part.wrapping_add(GOLDEN)));
        let named = what.bytes().fold(mix(seed), |state, byte| absorb(state, u64::from(byte)));
        Self(which.iter().fold(named, |state, part| absorb(state, *part)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number below `end`, which must not be 0. The bias of the remainder is of no account at these sizes.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number from `first` to `last`, both included.
    pub fn between(&mut self, first: u32, last: u32) -> u32 {
        let span = u64::from(last - first) + 1;
        first + u32::try_from(self.below(span)).expect("below a span of u32")
    }

    /// Whether something happens that happens so many times in a thousand.
    pub fn permille(&mut self, times: u32) -> bool {
        self.below(1000) < u64::from(times)
    }

    /// One of them; there must be one.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.below(of.len() as u64);
        &of[usize::try_from(at).expect("an index")]
    }

    /// An identifier of the shape of UUIDv7 (RFC 9562 §5.7), as a phone would have made it at that instant.
    pub fn id(&mut self, unix_millis: i64) -> Uuid {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.next().to_be_bytes());
        bytes[8..].copy_from_slice(&self.next().to_be_bytes()[..2]);
        Builder::from_unix_timestamp_millis(unix_millis.unsigned_abs(), &bytes).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_its_seed_and_labels_alone() {
        let draw = |seed, what, which: &[u64]| Chance::of(seed, what, which).below(u64::MAX);
        assert_eq!(draw(1, "a", &[2]), draw(1, "a", &[2]));
        let all =
            [draw(1, "a", &[2]), draw(2, "a", &[2]), draw(1, "b", &[2]), draw(1, "a", &[3]), draw(1, "a", &[2, 0])];
        assert!((1..all.len()).all(|at| !all[..at].contains(&all[at])));
    }

    #[test]
    fn numbers_keep_within_their_bounds() {
        let mut chance = Chance::of(7, "bounds", &[]);
        let drawn: Vec<u32> = (0..1000).map(|_| chance.between(3, 7)).collect();
        assert!((3..=7).all(|n| drawn.contains(&n)) && drawn.iter().all(|n| (3..=7).contains(n)));
    }

    #[test]
    fn identifiers_are_of_version_seven_and_carry_their_time() {
        let id = Chance::of(7, "id", &[]).id(1_772_726_400_000);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.as_u128() >> 80, 1_772_726_400_000);
    }
}
