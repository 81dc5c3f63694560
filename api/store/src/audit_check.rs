//! Walks the log and every audit chain, and finds the first row of each that was changed, removed or put in. Reads page by
//! page, so that memory does not grow with the store. Repairs nothing.
//!
//! What it rests on: each row hashes the one before, and the log, whose head names its own end, vouches for the chains
//! again and again. What nothing vouches for yet, the rows after a chain's last anchor, can only be checked against each
//! other: whoever can write to the database could have rewritten all of them together.

use crate::audit::{Anchor, AuditRow, IS_ANCHOR, SubjectRow, anchors, hex, subjects_of};
use crate::columns::Id;
use crate::connection::Connection;
use crate::error::StoreError;
use crate::head::Head;
use crate::log::first_break;
use crate::schema::{audit, audit_subjects, log};
use crate::transaction::{Reading, Snapshot};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use muong_domain::id::Seq;
use std::collections::BTreeMap;
use uuid::Uuid;

/// How many rows are held in memory at once; a row may concern a thousand things.
const PAGE: i64 = 200;

/// What is wrong with a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// No entry of the log ever announced the chain: it was put in.
    Unannounced,
    /// The row was changed, or it or one before it was removed, put in, or moved.
    Row,
    /// Something refers to a row that is not there.
    Subject,
    /// The rows agree with each other but not with the log: they were written anew somewhere after the last anchor that
    /// agrees (or the beginning), up to here.
    Rewritten {
        /// The last position up to which the log agrees.
        agreed: i64,
        /// The entry of the log that disagrees.
        anchor: Seq,
    },
    /// The log vouches for this row, and it is not there: the end was removed.
    Removed {
        /// The entry of the log.
        anchor: Seq,
    },
}

/// The first row of a chain that is not as it was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broken {
    /// The chain.
    pub chain: Uuid,
    /// Where in it.
    pub position: i64,
    /// What is wrong.
    pub flaw: Flaw,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The log's head.
    pub head: Head,
    /// The first entry of the log that is missing, changed or put in.
    pub log: Option<Seq>,
    /// The broken chains, the earliest first; at most [`Checked::MOST`].
    pub broken: Vec<Broken>,
    /// How many chains there are.
    pub chains: u64,
    /// How many rows.
    pub rows: u64,
    /// How many of them nothing vouches for yet.
    pub unanchored: u64,
}

impl Checked {
    /// How many broken chains are told.
    pub const MOST: usize = 100;

    /// Whether everything is as it was written, as far as that can be known.
    pub fn is_whole(&self) -> bool {
        self.log.is_none() && self.broken.is_empty()
    }
}

/// Checks everything, as of one snapshot.
pub fn check_audit(read: &mut Snapshot<'_>) -> Result<Checked, StoreError> {
    let log = first_break(read)?;
    let mut checked = Checked { head: read.head()?, log, broken: Vec::new(), chains: 0, rows: 0, unanchored: 0 };
    let mut last = None;
    while let Some(chain) = next_chain(read.conn(), last)? {
        last = Some(chain);
        let walked = Walk::of(read, chain)?;
        checked.chains += 1;
        checked.rows += walked.rows;
        checked.unanchored += walked.unanchored();
        checked.broken.extend(walked.broken.filter(|_| checked.broken.len() < Checked::MOST));
    }
    Ok(checked)
}

/// The next chain that anything tells of: rows, what they concern, or the log.
fn next_chain(conn: &mut Connection, last: Option<Uuid>) -> Result<Option<Uuid>, StoreError> {
    let after = Id(last.unwrap_or(Uuid::nil()));
    let row: Option<Id> = on_backend!(&mut *conn, c => audit::table
        .filter(audit::chain.gt(after))
        .order(audit::chain)
        .select(audit::chain)
        .first(c)
        .optional())?;
    let subject: Option<Id> = on_backend!(&mut *conn, c => audit_subjects::table
        .filter(audit_subjects::chain.gt(after))
        .order(audit_subjects::chain)
        .select(audit_subjects::chain)
        .first(c)
        .optional())?;
    let anchor: Option<Id> = on_backend!(conn, c => log::table
        .filter(sql::<Bool>(IS_ANCHOR))
        .filter(log::reference.gt(after))
        .order(log::reference)
        .select(log::reference)
        .first(c)
        .optional())?;
    Ok([row, subject, anchor].into_iter().flatten().map(|id| id.0).min())
}

/// One chain, walked.
struct Walk {
    chain: Uuid,
    rows: u64,
    end: i64,
    /// The highest position that an anchor agrees with; none without any anchor.
    agreed: Option<i64>,
    broken: Option<Broken>,
}

impl Walk {
    fn of(read: &mut Snapshot<'_>, chain: Uuid) -> Result<Self, StoreError> {
        let mut walk = Self { chain, rows: 0, end: 0, agreed: None, broken: None };
        walk.walk_rows(read)?;
        walk.ask_anchors(read)?;
        if walk.agreed.is_none() && walk.broken.is_none() {
            walk.broken = Some(Broken { chain, position: 1, flaw: Flaw::Unannounced });
        }
        Ok(walk)
    }

    fn unanchored(&self) -> u64 {
        u64::try_from(self.end - self.agreed.unwrap_or_default()).unwrap_or_default()
    }

