//! How a person, a step or a report is written as a submission: the envelope, and the forms of persons and steps.
//! Knows the fields of the forms, not why anything happened.

use super::chance::Chance;
use super::people::Person;
use super::schedule::{Schedule, local};
use chrono::{DateTime, FixedOffset, NaiveDate};
use muong_domain::development::{Step, StepKind};
use muong_domain::id::{RecordId, SubmissionId, UnitId};
use muong_domain::submission::{Change, Changes, Kind, Submission};
use serde_json::Value;

/// The version of the built-in forms that the sample fills in.
const FORM_VERSION: i32 = 1;

/// A new value where there was none.
pub(super) fn to(value: impl Into<Value>) -> Change {
    Change { from: Value::Null, to: value.into() }
}

/// A change of a value that was seen.
pub(super) fn from_to(from: impl Into<Value>, to: impl Into<Value>) -> Change {
    Change { from: from.into(), to: to.into() }
}

/// Fields that are new, leaving out those without a value.
pub(super) fn fields<const N: usize>(fields: [(&str, Value); N]) -> Changes {
    let said = fields.into_iter().filter(|(_, value)| !value.is_null());
    said.map(|(name, value)| (name.to_owned(), to(value))).collect()
}

fn day(day: Option<NaiveDate>) -> Value {
    day.map_or(Value::Null, |day| day.to_string().into())
}

/// An empty submission about a record. Its number is given when it is sent. `which` tells apart what one record is told.
pub(super) fn envelope(
    seed: u64,
    kind: Kind,
    (form, record, unit): (&str, RecordId, UnitId),
    captured_at: DateTime<FixedOffset>,
    which: u64,
) -> Submission {
    let (high, low) = record.uuid().as_u64_pair();
    let id = Chance::of(seed, "submission", &[high, low, which]).id(captured_at.timestamp_millis());
    Submission {
        id: SubmissionId::new(id),
        n: 0,
        kind,
        form: Some(form.to_owned()),
        form_version: Some(FORM_VERSION),
        record,
        unit,
        captured_at: Some(captured_at),
        base: None,
        replaces: Vec::new(),
        after_lost: false,
        author: None,
        on_behalf_of: None,
        set: Changes::new(),
        items: std::collections::BTreeMap::new(),
    }
}

/// When something of that day was written down: in the evening, or in the morning of the opening.
fn captured(on: NaiveDate, schedule: &Schedule) -> DateTime<FixedOffset> {
    if on <= schedule.opening { local(schedule.opening, 7 * 60) } else { local(on, 20 * 60) }
}

/// The entry of a person.
pub(super) fn person(seed: u64, person: &Person, unit: UnitId, schedule: &Schedule) -> Submission {
    let about = ("person", person.record, unit);
    let mut submission = envelope(seed, Kind::Create, about, captured(person.consent_on, schedule), 0);
    let reference = |unit: Option<UnitId>| unit.map_or(Value::Null, |unit| unit.to_string().into());
    submission.set = fields([
        ("full_name", person.name.as_str().into()),
        ("birth_date", person.birth.to_string().into()),
        ("gender", if person.is_woman { "female" } else { "male" }.into()),
        ("residence_village", reference(person.village)),
        ("fostering_branch", reference(person.fostered_by)),
        ("basis", if person.applied { "own_application" } else { "recorded_consent" }.into()),
        ("consent_on", person.consent_on.to_string().into()),
        ("party_card", person.card.clone().into()),
    ]);
    submission
}

/// The report of a step.
pub(super) fn step(seed: u64, person: RecordId, step: &Step, unit: UnitId, schedule: &Schedule) -> Submission {
    let captured_at = captured(step.on, schedule);
    let mut submission = envelope(seed, Kind::Create, ("development_step", step.id, unit), captured_at, 0);
    let facts = &step.facts;
    let written = |text: &str| Value::from(text);
    submission.set = fields([
        ("person", person.to_string().into()),
        ("step", written(step.kind.as_str())),
        ("on", step.on.to_string().into()),
        ("until", day(facts.until)),
        ("status", facts.status.map_or(Value::Null, |status| status.as_str().into())),
        ("decision_on", day(facts.decision_on)),
        ("ceremony_on", day(facts.ceremony_on)),
        ("official_on", day(facts.official_on)),
        ("eligible", facts.eligible.into()),
        ("yes", facts.yes.into()),
        ("discipline", facts.discipline.map_or(Value::Null, |measure| measure.as_str().into())),
    ]);
    submission.set.extend(documents(seed, step));
    submission
}

/// The numbers of the documents that a step rests on.
fn documents(seed: u64, step: &Step) -> Changes {
    let (high, low) = step.id.uuid().as_u64_pair();
    let number = Chance::of(seed, "document", &[high, low]).between(1, 480);
    let numbered = |kind: &str| Value::from(format!("{number}-{kind}"));
    let decided = matches!(
        step.kind,
        StepKind::AdmissionDecided | StepKind::RecognisedOfficial | StepKind::Disciplined | StepKind::RemovedFromRoll
    );
    let decision = match step.kind {
        StepKind::BranchResolved => numbered("NQ/CB"),
        _ if decided => numbered("QĐ/ĐU"),
        _ => Value::Null,
    };
    let (verified, document) = match step.kind {
        StepKind::DossierComplete => (Value::Bool(true), numbered("XM/ĐU")),
        StepKind::AwarenessClassCompleted => (Value::Null, numbered("GCN/TTCT")),
        _ => (Value::Null, Value::Null),
    };
    fields([("decision_reference", decision), ("verified", verified), ("document_reference", document)])
}
