//! What the history of a person has to say to a record about that person.
//! Owns the way from records to the steps of `muong_domain::development`; the rules are there.

use super::working_set::{PERSON, STEP, WorkingSet};
use muong_domain::development::{
    Basis, PersonFacts, Standing, Step, StepFacts, check_facts, check_step, check_withdrawal_of, fold,
};
use muong_domain::form::View;
use muong_domain::id::RecordId;
use muong_domain::record::Record;
use muong_domain::refusal::{Finding, Level};
use muong_store::StoreError;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// The facts of a step that are texts in the form and mere presence in the rules.
const PRESENCE: [&str; 2] = ["decision_reference", "exception_reference"];
/// The facts of a step that go by the same name in both.
const FACTS: [&str; 9] =
    ["certificate_on", "eligible", "yes", "until", "discipline", "status", "decision_on", "ceremony_on", "official_on"];

/// The shown values of a record, by the newest version of its form.
pub fn view_of(set: &WorkingSet, record: &Record) -> View {
    match set.reference.catalog.newest(&record.form) {
        Some(form) => View::from_paths(form, record.shown().map(|(path, value)| (path.clone(), value.clone()))),
        None => View::default(),
    }
}

/// The step that a record says; none while what makes it one is missing.
pub fn step_of(id: RecordId, view: &View) -> Result<Option<Step>, StoreError> {
    let (Some(kind), Some(on)) = (view.get("step"), view.get("on")) else { return Ok(None) };
    let mut facts = Map::new();
    for name in FACTS {
        if let Some(value) = view.get(name).filter(|value| !value.is_null()) {
            facts.insert(name.to_owned(), value.clone());
        }
    }
    for name in PRESENCE {
        facts.insert(name.to_owned(), json!(view.get(name).is_some_and(|value| !value.is_null())));
    }
    if let Some(card) = view.get("party_card").filter(|card| !card.is_null()) {
        facts.insert("card".to_owned(), card.clone());
    }
    let read = |value: Value| -> Result<StepFacts, serde_json::Error> { serde_json::from_value(value) };
    let facts = read(Value::Object(facts)).map_err(|error| StoreError::corrupt("a step's facts", error))?;
    let kind = serde_json::from_value(kind.clone()).map_err(|error| StoreError::corrupt("a step's kind", error))?;
    let on = serde_json::from_value(on.clone()).map_err(|error| StoreError::corrupt("a step's date", error))?;
    Ok(Some(Step { id, kind, on, facts }))
}

/// What the rules know of a person.
fn facts_of(view: &View) -> PersonFacts {
    let date = |name: &str| view.text(name).and_then(|text| text.parse().ok());
    PersonFacts { birth_date: date("birth_date"), consent_on: date("consent_on") }
}

fn held_steps(set: &WorkingSet, person: RecordId) -> Result<Vec<Step>, StoreError> {
    let mut held = Vec::new();
    for stored in set.steps_of(person) {
        held.extend(step_of(stored.record.id, &view_of(set, &stored.record))?);
    }
    Ok(held)
}

/// What is held against a record about a person as it would stand after a change: nothing for other records.
pub fn check(
    set: &WorkingSet,
    record: &Record,
    view: &View,
    basis: &Basis<'_>,
) -> Result<Vec<(Level, Finding)>, StoreError> {
    match record.form.as_str() {
        STEP => {
            let Some(person) = view.text("person").and_then(|id| id.parse().ok()) else { return Ok(Vec::new()) };
            let facts = set.record(person).map(|p| facts_of(&view_of(set, &p.record))).unwrap_or_default();
            let held = held_steps(set, person)?;
            Ok(step_of(record.id, view)?.map_or_else(Vec::new, |new| check_step(&facts, &held, &new, basis)))
        }
        PERSON => {
            let held = held_steps(set, record.id)?;
            let mut findings = check_facts(&facts_of(view), &held, basis);
            findings.extend(check_card(view, &held, basis).map(|finding| (Level::Error, finding)));
            Ok(findings)
        }
        _ => Ok(Vec::new()),
    }
}

/// A party card is an official member's. Who has no steps yet may still be one: the entry comes after the person.
fn check_card(view: &View, held: &[Step], basis: &Basis<'_>) -> Option<Finding> {
    view.get("party_card").filter(|card| !card.is_null())?;
    let standing = fold(held, basis.rules).standing;
    let not_official = !held.is_empty() && is_before_recognition(standing);
    not_official.then(|| Finding::new("step.card_of_probationary", "/set/party_card/to"))
}

fn is_before_recognition(standing: Standing) -> bool {
    matches!(standing, Standing::Candidate | Standing::Probationary)
}

/// What the withdrawal of a record about a person is told.
pub fn check_withdrawal(set: &WorkingSet, record: &Record, basis: &Basis<'_>) -> Result<Vec<Finding>, StoreError> {
    let errors = |found: Vec<(Level, Finding)>| {
        found.into_iter().filter(|(level, _)| *level == Level::Error).map(|(_, finding)| finding).collect()
    };
    let view = view_of(set, record);
    match record.form.as_str() {
        STEP => {
            let (Some(person), Some(step)) =
                (view.text("person").and_then(|id| id.parse().ok()), step_of(record.id, &view)?)
            else {
                return Ok(Vec::new());
            };
            let facts = set.record(person).map(|p| facts_of(&view_of(set, &p.record))).unwrap_or_default();
            Ok(errors(check_withdrawal_of(&step, &facts, &held_steps(set, person)?, basis)))
        }
        PERSON if set.steps_of(record.id).next().is_some() => {
            Ok(vec![Finding::new("person.has_steps", "/record").with("steps", set.steps_of(record.id).count())])
        }
        _ => Ok(Vec::new()),
    }
}

/// The digest of a person's active card: unique among all people. None when there is none, or it is not active.
pub fn card_digest(
    set: &WorkingSet,
    record: &Record,
    view: &View,
    basis: &Basis<'_>,
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(card) = view.text("party_card").filter(|_| record.form == PERSON) else { return Ok(None) };
    let held = held_steps(set, record.id)?;
    let standing = fold(&held, basis.rules).standing;
    let active = standing.is_member() || is_before_recognition(standing);
    Ok(active.then(|| Sha256::digest(format!("party_card\0{card}")).to_vec()))
}
