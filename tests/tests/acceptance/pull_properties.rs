//! Properties 2, 8, 9 and 10 of the sync design over random days of a province (`pull_days`), on both databases.

use super::pull_days::{Days, Step, days};
use chrono::TimeDelta;
use muong_server::usecases::compact::compact;
use muong_tests::phone::messages;
use muong_tests::{Backend, Phone, Reporter};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Goes on pulling from where a phone stood, which begins anew when it is told to; whether it was.
fn goes_on(phone: &mut Phone, user: &Reporter) -> bool {
    let answer = phone.asks(user, &json!({}));
    phone.takes(&answer);
    phone.pulls(user);
    !answer["reset"].is_null()
}

/// Property 10: from wherever a phone stood, it ends with what it would have had without compaction.
fn compaction_changes_nothing(backend: Backend, steps: &[Step]) -> (usize, usize) {
    let mut days = Days::lived(backend, steps);
    days.app.pass(TimeDelta::days(40));
    days.end();
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

/// What was delivered, page by page, as its bytes. Entries are numbered anew, in their order: the log also holds anchors of
/// the audit, which come when they come; and a cursor names entries.
fn live(backend: Backend, steps: &[Step]) -> Vec<String> {
    let mut days = Days::lived(backend, steps);
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

fn holds(cases: u32, steps: Range<usize>, property: impl Fn(&[Step])) {
    let config = ProptestConfig { cases, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&days(steps), |steps| {
            property(&steps);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

fn is_alike_on_both(steps: &[Step]) {
    assert_eq!(live(Backend::Sqlite, steps), live(Backend::Postgres, steps));
}

#[test]
fn property_2_8_and_9_a_phone_ends_with_what_its_user_may_see_is_told_of_nothing_else_and_alike_on_both_databases() {
    holds(6, 15..60, is_alike_on_both);
}

#[test]
fn property_10_compaction_changes_no_answer_from_any_cursor_on_either_database() {
    holds(4, 20..55, |steps| {
        compaction_changes_nothing(Backend::Sqlite, steps);
        compaction_changes_nothing(Backend::Postgres, steps);
    });
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
