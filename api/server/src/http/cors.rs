//! Which pages of other origins may call the API from a browser: those that the installation names, and by default none.
//! Tokens stand in a header that a page must have been given, so no cookie is ever sent along.

use actix_cors::Cors;
use actix_web::http::header;

/// How long a browser may remember the answer to its preliminary question.
const REMEMBERED_SECONDS: usize = 3_600;

/// For these origins.
pub fn of(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::CONTENT_ENCODING,
            header::ACCEPT_LANGUAGE,
            header::IF_NONE_MATCH,
            header::IF_MATCH,
        ])
        .allowed_header("x-reason")
        .expose_headers(["x-request-id", "retry-after", "etag", "location", "content-language"])
        .max_age(REMEMBERED_SECONDS);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}
