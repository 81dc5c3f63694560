//! What the author of a submission is told of the conflicts that it met.

use super::outcome::ConflictNote;
use muong_domain::id::Seq;
use muong_domain::merge::PathOutcome;
use muong_domain::record::{Path, Record};
use muong_domain::validate::PathChange;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What the author is told of each conflict: the names that differ, what was there, what was said, what is shown.
pub fn notes(
    record: &Record,
    changes: &[PathChange],
    outcomes: &BTreeMap<Path, PathOutcome>,
    v: Seq,
) -> Vec<ConflictNote> {
    let mut notes = Vec::new();
    for open in record.open_conflicts() {
        let change = changes.iter().find(|change| change.path == open.path);
        let met = outcomes.get(&open.path) == Some(&PathOutcome::Conflict) || open.contest.opened == v;
        if !met {
            continue;
        }
        let shown = record.cells.get(&open.path).map_or(&Value::Null, |cell| cell.shown());
        let pick = |value: Option<&Value>| value.map_or(Value::Null, |value| differing(value, &open.fields));
        notes.push(ConflictNote {
            id: open.id,
            code: open.contest.code.clone(),
            base: pick(change.map(|c| &c.from)),
            yours: pick(change.map(|c| &c.to)),
            current: pick(Some(shown)),
            path: open.path,
            fields: open.fields,
        });
    }
    notes
}

/// Of a group only the fields that differ; any other value whole.
fn differing(value: &Value, fields: &[String]) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .filter(|(name, _)| fields.contains(name))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect::<Map<_, _>>(),
        ),
        other => other.clone(),
    }
}
