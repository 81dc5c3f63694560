//! One submission against what the store holds: how it would end, without writing anything.
//!
//! The order of the questions is the order of what may be told to whom: first whether its author may report there at
//! all, then what is wrong with it alone, then what it builds on, and only then what it meets.

use super::assess::Assessed;
use super::bounds;
use super::notes::notes;
use super::outcome::{ConflictNote, FieldOutcome, Status};
use super::person;
use super::working_set::{PERSON, STEP, WorkingSet};
use crate::reference::is_about_person;
use muong_domain::access::{Action, Actor, Denied, Grant, authorize};
use muong_domain::development::Basis;
use muong_domain::form::{Form, Subject, View};
use muong_domain::id::{DeviceId, RecordId, Seq, SubmissionId, UserId, derived};
use muong_domain::merge::{self, Author, Care, PathOutcome, Seen};
use muong_domain::record::{Path, Record};
use muong_domain::refusal::{Finding, Level};
use muong_domain::submission::{Base, Kind, Submission};
use muong_domain::validate::{Broken, Context, PathChange, check_agreed, check_merged};
use muong_store::records::StoredRecord;
use muong_store::seal::{self, Owner};
use muong_store::{Head, Reading, StoreError};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// By what right a submission is merged.
#[derive(Clone, Copy, Debug)]
pub enum Right<'a> {
    /// By what its author may do now.
    Author(&'a Actor),
    /// By a reviewer's release, or because the log says that it was allowed.
    Granted(Grant),
}

/// How a submission would end.
#[derive(Debug)]
pub enum Verdict {
    /// It becomes part of a record.
    In(Box<Admission>),
    /// It waits in quarantine.
    Out(Exclusion),
    /// What it builds on has not arrived.
    Missing(Uuid),
}

/// What merging it comes to.
#[derive(Debug)]
pub struct Admission {
    /// Who may.
    pub grant: Grant,
    /// accepted, merged or conflict.
    pub status: Status,
    /// The record afterwards.
    pub stored: StoredRecord,
    /// Another id by which its author knows the record.
    pub alias: Option<RecordId>,
    /// What became of each path.
    pub fields: BTreeMap<Path, FieldOutcome>,
    /// The conflicts it met.
    pub conflicts: Vec<ConflictNote>,
    /// What its author should know.
    pub warnings: Vec<Finding>,
    /// The party cards of the people whom it concerns, as they are active afterwards.
    pub cards: Vec<person::Card>,
}

/// The reason of what builds on something that waits.
const WAITS: &str = "submission.depends_on_quarantined";

/// Why it is not merged.
#[derive(Debug)]
pub struct Exclusion {
    /// rejected or forbidden.
    pub status: Status,
    /// The reasons.
    pub errors: Vec<Finding>,
    /// The quarantined submission that it builds on.
    pub waits_on: Option<SubmissionId>,
}

impl Exclusion {
    /// Breaks a rule.
    pub fn rejected(errors: Vec<Finding>) -> Verdict {
        Verdict::Out(Self { status: Status::Rejected, errors, waits_on: None })
    }
    /// May not be reported by its author.
    pub fn forbidden(error: Finding) -> Verdict {
        Verdict::Out(Self { status: Status::Forbidden, errors: vec![error], waits_on: None })
    }
    fn waits(on: SubmissionId, pointer: &str) -> Verdict {
        let error = Finding::new(WAITS, pointer).with("submission", on.to_string());
        Verdict::Out(Self { status: Status::Rejected, errors: vec![error], waits_on: Some(on) })
    }
    /// Whether nobody has judged what it says.
    pub fn is_unjudged(&self) -> bool {
        self.errors.first().is_some_and(|error| error.code.as_str() == super::apart::UNJUDGED)
    }
    /// What it waited on, as its reasons tell.
    pub fn waited_on(errors: &[Finding]) -> Option<SubmissionId> {
        let [error] = errors else { return None };
        error.args.get("submission").filter(|_| error.code.as_str() == WAITS)?.as_str()?.parse().ok()
    }
}

