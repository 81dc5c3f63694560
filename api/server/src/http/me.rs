//! `/v1/me`: who one is here, what one may do, and why or why not.

use super::error::{Problem, ProblemBody, TextBody};
use super::query::Params;
use super::sessions::{DeviceBody, UserBody};
use crate::messages;
use crate::state::App;
use crate::usecases::authenticate::Authenticated;
use crate::usecases::describe_me::{Me, describe_me};
use crate::usecases::explain_permission::{Explanation, Permission, Question, explain_permission};
use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, get};
use chrono::{DateTime, Utc};
use muong_domain::access::{Action, Denied, HeldGrant, Role};
use muong_store::units::UnitName;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Who one is here.
#[derive(Serialize, ToSchema)]
#[schema(as = Me)]
pub struct MeBody {
    /// Oneself.
    user: UserBody,
    /// The device of this session.
    device: DeviceBody,
    /// The roles that one holds now, over whatever unit.
    #[schema(example = json!(["cadre"]))]
    roles: Vec<&'static str>,
    /// Every grant that one holds, held or will hold.
    grants: Vec<GrantBody>,
}

/// A role over a unit and everything below it, for a time.
#[derive(Serialize, ToSchema)]
#[schema(as = Grant)]
pub struct GrantBody {
    /// Its id: what the log names.
    #[schema(example = "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e71")]
    id: Uuid,
    /// `cadre`, `liaison`, `commune_reviewer`, `provincial_reviewer`, `admin` or `auditor`.
    #[schema(example = "cadre")]
    role: &'static str,
    /// The top of what it covers.
    unit: UnitBody,
    /// The first instant.
    valid_from: DateTime<Utc>,
    /// The first instant after; none: open.
    valid_to: Option<DateTime<Utc>>,
    /// Whether it holds now (or at the instant that was asked about).
    #[schema(example = true)]
    holds: bool,
}

/// A unit, by the name that it has now or had last.
#[derive(Serialize, ToSchema)]
#[schema(as = UnitName)]
pub struct UnitBody {
    /// Its id.
    #[schema(example = "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e72")]
    id: Uuid,
    /// Its name.
    #[schema(example = "Chi bộ bản Huổi Sang")]
    name: Option<String>,
    /// Its kind.
    #[schema(example = "branch")]
    kind: Option<String>,
}

fn grant_body(grant: HeldGrant, holds: bool, unit: Option<&UnitName>) -> GrantBody {
    GrantBody {
        id: grant.id.uuid(),
        role: grant.role.as_str(),
        unit: UnitBody {
            id: grant.unit.uuid(),
            name: unit.map(|unit| unit.name.clone()),
            kind: unit.map(|unit| unit.kind.clone()),
        },
        valid_from: grant.valid_from,
        valid_to: grant.valid_to,
        holds,
    }
}

impl From<Me> for MeBody {
    fn from(me: Me) -> Self {
        let Me { user, device, roles, grants, units } = me;
        Self {
            user: UserBody { id: user.id.uuid(), username: user.username, display_name: user.display_name },
            device: DeviceBody { id: device.id.uuid(), name: device.name },
            roles: roles.into_iter().map(Role::as_str).collect(),
            grants: (grants.into_iter())
                .map(|(grant, holds)| {
                    let unit = units.get(&grant.unit);
                    grant_body(grant, holds, unit)
                })
                .collect(),
        }
    }
}

/// Who am I?
///
/// The user, the device, and every grant with the name of its unit.
#[utoipa::path(
    tag = "me",
    responses(
        (status = 200, description = "Oneself.", body = MeBody),
        (status = 400, description = "The query cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/me")]
pub async fn get_me(app: Data<App>, who: Authenticated, request: HttpRequest) -> Result<Json<MeBody>, Problem> {
    Params::read(&request)?.finish_bare()?;
    Ok(Json(describe_me(&app, &who).await?.into()))
}

/// What is asked.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub struct CanQuery {
    /// `read_reports`, `read_persons`, `report`, `report_persons`, `review`, `erase_persons`, `administer` or `audit`.
    #[param(value_type = String, example = "report")]
    action: Action,
    /// The unit.
    #[param(example = "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e72")]
    unit: Uuid,
    /// A form: reading and reporting then mean what records of this form take.
    #[param(example = "branch_meeting")]
    form: Option<String>,
    /// The instant; now, when left out.
    at: Option<DateTime<Utc>>,
    /// Whether a reason would be stated.
    #[param(example = false)]
    reason: Option<bool>,
}

/// Yes or no, and why.
#[derive(Serialize, ToSchema)]
#[schema(as = Permission)]
pub struct CanBody {
    /// The answer.
    #[schema(example = false)]
    allowed: bool,
    /// What was decided about; with a form, what records of that form take.
    #[schema(example = "report_persons")]
    action: &'static str,
    /// The unit that was asked about.
    unit: Uuid,
    /// The instant that was asked about.
    at: DateTime<Utc>,
    /// `access.allowed`, `access.outside`, `access.forbidden` or `access.reason_required`.
    #[schema(example = "access.forbidden")]
    code: &'static str,
    /// The same in words, with what to do next.
    message: TextBody,
    /// The grant that allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<GrantBody>,
    /// The role that one has there, when it does not suffice.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "liaison")]
    role: Option<&'static str>,
    /// The roles that allow it: what to ask the administrator for, or whom to ask to do it.
    #[schema(example = json!(["cadre", "commune_reviewer"]))]
    roles_that_may: Vec<&'static str>,
}

impl CanBody {
    fn new(unit: Uuid, explanation: Explanation) -> Self {
        let Explanation { action, at, decision } = explanation;
        let (code, grant, role) = match decision {
            Ok(Permission { held, unit }) => ("access.allowed", Some(grant_body(held, true, unit.as_ref())), None),
            Err(Denied::Outside) => ("access.outside", None, None),
            Err(Denied::NotAllowed(role)) => ("access.forbidden", None, Some(role.as_str())),
            Err(Denied::ReasonRequired(role)) => ("access.reason_required", None, Some(role.as_str())),
        };
        let text = messages::text(code, &messages::Args::new());
        let roles_that_may = Role::ALL.into_iter().filter(|role| role.allows(action)).map(Role::as_str).collect();
        Self {
            allowed: grant.is_some(),
            action: action.as_str(),
            unit,
            at,
            code,
            message: TextBody { vi: text.vi, en: text.en },
            grant,
            role,
            roles_that_may,
        }
    }
}

/// May I?
///
/// Explains whether one may do something in a unit: by which grant, or why not and what to ask for. A unit out of
/// one's reach is answered exactly like one that does not exist.
#[utoipa::path(
    tag = "me",
    params(CanQuery),
    responses(
        (status = 200, description = "Yes or no, and why.", body = CanBody),
        (status = 400, description = "`request.query_invalid`: an unknown action or form, or no unit's id.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
#[get("/v1/me/can")]
pub async fn get_can(app: Data<App>, who: Authenticated, request: HttpRequest) -> Result<Json<CanBody>, Problem> {
    let mut params = Params::read(&request)?;
    let (action, unit) = (params.one_of("action", &Action::ALL.map(|a| (a.as_str(), a))), params.id("unit"));
    let action = params.required("action", action, Action::ReadReports);
    let unit = params.required("unit", unit, Uuid::nil());
    let (form, at) = (params.text("form"), params.instant("at"));
    let with_reason = params.flag("reason").unwrap_or_default();
    params.finish_bare()?;
    let question = Question { action, unit: unit.into(), form, at, with_reason };
    Ok(Json(CanBody::new(unit, explain_permission(&app, &who, question).await?)))
}
