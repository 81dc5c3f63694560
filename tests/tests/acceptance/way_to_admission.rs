//! The way to an admission, told in the order of life and of phones: what may be repeated, what comes late, what is missing.

use muong_domain::time::Calendar;
use muong_tests::builders::{person, step};
use muong_tests::client::{codes, text, uuid};
use muong_tests::province::{HUOI_SANG, SECRETARY};
use muong_tests::{Reporter, Submission, TestApp, on_both};
use serde_json::{Value, json};
use uuid::Uuid;

on_both!(
    a_class_taken_again_makes_up_for_a_certificate_that_expired,
    a_branch_votes_again_until_the_admission_is_decided,
    what_is_late_or_odd_is_worth_a_word_and_what_is_on_time_is_not,
    what_cannot_be_is_refused_with_its_code,
    a_person_with_steps_is_not_withdrawn_before_them,
);

fn enter(secretary: &Reporter, name: &str) -> Uuid {
    uuid(&secretary.reports_as("accepted", person(HUOI_SANG, name, "1990-04-12"))["record"])
}

fn a_class_taken_again_makes_up_for_a_certificate_that_expired(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let of = enter(&secretary, "Vàng A Dí");
    let told = |kind: &str, on: &str| secretary.reports(step(HUOI_SANG, of, kind, on));
    assert_eq!(told("awareness_class_completed", "2019-01-10")["status"], "accepted");
    assert_eq!(codes(&told("branch_resolved", "2026-01-10")["errors"]), ["step.certificate_too_old"]);
    let again = told("awareness_class_completed", "2025-10-10");
    assert_eq!((&again["status"], codes(&again["warnings"])), (&json!("accepted"), vec!["step.repeated"]), "{again}");
    assert_eq!(told("branch_resolved", "2026-01-11")["status"], "accepted");
}

fn a_branch_votes_again_until_the_admission_is_decided(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let of = enter(&secretary, "Vàng A Dí");
    let told = |kind: &str, on: &str| secretary.reports(step(HUOI_SANG, of, kind, on));
    told("awareness_class_completed", "2024-10-10");
    assert_eq!(told("branch_resolved", "2025-01-10")["status"], "accepted");
    let again = told("branch_resolved", "2026-01-09");
    assert!(again["status"] == "accepted" && codes(&again["warnings"]).contains(&"step.repeated"), "{again}");
    assert_eq!(told("admission_decided", "2026-02-10")["status"], "accepted");
    assert_eq!(codes(&told("branch_resolved", "2026-02-20")["errors"]), ["step.out_of_order"]);
    assert_eq!(codes(&told("admission_decided", "2026-02-11")["errors"]), ["step.already_held"]);
}

/// Steps in order; whether the last one is told this.
struct Told(&'static str, Vec<Submission>, bool);

fn what_is_late_or_odd_is_worth_a_word_and_what_is_on_time_is_not(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let calendar = Calendar::parse(include_str!("../../../forms/calendar.json")).expect("a calendar");
    let after = |from: &str, days| calendar.working_days_after(from.parse().expect("a date"), days).to_string();
    let to = |kind: &'static str, on: &str| step(HUOI_SANG, Uuid::nil(), kind, on);
    let entry = |status: &str| to("opening_entry", "2025-10-01").to("status", status);
    let cases = vec![
        Told(
            "step.decision_late",
            vec![to("branch_resolved", "2025-03-03"), to("admission_decided", &after("2025-03-03", 60))],
            false,
        ),
        Told(
            "step.decision_late",
            vec![to("branch_resolved", "2025-03-03"), to("admission_decided", &after("2025-03-03", 61))],
            true,
        ),
        Told(
            "step.ceremony_late",
            vec![to("admission_decided", "2025-03-03"), to("ceremony_held", &after("2025-03-03", 30))],
            false,
        ),
        Told(
            "step.ceremony_late",
            vec![to("admission_decided", "2025-03-03"), to("ceremony_held", &after("2025-03-03", 31))],
            true,
        ),
        Told("step.opening_date_missing", vec![entry("official")], true),
        Told("step.opening_date_missing", vec![entry("candidate")], false),
        Told("step.missing_earlier", vec![to("transferred_in", "2026-01-10").to("status", "official")], false),
        Told("step.repeated", vec![to("transferred_out", "2026-01-10"), to("transferred_out", "2026-01-12")], true),
        Told("step.withdrawn_as_member", vec![to("ceremony_held", "2025-01-10"), to("withdrawn", "2026-01-12")], true),
        Told(
            "step.withdrawn_as_member",
            vec![to("dossier_complete", "2025-01-10"), to("withdrawn", "2026-01-12")],
            false,
        ),
    ];
    for (at, Told(code, steps, expected)) in cases.into_iter().enumerate() {
        let of = enter(&secretary, &format!("Vàng A {at}"));
        let mut last = Value::Null;
        for draft in steps {
            last = secretary.reports_as("accepted", draft.to("person", json!(of)));
        }
        assert_eq!(codes(&last["warnings"]).contains(&code), expected, "case {at}: {last}");
    }
}

fn what_cannot_be_is_refused_with_its_code(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let to = |kind: &'static str, on: &str| step(HUOI_SANG, Uuid::nil(), kind, on);
    let inward = |status: &str| to("transferred_in", "2026-01-10").to("status", status);
    let cases = [
        ("step.opening_date_missing", vec![to("opening_entry", "2025-10-01").to("status", "probationary")]),
        ("step.opening_date_missing", vec![inward("probationary")]),
        ("form.required", vec![to("transferred_in", "2026-01-10")]),
        ("step.status_contradicted", vec![to("ceremony_held", "2025-12-10"), inward("candidate")]),
        ("step.after_end", vec![to("deceased", "2025-12-10"), inward("official")]),
        ("step.already_held", vec![to("ceremony_held", "2025-01-10"), to("ceremony_held", "2025-01-12")]),
    ];
    for (at, (code, mut steps)) in cases.into_iter().enumerate() {
        let of = enter(&secretary, &format!("Vàng A {at}"));
        let last = steps.pop().expect("a step");
        for draft in steps {
            secretary.reports_as("accepted", draft.to("person", json!(of)));
        }
        let result = secretary.reports(last.to("person", json!(of)));
        assert!(result["status"] == "rejected" && codes(&result["errors"]).contains(&code), "case {at}: {result}");
        if code == "step.opening_date_missing" {
            let told = text(&result["errors"][0]["message"]["vi"]);
            assert!(told.contains("“Ngày "), "the field is named by its label: {told}");
        }
    }
}

fn a_person_with_steps_is_not_withdrawn_before_them(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let of = enter(&secretary, "Vàng A Dí");
    let held = secretary.reports_as("accepted", step(HUOI_SANG, of, "awareness_class_completed", "2026-01-10"));
    // No base: the author builds on all that the same phone has said.
    let refused = secretary.reports(Submission::delete(of, HUOI_SANG));
    assert_eq!(codes(&refused["errors"]), ["person.has_steps"], "{refused}");
    assert!(text(&refused["errors"][0]["message"]["en"]).len() > 20);
    secretary.reports_as("accepted", Submission::delete(uuid(&held["record"]), HUOI_SANG));
    secretary.reports_as("accepted", Submission::delete(of, HUOI_SANG));
}
