//! Puts a record into another unit: a meeting that was reported for the wrong branch, the file of a member whose branch has
//! become another one. A person goes with all that has happened to them. Whoever sees only the unit that it leaves is told to
//! forget it; whoever sees where it goes is told of it.
//!
//! It is a decision of whoever reviews both units, and nothing that a phone says: an author knows one unit, and must not be able
//! to put anything before others. What phones still say to the unit that it has left is in `push/readdress.rs`.

use super::failure::Failure;
use super::push::working_set::WorkingSet;
use super::review::{self, Deciding, Reason, ReviewRefusal};
use crate::reference::{Reference, ReferenceCache};
use muong_domain::access::{Actor, Grant};
use muong_domain::form::{Form, View};
use muong_domain::id::{RecordId, Seq, UnitId};
use muong_domain::refusal::{Finding, Level};
use muong_domain::time::local_date;
use muong_domain::validate::{Context, check_agreed};
use muong_store::decisions::StoredDecision;
use muong_store::records::{self, Outline, StoredRecord};
use muong_store::{Outcome, StoreError, Tx, names};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

/// What is to go where, and why.
#[derive(Clone, Debug)]
pub struct Move {
    /// The record, or an alias of it.
    pub record: RecordId,
    /// Where it is to be.
    pub to: UnitId,
    /// The id of the decision.
    pub id: Uuid,
    /// Why.
    pub reason: Reason,
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moved {
    /// The entry of the log.
    pub v: Seq,
    /// How many records have gone: of a person, with what has happened to them.
    pub records: usize,
}

/// Moves.
pub fn move_record(
    tx: &mut Tx<'_>,
    cache: &ReferenceCache,
    actor: &Actor,
    wanted: &Move,
) -> Result<Outcome<Moved, Failure>, StoreError> {
    let as_of = tx.head().reference_as_of();
    let reference = cache.get(tx, as_of)?;
    let (outline, grant) = match allowed(tx, &reference, actor, wanted)? {
        Ok(found) => found,
        Err(refusal) => return Ok(Outcome::Refuse(refusal)),
    };
    let moving = Moving { record: outline.id, from: outline.unit, to: wanted.to, grant };
    let (set, all) = moving.load(tx, reference)?;
    match moving.check(tx, set, &all)? {
        Err(refusal) => Ok(Outcome::Refuse(refusal)),
        Ok(set) => moving.write(tx, set, all, wanted.id, &wanted.reason).map(Outcome::Commit),
    }
}

/// The record that is meant, and the right to put it there: whoever does so reviews both units.
fn allowed(
    tx: &mut Tx<'_>,
    reference: &Reference,
    actor: &Actor,
    wanted: &Move,
) -> Result<Result<(Outline, Grant), Failure>, StoreError> {
    let at = tx.received_at();
    let Some(outline) = review::visible(tx, actor, reference, wanted.record)? else {
        return Ok(Err(Failure::refused("access.not_found")));
    };
    if review::authorize_review(actor, reference, Some(outline.unit), at).is_err() {
        return Ok(Err(Failure::refused("access.forbidden")));
    }
    Ok(match review::authorize_review(actor, reference, Some(wanted.to), at) {
        Ok(grant) => Ok((outline, grant)),
        Err(ReviewRefusal::Forbidden) => Err(Failure::refused("access.forbidden").at("/unit")),
        Err(_) => Err(Failure::refused("unit.unknown").at("/unit")),
    })
}

/// A move under way; also how a replay repeats one from the log.
pub struct Moving {
    /// The record.
    pub record: RecordId,
    /// The unit that it is in.
    pub from: UnitId,
    /// Where it goes.
    pub to: UnitId,
    /// The right to, where it goes.
    pub grant: Grant,
}

impl Moving {
    /// Reads what goes: the record, and if it is a person's, all of theirs in the unit.
    pub fn load(
        &self,
        tx: &mut Tx<'_>,
        reference: Arc<Reference>,
    ) -> Result<(WorkingSet, Vec<StoredRecord>), StoreError> {
        let mut set = WorkingSet::load(tx, reference, &[])?;
        set.learn_record(tx, self.record)?;
        let mut ids = BTreeSet::from([self.record]);
        if set.record(self.record).is_some_and(|stored| stored.subject == Some(self.record)) {
            ids.extend(records::ids_about(tx, &[self.record])?);
        }
        let ids: Vec<RecordId> = ids.into_iter().collect();
        set.learn_records(tx, &ids)?;
        let found = ids.iter().filter_map(|id| set.record(*id)).filter(|stored| stored.record.unit == self.from);
        let all = found.cloned().collect();
        Ok((set, all))
    }

