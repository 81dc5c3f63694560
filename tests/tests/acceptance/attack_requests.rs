//! Requests that are written to be misunderstood: by this server, or by a proxy in front of it in another way than by
//! this server. On one database: none of them gets as far as one.

use muong_server::config::Config;
use muong_tests::client::text;
use muong_tests::province::SECRETARY;
use muong_tests::{Backend, Socket, TestApp};
use serde_json::json;

fn impatient(config: &mut Config) {
    let http = &mut config.http;
    (http.head_seconds, http.body_seconds, http.stall_seconds, http.keep_alive_seconds) = (1, 1, 1, 1);
}

/// Sends each on a connection of its own, all at once; what was answered until the server closed each.
fn exchange(app: &TestApp, requests: &[String]) -> Vec<String> {
    let mut sockets: Vec<Socket> = requests.iter().map(|_| Socket::connect(app)).collect();
    for (socket, request) in sockets.iter_mut().zip(requests) {
        socket.send_unless_refused(request);
    }
    sockets.iter_mut().map(Socket::rest).collect()
}

fn statuses(said: &str) -> Vec<u16> {
    said.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)?.parse().ok()).collect()
}

// --- one request in another -----------------------------------------------------------------------------

/// What is smuggled: answered, it would say so.
const SMUGGLED: &str = "GET /healthz HTTP/1.1\r\nhost: muong\r\n\r\n";
const ANSWERED: &str = "\"status\":\"ok\"";

/// A request for whose body the server and a proxy might see different ends.
fn outer(headers: &str, body: &str) -> String {
    format!("POST /v1/auth/sign-in HTTP/1.1\r\nhost: muong\r\ncontent-type: application/json\r\n{headers}\r\n{body}")
}

/// The head says how long its body is in two ways.
fn two_lengths() -> Vec<String> {
    let chunked = format!("0\r\n\r\n{SMUGGLED}");
    let long = chunked.len();
    let inside = format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
    vec![
        outer(&format!("content-length: {long}\r\ntransfer-encoding: chunked\r\n"), &chunked),
        outer(&format!("transfer-encoding: chunked\r\ncontent-length: {long}\r\n"), &chunked),
        outer("content-length: 4\r\ntransfer-encoding: chunked\r\n", &inside),
        outer("content-length: 0\r\ntransfer-encoding: chunked\r\n", &inside),
        outer(&format!("content-length: 0\r\ncontent-length: {}\r\n", SMUGGLED.len()), SMUGGLED),
        outer(&format!("content-length: {}\r\ncontent-length: 0\r\n", SMUGGLED.len()), SMUGGLED),
        outer(&format!("content-length: 0, {}\r\n", SMUGGLED.len()), SMUGGLED),
    ]
}

/// A length that is none.
fn no_lengths() -> Vec<String> {
    let wrong = ["-1", "+0", "0x0", "0 0", "1e1", "", "0;", "\"0\"", "18446744073709551616", "0\u{b}", "०"];
    wrong.iter().map(|length| outer(&format!("content-length: {length}\r\n"), SMUGGLED)).collect()
}

/// A transfer coding that one side knows and the other does not.
fn odd_codings() -> Vec<String> {
    let body = format!("0\r\n\r\n{SMUGGLED}");
    let odd = [
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: identity, chunked\r\n",
        "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked;q=1\r\n",
        "transfer-encoding: \"chunked\"\r\n",
        "transfer-encoding: \u{b}chunked\r\n",
        "transfer-encoding:\r\n chunked\r\n",
        "transfer-encoding\r\n : chunked\r\n",
        "transfer-encoding : chunked\r\n",
        " transfer-encoding: chunked\r\n",
        "transfer_encoding: chunked\r\n",
        "x: y\rtransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: identity\r\n",
        "transfer-encoding:\r\n",
    ];
    odd.iter().map(|header| outer(&format!("{header}content-length: {}\r\n", body.len()), &body)).collect()
}

