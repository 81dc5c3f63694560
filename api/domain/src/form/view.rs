//! The shown values of a record, flat by field: what rules read, keys are made of and clients get.
//!
//! Knows nothing of candidates and versions: those stay with the record's paths.

use super::Form;
use super::rule::Scope;
use crate::record::Path;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Item key → field → value.
type Items = BTreeMap<String, BTreeMap<String, Value>>;

/// Shown values by field, with derived fields computed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct View {
    fields: BTreeMap<String, Value>,
    items: BTreeMap<String, Items>,
}

/// Reads a view alone: neither the day nor the unit, so that a key or a derived value never changes by itself.
pub(super) struct ViewScope<'a>(&'a View);

impl Scope for ViewScope<'_> {
    fn value(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }
}

impl View {
    /// From the shown values of a record's paths. Groups are opened into their fields. An item all of whose fields
    /// are null is no item: so one is removed. A path that this version of the form lacks is kept under its name.
    pub fn from_paths<'v>(form: &Form, paths: impl IntoIterator<Item = (&'v Path, &'v Value)>) -> Self {
        let mut view = Self::default();
        for (path, value) in paths {
            match (path.as_item(), value) {
                (_, Value::Null) => {}
                (Some((list, key, field)), value) => view.set_item(list, key, field, value.clone()),
                (None, Value::Object(members)) if form.is_group(path) => {
                    view.fields.extend(members.iter().map(|(name, value)| (name.clone(), value.clone())));
                }
                (None, value) => view.set(path.as_str(), value.clone()),
            }
        }
        view.derive(form);
        view
    }

    /// A field's value; `None` or null when it has none.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field)
    }

    /// A field's value as text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.get(field)?.as_str()
    }

    /// The items of a list by key.
    pub fn items(&self, list: &str) -> impl Iterator<Item = (&str, &BTreeMap<String, Value>)> {
        self.items.get(list).into_iter().flatten().map(|(key, fields)| (key.as_str(), fields))
    }

    /// The data as clients read it: fields by name, lists → key → field, derived fields included, empty ones left out.
    pub fn to_json(&self) -> Value {
        Value::Object(self.written(|_| true, |_, _| true))
    }

    /// The data for someone who may not see persons: personal fields are left out and named in `masked`.
    pub fn to_masked_json(&self, form: &Form) -> Value {
        let item_path = |list: &str, field: &str| Path::item(list, "*", field);
        let open = |name: &str| !form.is_personal_field(name);
        let open_item = |list: &str, field: &str| !form.is_personal(&item_path(list, field));
        let mut masked: Vec<String> = self.filled().filter(|name| !open(name)).map(str::to_owned).collect();
        for (list, items) in &self.items {
            let mut names: Vec<&String> =
                items.values().flat_map(BTreeMap::keys).filter(|name| !open_item(list, name)).collect();
            names.sort_unstable();
            names.dedup();
            masked.extend(names.into_iter().map(|name| item_path(list, name).as_str().to_owned()));
        }
        let mut data = self.written(open, open_item);
        if !masked.is_empty() {
            data.insert("masked".to_owned(), json!(masked));
        }
        Value::Object(data)
    }

    pub(crate) fn set(&mut self, field: &str, value: Value) {
        self.fields.insert(field.to_owned(), value);
    }

    pub(crate) fn set_item(&mut self, list: &str, key: &str, field: &str, value: Value) {
        let items = self.items.entry(list.to_owned()).or_default();
        items.entry(key.to_owned()).or_default().insert(field.to_owned(), value);
    }

    /// Computes the derived fields from what stands in the view.
    pub(crate) fn derive(&mut self, form: &Form) {
        let derived = form.parts().values().filter(|parts| parts.derived.is_some());
        let values: Vec<(String, Value)> =
            derived.map(|parts| (parts.field.name.clone(), form.derive(&parts.field.name, &ViewScope(self)))).collect();
        self.fields.extend(values);
    }

    pub(super) fn scope(&self) -> ViewScope<'_> {
        ViewScope(self)
    }

    fn filled(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.as_str())
    }

    fn written(&self, field: impl Fn(&str) -> bool, item: impl Fn(&str, &str) -> bool) -> Map<String, Value> {
        let mut data = Map::new();
        for name in self.filled().filter(|name| field(name)) {
            data.insert(name.to_owned(), self.fields[name].clone());
        }
        for (list, items) in &self.items {
            let mut written = Map::new();
            for (key, fields) in items {
                let shown = fields.iter().filter(|(name, value)| !value.is_null() && item(list, name));
                written.insert(key.clone(), shown.map(|(name, value)| (name.clone(), value.clone())).collect());
            }
            data.insert(list.clone(), Value::Object(written));
        }
        data
    }
}
