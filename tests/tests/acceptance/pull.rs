//! Pull: what a phone is told, page by page, and when it has to begin anew.

use super::pull_hash::fill_feed;
use muong_tests::builders::{MEETING, PERSON, meeting, object, person, roll, step};
use muong_tests::client::{number, text, uuid};
use muong_tests::database::{execute, number as counted};
use muong_tests::phone::{kinds, messages};
use muong_tests::province::{
    ADMIN, AUDITOR, COMMUNE, DEPARTMENT, HUOI_SANG, MUONG_NHE, NA_LONG, NEIGHBOUR, NOBODY, OFFICER, PROVINCE, SECRETARY,
};
use muong_tests::review::{discard, release};
use muong_tests::{Backend, Phone, Reporter, Socket, Submission, TestApp, eventually, on_both};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

on_both!(
    a_phone_that_has_nothing_gets_what_its_user_may_see_and_nothing_else,
    afterwards_it_gets_what_has_changed_and_nothing_when_nothing_has,
    a_bootstrap_goes_on_where_it_stopped_although_things_change_meanwhile,
    a_withdrawn_record_is_a_tombstone_and_for_a_new_phone_nothing,
    its_author_is_told_what_became_of_a_quarantined_submission,
    whoever_has_been_erased_is_purged,
    a_liaison_gets_no_persons_an_administrator_no_content_and_the_province_no_copy_of_persons,
    what_is_shown_of_persons_is_accounted_for_once_a_page,
    a_cursor_that_was_changed_or_is_another_users_is_refused,
    another_epoch_a_compacted_log_and_a_cursor_from_the_future_reset_the_phone,
    what_cannot_be_read_is_refused_by_name,
    a_request_ends_however_much_there_is_that_nobody_is_told_of,
    a_pull_can_ask_for_an_entry_that_the_server_must_have_reached,
    a_sync_with_nothing_new_takes_no_more_than_a_thousand_bytes,
    answers_are_compressed_as_the_phone_asks,
    what_is_in_a_finished_backup_is_said,
);
/// Those that need a server of their own.
mod configured {
    use super::a_device_that_pulls_too_often_is_told_when_to_come_again;

    muong_tests::on_each!(a_device_that_pulls_too_often_is_told_when_to_come_again);
}

/// A change of a meeting that its author saw as it was first reported.
fn counted_again(said: &Submission, present: i64) -> Submission {
    Submission::edit(MEETING, said.record(), HUOI_SANG)
        .changes_group(&object(Value::Object(roll())), &json!({"present": present, "unexcused": 12 - present}))
        .after(said.id())
}

fn month(unit: Uuid, month: u32) -> Submission {
    meeting(unit).to("period", format!("2026-{month:02}")).to("held_on", format!("2026-{month:02}-05"))
}

fn a_phone_that_has_nothing_gets_what_its_user_may_see_and_nothing_else(app: &TestApp) {
    let (secretary, neighbour) = (app.sign_in(SECRETARY), app.sign_in(NEIGHBOUR));
    let reported = secretary.reports_as("accepted", meeting(HUOI_SANG));
    let entered = secretary.reports_as("accepted", person(HUOI_SANG, "Giàng A Vừ", "2001-04-12"));
    neighbour.reports_as("accepted", meeting(NA_LONG));
    let mut phone = Phone::default();
    let page = phone.pulls_a_page(&secretary, 500);
    assert_eq!((&page["more"], &page["durable_before"]), (&json!(false), &json!(0)));
    let units: BTreeSet<Uuid> = phone.of_kind("unit").into_keys().collect();
    assert_eq!(units, BTreeSet::from([PROVINCE, MUONG_NHE, HUOI_SANG]), "one's own unit, and those above it");
    assert_eq!(phone.of_kind("form").len(), 4);
    let grants: Vec<Value> = phone.of_kind("grant").into_values().collect();
    assert_eq!(grants.len(), 1);
    assert_eq!((&grants[0]["data"]["role"], &grants[0]["unit"]), (&json!("cadre"), &json!(HUOI_SANG)));
    let mut records = phone.records();
    records.sort();
    let mut expected = [&reported, &entered].map(|r| format!("{}:{}", uuid(&r["record"]).simple(), r["v"]));
    expected.sort();
    assert_eq!(records, expected);
    for kind in [MEETING, PERSON] {
        for (id, put) in phone.of_kind(kind) {
            let record = secretary.read(&format!("/v1/records/{id}"));
            assert_eq!((&put["data"], &put["v"], &put["unit"]), (&record["data"], &record["v"], &record["unit"]));
            assert_eq!(put["open_conflicts"], json!([]));
            let told = messages(&page).iter().find(|message| message["id"] == json!(id)).expect("it was told of");
            assert_eq!((&told["state"], &told["subject"]), (&json!("live"), &record["subject"]));
        }
    }
}

