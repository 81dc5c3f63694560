//! What is left of a submission, an answer or a record for somebody who may not see persons.
//! Decides nothing about who that is (`reader.rs`).

use super::push::outcome::{FieldOutcome, Recorded};
use super::reader::Values;
use muong_domain::form::{Form, View};
use muong_domain::record::{Path, Record};
use serde_json::{Value, json};

/// The data of a record, derived fields included.
pub fn data(form: &Form, record: &Record, values: Values) -> Value {
    let view = View::from_paths(form, record.shown());
    match values {
        Values::Whole => view.to_json(),
        Values::Masked => view.to_masked_json(form),
    }
}

/// Whether the value at a path is to be left out. A question about a whole record or a rule may be about any field.
pub fn hides(form: Option<&Form>, path: &Path, values: Values) -> bool {
    let personal =
        |form: &Form| if path.as_str().starts_with('$') { has_personal(form) } else { form.is_personal(path) };
    values == Values::Masked && form.is_none_or(personal)
}

/// Whether the form has fields that are marked as personal.
pub fn has_personal(form: &Form) -> bool {
    let definition = form.definition();
    let of_items = definition.items.iter().flat_map(|list| &list.fields);
    definition.fields.iter().chain(of_items).any(|field| field.personal)
}

/// A submission as it was said, personal changes replaced by `{"masked": true}`.
pub fn submission(form: Option<&Form>, mut said: Value, values: Values) -> Value {
    if values == Values::Whole {
        return said;
    }
    let hidden = |path: &Path| form.is_none_or(|form| form.is_personal(path));
    if let Some(set) = said.get_mut("set").and_then(Value::as_object_mut) {
        for (field, change) in set {
            // A field stands under its own name here, also one that merges within a group.
            let personal = form.and_then(|form| form.field(field)).is_none_or(|field| field.personal);
            if personal {
                *change = json!({"masked": true});
            }
        }
    }
    let Some(lists) = said.get_mut("items").and_then(Value::as_object_mut) else { return said };
    for (list, items) in lists {
        for (key, fields) in items.as_object_mut().into_iter().flatten() {
            for (field, change) in fields.as_object_mut().into_iter().flatten() {
                if hidden(&Path::item(list, key, field)) {
                    *change = json!({"masked": true});
                }
            }
        }
    }
    said
}

/// An answer, without the values of personal paths that it quotes, and without telling whether one that was said stood already.
pub fn answer(form: Option<&Form>, mut recorded: Recorded, values: Values) -> Recorded {
    for (_, outcome) in recorded.fields.iter_mut().filter(|(path, _)| hides(form, path, values)) {
        if *outcome == FieldOutcome::Already {
            *outcome = FieldOutcome::Applied;
        }
    }
    for note in recorded.conflicts.iter_mut().filter(|note| hides(form, &note.path, values)) {
        (note.base, note.yours, note.current) = (Value::Null, Value::Null, Value::Null);
    }
    recorded
}