/// Chunks whose end is not clear.
fn odd_chunks() -> Vec<String> {
    let inside = SMUGGLED.len();
    let bodies = [
        format!("{inside:x}\n{SMUGGLED}\r\n0\r\n\r\n"),
        format!("{inside:x}\r{SMUGGLED}\r\n0\r\n\r\n"),
        format!("0x{inside:x}\r\n{SMUGGLED}\r\n0\r\n\r\n"),
        format!("+{inside:x}\r\n{SMUGGLED}\r\n0\r\n\r\n"),
        format!("-1\r\n{SMUGGLED}\r\n0\r\n\r\n"),
        format!("1 0\r\n{SMUGGLED}\r\n0\r\n\r\n"),
        format!("\r\n{SMUGGLED}"),
        format!("10000000000000000\r\n{SMUGGLED}\r\n0\r\n\r\n"),
        format!("ffffffffffffffff\r\n{SMUGGLED}\r\n0\r\n\r\n"),
        format!("1;\n\r\nx\r\n{inside:x}\r\n{SMUGGLED}\r\n0\r\n\r\n"),
        format!("1;x=\"\r\n\"\r\nx\r\n{inside:x}\r\n{SMUGGLED}\r\n0\r\n\r\n"),
        format!("1\r\nxy\r\n{inside:x}\r\n{SMUGGLED}\r\n0\r\n\r\n"),
        format!("1\r\nx{inside:x}\r\n{SMUGGLED}\r\n0\r\n\r\n"),
        format!("0;x\n{SMUGGLED}\r\n\r\n"),
        format!("0\n\n{SMUGGLED}"),
    ];
    bodies.iter().map(|body| outer("transfer-encoding: chunked\r\n", body)).collect()
}

/// Bodies where none is expected, or that nobody reads.
fn unexpected_bodies() -> Vec<String> {
    let length = format!("content-length: {}\r\n", SMUGGLED.len());
    let with = |line: &str, headers: &str| format!("{line} HTTP/1.1\r\nhost: muong\r\n{headers}{length}\r\n{SMUGGLED}");
    let chunked = format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
    vec![
        with("GET /v1/me", ""),
        with("HEAD /v1/me", ""),
        with("DELETE /v1/sessions/x", ""),
        with("POST /v1/sync/push", ""),
        with("POST /nowhere", ""),
        with("OPTIONS /v1/me", "origin: https://elsewhere.example\r\naccess-control-request-method: POST\r\n"),
        with("GET /v1/me", "expect: 100-continue\r\n"),
        with("GET /v1/me", "connection: upgrade\r\nupgrade: websocket\r\n"),
        with("GET /v1/me", "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"),
        with("POST /v1/auth/sign-in", "content-type: text/plain\r\n"),
        format!("GET /v1/me HTTP/1.1\r\nhost: muong\r\ntransfer-encoding: chunked\r\n\r\n{chunked}"),
        format!("POST /v1/sync/push HTTP/1.0\r\nhost: muong\r\ntransfer-encoding: chunked\r\n\r\n{chunked}"),
        format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{SMUGGLED}"),
    ]
}

/// Two answers to what one side of a proxy took for one request would be a hole; no answer at all is none.
#[test]
fn a_request_inside_another_is_never_answered() {
    let app = TestApp::start_with(Backend::Sqlite, impatient);
    let shapes = [two_lengths(), no_lengths(), odd_codings(), odd_chunks(), unexpected_bodies()].concat();
    for (shape, said) in shapes.iter().zip(exchange(&app, &shapes)) {
        assert!(!said.contains(ANSWERED), "{shape:?} was answered: {said}");
        let final_ones: Vec<u16> = statuses(&said).into_iter().filter(|status| *status >= 200).collect();
        assert!(final_ones.len() <= 1, "{shape:?} was answered {final_ones:?}: {said}");
        assert!(final_ones.iter().all(|status| (400..500).contains(status)), "{shape:?} was answered: {said}");
    }
    app.anonymous().get("/healthz").expect(200);
}

/// The same request, not smuggled, is answered: the test above looks for the right thing.
#[test]
fn a_request_after_another_is_answered() {
    let app = TestApp::start_with(Backend::Sqlite, impatient);
    let body = json!({"username": "x", "password": "y", "device": {"name": "z"}}).to_string();
    let length = format!("content-length: {}\r\n", body.len());
    let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n{SMUGGLED}", body.len());
    let requests = [outer(&length, &format!("{body}{SMUGGLED}")), outer("transfer-encoding: chunked\r\n", &chunks)];
    for said in exchange(&app, &requests) {
        assert_eq!(statuses(&said), [401, 200], "{said}");
        assert!(said.contains(ANSWERED), "{said}");
    }
}

// --- one path for another -------------------------------------------------------------------------------

