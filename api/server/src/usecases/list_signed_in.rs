//! Lists where somebody is signed in: their devices and their sessions. One's own; and
//! those of an account that one administers.

use super::administration::Administrator;
use super::authenticate::Authenticated;
use super::failure::{Failure, read};
use super::reader::{Page, one_more};
use crate::state::App;
use muong_domain::access::Authority;
use muong_domain::account::Device;
use muong_domain::id::{DeviceId, SessionId, UserId};
use muong_store::sessions::Listed;
use muong_store::{ById, Reading, StoreError, devices, grants, sessions, users};

/// Whose, and which page.
#[derive(Clone, Copy, Debug)]
pub struct SignedInQuery<P> {
    /// Whose; none: one's own.
    pub user: Option<UserId>,
    /// Only what may no longer be used, or has ended.
    pub over: Option<bool>,
    /// In which order.
    pub order: ById<P>,
    /// At most so many.
    pub limit: usize,
}

/// The right over another one's account; none for whom it does not exist.
pub fn right_over(
    app: &App,
    r: &mut impl Reading,
    actor: UserId,
    whose: UserId,
) -> Result<Result<Authority, Failure>, StoreError> {
    let administrator = Administrator::of(&app.reference, r, actor, app.clock.now())?;
    let held = grants::of_user(r, whose)?;
    let known = users::find(r, whose)?.is_some() && administrator.require().is_ok();
    Ok(if known { administrator.over_user(whose, &held) } else { Err(Failure::refused("access.not_found")) })
}

/// One's own, or of an account that one may change.
fn require(app: &App, r: &mut impl Reading, actor: UserId, whose: UserId) -> Result<Result<(), Failure>, StoreError> {
    if actor == whose {
        return Ok(Ok(()));
    }
    Ok(right_over(app, r, actor, whose)?.map(drop))
}

/// Lists devices.
pub async fn list_devices(
    app: &App,
    who: &Authenticated,
    query: SignedInQuery<DeviceId>,
) -> Result<Page<Device, DeviceId>, Failure> {
    let (actor, whose) = (who.user, query.user.unwrap_or(who.user));
    let found = read(app, move |app, snapshot| match require(app, snapshot, actor, whose)? {
        Ok(()) => devices::of_user(snapshot, whose, query.over, query.order, one_more(query.limit)).map(Ok),
        Err(refused) => Ok(Err(refused)),
    })
    .await??;
    Ok(Page::new(found, query.limit, |device| device.id))
}

/// Lists sessions: those that stand, unless those that have ended are asked for.
pub async fn list_sessions(
    app: &App,
    who: &Authenticated,
    query: SignedInQuery<SessionId>,
) -> Result<Page<Listed, SessionId>, Failure> {
    let (actor, whose) = (who.user, query.user.unwrap_or(who.user));
    let ended = query.over.unwrap_or(false);
    let found = read(app, move |app, snapshot| match require(app, snapshot, actor, whose)? {
        Ok(()) => sessions::of_user(snapshot, whose, ended, query.order, one_more(query.limit)).map(Ok),
        Err(refused) => Ok(Err(refused)),
    })
    .await??;
    Ok(Page::new(found, query.limit, |listed| listed.session.id))
}
