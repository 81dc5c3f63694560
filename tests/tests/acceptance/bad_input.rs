//! Bad input gets a clear, coded error in both languages and never a 500; nothing of it is lost, and nothing beside it.

use flate2::Compression;
use flate2::write::GzEncoder;
use muong_tests::builders::{MEETING, Submission, meeting};
use muong_tests::client::{Answer, assert_finding, codes, text, uuid};
use muong_tests::province::{HUOI_SANG, PASSWORD, SECRETARY};
use muong_tests::review::quarantined;
use muong_tests::{Reporter, TestApp, id, on_both};
use serde_json::{Value, json};
use std::io::Write;

on_both!(
    an_item_that_cannot_be_read_is_quarantined_whole_and_its_neighbours_are_accepted,
    an_item_that_is_no_utf_8_is_quarantined_as_bytes,
    what_cannot_be_read_is_said_again_as_the_same,
    what_cannot_be_read_can_be_looked_at_as_it_came,
    a_part_of_the_wrong_shape_is_named,
    a_value_that_the_form_does_not_take_is_named,
    an_item_above_the_limit_is_quarantined_and_one_below_is_not,
    a_body_that_is_no_push_is_refused_whole,
    a_list_is_no_object_wherever_one_is_meant,
    a_frame_of_another_protocol_is_told_both_versions,
    a_body_of_another_type_is_refused,
    a_compressed_body_is_taken,
    a_compressed_body_that_is_damaged_is_refused,
    a_bomb_is_stopped_early,
    a_body_above_the_limit_is_refused,
    one_submission_too_many_is_refused_and_the_limit_itself_is_taken,
    the_limits_are_told,
    an_answer_is_compressed_for_whoever_asks,
    a_wrong_query_or_path_is_refused,
    every_parameter_that_is_wrong_is_told_by_its_name,
);

