//! What cannot be true of a set of steps about one person. It speaks of the set alone, not of which step came last, so
//! a contradiction is the same one whichever of its two steps arrives first.
//!
//! Only what is there contradicts, never what is missing: inside one episode, every part of a set without
//! contradictions is without contradictions, so its steps can arrive in any order.

use super::check::Basis;
use super::code;
use super::episode::{Claim, Milestone, Span, spans};
use super::step::{PersonFacts, Status, Step, StepKind};
use crate::refusal::Level;
use crate::time::{add_months, age_completed};
use chrono::NaiveDate;
use serde_json::Value;

/// One field of one step.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub step: &'a Step,
    pub field: &'static str,
}

/// A contradiction inside of a step, or between two; or a warning of the same shape.
#[derive(Clone)]
pub(super) struct Violation<'a> {
    pub level: Level,
    pub code: &'static str,
    /// The step that says what cannot be.
    pub at: Place<'a>,
    /// The step that it cannot be beside.
    pub other: Option<Place<'a>>,
    pub args: Vec<(&'static str, Value)>,
    /// Whether the two are in the wrong order, `at` before `other`.
    pub is_order: bool,
    /// Whether the birth date takes part in it.
    pub is_of_birth: bool,
}

impl<'a> Violation<'a> {
    pub fn error(code: &'static str, step: &'a Step, field: &'static str) -> Self {
        let at = Place { step, field };
        Self { level: Level::Error, code, at, other: None, args: vec![], is_order: false, is_of_birth: false }
    }
    pub fn warning(code: &'static str, step: &'a Step, field: &'static str) -> Self {
        Self { level: Level::Warning, ..Self::error(code, step, field) }
    }
    pub fn beside(mut self, step: &'a Step, field: &'static str) -> Self {
        self.other = Some(Place { step, field });
        self
    }
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.args.push((name, value.into()));
        self
    }
    pub fn in_order(mut self) -> Self {
        self.is_order = true;
        self
    }
    fn of_birth(mut self) -> Self {
        self.is_of_birth = true;
        self
    }
    /// Whether it is the same one, of two sets of steps.
    pub fn is_same(&self, other: &Violation<'_>) -> bool {
        let key =
            |v: &Violation<'_>| (v.code, v.at.step.id, v.at.field, v.other.map(|place| (place.step.id, place.field)));
        key(self) == key(other)
    }
}

/// Every contradiction among the steps, and with the person's birth date.
pub(super) fn contradictions<'a>(person: &PersonFacts, steps: &[&'a Step], basis: &Basis<'_>) -> Vec<Violation<'a>> {
    let mut found = Vec::new();
    for &step in steps {
        alone(step, basis, &mut found);
        entry(step, &mut found);
        if let Some(birth) = person.birth_date {
            with_birth(birth, step, basis, &mut found);
        }
    }
    let spans = spans(steps.iter().copied());
    after_end(&spans, &mut found);
    for span in &spans {
        let claims = span.claims();
        order(&claims, basis, &mut found);
        certificates(&claims, basis, &mut found);
        repetition(span, &mut found);
        official_dates(span, &claims, basis, &mut found);
        membership(span, &claims, basis, &mut found);
        statuses(span, &claims, basis, &mut found);
    }
    found
}

/// What a step cannot say, whatever else is held.
fn alone<'a>(step: &'a Step, basis: &Basis<'_>, found: &mut Vec<Violation<'a>>) {
    for (field, _) in step.dates().filter(|(_, date)| *date > basis.today) {
        let violation = Violation::error(code::IN_FUTURE, step, field).with("field", field);
        found.push(violation.with("today", basis.today.to_string()));
    }
    let facts = &step.facts;
    if facts.until.is_some_and(|until| until < step.on) {
        found.push(Violation::error(code::UNTIL_BEFORE_START, step, "until"));
    }
    if let (Some(yes), Some(eligible)) = (facts.yes, facts.eligible)
        && yes > eligible
    {
        found.push(Violation::error(code::VOTES_EXCEED, step, "yes").with("eligible", eligible));
    }
}

/// What an entry owes: its status, and the dates from which probation and party age are reckoned.
fn entry<'a>(step: &'a Step, found: &mut Vec<Violation<'a>>) {
    if step.kind == StepKind::OpeningEntry && step.facts.status.is_none() {
        found.push(Violation::error(code::OPENING_STATUS_MISSING, step, "status"));
    }
    let status = match step.entry_status() {
        Some(status @ (Status::Probationary | Status::Official)) if step.kind != StepKind::Readmitted => status,
        _ => return,
    };
    let dates = [("decision_on", step.facts.decision_on), ("ceremony_on", step.facts.ceremony_on)];
    for (field, _) in dates.into_iter().filter(|(_, date)| date.is_none()) {
        let violation = match status {
            Status::Probationary => Violation::error(code::OPENING_DATE_MISSING, step, field),
            _ => Violation::warning(code::OPENING_DATE_MISSING, step, field),
        };
        found.push(violation.with("field", field).with("status", status.as_str()));
    }
}

