//! An administrator changes somebody's account: disables and enables it, sets another password, takes away a second
//! factor that was lost. Each counts for the next request on every process; doing it twice does no harm.

use super::administration::change;
use super::attempts::Budget;
use super::authenticate::Authenticated;
use super::create_user::{MadePassword, new_password};
use super::failure::Failure;
use crate::state::App;
use muong_domain::access::Authority;
use muong_domain::account::{User, Username};
use muong_domain::id::UserId;
use muong_store::{StoreError, Tx, grants, totp, users};

/// What is to become of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountChange {
    /// Nobody signs in with it any more; its sessions end.
    Disable,
    /// One may sign in with it again.
    Enable,
    /// It has no second factor any more.
    RemoveSecondFactor,
}

/// Changes it.
pub async fn change_user(app: &App, who: &Authenticated, user: UserId, to: AccountChange) -> Result<(), Failure> {
    with_account(app, who, user, move |tx, authority, account| match (to, account.disabled_at) {
        (AccountChange::Disable, Some(_)) | (AccountChange::Enable, None) => Ok(()),
        (AccountChange::Disable, None) => users::disable(tx, authority, user).map(drop),
        (AccountChange::Enable, Some(_)) => users::enable(tx, authority, user).map(drop),
        (AccountChange::RemoveSecondFactor, _) => totp::remove(tx, authority, user).map(drop),
    })
    .await
}

/// Sets another password, given or made; all sessions of the user end.
pub async fn reset_password(
    app: &App,
    who: &Authenticated,
    user: UserId,
    password: Option<String>,
) -> Result<Option<MadePassword>, Failure> {
    // Before a hash is made: who may not do this must not make the server work.
    super::administration::look(app, who, move |snapshot, administrator| {
        let held = grants::of_user(snapshot, user)?;
        administrator.over_user(user, &held).map(drop)
    })
    .await?;
    let (hash, made) = new_password(app, password).await?;
    let cloned = app.clone();
    let set = move |tx: &mut Tx<'_>, authority: &Authority, account: &User| {
        users::set_password(tx, authority, user, &hash).map(drop)?;
        // Whoever has guessed at the old one must not keep its user waiting with the new one.
        let name = Username::parse(&account.username).ok();
        Budget::of_account(&cloned, name.as_ref()).forget(tx)
    };
    with_account(app, who, user, set).await?;
    Ok(made)
}

async fn with_account(
    app: &App,
    who: &Authenticated,
    user: UserId,
    changing: impl Fn(&mut Tx<'_>, &Authority, &User) -> Result<(), StoreError> + Send + 'static,
) -> Result<(), Failure> {
    change(app, who, move |tx, administrator| {
        let held = grants::of_user(tx, user)?;
        let account = users::find(tx, user)?.ok_or(Failure::refused("access.not_found"))?;
        let authority = administrator.over_user(user, &held)?;
        Ok(changing(tx, &authority, &account)?)
    })
    .await
}
