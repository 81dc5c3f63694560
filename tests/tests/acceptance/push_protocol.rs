//! The push protocol: every status, idempotency, what waits for what, natural keys and merging.

use muong_tests::builders::{MEETING, PERSON, STEP, identity, meeting, object, person, roll, step, times};
use muong_tests::client::{assert_finding, codes, number, text, uuid};
use muong_tests::province::{COMMUNE, HUOI_SANG, MUONG_NHE, NA_LONG, NEIGHBOUR, OFFICER, SECRETARY, STRANGER, user_id};
use muong_tests::{Reporter, Submission, TestApp, database, id, on_both};
use serde_json::{Value, json};
use uuid::Uuid;

on_both!(
    a_new_report_is_accepted_as_the_next_entry_of_the_log,
    every_result_stands_where_its_submission_stood,
    the_log_is_dense_whatever_becomes_of_what_is_pushed,
    said_again_under_another_number_it_is_still_the_same,
    said_twice_in_one_batch_it_is_recorded_once,
    an_id_that_is_used_for_another_content_is_rejected_and_kept,
    an_id_that_somebody_else_has_used_tells_nothing_of_theirs,
    a_number_that_is_taken_means_a_copied_phone_and_nothing_is_recorded,
    a_copied_phone_registers_anew_and_loses_nothing,
    a_push_from_another_device_than_the_one_signed_in_is_refused,
    a_protocol_that_the_server_does_not_speak_is_refused,
    an_edit_waits_for_its_record_and_is_not_recorded_meanwhile,
    an_edit_waits_for_the_submission_that_it_builds_on,
    a_step_waits_for_its_person,
    given_up_waiting_an_edit_of_nothing_is_rejected,
    given_up_waiting_what_was_seen_decides,
    one_branch_has_one_regular_meeting_a_month_and_the_second_id_becomes_an_alias,
    a_continued_meeting_is_another_sitting,
    an_alias_is_followed_within_its_unit_and_unknown_elsewhere,
    a_record_id_that_is_taken_elsewhere_is_no_obstacle_and_no_news,
    a_change_by_somebody_who_had_seen_the_record_is_applied,
    a_change_that_stands_already_is_told_so,
    changes_of_different_fields_at_the_same_time_both_stand,
    changes_of_one_field_at_the_same_time_are_a_conflict_and_the_first_is_shown,
    a_later_word_of_the_same_device_replaces_its_candidate,
    a_field_of_an_item_is_merged_by_itself,
    a_group_is_sent_whole_or_not_at_all,
    a_guarded_group_never_merges_when_nobody_knows_what_was_seen,
    an_edit_onto_a_taken_key_is_a_question_and_the_key_stays,
    two_changes_that_are_valid_alone_and_not_together_are_a_question,
    a_change_that_breaks_a_rule_in_full_view_is_rejected,
    a_delete_by_somebody_who_had_seen_the_record_withdraws_it,
    an_edit_and_a_delete_at_the_same_time_end_live_and_flagged_in_either_order,
    a_create_on_a_withdrawn_record_revives_it,
    what_builds_on_a_quarantined_submission_waits_with_it,
    only_the_own_quarantined_submissions_can_be_replaced,
    a_reviewer_may_report_for_a_branch_and_a_cadre_may_not,
    what_another_account_wrote_is_not_sent_under_this_one,
    a_short_or_badly_attended_meeting_is_accepted_with_a_warning,
    a_number_that_the_phone_computed_is_checked,
    a_meeting_that_was_not_held_is_a_report,
    a_form_is_known_by_code_and_version_and_belongs_to_a_kind_of_unit,
    a_batch_comes_to_the_same_as_its_submissions_one_by_one,
    a_party_card_is_held_by_one_person,
);

#[track_caller]
fn record(reader: &Reporter, id: impl std::fmt::Display) -> Value {
    reader.read(&format!("/v1/records/{id}"))
}

/// Pushes one thing; the whole answer, for its epoch and head.
#[track_caller]
fn push(reporter: &Reporter, draft: Submission) -> Value {
    let said = reporter.says(draft);
    reporter.push(&[&said]).0
}

/// A meeting that the secretary has reported; its record, and the whole answer.
#[track_caller]
fn reported(secretary: &Reporter) -> (Uuid, Value) {
    let pushed = push(secretary, meeting(HUOI_SANG));
    assert_eq!(pushed["results"][0]["status"], "accepted", "{pushed}");
    (uuid(&pushed["results"][0]["record"]), pushed)
}

