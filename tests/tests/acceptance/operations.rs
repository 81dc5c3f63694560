//! Running it: signs of life, readiness, request ids, languages, and a stop that finishes what was accepted.

use diesel::connection::SimpleConnection;
use muong_server::clock::Entropy;
use muong_server::state::{App, Parts, StartError, Storage};
use muong_store::Connection;
use muong_tests::builders::{MEETING, meeting};
use muong_tests::client::{text, uuid};
use muong_tests::database::number;
use muong_tests::province::{HUOI_SANG, OFFICER, SECRETARY};
use muong_tests::{Backend, Submission, TestApp, on_both};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

on_both!(
    it_tells_that_it_lives_and_that_it_is_ready_without_a_sign_in,
    it_gives_signs_of_life_without_words_to_whoever_asks_so,
    one_process_serves_a_file_and_several_a_server,
    it_is_not_ready_while_a_migration_is_missing,
    every_answer_has_an_id_that_also_stands_in_an_error,
    an_error_is_vietnamese_unless_english_is_asked_for,
    every_answer_forbids_what_a_browser_could_do_with_it,
    the_documentation_is_served,
    pushes_that_come_together_are_all_recorded_once,
);

fn it_tells_that_it_lives_and_that_it_is_ready_without_a_sign_in(app: &TestApp) {
    let anonymous = app.anonymous();
    assert_eq!(anonymous.read("/healthz")["status"], "ok");
    anonymous.get("/readyz").expect(200);
}

fn it_gives_signs_of_life_without_words_to_whoever_asks_so(app: &TestApp) {
    for path in ["/healthz", "/readyz"] {
        let answer = app.anonymous().head(path);
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
        let other = app.anonymous().post(path, &json!({}));
        other.problem(405, "request.method_not_allowed");
        assert_eq!(other.header("allow"), "GET, HEAD", "{path}");
    }
}

fn one_process_serves_a_file_and_several_a_server(app: &TestApp) {
    let Parts { config, clock, .. } = &**app.app();
    match (app.backend(), App::open(config.clone(), *clock, Entropy::System)) {
        (Backend::Sqlite, Err(error)) => assert!(matches!(error, StartError::NotAlone(_)), "{error}"),
        (Backend::Postgres, Ok(second)) => second.close(),
        (backend, second) => panic!("{backend:?}: {:?}", second.map(drop)),
    }
    // A command beside it is another matter.
    let storage = Storage::open(config, *clock, &Entropy::System).expect("the store opens");
    storage.close();
    app.anonymous().read("/healthz");
}

fn it_is_not_ready_while_a_migration_is_missing(app: &TestApp) {
    let forget = "DELETE FROM __diesel_schema_migrations";
    match &mut app.database().connect() {
        Connection::Sqlite(c) => c.batch_execute(forget),
        Connection::Postgres(c) => c.batch_execute(forget),
    }
    .expect("the database forgets");
    assert_eq!(app.anonymous().get("/readyz").status, 503);
    app.anonymous().get("/healthz").expect(200);
}

fn every_answer_has_an_id_that_also_stands_in_an_error(app: &TestApp) {
    let mut ids = BTreeSet::new();
    for path in ["/healthz", "/nowhere", "/v1/me"] {
        let answer = app.anonymous().get(path);
        let id = answer.header("x-request-id").to_owned();
        uuid(&json!(id));
        if answer.status != 200 {
            assert_eq!(answer.json()["request_id"], json!(id));
        }
        ids.insert(id);
    }
    assert_eq!(ids.len(), 3);
}

fn an_error_is_vietnamese_unless_english_is_asked_for(app: &TestApp) {
    let title = |language: Option<&str>| {
        let anonymous = app.anonymous();
        let client = language.map_or(anonymous.clone(), |language| anonymous.with_header("accept-language", language));
        let answer = client.get("/v1/me");
        (answer.header("content-language").to_owned(), text(&answer.json()["title"]).to_owned())
    };
    let (vietnamese, english) = (title(None), title(Some("en")));
    assert_eq!((&vietnamese.0[..], &english.0[..], &english.1[..]), ("vi", "en", "Not signed in"));
    assert_ne!(vietnamese.1, english.1);
    for (asked, same) in
        [("vi", &vietnamese), ("fr", &vietnamese), ("en-GB,vi;q=0.5", &english), ("vi;q=0.9,en;q=0.1", &vietnamese)]
    {
        assert_eq!(title(Some(asked)), *same, "{asked}");
    }
}

