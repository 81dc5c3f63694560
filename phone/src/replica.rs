//! The local copy of what the server lets this phone see. Belongs to the server: nothing that is not in the outbox is said
//! here, and whatever is taken away here can be had again.

use crate::wire::{Hash, Message, Notice, Put};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The kind of what its holder may do where.
const GRANT: &str = "grant";
/// About so many things it is remembered which notice was told last.
pub(crate) const REMEMBERED: usize = 1_000;
/// The XOR of the SHA-256 of some lines.
type Sum = [u8; 32];

/// One thing, as it was last told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Thing {
    /// What it is.
    pub kind: String,
    /// Its last change.
    pub v: i64,
    /// In which history of the store that is counted.
    pub epoch: Uuid,
    /// In whose scope it is.
    pub unit: Option<Uuid>,
    /// What it says.
    pub data: Value,
    /// What is in dispute.
    pub open_conflicts: Vec<String>,
    /// The download that told of it last.
    download: u64,
}

/// What another id of a record stands for.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Alias {
    record: Uuid,
    download: u64,
}

/// Everything that was told.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Replica {
    things: BTreeMap<Uuid, Thing>,
    /// By unit: an id is an alias in one, and may be a record in another.
    aliases: BTreeMap<Uuid, BTreeMap<Uuid, Alias>>,
    notices: Vec<Notice>,
    /// The last notice about each thing: whoever begins anew is told all of them again.
    noticed: BTreeMap<Uuid, i64>,
    /// Up to which entry notices are no longer remembered one by one: whatever comes of so long ago was told.
    #[serde(default)]
    noticed_up_to: i64,
    /// In which history of the store that was: in another one the same numbers stand for other decisions.
    noticed_in: Uuid,
    /// Counts downloads from the beginning; while one is under way, what it has not told of yet is still shown.
    download: u64,
    anew: bool,
}

impl Replica {
    /// A thing, by its id, or by an alias of it in whatever unit.
    pub fn thing(&self, id: Uuid) -> Option<&Thing> {
        let by_alias = || self.aliases.values().find_map(|of_unit| self.things.get(&of_unit.get(&id)?.record));
        self.things.get(&id).or_else(by_alias)
    }

    /// A record, by its id or an alias of it in a unit.
    pub fn thing_in(&self, unit: Uuid, id: Uuid) -> Option<&Thing> {
        self.things.get(&self.canonical(unit, id)).filter(|thing| thing.unit == Some(unit))
    }

    /// Everything there is, by id.
    pub fn things(&self) -> impl Iterator<Item = (&Uuid, &Thing)> {
        self.things.iter()
    }

    /// The id that the server knows a record by, in a unit.
    pub fn canonical(&self, unit: Uuid, id: Uuid) -> Uuid {
        self.aliases.get(&unit).and_then(|of_unit| of_unit.get(&id)).map_or(id, |alias| alias.record)
    }

    /// Takes what the user is to be told.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// The other ids of records: the unit in which an id is one, the id, and the record.
    pub fn aliases(&self) -> impl Iterator<Item = (Uuid, Uuid, Uuid)> {
        (self.aliases.iter())
            .flat_map(|(unit, of_unit)| of_unit.iter().map(move |(id, alias)| (*unit, *id, alias.record)))
    }

