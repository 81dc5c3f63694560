//! Users: who may sign in, and the hash of their password, which leaves this file only to be checked.
//! Knows nothing of what they may do.

use crate::by_id::ById;
use crate::columns::{Id, Instant};
use crate::dialect::BIND_CHUNK;
use crate::entry::LogEntry;
use crate::error::StoreError;
use crate::schema::{grants, totp, unit_closure, users};
use crate::sessions;
use crate::transaction::{Reading, Tx};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use muong_domain::access::{Authority, Role};
use muong_domain::account::{Label, SessionEnd, User, Username};
use muong_domain::id::{SessionId, UnitId, UserId};
use serde_json::json;
use std::fmt;

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
struct UserRow {
    id: Id,
    username: String,
    display_name: String,
    created_at: Instant,
    disabled_at: Option<Instant>,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id.0.into(),
            username: row.username,
            display_name: row.display_name,
            created_at: row.created_at.0,
            disabled_at: row.disabled_at.map(|at| at.0),
        }
    }
}

/// A user who is to be added.
#[derive(Clone)]
pub struct NewUser {
    /// Who.
    pub id: UserId,
    /// The name to sign in with.
    pub username: Username,
    /// The name that others see.
    pub display_name: Label,
    /// The PHC string of the password's hash.
    pub password_hash: String,
}

/// Without the hash.
impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser").field("id", &self.id).field("username", &self.username).finish_non_exhaustive()
    }
}

/// A user with the hash to check a password against.
#[derive(Clone)]
pub struct Credentials {
    /// Who.
    pub user: User,
    /// The PHC string.
    pub password_hash: String,
}

/// Without the hash.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user.id).finish_non_exhaustive()
    }
}

/// Why a user was not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UserRefusal {
    /// Somebody signs in with that name already.
    #[error("user.name_taken")]
    NameTaken,
    /// There is no such user.
    #[error("user.unknown")]
    Unknown,
}

impl UserRefusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NameTaken => "user.name_taken",
            Self::Unknown => "user.unknown",
        }
    }
}

/// The user of that id.
pub fn find(r: &mut impl Reading, id: UserId) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> = on_backend!(r.conn(), c => users::table
        .find(Id::from(id))
        .select(UserRow::as_select())
        .first(c)
        .optional())?;
    Ok(row.map(User::from))
}

/// What a list of users is to hold.
#[derive(Clone, Debug)]
pub struct UserFilter {
    /// Only those who hold something; none: everybody.
    pub holding: Option<Holding>,
    /// Only those who may no longer sign in, or only those who may.
    pub disabled: Option<bool>,
    /// Only those whose name to sign in with begins so.
    pub prefix: String,
}

/// What somebody holds, held or will hold.
#[derive(Clone, Debug)]
pub struct Holding {
    /// Over one of these units, or below it.
    pub below: Vec<UnitId>,
    /// Only this role, at that instant.
    pub role: Option<(Role, DateTime<Utc>)>,
}

/// In which order, and after whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UserOrder {
    /// By id: in order of their adding.
    Added(ById<UserId>),
    /// By the name to sign in with.
    Name(String),
}

/// Above every character of a name to sign in with.
const ABOVE: char = '~';

