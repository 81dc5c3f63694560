//! Lists the audit trail for inspection: changes, which the log tells, and sign-ins, refusals, exports and reads, which the
//! chains tell. Reading it is itself accounted for.
//!
//! What lies in a unit is shown to whoever audits that unit. What lies in none (a sign-in, a session, a device, a form, a
//! submission that names no unit that exists) is shown to whoever audits a whole tree.

use super::authenticate::Authenticated;
use super::failure::Failure;
use super::read_submissions::names;
use super::reader::{Page, Reader, fitting, read_as};
use crate::state::App;
use chrono::{DateTime, Utc};
use muong_domain::id::{RecordId, UnitId, UserId};
use muong_store::trail::{self, By, Place, Trace, Window};
use muong_store::{ANCHOR, Reading, StoreError};
use serde::Deserialize;
use std::collections::HashMap;
use uuid::Uuid;

/// How many items one page looks at, at most: where much is not for this auditor, or does not fit the filters, a page is
/// short, and the next one goes on from there.
const LOOK_AT: usize = 5_000;
/// How many are read at once.
const STRIDE: usize = 100;
/// How much a page tells, at most: items, and what they concern. Who reads a page of records is told of a thousand things.
const TELL: usize = 20_000;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct AuditQuery {
    /// Only what concerns this person.
    pub person: Option<RecordId>,
    /// Only what concerns this record.
    pub record: Option<RecordId>,
    /// Only what this user did.
    pub user: Option<UserId>,
    /// Only this kind.
    pub kind: Option<String>,
    /// From this instant on.
    pub from: Option<DateTime<Utc>>,
    /// Before this instant.
    pub to: Option<DateTime<Utc>>,
    /// After this place in the list.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: usize,
}

/// A page of the trail, and what the people in it are called.
#[derive(Clone, Debug)]
pub struct Trail {
    /// The page, the newest first.
    pub page: Page<Trace, Place>,
    /// Names by user.
    pub names: HashMap<UserId, String>,
}

/// Lists it.
pub async fn list_audit(app: &App, who: &Authenticated, query: AuditQuery) -> Result<Trail, Failure> {
    read_as(app, who, None, move |snapshot, reader| {
        let Some(scope) = Scope::of(reader) else { return Err(Failure::refused("access.forbidden")) };
        let page = look(snapshot, reader, &scope, &query)?;
        let names = names(snapshot, page.items.iter().filter_map(|trace| trace.user))?;
        reader.note_trail([query.person, query.record].into_iter().flatten());
        Ok(Trail { page, names })
    })
    .await
}

fn look(
    read: &mut impl Reading,
    reader: &Reader,
    scope: &Scope,
    query: &AuditQuery,
) -> Result<Page<Trace, Place>, StoreError> {
    let (by, mut items, mut looked_at) = (query.begins_by(), Vec::new(), 0);
    let mut window = Window {
        after: query.first_place(),
        from: query.from.unwrap_or(DateTime::UNIX_EPOCH),
        limit: i64::try_from(STRIDE).unwrap_or(i64::MAX),
    };
    loop {
        let found = trail::page(read, &by, window)?;
        let (full, last) = (found.len() == STRIDE, found.last().map(|trace| trace.place));
        looked_at += found.len();
        // Scope first: what lies elsewhere must not be found by asking for it.
        let mine = found.into_iter().filter_map(|trace| scope.shows(reader, trace));
        items.extend(mine.filter(|trace| query.keeps(trace)));
        let limit = query.limit.min(fitting(items.iter().map(|trace: &Trace| 1 + trace.subjects.len()), TELL));
        match last {
            _ if items.len() > limit => return Ok(Page::new(items, limit, |trace: &Trace| trace.place)),
            Some(last) if full && looked_at < LOOK_AT => window.after = last,
            // Short, although there is more.
            Some(last) if full => return Ok(Page { items, next: Some(last) }),
            _ => return Ok(Page { items, next: None }),
        }
    }
}

impl AuditQuery {
    /// What finds the fewest is asked of the store; the rest is picked out.
    fn begins_by(&self) -> By {
        match (self.record, self.person, self.user, &self.kind) {
            (Some(record), ..) => By::Record(record),
            (_, Some(person), ..) => By::Person(person),
            (_, _, Some(user), _) => By::User(user),
            (.., Some(kind)) => By::Kind(kind.clone()),
            _ => By::Time,
        }
    }

    /// The place that everything asked for comes after.
    fn first_place(&self) -> Place {
        let before = self.to.unwrap_or(DateTime::<Utc>::MAX_UTC.min(FAR));
        let end = Place { at: before, chain: Uuid::nil(), number: 0 };
        // Before `to`: of that instant itself nothing, and no entry has the number 0.
        self.after.map_or(end, |after| after.min(end))
    }

