//! Random days of a province, over HTTP: reports, corrections, withdrawals, steps of people's development, decisions, an
//! erasure, grants given and ended at once or by their dates, units and records that move, units called otherwise from a
//! coming day; and phones that pull a page here and there. Owns what happens; what must hold of it is `pull_properties`.

use super::pull_oracle::{Dialect, Seen};
use chrono::TimeDelta;
use muong_domain::access::Role::{self, Cadre, CommuneReviewer, Liaison, ProvincialReviewer};
use muong_domain::id::UserId;
use muong_domain::time::local_date;
use muong_store::{Connection, grants};
use muong_tests::builders::{MEETING, PERSON, STEP, begin_numbering, meeting, object, person, step};
use muong_tests::client::{number, uuid};
use muong_tests::database::texts;
use muong_tests::phone::messages;
use muong_tests::province::{
    ADMIN, COMMUNE, DEPARTMENT, HUOI_SANG, MUONG_CHA, MUONG_NHE, NA_LONG, NEIGHBOUR, OFFICER, OTHER_COMMUNE,
    PHIENG_SANG, PROVINCE, SECRETARY, user_id,
};
use muong_tests::review::{candidates, open_conflicts, resolve};
use muong_tests::{Backend, Phone, Reporter, Submission, TestApp};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use uuid::Uuid;

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Step {
    /// A meeting of a month is reported in one of the branches, by one of those who may.
    Meet { who: usize, month: u32, present: i64 },
    /// A person is entered.
    Enter { who: usize },
    /// A step of somebody's development is told by who entered them, or by the commune as well.
    Develop { whom: usize, step: usize, by_commune: bool },
    /// Something reported before is corrected by its author.
    Correct { which: usize, place: u8 },
    /// Something reported before is withdrawn by its author.
    Withdraw { which: usize },
    /// The commune decides the first open conflict.
    Decide,
    /// The province erases a person.
    Erase { whom: usize },
    /// A role over a unit is given, or ended if it is held.
    Grant { who: usize, office: usize },
    /// A role over a unit is given for some seconds, beginning in some seconds.
    GrantFor { who: usize, office: usize, begins: i64, lasts: i64 },
    /// Somebody knows all, so many seconds pass, and they pull a page.
    Pass { who: usize, seconds: i64, limit: u16 },
    /// A branch moves to the other commune.
    Move { unit: usize },
    /// A branch is called otherwise, so many days from now.
    Rename { unit: usize, days: i64 },
    /// A record goes to a branch.
    Go { which: usize, to: usize },
    /// Somebody pulls a page.
    Pull { who: usize, limit: u16 },
}

pub const LOGINS: [&str; 6] = [SECRETARY, OFFICER, NEIGHBOUR, COMMUNE, OTHER_COMMUNE, DEPARTMENT];
const REPORTERS: [(&str, Uuid); 4] =
    [(SECRETARY, HUOI_SANG), (OFFICER, HUOI_SANG), (NEIGHBOUR, NA_LONG), (COMMUNE, HUOI_SANG)];
const BRANCHES: [Uuid; 3] = [HUOI_SANG, NA_LONG, PHIENG_SANG];
/// Over a branch, over a commune, over a whole tree.
const OFFICES: [(Role, Uuid); 12] = [
    (Cadre, HUOI_SANG),
    (Cadre, NA_LONG),
    (Cadre, MUONG_CHA),
    (Liaison, HUOI_SANG),
    (Liaison, NA_LONG),
    (Liaison, MUONG_NHE),
    (Liaison, MUONG_CHA),
    (CommuneReviewer, MUONG_NHE),
    (CommuneReviewer, MUONG_CHA),
    (CommuneReviewer, HUOI_SANG),
    (CommuneReviewer, PROVINCE),
    (ProvincialReviewer, PROVINCE),
];
const STEPS: [(&str, &str); 2] = [("branch_resolved", "2026-01-15"), ("awareness_class_completed", "2025-10-10")];

/// What is there when they begin, so that ways to other scopes are long.
const BEFORE: [Step; 7] = [
    Step::Meet { who: 0, month: 1, present: 11 },
    Step::Meet { who: 0, month: 2, present: 12 },
    Step::Enter { who: 0 },
    Step::Develop { whom: 0, step: 0, by_commune: true },
    Step::Meet { who: 2, month: 1, present: 10 },
    Step::Enter { who: 2 },
    Step::Grant { who: 0, office: 1 },
];

/// So many things, after what comes before.
pub fn days(steps: Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(any_step(), steps).prop_map(|steps| [BEFORE.to_vec(), steps].concat())
}

/// Most happens to two of them, so that enough comes together.
fn who() -> impl Strategy<Value = usize> {
    prop_oneof![4 => Just(0_usize), 3 => Just(3_usize), 2 => 0..LOGINS.len()]
}

