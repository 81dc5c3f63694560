//! Decisions that reach further than their question: a step is given to somebody else, a record is let go that somebody has
//! just changed again.

use muong_tests::builders::{MEETING, STEP, meeting, object, person, step};
use muong_tests::client::{codes, number, text, uuid};
use muong_tests::province::{COMMUNE, HUOI_SANG, OFFICER, PHIENG_SANG, SECRETARY, STRANGER};
use muong_tests::review::{open_conflicts, resolve};
use muong_tests::{Reporter, Submission, TestApp, on_both};
use serde_json::{Map, Value, json};
use uuid::Uuid;

on_both!(
    a_step_is_not_given_to_a_person_of_another_unit,
    a_step_is_not_given_to_somebody_after_their_death,
    a_step_is_given_to_another_person_of_the_branch,
    a_change_that_the_reviewer_had_not_seen_does_not_go_with_the_record,
    a_withdrawal_that_the_reviewer_had_not_seen_is_not_lifted,
    who_has_seen_nothing_of_what_would_give_way_decides_nothing,
    an_edit_that_changes_nothing_does_not_bring_a_withdrawn_record_back,
);

const WHY: &str = "Đã đối chiếu với hồ sơ.";

fn push(reporter: &Reporter, draft: Submission) -> Value {
    let said = reporter.says(draft);
    reporter.push(&[&said]).0
}

fn enter(reporter: &Reporter, unit: Uuid, name: &str) -> Uuid {
    uuid(&reporter.reports_as("accepted", person(unit, name, "1990-01-10"))["record"])
}

fn event(person: Uuid) -> Map<String, Value> {
    object(json!({"person": person, "step": "branch_resolved", "on": "2026-01-10", "until": null, "status": null,
        "certificate_on": null, "decision_on": null, "ceremony_on": null, "official_on": null}))
}

/// A step of which the secretary corrects the day and the commune the person: the conflict, the commune's candidate.
fn contested(secretary: &Reporter, commune: &Reporter, of: Uuid, to: Uuid) -> (String, Uuid) {
    let seen = push(secretary, step(HUOI_SANG, of, "branch_resolved", "2026-01-10"));
    let record = uuid(&seen["results"][0]["record"]);
    let edit = || Submission::edit(STEP, record, HUOI_SANG).seen(&seen, number(&seen["head"]));
    secretary.reports_as("merged", edit().changes_group(&event(of), &json!({"on": "2026-01-11"})));
    let moved = commune.says(edit().changes_group(&event(of), &json!({"person": to})));
    let result = commune.push(&[&moved]).only();
    assert_eq!(result["status"], "conflict", "{result}");
    (text(&result["conflicts"][0]["id"]).to_owned(), moved.id())
}

fn a_step_is_not_given_to_a_person_of_another_unit(app: &TestApp) {
    let (secretary, commune, stranger) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE), app.sign_in(STRANGER));
    let [one, other] = ["Vàng A Một", "Vàng A Hai"].map(|name| enter(&secretary, HUOI_SANG, name));
    let far = enter(&stranger, PHIENG_SANG, "Vàng A Xa");
    let (conflict, candidate) = contested(&secretary, &commune, one, other);
    let refused = resolve(&commune, &conflict, &json!({"values": {"person": far}}), &[candidate], WHY);
    let refused = refused.problem(422, "conflict.decision_invalid");
    assert_eq!(codes(&refused["errors"]), ["person.unknown"]);
    let history = stranger.read(&format!("/v1/records?form=development_step&subject={far}"));
    assert_eq!(history["items"], json!([]), "{history}");
    stranger.reports_as("accepted", Submission::delete(far, PHIENG_SANG));
}

fn a_step_is_not_given_to_somebody_after_their_death(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let [one, other] = ["Vàng A Một", "Vàng A Hai"].map(|name| enter(&secretary, HUOI_SANG, name));
    let (conflict, candidate) = contested(&secretary, &commune, one, other);
    secretary.reports_as("accepted", step(HUOI_SANG, other, "deceased", "2025-10-10"));
    let refused = resolve(&commune, &conflict, &json!({"candidate": candidate}), &[candidate], WHY);
    let refused = refused.problem(422, "conflict.decision_invalid");
    assert_eq!(codes(&refused["errors"]), ["step.after_end"]);
}

fn a_step_is_given_to_another_person_of_the_branch(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let [one, other] = ["Vàng A Một", "Vàng A Hai"].map(|name| enter(&secretary, HUOI_SANG, name));
    let (conflict, candidate) = contested(&secretary, &commune, one, other);
    resolve(&commune, &conflict, &json!({"candidate": candidate}), &[candidate], WHY).expect(200);
    let count = |of: Uuid| {
        let list = secretary.read(&format!("/v1/records?form=development_step&subject={of}"));
        list["items"].as_array().map(Vec::len)
    };
    assert_eq!((count(one), count(other)), (Some(0), Some(1)));
}

struct Withdrawn {
    secretary: Reporter,
    officer: Reporter,
    commune: Reporter,
    record: Uuid,
    seen: Value,
    delete: Uuid,
    change: Uuid,
    conflict: String,
}

