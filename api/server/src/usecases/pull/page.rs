//! One page of a pull, within one snapshot: first the way to the scopes as they are now, and to the units as they are today,
//! then what has changed in them.

use super::cursor::{AsOf, Cursor, Cut, Moving, Scopes};
use super::hash::{Counting, Hash};
use super::message::{Message, Page};
use super::rows::{LevelOf, Purpose, Rows};
use super::sight::{Change, Had, Level, Sight};
use crate::usecases::reader::Reader;
use chrono::{DateTime, Utc};
use muong_domain::id::{Seq, UnitId, UserId};
use muong_domain::time::local_date;
use muong_store::feed::{self, FeedRow, Place};
use muong_store::grants::KnownGrant;
use muong_store::{Head, Snapshot, StoreError};

/// So many scopes are asked for together.
const TOGETHER: usize = 64;
/// Who sees more scopes than this reads all changes and leaves out what lies elsewhere.
const FEW: usize = 256;
/// How many rows of the feed, which are small, are read together: as few as this for a page that has little room, and as
/// many for one that has much.
const READ_TOGETHER: (usize, usize) = (100, 1_000);
/// How many of them are looked at together, with all that is told of them: as many records are in memory at once.
const LOOKED_AT: (usize, usize) = (10, 100);
/// After so many rows a request ends, whatever it has found: what nobody is told of may be without end.
const READ_AT_MOST: usize = 10_000;
/// Past everything in a scope.
const END: Seq = Seq(i64::MAX);

/// Somebody who pulls, at one moment.
pub struct Pulling<'a> {
    reader: &'a Reader,
    user: UserId,
    grants: &'a [KnownGrant],
    head: &'a Head,
    now: AsOf,
    sight: Sight<'a>,
    /// Where the phone stands; moves on with the page.
    pub cursor: Cursor,
    /// What it is told.
    pub page: Page,
    /// How many rows were read for it.
    read: usize,
}

/// Whether there is more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filled {
    /// The page is full, and something did not fit; or it has been looked at enough for one request.
    Full,
    /// That is all.
    All,
}

