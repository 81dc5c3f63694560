//! Compression bombs: small on the wire, vast when opened. Every operation that takes a body is offered one; each is
//! stopped at the limit, and leaves nothing behind in memory. On one database: none is asked.

use flate2::Compression;
use flate2::write::GzEncoder;
use muong_tests::province::{ADMIN, SECRETARY};
use muong_tests::{Answer, Backend, Client, TestApp, eventually};
use serde_json::Value;
use std::io::Write;
use std::sync::LazyLock;
use std::thread;

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("memory takes everything")
}

fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::encode_all(body, 3).expect("memory takes everything")
}

/// A frame whose decoder would need a window of 128 MiB, as its head says.
fn wide_zstd() -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    encoder.window_log(27).and_then(|()| encoder.long_distance_matching(true)).expect("parameters");
    encoder.write_all(&vec![b' '; 1 << 16]).and_then(|()| encoder.finish()).expect("memory takes everything")
}

/// What it is made of, how it is compressed, and its bytes.
type Bomb = (&'static str, &'static str, Vec<u8>);

/// Each is less than the limit of what may come over the wire, and more than the limit when opened.
static BOMBS: LazyLock<Vec<Bomb>> = LazyLock::new(|| {
    let spaces = vec![b' '; 9 << 20];
    let nest = [b"[".repeat(5 << 20), b"]".repeat(5 << 20)].concat();
    let text = [&b"{\"username\":\""[..], &spaces, b"\"}"].concat();
    let mebibyte = vec![b' '; 1 << 20];
    vec![
        ("spaces", "gzip", gzip(&spaces)),
        ("spaces", "zstd", zstd(&spaces)),
        ("a nest", "gzip", gzip(&nest)),
        ("a nest", "zstd", zstd(&nest)),
        ("one text", "gzip", gzip(&text)),
        ("members", "gzip", gzip(&mebibyte).repeat(48)),
        ("frames", "zstd", zstd(&mebibyte).repeat(1_000)),
    ]
});

#[track_caller]
fn post(client: &Client, path: &str, coding: &str, bomb: &[u8]) -> Answer {
    post_as(client, path, "application/json", coding, bomb)
}

#[track_caller]
fn post_as(client: &Client, path: &str, media: &str, coding: &str, bomb: &[u8]) -> Answer {
    client.post_bytes(path, bomb.to_vec(), &[("content-type", media), ("content-encoding", coding)])
}

/// The operations of the document that take a body, with ids filled in, and of which type.
fn doors(app: &TestApp) -> Vec<(String, String)> {
    let document = app.anonymous().read("/openapi.json");
    let paths = document["paths"].as_object().expect("paths");
    let media = |item: &Value| item["post"]["requestBody"]["content"].as_object()?.keys().next().cloned();
    let id = muong_tests::id().to_string();
    let concrete = |path: &String| {
        path.split('/').map(|part| if part.starts_with('{') { &id } else { part }).collect::<Vec<_>>().join("/")
    };
    paths.iter().filter_map(|(path, item)| Some((concrete(path), media(item)?))).collect()
}

#[test]
fn a_bomb_is_stopped_at_every_door() {
    let app = TestApp::start(Backend::Sqlite);
    let (secretary, admin) = (app.sign_in(SECRETARY), app.sign_in(ADMIN));
    let doors = doors(&app);
    assert!(doors.len() > 10, "{doors:?}");
    for (n, (path, media)) in doors.iter().enumerate() {
        // By turns; one of them is offered all.
        let all = path == "/v1/sync/push";
        for (what, coding, bomb) in BOMBS.iter().cycle().skip(n).take(if all { BOMBS.len() } else { 1 }) {
            assert!(bomb.len() < 1 << 20, "{what}: {}", bomb.len());
            for client in [secretary.client(), admin.client()] {
                let answer = post_as(&client, path, media, coding, bomb);
                // Who may not at all is told so first.
                assert!([403, 404, 413].contains(&answer.status), "{path} {what} {coding}: {answer:?}");
            }
        }
    }
    assert_eq!(app.app().capacity.bodies.taken(), 0, "nothing is left of any");
}

#[test]
fn a_bomb_in_a_bomb_is_opened_once_and_a_window_too_wide_is_not_opened_at_all() {
    let app = TestApp::start(Backend::Sqlite);
    let secretary = app.sign_in(SECRETARY);
    for (_, coding, bomb) in BOMBS.iter() {
        for (outer, encode) in [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("zstd", zstd)] {
            let nested = encode(bomb);
            post(&secretary.client(), "/v1/sync/push", outer, &nested).problem(400, "request.malformed");
            let both = post(&secretary.client(), "/v1/sync/push", &format!("{coding}, {outer}"), &nested);
            both.problem(415, "request.unsupported_encoding");
        }
    }
    post(&secretary.client(), "/v1/sync/push", "zstd", &wide_zstd()).problem(400, "request.truncated");
}

#[test]
fn many_bombs_at_once_take_no_more_room_than_there_is() {
    let app = TestApp::start(Backend::Sqlite);
    let secretary = app.sign_in(SECRETARY);
    thread::scope(|scope| {
        for (_, coding, bomb) in BOMBS.iter().cycle().take(14) {
            let client = secretary.client();
            scope.spawn(move || {
                let answer = post(&client, "/v1/sync/push", coding, bomb);
                assert!([413, 503].contains(&answer.status), "{answer:?}");
            });
        }
    });
    eventually("all room has come back", || app.app().capacity.bodies.taken() == 0);
    secretary.get("/v1/me").expect(200);
}
