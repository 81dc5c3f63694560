//! A reviewer throws a quarantined submission away. It is kept, closed, with the reason.

use super::review::{self, Deciding, Reason, ReviewRefusal};
use crate::reference::ReferenceCache;
use muong_domain::access::{Actor, Grant};
use muong_domain::id::QuarantineId;
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
    let deciding = Deciding {
        kind: "discard",
        id: discard.decision,
        target: waiting.id.uuid(),
        subject: waiting.subject,
        outcome: "discarded",
        body,
        command: None,
    };
    let v = review::record(tx, grant, deciding)?;
    quarantine::save(tx, &[StoredQuarantine { closed: Some(v), closing: Some(Closing::Discarded), ..waiting }])
}
