//! How a working set is read: in a handful of set-based queries, whatever the size of the batch.

use super::{Item, Known, STEP, WorkingSet, Written, named};
use crate::reference::Reference;
use crate::usecases::push::assess::Assessed;
use crate::usecases::push::bounds;
use muong_domain::id::{RecordId, Seq, SubmissionId, UnitId};
use muong_domain::record::Predecessor;
use muong_domain::submission::{Kind, Submission};
use muong_store::records::StoredRecord;
use muong_store::seal::{self, Owner};
use muong_store::submissions::StoredSubmission;
use muong_store::{Reading, StoreError, Tx, names, quarantine, records, remains, submissions};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Of so many that wait in other units it is read what they say: anybody may have sent any number about any id.
const MOST_ELSEWHERE: usize = 16;

impl WorkingSet {
    /// Reads what these items may touch.
    pub fn load(tx: &mut Tx<'_>, reference: Arc<Reference>, items: &[&Item]) -> Result<Self, StoreError> {
        let mut set = Self {
            reference,
            known: HashMap::new(),
            quarantine: HashMap::new(),
            waiting: HashMap::new(),
            aliases: HashMap::new(),
            records: HashMap::new(),
            fed: HashMap::new(),
            keys: HashMap::new(),
            asked: HashSet::new(),
            about: HashMap::new(),
            people: HashSet::new(),
            gone: HashSet::new(),
            left: HashSet::new(),
            ended: HashMap::new(),
            written: Written::default(),
        };
        if has_turned(tx) {
            set.ended = tx.ended_epochs()?.into_iter().collect();
        }
        set.load_known(tx, items)?;
        set.load_records(tx, items)?;
        set.load_left(tx, items)?;
        set.load_people(tx, items)?;
        set.load_waiting(tx, items)?;
        Ok(set)
    }

    fn load_known(&mut self, tx: &mut Tx<'_>, items: &[&Item]) -> Result<(), StoreError> {
        let mut ids: BTreeSet<SubmissionId> = BTreeSet::new();
        for (said, _) in items.iter().copied() {
            ids.insert(said.id);
            if let Ok(s) = &said.submission {
                ids.extend(s.replaces.iter().copied().take(bounds::MAX_REPLACES));
                ids.extend(s.base.as_ref().and_then(|base| base.after));
            }
        }
        self.learn_submissions(tx, &ids.into_iter().collect::<Vec<_>>())
    }

    /// Reads submissions by id, and where they wait.
    pub fn learn_submissions(&mut self, tx: &mut Tx<'_>, ids: &[SubmissionId]) -> Result<(), StoreError> {
        // What is known already may have been changed by this batch since.
        let new: Vec<SubmissionId> = ids.iter().copied().filter(|id| !self.known.contains_key(id)).collect();
        for stored in submissions::by_ids(tx, &new)? {
            self.known.insert(stored.id, known(&stored)?);
        }
        if has_turned(tx) {
            let absent: Vec<SubmissionId> = new.iter().copied().filter(|id| !self.known.contains_key(id)).collect();
            for (id, author) in remains::erased_submissions(tx, &absent)? {
                let (digest, owner) = (Vec::new(), Owner::Store);
                self.known.insert(id, Known { digest, owner, author, said: None, before: Vec::new(), result: None });
            }
        }
        let found: Vec<SubmissionId> = new.into_iter().filter(|id| self.known.contains_key(id)).collect();
        for waiting in quarantine::of_submissions(tx, &found)? {
            self.quarantine.insert(waiting.submission, waiting);
        }
        Ok(())
    }

