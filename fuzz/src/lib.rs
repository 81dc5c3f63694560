//! What is fuzzed: four doors through which bytes of strangers come in, each as a function that must never panic and
//! must keep what it promises. The fuzzer calls them, and so does a test, with the checked-in corpus.
//! Knows no database: behind these doors everything has a type.

use chrono::NaiveDate;
use muong_domain::form::{Form, View};
use muong_domain::json;
use muong_domain::submission::Submission;
use muong_domain::validate::{Checked, Context, check_merged, normalise_and_check};
use muong_server::config::Limits;
use muong_server::http::framing::frame;
use muong_server::http::page::Cursor;
use muong_server::http::query::Params;
use muong_server::usecases::publish_form::BUILT_IN;
use muong_server::usecases::push::said::Said;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The forms that come with the program.
static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    BUILT_IN.iter().map(|(name, json)| Form::parse(name, json).expect("a form that comes with the program")).collect()
});

/// The limits as they are unless configured otherwise.
static LIMITS: LazyLock<Limits> = LazyLock::new(Limits::default);

fn context() -> Context {
    let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).expect("a day");
    Context { today: day(2026, 3, 9), unit_founded_on: Some(day(2025, 7, 1)), unit_kind: "branch".to_owned() }
}

/// A submission against a form: what it is normalised to is the same when it is normalised again.
fn check(form: &Form, submission: &Submission) {
    let Checked { changes, view: alone, errors, .. } = normalise_and_check(form, submission, &context());
    let twice = normalise_and_check(form, submission, &context());
    assert_eq!(changes, twice.changes, "one submission, two readings");
    let view = View::from_paths(form, changes.iter().map(|change| (&change.path, &change.to)));
    assert!(!errors.is_empty() || view.to_json() == alone.to_json(), "one submission shows one record");
    let _broken = check_merged(form, &view, &context());
    json::parse(view.to_json().to_string().as_bytes()).expect("what is kept can be read again");
}

/// The body of a push, inflated: cut into items, each item read and checked against its form.
pub fn push_body(body: &[u8]) {
    let Ok((_frame, items)) = frame(body, &LIMITS) else { return };
    assert!(items.iter().map(|item| item.len()).sum::<usize>() < body.len(), "items are cut out of the body");
    for item in items {
        said(&item);
    }
}

fn said(item: &[u8]) {
    let said = Said::read(item, &LIMITS);
    assert_eq!(*said.body, *item, "nothing is lost");
    let Ok(submission) = &said.submission else { return };
    let canonical = json::canonical(&json::parse(item).expect("a submission is JSON"));
    let again = Said::read(canonical, &LIMITS);
    assert_eq!((again.id, again.hash), (said.id, said.hash), "the same thing in other bytes is the same thing");
    // Also against the forms that it does not name: they share no rule that could rely on the name.
    for form in FORMS.iter() {
        check(form, submission);
    }
}

/// The query of a list, with its cursor: whatever is taken as a cursor is the one that would have been written.
pub fn cursor(query: &[u8]) {
    let Ok(query) = std::str::from_utf8(query) else { return };
    let list = Cursor::of("/v1/records", &[("form".to_owned(), "person".to_owned())].into());
    let position = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).ok();
    if let Ok(place) = list.position(query, position) {
        assert_eq!(list.written(&place), query);
    }
    let Ok(mut params) = Params::parse("/v1/records", query) else { return };
    let (_form, _name, _from) = (params.text("form"), params.name("name"), params.date("from"));
    let (_at, _disputed) = (params.instant("at"), params.flag("disputed"));
    let (_code, _state) = (params.code("code"), params.one_of("state", &[("open", 1), ("closed", 2)]));
    if let Ok(page) = params.finish() {
        let (_seq, next) = (page.after_seq(), page.next(page.after));
        let given = query.split('&').find_map(|pair| pair.strip_prefix("cursor="));
        // Percent-encoded, it may look different and be the same.
        if let (Some(given), Some(next)) = (given.filter(|given| !given.contains('%')), next) {
            assert_eq!(given, next, "a cursor leads back to itself");
        }
    }
}

/// The definition of a form, as an administrator may publish it.
pub fn form_definition(definition: &[u8]) {
    let Ok(definition) = std::str::from_utf8(definition) else { return };
    let Ok(form) = Form::parse("fuzzed.json", definition) else { return };
    let again = Form::parse("fuzzed.json", form.definition_json()).expect("what was taken is taken again");
    assert_eq!(again.definition_json(), form.definition_json(), "the canonical text is its own");
    let _broken = check_merged(&form, &View::from_paths(&form, []), &context());
    let _same = check_merged(&again, &View::from_paths(&again, []), &context());
}

/// An expression of a form, and on the lines after it the values that it is evaluated with, as JSON.
pub fn cel(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let (expression, values) = text.split_once('\n').unwrap_or((text, "{}"));
    for definition in [ruled_by(expression), derived_by(expression)] {
        let Ok(form) = Form::parse("fuzzed.json", &definition.to_string()) else { continue };
        let Ok(Value::Object(values)) = json::parse(values.as_bytes()) else { continue };
        let set: serde_json::Map<String, Value> =
            values.into_iter().map(|(field, value)| (field, json!({"to": value}))).collect();
        let said = json!({"id": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e01", "n": 1, "kind": "create", "form": "fuzzed",
            "form_version": 1, "record": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e02",
            "unit": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e72", "set": set});
        if let Ok(submission) = &Said::read(said.to_string().as_bytes(), &LIMITS).submission {
            check(&form, submission);
        }
    }
}

fn text(text: &str) -> Value {
    json!({"vi": text, "en": text})
}

/// A form with one field of each type.
fn form() -> Value {
    let fields = [
        ("whole", "integer"),
        ("other", "integer"),
        ("part", "decimal"),
        ("flag", "boolean"),
        ("day", "date"),
        ("hour", "time"),
        ("month", "period"),
        ("word", "text"),
        ("person", "reference"),
    ];
    let fields: Vec<Value> =
        fields.iter().map(|(name, kind)| json!({"name": name, "type": kind, "label": text(name)})).collect();
    json!({"code": "fuzzed", "version": 1, "valid_from": "2026-01-01", "label": text("fuzzed"),
        "source": text("nobody"), "unit_kinds": ["branch"], "fields": fields})
}

fn ruled_by(expression: &str) -> Value {
    let mut form = form();
    form["rules"] = json!([{"code": "fuzzed.rule", "level": "error", "expr": expression, "pointer": "/set/whole",
        "message": text("correct it")}]);
    form
}

fn derived_by(expression: &str) -> Value {
    let mut form = form();
    if let Value::Array(fields) = &mut form["fields"] {
        fields.push(json!({"name": "derived", "type": "integer", "label": text("derived"), "derived": expression}));
    }
    form
}
