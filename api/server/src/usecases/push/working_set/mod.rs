//! Everything that a batch may touch, read in a handful of set-based queries before the first submission is judged
//! (`load.rs`), and kept up to date while they are judged one after the other. Written back once, at the end (`flush.rs`).

mod flush;
mod load;

use super::assess::Assessed;
use super::outcome::Recorded;
use super::said::Said;
use crate::reference::Reference;
use muong_domain::access::Grant;
use muong_domain::id::{ConflictId, DeviceId, RecordId, Seq, SubmissionId, UnitId, UserId};
use muong_domain::record::{OpenConflict, Predecessor, Record};
use muong_domain::submission::Submission;
use muong_store::conflicts::StoredConflict;
use muong_store::feed::Before;
use muong_store::names::Name;
use muong_store::quarantine::StoredQuarantine;
use muong_store::records::{self, StoredRecord};
use muong_store::relocation::Relocation;
use muong_store::seal::Owner;
use muong_store::submissions::StoredSubmission;
use muong_store::{Reading, StoreError};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// The form of persons.
pub const PERSON: &str = "person";
/// The form of what happens to persons.
pub const STEP: &str = "development_step";
/// The kind of value that party cards are in `personal_keys`.
pub const CARD: &str = "party_card";

/// A submission that has been received before.
#[derive(Clone, Debug)]
pub struct Known {
    /// The digest of its content under the key of its owner.
    pub digest: Vec<u8>,
    /// Under whose key it is kept.
    pub owner: Owner,
    /// Who said it.
    pub author: UserId,
    /// On which device, and its number there, when that could be read.
    pub said: Option<(DeviceId, i64)>,
    /// How far its author had come on other devices.
    pub before: Vec<Predecessor>,
    /// How it was answered; none when whom it was about has been erased.
    pub result: Option<Arc<Recorded>>,
}

/// One item of a push, read and assessed; what cannot be read has nothing to assess.
pub type Item = (Said, Option<Assessed>);

/// The part of the store that a batch works on.
pub struct WorkingSet {
    /// Units and forms.
    pub reference: Arc<Reference>,
    known: HashMap<SubmissionId, Known>,
    quarantine: HashMap<SubmissionId, StoredQuarantine>,
    /// The first received first.
    waiting: HashMap<RecordId, Vec<(UnitId, SubmissionId)>>,
    aliases: HashMap<Name, RecordId>,
    records: HashMap<RecordId, Arc<StoredRecord>>,
    /// How the records that were read stand in the feed.
    fed: HashMap<RecordId, Before>,
    keys: HashMap<String, RecordId>,
    /// Keys whose holder has been asked for: what stands not in `keys` then is held by nobody.
    asked: HashSet<String>,
    about: HashMap<RecordId, BTreeSet<RecordId>>,
    /// The people of whom everything has been read.
    people: HashSet<RecordId>,
    /// Ids, each in its unit, of what the store was restored without because it has been erased.
    gone: HashSet<Name>,
    /// Which units records have left that the batch names there.
    left: HashSet<Name>,
    /// Epochs that have ended, and the last entry of each that is ours as well.
    ended: HashMap<Uuid, Seq>,
    written: Written,
}

/// What is to be written back.
#[derive(Default)]
struct Written {
    submissions: Vec<StoredSubmission>,
    aliases: Vec<(RecordId, UnitId, RecordId, Seq)>,
    records: BTreeMap<RecordId, Grant>,
    rekeyed: BTreeSet<RecordId>,
    conflicts: BTreeMap<ConflictId, StoredConflict>,
    quarantine: BTreeSet<SubmissionId>,
    cards: BTreeMap<RecordId, (Grant, Option<String>)>,
    relocation: Option<Relocation>,
    /// Names that records have got in units that they are not in.
    named: Vec<(Name, Seq)>,
}

impl WorkingSet {
    /// A submission received before.
    pub fn known(&self, id: SubmissionId) -> Option<&Known> {
        self.known.get(&id)
    }

    /// Where a submission waits or waited.
    pub fn quarantined(&self, id: SubmissionId) -> Option<&StoredQuarantine> {
        self.quarantine.get(&id)
    }

    /// The submission in quarantine that would bring this record, said to the same unit.
    pub fn brings(&self, record: RecordId, unit: UnitId) -> Option<SubmissionId> {
        let waits = |(of, id): &&(UnitId, SubmissionId)| {
            *of == unit && self.quarantine.get(id).is_some_and(|waiting| waiting.closed.is_none())
        };
        self.waiting.get(&record)?.iter().find(waits).map(|(_, id)| *id)
    }

    /// The record that an id stands for in a unit. One of another unit does not exist there.
    pub fn resolve(&self, id: RecordId, unit: UnitId) -> Option<&StoredRecord> {
        self.record(self.canonical(id, unit)).filter(|stored| stored.record.unit == unit)
    }

