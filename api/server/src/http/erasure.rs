//! `/v1/records/{id}/erasure`: one person is erased, for good.

use super::body;
use super::decisions::{ReasonBody, SMALL, reason};
use super::error::{Problem, ProblemBody};
use crate::state::App;
use crate::usecases::authenticate::{Authenticated, write_as};
use crate::usecases::erase_person::{Erasure, ErasureRefusal, erase_person};
use crate::usecases::keep_erasures;
use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, post};
use muong_store::Outcome;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What an erasure came to.
#[derive(Serialize, ToSchema)]
#[schema(as = Erased, example = json!({"v": 1251}))]
pub struct ErasedBody {
    /// The entry of the log.
    v: i64,
}

fn refused(refusal: ErasureRefusal) -> Problem {
    Problem::new(match refusal {
        ErasureRefusal::NotFound => "access.not_found",
        ErasureRefusal::Forbidden => "access.forbidden",
        ErasureRefusal::NotAPerson => "person.not_one",
        ErasureRefusal::AlreadyErased => "person.already_erased",
    })
}

/// Erase a person
///
/// The key under which everything personal about them is sealed is destroyed: their personal values, what was said of them,
/// why it was decided so. It cannot be undone. What is not personal stays, so that counts stay right. Nothing can be said of
/// them any more (`person.erased`). Names and other values of theirs are taken out of the reason, which is kept.
#[utoipa::path(
    tag = "records",
    params(("id" = Uuid, Path, description = "The record of the person, or an alias of it.")),
    request_body = ReasonBody,
    responses(
        (status = 200, description = "Erased.", body = ErasedBody),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Visible, but not for the caller to erase.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such record within the caller's scope.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`person.already_erased`: erased already; nothing has changed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`server.unledgered`: it cannot be written down where a restored backup would find it, or it is gone from the log with a primary that was lost; try again. Without that it is not done, or not answered as done.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Not the record of a person (`person.not_one`), or a reason is missing.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/records/{id}/erasure")]
pub async fn post_erasure(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<ErasedBody>, Problem> {
    let given: ReasonBody = body::json(&request, payload, &SMALL).await?;
    let erasure = Erasure {
        record: id.into_inner().into(),
        id: app.entropy.uuid(app.clock.now()),
        reason: reason(given.text(), "person.reason_required")?,
    };
    let decision = erasure.id;
    keep_erasures::make_ready(&app).await?;
    let shared = app.as_ref().clone();
    let erased = write_as(&app, &who, move |tx, actor| erase_person(tx, &shared.reference, actor, &erasure));
    match erased.await? {
        Outcome::Commit(v) => {
            keep_erasures::write_down(&app, v, decision).await?;
            Ok(Json(ErasedBody { v: v.0 }))
        }
        // Perhaps that time it could not be written down.
        Outcome::Refuse(ErasureRefusal::AlreadyErased) => {
            keep_erasures::write_down_all(&app).await?;
            Err(refused(ErasureRefusal::AlreadyErased))
        }
        Outcome::Refuse(refusal) => Err(refused(refusal)),
    }
}
