//! Asks for the second factor of somebody whose password was right. A code is good once, guesses are counted, and both
//! are settled in the transaction that acts on the answer.

use super::attempts::Budget;
use super::failure::Failure;
use crate::security::totp::{Given, step_of};
use chrono::TimeDelta;
use muong_domain::id::UserId;
use muong_store::totp::{self, Enrolment};
use muong_store::{StoreError, Tx};

/// Why a second factor does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unproven {
    /// None was given.
    Required,
    /// It is wrong, or was used before.
    Invalid,
    /// Too many were wrong: so long to wait.
    Wait(TimeDelta),
}

impl From<Unproven> for Failure {
    fn from(why: Unproven) -> Self {
        match why {
            Unproven::Required => Self::refused("auth.totp_required"),
            Unproven::Invalid => Self::refused("auth.totp_invalid"),
            Unproven::Wait(wait) => Self::throttled("auth.throttled", wait),
        }
    }
}

/// Asks for it, if the user has one. What was counted or used up must be committed, also when this refuses.
pub fn prove(
    tx: &mut Tx<'_>,
    budget: &Budget,
    user: UserId,
    given: Option<&Given>,
) -> Result<Result<(), Unproven>, StoreError> {
    match totp::find(tx, user)?.filter(|enrolment| enrolment.confirmed) {
        None => Ok(Ok(())),
        Some(enrolment) => prove_enrolled(tx, budget, user, &enrolment, given),
    }
}

/// The same of an enrolment that is known, also of one that is not confirmed yet.
pub fn prove_enrolled(
    tx: &mut Tx<'_>,
    budget: &Budget,
    user: UserId,
    enrolment: &Enrolment,
    given: Option<&Given>,
) -> Result<Result<(), Unproven>, StoreError> {
    let Some(given) = given else { return Ok(Err(Unproven::Required)) };
    if let Err(wait) = budget.take(tx)? {
        return Ok(Err(Unproven::Wait(wait)));
    }
    let right = match given {
        Given::Code(code) => match step_of(&enrolment.secret, code, tx.received_at()) {
            Some(step) if step > enrolment.last_step => {
                totp::take_step(tx, user, step)?;
                true
            }
            _ => false,
        },
        Given::Recovery(hash) => totp::take_recovery_code(tx, user, hash)?,
        Given::Neither => false,
    };
    if right {
        budget.forget(tx)?;
    }
    Ok(if right { Ok(()) } else { Err(Unproven::Invalid) })
}
