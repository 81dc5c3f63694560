//! More than it can take on: each bound is filled in turn, with small limits. The next one is answered 503 at once, with
//! a problem document and `Retry-After`, and as soon as there is room again all is as before.

use muong_server::capacity::Gate;
use muong_server::config::Config;
use muong_store::Outcome;
use muong_tests::builders::meeting;
use muong_tests::province::{HUOI_SANG, PASSWORD, SECRETARY};
use muong_tests::{Answer, Backend, Reporter, Socket, TestApp, eventually, on_each};
use serde_json::json;
use std::num::NonZeroUsize;
use std::sync::mpsc::channel;
use tokio::sync::OwnedSemaphorePermit;

on_each!(
    too_many_changes_are_refused_until_the_writer_is_free,
    too_many_reads_are_refused_until_a_connection_is_free,
    too_many_pushes_to_assess_are_refused_until_a_processor_is_free,
    too_many_passwords_are_refused_until_one_has_been_checked,
    too_many_bytes_of_bodies_are_refused_until_some_are_gone,
    pages_that_wait_to_be_taken_are_bytes_of_bodies_too,
    too_many_requests_are_refused_until_one_is_answered_but_signs_of_life_never,
    strangers_whose_bodies_do_not_come_take_no_place_of_those_who_are_signed_in,
    too_many_connections_of_one_address_are_refused_until_one_is_closed,
    a_trusted_proxy_may_have_as_many_connections_as_it_likes,
    what_is_refused_says_so_in_both_languages,
);

const ONE: NonZeroUsize = NonZeroUsize::MIN;

#[track_caller]
fn refused(answer: &Answer) {
    answer.problem(503, "server.busy");
    assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{answer:?}");
}

/// Takes a place at a gate at which nobody waits.
fn occupy(gate: &Gate) -> OwnedSemaphorePermit {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(gate.enter()).expect("a place")
}

fn pushes(reporter: &Reporter) -> Answer {
    let said = reporter.says(meeting(HUOI_SANG));
    reporter.tries_to_push(&[&said])
}

fn too_many_changes_are_refused_until_the_writer_is_free(backend: Backend) {
    let app = TestApp::start_with(backend, |config| config.write_queue = ONE);
    let secretary = app.sign_in(SECRETARY);
    let (begun, waits) = channel();
    let (release, released) = channel::<()>();
    let writer = &app.app().writer;
    let busy = writer.submit(1, move |_tx| {
        let _nobody_listens_twice = begun.send(());
        let _dropped_says_the_same = released.recv();
        Ok(Outcome::<(), ()>::Refuse(()))
    });
    waits.recv().expect("the writer is at work");
    let queued = writer.submit(1, |_tx| Ok(Outcome::<(), ()>::Refuse(()))).expect("one may wait");
    assert_eq!(writer.waiting(), 1);
    let said = secretary.says(meeting(HUOI_SANG));
    refused(&secretary.tries_to_push(&[&said]));
    // Reading goes on.
    secretary.get("/v1/me").expect(200);
    release.send(()).expect("the writer waits");
    drop((busy.expect("it was taken on").blocking_recv(), queued.blocking_recv()));
    assert_eq!(secretary.push(&[&said]).only()["status"], "accepted");
    assert_eq!(writer.waiting(), 0);
}

fn one_reader(config: &mut Config) {
    config.readers = ONE;
    config.http.waiting = 0;
}

fn too_many_reads_are_refused_until_a_connection_is_free(backend: Backend) {
    let app = TestApp::start_with(backend, one_reader);
    let secretary = app.sign_in(SECRETARY);
    let place = occupy(&app.app().capacity.reads);
    refused(&secretary.get("/v1/me"));
    refused(&pushes(&secretary));
    drop(place);
    secretary.get("/v1/me").expect(200);
    pushes(&secretary).expect(200);
}

fn too_many_pushes_to_assess_are_refused_until_a_processor_is_free(backend: Backend) {
    let app = TestApp::start_with(backend, |config| config.http.waiting = 0);
    let secretary = app.sign_in(SECRETARY);
    let place = occupy(&app.app().capacity.work);
    // A small one is assessed where it came in; it takes nobody's place.
    let batch: Vec<_> = (0..20).map(|_| secretary.says(meeting(HUOI_SANG))).collect();
    let batch: Vec<_> = batch.iter().collect();
    refused(&secretary.tries_to_push(&batch));
    pushes(&secretary).expect(200);
    drop(place);
    secretary.tries_to_push(&batch).expect(200);
}

fn too_many_passwords_are_refused_until_one_has_been_checked(backend: Backend) {
    let app = TestApp::start_with(backend, |config| {
        config.argon2.max_concurrent = ONE;
        config.argon2.max_waiting = 0;
    });
    let body = json!({"username": SECRETARY, "password": PASSWORD, "device": {"name": "Máy thử"}});
    let place = app.app().passwords.reserve().expect("a place");
    refused(&app.anonymous().post("/v1/auth/sign-in", &body));
    drop(place);
    app.anonymous().post("/v1/auth/sign-in", &body).expect(200);
}

