//! Grants: who holds which role over which subtree, and since and until when. Whether one allows something is the
//! domain's to decide (`access`).

use crate::by_id::ById;
use crate::columns::{Id, Instant};
use crate::error::StoreError;
use crate::feed::{self, FeedRow};
use crate::schema::{grants, unit_closure, unit_codes, unit_versions, units, users};
use crate::transaction::{LogEntry, Reading, Tx};
use chrono::{DateTime, NaiveDate, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use muong_domain::access::{Actor, Authority, HeldGrant, Role};
use muong_domain::id::{GrantId, Seq, UnitId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

#[derive(Queryable, Selectable)]
#[diesel(table_name = grants)]
struct GrantRow {
    id: Id,
    role: String,
    unit_id: Id,
    valid_from: Instant,
    valid_to: Option<Instant>,
    ended: bool,
}

impl TryFrom<GrantRow> for HeldGrant {
    type Error = StoreError;

    fn try_from(row: GrantRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.0.into(),
            role: Role::parse(&row.role).ok_or_else(|| StoreError::corrupt("role", row.role))?,
            unit: row.unit_id.0.into(),
            valid_from: row.valid_from.0,
            valid_to: row.valid_to.map(|at| at.0),
            ended: row.ended,
        })
    }
}

/// A grant that is to be given; also what the log keeps of one, so that it can be replayed. Whether an entry ends it at once
/// follows from its end and from when the entry was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// Which.
    pub id: GrantId,
    /// To whom.
    pub user: UserId,
    /// The role.
    pub role: Role,
    /// The top of the subtree.
    pub unit: UnitId,
    /// The first instant.
    pub valid_from: DateTime<Utc>,
    /// The first instant after; none: open.
    pub valid_to: Option<DateTime<Utc>>,
}

/// Why a grant was not given or ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GrantRefusal {
    /// There is no such user.
    #[error("user.unknown")]
    UserUnknown,
    /// There is no such unit, or the authority does not reach it.
    #[error("unit.unknown")]
    UnitUnknown,
    /// It would end before it begins.
    #[error("grant.period_empty")]
    PeriodEmpty,
    /// The user holds a role in that time that excludes this one.
    #[error("grant.role_excluded")]
    RoleExcluded(Role),
    /// The user holds this role over this unit in that time already.
    #[error("grant.already_held")]
    AlreadyHeld,
    /// There is nothing to end.
    #[error("grant.not_held")]
    NotHeld,
}

impl GrantRefusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UserUnknown => "user.unknown",
            Self::UnitUnknown => "unit.unknown",
            Self::PeriodEmpty => "grant.period_empty",
            Self::RoleExcluded(_) => "grant.role_excluded",
            Self::AlreadyHeld => "grant.already_held",
            Self::NotHeld => "grant.not_held",
        }
    }
}

/// Every grant that a user holds, held or will hold, the earliest first.
pub fn of_user(r: &mut impl Reading, user: UserId) -> Result<Vec<HeldGrant>, StoreError> {
    let rows: Vec<GrantRow> = on_backend!(r.conn(), c => grants::table
        .filter(grants::user_id.eq(Id::from(user)))
        .order((grants::valid_from, grants::id))
        .select(GrantRow::as_select())
        .load(c))?;
    rows.into_iter().map(HeldGrant::try_from).collect()
}

/// An end that a grant had since an entry; none: it was open.
pub type EndSince = (Seq, Option<DateTime<Utc>>);

/// A grant, and the entries that gave it and changed it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownGrant {
    /// The grant as it is now.
    pub held: HeldGrant,
    /// The entry that gave it.
    pub given: Seq,
    /// The entry that changed it last: that gave it, or set an end to it.
    pub changed: Seq,
    /// The ends that it had before that, each since the entry that set it, the earliest first. Of what is older than this
    /// column nothing is known: it counts as open.
    pub earlier: Vec<EndSince>,
}

impl KnownGrant {
    /// The grant as it was after an entry; none before it was given. Whether it held then depends on the clock of then,
    /// unless it had been ended at once by the entry or one before: an end by a date may have come, and the clock have been
    /// put right since, before another end was set.
    pub fn as_of(&self, seq: Seq) -> Option<HeldGrant> {
        if seq < self.given {
            return None;
        }
        if self.changed <= seq {
            return Some(self.held.clone());
        }
        let valid_to = self.earlier.iter().rev().find(|(since, _)| *since <= seq).and_then(|(_, end)| *end);
        Some(HeldGrant { valid_to, ended: false, ..self.held.clone() })
    }
}

