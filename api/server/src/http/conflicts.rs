//! `/v1/conflicts`: what a reviewer is asked, and what was answered. The decision itself is `decisions.rs`'s.

use super::error::{Problem, ProblemBody, TextBody};
use super::held;
use super::page::PageBody;
use super::query::Params;
use super::reason::stated;
use super::records::PersonBody;
use crate::messages;
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::list_conflicts::{ConflictQuery, SeenConflict, list_conflicts};
use crate::usecases::read_conflict::{Candidate, Concerned, ConflictDetail, SeenDecision, Voice, read_conflict};
use crate::usecases::reader::Values;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{DateTime, Utc};
use muong_domain::id::{ConflictId, UserId};
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// A question about one path of one record.
#[derive(Serialize, ToSchema)]
#[schema(as = Conflict, example = json!({
    "id": "5e3c2c1c-6a0e-5a0c-8a8e-0a4be61d4f55", "record": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e02",
    "form": "branch_meeting", "unit": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e72", "subject": null, "path": "roll",
    "round": 1, "code": "merge.conflict", "message": {"vi": "…", "en": "…"}, "fields": ["present", "unexcused"],
    "state": "open", "opened_v": 1239, "opened_at": "2026-03-09T02:12:00Z", "closed_v": null, "closed_at": null
}))]
pub struct ConflictBody {
    /// Its id.
    id: Uuid,
    /// The record.
    record: Uuid,
    /// Its form.
    form: String,
    /// Its unit.
    unit: Uuid,
    /// The person whom it concerns.
    subject: Option<Uuid>,
    /// Where: a field, a group, `list/key/field`, `$record` or `$rule/<code>`.
    path: String,
    /// Which question about this path it is, from 1.
    round: u32,
    /// Why it is asked.
    code: String,
    /// The same in words.
    message: TextBody,
    /// The names that differ.
    fields: Vec<String>,
    /// `open` or `closed`.
    state: &'static str,
    /// The entry that opened it.
    opened_v: i64,
    /// When.
    opened_at: Option<DateTime<Utc>>,
    /// The entry that closed it.
    closed_v: Option<i64>,
    /// When.
    closed_at: Option<DateTime<Utc>>,
}

impl From<SeenConflict> for ConflictBody {
    fn from(seen: SeenConflict) -> Self {
        let SeenConflict { stored, opened_at, closed_at } = seen;
        Self {
            id: stored.id.uuid(),
            record: stored.record.uuid(),
            form: stored.form,
            unit: stored.unit.uuid(),
            subject: stored.subject.map(Uuid::from),
            path: stored.path.as_str().to_owned(),
            round: stored.round,
            message: messages::text(&stored.code, &messages::Args::new()).into(),
            code: stored.code,
            fields: stored.fields,
            state: if stored.closed.is_some() { "closed" } else { "open" },
            opened_v: stored.opened.0,
            opened_at,
            closed_v: stored.closed.map(|seq| seq.0),
            closed_at,
        }
    }
}

/// A question with all that a decision needs.
#[derive(Serialize, ToSchema)]
#[schema(as = ConflictDetail)]
pub struct ConflictDetailBody {
    /// The question.
    #[serde(flatten)]
    conflict: ConflictBody,
    /// While it is open: the values in dispute, the one that the record shows first.
    candidates: Vec<CandidateBody>,
    /// While it is open, and the question is about a rule: what may be decided. Those that stand there and give way are named
    /// in `seen`.
    concerned: Vec<ConcernedBody>,
    /// While it is open, and the question is whether the record stays: who withdrew it.
    withdrawals: Vec<VoiceBody>,
    /// Then also: who said something that those had not seen. Letting the record go takes along what of this is `seen`.
    said_against: Vec<VoiceBody>,
    /// How it was decided; null while it is open, and when the candidates came to agree by themselves.
    decision: Option<DecisionBody>,
    /// Whether values were left out that the reader may not see.
    masked: bool,
}

/// One value in dispute.
#[derive(Serialize, ToSchema)]
#[schema(as = Candidate)]
pub struct CandidateBody {
    /// The value; of a group an object of all its fields.
    value: Value,
    /// Whether the record shows it.
    shown: bool,
    /// Who says so.
    by: Vec<VoiceBody>,
}

/// A path that a rule reads.
#[derive(Serialize, ToSchema)]
#[schema(as = Concerned)]
pub struct ConcernedBody {
    /// A field, a group or `list/key/field`; a decision names fields.
    path: String,
    /// What is said there, the value that the record shows first; nothing, when nobody has said anything.
    candidates: Vec<CandidateBody>,
}

/// Who said something, and when.
#[derive(Serialize, ToSchema)]
#[schema(as = Voice)]
pub struct VoiceBody {
    /// The entry of the log.
    v: i64,
    /// The submission that said it: what `choose.candidate` and `seen` of a resolution name.
    submission: Option<Uuid>,
    /// The decision that said it.
    decision: Option<Uuid>,
    /// Who.
    author: Option<PersonBody>,
    /// From which device.
    device: Option<Uuid>,
    /// When, by the phone's clock.
    captured_at: Option<DateTime<Utc>>,
    /// When the server received it.
    received_at: Option<DateTime<Utc>>,
}

impl VoiceBody {
    fn of(voice: &Voice, names: &HashMap<UserId, String>) -> Self {
        Self {
            v: voice.seq.0,
            submission: voice.submission.map(Uuid::from),
            decision: voice.decision,
            author: voice.author.map(|author| PersonBody::of(author, names)),
            device: voice.device.map(Uuid::from),
            captured_at: voice.captured_at,
            received_at: voice.received_at,
        }
    }
}

