//! Registers a further device to whoever asks, with a session of its own: what a phone does that has learnt that a copy
//! of it uses the same numbers (`device.fork`). The session that asked goes on: it may be the other copy's.
//!
//! It gets no secret to be known by before its user has signed in on it: a known device has attempts at the password of
//! its own, and whoever has got hold of a session must not be able to make themselves many.

use super::authenticate::{Authenticated, write_as};
use super::failure::Failure;
use super::open_session::{Draft, Secret, SignedIn};
use crate::state::App;
use muong_domain::account::Label;
use muong_store::{Outcome, devices, sessions, users};

/// Registers it.
pub async fn register_device(app: &App, who: &Authenticated, name: Label) -> Result<SignedIn, Failure> {
    let taken = app.throttle.devices.take(who.user, 1, app.clock.now());
    taken.map_err(|wait| Failure::throttled("request.throttled", wait))?;
    let draft = Draft::new(app);
    let (session, device, token, user) = (draft.session, draft.fresh_device().id, draft.token(), who.user);
    let outcome = write_as(app, who, move |tx, _| {
        let Some(user) = users::find(tx, user)?.filter(|user| user.disabled_at.is_none()) else {
            return Ok(Outcome::Refuse("auth.user_disabled"));
        };
        let device = devices::register(tx, device, user.id, &name, None)?;
        let session = sessions::start(tx, session, user.id, device.id, token)?;
        Ok(Outcome::Commit((session, device, user)))
    })
    .await?;
    match outcome {
        Outcome::Commit((session, device, user)) => draft.complete(app, &session, device, user, Secret::Untold),
        Outcome::Refuse(code) => Err(Failure::refused(code)),
    }
}
