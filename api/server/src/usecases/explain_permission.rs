//! Explains whether somebody may do something in a unit, and why or why not. Decides by the same function as every
//! change does, and says no more: a unit out of reach is answered like one that does not exist.

use super::authenticate::Authenticated;
use super::failure::{Failure, read};
use crate::state::App;
use chrono::{DateTime, Utc};
use muong_domain::access::{Action, Denied, Grant, HeldGrant, authorize};
use muong_domain::id::UnitId;
use muong_domain::refusal::Finding;
use muong_store::units::{self, UnitName};
use std::sync::Arc;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Whether this may be done …
    pub action: Action,
    /// … in this unit,
    pub unit: UnitId,
    /// with records of this form,
    pub form: Option<String>,
    /// at this instant (now, when left out),
    pub at: Option<DateTime<Utc>>,
    /// with a stated reason.
    pub with_reason: bool,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What was decided about: with a form, the action that records of that form take.
    pub action: Action,
    /// When.
    pub at: DateTime<Utc>,
    /// By which grant, or why not.
    pub decision: Result<Permission, Denied>,
}

/// A yes, with what it rests on.
#[derive(Clone, Debug)]
pub struct Permission {
    /// The grant.
    pub held: HeldGrant,
    /// What its unit is called.
    pub unit: Option<UnitName>,
}

/// Explains.
pub async fn explain_permission(app: &App, who: &Authenticated, question: Question) -> Result<Explanation, Failure> {
    let now = app.clock.now();
    let at = question.at.unwrap_or(now);
    let actor = if at < now { Arc::new(who.actor.in_retrospect()) } else { Arc::clone(&who.actor) };
    let explained = read(app, move |app, snapshot| {
        let Some(action) = action(app, snapshot, &question)? else { return Ok(None) };
        let line = units::line(snapshot, question.unit)?;
        let decision = match authorize(&actor, action, &line, at, question.with_reason) {
            Ok(grant) => Ok(permission(snapshot, &actor.grants, grant)?),
            Err(denied) => Err(denied),
        };
        Ok(Some(Explanation { action, at, decision }))
    })
    .await?;
    let unknown_form = || Failure::invalid(Finding::new("form.unknown", "/form"), "request.query_invalid");
    explained.ok_or_else(unknown_form)
}

/// Reading and reporting are different actions for records about persons, and some forms only reviewers report; the form
/// tells which action is meant.
fn action(
    app: &App,
    snapshot: &mut muong_store::Snapshot<'_>,
    question: &Question,
) -> Result<Option<Action>, muong_store::StoreError> {
    let Some(code) = &question.form else { return Ok(Some(question.action)) };
    let as_of = snapshot.head()?.reference_as_of();
    let reference = app.reference.get(snapshot, as_of)?;
    let Some(form) = reference.catalog.newest(code) else { return Ok(None) };
    Ok(Some(match question.action {
        Action::ReadReports | Action::ReadPersons => Action::to_read(form.is_about_person()),
        Action::Report | Action::ReportPersons => form.action_to_report(),
        other => other,
    }))
}

fn permission(
    snapshot: &mut muong_store::Snapshot<'_>,
    held: &[HeldGrant],
    grant: Grant,
) -> Result<Permission, muong_store::StoreError> {
    let held = held.iter().find(|held| held.id == grant.id()).cloned();
    let held = held.expect("authorize answers with a grant that the actor holds");
    let unit = units::unit_names(snapshot, &[held.unit])?.remove(&held.unit);
    Ok(Permission { held, unit })
}
