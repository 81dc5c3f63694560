//! Reviewing: conflicts and quarantine are decided by those above, once, with a reason, and only over what they had seen.

use muong_tests::builders::{MEETING, identity, meeting, object, person, roll, times};
use muong_tests::client::{Answer, number, text, uuid};
use muong_tests::province::{COMMUNE, DEPARTMENT, HUOI_SANG, NOWHERE, OFFICER, OTHER_COMMUNE, PHIENG_SANG, SECRETARY};
use muong_tests::review::{candidates, discard, open_conflicts, quarantined, release, resolve};
use muong_tests::{Reporter, Submission, TestApp, on_both};
use serde_json::{Value, json};
use uuid::Uuid;

on_both!(
    a_chosen_candidate_stands_and_the_conflict_is_closed,
    other_values_than_the_candidates_can_be_decided,
    a_candidate_that_the_reviewer_had_not_seen_stays_open,
    a_decision_needs_a_reason_that_says_something,
    a_conflict_is_decided_once,
    what_is_chosen_must_be_one_of_the_candidates,
    values_that_break_a_rule_are_not_decided,
    only_those_above_decide_and_others_see_as_little_as_before,
    whoever_edits_in_view_of_a_conflict_changes_what_is_shown_and_closes_nothing,
    an_edit_against_a_delete_is_decided_by_keeping_or_letting_go,
    a_rule_that_two_broke_together_is_mended_by_values,
    a_released_submission_becomes_part_of_its_record,
    what_waited_for_a_released_submission_is_released_with_it,
    what_still_breaks_a_rule_is_not_released,
    what_cannot_be_read_is_not_released,
    a_discarded_submission_is_kept_with_its_reason,
    quarantine_is_decided_once_and_by_those_above,
    what_cannot_be_taken_waits_in_the_unit_that_its_author_may_report_for,
    what_names_no_unit_is_for_the_province,
    a_decision_changes_the_record_from_its_own_entry_on,
);

const WHY: &str = "Đã đối chiếu với biên bản.";

struct Dispute {
    secretary: Reporter,
    officer: Reporter,
    commune: Reporter,
    record: Uuid,
    seen: Value,
    first: Uuid,
    second: Uuid,
    conflict: String,
}

/// The secretary says one place, the officer another.
fn dispute(app: &TestApp) -> Dispute {
    let (secretary, officer, commune) = (app.sign_in(SECRETARY), app.sign_in(OFFICER), app.sign_in(COMMUNE));
    let report = secretary.says(meeting(HUOI_SANG));
    let seen = secretary.push(&[&report]).0;
    let record = report.record();
    let place = |to: &str| edit(record, &seen).changes("place", json!(null), to);
    let (first, second) = (secretary.says(place("Nhà văn hóa")), officer.says(place("Trường học")));
    assert_eq!(secretary.push(&[&first]).statuses(), ["merged"]);
    let result = officer.push(&[&second]).only();
    let conflict = text(&result["conflicts"][0]["id"]).to_owned();
    Dispute { secretary, officer, commune, record, seen, first: first.id(), second: second.id(), conflict }
}

impl Dispute {
    #[track_caller]
    fn record(&self) -> Value {
        self.commune.read(&format!("/v1/records/{}", self.record))
    }
    #[track_caller]
    fn decide(&self, choice: &Value) -> Answer {
        resolve(&self.commune, &self.conflict, choice, &[self.first, self.second], WHY)
    }
}

fn edit(record: Uuid, seen: &Value) -> Submission {
    Submission::edit(MEETING, record, HUOI_SANG).seen(seen, number(&seen["head"]))
}

// --- conflicts ----------------------------------------------------------------------------------------------

fn a_chosen_candidate_stands_and_the_conflict_is_closed(app: &TestApp) {
    let dispute = dispute(app);
    dispute.decide(&json!({"candidate": dispute.second})).expect(200);
    let record = dispute.record();
    assert_eq!((&record["data"]["place"], &record["disputed"]), (&json!("Trường học"), &json!(false)));
    assert_eq!(record["open_conflicts"], json!([]));
    assert!(open_conflicts(&dispute.commune).is_empty());
    let closed = dispute.commune.read("/v1/conflicts?state=closed");
    assert_eq!(closed["items"][0]["id"], json!(dispute.conflict), "{closed}");
}

