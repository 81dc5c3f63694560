//! What a pull costs: nothing new, a hundred changes, everything; in time, in memory and on the wire. The reference phone
//! asks, and takes in what it is answered.

use crate::Fallible;
use crate::database::Place;
use crate::installation::Installation;
use crate::line::{Heard, Line, post};
use crate::phones::{CLIENT, Phone, Report};
use crate::process::{Server, memory};
use crate::province::Province;
use crate::scripts::BATCH;
use muong_phone::{Moment, Next, Phone as Reference, Request, State};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How often a pull is repeated.
const REPEATED: usize = 300;
/// Changes that are pulled.
const CHANGES: usize = 100;
/// Messages of a page: as many as a server gives.
const PAGE: u32 = 1_000;
/// How long a pull waits for something new, in seconds.
const WAIT_S: u16 = 25;
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

/// A reference phone, and the line on which it is carried. What is timed ends with the last byte of an answer: that the phone
/// reads it afterwards takes processor time, which is counted as the generator's, and lengthens no answer.
pub struct Caller {
    /// The phone.
    pub phone: Reference,
    token: String,
    /// Now, as the phone has it: its patience runs on without anybody waiting.
    moment: Moment,
}

impl Caller {
    /// A phone that has signed in, with an empty copy.
    pub fn of(phone: &Phone) -> Self {
        Self::new(phone.reference(), phone.token())
    }

    /// The phone of somebody who pushes nothing.
    fn reader(token: &str) -> Self {
        Self::new(Reference::new(Uuid::nil(), CLIENT), token)
    }

    fn new(phone: Reference, token: &str) -> Self {
        Self { phone: phone.with_pages_of(PAGE), token: token.to_owned(), moment: Moment::at(0) }
    }

    /// What it asks now; none when all is said and known.
    pub fn asks(&self) -> Fallible<Option<Request>> {
        match self.phone.next(self.moment) {
            Next::Ask(request) => Ok(Some(request)),
            Next::Rest => Ok(None),
            other => Err(format!("a phone cannot go on: {other:?}").into()),
        }
    }

    /// What it asks when it begins another round.
    fn asks_again(&mut self) -> Fallible<Request> {
        self.phone.wake(self.moment);
        self.asks()?.ok_or_else(|| "a phone has nothing to ask".into())
    }

    /// A request of it, to the last byte.
    fn written(&self, request: &Request, compressed: bool) -> Vec<u8> {
        post(request.path(), &self.token, request.body(), compressed)
    }

    /// Asks, and takes in the answer.
    pub fn ask(&mut self, line: &mut Line, request: &Request) -> Fallible<Heard> {
        let heard = line.ask_well(&self.written(request, false))?;
        self.phone.answered(request, heard.status, None, &heard.body, self.moment);
        Ok(heard)
    }

    /// Asks, and the link breaks before the answer has come. It waits as long as it has to, by its own clock.
    pub fn ask_unheard(&mut self, line: &mut Line, request: &Request) -> Fallible<Heard> {
        let heard = line.ask_well(&self.written(request, false))?;
        self.phone.failed(self.moment);
        if let Next::Wait(ms) = self.phone.next(self.moment) {
            self.moment.now_ms += ms;
        }
        Ok(heard)
    }

    /// How many messages it was told since it last let go: records that were withdrawn and scopes that were lost leave no trace.
    pub fn told(&mut self) -> usize {
        let notices = self.phone.replica_mut().take_notices().len();
        self.phone.replica().things().count() + self.phone.replica().aliases().count() + notices
    }

    /// Whether all that it has said was accepted.
    pub fn is_accepted(&self) -> bool {
        let accepted = |state: &State| matches!(state, State::Recorded { status, .. } if status == "accepted");
        self.phone.outbox().entries().all(|entry| accepted(&entry.state))
    }

    /// Lets go of what it holds: there is no room for the copies of all phones beside the server.
    pub fn let_go(&mut self) -> Fallible<()> {
        if self.phone.let_go() { Ok(()) } else { Err("a phone has something that is not recorded".into()) }
    }

    /// Asks for what is new, page by page, until there is no more: how many messages, how long the server took. Each page is
    /// let go of once it is taken in.
    pub fn pull(&mut self, line: &mut Line) -> Fallible<(usize, Duration)> {
        let (mut messages, mut took) = (0, Duration::ZERO);
        self.phone.wake(self.moment);
        while let Some(request) = self.asks()? {
            took += self.ask(line, &request)?.took;
            messages += self.told();
            self.let_go()?;
        }
        Ok((messages, took))
    }

    /// Asks for what is new, over and over, as if no answer were heard: each time for the same.
    fn repeat(&mut self, line: &mut Line) -> Fallible<(f64, f64)> {
        let request = self.asks_again()?;
        let request = self.written(&request, false);
        let took = (0..REPEATED).map(|_| Ok(line.ask_well(&request)?.took)).collect::<Fallible<Vec<_>>>()?;
        Ok(times(took))
    }
}