/// Every grant that a user holds, held or will hold, with its history.
pub fn known_of_user(r: &mut impl Reading, user: UserId) -> Result<Vec<KnownGrant>, StoreError> {
    type Row = (GrantRow, i64, i64, Option<String>);
    let rows: Vec<Row> = on_backend!(r.conn(), c => grants::table
        .filter(grants::user_id.eq(Id::from(user)))
        .order((grants::valid_from, grants::id))
        .select((GrantRow::as_select(), grants::given_seq, grants::seq, grants::earlier_ends))
        .load(c))?;
    let known = |(row, given, changed, earlier): Row| {
        let (given, changed, earlier) = (Seq(given), Seq(changed), read_ends(earlier.as_deref())?);
        Ok(KnownGrant { held: row.try_into()?, given, changed, earlier })
    };
    rows.into_iter().map(known).collect()
}

/// As the column keeps them; none: it has never been changed.
fn read_ends(text: Option<&str>) -> Result<Vec<EndSince>, StoreError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    serde_json::from_str(text).map_err(|error| StoreError::corrupt("earlier ends of a grant", error))
}

/// Every grant of these users, of each the earliest first.
pub fn of_users(r: &mut impl Reading, of: &[UserId]) -> Result<HashMap<UserId, Vec<HeldGrant>>, StoreError> {
    let mut held: HashMap<UserId, Vec<HeldGrant>> = HashMap::with_capacity(of.len());
    for chunk in of.chunks(crate::dialect::BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        let rows: Vec<(Id, GrantRow)> = on_backend!(r.conn(), c => grants::table
            .filter(grants::user_id.eq_any(ids))
            .order((grants::valid_from, grants::id))
            .select((grants::user_id, GrantRow::as_select()))
            .load(c))?;
        for (user, row) in rows {
            held.entry(user.0.into()).or_default().push(row.try_into()?);
        }
    }
    Ok(held)
}

/// A grant of that id, and whose it is.
pub fn find(r: &mut impl Reading, id: GrantId) -> Result<Option<(UserId, HeldGrant)>, StoreError> {
    let row: Option<(Id, GrantRow)> = on_backend!(r.conn(), c => grants::table
        .find(Id::from(id))
        .select((grants::user_id, GrantRow::as_select()))
        .first(c)
        .optional())?;
    row.map(|(user, row)| Ok((user.0.into(), row.try_into()?))).transpose()
}

/// What a list of grants is to hold.
#[derive(Clone, Debug)]
pub struct GrantFilter {
    /// Only over units below one of these.
    pub below: Vec<UnitId>,
    /// Only of this user.
    pub user: Option<UserId>,
    /// Only of this role.
    pub role: Option<Role>,
    /// Only in this state at that instant.
    pub state: Option<(GrantState, DateTime<Utc>)>,
    /// In which order.
    pub order: ById<GrantId>,
}

/// Whether a grant holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GrantState {
    /// It holds.
    Holds,
    /// It has ended, or was ended before it began.
    Ended,
    /// It will hold.
    Future,
}

