//! Requests in numbers: how many by route, method and class of status, and how long they took. What nobody has foreseen
//! (a path without a route, a method of one's own) is counted together, so that no client makes the list longer.

use super::Registry;
use crate::http::openapi;
use actix_web::http::{Method, StatusCode};
use metrics::{Counter, Histogram};
use std::collections::HashMap;
use std::time::Duration;

/// The methods that are told apart; any other is the last.
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "PATCH", "other"];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// The route of everything that has none of its own.
const OTHER: &str = "(other)";

/// The numbers of one route and method.
struct Counted {
    method: String,
    classes: [Counter; CLASSES.len()],
    duration: Histogram,
}

impl Counted {
    fn new(registry: &Registry, route: &str, method: &str) -> Self {
        let counter = |class| {
            registry.counter("muong_http_requests_total", &[("route", route), ("method", method), ("status", class)])
        };
        let labels = [("route", route), ("method", method)];
        let duration = registry.histogram("muong_http_request_duration_seconds", &labels);
        Self { method: method.to_owned(), classes: CLASSES.map(counter), duration }
    }

    fn count(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.classes[class].increment(1);
        self.duration.record(took);
    }
}

/// The numbers of all routes.
pub struct Requests {
    /// By the name of the handler, as actix knows a route once it has matched.
    by_handler: HashMap<String, Counted>,
    others: [Counted; METHODS.len()],
}

impl Requests {
    /// Makes one of each, for every route that the OpenAPI document describes.
    pub(super) fn new(registry: &Registry) -> Self {
        // The document takes a moment to make: not for nothing.
        let handlers = if registry.is_on() { openapi::handlers() } else { Vec::new() };
        let counted = |handler: &openapi::Handler| Counted::new(registry, &handler.path, handler.method.as_str());
        Self {
            by_handler: handlers.into_iter().map(|handler| (handler.name.clone(), counted(&handler))).collect(),
            others: METHODS.map(|method| Counted::new(registry, OTHER, method)),
        }
    }

    /// Counts one that was answered. `handler` is the name of the matched resource.
    pub fn answered(&self, handler: Option<&str>, method: &Method, status: StatusCode, took: Duration) {
        // A path that is known by another method has a handler's name as well, and is answered 405.
        let known = handler.and_then(|handler| self.by_handler.get(handler));
        let known = known.filter(|counted| counted.method == method.as_str());
        known.unwrap_or_else(|| self.other(method)).count(status, took);
    }

    fn other(&self, method: &Method) -> &Counted {
        let known = METHODS.iter().position(|known| *known == method.as_str());
        &self.others[known.unwrap_or(METHODS.len() - 1)]
    }
}
