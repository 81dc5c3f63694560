//! Devices: the installations of clients that users have signed in on. A phone's stream of submissions is numbered
//! by its device. Knows nothing of tokens.

use crate::by_id::ById;
use crate::columns::{Id, Instant};
use crate::entry::LogEntry;
use crate::error::StoreError;
use crate::schema::devices;
use crate::sessions;
use crate::transaction::{Reading, Tx};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use muong_domain::access::Authority;
use muong_domain::account::{Device, Label, SessionEnd};
use muong_domain::id::{DeviceId, UserId};
use serde_json::json;

#[derive(Queryable, Selectable)]
#[diesel(table_name = devices)]
struct DeviceRow {
    id: Id,
    user_id: Id,
    name: String,
    registered_at: Instant,
    revoked_at: Option<Instant>,
}

impl From<DeviceRow> for Device {
    fn from(row: DeviceRow) -> Self {
        Self {
            id: row.id.0.into(),
            user: row.user_id.0.into(),
            name: row.name,
            registered_at: row.registered_at.0,
            revoked_at: row.revoked_at.map(|at| at.0),
        }
    }
}

/// The device of that id.
pub fn find(r: &mut impl Reading, id: DeviceId) -> Result<Option<Device>, StoreError> {
    let row: Option<DeviceRow> = on_backend!(r.conn(), c => devices::table
        .find(Id::from(id))
        .select(DeviceRow::as_select())
        .first(c)
        .optional())?;
    Ok(row.map(Device::from))
}

/// The device of that id, if this is its secret and it may still be used.
pub fn known(r: &mut impl Reading, id: DeviceId, secret_hash: &[u8; 32]) -> Result<Option<Device>, StoreError> {
    let row: Option<(DeviceRow, Option<Vec<u8>>)> = on_backend!(r.conn(), c => devices::table
        .find(Id::from(id))
        .filter(devices::revoked_at.is_null())
        .select((DeviceRow::as_select(), devices::secret_hash))
        .first(c)
        .optional())?;
    // Hashes of 256 bits of chance: how long their comparison takes tells nothing of use.
    Ok(row.filter(|(_, kept)| kept.as_deref() == Some(secret_hash)).map(|(row, _)| row.into()))
}

/// The devices of a user, at most `limit`; only those that may (or may no longer) be used, when that is asked for.
pub fn of_user(
    r: &mut impl Reading,
    user: UserId,
    revoked: Option<bool>,
    order: ById<DeviceId>,
    limit: i64,
) -> Result<Vec<Device>, StoreError> {
    let (low, high) = order.between();
    let (any, wanted) = (revoked.is_none(), revoked.unwrap_or_default());
    macro_rules! wanted {
        () => {
            devices::table
                .filter(devices::user_id.eq(Id::from(user)))
                .filter(devices::id.gt(low).and(devices::id.lt(high)))
                .filter(any.into_sql::<Bool>().or(devices::revoked_at.is_not_null().eq(wanted)))
                .limit(limit)
                .select(DeviceRow::as_select())
        };
    }
    let rows: Vec<DeviceRow> = match order.newest_first {
        false => on_backend!(r.conn(), c => wanted!().order(devices::id).load(c))?,
        true => on_backend!(r.conn(), c => wanted!().order(devices::id.desc()).load(c))?,
    };
    Ok(rows.into_iter().map(Device::from).collect())
}

/// Registers a device to a user who has proved who they are. Needs no grant: everybody may sign in on a new phone.
/// `secret_hash` is what it will be known by when it signs in again.
pub fn register(
    tx: &mut Tx<'_>,
    id: DeviceId,
    user: UserId,
    name: &Label,
    secret_hash: Option<&[u8; 32]>,
) -> Result<Device, StoreError> {
    let at = tx.received_at();
    on_backend!(tx.conn(), c => diesel::insert_into(devices::table)
        .values((
            devices::id.eq(Id::from(id)),
            devices::user_id.eq(Id::from(user)),
            devices::name.eq(name.as_str()),
            devices::registered_at.eq(Instant(at)),
            devices::secret_hash.eq(secret_hash.map(<[u8; 32]>::as_slice)),
        ))
        .execute(c))?;
    let mut entry = LogEntry::of_reference("device", id.uuid(), "registered", &json!({ "id": id, "user": user }));
    (entry.actor, entry.device) = (Some(user), Some(id));
    tx.append(entry);
    Ok(Device { id, user, name: name.as_str().to_owned(), registered_at: at, revoked_at: None })
}

/// Gives a device the secret that it will be known by, in place of any that it had.
pub fn give_secret(tx: &mut Tx<'_>, id: DeviceId, secret_hash: &[u8; 32]) -> Result<(), StoreError> {
    on_backend!(tx.conn(), c => diesel::update(devices::table.find(Id::from(id)))
        .set(devices::secret_hash.eq(secret_hash.as_slice()))
        .execute(c))?;
    Ok(())
}

/// Revokes a device from now on (a lost phone) and ends its sessions. False when there is no such device; one that is
/// revoked already stays as it is.
pub fn revoke(tx: &mut Tx<'_>, authority: &Authority, id: DeviceId) -> Result<bool, StoreError> {
    let Some(device) = find(tx, id)? else { return Ok(false) };
    if withdraw(tx, &device, authority.user())? {
        tx.append(entry(&device).by(authority));
        tx.touch_access();
    }
    Ok(true)
}

/// The same by the user whose device it is, who needs no grant for it. False when they have no such device.
pub fn revoke_own(tx: &mut Tx<'_>, owner: UserId, id: DeviceId) -> Result<bool, StoreError> {
    let Some(device) = find(tx, id)?.filter(|device| device.user == owner) else { return Ok(false) };
    if withdraw(tx, &device, Some(owner))? {
        let mut entry = entry(&device);
        entry.actor = Some(owner);
        tx.append(entry);
        tx.touch_access();
    }
    Ok(true)
}

/// False when it was revoked before: the first time stays.
fn withdraw(tx: &mut Tx<'_>, device: &Device, by: Option<UserId>) -> Result<bool, StoreError> {
    let at = tx.received_at();
    let revoked = on_backend!(tx.conn(), c => diesel::update(devices::table.find(Id::from(device.id)))
        .filter(devices::revoked_at.is_null())
        .set(devices::revoked_at.eq(Instant(at)))
        .execute(c))?;
    if revoked > 0 {
        sessions::end_all_on(tx, device.id, by, SessionEnd::DeviceRevoked)?;
    }
    Ok(revoked > 0)
}

fn entry(device: &Device) -> LogEntry {
    let command = json!({ "id": device.id, "user": device.user });
    LogEntry::of_reference("device", device.id.uuid(), "revoked", &command)
}
