//! `muong audit verify`: whatever is done to the audit trail behind the server's back is found, as far as it can be known.

use chrono::Utc;
use muong_server::commands::audit::verify;
use muong_server::config::{Config, Secret};
use muong_store::{
    Auditor, AuditorOptions, Connection, Database, DatabaseUrl, Flaw, Note, NoteKind, Writer, WriterOptions,
    check_audit,
};
use muong_tests::builders::person;
use muong_tests::client::uuid;
use muong_tests::database::{Backend, execute, number, texts};
use muong_tests::province::{self, DEPARTMENT, HUOI_SANG, SECRETARY, STRANGER};
use muong_tests::{TestApp, rebuilds_the_same_store};
use std::sync::Arc;
use uuid::Uuid;

macro_rules! on_both_backends {
    ($($sentence:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $sentence() {
                super::$sentence(muong_tests::Backend::Sqlite);
            })+
        }
        mod postgres {
            $(#[test]
            fn $sentence() {
                super::$sentence(muong_tests::Backend::Postgres);
            })+
        }
    };
}

on_both_backends!(
    what_was_only_used_is_whole,
    any_change_of_any_row_is_found_at_that_row,
    rows_that_were_written_anew_as_a_whole_are_found_by_the_log,
    an_end_that_the_log_vouches_for_cannot_be_removed,
    what_no_anchor_reaches_is_said_to_be_unknown,
    the_end_of_a_run_that_was_killed_is_vouched_for_by_the_next,
    a_changed_log_is_found_as_well,
    an_entry_that_was_put_into_the_log_is_found,
    a_chain_that_somebody_else_writes_into_is_left_and_another_begins,
    a_log_with_anchors_is_replayed_to_the_same_store,
    the_log_vouches_for_rows_while_they_are_written,
);

/// On SQLite there is one lock for everything, and the rows go with the writer's next group.
#[test]
fn reads_are_noted_while_somebody_holds_the_head_of_the_log() {
    let app = used(Backend::Postgres);
    let secretary = app.sign_in(SECRETARY);
    let conn = &mut app.database().connect();
    execute(conn, "BEGIN; SELECT 1 FROM feed_head FOR UPDATE");
    let before = rows(&mut app.database().connect());
    secretary.read("/v1/records?form=person");
    assert_eq!(rows(&mut app.database().connect()), before + 1);
    execute(conn, "ROLLBACK");
}

/// A server that was used for a little of everything that is noted.
fn used(backend: Backend) -> TestApp {
    let app = TestApp::start(backend);
    let secretary = app.sign_in(SECRETARY);
    let candidate = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, "Giàng A Vừ", "2001-04-12"))["record"]);
    let path = format!("/v1/records/{candidate}");
    secretary.read(&path);
    app.sign_in(STRANGER).get(&path).expect(404);
    app.sign_in(DEPARTMENT).read_because("Thẩm định", &path).expect(200);
    secretary.read("/v1/records?form=person");
    app
}

/// The same, stopped: everything in it is anchored.
fn stopped(backend: Backend) -> TestApp {
    let mut app = used(backend);
    app.wait();
    app
}

/// What the command says, and whether it is content.
fn verified(app: &TestApp) -> (bool, String) {
    let database_url = Secret::new(app.database().url().to_owned());
    let mut out = Vec::new();
    let whole = verify(&Config { database_url, ..Config::default() }, &mut out).is_ok();
    (whole, String::from_utf8(out).expect("text"))
}

/// What the first broken chain's flaw is, and where.
fn broken(app: &TestApp) -> Option<(i64, Flaw)> {
    let url = DatabaseUrl::parse(app.database().url()).expect("an address");
    let checked = Database::open(url, None, 1).expect("it opens").read(check_audit).expect("it is read");
    assert_eq!(checked.log, None);
    checked.broken.first().map(|broken| (broken.position, broken.flaw))
}

fn rows(conn: &mut Connection) -> i64 {
    number(conn, "SELECT count(*) AS n FROM audit")
}

fn what_was_only_used_is_whole(backend: Backend) {
    let mut app = used(backend);
    let (whole, running) = verified(&app);
    assert!(whole, "{running}");
    assert!(running.contains("Cannot be known yet: "), "{running}");
    app.wait();
    let (whole, told) = verified(&app);
    assert!(whole && !told.contains("Cannot be known yet"), "{told}");
    let rows = rows(&mut app.database().connect());
    assert!(rows >= 6 && told.contains(&format!("rows {rows}, chains 1")), "{told}");
}

