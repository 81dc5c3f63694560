//! `/v1/users`: the accounts that an administrator administers. Shows nobody's password but one that was just made.

use super::body;
use super::error::{Problem, ProblemBody};
use super::grants::{GrantBody, GrantGivenBody};
use super::page::PageBody;
use super::query::Params;
use super::sessions::SMALL;
use crate::messages::Args;
use crate::state::App;
use crate::usecases::administer_users::{SeenUser, UserQuery, list_users, read_user};
use crate::usecases::authenticate::Authenticated;
use crate::usecases::change_user::{AccountChange, change_user, reset_password};
use crate::usecases::create_user::{Adding, create_user};
use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use muong_domain::access::Role;
use muong_domain::account::{Label, Username};
use muong_domain::id::UserId;
use muong_domain::refusal::Finding;
use muong_store::ById;
use muong_store::users::UserOrder;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A user, and what they hold where the caller administers.
#[derive(Serialize, ToSchema)]
#[schema(as = AdministeredUser)]
pub struct UserBody {
    /// Never changes.
    #[schema(example = "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e70")]
    id: Uuid,
    /// The name to sign in with.
    #[schema(example = "vu.a.cha")]
    username: String,
    /// The name that others see.
    #[schema(example = "Vừ A Chá")]
    display_name: String,
    /// Since when.
    created_at: DateTime<Utc>,
    /// Since when nobody may sign in with it.
    disabled_at: Option<DateTime<Utc>>,
    /// Whether a second factor is asked for.
    #[schema(example = false)]
    second_factor: bool,
    /// What they hold, held or will hold there, the earliest first.
    grants: Vec<GrantBody>,
}

impl From<SeenUser> for UserBody {
    fn from(seen: SeenUser) -> Self {
        let SeenUser { user, second_factor, grants, now } = seen;
        Self {
            id: user.id.uuid(),
            username: user.username,
            display_name: user.display_name,
            created_at: user.created_at,
            disabled_at: user.disabled_at,
            second_factor,
            grants: grants.into_iter().map(|held| GrantBody::of(user.id, held, now)).collect(),
        }
    }
}

/// A user who is to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser)]
pub struct NewUserBody {
    /// The name to sign in with: small letters without marks, digits, `.`, `_` and `-`.
    #[schema(example = "vu.a.cha")]
    username: String,
    /// The name that others see.
    #[schema(example = "Vừ A Chá")]
    display_name: String,
    /// Their first password, at least 12 characters; left out, one is made and answered once.
    #[serde(default)]
    #[schema(format = Password, min_length = 12)]
    password: Option<String>,
    /// What they are to hold. Needed unless the caller administers a whole tree.
    #[serde(default)]
    grants: Vec<GrantGivenBody>,
}

/// A user who was added.
#[derive(Serialize, ToSchema)]
#[schema(as = AddedUser)]
pub struct AddedUserBody {
    /// The user.
    user: UserBody,
    /// The password that was made, told once; null when one was given.
    #[schema(example = "k7mpq-3wxyz-rt5uv-ab2cd")]
    password: Option<String>,
}

/// Another password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordReset)]
pub struct PasswordResetBody {
    /// At least 12 characters; left out, one is made and answered once.
    #[serde(default)]
    #[schema(format = Password, min_length = 12)]
    password: Option<String>,
}

/// The password that was set.
#[derive(Serialize, ToSchema)]
#[schema(as = PasswordSet)]
pub struct PasswordSetBody {
    /// The one that was made, told once; null when one was given.
    #[schema(example = "k7mpq-3wxyz-rt5uv-ab2cd")]
    password: Option<String>,
}

/// A code of ours that says what is wrong with a field.
fn wrong(code: &'static str, pointer: &str, args: Args) -> Problem {
    let finding =
        args.iter().fold(Finding::new(code, pointer), |finding, (name, value)| finding.with(name, value.clone()));
    args.into_iter().fold(Problem::new(code), |problem, (name, value)| problem.with(&name, value)).findings([finding])
}