/// An edit by somebody who had seen everything up to the head of that answer.
fn edit(record: Uuid, seen: &Value) -> Submission {
    Submission::edit(MEETING, record, HUOI_SANG).seen(seen, number(&seen["head"]))
}

fn place(record: Uuid, seen: &Value, from: Value, to: &str) -> Submission {
    edit(record, seen).changes("place", from, to)
}

#[track_caller]
fn refused(result: &Value, status: &str, code: &str) {
    assert_eq!((&result["status"], codes(&result["errors"])), (&json!(status), vec![code]), "{result}");
    assert!(result["quarantine"].is_string() && result["v"].is_i64(), "it is kept, as an entry: {result}");
    result["errors"].as_array().expect("errors").iter().for_each(assert_finding);
}

// --- statuses and idempotency ---------------------------------------------------------------------------

fn a_new_report_is_accepted_as_the_next_entry_of_the_log(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let (_, first) = reported(&secretary);
    let second = push(&secretary, meeting(HUOI_SANG).to("period", "2026-02").to("held_on", "2026-02-05"));
    assert_eq!(number(&second["results"][0]["v"]), number(&first["head"]) + 1);
    assert_eq!(second["head"], second["results"][0]["v"]);
    assert_eq!(second["epoch"], first["epoch"]);
}

fn every_result_stands_where_its_submission_stood(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let january = meeting(HUOI_SANG).to("period", "2026-01").to("held_on", "2026-01-05");
    let batch: Vec<Submission> = [
        meeting(HUOI_SANG),
        meeting(HUOI_SANG).to("excused", 2),
        meeting(NA_LONG),
        Submission::edit(MEETING, id(), HUOI_SANG).to("place", "Nhà văn hóa"),
        meeting(HUOI_SANG).to("place", "Nhà văn hóa"),
        january,
    ]
    .map(|draft| secretary.says(draft))
    .to_vec();
    let said: Vec<&Submission> = batch.iter().collect();
    let first = secretary.push(&said);
    assert_eq!(first.statuses(), ["accepted", "rejected", "forbidden", "deferred", "merged", "accepted"]);
    let again = secretary.push(&said);
    assert_eq!(again.statuses(), ["duplicate", "duplicate", "duplicate", "deferred", "duplicate", "duplicate"]);
    assert_eq!(again["head"], first["head"]);
}

fn the_log_is_dense_whatever_becomes_of_what_is_pushed(app: &TestApp) {
    every_result_stands_where_its_submission_stood(app);
    let mut conn = app.database().connect();
    let entries = database::number(&mut conn, "SELECT count(*) AS n FROM log");
    let distinct = database::number(&mut conn, "SELECT count(DISTINCT seq) AS n FROM log");
    let last = database::number(&mut conn, "SELECT max(seq) AS n FROM log");
    let head = database::number(&mut conn, "SELECT seq AS n FROM feed_head");
    assert_eq!((distinct, last, head), (entries, entries, entries));
}

fn said_again_under_another_number_it_is_still_the_same(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let report = secretary.says(meeting(HUOI_SANG));
    let first = secretary.push(&[&report]);
    let renumbered = secretary.says(report.with("after_lost", true));
    let again = secretary.push(&[&renumbered]);
    assert_eq!(again.statuses(), ["duplicate"]);
    assert_eq!(again["head"], first["head"]);
}

fn said_twice_in_one_batch_it_is_recorded_once(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let report = secretary.says(meeting(HUOI_SANG));
    let pushed = secretary.push(&[&report, &report]);
    assert_eq!(pushed.statuses(), ["accepted", "duplicate"]);
    assert_eq!(pushed["results"][1]["original"]["v"], pushed["results"][0]["v"]);
}

fn an_id_that_is_used_for_another_content_is_rejected_and_kept(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let report = secretary.says(meeting(HUOI_SANG));
    secretary.push(&[&report]);
    let other = secretary.says(report.clone().to("place", "Nhà văn hóa"));
    let result = secretary.push(&[&other]).only();
    refused(&result, "rejected", "submission.id_reused");
    let place = &record(&secretary, report.record())["data"]["place"];
    assert!(place.is_null(), "the record is as it was: {place}");
    assert_eq!(secretary.push(&[&other]).only()["original"]["status"], "rejected");
    assert_eq!(secretary.push(&[&report]).only()["original"]["status"], "accepted");
}

