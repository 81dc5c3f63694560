//! `/v1/records/{id}/move`: a record goes to another unit.

use super::body;
use super::decisions::{SMALL, reason};
use super::error::{Problem, ProblemBody};
use crate::state::App;
use crate::usecases::authenticate::{Authenticated, write_as};
use crate::usecases::move_record::{Move, move_record};
use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, post};
use muong_store::Outcome;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Where a record is to be, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RecordMove)]
pub struct MoveBody {
    /// The unit.
    unit: Uuid,
    /// The reason, kept with the decision; shown with the record, to whoever sees persons where it is. It names nobody: of a
    /// record about nobody it outlives everybody's erasure.
    #[schema(example = "Báo cáo nhầm chi bộ; đã thống nhất với bí thư hai chi bộ.", max_length = 2000)]
    reason: String,
}

/// What a move came to.
#[derive(Serialize, ToSchema)]
#[schema(as = RecordMoved, example = json!({"v": 1262, "records": 7}))]
pub struct MovedBody {
    /// The entry of the log.
    v: i64,
    /// How many records have gone: of a person, with the steps of theirs.
    records: usize,
}

/// Move a record to another unit
///
/// Of somebody who reviews both. A person goes with all that has happened to them; a step goes with its person alone. Phones that
/// see only the unit that it leaves are told `purge`; those that see where it goes, `put`. What was said to the unit that it has
/// left is merged if its author may report in the other as well, and waits in quarantine otherwise (`record.moved`).
#[utoipa::path(
    tag = "records",
    params(("id" = Uuid, Path, description = "The record, or an alias of it.")),
    request_body = MoveBody,
    responses(
        (status = 200, description = "Moved.", body = MovedBody),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Visible, but the caller does not review both units.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such record within the caller's scope.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`record.taken_there`: the unit has a record of the same key, or knows another one by this id.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`unit.unknown`: no such unit, or not for the caller. `record.goes_with_its_person`, `record.already_there`, `unit.dissolved`; `record.unfit_there`, with what it would break there; or a reason is missing.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/records/{id}/move")]
pub async fn post_move(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<MovedBody>, Problem> {
    let MoveBody { unit, reason: text } = body::json(&request, payload, &SMALL).await?;
    let wanted = Move {
        record: id.into_inner().into(),
        to: unit.into(),
        id: app.entropy.uuid(app.clock.now()),
        reason: reason(&text, "record.reason_required")?,
    };
    let shared = app.as_ref().clone();
    let moved = write_as(&app, &who, move |tx, actor| move_record(tx, &shared.reference, actor, &wanted));
    match moved.await? {
        Outcome::Commit(moved) => Ok(Json(MovedBody { v: moved.v.0, records: moved.records })),
        Outcome::Refuse(refusal) => Err(refusal.into()),
    }
}
