//! S7: nothing leaks, nothing is lost: what push, pull and reading decide about scope.

use chrono::TimeDelta;
use muong_domain::access::Role;
use muong_tests::builders::{MEETING, meeting, person, step};
use muong_tests::client::{codes, text, uuid};
use muong_tests::phone::kinds;
use muong_tests::province::{
    COMMUNE, DEPARTMENT, HUOI_SANG, NEIGHBOUR, NOWHERE, OFFICER, OTHER_COMMUNE, PHIENG_SANG, SECRETARY, STRANGER,
};
use muong_tests::review::{quarantined, release};
use muong_tests::{Phone, TestApp, id, on_both};
use serde_json::json;

on_both!(
    a_liaison_who_asks_for_a_candidates_file_is_told_that_there_is_none,
    another_branchs_meeting_does_not_exist_for_a_cadre,
    a_report_for_another_branch_is_forbidden_kept_and_seen_by_its_author_and_the_reviewer_above,
    a_report_that_arrives_after_its_grant_has_ended_waits_and_can_be_released,
    a_release_tells_its_author_nothing_of_what_others_have_said,
    an_ended_grant_purges_the_unit_and_the_unsent_report_waits_for_a_reviewer,
    a_report_for_a_unit_that_does_not_exist_is_answered_like_one_out_of_scope,
    nothing_tells_whether_a_record_exists_in_another_unit,
);

fn a_liaison_who_asks_for_a_candidates_file_is_told_that_there_is_none(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let entered = secretary.reports_as("accepted", person(HUOI_SANG, "Giàng A Vừ", "2001-04-12"));
    let candidate = uuid(&entered["record"]);
    let resolved = secretary.reports_as("accepted", step(HUOI_SANG, candidate, "branch_resolved", "2026-01-15"));
    for record in [candidate, uuid(&resolved["record"]), id()] {
        officer.get(&format!("/v1/records/{record}")).problem(404, "access.not_found");
        officer.get(&format!("/v1/records/{record}/submissions")).problem(404, "access.not_found");
    }
    let seen = officer.read(&format!("/v1/records?unit={HUOI_SANG}"));
    assert_eq!(seen["items"], json!([]));
    let denied = officer.reports(step(HUOI_SANG, candidate, "superior_endorsed", "2026-02-01"));
    assert_eq!((&denied["status"], codes(&denied["errors"])), (&json!("forbidden"), vec!["access.forbidden"]));
}

fn another_branchs_meeting_does_not_exist_for_a_cadre(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let record = uuid(&secretary.reports_as("accepted", meeting(HUOI_SANG))["record"]);
    for login in [NEIGHBOUR, STRANGER, OTHER_COMMUNE] {
        app.sign_in(login).get(&format!("/v1/records/{record}")).problem(404, "access.not_found");
    }
    for login in [OFFICER, COMMUNE, DEPARTMENT] {
        app.sign_in(login).get(&format!("/v1/records/{record}")).expect(200);
    }
}

fn a_report_for_another_branch_is_forbidden_kept_and_seen_by_its_author_and_the_reviewer_above(app: &TestApp) {
    let neighbour = app.sign_in(NEIGHBOUR);
    let result = neighbour.reports_as("forbidden", meeting(HUOI_SANG));
    assert_eq!(codes(&result["errors"]), ["scope.outside"]);
    for login in [NEIGHBOUR, COMMUNE, DEPARTMENT] {
        let waiting = quarantined(&app.sign_in(login), &result["quarantine"]);
        assert_eq!(waiting["submission"], result["id"], "{login}");
    }
    for login in [SECRETARY, OFFICER, STRANGER, OTHER_COMMUNE] {
        let answer = app.sign_in(login).get(&format!("/v1/quarantine/{}", text(&result["quarantine"])));
        answer.problem(404, "access.not_found");
    }
    let secretary = app.sign_in(SECRETARY);
    assert_eq!(secretary.read(&format!("/v1/records?unit={HUOI_SANG}"))["items"], json!([]));
}

fn a_report_that_arrives_after_its_grant_has_ended_waits_and_can_be_released(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let unsent = secretary.says(meeting(HUOI_SANG));
    app.pass(TimeDelta::seconds(5));
    app.revoke(SECRETARY, Role::Cadre, HUOI_SANG);
    let result = secretary.push(&[&unsent]).only();
    assert_eq!((&result["status"], codes(&result["errors"])), (&json!("forbidden"), vec!["scope.no_grant"]));
    let commune = app.sign_in(COMMUNE);
    release(&commune, &result["quarantine"], "Đồng chí còn giữ chức vụ khi họp.").expect(200);
    let record = commune.read(&format!("/v1/records/{}", unsent.record()));
    assert_eq!(record["data"]["present"], 11);
    let again = secretary.push(&[&unsent]).only();
    assert_eq!((&again["original"]["status"], &again["now"]["status"]), (&json!("forbidden"), &json!("released")));
    assert_eq!(again["now"]["result"]["status"], "accepted", "{again}");
}

