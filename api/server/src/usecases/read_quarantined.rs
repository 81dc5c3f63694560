//! Reads one quarantined submission whole: what came, byte for byte where it cannot be read, why it waits, and what was
//! decided about it.

use super::authenticate::Authenticated;
use super::failure::Failure;
use super::list_quarantine::{self, SeenQuarantine};
use super::mask;
use super::push::outcome::Recorded;
use super::read_conflict::{SeenDecision, see_decisions};
use super::read_submissions::{Origin, names, parsed};
use super::reader::{Values, read_as};
use super::review::Reason;
use crate::state::App;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use muong_domain::form::Form;
use muong_domain::id::{DeviceId, QuarantineId, UserId};
use muong_store::{StoreError, decisions, quarantine, submissions};
use serde_json::Value;
use std::collections::HashMap;

/// What was sent.
#[derive(Clone, PartialEq, Debug)]
pub enum Content {
    /// JSON.
    Json(Value),
    /// No JSON that we read, but text.
    Text(String),
    /// Neither: base64.
    Bytes(String),
    /// Not to be shown: it cannot be read, so nobody can tell which of it is personal.
    Masked,
    /// Gone: whom it was about has been erased.
    Erased,
}

/// A quarantined submission with all that a decision needs.
#[derive(Clone, Debug)]
pub struct QuarantinedDetail {
    /// Where it waits, why and since when.
    pub seen: SeenQuarantine,
    /// What was sent.
    pub content: Content,
    /// From which device.
    pub device: DeviceId,
    /// When it was said, by the phone's clock.
    pub captured_at: Option<DateTime<Utc>>,
    /// Who pushed it.
    pub origin: Origin,
    /// How its release ended.
    pub released: Option<Recorded>,
    /// What was decided about it, the first first.
    pub decisions: Vec<SeenDecision>,
    /// What the people in it are called.
    pub names: HashMap<UserId, String>,
}

/// Reads it.
pub async fn read_quarantined(
    app: &App,
    who: &Authenticated,
    reason: Option<Reason>,
    id: QuarantineId,
) -> Result<QuarantinedDetail, Failure> {
    read_as(app, who, reason, move |snapshot, reader| {
        let outline = quarantine::outline(snapshot, id)?;
        let own = outline.as_ref().is_some_and(|outline| outline.author == reader.actor().user);
        if !own {
            // What somebody has sent stays theirs to see, also when they may read nothing else any more.
            reader.require_content()?;
        }
        let outline = outline.ok_or_else(|| Failure::refused("access.not_found"))?;
        let values = match own {
            true => Values::Whole,
            false => reader.sees_quarantined(outline.form.as_deref(), outline.unit)?,
        };
        let stored = quarantine::find(snapshot, id)?.ok_or_else(|| Failure::refused("access.not_found"))?;
        let form = stored.form.as_deref().and_then(|code| reader.form(code)).map(AsRef::as_ref);
        let submission = submissions::by_ids(snapshot, &[stored.submission])?.pop();
        let submission = submission.ok_or_else(|| StoreError::corrupt("a quarantine", "no submission"))?;
        let origin: Origin = parsed("an origin", submission.origin.as_bytes())?;
        let decided = decisions::about(snapshot, stored.id.uuid())?;
        let decisions = see_decisions(snapshot, decided, false)?;
        let people = [Some(stored.author), Some(origin.pushed_by), origin.on_behalf_of];
        let people = people.into_iter().flatten().chain(decisions.iter().map(|decision| decision.stored.actor));
        let names = names(snapshot, people.collect::<Vec<_>>())?;
        let released: Option<Recorded> =
            stored.outcome.as_deref().map(|outcome| parsed("a release", outcome)).transpose()?;
        let released = released.map(|released| if own { released.told_to_author() } else { released });
        let content = submission.told.map_or(Content::Erased, |told| content(form, &told.body, values));
        if let Content::Json(said) = &content {
            reader.note_value(&said["set"]);
        }
        Ok(QuarantinedDetail {
            content,
            device: submission.device,
            captured_at: submission.captured_at,
            origin,
            released: released.map(|released| mask::answer(form, released, values)),
            decisions,
            names,
            seen: list_quarantine::one(snapshot, reader, stored, values)?,
        })
    })
    .await
}

fn content(form: Option<&Form>, body: &[u8], values: Values) -> Content {
    // What is no object has no names by which the personal could be told from the rest.
    if let Some(said) = muong_domain::json::parse(body).ok().filter(|said| said.is_object() || values == Values::Whole)
    {
        return Content::Json(mask::submission(form, said, values));
    }
    if values == Values::Masked {
        return Content::Masked;
    }
    match std::str::from_utf8(body) {
        Ok(text) => Content::Text(text.to_owned()),
        Err(_) => Content::Bytes(STANDARD.encode(body)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_shown_as_it_came() {
        let shown = |body: &[u8]| content(None, body, Values::Whole);
        assert_eq!(shown(br#"{"n":1}"#), Content::Json(serde_json::json!({"n": 1})));
        assert_eq!(shown(br#"{"n":1,"n":2}"#), Content::Text(r#"{"n":1,"n":2}"#.to_owned()));
        assert_eq!(shown(b"\xff\x00"), Content::Bytes("/wA=".to_owned()));
    }

    #[test]
    fn what_cannot_be_read_is_not_shown_to_whoever_may_not_see_persons() {
        assert_eq!(content(None, br#"{"n":1,"n":2}"#, Values::Masked), Content::Masked);
        assert_eq!(content(None, br#"["id",1,{"full_name":{"to":"x"}}]"#, Values::Masked), Content::Masked);
        let said = br#"{"items":{"l":{"k":{"f":{"to":1}}}},"n":1,"set":{"full_name":{"to":"x"}}}"#;
        let Content::Json(masked) = content(None, said, Values::Masked) else { panic!("it is JSON") };
        assert_eq!(masked["set"]["full_name"], serde_json::json!({"masked": true}));
        assert_eq!(masked["items"]["l"]["k"]["f"], serde_json::json!({"masked": true}));
        assert_eq!(masked["n"], 1);
    }
}
