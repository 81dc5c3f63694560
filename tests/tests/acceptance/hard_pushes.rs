//! Pushes that meet what their authors cannot know: a step of somebody else's, a key that leads to somebody erased, a withdrawal
//! that is in question already; and decisions that their authors hear of however their words came in.

use muong_domain::access::Role;
use muong_tests::builders::{MEETING, STEP, meeting, object, person, step};
use muong_tests::client::{number, text, uuid};
use muong_tests::phone::Phone;
use muong_tests::province::{
    ADMIN, COMMUNE, DEPARTMENT, HUOI_SANG, MUONG_NHE, NEIGHBOUR, NOBODY, OFFICER, SECRETARY, user_id,
};
use muong_tests::review::{open_conflicts, release, resolve};
use muong_tests::{Reporter, Submission, TestApp, on_both};
use serde_json::{Value, json};
use uuid::Uuid;

on_both!(
    a_step_begun_anew_may_turn_out_to_be_another_persons,
    a_second_withdrawal_of_a_disputed_record_names_the_question,
    whose_words_were_released_hears_of_a_decision,
    whoever_reviews_may_report_for_others_whatever_else_they_are,
    a_key_that_leads_to_somebody_erased_is_refused_and_its_neighbours_are_not,
    a_meeting_after_the_end_of_its_branch_is_refused_and_one_before_is_not,
    what_builds_on_something_that_never_came_is_not_released_and_says_so,
);

const WHY: &str = "Đã đối chiếu với biên bản.";

fn enter(reporter: &Reporter, name: &str) -> Uuid {
    uuid(&reporter.reports_as("accepted", person(HUOI_SANG, name, "1990-01-10"))["record"])
}

fn a_step_begun_anew_may_turn_out_to_be_another_persons(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let [one, other, third] = ["Vàng A Một", "Vàng A Hai", "Vàng A Ba"].map(|name| enter(&secretary, name));
    let said = secretary.says(step(HUOI_SANG, one, "branch_resolved", "2026-01-10"));
    let seen = secretary.push(&[&said]).0;
    let event =
        object(json!({"person": one, "step": "branch_resolved", "on": "2026-01-10", "until": null, "status": null,
        "certificate_on": null, "decision_on": null, "ceremony_on": null, "official_on": null}));
    let edit = || Submission::edit(STEP, said.record(), HUOI_SANG).seen(&seen, number(&seen["head"]));
    let day = secretary.reports_as("merged", edit().changes_group(&event, &json!({"on": "2026-01-11"})));
    let moved = commune.reports_as("conflict", edit().changes_group(&event, &json!({"person": other})));
    assert!(number(&moved["v"]) > number(&day["v"]));
    // Withdrawn by whoever has seen the first change and not the second; then begun anew in view of that.
    let known = |draft: Submission, v: &Value| draft.with("base", json!({"epoch": seen["epoch"], "v": v}));
    secretary.reports_as("conflict", known(Submission::delete(said.record(), HUOI_SANG), &day["v"]));
    let head = secretary.push(&[]).0["head"].clone();
    let anew = step(HUOI_SANG, third, "branch_resolved", "2026-01-12").with("record", json!(said.record()));
    // What is left is of the other, of whom the submission says nothing: they are there, so it is taken.
    let result = secretary.reports(known(anew, &head));
    assert_eq!(result["status"], "conflict", "{result}");
    let record = secretary.read(&format!("/v1/records/{}", said.record()));
    assert_eq!(record["subject"], json!(other), "{record}");
}

fn a_second_withdrawal_of_a_disputed_record_names_the_question(app: &TestApp) {
    let (secretary, officer, again) = (app.sign_in(SECRETARY), app.sign_in(OFFICER), app.sign_in(SECRETARY));
    let report = secretary.says(meeting(HUOI_SANG));
    let seen = secretary.push(&[&report]).0;
    let delete = || Submission::delete(report.record(), HUOI_SANG).seen(&seen, number(&seen["head"]));
    let edit = Submission::edit(MEETING, report.record(), HUOI_SANG).seen(&seen, number(&seen["head"]));
    officer.reports_as("merged", edit.changes("place", json!(null), "Nhà văn hóa"));
    for who in [&secretary, &again] {
        let result = who.reports_as("conflict", delete());
        assert_eq!(result["conflicts"][0]["path"], "$record", "{result}");
    }
}

fn whose_words_were_released_hears_of_a_decision(app: &TestApp) {
    let (secretary, neighbour, commune) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR), app.sign_in(COMMUNE));
    let mine = secretary.says(meeting(HUOI_SANG));
    secretary.push(&[&mine]);
    // Under an id of their own, which becomes an alias, and out of scope, so that it is released.
    let theirs = neighbour.says(meeting(HUOI_SANG).to("place", "Trường học").to("present", 12).to("unexcused", 0));
    let waiting = neighbour.push(&[&theirs]).only()["quarantine"].clone();
    release(&commune, &waiting, WHY).expect(200);
    // They see the record, since a notice is for whoever does.
    app.grant(NEIGHBOUR, Role::Cadre, HUOI_SANG);
    let mut phone = Phone::default();
    phone.pulls(&neighbour);
    let [conflict] = &open_conflicts(&commune)[..] else { panic!("one question") };
    resolve(&commune, conflict, &json!({"candidate": theirs.id()}), &[mine.id(), theirs.id()], WHY).expect(200);
    let told = phone.pulls(&neighbour);
    let notice = told.iter().find(|message| message["code"] == "conflict.decided");
    assert_eq!(notice.map(|notice| text(&notice["about"])), Some(&*mine.record().to_string()), "{told:?}");
}

