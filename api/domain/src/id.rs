//! Typed identifiers and sequence numbers. Knows nothing of what they name.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! typed_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that is known to name this kind of thing.
            pub const fn new(id: Uuid) -> Self { Self(id) }
            /// The bare UUID, for storage and display.
            pub const fn uuid(self) -> Uuid { self.0 }
        }
        impl From<Uuid> for $name { fn from(id: Uuid) -> Self { Self(id) } }
        impl From<$name> for Uuid { fn from(id: $name) -> Self { id.0 } }
        impl fmt::Display for $name { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) } }
        impl fmt::Debug for $name { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, concat!(stringify!($name), "({})"), self.0) } }
        impl FromStr for $name { type Err = uuid::Error; fn from_str(s: &str) -> Result<Self, Self::Err> { Uuid::parse_str(s).map(Self) } }
    )+};
}

typed_id! {
    /// A person who signs in.
    UserId,
    /// One installation of a client; the writer of a numbered stream of submissions.
    DeviceId,
    /// A family of refresh tokens: one sign-in on one device.
    SessionId,
    /// An organisational unit; never changes, whatever its name, parent or code become.
    UnitId,
    /// A role given to a user over a unit's subtree for a time.
    GrantId,
    /// A record: a meeting, a person, a step …
    RecordId,
    /// One thing that a phone says.
    SubmissionId,
    /// An open or closed question about one path of one record.
    ConflictId,
    /// A submission that waits, whole, for a reviewer.
    QuarantineId,
}

/// The namespace of every identifier that muong derives (UUIDv5, RFC 9562 §5.5) rather than receives.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d75_6f6e_675f_6d75_8f6e_675f_6d75_6f6e);

/// A deterministic identifier from its parts, so that a replay of the log derives the same one.
pub fn derived(kind: &str, parts: &[&[u8]]) -> Uuid {
    let mut name = Vec::with_capacity(64);
    name.extend_from_slice(kind.as_bytes());
    for part in parts {
        name.push(0);
        name.extend_from_slice(part);
    }
    Uuid::new_v5(&NAMESPACE, &name)
}

/// A position in the log: dense, starting at 1; 0 is before everything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub i64);

impl Seq {
    /// Before the first entry.
    pub const ZERO: Self = Self(0);
    /// The entry after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
