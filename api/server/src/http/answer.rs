//! What every answer has in common, whatever made it: a request id, safe headers, one line in the log, errors as
//! problem documents in the reader's language, and a 500 instead of a broken connection when a handler panics.
//! Refuses to know any resource.

use super::client_address::is_secure;
use super::error::{Context, PROBLEM_JSON, Problem};
use super::visit::{Held, Visit};
use crate::messages::Lang;
use crate::state::App;
use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, ResponseError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};
use tracing_actix_web::RequestId;

/// The documentation page needs its own scripts, its own styles and the icons that its style sheet embeds; all from us.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Nothing else is a page: in what a browser would show all the same it has nothing to run or to frame.
const OTHER_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// The documentation needs nothing of the device that it is read on.
const DOCS_PERMISSIONS: &str = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";

/// Up to this length, in bytes, a body goes as it is: what compression would save of it, its own headers take.
const SHORT: u64 = 256;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How what is not compressed is coded. Nobody needs to be told.
const AS_IT_IS: HeaderValue = HeaderValue::from_static("identity");

/// Middleware: makes every answer whole. Stands inside the request span and outside everything else.
pub async fn whole<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<Held<EitherBody<B, BoxBody>>>, Error> {
    let started = Instant::now();
    let context = context_of(&request);
    let dress = Dress::of(&request);
    let (app, method) = (request.app_data::<Data<App>>().cloned(), request.method().clone());
    let count = |handler: Option<&str>, status, took| {
        if let Some(app) = &app {
            app.metrics.requests.answered(handler, &method, status, took);
        }
    };
    let Ok(visit) = Visit::begin(&request) else {
        if let Some(app) = &app {
            app.metrics.refused.requests.increment(1);
        }
        return Err(refused(Problem::new("server.busy"), context, dress, started, count));
    };
    // Not a clone of the request: actix routes by changing it, and wants to be its only owner.
    let outcome = without_panic(async move { next.call(request).await }).await;
    let answer = match outcome {
        Ok(Ok(response)) => Ok(as_problem(response, &context)),
        Ok(Err(error)) => Err(problem_of(&error)),
        Err(Panicked) => Err(Problem::new("server.internal")),
    };
    match answer {
        Ok(mut response) => {
            let is_data = is_data(response.status(), response.headers());
            dress.put_on(response.headers_mut(), &context, is_data);
            log_line(response.status(), started.elapsed());
            count(response.request().match_name(), response.status(), started.elapsed());
            Ok(response.map_body(|_, body| Held::new(body, visit)))
        }
        Err(problem) => Err(refused(problem, context, dress, started, count)),
    }
}

/// The end of a request whose answer leaves the chain without it: `ResponseError` makes that of the problem, which
/// therefore carries the headers itself.
fn refused(
    problem: Problem,
    context: Context,
    dress: Dress,
    started: Instant,
    count: impl Fn(Option<&str>, StatusCode, Duration),
) -> Error {
    log_line(problem.status_code(), started.elapsed());
    count(None, problem.status_code(), started.elapsed());
    let mut headers = HeaderMap::new();
    dress.put_on(&mut headers, &context, true);
    let problem = headers
        .iter()
        .fold(problem, |problem, (name, value)| problem.header(name.clone(), value.to_str().unwrap_or_default()));
    problem.within(context).into()
}

/// Middleware: a short answer is not compressed. Stands inside the compression, which leaves alone what says how it is
/// coded; [`whole`] takes that word back.
pub async fn short_as_it_is<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    let is_short = matches!(response.response().body().size(), BodySize::Sized(length) if length <= SHORT);
    if is_short && !response.headers().contains_key(header::CONTENT_ENCODING) {
        response.headers_mut().insert(header::CONTENT_ENCODING, AS_IT_IS);
    }
    Ok(response)
}

/// The language and the id of a request, for whoever answers it with a problem.
pub fn context_of(request: &ServiceRequest) -> Context {
    let accept = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let request_id = request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default();
    Context { lang: Lang::negotiate(accept), request_id }
}

fn log_line(status: StatusCode, took: Duration) {
    let millis = u64::try_from(took.as_micros()).unwrap_or(u64::MAX) as f64 / 1000.0;
    let status = status.as_u16();
    match status {
        500.. => tracing::error!(status, latency_ms = millis, "answered"),
        _ => tracing::info!(status, latency_ms = millis, "answered"),
    }
}

/// Which headers an answer gets that tell a browser what it may do with it.
#[derive(Clone, Copy)]
struct Dress {
    docs: bool,
    secure: bool,
}

impl Dress {
    fn of(request: &ServiceRequest) -> Self {
        Self { docs: request.path().starts_with("/docs"), secure: is_secure(request.request()) }
    }

