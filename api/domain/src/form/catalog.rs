//! All published versions of all forms. Refuses to change what was published, and versions that could not merge.

use super::{Definition, Field, Form};
use chrono::NaiveDate;
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;

/// Why a form cannot be added.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum CatalogError {
    /// A published version never changes.
    #[error("{code} version {version} is already published; publish the change as a new version")]
    Published {
        /// The form.
        code: String,
        /// The version.
        version: i32,
    },
    /// Records outlive versions, so what merges with what may not change.
    #[error("{code} version {version}: {place} {reason}, unlike version {other}; give it a new name")]
    Incompatible {
        /// The form.
        code: String,
        /// The version that is refused.
        version: i32,
        /// The field, group or list.
        place: String,
        /// What has changed.
        reason: String,
        /// The published version that it contradicts.
        other: i32,
    },
}

/// Forms by code and version.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    forms: BTreeMap<String, BTreeMap<i32, Arc<Form>>>,
}

impl Catalog {
    /// One version.
    pub fn get(&self, code: &str, version: i32) -> Option<&Arc<Form>> {
        self.forms.get(code)?.get(&version)
    }

    /// The version that phones offer on a day: the highest in force.
    pub fn current(&self, code: &str, on: NaiveDate) -> Option<&Arc<Form>> {
        self.forms.get(code)?.values().rev().find(|form| form.in_force(on))
    }

    /// The newest version, whether in force or not: the one that reads all records.
    pub fn newest(&self, code: &str) -> Option<&Arc<Form>> {
        self.forms.get(code)?.values().next_back()
    }

    /// All versions of all forms, by code and version.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Form>> {
        self.forms.values().flat_map(BTreeMap::values)
    }

    /// Adds a version; returns it shared.
    pub fn insert(&mut self, form: Form) -> Result<Arc<Form>, CatalogError> {
        self.admits(&form)?;
        let form = Arc::new(form);
        self.forms.entry(form.code().to_owned()).or_default().insert(form.version(), Arc::clone(&form));
        Ok(form)
    }

    /// Whether a version could be added, without adding it.
    pub fn admits(&self, form: &Form) -> Result<(), CatalogError> {
        let (code, version) = (form.code().to_owned(), form.version());
        if self.get(&code, version).is_some() {
            return Err(CatalogError::Published { code, version });
        }
        for other in self.forms.get(&code).into_iter().flat_map(BTreeMap::values) {
            if let Some((place, reason)) = incompatible(form.definition(), other.definition()) {
                return Err(CatalogError::Incompatible { code, version, place, reason, other: other.version() });
            }
        }
        Ok(())
    }
}

/// The first place where two versions could not merge: the same name with another meaning.
fn incompatible(new: &Definition, old: &Definition) -> Option<(String, String)> {
    if new.subject != old.subject {
        return Some(("subject".to_owned(), "names someone else".to_owned()));
    }
    if new.reported_by != old.reported_by {
        return Some(("reported_by".to_owned(), "lets others report it".to_owned()));
    }
    if new.natural_key != old.natural_key {
        return Some(("natural_key".to_owned(), "names other fields".to_owned()));
    }
    let (roles, old_roles) = (roles(new), roles(old));
    let moved = roles.iter().find(|(name, role)| old_roles.get(*name).is_some_and(|old| old != *role));
    if let Some((name, role)) = moved {
        return Some(((*name).to_owned(), format!("is {role}")));
    }
    let guard =
        new.groups.iter().find(|group| old.groups.iter().any(|o| o.name == group.name && o.guarded != group.guarded));
    if let Some(group) = guard {
        return Some((group.name.clone(), "has another guarded mark".to_owned()));
    }
    field_changes("", &new.fields, &old.fields).or_else(|| {
        new.items.iter().find_map(|list| {
            let old = old.items.iter().find(|old| old.name == list.name)?;
            if old.key != list.key {
                return Some((list.name.clone(), "has another kind of key".to_owned()));
            }
            field_changes(&format!("{}/", list.name), &list.fields, &old.fields)
        })
    })
}

/// What each name of the shared name space is.
fn roles(definition: &Definition) -> BTreeMap<&str, &'static str> {
    let fields = definition.fields.iter().map(|field| (field.name.as_str(), "a field"));
    let groups = definition.groups.iter().map(|group| (group.name.as_str(), "a group"));
    let lists = definition.items.iter().map(|list| (list.name.as_str(), "a list"));
    fields.chain(groups).chain(lists).collect()
}

fn field_changes(prefix: &str, new: &[Field], old: &[Field]) -> Option<(String, String)> {
    new.iter().find_map(|field| {
        let old = old.iter().find(|old| old.name == field.name)?;
        let reason = if field.kind != old.kind {
            "has another type"
        } else if field.group != old.group {
            "stands in another group"
        } else if field.personal != old.personal {
            "has another personal mark"
        } else if field.derived.is_some() != old.derived.is_some() {
            "has begun or ceased to be derived"
        } else {
            return None;
        };
        Some((format!("{prefix}{}", field.name), reason.to_owned()))
    })
}
