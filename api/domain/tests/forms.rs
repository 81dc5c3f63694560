//! The built-in forms: they are sound, and the shared cases, which clients run too, come out as written.

use muong_domain::form::{Catalog, Form, View};
use muong_domain::id::UnitId;
use muong_domain::refusal::Finding;
use muong_domain::submission::{Kind, Submission};
use muong_domain::validate::{Checked, Context, check_merged, normalise_and_check};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

const FORMS: [(&str, &str); 4] = [
    ("forms/branch_meeting.json", include_str!("../../../forms/branch_meeting.json")),
    ("forms/person.json", include_str!("../../../forms/person.json")),
    ("forms/development_step.json", include_str!("../../../forms/development_step.json")),
    ("forms/supervision_assignment.json", include_str!("../../../forms/supervision_assignment.json")),
];

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    for (name, json) in FORMS {
        let form = Form::parse(name, json).unwrap_or_else(|error| panic!("{error}"));
        catalog.insert(form).expect("a first version");
    }
    catalog
}

#[test]
fn the_built_in_forms_are_sound() {
    let catalog = catalog();
    for form in catalog.iter() {
        let again = Form::parse("canonical", form.definition_json()).expect("canonical JSON is the same definition");
        assert_eq!(again.definition(), form.definition());
        assert_eq!(again.definition_json(), form.definition_json());
    }
}

type Items = BTreeMap<String, BTreeMap<String, Map<String, Value>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    #[serde(rename = "about")]
    _about: String,
    context: CaseContext,
    bases: BTreeMap<String, Map<String, Value>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseContext {
    today: String,
    unit_founded_on: String,
    unit_kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    form: String,
    base: Option<String>,
    kind: Option<Kind>,
    #[serde(default)]
    unset: Vec<String>,
    #[serde(default)]
    set: Map<String, Value>,
    #[serde(default)]
    from: Map<String, Value>,
    #[serde(default)]
    items: Items,
    today: Option<String>,
    unit_founded_on: Option<String>,
    unit_kind: Option<String>,
    errors: Vec<String>,
    warnings: Vec<String>,
    #[serde(default)]
    shown: BTreeMap<String, Value>,
    key: Option<String>,
    occurred_on: Option<String>,
}

impl Case {
    fn submission(&self, cases: &Cases) -> Submission {
        let mut values = self.base.as_ref().map(|base| cases.bases[base].clone()).unwrap_or_default();
        self.unset.iter().for_each(|name| drop(values.remove(name)));
        values.extend(self.set.clone());
        let change = |name: &String, to: &Value| json!({"from": self.from.get(name).unwrap_or(&Value::Null), "to": to});
        let set: Map<String, Value> = values.iter().map(|(name, to)| (name.clone(), change(name, to))).collect();
        let mut items = json!({});
        for (list, keys) in &self.items {
            for (key, fields) in keys {
                for (field, to) in fields {
                    items[list][key][field] = json!({"to": to});
                }
            }
        }
        let envelope = json!({"id": Uuid::nil(), "n": 1, "kind": self.kind.unwrap_or(Kind::Create), "form": self.form,
            "form_version": 1, "record": Uuid::nil(), "unit": Uuid::nil(), "set": set, "items": items});
        serde_json::from_value(envelope).expect("a submission")
    }

    fn context(&self, cases: &Cases) -> Context {
        let date = |own: &Option<String>, usual: &str| own.as_deref().unwrap_or(usual).parse().expect("a date");
        Context {
            today: date(&self.today, &cases.context.today),
            unit_founded_on: Some(date(&self.unit_founded_on, &cases.context.unit_founded_on)),
            unit_kind: self.unit_kind.clone().unwrap_or_else(|| cases.context.unit_kind.clone()),
        }
    }
}

fn written<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<String> {
    let mut written: Vec<_> =
        findings.into_iter().map(|finding| format!("{} {}", finding.code, finding.pointer)).collect();
    written.sort();
    written
}

fn sorted(written: &[String]) -> Vec<String> {
    let mut sorted = written.to_vec();
    sorted.sort();
    sorted
}

fn view_of(form: &Form, checked: &Checked) -> View {
    View::from_paths(form, checked.changes.iter().map(|change| (&change.path, &change.to)))
}

fn differences(case: &Case, form: &Form, checked: &Checked, context: &Context) -> Vec<String> {
    let mut found = Vec::new();
    let mut expect = |what: &str, wanted: Value, got: Value| {
        if wanted != got {
            found.push(format!("{}: {what}: wanted {wanted}, got {got}", case.name));
        }
    };
    expect("errors", json!(sorted(&case.errors)), json!(written(&checked.errors)));
    expect("warnings", json!(sorted(&case.warnings)), json!(written(&checked.warnings)));
    let view = view_of(form, checked);
    if checked.errors.is_empty() {
        // A new record shows this one, and is not shown anew: what is merged must come to the same.
        expect("what it alone shows", view.to_json(), checked.view.to_json());
        let key = |view| json!(form.natural_key(view, UnitId::new(Uuid::nil())));
        expect("the key of that", key(&view), key(&checked.view));
    }
    for (field, wanted) in &case.shown {
        expect(field, wanted.clone(), view.get(field).cloned().unwrap_or_default());
    }
    if let Some(key) = &case.key {
        let wanted = format!("{}|{}|{key}", case.form, Uuid::nil());
        expect("key", json!(wanted), json!(form.natural_key(&view, UnitId::new(Uuid::nil()))));
    }
    if let Some(day) = &case.occurred_on {
        expect("occurred_on", json!(day), json!(form.occurred_on(&view)));
    }
    if case.kind.is_none() && checked.errors.is_empty() {
        let broken = check_merged(form, &view, context);
        expect("merged", json!(sorted(&case.warnings)), json!(written(broken.iter().map(|broken| &broken.finding))));
    }
    found
}

#[test]
fn the_shared_cases_come_out_as_written() {
    let cases: Cases = serde_json::from_str(include_str!("../../../forms/cases.json")).expect("the case file");
    let catalog = catalog();
    let mut found = Vec::new();
    for case in &cases.cases {
        let form = catalog.get(&case.form, 1).expect("a built-in form");
        let context = case.context(&cases);
        let checked = normalise_and_check(form, &case.submission(&cases), &context);
        found.extend(differences(case, form, &checked, &context));
    }
    assert!(found.is_empty(), "{} of {} differ:\n{}", found.len(), cases.cases.len(), found.join("\n"));
}

#[test]
fn every_rule_of_every_form_has_a_case() {
    let cases: Cases = serde_json::from_str(include_str!("../../../forms/cases.json")).expect("the case file");
    let told: Vec<&String> = cases.cases.iter().flat_map(|case| case.errors.iter().chain(&case.warnings)).collect();
    for form in catalog().iter() {
        for rule in &form.definition().rules {
            assert!(told.iter().any(|finding| finding.starts_with(&rule.code)), "{} has no case", rule.code);
        }
    }
}
