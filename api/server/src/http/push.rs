//! `/v1/sync/push`, `/v1/sync/limits` and `/v1/submissions`: what phones and simple clients say, and how it is answered.

use super::body;
use super::error::{FindingBody, Problem, ProblemBody};
use super::framing::{MAX_CLIENT, PROTOCOL, PushBody, frame};
use super::query::Params;
use crate::config::Limits;
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::pull::{LONGEST_WAIT, message};
use crate::usecases::push::PushRefusal;
use crate::usecases::push::bounds;
use crate::usecases::push::outcome::{ConflictNote, FieldOutcome, ItemResult, Pushed, Recorded, Since, Status};
use crate::usecases::push::receive::receive;
use crate::usecases::push::said::{Origin, Raw};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, Payload};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, FixedOffset, TimeDelta};
use muong_domain::refusal::Finding;
use muong_store::Outcome;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// One thing that a phone says: create, edit or delete of one record.
#[derive(ToSchema)]
#[schema(as = Submission)]
#[expect(dead_code, reason = "describes what the domain's own type reads")]
pub struct SubmissionBody {
    /// Chosen by the phone (UUIDv7): the key of idempotency.
    id: Uuid,
    /// The device's own running number, from 1.
    n: i64,
    /// `create`, `edit` or `delete`.
    #[schema(example = "create")]
    kind: String,
    /// The form's code.
    #[schema(example = "branch_meeting")]
    form: Option<String>,
    /// The version of the form that was filled in.
    form_version: Option<i32>,
    /// The record, an id chosen by the phone that created it.
    record: Uuid,
    /// The unit that the record belongs to.
    unit: Uuid,
    /// When it was said, by the phone's clock.
    captured_at: Option<DateTime<FixedOffset>>,
    /// What the author had seen: `{"epoch":…,"v":…,"after":…}`.
    base: Option<Value>,
    /// Own quarantined submissions that this one corrects.
    replaces: Option<Vec<Uuid>>,
    /// The phone has given up waiting for what this one builds on.
    after_lost: Option<bool>,
    /// Who said it, when it is stated: the one who is signed in.
    author: Option<Uuid>,
    /// On whose behalf, when a reviewer reports.
    on_behalf_of: Option<Uuid>,
    /// Field → `{"from":…,"to":…}`.
    set: Option<Value>,
    /// List → item key → field → `{"from":…,"to":…}`.
    items: Option<Value>,
}

/// The answer to a batch.
#[derive(Serialize, ToSchema)]
#[schema(as = Pushed)]
pub struct PushedBody {
    /// Which history of the store this is.
    epoch: Uuid,
    /// The last entry of the log.
    head: i64,
    /// One result a submission, in order.
    results: Vec<ResultBody>,
}

/// The answer to one submission.
#[derive(Serialize, ToSchema, Default)]
#[schema(as = PushResult)]
pub struct ResultBody {
    /// The submission.
    id: Uuid,
    /// `accepted`, `merged`, `conflict`, `duplicate`, `rejected`, `forbidden` or `deferred`.
    #[schema(example = "accepted")]
    status: &'static str,
    /// The canonical record.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Uuid>,
    /// The entry of the log that recorded it.
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<i64>,
    /// Path → `applied`, `already` or `conflict`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<String, &'static str>,
    /// The conflicts it met: `{"id","code","path","fields","base","yours","current"}`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Value>)]
    conflicts: Vec<ConflictNote>,
    /// What its author should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<FindingBody>,
    /// Why it was not merged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FindingBody>,
    /// Where it waits for a reviewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantine: Option<Uuid>,
    /// Of a duplicate: how it was answered first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    original: Option<Box<ResultBody>>,
    /// Of a duplicate: what has been decided since.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<NowBody>,
    /// Of a duplicate: whom it was about has been erased since, and with them how it was answered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
    /// Of a deferred one: the submission, record or person that has not arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Uuid>,
}

/// What has become of a quarantined submission.
#[derive(Serialize, ToSchema)]
#[schema(as = PushResultNow)]
pub struct NowBody {
    /// `released`, `discarded`, `replaced` or `erased`.
    #[schema(example = "released")]
    status: &'static str,
    /// The result of its release.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    result: Option<Box<ResultBody>>,
}

