//! What names a record, or a person, by a unit that it has left: said to where it is now, if that may be reported there. Whoever
//! said it had not heard yet that it was moved; what they said is not refused for that, and not taken in unasked either.

use super::assess::Assessed;
use super::judge::{Exclusion, Right};
use super::outcome::Status;
use super::working_set::WorkingSet;
use chrono::{DateTime, Utc};
use muong_domain::access::{Action, authorize};
use muong_domain::form::Subject;
use muong_domain::id::{RecordId, UnitId};
use muong_domain::refusal::Finding;
use muong_domain::submission::Submission;
use muong_domain::time::local_date;
use muong_store::names::Name;
use serde_json::Value;

/// The same submission, to another unit.
#[derive(Clone, Debug)]
pub struct Readdressed {
    /// By which name its author knows the record, in the unit that they named.
    pub name: Name,
    /// What it says, with the ids that records have everywhere.
    pub submission: Submission,
    /// What is known of that alone.
    pub assessed: Assessed,
}

impl Readdressed {
    /// Says it to the unit where what it names is now.
    pub fn new(set: &WorkingSet, submission: &Submission, assessed: &Assessed, to: UnitId, at: DateTime<Utc>) -> Self {
        let (from, name) = (submission.unit, (submission.record, submission.unit));
        let mut submission =
            Submission { record: set.canonical(submission.record, from), unit: to, ..submission.clone() };
        let subject = assessed.form.as_ref().map(|form| form.definition().subject.clone());
        if let Some(Subject::Field(field)) = subject
            && let Some(change) = submission.set.get_mut(&field)
        {
            // Another id speaks in the unit in which it was used, and in no other.
            for value in [&mut change.from, &mut change.to] {
                if let Some(id) = value.as_str().and_then(|text| text.parse::<RecordId>().ok()) {
                    *value = Value::from(set.canonical(id, from).to_string());
                }
            }
        }
        let assessed = Assessed::of_submission(&submission, &set.reference, local_date(at));
        Self { name, submission, assessed }
    }

    /// Whether it may be reported there.
    pub fn is_allowed(&self, right: Right<'_>, at: DateTime<Utc>) -> bool {
        may(right, self.assessed.action(), &self.assessed, at)
    }
}

/// Where what a submission names has gone, if its author may know that: whoever may not report what it is in the unit that they
/// name is told nothing of it, as of what never was there.
pub fn gone_to(
    set: &WorkingSet,
    submission: &Submission,
    assessed: &Assessed,
    right: Right<'_>,
    at: DateTime<Utc>,
) -> Option<UnitId> {
    let gone = set.has_gone(submission, assessed)?;
    if let Right::Granted(grant) = right {
        // A replay: the log says where it was taken.
        return Some(gone.record.unit).filter(|unit| *unit == grant.unit());
    }
    let form = set.reference.catalog.newest(&gone.record.form);
    let of_what_it_is = form.map_or(Action::ReportPersons, |form| form.action_to_report());
    let actions = [assessed.action(), of_what_it_is];
    actions.into_iter().all(|action| may(right, action, assessed, at)).then_some(gone.record.unit)
}

fn may(right: Right<'_>, action: Action, assessed: &Assessed, at: DateTime<Utc>) -> bool {
    match right {
        Right::Author(actor) => authorize(actor, action, &assessed.line, at, false).is_ok(),
        Right::Granted(_) => true,
    }
}

/// Why it waits where its author could still report, and is not merged. Where it has gone is not told.
pub fn has_left() -> Exclusion {
    Exclusion { status: Status::Rejected, errors: vec![Finding::new("record.moved", "/unit")], waits_on: None }
}

/// Why a reviewer does not release it: it would go to a unit that they do not review, or may not report for what is their own.
pub fn beyond_review() -> Finding {
    Finding::new("record.moved_beyond_review", "/unit")
}
