//! Believes an access token, or not: its signature, and whether its session, device and user still stand.
//! What is found out is remembered, and checked against the head at every request, so that whatever ends a session
//! or a grant counts for the next request on every replica.

use super::account_for::Asked;
use super::failure::{Failure, read, write};
use crate::security::keyring::Believed;
use crate::security::token::{AccessClaims, TokenError};
use crate::state::App;
use muong_domain::access::Actor;
use muong_domain::account::Session;
use muong_domain::id::{DeviceId, Seq, SessionId, UserId};
use muong_store::{Outcome, Reading, StoreError, Tx, devices, grants, sessions, totp, users};
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
    /// Whether they have a second factor; told of those who need one alone.
    has_second_factor: bool,
}

impl Authenticated {
    /// Whether a role that they hold now requires a second factor (`totp_required_roles`).
    pub fn requires_second_factor(&self, app: &App) -> bool {
        let required = &app.config.totp_required_roles;
        let now = app.clock.now();
        !required.is_empty()
            && self.actor.grants.iter().any(|grant| required.contains(&grant.role) && grant.holds_at(now))
    }

    /// Whether they may do nothing yet but enrol a second factor.
    pub fn must_enrol(&self, app: &App) -> bool {
        !self.has_second_factor && self.requires_second_factor(app)
    }
}

/// A session that stood, as of one entry of the log.
#[derive(Debug)]
pub struct Standing {
    /// The epoch, and the last change of users, devices, sessions or grants, when it was looked up.
    as_of: (Uuid, Seq),
    session: Session,
    actor: Arc<Actor>,
    has_second_factor: bool,
}

const ENROL_FIRST: &str = "auth.totp_enrolment_required";

/// What became of a session.
enum Found {
    Standing(Arc<Standing>),
    Ended(&'static str),
}

/// Who presents this token.
pub async fn authenticate(app: &App, token: &str) -> Result<Authenticated, Failure> {
    let claims = believe(app, token)?;
    let standing = standing(app, claims.sid).await?;
    standing.of(&claims).ok_or_else(|| Failure::refused("auth.invalid_token"))
}

/// The same person some time later within one request: whether the session still stands, and with the grants as they are
/// now.
pub async fn authenticate_again(app: &App, who: &Authenticated) -> Result<Authenticated, Failure> {
    let standing = standing(app, who.session).await?;
    let again = Authenticated { asked: who.asked, ..standing.authenticated() };
    if again.must_enrol(app) { Err(Failure::refused(ENROL_FIRST)) } else { Ok(again) }
}

/// Changes for somebody who is signed in: with the grants that they hold in the transaction that does it, and refused
/// there when session, device or user stand no more. A body may have come so slowly that they have ended since. The
/// change may run twice, and must not write before it refuses.
pub async fn write_as<T: Send + 'static, R: Send + 'static>(
    app: &App,
    who: &Authenticated,
    mut change: impl FnMut(&mut Tx<'_>, &Arc<Actor>) -> Result<Outcome<T, R>, StoreError> + Send + 'static,
) -> Result<Outcome<T, R>, Failure> {
    let (shared, who) = (app.clone(), who.clone());
    let written = write(app, move |tx| {
        let as_of = tx.head().access_as_of();
        Ok(match actor_within(&shared, tx, as_of, &who)? {
            Err(code) => Outcome::Refuse(Err(code)),
            Ok(actor) => match change(tx, &actor)? {
                Outcome::Commit(done) => Outcome::Commit(done),
                Outcome::Refuse(refusal) => Outcome::Refuse(Ok(refusal)),
            },
        })
    });
    match written.await? {
        Outcome::Commit(done) => Ok(Outcome::Commit(done)),
        Outcome::Refuse(Ok(refusal)) => Ok(Outcome::Refuse(refusal)),
        Outcome::Refuse(Err(code)) => Err(Failure::refused(code)),
    }
}

/// Somebody with what they hold in a transaction whose head says `as_of`, or the code by which they are signed in no more.
pub fn actor_within(
    app: &App,
    r: &mut impl Reading,
    as_of: (Uuid, Seq),
    who: &Authenticated,
) -> Result<Result<Arc<Actor>, &'static str>, StoreError> {
    if as_of == who.as_of {
        return Ok(Ok(Arc::clone(&who.actor)));
    }
    // Not remembered: this transaction may yet be undone.
    Ok(match look_up(app, r, who.session, as_of)? {
        Found::Ended(code) => Err(code),
        // Who had to enrol before was let through for that.
        Found::Standing(standing) if standing.authenticated().must_enrol(app) && !who.must_enrol(app) => {
            Err(ENROL_FIRST)
        }
        Found::Standing(standing) => Ok(Arc::clone(&standing.actor)),
    })
}

async fn standing(app: &App, session: SessionId) -> Result<Arc<Standing>, Failure> {
    // Known without asking the store, as long as nobody's rights have changed since.
    if let Some(head) = app.head.recent()
        && let Some(standing) = app.standings.get(&session).filter(|known| known.as_of == head.access_as_of())
    {
        return Ok(standing);
    }
    let found = read(app, move |app, snapshot| {
        let head = snapshot.head()?;
        let as_of = head.access_as_of();
        match app.standings.get(&session).filter(|standing| standing.as_of == as_of) {
            Some(standing) => Ok(Found::Standing(standing)),
            None => {
                let found = look_up(app, snapshot, session, as_of)?;
                if let Found::Standing(standing) = &found {
                    app.standings.put(session, Arc::clone(standing));
                }
                Ok(found)
            }
        }
    })
    .await?;
    match found {
        Found::Standing(standing) => Ok(standing),
        Found::Ended(code) => {
            app.standings.forget(&session);
            Err(Failure::refused(code))
        }
    }
}

/// Verifies the signature once for each token and state of the keys, and its time each time.
fn believe(app: &App, token: &str) -> Result<Arc<AccessClaims>, TokenError> {
    let (key, now) = (Sha256::digest(token).into(), app.clock.now());
    if let Some(Believed { claims, .. }) = app.tokens.get(&key).filter(|known| app.keys.still_believes(known, now)) {
        if claims.exp > now.timestamp() {
            return Ok(claims);
        }
        app.tokens.forget(&key);
        return Err(TokenError::Expired);
    }
    let believed = app.keys.verify(token, now)?;
    let claims = Arc::clone(&believed.claims);
    app.tokens.put(key, believed);
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
    // Asked only where it matters: most installations, and most roles, require none.
    let matters = actor.grants.iter().any(|grant| app.config.totp_required_roles.contains(&grant.role));
    let has_second_factor = matters && totp::is_confirmed(r, session.user)?;
    Ok(Found::Standing(Arc::new(Standing { as_of, session, actor, has_second_factor })))
}

impl Standing {
    /// The token and the store must agree: a key that signs for two databases must not open the other one.
    fn of(&self, claims: &AccessClaims) -> Option<Authenticated> {
        let Session { user, device, .. } = self.session;
        ((user, device) == (claims.sub, claims.dev)).then(|| self.authenticated())
    }

    fn authenticated(&self) -> Authenticated {
        let Session { id: session, user, device, .. } = self.session;
        Authenticated {
            actor: Arc::clone(&self.actor),
            user,
            device,
            session,
            as_of: self.as_of,
            asked: Asked::default(),
            has_second_factor: self.has_second_factor,
        }
    }
}