impl<'a> Pulling<'a> {
    /// Begins a page.
    pub fn begin(
        read: &mut Snapshot<'_>,
        reader: &'a Reader,
        (user, grants): (UserId, &'a [KnownGrant]),
        (head, at): (&'a Head, DateTime<Utc>),
        (cursor, limit): (Option<Cursor>, usize),
    ) -> Result<Self, StoreError> {
        let now = AsOf { seq: head.seq, at };
        let sight = Sight::as_of(read, reader.reference(), head, (user, grants), now)?;
        let cursor = cursor.unwrap_or_else(|| Cursor::fresh(head.epoch, now));
        Ok(Self { reader, user, grants, head, now, sight, cursor, page: Page::new(limit), read: 0 })
    }

    /// What the phone has once there is no more: none when it is too much to be counted.
    pub fn hash(&self, read: &mut Snapshot<'_>) -> Result<Option<Hash>, StoreError> {
        Counting::of(self.reader, &self.sight, self.grants).count(read, self.head.seq)
    }

    fn had(&self, read: &mut Snapshot<'_>, scopes: Option<Scopes>) -> Result<Had<'a>, StoreError> {
        Had::of(read, self.reader.reference(), self.head, (self.user, self.grants), scopes)
    }

    /// Fills the page.
    pub fn fill(&mut self, read: &mut Snapshot<'_>) -> Result<Filled, StoreError> {
        loop {
            if let Some(moving) = self.cursor.moving {
                if self.go(read, moving)? == Filled::Full {
                    return Ok(Filled::Full);
                }
                self.cursor.scopes = self.cursor.moving.take().map(|moved| moved.to);
            }
            if !self.has_other_scopes(read)? {
                break;
            }
            self.cursor.set_out(self.now);
        }
        self.cursor.scopes = Some(Scopes::whole(self.now));
        self.follow(read)
    }

    fn has_other_scopes(&self, read: &mut Snapshot<'_>) -> Result<bool, StoreError> {
        let now = Scopes::whole(self.now);
        let Some(scopes) = self.cursor.scopes.filter(|scopes| *scopes != now) else { return Ok(false) };
        Ok(!self.on_the_way(read, Some(scopes), &self.sight, self.now.at)?.is_empty())
    }

    /// What lies between the scopes that a phone has and those as of a moment, in order. A unit that is founded, called
    /// otherwise or dissolved from a day on is another on that day without anybody writing it: it is told again.
    fn on_the_way(
        &self,
        read: &mut Snapshot<'_>,
        scopes: Option<Scopes>,
        to: &Sight<'_>,
        at: DateTime<Utc>,
    ) -> Result<Vec<Change>, StoreError> {
        let mut changes = to.changes_from(&self.had(read, scopes)?, read)?;
        let Some(Scopes { as_of, .. }) = scopes else { return Ok(changes) };
        let turned = self.reader.reference().units.turned_between(local_date(as_of.at), local_date(at));
        if !turned.is_empty() {
            changes.extend(turned.into_iter().filter_map(|unit| Some(Change::of_unit(unit, to.level(unit)?))));
            // Of a scope of which more or less is seen, the unit is told with the rest.
            changes.sort_by_key(|change| change.scope);
            changes.dedup_by_key(|change| change.scope);
        }
        Ok(changes)
    }

    // --- the way to other scopes --------------------------------------------------------------------------

    /// Goes on from the scopes that the phone has to those of `moving`. What is not seen any more now is left out, and
    /// that is noted; the next way leads on from there.
    fn go(&mut self, read: &mut Snapshot<'_>, moving: Moving) -> Result<Filled, StoreError> {
        let to = Sight::as_of(read, self.reader.reference(), self.head, (self.user, self.grants), moving.to.as_of)?;
        let mut changes = self.on_the_way(read, self.cursor.scopes, &to, moving.to.as_of.at)?;
        if let Some(at) = moving.at {
            let is_left = |scope: uuid::Uuid| scope > at.scope || (scope == at.scope && at.seq != END);
            changes.retain(|change| is_left(change.scope.uuid()));
        }
        self.note_cut(read, moving.to, &changes)?;
        let begun =
            changes.first().copied().filter(|change| moving.at.is_some_and(|at| at.scope == change.scope.uuid()));
        if let (Some(begun), Some(at)) = (begun, moving.at) {
            changes.remove(0);
            if self.rest(read, &to, begun, at)? == Filled::Full {
                return Ok(Filled::Full);
            }
        }
        let mut left = changes.as_slice();
        while let Some(first) = left.first() {
            if first.takes() && self.tell(Message::PurgeScope(first.scope)) == Filled::Full {
                return Ok(Filled::Full);
            }
            // Together as far as nothing has to go in between, and as long as they are asked for alike.
            let whole = self.shown(&to, first) > Some(Level::Unit);
            let alike = |change: &Change| !change.takes() && (self.shown(&to, change) > Some(Level::Unit)) == whole;
            let more = left[1..].iter().take(TOGETHER - 1).take_while(|change| alike(change)).count();
            let (together, rest) = left.split_at(1 + more);
            self.arrive(Place { seq: Seq::ZERO, id: uuid::Uuid::nil(), scope: first.scope.uuid() });
            if self.several(read, &to, together, whole)? == Filled::Full {
                return Ok(Filled::Full);
            }
            left = rest;
        }
        Ok(Filled::All)
    }

    /// Notes whether less is seen now of what is left of the way than was known: the phone will lack that.
    fn note_cut(&mut self, read: &mut Snapshot<'_>, to: Scopes, left: &[Change]) -> Result<(), StoreError> {
        let known = self.had(read, Some(to))?;
        let lacks = |change: &Change| self.sight.level(change.scope) < known.least(change.scope).min(Some(change.told));
        let sees_less = left.iter().any(lacks);
        if let (true, Some(moving)) = (sees_less, &mut self.cursor.moving) {
            moving.to.cut = if to.cut == Cut::Nothing { Cut::AsOf(self.now) } else { Cut::Everything };
        }
        Ok(())
    }

    /// What is shown of a scope on the way: what was seen at its end, and is seen now, and has to be told.
    fn shown(&self, to: &Sight<'_>, change: &Change) -> Option<Level> {
        to.level(change.scope).min(self.sight.level(change.scope)).min(Some(change.told))
    }

    fn arrive(&mut self, place: Place) {
        if let Some(moving) = &mut self.cursor.moving {
            moving.at = Some(place);
        }
    }

    fn arrive_at_end(&mut self, scope: UnitId) {
        self.arrive(Place { scope: scope.uuid(), ..Place::after(END) });
    }

    /// Several scopes from their beginning.
    fn several(
        &mut self,
        read: &mut Snapshot<'_>,
        to: &Sight<'_>,
        scopes: &[Change],
        whole: bool,
    ) -> Result<Filled, StoreError> {
        let units: Vec<UnitId> =
            scopes.iter().filter(|change| self.shown(to, change).is_some()).map(|change| change.scope).collect();
        let (up_to, limit) = (self.cursor.complete(), self.together());
        let rows =
            if whole { feed::present_in(read, &units, up_to, limit)? } else { feed::units_among(read, &units, up_to)? };
        if self.backfill(read, to, &rows)? == Filled::Full {
            return Ok(Filled::Full);
        }
        if self.is_enough(rows.len()) {
            return Ok(Filled::Full);
        }
        let is_cut = whole && i64::try_from(rows.len()).is_ok_and(|found| found == limit);
        if let (true, Some(last)) = (is_cut, rows.last()) {
            let at = scopes.iter().position(|change| change.scope == last.scope).unwrap_or_default();
            if self.rest(read, to, scopes[at], Place::of(last))? == Filled::Full {
                return Ok(Filled::Full);
            }
            return if at + 1 < scopes.len() {
                self.several(read, to, &scopes[at + 1..], whole)
            } else {
                Ok(Filled::All)
            };
        }
        if let Some(last) = scopes.last() {
            self.arrive_at_end(last.scope);
        }
        Ok(Filled::All)
    }

    /// The rest of a scope.
    fn rest(
        &mut self,
        read: &mut Snapshot<'_>,
        to: &Sight<'_>,
        change: Change,
        mut at: Place,
    ) -> Result<Filled, StoreError> {
        match self.shown(to, &change) {
            None => {}
            Some(Level::Unit) => {
                let unit = if at.seq == Seq::ZERO { vec![change.scope] } else { Vec::new() };
                let rows = feed::units_among(read, &unit, self.cursor.complete())?;
                if self.backfill(read, to, &rows)? == Filled::Full {
                    return Ok(Filled::Full);
                }
            }
            Some(_) => loop {
                let limit = self.together();
                let rows = feed::rest_in(read, change.scope, at, self.cursor.complete(), limit)?;
                if self.backfill(read, to, &rows)? == Filled::Full {
                    return Ok(Filled::Full);
                }
                match rows.last() {
                    Some(_) if self.is_enough(rows.len()) => return Ok(Filled::Full),
                    Some(last) if i64::try_from(rows.len()).is_ok_and(|found| found == limit) => at = Place::of(last),
                    _ => break,
                }
            },
        }
        self.arrive_at_end(change.scope);
        Ok(Filled::All)
    }

    fn backfill(&mut self, read: &mut Snapshot<'_>, to: &Sight<'_>, rows: &[FeedRow]) -> Result<Filled, StoreError> {
        let mut rest = rows;
        let leads_to = self.cursor.moving.map_or(self.now.at, |moving| moving.to.as_of.at);
        let purpose = Purpose::Backfill(local_date(leads_to));
        while !rest.is_empty() {
            let (rows, later) = rest.split_at(rest.len().min(self.page.within(LOOKED_AT)));
            let told = {
                let level = |scope: UnitId| to.level(scope).min(self.sight.level(scope));
                let loaded = Rows::load(read, self.reader, self.grants, purpose, (rows, &level))?;
                messages(&loaded, rows, &level, &mut self.page)?
            };
            if let Some(last) = told.delivered {
                self.arrive(last);
            }
            if told.filled == Filled::Full {
                return Ok(Filled::Full);
            }
            rest = later;
        }
        Ok(Filled::All)
    }

    /// Whether so many rows more are more than one request may read. The next one goes on after them.
    fn is_enough(&mut self, rows: usize) -> bool {
        self.read += rows;
        self.read >= READ_AT_MOST
    }

    /// How many rows to read together.
    fn together(&self) -> i64 {
        i64::try_from(self.page.within(READ_TOGETHER)).unwrap_or(i64::MAX)
    }

    fn tell(&mut self, message: Message) -> Filled {
        if !self.page.fits(&message) {
            return Filled::Full;
        }
        self.page.put(message);
        Filled::All
    }

    // --- what has changed -----------------------------------------------------------------------------------

    fn follow(&mut self, read: &mut Snapshot<'_>) -> Result<Filled, StoreError> {
        if self.cursor.place == Place::after(self.head.seq) {
            return Ok(Filled::All);
        }
        let few = self.few_scopes(read)?;
        loop {
            let (limit, after) = (self.together(), self.cursor.place);
            let rows = match &few {
                Some(scopes) => feed::changed_in(read, scopes, after, limit)?,
                None => feed::changed(read, after, limit)?,
            };
            if self.changes(read, &rows)? == Filled::Full {
                return Ok(Filled::Full);
            }
            if i64::try_from(rows.len()).is_ok_and(|found| found < limit) {
                self.cursor.place = Place::after(self.head.seq);
                return Ok(Filled::All);
            }
            if self.is_enough(rows.len()) {
                return Ok(Filled::Full);
            }
        }
    }

    fn changes(&mut self, read: &mut Snapshot<'_>, rows: &[FeedRow]) -> Result<Filled, StoreError> {
        let mut rest = rows;
        while !rest.is_empty() {
            let (rows, later) = rest.split_at(rest.len().min(self.page.within(LOOKED_AT)));
            let told = {
                let level = |scope: UnitId| self.sight.level(scope);
                let loaded = Rows::load(read, self.reader, self.grants, Purpose::Follow, (rows, &level))?;
                messages(&loaded, rows, &level, &mut self.page)?
            };
            if let Some(last) = told.delivered {
                self.cursor.place = last;
            }
            if told.filled == Filled::Full {
                return Ok(Filled::Full);
            }
            rest = later;
        }
        Ok(Filled::All)
    }

    /// The scopes to ask for one by one; none when there are too many of them.
    fn few_scopes(&self, read: &mut Snapshot<'_>) -> Result<Option<Vec<UnitId>>, StoreError> {
        if self.sight.is_wide() {
            return Ok(None);
        }
        let scopes = self.sight.scopes(read)?;
        Ok((scopes.len() <= FEW).then(|| scopes.into_iter().collect()))
    }
}

/// What became of some rows.
struct Told {
    /// The last row that is done with.
    delivered: Option<Place>,
    filled: Filled,
}

/// Puts what is told of rows into the page, as far as it fits.
fn messages(loaded: &Rows<'_>, rows: &[FeedRow], level: &LevelOf<'_>, page: &mut Page) -> Result<Told, StoreError> {
    let mut delivered = None;
    for row in rows.iter().filter(|row| level(row.scope).is_some()) {
        if let Some(message) = loaded.message(row, level)? {
            if !page.fits(&message) {
                return Ok(Told { delivered, filled: Filled::Full });
            }
            loaded.note(&message, level);
            page.put(message);
        }
        delivered = Some(Place::of(row));
    }
    // Also what is not told is done with.
    Ok(Told { delivered: rows.last().map(Place::of), filled: Filled::All })
}
