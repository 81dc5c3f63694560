//! What is possible but worth a word: steps that are late, in an unusual order, or without what comes before them.

use super::check::Basis;
use super::code;
use super::contradiction::Violation;
use super::episode::{Claim, Milestone, Span, spans};
use super::fold::Resolution;
use super::step::{Discipline, PersonFacts, Status, Step, StepKind};

/// Pairs whose usual order no rule demands.
const USUAL: [(StepKind, StepKind); 6] = [
    (StepKind::AwarenessClassCompleted, StepKind::DossierComplete),
    (StepKind::DossierComplete, StepKind::BranchResolved),
    (StepKind::BranchResolved, StepKind::SuperiorEndorsed),
    (StepKind::SuperiorEndorsed, StepKind::AdmissionDecided),
    (StepKind::CeremonyHeld, StepKind::NewMemberClassCompleted),
    (StepKind::NewMemberClassCompleted, StepKind::RecognisedOfficial),
];

/// Warnings about pairs of steps.
pub(super) fn pair_warnings<'a>(steps: &[&'a Step], basis: &Basis<'_>) -> Vec<Violation<'a>> {
    let mut found = Vec::new();
    for span in spans(steps.iter().copied()) {
        for (earlier, later) in USUAL {
            let of = |kind| span.steps.iter().copied().filter(move |step: &&Step| step.kind == kind);
            for first in of(earlier) {
                let early = of(later).filter(|second| second.on < first.on);
                found.extend(early.map(|second| {
                    Violation::warning(code::UNUSUAL_ORDER, second, "on").beside(first, "on").in_order()
                }));
            }
        }
        repeated(&span, basis, &mut found);
        withdrawn_as_member(&span, &mut found);
        let claims = span.claims();
        unheld_certificate(&span, &claims, &mut found);
        late(&claims, (Milestone::Resolution, Milestone::Decision), basis, &mut found);
        late(&claims, (Milestone::Decision, Milestone::Ceremony), basis, &mut found);
    }
    found
}

/// The same step again on the way to the decision, or the same transfer with none back between: possible, and often one
/// event told by two people with two dates. A resolution that was not carried is voted on again without a word.
fn repeated<'a>(span: &Span<'a>, basis: &Basis<'_>, found: &mut Vec<Violation<'a>>) {
    let is_transfer = |kind| matches!(kind, StepKind::TransferredOut | StepKind::TransferredIn);
    for (at, &first) in span.steps.iter().enumerate() {
        let mut later = span.steps[at + 1..].iter().copied();
        let again = match first.kind {
            kind if is_transfer(kind) => later.find(|step| is_transfer(step.kind)).filter(|step| step.kind == kind),
            StepKind::BranchResolved if Resolution::of(first, basis.rules) == Some(Resolution::NotCarriedForwarded) => {
                None
            }
            kind if kind.is_before_decision() => later.find(|step| step.kind == kind),
            _ => None,
        };
        found.extend(again.map(|again| Violation::warning(code::REPEATED, again, "on").beside(first, "on")));
    }
}

/// A member leaves, or is removed; what is withdrawn is an application.
fn withdrawn_as_member<'a>(span: &Span<'a>, found: &mut Vec<Violation<'a>>) {
    let Some(end) = span.end.filter(|end| end.kind == StepKind::Withdrawn) else { return };
    let makes_member = |step: &&&Step| match step.kind {
        StepKind::CeremonyHeld | StepKind::RecognisedOfficial => true,
        _ => matches!(step.entry_status(), Some(Status::Probationary | Status::Official)),
    };
    let member = span.steps.iter().rfind(makes_member);
    found.extend(member.map(|step| Violation::warning(code::WITHDRAWN_AS_MEMBER, end, "step").beside(step, "step")));
}

/// A branch resolution names a certificate, and classes are held, but none of that date.
fn unheld_certificate<'a>(span: &Span<'a>, claims: &[Claim<'a>], found: &mut Vec<Violation<'a>>) {
    let held = || {
        let of_class = |claim: &&Claim<'a>| claim.step.kind == StepKind::AwarenessClassCompleted;
        claims.iter().filter(of_class)
    };
    for &step in span.steps.iter().filter(|step| step.kind == StepKind::BranchResolved) {
        let Some(named) = step.facts.certificate_on.filter(|named| held().all(|claim| claim.on != *named)) else {
            continue;
        };
        let nearest = held().min_by_key(|claim| ((claim.on - named).abs(), claim.step.id));
        found.extend(nearest.map(|claim| {
            let differs = Violation::warning(code::DATES_DISAGREE, step, "certificate_on");
            differs.with("field", "certificate_on").beside(claim.step, claim.field)
        }));
    }
}

