//! Properties 2, 8 and 9 of the sync design over random days of a province: reports, corrections, withdrawals, decisions,
//! grants given and ended, units that move; and phones that pull a page here and there. Black-box, over HTTP.

use chrono::{DateTime, TimeDelta, Utc};
use muong_domain::access::Role;
use muong_server::usecases::compact::compact;
use muong_tests::builders::{MEETING, PERSON, begin_numbering, meeting, object, person};
use muong_tests::client::{number, text, uuid};
use muong_tests::database::texts;
use muong_tests::phone::messages;
use muong_tests::province::{
    ADMIN, COMMUNE, DEPARTMENT, HUOI_SANG, MUONG_CHA, MUONG_NHE, NA_LONG, NEIGHBOUR, OFFICER, OTHER_COMMUNE, SECRETARY,
    user_id,
};
use muong_tests::review::{candidates, open_conflicts, resolve};
use muong_tests::{Backend, Phone, Reporter, Submission, TestApp};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// A meeting of a month is reported in one of the branches, by one of those who may.
    Meet { who: usize, month: u32, present: i64 },
    /// A person is entered.
    Enter { who: usize },
    /// Something reported before is corrected by its author.
    Correct { which: usize, place: u8 },
    /// Something reported before is withdrawn by its author.
    Withdraw { which: usize },
    /// The commune decides the first open conflict.
    Decide,
    /// A role over a unit is given, or ended if it is held.
    Grant { who: usize, role: usize, unit: usize },
    /// A branch moves to the other commune.
    Move { unit: usize },
    /// Somebody pulls a page.
    Pull { who: usize, limit: u16 },
}

const LOGINS: [&str; 6] = [SECRETARY, OFFICER, NEIGHBOUR, COMMUNE, OTHER_COMMUNE, DEPARTMENT];
const REPORTERS: [(&str, Uuid); 3] = [(SECRETARY, HUOI_SANG), (OFFICER, HUOI_SANG), (NEIGHBOUR, NA_LONG)];
const ROLES: [Role; 3] = [Role::Cadre, Role::Liaison, Role::CommuneReviewer];
const UNITS: [Uuid; 4] = [HUOI_SANG, NA_LONG, MUONG_NHE, MUONG_CHA];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_usize, 1..4_u32, 9..13_i64).prop_map(|(who, month, present)| Step::Meet { who, month, present }),
        2 => (0..3_usize).prop_map(|who| Step::Enter { who }),
        2 => (0..64_usize, any::<u8>()).prop_map(|(which, place)| Step::Correct { which, place }),
        1 => (0..64_usize).prop_map(|which| Step::Withdraw { which }),
        1 => Just(Step::Decide),
        3 => (0..6_usize, 0..3_usize, 0..4_usize).prop_map(|(who, role, unit)| Step::Grant { who, role, unit }),
        1 => (0..2_usize).prop_map(|unit| Step::Move { unit }),
        6 => (0..6_usize, 1..6_u16).prop_map(|(who, limit)| Step::Pull { who, limit }),
    ]
}

