//! What a phone says: one create, edit or delete of one record. Immutable once received.
//! Knows the envelope and its shape; what the fields mean is the form's business.

use crate::id::{RecordId, Seq, SubmissionId, UnitId, UserId};
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What is to happen to the record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A new record (or, by its natural key, an edit of one that exists).
    Create,
    /// A change of fields of an existing record.
    Edit,
    /// The withdrawal of a record.
    Delete,
}

/// One field's change, with the value that its author saw before it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The value that the author changed; absent means none.
    #[serde(default)]
    pub from: Value,
    /// The value that the author wants to stand.
    pub to: Value,
}

/// What the author had seen of the store when writing this.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// The epoch that `v` belongs to.
    pub epoch: Option<Uuid>,
    /// The seq up to which the author had seen the record; none: never received from the server.
    pub v: Option<Seq>,
    /// An own earlier submission that this one builds on, which must have arrived first.
    pub after: Option<SubmissionId>,
}

/// Field → change.
pub type Changes = BTreeMap<String, Change>;
/// List → item key → field → change.
pub type ItemChanges = BTreeMap<String, BTreeMap<String, Changes>>;

/// One thing that a phone says. What it means is told in ARCHITECTURE.md, "How a push walks through".
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Chosen by the phone (UUIDv7); the key of idempotency.
    pub id: SubmissionId,
    /// The device's own running number, from 1.
    pub n: i64,
    /// What is to happen.
    pub kind: Kind,
    /// The form; may be left out of a delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    /// The version of the form that the phone filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form_version: Option<i32>,
    /// The record, an id chosen by the phone that created it, or an alias of it.
    pub record: RecordId,
    /// The unit that the record belongs to; authorised before anything is looked up.
    pub unit: UnitId,
    /// When the author said it, by the phone's clock, with its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captured_at: Option<DateTime<FixedOffset>>,
    /// What the author had seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// Own quarantined submissions that this one corrects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<SubmissionId>,
    /// The phone has given up waiting for what this one builds on: decide by its `from` values.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_lost: bool,
    /// Who said it, when not the one who signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<UserId>,
    /// On whose behalf, when a reviewer reports for a branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<UserId>,
    /// Changes of plain fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: Changes,
    /// Changes of keyed items.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub items: ItemChanges,
}
