//! `/v1/sync/pull`: what a phone is told, in its form on the wire. What that is, the use case says.

use super::body;
use super::connection::Traffic;
use super::error::{Problem, ProblemBody, TextBody};
use super::held;
use super::units::UnitBody;
use super::visit;
use crate::messages::{self, Args};
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::pull::hash::{Hash, Sum};
use crate::usecases::pull::message::{Message, RecordState};
use crate::usecases::pull::{Asking, Pulled, Reset, Told, pull_changes};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, post};
use chrono::TimeDelta;
use muong_domain::access::HeldGrant;
use muong_domain::id::Seq;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;
use std::future::pending;
use std::num::NonZeroU16;
use std::rc::Rc;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// How many messages a page holds unless it is said.
const USUAL: usize = 500;

/// How long a device waits that has more pulls waiting than it should.
const MANY_WAIT: TimeDelta = TimeDelta::seconds(5);

/// What a request for the hash takes from the budget of pulls: by default 30 at once, and 12 a minute.
const COST_OF_HASH: u32 = 100;

/// Where a phone stands, and what it wants.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Pull, example = json!({"cursor": null, "limit": 500, "wait_s": 25, "at_least": 1239}))]
pub struct PullBody {
    /// The `cursor` of the last answer; null or left out: the phone has nothing yet.
    #[serde(default)]
    cursor: Option<String>,
    /// At most so many messages, up to 1,000; 500 unless said.
    #[serde(default)]
    #[schema(value_type = Option<u16>, minimum = 1)]
    limit: Option<NonZeroU16>,
    /// So many seconds, up to 25, the answer may wait for something new.
    #[serde(default)]
    wait_s: u16,
    /// The answer must be as new as this entry of the log, of the history that the cursor is of. It is not looked at when the
    /// store's is another one by now: the answer names its epoch.
    #[serde(default)]
    at_least: Option<i64>,
    /// Whether to answer, once there is no more, a hash of what the phone has then. It is answered at once whatever
    /// `wait_s` says, and counts as 100 pulls in the budget of the device: once a day is enough.
    #[serde(default)]
    hash: bool,
}

/// A page, or why the phone has to begin anew.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Pulled)]
pub enum PulledBody {
    /// A page.
    Page(PageOfMessagesBody),
    /// Keep the outbox, pull without a cursor, and delete what did not come again.
    Reset(ResetBody),
}

/// A page.
#[derive(Serialize, ToSchema)]
#[schema(as = PulledPage, example = json!({
    "epoch": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e10", "head": 1260, "cursor": "AQGZ0qRvXnwRmlI_bRwLjhAB", "more": false,
    "durable_before": 1200,
    "messages": [
        {"t": "put", "kind": "branch_meeting", "id": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e02", "v": 1240,
            "unit": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e72", "state": "live", "data": {"period": "2026-03", "present": 11},
            "open_conflicts": ["roll"]},
        {"t": "tombstone", "id": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e05", "unit": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e72", "v": 1242},
        {"t": "alias", "id": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e03", "record": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e02",
            "unit": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e72", "v": 1243},
        {"t": "purge", "id": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e04", "v": 1250},
        {"t": "purge_scope", "unit": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e73"},
        {"t": "notice", "about": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e01", "code": "quarantine.released", "v": 1260,
            "message": {"vi": "Báo cáo của đồng chí đã được cho qua.", "en": "Your submission was released."}}
    ]
}))]
pub struct PageOfMessagesBody {
    /// Which history of the store this is. Another than before: what the phone pushed and is not yet in a backup it
    /// pushes again. Its cursor may go on.
    epoch: Uuid,
    /// The last entry of the log.
    head: i64,
    /// Where the phone stands once it has taken in the messages: to be sent with the next pull. It grants nothing.
    cursor: String,
    /// Whether there is more now.
    more: bool,
    /// What the phone pushed is in a finished backup up to this entry; what came later it keeps. 0: there is none yet.
    durable_before: i64,
    /// In order: each replaces what the phone knew of the same thing.
    messages: Vec<MessageBody>,
    /// If it was asked for and there is no more: what the phone has once it has taken in the messages. Left out where that
    /// is too much (more than 50,000 things).
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<HashBody>,
}

