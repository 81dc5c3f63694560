//! A create or an edit: merged into what stands, and everything checked that can only be seen then.

use super::target::Target;
use super::{Admission, Exclusion, Trial, Verdict, add};
use crate::usecases::push::bounds;
use crate::usecases::push::lineage;
use crate::usecases::push::notes::notes;
use crate::usecases::push::outcome::Status;
use crate::usecases::push::person;
use crate::usecases::push::working_set::{PERSON, STEP, WorkingSet};
use muong_domain::access::Grant;
use muong_domain::form::{Form, View};
use muong_domain::id::{RecordId, Seq};
use muong_domain::merge::{self, Author, Care, PathOutcome, Seen};
use muong_domain::record::{Path, Record};
use muong_domain::refusal::{Finding, Level};
use muong_domain::submission::{Base, Kind, Submission};
use muong_domain::validate::PathChange;
use muong_store::records::StoredRecord;
use muong_store::seal::{self, Owner};
use muong_store::{Head, Reading, StoreError};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A merge that is under way.
pub(super) struct Merging<'a> {
    pub form: &'a Form,
    grant: Grant,
    pub changes: &'a [PathChange],
    pub author: Author,
    pub before: Option<&'a StoredRecord>,
    alias: Option<RecordId>,
    /// What the submission alone shows, and its key.
    alone: (&'a View, Option<&'a str>),
}

