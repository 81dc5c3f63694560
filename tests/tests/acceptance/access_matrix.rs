//! The access matrix: every operation of the OpenAPI document, asked by every role about a unit of its own, the unit
//! above, one beside it, one elsewhere, and by somebody whose grant over it has ended or has not begun. One line of
//! [`CASES`] an operation; the golden file shows how each was answered, the same on both databases.

use chrono::{Days, NaiveDate, TimeDelta};
use muong_domain::access::Role;
use muong_domain::account::{Label, Username};
use muong_domain::id::UnitId;
use muong_domain::unit::{Tree, Unit, UnitVersion};
use muong_server::reference::ReferenceCache;
use muong_server::usecases::found_units::{Founding, found_units};
use muong_store::grants::NewGrant;
use muong_store::users::NewUser;
use muong_store::{Outcome, grants, users};
use muong_tests::builders::{MEETING, meeting, person};
use muong_tests::client::{Answer, text, uuid};
use muong_tests::province::{
    BAN_HUOI_SANG, MUONG_CHA, MUONG_NHE, OPERATOR, PASSWORD, PROVINCE, TINH, commit, password_hash,
};
use muong_tests::{Backend, Reporter, Submission, TestApp, id};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use uuid::Uuid;

/// One way of asking for an operation: the operation, in which of several ways, and how.
type Case = (&'static str, &'static str, fn(&World, &Reporter, Uuid) -> Answer);

const WHY: &str = "Kiểm tra hồ sơ theo kế hoạch";

