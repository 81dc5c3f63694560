//! Definitions that are refused, each with its place and reason, and what a form answers about itself.

use muong_domain::access::Action;
use muong_domain::form::{Catalog, CatalogError, Form, View};
use muong_domain::id::RecordId;
use muong_domain::record::Path;
use muong_domain::submission::Submission;
use muong_domain::validate::{CODES, Checked, Context, check_merged, normalise_and_check};
use serde_json::{Value, json};
use uuid::Uuid;

fn text(text: &str) -> Value {
    json!({"vi": text, "en": text})
}

fn field(name: &str, kind: &str) -> Value {
    json!({"name": name, "type": kind, "label": text(name)})
}

/// A small sound definition: a count in a group, a personal name, a derived double, a list, a rule.
fn definition() -> Value {
    let with = |mut field: Value, key: &str, value: Value| {
        field[key] = value;
        field
    };
    json!({
        "code": "visit", "version": 1, "valid_from": "2026-01-01", "label": text("visit"), "source": text("nobody"),
        "unit_kinds": ["branch"],
        "subject": {"field": "person"},
        "natural_key": [{"fields": ["day"]}],
        "occurred_on": ["day"],
        "groups": [{"name": "tally", "label": text("tally"), "guarded": true}],
        "fields": [
            with(field("day", "date"), "required", json!(true)),
            with(field("came", "integer"), "group", json!("tally")),
            with(with(field("stayed", "integer"), "group", json!("tally")), "default", json!(0)),
            with(field("nickname", "text"), "personal", json!(true)),
            with(field("twice", "integer"), "derived", json!("came * 2")),
            with(with(field("person", "reference"), "reference", json!("person")), "required", json!(true)),
        ],
        "items": [{"name": "notes", "label": text("notes"), "max": 2, "key": "text", "fields": [
            with(field("page", "integer"), "required", json!(true)), with(field("by", "text"), "personal", json!(true))]}],
        "rules": [{"code": "visit.stayed", "level": "error", "expr": "stayed <= came", "pointer": "/set/stayed",
            "message": text("{stayed} of {came}: correct it")}]
    })
}

/// The definition with the value at a JSON pointer replaced.
fn changed(pointer: &str, value: Value) -> Value {
    let mut definition = definition();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    match definition.pointer_mut(parent).expect("a place in the definition") {
        Value::Array(entries) if key == "-" => entries.push(value),
        Value::Array(entries) => entries[key.parse::<usize>().expect("an index")] = value,
        parent => parent[key] = value,
    }
    definition
}

