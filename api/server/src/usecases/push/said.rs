//! One item of a push, from raw bytes to a submission, or to the reason why it cannot be read.
//! Everything here happens before any lock.

use super::names::Names;
use super::unreadable::{malformed, misshapen, unreadable};
use crate::config::Limits;
use chrono::{DateTime, Datelike, Utc};
use muong_domain::id::{DeviceId, SubmissionId, UnitId, UserId, derived};
use muong_domain::json::{self, Objects};
use muong_domain::refusal::Finding;
use muong_domain::submission::Submission;
use muong_store::seal::{self, Owner};
use muong_store::{StoreError, Tx};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use uuid::Uuid;

/// What of the envelope does not belong to the content: the same thing said again under another number, from another
/// device or with less hope is the same thing.
const NOT_CONTENT: [&str; 3] = ["n", "after_lost", "device"];

/// The years that an instant may lie in. Clocks of phones are wrong by decades; by centuries only on purpose, and then
/// neither a local date nor PostgreSQL can hold them.
pub const YEARS: std::ops::RangeInclusive<i32> = 1900..=2199;

/// Whether an instant can be kept.
pub fn is_of_our_time(at: &DateTime<Utc>) -> bool {
    YEARS.contains(&at.year())
}

/// The bytes of one item, as they came.
pub type Raw = Arc<[u8]>;

/// One item, read as far as it can be.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its id; nil until [`Said::name`] when it names none.
    pub id: SubmissionId,
    /// SHA-256 over the canonical content, or over the bytes of what cannot be read.
    pub hash: [u8; 32],
    /// The unit that it names, as far as that can be read.
    pub unit: Option<UnitId>,
    /// The bytes as they came.
    pub body: Raw,
    /// The submission, or why it cannot be read.
    pub submission: Result<Box<Submission>, Box<Finding>>,
}

/// Who pushed it, and how.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Who is signed in.
    pub user: UserId,
    /// The device.
    pub device: DeviceId,
    /// Its client and version.
    pub client: Option<String>,
    /// When the phone sent it, by its own clock.
    pub sent_at: Option<DateTime<Utc>>,
}

impl Said {
    /// Reads one item.
    pub fn read(body: impl Into<Raw>, limits: &Limits) -> Self {
        let body = body.into();
        if body.len() > limits.submission_bytes {
            let finding = Finding::new("submission.too_large", "")
                .with("limit", crate::http::body::size(limits.submission_bytes));
            return Self::unreadable_but_for_names(body, finding);
        }
        let value = match json::parse(&body) {
            Ok(value) => value,
            Err(error) => return Self::unreadable_but_for_names(body, unreadable(&error)),
        };
        match submission(&value) {
            Ok(submission) => {
                let (id, unit, hash) = (submission.id, Some(submission.unit), content_hash(&value));
                Self { id, hash, unit, body, submission: Ok(Box::new(submission)) }
            }
            Err(finding) => {
                let member = |name| value.get(name).and_then(Value::as_str);
                let (id, unit) = (member("id").and_then(|id| id.parse().ok()), member("unit"));
                Self::unreadable(body, (id, unit.and_then(|unit| unit.parse().ok())), finding)
            }
        }
    }

    /// Its sender knows it by its id, and looks for that in the answer.
    fn unreadable_but_for_names(body: Raw, finding: Finding) -> Self {
        let names = Names::read(&body);
        Self::unreadable(body, (names.id.map(SubmissionId::new), names.unit.map(UnitId::from)), finding)
    }

    /// `names`: the ids of itself and of its unit, as far as they can be read.
    fn unreadable(body: Raw, names: (Option<SubmissionId>, Option<UnitId>), finding: Finding) -> Self {
        let (id, unit) = names;
        let hash: [u8; 32] = Sha256::digest(&body).into();
        let id = id.unwrap_or_else(|| SubmissionId::new(Uuid::nil()));
        Self { id, hash, unit, body, submission: Err(Box::new(finding)) }
    }

    /// Gives an item that names no id one that follows from its bytes, so that it is the same when it comes again. By the
    /// store's key: an id is not secret, and nobody may test by it what the item says.
    pub fn name(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        if self.id.uuid().is_nil() {
            let digest = content_digest(tx, Owner::Store, &self.hash)?;
            self.id = SubmissionId::new(derived("unreadable", &[&digest]));
        }
        Ok(())
    }

    /// The id under which it is kept when its own is taken by another content, or by another author.
    pub fn surrogate(&self, tx: &mut Tx<'_>, author: UserId) -> Result<SubmissionId, StoreError> {
        let digest = content_digest(tx, Owner::Store, &self.hash)?;
        let (id, author) = (self.id.uuid(), author.uuid());
        Ok(SubmissionId::new(derived("reused", &[id.as_bytes(), &digest, author.as_bytes()])))
    }
}

/// What the store keeps of a content's hash: without the owner's key nobody can test a guess against it.
pub fn content_digest(tx: &mut Tx<'_>, owner: Owner, hash: &[u8; 32]) -> Result<[u8; 32], StoreError> {
    seal::digest(tx, owner, hash)?.ok_or_else(|| StoreError::corrupt("a submission", "its key has been destroyed"))
}

/// The submission that a value is, or why it is none.
fn submission(value: &Value) -> Result<Submission, Finding> {
    let Ok(submission) = Submission::deserialize(Objects(value)) else {
        // Once more, to tell where: whoever writes it right does not pay for that.
        let error = serde_path_to_error::deserialize::<_, Submission>(Objects(value)).err();
        return Err(error.map_or_else(|| malformed(""), misshapen));
    };
    if submission.id.uuid().is_nil() {
        return Err(malformed("/id"));
    }
    if submission.n < 1 {
        return Err(malformed("/n"));
    }
    if submission.captured_at.is_some_and(|at| !is_of_our_time(&at.to_utc())) {
        return Err(malformed("/captured_at"));
    }
    Ok(submission)
}

fn content_hash(value: &Value) -> [u8; 32] {
    Sha256::digest(json::canonical_without(value, &NOT_CONTENT)).into()
}