/// The secretary withdraws a meeting, the officer says its place.
fn withdrawn(app: &TestApp) -> Withdrawn {
    let (secretary, officer, commune) = (app.sign_in(SECRETARY), app.sign_in(OFFICER), app.sign_in(COMMUNE));
    let seen = push(&secretary, meeting(HUOI_SANG));
    let record = uuid(&seen["results"][0]["record"]);
    let delete = secretary.says(Submission::delete(record, HUOI_SANG).seen(&seen, number(&seen["head"])));
    assert_eq!(secretary.push(&[&delete]).statuses(), ["accepted"]);
    let change = officer.says(place(record, &seen, "Nhà văn hóa"));
    let conflict = text(&officer.push(&[&change]).only()["conflicts"][0]["id"]).to_owned();
    Withdrawn { delete: delete.id(), change: change.id(), secretary, officer, commune, record, seen, conflict }
}

fn place(record: Uuid, seen: &Value, to: &str) -> Submission {
    Submission::edit(MEETING, record, HUOI_SANG).seen(seen, number(&seen["head"])).changes("place", json!(null), to)
}

impl Withdrawn {
    fn record(&self) -> Value {
        self.commune.read(&format!("/v1/records/{}", self.record))
    }
}

fn a_change_that_the_reviewer_had_not_seen_does_not_go_with_the_record(app: &TestApp) {
    let of = withdrawn(app);
    let told = of.commune.read(&format!("/v1/conflicts/{}", of.conflict));
    assert_eq!(told["withdrawals"][0]["submission"], json!(of.delete), "{told}");
    assert_eq!(told["said_against"][0]["submission"], json!(of.change), "{told}");
    let late = Submission::edit(MEETING, of.record, HUOI_SANG).seen(&of.seen, number(&of.seen["head"]));
    of.officer.reports(late.changes("chair_role", json!(null), "secretary"));
    resolve(&of.commune, &of.conflict, &json!({"keep": false}), &[of.delete, of.change], WHY).expect(200);
    let record = of.record();
    assert_eq!((&record["state"], &record["disputed"]), (&json!("live"), &json!(true)), "{record}");
    let [open] = &open_conflicts(&of.commune)[..] else { panic!("not one question: {record}") };
    assert_ne!(*open, of.conflict, "a round of its own");
    let said = of.commune.read(&format!("/v1/conflicts/{open}"))["said_against"].clone();
    let all: Vec<Uuid> = said.as_array().expect("a list").iter().map(|voice| uuid(&voice["submission"])).collect();
    resolve(&of.commune, open, &json!({"keep": false}), &all, WHY).expect(200);
    assert_eq!((&of.record()["state"], &of.record()["disputed"]), (&json!("deleted"), &json!(false)));
}

fn a_withdrawal_that_the_reviewer_had_not_seen_is_not_lifted(app: &TestApp) {
    let of = withdrawn(app);
    let again = app.sign_in(SECRETARY);
    let late = again.says(Submission::delete(of.record, HUOI_SANG).seen(&of.seen, number(&of.seen["head"])));
    assert_eq!(again.push(&[&late]).statuses(), ["conflict"]);
    resolve(&of.commune, &of.conflict, &json!({"keep": true}), &[of.delete, of.change], WHY).expect(200);
    let record = of.record();
    assert_eq!((&record["state"], &record["disputed"]), (&json!("live"), &json!(true)), "{record}");
    let [open] = &open_conflicts(&of.commune)[..] else { panic!("not one question: {record}") };
    resolve(&of.commune, open, &json!({"keep": true}), &[late.id()], WHY).expect(200);
    assert_eq!(of.record()["disputed"], false);
    of.secretary.push(&[]);
}

fn who_has_seen_nothing_of_what_would_give_way_decides_nothing(app: &TestApp) {
    let of = withdrawn(app);
    for (keep, seen) in [(true, vec![]), (true, vec![of.change]), (false, vec![]), (false, vec![of.delete])] {
        let answer = resolve(&of.commune, &of.conflict, &json!({"keep": keep}), &seen, WHY);
        assert_eq!(answer.status, 422, "{answer:?}");
    }
    assert_eq!(of.record()["disputed"], true);
}

fn an_edit_that_changes_nothing_does_not_bring_a_withdrawn_record_back(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let seen = push(&secretary, meeting(HUOI_SANG).to("place", "Nhà văn hóa"));
    let record = uuid(&seen["results"][0]["record"]);
    let gone = push(&secretary, Submission::delete(record, HUOI_SANG).seen(&seen, number(&seen["head"])));
    let edit = || Submission::edit(MEETING, record, HUOI_SANG).seen(&gone, number(&gone["head"]));
    let idle = secretary.reports_as("merged", edit().changes("place", "Nhà văn hóa", "Nhà văn hóa"));
    assert_eq!(idle["fields"], json!({"place": "already"}), "{idle}");
    let state = || secretary.read(&format!("/v1/records/{record}"))["state"].clone();
    assert_eq!(state(), "deleted");
    secretary.reports_as("merged", edit().changes("place", "Nhà văn hóa", "Trường học"));
    assert_eq!(state(), "live");
}
