//! What phones say, with what the forms ask for filled in; a test changes only what it is about. Ids repeat from run to
//! run, so that a failing test can be read twice.

use serde_json::{Map, Value, json};
use std::cell::Cell;
use uuid::Uuid;

/// The form of meetings.
pub const MEETING: &str = "branch_meeting";
/// The form of people.
pub const PERSON: &str = "person";
/// The form of steps of development.
pub const STEP: &str = "development_step";

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

/// The ids of a test begin at the beginning, whichever test its thread ran before.
pub fn begin_numbering() {
    TAKEN.set(0);
}

/// The next id of this test, in the layout of a UUIDv7.
pub fn id() -> Uuid {
    TAKEN.set(TAKEN.get() + 1);
    Uuid::from_u128(0x019c_bf00_0000_7000_8000_0000_0000_0000 + u128::from(TAKEN.get()))
}

/// Something that a phone says; not numbered until somebody says it.
#[derive(Clone, PartialEq, Debug)]
pub struct Submission(Value);

impl Submission {
    fn new(kind: &str, form: Option<&str>, record: Uuid, unit: Uuid) -> Self {
        let mut body = json!({"id": id(), "kind": kind, "record": record, "unit": unit,
            "captured_at": "2026-03-05T21:20:00+07:00"});
        if let Some(form) = form {
            body["form"] = json!(form);
            body["form_version"] = json!(1);
        }
        Self(body)
    }

    /// A new record that says nothing yet.
    pub fn create(form: &str, record: Uuid, unit: Uuid) -> Self {
        Self::new("create", Some(form), record, unit)
    }

    /// A change of a record that changes nothing yet.
    pub fn edit(form: &str, record: Uuid, unit: Uuid) -> Self {
        Self::new("edit", Some(form), record, unit)
    }

    /// The withdrawal of a record.
    pub fn delete(record: Uuid, unit: Uuid) -> Self {
        Self::new("delete", None, record, unit)
    }

    /// What it says, as JSON.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        crate::client::uuid(&self.0["id"])
    }

    /// The record that it is about.
    pub fn record(&self) -> Uuid {
        crate::client::uuid(&self.0["record"])
    }

    /// Sets a part of the envelope.
    #[must_use]
    pub fn with(mut self, part: &str, value: impl Into<Value>) -> Self {
        self.0[part] = value.into();
        self
    }

    /// Leaves a part of the envelope out.
    #[must_use]
    pub fn without(mut self, part: &str) -> Self {
        self.0.as_object_mut().expect("an object").remove(part);
        self
    }

    /// The same said anew: another id.
    #[must_use]
    pub fn anew(self) -> Self {
        self.with("id", id().to_string())
    }

    /// A field's new value.
    #[must_use]
    pub fn to(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0["set"][field]["to"] = value.into();
        self
    }

    /// A field's new value, and the one that its author saw before it.
    #[must_use]
    pub fn changes(mut self, field: &str, from: impl Into<Value>, to: impl Into<Value>) -> Self {
        self.0["set"][field] = json!({"from": from.into(), "to": to.into()});
        self
    }

    /// A whole group, as its author saw it, with what is different now.
    #[must_use]
    pub fn changes_group(self, seen: &Map<String, Value>, different: &Value) -> Self {
        let now = |field: &String, value: &Value| different.get(field).unwrap_or(value).clone();
        seen.iter().fold(self, |edit, (field, value)| edit.changes(field, value.clone(), now(field, value)))
    }

    /// Says nothing of a field.
    #[must_use]
    pub fn silent_on(mut self, field: &str) -> Self {
        self.0["set"].as_object_mut().expect("fields").remove(field);
        self
    }

    /// A field of an item.
    #[must_use]
    pub fn item(mut self, list: &str, key: &str, field: &str, to: impl Into<Value>) -> Self {
        self.0["items"][list][key][field]["to"] = to.into();
        self
    }

    /// A field of an item, and what its author saw before.
    #[must_use]
    pub fn item_changes(mut self, list: &str, key: &str, field: &str, from: Value, to: Value) -> Self {
        self.0["items"][list][key][field] = json!({"from": from, "to": to});
        self
    }

    /// Its author had seen the record as of this entry.
    #[must_use]
    pub fn seen(self, pushed: &Value, v: i64) -> Self {
        self.with("base", json!({"epoch": pushed["epoch"], "v": v}))
    }

    /// It builds on an own earlier one.
    #[must_use]
    pub fn after(self, earlier: Uuid) -> Self {
        self.with("base", json!({"after": earlier}))
    }
}

/// The regular meeting of scenario S1: 05/03/2026, 19:30–21:15, 11 of 13 present.
pub fn meeting(unit: Uuid) -> Submission {
    let meeting = Submission::create(MEETING, id(), unit);
    let parts = [identity(), times(), roll()];
    parts.iter().flatten().fold(meeting, |meeting, (field, value)| meeting.to(field, value.clone()))
}

/// Which meeting it is.
pub fn identity() -> Map<String, Value> {
    object(json!({"period": "2026-03", "type": "regular", "sitting": 1, "held": true, "held_on": "2026-03-05",
        "scheduled_on": null, "not_held_reason": null}))
}

/// When it began and ended.
pub fn times() -> Map<String, Value> {
    object(json!({"started": "19:30", "ended": "21:15"}))
}

/// Who was there: on roll 14, exempt 1, temporarily out 1, temporarily in 1, so expected 13; present 11.
pub fn roll() -> Map<String, Value> {
    object(json!({"on_roll": 14, "official": 12, "probationary": 2, "exempt": 1, "temporarily_out": 1,
        "temporarily_in": 1, "present": 11, "excused": 1, "unexcused": 1, "exempt_present": 0}))
}

/// A person who has applied.
pub fn person(unit: Uuid, full_name: &str, birth_date: &str) -> Submission {
    Submission::create(PERSON, id(), unit)
        .to("full_name", full_name)
        .to("birth_date", birth_date)
        .to("basis", "own_application")
        .to("consent_on", "2025-08-01")
}

/// A step of somebody's development.
pub fn step(unit: Uuid, person: Uuid, kind: &str, on: &str) -> Submission {
    let step = Submission::create(STEP, id(), unit).to("person", person.to_string()).to("step", kind).to("on", on);
    match kind {
        "branch_resolved" => step.to("eligible", 12).to("yes", 11),
        _ => step,
    }
}

/// The fields of a JSON object.
pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("not an object: {other}"),
    }
}
