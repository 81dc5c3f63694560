//! Sessions and their refresh tokens, of which only hashes are here. Stores and finds; whether a token is good is the
//! use case's to judge.
//!
//! Signing in and out and refreshing need no grant: the proof is the password, or a token that was given out.

use crate::by_id::ById;
use crate::columns::{Id, Instant};
use crate::entry::LogEntry;
use crate::error::StoreError;
use crate::schema::{refresh_tokens, sessions};
use crate::transaction::{Reading, Tx};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use muong_domain::access::Authority;
use muong_domain::account::{Session, SessionEnd};
use muong_domain::id::{DeviceId, SessionId, UserId};
use serde_json::json;
use std::collections::HashMap;

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
struct SessionRow {
    id: Id,
    user_id: Id,
    device_id: Id,
    started_at: Instant,
    ended_at: Option<Instant>,
    end_reason: Option<String>,
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        let ended = match (row.ended_at, row.end_reason) {
            (None, _) => None,
            (Some(_), reason) => {
                let reason = reason.unwrap_or_default();
                Some(SessionEnd::parse(&reason).ok_or_else(|| StoreError::corrupt("end of a session", reason))?)
            }
        };
        Ok(Self {
            id: row.id.0.into(),
            user: row.user_id.0.into(),
            device: row.device_id.0.into(),
            started_at: row.started_at.0,
            ended,
        })
    }
}

/// A refresh token that is given out: its hash, and until when it is good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewToken {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// The first instant at which it is no longer good.
    pub expires_at: DateTime<Utc>,
}

/// A refresh token that was presented, and the session that it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Presented {
    /// The session.
    pub session: Session,
    /// Until when the token is good.
    pub expires_at: DateTime<Utc>,
    /// What became of it before, if it was used.
    pub used: Option<Used>,
}

/// What became of a refresh token that was used before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Used {
    /// When it was first used.
    pub at: DateTime<Utc>,
    /// The hash of the token that was given out for it, as long as nobody has presented that one.
    pub unclaimed: Option<[u8; 32]>,
}

/// A session in a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The session.
    pub session: Session,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// When it last got a pair of tokens.
    pub refreshed_at: Option<DateTime<Utc>>,
}

/// The session of that id.
pub fn find(r: &mut impl Reading, id: SessionId) -> Result<Option<Session>, StoreError> {
    let row: Option<SessionRow> = on_backend!(r.conn(), c => sessions::table
        .find(Id::from(id))
        .select(SessionRow::as_select())
        .first(c)
        .optional())?;
    row.map(Session::try_from).transpose()
}

/// Starts a session with its first refresh token.
pub fn start(
    tx: &mut Tx<'_>,
    id: SessionId,
    user: UserId,
    device: DeviceId,
    token: NewToken,
) -> Result<Session, StoreError> {
    let at = tx.received_at();
    on_backend!(tx.conn(), c => diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(Id::from(id)),
            sessions::user_id.eq(Id::from(user)),
            sessions::device_id.eq(Id::from(device)),
            sessions::started_at.eq(Instant(at)),
        ))
        .execute(c))?;
    give(tx, id, token)?;
    Ok(Session { id, user, device, started_at: at, ended: None })
}

/// What is known of a refresh token that was presented.
pub fn presented(r: &mut impl Reading, hash: &[u8; 32]) -> Result<Option<Presented>, StoreError> {
    type Row = (SessionRow, Instant, Option<Instant>, Option<Vec<u8>>);
    let row: Option<Row> = on_backend!(r.conn(), c => refresh_tokens::table
        .inner_join(sessions::table.on(sessions::id.eq(refresh_tokens::session_id)))
        .filter(refresh_tokens::token_hash.eq(hash.as_slice()))
        .select((
            SessionRow::as_select(),
            refresh_tokens::expires_at,
            refresh_tokens::used_at,
            refresh_tokens::replaced_by,
        ))
        .first(c)
        .optional())?;
    let Some((session, expires_at, used_at, next)) = row else { return Ok(None) };
    let used = match used_at {
        Some(at) => Some(Used { at: at.0, unclaimed: unclaimed(r, next)? }),
        None => None,
    };
    Ok(Some(Presented { session: session.try_into()?, expires_at: expires_at.0, used }))
}

/// The token of that hash, if nobody has presented it yet.
fn unclaimed(r: &mut impl Reading, next: Option<Vec<u8>>) -> Result<Option<[u8; 32]>, StoreError> {
    let Some(next) = next else { return Ok(None) };
    let found: Option<Vec<u8>> = on_backend!(r.conn(), c => refresh_tokens::table
        .find(&next)
        .filter(refresh_tokens::used_at.is_null())
        .select(refresh_tokens::token_hash)
        .first(c)
        .optional())?;
    Ok(found.and_then(|hash| hash.try_into().ok()))
}

