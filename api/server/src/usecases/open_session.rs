//! Gives out the pair of tokens that a session is used with. Judges nobody: whoever calls has seen the proof.

use super::failure::Failure;
use crate::security::token::{Bearer, OpaqueToken};
use crate::state::App;
use chrono::{DateTime, TimeDelta, Utc};
use muong_domain::account::{Device, Session, User};
use muong_domain::id::{DeviceId, SessionId};
use muong_store::sessions::NewToken;

/// What somebody has who has signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// Good for `expires_in` seconds.
    pub access_token: String,
    /// How long.
    pub expires_in: u32,
    /// Good for one refresh.
    pub refresh: OpaqueToken,
    /// Until when.
    pub refresh_expires_at: DateTime<Utc>,
    /// Where.
    pub device: Device,
    /// What the device proves itself with from now on, if it had nothing yet.
    pub device_secret: Option<OpaqueToken>,
    /// Who.
    pub user: User,
}

/// A device that is to be registered.
#[derive(Clone, Copy, Debug)]
pub struct FreshDevice {
    /// Its id.
    pub id: DeviceId,
    /// SHA-256 of what it will prove itself with.
    pub secret_hash: [u8; 32],
}

/// Whether the device has been given the secret of the draft.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Secret {
    /// It has: told once, in this answer.
    Told,
    /// It has another one, or none.
    Untold,
}

/// All that chance and the clock have to say for a session, before the store is asked: a change may run twice, and
/// must do the same both times.
#[derive(Debug)]
pub struct Draft {
    /// For a session that starts.
    pub session: SessionId,
    device: DeviceId,
    device_secret: OpaqueToken,
    refresh: OpaqueToken,
    refresh_expires_at: DateTime<Utc>,
}

impl Draft {
    /// Draws it.
    pub fn new(app: &App) -> Self {
        let now = app.clock.now();
        Self {
            session: app.entropy.uuid(now).into(),
            device: app.entropy.uuid(now).into(),
            device_secret: OpaqueToken::new(&app.entropy),
            refresh: OpaqueToken::new(&app.entropy),
            refresh_expires_at: now + TimeDelta::days(i64::from(app.config.refresh_token_days)),
        }
    }

    /// What the store is to know of the refresh token.
    pub fn token(&self) -> NewToken {
        NewToken { hash: self.refresh.hash(), expires_at: self.refresh_expires_at }
    }

    /// The device, should one be registered.
    pub fn fresh_device(&self) -> FreshDevice {
        FreshDevice { id: self.device, secret_hash: self.device_secret.hash() }
    }

    /// The answer, when the store has taken it.
    pub fn complete(
        self,
        app: &App,
        session: &Session,
        device: Device,
        user: User,
        secret: Secret,
    ) -> Result<SignedIn, Failure> {
        let now = app.clock.now();
        let who = Bearer { user: session.user, device: session.device, session: session.id };
        let seconds = app.config.access_token_seconds;
        let signed = app.keys.issue(who, now, seconds);
        Ok(SignedIn {
            access_token: signed.map_err(|_| Failure::Machine("an access token could not be signed"))?,
            expires_in: seconds,
            refresh: self.refresh,
            refresh_expires_at: self.refresh_expires_at,
            device_secret: (secret == Secret::Told).then_some(self.device_secret),
            device,
            user,
        })
    }
}