fn parse(definition: &Value) -> Form {
    Form::parse("visit.json", &definition.to_string()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(definition: &Value) -> (String, String) {
    let error = Form::parse("visit.json", &definition.to_string()).expect_err("a refused definition");
    assert_eq!(error.source_name, "visit.json");
    (error.place, error.reason)
}

#[test]
fn a_wrong_definition_is_refused_with_place_and_reason() {
    let long = format!("came == 1{}", " || came == 1".repeat(90));
    let deep = format!("{}came == 1{}", "(1 == 1) && (".repeat(40), ")".repeat(40));
    let each = json!({"code": "visit.page", "level": "error", "each": "notes", "expr": "item.line > 0",
        "pointer": "/items/notes/*/page", "message": text("correct it")});
    let cases: Vec<(&str, Value, &str, &str)> = vec![
        ("/code", json!("Visit"), "code", "snake_case"),
        ("/version", json!(0), "version", "below 1"),
        ("/version", json!("1"), "version", "invalid type"),
        ("/colour", json!("red"), "colour", "unknown field"),
        ("/valid_to", json!("2026-01-01"), "valid_to", "not after"),
        ("/unit_kinds", json!([]), "unit_kinds", "no kind"),
        ("/fields/0/type", json!("colour"), "fields[0].type", "unknown variant"),
        ("/fields/0/colour", json!("red"), "fields[0].colour", "unknown field"),
        ("/fields/0/label/en", json!(" "), "fields[0].label", "both languages"),
        ("/fields/0/name", json!("tally"), "groups[0].name", "used twice"),
        ("/fields/0/name", json!("today"), "fields[0].name", "muong uses itself"),
        ("/fields/0/name", json!("a-b"), "fields[0].name", "snake_case"),
        ("/fields/0/min", json!(1), "fields[0]", "no number"),
        ("/fields/0/max_length", json!(1), "fields[0]", "no text"),
        ("/fields/0/reference", json!("unit"), "fields[0].reference", "type reference"),
        ("/fields/0/type", json!("code"), "fields[0].list", "need it"),
        ("/fields/0/default", json!("2026-01-01"), "fields[0].default", "outside of a group"),
        ("/fields/2/default", json!("none"), "fields[2].default", "not a value"),
        ("/fields/1/group", json!("crowd"), "fields[1].group", "no group"),
        ("/fields/1/personal", json!(true), "groups[0]", "mixes personal"),
        ("/groups/-", json!({"name": "spare", "label": text("spare")}), "groups[1]", "no field"),
        ("/fields/3/pattern", json!("^\\d+$"), "fields[3].pattern", "differently"),
        ("/fields/3/pattern", json!("^(?i)a$"), "fields[3].pattern", "differently"),
        ("/fields/3/pattern", json!("[a-z]"), "fields[3].pattern", "from ^ to $"),
        ("/fields/3/pattern", json!("^[a-z$"), "fields[3].pattern", "no regular expression"),
        ("/fields/0/required_when", json!("came >"), "fields[0].required_when", "not CEL"),
        ("/fields/0/required_when", json!("came > 1"), "fields[0].required_when", "cannot be evaluated"),
        ("/fields/4/required", json!(true), "fields[4]", "derived"),
        ("/fields/4/group", json!("tally"), "fields[4]", "guarded group"),
        ("/fields/4/derived", json!("came + twice"), "fields[4].derived", "derived itself"),
        ("/fields/4/derived", json!("today"), "fields[4].derived", "no field"),
        ("/fields/4/derived", json!("size(nickname)"), "fields[4].derived", "personal"),
        ("/fields/4/derived", json!("came == 1"), "fields[4].derived", "yields Bool"),
        ("/items/0/max", json!(0), "items[0].max", "between"),
        ("/items/0/fields/0/derived", json!("came"), "items[0].fields[0]", "plain fields"),
        ("/rules/0/code", json!("stayed"), "rules[0].code", "not dotted"),
        ("/rules/0/code", json!("form.required"), "rules[0].code", "muong's own"),
        ("/rules/0/level", json!("fatal"), "rules[0].level", "unknown variant"),
        ("/rules/0/pointer", json!("/set/gone"), "rules[0].pointer", "no field"),
        ("/rules/0/message/vi", json!("{nickname}"), "rules[0].message.vi", "does not read"),
        ("/rules/0/each", json!("pages"), "rules[0].each", "no list"),
        ("/rules/-", each, "rules[1].expr", "item.line"),
        ("/rules/0/expr", json!("left <= came"), "rules[0].expr", "reads left"),
        ("/rules/0/expr", json!("came"), "rules[0].expr", "yields Int"),
        ("/rules/0/expr", json!("came < 1.5"), "rules[0].expr", "[Int, Float]"),
        ("/rules/0/expr", json!("came == day"), "rules[0].expr", "[Int, Text]"),
        ("/rules/0/expr", json!("came / 2 == 1"), "rules[0].expr", "_/_"),
        ("/rules/0/expr", json!("[1].all(x, x > 0)"), "rules[0].expr", "may not use"),
        ("/rules/0/expr", json!("has(came.x)"), "rules[0].expr", "selects .x"),
        ("/rules/0/expr", json!("nickname.matches('a')"), "rules[0].expr", ".matches()"),
        ("/rules/0/expr", json!("minutes(day, day) > 0"), "rules[0].expr", "cannot be evaluated"),
        ("/rules/0/expr", json!(long), "rules[0].expr", "longer than"),
        ("/rules/0/expr", json!(deep), "rules[0].expr", "nested deeper"),
        ("/natural_key/0/fields", json!(["gone"]), "natural_key[0].fields", "no field"),
        ("/natural_key/0/fields", json!(["nickname"]), "natural_key[0].fields", "personal"),
        ("/occurred_on", json!(["came"]), "occurred_on[0]", "no date"),
        ("/subject", json!("none"), "subject", "whose"),
        ("/subject", json!({"field": "day"}), "subject.field", "reference to a person"),
        ("/reported_by", json!("everybody"), "reported_by", "unknown variant"),
    ];
    for (pointer, value, place, reason) in cases {
        let (found_place, found_reason) = refused(&changed(pointer, value.clone()));
        assert_eq!(found_place, place, "{pointer} = {value}: {found_reason}");
        assert!(found_reason.contains(reason), "{pointer} = {value}: {found_reason}");
    }
}

#[test]
fn a_key_written_twice_and_text_that_is_no_json_are_refused() {
    let twice = definition().to_string().replacen('{', r#"{"code":"visit","#, 1);
    assert!(Form::parse("a", &twice).expect_err("refused").reason.contains("a name stands twice"));
    assert!(Form::parse("a", "{").expect_err("refused").reason.contains("EOF"));
    assert!(Form::parse("a", &format!("{} x", definition())).expect_err("refused").reason.contains("trailing"));
}

#[test]
fn a_form_answers_about_its_paths() {
    fn shared<T: Send + Sync>(_: &T) {}
    let form = parse(&definition());
    shared(&form);
    let tally = Path::field("tally");
    assert_eq!(form.path_of("came"), tally);
    assert_eq!(form.path_of("day"), Path::field("day"));
    assert_eq!(form.fields_of(&tally), ["came", "stayed"]);
    assert!(form.fields_of(&Path::field("twice")).is_empty(), "a derived field is not merged");
    assert!(form.is_guarded(&tally) && !form.is_guarded(&Path::field("day")));
    assert!(form.is_personal(&Path::field("nickname")) && !form.is_personal(&tally));
    assert!(form.is_personal(&Path::item("notes", "1", "by")) && !form.is_personal(&Path::item("notes", "1", "page")));
    assert!(form.is_personal(&Path::field("gone")), "what is not known might be");
}

#[test]
fn a_form_says_who_reports_it_and_whether_it_is_about_persons() {
    let about = |subject: Value| parse(&changed("/subject", subject));
    let by_reviewers = |subject: Value| {
        let mut definition = changed("/subject", subject);
        definition["reported_by"] = json!("reviewers");
        parse(&definition)
    };
    let itself = about(json!("self"));
    assert!(itself.is_about_person());
    assert_eq!(itself.action_to_report(), Action::ReportPersons);
    assert_eq!(by_reviewers(json!("self")).action_to_report(), Action::Review);
    assert!(!itself.definition_json().contains("reported_by"), "what is usual is not written");
    // Whoever sees no persons sees the record, without who is named in it; and that is erased by the record's own id.
    let named = about(json!("named"));
    let (record, view) = (RecordId::new(Uuid::from_u128(9)), View::default());
    assert!(!named.is_about_person() && named.is_personal(&Path::field("nickname")));
    assert_eq!(named.action_to_report(), Action::Report);
    assert_eq!(named.subject(&view, record), Some(record));
    assert_eq!(by_reviewers(json!("named")).action_to_report(), Action::Review);
}

#[test]
fn a_form_that_names_somebody_has_a_personal_field() {
    let mut definition = changed("/subject", json!("named"));
    definition["fields"][3]["personal"] = json!(false);
    definition["items"][0]["fields"][1]["personal"] = json!(false);
    let (place, reason) = refused(&definition);
    assert_eq!(place, "subject");
    assert!(reason.contains("no field is personal"), "{reason}");
}

#[test]
fn what_a_form_that_names_somebody_keeps_personal_is_text_and_no_part_of_a_key() {
    let mut definition = changed("/subject", json!("named"));
    assert!(Form::parse("visit", &definition.to_string()).is_ok(), "{:?}", refused(&definition));
    definition["fields"][3]["type"] = json!("date");
    definition["fields"][3].as_object_mut().expect("a field").retain(|name, _| !name.contains("length"));
    let (place, reason) = refused(&definition);
    assert_eq!(place, "subject");
    assert!(reason.contains("no text"), "{reason}");
}

#[test]
fn published_versions_stay_and_fit_together() {
    let mut catalog = Catalog::default();
    catalog.insert(parse(&definition())).expect("a first version");
    let again = catalog.insert(parse(&definition())).expect_err("published");
    assert!(matches!(again, CatalogError::Published { version: 1, .. }));
    for (pointer, value, place) in [
        ("/fields/3/type", json!("multiline"), "nickname"),
        ("/groups/0/guarded", json!(false), "tally"),
        ("/items/0/key", json!("uuid"), "notes"),
        ("/items/0/fields/0/type", json!("decimal"), "notes/page"),
        ("/items/0/fields/1/personal", json!(false), "notes/by"),
        ("/subject", json!("named"), "subject"),
        ("/reported_by", json!("reviewers"), "reported_by"),
    ] {
        let mut next = changed(pointer, value);
        next["version"] = json!(2);
        let error = catalog.insert(parse(&next)).expect_err("incompatible");
        assert!(matches!(&error, CatalogError::Incompatible { place: found, .. } if found == place), "{error}");
    }
    let mut next = changed("/fields/-", field("weather", "text"));
    next["version"] = json!(2);
    next["valid_from"] = json!("2026-07-01");
    catalog.insert(parse(&next)).expect("a version that only adds");
    let on = |day: &str| catalog.current("visit", day.parse().expect("a date")).map(|form| form.version());
    assert_eq!([on("2025-12-31"), on("2026-06-30"), on("2026-07-01")], [None, Some(1), Some(2)]);
    assert_eq!(catalog.get("visit", 1).map(|form| form.version()), Some(1), "old drafts keep their version");
}

fn checked(form: &Form, kind: &str, set: Value, items: Value) -> Checked {
    let envelope = json!({"id": Uuid::nil(), "n": 1, "kind": kind, "record": Uuid::nil(), "unit": Uuid::nil(), "set": set, "items": items});
    let submission: Submission = serde_json::from_value(envelope).expect("a submission");
    normalise_and_check(form, &submission, &context())
}

fn context() -> Context {
    Context { today: "2026-03-09".parse().expect("a date"), unit_founded_on: None, unit_kind: "branch".to_owned() }
}

#[test]
fn a_create_says_nothing_before_and_an_edit_keeps_what_it_saw() {
    let form = parse(&definition());
    let person = json!({"to": Uuid::nil()});
    let created = checked(
        &form,
        "create",
        json!({"day": {"from": "2020-01-01", "to": "2026-01-01"}, "came": {"to": 3}, "person": person}),
        json!({}),
    );
    assert!(created.errors.is_empty(), "{:?}", created.errors);
    let tally = created.changes.iter().find(|change| change.path == Path::field("tally")).expect("the group");
    assert_eq!((&tally.from, &tally.to), (&Value::Null, &json!({"came": 3, "stayed": 0})));
    assert!(created.changes.iter().all(|change| change.from.is_null()));

    let sent = json!({"came": {"from": 3.0, "to": 4}, "stayed": {"from": null, "to": 1}});
    let edited = checked(&form, "edit", sent, json!({}));
    assert_eq!(edited.changes[0].from, json!({"came": 3, "stayed": 0}), "an unseen default is the default");
    assert_eq!(edited.changes[0].to, json!({"came": 4, "stayed": 1}));
    let emptied =
        checked(&form, "edit", json!({"came": {"from": 3, "to": null}, "stayed": {"from": 0, "to": null}}), json!({}));
    assert_eq!(emptied.changes[0].to, Value::Null, "an emptied group is no value");
}

#[test]
fn hostile_values_are_findings_and_never_panics() {
    let form = parse(&definition());
    let nested = json!([[[[{"a": [null]}]]]]);
    for value in [
        nested,
        json!(1e300),
        json!(-0.0),
        json!(u64::MAX),
        json!(i64::MIN),
        json!("\u{0}"),
        json!({}),
        json!(true),
        json!("💥"),
    ] {
        let change = json!({"from": value, "to": value});
        let set = json!({"day": change, "came": change, "stayed": change, "nickname": change, "twice": change, "person": change, "~/": change});
        let checked = checked(
            &form,
            "create",
            set,
            json!({"notes": {"1": {"page": change, "by": change, "x": change}, "É/": {}}, "~": {}}),
        );
        assert!(checked.errors.iter().any(|finding| finding.pointer == "/set/~0~1"));
        assert!(
            checked.errors.iter().all(|finding| CODES.contains(&finding.code.as_str()) || finding.message.is_some())
        );
    }
}

#[test]
fn an_overflow_counts_as_broken_rather_than_passing() {
    let form = parse(&changed("/rules/0/expr", json!("stayed * stayed * came >= 0")));
    let largest = 1_i64 << 53;
    let paths = [(Path::field("tally"), json!({"came": largest, "stayed": largest}))];
    let broken =
        check_merged(&form, &View::from_paths(&form, paths.iter().map(|(path, value)| (path, value))), &context());
    let rule = broken.iter().find(|broken| broken.code.as_str() == "form.rule_unevaluable").expect("a broken rule");
    assert_eq!(rule.finding.args["rule"], "visit.stayed");
    assert_eq!(rule.reads, [Path::field("tally")]);
}

#[test]
fn messages_quote_what_the_rule_read() {
    let form = parse(&definition());
    let checked = checked(&form, "edit", json!({"came": {"to": 1}, "stayed": {"to": 2}}), json!({}));
    let finding = &checked.errors[0];
    assert_eq!(finding.message.as_ref().map(|text| text.en.as_str()), Some("2 of 1: correct it"));
    assert_eq!(finding.args["came"], 1);
}

#[test]
fn a_view_is_written_whole_or_without_persons() {
    let form = parse(&definition());
    let view = View::from_paths(
        &form,
        [
            (Path::field("tally"), json!({"came": 2, "stayed": null})),
            (Path::field("nickname"), json!("Tí")),
            (Path::field("person"), json!(Uuid::from_u128(7))),
            (Path::item("notes", "1", "page"), json!(4)),
            (Path::item("notes", "1", "by"), json!("Páo")),
            (Path::item("notes", "2", "page"), Value::Null),
        ]
        .iter()
        .map(|(path, value)| (path, value)),
    );
    let person = Uuid::from_u128(7).to_string();
    assert_eq!(
        view.to_json(),
        json!({"came": 2, "nickname": "Tí", "person": person, "twice": 4, "notes": {"1": {"page": 4, "by": "Páo"}}})
    );
    assert_eq!(
        view.to_masked_json(&form),
        json!({"came": 2, "person": person, "twice": 4, "notes": {"1": {"page": 4}}, "masked": ["nickname", "notes/*/by"]})
    );
    assert_eq!(form.subject(&view, RecordId::new(Uuid::nil())), Some(RecordId::new(Uuid::from_u128(7))));
}

#[test]
fn a_merged_record_tells_what_it_lacks() {
    let form = parse(&definition());
    let view = View::from_paths(&form, [(&Path::item("notes", "1", "by"), &json!("Páo"))]);
    let broken = check_merged(&form, &view, &context());
    let mut pointers: Vec<&str> = broken.iter().map(|broken| broken.finding.pointer.as_str()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/items/notes/1/page", "/set/day", "/set/person"]);
    assert_eq!(
        broken.iter().find(|b| b.finding.pointer.starts_with("/items")).map(|b| b.reads.clone()),
        Some(vec![Path::item("notes", "1", "page")])
    );
}

#[test]
fn no_expression_can_end_the_process() {
    let nests = [
        format!("{}true{}", "(".repeat(490), ")".repeat(490)),
        format!("{}true", "!".repeat(990)),
        format!("{}1 > 0", "-".repeat(990)),
        format!("{}1 > 0", "1+".repeat(480)),
        format!("came{} == 1", ".a".repeat(480)),
        format!("{}true", "true?true:".repeat(98)),
        format!("{}1{} == 1", "[".repeat(490), "]".repeat(490)),
        "(".repeat(990),
        "'".repeat(991),
        format!("came == 1 {}", "\u{202e}é💥".repeat(200)),
    ];
    for nest in nests {
        // Brackets alone mean nothing, so the parser may also have made a plain `true` of them.
        let outcome = Form::parse("visit.json", &changed("/rules/0/expr", json!(nest)).to_string());
        let place = outcome.expect_err("refused, or its message quotes what it does not read").place;
        assert!(place.starts_with("rules[0]."), "{place}");
    }
}

#[test]
fn the_deepest_expression_runs_on_a_usual_stack() {
    let deepest = format!("{}stayed{} <= came", "(1 + ".repeat(30), ")".repeat(30));
    let form = parse(&changed("/rules/0/expr", json!(deepest)));
    let checked = checked(&form, "edit", json!({"came": {"to": 31}, "stayed": {"to": 2}}), json!({}));
    assert_eq!(checked.errors[0].code.as_str(), "visit.stayed");
}