fn an_id_that_somebody_else_has_used_tells_nothing_of_theirs(app: &TestApp) {
    let (secretary, stranger) = (app.sign_in(SECRETARY), app.sign_in(STRANGER));
    let report = secretary.says(meeting(HUOI_SANG));
    secretary.push(&[&report]);
    let copied = stranger.says(report.clone());
    let result = stranger.push(&[&copied]).only();
    refused(&result, "rejected", "submission.id_reused");
    assert_eq!(result.get("record"), None, "{result}");
}

fn a_number_that_is_taken_means_a_copied_phone_and_nothing_is_recorded(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let first = secretary.push(&[&secretary.says(meeting(HUOI_SANG))]);
    let february = meeting(HUOI_SANG).to("period", "2026-02").to("held_on", "2026-02-05");
    let (new, taken) = (secretary.says(february.clone()), february.anew().with("n", 1));
    secretary.tries_to_push(&[&new, &taken]).problem(409, "device.fork");
    let after = secretary.push(&[]);
    assert_eq!(after["head"], first["head"], "not even the good one");
}

fn a_copied_phone_registers_anew_and_loses_nothing(app: &TestApp) {
    let phone = app.sign_in(SECRETARY);
    phone.push(&[&phone.says(meeting(HUOI_SANG))]);
    let clash = meeting(HUOI_SANG).to("period", "2026-02").to("held_on", "2026-02-05").with("n", 1);
    phone.tries_to_push(&[&clash]).problem(409, "device.fork");
    let copy = phone.registers_anew();
    let renumbered = copy.says(clash.clone());
    assert_eq!(renumbered.id(), clash.id());
    assert_eq!(copy.push(&[&renumbered]).statuses(), ["accepted"]);
}

fn a_push_from_another_device_than_the_one_signed_in_is_refused(app: &TestApp) {
    let (here, there) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY));
    let report = here.says(meeting(HUOI_SANG));
    let mut body = here.envelope(&[&report]);
    body["device"] = json!(there.device);
    here.post("/v1/sync/push", &body).problem(422, "device.unknown");
}

fn a_protocol_that_the_server_does_not_speak_is_refused(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let mut body = secretary.envelope(&[&secretary.says(meeting(HUOI_SANG))]);
    body["protocol"] = json!(2);
    secretary.post("/v1/sync/push", &body).problem(400, "request.protocol_unsupported");
}

// --- what waits for what --------------------------------------------------------------------------------

fn an_edit_waits_for_its_record_and_is_not_recorded_meanwhile(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let report = secretary.says(meeting(HUOI_SANG));
    let edit = secretary.says(Submission::edit(MEETING, report.record(), HUOI_SANG).after(report.id()).changes(
        "place",
        json!(null),
        "Nhà văn hóa",
    ));
    let before = secretary.push(&[]);
    let deferred = secretary.push(&[&edit]);
    assert_eq!(deferred.statuses(), ["deferred"]);
    assert_eq!(deferred["results"][0]["missing"], json!(report.id()));
    assert_eq!(deferred["head"], before["head"]);
    assert_eq!(secretary.push(&[&report, &edit]).statuses(), ["accepted", "merged"]);
    assert_eq!(record(&secretary, report.record())["data"]["place"], "Nhà văn hóa");
}

fn an_edit_waits_for_the_submission_that_it_builds_on(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let (meeting, _) = reported(&secretary);
    let first =
        secretary.says(Submission::edit(MEETING, meeting, HUOI_SANG).changes("place", json!(null), "Trường học"));
    let second = Submission::edit(MEETING, meeting, HUOI_SANG).after(first.id());
    let second = secretary.says(second.changes("place", "Trường học", "Nhà văn hóa"));
    let deferred = secretary.push(&[&second]).only();
    assert_eq!((&deferred["status"], &deferred["missing"]), (&json!("deferred"), &json!(first.id())));
    assert_eq!(secretary.push(&[&first, &second]).statuses(), ["merged", "merged"]);
    assert_eq!(record(&secretary, meeting)["data"]["place"], "Nhà văn hóa");
}

fn a_step_waits_for_its_person(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let entered = secretary.says(person(HUOI_SANG, "Giàng A Vừ", "2001-04-12"));
    let resolved = secretary.says(step(HUOI_SANG, entered.record(), "branch_resolved", "2026-01-15"));
    let deferred = secretary.push(&[&resolved]).only();
    assert_eq!((&deferred["status"], &deferred["missing"]), (&json!("deferred"), &json!(entered.record())));
    assert_eq!(secretary.push(&[&entered, &resolved]).statuses(), ["accepted", "accepted"]);
}

