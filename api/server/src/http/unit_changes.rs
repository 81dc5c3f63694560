//! `/v1/units/{id}/…`: what an administrator makes happen to units. What they are is `units.rs`'s.

use super::body;
use super::error::{Problem, ProblemBody};
use super::page::PageBody;
use super::query::Params;
use super::sessions::SMALL;
use super::units::UnitBody;
use super::users::label;
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::change_unit::{
    CoverageQuery, Covering, NewUnit, change_unit, cover_village, found_unit, list_coverage,
};
use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::NaiveDate;
use muong_domain::id::UnitId;
use muong_domain::lineage::{SchemeCode, UnitChange};
use muong_domain::refusal::Finding;
use muong_store::units::Covered;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A unit that is to be founded.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUnit)]
pub struct NewUnitBody {
    /// The unit above it; it stands in the same tree.
    parent: Uuid,
    /// Its kind.
    #[schema(example = "branch")]
    kind: String,
    /// Its name.
    #[schema(example = "Chi bộ bản Huổi Sang")]
    name: String,
    /// The first day.
    valid_from: NaiveDate,
    /// When it was founded, where that was earlier.
    #[serde(default)]
    founded_on: Option<NaiveDate>,
    /// Its codes, one a scheme.
    #[serde(default)]
    codes: Vec<NewCodeBody>,
}

/// A code in a scheme.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SchemeCode)]
pub struct NewCodeBody {
    /// Whose code.
    #[schema(example = "gso")]
    scheme: String,
    /// The code: a text, whose leading zeros count.
    #[schema(example = "03160")]
    code: String,
}

/// Another name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UnitRename)]
pub struct RenameBody {
    /// The name.
    #[schema(example = "Chi bộ bản Huổi Sang 1")]
    name: String,
    /// The first day; today, when left out.
    #[serde(default)]
    on: Option<NaiveDate>,
}

/// Another unit above.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UnitMove)]
pub struct MoveBody {
    /// The unit above.
    parent: Uuid,
    /// The first day, not in the future; today, when left out.
    #[serde(default)]
    on: Option<NaiveDate>,
}

/// The end of a unit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UnitDissolution)]
pub struct DissolveBody {
    /// The first day without it; today, when left out.
    #[serde(default)]
    on: Option<NaiveDate>,
}

/// Another code of a scheme, or none.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UnitCoding)]
pub struct CodeBody {
    /// Whose code.
    #[schema(example = "gso")]
    scheme: String,
    /// The code; null: none any more.
    #[schema(example = "03160")]
    code: Option<String>,
    /// The first day; today, when left out.
    #[serde(default)]
    on: Option<NaiveDate>,
}

/// Whether a branch covers a village, from a day on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Covering)]
pub struct CoveringBody {
    /// The village.
    village: Uuid,
    /// Whether it covers it from then on.
    #[schema(example = true)]
    covers: bool,
    /// The day; today, when left out.
    #[serde(default)]
    on: Option<NaiveDate>,
}

/// A village that a branch covers or covered.
#[derive(Serialize, ToSchema)]
#[schema(as = Coverage)]
pub struct CoverageBody {
    /// The village.
    village: Uuid,
    /// The first day.
    valid_from: NaiveDate,
    /// The day after the last; null: still.
    valid_to: Option<NaiveDate>,
}

impl From<Covered> for CoverageBody {
    fn from(covered: Covered) -> Self {
        let (village, valid_from) = (covered.coverage.village.uuid(), covered.coverage.from);
        Self { village, valid_from, valid_to: covered.to }
    }
}

fn scheme_code(scheme: &str, code: &str, pointer: &str) -> Result<SchemeCode, Problem> {
    let invalid = || Problem::new("unit.code_unfit").findings([Finding::new("unit.code_unfit", pointer)]);
    SchemeCode::parse(scheme, code).ok_or_else(invalid)
}