/// The middle of many, and that of one in a hundred, in ms.
fn times(mut took: Vec<Duration>) -> (f64, f64) {
    took.sort_unstable();
    let at = |q: usize| took.get(took.len() * q / 100).map_or(0.0, |time| time.as_secs_f64() * 1e3);
    (at(50), at(99))
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
    let mut reporter = Caller::of(phone);
    reporter.pull(&mut line)?;
    let mut overseer = Caller::reader(province.overseer());
    let (_, before) = memory(server.pid());
    let (messages, took) = overseer.pull(&mut line)?;
    let (_, after) = memory(server.pid());
    let whole = (messages, took.as_secs_f64() * 1e3, before, after);
    // By nobody's outbox: these pushes are not measured.
    for _ in 0..CHANGES / BATCH {
        line.ask_well(&phone.creates(BATCH))?;
    }
    let changes = reporter.repeat(&mut line)?;
    reporter.pull(&mut line)?;
    let nothing = reporter.repeat(&mut line)?;
    let (of_changes, _) = overseer.repeat(&mut line)?;
    overseer.pull(&mut line)?;
    let (of_nothing, _) = overseer.repeat(&mut line)?;
    let overseer = (of_changes, of_nothing);
    eprintln!(
        "pull at {records} records ({database}): {CHANGES} changes {:.2} ms, nothing {:.2} ms, all {messages} in {:.0} ms",
        changes.0, nothing.0, whole.1
    );
    Ok(Pulled { database, records, changes, nothing, overseer, whole })
}

/// Many phones wait on connections of their own. Nothing may be measured after it: they do not take their answers.
pub fn waited(server: &Server, phones: &[Phone]) -> Fallible<Waited> {
    let mut line = Line::connect(server.address)?;
    let mut requests = Vec::new();
    for phone in phones.iter().take(WAITERS) {
        let mut caller = Caller::of(phone);
        caller.pull(&mut line)?;
        let request = caller.asks_again()?.waiting(WAIT_S);
        requests.push(caller.written(&request, false));
    }
    let mut newcomer = Caller::of(phones.first().ok_or("no phone")?);
    let at_once = newcomer.asks_again()?;
    let at_once = newcomer.written(&at_once, false);
    let (before, _) = memory(server.pid());
    let mut lines = Vec::with_capacity(WAITING);
    for (n, request) in requests.iter().cycle().take(WAITING).enumerate() {
        let mut waiter = Line::connect(server.address)?;
        waiter.send(request)?;
        lines.push(waiter);
        if n % AT_ONCE == 0 {
            // One that does not wait: the server has taken in those before it, as many as may stand in its queue of readers.
            line.ask_well(&at_once)?;
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
        let mut caller = Caller::reader(&token);
        let mut bytes = 0;
        while let Some(request) = caller.asks()? {
            bytes += line.ask_well(&caller.written(&request, true))?.bytes;
            // Once more, as it can be read here.
            caller.ask(&mut line, &request)?;
        }
        let messages = caller.told();
        all.push(Wired { what: format!("{what} ({messages} messages)"), bytes, aim });
        if login == "canbo" {
            let request = caller.asks_again()?;
            let nothing = line.ask_well(&caller.written(&request, true))?.bytes;
            all.push(Wired { what: "a sync with nothing new".to_owned(), bytes: nothing, aim: 1_000 });
        }
    }
    server.stop()?;
    Ok(all)
}

/// A meeting reported, as a whole request and its answer.
pub fn report_on_the_wire(server: &Server, phone: &mut Phone) -> Fallible<Wired> {
    let mut caller = Caller::of(phone);
    let Report { id, draft, sent_at, .. } = phone.report();
    caller.phone.say(id, draft)?;
    let request = caller.asks()?.ok_or("a report that is not pushed")?.sent_at(&sent_at);
    let heard = caller.ask(&mut Line::connect(server.address)?, &request)?;
    if !caller.is_accepted() {
        return Err(format!("a report was answered: {}", String::from_utf8_lossy(&heard.body)).into());
    }
    Ok(Wired { what: "a report of a meeting, 12 fields, not compressed".to_owned(), bytes: heard.bytes, aim: 2_000 })
}

fn sign_in(line: &mut Line, login: &str, password: &str) -> Fallible<String> {
    let body = json!({"username": login, "password": password, "device": {"name": "bench"}});
    let heard = line.ask_well(&post("/v1/auth/sign-in", "", &body, false))?;
    let said: Value = serde_json::from_slice(&heard.body)?;
    Ok(said["access_token"].as_str().ok_or("no token")?.to_owned())
}
