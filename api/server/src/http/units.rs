//! `/v1/units`: the units that exist for the caller, with their history.

use super::error::{Problem, ProblemBody};
use super::page::PageBody;
use super::query::Params;
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::list_units::{UnitQuery, list_units};
use crate::usecases::read_unit::{SeenUnit, read_unit};
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, get};
use chrono::NaiveDate;
use muong_domain::id::UnitId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A unit: what it is today (or was last), and its whole history.
#[derive(Serialize, ToSchema)]
#[schema(as = Unit, example = json!({
    "id": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e72", "tree": "party", "kind": "branch", "name": "Chi bộ bản Huổi Sang",
    "parent": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e71", "active": true, "founded_on": "1996-05-19",
    "versions": [{"valid_from": "1996-05-19", "valid_to": null, "kind": "branch", "name": "Chi bộ bản Huổi Sang",
        "parent": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e71"}],
    "codes": []
}))]
pub struct UnitBody {
    /// Never changes.
    id: Uuid,
    /// `party` or `administrative`.
    tree: &'static str,
    /// Its kind today, or its last.
    kind: Option<String>,
    /// Its name today, or its last.
    name: Option<String>,
    /// The unit above it today, or its last.
    parent: Option<Uuid>,
    /// Whether it stands today.
    active: bool,
    /// When it was founded, where that is known.
    founded_on: Option<NaiveDate>,
    /// What it was called and where it stood, the oldest first.
    versions: Vec<UnitVersionBody>,
    /// Its codes: texts, whose leading zeros count.
    codes: Vec<UnitCodeBody>,
}

/// What a unit was, from a day on.
#[derive(Serialize, ToSchema)]
#[schema(as = UnitVersion)]
pub struct UnitVersionBody {
    /// The first day.
    valid_from: NaiveDate,
    /// The day after the last; null: still.
    valid_to: Option<NaiveDate>,
    /// Its kind.
    #[schema(example = "branch")]
    kind: String,
    /// Its name.
    #[schema(example = "Chi bộ bản Huổi Sang")]
    name: String,
    /// The unit above it.
    parent: Option<Uuid>,
}

/// A code of a unit.
#[derive(Serialize, ToSchema)]
#[schema(as = UnitCode)]
pub struct UnitCodeBody {
    /// Whose code.
    #[schema(example = "gso")]
    scheme: String,
    /// The code.
    #[schema(example = "03160")]
    code: String,
    /// The first day.
    valid_from: NaiveDate,
    /// The day after the last; null: still.
    valid_to: Option<NaiveDate>,
}

impl From<SeenUnit> for UnitBody {
    fn from(seen: SeenUnit) -> Self {
        let current = seen.current().cloned();
        let active = seen.is_active();
        let versions = seen.unit.versions.into_iter().map(|version| UnitVersionBody {
            valid_from: version.valid_from,
            valid_to: version.valid_to,
            kind: version.kind,
            name: version.name,
            parent: version.parent.map(Uuid::from),
        });
        let codes = seen.unit.codes.into_iter().map(|code| UnitCodeBody {
            scheme: code.scheme,
            code: code.code,
            valid_from: code.valid_from,
            valid_to: code.valid_to,
        });
        Self {
            id: seen.unit.id.uuid(),
            tree: seen.unit.tree.as_str(),
            parent: current.as_ref().and_then(|version| version.parent).map(Uuid::from),
            kind: current.as_ref().map(|version| version.kind.clone()),
            name: current.map(|version| version.name),
            active,
            founded_on: seen.unit.founded_on,
            versions: versions.collect(),
            codes: codes.collect(),
        }
    }
}

/// List units
///
/// Those that the caller's grants cover, and those above them; in order of id or of name.
#[utoipa::path(
    tag = "units",
    params(
        ("below" = Option<Uuid>, Query, description = "Only this unit and those below it."),
        ("kind" = Option<String>, Query, description = "Only of this kind.", example = "branch"),
        ("code" = Option<String>, Query, description = "Only what has, or had, this code: `scheme:code`.", example = "gso:03160"),
        ("sort" = Option<String>, Query, description = "`id` (unless said) or `name`, without regard to tones and capitals.", example = "name"),
        ("limit" = Option<u16>, Query, description = "At most so many, 1 to 500; 50 unless said.", example = 50),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before, with the same filters."),
    ),
    responses(
        (status = 200, description = "A page.", body = PageBody<UnitBody>),
        (status = 400, description = "The query or the cursor cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/units")]
pub async fn get_units(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
) -> Result<Json<PageBody<UnitBody>>, Problem> {
    let mut params = Params::read(&request)?;
    let (below, kind, code) = (params.id("below"), params.text("kind"), params.code("code"));
    let by_name = params.one_of("sort", &[("id", false), ("name", true)]).unwrap_or_default();
    let page = params.finish()?;
    let query = UnitQuery { below, kind, code, by_name, after: page.after.map(UnitId::new), limit: page.limit };
    let found = list_units(&app, &who, query).await?.map(UnitBody::from);
    Ok(Json(PageBody { items: found.items, next: page.next(found.next) }))
}

/// Read a unit
///
/// With every version of its name, kind and place, and every code.
#[utoipa::path(
    tag = "units",
    params(("id" = Uuid, Path, description = "The unit.")),
    responses(
        (status = 200, description = "The unit.", body = UnitBody),
        (status = 400, description = "The id cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such unit within the caller's scope.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/units/{id}")]
pub async fn get_unit(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
) -> Result<Json<UnitBody>, Problem> {
    Params::read(&request)?.finish_bare()?;
    Ok(Json(read_unit(&app, &who, id.into_inner().into()).await?.into()))
}
