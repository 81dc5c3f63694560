//! The OpenAPI document: served, checked in, and complete.

use muong_tests::{Backend, TestApp};
use std::path::Path;

/// What is checked in.
const GOLDEN: &str = "../openapi/openapi.json";

#[test]
fn the_served_document_is_the_one_that_is_checked_in() {
    let served = TestApp::start(Backend::Sqlite).anonymous().get("/openapi.json");
    assert_eq!(served.status, 200);
    let golden = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN)).unwrap_or_default();
    assert!(
        served.body == golden,
        "openapi/openapi.json is not what the program serves: look at the change, then run 'make openapi'"
    );
}

#[test]
fn every_operation_tells_what_it_is_for_and_how_its_errors_look() {
    let document = TestApp::start(Backend::Sqlite).anonymous().read("/openapi.json");
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let name = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|text| text.len() > 3), "{name} has no summary");
            assert!(operation["tags"].as_array().is_some_and(|tags| !tags.is_empty()), "{name} has no tag");
            let responses = operation["responses"].as_object().expect("responses");
            for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
                let problem = &response["content"]["application/problem+json"]["schema"]["$ref"];
                // What is refused of one submission is its result, as in a push, and no problem of the request.
                let result = &response["content"]["application/json"]["schema"]["$ref"];
                let fits = *problem == "#/components/schemas/Problem"
                    || path == "/v1/submissions" && *result == "#/components/schemas/PushResult";
                assert!(fits, "{name} {status}: {response}");
            }
        }
    }
}

#[test]
fn every_operation_that_is_not_public_asks_for_a_token() {
    let app = TestApp::start(Backend::Sqlite);
    let document = app.anonymous().read("/openapi.json");
    let public =
        ["/healthz", "/readyz", "/openapi.json", "/v1/auth/sign-in", "/v1/auth/refresh", "/.well-known/jwks.json"];
    let some_id = muong_tests::id().to_string();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("operations").keys() {
            let concrete = path.split('/').map(|part| if part.starts_with('{') { &some_id } else { part });
            let concrete = concrete.collect::<Vec<_>>().join("/");
            let answer = match method.as_str() {
                "get" => app.anonymous().get(&concrete),
                "delete" => app.anonymous().delete(&concrete),
                _ => app.anonymous().post(&concrete, &serde_json::json!({})),
            };
            assert_eq!(answer.status == 401, !public.contains(&path.as_str()), "{method} {path}: {}", answer.status);
        }
    }
}
