//! The phone itself: what to do next, and what an answer means. One request at a time: pushes until nothing waits, then
//! pulls until there is no more.

use crate::draft::Draft;
use crate::outbox::{Batch, Outbox, TooLarge};
use crate::replica::Replica;
use crate::retry::{Backoff, Moment};
use crate::wire::{Page, Problem, Pulled, Pushed};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// The most that goes into one push, below what `GET /v1/sync/limits` allows.
const BATCH: Batch = Batch { count: 500, bytes: 900 * 1024 };
/// The most messages of one page, unless another number is said.
const PAGE: u32 = 500;

/// What to do now.
#[derive(Clone, PartialEq, Debug)]
pub enum Next {
    /// Post this, then tell how it went.
    Ask(Request),
    /// Nothing, for so many milliseconds.
    Wait(u64),
    /// The access token is not believed (any more): get another, then [`Phone::signed_in`].
    SignIn,
    /// Another phone goes by this device's numbers: register as another device, then [`Phone::registered`].
    Register,
    /// All is said and all is known: [`Phone::wake`] begins the next round.
    Rest,
    /// The server does not understand this phone, and repeating it would not help: the user has to be told. Nothing is lost.
    Stuck(String),
}

/// A request.
#[derive(Clone, PartialEq, Debug)]
pub enum Request {
    /// A push of these submissions.
    Push {
        /// Whose answers are expected.
        ids: Vec<Uuid>,
        /// The body.
        body: Value,
    },
    /// A pull.
    Pull {
        /// The body.
        body: Value,
    },
}

impl Request {
    /// Where it goes.
    pub fn path(&self) -> &'static str {
        match self {
            Self::Push { .. } => "/v1/sync/push",
            Self::Pull { .. } => "/v1/sync/pull",
        }
    }

    /// What is sent.
    pub fn body(&self) -> &Value {
        match self {
            Self::Push { body, .. } | Self::Pull { body } => body,
        }
    }

    /// States when it is sent, by the phone's own clock (RFC 3339): the server measures by it how far that clock is off.
    #[must_use]
    pub fn sent_at(mut self, instant: &str) -> Self {
        if let Self::Push { body, .. } = &mut self {
            body["sent_at"] = json!(instant);
        }
        self
    }

    /// Lets a pull wait for so many seconds, at most 25, for something new. A push is answered at once all the same.
    #[must_use]
    pub fn waiting(mut self, seconds: u16) -> Self {
        if let Self::Pull { body } = &mut self {
            body["wait_s"] = json!(seconds);
        }
        self
    }
}

/// What stands in the way of the next request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Obstacle {
    SignIn,
    Register,
    Stuck(String),
}

/// A phone.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Phone {
    device: Uuid,
    client: String,
    outbox: Outbox,
    replica: Replica,
    epoch: Option<Uuid>,
    cursor: Option<String>,
    /// Whether there may be something new to pull.
    stale: bool,
    /// Whether to ask what should be here.
    #[serde(default)]
    check: bool,
    batch: Batch,
    /// The most messages of one page.
    #[serde(default = "usual_page")]
    page: u32,
    backoff: Backoff,
    /// From when the server would not go on from the cursor until it does again: when to begin once more.
    #[serde(default)]
    anew: Option<Backoff>,
    obstacle: Option<Obstacle>,
}

impl Phone {
    /// A phone that knows nothing yet, as the device that it signed in on.
    pub fn new(device: Uuid, client: &str) -> Self {
        Self {
            device,
            client: client.to_owned(),
            outbox: Outbox::default(),
            replica: Replica::default(),
            epoch: None,
            cursor: None,
            stale: true,
            check: false,
            batch: BATCH,
            page: PAGE,
            backoff: Backoff::default(),
            anew: None,
            obstacle: None,
        }
    }

    /// It asks for pages of at most so many messages; 500 unless said, and a server gives no more than 1,000. On a bad link
    /// fewer: of a page that is cut off nothing is kept.
    #[must_use]
    pub fn with_pages_of(self, messages: u32) -> Self {
        Self { page: messages, ..self }
    }

