//! Administrators see users: those who hold, held or will hold something where they administer, and of what they hold
//! only that. What they do to them stands in `change_user`, `create_user` and `import_users`.

use super::administration::{Administrator, look};
use super::authenticate::Authenticated;
use super::failure::Failure;
use super::reader::{Page, one_more};
use crate::state::App;
use chrono::{DateTime, Utc};
use muong_domain::access::{HeldGrant, Role};
use muong_domain::account::User;
use muong_domain::id::{UnitId, UserId};
use muong_store::users::{self, Holding, UserFilter, UserOrder};
use muong_store::{Reading, StoreError, grants};
use std::collections::{HashMap, HashSet};

/// A user as an administrator sees them.
#[derive(Clone, Debug)]
pub struct SeenUser {
    /// The user.
    pub user: User,
    /// Whether they have a second factor.
    pub second_factor: bool,
    /// What they hold, held or will hold where the administrator administers, the earliest first.
    pub grants: Vec<HeldGrant>,
    /// The moment.
    pub now: DateTime<Utc>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct UserQuery {
    /// Only those with a grant over this unit or below it.
    pub below: Option<UnitId>,
    /// Only those who hold this role now.
    pub role: Option<Role>,
    /// Only those who may no longer sign in, or only those who may.
    pub disabled: Option<bool>,
    /// Only those whose name to sign in with begins so.
    pub prefix: String,
    /// In which order, after whom.
    pub order: UserOrder,
    /// At most so many.
    pub limit: usize,
}

/// Lists them.
pub async fn list_users(app: &App, who: &Authenticated, query: UserQuery) -> Result<Page<SeenUser, User>, Failure> {
    look(app, who, move |snapshot, administrator| {
        let everybody = administrator.is_of_a_whole_tree() && query.below.is_none() && query.role.is_none();
        let filter = UserFilter {
            holding: (!everybody).then(|| Holding {
                below: administrator.tops_below(query.below),
                role: query.role.map(|role| (role, administrator.now())),
            }),
            disabled: query.disabled,
            prefix: query.prefix.clone(),
        };
        let found = users::list(snapshot, &filter, &query.order, one_more(query.limit))?;
        let page = Page::new(found, query.limit, User::clone);
        Ok(Page { items: seen(snapshot, administrator, page.items)?, next: page.next })
    })
    .await
}

/// Reads one.
pub async fn read_user(app: &App, who: &Authenticated, id: UserId) -> Result<SeenUser, Failure> {
    look(app, who, move |snapshot, administrator| {
        let user = users::find(snapshot, id)?;
        let held = grants::of_user(snapshot, id)?;
        let user = user.filter(|_| administrator.sees(id, &held)).ok_or(Failure::refused("access.not_found"))?;
        let mut seen = seen(snapshot, administrator, vec![user])?;
        seen.pop().ok_or(Failure::refused("access.not_found"))
    })
    .await
}

/// These users, with what the administrator may know of each.
pub fn seen(
    r: &mut impl Reading,
    administrator: &Administrator,
    found: Vec<User>,
) -> Result<Vec<SeenUser>, StoreError> {
    let ids: Vec<UserId> = found.iter().map(|user| user.id).collect();
    let mut held: HashMap<UserId, Vec<HeldGrant>> = grants::of_users(r, &ids)?;
    let protected: HashSet<UserId> = users::with_second_factor(r, &ids)?.into_iter().collect();
    let one = |user: User| {
        let mut grants = held.remove(&user.id).unwrap_or_default();
        grants.retain(|held| administrator.covers(held.unit));
        SeenUser { second_factor: protected.contains(&user.id), grants, now: administrator.now(), user }
    };
    Ok(found.into_iter().map(one).collect())
}