/// A hash of what a phone has. A phone that computes another one from its copy pulls without a cursor and deletes what did
/// not come again, as after `reset`; its outbox stays.
///
/// Each thing is one line of text, without an end of line, ids in lower case with hyphens: of each `put`
/// `<kind> <id> <v>`; of each alias whose record the phone has in that unit `alias <id> <unit> <record>`. Withdrawn and purged records and
/// notices do not count. The SHA-256 digests of the lines are put together by exclusive or, so the order does not matter and
/// a phone can carry it on with each message; nothing at all is 64 zeros.
#[derive(Serialize, ToSchema)]
#[schema(as = PulledHash, example = json!({
    "all": "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9", "things": 1,
    "units": {"0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e72": "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"}
}))]
pub struct HashBody {
    /// Of everything, 64 hexadecimal digits.
    all: String,
    /// How many things that are.
    things: u64,
    /// Of what lies in each unit: the unit itself, its records, their aliases; no forms, no grants. Left out when there
    /// are more than 256 units.
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<BTreeMap<Uuid, String>>,
}

impl From<Hash> for HashBody {
    fn from(Hash { all, things, units }: Hash) -> Self {
        let units = units.map(|units| units.into_iter().map(|(unit, sum)| (unit.uuid(), hexadecimal(sum))).collect());
        Self { all: hexadecimal(all), things, units }
    }
}

fn hexadecimal(sum: Sum) -> String {
    sum.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The phone has to begin anew.
#[derive(Serialize, ToSchema)]
#[schema(as = PulledReset, example = json!({
    "epoch": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e10", "head": 1260, "reset": {"reason": "epoch"}
}))]
pub struct ResetBody {
    /// Which history of the store this is.
    epoch: Uuid,
    /// The last entry of the log.
    head: i64,
    /// Why.
    reset: ReasonBody,
}

/// Why a phone has to begin anew.
#[derive(Serialize, ToSchema)]
#[schema(as = ResetReason)]
pub struct ReasonBody {
    /// `epoch`: its cursor is of what the store lost in a restore or a promotion; `compacted`: it was away for too long;
    /// `ahead`: its cursor is of entries that this store does not have.
    #[schema(example = "epoch")]
    reason: &'static str,
}

/// One thing that a phone is told.
#[derive(Serialize, ToSchema)]
#[serde(tag = "t", rename_all = "snake_case")]
#[schema(as = Message)]
pub enum MessageBody {
    /// The current state of something.
    Put(PutBody),
    /// A record was withdrawn.
    Tombstone(TombstoneBody),
    /// Another id of a record, within a unit. It stands until the unit is purged, also when the record is withdrawn.
    Alias(AliasBody),
    /// A record is to be deleted from the phone. What the phone has not sent yet of it stays in the outbox.
    Purge(PurgeBody),
    /// Everything of a unit is to be deleted from the phone, and what other ids mean there; not the user's own grants, which
    /// name a unit and are told by themselves. What it has not sent yet stays in the outbox.
    PurgeScope(PurgeScopeBody),
    /// Something was decided about what the user has said.
    Notice(NoticeBody),
}

/// The current state of a record, a unit, a form or a grant.
#[derive(Serialize, ToSchema)]
#[schema(as = Put)]
pub struct PutBody {
    /// A form's code, `unit`, `form` or `grant`.
    #[schema(example = "branch_meeting")]
    kind: String,
    /// Its id.
    id: Uuid,
    /// The entry that changed it last.
    v: i64,
    /// Of a record: the unit that it belongs to; of a unit: itself; of a grant: over which it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<Uuid>,
    /// Of a record: `live`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// Of a record: the person whom it is about; its own id where it names somebody of whom there is no record.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Uuid>,
    /// Of a record as in `GET /v1/records/{id}`, of a unit as `GET /v1/units/{id}`, of a form its definition, of a grant
    /// `{"role","unit","valid_from","valid_to"}`.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
    /// Of a record: the paths that wait for a reviewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    open_conflicts: Option<Vec<String>>,
}

