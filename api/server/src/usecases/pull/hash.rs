//! What a phone has when it has everything, as one number, by which it finds out that its copy is spoiled. Counts what a
//! bootstrap would tell, without opening any of it.

use super::rows::{is_record, shows};
use super::sight::{Level, Sight};
use crate::usecases::reader::Reader;
use muong_domain::id::{GrantId, RecordId, Seq, UnitId, derived};
use muong_store::feed::{self, FeedRow, Place};
use muong_store::grants::KnownGrant;
use muong_store::standing::{Standing, standing};
use muong_store::{Snapshot, StoreError, names};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// Of whoever sees more rows than this no hash is made.
pub const MOST: usize = 50_000;
/// Units are hashed one by one up to this number.
const MOST_UNITS: usize = 256;
/// So many scopes are asked for together, and so many rows.
const TOGETHER: usize = 64;
const READ_TOGETHER: usize = 1_000;
const LIMIT: i64 = 1_000;

/// The digests of some things, in whatever order, as one: the bits in which an odd number of them has a one.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Sum(pub [u8; 32]);

impl Sum {
    fn add(&mut self, thing: &str) {
        let digest: [u8; 32] = Sha256::digest(thing).into();
        for (sum, byte) in self.0.iter_mut().zip(digest) {
            *sum ^= byte;
        }
    }
}

/// The hash of all that somebody sees.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Hash {
    /// Of everything.
    pub all: Sum,
    /// How many things.
    pub things: u64,
    /// Of what lies in each unit; none when there are too many of them.
    pub units: Option<BTreeMap<UnitId, Sum>>,
}

/// Somebody whose things are counted.
pub struct Counting<'a> {
    reader: &'a Reader,
    sight: &'a Sight<'a>,
    grants: HashSet<GrantId>,
    forms: HashSet<Uuid>,
    rows: usize,
    hash: Hash,
}

impl<'a> Counting<'a> {
    /// Of what is seen by somebody as of the snapshot in which it is counted.
    pub fn of(reader: &'a Reader, sight: &'a Sight<'a>, grants: &[KnownGrant]) -> Self {
        let forms = reader.reference().catalog.iter();
        Self {
            reader,
            sight,
            grants: grants.iter().map(|known| known.held.id).collect(),
            forms: forms
                .map(|form| derived("form", &[form.code().as_bytes(), &form.version().to_be_bytes()]))
                .collect(),
            rows: 0,
            hash: Hash { units: Some(BTreeMap::new()), ..Hash::default() },
        }
    }

    /// Counts everything; none when it is too much.
    pub fn count(mut self, read: &mut Snapshot<'_>, head: Seq) -> Result<Option<Hash>, StoreError> {
        let scopes: Vec<UnitId> = self.sight.scopes(read)?.into_iter().collect();
        let is_whole = |scope: &UnitId| self.sight.level(*scope) > Some(Level::Unit);
        let (whole, units): (Vec<UnitId>, Vec<UnitId>) = scopes.into_iter().partition(is_whole);
        // Before any of it is read: who sees too much is told so at once.
        if feed::counted_in(read, &whole, MOST as i64)? > MOST as i64 {
            return Ok(None);
        }
        for chunk in units.chunks(READ_TOGETHER) {
            let rows = feed::units_among(read, chunk, head)?;
            self.add(read, &rows)?;
        }
        let mut left = whole.as_slice();
        while !left.is_empty() && self.rows <= MOST {
            let (together, later) = left.split_at(left.len().min(TOGETHER));
            let rows = feed::present_in(read, together, head, LIMIT)?;
            self.add(read, &rows)?;
            left = match rows.last().filter(|_| is_full(&rows)) {
                None => later,
                Some(last) => {
                    self.add_rest(read, last, head)?;
                    &left[together.partition_point(|scope| *scope <= last.scope)..]
                }
            };
        }
        Ok((self.rows <= MOST).then_some(self.hash))
    }

