//! What one phone is held to, noted where no fault reaches it: what it said and what was answered, and what it was told.

use chrono::{DateTime, Utc};
use muong_phone::wire::PushResult;
use muong_phone::{Phone, Thing};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// An entry of the log, in an epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct At {
    /// The epoch.
    pub epoch: Uuid,
    /// The entry.
    pub seq: i64,
}

/// A submission.
#[derive(Clone, Debug)]
pub struct Said {
    /// Whether the phone has it, or gave it away because a backup holds it. If not, it went back to a copy from before:
    /// should the server lose it as well, nobody has it.
    pub held: bool,
    /// As which entry it was acknowledged, and how.
    pub answers: BTreeSet<(At, String)>,
    /// Whether it was answered that whom it is about has been erased.
    pub erased: bool,
}

/// What a page brought.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Which moment of the store it is of.
    pub at: At,
    /// What the server's clock may have said then, from and to.
    pub clocks: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// The units of the records of which it tells, and whether of persons.
    pub told: BTreeSet<(Uuid, bool)>,
}

/// A thing that a phone holds.
#[derive(Clone, PartialEq, Debug)]
pub struct Held {
    /// What it is.
    pub kind: String,
    /// Its version.
    pub v: i64,
    unit: Option<Uuid>,
    data: Value,
    open_conflicts: Vec<String>,
}

impl From<&Thing> for Held {
    fn from(thing: &Thing) -> Self {
        let Thing { kind, v, unit, data, open_conflicts, .. } = thing.clone();
        Self { kind, v, unit, data, open_conflicts }
    }
}

/// Everything that a phone holds, and its hash: that one counts other ids of records as well.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Holding {
    /// By id.
    pub things: BTreeMap<Uuid, Held>,
    hash: String,
}

impl Holding {
    /// Of a phone.
    pub fn of(phone: &Phone) -> Self {
        let things = phone.replica().things().map(|(id, thing)| (*id, Held::from(thing))).collect();
        Self { things, hash: phone.replica().hash().all }
    }

    /// In how many things two differ; at least one, if at all.
    pub fn difference(&self, other: &Self) -> usize {
        let ids: BTreeSet<&Uuid> = self.things.keys().chain(other.things.keys()).collect();
        let different = ids.into_iter().filter(|id| self.things.get(id) != other.things.get(id)).count();
        different.max(usize::from(self.hash != other.hash))
    }
}

/// What one phone is held to.
#[derive(Clone, Debug)]
pub struct Journal {
    /// The commune whose reporter has the phone.
    pub commune: usize,
    /// What it said.
    pub said: BTreeMap<Uuid, Said>,
    /// What it was told.
    pub delivered: Vec<Delivered>,
    /// What it holds in the end.
    pub holds: Holding,
    /// What a new phone of the same user holds then, that knew nothing before.
    pub fresh: Holding,
}

impl Journal {
    /// Of a phone of the reporter of a commune.
    pub fn new(commune: usize) -> Self {
        let (said, delivered, holds, fresh) = Default::default();
        Self { commune, said, delivered, holds, fresh }
    }

    /// The phone says something.
    pub fn says(&mut self, id: Uuid) {
        self.said.insert(id, Said { held: true, answers: BTreeSet::new(), erased: false });
    }

    /// The server says what it has recorded, and must have for ever.
    pub fn hears(&mut self, epoch: Uuid, result: PushResult) {
        // Of several phones that were cloned, another one may have said it, and this one have gone back since.
        let Some(said) = self.said.get_mut(&result.id) else { return };
        let result = match result.original {
            Some(original) => *original,
            None if result.status == "duplicate" => {
                said.erased = true;
                return;
            }
            None => result,
        };
        if let Some(seq) = result.v {
            said.answers.insert((At { epoch, seq }, result.status));
        }
    }

    /// The phone goes on from an older copy of itself. What it had to say then and the copy does not hold it cannot say any
    /// more. What it had given away before stays where it is: a backup holds it.
    pub fn goes_back(&mut self, now: &Phone, copy: &Phone) {
        let ids = |phone: &Phone| -> BTreeSet<Uuid> { phone.outbox().entries().map(|entry| entry.id).collect() };
        for gone in ids(now).difference(&ids(copy)) {
            if let Some(said) = self.said.get_mut(gone) {
                said.held = false;
            }
        }
        for back in ids(copy) {
            if let Some(said) = self.said.get_mut(&back) {
                said.held = true;
            }
        }
    }
}

/// All that phones are held to together: one that went on twice has two journals.
pub fn all_said(journals: &[Journal]) -> BTreeMap<Uuid, Said> {
    let mut all: BTreeMap<Uuid, Said> = BTreeMap::new();
    for (id, said) in journals.iter().flat_map(|journal| &journal.said) {
        match all.get_mut(id) {
            None => drop(all.insert(*id, said.clone())),
            Some(known) => {
                known.held |= said.held;
                known.erased |= said.erased;
                known.answers.extend(said.answers.iter().cloned());
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use muong_phone::{Draft, Moment, Request};
    use serde_json::json;

    const EPOCH: Uuid = Uuid::from_u128(7);

    fn says(phone: &mut Phone, journal: &mut Journal, number: u128) -> Uuid {
        let id = Uuid::from_u128(number);
        phone.say(id, Draft::create("form", 1, id, Uuid::from_u128(9))).unwrap();
        journal.says(id);
        id
    }

    #[test]
    fn who_goes_back_is_held_to_what_the_copy_holds_and_to_what_was_given_away() {
        let (mut phone, mut journal) = (Phone::new(Uuid::from_u128(1), "test/1"), Journal::new(0));
        let given_away = says(&mut phone, &mut journal, 1);
        let answer = json!({"epoch": EPOCH, "results": [{"id": given_away, "status": "accepted", "v": 4}]});
        let push = Request::Push { ids: vec![given_away], body: json!({}) };
        phone.answered(&push, 200, None, answer.to_string().as_bytes(), Moment::at(0));
        let page = json!({"epoch": EPOCH, "cursor": "c", "more": false, "durable_before": 5, "messages": []});
        phone.answered(&Request::Pull { body: json!({}) }, 200, None, page.to_string().as_bytes(), Moment::at(0));
        let kept = says(&mut phone, &mut journal, 2);
        let copy = phone.clone();
        let lost = says(&mut phone, &mut journal, 3);
        journal.goes_back(&phone, &copy);
        let held: Vec<bool> = [given_away, kept, lost].iter().map(|id| journal.said[id].held).collect();
        assert_eq!(held, [true, true, false]);
        journal.goes_back(&copy, &phone);
        assert!(journal.said[&lost].held, "a later copy holds it again");
    }

    #[test]
    fn a_duplicate_is_acknowledged_as_the_entry_that_recorded_it_first() {
        let mut journal = Journal::new(0);
        let [one, erased] = [1, 2].map(Uuid::from_u128);
        [one, erased].into_iter().for_each(|id| journal.says(id));
        let result = |json: Value| serde_json::from_value::<PushResult>(json).unwrap();
        let original = json!({"id": one, "status": "merged", "v": 4});
        journal.hears(EPOCH, result(json!({"id": one, "status": "duplicate", "original": original})));
        journal.hears(EPOCH, result(json!({"id": erased, "status": "duplicate", "erased": true})));
        let at = At { epoch: EPOCH, seq: 4 };
        assert_eq!(journal.said[&one].answers, BTreeSet::from([(at, "merged".to_owned())]));
        assert!(journal.said[&erased].erased && journal.said[&erased].answers.is_empty());
    }
}
