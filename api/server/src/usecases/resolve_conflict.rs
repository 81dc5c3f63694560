//! A reviewer decides a conflict, with a reason. What the reviewer had seen gives way; what arrived since stays open.

use super::push::assess::unknown_units;
use super::push::bounds::bounded;
use super::push::person;
use super::push::working_set::{STEP, WorkingSet};
use super::review::{self, Deciding, Reason, ReviewRefusal};
use crate::reference::{Reference, ReferenceCache};
use muong_domain::access::{Actor, Grant};
use muong_domain::development::Basis;
use muong_domain::form::{Form, View};
use muong_domain::id::{ConflictId, Seq, SubmissionId};
use muong_domain::merge::{self, Resolution};
use muong_domain::record::{Path, Record};
use muong_domain::refusal::{Finding, Level};
use muong_domain::submission::{Change, Kind, Submission};
use muong_domain::time::local_date;
use muong_domain::validate::{Context, PathChange, check_agreed, check_merged, concerned, normalise_and_check};
use muong_store::conflicts::{self, StoredConflict};
use muong_store::decisions::StoredDecision;
use muong_store::records::StoredRecord;
use muong_store::seal::{self, Owner};
use muong_store::{Outcome, Reading, StoreError, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// What is to stand.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The candidate that this submission brought.
    Candidate(SubmissionId),
    /// Other values, by field name (of an item: of its field). For a rule that is broken: of those that it reads, a field of a
    /// row by its path, `list/key/field`.
    Values(BTreeMap<String, Value>),
    /// Of a record that was edited and withdrawn at once: whether it stays.
    Keep(bool),
}

/// A decision on a conflict.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The question.
    pub conflict: ConflictId,
    /// The id of the decision.
    pub id: Uuid,
    /// What is to stand.
    pub choice: Choice,
    /// The submissions behind the candidates that the reviewer had before their eyes.
    pub seen: BTreeSet<SubmissionId>,
    /// Why.
    pub reason: Reason,
}

/// What came of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Resolved {
    /// The entry.
    pub v: Seq,
    /// The question that is open in its place, for candidates that had not been seen.
    pub still_open: Option<ConflictId>,
}

/// Decides.
pub fn resolve_conflict(
    tx: &mut Tx<'_>,
    cache: &ReferenceCache,
    actor: &Actor,
    decision: &Decision,
) -> Result<Outcome<Resolved, ReviewRefusal>, StoreError> {
    let as_of = tx.head().reference_as_of();
    let reference = cache.get(tx, as_of)?;
    let Some(conflict) = conflicts::find(tx, decision.conflict)? else {
        return Ok(Outcome::Refuse(ReviewRefusal::NotFound));
    };
    if !review::may_see(actor, &reference, &conflict.form, conflict.unit, tx.received_at()) {
        return Ok(Outcome::Refuse(ReviewRefusal::NotFound));
    }
    let grant = match review::authorize_review(actor, &reference, Some(conflict.unit), tx.received_at()) {
        Ok(grant) => grant,
        Err(refusal) => return Ok(Outcome::Refuse(refusal)),
    };
    if conflict.closed.is_some() {
        return Ok(Outcome::Refuse(ReviewRefusal::AlreadyClosed { what: "conflict" }));
    }
    let mut set = WorkingSet::load(tx, reference, &[])?;
    set.learn_record(tx, conflict.record)?;
    let resolving = Resolving { conflict: &conflict, decision, grant };
    Ok(match resolving.resolve(tx, set)? {
        Ok(resolved) => Outcome::Commit(resolved),
        Err(refusal) => Outcome::Refuse(refusal),
    })
}

/// A resolution under way; also how a replay repeats one from the log.
pub struct Resolving<'a> {
    /// The question.
    pub conflict: &'a StoredConflict,
    /// The decision.
    pub decision: &'a Decision,
    /// The reviewer's right.
    pub grant: Grant,
}