/// Each of these, done to one row, must be found at that row.
fn deeds(conn: &Connection) -> Vec<String> {
    let (id, later, nothing) = match conn {
        Connection::Sqlite(_) => ("x'00000000000000000000000000000007'", "at + 1", "zeroblob(32)"),
        Connection::Postgres(_) => (
            "'00000000-0000-0000-0000-000000000007'::uuid",
            "at + interval '1 microsecond'",
            "decode(repeat('00', 32), 'hex')",
        ),
    };
    let set = |what: &str| format!("UPDATE audit SET {what} WHERE position = {{p}}");
    let mut deeds: Vec<String> = ["kind", "what", "outcome", "reason", "address"]
        .iter()
        .map(|column| set(&format!("{column} = coalesce({column}, '') || 'x'")))
        .collect();
    deeds.extend(["user_id", "device_id", "request_id"].map(|column| set(&format!("{column} = {id}"))));
    deeds.push(set(&format!("at = {later}")));
    deeds.push(set(&format!("hash = {nothing}")));
    deeds.push(set("position = position + 1000"));
    deeds.push("DELETE FROM audit WHERE position = {p}".to_owned());
    deeds.push("DELETE FROM audit WHERE position >= {p}".to_owned());
    deeds.push(format!(
        "INSERT INTO audit_subjects SELECT chain, position, {id}, NULL, at FROM audit WHERE position = {{p}}"
    ));
    deeds.push(
        "UPDATE audit SET position = -1 WHERE position = {p}; UPDATE audit SET position = {p} WHERE position = {p} + 1; \
         UPDATE audit SET position = {p} + 1 WHERE position = -1"
            .to_owned(),
    );
    deeds
}

fn any_change_of_any_row_is_found_at_that_row(backend: Backend) {
    let app = stopped(backend);
    let conn = &mut app.database().connect();
    let last = rows(conn);
    let copy =
        "CREATE TABLE audit_copy AS SELECT * FROM audit; CREATE TABLE subjects_copy AS SELECT * FROM audit_subjects";
    execute(conn, copy);
    let restore = "DELETE FROM audit; INSERT INTO audit SELECT * FROM audit_copy; DELETE FROM audit_subjects; \
                   INSERT INTO audit_subjects SELECT * FROM subjects_copy";
    for position in 1..=last {
        for deed in deeds(conn).iter().map(|deed| deed.replace("{p}", &position.to_string())) {
            // The last row has no neighbour to change places with.
            if deed.contains("position = -1") && position == last {
                continue;
            }
            execute(conn, &deed);
            let found = broken(&app).map(|(position, _)| position);
            assert_eq!(found, Some(position), "{deed}");
            execute(conn, restore);
        }
    }
    for subject in ["DELETE FROM audit_subjects", "UPDATE audit_subjects SET unit_id = subject"] {
        let first = number(conn, "SELECT min(position) AS n FROM audit_subjects");
        execute(conn, subject);
        assert_eq!(broken(&app).map(|(position, _)| position), Some(first), "{subject}");
        execute(conn, restore);
    }
    execute(
        conn,
        "UPDATE audit_subjects SET position = 5000 WHERE position = (SELECT max(position) FROM audit_subjects)",
    );
    assert!(broken(&app).is_some());
    execute(conn, restore);
    assert_eq!(broken(&app), None);
}

/// What somebody does who knows how the chain is made: writes it anew, every hash right.
fn forge(app: &TestApp, chain: Uuid, rows: i64) {
    note(app, chain, rows, AuditorOptions::default());
}

