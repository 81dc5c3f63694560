//! A step: one dated event about one person. Knows its shape; what it means beside others is in `fold` and `check`.

use crate::id::RecordId;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// What happened. The order of the list is the rank of steps of one day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Somebody who was a member, or a candidate, when the system started.
    OpeningEntry,
    /// Awareness class completed, with its certificate (lớp nhận thức về Đảng).
    AwarenessClassCompleted,
    /// The dossier is complete and verified.
    DossierComplete,
    /// The branch has voted on the admission.
    BranchResolved,
    /// The superior organisation has endorsed it.
    SuperiorEndorsed,
    /// The admission decision is signed.
    AdmissionDecided,
    /// The admission ceremony: probation begins.
    CeremonyHeld,
    /// Theory class for new members completed.
    NewMemberClassCompleted,
    /// Recognised as an official member.
    RecognisedOfficial,
    /// Application or consent withdrawn.
    Withdrawn,
    /// Permanent transfer to another branch.
    TransferredOut,
    /// Permanent transfer from another branch, or from outside of the province.
    TransferredIn,
    /// Temporarily with another branch.
    TemporaryOut,
    /// Temporarily here, from another branch.
    TemporaryIn,
    /// Exempted from work and meetings.
    Exempted,
    /// A disciplinary measure, without its story.
    Disciplined,
    /// Removed from the roll (xóa tên).
    RemovedFromRoll,
    /// Left the party at the own wish.
    Left,
    /// Died.
    Deceased,
    /// Admitted again: a new episode with a probation of its own.
    Readmitted,
}

impl StepKind {
    /// Every kind, in the order of rank.
    pub const ALL: [Self; 20] = [
        Self::OpeningEntry,
        Self::AwarenessClassCompleted,
        Self::DossierComplete,
        Self::BranchResolved,
        Self::SuperiorEndorsed,
        Self::AdmissionDecided,
        Self::CeremonyHeld,
        Self::NewMemberClassCompleted,
        Self::RecognisedOfficial,
        Self::Withdrawn,
        Self::TransferredOut,
        Self::TransferredIn,
        Self::TemporaryOut,
        Self::TemporaryIn,
        Self::Exempted,
        Self::Disciplined,
        Self::RemovedFromRoll,
        Self::Left,
        Self::Deceased,
        Self::Readmitted,
    ];

    /// The place among steps of one day.
    pub const fn rank(self) -> u8 {
        self as u8
    }

    /// The identifier, as the form and the API write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpeningEntry => "opening_entry",
            Self::AwarenessClassCompleted => "awareness_class_completed",
            Self::DossierComplete => "dossier_complete",
            Self::BranchResolved => "branch_resolved",
            Self::SuperiorEndorsed => "superior_endorsed",
            Self::AdmissionDecided => "admission_decided",
            Self::CeremonyHeld => "ceremony_held",
            Self::NewMemberClassCompleted => "new_member_class_completed",
            Self::RecognisedOfficial => "recognised_official",
            Self::Withdrawn => "withdrawn",
            Self::TransferredOut => "transferred_out",
            Self::TransferredIn => "transferred_in",
            Self::TemporaryOut => "temporary_out",
            Self::TemporaryIn => "temporary_in",
            Self::Exempted => "exempted",
            Self::Disciplined => "disciplined",
            Self::RemovedFromRoll => "removed_from_roll",
            Self::Left => "left",
            Self::Deceased => "deceased",
            Self::Readmitted => "readmitted",
        }
    }

    /// A step on the way from application to ceremony.
    pub const fn is_of_admission(self) -> bool {
        let rank = self.rank();
        Self::AwarenessClassCompleted.rank() <= rank && rank <= Self::CeremonyHeld.rank()
    }

    /// A step that happens at most once in an episode. (Ends do so by what they are.)
    pub(super) const fn is_once(self) -> bool {
        self.rank() <= Self::RecognisedOfficial.rank() && !self.is_before_decision()
    }

    /// A step on the way to the decision. As long as nothing is decided the way can be gone again: a certificate expires,
    /// a resolution is not carried or not endorsed.
    pub(super) const fn is_before_decision(self) -> bool {
        Self::AwarenessClassCompleted.rank() <= self.rank() && self.rank() <= Self::SuperiorEndorsed.rank()
    }

    /// A step that only somebody admitted can take, and that does not end the episode.
    pub(super) const fn is_of_members(self) -> bool {
        matches!(self, Self::TemporaryOut | Self::TemporaryIn | Self::Exempted | Self::Disciplined)
    }
}

