//! How PostgreSQL finds what is new in a few scopes, and counts what is there: by the place in each, however it plans. A plan that walks the feed, or
//! makes a bitmap of it for each scope, gives the same answers.

use super::pull_hash::fill_feed;
use muong_store::Connection;
use muong_store::feed::{COUNTED, OF_EACH_SCOPE, OF_ONE_SCOPE};
use muong_tests::database::{execute, texts};
use muong_tests::{Backend, TestApp};
use uuid::Uuid;

/// Scopes, and rows of each: enough that the planner has a choice.
const SCOPES: u128 = 40;
const ROWS: u32 = 400;

/// The plan of a statement with these arguments, made for them or for any.
fn plan(conn: &mut Connection, (types, statement): (&str, &str), arguments: &str, mode: &str) -> String {
    execute(conn, &format!("SET plan_cache_mode = {mode}; PREPARE asked ({types}) AS {statement}"));
    let lines =
        texts(conn, &format!("SELECT explained AS name FROM explain('EXECUTE asked ({arguments})') AS explained"));
    execute(conn, "DEALLOCATE asked");
    lines.join("\n")
}

#[test]
fn what_lies_in_a_scope_is_found_by_its_place_with_and_without_statistics() {
    let app = TestApp::start(Backend::Postgres);
    let scope = |n: u128| Uuid::from_u128(0x0197_c3a0_0000_7000_8000_0000_00aa_0000 + n);
    let mut conn = app.database().connect();
    execute(
        &mut conn,
        "CREATE FUNCTION explain(statement text) RETURNS SETOF text LANGUAGE plpgsql AS \
         $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN ' || statement; END $$",
    );
    let scopes: Vec<String> = (0..SCOPES).map(|n| format!("''{}''", scope(n))).collect();
    let last = Uuid::max();
    let each = format!("ARRAY[{}]::uuid[], 15900, ''{last}'', ''{last}'', 1000", scopes.join(","));
    let one = format!("{}, 15900, ''{last}'', ''{last}'', 16000, 1000", scopes[3]);
    let counted = format!("ARRAY[{}]::uuid[], 50001", scopes.join(","));
    let asked = [
        (("uuid[], bigint, uuid, uuid, bigint", OF_EACH_SCOPE), each),
        (("uuid, bigint, uuid, uuid, bigint, bigint", OF_ONE_SCOPE), one),
        (("uuid[], bigint", COUNTED), counted),
    ];
    let mut holds = |when: &str| {
        for (statement, arguments) in &asked {
            for mode in ["force_generic_plan", "force_custom_plan"] {
                let plan = plan(&mut conn, *statement, arguments, mode);
                let by_place = "Index Cond: ((ROW(scope, seq";
                let elsewhere = ["BitmapOr", "BitmapAnd", "feed_by_seq", "feed_by_id", "Seq Scan"];
                let is_astray = elsewhere.iter().any(|way| plan.contains(way));
                assert!(plan.contains(by_place) && !is_astray, "{when}, {mode}:\n{plan}");
            }
        }
    };
    holds("an almost empty feed");
    for n in 0..SCOPES {
        fill_feed(&app, scope(n), ROWS);
    }
    holds("a feed of which nothing is known yet");
    execute(&mut app.database().connect(), "ANALYZE feed");
    holds("a feed that is known");
}