/// A withdrawn record.
#[derive(Serialize, ToSchema)]
#[schema(as = Tombstone)]
pub struct TombstoneBody {
    id: Uuid,
    unit: Uuid,
    v: i64,
}

/// Another id of a record.
#[derive(Serialize, ToSchema)]
#[schema(as = Alias)]
pub struct AliasBody {
    /// The other id.
    id: Uuid,
    /// The canonical one.
    record: Uuid,
    unit: Uuid,
    v: i64,
}

/// A record that is seen no more.
#[derive(Serialize, ToSchema)]
#[schema(as = Purge)]
pub struct PurgeBody {
    id: Uuid,
    v: i64,
}

/// A unit of which nothing is seen any more, or less.
#[derive(Serialize, ToSchema)]
#[schema(as = PurgeScope)]
pub struct PurgeScopeBody {
    unit: Uuid,
}

/// A decision.
#[derive(Serialize, ToSchema)]
#[schema(as = Notice)]
pub struct NoticeBody {
    /// The submission, or the record of a decided conflict.
    about: Uuid,
    /// `quarantine.released`, `.discarded`, `.replaced`, `.erased`, or `conflict.decided`.
    #[schema(example = "quarantine.released")]
    code: &'static str,
    /// The decided conflict.
    #[serde(skip_serializing_if = "Option::is_none")]
    conflict: Option<Uuid>,
    v: i64,
    message: TextBody,
}

impl PutBody {
    fn of(kind: &str, id: Uuid, v: Seq, data: Box<RawValue>) -> Self {
        let kind = kind.to_owned();
        Self { kind, id, v: v.0, unit: None, state: None, subject: None, data, open_conflicts: None }
    }
}

impl From<RecordState> for PutBody {
    fn from(state: RecordState) -> Self {
        Self {
            unit: Some(state.unit.uuid()),
            state: Some("live"),
            subject: state.subject.map(Uuid::from),
            open_conflicts: Some(state.open_conflicts),
            ..Self::of(&state.form, state.id.uuid(), state.v, state.data)
        }
    }
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>, Problem> {
    to_raw_value(value).map_err(|error| Problem::internal(&error))
}

fn grant(held: &HeldGrant, v: Seq) -> Result<PutBody, Problem> {
    let HeldGrant { id, role, unit, valid_from, valid_to, .. } = held;
    let data = raw(&json!({"role": role, "unit": unit, "valid_from": valid_from, "valid_to": valid_to}))?;
    Ok(PutBody { unit: Some(unit.uuid()), ..PutBody::of("grant", id.uuid(), v, data) })
}

fn body(message: Message) -> Result<MessageBody, Problem> {
    Ok(match message {
        Message::Record(state) => MessageBody::Put(state.into()),
        Message::Unit(seen, v) => {
            let id = seen.unit.id.uuid();
            let put = PutBody::of("unit", id, v, raw(&UnitBody::from(seen))?);
            MessageBody::Put(PutBody { unit: Some(id), ..put })
        }
        Message::Form(id, form, v) => {
            let definition = RawValue::from_string(form.definition_json().to_owned());
            MessageBody::Put(PutBody::of("form", id, v, definition.map_err(|error| Problem::internal(&error))?))
        }
        Message::Grant(held, v) => MessageBody::Put(grant(&held, v)?),
        Message::Tombstone { id, unit, v } => {
            MessageBody::Tombstone(TombstoneBody { id: id.uuid(), unit: unit.uuid(), v: v.0 })
        }
        Message::Alias { id, record, unit, v } => {
            MessageBody::Alias(AliasBody { id: id.uuid(), record: record.uuid(), unit: unit.uuid(), v: v.0 })
        }
        Message::Purge { id, v } => MessageBody::Purge(PurgeBody { id: id.uuid(), v: v.0 }),
        Message::PurgeScope(unit) => MessageBody::PurgeScope(PurgeScopeBody { unit: unit.uuid() }),
        Message::Notice { about, code, conflict, v } => {
            let message = messages::text(code, &Args::new()).into();
            MessageBody::Notice(NoticeBody { about, code, conflict, v: v.0, message })
        }
    })
}

fn reason(reset: Reset) -> &'static str {
    match reset {
        Reset::Epoch => "epoch",
        Reset::Compacted => "compacted",
        Reset::Ahead => "ahead",
    }
}

