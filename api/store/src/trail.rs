//! The audit trail as one list, the newest first: entries of the log, which are the audit of changes, and rows of the audit
//! chains. Each list begins at one index and walks it in order; what else is asked is the caller's to pick out.
//! Who may see what of it is not decided here.

use crate::audit::{AuditRow, subjects_of};
use crate::columns::{Id, Instant};
use crate::dialect::BIND_CHUNK;
use crate::error::StoreError;
use crate::schema::{audit, audit_subjects, conflicts, decisions, log, quarantine, records, submissions};
use crate::transaction::Reading;
use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Text};
use muong_domain::id::{DeviceId, GrantId, RecordId, Seq, UnitId, UserId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// The kind of the log's most frequent entries.
pub const SUBMISSION: &str = "submission";
/// As the index `log_by_kind` says it.
pub(crate) const IS_NO_SUBMISSION: &str = "log.kind <> 'submission'";

/// Where something stands in the list. Of one instant, rows of chains come before entries of the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// When.
    pub at: DateTime<Utc>,
    /// The chain; nil for the log.
    pub chain: Uuid,
    /// The position in the chain, or the seq.
    pub number: i64,
}

/// From which end a list begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum By {
    /// Everything, by time.
    Time,
    /// What somebody did.
    User(UserId),
    /// One kind.
    Kind(String),
    /// What concerns this person.
    Person(RecordId),
    /// What concerns this record.
    Record(RecordId),
}

/// Which part of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Only what comes after this place in the list, which is to say: before it in time.
    pub after: Place,
    /// The first instant.
    pub from: DateTime<Utc>,
    /// At most so many.
    pub limit: i64,
}

/// One item of the trail.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Where it stands.
    pub place: Place,
    /// What kind.
    pub kind: String,
    /// Who; none for the system, the operator, or somebody unknown.
    pub user: Option<UserId>,
    /// From which device.
    pub device: Option<DeviceId>,
    /// By which grant a change was allowed.
    pub grant: Option<GrantId>,
    /// Of a change: which submission, decision, unit, user … it is.
    pub reference: Option<Uuid>,
    /// Of a change of users, devices, sessions and grants, and of a move: the change itself.
    pub command: Option<String>,
    /// The operation.
    pub what: Option<String>,
    /// How it ended.
    pub outcome: String,
    /// Why, as its author stated.
    pub reason: Option<String>,
    /// The request.
    pub request: Option<Uuid>,
    /// The address that it came from.
    pub address: Option<String>,
    /// The records and persons concerned, with their units.
    pub subjects: BTreeMap<Uuid, Option<UnitId>>,
    /// The unit of a change, when it names one that exists.
    pub unit: Option<UnitId>,
}

/// A part of the list, in its order.
pub fn page(read: &mut impl Reading, by: &By, window: Window) -> Result<Vec<Trace>, StoreError> {
    let mut found = noted(read, by, window)?;
    found.extend(logged(read, by, window)?);
    found.sort_unstable_by_key(|trace| std::cmp::Reverse(trace.place));
    found.truncate(usize::try_from(window.limit).unwrap_or(usize::MAX));
    place_changes(read, &mut found)?;
    show_subjects(read, &mut found)?;
    Ok(found)
}

// --- rows of the chains -----------------------------------------------------------------------------------

/// What lies in the window, of a table with these columns. `le` bounds the walk of the index; the rest picks the place.
macro_rules! within {
    ($table:ident, $window:expr) => {{
        let Place { at, chain, number } = $window.after;
        let (at, chain) = (Instant(at), Id(chain));
        let same = $table::chain.lt(chain).or($table::chain.eq(chain).and($table::position.lt(number)));
        $table::at
            .ge(Instant($window.from))
            .and($table::at.le(at))
            .and($table::at.lt(at).or($table::at.eq(at).and(same)))
    }};
}

macro_rules! newest_first {
    ($table:ident) => {
        ($table::at.desc(), $table::chain.desc(), $table::position.desc())
    };
}

