//! `POST /v1/users/import`: users come in from a table. Its columns are `import_users`'s to know.

use super::body;
use super::error::{Problem, ProblemBody};
use super::query::Params;
use crate::config::Limits;
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::import_users::{Imported, import_users};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, post};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Far more than so many lines need.
const TABLE: Limits =
    Limits { submissions: 1, wire_bytes: 128 << 10, inflated_bytes: 128 << 10, submission_bytes: 128 << 10 };

/// What became, or would become, of a table.
#[derive(Serialize, ToSchema)]
#[schema(as = Import)]
pub struct ImportBody {
    /// Whether nothing was done.
    dry_run: bool,
    /// One a line.
    users: Vec<ImportedBody>,
}

/// A line of the table.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportedUser)]
pub struct ImportedBody {
    /// Which.
    #[schema(example = 2)]
    line: u64,
    /// The name to sign in with.
    #[schema(example = "vu.a.cha")]
    username: String,
    /// The user who was added; null in a dry run.
    user: Option<Uuid>,
    /// Their password, told once; null in a dry run.
    #[schema(example = "k7mpq-3wxyz-rt5uv-ab2cd")]
    password: Option<String>,
}

impl From<Imported> for ImportedBody {
    fn from(imported: Imported) -> Self {
        let Imported { line, username, user, password } = imported;
        Self { line, username, user, password: password.map(|made| made.0) }
    }
}

/// Import users
///
/// From a table (CSV, UTF-8; commas or semicolons), all of its lines or none; at most 200. The first line names the
/// columns, in any order: `username`, `display_name`, and for a grant `role`, `unit` (`scheme:code` of today, or an id),
/// `valid_from`, `valid_to` (local days, `YYYY-MM-DD`; empty: from now on, open). Every fault is told by its line and
/// column (`/3/role`). With `dry_run=true` the table is only checked. Passwords are made, and answered once.
#[utoipa::path(
    tag = "administration",
    params(("dry_run" = Option<bool>, Query, description = "Only check.", example = true)),
    request_body(content = String, content_type = "text/csv", description = "The table.", example = "username,display_name,role,unit,valid_from,valid_to\nvu.a.cha,Vừ A Chá,cadre,tw:03.160.01,,\n"),
    responses(
        (status = 200, description = "A dry run: it would be imported.", body = ImportBody),
        (status = 201, description = "Imported.", body = ImportBody),
        (status = 400, description = "The request cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Not an administrator.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "Not `text/csv`, or an unknown `Content-Encoding`.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`import.faulty`, with every fault by line and column; `import.empty`, `import.too_many_rows`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/users/import")]
pub async fn post_import(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let mut params = Params::read(&request)?;
    let dry_run = params.flag("dry_run").unwrap_or_default();
    params.finish_bare()?;
    let table = body::read_as(body::Media::Csv, &request, payload, &TABLE).await?;
    let users = import_users(&app, &who, table.to_vec(), dry_run).await?;
    let mut answer = if dry_run { HttpResponse::Ok() } else { HttpResponse::Created() };
    Ok(answer.json(ImportBody { dry_run, users: users.into_iter().map(ImportedBody::from).collect() }))
}
