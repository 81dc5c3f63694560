//! One hash over what is there in a scope, by which a phone checks that it has the same: over kind, id and version of each
//! thing, never over contents.
//!
//! For each thing that is present, SHA-256 over the ASCII text `<kind> <id> <v>` (the id as RFC 4122 writes it, in lower
//! case; v in decimal; one space between, nothing after it); all of these hashes combined by XOR, byte by byte. So the
//! order does not matter, and a phone can keep it up to date: it takes a thing out by combining its old hash once more.

use crate::columns::Id;
use crate::connection::Connection;
use crate::error::StoreError;
use crate::schema::feed;
use crate::transaction::Reading;
use diesel::connection::DefaultLoadingMode;
use diesel::pg::PgRowByRowLoadingMode;
use diesel::prelude::*;
use muong_domain::id::UnitId;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What a scope holds, in short.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScopeHash {
    /// How many things are present.
    pub count: u64,
    /// Their combined hash.
    pub hash: [u8; 32],
}

impl ScopeHash {
    /// Puts a thing in, or takes out one that is in.
    pub fn toggle(&mut self, kind: &str, id: Uuid, v: i64) {
        let one = Sha256::digest(format!("{kind} {id} {v}"));
        self.hash.iter_mut().zip(one).for_each(|(byte, other)| *byte ^= other);
    }

    fn add(&mut self, row: (String, Id, i64)) {
        let (kind, id, v) = row;
        self.toggle(&kind, id.0, v);
        self.count += 1;
    }
}

/// The hash of one scope: one walk of its index, a row at a time.
pub fn scope_hash(read: &mut impl Reading, scope: UnitId) -> Result<ScopeHash, StoreError> {
    let rows = feed::table.filter(feed::scope.eq(Id::from(scope))).filter(feed::present).select((
        feed::kind,
        feed::id,
        feed::seq,
    ));
    let mut hash = ScopeHash::default();
    match read.conn() {
        Connection::Sqlite(c) => {
            for row in rows.load_iter::<(String, Id, i64), DefaultLoadingMode>(c)? {
                hash.add(row?);
            }
        }
        Connection::Postgres(c) => {
            for row in rows.load_iter::<(String, Id, i64), PgRowByRowLoadingMode>(c)? {
                hash.add(row?);
            }
        }
    }
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_order_nor_what_came_and_went_matters_but_every_part_of_a_thing_does() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let of = |things: &[(&str, Uuid, i64)]| {
            let mut hash = ScopeHash::default();
            things.iter().for_each(|(kind, id, v)| hash.toggle(kind, *id, *v));
            hash.hash
        };
        let both = of(&[("person", one, 3), ("person", two, 4)]);
        assert_eq!(both, of(&[("person", two, 4), ("unit", two, 9), ("person", one, 3), ("unit", two, 9)]));
        for other in [("person", one, 4), ("unit", one, 3), ("person", Uuid::from_u128(3), 3)] {
            assert_ne!(both, of(&[other, ("person", two, 4)]), "{other:?}");
        }
        let text = Sha256::digest("person 00000000-0000-0000-0000-000000000001 3");
        assert_eq!(of(&[("person", one, 3)]), <[u8; 32]>::from(text), "as a phone writes it");
    }
}
