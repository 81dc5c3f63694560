//! A standby takes the place of its primary while the server runs: before anything is written there, a new epoch begins.

use muong_domain::id::Seq;
use muong_tests::builders::{meeting, person};
use muong_tests::client::{number, uuid};
use muong_tests::province::{DEPARTMENT, HUOI_SANG, SECRETARY, found};
use muong_tests::standby::Pair;
use muong_tests::{Backend, TestApp, eventually, rebuilds_the_same_store};
use serde_json::json;

fn head(app: &TestApp) -> muong_store::Head {
    app.app().database.read(|read| read.head()).expect("a head")
}

#[test]
fn postgres_a_promotion_while_the_server_runs_begins_a_new_epoch_before_anything_is_written() {
    let pair = Pair::start(found);
    let app = TestApp::serve(Backend::Postgres, pair.database(), |_| {});
    let secretary = app.sign_in(SECRETARY);
    let first = secretary.says(meeting(HUOI_SANG));
    let before = secretary.push(&[&first]);
    let id = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, "Vừ A Chá", "1980-04-12"))["record"]);
    let department = app.sign_in(DEPARTMENT);
    let reason = json!({"reason": "Đơn rút lại sự đồng ý"});
    department.post(&format!("/v1/records/{id}/erasure"), &reason).expect(200);
    let old = head(&app);
    pair.fail_over();
    // Nobody writes anything, and still it is noticed.
    eventually("the new epoch", || {
        app.app().database.read(|read| read.head()).is_ok_and(|head| head.epoch != old.epoch)
    });
    let new = head(&app);
    assert_eq!((new.epoch_began, new.seq), (old.seq, Seq(old.seq.0 + 1)), "where the other ended, with one entry");
    assert_ne!(new.lineage, old.lineage);
    let system = |head: &muong_store::Head| head.lineage.split('/').next().map(str::to_owned);
    assert_eq!(system(&new), system(&old));
    // It is the one that phones are told, and what was acknowledged is there.
    let again = secretary.push(&[&first]);
    assert_eq!(again.statuses(), ["duplicate"]);
    assert_ne!(again.0["epoch"], before.0["epoch"]);
    assert_eq!(again.0["epoch"], json!(new.epoch));
    assert!(number(&again.0["head"]) >= new.seq.0);
    secretary.reports_as("accepted", person(HUOI_SANG, "Lò Văn Sau", "1980-04-12"));
    assert_eq!(head(&app).epoch, new.epoch, "once");
    drop(rebuilds_the_same_store(&app.app().database, Backend::Postgres, "after the promotion"));
}