    /// What is here as one number, and what is in each unit, as the server makes it of what should be: the XOR of the SHA-256
    /// of a line for each thing and for each other id of a record that is here, in the unit in which it is one.
    pub fn hash(&self) -> Hash {
        let things = self.things.iter().map(|(id, thing)| {
            // A grant names a unit, and lies in its holder's scope.
            (thing.unit.filter(|_| thing.kind != GRANT), format!("{} {id} {}", thing.kind, thing.v))
        });
        let is_there =
            |unit: &Uuid, record: &Uuid| self.things.get(record).is_some_and(|thing| thing.unit == Some(*unit));
        let held = self.aliases().filter(|(unit, _, record)| is_there(unit, record));
        let aliases = held.map(|(unit, id, record)| (Some(unit), format!("alias {id} {unit} {record}")));
        let (mut all, mut count, mut units) = (Sum::default(), 0, BTreeMap::<Uuid, Sum>::new());
        for (unit, line) in things.chain(aliases) {
            count += 1;
            add(&mut all, &line);
            if let Some(unit) = unit {
                add(units.entry(unit).or_default(), &line);
            }
        }
        let units = units.into_iter().map(|(unit, sum)| (unit, hexadecimal(sum))).collect();
        Hash { all: hexadecimal(all), things: count, units: Some(units) }
    }

    /// From now on everything is told from the beginning.
    pub(crate) fn begin_anew(&mut self) {
        self.download += 1;
        self.anew = true;
    }

    /// Whether a download from the beginning is under way.
    pub(crate) fn is_begun_anew(&self) -> bool {
        self.anew
    }

    /// Everything has been told: what was not told in a download from the beginning is not there any more.
    pub(crate) fn complete(&mut self) {
        if std::mem::take(&mut self.anew) {
            let download = self.download;
            self.things.retain(|_, thing| thing.download == download);
            self.aliases.values_mut().for_each(|of_unit| of_unit.retain(|_, alias| alias.download == download));
            self.aliases.retain(|_, of_unit| !of_unit.is_empty());
        }
    }

    /// Takes in what is told in a history of the store.
    pub(crate) fn take(&mut self, epoch: Uuid, message: Message) {
        let download = self.download;
        match message {
            Message::Put(Put { kind, id, v, unit, data, open_conflicts }) => {
                // After a restore the ids of one record may have changed places.
                if let Some(of_unit) = unit.and_then(|unit| self.aliases.get_mut(&unit)) {
                    of_unit.remove(&id);
                }
                self.things.insert(id, Thing { kind, v, epoch, unit, data, open_conflicts, download });
            }
            Message::Tombstone { id } | Message::Purge { id } => drop(self.things.remove(&id)),
            Message::PurgeScope { unit } => {
                // A grant names a unit, and lies in its holder's scope: it is told by itself when it has ended.
                self.things.retain(|_, thing| thing.kind == GRANT || thing.unit != Some(unit));
                self.aliases.remove(&unit);
            }
            Message::Alias { id, record, unit } => {
                if self.things.get(&id).is_some_and(|thing| thing.unit == Some(unit)) {
                    self.things.remove(&id);
                }
                self.aliases.entry(unit).or_default().insert(id, Alias { record, download });
            }
            Message::Notice(notice) => self.notice(epoch, notice),
            Message::Unknown => {}
        }
    }

    fn notice(&mut self, epoch: Uuid, notice: Notice) {
        if std::mem::replace(&mut self.noticed_in, epoch) != epoch {
            self.noticed.clear();
            self.noticed_up_to = 0;
        }
        let last = self.noticed.get(&notice.about).copied().unwrap_or(self.noticed_up_to);
        if last >= notice.v {
            return;
        }
        self.noticed.insert(notice.about, notice.v);
        self.forget_notices(notice.v);
        self.notices.push(notice);
    }

    /// Notices come in the order of their entries. Those of the newest are all remembered: more of it may be still to come.
    fn forget_notices(&mut self, newest: i64) {
        while self.noticed.len() > REMEMBERED {
            let oldest = self.noticed.iter().min_by_key(|(_, v)| **v).map(|(about, v)| (*about, *v));
            let Some((about, v)) = oldest.filter(|(_, v)| *v < newest) else { return };
            self.noticed.remove(&about);
            self.noticed_up_to = v;
        }
    }
}

fn add(sum: &mut Sum, line: &str) {
    sum.iter_mut().zip(Sha256::digest(line)).for_each(|(sum, byte)| *sum ^= byte);
}

fn hexadecimal(sum: Sum) -> String {
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}
