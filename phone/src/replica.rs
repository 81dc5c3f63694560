//! The local copy of what the server lets this phone see. Belongs to the server: nothing that is not in the outbox is said
//! here, and whatever is taken away here can be had again.

use crate::wire::{Message, Notice, Put};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// One thing, as it was last told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Thing {
    /// What it is.
    pub kind: String,
    /// Its last change.
    pub v: i64,
    /// In whose scope it is.
    pub unit: Option<Uuid>,
    /// What it says.
    pub data: Value,
    /// What is in dispute.
    pub open_conflicts: Vec<String>,
    /// The download that told of it last.
    download: u64,
}

/// Everything that was told.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Replica {
    things: BTreeMap<Uuid, Thing>,
    aliases: BTreeMap<Uuid, Uuid>,
    notices: Vec<Notice>,
    /// Counts downloads from the beginning; while one is under way, what it has not told of yet is still shown.
    download: u64,
    anew: bool,
}

impl Replica {
    /// A thing, by its id or an alias of it.
    pub fn thing(&self, id: Uuid) -> Option<&Thing> {
        self.things.get(&self.canonical(id))
    }

    /// Everything there is, by id.
    pub fn things(&self) -> impl Iterator<Item = (&Uuid, &Thing)> {
        self.things.iter()
    }

    /// The id that the server knows a record by.
    pub fn canonical(&self, id: Uuid) -> Uuid {
        self.aliases.get(&id).copied().unwrap_or(id)
    }

    /// Takes what the user is to be told.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// From now on everything is told from the beginning.
    pub(crate) fn begin_anew(&mut self) {
        self.download += 1;
        self.anew = true;
    }

    /// Everything has been told: what was not told in a download from the beginning is not there any more.
    pub(crate) fn complete(&mut self) {
        if std::mem::take(&mut self.anew) {
            let download = self.download;
            self.things.retain(|_, thing| thing.download == download);
        }
    }

    pub(crate) fn take(&mut self, message: Message) {
        match message {
            Message::Put(Put { kind, id, v, unit, data, open_conflicts }) => {
                let download = self.download;
                self.things.insert(id, Thing { kind, v, unit, data, open_conflicts, download });
            }
            Message::Tombstone { id } | Message::Purge { id } => drop(self.things.remove(&id)),
            Message::PurgeScope { unit } => self.things.retain(|_, thing| thing.unit != Some(unit)),
            Message::Alias { id, record } => {
                self.things.remove(&id);
                self.aliases.insert(id, record);
            }
            Message::Notice(notice) => self.notices.push(notice),
            Message::Unknown => {}
        }
    }
}
