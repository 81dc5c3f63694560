//! Property 10 of the sync design where it is hardest: the feed is compacted between the pages of phones that stand anywhere,
//! a part of what is gone at a time.

use super::super::pull_days::{Days, Step, days};
use super::holds;
use chrono::{DateTime, TimeDelta, Utc};
use muong_server::usecases::compact::compact;
use muong_tests::app::MORNING;
use muong_tests::builders::meeting;
use muong_tests::client::uuid;
use muong_tests::province::{DEPARTMENT, PHIENG_SANG, STRANGER};
use muong_tests::{Backend, Phone, Reporter, Submission};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

/// For so many days at least the feed tells that something is gone.
const DAYS: u32 = 30;

/// One of the phones, how many messages it asks for, and whether the feed is compacted first.
type Turn = (Index, u16, bool);

/// Half-way it is compacted in any case.
fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turns = prop::collection::vec((any::<Index>(), 1_u16..4, prop::bool::weighted(0.2)), 40..90);
    turns.prop_map(|mut turns| {
        let half_way = turns.len() / 2;
        turns[half_way].2 = true;
        turns
    })
}

/// Takes whatever is answered, a page or that it has to begin anew.
fn goes_on(phone: &mut Phone, user: &Reporter, limit: u16) {
    let answer = phone.asks(user, &json!({"limit": limit}));
    phone.takes(&answer);
}

/// A meeting that the province has been told of, as long as it sees any, is withdrawn by somebody to whom nothing else
/// happens: so in each of these lives something is gone at the end, whatever else came to pass.
fn one_meeting_is_told_of_and_withdrawn(days: &mut Days) {
    let stranger = days.app.sign_in(STRANGER);
    let said = meeting(PHIENG_SANG).to("period", "2025-12").to("held_on", "2025-12-05");
    let record = uuid(&stranger.reports_as("accepted", said)["record"]);
    while days.pull(DEPARTMENT, 5)["more"] == true {}
    stranger.reports_as("accepted", Submission::delete(record, PHIENG_SANG));
    days.app.pass(TimeDelta::seconds(1));
}

/// How the clock goes on while the feed is compacted so many times: at first nothing is old enough to go, at last all that
/// went in the life is. For how many days the feed tells of it, and what passes before each time.
fn spread_over(lived: TimeDelta, compactions: usize) -> (u32, TimeDelta) {
    let times = i32::try_from(compactions).expect("a few");
    let whole_days = u32::try_from(lived.num_days()).expect("some days");
    (DAYS + whole_days + 1, (lived + TimeDelta::days(1)) / times)
}

fn whoever_pulls_meanwhile_ends_with_the_same(backend: Backend, steps: &[Step], turns: &[Turn]) {
    let mut days = Days::lived(backend, steps);
    one_meeting_is_told_of_and_withdrawn(&mut days);
    let lived = days.app.now() - MORNING.parse::<DateTime<Utc>>().expect("an instant");
    // Whatever changes by itself, on its day, has changed by then.
    days.app.pass(TimeDelta::days(DAYS.into()));
    days.end();
    let mut phones = std::mem::take(&mut days.earlier_phones);
    let (retention, pause) = spread_over(lived, turns.iter().filter(|(_, _, is_compacted)| *is_compacted).count());
    let mut gone = 0;
    for (which, limit, is_compacted) in turns {
        if *is_compacted {
            days.app.pass(pause);
            gone += compact(&days.app.app().writer, retention).expect("it compacts");
        }
        let at = which.index(phones.len());
        let (login, phone) = &mut phones[at];
        goes_on(phone, &days.people[*login], *limit);
    }
    assert!(gone > 0, "nothing was removed between the pages, so nothing was tried");
    for (login, mut phone) in phones {
        goes_on(&mut phone, &days.people[login], 500);
        phone.pulls(&days.people[login]);
        let expected = &days.phones[login];
        assert_eq!(phone.things(), expected.things(), "{login}, {gone} rows are gone");
        assert_eq!(phone.aliases(), expected.aliases(), "{login}, {gone} rows are gone");
    }
}

fn property_10_holds_between_pages(backend: Backend) {
    holds(2, &(days(20..45), turns()), |(steps, turns)| {
        whoever_pulls_meanwhile_ends_with_the_same(backend, &steps, &turns);
        Ok(())
    });
}

#[test]
fn sqlite_property_10_compaction_between_the_pages_of_a_phone_changes_nothing_that_it_ends_with() {
    property_10_holds_between_pages(Backend::Sqlite);
}

#[test]
fn postgres_property_10_compaction_between_the_pages_of_a_phone_changes_nothing_that_it_ends_with() {
    property_10_holds_between_pages(Backend::Postgres);
}
