//! Property 4 of the sync design, on the store as it is in the end: everything that was ever said is current, a candidate,
//! superseded by somebody who had seen it, or in quarantine. By what the submissions say, not by how they were answered.

use super::history::History;
use crate::Fallible;
use muong_domain::form::Form;
use muong_domain::id::{RecordId, Seq, SubmissionId, UnitId};
use muong_domain::record::{Path, Record};
use muong_domain::submission::{Base, Changes, Kind, Submission};
use muong_store::submissions::StoredSubmission;
use muong_store::{Reading, Snapshot, StoreError, forms, log, names, quarantine, records, submissions};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// So many are read together.
const TOGETHER: i64 = 500;

/// Something that has become part of a record.
struct Spoken {
    said: Submission,
    seq: Seq,
    device: Uuid,
    /// How far its author had come on other devices, by what it builds on.
    before: Vec<(Uuid, i64)>,
    /// By path: from what to what, each as the fields that it names.
    changes: BTreeMap<Path, Changes>,
}

impl Spoken {
    /// Whether it claims anything at a path: who changes nothing claims nothing.
    fn claims(&self, path: &Path) -> bool {
        self.changes.get(path).is_some_and(|changes| changes.values().any(|change| change.from != change.to))
    }

    /// Whether what another one said is an own earlier one: of the same device, or of those that said what this builds on.
    fn follows(&self, earlier: &Self) -> bool {
        let is_built_on = |(device, n): &(Uuid, i64)| earlier.device == *device && earlier.said.n <= *n;
        (self.device == earlier.device && self.said.n > earlier.said.n) || self.before.iter().any(is_built_on)
    }

    /// Whether its author had certainly seen what another one said.
    fn had_seen(&self, earlier: &Self, history: &History) -> bool {
        self.follows(earlier) || earlier.seq <= seen(&self.said, self.seq, history).0
    }

    /// Whether it takes the place of what another one said at a path.
    fn supersedes(&self, earlier: &Self, path: &Path, history: &History) -> bool {
        if self.seq <= earlier.seq || !self.claims(path) {
            return false;
        }
        let is_open = seen(&self.said, self.seq, history).1;
        let (mine, theirs) = (&self.changes[path], &earlier.changes[path]);
        let changes_theirs =
            mine.iter().all(|(field, change)| theirs.get(field).is_some_and(|their| their.to == change.from));
        self.follows(earlier) || (changes_theirs && (is_open || self.had_seen(earlier, history)))
    }
}

/// Up to which entry an author had certainly seen everything, and whether perhaps more: in an epoch that was lost from there.
fn seen(said: &Submission, seq: Seq, history: &History) -> (Seq, bool) {
    let Some(Base { v, epoch, .. }) = &said.base else { return (Seq::ZERO, said.kind != Kind::Create) };
    let Some(v) = *v else { return (Seq::ZERO, false) };
    let known = epoch.and_then(|epoch| history.shared_with(epoch));
    match known {
        Some(last) if v <= last => (v, false),
        // Which epoch was the present one when it came: up to its head a base in it is known.
        _ if *epoch == Some(history.epoch_of(seq)) => (v.min(seq), false),
        Some(last) => (last, true),
        None => (Seq::ZERO, true),
    }
}

/// Values and withdrawals that were said and are nowhere.
pub fn gone(read: &mut Snapshot<'_>, history: &History) -> Fallible<usize> {
    let forms = newest_forms(read)?;
    let (mut by_record, mut gone): (HashMap<RecordId, Vec<Spoken>>, usize) = (HashMap::new(), 0);
    let mut after = Seq::ZERO;
    loop {
        let entries = log::page(read, after, TOGETHER)?;
        let Some(last) = entries.last() else { break };
        after = last.seq();
        let said = entries.iter().filter(|entry| entry.kind() == "submission");
        let ids: Vec<SubmissionId> = said.map(|entry| entry.reference().into()).collect();
        let stored = submissions::by_ids(read, &ids)?;
        gone += not_in_quarantine(read, &stored)?;
        for (record, spoken) in spoken(read, &forms, stored)? {
            by_record.entry(record).or_default().push(spoken);
        }
    }
    by_record.values_mut().for_each(|spoken| find_predecessors(spoken));
    let ids: Vec<RecordId> = by_record.keys().copied().collect();
    for chunk in ids.chunks(TOGETHER as usize) {
        let stored: HashMap<RecordId, Record> =
            records::by_ids(read, chunk)?.into_iter().map(|stored| (stored.record.id, stored.record)).collect();
        for id in chunk {
            gone += match stored.get(id) {
                Some(record) => gone_from(record, &by_record[id], history),
                None => by_record[id].len(),
            };
        }
    }
    Ok(gone)
}

fn newest_forms(read: &mut impl Reading) -> Fallible<HashMap<String, Form>> {
    let all = forms::load_all(read)?.into_iter();
    // By code and version: the newest stays.
    all.map(|stored| Ok((stored.code.clone(), Form::parse(&stored.code, &stored.definition)?))).collect()
}

