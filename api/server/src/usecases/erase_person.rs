//! Erases one person: destroys the key that everything personal about them is sealed under. What is not personal (that
//! there was somebody, the kinds and dates of their steps) stays, so that counts stay right.
//!
//! The log alone could not rebuild that any more, since nobody can open what was said; so its entry says what remains.

use super::push::working_set::CARD;
use super::reader::without;
use super::review::{self, Deciding, Reason};
use crate::ledger::Erased;
use crate::reference::{Reference, ReferenceCache};
use muong_domain::access::{Action, Actor, Grant, authorize};
use muong_domain::form::Subject;
use muong_domain::id::{ConflictId, RecordId, Seq, SubmissionId, UnitId};
use muong_domain::json;
use muong_domain::record::Path;
use muong_store::conflicts::{self, StoredConflict};
use muong_store::feed::{self, Before, FeedRow};
use muong_store::quarantine::{self, Closing, StoredQuarantine};
use muong_store::records::{self, RecordChange, StoredRecord};
use muong_store::remains::{Absent, Family, Remains};
use muong_store::seal::{self, Owner};
use muong_store::submissions::{self, Received};
use muong_store::{Outcome, Reading, StoreError, Tx, names};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// Who is to be erased, and why.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// The record of the person, or an alias of it.
    pub record: RecordId,
    /// The id of the decision.
    pub id: Uuid,
    /// Why.
    pub reason: Reason,
}

/// Why nobody is erased.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErasureRefusal {
    /// There is no such record, or not for this reader.
    NotFound,
    /// It may be seen, but its person not erased.
    Forbidden,
    /// It is not the record of a person.
    NotAPerson,
    /// It has been done.
    AlreadyErased,
}

/// Erases. Answers the entry of the log.
pub fn erase_person(
    tx: &mut Tx<'_>,
    cache: &ReferenceCache,
    actor: &Actor,
    erasure: &Erasure,
) -> Result<Outcome<Seq, ErasureRefusal>, StoreError> {
    let as_of = tx.head().reference_as_of();
    let reference = cache.get(tx, as_of)?;
    let (stored, grant) = match allowed(tx, &reference, actor, erasure.record)? {
        Ok(found) => found,
        Err(refusal) => return Ok(Outcome::Refuse(refusal)),
    };
    let person = stored.record.id;
    if stored.subject != Some(person) {
        return Ok(Outcome::Refuse(ErasureRefusal::NotAPerson));
    }
    seal::learn(tx, [Owner::Person(person)])?;
    if tx.is_erased(Owner::Person(person)) {
        return Ok(Outcome::Refuse(ErasureRefusal::AlreadyErased));
    }
    let v = tx.head().seq.next();
    let family = Family::of(tx, person)?;
    let (id, reason) = (erasure.id, erasure.reason.as_str());
    let erasing = Erasing { reference, grant, person, family, v, id, reason, ledger: None };
    erasing.erase(tx).map(Outcome::Commit)
}

/// Why somebody is erased again; the reason that was given stood in the store that is gone.
const AGAIN: &str = "Xóa lại theo sổ xóa sau khi khôi phục dữ liệu (erased again by the ledger after a restore)";

/// Erases once more what was erased before the store was lost, in a copy that does not know of it. What had been said after
/// that copy was made is not there: the ids of it are noted, so that it is not taken in when a phone sends it again.
pub fn erase_again(tx: &mut Tx<'_>, cache: &ReferenceCache, erased: &Erased) -> Result<Seq, StoreError> {
    let as_of = tx.head().reference_as_of();
    let reference = cache.get(tx, as_of)?;
    let person = erased.person;
    let unit = records::by_ids(tx, &[person])?.pop().map_or(UnitId::new(Uuid::nil()), |stored| stored.record.unit);
    let grant = Grant::replayed(erased.grant, erased.by, unit, Action::ErasePersons);
    let v = tx.head().seq.next();
    let family = Family::of(tx, person)?;
    let erasing = Erasing { reference, grant, person, family, v, id: erased.id, reason: AGAIN, ledger: Some(erased) };
    erasing.erase(tx)
}

