//! Pull when what somebody may see changes: grants given, ended and bounded by dates, other roles, units that move, records
//! that go elsewhere. The phone gets the difference, and nothing is delivered after a grant has ended.

use chrono::TimeDelta;
use muong_domain::access::Role;
use muong_tests::builders::{MEETING, PERSON, meeting, person};
use muong_tests::client::{text, uuid};
use muong_tests::phone::{kinds, messages};
use muong_tests::province::{
    ADMIN, COMMUNE, DEPARTMENT, HUOI_SANG, MUONG_CHA, MUONG_NHE, NA_LONG, NEIGHBOUR, OTHER_COMMUNE, PHIENG_SANG,
    SECRETARY, STRANGER,
};
use muong_tests::{Phone, Reporter, TestApp, on_both};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

on_both!(
    a_grant_brings_what_its_unit_holds_and_takes_it_along_when_it_ends,
    a_grant_begins_and_ends_by_its_dates_without_anybody_doing_anything,
    who_sees_less_of_a_unit_keeps_only_that,
    a_unit_that_moves_takes_what_it_holds_along,
    a_unit_renamed_from_a_coming_day_is_told_on_that_day,
    units_that_turn_on_the_same_day_are_told_page_by_page_and_each_once,
    a_record_that_has_gone_to_another_unit_is_purged_or_seen_there,
    scopes_that_change_in_the_middle_of_a_bootstrap_end_as_they_are,
    what_is_lost_in_the_middle_of_a_bootstrap_and_comes_back_is_not_missed,
    nothing_is_delivered_after_a_grant_has_ended_however_the_phone_asks,
    a_cursor_stays_short_whatever_its_user_may_see,
);

fn reported(app: &TestApp, login: &str, unit: Uuid) -> Uuid {
    uuid(&app.sign_in(login).reports_as("accepted", meeting(unit))["record"])
}

fn purged(told: &[Value]) -> BTreeSet<Uuid> {
    told.iter().filter(|message| message["t"] == "purge_scope").map(|message| uuid(&message["unit"])).collect()
}

fn a_grant_brings_what_its_unit_holds_and_takes_it_along_when_it_ends(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let (own, other) = (reported(app, SECRETARY, HUOI_SANG), reported(app, NEIGHBOUR, NA_LONG));
    let mut phone = Phone::default();
    phone.pulls(&secretary);
    let before = phone.clone();
    app.grant(SECRETARY, Role::Cadre, NA_LONG);
    let told = phone.pulls(&secretary);
    let kinds: Vec<&str> = kinds(&told);
    assert_eq!(kinds.len(), 3, "the grant, the unit, its meeting: {told:?}");
    assert!(["grant", "unit", MEETING].iter().all(|kind| kinds.contains(kind)), "{told:?}");
    assert!(phone.things().contains_key(&own) && phone.things().contains_key(&other));
    app.revoke(SECRETARY, Role::Cadre, NA_LONG);
    let told = phone.pulls(&secretary);
    assert_eq!(purged(&told), BTreeSet::from([NA_LONG]), "{told:?}");
    assert_eq!(phone.records(), before.records());
    let ended = phone.of_kind("grant").into_values().find(|grant| grant["unit"] == json!(NA_LONG));
    assert!(ended.expect("told of")["data"]["valid_to"].is_string());
}

fn a_grant_begins_and_ends_by_its_dates_without_anybody_doing_anything(app: &TestApp) {
    let (secretary, admin) = (app.sign_in(SECRETARY), app.sign_in(ADMIN));
    let other = reported(app, NEIGHBOUR, NA_LONG);
    let (from, to) = (app.now() + TimeDelta::seconds(60), app.now() + TimeDelta::seconds(120));
    let body = json!({"user": secretary.user, "role": "cadre", "unit": NA_LONG, "valid_from": from, "valid_to": to});
    let mut phone = Phone::default();
    phone.pulls(&secretary);
    admin.post("/v1/grants", &body).expect(201);
    let told = phone.pulls(&secretary);
    assert_eq!(kinds(&told), ["grant"], "it is told of, and covers nothing yet");
    app.pass(TimeDelta::seconds(59));
    assert_eq!(phone.pulls(&secretary), Vec::<Value>::new());
    app.pass(TimeDelta::seconds(1));
    let mut told = phone.pulls(&secretary);
    told.sort_by_key(|message| text(&message["kind"]).to_owned());
    assert_eq!(kinds(&told), [MEETING, "unit"], "precisely the difference");
    assert!(phone.things().contains_key(&other));
    assert_eq!(phone.pulls(&secretary), Vec::<Value>::new());
    app.pass(TimeDelta::seconds(60));
    let told = phone.pulls(&secretary);
    assert_eq!(told, [json!({"t": "purge_scope", "unit": NA_LONG})]);
    assert!(!phone.things().contains_key(&other));
    assert_eq!(phone.pulls(&secretary), Vec::<Value>::new());
}

