//! Where JSON is not of the type that is asked for, and what is wrong there. Never quotes a value, which may be personal.

use muong_domain::json::Misshapen;
use muong_domain::validate::escaped;
use serde_path_to_error::{Path, Segment};

/// The longest name that is quoted, in characters.
const MAX_NAME: usize = 64;

/// One place that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misfit {
    /// The place: a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong at a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A member of this name must be there.
    Missing(String),
    /// Nobody knows a member of this name.
    Unknown(String),
    /// The value is none that may stand there.
    Value,
}

impl Misfit {
    /// What a reader stumbled over.
    pub fn of<E: Into<Misshapen>>(error: serde_path_to_error::Error<E>) -> Self {
        let at = pointer(error.path());
        match error.into_inner().into() {
            Misshapen::Missing(name) => {
                Self { pointer: format!("{at}/{}", escaped(&name)), fault: Fault::Missing(name.into_owned()) }
            }
            Misshapen::Unknown(name) => {
                // Some readers have the name in the path already.
                let last = format!("/{}", escaped(&name));
                let pointer = if at.ends_with(&last) { at } else { at + &last };
                Self { pointer, fault: Fault::Unknown(name.chars().take(MAX_NAME).collect()) }
            }
            Misshapen::Other(_) => Self { pointer: at, fault: Fault::Value },
        }
    }
}

fn pointer(path: &Path) -> String {
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } => format!("{pointer}/{}", escaped(key)),
        Segment::Enum { .. } | Segment::Unknown => pointer,
    })
}
