//! What a store makes of what phones said, without anything that depends on when it heard it: no seq, no epoch, no version.
//! Two stores that heard the same are equal by it, also when one of them heard a part of it twice, after a restore.

use crate::database::{Backend, texts};
use muong_domain::id::{RecordId, Seq, SubmissionId};
use muong_store::{Database, Reading, Snapshot, StoreError, conflicts, log, names, quarantine, records, submissions};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

fn ids(database: &Database, backend: Backend, table: &str, column: &str) -> Vec<Uuid> {
    let mut conn = database.url().open().expect("the database opens");
    let text = match backend {
        Backend::Sqlite => format!("SELECT lower(hex({column})) AS name FROM {table}"),
        Backend::Postgres => format!("SELECT {column}::text AS name FROM {table}"),
    };
    texts(&mut conn, &text).iter().map(|id| id.parse().expect("a UUID")).collect()
}

/// Everything, each thing under its own id.
pub fn what_was_said(database: &Database, backend: Backend) -> BTreeMap<String, Value> {
    let of = |table, column| ids(database, backend, table, column);
    let (all, said, aliases) = (of("records", "id"), of("submissions", "id"), of("record_aliases", "alias"));
    let told = |read: &mut Snapshot<'_>| {
        let mut entries = BTreeMap::new();
        let mut after = Seq::ZERO;
        loop {
            let page = log::page(read, after, 1_000)?;
            let Some(last) = page.last() else { break };
            after = last.seq();
            entries.extend(page.into_iter().map(|entry| (entry.seq(), entry.reference())));
        }
        let mut out = BTreeMap::new();
        tell_records(read, &all, &entries, &mut out)?;
        tell_submissions(read, &said, &mut out)?;
        let ids: Vec<RecordId> = aliases.iter().copied().map(RecordId::new).collect();
        for (alias, unit, record) in names::aliases(read, &ids)? {
            out.insert(format!("alias {alias} {unit}"), json!(record));
        }
        Ok(out)
    };
    database.read(told).expect("a store")
}

fn tell_records(
    read: &mut impl Reading,
    all: &[Uuid],
    entries: &BTreeMap<Seq, Uuid>,
    out: &mut BTreeMap<String, Value>,
) -> Result<(), StoreError> {
    let ids: Vec<RecordId> = all.iter().copied().map(RecordId::new).collect();
    let names = |by: &mut dyn Iterator<Item = Seq>| -> Vec<Option<Uuid>> {
        let mut names: Vec<_> = by.map(|seq| entries.get(&seq).copied()).collect();
        names.sort_unstable();
        names
    };
    for stored in records::by_ids(read, &ids)? {
        let record = &stored.record;
        let cells: BTreeMap<String, Value> = (record.cells.iter())
            .map(|(path, cell)| {
                let claims: BTreeMap<String, Value> = (cell.claims.iter())
                    .map(|claim| (claim.value.to_string(), json!(names(&mut claim.by.iter().copied()))))
                    .collect();
                let shown = cell.claims.first().filter(|_| cell.claims.len() == 1).map(|claim| &claim.value);
                let contest = cell.contest.as_ref().map(|contest| (contest.round, contest.code.clone()));
                (path.to_string(), json!({"claims": claims, "shown": shown, "contest": contest, "rounds": cell.rounds}))
            })
            .collect();
        let deletions = names(&mut record.deletions.iter().map(|deletion| deletion.by));
        let questions: Vec<String> = record.questions.keys().map(ToString::to_string).collect();
        out.insert(
            format!("record {}", record.id),
            json!({"form": record.form, "unit": record.unit, "cells": cells, "deletions": deletions,
                "questions": questions, "live": stored.live, "key": stored.natural_key, "subject": stored.subject,
                "on": stored.occurred_on}),
        );
    }
    for conflict in conflicts::of_records(read, &ids)? {
        let conflicts::StoredConflict { id, record, path, round, code, fields, closed, .. } = conflict;
        let told = json!({"record": record, "path": path.to_string(), "round": round, "code": code, "fields": fields,
            "closed": closed.is_some()});
        out.insert(format!("conflict {id}"), told);
    }
    Ok(())
}

fn tell_submissions(
    read: &mut impl Reading,
    all: &[Uuid],
    out: &mut BTreeMap<String, Value>,
) -> Result<(), StoreError> {
    let ids: Vec<SubmissionId> = all.iter().copied().map(SubmissionId::new).collect();
    for said in submissions::by_ids(read, &ids)? {
        // Neither the number nor the device is a part of what was said.
        let body = said.told.as_ref().map(|told| {
            let mut body: Value = serde_json::from_slice(&told.body).unwrap_or(Value::Null);
            if let Some(members) = body.as_object_mut() {
                ["n", "after_lost"].iter().for_each(|name| drop(members.remove(*name)));
            }
            body
        });
        let told = json!({"author": said.author, "unit": said.unit, "record": said.record, "status": said.status,
            "subject": said.subject, "body": body});
        out.insert(format!("submission {}", said.id), told);
    }
    for waiting in quarantine::of_submissions(read, &ids)? {
        let told = json!({"submission": waiting.submission, "code": waiting.code, "unit": waiting.unit,
            "waits_on": waiting.waits_on, "closing": waiting.closing.map(quarantine::Closing::as_str)});
        out.insert(format!("quarantine {}", waiting.id), told);
    }
    Ok(())
}

/// Fails by naming each thing that is different.
#[track_caller]
pub fn assert_same(after: &BTreeMap<String, Value>, before: &BTreeMap<String, Value>) {
    let keys = before.keys().chain(after.keys()).collect::<std::collections::BTreeSet<_>>();
    let different: Vec<String> = (keys.into_iter())
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| {
            format!(
                "{key}:\n  was {:?}\n  is  {:?}",
                before.get(key).map(ToString::to_string),
                after.get(key).map(ToString::to_string)
            )
        })
        .collect();
    assert!(different.is_empty(), "{}", different.join("\n"));
}
