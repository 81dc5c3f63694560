//! `muong check`: nothing to say of an installation that works, and of each fault what it is and what to do.

use diesel::connection::SimpleConnection;
use muong_server::clock::Clock;
use muong_server::commands::check;
use muong_server::config::{Config, Secret};
use muong_store::{Connection, DatabaseUrl, migrate};
use muong_tests::client::text;
use muong_tests::{Backend, TestApp, on_each};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::Value;
use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

on_each!(
    an_installation_that_works_has_no_fault,
    a_database_that_does_not_answer_is_named_without_its_password,
    a_missing_migration_is_named,
    a_database_that_only_reads_is_named,
    a_signing_key_that_others_can_read_is_named,
    a_signing_key_that_is_none_is_named,
    an_address_that_is_taken_is_named_unless_by_ourselves,
    a_clock_that_went_back_is_named,
    a_certificate_that_has_expired_is_named,
    more_connections_than_the_system_allows_are_named,
    a_missing_or_old_backup_and_a_missing_ledger_are_warned_of,
);

/// The warnings of one check.
fn warnings(report: &Value, check: &str) -> Vec<String> {
    let all = report["found"].as_array().expect("a list").iter();
    let of = all.filter(|found| found["check"] == check && found["level"] == "warning");
    of.map(|found| text(&found["says"]).to_owned()).collect()
}

fn a_missing_or_old_backup_and_a_missing_ledger_are_warned_of(backend: Backend) {
    let app = TestApp::start(backend);
    let folder = TempDir::with_prefix("muong-backups-").expect("a folder");
    let (_, report) = found(&app, |_| {});
    assert_eq!(warnings(&report, "backups"), ["there has never been a backup"]);
    assert_eq!(warnings(&report, "ledger of erasures"), Vec::<String>::new(), "{report}");
    app.back_up(folder.path());
    assert_eq!(warnings(&found(&app, |_| {}).1, "backups"), Vec::<String>::new());
    app.pass(chrono::TimeDelta::hours(40));
    let (_, report) = found(&app, |config| config.erasure_ledger = Some(folder.path().join("none")));
    let [old] = <[String; 1]>::try_from(warnings(&report, "backups")).expect("one warning");
    assert!(old.contains("40 hours ago"), "{old}");
    assert_eq!(warnings(&report, "ledger of erasures").len(), 1, "{report}");
    let (ok, report) = found(&app, |config| config.erasure_ledger = Some(folder.path().to_owned()));
    assert!(!ok && only_fault(&report, "ledger of erasures").contains("is no file"), "{report}");
}

/// What it finds with the configuration of a server, changed; and whether it ends well.
fn found(app: &TestApp, change: impl FnOnce(&mut Config)) -> (bool, Value) {
    let mut config = app.app().config.clone();
    config.listen = "127.0.0.1:0".to_owned();
    change(&mut config);
    let mut out = Vec::new();
    let ended = check::run_with(config, Clock::Fixed(app.now()), &mut out);
    let report: Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!(report["ok"], ended.is_ok(), "{report}");
    (ended.is_ok(), report)
}

/// On PostgreSQL the test's clock is months away from the server's: that is a fault, and not what these are about.
fn faults(report: &Value) -> Vec<&Value> {
    let all = report["found"].as_array().expect("a list").iter();
    let others = |found: &&Value| !(found["check"] == "clock" && text(&found["says"]).contains("away from ours"));
    all.filter(|found| found["level"] == "fault").filter(others).collect()
}

/// The one fault, which belongs to this check and says how to mend it.
#[track_caller]
fn only_fault(report: &Value, check: &str) -> String {
    let faults = faults(report);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert_eq!(faults[0]["check"], check, "{faults:#?}");
    assert!(text(&faults[0]["remedy"]).len() > 3, "{faults:#?}");
    text(&faults[0]["says"]).to_owned()
}

fn an_installation_that_works_has_no_fault(backend: Backend) {
    let app = TestApp::start(backend);
    let (_, report) = found(&app, |_| {});
    assert_eq!(faults(&report), Vec::<&Value>::new());
    let checks: Vec<&str> =
        report["found"].as_array().expect("a list").iter().map(|found| text(&found["check"])).collect();
    for check in ["configuration", "signing keys", "database", "migrations", "database writes", "forms", "clock"] {
        assert!(checks.contains(&check), "{check}: {checks:?}");
    }
    assert_eq!(report["configuration"]["database_url"]["value"], "[redacted]");
    assert_eq!(report["configuration"]["http.requests"]["value"], 4000);
}

fn a_database_that_does_not_answer_is_named_without_its_password(backend: Backend) {
    let app = TestApp::start(backend);
    let (ok, report) = found(&app, |config| {
        config.database_url = Secret::new("postgres://muong:hunter2@127.0.0.1:1/muong".to_owned());
    });
    assert!(!ok);
    assert!(only_fault(&report, "database").contains("cannot be reached"), "{report}");
    assert!(!report.to_string().contains("hunter2"), "{report}");
}

fn execute(app: &TestApp, statement: &str) {
    match &mut app.database().connect() {
        Connection::Sqlite(c) => c.batch_execute(statement),
        Connection::Postgres(c) => c.batch_execute(statement),
    }
    .expect("it is done");
}

fn a_missing_migration_is_named(backend: Backend) {
    let app = TestApp::start(backend);
    execute(&app, "DELETE FROM __diesel_schema_migrations");
    let (ok, report) = found(&app, |_| {});
    assert!(!ok);
    assert!(only_fault(&report, "migrations").contains("missing"), "{report}");
}

