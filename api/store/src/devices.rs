//! Devices: the installations of clients that users have signed in on. A phone's stream of submissions is numbered
//! by its device. Knows nothing of tokens.

use crate::columns::{Id, Instant};
use crate::error::StoreError;
use crate::schema::devices;
use crate::sessions;
use crate::transaction::{LogEntry, Reading, Tx};
use diesel::prelude::*;
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

/// Registers a device to a user who has proved who they are. Needs no grant: everybody may sign in on a new phone.
pub fn register(tx: &mut Tx<'_>, id: DeviceId, user: UserId, name: &Label) -> Result<Device, StoreError> {
    let at = tx.received_at();
    on_backend!(tx.conn(), c => diesel::insert_into(devices::table)
        .values((
            devices::id.eq(Id::from(id)),
            devices::user_id.eq(Id::from(user)),
            devices::name.eq(name.as_str()),
            devices::registered_at.eq(Instant(at)),
        ))
        .execute(c))?;
    let mut entry = LogEntry::of_reference("device", id.uuid(), "registered", &json!({ "id": id, "user": user }));
    (entry.actor, entry.device) = (Some(user), Some(id));
    tx.append(entry);
    Ok(Device { id, user, name: name.as_str().to_owned(), registered_at: at, revoked_at: None })
}

/// Revokes a device from now on (a lost phone) and ends its sessions. False when there is no such device.
pub fn revoke(tx: &mut Tx<'_>, authority: &Authority, id: DeviceId) -> Result<bool, StoreError> {
    let Some(device) = find(tx, id)? else { return Ok(false) };
    let at = tx.received_at();
    on_backend!(tx.conn(), c => diesel::update(devices::table.find(Id::from(id)))
        .set(devices::revoked_at.eq(Instant(at)))
        .execute(c))?;
    sessions::end_all_on(tx, id, authority.user(), SessionEnd::DeviceRevoked)?;
    let command = json!({ "id": id, "user": device.user });
    tx.append(LogEntry::of_reference("device", id.uuid(), "revoked", &command).by(authority));
    tx.touch_access();
    Ok(true)
}
