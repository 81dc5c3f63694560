//! Grants are given, ended and listed by administrators: over units that they administer, in roles that are theirs to
//! give, to users whom they see, and never to themselves.

use super::administration::{Administrator, change, look};
use super::authenticate::Authenticated;
use super::failure::Failure;
use super::reader::{Page, one_more};
use crate::state::App;
use chrono::{DateTime, Utc};
use muong_domain::access::{HeldGrant, Role};
use muong_domain::id::{GrantId, UnitId, UserId};
use muong_domain::refusal::Finding;
use muong_store::grants::{self, GrantFilter, GrantRefusal, GrantState, NewGrant};
use muong_store::{ById, Tx, users};

/// A grant, and whose it is.
#[derive(Clone, Debug)]
pub struct SeenGrant {
    /// Whose.
    pub user: UserId,
    /// The grant.
    pub held: HeldGrant,
    /// The moment.
    pub now: DateTime<Utc>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct GrantQuery {
    /// Only of this user.
    pub user: Option<UserId>,
    /// Only over this unit or below it.
    pub below: Option<UnitId>,
    /// Only of this role.
    pub role: Option<Role>,
    /// Only in this state.
    pub state: Option<GrantState>,
    /// In which order.
    pub order: ById<GrantId>,
    /// At most so many.
    pub limit: usize,
}

/// Lists grants.
pub async fn list_grants(
    app: &App,
    who: &Authenticated,
    query: GrantQuery,
) -> Result<Page<SeenGrant, GrantId>, Failure> {
    look(app, who, move |snapshot, administrator| {
        let now = administrator.now();
        let filter = GrantFilter {
            below: administrator.tops_below(query.below),
            user: query.user,
            role: query.role,
            state: query.state.map(|state| (state, now)),
            order: query.order,
        };
        let found = grants::list(snapshot, &filter, one_more(query.limit))?;
        let page = Page::new(found, query.limit, |(_, held)| held.id);
        Ok(page.map(|(user, held)| SeenGrant { user, held, now }))
    })
    .await
}

/// What is to be given.
#[derive(Clone, Copy, Debug)]
pub struct Giving {
    /// The role.
    pub role: Role,
    /// The top of the subtree.
    pub unit: UnitId,
    /// The first instant; none: now.
    pub from: Option<DateTime<Utc>>,
    /// The first instant after; none: open.
    pub to: Option<DateTime<Utc>>,
}

/// Gives a grant to a user.
pub async fn give_grant(app: &App, who: &Authenticated, user: UserId, giving: Giving) -> Result<SeenGrant, Failure> {
    let id = app.entropy.uuid(app.clock.now()).into();
    change(app, who, move |tx, administrator| {
        administrator.not_oneself(user)?;
        let held = grants::of_user(tx, user)?;
        if users::find(tx, user)?.is_none() || !administrator.sees(user, &held) {
            return Err(Failure::refused("user.unknown").at("/user"));
        }
        give(tx, administrator, user, id, &giving).map_err(|(failure, part)| failure.at(part))
    })
    .await
}

/// The same in a transaction, with the part of the input that is at fault.
pub fn give(
    tx: &mut Tx<'_>,
    administrator: &Administrator,
    user: UserId,
    id: GrantId,
    giving: &Giving,
) -> Result<SeenGrant, (Failure, &'static str)> {
    let now = administrator.now();
    let Giving { role, unit, from, to } = *giving;
    let authority = may_give(administrator, giving)?;
    let valid_from = from.unwrap_or(now);
    let new = NewGrant { id, user, role, unit, valid_from, valid_to: to };
    match grants::add(tx, &authority, &new).map_err(|error| (error.into(), ""))? {
        Ok(()) => {
            Ok(SeenGrant { user, held: HeldGrant { id, role, unit, valid_from, valid_to: to, ended: false }, now })
        }
        Err(refusal) => Err(refused(refusal)),
    }
}

/// Whether it is theirs to give, before anything is known of whom it is for.
pub fn may_give(
    administrator: &Administrator,
    giving: &Giving,
) -> Result<muong_domain::access::Authority, (Failure, &'static str)> {
    // Nobody was allowed this morning what is given now.
    if giving.from.is_some_and(|from| from < administrator.now()) {
        return Err((Failure::refused("grant.begins_in_past"), "/valid_from"));
    }
    let valid_from = giving.from.unwrap_or(administrator.now());
    if giving.to.is_some_and(|end| end <= valid_from) {
        return Err((Failure::refused("grant.period_empty"), "/valid_to"));
    }
    administrator.may_give(giving.role, giving.unit).map_err(|failure| match failure {
        Failure::Refused { code: "access.role_above", .. } => (failure, "/role"),
        // A unit elsewhere is answered like one that nobody knows.
        _ => (Failure::refused("unit.unknown"), "/unit"),
    })
}

fn refused(refusal: GrantRefusal) -> (Failure, &'static str) {
    let code = refusal.code();
    match refusal {
        GrantRefusal::UserUnknown => (Failure::refused(code), "/user"),
        GrantRefusal::UnitUnknown => (Failure::refused(code), "/unit"),
        GrantRefusal::PeriodEmpty => (Failure::refused(code), "/valid_to"),
        GrantRefusal::RoleExcluded(role) => {
            (Failure::invalid(Finding::new(code, "/role").with("role", role.as_str()), code), "/role")
        }
        GrantRefusal::AlreadyHeld | GrantRefusal::NotHeld => (Failure::refused(code), "/role"),
    }
}

/// Ends a grant, now or on a later instant.
pub async fn end_grant(
    app: &App,
    who: &Authenticated,
    id: GrantId,
    on: Option<DateTime<Utc>>,
) -> Result<SeenGrant, Failure> {
    change(app, who, move |tx, administrator| {
        let (user, held) = grants::find(tx, id)?.ok_or(Failure::refused("access.not_found"))?;
        let authority = administrator.may_give(held.role, held.unit)?;
        administrator.not_oneself(user)?;
        if !grants::end(tx, &authority, user, &held, on.unwrap_or(administrator.now()))? {
            return Err(Failure::refused("grant.not_held"));
        }
        let (user, held) = grants::find(tx, id)?.ok_or(Failure::refused("access.not_found"))?;
        Ok(SeenGrant { user, held, now: administrator.now() })
    })
    .await
}
