//! Which entries of which epochs belong to the history that stands in the end. A restore cuts one; nothing else does.

use super::journal::At;
use crate::Fallible;
use muong_domain::id::Seq;
use muong_store::{Database, log};
use uuid::Uuid;

/// The history of a store.
pub struct History {
    current: Uuid,
    /// The epochs that ended, each with its last entry in this history.
    ended: Vec<(Uuid, Seq)>,
    /// Where restores cut, as those tell who restored.
    cuts: Vec<At>,
}

impl History {
    /// As the store tells it, and whoever restored it.
    pub fn of(store: &Database, cuts: Vec<At>) -> Fallible<Self> {
        let (current, ended) = store.read(|snapshot| Ok((snapshot.head()?.epoch, log::ended_epochs(snapshot)?)))?;
        Ok(Self { current, ended, cuts })
    }

    /// Restores after which the log does not go on from where the backup was taken.
    pub fn wrong_cuts(&self) -> usize {
        self.cuts.iter().filter(|cut| !self.ended.contains(&(cut.epoch, Seq(cut.seq)))).count()
    }

    /// Whether an entry must be here. A restore alone takes any away: those of its epoch after the backup, and epochs that
    /// began between backup and restore.
    pub fn has(&self, at: At) -> bool {
        let is_known = at.epoch == self.current || self.ended.iter().any(|(epoch, _)| *epoch == at.epoch);
        is_known && self.cuts.iter().all(|cut| cut.epoch != at.epoch || at.seq <= cut.seq)
    }

    /// The epoch in which an entry of this history was written.
    pub fn epoch_of(&self, seq: Seq) -> Uuid {
        self.ended.iter().find(|(_, last)| seq <= *last).map_or(self.current, |(epoch, _)| *epoch)
    }

    /// Up to where an epoch is a part of this history; none: it is not known here.
    pub fn shared_with(&self, epoch: Uuid) -> Option<Seq> {
        if epoch == self.current {
            return Some(Seq(i64::MAX));
        }
        self.ended.iter().find(|(ended, _)| *ended == epoch).map(|(_, last)| *last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restore_takes_away_what_came_after_its_backup_and_a_promotion_nothing() {
        let [first, second, third, elsewhere] = [1, 2, 3, 4].map(Uuid::from_u128);
        let cuts = vec![At { epoch: first, seq: 10 }];
        let history = History { current: third, ended: vec![(first, Seq(10)), (second, Seq(20))], cuts };
        let has = |epoch, seq| history.has(At { epoch, seq });
        assert!(has(first, 10) && !has(first, 11));
        assert!(has(second, 20) && has(second, 21), "whoever lost that must be found");
        assert!(has(third, 99) && !has(elsewhere, 1));
        assert_eq!(history.wrong_cuts(), 0);
        let moved = History { cuts: vec![At { epoch: first, seq: 9 }], ..history };
        assert_eq!(moved.wrong_cuts(), 1);
        assert_eq!([10, 11, 21].map(|seq| moved.epoch_of(Seq(seq))), [first, second, third]);
    }
}
