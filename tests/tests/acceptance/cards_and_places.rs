//! A person's party card and places beside the steps: whose the card is while its holder moves, and in which order things
//! are told.

use muong_tests::builders::{PERSON, person, step};
use muong_tests::client::{codes, uuid};
use muong_tests::province::{BAN_HUOI_SANG, HUOI_SANG, NA_LONG, NEIGHBOUR, NOWHERE, PROVINCE, SECRETARY};
use muong_tests::{Reporter, Submission, TestApp, on_both};
use serde_json::{Value, json};
use uuid::Uuid;

on_both!(
    whoever_takes_in_a_transferred_member_enters_the_card,
    a_card_belongs_to_the_person_and_to_no_step,
    a_card_and_a_probation_exclude_each_other_whichever_comes_first,
    a_card_whose_holder_is_only_not_reported_as_recognised_is_worth_a_word,
    what_was_wrong_before_is_not_held_against_another_edit,
    a_place_is_a_unit_that_is_there_and_of_the_right_kind,
    a_branch_that_covers_the_village_does_not_foster,
);

fn enter(reporter: &Reporter, draft: Submission) -> Uuid {
    uuid(&reporter.reports_as("accepted", draft)["record"])
}

fn entry(unit: Uuid, person: Uuid, status: &str, ceremony: &str) -> Submission {
    let entry = step(unit, person, "opening_entry", "2025-10-01").to("status", status);
    entry.to("decision_on", ceremony).to("ceremony_on", ceremony)
}

fn whoever_takes_in_a_transferred_member_enters_the_card(app: &TestApp) {
    let (secretary, neighbour) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR));
    let with_card = |unit| person(unit, "Giàng A Chu", "1980-04-12").to("party_card", "29000001");
    let member = enter(&secretary, with_card(HUOI_SANG));
    secretary.reports_as("accepted", entry(HUOI_SANG, member, "official", "2005-05-19"));
    assert_eq!(codes(&neighbour.reports(with_card(NA_LONG))["errors"]), ["person.card_taken"]);
    secretary.reports_as("accepted", step(HUOI_SANG, member, "transferred_out", "2026-01-10"));
    neighbour.reports_as("accepted", with_card(NA_LONG));
    let back = secretary.reports(step(HUOI_SANG, member, "transferred_in", "2026-02-10").to("status", "official"));
    assert_eq!(codes(&back["errors"]), ["person.card_taken"], "{back}");
}

fn a_card_belongs_to_the_person_and_to_no_step(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let member = enter(&secretary, person(HUOI_SANG, "Giàng A Chu", "1980-04-12"));
    secretary.reports_as("accepted", entry(HUOI_SANG, member, "official", "2005-05-19"));
    let exempted = step(HUOI_SANG, member, "exempted", "2026-01-10").to("until", "2026-02-01");
    let result = secretary.reports(exempted.to("party_card", "29000009"));
    assert_eq!(codes(&result["errors"]), ["form.unknown_field"], "{result}");
}

fn a_card_and_a_probation_exclude_each_other_whichever_comes_first(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let applicant = |name: &str| person(HUOI_SANG, name, "2000-04-12");
    let first = enter(&secretary, applicant("Giàng A Vừ").to("party_card", "29000002"));
    let result = secretary.reports(entry(HUOI_SANG, first, "probationary", "2025-08-19"));
    assert_eq!(codes(&result["errors"]), ["step.card_of_probationary"], "{result}");
    assert_eq!(result["errors"][0]["pointer"], "/set/step");
    let second = enter(&secretary, applicant("Giàng A Páo"));
    secretary.reports_as("accepted", entry(HUOI_SANG, second, "probationary", "2025-08-19"));
    let result = secretary.reports(card(second, "29000003"));
    assert_eq!(codes(&result["errors"]), ["step.card_of_probationary"], "{result}");
    assert_eq!(result["errors"][0]["pointer"], "/set/party_card");
}

fn card(person: Uuid, number: &str) -> Submission {
    let edit = Submission::edit(PERSON, person, HUOI_SANG).with("base", json!({"v": null}));
    edit.changes("party_card", json!(null), number)
}

fn a_card_whose_holder_is_only_not_reported_as_recognised_is_worth_a_word(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let told = |result: &Value| codes(&result["warnings"]).contains(&"step.card_of_probationary");
    let first = enter(&secretary, person(HUOI_SANG, "Giàng A Vừ", "1990-04-12").to("party_card", "29000002"));
    assert!(told(&secretary.reports_as("accepted", step(HUOI_SANG, first, "ceremony_held", "2019-02-03"))));
    let second = enter(&secretary, person(HUOI_SANG, "Giàng A Páo", "1990-04-12"));
    secretary.reports_as("accepted", step(HUOI_SANG, second, "ceremony_held", "2019-02-03"));
    assert!(told(&secretary.reports_as("merged", card(second, "29000003"))));
    let recognised = step(HUOI_SANG, first, "recognised_official", "2020-02-03");
    assert!(!told(&secretary.reports_as("accepted", recognised)));
}

fn what_was_wrong_before_is_not_held_against_another_edit(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let of = enter(&secretary, person(HUOI_SANG, "Giàng A Vừ", "1990-04-12").to("party_card", "29000002"));
    secretary.reports_as("accepted", step(HUOI_SANG, of, "ceremony_held", "2019-02-03"));
    let edit = Submission::edit(PERSON, of, HUOI_SANG).with("base", json!({"v": null}));
    let result = secretary.reports_as("merged", edit.changes("residence_village", json!(null), json!(BAN_HUOI_SANG)));
    assert_eq!(result.get("warnings"), None, "{result}");
}

fn a_place_is_a_unit_that_is_there_and_of_the_right_kind(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let cases = [
        ("residence_village", NOWHERE, "form.reference_unknown"),
        ("residence_village", NA_LONG, "form.reference_kind"),
        ("fostering_branch", PROVINCE, "form.reference_kind"),
        ("fostering_branch", BAN_HUOI_SANG, "form.reference_kind"),
    ];
    for (field, unit, code) in cases {
        let result = secretary.reports(person(HUOI_SANG, "Vàng A Dí", "1990-01-10").to(field, json!(unit)));
        assert_eq!(codes(&result["errors"]), [code], "{result}");
        assert_eq!(result["errors"][0]["pointer"], format!("/set/{field}"));
    }
}

fn a_branch_that_covers_the_village_does_not_foster(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let of = |branch: Uuid| {
        let draft = person(HUOI_SANG, "Vàng A Dí", "1990-01-10").to("residence_village", json!(BAN_HUOI_SANG));
        secretary.reports(draft.to("fostering_branch", json!(branch)))
    };
    assert_eq!(codes(&of(HUOI_SANG)["errors"]), ["person.fostering_is_residence"]);
    assert_eq!(of(NA_LONG)["status"], "accepted");
}
