//! S6: dates of member development that cannot be are refused, each naming what it contradicts; late is not wrong.

use muong_tests::builders::{person, step};
use muong_tests::client::{assert_finding, codes, text, uuid};
use muong_tests::province::{HUOI_SANG, SECRETARY};
use muong_tests::{Reporter, TestApp, on_both};
use serde_json::Value;
use uuid::Uuid;

on_both!(
    a_ceremony_before_its_decision_is_rejected_and_names_it,
    nobody_is_resolved_upon_before_the_eighteenth_birthday,
    a_birthday_on_29_february_comes_with_the_end_of_the_month,
    above_sixty_an_exception_is_needed,
    a_ceremony_entered_half_a_year_late_is_accepted,
    recognition_before_twelve_months_of_probation_is_rejected,
    a_probationary_member_cannot_be_expelled,
    a_vote_below_two_thirds_is_recorded_as_not_carried,
    a_birth_date_is_not_corrected_into_a_contradiction,
    a_certificate_older_than_five_years_does_not_count,
    a_missing_earlier_step_is_a_warning,
);

fn enter(secretary: &Reporter, birth_date: &str) -> Uuid {
    let result = secretary.reports_as("accepted", person(HUOI_SANG, "Giàng A Vừ", birth_date));
    uuid(&result["record"])
}

#[track_caller]
fn refused(result: &Value, code: &str) -> Value {
    assert_eq!(result["status"], "rejected", "{result}");
    let findings = result["errors"].as_array().expect("errors");
    let finding = findings.iter().find(|finding| finding["code"] == code);
    let finding = finding.unwrap_or_else(|| panic!("no {code}: {result}"));
    assert_finding(finding);
    finding.clone()
}

fn a_ceremony_before_its_decision_is_rejected_and_names_it(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let person = enter(&secretary, "1999-05-20");
    secretary.reports_as("accepted", step(HUOI_SANG, person, "admission_decided", "2026-02-20"));
    let result = secretary.reports(step(HUOI_SANG, person, "ceremony_held", "2026-02-19"));
    let finding = refused(&result, "step.out_of_order");
    assert_eq!(finding["pointer"], "/set/on");
    assert!(
        text(&finding["message"]["vi"]).contains("20/02/2026"),
        "the other step's date, as people write it: {finding}"
    );
}

fn nobody_is_resolved_upon_before_the_eighteenth_birthday(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let person = enter(&secretary, "2008-03-01");
    let too_early = secretary.reports(step(HUOI_SANG, person, "branch_resolved", "2026-01-15"));
    refused(&too_early, "step.under_age");
    let the_day_before = secretary.reports(step(HUOI_SANG, person, "branch_resolved", "2026-02-28"));
    refused(&the_day_before, "step.under_age");
    secretary.reports_as("accepted", step(HUOI_SANG, person, "branch_resolved", "2026-03-01"));
}

fn a_birthday_on_29_february_comes_with_the_end_of_the_month(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let person = enter(&secretary, "2008-02-29");
    let result = secretary.reports(step(HUOI_SANG, person, "branch_resolved", "2026-02-27"));
    refused(&result, "step.under_age");
    secretary.reports_as("accepted", step(HUOI_SANG, person, "branch_resolved", "2026-02-28"));
}

fn above_sixty_an_exception_is_needed(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let sixty = enter(&secretary, "1966-02-10");
    secretary.reports_as("accepted", step(HUOI_SANG, sixty, "branch_resolved", "2026-02-28"));
    let older = enter(&secretary, "1966-01-10");
    let resolved = step(HUOI_SANG, older, "branch_resolved", "2026-02-28");
    refused(&secretary.reports(resolved.clone()), "step.over_age");
    secretary.reports_as("accepted", resolved.anew().to("exception_reference", "12-CV/TU"));
}