/// Notes nothing in particular, in a chain of this id.
fn note(app: &TestApp, chain: Uuid, rows: i64, options: AuditorOptions) {
    let url = DatabaseUrl::parse(app.database().url()).expect("an address");
    let now = Arc::new(|| "2026-03-09T02:11:00Z".parse::<chrono::DateTime<Utc>>().expect("an instant"));
    let (writer, writing) =
        Writer::start(url.clone(), province::vault(), Arc::default(), WriterOptions::default(), now.clone())
            .expect("a writer");
    let (auditor, auditing) = Auditor::start(url, writer.clone(), options, now, move || chain).expect("an auditor");
    for _ in 0..rows {
        let note =
            Note { kind: NoteKind::Read, what: "nothing".to_owned(), outcome: "ok".to_owned(), ..Note::default() };
        auditor.note(note).expect("it is noted");
    }
    drop((auditor, writer));
    auditing.join().expect("it ends");
    writing.join().expect("it ends");
}

fn chain(conn: &mut Connection) -> Uuid {
    let hex = match conn {
        Connection::Sqlite(_) => "SELECT DISTINCT hex(chain) AS name FROM audit",
        Connection::Postgres(_) => "SELECT DISTINCT chain::text AS name FROM audit",
    };
    texts(conn, hex)[0].parse().expect("an id")
}

fn rows_that_were_written_anew_as_a_whole_are_found_by_the_log(backend: Backend) {
    let app = stopped(backend);
    let conn = &mut app.database().connect();
    let (chain, rows) = (chain(conn), rows(conn));
    execute(conn, "DELETE FROM audit; DELETE FROM audit_subjects");
    forge(&app, chain, rows + 3);
    let found = broken(&app);
    assert!(
        matches!(found, Some((position, Flaw::Rewritten { agreed: 0, .. })) if position == rows),
        "{rows}: {found:?}"
    );
    let (whole, told) = verified(&app);
    assert!(!whole && told.contains(&format!("lies between 1 and {rows}")), "{told}");
}

fn an_end_that_the_log_vouches_for_cannot_be_removed(backend: Backend) {
    let app = stopped(backend);
    let conn = &mut app.database().connect();
    execute(conn, "DELETE FROM audit WHERE position >= 4; DELETE FROM audit_subjects WHERE position >= 4");
    assert!(matches!(broken(&app), Some((4, Flaw::Removed { .. }))), "{:?}", broken(&app));
    execute(conn, "DELETE FROM audit; DELETE FROM audit_subjects");
    assert!(matches!(broken(&app), Some((1, Flaw::Removed { .. }))), "{:?}", broken(&app));
    assert!(!verified(&app).0);
}

fn what_no_anchor_reaches_is_said_to_be_unknown(backend: Backend) {
    let app = used(backend);
    let conn = &mut app.database().connect();
    let rows = rows(conn);
    execute(
        conn,
        &format!("DELETE FROM audit WHERE position = {rows}; DELETE FROM audit_subjects WHERE position = {rows}"),
    );
    let (whole, told) = verified(&app);
    // Nothing vouches for the last row yet, so nothing misses it; the command says how many rows it cannot be sure of.
    assert!(whole && told.contains(&format!("Cannot be known yet: {} rows", rows - 1)), "{told}");
}

fn the_end_of_a_run_that_was_killed_is_vouched_for_by_the_next(backend: Backend) {
    let app = used(backend);
    let conn = &mut app.database().connect();
    let rows = rows(conn);
    // Another process begins beside the first, which is as good as killed: nothing of it is anchored.
    forge(&app, Uuid::max(), 0);
    execute(
        conn,
        &format!("DELETE FROM audit WHERE position = {rows}; DELETE FROM audit_subjects WHERE position = {rows}"),
    );
    assert!(matches!(broken(&app), Some((position, Flaw::Removed { .. })) if position == rows), "{:?}", broken(&app));
}

/// On SQLite, where rows go from one database to another in one statement.
#[test]
fn a_chain_that_the_log_never_announced_is_found() {
    let (app, other) = (stopped(Backend::Sqlite), stopped(Backend::Sqlite));
    let file = other.database().url().trim_start_matches("sqlite://").to_owned();
    execute(
        &mut app.database().connect(),
        &format!(
            "ATTACH '{file}' AS other; INSERT INTO audit SELECT * FROM other.audit; \
             INSERT INTO audit_subjects SELECT * FROM other.audit_subjects; DETACH other"
        ),
    );
    assert_eq!(broken(&app), Some((1, Flaw::Unannounced)));
    assert!(verified(&app).1.contains("was put in"), "{}", verified(&app).1);
}

