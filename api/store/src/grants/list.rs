//! Lists of grants: pages of those that a filter asks for.

use super::GrantRow;
use crate::by_id::ById;
use crate::columns::{Id, Instant};
use crate::error::StoreError;
use crate::schema::{grants, unit_closure};
use crate::transaction::Reading;
use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use muong_domain::access::{HeldGrant, Role};
use muong_domain::id::{GrantId, UnitId, UserId};

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
