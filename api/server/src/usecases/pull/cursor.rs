//! The cursor of a phone: where it stands in the feed, as of when its scopes were computed, and how far a backfill has come.
//!
//! Opaque to the phone, of a bounded size whatever it may see, and tagged by the store: one that was made elsewhere, for
//! another user, or changed on the way, is known as such. It grants nothing: what may be seen is asked anew for each page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use muong_domain::id::{Seq, UserId};
use muong_store::feed::Place;
use muong_store::{Reading, StoreError, seal};
use uuid::Uuid;

/// What the tag is for.
const PURPOSE: &str = "pull cursor";
/// How many bytes of the tag are kept: a guess is right once in 2¹²⁸.
const TAG: usize = 16;
/// The first byte: how the rest is written.
const FORMAT: u8 = 2;
/// No cursor is longer, in characters.
pub const LONGEST: usize = 256;

/// The last entry at a moment, and the moment: what somebody might see then can be asked again later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AsOf {
    /// The entry.
    pub seq: Seq,
    /// The moment.
    pub at: DateTime<Utc>,
}

/// What was left out on a way because less was seen by then than at the moment to which the way leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// Nothing.
    Nothing,
    /// At most what was not seen as of another moment.
    AsOf(AsOf),
    /// Less was seen again and again: perhaps everything but what is always seen.
    Everything,
}

/// Scopes as of a moment, of which the phone may lack what was cut. More than was seen at that moment it does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scopes {
    /// The moment.
    pub as_of: AsOf,
    /// What is lacking.
    pub cut: Cut,
}

impl Scopes {
    /// All that is seen at a moment.
    pub const fn whole(as_of: AsOf) -> Self {
        Self { as_of, cut: Cut::Nothing }
    }

    /// The newest entry that it is of.
    pub fn newest(&self) -> Seq {
        match self.cut {
            Cut::AsOf(cut) => self.as_of.seq.max(cut.seq),
            Cut::Nothing | Cut::Everything => self.as_of.seq,
        }
    }
}

/// How far the way from some scopes to others has come: scopes in order of id, the rows of each in order of the feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moving {
    /// The scopes that the way leads to.
    pub to: Scopes,
    /// The last row of a scope that was delivered; none before the first scope.
    pub at: Option<Place>,
}

/// Where a phone stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// In which history.
    pub epoch: Uuid,
    /// The last row of the feed that was delivered.
    pub place: Place,
    /// The scopes whose rows up to `place` it has; none: it has none yet.
    pub scopes: Option<Scopes>,
    /// On its way to other scopes.
    pub moving: Option<Moving>,
}

impl Cursor {
    /// Of a phone that has nothing: it gets what is there as of now, and from then on the feed.
    pub fn fresh(epoch: Uuid, now: AsOf) -> Self {
        let moving = Some(Moving { to: Scopes::whole(now), at: None });
        Self { epoch, place: Place::after(now.seq), scopes: None, moving }
    }

    /// The last entry of which it has everything.
    pub fn complete(&self) -> Seq {
        if self.place == Place::after(self.place.seq) { self.place.seq } else { Seq(self.place.seq.0 - 1) }
    }

    /// The newest entry that it is of.
    pub fn newest(&self) -> Seq {
        let scopes = [self.scopes, self.moving.map(|moving| moving.to)];
        scopes.iter().flatten().map(Scopes::newest).fold(self.place.seq, Seq::max)
    }

    /// Begins a way to the scopes as of now. What was delivered of an unfinished entry is delivered again afterwards.
    pub fn set_out(&mut self, to: AsOf) {
        self.place = Place::after(self.complete());
        self.moving = Some(Moving { to: Scopes::whole(to), at: None });
    }

