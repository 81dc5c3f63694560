//! What a decision may change: of a rule only what it reads, only what the reviewer had seen, and only so that it holds; of a
//! withdrawn record never another's key.

use muong_tests::builders::{MEETING, identity, meeting, object, times};
use muong_tests::client::{codes, number, text, uuid};
use muong_tests::province::{COMMUNE, HUOI_SANG, OFFICER, SECRETARY};
use muong_tests::review::{open_conflicts, resolve};
use muong_tests::{Reporter, Submission, TestApp, on_both};
use serde_json::{Value, json};
use uuid::Uuid;

on_both!(
    a_decision_about_a_rule_changes_nothing_else,
    a_decision_about_a_rule_makes_it_hold,
    a_decision_about_a_rule_is_made_over_what_was_seen,
    a_question_about_a_rule_tells_what_may_be_decided_and_who_said_it,
    a_withdrawn_record_is_not_given_the_key_of_another,
);

const WHY: &str = "Đã đối chiếu với biên bản.";

struct Broken {
    commune: Reporter,
    record: Uuid,
    cleared: Uuid,
    conflict: String,
}

/// A meeting that was not held: the secretary says that it was after all, the officer clears the times.
fn broken(app: &TestApp) -> Broken {
    let (secretary, officer, commune) = (app.sign_in(SECRETARY), app.sign_in(OFFICER), app.sign_in(COMMUNE));
    let not_held = object(json!({"held": false, "held_on": null, "not_held_reason": "other"}));
    let report = not_held.iter().fold(meeting(HUOI_SANG), |m, (field, to)| m.to(field, to.clone()));
    let report = secretary.says(report);
    let seen = secretary.push(&[&report]).0;
    let edit = || Submission::edit(MEETING, report.record(), HUOI_SANG).seen(&seen, number(&seen["head"]));
    let mut was = identity();
    was.extend(not_held);
    let held = json!({"held": true, "held_on": "2026-03-05", "not_held_reason": null});
    secretary.reports_as("merged", edit().changes_group(&was, &held));
    let cleared = officer.says(edit().changes_group(&times(), &json!({"started": null, "ended": null})));
    let conflict = text(&officer.push(&[&cleared]).only()["conflicts"][0]["id"]).to_owned();
    Broken { commune, record: report.record(), cleared: cleared.id(), conflict }
}

impl Broken {
    fn record(&self) -> Value {
        self.commune.read(&format!("/v1/records/{}", self.record))
    }
}

fn a_decision_about_a_rule_changes_nothing_else(app: &TestApp) {
    let of = broken(app);
    for other in [json!({"place": "Trạm y tế"}), json!({"started": "19:30", "ended": "21:15", "place": "Trạm y tế"})]
    {
        let answer = resolve(&of.commune, &of.conflict, &json!({"values": other}), &[of.cleared], WHY);
        answer.problem(422, "conflict.choice_unfit");
    }
    assert_eq!((&of.record()["data"]["place"], &of.record()["disputed"]), (&json!(null), &json!(true)));
}

fn a_decision_about_a_rule_makes_it_hold(app: &TestApp) {
    let of = broken(app);
    let still = json!({"values": {"started": null, "ended": null}});
    let problem =
        resolve(&of.commune, &of.conflict, &still, &[of.cleared], WHY).problem(422, "conflict.decision_invalid");
    assert_eq!(codes(&problem["errors"]), ["form.required", "form.required"], "{problem}");
    let holds = json!({"values": times()});
    resolve(&of.commune, &of.conflict, &holds, &[of.cleared], WHY).expect(200);
    assert_eq!(of.record()["disputed"], false);
}

fn a_decision_about_a_rule_is_made_over_what_was_seen(app: &TestApp) {
    let of = broken(app);
    let choice = json!({"values": times()});
    resolve(&of.commune, &of.conflict, &choice, &[], WHY).problem(422, "conflict.unseen_candidates");
    assert_eq!(of.record()["disputed"], true);
    resolve(&of.commune, &of.conflict, &choice, &[of.cleared], WHY).expect(200);
}

fn a_question_about_a_rule_tells_what_may_be_decided_and_who_said_it(app: &TestApp) {
    let of = broken(app);
    let path = format!("/v1/conflicts/{}", of.conflict);
    let concerned = of.commune.read(&path)["concerned"].as_array().expect("a list").clone();
    let cleared = concerned.iter().find(|place| place["path"] == "times").expect("the times");
    assert_eq!(cleared["candidates"][0]["value"], Value::Null, "a group of which nothing is left: {cleared}");
    // All that a decision needs stands there.
    let said = |place: &Value| place["candidates"].as_array().cloned().unwrap_or_default();
    let by = |candidate: Value| candidate["by"].as_array().cloned().unwrap_or_default();
    let seen: Vec<Uuid> = said(cleared).into_iter().flat_map(by).map(|voice| uuid(&voice["submission"])).collect();
    assert_eq!(seen, [of.cleared]);
    resolve(&of.commune, &of.conflict, &json!({"values": times()}), &seen, WHY).expect(200);
    assert_eq!(of.commune.read(&path)["concerned"], json!([]), "it is decided");
}

fn a_withdrawn_record_is_not_given_the_key_of_another(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    secretary.reports_as("accepted", meeting(HUOI_SANG));
    let february = secretary.says(meeting(HUOI_SANG).to("period", "2026-02").to("held_on", "2026-02-05"));
    let seen = secretary.push(&[&february]).0;
    let mut was = identity();
    was.extend(object(json!({"period": "2026-02", "held_on": "2026-02-05"})));
    let onto = Submission::edit(MEETING, february.record(), HUOI_SANG).seen(&seen, number(&seen["head"]));
    let onto = onto.changes_group(&was, &json!({"period": "2026-03", "held_on": "2026-03-05"}));
    let onto = secretary.says(onto);
    let pushed = secretary.push(&[&onto]).0;
    let delete = Submission::delete(february.record(), HUOI_SANG).seen(&pushed, number(&pushed["head"]));
    secretary.reports_as("accepted", delete);
    let [conflict] = &open_conflicts(&commune)[..] else { panic!("one question") };
    let decide = |candidate: Uuid| {
        resolve(&commune, conflict, &json!({"candidate": candidate}), &[february.id(), onto.id()], WHY)
    };
    let problem = decide(onto.id()).problem(422, "conflict.decision_invalid");
    assert_eq!(codes(&problem["errors"]), ["merge.key_taken"], "{problem}");
    decide(february.id()).expect(200);
    let record = commune.read(&format!("/v1/records/{}", february.record()));
    assert_eq!((&record["state"], &record["disputed"]), (&json!("deleted"), &json!(false)), "{record}");
    // A create of February still finds it.
    let again = secretary.reports(meeting(HUOI_SANG).to("period", "2026-02").to("held_on", "2026-02-05"));
    assert_eq!(uuid(&again["record"]), february.record(), "{again}");
}
