//! The network between whoever asks and the servers: bad, until all comes to rest.

use super::chance::Chance;
use super::stage::Stage;
use super::tally::{Event, Tally};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use ureq::http::Request;

/// How long an answer is waited for.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Of a hundred requests so many are not heard.
const REQUESTS_LOST: u64 = 10;

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// How long to wait before the next request.
    pub retry_after: Option<u64>,
    /// Its bytes.
    pub body: Vec<u8>,
    /// When it was asked for.
    pub asked: Instant,
}

/// Why no answer is heard.
pub enum Silence {
    /// Nobody was asked.
    Unasked,
    /// This was answered, and nobody heard it.
    Unheard(Answer),
    /// None came.
    Unanswered {
        /// Which kill it was, if the server was killed meanwhile.
        killed: Option<usize>,
    },
}

/// The network, as one thread has it.
pub struct Link {
    /// Where the servers are.
    pub stage: Arc<Stage>,
    /// What has happened.
    pub tally: Arc<Tally>,
    resting: Arc<AtomicBool>,
    agent: ureq::Agent,
}

impl Link {
    /// One that is good as soon as `resting` says so.
    pub fn new(stage: Arc<Stage>, tally: Arc<Tally>, resting: Arc<AtomicBool>) -> Self {
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(TIMEOUT));
        Self { stage, tally, resting, agent: config.build().into() }
    }

    /// Whether nothing goes wrong any more, and nobody begins anything new.
    pub fn rests(&self) -> bool {
        self.resting.load(Ordering::Acquire)
    }

    /// POST; none when no answer is heard.
    pub fn post(&self, path: &str, token: Option<&str>, body: &Value, chance: &mut Chance) -> Option<Answer> {
        self.ask("POST", path, token, body.to_string(), chance).ok()
    }

    /// The same, for who wants to know why none is.
    pub fn tell(&self, path: &str, token: &str, body: &Value, chance: &mut Chance) -> Result<Answer, Silence> {
        self.ask("POST", path, Some(token), body.to_string(), chance)
    }

    /// GET; none when no answer is heard.
    pub fn get(&self, path: &str, token: Option<&str>, chance: &mut Chance) -> Option<Answer> {
        self.ask("GET", path, token, String::new(), chance).ok()
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: String,
        chance: &mut Chance,
    ) -> Result<Answer, Silence> {
        let bad = !self.rests();
        if bad && chance.percent(REQUESTS_LOST) {
            self.tally.count(Event::RequestLost);
            return Err(Silence::Unasked);
        }
        let address = self.stage.address(chance).ok_or(Silence::Unasked)?;
        let asked = Instant::now();
        let answer = self.ask_at(address, method, path, token, body);
        let answer = answer.ok_or_else(|| Silence::Unanswered { killed: self.stage.killed_since(address, asked) })?;
        // The server has done it all, and nobody hears of it.
        if bad && chance.percent(answers_lost(path)) {
            self.tally.count(Event::AnswerLost);
            return Err(Silence::Unheard(answer));
        }
        Ok(answer)
    }

    /// POST to one server, whatever the link is like; none when there is no answer.
    pub fn post_to(&self, address: SocketAddr, path: &str, body: &Value) -> Option<Answer> {
        self.ask_at(address, "POST", path, None, body.to_string())
    }

    fn ask_at(
        &self,
        address: SocketAddr,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: String,
    ) -> Option<Answer> {
        let mut request = Request::builder().method(method).uri(format!("http://{address}{path}"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let asked = Instant::now();
        let mut answer = self.agent.run(request.body(body).ok()?).ok()?;
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let (status, body) = (answer.status().as_u16(), answer.body_mut().read_to_vec().ok()?);
        Some(Answer { status, retry_after, body, asked })
    }
}

/// Of a hundred answers so many are not heard. Whoever signs in is let in.
fn answers_lost(path: &str) -> u64 {
    match path.split('/').nth(2) {
        Some("sync") => 50,
        Some("auth" | "devices") => 0,
        _ => 20,
    }
}
