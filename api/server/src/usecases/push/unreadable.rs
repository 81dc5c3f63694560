//! Why an item cannot be read as a submission, as a finding: the place, what is missing, unknown or expected there.
//! Knows the members of the envelope and their types; never quotes a value.

use muong_domain::json::{self, IJsonError, Misshapen};
use muong_domain::refusal::Finding;
use muong_domain::validate::escaped;
use serde_path_to_error::{Error, Path, Segment};

/// The longest name that is quoted, in characters.
const MAX_NAME: usize = 64;

/// Of bytes that are not I-JSON.
pub fn unreadable(error: &IJsonError) -> Finding {
    match error {
        IJsonError::NotIJson(reason) => Finding::new("submission.not_ijson", "").with("reason", reason.as_str()),
        IJsonError::TooDeep => Finding::new("submission.too_deep", "").with("max", json::MAX_DEPTH),
        IJsonError::Nul => Finding::new("submission.nul_character", ""),
    }
}

/// Of JSON that is not a submission.
pub fn misshapen(error: &Error<Misshapen>) -> Finding {
    let at = pointer(error.path());
    match error.inner() {
        Misshapen::Missing(name) => {
            Finding::new("submission.member_missing", format!("{at}/{name}")).with("member", *name)
        }
        Misshapen::Unknown { name, .. } => {
            let (member, last) = (name.chars().take(MAX_NAME).collect::<String>(), format!("/{}", escaped(name)));
            let pointer = if at.ends_with(&last) { at } else { at + &last };
            Finding::new("submission.member_unknown", pointer).with("member", member)
        }
        Misshapen::Other(_) => malformed(at),
    }
}

/// Of a member whose value cannot stand there.
pub fn malformed(pointer: impl Into<String>) -> Finding {
    let pointer = pointer.into();
    let expected = expected(&pointer);
    Finding::new("submission.malformed", pointer).with("expected", expected)
}

/// What stands at a place of the envelope, as a word of the catalogue.
fn expected(pointer: &str) -> &'static str {
    let mut names = pointer.split('/').skip(1);
    match (names.next().unwrap_or_default(), names.next().unwrap_or_default()) {
        ("id" | "record" | "unit" | "author" | "on_behalf_of", _) | ("base", "epoch" | "after") => "reference",
        ("replaces", "") => "list_of_references",
        ("replaces", _) => "reference",
        ("n", _) => "number_from_one",
        ("form_version", _) | ("base", "v") => "integer",
        ("kind", _) => "kind_of_submission",
        ("form", _) => "text",
        ("captured_at", _) => "captured_at",
        ("after_lost", _) => "boolean",
        ("set" | "items", member) if !member.is_empty() => "changes",
        _ => "object",
    }
}

fn pointer(path: &Path) -> String {
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } => format!("{pointer}/{}", escaped(key)),
        Segment::Enum { .. } | Segment::Unknown => pointer,
    })
}
