//! Grants are given and ended: by an entry of the log each, of which the feed tells whoever holds them. That somebody may
//! give one is shown by the authority; here is refused what cannot stand beside what the user holds.

use super::history::ends_until_now;
use super::of_user;
use crate::columns::{Id, Instant};
use crate::entry::LogEntry;
use crate::error::StoreError;
use crate::feed::{self, FeedRow};
use crate::schema::{grants, units, users};
use crate::transaction::{Reading, Tx};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use muong_domain::access::{Authority, HeldGrant, Role};
use muong_domain::id::{GrantId, Seq, UnitId, UserId};
use serde::{Deserialize, Serialize};

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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use chrono::TimeDelta;
    use uuid::Uuid;

    pub(crate) fn day(n: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(n)
    }

    pub(crate) fn held(role: Role, unit: u128, from: i64, to: Option<i64>) -> HeldGrant {
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
}