    /// The record's own id, for an id in a unit.
    pub fn canonical(&self, id: RecordId, unit: UnitId) -> RecordId {
        self.aliases.get(&(id, unit)).copied().unwrap_or(id)
    }

    /// What an id stands for in a unit, as long as that is elsewhere; whether it ever was here is not asked.
    fn elsewhere(&self, id: RecordId, unit: UnitId) -> Option<&StoredRecord> {
        self.record(self.canonical(id, unit)).filter(|stored| stored.record.unit != unit)
    }

    /// The record that a submission names, and that has left the unit in which it is named; or, of a record that is none yet, the
    /// person whom it names.
    pub fn has_gone(&self, submission: &Submission, assessed: &Assessed) -> Option<&StoredRecord> {
        if self.left.is_empty() || self.resolve(submission.record, submission.unit).is_some() {
            return None;
        }
        let own = self.canonical(submission.record, submission.unit);
        // What is of another form than it says is not what it means.
        let is_meant = |stored: &&StoredRecord| {
            let is_other = |form: &String| stored.record.id == own && *form != stored.record.form;
            !submission.form.as_ref().is_some_and(is_other)
        };
        named(submission, assessed).find_map(|id| self.has_left(id, submission.unit).filter(is_meant))
    }

    /// What an id stood for in a unit that it has left.
    pub fn has_left(&self, id: RecordId, unit: UnitId) -> Option<&StoredRecord> {
        self.elsewhere(id, unit).filter(|stored| self.left.contains(&(stored.record.id, unit)))
    }

    /// Whether the id named, in this unit, a record of somebody erased that the store was restored without.
    pub fn is_gone(&self, id: RecordId, unit: UnitId) -> bool {
        self.gone.contains(&(id, unit))
    }

    /// Up to where an epoch that has ended is the past of the present one as well; none of one that nobody here knows.
    pub fn shared_with(&self, epoch: Uuid) -> Option<Seq> {
        self.ended.get(&epoch).copied()
    }

    /// Whether the id is taken, by whatever unit's record.
    pub fn is_taken(&self, id: RecordId) -> bool {
        self.records.contains_key(&id)
    }

    /// A record by its canonical id.
    pub fn record(&self, id: RecordId) -> Option<&StoredRecord> {
        self.records.get(&id).map(AsRef::as_ref)
    }

    /// The same, to be kept while the batch goes on.
    pub fn held(&self, id: RecordId) -> Option<Arc<StoredRecord>> {
        self.records.get(&id).map(Arc::clone)
    }

    /// The record that holds a natural key.
    pub fn holder_of(&mut self, tx: &mut impl Reading, key: &str) -> Result<Option<RecordId>, StoreError> {
        if !self.keys.contains_key(key) && self.asked.insert(key.to_owned()) {
            let found = records::by_keys(tx, &[key.to_owned()])?;
            // What this batch has already changed is newer than what the table holds.
            let found = found.into_iter().filter(|stored| !self.records.contains_key(&stored.record.id)).collect();
            self.learn(found);
        }
        Ok(self.keys.get(key).copied())
    }

    /// The holder of a party card, as far as this batch and the store know.
    pub fn holder_of_card(&self, tx: &mut impl Reading, card: &str) -> Result<Option<RecordId>, StoreError> {
        let here = self.written.cards.iter().find(|(_, (_, held))| held.as_deref() == Some(card));
        if let Some((record, _)) = here {
            return Ok(Some(*record));
        }
        let stored = records::holders(tx, CARD, &[card.to_owned()])?.pop().map(|(_, record)| record);
        Ok(stored.filter(|record| !self.written.cards.contains_key(record)))
    }

    /// Lets a person hold a card from now on, or none.
    pub fn hold_card(&mut self, grant: Grant, record: RecordId, card: Option<String>) {
        self.written.cards.insert(record, (grant, card));
    }

    /// The live steps of a person: those of the person's own unit. No rule ever looks at another one's.
    pub fn steps_of(&self, person: RecordId) -> impl Iterator<Item = &StoredRecord> {
        let unit = self.records.get(&person).map(|stored| stored.record.unit);
        let ids = self.about.get(&person).into_iter().flatten();
        ids.filter_map(|id| self.record(*id)).filter(move |step| step.live && Some(step.record.unit) == unit)
    }

    /// How many steps of a person there have ever been, beside this one; a step that is theirs already crowds out nothing.
    pub fn steps_ever(&self, person: RecordId, beside: RecordId) -> usize {
        let steps = self.about.get(&person);
        if steps.is_some_and(|steps| steps.contains(&beside)) { 0 } else { steps.map_or(0, BTreeSet::len) }
    }

