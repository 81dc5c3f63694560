//! Lists where somebody is signed in: their devices and their sessions. One's own; an administrator's for anybody.

use super::authenticate::Authenticated;
use super::failure::{Failure, read};
use super::publish_form::authorize_administration;
use super::reader::{Page, one_more};
use crate::state::App;
use muong_domain::access::{Actor, Authority};
use muong_domain::account::Device;
use muong_domain::id::{DeviceId, SessionId, UserId};
use muong_store::sessions::Listed;
use muong_store::{Reading, StoreError, devices, sessions, users};
use std::sync::Arc;

/// Whose, and which page.
#[derive(Clone, Copy, Debug)]
pub struct SignedInQuery<P> {
    /// Whose; none: one's own.
    pub user: Option<UserId>,
    /// Only what may no longer be used, or has ended.
    pub over: Option<bool>,
    /// After this one.
    pub after: Option<P>,
    /// At most so many.
    pub limit: usize,
}

/// The right to administer everybody; none when somebody has it not.
pub fn administration(app: &App, r: &mut impl Reading, actor: &Actor) -> Result<Option<Authority>, StoreError> {
    let seq = r.reference_seq()?;
    let reference = app.reference.get(r, seq)?;
    Ok(authorize_administration(actor, &reference, app.clock.now()).ok())
}

/// Another one's exists for administrators alone.
fn may_see(app: &App, r: &mut impl Reading, actor: &Actor, whose: UserId) -> Result<bool, StoreError> {
    if actor.user == whose {
        return Ok(true);
    }
    Ok(administration(app, r, actor)?.is_some() && users::find(r, whose)?.is_some())
}

/// Lists devices.
pub async fn list_devices(
    app: &App,
    who: &Authenticated,
    query: SignedInQuery<DeviceId>,
) -> Result<Page<Device, DeviceId>, Failure> {
    let (actor, whose) = (Arc::clone(&who.actor), query.user.unwrap_or(who.user));
    let found = read(app, move |app, snapshot| {
        if !may_see(app, snapshot, &actor, whose)? {
            return Ok(None);
        }
        devices::of_user(snapshot, whose, query.over, query.after, one_more(query.limit)).map(Some)
    })
    .await?;
    let found = found.ok_or(Failure::refused("access.not_found"))?;
    Ok(Page::new(found, query.limit, |device| device.id))
}

/// Lists sessions: those that stand, unless those that have ended are asked for.
pub async fn list_sessions(
    app: &App,
    who: &Authenticated,
    query: SignedInQuery<SessionId>,
) -> Result<Page<Listed, SessionId>, Failure> {
    let (actor, whose) = (Arc::clone(&who.actor), query.user.unwrap_or(who.user));
    let ended = query.over.unwrap_or(false);
    let found = read(app, move |app, snapshot| {
        if !may_see(app, snapshot, &actor, whose)? {
            return Ok(None);
        }
        sessions::of_user(snapshot, whose, ended, query.after, one_more(query.limit)).map(Some)
    })
    .await?;
    let found = found.ok_or(Failure::refused("access.not_found"))?;
    Ok(Page::new(found, query.limit, |listed| listed.session.id))
}
