//! What has been said here and is not safe elsewhere yet. An entry is written once and never changed but for its number
//! (the device's) and the word that what it builds on is lost. It leaves only when a backup of the server holds it.

use crate::draft::Draft;
use crate::wire::PushResult;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};
use uuid::Uuid;

/// Larger than the server takes: told at once, while its author can still do something about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{bytes} bytes are more than one submission may have ({limit})")]
pub struct TooLarge {
    /// How large it is.
    pub bytes: usize,
    /// How large it may be.
    pub limit: usize,
}

/// How an entry stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// To be sent; perhaps it was, and no answer came.
    Waiting,
    /// What it builds on had not arrived when it was sent.
    Deferred,
    /// The server has recorded it.
    Recorded {
        /// `accepted`, `merged`, `conflict`, `rejected` or `forbidden`; `erased` when nothing else is known of it any more.
        status: String,
        /// As which entry of its log; none when it is erased.
        v: Option<i64>,
        /// Why it was not merged.
        errors: Vec<Value>,
    },
}

/// One submission.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its id.
    pub id: Uuid,
    /// The record as its author knew it.
    pub record: Option<Uuid>,
    /// How it stands.
    pub state: State,
    n: i64,
    /// Since when it has been answered that what it builds on has not arrived, in milliseconds.
    deferred_since: Option<u64>,
    after_lost: bool,
    /// Everything else that goes over the wire.
    said: Map<String, Value>,
}

impl Entry {
    fn is_open(&self) -> bool {
        matches!(self.state, State::Waiting | State::Deferred)
    }

    /// Whether it says more of its record than a copy of that entry shows: what was refused says nothing.
    fn is_ahead_of(&self, seen: Option<i64>) -> bool {
        match &self.state {
            State::Waiting | State::Deferred => true,
            State::Recorded { status, v, .. } => {
                let is_in = ["accepted", "merged", "conflict"].contains(&status.as_str());
                is_in && v.is_some_and(|v| seen.is_none_or(|seen| v > seen))
            }
        }
    }

    /// It waits for nothing: when it has to wait again, its patience begins anew.
    fn stop_waiting(&mut self) {
        (self.deferred_since, self.after_lost) = (None, false);
    }

    fn body(&self) -> Value {
        let mut body = self.said.clone();
        body.insert("id".to_owned(), json!(self.id));
        body.insert("n".to_owned(), json!(self.n));
        if self.after_lost {
            body.insert("after_lost".to_owned(), json!(true));
        }
        Value::Object(body)
    }
}

/// The most that goes into one push.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub count: usize,
    pub bytes: usize,
}

/// All entries, in the order in which they were said.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Outbox {
    entries: VecDeque<Entry>,
    last_n: i64,
}

/// One submission may have so many bytes (`GET /v1/sync/limits`).
pub(crate) const SUBMISSION_BYTES: usize = 256 * 1024;
/// How long to wait for what something builds on: it may be on another device of the same author.
const LOST_AFTER_MS: u64 = 24 * 3600 * 1_000;

impl Outbox {
    /// Every entry that is kept.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Whether everything that was said has been recorded by the server.
    pub fn is_settled(&self) -> bool {
        !self.entries.iter().any(Entry::is_open)
    }

    /// Whether there is something to send now: what was deferred is tried again in the next round.
    pub(crate) fn has_waiting(&self) -> bool {
        self.entries.iter().any(|entry| entry.state == State::Waiting)
    }

    /// The last thing said about a record that the local copy does not show: the server has not recorded it, or has taken it in with
    /// an entry that was not pulled yet. What builds on it names it, whichever device it goes out from in the end.
    pub(crate) fn last_unseen_of(&self, record: Uuid, seen: Option<i64>) -> Option<Uuid> {
        let is_unseen = |entry: &&Entry| entry.record == Some(record) && entry.is_ahead_of(seen);
        self.entries.iter().rev().find(is_unseen).map(|entry| entry.id)
    }