fn with_birth<'a>(birth: NaiveDate, step: &'a Step, basis: &Basis<'_>, found: &mut Vec<Violation<'a>>) {
    for (field, date) in step.dates() {
        if date < birth {
            found.push(Violation::error(code::BEFORE_BIRTH, step, field).with("field", field).of_birth());
            continue;
        }
        // Of age when the branch resolves; so at whatever follows it, too.
        let is_act = match field {
            "on" => step.kind.is_of_admission() && step.kind.rank() >= StepKind::BranchResolved.rank(),
            "decision_on" | "ceremony_on" => !step.kind.is_of_admission() || step.kind == StepKind::CeremonyHeld,
            _ => false,
        };
        let Some(set) = basis.rules.at(date).filter(|_| is_act) else { continue };
        if !age_completed(birth, date, set.min_age_years) {
            found.push(Violation::error(code::UNDER_AGE, step, field).with("min_age", set.min_age_years).of_birth());
        }
        let is_late = step.kind == StepKind::BranchResolved && !set.is_within_max_age(birth, date);
        if is_late && !step.facts.exception_reference {
            found.push(Violation::error(code::OVER_AGE, step, field).with("max_age", set.max_age_years).of_birth());
        }
    }
}

/// After the end of an episode there is nothing but a readmission; after death not even that.
fn after_end<'a>(spans: &[Span<'a>], found: &mut Vec<Violation<'a>>) {
    for (at, span) in spans.iter().enumerate() {
        let Some(end) = span.end else { continue };
        let is_death = end.kind == StepKind::Deceased;
        let later =
            spans[at + 1..].iter().filter(|_| is_death).flat_map(|later| later.steps.iter().chain(&later.after));
        for &step in span.after.iter().chain(later) {
            let is_again = step.kind == end.kind && step.ends_episode();
            let code = if is_again { code::ALREADY_HELD } else { code::AFTER_END };
            found.push(Violation::error(code, step, "on").beside(end, "on"));
        }
    }
}

/// Certificate and branch resolution ≤ decision ≤ ceremony < recognition, and the probation.
fn order<'a>(claims: &[Claim<'a>], basis: &Basis<'_>, found: &mut Vec<Violation<'a>>) {
    for (at, one) in claims.iter().enumerate() {
        for two in &claims[at + 1..] {
            let (first, second) = if one.milestone <= two.milestone { (one, two) } else { (two, one) };
            let violation = |code| Violation::error(code, second.step, second.field).beside(first.step, first.field);
            if first.milestone == Milestone::Certificate && second.milestone <= Milestone::Resolution {
                // Classes may be taken again: which certificate counts is asked in `certificates`.
            } else if first.milestone == second.milestone {
                disagreement(first, second, found);
            } else if first.milestone == Milestone::Ceremony {
                probation(first, second, basis, found);
            } else if first.on > second.on && !second.is_bound {
                found.push(violation(code::OUT_OF_ORDER).in_order());
            }
        }
    }
}

/// A branch resolution rests on the newest certificate of its day, which must not be too old. A later class does no harm:
/// it is for the next resolution.
fn certificates<'a>(claims: &[Claim<'a>], basis: &Basis<'_>, found: &mut Vec<Violation<'a>>) {
    let of = |milestone| claims.iter().filter(move |claim| claim.milestone == milestone);
    for resolution in of(Milestone::Resolution) {
        let violation = |code, certificate: &Claim<'a>| {
            Violation::error(code, resolution.step, resolution.field).beside(certificate.step, certificate.field)
        };
        let by_day = |claim: &&Claim<'a>| (claim.on, claim.step.id);
        let newest = of(Milestone::Certificate).filter(|claim| claim.on <= resolution.on).max_by_key(by_day);
        match (newest, of(Milestone::Certificate).min_by_key(by_day)) {
            (None, None) => {}
            (None, Some(later)) => found.push(violation(code::OUT_OF_ORDER, later).in_order()),
            (Some(newest), _) => {
                let set = basis.rules.at(resolution.on);
                let expired = set.filter(|set| add_months(newest.on, set.certificate_years * 12) < resolution.on);
                found.extend(
                    expired.map(|set| {
                        violation(code::CERTIFICATE_TOO_OLD, newest).with("max_years", set.certificate_years)
                    }),
                );
            }
        }
    }
}

fn probation<'a>(ceremony: &Claim<'a>, recognition: &Claim<'a>, basis: &Basis<'_>, found: &mut Vec<Violation<'a>>) {
    let violation =
        |code| Violation::error(code, recognition.step, recognition.field).beside(ceremony.step, ceremony.field);
    if recognition.on <= ceremony.on {
        found.push(violation(code::OUT_OF_ORDER).in_order());
    } else if let Some(set) = basis.rules.at(ceremony.on)
        && recognition.on < set.probation_ends_on(ceremony.on)
    {
        let earliest = set.probation_ends_on(ceremony.on).to_string();
        found
            .push(violation(code::PROBATION_TOO_SHORT).with("months", set.probation_months).with("earliest", earliest));
    }
}

