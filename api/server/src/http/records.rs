//! `/v1/records`: what the store holds, and who said it.

use super::conflicts::DecisionBody;
use super::error::{Problem, ProblemBody};
use super::held;
use super::page::{PageBody, position_of};
use super::push::ResultBody;
use super::query::Params;
use super::reason::stated;
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::list_records::{RecordQuery, list_records};
use crate::usecases::read_record::{RecordDetail, SeenRecord, read_record};
use crate::usecases::read_submissions::{SeenSubmission, read_submissions};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{DateTime, NaiveDate, Utc};
use muong_domain::id::{RecordId, UserId};
use muong_domain::record::OpenConflict;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use utoipa::ToSchema;
use uuid::Uuid;

/// The merged current state of one meeting, person, step …
#[derive(Serialize, ToSchema)]
#[schema(as = Record, example = json!({
    "id": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e02", "form": "branch_meeting",
    "unit": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e72", "state": "live", "v": 1237, "occurred_on": "2026-03-05",
    "subject": null, "disputed": true,
    "data": {"period": "2026-03", "type": "regular", "held_on": "2026-03-05", "on_roll": 14, "expected": 13, "present": 11},
    "versions": {"identity": 1237, "roll": 1237}, "aliases": ["0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e03"],
    "open_conflicts": [{"id": "5e3c2c1c-6a0e-5a0c-8a8e-0a4be61d4f55", "path": "roll", "code": "merge.conflict",
        "fields": ["present", "unexcused"]}]
}))]
pub struct RecordBody {
    /// Its canonical id.
    id: Uuid,
    /// Its form.
    form: String,
    /// The unit that it belongs to.
    unit: Uuid,
    /// `live`, or `deleted` when it has been withdrawn.
    state: &'static str,
    /// The entry of the log that changed it last.
    v: i64,
    /// The day that it is about.
    occurred_on: Option<NaiveDate>,
    /// The person whom it is about.
    subject: Option<Uuid>,
    /// Whether a reviewer has something to decide about it.
    disputed: bool,
    /// Field → value; list → item key → field → value. `masked` names what the reader may not see.
    data: Value,
    /// Path (field, group, or `list/key/field`) → the entry that said last what is shown there.
    versions: BTreeMap<String, i64>,
    /// Other ids by which phones know it.
    aliases: Vec<Uuid>,
    /// What is in dispute.
    open_conflicts: Vec<OpenConflictBody>,
    /// Whom it is about has been erased, and with them every personal value of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
}

/// An open question about a record.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenConflict)]
pub struct OpenConflictBody {
    /// Its id, for `/v1/conflicts/{id}`.
    id: Uuid,
    /// Where.
    #[schema(example = "roll")]
    path: String,
    /// Why.
    #[schema(example = "merge.conflict")]
    code: String,
    /// The names that differ.
    fields: Vec<String>,
}

impl From<OpenConflict> for OpenConflictBody {
    fn from(open: OpenConflict) -> Self {
        let OpenConflict { id, path, contest, fields } = open;
        Self { id: id.uuid(), path: path.as_str().to_owned(), code: contest.code, fields }
    }
}

impl From<SeenRecord> for RecordBody {
    fn from(seen: SeenRecord) -> Self {
        let SeenRecord { stored, data, aliases, erased } = seen;
        let open = stored.record.open_conflicts();
        let versions = stored.record.cells.iter();
        Self {
            id: stored.record.id.uuid(),
            unit: stored.record.unit.uuid(),
            state: if stored.live { "live" } else { "deleted" },
            v: stored.record.version.0,
            occurred_on: stored.occurred_on,
            subject: stored.subject.map(Uuid::from),
            disputed: !open.is_empty(),
            data,
            versions: versions.map(|(path, cell)| (path.as_str().to_owned(), cell.version().0)).collect(),
            aliases: aliases.into_iter().map(Uuid::from).collect(),
            open_conflicts: open.into_iter().map(OpenConflictBody::from).collect(),
            form: stored.record.form,
            erased,
        }
    }
}

/// A record with how it came from other units.
#[derive(Serialize, ToSchema)]
#[schema(as = RecordDetail)]
pub struct RecordDetailBody {
    /// The record.
    #[serde(flatten)]
    record: RecordBody,
    /// When, by whom and why it was put into another unit: the last 50 times, the first of them first. A step goes with its
    /// person, where this is told. `reason` is null for whoever sees no persons there (or must state why, and does not), and
    /// when whom it was about has been erased since.
    moves: Vec<DecisionBody>,
}