/// A page of users, at most `limit`.
pub fn list(r: &mut impl Reading, filter: &UserFilter, order: &UserOrder, limit: i64) -> Result<Vec<User>, StoreError> {
    let holding = filter.holding.as_ref();
    let everybody = holding.is_none();
    let tops: Vec<Id> = holding.map(|holding| &holding.below).into_iter().flatten().copied().map(Id::from).collect();
    let role = holding.and_then(|holding| holding.role);
    let (any_role, at) = (role.is_none(), Instant(role.map_or(DateTime::UNIX_EPOCH, |(_, at)| at)));
    let role = role.map_or("", |(role, _)| role.as_str());
    let (any_state, disabled) = (filter.disabled.is_none(), filter.disabled.unwrap_or_default());
    let until = format!("{}{ABOVE}", filter.prefix);
    // One text for every order and both databases. Those who hold something are found once, from the units down: asked for
    // each user in turn, the few of a small subtree would be looked for among all.
    macro_rules! wanted {
        () => {
            users::table
                .filter(any_state.into_sql::<Bool>().or(users::disabled_at.is_not_null().eq(disabled)))
                .filter(
                    everybody.into_sql::<Bool>().or(users::id.eq_any(
                        grants::table
                            .inner_join(unit_closure::table.on(unit_closure::descendant_id.eq(grants::unit_id)))
                            .filter(unit_closure::ancestor_id.eq_any(&tops))
                            .filter(
                                any_role.into_sql::<Bool>().or(grants::role
                                    .eq(role)
                                    .and(grants::ended.eq(false))
                                    .and(grants::valid_from.le(at))
                                    .and(grants::valid_to.is_null().or(grants::valid_to.gt(at).assume_not_null()))),
                            )
                            .select(grants::user_id),
                    )),
                )
                .limit(limit)
                .select(UserRow::as_select())
        };
    }
    // A range of names that is all of them would be walked, and sorted, in place of the ids.
    macro_rules! named {
        () => {
            wanted!().filter(users::username.ge(&filter.prefix).and(users::username.lt(&until)))
        };
    }
    let rows: Vec<UserRow> = match order {
        UserOrder::Added(order) => {
            let (low, high) = order.between();
            macro_rules! placed {
                ($wanted:expr) => {{
                    match order.newest_first {
                        false => on_backend!(r.conn(), c => $wanted
                            .filter(users::id.gt(low).and(users::id.lt(high))).order(users::id).load(c))?,
                        true => on_backend!(r.conn(), c => $wanted
                            .filter(users::id.gt(low).and(users::id.lt(high))).order(users::id.desc()).load(c))?,
                    }
                }};
            }
            if filter.prefix.is_empty() { placed!(wanted!()) } else { placed!(named!()) }
        }
        UserOrder::Name(after) => {
            on_backend!(r.conn(), c => named!().filter(users::username.gt(after)).order(users::username).load(c))?
        }
    };
    Ok(rows.into_iter().map(User::from).collect())
}

/// Which of these users have a second factor that is asked for.
pub fn with_second_factor(r: &mut impl Reading, ids: &[UserId]) -> Result<Vec<UserId>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        let rows: Vec<Id> = on_backend!(r.conn(), c => totp::table
            .filter(totp::user_id.eq_any(ids))
            .filter(totp::confirmed_at.is_not_null())
            .select(totp::user_id)
            .load(c))?;
        found.extend(rows.into_iter().map(|id| UserId::new(id.0)));
    }
    Ok(found)
}

/// Which of these names somebody signs in with.
pub fn taken(r: &mut impl Reading, names: &[Username]) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for chunk in names.chunks(BIND_CHUNK) {
        let names: Vec<&str> = chunk.iter().map(Username::as_str).collect();
        let rows: Vec<String> = on_backend!(r.conn(), c => users::table
            .filter(users::username.eq_any(names))
            .select(users::username)
            .load(c))?;
        found.extend(rows);
    }
    Ok(found)
}

/// What these users are called.
pub fn names(r: &mut impl Reading, ids: &[UserId]) -> Result<Vec<(UserId, String)>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(BIND_CHUNK) {
        let ids: Vec<Id> = chunk.iter().copied().map(Id::from).collect();
        let rows: Vec<(Id, String)> = on_backend!(r.conn(), c => users::table
            .filter(users::id.eq_any(ids))
            .select((users::id, users::display_name))
            .load(c))?;
        found.extend(rows.into_iter().map(|(id, name)| (UserId::new(id.0), name)));
    }
    Ok(found)
}

/// The user who signs in with that name.
pub fn find_by_name(r: &mut impl Reading, name: &Username) -> Result<Option<User>, StoreError> {
    Ok(credentials(r, name)?.map(|credentials| credentials.user))
}

/// The same, with what their password is checked against.
pub fn credentials(r: &mut impl Reading, name: &Username) -> Result<Option<Credentials>, StoreError> {
    let row: Option<(UserRow, String)> = on_backend!(r.conn(), c => users::table
        .filter(users::username.eq(name.as_str()))
        .select((UserRow::as_select(), users::password_hash))
        .first(c)
        .optional())?;
    Ok(row.map(|(row, password_hash)| Credentials { user: row.into(), password_hash }))
}

/// The same by their id.
pub fn credentials_of(r: &mut impl Reading, user: UserId) -> Result<Option<Credentials>, StoreError> {
    let row: Option<(UserRow, String)> = on_backend!(r.conn(), c => users::table
        .find(Id::from(user))
        .select((UserRow::as_select(), users::password_hash))
        .first(c)
        .optional())?;
    Ok(row.map(|(row, password_hash)| Credentials { user: row.into(), password_hash }))
}

