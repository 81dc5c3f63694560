//! Clients that speak HTTP and nothing else: an anonymous one, and somebody who has signed in on a device and numbers
//! what they say. Every expectation that fails tells the request and the whole answer.

use crate::builders::Submission;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use ureq::Agent;
use ureq::http::{HeaderMap, Request};
use uuid::Uuid;

/// A server that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came back.
#[derive(Clone)]
pub struct Answer {
    /// What was asked, for messages.
    asked: String,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The bytes.
    pub body: Vec<u8>,
}

/// As a person reads it.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, status, headers, body } = self;
        write!(f, "{asked}: {status} {headers:?} {}", String::from_utf8_lossy(body))
    }
}

impl Answer {
    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{}: no JSON ({error}): {}", self.asked, String::from_utf8_lossy(&self.body)),
        }
    }

    /// The body, when the status is the expected one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.asked, String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The problem document, when it is one of this status and code and complete: every error of a whole request is.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        let asked = &self.asked;
        assert_eq!(body["code"], code, "{asked}: {body}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{asked}");
        assert_eq!(body["status"], status, "{asked}: {body}");
        assert_eq!(body["type"], format!("urn:muong:problem:{code}"), "{asked}");
        assert_eq!(body["request_id"].as_str(), Some(self.header("x-request-id")), "{asked}: {body}");
        for text in ["title", "detail"] {
            assert!(body[text].as_str().is_some_and(|text| text.len() > 5), "{asked}: no {text} in {body}");
            assert!(!has_dash(body[text].as_str().unwrap_or_default()), "{asked}: a value is missing in {body}");
        }
        for finding in body["errors"].as_array().expect("a list of places") {
            assert_finding(finding);
        }
        body
    }
}

/// A finding is a code, a place and a text in both languages, none of which shows an unfilled gap.
#[track_caller]
pub fn assert_finding(finding: &Value) {
    assert!(finding["code"].as_str().is_some_and(|code| code.contains('.')), "no code: {finding}");
    let pointer = finding["pointer"].as_str().unwrap_or("?");
    assert!(pointer.is_empty() || pointer.starts_with('/'), "no pointer: {finding}");
    let texts = ["vi", "en"].map(|lang| finding["message"][lang].as_str().unwrap_or_default());
    for text in texts {
        assert!(text.chars().count() > 10, "no text: {finding}");
        assert!(!has_gap(text), "an unfilled gap: {finding}");
        // Only the open end of a form's range is shown so.
        assert!(finding["code"] == "form.range" || !has_dash(text), "a value is missing: {finding}");
    }
    assert_ne!(texts[0], texts[1], "one language twice: {finding}");
}

/// Whether a name in braces was left where its value should stand.
fn has_gap(text: &str) -> bool {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).any(|(inside, _)| {
        let name = inside.trim().trim_start_matches('$');
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
    })
}

/// Whether a dash stands where a value was not given; between two numbers it means a range.
fn has_dash(text: &str) -> bool {
    text.split('–').collect::<Vec<_>>().windows(2).any(|sides| {
        let ends = [sides[0].chars().next_back(), sides[1].chars().next()];
        !ends.into_iter().all(|end| end.is_some_and(|end| end.is_ascii_digit()))
    })
}

/// The codes of a list of findings.
pub fn codes(findings: &Value) -> Vec<&str> {
    findings.as_array().into_iter().flatten().map(|finding| finding["code"].as_str().unwrap_or_default()).collect()
}

/// Speaks to one server.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    address: String,
    headers: Vec<(String, String)>,
}