fn noted(read: &mut impl Reading, by: &By, window: Window) -> Result<Vec<Trace>, StoreError> {
    let (conn, limit) = (read.conn(), window.limit);
    let rows: Vec<AuditRow> = match by {
        By::Time => on_backend!(conn, c => audit::table
            .filter(within!(audit, window))
            .order(newest_first!(audit))
            .limit(limit)
            .load(c))?,
        By::User(user) => on_backend!(conn, c => audit::table
            .filter(audit::user_id.eq(Some(Id::from(*user))))
            .filter(within!(audit, window))
            .order(newest_first!(audit))
            .limit(limit)
            .load(c))?,
        By::Kind(kind) => on_backend!(conn, c => audit::table
            .filter(audit::kind.eq(kind))
            .filter(within!(audit, window))
            .order(newest_first!(audit))
            .limit(limit)
            .load(c))?,
        By::Person(id) | By::Record(id) => on_backend!(conn, c => audit_subjects::table
            .inner_join(audit::table.on(audit::chain.eq(audit_subjects::chain)
                .and(audit::position.eq(audit_subjects::position))))
            .filter(audit_subjects::subject.eq(Id::from(*id)))
            .filter(within!(audit_subjects, window))
            .order(newest_first!(audit_subjects))
            .limit(limit)
            .select(audit::all_columns)
            .load(c))?,
    };
    Ok(rows.into_iter().map(of_row).collect())
}

fn of_row(row: AuditRow) -> Trace {
    Trace {
        place: Place { at: row.at.0, chain: row.chain.0, number: row.position },
        kind: row.kind,
        user: row.user_id.map(|id| UserId::new(id.0)),
        device: row.device_id.map(|id| DeviceId::new(id.0)),
        grant: None,
        reference: None,
        command: None,
        what: Some(row.what),
        outcome: row.outcome,
        reason: row.reason,
        request: row.request_id.map(|id| id.0),
        address: row.address,
        subjects: BTreeMap::new(),
        unit: None,
    }
}

/// Adds what rows of the chains concern: one look-up for each chain, of which a page holds few.
fn show_subjects(read: &mut impl Reading, traces: &mut [Trace]) -> Result<(), StoreError> {
    let mut positions: BTreeMap<Uuid, Vec<i64>> = BTreeMap::new();
    for place in traces.iter().map(|trace| trace.place).filter(|place| !place.chain.is_nil()) {
        positions.entry(place.chain).or_default().push(place.number);
    }
    for (chain, positions) in positions {
        let mut found = subjects_of(read, chain, &positions)?;
        for trace in traces.iter_mut().filter(|trace| trace.place.chain == chain) {
            let concerned = found.remove(&trace.place.number).unwrap_or_default();
            let concerned = concerned.into_iter().map(|s| (s.subject.0, s.unit_id.map(|id| UnitId::new(id.0))));
            trace.subjects = concerned.collect();
        }
    }
    Ok(())
}

// --- entries of the log -----------------------------------------------------------------------------------

fn upto(after: Place) -> i64 {
    if after.chain.is_nil() { after.number } else { i64::MAX }
}

macro_rules! entries {
    ($window:expr) => {{
        let at = Instant($window.after.at);
        log::received_at
            .ge(Instant($window.from))
            .and(log::received_at.le(at))
            .and(log::received_at.lt(at).or(log::received_at.eq(at).and(log::seq.lt(upto($window.after)))))
    }};
}

fn logged(read: &mut impl Reading, by: &By, window: Window) -> Result<Vec<Trace>, StoreError> {
    let rows = match by {
        By::Time => everything(read, window)?,
        By::User(user) => by_actor(read, *user, window)?,
        By::Kind(kind) if kind == SUBMISSION => received(read, window)?,
        By::Kind(kind) => by_kind(read, kind, window)?,
        By::Person(person) => about_person(read, *person, window)?,
        By::Record(record) => about_record(read, *record, window)?,
    };
    Ok(rows.into_iter().map(of_entry).collect())
}

/// An entry of the log, as far as the trail tells it.
type EntryRow = (i64, Instant, Option<Id>, Option<Id>, Option<Id>, String, Id, String, Option<String>);

/// The change itself only where it says who may do what, or where something went: it is short there. Of a form it is the whole of it, and of an erasure
/// all that remains of somebody.
const COMMAND: &str = "CASE WHEN log.kind IN ('user', 'device', 'session', 'grant', 'move') THEN log.command END";

macro_rules! entry_columns {
    () => {
        (
            log::seq,
            log::received_at,
            log::actor,
            log::device_id,
            log::grant_id,
            log::kind,
            log::reference,
            log::outcome,
            sql::<Nullable<Text>>(COMMAND),
        )
    };
}

fn everything(read: &mut impl Reading, window: Window) -> Result<Vec<EntryRow>, StoreError> {
    Ok(on_backend!(read.conn(), c => log::table
        .filter(entries!(window))
        .order((log::received_at.desc(), log::seq.desc()))
        .limit(window.limit)
        .select(entry_columns!())
        .load(c))?)
}