    /// As the phone keeps it.
    pub fn written(&self, read: &mut impl Reading, user: UserId) -> Result<String, StoreError> {
        let mut bytes = self.bytes();
        let tag = tag(read, user, &bytes)?;
        bytes.extend_from_slice(&tag);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// As a phone gave it back; none when it is not one that this user was given.
    pub fn read(read: &mut impl Reading, user: UserId, text: &str) -> Result<Option<Self>, StoreError> {
        let decoded = (text.len() <= LONGEST).then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten();
        let Some((bytes, given)) = decoded.as_deref().and_then(|bytes| bytes.split_last_chunk::<TAG>()) else {
            return Ok(None);
        };
        // In constant time: how much of a tag was right must not show.
        let differs = tag(read, user, bytes)?.iter().zip(given).fold(0, |differs, (a, b)| differs | (a ^ b));
        Ok((differs == 0).then(|| Self::parse(bytes)).flatten())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(self.epoch.as_bytes());
        write_place(&mut bytes, Some(self.place));
        write_scopes(&mut bytes, self.scopes);
        write_scopes(&mut bytes, self.moving.map(|moving| moving.to));
        if let Some(moving) = self.moving {
            write_place(&mut bytes, moving.at);
        }
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        let [FORMAT] = rest.take()? else { return None };
        let epoch = Uuid::from_bytes(rest.take()?);
        let place = rest.place()??;
        let scopes = rest.scopes()?;
        let to = rest.scopes()?;
        let moving = match to {
            Some(to) => Some(Moving { to, at: rest.place()? }),
            None => None,
        };
        rest.0.is_empty().then_some(Self { epoch, place, scopes, moving })
    }
}

fn tag(read: &mut impl Reading, user: UserId, bytes: &[u8]) -> Result<[u8; TAG], StoreError> {
    let tagged = seal::tag(read, PURPOSE, &[user.uuid().as_bytes(), bytes].concat())?;
    let mut tag = [0; TAG];
    tag.copy_from_slice(&tagged[..TAG]);
    Ok(tag)
}

fn write_scopes(bytes: &mut Vec<u8>, scopes: Option<Scopes>) {
    let Some(Scopes { as_of, cut }) = scopes else { return bytes.push(0) };
    let (kind, cut) = match cut {
        Cut::Nothing => (1, None),
        Cut::AsOf(cut) => (2, Some(cut)),
        Cut::Everything => (3, None),
    };
    bytes.push(kind);
    for AsOf { seq, at } in [Some(as_of), cut].into_iter().flatten() {
        write_number(bytes, seq.0);
        write_number(bytes, at.timestamp_micros());
    }
}

/// Seven bits a byte, the lowest first, all but the last with the eighth set (LEB128): entries are small numbers, and the
/// cursor travels both ways with each pull.
fn write_number(bytes: &mut Vec<u8>, number: i64) {
    let mut left = number.cast_unsigned();
    while left >= 0x80 {
        bytes.push(0x80 | (left & 0x7f) as u8);
        left >>= 7;
    }
    bytes.push(left as u8);
}

/// Most stand after a whole entry: those are written short.
fn write_place(bytes: &mut Vec<u8>, place: Option<Place>) {
    let Some(place) = place else { return bytes.push(0) };
    let whole = place == Place::after(place.seq);
    bytes.push(if whole { 1 } else { 2 });
    write_number(bytes, place.seq.0);
    if !whole {
        bytes.extend_from_slice(place.id.as_bytes());
        bytes.extend_from_slice(place.scope.as_bytes());
    }
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    /// None also where it is longer than a number can be.
    fn number(&mut self) -> Option<i64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.take()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number.cast_signed());
            }
        }
        None
    }

    fn seq(&mut self) -> Option<Seq> {
        self.number().map(Seq)
    }

    fn as_of(&mut self) -> Option<AsOf> {
        let seq = self.seq()?;
        let at = DateTime::from_timestamp_micros(self.number()?)?;
        Some(AsOf { seq, at })
    }

    fn scopes(&mut self) -> Option<Option<Scopes>> {
        let [kind] = self.take()?;
        if kind == 0 {
            return Some(None);
        }
        let as_of = self.as_of()?;
        let cut = match kind {
            1 => Cut::Nothing,
            2 => Cut::AsOf(self.as_of()?),
            3 => Cut::Everything,
            _ => return None,
        };
        Some(Some(Scopes { as_of, cut }))
    }

    fn place(&mut self) -> Option<Option<Place>> {
        match self.take()? {
            [0] => Some(None),
            [1] => Some(Some(Place::after(self.seq()?))),
            [2] => {
                let seq = self.seq()?;
                let (id, scope) = (Uuid::from_bytes(self.take()?), Uuid::from_bytes(self.take()?));
                Some(Some(Place { seq, id, scope }))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_of(seq: i64) -> AsOf {
        AsOf { seq: Seq(seq), at: DateTime::UNIX_EPOCH + chrono::TimeDelta::microseconds(seq) }
    }

    #[test]
    fn what_is_written_is_read_again_and_never_longer_than_said() {
        let within = Place { seq: Seq(7), id: Uuid::from_u128(1), scope: Uuid::from_u128(2) };
        let latest = as_of(i64::MAX / 1_000_000);
        let cuts = [Cut::Nothing, Cut::AsOf(latest), Cut::Everything];
        let scopes = || [None].into_iter().chain(cuts.map(|cut| Some(Scopes { as_of: latest, cut })));
        let ways = [None, Some(within), Some(Place::after(Seq(9)))];
        let moving = || scopes().flat_map(|to| ways.map(|at| to.map(|to| Moving { to, at })));
        for (place, scopes, moving) in [Place::after(Seq(7)), within]
            .into_iter()
            .flat_map(|place| scopes().flat_map(move |scopes| moving().map(move |moving| (place, scopes, moving))))
        {
            let cursor = Cursor { epoch: Uuid::from_u128(3), place, scopes, moving };
            let bytes = cursor.bytes();
            assert_eq!(Cursor::parse(&bytes), Some(cursor));
            assert!((bytes.len() + TAG).div_ceil(3) * 4 <= LONGEST, "{}", bytes.len());
            for cut in 0..bytes.len() {
                assert_eq!(Cursor::parse(&bytes[..cut]), None);
            }
            assert_eq!(Cursor::parse(&[bytes.as_slice(), &[0]].concat()), None);
        }
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be_and_never_without_end() {
        for (number, length) in [(0, 1), (127, 1), (128, 2), (1_000_000, 3), (1 << 49, 8), (i64::MAX, 9), (-1, 10)] {
            let mut bytes = Vec::new();
            write_number(&mut bytes, number);
            assert_eq!((bytes.len(), Rest(&bytes).number()), (length, Some(number)));
        }
        assert_eq!(Rest(&[0x80; 11]).number(), None);
        let here = AsOf { seq: Seq(900_000), at: DateTime::from_timestamp(1_800_000_000, 0).unwrap() };
        let place = Place::after(here.seq);
        let usual = Cursor { epoch: Uuid::nil(), place, scopes: Some(Scopes::whole(here)), moving: None };
        assert_eq!(usual.bytes().len(), 34, "of the usual cursor, before its tag");
    }

    #[test]
    fn an_entry_of_which_something_is_missing_is_not_complete() {
        let mut cursor = Cursor::fresh(Uuid::nil(), as_of(7));
        assert_eq!(cursor.complete(), Seq(7));
        cursor.place = Place { seq: Seq(9), id: Uuid::nil(), scope: Uuid::nil() };
        assert_eq!(cursor.complete(), Seq(8));
        cursor.set_out(as_of(10));
        assert_eq!(cursor.place, Place::after(Seq(8)));
    }
}
