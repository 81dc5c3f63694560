//! A record: the merged current state of one meeting, person, step, … as sets of claims by path.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The unit of merging: a field, a group of fields, or one field of a keyed item.
///
/// Written `held_on`, `roll`, `issues/<key>/status`. Groups and fields share one name space (the form checks it).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Path(String);

impl Path {
    /// The path of a plain field or of a group.
    pub fn field(name: &str) -> Self {
        Self(name.to_owned())
    }
    /// The path of one field of one item of a list.
    pub fn item(list: &str, key: &str, field: &str) -> Self {
        Self(format!("{list}/{key}/{field}"))
    }
    /// The written form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// List, item key and field, when it is an item's path.
    pub fn as_item(&self) -> Option<(&str, &str, &str)> {
        let mut parts = self.0.splitn(3, '/');
        Some((parts.next()?, parts.next()?, parts.next()?))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
