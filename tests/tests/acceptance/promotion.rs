//! A standby takes the place of its primary while the server runs: before anything is written there, a new epoch begins.

use muong_domain::id::Seq;
use muong_store::{Outcome, WriterError, log};
use muong_tests::builders::{meeting, person};
use muong_tests::client::{number, uuid};
use muong_tests::province::{ADMIN, DEPARTMENT, HUOI_SANG, NA_LONG, SECRETARY, found};
use muong_tests::standby::Pair;
use muong_tests::{Backend, Phone, TestApp, eventually, rebuilds_the_same_store};
use serde_json::json;
use std::convert::Infallible;
use std::sync::mpsc::{Sender, channel};
use tokio::sync::OwnedSemaphorePermit;

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

#[test]
fn postgres_what_the_standby_had_not_heard_of_is_forgotten_but_for_who_was_erased() {
    let pair = Pair::start(found);
    let app = TestApp::serve(Backend::Postgres, pair.database(), |_| {});
    let (secretary, department, admin) = (app.sign_in(SECRETARY), app.sign_in(DEPARTMENT), app.sign_in(ADMIN));
    let id = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, "Vừ A Chá", "1980-04-12"))["record"]);
    let erasures = || app.app().database.read(|read| Ok(log::of_kind(read, "erase")?.len()));
    let name = || admin.get(&format!("/v1/units/{NA_LONG}")).expect(200)["name"].clone();
    let old_name = name();
    pair.cut_off();
    department.post(&format!("/v1/records/{id}/erasure"), &json!({"reason": "Đơn rút lại sự đồng ý"})).expect(200);
    admin.post(&format!("/v1/units/{NA_LONG}/rename"), &json!({"name": "Chi bộ bị mất"})).expect(200);
    assert_eq!(name(), "Chi bộ bị mất", "it stands in the memory of this process");
    let old = head(&app);
    pair.fail_over_with_a_loss();
    // Whoever comes first, such as a phone, begins the new epoch; the erasure is made again all the same.
    let report = secretary.says(meeting(HUOI_SANG));
    eventually("a phone is served", || secretary.tries_to_push(&[&report]).status == 200);
    eventually("the erasure", || erasures().is_ok_and(|count| count == 1));
    assert_ne!(head(&app).epoch, old.epoch);
    eventually("reads are accounted for again", || secretary.get(&format!("/v1/records/{id}")).status == 200);
    assert_eq!(secretary.read(&format!("/v1/records/{id}"))["erased"], json!(true));
    assert_eq!(name(), old_name);
    // The same number as in the lost history does not bring that back.
    admin.post(&format!("/v1/units/{NA_LONG}/rename"), &json!({"name": "Chi bộ mới"})).expect(200);
    assert_eq!(name(), "Chi bộ mới");
    drop(rebuilds_the_same_store(&app.app().database, Backend::Postgres, "after the promotion"));
}

#[test]
fn postgres_nobody_is_shown_anything_of_the_promoted_store_before_all_is_erased_that_the_ledger_tells_of() {
    let pair = Pair::start(found);
    let app = TestApp::serve(Backend::Postgres, pair.database(), |_| {});
    let (secretary, department) = (app.sign_in(SECRETARY), app.sign_in(DEPARTMENT));
    let id = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, "Vừ A Chá", "1980-04-12"))["record"]);
    let mut phone = Phone::default();
    phone.pulls(&secretary);
    assert!(phone.things().contains_key(&id));
    pair.cut_off();
    department.post(&format!("/v1/records/{id}/erasure"), &json!({"reason": "Đơn rút lại sự đồng ý"})).expect(200);
    let ledger = app.app().ledger.path().to_owned();
    let told = std::fs::read(&ledger).expect("a ledger");
    // For a while it cannot be read, so that there is time to look.
    std::fs::write(&ledger, "hỏng\n").expect("it is spoiled");
    let old = head(&app);
    pair.fail_over_with_a_loss();
    let read = || secretary.get(&format!("/v1/records/{id}"));
    let pull = || secretary.post("/v1/sync/pull", &json!({}));
    eventually("it answers", || app.app().database.read(|read| read.head()).is_ok());
    // Also before anybody has begun the new epoch.
    let is_shown = || [read(), pull()].iter().any(|answer| answer.status == 200);
    eventually("the new epoch", || {
        assert!(!is_shown());
        head(&app).epoch != old.epoch
    });
    // What phones have to say is taken.
    let report = secretary.says(meeting(HUOI_SANG));
    eventually("a phone is served", || secretary.tries_to_push(&[&report]).status == 200);
    for _ in 0..20 {
        for answer in [read(), pull()] {
            answer.problem(503, "server.not_ready");
            assert_eq!(answer.header("retry-after"), "5");
        }
    }
    // All at once: an empty one, which it would be for a moment, tells of nobody.
    let whole = ledger.with_extension("whole");
    std::fs::write(&whole, told).expect("it is written");
    std::fs::rename(&whole, &ledger).expect("it is put back");
    eventually("both are answered again", || [read(), pull()].iter().all(|answer| answer.status == 200));
    assert_eq!(read().expect(200)["erased"], json!(true));
    phone.pulls(&secretary);
    assert!(!phone.things().contains_key(&id));
}

