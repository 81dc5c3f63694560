//! Second factors: one secret a user, and recovery codes of which only hashes are here. Whether a code is right is the
//! server's to judge; that it is good once is kept here.
//!
//! Enrolling needs no grant: the proof is the password, then a code. Taking the factor away from somebody who has lost
//! it takes an [`Authority`].

use crate::columns::{Id, Instant};
use crate::entry::LogEntry;
use crate::error::StoreError;
use crate::schema::{recovery_codes, totp};
use crate::seal::{self, Owner};
use crate::transaction::{Reading, Tx};
use crate::vault::Place;
use diesel::prelude::*;
use muong_domain::access::Authority;
use muong_domain::id::UserId;
use serde_json::json;
use std::fmt;

/// A second factor of a user.
#[derive(Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The shared secret.
    pub secret: Vec<u8>,
    /// Whether a code has confirmed it: before that it is asked for nowhere.
    pub confirmed: bool,
    /// The last time step of which a code was taken.
    pub last_step: i64,
}

/// Without the secret.
impl fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enrolment").field("confirmed", &self.confirmed).finish_non_exhaustive()
    }
}

/// The second factor of a user, confirmed or begun.
pub fn find(r: &mut impl Reading, user: UserId) -> Result<Option<Enrolment>, StoreError> {
    let row: Option<(Vec<u8>, Instant, Option<Instant>, i64)> = on_backend!(r.conn(), c => totp::table
        .find(Id::from(user))
        .select((totp::secret, totp::begun_at, totp::confirmed_at, totp::last_step))
        .first(c)
        .optional())?;
    let Some((sealed, begun, confirmed, last_step)) = row else { return Ok(None) };
    let owner = Owner::User(user);
    seal::learn(r, [owner])?;
    let secret = r.parts().1.open(owner, place(user, begun), &sealed)?;
    Ok(secret.map(|secret| Enrolment { secret, confirmed: confirmed.is_some(), last_step }))
}

/// Where a secret stands, sealed under a key of its user's own.
fn place(user: UserId, begun: Instant) -> Place {
    Place { column: "totp/secret", row: user.uuid(), version: begun.0.timestamp_micros() }
}

/// Whether a user has one that is asked for.
pub fn is_confirmed(r: &mut impl Reading, user: UserId) -> Result<bool, StoreError> {
    let confirmed: Option<Option<Instant>> = on_backend!(r.conn(), c => totp::table
        .find(Id::from(user))
        .select(totp::confirmed_at)
        .first(c)
        .optional())?;
    Ok(confirmed.flatten().is_some())
}

/// Begins an enrolment; one that was begun before and never confirmed is gone. False when one is confirmed already.
pub fn begin(tx: &mut Tx<'_>, user: UserId, secret: &[u8]) -> Result<bool, StoreError> {
    if is_confirmed(tx, user)? {
        return Ok(false);
    }
    let at = Instant(tx.received_at());
    let secret = &seal::seal(tx, Owner::User(user), place(user, at), secret)?;
    on_backend!(tx.conn(), c => diesel::insert_into(totp::table)
        .values((
            totp::user_id.eq(Id::from(user)),
            totp::secret.eq(secret),
            totp::begun_at.eq(at),
            totp::last_step.eq(0_i64),
        ))
        .on_conflict(totp::user_id)
        .do_update()
        .set((totp::secret.eq(secret), totp::begun_at.eq(at), totp::last_step.eq(0_i64)))
        .execute(c))?;
    note(tx, user, "begun");
    Ok(true)
}

/// Confirms an enrolment by the code of `step`, with recovery codes.
pub fn confirm(tx: &mut Tx<'_>, user: UserId, step: i64, recovery: &[[u8; 32]]) -> Result<(), StoreError> {
    let at = Instant(tx.received_at());
    on_backend!(tx.conn(), c => diesel::update(totp::table.find(Id::from(user)))
        .set((totp::confirmed_at.eq(at), totp::last_step.eq(step)))
        .execute(c))?;
    forget_recovery_codes(tx, user)?;
    for hash in recovery {
        on_backend!(tx.conn(), c => diesel::insert_into(recovery_codes::table)
            .values((recovery_codes::user_id.eq(Id::from(user)), recovery_codes::code_hash.eq(hash.as_slice())))
            .execute(c))?;
    }
    note(tx, user, "confirmed");
    tx.touch_access();
    Ok(())
}

/// Remembers that the code of `step` was taken. Codes of this and of earlier steps are good no more.
pub fn take_step(tx: &mut Tx<'_>, user: UserId, step: i64) -> Result<(), StoreError> {
    on_backend!(tx.conn(), c => diesel::update(totp::table.find(Id::from(user)))
        .set(totp::last_step.eq(step))
        .execute(c))?;
    Ok(())
}

/// Takes a recovery code. False when there is none of that hash, or it was taken before.
pub fn take_recovery_code(tx: &mut Tx<'_>, user: UserId, hash: &[u8; 32]) -> Result<bool, StoreError> {
    let at = Instant(tx.received_at());
    let taken = on_backend!(tx.conn(), c => diesel::update(recovery_codes::table
        .find((Id::from(user), hash.as_slice())))
        .filter(recovery_codes::used_at.is_null())
        .set(recovery_codes::used_at.eq(at))
        .execute(c))?;
    if taken > 0 {
        note(tx, user, "recovery_code_used");
    }
    Ok(taken > 0)
}

/// How many recovery codes of a user are left.
pub fn recovery_codes_left(r: &mut impl Reading, user: UserId) -> Result<i64, StoreError> {
    Ok(on_backend!(r.conn(), c => recovery_codes::table
        .filter(recovery_codes::user_id.eq(Id::from(user)))
        .filter(recovery_codes::used_at.is_null())
        .count()
        .get_result(c))?)
}

/// Removes the second factor of whoever has just proved to have it. False when there is none.
pub fn remove_own(tx: &mut Tx<'_>, user: UserId) -> Result<bool, StoreError> {
    let removed = delete(tx, user)?;
    if removed {
        note(tx, user, "removed");
        tx.touch_access();
    }
    Ok(removed)
}

/// Removes the second factor of somebody who has lost it. False when there is none.
pub fn remove(tx: &mut Tx<'_>, authority: &Authority, user: UserId) -> Result<bool, StoreError> {
    let removed = delete(tx, user)?;
    if removed {
        tx.append(entry(user, "removed").by(authority));
        tx.touch_access();
    }
    Ok(removed)
}

fn delete(tx: &mut Tx<'_>, user: UserId) -> Result<bool, StoreError> {
    forget_recovery_codes(tx, user)?;
    let gone = on_backend!(tx.conn(), c => diesel::delete(totp::table.find(Id::from(user))).execute(c))?;
    Ok(gone > 0)
}

fn forget_recovery_codes(tx: &mut Tx<'_>, user: UserId) -> Result<(), StoreError> {
    on_backend!(tx.conn(), c => diesel::delete(recovery_codes::table
        .filter(recovery_codes::user_id.eq(Id::from(user))))
        .execute(c))?;
    Ok(())
}

fn entry(user: UserId, outcome: &str) -> LogEntry {
    LogEntry::of_reference("totp", user.uuid(), outcome, &json!({ "user": user }))
}

/// By the user themselves.
fn note(tx: &mut Tx<'_>, user: UserId, outcome: &str) {
    let mut entry = entry(user, outcome);
    entry.actor = Some(user);
    tx.append(entry);
}
