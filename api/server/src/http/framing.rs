//! The frame of a push: items are cut out of the body as raw slices before any of them is read, so that a bad one never
//! blocks its neighbours. Knows nothing of what an item says.

use super::body;
use super::error::Problem;
use super::push::SubmissionBody;
use crate::config::Limits;
use crate::usecases::push::said::{Raw, YEARS, is_of_our_time};
use chrono::{DateTime, FixedOffset};
use muong_domain::refusal::Finding;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use utoipa::ToSchema;
use uuid::Uuid;

/// The version of the protocol that this server speaks.
pub(super) const PROTOCOL: u32 = 1;
/// The longest name of a client, in bytes.
pub(super) const MAX_CLIENT: usize = 200;

/// A batch of submissions.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Push, example = json!({
    "protocol": 1, "device": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e77", "client": "muong-web/1.0",
    "sent_at": "2026-03-09T02:11:00Z",
    "submissions": [{
        "id": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e01", "n": 41, "kind": "create", "form": "branch_meeting",
        "form_version": 1, "record": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e02",
        "unit": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e72", "captured_at": "2026-03-05T21:20:00+07:00",
        "set": {"period": {"to": "2026-03"}, "type": {"to": "regular"}, "held": {"to": true}}
    }]
}))]
pub struct PushBody<'a> {
    /// Always 1.
    protocol: u32,
    /// The device of the session: who pushes numbers its submissions.
    device: Uuid,
    /// The client and its version.
    #[serde(default)]
    client: Option<String>,
    /// When the phone sent it, by its own clock: its offset is measured from this.
    #[serde(default)]
    sent_at: Option<DateTime<FixedOffset>>,
    /// The submissions, in order.
    #[serde(borrow)]
    #[schema(value_type = Vec<SubmissionBody>)]
    submissions: Items<'a>,
}

/// The most items that are held of one body, whatever the limits say: an item may be a byte long.
const MOST_ITEMS: usize = 10_000;

/// Items as they came; of too many, only how many.
struct Items<'a> {
    raw: Vec<&'a RawValue>,
    count: usize,
}

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ItemsReader)
    }
}

struct ItemsReader;

impl<'de> Visitor<'de> for ItemsReader {
    type Value = Items<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Items<'de>, A::Error> {
        let (mut raw, mut count) = (Vec::new(), 0);
        while count < MOST_ITEMS {
            let Some(item) = items.next_element()? else { return Ok(Items { raw, count }) };
            raw.push(item);
            count += 1;
        }
        while items.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Items { raw, count })
    }
}

/// The frame of a push and its items as the bytes that came. What is not UTF-8 inside an item is that item's fault:
/// the frame is then read from a copy of the same length in which such bytes are question marks.
pub fn frame(body: &[u8], limits: &Limits) -> Result<(Frame, Vec<Raw>), Problem> {
    let shadow = shadow(body);
    let PushBody { protocol, device, client, sent_at, submissions } = body::parse_borrowed(&shadow)?;
    if protocol != PROTOCOL {
        return Err(Problem::new("request.protocol_unsupported").with("found", protocol).with("supported", PROTOCOL));
    }
    let limit = limits.submissions.min(MOST_ITEMS);
    if submissions.count > limit {
        let problem = Problem::new("request.too_many_submissions").with("found", submissions.count);
        return Err(problem.with("limit", limit));
    }
    if client.as_ref().is_some_and(|client| client.len() > MAX_CLIENT || client.contains('\0')) {
        let finding = Finding::new("request.client_invalid", "/client").with("max", MAX_CLIENT);
        return Err(body::malformed(finding));
    }
    if sent_at.is_some_and(|at| !is_of_our_time(&at.to_utc())) {
        let finding = Finding::new("request.sent_at_implausible", "/sent_at");
        return Err(body::malformed(finding.with("first", *YEARS.start()).with("last", *YEARS.end())));
    }
    let start = shadow.as_ptr() as usize;
    let slice = |raw: &&RawValue| {
        let from = raw.get().as_ptr() as usize - start;
        Raw::from(&body[from..from + raw.get().len()])
    };
    let items = submissions.raw.iter().map(slice).collect();
    Ok((Frame { device, client, sent_at }, items))
}

/// What a push says of itself.
#[derive(Debug)]
pub struct Frame {
    /// The device that it names.
    pub device: Uuid,
    /// Its client and version.
    pub client: Option<String>,
    /// When the phone sent it, by its own clock.
    pub sent_at: Option<DateTime<FixedOffset>>,
}

fn shadow(body: &[u8]) -> Cow<'_, [u8]> {
    if std::str::from_utf8(body).is_ok() {
        return Cow::Borrowed(body);
    }
    let mut shadow = Vec::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        shadow.extend_from_slice(chunk.valid().as_bytes());
        shadow.resize(shadow.len() + chunk.invalid().len(), b'?');
    }
    Cow::Owned(shadow)
}