impl From<&Recorded> for ResultBody {
    fn from(recorded: &Recorded) -> Self {
        let field = |outcome: &FieldOutcome| match outcome {
            FieldOutcome::Applied => "applied",
            FieldOutcome::Already => "already",
            FieldOutcome::Conflict => "conflict",
        };
        Self {
            id: recorded.id.uuid(),
            status: recorded.status.as_str(),
            record: recorded.record.map(Into::into),
            v: Some(recorded.v.0),
            fields: recorded.fields.iter().map(|(path, o)| (path.as_str().to_owned(), field(o))).collect(),
            conflicts: recorded.conflicts.clone(),
            warnings: recorded.warnings.iter().map(FindingBody::from).collect(),
            errors: recorded.errors.iter().map(FindingBody::from).collect(),
            quarantine: recorded.quarantine.map(Into::into),
            ..Self::default()
        }
    }
}

impl From<&Since> for NowBody {
    fn from(since: &Since) -> Self {
        Self { status: since.closing, result: since.outcome.as_ref().map(|o| Box::new(ResultBody::from(o))) }
    }
}

impl From<&ItemResult> for ResultBody {
    fn from(result: &ItemResult) -> Self {
        match result {
            ItemResult::Recorded(recorded) => recorded.as_ref().into(),
            ItemResult::Duplicate(original, now) => Self {
                id: original.id.uuid(),
                status: "duplicate",
                original: Some(Box::new(original.as_ref().into())),
                now: now.as_ref().map(NowBody::from),
                ..Self::default()
            },
            ItemResult::Erased(id) => Self { id: id.uuid(), status: "duplicate", erased: true, ..Self::default() },
            ItemResult::Deferred { id, missing } => {
                Self { id: id.uuid(), status: "deferred", missing: Some(*missing), ..Self::default() }
            }
        }
    }
}

impl From<&Pushed> for PushedBody {
    fn from(pushed: &Pushed) -> Self {
        Self {
            epoch: pushed.epoch,
            head: pushed.head.0,
            results: pushed.results.iter().map(ResultBody::from).collect(),
        }
    }
}

/// How many bytes of an item count as one submission for the budget of a device. All are kept, whatever they are; a report
/// is one or two thousand.
const WEIGHED: usize = 4 << 10;

fn weight(item: &Raw) -> usize {
    item.len().div_ceil(WEIGHED).max(1)
}

/// Nothing is lost: what was not taken is still on the phone.
fn too_much(wait: TimeDelta) -> Problem {
    Problem::throttled("request.throttled", wait)
}

fn refused(refusal: PushRefusal) -> Problem {
    match refusal {
        PushRefusal::DeviceFork { n } => {
            Problem::new("device.fork").with("n", n).findings([Finding::new("device.fork", "/device").with("n", n)])
        }
    }
}

