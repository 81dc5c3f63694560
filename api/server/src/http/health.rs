//! Whether this process lives, and whether it is ready. Living says nothing about the database: a restart would not
//! mend that.

use super::error::{Problem, ProblemBody};
use crate::state::App;
use actix_web::web::{Data, Json, block};
use actix_web::{HttpResponse, get};
use muong_store::{MigrationStatus, StoreError};
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

/// Can the process serve?
///
/// For the load balancer: whether the database answers, is up to date with this program, and may be read (after a
/// promotion: once all is erased again that the ledger tells of). Needs no sign-in.
#[utoipa::path(
    tag = "operation",
    security(()),
    responses(
        (status = 200, description = "It can.", body = Health),
        (status = 503, description = "`server.not_ready`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/readyz")]
pub async fn readyz(app: Data<App>) -> Result<Json<Health>, Problem> {
    ready(&app).await?;
    Ok(Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") }))
}

/// The same signs without words, as some load balancers and watchers ask for them.
pub async fn head_of_healthz() -> HttpResponse {
    HttpResponse::Ok().finish()
}

/// The same without words.
pub async fn head_of_readyz(app: Data<App>) -> Result<HttpResponse, Problem> {
    ready(&app).await?;
    Ok(HttpResponse::Ok().finish())
}

/// Anybody may ask, as often as they like: the database is asked once for all who wait.
async fn ready(app: &App) -> Result<(), Problem> {
    app.readiness.ask(look(app)).await.map_err(Problem::new)
}

async fn look(app: &App) -> Result<(), &'static str> {
    let asked = app.clone();
    let look = move || match asked.database.status()? {
        MigrationStatus::Current => {
            let head = asked.database.read(|snapshot| asked.in_step.head(snapshot))?;
            Ok::<_, StoreError>((MigrationStatus::Current, head.is_some()))
        }
        pending @ MigrationStatus::Pending(_) => Ok((pending, false)),
    };
    match block(look).await {
        Ok(Ok((MigrationStatus::Current, true))) => Ok(()),
        Ok(Ok((MigrationStatus::Current, false))) => {
            tracing::warn!("not all is erased that the ledger of erasures tells of");
            Err("server.not_ready")
        }
        Ok(Ok((MigrationStatus::Pending(missing), _))) => {
            tracing::warn!(missing, "migrations are missing");
            Err("server.not_ready")
        }
        Ok(Err(error)) => {
            tracing::warn!(error = %error, "the database cannot be reached");
            Err("server.not_ready")
        }
        Err(error) => {
            tracing::error!(error = %error, "the look at the database was broken off");
            Err("server.internal")
        }
    }
}
