//! What the history of a person has to say to a record about that person.
//! Owns the way from records to the steps of `muong_domain::development`; the rules are there.

use super::working_set::{PERSON, STEP, WorkingSet};
use muong_domain::development::{
    Basis, PersonFacts, Standing, Step, StepFacts, check_card, check_facts, check_step, check_withdrawal_of, fold,
};
use muong_domain::form::View;
use muong_domain::id::RecordId;
use muong_domain::record::Record;
use muong_domain::refusal::{Finding, Level};
use muong_store::{Reading, StoreError};
use serde_json::{Map, Value, json};

/// The facts of a step that are texts in the form and mere presence in the rules.
const PRESENCE: [&str; 2] = ["decision_reference", "exception_reference"];
/// The facts of a step that go by the same name in both.
const FACTS: [&str; 9] =
    ["certificate_on", "eligible", "yes", "until", "discipline", "status", "decision_on", "ceremony_on", "official_on"];

/// The field of a person that holds the party card.
const CARD_FIELD: &str = "party_card";

/// A person, and the digest of the party card that is active afterwards; none when it is let go.
pub type Card = (RecordId, Option<String>);

/// The shown values of a record, by the newest version of its form.
pub fn view_of(set: &WorkingSet, record: &Record) -> View {
    match set.reference.catalog.newest(&record.form) {
        Some(form) => View::from_paths(form, record.shown().map(|(path, value)| (path.clone(), value.clone()))),
        None => View::default(),
    }
}

/// The step that a record says; none while what makes it one is missing, or of a kind that no rule knows.
pub fn step_of(id: RecordId, view: &View) -> Option<Step> {
    let (kind, on) = (view.get("step")?, view.get("on")?);
    let mut facts = Map::new();
    for name in FACTS {
        if let Some(value) = view.get(name).filter(|value| !value.is_null()) {
            facts.insert(name.to_owned(), value.clone());
        }
    }
    for name in PRESENCE {
        facts.insert(name.to_owned(), json!(view.get(name).is_some_and(|value| !value.is_null())));
    }
    let (Ok(kind), Ok(on)) = (serde_json::from_value(kind.clone()), serde_json::from_value(on.clone())) else {
        return None;
    };
    Some(Step { id, kind, on, facts: read_facts(facts) })
}

/// A published version may know codes that the rules do not: such a fact is nothing that a rule could ask for.
fn read_facts(mut facts: Map<String, Value>) -> StepFacts {
    let read = |facts: &Map<String, Value>| serde_json::from_value::<StepFacts>(Value::Object(facts.clone()));
    if let Ok(all) = read(&facts) {
        return all;
    }
    facts.retain(|name, value| read(&Map::from_iter([(name.clone(), value.clone())])).is_ok());
    read(&facts).unwrap_or_default()
}

/// What the rules know of a person.
fn facts_of(view: &View) -> PersonFacts {
    let date = |name: &str| view.text(name).and_then(|text| text.parse().ok());
    PersonFacts { birth_date: date("birth_date"), consent_on: date("consent_on") }
}

fn held_steps(set: &WorkingSet, person: RecordId) -> Result<Vec<Step>, StoreError> {
    let mut held = Vec::new();
    for stored in set.steps_of(person) {
        held.extend(step_of(stored.record.id, &view_of(set, &stored.record)));
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
            let mut findings = moved_away(set, record, person, basis)?;
            if let Some(new) = step_of(record.id, view) {
                let told = check_step(&facts, &held, &new, basis).into_iter();
                findings.extend(told.map(|(level, finding)| (level, by_label(set, finding))));
                findings.extend(check_card_beside(set, person, held, new, basis));
            }
            Ok(findings)
        }
        PERSON => {
            let held = held_steps(set, record.id)?;
            let before = set.record(record.id).filter(|old| old.live).map(|old| view_of(set, &old.record));
            let known = before.map_or_else(Vec::new, |before| check_person(set, &before, &held, basis));
            let mut findings = check_person(set, view, &held, basis);
            // What was so before is not the fault of this change.
            findings.retain(|finding| !known.contains(finding));
            Ok(findings)
        }
        _ => Ok(Vec::new()),
    }
}

/// The rules know fields by name; people, by the label that the form gives them.
fn by_label(set: &WorkingSet, mut finding: Finding) -> Finding {
    let field = finding.args.get("field").and_then(Value::as_str);
    let label = set.reference.catalog.newest(STEP).and_then(|form| Some(form.field(field?)?.label.clone()));
    if let Some(label) = label {
        finding.args.insert("field".to_owned(), label.into());
    }
    finding
}