/// Reads a role by its written form.
pub fn role(text: &str, pointer: &str) -> Result<Role, Problem> {
    let roles = || Role::ALL.map(Role::as_str).join(", ");
    let unknown = || wrong("grant.role_unknown", pointer, Args::from([("roles".to_owned(), roles().into())]));
    Role::parse(text).ok_or_else(unknown)
}

/// Reads a name that people read.
pub fn label(text: &str, pointer: &str) -> Result<Label, Problem> {
    let args = || Args::from([("max".to_owned(), Label::MAX_CHARS.into())]);
    Label::parse(text).map_err(|_not_one_line| wrong("user.label_invalid", pointer, args()))
}

fn adding(body: &NewUserBody) -> Result<Adding, Problem> {
    let name = Username::parse(&body.username);
    let given = body.grants.iter().enumerate();
    Ok(Adding {
        username: name.map_err(|_no_name| wrong("user.name_invalid", "/username", Args::new()))?,
        display_name: label(&body.display_name, "/display_name")?,
        grants: given.map(|(at, grant)| grant.read(&format!("/grants/{at}"))).collect::<Result<_, _>>()?,
    })
}

/// Everything that [`Role`] can be, for a query.
pub fn roles() -> Vec<(&'static str, Role)> {
    Role::ALL.into_iter().map(|role| (role.as_str(), role)).collect()
}

/// The position of a user in a list: an id, or a name.
fn position(order: &UserOrder, bytes: &[u8]) -> Option<UserOrder> {
    match order {
        UserOrder::Added(order) => {
            let after = Uuid::from_slice(bytes).ok().map(UserId::new);
            after.map(|_| UserOrder::Added(ById { after, ..*order }))
        }
        UserOrder::Name(_) => String::from_utf8(bytes.to_vec()).ok().map(UserOrder::Name),
    }
}

