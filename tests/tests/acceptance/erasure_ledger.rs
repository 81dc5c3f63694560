//! Every erasure is written down outside the database before it is answered; otherwise it is not answered as done.

use muong_domain::id::Seq;
use muong_server::usecases::failure::Failure;
use muong_server::usecases::keep_erasures::write_down;
use muong_tests::builders::person;
use muong_tests::client::{number, uuid};
use muong_tests::province::{DEPARTMENT, HUOI_SANG, SECRETARY};
use muong_tests::{Backend, TestApp, on_each};
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

on_each!(
    nobody_is_erased_when_it_cannot_be_written_down,
    what_could_not_be_written_down_is_at_the_next_start,
    an_entry_that_is_not_that_very_erasure_is_not_written_down_as_it,
);

const NAME: &str = "Vừ A Chá Quá Dài";

fn folder() -> TempDir {
    TempDir::with_prefix("muong-ledger-").expect("a folder")
}

fn seq(app: &TestApp) -> i64 {
    app.app().database.read(|read| Ok(read.head()?.seq.0)).expect("a head")
}

fn nobody_is_erased_when_it_cannot_be_written_down(backend: Backend) {
    let folder = folder();
    let app = TestApp::start_with(backend, |config| {
        config.erasure_ledger = Some(folder.path().join("there/erasures.ledger"));
        std::fs::create_dir(folder.path().join("there")).expect("a folder");
    });
    let id = uuid(&app.sign_in(SECRETARY).reports_as("accepted", person(HUOI_SANG, NAME, "1980-04-12"))["record"]);
    let department = app.sign_in(DEPARTMENT);
    // Its disk is gone.
    std::fs::rename(folder.path().join("there"), folder.path().join("gone")).expect("it is moved");
    let path = format!("/v1/records/{id}/erasure");
    let reason = json!({"reason": "Đơn rút lại sự đồng ý"});
    let before = seq(&app);
    department.post(&path, &reason).problem(503, "server.unledgered");
    assert_eq!(seq(&app), before, "nothing was done");
    std::fs::rename(folder.path().join("gone"), folder.path().join("there")).expect("it is back");
    department.post(&path, &reason).expect(200);
    let ledger = std::fs::read_to_string(folder.path().join("there/erasures.ledger")).expect("a ledger");
    assert_eq!(ledger.lines().count(), 1);
    assert!(ledger.contains(&id.to_string()) && !ledger.contains("Chá") && !ledger.contains("Đơn"), "{ledger}");
    department.post(&path, &reason).problem(409, "person.already_erased");
    assert_eq!(app.app().ledger.read().expect("a ledger").len(), 1);
}

fn what_could_not_be_written_down_is_at_the_next_start(backend: Backend) {
    let folder = folder();
    let mut app = TestApp::start(backend);
    let id = uuid(&app.sign_in(SECRETARY).reports_as("accepted", person(HUOI_SANG, NAME, "1980-04-12"))["record"]);
    let reason = json!({"reason": "Đơn rút lại sự đồng ý"});
    app.sign_in(DEPARTMENT).post(&format!("/v1/records/{id}/erasure"), &reason).expect(200);
    let written = app.app().ledger.read().expect("a ledger");
    let database = app.database().shared();
    app.wait();
    // As if the process had been killed between the commit and the ledger: the file lacks it.
    let again = TestApp::serve(backend, database, |config| {
        config.erasure_ledger = Some(folder.path().join("new.ledger"));
    });
    assert_eq!(again.app().ledger.read().expect("a ledger"), written);
    let asked = again.sign_in(DEPARTMENT).post(&format!("/v1/records/{id}/erasure"), &reason);
    asked.problem(409, "person.already_erased");
}

/// Writes down the erasure of an entry, as the request does that has made it.
fn writes_down(app: &TestApp, entry: i64, decision: Uuid) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(write_down(app.app(), Seq(entry), decision))
}

/// What stands at its number may be something else: after a promotion that lost it, numbers are given out again.
fn an_entry_that_is_not_that_very_erasure_is_not_written_down_as_it(backend: Backend) {
    let app = TestApp::start(backend);
    let (secretary, department) = (app.sign_in(SECRETARY), app.sign_in(DEPARTMENT));
    let [one, other] = [NAME, "Lò Văn Sau"].map(|name| {
        let id = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, name, "1980-04-12"))["record"]);
        let reason = json!({"reason": "Đơn rút lại sự đồng ý"});
        number(&department.post(&format!("/v1/records/{id}/erasure"), &reason).expect(200)["v"])
    });
    let told = app.app().ledger.read().expect("a ledger");
    let [decision, another] = [0, 1].map(|place| told[place].id);
    std::fs::remove_file(app.app().ledger.path()).expect("it is lost");
    let nothing = seq(&app) + 1;
    for (entry, decision) in [(one, another), (other, decision), (one - 1, decision), (nothing, decision)] {
        let written = writes_down(&app, entry, decision);
        assert!(matches!(written, Err(Failure::Unledgered)), "{entry}: {written:?}");
    }
    assert_eq!(app.app().ledger.read().expect("a ledger"), [], "nothing was written down");
    for (entry, decision) in [(one, decision), (other, another), (one, decision)] {
        writes_down(&app, entry, decision).expect("it is that very erasure");
    }
    assert_eq!(app.app().ledger.read().expect("a ledger"), told, "each once");
}