/// A disciplinary measure. A probationary member can only be reprimanded or warned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discipline {
    /// Khiển trách.
    Reprimand,
    /// Cảnh cáo.
    Warning,
    /// Cách chức.
    DismissalFromPost,
    /// Khai trừ: ends the episode.
    Expulsion,
}

impl Discipline {
    /// The identifier, as the form and the API write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reprimand => "reprimand",
            Self::Warning => "warning",
            Self::DismissalFromPost => "dismissal_from_post",
            Self::Expulsion => "expulsion",
        }
    }
    /// Whether it can only be taken against an official member.
    pub const fn is_for_official_only(self) -> bool {
        matches!(self, Self::DismissalFromPost | Self::Expulsion)
    }
}

/// What an entry says that the person is on its day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// On the way to admission.
    Candidate,
    /// Admitted, in probation.
    Probationary,
    /// Recognised.
    Official,
}

impl Status {
    /// The identifier, as the form and the API write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Probationary => "probationary",
            Self::Official => "official",
        }
    }
}

/// What a step says beside its kind and date; which of it a kind needs is the form's business. The names are those of
/// the form's fields.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StepFacts {
    /// The date of the awareness certificate, when it is not that of the step.
    pub certificate_on: Option<NaiveDate>,
    /// Official members entitled to vote on the resolution.
    pub eligible: Option<u32>,
    /// Votes for it.
    pub yes: Option<u32>,
    /// Whether the reference of an exception to the age limit is given.
    pub exception_reference: bool,
    /// The last day of a temporary transfer or an exemption.
    pub until: Option<NaiveDate>,
    /// The measure.
    pub discipline: Option<Discipline>,
    /// The status of an opening entry, a transfer from outside or a readmission (there probationary, if not said).
    pub status: Option<Status>,
    /// The date of the admission decision, on an entry with a status or a ceremony.
    pub decision_on: Option<NaiveDate>,
    /// The date of the ceremony, on an entry with a status.
    pub ceremony_on: Option<NaiveDate>,
    /// The official date: on an entry as it is, on a recognition as it was derived.
    pub official_on: Option<NaiveDate>,
    /// Whether the reference of the decision is given.
    pub decision_reference: bool,
}

/// One step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Its record.
    pub id: RecordId,
    /// What happened.
    pub kind: StepKind,
    /// The local date on which it happened.
    pub on: NaiveDate,
    /// The rest.
    #[serde(default)]
    pub facts: StepFacts,
}

impl Step {
    /// The order of the fold. It does not know when a step arrived.
    pub fn order(&self) -> (NaiveDate, u8, RecordId) {
        (self.on, self.kind.rank(), self.id)
    }

    /// Whether the episode is over after it.
    pub fn ends_episode(&self) -> bool {
        match self.kind {
            StepKind::Withdrawn | StepKind::RemovedFromRoll | StepKind::Left | StepKind::Deceased => true,
            StepKind::Disciplined => self.facts.discipline == Some(Discipline::Expulsion),
            _ => false,
        }
    }

    /// The status that an entry says, or that a readmission brings.
    pub fn entry_status(&self) -> Option<Status> {
        match self.kind {
            StepKind::OpeningEntry | StepKind::TransferredIn => self.facts.status,
            StepKind::Readmitted => Some(self.facts.status.unwrap_or(Status::Probationary)),
            _ => None,
        }
    }

    /// Every date of something that has happened, with its field.
    pub(super) fn dates(&self) -> impl Iterator<Item = (&'static str, NaiveDate)> {
        let facts = &self.facts;
        [
            ("on", Some(self.on)),
            ("certificate_on", facts.certificate_on),
            ("decision_on", facts.decision_on),
            ("ceremony_on", facts.ceremony_on),
            ("official_on", facts.official_on),
        ]
        .into_iter()
        .filter_map(|(field, date)| Some((field, date?)))
    }
}

/// What the checks know of the person.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PersonFacts {
    /// The birth date.
    pub birth_date: Option<NaiveDate>,
    /// The day of the own application or the recorded consent.
    pub consent_on: Option<NaiveDate>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_those_of_the_json_and_ranks_those_of_the_list() {
        for (rank, kind) in StepKind::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(kind.rank()), rank);
            assert_eq!(serde_json::to_value(kind).expect("json"), kind.as_str());
        }
        for status in [Status::Candidate, Status::Probationary, Status::Official] {
            assert_eq!(serde_json::to_value(status).expect("json"), status.as_str());
        }
        let measures =
            [Discipline::Reprimand, Discipline::Warning, Discipline::DismissalFromPost, Discipline::Expulsion];
        for measure in measures {
            assert_eq!(serde_json::to_value(measure).expect("json"), measure.as_str());
        }
    }
}
