//! The shape of every answer that is an error: a problem document (RFC 9457) with a stable code.
//! Owns the mapping from code to status. Texts come from the catalogue; nothing internal ever stands in a body.

use crate::messages::{self, Args, Lang};
use crate::telemetry::with_causes;
use crate::usecases::failure::Failure;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use chrono::TimeDelta;
use muong_domain::refusal::{Finding, Text};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt;
use utoipa::ToSchema;
use uuid::Uuid;

/// The media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What an error body says of the request that it answers.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The reader's language.
    pub lang: Lang,
    /// The id that also stands in the log and in `x-request-id`.
    pub request_id: String,
}

/// Why a whole request was not carried out.
#[derive(Clone, Debug)]
pub struct Problem {
    code: &'static str,
    args: Args,
    findings: Vec<Finding>,
    members: Vec<(&'static str, Value)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// In a box, like little else: a result is as large as the largest that it may be.
    context: Option<Box<Context>>,
}

impl Problem {
    /// A problem of this code; the code decides the status.
    pub fn new(code: &'static str) -> Self {
        let problem = Self {
            code,
            args: Args::new(),
            findings: Vec::new(),
            members: Vec::new(),
            headers: Vec::new(),
            context: None,
        };
        match code {
            "auth.required" => problem.header(header::WWW_AUTHENTICATE, "Bearer"),
            "auth.invalid_token" | "auth.expired_token" | "auth.session_ended" => {
                // RFC 6750 §3: a client learns from this that a new token will help.
                problem.header(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")
            }
            "server.busy" | "sync.behind" => problem.retry_after(1),
            "server.unavailable"
            | "server.unaudited"
            | "server.unledgered"
            | "server.not_ready"
            | "server.shutting_down" => problem.retry_after(5),
            _ => problem,
        }
    }

    /// A fault of the program. Its cause, with the whole chain, goes to the log and only there.
    pub fn internal(cause: &dyn std::error::Error) -> Self {
        tracing::error!(error = %with_causes(cause), "a request failed for an internal reason");
        Self::new("server.internal")
    }

    /// Adds a value that the text quotes.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.args.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a member of its own to the document (RFC 9457 §3.2), for programs.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// Adds the places of the body that are at fault.
    #[must_use]
    pub fn findings(mut self, findings: impl IntoIterator<Item = Finding>) -> Self {
        self.findings.extend(findings);
        self
    }

    /// Tells the client when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
        self
    }

    /// Too much of something: to be tried again when `wait` is over, in whole seconds.
    pub fn throttled(code: &'static str, wait: TimeDelta) -> Self {
        let seconds = wait.num_microseconds().unwrap_or(i64::MAX).max(1).unsigned_abs().div_ceil(1_000_000);
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        Self::new(code).with("seconds", seconds).retry_after(seconds)
    }

    /// Adds a header that this status asks for (`Allow`, `Accept-Encoding` …). One that is no valid header is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// Ties the problem to the request that it answers.
    #[must_use]
    pub fn within(mut self, context: Context) -> Self {
        self.context = Some(Box::new(context));
        self
    }

