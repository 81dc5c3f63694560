//! A phone in somebody's hand: what its user says, the requests that carry it, and what is noted of the answers.

use super::chance::Chance;
use super::crew::{HURRY, Hand};
use super::journal::{At, Delivered, Holding, Journal};
use super::link::{Answer, Silence};
use super::tally::Event;
use super::{COMMUNES, MEETING, MET, PERSON};
use crate::Fallible;
use crate::phones::branch;
use crate::province::{self, PASSWORD};
use muong_phone::wire::{PushResult, Pushed};
use muong_phone::{Draft, Moment, Next, Phone, Request, State, Thing};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// The shortest and the longest that a phone really waits, in milliseconds.
const WAITS_MS: (u64, u64) = (2, 50);
/// Of a hundred reports so many are of a branch of any commune, whether its reporter may or not.
const ELSEWHERE: u64 = 15;

/// A phone, its user, and the notes that no fault reaches.
#[derive(Clone)]
pub struct Carried {
    phone: Phone,
    token: String,
    journal: Journal,
    /// An older copy of it.
    copy: Option<Vec<u8>>,
    /// What it heard last.
    heard: String,
    /// What a server may have heard. With which kill it was, if that was once, and the server was killed before it answered:
    /// when that is known there, it was recorded then.
    sent: BTreeMap<Uuid, Option<usize>>,
}

/// A page, as far as it is looked at here.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    epoch: Uuid,
    #[serde(default)]
    head: i64,
    #[serde(default)]
    reset: Value,
    #[serde(default)]
    messages: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    t: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    unit: Option<Uuid>,
}

impl Told {
    /// The unit of the record that this tells of, and whether it is a person; none when it tells of none.
    fn of_record(&self) -> Option<(Uuid, bool)> {
        let tells = match self.t.as_str() {
            "put" => [MEETING, PERSON].contains(&self.kind.as_str()),
            "tombstone" | "alias" => true,
            _ => false,
        };
        self.unit.filter(|_| tells).map(|unit| (unit, self.kind == PERSON))
    }
}

impl Carried {
    /// Of the reporter of a commune.
    pub fn new(commune: usize) -> Self {
        Self {
            phone: Phone::new(Uuid::nil(), "torture/1.0"),
            token: String::new(),
            journal: Journal::new(commune),
            copy: None,
            heard: String::new(),
            sent: BTreeMap::new(),
        }
    }

    /// One step; whether there is nothing to do.
    pub fn turn(&mut self, hand: &Hand, chance: &mut Chance) -> Fallible<bool> {
        if !hand.link.rests() && chance.percent(30) {
            self.say_something(hand, chance)?;
        }
        match self.phone.next(hand.moment(chance)) {
            Next::Ask(request) => self.ask(hand, &request, chance)?,
            Next::Wait(ms) => wait(ms / HURRY),
            Next::SignIn => self.sign_in(hand, chance)?,
            Next::Register => self.register(hand, chance)?,
            Next::Rest if hand.link.rests() && self.phone.outbox().is_settled() => return Ok(true),
            Next::Rest => {
                wait(chance.below(20));
                self.phone.wake(hand.moment(chance));
            }
            Next::Stuck(code) => return Err(format!("a phone is stuck: {code}").into()),
        }
        Ok(false)
    }

    /// It begins another round.
    pub fn wake(&mut self, moment: Moment) {
        self.phone.wake(moment);
    }

    fn ask(&mut self, hand: &Hand, request: &Request, chance: &mut Chance) -> Fallible<()> {
        let answer = hand.link.tell(request.path(), &self.token, request.body(), chance);
        let moment = hand.moment(chance);
        let answer = match answer {
            Ok(answer) => answer,
            Err(silence) => {
                self.note_silence(hand, request, silence);
                self.phone.failed(moment);
                return Ok(());
            }
        };
        let Answer { status, retry_after, ref body, .. } = answer;
        self.heard = format!("{}: {status} {}", request.path(), String::from_utf8_lossy(&body[..body.len().min(600)]));
        if status == 200 {
            match request {
                Request::Push { .. } => self.note_acknowledged(hand, serde_json::from_slice(body)?),
                Request::Pull { .. } => self.note_delivered(hand, &answer)?,
            }
        } else {
            self.note_sent(request, None);
        }
        self.phone.answered(request, status, retry_after, &answer.body, moment);
        Ok(())
    }