fn a_release_tells_its_author_nothing_of_what_others_have_said(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    app.sign_in(OFFICER).reports_as("accepted", meeting(HUOI_SANG).to("present", 12).to("unexcused", 0));
    let unsent = secretary.says(meeting(HUOI_SANG));
    app.pass(TimeDelta::seconds(5));
    app.revoke(SECRETARY, Role::Cadre, HUOI_SANG);
    let result = secretary.push(&[&unsent]).only();
    assert_eq!(result["status"], "forbidden");
    release(&commune, &result["quarantine"], "Đồng chí còn giữ chức vụ khi họp.").expect(200);
    let waiting = format!("/v1/quarantine/{}", text(&result["quarantine"]));
    let theirs = json!({"present": 12, "unexcused": 0});
    assert_eq!(commune.read(&waiting)["released"]["conflicts"][0]["current"], theirs);
    let again = secretary.push(&[&unsent]).only()["now"]["result"].clone();
    for told in [again, secretary.read(&waiting)["released"].clone()] {
        let conflict = &told["conflicts"][0];
        assert_eq!((&told["status"], &conflict["path"]), (&json!("conflict"), &json!("roll")), "{told}");
        assert_eq!(conflict["yours"], json!({"present": 11, "unexcused": 1}));
        assert_eq!((&conflict["base"], &conflict["current"]), (&json!(null), &json!(null)));
    }
}

fn a_report_for_a_unit_that_does_not_exist_is_answered_like_one_out_of_scope(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let [elsewhere, nowhere] = [PHIENG_SANG, NOWHERE].map(|unit| secretary.reports_as("forbidden", meeting(unit)));
    assert_eq!(elsewhere["errors"], nowhere["errors"]);
}

fn nothing_tells_whether_a_record_exists_in_another_unit(app: &TestApp) {
    let (secretary, stranger) = (app.sign_in(SECRETARY), app.sign_in(STRANGER));
    let known = uuid(&secretary.reports_as("accepted", meeting(HUOI_SANG))["record"]);
    let answers = [known, id()].map(|record| {
        let edit =
            muong_tests::Submission::edit("branch_meeting", record, PHIENG_SANG).changes("place", json!(null), "x");
        let mut result = stranger.reports(edit);
        assert_eq!(result["missing"], json!(record));
        (result["missing"], result["id"]) = (json!(null), json!(null));
        result
    });
    assert_eq!(answers[0], answers[1]);
}

fn an_ended_grant_purges_the_unit_and_the_unsent_report_waits_for_a_reviewer(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let record = uuid(&secretary.reports_as("accepted", meeting(HUOI_SANG))["record"]);
    let mut phone = Phone::default();
    phone.pulls(&secretary);
    let unsent = secretary.says(meeting(HUOI_SANG).to("period", "2026-02").to("held_on", "2026-02-05"));
    app.pass(TimeDelta::seconds(5));
    app.revoke(SECRETARY, Role::Cadre, HUOI_SANG);
    let told = phone.pulls(&secretary);
    assert!(told.contains(&json!({"t": "purge_scope", "unit": HUOI_SANG})), "{told:?}");
    assert!(!phone.things().contains_key(&record) && phone.records().is_empty());
    let result = secretary.push(&[&unsent]).only();
    assert_eq!((&result["status"], codes(&result["errors"])), (&json!("forbidden"), vec!["scope.no_grant"]));
    let commune = app.sign_in(COMMUNE);
    let mut reviewers = Phone::default();
    reviewers.pulls(&commune);
    release(&commune, &result["quarantine"], "Đồng chí còn giữ chức vụ khi họp.").expect(200);
    let told = phone.pulls(&secretary);
    assert_eq!(kinds(&told), ["notice"], "its author is told, and gets nothing of the unit");
    assert_eq!((&told[0]["about"], &told[0]["code"]), (&json!(unsent.id()), &json!("quarantine.released")));
    assert_eq!(kinds(&reviewers.pulls(&commune)), [MEETING]);
    assert!(reviewers.things().contains_key(&unsent.record()));
}
