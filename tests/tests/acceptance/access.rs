//! Who may do what where: grants over subtrees, for a time; and the explanation of every yes and no.

use chrono::TimeDelta;
use muong_domain::access::{Action, Role};
use muong_tests::province::{
    ADMIN, AUDITOR, BAN_HUOI_SANG, COMMUNE, DEPARTMENT, HUOI_SANG, MUONG_CHA, MUONG_NHE, NA_LONG, NOBODY, NOWHERE,
    OFFICER, PHIENG_SANG, PROVINCE, SECRETARY,
};
use muong_tests::{Reporter, TestApp, on_both};
use serde_json::{Value, json};
use std::fmt::Write;
use uuid::Uuid;

on_both!(
    every_role_is_allowed_what_the_table_says_and_nothing_else,
    a_grant_covers_what_lies_below_its_unit_and_nothing_beside_it,
    a_unit_out_of_reach_is_answered_like_one_that_does_not_exist,
    a_no_names_the_role_that_does_not_suffice_and_those_that_would,
    a_grant_counts_from_the_next_request_on_and_its_end_too,
    a_grant_can_be_asked_about_for_another_time,
    a_form_decides_whether_reading_means_persons,
    the_province_reads_persons_only_with_a_reason,
    a_question_that_makes_no_sense_is_refused,
);

fn can(who: &Reporter, action: &str, unit: Uuid) -> Value {
    who.read(&format!("/v1/me/can?action={action}&unit={unit}"))
}

/// The golden matrix: role × action, each asked in a unit that the role's grant covers.
const MATRIX: &str = "\
cadre               read_reports read_persons report report_persons
liaison             read_reports report
commune_reviewer    read_reports read_persons report report_persons review
provincial_reviewer read_reports read_persons* review erase_persons*
admin               administer
auditor             audit
";

fn every_role_is_allowed_what_the_table_says_and_nothing_else(app: &TestApp) {
    let mut found = String::new();
    for (role, login) in [
        ("cadre", SECRETARY),
        ("liaison", OFFICER),
        ("commune_reviewer", COMMUNE),
        ("provincial_reviewer", DEPARTMENT),
        ("admin", ADMIN),
        ("auditor", AUDITOR),
    ] {
        let who = app.sign_in(login);
        let mut allowed = Vec::new();
        for action in Action::ALL {
            let answer = can(&who, action.as_str(), HUOI_SANG);
            match answer["code"].as_str() {
                Some("access.allowed") => allowed.push(action.as_str().to_owned()),
                Some("access.reason_required") => allowed.push(format!("{}*", action.as_str())),
                other => assert_eq!(other, Some("access.forbidden"), "{login} {action:?}: {answer}"),
            }
        }
        writeln!(found, "{role:19} {}", allowed.join(" ")).expect("a string takes everything");
    }
    assert_eq!(found, MATRIX);
}

fn a_grant_covers_what_lies_below_its_unit_and_nothing_beside_it(app: &TestApp) {
    let (commune, secretary) = (app.sign_in(COMMUNE), app.sign_in(SECRETARY));
    for unit in [MUONG_NHE, HUOI_SANG, NA_LONG] {
        assert_eq!(can(&commune, "review", unit)["allowed"], true, "{unit}");
    }
    for unit in [PROVINCE, MUONG_CHA, PHIENG_SANG, BAN_HUOI_SANG] {
        assert_eq!(can(&commune, "review", unit)["code"], "access.outside", "{unit}");
    }
    assert_eq!(can(&secretary, "report", HUOI_SANG)["allowed"], true);
    for unit in [MUONG_NHE, NA_LONG] {
        assert_eq!(can(&secretary, "report", unit)["code"], "access.outside", "{unit}");
    }
}

fn a_unit_out_of_reach_is_answered_like_one_that_does_not_exist(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let [there, nowhere] = [PHIENG_SANG, NOWHERE].map(|unit| {
        let mut answer = can(&secretary, "report", unit);
        answer["unit"] = Value::Null;
        answer
    });
    assert_eq!(there["allowed"], false);
    assert_eq!(there, nowhere);
}

