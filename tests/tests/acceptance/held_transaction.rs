//! A transaction of one process that is held between allocation and commit, on a real PostgreSQL, while phones push and
//! pull at another: pushes wait for it, pulls do not, and nobody ever misses what it commits.

use muong_domain::id::UnitId;
use muong_domain::unit::{Tree, Unit, UnitVersion};
use muong_server::reference::ReferenceCache;
use muong_server::usecases::found_units::{Founding, found_units};
use muong_store::{Outcome, Writer};
use muong_tests::builders::meeting;
use muong_tests::client::{number, text, uuid};
use muong_tests::database::number as count;
use muong_tests::province::{HUOI_SANG, OPERATOR, SECRETARY, branch_founded_on};
use muong_tests::{Backend, Reporter, TestApp, eventually, id};
use serde_json::{Value, json};
use std::sync::mpsc::{Receiver, Sender, channel};
use uuid::Uuid;

fn group() -> (Uuid, Founding) {
    let unit = id();
    let version = UnitVersion {
        valid_from: branch_founded_on(),
        valid_to: None,
        kind: "party_group".to_owned(),
        name: "Tổ đảng số 1".to_owned(),
        parent: Some(UnitId::new(HUOI_SANG)),
    };
    let unit_of =
        Unit { id: unit.into(), tree: Tree::Party, founded_on: None, versions: vec![version], codes: Vec::new() };
    (unit, Founding { units: vec![unit_of], coverage: Vec::new() })
}

/// Founds a unit, and holds the transaction once everything is allocated and written until it is told to go on.
fn hold(writer: Writer, founding: Founding, held: Sender<()>, go_on: Receiver<()>) {
    let cache = ReferenceCache::default();
    let change = move |tx: &mut muong_store::Tx<'_>| {
        let outcome = found_units(tx, &cache, &OPERATOR, &founding)?;
        held.send(()).expect("the test waits");
        go_on.recv().expect("the test goes on");
        Ok(outcome)
    };
    let founded = writer.write(1, change).expect("it is committed");
    assert!(matches!(founded, Outcome::Commit(_)));
}

fn pull(who: &Reporter, cursor: &Value) -> Value {
    who.post("/v1/sync/pull", &json!({"cursor": cursor, "limit": 1000})).expect(200)
}

/// From a page, the ids that were put.
fn put(page: &Value) -> Vec<Uuid> {
    let messages = page["messages"].as_array().expect("messages").iter();
    messages.filter(|message| message["t"] == "put").map(|message| uuid(&message["id"])).collect()
}

#[test]
fn what_a_held_transaction_has_allocated_is_missed_by_nobody() {
    let app = TestApp::start(Backend::Postgres);
    let other = app.beside();
    // The same person on two phones: one pushes, the other pulls.
    let (secretary, pusher) = (app.sign_in(SECRETARY), app.sign_in(SECRETARY));
    let mut page = pull(&secretary, &Value::Null);
    while page["more"] == true {
        page = pull(&secretary, &page["cursor"]);
    }
    let head = number(&page["head"]);
    let (unit, founding) = group();
    let ((held, is_held), (go_on, goes_on)) = (channel(), channel());
    let writer = other.app().writer.clone();
    std::thread::scope(|scope| {
        let holding = scope.spawn(|| hold(writer, founding, held, goes_on));
        is_held.recv().expect("it has allocated");
        let pushing = scope.spawn(move || pusher.reports_as("accepted", meeting(HUOI_SANG)));
        let waits = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() \
                     AND wait_event_type = 'Lock' AND query LIKE '%feed_head%'";
        let mut conn = app.database().connect();
        eventually("the push waits for the head", || count(&mut conn, waits) == 1);
        // Nobody waits to read, and nobody sees a part of what is not committed.
        for _ in 0..3 {
            let meanwhile = pull(&secretary, &page["cursor"]);
            assert_eq!((number(&meanwhile["head"]), put(&meanwhile).len()), (head, 0), "{meanwhile}");
            page["cursor"] = meanwhile["cursor"].clone();
        }
        assert!(!pushing.is_finished());
        go_on.send(()).expect("it waits");
        holding.join().expect("it is committed");
        let pushed = pushing.join().expect("it is answered");
        assert!(number(&pushed["v"]) > head + 1, "it came after what was held: {}", text(&pushed["status"]));
        let then = pull(&secretary, &page["cursor"]);
        assert_eq!(number(&then["head"]), number(&pushed["v"]));
        let told = put(&then);
        assert!(told.contains(&unit) && told.contains(&uuid(&pushed["record"])), "{then}");
    });
    drop(other);
}