fn given_up_waiting_an_edit_of_nothing_is_rejected(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let edit = Submission::edit(MEETING, id(), HUOI_SANG).changes("place", json!(null), "Nhà văn hóa");
    refused(&secretary.reports(edit.with("after_lost", true)), "rejected", "submission.unknown_record");
    let step = step(HUOI_SANG, id(), "branch_resolved", "2026-01-15").with("after_lost", true);
    refused(&secretary.reports(step), "rejected", "person.unknown");
}

fn given_up_waiting_what_was_seen_decides(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let (meeting, _) = reported(&secretary);
    let edit = |from: Value, to: &str| {
        let edit = Submission::edit(MEETING, meeting, HUOI_SANG).changes("place", from, to);
        edit.with("base", json!({"epoch": id(), "v": 999_999, "after": id()})).with("after_lost", true)
    };
    officer.reports_as("merged", edit(json!(null), "Nhà văn hóa"));
    officer.reports_as("conflict", edit(json!("Trường học"), "Trạm y tế"));
}

// --- natural keys and aliases -----------------------------------------------------------------------------

fn one_branch_has_one_regular_meeting_a_month_and_the_second_id_becomes_an_alias(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let (first, _) = reported(&secretary);
    let second = officer.says(meeting(HUOI_SANG).to("place", "Nhà văn hóa"));
    let result = officer.push(&[&second]).only();
    assert_eq!((&result["status"], uuid(&result["record"])), (&json!("merged"), first), "{result}");
    assert_eq!(
        result["fields"],
        json!({"identity": "already", "place": "applied", "roll": "already", "times": "already"})
    );
    let seen = record(&officer, second.record());
    assert_eq!((uuid(&seen["id"]), &seen["aliases"]), (first, &json!([second.record()])));
}

fn a_continued_meeting_is_another_sitting(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let (first, _) = reported(&secretary);
    let continued = secretary.reports_as("accepted", meeting(HUOI_SANG).to("sitting", 2).to("held_on", "2026-03-06"));
    assert_ne!(uuid(&continued["record"]), first);
    let thematic = meeting(HUOI_SANG).to("type", "thematic").silent_on("period");
    secretary.reports_as("accepted", thematic);
}

fn an_alias_is_followed_within_its_unit_and_unknown_elsewhere(app: &TestApp) {
    let (secretary, officer, neighbour) = (app.sign_in(SECRETARY), app.sign_in(OFFICER), app.sign_in(NEIGHBOUR));
    let (first, _) = reported(&secretary);
    let alias = officer.says(meeting(HUOI_SANG));
    let pushed = officer.push(&[&alias]);
    let result = push(&officer, place(alias.record(), &pushed, json!(null), "Nhà văn hóa"));
    assert_eq!(result["results"][0]["status"], "merged", "{result}");
    assert_eq!(record(&secretary, first)["data"]["place"], "Nhà văn hóa");
    for known in [first, alias.record()] {
        let edit = Submission::edit(MEETING, known, NA_LONG).changes("place", json!(null), "x");
        assert_eq!(neighbour.reports(edit)["status"], "deferred");
    }
}

fn a_record_id_that_is_taken_elsewhere_is_no_obstacle_and_no_news(app: &TestApp) {
    let (secretary, neighbour) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR));
    let (first, _) = reported(&secretary);
    let same_id = meeting(NA_LONG).with("record", json!(first)).to("place", "Nà Lóng");
    let result = neighbour.reports_as("accepted", same_id);
    assert_ne!(uuid(&result["record"]), first);
    assert_eq!(uuid(&record(&neighbour, first)["id"]), uuid(&result["record"]), "to them the id is their own");
    assert_eq!(uuid(&record(&secretary, first)["id"]), first);
}

// --- merging ----------------------------------------------------------------------------------------------

fn a_change_by_somebody_who_had_seen_the_record_is_applied(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let (meeting, seen) = reported(&secretary);
    let edit = edit(meeting, &seen).changes_group(&roll(), &json!({"present": 12, "unexcused": 0}));
    let result = officer.reports_as("merged", edit);
    assert_eq!(result["fields"], json!({"roll": "applied"}));
    let now = record(&secretary, meeting);
    assert_eq!((&now["data"]["present"], &now["disputed"], &now["v"]), (&json!(12), &json!(false), &result["v"]));
}

