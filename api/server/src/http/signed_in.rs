//! `/v1/devices` and `/v1/sessions`: where somebody is signed in, and how that ends.

use super::error::{Problem, ProblemBody};
use super::page::PageBody;
use super::query::Params;
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::list_signed_in::{SignedInQuery, list_devices, list_sessions};
use crate::usecases::revoke::{end_session, revoke_device};
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get};
use chrono::{DateTime, Utc};
use muong_domain::account::Device;
use muong_domain::id::{DeviceId, SessionId};
use muong_store::ById;
use muong_store::sessions::Listed;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A device in a list.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedDevice)]
pub struct ListedDeviceBody {
    /// Its id: stands in every push.
    #[schema(example = "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e77")]
    id: Uuid,
    /// What its user calls it.
    #[schema(example = "Điện thoại của Chá (Android 13)")]
    name: String,
    /// Since when it is registered.
    registered_at: DateTime<Utc>,
    /// Since when it may no longer be used.
    revoked_at: Option<DateTime<Utc>>,
    /// Whether it is the one that asks.
    #[schema(example = true)]
    current: bool,
}

/// A session in a list: one sign-in on one device.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedSession)]
pub struct ListedSessionBody {
    /// Its id.
    #[schema(example = "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e78")]
    id: Uuid,
    /// On which device.
    #[schema(example = "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e77")]
    device: Uuid,
    /// Since when.
    started_at: DateTime<Utc>,
    /// When it last got a pair of tokens, as far as that is still known.
    refreshed_at: Option<DateTime<Utc>>,
    /// When it ended.
    ended_at: Option<DateTime<Utc>>,
    /// Why: `signed_out`, `revoked`, `refresh_reused`, `password_changed`, `user_disabled`,
    /// `device_revoked` or `restored`.
    #[schema(example = "signed_out")]
    end: Option<&'static str>,
    /// Whether it is the one that asks.
    #[schema(example = true)]
    current: bool,
}

fn device_body(device: Device, who: &Authenticated) -> ListedDeviceBody {
    ListedDeviceBody {
        id: device.id.uuid(),
        name: device.name,
        registered_at: device.registered_at,
        revoked_at: device.revoked_at,
        current: device.id == who.device,
    }
}

fn session_body(listed: Listed, who: &Authenticated) -> ListedSessionBody {
    let Listed { session, ended_at, refreshed_at } = listed;
    ListedSessionBody {
        id: session.id.uuid(),
        device: session.device.uuid(),
        started_at: session.started_at,
        refreshed_at,
        ended_at,
        end: session.ended.map(|end| end.as_str()),
        current: session.id == who.session,
    }
}

/// List devices
///
/// One's own, in order of registration. An administrator may ask for another user's.
#[utoipa::path(
    tag = "sign-in",
    params(
        ("user" = Option<Uuid>, Query, description = "Whose; oneself when left out. Another one's: administrators only."),
        ("revoked" = Option<bool>, Query, description = "Only those that may no longer be used, or only those that may."),
        ("sort" = Option<String>, Query, description = "`added` (unless said: the earliest first) or `newest`.", example = "newest"),
        ("limit" = Option<u16>, Query, description = "At most so many, 1 to 500; 50 unless said.", example = 50),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before, with the same filters."),
    ),
    responses(
        (status = 200, description = "A page.", body = PageBody<ListedDeviceBody>),
        (status = 400, description = "The query or the cursor cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such user, or not for the caller.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/devices")]
pub async fn get_devices(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
) -> Result<Json<PageBody<ListedDeviceBody>>, Problem> {
    let mut params = Params::read(&request)?;
    let (user, over) = (params.id("user"), params.flag("revoked"));
    let (newest_first, page) = (params.newest_first(), params.finish()?);
    let order = ById { newest_first, after: page.after.map(DeviceId::new) };
    let query = SignedInQuery { user, over, order, limit: page.limit };
    let found = list_devices(&app, &who, query).await?.map(|device| device_body(device, &who));
    Ok(Json(PageBody { items: found.items, next: page.next(found.next) }))
}

/// Revoke a device
///
/// For a phone that was lost: its tokens are good no more, from the next request on, and nobody can sign in on it. Also
/// the one that asks. Administrators may revoke anybody's.
#[utoipa::path(
    tag = "sign-in",
    params(("id" = Uuid, Path, description = "The device.")),
    responses(
        (status = 204, description = "Revoked."),
        (status = 400, description = "The id cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such device, or not for the caller.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[delete("/v1/devices/{id}")]
pub async fn delete_device(app: Data<App>, who: Authenticated, id: Path<Uuid>) -> Result<HttpResponse, Problem> {
    revoke_device(&app, &who, id.into_inner().into()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List sessions
///
/// Those of one's own that stand, in order of their beginning. An administrator may ask for another user's.
#[utoipa::path(
    tag = "sign-in",
    params(
        ("user" = Option<Uuid>, Query, description = "Whose; oneself when left out. Another one's: administrators only."),
        ("ended" = Option<bool>, Query, description = "Those that have ended instead."),
        ("sort" = Option<String>, Query, description = "`added` (unless said: the earliest first) or `newest`.", example = "newest"),
        ("limit" = Option<u16>, Query, description = "At most so many, 1 to 500; 50 unless said.", example = 50),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before, with the same filters."),
    ),
    responses(
        (status = 200, description = "A page.", body = PageBody<ListedSessionBody>),
        (status = 400, description = "The query or the cursor cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such user, or not for the caller.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/sessions")]
pub async fn get_sessions(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
) -> Result<Json<PageBody<ListedSessionBody>>, Problem> {
    let mut params = Params::read(&request)?;
    let (user, over) = (params.id("user"), params.flag("ended"));
    let (newest_first, page) = (params.newest_first(), params.finish()?);
    let order = ById { newest_first, after: page.after.map(SessionId::new) };
    let query = SignedInQuery { user, over, order, limit: page.limit };
    let found = list_sessions(&app, &who, query).await?.map(|listed| session_body(listed, &who));
    Ok(Json(PageBody { items: found.items, next: page.next(found.next) }))
}

/// End a session
///
/// From elsewhere: its tokens are good no more, from the next request on. The device stays registered. Administrators
/// may end anybody's.
#[utoipa::path(
    tag = "sign-in",
    params(("id" = Uuid, Path, description = "The session.")),
    responses(
        (status = 204, description = "Ended."),
        (status = 400, description = "The id cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such session, or not for the caller.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[delete("/v1/sessions/{id}")]
pub async fn delete_session(app: Data<App>, who: Authenticated, id: Path<Uuid>) -> Result<HttpResponse, Problem> {
    end_session(&app, &who, id.into_inner().into()).await?;
    Ok(HttpResponse::NoContent().finish())
}
