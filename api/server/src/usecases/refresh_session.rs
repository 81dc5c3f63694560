//! Exchanges a refresh token for the next pair. Each is good once: presenting an old one again means that two have it,
//! so the whole session ends (RFC 9700, §4.14.2).

use super::failure::{Failure, write};
use super::open_session::{Draft, SignedIn};
use crate::security::token::refresh_hash;
use crate::state::App;
use chrono::{DateTime, Utc};
use muong_domain::account::{Device, Session, SessionEnd, User};
use muong_domain::id::DeviceId;
use muong_store::sessions::Presented;
use muong_store::{Outcome, devices, sessions, users};

/// What a device presents.
#[derive(Debug)]
pub struct Refresh {
    /// SHA-256 of the refresh token.
    pub hash: [u8; 32],
    /// Which device it says it is.
    pub device: DeviceId,
}

impl Refresh {
    /// Of a token as it came.
    pub fn new(token: &str, device: DeviceId) -> Self {
        Self { hash: refresh_hash(token), device }
    }
}

/// What is to be done with a token that was presented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Rotate,
    /// It was used before: the session ends.
    EndFamily,
    Refuse(&'static str),
}

/// How it ended: the ending of a family is committed, although the request is refused.
type Settled = Result<(Session, Device, User), &'static str>;

/// Refreshes. Of two that present the same token, the first in the writer's order gets the next one.
pub async fn refresh_session(app: &App, refresh: Refresh) -> Result<SignedIn, Failure> {
    let draft = Draft::new(app);
    let next = draft.token();
    let outcome: Outcome<Settled, &'static str> = write(app, move |tx| {
        let Some(presented) = sessions::presented(tx, &refresh.hash)? else { return Ok(Outcome::Refuse(INVALID)) };
        let user = users::find(tx, presented.session.user)?;
        let device = devices::find(tx, presented.session.device)?;
        let (Some(user), Some(device)) = (user, device) else { return Ok(Outcome::Refuse(INVALID)) };
        match judge(&presented, refresh.device, &user, &device, tx.received_at()) {
            Verdict::Rotate => {
                sessions::rotate(tx, presented.session.id, &refresh.hash, next)?;
                Ok(Outcome::Commit(Ok((presented.session, device, user))))
            }
            Verdict::EndFamily => {
                sessions::end(tx, &presented.session, None, SessionEnd::RefreshReused)?;
                Ok(Outcome::Commit(Err(REUSED)))
            }
            Verdict::Refuse(code) => Ok(Outcome::Refuse(code)),
        }
    })
    .await?;
    match outcome {
        Outcome::Commit(Ok((session, device, user))) => draft.complete(app, &session, device, user),
        Outcome::Commit(Err(code)) => {
            tracing::warn!("a refresh token was presented twice; its session has ended");
            Err(Failure::refused(code))
        }
        Outcome::Refuse(code) => Err(Failure::refused(code)),
    }
}

const INVALID: &str = "auth.refresh_invalid";
const REUSED: &str = "auth.refresh_reused";

/// A token from another device is refused before anything is done: whoever only stole the token ends no session.
fn judge(presented: &Presented, from: DeviceId, user: &User, device: &Device, now: DateTime<Utc>) -> Verdict {
    let Presented { session, expires_at, used } = presented;
    if session.device != from {
        return Verdict::Refuse(INVALID);
    }
    if user.disabled_at.is_some() {
        return Verdict::Refuse("auth.user_disabled");
    }
    if device.revoked_at.is_some() {
        return Verdict::Refuse("auth.device_revoked");
    }
    match session.ended {
        // The one who did not steal it comes later, and must learn why they are signed out.
        Some(SessionEnd::RefreshReused) => Verdict::Refuse(REUSED),
        Some(_) => Verdict::Refuse(INVALID),
        None if *used => Verdict::EndFamily,
        None if *expires_at <= now => Verdict::Refuse(INVALID),
        None => Verdict::Rotate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use uuid::Uuid;

    fn at(days: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(days)
    }

    fn verdict(change: impl FnOnce(&mut Presented, &mut User, &mut Device)) -> Verdict {
        let user = Uuid::from_u128(1).into();
        let id = Uuid::from_u128(2).into();
        let session = Session { id: Uuid::from_u128(3).into(), user, device: id, started_at: at(0), ended: None };
        let mut presented = Presented { session, expires_at: at(90), used: false };
        let mut user = User {
            id: user,
            username: "a".to_owned(),
            display_name: "A".to_owned(),
            created_at: at(0),
            disabled_at: None,
        };
        let mut device = Device { id, user: user.id, name: "A".to_owned(), registered_at: at(0), revoked_at: None };
        change(&mut presented, &mut user, &mut device);
        judge(&presented, id, &user, &device, at(1))
    }

    #[test]
    fn a_token_is_good_once_on_its_device_until_it_expires() {
        assert_eq!(verdict(|_, _, _| {}), Verdict::Rotate);
        assert_eq!(verdict(|p, _, _| p.used = true), Verdict::EndFamily);
        assert_eq!(verdict(|p, _, _| p.expires_at = at(1)), Verdict::Refuse(INVALID));
        let elsewhere = |p: &mut Presented| p.session.device = Uuid::from_u128(9).into();
        assert_eq!(verdict(|p, _, _| elsewhere(p)), Verdict::Refuse(INVALID));
        let stolen = verdict(|p, _, _| {
            elsewhere(p);
            p.used = true;
        });
        assert_eq!(stolen, Verdict::Refuse(INVALID));
    }

    #[test]
    fn whatever_has_ended_stays_ended_and_says_why() {
        assert_eq!(verdict(|p, _, _| p.session.ended = Some(SessionEnd::SignedOut)), Verdict::Refuse(INVALID));
        assert_eq!(verdict(|p, _, _| p.session.ended = Some(SessionEnd::RefreshReused)), Verdict::Refuse(REUSED));
        assert_eq!(verdict(|_, u, _| u.disabled_at = Some(at(0))), Verdict::Refuse("auth.user_disabled"));
        assert_eq!(verdict(|_, _, d| d.revoked_at = Some(at(0))), Verdict::Refuse("auth.device_revoked"));
    }
}
