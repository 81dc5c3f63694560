//! How a working set is written back: everything once, in as few statements as there are tables.

use super::{CARD, WorkingSet};
use muong_domain::access::Grant;
use muong_domain::id::{RecordId, Seq, UnitId};
use muong_domain::record::Record;
use muong_store::feed::{Before, FeedRow};
use muong_store::quarantine::StoredQuarantine;
use muong_store::records::{RecordChange, StoredRecord};
use muong_store::relocation::relocate;
use muong_store::{StoreError, Tx, conflicts, feed, names, quarantine, records, submissions};
use std::sync::Arc;
use uuid::Uuid;

impl WorkingSet {
    /// Writes everything back.
    pub fn flush(mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let written = std::mem::take(&mut self.written);
        submissions::insert(tx, written.submissions)?;
        let mut aliases: Vec<FeedRow> =
            written.aliases.iter().map(|(alias, unit, _, v)| row(alias.uuid(), *unit, feed::ALIAS, *v, true)).collect();
        let mut stamps = Vec::with_capacity(written.records.len());
        let mut changes = Vec::with_capacity(written.records.len());
        let left = written.relocation.as_ref().map(|relocation| relocation.from);
        let forms = |id: &RecordId| self.records.get(id).map(|stored| stored.record.form.clone());
        let named: Vec<(FeedRow, Before)> = (written.named.iter())
            .filter_map(|(name, v)| Some((row(name.0.uuid(), name.1, &forms(&name.0)?, *v, false), Before::Absent)))
            .collect();
        stamps.extend(named);
        for (id, grant) in written.records {
            let Some(stored) = self.records.remove(&id) else { continue };
            let Record { unit, form, version, .. } = &stored.record;
            let before = self.fed.get(&id).copied().unwrap_or(Before::Nothing);
            let stamp = |scope, present, before| (row(id.uuid(), scope, form, *version, present), before);
            match left {
                None => stamps.push(stamp(*unit, stored.live, before)),
                // Where it comes to there may be a row that it has left.
                Some(left) => {
                    stamps.push(stamp(left, false, before));
                    stamps.push(stamp(*unit, stored.live, Before::Absent));
                }
            }
            changes.push(self.change(grant, Arc::unwrap_or_clone(stored)));
        }
        if let Some(relocation) = &written.relocation {
            let (v, to) = (tx.head().seq, relocation.to);
            let known = relocate(tx, relocation, v)?;
            aliases.extend(known.into_iter().map(|alias| row(alias.uuid(), to, feed::ALIAS, v, true)));
        }
        records::save(tx, &written.rekeyed.into_iter().collect::<Vec<_>>(), changes)?;
        names::insert_aliases(tx, &written.aliases)?;
        names::leave(tx, &written.named)?;
        conflicts::save(tx, &written.conflicts.into_values().collect::<Vec<_>>())?;
        let waiting: Vec<StoredQuarantine> =
            written.quarantine.iter().filter_map(|id| self.quarantine.remove(id)).collect();
        quarantine::save(tx, &waiting)?;
        let cards: Vec<_> = written.cards.into_iter().map(|(record, (grant, card))| (grant, record, card)).collect();
        records::hold(tx, CARD, &cards)?;
        feed::stamp(tx, aliases)?;
        feed::stamp_records(tx, stamps)
    }

    fn change(&self, grant: Grant, stored: StoredRecord) -> RecordChange {
        let form = self.reference.catalog.newest(&stored.record.form);
        let (open, personal) = stored.record.to_documents(|path| form.is_none_or(|form| form.is_personal(path)));
        RecordChange { grant, stored, open, personal }
    }
}

fn row(id: Uuid, scope: UnitId, kind: &str, seq: Seq, present: bool) -> FeedRow {
    FeedRow { id, scope, kind: kind.to_owned(), seq, present }
}