/// Every operation of the document. Whatever an answer uses up is made anew for each cell (`w.…`).
const CASES: &[Case] = &[
    ("get /healthz", "", |_, who, _| who.get("/healthz")),
    ("get /readyz", "", |_, who, _| who.get("/readyz")),
    ("get /openapi.json", "", |_, who, _| who.get("/openapi.json")),
    ("get /.well-known/jwks.json", "", |_, who, _| who.get("/.well-known/jwks.json")),
    ("post /v1/auth/sign-in", "", |w, who, _| w.sign_in_again(who)),
    ("post /v1/auth/refresh", "", |w, who, _| refresh(&w.again(who.user))),
    ("post /v1/auth/sign-out", "", |w, who, _| w.again(who.user).post("/v1/auth/sign-out", &json!({}))),
    ("get /v1/me", "", |_, who, _| who.get("/v1/me")),
    ("get /v1/me/can", "report", |_, who, u| who.get(&format!("/v1/me/can?action=report&unit={u}"))),
    ("get /v1/me/can", "administer", |_, who, u| who.get(&format!("/v1/me/can?action=administer&unit={u}"))),
    ("post /v1/me/password", "the present one is wrong", |w, who, _| {
        w.again(who.user)
            .post("/v1/me/password", &json!({"present": "không phải câu này", "new": "một câu khác cũng dài"}))
    }),
    ("get /v1/me/totp", "", |_, who, _| who.get("/v1/me/totp")),
    ("post /v1/me/totp", "the password is wrong", |w, who, _| {
        w.again(who.user).post("/v1/me/totp", &json!({"password": "không phải câu này"}))
    }),
    ("post /v1/me/totp/confirm", "not begun", |_, who, _| who.post("/v1/me/totp/confirm", &json!({"code": "000000"}))),
    ("post /v1/me/totp/remove", "not begun", |_, who, _| who.post("/v1/me/totp/remove", &json!({"code": "000000"}))),
    ("get /v1/devices", "one's own", |_, who, _| who.get("/v1/devices")),
    ("get /v1/devices", "of a cadre there", |w, who, u| who.get(&format!("/v1/devices?user={}", w.holder(u)))),
    ("post /v1/devices", "", |_, who, _| who.post("/v1/devices", &json!({"name": "Máy mới"}))),
    ("delete /v1/devices/{id}", "one's own", |w, who, _| {
        who.delete(&format!("/v1/devices/{}", w.again(who.user).device))
    }),
    ("delete /v1/devices/{id}", "of a cadre there", |w, who, u| {
        who.delete(&format!("/v1/devices/{}", w.again(w.holder(u)).device))
    }),
    ("get /v1/sessions", "one's own", |_, who, _| who.get("/v1/sessions")),
    ("get /v1/sessions", "of a cadre there", |w, who, u| who.get(&format!("/v1/sessions?user={}", w.holder(u)))),
    ("delete /v1/sessions/{id}", "of a cadre there", |w, who, u| {
        who.delete(&format!("/v1/sessions/{}", session(&w.again(w.holder(u)))))
    }),
    ("get /v1/units", "there and below", |_, who, u| who.get(&format!("/v1/units?below={u}"))),
    ("get /v1/units/{id}", "", |_, who, u| who.get(&format!("/v1/units/{u}"))),
    ("post /v1/units", "below it", |w, who, u| who.post("/v1/units", &new_unit(w, u))),
    ("post /v1/units/{id}/rename", "", |w, who, u| w.unit(who, u, "rename", json!({"name": "Tên khác"}))),
    ("post /v1/units/{id}/move", "to the unit above it", |w, who, u| {
        w.unit(who, u, "move", json!({"parent": MUONG_NHE}))
    }),
    ("post /v1/units/{id}/dissolve", "", |w, who, u| w.unit(who, u, "dissolve", json!({}))),
    ("post /v1/units/{id}/codes", "", |w, who, u| w.unit(who, u, "codes", json!({"scheme": "t", "code": w.code()}))),
    ("get /v1/units/{id}/coverage", "", |_, who, u| who.get(&format!("/v1/units/{u}/coverage"))),
    ("post /v1/units/{id}/coverage", "", |w, who, u| {
        w.unit(who, u, "coverage", json!({"village": BAN_HUOI_SANG, "covers": true}))
    }),
    ("get /v1/users", "there and below", |_, who, u| who.get(&format!("/v1/users?below={u}"))),
    ("get /v1/users/{id}", "a cadre there", |w, who, u| who.get(&format!("/v1/users/{}", w.holder(u)))),
    ("post /v1/users", "a cadre there", |w, who, u| who.post("/v1/users", &new_user(w, "cadre", u))),
    ("post /v1/users", "an administrator there", |w, who, u| who.post("/v1/users", &new_user(w, "admin", u))),
    ("post /v1/users/import", "a cadre there", |w, who, u| import(who, &format!("{},Vừ A Chá,cadre,{u}", w.login()))),
    ("post /v1/users/{id}/disable", "a cadre there", |w, who, u| w.account(who, u, "disable")),
    ("post /v1/users/{id}/enable", "a cadre there", |w, who, u| w.account(who, u, "enable")),
    ("post /v1/users/{id}/password", "a cadre there", |w, who, u| w.account(who, u, "password")),
    ("post /v1/users/{id}/totp/remove", "a cadre there", |w, who, u| w.account(who, u, "totp/remove")),
    ("get /v1/grants", "there and below", |_, who, u| who.get(&format!("/v1/grants?below={u}"))),
    ("post /v1/grants", "a cadre becomes liaison there", |w, who, u| give(who, w.user(Role::Cadre, u).0, "liaison", u)),
    ("post /v1/grants", "a cadre becomes auditor there", |w, who, u| give(who, w.user(Role::Cadre, u).0, "auditor", u)),
    ("post /v1/grants", "to oneself", |_, who, u| give(who, who.user, "cadre", u)),
    ("post /v1/grants/{id}/end", "of a cadre there", |w, who, u| end(who, w.user(Role::Cadre, u).1)),
    ("post /v1/grants/{id}/end", "of an auditor there", |w, who, u| end(who, w.user(Role::Auditor, u).1)),
    ("get /v1/forms", "", |_, who, _| who.get("/v1/forms")),
    ("get /v1/forms/{code}", "", |_, who, _| who.get("/v1/forms/person")),
    ("get /v1/forms/{code}/versions/{version}", "", |_, who, _| who.get("/v1/forms/person/versions/1")),
    ("post /v1/forms", "", |w, who, _| who.post("/v1/forms", &w.form())),
    ("get /v1/sync/limits", "", |_, who, _| who.get("/v1/sync/limits")),
    ("post /v1/sync/pull", "from the beginning", |_, who, _| who.post("/v1/sync/pull", &json!({"limit": 1}))),
    ("post /v1/sync/push", "a meeting", |w, who, u| who.tries_to_push(&[&who.says(w.meeting(u))])),
    ("post /v1/sync/push", "a person", |w, who, u| who.tries_to_push(&[&who.says(w.person(u))])),
    ("post /v1/submissions", "a meeting", |w, who, u| who.post("/v1/submissions", who.says(w.meeting(u)).json())),
    ("get /v1/records", "meetings there", |w, who, u| {
        w.reported(u);
        who.get(&format!("/v1/records?form={MEETING}&unit={u}"))
    }),
    ("get /v1/records", "persons there", |w, who, u| {
        w.entered(u);
        who.get(&format!("/v1/records?form=person&unit={u}"))
    }),
    ("get /v1/records/{id}", "a meeting", |w, who, u| who.get(&format!("/v1/records/{}", w.reported(u)))),
    ("get /v1/records/{id}", "a person", |w, who, u| who.get(&format!("/v1/records/{}", w.entered(u)))),
    ("get /v1/records/{id}", "a person, with a reason", |w, who, u| {
        who.read_because(WHY, &format!("/v1/records/{}", w.entered(u)))
    }),
    ("get /v1/records/{id}/submissions", "a meeting", |w, who, u| {
        who.get(&format!("/v1/records/{}/submissions", w.reported(u)))
    }),
    ("post /v1/records/{id}/move", "a meeting, where it is", |w, who, u| {
        who.post(&format!("/v1/records/{}/move", w.reported(u)), &json!({"unit": u, "reason": WHY}))
    }),
    ("post /v1/records/{id}/move", "a meeting, to the foreign unit", |w, who, u| {
        let meeting = uuid(&w.keepers[0].reports_as("accepted", w.meeting(u))["record"]);
        who.post(&format!("/v1/records/{meeting}/move"), &json!({"unit": w.units[3], "reason": WHY}))
    }),
    ("post /v1/records/{id}/move", "a person, where they are", |w, who, u| {
        who.post(&format!("/v1/records/{}/move", w.entered(u)), &json!({"unit": u, "reason": WHY}))
    }),
    ("post /v1/records/{id}/erasure", "a meeting", |w, who, u| {
        who.post(&format!("/v1/records/{}/erasure", w.reported(u)), &json!({"reason": WHY}))
    }),
    ("post /v1/records/{id}/erasure", "a person", |w, who, u| {
        let person = uuid(&w.keepers[0].reports_as("accepted", w.person(u))["record"]);
        who.post(&format!("/v1/records/{person}/erasure"), &json!({"reason": WHY}))
    }),
    ("get /v1/conflicts", "there", |w, who, u| {
        w.conflict(u);
        who.get(&format!("/v1/conflicts?unit={u}"))
    }),
    ("get /v1/conflicts/{id}", "", |w, who, u| who.get(&format!("/v1/conflicts/{}", w.conflict(u)))),
    ("post /v1/conflicts/{id}/resolution", "with an unknown choice", |w, who, u| {
        let body = json!({"choose": {"candidate": id()}, "seen": [], "reason": WHY});
        who.post(&format!("/v1/conflicts/{}/resolution", w.conflict(u)), &body)
    }),
    ("get /v1/quarantine", "there", |w, who, u| {
        w.waiting(u);
        who.get(&format!("/v1/quarantine?unit={u}"))
    }),
    ("get /v1/quarantine/{id}", "", |w, who, u| who.get(&format!("/v1/quarantine/{}", w.waiting(u)))),
    ("post /v1/quarantine/{id}/release", "what breaks a rule", |w, who, u| {
        who.post(&format!("/v1/quarantine/{}/release", w.waiting(u)), &json!({"reason": WHY}))
    }),
    ("post /v1/quarantine/{id}/discard", "", |w, who, u| {
        who.post(&format!("/v1/quarantine/{}/discard", w.waiting(u)), &json!({"reason": WHY}))
    }),
    ("get /v1/audit", "", |_, who, _| who.get("/v1/audit?limit=1")),
];