    /// What follows a row in its scope.
    fn add_rest(&mut self, read: &mut Snapshot<'_>, row: &FeedRow, head: Seq) -> Result<(), StoreError> {
        let mut after = Place::of(row);
        while self.rows <= MOST {
            let rows = feed::rest_in(read, row.scope, after, head, LIMIT)?;
            self.add(read, &rows)?;
            match rows.last().filter(|_| is_full(&rows)) {
                Some(last) => after = Place::of(last),
                None => break,
            }
        }
        Ok(())
    }

    fn add(&mut self, read: &mut Snapshot<'_>, rows: &[FeedRow]) -> Result<(), StoreError> {
        self.rows += rows.len();
        let aliases: Vec<RecordId> =
            rows.iter().filter(|row| row.kind == feed::ALIAS).map(|row| RecordId::new(row.id)).collect();
        let aliases: HashMap<(RecordId, UnitId), RecordId> =
            names::aliases(read, &aliases)?.into_iter().map(|(alias, unit, record)| ((alias, unit), record)).collect();
        let mut ids: Vec<RecordId> =
            rows.iter().filter(|row| is_record(&row.kind)).map(|row| RecordId::new(row.id)).collect();
        ids.extend(aliases.values());
        ids.sort_unstable();
        ids.dedup();
        let records: HashMap<RecordId, Standing> =
            standing(read, &ids)?.into_iter().map(|record| (record.id, record)).collect();
        for row in rows {
            if let Some((unit, thing)) = self.thing(row, &aliases, &records) {
                self.put(unit, &thing);
            }
        }
        Ok(())
    }

    /// As the API describes it: what is counted of a row, and in which unit.
    fn thing(
        &self,
        row: &FeedRow,
        aliases: &HashMap<(RecordId, UnitId), RecordId>,
        records: &HashMap<RecordId, Standing>,
    ) -> Option<(Option<UnitId>, String)> {
        let FeedRow { id, scope, kind, seq, .. } = row;
        let held = |id: &RecordId| records.get(id).filter(|record| self.has(record));
        match kind.as_str() {
            feed::UNIT => {
                self.reader.reference().units.get(*scope)?;
                Some((Some(*scope), format!("unit {scope} {seq}")))
            }
            feed::FORM => self.forms.contains(id).then(|| (None, format!("form {id} {seq}"))),
            feed::GRANT => self.grants.contains(&GrantId::new(*id)).then(|| (None, format!("grant {id} {seq}"))),
            feed::QUARANTINE | feed::CONFLICT => None,
            feed::ALIAS => {
                let record =
                    held(aliases.get(&(RecordId::new(*id), *scope))?).filter(|record| record.unit == *scope)?;
                Some((Some(*scope), format!("alias {id} {scope} {}", record.id)))
            }
            _ => {
                let record = held(&RecordId::new(*id)).filter(|record| record.unit == *scope)?;
                Some((Some(*scope), format!("{} {id} {}", record.form, record.version)))
            }
        }
    }

    fn has(&self, record: &Standing) -> bool {
        record.is_there && shows(self.reader, &record.form, self.sight.level(record.unit))
    }

    fn put(&mut self, unit: Option<UnitId>, thing: &str) {
        self.hash.all.add(thing);
        self.hash.things += 1;
        if let (Some(units), Some(unit)) = (&mut self.hash.units, unit) {
            units.entry(unit).or_default().add(thing);
            if units.len() > MOST_UNITS {
                self.hash.units = None;
            }
        }
    }
}

fn is_full(rows: &[FeedRow]) -> bool {
    rows.len() == READ_TOGETHER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_does_not_matter_and_what_is_added_twice_is_gone() {
        let of = |things: &[&str]| {
            let mut sum = Sum::default();
            things.iter().for_each(|thing| sum.add(thing));
            sum
        };
        assert_eq!(of(&["a", "b", "c"]), of(&["c", "a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["a", "c"]));
        assert_eq!(of(&["a", "b", "a"]), of(&["b"]));
        // The SHA-256 of "abc", as FIPS 180-2 has it.
        assert_eq!(of(&["abc"]).0[..4], [0xba, 0x78, 0x16, 0xbf]);
    }
}