fn every_answer_forbids_what_a_browser_could_do_with_it(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    for answer in [secretary.get("/v1/me"), app.anonymous().get("/v1/me"), app.anonymous().get("/docs/")] {
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let page = app.anonymous().get("/docs/");
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"), "{page:?}");
    assert_eq!(secretary.get("/v1/me").header("cache-control"), "no-store");
}

fn the_documentation_is_served(app: &TestApp) {
    let page = app.anonymous().get("/docs/");
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert_eq!(app.anonymous().get("/docs").status, 308);
}

fn pushes_that_come_together_are_all_recorded_once(app: &TestApp) {
    let reporters = [SECRETARY, SECRETARY, OFFICER, OFFICER].map(|login| app.sign_in(login));
    let bodies: Vec<_> = reporters
        .iter()
        .map(|reporter| {
            let said: Vec<Submission> =
                (1..=9).map(|sitting| reporter.says(meeting(HUOI_SANG).to("sitting", sitting))).collect();
            let each: Vec<Value> = said.iter().map(|one| reporter.envelope(&[one])).collect();
            (reporter.client(), each)
        })
        .collect();
    let statuses: Vec<String> = std::thread::scope(|scope| {
        let pushing: Vec<_> = bodies
            .iter()
            .map(|(client, each)| {
                scope.spawn(move || {
                    let result = |body| client.post("/v1/sync/push", body).expect(200)["results"][0]["status"].clone();
                    each.iter().map(|body| text(&result(body)).to_owned()).collect::<Vec<_>>()
                })
            })
            .collect();
        pushing.into_iter().flat_map(|one| one.join().expect("it pushes")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| *status == "accepted").count(), 9, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| *status == "merged").count(), 27, "{statuses:?}");
    let mut conn = app.database().connect();
    assert_eq!(number(&mut conn, "SELECT count(*) AS n FROM submissions"), 36);
    assert_eq!(number(&mut conn, "SELECT count(*) AS n FROM records"), 9);
    let gap = "SELECT max(seq) - count(*) AS n FROM log";
    assert_eq!(number(&mut conn, gap), 0);
    let records = reporters[0].read(&format!("/v1/records?form={MEETING}"));
    assert_eq!(records["items"].as_array().map(Vec::len), Some(9));
}

/// A push whose body has arrived by half when the stop comes is answered and recorded all the same.
fn a_stop_finishes_what_was_accepted(backend: Backend) {
    let mut app = TestApp::start(backend);
    let secretary = app.sign_in(SECRETARY);
    let report = secretary.says(meeting(HUOI_SANG));
    let body = secretary.envelope(&[&report]).to_string();
    let mut connection = TcpStream::connect(app.address().trim_start_matches("http://")).expect("it listens");
    let head = format!(
        "POST /v1/sync/push HTTP/1.1\r\nhost: muong\r\nauthorization: {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
        secretary.authorization(),
        body.len()
    );
    connection.write_all(head.as_bytes()).expect("it reads");
    let mut answer = BufReader::new(connection.try_clone().expect("a connection"));
    let mut line = String::new();
    answer.read_line(&mut line).expect("it answers");
    assert!(line.starts_with("HTTP/1.1 100"), "it has accepted the request: {line}");
    let (first, rest) = body.as_bytes().split_at(body.len() / 2);
    connection.write_all(first).expect("it reads");
    app.ask_to_stop();
    while TcpStream::connect(app.address().trim_start_matches("http://")).is_ok() {
        std::thread::yield_now();
    }
    connection.write_all(rest).expect("it still reads");
    let mut text = String::new();
    answer.read_to_string(&mut text).expect("it answers");
    assert!(text.contains("HTTP/1.1 200") && text.contains("\"accepted\""), "{text}");
    app.wait();
    let mut conn = app.database().connect();
    assert_eq!(number(&mut conn, "SELECT count(*) AS n FROM submissions"), 1);
}

#[test]
fn a_stop_finishes_what_was_accepted_on_sqlite() {
    a_stop_finishes_what_was_accepted(Backend::Sqlite);
}

#[test]
fn a_stop_finishes_what_was_accepted_on_postgres() {
    a_stop_finishes_what_was_accepted(Backend::Postgres);
}

/// Two connections of the pool that are open at once, and so are both broken by what follows.
fn fill_pool(app: &TestApp) {
    let database = &app.app().database;
    database.read(|_| database.read(|snapshot| snapshot.head().map(drop))).expect("the pool holds two");
}

#[test]
fn a_restart_of_the_database_is_not_noticed_by_who_reads_or_pushes_on_postgres() {
    let app = TestApp::start(Backend::Postgres);
    let secretary = app.sign_in(SECRETARY);
    for path in ["/v1/me", "/v1/records", "/readyz"] {
        fill_pool(&app);
        app.database().break_connections();
        secretary.get(path).expect(200);
    }
    fill_pool(&app);
    app.database().break_connections();
    secretary.reports_as("accepted", meeting(HUOI_SANG));
}

#[test]
fn while_the_database_is_away_everybody_is_told_to_try_again_and_then_goes_on_on_postgres() {
    let app = TestApp::start(Backend::Postgres);
    let secretary = app.sign_in(SECRETARY);
    let report = secretary.says(meeting(HUOI_SANG));
    app.database().let_in(false);
    app.database().break_connections();
    let away = secretary.get("/v1/me");
    away.problem(503, "server.unavailable");
    assert!(!away.header("retry-after").is_empty(), "{away:?}");
    app.anonymous().get("/readyz").problem(503, "server.not_ready");
    app.database().let_in(true);
    assert_eq!(secretary.push(&[&report]).statuses(), ["accepted"]);
}
