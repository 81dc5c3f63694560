//! A second factor of one's own: begun with the password, confirmed by a first code, removed by a last one.

use super::attempts::Budget;
use super::authenticate::{Authenticated, write_as};
use super::failure::{Failure, read};
use super::prove_password::prove_password;
use super::second_factor::{Unproven, prove_enrolled};
use crate::security::totp::{Given, RECOVERY_CODES, RecoveryCode, SECRET_BYTES, key_uri, written};
use crate::state::App;
use muong_store::{Outcome, totp};

/// A secret for somebody's app: told once.
#[derive(Debug)]
pub struct Begun {
    /// As people type it.
    pub secret: String,
    /// As a QR code carries it.
    pub uri: String,
}

/// Whether somebody has a second factor.
#[derive(Clone, Copy, Debug)]
pub struct FactorState {
    /// Whether it is asked for when they sign in.
    pub enrolled: bool,
    /// How many recovery codes are left.
    pub recovery_codes_left: i64,
    /// Whether a role of theirs requires one.
    pub required: bool,
}

/// Tells whether one has a second factor.
pub async fn describe(app: &App, who: &Authenticated) -> Result<FactorState, Failure> {
    let (user, required) = (who.user, who.requires_second_factor(app));
    read(app, move |_, snapshot| {
        let enrolled = totp::is_confirmed(snapshot, user)?;
        let recovery_codes_left = if enrolled { totp::recovery_codes_left(snapshot, user)? } else { 0 };
        Ok(FactorState { enrolled, recovery_codes_left, required })
    })
    .await
}

/// Begins: makes a secret. It is asked for nowhere until it is confirmed; beginning again makes another one.
pub async fn begin(app: &App, who: &Authenticated, password: &str) -> Result<Begun, Failure> {
    let proven = prove_password(app, who, password, "/password").await?;
    let secret: [u8; SECRET_BYTES] = app.entropy.bytes();
    let told = Begun { secret: written(&secret), uri: key_uri(&secret, &app.config.issuer, proven.username()) };
    let user = who.user;
    let outcome = write_as(app, who, move |tx, _| {
        if !proven.still_stands(tx)? {
            return Ok(Outcome::Refuse("auth.session_ended"));
        }
        Ok(if totp::begin(tx, user, &secret)? { Outcome::Commit(()) } else { Outcome::Refuse("auth.totp_enrolled") })
    })
    .await?;
    match outcome {
        Outcome::Commit(()) => Ok(told),
        Outcome::Refuse(code) => Err(Failure::refused(code)),
    }
}

/// Confirms by the code that the app shows; answers the recovery codes, which are told once.
pub async fn confirm(app: &App, who: &Authenticated, code: Given) -> Result<Vec<String>, Failure> {
    let codes: Vec<RecoveryCode> = (0..RECOVERY_CODES).map(|_| RecoveryCode::new(&app.entropy)).collect();
    let hashes: Vec<[u8; 32]> = codes.iter().map(RecoveryCode::hash).collect();
    let (user, budget) = (who.user, Budget::of_users_second_factor(app, who.user));
    let outcome: Outcome<Result<(), Unproven>, &'static str> = write_as(app, who, move |tx, _| {
        let Some(enrolment) = totp::find(tx, user)? else { return Ok(Outcome::Refuse("auth.totp_not_begun")) };
        if enrolment.confirmed {
            return Ok(Outcome::Refuse("auth.totp_enrolled"));
        }
        if let Err(why) = prove_enrolled(tx, &budget, user, &enrolment, Some(&code))? {
            return Ok(Outcome::Commit(Err(why)));
        }
        let taken = totp::find(tx, user)?.map_or(0, |enrolment| enrolment.last_step);
        totp::confirm(tx, user, taken, &hashes)?;
        Ok(Outcome::Commit(Ok(())))
    })
    .await?;
    settle(outcome)?;
    tracing::info!(user.id = %user, "a second factor was confirmed");
    Ok(codes.iter().map(RecoveryCode::shown).collect())
}

/// Removes it, for whoever still has it (or a recovery code).
pub async fn remove(app: &App, who: &Authenticated, code: Given) -> Result<(), Failure> {
    let (user, budget) = (who.user, Budget::of_users_second_factor(app, who.user));
    let outcome: Outcome<Result<(), Unproven>, &'static str> = write_as(app, who, move |tx, _| {
        let Some(enrolment) = totp::find(tx, user)?.filter(|enrolment| enrolment.confirmed) else {
            return Ok(Outcome::Refuse("auth.totp_not_begun"));
        };
        if let Err(why) = prove_enrolled(tx, &budget, user, &enrolment, Some(&code))? {
            return Ok(Outcome::Commit(Err(why)));
        }
        totp::remove_own(tx, user)?;
        Ok(Outcome::Commit(Ok(())))
    })
    .await?;
    settle(outcome)?;
    tracing::info!(user.id = %user, "a second factor was removed");
    Ok(())
}

fn settle(outcome: Outcome<Result<(), Unproven>, &'static str>) -> Result<(), Failure> {
    match outcome {
        Outcome::Commit(Ok(())) => Ok(()),
        Outcome::Commit(Err(why)) => Err(why.into()),
        Outcome::Refuse(code) => Err(Failure::refused(code)),
    }
}