impl From<RecordDetail> for RecordDetailBody {
    fn from(detail: RecordDetail) -> Self {
        let RecordDetail { seen, moves, names } = detail;
        let moves = moves.into_iter().map(|decision| DecisionBody::of(decision, &names)).collect();
        Self { record: seen.into(), moves }
    }
}

/// Somebody who had a part in something.
#[derive(Serialize, ToSchema)]
#[schema(as = Person)]
pub struct PersonBody {
    /// Who.
    id: Uuid,
    /// What they are called.
    #[schema(example = "Lò Văn Páo")]
    name: Option<String>,
}

impl PersonBody {
    /// Somebody, with the name that was found.
    pub fn of(id: UserId, names: &HashMap<UserId, String>) -> Self {
        Self { id: id.uuid(), name: names.get(&id).cloned() }
    }
}

/// A submission that has become part of a record: who said what, when, and how it was answered.
#[derive(Serialize, ToSchema)]
#[schema(as = SubmissionBehind)]
pub struct SubmissionBehindBody {
    /// The submission.
    id: Uuid,
    /// The entry of the log that recorded it.
    v: i64,
    /// Its number on its device.
    n: Option<i64>,
    /// `create`, `edit` or `delete`.
    #[schema(example = "create")]
    kind: Option<String>,
    /// The form.
    form: Option<String>,
    /// The unit that it names.
    unit: Option<Uuid>,
    /// The version of the form that was filled in.
    form_version: Option<i32>,
    /// Who said it.
    author: PersonBody,
    /// Who was signed in when it was pushed.
    pushed_by: PersonBody,
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
    /// When the server received it: the only time that rules go by.
    received_at: DateTime<Utc>,
    /// How many seconds the phone's clock was behind the server's (negative: ahead of it).
    #[schema(example = 12)]
    clock_offset_seconds: Option<i64>,
    /// What was said, as it came: `set` and `items`, each change with the value that it was made from. What the reader
    /// may not see is `{"masked": true}`.
    said: Option<Value>,
    /// Whom it was about has been erased since, and with them what was said.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
    /// How it was answered.
    result: ResultBody,
    /// How it was merged, when a reviewer released it from quarantine.
    released: Option<ResultBody>,
}

impl SubmissionBehindBody {
    fn of(seen: SeenSubmission, names: &HashMap<UserId, String>) -> Self {
        let clock_offset_seconds = seen.clock_offset().map(|offset| offset.num_seconds());
        let SeenSubmission { stored, origin, received_at, said, result, released } = seen;
        Self {
            id: stored.id.uuid(),
            v: stored.seq.0,
            n: stored.n,
            kind: stored.kind,
            form: stored.form,
            unit: stored.unit.map(Uuid::from),
            form_version: origin.form_version,
            author: PersonBody::of(stored.author, names),
            pushed_by: PersonBody::of(origin.pushed_by, names),
            on_behalf_of: origin.on_behalf_of.map(|user| PersonBody::of(user, names)),
            device: stored.device.uuid(),
            client: origin.client,
            captured_at: stored.captured_at,
            sent_at: origin.sent_at,
            received_at,
            clock_offset_seconds,
            said,
            erased: stored.told.is_none(),
            result: ResultBody::from(&result),
            released: released.as_ref().map(ResultBody::from),
        }
    }
}