/// A push whose items are texts, as a phone's faulty serialiser might write them.
fn raw(reporter: &Reporter, items: &[Vec<u8>]) -> Vec<u8> {
    let mut body = reporter.envelope(&[]).to_string().replace("\"submissions\":[]", "\"submissions\":[").into_bytes();
    assert_eq!(body.pop(), Some(b'}'));
    // The object's members are sorted, and `submissions` is the last of them.
    assert!(!String::from_utf8_lossy(&body).ends_with('}'));
    body.extend(items.join(&b","[..]));
    body.extend(b"]}");
    body
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[track_caller]
fn post(reporter: &Reporter, body: Vec<u8>) -> Answer {
    reporter.client().post_bytes("/v1/sync/push", body, &[JSON])
}

/// A report as text, with a piece of it replaced.
fn spoiled(reporter: &Reporter, piece: &str, by: &str) -> Vec<u8> {
    let report = reporter.says(meeting(HUOI_SANG).to("place", "PLACE")).json().to_string();
    assert!(report.contains(piece), "{piece} stands in {report}");
    report.replacen(piece, by, 1).into_bytes()
}

#[track_caller]
fn head(reporter: &Reporter) -> Value {
    reporter.push(&[])["head"].clone()
}

#[track_caller]
fn assert_rejected(result: &Value, code: &str) {
    assert_eq!((&result["status"], codes(&result["errors"])), (&json!("rejected"), vec![code]), "{result}");
    assert!(result["quarantine"].is_string(), "{result}");
    result["errors"].as_array().expect("errors").iter().for_each(assert_finding);
}

fn an_item_that_cannot_be_read_is_quarantined_whole_and_its_neighbours_are_accepted(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let cases: &[(&str, &str, &str)] = &[
        ("\"PLACE\"", "\"a\\u0000b\"", "submission.nul_character"),
        ("\"PLACE\"", "\"\\ud800\"", "submission.not_ijson"),
        ("\"PLACE\"", "\"\\udc00\\ud800\"", "submission.not_ijson"),
        ("\"PLACE\"", "1e999", "submission.not_ijson"),
        ("\"PLACE\"", "123456789012345678901234567890", "submission.not_ijson"),
        ("\"PLACE\"", &deep, "submission.too_deep"),
        ("\"place\":", "\"place\":{\"to\":\"x\"},\"place\":", "submission.not_ijson"),
        ("\"kind\":", "\"kind\":\"delete\",\"kind\":", "submission.not_ijson"),
    ];
    for (index, (piece, by, code)) in cases.iter().enumerate() {
        let period = format!("2025-{:02}", index + 1);
        let good = secretary.says(meeting(HUOI_SANG).to("period", period).to("held_on", "2025-07-05"));
        let bad = spoiled(&secretary, piece, by);
        let body = raw(&secretary, &[bad, good.json().to_string().into_bytes()]);
        let pushed = post(&secretary, body).expect(200);
        assert_rejected(&pushed["results"][0], code);
        assert_eq!(pushed["results"][1]["status"], "accepted", "{by}: {pushed}");
    }
}

fn an_item_that_is_no_utf_8_is_quarantined_as_bytes(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let report = secretary.says(meeting(HUOI_SANG).to("place", "PLACE")).json().to_string().into_bytes();
    let at = report.windows(5).position(|window| window == b"PLACE").expect("a place");
    let bad = [&report[..at], b"\xff\xfe", &report[at + 5..]].concat();
    let good = secretary.says(meeting(HUOI_SANG));
    let pushed = post(&secretary, raw(&secretary, &[bad, good.json().to_string().into_bytes()])).expect(200);
    assert_rejected(&pushed["results"][0], "submission.not_ijson");
    assert_eq!(pushed["results"][1]["status"], "accepted", "{pushed}");
}

fn what_cannot_be_read_is_said_again_as_the_same(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let body = raw(&secretary, &[spoiled(&secretary, "\"PLACE\"", "\"\\ud800\""), b"42".to_vec()]);
    let first = post(&secretary, body.clone()).expect(200);
    let again = post(&secretary, body).expect(200);
    for (before, after) in [0, 1].map(|index| (&first["results"][index], &again["results"][index])) {
        assert_eq!((&after["status"], &after["original"]["v"]), (&json!("duplicate"), &before["v"]), "{after}");
        assert_eq!(after["id"], before["id"]);
    }
    assert_eq!(again["head"], first["head"]);
}

fn what_cannot_be_read_can_be_looked_at_as_it_came(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let bad = spoiled(&secretary, "\"PLACE\"", "\"\\ud800\"");
    let pushed = post(&secretary, raw(&secretary, std::slice::from_ref(&bad))).expect(200);
    let waiting = quarantined(&secretary, &pushed["results"][0]["quarantine"]);
    let sent = String::from_utf8(bad).expect("text");
    let shown = |value: &Value| {
        value.as_str() == Some(&sent)
            || value.as_object().is_some_and(|o| o.values().any(|v| v.as_str() == Some(&sent)))
    };
    let found = waiting.as_object().expect("an object").values().any(shown);
    assert!(found, "the whole of it stands there: {waiting}");
}

fn a_part_of_the_wrong_shape_is_named(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let report = || secretary.says(meeting(HUOI_SANG));
    let cases = [
        (report().with("n", "one"), "/n", "số nguyên từ 1"),
        (report().with("n", 0), "/n", "số nguyên từ 1"),
        (report().with("kind", "merge"), "/kind", "“create”"),
        (report().with("record", "not an id"), "/record", "UUID"),
        (report().with("captured_at", "yesterday"), "/captured_at", "thời điểm"),
        (report().with("form_version", 1.5), "/form_version", "số nguyên"),
        (report().with("form", 1), "/form", "chữ"),
        (report().with("replaces", "all"), "/replaces", "danh sách mã"),
        (report().with("replaces", json!([1])), "/replaces/0", "UUID"),
        (report().with("after_lost", "yes"), "/after_lost", "có hoặc không"),
        (report().with("set", json!([])), "/set", "đối tượng JSON"),
        (report().with("set", json!({"present": 11})), "/set/present", "“from” và “to”"),
        (report().with("base", json!({"epoch": "e1"})), "/base/epoch", "UUID"),
    ];
    for (report, pointer, expected) in cases {
        let result = secretary.push(&[&report]).only();
        assert_rejected(&result, "submission.malformed");
        assert_eq!(result["errors"][0]["pointer"], pointer, "{result}");
        let told = text(&result["errors"][0]["message"]["vi"]);
        assert!(told.contains(expected), "what is expected there is told: {told}");
    }
    for (incomplete, code, pointer, member) in [
        (report().without("unit"), "submission.member_missing", "/unit", "“unit”"),
        (report().without("n"), "submission.member_missing", "/n", "“n”"),
        (report().with("set", json!({"present": {"from": 1}})), "submission.member_missing", "/set/present/to", "“to”"),
        (report().with("extra", 1), "submission.member_unknown", "/extra", "“extra”"),
        (report().with("a/b", 1), "submission.member_unknown", "/a~1b", "“a/b”"),
        (report().with("base", json!({"seq": 1})), "submission.member_unknown", "/base/seq", "“seq”"),
    ] {
        let result = secretary.push(&[&incomplete]).only();
        assert_rejected(&result, code);
        let finding = &result["errors"][0];
        assert_eq!(finding["pointer"], pointer, "{result}");
        assert!(text(&finding["message"]["vi"]).contains(member), "{result}");
    }
    let nothing: Vec<Vec<u8>> =
        ["42", "null", "\"x\"", "[]", "{}", "true"].map(|item| item.as_bytes().to_vec()).to_vec();
    let pushed = post(&secretary, raw(&secretary, &nothing)).expect(200);
    let results = pushed["results"].as_array().expect("results");
    assert_eq!(results.len(), nothing.len());
    for result in results {
        let empty = result["errors"][0]["pointer"] == "/id";
        assert_rejected(result, if empty { "submission.member_missing" } else { "submission.malformed" });
    }
}

fn a_value_that_the_form_does_not_take_is_named(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let cases = [
        ("present", json!("eleven"), "form.type"),
        ("present", json!(11.5), "form.type"),
        ("present", json!(-1), "form.range"),
        ("present", json!(9_007_199_254_740_991_i64), "form.range"),
        ("held_on", json!("2026-02-30"), "form.type"),
        ("held_on", json!("05/03/2026"), "form.type"),
        ("started", json!("25:00"), "form.type"),
        ("period", json!("2026-13"), "form.type"),
        ("type", json!("secret"), "form.not_in_list"),
        ("place", json!("a\u{7}b"), "text.control_character"),
        ("place", json!("x".repeat(121)), "form.length"),
        ("colour", json!("red"), "form.unknown_field"),
        ("on_roll", json!(null), "form.required"),
    ];
    for (field, value, code) in cases {
        let result = secretary.reports(meeting(HUOI_SANG).to(field, value.clone()));
        assert_eq!(result["status"], "rejected", "{field} = {value}: {result}");
        let finding = result["errors"].as_array().expect("errors").iter().find(|finding| finding["code"] == code);
        let finding = finding.unwrap_or_else(|| panic!("no {code}: {result}"));
        assert_finding(finding);
        assert!(text(&finding["pointer"]).starts_with(&format!("/set/{field}")), "{finding}");
    }
    let item =
        |list: &str, key: &str| meeting(HUOI_SANG).item(list, key, "page", 1).item(list, key, "media_type", "jpeg");
    for (report, code) in [(item("photos", "x"), "form.unknown_list"), (item("minutes", "x"), "form.item_key")] {
        assert_rejected(&secretary.reports(report), code);
    }
}

fn an_item_above_the_limit_is_quarantined_and_one_below_is_not(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let padded = |report: &Submission, bytes: usize| {
        let report = report.json().to_string();
        let padding = " ".repeat(bytes - report.len());
        report.replacen('{', &format!("{{{padding}"), 1).into_bytes()
    };
    let limit = 256 << 10;
    let [above, below] = [secretary.says(meeting(HUOI_SANG)), secretary.says(meeting(HUOI_SANG))];
    let pushed = post(&secretary, raw(&secretary, &[padded(&above, limit + 1), padded(&below, limit)])).expect(200);
    assert_rejected(&pushed["results"][0], "submission.too_large");
    assert_eq!(uuid(&pushed["results"][0]["id"]), above.id(), "it is answered by its own name");
    assert_eq!(pushed["results"][1]["status"], "accepted", "{pushed}");
}

fn a_body_that_is_no_push_is_refused_whole(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let before = head(&secretary);
    let good = secretary.envelope(&[&secretary.says(meeting(HUOI_SANG))]);
    let whole = good.to_string();
    let without = |part: &str| {
        let mut body = good.clone();
        body.as_object_mut().expect("an object").remove(part);
        body.to_string()
    };
    let with = |part: &str, value: Value| {
        let mut body = good.clone();
        body[part] = value;
        body.to_string()
    };
    let bodies = [
        String::new(),
        " ".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "hello".to_owned(),
        whole[..whole.len() / 2].to_owned(),
        whole[..whole.len() - 1].to_owned(),
        format!("{whole}x"),
        without("protocol"),
        without("device"),
        without("submissions"),
        with("submissions", json!({})),
        with("device", json!("not an id")),
        with("sent_at", json!("yesterday")),
        with("extra", json!(1)),
        with("client", json!("x".repeat(201))),
        with("client", json!("a\u{0}b")),
        with("sent_at", json!("0001-01-01T00:00:00Z")),
        json!([1, good["device"], null, null, []]).to_string(),
        json!([1, good["device"], null, null, good["submissions"]]).to_string(),
    ];
    for body in bodies {
        let problem = post(&secretary, body.clone().into_bytes()).problem(400, "request.malformed");
        assert_eq!(problem["errors"].as_array().map(Vec::len), Some(1), "{body}: {problem}");
    }
    assert_eq!(head(&secretary), before);
}

/// Read as an object, a list of its members in their order would have no names for the hash, the mask and the reader.
fn a_list_is_no_object_wherever_one_is_meant(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let report = secretary.says(meeting(HUOI_SANG));
    let said = report.json();
    let whole = json!([said["id"], said["n"], "create", MEETING, 1, said["record"], said["unit"]]);
    let pushed = post(&secretary, raw(&secretary, &[whole.to_string().into_bytes()])).expect(200);
    assert_rejected(&pushed["results"][0], "submission.malformed");
    let seen = json!([pushed["epoch"], 1, null]);
    let other = || secretary.says(meeting(HUOI_SANG));
    let item = json!({"resolutions": {id().to_string(): {"number": [null, "01-NQ/CB"]}}});
    for (spoilt, pointer) in [
        (other().with("set", json!({"place": [null, "Nhà văn hóa"]})), "/set/place"),
        (other().with("items", item), "/items/resolutions"),
        (other().with("base", seen), "/base"),
    ] {
        let result = secretary.push(&[&spoilt]).only();
        assert_rejected(&result, "submission.malformed");
        assert!(text(&result["errors"][0]["pointer"]).starts_with(pointer), "{result}");
    }
    let device = json!({"name": "Máy"});
    for (path, body) in [
        ("/v1/auth/sign-in", json!([SECRETARY, PASSWORD, device])),
        ("/v1/auth/sign-in", json!({"username": SECRETARY, "password": PASSWORD, "device": [null, "Máy"]})),
        ("/v1/auth/refresh", json!([secretary.refresh_token(), secretary.device])),
        ("/v1/devices", json!(["Máy mới"])),
        (&format!("/v1/conflicts/{}/resolution", id()), json!([{"keep": true}, [], "Lý do"])),
        (&format!("/v1/quarantine/{}/release", id()), json!(["Lý do"])),
        (&format!("/v1/quarantine/{}/discard", id()), json!(["Lý do"])),
        ("/v1/submissions", whole),
    ] {
        secretary.post(path, &body).problem(400, "request.malformed");
    }
}

fn a_frame_of_another_protocol_is_told_both_versions(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let mut frame = secretary.envelope(&[]);
    frame["protocol"] = json!(7);
    let problem = secretary.client().with_header("accept-language", "en").post("/v1/sync/push", &frame);
    let problem = problem.problem(400, "request.protocol_unsupported");
    assert!(text(&problem["detail"]).contains("version 7; it speaks 1"), "{problem}");
}

fn a_body_of_another_type_is_refused(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let body = secretary.envelope(&[&secretary.says(meeting(HUOI_SANG))]).to_string().into_bytes();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""] {
        let answer = secretary.client().post_bytes("/v1/sync/push", body.clone(), &[("content-type", kind)]);
        answer.problem(415, "request.unsupported_media");
    }
    for coding in ["br", "deflate", "gzip, gzip"] {
        let headers = [JSON, ("content-encoding", coding)];
        let answer = secretary.client().post_bytes("/v1/sync/push", body.clone(), &headers);
        answer.problem(415, "request.unsupported_encoding");
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("memory takes everything")
}

fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::encode_all(body, 3).expect("memory takes everything")
}

