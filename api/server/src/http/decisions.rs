//! What reviewers decide: conflicts resolved, quarantined submissions released or discarded; always with a reason.

use super::body;
use super::error::{Problem, ProblemBody};
use super::push::{ResultBody, result_of};
use crate::config::Limits;
use crate::state::App;
use crate::usecases::authenticate::{Authenticated, write_as};
use crate::usecases::discard_quarantined::{Discard, discard_quarantined};
use crate::usecases::release_quarantined::{Release, release_quarantined};
use crate::usecases::resolve_conflict::{Choice, Decision, resolve_conflict};
use crate::usecases::review::{MAX_REASON, Reason, ReviewRefusal};
use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, post};
use muong_domain::id::SubmissionId;
use muong_domain::refusal::Finding;
use muong_store::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;
use uuid::Uuid;

/// A decision is short.
pub(super) const SMALL: Limits =
    Limits { submissions: 1, wire_bytes: 64 << 10, inflated_bytes: 64 << 10, submission_bytes: 64 << 10 };

/// Why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReasonGiven)]
pub struct ReasonBody {
    /// The reason, kept with the decision.
    #[schema(example = "Đã đối chiếu với sổ nghị quyết của chi bộ.", max_length = 2000)]
    reason: String,
}

impl ReasonBody {
    /// The text.
    pub(super) fn text(&self) -> &str {
        &self.reason
    }
}

/// A decision on a conflict.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Resolution)]
pub struct ResolutionBody {
    /// What is to stand.
    choose: ChoiceBody,
    /// The submissions behind the candidates that the reviewer has seen; what has come in since stays open.
    #[serde(default)]
    seen: Vec<Uuid>,
    /// Why.
    #[schema(example = "Số đại biểu theo biên bản là 11.", max_length = 2000)]
    reason: String,
}

/// What is to stand: exactly one of the three.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
#[schema(as = Choice)]
pub enum ChoiceBody {
    /// The candidate that this submission brought.
    Candidate(Uuid),
    /// Other values, by field.
    Values(BTreeMap<String, Value>),
    /// Whether a record that was edited and withdrawn at once stays.
    Keep(bool),
}

/// What a resolution came to.
#[derive(Serialize, ToSchema)]
#[schema(as = Resolved)]
pub struct ResolvedBody {
    /// The entry of the log.
    v: i64,
    /// The conflict that is open in its place, for candidates that had not been seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    still_open: Option<Uuid>,
}

/// What a release came to.
#[derive(Serialize, ToSchema)]
#[schema(as = Released)]
pub struct ReleasedBody {
    /// The result of the submission, and of each that waited for it.
    results: Vec<ResultBody>,
}

/// A reason that says something, or the refusal that asks for one.
pub(super) fn reason(text: &str, code: &'static str) -> Result<Reason, Problem> {
    Reason::parse(text)
        .ok_or_else(|| Problem::new(code).findings([Finding::new(code, "/reason").with("max", MAX_REASON)]))
}

fn refused(refusal: ReviewRefusal) -> Problem {
    match refusal {
        ReviewRefusal::NotFound => Problem::new("access.not_found"),
        ReviewRefusal::Forbidden => Problem::new("access.forbidden"),
        ReviewRefusal::AlreadyClosed { what: "conflict" } => Problem::new("conflict.already_closed"),
        ReviewRefusal::AlreadyClosed { .. } => Problem::new("quarantine.already_closed"),
        ReviewRefusal::ChoiceUnknown => at("conflict.choice_unknown", "/choose"),
        ReviewRefusal::ChoiceUnfit => at("conflict.choice_unfit", "/choose"),
        ReviewRefusal::NothingSeen => at("conflict.unseen_candidates", "/seen"),
        ReviewRefusal::Invalid(findings) => Problem::new("conflict.decision_invalid").findings(findings),
        ReviewRefusal::NotReleasable(findings) => Problem::new("quarantine.not_releasable").findings(findings),
    }
}