/// Found a unit
///
/// Below one that the caller administers.
#[utoipa::path(
    tag = "units",
    request_body = NewUnitBody,
    responses(
        (status = 201, description = "Founded.", body = UnitBody),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Not an administrator.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`unit.unknown`: no such unit above, or not for the caller. `unit.parent_unknown`, `unit.kind_of_other_tree`, `unit.code_unfit`, `unit.code_taken`, `unit.founded_later`, `user.label_invalid`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/units")]
pub async fn post_unit(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let body: NewUnitBody = body::json(&request, payload, &SMALL).await?;
    let given = body.codes.iter().enumerate();
    let codes = given.map(|(at, given)| scheme_code(&given.scheme, &given.code, &format!("/codes/{at}")));
    let new = NewUnit {
        parent: body.parent.into(),
        name: label(&body.name, "/name")?,
        valid_from: body.valid_from,
        founded_on: body.founded_on,
        codes: codes.collect::<Result<_, _>>()?,
        kind: body.kind,
    };
    Ok(HttpResponse::Created().json(UnitBody::from(found_unit(&app, &who, new).await?)))
}

/// Rename a unit
///
/// A new version from that day on; what it was called before stays.
#[utoipa::path(
    tag = "units",
    params(("id" = Uuid, Path, description = "The unit.")),
    request_body = RenameBody,
    responses(
        (status = 200, description = "As it is now.", body = UnitBody),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`access.forbidden`: the caller does not administer it, or not what stands above it.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It does not exist for the caller.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`unit.too_early`, `unit.unchanged`, `unit.dissolved`, `user.label_invalid`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/units/{id}/rename")]
pub async fn post_unit_rename(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<UnitBody>, Problem> {
    let RenameBody { name, on } = body::json(&request, payload, &SMALL).await?;
    let to = UnitChange::Rename(label(&name, "/name")?);
    Ok(Json(change_unit(&app, &who, id.into_inner().into(), on, to).await?.into()))
}

/// Move a unit
///
/// Below another one of its tree. Who may see it is decided by where it stands now, so it is said on its day or later; the
/// caller administers both units above.
#[utoipa::path(
    tag = "units",
    params(("id" = Uuid, Path, description = "The unit.")),
    request_body = MoveBody,
    responses(
        (status = 200, description = "As it is now.", body = UnitBody),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`access.forbidden`: the caller does not administer it, or not what stands above it.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It does not exist for the caller.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`unit.unknown`, `unit.parent_unknown`, `unit.parent_of_other_tree`, `unit.circle`, `unit.date_in_future`, `unit.too_early`, `unit.unchanged`, `unit.dissolved`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/units/{id}/move")]
pub async fn post_unit_move(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<UnitBody>, Problem> {
    let MoveBody { parent, on } = body::json(&request, payload, &SMALL).await?;
    let to = UnitChange::Move(parent.into());
    Ok(Json(change_unit(&app, &who, id.into_inner().into(), on, to).await?.into()))
}

/// Dissolve a unit
///
/// Once nothing stands below it. Its records stay; what it covered is covered by it no more.
#[utoipa::path(
    tag = "units",
    params(("id" = Uuid, Path, description = "The unit.")),
    request_body = DissolveBody,
    responses(
        (status = 200, description = "As it is now.", body = UnitBody),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`access.forbidden`: the caller does not administer it, or not what stands above it.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It does not exist for the caller.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`unit.has_units_below`, `unit.too_early`, `unit.dissolved`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/units/{id}/dissolve")]
pub async fn post_unit_dissolve(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<UnitBody>, Problem> {
    let DissolveBody { on } = body::json(&request, payload, &SMALL).await?;
    let to = UnitChange::Dissolve;
    Ok(Json(change_unit(&app, &who, id.into_inner().into(), on, to).await?.into()))
}

/// Give a unit a code
///
/// Instead of the one that it has in that scheme; or end that.
#[utoipa::path(
    tag = "units",
    params(("id" = Uuid, Path, description = "The unit.")),
    request_body = CodeBody,
    responses(
        (status = 200, description = "As it is now.", body = UnitBody),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`access.forbidden`: the caller does not administer it, or not what stands above it.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It does not exist for the caller.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`unit.code_unfit`, `unit.code_taken`, `unit.too_early`, `unit.unchanged`, `unit.dissolved`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/units/{id}/codes")]
pub async fn post_unit_code(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<UnitBody>, Problem> {
    let CodeBody { scheme, code, on } = body::json(&request, payload, &SMALL).await?;
    let to = match code {
        Some(code) => UnitChange::Code(scheme_code(&scheme, &code, "/code")?),
        None => UnitChange::EndCode(scheme),
    };
    Ok(Json(change_unit(&app, &who, id.into_inner().into(), on, to).await?.into()))
}

/// List what a branch covers
///
/// Villages that the caller administers, also those that it covered; in order of village and day.
#[utoipa::path(
    tag = "units",
    params(
        ("id" = Uuid, Path, description = "The branch."),
        ("village" = Option<Uuid>, Query, description = "Only this village."),
        ("on" = Option<NaiveDate>, Query, description = "Only what it covers on this day.", example = "2026-03-01"),
        ("sort" = Option<String>, Query, description = "`village` (and day), or `village_descending`.", example = "village"),
        ("limit" = Option<u16>, Query, description = "At most so many, 1 to 500; 50 unless said.", example = 50),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before, with the same filters."),
    ),
    responses(
        (status = 200, description = "A page.", body = PageBody<CoverageBody>),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Not an administrator.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It does not exist for the caller.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/units/{id}/coverage")]
pub async fn get_coverage(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
) -> Result<Json<PageBody<CoverageBody>>, Problem> {
    let mut params = Params::read(&request)?;
    let (village, on) = (params.id("village"), params.date("on"));
    let descending = params.descending("village");
    let (limit, after, cursor) = params.finish_with(position)?;
    let query = CoverageQuery { branch: id.into_inner().into(), village, on, descending, after, limit };
    let found = list_coverage(&app, &who, query).await?.map(CoverageBody::from);
    let next = found.next.map(|(village, day)| {
        cursor.written(&[village.uuid().as_bytes().as_slice(), day.to_string().as_bytes()].concat())
    });
    Ok(Json(PageBody { items: found.items, next }))
}

/// A village and a day.
fn position(bytes: &[u8]) -> Option<(UnitId, NaiveDate)> {
    let (village, day) = bytes.split_at_checked(16)?;
    let day = std::str::from_utf8(day).ok()?.parse().ok()?;
    Some((Uuid::from_slice(village).ok()?.into(), day))
}

/// Say what a branch covers
///
/// From a day on it covers a village, or no longer. It takes the right over both, which stand in different trees.
#[utoipa::path(
    tag = "units",
    params(("id" = Uuid, Path, description = "The branch.")),
    request_body = CoveringBody,
    responses(
        (status = 204, description = "Said."),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Not an administrator.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It does not exist for the caller.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`unit.unknown`: no such village, or not for the caller. `unit.not_a_village`, `unit.not_a_branch`, `unit.unchanged`, `unit.too_early`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/units/{id}/coverage")]
pub async fn post_coverage(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let CoveringBody { village, covers, on } = body::json(&request, payload, &SMALL).await?;
    let covering = Covering { branch: id.into_inner().into(), village: village.into(), on, covers };
    cover_village(&app, &who, covering).await?;
    Ok(HttpResponse::NoContent().finish())
}