/// Where a unit lies, seen from the one that a grant is over; and whether the grant holds.
const PLACES: [&str; 6] = ["own", "parent", "sibling", "foreign", "ended", "future"];

/// The rows: a role, over the unit or over the whole province.
const ROWS: [(&str, Role, bool); 7] = [
    ("cadre", Role::Cadre, false),
    ("liaison", Role::Liaison, false),
    ("commune_reviewer", Role::CommuneReviewer, false),
    ("provincial_reviewer", Role::ProvincialReviewer, false),
    ("admin", Role::Admin, false),
    ("admin of the whole", Role::Admin, true),
    ("auditor", Role::Auditor, false),
];

// --- how things are asked -----------------------------------------------------------------------------------------

fn refresh(who: &Reporter) -> Answer {
    who.client().post("/v1/auth/refresh", &json!({"refresh_token": who.refresh_token(), "device": who.device}))
}

fn session(who: &Reporter) -> Uuid {
    let own = who.read("/v1/sessions");
    let current = own["items"].as_array().expect("items").iter().find(|session| session["current"] == true).cloned();
    uuid(&current.expect("the one that asks")["id"])
}

fn new_unit(w: &World, parent: Uuid) -> Value {
    json!({"parent": parent, "kind": "party_group", "name": format!("Tổ {}", w.code()), "valid_from": "2026-03-01"})
}

