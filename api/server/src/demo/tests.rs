use super::*;
use chrono::NaiveDate;
use muong_domain::access::{Actor, HeldGrant, authorize};
use muong_domain::development::{Basis, Rules, Step, StepFacts, check_step};
use muong_domain::form::Form;
use muong_domain::id::{DeviceId, RecordId, SubmissionId, UnitId, UserId};
use muong_domain::refusal::Level;
use muong_domain::submission::{Kind, Submission};
use muong_domain::time::{Calendar, local_date};
use muong_domain::unit::Units;
use muong_domain::validate::{Context, normalise_and_check};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};

fn as_of() -> DateTime<Utc> {
    schedule::local(schedule::date(2026, 11, 23), 9 * 60).to_utc()
}

fn province(seed: u64) -> Province {
    Province::new(seed, 0.02, as_of())
}

fn forms() -> BTreeMap<String, Form> {
    let built_in = [
        include_str!("../../../../forms/branch_meeting.json"),
        include_str!("../../../../forms/person.json"),
        include_str!("../../../../forms/development_step.json"),
        include_str!("../../../../forms/supervision_assignment.json"),
    ];
    let parsed = built_in.into_iter().map(|json| Form::parse("built in", json).unwrap());
    parsed.map(|form| (form.code().to_owned(), form)).collect()
}

fn all(province: &Province) -> Vec<(Batch, Submission)> {
    province
        .batches()
        .flat_map(|batch| batch.submissions.clone().into_iter().map(move |s| (batch.clone(), s)))
        .collect()
}

fn digest(province: &Province) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(serde_json::to_vec(&province.layout.units).unwrap());
    hash.update(format!("{:?} {:?}", province.layout.coverage, province.staff.accounts));
    hash.update(format!("{:?} {:?}", province.staff.devices, province.staff.grants));
    for batch in province.batches() {
        hash.update(format!("{} {} {}", batch.pushed_by, batch.device, batch.received_at));
        hash.update(serde_json::to_vec(&batch.submissions).unwrap());
    }
    hash.finalize().to_vec()
}

#[test]
fn the_same_seed_makes_the_same_province_and_another_seed_another() {
    assert_eq!(digest(&province(1)), digest(&province(1)));
    assert_ne!(digest(&province(1)), digest(&province(2)));
}

#[test]
fn every_submission_passes_its_form_except_those_that_are_meant_not_to() {
    let (province, forms) = (province(1), forms());
    let units = Units::new(province.layout.units.clone());
    let (mut refused, mut warned) = (BTreeSet::new(), BTreeSet::new());
    for (batch, submission) in all(&province) {
        let form = &forms[submission.form.as_deref().unwrap()];
        let unit = units.get(submission.unit).unwrap();
        let today = local_date(batch.received_at);
        let context =
            Context { today, unit_founded_on: unit.founded_on, unit_kind: unit.on(today).unwrap().kind.clone() };
        let checked = normalise_and_check(form, &submission, &context);
        warned.extend(checked.warnings.iter().map(|finding| finding.code.as_str().to_owned()));
        match batch.expected.get(&submission.id) {
            Some(Expected::Rejected { code }) if !code.starts_with("step.") => {
                assert_eq!(checked.errors.first().map(|finding| finding.code.as_str()), Some(*code));
                refused.insert(*code);
            }
            _ => assert_eq!(checked.errors, [], "{submission:#?}"),
        }
    }
    assert_eq!(refused.len(), 5);
    for code in ["meeting.short", "meeting.low_attendance"] {
        assert!(warned.contains(code), "{code} is never shown");
    }
}

#[test]
fn envelopes_are_what_the_wire_takes() {
    let province = province(1);
    let mut numbers: HashMap<DeviceId, i64> = HashMap::new();
    let (mut last, mut ids) = (as_of() - chrono::TimeDelta::days(1000), BTreeSet::new());
    for batch in province.batches() {
        assert!((1..=500).contains(&batch.submissions.len()));
        assert!(serde_json::to_vec(&batch.submissions).unwrap().len() < 1 << 20);
        assert!(last <= batch.received_at && batch.received_at <= as_of());
        last = batch.received_at;
        let is_again = batch.expected.values().any(|expected| *expected == Expected::Duplicate);
        for submission in &batch.submissions {
            assert!(submission.captured_at.unwrap() <= batch.received_at, "{submission:?} {}", batch.received_at);
            assert_eq!(ids.insert(submission.id), !is_again);
            let number = numbers.entry(batch.device).or_insert(0);
            *number += i64::from(!is_again);
            assert_eq!(submission.n, *number);
            let written = serde_json::to_string(submission).unwrap();
            assert_eq!(&serde_json::from_str::<Submission>(&written).unwrap(), submission);
        }
    }
}

