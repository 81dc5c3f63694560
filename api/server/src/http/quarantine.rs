//! `/v1/quarantine`: submissions that wait, whole, with the reasons: one's own, and what one may review.

use super::conflicts::decision_body;
use super::error::{Problem, ProblemBody};
use super::page::{Listing, invalid, limit, with_reason};
use super::push::result_of;
use super::records::findings;
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::list_quarantine::{QuarantineQuery, SeenQuarantine, list_quarantine};
use crate::usecases::read_quarantined::{Content, QuarantinedDetail, read_quarantined};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpRequest, get};
use muong_store::quarantine::Closing;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use uuid::Uuid;

/// Which waiting submissions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QuarantineParams {
    /// One's own; unless said, what one may review, or the own of whoever reviews nothing.
    mine: Option<bool>,
    /// `open` (unless said), `closed` or `all`.
    state: Option<String>,
    /// Only of this form.
    form: Option<String>,
    /// Only of this unit and those below it.
    unit: Option<Uuid>,
    /// At most so many: 1 to 500, 50 unless said.
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

fn summary(seen: &SeenQuarantine) -> Value {
    let q = &seen.stored;
    json!({
        "id": q.id, "submission": q.submission, "unit": q.unit, "author": q.author, "form": q.form, "code": q.code,
        "state": if q.closed.is_some() { "closed" } else { "open" }, "closing": q.closing.map(Closing::as_str),
        "waits_on": q.waits_on, "opened_at": seen.opened_at, "closed_at": seen.closed_at,
        "errors": findings(&seen.reasons),
    })
}

fn detail(found: &QuarantinedDetail) -> Value {
    let mut body = summary(&found.seen);
    let (kind, content) = match &found.content {
        Content::Json(value) => ("json", value.clone()),
        Content::Text(text) => ("text", json!(text)),
        Content::Bytes(base64) => ("base64", json!(base64)),
        Content::Masked => ("masked", Value::Null),
    };
    body["content_kind"] = json!(kind);
    body["content"] = content;
    body["device"] = json!(found.device);
    body["captured_at"] = json!(found.captured_at);
    body["client"] = json!(found.origin.client);
    body["sent_at"] = json!(found.origin.sent_at);
    body["author_name"] = json!(found.names.get(&found.seen.stored.author));
    body["released"] = json!(found.released.as_ref().map(result_of));
    body["decisions"] = found.decisions.iter().map(|d| decision_body(d, &found.names)).collect();
    body
}

/// List quarantined submissions
///
/// In order of id. Everybody sees the own; reviewers all in their scope.
#[utoipa::path(
    tag = "review",
    params(QuarantineParams, ("x-reason" = Option<String>, Header, description = "Why persons are read.")),
    responses(
        (status = 200, description = "A page: `items` and `next`.", body = Value),
        (status = 400, description = "A parameter or the cursor is wrong.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Not for the caller's roles.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/quarantine")]
pub async fn get_quarantine(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    params: Query<QuarantineParams>,
) -> Result<Json<Value>, Problem> {
    let listing = Listing::of(&request);
    let QuarantineParams { mine, state, form, unit, limit: asked, cursor } = params.into_inner();
    let open = match state.as_deref() {
        None | Some("open") => Some(true),
        Some("closed") => Some(false),
        Some("all") => None,
        Some(_) => return Err(invalid("state")),
    };
    let (after, limit) = (listing.position(cursor.as_deref())?, limit(asked)?);
    let query = QuarantineQuery { mine, unit: unit.map(Into::into), form, open, after, limit };
    let page = list_quarantine(&app, &who, with_reason(&request), query).await?;
    Ok(Json(listing.answer(page.items.iter().map(summary).collect(), page.next)))
}

/// Read a quarantined submission
///
/// Whole, with the reasons and what has been decided. Its author may always read it.
#[utoipa::path(
    tag = "review",
    params(("id" = Uuid, Path, description = "The quarantine's id, as the push answered it."), ("x-reason" = Option<String>, Header, description = "Why a person is read.")),
    responses(
        (status = 200, description = "The submission and why it waits.", body = Value),
        (status = 400, description = "Not an id.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "A reason is needed, or not for the caller's roles.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "Nothing of this id for the caller.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/quarantine/{id}")]
pub async fn get_quarantined(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    id: Path<Uuid>,
) -> Result<Json<Value>, Problem> {
    let found = read_quarantined(&app, &who, with_reason(&request), id.into_inner().into()).await?;
    Ok(Json(detail(&found)))
}