fn afterwards_it_gets_what_has_changed_and_nothing_when_nothing_has(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let said = secretary.says(meeting(HUOI_SANG));
    secretary.push(&[&said]);
    let mut phone = Phone::default();
    phone.pulls(&secretary);
    assert_eq!(phone.pulls(&secretary), Vec::<Value>::new());
    app.sign_in(NEIGHBOUR).reports_as("accepted", meeting(NA_LONG));
    assert_eq!(phone.pulls(&secretary), Vec::<Value>::new(), "what is not one's own is not told");
    let edited = secretary.reports_as("merged", counted_again(&said, 12));
    let told = phone.pulls(&secretary);
    assert_eq!(kinds(&told), [MEETING]);
    assert_eq!((&told[0]["data"]["present"], &told[0]["v"]), (&json!(12), &edited["v"]));
    assert_eq!(phone.pulls(&secretary), Vec::<Value>::new());
}

fn a_bootstrap_goes_on_where_it_stopped_although_things_change_meanwhile(app: &TestApp) {
    let (secretary, commune) = (app.sign_in(SECRETARY), app.sign_in(COMMUNE));
    let said: Vec<Submission> = (1..=3).map(|m| secretary.says(month(HUOI_SANG, m))).collect();
    secretary.push(&said.iter().collect::<Vec<_>>());
    app.sign_in(NEIGHBOUR).reports_as("accepted", meeting(NA_LONG));
    let mut whole = Phone::default();
    let all = whole.pulls(&commune);
    for stop in 0..all.len() {
        let mut phone = Phone::default();
        for _ in 0..=stop {
            phone.pulls_a_page(&commune, 1);
        }
        let was = &said[stop % 3];
        let v = commune.read(&format!("/v1/records/{}", was.record()));
        let seen = object(json!({"place": v["data"]["place"]}));
        let edit = Submission::edit(MEETING, was.record(), HUOI_SANG);
        let edit = edit.changes_group(&seen, &json!({"place": format!("Nhà văn hóa {stop}")}));
        let epoch = json!({"epoch": phone.asks(&commune, &json!({}))["epoch"]});
        secretary.reports_as("merged", edit.seen(&epoch, number(&v["v"])));
        phone.pulls_by(&commune, 1);
        whole.pulls(&commune);
        assert_eq!(phone.things(), whole.things(), "stopped after {stop}");
    }
}

fn a_withdrawn_record_is_a_tombstone_and_for_a_new_phone_nothing(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let said = secretary.says(meeting(HUOI_SANG));
    secretary.push(&[&said]);
    let mut phone = Phone::default();
    phone.pulls(&secretary);
    let withdrawn = secretary.reports_as("accepted", Submission::delete(said.record(), HUOI_SANG).after(said.id()));
    let told = phone.pulls(&secretary);
    assert_eq!(told, [json!({"t": "tombstone", "id": said.record(), "unit": HUOI_SANG, "v": withdrawn["v"]})]);
    assert!(phone.records().is_empty());
    let mut new = Phone::default();
    new.pulls(&secretary);
    assert!(new.records().is_empty());
}

fn its_author_is_told_what_became_of_a_quarantined_submission(app: &TestApp) {
    let (neighbour, commune) = (app.sign_in(NEIGHBOUR), app.sign_in(COMMUNE));
    let mut phone = Phone::default();
    phone.pulls(&neighbour);
    let [one, other] = [1, 2].map(|m| neighbour.reports_as("forbidden", month(HUOI_SANG, m)));
    assert_eq!(phone.pulls(&neighbour), Vec::<Value>::new());
    release(&commune, &one["quarantine"], "Đã kiểm tra.").expect(200);
    discard(&commune, &other["quarantine"], "Gửi nhầm chi bộ.").expect(204);
    let told = phone.pulls(&neighbour);
    assert_eq!(kinds(&told), ["notice", "notice"], "and nothing of the record, which is another branch's: {told:?}");
    let of = |notice: &Value| (notice["about"].clone(), notice["code"].clone());
    assert_eq!(of(&told[0]), (one["id"].clone(), json!("quarantine.released")));
    assert_eq!(of(&told[1]), (other["id"].clone(), json!("quarantine.discarded")));
    for notice in &told {
        assert!(["vi", "en"].iter().all(|lang| text(&notice["message"][lang]).len() > 20), "{notice}");
    }
    let wrong = neighbour.reports_as("rejected", month(NA_LONG, 3).to("present", 13));
    let right = month(NA_LONG, 3).with("replaces", json!([wrong["id"]]));
    neighbour.reports_as("accepted", right);
    let told = phone.pulls(&neighbour);
    assert_eq!(told.iter().filter(|m| m["code"] == "quarantine.replaced").count(), 1, "{told:?}");
    let mut another = Phone::default();
    another.pulls(&neighbour);
    assert_eq!(another.notices().len(), 3, "a phone that begins anew learns it as well");
}

