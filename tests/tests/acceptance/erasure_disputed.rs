//! A step that somebody wants to give to another person, while nobody has decided: what was said of that person goes with
//! them, although the step is shown as somebody else's.

use muong_tests::builders::{STEP, object, person, step};
use muong_tests::client::{codes, number, text, uuid};
use muong_tests::province::{COMMUNE, DEPARTMENT, HUOI_SANG, SECRETARY};
use muong_tests::review::{open_conflicts, resolve};
use muong_tests::{Answer, Submission, TestApp, on_both, rebuilds_the_same_store};
use serde_json::{Map, Value, json};
use uuid::Uuid;

on_both!(
    what_was_said_of_somebody_who_is_not_shown_goes_with_them,
    whoever_is_shown_is_erased_as_well,
    nobody_erased_is_given_a_step,
);

const WHY: &str = "Đã đối chiếu với hồ sơ.";

/// A disciplinary step of one that may be of the other: its id, the submission that says so, the question.
struct Disputed {
    one: Uuid,
    other: Uuid,
    step: Uuid,
    moved: Submission,
    conflict: String,
}

fn event(person: Uuid) -> Map<String, Value> {
    object(json!({"person": person, "step": "disciplined", "on": "2026-01-10", "until": null, "status": null,
        "certificate_on": null, "decision_on": null, "ceremony_on": null, "official_on": null}))
}

fn disputed(app: &TestApp) -> Disputed {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let member = |name: &str| {
        let id = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, name, "1979-05-21"))["record"]);
        let entry = step(HUOI_SANG, id, "opening_entry", "2025-09-01").to("status", "official");
        let entry =
            entry.to("decision_on", "2005-05-01").to("ceremony_on", "2005-05-19").to("official_on", "2006-05-19");
        secretary.reports_as("accepted", entry);
        id
    };
    let [one, other] = ["Vàng A Một", "Vàng A Hai"].map(member);
    let draft = step(HUOI_SANG, one, "disciplined", "2026-01-10").to("discipline", "reprimand");
    let said = secretary.says(draft);
    let seen = secretary.push(&[&said]).0;
    let edit = || Submission::edit(STEP, said.record(), HUOI_SANG).seen(&seen, number(&seen["head"]));
    secretary.reports_as("merged", edit().changes_group(&event(one), &json!({"on": "2026-01-11"})));
    let moved = edit().changes_group(&event(one), &json!({"person": other}));
    let moved = commune.says(moved.changes("discipline", "reprimand", "warning"));
    let result = commune.push(&[&moved]).only();
    assert_eq!(result["status"], "conflict", "{result}");
    Disputed { one, other, step: said.record(), moved, conflict: text(&result["conflicts"][0]["id"]).to_owned() }
}

fn erase(app: &TestApp, person: Uuid) -> Answer {
    let reason = json!({"reason": "Đơn rút lại sự đồng ý ngày 01/3/2026"});
    app.sign_in(DEPARTMENT).post(&format!("/v1/records/{person}/erasure"), &reason)
}

#[track_caller]
fn survives_a_replay(app: &TestApp) {
    rebuilds_the_same_store(&app.app().database, app.backend(), "a disputed step");
}

fn what_was_said_of_somebody_who_is_not_shown_goes_with_them(app: &TestApp) {
    let of = disputed(app);
    let commune = app.sign_in(COMMUNE);
    survives_a_replay(app);
    erase(app, of.other).expect(200);
    let kept = commune.read(&format!("/v1/records/{}", of.step));
    assert_eq!((&kept["subject"], &kept["disputed"]), (&json!(of.one), &json!(false)), "{kept}");
    assert!(kept["data"].get("discipline").is_none_or(Value::is_null), "{kept}");
    assert_eq!(open_conflicts(&commune), Vec::<String>::new());
    let said = commune.read(&format!("/v1/records/{}/submissions", of.step));
    let moved = said["items"].as_array().expect("a list").iter().find(|item| item["id"] == json!(of.moved.id()));
    assert_eq!(moved.map(|moved| (&moved["erased"], &moved["said"])), Some((&json!(true), &json!(null))), "{said}");
    let choice = json!({"candidate": of.moved.id()});
    resolve(&commune, &of.conflict, &choice, &[of.moved.id()], WHY).problem(409, "conflict.already_closed");
    assert_eq!(commune.push(&[&of.moved]).only()["erased"], true);
    survives_a_replay(app);
    erase(app, of.one).expect(200);
    survives_a_replay(app);
}

fn whoever_is_shown_is_erased_as_well(app: &TestApp) {
    let of = disputed(app);
    let commune = app.sign_in(COMMUNE);
    erase(app, of.one).expect(200);
    let gone = commune.read(&format!("/v1/records/{}", of.step));
    assert_eq!((&gone["erased"], &gone["disputed"]), (&json!(true), &json!(false)), "{gone}");
    survives_a_replay(app);
    erase(app, of.other).expect(200);
    survives_a_replay(app);
}

fn nobody_erased_is_given_a_step(app: &TestApp) {
    let of = disputed(app);
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let third = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, "Vàng A Ba", "1980-01-10"))["record"]);
    erase(app, third).expect(200);
    let choice = json!({"values": {"person": third}});
    let problem =
        resolve(&commune, &of.conflict, &choice, &[of.moved.id()], WHY).problem(422, "conflict.decision_invalid");
    assert_eq!(codes(&problem["errors"]), ["person.erased"], "{problem}");
}