    /// The phone does not learn what came of a request.
    fn note_silence(&mut self, hand: &Hand, request: &Request, silence: Silence) {
        let killed = match silence {
            Silence::Unasked => return,
            Silence::Unanswered { killed } => killed,
            Silence::Unheard(answer) => {
                if let (Request::Push { .. }, Ok(Pushed { results, .. })) =
                    (request, serde_json::from_slice(&answer.body))
                {
                    self.find_kills(hand, &results);
                }
                None
            }
        };
        self.note_sent(request, killed);
    }

    /// A server may have heard this, and was perhaps killed meanwhile. Of what was said more than once nobody can tell when it
    /// was recorded.
    fn note_sent(&mut self, request: &Request, killed: Option<usize>) {
        let Request::Push { ids, .. } = request else { return };
        for id in ids {
            self.sent.entry(*id).and_modify(|kill| *kill = None).or_insert(killed);
        }
    }

    /// What was recorded before, and was said but once before, to a server that was killed, was committed and not answered.
    fn find_kills(&mut self, hand: &Hand, results: &[PushResult]) {
        for result in results {
            let killed = self.sent.insert(result.id, None).flatten();
            let was_recorded = result.original.as_ref().is_some_and(|original| original.v.is_some());
            if let Some(kill) = killed.filter(|_| was_recorded) {
                hand.link.stage.note_unanswered(kill);
            }
        }
    }

    /// Another phone may say what this one has: by that no kill can be told any more.
    fn forget_kills(&mut self) {
        self.sent.extend(self.phone.outbox().entries().map(|entry| (entry.id, None)));
    }

    /// What the server says that it has recorded, it must have for ever.
    fn note_acknowledged(&mut self, hand: &Hand, pushed: Pushed) {
        let Pushed { epoch, results } = pushed;
        self.find_kills(hand, &results);
        for result in results.into_iter().filter(|result| result.status != "deferred") {
            match result.status.as_str() {
                "conflict" => hand.link.tally.count(Event::Conflict),
                "forbidden" => hand.link.tally.count(Event::Forbidden),
                _ => {}
            }
            self.journal.hears(epoch, result);
        }
    }

    fn note_delivered(&mut self, hand: &Hand, answer: &Answer) -> Fallible<()> {
        let page: Page = serde_json::from_slice(&answer.body)?;
        hand.link.tally.count(if page.reset.is_null() { Event::PagePulled } else { Event::BegunAnew });
        let told = page.messages.iter().filter_map(Told::of_record).collect();
        let clocks = hand.link.stage.clocks_since(answer.asked);
        self.journal.delivered.push(Delivered { at: At { epoch: page.epoch, seq: page.head }, clocks, told });
        Ok(())
    }

    fn say_something(&mut self, hand: &Hand, chance: &mut Chance) -> Fallible<()> {
        let anywhere = chance.percent(ELSEWHERE);
        let commune = if anywhere { usize::try_from(chance.below(COMMUNES as u64))? } else { self.journal.commune };
        let unit = branch(commune, usize::try_from(chance.below(MET as u64))?);
        let known: Vec<Uuid> = self.meetings().map(|(id, _)| id).collect();
        let draft = match chance.below(20) {
            0..=10 => meeting(id(chance), unit, chance),
            11 => {
                let person = id(chance);
                hand.people.tell(person);
                hand.link.tally.count(Event::PersonSaid);
                somebody(person, unit, chance)
            }
            12..=17 if !known.is_empty() => self.later(*chance.pick(&known), chance),
            18.. if !known.is_empty() => self.withdrawn(*chance.pick(&known)),
            _ => return Ok(()),
        };
        let submission = id(chance);
        self.journal.says(submission);
        Ok(self.phone.say(submission, draft)?)
    }

    fn meetings(&self) -> impl Iterator<Item = (Uuid, &Thing)> {
        self.phone.replica().things().filter(|(_, thing)| thing.kind == MEETING).map(|(id, thing)| (*id, thing))
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
        Draft::edit(MEETING, 1, record, self.unit_of(record)).change("started", of("started"), "19:30").change(
            "ended",
            of("ended"),
            format!("21:{:02}", 10 + chance.below(50)),
        )
    }

    fn withdrawn(&self, record: Uuid) -> Draft {
        Draft::delete(record, self.unit_of(record))
    }

