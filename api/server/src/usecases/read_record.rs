//! Reads one record by its id, or by an alias of it, with how it came from other units.

use super::authenticate::Authenticated;
use super::failure::Failure;
use super::mask;
use super::read_conflict::{SeenDecision, see_decisions};
use super::read_submissions;
use super::reader::{Reader, Values, read_as};
use super::review::Reason;
use crate::state::App;
use muong_domain::id::{RecordId, UnitId, UserId};
use muong_store::records::{self, Outline, StoredRecord};
use muong_store::seal::{self, Owner};
use muong_store::{Reading, Snapshot, StoreError, decisions, names};
use serde_json::Value;
use std::collections::HashMap;

/// How many of a record's moves are told with it, the last ones: it may be put to and fro without end, always with a
/// reason.
const MOST_MOVES: i64 = 50;

/// A record as its reader may see it.
#[derive(Clone, Debug)]
pub struct SeenRecord {
    /// The record, with what its cells hold: never to be shown itself.
    pub stored: StoredRecord,
    /// What it says, masked where it has to be.
    pub data: Value,
    /// The other ids by which phones know it in its unit.
    pub aliases: Vec<RecordId>,
    /// Whether whom it is about has been erased.
    pub erased: bool,
}

/// A record with what was decided about where it is.
#[derive(Clone, Debug)]
pub struct RecordDetail {
    /// The record.
    pub seen: SeenRecord,
    /// The last times that it was put into another unit, the first of them first.
    pub moves: Vec<SeenDecision>,
    /// What those are called who put it there.
    pub names: HashMap<UserId, String>,
}

/// Reads it.
pub async fn read_record(
    app: &App,
    who: &Authenticated,
    reason: Option<Reason>,
    id: RecordId,
) -> Result<RecordDetail, Failure> {
    read_as(app, who, reason, move |snapshot, reader| {
        let (stored, values) = find(snapshot, reader, id)?;
        let moves = moves_of(snapshot, stored.record.id, values)?;
        if moves.iter().any(|decision| decision.body.is_some()) {
            // Also of a record about nobody: a reason may name somebody.
            reader.note_shown(stored.record.id.uuid(), Some(stored.record.unit), stored.subject);
        }
        let names = read_submissions::names(snapshot, moves.iter().map(|decision| decision.stored.actor))?;
        let seen = see(snapshot, reader, vec![(stored, values)])?.pop();
        let seen = seen.ok_or_else(|| Failure::refused("access.not_found"))?;
        Ok(RecordDetail { seen, moves, names })
    })
    .await
}

/// How a record came into other units. Reasons are free text, of which nobody can tell what is personal: they are for
/// whoever sees the record whole.
fn moves_of(read: &mut impl Reading, record: RecordId, values: Values) -> Result<Vec<SeenDecision>, StoreError> {
    let decided = decisions::last_about(read, record.uuid(), "move", MOST_MOVES)?;
    see_decisions(read, decided, values == Values::Masked)
}

/// The record that exists under this id for the reader. Asked before anything of it is read: what lies elsewhere costs no more
/// than what is not there.
pub fn find(snapshot: &mut Snapshot<'_>, reader: &Reader, id: RecordId) -> Result<(StoredRecord, Values), Failure> {
    reader.require_content()?;
    let mut ids = vec![id];
    ids.extend(names::aliases(snapshot, &[id])?.into_iter().map(|(_, _, record)| record));
    let (id, values) = seen_as(reader, id, records::outlines(snapshot, &ids)?)?;
    let stored = records::by_ids(snapshot, &[id])?.pop();
    Ok((stored.ok_or_else(|| StoreError::corrupt("a record", "lost"))?, values))
}

fn seen_as(reader: &Reader, id: RecordId, mut meant: Vec<Outline>) -> Result<(RecordId, Values), Failure> {
    let mut denied = Failure::refused("access.not_found");
    // An id may be one record's own and another's alias in another unit, and a reader may see both: its own comes first.
    meant.sort_unstable_by_key(|outline| (outline.id != id, outline.unit));
    for outline in meant {
        match reader.sees(&outline.form, outline.unit) {
            Ok(values) => return Ok((outline.id, values)),
            Err(why @ Failure::Refused { code: "access.reason_required", .. }) => denied = why,
            Err(_) => {}
        }
    }
    Err(denied)
}

/// Shows records, in the order in which they are given.
pub fn see(
    snapshot: &mut Snapshot<'_>,
    reader: &Reader,
    found: Vec<(StoredRecord, Values)>,
) -> Result<Vec<SeenRecord>, Failure> {
    let ids: Vec<RecordId> = found.iter().map(|(stored, _)| stored.record.id).collect();
    let mut aliases: HashMap<(RecordId, UnitId), Vec<RecordId>> = HashMap::new();
    for (record, alias, unit) in names::aliases_of(snapshot, &ids)? {
        aliases.entry((record, unit)).or_default().push(alias);
    }
    found.iter().for_each(|(stored, values)| reader.note_record(stored, *values));
    seal::learn(snapshot, found.iter().filter_map(|(stored, _)| stored.subject.map(Owner::Person)))?;
    let seen = found.into_iter().map(|(stored, values)| {
        let form = reader.form(&stored.record.form);
        let form = form.ok_or_else(|| StoreError::corrupt("a record's form", &stored.record.form))?;
        let data = mask::data(form, &stored.record, values);
        let aliases = aliases.remove(&(stored.record.id, stored.record.unit)).unwrap_or_default();
        let erased = stored.subject.is_some_and(|person| snapshot.is_erased(Owner::Person(person)));
        Ok(SeenRecord { stored, data, aliases, erased })
    });
    seen.collect()
}
