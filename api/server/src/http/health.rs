//! Whether this process lives. Says nothing about the database: a restart would not mend that.

use actix_web::get;
use actix_web::web::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// A sign of life.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`: a process that cannot say so does not answer.
    #[schema(example = "ok")]
    status: &'static str,
    /// The version of the program.
    #[schema(example = "0.1.0")]
    version: &'static str,
}

/// Is the process alive?
///
/// For the supervisor that restarts it. Needs no sign-in and touches no database.
#[utoipa::path(tag = "operation", security(()), responses((status = 200, description = "It is.", body = Health)))]
#[get("/healthz")]
pub async fn healthz() -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}
