//! Steps in their order, cut into episodes; and what an episode's steps claim about the dates of an admission.

use super::rules::Rules;
use super::step::{Status, Step, StepKind};
use chrono::NaiveDate;

/// The steps from an entry to an end, in order.
pub(super) struct Span<'a> {
    /// Up to and including the end.
    pub steps: Vec<&'a Step>,
    /// The step that ended it.
    pub end: Option<&'a Step>,
    /// Steps after the end, without a readmission between.
    pub after: Vec<&'a Step>,
}

/// Cuts the steps into episodes. Independent of the order in which they are given.
pub(super) fn spans<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Vec<Span<'a>> {
    let mut ordered: Vec<&Step> = steps.into_iter().collect();
    ordered.sort_by_key(|step| step.order());
    let mut spans: Vec<Span<'a>> = Vec::new();
    for step in ordered {
        match spans.last_mut() {
            Some(span) if step.kind != StepKind::Readmitted => {
                if span.end.is_some() {
                    span.after.push(step);
                    continue;
                }
                span.steps.push(step);
                span.end = step.ends_episode().then_some(step);
            }
            _ => {
                spans.push(Span { steps: vec![step], end: step.ends_episode().then_some(step), after: Vec::new() });
            }
        }
    }
    spans
}

/// The dates of an admission that follow one another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Milestone {
    Certificate,
    Resolution,
    Decision,
    Ceremony,
    Recognition,
}

/// That a milestone was on a day, and which field of which step says so.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    pub milestone: Milestone,
    pub on: NaiveDate,
    pub step: &'a Step,
    pub field: &'static str,
    /// Only the latest day that it can begin from: a readmission without a ceremony date, whose ceremony may yet be
    /// reported. It bounds the probation, but is in nobody's way.
    pub is_bound: bool,
}

impl<'a> Span<'a> {
    /// What the steps say of the milestones.
    pub fn claims(&self) -> Vec<Claim<'a>> {
        self.steps.iter().flat_map(|step| claims_of(step)).collect()
    }

    /// The days before which, as a step shows, the person was not yet official.
    pub fn not_official_before(&self, rules: &Rules) -> Vec<(NaiveDate, Claim<'a>)> {
        let mut bounds = Vec::new();
        for claim in self.claims() {
            match claim.milestone {
                Milestone::Ceremony => {
                    let set = rules.at(claim.on);
                    bounds.extend(set.map(|set| (set.probation_ends_on(claim.on), claim)));
                }
                Milestone::Recognition => bounds.push((claim.on, claim)),
                _ => {}
            }
        }
        for &step in &self.steps {
            if step.facts.status.is_some()
                && matches!(step.entry_status(), Some(Status::Candidate | Status::Probationary))
            {
                let claim =
                    Claim { milestone: Milestone::Ceremony, on: step.on, step, field: "status", is_bound: true };
                bounds.push((step.on, claim));
            }
        }
        bounds
    }

    /// The days before which the person cannot be official, as a step shows: whatever is on the way to a ceremony comes
    /// before the whole of the probation.
    pub fn not_official_yet(&self, rules: &Rules) -> Vec<(NaiveDate, Claim<'a>)> {
        let on_the_way = self.claims().into_iter().filter(|claim| claim.milestone < Milestone::Recognition);
        let candidacies = self.steps.iter().copied().filter(|step| step.facts.status == Some(Status::Candidate));
        let candidacies = candidacies.filter(|step| step.entry_status().is_some()).map(|step| Claim {
            milestone: Milestone::Certificate,
            on: step.on,
            step,
            field: "status",
            is_bound: true,
        });
        let ends = |claim: Claim<'a>| Some((rules.at(claim.on)?.probation_ends_on(claim.on), claim));
        on_the_way.chain(candidacies).filter_map(ends).collect()
    }
}

fn claims_of(step: &Step) -> Vec<Claim<'_>> {
    let facts = &step.facts;
    let claim = |milestone, on, field| Claim { milestone, on, step, field, is_bound: false };
    let named = |milestone, on: Option<NaiveDate>, field| on.map(|on| claim(milestone, on, field));
    let certificate = named(Milestone::Certificate, facts.certificate_on, "certificate_on");
    let own = |milestone| Some(claim(milestone, step.on, "on"));
    let decision = named(Milestone::Decision, facts.decision_on, "decision_on");
    let ceremony = named(Milestone::Ceremony, facts.ceremony_on, "ceremony_on");
    let claims = match step.kind {
        StepKind::AwarenessClassCompleted => [certificate.or(own(Milestone::Certificate)), None],
        StepKind::BranchResolved => [certificate, own(Milestone::Resolution)],
        StepKind::AdmissionDecided => [own(Milestone::Decision), None],
        StepKind::CeremonyHeld => [decision, own(Milestone::Ceremony)],
        StepKind::RecognisedOfficial => [own(Milestone::Recognition), None],
        StepKind::OpeningEntry | StepKind::TransferredIn => [decision, ceremony],
        StepKind::Readmitted if step.entry_status() == Some(Status::Probationary) => {
            let bound = Claim { is_bound: true, ..claim(Milestone::Ceremony, step.on, "on") };
            [decision, ceremony.or(Some(bound))]
        }
        StepKind::Readmitted => [decision, ceremony],
        _ => [None, None],
    };
    claims.into_iter().flatten().collect()
}
