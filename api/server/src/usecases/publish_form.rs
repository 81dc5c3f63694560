//! A new version of a form is published, without a release. What was published never changes.

use super::authenticate::Authenticated;
use super::failure::{Failure, read};
use crate::reference::{Reference, ReferenceCache};
use crate::state::App;
use muong_domain::access::{Action, Actor, Authority, Denied, authorize};
use muong_domain::form::{CatalogError, DefinitionError, Form};
use muong_domain::id::derived;
use muong_store::feed::{self, FeedRow};
use muong_store::{LogEntry, Outcome, StoreError, Tx, forms};
use serde_json::{Value, json};
use std::sync::Arc;

/// The forms that come with the program.
pub const BUILT_IN: [(&str, &str); 4] = [
    ("forms/branch_meeting.json", include_str!("../../../../forms/branch_meeting.json")),
    ("forms/person.json", include_str!("../../../../forms/person.json")),
    ("forms/development_step.json", include_str!("../../../../forms/development_step.json")),
    ("forms/supervision_assignment.json", include_str!("../../../../forms/supervision_assignment.json")),
];

/// Why a version is not published.
#[derive(Debug)]
pub enum PublishRefusal {
    /// The definition is wrong.
    Definition(DefinitionError),
    /// It cannot stand beside the other versions.
    Catalog(CatalogError),
    /// Not an administrator, or not of the whole.
    Forbidden(Denied),
}

/// The right of an administrator of a whole tree.
pub fn authorize_administration(
    actor: &Actor,
    reference: &Reference,
    at: chrono::DateTime<chrono::Utc>,
) -> Result<Authority, Denied> {
    let roots = reference.units.iter().filter(|unit| unit.latest().is_some_and(|v| v.parent.is_none()));
    let mut denied = Denied::Outside;
    for root in roots {
        match authorize(actor, Action::Administer, &[root.id], at, false) {
            Ok(grant) => return Authority::granted(grant).ok_or(Denied::Outside),
            Err(why) => denied = why,
        }
    }
    Err(denied)
}

/// Whoever may not publish is refused before anything that they sent is looked at. Asked again under the lock.
pub async fn require_administration(app: &App, who: &Authenticated) -> Result<(), Failure> {
    let (actor, now) = (Arc::clone(&who.actor), app.clock.now());
    let allowed = read(app, move |app, snapshot| {
        let as_of = snapshot.head()?.reference_as_of();
        let reference = app.reference.get(snapshot, as_of)?;
        Ok(authorize_administration(&actor, &reference, now).is_ok())
    });
    // Not 404: whoever has signed in may read forms.
    if allowed.await? { Ok(()) } else { Err(Failure::refused("access.forbidden")) }
}

/// Publishes a version that has been parsed before the lock.
pub fn publish_form(
    tx: &mut Tx<'_>,
    cache: &ReferenceCache,
    authority: &Authority,
    form: &Form,
) -> Result<Outcome<i64, PublishRefusal>, StoreError> {
    let as_of = tx.head().reference_as_of();
    if let Err(refusal) = cache.get(tx, as_of)?.catalog.admits(form) {
        return Ok(Outcome::Refuse(PublishRefusal::Catalog(refusal)));
    }
    let id = derived("form", &[form.code().as_bytes(), &form.version().to_be_bytes()]);
    let definition: Value =
        serde_json::from_str(form.definition_json()).map_err(|error| StoreError::corrupt("a form", error))?;
    let v =
        tx.append(LogEntry::of_reference("form", id, "published", &json!({"definition": definition})).by(authority));
    forms::insert(tx, authority, form, v)?;
    feed::stamp(tx, vec![FeedRow { id, scope: feed::EVERYBODY, kind: feed::FORM.to_owned(), seq: v, present: true }])?;
    tx.touch_reference();
    Ok(Outcome::Commit(v.0))
}

/// Publishes those built-in versions that this store does not have yet; answers how many.
pub fn publish_built_in(tx: &mut Tx<'_>, cache: &ReferenceCache) -> Result<Outcome<usize, PublishRefusal>, StoreError> {
    let authority = Authority::operator_of_the_server();
    let mut published = 0;
    for (file, definition) in BUILT_IN {
        let form = match Form::parse(file, definition) {
            Ok(form) => form,
            Err(error) => return Ok(Outcome::Refuse(PublishRefusal::Definition(error))),
        };
        let as_of = tx.head().reference_as_of();
        if cache.get(tx, as_of)?.catalog.get(form.code(), form.version()).is_some() {
            continue;
        }
        match publish_form(tx, cache, &authority, &form)? {
            Outcome::Commit(_) => published += 1,
            Outcome::Refuse(refusal) => return Ok(Outcome::Refuse(refusal)),
        }
    }
    Ok(Outcome::Commit(published))
}