    /// Its device has numbered so many submissions before, without this phone: a number that is used twice would be taken for
    /// a clone's.
    #[must_use]
    pub fn numbered_up_to(mut self, n: i64) -> Self {
        self.outbox.number_after(n);
        self
    }

    /// The device that it goes by.
    pub fn device(&self) -> Uuid {
        self.device
    }

    /// What has been said here.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// What the server lets this phone see.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// The same, to take notices out of it.
    pub fn replica_mut(&mut self) -> &mut Replica {
        &mut self.replica
    }

    /// Says something, under an id that was made for it. Of a record that stands here it tells what its author had seen.
    pub fn say(&mut self, id: Uuid, draft: Draft) -> Result<(), TooLarge> {
        let draft = if draft.is_create() || draft.0.contains_key("base") { draft } else { self.with_base(draft) };
        self.outbox.add(id, draft)
    }

    fn with_base(&self, draft: Draft) -> Draft {
        let (Some(record), Some(unit)) = (draft.record(), draft.unit()) else { return draft };
        // In the history in which it was told: the phone may have heard of another one since.
        let seen = self.replica.thing_in(unit, record).map(|thing| (thing.epoch, thing.v));
        let mut base = match (seen, self.epoch) {
            (Some((epoch, v)), _) => json!({"epoch": epoch, "v": v}),
            (None, Some(epoch)) => json!({"epoch": epoch, "v": null}),
            (None, None) => json!({"v": null}),
        };
        match self.outbox.last_unseen_of(record, seen.map(|(_, v)| v)) {
            Some(after) => base["after"] = json!(after),
            None if seen.is_none() => return draft,
            None => {}
        }
        draft.with("base", base)
    }

    /// Begins another round: what was deferred is sent again, and what is new is asked for.
    pub fn wake(&mut self, moment: Moment) {
        self.outbox.retry_deferred(moment.now_ms);
        self.stale = true;
        if matches!(self.obstacle, Some(Obstacle::Stuck(_))) {
            self.obstacle = None;
        }
    }

    /// Has the next round compare what is here with what the server says should be; once a day is enough. A copy that is
    /// spoiled is downloaded anew.
    pub fn check(&mut self) {
        (self.check, self.stale) = (true, true);
    }

    /// There is an access token again.
    pub fn signed_in(&mut self) {
        self.obstacle = None;
    }

    /// It is another device now. What it said keeps its ids, so nothing is doubled.
    pub fn registered(&mut self, device: Uuid) {
        self.device = device;
        self.outbox.renumber();
        self.obstacle = None;
    }

    /// Lets go of what it holds, outbox and copy, and goes on with its numbers and from its cursor. Whether it did: while
    /// something has not been recorded, it keeps everything. For simulations of more phones than there is room for: a phone
    /// in somebody's hand never does this, since it could say nothing again after a restore, and show nothing.
    #[must_use]
    pub fn let_go(&mut self) -> bool {
        let is_settled = self.outbox.is_settled();
        if is_settled {
            self.outbox.let_go();
            self.replica = Replica::default();
        }
        is_settled
    }

    /// What to do.
    pub fn next(&self, moment: Moment) -> Next {
        match &self.obstacle {
            Some(Obstacle::SignIn) => return Next::SignIn,
            Some(Obstacle::Register) => return Next::Register,
            Some(Obstacle::Stuck(code)) => return Next::Stuck(code.clone()),
            None => {}
        }
        if let Some(wait) = self.backoff.wait_ms(moment) {
            return Next::Wait(wait);
        }
        if self.outbox.has_waiting() {
            let (ids, submissions) = self.outbox.batch(self.batch);
            let body = json!({"protocol": 1, "device": self.device, "client": self.client, "submissions": submissions});
            return Next::Ask(Request::Push { ids, body });
        }
        if self.stale {
            if let Some(wait) = self.anew.as_ref().and_then(|anew| anew.wait_ms(moment)) {
                return Next::Wait(wait);
            }
            let mut body = json!({"cursor": self.cursor, "limit": self.page});
            if self.check {
                body["hash"] = json!(true);
            }
            return Next::Ask(Request::Pull { body });
        }
        Next::Rest
    }

