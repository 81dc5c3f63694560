//! Ids that mean something else than their author thinks: a record of another form, the submission itself, a record here
//! and an alias there.

use muong_tests::builders::{MEETING, PERSON, meeting, person, step};
use muong_tests::client::{codes, number, uuid};
use muong_tests::province::{BAN_HUOI_SANG, COMMUNE, HUOI_SANG, NA_LONG, NEIGHBOUR, OFFICER, SECRETARY};
use muong_tests::{Submission, TestApp, on_both};
use serde_json::{Value, json};

on_both!(
    an_edit_of_a_record_by_the_wrong_form_is_answered_alike_in_a_batch_and_alone,
    a_step_about_a_person_who_waits_under_a_taken_id_is_answered_alike_in_a_batch_and_alone,
    a_new_record_under_the_id_of_another_form_waits_and_is_not_deferred_for_ever,
    what_builds_on_itself_is_refused,
    an_id_that_means_two_records_is_read_as_the_one_whose_own_it_is,
    a_delete_that_names_no_form_carries_no_values_either,
);

fn an_edit_of_a_record_by_the_wrong_form_is_answered_alike_in_a_batch_and_alone(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let mut answers = Vec::new();
    for (month, together) in [("2026-01", true), ("2026-02", false)] {
        let report = secretary.says(meeting(HUOI_SANG).to("period", month).to("held_on", format!("{month}-05")));
        let seen = secretary.push(&[&report]).0;
        let edit = |form| Submission::edit(form, report.record(), HUOI_SANG).seen(&seen, number(&seen["head"]));
        let wrong = secretary.says(edit(MEETING).changes("self_score", json!(null), 101));
        let other = edit(PERSON).changes("residence_village", json!(null), json!(BAN_HUOI_SANG));
        let other = secretary.says(other);
        let statuses: Vec<Value> = if together {
            secretary.push(&[&wrong, &other]).results().iter().map(|result| result["status"].clone()).collect()
        } else {
            [&wrong, &other].map(|said| secretary.push(&[said]).only()["status"].clone()).to_vec()
        };
        answers.push(statuses);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], ["rejected", "deferred"]);
}

fn a_step_about_a_person_who_waits_under_a_taken_id_is_answered_alike_in_a_batch_and_alone(app: &TestApp) {
    let (secretary, neighbour) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR));
    let mut answers = Vec::new();
    for together in [true, false] {
        let taken = uuid(&neighbour.reports_as("accepted", person(NA_LONG, "Lò Văn Xuân", "1980-04-12"))["record"]);
        let unborn = secretary.says(person(HUOI_SANG, "Giàng A Sử", "2090-02-03").with("record", json!(taken)));
        let about = secretary.says(step(HUOI_SANG, taken, "awareness_class_completed", "2026-02-10"));
        let results = if together {
            secretary.push(&[&unborn, &about]).results().to_vec()
        } else {
            [&unborn, &about].map(|said| secretary.push(&[said]).only()).to_vec()
        };
        answers.push(results.iter().map(|result| codes(&result["errors"])[0].to_owned()).collect::<Vec<_>>());
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0][1], "submission.depends_on_quarantined");
}

fn a_new_record_under_the_id_of_another_form_waits_and_is_not_deferred_for_ever(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let known = secretary.reports_as("accepted", person(HUOI_SANG, "Giàng A Vừ", "2001-04-12"));
    let said = officer.says(meeting(HUOI_SANG).with("record", known["record"].clone()));
    let result = officer.push(&[&said]).only();
    assert_eq!((&result["status"], codes(&result["errors"])), (&json!("rejected"), vec!["submission.record_taken"]));
    let anew = meeting(HUOI_SANG).with("replaces", json!([said.id()]));
    assert_eq!(officer.reports_as("accepted", anew).get("warnings"), None);
}

fn what_builds_on_itself_is_refused(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let report = meeting(HUOI_SANG);
    let itself = report.id();
    let result = secretary.reports(report.after(itself));
    assert_eq!((&result["status"], codes(&result["errors"])), (&json!("rejected"), vec!["submission.after_itself"]));
}

fn an_id_that_means_two_records_is_read_as_the_one_whose_own_it_is(app: &TestApp) {
    let (secretary, neighbour, commune) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR), app.sign_in(COMMUNE));
    for (month, first, unit, second, other) in [
        ("2026-01", &secretary, HUOI_SANG, &neighbour, NA_LONG),
        ("2026-02", &neighbour, NA_LONG, &secretary, HUOI_SANG),
    ] {
        let of = |unit| meeting(unit).to("period", month).to("held_on", format!("{month}-05"));
        let own = first.reports_as("accepted", of(unit))["record"].clone();
        let alias = second.reports_as("accepted", of(other).with("record", own.clone()))["record"].clone();
        assert_ne!(own, alias);
        let path = format!("/v1/records/{}", uuid(&own));
        assert_eq!(commune.read(&path)["id"], own, "the commune sees both");
        assert_eq!(second.read(&path)["id"], alias, "its author knows only the own one");
    }
}

fn a_delete_that_names_no_form_carries_no_values_either(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let record = uuid(&secretary.reports_as("accepted", meeting(HUOI_SANG))["record"]);
    let result = secretary.reports(Submission::delete(record, HUOI_SANG).to("place", "Nhà văn hóa"));
    assert_eq!((&result["status"], codes(&result["errors"])), (&json!("rejected"), vec!["form.delete_carries_values"]));
    assert_eq!(secretary.read(&format!("/v1/records/{record}"))["state"], "live");
}
