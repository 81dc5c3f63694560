//! What comes over the wire, as far as a phone looks at it. Unknown members and unknown kinds of messages are passed over:
//! a server may tell more than a phone knows.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The answer to a push.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Pushed {
    /// Which history of the store this is.
    pub epoch: Uuid,
    /// One result a submission, in order.
    pub results: Vec<PushResult>,
}

/// The answer to one submission.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct PushResult {
    /// The submission.
    pub id: Uuid,
    /// `accepted`, `merged`, `conflict`, `duplicate`, `rejected`, `forbidden` or `deferred`.
    pub status: String,
    /// The canonical record.
    #[serde(default)]
    pub record: Option<Uuid>,
    /// The entry of the log that recorded it.
    #[serde(default)]
    pub v: Option<i64>,
    /// Of a duplicate: how it was answered first.
    #[serde(default)]
    pub original: Option<Box<PushResult>>,
    /// Of a duplicate: whom it was about has been erased.
    #[serde(default)]
    pub erased: bool,
    /// Where it waits for a reviewer.
    #[serde(default)]
    pub quarantine: Option<Uuid>,
    /// Why it was not merged, for the user to read.
    #[serde(default)]
    pub errors: Vec<Value>,
}

/// The answer to a pull: a page, or the word to begin anew.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(try_from = "Either")]
pub enum Pulled {
    /// Begin anew.
    Reset {
        /// Why.
        reset: Reset,
    },
    /// A page.
    Page(Page),
}

/// The members of both, so that pages, which are the most that a phone reads, are read once: of an untagged enum everything
/// is buffered first.
#[derive(Deserialize)]
struct Either {
    reset: Option<Reset>,
    epoch: Option<Uuid>,
    cursor: Option<String>,
    more: Option<bool>,
    #[serde(default)]
    durable_before: i64,
    messages: Option<Vec<Message>>,
    hash: Option<Hash>,
}

impl TryFrom<Either> for Pulled {
    type Error = &'static str;

    fn try_from(either: Either) -> Result<Self, Self::Error> {
        match either {
            Either { reset: Some(reset), .. } => Ok(Self::Reset { reset }),
            Either {
                epoch: Some(epoch),
                cursor: Some(cursor),
                more: Some(more),
                durable_before,
                messages: Some(messages),
                hash,
                ..
            } => Ok(Self::Page(Page { epoch, cursor, more, durable_before, messages, hash })),
            _ => Err("neither a page nor a reset"),
        }
    }
}

/// Why to begin anew.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Reset {
    /// `epoch`, `compacted` or `ahead`.
    pub reason: String,
}

/// A page of what has changed.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Page {
    /// Which history of the store this is.
    pub epoch: Uuid,
    /// Where the next page begins.
    pub cursor: String,
    /// Whether there is more already.
    pub more: bool,
    /// What was acknowledged below this stands in a backup.
    #[serde(default)]
    pub durable_before: i64,
    /// What has changed.
    pub messages: Vec<Message>,
    /// What the phone should have now, if it asked for that and the server tells.
    #[serde(default)]
    pub hash: Option<Hash>,
}

/// What the phone should have, or has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hash {
    /// The XOR of the SHA-256 of every thing, in hexadecimal.
    pub all: String,
    /// How many things that are.
    pub things: u64,
    /// The same of what lies in each unit, which tells where a copy is spoiled; a server leaves it out of very many.
    #[serde(default)]
    pub units: Option<BTreeMap<Uuid, String>>,
}

/// One message of a page.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Message {
    /// A thing as it is now.
    Put(Put),
    /// A record was withdrawn.
    Tombstone {
        /// Which.
        id: Uuid,
    },
    /// An id that the phone made up stands for another record.
    Alias {
        /// The phone's.
        id: Uuid,
        /// The record's.
        record: Uuid,
        /// In which unit: elsewhere the same id may be a record.
        unit: Uuid,
    },
    /// No longer to be seen: to be forgotten here.
    Purge {
        /// Which.
        id: Uuid,
    },
    /// Nothing of this unit is to be seen any longer.
    PurgeScope {
        /// Which.
        unit: Uuid,
    },
    /// Something to tell the user.
    Notice(Notice),
    /// Something that a newer server tells.
    #[serde(other)]
    Unknown,
}

/// A thing as it is now.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Put {
    /// What it is: a form's code, `unit`, `form`, `grant` …
    pub kind: String,
    /// Which.
    pub id: Uuid,
    /// Its last change.
    pub v: i64,
    /// In whose scope it is; none: everybody's.
    #[serde(default)]
    pub unit: Option<Uuid>,
    /// What it says.
    #[serde(default)]
    pub data: Value,
    /// What is in dispute.
    #[serde(default)]
    pub open_conflicts: Vec<String>,
}

/// Something to tell the user.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// About which submission or record.
    pub about: Uuid,
    /// What.
    pub code: String,
    /// The decided conflict, when it is about one.
    #[serde(default)]
    pub conflict: Option<Uuid>,
    /// The entry of the log that decided it.
    pub v: i64,
}

/// An error of a whole request (RFC 9457).
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
pub struct Problem {
    /// The stable code.
    #[serde(default)]
    pub code: String,
}