fn who_sees_less_of_a_unit_keeps_only_that(app: &TestApp) {
    let (secretary, neighbour) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR));
    secretary.reports_as("accepted", meeting(HUOI_SANG));
    secretary.reports_as("accepted", person(HUOI_SANG, "Giàng A Vừ", "2001-04-12"));
    let mut phone = Phone::default();
    phone.pulls(&neighbour);
    app.grant(NEIGHBOUR, Role::Liaison, HUOI_SANG);
    phone.pulls(&neighbour);
    assert_eq!((phone.of_kind(MEETING).len(), phone.of_kind(PERSON).len()), (1, 0));
    app.pass(TimeDelta::seconds(1));
    app.grant(NEIGHBOUR, Role::Cadre, HUOI_SANG);
    phone.pulls(&neighbour);
    assert_eq!((phone.of_kind(MEETING).len(), phone.of_kind(PERSON).len()), (1, 1));
    app.pass(TimeDelta::seconds(1));
    app.revoke(NEIGHBOUR, Role::Cadre, HUOI_SANG);
    let told = phone.pulls(&neighbour);
    assert_eq!(purged(&told), BTreeSet::from([HUOI_SANG]));
    assert_eq!((phone.of_kind(MEETING).len(), phone.of_kind(PERSON).len()), (1, 0));
}

fn moves(admin: &Reporter, unit: Uuid, parent: Uuid) {
    admin.post(&format!("/v1/units/{unit}/move"), &json!({"parent": parent})).expect(200);
}

fn a_unit_that_moves_takes_what_it_holds_along(app: &TestApp) {
    let (commune, other, admin) = (app.sign_in(COMMUNE), app.sign_in(OTHER_COMMUNE), app.sign_in(ADMIN));
    let (moving, staying) = (reported(app, SECRETARY, HUOI_SANG), reported(app, NEIGHBOUR, NA_LONG));
    let there = reported(app, STRANGER, PHIENG_SANG);
    let (mut from, mut to) = (Phone::default(), Phone::default());
    from.pulls(&commune);
    to.pulls(&other);
    moves(&admin, HUOI_SANG, MUONG_CHA);
    let told = from.pulls(&commune);
    assert_eq!(told, [json!({"t": "purge_scope", "unit": HUOI_SANG})], "the rest stays as it is");
    let told = to.pulls(&other);
    assert!(told.iter().any(|message| message["id"] == json!(moving)), "{told:?}");
    assert!(told.iter().all(|message| message["unit"] == json!(HUOI_SANG)), "nothing but the unit: {told:?}");
    assert!(from.things().contains_key(&staying) && to.things().contains_key(&there));
    for (phone, who) in [(&mut from, &commune), (&mut to, &other)] {
        assert_eq!(phone.pulls(who), Vec::<Value>::new());
        let mut new = Phone::default();
        new.pulls(who);
        assert_eq!(new.things(), phone.things());
    }
}

