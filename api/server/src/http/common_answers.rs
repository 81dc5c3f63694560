//! What an operation may be answered with whatever it does: there is no room, nobody has signed in, its body does not come or is
//! not taken, a second factor must be enrolled first. Added to each operation of the OpenAPI document that does not tell it itself.

use super::error::PROBLEM_JSON;
use super::routes::{ENROLMENT, PUBLIC};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder};

/// Signs of life are answered under any load.
const NEVER_BUSY: [&str; 2] = ["/healthz", "/readyz"];

/// What nearly every body is.
const JSON: &str = "application/json";

/// Tells them of every operation.
pub fn add(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            for (status, description) in of(path, operation) {
                operation.responses.responses.entry(status.to_owned()).or_insert_with(|| problem(description));
            }
        }
    }
}

fn of(path: &str, operation: &Operation) -> Vec<(&'static str, &'static str)> {
    let mut answers = Vec::new();
    if !NEVER_BUSY.contains(&path) {
        answers.push(("503", "Too much waits; try again after `Retry-After`."));
    }
    if !PUBLIC.contains(&path) {
        answers.push(("401", "Not signed in."));
    }
    if !PUBLIC.contains(&path) && !ENROLMENT.contains(&path) {
        answers.push(("403", "`auth.totp_enrolment_required`: one's role asks for a second factor; enrol it first."));
    }
    if let Some(body) = &operation.request_body {
        let is_json = matches!(body, RefOr::T(body) if body.content.contains_key(JSON));
        let unsupported = match is_json {
            true => "Not JSON, or an unknown `Content-Encoding`.",
            false => "A kind of body that is not taken here, or an unknown `Content-Encoding`.",
        };
        answers.extend([("408", "The body came too slowly."), ("413", "Too long."), ("415", unsupported)]);
    }
    answers
}

fn problem(description: &str) -> RefOr<utoipa::openapi::Response> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(description).content(PROBLEM_JSON, content).build().into()
}
