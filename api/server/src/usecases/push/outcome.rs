//! How a submission was answered: the result that is stored with it, and given again whenever it comes again.
//! Holds codes, not texts; `http/push.rs` adds the texts in both languages.

use muong_domain::id::{ConflictId, QuarantineId, RecordId, Seq, SubmissionId};
use muong_domain::merge::PathOutcome;
use muong_domain::record::Path;
use muong_domain::refusal::Finding;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The statuses that are recorded. `duplicate` and `deferred` are answers, never stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A new record, or a withdrawal.
    Accepted,
    /// A change of a record that was there.
    Merged,
    /// Merged as far as possible; at least one path waits for a reviewer.
    Conflict,
    /// Broke a rule; waits in quarantine.
    Rejected,
    /// Outside what its author may report; waits in quarantine.
    Forbidden,
}

impl Status {
    /// The written form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Merged => "merged",
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
            Self::Forbidden => "forbidden",
        }
    }
    /// Whether the submission has become part of a record.
    pub fn is_in(self) -> bool {
        matches!(self, Self::Accepted | Self::Merged | Self::Conflict)
    }
}

/// What became of one path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldOutcome {
    /// The value stands.
    Applied,
    /// It stood already.
    Already,
    /// A candidate beside others.
    Conflict,
}

impl From<PathOutcome> for FieldOutcome {
    fn from(outcome: PathOutcome) -> Self {
        match outcome {
            PathOutcome::Applied => Self::Applied,
            PathOutcome::Already => Self::Already,
            PathOutcome::Conflict => Self::Conflict,
        }
    }
}

/// One conflict that a submission met, as its author is told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ConflictNote {
    /// The question's id.
    pub id: ConflictId,
    /// Why.
    pub code: String,
    /// Where.
    pub path: Path,
    /// The names that differ.
    pub fields: Vec<String>,
    /// What the author had changed.
    pub base: Value,
    /// What the author said.
    pub yours: Value,
    /// What is shown.
    pub current: Value,
}

/// The recorded answer to one submission.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// The submission.
    pub id: SubmissionId,
    /// How it ended.
    pub status: Status,
    /// The canonical record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordId>,
    /// The entry that recorded it.
    pub v: Seq,
    /// What became of each path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<Path, FieldOutcome>,
    /// The conflicts it met.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<ConflictNote>,
    /// What its author should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Finding>,
    /// Why it was not merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Finding>,
    /// Where it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<QuarantineId>,
}

impl Recorded {
    /// An answer that nothing has been added to yet.
    pub fn new(id: SubmissionId, status: Status, v: Seq) -> Self {
        Self {
            id,
            status,
            record: None,
            v,
            fields: BTreeMap::new(),
            conflicts: Vec::new(),
            warnings: Vec::new(),
            errors: Vec::new(),
            quarantine: None,
        }
    }

    /// The result of a release, as the author of the submission is told it. Somebody else's right let it in, so of what stood
    /// there it says nothing: their own phone pulls it if they may see it.
    #[must_use]
    pub fn told_to_author(mut self) -> Self {
        for note in &mut self.conflicts {
            (note.base, note.current) = (Value::Null, Value::Null);
        }
        self
    }
}

/// What has become of a recorded submission since.
#[derive(Clone, PartialEq, Debug)]
pub struct Since {
    /// released, discarded or replaced.
    pub closing: &'static str,
    /// The result of its release.
    pub outcome: Option<Recorded>,
}

/// The answer to one item of a push.
#[derive(Clone, PartialEq, Debug)]
pub enum ItemResult {
    /// Recorded now.
    Recorded(Arc<Recorded>),
    /// Recorded before; what has been decided since.
    Duplicate(Arc<Recorded>, Option<Since>),
    /// Recorded before, about somebody who has been erased since: nothing but that is known of it any more.
    Erased(SubmissionId),
    /// Something that it builds on has not arrived. Not recorded: send it again later.
    Deferred {
        /// The submission.
        id: SubmissionId,
        /// The submission, record or person that is missing.
        missing: uuid::Uuid,
    },
}

/// The whole answer to a push.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// The epoch.
    pub epoch: uuid::Uuid,
    /// The head after it.
    pub head: Seq,
    /// One result a submission, in order.
    pub results: Vec<ItemResult>,
}