    pub(crate) fn add(&mut self, id: Uuid, draft: Draft) -> Result<(), TooLarge> {
        let (record, n) = (draft.record(), self.last_n + 1);
        let entry =
            Entry { id, record, state: State::Waiting, n, deferred_since: None, after_lost: false, said: draft.0 };
        let bytes = entry.body().to_string().len();
        if bytes > SUBMISSION_BYTES {
            return Err(TooLarge { bytes, limit: SUBMISSION_BYTES });
        }
        self.last_n = n;
        self.entries.push_back(entry);
        Ok(())
    }

    /// The first that wait, as bodies, at least one.
    pub(crate) fn batch(&self, most: Batch) -> (Vec<Uuid>, Vec<Value>) {
        let (mut ids, mut bodies, mut bytes) = (Vec::new(), Vec::new(), 0);
        for entry in self.entries.iter().filter(|entry| entry.state == State::Waiting) {
            let body = entry.body();
            bytes += body.to_string().len() + 1;
            if !ids.is_empty() && (ids.len() == most.count || bytes > most.bytes) {
                break;
            }
            ids.push(entry.id);
            bodies.push(body);
        }
        (ids, bodies)
    }

    /// Takes the answers, each to the entry of its id.
    pub(crate) fn settle(&mut self, results: Vec<PushResult>, now_ms: u64) {
        let mut results: BTreeMap<Uuid, PushResult> = results.into_iter().map(|result| (result.id, result)).collect();
        for entry in &mut self.entries {
            let Some(result) = results.remove(&entry.id) else { continue };
            entry.state = match (result.status.as_str(), result.original) {
                ("deferred", _) => {
                    entry.deferred_since.get_or_insert(now_ms);
                    State::Deferred
                }
                ("duplicate", None) => State::Recorded { status: "erased".to_owned(), v: None, errors: Vec::new() },
                ("duplicate", Some(original)) => {
                    State::Recorded { status: original.status, v: original.v, errors: original.errors }
                }
                _ => State::Recorded { status: result.status, v: result.v, errors: result.errors },
            };
            if !entry.is_open() {
                entry.stop_waiting();
            }
        }
    }

    /// Another round: what was deferred is sent again, and if it has waited too long, with the word that what it builds on
    /// is lost.
    pub(crate) fn retry_deferred(&mut self, now_ms: u64) {
        for entry in &mut self.entries {
            if entry.state == State::Deferred {
                let since = entry.deferred_since.unwrap_or(now_ms);
                entry.after_lost |= now_ms.saturating_sub(since) >= LOST_AFTER_MS;
                entry.state = State::Waiting;
            }
        }
    }

    /// The server's history is another one: everything that is kept is said again. What it builds on may come again as well,
    /// from whichever phone has it, so nothing is lost yet.
    pub(crate) fn say_again(&mut self) {
        for entry in &mut self.entries {
            entry.state = State::Waiting;
            entry.stop_waiting();
        }
    }

    /// A backup holds everything below this entry of the log.
    pub(crate) fn forget_before(&mut self, durable_before: i64) {
        let is_safe = |entry: &Entry| match &entry.state {
            State::Recorded { v, .. } => v.is_none_or(|v| v < durable_before),
            State::Waiting | State::Deferred => false,
        };
        self.entries.retain(|entry| !is_safe(entry));
    }

    /// The device has numbered so many before: the next thing has the number after that.
    pub(crate) fn number_after(&mut self, n: i64) {
        self.last_n = n;
    }

    /// Forgets what was said, and goes on with the numbers.
    pub(crate) fn let_go(&mut self) {
        self.entries.clear();
    }

    /// On another device: numbers begin anew, in the same order.
    pub(crate) fn renumber(&mut self) {
        self.last_n = 0;
        for entry in &mut self.entries {
            self.last_n += 1;
            entry.n = self.last_n;
        }
    }
}