    /// The stable code.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// The answer, in the language and with the id of `context`.
    pub fn respond(&self, context: &Context) -> HttpResponse {
        let status = self.status_code();
        let mut body = json!({
            "type": format!("urn:muong:problem:{}", self.code),
            "title": messages::title(context.lang, self.code),
            "status": status.as_u16(),
            "detail": messages::localised(context.lang, self.code, &self.args),
            "code": self.code,
            "request_id": context.request_id,
            "errors": self.findings.iter().map(FindingBody::from).collect::<Vec<_>>(),
        });
        for (name, value) in &self.members {
            body[*name] = value.clone();
        }
        let mut response = HttpResponse::build(status);
        response.content_type(PROBLEM_JSON);
        response.insert_header((header::CONTENT_LANGUAGE, context.lang.tag()));
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        response.body(body.to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl std::error::Error for Problem {}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused { code, findings } => {
                // What the place tells with values, the whole tells with the same.
                let told = findings.iter().find(|finding| finding.code.as_str() == code);
                let args = told.map(|finding| finding.args.clone()).unwrap_or_default();
                Self { args, ..Self::new(code) }.findings(findings)
            }
            Failure::Throttled { code, wait } => Self::throttled(code, wait),
            Failure::Behind { epoch, head } => {
                Self::new("sync.behind").member("epoch", epoch.to_string()).member("head", head.0)
            }
            Failure::Busy => Self::new("server.busy"),
            Failure::Unaudited => Self::new("server.unaudited"),
            Failure::Unledgered => Self::new("server.unledgered"),
            Failure::Stopping => Self::new("server.shutting_down"),
            Failure::Store(ref error) if error.is_unavailable() => {
                tracing::error!(error = %failure, "the database cannot be reached");
                Self::new("server.unavailable")
            }
            Failure::Store(error) => Self::internal(&error),
            Failure::Machine(_) => Self::internal(&failure),
        }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        status(self.code)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        match &self.context {
            Some(context) => self.respond(context),
            None => self.respond(&Context::default()),
        }
    }
}

/// The HTTP status of every code that a whole request can be answered with. A code that is missing here is our fault: 500.
fn status(code: &str) -> StatusCode {
    match code {
        "request.unsupported_media" | "request.unsupported_encoding" => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "request.too_large" | "request.inflated_too_large" | "request.too_many_submissions" => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        "request.not_found" | "access.not_found" => StatusCode::NOT_FOUND,
        "request.method_not_allowed" => StatusCode::METHOD_NOT_ALLOWED,
        "request.timeout" => StatusCode::REQUEST_TIMEOUT,
        "server.busy"
        | "server.unavailable"
        | "server.unaudited"
        | "server.unledgered"
        | "server.not_ready"
        | "server.shutting_down" => StatusCode::SERVICE_UNAVAILABLE,
        // What a client asks for may lie ahead of everything there is: that is no failure of the server's.
        "sync.behind" => StatusCode::CONFLICT,
        "auth.required"
        | "auth.invalid_token"
        | "auth.expired_token"
        | "auth.bad_credentials"
        | "auth.session_ended"
        | "auth.refresh_reused"
        | "auth.refresh_invalid"
        | "auth.device_revoked"
        | "auth.totp_required"
        | "auth.totp_invalid" => StatusCode::UNAUTHORIZED,
        "auth.throttled" | "request.throttled" => StatusCode::TOO_MANY_REQUESTS,
        "auth.user_disabled" | "auth.totp_enrolment_required" => StatusCode::FORBIDDEN,
        "device.fork"
        | "form.version_published"
        | "auth.totp_enrolled"
        | "person.already_erased"
        | "record.taken_there" => StatusCode::CONFLICT,
        code => status_of_family(code),
    }
}

/// Codes that share a status with their whole family.
fn status_of_family(code: &str) -> StatusCode {
    match code.split('.').next().unwrap_or_default() {
        "request" => StatusCode::BAD_REQUEST,
        "access" | "scope" => StatusCode::FORBIDDEN,
        "conflict" | "quarantine" if code.ends_with(".already_closed") => StatusCode::CONFLICT,
        "conflict" | "quarantine" | "submission" | "form" | "merge" | "auth" | "device" | "person" | "record"
        | "unit" | "grant" | "user" | "import" => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A problem document (RFC 9457): what every error of a whole request looks like.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "urn:muong:problem:auth.expired_token",
    "title": "Phiên truy cập đã hết hạn",
    "status": 401,
    "detail": "Phiên truy cập đã hết hạn. Hãy dùng mã làm mới để lấy mã truy cập mới rồi gửi lại yêu cầu.",
    "code": "auth.expired_token",
    "request_id": "0199d2a4-6f5e-7c11-9a52-3f6d1c0b8e77",
    "errors": []
}))]
pub struct ProblemBody {
    /// Names the kind of problem; made from `code`.
    pub r#type: String,
    /// A short title, in the language of `Accept-Language` (Vietnamese by default).
    pub title: String,
    /// The HTTP status, repeated.
    pub status: u16,
    /// What happened and what to do next, in the same language.
    pub detail: String,
    /// The stable code: what a program goes by.
    pub code: String,
    /// The id of the request, as in the log and in `x-request-id`: quote it when asking for help.
    pub request_id: String,
    /// The places of the body that are at fault, if it is about the body.
    pub errors: Vec<FindingBody>,
    /// Of `sync.behind` only: which history of the store this is. Another than that of the entry that was asked for: the
    /// entry is lost or has another number here, so ask without `at_least`, and push again what is not yet in a backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Uuid>,
    /// Of `sync.behind` only: the last entry of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<i64>,
}