/// Seconds: within a minute nothing but the clock moves, within hours the log is anchored as well, within days units turn.
fn span() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => (1..4_i64).prop_map(|tens| tens * 10),
        2 => (1..4_i64).prop_map(|hours| hours * 3_600),
        1 => (1..3_i64).prop_map(|days| days * 86_400),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let limit = || prop_oneof![4 => Just(1_u16), 3 => Just(2_u16), 1 => 3..6_u16];
    let office = || 0..OFFICES.len();
    prop_oneof![
        4 => (0..3_usize, 1..4_u32, 9..13_i64).prop_map(|(who, month, present)| Step::Meet { who, month, present }),
        2 => (0..REPORTERS.len()).prop_map(|who| Step::Enter { who }),
        2 => (0..64_usize, 0..STEPS.len(), any::<bool>())
            .prop_map(|(whom, step, by_commune)| Step::Develop { whom, step, by_commune }),
        2 => (0..64_usize, any::<u8>()).prop_map(|(which, place)| Step::Correct { which, place }),
        2 => (0..64_usize).prop_map(|which| Step::Withdraw { which }),
        1 => Just(Step::Decide),
        1 => (0..64_usize).prop_map(|whom| Step::Erase { whom }),
        5 => (who(), office()).prop_map(|(who, office)| Step::Grant { who, office }),
        3 => (who(), office(), prop_oneof![Just(0), span()], span())
            .prop_map(|(who, office, begins, lasts)| Step::GrantFor { who, office, begins, lasts }),
        3 => (who(), span(), limit()).prop_map(|(who, seconds, limit)| Step::Pass { who, seconds, limit }),
        2 => (0..BRANCHES.len()).prop_map(|unit| Step::Move { unit }),
        1 => (0..BRANCHES.len(), 1..4_i64).prop_map(|(unit, days)| Step::Rename { unit, days }),
        2 => (0..64_usize, 0..BRANCHES.len()).prop_map(|(which, to)| Step::Go { which, to }),
        12 => (who(), limit()).prop_map(|(who, limit)| Step::Pull { who, limit }),
    ]
}

