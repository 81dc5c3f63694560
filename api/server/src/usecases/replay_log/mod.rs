//! Rebuilds a store from the log of another one: everything that was accepted, merged, put into conflict, quarantined
//! and decided, again, without asking again whether it was allowed. The proof that the log is the source of truth.

mod reference;

use self::reference::{retell_form, retell_unit};
use super::discard_quarantined::{self, Discard};
use super::move_record::{self, Moving};
use super::push::assess::Assessed;
use super::push::desk::{Desk, Read};
use super::push::judge::{Exclusion, Right};
use super::push::outcome::Recorded;
use super::push::person;
use super::push::readdress::Readdressed;
use super::push::said::{Origin, Said};
use super::push::working_set::{CARD, WorkingSet};
use super::release_quarantined::Releasing;
use super::resolve_conflict::{self, Resolving};
use super::review::{self, Reason};
use crate::config::Limits;
use crate::reference::ReferenceCache;
use chrono::{DateTime, Utc};
use muong_domain::access::{Action, Grant};
use muong_domain::development::Basis;
use muong_domain::id::{ConflictId, GrantId, QuarantineId, RecordId, SubmissionId, UnitId, UserId};
use muong_domain::time::local_date;
use muong_store::decisions::{DecisionCopy, StoredDecision};
use muong_store::log::{StoredEntry, append_copy};
use muong_store::remains::Erasures;
use muong_store::submissions::{StoredSubmission, SubmissionCopy};
use muong_store::{
    Database, DatabaseUrl, Outcome, Snapshot, StoreError, Tx, Vault, Writer, WriterError, WriterOptions, compaction,
    conflicts, decisions, establish_epoch, grants, log, migrate, quarantine, records, seal, state_hash, submissions,
    units,
};
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;
use uuid::Uuid;

/// How many entries share a transaction of the new store.
const PAGE: i64 = 200;

/// One entry, with what it refers to.
#[derive(Clone)]
struct Told {
    entry: StoredEntry,
    submission: Option<StoredSubmission>,
    decision: Option<StoredDecision>,
    copied: Option<Copied>,
}

/// What is taken over as it stands, since nobody can open it any more: said of, or decided about, somebody erased since.
#[derive(Clone)]
enum Copied {
    Submission(SubmissionCopy),
    Decision(DecisionCopy),
}

/// What two equal stores have in common: the hash over everything, and the last hash of the log's chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// Of what the log determines.
    pub store: [u8; 32],
    /// Of the log itself.
    pub chain: Vec<u8>,
}

impl State {
    /// Of a store as it is now.
    pub fn of(store: &Database) -> Result<Self, StoreError> {
        store.read(|snapshot| Ok(Self { store: state_hash(snapshot)?, chain: snapshot.head()?.chain }))
    }
}

/// Rebuilds a store from its log in an empty database, and answers the copy. Equal stores have the same [`State`].
pub fn rebuild(
    source: &Database,
    url: DatabaseUrl,
    vault: &Arc<Vault>,
    now: DateTime<Utc>,
) -> Result<Database, WriterError> {
    let mut conn = url.open()?;
    migrate(&mut conn)?;
    // The replay begins the epoch in which the log began.
    establish_epoch(&mut conn, Uuid::nil(), now)?;
    drop(conn);
    let clock = Arc::new(move || now);
    let (writer, thread) =
        Writer::start(url.clone(), Arc::clone(vault), Arc::default(), WriterOptions::default(), clock)?;
    let replayed = writer
        .write::<(), Infallible>(1, |tx| seal::establish(tx).map(Outcome::Commit))
        .and_then(|_| replay_log(source, &writer, &Limits::default()));
    drop(writer);
    thread.join().map_err(|_panicked| WriterError::Stopped)?;
    replayed?;
    Ok(Database::open(url, Some(Arc::clone(vault)), 1)?)
}

/// Replays the whole log of `source` into the empty store behind `target`; answers how many entries.
pub fn replay_log(source: &Database, target: &Writer, limits: &Limits) -> Result<usize, WriterError> {
    let cache = Arc::new(ReferenceCache::of_one_writer());
    let first = first_epoch(source)?;
    begin(target, first)?;
    take_over_keys(source, target)?;
    let erasures = Arc::new(source.read(erasures)?);
    let (mut after, mut count) = (muong_domain::id::Seq::ZERO, 0);
    loop {
        let page = source.read(|snapshot| told(snapshot, after, &erasures))?;
        let Some(last) = page.last() else { break };
        after = last.entry.seq();
        count += page.len();
        let (cache, erasures, limits) = (Arc::clone(&cache), Arc::clone(&erasures), *limits);
        let written = target.write(page.len(), move |tx| {
            for told in &page {
                match &told.copied {
                    Some(copied) => take_over(tx, &cache, &erasures, &told.entry, copied)?,
                    None => retell(tx, &cache, &limits, told)?,
                }
            }
            Ok(Outcome::<(), ()>::Commit(()))
        });
        written?;
    }
    close_trees(target)?;
    Ok(count)
}

