//! What one author says, in part on one device and in part on another: a phone that was cloned registers anew and goes on.
//! What it builds on it had seen, whichever device said that; what the clone has said since it had not.

use muong_tests::builders::{MEETING, meeting, roll};
use muong_tests::client::number;
use muong_tests::province::{HUOI_SANG, OFFICER, SECRETARY};
use muong_tests::{Submission, TestApp, on_both, rebuilds_the_same_store};
use serde_json::json;
use uuid::Uuid;

on_both!(
    what_builds_on_an_own_report_meets_no_conflict_with_it_although_another_device_said_that,
    what_the_first_device_said_after_that_was_not_seen,
    what_came_before_counts_as_seen_also_where_nothing_stands_of_what_one_builds_on,
    what_was_said_two_devices_ago_counts_as_seen_whatever_lies_between,
    whoever_withdraws_what_another_device_of_theirs_said_withdraws_it_unasked,
);

/// A change of when a report says that the meeting ended, by somebody who has received nothing since `after`.
fn ends(report: &Submission, after: Uuid, from: &str, to: &str) -> Submission {
    let edit = Submission::edit(MEETING, report.record(), HUOI_SANG).changes("started", "19:30", "19:30");
    edit.changes("ended", from, to).with("base", json!({"v": null, "after": after}))
}

fn what_builds_on_an_own_report_meets_no_conflict_with_it_although_another_device_said_that(app: &TestApp) {
    let phone = app.sign_in(SECRETARY);
    let report = phone.says(meeting(HUOI_SANG));
    // The reply is lost; and a clone was heard first, so the phone becomes another device and says all of it again.
    phone.push(&[&report]);
    let anew = phone.registers_anew();
    let (again, edit) = (anew.says(report.clone()), anew.says(ends(&report, report.id(), "21:15", "21:30")));
    let pushed = anew.push(&[&again, &edit]);
    assert_eq!(pushed.statuses(), ["duplicate", "merged"], "{pushed:?}");
    let record = anew.read(&format!("/v1/records/{}", report.record()));
    assert_eq!(record["data"]["ended"], "21:30", "{record}");
}

fn what_the_first_device_said_after_that_was_not_seen(app: &TestApp) {
    let clone = app.sign_in(SECRETARY);
    let report = clone.says(meeting(HUOI_SANG));
    clone.push(&[&report]);
    let theirs = clone.says(ends(&report, report.id(), "21:15", "21:30"));
    assert_eq!(clone.push(&[&theirs]).statuses(), ["merged"]);
    let anew = clone.registers_anew();
    let edit = anew.says(ends(&report, report.id(), "21:30", "21:45"));
    assert_eq!(anew.push(&[&edit]).statuses(), ["conflict"]);
}

fn what_came_before_counts_as_seen_also_where_nothing_stands_of_what_one_builds_on(app: &TestApp) {
    let (phone, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let report = phone.says(meeting(HUOI_SANG));
    let later = phone.says(ends(&report, report.id(), "21:15", "21:30"));
    let pushed = phone.push(&[&report, &later]);
    // Somebody who has seen all of it says otherwise: nothing stands any more of the last that the phone had said.
    let v = number(&pushed.results()[1]["v"]);
    officer.reports_as("merged", ends(&report, later.id(), "21:30", "21:50").seen(&pushed.0, v));
    let anew = phone.registers_anew();
    let edit = Submission::edit(MEETING, report.record(), HUOI_SANG);
    let edit = edit.changes_group(&roll(), &json!({"present": 10, "excused": 2}));
    anew.reports_as("merged", edit.with("base", json!({"v": null, "after": later.id()})));
    drop(rebuilds_the_same_store(&app.app().database, app.backend(), "chains over two devices"));
}

fn what_was_said_two_devices_ago_counts_as_seen_whatever_lies_between(app: &TestApp) {
    let first = app.sign_in(SECRETARY);
    let report = first.says(meeting(HUOI_SANG));
    first.reports_as("accepted", report.clone());
    let place = |after: Uuid, from: serde_json::Value, to: &str| {
        let edit = Submission::edit(MEETING, report.record(), HUOI_SANG).changes("place", from, to);
        edit.with("base", json!({"v": null, "after": after}))
    };
    let second = first.registers_anew();
    let there = second.says(place(report.id(), json!(null), "Nhà văn hóa"));
    assert_eq!(second.push(&[&there]).statuses(), ["merged"]);
    // By way of an own one of the same device, in another push.
    let later = second.says(ends(&report, there.id(), "21:15", "21:30"));
    assert_eq!(second.push(&[&later]).statuses(), ["merged"]);
    let third = second.registers_anew();
    let fourth = third.registers_anew();
    let on_third = third.says(place(later.id(), json!("Nhà văn hóa"), "Nhà sàn"));
    let on_fourth = fourth.says(ends(&report, on_third.id(), "21:30", "21:45"));
    assert_eq!(third.push(&[&on_third]).statuses(), ["merged"]);
    assert_eq!(fourth.push(&[&on_fourth]).statuses(), ["merged"]);
    let record = fourth.read(&format!("/v1/records/{}", report.record()));
    assert_eq!((&record["data"]["place"], &record["data"]["ended"]), (&json!("Nhà sàn"), &json!("21:45")));
    drop(rebuilds_the_same_store(&app.app().database, app.backend(), "chains over four devices"));
}

fn whoever_withdraws_what_another_device_of_theirs_said_withdraws_it_unasked(app: &TestApp) {
    let first = app.sign_in(SECRETARY);
    let report = first.says(meeting(HUOI_SANG));
    first.reports_as("accepted", report.clone());
    let second = first.registers_anew();
    let delete = second.says(Submission::delete(report.record(), HUOI_SANG).after(report.id()));
    assert_eq!(second.push(&[&delete]).statuses(), ["accepted"]);
    assert_eq!(second.read(&format!("/v1/records/{}", report.record()))["state"], "deleted");
    drop(rebuilds_the_same_store(&app.app().database, app.backend(), "a withdrawal from another device"));
}
