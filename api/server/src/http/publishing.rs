//! `POST /v1/forms`: an administrator publishes a new version of a form, without a release.

use super::body;
use super::error::{Problem, ProblemBody};
use crate::config::Limits;
use crate::state::App;
use crate::usecases::authenticate::{Authenticated, write_as};
use crate::usecases::failure::work;
use crate::usecases::publish_form::{PublishRefusal, authorize_administration, publish_form, require_administration};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, post};
use muong_domain::form::{CatalogError, DefinitionError, Form};
use muong_domain::refusal::Finding;
use muong_store::Outcome;
use serde::Serialize;
use utoipa::ToSchema;

/// A definition may be long, but not that long.
const DEFINITION: Limits =
    Limits { submissions: 1, wire_bytes: 256 << 10, inflated_bytes: 1 << 20, submission_bytes: 1 << 20 };

/// A published version.
#[derive(Serialize, ToSchema)]
#[schema(as = PublishedForm)]
pub struct PublishedBody {
    /// The form.
    #[schema(example = "branch_meeting")]
    form: String,
    /// The version.
    #[schema(example = 2)]
    version: i32,
    /// The entry of the log.
    v: i64,
}

fn refused(refusal: PublishRefusal) -> Problem {
    match refusal {
        PublishRefusal::Definition(error) => wrong_definition(&error),
        PublishRefusal::Catalog(CatalogError::Published { .. }) => {
            Problem::new("form.version_published").findings([Finding::new("form.version_published", "/version")])
        }
        PublishRefusal::Catalog(error @ CatalogError::Incompatible { .. }) => {
            Problem::new("form.version_incompatible").with("reason", error.to_string())
        }
        // Not 404: whoever has signed in may read forms.
        PublishRefusal::Forbidden(_) => Problem::new("access.forbidden"),
    }
}

/// What is wrong with the whole has no name in the definition, but one in words.
fn wrong_definition(error: &DefinitionError) -> Problem {
    let (place, pointer) = match error.place.as_str() {
        DefinitionError::WHOLE => ("top_level", String::new()),
        place => (place, pointer(place)),
    };
    let finding = Finding::new("form.definition_invalid", pointer);
    Problem::new("form.definition_invalid")
        .with("place", place)
        .with("reason", error.reason.as_str())
        .findings([finding.with("place", place).with("reason", error.reason.as_str())])
}

/// `fields[3].derived` as `/fields/3/derived`.
fn pointer(place: &str) -> String {
    let parts = place.split(['.', '[']).map(|part| part.trim_end_matches(']')).filter(|part| !part.is_empty());
    parts.fold(String::new(), |pointer, part| pointer + "/" + part)
}

/// Publish a version of a form
///
/// The body is the whole definition. It is checked as a whole, and refused with place and reason; a published version
/// never changes, and old ones stay valid for old drafts.
#[utoipa::path(
    tag = "forms",
    request_body(content = Value, description = "The definition, as `GET /v1/forms` shows those in force."),
    responses(
        (status = 201, description = "Published.", body = PublishedBody),
        (status = 400, description = "The body is not JSON.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Not an administrator.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The version is published already.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The definition is wrong.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/forms")]
pub async fn post_form(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    require_administration(&app, &who).await?;
    let body = body::read(&request, payload, &DEFINITION).await?;
    let definition = body::json_text(&body)?.to_owned();
    let parsed = work(&app, move || Form::parse("body", &definition)).await?;
    let form = parsed.map_err(|error| refused(PublishRefusal::Definition(error)))?;
    let answer = (form.code().to_owned(), form.version());
    let shared = app.as_ref().clone();
    let published = write_as(&app, &who, move |tx, actor| {
        let as_of = tx.head().reference_as_of();
        let reference = shared.reference.get(tx, as_of)?;
        match authorize_administration(actor, &reference, tx.received_at()) {
            Ok(authority) => publish_form(tx, &shared.reference, &authority, &form),
            Err(denied) => Ok(Outcome::Refuse(PublishRefusal::Forbidden(denied))),
        }
    });
    match published.await? {
        Outcome::Commit(v) => {
            let (form, version) = answer;
            Ok(HttpResponse::Created().json(PublishedBody { form, version, v }))
        }
        Outcome::Refuse(refusal) => Err(refused(refusal)),
    }
}