fn new_user(w: &World, role: &str, unit: Uuid) -> Value {
    json!({"username": w.login(), "display_name": "Vừ A Chá", "grants": [{"role": role, "unit": unit}]})
}

fn import(who: &Reporter, line: &str) -> Answer {
    let table = format!("username,display_name,role,unit\n{line}\n");
    who.client().post_bytes("/v1/users/import", table.into_bytes(), &[("content-type", "text/csv")])
}

fn give(who: &Reporter, user: Uuid, role: &str, unit: Uuid) -> Answer {
    who.post("/v1/grants", &json!({"user": user, "role": role, "unit": unit}))
}

fn end(who: &Reporter, grant: Uuid) -> Answer {
    who.post(&format!("/v1/grants/{grant}/end"), &json!({}))
}

// --- the world ----------------------------------------------------------------------------------------------------

/// A province in which everything can be asked about.
struct World<'a> {
    app: &'a TestApp,
    /// Own, parent, sibling, foreign.
    units: [Uuid; 4],
    taken: Cell<u32>,
    /// Whose words the other ones of the province are: two people of a commune committee over everything.
    keepers: [Reporter; 2],
    kept: RefCell<HashMap<(&'static str, Uuid), Uuid>>,
    logins: RefCell<HashMap<Uuid, String>>,
}

impl<'a> World<'a> {
    fn new(app: &'a TestApp) -> Self {
        let units = [id(), id(), id(), id()];
        let [own, parent, sibling, foreign] = units;
        let above = [(parent, MUONG_NHE), (own, parent), (sibling, parent), (foreign, MUONG_CHA)];
        found(app, &above.map(|(unit, above)| branch(unit, above, "branch")));
        let logins: HashMap<Uuid, String> = ["keeper.a", "keeper.b"]
            .map(|login| {
                let (user, _) = add_user(app, login, &[(Role::CommuneReviewer, PROVINCE)]);
                (user, login.to_owned())
            })
            .into();
        let keepers = ["keeper.a", "keeper.b"].map(|login| app.sign_in(login));
        Self { app, units, taken: Cell::new(0), keepers, kept: RefCell::default(), logins: logins.into() }
    }

