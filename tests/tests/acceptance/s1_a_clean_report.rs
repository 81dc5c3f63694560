//! S1: a clean report, written without a signal, sent three times because the answer was lost twice.

use muong_tests::builders::{MEETING, meeting};
use muong_tests::client::{number, text, uuid};
use muong_tests::province::{HUOI_SANG, SECRETARY};
use muong_tests::{TestApp, on_both};
use serde_json::{Value, json};

on_both!(
    sent_three_times_it_is_one_record_one_submission_and_three_identical_answers,
    it_is_kept_when_it_was_captured_and_when_it_was_received,
    the_strength_of_the_branch_and_the_expected_number_are_those_of_the_report,
);

fn sent_three_times_it_is_one_record_one_submission_and_three_identical_answers(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let report = secretary.says(meeting(HUOI_SANG));
    let first = secretary.push(&[&report]);
    let result = first.only();
    assert_eq!(result["status"], "accepted", "{result}");
    assert_eq!(uuid(&result["record"]), report.record());
    assert_eq!(result.get("warnings"), None, "{result}");

    let second = secretary.push(&[&report]);
    let third = secretary.push(&[&report]);
    assert_eq!(second, third);
    let again = second.only();
    assert_eq!(again["status"], "duplicate");
    assert_eq!((&again["original"]["status"], &again["original"]["v"]), (&json!("accepted"), &result["v"]));
    assert_eq!(again.get("now"), None, "nobody has decided anything since: {again}");
    assert_eq!(second["head"], first["head"], "saying it again is no change");

    let records = secretary.read(&format!("/v1/records?form={MEETING}&unit={HUOI_SANG}"));
    assert_eq!(records["items"].as_array().map(Vec::len), Some(1), "{records}");
    let said = secretary.read(&format!("/v1/records/{}/submissions", report.record()));
    assert_eq!(said["items"].as_array().map(Vec::len), Some(1), "{said}");
}

fn it_is_kept_when_it_was_captured_and_when_it_was_received(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let result = secretary.reports_as("accepted", meeting(HUOI_SANG));
    let said = secretary.read(&format!("/v1/records/{}/submissions", text(&result["record"])));
    let said = &said["items"][0];
    let instant = |value: &Value| chrono::DateTime::parse_from_rfc3339(text(value)).expect("an instant");
    assert_eq!(instant(&said["captured_at"]), instant(&json!("2026-03-05T21:20:00+07:00")), "{said}");
    assert_eq!(instant(&said["received_at"]), app.now(), "{said}");
}

fn the_strength_of_the_branch_and_the_expected_number_are_those_of_the_report(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let result = secretary.reports_as("accepted", meeting(HUOI_SANG));
    let record = secretary.read(&format!("/v1/records/{}", text(&result["record"])));
    assert_eq!((number(&record["data"]["on_roll"]), number(&record["data"]["expected"])), (14, 13));
    assert_eq!(record["occurred_on"], "2026-03-05");
    assert_eq!((&record["state"], &record["disputed"]), (&json!("live"), &json!(false)));
    assert_eq!(record["v"], result["v"]);
    assert_eq!((&record["form"], &record["unit"]), (&json!(MEETING), &json!(HUOI_SANG)));
}