    /// No answer came: it may have been received or not, and is sent again as it is.
    pub fn failed(&mut self, moment: Moment) {
        self.backoff.failed(moment, None);
    }

    /// An answer came, with the seconds of `Retry-After` if it had any.
    pub fn answered(
        &mut self,
        request: &Request,
        status: u16,
        retry_after_s: Option<u64>,
        body: &[u8],
        moment: Moment,
    ) {
        match (status, request) {
            (200, Request::Push { .. }) => match serde_json::from_slice(body) {
                Ok(pushed) => self.pushed(pushed, moment),
                Err(_cut_off) => self.failed(moment),
            },
            (200, Request::Pull { .. }) => match serde_json::from_slice(body) {
                Ok(pulled) => self.pulled(pulled, moment),
                Err(_cut_off) => self.failed(moment),
            },
            (401, _) => self.obstacle = Some(Obstacle::SignIn),
            (409, Request::Push { .. }) => self.obstacle = Some(Obstacle::Register),
            (413, Request::Push { ids, .. }) if ids.len() > 1 => self.batch.count = ids.len() / 2,
            (400, Request::Pull { .. }) if self.cursor.is_some() && code(body) == "request.cursor_invalid" => {
                self.give_up_cursor(moment);
            }
            (408 | 409 | 429 | 500.., _) => self.backoff.failed(moment, retry_after_s),
            _ => self.obstacle = Some(Obstacle::Stuck(code(body))),
        }
    }

    fn pushed(&mut self, pushed: Pushed, moment: Moment) {
        self.backoff.succeeded();
        // Slowly: where something between allows less than the server, each step too far costs a push.
        self.batch.count = (self.batch.count + self.batch.count / 8 + 1).min(BATCH.count);
        // First: what is answered now belongs to the new history already.
        self.live_in(pushed.epoch);
        self.outbox.settle(pushed.results, moment.now_ms);
        self.stale = true;
    }

    fn pulled(&mut self, pulled: Pulled, moment: Moment) {
        self.backoff.succeeded();
        let Page { epoch, cursor, more, durable_before, messages, hash } = match pulled {
            Pulled::Page(page) => page,
            Pulled::Reset { reset: _ } => {
                self.give_up_cursor(moment);
                return;
            }
        };
        // The cursors within a download from the beginning say nothing of the one at its end.
        if self.cursor.is_some() && !self.replica.is_begun_anew() {
            self.anew = None;
        }
        self.live_in(epoch);
        messages.into_iter().for_each(|message| self.replica.take(epoch, message));
        self.outbox.forget_before(durable_before);
        self.cursor = Some(cursor);
        self.stale = more;
        if !more {
            self.replica.complete();
            // Told or not: who sees very much is told none.
            let checked = std::mem::take(&mut self.check);
            if checked && hash.is_some_and(|hash| hash.all != self.replica.hash().all) {
                self.begin_anew();
                self.stale = true;
            }
        }
    }

    /// The server does not go on from the cursor: another history, too long away, or another user than it was given to. It
    /// begins anew at once; but ever later as long as the server gives cursors that it does not go on from, since a download is
    /// dear to both.
    fn give_up_cursor(&mut self, moment: Moment) {
        match &mut self.anew {
            Some(anew) => anew.failed(moment, None),
            None => self.anew = Some(Backoff::default()),
        }
        self.begin_anew();
    }

    fn begin_anew(&mut self) {
        self.cursor = None;
        self.replica.begin_anew();
    }

    /// Another epoch: what was acknowledged in the old one may be gone, so it is said again.
    fn live_in(&mut self, epoch: Uuid) {
        if self.epoch.replace(epoch).is_some_and(|old| old != epoch) {
            self.outbox.say_again();
        }
    }
}

fn usual_page() -> u32 {
    PAGE
}

fn code(body: &[u8]) -> String {
    serde_json::from_slice::<Problem>(body).unwrap_or_default().code
}

#[cfg(test)]
mod tests;
