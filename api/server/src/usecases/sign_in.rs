//! Signs somebody in with a password, and with a second factor if they have one, on a device that is registered or
//! becomes so. An unknown user, a disabled one and a wrong password get the same answer after the same work, and the
//! same patience.

use super::attempts::{self, Budget};
use super::failure::{Failure, read, write};
use super::open_session::{Draft, FreshDevice, Secret, SignedIn};
use super::second_factor::{self, Unproven};
use crate::security::throttle::Network;
use crate::security::token::hash_of;
use crate::security::totp::Given;
use crate::state::App;
use chrono::TimeDelta;
use muong_domain::account::{Device, Label, Session, User, Username};
use muong_domain::id::{DeviceId, SessionId, UserId};
use muong_store::sessions::NewToken;
use muong_store::users::Credentials;
use muong_store::{Outcome, Snapshot, StoreError, Tx, devices, sessions, users};
use std::net::IpAddr;

/// What somebody says who wants to sign in.
#[derive(Debug)]
pub struct SignIn {
    /// As typed.
    pub username: String,
    /// As typed.
    pub password: String,
    /// The second factor, if one was given.
    pub second_factor: Option<Given>,
    /// The device that they sign in on, when it is registered already.
    pub device: Option<DeviceId>,
    /// SHA-256 of the secret that the device says it got when it was registered.
    pub device_secret: Option<[u8; 32]>,
    /// What it is to be called, when it is not registered.
    pub device_name: Label,
    /// Where the request comes from.
    pub address: Option<IpAddr>,
}

impl SignIn {
    /// The hash of a device's secret as it came.
    pub fn device_secret(presented: &str) -> [u8; 32] {
        hash_of(presented)
    }
}

/// Signs in.
pub async fn sign_in(app: &App, input: SignIn) -> Result<SignedIn, Failure> {
    let network = input.address.map(Network::from);
    let place = Place::take(app, network);
    // Whoever has used up the attempts of their address, and does not even say that they are known, reads nothing.
    if let (Err(wait), None) = (&place, input.device_secret) {
        return Err(Failure::throttled(THROTTLED, *wait));
    }
    let known = look_up(app, &input).await?;
    // On a known device the neighbours of an address do not count.
    let place = match (place, known.device) {
        (Ok(place), Some(_)) => {
            place.give_back(app);
            None
        }
        (Err(_), Some(_)) => None,
        (Ok(place), None) => Some(place),
        (Err(wait), None) => return Err(Failure::throttled(THROTTLED, wait)),
    };
    let signed_in = try_to(app, input, known).await;
    if let (Some(place), false) = (place, counts(&signed_in)) {
        place.give_back(app);
    }
    signed_in
}

/// Whether an attempt stays taken from its address: a guess, or one that was made too early.
fn counts(ended: &Result<SignedIn, Failure>) -> bool {
    match ended {
        Err(Failure::Refused { code, .. }) => [BAD_CREDENTIALS, TOTP_INVALID].contains(code),
        Err(Failure::Throttled { .. }) => true,
        _ => false,
    }
}

const BAD_CREDENTIALS: &str = "auth.bad_credentials";
const TOTP_INVALID: &str = "auth.totp_invalid";
const THROTTLED: &str = "auth.throttled";

/// One attempt of an address, taken before it is made.
struct Place(Option<Network>);

impl Place {
    fn take(app: &App, network: Option<Network>) -> Result<Self, TimeDelta> {
        match network {
            Some(network) => app.throttle.addresses.take(network, 1, app.clock.now()).map(|()| Self(Some(network))),
            None => Ok(Self(None)),
        }
    }

    fn give_back(self, app: &App) {
        if let Some(network) = self.0 {
            app.throttle.addresses.give_back(network, 1, app.clock.now());
        }
    }
}

/// What is known of whoever wants to sign in before their password is checked.
struct Known {
    credentials: Option<Credentials>,
    /// The device, if it has proved to be one of theirs.
    device: Option<DeviceId>,
    budget: Budget,
    /// How long they are to wait.
    wait: Option<TimeDelta>,
}

/// The same look-ups for a name that exists and for one that does not.
async fn look_up(app: &App, input: &SignIn) -> Result<Known, Failure> {
    let name = Username::parse(&input.username).ok();
    let device = input.device.zip(input.device_secret);
    read(app, move |app, snapshot| {
        // A name that nobody can have reads no row; the password that is hashed afterwards outweighs that by far.
        let credentials = match &name {
            Some(name) => users::credentials(snapshot, name)?,
            None => None,
        };
        let device = known_device(snapshot, device, credentials.as_ref())?;
        let budget = match device {
            Some(device) => Budget::of_device(app, device),
            None => Budget::of_account(app, name.as_ref()),
        };
        let wait = budget.wait(app, snapshot)?;
        Ok(Known { credentials, device, budget, wait })
    })
    .await
}

fn known_device(
    snapshot: &mut Snapshot<'_>,
    presented: Option<(DeviceId, [u8; 32])>,
    credentials: Option<&Credentials>,
) -> Result<Option<DeviceId>, StoreError> {
    let Some((device, secret)) = presented else { return Ok(None) };
    let device = devices::known(snapshot, device, &secret)?;
    Ok(device.filter(|device| credentials.is_some_and(|c| c.user.id == device.user)).map(|device| device.id))
}

