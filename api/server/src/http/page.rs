//! One page of a list: where it begins, its shape on the wire, and the cursor that leads to the next one.
//!
//! A cursor is a position and a fingerprint of the list and its filters. It grants nothing: what a reader may see is
//! asked anew for each page, so there is no secret in it and no signature on it.

use super::error::Problem;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use muong_domain::id::Seq;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// Eight bytes tell lists apart well enough: they guard against a mistake, not against an attack.
const FINGERPRINT: usize = 8;

/// A list and its filters, as a cursor remembers them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    fingerprint: [u8; FINGERPRINT],
}

impl Cursor {
    /// Of a list (its path) with its filters.
    pub fn of(list: &str, filters: &BTreeMap<String, String>) -> Self {
        let text = serde_json::to_vec(&(list, filters)).expect("texts serialise");
        let hash: [u8; 32] = Sha256::digest(text).into();
        let mut fingerprint = [0; FINGERPRINT];
        fingerprint.copy_from_slice(&hash[..FINGERPRINT]);
        Self { fingerprint }
    }

    /// The cursor of a position in this list.
    pub fn written(&self, position: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode([&self.fingerprint, position].concat())
    }

    /// The position in a cursor of this list.
    pub fn position<T>(&self, cursor: &str, read: impl FnOnce(&[u8]) -> Option<T>) -> Result<T, Problem> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
        let position = bytes.strip_prefix(&self.fingerprint).and_then(read);
        position.ok_or_else(|| Problem::new("request.cursor_invalid"))
    }
}

/// Which page is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageAsked {
    /// At most so many items.
    pub limit: usize,
    /// After this position.
    pub after: Option<Uuid>,
    pub(super) list: Cursor,
}

impl PageAsked {
    /// The cursor of the next page.
    pub fn next(&self, last: Option<impl Into<Uuid>>) -> Option<String> {
        last.map(|last| self.list.written(last.into().as_bytes()))
    }

    /// The entry after which a list of entries goes on.
    pub fn after_seq(&self) -> Seq {
        let number = self.after.and_then(|position| i64::try_from(position.as_u128()).ok());
        Seq(number.unwrap_or_default())
    }
}

/// The position of an entry, for a list in the order of the log.
pub fn position_of(seq: Seq) -> Uuid {
    Uuid::from_u128(u128::try_from(seq.0).unwrap_or_default())
}

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub struct PageBody<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page: to be sent as `cursor` with the same filters. Null: there are no more.
    #[schema(example = "k3J5c2VjcmV0IQGZ0qRvXnwRmlI_bRwLjnI")]
    pub next: Option<String>,
}
