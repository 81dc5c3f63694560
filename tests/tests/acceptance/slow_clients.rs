//! Clients that hold on to a connection without using it: each is let go in the end, whichever part it is slow with, and
//! nobody else notices. On both databases where one is asked.

use muong_server::config::Config;
use muong_tests::builders::meeting;
use muong_tests::province::{HUOI_SANG, SECRETARY};
use muong_tests::{Backend, Socket, TestApp, eventually, on_each};

on_each!(a_body_that_pauses_and_goes_on_is_taken, a_stop_closes_idle_connections_and_finishes_the_others,);

fn impatient(config: &mut Config) {
    let http = &mut config.http;
    (http.head_seconds, http.body_seconds, http.stall_seconds, http.keep_alive_seconds) = (1, 2, 1, 1);
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: muong\r\n\r\n";

#[test]
fn who_never_ends_a_head_is_answered_408() {
    let app = TestApp::start_with(Backend::Sqlite, impatient);
    let mut socket = Socket::connect(&app);
    socket.send("GET /healthz HTTP/1.1\r\nhost:");
    let rest = socket.rest();
    assert!(rest.starts_with("HTTP/1.1 408 "), "{rest}");
}

#[test]
fn who_never_ends_the_head_of_a_second_request_is_closed() {
    let app = TestApp::start_with(Backend::Sqlite, impatient);
    let mut socket = Socket::connect(&app);
    // Half of the second comes with the first, and nothing after it.
    socket.send(format!("{HEALTH}GET /heal"));
    assert_eq!(socket.answer().status, 200);
    assert_eq!(socket.rest(), "");
}

#[test]
fn who_sends_a_head_byte_by_byte_is_closed() {
    let app = TestApp::start_with(Backend::Sqlite, impatient);
    let mut socket = Socket::connect(&app);
    socket.send(HEALTH);
    assert_eq!(socket.answer().status, 200);
    socket.send("GET /healthz HTTP/1.1\r\nx-long: ");
    assert_eq!(socket.trickle_until_closed(), "");
}

#[test]
fn who_stops_in_a_body_is_answered_408() {
    let app = TestApp::start_with(Backend::Sqlite, impatient);
    let secretary = app.sign_in(SECRETARY);
    let mut socket = Socket::begin_push(&app, &secretary, 100);
    socket.send("{\"protocol\":");
    let answer = socket.answer();
    assert_eq!((answer.status, answer.body["code"].as_str()), (408, Some("request.timeout")));
    assert!(answer.head.contains("connection: close"), "{answer:?}");
    assert_eq!(socket.rest(), "");
}

#[test]
fn who_sends_a_body_byte_by_byte_is_answered_408() {
    let app = TestApp::start_with(Backend::Sqlite, impatient);
    let secretary = app.sign_in(SECRETARY);
    let mut socket = Socket::begin_push(&app, &secretary, 10_000);
    let said = socket.trickle_until_closed();
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("request.timeout"), "{said}");
}

#[test]
fn who_sends_a_body_without_end_that_nobody_reads_is_closed() {
    let app = TestApp::start_with(Backend::Sqlite, impatient);
    let mut socket = Socket::connect(&app);
    socket.send("POST /v1/sync/push HTTP/1.1\r\nhost: muong\r\ntransfer-encoding: chunked\r\n\r\nfffff\r\n");
    let said = socket.trickle_until_closed();
    assert!(said.starts_with("HTTP/1.1 401 "), "{said}");
}

#[test]
fn who_does_not_take_an_answer_is_closed() {
    let app = TestApp::start_with(Backend::Sqlite, impatient);
    let mut socket = Socket::connect(&app);
    let capacity = &app.app().capacity;
    // More than what the system keeps between the two: 30 times 1.4 MB.
    socket.send("GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: muong\r\n\r\n".repeat(30));
    eventually("it is being answered", || capacity.requests.taken() == 1);
    eventually("it is given up", || capacity.connections.taken() == 0);
    assert_eq!(capacity.requests.taken(), 0);
    app.anonymous().get("/healthz").expect(200);
}

#[test]
fn who_says_nothing_after_an_answer_is_closed() {
    let app = TestApp::start_with(Backend::Sqlite, impatient);
    let mut socket = Socket::connect(&app);
    socket.send(HEALTH);
    assert_eq!(socket.answer().status, 200);
    assert_eq!(socket.rest(), "");
}

fn a_body_that_pauses_and_goes_on_is_taken(backend: Backend) {
    let app = TestApp::start(backend);
    let secretary = app.sign_in(SECRETARY);
    let body = secretary.envelope(&[&secretary.says(meeting(HUOI_SANG))]).to_string();
    let mut socket = Socket::begin_push(&app, &secretary, body.len());
    for piece in body.as_bytes().chunks(100) {
        socket.send(piece);
        app.anonymous().get("/healthz").expect(200);
    }
    assert_eq!(socket.answer().body["results"][0]["status"], "accepted");
}

fn a_stop_closes_idle_connections_and_finishes_the_others(backend: Backend) {
    let mut app = TestApp::start(backend);
    let secretary = app.sign_in(SECRETARY);
    let body = secretary.envelope(&[&secretary.says(meeting(HUOI_SANG))]).to_string();
    let mut idle = Socket::connect(&app);
    idle.send(HEALTH);
    assert_eq!(idle.answer().status, 200);
    let mut busy = Socket::begin_push(&app, &secretary, body.len());
    app.ask_to_stop();
    assert_eq!(idle.rest(), "", "an idle connection is closed");
    busy.send(body);
    let answer = busy.answer();
    assert_eq!((answer.status, answer.body["results"][0]["status"].as_str()), (200, Some("accepted")));
    assert!(answer.head.contains("connection: close"), "{answer:?}");
    assert_eq!(busy.rest(), "");
    app.wait();
}
