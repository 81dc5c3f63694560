//! `/v1/units`: the units that the caller's grants cover, and those above them.

use super::error::{Problem, ProblemBody};
use super::page::{Listing, invalid, limit};
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::list_units::{UnitQuery, list_units};
use crate::usecases::read_unit::{SeenUnit, read_unit};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpRequest, get};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use uuid::Uuid;

/// Which units.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UnitsParams {
    /// Only this unit and those below it.
    below: Option<Uuid>,
    /// Only of this kind (`branch`, `commune_committee` …).
    kind: Option<String>,
    /// Only what has, or had, this code, as `scheme:code`.
    code: Option<String>,
    /// At most so many: 1 to 500, 50 unless said.
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

fn unit_body(seen: &SeenUnit) -> Value {
    let (unit, current) = (&seen.unit, seen.current());
    json!({
        "id": unit.id, "tree": unit.tree, "founded_on": unit.founded_on, "active": seen.is_active(),
        "kind": current.map(|v| &v.kind), "name": current.map(|v| &v.name), "parent": current.and_then(|v| v.parent),
        "codes": unit.codes, "versions": unit.versions,
    })
}

/// List units
///
/// In order of id, each with its whole history.
#[utoipa::path(
    tag = "units",
    params(UnitsParams),
    responses(
        (status = 200, description = "A page: `items` and `next`.", body = Value),
        (status = 400, description = "A parameter or the cursor is wrong.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/units")]
pub async fn get_units(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    params: Query<UnitsParams>,
) -> Result<Json<Value>, Problem> {
    let listing = Listing::of(&request);
    let UnitsParams { below, kind, code, limit: asked, cursor } = params.into_inner();
    let code = match code {
        None => None,
        Some(code) => {
            let (scheme, code) = code.split_once(':').ok_or_else(|| invalid("code"))?;
            Some((scheme.to_owned(), code.to_owned()))
        }
    };
    let (after, limit) = (listing.position(cursor.as_deref())?, limit(asked)?);
    let query = UnitQuery { below: below.map(Into::into), kind, code, after, limit };
    let page = list_units(&app, &who, query).await?;
    Ok(Json(listing.answer(page.items.iter().map(unit_body).collect(), page.next)))
}

/// Read a unit
///
/// With its versions and codes.
#[utoipa::path(
    tag = "units",
    params(("id" = Uuid, Path, description = "The unit.")),
    responses(
        (status = 200, description = "The unit.", body = Value),
        (status = 400, description = "Not an id.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such unit within the caller's scope.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/units/{id}")]
pub async fn get_unit(app: Data<App>, who: Authenticated, id: Path<Uuid>) -> Result<Json<Value>, Problem> {
    Ok(Json(unit_body(&read_unit(&app, &who, id.into_inner().into()).await?)))
}
