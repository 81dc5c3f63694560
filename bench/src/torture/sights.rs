//! Who may see what, by the grants and the trees as they stand in the database in the end: now, and as of any entry of the
//! log before.

use super::asked::{self, Columns, rows};
use super::history::History;
use super::journal::{Delivered, Journal};
use super::{MEETING, PERSON};
use crate::Fallible;
use crate::province;
use chrono::{DateTime, Utc};
use muong_domain::access::{HeldGrant, Role};
use muong_domain::id::{Seq, UserId};
use muong_store::grants::{self, KnownGrant};
use muong_store::{Connection, Database};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// A tree deeper than this is a mistake.
const MAX_DEPTH: usize = 16;

/// What is asked of a role: whether it sees persons as well, if anything.
fn sees_persons(role: Role) -> Option<bool> {
    match role {
        Role::Cadre => Some(true),
        Role::Liaison => Some(false),
        _ => None,
    }
}

/// What the reporter of a commune may hold now: the records with their versions.
pub fn holds(conn: &mut Connection, commune: usize, now: DateTime<Utc>) -> Fallible<BTreeMap<Uuid, i64>> {
    let user = asked::id(conn, province::user(commune));
    let now = match conn {
        Connection::Sqlite(_) => now.timestamp_micros().to_string(),
        Connection::Postgres(_) => format!("'{}'::timestamptz", now.to_rfc3339()),
    };
    let from = format!(
        "records r WHERE r.state = 'live' AND EXISTS (SELECT 1 FROM unit_closure c \
         JOIN grants g ON g.unit_id = c.ancestor_id WHERE c.descendant_id = r.unit_id AND g.user_id = {user} \
         AND NOT g.ended AND g.valid_from <= {now} AND (g.valid_to IS NULL OR g.valid_to > {now}) \
         AND (g.role = 'cadre' OR (g.role = 'liaison' AND r.form = '{MEETING}'))) \
         AND NOT EXISTS (SELECT 1 FROM data_keys k WHERE k.kind = 'person' AND k.owner = r.subject \
         AND k.wrapped IS NULL)"
    );
    let found = rows(conn, Columns { id: "r.id", n: "r.version", ..Columns::ID }, &from)?;
    Ok(found.into_iter().map(|row| (row.id, row.n)).collect())
}

/// The phones that hold anything else than their users may, or than a new phone does.
pub fn unlike(conn: &mut Connection, journals: &[Journal], now: DateTime<Utc>) -> Fallible<usize> {
    let (mut of_commune, mut unlike) = (BTreeMap::new(), 0);
    for journal in journals {
        let expected = match of_commune.entry(journal.commune) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(holds(conn, journal.commune, now)?),
        };
        let is_record = |kind: &str| [MEETING, PERSON].contains(&kind);
        let records = journal.holds.things.iter().filter(|(_, held)| is_record(&held.kind));
        let records: BTreeMap<Uuid, i64> = records.map(|(id, held)| (*id, held.v)).collect();
        let wrong = records.iter().filter(|(id, v)| expected.get(id) != Some(v)).count();
        let missing = expected.keys().filter(|id| !records.contains_key(id)).count();
        let other = journal.holds.difference(&journal.fresh);
        if wrong + missing + other > 0 {
            eprintln!(
                "a phone of commune {} holds {wrong} records that it may not, or not so, and lacks {missing}; a new phone \
                 holds {other} things otherwise",
                journal.commune
            );
            unlike += 1;
        }
    }
    Ok(unlike)
}

/// Grants and trees, as of any entry of the log.
pub struct Sights {
    grants: HashMap<usize, Vec<KnownGrant>>,
    /// What stood above each unit since which entry, the latest last.
    above: HashMap<Uuid, Vec<(i64, Option<Uuid>)>>,
}

/// What was found about pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Checked {
    /// Pages of this history, which were looked at.
    pub pages: usize,
    /// Of them, those that told of what their readers did not see any more, or not yet.
    pub leaks: usize,
}

impl Sights {
    /// As a database tells them.
    pub fn of(store: &Database, conn: &mut Connection, communes: usize) -> Fallible<Self> {
        let known = |commune| store.read(|read| grants::known_of_user(read, UserId::new(province::user(commune))));
        let grants = (0..communes).map(|commune| Ok((commune, known(commune)?))).collect::<Fallible<_>>()?;
        let columns = Columns { id: "unit_id", other: "parent_id", n: "seq", ..Columns::ID };
        let mut above: HashMap<Uuid, Vec<(i64, Option<Uuid>)>> = HashMap::new();
        for row in rows(conn, columns, "unit_versions ORDER BY unit_id, valid_from")? {
            above.entry(row.id).or_default().push((row.n, row.other));
        }
        Ok(Self { grants, above })
    }