fn whoever_reviews_may_report_for_others_whatever_else_they_are(app: &TestApp) {
    app.grant(NOBODY, Role::Liaison, MUONG_NHE);
    app.set_clock("2026-03-09T03:11:00Z");
    app.grant(NOBODY, Role::CommuneReviewer, MUONG_NHE);
    let who = app.sign_in(NOBODY);
    who.reports_as("accepted", meeting(HUOI_SANG).with("on_behalf_of", json!(user_id(SECRETARY))));
}

/// Visits, numbered in each branch: of whom is not in the key.
fn visits() -> Value {
    let label = |vi: &str, en: &str| json!({"vi": vi, "en": en});
    json!({"code": "visit", "version": 1, "valid_from": "2025-01-01", "label": label("Thăm hỏi", "Visit"),
    "source": label("Tự đặt", "Own"),
    "unit_kinds": ["branch"], "natural_key": [{"fields": ["number"]}], "subject": {"field": "person"},
    "fields": [
        {"name": "person", "type": "reference", "reference": "person", "label": label("Người", "Person"),
            "required": true},
        {"name": "number", "type": "integer", "label": label("Số", "Number"), "required": true, "min": 1, "max": 99},
        {"name": "note", "type": "text", "label": label("Ghi chú", "Note"), "personal": true, "max_length": 200}
    ]})
}

fn a_key_that_leads_to_somebody_erased_is_refused_and_its_neighbours_are_not(app: &TestApp) {
    let (secretary, admin) = (app.sign_in(SECRETARY), app.sign_in(ADMIN));
    admin.post("/v1/forms", &visits()).expect(201);
    let [one, other] = ["Vàng A Một", "Vàng A Hai"].map(|name| enter(&secretary, name));
    let visit = |of: Uuid| {
        let draft = Submission::create("visit", muong_tests::id(), HUOI_SANG).to("person", of.to_string());
        draft.to("number", 1).to("note", "Ốm nặng")
    };
    secretary.reports_as("accepted", visit(one));
    let reason = json!({"reason": "Đơn rút lại sự đồng ý ngày 01/3/2026"});
    app.sign_in(DEPARTMENT).post(&format!("/v1/records/{one}/erasure"), &reason).expect(200);
    let (before, mine, after) = (
        secretary.says(meeting(HUOI_SANG)),
        secretary.says(visit(other)),
        secretary.says(visit(other).to("number", 2)),
    );
    let pushed = secretary.push(&[&before, &mine, &after]);
    assert_eq!(pushed.statuses(), ["accepted", "rejected", "accepted"], "{pushed:?}");
    assert_eq!(pushed.results()[1]["errors"][0]["code"], "person.erased");
}

fn a_meeting_after_the_end_of_its_branch_is_refused_and_one_before_is_not(app: &TestApp) {
    let (secretary, admin) = (app.sign_in(SECRETARY), app.sign_in(ADMIN));
    admin.post(&format!("/v1/units/{HUOI_SANG}/dissolve"), &json!({"on": "2026-03-05"})).expect(200);
    let held = |day: &str| meeting(HUOI_SANG).to("held_on", day);
    let late = secretary.reports_as("rejected", held("2026-03-05"));
    assert_eq!(late["errors"][0]["code"], "unit.dissolved_before", "{late}");
    secretary.reports_as("accepted", held("2026-03-04"));
}

fn what_builds_on_something_that_never_came_is_not_released_and_says_so(app: &TestApp) {
    let (secretary, neighbour, commune) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR), app.sign_in(COMMUNE));
    let report = secretary.says(meeting(HUOI_SANG));
    secretary.push(&[&report]);
    let edit = || Submission::edit(MEETING, report.record(), HUOI_SANG).changes("place", json!(null), "Trường học");
    let orphan = neighbour.reports_as("forbidden", edit().after(muong_tests::id()));
    let problem = release(&commune, &orphan["quarantine"], WHY).problem(422, "quarantine.not_releasable");
    assert_eq!(problem["errors"][0]["code"], "submission.unknown_predecessor", "{problem}");
    // What waits without a base points at what it names.
    let new = secretary.says(meeting(HUOI_SANG).to("period", "2026-01").to("held_on", "2026-01-05").to("excused", 2));
    secretary.push(&[&new]);
    let edit = Submission::edit(MEETING, new.record(), HUOI_SANG).changes("place", json!(null), "Trường học");
    let waits = secretary.reports_as("rejected", edit);
    assert_eq!(waits["errors"][0]["code"], "submission.depends_on_quarantined");
    assert_eq!(waits["errors"][0]["pointer"], "/record", "{waits}");
}