type Encode = fn(&[u8]) -> Vec<u8>;
const CODINGS: [(&str, Encode); 2] = [("gzip", gzip), ("zstd", zstd)];

#[track_caller]
fn post_compressed(reporter: &Reporter, coding: &str, body: Vec<u8>) -> Answer {
    reporter.client().post_bytes("/v1/sync/push", body, &[JSON, ("content-encoding", coding)])
}

fn a_compressed_body_is_taken(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    for ((coding, encode), period) in CODINGS.into_iter().zip(["2026-01", "2026-02"]) {
        let report = secretary.says(meeting(HUOI_SANG).to("period", period));
        let body = secretary.envelope(&[&report]).to_string();
        let pushed = post_compressed(&secretary, coding, encode(body.as_bytes())).expect(200);
        assert_eq!(pushed["results"][0]["status"], "accepted", "{coding}: {pushed}");
    }
}

fn a_compressed_body_that_is_damaged_is_refused(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let before = head(&secretary);
    let body = secretary.envelope(&[&secretary.says(meeting(HUOI_SANG))]).to_string();
    for (coding, encode) in CODINGS {
        let whole = encode(body.as_bytes());
        let mut changed = whole.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 0xff;
        let cut = whole[..whole.len() - 9].to_vec();
        for damaged in [cut, whole[..middle].to_vec(), body.clone().into_bytes(), Vec::new()] {
            post_compressed(&secretary, coding, damaged).problem(400, "request.truncated");
        }
        let answer = post_compressed(&secretary, coding, changed);
        assert!((400..500).contains(&answer.status), "{coding}: {answer:?}");
    }
    assert_eq!(head(&secretary), before);
}

