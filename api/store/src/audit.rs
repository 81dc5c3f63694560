//! What is no change but must be accounted for: sign-ins, refusals, reads of personal data, exports. One chain of rows for
//! each run of a server process; entries of the log (`audit_anchor`) vouch for the chains. Rows are added, never changed.
//! Who writes them and when is `auditor.rs`'s; who may read them is not decided here.

use crate::columns::{Id, Instant};
use crate::connection::Connection;
use crate::dialect::BIND_CHUNK;
use crate::entry::LogEntry;
use crate::error::StoreError;
use crate::schema::{audit, audit_subjects, log};
use crate::transaction::{Reading, Tx};
use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use muong_domain::id::{DeviceId, Seq, UnitId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// The kind of the log's entries that vouch for a chain.
pub const ANCHOR: &str = "audit_anchor";

/// As the index `log_anchors` says it: with a bound value neither database would know that it may use it.
pub(crate) const IS_ANCHOR: &str = "log.kind = 'audit_anchor'";

/// What is accounted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NoteKind {
    /// Somebody signed in, or tried to.
    SignIn,
    /// Something was refused to somebody who had signed in.
    Refusal,
    /// Personal data was shown.
    #[default]
    Read,
    /// Personal data left as a file.
    Export,
    /// The audit trail itself was read.
    AuditRead,
}

impl NoteKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::SignIn, Self::Refusal, Self::Read, Self::Export, Self::AuditRead];

    /// The written form; none of them is a kind of the log's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Refusal => "refusal",
            Self::Read => "read",
            Self::Export => "export",
            Self::AuditRead => "audit_read",
        }
    }
}

/// What is to be written down. Never a personal value: ids and codes; whoever fills in the reason sees to it.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// What kind.
    pub kind: NoteKind,
    /// Who; none when nobody of that name is known.
    pub user: Option<UserId>,
    /// From which device.
    pub device: Option<DeviceId>,
    /// The operation, as the API's document calls it.
    pub what: String,
    /// `ok`, or the code of the refusal.
    pub outcome: String,
    /// Why, as its author stated.
    pub reason: Option<String>,
    /// The request.
    pub request: Option<Uuid>,
    /// The address that it came from.
    pub address: Option<String>,
    /// The records and persons concerned, each with its unit as far as that is known.
    pub subjects: BTreeMap<Uuid, Option<UnitId>>,
}

/// How far a chain has come: its last position and hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tail {
    /// The run of a process.
    pub chain: Uuid,
    /// The last position; 0 before the first row.
    pub position: i64,
    /// The hash there.
    pub hash: Vec<u8>,
}

impl Tail {
    /// Of a chain that has no row yet.
    pub fn of_new(chain: Uuid) -> Self {
        Self { chain, position: 0, hash: vec![0; 32] }
    }
}

/// A row as it stands.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = audit, treat_none_as_default_value = false)]
pub(crate) struct AuditRow {
    pub chain: Id,
    pub position: i64,
    pub at: Instant,
    pub kind: String,
    pub user_id: Option<Id>,
    pub device_id: Option<Id>,
    pub what: String,
    pub outcome: String,
    pub reason: Option<String>,
    pub request_id: Option<Id>,
    pub address: Option<String>,
    pub hash: Vec<u8>,
}

/// One thing that a row concerns.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = audit_subjects, treat_none_as_default_value = false)]
pub(crate) struct SubjectRow {
    pub chain: Id,
    pub position: i64,
    pub subject: Id,
    pub unit_id: Option<Id>,
    pub at: Instant,
}

impl AuditRow {
    /// The hash that this row must have, with these subjects in order of id, after a row of the hash `previous`.
    pub fn expected_hash(&self, subjects: &[SubjectRow], previous: &[u8]) -> Vec<u8> {
        let id = |id: Option<Id>| id.map(|i| i.0);
        let concerned: Vec<(Uuid, Option<Uuid>, i64)> =
            subjects.iter().map(|s| (s.subject.0, id(s.unit_id), s.at.0.timestamp_micros())).collect();
        let when = (self.chain.0, self.position, self.at.0.timestamp_micros());
        let who = (id(self.user_id), id(self.device_id), id(self.request_id), &self.address);
        let text = serde_json::to_vec(&(when, &self.kind, who, &self.what, &self.outcome, &self.reason, concerned))
            .expect("plain values serialise");
        Sha256::new().chain_update(previous).chain_update(text).finalize().to_vec()
    }
}

