//! A submission against the reference data: its form, its unit, and all that can be checked from it alone.
//! Done before the lock; done again under it only if units or forms have changed in between.

use super::bounds;
use super::said::Said;
use crate::reference::Reference;
use chrono::NaiveDate;
use muong_domain::access::Action;
use muong_domain::form::{Field, Form, ReferenceKind, View};
use muong_domain::id::UnitId;
use muong_domain::refusal::Finding;
use muong_domain::submission::{Change, Kind, Submission};
use muong_domain::validate::{Checked, Context, escaped, normalise_and_check};
use std::sync::Arc;

/// What is known of a submission before anything is looked up.
#[derive(Clone, Debug)]
pub struct Assessed {
    /// The form version that it was filled in; none for a delete that names none, or when there is no such form.
    pub form: Option<Arc<Form>>,
    /// The unit and those above it; empty when there is no such unit.
    pub line: Vec<UnitId>,
    /// What rules may know.
    pub context: Option<Context>,
    /// Changes, errors and warnings.
    pub checked: Checked,
    /// The record as the submission alone shows it.
    pub view: View,
    /// Its natural key, as the submission alone shows it.
    pub key: Option<String>,
}

impl Assessed {
    /// Assesses one item; what cannot be read has nothing to assess.
    pub fn of(said: &Said, reference: &Reference, today: NaiveDate) -> Option<Self> {
        said.submission.as_ref().ok().map(|submission| assess(submission, reference, today))
    }

    /// Assesses what has been read.
    pub fn of_submission(submission: &Submission, reference: &Reference, today: NaiveDate) -> Self {
        assess(submission, reference, today)
    }

    /// What reporting this takes.
    pub fn action(&self) -> Action {
        self.form.as_deref().map_or(Action::Report, Form::action_to_report)
    }
}

fn assess(submission: &Submission, reference: &Reference, today: NaiveDate) -> Assessed {
    let line = reference.units.ancestors(submission.unit);
    let context = reference.context(submission.unit, today);
    let (form, mut errors) = form_of(submission, reference, today);
    errors.extend(check_envelope(submission));
    let mut assessed = Assessed { form, line, context, checked: Checked::default(), view: View::default(), key: None };
    if assessed.context.is_none() {
        // Its author is told that it is outside; who would release it, that there is no place for it.
        errors.push(Finding::new("scope.unknown_unit", "/unit"));
    }
    if let (Some(form), Some(context)) = (&assessed.form, &assessed.context) {
        assessed.checked = normalise_and_check(form, submission, context);
        assessed.view = std::mem::take(&mut assessed.checked.view);
        assessed.key = form.natural_key(&assessed.view, submission.unit);
        errors.extend(unknown_units(form, submission, reference));
        errors.extend(after_the_end(form, submission, &assessed.view, reference));
    }
    errors.append(&mut assessed.checked.errors);
    assessed.checked.errors = bounds::bounded(errors);
    assessed.checked.warnings = bounds::bounded(std::mem::take(&mut assessed.checked.warnings));
    assessed
}

/// What is wrong with it whatever its form.
fn check_envelope(submission: &Submission) -> Vec<Finding> {
    let mut errors = Vec::new();
    if submission.base.as_ref().is_some_and(|base| base.after == Some(submission.id)) {
        errors.push(Finding::new("submission.after_itself", "/base/after"));
    }
    if submission.replaces.len() > bounds::MAX_REPLACES {
        let limit = bounds::MAX_REPLACES;
        errors.push(Finding::new("submission.too_many_replaces", "/replaces").with("limit", limit));
    }
    // Of a delete that names a form the domain says so (`normalise_and_check`), and must: `forms/cases.json` holds both
    // it and phones to that. One that names none is held against no form: nobody else would refuse what it carries.
    let says = !submission.set.is_empty() || !submission.items.is_empty();
    if submission.kind == Kind::Delete && submission.form.is_none() && says {
        errors.push(Finding::new("form.delete_carries_values", "/set"));
    }
    errors
}