/// Holds the writer, which is at work by then, until what is answered is dropped.
fn hold_the_writer(app: &TestApp) -> Sender<()> {
    let (begun, waits) = channel();
    let (release, released) = channel::<()>();
    let busy = app.app().writer.submit(1, move |_tx| {
        let _nobody_listens_twice = begun.send(());
        let _dropped_says_the_same = released.recv();
        Ok(Outcome::<(), ()>::Refuse(()))
    });
    drop(busy.expect("it is taken on"));
    waits.recv().expect("the writer is at work");
    release
}

/// Takes the only place at which work is done beside the threads that serve, as soon as whoever has it is done.
fn take_the_place_for_work(app: &TestApp) -> OwnedSemaphorePermit {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(app.app().capacity.work.enter()).expect("a place")
}

#[test]
fn postgres_an_erasure_that_a_lost_primary_took_with_it_before_it_was_written_down_is_not_answered_as_done() {
    let pair = Pair::start(found);
    let app = TestApp::serve(Backend::Postgres, pair.database(), |_| {});
    let (secretary, department) = (app.sign_in(SECRETARY), app.sign_in(DEPARTMENT));
    let id = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, "Vừ A Chá", "1980-04-12"))["record"]);
    let erasures = || app.app().database.read(|read| Ok(log::of_kind(read, "erase")?.len()));
    let (path, reason) = (format!("/v1/records/{id}/erasure"), json!({"reason": "Đơn rút lại sự đồng ý"}));
    pair.cut_off();
    // It is asked whether the ledger could be written to, which makes the file again; what comes then waits for the writer.
    let ledger = &app.app().ledger;
    std::fs::remove_file(ledger.path()).expect("an empty ledger");
    let writer = hold_the_writer(&app);
    let asked = {
        let (client, path, reason) = (department.client(), path.clone(), reason.clone());
        std::thread::spawn(move || client.post(&path, &reason))
    };
    eventually("the ledger is ready", || ledger.exists());
    // It is committed, and waits to be written down.
    let place = take_the_place_for_work(&app);
    drop(writer);
    eventually("the erasure", || erasures().is_ok_and(|count| count == 1));
    let old = head(&app);
    pair.fail_over_with_a_loss();
    eventually("the new epoch", || {
        app.app().database.read(|read| read.head()).is_ok_and(|head| head.epoch != old.epoch)
    });
    drop(place);
    asked.join().expect("it is answered").problem(503, "server.unledgered");
    assert_eq!(ledger.read().expect("a ledger"), [], "there is nothing to be erased again");
    assert_eq!(erasures().expect("a log"), 0);
    let read = || secretary.get(&format!("/v1/records/{id}"));
    eventually("reads are accounted for again", || read().status == 200);
    assert_eq!(read().expect(200)["data"]["full_name"], "Vừ A Chá", "nobody has been told otherwise");
    // Tried again, as the answer says, it is done, and written down.
    department.post(&path, &reason).expect(200);
    let told = ledger.read().expect("a ledger");
    assert_eq!(told.iter().map(|erased| erased.person.uuid()).collect::<Vec<_>>(), [id]);
    assert_eq!(read().expect(200)["erased"], json!(true));
    drop(rebuilds_the_same_store(&app.app().database, Backend::Postgres, "after the promotion"));
}

#[test]
fn postgres_who_pushes_while_there_is_no_database_is_told_so_and_all_goes_on_once_there_is_one() {
    let pair = Pair::start(found);
    let app = TestApp::serve(Backend::Postgres, pair.database(), |_| {});
    let secretary = app.sign_in(SECRETARY);
    let (first, second) =
        (secretary.says(meeting(HUOI_SANG)), secretary.says(person(HUOI_SANG, "Vừ A Chá", "1980-04-12")));
    secretary.push(&[&first]);
    let write = || app.app().writer.write::<(), Infallible>(1, |_| Ok(Outcome::Commit(())));
    pair.lose_primary();
    assert_eq!(secretary.tries_to_push(&[&second]).status, 503);
    // The first may find out that the connection is gone; the next ones know.
    for _ in 0..3 {
        assert!(matches!(write(), Err(WriterError::Store(error)) if error.is_unavailable()));
    }
    pair.promote();
    write().expect("the writer connects again");
    eventually("the readers connect again", || app.app().database.read(|read| read.head()).is_ok());
    assert_eq!(secretary.push(&[&second]).statuses(), ["accepted"]);
}