/// Most entries are of this kind, so it has no index of its own.
fn received(read: &mut impl Reading, window: Window) -> Result<Vec<EntryRow>, StoreError> {
    Ok(on_backend!(read.conn(), c => log::table
        .filter(log::kind.eq(SUBMISSION))
        .filter(entries!(window))
        .order((log::received_at.desc(), log::seq.desc()))
        .limit(window.limit)
        .select(entry_columns!())
        .load(c))?)
}

fn by_actor(read: &mut impl Reading, user: UserId, window: Window) -> Result<Vec<EntryRow>, StoreError> {
    Ok(on_backend!(read.conn(), c => log::table
        .filter(log::actor.eq(Some(Id::from(user))))
        .filter(entries!(window))
        .order((log::received_at.desc(), log::seq.desc()))
        .limit(window.limit)
        .select(entry_columns!())
        .load(c))?)
}

fn by_kind(read: &mut impl Reading, kind: &str, window: Window) -> Result<Vec<EntryRow>, StoreError> {
    Ok(on_backend!(read.conn(), c => log::table
        .filter(sql::<Bool>(IS_NO_SUBMISSION))
        .filter(log::kind.eq(kind))
        .filter(entries!(window))
        .order((log::received_at.desc(), log::seq.desc()))
        .limit(window.limit)
        .select(entry_columns!())
        .load(c))?)
}

/// What was said about somebody, and what was decided about that. All of one person is little: it is sorted.
fn about_person(read: &mut impl Reading, person: RecordId, window: Window) -> Result<Vec<EntryRow>, StoreError> {
    let (conn, id, limit) = (read.conn(), Some(Id::from(person)), window.limit);
    let mut found: Vec<EntryRow> = on_backend!(&mut *conn, c => submissions::table
        .inner_join(log::table.on(log::seq.eq(submissions::seq)))
        .filter(submissions::subject.eq(id))
        .filter(entries!(window))
        .order((log::received_at.desc(), log::seq.desc()))
        .limit(limit)
        .select(entry_columns!())
        .load(c))?;
    let decided: Vec<EntryRow> = on_backend!(conn, c => decisions::table
        .inner_join(log::table.on(log::seq.eq(decisions::seq)))
        .filter(decisions::subject.eq(id))
        .filter(entries!(window))
        .order((log::received_at.desc(), log::seq.desc()))
        .limit(limit)
        .select(entry_columns!())
        .load(c))?;
    found.extend(decided);
    Ok(found)
}

/// What was said about a record, and what was decided about its conflicts, about submissions to it that waited, and (of a
/// person, to erase them) about itself.
fn about_record(read: &mut impl Reading, record: RecordId, window: Window) -> Result<Vec<EntryRow>, StoreError> {
    let (conn, id, limit) = (read.conn(), Id::from(record), window.limit);
    let mut found: Vec<EntryRow> = on_backend!(&mut *conn, c => submissions::table
        .inner_join(log::table.on(log::seq.eq(submissions::seq)))
        .filter(submissions::record_id.eq(Some(id)))
        .filter(entries!(window))
        .order((log::received_at.desc(), log::seq.desc()))
        .limit(limit)
        .select(entry_columns!())
        .load(c))?;
    let resolved: Vec<EntryRow> = on_backend!(&mut *conn, c => conflicts::table
        .inner_join(decisions::table.on(decisions::target.eq(conflicts::id)))
        .inner_join(log::table.on(log::seq.eq(decisions::seq)))
        .filter(conflicts::record_id.eq(id))
        .filter(entries!(window))
        .order((log::received_at.desc(), log::seq.desc()))
        .limit(limit)
        .select(entry_columns!())
        .load(c))?;
    let erased: Vec<EntryRow> = on_backend!(&mut *conn, c => decisions::table
        .inner_join(log::table.on(log::seq.eq(decisions::seq)))
        .filter(decisions::target.eq(id))
        .filter(entries!(window))
        .order((log::received_at.desc(), log::seq.desc()))
        .limit(limit)
        .select(entry_columns!())
        .load(c))?;
    let dealt_with: Vec<EntryRow> = on_backend!(conn, c => submissions::table
        .inner_join(quarantine::table.on(quarantine::submission_id.eq(submissions::id)))
        .inner_join(decisions::table.on(decisions::target.eq(quarantine::id)))
        .inner_join(log::table.on(log::seq.eq(decisions::seq)))
        .filter(submissions::record_id.eq(Some(id)))
        .filter(entries!(window))
        .order((log::received_at.desc(), log::seq.desc()))
        .limit(limit)
        .select(entry_columns!())
        .load(c))?;
    found.extend(resolved);
    found.extend(dealt_with);
    found.extend(erased);
    Ok(found)
}