    /// The person of this id, who is there, in this unit.
    pub fn person(&self, id: RecordId, unit: UnitId) -> Option<&StoredRecord> {
        self.record(id).filter(|stored| stored.live && stored.record.form == PERSON && stored.record.unit == unit)
    }

    /// Notes that a record has changed.
    pub fn put(&mut self, grant: Grant, before: &[OpenConflict], stored: StoredRecord) {
        self.note_conflicts(before, &stored);
        if let Some(old) = self.records.get(&stored.record.id) {
            if let Some(key) = old.natural_key.as_ref().filter(|key| stored.natural_key.as_ref() != Some(key)) {
                self.keys.remove(key);
                self.asked.insert(key.clone());
                self.written.rekeyed.insert(stored.record.id);
            }
            if let Some(person) = old.subject.filter(|person| stored.subject != Some(*person)) {
                self.about.entry(person).or_default().remove(&stored.record.id);
            }
        }
        self.index(&stored);
        self.written.records.insert(stored.record.id, grant);
        self.records.insert(stored.record.id, Arc::new(stored));
    }

    /// Notes that records are in another unit from now on, as they are there: each with its key there.
    pub fn relocate(&mut self, grant: Grant, from: UnitId, to: UnitId, all: Vec<StoredRecord>) {
        let records = all.iter().map(|stored| stored.record.id).collect();
        for stored in all {
            let open = stored.record.open_conflicts();
            self.put(grant, &open, stored);
        }
        self.written.relocation = Some(Relocation { grant, records, from, to });
    }

    /// Notes by which name somebody has said something of a record that is in another unit than they named, as of an entry. From now on
    /// it stands for it there, as if the record had left that unit.
    pub fn was_named(&mut self, (id, unit): Name, record: RecordId, v: Seq) {
        if id != record {
            self.alias(id, unit, record, v);
        }
        if self.left.insert((record, unit)) {
            self.written.named.push(((record, unit), v));
        }
    }

    fn note_conflicts(&mut self, before: &[OpenConflict], stored: &StoredRecord) {
        let after = stored.record.open_conflicts();
        for gone in before.iter().filter(|old| after.iter().all(|new| new.id != old.id)) {
            let closed = StoredConflict { closed: Some(stored.record.version), ..conflict(gone, stored) };
            self.written.conflicts.insert(gone.id, closed);
        }
        for open in after {
            if !before.contains(&open) {
                self.written.conflicts.insert(open.id, conflict(&open, stored));
            }
        }
    }

    /// Notes which decision closed a question.
    pub fn decided(&mut self, id: ConflictId, decision: Uuid) {
        if let Some(conflict) = self.written.conflicts.get_mut(&id) {
            conflict.decision = Some(decision);
        }
    }

    /// Notes another id of a record.
    pub fn alias(&mut self, alias: RecordId, unit: UnitId, record: RecordId, v: Seq) {
        if self.aliases.insert((alias, unit), record).is_none() {
            self.written.aliases.push((alias, unit, record, v));
        }
    }

    /// Notes a received submission.
    pub fn receive(&mut self, stored: StoredSubmission, known: Known) {
        self.known.insert(stored.id, known);
        self.written.submissions.push(stored);
    }

    /// Notes that a submission which waits elsewhere was said to this unit, which what it is about has left.
    pub fn waits_as(&mut self, (record, unit): Name, submission: SubmissionId) {
        self.waiting.entry(record).or_default().push((unit, submission));
    }

    /// Notes a waiting submission as it now stands.
    pub fn wait(&mut self, waiting: StoredQuarantine, record: Option<RecordId>) {
        if let (Some(record), Some(unit), None) = (record, waiting.unit, waiting.closed) {
            self.waiting.entry(record).or_default().push((unit, waiting.submission));
        }
        self.written.quarantine.insert(waiting.submission);
        self.quarantine.insert(waiting.submission, waiting);
    }
}

/// What a submission names: its record, and the person whom it says that is about.
fn named(submission: &Submission, assessed: &Assessed) -> impl Iterator<Item = RecordId> {
    let person = assessed.form.as_ref().and_then(|form| form.subject(&assessed.view, submission.record));
    std::iter::once(submission.record).chain(person)
}

fn conflict(open: &OpenConflict, stored: &StoredRecord) -> StoredConflict {
    let Record { id, form, unit, .. } = &stored.record;
    StoredConflict {
        id: open.id,
        record: *id,
        form: form.clone(),
        unit: *unit,
        path: open.path.clone(),
        round: open.contest.round,
        code: open.contest.code.clone(),
        fields: open.fields.clone(),
        opened: open.contest.opened,
        closed: None,
        decision: None,
        subject: stored.subject,
    }
}