impl Client {
    /// Somebody who has not signed in.
    pub fn new(address: &str) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(PATIENCE));
        let config = config.max_redirects(0).max_redirects_will_error(false).build();
        Self { agent: config.into(), address: address.to_owned(), headers: Vec::new() }
    }

    /// The same with a header in every request.
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.retain(|(known, _)| known != name);
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// The same, asking another server process.
    #[must_use]
    pub fn at(&self, address: &str) -> Self {
        Self { address: address.to_owned(), ..self.clone() }
    }

    /// The same with an access token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        self.with_header("authorization", &format!("Bearer {token}"))
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        let request = self.request("GET", path).body(()).expect("a request");
        let asked = format!("GET {path}");
        match self.agent.run(request) {
            Ok(response) => answer(asked, response),
            Err(error) => panic!("{asked}: {error}"),
        }
    }

    /// HEAD.
    #[track_caller]
    pub fn head(&self, path: &str) -> Answer {
        let request = self.request("HEAD", path).body(()).expect("a request");
        let asked = format!("HEAD {path}");
        match self.agent.run(request) {
            Ok(response) => answer(asked, response),
            Err(error) => panic!("{asked}: {error}"),
        }
    }

    /// GET, and the JSON of a 200.
    #[track_caller]
    pub fn read(&self, path: &str) -> Value {
        self.get(path).expect(200)
    }

    /// DELETE.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        let request = self.request("DELETE", path).body(()).expect("a request");
        let asked = format!("DELETE {path}");
        match self.agent.run(request) {
            Ok(response) => answer(asked, response),
            Err(error) => panic!("{asked}: {error}"),
        }
    }

    /// POST of JSON.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_bytes(path, body.to_string().into_bytes(), &[("content-type", "application/json")])
    }

    /// POST of anything, with headers of its own.
    #[track_caller]
    pub fn post_bytes(&self, path: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.request("POST", path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let asked = format!("POST {path}");
        match self.agent.run(request.body(body).expect("a request")) {
            Ok(response) => answer(asked, response),
            Err(error) => panic!("{asked}: {error}"),
        }
    }

    fn request(&self, method: &str, path: &str) -> ureq::http::request::Builder {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.address));
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }
}

#[track_caller]
fn answer(asked: String, response: ureq::http::Response<ureq::Body>) -> Answer {
    let (head, mut body) = response.into_parts();
    let body = body.with_config().limit(64 << 20).read_to_vec().unwrap_or_else(|error| panic!("{asked}: {error}"));
    Answer { asked, status: head.status.as_u16(), headers: head.headers, body }
}

/// Somebody who has signed in on a device, and numbers what they say there.
pub struct Reporter {
    client: RefCell<Client>,
    /// Who.
    pub user: Uuid,
    /// The device.
    pub device: Uuid,
    refresh_token: RefCell<String>,
    last_n: Cell<i64>,
    clock: &'static AtomicI64,
}

impl Reporter {
    /// Signs in on a new device.
    #[track_caller]
    pub fn sign_in(client: Client, login: &str, password: &str, clock: &'static AtomicI64) -> Self {
        let body = json!({"username": login, "password": password, "device": {"name": format!("Máy của {login}")}});
        let signed_in = client.post("/v1/auth/sign-in", &body).expect(200);
        Self::of(client, &signed_in, clock)
    }

    /// Who has been answered this pair of tokens.
    pub fn of(client: Client, signed_in: &Value, clock: &'static AtomicI64) -> Self {
        Self {
            client: RefCell::new(client.with_token(text(&signed_in["access_token"]))),
            user: uuid(&signed_in["user"]["id"]),
            device: uuid(&signed_in["device"]["id"]),
            refresh_token: RefCell::new(text(&signed_in["refresh_token"]).to_owned()),
            last_n: Cell::new(0),
            clock,
        }
    }

    /// Their client, with its access token.
    pub fn client(&self) -> Client {
        self.client.borrow().clone()
    }

    /// What their requests are authorised by, for whoever writes one by hand.
    pub fn authorization(&self) -> String {
        let client = self.client.borrow();
        let header = client.headers.iter().find(|(name, _)| name == "authorization");
        header.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// The refresh token that is good now.
    pub fn refresh_token(&self) -> String {
        self.refresh_token.borrow().clone()
    }

    /// Gets the next pair of tokens: after the clock has moved.
    #[track_caller]
    pub fn renew(&self) {
        let body = json!({"refresh_token": self.refresh_token(), "device": self.device});
        let next = self.client().post("/v1/auth/refresh", &body).expect(200);
        let client = self.client().with_token(text(&next["access_token"]));
        self.client.replace(client);
        self.refresh_token.replace(text(&next["refresh_token"]).to_owned());
    }

    /// Registers a further device, as a phone does that has learnt of a copy of itself.
    #[track_caller]
    pub fn registers_anew(&self) -> Self {
        let signed_in = self.client().post("/v1/devices", &json!({"name": "Máy mới"})).expect(201);
        Self::of(self.client(), &signed_in, self.clock)
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.client().get(path)
    }

    /// GET, and the JSON of a 200.
    #[track_caller]
    pub fn read(&self, path: &str) -> Value {
        self.client().read(path)
    }

    /// GET with a stated reason.
    #[track_caller]
    pub fn read_because(&self, reason: &str, path: &str) -> Answer {
        self.client().with_header("x-reason", &percent_encoded(reason)).get(path)
    }

    /// POST of JSON.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.client().post(path, body)
    }

