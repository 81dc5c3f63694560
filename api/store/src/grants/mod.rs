//! Grants: who holds which role over which subtree, and since and until when. Whether one allows something is the
//! domain's to decide (`access`). Here is how they are read; how they are given and ended is in `give.rs`, what they
//! were before in `history.rs`, and their lists in `list.rs`.

mod give;
mod history;
mod list;

use crate::columns::{Id, Instant};
use crate::error::StoreError;
use crate::schema::grants;
use crate::transaction::Reading;
use diesel::prelude::*;
use muong_domain::access::{Actor, HeldGrant, Role};
use muong_domain::id::{GrantId, UserId};
use std::collections::HashMap;

pub use give::{GrantRefusal, NewGrant, add, end, replay_feed, revoke};
pub use history::{EndSince, KnownGrant, known_of_user};
pub use list::{GrantFilter, GrantState, list};

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

/// Every grant that a user holds, held or will hold, the earliest first.
pub fn of_user(r: &mut impl Reading, user: UserId) -> Result<Vec<HeldGrant>, StoreError> {
    let rows: Vec<GrantRow> = on_backend!(r.conn(), c => grants::table
        .filter(grants::user_id.eq(Id::from(user)))
        .order((grants::valid_from, grants::id))
        .select(GrantRow::as_select())
        .load(c))?;
    rows.into_iter().map(HeldGrant::try_from).collect()
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

/// A user with every grant, for decisions.
pub fn actor(r: &mut impl Reading, user: UserId) -> Result<Actor, StoreError> {
    Ok(Actor { user, grants: of_user(r, user)? })
}