/// A page of grants, at most `limit`.
pub fn list(r: &mut impl Reading, filter: &GrantFilter, limit: i64) -> Result<Vec<(UserId, HeldGrant)>, StoreError> {
    let tops: Vec<Id> = filter.below.iter().copied().map(Id::from).collect();
    let nil = uuid::Uuid::nil();
    let (low, high) = filter.order.between();
    let (any_user, user) = (filter.user.is_none(), Id::from(filter.user.unwrap_or(UserId::new(nil))));
    let (any_role, role) = (filter.role.is_none(), filter.role.map_or("", Role::as_str));
    let (state, at) = filter.state.map_or((None, DateTime::UNIX_EPOCH), |(state, at)| (Some(state), at));
    let at = Instant(at);
    let is = |wanted| state == Some(wanted);
    macro_rules! wanted {
        () => {
            grants::table
                .filter(grants::id.gt(low).and(grants::id.lt(high)))
                .filter(exists(
                    unit_closure::table
                        .filter(unit_closure::descendant_id.eq(grants::unit_id))
                        .filter(unit_closure::ancestor_id.eq_any(&tops)),
                ))
                .filter(any_user.into_sql::<Bool>().or(grants::user_id.eq(user)))
                .filter(any_role.into_sql::<Bool>().or(grants::role.eq(role)))
                .filter(
                    state
                        .is_none()
                        .into_sql::<Bool>()
                        .or(is(GrantState::Holds)
                            .into_sql::<Bool>()
                            .and(grants::ended.eq(false))
                            .and(grants::valid_from.le(at))
                            .and(grants::valid_to.is_null().or(grants::valid_to.assume_not_null().gt(at))))
                        .or(is(GrantState::Future)
                            .into_sql::<Bool>()
                            .and(grants::ended.eq(false))
                            .and(grants::valid_from.gt(at))
                            .and(
                                grants::valid_to
                                    .is_null()
                                    .or(grants::valid_to.assume_not_null().gt(grants::valid_from)),
                            ))
                        .or(is(GrantState::Ended).into_sql::<Bool>().and(grants::valid_to.is_not_null()).and(
                            grants::ended
                                .eq(true)
                                .or(grants::valid_to.assume_not_null().le(at))
                                .or(grants::valid_to.assume_not_null().le(grants::valid_from)),
                        )),
                )
                .limit(limit)
                .select((grants::user_id, GrantRow::as_select()))
        };
    }
    let rows: Vec<(Id, GrantRow)> = match filter.order.newest_first {
        false => on_backend!(r.conn(), c => wanted!().order(grants::id).load(c))?,
        true => on_backend!(r.conn(), c => wanted!().order(grants::id.desc()).load(c))?,
    };
    rows.into_iter().map(|(user, row)| Ok((user.0.into(), row.try_into()?))).collect()
}

/// A user with every grant, for decisions.
pub fn actor(r: &mut impl Reading, user: UserId) -> Result<Actor, StoreError> {
    Ok(Actor { user, grants: of_user(r, user)? })
}

/// Gives a grant. Whoever administers holds no other role at the same time: who gives rights must not see what they open.
pub fn add(tx: &mut Tx<'_>, authority: &Authority, new: &NewGrant) -> Result<Result<(), GrantRefusal>, StoreError> {
    if let Some(refusal) = refusal(tx, authority, new)? {
        return Ok(Err(refusal));
    }
    put(tx, authority, new, "given")?;
    Ok(Ok(()))
}

fn refusal(tx: &mut Tx<'_>, authority: &Authority, new: &NewGrant) -> Result<Option<GrantRefusal>, StoreError> {
    if new.valid_to.is_some_and(|end| end <= new.valid_from) {
        return Ok(Some(GrantRefusal::PeriodEmpty));
    }
    let users: i64 = on_backend!(tx.conn(), c => users::table
        .filter(users::id.eq(Id::from(new.user)))
        .count()
        .get_result(c))?;
    if users == 0 {
        return Ok(Some(GrantRefusal::UserUnknown));
    }
    let units: i64 = on_backend!(tx.conn(), c => units::table
        .filter(units::id.eq(Id::from(new.unit)))
        .count()
        .get_result(c))?;
    if units == 0 || !authority.reaches(new.unit) {
        return Ok(Some(GrantRefusal::UnitUnknown));
    }
    Ok(clash(&of_user(tx, new.user)?, new, tx.received_at()))
}

/// What the user holds already in the same time that keeps them from holding this.
fn clash(held: &[HeldGrant], new: &NewGrant, now: DateTime<Utc>) -> Option<GrantRefusal> {
    let before = |end: Option<DateTime<Utc>>, start: DateTime<Utc>| end.is_some_and(|end| end <= start);
    let mut overlapping = held.iter().filter(|held| {
        // What was ended at once, by a clock that was ahead of this one, has ended all the same.
        let end = held.valid_to.map(|end| if held.ended { end.min(now) } else { end });
        // An ended grant may be an empty period (ended before its first day): it overlaps nothing.
        !before(end, held.valid_from) && !before(end, new.valid_from) && !before(new.valid_to, held.valid_from)
    });
    overlapping.find_map(|held| {
        if held.role.excludes(new.role) {
            Some(GrantRefusal::RoleExcluded(held.role))
        } else {
            (held.role == new.role && held.unit == new.unit).then_some(GrantRefusal::AlreadyHeld)
        }
    })
}