fn other_values_than_the_candidates_can_be_decided(app: &TestApp) {
    let dispute = dispute(app);
    dispute.decide(&json!({"values": {"place": "Trạm y tế"}})).expect(200);
    let record = dispute.record();
    assert_eq!((&record["data"]["place"], &record["disputed"]), (&json!("Trạm y tế"), &json!(false)));
}

fn a_candidate_that_the_reviewer_had_not_seen_stays_open(app: &TestApp) {
    let dispute = dispute(app);
    let third = app.sign_in(SECRETARY);
    let late = third.says(edit(dispute.record, &dispute.seen).changes("place", json!(null), "Trạm y tế"));
    assert_eq!(third.push(&[&late]).statuses(), ["conflict"]);
    dispute.decide(&json!({"candidate": dispute.first})).expect(200);
    let record = dispute.record();
    assert_eq!((&record["data"]["place"], &record["disputed"]), (&json!("Nhà văn hóa"), &json!(true)));
    let open = open_conflicts(&dispute.commune);
    assert_eq!(open.len(), 1);
    assert_ne!(open[0], dispute.conflict, "a new round of its own");
    let values: Vec<Value> = candidates(&dispute.commune, &open[0]).iter().map(|c| c["value"].clone()).collect();
    assert_eq!(values, ["Nhà văn hóa", "Trạm y tế"]);
}

fn a_decision_needs_a_reason_that_says_something(app: &TestApp) {
    let dispute = dispute(app);
    let choice = json!({"candidate": dispute.second});
    for reason in ["", "   ", "\u{200B}"] {
        let answer = resolve(&dispute.commune, &dispute.conflict, &choice, &[dispute.first, dispute.second], reason);
        answer.problem(422, "conflict.reason_required");
    }
    assert_eq!(dispute.record()["disputed"], true);
}

fn a_conflict_is_decided_once(app: &TestApp) {
    let dispute = dispute(app);
    dispute.decide(&json!({"candidate": dispute.second})).expect(200);
    dispute.decide(&json!({"candidate": dispute.first})).problem(409, "conflict.already_closed");
    assert_eq!(dispute.record()["data"]["place"], "Trường học");
}

fn what_is_chosen_must_be_one_of_the_candidates(app: &TestApp) {
    let dispute = dispute(app);
    dispute.decide(&json!({"candidate": muong_tests::id()})).problem(422, "conflict.choice_unknown");
    let nothing_seen = json!({"values": {"place": "Trạm y tế"}});
    let blind = resolve(&dispute.commune, &dispute.conflict, &nothing_seen, &[], WHY);
    blind.problem(422, "conflict.unseen_candidates");
    dispute.decide(&json!({"keep": true})).problem(422, "conflict.choice_unfit");
    assert_eq!(dispute.record()["disputed"], true);
}

fn values_that_break_a_rule_are_not_decided(app: &TestApp) {
    let (secretary, officer, commune) = (app.sign_in(SECRETARY), app.sign_in(OFFICER), app.sign_in(COMMUNE));
    let hers = secretary.says(meeting(HUOI_SANG));
    secretary.push(&[&hers]);
    let his = officer.says(meeting(HUOI_SANG).to("present", 12).to("unexcused", 0));
    let result = officer.push(&[&his]).only();
    let conflict = text(&result["conflicts"][0]["id"]);
    let mut values = roll();
    values.extend(object(json!({"present": 13})));
    let answer = resolve(&commune, conflict, &json!({"values": values}), &[hers.id(), his.id()], WHY);
    let problem = answer.problem(422, "conflict.decision_invalid");
    assert_eq!(problem["errors"][0]["code"], "meeting.roll_sum", "{problem}");
}