fn of_entry(row: EntryRow) -> Trace {
    let (seq, received_at, actor, device, grant, kind, reference, outcome, command) = row;
    Trace {
        place: Place { at: received_at.0, chain: Uuid::nil(), number: seq },
        kind,
        user: actor.map(|id| UserId::new(id.0)),
        device: device.map(|id| DeviceId::new(id.0)),
        grant: grant.map(|id| GrantId::new(id.0)),
        reference: Some(reference.0),
        command,
        what: None,
        outcome,
        reason: None,
        request: None,
        address: None,
        subjects: BTreeMap::new(),
        unit: None,
    }
}

/// Adds to changes which record and person in which unit they concern.
fn place_changes(read: &mut impl Reading, traces: &mut [Trace]) -> Result<(), StoreError> {
    let seqs: Vec<i64> =
        (traces.iter().filter(|trace| trace.place.chain.is_nil())).map(|trace| trace.place.number).collect();
    let mut placed = said_at(read, &seqs)?;
    placed.extend(decided_at(read, &seqs)?);
    for trace in traces.iter_mut().filter(|trace| trace.place.chain.is_nil()) {
        if let Some(Placed { unit, subjects }) = placed.remove(&Seq(trace.place.number)) {
            trace.subjects = subjects.into_iter().map(|id| (id, unit)).collect();
            trace.unit = unit;
        }
    }
    Ok(())
}

/// Where a change belongs, and what it concerns.
struct Placed {
    unit: Option<UnitId>,
    subjects: BTreeSet<Uuid>,
}

impl Placed {
    fn new(unit: Option<Id>, subjects: [Option<Id>; 2]) -> Self {
        Self {
            unit: unit.map(|id| UnitId::new(id.0)),
            subjects: subjects.into_iter().flatten().map(|id| id.0).collect(),
        }
    }
}

fn said_at(read: &mut impl Reading, seqs: &[i64]) -> Result<HashMap<Seq, Placed>, StoreError> {
    type Row = (i64, Option<Id>, Option<Id>, Option<Id>);
    let mut placed = HashMap::new();
    for chunk in seqs.chunks(BIND_CHUNK) {
        let rows: Vec<Row> = on_backend!(read.conn(), c => submissions::table
            .filter(submissions::seq.eq_any(chunk))
            .select((submissions::seq, submissions::unit_id, submissions::record_id, submissions::subject))
            .load(c))?;
        placed.extend(
            rows.into_iter().map(|(seq, unit, record, subject)| (Seq(seq), Placed::new(unit, [record, subject]))),
        );
    }
    Ok(placed)
}

/// A decision is about a conflict of a record, about a submission that waited, or about a person.
fn decided_at(read: &mut impl Reading, seqs: &[i64]) -> Result<HashMap<Seq, Placed>, StoreError> {
    type Row = (i64, Option<Id>, Option<Id>, Option<Id>);
    let mut placed = HashMap::new();
    for chunk in seqs.chunks(BIND_CHUNK) {
        let resolved: Vec<(i64, Id, Id, Option<Id>)> = on_backend!(read.conn(), c => decisions::table
            .inner_join(conflicts::table.on(conflicts::id.eq(decisions::target)))
            .filter(decisions::seq.eq_any(chunk))
            .select((decisions::seq, conflicts::unit_id, conflicts::record_id, decisions::subject))
            .load(c))?;
        let dealt_with: Vec<Row> = on_backend!(read.conn(), c => decisions::table
            .inner_join(quarantine::table.on(quarantine::id.eq(decisions::target)))
            .inner_join(submissions::table.on(submissions::id.eq(quarantine::submission_id)))
            .filter(decisions::seq.eq_any(chunk))
            .select((decisions::seq, quarantine::unit_id, submissions::record_id, decisions::subject))
            .load(c))?;
        let erased: Vec<(i64, Id, Id, Option<Id>)> = on_backend!(read.conn(), c => decisions::table
            .inner_join(records::table.on(records::id.eq(decisions::target)))
            .filter(decisions::seq.eq_any(chunk))
            .select((decisions::seq, records::unit_id, records::id, decisions::subject))
            .load(c))?;
        let of_record = (resolved.into_iter().chain(erased))
            .map(|(seq, unit, record, subject)| (seq, Some(unit), Some(record), subject));
        placed.extend(
            (of_record.chain(dealt_with))
                .map(|(seq, unit, record, subject)| (Seq(seq), Placed::new(unit, [record, subject]))),
        );
    }
    Ok(placed)
}
