//! The state of a person: what the accepted steps amount to. A function of the set of steps, whatever the order in which
//! they arrived, and total: what a reviewer has let pass is folded as well.

use super::episode::{Span, spans};
use super::rules::Rules;
use super::step::{Discipline, Status, Step, StepKind};
use crate::id::RecordId;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// Where a person stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// On the way to admission; also whoever has no step yet, since a person enters by application or consent.
    #[default]
    Candidate,
    /// Admitted, in probation, however long it has lasted: nobody becomes official by time alone.
    Probationary,
    /// Recognised.
    Official,
    /// Application or consent withdrawn.
    Withdrawn,
    /// Removed from the roll.
    RemovedFromRoll,
    /// Left at the own wish.
    Left,
    /// Expelled.
    Expelled,
    /// Died.
    Deceased,
}

impl Standing {
    /// Whether the person is a member now.
    pub const fn is_member(self) -> bool {
        matches!(self, Self::Probationary | Self::Official)
    }
}

/// How the branch voted on an admission. Derived, never sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// `3 × yes ≥ 2 × eligible official members`.
    Carried,
    /// Fewer. It goes to the superior organisation all the same: no dead end.
    NotCarriedForwarded,
}

impl Resolution {
    /// The outcome of a branch resolution; none without votes, or before the rules begin.
    pub fn of(step: &Step, rules: &Rules) -> Option<Self> {
        let (yes, eligible) = (step.facts.yes?, step.facts.eligible.filter(|eligible| *eligible > 0)?);
        let carried = rules.at(step.on)?.carried.is_reached(yes, eligible);
        Some(if carried { Self::Carried } else { Self::NotCarriedForwarded })
    }
}

/// A time away from the branch, here from another one, or exempted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Absence {
    /// `temporary_out`, `temporary_in` or `exempted`.
    pub kind: StepKind,
    /// The first day.
    pub since: NaiveDate,
    /// The last day, when it is known.
    pub until: Option<NaiveDate>,
}

/// One run of candidacy and membership.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Episode {
    /// The date of its first step.
    pub opened_on: NaiveDate,
    /// Where the person stands in it, or how it ended.
    pub standing: Standing,
    /// The day it ended.
    pub ended_on: Option<NaiveDate>,
    /// The newest awareness certificate's date.
    pub certificate_on: Option<NaiveDate>,
    /// The last branch resolution.
    pub resolved_on: Option<NaiveDate>,
    /// Its outcome.
    pub resolution: Option<Resolution>,
    /// The admission decision, from which the party age counts.
    pub decided_on: Option<NaiveDate>,
    /// The ceremony, by which admissions are counted, and from which the probation runs.
    pub ceremony_on: Option<NaiveDate>,
    /// 12 months from the ceremony.
    pub probation_ends_on: Option<NaiveDate>,
    /// The day on which recognition was reported to have happened.
    pub recognised_on: Option<NaiveDate>,
    /// The official date: that of the entry, or the 12-month date even when recognised late.
    pub official_on: Option<NaiveDate>,
    /// Measures, by date.
    pub disciplines: Vec<(NaiveDate, Discipline)>,
    /// Times away, here or exempted, by date.
    pub absences: Vec<Absence>,
    /// Between the two steps of a permanent transfer.
    pub in_transit: bool,
    /// The step that ended it.
    pub ended_by: Option<RecordId>,
}

/// A person as of the steps held.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PersonState {
    /// Where the person stands now.
    pub standing: Standing,
    /// Every episode, the current one last.
    pub episodes: Vec<Episode>,
}

impl PersonState {
    /// The current episode, or the last one.
    pub fn current(&self) -> Option<&Episode> {
        self.episodes.last()
    }
    /// Whether a permanent transfer is under way.
    pub fn in_transit(&self) -> bool {
        self.current().is_some_and(|episode| episode.in_transit)
    }
    /// The day from which the party age counts: the decision, of those who are members.
    pub fn party_age_from(&self) -> Option<NaiveDate> {
        self.current().filter(|episode| episode.standing.is_member())?.decided_on
    }
    /// Whether the person is temporarily out, in or exempted on a day.
    pub fn is_absent(&self, kind: StepKind, day: NaiveDate) -> bool {
        let mut absences = self.current().into_iter().flat_map(|episode| &episode.absences);
        absences.any(|a| a.kind == kind && a.since <= day && a.until.is_none_or(|until| day <= until))
    }
}

