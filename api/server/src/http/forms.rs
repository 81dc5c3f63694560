//! `/v1/forms`: what reports are made of. Definitions are served as they were published, byte for byte, so that a phone
//! that hashes one gets what the log holds. Publishing is `publishing.rs`'s.

use super::error::{Problem, ProblemBody};
use super::query::Params;
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::list_forms::{FormQuery, Forms, Version, list_forms, read_form};
use actix_web::http::header::{self, EntityTag, Header, IfNoneMatch};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::NaiveDate;
use muong_domain::form::Form;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A published version of a form.
#[derive(Serialize, ToSchema)]
#[schema(as = Form, example = json!({
    "code": "branch_meeting", "version": 1, "valid_from": "2025-07-01", "valid_to": null, "in_force": true,
    "definition": {"code": "branch_meeting", "version": 1, "fields": []}
}))]
pub struct FormBody<'a> {
    /// The form.
    code: &'a str,
    /// The version, from 1.
    version: i32,
    /// The first day on which phones offer it.
    valid_from: NaiveDate,
    /// The day from which they offer it no more; old drafts stay valid.
    valid_to: Option<NaiveDate>,
    /// Whether phones offer it today: of the versions of a form one does at most.
    in_force: bool,
    /// The whole definition, as it was published: canonical JSON (RFC 8785).
    #[schema(value_type = Object)]
    definition: &'a RawValue,
}

/// Every published version.
#[derive(Serialize, ToSchema)]
#[schema(as = Forms)]
pub struct FormsBody<'a> {
    /// By code and version.
    items: Vec<FormBody<'a>>,
    /// The cursor of the next page, where a `limit` was set. Null: there are no more.
    next: Option<String>,
}

impl<'a> FormBody<'a> {
    fn of(form: &'a Form, in_force: bool) -> Result<Self, Problem> {
        Ok(Self {
            code: form.code(),
            version: form.version(),
            valid_from: form.definition().valid_from,
            valid_to: form.definition().valid_to,
            in_force,
            definition: serde_json::from_str(form.definition_json()).map_err(|error| Problem::internal(&error))?,
        })
    }
}

/// Answers with a tag over what is answered, or with 304 when the client has just that.
fn answer<'a, T: Serialize>(
    request: &HttpRequest,
    forms: &'a Forms,
    body: impl FnOnce(Vec<FormBody<'a>>) -> Option<T>,
) -> Result<HttpResponse, Problem> {
    let hash: String = forms.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect();
    // Weak: compressed for one client and not for another, the same answer is not the same bytes.
    let tag = EntityTag::new_weak(hash);
    let known = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
        Err(_unreadable) => false,
    };
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    // To be kept, but asked about each time: a new version must not wait for a cache.
    response.insert_header((header::ETAG, tag)).insert_header((header::CACHE_CONTROL, "private, no-cache"));
    if known {
        return Ok(response.finish());
    }
    let shown: Vec<FormBody<'a>> =
        forms.forms.iter().map(|(form, in_force)| FormBody::of(form, *in_force)).collect::<Result<_, _>>()?;
    let body = body(shown).ok_or_else(|| Problem::new("access.not_found"))?;
    Ok(response.json(body))
}

/// List forms
///
/// Every published version of every form, whole, by code and version; all of them unless a `limit` is set, since a phone
/// needs all. `If-None-Match` with the `ETag` of the last answer saves the way.
#[utoipa::path(
    tag = "forms",
    params(
        ("code" = Option<String>, Query, description = "Only versions of this form.", example = "branch_meeting"),
        ("in_force" = Option<bool>, Query, description = "Only those that phones offer today, or only the others."),
        ("sort" = Option<String>, Query, description = "`code` (and version), or `code_descending`.", example = "code"),
        ("limit" = Option<u16>, Query, description = "At most so many, 1 to 500; all unless said.", example = 50),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before, with the same filters."),
        ("if-none-match" = Option<String>, Header, description = "The `ETag` of an earlier answer."),
    ),
    responses(
        (status = 200, description = "The forms.", body = FormsBody<'_>, headers(("etag" = String, description = "Changes with any version, and on the day when one comes into force or ends."))),
        (status = 304, description = "Nothing has changed."),
        (status = 400, description = "The query cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/forms")]
pub async fn get_forms(app: Data<App>, who: Authenticated, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut params = Params::read(&request)?;
    let (code, in_force) = (params.text("code"), params.flag("in_force"));
    let descending = params.descending("code");
    let limited = params.has("limit");
    let (limit, after, cursor) = params.finish_with(|place| serde_json::from_slice(place).ok())?;
    let query = FormQuery { code, in_force, descending, after, limit: limited.then_some(limit) };
    let forms = list_forms(&app, &who, query).await?;
    let place = |(code, version): &Version| cursor.written(json!([code, version]).to_string().as_bytes());
    let next = forms.last.as_ref().map(place);
    answer(&request, &forms, |items| Some(FormsBody { items, next }))
}

/// Read a form
///
/// The version in force today; when none is, the newest.
#[utoipa::path(
    tag = "forms",
    params(
        ("code" = String, Path, description = "The form.", example = "branch_meeting"),
        ("if-none-match" = Option<String>, Header, description = "The `ETag` of an earlier answer."),
    ),
    responses(
        (status = 200, description = "The form.", body = FormBody<'_>),
        (status = 304, description = "It has not changed."),
        (status = 400, description = "The query cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such form.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/forms/{code}")]
pub async fn get_form(
    app: Data<App>,
    who: Authenticated,
    code: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Params::read(&request)?.finish_bare()?;
    let forms = read_form(&app, &who, code.into_inner(), None).await?;
    answer(&request, &forms, |mut items| items.pop())
}

/// Read a version of a form
///
/// Also one that is no longer, or not yet, in force.
#[utoipa::path(
    tag = "forms",
    params(
        ("code" = String, Path, description = "The form.", example = "branch_meeting"),
        ("version" = i32, Path, description = "The version.", example = 1),
        ("if-none-match" = Option<String>, Header, description = "The `ETag` of an earlier answer."),
    ),
    responses(
        (status = 200, description = "The version.", body = FormBody<'_>),
        (status = 304, description = "It has not changed."),
        (status = 400, description = "The version is no number.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such version.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/forms/{code}/versions/{version}")]
pub async fn get_form_version(
    app: Data<App>,
    who: Authenticated,
    path: Path<(String, i32)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Params::read(&request)?.finish_bare()?;
    let (code, version) = path.into_inner();
    let forms = read_form(&app, &who, code, Some(version)).await?;
    answer(&request, &forms, |mut items| items.pop())
}
