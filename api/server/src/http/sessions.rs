//! `/v1/auth`: signing in, refreshing, signing out; and `POST /v1/devices`, which also gives out a pair of tokens.

use super::asked::asked_of;
use super::body;
use super::client_address::client_address;
use super::error::{Problem, ProblemBody};
use crate::config::Limits;
use crate::security::totp::Given;
use crate::state::App;
use crate::usecases::account_for_sign_in::account_for_sign_in;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::open_session::SignedIn;
use crate::usecases::refresh_session::{Refresh, refresh_session};
use crate::usecases::register_device::register_device;
use crate::usecases::sign_in::SignIn;
use crate::usecases::sign_out::sign_out;
use actix_web::web::{Data, Json, Payload};
use actix_web::{HttpRequest, HttpResponse, post};
use chrono::{DateTime, Utc};
use muong_domain::account::Label;
use muong_domain::id::DeviceId;
use muong_domain::refusal::Finding;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Who wants to sign in, and on what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SignIn)]
pub struct SignInBody {
    /// The name to sign in with. Capitals and space around it do not count.
    #[schema(example = "vu.a.cha")]
    username: String,
    /// The password.
    #[schema(example = "một câu dài dễ nhớ", format = Password)]
    password: String,
    /// The code of one's second factor, or a recovery code; asked for by `auth.totp_required`.
    #[serde(default)]
    #[schema(example = "287082")]
    totp: Option<String>,
    /// The device.
    device: DeviceInput,
}

/// A device that somebody signs in on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeviceInput)]
pub struct DeviceInput {
    /// Its id, when it was registered to this user before; otherwise it is registered anew, and the answer has its id.
    #[serde(default)]
    #[schema(example = "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e77")]
    id: Option<Uuid>,
    /// What it was told as `device_secret`: a device that is known by it has attempts of its own,
    /// so that nobody who guesses from elsewhere keeps it out.
    #[serde(default)]
    #[schema(example = "VniQq83vEjRWeJA0q83vEjRWeJCrze8SNFZ4kKvN7xI")]
    secret: Option<String>,
    /// What its user calls it.
    #[schema(example = "Điện thoại của Chá", max_length = 120)]
    name: String,
    /// What it runs; kept with the name of a new device.
    #[serde(default)]
    #[schema(example = "Android 13")]
    platform: Option<String>,
}

/// A device that is to be registered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewDevice)]
pub struct NewDeviceBody {
    /// What its user calls it.
    #[schema(example = "Điện thoại mới", max_length = 120)]
    name: String,
    /// What it runs; kept with the name.
    #[serde(default)]
    #[schema(example = "Android 13")]
    platform: Option<String>,
}

/// A refresh token, presented by the device that it was given to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Refresh)]
pub struct RefreshBody {
    /// The token of the last answer. It is good once; a device whose answer was lost may send it again within a minute.
    #[schema(example = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA")]
    refresh_token: String,
    /// The id of the device.
    #[schema(example = "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e77")]
    device: Uuid,
}

/// A pair of tokens, and whose they are.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedIn)]
pub struct SignedInBody {
    /// Goes into `Authorization: Bearer …`.
    #[schema(example = "eyJhbGciOiJFZERTQSIsImtpZCI6ImtQcktfcW14VldhIn0.…")]
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// For how many seconds the access token is good.
    #[schema(example = 900)]
    expires_in: u32,
    /// For the next `POST /v1/auth/refresh`. Good once: presenting it again ends the session on this device (but for a
    /// minute, in which the next one has not been presented: then the answer was lost).
    #[schema(example = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA")]
    refresh_token: String,
    /// Until when.
    refresh_expires_at: DateTime<Utc>,
    /// The device that the tokens belong to.
    device: DeviceBody,
    /// Only when its user signs in with a password on a device that is not known by one: to be kept, and sent as
    /// `device.secret` when they sign in on it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "VniQq83vEjRWeJA0q83vEjRWeJCrze8SNFZ4kKvN7xI")]
    device_secret: Option<String>,
    /// Who has signed in.
    user: UserBody,
}

/// A device.
#[derive(Serialize, ToSchema)]
#[schema(as = Device)]
pub struct DeviceBody {
    /// Its id: stands in every push.
    #[schema(example = "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e77")]
    pub id: Uuid,
    /// What its user calls it.
    #[schema(example = "Điện thoại của Chá (Android 13)")]
    pub name: String,
}

/// A user.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserBody {
    /// Their id.
    #[schema(example = "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e70")]
    pub id: Uuid,
    /// The name to sign in with.
    #[schema(example = "vu.a.cha")]
    pub username: String,
    /// The name that others see.
    #[schema(example = "Vừ A Chá")]
    pub display_name: String,
}