fn a_unit_renamed_from_a_coming_day_is_told_on_that_day(app: &TestApp) {
    let (commune, other, admin) = (app.sign_in(COMMUNE), app.sign_in(OTHER_COMMUNE), app.sign_in(ADMIN));
    let (mut phone, mut elsewhere) = (Phone::default(), Phone::default());
    phone.pulls(&commune);
    let renamed = json!({"name": "Chi bộ Huổi Sang mới", "on": "2026-03-12"});
    let unit = admin.post(&format!("/v1/units/{HUOI_SANG}/rename"), &renamed).expect(200);
    assert_eq!(kinds(&phone.pulls(&commune)), ["unit"], "it is told at once that it will be");
    elsewhere.pulls(&other);
    let known = |phone: &Phone| phone.of_kind("unit").remove(&HUOI_SANG).expect("the unit");
    let before = known(&phone);
    assert_eq!((&before["data"], &before["data"]["name"]), (&unit, &json!("Chi bộ bản Huổi Sang")));
    // The last second of the day before, in Hanoi; then the first of the day.
    app.set_clock("2026-03-11T16:59:59Z");
    [&commune, &other].iter().for_each(|who| who.renew());
    assert_eq!(phone.pulls(&commune), Vec::<Value>::new(), "a new day alone brings nothing");
    app.set_clock("2026-03-11T17:00:00Z");
    let told = phone.pulls(&commune);
    assert_eq!((kinds(&told), &told[0]["id"], &told[0]["v"]), (vec!["unit"], &json!(HUOI_SANG), &before["v"]));
    assert_eq!(known(&phone)["data"]["name"], "Chi bộ Huổi Sang mới");
    assert_eq!(known(&phone)["data"], commune.read(&format!("/v1/units/{HUOI_SANG}")));
    assert_eq!(phone.pulls(&commune), Vec::<Value>::new(), "once");
    assert_eq!(elsewhere.pulls(&other), Vec::<Value>::new(), "whom it does not concern");
    app.pass(TimeDelta::days(1));
    commune.renew();
    assert_eq!(phone.pulls(&commune), Vec::<Value>::new());
    // A clock that was wrong is put right: it is not that day yet.
    app.set_clock("2026-03-11T10:00:00Z");
    let again = app.sign_in(COMMUNE);
    assert_eq!(kinds(&phone.pulls(&again)), ["unit"]);
    assert_eq!(known(&phone)["data"]["name"], "Chi bộ bản Huổi Sang");
}

fn units_that_turn_on_the_same_day_are_told_page_by_page_and_each_once(app: &TestApp) {
    let (commune, admin) = (app.sign_in(COMMUNE), app.sign_in(ADMIN));
    let unit = |id: Uuid, what: &str, body: &Value| admin.post(&format!("/v1/units/{id}/{what}"), body).expect(200);
    unit(HUOI_SANG, "rename", &json!({"name": "Chi bộ Huổi Sang mới", "on": "2026-03-12"}));
    unit(NA_LONG, "dissolve", &json!({"on": "2026-03-12"}));
    let founded =
        json!({"parent": MUONG_NHE, "kind": "branch", "name": "Chi bộ trường học", "valid_from": "2026-03-12"});
    let founded = uuid(&admin.post("/v1/units", &founded).expect(201)["id"]);
    let mut phone = Phone::default();
    phone.pulls(&commune);
    let before = phone.of_kind("unit");
    let active = |phone: &Phone| {
        let units = phone.of_kind("unit");
        [HUOI_SANG, NA_LONG, founded].map(|unit| units[&unit]["data"]["active"].clone())
    };
    assert_eq!(active(&phone), [true, true, false].map(Value::from));
    app.set_clock("2026-03-13T02:00:00Z");
    commune.renew();
    let mut told = messages(&phone.pulls_a_page(&commune, 1)).to_vec();
    // A night passes in the middle.
    app.pass(TimeDelta::days(1));
    commune.renew();
    told.extend(phone.pulls_by(&commune, 1));
    let mut ids: Vec<Uuid> = told.iter().map(|message| uuid(&message["id"])).collect();
    ids.sort_unstable();
    let mut turned = vec![HUOI_SANG, NA_LONG, founded];
    turned.sort_unstable();
    assert_eq!(ids, turned, "{told:?}");
    assert!(told.iter().all(|message| message["v"] == before[&uuid(&message["id"])]["v"]), "{told:?}");
    assert_eq!(active(&phone), [true, false, true].map(Value::from));
    assert_eq!(phone.pulls(&commune), Vec::<Value>::new());
    let mut new = Phone::default();
    new.pulls(&commune);
    assert_eq!(new.things(), phone.things());
    let (mine, theirs) = phone.checks(&commune);
    assert_eq!(mine, theirs);
}

/// A reviewer of the province moves a record from one unit to another.
#[track_caller]
pub fn goes(app: &TestApp, record: Uuid, to: Uuid) {
    let reviewer = app.sign_in(DEPARTMENT);
    let body = json!({"unit": to, "reason": "Báo cáo nhầm chi bộ"});
    reviewer.post(&format!("/v1/records/{record}/move"), &body).expect(200);
}