impl Resolving<'_> {
    /// Resolves and writes, or says why not.
    pub fn resolve(&self, tx: &mut Tx<'_>, mut set: WorkingSet) -> Result<Result<Resolved, ReviewRefusal>, StoreError> {
        let before = set.record(self.conflict.record).ok_or_else(|| review::not_loaded("a record"))?.clone();
        let form = set.reference.catalog.newest(&before.record.form).map(Arc::clone);
        let form = form.ok_or_else(|| review::not_loaded("a form"))?;
        let v = tx.head().seq.next();
        let today = local_date(tx.received_at());
        let context = set.reference.context(before.record.unit, today);
        let context = context.ok_or_else(|| review::not_loaded("a unit"))?;
        let (record, touched) = match self.decide(&before.record, &form, &context, &set.reference, v) {
            Ok(decided) => decided,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let record = flag_rules(record, &form, &context, v);
        let view = view(&form, &record);
        if let Some(person) = form.subject(&view, record.id).filter(|_| record.form == STEP && record.is_live()) {
            // The decision may have given the step to somebody whose history is not among what was read for the question.
            set.learn_record(tx, person)?;
            seal::learn(tx, [Owner::Person(person)])?;
            if tx.is_erased(Owner::Person(person)) {
                return Ok(Err(ReviewRefusal::Invalid(vec![Finding::new("person.erased", "/choose")])));
            }
            if set.person(person, record.unit).is_none() {
                return Ok(Err(ReviewRefusal::Invalid(vec![Finding::new("person.unknown", "/choose")])));
            }
        }
        let mut errors = self.errors(tx, &mut set, &before, &record, &view, &form, &context, &touched)?;
        let key = match Self::key(tx, &mut set, (&before, &record), &view, &form, &touched)? {
            Ok(key) => key,
            Err(finding) => {
                errors.push(finding);
                None
            }
        };
        if !errors.is_empty() {
            return Ok(Err(ReviewRefusal::Invalid(bounded(errors))));
        }
        self.write(tx, set, &before, (record, key), &view, &form)
    }

    /// The record as decided, and the paths that were.
    fn decide(
        &self,
        before: &Record,
        form: &Form,
        context: &Context,
        reference: &Reference,
        v: Seq,
    ) -> Result<(Record, Vec<Path>), ReviewRefusal> {
        let mut record = before.clone();
        let path = &self.conflict.path;
        let id = SubmissionId::new(self.decision.id);
        if *path == Path::record() {
            let Choice::Keep(keep) = self.decision.choice else { return Err(ReviewRefusal::ChoiceUnfit) };
            let gives_way = if keep {
                before.deletions.iter().map(|deletion| deletion.by).collect()
            } else {
                before.said_against_withdrawal()
            };
            if self.decision.seen.is_disjoint(&said_in(before, gives_way)) {
                return Err(ReviewRefusal::NothingSeen);
            }
            merge::resolve_deletion(&mut record, id, v, keep, &self.decision.seen);
            return Ok((record, Vec::new()));
        }
        let is_rule = self.rule().is_some();
        let changes = match &self.decision.choice {
            Choice::Keep(_) => return Err(ReviewRefusal::ChoiceUnfit),
            Choice::Candidate(_) if is_rule => return Err(ReviewRefusal::ChoiceUnfit),
            Choice::Candidate(submission) => {
                vec![(path.clone(), candidate(before, path, *submission).ok_or(ReviewRefusal::ChoiceUnknown)?)]
            }
            Choice::Values(values) => self.values(before, form, context, reference, values)?,
        };
        let touched: Vec<Path> = changes.iter().map(|(path, _)| path.clone()).collect();
        if !touched.iter().all(|path| self.has_seen_any(before, path)) {
            return Err(ReviewRefusal::NothingSeen);
        }
        for (path, value) in changes {
            record.cells.entry(path.clone()).or_default();
            merge::resolve(&mut record, &path, id, v, Resolution { value, seen: self.seen() });
        }
        if let Some(code) = self.rule() {
            // What is still in dispute, since the reviewer had not seen it, is a question of its own.
            let broken = check_agreed(form, &record, context).into_iter();
            let still = broken.filter(|rule| rule.level == Level::Error && rule.code.as_str() == code);
            let errors: Vec<Finding> = still.map(|rule| rule.finding).collect();
            if !errors.is_empty() {
                return Err(ReviewRefusal::Invalid(bounded(errors)));
            }
        }
        Ok((record, touched))
    }

    /// The rule that is in question.
    fn rule(&self) -> Option<&str> {
        self.conflict.path.as_rule()
    }

    /// What a decision may change: the path in question, or what the rule in question reads.
    fn may_change(&self, before: &Record, form: &Form, context: &Context) -> BTreeSet<Path> {
        match self.rule() {
            Some(code) => concerned(form, before, context, code),
            None => BTreeSet::from([self.conflict.path.clone()]),
        }
    }

    /// What was chosen has been seen, whether it is named or not.
    fn seen(&self) -> BTreeSet<SubmissionId> {
        let mut seen = self.decision.seen.clone();
        if let Choice::Candidate(submission) = self.decision.choice {
            seen.insert(submission);
        }
        seen
    }

    /// Whether the reviewer knows anything of what stands at a path; of where nobody has said anything there is nothing to know.
    fn has_seen_any(&self, record: &Record, path: &Path) -> bool {
        let said = writers(record, path);
        !self.seen().is_disjoint(&said) || (said.is_empty() && self.rule().is_some())
    }

    /// Values of the reviewer's own, typed and checked as if a phone had sent them.
    fn values(
        &self,
        before: &Record,
        form: &Form,
        context: &Context,
        reference: &Reference,
        values: &BTreeMap<String, Value>,
    ) -> Result<Vec<(Path, Value)>, ReviewRefusal> {
        let submission = self.as_submission(before, form, values);
        let mut checked = normalise_and_check(form, &submission, context);
        checked.errors.extend(unknown_units(form, &submission, reference));
        if !checked.errors.is_empty() {
            return Err(ReviewRefusal::Invalid(bounded(checked.errors)));
        }
        let changes: Vec<(Path, Value)> =
            checked.changes.into_iter().map(|PathChange { path, to, .. }| (path, to)).collect();
        let fitting = self.may_change(before, form, context);
        if changes.is_empty() || !changes.iter().all(|(path, _)| fitting.contains(path)) {
            return Err(ReviewRefusal::ChoiceUnfit);
        }
        Ok(changes)
    }

    /// An edit that says these values, and of every group that it touches also what stands there now.
    fn as_submission(&self, before: &Record, form: &Form, values: &BTreeMap<String, Value>) -> Submission {
        let mut submission = Submission {
            id: SubmissionId::new(self.decision.id),
            n: 1,
            kind: Kind::Edit,
            form: Some(form.code().to_owned()),
            form_version: Some(form.version()),
            record: before.id,
            unit: before.unit,
            captured_at: None,
            base: None,
            replaces: Vec::new(),
            after_lost: false,
            author: None,
            on_behalf_of: None,
            set: BTreeMap::new(),
            items: BTreeMap::new(),
        };
        let change = |to: &Value| Change { from: Value::Null, to: to.clone() };
        if let Some((list, key, _)) = self.conflict.path.as_item() {
            let fields = values.iter().map(|(name, value)| (name.clone(), change(value))).collect();
            submission.items = BTreeMap::from([(list.to_owned(), BTreeMap::from([(key.to_owned(), fields)]))]);
            return submission;
        }
        // A rule may be about rows: of those a field is named as its path is.
        let (in_rows, fields): (BTreeMap<_, _>, BTreeMap<_, _>) = values
            .iter()
            .map(|(name, value)| (Path::field(name), value))
            .partition(|(path, _)| path.as_item().is_some());
        for (list, key, field, value) in in_rows
            .iter()
            .filter_map(|(path, value)| path.as_item().map(|(list, key, field)| (list, key, field, value)))
        {
            let row = submission.items.entry(list.to_owned()).or_default().entry(key.to_owned()).or_default();
            row.insert(field.to_owned(), change(value));
        }
        for name in fields.keys().map(Path::as_str) {
            let path = form.path_of(name);
            let shown = before.cells.get(&path).and_then(|cell| cell.shown().as_object());
            for field in form.fields_of(&path) {
                let standing = shown.and_then(|shown| shown.get(field)).unwrap_or(&Value::Null);
                submission.set.insert(field.to_owned(), change(standing));
            }
        }
        submission.set.extend(fields.iter().map(|(name, value)| (name.as_str().to_owned(), change(value))));
        submission
    }

    #[expect(clippy::too_many_arguments, reason = "everything that a decided record is held against")]
    fn errors(
        &self,
        tx: &mut Tx<'_>,
        set: &mut WorkingSet,
        before: &StoredRecord,
        record: &Record,
        view: &View,
        form: &Form,
        context: &Context,
        touched: &[Path],
    ) -> Result<Vec<Finding>, StoreError> {
        let basis = Basis { rules: &set.reference.rules, calendar: &set.reference.calendar, today: context.today };
        let cards = person::cards_after(set, record, record.is_live().then_some(view), &basis)?;
        let taken = person::card_taken(set, tx, &cards, "/choose")?;
        if !record.is_live() {
            let mut errors = person::check_withdrawal(set, &before.record, &basis)?;
            errors.extend(taken);
            return Ok(errors);
        }
        let is_touched = |path: &Path| touched.contains(path);
        let mut errors: Vec<Finding> = check_merged(form, view, context)
            .into_iter()
            .filter(|rule| rule.level == Level::Error)
            .filter(|rule| rule.reads.iter().any(is_touched) || rule.is_row_made_by(is_touched))
            .map(|rule| rule.finding)
            .chain(taken)
            .collect();
        let of_person = person::check(set, record, view, &basis)?;
        errors.extend(of_person.into_iter().filter(|(level, _)| *level == Level::Error).map(|(_, finding)| finding));
        Ok(errors)
    }

    /// The key that the record holds from now on: the one that it shows, unless it is another's. Then it keeps its own, but
    /// nobody decides that it is to show another's.
    fn key(
        tx: &mut Tx<'_>,
        set: &mut WorkingSet,
        (before, record): (&StoredRecord, &Record),
        view: &View,
        form: &Form,
        touched: &[Path],
    ) -> Result<Result<Option<String>, Finding>, StoreError> {
        let Some(key) = form.natural_key(view, record.unit) else { return Ok(Ok(before.natural_key.clone())) };
        if set.holder_of(tx, &key)?.is_none_or(|holder| holder == record.id) {
            return Ok(Ok(Some(key)));
        }
        let key_paths = form.key_paths();
        Ok(match touched.iter().any(|path| key_paths.contains(path)) {
            true => Err(Finding::new("merge.key_taken", "/choose")),
            false => Ok(before.natural_key.clone()),
        })
    }

    fn write(
        &self,
        tx: &mut Tx<'_>,
        mut set: WorkingSet,
        before: &StoredRecord,
        (record, natural_key): (Record, Option<String>),
        view: &View,
        form: &Form,
    ) -> Result<Result<Resolved, ReviewRefusal>, StoreError> {
        let path = &self.conflict.path;
        let still_open = record.open_conflicts().into_iter().find(|open| open.path == *path).map(|open| open.id);
        let body = review::body(&json!({
            "conflict": self.conflict.id,
            "choice": self.decision.choice,
            "seen": self.decision.seen,
            "reason": self.decision.reason.as_str(),
        }));
        let outcome = if still_open.is_some() { "open" } else { "closed" };
        let deciding = Deciding {
            kind: "resolve",
            id: self.decision.id,
            target: self.conflict.id.uuid(),
            subject: self.conflict.subject,
            outcome,
            body,
            command: None,
        };
        let v = review::record(tx, &self.grant, deciding)?;
        let stored = StoredRecord {
            subject: form.subject(view, record.id),
            live: record.is_live(),
            occurred_on: form.occurred_on(view),
            natural_key,
            record,
        };
        let basis = Basis {
            rules: &set.reference.rules,
            calendar: &set.reference.calendar,
            today: local_date(tx.received_at()),
        };
        let cards = person::cards_after(&set, &stored.record, stored.live.then_some(view), &basis)?;
        for (person, digest) in cards {
            set.hold_card(self.grant, person, digest);
        }
        set.put(self.grant, &before.record.open_conflicts(), stored);
        set.decided(self.conflict.id, self.decision.id);
        set.flush(tx)?;
        conflicts::tell_decided(tx, self.conflict.id, self.conflict.record, v)?;
        Ok(Ok(Resolved { v, still_open }))
    }
}