    fn load_records(&mut self, tx: &mut Tx<'_>, items: &[&Item]) -> Result<(), StoreError> {
        let mut ids: BTreeSet<RecordId> = BTreeSet::new();
        let mut keys: BTreeSet<String> = BTreeSet::new();
        for (submission, assessed) in readable(items) {
            ids.extend(named(submission, assessed));
            if submission.kind == Kind::Create {
                keys.extend(assessed.key.clone());
            }
        }
        let ids: Vec<RecordId> = ids.into_iter().collect();
        if has_turned(tx) {
            self.gone.extend(remains::erased_records(tx, &ids)?);
        }
        for (alias, unit, record) in names::aliases(tx, &ids)? {
            self.aliases.insert((alias, unit), record);
        }
        let canonical = ids.into_iter().chain(self.aliases.values().copied()).collect::<HashSet<_>>();
        self.learn(records::by_ids(tx, &canonical.into_iter().collect::<Vec<_>>())?);
        let found = records::by_keys(tx, &keys.iter().cloned().collect::<Vec<_>>())?;
        self.learn(found);
        self.asked.extend(keys);
        Ok(())
    }

    /// Of records that are elsewhere than where they are named, which units they have left. Nearly always there are none.
    fn load_left(&mut self, tx: &mut Tx<'_>, items: &[&Item]) -> Result<(), StoreError> {
        let elsewhere = readable(items).flat_map(|(submission, assessed)| {
            named(submission, assessed).filter_map(|id| self.elsewhere(id, submission.unit))
        });
        let elsewhere: BTreeSet<RecordId> = elsewhere.map(|stored| stored.record.id).collect();
        if !elsewhere.is_empty() {
            self.left.extend(names::left(tx, &elsewhere.into_iter().collect::<Vec<_>>())?);
        }
        Ok(())
    }

    /// The people that the batch speaks of, and all that has happened to them.
    fn load_people(&mut self, tx: &mut Tx<'_>, items: &[&Item]) -> Result<(), StoreError> {
        let mut people: BTreeSet<RecordId> = self.records.values().filter_map(|stored| stored.subject).collect();
        for (submission, assessed) in readable(items) {
            people.extend(assessed.form.as_ref().and_then(|form| form.subject(&assessed.view, submission.record)));
        }
        self.learn_people(tx, &people.into_iter().collect::<Vec<_>>())
    }

    /// Reads people, and all that has happened to them.
    fn learn_people(&mut self, tx: &mut impl Reading, people: &[RecordId]) -> Result<(), StoreError> {
        let strangers: Vec<RecordId> = people.iter().copied().filter(|id| !self.records.contains_key(id)).collect();
        self.learn(records::by_ids(tx, &strangers)?);
        seal::learn(tx, people.iter().copied().map(Owner::Person))?;
        let steps = records::about(tx, STEP, people)?;
        self.people.extend(people);
        self.learn(steps);
        Ok(())
    }

    /// The same of one who turns up only once something is merged.
    pub fn learn_person(&mut self, tx: &mut impl Reading, id: RecordId) -> Result<(), StoreError> {
        if self.people.contains(&id) { Ok(()) } else { self.learn_people(tx, &[id]) }
    }

    /// What waits in quarantine about records that are not there: what builds on it waits with it.
    fn load_waiting(&mut self, tx: &mut Tx<'_>, items: &[&Item]) -> Result<(), StoreError> {
        let mut absent: BTreeMap<RecordId, BTreeSet<UnitId>> = BTreeMap::new();
        for (submission, assessed) in readable(items) {
            if submission.kind != Kind::Create && self.resolve(submission.record, submission.unit).is_none() {
                absent.entry(submission.record).or_default().insert(submission.unit);
            }
            let subject = assessed.form.as_ref().and_then(|form| form.subject(&assessed.view, submission.record));
            for person in subject.into_iter().filter(|person| self.resolve(*person, submission.unit).is_none()) {
                absent.entry(person).or_default().insert(submission.unit);
            }
        }
        let mut elsewhere = Vec::new();
        for (record, waiting) in quarantine::open_of_records(tx, &absent.keys().copied().collect::<Vec<_>>())? {
            let Some(unit) = waiting.unit else { continue };
            let is_elsewhere = !absent.get(&record).is_some_and(|named| named.contains(&unit));
            if is_elsewhere && elsewhere.len() < MOST_ELSEWHERE {
                elsewhere.push((record, waiting.submission));
            }
            self.waiting.entry(record).or_default().push((unit, waiting.submission));
            self.quarantine.insert(waiting.submission, waiting);
        }
        self.load_waiting_elsewhere(tx, &elsewhere)
    }

