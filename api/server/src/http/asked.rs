//! What the audit keeps of a request: which operation, under which id, from which address. Nothing else of it: a query or
//! a body may name people.

use super::client_address::client_address;
use super::openapi;
use crate::usecases::account_for::Asked;
use actix_web::{HttpMessage, HttpRequest};
use tracing_actix_web::RequestId;

/// What is kept of this request.
pub fn asked_of(request: &HttpRequest) -> Asked {
    let path = request.match_pattern().unwrap_or_default();
    Asked {
        operation: openapi::operation(&path, request.method()),
        request: request.extensions().get::<RequestId>().map(|id| **id),
        address: client_address(request),
    }
}