fn a_changed_log_is_found_as_well(backend: Backend) {
    let app = stopped(backend);
    let conn = &mut app.database().connect();
    let anchor = number(conn, "SELECT max(seq) AS n FROM log WHERE kind = 'audit_anchor'");
    execute(conn, &format!("UPDATE log SET outcome = 'x' WHERE seq = {anchor}"));
    let (whole, told) = verified(&app);
    assert!(!whole && told.contains(&format!("THE LOG IS BROKEN at entry {anchor}")), "{told}");
    execute(conn, &format!("DELETE FROM log WHERE seq >= {anchor}"));
    assert!(!verified(&app).0);
}

fn an_entry_that_was_put_into_the_log_is_found(backend: Backend) {
    let app = stopped(backend);
    let conn = &mut app.database().connect();
    let head = number(conn, "SELECT seq AS n FROM feed_head");
    let columns = "actor, device_id, grant_id, received_at, kind, ref, outcome, content_hash, command, hash";
    let copy = |conn: &mut _, of: i64, to: i64| {
        execute(conn, &format!("INSERT INTO log (seq, {columns}) SELECT {to}, {columns} FROM log WHERE seq = {of}"));
    };
    let is_found_at = |seq: i64| {
        let (whole, told) = verified(&app);
        assert!(!whole && told.contains(&format!("THE LOG IS BROKEN at entry {seq}")), "{seq}: {told}");
    };
    copy(conn, head, head + 1);
    is_found_at(head + 1);
    // Its hash does not matter: no head knows of it.
    execute(conn, &format!("UPDATE log SET hash = (SELECT chain_head FROM feed_head) WHERE seq = {}", head + 1));
    is_found_at(head + 1);
    execute(conn, &format!("DELETE FROM log WHERE seq = {}", head + 1));
    assert!(verified(&app).0);
    // Between others, which are told as if they had come one later.
    execute(conn, &format!("UPDATE log SET seq = -seq WHERE seq > {}", head - 2));
    execute(conn, "UPDATE log SET seq = 1 - seq WHERE seq < 0");
    copy(conn, head - 2, head - 1);
    is_found_at(head - 1);
}

fn a_chain_that_somebody_else_writes_into_is_left_and_another_begins(backend: Backend) {
    let mut app = used(backend);
    let secretary = app.sign_in(SECRETARY);
    let conn = &mut app.database().connect();
    let forged = rows(conn) + 1;
    execute(
        conn,
        &format!(
            "INSERT INTO audit SELECT chain, {forged}, at, kind, user_id, device_id, what, outcome, reason, request_id, \
             address, hash FROM audit WHERE position = 1"
        ),
    );
    // The place is taken: this one is not answered, and the next one stands in a new chain.
    secretary.get("/v1/records?form=person").problem(503, "server.unaudited");
    secretary.read("/v1/records?form=person");
    app.wait();
    assert_eq!(number(conn, "SELECT count(DISTINCT chain) AS n FROM audit"), 2);
    assert!(matches!(broken(&app), Some((position, Flaw::Row)) if position == forged), "{:?}", broken(&app));
}

fn the_log_vouches_for_rows_while_they_are_written(backend: Backend) {
    let app = stopped(backend);
    let anchors = |options: AuditorOptions, chain: u128| {
        let count = "SELECT count(*) AS n FROM log WHERE kind = 'audit_anchor'";
        let before = number(&mut app.database().connect(), count);
        note(&app, Uuid::from_u128(chain), 2, options);
        number(&mut app.database().connect(), count) - before
    };
    let seldom = AuditorOptions::default();
    assert_eq!(anchors(seldom, 1), 2, "at the beginning and at the end");
    let always = AuditorOptions { anchor_every: std::time::Duration::ZERO, ..seldom };
    assert_eq!(anchors(always, 2), 3, "and in between");
    assert_eq!(broken(&app), None);
}

fn a_log_with_anchors_is_replayed_to_the_same_store(backend: Backend) {
    let app = stopped(backend);
    let address = DatabaseUrl::parse(app.database().url()).expect("an address");
    let source = Database::open(address, Some(province::vault()), 1).expect("it opens");
    let copy = rebuilds_the_same_store(&source, backend, "anchors");
    assert_eq!(number(&mut copy.connect(), "SELECT count(*) AS n FROM audit"), 0);
}