    /// What waits in another unit may have been said to one that the batch names: what it is about had left that. There it is
    /// waited on as well.
    fn load_waiting_elsewhere(
        &mut self,
        tx: &mut Tx<'_>,
        waiting: &[(RecordId, SubmissionId)],
    ) -> Result<(), StoreError> {
        #[derive(Deserialize)]
        struct Said {
            unit: UnitId,
        }
        let ids: Vec<SubmissionId> = waiting.iter().map(|(_, id)| *id).collect();
        for stored in submissions::by_ids(tx, &ids)? {
            let said = stored.told.as_ref().and_then(|told| serde_json::from_slice::<Said>(&told.body).ok());
            let record = waiting.iter().find(|(_, id)| *id == stored.id).map(|(record, _)| *record);
            if let (Some(Said { unit }), Some(record)) = (said, record) {
                self.waits_as((record, unit), stored.id);
            }
        }
        Ok(())
    }

    /// Reads one record, and if it is about a person, all that has happened to them.
    pub fn learn_record(&mut self, tx: &mut Tx<'_>, id: RecordId) -> Result<(), StoreError> {
        self.learn_records(tx, &[id])
    }

    /// The same of several.
    pub fn learn_records(&mut self, tx: &mut Tx<'_>, ids: &[RecordId]) -> Result<(), StoreError> {
        let new: Vec<RecordId> = ids.iter().copied().filter(|id| !self.records.contains_key(id)).collect();
        if new.is_empty() {
            return Ok(());
        }
        self.learn(records::by_ids(tx, &new)?);
        self.load_people(tx, &[])
    }

    pub(super) fn learn(&mut self, found: Vec<StoredRecord>) {
        for stored in found {
            if !self.records.contains_key(&stored.record.id) {
                self.index(&stored);
                self.fed.insert(stored.record.id, stored.fed());
                self.records.insert(stored.record.id, Arc::new(stored));
            }
        }
    }

    pub(super) fn index(&mut self, stored: &StoredRecord) {
        if let Some(key) = &stored.natural_key {
            self.keys.insert(key.clone(), stored.record.id);
        }
        if let Some(person) = stored.subject.filter(|_| stored.record.form == STEP) {
            self.about.entry(person).or_default().insert(stored.record.id);
        }
    }
}

/// Whether there has been an epoch before this one: only then has anything been restored.
fn has_turned(tx: &Tx<'_>) -> bool {
    tx.head().epoch_began > Seq::ZERO
}

fn readable<'i>(items: &'i [&Item]) -> impl Iterator<Item = (&'i Submission, &'i Assessed)> {
    items.iter().filter_map(|(said, assessed)| Some((said.submission.as_deref().ok()?, assessed.as_ref()?)))
}

fn known(stored: &StoredSubmission) -> Result<Known, StoreError> {
    /// Of what is kept of its way here.
    #[derive(Deserialize)]
    struct Way {
        #[serde(default)]
        before: Vec<Predecessor>,
    }
    let way: Way = serde_json::from_str(&stored.origin).map_err(|error| StoreError::corrupt("an origin", error))?;
    let result = stored.told.as_ref().map(|told| serde_json::from_slice(&told.result).map(Arc::new)).transpose();
    Ok(Known {
        digest: stored.content_hash.clone(),
        owner: stored.owner,
        author: stored.author,
        said: stored.n.map(|n| (stored.device, n)),
        before: way.before,
        result: result.map_err(|error| StoreError::corrupt("a result", error))?,
    })
}