/// With the same keys everything digests to the same again; and what has been erased stays so.
fn take_over_keys(source: &Database, target: &Writer) -> Result<(), WriterError> {
    let mut last: Option<seal::KeyCopy> = None;
    loop {
        let page = source.read(|snapshot| seal::copies(snapshot, last.as_ref(), 1_000))?;
        let Some(end) = page.last().cloned() else { break };
        last = Some(end);
        target.write::<(), Infallible>(1, move |tx| seal::take_over(tx, &page).map(Outcome::Commit))?;
    }
    target.write::<(), Infallible>(1, |tx| seal::establish(tx).map(Outcome::Commit))?;
    Ok(())
}

/// The closure of the trees follows from the units; no rule asks for it, so it is made once, at the end.
fn close_trees(target: &Writer) -> Result<(), WriterError> {
    target.write(1, |tx| {
        let all = units::load_all(tx)?;
        units::rebuild_closure(tx, &muong_domain::access::Authority::operator_of_the_server(), &all)?;
        Ok(Outcome::<(), ()>::Commit(()))
    })?;
    Ok(())
}

/// The epoch in which the log began.
fn first_epoch(source: &Database) -> Result<Uuid, StoreError> {
    #[derive(Deserialize)]
    struct Epoch {
        previous: Uuid,
    }
    source.read(|snapshot| {
        let mut after = muong_domain::id::Seq::ZERO;
        loop {
            let page = log::page(snapshot, after, 1_000)?;
            let Some(last) = page.last() else { return Ok(snapshot.head()?.epoch) };
            after = last.seq();
            if let Some(entry) = page.iter().find(|entry| entry.kind() == "epoch") {
                return command::<Epoch>(entry).map(|epoch| epoch.previous);
            }
        }
    })
}

fn begin(target: &Writer, epoch: Uuid) -> Result<(), WriterError> {
    target.write(1, move |tx| {
        let lineage = tx.head().lineage.clone();
        tx.begin_epoch(epoch, lineage);
        Ok(Outcome::<(), ()>::Commit(()))
    })?;
    Ok(())
}

/// Every erasure, before anything is retold: up to each, what concerned the erased is not said again.
fn erasures(snapshot: &mut Snapshot<'_>) -> Result<Erasures, StoreError> {
    let mut erasures = Erasures::default();
    for entry in log::of_kind(snapshot, "erase")? {
        erasures.learn(entry.seq(), command(&entry)?);
    }
    Ok(erasures)
}

fn told(
    snapshot: &mut Snapshot<'_>,
    after: muong_domain::id::Seq,
    erasures: &Erasures,
) -> Result<Vec<Told>, StoreError> {
    let entries = log::page(snapshot, after, PAGE)?;
    let ids: Vec<Uuid> = entries.iter().map(StoredEntry::reference).collect();
    let said = submissions::by_ids(snapshot, &ids.iter().copied().map(Into::into).collect::<Vec<_>>())?;
    let decided = decisions::by_ids(snapshot, &ids)?;
    let covered: Vec<SubmissionId> = said.iter().filter(|s| erasures.cover(s)).map(|s| s.id).collect();
    let said_copies = submissions::copies(snapshot, &covered)?;
    let about_erased = |d: &&StoredDecision| d.kind == "erase" || erasures.cover_decision(d.seq, d.subject, d.target);
    let covered: Vec<Uuid> = decided.iter().filter(about_erased).map(|d| d.id).collect();
    let decided_copies = decisions::copies(snapshot, &covered)?;
    let copied = |seq| {
        let said = said_copies.iter().find(|copy| copy.seq() == seq).cloned().map(Copied::Submission);
        said.or_else(|| decided_copies.iter().find(|copy| copy.seq() == seq).cloned().map(Copied::Decision))
    };
    let find = |entry: StoredEntry| Told {
        submission: said.iter().find(|s| s.seq == entry.seq()).cloned(),
        decision: decided.iter().find(|d| d.seq == entry.seq()).cloned(),
        copied: copied(entry.seq()),
        entry,
    };
    Ok(entries.into_iter().map(find).collect())
}