fn a_database_that_only_reads_is_named(backend: Backend) {
    let app = TestApp::start(backend);
    // Each refuses a change in its own way.
    let (statement, check) = match backend {
        Backend::Sqlite => {
            ("CREATE TRIGGER stop BEFORE UPDATE ON feed_head BEGIN SELECT RAISE(ABORT, 'no'); END", "database writes")
        }
        Backend::Postgres => (
            "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET default_transaction_read_only = on'; \
              END $$",
            "database settings",
        ),
    };
    execute(&app, statement);
    let (ok, report) = found(&app, |_| {});
    assert!(!ok);
    let checks: Vec<&str> = faults(&report).iter().map(|fault| text(&fault["check"])).collect();
    assert!(checks.contains(&check), "{checks:?}: {report}");
}

fn a_signing_key_that_others_can_read_is_named(backend: Backend) {
    let app = TestApp::start(backend);
    let folder = TempDir::with_prefix("muong-check-").expect("a folder");
    let key = folder.path().join("signing_key.pem");
    std::fs::copy(app.app().config.signing_key_file.as_ref().expect("a key"), &key).expect("a copy");
    let mode = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
    let look = || found(&app, |config| config.signing_key_file = Some(key.clone())).1;
    mode(&key, 0o644);
    mode(folder.path(), 0o700);
    // Nobody else can enter the folder: so nobody else can read the key.
    assert_eq!(faults(&look()), Vec::<&Value>::new());
    mode(folder.path(), 0o755);
    assert!(only_fault(&look(), "secrets").contains("0644"));
    mode(&key, 0o600);
    assert_eq!(faults(&look()), Vec::<&Value>::new());
}

fn a_signing_key_that_is_none_is_named(backend: Backend) {
    let app = TestApp::start(backend);
    let folder = TempDir::with_prefix("muong-check-").expect("a folder");
    let key = folder.path().join("signing_key.pem");
    std::fs::write(&key, "nothing").expect("it is written");
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("a mode");
    let (ok, report) = found(&app, |config| config.signing_key_file = Some(key));
    assert!(!ok);
    only_fault(&report, "signing keys");
}

fn an_address_that_is_taken_is_named_unless_by_ourselves(backend: Backend) {
    let app = TestApp::start(backend);
    let ours = app.address().trim_start_matches("http://").to_owned();
    assert_eq!(faults(&found(&app, |config| config.listen = ours).1), Vec::<&Value>::new());
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let theirs = other.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        // Whatever is asked, it hangs up.
        other.incoming().for_each(drop);
    });
    let (ok, report) = found(&app, |config| config.listen = theirs.clone());
    assert!(!ok);
    assert!(only_fault(&report, "addresses").contains(&theirs), "{report}");
}

fn a_clock_that_went_back_is_named(backend: Backend) {
    let app = TestApp::start(backend);
    app.set_clock("2025-12-31T00:00:00Z");
    let (ok, report) = found(&app, |_| {});
    assert!(!ok);
    only_fault(&report, "clock");
}

fn a_certificate_that_has_expired_is_named(backend: Backend) {
    let app = TestApp::start(backend);
    let folder = TempDir::with_prefix("muong-check-").expect("a folder");
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    let look = |year| {
        let pair = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
        (params.not_before, params.not_after) = (date_time_ymd(2025, 1, 1), date_time_ymd(year, 1, 1));
        std::fs::write(&certificate, params.self_signed(&pair).expect("a certificate").pem()).expect("written");
        std::fs::write(&key, pair.serialize_pem()).expect("written");
        std::fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("a mode");
        let tls = |config: &mut Config| {
            (config.tls.certificate_file, config.tls.key_file) = (Some(certificate.clone()), Some(key.clone()));
        };
        found(&app, tls).1
    };
    assert!(only_fault(&look(2026), "certificate").contains("2026-01-01"));
    assert_eq!(faults(&look(2027)), Vec::<&Value>::new());
}

fn more_connections_than_the_system_allows_are_named(backend: Backend) {
    let app = TestApp::start(backend);
    let (ok, report) = found(&app, |config| {
        config.http.connections = usize::MAX.try_into().expect("not zero");
    });
    assert!(!ok);
    only_fault(&report, "open files");
}

#[test]
fn a_configuration_that_cannot_be_read_is_the_only_thing_to_say() {
    let folder = TempDir::with_prefix("muong-check-").expect("a folder");
    let file = folder.path().join("muong.toml");
    std::fs::write(&file, "[http]\nrequets = 3").expect("it is written");
    let mut out = Vec::new();
    assert!(check::run(Some(&file), true, Clock::System, &mut out).is_err());
    let report: Value = serde_json::from_slice(&out).expect("JSON");
    assert!(only_fault(&report, "configuration").contains("requets"), "{report}");
    std::fs::write(&file, "[http]\nrequests = 3").expect("it is written");
    let mut out = Vec::new();
    drop(check::run(Some(&file), true, Clock::System, &mut out));
    let report: Value = serde_json::from_slice(&out).expect("JSON");
    let requests = &report["configuration"]["http.requests"];
    assert_eq!(requests["value"], 3);
    assert!(text(&requests["source"]).ends_with("muong.toml"), "{requests}");
    assert_eq!(report["configuration"]["http.waiting"]["source"], "default");
}

#[test]
fn a_new_database_is_for_its_owner_alone() {
    let folder = TempDir::new().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("muong.db").display());
    let mut database = DatabaseUrl::parse(&url).expect("an address").open().expect("it opens");
    migrate(&mut database).expect("it is written to");
    let files: Vec<_> =
        std::fs::read_dir(folder.path()).expect("its files").map(|file| file.expect("a file")).collect();
    assert!(files.len() > 1, "the log stands beside it: {files:?}");
    for file in files {
        let mode = file.metadata().expect("its mode").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file:?}");
    }
}