    /// A unit and those above it, as of an entry.
    fn line(&self, unit: Uuid, head: i64) -> BTreeSet<Uuid> {
        let above = |unit: &Uuid| {
            let versions = self.above.get(unit)?;
            versions.iter().rev().find(|(since, _)| *since <= head).and_then(|(_, parent)| *parent)
        };
        std::iter::successors(Some(unit), above).take(MAX_DEPTH).collect()
    }

    /// Looks at what was delivered in the history that stands.
    pub fn check(&self, history: &History, journals: &[Journal]) -> Checked {
        let mut checked = Checked::default();
        for journal in journals {
            let grants = self.grants.get(&journal.commune).map(Vec::as_slice).unwrap_or_default();
            for delivered in journal.delivered.iter().filter(|delivered| history.has(delivered.at)) {
                checked.pages += 1;
                let leaked = delivered.told.iter().filter(|(unit, person)| {
                    let line = self.line(*unit, delivered.at.seq);
                    !grants.iter().any(|known| may_see(known, delivered, &line, *person))
                });
                let leaked = leaked.count();
                if leaked > 0 {
                    eprintln!(
                        "a phone of commune {} was told of {leaked} units too many: {delivered:?}",
                        journal.commune
                    );
                    checked.leaks += 1;
                }
            }
        }
        checked
    }
}

/// Whether a grant let its holder be told of records of a unit, when the server's clock said any of what it may have said.
/// No clock excuses what was told after the entry that ended it at once.
fn may_see(known: &KnownGrant, delivered: &Delivered, line: &BTreeSet<Uuid>, person: bool) -> bool {
    let HeldGrant { role, unit, valid_from, valid_to, ended, .. } = known.held;
    // An end that was set after this page was not known to it.
    let is_changed = known.changed <= Seq(delivered.at.seq);
    let end = valid_to.filter(|_| is_changed);
    let held = |(from, to): &(DateTime<Utc>, DateTime<Utc>)| valid_from <= *to && end.is_none_or(|end| *from < end);
    known.given <= Seq(delivered.at.seq)
        && !(ended && is_changed)
        && line.contains(&unit.uuid())
        && sees_persons(role).is_some_and(|persons| persons || !person)
        && delivered.clocks.iter().any(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torture::journal::At;
    use chrono::TimeDelta;

    #[test]
    fn after_a_grant_has_ended_nothing_of_its_unit_may_be_told() {
        let (top, unit, epoch) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let at = |minutes| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
        let (id, valid_from) = (Uuid::from_u128(4).into(), at(0));
        let grant = |role, valid_to, ended| KnownGrant {
            held: HeldGrant { id, role, unit: top.into(), valid_from, valid_to, ended },
            given: Seq(5),
            changed: Seq(9),
            earlier: Vec::new(),
        };
        let told = |seq, minutes, person| Delivered {
            at: At { epoch, seq },
            clocks: vec![(at(minutes), at(minutes))],
            told: BTreeSet::from([(unit, person)]),
        };
        let line = BTreeSet::from([unit, top]);
        let dated = grant(Role::Cadre, Some(at(10)), false);
        assert!(may_see(&dated, &told(8, 20, true), &line, true), "the end was set afterwards");
        assert!(!may_see(&dated, &told(9, 10, true), &line, true));
        assert!(may_see(&dated, &told(9, 9, true), &line, true), "by that clock the day had not come");
        assert!(!may_see(&dated, &told(4, 5, true), &line, true), "it had not been given");
        let ended = grant(Role::Cadre, Some(at(10)), true);
        assert!(may_see(&ended, &told(8, 20, true), &line, true), "it ended afterwards");
        assert!(!may_see(&ended, &told(9, 9, true), &line, true), "whatever that clock said");
        assert!(!may_see(&grant(Role::Liaison, None, false), &told(9, 5, true), &line, true));
        assert!(may_see(&grant(Role::Liaison, None, false), &told(9, 5, false), &line, false));
        assert!(!may_see(&grant(Role::Cadre, None, false), &told(9, 5, false), &BTreeSet::from([unit]), false));
    }
}