/// Rows with their subjects, chained one to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    rows: Vec<AuditRow>,
    subjects: Vec<SubjectRow>,
}

impl Links {
    /// Chains notes to a tail; answers the new tail as well.
    pub fn after<'n>(tail: &Tail, notes: impl Iterator<Item = &'n Note>, at: DateTime<Utc>) -> (Self, Tail) {
        // Microseconds are what both databases keep: the hash must be over what a reader finds.
        let at = Instant(DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at));
        let (mut links, mut tail) = (Self::default(), tail.clone());
        for note in notes {
            let (chain, position) = (Id(tail.chain), tail.position + 1);
            let subjects: Vec<SubjectRow> = (note.subjects.iter())
                .map(|(subject, unit)| SubjectRow {
                    chain,
                    position,
                    subject: Id(*subject),
                    unit_id: unit.map(Id::from),
                    at,
                })
                .collect();
            let mut row = row(note, chain, position, at);
            row.hash = row.expected_hash(&subjects, &tail.hash);
            tail = Tail { chain: tail.chain, position, hash: row.hash.clone() };
            links.rows.push(row);
            links.subjects.extend(subjects);
        }
        (links, tail)
    }

    /// How heavy they are for whoever writes them.
    pub fn weight(&self) -> usize {
        self.rows.len() + self.subjects.len() / 8
    }

    /// Writes them, within a transaction that somebody else has begun and will commit.
    pub fn insert(&self, conn: &mut Connection) -> Result<(), StoreError> {
        for chunk in self.rows.chunks(BIND_CHUNK) {
            on_backend!(&mut *conn, c => diesel::insert_into(audit::table).values(chunk).execute(c))?;
        }
        for chunk in self.subjects.chunks(BIND_CHUNK) {
            on_backend!(&mut *conn, c => diesel::insert_into(audit_subjects::table).values(chunk).execute(c))?;
        }
        Ok(())
    }
}

fn row(note: &Note, chain: Id, position: i64, at: Instant) -> AuditRow {
    AuditRow {
        chain,
        position,
        at,
        kind: note.kind.as_str().to_owned(),
        user_id: note.user.map(Id::from),
        device_id: note.device.map(Id::from),
        what: note.what.clone(),
        outcome: note.outcome.clone(),
        reason: note.reason.clone(),
        request_id: note.request.map(Id),
        address: note.address.clone(),
        hash: Vec::new(),
    }
}

/// What an anchor says: that the chain's row at this position has this hash (position 0: that the chain begins).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Anchor {
    pub chain: Uuid,
    pub position: i64,
    pub hash: String,
}

impl From<&Tail> for Anchor {
    fn from(tail: &Tail) -> Self {
        Self { chain: tail.chain, position: tail.position, hash: hex(&tail.hash) }
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |text, byte| text + &format!("{byte:02x}"))
}

/// Vouches for a chain as far as it has come. A normal entry of the log: it takes the head like every change.
pub(crate) fn anchor(tx: &mut Tx<'_>, tail: &Tail) -> Seq {
    let Anchor { chain, position, hash } = tail.into();
    let outcome = if position == 0 { "begun" } else { "anchored" };
    let command = json!({ "chain": chain, "position": position, "hash": hash });
    tx.append(LogEntry::of_reference(ANCHOR, chain, outcome, &command))
}

/// How far a chain has come in the database.
pub(crate) fn tail(conn: &mut Connection, chain: Uuid) -> Result<Tail, StoreError> {
    let last: Option<(i64, Vec<u8>)> = on_backend!(conn, c => audit::table
        .filter(audit::chain.eq(Id(chain)))
        .order(audit::position.desc())
        .select((audit::position, audit::hash))
        .first(c)
        .optional())?;
    Ok(last.map_or_else(|| Tail::of_new(chain), |(position, hash)| Tail { chain, position, hash }))
}

/// The chain before this one: ids of runs sort by the time at which they began.
pub(crate) fn chain_before(conn: &mut Connection, chain: Uuid) -> Result<Option<Uuid>, StoreError> {
    let before: Option<Id> = on_backend!(conn, c => audit::table
        .filter(audit::chain.lt(Id(chain)))
        .order(audit::chain.desc())
        .select(audit::chain)
        .first(c)
        .optional())?;
    Ok(before.map(|id| id.0))
}