fn a_change_that_stands_already_is_told_so(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let (meeting, seen) = reported(&secretary);
    secretary.reports_as("merged", place(meeting, &seen, json!(null), "Nhà văn hóa"));
    let result = officer.reports_as("merged", place(meeting, &seen, json!(null), "Nhà văn hóa"));
    assert_eq!(result["fields"], json!({"place": "already"}));
}

fn changes_of_different_fields_at_the_same_time_both_stand(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let (meeting, seen) = reported(&secretary);
    secretary.reports_as("merged", place(meeting, &seen, json!(null), "Nhà văn hóa"));
    officer.reports_as("merged", edit(meeting, &seen).changes("self_score", json!(null), 82.5));
    let data = &record(&secretary, meeting)["data"];
    assert_eq!(
        (&data["place"], &data["self_score"], &data["self_band"]),
        (&json!("Nhà văn hóa"), &json!(82.5), &json!("fair"))
    );
}

fn changes_of_one_field_at_the_same_time_are_a_conflict_and_the_first_is_shown(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let (meeting, seen) = reported(&secretary);
    secretary.reports_as("merged", place(meeting, &seen, json!(null), "Nhà văn hóa"));
    let result = officer.reports_as("conflict", place(meeting, &seen, json!(null), "Trường học"));
    let conflict = &result["conflicts"][0];
    assert_eq!((&conflict["path"], &conflict["code"]), (&json!("place"), &json!("merge.conflict")));
    assert_eq!((&conflict["yours"], &conflict["current"]), (&json!("Trường học"), &json!("Nhà văn hóa")));
    assert_eq!(result["fields"], json!({"place": "conflict"}));
    let now = record(&secretary, meeting);
    assert_eq!((&now["data"]["place"], &now["disputed"]), (&json!("Nhà văn hóa"), &json!(true)));
    assert_eq!(now["open_conflicts"][0]["id"], conflict["id"]);
}

fn a_later_word_of_the_same_device_replaces_its_candidate(app: &TestApp) {
    let (secretary, officer, commune) = (app.sign_in(SECRETARY), app.sign_in(OFFICER), app.sign_in(COMMUNE));
    let (meeting, seen) = reported(&secretary);
    secretary.reports_as("merged", place(meeting, &seen, json!(null), "Nhà văn hóa"));
    officer.reports_as("conflict", place(meeting, &seen, json!(null), "Trường học"));
    let result = officer.reports_as("conflict", place(meeting, &seen, json!("Trường học"), "Trạm y tế"));
    let said = muong_tests::review::candidates(&commune, text(&result["conflicts"][0]["id"]));
    let values: Vec<&Value> = said.iter().map(|candidate| &candidate["value"]).collect();
    assert_eq!(values, ["Nhà văn hóa", "Trạm y tế"]);
}

fn a_field_of_an_item_is_merged_by_itself(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let (issue, number_one) = (id().to_string(), json!(1));
    let raised = [
        ("number", number_one),
        ("category", json!("road")),
        ("addressee", json!("commune_people_committee")),
        ("status", json!("open")),
    ];
    let draft = raised.iter().fold(meeting(HUOI_SANG), |m, (field, to)| m.item("issues", &issue, field, to.clone()));
    let seen = push(&secretary, draft);
    let meeting = uuid(&seen["results"][0]["record"]);
    let change =
        |field: &str, from: Value, to: Value| edit(meeting, &seen).item_changes("issues", &issue, field, from, to);
    secretary.reports_as("merged", change("status", json!("open"), json!("in_progress")));
    officer.reports_as("merged", change("due_on", json!(null), json!("2026-04-30")));
    officer.reports_as("conflict", change("status", json!("open"), json!("answered")));
    let now = &record(&secretary, meeting)["data"]["issues"][&issue];
    assert_eq!((&now["status"], &now["due_on"]), (&json!("in_progress"), &json!("2026-04-30")), "{now}");
}

fn a_group_is_sent_whole_or_not_at_all(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let (meeting, seen) = reported(&secretary);
    let result = secretary.reports(edit(meeting, &seen).changes("present", 11, 12).changes("unexcused", 1, 0));
    refused(&result, "rejected", "form.group_incomplete");
    let told = text(&result["errors"][0]["message"]["vi"]);
    assert!(told.contains("Tổng số đảng viên, ") && !told.contains("Có mặt"), "what is missing is named: {told}");
}

