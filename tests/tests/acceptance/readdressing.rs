//! What is still said to a unit that a record has left: heard where it is now, or waiting whole.

use super::moving::{WHY, accepted, all_replay, candidate, event, exempted, moves};
use muong_domain::access::Role;
use muong_tests::builders::{MEETING, STEP, meeting, roll, step};
use muong_tests::client::{text, uuid};
use muong_tests::province::{
    COMMUNE, DEPARTMENT, HUOI_SANG, NA_LONG, NEIGHBOUR, OFFICER, OTHER_COMMUNE, PHIENG_SANG, PROVINCE, SECRETARY,
    STRANGER,
};
use muong_tests::review::{quarantined, release};
use muong_tests::{Submission, TestApp, id, on_both};
use serde_json::{Value, json};
on_both!(
    what_is_said_to_the_unit_that_it_has_left_waits_whole_and_is_released_to_where_it_is,
    whoever_may_report_in_both_units_is_heard_where_it_is,
    a_branch_whose_meeting_has_gone_may_report_its_own,
    nobody_releases_into_a_unit_that_they_do_not_review_or_may_not_report_for,
    what_was_said_of_a_new_step_where_its_person_had_been_goes_on_being_heard,
    what_builds_on_what_waits_for_somebody_gone_is_released_with_it,
    whoever_may_not_report_what_has_gone_is_not_told_that_it_has,
    a_step_that_is_here_is_not_sought_where_the_person_is_who_is_to_have_it,
    an_id_of_somebody_gone_that_is_used_for_something_else_is_something_else,
    what_waits_where_somebody_has_gone_is_waited_on_and_released_with_what_builds_on_it,
);

fn what_is_said_to_the_unit_that_it_has_left_waits_whole_and_is_released_to_where_it_is(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let (who, _) = candidate(&secretary);
    moves(&commune, who, NA_LONG).expect(200);
    // The phone has not heard of it, and says something of them in the unit that it knows.
    let waits = secretary.reports_as("rejected", step(HUOI_SANG, who, "dossier_complete", "2026-02-10"));
    assert_eq!(waits["errors"][0]["code"], "record.moved", "{waits}");
    let seen = quarantined(&secretary, &waits["quarantine"]);
    assert_eq!(seen["content"]["value"]["set"]["person"]["to"], json!(who), "{seen}");
    let results = release(&commune, &waits["quarantine"], WHY).expect(200);
    let record = &results["results"][0]["record"];
    assert_eq!(commune.read(&format!("/v1/records/{}", text(record)))["unit"], json!(NA_LONG));
    // By somebody who reviews only the unit that was left it is not.
    let department = app.sign_in(DEPARTMENT);
    moves(&department, who, PHIENG_SANG).expect(200);
    let again = secretary.reports_as("rejected", step(HUOI_SANG, who, "branch_resolved", "2026-02-20"));
    let refused = release(&commune, &again["quarantine"], WHY).problem(422, "quarantine.not_releasable");
    assert_eq!(refused["errors"][0]["code"], "record.moved_beyond_review", "{refused}");
    all_replay(app);
}

fn whoever_may_report_in_both_units_is_heard_where_it_is(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let record = accepted(&secretary, meeting(HUOI_SANG));
    moves(&commune, record, NA_LONG).expect(200);
    app.grant(SECRETARY, Role::Cadre, NA_LONG);
    let edit = |place: &str| {
        let edit = Submission::edit(MEETING, record, HUOI_SANG);
        edit.changes("place", Value::Null, place)
    };
    let merged = secretary.reports_as("merged", edit("Nhà văn hóa"));
    assert_eq!(uuid(&merged["record"]), record);
    let standing = secretary.read(&format!("/v1/records/{record}"));
    assert_eq!((&standing["unit"], &standing["data"]["place"]), (&json!(NA_LONG), &json!("Nhà văn hóa")));
    // To somebody who never had the record in that unit it is not there at all.
    app.grant(STRANGER, Role::Cadre, NA_LONG);
    let stranger = app.sign_in(STRANGER);
    let foreign = stranger.says(Submission::edit(MEETING, record, PHIENG_SANG).to("place", "Nhà khác"));
    assert_eq!(stranger.push(&[&foreign]).statuses(), ["deferred"]);
    all_replay(app);
}