/// List records
///
/// In order of id; the people of one branch (`form=person` with `unit` a branch) in the order of their given names.
/// Records about persons are left out for whoever may not see persons, or only with a stated reason.
#[utoipa::path(
    tag = "records",
    params(
        ("form" = Option<String>, Query, description = "Only this form.", example = "branch_meeting"),
        ("unit" = Option<Uuid>, Query, description = "Only this unit and those below it."),
        ("subject" = Option<Uuid>, Query, description = "Only about this person; what names somebody of whom there is no record is about itself."),
        ("state" = Option<String>, Query, description = "`live` or `deleted`.", example = "live"),
        ("disputed" = Option<bool>, Query, description = "Only with open conflicts, or only without."),
        ("from" = Option<NaiveDate>, Query, description = "On or after this day.", example = "2026-03-01"),
        ("to" = Option<NaiveDate>, Query, description = "On or before this day.", example = "2026-03-31"),
        ("name" = Option<String>, Query, description = "Only people whose name, from one of its words on, begins so, whatever its marks. `unit` must be a branch.", example = "vu a"),
        ("limit" = Option<u16>, Query, description = "At most so many, 1 to 500; 50 unless said.", example = 50),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before, with the same filters."),
        ("x-reason" = Option<String>, Header, description = "Why, percent-encoded UTF-8: asked of whoever reads persons with a stated reason only.", example = "Th%E1%BA%A9m%20tra%20h%E1%BB%93%20s%C6%A1"),
    ),
    responses(
        (status = 200, description = "A page.", body = PageBody<RecordBody>),
        (status = 400, description = "The query, the cursor or the reason cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The role reads no content, or must state a reason for what it asks for.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`person.name_needs_branch`: a name is searched within one branch only.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`server.unaudited`: the reading cannot be noted, so nothing is shown.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/records")]
pub async fn get_records(app: Data<App>, who: Authenticated, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut params = Params::read(&request)?;
    let query = RecordQuery {
        form: params.text("form"),
        unit: params.id("unit"),
        subject: params.id("subject"),
        live: params.one_of("state", &[("live", true), ("deleted", false)]),
        disputed: params.flag("disputed"),
        from: params.date("from"),
        to: params.date("to"),
        name: params.name("name"),
        ..RecordQuery::default()
    };
    let page = params.finish()?;
    let query = RecordQuery { after: page.after.map(RecordId::new), limit: page.limit, ..query };
    let found = list_records(&app, &who, stated(&request)?, query).await?.map(RecordBody::from);
    held::json(&app, &PageBody { items: found.items, next: page.next(found.next) })
}

/// Read a record
///
/// By its id, or by another id under which a phone knows it; with how it came from other units (`moves`).
#[utoipa::path(
    tag = "records",
    params(("id" = Uuid, Path, description = "The record, or an alias of it."), ("x-reason" = Option<String>, Header, description = "Why, percent-encoded UTF-8: asked of whoever reads persons with a stated reason only.", example = "Th%E1%BA%A9m%20tra%20h%E1%BB%93%20s%C6%A1")),
    responses(
        (status = 200, description = "The record.", body = RecordDetailBody),
        (status = 400, description = "The id or the reason cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The role reads no content, or must state a reason.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such record within the caller's scope.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`server.unaudited`: the reading cannot be noted, so nothing is shown.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/records/{id}")]
pub async fn get_record(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Params::read(&request)?.finish_bare()?;
    let reason = stated(&request)?;
    held::json(&app, &RecordDetailBody::from(read_record(&app, &who, reason, id.into_inner().into()).await?))
}

/// Read the submissions behind a record
///
/// In order of receipt: who said what, captured when by the phone's clock, received when by the server's, and by how
/// much the two differed. A page of long submissions holds fewer than `limit`: go on until `next` is null.
#[utoipa::path(
    tag = "records",
    params(("id" = Uuid, Path, description = "The record, or an alias of it."), ("limit" = Option<u16>, Query, description = "At most so many, 1 to 500; 50 unless said.", example = 50), ("cursor" = Option<String>, Query, description = "The `next` of the page before, with the same filters."), ("x-reason" = Option<String>, Header, description = "Why, percent-encoded UTF-8: asked of whoever reads persons with a stated reason only.", example = "Th%E1%BA%A9m%20tra%20h%E1%BB%93%20s%C6%A1")),
    responses(
        (status = 200, description = "A page.", body = PageBody<SubmissionBehindBody>),
        (status = 400, description = "The query, the cursor or the reason cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The role reads no content, or must state a reason.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such record within the caller's scope.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`server.unaudited`: the reading cannot be noted, so nothing is shown.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/records/{id}/submissions")]
pub async fn get_submissions(
    app: Data<App>,
    who: Authenticated,
    id: Path<Uuid>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let page = Params::read(&request)?.finish()?;
    let reason = stated(&request)?;
    let found = read_submissions(&app, &who, reason, id.into_inner().into(), page.after_seq(), page.limit).await?;
    let next = page.next(found.page.next.map(position_of));
    let items = found.page.items.into_iter().map(|seen| SubmissionBehindBody::of(seen, &found.names));
    held::json(&app, &PageBody { items: items.collect(), next })
}
