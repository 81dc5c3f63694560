//! From rows of the feed to what a phone is told of them: the state as it is now, of what may be seen.

use super::message::{Message, RecordState};
use super::sight::Level;
use crate::usecases::mask;
use crate::usecases::read_unit::SeenUnit;
use crate::usecases::reader::{Reader, Values};
use chrono::NaiveDate;
use muong_domain::form::Form;
use muong_domain::id::{ConflictId, GrantId, QuarantineId, RecordId, Seq, UnitId, derived};
use muong_store::conflicts::{self, StoredConflict};
use muong_store::feed::{self, FeedRow};
use muong_store::grants::KnownGrant;
use muong_store::quarantine::{self, Closing, StoredQuarantine};
use muong_store::records::{self, StoredRecord};
use muong_store::seal::{self, Owner};
use muong_store::{Reading, Snapshot, StoreError, names};
use serde_json::value::to_raw_value;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// Why rows are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// The phone has nothing of the scope yet: it is told what is there, and units as of this day, which the way leads to:
    /// by it is judged later which of them have become others.
    Backfill(NaiveDate),
    /// It has what was there: it is told what has changed.
    Follow,
}

/// Rows, with everything that is told of them.
pub struct Rows<'a> {
    reader: &'a Reader,
    grants: &'a [KnownGrant],
    purpose: Purpose,
    records: HashMap<RecordId, StoredRecord>,
    erased: HashSet<RecordId>,
    aliases: HashMap<(RecordId, UnitId), RecordId>,
    quarantine: HashMap<QuarantineId, StoredQuarantine>,
    conflicts: HashMap<ConflictId, StoredConflict>,
    forms: HashMap<Uuid, Arc<Form>>,
}

/// How much is seen of a scope.
pub type LevelOf<'a> = dyn Fn(UnitId) -> Option<Level> + 'a;

