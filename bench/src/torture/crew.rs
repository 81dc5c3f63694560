//! The phones, each carried by a thread: they say things, push and pull over links that lose requests and answers, are
//! restored from older copies and cloned. What was said, and what was acknowledged, is noted where no fault reaches it.

use super::Plan;
use super::chance::Chance;
use super::stage::Stage;
use crate::Fallible;
use crate::phones::{BRANCHES, branch};
use crate::province::{self, PASSWORD};
use muong_phone::wire::Pushed;
use muong_phone::{Draft, Moment, Next, Phone, Request, State, Thing};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Committees whose phones meet each other.
const COMMUNES: usize = 4;
/// Branches that they report on: few, so that they meet.
const MET: usize = 6;
/// How much faster the phones' patience runs than the clock: a day without what something builds on is four seconds here.
const HURRY: u64 = 20_000;
/// The shortest and the longest that a phone really waits, in milliseconds.
const WAITS_MS: (u64, u64) = (2, 50);
/// How long a phone waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long one phone may take to say and to learn everything once nothing goes wrong any more.
const PATIENCE: Duration = Duration::from_secs(30);
/// The form that they fill in.
const FORM: &str = "branch_meeting";

/// How often what happened.
#[derive(Debug, Default)]
pub struct Counts {
    /// The server had answered, and the phone did not hear it.
    pub answers_lost: usize,
    /// The server did not hear it.
    pub requests_lost: usize,
    /// Pages that were pulled.
    pub pages: usize,
    /// Phones that went on from an older copy of themselves.
    pub restored: usize,
    /// Phones that went on twice.
    pub cloned: usize,
    /// Times that somebody signed in.
    pub signed_in: usize,
    /// Times that a phone became another device.
    pub registered: usize,
}

#[derive(Default)]
struct Tally {
    answers_lost: AtomicUsize,
    requests_lost: AtomicUsize,
    pages: AtomicUsize,
    restored: AtomicUsize,
    cloned: AtomicUsize,
    signed_in: AtomicUsize,
    registered: AtomicUsize,
}

/// What one phone is held to.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    /// What it said, and whether any answer acknowledged it.
    pub said: BTreeMap<Uuid, bool>,
    /// The unit that it may see.
    pub scope: Uuid,
    /// The records that it holds in the end, with their versions.
    pub holds: BTreeSet<(Uuid, i64)>,
}

/// All phones.
pub struct Crew {
    threads: Vec<JoinHandle<Fallible<Vec<Journal>>>>,
    resting: Arc<AtomicBool>,
    /// Whether any of them has met what it cannot go on from.
    failed: Arc<AtomicBool>,
    tally: Arc<Tally>,
}

impl Crew {
    /// Signs everybody in and lets them begin.
    pub fn embark(stage: &Arc<Stage>, plan: Plan) -> Fallible<Self> {
        let (resting, tally) = (Arc::<AtomicBool>::default(), Arc::<Tally>::default());
        let (silent, failed) = (Arc::new(Barrier::new(plan.phones)), Arc::<AtomicBool>::default());
        let mut threads = Vec::with_capacity(plan.phones);
        for number in 0..plan.phones {
            let mut chance = Chance::new(plan.seed ^ (number as u64 + 1) << 32);
            let mut carried = Carried::new(number % COMMUNES);
            let (stage, resting, tally) = (Arc::clone(stage), Arc::clone(&resting), Arc::clone(&tally));
            let silent = Arc::clone(&silent);
            let hand = Hand { stage, resting, silent, tally, agent: agent(), begun: Instant::now() };
            let failed = Arc::clone(&failed);
            threads.push(std::thread::spawn(move || {
                let lived = carried.sign_in(&hand, &mut chance).and_then(|()| hand.carry(carried, chance));
                // The others wait for this one where all is said: they must not for ever.
                failed.fetch_or(lived.is_err(), Ordering::AcqRel);
                lived
            }));
        }
        Ok(Self { threads, resting, failed, tally })
    }

