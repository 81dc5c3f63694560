//! Why an item cannot be read as a submission, as a finding: the place, what is missing, unknown or expected there.
//! Knows the members of the envelope and their types; never quotes a value.

use crate::shape::{Fault, Misfit};
use muong_domain::json::{self, IJsonError, Misshapen};
use muong_domain::refusal::Finding;
use serde_path_to_error::Error;

/// Of bytes that are not I-JSON.
pub fn unreadable(error: &IJsonError) -> Finding {
    match error {
        IJsonError::NotIJson(reason) => Finding::new("submission.not_ijson", "").with("reason", reason.as_str()),
        IJsonError::TooDeep => Finding::new("submission.too_deep", "").with("max", json::MAX_DEPTH),
        IJsonError::Nul => Finding::new("submission.nul_character", ""),
    }
}

/// Of JSON that is not a submission.
pub fn misshapen(error: Error<Misshapen>) -> Finding {
    let Misfit { pointer, fault } = Misfit::of(error);
    match fault {
        Fault::Missing(member) => Finding::new("submission.member_missing", pointer).with("member", member),
        Fault::Unknown(member) => Finding::new("submission.member_unknown", pointer).with("member", member),
        Fault::Value => malformed(pointer),
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
