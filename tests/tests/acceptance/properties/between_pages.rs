//! Property 10 of the sync design where it is hardest: the feed is compacted between the pages of phones that stand anywhere,
//! a day of what is gone at a time.

use super::super::pull_days::{Days, Step, days};
use super::holds;
use chrono::TimeDelta;
use muong_server::usecases::compact::compact;
use muong_tests::{Backend, Phone, Reporter};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

/// For so many days the feed tells that something is gone.
const DAYS: u32 = 30;

/// One of the phones, how many messages it asks for, and whether the feed is compacted first.
type Turn = (Index, u16, bool);

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    prop::collection::vec((any::<Index>(), 1_u16..4, prop::bool::weighted(0.2)), 40..90)
}

/// Takes whatever is answered, a page or that it has to begin anew.
fn goes_on(phone: &mut Phone, user: &Reporter, limit: u16) {
    let answer = phone.asks(user, &json!({"limit": limit}));
    phone.takes(&answer);
}

fn whoever_pulls_meanwhile_ends_with_the_same(backend: Backend, steps: &[Step], turns: &[Turn]) {
    let mut days = Days::lived(backend, steps);
    // Whatever changes by itself, on its day, has changed by then; and what is gone begins to be old enough.
    days.app.pass(TimeDelta::days(i64::from(DAYS) - 1));
    days.end();
    let mut phones = std::mem::take(&mut days.earlier_phones);
    let mut gone = 0;
    for (which, limit, is_compacted) in turns {
        if *is_compacted {
            days.app.pass(TimeDelta::days(1));
            gone += compact(&days.app.app().writer, DAYS).expect("it compacts");
        }
        let at = which.index(phones.len());
        let (login, phone) = &mut phones[at];
        goes_on(phone, &days.people[*login], *limit);
    }
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