    /// JSON carries what protects JSON, since each byte is paid for on the poorest line: `nosniff` keeps it from being
    /// taken for a page, a script or a style sheet, so that it runs nothing, frames nothing and refers to nothing, and it
    /// is answered only to a token, which a page of another origin cannot make a browser send.
    fn put_on(self, headers: &mut HeaderMap, context: &Context, is_data: bool) {
        let mut set = |name: HeaderName, value: &'static str| {
            if !headers.contains_key(&name) {
                headers.insert(name, HeaderValue::from_static(value));
            }
        };
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        if !is_data {
            set(header::REFERRER_POLICY, "no-referrer");
            // For browsers that do not know `frame-ancestors`.
            set(header::X_FRAME_OPTIONS, "DENY");
            // Pages of other origins get nothing without CORS, not even as an image or a script.
            set(header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin");
            set(header::CONTENT_SECURITY_POLICY, if self.docs { DOCS_POLICY } else { OTHER_POLICY });
        }
        if self.docs && !is_data {
            // Only what is shown as a page has a window and could ask for a camera.
            set(header::CROSS_ORIGIN_OPENER_POLICY, "same-origin");
            set(header::PERMISSIONS_POLICY, DOCS_PERMISSIONS);
        }
        if self.secure {
            set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
        }
        // Answers are about people; a shared phone's browser keeps none of them. A resource with an ETag says otherwise
        // itself.
        set(header::CACHE_CONTROL, "no-store");
        // What the answer depends on is said to those who keep it. (Language is never among it: problems alone are in the
        // reader's, and nobody keeps those.)
        if headers.get(header::CACHE_CONTROL).is_some_and(|value| value == "no-store") {
            headers.remove(header::VARY);
        }
        if headers.get(header::CONTENT_ENCODING) == Some(&AS_IT_IS) {
            headers.remove(header::CONTENT_ENCODING);
        }
        if let Ok(id) = HeaderValue::from_str(&context.request_id) {
            headers.insert(REQUEST_ID.clone(), id);
        }
    }
}

/// Whether there is nothing in an answer that a browser would show as a page: JSON, or nothing at all.
fn is_data(status: StatusCode, headers: &HeaderMap) -> bool {
    let Some(media) = headers.get(header::CONTENT_TYPE) else {
        return matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    };
    let media = media.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"))
}

/// Turns an answer that carries an error, ours or the framework's, into a problem document.
fn as_problem<B>(response: ServiceResponse<B>, context: &Context) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response.map_into_left_body();
    }
    let problem = match response.response().error() {
        Some(error) => problem_of(error).respond(context),
        None if is_ours(response.headers()) => return response.map_into_left_body(),
        None => problem_of_status(status).respond(context),
    };
    let mut problem = problem.map_into_boxed_body();
    // What was said to another origin's page also holds for the problem: without it, the page could not read it.
    for (name, value) in response.headers().iter().filter(|(name, _)| is_of_cors(name)) {
        problem.headers_mut().append(name.clone(), value.clone());
    }
    response.into_response(problem).map_into_right_body()
}

fn is_of_cors(name: &HeaderName) -> bool {
    name == header::VARY || name.as_str().starts_with("access-control-")
}

/// A problem document, or the result of one refused submission. The framework's own answers are plain text or empty.
fn is_ours(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    [PROBLEM_JSON, "application/json"].iter().any(|ours| content_type.starts_with(ours.as_bytes()))
}

/// The problem behind an error. One of the framework is judged by its status; its words may quote what was sent.
fn problem_of(error: &Error) -> Problem {
    if let Some(problem) = error.as_error::<Problem>() {
        return problem.clone();
    }
    problem_of_status(error.as_response_error().status_code())
}

fn problem_of_status(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::new("request.not_found"),
        StatusCode::METHOD_NOT_ALLOWED => Problem::new("request.method_not_allowed"),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new("request.too_large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new("request.unsupported_media").with("media", "application/json")
        }
        StatusCode::REQUEST_TIMEOUT => Problem::new("request.timeout"),
        StatusCode::SERVICE_UNAVAILABLE => Problem::new("server.unavailable"),
        StatusCode::UNAUTHORIZED => Problem::new("auth.required"),
        StatusCode::FORBIDDEN => Problem::new("access.forbidden"),
        status if status.is_client_error() => Problem::new("request.malformed"),
        _ => Problem::new("server.internal"),
    }
}

/// The methods of a known path, for the `Allow` of a 405.
pub fn method_not_allowed(allowed: &[Method]) -> Problem {
    let allowed = allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    Problem::new("request.method_not_allowed").header(header::ALLOW, &allowed).with("allowed", allowed)
}

/// A handler panicked; the hook of `telemetry` has said where.
struct Panicked;

/// Runs `work`, turning a panic into a value: one faulty request must not take a worker, and its neighbours, with it.
async fn without_panic<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    std::future::poll_fn(move |context| {
        // Safe to go on: after a panic the future is dropped, and what it shared is behind its own locks.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(_payload) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}