/// Marks a refresh token as used and gives out the next one. Tokens of the session that have expired are forgotten:
/// they are refused without being known, so the family does not grow for ever.
pub fn rotate(tx: &mut Tx<'_>, session: SessionId, used: &[u8; 32], next: NewToken) -> Result<(), StoreError> {
    let at = tx.received_at();
    let lifetime = next.expires_at - at;
    // By when they were given out as well: so the index leads past all that are still good.
    on_backend!(tx.conn(), c => diesel::delete(refresh_tokens::table
        .filter(refresh_tokens::session_id.eq(Id::from(session)))
        .filter(refresh_tokens::issued_at.le(Instant(at - lifetime)))
        .filter(refresh_tokens::expires_at.le(Instant(at))))
        .execute(c))?;
    on_backend!(tx.conn(), c => diesel::update(refresh_tokens::table.find(used.as_slice()))
        .set((refresh_tokens::used_at.eq(Instant(at)), refresh_tokens::replaced_by.eq(next.hash.as_slice())))
        .execute(c))?;
    give(tx, session, next)
}

/// Gives out another token instead of one whose reply was lost. The lost one counts as used from now on, and as
/// replaced by nothing: whoever presents it has it from somewhere else. When `used` was first used stays as it was, so
/// that asking again does not prolong its grace.
pub fn replace_lost(
    tx: &mut Tx<'_>,
    session: SessionId,
    used: &[u8; 32],
    lost: &[u8; 32],
    next: NewToken,
) -> Result<(), StoreError> {
    let at = Instant(tx.received_at());
    on_backend!(tx.conn(), c => diesel::update(refresh_tokens::table.find(lost.as_slice()))
        .set(refresh_tokens::used_at.eq(at))
        .execute(c))?;
    on_backend!(tx.conn(), c => diesel::update(refresh_tokens::table.find(used.as_slice()))
        .set(refresh_tokens::replaced_by.eq(next.hash.as_slice()))
        .execute(c))?;
    give(tx, session, next)
}

/// The sessions of a user, those that stand or those that have ended, at most `limit`.
pub fn of_user(
    r: &mut impl Reading,
    user: UserId,
    ended: bool,
    order: ById<SessionId>,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let (low, high) = order.between();
    macro_rules! wanted {
        ($state:expr) => {
            sessions::table
                .filter(sessions::user_id.eq(Id::from(user)))
                .filter($state)
                .filter(sessions::id.gt(low).and(sessions::id.lt(high)))
                .limit(limit)
                .select(SessionRow::as_select())
        };
    }
    // In words of its own, so that both databases take the index of those that stand.
    macro_rules! ordered {
        ($order:expr) => {
            match ended {
                false => on_backend!(r.conn(), c => wanted!(sessions::ended_at.is_null()).order($order).load(c))?,
                true => on_backend!(r.conn(), c => wanted!(sessions::ended_at.is_not_null()).order($order).load(c))?,
            }
        };
    }
    let rows: Vec<SessionRow> = match order.newest_first {
        false => ordered!(sessions::id),
        true => ordered!(sessions::id.desc()),
    };
    let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
    let mut refreshed = last_refreshed(r, &ids)?;
    rows.into_iter()
        .map(|row| {
            let (id, ended_at) = (row.id, row.ended_at.map(|at| at.0));
            Ok(Listed { session: row.try_into()?, ended_at, refreshed_at: refreshed.remove(&id).map(|at| at.0) })
        })
        .collect()
}

/// When each of these got its last token: one step into an index for each, however many tokens it has had.
fn last_refreshed(r: &mut impl Reading, of: &[Id]) -> Result<HashMap<Id, Instant>, StoreError> {
    let rows: Vec<(Id, Option<Instant>)> = on_backend!(r.conn(), c => sessions::table
        .filter(sessions::id.eq_any(of))
        .select((
            sessions::id,
            refresh_tokens::table
                .filter(refresh_tokens::session_id.eq(sessions::id))
                .order(refresh_tokens::issued_at.desc())
                .select(refresh_tokens::issued_at)
                .single_value(),
        ))
        .load(c))?;
    Ok(rows.into_iter().filter_map(|(session, at)| Some((session, at?))).collect())
}

fn give(tx: &mut Tx<'_>, session: SessionId, token: NewToken) -> Result<(), StoreError> {
    let at = Instant(tx.received_at());
    on_backend!(tx.conn(), c => diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::token_hash.eq(token.hash.as_slice()),
            refresh_tokens::session_id.eq(Id::from(session)),
            refresh_tokens::issued_at.eq(at),
            refresh_tokens::expires_at.eq(Instant(token.expires_at)),
        ))
        .execute(c))?;
    Ok(())
}

/// Ends a session. False when it has ended already: the first reason stays.
pub fn end(tx: &mut Tx<'_>, session: &Session, by: Option<UserId>, why: SessionEnd) -> Result<bool, StoreError> {
    close(tx, session, why, |entry| LogEntry { actor: by, ..entry })
}

