//! Every rule of the meeting's form over HTTP: the report that it refuses or remarks upon, and the nearest one that it does
//! not; and what a newer version of the form asks for.

use muong_tests::builders::{MEETING, meeting, object};
use muong_tests::client::{codes, number, uuid};
use muong_tests::province::{ADMIN, HUOI_SANG, OFFICER, SECRETARY};
use muong_tests::{Submission, TestApp, id, on_both};
use serde_json::{Value, json};

on_both!(
    a_meeting_is_refused_by_the_rule_that_it_breaks_and_not_one_step_before,
    a_meeting_is_remarked_upon_and_kept,
    a_congress_of_one_day_is_one_report_and_is_not_the_regular_meeting,
    a_newer_form_asks_nothing_of_old_records_that_are_edited_elsewhere,
    a_rule_of_a_newer_form_stays_in_question_whatever_an_older_phone_says,
);

/// A meeting of its own month with these fields otherwise.
fn otherwise(month: usize, different: &Value) -> Submission {
    let period = format!("2025-{month:02}");
    let draft = meeting(HUOI_SANG).to("period", period.clone()).to("held_on", format!("{period}-05"));
    object(different.clone()).into_iter().fold(draft, |draft, (field, to)| draft.to(&field, to))
}

fn a_meeting_is_refused_by_the_rule_that_it_breaks_and_not_one_step_before(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let not_held = |other: Value| {
        let mut all = object(json!({"held": false, "held_on": null, "not_held_reason": "other"}));
        all.extend(object(other));
        Value::Object(all)
    };
    // Expected are 14 − 1 − 1 + 1 = 13; 11 are present, 1 is excused, 1 is not.
    let cases = [
        ("meeting.roll_total", json!({"official": 11}), json!({"official": 11, "probationary": 3})),
        (
            "meeting.temporarily_out_exceeds",
            json!({"temporarily_out": 15, "exempt": 0, "present": 0, "excused": 0, "unexcused": 0}),
            json!({"temporarily_out": 14, "exempt": 0, "present": 1, "excused": 0, "unexcused": 0}),
        ),
        (
            "meeting.exempt_exceeds",
            json!({"exempt": 14, "present": 0, "excused": 0, "unexcused": 0}),
            json!({"exempt": 13, "present": 1, "excused": 0, "unexcused": 0}),
        ),
        ("meeting.exempt_present_exceeds", json!({"exempt_present": 2}), json!({"exempt_present": 1})),
        (
            "meeting.held_in_future",
            json!({"period": "2026-03", "held_on": "2026-03-10"}),
            json!({"period": "2026-03", "held_on": "2026-03-09"}),
        ),
        (
            "meeting.before_founding",
            json!({"period": "2003-02", "held_on": "2003-02-02"}),
            json!({"period": "2003-02", "held_on": "2003-02-03"}),
        ),
        ("meeting.ends_before_start", json!({"ended": "19:30"}), json!({"ended": "19:31"})),
        (
            "meeting.not_held_undated",
            not_held(json!({"type": "thematic"})),
            not_held(json!({"type": "thematic", "scheduled_on": "2025-05-05"})),
        ),
        (
            "meeting.not_held_far_ahead",
            not_held(json!({"type": "extraordinary", "scheduled_on": "2026-04-09"})),
            not_held(json!({"type": "extraordinary", "scheduled_on": "2026-04-08"})),
        ),
        ("meeting.period_in_future", not_held(json!({"period": "2026-04"})), not_held(json!({"period": "2026-02"}))),
        ("meeting.period_in_future", json!({"period": "2026-05"}), json!({"period": "2026-04"})),
        (
            "meeting.period_before_founding",
            not_held(json!({"period": "2003-01"})),
            not_held(json!({"period": "2003-02", "sitting": 2})),
        ),
    ];
    for (at, (code, wrong, right)) in cases.into_iter().enumerate() {
        let result = secretary.reports(otherwise(at + 1, &wrong));
        assert_eq!(
            (&result["status"], codes(&result["errors"])),
            (&json!("rejected"), vec![code]),
            "{wrong}: {result}"
        );
        let result = secretary.reports(otherwise(at + 1, &right));
        assert_eq!(result["status"], "accepted", "{right}: {result}");
    }
}

