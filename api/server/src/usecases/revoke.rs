//! Ends what somebody is signed in by, from elsewhere: a device that was lost, a session that was forgotten. One's own;
//! an administrator ends those of an account that they may change. It counts for the next request on every process.

use super::authenticate::{Authenticated, write_as};
use super::failure::Failure;
use super::list_signed_in::right_over;
use crate::state::App;
use muong_domain::account::SessionEnd;
use muong_domain::id::{DeviceId, SessionId};
use muong_store::{Outcome, devices, sessions};

const NOT_FOUND: Failure = Failure::refused("access.not_found");

/// Revokes a device and ends its sessions. Doing so twice does no harm.
pub async fn revoke_device(app: &App, who: &Authenticated, device: DeviceId) -> Result<(), Failure> {
    let (user, shared) = (who.user, app.clone());
    let outcome = write_as(app, who, move |tx, _| {
        if devices::revoke_own(tx, user, device)? {
            return Ok(Outcome::Commit(()));
        }
        let Some(found) = devices::find(tx, device)? else { return Ok(Outcome::Refuse(NOT_FOUND)) };
        let authority = match right_over(&shared, tx, user, found.user)? {
            Ok(authority) => authority,
            Err(refused) => return Ok(Outcome::Refuse(refused)),
        };
        devices::revoke(tx, &authority, device)?;
        Ok(Outcome::Commit(()))
    })
    .await?;
    settled(outcome)
}

/// Ends a session. Doing so twice does no harm.
pub async fn end_session(app: &App, who: &Authenticated, session: SessionId) -> Result<(), Failure> {
    let (user, shared) = (who.user, app.clone());
    let outcome = write_as(app, who, move |tx, _| {
        let Some(session) = sessions::find(tx, session)? else { return Ok(Outcome::Refuse(NOT_FOUND)) };
        if session.user == user {
            sessions::end(tx, &session, Some(user), SessionEnd::Revoked)?;
            return Ok(Outcome::Commit(()));
        }
        let authority = match right_over(&shared, tx, user, session.user)? {
            Ok(authority) => authority,
            Err(refused) => return Ok(Outcome::Refuse(refused)),
        };
        sessions::end_for(tx, &authority, &session, SessionEnd::Revoked)?;
        Ok(Outcome::Commit(()))
    })
    .await?;
    settled(outcome)
}

fn settled(outcome: Outcome<(), Failure>) -> Result<(), Failure> {
    match outcome {
        Outcome::Commit(()) => Ok(()),
        Outcome::Refuse(refused) => Err(refused),
    }
}