/// Ends a role of a user over a unit at once; one that has not begun yet will never begin. Tells how many grants ended.
pub fn revoke(
    tx: &mut Tx<'_>,
    authority: &Authority,
    user: UserId,
    role: Role,
    unit: UnitId,
) -> Result<Result<usize, GrantRefusal>, StoreError> {
    let now = tx.received_at();
    let mut open = of_user(tx, user)?;
    open.retain(|held| held.role == role && held.unit == unit && held.stands_at(now));
    if open.is_empty() || !authority.reaches(unit) {
        return Ok(Err(GrantRefusal::NotHeld));
    }
    for held in &open {
        let (id, valid_from, valid_to) = (held.id, held.valid_from, Some(now.max(held.valid_from)));
        put(tx, authority, &NewGrant { id, user, role, unit, valid_from, valid_to }, "ended")?;
    }
    Ok(Ok(open.len()))
}

/// Ends one grant at once, or on `to` if that is later and before it would end anyway. False when it had ended by then, or
/// the authority does not reach it.
pub fn end(
    tx: &mut Tx<'_>,
    authority: &Authority,
    user: UserId,
    held: &HeldGrant,
    to: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let HeldGrant { id, role, unit, valid_from, .. } = *held;
    let to = to.max(tx.received_at());
    if !authority.reaches(unit) || !held.stands_at(to) {
        return Ok(false);
    }
    // One that has not begun by then never begins.
    let valid_to = Some(to.max(valid_from));
    put(tx, authority, &NewGrant { id, user, role, unit, valid_from, valid_to }, "ended")?;
    Ok(true)
}

fn put(tx: &mut Tx<'_>, authority: &Authority, grant: &NewGrant, outcome: &'static str) -> Result<(), StoreError> {
    let command = serde_json::to_value(grant).expect("a grant is plain data");
    let seq = tx.append(LogEntry::of_reference("grant", grant.id.uuid(), outcome, &command).by(authority));
    tx.touch_access();
    write(tx, grant, seq)?;
    tell(tx, grant, seq)
}

/// Repeats of an entry of the log what phones are told: where there are no users, there are no grants.
pub fn replay_feed(tx: &mut Tx<'_>, command: &str, seq: Seq) -> Result<(), StoreError> {
    tell(tx, &read(command)?, seq)
}

fn read(command: &str) -> Result<NewGrant, StoreError> {
    serde_json::from_str(command).map_err(|error| StoreError::corrupt("grant of the log", error))
}

/// Into the feed, in the scope of the one who holds it.
fn tell(tx: &mut Tx<'_>, grant: &NewGrant, seq: Seq) -> Result<(), StoreError> {
    let (id, scope) = (grant.id.uuid(), UnitId::new(grant.user.uuid()));
    feed::stamp(tx, vec![FeedRow { id, scope, kind: feed::GRANT.to_owned(), seq, present: true }])
}

fn write(tx: &mut Tx<'_>, grant: &NewGrant, seq: Seq) -> Result<(), StoreError> {
    let earlier = ends_until_now(tx, grant.id)?;
    let ended = earlier.is_some() && ends_at_once(grant, tx.received_at());
    let valid_to = grant.valid_to.map(Instant);
    on_backend!(tx.conn(), c => diesel::insert_into(grants::table)
        .values((
            grants::id.eq(Id::from(grant.id)),
            grants::user_id.eq(Id::from(grant.user)),
            grants::role.eq(grant.role.as_str()),
            grants::unit_id.eq(Id::from(grant.unit)),
            grants::valid_from.eq(Instant(grant.valid_from)),
            grants::valid_to.eq(valid_to),
            grants::seq.eq(seq.0),
            grants::given_seq.eq(seq.0),
            grants::ended.eq(ended),
        ))
        .on_conflict(grants::id)
        .do_update()
        .set((
            grants::valid_to.eq(valid_to),
            grants::seq.eq(seq.0),
            grants::ended.eq(ended),
            grants::earlier_ends.eq(earlier.as_deref()),
        ))
        .execute(c))?;
    Ok(())
}