/// Push a batch
///
/// Every submission is answered by itself, in order; one that is wrong never blocks the others. Pushing the same again
/// changes nothing and answers `duplicate` with the original answer. `deferred` is the only answer that is not
/// recorded: send it again later.
#[utoipa::path(
    tag = "sync",
    request_body = PushBody<'_>,
    responses(
        (status = 200, description = "One result a submission.", body = PushedBody),
        (status = 400, description = "The frame cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`device.fork`: two devices use the same numbers; register this one anew.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "Over the limits of `GET /v1/sync/limits`.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`device.unknown`: the device is not the one of the session.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`request.throttled`: more than one device may push; the same again after `Retry-After`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/sync/push")]
pub async fn post_push(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<PushedBody>, Problem> {
    app.throttle.push.request(who.device, app.clock.now()).map_err(too_much)?;
    let body = body::read(&request, payload, &app.config.limits).await?;
    let (frame, items) = frame(&body, &app.config.limits)?;
    if frame.device != who.device.uuid() {
        return Err(Problem::new("device.unknown").findings([Finding::new("device.unknown", "/device")]));
    }
    app.throttle.push.items(who.device, items.iter().map(weight).sum(), app.clock.now()).map_err(too_much)?;
    let sent_at = frame.sent_at.map(|at| at.to_utc());
    let origin = Origin { user: who.user, device: who.device, client: frame.client, sent_at };
    match receive(&app, &who, origin, items).await? {
        Outcome::Commit(pushed) => Ok(Json(PushedBody::from(&pushed))),
        Outcome::Refuse(refusal) => Err(refused(refusal)),
    }
}

/// Submit one
///
/// For simple clients: one submission as the whole body, on the same way as a push, from the device of the session.
/// The status tells how it ended: 201 accepted, 200 merged, in conflict or known already, 202 deferred (send it again
/// later), 403 forbidden and 422 rejected (both are kept in quarantine). The body is the same as one result of a push.
#[utoipa::path(
    tag = "sync",
    request_body = SubmissionBody,
    responses(
        (status = 200, description = "Merged, in conflict, or known already.", body = ResultBody),
        (status = 201, description = "Accepted.", body = ResultBody),
        (status = 202, description = "Deferred: what it builds on has not arrived.", body = ResultBody),
        (status = 400, description = "The body is empty or was cut off.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "Forbidden; kept in quarantine.", body = ResultBody),
        (status = 409, description = "`device.fork`.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "Over the limits.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Rejected; kept in quarantine.", body = ResultBody),
        (status = 429, description = "`request.throttled`: more than one device may push; the same again after `Retry-After`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/submissions")]
pub async fn post_submission(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    app.throttle.push.request(who.device, app.clock.now()).map_err(too_much)?;
    let body = body::read(&request, payload, &app.config.limits).await?;
    body::require_object(&body)?;
    let item = Raw::from(&*body);
    app.throttle.push.items(who.device, weight(&item), app.clock.now()).map_err(too_much)?;
    let client = request.headers().get("user-agent").and_then(|agent| agent.to_str().ok()).map(str::to_owned);
    let client = client.filter(|client| client.len() <= MAX_CLIENT);
    let origin = Origin { user: who.user, device: who.device, client, sent_at: None };
    match receive(&app, &who, origin, vec![item]).await? {
        Outcome::Refuse(refusal) => Err(refused(refusal)),
        Outcome::Commit(pushed) => {
            let result = pushed.results.first().ok_or_else(|| Problem::new("server.internal"))?;
            Ok(HttpResponse::build(status_of(result)).json(ResultBody::from(result)))
        }
    }
}

fn status_of(result: &ItemResult) -> StatusCode {
    match result {
        ItemResult::Deferred { .. } => StatusCode::ACCEPTED,
        ItemResult::Duplicate(..) | ItemResult::Erased(_) => StatusCode::OK,
        ItemResult::Recorded(recorded) => match recorded.status {
            Status::Accepted => StatusCode::CREATED,
            Status::Merged | Status::Conflict => StatusCode::OK,
            Status::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
            Status::Forbidden => StatusCode::FORBIDDEN,
        },
    }
}

/// What one request may carry.
#[derive(Serialize, ToSchema)]
#[schema(as = SyncLimits)]
pub struct LimitsBody {
    /// The version of the protocol.
    #[schema(example = 1)]
    protocol: u32,
    /// Submissions in one push.
    #[schema(example = 500)]
    submissions: usize,
    /// Bytes of a body as it comes over the wire.
    #[schema(example = 1_048_576)]
    wire_bytes: usize,
    /// Bytes of a body after inflation.
    #[schema(example = 8_388_608)]
    inflated_bytes: usize,
    /// Bytes of one submission.
    #[schema(example = 262_144)]
    submission_bytes: usize,
    /// Earlier submissions that one may replace.
    #[schema(example = 100)]
    replaces: usize,
    /// Errors, and warnings, that one answer names; how many more there are is told by `submission.more_findings`.
    #[schema(example = 50)]
    findings: usize,
    /// Messages in one page of a pull.
    #[schema(example = 1000)]
    pull_messages: usize,
    /// Bytes of one page of a pull before compression, unless it is one message.
    #[schema(example = 4_194_304)]
    pull_bytes: usize,
    /// Seconds that a pull waits at most for something new.
    #[schema(example = 25)]
    wait_seconds: u64,
    /// The values of `Content-Encoding` that are understood.
    encodings: [&'static str; 2],
}

/// What may one push or pull carry?
#[utoipa::path(
    tag = "sync",
    responses(
        (status = 200, description = "The limits, checked after inflation.", body = LimitsBody),
        (status = 400, description = "The query cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/sync/limits")]
pub async fn get_limits(app: Data<App>, request: HttpRequest) -> Result<Json<LimitsBody>, Problem> {
    Params::read(&request)?.finish_bare()?;
    let Limits { submissions, wire_bytes, inflated_bytes, submission_bytes } = app.config.limits;
    Ok(Json(LimitsBody {
        protocol: PROTOCOL,
        submissions,
        wire_bytes,
        inflated_bytes,
        submission_bytes,
        replaces: bounds::MAX_REPLACES,
        findings: bounds::MAX_FINDINGS,
        pull_messages: message::MOST,
        pull_bytes: message::MOST_BYTES,
        wait_seconds: LONGEST_WAIT.as_secs(),
        encodings: ["gzip", "zstd"],
    }))
}

/// A result as reviewers are shown it after a release.
pub fn result_of(recorded: &Recorded) -> ResultBody {
    recorded.into()
}