fn only_those_above_decide_and_others_see_as_little_as_before(app: &TestApp) {
    let dispute = dispute(app);
    let choice = json!({"candidate": dispute.first});
    let seen = [dispute.first, dispute.second];
    for who in [&dispute.secretary, &dispute.officer] {
        resolve(who, &dispute.conflict, &choice, &seen, WHY).problem(403, "access.forbidden");
        who.get(&format!("/v1/conflicts/{}", dispute.conflict)).problem(403, "access.forbidden");
    }
    let other = app.sign_in(OTHER_COMMUNE);
    resolve(&other, &dispute.conflict, &choice, &seen, WHY).problem(404, "access.not_found");
    other.get(&format!("/v1/conflicts/{}", dispute.conflict)).problem(404, "access.not_found");
    assert!(open_conflicts(&other).is_empty());
    let department = app.sign_in(DEPARTMENT);
    resolve(&department, &dispute.conflict, &choice, &seen, WHY).expect(200);
}

fn whoever_edits_in_view_of_a_conflict_changes_what_is_shown_and_closes_nothing(app: &TestApp) {
    let dispute = dispute(app);
    let now = dispute.secretary.push(&[]).0;
    let edit = edit(dispute.record, &now).changes("place", "Nhà văn hóa", "Nhà văn hóa bản");
    dispute.secretary.reports_as("conflict", edit);
    let record = dispute.record();
    assert_eq!((&record["data"]["place"], &record["disputed"]), (&json!("Nhà văn hóa bản"), &json!(true)));
    let values: Vec<Value> =
        candidates(&dispute.commune, &dispute.conflict).iter().map(|c| c["value"].clone()).collect();
    assert_eq!(values, ["Nhà văn hóa bản", "Trường học"]);
}

fn an_edit_against_a_delete_is_decided_by_keeping_or_letting_go(app: &TestApp) {
    let (secretary, officer, commune) = (app.sign_in(SECRETARY), app.sign_in(OFFICER), app.sign_in(COMMUNE));
    for (month, keep, state) in [("2026-01", true, "live"), ("2026-02", false, "deleted")] {
        let report = secretary.says(meeting(HUOI_SANG).to("period", month).to("held_on", format!("{month}-05")));
        let seen = secretary.push(&[&report]).0;
        let delete = secretary.says(Submission::delete(report.record(), HUOI_SANG).seen(&seen, number(&seen["head"])));
        secretary.push(&[&delete]);
        let change = officer.says(edit(report.record(), &seen).changes("place", json!(null), "Nhà văn hóa"));
        let conflict = officer.push(&[&change]).only()["conflicts"][0]["id"].clone();
        let seen = [delete.id(), change.id()];
        resolve(&commune, text(&conflict), &json!({"keep": keep}), &seen, WHY).expect(200);
        let record = commune.read(&format!("/v1/records/{}", report.record()));
        assert_eq!((&record["state"], &record["disputed"]), (&json!(state), &json!(false)), "{record}");
    }
}

fn a_rule_that_two_broke_together_is_mended_by_values(app: &TestApp) {
    let (secretary, officer, commune) = (app.sign_in(SECRETARY), app.sign_in(OFFICER), app.sign_in(COMMUNE));
    let not_held = object(json!({"held": false, "held_on": null, "not_held_reason": "other"}));
    let report = not_held.iter().fold(meeting(HUOI_SANG), |m, (field, to)| m.to(field, to.clone()));
    let report = secretary.says(report);
    let seen = secretary.push(&[&report]).0;
    let mut was = identity();
    was.extend(not_held);
    let held = json!({"held": true, "held_on": "2026-03-05", "not_held_reason": null});
    secretary.reports_as("merged", edit(report.record(), &seen).changes_group(&was, &held));
    let cleared = edit(report.record(), &seen).changes_group(&times(), &json!({"started": null, "ended": null}));
    let cleared = officer.says(cleared);
    let conflict = officer.push(&[&cleared]).only()["conflicts"][0]["id"].clone();
    resolve(&commune, text(&conflict), &json!({"values": times()}), &[cleared.id()], WHY).expect(200);
    let record = commune.read(&format!("/v1/records/{}", report.record()));
    assert_eq!((&record["data"]["started"], &record["disputed"]), (&json!("19:30"), &json!(false)), "{record}");
}

