//! The log: how it is written, and the span that gives every line of a request its id.
//! Refuses bodies, query strings, addresses and anything else that could name a person: routes are logged as templates.

use crate::config::{Log, LogFormat};
use actix_web::HttpMessage;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use std::borrow::Cow;
use std::error::Error;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use tracing::Span;
use tracing_actix_web::{RequestId, RootSpanBuilder};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// What actix says of requests that cannot be read at all: at the level of our own faults, though any client can make them,
/// as often as it likes. They are answered 400, and that is all.
const OF_STRANGERS: &str = "actix_http::h1::dispatcher=off";

/// Starts the log for this process: to standard error, so that a command's output stays clean.
pub fn start(log: &Log) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(&log.level)?.add_directive(OF_STRANGERS.parse()?);
    // Colours are for a terminal; in a file or a journal they are noise.
    let colours = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    // Where nobody reads standard error any more (`muong … 2>&1 | head`) there is nobody to complain to either.
    let builder = builder.log_internal_errors(false);
    // An error means that a subscriber is there already (several tests in one process); the first one stays.
    let _already_there = match log.format {
        LogFormat::Pretty => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
    };
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// An error with what caused it, and what caused that. A cause that the words before it quote already is not repeated.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

/// Says where a panic happened. Its message is repeated only if the compiler knew it: a formatted one may quote data.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(message withheld)");
    tracing::error!(panic.place = %place, panic.message = message, "a panic: this is a fault of the program");
}

/// The span of a request: its id, method and route template, and nothing else of it.
#[derive(Debug)]
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let id = request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default();
        tracing::info_span!("request", request_id = %id, method = %request.method(), route = %route(request))
    }

    fn on_request_end<B: MessageBody>(_span: Span, _outcome: &Result<ServiceResponse<B>, actix_web::Error>) {
        // The line of the request is written by `http::answer`, which knows its latency and the final status.
    }
}

/// The template of the route, or a placeholder: an unknown path may hold anything, a name among it.
fn route(request: &ServiceRequest) -> Cow<'static, str> {
    request.match_pattern().map_or(Cow::Borrowed("(unknown)"), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Failed {
        #[error("cannot serve")]
        Serve(#[source] Box<Failed>),
        #[error("the database: {0}")]
        Database(#[source] std::io::Error),
    }

    #[test]
    fn causes_are_told_once() {
        let error = Failed::Serve(Box::new(Failed::Database(std::io::Error::other("no such host"))));
        assert_eq!(with_causes(&error), "cannot serve: the database: no such host");
    }
}