fn a_record_that_has_gone_to_another_unit_is_purged_or_seen_there(app: &TestApp) {
    let logins = [SECRETARY, NEIGHBOUR, COMMUNE];
    let people = logins.map(|login| app.sign_in(login));
    let record = reported(app, SECRETARY, HUOI_SANG);
    let mut phones = logins.map(|_| Phone::default());
    for (phone, who) in phones.iter_mut().zip(&people) {
        phone.pulls(who);
    }
    goes(app, record, NA_LONG);
    let told: Vec<Vec<Value>> = phones.iter_mut().zip(&people).map(|(phone, who)| phone.pulls(who)).collect();
    assert_eq!(kinds(&told[0]), ["purge"], "{told:?}");
    assert_eq!(kinds(&told[1]), [MEETING], "{told:?}");
    let there = |message: &Value| message["t"] == "put" && message["unit"] == json!(NA_LONG);
    assert!(!told[2].is_empty() && told[2].iter().all(there), "{told:?}");
    let has = phones.each_ref().map(|phone| phone.things().contains_key(&record));
    assert_eq!(has, [false, true, true]);
    goes(app, record, HUOI_SANG);
    for (phone, who) in phones.iter_mut().zip(&people) {
        phone.pulls(who);
    }
    assert_eq!(phones.each_ref().map(|phone| phone.things().contains_key(&record)), [true, false, true]);
    for (phone, who) in phones.iter().zip(&people) {
        let mut new = Phone::default();
        new.pulls(who);
        assert_eq!(new.things(), phone.things());
    }
}

fn scopes_that_change_in_the_middle_of_a_bootstrap_end_as_they_are(app: &TestApp) {
    let (commune, admin) = (app.sign_in(COMMUNE), app.sign_in(ADMIN));
    for (login, unit) in [(SECRETARY, HUOI_SANG), (NEIGHBOUR, NA_LONG), (STRANGER, PHIENG_SANG)] {
        reported(app, login, unit);
    }
    let mut whole = Phone::default();
    let pages = whole.pulls(&commune).len();
    for stop in 0..pages {
        let mut phone = Phone::default();
        for _ in 0..=stop {
            phone.pulls_a_page(&commune, 1);
        }
        app.pass(TimeDelta::days(1));
        [&commune, &admin].iter().for_each(|who| who.renew());
        match stop % 4 {
            0 => app.grant(COMMUNE, Role::CommuneReviewer, PHIENG_SANG),
            1 => moves(&admin, HUOI_SANG, MUONG_CHA),
            2 => app.revoke(COMMUNE, Role::CommuneReviewer, PHIENG_SANG),
            _ => moves(&admin, HUOI_SANG, MUONG_NHE),
        }
        phone.pulls_by(&commune, 1);
        whole.pulls(&commune);
        let mut new = Phone::default();
        new.pulls(&commune);
        assert_eq!(phone.things(), new.things(), "stopped after {stop}");
        assert_eq!(whole.things(), new.things(), "followed, at {stop}");
    }
}

/// Something that can end and come back.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// A grant.
    Whole(Uuid),
    /// Of two grants over a unit, the one that shows more.
    Persons(Uuid),
    /// A unit below one that is granted.
    Below,
}

impl Part {
    fn ends(self, app: &TestApp, login: &str) {
        match self {
            Self::Whole(unit) | Self::Persons(unit) => app.revoke(login, Role::Cadre, unit),
            Self::Below => moves(&app.sign_in(ADMIN), HUOI_SANG, MUONG_CHA),
        }
    }

    fn comes_back(self, app: &TestApp, login: &str) {
        match self {
            Self::Whole(unit) | Self::Persons(unit) => app.grant(login, Role::Cadre, unit),
            Self::Below => {
                // A unit stands for a day at least where it stands.
                app.pass(TimeDelta::days(1));
                moves(&app.sign_in(ADMIN), HUOI_SANG, MUONG_NHE);
                app.pass(TimeDelta::days(1));
            }
        }
    }
}

