//! `/v1/quarantine`: submissions that wait for a reviewer, or did. What is decided about them is `decisions.rs`'s.

use super::conflicts::DecisionBody;
use super::error::{FindingBody, Problem, ProblemBody};
use super::held;
use super::page::PageBody;
use super::push::ResultBody;
use super::query::Params;
use super::reason::stated;
use super::records::PersonBody;
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::list_quarantine::{QuarantineQuery, SeenQuarantine, list_quarantine};
use crate::usecases::read_quarantined::{Content, QuarantinedDetail, read_quarantined};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{DateTime, Utc};
use muong_domain::id::QuarantineId;
use muong_store::quarantine::Closing;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A submission that waits, whole, for a reviewer.
#[derive(Serialize, ToSchema)]
#[schema(as = Quarantined, example = json!({
    "id": "1c6b7e6e-0d9c-5b0e-9d1e-3f6d1c0b8e99", "submission": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e01",
    "author": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e55", "unit": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e72",
    "form": "branch_meeting", "subject": null, "code": "meeting.roll_sum",
    "errors": [{"code": "meeting.roll_sum", "pointer": "/set/present", "message": {"vi": "…", "en": "…"}}],
    "waits_on": null, "state": "open", "closing": null, "opened_v": 1240, "opened_at": "2026-03-09T02:11:03Z", "closed_v": null,
    "closed_at": null
}))]
pub struct QuarantinedBody {
    /// Its id here.
    id: Uuid,
    /// The submission.
    submission: Uuid,
    /// Who sent it.
    author: Uuid,
    /// The unit that it names, when there is such a unit.
    unit: Option<Uuid>,
    /// The form that it names, when that can be read.
    form: Option<String>,
    /// The person whom it is about.
    subject: Option<Uuid>,
    /// The first reason.
    code: String,
    /// All reasons, with their texts.
    errors: Vec<FindingBody>,
    /// The quarantined submission that it builds on.
    waits_on: Option<Uuid>,
    /// `open` while it waits, then `closed`.
    state: &'static str,
    /// How it left: `released`, `discarded`, `replaced` or (whom it is about) `erased`; null while it waits.
    closing: Option<&'static str>,
    /// The entry since which it waits.
    opened_v: i64,
    /// Since when.
    opened_at: Option<DateTime<Utc>>,
    /// The entry that ended the wait.
    closed_v: Option<i64>,
    /// Until when.
    closed_at: Option<DateTime<Utc>>,
}

impl From<SeenQuarantine> for QuarantinedBody {
    fn from(seen: SeenQuarantine) -> Self {
        let SeenQuarantine { stored, reasons, opened_at, closed_at } = seen;
        Self {
            id: stored.id.uuid(),
            submission: stored.submission.uuid(),
            author: stored.author.uuid(),
            unit: stored.unit.map(Uuid::from),
            form: stored.form,
            subject: stored.subject.map(Uuid::from),
            code: stored.code,
            errors: reasons.iter().map(FindingBody::from).collect(),
            waits_on: stored.waits_on.map(Uuid::from),
            state: if stored.closed.is_some() { "closed" } else { "open" },
            closing: stored.closing.map(Closing::as_str),
            opened_v: stored.opened.0,
            opened_at,
            closed_v: stored.closed.map(|seq| seq.0),
            closed_at,
        }
    }
}

/// What was sent.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
#[schema(as = QuarantinedContent, example = json!({"kind": "json", "value": {"n": 41, "set": {"present": {"to": 11}}}}))]
pub enum ContentBody {
    /// JSON that can be read.
    Json(Value),
    /// Text that is no JSON that the server reads, as it came.
    Text(String),
    /// Bytes that are no text, in base64.
    Base64(String),
    /// It cannot be read, so nobody can tell which of it is personal, and the reader may not see what is.
    Masked,
    /// It is gone: whom it was about has been erased.
    Erased,
}

impl From<Content> for ContentBody {
    fn from(content: Content) -> Self {
        match content {
            Content::Json(value) => Self::Json(value),
            Content::Text(text) => Self::Text(text),
            Content::Bytes(base64) => Self::Base64(base64),
            Content::Masked => Self::Masked,
            Content::Erased => Self::Erased,
        }
    }
}