fn a_decision_changes_the_record_from_its_own_entry_on(app: &TestApp) {
    let dispute = dispute(app);
    let head = number(&dispute.secretary.push(&[])["head"]);
    dispute.decide(&json!({"candidate": dispute.second})).expect(200);
    assert_eq!(number(&dispute.secretary.push(&[])["head"]), head + 1, "one entry of the log");
    assert_eq!(number(&dispute.record()["v"]), head + 1);
    // Whoever had not seen the decision is in conflict with it; whoever had is not.
    let place = |seen: &Value, from: &str, to: &str| edit(dispute.record, seen).changes("place", from, to);
    let now = dispute.secretary.push(&[]).0;
    dispute.secretary.reports_as("merged", place(&now, "Trường học", "Trường học bản"));
    dispute.officer.reports_as("conflict", place(&dispute.seen, "Nhà văn hóa", "Nhà văn hóa bản"));
}

// --- quarantine ---------------------------------------------------------------------------------------------

/// A report that was forbidden when it came: released, it is as good as any.
fn forbidden(app: &TestApp) -> (Reporter, Submission, Value) {
    let other = app.sign_in(muong_tests::province::NEIGHBOUR);
    let report = other.says(meeting(HUOI_SANG));
    let result = other.push(&[&report]).only();
    assert_eq!(result["status"], "forbidden");
    (other, report, result["quarantine"].clone())
}

fn a_released_submission_becomes_part_of_its_record(app: &TestApp) {
    let (author, report, waiting) = forbidden(app);
    let commune = app.sign_in(COMMUNE);
    release(&commune, &waiting, WHY).expect(200);
    let record = commune.read(&format!("/v1/records/{}", report.record()));
    assert_eq!(record["data"]["present"], 11);
    let said = commune.read(&format!("/v1/records/{}/submissions", report.record()));
    assert_eq!(said["items"][0]["id"], json!(report.id()), "{said}");
    let closed = quarantined(&author, &waiting);
    assert_eq!(closed["closing"], "released");
    assert!(closed.to_string().contains(WHY), "its author is told why: {closed}");
    let again = author.push(&[&report]).only();
    assert_eq!((&again["now"]["status"], &again["now"]["result"]["status"]), (&json!("released"), &json!("accepted")));
}

fn what_waited_for_a_released_submission_is_released_with_it(app: &TestApp) {
    let (author, report, waiting) = forbidden(app);
    let follower = Submission::edit(MEETING, report.record(), HUOI_SANG).after(report.id());
    let follower = author.says(follower.changes("place", json!(null), "Nhà văn hóa"));
    assert_eq!(author.push(&[&follower]).statuses(), ["forbidden"]);
    // It is out of scope like the first; one that was rejected only for what it builds on goes along.
    let secretary = app.sign_in(SECRETARY);
    let mine = Submission::edit(MEETING, report.record(), HUOI_SANG).changes("self_score", json!(null), 80);
    let mine = secretary.says(mine);
    let result = secretary.push(&[&mine]).only();
    assert_eq!(result["errors"][0]["code"], "submission.depends_on_quarantined", "{result}");
    let commune = app.sign_in(COMMUNE);
    release(&commune, &waiting, WHY).expect(200);
    let record = commune.read(&format!("/v1/records/{}", report.record()));
    assert_eq!((&record["data"]["self_score"], &record["data"]["place"]), (&json!(80), &json!(null)), "{record}");
    assert_eq!(secretary.push(&[&mine]).only()["now"]["status"], "released");
}

fn what_still_breaks_a_rule_is_not_released(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let result = secretary.reports_as("rejected", meeting(HUOI_SANG).to("excused", 2));
    let problem = release(&commune, &result["quarantine"], WHY).problem(422, "quarantine.not_releasable");
    assert_eq!(problem["errors"][0]["code"], "meeting.roll_sum", "{problem}");
    assert!(quarantined(&commune, &result["quarantine"])["closing"].is_null());
}

fn what_cannot_be_read_is_not_released(app: &TestApp) {
    let (secretary, department) = (app.sign_in(SECRETARY), app.sign_in(DEPARTMENT));
    let result = secretary.reports_as("rejected", meeting(HUOI_SANG).with("extra", 1));
    release(&department, &result["quarantine"], WHY).problem(422, "quarantine.not_releasable");
}