fn a_meeting_is_remarked_upon_and_kept(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let votes = |draft: Submission, votes_for: u32| {
        let key = id().to_string();
        let fields = [("votes_for", votes_for), ("votes_against", 0), ("votes_blank", 0)];
        let draft = draft.item("resolutions", &key, "number", "01");
        fields.into_iter().fold(draft, |draft, (field, to)| draft.item("resolutions", &key, field, to))
    };
    let all = json!({"present": 13, "excused": 0, "unexcused": 0, "exempt_present": 1});
    let cases = [
        (votes(otherwise(1, &all), 14), vec![]),
        (votes(otherwise(2, &all), 15), vec!["meeting.votes_exceed"]),
        (otherwise(3, &json!({"ended": "21:00"})), vec![]),
        (otherwise(4, &json!({"ended": "20:59"})), vec!["meeting.short"]),
        (otherwise(5, &json!({"ended": "21:30", "combined_thematic": true})), vec![]),
        (otherwise(6, &json!({"ended": "21:29", "combined_thematic": true})), vec!["meeting.short"]),
        (otherwise(7, &json!({"present": 6, "excused": 6})), vec!["meeting.low_attendance"]),
    ];
    for (draft, expected) in cases {
        let result = secretary.reports_as("accepted", draft);
        assert_eq!(codes(&result["warnings"]), expected, "{result}");
    }
}

fn a_congress_of_one_day_is_one_report_and_is_not_the_regular_meeting(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    secretary.reports_as("accepted", meeting(HUOI_SANG));
    let congress = || meeting(HUOI_SANG).to("type", "congress");
    let first = secretary.reports_as("accepted", congress())["record"].clone();
    let same = officer.reports(congress());
    assert_eq!((&same["status"], &same["record"]), (&json!("merged"), &first), "{same}");
    let other_day = secretary.reports_as("accepted", congress().to("held_on", "2026-03-06"));
    assert_ne!(other_day["record"], first);
}

/// The built-in form as version 2, in force since the first of the month, asking for more.
fn newer(change: impl FnOnce(&mut Value)) -> Value {
    let mut form: Value = serde_json::from_str(include_str!("../../../forms/branch_meeting.json")).expect("JSON");
    form["version"] = json!(2);
    form["valid_from"] = json!("2026-03-01");
    change(&mut form);
    form
}

fn a_newer_form_asks_nothing_of_old_records_that_are_edited_elsewhere(app: &TestApp) {
    let (secretary, officer, admin) = (app.sign_in(SECRETARY), app.sign_in(OFFICER), app.sign_in(ADMIN));
    let report = secretary.says(meeting(HUOI_SANG));
    let seen = secretary.push(&[&report]).0;
    let weather =
        json!({"name": "weather", "type": "text", "label": {"vi": "Thời tiết", "en": "Weather"}, "required": true});
    let form = newer(|form| form["fields"].as_array_mut().expect("fields").push(weather));
    admin.post("/v1/forms", &form).expect(201);
    let edit = |version| {
        let edit = Submission::edit(MEETING, report.record(), HUOI_SANG).seen(&seen, number(&seen["head"]));
        edit.with("form_version", version)
    };
    secretary.reports_as("merged", edit(2).changes("place", json!(null), "Nhà văn hóa"));
    officer.reports_as("merged", edit(1).changes("chair_role", json!(null), "secretary"));
    let cleared = secretary.reports(edit(2).changes("weather", json!(null), json!(null)));
    assert_eq!(codes(&cleared["errors"]), ["form.required"], "who touches it answers for it: {cleared}");
}

fn a_rule_of_a_newer_form_stays_in_question_whatever_an_older_phone_says(app: &TestApp) {
    let (secretary, officer, admin) = (app.sign_in(SECRETARY), app.sign_in(OFFICER), app.sign_in(ADMIN));
    let rule = json!({"code": "meeting.remote_by_secretary", "level": "error", "pointer": "/set/place",
        "expr": "place != 'Bộ đàm' || chair_role == 'secretary'",
        "message": {"vi": "Họp qua bộ đàm thì bí thư chủ trì. Hãy sửa một trong hai.", "en": "By radio the secretary chairs. Correct one of the two."}});
    let form = newer(|form| form["rules"].as_array_mut().expect("rules").push(rule));
    admin.post("/v1/forms", &form).expect(201);
    let report = secretary.says(meeting(HUOI_SANG).with("form_version", 2).to("chair_role", "secretary"));
    let seen = secretary.push(&[&report]).0;
    let record = uuid(&seen["results"][0]["record"]);
    let edit = |version| {
        let edit = Submission::edit(MEETING, record, HUOI_SANG).seen(&seen, number(&seen["head"]));
        edit.with("form_version", version)
    };
    secretary.reports_as("merged", edit(2).changes("place", json!(null), "Bộ đàm"));
    let broken = officer.reports_as("conflict", edit(2).changes("chair_role", "secretary", "party_member"));
    assert_eq!(broken["conflicts"][0]["path"], "$rule/meeting.remote_by_secretary", "{broken}");
    officer.reports_as("merged", edit(1).changes("secretary_role", json!(null), "secretary"));
    assert_eq!(secretary.read(&format!("/v1/records/{record}"))["disputed"], true, "an older form does not close it");
}
