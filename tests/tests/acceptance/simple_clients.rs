//! `POST /v1/submissions`: one submission as the whole body, for clients that keep no outbox. The same way as a push;
//! the status tells how it ended.

use muong_tests::builders::{MEETING, meeting};
use muong_tests::client::{Answer, codes, uuid};
use muong_tests::province::{HUOI_SANG, NA_LONG, OFFICER, SECRETARY};
use muong_tests::{Reporter, Submission, TestApp, id, on_both};
use serde_json::{Value, json};

on_both!(
    the_status_tells_how_it_ended,
    it_is_the_same_submission_whichever_way_it_comes,
    a_refused_one_is_answered_by_its_result_and_kept,
    what_is_no_submission_is_refused,
    a_number_that_is_taken_means_a_copied_phone,
);

#[track_caller]
fn submit(reporter: &Reporter, said: &Submission) -> Answer {
    reporter.post("/v1/submissions", said.json())
}

#[track_caller]
fn ends(answer: &Answer, status: u16, as_what: &str) -> Value {
    let result = answer.expect(status);
    assert_eq!(result["status"], as_what, "{result}");
    result
}

fn the_status_tells_how_it_ended(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let report = secretary.says(meeting(HUOI_SANG));
    let accepted = ends(&submit(&secretary, &report), 201, "accepted");
    assert_eq!(uuid(&accepted["record"]), report.record());
    ends(&submit(&secretary, &report), 200, "duplicate");
    ends(&submit(&officer, &officer.says(meeting(HUOI_SANG))), 200, "merged");
    let other = officer.says(meeting(HUOI_SANG).to("present", 12).to("unexcused", 0));
    ends(&submit(&officer, &other), 200, "conflict");
    let early = Submission::edit(MEETING, id(), HUOI_SANG).changes("place", json!(null), "Nhà văn hóa");
    ends(&submit(&secretary, &secretary.says(early)), 202, "deferred");
}

fn it_is_the_same_submission_whichever_way_it_comes(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let report = secretary.says(meeting(HUOI_SANG));
    let first = submit(&secretary, &report).expect(201);
    let pushed = secretary.push(&[&report]).only();
    assert_eq!((&pushed["status"], &pushed["original"]["v"]), (&json!("duplicate"), &first["v"]));
}

fn a_refused_one_is_answered_by_its_result_and_kept(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let wrong = secretary.says(meeting(HUOI_SANG).to("excused", 2));
    let rejected = ends(&submit(&secretary, &wrong), 422, "rejected");
    assert_eq!(codes(&rejected["errors"]), ["meeting.roll_sum"]);
    let outside = ends(&submit(&secretary, &secretary.says(meeting(NA_LONG))), 403, "forbidden");
    assert_eq!(codes(&outside["errors"]), ["scope.outside"]);
    for result in [rejected, outside] {
        let waiting = muong_tests::review::quarantined(&secretary, &result["quarantine"]);
        assert_eq!(waiting["submission"], result["id"]);
    }
}

fn what_is_no_submission_is_refused(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let json = [("content-type", "application/json")];
    for body in ["", " ", "{", "[]", "42"] {
        let answer = secretary.client().post_bytes("/v1/submissions", body.as_bytes().to_vec(), &json);
        answer.problem(400, "request.malformed");
    }
    let unknown = ends(&submit(&secretary, &secretary.says(meeting(HUOI_SANG).with("extra", 1))), 422, "rejected");
    assert_eq!(codes(&unknown["errors"]), ["submission.member_unknown"]);
}

fn a_number_that_is_taken_means_a_copied_phone(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    submit(&secretary, &secretary.says(meeting(HUOI_SANG))).expect(201);
    let clash = meeting(HUOI_SANG).to("period", "2026-02").with("n", 1);
    submit(&secretary, &clash).problem(409, "device.fork");
}