impl<'a> Rows<'a> {
    /// Reads what is told of these rows, and nothing that is not.
    pub fn load(
        read: &mut Snapshot<'_>,
        reader: &'a Reader,
        grants: &'a [KnownGrant],
        purpose: Purpose,
        (rows, level): (&[FeedRow], &LevelOf<'_>),
    ) -> Result<Self, StoreError> {
        let of = |kind: &'static str| rows.iter().filter(move |row| row.kind == kind).map(|row| row.id);
        let quarantine = quarantine::by_ids(read, &of(feed::QUARANTINE).map(QuarantineId::new).collect::<Vec<_>>())?;
        let conflicts = conflicts::by_ids(read, &of(feed::CONFLICT).map(ConflictId::new).collect::<Vec<_>>())?;
        let aliases = names::aliases(read, &of(feed::ALIAS).map(RecordId::new).collect::<Vec<_>>())?;
        let is_shown = |row: &&FeedRow| {
            is_record(&row.kind)
                && shows(reader, &row.kind, level(row.scope))
                && (row.present || purpose == Purpose::Follow)
        };
        let mut ids: Vec<RecordId> = rows.iter().filter(is_shown).map(|row| RecordId::new(row.id)).collect();
        ids.extend(aliases.iter().map(|(_, _, record)| *record));
        ids.extend(conflicts.iter().map(|conflict| conflict.record));
        ids.sort_unstable();
        ids.dedup();
        let records = records::by_ids(read, &ids)?;
        let people: HashSet<RecordId> = records.iter().filter_map(|stored| stored.subject).collect();
        seal::learn(read, people.iter().copied().map(Owner::Person))?;
        let erased = people.into_iter().filter(|person| read.is_erased(Owner::Person(*person))).collect();
        let forms = if of(feed::FORM).next().is_some() { forms(reader) } else { HashMap::new() };
        Ok(Self {
            reader,
            grants,
            purpose,
            records: records.into_iter().map(|stored| (stored.record.id, stored)).collect(),
            erased,
            aliases: aliases.into_iter().map(|(alias, unit, record)| ((alias, unit), record)).collect(),
            quarantine: quarantine.into_iter().map(|waiting| (waiting.id, waiting)).collect(),
            conflicts: conflicts.into_iter().map(|conflict| (conflict.id, conflict)).collect(),
            forms,
        })
    }

    /// What the phone is told of a row, if anything.
    pub fn message(&self, row: &FeedRow, level: &LevelOf<'_>) -> Result<Option<Message>, StoreError> {
        let v = row.seq;
        Ok(match row.kind.as_str() {
            feed::UNIT => level(row.scope).and_then(|_| self.unit(row.scope, v)),
            feed::FORM => self.forms.get(&row.id).map(|form| Message::Form(row.id, Arc::clone(form), v)),
            feed::GRANT => {
                let known = self.grants.iter().find(|known| known.held.id == GrantId::new(row.id));
                known.map(|known| Message::Grant(known.held.clone(), v))
            }
            feed::QUARANTINE => self.quarantine.get(&QuarantineId::new(row.id)).and_then(|waiting| told(waiting, v)),
            feed::CONFLICT => self.decided(ConflictId::new(row.id), v, level),
            feed::ALIAS => self.alias(row, level),
            _ => self.record(row, level)?,
        })
    }

    /// Notes for the account what of a person a message shows.
    pub fn note(&self, message: &Message, level: &LevelOf<'_>) {
        if let Message::Record(state) = message
            && let Some(stored) = self.records.get(&state.id)
        {
            self.reader.note_record(stored, values(level(state.unit)));
        }
    }

    fn unit(&self, unit: UnitId, v: Seq) -> Option<Message> {
        let unit = self.reader.reference().units.get(unit)?.clone();
        let today = match self.purpose {
            Purpose::Backfill(day) => day,
            Purpose::Follow => self.reader.today(),
        };
        Some(Message::Unit(SeenUnit { unit, today }, v))
    }

    /// A record that the phone may know of, unless whom it is about has been erased.
    fn seen(&self, id: RecordId, level: &LevelOf<'_>) -> Option<&StoredRecord> {
        let stored = self.records.get(&id).filter(|stored| !self.is_erased(stored))?;
        shows(self.reader, &stored.record.form, level(stored.record.unit)).then_some(stored)
    }

    fn is_erased(&self, stored: &StoredRecord) -> bool {
        stored.subject.is_some_and(|person| self.erased.contains(&person))
    }

    fn decided(&self, id: ConflictId, v: Seq, level: &LevelOf<'_>) -> Option<Message> {
        let conflict = self.conflicts.get(&id)?;
        let record = self.seen(conflict.record, level)?.record.id;
        Some(Message::Notice { about: record.uuid(), code: "conflict.decided", conflict: Some(id.uuid()), v })
    }

    fn alias(&self, row: &FeedRow, level: &LevelOf<'_>) -> Option<Message> {
        let id = RecordId::new(row.id);
        let record = &self.seen(*self.aliases.get(&(id, row.scope))?, level)?.record;
        // It speaks in the unit in which it was used: of a record that has left that one, nothing comes under it any more.
        let is_there = record.unit == row.scope;
        is_there.then_some(Message::Alias { id, record: record.id, unit: row.scope, v: row.seq })
    }

    fn record(&self, row: &FeedRow, level: &LevelOf<'_>) -> Result<Option<Message>, StoreError> {
        let (id, v) = (RecordId::new(row.id), row.seq);
        if !shows(self.reader, &row.kind, level(row.scope)) {
            return Ok(None);
        }
        let purge = || (self.purpose == Purpose::Follow).then_some(Message::Purge { id, v });
        let Some(stored) = self.records.get(&id) else { return Ok(purge()) };
        if self.is_erased(stored) || self.seen(id, level).is_none() {
            return Ok(purge());
        }
        // Who has left a scope that is seen for another one that is seen is told of as being there.
        if stored.live {
            return self.state(stored, level).map(Some);
        }
        let unit = stored.record.unit;
        Ok((self.purpose == Purpose::Follow).then_some(Message::Tombstone { id, unit, v }))
    }

    fn state(&self, stored: &StoredRecord, level: &LevelOf<'_>) -> Result<Message, StoreError> {
        let record = &stored.record;
        let form = self.reader.form(&record.form);
        let form = form.ok_or_else(|| StoreError::corrupt("a record's form", &record.form))?;
        let data = mask::data(form, record, values(level(record.unit)));
        Ok(Message::Record(RecordState {
            id: record.id,
            form: record.form.clone(),
            unit: record.unit,
            v: record.version,
            subject: stored.subject,
            data: to_raw_value(&data).map_err(|error| StoreError::corrupt("a record's data", error))?,
            open_conflicts: record.open_conflicts().iter().map(|open| open.path.as_str().to_owned()).collect(),
        }))
    }
}

/// Whether a kind of the feed is a form's code.
pub(super) fn is_record(kind: &str) -> bool {
    ![feed::ALIAS, feed::UNIT, feed::FORM, feed::GRANT, feed::QUARANTINE, feed::CONFLICT].contains(&kind)
}

/// Whether records of a form are seen at this level.
pub(super) fn shows(reader: &Reader, form: &str, level: Option<Level>) -> bool {
    let least = if reader.is_about_person(Some(form)) { Level::Persons } else { Level::Reports };
    level.is_some_and(|level| level >= least)
}

fn values(level: Option<Level>) -> Values {
    if level == Some(Level::Persons) { Values::Whole } else { Values::Masked }
}

/// How a quarantined submission left.
fn told(waiting: &StoredQuarantine, v: Seq) -> Option<Message> {
    let code = match waiting.closing? {
        Closing::Released => "quarantine.released",
        Closing::Discarded => "quarantine.discarded",
        Closing::Replaced => "quarantine.replaced",
        Closing::Erased => "quarantine.erased",
    };
    Some(Message::Notice { about: waiting.submission.uuid(), code, conflict: None, v })
}

/// Every published version, by the id that the log and the feed know it by.
fn forms(reader: &Reader) -> HashMap<Uuid, Arc<Form>> {
    let id = |form: &Form| derived("form", &[form.code().as_bytes(), &form.version().to_be_bytes()]);
    reader.reference().catalog.iter().map(|form| (id(form), Arc::clone(form))).collect()
}
