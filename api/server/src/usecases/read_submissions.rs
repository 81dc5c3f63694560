//! Reads the submissions behind a record: who said what, when, by which clock, and how it was answered.

use super::authenticate::Authenticated;
use super::failure::Failure;
use super::mask;
use super::push::outcome::Recorded;
use super::read_record::find;
use super::reader::{Page, Values, one_more, read_as};
use super::review::Reason;
use crate::state::App;
use chrono::{DateTime, TimeDelta, Utc};
use muong_domain::form::Form;
use muong_domain::id::{RecordId, Seq, SubmissionId, UserId};
use muong_store::quarantine::{self, StoredQuarantine};
use muong_store::submissions::{self, StoredSubmission};
use muong_store::{Reading, StoreError, names, receipts, users};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Who pushed a submission, for whom, and by which clock.
#[derive(Clone, Debug, Deserialize)]
pub struct Origin {
    /// Who was signed in.
    pub pushed_by: UserId,
    /// On whose behalf.
    #[serde(default)]
    pub on_behalf_of: Option<UserId>,
    /// The client and its version.
    #[serde(default)]
    pub client: Option<String>,
    /// When the phone sent it, by its own clock.
    #[serde(default)]
    pub sent_at: Option<DateTime<Utc>>,
    /// The version of the form that was filled in.
    #[serde(default)]
    pub form_version: Option<i32>,
}

/// A submission as its reader may see it.
#[derive(Clone, Debug)]
pub struct SeenSubmission {
    /// The submission: its body never to be shown itself.
    pub stored: StoredSubmission,
    /// Who pushed it.
    pub origin: Origin,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// What it says, masked where it has to be; none where it cannot be read.
    pub said: Option<Value>,
    /// How it was answered.
    pub result: Recorded,
    /// How its release ended, when a reviewer let it in.
    pub released: Option<Recorded>,
}

impl SeenSubmission {
    /// By how much the phone's clock was behind when it sent this: add it to what the phone says.
    pub fn clock_offset(&self) -> Option<TimeDelta> {
        Some(self.received_at - self.origin.sent_at?)
    }
}

/// A page of submissions, and what the people in it are called.
#[derive(Clone, Debug)]
pub struct Submissions {
    /// The page.
    pub page: Page<SeenSubmission, Seq>,
    /// Names by user.
    pub names: HashMap<UserId, String>,
}

/// Reads them, in order of receipt.
pub async fn read_submissions(
    app: &App,
    who: &Authenticated,
    reason: Option<Reason>,
    record: RecordId,
    after: Seq,
    limit: usize,
) -> Result<Submissions, Failure> {
    read_as(app, who, reason, move |snapshot, reader| {
        let (stored, values) = find(snapshot, reader, record)?;
        reader.note_record(&stored, values);
        let known = names::by_unit(snapshot, stored.record.id)?;
        let found = submissions::of_record(snapshot, &known, after, one_more(limit))?;
        let page = Page::bounded(found, limit, |entry: &Seq| *entry);
        let form = reader.form(&stored.record.form).map(AsRef::as_ref);
        let found = submissions::at(snapshot, &page.items)?;
        let (items, next) = (see(snapshot, form, found, values)?, page.next);
        let names = names(snapshot, items.iter().flat_map(people))?;
        Ok(Submissions { page: Page { items, next }, names })
    })
    .await
}

/// Shows submissions of one form, in the order in which they are given.
pub fn see(
    read: &mut impl Reading,
    form: Option<&Form>,
    found: Vec<StoredSubmission>,
    values: Values,
) -> Result<Vec<SeenSubmission>, Failure> {
    let ids: Vec<SubmissionId> = found.iter().map(|submission| submission.id).collect();
    let waited: HashMap<SubmissionId, StoredQuarantine> =
        quarantine::of_submissions(read, &ids)?.into_iter().map(|waiting| (waiting.submission, waiting)).collect();
    let received = receipts::of(read, found.iter().map(|submission| submission.seq))?;
    let seen = found.into_iter().map(|stored| {
        let released = waited.get(&stored.id).and_then(|waiting| waiting.outcome.as_deref());
        let released = released.map(|outcome| parsed("a release", outcome)).transpose()?;
        let received_at = received.get(&stored.seq).copied();
        let said = stored.told.as_ref().and_then(|told| muong_domain::json::parse(&told.body).ok());
        let result = match &stored.told {
            Some(told) => mask::answer(form, parsed("a result", &told.result)?, values),
            None => {
                Recorded::new(stored.id, parsed("a status", json!(stored.status).to_string().as_bytes())?, stored.seq)
            }
        };
        Ok(SeenSubmission {
            origin: parsed("an origin", stored.origin.as_bytes())?,
            received_at: received_at.ok_or_else(|| StoreError::corrupt("a submission", "no entry of the log"))?,
            said: said.map(|said| mask::submission(form, said, values)),
            result,
            released: released.map(|released| mask::answer(form, released, values)),
            stored,
        })
    });
    seen.collect()
}

/// Everybody whom a submission names as having had a part in it.
pub fn people(seen: &SeenSubmission) -> impl Iterator<Item = UserId> {
    [Some(seen.stored.author), Some(seen.origin.pushed_by), seen.origin.on_behalf_of].into_iter().flatten()
}

/// What users are called.
pub fn names(
    read: &mut impl Reading,
    ids: impl IntoIterator<Item = UserId>,
) -> Result<HashMap<UserId, String>, StoreError> {
    let mut ids: Vec<UserId> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(users::names(read, &ids)?.into_iter().collect())
}

/// A JSON text of the store.
pub fn parsed<T: DeserializeOwned>(what: &'static str, text: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(text).map_err(|error| StoreError::corrupt(what, error))
}