/// Each might be taken for `/v1/me` by somebody.
const DISGUISES: &[&str] = &[
    "/v1/%6de",
    "/v1/m%65",
    "/%76%31/me",
    "/v1%2fme",
    "/v1%2Fme",
    "/v1%252fme",
    "//v1/me",
    "/v1//me",
    "/v1/me/",
    "/v1/me//",
    "/v1/./me",
    "/./v1/me",
    "/v1/../v1/me",
    "/healthz/../v1/me",
    "/docs/../v1/me",
    "/docs/%2e%2e/v1/me",
    "/docs/..%2fv1%2fme",
    "/docs/%2e%2e%2fv1%2fme",
    "/v1/me%00",
    "/v1/me%20",
    "/v1/me;x=1",
    "/v1;/me",
    "/V1/ME",
    "/v1/me%0d%0ax-added:%20yes",
    "/v1\\me",
    "/v1/me.json",
    "/v1/me%2f",
    "/healthz;/v1/me",
    "/v1/me?/healthz",
    "/healthz%2f..%2fv1%2fme",
    "/v1/me%23",
    "/.well-known/../v1/me",
    "/v1/\u{ff4d}e",
    "http://muong/v1/me",
    "http://elsewhere.example/v1/me",
    "HTTP://MUONG/v1/me",
    "http://muong//v1/me",
    "muong:80",
    "*",
    "v1/me",
    "file:///v1/me",
    "http://muong@elsewhere/v1/me",
    "/v1/me HTTP/1.1\r\nx: ",
];

#[test]
fn no_spelling_of_a_path_gets_past_the_door() {
    let app = TestApp::start_with(Backend::Sqlite, impatient);
    let requests: Vec<String> = DISGUISES
        .iter()
        .map(|path| format!("GET {path} HTTP/1.1\r\nhost: muong\r\nconnection: close\r\n\r\n"))
        .collect();
    for (path, said) in DISGUISES.iter().zip(exchange(&app, &requests)) {
        let [status] = statuses(&said)[..] else { panic!("{path}: {said}") };
        assert!([400, 401, 404, 405].contains(&status), "{path}: {said}");
        assert!(!said.contains("\nx-added"), "{path}: {said}");
    }
}

/// With a token, the server's own reading of a path counts and nobody else's: what is not `/v1/me` to it is nothing.
#[test]
fn every_spelling_of_a_path_is_the_same_to_all_who_judge_it() {
    let app = TestApp::start_with(Backend::Sqlite, impatient);
    let secretary = app.sign_in(SECRETARY);
    let head = format!("host: muong\r\nauthorization: {}\r\nconnection: close\r\n\r\n", secretary.authorization());
    let requests: Vec<String> = DISGUISES.iter().map(|path| format!("GET {path} HTTP/1.1\r\n{head}")).collect();
    let bare: Vec<String> = requests.iter().map(|request| request.replace("Bearer ", "Nobody ")).collect();
    let (known, unknown) = (exchange(&app, &requests), exchange(&app, &bare));
    for ((path, known), unknown) in DISGUISES.iter().zip(known).zip(unknown) {
        let (known, unknown) = (statuses(&known), statuses(&unknown));
        // Whatever is served for the token is guarded without it.
        assert!(known != [200] || unknown == [401], "{path}: {known:?} {unknown:?}");
    }
}

#[test]
fn a_file_outside_the_documentation_is_never_served() {
    let app = TestApp::start(Backend::Sqlite);
    for path in [
        "/docs/../../../../etc/passwd",
        "/docs/..%2f..%2f..%2fetc%2fpasswd",
        "/docs/%2e%2e/%2e%2e/etc/passwd",
        "/docs//etc/passwd",
        "/docs/%2fetc%2fpasswd",
        "/docs/index.html%00.js",
        "/docs/....//....//etc/passwd",
        "/docs/file:///etc/passwd",
    ] {
        let mut socket = Socket::connect(&app);
        socket.send(format!("GET {path} HTTP/1.1\r\nhost: muong\r\nconnection: close\r\n\r\n"));
        let answer = socket.answer();
        assert!([400, 404].contains(&answer.status), "{path}: {answer:?}");
    }
}

// --- headers --------------------------------------------------------------------------------------------

#[test]
fn no_header_changes_the_method_or_the_path() {
    let app = TestApp::start(Backend::Sqlite);
    let secretary = app.sign_in(SECRETARY);
    for header in ["x-http-method-override", "x-http-method", "x-method-override"] {
        for method in ["DELETE", "POST", "PUT"] {
            let disguised = secretary.client().with_header(header, method);
            disguised.get("/v1/me").expect(200);
            disguised.post("/v1/me?_method=DELETE", &json!({})).problem(405, "request.method_not_allowed");
        }
    }
    secretary.get("/v1/me").expect(200);
    let plain = app.anonymous().read("/healthz");
    for header in ["x-original-url", "x-rewrite-url", "x-forwarded-path", "x-forwarded-prefix", "x-original-uri"] {
        assert_eq!(app.anonymous().with_header(header, "/v1/me").read("/healthz"), plain, "{header}");
        app.anonymous().with_header(header, "/healthz").get("/v1/me").problem(401, "auth.required");
    }
}

