//! `/v1/records`: what the store holds, with field versions, and the submissions behind it.

use super::error::{FindingBody, Problem, ProblemBody};
use super::page::{Listing, invalid, limit, with_reason};
use super::push::result_of;
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::list_records::{RecordQuery, list_records};
use crate::usecases::read_record::{SeenRecord, read_record};
use crate::usecases::read_submissions::{SeenSubmission, read_submissions};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpRequest, get};
use chrono::NaiveDate;
use muong_domain::id::{Seq, UserId};
use muong_store::submissions::StoredSubmission;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use utoipa::IntoParams;
use uuid::Uuid;

/// Which records.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RecordsParams {
    /// Only of this form.
    form: Option<String>,
    /// Only of this unit and those below it.
    unit: Option<Uuid>,
    /// Only about this person.
    subject: Option<Uuid>,
    /// `live` or `deleted`.
    state: Option<String>,
    /// Only those with open conflicts, or without.
    disputed: Option<bool>,
    /// On or after this day.
    from: Option<NaiveDate>,
    /// On or before this day.
    to: Option<NaiveDate>,
    /// People of one branch whose name, or a word of it, begins so, however it is accented.
    name: Option<String>,
    /// At most so many: 1 to 500, 50 unless said.
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// A page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// At most so many: 1 to 500, 50 unless said.
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

fn record_body(seen: &SeenRecord) -> Value {
    let stored = &seen.stored;
    let record = &stored.record;
    let versions: Map<String, Value> =
        record.cells.iter().map(|(path, cell)| (path.to_string(), json!(cell.version()))).collect();
    let open: Vec<Value> = (record.open_conflicts().into_iter())
        .map(|c| json!({"id": c.id, "path": c.path, "code": c.contest.code, "fields": c.fields}))
        .collect();
    json!({
        "id": record.id, "form": record.form, "unit": record.unit, "v": record.version,
        "state": if stored.live { "live" } else { "deleted" },
        "occurred_on": stored.occurred_on, "subject": stored.subject, "disputed": !open.is_empty(),
        "data": seen.data, "versions": versions, "aliases": seen.aliases, "open_conflicts": open,
    })
}

fn person(names: &HashMap<UserId, String>, id: Option<UserId>) -> Value {
    id.map_or(Value::Null, |id| json!({"id": id, "name": names.get(&id)}))
}

fn submission_body(seen: &SeenSubmission, names: &HashMap<UserId, String>) -> Value {
    let StoredSubmission { id, seq, device, n, author, unit, kind, form, captured_at, status, .. } = &seen.stored;
    json!({
        "id": id, "v": seq, "n": n, "device": device, "unit": unit, "kind": kind, "form": form,
        "form_version": seen.origin.form_version, "client": seen.origin.client, "status": status,
        "author": person(names, Some(*author)), "pushed_by": person(names, Some(seen.origin.pushed_by)),
        "on_behalf_of": person(names, seen.origin.on_behalf_of),
        "captured_at": captured_at, "received_at": seen.received_at, "sent_at": seen.origin.sent_at,
        "clock_offset_seconds": seen.clock_offset().map(|offset| offset.num_seconds()),
        "submission": seen.said, "result": result_of(&seen.result),
        "released": seen.released.as_ref().map(result_of),
    })
}

/// Findings with their texts.
pub fn findings(found: &[muong_domain::refusal::Finding]) -> Vec<FindingBody> {
    found.iter().map(FindingBody::from).collect()
}

/// List records
///
/// In order of id; people of one branch in order of name. Only what the caller may see; personal fields are masked by
/// role. Records about persons need, for a provincial reviewer, a reason stated in `x-reason`.
#[utoipa::path(
    tag = "records",
    params(RecordsParams, ("x-reason" = Option<String>, Header, description = "Why persons are read (percent-encoded UTF-8).")),
    responses(
        (status = 200, description = "A page: `items` and `next`.", body = Value, example = json!({"items": [], "next": null})),
        (status = 400, description = "A parameter or the cursor is wrong.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The caller's roles never read content.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`name` asks for a branch.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/records")]
pub async fn get_records(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    params: Query<RecordsParams>,
) -> Result<Json<Value>, Problem> {
    let listing = Listing::of(&request);
    let RecordsParams { form, unit, subject, state, disputed, from, to, name, limit: asked, cursor } =
        params.into_inner();
    let live = match state.as_deref() {
        None => None,
        Some("live") => Some(true),
        Some("deleted") => Some(false),
        Some(_) => return Err(invalid("state")),
    };
    let (unit, subject) = (unit.map(Into::into), subject.map(Into::into));
    let (after, limit) = (listing.position(cursor.as_deref())?, limit(asked)?);
    let query = RecordQuery { form, unit, subject, live, disputed, from, to, name, after, limit };
    let page = list_records(&app, &who, with_reason(&request), query).await?;
    Ok(Json(listing.answer(page.items.iter().map(record_body).collect(), page.next)))
}

/// Read a record
///
/// By its id, or by another id under which a phone knows it. `versions` has the entry that last changed each path.
#[utoipa::path(
    tag = "records",
    params(("id" = Uuid, Path, description = "The record."), ("x-reason" = Option<String>, Header, description = "Why a person is read.")),
    responses(
        (status = 200, description = "The record.", body = Value),
        (status = 400, description = "Not an id.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "A reason is needed, or the caller's roles never read content.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such record within the caller's scope.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/records/{id}")]
pub async fn get_record(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    id: Path<Uuid>,
) -> Result<Json<Value>, Problem> {
    let seen = read_record(&app, &who, with_reason(&request), id.into_inner().into()).await?;
    Ok(Json(record_body(&seen)))
}

/// Read the submissions behind a record
///
/// Who said what, captured when, received when, and by how much the phone's clock was behind.
#[utoipa::path(
    tag = "records",
    params(("id" = Uuid, Path, description = "The record."), PageParams, ("x-reason" = Option<String>, Header, description = "Why a person is read.")),
    responses(
        (status = 200, description = "A page: `items` and `next`.", body = Value),
        (status = 400, description = "A parameter or the cursor is wrong.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "A reason is needed, or the caller's roles never read content.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such record within the caller's scope.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/records/{id}/submissions")]
pub async fn get_record_submissions(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    id: Path<Uuid>,
    params: Query<PageParams>,
) -> Result<Json<Value>, Problem> {
    let listing = Listing::of(&request);
    let after = Seq(listing.position(params.cursor.as_deref())?.unwrap_or(0));
    let (reason, limit) = (with_reason(&request), limit(params.limit)?);
    let found = read_submissions(&app, &who, reason, id.into_inner().into(), after, limit).await?;
    let items = found.page.items.iter().map(|seen| submission_body(seen, &found.names)).collect();
    Ok(Json(listing.answer(items, found.page.next)))
}