#[test]
fn authors_hold_a_grant_over_what_they_report_except_where_they_are_meant_not_to() {
    let province = province(1);
    let units = Units::new(province.layout.units.clone());
    let mut actors: HashMap<UserId, Actor> = HashMap::new();
    for grant in &province.staff.grants {
        let actor = actors.entry(grant.user).or_insert(Actor { user: grant.user, grants: Vec::new() });
        let (valid_from, valid_to) = (grant.valid_from, grant.valid_to);
        let (id, role, unit, ended) = (grant.id, grant.role, grant.unit, false);
        actor.grants.push(HeldGrant { id, role, unit, valid_from, valid_to, ended });
    }
    let (mut forbidden, forms) = (0, forms());
    for (batch, submission) in all(&province) {
        let action = forms[submission.form.as_deref().unwrap()].action_to_report();
        let line = units.ancestors(submission.unit);
        let decision = authorize(&actors[&batch.pushed_by], action, &line, batch.received_at, false);
        let is_forbidden = batch.expected.get(&submission.id) == Some(&Expected::Forbidden);
        assert_eq!(decision.is_err(), is_forbidden, "{submission:?}");
        forbidden += usize::from(is_forbidden);
    }
    assert_eq!(forbidden, 7);
}

/// A step as it stands in a submission.
fn step_of(submission: &Submission) -> (RecordId, Step) {
    let value = |name: &str| submission.set.get(name).map(|change| change.to.clone());
    let day = |name: &str| value(name).map(|day| serde_json::from_value::<NaiveDate>(day).unwrap());
    let number = |name: &str| value(name).map(|number| serde_json::from_value::<u32>(number).unwrap());
    let facts = StepFacts {
        eligible: number("eligible"),
        yes: number("yes"),
        until: day("until"),
        discipline: value("discipline").map(|measure| serde_json::from_value(measure).unwrap()),
        status: value("status").map(|status| serde_json::from_value(status).unwrap()),
        decision_on: day("decision_on"),
        ceremony_on: day("ceremony_on"),
        official_on: day("official_on"),
        ..StepFacts::default()
    };
    let kind = serde_json::from_value(value("step").unwrap()).unwrap();
    let person = serde_json::from_value(value("person").unwrap()).unwrap();
    (person, Step { id: submission.record, kind, on: day("on").unwrap(), facts })
}

#[test]
fn persons_come_before_their_steps_and_steps_agree_as_they_arrive() {
    let rules = Rules::parse(include_str!("../../../../forms/development-rules.json")).unwrap();
    let calendar = Calendar::parse(include_str!("../../../../forms/calendar.json")).unwrap();
    let province = province(1);
    let mut births: HashMap<RecordId, NaiveDate> = HashMap::new();
    let mut held: HashMap<RecordId, Vec<Step>> = HashMap::new();
    let mut refused = Vec::new();
    for (batch, submission) in all(&province) {
        match submission.form.as_deref() {
            Some("person") => {
                let birth = submission.set["birth_date"].to.clone();
                births.insert(submission.record, serde_json::from_value(birth).unwrap());
            }
            Some("development_step") => {
                let (person, step) = step_of(&submission);
                let facts =
                    muong_domain::development::PersonFacts { birth_date: Some(births[&person]), consent_on: None };
                let basis = Basis { rules: &rules, calendar: &calendar, today: local_date(batch.received_at) };
                let before = held.entry(person).or_default();
                let mut errors = check_step(&facts, before, &step, &basis);
                errors.retain(|(level, _)| *level == Level::Error);
                match (batch.expected.get(&submission.id), errors.first()) {
                    (Some(Expected::Rejected { code }), Some((_, found))) => {
                        assert_eq!(found.code.as_str(), *code);
                        refused.push(*code);
                    }
                    (None, None) => before.push(step),
                    (expected, found) => panic!("{expected:?} {found:?} {submission:#?}"),
                }
            }
            _ => {}
        }
    }
    assert_eq!(refused, ["step.out_of_order", "step.under_age"]);
}