fn too_many_bytes_of_bodies_are_refused_until_some_are_gone(backend: Backend) {
    let app = TestApp::start_with(backend, |config| {
        (config.limits.wire_bytes, config.limits.inflated_bytes, config.limits.submission_bytes) =
            (40_000, 40_000, 40_000);
        config.http.body_bytes = 80_000;
    });
    let secretary = app.sign_in(SECRETARY);
    let slow: Vec<Socket> = (0..2)
        .map(|_| {
            let mut socket = Socket::begin_push(&app, &secretary, 40_000);
            socket.send(vec![b' '; 39_900]);
            socket
        })
        .collect();
    let bodies = &app.app().capacity.bodies;
    eventually("both have arrived, but for their end", || bodies.taken() == 79_800);
    let said = secretary.says(meeting(HUOI_SANG));
    refused(&secretary.tries_to_push(&[&said]));
    assert_eq!(bodies.taken(), 79_800, "what was refused has left nothing behind");
    drop(slow);
    eventually("the room has come back", || bodies.taken() == 0);
    assert_eq!(secretary.push(&[&said]).only()["status"], "accepted");
    assert_eq!(bodies.taken(), 0);
}

fn pages_that_wait_to_be_taken_are_bytes_of_bodies_too(backend: Backend) {
    let app = TestApp::start_with(backend, |_| {});
    let secretary = app.sign_in(SECRETARY);
    let bodies = &app.app().capacity.bodies;
    let page = || secretary.post("/v1/sync/pull", &json!({"cursor": null}));
    eventually("signing in is over", || bodies.taken() == 0);
    let all_but_a_little = bodies.take(app.app().config.http.body_bytes - 1_000).expect("room");
    refused(&page());
    drop(all_but_a_little);
    page().expect(200);
    eventually("the room has come back", || bodies.taken() == 0);
}

fn too_many_requests_are_refused_until_one_is_answered_but_signs_of_life_never(backend: Backend) {
    let app = TestApp::start_with(backend, |config| config.http.requests = ONE);
    let secretary = app.sign_in(SECRETARY);
    let body = secretary.envelope(&[&secretary.says(meeting(HUOI_SANG))]).to_string();
    eventually("signing in is over", || app.app().capacity.requests.taken() == 0);
    let mut slow = Socket::begin_push(&app, &secretary, body.len());
    for path in ["/v1/me", "/nowhere", "/openapi.json"] {
        refused(&app.anonymous().get(path));
    }
    app.anonymous().get("/healthz").expect(200);
    app.anonymous().get("/readyz").expect(200);
    slow.send(body);
    let answer = slow.answer();
    assert_eq!((answer.status, &answer.body["results"][0]["status"]), (200, &json!("accepted")));
    eventually("its place is free", || app.app().capacity.requests.taken() == 0);
    secretary.get("/v1/me").expect(200);
}

fn strangers_whose_bodies_do_not_come_take_no_place_of_those_who_are_signed_in(backend: Backend) {
    // A quarter of the places for all strangers, and of those a quarter for one network.
    let app = TestApp::start_with(backend, |config| config.http.requests = NonZeroUsize::MIN.saturating_add(31));
    let secretary = app.sign_in(SECRETARY);
    let body = json!({"username": SECRETARY, "password": PASSWORD, "device": {"name": "Máy thử"}}).to_string();
    let begin = || {
        let mut socket = Socket::connect(&app);
        let length = body.len();
        socket.send(format!(
            "POST /v1/auth/sign-in HTTP/1.1\r\nhost: muong\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n"
        ));
        socket
    };
    let slow = [begin(), begin()];
    let strangers = &app.app().capacity.strangers;
    eventually("both are waited for", || strangers.taken() == 2);
    let answer = begin().answer();
    assert_eq!((answer.status, &answer.body["code"]), (503, &json!("server.busy")));
    pushes(&secretary).expect(200);
    for mut socket in slow {
        socket.send(&body);
        assert_eq!(socket.answer().status, 200);
    }
    assert_eq!(strangers.taken(), 0);
}

fn too_many_connections_of_one_address_are_refused_until_one_is_closed(backend: Backend) {
    let two = NonZeroUsize::MIN.saturating_add(1);
    let app = TestApp::start_with(backend, |config| config.http.connections_per_address = two);
    let open: Vec<Socket> = (0..2)
        .map(|_| {
            let mut socket = Socket::connect(&app);
            socket.send("GET /healthz HTTP/1.1\r\nhost: muong\r\n\r\n");
            assert_eq!(socket.answer().status, 200);
            socket
        })
        .collect();
    let answer = Socket::connect(&app).answer();
    assert_eq!((answer.status, &answer.body["code"]), (503, &json!("server.busy")));
    assert!(answer.head.contains("retry-after: "), "{answer:?}");
    drop(open);
    eventually("both are gone", || app.app().capacity.connections.taken() == 0);
    app.anonymous().get("/healthz").expect(200);
}

fn a_trusted_proxy_may_have_as_many_connections_as_it_likes(backend: Backend) {
    let app = TestApp::start_with(backend, |config| {
        config.http.connections_per_address = ONE;
        config.trusted_proxies = vec!["127.0.0.0/8".to_owned().try_into().expect("a network")];
    });
    let mut open: Vec<Socket> = (0..4).map(|_| Socket::connect(&app)).collect();
    for socket in &mut open {
        socket.send("GET /healthz HTTP/1.1\r\nhost: muong\r\n\r\n");
        assert_eq!(socket.answer().status, 200);
    }
}

fn what_is_refused_says_so_in_both_languages(backend: Backend) {
    let app = TestApp::start_with(backend, one_reader);
    let secretary = app.sign_in(SECRETARY);
    let _place = occupy(&app.app().capacity.reads);
    let vietnamese = secretary.get("/v1/me").problem(503, "server.busy");
    let english = secretary.client().with_header("accept-language", "en").get("/v1/me").problem(503, "server.busy");
    assert_eq!((&vietnamese["title"], &english["title"]), (&json!("Máy chủ đang bận"), &json!("Server busy")));
}
