//! Believes an access token, or not: its signature, and whether its session, device and user still stand.
//! What is found out is remembered, and checked against the head at every request, so that whatever ends a session
//! or a grant counts for the next request on every replica.

use super::account_for::Asked;
use super::failure::{Failure, read};
use crate::security::token::{AccessClaims, TokenError};
use crate::state::App;
use muong_domain::access::Actor;
use muong_domain::account::Session;
use muong_domain::id::{DeviceId, Seq, SessionId, UserId};
use muong_store::{Reading, StoreError, devices, grants, sessions, users};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use uuid::Uuid;

/// Somebody who has signed in, on a device, in a session that stands.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// With every grant, for decisions.
    pub actor: Arc<Actor>,
    /// Who.
    pub user: UserId,
    /// Where.
    pub device: DeviceId,
    /// In which session.
    pub session: SessionId,
    /// The epoch, and the last change of users or grants, that this is as of.
    pub as_of: (Uuid, Seq),
    /// By which request.
    pub asked: Asked,
}

/// A session that stood, as of one entry of the log.
#[derive(Debug)]
pub struct Standing {
    /// The epoch, and the last change of users, devices, sessions or grants, when it was looked up.
    as_of: (Uuid, Seq),
    session: Session,
    actor: Arc<Actor>,
}

/// What became of a session.
enum Found {
    Standing(Arc<Standing>),
    Ended(&'static str),
}

/// Who presents this token.
pub async fn authenticate(app: &App, token: &str) -> Result<Authenticated, Failure> {
    let claims = believe(app, token)?;
    let session = claims.sid;
    let found = read(app, move |app, snapshot| {
        let head = snapshot.head()?;
        let as_of = (head.epoch, head.access_seq);
        match app.standings.get(&session).filter(|standing| standing.as_of == as_of) {
            Some(standing) => Ok(Found::Standing(standing)),
            None => look_up(app, snapshot, session, as_of),
        }
    })
    .await?;
    match found {
        Found::Standing(standing) if standing.is_of(&claims) => {
            let Session { id, user, device, .. } = standing.session;
            Ok(Authenticated {
                actor: Arc::clone(&standing.actor),
                user,
                device,
                session: id,
                as_of: standing.as_of,
                asked: Asked::default(),
            })
        }
        Found::Standing(_) => Err(Failure::refused("auth.invalid_token")),
        Found::Ended(code) => {
            app.standings.forget(&session);
            Err(Failure::refused(code))
        }
    }
}

/// Verifies the signature once for each token, and its time each time.
fn believe(app: &App, token: &str) -> Result<Arc<AccessClaims>, TokenError> {
    let (key, now) = (Sha256::digest(token).into(), app.clock.now());
    if let Some(claims) = app.tokens.get(&key) {
        if claims.exp > now.timestamp() {
            return Ok(claims);
        }
        app.tokens.forget(&key);
        return Err(TokenError::Expired);
    }
    let claims = Arc::new(app.keys.verify(token, now)?);
    app.tokens.put(key, Arc::clone(&claims));
    Ok(claims)
}

fn look_up(app: &App, r: &mut impl Reading, session: SessionId, as_of: (Uuid, Seq)) -> Result<Found, StoreError> {
    let Some(session) = sessions::find(r, session)? else { return Ok(Found::Ended("auth.session_ended")) };
    let user = users::find(r, session.user)?;
    if user.is_none_or(|user| user.disabled_at.is_some()) {
        return Ok(Found::Ended("auth.user_disabled"));
    }
    let device = devices::find(r, session.device)?;
    if device.is_none_or(|device| device.revoked_at.is_some()) {
        return Ok(Found::Ended("auth.device_revoked"));
    }
    if session.ended.is_some() {
        return Ok(Found::Ended("auth.session_ended"));
    }
    let actor = Arc::new(grants::actor(r, session.user)?);
    let standing = Arc::new(Standing { as_of, session, actor });
    app.standings.put(session.id, Arc::clone(&standing));
    Ok(Found::Standing(standing))
}

impl Standing {
    /// The token and the store must agree: a key that signs for two databases must not open the other one.
    fn is_of(&self, claims: &AccessClaims) -> bool {
        (self.session.user, self.session.device) == (claims.sub, claims.dev)
    }
}
