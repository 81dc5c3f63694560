//! `/v1/conflicts`: open and closed questions, with all their candidates.

use super::error::{Problem, ProblemBody};
use super::page::{Listing, invalid, limit, with_reason};
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::list_conflicts::{ConflictQuery, SeenConflict, list_conflicts};
use crate::usecases::read_conflict::{ConflictDetail, SeenDecision, Voice, read_conflict};
use crate::usecases::reader::Values;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpRequest, get};
use muong_domain::id::UserId;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use utoipa::IntoParams;
use uuid::Uuid;

/// Which conflicts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConflictsParams {
    /// `open` (unless said) or `closed`.
    state: Option<String>,
    /// Only of this form.
    form: Option<String>,
    /// Only of this unit and those below it.
    unit: Option<Uuid>,
    /// Only of this record.
    record: Option<Uuid>,
    /// At most so many: 1 to 500, 50 unless said.
    limit: Option<usize>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

fn summary(seen: &SeenConflict) -> Value {
    let c = &seen.stored;
    json!({
        "id": c.id, "record": c.record, "form": c.form, "unit": c.unit, "path": c.path, "round": c.round,
        "code": c.code, "fields": c.fields, "state": if c.closed.is_some() { "closed" } else { "open" },
        "opened_at": seen.opened_at, "closed_at": seen.closed_at,
    })
}

fn voice(voice: &Voice, names: &HashMap<UserId, String>) -> Value {
    json!({
        "v": voice.seq, "submission": voice.submission, "decision": voice.decision, "device": voice.device,
        "author": voice.author.map(|id| json!({"id": id, "name": names.get(&id)})),
        "captured_at": voice.captured_at, "received_at": voice.received_at,
    })
}

/// A decision: who, when, what and why.
pub fn decision_body(seen: &SeenDecision, names: &HashMap<UserId, String>) -> Value {
    let d = &seen.stored;
    json!({
        "id": d.id, "kind": d.kind, "v": d.seq, "decided_at": seen.decided_at,
        "by": {"id": d.actor, "name": names.get(&d.actor)}, "decision": seen.body,
    })
}

fn detail(found: &ConflictDetail) -> Value {
    let mut body = summary(&found.seen);
    let candidates: Vec<Value> = (found.candidates.iter().enumerate())
        .map(|(at, candidate)| {
            let by: Vec<Value> = candidate.by.iter().map(|v| voice(v, &found.names)).collect();
            json!({"value": candidate.value, "shown": at == 0, "by": by})
        })
        .collect();
    body["candidates"] = json!(candidates);
    body["withdrawals"] = found.withdrawals.iter().map(|v| voice(v, &found.names)).collect();
    body["decision"] = found.decision.as_ref().map_or(Value::Null, |d| decision_body(d, &found.names));
    body["masked"] = json!(found.values == Values::Masked);
    body
}

/// List conflicts
///
/// Those that the caller may review, in order of id.
#[utoipa::path(
    tag = "review",
    params(ConflictsParams, ("x-reason" = Option<String>, Header, description = "Why persons are read.")),
    responses(
        (status = 200, description = "A page: `items` and `next`.", body = Value),
        (status = 400, description = "A parameter or the cursor is wrong.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The caller reviews nothing.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/conflicts")]
pub async fn get_conflicts(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    params: Query<ConflictsParams>,
) -> Result<Json<Value>, Problem> {
    let listing = Listing::of(&request);
    let ConflictsParams { state, form, unit, record, limit: asked, cursor } = params.into_inner();
    let open = match state.as_deref() {
        None | Some("open") => true,
        Some("closed") => false,
        Some(_) => return Err(invalid("state")),
    };
    let (unit, record) = (unit.map(Into::into), record.map(Into::into));
    let (after, limit) = (listing.position(cursor.as_deref())?, limit(asked)?);
    let query = ConflictQuery { form, unit, record, open, after, limit };
    let page = list_conflicts(&app, &who, with_reason(&request), query).await?;
    Ok(Json(listing.answer(page.items.iter().map(summary).collect(), page.next)))
}

/// Read a conflict
///
/// With every candidate, the one that is shown first, who said it and when; and, when it is closed, the decision.
#[utoipa::path(
    tag = "review",
    params(("id" = Uuid, Path, description = "The conflict."), ("x-reason" = Option<String>, Header, description = "Why a person is read.")),
    responses(
        (status = 200, description = "The conflict.", body = Value),
        (status = 400, description = "Not an id.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Visible, but a reason is needed, or not for the caller's roles.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such conflict within the caller's scope.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/conflicts/{id}")]
pub async fn get_conflict(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    id: Path<Uuid>,
) -> Result<Json<Value>, Problem> {
    let found = read_conflict(&app, &who, with_reason(&request), id.into_inner().into()).await?;
    Ok(Json(detail(&found)))
}
