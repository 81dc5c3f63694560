//! HTTP: how requests come in and answers go out. Owns the middleware that every request passes and the life of the
//! listener; one file a resource, `routes` for the whole table. Refuses SQL and decisions: a handler calls one use case.

pub mod answer;
pub mod asked;
pub mod audit;
pub mod auth;
pub mod body;
pub mod client_address;
pub mod common_answers;
pub mod conflicts;
pub mod connection;
pub mod cors;
pub mod credentials;
pub mod decisions;
pub mod docs;
pub mod door;
pub mod erasure;
pub mod error;
pub mod forms;
pub mod framing;
pub mod grants;
pub mod health;
mod held;
pub mod importing;
pub mod jwks;
pub mod listen;
pub mod me;
mod moving;
pub mod openapi;
pub mod page;
pub mod publishing;
pub mod pull;
pub mod push;
pub mod quarantine;
pub mod query;
pub mod reason;
pub mod records;
pub mod refusals;
pub mod routes;
pub mod scrape;
pub mod sessions;
pub mod signed_in;
pub mod unit_changes;
pub mod units;
pub mod users;
pub mod visit;

use crate::telemetry::RequestSpan;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Compress, Condition, from_fn};
use actix_web::web::{PathConfig, QueryConfig, ServiceConfig};
use actix_web::{App, Error};
use tracing_actix_web::TracingLogger;

