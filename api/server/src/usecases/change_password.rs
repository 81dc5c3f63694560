//! Sets a new password for whoever knows the present one. Their other sessions end: whoever else knew it is out.

use super::authenticate::{Authenticated, write_as};
use super::failure::Failure;
use super::prove_password::prove_password;
use crate::security::password::Password;
use crate::state::App;
use muong_domain::refusal::Finding;
use muong_store::{Outcome, users};

/// What somebody says who wants another password.
#[derive(Debug)]
pub struct NewPassword {
    /// The present one, as typed.
    pub present: String,
    /// The new one, as typed.
    pub new: String,
}

/// Changes it.
pub async fn change_password(app: &App, who: &Authenticated, input: NewPassword) -> Result<(), Failure> {
    // The rules first: they cost no attempt.
    let new = Password::parse(&input.new).map_err(|error| Failure::from(error).at("/new"))?;
    let proven = prove_password(app, who, &input.present, "/present").await?;
    if input.new == input.present {
        return Err(Failure::invalid(Finding::new("auth.password_unchanged", "/new"), "auth.password_unchanged"));
    }
    let hash = app.passwords.hash(new, &app.entropy).await?;
    let (user, session) = (who.user, who.session);
    let outcome = write_as(app, who, move |tx, _| {
        if !proven.still_stands(tx)? {
            return Ok(Outcome::Refuse("auth.session_ended"));
        }
        Ok(match users::change_password(tx, user, &hash, session)? {
            Ok(()) => Outcome::Commit(()),
            Err(_unknown) => Outcome::Refuse("auth.session_ended"),
        })
    })
    .await?;
    match outcome {
        Outcome::Commit(()) => {
            tracing::info!(user.id = %user, "a password was changed");
            Ok(())
        }
        Outcome::Refuse(code) => Err(Failure::refused(code)),
    }
}