/// What is held against a person as shown, beside the steps.
fn check_person(set: &WorkingSet, view: &View, held: &[Step], basis: &Basis<'_>) -> Vec<(Level, Finding)> {
    let mut findings = check_facts(&facts_of(view), held, basis);
    findings.extend(card_in(view).and_then(|_| check_card(held, basis)));
    let unit = |field: &str| view.text(field).and_then(|id| id.parse().ok());
    if let (Some(branch), Some(village)) = (unit("fostering_branch"), unit("residence_village"))
        && set.reference.covers(branch, village, basis.today)
    {
        findings.push((Level::Error, Finding::new("person.fostering_is_residence", "/set/fostering_branch")));
    }
    findings
}

/// What a new step means for the card that its person has: told at the step, when it was not so before.
fn check_card_beside(
    set: &WorkingSet,
    person: RecordId,
    held: Vec<Step>,
    new: Step,
    basis: &Basis<'_>,
) -> Option<(Level, Finding)> {
    set.record(person).filter(|stored| stored.live && card_in(&view_of(set, &stored.record)).is_some())?;
    let before = check_card(&held, basis);
    let mut steps = held;
    steps.retain(|step| step.id != new.id);
    steps.push(new);
    let after = check_card(&steps, basis)?;
    let is_known = before.is_some_and(|(level, _)| level == after.0);
    (!is_known).then(|| (after.0, Finding { pointer: "/set/step".to_owned(), ..after.1 }))
}

fn card_in(view: &View) -> Option<&str> {
    view.text(CARD_FIELD)
}

/// A step that is given to another person is withdrawn from the one whose it was.
fn moved_away(
    set: &WorkingSet,
    record: &Record,
    to: RecordId,
    basis: &Basis<'_>,
) -> Result<Vec<(Level, Finding)>, StoreError> {
    let Some(old) = set.record(record.id).filter(|old| old.live && old.subject.is_some_and(|from| from != to)) else {
        return Ok(Vec::new());
    };
    let errors = check_withdrawal(set, &old.record, basis)?;
    Ok(errors.into_iter().map(|finding| (Level::Error, finding)).collect())
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
                (view.text("person").and_then(|id| id.parse().ok()), step_of(record.id, &view))
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

/// The party cards of the people whom a changed record concerns, as they are active once it is changed; none is a card
/// that is let go. `view` is what the record shows then; none when it no longer stands.
pub fn cards_after(
    set: &WorkingSet,
    record: &Record,
    view: Option<&View>,
    basis: &Basis<'_>,
) -> Result<Vec<Card>, StoreError> {
    let mut people: Vec<RecordId> = match record.form.as_str() {
        PERSON => vec![record.id],
        // The one whose step it is, and the one whose it was.
        STEP => view.and_then(person_in).into_iter().chain(set.record(record.id).and_then(|old| old.subject)).collect(),
        _ => Vec::new(),
    };
    people.sort_unstable();
    people.dedup();
    let mut cards = Vec::new();
    for person in people {
        if let Some(card) = card_after(set, person, record, view, basis)? {
            cards.push((person, card));
        }
    }
    Ok(cards)
}

fn person_in(view: &View) -> Option<RecordId> {
    view.text("person").and_then(|id| id.parse().ok())
}

/// None when the person has never had a card.
fn card_after(
    set: &WorkingSet,
    person: RecordId,
    changed: &Record,
    view: Option<&View>,
    basis: &Basis<'_>,
) -> Result<Option<Option<String>>, StoreError> {
    let own = changed.id == person;
    let held = set.record(person);
    let stored = if own { Some(changed) } else { held.map(|held| &held.record) };
    let Some(stored) = stored else { return Ok(None) };
    if !stored.cells.keys().any(|path| path.as_str() == CARD_FIELD) {
        return Ok(None);
    }
    let live = if own { view.is_some() } else { held.is_some_and(|held| held.live) };
    let shown = view_of(set, stored);
    let Some(card) = shown.text(CARD_FIELD).filter(|_| live) else { return Ok(Some(None)) };
    let mut steps = held_steps(set, person)?;
    steps.retain(|step| step.id != changed.id);
    if let Some(view) = view.filter(|view| !own && person_in(view) == Some(person)) {
        steps.extend(step_of(changed.id, view));
    }
    let state = fold(&steps, basis.rules);
    // In transit it is nobody's: the branch that takes the member in enters the card anew.
    let active = (state.standing.is_member() || state.standing == Standing::Candidate) && !state.in_transit();
    Ok(Some(active.then(|| card.to_owned())))
}

/// That one of these cards is somebody else's.
pub fn card_taken(
    set: &WorkingSet,
    tx: &mut impl Reading,
    cards: &[Card],
    pointer: &str,
) -> Result<Option<Finding>, StoreError> {
    for (person, card) in cards {
        if let Some(card) = card
            && set.holder_of_card(tx, card)?.is_some_and(|holder| holder != *person)
        {
            return Ok(Some(Finding::new("person.card_taken", pointer)));
        }
    }
    Ok(None)
}
