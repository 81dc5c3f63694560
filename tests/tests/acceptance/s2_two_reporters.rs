//! S2: the secretary and the border-guard officer report the same meeting, and count differently.

use muong_tests::builders::{MEETING, meeting};
use muong_tests::client::{text, uuid};
use muong_tests::province::{COMMUNE, HUOI_SANG, OFFICER, SECRETARY};
use muong_tests::review::{candidates, open_conflicts, resolve};
use muong_tests::{Phone, Submission, TestApp, on_both};
use serde_json::{Value, json};

on_both!(
    two_reports_of_one_meeting_are_one_record_with_one_conflict_on_the_roll,
    neither_report_overwrites_the_other_and_both_are_told_apart,
    the_officers_id_leads_to_the_same_meeting,
    a_reviewer_decides_with_a_reason_and_the_meeting_is_no_longer_disputed,
    both_phones_learn_the_outcome_by_pull,
);

/// The officer's report: another record, 12 present and nobody unexcused.
fn officers_report() -> Submission {
    meeting(HUOI_SANG).to("present", 12).to("unexcused", 0)
}

/// Both report; the secretary's record, the officer's id of it, and the officer's result.
fn both_report(app: &TestApp) -> (Submission, Submission, Value) {
    let secretary = app.sign_in(SECRETARY);
    let hers = secretary.says(meeting(HUOI_SANG));
    assert_eq!(secretary.push(&[&hers]).statuses(), ["accepted"]);
    let officer = app.sign_in(OFFICER);
    let his = officer.says(officers_report());
    let result = officer.push(&[&his]).only();
    (hers, his, result)
}

fn two_reports_of_one_meeting_are_one_record_with_one_conflict_on_the_roll(app: &TestApp) {
    let (hers, _, result) = both_report(app);
    assert_eq!(result["status"], "conflict", "{result}");
    assert_eq!(uuid(&result["record"]), hers.record(), "the canonical record is named");
    let conflicts = result["conflicts"].as_array().expect("conflicts");
    assert_eq!(conflicts.len(), 1, "{result}");
    assert_eq!((&conflicts[0]["path"], &conflicts[0]["fields"]), (&json!("roll"), &json!(["present", "unexcused"])));
    assert_eq!(conflicts[0]["yours"], json!({"present": 12, "unexcused": 0}));
    assert_eq!(conflicts[0]["current"], json!({"present": 11, "unexcused": 1}));
    assert_eq!(result["fields"]["identity"], "already", "{result}");
    assert_eq!(result["fields"]["times"], "already", "{result}");

    let commune = app.sign_in(COMMUNE);
    let records = commune.read(&format!("/v1/records?form={MEETING}"));
    assert_eq!(records["items"].as_array().map(Vec::len), Some(1), "counted once: {records}");
    assert_eq!(records["items"][0]["disputed"], true);
    assert_eq!(records["items"][0]["open_conflicts"][0]["path"], "roll");
}

fn neither_report_overwrites_the_other_and_both_are_told_apart(app: &TestApp) {
    let (hers, his, _) = both_report(app);
    let commune = app.sign_in(COMMUNE);
    let record = commune.read(&format!("/v1/records/{}", hers.record()));
    assert_eq!(record["data"]["present"], 11, "what was there first is shown until somebody decides");
    let conflict = open_conflicts(&commune).pop().expect("an open conflict");
    let said = candidates(&commune, &conflict);
    let present: Vec<&Value> = said.iter().map(|candidate| &candidate["value"]["present"]).collect();
    assert_eq!(present, [11, 12], "the one shown first");
    let by: Vec<&str> = said.iter().map(|candidate| text(&candidate["by"][0]["submission"])).collect();
    assert_eq!(by, [hers.id().to_string(), his.id().to_string()]);
    let submissions = commune.read(&format!("/v1/records/{}/submissions", hers.record()));
    assert_eq!(submissions["items"].as_array().map(Vec::len), Some(2), "{submissions}");
}

fn the_officers_id_leads_to_the_same_meeting(app: &TestApp) {
    let (hers, his, _) = both_report(app);
    let officer = app.sign_in(OFFICER);
    let record = officer.read(&format!("/v1/records/{}", his.record()));
    assert_eq!(uuid(&record["id"]), hers.record());
    assert_eq!(record["aliases"], json!([his.record()]));
}

fn a_reviewer_decides_with_a_reason_and_the_meeting_is_no_longer_disputed(app: &TestApp) {
    let (hers, his, _) = both_report(app);
    let commune = app.sign_in(COMMUNE);
    let conflict = open_conflicts(&commune).pop().expect("an open conflict");
    let seen = [hers.id(), his.id()];
    let choice = json!({"candidate": his.id()});
    resolve(&commune, &conflict, &choice, &seen, "Đã đối chiếu biên bản họp.").expect(200);
    let record = commune.read(&format!("/v1/records/{}", hers.record()));
    assert_eq!((&record["data"]["present"], &record["disputed"]), (&json!(12), &json!(false)), "{record}");
    assert!(open_conflicts(&commune).is_empty());
    let closed = commune.read(&format!("/v1/conflicts/{conflict}"));
    assert!(closed.to_string().contains("Đã đối chiếu biên bản họp."), "the reason is kept: {closed}");
}

fn both_phones_learn_the_outcome_by_pull(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    let (mut hers, mut his) = (Phone::default(), Phone::default());
    hers.pulls(&secretary);
    his.pulls(&officer);
    let reported = secretary.says(meeting(HUOI_SANG));
    secretary.push(&[&reported]);
    hers.pulls(&secretary);
    let too = officer.says(officers_report());
    officer.push(&[&too]);
    for (phone, who) in [(&mut hers, &secretary), (&mut his, &officer)] {
        phone.pulls(who);
        let known = phone.of_kind(MEETING);
        assert_eq!(known.keys().collect::<Vec<_>>(), [&reported.record()], "one meeting");
        let meeting = &known[&reported.record()];
        assert_eq!((&meeting["data"]["present"], &meeting["open_conflicts"]), (&json!(11), &json!(["roll"])));
        assert_eq!(phone.aliases()[&(too.record(), HUOI_SANG)], reported.record());
        assert!(phone.notices().is_empty());
    }
    let commune = app.sign_in(COMMUNE);
    let conflict = open_conflicts(&commune).pop().expect("an open conflict");
    let choice = json!({"candidate": too.id()});
    resolve(&commune, &conflict, &choice, &[reported.id(), too.id()], "Đã đối chiếu biên bản họp.").expect(200);
    for (phone, who) in [(&mut hers, &secretary), (&mut his, &officer)] {
        phone.pulls(who);
        let meeting = &phone.of_kind(MEETING)[&reported.record()];
        assert_eq!((&meeting["data"]["present"], &meeting["open_conflicts"]), (&json!(12), &json!([])));
        let notices = phone.notices();
        let [notice] = notices.as_slice() else { panic!("one notice: {notices:?}") };
        assert_eq!((notice.code.as_str(), notice.about), ("conflict.decided", reported.record()));
        assert_eq!(notice.conflict.map(|id| id.to_string()).as_ref(), Some(&conflict));
    }
}