    /// Nothing new is said and no link is bad any more: waits until every phone has said all and knows all.
    pub fn come_to_rest(self, patience: Duration) -> Fallible<(Counts, Vec<Journal>)> {
        self.resting.store(true, Ordering::Release);
        let begun = Instant::now();
        while self.threads.iter().any(|thread| !thread.is_finished()) && !self.failed.load(Ordering::Acquire) {
            if begun.elapsed() > patience {
                return Err("phones do not come to rest".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if let Some(failed) = self.threads.iter().position(|thread| thread.is_finished()) {
            // Of several, whoever is done has failed, as long as others still wait.
            if self.failed.load(Ordering::Acquire) {
                let failed = self.threads.into_iter().nth(failed).map(JoinHandle::join);
                return Err(match failed {
                    Some(Ok(Err(error))) => error,
                    _ => "a phone's thread panicked".into(),
                });
            }
        }
        let mut journals = Vec::new();
        for thread in self.threads {
            journals.extend(thread.join().map_err(|_| "a phone's thread panicked")??);
        }
        let count = |counter: &AtomicUsize| counter.load(Ordering::Acquire);
        let t = &self.tally;
        let counts = Counts {
            answers_lost: count(&t.answers_lost),
            requests_lost: count(&t.requests_lost),
            pages: count(&t.pages),
            restored: count(&t.restored),
            cloned: count(&t.cloned),
            signed_in: count(&t.signed_in),
            registered: count(&t.registered),
        };
        Ok((counts, journals))
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(TIMEOUT));
    config.build().into()
}

/// What carries phones: the network, the time, and whether everything is to come to rest.
struct Hand {
    stage: Arc<Stage>,
    resting: Arc<AtomicBool>,
    /// Where they meet when all is said.
    silent: Arc<Barrier>,
    tally: Arc<Tally>,
    agent: ureq::Agent,
    begun: Instant,
}

/// A phone, its user, and the notes that no fault reaches.
#[derive(Clone)]
struct Carried {
    phone: Phone,
    commune: usize,
    token: String,
    journal: Journal,
    /// An older copy of it.
    copy: Option<Vec<u8>>,
    /// What it heard last.
    heard: String,
}

/// An answer: its status, how long to wait, and its body.
type Answer = (u16, Option<u64>, Vec<u8>);

impl Hand {
    fn rests(&self) -> bool {
        self.resting.load(Ordering::Acquire)
    }

    fn moment(&self, chance: &mut Chance) -> Moment {
        let now_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_mul(HURRY);
        Moment { now_ms, chance: chance.part() }
    }

    /// Carries a phone, and any that are cloned from it, until everybody has said all, and then until these know all.
    fn carry(&self, first: Carried, mut chance: Chance) -> Fallible<Vec<Journal>> {
        let mut phones = vec![first];
        while !self.rests() {
            for at in 0..phones.len() {
                phones[at].turn(self, &mut chance)?;
                self.befall(&mut phones, at, &mut chance)?;
            }
        }
        self.finish(&mut phones, &mut chance)?;
        self.silent.wait();
        // Only now nothing changes any more.
        self.finish(&mut phones, &mut chance)?;
        Ok(phones.into_iter().map(Carried::ends).collect())
    }

    /// Until each has said all that it has to say, in an epoch that it knows, and has pulled all there is.
    fn finish(&self, phones: &mut [Carried], chance: &mut Chance) -> Fallible<()> {
        for carried in phones {
            let begun = Instant::now();
            carried.phone.wake(self.moment(chance));
            while !carried.turn(self, chance)? {
                if begun.elapsed() > PATIENCE {
                    return Err(carried.restless(self.moment(chance)).into());
                }
            }
        }
        Ok(())
    }

    /// What happens to a phone itself.
    fn befall(&self, phones: &mut Vec<Carried>, at: usize, chance: &mut Chance) -> Fallible<()> {
        match chance.below(400) {
            0..=9 => phones[at].copy = Some(serde_json::to_vec(&phones[at].phone)?),
            10 => {
                if let Some(copy) = phones[at].copy.clone() {
                    phones[at].go_back_to(&copy)?;
                    self.tally.restored.fetch_add(1, Ordering::Relaxed);
                }
            }
            11 if phones.len() < 3 => {
                let twin = phones[at].clone();
                phones.push(twin);
                self.tally.cloned.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        Ok(())
    }

    /// Posts over a bad link: none when no answer is heard.
    fn post(&self, path: &str, token: Option<&str>, body: &Value, chance: &mut Chance) -> Option<Answer> {
        let bad = !self.rests();
        if bad && chance.percent(10) {
            self.tally.requests_lost.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let address = self.stage.address(chance)?;
        let mut request = self.agent.post(format!("http://{address}{path}"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut answer = request.send_json(body).ok()?;
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let (status, body) = (answer.status().as_u16(), answer.body_mut().read_to_vec().ok()?);
        // The server has done it all, and every second phone does not hear of it.
        if bad && chance.percent(50) && path.starts_with("/v1/sync/") {
            self.tally.answers_lost.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some((status, retry_after, body))
    }
}

impl Carried {
    /// Of the reporter of a commune.
    fn new(commune: usize) -> Self {
        Self {
            phone: Phone::new(Uuid::nil(), "torture/1.0"),
            commune,
            token: String::new(),
            journal: Journal { scope: province::committee(commune), ..Journal::default() },
            copy: None,
            heard: String::new(),
        }
    }

    /// One step; whether there is nothing to do.
    fn turn(&mut self, hand: &Hand, chance: &mut Chance) -> Fallible<bool> {
        if !hand.rests() && chance.percent(30) {
            self.say_something(chance)?;
        }
        match self.phone.next(hand.moment(chance)) {
            Next::Ask(request) => self.ask(hand, &request, chance),
            Next::Wait(ms) => wait(ms / HURRY),
            Next::SignIn => self.sign_in(hand, chance)?,
            Next::Register => self.register(hand, chance)?,
            Next::Rest if hand.rests() && self.phone.outbox().is_settled() => return Ok(true),
            Next::Rest => {
                wait(chance.below(20));
                self.phone.wake(hand.moment(chance));
            }
            Next::Stuck(code) => return Err(format!("a phone is stuck: {code}").into()),
        }
        Ok(false)
    }

    fn ask(&mut self, hand: &Hand, request: &Request, chance: &mut Chance) {
        let answer = hand.post(request.path(), Some(&self.token), request.body(), chance);
        let moment = hand.moment(chance);
        let Some((status, retry_after, body)) = answer else { return self.phone.failed(moment) };
        self.heard = format!("{}: {status} {}", request.path(), String::from_utf8_lossy(&body[..body.len().min(600)]));
        if status == 200 {
            match request {
                Request::Push { .. } => self.note_acknowledged(&body),
                Request::Pull { .. } => drop(hand.tally.pages.fetch_add(1, Ordering::Relaxed)),
            }
        }
        self.phone.answered(request, status, retry_after, &body, moment);
    }

    /// What the server says that it has recorded, it must have for ever.
    fn note_acknowledged(&mut self, body: &[u8]) {
        let results = serde_json::from_slice::<Pushed>(body).map(|pushed| pushed.results).unwrap_or_default();
        for result in results.iter().filter(|result| result.status != "deferred") {
            self.journal.said.insert(result.id, true);
        }
    }

    fn say_something(&mut self, chance: &mut Chance) -> Fallible<()> {
        let unit = branch(self.commune, usize::try_from(chance.below(MET.min(BRANCHES) as u64))?);
        let known: Vec<Uuid> = self.records().map(|(id, _)| id).collect();
        let draft = match chance.below(10) {
            0..=5 => meeting(id(chance), unit, chance),
            6..=8 if !known.is_empty() => self.later(*chance.pick(&known), chance),
            9 if !known.is_empty() => self.withdrawn(*chance.pick(&known)),
            _ => return Ok(()),
        };
        let submission = id(chance);
        self.journal.said.entry(submission).or_default();
        Ok(self.phone.say(submission, draft)?)
    }

    fn records(&self) -> impl Iterator<Item = (Uuid, &Thing)> {
        self.phone.replica().things().filter(|(_, thing)| thing.kind == FORM).map(|(id, thing)| (*id, thing))
    }

    fn unit_of(&self, record: Uuid) -> Uuid {
        self.phone.replica().thing(record).and_then(|thing| thing.unit).unwrap_or_default()
    }

    /// It ended at another time than stands there.
    fn later(&self, record: Uuid, chance: &mut Chance) -> Draft {
        let of = |field: &str| {
            let thing = self.phone.replica().thing(record);
            thing.and_then(|thing| thing.data.get(field)).cloned().unwrap_or_default()
        };
        Draft::edit(FORM, 1, record, self.unit_of(record)).change("started", of("started"), "19:30").change(
            "ended",
            of("ended"),
            format!("21:{:02}", 10 + chance.below(50)),
        )
    }

    fn withdrawn(&self, record: Uuid) -> Draft {
        Draft::delete(record, self.unit_of(record))
    }

    /// On the device that it is, if the server knows that one (still).
    fn sign_in(&mut self, hand: &Hand, chance: &mut Chance) -> Fallible<()> {
        let device = match self.phone.device() {
            unknown if unknown.is_nil() => json!({"name": "torture"}),
            device => json!({"name": "torture", "id": device}),
        };
        let body = json!({"username": province::login(self.commune), "password": PASSWORD, "device": device});
        match hand.post("/v1/auth/sign-in", None, &body, chance) {
            Some((200, _, answer)) => {
                hand.tally.signed_in.fetch_add(1, Ordering::Relaxed);
                self.take_tokens(&answer)
            }
            // The store was restored to a moment before this device was registered.
            Some((422, ..)) => {
                self.phone.registered(Uuid::nil());
                self.sign_in(hand, chance)
            }
            Some((401 | 403, _, said)) => Err(format!("nobody: {}", String::from_utf8_lossy(&said)).into()),
            _ if self.phone.device().is_nil() && !self.token.is_empty() => {
                wait(chance.below(50));
                self.sign_in(hand, chance)
            }
            _ => {
                wait(chance.below(50));
                Ok(())
            }
        }
    }

    fn register(&mut self, hand: &Hand, chance: &mut Chance) -> Fallible<()> {
        match hand.post("/v1/devices", Some(&self.token), &json!({"name": "torture"}), chance) {
            Some((201, _, answer)) => {
                hand.tally.registered.fetch_add(1, Ordering::Relaxed);
                self.take_tokens(&answer)
            }
            Some((401, ..)) => self.sign_in(hand, chance),
            _ => {
                wait(chance.below(50));
                Ok(())
            }
        }
    }

    fn take_tokens(&mut self, answer: &[u8]) -> Fallible<()> {
        #[derive(Deserialize)]
        struct Device {
            id: Uuid,
        }
        #[derive(Deserialize)]
        struct SignedIn {
            access_token: String,
            device: Device,
        }
        let SignedIn { access_token, device } = serde_json::from_slice(answer)?;
        self.token = access_token;
        if device.id == self.phone.device() {
            self.phone.signed_in()
        } else {
            self.phone.registered(device.id)
        }
        Ok(())
    }

    /// What keeps it from coming to rest.
    fn restless(&self, moment: Moment) -> String {
        let open = self.phone.outbox().entries().filter(|entry| !matches!(entry.state, State::Recorded { .. }));
        let (next, heard) = (format!("{:.600}", format!("{:?}", self.phone.next(moment))), &self.heard);
        format!("a phone does not come to rest: {} open; next: {next}; it heard: {heard}", open.count())
    }

    /// Goes on from an older copy of itself. What it has said since it cannot say again: should the server lose that as
    /// well, by a backup from before, nobody has it, so it is no longer held to it.
    fn go_back_to(&mut self, copy: &[u8]) -> Fallible<()> {
        self.phone = serde_json::from_slice(copy)?;
        // It may have been another device then: it signs in as that one.
        self.token.clear();
        let kept: BTreeSet<Uuid> = self.phone.outbox().entries().map(|entry| entry.id).collect();
        for (id, acknowledged) in &mut self.journal.said {
            *acknowledged &= kept.contains(id);
        }
        Ok(())
    }

    /// What it is held to.
    fn ends(self) -> Journal {
        let holds = self.records().map(|(id, thing)| (id, thing.v)).collect();
        Journal { holds, ..self.journal }
    }
}

fn wait(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms.clamp(WAITS_MS.0, WAITS_MS.1)));
}

/// An id in the layout of a UUIDv7, of a moment within some years.
fn id(chance: &mut Chance) -> Uuid {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&chance.next().to_be_bytes());
    random[8..].copy_from_slice(&chance.next().to_be_bytes()[..2]);
    uuid::Builder::from_unix_timestamp_millis(1_767_225_600_000 + chance.below(1 << 34), &random).into_uuid()
}

/// A regular meeting of one of few months: so that several phones tell of the same one.
fn meeting(record: Uuid, unit: Uuid, chance: &mut Chance) -> Draft {
    let period = format!("2025-{:02}", 1 + chance.below(12));
    let (excused, unexcused) = (chance.below(3), chance.below(2));
    Draft::create(FORM, 1, record, unit)
        .to("held_on", format!("{period}-05"))
        .to("period", period)
        .to("type", "regular")
        .to("held", true)
        .to("started", "19:30")
        .to("ended", "21:15")
        .to("on_roll", 14)
        .to("official", 12)
        .to("probationary", 2)
        .to("present", 14 - excused - unexcused)
        .to("excused", excused)
        .to("unexcused", unexcused)
}