/// What a reviewer decided.
#[derive(Serialize, ToSchema)]
#[schema(as = Decision, example = json!({
    "id": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8f01", "v": 1244, "kind": "resolve",
    "by": {"id": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e55", "name": "Cà Thị Đào"}, "at": "2026-03-10T01:20:00Z",
    "reason": "Đã đối chiếu biên bản họp.", "choice": {"candidate": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e01"}
}))]
pub struct DecisionBody {
    /// Its id.
    id: Uuid,
    /// The entry of the log.
    v: i64,
    /// `resolve`, `release`, `discard` or `move`.
    kind: String,
    /// Who decided.
    by: PersonBody,
    /// When.
    at: Option<DateTime<Utc>>,
    /// Why. Null when whom it was about has been erased; of a resolution, for whoever may not see the values that it chose
    /// among; of a move, for whoever does not see persons there.
    reason: Value,
    /// Of a resolution: what was chosen.
    #[serde(skip_serializing_if = "Value::is_null")]
    choice: Value,
}

impl DecisionBody {
    /// A decision, as its reader may see it.
    pub fn of(decision: SeenDecision, names: &HashMap<UserId, String>) -> Self {
        let SeenDecision { stored, decided_at, body } = decision;
        let told = |name: &str| body.as_ref().and_then(|body| body.get(name)).cloned().unwrap_or_default();
        Self {
            id: stored.id,
            v: stored.seq.0,
            by: PersonBody::of(stored.actor, names),
            at: decided_at,
            reason: told("reason"),
            choice: told("choice"),
            kind: stored.kind,
        }
    }
}

impl From<ConflictDetail> for ConflictDetailBody {
    fn from(detail: ConflictDetail) -> Self {
        let ConflictDetail { seen, candidates, concerned, withdrawals, said_against, decision, values, names } = detail;
        let candidate = |(at, candidate): (usize, Candidate)| CandidateBody {
            value: candidate.value.unwrap_or_default(),
            shown: at == 0,
            by: candidate.by.iter().map(|voice| VoiceBody::of(voice, &names)).collect(),
        };
        Self {
            conflict: seen.into(),
            candidates: candidates.into_iter().enumerate().map(candidate).collect(),
            concerned: concerned
                .into_iter()
                .map(|Concerned { path, candidates }| ConcernedBody {
                    path: path.as_str().to_owned(),
                    candidates: candidates.into_iter().enumerate().map(candidate).collect(),
                })
                .collect(),
            withdrawals: withdrawals.iter().map(|voice| VoiceBody::of(voice, &names)).collect(),
            said_against: said_against.iter().map(|voice| VoiceBody::of(voice, &names)).collect(),
            decision: decision.map(|decision| DecisionBody::of(decision, &names)),
            masked: values == Values::Masked,
        }
    }
}

/// List conflicts
///
/// Those that the caller may decide, in order of id. Conflicts about persons are left out for whoever sees persons only
/// with a stated reason, and states none.
#[utoipa::path(
    tag = "review",
    params(
        ("form" = Option<String>, Query, description = "Only this form.", example = "branch_meeting"),
        ("unit" = Option<Uuid>, Query, description = "Only this unit and those below it."),
        ("record" = Option<Uuid>, Query, description = "Only of this record (its canonical id)."),
        ("state" = Option<String>, Query, description = "`open`, unless said, or `closed`.", example = "open"),
        ("limit" = Option<u16>, Query, description = "At most so many, 1 to 500; 50 unless said.", example = 50),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before, with the same filters."),
        ("x-reason" = Option<String>, Header, description = "Why, percent-encoded UTF-8: asked of whoever reads persons with a stated reason only.", example = "Th%E1%BA%A9m%20tra%20h%E1%BB%93%20s%C6%A1"),
    ),
    responses(
        (status = 200, description = "A page.", body = PageBody<ConflictBody>),
        (status = 400, description = "The query, the cursor or the reason cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The caller reviews nothing, or must state a reason for what it asks for.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`server.unaudited`: the reading cannot be noted, so nothing is shown.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/conflicts")]
pub async fn get_conflicts(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
) -> Result<Json<PageBody<ConflictBody>>, Problem> {
    let mut params = Params::read(&request)?;
    let (form, unit, record) = (params.text("form"), params.id("unit"), params.id("record"));
    let open = params.one_of("state", &[("open", true), ("closed", false)]).unwrap_or(true);
    let page = params.finish()?;
    let query = ConflictQuery { form, unit, record, open, after: page.after.map(ConflictId::new), limit: page.limit };
    let found = list_conflicts(&app, &who, stated(&request)?, query).await?.map(ConflictBody::from);
    Ok(Json(PageBody { items: found.items, next: page.next(found.next) }))
}

/// Read a conflict
///
/// While it is open, with every candidate and who said it; afterwards with the decision.
#[utoipa::path(
    tag = "review",
    params(("id" = Uuid, Path, description = "The conflict."), ("x-reason" = Option<String>, Header, description = "Why, percent-encoded UTF-8: asked of whoever reads persons with a stated reason only.", example = "Th%E1%BA%A9m%20tra%20h%E1%BB%93%20s%C6%A1")),
    responses(
        (status = 200, description = "The conflict.", body = ConflictDetailBody),
        (status = 400, description = "The id or the reason cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The caller sees the record but does not review it, or must state a reason.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such conflict within the caller's scope.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`server.unaudited`: the reading cannot be noted, so nothing is shown.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/conflicts/{id}")]
pub async fn get_conflict(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Params::read(&request)?.finish_bare()?;
    let reason = stated(&request)?;
    held::json(&app, &ConflictDetailBody::from(read_conflict(&app, &who, reason, id.into_inner().into()).await?))
}
