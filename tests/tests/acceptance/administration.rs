//! Administration: users, grants and units, each within what somebody administers and never beyond; dated, logged, and
//! without a look at the content of records. The access matrix asks every operation; here is what follows from them.

use chrono::TimeDelta;
use muong_domain::access::Role;
use muong_domain::text::search_key;
use muong_tests::builders::meeting;
use muong_tests::client::{codes, text, uuid};
use muong_tests::database::{number, texts};
use muong_tests::province::{
    ADMIN, BAN_HUOI_SANG, COMMUNE, DEPARTMENT, HUOI_SANG, MUONG_CHA, MUONG_NHE, NA_LONG, NEIGHBOUR, NOBODY, NOWHERE,
    PASSWORD, PHIENG_SANG, PROVINCE, SECRETARY, STRANGER, TINH, XA_MUONG_NHE, user_id,
};
use muong_tests::{Answer, Reporter, TestApp, on_both, rebuilds_the_same_store};
use serde_json::{Value, json};
use uuid::Uuid;

on_both!(
    a_list_of_users_holds_those_of_the_subtree_and_tells_of_no_others,
    lists_go_on_where_their_page_ends_in_either_order,
    what_was_added_is_listed_from_either_end,
    what_lies_elsewhere_is_answered_like_what_does_not_exist,
    a_user_is_added_with_a_grant_and_signs_in_with_the_password_that_was_made,
    a_user_is_disabled_and_enabled_and_given_another_password,
    nobody_administers_themselves,
    whoever_holds_something_elsewhere_is_seen_but_not_changed,
    an_administrator_of_a_commune_gives_what_is_theirs_to_give,
    a_grant_is_dated_and_ends_once,
    an_administrator_holds_no_other_role,
    a_unit_is_founded_renamed_moved_and_dissolved_without_rewriting_what_it_was,
    a_move_counts_for_access_at_once,
    a_code_and_a_covered_village_are_dated,
    the_log_alone_rebuilds_the_trees,
    every_change_is_in_the_log_with_who_did_it_and_no_name,
    a_table_is_checked_line_by_line_and_imported_as_a_whole_or_not_at_all,
    a_table_is_imported_within_what_one_administers,
    a_question_that_makes_no_sense_is_refused,
);

/// Whoever administers Mường Nhé, and nothing else.
fn commune_admin(app: &TestApp) -> Reporter {
    app.grant(NOBODY, Role::Admin, MUONG_NHE);
    app.sign_in(NOBODY)
}

fn logins(list: &Value) -> Vec<&str> {
    list["items"].as_array().expect("items").iter().map(|user| text(&user["username"])).collect()
}

fn add(who: &Reporter, username: &str, role: &str, unit: Uuid) -> Answer {
    let body = json!({"username": username, "display_name": "Vừ A Chá", "grants": [{"role": role, "unit": unit}]});
    who.post("/v1/users", &body)
}

fn give(who: &Reporter, user: Uuid, role: &str, unit: Uuid) -> Answer {
    who.post("/v1/grants", &json!({"user": user, "role": role, "unit": unit}))
}

/// An answer without what differs from request to request.
fn bare(answer: &Answer) -> (u16, Value) {
    let mut body = answer.json();
    body["request_id"] = Value::Null;
    (answer.status, body)
}