fn a_guarded_group_never_merges_when_nobody_knows_what_was_seen(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let (meeting, _) = reported(&secretary);
    let unknown = |edit: Submission| edit.with("base", json!({"epoch": id(), "v": 999_999}));
    let other_times = Submission::edit(MEETING, meeting, HUOI_SANG).changes_group(&times(), &json!({"ended": "21:30"}));
    officer.reports_as("merged", unknown(other_times));
    let other_day =
        Submission::edit(MEETING, meeting, HUOI_SANG).changes_group(&identity(), &json!({"held_on": "2026-03-06"}));
    officer.reports_as("conflict", unknown(other_day));
    assert_eq!(record(&secretary, meeting)["data"]["held_on"], "2026-03-05");
}

fn an_edit_onto_a_taken_key_is_a_question_and_the_key_stays(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let (march, _) = reported(&secretary);
    let seen = push(&secretary, meeting(HUOI_SANG).to("period", "2026-02").to("held_on", "2026-02-05"));
    let february = uuid(&seen["results"][0]["record"]);
    let mut was = identity();
    was.extend(object(json!({"period": "2026-02", "held_on": "2026-02-05"})));
    let onto = edit(february, &seen).changes_group(&was, &json!({"period": "2026-03", "held_on": "2026-03-05"}));
    let result = secretary.reports_as("conflict", onto);
    assert_eq!(result["conflicts"][0]["code"], "merge.key_taken", "{result}");
    assert_eq!(record(&secretary, february)["data"]["period"], "2026-02");
    assert_eq!(record(&secretary, march)["disputed"], false);
}

fn two_changes_that_are_valid_alone_and_not_together_are_a_question(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    // Reported as not held, with the times that were planned: one says that it was held after all, one clears the times.
    let not_held = json!({"held": false, "held_on": null, "not_held_reason": "other"});
    let draft = object(not_held.clone()).into_iter().fold(meeting(HUOI_SANG), |m, (field, to)| m.to(&field, to));
    let seen = push(&secretary, draft);
    let meeting = uuid(&seen["results"][0]["record"]);
    let mut was = identity();
    was.extend(object(not_held));
    let held = edit(meeting, &seen)
        .changes_group(&was, &json!({"held": true, "held_on": "2026-03-05", "not_held_reason": null}));
    secretary.reports_as("merged", held);
    let cleared = edit(meeting, &seen).changes_group(&times(), &json!({"started": null, "ended": null}));
    let result = officer.reports_as("conflict", cleared);
    let conflict = &result["conflicts"][0];
    assert_eq!((&conflict["code"], &conflict["path"]), (&json!("merge.merged_invalid"), &json!("$rule/form.required")));
    let now = record(&secretary, meeting);
    assert_eq!((&now["data"]["held"], &now["disputed"]), (&json!(true), &json!(true)), "both changes stand: {now}");
    assert_eq!(now["data"].get("started"), None, "{now}");
}

fn a_change_that_breaks_a_rule_in_full_view_is_rejected(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let (meeting, seen) = reported(&secretary);
    let cleared = edit(meeting, &seen).changes_group(&times(), &json!({"started": null, "ended": null}));
    let result = secretary.reports_as("rejected", cleared);
    assert_eq!(codes(&result["errors"]), ["form.required", "form.required"], "{result}");
    assert_eq!(record(&secretary, meeting)["data"]["started"], "19:30");
}

// --- withdrawing --------------------------------------------------------------------------------------------

fn a_delete_by_somebody_who_had_seen_the_record_withdraws_it(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let (meeting, seen) = reported(&secretary);
    let with_values =
        Submission::delete(meeting, HUOI_SANG).with("form", MEETING).with("form_version", 1).to("place", "x");
    refused(&secretary.reports(with_values), "rejected", "form.delete_carries_values");
    secretary.reports_as("accepted", Submission::delete(meeting, HUOI_SANG).seen(&seen, number(&seen["head"])));
    assert_eq!(record(&secretary, meeting)["state"], "deleted");
}