/// Whether an entry that changes a grant takes it away from then on: it sets an end that is not to come, or one before the
/// grant begins. What is given with an end that is past, as sample data is, was held until then.
fn ends_at_once(grant: &NewGrant, received_at: DateTime<Utc>) -> bool {
    grant.valid_to.is_some_and(|end| end <= received_at.max(grant.valid_from))
}

/// The ends that a grant has had until now, as the column keeps them; none of one that is new.
fn ends_until_now(tx: &mut Tx<'_>, id: GrantId) -> Result<Option<String>, StoreError> {
    let row: Option<(i64, Option<Instant>, Option<String>)> = on_backend!(tx.conn(), c => grants::table
        .find(Id::from(id))
        .select((grants::seq, grants::valid_to, grants::earlier_ends))
        .first(c)
        .optional())?;
    let Some((seq, valid_to, earlier)) = row else { return Ok(None) };
    let mut ends = read_ends(earlier.as_deref())?;
    ends.push((Seq(seq), valid_to.map(|at| at.0)));
    let text = serde_json::to_string(&ends).map_err(|error| StoreError::corrupt("ends of a grant", error))?;
    Ok(Some(text))
}

/// A unit and those above it, nearest first; empty for a unit that does not exist. What [`authorize`] takes.
///
/// [`authorize`]: muong_domain::access::authorize
pub fn line(r: &mut impl Reading, unit: UnitId) -> Result<Vec<UnitId>, StoreError> {
    let rows: Vec<Id> = on_backend!(r.conn(), c => unit_closure::table
        .filter(unit_closure::descendant_id.eq(Id::from(unit)))
        .order(unit_closure::depth)
        .select(unit_closure::ancestor_id)
        .load(c))?;
    Ok(rows.into_iter().map(|id| id.0.into()).collect())
}

/// The unit that has that code on that day.
pub fn unit_of_code(
    r: &mut impl Reading,
    scheme: &str,
    code: &str,
    on: NaiveDate,
) -> Result<Option<UnitId>, StoreError> {
    let found: Option<Id> = on_backend!(r.conn(), c => unit_codes::table
        .filter(unit_codes::scheme.eq(scheme))
        .filter(unit_codes::code.eq(code))
        .filter(unit_codes::valid_from.le(on))
        .filter(unit_codes::valid_to.is_null().or(unit_codes::valid_to.gt(on)))
        .select(unit_codes::unit_id)
        .first(c)
        .optional())?;
    Ok(found.map(|id| id.0.into()))
}

