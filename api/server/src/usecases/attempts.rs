//! Attempts to prove who one is, counted before they are made: by the account that is named, by the device that is known,
//! or by the user who is signed in. Whoever is refused has taken nothing, so that trying harder does not help and does not harm.
//!
//! A known device has a budget of its own: whoever guesses at an account from elsewhere does not lock it out. An account
//! that does not exist has a budget like any other, and costs the same work.

use super::failure::{Failure, write};
use crate::security::backoff::{Backoff, MEMORY};
use crate::state::App;
use chrono::TimeDelta;
use muong_domain::account::Username;
use muong_domain::id::{DeviceId, UserId};
use muong_store::attempts::{self, AttemptKey};
use muong_store::{Outcome, Reading, StoreError, Tx};
use sha2::{Digest, Sha256};

/// What is being tried, and how failures are answered.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    key: AttemptKey,
    backoff: Backoff,
}

fn digest(kind: &str, what: &[u8]) -> AttemptKey {
    Sha256::new().chain_update(kind).chain_update([0]).chain_update(what).finalize().into()
}

impl Budget {
    /// Passwords for an account. Names that nobody can have share one: what was typed there may be a password.
    pub fn of_account(app: &App, name: Option<&Username>) -> Self {
        let name = name.map_or("", Username::as_str);
        Self { key: digest("account", name.as_bytes()), backoff: app.throttle.password }
    }

    /// Passwords on a known device.
    pub fn of_device(app: &App, device: DeviceId) -> Self {
        Self { key: digest("device", device.uuid().as_bytes()), backoff: app.throttle.password }
    }

    /// Passwords that somebody is asked for again who is signed in, on all their devices together: whoever has a session of
    /// theirs can register as many devices as they like. It keeps nobody from signing in, and a session that guesses can
    /// be ended without a password.
    pub fn of_user(app: &App, user: UserId) -> Self {
        Self { key: digest("user", user.uuid().as_bytes()), backoff: app.throttle.password }
    }

    /// Second factors of somebody who is signed in. See [`Self::of_user`].
    pub fn of_users_second_factor(app: &App, user: UserId) -> Self {
        Self { key: digest("second factor of a user", user.uuid().as_bytes()), backoff: app.throttle.second_factor }
    }

    /// Second factors of whoever signs in, on a known device or on all others together.
    pub fn of_second_factor(app: &App, user: UserId, device: Option<DeviceId>) -> Self {
        let what = device.map_or(user.uuid(), DeviceId::uuid);
        Self { key: digest("second factor", what.as_bytes()), backoff: app.throttle.second_factor }
    }

    /// How long to wait before the next attempt; none: it may be made now.
    pub fn wait(&self, app: &App, r: &mut impl Reading) -> Result<Option<TimeDelta>, StoreError> {
        Ok(self.backoff.wait(attempts::find(r, &self.key)?.as_ref(), app.clock.now()))
    }

    /// Counts an attempt that is about to be made, or tells how long to wait.
    pub fn take(&self, tx: &mut Tx<'_>) -> Result<Result<(), TimeDelta>, StoreError> {
        let (before, now) = (attempts::find(tx, &self.key)?, tx.received_at());
        if let Some(wait) = self.backoff.wait(before.as_ref(), now) {
            return Ok(Err(wait));
        }
        attempts::put(tx, &self.key, &self.backoff.counted(before, now))?;
        if before.is_none() {
            attempts::clear(tx, now - MEMORY)?;
        }
        Ok(Ok(()))
    }

    /// The attempt has succeeded: all that failed before is forgotten.
    pub fn forget(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        attempts::forget(tx, &self.key)
    }
}

/// Counts an attempt that is about to be made, in a transaction of its own: it counts for all processes at once.
pub async fn count(app: &App, budget: Budget) -> Result<(), Failure> {
    match write(app, move |tx| Ok(Outcome::from(budget.take(tx)?))).await? {
        Outcome::Commit(()) => Ok(()),
        Outcome::Refuse(wait) => Err(Failure::throttled("auth.throttled", wait)),
    }
}