fn a_no_names_the_role_that_does_not_suffice_and_those_that_would(app: &TestApp) {
    let officer = app.sign_in(OFFICER);
    let answer = can(&officer, "report_persons", HUOI_SANG);
    assert_eq!((&answer["allowed"], &answer["code"]), (&json!(false), &json!("access.forbidden")));
    assert_eq!(answer["role"], "liaison");
    assert_eq!(answer["roles_that_may"], json!(["cadre", "commune_reviewer"]));
    assert!(answer["message"]["vi"] != answer["message"]["en"], "{answer}");
    let yes = can(&officer, "report", HUOI_SANG);
    assert_eq!(yes["grant"]["role"], "liaison");
    assert_eq!(yes["grant"]["unit"]["name"], "Chi bộ bản Huổi Sang");
}

fn a_grant_counts_from_the_next_request_on_and_its_end_too(app: &TestApp) {
    let nobody = app.sign_in(NOBODY);
    assert_eq!(can(&nobody, "report", NA_LONG)["code"], "access.outside");
    app.grant(NOBODY, Role::Cadre, NA_LONG);
    assert_eq!(can(&nobody, "report", NA_LONG)["allowed"], true);
    app.pass(TimeDelta::seconds(1));
    app.revoke(NOBODY, Role::Cadre, NA_LONG);
    assert_eq!(can(&nobody, "report", NA_LONG)["code"], "access.outside");
    let me = nobody.read("/v1/me");
    assert_eq!(me["roles"], json!([]));
    assert_eq!(me["grants"][0]["holds"], false, "an ended grant is still told: {me}");
}

fn a_grant_can_be_asked_about_for_another_time(app: &TestApp) {
    let nobody = app.sign_in(NOBODY);
    app.grant(NOBODY, Role::Cadre, NA_LONG);
    for (at, allowed) in [("2026-03-09T02:10:59Z", false), ("2026-03-09T02:11:00Z", true)] {
        let answer = nobody.read(&format!("/v1/me/can?action=report&unit={NA_LONG}&at={at}"));
        assert_eq!(answer["allowed"], allowed, "{answer}");
    }
    app.pass(TimeDelta::seconds(1));
    app.revoke(NOBODY, Role::Cadre, NA_LONG);
    for (at, allowed) in [("2026-03-09T02:11:00Z", true), ("2026-03-09T02:11:01Z", false)] {
        let answer = nobody.read(&format!("/v1/me/can?action=report&unit={NA_LONG}&at={at}"));
        assert_eq!(answer["allowed"], allowed, "what is past stays as it was: {answer}");
    }
}

fn a_form_decides_whether_reading_means_persons(app: &TestApp) {
    let officer = app.sign_in(OFFICER);
    for (form, allowed) in [("branch_meeting", true), ("person", false), ("development_step", false)] {
        let answer = officer.read(&format!("/v1/me/can?action=report&unit={HUOI_SANG}&form={form}"));
        assert_eq!(answer["allowed"], allowed, "{answer}");
    }
}

fn the_province_reads_persons_only_with_a_reason(app: &TestApp) {
    let department = app.sign_in(DEPARTMENT);
    let ask =
        |reason: bool| department.read(&format!("/v1/me/can?action=read_persons&unit={PHIENG_SANG}&reason={reason}"));
    assert_eq!(ask(false)["code"], "access.reason_required");
    assert_eq!(ask(true)["allowed"], true);
}

fn a_question_that_makes_no_sense_is_refused(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    for query in [
        "action=fly&unit={u}",
        "action=report",
        "action=report&unit=x",
        "action=report&unit={u}&form=nothing",
        "action=report&unit={u}&more=1",
    ] {
        let query = query.replace("{u}", &HUOI_SANG.to_string());
        secretary.get(&format!("/v1/me/can?{query}")).problem(400, "request.query_invalid");
    }
}
