//! Forms: versioned definitions as data, compiled once, asked many times.
//!
//! Owns what a form says of its fields, groups, items, keys and rules. Refuses to know submissions (`validate.rs`),
//! how values merge (`merge.rs`), and the family rules across records (`development.rs`, `meeting.rs`).

mod catalog;
mod check;
mod definition;
mod program;
#[cfg(test)]
mod program_tests;
mod rule;
mod value;
mod view;

pub use catalog::{Catalog, CatalogError};
pub use definition::{
    Definition, Field, FieldType, Group, ItemKey, ItemList, KeyAlternative, ListEntry, ReferenceKind, ReportedBy,
    RuleText, Subject,
};
pub use view::View;

pub(crate) use check::{FieldParts, ListParts, Rule, quoted};
pub(crate) use rule::Scope;
pub(crate) use value::normalise;

use crate::access::Action;
use crate::id::{RecordId, UnitId};
use crate::record::Path;
use chrono::NaiveDate;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;
use uuid::Uuid;

/// Why a definition is refused: which file, where in it, and why.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{source_name}: {place}: {reason}")]
pub struct DefinitionError {
    /// The file, or what the administrator called it.
    pub source_name: String,
    /// The place in the JSON (`fields[3].derived`), or [`Self::WHOLE`].
    pub place: String,
    /// What is the matter, as the end of a sentence about that place.
    pub reason: String,
}

impl DefinitionError {
    /// The place of what is wrong with the definition as a whole, or at its top level.
    pub const WHOLE: &str = "(whole)";
}

/// A form, checked and compiled. Cheap to share (`Arc`), `Send` and `Sync`.
#[derive(Debug)]
pub struct Form {
    definition: Definition,
    canonical: String,
    groups: BTreeMap<String, BTreeSet<String>>,
    fields: BTreeMap<String, FieldParts>,
    lists: BTreeMap<String, ListParts>,
    rules: Vec<Rule>,
    keys: Vec<check::Key>,
}

impl Form {
    /// Reads, checks and compiles a definition. `source_name` stands in errors.
    pub fn parse(source_name: &str, json: &str) -> Result<Self, DefinitionError> {
        check::parse(source_name, json)
    }

    /// The stable code of the form.
    pub fn code(&self) -> &str {
        &self.definition.code
    }

    /// The version, from 1.
    pub fn version(&self) -> i32 {
        self.definition.version
    }

    /// All that was written.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The definition as canonical JSON (RFC 8785): what is stored, hashed and served.
    pub fn definition_json(&self) -> &str {
        &self.canonical
    }

    /// Whether phones offer it for new records on this day; old drafts stay valid for ever.
    pub fn in_force(&self, on: NaiveDate) -> bool {
        self.definition.valid_from <= on && self.definition.valid_to.is_none_or(|to| on < to)
    }

    /// Whether a record of it may belong to a unit of this kind.
    pub fn allows_unit_kind(&self, kind: &str) -> bool {
        self.definition.unit_kinds.iter().any(|allowed| allowed == kind)
    }

    /// The unit of merging that a plain field belongs to: its group, or itself.
    pub fn path_of(&self, field: &str) -> Path {
        let group = self.fields.get(field).and_then(|parts| parts.field.group.as_deref());
        Path::field(group.unwrap_or(field))
    }

    /// The merged fields behind a path: those of a group (without derived ones), or the field itself; empty if unknown.
    pub fn fields_of(&self, path: &Path) -> Vec<&str> {
        if let Some((list, _, field)) = path.as_item() {
            return self.item_field(list, field).map(|parts| parts.field.name.as_str()).into_iter().collect();
        }
        if let Some(members) = self.groups.get(path.as_str()) {
            return members.iter().map(String::as_str).collect();
        }
        let merged = self.fields.get(path.as_str()).filter(|parts| parts.derived.is_none());
        merged.map(|parts| parts.field.name.as_str()).into_iter().collect()
    }

    /// Whether the path is a group.
    pub fn is_group(&self, path: &Path) -> bool {
        self.groups.contains_key(path.as_str())
    }

    /// Whether the path never merges by itself under concurrency.
    pub fn is_guarded(&self, path: &Path) -> bool {
        self.definition.groups.iter().any(|group| group.guarded && group.name == path.as_str())
    }