/// One submission on trial.
pub struct Trial<'a> {
    /// What it says.
    pub submission: &'a Submission,
    /// Who said it.
    pub author: UserId,
    /// The device that its author wrote it on.
    pub device: DeviceId,
    /// What is known of it alone.
    pub assessed: &'a Assessed,
    /// By what right.
    pub right: Right<'a>,
    /// The head that it meets.
    pub head: &'a Head,
    /// The entry that it would become.
    pub v: Seq,
    /// The receipt time.
    pub at: chrono::DateTime<chrono::Utc>,
}

/// What an id or a key leads to.
enum Target {
    Existing { id: RecordId, alias: Option<RecordId> },
    New { id: RecordId, alias: Option<RecordId> },
    Unknown,
}

/// A merge that is under way.
struct Merging<'a> {
    form: &'a Form,
    grant: Grant,
    changes: &'a [PathChange],
    author: Author,
    before: Option<&'a StoredRecord>,
    alias: Option<RecordId>,
    /// What the submission alone shows, and its key.
    alone: (&'a View, Option<&'a str>),
}

impl Merging<'_> {
    /// Whether it says something of what a rule reads.
    fn reads_changed(&self, rule: &Broken) -> bool {
        rule.reads.iter().any(|path| self.changes.iter().any(|change| change.path == *path))
    }

    /// Whether it alone makes the row exist that a rule is asked of.
    fn makes_row(&self, rule: &Broken) -> bool {
        let changes = |path: &Path| self.changes.iter().any(|change| change.path == *path && change.from != change.to);
        rule.is_row_made_by(changes)
    }
}