fn a_bomb_is_stopped_early(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let bomb = vec![b' '; 64 << 20];
    for (coding, encode) in CODINGS {
        let small = encode(&bomb);
        assert!(small.len() < 100 << 10, "{coding}: {}", small.len());
        post_compressed(&secretary, coding, small).problem(413, "request.inflated_too_large");
        // Compressed twice, it is only ever opened once.
        post_compressed(&secretary, coding, encode(&encode(&bomb))).problem(400, "request.malformed");
    }
}

fn a_body_above_the_limit_is_refused(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let body = secretary.envelope(&[]).to_string();
    let padded = |bytes: usize| format!("{}{}", " ".repeat(bytes - body.len()), body).into_bytes();
    post(&secretary, padded(1 << 20)).expect(200);
    post(&secretary, padded((1 << 20) + 1)).problem(413, "request.too_large");
}

fn one_submission_too_many_is_refused_and_the_limit_itself_is_taken(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let before = head(&secretary);
    let items = |count: usize| vec![b"{}".to_vec(); count];
    for many in [501, 10_001] {
        post(&secretary, raw(&secretary, &items(many))).problem(413, "request.too_many_submissions");
    }
    assert_eq!(head(&secretary), before);
    let pushed = post(&secretary, raw(&secretary, &items(500))).expect(200);
    assert_eq!(pushed["results"].as_array().map(Vec::len), Some(500));
}