fn a_discarded_submission_is_kept_with_its_reason(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let wrong = secretary.says(meeting(HUOI_SANG).to("excused", 2));
    let result = secretary.push(&[&wrong]).only();
    let waiting = &result["quarantine"];
    discard(&commune, waiting, " ").problem(422, "quarantine.reason_required");
    discard(&commune, waiting, "Báo cáo trùng.").expect(204);
    let closed = quarantined(&secretary, waiting);
    assert_eq!(closed["closing"], "discarded");
    assert!(closed.to_string().contains("Báo cáo trùng."), "{closed}");
    assert_eq!(secretary.push(&[&wrong]).only()["now"]["status"], "discarded");
    secretary.get(&format!("/v1/records/{}", wrong.record())).problem(404, "access.not_found");
}

fn quarantine_is_decided_once_and_by_those_above(app: &TestApp) {
    let (author, _, waiting) = forbidden(app);
    for login in [SECRETARY, OTHER_COMMUNE] {
        let who = app.sign_in(login);
        for answer in [release(&who, &waiting, WHY), discard(&who, &waiting, WHY)] {
            answer.problem(404, "access.not_found");
        }
    }
    // Its author sees it, in whatever unit: so they are told that it is not theirs to decide.
    for answer in [release(&author, &waiting, WHY), discard(&author, &waiting, WHY)] {
        answer.problem(403, "access.forbidden");
    }
    let commune = app.sign_in(COMMUNE);
    discard(&commune, &waiting, WHY).expect(204);
    release(&commune, &waiting, WHY).problem(409, "quarantine.already_closed");
    discard(&commune, &waiting, WHY).problem(409, "quarantine.already_closed");
}

fn what_cannot_be_taken_waits_in_the_unit_that_its_author_may_report_for(app: &TestApp) {
    let (secretary, commune, other) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE), app.sign_in(OTHER_COMMUNE));
    let report = secretary.says(meeting(HUOI_SANG));
    secretary.push(&[&report]);
    let reused = secretary.push(&[&report.clone().to("present", 10).to("excused", 2)]).only();
    assert_eq!(reused["errors"][0]["code"], "submission.id_reused");
    let malformed = secretary.reports_as("rejected", meeting(HUOI_SANG).with("extra", 1));
    let foreign = secretary.reports_as("rejected", meeting(PHIENG_SANG).with("extra", 1));
    for (result, unit) in [(&reused, json!(HUOI_SANG)), (&malformed, json!(HUOI_SANG)), (&foreign, json!(null))] {
        let path = format!("/v1/quarantine/{}", text(&result["quarantine"]));
        assert_eq!(secretary.read(&path)["unit"], unit);
        other.get(&path).problem(404, "access.not_found");
        if unit.is_null() {
            commune.get(&path).problem(404, "access.not_found");
        } else {
            commune.read(&path);
            release(&commune, &result["quarantine"], WHY).problem(422, "quarantine.not_releasable");
            discard(&commune, &result["quarantine"], WHY).expect(204);
        }
    }
}

fn what_names_no_unit_is_for_the_province(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let unreadable = secretary.reports_as("rejected", meeting(HUOI_SANG).with("unit", "x"));
    let nowhere = secretary.reports_as("forbidden", person(NOWHERE, "Giàng A Vừ", "2001-04-12"));
    let (commune, department) = (app.sign_in(COMMUNE), app.sign_in(DEPARTMENT));
    for result in [&unreadable, &nowhere] {
        let path = format!("/v1/quarantine/{}", text(&result["quarantine"]));
        commune.get(&path).problem(404, "access.not_found");
        department.get(&path).problem(403, "access.reason_required");
        department.read_because("Xem xét bản gửi lỗi", &path).expect(200);
        secretary.get(&path).expect(200);
    }
    assert_eq!(uuid(&quarantined(&secretary, &nowhere["quarantine"])["submission"]), uuid(&nowhere["id"]));
    discard(&department, &unreadable["quarantine"], WHY).expect(204);
}