/// Pulls so many pages of one message before a part is lost, and after each such step; then all the rest.
fn loses_and_gets_back(app: &TestApp, login: &str, parts: &[Part], steps: (usize, usize)) {
    let mut phone = Phone::default();
    let who = app.sign_in(login);
    let pulls = |phone: &mut Phone, pages| (0..pages).for_each(|_| drop(phone.pulls_a_page(&who, 1)));
    pulls(&mut phone, steps.0);
    for part in parts {
        app.pass(TimeDelta::seconds(1));
        part.ends(app, login);
        who.renew();
        pulls(&mut phone, steps.1);
        app.pass(TimeDelta::seconds(1));
        part.comes_back(app, login);
        who.renew();
        pulls(&mut phone, 1);
    }
    phone.pulls_by(&who, 1);
    let mut new = Phone::default();
    new.pulls(&who);
    assert_eq!(phone.things(), new.things(), "{parts:?} {steps:?}");
    assert_eq!(phone.pulls(&who), Vec::<Value>::new(), "{parts:?} {steps:?}");
}

fn what_is_lost_in_the_middle_of_a_bootstrap_and_comes_back_is_not_missed(app: &TestApp) {
    for (login, unit) in [(SECRETARY, HUOI_SANG), (NEIGHBOUR, NA_LONG)] {
        reported(app, login, unit);
        app.sign_in(login).reports_as("accepted", person(unit, "Giàng A Vừ", "2001-04-12"));
    }
    app.grant(SECRETARY, Role::Cadre, NA_LONG);
    let all: Vec<Part> = vec![Part::Whole(HUOI_SANG), Part::Whole(NA_LONG)];
    let lost: [&[Part]; 4] = [&all[..1], &all[1..], &all, &[all[0], all[1], all[0]]];
    // The first messages are the forms and the units above.
    for before in 4..11 {
        lost.iter().for_each(|parts| loses_and_gets_back(app, SECRETARY, parts, (before, 1)));
    }
    app.grant(SECRETARY, Role::Liaison, HUOI_SANG);
    for before in [5, 7, 9] {
        loses_and_gets_back(app, SECRETARY, &[Part::Persons(HUOI_SANG)], (before, 1));
        loses_and_gets_back(app, SECRETARY, &[Part::Persons(HUOI_SANG), Part::Whole(NA_LONG)], (before, 2));
        loses_and_gets_back(app, COMMUNE, &[Part::Below], (before, 1));
    }
}

fn nothing_is_delivered_after_a_grant_has_ended_however_the_phone_asks(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let records: Vec<Uuid> = (1..=3)
        .map(|month| {
            let said = meeting(HUOI_SANG).to("period", format!("2026-{month:02}"));
            let said = said.to("held_on", format!("2026-{month:02}-05"));
            uuid(&secretary.reports_as("accepted", said)["record"])
        })
        .collect();
    let mut states = vec![Phone::default()];
    for _ in 0..8 {
        let mut phone = states[states.len() - 1].clone();
        phone.pulls_a_page(&secretary, 1);
        states.push(phone);
    }
    app.revoke(SECRETARY, Role::Cadre, HUOI_SANG);
    for mut phone in states {
        let told = phone.pulls_by(&secretary, 1);
        assert!(told.iter().all(|message| !records.iter().any(|id| message["id"] == json!(id))), "{told:?}");
        assert!(phone.records().is_empty());
        assert_eq!(phone.of_kind("unit").len(), 0);
    }
}

fn a_cursor_stays_short_whatever_its_user_may_see(app: &TestApp) {
    let admin = app.sign_in(ADMIN);
    for number in 0..40 {
        let unit = json!({"parent": MUONG_CHA, "kind": "branch", "name": format!("Chi bộ {number}"), "valid_from": "2026-01-01"});
        let unit = uuid(&admin.post("/v1/units", &unit).expect(201)["id"]);
        app.grant(SECRETARY, Role::Cadre, unit);
    }
    let secretary = app.sign_in(SECRETARY);
    secretary.reports_as("accepted", meeting(HUOI_SANG));
    let mut phone = Phone::default();
    loop {
        let page = phone.pulls_a_page(&secretary, 1);
        assert!(text(&page["cursor"]).len() <= 256, "{}", page["cursor"]);
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(phone.of_kind("unit").len(), 43 + 1, "40, one's own, its commune, the other commune, the province");
}