    /// On the device that it is, if the server knows that one (still).
    pub fn sign_in(&mut self, hand: &Hand, chance: &mut Chance) -> Fallible<()> {
        let device = match self.phone.device() {
            unknown if unknown.is_nil() => json!({"name": "torture"}),
            device => json!({"name": "torture", "id": device}),
        };
        let body = json!({"username": province::login(self.journal.commune), "password": PASSWORD, "device": device});
        let answer = hand.link.post("/v1/auth/sign-in", None, &body, chance);
        match answer.map(|answer| (answer.status, answer.body)) {
            Some((200, answer)) => {
                hand.link.tally.count(Event::SignedIn);
                self.take_tokens(&answer)
            }
            // The store was restored to a moment before this device was registered.
            Some((422, _)) => {
                self.phone.registered(Uuid::nil());
                self.sign_in(hand, chance)
            }
            Some((401 | 403, said)) => Err(format!("nobody: {}", String::from_utf8_lossy(&said)).into()),
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
        let answer = hand.link.post("/v1/devices", Some(&self.token), &json!({"name": "torture"}), chance);
        match answer.map(|answer| (answer.status, answer.body)) {
            Some((201, answer)) => {
                hand.link.tally.count(Event::Registered);
                self.take_tokens(&answer)
            }
            Some((401, _)) => self.sign_in(hand, chance),
            // Its user has registered too many devices lately: whoever signs in with the password gets one at once.
            Some((429, _)) => {
                self.phone.registered(Uuid::nil());
                self.sign_in(hand, chance)
            }
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
            self.phone.signed_in();
        } else {
            self.phone.registered(device.id);
        }
        Ok(())
    }

    /// What keeps it from coming to rest.
    pub fn restless(&self, moment: Moment) -> String {
        let open = self.phone.outbox().entries().filter(|entry| !matches!(entry.state, State::Recorded { .. }));
        let (next, heard) = (format!("{:.600}", format!("{:?}", self.phone.next(moment))), &self.heard);
        format!("a phone does not come to rest: {} open; next: {next}; it heard: {heard}", open.count())
    }

    /// Somebody keeps a copy of it.
    pub fn keep_copy(&mut self) -> Fallible<()> {
        self.copy = Some(serde_json::to_vec(&self.phone)?);
        Ok(())
    }

    /// Goes on from an older copy of itself, if there is one.
    pub fn go_back(&mut self) -> Fallible<bool> {
        let Some(copy) = &self.copy else { return Ok(false) };
        let copy: Phone = serde_json::from_slice(copy)?;
        self.journal.goes_back(&self.phone, &copy);
        self.phone = copy;
        self.forget_kills();
        // It may have been another device then: it signs in as that one.
        self.token.clear();
        Ok(true)
    }

    /// Another phone that goes on as this one does. What this one was told is noted once.
    pub fn twin(&mut self) -> Self {
        self.forget_kills();
        let journal = Journal { delivered: Vec::new(), ..self.journal.clone() };
        Self { journal, ..self.clone() }
    }

    /// A new phone of the same user, that has said nothing and knows nothing yet.
    pub fn anew(&self) -> Self {
        let phone = Phone::new(self.phone.device(), "torture/1.0");
        Self { phone, token: self.token.clone(), ..Self::new(self.journal.commune) }
    }

    /// What it is held to, beside a new phone of the same user.
    pub fn ends(self, fresh: &Self) -> Journal {
        Journal { holds: Holding::of(&self.phone), fresh: Holding::of(&fresh.phone), ..self.journal }
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
    Draft::create(MEETING, 1, record, unit)
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

/// Somebody who has applied.
fn somebody(record: Uuid, unit: Uuid, chance: &mut Chance) -> Draft {
    Draft::create(PERSON, 1, record, unit)
        .to("full_name", format!("Giàng A {}", chance.below(1_000)))
        .to("birth_date", format!("{}-04-12", 1970 + chance.below(30)))
        .to("basis", "own_application")
        .to("consent_on", "2025-08-01")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_said_once_and_to_a_server_that_was_killed_tells_of_that_kill() {
        let mut carried = Carried::new(0);
        let ids = [1, 2].map(Uuid::from_u128);
        let push = |ids: &[Uuid]| Request::Push { ids: ids.to_vec(), body: Value::Null };
        carried.note_sent(&push(&ids[..1]), Some(3));
        assert_eq!(carried.sent, BTreeMap::from([(ids[0], Some(3))]));
        carried.note_sent(&push(&ids), Some(4));
        assert_eq!(carried.sent, BTreeMap::from([(ids[0], None), (ids[1], Some(4))]));
        carried.note_sent(&push(&ids), None);
        assert_eq!(carried.sent, BTreeMap::from([(ids[0], None), (ids[1], None)]));
        carried.note_sent(&Request::Pull { body: Value::Null }, Some(5));
        assert_eq!(carried.sent.len(), 2);
    }
}