/// The anchors of a chain after an entry, in order of the log.
pub(crate) fn anchors(
    conn: &mut Connection,
    chain: Uuid,
    after: Seq,
    limit: i64,
) -> Result<Vec<(Seq, Anchor)>, StoreError> {
    let rows: Vec<(i64, Option<String>)> = on_backend!(conn, c => log::table
        .filter(sql::<Bool>(IS_ANCHOR))
        .filter(log::reference.eq(Id(chain)))
        .filter(log::seq.gt(after.0))
        .order(log::seq)
        .limit(limit)
        .select((log::seq, log::command))
        .load(c))?;
    rows.into_iter().map(|(seq, command)| Ok((Seq(seq), said(command)?))).collect()
}

/// The last anchor of a chain.
pub(crate) fn last_anchor(conn: &mut Connection, chain: Uuid) -> Result<Option<Anchor>, StoreError> {
    let last: Option<Option<String>> = on_backend!(conn, c => log::table
        .filter(sql::<Bool>(IS_ANCHOR))
        .filter(log::reference.eq(Id(chain)))
        .order(log::seq.desc())
        .select(log::command)
        .first(c)
        .optional())?;
    last.map(said).transpose()
}

fn said(command: Option<String>) -> Result<Anchor, StoreError> {
    serde_json::from_str(&command.unwrap_or_default()).map_err(|error| StoreError::corrupt("an anchor", error))
}

/// The subjects of rows of one chain, by position, each in order of id.
pub(crate) fn subjects_of(
    read: &mut impl Reading,
    chain: Uuid,
    positions: &[i64],
) -> Result<HashMap<i64, Vec<SubjectRow>>, StoreError> {
    let mut found: HashMap<i64, Vec<SubjectRow>> = HashMap::new();
    for chunk in positions.chunks(BIND_CHUNK) {
        let rows: Vec<SubjectRow> = on_backend!(read.conn(), c => audit_subjects::table
            .filter(audit_subjects::chain.eq(Id(chain)))
            .filter(audit_subjects::position.eq_any(chunk))
            .order((audit_subjects::position, audit_subjects::subject))
            .load(c))?;
        for row in rows {
            found.entry(row.position).or_default().push(row);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(what: &str) -> Note {
        let subjects = [(Uuid::from_u128(7), None), (Uuid::from_u128(8), Some(UnitId::new(Uuid::from_u128(9))))];
        Note { what: what.to_owned(), outcome: "ok".to_owned(), subjects: subjects.into(), ..Note::default() }
    }

    #[test]
    fn each_row_hashes_the_one_before_and_everything_that_it_says() {
        let notes = [note("a"), note("b")];
        let begun = Tail::of_new(Uuid::from_u128(1));
        let (links, tail) = Links::after(&begun, notes.iter(), DateTime::UNIX_EPOCH);
        let [first, second] = links.rows.as_slice() else { panic!("two rows") };
        assert_eq!((first.position, second.position, tail.position), (1, 2, 2));
        let subjects: Vec<SubjectRow> = links.subjects.iter().filter(|s| s.position == 2).cloned().collect();
        assert_eq!(second.hash, second.expected_hash(&subjects, &first.hash));
        assert_eq!(tail.hash, second.hash);
        assert_ne!(second.hash, second.expected_hash(&subjects, &begun.hash));
        assert_ne!(second.hash, second.expected_hash(&subjects[..1], &first.hash));
        let other = |change: fn(&mut AuditRow)| {
            let mut row = second.clone();
            change(&mut row);
            row.expected_hash(&subjects, &first.hash) != second.hash
        };
        assert!(other(|row| row.kind = "sign_in".to_owned()));
        assert!(other(|row| row.what = "c".to_owned()));
        assert!(other(|row| row.outcome = "x".to_owned()));
        assert!(other(|row| row.reason = Some(String::new())));
        assert!(other(|row| row.address = Some(String::new())));
        assert!(other(|row| row.user_id = Some(Id(Uuid::nil()))));
        assert!(other(|row| row.device_id = Some(Id(Uuid::nil()))));
        assert!(other(|row| row.request_id = Some(Id(Uuid::nil()))));
        assert!(other(|row| row.at = Instant(DateTime::UNIX_EPOCH + chrono::TimeDelta::microseconds(1))));
    }
}