#[test]
fn a_branch_has_one_regular_meeting_a_month_and_its_members_on_the_roll() {
    let province = province(1);
    let mut keys = BTreeSet::new();
    let (mut held, mut not_held) = (0, 0);
    for (batch, submission) in all(&province) {
        if submission.form.as_deref() != Some("branch_meeting")
            || submission.kind != Kind::Create
            || !batch.expected.is_empty()
        {
            continue;
        }
        let value = |name: &str| submission.set.get(name).map_or(serde_json::Value::Null, |change| change.to.clone());
        if value("type") == "regular" {
            assert!(keys.insert((submission.unit, value("period").to_string())));
        }
        if value("held") == false {
            not_held += 1;
            continue;
        }
        held += 1;
        let count = |name: &str| value(name).as_u64().unwrap_or(0);
        let at = province.layout.branches.iter().position(|branch| branch.id == submission.unit).unwrap();
        let on = serde_json::from_value(value("held_on")).unwrap();
        let roll = people::roll(&province.people[at], on);
        assert_eq!(count("on_roll"), u64::from(roll.official + roll.probationary));
        let expected = count("on_roll") - count("exempt") - count("temporarily_out") + count("temporarily_in");
        assert_eq!(count("present") + count("excused") + count("unexcused"), expected);
    }
    assert!(held > 550 && (5..40).contains(&not_held), "{held} {not_held}");
}

#[test]
fn every_branch_has_one_or_two_supervisors_and_meetings_are_attended_by_nobody_else() {
    let province = province(1);
    let mut assigned: HashMap<UnitId, BTreeSet<String>> = HashMap::new();
    let (mut capacities, mut attended) = (BTreeSet::new(), 0);
    for (batch, submission) in all(&province) {
        if submission.form.as_deref() == Some("supervision_assignment") {
            let at = province.layout.branches.iter().position(|branch| branch.id == submission.unit).unwrap();
            assert_eq!(batch.pushed_by, province.staff.office(province.layout.branches[at].commune).user);
            capacities.insert(submission.set["capacity"].to.to_string());
            assert!(assigned.entry(submission.unit).or_default().insert(submission.record.to_string()));
        }
        let attending = submission.items.get("attending").into_iter().flatten();
        for (assignment, _) in attending {
            assert!(assigned[&submission.unit].contains(assignment), "{submission:?}");
            attended += 1;
        }
    }
    assert_eq!(assigned.len(), province.layout.branches.len());
    assert!(assigned.values().all(|records| (1..=2).contains(&records.len())));
    assert!(assigned.values().any(|records| records.len() == 2));
    assert_eq!(capacities.len(), 4, "{capacities:?}");
    assert!(attended > 50, "{attended}");
}

#[test]
fn there_is_something_of_everything_to_show() {
    let province = province(1);
    let expected: Vec<Expected> = province.batches().flat_map(|batch| batch.expected.into_values()).collect();
    for wanted in [Expected::Merged, Expected::Conflict, Expected::Duplicate, Expected::Forbidden] {
        assert!(expected.contains(&wanted), "{wanted:?}");
    }
    let of = |id: &SubmissionId, list: &[Submission]| list.iter().any(|submission| submission.replaces.contains(id));
    let submissions: Vec<Submission> = all(&province).into_iter().map(|(_, submission)| submission).collect();
    assert!(submissions.iter().any(|submission| of(&submission.id, &submissions)));
    assert!(submissions.iter().any(|submission| submission.kind == Kind::Delete));
    assert!(submissions.iter().any(|s| s.kind == Kind::Edit && s.items.contains_key("issues")));
}

#[test]
fn the_number_of_submissions_is_about_what_is_said_before() {
    let province = province(1);
    let (said, made) = (province.submissions(), all(&province).len() as u64);
    assert!(said <= made && made - said < 80 + made / 50, "{said} {made}");
}

#[test]
fn a_province_can_be_made_before_its_first_month_is_over() {
    let province = Province::new(1, 0.01, schedule::local(schedule::date(2025, 7, 20), 600).to_utc());
    assert!(all(&province).iter().all(|(_, submission)| submission.form.as_deref() != Some("branch_meeting")));
}
