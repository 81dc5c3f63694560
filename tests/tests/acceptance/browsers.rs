//! What browsers are told: what they may do with an answer, and which pages of other origins may ask.
//! On one database: none knows of browsers.

use muong_server::config::Config;
use muong_tests::province::SECRETARY;
use muong_tests::{Answer, Backend, Client, Socket, TestApp};
use serde_json::{Value, json};

const OURS: &str = "https://muong.example";

/// What is said of pages alone.
const OF_PAGES: [&str; 6] = [
    "content-security-policy",
    "referrer-policy",
    "x-frame-options",
    "cross-origin-resource-policy",
    "cross-origin-opener-policy",
    "permissions-policy",
];

#[test]
fn every_answer_says_what_a_browser_may_do_with_it() {
    let app = TestApp::start(Backend::Sqlite);
    let secretary = app.sign_in(SECRETARY);
    let anonymous = app.anonymous();
    // JSON, or nothing: never taken for anything else, kept nowhere, and not a byte more.
    let data = [
        (secretary.get("/v1/me"), "application/json"),
        (anonymous.get("/v1/me"), "application/problem+json"),
        (anonymous.get("/nowhere"), "application/problem+json"),
        (anonymous.get("/docs/nothing.html"), "application/problem+json"),
        (anonymous.get("/healthz"), "application/json"),
        (secretary.post("/v1/auth/sign-out", &json!({})), ""),
    ];
    for (answer, media) in &data {
        assert_eq!(answer.header("content-type"), *media, "{answer:?}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
        for name in OF_PAGES.into_iter().chain(["vary"]) {
            assert_eq!(answer.header(name), "", "{name} protects no JSON: {answer:?}");
        }
    }
    // What a browser shows, or follows.
    for path in ["/docs/", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"] {
        let page = anonymous.get(path);
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert!(page.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(page.header("permissions-policy").contains("camera=()"), "{path}");
        for name in OF_PAGES {
            assert_ne!(page.header(name), "", "{name} of {path}");
        }
    }
}

#[test]
fn what_may_be_kept_says_what_it_depends_on() {
    let app = TestApp::start(Backend::Sqlite);
    let zipped = app.sign_in(SECRETARY).client().with_header("accept-encoding", "zstd");
    let [forms, units] = ["/v1/forms", "/v1/units"].map(|path| zipped.get(path));
    for answer in [&forms, &units] {
        assert_eq!((answer.status, answer.header("content-encoding")), (200, "zstd"), "{:?}", answer.headers);
    }
    assert_eq!((forms.header("cache-control"), forms.header("vary")), ("private, no-cache", "accept-encoding"));
    assert_eq!((units.header("cache-control"), units.header("vary")), ("no-store", ""));
}

#[test]
fn nothing_tells_which_program_answers() {
    let app = TestApp::start(Backend::Sqlite);
    let mut socket = Socket::connect(&app);
    socket.send("NONSENSE\r\n\r\n");
    let unreadable = socket.rest().to_lowercase();
    assert!(unreadable.starts_with("http/1.1 400 "), "{unreadable}");
    let usual = format!("{:?}", app.anonymous().get("/healthz").headers).to_lowercase();
    for head in [unreadable, usual] {
        for told in ["server:", "\"server\"", "actix", "x-powered-by"] {
            assert!(!head.contains(told), "{told}: {head}");
        }
    }
}

#[test]
fn only_what_came_safely_demands_to_stay_safe() {
    let app = TestApp::start_with(Backend::Sqlite, |config| {
        config.trusted_proxies = vec!["127.0.0.1".to_owned().try_into().expect("a network")];
    });
    let hsts = |client: &Client| client.get("/healthz").header("strict-transport-security").to_owned();
    let through = |scheme| app.anonymous().with_header("x-forwarded-proto", scheme);
    assert_eq!(hsts(&through("https")), "max-age=31536000");
    assert_eq!(hsts(&through("http")), "");
    let open = TestApp::start(Backend::Sqlite);
    assert_eq!(hsts(&open.anonymous().with_header("x-forwarded-proto", "https")), "", "nobody's word is believed");
}

fn ours(config: &mut Config) {
    config.cors_origins = vec![OURS.to_owned()];
}

/// What a browser asks before it sends a push of a page of this origin.
fn preflight(app: &TestApp, origin: &str) -> (u16, String) {
    let mut socket = Socket::connect(app);
    socket.send(format!(
        "OPTIONS /v1/sync/push HTTP/1.1\r\nhost: muong\r\norigin: {origin}\r\naccess-control-request-method: POST\r\n\
         access-control-request-headers: authorization,content-type,x-reason\r\n\r\n"
    ));
    let answer = socket.answer();
    (answer.status, answer.head)
}

fn allowed(answer: &Answer) -> &str {
    answer.header("access-control-allow-origin")
}

#[test]
fn no_page_of_another_origin_may_ask_by_default() {
    let app = TestApp::start(Backend::Sqlite);
    let secretary = app.sign_in(SECRETARY);
    let answer = secretary.client().with_header("origin", OURS).get("/v1/me");
    assert_eq!((answer.status, allowed(&answer)), (200, ""));
    let (status, head) = preflight(&app, OURS);
    assert!(status >= 400 && !head.contains("access-control-allow"), "{head}");
}

#[test]
fn a_page_of_a_named_origin_may_ask_and_read_also_what_is_refused() {
    let app = TestApp::start_with(Backend::Sqlite, ours);
    let secretary = app.sign_in(SECRETARY);
    let from = |client: &Client| client.with_header("origin", OURS);
    let answer = from(&secretary.client()).get("/v1/me");
    assert_eq!((answer.status, allowed(&answer)), (200, OURS));
    assert!(answer.header("access-control-expose-headers").to_lowercase().contains("retry-after"), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    for path in ["/v1/me", "/nowhere", "/v1/records?form=none"] {
        let refused = from(&app.anonymous()).get(path);
        assert!(refused.status >= 400 && refused.json()["code"] != Value::Null, "{refused:?}");
        assert_eq!(allowed(&refused), OURS, "{refused:?}");
        assert_eq!(refused.headers.get_all("x-request-id").iter().count(), 1);
    }
    let (status, head) = preflight(&app, OURS);
    assert!(status < 300 && head.contains(&format!("access-control-allow-origin: {OURS}")), "{head}");
    assert!(head.contains("x-reason") && head.contains("x-content-type-options: nosniff"), "{head}");
}

#[test]
fn a_page_of_any_other_origin_may_not() {
    let app = TestApp::start_with(Backend::Sqlite, ours);
    for origin in ["https://muong.example.evil", "http://muong.example", "https://evil", "null"] {
        let answer = app.anonymous().with_header("origin", origin).get("/healthz");
        assert_eq!(allowed(&answer), "", "{origin}");
        let (status, head) = preflight(&app, origin);
        assert!(status >= 400 && !head.contains("access-control-allow-origin"), "{origin}: {head}");
    }
}