#[test]
fn no_address_that_a_client_states_is_believed_or_repeated() {
    let app = TestApp::start(Backend::Sqlite);
    let secretary = app.sign_in(SECRETARY);
    for (name, value) in [
        ("host", "elsewhere.example"),
        ("x-forwarded-host", "elsewhere.example"),
        ("forwarded", "for=1.2.3.4;host=elsewhere.example;proto=https"),
        ("x-forwarded-for", "elsewhere.example"),
        ("origin", "https://elsewhere.example"),
        ("referer", "https://elsewhere.example/"),
        ("x-request-id", "elsewhere.example"),
    ] {
        for path in ["/v1/me", "/docs", "/docs/", "/openapi.json", "/nowhere", "/v1/records?x=y"] {
            let answer = secretary.client().with_header(name, value).get(path);
            let whole = format!("{:?}{}", answer.headers, String::from_utf8_lossy(&answer.body));
            assert!(!whole.contains("elsewhere.example"), "{name} {path}: {whole}");
        }
    }
}

#[test]
fn a_head_that_is_too_large_or_holds_what_it_may_not_is_refused() {
    let app = TestApp::start_with(Backend::Sqlite, impatient);
    let get =
        |path: &str, headers: &str| format!("GET {path} HTTP/1.1\r\nhost: muong\r\n{headers}connection: close\r\n\r\n");
    let many: String = (0..5_000).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let names = |size| format!("{}: x\r\n", "x".repeat(size));
    let requests = [
        get("/healthz", &many),
        get("/healthz", &format!("x-long: {}\r\n", "x".repeat(500_000))),
        get("/healthz", &names(500_000)),
        get("/healthz", &format!("cookie: {}\r\n", "a=b; ".repeat(100_000))),
        get(&format!("/{}", "x".repeat(500_000)), ""),
        get(&format!("/v1/records?cursor={}", "x".repeat(500_000)), ""),
        get("/healthz", "x-nul: a\0b\r\n"),
        get("/healthz", "x\0nul: b\r\n"),
        get("/heal\0thz", ""),
        get("/healthz", "x-escape: \u{1b}[2J\r\n"),
        get("/healthz", "no colon\r\n"),
        get("/healthz", ": no name\r\n"),
        get("/healthz", "x y: z\r\n"),
        get("/healthz", "x-folded: a\r\n b\r\n"),
        "GET /healthz\r\n\r\n".to_owned(),
        "GET /healthz HTTP/9.9\r\nhost: muong\r\n\r\n".to_owned(),
        "GET  /healthz HTTP/1.1\r\nhost: muong\r\n\r\n".to_owned(),
        "G\0T /healthz HTTP/1.1\r\nhost: muong\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}".to_owned(),
    ];
    for (request, said) in requests.iter().zip(exchange(&app, &requests)) {
        let shape: String = request.chars().take(80).collect();
        let answered = statuses(&said);
        assert!(answered.iter().all(|status| (400..500).contains(status)), "{shape:?}: {said}");
        assert!(answered.len() <= 1, "{shape:?}: {said}");
    }
    app.anonymous().get("/healthz").expect(200);
}

#[test]
fn nothing_that_a_client_writes_becomes_a_header_of_the_answer() {
    let app = TestApp::start(Backend::Sqlite);
    let secretary = app.sign_in(SECRETARY);
    let injected = "x%0d%0aset-cookie:%20a=b%0d%0a%0d%0a%3Chtml%3E";
    for path in [
        format!("/v1/records?cursor={injected}"),
        format!("/v1/records?{injected}=1"),
        format!("/v1/forms/{injected}"),
        format!("/v1/units/{injected}"),
        format!("/{injected}"),
        format!("/docs/{injected}"),
    ] {
        let mut socket = Socket::connect(&app);
        let authorization = secretary.authorization();
        socket.send(format!("GET {path} HTTP/1.1\r\nhost: muong\r\nauthorization: {authorization}\r\n\r\n"));
        let answer = socket.answer();
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        assert!(!answer.head.contains("set-cookie"), "{path}: {answer:?}");
        assert!(!text(&answer.body["code"]).is_empty(), "{path}: {answer:?}");
    }
}