    fn number(&self) -> u32 {
        self.taken.set(self.taken.get() + 1);
        self.taken.get()
    }

    fn code(&self) -> String {
        format!("m{}", self.number())
    }

    fn login(&self) -> String {
        format!("u{}", self.number())
    }

    /// Somebody of a role over a unit; who, and by which grant.
    fn user(&self, role: Role, unit: Uuid) -> (Uuid, Uuid) {
        let login = self.login();
        let added = add_user(self.app, &login, &[(role, unit)]);
        self.logins.borrow_mut().insert(added.0, login);
        added
    }

    fn once(&self, what: &'static str, unit: Uuid, make: impl FnOnce() -> Uuid) -> Uuid {
        let known = self.kept.borrow().get(&(what, unit)).copied();
        known.unwrap_or_else(|| {
            let made = make();
            self.kept.borrow_mut().insert((what, unit), made);
            made
        })
    }

    /// A cadre of a unit.
    fn holder(&self, unit: Uuid) -> Uuid {
        self.once("holder", unit, || self.user(Role::Cadre, unit).0)
    }

    /// Somebody on one more device.
    fn again(&self, user: Uuid) -> Reporter {
        self.app.sign_in(&self.logins.borrow()[&user])
    }

    fn sign_in_again(&self, who: &Reporter) -> Answer {
        let login = self.logins.borrow()[&who.user].clone();
        let body = json!({"username": login, "password": PASSWORD, "device": {"name": "Máy thử"}});
        self.app.anonymous().post("/v1/auth/sign-in", &body)
    }

    /// Changes a new account of a cadre of a unit.
    fn account(&self, who: &Reporter, unit: Uuid, to: &str) -> Answer {
        let user = self.user(Role::Cadre, unit).0;
        who.post(&format!("/v1/users/{user}/{to}"), &json!({}))
    }

    /// Changes a unit: the one above itself, elsewhere a new one below the unit, so that it can be changed.
    fn unit(&self, who: &Reporter, unit: Uuid, to: &str, body: Value) -> Answer {
        let target = if unit == self.units[1] { unit } else { id() };
        if target != unit {
            found(self.app, &[branch(target, unit, "branch")]);
        }
        who.post(&format!("/v1/units/{target}/{to}"), &body)
    }

    fn form(&self) -> Value {
        let mut form: Value = serde_json::from_str(include_str!("../../../forms/branch_meeting.json")).expect("JSON");
        form["version"] = json!(1 + self.number());
        form["valid_from"] = json!("2099-01-01");
        form
    }

    /// A meeting that nobody has told of.
    fn meeting(&self, unit: Uuid) -> Submission {
        let last = NaiveDate::from_ymd_opt(2026, 3, 5).expect("a day");
        let held = last - Days::new(u64::from(self.number()));
        meeting(unit)
            .to("type", "extraordinary")
            .to("held_on", held.to_string())
            .to("period", held.format("%Y-%m").to_string())
    }

    fn person(&self, unit: Uuid) -> Submission {
        person(unit, &format!("Giàng A Vừ {}", self.number()), "2001-04-12")
    }

    fn reported(&self, unit: Uuid) -> Uuid {
        self.once("meeting", unit, || uuid(&self.keepers[0].reports_as("accepted", self.meeting(unit))["record"]))
    }

    fn entered(&self, unit: Uuid) -> Uuid {
        self.once("person", unit, || uuid(&self.keepers[0].reports_as("accepted", self.person(unit))["record"]))
    }

