//! `/v1/grants`: who holds which role over which units, since and until when. Dated: one that has ended stays.

use super::body;
use super::error::{Problem, ProblemBody};
use super::page::PageBody;
use super::query::Params;
use super::sessions::SMALL;
use super::users::{role, roles};
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::give_grant::{Giving, GrantQuery, SeenGrant, end_grant, give_grant, list_grants};
use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, Utc};
use muong_domain::access::HeldGrant;
use muong_domain::id::{GrantId, UserId};
use muong_domain::time::microseconds;
use muong_store::ById;
use muong_store::grants::GrantState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A role that somebody holds, held or will hold over a unit and all below it.
#[derive(Serialize, ToSchema)]
#[schema(as = AdministeredGrant)]
pub struct GrantBody {
    /// Never changes.
    id: Uuid,
    /// Whose.
    user: Uuid,
    /// The role.
    #[schema(example = "cadre")]
    role: &'static str,
    /// The top of the subtree.
    unit: Uuid,
    /// The first instant.
    valid_from: DateTime<Utc>,
    /// The first instant after; null: open.
    valid_to: Option<DateTime<Utc>>,
    /// Whether it holds now.
    #[schema(example = true)]
    holds: bool,
}

impl GrantBody {
    /// As of a moment.
    pub fn of(user: UserId, held: HeldGrant, now: DateTime<Utc>) -> Self {
        Self {
            id: held.id.uuid(),
            user: user.uuid(),
            role: held.role.as_str(),
            unit: held.unit.uuid(),
            valid_from: held.valid_from,
            valid_to: held.valid_to,
            holds: held.holds_at(now),
        }
    }
}

impl From<SeenGrant> for GrantBody {
    fn from(seen: SeenGrant) -> Self {
        Self::of(seen.user, seen.held, seen.now)
    }
}

/// A role that is to be given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GivenGrant)]
pub struct GrantGivenBody {
    /// `cadre`, `liaison`, `commune_reviewer`; by an administrator of a whole tree also `provincial_reviewer`, `admin`,
    /// `auditor`.
    #[schema(example = "cadre")]
    role: String,
    /// The top of the subtree.
    unit: Uuid,
    /// The first instant, not in the past; now, when left out.
    #[serde(default)]
    valid_from: Option<DateTime<Utc>>,
    /// The first instant after; left out: open.
    #[serde(default)]
    valid_to: Option<DateTime<Utc>>,
}

impl GrantGivenBody {
    /// What it says; `place` is where it stands in the body.
    pub fn read(&self, place: &str) -> Result<Giving, Problem> {
        let role = role(&self.role, &format!("{place}/role"))?;
        let (from, to) = (self.valid_from.map(microseconds), self.valid_to.map(microseconds));
        Ok(Giving { role, unit: self.unit.into(), from, to })
    }
}

/// A role that is to be given to somebody.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewGrant)]
pub struct NewGrantBody {
    /// To whom.
    user: Uuid,
    /// The role.
    #[schema(example = "cadre")]
    role: String,
    /// The top of the subtree.
    unit: Uuid,
    /// The first instant, not in the past; now, when left out.
    #[serde(default)]
    valid_from: Option<DateTime<Utc>>,
    /// The first instant after; left out: open.
    #[serde(default)]
    valid_to: Option<DateTime<Utc>>,
}

/// When a grant is to end.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GrantEnd)]
pub struct GrantEndBody {
    /// The first instant after it; now, when left out.
    #[serde(default)]
    valid_to: Option<DateTime<Utc>>,
}

/// List grants
///
/// Those over units that the caller administers, ended and future ones too; in the order in which they were given.
#[utoipa::path(
    tag = "administration",
    params(
        ("user" = Option<Uuid>, Query, description = "Only of this user."),
        ("below" = Option<Uuid>, Query, description = "Only over this unit or below it."),
        ("role" = Option<String>, Query, description = "Only of this role.", example = "cadre"),
        ("state" = Option<String>, Query, description = "Only those that hold now (`holds`), have ended (`ended`), or will hold (`future`).", example = "holds"),
        ("sort" = Option<String>, Query, description = "`added` (unless said: the earliest first) or `newest`.", example = "newest"),
        ("limit" = Option<u16>, Query, description = "At most so many, 1 to 500; 50 unless said.", example = 50),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before, with the same filters."),
    ),
    responses(
        (status = 200, description = "A page.", body = PageBody<GrantBody>),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`access.forbidden`: not an administrator, or not of all that this touches.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/grants")]
pub async fn get_grants(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
) -> Result<Json<PageBody<GrantBody>>, Problem> {
    let mut params = Params::read(&request)?;
    let (user, below, role) = (params.id("user"), params.id("below"), params.one_of("role", &roles()));
    let states = [("holds", GrantState::Holds), ("ended", GrantState::Ended), ("future", GrantState::Future)];
    let state = params.one_of("state", &states);
    let (newest_first, page) = (params.newest_first(), params.finish()?);
    let order = ById { newest_first, after: page.after.map(GrantId::new) };
    let query = GrantQuery { user, below, role, state, order, limit: page.limit };
    let found = list_grants(&app, &who, query).await?.map(GrantBody::from);
    Ok(Json(PageBody { items: found.items, next: page.next(found.next) }))
}

/// Give a grant
///
/// It counts from the next request on, on every process. Nobody gives anything to themselves, and an administrator holds
/// no other role at the same time.
#[utoipa::path(
    tag = "administration",
    request_body = NewGrantBody,
    responses(
        (status = 201, description = "Given.", body = GrantBody),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`access.forbidden`: not an administrator. `access.role_above`: not theirs to give. `access.own_account`: nobody administers themselves.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`user.unknown`, `unit.unknown`: or not for the caller. `grant.role_unknown`, `grant.role_excluded`, `grant.already_held`, `grant.period_empty`, `grant.begins_in_past`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/grants")]
pub async fn post_grant(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let NewGrantBody { user, role, unit, valid_from, valid_to } = body::json(&request, payload, &SMALL).await?;
    let giving = GrantGivenBody { role, unit, valid_from, valid_to }.read("")?;
    let given = give_grant(&app, &who, user.into(), giving).await?;
    Ok(HttpResponse::Created().json(GrantBody::from(given)))
}

/// End a grant
///
/// Now, or on a later day that is before its end. One that has not begun by then never begins. It stays in the lists.
#[utoipa::path(
    tag = "administration",
    params(("id" = Uuid, Path, description = "The grant.")),
    request_body = GrantEndBody,
    responses(
        (status = 200, description = "As it is now.", body = GrantBody),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`access.forbidden`: not an administrator. `access.role_above`: not theirs to end. `access.own_account`: nobody administers themselves.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It does not exist for the caller.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`grant.not_held`: it ends by then anyway.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/grants/{id}/end")]
pub async fn post_grant_end(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<GrantBody>, Problem> {
    let GrantEndBody { valid_to } = body::json(&request, payload, &SMALL).await?;
    let ended = end_grant(&app, &who, id.into_inner().into(), valid_to.map(microseconds)).await?;
    Ok(Json(ended.into()))
}
