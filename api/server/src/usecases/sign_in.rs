//! Signs somebody in with a password, on a device that is registered or becomes so.
//! An unknown user, a disabled one and a wrong password get the same answer after the same work.

use super::failure::{Failure, read, write};
use super::open_session::{Draft, SignedIn};
use crate::state::App;
use muong_domain::account::{Device, Label, Session, User, Username};
use muong_domain::id::{DeviceId, UserId};
use muong_store::users::Credentials;
use muong_store::{Outcome, Reading, StoreError, Tx, devices, sessions, users};

/// What somebody says who wants to sign in.
#[derive(Debug)]
pub struct SignIn {
    /// As typed.
    pub username: String,
    /// As typed.
    pub password: String,
    /// The device that they sign in on, when it is registered already.
    pub device: Option<DeviceId>,
    /// What it is to be called, when it is not.
    pub device_name: Label,
}

/// Signs in.
pub async fn sign_in(app: &App, input: SignIn) -> Result<SignedIn, Failure> {
    let credentials = credentials(app, &input.username).await?;
    let stored = credentials.as_ref().map(|credentials| credentials.password_hash.clone());
    let right = app.passwords.verify(&input.password, stored).await?;
    let Some(proven) = credentials.filter(|credentials| right && credentials.user.disabled_at.is_none()) else {
        return Err(Failure::refused(BAD_CREDENTIALS));
    };
    let draft = Draft::new(app);
    let (session, token, fresh) = (draft.session, draft.token(), draft.device);
    let (asked, name) = (input.device, input.device_name);
    let outcome = write(app, move |tx| {
        if !still_proven(tx, &proven)? {
            return Ok(Outcome::Refuse(BAD_CREDENTIALS));
        }
        let user = proven.user.clone();
        let device = match device(tx, user.id, asked, fresh, &name)? {
            Ok(device) => device,
            Err(code) => return Ok(Outcome::Refuse(code)),
        };
        let session = sessions::start(tx, session, user.id, device.id, token)?;
        Ok(Outcome::Commit((session, device, user)))
    })
    .await?;
    match outcome {
        Outcome::Commit((session, device, user)) => finish(app, draft, session, device, user),
        Outcome::Refuse(code) => Err(Failure::refused(code)),
    }
}

const BAD_CREDENTIALS: &str = "auth.bad_credentials";

fn finish(app: &App, draft: Draft, session: Session, device: Device, user: User) -> Result<SignedIn, Failure> {
    tracing::info!(user.id = %user.id, device.id = %device.id, session.id = %session.id, "signed in");
    draft.complete(app, &session, device, user)
}

async fn credentials(app: &App, typed: &str) -> Result<Option<Credentials>, Failure> {
    // A name that nobody can have reads no row; the password that is hashed afterwards outweighs that by far.
    let name = Username::parse(typed).ok();
    read(app, move |_, snapshot| match &name {
        Some(name) => users::credentials(snapshot, name),
        None => Ok(None),
    })
    .await
}

/// Nothing was changed since the password was checked: not the password, and nobody disabled the user.
fn still_proven(r: &mut impl Reading, proven: &Credentials) -> Result<bool, StoreError> {
    let Ok(name) = Username::parse(&proven.user.username) else { return Ok(false) };
    let now = users::credentials(r, &name)?;
    Ok(now.is_some_and(|now| now.password_hash == proven.password_hash && now.user.disabled_at.is_none()))
}

/// The device that was named, if it is this user's and not revoked; a new one when none was named.
fn device(
    tx: &mut Tx<'_>,
    user: UserId,
    asked: Option<DeviceId>,
    fresh: DeviceId,
    name: &Label,
) -> Result<Result<Device, &'static str>, StoreError> {
    let Some(asked) = asked else { return devices::register(tx, fresh, user, name).map(Ok) };
    Ok(match devices::find(tx, asked)?.filter(|device| device.user == user) {
        None => Err("device.not_registered"),
        Some(device) if device.revoked_at.is_some() => Err("auth.device_revoked"),
        Some(device) => Ok(device),
    })
}
