//! Tells somebody who they are here: user, device, and every grant with the name of its unit.

use super::authenticate::Authenticated;
use super::failure::{Failure, read};
use crate::state::App;
use muong_domain::access::{HeldGrant, Role};
use muong_domain::account::{Device, User};
use muong_domain::id::UnitId;
use muong_store::units::{self, UnitName};
use muong_store::{devices, grants, users};
use std::collections::{BTreeSet, HashMap};

/// Somebody, as they are told.
#[derive(Debug)]
pub struct Me {
    /// Who.
    pub user: User,
    /// Where.
    pub device: Device,
    /// The roles that they hold now, over whatever unit.
    pub roles: BTreeSet<Role>,
    /// All grants, also ended and future ones, and whether each holds now.
    pub grants: Vec<(HeldGrant, bool)>,
    /// What their units are called.
    pub units: HashMap<UnitId, UnitName>,
}

/// Tells.
pub async fn describe_me(app: &App, who: &Authenticated) -> Result<Me, Failure> {
    let (user, device) = (who.user, who.device);
    let now = app.clock.now();
    let found = read(app, move |_, snapshot| {
        let (Some(user), Some(device)) = (users::find(snapshot, user)?, devices::find(snapshot, device)?) else {
            return Ok(None);
        };
        let held = grants::of_user(snapshot, user.id)?;
        let of: Vec<UnitId> = held.iter().map(|grant| grant.unit).collect();
        let units = units::unit_names(snapshot, &of)?;
        let grants: Vec<_> = held.into_iter().map(|grant| (grant.holds_at(now), grant)).map(|(n, g)| (g, n)).collect();
        let roles = grants.iter().filter(|(_, holds)| *holds).map(|(grant, _)| grant.role).collect();
        Ok(Some(Me { user, device, roles, grants, units }))
    })
    .await?;
    // Between the middleware and here the user and the device can only have been ended, never removed.
    found.ok_or(Failure::refused("auth.session_ended"))
}