/// Of a unit that has been dissolved only what was before that is told; as late as it may come.
fn after_the_end(form: &Form, submission: &Submission, view: &View, reference: &Reference) -> Option<Finding> {
    let ended = reference.units.get(submission.unit)?.latest()?.valid_to?;
    let on = form.occurred_on(view).filter(|on| *on >= ended)?;
    let finding = Finding::new("unit.dissolved_before", "/unit").with("on", on.to_string());
    Some(finding.with("dissolved_on", ended.to_string()))
}

/// Fields, of the record and of its rows, that name a unit which is not there, or not of a kind that the field asks for.
pub fn unknown_units(form: &Form, submission: &Submission, reference: &Reference) -> Vec<Finding> {
    let fields = submission.set.iter().filter_map(|(name, change)| {
        let field = form.field(name)?;
        unknown_unit(field, change, reference, || format!("/set/{name}"))
    });
    let rows = submission.items.iter().flat_map(|(list, rows)| {
        rows.iter().flat_map(move |(key, changes)| changes.iter().map(move |change| (list, key, change)))
    });
    let rows = rows.filter_map(|(list, key, (name, change))| {
        let field = form.field_of_item(list, name)?;
        unknown_unit(field, change, reference, || format!("/items/{list}/{}/{name}", escaped(key)))
    });
    fields.chain(rows).collect()
}

fn unknown_unit(field: &Field, change: &Change, reference: &Reference, at: impl Fn() -> String) -> Option<Finding> {
    let names_unit = field.reference == Some(ReferenceKind::Unit);
    let id: UnitId = change.to.as_str().filter(|_| names_unit)?.parse().ok()?;
    let told = |code| Some(Finding::new(code, at()).with("field", field.label.clone()));
    let Some(unit) = reference.units.get(id) else { return told("form.reference_unknown") };
    let fits = |kind: &String| field.unit_kinds.is_empty() || field.unit_kinds.contains(kind);
    if unit.versions.iter().any(|version| fits(&version.kind)) { None } else { told("form.reference_kind") }
}

/// The version that the phone filled in. Old ones stay valid for old drafts: for what was captured while they were in
/// force. A capture after the receipt is a wrong clock: then the receipt counts.
fn form_of(submission: &Submission, reference: &Reference, today: NaiveDate) -> (Option<Arc<Form>>, Vec<Finding>) {
    let Some(code) = &submission.form else {
        let missing = (submission.kind != Kind::Delete).then(|| Finding::new("submission.form_unknown", "/form"));
        return (None, missing.into_iter().collect());
    };
    let Some(newest) = reference.catalog.newest(code) else {
        return (None, vec![Finding::new("submission.form_unknown", "/form").with("form", code.as_str())]);
    };
    if submission.kind == Kind::Delete && submission.form_version.is_none() {
        return (Some(Arc::clone(newest)), Vec::new());
    }
    let unknown = || {
        Finding::new("submission.form_version_unknown", "/form_version")
            .with("form", code.as_str())
            .with("version", submission.form_version.unwrap_or_default())
    };
    let Some(form) = submission.form_version.and_then(|version| reference.catalog.get(code, version)) else {
        return (None, vec![unknown()]);
    };
    let captured = submission.captured_at.map_or(today, |at| muong_domain::time::local_date(at.to_utc()));
    let mut errors = Vec::new();
    if submission.kind != Kind::Delete && !form.in_force(captured.min(today)) && !began_later(form, captured, today) {
        errors.push(
            Finding::new("submission.form_not_in_force", "/form_version")
                .with("form", code.as_str())
                .with("version", form.version())
                .with("on", captured.min(today).to_string()),
        );
    }
    (Some(Arc::clone(form)), errors)
}

/// A phone whose clock is years behind must not have its report refused for it: what counts is that the form is in
/// force by the time it arrives.
fn began_later(form: &Form, captured: NaiveDate, today: NaiveDate) -> bool {
    captured < form.definition().valid_from && form.in_force(today)
}
