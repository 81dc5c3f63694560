//! Property 4 over a whole store: every value ever submitted is current, superseded by somebody who had seen it, a candidate,
//! decided upon, or in quarantine.

use super::record_id;
use muong_domain::id::{DeviceId, RecordId, Seq, SubmissionId};
use muong_domain::record::Path;
use muong_domain::submission::{Kind, Submission};
use muong_domain::time::local_date;
use muong_domain::validate::PathChange;
use muong_server::reference::ReferenceCache;
use muong_server::usecases::push::assess::Assessed;
use muong_server::usecases::push::outcome::Recorded;
use muong_server::usecases::push::said::Said;
use muong_store::submissions::StoredSubmission;
use muong_store::{Database, Snapshot, StoreError, conflicts, decisions, log, names, quarantine, records, submissions};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Something that became part of a record, as entry `v`.
struct Told {
    v: Seq,
    record: RecordId,
    device: DeviceId,
    said: Submission,
    changes: Vec<PathChange>,
}

/// The whole history of a store.
#[derive(Default)]
struct History {
    epoch: Uuid,
    told: Vec<Told>,
    /// Where reviewers decided: which record and path, by which entry.
    decided: Vec<(Seq, RecordId, Path)>,
    /// What people are called here, by what a phone calls them.
    names: BTreeMap<(String, Uuid), String>,
}

pub fn nothing_is_lost(store: &Database, number: u64) {
    let lost = store.read(|snapshot| {
        let history = read(snapshot)?;
        let mut lost = Vec::new();
        for told in &history.told {
            let stored = records::by_ids(snapshot, &[told.record])?.pop().expect("a record");
            for change in told.changes.iter().filter(|change| change.from != change.to) {
                let value = history.canonical(&change.to, told);
                let cell = stored.record.cells.get(&change.path);
                let is_kept = cell.map_or(value.is_null(), |cell| cell.claims.iter().any(|claim| claim.value == value));
                if !is_kept && !history.is_answered(told, &change.path, &value) {
                    lost.push(format!("{} of entry {}: {value}", change.path, told.v.0));
                }
            }
        }
        Ok(lost)
    });
    let lost = lost.expect("the store");
    assert!(lost.is_empty(), "day {number}, lost: {lost:#?}");
}

fn read(snapshot: &mut Snapshot<'_>) -> Result<History, StoreError> {
    let head = snapshot.head()?;
    let reference = ReferenceCache::default().get(snapshot, head.reference_as_of())?;
    let mut history = History { epoch: head.epoch, ..History::default() };
    let entries = log::page(snapshot, Seq::ZERO, 10_000)?;
    for entry in &entries {
        let (v, id) = (entry.seq(), entry.reference());
        let (submission, recorded) = match entry.kind() {
            "submission" => {
                let stored = submissions::by_ids(snapshot, &[SubmissionId::new(id)])?.pop().expect("a submission");
                let recorded: Recorded = serde_json::from_slice(&told(&stored).result).expect("a result");
                if !recorded.status.is_in() {
                    let waiting = quarantine::of_submissions(snapshot, &[stored.id])?;
                    assert_eq!(waiting.len(), 1, "what was refused as entry {} waits or waited", v.0);
                    continue;
                }
                (stored, recorded)
            }
            "release" => {
                let decision = decisions::by_ids(snapshot, &[id])?.pop().expect("a decision");
                let waited = quarantine::find(snapshot, decision.target.into())?.expect("what was released");
                let recorded = serde_json::from_slice(waited.outcome.as_deref().expect("an outcome"));
                let stored = submissions::by_ids(snapshot, &[waited.submission])?.pop().expect("a submission");
                (stored, recorded.expect("a result"))
            }
            "resolve" => {
                let decision = decisions::by_ids(snapshot, &[id])?.pop().expect("a decision");
                let conflict = conflicts::find(snapshot, decision.target.into())?.expect("a conflict");
                history.decided.push((v, conflict.record, conflict.path));
                continue;
            }
            _ => continue,
        };
        let said = Said::read(Arc::clone(&told(&submission).body), &Default::default());
        let assessed = Assessed::of(&said, &reference, local_date(entry.received_at())).expect("it was readable");
        let said = *said.submission.expect("it was readable");
        let mut changes = assessed.checked.changes;
        if said.kind == Kind::Create {
            changes.iter_mut().for_each(|change| change.from = Value::Null);
        }
        let record = recorded.record.expect("the record that it became part of");
        history.told.push(Told { v, record, device: submission.device, said, changes });
    }
    history.learn_names(snapshot)?;
    Ok(history)
}

/// Nobody has been erased here.
fn told(stored: &StoredSubmission) -> &submissions::Told {
    stored.told.as_ref().expect("what was said")
}

impl History {
    fn learn_names(&mut self, snapshot: &mut Snapshot<'_>) -> Result<(), StoreError> {
        let people: Vec<RecordId> = (self.told.iter().flat_map(|told| &told.changes))
            .flat_map(|change| [&change.from, &change.to])
            .filter_map(|value| value.get("person")?.as_str()?.parse().ok().map(record_id))
            .collect();
        for (alias, unit, record) in names::aliases(snapshot, &people)? {
            self.names.insert((alias.to_string(), unit.uuid()), record.to_string());
        }
        Ok(())
    }

    /// A value with the person by their own id.
    fn canonical(&self, value: &Value, told: &Told) -> Value {
        let mut value = value.clone();
        let name = value.get("person").and_then(Value::as_str);
        let own = name.and_then(|name| self.names.get(&(name.to_owned(), told.said.unit.uuid()))).cloned();
        if let Some(own) = own {
            value["person"] = own.into();
        }
        value
    }

    /// Whether somebody who had seen the value said otherwise later, or a reviewer decided.
    fn is_answered(&self, told: &Told, path: &Path, value: &Value) -> bool {
        let is_rule = |path: &Path| path.as_str().starts_with("$rule/");
        let is_decided = (self.decided.iter())
            .any(|(v, record, of)| *v > told.v && *record == told.record && (of == path || is_rule(of)));
        let later = self.told.iter().filter(|later| later.v > told.v && later.record == told.record);
        is_decided
            || later.into_iter().any(|later| {
                let knew = self.knew(later, told);
                // Made anew after a withdrawal: what had been withdrawn is gone.
                let anew = later.said.kind == Kind::Create && self.withdrawn_between(told, later);
                let mut at = later.changes.iter().filter(|change| change.path == *path);
                anew || at.any(|change| is_own(later, told) || (knew && self.canonical(&change.from, later) == *value))
            })
    }

    fn withdrawn_between(&self, told: &Told, later: &Told) -> bool {
        let between = |by: &&Told| told.v < by.v && by.v < later.v && by.record == told.record;
        let withdrawals = || self.told.iter().filter(between).filter(|by| by.said.kind == Kind::Delete);
        let decided = |(v, record, path): &(Seq, RecordId, Path)| {
            told.v < *v && *v < later.v && *record == told.record && *path == Path::record()
        };
        withdrawals().next().is_some() || self.decided.iter().any(decided)
    }

    /// Whether the author of `later` may be taken to have seen what was `told`.
    fn knew(&self, later: &Told, told: &Told) -> bool {
        let base = later.said.base.as_ref();
        is_own(later, told)
            || base.is_some_and(|base| match base.v {
                Some(v) => base.epoch != Some(self.epoch) || v >= told.v,
                None => false,
            })
            || (base.is_none() && later.said.kind == Kind::Edit)
    }
}

fn is_own(later: &Told, told: &Told) -> bool {
    later.device == told.device && later.said.n > told.said.n
}
