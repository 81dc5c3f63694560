//! Grants as they have been: which entry gave each, which changed it, and the ends that it had before.

use super::GrantRow;
use crate::columns::{Id, Instant};
use crate::error::StoreError;
use crate::schema::grants;
use crate::transaction::{Reading, Tx};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use muong_domain::access::HeldGrant;
use muong_domain::id::{GrantId, Seq, UserId};

/// An end that a grant had since an entry; none: it was open.
pub type EndSince = (Seq, Option<DateTime<Utc>>);

/// A grant, and the entries that gave it and changed it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownGrant {
    /// The grant as it is now.
    pub held: HeldGrant,
    /// The entry that gave it.
    pub given: Seq,
    /// The entry that changed it last: that gave it, or set an end to it.
    pub changed: Seq,
    /// The ends that it had before that, each since the entry that set it, the earliest first. Of what is older than this
    /// column nothing is known: it counts as open.
    pub earlier: Vec<EndSince>,
}

impl KnownGrant {
    /// The grant as it was after an entry; none before it was given. Whether it held then depends on the clock of then,
    /// unless it had been ended at once by the entry or one before: an end by a date may have come, and the clock have been
    /// put right since, before another end was set.
    pub fn as_of(&self, seq: Seq) -> Option<HeldGrant> {
        if seq < self.given {
            return None;
        }
        if self.changed <= seq {
            return Some(self.held.clone());
        }
        let valid_to = self.earlier.iter().rev().find(|(since, _)| *since <= seq).and_then(|(_, end)| *end);
        Some(HeldGrant { valid_to, ended: false, ..self.held.clone() })
    }
}

/// Every grant that a user holds, held or will hold, with its history.
pub fn known_of_user(r: &mut impl Reading, user: UserId) -> Result<Vec<KnownGrant>, StoreError> {
    type Row = (GrantRow, i64, i64, Option<String>);
    let rows: Vec<Row> = on_backend!(r.conn(), c => grants::table
        .filter(grants::user_id.eq(Id::from(user)))
        .order((grants::valid_from, grants::id))
        .select((GrantRow::as_select(), grants::given_seq, grants::seq, grants::earlier_ends))
        .load(c))?;
    let known = |(row, given, changed, earlier): Row| {
        let (given, changed, earlier) = (Seq(given), Seq(changed), read_ends(earlier.as_deref())?);
        Ok(KnownGrant { held: row.try_into()?, given, changed, earlier })
    };
    rows.into_iter().map(known).collect()
}

/// As the column keeps them; none: it has never been changed.
fn read_ends(text: Option<&str>) -> Result<Vec<EndSince>, StoreError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    serde_json::from_str(text).map_err(|error| StoreError::corrupt("earlier ends of a grant", error))
}

/// The ends that a grant has had until now, as the column keeps them; none of one that is new.
pub(super) fn ends_until_now(tx: &mut Tx<'_>, id: GrantId) -> Result<Option<String>, StoreError> {
    let row: Option<(i64, Option<Instant>, Option<String>)> = on_backend!(tx.conn(), c => grants::table
        .find(Id::from(id))
        .select((grants::seq, grants::valid_to, grants::earlier_ends))
        .first(c)
        .optional())?;
    let Some((seq, valid_to, earlier)) = row else { return Ok(None) };
    let mut ends = read_ends(earlier.as_deref())?;
    ends.push((Seq(seq), valid_to.map(|at| at.0)));
    let text = serde_json::to_string(&ends).map_err(|error| StoreError::corrupt("ends of a grant", error))?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::super::give::tests::{day, held};
    use super::*;
    use chrono::TimeDelta;
    use muong_domain::access::Role;

    #[test]
    fn a_grant_is_known_as_it_was_after_each_entry() {
        let ended = HeldGrant { ended: true, ..held(Role::Cadre, 2, 0, Some(3)) };
        let earlier = vec![(Seq(4), Some(day(9))), (Seq(6), Some(day(7)))];
        let known = KnownGrant { held: ended.clone(), given: Seq(4), changed: Seq(8), earlier };
        let until = |to| Some(held(Role::Cadre, 2, 0, Some(to)));
        let was = [3, 4, 5, 6, 7, 8, 9].map(|seq| known.as_of(Seq(seq)));
        assert_eq!(was, [None, until(9), until(9), until(7), until(7), Some(ended.clone()), Some(ended)]);
        let of_before = KnownGrant { earlier: Vec::new(), ..known };
        assert_eq!(of_before.as_of(Seq(7)), Some(held(Role::Cadre, 2, 0, None)), "nobody knows");
    }

    #[test]
    fn earlier_ends_are_read_as_they_were_written() {
        let ends = vec![(Seq(4), None), (Seq(6), Some(day(7) + TimeDelta::microseconds(1)))];
        let text = serde_json::to_string(&ends).unwrap();
        assert_eq!(read_ends(Some(&text)).unwrap(), ends);
        assert!(read_ends(None).unwrap().is_empty());
        assert!(read_ends(Some("[4]")).is_err());
    }
}
