//! Where a list may look: below which units, and from which end the databases had better begin.

use muong_domain::id::UnitId;

/// The subtrees that one list may look into. Nothing outside them is ever read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    /// The tops of the subtrees.
    pub tops: Vec<UnitId>,
    /// Whether they hold only a small part of all units. Then a page begins at the units and sorts the little that
    /// they hold; otherwise it walks everything in order of id and soon has enough that lies inside. Neither database
    /// can tell by itself: the tops are bound values.
    pub narrow: bool,
}
