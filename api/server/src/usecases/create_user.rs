//! An administrator adds a user, with what they are to hold. Whoever administers a part of a tree must give them
//! something there: a user who holds nothing would not exist for them a moment later.

use super::administer_users::{SeenUser, seen};
use super::administration::{Administrator, change, look};
use super::authenticate::Authenticated;
use super::failure::Failure;
use super::give_grant::{Giving, give, may_give};
use crate::clock::Entropy;
use crate::security::password::Password;
use crate::state::App;
use muong_domain::account::{Label, Username};
use muong_domain::id::GrantId;
use muong_domain::refusal::Finding;
use muong_store::Tx;
use muong_store::users::{self, NewUser};
use uuid::Uuid;

/// Who is to be added.
#[derive(Clone, Debug)]
pub struct Adding {
    /// The name to sign in with.
    pub username: Username,
    /// The name that others see.
    pub display_name: Label,
    /// What they are to hold.
    pub grants: Vec<Giving>,
}

/// A password that was made for somebody: told once, to be changed by them.
#[derive(Clone)]
pub struct MadePassword(pub String);

/// Not told.
impl std::fmt::Debug for MadePassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Letters and digits that nobody takes for another when they are read out; 32 of them, five bits each.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

impl MadePassword {
    /// 100 bits of chance, in four groups of five.
    pub fn new(entropy: &Entropy) -> Self {
        let bytes: [u8; 20] = entropy.bytes();
        let letters: Vec<char> = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect();
        Self(letters.chunks(5).map(String::from_iter).collect::<Vec<_>>().join("-"))
    }
}

/// Adds them; with the password that was made, unless one was given.
pub async fn create_user(
    app: &App,
    who: &Authenticated,
    adding: Adding,
    password: Option<String>,
) -> Result<(SeenUser, Option<MadePassword>), Failure> {
    let checked = adding.clone();
    // Before a hash is made: who may not do this must not make the server work.
    look(app, who, move |_, administrator| may_add(administrator, &checked)).await?;
    let (hash, made) = new_password(app, password).await?;
    let ids = Ids::new(app, adding.grants.len());
    let user = change(app, who, move |tx, administrator| {
        may_add(administrator, &adding)?;
        add(tx, administrator, &adding, &hash, &ids)
    })
    .await?;
    Ok((user, made))
}

/// The ids of a new user and of their grants.
#[derive(Clone, Debug)]
pub struct Ids {
    /// Of the user.
    pub user: Uuid,
    grants: Vec<GrantId>,
}

impl Ids {
    /// Of a user with so many grants.
    pub fn new(app: &App, grants: usize) -> Self {
        let id = || app.entropy.uuid(app.clock.now());
        Self { user: id(), grants: (0..grants).map(|_| id().into()).collect() }
    }
}

/// The hash of a password, given or made; the one that was made is told once.
pub async fn new_password(app: &App, given: Option<String>) -> Result<(String, Option<MadePassword>), Failure> {
    let made = given.is_none().then(|| MadePassword::new(&app.entropy));
    let text = given.or_else(|| made.as_ref().map(|made| made.0.clone())).unwrap_or_default();
    let password = Password::parse(&text).map_err(|error| Failure::from(error).at("/password"))?;
    Ok((app.passwords.hash(password, &app.entropy).await?, made))
}

fn may_add(administrator: &Administrator, adding: &Adding) -> Result<(), Failure> {
    if adding.grants.is_empty() && !administrator.is_of_a_whole_tree() {
        return Err(Failure::refused("user.grant_required").at("/grants"));
    }
    for (at, giving) in adding.grants.iter().enumerate() {
        may_give(administrator, giving).map_err(|(failure, part)| placed(failure, &format!("/grants/{at}{part}")))?;
    }
    Ok(())
}

/// Adds them in a transaction.
pub fn add(
    tx: &mut Tx<'_>,
    administrator: &Administrator,
    adding: &Adding,
    hash: &str,
    ids: &Ids,
) -> Result<SeenUser, Failure> {
    let first = adding.grants.first().map(|giving| giving.unit);
    let top = first.or_else(|| administrator.tops().first().copied());
    let authority = administrator.over(top.ok_or(Failure::refused("access.forbidden"))?)?;
    let new = NewUser {
        id: ids.user.into(),
        username: adding.username.clone(),
        display_name: adding.display_name.clone(),
        password_hash: hash.to_owned(),
    };
    let user = match users::add(tx, &authority, &new)? {
        Ok(user) => user,
        Err(refusal) => return Err(Failure::refused(refusal.code()).at("/username")),
    };
    for (at, (giving, id)) in adding.grants.iter().zip(&ids.grants).enumerate() {
        give(tx, administrator, user.id, *id, giving)
            .map_err(|(failure, part)| placed(failure, &format!("/grants/{at}{part}")))?;
    }
    seen(tx, administrator, vec![user])?.pop().ok_or(Failure::refused("access.not_found"))
}

/// A refusal at a place that is known only now.
pub fn placed(failure: Failure, pointer: &str) -> Failure {
    match failure {
        Failure::Refused { code, findings } => {
            let finding = findings.into_iter().next().unwrap_or_else(|| Finding::new(code, ""));
            Failure::invalid(Finding { pointer: pointer.to_owned(), ..finding }, code)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_is_made_is_long_enough_and_never_the_same() {
        let entropy = Entropy::seeded(1);
        let (one, other) = (MadePassword::new(&entropy), MadePassword::new(&entropy));
        assert_ne!(one.0, other.0);
        assert_eq!(one.0.split('-').map(str::len).collect::<Vec<_>>(), [5; 4]);
        assert!(Password::parse(&one.0).is_ok());
        assert_eq!(format!("{one:?}"), "[redacted]");
    }
}