/// A quarantined submission with all that a decision needs.
#[derive(Serialize, ToSchema)]
#[schema(as = QuarantinedDetail)]
pub struct QuarantinedDetailBody {
    /// Where it waits, why and since when.
    #[serde(flatten)]
    quarantined: QuarantinedBody,
    /// What was sent, whole.
    content: ContentBody,
    /// Who sent it.
    sent_by: PersonBody,
    /// On whose behalf.
    on_behalf_of: Option<PersonBody>,
    /// From which device.
    device: Uuid,
    /// Its client and version.
    client: Option<String>,
    /// When it was said, by the phone's clock.
    captured_at: Option<DateTime<Utc>>,
    /// When it was pushed, by the phone's clock.
    sent_at: Option<DateTime<Utc>>,
    /// How many seconds the phone's clock was behind the server's (negative: ahead of it).
    clock_offset_seconds: Option<i64>,
    /// How its release ended.
    released: Option<ResultBody>,
    /// What was decided about it.
    decisions: Vec<DecisionBody>,
}

impl From<QuarantinedDetail> for QuarantinedDetailBody {
    fn from(detail: QuarantinedDetail) -> Self {
        let QuarantinedDetail { seen, content, device, captured_at, origin, released, decisions, names } = detail;
        let offset = seen.opened_at.and_then(|received| Some(received - origin.sent_at?));
        Self {
            sent_by: PersonBody::of(seen.stored.author, &names),
            quarantined: seen.into(),
            content: content.into(),
            on_behalf_of: origin.on_behalf_of.map(|user| PersonBody::of(user, &names)),
            device: device.uuid(),
            client: origin.client,
            captured_at,
            sent_at: origin.sent_at,
            clock_offset_seconds: offset.map(|offset| offset.num_seconds()),
            released: released.as_ref().map(ResultBody::from),
            decisions: decisions.into_iter().map(|decision| DecisionBody::of(decision, &names)).collect(),
        }
    }
}

/// List quarantined submissions
///
/// The caller's own; for a reviewer, unless `mine=true`, those within the scope of review. What names no unit that
/// exists is for whoever reviews the whole province; what is (or may be) about persons for whoever may see persons.
#[utoipa::path(
    tag = "review",
    params(
        ("mine" = Option<bool>, Query, description = "Only the own; the default of whoever reviews nothing."),
        ("unit" = Option<Uuid>, Query, description = "Only this unit and those below it."),
        ("form" = Option<String>, Query, description = "Only this form.", example = "branch_meeting"),
        ("state" = Option<String>, Query, description = "`open` (still waiting), unless said, `closed` or `all`.", example = "open"),
        ("limit" = Option<u16>, Query, description = "At most so many, 1 to 500; 50 unless said.", example = 50),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before, with the same filters."),
        ("x-reason" = Option<String>, Header, description = "Why, percent-encoded UTF-8: asked of whoever reads persons with a stated reason only.", example = "Th%E1%BA%A9m%20tra%20h%E1%BB%93%20s%C6%A1"),
    ),
    responses(
        (status = 200, description = "A page.", body = PageBody<QuarantinedBody>),
        (status = 400, description = "The query, the cursor or the reason cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The role reads no content, reviews nothing and asks for others' submissions, or must state a reason for what it asks for.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`server.unaudited`: the reading cannot be noted, so nothing is shown.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/quarantine")]
pub async fn get_quarantine(app: Data<App>, who: Authenticated, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut params = Params::read(&request)?;
    let (mine, unit, form) = (params.flag("mine"), params.id("unit"), params.text("form"));
    let states = [("open", Some(true)), ("closed", Some(false)), ("all", None)];
    let open = params.one_of("state", &states).unwrap_or(Some(true));
    let page = params.finish()?;
    let after = page.after.map(QuarantineId::new);
    let query = QuarantineQuery { mine, unit, form, open, after, limit: page.limit };
    let found = list_quarantine(&app, &who, stated(&request)?, query).await?.map(QuarantinedBody::from);
    held::json(&app, &PageBody { items: found.items, next: page.next(found.next) })
}

/// Read a quarantined submission
///
/// Whole, as it was sent, with the reasons and what was decided. Its author may always read it.
#[utoipa::path(
    tag = "review",
    params(("id" = Uuid, Path, description = "Its id in quarantine."), ("x-reason" = Option<String>, Header, description = "Why, percent-encoded UTF-8: asked of whoever reads persons with a stated reason only.", example = "Th%E1%BA%A9m%20tra%20h%E1%BB%93%20s%C6%A1")),
    responses(
        (status = 200, description = "The submission.", body = QuarantinedDetailBody),
        (status = 400, description = "The id or the reason cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The role reads no content, or must state a reason.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such submission of the caller's own, or within the scope of review.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`server.unaudited`: the reading cannot be noted, so nothing is shown.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/quarantine/{id}")]
pub async fn get_quarantined(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Params::read(&request)?.finish_bare()?;
    let reason = stated(&request)?;
    let found = read_quarantined(&app, &who, reason, id.into_inner().into()).await?;
    held::json(&app, &QuarantinedDetailBody::from(found))
}
