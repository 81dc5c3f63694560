//! Asks somebody who is signed in for their password again, before what a borrowed phone must not do. Counts apart from
//! attempts to sign in: whoever has borrowed it does not lock its user out elsewhere.

use super::attempts::{self, Budget};
use super::authenticate::Authenticated;
use super::failure::{Failure, read};
use crate::state::App;
use muong_domain::refusal::Finding;
use muong_store::users::{self, Credentials};
use muong_store::{StoreError, Tx};

/// A password that was right a moment ago.
#[derive(Clone, Debug)]
pub struct Proven {
    credentials: Credentials,
    budget: Budget,
}

/// Asks; `pointer` is where the password stands in the body.
pub async fn prove_password(
    app: &App,
    who: &Authenticated,
    password: &str,
    pointer: &'static str,
) -> Result<Proven, Failure> {
    let (user, budget) = (who.user, Budget::of_user(app, who.user));
    let credentials = read(app, move |_, snapshot| users::credentials_of(snapshot, user)).await?;
    let credentials = credentials.ok_or(Failure::refused("auth.session_ended"))?;
    // A place first: an attempt that could not be made must not count.
    let place = app.passwords.reserve()?;
    attempts::count(app, budget).await?;
    if !app.passwords.verify(place, password, Some(credentials.password_hash.clone())).await? {
        return Err(Failure::invalid(Finding::new("auth.password_wrong", pointer), "auth.password_wrong"));
    }
    Ok(Proven { credentials, budget })
}

impl Proven {
    /// Whether it is still the password, in the transaction that acts on it; then the attempts are forgotten.
    pub fn still_stands(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        if !self.credentials.are_current(tx)? {
            return Ok(false);
        }
        self.budget.forget(tx)?;
        Ok(true)
    }

    /// The name that they sign in with.
    pub fn username(&self) -> &str {
        &self.credentials.user.username
    }
}