fn pulled(pulled: Pulled) -> Result<PulledBody, Problem> {
    let (epoch, head) = (pulled.epoch, pulled.head.0);
    Ok(match pulled.told {
        Err(reset) => PulledBody::Reset(ResetBody { epoch, head, reset: ReasonBody { reason: reason(reset) } }),
        Ok(Told { cursor, more, durable_before, messages, hash }) => PulledBody::Page(PageOfMessagesBody {
            epoch,
            head,
            cursor,
            more,
            durable_before: durable_before.0,
            messages: messages.into_iter().map(body).collect::<Result<_, _>>()?,
            hash: hash.map(HashBody::from),
        }),
    })
}

/// Pull what is new
///
/// Without a cursor: everything that the caller may see, page by page; with the cursor of the last answer: what has
/// changed since, also in what the caller may see. Ask again at once while `more` is true. Of records about persons a role
/// that must state a reason to read them gets none here: those are read one by one. A page may be empty although there is
/// more. A unit that is founded, called otherwise or dissolved from a coming day is told at once as it still is, with its
/// `versions`, and on that day (of Hanoi) again as it is from then on, with the same `v`. With `hash` a phone checks what it
/// has.
#[utoipa::path(
    tag = "sync",
    request_body = PullBody,
    responses(
        (status = 200, description = "A page, or `reset`: keep the outbox and begin anew without a cursor.", body = PulledBody),
        (status = 400, description = "The body cannot be read, or the cursor is not one that this user was given.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in, or no longer.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "Over the limits.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`request.throttled`: more than one device may pull; again after `Retry-After`.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`sync.behind`: this server has not reached `at_least` yet; again after `Retry-After`, or elsewhere. Names `epoch` and `head`: in another epoch than that of the entry, ask without `at_least` and push again what is in no backup yet.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`server.busy`: too many wait; `server.unaudited`: the reading cannot be noted; `server.not_ready`: the database has just been changed over. Again after `Retry-After`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[post("/v1/sync/pull", wrap = "from_fn(visit::fitted)")]
pub async fn post_pull(
    app: Data<App>,
    who: Authenticated,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let now = app.clock.now();
    app.throttle.pull.take(who.device, 1, now).map_err(|wait| Problem::throttled("request.throttled", wait))?;
    let asked: PullBody = Box::pin(body::json(&request, payload, &app.config.limits)).await?;
    if asked.hash {
        let cost = COST_OF_HASH.min(app.config.throttle.pull_requests_burst) - 1;
        let taken = app.throttle.pull.take(who.device, cost, now);
        taken.map_err(|wait| Problem::throttled("request.throttled", wait))?;
    }
    let waits = asked.wait_s > 0 || asked.at_least.is_some();
    let place = waits.then(|| app.capacity.waiting_of.take(who.device)).transpose();
    let _place = place.map_err(|_many| Problem::throttled("request.throttled", MANY_WAIT))?;
    let asking = Asking {
        cursor: asked.cursor,
        limit: asked.limit.map_or(USUAL, |limit| limit.get().into()),
        wait: Duration::from_secs(asked.wait_s.into()),
        at_least: asked.at_least.map(Seq),
        hash: asked.hash,
    };
    let traffic = request.conn_data::<Rc<Traffic>>().cloned();
    let left = async move {
        match traffic {
            Some(traffic) => traffic.left().await,
            None => pending().await,
        }
    };
    held::json(&app, &pulled(Box::pin(pull_changes(&app, who, asking, left)).await?)?)
}