/// One coded error or warning about one place of an input, with its text in both languages.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Finding)]
pub struct FindingBody {
    /// The stable code.
    #[schema(example = "meeting.roll_sum")]
    pub code: String,
    /// Where: a JSON pointer (RFC 6901); empty for the whole.
    #[schema(example = "/set/present")]
    pub pointer: String,
    /// What is the matter and what to do next.
    pub message: TextBody,
}

/// A text in both languages: a phone that is offline shows it to whoever holds it.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Text)]
pub struct TextBody {
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

impl From<Text> for TextBody {
    fn from(text: Text) -> Self {
        Self { vi: text.vi, en: text.en }
    }
}

impl From<&Finding> for FindingBody {
    fn from(finding: &Finding) -> Self {
        let text = messages::of_finding(finding);
        Self { code: finding.code.as_str().to_owned(), pointer: finding.pointer.clone(), message: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::MessageBody;
    use muong_domain::id::Seq;

    #[test]
    fn the_document_is_in_the_readers_language_and_carries_the_request_id() {
        let problem = Problem::new("auth.required").findings([Finding::new("form.required", "/set/held_on")]);
        let context = Context { lang: Lang::En, request_id: "r1".to_owned() };
        let response = problem.respond(&context);
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers().get(header::CONTENT_LANGUAGE).unwrap(), "en");
        assert_eq!(response.headers().get(header::WWW_AUTHENTICATE).unwrap(), "Bearer");
    }

    #[test]
    fn whoever_asks_for_an_entry_that_is_not_there_is_told_how_far_which_history_has_come() {
        let problem = Problem::from(Failure::Behind { epoch: Uuid::from_u128(7), head: Seq(1_200) });
        let bytes = problem.respond(&Context::default()).into_body().try_into_bytes().unwrap_or_default();
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&body["code"], &body["status"]), (&json!("sync.behind"), &json!(409)));
        assert_eq!((&body["epoch"], &body["head"]), (&json!(Uuid::from_u128(7)), &json!(1_200)));
    }

    #[test]
    fn whoever_must_wait_is_told_whole_seconds_that_suffice() {
        for (micros, seconds) in [(1, "1"), (1_000_000, "1"), (1_001_000, "2"), (60_000_000, "60")] {
            let problem = Problem::throttled("auth.throttled", TimeDelta::microseconds(micros));
            let response = problem.respond(&Context::default());
            assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), seconds);
        }
    }

    #[test]
    fn refusals_have_statuses_of_their_own_and_strangers_are_faults() {
        assert_eq!(status("request.malformed"), StatusCode::BAD_REQUEST);
        assert_eq!(status("access.not_found"), StatusCode::NOT_FOUND);
        assert_eq!(status("access.forbidden"), StatusCode::FORBIDDEN);
        assert_eq!(status("conflict.already_closed"), StatusCode::CONFLICT);
        assert_eq!(status("conflict.unseen_candidates"), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(status("auth.throttled"), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(status("nobody.knows"), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