impl Trial<'_> {
    pub(super) fn judge_change(
        &self,
        set: &mut WorkingSet,
        tx: &mut impl Reading,
        grant: Grant,
    ) -> Result<Verdict, StoreError> {
        let form =
            self.assessed.form.clone().ok_or_else(|| StoreError::corrupt("a submission", "no form, and no error"))?;
        let mut changes = Cow::Borrowed(self.assessed.checked.changes.as_slice());
        let (alone, key) = match self.name_subject(set, &form, &mut changes) {
            true => {
                let alone = View::from_paths(&form, changes.iter().map(|change| (&change.path, &change.to)));
                let key = form.natural_key(&alone, self.submission.unit).map(Cow::Owned);
                (Cow::Owned(alone), key)
            }
            false => (Cow::Borrowed(&self.assessed.view), self.assessed.key.as_deref().map(Cow::Borrowed)),
        };
        let (before, id, alias) = match self.target(set, tx, key.as_deref())? {
            Target::Unknown => {
                return Ok(self.absent(set, self.submission.record, "submission.unknown_record", "/record"));
            }
            Target::New { id, alias } => (None, id, alias),
            Target::Existing { id, alias } => {
                let stored = set.held(id).ok_or_else(|| StoreError::corrupt("a record", "not loaded"))?;
                if stored.record.form != form.code() && self.submission.kind == Kind::Create {
                    // An alias cannot help, as it does across units: the feed has one meaning of an id in a unit.
                    return Ok(Exclusion::rejected(vec![Finding::new("submission.record_taken", "/record")]));
                }
                if stored.record.form != form.code() {
                    return Ok(self.absent(set, self.submission.record, "submission.unknown_record", "/record"));
                }
                if Self::leads_to_erased(tx, &stored)? {
                    return Ok(Exclusion::rejected(vec![Finding::new("person.erased", "/record")]));
                }
                (Some(stored), id, alias)
            }
        };
        let (before, alone) = (before.as_deref(), (&*alone, key.as_deref()));
        let author = self.author(set, before.is_some());
        if before.is_some_and(|stored| self.builds_on_lost(&stored.record, &changes, author.seen)) {
            return Ok(Verdict::Missing(self.submission.record.uuid()));
        }
        self.merge(set, tx, id, &Merging { form: &form, grant, changes: &changes, author, before, alias, alone })
    }

    /// Whether what a key has led to is about somebody erased.
    pub(super) fn leads_to_erased(tx: &mut impl Reading, stored: &StoredRecord) -> Result<bool, StoreError> {
        let Some(person) = stored.subject.map(Owner::Person) else { return Ok(false) };
        seal::learn(tx, [person])?;
        Ok(tx.is_erased(person))
    }

    /// The record as it is before anything of this submission is merged.
    pub(super) fn untouched(&self, id: RecordId, merging: &Merging<'_>) -> Record {
        let mut record = match merging.before {
            Some(stored) => stored.record.clone(),
            None => Record::new(id, merging.form.code(), self.submission.unit, self.v),
        };
        if self.submission.kind == Kind::Create {
            merge::begin_anew(&mut record, &merging.author);
        }
        record
    }

    /// Who says it, and what they had seen of the record that it meets.
    pub(super) fn author(&self, set: &WorkingSet, existing: bool) -> Author {
        let Submission { id, n, .. } = *self.submission;
        let seen = match &self.submission.base {
            Some(base) => seen(base, &self.head, set),
            None if self.submission.kind == Kind::Create || !existing => Seen::UpTo(Seq::ZERO),
            None => Seen::Unknown,
        };
        let after = if existing { lineage::before(set, self.submission, self.author, self.device) } else { Vec::new() };
        Author { submission: id, device: self.device, n, seen, after }
    }

    pub(super) fn merge(
        &self,
        set: &mut WorkingSet,
        tx: &mut impl Reading,
        id: RecordId,
        merging: &Merging<'_>,
    ) -> Result<Verdict, StoreError> {
        let attempt = |withheld: &BTreeSet<Path>| {
            let mut merged = self.untouched(id, merging);
            let care = |path: &Path| Care { guarded: merging.form.is_guarded(path), withheld: withheld.contains(path) };
            let outcomes = merge::merge(&mut merged, &merging.author, self.v, merging.changes, care);
            let (view, key) = match (merging.before, withheld.is_empty()) {
                // A new record shows what the submission alone shows.
                (None, true) => (Cow::Borrowed(merging.alone.0), merging.alone.1.map(str::to_owned)),
                _ => {
                    let view = view(merging.form, &merged);
                    let key = merging.form.natural_key(&view, merged.unit);
                    (Cow::Owned(view), key)
                }
            };
            (merged, outcomes, view, key)
        };
        let (mut merged, mut outcomes, mut view, mut key) = attempt(&BTreeSet::new());
        let old_key = merging.before.and_then(|stored| stored.natural_key.as_ref());
        if key.as_ref() != old_key && is_taken(set, tx, &merged, key.as_deref())? {
            (merged, outcomes, view, key) = attempt(&merging.form.key_paths());
            // What is shown may be an older candidate, left when what stood before it was withdrawn: in question it holds
            // no key.
            if key.as_ref() != old_key && is_taken(set, tx, &merged, key.as_deref())? {
                key = None;
            }
        }
        if let Some(person) = merging.form.subject(&view, merged.id) {
            // Somebody whom only an older claim names, and neither this submission nor what was shown.
            set.learn_person(tx, person)?;
            // Of another unit nobody is told that there was somebody.
            let is_here = set.resolve(person, self.submission.unit).is_some();
            if is_here && tx.is_erased(Owner::Person(person)) {
                return Ok(Exclusion::rejected(vec![Finding::new("person.erased", "/record")]));
            }
        }
        if let Some(verdict) = self.check_subject(set, merging, &view).filter(|_| merged.is_live()) {
            return Ok(verdict);
        }
        let mut warnings = self.assessed.checked.warnings.clone();
        let mut errors = self.check_rules(set, merging, &mut merged, &view, &mut warnings);
        let held = merging.before.map(|old| &old.record);
        errors.extend(bounds::too_many_items_ever(merging.form, held, &merged));
        errors.extend(bounds::too_many_claims(held, &merged));
        if let Some(person) = merging.form.subject(&view, merged.id).filter(|_| merged.form == STEP) {
            errors.extend(bounds::too_many_steps(set.steps_ever(person, merged.id)));
        }
        let cards = self.check_person(set, tx, &merged, &view, &mut errors, &mut warnings)?;
        if !errors.is_empty() {
            return Ok(Exclusion::rejected(errors));
        }
        let admission = self.admit(merging, merged, outcomes, &view, key);
        Ok(Verdict::In(Box::new(Admission { warnings, cards, ..admission })))
    }

    /// A step is about a person who must be there, in the same unit.
    pub(super) fn check_subject(&self, set: &WorkingSet, merging: &Merging<'_>, view: &View) -> Option<Verdict> {
        if merging.form.code() != STEP {
            return None;
        }
        let person = merging.form.subject(view, self.submission.record)?;
        match set.resolve(person, self.submission.unit).filter(|stored| stored.record.form == PERSON) {
            Some(stored) if stored.live => None,
            Some(_) => Some(Exclusion::rejected(vec![Finding::new("person.unknown", "/set/person")])),
            None => Some(self.absent(set, person, "person.unknown", "/set/person")),
        }
    }

    pub(super) fn check_person(
        &self,
        set: &WorkingSet,
        tx: &mut impl Reading,
        merged: &Record,
        view: &View,
        errors: &mut Vec<Finding>,
        warnings: &mut Vec<Finding>,
    ) -> Result<Vec<person::Card>, StoreError> {
        let basis = self.basis(set);
        let stands = Some(view).filter(|_| merged.is_live());
        for (level, finding) in
            stands.map_or_else(|| Ok(Vec::new()), |view| person::check(set, merged, view, &basis))?
        {
            add(if level == Level::Error { errors } else { warnings }, finding);
        }
        let cards = person::cards_after(set, merged, stands, &basis)?;
        let pointer = if merged.form == PERSON { "/set/party_card" } else { "/set/step" };
        errors.extend(person::card_taken(set, tx, &cards, pointer)?);
        Ok(cards)
    }

    pub(super) fn admit(
        &self,
        merging: &Merging<'_>,
        merged: Record,
        outcomes: BTreeMap<Path, PathOutcome>,
        view: &View,
        key: Option<String>,
    ) -> Admission {
        let conflicts = notes(&merged, merging.changes, &outcomes, self.v);
        let status = match (conflicts.is_empty(), merging.before) {
            (false, _) => Status::Conflict,
            (true, None) => Status::Accepted,
            (true, Some(_)) => Status::Merged,
        };
        let stored = StoredRecord {
            subject: merging.form.subject(view, merged.id),
            live: merged.is_live(),
            occurred_on: merging.form.occurred_on(view),
            natural_key: key,
            record: merged,
        };
        let fields = match merging.before {
            Some(_) => outcomes.into_iter().map(|(path, outcome)| (path, outcome.into())).collect(),
            None => BTreeMap::new(), // everything in a new record is applied
        };
        let (grant, alias) = (merging.grant, merging.alias);
        Admission { grant, status, stored, alias, fields, conflicts, warnings: Vec::new(), cards: Vec::new() }
    }
}

/// Whether another record of the form holds the key.
fn is_taken(
    set: &mut WorkingSet,
    tx: &mut impl Reading,
    record: &Record,
    key: Option<&str>,
) -> Result<bool, StoreError> {
    let Some(key) = key else { return Ok(false) };
    Ok(set.holder_of(tx, key)?.is_some_and(|holder| holder != record.id))
}

fn view(form: &Form, record: &Record) -> View {
    View::from_paths(form, record.shown())
}

/// Up to where a base reaches. One of an earlier epoch counts up to where that ended for us: up to there it is our past as
/// well. What came later in it, or in an epoch that was lost with its store, happened elsewhere.
pub(super) fn seen(base: &Base, head: &Head, set: &WorkingSet) -> Seen {
    let Some(v) = base.v else { return Seen::UpTo(Seq::ZERO) };
    let known_until = match base.epoch {
        Some(epoch) if epoch == head.epoch => head.seq,
        Some(epoch) => match set.shared_with(epoch) {
            Some(shared) if v > shared => return Seen::AtLeast(shared),
            shared => shared.unwrap_or(Seq::ZERO),
        },
        None => Seq::ZERO,
    };
    if v <= known_until { Seen::UpTo(v) } else { Seen::Unknown }
}
