//! Ends the session of whoever asks. Other devices stay signed in.

use super::authenticate::Authenticated;
use super::failure::{Failure, write};
use crate::state::App;
use muong_domain::account::SessionEnd;
use muong_store::{Outcome, sessions};
use std::convert::Infallible;

/// Signs out. Doing so twice does no harm.
pub async fn sign_out(app: &App, who: &Authenticated) -> Result<(), Failure> {
    let (session, user) = (who.session, who.user);
    let outcome = write(app, move |tx| {
        if let Some(session) = sessions::find(tx, session)? {
            sessions::end(tx, &session, Some(user), SessionEnd::SignedOut)?;
        }
        Ok(Outcome::<(), Infallible>::Commit(()))
    })
    .await?;
    match outcome {
        Outcome::Commit(()) => Ok(()),
        Outcome::Refuse(never) => match never {},
    }
}