    /// Each row must follow the one before, and concern what it hashed.
    fn walk_rows(&mut self, read: &mut Snapshot<'_>) -> Result<(), StoreError> {
        let mut previous = vec![0_u8; 32];
        // From below every position: a row that was put in before the first one is found as well.
        let mut after = i64::MIN;
        loop {
            let rows = rows_after(read, self.chain, after)?;
            let Some(last) = rows.last().map(|row| row.position) else { break };
            let positions: Vec<i64> = rows.iter().map(|row| row.position).collect();
            let mut subjects = subjects_of(read, self.chain, &positions)?;
            for row in rows {
                let concerned = subjects.remove(&row.position).unwrap_or_default();
                if !follows(&row, self.end, &concerned, &previous) {
                    self.break_at(self.end + 1, Flaw::Row);
                    return Ok(());
                }
                (self.end, previous) = (row.position, row.hash);
                self.rows += 1;
            }
            after = last;
        }
        if let Some(position) = subject_beyond(read.conn(), self.chain, self.end)? {
            self.break_at(position, Flaw::Subject);
        }
        Ok(())
    }

    /// Every anchor must agree with the row that it names; of those that do not, the lowest is told.
    fn ask_anchors(&mut self, read: &mut Snapshot<'_>) -> Result<(), StoreError> {
        let mut wrong = None::<(i64, Seq, bool)>;
        let mut agreed = None;
        each_anchor(read, self.chain, |seq, anchor, there| {
            if agrees(anchor, there) {
                agreed = agreed.max(Some(anchor.position));
            } else if wrong.is_none_or(|(position, ..)| anchor.position < position) {
                wrong = Some((anchor.position, seq, there.is_none()));
            }
        })?;
        self.agreed = agreed;
        let Some((position, anchor, missing)) = wrong else { return Ok(()) };
        let first = if missing { self.end + 1 } else { position };
        // A row before it that is broken by itself is the first one.
        if self.broken.is_none_or(|broken| broken.position > first) {
            let flaw = match missing {
                true => Flaw::Removed { anchor },
                false => Flaw::Rewritten { agreed: agreed_below(read, self.chain, position)?, anchor },
            };
            self.broken = Some(Broken { chain: self.chain, position: first, flaw });
        }
        Ok(())
    }

    fn break_at(&mut self, position: i64, flaw: Flaw) {
        self.broken = self.broken.or(Some(Broken { chain: self.chain, position, flaw }));
    }
}

/// Holds every anchor of a chain against the row that it names.
fn each_anchor(
    read: &mut Snapshot<'_>,
    chain: Uuid,
    mut look: impl FnMut(Seq, &Anchor, Option<&Vec<u8>>),
) -> Result<(), StoreError> {
    let mut after = Seq::ZERO;
    loop {
        let page = anchors(read.conn(), chain, after, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = *last;
        let positions: Vec<i64> = page.iter().map(|(_, anchor)| anchor.position).collect();
        let hashes = hashes(read.conn(), chain, &positions)?;
        page.iter().for_each(|(seq, anchor)| look(*seq, anchor, hashes.get(&anchor.position)));
    }
}

/// The last position below this one up to which an anchor agrees.
fn agreed_below(read: &mut Snapshot<'_>, chain: Uuid, position: i64) -> Result<i64, StoreError> {
    let mut agreed = 0;
    each_anchor(read, chain, |_, anchor, there| {
        if anchor.position < position && agrees(anchor, there) {
            agreed = agreed.max(anchor.position);
        }
    })?;
    Ok(agreed)
}

fn follows(row: &AuditRow, end: i64, concerned: &[SubjectRow], previous: &[u8]) -> bool {
    row.position == end + 1 && row.hash == row.expected_hash(concerned, previous)
}

fn agrees(anchor: &Anchor, there: Option<&Vec<u8>>) -> bool {
    anchor.position == 0 || there.is_some_and(|hash| hex(hash) == anchor.hash)
}

fn rows_after(read: &mut impl Reading, chain: Uuid, after: i64) -> Result<Vec<AuditRow>, StoreError> {
    Ok(on_backend!(read.conn(), c => audit::table
        .filter(audit::chain.eq(Id(chain)))
        .filter(audit::position.gt(after))
        .order(audit::position)
        .limit(PAGE)
        .load(c))?)
}

/// Something that a row concerns, without the row: before the first, after the last, or in a gap there is none.
fn subject_beyond(conn: &mut Connection, chain: Uuid, end: i64) -> Result<Option<i64>, StoreError> {
    let below: Option<i64> = on_backend!(&mut *conn, c => audit_subjects::table
        .filter(audit_subjects::chain.eq(Id(chain)))
        .filter(audit_subjects::position.lt(1))
        .order(audit_subjects::position)
        .select(audit_subjects::position)
        .first(c)
        .optional())?;
    let above: Option<i64> = on_backend!(conn, c => audit_subjects::table
        .filter(audit_subjects::chain.eq(Id(chain)))
        .filter(audit_subjects::position.gt(end))
        .order(audit_subjects::position)
        .select(audit_subjects::position)
        .first(c)
        .optional())?;
    Ok(below.or(above))
}

fn hashes(conn: &mut Connection, chain: Uuid, positions: &[i64]) -> Result<BTreeMap<i64, Vec<u8>>, StoreError> {
    let found: Vec<(i64, Vec<u8>)> = on_backend!(conn, c => audit::table
        .filter(audit::chain.eq(Id(chain)))
        .filter(audit::position.eq_any(positions))
        .select((audit::position, audit::hash))
        .load(c))?;
    Ok(found.into_iter().collect())
}
