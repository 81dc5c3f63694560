//! A phone that pulls: the reference phone, asked and told over HTTP. Owns beside it only what a correct client would not
//! do: pages of one message, questions whose answers it does not take in, a copy that is spoiled by hand.

use crate::client::{Reporter, text};
use muong_phone::wire::{Message, Notice, Pulled};
use muong_phone::{Moment, Next, Request, Thing};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// It never waits: it is lucky, and nobody else is there.
const NOW: Moment = Moment { now_ms: 0, chance: 0.0 };

/// A phone that always wants to know what is new, and has nothing to say.
#[derive(Clone, Debug)]
pub struct Phone(muong_phone::Phone);

impl Default for Phone {
    fn default() -> Self {
        Self(muong_phone::Phone::new(Uuid::nil(), "muong-tests/1.0"))
    }
}

impl Phone {
    /// What it would ask next.
    #[track_caller]
    fn request(&self) -> Request {
        match self.0.next(NOW) {
            Next::Ask(request @ Request::Pull { .. }) => request,
            other => panic!("it does not pull: {other:?}"),
        }
    }

    /// Where it stands.
    #[track_caller]
    pub fn cursor(&self) -> Option<String> {
        self.request().body()["cursor"].as_str().map(str::to_owned)
    }

    /// Asks for a page, with parameters of the test's own.
    #[track_caller]
    pub fn asks(&self, user: &Reporter, more: &Value) -> Value {
        let mut body = self.request().body().clone();
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        user.post("/v1/sync/pull", &body).expect(200)
    }

    /// Takes in one page of at most `limit` messages; the page.
    #[track_caller]
    pub fn pulls_a_page(&mut self, user: &Reporter, limit: u16) -> Value {
        let page = self.asks(user, &json!({"limit": limit}));
        assert!(page["reset"].is_null(), "{page}");
        assert!(messages(&page).len() <= usize::from(limit), "too many messages: {page}");
        assert!(page["more"] == false || !messages(&page).is_empty(), "an empty page, and more: {page}");
        self.takes(&page);
        page
    }

    /// Pulls until there is no more; all that it was told.
    #[track_caller]
    pub fn pulls(&mut self, user: &Reporter) -> Vec<Value> {
        self.pulls_by(user, 500)
    }

    /// The same in pages of at most `limit` messages.
    #[track_caller]
    pub fn pulls_by(&mut self, user: &Reporter, limit: u16) -> Vec<Value> {
        let mut told = Vec::new();
        for _ in 0..10_000 {
            let page = self.pulls_a_page(user, limit);
            told.extend(messages(&page).iter().cloned());
            if page["more"] == false {
                return told;
            }
        }
        panic!("it never ends");
    }

    /// Takes in an answer, a page or a reset, of which it must understand everything.
    #[track_caller]
    pub fn takes(&mut self, answer: &Value) {
        let request = self.request();
        match serde_json::from_value(answer.clone()) {
            Ok(Pulled::Page(page)) => {
                assert!(!page.messages.contains(&Message::Unknown), "an unknown message: {answer}");
            }
            Ok(Pulled::Reset { .. }) => {}
            Err(error) => panic!("it does not understand ({error}): {answer}"),
        }
        self.0.answered(&request, 200, None, answer.to_string().as_bytes(), NOW);
        self.0.wake(NOW);
    }

    /// Everything that it has, by id.
    pub fn things(&self) -> BTreeMap<Uuid, Value> {
        let told = |thing: &Thing| {
            let Thing { kind, v, unit, data, open_conflicts, .. } = thing;
            json!({"kind": kind, "v": v, "unit": unit, "data": data, "open_conflicts": open_conflicts})
        };
        self.0.replica().things().map(|(id, thing)| (*id, told(thing))).collect()
    }

    /// What it has of one kind, by id.
    pub fn of_kind(&self, kind: &str) -> BTreeMap<Uuid, Value> {
        self.things().into_iter().filter(|(_, thing)| thing["kind"] == kind).collect()
    }

    /// Which records it has, as `id:v` with the id in plain hexadecimal digits.
    pub fn records(&self) -> Vec<String> {
        let other = ["unit", "form", "grant"];
        let records = self.0.replica().things().filter(|(_, thing)| !other.contains(&thing.kind.as_str()));
        records.map(|(id, thing)| format!("{}:{}", id.simple(), thing.v)).collect()
    }

    /// Other ids of records that are here, in the unit in which they are used: by (id, unit) the record. Of one that was purged,
    /// or has gone to another unit, a phone may know them still, which one that begins anew is not told of; nobody can tell
    /// the difference, and the hash does not.
    pub fn aliases(&self) -> BTreeMap<(Uuid, Uuid), Uuid> {
        let replica = self.0.replica();
        let is_there = |unit, record| replica.thing(record).is_some_and(|thing| thing.unit == Some(unit));
        let held = replica.aliases().filter(|(unit, _, record)| is_there(*unit, *record));
        held.map(|(unit, id, record)| ((id, unit), record)).collect()
    }

    /// What its user is to be told, once.
    pub fn notices(&mut self) -> Vec<Notice> {
        self.0.replica_mut().take_notices()
    }

    /// The hash of what it has, as the API describes it.
    pub fn hash(&self) -> Value {
        json!(self.0.replica().hash())
    }

    /// Pulls to the end and compares what it has with what the server says that it has; the two hashes. When they differ, it
    /// begins anew.
    #[track_caller]
    pub fn checks(&mut self, user: &Reporter) -> (Value, Value) {
        self.pulls(user);
        self.0.check();
        let page = self.asks(user, &json!({}));
        self.takes(&page);
        (self.hash(), page["hash"].clone())
    }

    /// Its copy is spoiled: what it has saved is changed by other hands, and read again.
    #[track_caller]
    pub fn is_spoiled(&mut self, spoil: impl FnOnce(&mut Value)) {
        let mut saved = json!(self.0);
        spoil(&mut saved["replica"]);
        self.0 = serde_json::from_value(saved).unwrap_or_else(|error| panic!("spoiled beyond reading: {error}"));
    }
}

/// The messages of a page.
#[track_caller]
pub fn messages(page: &Value) -> &[Value] {
    page["messages"].as_array().unwrap_or_else(|| panic!("no page: {page}"))
}

/// The kinds of messages, in order: of a put, the kind of thing.
pub fn kinds(told: &[Value]) -> Vec<&str> {
    told.iter().map(|message| message["kind"].as_str().unwrap_or_else(|| text(&message["t"]))).collect()
}
