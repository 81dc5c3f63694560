//! Something that is about to be said: what a user has filled in, before it has an id and a number.

use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A create, an edit or a delete of one record.
#[derive(Clone, PartialEq, Debug)]
pub struct Draft(pub(crate) Map<String, Value>);

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

impl Draft {
    /// A new record, under an id that the phone has made.
    pub fn create(form: &str, version: u32, record: Uuid, unit: Uuid) -> Self {
        Self(object(json!({"kind": "create", "form": form, "form_version": version, "record": record, "unit": unit})))
    }

    /// A change of a record.
    pub fn edit(form: &str, version: u32, record: Uuid, unit: Uuid) -> Self {
        Self(object(json!({"kind": "edit", "form": form, "form_version": version, "record": record, "unit": unit})))
    }

    /// The withdrawal of a record.
    pub fn delete(record: Uuid, unit: Uuid) -> Self {
        Self(object(json!({"kind": "delete", "record": record, "unit": unit})))
    }

    /// Sets a field that had no value.
    #[must_use]
    pub fn to(self, field: &str, value: impl Into<Value>) -> Self {
        self.change(field, Value::Null, value)
    }

    /// Changes a field from the value that its author saw. Of a group every field is named, also those that stay.
    #[must_use]
    pub fn change(mut self, field: &str, from: impl Into<Value>, to: impl Into<Value>) -> Self {
        let (from, to) = (from.into(), to.into());
        let change = if from.is_null() { json!({"to": to}) } else { json!({"from": from, "to": to}) };
        let set = self.0.entry("set").or_insert_with(|| json!({}));
        if let Value::Object(set) = set {
            set.insert(field.to_owned(), change);
        }
        self
    }

    /// Any other member of the envelope (`captured_at`, `replaces`, `items`, `on_behalf_of` …).
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0.insert(member.to_owned(), value.into());
        self
    }

    pub(crate) fn record(&self) -> Option<Uuid> {
        self.0.get("record")?.as_str()?.parse().ok()
    }

    pub(crate) fn unit(&self) -> Option<Uuid> {
        self.0.get("unit")?.as_str()?.parse().ok()
    }

    pub(crate) fn is_create(&self) -> bool {
        self.0.get("kind").is_some_and(|kind| kind == "create")
    }
}