/// The application that each worker runs: `state` adds what the handlers need (`app_data`), the table adds the rest.
///
/// Outermost first: the request's span and id, then what makes each answer whole, then compression (of what is long
/// enough), then which pages of other origins may ask at all (`origins`), then who is asking (all but the `public` routes want to know that), then
/// the account of what is refused to them.
pub fn app(
    state: &dyn Fn(&mut ServiceConfig),
    public: &'static [&'static str],
    origins: &[String],
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    App::new()
        .app_data(PathConfig::default().error_handler(|_, _| error::Problem::new("request.path_invalid").into()))
        .app_data(QueryConfig::default().error_handler(|_, _| error::Problem::new("request.query_invalid").into()))
        .configure(state)
        .configure(routes::table)
        .wrap(from_fn(refusals::accounted_for))
        .wrap(from_fn(move |request, next| auth::signed_in(public, request, next)))
        .wrap(Condition::new(!origins.is_empty(), cors::of(origins)))
        .wrap(from_fn(answer::short_as_it_is))
        .wrap(Compress::default())
        .wrap(from_fn(answer::whole))
        .wrap(TracingLogger::<RequestSpan>::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use actix_web::http::{Method, StatusCode, header};
    use actix_web::test::{self, TestRequest};
    use actix_web::{HttpRequest, HttpResponse, web};
    use serde_json::Value;

    async fn explode() -> HttpResponse {
        panic!("a secret of the handler")
    }

    async fn echo(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, error::Problem> {
        let limits = Limits { wire_bytes: 64, ..Limits::default() };
        let value: Value = body::json(&request, payload, &limits).await?;
        Ok(HttpResponse::Ok().json(value))
    }

    async fn numbered(number: web::Path<u32>, _query: web::Query<std::collections::BTreeMap<String, u8>>) -> String {
        number.to_string()
    }

    /// A middleware that refuses before any handler, as signing in does.
    async fn refuse(
        _request: ServiceRequest,
        _next: actix_web::middleware::Next<impl MessageBody + 'static>,
    ) -> Result<ServiceResponse<actix_web::body::BoxBody>, Error> {
        Err(error::Problem::new("auth.expired_token").into())
    }

    /// The program's own public routes, and those below.
    const PUBLIC: &[&str] = &[
        "/healthz",
        "/openapi.json",
        "/docs",
        "/docs/{file:.*}",
        "/explode",
        "/echo",
        "/numbered/{number}",
        "/guarded",
    ];

    fn extra(config: &mut ServiceConfig) {
        config
            .route("/explode", web::get().to(explode))
            .route("/echo", web::post().to(echo))
            .route("/numbered/{number}", web::get().to(numbered))
            .service(web::scope("/guarded").wrap(from_fn(refuse)).route("", web::get().to(explode)));
    }

    /// Status, body, and a function of the headers.
    async fn call(request: TestRequest) -> (StatusCode, Value, header::HeaderMap) {
        let app = test::init_service(app(&extra, PUBLIC, &[])).await;
        let request = request.to_request();
        match test::try_call_service(&app, request).await {
            Ok(response) => {
                let (status, headers) = (response.status(), response.headers().clone());
                (status, test::try_read_body_json(response).await.unwrap_or_default(), headers)
            }
            // What actix does with an error that leaves the outermost middleware.
            Err(error) => {
                let response = error.error_response();
                let (status, headers) = (response.status(), response.headers().clone());
                let bytes = actix_web::body::to_bytes(response.into_body()).await.unwrap_or_default();
                (status, serde_json::from_slice(&bytes).unwrap_or_default(), headers)
            }
        }
    }

    fn get(uri: &str) -> TestRequest {
        TestRequest::get().uri(uri)
    }

    fn post(content_type: &'static str, body: &'static str) -> TestRequest {
        TestRequest::post().uri("/echo").insert_header((header::CONTENT_TYPE, content_type)).set_payload(body)
    }

    #[actix_web::test]
    async fn every_failure_is_a_problem_document_with_its_request_id_and_safe_headers() {
        let cases = [
            (get("/nowhere"), 404, "request.not_found"),
            (get("/docs/nothing.js"), 404, "request.not_found"),
            (TestRequest::post().uri("/healthz"), 405, "request.method_not_allowed"),
            (TestRequest::delete().uri("/docs/index.html"), 405, "request.method_not_allowed"),
            (get("/explode"), 500, "server.internal"),
            (get("/guarded"), 401, "auth.expired_token"),
            (get("/numbered/x"), 400, "request.path_invalid"),
            (get("/numbered/1?a=999"), 400, "request.query_invalid"),
            (post("text/plain", "{}"), 415, "request.unsupported_media"),
            (post("application/json", "{"), 400, "request.malformed"),
            (post("application/json", "{\"a\":1} x"), 400, "request.malformed"),
            (
                post("application/json", "").insert_header((header::CONTENT_ENCODING, "br")),
                415,
                "request.unsupported_encoding",
            ),
            (
                post("application/json", "xx").insert_header((header::CONTENT_ENCODING, "gzip")),
                400,
                "request.truncated",
            ),
            (
                post("application/json", "\"0123456789012345678901234567890123456789012345678901234567890123456789\""),
                413,
                "request.too_large",
            ),
        ];
        for (request, status, code) in cases {
            let (found, body, headers) = call(request).await;
            assert_eq!((found.as_u16(), body["code"].as_str()), (status, Some(code)), "{body}");
            assert_eq!(headers.get(header::CONTENT_TYPE).unwrap(), error::PROBLEM_JSON);
            let id = headers.get("x-request-id").unwrap().to_str().unwrap();
            assert_eq!((body["request_id"].as_str(), id.len()), (Some(id), 36), "{code}");
            for (name, value) in [("x-content-type-options", "nosniff"), ("cache-control", "no-store")] {
                assert_eq!(headers.get_all(name).collect::<Vec<_>>(), [value], "{name} of {code}");
            }
            for name in ["referrer-policy", "content-security-policy", "x-frame-options", "vary", "content-encoding"] {
                assert!(!headers.contains_key(name), "{name} of {code} protects no JSON");
            }
            assert!(!body.to_string().contains("secret"), "{body}");
            assert!(
                !body["title"].as_str().unwrap().is_empty() && body["detail"].as_str().unwrap().len() > 20,
                "{body}"
            );
        }
    }

    #[actix_web::test]
    async fn a_wrong_method_is_told_the_right_ones() {
        let (_, _, headers) = call(TestRequest::default().method(Method::PATCH).uri("/openapi.json")).await;
        assert_eq!(headers.get(header::ALLOW).unwrap(), "GET");
    }

    #[actix_web::test]
    async fn problems_are_vietnamese_unless_english_is_asked_for() {
        let (_, vi, _) = call(get("/nowhere")).await;
        let (_, en, headers) = call(get("/nowhere").insert_header((header::ACCEPT_LANGUAGE, "en-GB, vi;q=0.5"))).await;
        assert_eq!(
            (vi["title"].as_str(), en["title"].as_str()),
            (Some("Không có địa chỉ này"), Some("No such address"))
        );
        assert_eq!(headers.get(header::CONTENT_LANGUAGE).unwrap(), "en");
    }

    #[actix_web::test]
    async fn a_good_body_passes_plain_and_compressed_and_the_next_request_survives_a_panic() {
        let app = test::init_service(app(&extra, PUBLIC, &[])).await;
        assert!(test::try_call_service(&app, get("/explode").to_request()).await.is_err());
        for (coding, bytes) in
            [("identity", b"{\"a\":1}".to_vec()), ("zstd", zstd::encode_all(&b"{\"a\":1}"[..], 3).unwrap())]
        {
            let request = post("application/json", "").insert_header((header::CONTENT_ENCODING, coding));
            let answer = test::call_and_read_body(&app, request.set_payload(bytes).to_request()).await;
            assert_eq!(answer, "{\"a\":1}", "{coding}");
        }
    }

    #[actix_web::test]
    async fn the_documentation_needs_no_other_host() {
        let app = test::init_service(app(&extra, PUBLIC, &[])).await;
        for file in ["/docs/", "/docs/swagger-ui-bundle.js", "/docs/swagger-initializer.js", "/openapi.json"] {
            let response = test::call_service(&app, get(file).to_request()).await;
            assert_eq!(response.status(), StatusCode::OK, "{file}");
        }
        let page = test::call_and_read_body(&app, get("/docs/swagger-initializer.js").to_request()).await;
        let page = String::from_utf8(page.to_vec()).unwrap();
        assert!(page.contains("/openapi.json") && !page.contains("http"), "{page}");
    }
}