impl Credentials {
    /// Whether nothing was changed since they were read: not the password, and nobody disabled the user.
    pub fn are_current(&self, r: &mut impl Reading) -> Result<bool, StoreError> {
        let now = credentials_of(r, self.user.id)?;
        Ok(now.is_some_and(|now| now.password_hash == self.password_hash && now.user.disabled_at.is_none()))
    }
}

/// Adds a user. The log names neither them nor anything personal.
pub fn add(tx: &mut Tx<'_>, authority: &Authority, new: &NewUser) -> Result<Result<User, UserRefusal>, StoreError> {
    if find_by_name(tx, &new.username)?.is_some() {
        return Ok(Err(UserRefusal::NameTaken));
    }
    let at = tx.received_at();
    on_backend!(tx.conn(), c => diesel::insert_into(users::table)
        .values((
            users::id.eq(Id::from(new.id)),
            users::username.eq(new.username.as_str()),
            users::display_name.eq(new.display_name.as_str()),
            users::password_hash.eq(&new.password_hash),
            users::created_at.eq(Instant(at)),
        ))
        .execute(c))?;
    note(tx, authority, new.id, "added");
    Ok(Ok(User {
        id: new.id,
        username: new.username.as_str().to_owned(),
        display_name: new.display_name.as_str().to_owned(),
        created_at: at,
        disabled_at: None,
    }))
}

/// Sets a new password and ends every session of the user: whoever knew the old one is out.
pub fn set_password(
    tx: &mut Tx<'_>,
    authority: &Authority,
    user: UserId,
    password_hash: &str,
) -> Result<Result<(), UserRefusal>, StoreError> {
    let changed = on_backend!(tx.conn(), c => diesel::update(users::table.find(Id::from(user)))
        .set(users::password_hash.eq(password_hash))
        .execute(c))?;
    if changed == 0 {
        return Ok(Err(UserRefusal::Unknown));
    }
    sessions::end_all_of(tx, user, authority.user(), SessionEnd::PasswordChanged)?;
    note(tx, authority, user, "password_changed");
    Ok(Ok(()))
}

/// Sets the new password of whoever has just proved to know the present one, and ends their sessions but `keep`.
/// Needs no grant: the proof is the password.
pub fn change_password(
    tx: &mut Tx<'_>,
    user: UserId,
    password_hash: &str,
    keep: SessionId,
) -> Result<Result<(), UserRefusal>, StoreError> {
    let changed = on_backend!(tx.conn(), c => diesel::update(users::table.find(Id::from(user)))
        .set(users::password_hash.eq(password_hash))
        .execute(c))?;
    if changed == 0 {
        return Ok(Err(UserRefusal::Unknown));
    }
    sessions::end_others_of(tx, user, keep, SessionEnd::PasswordChanged)?;
    let mut entry = LogEntry::of_reference("user", user.uuid(), "password_changed", &json!({ "id": user }));
    entry.actor = Some(user);
    tx.append(entry);
    tx.touch_access();
    Ok(Ok(()))
}

/// Disables a user from now on and ends their sessions. What they reported stays theirs.
pub fn disable(tx: &mut Tx<'_>, authority: &Authority, user: UserId) -> Result<Result<(), UserRefusal>, StoreError> {
    let at = tx.received_at();
    let changed = on_backend!(tx.conn(), c => diesel::update(users::table.find(Id::from(user)))
        .set(users::disabled_at.eq(Instant(at)))
        .execute(c))?;
    if changed == 0 {
        return Ok(Err(UserRefusal::Unknown));
    }
    sessions::end_all_of(tx, user, authority.user(), SessionEnd::UserDisabled)?;
    note(tx, authority, user, "disabled");
    Ok(Ok(()))
}

/// Enables a user again. Their sessions stay ended; their grants count as they stand.
pub fn enable(tx: &mut Tx<'_>, authority: &Authority, user: UserId) -> Result<Result<(), UserRefusal>, StoreError> {
    let changed = on_backend!(tx.conn(), c => diesel::update(users::table.find(Id::from(user)))
        .set(users::disabled_at.eq(None::<Instant>))
        .execute(c))?;
    if changed == 0 {
        return Ok(Err(UserRefusal::Unknown));
    }
    note(tx, authority, user, "enabled");
    Ok(Ok(()))
}

fn note(tx: &mut Tx<'_>, authority: &Authority, user: UserId, outcome: &'static str) {
    tx.append(LogEntry::of_reference("user", user.uuid(), outcome, &json!({ "id": user })).by(authority));
    tx.touch_access();
}
