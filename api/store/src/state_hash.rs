//! One hash over everything that the log determines: equal stores, on either database, have equal hashes.

use crate::columns::{Id, Json};
use crate::error::StoreError;
use crate::schema::{
    conflicts, decisions, feed, forms, personal_keys, quarantine, record_aliases, records, submissions,
};
use crate::transaction::Reading;
use diesel::prelude::*;
use muong_domain::json;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How many rows are held in memory at once.
const PAGE: i64 = 1_000;

type Key = Option<Uuid>;

fn feed_hash(hash: &mut Sha256, row: &impl Serialize) {
    hash.update(serde_json::to_vec(row).expect("plain values serialise"));
    hash.update(b"\n");
}

/// PostgreSQL rewrites JSON: only its canonical text is the same on both.
fn canonical(text: &str) -> Result<String, StoreError> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| StoreError::corrupt("a record's state", error))?;
    Ok(String::from_utf8_lossy(&json::canonical(&value)).into_owned())
}

/// Hashes the store as of one snapshot; memory stays bounded.
pub fn state_hash(read: &mut impl Reading) -> Result<[u8; 32], StoreError> {
    let mut hash = Sha256::new();
    hash_records(read, &mut hash)?;
    hash_submissions(read, &mut hash)?;
    hash_conflicts(read, &mut hash)?;
    hash_quarantine(read, &mut hash)?;
    hash_feed(read, &mut hash)?;
    hash_small_tables(read, &mut hash)?;
    Ok(hash.finalize().into())
}

fn hash_records(read: &mut impl Reading, hash: &mut Sha256) -> Result<(), StoreError> {
    type Row = (
        (Id, String, Id, Option<Id>, i64, i64, String),
        (bool, Option<chrono::NaiveDate>, Option<String>, Json, Option<Vec<u8>>),
    );
    let mut after: Key = Some(Uuid::nil());
    while let Some(last) = after {
        let rows: Vec<Row> = on_backend!(read.conn(), c => records::table
            .filter(records::id.gt(Id(last)))
            .order(records::id)
            .limit(PAGE)
            .select((
                (records::id, records::form, records::unit_id, records::subject, records::version, records::created_seq, records::state),
                (records::disputed, records::occurred_on, records::natural_key, records::cells, records::personal),
            ))
            .load(c))?;
        after = rows.last().map(|row| row.0.0.0);
        for ((id, form, unit, subject, version, created, state), (disputed, day, key, cells, personal)) in rows {
            let (subject, cells) = (subject.map(|id| id.0), canonical(&cells.0)?);
            feed_hash(hash, &("record", id.0, form, unit.0, subject, version, created, state));
            feed_hash(hash, &(disputed, day, key, cells, personal));
        }
    }
    Ok(())
}

fn hash_submissions(read: &mut impl Reading, hash: &mut Sha256) -> Result<(), StoreError> {
    type Row = (i64, Id, Option<Id>, Option<Id>, Vec<u8>, String, Option<Id>, Vec<u8>, Vec<u8>);
    let mut after = Some(0);
    while let Some(last) = after {
        let rows: Vec<Row> = on_backend!(read.conn(), c => submissions::table
            .filter(submissions::seq.gt(last))
            .order(submissions::seq)
            .limit(PAGE)
            .select((
                submissions::seq,
                submissions::id,
                submissions::unit_id,
                submissions::record_id,
                submissions::content_hash,
                submissions::status,
                submissions::subject,
                submissions::body,
                submissions::result,
            ))
            .load(c))?;
        after = rows.last().map(|row| row.0);
        for (seq, id, unit, record, content, status, subject, body, result) in rows {
            let ids = (id.0, unit.map(|id| id.0), record.map(|id| id.0), subject.map(|id| id.0));
            feed_hash(hash, &("submission", seq, ids, content, status, body, result));
        }
    }
    Ok(())
}

