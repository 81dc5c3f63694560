//! Every erasure is written down outside the database before it is answered; otherwise it is not answered as done.

use muong_tests::builders::person;
use muong_tests::client::uuid;
use muong_tests::province::{DEPARTMENT, HUOI_SANG, SECRETARY};
use muong_tests::{Backend, TestApp, on_each};
use serde_json::json;
use tempfile::TempDir;

on_each!(nobody_is_erased_when_it_cannot_be_written_down, what_could_not_be_written_down_is_at_the_next_start,);

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