/// The same by an administrator; the log names their grant.
pub fn end_for(tx: &mut Tx<'_>, authority: &Authority, session: &Session, why: SessionEnd) -> Result<bool, StoreError> {
    close(tx, session, why, |entry| entry.by(authority))
}

fn close(
    tx: &mut Tx<'_>,
    session: &Session,
    why: SessionEnd,
    name: impl FnOnce(LogEntry) -> LogEntry,
) -> Result<bool, StoreError> {
    let at = Instant(tx.received_at());
    let ended = on_backend!(tx.conn(), c => diesel::update(sessions::table.find(Id::from(session.id)))
        .filter(sessions::ended_at.is_null())
        .set((sessions::ended_at.eq(at), sessions::end_reason.eq(why.as_str())))
        .execute(c))?;
    if ended == 0 {
        return Ok(false);
    }
    forget_spent(tx, session.id)?;
    let command = json!({ "id": session.id, "user": session.user, "device": session.device });
    let mut entry = name(LogEntry::of_reference("session", session.id.uuid(), why.as_str(), &command));
    entry.device = Some(session.device);
    tx.append(entry);
    tx.touch_access();
    Ok(true)
}

/// How many tokens of a session that has ended are remembered, the last ones: whoever holds one of them learns why it ended.
const REMEMBERED: i64 = 16;

/// While a session lives, each token that it has spent is known, so that whoever presents one again ends it. Afterwards they
/// are of no use.
fn forget_spent(tx: &mut Tx<'_>, session: SessionId) -> Result<(), StoreError> {
    let id = Id::from(session);
    let last: Vec<Vec<u8>> = on_backend!(tx.conn(), c => refresh_tokens::table
        .filter(refresh_tokens::session_id.eq(id))
        .order(refresh_tokens::issued_at.desc())
        .limit(REMEMBERED)
        .select(refresh_tokens::token_hash)
        .load(c))?;
    on_backend!(tx.conn(), c => diesel::delete(refresh_tokens::table
        .filter(refresh_tokens::session_id.eq(id))
        .filter(refresh_tokens::used_at.is_not_null())
        .filter(refresh_tokens::token_hash.ne_all(&last)))
        .execute(c))?;
    Ok(())
}

/// Ends every session of a user.
pub(crate) fn end_all_of(tx: &mut Tx<'_>, user: UserId, by: Option<UserId>, why: SessionEnd) -> Result<(), StoreError> {
    let open: Vec<SessionRow> = on_backend!(tx.conn(), c => sessions::table
        .filter(sessions::user_id.eq(Id::from(user)))
        .filter(sessions::ended_at.is_null())
        .order(sessions::id)
        .select(SessionRow::as_select())
        .load(c))?;
    end_each(tx, open, by, why)
}

/// Ends every session of a user but one.
pub(crate) fn end_others_of(tx: &mut Tx<'_>, user: UserId, keep: SessionId, why: SessionEnd) -> Result<(), StoreError> {
    let open: Vec<SessionRow> = on_backend!(tx.conn(), c => sessions::table
        .filter(sessions::user_id.eq(Id::from(user)))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::id.ne(Id::from(keep)))
        .order(sessions::id)
        .select(SessionRow::as_select())
        .load(c))?;
    end_each(tx, open, Some(user), why)
}

/// Ends every session on a device.
pub(crate) fn end_all_on(
    tx: &mut Tx<'_>,
    device: DeviceId,
    by: Option<UserId>,
    why: SessionEnd,
) -> Result<(), StoreError> {
    let open: Vec<SessionRow> = on_backend!(tx.conn(), c => sessions::table
        .filter(sessions::device_id.eq(Id::from(device)))
        .filter(sessions::ended_at.is_null())
        .order(sessions::id)
        .select(SessionRow::as_select())
        .load(c))?;
    end_each(tx, open, by, why)
}

/// Ends every session there is, with one entry of the log; answers how many.
pub fn end_every(tx: &mut Tx<'_>, authority: &Authority, why: SessionEnd) -> Result<usize, StoreError> {
    let at = Instant(tx.received_at());
    let ended = on_backend!(tx.conn(), c => diesel::update(sessions::table)
        .filter(sessions::ended_at.is_null())
        .set((sessions::ended_at.eq(at), sessions::end_reason.eq(why.as_str())))
        .execute(c))?;
    let epoch = tx.head().epoch;
    let entry = LogEntry::of_reference("sessions", epoch, why.as_str(), &json!({ "sessions": ended }));
    tx.append(entry.by(authority));
    tx.touch_access();
    Ok(ended)
}

fn end_each(tx: &mut Tx<'_>, open: Vec<SessionRow>, by: Option<UserId>, why: SessionEnd) -> Result<(), StoreError> {
    for row in open {
        end(tx, &row.try_into()?, by, why)?;
    }
    Ok(())
}
