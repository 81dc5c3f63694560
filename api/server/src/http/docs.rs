//! The documentation that the program carries with it: the OpenAPI document, a page that shows it without the internet,
//! and the answer for paths and methods that the URL table does not have.

use super::answer::method_not_allowed;
use super::error::Problem;
use super::{openapi, routes};
use actix_web::dev::ResourceDef;
use actix_web::http::{Method, header};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse, get};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use utoipa_swagger_ui::Config;

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(openapi::json()));

/// `validatorUrl: none`: the page must not show the document to a validator on the internet.
static PAGE: LazyLock<Arc<Config<'static>>> =
    LazyLock::new(|| Arc::new(Config::from("/openapi.json").validator_url("none").display_request_duration(true)));

/// The OpenAPI document
///
/// The description of this API, in OpenAPI 3.1; shown at `/docs`.
#[utoipa::path(
    tag = "operation",
    security(()),
    responses((status = 200, description = "The document.", body = serde_json::Value, content_type = "application/json"))
)]
#[get("/openapi.json")]
pub async fn openapi_json() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(DOCUMENT.clone())
}

/// The page's own links are relative, so it must be entered with a slash at the end.
pub async fn entrance() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}

/// One file of the documentation page, from the binary.
pub async fn file(path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let found = utoipa_swagger_ui::serve(&path, PAGE.clone()).map_err(|error| Problem::internal(error.as_ref()))?;
    let file = found.ok_or_else(|| Problem::new("request.not_found"))?;
    let mut response = HttpResponse::Ok();
    if file.gzpipped {
        response.insert_header(header::ContentEncoding::Gzip);
    }
    Ok(response
        .content_type(file.content_type)
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(file.bytes.into_owned()))
}

/// Path → its methods, as the URL table has them.
static KNOWN: LazyLock<Vec<(ResourceDef, Vec<Method>)>> = LazyLock::new(|| {
    let mut paths: BTreeMap<String, Vec<Method>> = BTreeMap::new();
    for (path, method) in openapi::routes() {
        paths.entry(path).or_default().push(method);
    }
    for (path, method) in routes::UNDESCRIBED {
        paths.entry(path.to_owned()).or_default().push(method);
    }
    paths.into_iter().map(|(path, methods)| (ResourceDef::new(path), methods)).collect()
});

/// Nothing in the table fits: 405 where another method would have been right, 404 where nothing would.
pub async fn unknown_route(request: HttpRequest) -> HttpResponse {
    // Actix guards each route by its method, so a wrong method ends here like a wrong path.
    let allowed: Vec<Method> = KNOWN
        .iter()
        .filter(|(path, _)| path.is_match(request.path()))
        .flat_map(|(_, methods)| methods.iter().cloned())
        .collect();
    let problem = if allowed.is_empty() { Problem::new("request.not_found") } else { method_not_allowed(&allowed) };
    HttpResponse::from_error(problem)
}