    /// DELETE.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.client().delete(path)
    }

    /// The same, asking another server process.
    pub fn at(&self, address: &str) -> Client {
        self.client().at(address)
    }

    /// Numbers a submission as the next of this device.
    pub fn says(&self, draft: Submission) -> Submission {
        self.last_n.set(self.last_n.get() + 1);
        draft.with("n", self.last_n.get())
    }

    /// The body of a push.
    pub fn envelope(&self, submissions: &[&Submission]) -> Value {
        let said: Vec<&Value> = submissions.iter().map(|submission| submission.json()).collect();
        json!({
            "protocol": 1,
            "device": self.device,
            "client": "muong-tests/1.0",
            "sent_at": DateTime::<Utc>::from_timestamp_micros(self.clock.load(Ordering::Acquire)),
            "submissions": said,
        })
    }

    /// Pushes, whatever comes of it.
    #[track_caller]
    pub fn tries_to_push(&self, submissions: &[&Submission]) -> Answer {
        self.post("/v1/sync/push", &self.envelope(submissions))
    }

    /// Pushes, and checks the shape of the answer.
    #[track_caller]
    pub fn push(&self, submissions: &[&Submission]) -> Pushed {
        let pushed = Pushed(self.tries_to_push(submissions).expect(200));
        let ids: Vec<Value> = submissions.iter().map(|submission| json!(submission.id())).collect();
        let answered: Vec<Value> = pushed.results().iter().map(|result| result["id"].clone()).collect();
        assert_eq!(answered, ids, "one result a submission, in order: {}", pushed.0);
        pushed
    }

    /// Pushes submissions that are filled up with white space to so many bytes each, in a body that is small all the same.
    #[track_caller]
    pub fn pushes_padded(&self, submissions: &[Submission], bytes: usize) -> Pushed {
        let items: Vec<String> = submissions.iter().map(|submission| padded(submission.json(), bytes)).collect();
        let items = format!(r#""submissions":[{}]"#, items.join(","));
        let body = self.envelope(&[]).to_string().replace(r#""submissions":[]"#, &items);
        let zipped = zstd::encode_all(body.as_bytes(), 3).expect("memory takes everything");
        let headers = [("content-type", "application/json"), ("content-encoding", "zstd")];
        Pushed(self.client().post_bytes("/v1/sync/push", zipped, &headers).expect(200))
    }

    /// Says one thing and pushes it; the result.
    #[track_caller]
    pub fn reports(&self, draft: Submission) -> Value {
        let said = self.says(draft);
        self.push(&[&said]).only()
    }

    /// Says one thing and pushes it; the result, when it has this status.
    #[track_caller]
    pub fn reports_as(&self, status: &str, draft: Submission) -> Value {
        let result = self.reports(draft);
        assert_eq!(result["status"], status, "{result}");
        result
    }
}

fn padded(object: &Value, bytes: usize) -> String {
    let text = object.to_string();
    let padding = " ".repeat(bytes.saturating_sub(text.len()));
    format!("{}{padding}}}", &text[..text.len() - 1])
}

/// The answer to a push.
#[derive(Clone, PartialEq, Debug)]
pub struct Pushed(pub Value);

impl Pushed {
    /// One a submission.
    #[track_caller]
    pub fn results(&self) -> &[Value] {
        self.0["results"].as_array().unwrap_or_else(|| panic!("no results: {}", self.0))
    }

    /// The result of the only submission.
    #[track_caller]
    pub fn only(&self) -> Value {
        let [result] = self.results() else { panic!("not one result: {}", self.0) };
        result.clone()
    }

    /// The statuses, in order.
    #[track_caller]
    pub fn statuses(&self) -> Vec<&str> {
        self.results().iter().map(|result| text(&result["status"])).collect()
    }
}

/// A text that must be there.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

/// A UUID that must be there.
#[track_caller]
pub fn uuid(value: &Value) -> Uuid {
    text(value).parse().unwrap_or_else(|_| panic!("not a UUID: {value}"))
}

/// A whole number that must be there.
#[track_caller]
pub fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("not a whole number: {value}"))
}

/// A text as a header carries it: percent-encoded UTF-8 (RFC 3986 §2.1).
pub fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |out, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out + &char::from(byte).to_string(),
        _ => out + &format!("%{byte:02X}"),
    })
}

impl Deref for Pushed {
    type Target = Value;
    fn deref(&self) -> &Value {
        &self.0
    }
}
