//! What the server tells of itself in numbers: on an address of its own, and never anything about persons.

use muong_server::config::Config;
use muong_tests::builders::meeting;
use muong_tests::client::text;
use muong_tests::province::{HUOI_SANG, SECRETARY};
use muong_tests::{Answer, Backend, Client, TestApp, on_each};
use serde_json::json;

on_each!(
    numbers_are_served_on_their_own_address_and_nowhere_else,
    requests_are_counted_by_their_route_and_never_by_their_path,
    pushes_and_sign_ins_are_counted_by_how_they_ended,
    what_waits_and_what_is_in_use_is_told,
    nothing_is_told_unless_it_was_asked_for,
);

fn told(config: &mut Config) {
    config.metrics_listen = Some("127.0.0.1:0".to_owned());
}

fn scrape(app: &TestApp) -> Answer {
    let metrics = &app.app().metrics;
    Client::new(&format!("http://{}", metrics.address())).get("/metrics")
}

/// The lines, without comments.
fn lines(answer: &Answer) -> Vec<String> {
    let text = String::from_utf8(answer.body.clone()).expect("text");
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// The value of one series: `name{labels}`, as it is written.
#[track_caller]
fn value(lines: &[String], series: &str) -> f64 {
    let found = lines.iter().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let value = found.unwrap_or_else(|| panic!("no {series} in {lines:#?}"));
    value.parse().expect("a number")
}

fn numbers_are_served_on_their_own_address_and_nowhere_else(backend: Backend) {
    let app = TestApp::start_with(backend, told);
    let answer = scrape(&app);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(value(&lines(&answer), &format!("muong_build_info{{version=\"{version}\"}}")), 1.0);
    app.anonymous().get("/metrics").problem(404, "request.not_found");
    let metrics = format!("http://{}", app.app().metrics.address());
    assert_eq!(Client::new(&metrics).get("/v1/me").status, 404);
}

fn requests_are_counted_by_their_route_and_never_by_their_path(backend: Backend) {
    let app = TestApp::start_with(backend, told);
    let secretary = app.sign_in(SECRETARY);
    let record = secretary.reports(meeting(HUOI_SANG));
    let path = format!("/v1/records/{}", text(&record["record"]));
    secretary.get(&path).expect(200);
    app.anonymous().get(&path).problem(401, "auth.required");
    app.anonymous().get("/v1/giang-a-de").problem(404, "request.not_found");
    app.anonymous().get("/giang-a-de").problem(404, "request.not_found");
    app.anonymous().post("/healthz", &json!({})).problem(405, "request.method_not_allowed");
    let answer = scrape(&app);
    let lines = lines(&answer);
    let of = |route, method, class| {
        let labels = format!("{{route=\"{route}\",method=\"{method}\",status=\"{class}\"}}");
        value(&lines, &format!("muong_http_requests_total{labels}"))
    };
    assert_eq!(of("/v1/records/{id}", "GET", "2xx"), 1.0);
    assert_eq!(of("/v1/records/{id}", "GET", "4xx"), 1.0);
    assert_eq!(of("/v1/sync/push", "POST", "2xx"), 1.0);
    assert_eq!((of("(other)", "GET", "4xx"), of("(other)", "POST", "4xx")), (2.0, 1.0));
    let took = "muong_http_request_duration_seconds_count{route=\"/v1/sync/push\",method=\"POST\"}";
    assert_eq!(value(&lines, took), 1.0);
    let all = lines.join("\n");
    assert!(!all.contains("giang-a-de") && !all.contains(text(&record["record"])), "{all}");
}

fn pushes_and_sign_ins_are_counted_by_how_they_ended(backend: Backend) {
    let app = TestApp::start_with(backend, told);
    let secretary = app.sign_in(SECRETARY);
    let wrong = json!({"username": SECRETARY, "password": "not the password", "device": {"name": "Máy thử"}});
    app.anonymous().post("/v1/auth/sign-in", &wrong).problem(401, "auth.bad_credentials");
    let said = secretary.says(meeting(HUOI_SANG));
    secretary.push(&[&said]);
    secretary.push(&[&said]);
    let lines = lines(&scrape(&app));
    let pushed = |status| value(&lines, &format!("muong_push_results_total{{status=\"{status}\"}}"));
    assert_eq!((pushed("accepted"), pushed("duplicate"), pushed("rejected")), (1.0, 1.0, 0.0));
    let signed_in = |outcome| value(&lines, &format!("muong_sign_ins_total{{outcome=\"{outcome}\"}}"));
    assert_eq!((signed_in("ok"), signed_in("auth.bad_credentials")), (1.0, 1.0));
    assert!(value(&lines, "muong_writer_commit_seconds_count") >= 2.0);
    assert!(value(&lines, "muong_writer_lock_wait_seconds_count") >= 2.0);
    assert!(value(&lines, "muong_writer_group_changes_bucket{le=\"1\"}") >= 2.0);
}

fn what_waits_and_what_is_in_use_is_told(backend: Backend) {
    let app = TestApp::start_with(backend, told);
    let secretary = app.sign_in(SECRETARY);
    let said = secretary.says(meeting(HUOI_SANG).to("sitting", 1));
    let other = secretary.says(meeting(HUOI_SANG).to("held", "not a truth value"));
    assert_eq!(secretary.push(&[&said, &other]).statuses(), ["accepted", "rejected"]);
    let folder = tempfile::TempDir::with_prefix("muong-backups-").expect("a folder");
    app.back_up(folder.path());
    app.pass(chrono::TimeDelta::minutes(2));
    let lines = lines(&scrape(&app));
    assert_eq!(value(&lines, "muong_backup_age_seconds"), 120.0);
    assert_eq!(value(&lines, "muong_backup_seq"), value(&lines, "muong_log_seq") - 1.0);
    assert_eq!(value(&lines, "muong_quarantine_open"), 1.0);
    assert_eq!(value(&lines, "muong_conflicts_open"), 0.0);
    assert!(value(&lines, "muong_log_seq") > 2.0);
    for none in ["muong_writer_queue", "muong_reads_waiting", "muong_work_waiting", "muong_password_checks"] {
        assert_eq!(value(&lines, none), 0.0, "{none}");
    }
    assert_eq!(value(&lines, "muong_body_bytes"), 0.0);
    assert!(value(&lines, "muong_read_pool_connections{state=\"idle\"}") >= 1.0);
    assert_eq!(value(&lines, "muong_token_cache_entries"), 1.0);
    assert_eq!(value(&lines, "muong_token_cache_lookups_total{result=\"miss\"}"), 1.0);
    for process in ["process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"] {
        assert!(value(&lines, process) > 0.0, "{process}");
    }
    assert!(lines.iter().any(|line| line.starts_with("muong_epoch_info{epoch=")), "{lines:?}");
}

fn nothing_is_told_unless_it_was_asked_for(backend: Backend) {
    let app = TestApp::start(backend);
    app.sign_in(SECRETARY).reports_as("accepted", meeting(HUOI_SANG));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    assert_eq!(runtime.block_on(app.app().metrics.text(app.app())), "");
}
