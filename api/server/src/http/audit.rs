//! `/v1/audit`: the audit trail, for inspection.

use super::error::{Problem, ProblemBody};
use super::held;
use super::page::PageBody;
use super::query::Params;
use super::records::PersonBody;
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::list_audit::{AuditQuery, list_audit};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{DateTime, Utc};
use muong_domain::id::UserId;
use muong_store::trail::{Place, Trace};
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// Kinds of changes whose content says who may do what since when, or from where to where something went; it holds nothing else.
const TOLD: [&str; 5] = ["user", "device", "session", "grant", "move"];

/// One item of the audit trail: a change (with `v`), or a row of an audit chain (with `chain` and `position`).
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry, example = json!({
    "at": "2026-03-09T02:11:03.120034Z", "kind": "read", "v": null, "chain": "019cbf00-0000-7000-8000-000000000001", "position": 4711,
    "user": {"id": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e55", "name": "Cà Thị Đào"},
    "device": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e77", "grant": null, "what": "get_record", "outcome": "ok",
    "reason": "Thẩm định hồ sơ kết nạp", "about": null, "change": null, "unit": null,
    "concerns": [{"id": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e02", "unit": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e72"}],
    "request_id": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e99", "address": "10.20.30.40"
}))]
pub struct TraceBody {
    /// When.
    at: DateTime<Utc>,
    /// What kind: `sign_in`, `refusal`, `read`, `export` or `audit_read`; of changes `submission`, `resolve`, `release`,
    /// `discard`, `move`, `user`, `grant`, `device`, `session`, `unit`, `form`, `epoch` …
    kind: String,
    /// Of a change: its entry of the log.
    v: Option<i64>,
    /// Otherwise: the chain of the server process that answered …
    chain: Option<Uuid>,
    /// … and the position in it.
    position: Option<i64>,
    /// Who; null for the system itself, for the command line, and for a name that nobody has.
    user: Option<PersonBody>,
    /// From which device.
    device: Option<Uuid>,
    /// By which grant a change was allowed.
    grant: Option<Uuid>,
    /// The operation, as this document calls it.
    what: Option<String>,
    /// `ok` or the code of the refusal; of a change, how it ended.
    outcome: String,
    /// Why, as its author stated.
    reason: Option<String>,
    /// Of a change: the submission, decision, unit, user, grant … that it is.
    about: Option<Uuid>,
    /// Of a change of users, devices, sessions and grants: what it says. Of a move, from where to where, for whoever audits
    /// both units.
    change: Option<Value>,
    /// Of a change: its unit.
    unit: Option<Uuid>,
    /// The records and persons concerned.
    concerns: Vec<ConcernBody>,
    /// The id of the request: what the answer's `x-request-id` said.
    request_id: Option<Uuid>,
    /// The address that the request came from.
    address: Option<String>,
}

/// A record or person concerned.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditConcern)]
pub struct ConcernBody {
    /// Its id; of a refusal, the id that was asked for, of whatever there is or is not.
    id: Uuid,
    /// The unit in which it lay then, as far as that was known.
    unit: Option<Uuid>,
}

impl TraceBody {
    fn of(trace: Trace, names: &HashMap<UserId, String>) -> Self {
        let Place { at, chain, number } = trace.place;
        let of_log = chain.is_nil();
        let command = trace.command.filter(|_| TOLD.contains(&trace.kind.as_str()));
        Self {
            at,
            v: of_log.then_some(number),
            chain: (!of_log).then_some(chain),
            position: (!of_log).then_some(number),
            user: trace.user.map(|user| PersonBody::of(user, names)),
            device: trace.device.map(Uuid::from),
            grant: trace.grant.map(Uuid::from),
            what: trace.what.filter(|what| !what.is_empty()),
            outcome: trace.outcome,
            reason: trace.reason,
            about: trace.reference,
            change: command.and_then(|command| serde_json::from_str(&command).ok()),
            unit: trace.unit.map(Uuid::from),
            concerns: (trace.subjects.into_iter())
                .map(|(id, unit)| ConcernBody { id, unit: unit.map(Uuid::from) })
                .collect(),
            request_id: trace.request,
            address: trace.address,
            kind: trace.kind,
        }
    }
}

/// A place, as a cursor holds it.
fn bytes_of(place: Place) -> Vec<u8> {
    let Place { at, chain, number } = place;
    [&at.timestamp_micros().to_be_bytes()[..], chain.as_bytes(), &number.to_be_bytes()].concat()
}

fn place_of(bytes: &[u8]) -> Option<Place> {
    let (at, rest) = bytes.split_first_chunk()?;
    let (chain, number) = rest.split_first_chunk()?;
    Some(Place {
        at: DateTime::from_timestamp_micros(i64::from_be_bytes(*at))?,
        chain: Uuid::from_bytes(*chain),
        number: i64::from_be_bytes(number.try_into().ok()?),
    })
}

/// Read the audit trail
///
/// Who changed, read or was refused what, when and why, the newest first: changes from the log, and sign-ins, refusals,
/// exports and reads of personal data. An auditor of a whole tree sees all of it; of a part of one, what concerns its units.
/// A page may be short, or even empty, although there is more: go on until `next` is null. Each reading is noted itself.
#[utoipa::path(
    tag = "audit",
    params(
        ("person" = Option<Uuid>, Query, description = "Only what concerns this person: changes and reads."),
        ("record" = Option<Uuid>, Query, description = "Only what concerns this record (its canonical id)."),
        ("user" = Option<Uuid>, Query, description = "Only what this user did."),
        ("kind" = Option<String>, Query, description = "Only this kind. `audit_anchor`, with which the log vouches for the chains, is shown only when it is asked for.", example = "read"),
        ("from" = Option<DateTime<Utc>>, Query, description = "From this instant on (RFC 3339).", example = "2026-03-01T00:00:00Z"),
        ("to" = Option<DateTime<Utc>>, Query, description = "Before this instant (RFC 3339).", example = "2026-04-01T00:00:00Z"),
        ("limit" = Option<u16>, Query, description = "At most so many, 1 to 500; 50 unless said.", example = 50),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before, with the same filters."),
    ),
    responses(
        (status = 200, description = "A page.", body = PageBody<TraceBody>),
        (status = 400, description = "The query or the cursor cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The caller is no auditor.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`server.unaudited`: the reading cannot be noted.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/audit")]
pub async fn get_audit(app: Data<App>, who: Authenticated, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut params = Params::read(&request)?;
    let (person, record, user) = (params.id("person"), params.id("record"), params.id("user"));
    let (kind, from, to) = (params.text("kind"), params.instant("from"), params.instant("to"));
    let (limit, after, list) = params.finish_with(place_of)?;
    let query = AuditQuery { person, record, user, kind, from, to, after, limit };
    let found = list_audit(&app, &who, query).await?;
    let next = found.page.next.map(|place| list.written(&bytes_of(place)));
    let items = found.page.items.into_iter().map(|trace| TraceBody::of(trace, &found.names));
    held::json(&app, &PageBody { items: items.collect(), next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_cursor() {
        let at = DateTime::from_timestamp_micros(1_773_022_263_120_034).unwrap();
        for place in [
            Place { at, chain: Uuid::from_u128(7), number: 4711 },
            Place { at: DateTime::UNIX_EPOCH, chain: Uuid::nil(), number: i64::MAX },
        ] {
            assert_eq!(place_of(&bytes_of(place)), Some(place));
        }
        for wrong in [&[][..], &[0; 31], &[0; 33]] {
            assert_eq!(place_of(wrong), None);
        }
    }
}
