//! One hash over everything that the log determines: equal stores, on either database, have equal hashes. What is sealed
//! is opened first: two stores have different keys. Digests, which differ with the keys, are left out; what they are of
//! is in it.

use crate::columns::Id;
use crate::error::StoreError;
use crate::quarantine::Closing;
use crate::records::StoredRecord;
use crate::schema::{
    conflicts, erased_records, erased_submissions, feed, forms, personal_keys, record_aliases, record_moves,
    unit_codes, unit_coverage, unit_versions,
};
use crate::transaction::Reading;
use crate::{decisions, quarantine, records, submissions};
use diesel::prelude::*;
use muong_domain::id::{QuarantineId, RecordId, Seq};
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
    hash_decisions(read, &mut hash)?;
    hash_feed(read, &mut hash)?;
    hash_small_tables(read, &mut hash)?;
    hash_units(read, &mut hash)?;
    hash_erased(read, &mut hash)?;
    Ok(hash.finalize().into())
}

fn hash_records(read: &mut impl Reading, hash: &mut Sha256) -> Result<(), StoreError> {
    let mut after = Some(RecordId::new(Uuid::nil()));
    while let Some(last) = after {
        let page = records::page(read, last, PAGE)?;
        after = page.last().map(|stored| stored.record.id);
        for StoredRecord { record, subject, live, occurred_on, natural_key } in page {
            let (state, _) = record.to_documents(|_| false);
            let columns = ("record", record.id, &record.form, record.unit, record.version, record.created);
            feed_hash(hash, &(columns, subject, live, occurred_on, natural_key, canonical(&state)?));
        }
    }
    Ok(())
}

fn hash_submissions(read: &mut impl Reading, hash: &mut Sha256) -> Result<(), StoreError> {
    let mut after = Some(Seq::ZERO);
    while let Some(last) = after {
        let page = submissions::page(read, last, PAGE)?;
        after = page.last().map(|stored| stored.seq);
        for s in page {
            let told = s.told.map(|told| (told.body.to_vec(), told.result));
            feed_hash(hash, &("submission", s.seq, s.id, s.unit, s.record, s.subject, s.status, told));
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
    let mut after = Some(QuarantineId::new(Uuid::nil()));
    while let Some(last) = after {
        let page = quarantine::page(read, last, PAGE)?;
        after = page.last().map(|waiting| waiting.id);
        for q in page {
            let closing = (q.closed, q.closing.map(Closing::as_str), q.outcome);
            feed_hash(hash, &("quarantine", q.id, q.submission, q.unit, q.code, q.waits_on, q.opened, closing));
        }
    }
    Ok(())
}

fn hash_decisions(read: &mut impl Reading, hash: &mut Sha256) -> Result<(), StoreError> {
    let mut after = Some(Seq::ZERO);
    while let Some(last) = after {
        let page = decisions::page(read, last, PAGE)?;
        after = page.last().map(|decision| decision.seq);
        for d in page {
            feed_hash(hash, &("decision", d.id, d.seq, d.kind, d.target, d.body));
        }
    }
    Ok(())
}

fn hash_feed(read: &mut impl Reading, hash: &mut Sha256) -> Result<(), StoreError> {
    type Row = (Id, Id, String, i64, bool);
    let mut after = Some((i64::MIN, Uuid::nil(), Uuid::nil()));
    while let Some((seq, id, scope)) = after {
        // Several things may carry one seq (a record and its alias), and one thing in several scopes (where it has left, and
        // where it is now).
        let later = feed::id.gt(Id(id)).or(feed::id.eq(Id(id)).and(feed::scope.gt(Id(scope))));
        let rows: Vec<Row> = on_backend!(read.conn(), c => feed::table
            .filter(feed::seq.gt(seq).or(feed::seq.eq(seq).and(later)))
            .order((feed::seq, feed::id, feed::scope))
            .limit(PAGE)
            .select((feed::id, feed::scope, feed::kind, feed::seq, feed::present))
            .load(c))?;
        after = rows.last().map(|row| (row.3, row.0.0, row.1.0));
        for (id, scope, kind, seq, present) in rows {
            feed_hash(hash, &("feed", id.0, scope.0, kind, seq, present));
        }
    }
    Ok(())
}

/// Aliases, units that were left, cards and forms: few beside what they belong to.
fn hash_small_tables(read: &mut impl Reading, hash: &mut Sha256) -> Result<(), StoreError> {
    let conn = read.conn();
    let aliases: Vec<(Id, Id, Id, i64)> =
        on_backend!(conn, c => record_aliases::table.order((record_aliases::alias, record_aliases::unit_id)).load(c))?;
    for (alias, unit, record, seq) in aliases {
        feed_hash(hash, &("alias", alias.0, unit.0, record.0, seq));
    }
    let moves: Vec<(Id, Id, i64)> =
        on_backend!(conn, c => record_moves::table.order((record_moves::record_id, record_moves::unit_id)).load(c))?;
    for (record, unit, seq) in moves {
        feed_hash(hash, &("left", record.0, unit.0, seq));
    }
    let keys: Vec<(String, Id)> = on_backend!(conn, c => personal_keys::table
        .order((personal_keys::kind, personal_keys::record_id))
        .select((personal_keys::kind, personal_keys::record_id))
        .load(c))?;
    for (kind, record) in keys {
        feed_hash(hash, &("key", kind, record.0));
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

/// What is known of somebody erased by the ledger alone.
fn hash_erased(read: &mut impl Reading, hash: &mut Sha256) -> Result<(), StoreError> {
    let conn = read.conn();
    let said: Vec<(Id, Id, i64)> =
        on_backend!(&mut *conn, c => erased_submissions::table.order(erased_submissions::id).load(c))?;
    for (id, author, seq) in said {
        feed_hash(hash, &("erased submission", id.0, author.0, seq));
    }
    let records: Vec<(Id, Id, i64)> = on_backend!(conn, c => erased_records::table
        .order((erased_records::id, erased_records::unit_id))
        .load(c))?;
    for (id, unit, seq) in records {
        feed_hash(hash, &("erased record", id.0, unit.0, seq));
    }
    Ok(())
}

/// The trees, with all that they were.
fn hash_units(read: &mut impl Reading, hash: &mut Sha256) -> Result<(), StoreError> {
    type Day = chrono::NaiveDate;
    type Version = (Id, Day, Option<Day>, String, String, Option<Id>, i64);
    let conn = read.conn();
    let versions: Vec<Version> = on_backend!(conn, c => unit_versions::table
        .order((unit_versions::unit_id, unit_versions::valid_from))
        .load(c))?;
    for (unit, from, to, kind, name, parent, began) in versions {
        feed_hash(hash, &("unit", unit.0, from, to, kind, name, parent.map(|id| id.0), began));
    }
    // In an order that no collation decides.
    let mut codes: Vec<(String, String, Day, Id, Option<Day>)> = on_backend!(conn, c => unit_codes::table.load(c))?;
    codes.sort_unstable_by(|a, b| (&a.0, &a.1, a.2).cmp(&(&b.0, &b.1, b.2)));
    for (scheme, code, from, unit, to) in codes {
        feed_hash(hash, &("code", scheme, code, from, unit.0, to));
    }
    let covered: Vec<(Id, Id, Day, Option<Day>)> = on_backend!(conn, c => unit_coverage::table
        .order((unit_coverage::branch_id, unit_coverage::village_id, unit_coverage::valid_from))
        .load(c))?;
    for (branch, village, from, to) in covered {
        feed_hash(hash, &("covers", branch.0, village.0, from, to));
    }
    Ok(())
}