impl From<SignedIn> for SignedInBody {
    fn from(signed: SignedIn) -> Self {
        let SignedIn { access_token, expires_in, refresh, refresh_expires_at, device, device_secret, user } = signed;
        Self {
            access_token,
            token_type: "Bearer",
            expires_in,
            refresh_token: refresh.expose().to_owned(),
            refresh_expires_at,
            device: DeviceBody { id: device.id.uuid(), name: device.name },
            device_secret: device_secret.map(|secret| secret.expose().to_owned()),
            user: UserBody { id: user.id.uuid(), username: user.username, display_name: user.display_name },
        }
    }
}

/// What an unknown client may send before it has signed in: names and a token, no more.
pub(super) const SMALL: Limits =
    Limits { submissions: 1, wire_bytes: 16 << 10, inflated_bytes: 16 << 10, submission_bytes: 16 << 10 };

/// The name of a new device, with what it runs.
fn label(name: &str, platform: Option<&str>, pointer: &str) -> Result<Label, Problem> {
    let whole = match platform.map(str::trim).filter(|platform| !platform.is_empty()) {
        Some(platform) => format!("{} ({platform})", name.trim()),
        None => name.to_owned(),
    };
    let fine = Label::parse(name).and_then(|_| Label::parse(&whole));
    fine.map_err(|_| {
        let finding = Finding::new("device.name_invalid", pointer).with("max", Label::MAX_CHARS);
        Problem::new("device.name_invalid").with("max", Label::MAX_CHARS).findings([finding])
    })
}

/// Sign in
///
/// Answers a pair of tokens that belong to the device. A wrong name, a wrong password and a disabled user are answered
/// alike, and take alike long. Failed attempts are counted by account and by address; after some of them there are
/// pauses, of a minute at most.
#[utoipa::path(
    tag = "sign-in",
    security(()),
    request_body = SignInBody,
    responses(
        (status = 200, description = "Signed in.", body = SignedInBody),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`auth.bad_credentials`, `auth.device_revoked`. `auth.totp_required`, `auth.totp_invalid`: send the code of the second factor as `totp`.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`device.not_registered`: sign in without the device's id. `device.name_invalid`.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`auth.throttled`: too many attempts, also of those that succeed; try again after `Retry-After`.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`server.busy`: too many sign in at once; try again after `Retry-After`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/auth/sign-in")]
pub async fn post_sign_in(
    app: Data<App>,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<SignedInBody>, Problem> {
    let SignInBody { username, password, totp, device } = body::json_of_stranger(&request, payload, &SMALL).await?;
    let input = SignIn {
        username,
        password,
        second_factor: totp.as_deref().map(Given::read),
        device: device.id.map(DeviceId::from),
        device_secret: device.secret.as_deref().map(SignIn::device_secret),
        device_name: label(&device.name, device.platform.as_deref(), "/device/name")?,
        address: client_address(&request),
    };
    let signed_in = account_for_sign_in(&app, asked_of(&request), input).await;
    app.metrics.signed_in(&signed_in);
    Ok(Json(signed_in?.into()))
}

/// Refresh the tokens
///
/// Exchanges a refresh token for the next pair. Each refresh token is good once: one that comes back later ends the
/// session, since two have it. Only a device whose answer was lost may send it again, within a minute and before the
/// next one was ever presented: it gets another pair, and the lost one is good no more.
#[utoipa::path(
    tag = "sign-in",
    security(()),
    request_body = RefreshBody,
    responses(
        (status = 200, description = "The next pair.", body = SignedInBody),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`auth.refresh_invalid`, `auth.refresh_reused`, `auth.device_revoked`: sign in again.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`auth.user_disabled`.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`auth.throttled`: too many wrong tokens; `request.throttled`: this session is refreshed too often. Again after `Retry-After`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/auth/refresh")]
pub async fn post_refresh(
    app: Data<App>,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<SignedInBody>, Problem> {
    let RefreshBody { refresh_token, device } = body::json_of_stranger(&request, payload, &SMALL).await?;
    let refresh = Refresh::new(&refresh_token, device.into(), client_address(&request));
    Ok(Json(refresh_session(&app, refresh).await?.into()))
}

/// Sign out
///
/// Ends the session of this device: its tokens are no longer good, from the next request on. Other devices stay
/// signed in.
#[utoipa::path(
    tag = "sign-in",
    responses(
        (status = 204, description = "Signed out."),
    )
)]
#[post("/v1/auth/sign-out")]
pub async fn post_sign_out(app: Data<App>, who: Authenticated) -> Result<HttpResponse, Problem> {
    sign_out(&app, &who).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Register a device
///
/// Registers a further device to the user who asks and answers a pair of tokens for it: the way out of `device.fork`.
/// The session that asked goes on.
#[utoipa::path(
    tag = "sign-in",
    request_body = NewDeviceBody,
    responses(
        (status = 201, description = "Registered.", body = SignedInBody),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`device.name_invalid`.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`request.throttled`: too many devices; try again after `Retry-After`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/devices")]
pub async fn post_device(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let NewDeviceBody { name, platform } = body::json(&request, payload, &SMALL).await?;
    let name = label(&name, platform.as_deref(), "/name")?;
    let signed: SignedInBody = register_device(&app, &who, name).await?.into();
    Ok(HttpResponse::Created().json(signed))
}
