//! A reviewer throws a quarantined submission away. It is kept, closed, with the reason.

use super::review::{self, Deciding, Reason, ReviewRefusal};
use crate::reference::ReferenceCache;
use muong_domain::access::{Actor, Grant};
use muong_domain::id::QuarantineId;
use muong_store::decisions::{self, StoredDecision};
use muong_store::quarantine::{self, Closing, StoredQuarantine};
use muong_store::{Outcome, StoreError, Tx};
use serde_json::json;
use uuid::Uuid;

/// What is to be discarded, by whom and why.
#[derive(Clone, Debug)]
pub struct Discard {
    /// The waiting submission.
    pub quarantine: QuarantineId,
    /// The id of the decision.
    pub decision: Uuid,
    /// Why.
    pub reason: Reason,
}

/// Discards.
pub fn discard_quarantined(
    tx: &mut Tx<'_>,
    cache: &ReferenceCache,
    actor: &Actor,
    discard: &Discard,
) -> Result<Outcome<(), ReviewRefusal>, StoreError> {
    let as_of = tx.head().reference_as_of();
    let reference = cache.get(tx, as_of)?;
    let (waiting, grant) = match review::waiting_for_decision(tx, actor, &reference, discard.quarantine)? {
        Ok(found) => found,
        Err(refusal) => return Ok(Outcome::Refuse(refusal)),
    };
    close(tx, &grant, waiting, discard)?;
    Ok(Outcome::Commit(()))
}

/// Closes it; also how a replay repeats it from the log.
pub fn close(tx: &mut Tx<'_>, grant: &Grant, waiting: StoredQuarantine, discard: &Discard) -> Result<(), StoreError> {
    let body = review::body(&json!({"quarantine": waiting.id, "reason": discard.reason.as_str()}));
    let subject = waiting.subject;
    let deciding = Deciding { kind: "discard", id: discard.decision, subject, outcome: "discarded", body: &body };
    let entry = review::entry(tx, grant, deciding)?;
    let v = tx.append(entry);
    let decision = StoredDecision {
        id: discard.decision,
        seq: v,
        kind: "discard".to_owned(),
        actor: grant.user(),
        target: waiting.id.uuid(),
        subject: waiting.subject,
        body,
    };
    decisions::insert(tx, grant, &decision)?;
    quarantine::save(tx, &[StoredQuarantine { closed: Some(v), closing: Some(Closing::Discarded), ..waiting }])
}
