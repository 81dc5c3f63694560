//! Signs somebody in and writes down how that went, before it is answered. A name that nobody has is not written down:
//! it may be a password, typed into the wrong field.

use super::account_for::{Asked, committed};
use super::failure::{Failure, read};
use super::open_session::SignedIn;
use super::sign_in::{SignIn, sign_in};
use crate::state::App;
use muong_domain::account::Username;
use muong_domain::id::UserId;
use muong_store::{Note, NoteKind, users};

/// Signs in, on the record. A session that cannot be accounted for is never given out, though it has begun.
pub async fn account_for_sign_in(app: &App, asked: Asked, input: SignIn) -> Result<SignedIn, Failure> {
    let (name, device) = (input.username.clone(), input.device);
    let signed = sign_in(app, input).await;
    let note = match &signed {
        Ok(signed) => Note {
            user: Some(signed.user.id),
            device: Some(signed.device.id),
            outcome: "ok".to_owned(),
            ..Note::default()
        },
        Err(Failure::Refused { code, .. }) if is_accounted_for(code) => {
            // The device is what somebody says who has not proven anything: it is kept only for a user who exists.
            let user = known(app, &name).await?;
            Note { user, device: device.filter(|_| user.is_some()), outcome: (*code).to_owned(), ..Note::default() }
        }
        Err(_) => return signed,
    };
    committed(app, asked.complete(Note { kind: NoteKind::SignIn, ..note })).await?;
    signed
}

/// What was judged is accounted for. What was turned away unjudged (too much, too often) is not: whoever knocks without
/// end must not fill the disk.
fn is_accounted_for(code: &str) -> bool {
    ["auth.", "device."].iter().any(|family| code.starts_with(family)) && !code.contains("throttled")
}

async fn known(app: &App, typed: &str) -> Result<Option<UserId>, Failure> {
    let Ok(name) = Username::parse(typed) else { return Ok(None) };
    let found = read(app, move |_, snapshot| users::find_by_name(snapshot, &name)).await?;
    Ok(found.map(|user| user.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_judged_is_accounted_for_and_what_was_turned_away_is_not() {
        for code in ["auth.bad_credentials", "auth.device_revoked", "device.not_registered"] {
            assert!(is_accounted_for(code), "{code}");
        }
        for code in ["server.busy", "auth.throttled", "server.unavailable"] {
            assert!(!is_accounted_for(code), "{code}");
        }
    }
}
