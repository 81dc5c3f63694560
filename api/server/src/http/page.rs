//! Lists in pages: the limit, the opaque cursor, and the stated reason. A cursor belongs to one list with one filter.

use super::error::Problem;
use crate::usecases::review::Reason;
use actix_web::HttpRequest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use muong_domain::refusal::Finding;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How many items a page holds unless it is said.
const DEFAULT_LIMIT: usize = 50;
/// How many it may hold.
const MAX_LIMIT: usize = 500;
/// How many bytes of the filter's hash stand in a cursor: a mix-up is to be noticed, nothing is protected by it.
const TAG: usize = 8;

/// A list with its filter: what a cursor belongs to.
pub struct Listing([u8; TAG]);

impl Listing {
    /// The list behind this request: its path and every parameter but cursor and limit.
    pub fn of(request: &HttpRequest) -> Self {
        let mut parts: Vec<&str> = (request.query_string().split('&'))
            .filter(|part| !part.starts_with("cursor=") && !part.starts_with("limit="))
            .collect();
        parts.sort_unstable();
        let hash = Sha256::digest(format!("{}?{}", request.path(), parts.join("&")));
        let mut tag = [0; TAG];
        tag.copy_from_slice(&hash[..TAG]);
        Self(tag)
    }

    /// The position that a cursor of this list stands for.
    pub fn position<T: std::str::FromStr>(&self, cursor: Option<&str>) -> Result<Option<T>, Problem> {
        let Some(cursor) = cursor else { return Ok(None) };
        let invalid =
            || Problem::new("request.cursor_invalid").findings([Finding::new("request.cursor_invalid", "/cursor")]);
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
        let position = bytes.strip_prefix(&self.0).ok_or_else(invalid)?;
        let text = std::str::from_utf8(position).map_err(|_| invalid())?;
        text.parse().map(Some).map_err(|_| invalid())
    }

    /// The answer: the items, and the cursor of the next page when there is one.
    pub fn answer(&self, items: Vec<Value>, next: Option<impl ToString>) -> Value {
        let cursor = next.map(|position| {
            let mut bytes = self.0.to_vec();
            bytes.extend_from_slice(position.to_string().as_bytes());
            URL_SAFE_NO_PAD.encode(bytes)
        });
        json!({"items": items, "next": cursor})
    }
}

/// The limit of a page, within bounds.
pub fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) { Ok(limit) } else { Err(invalid("limit")) }
}

/// A parameter that cannot be.
pub fn invalid(parameter: &str) -> Problem {
    Problem::new("request.query_invalid").findings([Finding::new("request.query_invalid", format!("/{parameter}"))])
}

/// Whether the reader states a reason (`x-reason`, percent-encoded UTF-8) that says something.
pub fn with_reason(request: &HttpRequest) -> bool {
    let stated = request.headers().get("x-reason").and_then(|value| percent_decoded(value.as_bytes()));
    stated.is_some_and(|text| Reason::parse(&text).is_some())
}

/// RFC 3986 §2.1, over UTF-8; none when it is not that.
fn percent_decoded(encoded: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}