    /// Whether it may be there: the unit takes records of the form, none of what is said breaks a rule there that it keeps
    /// here, and nothing there is known by the same id or the same key.
    fn check(
        &self,
        tx: &mut Tx<'_>,
        mut set: WorkingSet,
        all: &[StoredRecord],
    ) -> Result<Result<WorkingSet, Failure>, StoreError> {
        let refused = |code, pointer| Ok(Err(Failure::refused(code).at(pointer)));
        let whole = all.iter().find(|stored| stored.record.id == self.record);
        let whole = whole.ok_or_else(|| review::not_loaded("a record"))?;
        if whole.subject.is_some_and(|person| person != self.record) {
            return refused("record.goes_with_its_person", "");
        }
        if self.to == self.from {
            return refused("record.already_there", "/unit");
        }
        let today = local_date(tx.received_at());
        if set.reference.units.get(self.to).is_none_or(|unit| unit.on(today).is_none()) {
            return refused("unit.dissolved", "/unit");
        }
        let (here, there) = (set.reference.context(self.from, today), set.reference.context(self.to, today));
        let (Some(here), Some(there)) = (here, there) else { return Err(review::not_loaded("a unit")) };
        for stored in all {
            let form = form_of(&set, stored)?;
            let broken = breaks(&form, stored, &here, &there);
            if !broken.is_empty() {
                return Ok(Err(Failure::Refused { code: "record.unfit_there", findings: broken }));
            }
            let key = form.natural_key(&view(&form, stored), self.to);
            let holder = key.filter(|_| stored.natural_key.is_some()).map(|key| set.holder_of(tx, &key)).transpose()?;
            if holder.flatten().is_some_and(|holder| holder != stored.record.id) {
                return refused("record.taken_there", "/unit");
            }
        }
        let ids: Vec<RecordId> = all.iter().map(|stored| stored.record.id).collect();
        if names::aliases(tx, &ids)?.iter().any(|(_, unit, _)| *unit == self.to) {
            return refused("record.taken_there", "/unit");
        }
        Ok(Ok(set))
    }

    /// Writes it: one entry, as of which everything that goes is somewhere else.
    fn write(
        &self,
        tx: &mut Tx<'_>,
        mut set: WorkingSet,
        all: Vec<StoredRecord>,
        decision: Uuid,
        reason: &Reason,
    ) -> Result<Moved, StoreError> {
        let Self { record, from, to, grant } = self;
        let subject = all.iter().find(|stored| stored.record.id == *record).and_then(|stored| stored.subject);
        let deciding = Deciding {
            kind: "move",
            id: decision,
            target: record.uuid(),
            subject,
            outcome: "moved",
            body: review::body(&json!({"record": record, "from": from, "to": to, "reason": reason.as_str()})),
            command: Some(json!({"from": from, "to": to}).to_string()),
        };
        let v = review::record(tx, grant, deciding)?;
        let mut moved = Vec::with_capacity(all.len());
        for mut stored in all {
            let form = form_of(&set, &stored)?;
            if stored.natural_key.is_some() {
                stored.natural_key = form.natural_key(&view(&form, &stored), *to);
            }
            (stored.record.unit, stored.record.version) = (*to, v);
            moved.push(stored);
        }
        let records = moved.len();
        set.relocate(*grant, *from, *to, moved);
        set.flush(tx)?;
        Ok(Moved { v, records })
    }

    /// Writes what the log says was written.
    pub fn repeat(&self, tx: &mut Tx<'_>, reference: Arc<Reference>, recorded: &Recorded) -> Result<(), StoreError> {
        let (set, all) = self.load(tx, reference)?;
        self.write(tx, set, all, recorded.id, &recorded.reason).map(drop)
    }
}

fn form_of(set: &WorkingSet, stored: &StoredRecord) -> Result<Arc<Form>, StoreError> {
    set.reference.catalog.newest(&stored.record.form).cloned().ok_or_else(|| review::not_loaded("a form"))
}

fn view(form: &Form, stored: &StoredRecord) -> View {
    View::from_paths(form, stored.record.shown())
}

/// What it would break in the other unit and does not break in this one.
fn breaks(form: &Form, stored: &StoredRecord, here: &Context, there: &Context) -> Vec<Finding> {
    if !form.allows_unit_kind(&there.unit_kind) {
        return vec![Finding::new("form.unit_kind", "/unit").with("unit_kind", there.unit_kind.clone())];
    }
    if !stored.live {
        return Vec::new();
    }
    let errors = |context| {
        let broken = check_agreed(form, &stored.record, context).into_iter();
        broken.filter(|rule| rule.level == Level::Error).map(|rule| rule.finding)
    };
    let known: Vec<Finding> = errors(here).collect();
    errors(there).filter(|finding| !known.contains(finding)).collect()
}

/// A move as it was recorded, for a replay.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The id of the decision.
    pub id: Uuid,
    /// The record.
    pub record: RecordId,
    /// The unit that it was in.
    pub from: UnitId,
    /// Where it went.
    pub to: UnitId,
    /// Why.
    pub reason: Reason,
}

/// Reads one.
pub fn recorded(decision: &StoredDecision) -> Result<Recorded, StoreError> {
    #[derive(Deserialize)]
    struct Body {
        record: RecordId,
        from: UnitId,
        to: UnitId,
        reason: String,
    }
    let body: Body = serde_json::from_slice(&decision.body).map_err(|e| StoreError::corrupt("a decision", e))?;
    let reason = Reason::parse(&body.reason).ok_or_else(|| StoreError::corrupt("a decision", "no reason"))?;
    Ok(Recorded { id: decision.id, record: body.record, from: body.from, to: body.to, reason })
}
