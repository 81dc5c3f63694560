//! Exchanges a refresh token for the next pair. Each is good once: presenting an old one again means that two have it,
//! so the whole session ends (RFC 9700, §4.14.2).
//!
//! With one exception, since replies are lost where the signal is weak: the device that presents the last token again,
//! within a minute and before anybody has presented the next one, has not got its reply. It gets another next one, and
//! the lost one counts as stolen from then on: whoever presents it ends the session. So a thief gains nothing: of two
//! who hold one token, the second to go on is always found out.

use super::failure::{Failure, read, write};
use super::open_session::{Draft, Secret, SignedIn};
use crate::security::throttle::Network;
use crate::security::token::hash_of;
use crate::state::App;
use chrono::{DateTime, TimeDelta, Utc};
use muong_domain::account::{Device, Session, SessionEnd, User};
use muong_domain::id::DeviceId;
use muong_store::sessions::{Presented, Used};
use muong_store::{Outcome, Reading, StoreError, devices, sessions, users};
use std::net::IpAddr;

/// What a device presents.
#[derive(Clone, Copy, Debug)]
pub struct Refresh {
    /// SHA-256 of the refresh token.
    pub hash: [u8; 32],
    /// Which device it says it is.
    pub device: DeviceId,
    /// Where the request comes from.
    pub address: Option<IpAddr>,
}

/// How long a reply may have been lost.
const LOST_REPLY: TimeDelta = TimeDelta::seconds(60);

impl Refresh {
    /// Of a token as it came.
    pub fn new(token: &str, device: DeviceId, address: Option<IpAddr>) -> Self {
        Self { hash: hash_of(token), device, address }
    }
}

/// What is to be done with a token that was presented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Rotate,
    /// The reply to its first use was lost: the token that it carried is replaced by another one.
    ReplaceLost([u8; 32]),
    /// It was used before: the session ends.
    EndFamily,
    Refuse(&'static str),
}

/// How it ended: the ending of a family is committed, although the request is refused.
type Settled = Result<(Session, Device, User), &'static str>;

/// Refreshes. What is refused costs no place in the writer's queue. A token that nobody has been given costs its address an
/// attempt; how often another one is given is counted for each session. Whoever is found out is so however much that is.
pub async fn refresh_session(app: &App, refresh: Refresh) -> Result<SignedIn, Failure> {
    let Some(foreseen) = read(app, move |app, snapshot| look(snapshot, &refresh, app.clock.now())).await? else {
        if let Some(network) = refresh.address.map(Network::from) {
            let taken = app.throttle.addresses.take(network, 1, app.clock.now());
            taken.map_err(|wait| Failure::throttled("auth.throttled", wait))?;
        }
        return Err(Failure::refused(INVALID));
    };
    match foreseen.verdict {
        Verdict::Refuse(code) => return Err(Failure::refused(code)),
        Verdict::EndFamily => {}
        Verdict::Rotate | Verdict::ReplaceLost(_) => {
            let taken = app.throttle.refreshes.take(foreseen.session.id, 1, app.clock.now());
            taken.map_err(|wait| Failure::throttled("request.throttled", wait))?;
        }
    }
    exchange(app, refresh).await
}

/// What a token that was presented comes to, and whose it is.
struct Looked {
    session: Session,
    user: User,
    device: Device,
    verdict: Verdict,
}

/// None: nobody has been given that token.
fn look(r: &mut impl Reading, refresh: &Refresh, now: DateTime<Utc>) -> Result<Option<Looked>, StoreError> {
    let Some(presented) = sessions::presented(r, &refresh.hash)? else { return Ok(None) };
    let user = users::find(r, presented.session.user)?;
    let device = devices::find(r, presented.session.device)?;
    let (Some(user), Some(device)) = (user, device) else { return Ok(None) };
    let verdict = judge(&presented, refresh.device, &user, &device, now);
    Ok(Some(Looked { session: presented.session, user, device, verdict }))
}