/// Why somebody whose password is right is not signed in.
enum NotYet {
    Factor(Unproven),
    Device(&'static str),
}

/// How it ended in the store: what was counted, and what is forgotten, is committed although the request is refused.
type Settled = Result<(Session, Device, User, Secret), NotYet>;

async fn try_to(app: &App, input: SignIn, known: Known) -> Result<SignedIn, Failure> {
    let Known { credentials, device: known_device, budget, wait } = known;
    if let Some(wait) = wait {
        return Err(Failure::throttled(THROTTLED, wait));
    }
    let costly = Costly::take(app, credentials.as_ref())?;
    // A place first: an attempt that could not be made must not count.
    let place = app.passwords.reserve()?;
    attempts::count(app, budget).await?;
    let stored = credentials.as_ref().map(|credentials| credentials.password_hash.clone());
    let right = app.passwords.verify(place, &input.password, stored).await?;
    let Some(proven) = credentials.filter(|credentials| right && credentials.user.disabled_at.is_none()) else {
        return Err(Failure::refused(BAD_CREDENTIALS));
    };
    costly.spend();
    let draft = Draft::new(app);
    let factor = Budget::of_second_factor(app, proven.user.id, known_device);
    let is_known = known_device.is_some();
    let opening = Opening { input, proven, budget, factor, is_known, session: draft.session, token: draft.token() };
    let fresh = draft.fresh_device();
    match write(app, move |tx| opening.open(tx, fresh)).await? {
        Outcome::Commit(Ok((session, device, user, secret))) => {
            tracing::info!(user.id = %user.id, device.id = %device.id, session.id = %session.id, "signed in");
            draft.complete(app, &session, device, user, secret)
        }
        Outcome::Commit(Err(NotYet::Factor(why))) => Err(why.into()),
        Outcome::Commit(Err(NotYet::Device(code))) | Outcome::Refuse(code) => Err(Failure::refused(code)),
    }
}

/// One of the times that somebody may sign in with the right password. Taken before it is known whether it is right, since
/// what it costs comes then; and given back when dropped unspent, so that nobody uses up somebody else's. Who has none left is
/// told what a guesser is told: another answer would tell that there is such an account.
struct Costly<'a> {
    app: &'a App,
    user: Option<UserId>,
}

impl<'a> Costly<'a> {
    fn take(app: &'a App, credentials: Option<&Credentials>) -> Result<Self, Failure> {
        let user = credentials.map(|credentials| credentials.user.id);
        if let Some(user) = user {
            let taken = app.throttle.sign_ins.take(user, 1, app.clock.now());
            taken.map_err(|wait| Failure::throttled(THROTTLED, wait))?;
        }
        Ok(Self { app, user })
    }

    fn spend(mut self) {
        self.user = None;
    }
}

impl Drop for Costly<'_> {
    fn drop(&mut self) {
        if let Some(user) = self.user {
            self.app.throttle.sign_ins.give_back(user, 1, self.app.clock.now());
        }
    }
}

/// Everything that a session is opened with once the password was right.
struct Opening {
    input: SignIn,
    proven: Credentials,
    budget: Budget,
    factor: Budget,
    /// Whether the device has proved to be one of theirs.
    is_known: bool,
    session: SessionId,
    token: NewToken,
}

impl Opening {
    fn open(&self, tx: &mut Tx<'_>, fresh: FreshDevice) -> Result<Outcome<Settled, &'static str>, StoreError> {
        if !self.proven.are_current(tx)? {
            return Ok(Outcome::Refuse(BAD_CREDENTIALS));
        }
        self.budget.forget(tx)?;
        let user = &self.proven.user;
        let device = match usable_device(tx, user.id, self.input.device)? {
            Ok(device) => device,
            Err(code) => return Ok(Outcome::Commit(Err(NotYet::Device(code)))),
        };
        if let Err(why) = second_factor::prove(tx, &self.factor, user.id, self.input.second_factor.as_ref())? {
            return Ok(Outcome::Commit(Err(NotYet::Factor(why))));
        }
        let (device, secret) = match device {
            Some(device) => {
                // Also when it had one that it does not know: the answer that told it may have been lost.
                if !self.is_known {
                    devices::give_secret(tx, device.id, &fresh.secret_hash)?;
                }
                (device, if self.is_known { Secret::Untold } else { Secret::Told })
            }
            None => {
                let (name, hash) = (&self.input.device_name, Some(&fresh.secret_hash));
                (devices::register(tx, fresh.id, user.id, name, hash)?, Secret::Told)
            }
        };
        let session = sessions::start(tx, self.session, user.id, device.id, self.token)?;
        Ok(Outcome::Commit(Ok((session, device, user.clone(), secret))))
    }
}

/// The device that was named, if it is this user's and not revoked; none when none was named.
fn usable_device(
    tx: &mut Tx<'_>,
    user: UserId,
    asked: Option<DeviceId>,
) -> Result<Result<Option<Device>, &'static str>, StoreError> {
    let Some(asked) = asked else { return Ok(Ok(None)) };
    Ok(match devices::find(tx, asked)?.filter(|device| device.user == user) {
        None => Err("device.not_registered"),
        Some(device) if device.revoked_at.is_some() => Err("auth.device_revoked"),
        device => Ok(device),
    })
}