/// List users
///
/// Those who hold, held or will hold something where the caller administers; an administrator of a whole tree sees
/// everybody. In the order in which they were added, or by the name to sign in with.
#[utoipa::path(
    tag = "administration",
    params(
        ("below" = Option<Uuid>, Query, description = "Only those with a grant over this unit or below it."),
        ("role" = Option<String>, Query, description = "Only those who hold this role now.", example = "cadre"),
        ("disabled" = Option<bool>, Query, description = "Only those who may no longer sign in, or only those who may."),
        ("name" = Option<String>, Query, description = "Only those whose name to sign in with begins so.", example = "vu."),
        ("sort" = Option<String>, Query, description = "`added` (unless said: the earliest first), `newest` or `username`.", example = "username"),
        ("limit" = Option<u16>, Query, description = "At most so many, 1 to 500; 50 unless said.", example = 50),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before, with the same filters."),
    ),
    responses(
        (status = 200, description = "A page.", body = PageBody<UserBody>),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`access.forbidden`: not an administrator, or not of all that this touches.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/users")]
pub async fn get_users(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
) -> Result<Json<PageBody<UserBody>>, Problem> {
    let mut params = Params::read(&request)?;
    let (below, role) = (params.id("below"), params.one_of("role", &roles()));
    let (disabled, prefix) = (params.flag("disabled"), params.text("name").unwrap_or_default());
    let added = |newest_first| UserOrder::Added(ById { newest_first, after: None });
    let named = UserOrder::Name(String::new());
    let sorts = [("added", &added(false)), ("newest", &added(true)), ("username", &named)];
    let first = params.one_of("sort", &sorts).unwrap_or(sorts[0].1);
    let (limit, after, cursor) = params.finish_with(|bytes| position(first, bytes))?;
    let order = after.unwrap_or_else(|| first.clone());
    let found = list_users(&app, &who, UserQuery { below, role, disabled, prefix, order, limit }).await?;
    let next = found.next.map(|last| match first {
        UserOrder::Name(_) => cursor.written(last.username.as_bytes()),
        UserOrder::Added(_) => cursor.written(last.id.uuid().as_bytes()),
    });
    Ok(Json(PageBody { items: found.items.into_iter().map(UserBody::from).collect(), next }))
}

/// Read a user
///
/// With what they hold where the caller administers.
#[utoipa::path(
    tag = "administration",
    params(("id" = Uuid, Path, description = "The user.")),
    responses(
        (status = 200, description = "The user.", body = UserBody),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`access.forbidden`: not an administrator, or not of all that this touches.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It does not exist for the caller.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/users/{id}")]
pub async fn get_user(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
) -> Result<Json<UserBody>, Problem> {
    Params::read(&request)?.finish_bare()?;
    Ok(Json(read_user(&app, &who, id.into_inner().into()).await?.into()))
}

/// Add a user
///
/// With what they are to hold: over units that the caller administers, in roles that are theirs to give. The roles
/// `provincial_reviewer`, `admin` and `auditor` are given by administrators of a whole tree.
#[utoipa::path(
    tag = "administration",
    request_body = NewUserBody,
    responses(
        (status = 201, description = "Added.", body = AddedUserBody),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`access.forbidden`: not an administrator. `access.role_above`: not theirs to give.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`user.name_invalid`, `user.name_taken`, `user.label_invalid`, `user.grant_required`, `unit.unknown`, `grant.*`, `auth.password_too_short`, `auth.password_too_long`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/users")]
pub async fn post_user(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let body: NewUserBody = body::json(&request, payload, &SMALL).await?;
    let (user, made) = create_user(&app, &who, adding(&body)?, body.password).await?;
    let password = made.map(|made| made.0);
    Ok(HttpResponse::Created().json(AddedUserBody { user: user.into(), password }))
}

/// Disable a user
///
/// From the next request on: their sessions end, and nobody signs in with their name. What they reported stays theirs.
#[utoipa::path(
    tag = "administration",
    params(("id" = Uuid, Path, description = "The user.")),
    responses(
        (status = 204, description = "Done."),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`access.forbidden`: they hold something that the caller could not give. `access.own_account`: nobody administers themselves.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It does not exist for the caller.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/users/{id}/disable")]
pub async fn post_disable(app: Data<App>, who: Authenticated, id: Path<Uuid>) -> Result<HttpResponse, Problem> {
    change_user(&app, &who, id.into_inner().into(), AccountChange::Disable).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Enable a user
///
/// They may sign in again; their sessions stay ended, and their grants count as they stand.
#[utoipa::path(
    tag = "administration",
    params(("id" = Uuid, Path, description = "The user.")),
    responses(
        (status = 204, description = "Done."),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`access.forbidden`: they hold something that the caller could not give. `access.own_account`: nobody administers themselves.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It does not exist for the caller.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/users/{id}/enable")]
pub async fn post_enable(app: Data<App>, who: Authenticated, id: Path<Uuid>) -> Result<HttpResponse, Problem> {
    change_user(&app, &who, id.into_inner().into(), AccountChange::Enable).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Remove a user's second factor
///
/// For whoever has lost it, and the recovery codes.
#[utoipa::path(
    tag = "administration",
    params(("id" = Uuid, Path, description = "The user.")),
    responses(
        (status = 204, description = "Done."),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`access.forbidden`: they hold something that the caller could not give. `access.own_account`: nobody administers themselves.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It does not exist for the caller.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/users/{id}/totp/remove")]
pub async fn post_user_totp_remove(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    change_user(&app, &who, id.into_inner().into(), AccountChange::RemoveSecondFactor).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Set a user's password
///
/// Given, or made and answered once; all of their sessions end.
#[utoipa::path(
    tag = "administration",
    params(("id" = Uuid, Path, description = "The user.")),
    request_body = PasswordResetBody,
    responses(
        (status = 200, description = "Set.", body = PasswordSetBody),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`access.forbidden`: they hold something that the caller could not give. `access.own_account`: one's own is `POST /v1/me/password`.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It does not exist for the caller.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`auth.password_too_short`, `auth.password_too_long`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/users/{id}/password")]
pub async fn post_user_password(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<PasswordSetBody>, Problem> {
    let PasswordResetBody { password } = body::json(&request, payload, &SMALL).await?;
    let made = reset_password(&app, &who, id.into_inner().into(), password).await?;
    Ok(Json(PasswordSetBody { password: made.map(|made| made.0) }))
}