fn a_list_of_users_holds_those_of_the_subtree_and_tells_of_no_others(app: &TestApp) {
    let (admin, commune) = (app.sign_in(ADMIN), commune_admin(app));
    let all = admin.read("/v1/users?sort=username");
    assert_eq!(
        logins(&all),
        [
            "admin",
            "auditor",
            "commune",
            "department",
            "neighbour",
            "nobody",
            "officer",
            "other.commune",
            "secretary",
            "stranger"
        ]
    );
    let some = commune.read("/v1/users?sort=username");
    assert_eq!(logins(&some), ["commune", "neighbour", "nobody", "officer", "secretary"]);
    assert_eq!(some["next"], Value::Null);
    // What the commune's secretary gets elsewhere is not told.
    app.grant(SECRETARY, Role::Cadre, PHIENG_SANG);
    let seen = commune.read(&format!("/v1/users/{}", user_id(SECRETARY)));
    let units: Vec<Uuid> =
        seen["grants"].as_array().expect("grants").iter().map(|grant| uuid(&grant["unit"])).collect();
    assert_eq!(units, [HUOI_SANG]);
    assert_eq!(logins(&commune.read(&format!("/v1/users?below={MUONG_CHA}"))), Vec::<&str>::new());
    assert_eq!(logins(&commune.read(&format!("/v1/users?below={PROVINCE}&sort=username"))), logins(&some));
    assert_eq!(logins(&commune.read("/v1/users?name=stranger")), Vec::<&str>::new());
    assert_eq!(logins(&commune.read("/v1/users?role=cadre&sort=username")), ["neighbour", "secretary"]);
    let grants = commune.read("/v1/grants?limit=500");
    let inside = [MUONG_NHE, HUOI_SANG, NA_LONG];
    let seen = grants["items"].as_array().expect("items");
    assert_eq!(seen.len(), 5, "{grants}");
    assert!(seen.iter().all(|grant| inside.contains(&uuid(&grant["unit"]))), "{grants}");
    let elsewhere = commune.read(&format!("/v1/grants?user={}", user_id(STRANGER)));
    assert_eq!(elsewhere["items"], json!([]));
}

fn items(who: &Reporter, path: &str) -> Vec<Value> {
    who.read(path)["items"].as_array().expect("items").clone()
}

