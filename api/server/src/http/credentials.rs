//! `/v1/me/password` and `/v1/me/totp`: what one proves oneself with, and how one changes it.

use super::body;
use super::error::{Problem, ProblemBody};
use super::sessions::SMALL;
use crate::security::totp::Given;
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::change_password::{NewPassword, change_password};
use crate::usecases::enrol_totp::{begin, confirm, describe, remove};
use actix_web::web::{Data, Json, Payload};
use actix_web::{HttpRequest, HttpResponse, get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Another password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordChange)]
pub struct PasswordBody {
    /// The present one.
    #[schema(example = "một câu dài dễ nhớ", format = Password)]
    present: String,
    /// The new one: at least 12 characters.
    #[schema(example = "một câu khác cũng dài", format = Password, min_length = 12)]
    new: String,
}

/// Change the password
///
/// Needs the present one. All other sessions of the user end; this one goes on.
#[utoipa::path(
    tag = "me",
    request_body = PasswordBody,
    responses(
        (status = 204, description = "Changed."),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`auth.password_wrong`, `auth.password_too_short`, `auth.password_too_long`, `auth.password_unchanged`.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`auth.throttled`: wrong too often; try again after `Retry-After`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/me/password")]
pub async fn post_password(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let PasswordBody { present, new } = body::json(&request, payload, &SMALL).await?;
    change_password(&app, &who, NewPassword { present, new }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Whether one has a second factor.
#[derive(Serialize, ToSchema)]
#[schema(as = SecondFactor)]
pub struct FactorBody {
    /// Whether a code is asked for when one signs in.
    #[schema(example = true)]
    enrolled: bool,
    /// How many recovery codes are left.
    #[schema(example = 10)]
    recovery_codes_left: i64,
    /// Whether a role that one holds now requires a second factor.
    #[schema(example = false)]
    required: bool,
}

/// Have I a second factor?
#[utoipa::path(
    tag = "me",
    responses(
        (status = 200, description = "Whether, and how many recovery codes are left.", body = FactorBody),
    )
)]
#[get("/v1/me/totp")]
pub async fn get_totp(app: Data<App>, who: Authenticated) -> Result<Json<FactorBody>, Problem> {
    let state = describe(&app, &who).await?;
    Ok(Json(FactorBody {
        enrolled: state.enrolled,
        recovery_codes_left: state.recovery_codes_left,
        required: state.required,
    }))
}

/// One's password, again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordAgain)]
pub struct PasswordAgainBody {
    /// The password.
    #[schema(example = "một câu dài dễ nhớ", format = Password)]
    password: String,
}

/// A secret for an app that shows codes. Told once.
#[derive(Serialize, ToSchema)]
#[schema(as = TotpSecret)]
pub struct SecretBody {
    /// As people type it: Base32.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    /// As a QR code carries it.
    #[schema(
        example = "otpauth://totp/muong:vu.a.cha?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=muong&algorithm=SHA1&digits=6&period=30"
    )]
    uri: String,
}

/// Begin a second factor
///
/// Makes a secret (TOTP, RFC 6238). Nothing asks for it until it is confirmed; beginning again makes another one.
#[utoipa::path(
    tag = "me",
    request_body = PasswordAgainBody,
    responses(
        (status = 200, description = "The secret; put it into the app, then confirm.", body = SecretBody),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`auth.totp_enrolled`: there is one; remove it first.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`auth.password_wrong`.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`auth.throttled`: wrong too often; try again after `Retry-After`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/me/totp")]
pub async fn post_totp(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<SecretBody>, Problem> {
    let PasswordAgainBody { password } = body::json(&request, payload, &SMALL).await?;
    let begun = begin(&app, &who, &password).await?;
    Ok(Json(SecretBody { secret: begun.secret, uri: begun.uri }))
}

/// A code of the app, or a recovery code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TotpCode)]
pub struct CodeBody {
    /// The code.
    #[schema(example = "287082")]
    code: String,
}

/// Codes for whoever has lost the app. Told once.
#[derive(Serialize, ToSchema)]
#[schema(as = RecoveryCodes)]
pub struct RecoveryBody {
    /// Each is good once, in place of a code of the app.
    #[schema(example = json!(["ge3d-gnbv-gy3t-qojq"]))]
    recovery_codes: Vec<String>,
}

/// Confirm a second factor
///
/// By the code that the app shows now. From then on signing in asks for a code. Answers the recovery codes.
#[utoipa::path(
    tag = "me",
    request_body = CodeBody,
    responses(
        (status = 200, description = "Confirmed.", body = RecoveryBody),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in. `auth.totp_invalid`: the code is wrong or was used.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`auth.totp_enrolled`: it is confirmed already.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`auth.totp_not_begun`.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`auth.throttled`: wrong too often; try again after `Retry-After`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/me/totp/confirm")]
pub async fn post_totp_confirm(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<RecoveryBody>, Problem> {
    let CodeBody { code } = body::json(&request, payload, &SMALL).await?;
    Ok(Json(RecoveryBody { recovery_codes: confirm(&app, &who, Given::read(&code)).await? }))
}

/// Remove a second factor
///
/// By a last code, or a recovery code. Whoever has neither asks the administrator. Where a role requires a second
/// factor, nothing but enrolling another one is possible afterwards.
#[utoipa::path(
    tag = "me",
    request_body = CodeBody,
    responses(
        (status = 204, description = "Removed, with its recovery codes."),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in. `auth.totp_invalid`: the code is wrong or was used.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`auth.totp_not_begun`.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`auth.throttled`: wrong too often; try again after `Retry-After`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/me/totp/remove")]
pub async fn post_totp_remove(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let CodeBody { code } = body::json(&request, payload, &SMALL).await?;
    remove(&app, &who, Given::read(&code)).await?;
    Ok(HttpResponse::NoContent().finish())
}