fn at(code: &'static str, pointer: &str) -> Problem {
    Problem::new(code).findings([Finding::new(code, pointer)])
}

/// Resolve a conflict
///
/// The chosen value stands; the candidates that were seen give way. Candidates that have come in since stay open, as
/// another conflict.
#[utoipa::path(
    tag = "review",
    request_body = ResolutionBody,
    responses(
        (status = 200, description = "Decided.", body = ResolvedBody),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Visible, but not for the caller to decide.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such conflict within the caller's scope.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Decided already.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The choice does not fit, breaks rules, or lacks a reason.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/conflicts/{id}/resolution")]
pub async fn post_resolution(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<ResolvedBody>, Problem> {
    let ResolutionBody { choose, seen, reason: text } = body::json(&request, payload, &SMALL).await?;
    let decision = Decision {
        conflict: id.into_inner().into(),
        id: app.entropy.uuid(app.clock.now()),
        choice: match choose {
            ChoiceBody::Candidate(submission) => Choice::Candidate(submission.into()),
            ChoiceBody::Values(values) => Choice::Values(values),
            ChoiceBody::Keep(keep) => Choice::Keep(keep),
        },
        seen: seen.into_iter().map(SubmissionId::from).collect::<BTreeSet<_>>(),
        reason: reason(&text, "conflict.reason_required")?,
    };
    let shared = app.as_ref().clone();
    let resolved = write_as(&app, &who, move |tx, actor| resolve_conflict(tx, &shared.reference, actor, &decision));
    match resolved.await? {
        Outcome::Commit(done) => Ok(Json(ResolvedBody { v: done.v.0, still_open: done.still_open.map(Into::into) })),
        Outcome::Refuse(refusal) => Err(refused(refusal)),
    }
}

/// Release a quarantined submission
///
/// It is merged as if it had come now, by the reviewer's right; what builds on it is released with it.
#[utoipa::path(
    tag = "review",
    request_body = ReasonBody,
    responses(
        (status = 200, description = "Released.", body = ReleasedBody),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Visible, but not for the caller to decide.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such submission within the caller's scope.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Dealt with already.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "It cannot be merged as it stands, or a reason is missing.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/quarantine/{id}/release")]
pub async fn post_release(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<ReleasedBody>, Problem> {
    let ReasonBody { reason: text } = body::json(&request, payload, &SMALL).await?;
    let release = Release {
        quarantine: id.into_inner().into(),
        decision: app.entropy.uuid(app.clock.now()),
        reason: reason(&text, "quarantine.reason_required")?,
    };
    let shared = app.as_ref().clone();
    let released = write_as(&app, &who, move |tx, actor| {
        release_quarantined(tx, &shared.reference, actor, &shared.config.limits, &release)
    });
    match released.await? {
        Outcome::Commit(results) => Ok(Json(ReleasedBody { results: results.iter().map(result_of).collect() })),
        Outcome::Refuse(refusal) => Err(refused(refusal)),
    }
}

/// Discard a quarantined submission
///
/// It stays on record, closed, with the reason.
#[utoipa::path(
    tag = "review",
    request_body = ReasonBody,
    responses(
        (status = 204, description = "Discarded."),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Visible, but not for the caller to decide.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such submission within the caller's scope.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Dealt with already.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A reason is missing.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/quarantine/{id}/discard")]
pub async fn post_discard(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let ReasonBody { reason: text } = body::json(&request, payload, &SMALL).await?;
    let discard = Discard {
        quarantine: id.into_inner().into(),
        decision: app.entropy.uuid(app.clock.now()),
        reason: reason(&text, "quarantine.reason_required")?,
    };
    let shared = app.as_ref().clone();
    let discarded = write_as(&app, &who, move |tx, actor| discard_quarantined(tx, &shared.reference, actor, &discard));
    match discarded.await? {
        Outcome::Commit(()) => Ok(HttpResponse::NoContent().finish()),
        Outcome::Refuse(refusal) => Err(refused(refusal)),
    }
}