fn view(form: &Form, record: &Record) -> View {
    View::from_paths(form, record.shown())
}

fn candidate(record: &Record, path: &Path, submission: SubmissionId) -> Option<Value> {
    let by = |claim: &&muong_domain::record::Claim| {
        claim.by.iter().any(|seq| record.writers.get(seq).is_some_and(|writer| writer.submission == submission))
    };
    record.cells.get(path)?.claims.iter().find(by).map(|claim| claim.value.clone())
}

fn writers(record: &Record, path: &Path) -> BTreeSet<SubmissionId> {
    let claims = record.cells.get(path).into_iter().flat_map(|cell| &cell.claims);
    said_in(record, claims.flat_map(|claim| claim.by.iter().copied()).collect())
}

/// The submissions (or decisions) behind entries.
fn said_in(record: &Record, entries: BTreeSet<Seq>) -> BTreeSet<SubmissionId> {
    entries.iter().filter_map(|seq| record.writers.get(seq)).map(|writer| writer.submission).collect()
}

/// Rules that were in question and hold now are so no more.
fn flag_rules(mut record: Record, form: &Form, context: &Context, v: Seq) -> Record {
    let asked: Vec<String> = record.questions.keys().filter_map(|path| path.as_rule().map(str::to_owned)).collect();
    if asked.is_empty() {
        return record;
    }
    let broken = check_agreed(form, &record, context);
    for code in asked {
        let still = broken.iter().any(|rule| rule.level == Level::Error && rule.code.as_str() == code);
        merge::flag_rule(&mut record, &code, v, still);
    }
    record
}

/// A decision as it was recorded, for a replay.
pub fn recorded(decision: &StoredDecision) -> Result<Decision, StoreError> {
    #[derive(Deserialize)]
    struct Body {
        conflict: ConflictId,
        choice: Choice,
        seen: BTreeSet<SubmissionId>,
        reason: String,
    }
    let corrupt = |error: serde_json::Error| StoreError::corrupt("a decision", error);
    let body: Body = serde_json::from_slice(&decision.body).map_err(corrupt)?;
    let reason = Reason::parse(&body.reason).ok_or_else(|| StoreError::corrupt("a decision", "no reason"))?;
    Ok(Decision { conflict: body.conflict, id: decision.id, choice: body.choice, seen: body.seen, reason })
}