fn take_over(
    tx: &mut Tx<'_>,
    cache: &ReferenceCache,
    erasures: &Erasures,
    entry: &StoredEntry,
    copied: &Copied,
) -> Result<(), StoreError> {
    let v = append_copy(tx, entry);
    match copied {
        Copied::Submission(copy) => submissions::take_over(tx, copy)?,
        Copied::Decision(copy) => decisions::take_over(tx, copy)?,
    }
    if let (Copied::Decision(copy), "resolve") = (copied, entry.kind())
        && let Some(record) = erasures.record_of(ConflictId::new(copy.target()))
    {
        conflicts::tell_decided(tx, ConflictId::new(copy.target()), record, v)?;
    }
    if entry.kind() != "erase" {
        return erasures.put_back_of(tx, v);
    }
    let remains = erasures.put_back(tx, v)?;
    let grant = grant(entry, None, Action::ErasePersons);
    for person in remains.people.iter().filter(|person| **person != remains.person) {
        hold_card(tx, cache, grant, *person)?;
    }
    Ok(())
}

/// A card follows from what stands of its holder.
fn hold_card(tx: &mut Tx<'_>, cache: &ReferenceCache, grant: Grant, person: RecordId) -> Result<(), StoreError> {
    let as_of = tx.head().reference_as_of();
    let reference = cache.get(tx, as_of)?;
    let mut set = WorkingSet::load(tx, reference, &[])?;
    set.learn_record(tx, person)?;
    let Some(stored) = set.record(person) else { return Ok(()) };
    let view = person::view_of(&set, &stored.record);
    let today = local_date(tx.received_at());
    let basis = Basis { rules: &set.reference.rules, calendar: &set.reference.calendar, today };
    let cards = person::cards_after(&set, &stored.record, stored.live.then_some(&view), &basis)?;
    let held: Vec<_> = cards.into_iter().map(|(person, card)| (grant, person, card)).collect();
    records::hold(tx, CARD, &held)
}

fn command<T: for<'de> Deserialize<'de>>(entry: &StoredEntry) -> Result<T, StoreError> {
    let text = entry.command().ok_or_else(|| review::not_loaded("a command of the log"))?;
    serde_json::from_str(text).map_err(|error| StoreError::corrupt("a command of the log", error))
}

fn retell(tx: &mut Tx<'_>, cache: &ReferenceCache, limits: &Limits, told: &Told) -> Result<(), StoreError> {
    tx.set_received_at(told.entry.received_at());
    match (told.entry.kind(), &told.submission, &told.decision) {
        ("submission", Some(said), _) => retell_submission(tx, cache, limits, &told.entry, said),
        ("resolve" | "release" | "discard" | "move", _, Some(decision)) => {
            retell_decision(tx, cache, limits, &told.entry, decision)
        }
        ("unit", ..) => retell_unit(tx, &told.entry),
        ("form", ..) => retell_form(tx, &told.entry),
        ("grant", ..) => {
            let v = append_copy(tx, &told.entry);
            let command = told.entry.command().ok_or_else(|| review::not_loaded("a command of the log"))?;
            grants::replay_feed(tx, command, v)
        }
        ("epoch", ..) => {
            let lineage = tx.head().lineage.clone();
            tx.begin_epoch(told.entry.reference(), lineage);
            append_copy(tx, &told.entry);
            Ok(())
        }
        (compaction::KIND, ..) => {
            let Compacted { floor } = command(&told.entry)?;
            append_copy(tx, &told.entry);
            compaction::remove(tx, floor).map(drop)
        }
        ("submission" | "resolve" | "release" | "discard" | "move", ..) => {
            Err(review::not_loaded("what the log refers to"))
        }
        // Users, devices, sessions and grants say who might; what they might is not asked again. Anchors of the audit
        // vouch for chains that are no part of the store's state.
        _ => {
            append_copy(tx, &told.entry);
            Ok(())
        }
    }
}

/// Up to where tombstones were taken out of the feed.
#[derive(Deserialize)]
struct Compacted {
    floor: muong_domain::id::Seq,
}

fn grant(entry: &StoredEntry, unit: Option<UnitId>, action: Action) -> Grant {
    let nobody = UserId::new(Uuid::nil());
    let id = entry.grant().unwrap_or(GrantId::new(Uuid::nil()));
    Grant::replayed(id, entry.actor().unwrap_or(nobody), unit.unwrap_or(UnitId::new(Uuid::nil())), action)
}