    fn keeps(&self, trace: &Trace) -> bool {
        let concerns = |id: Option<RecordId>| id.is_none_or(|id| trace.subjects.contains_key(&id.uuid()));
        let kind = match &self.kind {
            Some(kind) => trace.kind == *kind,
            // They say nothing of anybody, once a minute.
            None => trace.kind != ANCHOR,
        };
        kind && concerns(self.person) && concerns(self.record) && self.user.is_none_or(|user| trace.user == Some(user))
    }
}

/// No instant that is stored lies beyond; both databases can hold it.
const FAR: DateTime<Utc> = DateTime::from_timestamp(253_402_300_799, 0).expect("the year 9999");

/// Over what somebody audits.
struct Scope {
    tops: Vec<UnitId>,
    whole_tree: bool,
}

impl Scope {
    fn of(reader: &Reader) -> Option<Self> {
        let tops = reader.audits();
        let whole_tree = tops.iter().any(|top| reader.is_root(*top));
        (!tops.is_empty()).then_some(Self { tops, whole_tree })
    }

    /// What of an item may be seen: nothing, or all of it but what lies elsewhere.
    fn shows(&self, reader: &Reader, mut trace: Trace) -> Option<Trace> {
        let within =
            |unit: UnitId| reader.reference().units.ancestors(unit).iter().any(|above| self.tops.contains(above));
        let unplaced = |unit: Option<UnitId>| unit.map_or(self.whole_tree, within);
        if let Some(gone) = trace.command.as_deref().filter(|_| trace.kind == "move").and_then(gone) {
            return self.shows_move(within, trace, gone);
        }
        if trace.place.chain.is_nil() {
            trace.unit = unit_of(&trace);
            return unplaced(trace.unit).then_some(trace);
        }
        let concerned_any = !trace.subjects.is_empty();
        trace.subjects.retain(|_, unit| unplaced(*unit));
        (if concerned_any { !trace.subjects.is_empty() } else { self.whole_tree }).then_some(trace)
    }

    /// A move is a matter of both units: whoever audits only one of them sees that something came or went, and not whence or where
    /// to.
    fn shows_move(&self, within: impl Fn(UnitId) -> bool, mut trace: Trace, gone: Gone) -> Option<Trace> {
        let seen: Vec<UnitId> = [gone.to, gone.from].into_iter().filter(|unit| within(*unit)).collect();
        trace.unit = Some(*seen.first()?);
        trace.subjects.values_mut().for_each(|unit| *unit = trace.unit);
        trace.command = trace.command.filter(|_| seen.len() == 2);
        Some(trace)
    }
}

/// Between which units a record has gone: what the entry of a move says.
#[derive(Deserialize)]
struct Gone {
    from: UnitId,
    to: UnitId,
}

fn gone(command: &str) -> Option<Gone> {
    serde_json::from_str(command).ok()
}

/// The unit of a change: its own, or the one that the change itself names.
fn unit_of(trace: &Trace) -> Option<UnitId> {
    #[derive(Deserialize)]
    struct Given {
        unit: UnitId,
    }
    match trace.kind.as_str() {
        "unit" => trace.reference.map(UnitId::new),
        "grant" => {
            let given = trace.command.as_deref().and_then(|command| serde_json::from_str::<Given>(command).ok());
            given.map(|given| given.unit)
        }
        _ => trace.unit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query() -> AuditQuery {
        AuditQuery { person: None, record: None, user: None, kind: None, from: None, to: None, after: None, limit: 50 }
    }

    #[test]
    fn a_list_begins_where_the_fewest_are() {
        let id = Uuid::from_u128(1);
        let all = AuditQuery {
            person: Some(id.into()),
            record: Some(id.into()),
            user: Some(id.into()),
            kind: Some("read".to_owned()),
            ..query()
        };
        assert_eq!(all.begins_by(), By::Record(id.into()));
        assert_eq!(AuditQuery { record: None, ..all.clone() }.begins_by(), By::Person(id.into()));
        let of_user = AuditQuery { record: None, person: None, ..all };
        assert_eq!(of_user.begins_by(), By::User(id.into()));
        assert_eq!(AuditQuery { user: None, ..of_user }.begins_by(), By::Kind("read".to_owned()));
        assert_eq!(query().begins_by(), By::Time);
    }

    #[test]
    fn an_end_in_time_excludes_its_instant_and_a_cursor_never_leads_back_over_it() {
        let at = DateTime::UNIX_EPOCH;
        let asked = AuditQuery { to: Some(at), ..query() };
        let entry = Place { at, chain: Uuid::nil(), number: 1 };
        assert!(asked.first_place() < entry);
        let later = Place { at: at + chrono::TimeDelta::days(1), chain: Uuid::nil(), number: 9 };
        assert_eq!(AuditQuery { after: Some(later), ..asked.clone() }.first_place(), asked.first_place());
        let earlier = Place { at: at - chrono::TimeDelta::days(1), chain: Uuid::nil(), number: 9 };
        assert_eq!(AuditQuery { after: Some(earlier), ..asked }.first_place(), earlier);
    }
}