fn hash_conflicts(read: &mut impl Reading, hash: &mut Sha256) -> Result<(), StoreError> {
    type Row = (Id, Id, String, i32, String, String, i64, Option<i64>, Option<Id>);
    let mut after: Key = Some(Uuid::nil());
    while let Some(last) = after {
        let rows: Vec<Row> = on_backend!(read.conn(), c => conflicts::table
            .filter(conflicts::id.gt(Id(last)))
            .order(conflicts::id)
            .limit(PAGE)
            .select((
                conflicts::id,
                conflicts::record_id,
                conflicts::path,
                conflicts::round,
                conflicts::code,
                conflicts::fields,
                conflicts::opened_seq,
                conflicts::closed_seq,
                conflicts::decision,
            ))
            .load(c))?;
        after = rows.last().map(|row| row.0.0);
        for (id, record, path, round, code, fields, opened, closed, decision) in rows {
            let question = ("conflict", id.0, record.0, path, round, code, fields);
            feed_hash(hash, &(question, opened, closed, decision.map(|id| id.0)));
        }
    }
    Ok(())
}

fn hash_quarantine(read: &mut impl Reading, hash: &mut Sha256) -> Result<(), StoreError> {
    type Row = (Id, Id, Option<Id>, String, Option<Id>, i64, Option<i64>, Option<String>, Option<Vec<u8>>);
    let mut after: Key = Some(Uuid::nil());
    while let Some(last) = after {
        let rows: Vec<Row> = on_backend!(read.conn(), c => quarantine::table
            .filter(quarantine::id.gt(Id(last)))
            .order(quarantine::id)
            .limit(PAGE)
            .select((
                quarantine::id,
                quarantine::submission_id,
                quarantine::unit_id,
                quarantine::code,
                quarantine::waits_on,
                quarantine::opened_seq,
                quarantine::closed_seq,
                quarantine::closing,
                quarantine::outcome,
            ))
            .load(c))?;
        after = rows.last().map(|row| row.0.0);
        for (id, submission, unit, code, waits, opened, closed, closing, outcome) in rows {
            let ids = (id.0, submission.0, unit.map(|id| id.0), waits.map(|id| id.0));
            feed_hash(hash, &("quarantine", ids, code, opened, closed, closing, outcome));
        }
    }
    Ok(())
}

fn hash_feed(read: &mut impl Reading, hash: &mut Sha256) -> Result<(), StoreError> {
    type Row = (Id, Id, String, i64, bool);
    let mut after = Some((i64::MIN, Uuid::nil()));
    while let Some((seq, id)) = after {
        // Several things may carry one seq (a record and its alias), so the position is (seq, id).
        let rows: Vec<Row> = on_backend!(read.conn(), c => feed::table
            .filter(feed::seq.gt(seq).or(feed::seq.eq(seq).and(feed::id.gt(Id(id)))))
            .order((feed::seq, feed::id, feed::scope))
            .limit(PAGE)
            .select((feed::id, feed::scope, feed::kind, feed::seq, feed::present))
            .load(c))?;
        after = rows.last().map(|row| (row.3, row.0.0));
        for (id, scope, kind, seq, present) in rows {
            feed_hash(hash, &("feed", id.0, scope.0, kind, seq, present));
        }
    }
    Ok(())
}

/// Aliases, cards, decisions and forms: few beside what they belong to.
fn hash_small_tables(read: &mut impl Reading, hash: &mut Sha256) -> Result<(), StoreError> {
    let conn = read.conn();
    let aliases: Vec<(Id, Id, Id, i64)> =
        on_backend!(conn, c => record_aliases::table.order((record_aliases::alias, record_aliases::unit_id)).load(c))?;
    for (alias, unit, record, seq) in aliases {
        feed_hash(hash, &("alias", alias.0, unit.0, record.0, seq));
    }
    let keys: Vec<(String, Vec<u8>, Id)> =
        on_backend!(conn, c => personal_keys::table.order((personal_keys::kind, personal_keys::digest)).load(c))?;
    for (kind, digest, record) in keys {
        feed_hash(hash, &("key", kind, digest, record.0));
    }
    let decided: Vec<(Id, i64, String, Id, Vec<u8>)> = on_backend!(conn, c => decisions::table
        .order(decisions::seq)
        .select((decisions::id, decisions::seq, decisions::kind, decisions::target, decisions::body))
        .load(c))?;
    for (id, seq, kind, target, body) in decided {
        feed_hash(hash, &("decision", id.0, seq, kind, target.0, body));
    }
    let published: Vec<(String, i32, String)> = on_backend!(conn, c => forms::table
        .order((forms::code, forms::version))
        .select((forms::code, forms::version, forms::definition))
        .load(c))?;
    for form in published {
        feed_hash(hash, &("form", form));
    }
    Ok(())
}