    /// Whether the path's value is about a person. What the form does not know is treated as if it were.
    pub fn is_personal(&self, path: &Path) -> bool {
        if let Some((list, _, field)) = path.as_item() {
            return self.item_field(list, field).is_none_or(|parts| parts.field.personal);
        }
        match self.groups.get(path.as_str()) {
            Some(members) => members.iter().any(|name| self.is_personal_field(name)),
            None => self.is_personal_field(path.as_str()),
        }
    }

    /// A plain field's definition.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.get(name).map(|parts| &parts.field)
    }

    /// The definition of a field that each row of a list has.
    pub fn field_of_item(&self, list: &str, name: &str) -> Option<&Field> {
        self.item_field(list, name).map(|parts| &parts.field)
    }

    /// The natural key of a record of `unit`; `None` when the form has none or a part of it is missing.
    pub fn natural_key(&self, view: &View, unit: UnitId) -> Option<String> {
        let scope = view.scope();
        let key = self.keys.iter().find(|key| key.when.as_ref().is_none_or(|when| when.holds(&scope) == Some(true)))?;
        let mut written = format!("{}|{unit}", self.code());
        for name in &key.fields {
            let value = view.get(name).filter(|value| !value.is_null())?;
            written.push_str(&format!("|{name}={value}"));
        }
        Some(written)
    }

    /// The paths that take part in any natural key: a change of one may make the record collide with another.
    pub fn key_paths(&self) -> BTreeSet<Path> {
        self.keys.iter().flat_map(|key| &key.fields).map(|field| self.path_of(field)).collect()
    }

    /// The day that the record is about; a month counts from its first day.
    pub fn occurred_on(&self, view: &View) -> Option<NaiveDate> {
        self.day_of(|name| view.get(name))
    }

    /// The same, of values wherever they stand.
    pub(crate) fn day_of<'v>(&self, value: impl Fn(&str) -> Option<&'v Value>) -> Option<NaiveDate> {
        let texts = self.definition.occurred_on.iter().filter_map(|name| value(name)?.as_str());
        texts.filter_map(|text| value::date(text).or_else(|| value::first_of(text))).next()
    }

    /// The person whose record it is, if it is anybody's.
    pub fn subject(&self, view: &View, record: RecordId) -> Option<RecordId> {
        match &self.definition.subject {
            Subject::None => None,
            Subject::Named | Subject::Itself => Some(record),
            Subject::Field(name) => Uuid::try_parse(view.get(name)?.as_str()?).ok().map(RecordId::new),
        }
    }

    /// Whether its records are about persons: then the roles that never see persons never see them. One that only names
    /// somebody in an office is seen, without the name.
    pub fn is_about_person(&self) -> bool {
        !matches!(self.definition.subject, Subject::None | Subject::Named)
    }

    /// What reporting its records takes.
    pub fn action_to_report(&self) -> Action {
        match self.definition.reported_by {
            ReportedBy::Reporters => Action::to_report(self.is_about_person()),
            ReportedBy::Reviewers => Action::Review,
        }
    }

    pub(crate) fn is_personal_field(&self, name: &str) -> bool {
        self.fields.get(name).is_none_or(|parts| parts.field.personal)
    }

    pub(crate) fn parts(&self) -> &BTreeMap<String, FieldParts> {
        &self.fields
    }

    pub(crate) fn list(&self, name: &str) -> Option<&ListParts> {
        self.lists.get(name)
    }

    pub(crate) fn lists(&self) -> &BTreeMap<String, ListParts> {
        &self.lists
    }

    pub(crate) fn groups(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.groups
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The merged fields that a variable stands for: a derived field is what it reads; none for the context.
    pub(crate) fn read_for<'a>(&'a self, variable: &'a str) -> impl Iterator<Item = &'a str> {
        let parts = self.fields.get(variable);
        let derived = parts.and_then(|parts| parts.derived.as_ref());
        let itself = parts.filter(|_| derived.is_none()).map(|parts| parts.field.name.as_str());
        derived.into_iter().flat_map(rule::Expression::reads).chain(itself)
    }

    fn item_field(&self, list: &str, field: &str) -> Option<&FieldParts> {
        self.lists.get(list)?.fields.get(field)
    }

    /// What a derived field comes to; null while something that it reads is missing.
    pub(crate) fn derive(&self, name: &str, scope: &dyn Scope) -> Value {
        let Some(derived) = self.fields.get(name).and_then(|parts| parts.derived.as_ref()) else { return Value::Null };
        if derived.reads().any(|read| scope.value(read).is_null()) {
            return Value::Null;
        }
        derived.value(scope).unwrap_or(Value::Null)
    }
}