fn a_ceremony_entered_half_a_year_late_is_accepted(app: &TestApp) {
    app.set_clock("2026-02-05T02:00:00Z");
    let secretary = app.sign_in(SECRETARY);
    let person = enter(&secretary, "1999-05-20");
    let decided = step(HUOI_SANG, person, "admission_decided", "2025-08-20").to("decision_reference", "45-QĐ/TU");
    secretary.reports_as("accepted", decided);
    let ceremony = secretary.reports_as("accepted", step(HUOI_SANG, person, "ceremony_held", "2025-09-02"));
    assert_eq!(ceremony.get("errors"), None);
    let record = secretary.read(&format!("/v1/records/{}", text(&ceremony["record"])));
    assert_eq!(record["occurred_on"], "2025-09-02");
}

fn recognition_before_twelve_months_of_probation_is_rejected(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let person = enter(&secretary, "1999-05-20");
    secretary.reports_as("accepted", step(HUOI_SANG, person, "ceremony_held", "2025-03-05"));
    let early = secretary.reports(step(HUOI_SANG, person, "recognised_official", "2026-03-04"));
    let finding = refused(&early, "step.probation_too_short");
    assert!(text(&finding["message"]["vi"]).contains("05/03/2026"), "the earliest day is told: {finding}");
    secretary.reports_as("accepted", step(HUOI_SANG, person, "recognised_official", "2026-03-05"));
}

fn a_probationary_member_cannot_be_expelled(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let person = enter(&secretary, "1999-05-20");
    secretary.reports_as("accepted", step(HUOI_SANG, person, "ceremony_held", "2025-09-02"));
    let disciplined = |measure: &str| step(HUOI_SANG, person, "disciplined", "2026-01-10").to("discipline", measure);
    for measure in ["expulsion", "dismissal_from_post"] {
        refused(&secretary.reports(disciplined(measure)), "step.probationary_discipline");
    }
    secretary.reports_as("accepted", disciplined("warning"));
}

fn a_vote_below_two_thirds_is_recorded_as_not_carried(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    for (yes, carried) in [(4, false), (5, true)] {
        let person = enter(&secretary, "1999-05-20");
        let resolved = step(HUOI_SANG, person, "branch_resolved", "2026-01-15").to("eligible", 7).to("yes", yes);
        let result = secretary.reports_as("accepted", resolved);
        let record = secretary.read(&format!("/v1/records/{}", text(&result["record"])));
        assert_eq!(record["data"]["carried"], carried, "{yes} of 7");
    }
}

fn a_birth_date_is_not_corrected_into_a_contradiction(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let draft = secretary.says(person(HUOI_SANG, "Giàng A Vừ", "2007-12-31"));
    let entered = secretary.push(&[&draft]);
    secretary.reports_as("accepted", step(HUOI_SANG, draft.record(), "branch_resolved", "2026-01-15"));
    let identity = muong_tests::builders::object(serde_json::json!(
        {"full_name": "Giàng A Vừ", "birth_date": "2007-12-31", "gender": null}));
    let edit = muong_tests::Submission::edit("person", draft.record(), HUOI_SANG)
        .seen(&entered, muong_tests::client::number(&entered["head"]))
        .changes_group(&identity, &serde_json::json!({"birth_date": "2008-03-01"}));
    let result = secretary.reports(edit);
    let finding = refused(&result, "step.under_age");
    assert_eq!(finding["pointer"], "/set/birth_date");
}

fn a_certificate_older_than_five_years_does_not_count(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let person = enter(&secretary, "1990-05-20");
    secretary.reports_as("accepted", step(HUOI_SANG, person, "awareness_class_completed", "2021-01-14"));
    let resolved = secretary.reports(step(HUOI_SANG, person, "branch_resolved", "2026-01-15"));
    refused(&resolved, "step.certificate_too_old");
}

fn a_missing_earlier_step_is_a_warning(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let person = enter(&secretary, "1999-05-20");
    let ceremony = secretary.reports_as("accepted", step(HUOI_SANG, person, "ceremony_held", "2026-01-15"));
    assert!(codes(&ceremony["warnings"]).contains(&"step.missing_earlier"), "{ceremony}");
    ceremony["warnings"].as_array().expect("warnings").iter().for_each(assert_finding);
}