fn the_limits_are_told(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let limits = secretary.read("/v1/sync/limits");
    let expected = json!({"submissions": 500, "wire_bytes": 1 << 20, "inflated_bytes": 8 << 20, "submission_bytes": 256 << 10,
        "replaces": 100, "findings": 50});
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(limits[name], *value, "{name} of {limits}");
    }
}

fn an_answer_is_compressed_for_whoever_asks(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    secretary.reports_as("accepted", meeting(HUOI_SANG));
    let plain = secretary.get("/v1/forms");
    assert_eq!(plain.header("content-encoding"), "");
    for coding in ["gzip", "zstd"] {
        let answer = secretary.client().with_header("accept-encoding", coding).get("/v1/forms");
        assert_eq!((answer.status, answer.header("content-encoding")), (200, coding));
        let inflated = match coding {
            "gzip" => {
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&answer.body[..]), &mut bytes)
                    .map(|_| bytes)
            }
            _ => zstd::decode_all(&answer.body[..]),
        };
        assert_eq!(inflated.expect("it inflates"), plain.body, "{coding}");
    }
}

fn a_wrong_query_or_path_is_refused(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    for path in ["/v1/records/x", "/v1/quarantine/1", "/v1/conflicts/%00", "/v1/units/x"] {
        secretary.get(path).problem(400, "request.path_invalid");
    }
    for query in ["limit=0", "limit=501", "limit=x", "unit=x", "from=05/03/2026", "colour=red", "limit=5&limit=6"] {
        secretary.get(&format!("/v1/records?{query}")).problem(400, "request.query_invalid");
    }
    for cursor in ["x", "%F0%9F%98%80", "AAAA", &"A".repeat(5000)] {
        let answer = secretary.get(&format!("/v1/records?cursor={cursor}"));
        answer.problem(400, "request.cursor_invalid");
    }
    assert_eq!(secretary.get(&format!("/v1/records/{}", id())).status, 404);
}