    fn conflict(&self, unit: Uuid) -> Uuid {
        self.once("conflict", unit, || {
            let first = self.meeting(unit);
            self.keepers[0].reports_as("accepted", first.clone());
            let record = id().to_string();
            let other = first.anew().with("record", record).to("present", 12).to("unexcused", 0);
            uuid(&self.keepers[1].reports_as("conflict", other)["conflicts"][0]["id"])
        })
    }

    fn waiting(&self, unit: Uuid) -> Uuid {
        uuid(&self.keepers[0].reports_as("rejected", self.meeting(unit).to("excused", 2))["quarantine"])
    }

    /// Those who ask in a row: whose grant holds, has ended, has not begun.
    fn askers(&self, role: Role, whole: bool) -> [Reporter; 3] {
        let over: &[Uuid] = match (role, whole) {
            (Role::Admin, true) => &[PROVINCE, TINH],
            (Role::Admin, false) => &[self.units[0], BAN_HUOI_SANG],
            _ => &self.units[..1],
        };
        let now = self.app.now();
        let (day, held) = (TimeDelta::days(1), over.iter().map(|unit| (role, *unit)).collect::<Vec<_>>());
        [(now - day, None), (now - day - day, Some(now - day)), (now + day, None)].map(|(from, to)| {
            let login = self.login();
            let (user, _) = add_dated(self.app, &login, &held, from, to);
            self.logins.borrow_mut().insert(user, login.clone());
            self.app.sign_in(&login)
        })
    }
}

fn branch(unit: Uuid, parent: Uuid, kind: &str) -> Unit {
    let valid_from = NaiveDate::from_ymd_opt(2003, 2, 3).expect("a day");
    let parent = Some(UnitId::new(parent));
    let version =
        UnitVersion { valid_from, valid_to: None, kind: kind.to_owned(), name: "Chi bộ thử".to_owned(), parent };
    Unit {
        id: unit.into(),
        tree: Tree::Party,
        founded_on: Some(valid_from),
        versions: vec![version],
        codes: Vec::new(),
    }
}

fn found(app: &TestApp, units: &[Unit]) {
    let founding = Founding { units: units.to_vec(), coverage: Vec::new() };
    commit(&app.app().writer, move |tx| found_units(tx, &ReferenceCache::default(), &OPERATOR, &founding));
}

fn add_user(app: &TestApp, login: &str, held: &[(Role, Uuid)]) -> (Uuid, Uuid) {
    add_dated(app, login, held, app.now() - TimeDelta::days(1), None)
}

/// Who, and by which grant (the last).
fn add_dated(
    app: &TestApp,
    login: &str,
    held: &[(Role, Uuid)],
    valid_from: chrono::DateTime<chrono::Utc>,
    valid_to: Option<chrono::DateTime<chrono::Utc>>,
) -> (Uuid, Uuid) {
    let user = id();
    let new = NewUser {
        id: user.into(),
        username: Username::parse(login).expect("a user name"),
        display_name: Label::parse("Người thử").expect("a name"),
        password_hash: password_hash().to_owned(),
    };
    let given: Vec<NewGrant> = (held.iter())
        .map(|(role, unit)| NewGrant {
            id: id().into(),
            user: user.into(),
            role: *role,
            unit: (*unit).into(),
            valid_from,
            valid_to,
        })
        .collect();
    let last = given.last().expect("a grant").id.uuid();
    commit(&app.app().writer, move |tx| {
        users::add(tx, &OPERATOR, &new)?.expect("a new user");
        for grant in &given {
            grants::add(tx, &OPERATOR, grant)?.expect("a new grant");
        }
        Ok(Outcome::<(), ()>::Commit(()))
    });
    (user, last)
}

// --- the matrix ---------------------------------------------------------------------------------------------------

/// How an operation was answered, in a few words: the status, and what a reader of the matrix wants to know of it.
fn told(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let result = &body["results"][0];
    let result = if result.is_object() { result } else { &body };
    let error = result["errors"][0]["code"].as_str();
    let more = match (&body["items"], result["status"].as_str(), body["code"].as_str()) {
        (Value::Array(items), ..) => Some(if items.is_empty() { "none" } else { "some" }),
        (_, Some(status), _) => Some(error.unwrap_or(status)),
        (_, None, code) => code,
    };
    assert!(answer.status < 500, "{answer:?}");
    format!("{} {}", answer.status, more.unwrap_or_default()).trim_end().to_owned()
}

