//! HTTP: how requests come in and answers go out. Owns the middleware that every request passes and the life of the
//! listener; one file a resource, `routes` for the whole table. Refuses SQL and decisions: a handler calls one use case.

pub mod answer;
pub mod body;
pub mod docs;
pub mod error;
pub mod health;
pub mod listen;
pub mod openapi;
pub mod routes;

use crate::telemetry::RequestSpan;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::ServiceConfig;
use actix_web::{App, Error};
use tracing_actix_web::TracingLogger;
use utoipa_actix_web::AppExt;

/// The application that each worker runs: `state` adds what the handlers need (`app_data`), the table adds the rest.
///
/// Outermost first: the request's span and id, then what makes each answer whole, then compression.
pub fn app(
    state: impl FnOnce(&mut ServiceConfig),
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    App::new()
        .configure(state)
        .into_utoipa_app()
        .configure(routes::table)
        .into_app()
        .wrap(Compress::default())
        .wrap(from_fn(answer::whole))
        .wrap(TracingLogger::<RequestSpan>::new())
}