fn a_branch_whose_meeting_has_gone_may_report_its_own(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let record = accepted(&secretary, meeting(HUOI_SANG));
    moves(&commune, record, NA_LONG).expect(200);
    let own = accepted(&secretary, meeting(HUOI_SANG));
    assert_ne!(own, record);
    // Now it cannot come back.
    moves(&commune, record, HUOI_SANG).problem(409, "record.taken_there");
    all_replay(app);
}

fn nobody_releases_into_a_unit_that_they_do_not_review_or_may_not_report_for(app: &TestApp) {
    let (secretary, department) = (app.sign_in(SECRETARY), app.sign_in(DEPARTMENT));
    let record = accepted(&secretary, meeting(HUOI_SANG));
    app.grant(SECRETARY, Role::Cadre, PHIENG_SANG);
    moves(&department, record, PHIENG_SANG).expect(200);
    let broken = Submission::edit(MEETING, record, HUOI_SANG).changes_group(&roll(), &json!({"excused": 5}));
    let waits = secretary.reports_as("rejected", broken)["quarantine"].clone();
    // It waits where the meeting was; the meeting has come back since.
    let other = app.sign_in(OTHER_COMMUNE);
    assert_eq!(quarantined(&other, &waits)["unit"], json!(PHIENG_SANG));
    moves(&department, record, HUOI_SANG).expect(200);
    let refused = release(&other, &waits, WHY).problem(422, "quarantine.not_releasable");
    assert_eq!(refused["errors"][0]["code"], "record.moved_beyond_review", "{refused}");
    // Who reviews the other unit as well, but may not report there, does not release what is their own.
    app.grant(SECRETARY, Role::ProvincialReviewer, PROVINCE);
    let (who, _) = candidate(&secretary);
    moves(&department, who, NA_LONG).expect(200);
    let own = secretary.reports_as("rejected", step(HUOI_SANG, who, "dossier_complete", "2026-02-10"));
    let refused = release(&secretary, &own["quarantine"], WHY).problem(422, "quarantine.not_releasable");
    assert_eq!(refused["errors"][0]["code"], "record.moved_beyond_review", "{refused}");
    release(&department, &own["quarantine"], WHY).expect(200);
    all_replay(app);
}

fn what_was_said_of_a_new_step_where_its_person_had_been_goes_on_being_heard(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let (who, _) = candidate(&secretary);
    app.grant(SECRETARY, Role::Cadre, NA_LONG);
    moves(&commune, who, NA_LONG).expect(200);
    let create = secretary.says(step(HUOI_SANG, who, "dossier_complete", "2026-02-10"));
    let exempt = step(HUOI_SANG, who, "temporary_out", "2026-02-12").to("until", "2026-04-01");
    let exempt = secretary.says(exempt);
    let withdraw = secretary.says(Submission::delete(exempt.record(), HUOI_SANG).after(exempt.id()));
    let pushed = secretary.push(&[&create, &exempt, &withdraw]);
    assert_eq!(pushed.statuses(), ["accepted", "accepted", "accepted"], "{pushed:?}");
    // Also by a later push, which no longer names the person.
    let later = secretary.says(Submission::delete(create.record(), HUOI_SANG).after(create.id()));
    assert_eq!(secretary.push(&[&later]).statuses(), ["accepted"]);
    let record = secretary.read(&format!("/v1/records/{}", create.record()));
    assert_eq!((&record["unit"], &record["state"]), (&json!(NA_LONG), &json!("deleted")));
    let said = secretary.read(&format!("/v1/records/{}/submissions", create.record()));
    assert_eq!(said["items"].as_array().map(Vec::len), Some(2), "{said}");
    all_replay(app);
}

fn what_builds_on_what_waits_for_somebody_gone_is_released_with_it(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let (who, _) = candidate(&secretary);
    moves(&commune, who, NA_LONG).expect(200);
    let create = secretary.says(step(HUOI_SANG, who, "dossier_complete", "2026-02-10"));
    let withdraw = secretary.says(Submission::delete(create.record(), HUOI_SANG).after(create.id()));
    let pushed = secretary.push(&[&create, &withdraw]);
    let reasons: Vec<&Value> = pushed.results().iter().map(|result| &result["errors"][0]["code"]).collect();
    assert_eq!(reasons, ["record.moved", "submission.depends_on_quarantined"]);
    let results = release(&commune, &pushed.results()[0]["quarantine"], WHY).expect(200);
    assert_eq!(results["results"].as_array().map(Vec::len), Some(2), "{results}");
    let neighbour = app.sign_in(NEIGHBOUR);
    let said = neighbour.read(&format!("/v1/records/{}/submissions", create.record()));
    assert_eq!(said["items"].as_array().map(Vec::len), Some(2), "{said}");
    all_replay(app);
}