fn whoever_has_been_erased_is_purged(app: &TestApp) {
    let (secretary, department) = (app.sign_in(SECRETARY), app.sign_in(DEPARTMENT));
    let id = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, "Giàng A Vừ", "2001-04-12"))["record"]);
    let of = uuid(&secretary.reports_as("accepted", step(HUOI_SANG, id, "branch_resolved", "2026-01-15"))["record"]);
    let mut phone = Phone::default();
    phone.pulls(&secretary);
    assert_eq!(phone.records().len(), 2);
    let path = format!("/v1/records/{id}/erasure");
    department.post(&path, &json!({"reason": "Người này đã rút lại sự đồng ý."})).expect(200);
    let told = phone.pulls(&secretary);
    let purged: BTreeSet<Uuid> = told.iter().filter(|m| m["t"] == "purge").map(|m| uuid(&m["id"])).collect();
    assert_eq!((purged, phone.records()), (BTreeSet::from([id, of]), Vec::new()), "{told:?}");
    let mut new = Phone::default();
    let told = new.pulls(&secretary);
    assert!(new.records().is_empty() && told.iter().all(|message| message["t"] == "put"), "{told:?}");
    assert!(new.things().contains_key(&HUOI_SANG), "the rest is there");
}

fn a_liaison_gets_no_persons_an_administrator_no_content_and_the_province_no_copy_of_persons(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let candidate = secretary.reports_as("accepted", person(HUOI_SANG, "Giàng A Vừ", "2001-04-12"));
    secretary.reports_as("accepted", step(HUOI_SANG, uuid(&candidate["record"]), "branch_resolved", "2026-01-15"));
    secretary.reports_as("accepted", meeting(HUOI_SANG));
    let gone = secretary.says(person(HUOI_SANG, "Giàng Thị Mỷ", "2002-01-02"));
    secretary.push(&[&gone]);
    for (login, content, units) in [
        (SECRETARY, 4, 3),
        (OFFICER, 1, 3),
        (COMMUNE, 4, 4),
        (DEPARTMENT, 1, 6),
        (ADMIN, 0, 9),
        (AUDITOR, 0, 6),
        (NOBODY, 0, 0),
    ] {
        let who = app.sign_in(login);
        let mut phone = Phone::default();
        phone.pulls_by(&who, 2);
        assert_eq!((phone.records().len(), phone.of_kind("unit").len()), (content, units), "{login}");
        assert_eq!(phone.of_kind("form").len(), 4, "{login}");
    }
    let officer = app.sign_in(OFFICER);
    let mut phone = Phone::default();
    phone.pulls(&officer);
    secretary.reports_as("accepted", Submission::delete(gone.record(), HUOI_SANG).after(gone.id()));
    assert_eq!(phone.pulls(&officer), Vec::<Value>::new(), "nothing tells that there was a person");
}

fn what_is_shown_of_persons_is_accounted_for_once_a_page(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let candidate = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, "Giàng A Vừ", "2001-04-12"))["record"]);
    let reads = || {
        let mut conn = app.database().connect();
        let of_pull = "SELECT count(*) AS n FROM audit WHERE kind = 'read' AND what = 'post_pull'";
        let id = candidate.simple();
        let subjects = match app.backend() {
            Backend::Sqlite => format!("SELECT count(*) AS n FROM audit_subjects WHERE lower(hex(subject)) = '{id}'"),
            Backend::Postgres => format!("SELECT count(*) AS n FROM audit_subjects WHERE subject = '{id}'::uuid"),
        };
        (counted(&mut conn, of_pull), counted(&mut conn, &subjects))
    };
    assert_eq!(reads(), (0, 0));
    let mut phone = Phone::default();
    phone.pulls(&secretary);
    assert_eq!(reads(), (1, 1));
    phone.pulls(&secretary);
    secretary.reports_as("accepted", meeting(HUOI_SANG));
    phone.pulls(&secretary);
    assert_eq!(reads(), (1, 1), "where no person is shown, nothing is noted");
    app.sign_in(OFFICER).post("/v1/sync/pull", &json!({})).expect(200);
    assert_eq!(reads(), (1, 1));
}

