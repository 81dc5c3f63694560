//! What a pull costs: nothing new, a hundred changes, everything; in time, in memory and on the wire.

use crate::Fallible;
use crate::database::Place;
use crate::installation::Installation;
use crate::line::{Heard, Line, post};
use crate::phones::Phone;
use crate::process::{Server, memory};
use crate::province::Province;
use crate::scripts::BATCH;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Where it is.
const PULL: &str = "/v1/sync/pull";
/// How often a pull is repeated.
const REPEATED: usize = 300;
/// Changes that are pulled.
const CHANGES: usize = 100;
/// Messages of a page.
const PAGE: u32 = 1_000;
/// Phones that wait.
const WAITING: usize = 2_000;
/// How many begin to wait at once.
const AT_ONCE: usize = 250;
/// Sessions that they share, so that none asks for more than its device may.
const WAITERS: usize = 16;

/// Pulls in a store of some size.
#[derive(Clone, Debug, Serialize)]
pub struct Pulled {
    /// Which database.
    pub database: &'static str,
    /// Records in the store.
    pub records: u64,
    /// Of a hundred changes: the middle time and that of one in a hundred, in ms.
    pub changes: (f64, f64),
    /// Of nothing new: the same.
    pub nothing: (f64, f64),
    /// Of one who sees the whole province: the same hundred changes, and nothing new; the middle times, in ms.
    pub overseer: (f64, f64),
    /// Everything that one who sees all may see: messages, ms, and the server's memory at most before and after, in bytes.
    pub whole: (usize, f64, u64, u64),
}

/// Bytes on the wire, both ways, heads included.
#[derive(Clone, Debug, Serialize)]
pub struct Wired {
    /// What was done.
    pub what: String,
    /// How many.
    pub bytes: usize,
    /// How many it should be at most.
    pub aim: usize,
}

/// Phones that wait for something new.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Waited {
    /// How many.
    pub phones: usize,
    /// Resident memory of the server before and while they wait, in bytes.
    pub memory: (u64, u64),
}

/// A page, as far as it is looked at here.
struct Page {
    cursor: Value,
    messages: usize,
    more: bool,
    took: Duration,
}

/// The request of a page.
pub fn asking(token: &str, cursor: &Value, compressed: bool) -> Vec<u8> {
    post(PULL, token, &json!({"cursor": cursor, "limit": PAGE}), compressed)
}

fn page(line: &mut Line, token: &str, cursor: &Value) -> Fallible<Page> {
    let Heard { body, took, .. } = line.ask_well(&asking(token, cursor, false))?;
    let said: Value = serde_json::from_slice(&body)?;
    let messages = said["messages"].as_array().ok_or("an answer that is no page")?.len();
    Ok(Page { cursor: said["cursor"].clone(), messages, more: said["more"] == true, took })
}

/// Everything, page by page: the last cursor, how many messages, how long the server took.
fn everything(line: &mut Line, token: &str) -> Fallible<(Value, usize, Duration)> {
    let (mut cursor, mut messages, mut took) = (Value::Null, 0, Duration::ZERO);
    loop {
        let next = page(line, token, &cursor)?;
        (cursor, messages, took) = (next.cursor, messages + next.messages, took + next.took);
        if !next.more {
            return Ok((cursor, messages, took));
        }
    }
}

/// The middle of many, and that of one in a hundred, in ms.
fn times(mut took: Vec<Duration>) -> (f64, f64) {
    took.sort_unstable();
    let at = |q: usize| took.get(took.len() * q / 100).map_or(0.0, |time| time.as_secs_f64() * 1e3);
    (at(50), at(99))
}

fn repeated(line: &mut Line, token: &str, cursor: &Value) -> Fallible<(f64, f64)> {
    let request = asking(token, cursor, false);
    let took = (0..REPEATED).map(|_| Ok(line.ask_well(&request)?.took)).collect::<Fallible<Vec<_>>>()?;
    Ok(times(took))
}

/// Pulls of a phone of one committee, and of one who sees the whole province, in a store of so many records.
pub fn pulled(
    province: &Province,
    phones: &mut [Phone],
    server: &Server,
    database: &'static str,
    records: u64,
) -> Fallible<Pulled> {
    let mut line = Line::connect(server.address)?;
    let phone = phones.first_mut().ok_or("no phone")?;
    let token = phone.token().to_owned();
    let (cursor, ..) = everything(&mut line, &token)?;
    let overseer = province.overseer();
    let (_, before) = memory(server.pid());
    let (seen, messages, took) = everything(&mut line, overseer)?;
    let (_, after) = memory(server.pid());
    let whole = (messages, took.as_secs_f64() * 1e3, before, after);
    for _ in 0..CHANGES / BATCH {
        line.ask_well(&phone.creates(BATCH))?;
    }
    let changes = repeated(&mut line, &token, &cursor)?;
    let (cursor, ..) = everything_since(&mut line, &token, &cursor)?;
    let nothing = repeated(&mut line, &token, &cursor)?;
    let of_changes = repeated(&mut line, overseer, &seen)?.0;
    let (seen, _) = everything_since(&mut line, overseer, &seen)?;
    let overseer = (of_changes, repeated(&mut line, overseer, &seen)?.0);
    eprintln!(
        "pull at {records} records ({database}): {CHANGES} changes {:.2} ms, nothing {:.2} ms, all {messages} in {:.0} ms",
        changes.0, nothing.0, whole.1
    );
    Ok(Pulled { database, records, changes, nothing, overseer, whole })
}