fn every_parameter_that_is_wrong_is_told_by_its_name(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let unit = format!("action=report&unit={HUOI_SANG}");
    let cases: [(&str, &[&str]); 12] = [
        ("/v1/me?x=1", &["/x"]),
        ("/v1/sync/limits?x=1", &["/x"]),
        ("/v1/forms?x=1", &["/x"]),
        ("/v1/me/can", &["/action", "/unit"]),
        ("/v1/me/can?action=report", &["/unit"]),
        ("/v1/me/can?action=fly&unit=x&at=yesterday&reason=maybe", &["/action", "/unit", "/at", "/reason"]),
        (&format!("/v1/me/can?{unit}&at=%2B12026-03-05T00:00:00Z"), &["/at"]),
        (&format!("/v1/me/can?{unit}&colour=red"), &["/colour"]),
        (&format!("/v1/me/can?{unit}&unit={HUOI_SANG}"), &["/unit"]),
        ("/v1/records?from=x&to=y", &["/from", "/to"]),
        (&format!("/v1/records?form=person&unit={HUOI_SANG}&name=."), &["/name"]),
        (&format!("/v1/records?form=person&unit={HUOI_SANG}&name=%CC%81"), &["/name"]),
    ];
    for (path, pointers) in cases {
        let problem = secretary.get(path).problem(400, "request.query_invalid");
        let told = problem["errors"].as_array().expect("places").iter().map(|error| text(&error["pointer"]));
        assert_eq!(told.collect::<Vec<_>>(), pointers, "{path}");
    }
    let can = secretary.read(&format!("/v1/me/can?{unit}&reason=true&at=2026-03-09T09:00:00%2B07:00"));
    assert_eq!((&can["allowed"], &can["at"]), (&json!(true), &json!("2026-03-09T02:00:00Z")));
}
