//! Pulls are answered from a streaming standby while it keeps up; when it lags, is gone, or lacks an erasure, nobody sees
//! less than from the primary.

use muong_server::config::{Config, Secret};
use muong_tests::builders::{meeting, person};
use muong_tests::client::{number, uuid};
use muong_tests::province::{DEPARTMENT, HUOI_SANG, SECRETARY, found};
use muong_tests::standby::Pair;
use muong_tests::{Backend, Client, Phone, Reporter, TestApp, eventually};
use serde_json::{Value, json};
use std::thread::spawn;

fn with_standby(pair: &Pair) -> TestApp {
    let standby = Secret::new(pair.standby_url());
    TestApp::serve(Backend::Postgres, pair.database(), move |config: &mut Config| {
        config.database_read_url = Some(standby.clone());
        config.metrics_listen = Some("127.0.0.1:0".to_owned());
    })
}

/// How many looks at the store for pulls there were, by where.
fn looks(app: &TestApp, from: &str) -> u64 {
    let metrics = Client::new(&format!("http://{}", app.app().metrics.address())).get("/metrics");
    let text = String::from_utf8(metrics.body).expect("text");
    let series = format!("muong_pull_reads_total{{from=\"{from}\"}} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&series)).expect("a series");
    value.parse().expect("a number")
}

fn pull(who: &Reporter, body: &Value) -> Value {
    who.post("/v1/sync/pull", body).expect(200)
}

fn ids(told: &Value) -> Vec<&Value> {
    told["messages"].as_array().expect("messages").iter().map(|message| &message["id"]).collect()
}

#[test]
fn postgres_pulls_are_answered_by_a_standby_and_never_show_less_than_the_primary() {
    let pair = Pair::start(found);
    let app = with_standby(&pair);
    let (secretary, department) = (app.sign_in(SECRETARY), app.sign_in(DEPARTMENT));
    let id = uuid(&secretary.reports_as("accepted", person(HUOI_SANG, "Vừ A Chá", "1980-04-12"))["record"]);
    let all = || {
        let mut phone = Phone::default();
        phone.pulls(&secretary);
        phone
    };
    eventually("the standby answers", || {
        drop(all());
        looks(&app, "standby") > 0
    });
    let cursor = pull(&secretary, &json!({"cursor": null, "limit": 1000}))["cursor"].clone();

    // It lags: what was acknowledged is told all the same.
    pair.pause();
    let before = looks(&app, "primary");
    let pushed = secretary.push(&[&secretary.says(meeting(HUOI_SANG))]);
    let told = pull(&secretary, &json!({"cursor": cursor, "at_least": pushed.0["head"]}));
    assert_eq!(ids(&told), [&pushed.only()["record"]], "{told}");
    assert!(told.get("reset").is_none() && number(&told["head"]) >= number(&pushed.0["head"]), "{told}");
    assert!(looks(&app, "primary") > before);
    // Who waits is woken, and told what woke them.
    let (client, body) = (secretary.client(), json!({"cursor": told["cursor"], "wait_s": 25}));
    let waits = spawn(move || client.post("/v1/sync/pull", &body));
    eventually("it waits", || app.app().head.waiting().count() == 1);
    let second = secretary.reports_as(
        "accepted",
        meeting(HUOI_SANG).to("held_on", "2026-03-02").to("type", "thematic").silent_on("period"),
    );
    let woken = waits.join().expect("an answer").expect(200);
    assert_eq!(ids(&woken), [&second["record"]], "{woken}");
    // Nobody is shown who has been erased, though the standby still has the key.
    department.post(&format!("/v1/records/{id}/erasure"), &json!({"reason": "Đơn rút lại sự đồng ý"})).expect(200);
    let whole = pull(&secretary, &json!({"cursor": null, "limit": 1000})).to_string();
    assert!(!whole.contains("Vừ A Chá"), "{whole}");

    // It goes on, and answers again.
    pair.resume();
    let before = looks(&app, "standby");
    eventually("it has caught up", || {
        drop(all());
        looks(&app, "standby") > before
    });

    // It is gone.
    pair.cut_off();
    let third = secretary.reports_as(
        "accepted",
        meeting(HUOI_SANG).to("held_on", "2026-03-03").to("type", "thematic").silent_on("period"),
    );
    let told = pull(&secretary, &json!({"cursor": woken["cursor"], "limit": 1000}));
    assert!(ids(&told).contains(&&third["record"]), "{told}");
}
