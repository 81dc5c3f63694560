//! The order of a list that goes by ids: ids are made in the order of time, so it is that of adding, from either end.

use crate::columns::Id;
use uuid::Uuid;

/// From which end such a list goes, and after which one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ById<T> {
    /// From the newest back.
    pub newest_first: bool,
    /// After this one.
    pub after: Option<T>,
}

impl<T: Into<Uuid>> ById<T> {
    /// What ids must lie between; neither end is anybody's.
    pub(crate) fn between(self) -> (Id, Id) {
        let after = self.after.map(Into::into);
        match self.newest_first {
            false => (Id(after.unwrap_or(Uuid::nil())), Id(Uuid::max())),
            true => (Id(Uuid::nil()), Id(after.unwrap_or(Uuid::max()))),
        }
    }
}
