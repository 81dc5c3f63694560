//! What a new, changed or withdrawn step is told, beside the steps that are held. Errors are contradictions that were
//! not there without it; a missing earlier step is only a warning, since it may still be on somebody's phone.

use super::code;
use super::contradiction::{Place, Violation, contradictions};
use super::episode::{Claim, spans};
use super::fold::{Standing, fold};
use super::lateness::{lacks_consent, missing_before, pair_warnings};
use super::rules::Rules;
use super::step::{PersonFacts, Step};
use crate::refusal::{Finding, Level};
use crate::time::Calendar;
use chrono::NaiveDate;

/// What the checks rest on beside the steps.
#[derive(Clone, Copy, Debug)]
pub struct Basis<'a> {
    /// The thresholds, by the date of the step.
    pub rules: &'a Rules,
    /// The working days.
    pub calendar: &'a Calendar,
    /// The local date of the receipt, the only "now" of the rules.
    pub today: NaiveDate,
}

/// What `new` is told, beside the steps of the same person that are held. A held step with its id is the one that it
/// changes, and is left out.
pub fn check_step(person: &PersonFacts, held: &[Step], new: &Step, basis: &Basis<'_>) -> Vec<(Level, Finding)> {
    let rest: Vec<&Step> = held.iter().filter(|step| step.id != new.id).collect();
    let mut all = rest.clone();
    all.push(new);
    let before = contradictions(person, &rest, basis);
    let mut found: Vec<Violation<'_>> = contradictions(person, &all, basis);
    found.retain(|violation| !before.iter().any(|known| known.is_same(violation)));
    let is_about_new = |v: &Violation<'_>| v.at.step.id == new.id || v.other.is_some_and(|at| at.step.id == new.id);
    found.extend(pair_warnings(&all, basis).into_iter().filter(is_about_new));
    let mut findings: Vec<(Level, Finding)> = found.iter().map(|violation| finding(violation, new)).collect();
    for missing in missing_before(new, &all) {
        let warning = Finding::new(code::MISSING_EARLIER, pointer("step")).with("missing", missing.as_str());
        findings.push((Level::Warning, warning));
    }
    if lacks_consent(person, new) {
        findings.push((Level::Warning, Finding::new(code::CONSENT_MISSING, pointer("step"))));
    }
    findings
}

/// What an edit of the person's facts is told: the steps that its birth date contradicts.
pub fn check_facts(person: &PersonFacts, held: &[Step], basis: &Basis<'_>) -> Vec<(Level, Finding)> {
    let steps: Vec<&Step> = held.iter().collect();
    let of_birth = contradictions(person, &steps, basis).into_iter().filter(|violation| violation.is_of_birth);
    of_birth.map(|violation| (violation.level, quote(&violation, Some(violation.at), pointer("birth_date")))).collect()
}

/// What the withdrawal of the step `withdrawn` is told: steps that would contradict the rest without it, such as those
/// after a readmission.
pub fn check_withdrawal_of(
    withdrawn: &Step,
    person: &PersonFacts,
    held: &[Step],
    basis: &Basis<'_>,
) -> Vec<(Level, Finding)> {
    let all: Vec<&Step> = held.iter().collect();
    let rest: Vec<&Step> = held.iter().filter(|step| step.id != withdrawn.id).collect();
    let before = contradictions(person, &all, basis);
    let new = contradictions(person, &rest, basis).into_iter().filter(|v| v.level == Level::Error);
    let new = new.filter(|violation| !before.iter().any(|known| known.is_same(violation)));
    new.map(|violation| {
        let finding = Finding::new(code::STILL_NEEDED, "");
        (Level::Error, name_step(finding, violation.at.step))
    })
    .collect()
}

/// As the rules of forms point: at the field, not into its change.
fn pointer(field: &str) -> String {
    format!("/set/{field}")
}

/// A violation, told to the one who sent `new`: the pointer is into that submission, the step named is the other one.
fn finding(violation: &Violation<'_>, new: &Step) -> (Level, Finding) {
    let is_other = violation.other.is_some_and(|other| other.step.id == new.id) && violation.at.step.id != new.id;
    let (mine, theirs) =
        if is_other { (violation.other, Some(violation.at)) } else { (Some(violation.at), violation.other) };
    // Neither of the two is the new step when it moved the bounds of their episode.
    let field = mine.filter(|place| place.step.id == new.id).map_or("on", |place| place.field);
    let mut finding = quote(violation, theirs, pointer(field));
    if violation.is_order {
        finding = finding.with("relation", if is_other { "after" } else { "before" });
    }
    (violation.level, finding)
}

fn quote(violation: &Violation<'_>, step: Option<Place<'_>>, pointer: String) -> Finding {
    let mut finding = Finding::new(violation.code, pointer);
    for (name, value) in &violation.args {
        finding = finding.with(name, value.clone());
    }
    match step {
        Some(place) => name_step(finding, place.step),
        None => finding,
    }
}

fn name_step(finding: Finding, step: &Step) -> Finding {
    finding.with("step", step.kind.as_str()).with("on", step.on.to_string()).with("record", step.id.to_string())
}

/// What a party card is told beside the steps of its holder: it is an official member's. An error where the steps show that
/// the holder cannot be official yet; where only nobody has reported the recognition, a warning: it may still be on
/// somebody's phone. So a card and a step say the same in whichever order they arrive.
pub fn check_card(held: &[Step], basis: &Basis<'_>) -> Option<(Level, Finding)> {
    let spans = spans(held);
    let span = spans.last().filter(|span| span.end.is_none())?;
    let finding = Finding::new(code::CARD_OF_PROBATIONARY, pointer("party_card"));
    let shows = |(earliest, claim): &(NaiveDate, Claim<'_>)| (*earliest, claim.step.id);
    let bounds = span.not_official_yet(basis.rules).into_iter().filter(|(earliest, _)| *earliest > basis.today);
    if let Some((_, claim)) = bounds.max_by_key(shows) {
        return Some((Level::Error, name_step(finding, claim.step)));
    }
    let is_official = fold(held, basis.rules).standing == Standing::Official;
    let last = span.steps.last().filter(|_| !is_official)?;
    Some((Level::Warning, name_step(finding, last)))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