/// A province on such days, with a phone for each of its people.
pub struct Days {
    /// Whom the oracle asks. Let go of before the server, and its database with it.
    oracle: RefCell<Connection>,
    /// The server.
    pub app: TestApp,
    /// Everybody, signed in.
    pub people: BTreeMap<&'static str, Reporter>,
    /// Their phones.
    pub phones: BTreeMap<&'static str, Phone>,
    /// Every page that was delivered.
    pub pages: Vec<Value>,
    /// Phones as they were before each pull.
    pub earlier_phones: Vec<(&'static str, Phone)>,
    said: Vec<(&'static str, Submission)>,
    above: BTreeMap<Uuid, Uuid>,
}

impl Days {
    /// Begins, with nothing said.
    pub fn begin(backend: Backend) -> Self {
        begin_numbering();
        let app = TestApp::start_with(backend, |config| config.access_token_seconds = 10_000_000);
        let people = LOGINS.iter().chain(&[ADMIN]).map(|login| (*login, app.sign_in(login))).collect();
        Self {
            oracle: RefCell::new(app.database().connect()),
            app,
            people,
            phones: LOGINS.iter().map(|login| (*login, Phone::default())).collect(),
            pages: Vec::new(),
            earlier_phones: Vec::new(),
            said: Vec::new(),
            above: BTreeMap::from([(HUOI_SANG, MUONG_NHE), (NA_LONG, MUONG_NHE), (PHIENG_SANG, MUONG_CHA)]),
        }
    }

    /// All of that, one after the other.
    pub fn lived(backend: Backend, steps: &[Step]) -> Self {
        let mut days = Self::begin(backend);
        steps.iter().for_each(|step| days.take(step));
        days
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Meet { who, month, present } => {
                let (login, unit) = REPORTERS[who];
                let meeting = meeting(unit).to("period", format!("2026-{month:02}"));
                let meeting = meeting.to("held_on", format!("2026-{month:02}-05"));
                self.says(login, meeting.to("present", present).to("unexcused", 12 - present));
            }
            Step::Enter { who } => {
                let (login, unit) = REPORTERS[who];
                let name = format!("Giàng A {}", self.said.len());
                self.says(login, person(unit, &name, "2001-04-12"));
            }
            Step::Develop { whom, step, by_commune } => self.develop(whom, STEPS[step], by_commune),
            Step::Correct { which, place } => {
                let Some((login, said)) = self.earlier(which, MEETING) else { return };
                let edit = Submission::edit(MEETING, said.record(), unit_of(&said));
                let change = json!({"place": format!("Nhà {place}")});
                let edit = edit.changes_group(&object(json!({"place": null})), &change);
                self.says(login, edit.after(said.id()));
            }
            Step::Withdraw { which } => {
                let Some((login, said)) = self.earlier(which, "") else { return };
                self.says(login, Submission::delete(said.record(), unit_of(&said)).after(said.id()));
            }
            Step::Decide => self.decide(),
            Step::Erase { whom } => self.erase(whom),
            Step::Grant { who, office } => self.grant(LOGINS[who], OFFICES[office]),
            Step::GrantFor { who, office, begins, lasts } => {
                self.grant_for(LOGINS[who], OFFICES[office], begins, lasts);
            }
            Step::Pass { who, seconds, limit } => {
                while self.pull(LOGINS[who], 5)["more"] == true {}
                self.app.pass(TimeDelta::seconds(seconds));
                self.pull(LOGINS[who], limit);
            }
            Step::Move { unit } => self.move_unit(BRANCHES[unit]),
            Step::Rename { unit, days } => self.rename(BRANCHES[unit], days),
            Step::Go { which, to } => self.go(which, BRANCHES[to]),
            Step::Pull { who, limit } => drop(self.pull(LOGINS[who], limit)),
        }
    }

    // --- what is said ---------------------------------------------------------------------------------------

    fn says(&mut self, login: &'static str, draft: Submission) {
        let said = self.people[login].says(draft);
        self.people[login].push(&[&said]);
        self.said.push((login, said));
    }

    /// Something that was created before, of a form, or of any.
    fn earlier(&self, which: usize, form: &str) -> Option<(&'static str, Submission)> {
        let is_fit = |(_, said): &&(&str, Submission)| {
            said.json()["kind"] == "create" && (form.is_empty() || said.json()["form"] == form)
        };
        let fit: Vec<_> = self.said.iter().filter(is_fit).collect();
        (!fit.is_empty()).then(|| fit[which % fit.len()].clone())
    }

    fn develop(&mut self, whom: usize, (kind, on): (&str, &str), by_commune: bool) {
        let Some((author, said)) = self.earlier(whom, PERSON) else { return };
        let login = if by_commune { COMMUNE } else { author };
        self.says(login, step(unit_of(&said), said.record(), kind, on));
    }

    // --- what is decided ------------------------------------------------------------------------------------

    fn decide(&mut self) {
        let commune = &self.people[COMMUNE];
        if commune.get("/v1/conflicts").status == 403 {
            return; // its grant has ended
        }
        let Some(conflict) = open_conflicts(commune).into_iter().next() else { return };
        let by = |candidate: &Value| candidate["by"].as_array().cloned().unwrap_or_default();
        // What was decided before is nobody's submission.
        let said = |by: Value| by["submission"].as_str().map(|_| uuid(&by["submission"]));
        let seen: Vec<Uuid> = candidates(commune, &conflict).iter().flat_map(by).filter_map(said).collect();
        let Some(first) = seen.first() else { return };
        // Questions about a withdrawal or a rule take another kind of answer; they stay open.
        let _whatever_comes_of_it = resolve(commune, &conflict, &json!({"candidate": first}), &seen, "Đã đối chiếu.");
    }

    /// Whatever comes of it: they may have been erased, or have never been accepted, or it is not the province's any more.
    fn erase(&mut self, whom: usize) {
        let Some((_, said)) = self.earlier(whom, PERSON) else { return };
        let reason = json!({"reason": "Người này đã rút lại sự đồng ý."});
        let answer = self.people[DEPARTMENT].post(&format!("/v1/records/{}/erasure", said.record()), &reason);
        assert!(answer.status < 500, "{answer:?}");
    }

    fn holds(&self, login: &str, (role, unit): (Role, Uuid)) -> bool {
        let (user, now) = (UserId::new(user_id(login)), self.app.now());
        let held = self.app.app().database.read(|read| grants::of_user(read, user)).expect("grants");
        held.iter().any(|held| held.role == role && held.unit.uuid() == unit && held.stands_at(now))
    }

    /// A moment passes, so that no two grants begin together.
    fn grant(&mut self, login: &'static str, (role, unit): (Role, Uuid)) {
        self.app.pass(TimeDelta::milliseconds(1));
        if self.holds(login, (role, unit)) {
            self.app.revoke(login, role, unit);
        } else {
            self.app.grant(login, role, unit);
        }
    }

    fn grant_for(&mut self, login: &'static str, (role, unit): (Role, Uuid), begins: i64, lasts: i64) {
        self.app.pass(TimeDelta::milliseconds(1));
        if !self.holds(login, (role, unit)) {
            let from = self.app.now() + TimeDelta::seconds(begins);
            self.app.grant_between(login, role, unit, (from, from + TimeDelta::seconds(lasts)));
        }
    }

    /// Unless it begins to be called otherwise today or later: what was said of those days stays.
    fn move_unit(&mut self, unit: Uuid) {
        self.app.pass(TimeDelta::days(1));
        let to = if self.above[&unit] == MUONG_NHE { MUONG_CHA } else { MUONG_NHE };
        let moved = self.people[ADMIN].post(&format!("/v1/units/{unit}/move"), &json!({"parent": to}));
        if moved.status == 200 {
            self.above.insert(unit, to);
        } else {
            moved.problem(422, "unit.too_early");
        }
    }

    /// Unless it is to be called otherwise later than that already.
    fn rename(&self, unit: Uuid, days: i64) {
        let on = local_date(self.app.now()) + TimeDelta::days(days);
        let body = json!({"name": format!("Chi bộ từ {on}"), "on": on.to_string()});
        let renamed = self.people[ADMIN].post(&format!("/v1/units/{unit}/rename"), &body);
        assert!([200, 422].contains(&renamed.status), "{renamed:?}");
    }

    /// A record, of whatever form and whether it is there or withdrawn, goes to a branch. Whatever comes of it: there may be one like
    /// it already, it may go with its person, or it is not the province's any more.
    fn go(&self, which: usize, to: Uuid) {
        let (conn, of) = (&mut *self.oracle.borrow_mut(), Dialect(self.app.backend()));
        let records = texts(conn, &format!("SELECT {} AS name FROM records r ORDER BY name", of.hex("r.id")));
        let Some(record) = (!records.is_empty()).then(|| &records[which % records.len()]) else { return };
        let body = json!({"unit": to, "reason": "Báo cáo nhầm chi bộ."});
        let gone = self.people[DEPARTMENT].post(&format!("/v1/records/{record}/move"), &body);
        assert!([200, 403, 404, 409, 422].contains(&gone.status), "{gone:?}");
    }

    // --- what is told ---------------------------------------------------------------------------------------

    fn seen(&self, login: &str) -> Seen {
        Seen::by(&mut self.oracle.borrow_mut(), &self.app, login)
    }

    /// Pulls a page. Property 8: of whatever it tells, the user may know now.
    pub fn pull(&mut self, login: &'static str, limit: u16) -> Value {
        let seen = self.seen(login);
        let phone = self.phones.get_mut(login).expect("a phone");
        self.earlier_phones.push((login, phone.clone()));
        let page = phone.pulls_a_page(&self.people[login], limit);
        for message in messages(&page) {
            assert!(seen.allows(message), "{login} is told of what they may not see: {message}");
        }
        self.pages.push(page.clone());
        page
    }

    /// Everybody pulls to the head. Property 2: then their phones hold what they may see, and say of it what they may read.
    pub fn end(&mut self) {
        for login in LOGINS {
            let head = loop {
                let page = self.pull(login, 3);
                if page["more"] == false {
                    break number(&page["head"]);
                }
            };
            self.agrees(login, head);
        }
    }

    fn agrees(&self, login: &str, head: i64) {
        let (phone, who, seen) = (&self.phones[login], &self.people[login], self.seen(login));
        let (mine, told) = phone.clone().checks(who);
        assert_eq!(mine, told, "{login}, the hash as of {head}");
        let has: BTreeSet<String> = phone.records().into_iter().collect();
        assert_eq!(has, seen.live, "{login}, as of {head}");
        for (kind, expected) in [("unit", &seen.units), ("grant", &seen.grants)] {
            let has: BTreeSet<Uuid> = phone.of_kind(kind).into_keys().collect();
            assert_eq!(has, *expected, "{login}, each {kind} as of {head}");
        }
        for (id, unit) in phone.of_kind("unit") {
            assert_eq!(unit["data"], who.read(&format!("/v1/units/{id}")), "{login}, a unit as of {head}");
        }
        let (things, aliases) = (phone.things(), phone.aliases());
        for (id, thing) in
            things.iter().filter(|(_, thing)| [MEETING, PERSON, STEP].iter().any(|f| thing["kind"] == *f))
        {
            let record = who.read(&format!("/v1/records/{id}"));
            assert_eq!((&thing["data"], &thing["unit"]), (&record["data"], &record["unit"]), "{login}");
            let known = aliases.iter().filter(|(_, record)| *record == id).map(|((alias, _), _)| *alias);
            let expected: BTreeSet<Uuid> = record["aliases"].as_array().expect("aliases").iter().map(uuid).collect();
            assert_eq!(known.collect::<BTreeSet<_>>(), expected, "{login}");
        }
    }
}

fn unit_of(said: &Submission) -> Uuid {
    uuid(&said.json()["unit"])
}