fn a_request_ends_however_much_there_is_that_nobody_is_told_of(app: &TestApp) {
    let (department, secretary) = (app.sign_in(DEPARTMENT), app.sign_in(SECRETARY));
    let (mut wide, mut narrow) = (Phone::default(), Phone::default());
    wide.pulls(&department);
    narrow.pulls(&secretary);
    let before = wide.clone();
    // In the scope of somebody else: who sees the tree walks past it. And in one's own, of records that are not there.
    fill_feed(app, Uuid::from_u128(1), 10_100);
    fill_feed(app, HUOI_SANG, 10_100);
    let mores = |phone: &mut Phone, who: &Reporter| {
        let mut mores = 0;
        loop {
            let page = phone.asks(who, &json!({"limit": 1_000}));
            phone.takes(&page);
            if page["more"] == false {
                return (mores, messages(&page).len());
            }
            mores += usize::from(messages(&page).len() < 1_000);
        }
    };
    assert_eq!(mores(&mut wide, &department).0, 1);
    assert_eq!(wide.things(), before.things());
    assert_eq!(mores(&mut narrow, &secretary), (0, 100), "purged, page by page");
    assert_eq!(mores(&mut Phone::default(), &secretary).0, 1, "a bootstrap as well");
}

fn a_cursor_that_was_changed_or_is_another_users_is_refused(app: &TestApp) {
    let (secretary, officer) = (app.sign_in(SECRETARY), app.sign_in(OFFICER));
    secretary.reports_as("accepted", meeting(HUOI_SANG));
    let mut phone = Phone::default();
    for limit in [1, 500] {
        phone.pulls_a_page(&secretary, limit);
        let cursor = phone.cursor().clone().expect("a cursor");
        let pull = |who: &Reporter, cursor: &str| who.post("/v1/sync/pull", &json!({"cursor": cursor}));
        pull(&secretary, &cursor).expect(200);
        pull(&officer, &cursor).problem(400, "request.cursor_invalid");
        for at in 0..cursor.len() {
            let other = if cursor.as_bytes()[at] == b'A' { "B" } else { "A" };
            let changed = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
            let answer = pull(&secretary, &changed);
            // The last letter holds bits that mean nothing; they are refused as well.
            answer.problem(400, "request.cursor_invalid");
        }
        for wrong in ["", "A", "không", &cursor[1..], &format!("{cursor}A"), &"A".repeat(10_000)] {
            pull(&secretary, wrong).problem(400, "request.cursor_invalid");
        }
    }
}

fn another_epoch_a_compacted_log_and_a_cursor_from_the_future_reset_the_phone(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let mut early = Phone::default();
    early.pulls(&secretary);
    let mut half = Phone::default();
    half.pulls_a_page(&secretary, 1);
    secretary.reports_as("accepted", meeting(HUOI_SANG));
    let mut late = Phone::default();
    late.pulls(&secretary);
    let reason = |phone: &Phone| {
        let answer = phone.asks(&secretary, &json!({}));
        assert!(answer["reset"].is_null() || answer.get("messages").is_none(), "{answer}");
        answer["reset"]["reason"].clone()
    };
    let mut conn = app.database().connect();
    execute(&mut conn, "UPDATE feed_head SET floor = seq");
    assert_eq!([&early, &half, &late].map(&reason), [json!("compacted"), json!("compacted"), json!(null)]);
    execute(&mut conn, "UPDATE feed_head SET floor = 0, seq = seq - 1");
    assert_eq!([&early, &half, &late].map(&reason), [json!(null), json!(null), json!("ahead")]);
    execute(&mut conn, "UPDATE feed_head SET seq = seq + 1");
    assert_eq!(reason(&late), json!(null));
    let nobody = Uuid::from_u128(7).simple();
    execute(
        &mut conn,
        &match app.backend() {
            Backend::Sqlite => format!("UPDATE feed_head SET epoch = x'{nobody}'"),
            Backend::Postgres => format!("UPDATE feed_head SET epoch = '{nobody}'::uuid"),
        },
    );
    // Nobody is shown anything of another history before it has been compared with the ledger of erasures.
    eventually("it has been compared", || secretary.post("/v1/sync/pull", &json!({})).status == 200);
    assert_eq!([&early, &half, &late].map(&reason), [json!("epoch"), json!("epoch"), json!("epoch")]);
    let mut anew = Phone::default();
    anew.pulls(&secretary);
    assert_eq!(anew.things(), late.things());
}

