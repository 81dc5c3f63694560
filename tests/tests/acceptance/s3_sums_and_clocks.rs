//! S3: a roll that does not add up waits whole and is corrected; a phone's wrong clock harms no report.

use muong_tests::builders::meeting;
use muong_tests::client::{assert_finding, codes, number, text};
use muong_tests::province::{HUOI_SANG, SECRETARY};
use muong_tests::review::quarantined;
use muong_tests::{Submission, TestApp, on_both};
use serde_json::json;

on_both!(
    a_roll_that_does_not_add_up_is_rejected_and_its_neighbours_are_not,
    the_corrected_report_closes_the_one_that_it_replaces,
    a_phone_that_thinks_it_is_2019_keeps_its_meeting_and_has_its_clock_measured,
);

/// Expected 13, and 11 + 2 + 1 = 14.
fn wrong() -> Submission {
    meeting(HUOI_SANG).to("excused", 2)
}

fn a_roll_that_does_not_add_up_is_rejected_and_its_neighbours_are_not(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let february = meeting(HUOI_SANG).to("period", "2026-02").to("held_on", "2026-02-05");
    let batch = [secretary.says(wrong()), secretary.says(february)];
    let pushed = secretary.push(&[&batch[0], &batch[1]]);
    assert_eq!(pushed.statuses(), ["rejected", "accepted"]);
    let rejected = &pushed.results()[0];
    assert_eq!(codes(&rejected["errors"]), ["meeting.roll_sum"]);
    let finding = &rejected["errors"][0];
    assert_finding(finding);
    assert_eq!(finding["pointer"], "/set/present");
    let vietnamese = text(&finding["message"]["vi"]);
    assert!(vietnamese.contains("11") && vietnamese.contains("13"), "the figures stand in it: {vietnamese}");
    let waiting = quarantined(&secretary, &rejected["quarantine"]);
    assert_eq!(waiting["submission"], json!(batch[0].id()), "{waiting}");
    secretary.get(&format!("/v1/records/{}", batch[0].record())).problem(404, "access.not_found");
}

fn the_corrected_report_closes_the_one_that_it_replaces(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let first = secretary.says(wrong());
    let rejected = secretary.push(&[&first]).only();
    let corrected = meeting(HUOI_SANG).with("record", json!(first.record())).with("replaces", json!([first.id()]));
    let accepted = secretary.reports_as("accepted", corrected);
    assert_eq!(accepted.get("warnings"), None, "{accepted}");
    let closed = quarantined(&secretary, &rejected["quarantine"]);
    assert_eq!(closed["closing"], "replaced", "{closed}");
    let again = secretary.push(&[&first]).only();
    assert_eq!((&again["original"]["status"], &again["now"]["status"]), (&json!("rejected"), &json!("replaced")));
}

fn a_phone_that_thinks_it_is_2019_keeps_its_meeting_and_has_its_clock_measured(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let report = secretary.says(meeting(HUOI_SANG).with("captured_at", "2019-01-02T08:00:00+07:00"));
    let mut body = secretary.envelope(&[&report]);
    body["sent_at"] = json!("2019-01-02T01:11:00Z");
    let pushed = secretary.post("/v1/sync/push", &body).expect(200);
    assert_eq!(pushed["results"][0]["status"], "accepted", "{pushed}");
    let record = secretary.read(&format!("/v1/records/{}", report.record()));
    assert_eq!(record["occurred_on"], "2026-03-05", "the date of the meeting is its own");
    let said = secretary.read(&format!("/v1/records/{}/submissions", report.record()));
    let said = &said["items"][0];
    let received = chrono::DateTime::parse_from_rfc3339(text(&said["received_at"])).expect("an instant");
    assert_eq!(received, app.now(), "the receipt is the server's");
    let offset = app.now() - "2019-01-02T01:11:00Z".parse::<chrono::DateTime<chrono::Utc>>().expect("an instant");
    assert_eq!(number(&said["clock_offset_seconds"]), offset.num_seconds(), "{said}");
}