/// Two steps that name one milestone on different days. Two steps of one kind are a repetition instead.
fn disagreement<'a>(one: &Claim<'a>, two: &Claim<'a>, found: &mut Vec<Violation<'a>>) {
    if one.on == two.on || one.is_bound || two.is_bound || (one.step.kind == two.step.kind && one.field == two.field) {
        return;
    }
    let (says, held) = if one.field == "on" { (two, one) } else { (one, two) };
    found.push(
        Violation::error(code::DATES_DISAGREE, says.step, says.field)
            .beside(held.step, held.field)
            .with("field", says.field),
    );
}

/// Steps that happen once.
fn repetition<'a>(span: &Span<'a>, found: &mut Vec<Violation<'a>>) {
    for (at, &first) in span.steps.iter().enumerate().filter(|(_, step)| step.kind.is_once()) {
        for &second in span.steps[at + 1..].iter().filter(|step| step.kind == first.kind) {
            found.push(Violation::error(code::ALREADY_HELD, second, "on").beside(first, "on"));
        }
    }
}

/// The official date, where it is sent: 12 months from the ceremony; and recognition is not before it.
fn official_dates<'a>(span: &Span<'a>, claims: &[Claim<'a>], basis: &Basis<'_>, found: &mut Vec<Violation<'a>>) {
    for &step in &span.steps {
        let Some(official) = step.facts.official_on else { continue };
        let is_recognition = step.kind == StepKind::RecognisedOfficial;
        if !is_recognition && step.entry_status().is_none() {
            continue;
        }
        let violation = |code| Violation::error(code, step, "official_on");
        for claim in claims.iter().filter(|claim| !claim.is_bound) {
            let ends = basis.rules.at(claim.on).map(|set| (set.probation_months, set.probation_ends_on(claim.on)));
            match (claim.milestone, ends) {
                (Milestone::Ceremony, Some((months, ends))) if is_recognition && official != ends => {
                    let differs = violation(code::OFFICIAL_DATE_DIFFERS).with("months", months);
                    let differs = differs.with("expected", ends.to_string());
                    found.push(differs.beside(claim.step, claim.field));
                }
                (Milestone::Ceremony, Some((months, ends))) if !is_recognition && official < ends => {
                    let short = violation(code::PROBATION_TOO_SHORT).with("months", months);
                    found.push(short.with("earliest", ends.to_string()).beside(claim.step, claim.field));
                }
                (Milestone::Recognition, _) if !is_recognition && official > claim.on => {
                    let differs = violation(code::DATES_DISAGREE).with("field", "official_on");
                    found.push(differs.beside(claim.step, claim.field));
                }
                _ => {}
            }
        }
    }
}

/// What only members, or only official members, can do.
fn membership<'a>(span: &Span<'a>, claims: &[Claim<'a>], basis: &Basis<'_>, found: &mut Vec<Violation<'a>>) {
    let ceremonies = || claims.iter().filter(|claim| claim.milestone == Milestone::Ceremony && !claim.is_bound);
    let bounds = span.not_official_before(basis.rules);
    for &step in &span.steps {
        if step.kind.is_of_members()
            && let Some(ceremony) = ceremonies().find(|ceremony| step.on < ceremony.on)
        {
            found.push(Violation::error(code::NOT_A_MEMBER, step, "on").beside(ceremony.step, ceremony.field));
        }
        let shown = bounds.iter().filter(|(until, claim)| step.on < *until && claim.step.id != step.id);
        let measure = step.facts.discipline.filter(|m| step.kind == StepKind::Disciplined && m.is_for_official_only());
        for (_, claim) in shown {
            if let Some(measure) = measure {
                let violation = Violation::error(code::PROBATIONARY_DISCIPLINE, step, "discipline");
                found.push(violation.with("discipline", measure.as_str()).beside(claim.step, claim.field));
            }
        }
    }
}

/// The status of an entry, beside the steps that show another one for that day; its own dates among them.
fn statuses<'a>(span: &Span<'a>, claims: &[Claim<'a>], basis: &Basis<'_>, found: &mut Vec<Violation<'a>>) {
    let bounds = span.not_official_before(basis.rules);
    for &step in &span.steps {
        let Some(status) = step.entry_status().filter(|_| step.facts.status.is_some()) else { continue };
        let mut contradict = |claim: &Claim<'a>| {
            let violation = Violation::error(code::STATUS_CONTRADICTED, step, "status").with("status", status.as_str());
            found.push(violation.beside(claim.step, claim.field));
        };
        if status == Status::Official {
            let shown = bounds.iter().filter(|(until, _)| step.on < *until);
            shown.for_each(|(_, claim)| contradict(claim));
            continue;
        }
        for claim in claims.iter().filter(|claim| !claim.is_bound) {
            let is_past = claim.on <= step.on;
            let is_contradicted = match (status, claim.milestone) {
                (_, Milestone::Recognition) => is_past,
                (Status::Candidate, Milestone::Ceremony) => is_past,
                (Status::Probationary, Milestone::Ceremony) => !is_past,
                _ => false,
            };
            if is_contradicted {
                contradict(claim);
            }
        }
    }
}
