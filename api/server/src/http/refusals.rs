//! The account of what is refused to somebody who has signed in: what they may not do (403), and what does not exist for
//! them (404; named in a body, 422). Written before the refusal is answered. What is merely wrong with a request is nobody's
//! business.

use super::error::Problem;
use crate::state::App;
use crate::usecases::account_for::account_for;
use crate::usecases::authenticate::Authenticated;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};
use muong_domain::id::UnitId;
use muong_store::{Note, NoteKind};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Middleware: notes a refusal. Stands inside signing in, so that it knows to whom.
pub async fn accounted_for<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let response = next.call(request).await?;
    let Some(code) = refusal(&response) else { return Ok(response) };
    let who = response.request().extensions().get::<Authenticated>().cloned();
    let (Some(who), Some(app)) = (who, response.request().app_data::<Data<App>>()) else { return Ok(response) };
    let note =
        Note { kind: NoteKind::Refusal, outcome: code.to_owned(), subjects: named(&response), ..Note::default() };
    Box::pin(account_for(app, &who, note)).await.map_err(Problem::from)?;
    Ok(response)
}

/// What is answered alike to whoever asks for what is not there and to whoever may not know that it is.
const NOT_THERE: [&str; 3] = ["access.not_found", "unit.unknown", "user.unknown"];

/// The code of a refusal that is to be accounted for.
fn refusal<B>(response: &ServiceResponse<B>) -> Option<&'static str> {
    let problem = response.response().error()?.as_error::<Problem>()?;
    let counts = response.status() == StatusCode::FORBIDDEN || NOT_THERE.contains(&problem.code());
    counts.then(|| problem.code())
}

/// What the path names: an id, of whatever there is or is not.
fn named<B>(response: &ServiceResponse<B>) -> BTreeMap<Uuid, Option<UnitId>> {
    let id = response.request().match_info().get("id").and_then(|id| Uuid::try_parse(id).ok());
    id.into_iter().map(|id| (id, None)).collect()
}
