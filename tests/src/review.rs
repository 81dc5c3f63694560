//! What a reviewer does, and what everybody looks up about what waits: the requests, in one place.

use crate::client::{Answer, Reporter, text};
use serde_json::{Value, json};
use uuid::Uuid;

/// The ids of the conflicts that are open for this reviewer.
#[track_caller]
pub fn open_conflicts(reviewer: &Reporter) -> Vec<String> {
    let list = reviewer.read("/v1/conflicts");
    list["items"].as_array().expect("a list").iter().map(|item| text(&item["id"]).to_owned()).collect()
}

/// What stands against each other in a conflict, the value shown first.
#[track_caller]
pub fn candidates(reviewer: &Reporter, conflict: &str) -> Vec<Value> {
    let conflict = reviewer.read(&format!("/v1/conflicts/{conflict}"));
    conflict["candidates"].as_array().unwrap_or_else(|| panic!("no candidates: {conflict}")).clone()
}

/// Decides a conflict.
#[track_caller]
pub fn resolve(reviewer: &Reporter, conflict: &str, choice: &Value, seen: &[Uuid], reason: &str) -> Answer {
    let body = json!({"choose": choice, "seen": seen, "reason": reason});
    reviewer.post(&format!("/v1/conflicts/{conflict}/resolution"), &body)
}

/// A submission in quarantine, as this reader sees it.
#[track_caller]
pub fn quarantined(reader: &Reporter, id: &Value) -> Value {
    reader.read(&format!("/v1/quarantine/{}", text(id)))
}

/// Releases a submission.
#[track_caller]
pub fn release(reviewer: &Reporter, id: &Value, reason: &str) -> Answer {
    reviewer.post(&format!("/v1/quarantine/{}/release", text(id)), &json!({"reason": reason}))
}

/// Discards a submission.
#[track_caller]
pub fn discard(reviewer: &Reporter, id: &Value, reason: &str) -> Answer {
    reviewer.post(&format!("/v1/quarantine/{}/discard", text(id)), &json!({"reason": reason}))
}