/// Of two that present the same token, the first in the writer's order gets the next one.
async fn exchange(app: &App, refresh: Refresh) -> Result<SignedIn, Failure> {
    let draft = Draft::new(app);
    let next = draft.token();
    let outcome: Outcome<Settled, &'static str> = write(app, move |tx| {
        let now = tx.received_at();
        let Some(looked) = look(tx, &refresh, now)? else { return Ok(Outcome::Refuse(INVALID)) };
        let Looked { session, user, device, verdict } = looked;
        match verdict {
            Verdict::Rotate => {
                sessions::rotate(tx, session.id, &refresh.hash, next)?;
                Ok(Outcome::Commit(Ok((session, device, user))))
            }
            Verdict::ReplaceLost(lost) => {
                sessions::replace_lost(tx, session.id, &refresh.hash, &lost, next)?;
                Ok(Outcome::Commit(Ok((session, device, user))))
            }
            Verdict::EndFamily => {
                sessions::end(tx, &session, None, SessionEnd::RefreshReused)?;
                Ok(Outcome::Commit(Err(REUSED)))
            }
            Verdict::Refuse(code) => Ok(Outcome::Refuse(code)),
        }
    })
    .await?;
    match outcome {
        Outcome::Commit(Ok((session, device, user))) => draft.complete(app, &session, device, user, Secret::Untold),
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
        None => judge_use(used.as_ref(), *expires_at, now),
    }
}

fn judge_use(used: Option<&Used>, expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Verdict {
    match used {
        None if expires_at <= now => Verdict::Refuse(INVALID),
        None => Verdict::Rotate,
        Some(Used { at, unclaimed: Some(lost) }) if now - *at < LOST_REPLY => Verdict::ReplaceLost(*lost),
        Some(_) => Verdict::EndFamily,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(days: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(days)
    }

    fn verdict(change: impl FnOnce(&mut Presented, &mut User, &mut Device)) -> Verdict {
        let user = Uuid::from_u128(1).into();
        let id = Uuid::from_u128(2).into();
        let session = Session { id: Uuid::from_u128(3).into(), user, device: id, started_at: at(0), ended: None };
        let mut presented = Presented { session, expires_at: at(90), used: None };
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
        assert_eq!(verdict(|p, _, _| p.used = used(3600, false)), Verdict::EndFamily);
        assert_eq!(verdict(|p, _, _| p.expires_at = at(1)), Verdict::Refuse(INVALID));
        let elsewhere = |p: &mut Presented| p.session.device = Uuid::from_u128(9).into();
        assert_eq!(verdict(|p, _, _| elsewhere(p)), Verdict::Refuse(INVALID));
        let stolen = verdict(|p, _, _| {
            elsewhere(p);
            p.used = used(1, true);
        });
        assert_eq!(stolen, Verdict::Refuse(INVALID));
    }

    /// So many seconds ago; and whether the next token is still unclaimed.
    fn used(seconds: i64, unclaimed: bool) -> Option<Used> {
        Some(Used { at: at(1) - TimeDelta::seconds(seconds), unclaimed: unclaimed.then_some([7; 32]) })
    }

    #[test]
    fn a_lost_reply_is_given_again_for_a_minute_and_only_while_nobody_has_used_it() {
        assert_eq!(verdict(|p, _, _| p.used = used(0, true)), Verdict::ReplaceLost([7; 32]));
        assert_eq!(verdict(|p, _, _| p.used = used(59, true)), Verdict::ReplaceLost([7; 32]));
        assert_eq!(verdict(|p, _, _| p.used = used(60, true)), Verdict::EndFamily);
        assert_eq!(verdict(|p, _, _| p.used = used(1, false)), Verdict::EndFamily);
        // A clock that was set back does not end the session of whoever lost a reply.
        assert_eq!(verdict(|p, _, _| p.used = used(-5, true)), Verdict::ReplaceLost([7; 32]));
    }

    #[test]
    fn whatever_has_ended_stays_ended_and_says_why() {
        assert_eq!(verdict(|p, _, _| p.session.ended = Some(SessionEnd::SignedOut)), Verdict::Refuse(INVALID));
        assert_eq!(verdict(|p, _, _| p.session.ended = Some(SessionEnd::RefreshReused)), Verdict::Refuse(REUSED));
        assert_eq!(verdict(|_, u, _| u.disabled_at = Some(at(0))), Verdict::Refuse("auth.user_disabled"));
        assert_eq!(verdict(|_, _, d| d.revoked_at = Some(at(0))), Verdict::Refuse("auth.device_revoked"));
    }
}
