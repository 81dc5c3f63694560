//! What reviewing has in common: who may review what, and why a decision is refused.

use super::push::said::content_digest;
use crate::reference::{Reference, is_about_person};
use chrono::{DateTime, Utc};
use muong_domain::access::{Action, Actor, Denied, Grant, authorize};
use muong_domain::id::{QuarantineId, RecordId, Seq, UnitId};
use muong_domain::refusal::Finding;
use muong_store::decisions::{self, StoredDecision};
use muong_store::quarantine::{self, StoredQuarantine};
use muong_store::records::{self, Outline};
use muong_store::{LogEntry, StoreError, Tx, names};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The longest reason, in characters.
pub const MAX_REASON: usize = 2_000;

/// Why a decision is refused.
#[derive(Clone, PartialEq, Debug)]
pub enum ReviewRefusal {
    /// There is no such thing, or not for this reader.
    NotFound,
    /// It may be seen but not decided upon.
    Forbidden,
    /// Somebody was faster.
    AlreadyClosed {
        /// `conflict` or `quarantine`.
        what: &'static str,
    },
    /// What was chosen is none of the candidates.
    ChoiceUnknown,
    /// The choice does not fit the question.
    ChoiceUnfit,
    /// None of the candidates was named as seen.
    NothingSeen,
    /// The record would break rules.
    Invalid(Vec<Finding>),
    /// The submission cannot be merged as it stands.
    NotReleasable(Vec<Finding>),
}

/// Why somebody decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason(String);

impl Reason {
    /// A reason that says something.
    pub fn parse(text: &str) -> Option<Self> {
        let text = muong_domain::text::multi_line(text).ok()?;
        (!text.trim().is_empty() && text.chars().count() <= MAX_REASON).then_some(Self(text))
    }
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Decides who may review what lies in `unit`; what names no unit that exists lies with those who review a whole tree.
pub fn authorize_review(
    actor: &Actor,
    reference: &Reference,
    unit: Option<UnitId>,
    at: DateTime<Utc>,
) -> Result<Grant, ReviewRefusal> {
    let line = match unit {
        Some(unit) => reference.units.ancestors(unit),
        None => (actor.scope(Action::Review, at, true).into_iter())
            .find(|unit| reference.units.ancestors(*unit).len() == 1)
            .into_iter()
            .collect(),
    };
    authorize(actor, Action::Review, &line, at, true).map_err(|denied| match denied {
        Denied::Outside => ReviewRefusal::NotFound,
        Denied::NotAllowed(_) | Denied::ReasonRequired(_) => ReviewRefusal::Forbidden,
    })
}

/// The waiting submission that a reviewer wants to decide upon, with the right to. Who may not review it learns that it
/// exists only if it is their own: then it is forbidden, wherever it lies.
pub fn waiting_for_decision(
    tx: &mut Tx<'_>,
    actor: &Actor,
    reference: &Reference,
    id: QuarantineId,
) -> Result<Result<(StoredQuarantine, Grant), ReviewRefusal>, StoreError> {
    let Some(outline) = quarantine::outline(tx, id)? else { return Ok(Err(ReviewRefusal::NotFound)) };
    let grant = match authorize_review(actor, reference, outline.unit, tx.received_at()) {
        Ok(grant) => grant,
        Err(_) if outline.author == actor.user => return Ok(Err(ReviewRefusal::Forbidden)),
        Err(_) => return Ok(Err(ReviewRefusal::NotFound)),
    };
    let waiting = quarantine::find(tx, id)?.ok_or_else(|| not_loaded("a quarantined submission"))?;
    Ok(match waiting.closed {
        Some(_) => Err(ReviewRefusal::AlreadyClosed { what: "quarantine" }),
        None => Ok((waiting, grant)),
    })
}

/// Whether the actor may know that there is a record of this form in the unit at all.
pub fn may_see(actor: &Actor, reference: &Reference, form: &str, unit: UnitId, at: DateTime<Utc>) -> bool {
    let about_person = reference.catalog.newest(form).is_none_or(|form| is_about_person(form));
    authorize(actor, Action::to_read(about_person), &reference.units.ancestors(unit), at, true).is_ok()
}

/// The record that the actor sees under this id, its own or another one of it. Asked before anything of it is opened, as of
/// whoever reads.
pub fn visible(
    tx: &mut Tx<'_>,
    actor: &Actor,
    reference: &Reference,
    id: RecordId,
) -> Result<Option<Outline>, StoreError> {
    let mut ids = vec![id];
    ids.extend(names::aliases(tx, &[id])?.into_iter().map(|(_, _, record)| record));
    let at = tx.received_at();
    let mut meant = records::outlines(tx, &ids)?;
    meant.retain(|outline| may_see(actor, reference, &outline.form, outline.unit, at));
    // An id may be one record's own and another's alias in another unit, and somebody may see both: its own comes first.
    Ok(meant.into_iter().min_by_key(|outline| (outline.id != id, outline.unit)))
}

/// A decision that is to be entered into the log.
#[derive(Clone, Debug)]
pub struct Deciding<'a> {
    /// resolve, release, discard, move or erase.
    pub kind: &'static str,
    /// Its id.
    pub id: Uuid,
    /// The conflict, the quarantined submission, the record, or the person.
    pub target: Uuid,
    /// The person whom it concerns.
    pub subject: Option<RecordId>,
    /// How it ended.
    pub outcome: &'a str,
    /// Its canonical text.
    pub body: Vec<u8>,
    /// What the log itself says of it, since a replay, or an auditor, needs it there: without a personal value.
    pub command: Option<String>,
}

/// Enters a decision into the log, and keeps it; answers its entry.
pub fn record(tx: &mut Tx<'_>, grant: &Grant, deciding: Deciding<'_>) -> Result<Seq, StoreError> {
    let Deciding { kind, id, target, subject, outcome, body, command } = deciding;
    let owner = StoredDecision::owner(tx, subject)?;
    let content_hash = content_digest(tx, owner, &Sha256::digest(&body).into())?;
    let seq = tx.append(LogEntry {
        actor: Some(grant.user()),
        device: None,
        grant: Some(grant.id()),
        kind,
        reference: id,
        outcome: outcome.to_owned(),
        content_hash,
        command,
    });
    let (kind, actor) = (kind.to_owned(), grant.user());
    decisions::insert(tx, grant, &StoredDecision { id, seq, kind, actor, target, subject, body })?;
    Ok(seq)
}

/// The canonical text of a decision.
pub fn body(decision: &Value) -> Vec<u8> {
    muong_domain::json::canonical(decision)
}

/// What a use case must find loaded.
pub fn not_loaded(what: &'static str) -> StoreError {
    StoreError::corrupt(what, "not loaded")
}