impl Trial<'_> {
    /// Judges. `Err` is only ever the database's.
    pub fn judge(&self, set: &mut WorkingSet, tx: &mut impl Reading) -> Result<Verdict, StoreError> {
        let grant = match self.authorize(self.assessed.action()) {
            Ok(grant) => grant,
            Err(finding) => return Ok(Exclusion::forbidden(finding)),
        };
        if !self.assessed.checked.errors.is_empty() {
            return Ok(Exclusion::rejected(self.assessed.checked.errors.clone()));
        }
        if self.is_about_erased(set, tx) {
            return Ok(Exclusion::rejected(vec![Finding::new("person.erased", "/record")]));
        }
        if let Some(verdict) = self.check_predecessor(set) {
            return Ok(verdict);
        }
        match self.submission.kind {
            Kind::Delete => self.judge_delete(set, tx, grant),
            Kind::Create | Kind::Edit => self.judge_change(set, tx, grant),
        }
    }

    /// Whether the record is about somebody whose data has been erased: nothing more may be said of them.
    fn is_about_erased(&self, set: &WorkingSet, tx: &mut impl Reading) -> bool {
        let Submission { record, unit, .. } = *self.submission;
        let named = self.assessed.form.as_ref().and_then(|form| form.subject(&self.assessed.view, record));
        let held = set.resolve(record, unit).and_then(|stored| stored.subject);
        if set.is_gone(record, unit) || named.is_some_and(|person| set.is_gone(person, unit)) {
            return true;
        }
        // Of another unit nobody is told that there was somebody.
        let named = named.and_then(|person| set.resolve(person, unit)).map(|stored| stored.record.id);
        named.into_iter().chain(held).any(|person| tx.is_erased(Owner::Person(person)))
    }

    fn authorize(&self, action: Action) -> Result<Grant, Finding> {
        let actor = match self.right {
            Right::Granted(grant) => return Ok(grant),
            Right::Author(actor) => actor,
        };
        let grant = authorize(actor, action, &self.assessed.line, self.at, false).map_err(|denied| match denied {
            Denied::NotAllowed(role) | Denied::ReasonRequired(role) => {
                Finding::new("access.forbidden", "/unit").with("role", role.as_str()).with("action", action.as_str())
            }
            Denied::Outside if !actor.holds_any(self.at) => Finding::new("scope.no_grant", "/unit"),
            Denied::Outside => Finding::new("scope.outside", "/unit"),
        })?;
        if self.submission.author.is_some_and(|author| author != actor.user) {
            return Err(Finding::new("submission.author_mismatch", "/author"));
        }
        // Whatever grant came first: who reviews there may say what others told them.
        let may_review = || authorize(actor, Action::Review, &self.assessed.line, self.at, true).is_ok();
        if self.submission.on_behalf_of.is_some() && !may_review() {
            return Err(Finding::new("access.forbidden", "/on_behalf_of")
                .with("role", grant.role().as_str())
                .with("action", Action::Review.as_str()));
        }
        Ok(grant)
    }

    /// After a restore phones send again what was lost, in whatever order. Whoever changes a value that is not here, and had
    /// seen more than what was restored, builds on what another phone has yet to send: it waits, until that has come or its
    /// own phone gives up. Otherwise what had come after would seem to contradict what it was a change of.
    fn builds_on_lost(&self, record: &Record, changes: &[PathChange], seen: Seen) -> bool {
        let is_lost = matches!(seen, Seen::AtLeast(_)) && !self.submission.after_lost;
        let is_here = |path: &Path, value: &Value| match record.cells.get(path) {
            Some(cell) if !cell.claims.is_empty() => cell.claims.iter().any(|claim| claim.value == *value),
            _ => value.is_null(),
        };
        let unseen = |change: &PathChange| !is_here(&change.path, &change.from) && !is_here(&change.path, &change.to);
        let is_change = self.submission.kind == Kind::Edit && matches!(self.right, Right::Author(_));
        is_change && is_lost && changes.iter().any(|change| change.from != change.to && unseen(change))
    }

    /// What it builds on: not there yet, or waiting itself.
    fn check_predecessor(&self, set: &WorkingSet) -> Option<Verdict> {
        let after = self.submission.base.as_ref().and_then(|base| base.after)?;
        // Only an own one: of another's nobody is told whether it is there, or waits.
        match set.known(after).filter(|known| known.author == self.author) {
            None if self.submission.after_lost => None,
            None => Some(Verdict::Missing(after.uuid())),
            Some(_) => set
                .quarantined(after)
                .filter(|waiting| waiting.closed.is_none())
                .map(|_| Exclusion::waits(after, "/base/after")),
        }
    }

    fn target(&self, set: &mut WorkingSet, tx: &mut impl Reading, key: Option<&str>) -> Result<Target, StoreError> {
        let Submission { record, unit, kind, .. } = *self.submission;
        if let Some(stored) = set.resolve(record, unit) {
            return Ok(Target::Existing { id: stored.record.id, alias: None });
        }
        if kind != Kind::Create {
            return Ok(Target::Unknown);
        }
        if let Some(key) = key
            && let Some(id) = set.holder_of(tx, key)?
        {
            return Ok(Target::Existing { id, alias: Some(record) });
        }
        if set.is_taken(record) {
            // Of another unit: its author must not learn that, so here the id stands for a record of its own.
            let id = derived("record", &[record.uuid().as_bytes(), unit.uuid().as_bytes()]);
            return Ok(Target::New { id: RecordId::new(id), alias: Some(record) });
        }
        Ok(Target::New { id: record, alias: None })
    }

    /// The person is named as the phone knows them: an alias stands for its record, in this unit alone. From here on only
    /// the record's own id is used, so that no rule ever looks at a person of another unit. Answers whether anything was
    /// named otherwise.
    fn name_subject(&self, set: &WorkingSet, form: &Form, changes: &mut Cow<'_, [PathChange]>) -> bool {
        let Subject::Field(field) = &form.definition().subject else { return false };
        let path = form.path_of(field);
        let mut renamed = false;
        let mut canonical = |value: &mut Value| {
            let id = value.as_str().and_then(|text| text.parse().ok());
            let stored = id.and_then(|id| set.resolve(id, self.submission.unit));
            if let Some(stored) = stored.filter(|stored| Some(stored.record.id) != id) {
                *value = Value::from(stored.record.id.to_string());
                renamed = true;
            }
        };
        // Nearly always it is named by its own id: then nothing is copied.
        let Some(at) = changes.iter().position(|change| change.path == path) else { return false };
        let mut change = changes[at].clone();
        for side in [&mut change.from, &mut change.to] {
            match side {
                Value::Object(members) => members.get_mut(field).into_iter().for_each(&mut canonical),
                value => canonical(value),
            }
        }
        if renamed {
            changes.to_mut()[at] = change;
        }
        renamed
    }

    /// A record that is not there: lost, waiting, or still on its way. One that is there but of another form, which its
    /// author may not even see, is as good as unknown; nothing that waits will bring it.
    fn absent(&self, set: &WorkingSet, record: RecordId, lost: &'static str, pointer: &str) -> Verdict {
        let unit = self.submission.unit;
        match set.brings(record, unit).filter(|_| set.resolve(record, unit).is_none()) {
            Some(waiting) => Exclusion::waits(waiting, pointer),
            None if self.submission.after_lost => Exclusion::rejected(vec![Finding::new(lost, pointer)]),
            None => Verdict::Missing(record.uuid()),
        }
    }

    fn judge_change(&self, set: &mut WorkingSet, tx: &mut impl Reading, grant: Grant) -> Result<Verdict, StoreError> {
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
    fn leads_to_erased(tx: &mut impl Reading, stored: &StoredRecord) -> Result<bool, StoreError> {
        let Some(person) = stored.subject.map(Owner::Person) else { return Ok(false) };
        seal::learn(tx, [person])?;
        Ok(tx.is_erased(person))
    }

    /// The record as it is before anything of this submission is merged.
    fn untouched(&self, id: RecordId, merging: &Merging<'_>) -> Record {
        let mut record = match merging.before {
            Some(stored) => stored.record.clone(),
            None => Record::new(id, merging.form.code(), self.submission.unit, self.v),
        };
        if self.submission.kind == Kind::Create {
            merge::begin_anew(&mut record, &merging.author);
        }
        record
    }

    fn author(&self, set: &WorkingSet, existing: bool) -> Author {
        let Submission { id, n, .. } = *self.submission;
        let seen = match &self.submission.base {
            Some(base) => seen(base, self.head, set),
            None if self.submission.kind == Kind::Create || !existing => Seen::UpTo(Seq::ZERO),
            None => Seen::Unknown,
        };
        Author { submission: id, device: self.device, n, seen }
    }

    fn merge(
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
    fn check_subject(&self, set: &WorkingSet, merging: &Merging<'_>, view: &View) -> Option<Verdict> {
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

    /// The merged record is validated again. What its author is to blame for refuses the submission; what two authors
    /// broke together becomes a question. Only a rule that the submission touches opens one: what was broken before, such
    /// as by a version of the form that asks for more, is not this author's business.
    ///
    /// Why the order of concurrent submissions does not matter, each valid in its author's own view. (a) None is refused: who
    /// is responsible looks at the same values, and at the same row, as the rule; so the rule would fail in that view. (b)
    /// Questions are asked of what is agreed upon, which follows from the claims, and those do not depend on the order.
    /// Take a rule that is broken at the end. The last of those who changed what it reads found it broken, if its row was there;
    /// otherwise whoever made the row exist did, by changes that were all that it had. Both touch it, so one has asked.
    fn check_rules(
        &self,
        set: &WorkingSet,
        merging: &Merging<'_>,
        merged: &mut Record,
        view: &View,
        warnings: &mut Vec<Finding>,
    ) -> Vec<Finding> {
        // A new record has been checked already, alone.
        let (Some(_), Some(context)) = (merging.before, &self.assessed.context) else { return Vec::new() };
        let shown = check_merged(merging.form, view, context);
        let agreed = merged.is_disputed().then(|| check_agreed(merging.form, merged, context));
        let touched = |rule: &&Broken| merging.reads_changed(rule) || merging.makes_row(rule);
        let failing = agreed.as_ref().unwrap_or(&shown).iter().filter(|rule| rule.level == Level::Error);
        let mut failing: BTreeSet<String> = failing.filter(touched).map(|rule| rule.code.as_str().to_owned()).collect();
        let mut errors = Vec::new();
        for rule in shown.iter().filter(touched) {
            match rule.level {
                Level::Warning => add(warnings, rule.finding.clone()),
                Level::Error if is_own_fault(merged, merging, rule) => add(&mut errors, rule.finding.clone()),
                Level::Error => {}
            }
        }
        failing.extend(still_broken(set, merged, context));
        let asked = questions_of_rules(merged);
        for code in asked.union(&failing) {
            merge::flag_rule(merged, code, self.v, failing.contains(code));
        }
        errors
    }

    fn check_person(
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

    /// What the rules about persons rest on.
    pub fn basis<'s>(&self, set: &'s WorkingSet) -> Basis<'s> {
        let today = muong_domain::time::local_date(self.at);
        Basis { rules: &set.reference.rules, calendar: &set.reference.calendar, today }
    }

    fn admit(
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

    fn judge_delete(&self, set: &WorkingSet, tx: &mut impl Reading, grant: Grant) -> Result<Verdict, StoreError> {
        let unknown = || self.absent(set, self.submission.record, "submission.unknown_record", "/record");
        let Some(stored) = set.resolve(self.submission.record, self.submission.unit) else { return Ok(unknown()) };
        if self.submission.form.as_ref().is_some_and(|form| *form != stored.record.form) {
            return Ok(unknown());
        }
        let newest = set.reference.catalog.newest(&stored.record.form);
        let action = Action::to_report(newest.is_none_or(|form| is_about_person(form)));
        let Ok(grant) = (if action == grant.action() { Ok(grant) } else { self.authorize(action) }) else {
            return Ok(unknown()); // what its author may not see does not exist for them
        };
        let author = self.author(set, true);
        let mut record = stored.record.clone();
        let outcome = merge::delete(&mut record, &author, self.v);
        if let Some(finding) = bounds::too_many_claims(Some(&stored.record), &record) {
            return Ok(Exclusion::rejected(vec![Finding { pointer: "/record".to_owned(), ..finding }]));
        }
        let live = record.is_live();
        let view = person::view_of(set, &record);
        let cards = person::cards_after(set, &record, live.then_some(&view), &self.basis(set))?;
        if !live {
            let mut errors = person::check_withdrawal(set, &stored.record, &self.basis(set))?;
            errors.extend(person::card_taken(set, tx, &cards, "/record")?);
            if !errors.is_empty() {
                return Ok(Exclusion::rejected(errors));
            }
        }
        let conflicts = notes(&record, &[], &BTreeMap::from([(Path::record(), outcome)]), self.v);
        let status = if outcome == PathOutcome::Conflict { Status::Conflict } else { Status::Accepted };
        let stored = StoredRecord { record, live, ..stored.clone() };
        Ok(Verdict::In(Box::new(Admission {
            grant,
            status,
            stored,
            alias: None,
            fields: BTreeMap::new(),
            conflicts,
            warnings: Vec::new(),
            cards,
        })))
    }
}

fn add(findings: &mut Vec<Finding>, finding: Finding) {
    // The form and the history of a person may both have seen the same thing.
    if !findings.iter().any(|known| known.code == finding.code && known.pointer == finding.pointer) {
        findings.push(finding);
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

/// The rules that are in question.
fn questions_of_rules(record: &Record) -> BTreeSet<String> {
    let rule = |path: &Path| path.as_rule().map(str::to_owned);
    record.questions.keys().filter_map(rule).collect()
}

/// Those in question that are broken still, by the newest version of the form: an older one may know nothing of them.
fn still_broken(set: &WorkingSet, record: &Record, context: &Context) -> BTreeSet<String> {
    let asked = questions_of_rules(record);
    let Some(newest) = set.reference.catalog.newest(&record.form).filter(|_| !asked.is_empty()) else { return asked };
    let broken = check_agreed(newest, record, context).into_iter();
    let errors = broken.filter(|rule| rule.level == Level::Error).map(|rule| rule.code.as_str().to_owned());
    errors.filter(|code| asked.contains(code)).collect()
}

/// Who makes a row exist that lacks something answers for that if it is certain that they had seen it so; whoever may not
/// have, meets the work of another.
fn is_own_fault(merged: &Record, merging: &Merging<'_>, rule: &Broken) -> bool {
    (merging.reads_changed(rule) || !merging.author.seen.is_open())
        && merge::is_responsible(merged, &merging.author, merging.changes, rule)
}

fn view(form: &Form, record: &Record) -> View {
    View::from_paths(form, record.shown())
}

/// Up to where a base reaches. One of an earlier epoch counts up to where that ended for us: up to there it is our past as
/// well. What came later in it, or in an epoch that was lost with its store, happened elsewhere.
fn seen(base: &Base, head: &Head, set: &WorkingSet) -> Seen {
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