fn an_edit_and_a_delete_at_the_same_time_end_live_and_flagged_in_either_order(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    for (month, delete_first) in [("2026-01", true), ("2026-02", false)] {
        let seen = push(&secretary, meeting(HUOI_SANG).to("period", month).to("held_on", format!("{month}-05")));
        let meeting = uuid(&seen["results"][0]["record"]);
        let delete = Submission::delete(meeting, HUOI_SANG).seen(&seen, number(&seen["head"]));
        let edit = place(meeting, &seen, json!(null), "Nhà văn hóa");
        let statuses = if delete_first {
            [secretary.reports(delete), officer.reports(edit)]
        } else {
            [officer.reports(edit), secretary.reports(delete)]
        };
        assert_eq!(statuses[1]["status"], "conflict", "{month}: {statuses:?}");
        assert_eq!(statuses[1]["conflicts"][0]["code"], "merge.edit_delete");
        let now = record(&secretary, meeting);
        assert_eq!((&now["state"], &now["disputed"]), (&json!("live"), &json!(true)), "{month}");
        assert_eq!(now["data"]["place"], "Nhà văn hóa");
    }
}

fn a_create_on_a_withdrawn_record_revives_it(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let (first, seen) = reported(&secretary);
    let gone = push(&secretary, Submission::delete(first, HUOI_SANG).seen(&seen, number(&seen["head"])));
    let knowing = meeting(HUOI_SANG).seen(&gone, number(&gone["head"])).to("place", "Nhà văn hóa");
    let result = officer.reports(knowing);
    assert_eq!(uuid(&result["record"]), first, "the key is kept: {result}");
    let now = record(&officer, first);
    assert_eq!((&now["state"], &now["disputed"]), (&json!("live"), &json!(false)), "{now}");

    let seen = push(&secretary, meeting(HUOI_SANG).to("period", "2026-02").to("held_on", "2026-02-05"));
    let second = uuid(&seen["results"][0]["record"]);
    secretary.reports_as("accepted", Submission::delete(second, HUOI_SANG).seen(&seen, number(&seen["head"])));
    let unknowing = meeting(HUOI_SANG).to("period", "2026-02").to("held_on", "2026-02-05").to("place", "Trường học");
    officer.reports_as("conflict", unknowing);
    let now = record(&officer, second);
    assert_eq!((&now["state"], &now["disputed"]), (&json!("live"), &json!(true)), "{now}");
}

// --- quarantine and authors -----------------------------------------------------------------------------------

fn what_builds_on_a_quarantined_submission_waits_with_it(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let wrong = secretary.says(meeting(HUOI_SANG).to("excused", 2));
    let edit = |draft: Submission| secretary.says(draft.changes("place", json!(null), "Nhà văn hóa"));
    let of_the_record = edit(Submission::edit(MEETING, wrong.record(), HUOI_SANG));
    let after_it = edit(Submission::edit(MEETING, wrong.record(), HUOI_SANG).after(wrong.id()));
    let pushed = secretary.push(&[&wrong, &of_the_record, &after_it]);
    for result in &pushed.results()[1..] {
        refused(result, "rejected", "submission.depends_on_quarantined");
    }
}

fn only_the_own_quarantined_submissions_can_be_replaced(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let wrong = secretary.says(meeting(HUOI_SANG).to("excused", 2));
    let rejected = secretary.push(&[&wrong]).only();
    let result = officer.reports_as("accepted", meeting(HUOI_SANG).with("replaces", json!([wrong.id()])));
    assert_eq!(codes(&result["warnings"]), ["submission.nothing_to_replace"]);
    let waiting = muong_tests::review::quarantined(&secretary, &rejected["quarantine"]);
    assert!(waiting["closing"].is_null(), "{waiting}");
}

fn a_reviewer_may_report_for_a_branch_and_a_cadre_may_not(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let for_secretary = |month: &str| {
        let draft = meeting(HUOI_SANG).to("period", month).to("held_on", format!("{month}-05"));
        draft.with("on_behalf_of", json!(user_id(SECRETARY)))
    };
    commune.reports_as("accepted", for_secretary("2026-03"));
    refused(&secretary.reports(for_secretary("2026-02")), "forbidden", "access.forbidden");
}

fn what_another_account_wrote_is_not_sent_under_this_one(app: &TestApp) {
    let officer = app.sign_in(OFFICER);
    let result = officer.reports(meeting(HUOI_SANG).with("author", json!(user_id(SECRETARY))));
    refused(&result, "forbidden", "submission.author_mismatch");
    officer.reports_as("accepted", meeting(HUOI_SANG).with("author", json!(user_id(OFFICER))));
}

// --- what the form says -----------------------------------------------------------------------------------------

