//! Who is asking: middleware that turns a bearer token into [`Authenticated`] before anything of the body is read.
//! (Actix resolves extractors side by side, so an extractor would come too late.) Denies by default: only the routes
//! that `routes` lists as public, and paths that no route has, pass without a token. Decides nothing about rights.

use super::asked::asked_of;
use super::error::Problem;
use super::routes::ENROLMENT;
use crate::state::App;
use crate::usecases::account_for::account_for;
use crate::usecases::authenticate::{Authenticated, authenticate};
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use muong_store::{Note, NoteKind};
use std::future::{Ready, ready};

/// Middleware: lets public routes pass, and everything else with a token that is believed.
pub async fn signed_in<B: MessageBody + 'static>(
    public: &'static [&'static str],
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    // A path without a route has nothing to protect: it is answered 404 by the default service, in every case.
    if let Some(pattern) = pattern(&request).filter(|pattern| !public.contains(&pattern.as_str())) {
        // In a box, which is gone while the request is worked on: it takes 3 KB, and thousands may wait.
        match Box::pin(identify(&request, &pattern)).await {
            Ok(who) => drop(request.extensions_mut().insert(who)),
            // As an answer, not as an error: outer layers may have something to add for a page of another origin.
            Err(problem) => return Ok(request.error_response(problem).map_into_right_body()),
        }
    }
    Ok(next.call(request).await?.map_into_left_body())
}

/// The route, judged by the path that actix routes by, which has `%6D` decoded to `m`; the raw one would let `/v1/%6De`
/// through as a path that nobody has.
fn pattern(request: &ServiceRequest) -> Option<String> {
    request.resource_map().match_pattern(request.match_info().as_str())
}

async fn identify(request: &ServiceRequest, pattern: &str) -> Result<Authenticated, Problem> {
    let token = bearer(request.headers()).ok_or_else(|| Problem::new("auth.required"))?;
    let app = request.app_data::<Data<App>>().ok_or_else(|| Problem::new("server.internal"))?;
    let mut who = authenticate(app, token).await?;
    who.asked = asked_of(request.request());
    if who.must_enrol(app) && !ENROLMENT.contains(&pattern) {
        let outcome = "auth.totp_enrolment_required";
        let note = Note { kind: NoteKind::Refusal, outcome: outcome.to_owned(), ..Note::default() };
        account_for(app, &who, note).await?;
        return Err(Problem::new(outcome));
    }
    Ok(who)
}

/// The token of an `Authorization` header (RFC 6750, §2.1). A header that stands twice is nobody's.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// For handlers. A handler that asks on a route that is public by mistake gets 401, not a stranger.
impl FromRequest for Authenticated {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or_else(|| Problem::new("auth.required")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::app;
    use actix_web::http::StatusCode;
    use actix_web::http::header::HeaderValue;
    use actix_web::test::{self, TestRequest};
    use actix_web::web::{self, ServiceConfig};

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (header::AUTHORIZATION, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn one_bearer_token_is_read_and_nothing_else() {
        assert_eq!(bearer(&headers(&["Bearer abc"])), Some("abc"));
        assert_eq!(bearer(&headers(&["bearer  abc "])), Some("abc"));
        for none in [&[][..], &["Bearer"], &["Bearer "], &["Basic abc"], &["abc"], &["Bearer a", "Bearer b"]] {
            assert_eq!(bearer(&headers(none)), None, "{none:?}");
        }
    }

    fn two_routes(config: &mut ServiceConfig) {
        config
            .route("/open", web::get().to(|| async { "open" }))
            .route("/closed", web::get().to(|| async { "closed" }))
            .route("/mistake", web::get().to(|who: Authenticated| async move { who.user.to_string() }));
    }

    #[actix_web::test]
    async fn whatever_is_not_listed_is_closed_however_its_path_is_written() {
        let app = test::init_service(app(&two_routes, &["/open", "/mistake"], &[])).await;
        let cases = [
            ("/open", 200),
            ("/closed", 401),
            ("/%63losed", 401),
            ("/clos%65d?x=1", 401),
            ("/mistake", 401),
            ("/nowhere", 404),
            ("//closed", 404),
            ("/closed/", 404),
            ("/v1/me", 401),
            ("/v1/%6de", 401),
        ];
        for (path, status) in cases {
            let answer = test::try_call_service(&app, TestRequest::get().uri(path).to_request()).await;
            let found = answer.map_or_else(|error| error.as_response_error().status_code(), |a| a.status());
            assert_eq!(found, StatusCode::from_u16(status).unwrap(), "{path}");
        }
    }
}
