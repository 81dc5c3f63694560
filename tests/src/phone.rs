//! A phone that pulls: its cursor, and what it keeps of what it is told. Knows only what an answer says.

use crate::client::{Reporter, text, uuid};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a phone has.
#[derive(Clone, Debug, Default)]
pub struct Phone {
    /// Where it stands.
    pub cursor: Option<String>,
    /// Records, units, forms and grants, as they were put, by id.
    pub things: BTreeMap<Uuid, Value>,
    /// Other ids of records: by (id, unit) the record.
    pub aliases: BTreeMap<(Uuid, Uuid), Uuid>,
    /// Notices, as they came.
    pub notices: Vec<Value>,
}

impl Phone {
    /// Asks for a page.
    #[track_caller]
    pub fn asks(&self, user: &Reporter, more: &Value) -> Value {
        let mut body = json!({"cursor": self.cursor});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        user.post("/v1/sync/pull", &body).expect(200)
    }

    /// Takes in one page of at most `limit` messages; the page.
    #[track_caller]
    pub fn pulls_a_page(&mut self, user: &Reporter, limit: u16) -> Value {
        let page = self.asks(user, &json!({"limit": limit}));
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

    /// Takes in a page.
    #[track_caller]
    pub fn takes(&mut self, page: &Value) {
        assert!(page["reset"].is_null(), "{page}");
        self.cursor = Some(text(&page["cursor"]).to_owned());
        messages(page).iter().for_each(|message| self.hears(message));
    }

    #[track_caller]
    fn hears(&mut self, message: &Value) {
        match text(&message["t"]) {
            "put" => drop(self.things.insert(uuid(&message["id"]), message.clone())),
            // Other ids stand until their unit is purged: a withdrawn record may come back.
            "tombstone" | "purge" => drop(self.things.remove(&uuid(&message["id"]))),
            "alias" => {
                let key = (uuid(&message["id"]), uuid(&message["unit"]));
                self.aliases.insert(key, uuid(&message["record"]));
            }
            "purge_scope" => {
                let unit = &message["unit"];
                self.things.retain(|_, thing| thing["unit"] != *unit || thing["kind"] == "grant");
                self.aliases.retain(|(_, of), _| *of != uuid(unit));
            }
            "notice" => self.notices.push(message.clone()),
            other => panic!("an unknown message: {other}"),
        }
    }

    /// What it has of one kind, by id.
    pub fn of_kind(&self, kind: &str) -> BTreeMap<Uuid, &Value> {
        let of_kind = self.things.iter().filter(|(_, thing)| thing["kind"] == kind);
        of_kind.map(|(id, thing)| (*id, thing)).collect()
    }

    /// The hash of what it has, as the API describes it: of everything, and of one unit after the other.
    pub fn hash(&self) -> Value {
        let (mut all, mut units) = ([0; 32], BTreeMap::<Uuid, [u8; 32]>::new());
        let mut add = |unit: Option<Uuid>, thing: String| {
            let digest = Sha256::digest(thing);
            let sums = [Some(&mut all), unit.map(|unit| units.entry(unit).or_default())];
            sums.into_iter().flatten().for_each(|sum| sum.iter_mut().zip(digest).for_each(|(sum, byte)| *sum ^= byte));
        };
        for (id, thing) in &self.things {
            let kind = text(&thing["kind"]);
            let unit = (!["form", "grant"].contains(&kind)).then(|| uuid(&thing["unit"]));
            add(unit, format!("{kind} {id} {}", thing["v"]));
        }
        let known = self.aliases.iter().filter(|(_, record)| self.things.contains_key(record));
        let known: Vec<_> = known.collect();
        for ((id, unit), record) in &known {
            add(Some(*unit), format!("alias {id} {unit} {record}"));
        }
        let written = |sum: [u8; 32]| sum.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let units: BTreeMap<Uuid, String> = units.into_iter().map(|(unit, sum)| (unit, written(sum))).collect();
        json!({"all": written(all), "things": self.things.len() + known.len(), "units": units})
    }

    /// Pulls to the end and compares what it has with what the server says that it has; the two hashes.
    #[track_caller]
    pub fn checks(&mut self, user: &Reporter) -> (Value, Value) {
        self.pulls(user);
        let page = self.asks(user, &json!({"hash": true}));
        self.takes(&page);
        (self.hash(), page["hash"].clone())
    }

    /// Which records it has, as `id:v` with the id in plain hexadecimal digits.
    pub fn records(&self) -> Vec<String> {
        let other = ["unit", "form", "grant"];
        let records = self.things.values().filter(|thing| !other.contains(&text(&thing["kind"])));
        records.map(|thing| format!("{}:{}", uuid(&thing["id"]).simple(), thing["v"])).collect()
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