/// What a unit is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnitName {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// What these units are called now, or were called last.
pub fn unit_names(r: &mut impl Reading, of: &[UnitId]) -> Result<HashMap<UnitId, UnitName>, StoreError> {
    let mut names = HashMap::with_capacity(of.len());
    for chunk in of.chunks(crate::dialect::BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        let rows: Vec<(Id, String, String)> = on_backend!(r.conn(), c => unit_versions::table
            .filter(unit_versions::unit_id.eq_any(&ids))
            .order((unit_versions::unit_id, unit_versions::valid_from))
            .select((unit_versions::unit_id, unit_versions::kind, unit_versions::name))
            .load(c))?;
        // Oldest first, so that the latest version stays.
        names.extend(rows.into_iter().map(|(id, kind, name)| (id.0.into(), UnitName { kind, name })));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use uuid::Uuid;

    fn day(n: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(n)
    }

    fn held(role: Role, unit: u128, from: i64, to: Option<i64>) -> HeldGrant {
        let (id, unit) = (Uuid::from_u128(9).into(), Uuid::from_u128(unit).into());
        HeldGrant { id, role, unit, valid_from: day(from), valid_to: to.map(day), ended: false }
    }

    fn new(role: Role, unit: u128, from: i64, to: Option<i64>) -> NewGrant {
        let HeldGrant { id, role, unit, valid_from, valid_to, .. } = held(role, unit, from, to);
        NewGrant { id, user: Uuid::from_u128(1).into(), role, unit, valid_from, valid_to }
    }

    fn clash(held: &[HeldGrant], new: &NewGrant) -> Option<GrantRefusal> {
        super::clash(held, new, day(5))
    }

    #[test]
    fn an_administrator_holds_no_other_role_in_the_same_time() {
        let admin = [held(Role::Admin, 1, 10, Some(20))];
        let cadre = |from, to| clash(&admin, &new(Role::Cadre, 2, from, to));
        assert_eq!(cadre(15, None), Some(GrantRefusal::RoleExcluded(Role::Admin)));
        assert_eq!(cadre(0, Some(11)), Some(GrantRefusal::RoleExcluded(Role::Admin)));
        assert_eq!((cadre(20, None), cadre(0, Some(10))), (None, None));
        assert_eq!(
            clash(&[held(Role::Cadre, 2, 0, None)], &new(Role::Admin, 1, 5, None)),
            Some(GrantRefusal::RoleExcluded(Role::Cadre))
        );
    }

    #[test]
    fn a_role_over_a_unit_is_held_once_at_a_time_and_others_beside_it() {
        let cadre = [held(Role::Cadre, 2, 0, None)];
        assert_eq!(clash(&cadre, &new(Role::Cadre, 2, 5, None)), Some(GrantRefusal::AlreadyHeld));
        assert_eq!(clash(&cadre, &new(Role::Cadre, 3, 5, None)), None);
        assert_eq!(clash(&cadre, &new(Role::Liaison, 2, 5, None)), None);
    }

    #[test]
    fn a_grant_that_was_ended_before_it_began_stands_in_nobodys_way() {
        let never = [held(Role::Admin, 1, 10, Some(10))];
        assert_eq!(clash(&never, &new(Role::Cadre, 2, 0, None)), None);
    }

    #[test]
    fn what_a_clock_ahead_of_this_one_has_ended_stands_in_nobodys_way_from_now_on() {
        let cadre = held(Role::Cadre, 2, 0, Some(7));
        let ended = HeldGrant { ended: true, ..cadre.clone() };
        let again = |held: HeldGrant, from| clash(&[held], &new(Role::Cadre, 2, from, None));
        assert_eq!(again(cadre, 5), Some(GrantRefusal::AlreadyHeld));
        assert_eq!((again(ended.clone(), 5), again(ended.clone(), 6)), (None, None));
        assert_eq!(again(ended, 4), Some(GrantRefusal::AlreadyHeld), "it was held then");
        let coming = HeldGrant { ended: true, ..held(Role::Cadre, 2, 6, Some(7)) };
        assert_eq!(again(coming, 5), None);
    }

    #[test]
    fn an_entry_takes_a_grant_away_when_the_end_that_it_sets_is_not_to_come() {
        let ends = |from, to, now| ends_at_once(&new(Role::Cadre, 2, from, to), day(now));
        assert!(ends(0, Some(5), 5) && ends(0, Some(4), 5));
        assert!(!ends(0, Some(6), 5) && !ends(0, None, 5));
        assert!(ends(7, Some(7), 5), "it never begins");
    }

    #[test]
    fn a_grant_is_known_as_it_was_after_each_entry() {
        let ended = HeldGrant { ended: true, ..held(Role::Cadre, 2, 0, Some(3)) };
        let earlier = vec![(Seq(4), Some(day(9))), (Seq(6), Some(day(7)))];
        let known = KnownGrant { held: ended.clone(), given: Seq(4), changed: Seq(8), earlier };
        let until = |to| Some(held(Role::Cadre, 2, 0, Some(to)));
        let was = [3, 4, 5, 6, 7, 8, 9].map(|seq| known.as_of(Seq(seq)));
        assert_eq!(was, [None, until(9), until(9), until(7), until(7), Some(ended.clone()), Some(ended)]);
        let of_before = KnownGrant { earlier: Vec::new(), ..known };
        assert_eq!(of_before.as_of(Seq(7)), Some(held(Role::Cadre, 2, 0, None)), "nobody knows");
    }

    #[test]
    fn earlier_ends_are_read_as_they_were_written() {
        let ends = vec![(Seq(4), None), (Seq(6), Some(day(7) + TimeDelta::microseconds(1)))];
        let text = serde_json::to_string(&ends).unwrap();
        assert_eq!(read_ends(Some(&text)).unwrap(), ends);
        assert!(read_ends(None).unwrap().is_empty());
        assert!(read_ends(Some("[4]")).is_err());
    }
}