fn matrix(app: &TestApp) -> String {
    let world = World::new(app);
    let [own, parent, sibling, foreign] = world.units;
    let askers = ROWS.map(|(_, role, whole)| world.askers(role, whole));
    let mut out = String::new();
    for (operation, how, ask) in CASES {
        let rows: Vec<[String; 6]> = (askers.iter())
            .map(|[holds, ended, future]| {
                let asked =
                    [(holds, own), (holds, parent), (holds, sibling), (holds, foreign), (ended, own), (future, own)];
                asked.map(|(who, unit)| told(&ask(&world, who, unit)))
            })
            .collect();
        let how = if how.is_empty() { String::new() } else { format!(" ({how})") };
        writeln!(out, "{operation}{how}").expect("a string takes everything");
        write_rows(&mut out, &rows);
    }
    out
}

/// What is answered alike is told once.
fn write_rows(out: &mut String, rows: &[[String; 6]]) {
    let all: BTreeSet<&String> = rows.iter().flatten().collect();
    if all.len() == 1 {
        writeln!(out, "    everybody, everywhere: {}\n", rows[0][0]).expect("a string takes everything");
        return;
    }
    let widths: Vec<usize> = (0..PLACES.len())
        .map(|at| rows.iter().map(|row| row[at].len()).chain([PLACES[at].len()]).max().unwrap_or_default())
        .collect();
    let mut line = |name: &str, cells: &[&str]| {
        let cells: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", format!("    {name:19} | {}", cells.join(" | ")).trim_end())
            .expect("a string takes everything");
    };
    line("", &PLACES);
    for ((name, ..), row) in ROWS.iter().zip(rows) {
        line(name, &row.each_ref().map(String::as_str));
    }
    out.push('\n');
}

fn compare(backend: Backend) {
    let app = TestApp::start_with(backend, |config| {
        config.throttle.push_requests_burst = 100_000;
        config.throttle.sign_in_free = 1_000;
    });
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description("Look at the change, then: INSTA_UPDATE=always cargo test -p muong-tests access_matrix");
    settings.bind(|| insta::assert_snapshot!("access_matrix", matrix(&app)));
}

#[test]
fn the_access_matrix_of_sqlite_is_the_one_that_is_checked_in() {
    compare(Backend::Sqlite);
}

#[test]
fn the_access_matrix_of_postgres_is_the_same() {
    compare(Backend::Postgres);
}

#[test]
fn every_operation_of_the_document_has_a_case_in_the_access_matrix() {
    let document = TestApp::start(Backend::Sqlite).anonymous().read("/openapi.json");
    let described: BTreeSet<String> = (document["paths"].as_object().expect("paths").iter())
        .flat_map(|(path, item)| {
            item.as_object().expect("operations").keys().map(move |method| format!("{method} {path}"))
        })
        .collect();
    let asked: BTreeSet<String> = CASES.iter().map(|(operation, ..)| (*operation).to_owned()).collect();
    let of = |missing: BTreeSet<&String>| missing.into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(of(described.difference(&asked).collect()), Vec::<String>::new(), "add a line to CASES");
    assert_eq!(of(asked.difference(&described).collect()), Vec::<String>::new(), "no such operation any more");
}

#[test]
fn a_cell_tells_the_status_and_the_code() {
    let app = TestApp::start(Backend::Sqlite);
    assert_eq!(told(&app.anonymous().get("/v1/me")), "401 auth.required");
    let document = app.anonymous().get("/openapi.json");
    assert_eq!((told(&document).as_str(), text(&document.json()["openapi"])), ("200", "3.1.0"));
}