fn retell_submission(
    tx: &mut Tx<'_>,
    cache: &ReferenceCache,
    limits: &Limits,
    entry: &StoredEntry,
    stored: &StoredSubmission,
) -> Result<(), StoreError> {
    let as_of = tx.head().reference_as_of();
    let reference = cache.get(tx, as_of)?;
    let told = stored.told.as_ref().ok_or_else(|| StoreError::corrupt("a submission", "erased"))?;
    let mut said = Said::read(Arc::clone(&told.body), limits);
    said.name(tx)?;
    let assessed = Assessed::of(&said, &reference, local_date(tx.received_at()));
    let items = [(said, assessed)];
    let [(said, assessed)] = &items;
    let set = WorkingSet::load(tx, reference, &items.each_ref())?;
    let recorded: Recorded =
        serde_json::from_slice(&told.result).map_err(|error| StoreError::corrupt("a result", error))?;
    let origin: Origin = origin(stored)?;
    let mut desk = Desk { set, origin: &origin };
    if recorded.status.is_in() {
        let action = assessed.as_ref().map_or(Action::Report, Assessed::action);
        let right = Right::Granted(grant(entry, stored.unit, action));
        desk.take_new(tx, said, stored.id, assessed.as_ref(), right)?;
    } else {
        // Refused then, so it is now: why may have depended on who said it, which is not asked again.
        let waits_on = Exclusion::waited_on(&recorded.errors);
        let exclusion = Exclusion { status: recorded.status, errors: recorded.errors, waits_on };
        let there = said.submission.as_deref().ok().zip(assessed.as_ref()).and_then(|(submission, assessed)| {
            // It waits where what it names had gone.
            let gone = desk.set.has_gone(submission, assessed)?;
            let to = Some(gone.record.unit).filter(|to| stored.unit == Some(*to))?;
            Some(Readdressed::new(&desk.set, submission, assessed, to, tx.received_at()))
        });
        let read = match (said.submission.as_deref(), assessed.as_ref(), &there) {
            (Ok(submission), ..) if exclusion.is_unjudged() => Read::Unjudged(submission, stored.unit),
            (.., Some(there)) if stored.id == said.id => Read::Whole(&there.submission, &there.assessed),
            (Ok(submission), Some(assessed), _) if stored.id == said.id => Read::Whole(submission, assessed),
            _ => Read::Not(stored.unit),
        };
        desk.exclude_about(tx, said, stored.id, stored.author, (read, stored.subject), exclusion)?;
    }
    desk.set.flush(tx)
}

fn origin(stored: &StoredSubmission) -> Result<Origin, StoreError> {
    #[derive(Deserialize)]
    struct Kept {
        client: Option<String>,
        sent_at: Option<chrono::DateTime<chrono::Utc>>,
    }
    let kept: Kept = serde_json::from_str(&stored.origin).map_err(|e| StoreError::corrupt("an origin", e))?;
    Ok(Origin { user: stored.author, device: stored.device, client: kept.client, sent_at: kept.sent_at })
}

fn retell_decision(
    tx: &mut Tx<'_>,
    cache: &ReferenceCache,
    limits: &Limits,
    entry: &StoredEntry,
    decision: &StoredDecision,
) -> Result<(), StoreError> {
    let as_of = tx.head().reference_as_of();
    let reference = cache.get(tx, as_of)?;
    if decision.kind == "resolve" {
        let decided = resolve_conflict::recorded(decision)?;
        let conflict = conflicts::find(tx, decided.conflict)?.ok_or_else(|| review::not_loaded("a conflict"))?;
        let mut set = WorkingSet::load(tx, reference, &[])?;
        set.learn_record(tx, conflict.record)?;
        let grant = grant(entry, Some(conflict.unit), Action::Review);
        let resolved = Resolving { conflict: &conflict, decision: &decided, grant }.resolve(tx, set)?;
        return resolved.map(drop).map_err(|_| StoreError::corrupt("a decision", "it cannot be repeated"));
    }
    if decision.kind == "move" {
        let recorded = move_record::recorded(decision)?;
        let (record, from, to) = (recorded.record, recorded.from, recorded.to);
        let grant = grant(entry, Some(to), Action::Review);
        return Moving { record, from, to, grant }.repeat(tx, reference, &recorded);
    }
    let id = QuarantineId::new(decision.target);
    let waiting = quarantine::find(tx, id)?.ok_or_else(|| review::not_loaded("a quarantined submission"))?;
    let elsewhere = |unit| Some(grant(entry, Some(unit), Action::Review));
    let grant = grant(entry, waiting.unit, Action::Review);
    let reason = reason(decision)?;
    if decision.kind == "discard" {
        let discard = Discard { quarantine: id, decision: decision.id, reason };
        return discard_quarantined::close(tx, &grant, waiting, &discard);
    }
    let releasing = Releasing { reference, grant, elsewhere: &elsewhere, limits, reason: &reason };
    let released = releasing.release(tx, &waiting, decision.id)?;
    released.map(drop).map_err(|_| StoreError::corrupt("a decision", "it cannot be repeated"))
}

fn reason(decision: &StoredDecision) -> Result<Reason, StoreError> {
    #[derive(Deserialize)]
    struct Body {
        reason: String,
    }
    let body: Body = serde_json::from_slice(&decision.body).map_err(|e| StoreError::corrupt("a decision", e))?;
    Reason::parse(&body.reason).ok_or_else(|| StoreError::corrupt("a decision", "no reason"))
}