fn a_short_or_badly_attended_meeting_is_accepted_with_a_warning(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let short = secretary.reports_as("accepted", meeting(HUOI_SANG).to("ended", "20:45"));
    assert_eq!(codes(&short["warnings"]), ["meeting.short"]);
    short["warnings"].as_array().expect("warnings").iter().for_each(assert_finding);
    let few = meeting(HUOI_SANG).to("period", "2026-02").to("held_on", "2026-02-05");
    let few = secretary.reports_as("accepted", few.to("present", 6).to("excused", 6));
    assert_eq!(codes(&few["warnings"]), ["meeting.low_attendance"]);
}

fn a_number_that_the_phone_computed_is_checked(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let result = secretary.reports(meeting(HUOI_SANG).to("expected", 14));
    refused(&result, "rejected", "form.derived_sent_differs");
    let band = secretary.reports(meeting(HUOI_SANG).to("self_score", 71).to("self_band", "good"));
    refused(&band, "rejected", "form.derived_sent_differs");
    let told = text(&band["errors"][0]["message"]["vi"]);
    assert!(told.contains("Mục “Xếp loại tự chấm”") && told.contains("kết quả là Khá"), "{told}");
    secretary.reports_as("accepted", meeting(HUOI_SANG).to("expected", 13));
}

fn a_meeting_that_was_not_held_is_a_report(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let not_held = || {
        let said = Submission::create(MEETING, id(), HUOI_SANG).to("period", "2026-03").to("type", "regular");
        said.to("held", false)
    };
    refused(&secretary.reports(not_held()), "rejected", "meeting.not_held_reason");
    let result = secretary.reports_as("accepted", not_held().to("not_held_reason", "disaster"));
    assert_eq!(record(&secretary, text(&result["record"]))["data"]["held"], false);
}

fn a_form_is_known_by_code_and_version_and_belongs_to_a_kind_of_unit(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let with = |part: &str, value: Value| secretary.reports(meeting(HUOI_SANG).with(part, value));
    refused(&with("form", json!("no_such_form")), "rejected", "submission.form_unknown");
    refused(&with("form_version", json!(7)), "rejected", "submission.form_version_unknown");
    refused(&commune.reports(meeting(MUONG_NHE)), "rejected", "form.unit_kind");
    secretary.reports_as("accepted", meeting(HUOI_SANG));
}

fn a_batch_comes_to_the_same_as_its_submissions_one_by_one(app: &TestApp) {
    let (secretary, neighbour) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR));
    let story = |unit: Uuid| {
        let first = meeting(unit);
        let record = first.record();
        let edit = || Submission::edit(MEETING, record, unit);
        let second = edit().after(first.id()).changes("place", json!(null), "Trường học");
        let third = edit().after(second.id()).changes("place", "Trường học", "Nhà văn hóa");
        (
            record,
            [first, second, third, meeting(unit).to("present", 12).to("unexcused", 0), meeting(unit).to("excused", 3)],
        )
    };
    let (together, drafts) = story(HUOI_SANG);
    let said = drafts.map(|draft| secretary.says(draft));
    let at_once = secretary.push(&said.each_ref());
    let (apart, drafts) = story(NA_LONG);
    let one_by_one = drafts.map(|draft| text(&neighbour.reports(draft)["status"]).to_owned());
    assert_eq!(at_once.statuses(), one_by_one);
    let (together, apart) = (record(&secretary, together), record(&neighbour, apart));
    assert_eq!(together["data"], apart["data"]);
    assert_eq!(together["disputed"], apart["disputed"]);
}

fn a_party_card_is_held_by_one_person(app: &TestApp) {
    let (secretary, neighbour) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR));
    let member = |unit: Uuid, name: &str| {
        Submission::create(PERSON, id(), unit)
            .to("full_name", name)
            .to("birth_date", "1980-02-02")
            .to("basis", "own_application")
            .to("consent_on", "2025-08-01")
    };
    let first = member(HUOI_SANG, "Giàng A Vừ").to("party_card", "01234567");
    let holder = uuid(&secretary.reports_as("accepted", first)["record"]);
    let entry = Submission::create(STEP, id(), HUOI_SANG)
        .to("person", json!(holder))
        .to("step", "opening_entry")
        .to("on", "2025-09-01")
        .to("status", "official")
        .to("decision_on", "2005-01-10")
        .to("ceremony_on", "2005-02-03");
    secretary.reports_as("accepted", entry);
    let second = neighbour.reports(member(NA_LONG, "Lò Văn Inh").to("party_card", "01234567"));
    refused(&second, "rejected", "person.card_taken");
    assert!(!second.to_string().contains("01234567"), "the number stands in no message: {second}");
}