/// Working days between two milestones, counted from the latest of the earlier one.
fn late<'a>(claims: &[Claim<'a>], pair: (Milestone, Milestone), basis: &Basis<'_>, found: &mut Vec<Violation<'a>>) {
    let is_own_date =
        |claim: &&Claim<'a>| matches!(claim.step.kind, StepKind::AdmissionDecided | StepKind::CeremonyHeld);
    // An entry tells of what is long past and was answered for elsewhere.
    let seconds = claims.iter().filter(|claim| claim.milestone == pair.1 && !claim.is_bound).filter(is_own_date);
    for second in seconds {
        let firsts = claims.iter().filter(|claim| claim.milestone == pair.0 && claim.on <= second.on);
        let (Some(first), Some(set)) = (firsts.max_by_key(|claim| claim.on), basis.rules.at(second.on)) else {
            continue;
        };
        let (code, limit) = match pair.1 {
            Milestone::Decision => (code::DECISION_LATE, set.decision_working_days),
            _ => (code::CEREMONY_LATE, set.ceremony_working_days),
        };
        let days = basis.calendar.working_days_between(first.on, second.on);
        if days > limit {
            let is_known = basis.calendar.is_known_between(first.on, second.on);
            let violation = Violation::warning(code, second.step, second.field).beside(first.step, first.field);
            found.push(violation.with("limit", limit).with("days", days).with("calendar_known", is_known));
        }
    }
}

/// The kinds of earlier steps that are not held, though `new` builds on them.
pub(super) fn missing_before(new: &Step, steps: &[&Step]) -> Vec<StepKind> {
    let spans = spans(steps.iter().copied());
    let Some(at) = spans.iter().position(|span| span.steps.iter().any(|step| step.id == new.id)) else {
        return Vec::new();
    };
    let span = &spans[at];
    match new.kind {
        StepKind::Readmitted if at == 0 || spans[at - 1].end.is_none() => vec![StepKind::Left],
        StepKind::TransferredIn if new.facts.status.is_none() && !is_out(span, new) => vec![StepKind::TransferredOut],
        _ => needed_by(new).iter().copied().filter(|kind| !is_given(span, *kind)).collect(),
    }
}

/// Whether a transfer out waits for this one.
fn is_out(span: &Span<'_>, new: &Step) -> bool {
    let transfers = span.steps.iter().take_while(|step| step.id != new.id);
    let last = transfers.filter(|step| matches!(step.kind, StepKind::TransferredOut | StepKind::TransferredIn)).last();
    last.is_some_and(|step| step.kind == StepKind::TransferredOut)
}

fn needed_by(new: &Step) -> &'static [StepKind] {
    match new.kind {
        StepKind::DossierComplete => &[StepKind::AwarenessClassCompleted],
        StepKind::BranchResolved => &[StepKind::AwarenessClassCompleted, StepKind::DossierComplete],
        StepKind::SuperiorEndorsed => &[StepKind::BranchResolved],
        StepKind::AdmissionDecided => &[StepKind::BranchResolved, StepKind::SuperiorEndorsed],
        StepKind::CeremonyHeld => &[StepKind::AdmissionDecided],
        StepKind::NewMemberClassCompleted => &[StepKind::CeremonyHeld],
        StepKind::RecognisedOfficial => &[StepKind::CeremonyHeld, StepKind::NewMemberClassCompleted],
        StepKind::Disciplined if new.facts.discipline.is_some_and(Discipline::is_for_official_only) => {
            &[StepKind::RecognisedOfficial]
        }
        StepKind::TemporaryOut
        | StepKind::TemporaryIn
        | StepKind::Exempted
        | StepKind::Disciplined
        | StepKind::RemovedFromRoll
        | StepKind::Left => &[StepKind::CeremonyHeld],
        _ => &[],
    }
}

/// Whether a step of the kind is held, or an entry's status stands for it, or another step names it.
fn is_given(span: &Span<'_>, kind: StepKind) -> bool {
    span.steps.iter().any(|step| {
        let stands_for = match step.entry_status() {
            Some(Status::Candidate) => Some(StepKind::DossierComplete),
            Some(Status::Probationary) => Some(StepKind::CeremonyHeld),
            Some(Status::Official) => Some(StepKind::RecognisedOfficial),
            None => None,
        };
        let is_named = match kind {
            StepKind::AwarenessClassCompleted => step.facts.certificate_on.is_some(),
            // A ceremony that names its decision brings it along.
            StepKind::AdmissionDecided => step.kind == StepKind::CeremonyHeld && step.facts.decision_on.is_some(),
            _ => false,
        };
        step.kind == kind || is_named || stands_for.is_some_and(|to| kind.rank() <= to.rank())
    })
}

/// A step of admission about somebody of whom no application and no consent is recorded.
pub(super) fn lacks_consent(person: &PersonFacts, new: &Step) -> bool {
    new.kind.is_of_admission() && person.consent_on.is_none()
}