/// What was not merged waits in quarantine, or left it by somebody's decision.
fn not_in_quarantine(read: &mut impl Reading, stored: &[StoredSubmission]) -> Result<usize, StoreError> {
    let refused = stored.iter().filter(|said| ["rejected", "forbidden"].contains(&said.status.as_str()));
    let refused: Vec<SubmissionId> = refused.map(|said| said.id).collect();
    let waits: BTreeSet<SubmissionId> =
        quarantine::of_submissions(read, &refused)?.into_iter().map(|waiting| waiting.submission).collect();
    Ok(refused.iter().filter(|id| !waits.contains(id)).count())
}

/// What has become part of records; without what was said of people who have been erased.
fn spoken(
    read: &mut impl Reading,
    forms: &HashMap<String, Form>,
    stored: Vec<StoredSubmission>,
) -> Fallible<Vec<(RecordId, Spoken)>> {
    let merged = stored.into_iter().filter(|said| ["accepted", "merged", "conflict"].contains(&said.status.as_str()));
    let merged: Vec<StoredSubmission> = merged.collect();
    let ids: Vec<RecordId> = merged.iter().filter_map(|said| said.record).collect();
    let aliases: HashMap<(RecordId, UnitId), RecordId> =
        names::aliases(read, &ids)?.into_iter().map(|(alias, unit, record)| ((alias, unit), record)).collect();
    let mut all = Vec::new();
    for stored in merged {
        let Some(told) = &stored.told else { continue };
        let said: Submission = serde_json::from_slice(&told.body)?;
        let record = stored.record.ok_or("a merged submission without a record")?;
        let record = aliases.get(&(record, said.unit)).copied().unwrap_or(record);
        let mut changes: BTreeMap<Path, Changes> = BTreeMap::new();
        for (field, change) in &said.set {
            let form = stored.form.as_ref().and_then(|form| forms.get(form)).ok_or("a change of no known form")?;
            changes.entry(form.path_of(field)).or_default().insert(field.clone(), change.clone());
        }
        all.push((record, Spoken { said, seq: stored.seq, device: stored.device.uuid(), before: Vec::new(), changes }));
    }
    Ok(all)
}

/// Tells each of what was said of a record how far its author had come on other devices: by all that it builds on, one after
/// the other.
fn find_predecessors(spoken: &mut [Spoken]) {
    let built_on = |one: &Spoken| one.said.base.as_ref().and_then(|base| base.after);
    let all: HashMap<SubmissionId, (Uuid, i64, Option<SubmissionId>)> =
        spoken.iter().map(|one| (one.said.id, (one.device, one.said.n, built_on(one)))).collect();
    for one in spoken {
        let mut next = built_on(one);
        // No longer than there are any: a phone that has lost something can say what goes round in a circle.
        for _ in 0..all.len() {
            let Some((device, n, earlier)) = next.and_then(|id| all.get(&id).copied()) else { break };
            if device != one.device {
                one.before.push((device, n));
            }
            next = earlier;
        }
    }
}

/// What of a record's submissions is nowhere in it, and was taken away by nobody who had seen it.
fn gone_from(record: &Record, spoken: &[Spoken], history: &History) -> usize {
    let mut gone = 0;
    for one in spoken {
        let paths = one.changes.keys().filter(|path| one.claims(path));
        let lacking = paths.filter(|path| !stands(record, one, path) && !was_superseded(spoken, one, path, history));
        let lacking: Vec<&Path> = lacking.collect();
        let withdrawn = one.said.kind != Kind::Delete || withdrawal_stands(record, spoken, one, history);
        if !lacking.is_empty() || !withdrawn {
            eprintln!("{} of record {} as entry {} is nowhere: {lacking:?}", one.said.id, record.id, one.seq.0);
            gone += 1;
        }
    }
    gone
}

/// Whether it is among what is claimed, with the value that was said.
fn stands(record: &Record, one: &Spoken, path: &Path) -> bool {
    let Some(cell) = record.cells.get(path) else { return false };
    let claim = cell.claims.iter().find(|claim| claim.by.contains(&one.seq));
    let said =
        |value: &Value| one.changes[path].iter().all(|(field, change)| *value.get(field).unwrap_or(value) == change.to);
    claim.is_some_and(|claim| said(&claim.value))
}

/// Whether somebody has changed it who had seen it, or withdrew the record in view of it and the record began anew.
fn was_superseded(spoken: &[Spoken], one: &Spoken, path: &Path, history: &History) -> bool {
    let withdrew = |other: &Spoken| other.said.kind == Kind::Delete && other.had_seen(one, history);
    let begun_anew = |withdrawal: &Spoken| {
        spoken.iter().any(|other| other.said.kind == Kind::Create && other.had_seen(withdrawal, history))
    };
    spoken.iter().any(|other| other.supersedes(one, path, history) || (withdrew(other) && begun_anew(other)))
}

/// Whether a withdrawal counts, or somebody who knew of it said something else since, or of another one that it repeats.
fn withdrawal_stands(record: &Record, spoken: &[Spoken], one: &Spoken, history: &History) -> bool {
    let counts = record.deletions.iter().any(|deletion| deletion.by == one.seq);
    let lifted =
        |other: &Spoken| other.seq > one.seq && other.said.kind != Kind::Delete && other.had_seen(one, history);
    let repeats =
        |other: &Spoken| other.seq < one.seq && other.said.kind == Kind::Delete && one.had_seen(other, history);
    counts || spoken.iter().any(|other| lifted(other) || repeats(other))
}