/// A province on such days, with a phone for each of its people.
struct Days {
    app: TestApp,
    people: BTreeMap<&'static str, Reporter>,
    phones: BTreeMap<&'static str, Phone>,
    said: Vec<(&'static str, Submission)>,
    above: BTreeMap<Uuid, Uuid>,
    held: BTreeSet<(usize, usize, usize)>,
    /// Every page that was delivered.
    pages: Vec<Value>,
    /// Phones as they were before each pull.
    earlier_phones: Vec<(&'static str, Phone)>,
}

impl Days {
    fn begin(backend: Backend) -> Self {
        begin_numbering();
        let app = TestApp::start_with(backend, |config| config.access_token_seconds = 10_000_000);
        let people = LOGINS.iter().chain(&[ADMIN]).map(|login| (*login, app.sign_in(login))).collect();
        let phones = LOGINS.iter().map(|login| (*login, Phone::default())).collect();
        let above = BTreeMap::from([(HUOI_SANG, MUONG_NHE), (NA_LONG, MUONG_NHE)]);
        Self {
            app,
            people,
            phones,
            said: Vec::new(),
            above,
            held: BTreeSet::new(),
            pages: Vec::new(),
            earlier_phones: Vec::new(),
        }
    }

    fn says(&mut self, login: &'static str, draft: Submission) {
        let said = self.people[login].says(draft);
        self.people[login].push(&[&said]);
        self.said.push((login, said));
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
            Step::Correct { which, place } => {
                let Some((login, said)) = self.earlier(which, MEETING) else { return };
                let edit = Submission::edit(MEETING, said.record(), uuid(&said.json()["unit"]));
                let change = json!({"place": format!("Nhà {place}")});
                let edit = edit.changes_group(&object(json!({"place": null})), &change);
                self.says(login, edit.after(said.id()));
            }
            Step::Withdraw { which } => {
                let Some((login, said)) = self.earlier(which, "") else { return };
                let delete = Submission::delete(said.record(), uuid(&said.json()["unit"]));
                self.says(login, delete.after(said.id()));
            }
            Step::Decide => self.decide(),
            Step::Grant { who, role, unit } => self.grant(who, role, unit),
            Step::Move { unit } => self.move_unit(UNITS[unit]),
            Step::Pull { who, limit } => self.pull(LOGINS[who], limit),
        }
    }

    /// Something that was created before, of a form, or of any.
    fn earlier(&self, which: usize, form: &str) -> Option<(&'static str, Submission)> {
        let is_fit = |(_, said): &&(&str, Submission)| {
            said.json()["kind"] == "create" && (form.is_empty() || said.json()["form"] == form)
        };
        let fit: Vec<_> = self.said.iter().filter(is_fit).collect();
        (!fit.is_empty()).then(|| fit[which % fit.len()].clone())
    }

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

    fn grant(&mut self, who: usize, role: usize, unit: usize) {
        self.app.pass(TimeDelta::seconds(1));
        let (login, given, over) = (LOGINS[who], ROLES[role], UNITS[unit]);
        let at_first = [
            (SECRETARY, Role::Cadre, HUOI_SANG),
            (OFFICER, Role::Liaison, HUOI_SANG),
            (NEIGHBOUR, Role::Cadre, NA_LONG),
            (COMMUNE, Role::CommuneReviewer, MUONG_NHE),
            (OTHER_COMMUNE, Role::CommuneReviewer, MUONG_CHA),
        ];
        let key = (who, role, unit);
        if at_first.contains(&(login, given, over)) != self.held.contains(&key) {
            self.app.revoke(login, given, over);
        } else {
            self.app.grant(login, given, over);
        }
        if !self.held.remove(&key) {
            self.held.insert(key);
        }
    }

    fn move_unit(&mut self, unit: Uuid) {
        self.app.pass(TimeDelta::days(1));
        let to = if self.above[&unit] == MUONG_NHE { MUONG_CHA } else { MUONG_NHE };
        self.people[ADMIN].post(&format!("/v1/units/{unit}/move"), &json!({"parent": to})).expect(200);
        self.above.insert(unit, to);
    }

    /// Pulls a page. Property 8: whatever record it delivers, the user may see it now.
    fn pull(&mut self, login: &'static str, limit: u16) {
        let visible = self.visible(login);
        let phone = self.phones.get_mut(login).expect("a phone");
        self.earlier_phones.push((login, phone.clone()));
        let page = phone.pulls_a_page(&self.people[login], limit);
        for message in messages(&page).iter().filter(|message| message["t"] == "put") {
            let put = format!("{}:{}", uuid(&message["id"]).simple(), message["v"]);
            let is_record = [MEETING, PERSON].contains(&text(&message["kind"]));
            assert!(!is_record || visible.contains(&put), "{login} is told of what they may not see: {message}");
        }
        self.pages.push(page);
    }

    /// What the database says that somebody may see now, as `id:v`.
    fn visible(&self, login: &str) -> BTreeSet<String> {
        let (user, now) = (user_id(login), self.app.now());
        let (id, user, now) = match self.app.backend() {
            Backend::Sqlite => {
                ("lower(hex(r.id))", format!("x'{}'", user.simple()), now.timestamp_micros().to_string())
            }
            Backend::Postgres => {
                ("replace(r.id::text, '-', '')", format!("'{user}'::uuid"), format!("'{}'::timestamptz", rfc3339(now)))
            }
        };
        let select = format!(
            "SELECT DISTINCT {id} || ':' || r.version AS name FROM records r \
             JOIN unit_closure c ON c.descendant_id = r.unit_id JOIN grants g ON g.unit_id = c.ancestor_id \
             WHERE r.state = 'live' AND g.user_id = {user} AND g.valid_from <= {now} \
             AND (g.valid_to IS NULL OR g.valid_to > {now}) AND (g.role IN ('cadre', 'commune_reviewer') \
             OR (g.role IN ('liaison', 'provincial_reviewer') AND r.form = '{MEETING}'))"
        );
        texts(&mut self.app.database().connect(), &select).into_iter().collect()
    }

    /// Everybody pulls to the head. Property 2: then their phones hold what they may see, and say of it what they may read.
    fn end(&mut self) {
        for login in LOGINS {
            let head = loop {
                self.pull(login, 3);
                let page = &self.pages[self.pages.len() - 1];
                if page["more"] == false {
                    break number(&page["head"]);
                }
            };
            let (phone, who) = (&self.phones[login], &self.people[login]);
            let (mine, told) = phone.clone().checks(who);
            assert_eq!(mine, told, "{login}, the hash as of {head}");
            let has: BTreeSet<String> = phone.records().into_iter().collect();
            assert_eq!(has, self.visible(login), "{login}, as of {head}");
            for (id, thing) in phone.of_kind(MEETING).into_iter().chain(phone.of_kind(PERSON)) {
                let record = who.read(&format!("/v1/records/{id}"));
                assert_eq!((&thing["data"], &thing["unit"]), (&record["data"], &record["unit"]), "{login}");
                let aliases: BTreeSet<Uuid> = record["aliases"].as_array().expect("aliases").iter().map(uuid).collect();
                let known = phone.aliases().into_iter().filter(|(_, record)| *record == id);
                assert_eq!(known.map(|((alias, _), _)| alias).collect::<BTreeSet<_>>(), aliases, "{login}");
            }
        }
    }
}

/// Goes on pulling from where a phone stood, which begins anew when it is told to; whether it was.
fn goes_on(phone: &mut Phone, user: &Reporter) -> bool {
    let answer = phone.asks(user, &json!({}));
    phone.takes(&answer);
    phone.pulls(user);
    !answer["reset"].is_null()
}

/// Property 10: from wherever a phone stood, it ends with what it would have had without compaction.
fn compaction_changes_nothing(backend: Backend, steps: &[Step]) -> (usize, usize) {
    let mut days = Days::begin(backend);
    steps.iter().for_each(|step| days.take(step));
    days.end();
    days.app.pass(TimeDelta::days(40));
    let gone = compact(&days.app.app().writer, 30).expect("it compacts");
    let (mut resets, earlier) = (0, std::mem::take(&mut days.earlier_phones));
    let all = earlier.len();
    for (login, mut phone) in earlier {
        resets += usize::from(goes_on(&mut phone, &days.people[login]));
        let expected = &days.phones[login];
        assert_eq!(phone.things(), expected.things(), "{login}, {gone} rows are gone");
        assert_eq!(phone.aliases(), expected.aliases(), "{login}, {gone} rows are gone");
    }
    (resets, all)
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339()
}

/// What was delivered, page by page, as its bytes. Entries are numbered anew, in their order: the log also holds anchors of
/// the audit, which come when they come; and a cursor names entries.
fn live(backend: Backend, steps: &[Step]) -> Vec<String> {
    let mut days = Days::begin(backend);
    steps.iter().for_each(|step| days.take(step));
    days.end();
    let entries: BTreeSet<i64> =
        days.pages.iter().flat_map(messages).filter_map(|message| message["v"].as_i64()).collect();
    let numbered: BTreeMap<i64, usize> = entries.into_iter().zip(1..).collect();
    let anew = |mut page: Value| {
        (page["head"], page["cursor"]) = (Value::Null, Value::Null);
        for message in page["messages"].as_array_mut().into_iter().flatten() {
            if let Some(v) = message["v"].as_i64() {
                message["v"] = json!(numbered[&v]);
            }
        }
        page.to_string()
    };
    days.pages.into_iter().map(anew).collect()
}

#[test]
fn property_2_8_and_9_a_phone_ends_with_what_its_user_may_see_is_told_of_nothing_else_and_alike_on_both_databases() {
    let config =
        ProptestConfig { cases: 6, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() };
    let days = prop::collection::vec(step(), 10..45);
    TestRunner::new(config)
        .run(&days, |steps| {
            let (sqlite, postgres) = (live(Backend::Sqlite, &steps), live(Backend::Postgres, &steps));
            prop_assert_eq!(sqlite, postgres);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn property_10_compaction_changes_no_answer_from_any_cursor_on_either_database() {
    let config =
        ProptestConfig { cases: 4, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() };
    let days = prop::collection::vec(step(), 20..45);
    let mut runner = TestRunner::new(config);
    runner
        .run(&days, |steps| {
            compaction_changes_nothing(Backend::Sqlite, &steps);
            compaction_changes_nothing(Backend::Postgres, &steps);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_phone_from_before_the_floor_begins_anew_and_one_from_after_it_goes_on() {
    let steps = [
        Step::Meet { who: 0, month: 1, present: 11 },
        Step::Pull { who: 0, limit: 5 },
        Step::Withdraw { which: 0 },
        Step::Meet { who: 0, month: 2, present: 12 },
    ];
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let (resets, all) = compaction_changes_nothing(backend, &steps);
        assert!(0 < resets && resets < all, "{resets} of {all} on {backend:?}");
    }
}
