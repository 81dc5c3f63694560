//! One submission against what the store holds: how it would end, without writing anything.
//!
//! The order of the questions is the order of what may be told to whom: first whether its author may report there at
//! all, then what is wrong with it alone, then what it builds on, and only then what it meets.

mod change;
mod rules;
mod target;
mod withdrawal;

use super::assess::Assessed;
use super::outcome::{ConflictNote, FieldOutcome, Status};
use super::person;
use super::working_set::WorkingSet;
use muong_domain::access::{Action, Actor, Denied, Grant, authorize};
use muong_domain::development::Basis;
use muong_domain::id::{DeviceId, RecordId, Seq, SubmissionId, UserId};
use muong_domain::record::Path;
use muong_domain::refusal::Finding;
use muong_domain::submission::{Kind, Submission};
use muong_store::records::StoredRecord;
use muong_store::seal::Owner;
use muong_store::{Head, Reading, StoreError};
use std::collections::BTreeMap;
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
    pub head: Head,
    /// The entry that it would become.
    pub v: Seq,
    /// The receipt time.
    pub at: chrono::DateTime<chrono::Utc>,
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

    /// What it builds on: not there yet, or waiting itself.
    pub fn check_predecessor(&self, set: &WorkingSet) -> Option<Verdict> {
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

    /// What the rules about persons rest on.
    pub fn basis<'s>(&self, set: &'s WorkingSet) -> Basis<'s> {
        let today = muong_domain::time::local_date(self.at);
        Basis { rules: &set.reference.rules, calendar: &set.reference.calendar, today }
    }
}

pub(super) fn add(findings: &mut Vec<Finding>, finding: Finding) {
    // The form and the history of a person may both have seen the same thing.
    if !findings.iter().any(|known| known.code == finding.code && known.pointer == finding.pointer) {
        findings.push(finding);
    }
}
