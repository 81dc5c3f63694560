//! Pull when the clock jumps between two pages of one way, over the day on which units turn, ahead or back: a cursor holds
//! the day to which the way leads, so at the end a phone has what one has that begins then.

use muong_tests::builders::meeting;
use muong_tests::province::{ADMIN, COMMUNE, HUOI_SANG, MUONG_NHE, NA_LONG, NEIGHBOUR, PROVINCE, SECRETARY};
use muong_tests::{Backend, Phone, Reporter, TestApp, on_each};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

on_each!(
    a_unit_turns_on_a_day_that_comes_between_two_pages_of_a_bootstrap,
    a_unit_turns_back_when_the_clock_is_put_back_between_two_pages_of_a_bootstrap,
    a_clock_that_runs_ahead_for_some_pages_leaves_no_unit_as_of_a_day_that_has_not_come,
    a_clock_that_falls_behind_for_some_pages_leaves_no_unit_as_of_a_day_that_is_over,
);

/// The day on which units turn.
const DAY: &str = "2026-03-12";
/// The last second before it, in Hanoi.
const BEFORE: &str = "2026-03-11T16:59:59Z";
/// Its first.
const AFTER: &str = "2026-03-11T17:00:00Z";

/// A commune of which one branch is called otherwise, one dissolved and one founded on the same day, on which the province
/// above it, too, is called otherwise; and its committee.
struct Commune {
    /// Let go of before the server.
    committee: Reporter,
    app: TestApp,
    /// In how many pages of one message a phone has everything.
    pages: usize,
}

/// What a phone has that begins now.
fn what_is_there(who: &Reporter) -> BTreeMap<Uuid, Value> {
    let mut phone = Phone::default();
    phone.pulls(who);
    phone.things()
}

impl Commune {
    fn begin(backend: Backend) -> Self {
        let app = TestApp::start_with(backend, |config| config.access_token_seconds = 10_000_000);
        for (login, unit) in [(SECRETARY, HUOI_SANG), (NEIGHBOUR, NA_LONG)] {
            app.sign_in(login).reports_as("accepted", meeting(unit));
        }
        let admin = app.sign_in(ADMIN);
        let change = |unit: Uuid, what: &str, body: &Value| {
            admin.post(&format!("/v1/units/{unit}/{what}"), body).expect(200);
        };
        change(PROVINCE, "rename", &json!({"name": "Tỉnh ủy Điện Biên mới", "on": DAY}));
        change(HUOI_SANG, "rename", &json!({"name": "Chi bộ Huổi Sang mới", "on": DAY}));
        change(NA_LONG, "dissolve", &json!({"on": DAY}));
        let founded = json!({"parent": MUONG_NHE, "kind": "branch", "name": "Chi bộ trường học", "valid_from": DAY});
        admin.post("/v1/units", &founded).expect(201);
        let committee = app.sign_in(COMMUNE);
        app.set_clock(BEFORE);
        let pages = Phone::default().pulls_by(&committee, 1).len();
        let before = what_is_there(&committee);
        app.set_clock(AFTER);
        let after = what_is_there(&committee);
        let turned = before.iter().filter(|(id, thing)| after[*id] != **thing).count();
        assert_eq!(turned, 4, "{before:#?} {after:#?}");
        Self { committee, app, pages }
    }

    /// A phone that pulls so many pages of one message by one clock after the other, and the rest by the last.
    #[track_caller]
    fn ends_as_one_that_begins_then(&self, clocks: &[(&str, usize)]) {
        let mut phone = Phone::default();
        for (clock, pages) in clocks {
            self.app.set_clock(clock);
            (0..*pages).for_each(|_| drop(phone.pulls_a_page(&self.committee, 1)));
        }
        phone.pulls_by(&self.committee, 1);
        assert_eq!(phone.things(), what_is_there(&self.committee), "{clocks:?}");
        assert_eq!(phone.pulls(&self.committee), Vec::<Value>::new(), "{clocks:?}");
    }

    /// By one clock, for one page and for some by another, and by the first again: wherever on the way it is.
    #[track_caller]
    fn goes_astray_for_some_pages(&self, right: &str, wrong: &str) {
        for pages in 0..=self.pages {
            for astray in [1, 3] {
                self.ends_as_one_that_begins_then(&[(right, pages), (wrong, astray), (right, 0)]);
            }
        }
    }
}

fn a_unit_turns_on_a_day_that_comes_between_two_pages_of_a_bootstrap(backend: Backend) {
    let commune = Commune::begin(backend);
    (1..=commune.pages).for_each(|pages| commune.ends_as_one_that_begins_then(&[(BEFORE, pages), (AFTER, 0)]));
}

fn a_unit_turns_back_when_the_clock_is_put_back_between_two_pages_of_a_bootstrap(backend: Backend) {
    let commune = Commune::begin(backend);
    (1..=commune.pages).for_each(|pages| commune.ends_as_one_that_begins_then(&[(AFTER, pages), (BEFORE, 0)]));
}

fn a_clock_that_runs_ahead_for_some_pages_leaves_no_unit_as_of_a_day_that_has_not_come(backend: Backend) {
    Commune::begin(backend).goes_astray_for_some_pages(BEFORE, AFTER);
}

fn a_clock_that_falls_behind_for_some_pages_leaves_no_unit_as_of_a_day_that_is_over(backend: Backend) {
    Commune::begin(backend).goes_astray_for_some_pages(AFTER, BEFORE);
}