/// Page by page.
fn gathered(who: &Reporter, path: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = who.read(&format!("{path}&limit=3{cursor}"));
        found.extend(page["items"].as_array().expect("items").clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn lists_go_on_where_their_page_ends_in_either_order(app: &TestApp) {
    let admin = app.sign_in(ADMIN);
    for path in
        ["/v1/users?sort=username", "/v1/users?name=s", "/v1/grants?state=holds", "/v1/units?sort=name", "/v1/units?"]
    {
        let found = gathered(&admin, path);
        assert_eq!(found, items(&admin, &format!("{path}&limit=500")), "{path}");
        assert!(found.len() > if path.contains("name=s") { 1 } else { 6 }, "{path}");
    }
    let named = gathered(&admin, "/v1/units?sort=name");
    let keys: Vec<String> = named.iter().map(|unit| search_key(text(&unit["name"]))).collect();
    assert!(keys.is_sorted() && named.len() == items(&admin, "/v1/units?limit=500").len(), "{keys:?}");
    let next = admin.read("/v1/users?sort=username&limit=3")["next"].clone();
    admin.get(&format!("/v1/users?sort=added&cursor={}", text(&next))).problem(400, "request.cursor_invalid");
}

fn what_was_added_is_listed_from_either_end(app: &TestApp) {
    let admin = app.sign_in(ADMIN);
    for _ in 0..5 {
        app.sign_in(SECRETARY);
    }
    let secretary = user_id(SECRETARY);
    let (devices, sessions) = (format!("/v1/devices?user={secretary}"), format!("/v1/sessions?user={secretary}"));
    for list in ["/v1/users?disabled=false", "/v1/users?name=s", "/v1/grants?state=holds", &devices, &sessions] {
        let (added, newest) = (format!("{list}&sort=added"), format!("{list}&sort=newest"));
        let mut from_the_newest = gathered(&admin, &newest);
        assert_eq!(from_the_newest, items(&admin, &newest), "{list}");
        from_the_newest.reverse();
        assert_eq!(from_the_newest, items(&admin, &added), "{list}");
        assert_eq!(from_the_newest, gathered(&admin, &added), "{list}");
        assert!(from_the_newest.len() >= if list.contains("name=s") { 2 } else { 5 }, "{list}");
    }
    admin.get("/v1/grants?sort=role").problem(400, "request.query_invalid");
}

fn what_lies_elsewhere_is_answered_like_what_does_not_exist(app: &TestApp) {
    let (commune, admin) = (commune_admin(app), app.sign_in(ADMIN));
    let stranger = user_id(STRANGER);
    let grant = admin.read(&format!("/v1/grants?user={stranger}"))["items"][0]["id"].clone();
    let nothing = muong_tests::id();
    let ask = |user: Uuid, unit: Uuid, grant: &str| {
        let rename = json!({"name": "Tên khác"});
        let found = json!({"parent": unit, "kind": "branch", "name": "x", "valid_from": "2026-03-01"});
        [
            commune.get(&format!("/v1/users/{user}")),
            commune.post(&format!("/v1/users/{user}/disable"), &json!({})),
            commune.post(&format!("/v1/users/{user}/password"), &json!({})),
            commune.get(&format!("/v1/devices?user={user}")),
            give(&commune, user, "cadre", HUOI_SANG),
            give(&commune, user_id(SECRETARY), "cadre", unit),
            commune.post(&format!("/v1/grants/{grant}/end"), &json!({})),
            commune.post(&format!("/v1/units/{unit}/rename"), &rename),
            commune.post("/v1/units", &found),
            commune.get(&format!("/v1/units/{unit}/coverage")),
            commune.get(&format!("/v1/users?below={unit}")),
            commune.get(&format!("/v1/grants?below={unit}&user={user}")),
        ]
        .map(|answer| bare(&answer))
    };
    assert_eq!(ask(stranger, PHIENG_SANG, text(&grant)), ask(nothing, NOWHERE, &nothing.to_string()));
}

fn a_user_is_added_with_a_grant_and_signs_in_with_the_password_that_was_made(app: &TestApp) {
    let commune = commune_admin(app);
    let added = add(&commune, " Vu.A.Cha ", "cadre", NA_LONG).expect(201);
    assert_eq!((&added["user"]["username"], &added["user"]["grants"][0]["holds"]), (&json!("vu.a.cha"), &json!(true)));
    let body = json!({"username": "vu.a.cha", "password": added["password"], "device": {"name": "Máy thử"}});
    let signed_in = app.anonymous().post("/v1/auth/sign-in", &body).expect(200);
    assert_eq!(signed_in["user"]["id"], added["user"]["id"]);
    add(&commune, "vu.a.cha", "cadre", NA_LONG).problem(422, "user.name_taken");
    let without = json!({"username": "lo.thi", "display_name": "Lò Thị", "password": PASSWORD});
    let problem = commune.post("/v1/users", &without).problem(422, "user.grant_required");
    assert_eq!(problem["errors"][0]["pointer"], "/grants");
    let given = app.sign_in(ADMIN).post("/v1/users", &without).expect(201);
    assert_eq!((&given["password"], &given["user"]["grants"]), (&Value::Null, &json!([])));
    commune.get(&format!("/v1/users/{}", text(&given["user"]["id"]))).problem(404, "access.not_found");
    for (field, value, code) in [
        ("username", "Vừ A Chá", "user.name_invalid"),
        ("display_name", "a\u{7}b", "user.label_invalid"),
        ("password", "ngắn", "auth.password_too_short"),
    ] {
        let mut body = json!({"username": "x.y", "display_name": "X", "grants": [{"role": "cadre", "unit": NA_LONG}]});
        body[field] = json!(value);
        let problem = commune.post("/v1/users", &body).problem(422, code);
        assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"));
    }
    app.sign_in(SECRETARY).post("/v1/users", &without).problem(403, "access.forbidden");
}

fn a_user_is_disabled_and_enabled_and_given_another_password(app: &TestApp) {
    let (commune, secretary) = (commune_admin(app), app.sign_in(SECRETARY));
    let path = |what: &str| format!("/v1/users/{}/{what}", user_id(SECRETARY));
    for _ in 0..2 {
        commune.post(&path("disable"), &json!({})).expect(204);
    }
    secretary.get("/v1/me").problem(403, "auth.user_disabled");
    assert_eq!(logins(&commune.read("/v1/users?disabled=true")), [SECRETARY]);
    commune.post(&path("enable"), &json!({})).expect(204);
    assert_eq!(commune.read("/v1/users?disabled=true")["items"], json!([]));
    let again = app.sign_in(SECRETARY);
    let set = commune.post(&path("password"), &json!({})).expect(200);
    again.get("/v1/me").problem(401, "auth.session_ended");
    let sign_in = |password: &str| {
        let body = json!({"username": SECRETARY, "password": password, "device": {"name": "Máy thử"}});
        app.anonymous().post("/v1/auth/sign-in", &body).status
    };
    assert_eq!((sign_in(PASSWORD), sign_in(text(&set["password"]))), (401, 200));
    commune.post(&path("password"), &json!({"password": "ngắn"})).problem(422, "auth.password_too_short");
    commune.post(&path("totp/remove"), &json!({})).expect(204);
    let disabled = number(&mut app.database().connect(), "SELECT count(*) AS n FROM log WHERE outcome = 'disabled'");
    assert_eq!(disabled, 1, "what is so already is no change");
}

fn nobody_administers_themselves(app: &TestApp) {
    let admin = app.sign_in(ADMIN);
    let own = admin.read(&format!("/v1/grants?user={}", admin.user))["items"][0]["id"].clone();
    for what in ["disable", "enable", "password", "totp/remove"] {
        let answer = admin.post(&format!("/v1/users/{}/{what}", admin.user), &json!({}));
        answer.problem(403, "access.own_account");
    }
    admin.post(&format!("/v1/grants/{}/end", text(&own)), &json!({})).problem(403, "access.own_account");
    let later = json!({"user": admin.user, "role": "cadre", "unit": HUOI_SANG, "valid_from": "2030-01-01T00:00:00Z"});
    admin.post("/v1/grants", &later).problem(403, "access.own_account");
}

fn whoever_holds_something_elsewhere_is_seen_but_not_changed(app: &TestApp) {
    let commune = commune_admin(app);
    let path = format!("/v1/users/{}/password", user_id(NEIGHBOUR));
    commune.post(&path, &json!({})).expect(200);
    app.grant(NEIGHBOUR, Role::Cadre, PHIENG_SANG);
    commune.get(&format!("/v1/users/{}", user_id(NEIGHBOUR))).expect(200);
    commune.post(&path, &json!({})).problem(403, "access.forbidden");
    commune.get(&format!("/v1/sessions?user={}", user_id(NEIGHBOUR))).problem(403, "access.forbidden");
    app.pass(TimeDelta::seconds(1));
    app.revoke(NEIGHBOUR, Role::Cadre, PHIENG_SANG);
    commune.post(&path, &json!({})).expect(200);
    // Nor is another administrator, or an auditor, of the same place.
    app.grant(SECRETARY, Role::Auditor, HUOI_SANG);
    commune.post(&format!("/v1/users/{}/disable", user_id(SECRETARY)), &json!({})).problem(403, "access.forbidden");
}

fn an_administrator_of_a_commune_gives_what_is_theirs_to_give(app: &TestApp) {
    let (commune, admin) = (commune_admin(app), app.sign_in(ADMIN));
    let secretary = user_id(SECRETARY);
    give(&commune, secretary, "commune_reviewer", MUONG_NHE).expect(201);
    for role in ["admin", "auditor", "provincial_reviewer"] {
        let problem = give(&commune, secretary, role, HUOI_SANG).problem(403, "access.role_above");
        assert_eq!(problem["errors"][0]["pointer"], "/role");
        add(&commune, "x.y", role, HUOI_SANG).problem(403, "access.role_above");
    }
    let given = give(&admin, secretary, "auditor", HUOI_SANG).expect(201);
    commune.post(&format!("/v1/grants/{}/end", text(&given["id"])), &json!({})).problem(403, "access.role_above");
    give(&commune, secretary, "king", HUOI_SANG).problem(422, "grant.role_unknown");
    give(&admin, user_id(NOBODY), "cadre", HUOI_SANG).problem(422, "grant.role_excluded");
}

fn a_grant_is_dated_and_ends_once(app: &TestApp) {
    let admin = app.sign_in(ADMIN);
    let user = user_id(DEPARTMENT);
    let body = |from: &str, to: &str| json!({"user": user, "role": "liaison", "unit": HUOI_SANG, "valid_from": from, "valid_to": to});
    let problem = admin.post("/v1/grants", &body("2026-03-09T02:10:59Z", "2026-04-01T00:00:00Z"));
    assert_eq!(problem.problem(422, "grant.begins_in_past")["errors"][0]["pointer"], "/valid_from");
    admin.post("/v1/grants", &body("2026-04-01T00:00:00Z", "2026-04-01T00:00:00Z")).problem(422, "grant.period_empty");
    let given = admin.post("/v1/grants", &body("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z")).expect(201);
    assert_eq!(given["holds"], false);
    admin.post("/v1/grants", &body("2026-04-20T00:00:00Z", "2026-06-01T00:00:00Z")).problem(422, "grant.already_held");
    let in_state = |state: &str| {
        let list = admin.read(&format!("/v1/grants?user={user}&role=liaison&state={state}"));
        list["items"].as_array().map(Vec::len)
    };
    assert_eq!((in_state("future"), in_state("holds"), in_state("ended")), (Some(1), Some(0), Some(0)));
    let end = |to: Value| admin.post(&format!("/v1/grants/{}/end", text(&given["id"])), &json!({"valid_to": to}));
    end(json!("2026-05-02T00:00:00Z")).problem(422, "grant.not_held");
    let ended = end(json!("2026-04-10T00:00:00Z")).expect(200);
    assert_eq!(ended["valid_to"], "2026-04-10T00:00:00Z");
    assert_eq!(end(Value::Null).expect(200)["valid_to"], "2026-04-01T00:00:00Z", "it never begins");
    end(Value::Null).problem(422, "grant.not_held");
    assert_eq!((in_state("future"), in_state("holds"), in_state("ended")), (Some(0), Some(0), Some(1)));
}

fn an_administrator_holds_no_other_role(app: &TestApp) {
    let admin = app.sign_in(ADMIN);
    let problem = give(&admin, user_id(SECRETARY), "admin", PROVINCE).problem(422, "grant.role_excluded");
    assert_eq!(problem["errors"][0]["pointer"], "/role");
    let both = json!({"username": "x.y", "display_name": "X", "grants": [
        {"role": "admin", "unit": PROVINCE}, {"role": "cadre", "unit": HUOI_SANG}]});
    let problem = admin.post("/v1/users", &both).problem(422, "grant.role_excluded");
    assert_eq!(problem["errors"][0]["pointer"], "/grants/1/role");
    assert_eq!(logins(&admin.read("/v1/users?name=x.y")), Vec::<&str>::new(), "all or nothing");
}

fn a_unit_is_founded_renamed_moved_and_dissolved_without_rewriting_what_it_was(app: &TestApp) {
    let (commune, admin) = (commune_admin(app), app.sign_in(ADMIN));
    let new = json!({"parent": HUOI_SANG, "kind": "party_group", "name": "Tổ đảng 1", "valid_from": "2026-01-01"});
    let unit = text(&commune.post("/v1/units", &new).expect(201)["id"]).to_owned();
    let act = |who: &Reporter, what: &str, body: Value| who.post(&format!("/v1/units/{unit}/{what}"), &body);
    let renamed = act(&commune, "rename", json!({"name": "Tổ đảng số 1", "on": "2026-02-01"})).expect(200);
    let names: Vec<_> =
        renamed["versions"].as_array().expect("versions").iter().map(|v| (&v["name"], &v["valid_to"])).collect();
    assert_eq!(names, [(&json!("Tổ đảng 1"), &json!("2026-02-01")), (&json!("Tổ đảng số 1"), &Value::Null)]);
    let early = act(&commune, "rename", json!({"name": "x", "on": "2026-01-15"})).problem(422, "unit.too_early");
    assert_eq!(early["errors"][0]["pointer"], "/on");
    act(&commune, "move", json!({"parent": PHIENG_SANG})).problem(422, "unit.unknown");
    act(&commune, "move", json!({"parent": NA_LONG, "on": "2027-01-01"})).problem(422, "unit.date_in_future");
    act(&admin, "move", json!({"parent": XA_MUONG_NHE})).problem(422, "unit.parent_of_other_tree");
    let moved = act(&commune, "move", json!({"parent": NA_LONG})).expect(200);
    assert_eq!(uuid(&moved["parent"]), NA_LONG);
    let above = format!("/v1/units/{NA_LONG}/dissolve");
    commune.post(&above, &json!({"on": "2026-04-01"})).problem(422, "unit.has_units_below");
    let gone = act(&commune, "dissolve", json!({"on": "2026-03-20"})).expect(200);
    assert_eq!((&gone["active"], &gone["versions"][2]["valid_to"]), (&json!(true), &json!("2026-03-20")));
    act(&commune, "rename", json!({"name": "x", "on": "2026-03-30"})).problem(422, "unit.dissolved");
    commune.post(&above, &json!({"on": "2026-04-01"})).expect(200);
    // The top of what somebody administers is seen, called by them, but not theirs to take away.
    commune.post(&format!("/v1/units/{MUONG_NHE}/dissolve"), &json!({})).problem(403, "access.forbidden");
    commune
        .post(&format!("/v1/units/{MUONG_NHE}/move"), &json!({"parent": MUONG_CHA}))
        .problem(403, "access.forbidden");
    commune.post(&format!("/v1/units/{PROVINCE}/rename"), &json!({"name": "x"})).problem(403, "access.forbidden");
}

fn a_move_counts_for_access_at_once(app: &TestApp) {
    let (admin, secretary, commune) = (app.sign_in(ADMIN), app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let record = uuid(&secretary.reports_as("accepted", meeting(HUOI_SANG))["record"]);
    commune.get(&format!("/v1/records/{record}")).expect(200);
    admin.post(&format!("/v1/units/{HUOI_SANG}/move"), &json!({"parent": MUONG_CHA})).expect(200);
    commune.get(&format!("/v1/records/{record}")).problem(404, "access.not_found");
    app.sign_in("other.commune").get(&format!("/v1/records/{record}")).expect(200);
    secretary.get(&format!("/v1/records/{record}")).expect(200);
}

fn a_code_and_a_covered_village_are_dated(app: &TestApp) {
    let admin = app.sign_in(ADMIN);
    let code = |unit: Uuid, code: Value, on: &str| {
        admin.post(&format!("/v1/units/{unit}/codes"), &json!({"scheme": "tw", "code": code, "on": on}))
    };
    code(HUOI_SANG, json!("01"), "2026-01-01").expect(200);
    code(NA_LONG, json!("01"), "2026-02-01").problem(422, "unit.code_taken");
    let second = code(HUOI_SANG, json!("02"), "2026-02-01").expect(200);
    assert_eq!(second["codes"].as_array().map(Vec::len), Some(2), "{second}");
    code(NA_LONG, json!("01"), "2026-02-01").expect(200);
    code(HUOI_SANG, Value::Null, "2026-03-01").expect(200);
    code(HUOI_SANG, Value::Null, "2026-03-01").problem(422, "unit.unchanged");
    code(HUOI_SANG, json!("=1+1"), "2026-03-02").problem(422, "unit.code_unfit");
    let cover = |unit: Uuid, village: Uuid, covers: bool, on: &str| {
        admin.post(&format!("/v1/units/{unit}/coverage"), &json!({"village": village, "covers": covers, "on": on}))
    };
    cover(HUOI_SANG, BAN_HUOI_SANG, true, "2026-03-01").problem(422, "unit.unchanged");
    cover(NA_LONG, BAN_HUOI_SANG, true, "2026-03-01").expect(204);
    cover(HUOI_SANG, BAN_HUOI_SANG, false, "2026-03-01").expect(204);
    cover(HUOI_SANG, BAN_HUOI_SANG, true, "2026-02-01").problem(422, "unit.unchanged");
    cover(NA_LONG, XA_MUONG_NHE, true, "2026-03-01").problem(422, "unit.not_a_village");
    cover(MUONG_NHE, BAN_HUOI_SANG, true, "2026-03-01").problem(422, "unit.not_a_branch");
    let covered = admin.read(&format!("/v1/units/{HUOI_SANG}/coverage"));
    let expected = json!({"village": BAN_HUOI_SANG, "valid_from": "2025-07-01", "valid_to": "2026-03-01"});
    assert_eq!(covered["items"], json!([expected]));
    let found = |query: &str| {
        let page = admin.read(&format!("/v1/units/{HUOI_SANG}/coverage?{query}"));
        page["items"].as_array().map_or(0, Vec::len)
    };
    cover(HUOI_SANG, BAN_HUOI_SANG, true, "2026-04-01").expect(204);
    assert_eq!((found("on=2026-02-28"), found("on=2026-03-01"), found("on=2026-04-01")), (1, 0, 1));
    assert_eq!((found(&format!("village={BAN_HUOI_SANG}")), found(&format!("village={NA_LONG}"))), (2, 0));
    let down = format!("/v1/units/{HUOI_SANG}/coverage?sort=village_descending&limit=1");
    let first = admin.read(&down);
    let second = admin.read(&format!("{down}&cursor={}", text(&first["next"])));
    let days = [&first, &second].map(|page| page["items"][0]["valid_from"].clone());
    assert_eq!((days, &second["next"]), ([json!("2026-04-01"), json!("2025-07-01")], &Value::Null));
}

fn the_log_alone_rebuilds_the_trees(app: &TestApp) {
    a_code_and_a_covered_village_are_dated(app);
    let admin = app.sign_in(ADMIN);
    admin.post(&format!("/v1/units/{NA_LONG}/rename"), &json!({"name": "Chi bộ mới", "on": "2026-02-01"})).expect(200);
    admin.post(&format!("/v1/units/{HUOI_SANG}/move"), &json!({"parent": MUONG_CHA, "on": "2026-03-01"})).expect(200);
    admin.post(&format!("/v1/units/{NA_LONG}/dissolve"), &json!({"on": "2026-03-05"})).expect(200);
    let copy = rebuilds_the_same_store(&app.app().database, app.backend(), "trees");
    let closure = "SELECT count(*) AS n FROM unit_closure";
    assert_eq!(number(&mut copy.connect(), closure), number(&mut app.database().connect(), closure));
}

fn every_change_is_in_the_log_with_who_did_it_and_no_name(app: &TestApp) {
    let commune = commune_admin(app);
    let before = number(&mut app.database().connect(), "SELECT max(seq) AS n FROM log");
    add(&commune, "vu.a.cha", "cadre", NA_LONG).expect(201);
    let user = uuid(&commune.read("/v1/users?name=vu.")["items"][0]["id"]);
    for what in ["disable", "enable", "password"] {
        let answer = commune.post(&format!("/v1/users/{user}/{what}"), &json!({}));
        assert!(answer.status < 300, "{answer:?}");
    }
    commune.post(&format!("/v1/units/{NA_LONG}/rename"), &json!({"name": "Chi bộ mới"})).expect(200);
    let mut conn = app.database().connect();
    let said =
        texts(&mut conn, &format!("SELECT kind || ' ' || outcome AS name FROM log WHERE seq > {before} ORDER BY seq"));
    assert_eq!(
        said,
        ["user added", "grant given", "user disabled", "user enabled", "user password_changed", "unit renamed"]
    );
    let unsigned =
        format!("SELECT count(*) AS n FROM log WHERE seq > {before} AND (actor IS NULL OR grant_id IS NULL)");
    assert_eq!(number(&mut conn, &unsigned), 0);
    let named = "SELECT count(*) AS n FROM log WHERE command LIKE '%vu.a.cha%' OR command LIKE '%Vừ A%'";
    assert_eq!(number(&mut conn, named), 0);
}

fn import(who: &Reporter, query: &str, table: &str) -> Answer {
    let media = [("content-type", "text/csv; charset=utf-8")];
    who.client().post_bytes(&format!("/v1/users/import{query}"), table.as_bytes().to_vec(), &media)
}

fn a_table_is_checked_line_by_line_and_imported_as_a_whole_or_not_at_all(app: &TestApp) {
    let admin = app.sign_in(ADMIN);
    let wrong = "username,display_name,role,unit,valid_from,valid_to\n\
        vu.a.cha,Vừ A Chá,cadre,gso:03160,,\n\
        Vừ,=1+1,king,gso:99999,09/03/2026,\n\
        vu.a.cha,Vừ A Chá,cadre,gso:03160,2026-03-08,\n\
        secretary,Giàng A Dế,cadre,gso:03160,2026-04-01,2026-03-20\n";
    for query in ["?dry_run=true", ""] {
        let problem = import(&admin, query, wrong).problem(422, "import.faulty");
        let places: Vec<&str> =
            problem["errors"].as_array().expect("places").iter().map(|e| text(&e["pointer"])).collect();
        let expected = [
            "/3/username",
            "/3/display_name",
            "/3/role",
            "/3/unit",
            "/3/valid_from",
            "/4/username",
            "/4/valid_from",
            "/5/username",
            "/5/valid_to",
        ];
        assert_eq!(places, expected, "{problem}");
        assert_eq!(codes(&problem["errors"])[..2], ["user.name_invalid", "import.formula"]);
    }
    let right =
        "\u{feff}unit;username;display_name;role\r\ngso:03160;vu.a.cha;Vừ A Chá;cadre\r\n;lo.thi;Lò Thị Inh;\r\n";
    let dry = import(&admin, "?dry_run=true", right).expect(200);
    let expected = json!({"line": 2, "username": "vu.a.cha", "user": null, "password": null});
    assert_eq!((&dry["dry_run"], &dry["users"][0]), (&json!(true), &expected));
    assert_eq!(logins(&admin.read("/v1/users?name=vu.")), Vec::<&str>::new(), "nothing was done");
    let done = import(&admin, "", right).expect(201);
    assert_eq!(done["users"].as_array().map(Vec::len), Some(2));
    let body = json!({"username": "vu.a.cha", "password": done["users"][0]["password"], "device": {"name": "x"}});
    let signed_in = app.anonymous().post("/v1/auth/sign-in", &body).expect(200);
    assert_eq!(signed_in["user"]["id"], done["users"][0]["user"]);
    assert_eq!(admin.read("/v1/users?name=vu.")["items"][0]["grants"][0]["unit"], json!(XA_MUONG_NHE));
    import(&admin, "", right).problem(422, "import.faulty");
    admin.post("/v1/users/import", &json!({})).problem(415, "request.unsupported_media");
    import(&admin, "", "").problem(422, "import.faulty");
    import(&admin, "?dry_run=maybe", right).problem(400, "request.query_invalid");
}

fn a_table_is_imported_within_what_one_administers(app: &TestApp) {
    let commune = commune_admin(app);
    let line = |grant: &str| format!("username,display_name,role,unit\nvu.a.cha,Vừ A Chá,{grant}\n");
    let refused = |grant: &str| {
        let problem = import(&commune, "", &line(grant)).problem(422, "import.faulty");
        let at = |part: &str| text(&problem["errors"][0][part]).to_owned();
        (at("pointer"), at("code"))
    };
    let (unit, unknown) = ("/2/unit".to_owned(), "unit.unknown".to_owned());
    for elsewhere in [format!("cadre,{PHIENG_SANG}"), format!("cadre,{NOWHERE}"), "cadre,gso:03160".to_owned()] {
        assert_eq!(refused(&elsewhere), (unit.clone(), unknown.clone()), "{elsewhere}");
    }
    assert_eq!(refused(&format!("auditor,{NA_LONG}")), ("/2/role".to_owned(), "access.role_above".to_owned()));
    assert_eq!(refused(","), ("/2/role".to_owned(), "grant.role_unknown".to_owned()));
    import(&commune, "", &line(&format!("cadre,{NA_LONG}"))).expect(201);
    import(&app.sign_in(SECRETARY), "", &line("")).problem(403, "access.forbidden");
}

fn a_question_that_makes_no_sense_is_refused(app: &TestApp) {
    let admin = app.sign_in(ADMIN);
    for path in [
        "/v1/users?sort=colour",
        "/v1/users?role=king",
        "/v1/users?disabled=2",
        "/v1/users?below=x",
        "/v1/grants?state=dead",
        "/v1/grants?limit=0",
        &format!("/v1/units/{TINH}/coverage?x=1"),
        &format!("/v1/users/{}?x=1", admin.user),
    ] {
        admin.get(path).problem(400, "request.query_invalid");
    }
    admin.post("/v1/users", &json!({"username": "x.y", "rights": "all"})).problem(400, "request.malformed");
    admin.post(&format!("/v1/units/{HUOI_SANG}/rename"), &json!({"name": ""})).problem(422, "user.label_invalid");
    admin
        .post(&format!("/v1/units/{TINH}/rename"), &json!({"name": "x", "on": "2026-02-30"}))
        .problem(400, "request.malformed");
}