/// Everything since a cursor; null: everything.
pub fn everything_since(line: &mut Line, token: &str, cursor: &Value) -> Fallible<(Value, usize)> {
    let (mut cursor, mut messages) = (cursor.clone(), 0);
    loop {
        let next = page(line, token, &cursor)?;
        (cursor, messages) = (next.cursor, messages + next.messages);
        if !next.more {
            return Ok((cursor, messages));
        }
    }
}

/// Many phones wait on connections of their own. Nothing may be measured after it: they do not take their answers.
pub fn waited(server: &Server, phones: &[Phone]) -> Fallible<Waited> {
    let mut line = Line::connect(server.address)?;
    let mut requests = Vec::new();
    for phone in phones.iter().take(WAITERS) {
        let (cursor, ..) = everything(&mut line, phone.token())?;
        requests.push(post(PULL, phone.token(), &json!({"cursor": cursor, "wait_s": 25}), false));
    }
    let (before, _) = memory(server.pid());
    let mut lines = Vec::with_capacity(WAITING);
    for (n, request) in requests.iter().cycle().take(WAITING).enumerate() {
        let mut waiter = Line::connect(server.address)?;
        waiter.send(request)?;
        lines.push(waiter);
        if n % AT_ONCE == 0 {
            // One that does not wait: the server has taken in those before it, as many as may stand in its queue of readers.
            line.ask_well(&asking(phones[0].token(), &Value::Null, false))?;
        }
    }
    let begun = Instant::now();
    let (mut now, mut seen) = (0, 0);
    // Until the memory grows no more: the last of them have begun to wait.
    while begun.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(200));
        now = memory(server.pid()).0;
        if now == seen {
            break;
        }
        seen = now;
    }
    for line in &mut lines {
        if let Some(answer) = line.has_heard()? {
            return Err(format!("a phone that should wait was answered: {answer}").into());
        }
    }
    Ok(Waited { phones: WAITING, memory: (before, now) })
}

/// Bytes on the wire, in the filled demo: as its cadre of one branch and its reviewer of one commune see it.
pub fn wired(installation: &Installation, place: Place<'_>) -> Fallible<Vec<Wired>> {
    let password = installation.demo_password(place)?;
    let server = installation.serve()?;
    let mut line = Line::connect(server.address)?;
    let mut all = Vec::new();
    for (login, what, aim) in
        [("canbo", "bootstrap of a village branch", 20_000), ("xa", "bootstrap of a commune", 150_000)]
    {
        let token = sign_in(&mut line, login, &password)?;
        let (mut cursor, mut bytes, mut messages) = (Value::Null, 0, 0);
        loop {
            bytes += line.ask_well(&asking(&token, &cursor, true))?.bytes;
            let next = page(&mut line, &token, &cursor)?;
            (cursor, messages) = (next.cursor, messages + next.messages);
            if !next.more {
                break;
            }
        }
        all.push(Wired { what: format!("{what} ({messages} messages)"), bytes, aim });
        let nothing = line.ask_well(&asking(&token, &cursor, true))?.bytes;
        if login == "canbo" {
            all.push(Wired { what: "a sync with nothing new".to_owned(), bytes: nothing, aim: 1_000 });
        }
    }
    server.stop()?;
    Ok(all)
}

/// A meeting reported, as a whole request and its answer.
pub fn report_on_the_wire(server: &Server, phone: &mut Phone) -> Fallible<Wired> {
    let heard = Line::connect(server.address)?.ask_well(&phone.creates(1))?;
    Ok(Wired { what: "a report of a meeting, 12 fields, not compressed".to_owned(), bytes: heard.bytes, aim: 2_000 })
}

fn sign_in(line: &mut Line, login: &str, password: &str) -> Fallible<String> {
    let body = json!({"username": login, "password": password, "device": {"name": "bench"}});
    let heard = line.ask_well(&post("/v1/auth/sign-in", "", &body, false))?;
    let said: Value = serde_json::from_slice(&heard.body)?;
    Ok(said["access_token"].as_str().ok_or("no token")?.to_owned())
}