/// The record that the actor sees under this id, and the right to erase its person.
fn allowed(
    tx: &mut Tx<'_>,
    reference: &Reference,
    actor: &Actor,
    id: RecordId,
) -> Result<Result<(StoredRecord, Grant), ErasureRefusal>, StoreError> {
    let Some(outline) = review::visible(tx, actor, reference, id)? else {
        return Ok(Err(ErasureRefusal::NotFound));
    };
    let line = reference.units.ancestors(outline.unit);
    let Ok(grant) = authorize(actor, Action::ErasePersons, &line, tx.received_at(), true) else {
        return Ok(Err(ErasureRefusal::Forbidden));
    };
    let stored = records::by_ids(tx, &[outline.id])?.pop();
    Ok(Ok((stored.ok_or_else(|| review::not_loaded("a record"))?, grant)))
}

/// How many of what waited are closed together: how each was released may be long.
const CLOSED_TOGETHER: usize = 100;

/// An erasure under way.
struct Erasing<'a> {
    reference: Arc<Reference>,
    grant: Grant,
    person: RecordId,
    family: Family,
    v: Seq,
    /// The decision.
    id: Uuid,
    reason: &'a str,
    /// What is known of it from the ledger, when it is done again.
    ledger: Option<&'a Erased>,
}

impl Erasing<'_> {
    fn erase(&self, tx: &mut Tx<'_>) -> Result<Seq, StoreError> {
        let ids: Vec<RecordId> = self.family.records.iter().copied().collect();
        let all = records::by_ids(tx, &ids)?;
        let (own, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|stored| stored.subject == Some(self.person));
        let reason = without(self.reason, &self.personal_values(&own));
        let replaced = self.replaced(tx)?;
        let mut orphans = self.orphans(tx, &own, &replaced)?;
        let absent = self.absent(tx, &mut orphans)?;
        self.close_conflicts(tx, &own)?;
        self.close_quarantine(tx, &orphans)?;
        self.forget(tx, own)?;
        self.forget_claims(tx, others)?;
        records::hold(tx, CARD, &[(self.grant, self.person, None)])?;
        let keys = orphans.iter().copied().map(Owner::Submission);
        seal::destroy(tx, &self.grant, keys.chain([Owner::Person(self.person)]))?;
        let replaced = replaced.into_keys().collect();
        let mut remains = Remains::gather(tx, self.person, &self.family, orphans, &replaced)?;
        remains.add_absent(tx, absent, self.v)?;
        self.record(tx, &reason, &remains)
    }

    /// Every text that is about to go, so that the reason does not keep it.
    fn personal_values(&self, own: &[StoredRecord]) -> BTreeSet<String> {
        let mut texts = BTreeSet::new();
        for stored in own {
            let cells = stored.record.cells.iter().filter(|(path, _)| self.is_personal(&stored.record.form, path));
            cells.flat_map(|(_, cell)| &cell.claims).for_each(|claim| texts_of(&claim.value, &mut texts));
        }
        texts
    }

    /// Of a form that is not known everything may be.
    fn is_personal(&self, form: &str, path: &Path) -> bool {
        self.reference.catalog.newest(form).is_none_or(|form| form.is_personal(path))
    }

    /// What the family's submissions have replaced in quarantine, and (true) what of that the person's own ones have. It left with
    /// the entry that let in what replaced it: when that came, or when it was released. So nothing of what was said is read, of
    /// which somebody who does not want this person to be erased may have sent any amount.
    fn replaced(&self, tx: &mut Tx<'_>) -> Result<BTreeMap<SubmissionId, bool>, StoreError> {
        let is_own = |said: &Received| said.subject == Some(self.person);
        let said = &self.family.said;
        let mut let_in: BTreeMap<Seq, bool> = said.values().map(|said| (said.seq, is_own(said))).collect();
        let ids: Vec<SubmissionId> = said.keys().copied().collect();
        let released = quarantine::released(tx, &ids)?;
        let_in.extend(released.iter().filter_map(|(id, entry)| Some((*entry, is_own(said.get(id)?)))));
        let entries: Vec<Seq> = let_in.keys().copied().collect();
        let replaced = quarantine::replaced_at(tx, &entries)?;
        Ok(replaced.into_iter().map(|(id, entry)| (id, let_in.get(&entry) == Some(&true))).collect())
    }

    /// What waited, or waits, under a key of its own, since nobody could be told whom it is about: but it names one of the
    /// person's records, or has been corrected by something that was about them.
    fn orphans(
        &self,
        tx: &mut Tx<'_>,
        own: &[StoredRecord],
        replaced: &BTreeMap<SubmissionId, bool>,
    ) -> Result<BTreeSet<SubmissionId>, StoreError> {
        let is_own = |record: RecordId| own.iter().any(|stored| stored.record.id == record);
        let naming = self.family.said.values().filter(|said| self.family.record_of(said).is_some_and(is_own));
        let corrected = replaced.iter().filter(|(_, own)| **own).map(|(id, _)| *id);
        let ids: BTreeSet<SubmissionId> = naming.map(|said| said.id).chain(corrected).collect();
        seal::alone(tx, &ids)
    }

    /// What the ledger names and the store does not have. What it has, but only under a key of its own, joins `orphans`: that
    /// it was about the person became known later.
    fn absent(&self, tx: &mut Tx<'_>, orphans: &mut BTreeSet<SubmissionId>) -> Result<Absent, StoreError> {
        let Some(ledger) = self.ledger else { return Ok(Absent::default()) };
        let ids: Vec<SubmissionId> = ledger.submissions.iter().map(|(id, _)| *id).collect();
        let there: BTreeSet<SubmissionId> = submissions::received(tx, &ids)?.into_iter().map(|said| said.id).collect();
        orphans.extend(seal::alone(tx, &there)?);
        let ids: Vec<RecordId> = ledger.records.iter().map(|(id, _)| *id).collect();
        let meant = names::aliases(tx, &ids)?.into_iter().map(|(_, _, record)| record);
        let outlines = records::outlines(tx, &meant.chain(ids).collect::<Vec<_>>())?;
        let names = names::of(tx, &outlines)?;
        let submissions = ledger.submissions.iter().filter(|(id, _)| !there.contains(id)).copied().collect();
        let records = ledger.records.iter().filter(|name| !names.contains_key(name)).copied().collect();
        Ok(Absent { submissions, records })
    }

    fn close_conflicts(&self, tx: &mut Tx<'_>, own: &[StoredRecord]) -> Result<(), StoreError> {
        let ids: Vec<RecordId> = own.iter().map(|stored| stored.record.id).collect();
        let open = conflicts::of_records(tx, &ids)?.into_iter().filter(|conflict| conflict.closed.is_none());
        self.close(tx, open)
    }

    fn close(&self, tx: &mut Tx<'_>, open: impl Iterator<Item = StoredConflict>) -> Result<(), StoreError> {
        let closed: Vec<StoredConflict> =
            open.map(|open| StoredConflict { closed: Some(self.v), decision: Some(self.id), ..open }).collect();
        conflicts::save(tx, &closed)
    }

    /// What waits about the person waits no more; how the rest was answered is forgotten.
    fn close_quarantine(&self, tx: &mut Tx<'_>, orphans: &BTreeSet<SubmissionId>) -> Result<(), StoreError> {
        let about = self.family.said.values().filter(|said| said.subject == Some(self.person)).map(|said| said.id);
        let ids: BTreeSet<SubmissionId> = about.chain(orphans.iter().copied()).collect();
        let closed = |waiting: StoredQuarantine| StoredQuarantine {
            closed: waiting.closed.or(Some(self.v)),
            closing: waiting.closing.or(Some(Closing::Erased)),
            outcome: None,
            ..waiting
        };
        for ids in ids.into_iter().collect::<Vec<_>>().chunks(CLOSED_TOGETHER) {
            let found = quarantine::of_submissions(tx, ids)?;
            quarantine::save(tx, &found.into_iter().map(closed).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn forget(&self, tx: &mut Tx<'_>, mut own: Vec<StoredRecord>) -> Result<(), StoreError> {
        for stored in &mut own {
            let form = stored.record.form.clone();
            stored.record.forget(self.v, |path| self.is_personal(&form, path));
        }
        self.save(tx, own)
    }

    /// What was said of the person in records of others: somebody wanted to give them a step, and nobody has decided. With the
    /// claim its question goes.
    fn forget_claims(&self, tx: &mut Tx<'_>, others: Vec<StoredRecord>) -> Result<(), StoreError> {
        let about = self.family.said.values().filter(|said| said.subject == Some(self.person)).map(|said| said.id);
        let about: BTreeSet<SubmissionId> = about.collect();
        let person = Value::from(self.person.to_string());
        let mut changed = Vec::new();
        for mut stored in others {
            let Some(form) = self.reference.catalog.newest(&stored.record.form) else { continue };
            let Subject::Field(field) = &form.definition().subject else { continue };
            let subject = form.path_of(field);
            let is_theirs = |path: &Path, value: &Value| {
                *path == subject && (*value == person || value.get(field) == Some(&person))
            };
            if stored.record.forget_claimed(self.v, &about, |path| form.is_personal(path), is_theirs) {
                stored.live = stored.record.is_live();
                changed.push(stored);
            }
        }
        let ids: Vec<RecordId> = changed.iter().map(|stored| stored.record.id).collect();
        let still: BTreeSet<ConflictId> =
            changed.iter().flat_map(|stored| stored.record.open_conflicts()).map(|open| open.id).collect();
        let open = conflicts::of_records(tx, &ids)?.into_iter().filter(|conflict| conflict.closed.is_none());
        self.close(tx, open.filter(|conflict| !still.contains(&conflict.id)))?;
        self.save(tx, changed)
    }

    fn save(&self, tx: &mut Tx<'_>, changed: Vec<StoredRecord>) -> Result<(), StoreError> {
        let (mut changes, mut stamps) = (Vec::new(), Vec::new());
        for stored in changed {
            let form = stored.record.form.clone();
            let (open, personal) = stored.record.to_documents(|path| self.is_personal(&form, path));
            let (id, scope) = (stored.record.id.uuid(), stored.record.unit);
            let row = FeedRow { id, scope, kind: form, seq: self.v, present: stored.live };
            stamps.push((row, Before::Unknown));
            changes.push(RecordChange { grant: self.grant, stored, open, personal });
        }
        records::save(tx, &[], changes)?;
        feed::stamp_records(tx, stamps)
    }

    /// The entry of the log, and the decision: under the store's key, since the person's is gone.
    fn record(&self, tx: &mut Tx<'_>, reason: &str, remains: &Remains) -> Result<Seq, StoreError> {
        let body = review::body(&json!({"person": self.person, "reason": reason}));
        let command = serde_json::to_value(remains).map_err(|error| StoreError::corrupt("what remains", error))?;
        let deciding = Deciding {
            kind: "erase",
            id: self.id,
            target: self.person.uuid(),
            subject: Some(self.person),
            outcome: "erased",
            body,
            command: Some(String::from_utf8_lossy(&json::canonical(&command)).into_owned()),
        };
        review::record(tx, &self.grant, deciding)
    }
}

fn texts_of(value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(texts.insert(text.clone())),
        Value::Object(fields) => fields.values().for_each(|value| texts_of(value, texts)),
        _ => {}
    }
}