/// Folds steps, in the order of (date, rank, id), into a state. Steps after an end are held but change nothing until a
/// readmission: nobody becomes a member again by a slip of the date.
pub fn fold<'a>(steps: impl IntoIterator<Item = &'a Step>, rules: &Rules) -> PersonState {
    let episodes: Vec<Episode> = spans(steps).iter().map(|span| fold_span(span, rules)).collect();
    PersonState { standing: episodes.last().map(|episode| episode.standing).unwrap_or_default(), episodes }
}

fn fold_span(span: &Span<'_>, rules: &Rules) -> Episode {
    let mut episode = Episode { opened_on: span.steps[0].on, ..Episode::default() };
    for step in &span.steps {
        enter(&mut episode, step);
        advance(&mut episode, step, rules);
        live(&mut episode, step);
    }
    let set = episode.ceremony_on.and_then(|on| Some((on, rules.at(on)?)));
    episode.probation_ends_on = set.map(|(on, set)| set.probation_ends_on(on));
    let is_recognised = episode.recognised_on.is_some() || episode.standing == Standing::Official;
    if is_recognised && episode.official_on.is_none() {
        episode.official_on = episode.probation_ends_on.or(episode.recognised_on);
    }
    if let Some(end) = span.end {
        (episode.ended_on, episode.ended_by, episode.in_transit) = (Some(end.on), Some(end.id), false);
        episode.standing = match end.kind {
            StepKind::Withdrawn => Standing::Withdrawn,
            StepKind::RemovedFromRoll => Standing::RemovedFromRoll,
            StepKind::Left => Standing::Left,
            StepKind::Deceased => Standing::Deceased,
            _ => Standing::Expelled,
        };
    }
    episode
}

/// What an entry with a status brings along. The steps themselves, where they are held, know better.
fn enter(episode: &mut Episode, step: &Step) {
    let Some(status) = step.entry_status() else { return };
    let facts = &step.facts;
    let standing = match status {
        Status::Candidate => Standing::Candidate,
        Status::Probationary => Standing::Probationary,
        Status::Official => Standing::Official,
    };
    episode.standing = episode.standing.max(standing);
    episode.decided_on = episode.decided_on.or(facts.decision_on);
    let begins_on = (step.kind == StepKind::Readmitted && status == Status::Probationary).then_some(step.on);
    episode.ceremony_on = episode.ceremony_on.or(facts.ceremony_on).or(begins_on);
    if status == Status::Official {
        episode.official_on = episode.official_on.or(facts.official_on);
    }
}

/// The steps from the certificate to the recognition.
fn advance(episode: &mut Episode, step: &Step, rules: &Rules) {
    match step.kind {
        StepKind::AwarenessClassCompleted => {
            episode.certificate_on = episode.certificate_on.max(Some(step.facts.certificate_on.unwrap_or(step.on)));
        }
        StepKind::BranchResolved => {
            episode.certificate_on = episode.certificate_on.max(step.facts.certificate_on);
            episode.resolved_on = Some(step.on);
            episode.resolution = Resolution::of(step, rules);
        }
        StepKind::AdmissionDecided => episode.decided_on = Some(step.on),
        StepKind::CeremonyHeld => {
            episode.decided_on = episode.decided_on.or(step.facts.decision_on);
            episode.ceremony_on = Some(step.on);
            episode.standing = episode.standing.max(Standing::Probationary);
        }
        StepKind::RecognisedOfficial => {
            episode.recognised_on = Some(step.on);
            episode.standing = episode.standing.max(Standing::Official);
        }
        _ => {}
    }
}

/// What happens to a member beside that.
fn live(episode: &mut Episode, step: &Step) {
    let facts = &step.facts;
    match step.kind {
        StepKind::TransferredOut => episode.in_transit = true,
        StepKind::TransferredIn => episode.in_transit = false,
        StepKind::TemporaryOut | StepKind::TemporaryIn | StepKind::Exempted => {
            episode.absences.push(Absence { kind: step.kind, since: step.on, until: facts.until });
        }
        StepKind::Disciplined => episode.disciplines.extend(facts.discipline.map(|measure| (step.on, measure))),
        _ => {}
    }
}