fn what_cannot_be_read_is_refused_by_name(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    for wrong in [
        json!({"limit": 0}),
        json!({"limit": -1}),
        json!({"limit": "5"}),
        json!({"wait_s": -1}),
        json!({"cursor": 5}),
        json!({"at_least": "5"}),
        json!({"other": 1}),
        json!([]),
    ] {
        secretary.post("/v1/sync/pull", &wrong).problem(400, "request.malformed");
    }
    for right in [json!({}), json!({"limit": 65_535}), json!({"cursor": null, "wait_s": null, "limit": null})] {
        let status = if right["wait_s"].is_null() && right.get("wait_s").is_some() { 400 } else { 200 };
        secretary.post("/v1/sync/pull", &right).expect(status);
    }
    app.anonymous().post("/v1/sync/pull", &json!({})).problem(401, "auth.required");
    let limits = secretary.read("/v1/sync/limits");
    assert_eq!(
        [&limits["pull_messages"], &limits["pull_bytes"], &limits["wait_seconds"]],
        [&json!(1000), &json!(4 << 20), &json!(25)]
    );
}

fn a_pull_can_ask_for_an_entry_that_the_server_must_have_reached(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let v = number(&secretary.reports_as("accepted", meeting(HUOI_SANG))["v"]);
    let phone = Phone::default();
    let page = phone.asks(&secretary, &json!({"at_least": v}));
    assert!(number(&page["head"]) >= v);
    let answer = secretary.post("/v1/sync/pull", &json!({"at_least": v + 1_000}));
    let problem = answer.problem(409, "sync.behind");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(problem["epoch"], page["epoch"]);
    assert!((v..v + 1_000).contains(&number(&problem["head"])), "{problem}");
}

fn answers_are_compressed_as_the_phone_asks(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let plain = secretary.client().with_header("accept-encoding", "identity").post("/v1/sync/pull", &json!({}));
    let whole = plain.expect(200);
    assert!(!messages(&whole).is_empty());
    let zipped = secretary.client().with_header("accept-encoding", "zstd").post("/v1/sync/pull", &json!({}));
    assert_eq!((zipped.status, zipped.header("content-encoding")), (200, "zstd"));
    assert!(zipped.body.len() * 3 < plain.body.len(), "{} of {}", zipped.body.len(), plain.body.len());
    assert_eq!(zstd::decode_all(zipped.body.as_slice()).expect("zstd"), plain.body);
    let body = zstd::encode_all(&b"{\"limit\": 1}"[..], 3).expect("zstd");
    let headers = [("content-type", "application/json"), ("content-encoding", "zstd")];
    let one = secretary.client().post_bytes("/v1/sync/pull", body, &headers).expect(200);
    assert_eq!(messages(&one).len(), 1);
}

fn a_sync_with_nothing_new_takes_no_more_than_a_thousand_bytes(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let page = Phone::default().asks(&secretary, &json!({}));
    assert_eq!(page["more"], false);
    let body = json!({"cursor": page["cursor"], "limit": 500}).to_string();
    let request = format!(
        "POST /v1/sync/pull HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\naccept-encoding: zstd, gzip\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        secretary.authorization(),
        body.len()
    );
    let mut socket = Socket::connect(app);
    socket.send(&request);
    let answer = socket.answer();
    assert_eq!((answer.status, &answer.body["messages"]), (200, &json!([])));
    // As it came: compact, with a length, not compressed.
    let length = answer.body.to_string().len();
    assert!(answer.head.contains(&format!("content-length: {length}\r\n")), "{answer:?}");
    let bytes = request.len() + answer.head.len() + length;
    assert!(bytes <= 1_000, "{bytes} bytes: {request}\n{answer:?}");
}

fn what_is_in_a_finished_backup_is_said(app: &TestApp) {
    let secretary = app.sign_in(SECRETARY);
    let mut conn = app.database().connect();
    execute(&mut conn, "UPDATE feed_head SET durable = seq - 1");
    let page = Phone::default().asks(&secretary, &json!({}));
    assert_eq!(number(&page["durable_before"]), number(&page["head"]) - 1);
}

fn a_device_that_pulls_too_often_is_told_when_to_come_again(backend: Backend) {
    let app = TestApp::start_with(backend, |config| {
        (config.throttle.pull_requests_burst, config.throttle.pull_requests_per_minute) = (2, 60);
    });
    let secretary = app.sign_in(SECRETARY);
    for _ in 0..2 {
        secretary.post("/v1/sync/pull", &json!({})).expect(200);
    }
    let answer = secretary.post("/v1/sync/pull", &json!({}));
    answer.problem(429, "request.throttled");
    assert_eq!(answer.header("retry-after"), "1");
    app.sign_in(OFFICER).post("/v1/sync/pull", &json!({})).expect(200);
}
