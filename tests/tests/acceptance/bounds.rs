//! What one submission may bring along is bounded: findings in its answer, corrections, rows that were ever there.

use muong_tests::builders::{MEETING, meeting, person, step};
use muong_tests::client::{assert_finding, codes, number, uuid};
use muong_tests::province::{HUOI_SANG, OFFICER, SECRETARY};
use muong_tests::{Reporter, Submission, TestApp, id, on_both};
use serde_json::{Value, json};

on_both!(
    an_answer_names_fifty_findings_and_counts_the_rest,
    one_submission_replaces_at_most_a_hundred,
    a_list_does_not_grow_for_ever_by_rows_that_are_removed_again,
    what_stands_against_each_other_does_not_grow_for_ever,
    a_record_is_not_withdrawn_for_ever,
    a_person_has_no_more_steps_than_can_be_held_against_one_another,
);

fn an_answer_names_fifty_findings_and_counts_the_rest(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let nonsense = (0..2_000).fold(meeting(HUOI_SANG), |draft, n| draft.to(&format!("a{n}"), 1));
    let said = secretary.says(nonsense);
    let answer = secretary.tries_to_push(&[&said]);
    let errors = answer.expect(200)["results"][0]["errors"].clone();
    assert_eq!(errors.as_array().map(Vec::len), Some(51));
    assert_eq!((&errors[50]["code"], &errors[50]["pointer"]), (&json!("submission.more_findings"), &json!("")));
    assert_finding(&errors[50]);
    assert!(errors[50]["message"]["en"].as_str().is_some_and(|text| text.contains("1950")), "{}", errors[50]);
    assert!(answer.body.len() < said.json().to_string().len(), "the answer is not larger than what was sent");
}

fn one_submission_replaces_at_most_a_hundred(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let replacing = |count: usize, month: &str| {
        let ids: Vec<Value> = (0..count).map(|_| json!(id())).collect();
        let report = meeting(HUOI_SANG).to("period", month).to("held_on", format!("{month}-05"));
        secretary.reports(report.with("replaces", json!(ids)))
    };
    let refused = replacing(101, "2026-01");
    assert_eq!(
        (&refused["status"], codes(&refused["errors"])),
        (&json!("rejected"), vec!["submission.too_many_replaces"])
    );
    let most = replacing(100, "2026-02");
    assert_eq!((&most["status"], codes(&most["warnings"]).len()), (&json!("accepted"), 51), "{most}");
}

fn a_list_does_not_grow_for_ever_by_rows_that_are_removed_again(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let report = secretary.says(meeting(HUOI_SANG));
    let mut seen = secretary.push(&[&report]).0;
    let row = |seen: &Value, keys: &[String], from: Value, to: Value| {
        let edit = Submission::edit(MEETING, report.record(), HUOI_SANG).seen(seen, number(&seen["head"]));
        let fields = [("number", "01"), ("votes_for", "5"), ("votes_against", "0"), ("votes_blank", "0")];
        keys.iter().fold(edit, |edit, key| {
            fields.iter().fold(edit, |edit, (field, value)| {
                let value = |there: &Value| match (there.as_bool(), *field) {
                    (Some(true), "number") => json!(value),
                    (Some(true), _) => json!(value.parse::<i64>().expect("a number")),
                    _ => Value::Null,
                };
                edit.item_changes("resolutions", key, field, value(&from), value(&to))
            })
        })
    };
    // Ten times as many as may stand at once may ever have stood: twenty, ten times.
    for round in 0..10 {
        let keys: Vec<String> = (0..20).map(|_| id().to_string()).collect();
        for (from, to) in [(json!(null), json!(true)), (json!(true), json!(null))] {
            let said = secretary.says(row(&seen, &keys, from, to));
            seen = secretary.push(&[&said]).0;
            assert_eq!(seen["results"][0]["status"], "merged", "round {round}: {seen}");
        }
    }
    let one_more = secretary.reports(row(&seen, &[id().to_string()], json!(null), json!(true)));
    assert_eq!(codes(&one_more["errors"]), ["form.too_many_items_ever"], "{one_more}");
    let other = Submission::edit(MEETING, report.record(), HUOI_SANG).seen(&seen, number(&seen["head"]));
    secretary.reports_as("merged", other.changes("place", json!(null), "Nhà văn hóa"));
}

/// How the last of these, pushed together, was answered; all before it as `before`.
fn last_of(who: &Reporter, drafts: impl Iterator<Item = Submission>, before: &[&str]) -> Value {
    let said: Vec<Submission> = drafts.map(|draft| who.says(draft)).collect();
    let pushed = who.push(&said.iter().collect::<Vec<_>>());
    let (last, earlier) = pushed.results().split_last().expect("some");
    assert!(earlier.iter().all(|result| before.contains(&result["status"].as_str().unwrap_or_default())), "{pushed:?}");
    last.clone()
}

fn what_stands_against_each_other_does_not_grow_for_ever(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let report = secretary.says(meeting(HUOI_SANG));
    let seen = secretary.push(&[&report]).0;
    let edit = || Submission::edit(MEETING, report.record(), HUOI_SANG).seen(&seen, number(&seen["head"]));
    let place = |n: usize| edit().changes("place", json!(null), format!("Nhà {n}"));
    // Each says that it has seen nothing of the ones before it.
    let last = last_of(&secretary, (0..101).map(place), &["merged", "conflict"]);
    assert_eq!((&last["status"], codes(&last["errors"])), (&json!("rejected"), vec!["merge.too_many_candidates"]));
    officer.reports_as("merged", edit().changes("chair_role", json!(null), "secretary"));
}

fn a_record_is_not_withdrawn_for_ever(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let report = secretary.says(meeting(HUOI_SANG));
    let seen = secretary.push(&[&report]).0;
    let edit = Submission::edit(MEETING, report.record(), HUOI_SANG).seen(&seen, number(&seen["head"]));
    officer.reports_as("merged", edit.changes("place", json!(null), "Nhà văn hóa"));
    let delete = |_| Submission::delete(report.record(), HUOI_SANG).seen(&seen, number(&seen["head"]));
    let last = last_of(&secretary, (0..101).map(delete), &["conflict"]);
    assert_eq!((&last["status"], codes(&last["errors"])), (&json!("rejected"), vec!["merge.too_many_candidates"]));
}

fn a_person_has_no_more_steps_than_can_be_held_against_one_another(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let id = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, "Vừ A Chá", "1990-04-12"))["record"]);
    let day = |n: u64| chrono::NaiveDate::from_ymd_opt(2025, 8, 1).expect("a day") + chrono::Days::new(n);
    let resolved = |n: u64| step(HUOI_SANG, id, "branch_resolved", &day(n).to_string());
    let last = last_of(&secretary, (0..201).map(resolved), &["accepted"]);
    assert_eq!(
        (&last["status"], codes(&last["errors"])),
        (&json!("rejected"), vec!["person.too_many_steps"]),
        "{last}"
    );
}