fn whoever_may_not_report_what_has_gone_is_not_told_that_it_has(app: &TestApp) {
    let (secretary, commune, officer) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE), app.sign_in(OFFICER));
    let (who, _) = candidate(&secretary);
    let tells = || {
        let of = |record| {
            let delete = officer.says(Submission::delete(record, HUOI_SANG));
            let edit = officer.says(Submission::edit(MEETING, record, HUOI_SANG).to("place", "Nhà văn hóa"));
            officer.push(&[&delete, &edit]).statuses().join(" ")
        };
        (of(who), of(id()))
    };
    let before = tells();
    moves(&commune, who, NA_LONG).expect(200);
    assert_eq!((tells(), before.0.as_str()), (before.clone(), before.1.as_str()));
    all_replay(app);
}

fn a_step_that_is_here_is_not_sought_where_the_person_is_who_is_to_have_it(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let (gone, stays) = (candidate(&secretary).0, candidate(&secretary).0);
    let said = secretary.says(exempted(stays));
    secretary.push(&[&said]);
    moves(&commune, gone, NA_LONG).expect(200);
    let edit = Submission::edit(STEP, said.record(), HUOI_SANG);
    let edit = edit.changes_group(&event(stays), &json!({"person": gone})).after(said.id());
    assert_eq!(secretary.push(&[&secretary.says(edit.clone())]).only()["missing"], json!(gone));
    let lost = secretary.reports_as("rejected", edit.anew().with("after_lost", true));
    assert_eq!(lost["errors"][0]["code"], "person.unknown", "{lost}");
    assert_eq!(quarantined(&secretary, &lost["quarantine"])["unit"], json!(HUOI_SANG));
}

fn an_id_of_somebody_gone_that_is_used_for_something_else_is_something_else(app: &TestApp) {
    let (secretary, commune, officer) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE), app.sign_in(OFFICER));
    let (who, _) = candidate(&secretary);
    moves(&commune, who, NA_LONG).expect(200);
    for reporter in [&officer, &secretary] {
        let meeting = meeting(HUOI_SANG).with("record", who.to_string()).to("type", "extraordinary");
        let meeting = meeting.to("held_on", if reporter.user == officer.user { "2026-03-04" } else { "2026-03-03" });
        let result = reporter.reports(meeting);
        assert!(["accepted", "conflict"].contains(&text(&result["status"])), "{result}");
        assert_ne!(result["errors"][0]["code"], "record.moved", "{result}");
    }
    all_replay(app);
}

fn what_waits_where_somebody_has_gone_is_waited_on_and_released_with_what_builds_on_it(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let (who, _) = candidate(&secretary);
    moves(&commune, who, NA_LONG).expect(200);
    // It waits where it was said, since its author may not report where they have gone; then they may.
    let first = secretary.says(step(HUOI_SANG, who, "dossier_complete", "2026-02-10"));
    let waits = secretary.push(&[&first]).only();
    assert_eq!(waits["errors"][0]["code"], "record.moved", "{waits}");
    app.grant(SECRETARY, Role::Cadre, NA_LONG);
    let second = step(HUOI_SANG, who, "temporary_out", "2026-02-12").to("until", "2026-04-01").after(first.id());
    let second = secretary.says(second);
    let follows = secretary.push(&[&second]).only();
    assert_eq!(follows["errors"][0]["code"], "submission.depends_on_quarantined", "{follows}");
    // And this one names only the step, which has not come about.
    let third = secretary.says(Submission::delete(second.record(), HUOI_SANG));
    let also = secretary.push(&[&third]).only();
    assert_eq!(also["errors"][0]["code"], "submission.depends_on_quarantined", "{also}");
    let results = release(&commune, &waits["quarantine"], WHY).expect(200);
    let statuses: Vec<&str> =
        results["results"].as_array().expect("results").iter().map(|r| text(&r["status"])).collect();
    assert_eq!(statuses.len(), 3, "{results}");
    assert_eq!(secretary.read(&format!("/v1/records/{}", first.record()))["unit"], json!(NA_LONG));
    all_replay(app);
}
