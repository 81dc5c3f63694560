//! What a phone is told, and how much of it fits into one page. Holds codes, not texts; `http/pull.rs` gives it its form.

use crate::usecases::read_unit::SeenUnit;
use muong_domain::access::HeldGrant;
use muong_domain::form::Form;
use muong_domain::id::{RecordId, Seq, UnitId};
use serde_json::value::RawValue;
use std::sync::Arc;
use uuid::Uuid;

/// The most messages that a page holds.
pub const MOST: usize = 1_000;
/// The most bytes that a page holds, unless it is one message.
pub const MOST_BYTES: usize = 4 << 20;
/// What a message takes beside its data.
const FRAME: usize = 300;

/// One thing that a phone is told.
#[derive(Clone, Debug)]
pub enum Message {
    /// The current state of a record.
    Record(RecordState),
    /// A unit.
    Unit(SeenUnit, Seq),
    /// A published version of a form.
    Form(Uuid, Arc<Form>, Seq),
    /// A grant of one's own, whether it holds or not.
    Grant(HeldGrant, Seq),
    /// A record was withdrawn.
    Tombstone {
        /// The record.
        id: RecordId,
        /// Its unit.
        unit: UnitId,
        /// The entry.
        v: Seq,
    },
    /// Another id of a record, in the unit that it was used in.
    Alias {
        /// The other id.
        id: RecordId,
        /// The record.
        record: RecordId,
        /// The unit.
        unit: UnitId,
        /// The entry.
        v: Seq,
    },
    /// A record is seen no more: it has gone elsewhere, or whom it was about has been erased.
    Purge {
        /// The record.
        id: RecordId,
        /// The entry.
        v: Seq,
    },
    /// Everything of a unit is seen no more.
    PurgeScope(UnitId),
    /// Something was decided about what one has said.
    Notice {
        /// The submission or the record.
        about: Uuid,
        /// What.
        code: &'static str,
        /// The decided conflict, when it is about one.
        conflict: Option<Uuid>,
        /// The entry.
        v: Seq,
    },
}

/// The current state of a record, as its reader may see it.
#[derive(Clone, Debug)]
pub struct RecordState {
    /// Its canonical id.
    pub id: RecordId,
    /// Its form.
    pub form: String,
    /// Its unit.
    pub unit: UnitId,
    /// The entry that changed it last.
    pub v: Seq,
    /// The person whom it is about.
    pub subject: Option<RecordId>,
    /// What it says.
    pub data: Box<RawValue>,
    /// The paths that are in dispute.
    pub open_conflicts: Vec<String>,
}

impl Message {
    fn size(&self) -> usize {
        FRAME
            + match self {
                Self::Record(state) => {
                    state.data.get().len() + state.open_conflicts.iter().map(String::len).sum::<usize>()
                }
                Self::Unit(seen, _) => {
                    let names = seen.unit.versions.iter().map(|version| FRAME + version.name.len());
                    names.sum::<usize>() + seen.unit.codes.len() * FRAME
                }
                Self::Form(_, form, _) => form.definition_json().len(),
                Self::Notice { .. } => FRAME,
                _ => 0,
            }
    }
}

/// A page that is being filled.
#[derive(Debug)]
pub struct Page {
    room: usize,
    bytes: usize,
    /// What is in it.
    pub messages: Vec<Message>,
}

impl Page {
    /// For so many messages, and no more than [`MOST`].
    pub fn new(limit: usize) -> Self {
        Self { room: limit.min(MOST), bytes: MOST_BYTES, messages: Vec::new() }
    }

    /// As many as there is room for, and one more to see that it is full; within bounds.
    pub fn within(&self, (least, most): (usize, usize)) -> usize {
        (self.room + 1).clamp(least, most)
    }

    /// Whether another message fits, which may be of any size if it is the first.
    pub fn fits(&self, message: &Message) -> bool {
        self.messages.is_empty() || (self.room > 0 && message.size() <= self.bytes)
    }

    /// Puts in one that fits.
    pub fn put(&mut self, message: Message) {
        self.room = self.room.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(message.size());
        self.messages.push(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_bytes(bytes: usize) -> Message {
        let data = format!("\"{}\"", "x".repeat(bytes - FRAME - 2));
        Message::Record(RecordState {
            id: RecordId::new(Uuid::nil()),
            form: String::new(),
            unit: UnitId::new(Uuid::nil()),
            v: Seq::ZERO,
            subject: None,
            data: RawValue::from_string(data).unwrap(),
            open_conflicts: Vec::new(),
        })
    }

    #[test]
    fn a_page_ends_at_its_messages_or_at_its_bytes_and_holds_one_message_at_least() {
        let mut page = Page::new(2);
        for _ in 0..2 {
            assert!(page.fits(&of_bytes(1_000)));
            page.put(of_bytes(1_000));
        }
        assert!(!page.fits(&of_bytes(1_000)));
        let mut page = Page::new(usize::MAX);
        assert!(page.fits(&of_bytes(2 * MOST_BYTES)), "always one");
        page.put(of_bytes(MOST_BYTES - 400));
        assert!(!page.fits(&of_bytes(401)) && page.fits(&of_bytes(400)));
        page.put(of_bytes(400));
        assert!(!page.fits(&Message::PurgeScope(UnitId::new(Uuid::nil()))));
    }
}
